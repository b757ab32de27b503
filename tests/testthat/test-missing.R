# Fits to rows with missing values (na.pass), and all that takes such a fit.

holed <- holes(as.matrix(iris[1:4]), 0.12, 51)
holed[7, ] <- NA
fit <- with_test_seed(1, gmm(holed, 3, "EEE", na.action = na.pass,
                             control = gmm_control(n_init = 2, search = 5)))

test_that("print() says how many rows miss something, in how many ways", {
  lost <- rowSums(is.na(holed))
  expect_identical(fit$missing, c(
    rows = sum(lost > 0), patterns = nrow(unique(is.na(holed)[lost > 0, ])), empty = 1L))
  expect_match(format(fit), sprintf("missing values: %d rows, %d patterns (1 wholly missing, not",
                                    fit$missing[[1]], fit$missing[[2]]), fixed = TRUE, all = FALSE)
  expect_equal(nobs(fit), 149)
  expect_equal(BIC(fit), -2 * fit$loglik + fit$df * log(149))
  expect_null(gmm(faithful, 2, na.action = na.pass)$missing)
})

test_that("without missing values na.pass changes nothing", {
  one <- function(...) with_test_seed(3, gmm(faithful, 2, ..., control = gmm_control(n_init = 2)))
  same <- c("proportions", "means", "covariances", "trace", "starts", "verdict")
  expect_identical(one(na.action = na.pass)[same], one()[same])
})

test_that("what can't be fitted is refused by name", {
  x <- cbind(a = c(rnorm(20), rep(NA, 20)), b = c(rep(NA, 20), rnorm(20)), c = rnorm(40))
  e <- expect_gm_error(gmm(x, 1, na.action = na.pass), "missing",
                       c("`a` and `b`", "never observed together", "VVV"), call = "gmm")
  expect_identical(e$columns, c("a", "b"))
  for (code in c("EEI", "VII")) expect_s3_class(gmm(x, 1, code, na.action = na.pass), "gaussmix")
  choice <- suppressWarnings(with_test_seed(1, gmm_select(x, 2, c("full", "spherical"),
                                                          na.action = na.pass)))
  expect_setequal(choice$table$status, c("missing", "ok"))
  lost <- cbind(x, d = NA_real_)
  e <- expect_gm_error(gmm(lost, 1, "diag", na.action = na.pass), "missing", "`d` of `x` has no")
  expect_identical(e$columns, "d")
  w <- rep(1:0, each = 20)
  expect_gm_error(gmm(x, 1, "diag", weights = w, na.action = na.pass), "missing", "`b`")
  expect_gm_error(gmm(holed, 2), "missing", "na.pass")
  expect_gm_error(gmm(rbind(c(NA, 1), c(2, NA), NA), 3, "diag", na.action = na.pass), "degenerate")
  expect_gm_error(gmm_vb(holed, 3, na.action = na.pass), "missing", "gmm(prior")
})

test_that("each way to start finds its way", {
  best <- fit$loglik
  for (init in list("kmeans++", "hierarchical", iris$Species, predict(fit, type = "prob"), fit,
                    function(x, k) iris$Species)) {
    again <- with_test_seed(2, gmm(holed, 3, "EEE", na.action = na.pass,
                                   control = gmm_control(init = init, n_init = 5)))
    expect_true(again$converged)
    expect_lt(again$loglik, best + 1e-3)
    if (!is.character(init)) expect_lt(abs(again$loglik - best), 1e-3)
  }
  first <- gmm(holed, 3, "EEE", na.action = na.pass, control = gmm_control(init = "hierarchical"))
  mixed <- holed[with_test_seed(4, sample(150)), ]
  other <- gmm(mixed, 3, "EEE", na.action = na.pass, control = gmm_control(init = "hierarchical"))
  expect_equal(other$means, first$means, tolerance = 1e-6)
})

test_that("weights, labels, prior and equal proportions combine in all families", {
  labels <- replace(iris$Species, with_test_seed(5, sample(150, 120)), NA)
  w <- with_test_seed(6, runif(150, 0.5, 2))
  for (code in c("VVV", "EEE", "VVI", "VEV")) {
    one <- suppressWarnings(with_test_seed(7, gmm(
      holed, 3, code, weights = w, labels = labels, prior = gmm_prior(), proportions = "equal",
      na.action = na.pass, control = gmm_control(max_iter = 100))))
    expect_gt(min(diff(one$trace)), -1e-8)
    expect_equal(nobs(one), sum(w[-7]))
    expect_identical(rownames(one$means), levels(iris$Species))
  }
})

test_that("fitted values, residuals and criteria follow the rows given", {
  expect_identical(is.na(residuals(fit)), is.na(fit$x))
  expect_false(anyNA(fitted(fit)))
  expect_equal(sum(predict(fit, type = "logdensity")), fit$loglik)
  prob <- predict(fit, type = "prob")
  certainty <- sum(log(apply(prob, 1, max))[-7])
  expect_equal(gmm_criteria(fit)$ICL, BIC(fit) - 2 * certainty)
  known <- gmm_select(holed, 3, "EEE", na.action = na.pass, control = gmm_control(init = fit))
  expect_equal(known$table$ICL, BIC(fit) - 2 * certainty, tolerance = 1e-6)
})

test_that("without the rows the log-densities are there", {
  bare <- with_test_seed(1, gmm(holed, 3, "EEE", na.action = na.pass,
                                control = gmm_control(n_init = 2, search = 5, keep = FALSE)))
  expect_identical(predict(bare, type = "logdensity"), predict(fit, type = "logdensity"))
  expect_gm_error(gmm_anomaly(bare), "data", "keep = TRUE")
  expect_gm_error(gmm_boot(bare, n_boot = 2), "data", "keep = TRUE")
})

