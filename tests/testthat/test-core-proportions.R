# Equal proportions, for every family.

x <- as.matrix(faithful)
groups <- with_test_seed(1, stats::kmeans(scale(x), 3)$cluster)
from_labels <- function(code, ..., data = x, init = groups, k = 3) {
  gmm(data, k, code, ..., control = gmm_control(init = init))
}
codes <- gmm_families()$code

test_that("the proportions are 1 / k, the objective never falls, and df is less by k - 1", {
  for (code in codes) {
    fit <- from_labels(code, proportions = "equal")
    free <- from_labels(code)
    expect_identical(unname(fit$proportions), rep(1 / 3, 3), label = code)
    expect_true(fit$converged, label = code)
    expect_gte(min(diff(fit$trace)), -1e-10 * abs(fit$loglik))
    expect_identical(fit$df, free$df - 2)
    expect_identical(attr(logLik(fit), "df"), fit$df)
    expect_equal(fit$loglik, sum(predict(fit, type = "logdensity")), tolerance = 1e-12)
    wider <- from_labels(code, init = fit)
    expect_gte(wider$loglik, fit$loglik)
  }
})

test_that("EM steps are those of the oracle with its proportions held", {
  for_each_case(k = 3, f = function(family, d, k) {
    start <- random_params(family, d, k, seed = d)
    start$proportions[] <- 1 / k
    rows <- random_data(150, start, seed = 2)
    init <- gmm_params(start$proportions, start$means, start$covariances, covariance = family)
    fit <- gmm(rows, k, family, proportions = "equal",
               control = gmm_control(init = init, max_iter = 12, tol = 0))
    want <- start
    for (step in 1:12) {
      want <- oracle_mstep(rows, oracle_estep(rows, want), family)
      want$proportions[] <- 1 / k
    }
    expect_equal(unname(fit$means), unname(want$means), tolerance = 1e-9)
    expect_equal(unname(fit$covariances), want$covariances, tolerance = 1e-9)
    expect_equal(fit$loglik, oracle_loglik(rows, want), tolerance = 1e-12)
  })
})

test_that("weight 2 is the row twice, and threads change nothing", {
  w <- rep(1:2, length.out = nrow(x))
  twice <- rep(seq_len(nrow(x)), w)
  for (code in codes) {
    weighted <- from_labels(code, proportions = "equal", weights = w)
    repeated <- from_labels(code, proportions = "equal", data = x[twice, ], init = groups[twice])
    expect_equal(weighted$loglik, repeated$loglik, tolerance = 1e-9, label = code)
    expect_equal(weighted$means, repeated$means, tolerance = 1e-5, label = code)
    expect_equal(BIC(weighted), BIC(repeated), tolerance = 1e-9)
  }
  for (code in c("VVV", "VEI")) {
    one <- lapply(1:2, function(threads) {
      control <- gmm_control(threads = threads)
      with_test_seed(1, gmm(x, 3, code, proportions = "equal", control = control))
    })
    expect_identical(one[[1]][1:14], one[[2]][1:14])
  }
})

test_that("one component is the same with either", {
  for (code in codes) {
    fields <- c(parameter_fields, "loglik", "df", "trace")
    equal <- gmm(x, 1, code, proportions = "equal")
    expect_identical(equal[fields], gmm(x, 1, code)[fields])
  }
})

test_that("the search for equal proportions is as wide as that for free ones", {
  for (code in c("VVV", "EEE", "VEI")) {
    fit <- with_test_seed(1, gmm(x, 4, code, proportions = "equal"))
    starts <- with_test_seed(2, gmm(x, 4, code, proportions = "equal",
                                    control = gmm_control(init = "kmeans++", n_init = 10)))
    expect_identical(unname(fit$proportions), rep(0.25, 4))
    expect_gte(fit$loglik, starts$loglik - 0.01)
    expect_identical(nrow(fit$starts), 40L)
    expect_false(is.unsorted(fit$means[, 1]))
  }
  for (init in c("hierarchical", "random")) {
    fit <- gmm(x, 3, proportions = "equal", control = gmm_control(init = init, max_iter = 0))
    expect_identical(unname(fit$proportions), rep(1 / 3, 3))
  }
})

test_that("a start with other proportions is taken with equal ones", {
  free <- gmm(x, 2)
  fit <- gmm(x, 2, proportions = "equal", control = gmm_control(init = free, max_iter = 0))
  expect_identical(unname(fit$proportions), c(0.5, 0.5))
  expect_equal(fit$means, free$means)
  expect_equal(fit$loglik, oracle_loglik(x, fit))
})

test_that("many rows: the sample and the rest keep equal proportions", {
  many <- with_test_seed(3, rbind(matrix(rnorm(14000), ncol = 2), matrix(rnorm(6000, 4), ncol = 2)))
  fit <- with_test_seed(1, gmm(many, 2, "EII", proportions = "equal"))
  expect_identical(unname(fit$proportions), c(0.5, 0.5))
  expect_lt(fit$loglik, with_test_seed(1, gmm(many, 2, "EII"))$loglik)
})

