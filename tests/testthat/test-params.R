as_gmm <- function(params, family) {
  gmm_params(params$proportions, params$means, params$covariances, covariance = family)
}

sigma <- matrix(c(2, 0.5, 0.5, 1), 2)

test_that("gmm_params() holds what it was given, with names, for every family", {
  for_each_case(function(family, d, k) {
    given <- random_params(family, d, k, 1)
    m <- as_gmm(given, family)
    expect_s3_class(m, c("gaussmix", "gmm"), exact = TRUE)
    expect_equal(unname(m$proportions), given$proportions, tolerance = 1e-15)
    expect_identical(unname(m$means), given$means)
    expect_equal(unname(m$covariances), given$covariances, tolerance = 1e-15)
    components <- as.character(seq_len(k))
    variables <- paste0("V", seq_len(d))
    expect_identical(names(m$proportions), components)
    expect_identical(dimnames(m$means), list(components, variables))
    expect_identical(dimnames(m$covariances), list(variables, variables, components))
    expect_identical(m$k, k)
    table <- gmm_families(d = d, k = k)
    expect_identical(m$df, table$parameters[table$code == family])
    expect_false(m$blueprint$named)
  }, k = c(1L, 3L))
})

test_that("covariances may come as array, list, one matrix, variances", {
  p <- c(0.4, 0.6)
  means <- rbind(c(0, 0), c(3, 1))
  array <- gmm_params(p, means, array(c(sigma, 2 * sigma), c(2, 2, 2)))
  expect_identical(gmm_params(p, means, list(sigma, 2 * sigma))$covariances, array$covariances)
  common <- gmm_params(p, means, sigma, covariance = "tied")
  expect_identical(unname(common$covariances[, , 2]), sigma)
  expect_identical(gmm_params(p, means, sigma)$covariances, common$covariances)
  expect_identical(gmm_params(p, means, sigma)$covariance, "VVV")

  variances <- rbind(c(1, 2), c(3, 4))
  diag <- gmm_params(p, means, variances, covariance = "diag")
  expect_identical(unname(diag$covariances[, , 2]), diag(c(3, 4)))
  round <- gmm_params(p, means, c(2, 5), covariance = "spherical")
  expect_identical(unname(round$covariances[, , 2]), diag(c(5, 5)))

  line <- gmm_params(p, c(0, 3), c(1, 4))
  expect_identical(c(line$covariances), c(1, 4))
  expect_identical(gmm_params(p, c(0, 3), list(1, 4))$covariances, line$covariances)
  expect_identical(c(gmm_params(p, c(0, 3), matrix(2))$covariances), c(2, 2))
  expect_identical(dim(gmm_params(1, c(1, 2), sigma)$means), c(1L, 2L))
})

test_that("the names and the order are those given", {
  m <- gmm_params(c(small = 0.2, large = 0.8), rbind(c(x = 1, y = 2), c(3, 4)), sigma)
  expect_identical(dimnames(m$means), list(c("small", "large"), c("x", "y")))
  expect_true(m$blueprint$named)
  rows <- gmm_params(c(0.2, 0.8), rbind(a = c(1, 2), b = c(3, 4)), sigma)
  expect_identical(names(rows$proportions), c("a", "b"))
  expect_false(rows$blueprint$named)
  one <- gmm_params(1, colMeans(faithful), cov(faithful))
  expect_identical(colnames(one$means), names(faithful))
  by_covariance <- gmm_params(c(0.2, 0.8), rbind(c(1, 2), c(3, 4)), cov(faithful))
  expect_identical(colnames(by_covariance$means), names(faithful))
  expect_true(by_covariance$blueprint$named)
})

test_that("what is right to 1e-8 is made exact", {
  m <- gmm_params(c(0.5, 0.5 + 5e-9), rbind(c(0, 0), c(1, 1)),
                  list(sigma + c(0, 1e-9, 0, 0), sigma * (1 + 1e-9)), covariance = "tied")
  expect_identical(sum(m$proportions), 1)
  expect_identical(m$covariances[, , 1], m$covariances[, , 2])
  expect_identical(m$covariances[, , 1], t(m$covariances[, , 1]))
  d <- gmm_params(1, c(0, 0), matrix(c(4, 1e-9, 1e-9, 1), 2) |> list(), covariance = "diag")
  expect_identical(d$covariances[1, 2, 1], 0)
})