test_that("anomalies: what is missing counts as the mean log-density of a normal variable", {
  odd <- gmm_anomaly(fit)
  lowered <- predict(fit, type = "logdensity") -
    drop(is.na(unname(holed)) %*% (log(fit$scale) + log(2 * pi * exp(1)) / 2))
  expect_equal(odd$score[-7], lowered[-7], ignore_attr = TRUE)
  expect_true(is.na(odd$flag[7]))
  expect_lte(odd$share, 0.04)
  expect_identical(gmm_anomaly(fit, holed)$score, odd$score)
  by_p <- gmm_anomaly(fit, pvalue = TRUE, draws = 999)
  expect_identical(is.na(by_p$pvalue), rowSums(is.na(holed)) > 0, ignore_attr = TRUE)
  draw(odd)
})

test_that("pictures show the rows that have the variables drawn, and say so", {
  lost <- sum(rowSums(is.na(holed[, 1:2])) > 0)
  expect_identical(plot_rows(fit, 1e4, dims = 1:2)$lost, lost)
  expect_match(plot_note(fit, 1:2, plot_view(fit, "classification", 0.95, NULL, FALSE, 1e4, TRUE,
                                             NULL, NULL, 1:2)),
               sprintf("%d rows with missing values not shown", lost))
  for (what in c("classification", "density", "uncertainty")) {
    draw(fit, what)
    draw(fit, what, dims = 1)
  }
})

test_that("classes are learnt from what is there, by the exact likelihood", {
  known <- gmm_da(holed, iris$Species, covariance = "tied", na.action = na.pass)
  direct <- gmm(holed, 3, "tied", labels = iris$Species, na.action = na.pass)
  expect_equal(known$models$setosa$means[1, ], direct$means["setosa", ], tolerance = 1e-6)
  expect_gt(mean(predict(known, iris[1:4]) == iris$Species), 0.97)
})

test_that("replicates miss what the rows miss", {
  params <- as_parameters(fit)
  given <- list(x = fit$x, blueprint = fit$blueprint)
  data <- with_test_seed(8, simulated_data(given, params, 149L, 1L))
  expect_identical(unname(is.na(data$x)), unname(is.na(holed[-7, ])))
  boot <- with_test_seed(9, gmm_boot(fit, n_boot = 3))
  expect_false(anyNA(boot$replicates))
})

test_that("cross-validation takes rows with missing values", {
  choice <- with_test_seed(10, gmm_select(holed, 1:2, "EEE", criterion = c("BIC", "CV"), folds = 3,
                                          na.action = na.pass))
  expect_true(all(is.finite(choice$table$CV)))
  expect_match(format(choice), "missing values:", all = FALSE)
})

test_that("noise, trimming and a bound on the ratio take rows with missing values", {
  odd <- with_test_seed(11, sapply(1:4, function(j) runif(12, 0, 10)))
  x <- rbind(holed, holes(odd, 0.1, 12))
  fit_with <- function(code, ...) {
    control <- gmm_control(n_init = 2, search = 4)
    suppressWarnings(with_test_seed(13, gmm(x, 3, code, na.action = na.pass, ...,
                                            control = control)))
  }
  box <- apply(x, 2, range, na.rm = TRUE)
  for (code in c("VVV", "EEE", "VVI")) {
    noisy <- fit_with(code, noise = TRUE)
    expect_gt(min(diff(noisy$trace)), -1e-7)
    gauss <- list(proportions = noisy$proportions[1:3], means = noisy$means,
                  covariances = noisy$covariances)
    whole <- noisy$proportions[[4]]
    density <- exp(oracle_observed(x, gauss))
    share <- apply(x, 1, function(row) {
      at <- which(!is.na(row))
      whole / prod(box[2, at] - box[1, at])
    })
    empty <- rowSums(!is.na(x)) == 0
    expect_equal(noisy$loglik, sum(log(density + share)[!empty]), tolerance = 1e-8)
    expect_equal(sum(predict(noisy, type = "logdensity")), noisy$loglik)
    trimmed <- fit_with(code, trim = 0.05)
    expect_gt(min(diff(trimmed$trace)), -1e-7)
    expect_lt(trimmed$nobs, nobs(noisy))
  }
})

test_that("empty rows without a label don't count, wherever labelled ones stand among them", {
  set.seed(1)
  x <- cbind(a = c(rnorm(20), rnorm(20, 5)), b = rnorm(40))
  x[c(1, 20, 40), ] <- NA
  labels <- rep(NA, 40)
  labels[c(5, 40)] <- c("A", "B")
  w <- rep(c(1, 2), 20)
  dropped <- c(1, 20) # say nothing
  start <- gmm_params(c(0.5, 0.5), rbind(c(0, 0), c(5, 0)), diag(2), covariance = "VVV")
  for (weights in list(NULL, w)) {
    for (trim in c(0, 0.1)) {
      fit <- function(rows) {
        gmm(x[rows, ], 2, weights = weights[rows], labels = labels[rows], trim = trim,
            na.action = na.pass, control = gmm_control(init = start))
      }
      all <- fit(1:40)
      some <- fit(setdiff(1:40, dropped))
      expect_equal(all$nobs, (1 - trim) * sum((if (is.null(weights)) rep(1, 40) else w)[-dropped]))
      expect_equal(BIC(all), BIC(some))
      expect_no_error(validate_gmm(all))
      expect_equal(all$missing[["empty"]], 2L)
    }
  }
})