test_that("standard errors are those given the proportions", {
  for (code in c("VVV", "VEI", "EEE")) {
    fit <- from_labels(code, proportions = "equal", k = 2, init = pmin(groups, 2))
    v <- vcov(fit)
    p <- 1:2
    expect_identical(rownames(v), names(coef(fit)))
    expect_true(all(v[p, ] == 0) && all(v[, p] == 0))
    values <- eigen(stats::cov2cor(v[-p, -p]), symmetric = TRUE)$values
    expect_identical(sum(values > 1e-9), as.integer(fit$df))
    # the same point of the model with free proportions: their covariance, conditional on these
    free <- suppressWarnings(gmm(x, 2, code, control = gmm_control(init = fit, max_iter = 0)))
    u <- vcov(free)
    given <- u[-p, -p] - tcrossprod(u[-p, 1]) / u[1, 1]
    expect_equal(v[-p, -p], given, tolerance = 1e-6)
    expect_equal(unname(confint(fit)[p, ]), matrix(0.5, 2, 2))
  }
})

test_that("profiles hold the proportions", {
  fit <- from_labels("EEE", proportions = "equal", k = 2, init = pmin(groups, 2))
  path <- profile(fit, "mean.1.waiting", level = 0.9)
  expect_equal(unname(path[[1]]$par.vals[, "proportion.1"]), rep(0.5, nrow(path[[1]])))
  expect_equal(confint(path, level = 0.9), confint(fit, "mean.1.waiting", level = 0.9),
               tolerance = 1e-3)
  expect_gm_error(profile(fit, "proportion.2"), "argument", "not `proportion.2`")
})

test_that("the object works as others do", {
  fit <- with_test_seed(1, gmm(~ eruptions + waiting, faithful, k = 2, proportions = "equal"))
  expect_true(fit$equal)
  expect_null(gmm(x, 2)$equal)
  expect_match(format(fit)[3], "equal proportions: 0.500 each", fixed = TRUE)
  expect_output(print(summary(fit)), "equal proportions: 0.500 each")
  again <- with_test_seed(1, update(fit, covariance = "tied"))
  expect_identical(again$df, 7)
  expect_identical(update(fit, evaluate = FALSE)$proportions, "equal")
  m <- gmm_params(fit$proportions, fit$means, fit$covariances)
  expect_equal(predict(m, faithful, type = "prob"), predict(fit, type = "prob"))
  expect_identical(dim(simulate(fit, 1, seed = 1)[[1]]), c(272L, 2L))
  boot <- with_test_seed(1, gmm_boot(fit, n_boot = 4))
  expect_true(all(boot$coef[, 1:2] == 0.5))
  skip_if_not_installed("jsonlite")
  read <- gmm_from_json(gmm_to_json(fit))
  expect_identical(read[c("proportions", "equal", "df")], fit[c("proportions", "equal", "df")])
  expect_identical(BIC(read), BIC(fit))
})

test_that("a Dirichlet prior says nothing of equal proportions", {
  prior <- from_labels("VVV", proportions = "equal", prior = gmm_prior(alpha = 5))
  plain <- from_labels("VVV", proportions = "equal", prior = gmm_prior())
  expect_identical(prior$objective, plain$objective)
  expect_gte(min(diff(prior$trace)), -1e-9)
})

test_that("a choice among models of equal proportions", {
  choice <- with_test_seed(1, gmm_select(faithful, 1:4, proportions = "equal"))
  table <- choice$table
  expect_match(format(choice)[1], "; equal proportions", fixed = TRUE)
  expect_true(choice$equal)
  free <- mapply(function(code, k) gmm_families(2, k)$parameters[codes == code],
                 table$covariance, table$k, USE.NAMES = FALSE)
  expect_equal(table$df, free - (table$k - 1))
  # only narrower families count as contained, not the same family at k - 1
  for (row in which(table$note != "")) {
    expect_gt(max(table$loglik[table$k == table$k[row]], na.rm = TRUE), table$loglik[row])
  }
  for (code in c("EII", "VEV", "VVV")) { # as high as gmm() comes, and the same model
    row <- which(table$covariance == code & table$k == 3)
    fit <- with_test_seed(2, gmm(faithful, 3, code, proportions = "equal"))
    expect_gte(table$loglik[row], fit$loglik - 0.01)
  }
  for (row in which(table$covariance == "EEE" & table$k > 1)) {
    wider <- table[table$covariance == "VVV" & table$k == table$k[row], ]
    expect_true(wider$loglik >= table$loglik[row] - 1e-6 || wider$note != "")
  }
  best <- gmm_best(choice)
  expect_true(best$equal)
  expect_identical(unname(best$proportions), rep(1 / best$k, best$k))
  expect_equal(BIC(best), min(table$BIC[!table$spurious]), tolerance = 1e-9)
  expect_identical(best$call$proportions, "equal")
  expect_true(gmm_lrt(choice, k = 1, n_boot = 19)$equal)
  cv <- with_test_seed(1, gmm_select(faithful, 1:2, "EEE", "CV", folds = 3, proportions = "equal"))
  expect_true(all(is.finite(cv$table$CV)))
  expect_gm_error(gmm_select(faithful, 2, proportions = "same"), "argument", "one of \"free\"")
})

test_that("bad values and damaged fits are refused", {
  expect_gm_error(gmm(x, 2, proportions = "same"), "argument",
                  "one of \"free\", \"equal\", not \"same\"")
  expect_gm_error(gmm(x, 2, proportions = c(0.3, 0.7)), "argument",
                  "not a numeric vector of length 2")
  fit <- gmm(x, 2, proportions = "equal")
  expect_gm_error(predict(replace(fit, "proportions", list(c("1" = 0.4, "2" = 0.6)))), "object",
                  "`fit$proportions` must be equal")
  expect_gm_error(predict(replace(fit, "equal", list("yes"))), "object", "`fit$equal` must be TRUE")
  fit$equal <- NULL
  expect_gm_error(predict(fit), "object", "`fit$df` must be 11")
})