test_that("wrong parameters are refused, with the argument named", {
  p <- c(0.4, 0.6)
  means <- rbind(c(0, 0), c(3, 1))
  refused <- function(..., text) expect_gm_error(gmm_params(...), "argument", text, "gmm_params")
  refused(means = means, covariances = sigma, text = "`proportions` must be given")
  refused(c(0.5, 0.6), means, sigma, text = "numbers with the sum 1, not with the sum 1.1")
  refused(c(-0.5, 1.5), means, sigma, text = "finite and at least 0, not -0.5")
  refused(c(NA, 1), means, sigma, text = "`proportions` must be finite")
  refused("1", means, sigma, text = "`proportions` must be a numeric vector")
  refused(p, rbind(means, 1), sigma, text = c("`means` must be", "of 2 rows", "3 rows"))
  refused(p, c(1, 2, 3), sigma, text = c("`means` must be", "a vector of 2 means", "3 rows"))
  refused(p, means * NA, sigma, text = "`means` must be finite, not NA")
  refused(p, means, diag(3), text = c("`covariances` must be an array of 2 x 2 x 2",
                                         "one matrix of 2 x 2"))
  refused(p, means, list(sigma), text = "a list of 2 matrices of 2 x 2")
  refused(p, c(0, 1), c(1, 2, 3), text = c("a vector of 2 variances", "length 3"))
  refused(p, means, sigma * Inf, text = "`covariances` must be finite, not Inf")
  refused(p, means, sigma + c(0, 1, 0, 0), text = "symmetric, not that of component 1")
  refused(p, means, list(sigma, matrix(c(1, 2, 2, 1), 2)),
          text = "`covariances` must be positive definite, not that of component 2")
  refused(p, means, list(sigma, diag(c(1, 0))), text = "not with a variance of 0 in component 2")
  refused(p, c(0, 1), c(1, 1e-320), text = "positive definite")
  refused(p, c(0, 1), c(1, -1), text = "positive definite, not with a variance of -1")
  refused(p, means, list(sigma, 2 * sigma), covariance = "tied",
          text = "equal for tied (EEE), not different in components 1 and 2")
  refused(p, means, list(sigma, sigma), covariance = "diag", text = "diagonal for diag (VVI)")
  refused(p, means, diag(c(1, 2)), covariance = "spherical",
          text = "multiples of the identity matrix for spherical (VII)")
  refused(p, means, diag(2), covariance = "diag", text = "not with a variance of 0")
  refused(p, means, sigma, covariance = "dia", text = "`covariance` must be")
  refused(p, means, sigma, "diag", text = "without a name")
  expect_gm_error(gmm_params(p, rbind(a = c(0, 0), a = c(1, 1)), sigma), "names", "distinct")
  expect_gm_error(gmm_params(p, rbind(c(x = 0, x = 0), c(1, 1)), sigma), "names", "distinct")
  expect_gm_error(gmm_params(p, rbind(c(x = 0, y = 0), c(1, 1)), cov(faithful)), "names",
                  c("`x`, `y`", "`eruptions`, `waiting`"))
})

test_that("what needs data is refused", {
  m <- gmm_params(1, 0, 1)
  for (f in list(logLik, nobs, vcov, confint, AIC, BIC, deviance, fitted, residuals, simulate,
                 predict)) {
    expect_error(f(m), class = "gaussmix_error_data")
  }
})

test_that("a start must be of the same k, d and family, and is told so with both numbers", {
  x <- as.matrix(faithful)
  fit_from <- function(init, k = 2, ...) gmm(x, k, ..., control = gmm_control(init = init))
  three <- gmm(x, 3)
  expect_gm_error(fit_from(three), "start", c("`init` must have 2 components", "not 3"), "gmm")
  line <- gmm_params(c(0.5, 0.5), c(2, 4), c(1, 1))
  expect_gm_error(fit_from(line), "start", c("`init` must have 2 variables", "not 1"))
  full <- gmm(x, 2)
  expect_gm_error(fit_from(full, covariance = "tied"), "start", "equal for tied")
  expect_gm_error(fit_from(full, covariance = "diag"), "start", "diagonal for diag")
  returned <- function(...) {
    start <- utils::modifyList(coef(full, type = "list"), list(...))
    fit_from(function(x, k) start)
  }
  expect_equal(logLik(returned()), logLik(full), tolerance = 1e-9)
  expect_gm_error(returned(means = NULL), "start", c("`proportions`", "`covariances`"))
  expect_gm_error(returned(proportions = c(0.5, 0.6)), "start",
                  "`init$proportions` must be numbers with the sum 1")
  expect_gm_error(returned(covariances = -full$covariances), "start",
                  "`init$covariances` must be positive definite")
})

test_that("the variables of a start are taken by name", {
  fit <- gmm(faithful, 2)
  turned <- gmm(faithful[2:1], 2, control = gmm_control(init = fit))
  expect_equal(turned$means[, colnames(fit$means)], fit$means, tolerance = 1e-4)
  expect_equal(logLik(turned), logLik(fit), tolerance = 1e-9)
  other <- setNames(faithful, c("a", "b"))
  expect_gm_error(gmm(other, 2, control = gmm_control(init = fit)), "start", "lacks `a`, `b`")
  unnamed <- gmm(unname(as.matrix(faithful)), 2, control = gmm_control(init = fit))
  expect_equal(logLik(unnamed), logLik(fit), tolerance = 1e-9)
})

test_that("a start must give each component a proportion, and names that differ", {
  start <- list(proportions = c(1, 0), means = rbind(c(2, 50), c(4, 80)),
                covariances = list(diag(2), diag(2)))
  use <- function(start) gmm(faithful, 2, control = gmm_control(init = start))
  expect_gm_error(use(start), "start", "`init$proportions` must be above 0, not 0 for component 2.")
  expect_gm_error(use(do.call(gmm_params, start)), "start", "`init$proportions` must be above 0")
  start$proportions <- c(0.5, 0.5)
  rownames(start$means) <- c("7", "7")
  expect_gm_error(use(start), "start", "names of the components must be distinct")
})

test_that("a damaged object is refused, and the field named", {
  m <- gmm_params(c(0.4, 0.6), rbind(c(x = 0, y = 0), c(3, 1)), list(sigma, 2 * sigma))
  broken <- function(field, value, text = paste0("`fit$", field, "` must be"), class = "object") {
    bad <- m
    bad[[field]] <- value
    expect_gm_error(dgmm(cbind(x = 0, y = 0), bad), class, text, "dgmm")
  }
  for (field in c("proportions", "means", "covariances", "covariance", "k", "df", "blueprint",
                  "version")) {
    broken(field, NULL)
    broken(field, list())
    broken(field, factor(1))
  }
  broken("k", 3, "`fit$proportions` must be a double vector of length 3, not")
  broken("k", 1.5)
  broken("k", 2^40)
  broken("proportions", c(0.4, 0.7))
  broken("proportions", c(-0.4, 1.4))
  broken("proportions", c(NA, 1))
  broken("proportions", 1:2)
  broken("means", m$means[, 1, drop = FALSE])
  broken("means", t(m$means), "named by component and variable")
  broken("means", m$means * NaN)
  broken("means", unname(m$means))
  broken("covariances", m$covariances[, , 1])
  broken("covariances", m$covariances * 0)
  broken("covariances", -m$covariances)
  broken("covariances", replace(m$covariances, 1, NaN))
  broken("covariances", replace(m$covariances, 2, 0.4), "symmetric")
  broken("covariances", replace(m$covariances, 2:3, 10), "positive definite")
  broken("covariances", `storage.mode<-`(m$covariances, "integer"))
  broken("covariance", "ZZZ")
  broken("covariance", "EEE", "`fit$covariances` must be equal for tied")
  broken("covariance", "VVI", "`fit$covariances` must be diagonal")
  broken("version", 2L, "newer version of gaussmix (format 2;", class = "version")

  turned <- structure(unclass(m), class = c("gmm", "gaussmix"))
  expect_gm_error(dgmm(0, turned), "object", "class(fit)")
  expect_gm_error(dgmm(0, unclass(m)), "argument", "`fit` must be an object of class gmm")
  expect_gm_error(dgmm(0, structure(list(), class = c("gaussmix", "gmm"))), "object")
  expect_gm_error(dgmm(0, structure(globalenv(), class = c("gaussmix", "gmm"))), "argument")
})

test_that("objects survive saving and dput() to the bit", {
  m <- as_gmm(random_params("VVV", 3, 3, 5), "full")
  file <- tempfile()
  on.exit(unlink(file))
  for (version in 2:3) for (ascii in c(NA, FALSE)) {
    saveRDS(m, file, ascii = ascii, version = version)
    expect_identical(readRDS(file), m)
  }
  dput(m, file, control = c("all", "hexNumeric"))
  expect_identical(dgmm(diag(3), dget(file)), dgmm(diag(3), m))
})

test_that("a damaged fit is refused, and the field named, also outside of its parameters", {
  gaps <- faithful
  gaps$waiting[3] <- NA
  whole <- with_test_seed(1, gmm(~ eruptions + waiting, gaps, k = 2, na.action = na.exclude,
                                 weights = rep(1:2, 136)))
  light <- with_test_seed(1, gmm(faithful, 2, control = gmm_control(keep = FALSE)))
  broken <- function(field, value, use = function(f) predict(f, faithful[1:2, ]), fit = whole) {
    if (is.null(value)) fit[field] <- NULL else fit[[field]] <- value
    e <- expect_error(use(fit), class = "gaussmix_error_object")
    expect_match(conditionMessage(e), paste0("`fit$", field, "` must be"), fixed = TRUE,
                 info = field)
  }
  for (field in setdiff(fit_fields, "x")) {
    broken(field, NULL)
    broken(field, list())
    broken(field, "a")
    broken(field, NULL, logLik)
  }
  for (value in list(NaN, Inf, NA, 1:2, "1")) for (field in c("loglik", "objective", "nobs")) {
    broken(field, value)
  }
  broken("nobs", 0)
  broken("nobs", -1)
  broken("converged", NA)
  broken("iterations", -1)
  broken("iterations", 1.5)
  broken("trace", whole$trace[-1])
  broken("df", whole$df + 1)
  broken("df", NA_real_)
  broken("x", whole$x[, 1])
  broken("x", whole$x[, 2:1])
  broken("x", unname(whole$x))
  broken("x", as.data.frame(whole$x))
  broken("weights", whole$weights[-1])
  broken("weights", as.character(whole$weights))
  broken("na.action", 3L)
  broken("na.action", structure(300L, class = "omit"))
  broken("na.action", structure(0L, class = "exclude"))
  broken("na.action", structure(c(3L, 3L), class = "exclude"))
  broken("starts", whole$starts[-1])
  broken("verdict", whole$verdict[1, ])
  broken("verdict", whole$verdict["size"])
  part <- function(field, column, value) {
    fit <- whole
    fit[[field]][[column]] <- value
    e <- expect_gm_error(predict(fit, faithful[1:2, ]), "object")
    expect_match(conditionMessage(e), sprintf("`fit$%s$%s` must be of type", field, column),
                 fixed = TRUE)
  }
  part("verdict", "size", letters[1:2])
  part("verdict", "eigenvalue", 1:2)
  part("verdict", "on_floor", c(0L, -1L))
  part("verdict", "on_floor", c(0L, NA))
  part("verdict", "spurious", c(NA, NA))
  part("verdict", "spurious", 0:1)
  part("verdict", "component", factor(1:2))
  part("starts", "spurious", "a")
  part("starts", "objective", "a")
  part("starts", "converged", 1L)
  part("starts", "kind", NA_character_)
  broken("reached", -1)
  broken("control", unclass(whole$control))
  broken("control", `[[<-`(whole$control, "threads", -1))
  broken("call", "gmm(x)")
  broken("terms", ~ a)
  broken("blueprint", `[[<-`(whole$blueprint, "kind", "cube"))
  broken("blueprint", `[[<-`(whole$blueprint, "terms", NULL))
  broken("blueprint", `[[<-`(whole$blueprint, "named", NA))
  broken("logdensity", NULL, fit = light)
  broken("logdensity", matrix(1), fit = light)
  # values of rows, where they are used
  spoil <- function(values, with) replace(values, 5, with)
  for (use in list(fitted, vcov, predict)) broken("x", spoil(whole$x, NaN), use)
  for (with in c(NA, -1, Inf)) {
    for (use in list(logLik, weights, vcov)) broken("weights", spoil(whole$weights, with), use)
  }
  broken("logdensity", spoil(light$logdensity, NaN), nobs, light)
})

test_that("variances near the largest number are let in", {
  m <- gmm_params(1, 0, 1e308)
  expect_identical(m$covariances[1, 1, 1], 1e308)
  expect_equal(dgmm(0, m, log = TRUE), dnorm(0, 0, 1e154, log = TRUE), tolerance = 1e-14)
})

test_that("where no mixture is given, that is said", {
  for (f in list(quote(dgmm(1)), quote(rgmm(3)), quote(qgmm(.5)), quote(pgmm(1)))) {
    e <- expect_gm_error(eval(f), "argument", "`fit` must be given")
    expect_identical(conditionCall(e), f[1])
  }
})
