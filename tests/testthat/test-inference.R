# A fit from the parameters that the rows were drawn from.
fit_case <- function(family, d, k, n = 300, weights = NULL, seed = 7, missing = 0) {
  given <- random_params(family, d, k, seed)
  x <- matrix(random_data(n, given, seed + 1), n, dimnames = list(NULL, letters[seq_len(d)]))
  if (missing > 0) x <- holes(x, missing, seed + 2)
  start <- gmm_params(given$proportions, given$means, given$covariances, covariance = family)
  gmm(x, k, family, weights = weights, na.action = na.pass,
      control = gmm_control(init = start, tol = 1e-13))
}

# The oracle's log-likelihood as a function of coef(), the last proportion left out.
oracle_of_coef <- function(fit) {
  k <- fit$k
  d <- ncol(fit$means)
  w <- if (is.null(fit$weights)) rep(1, nrow(fit$x)) else fit$weights
  lower <- lower.tri(diag(d), diag = TRUE)
  matrix_of <- function(v) {
    m <- matrix(0, d, d)
    m[lower] <- v
    m + t(m) - diag(diag(m), d)
  }
  function(free) {
    rest <- free[-seq_len(k - 1 + k * d)]
    own <- function(j) {
      size <- length(rest) / k
      rest[size * (j - 1) + seq_len(size)]
    }
    matrices <- lapply(seq_len(k), function(j) {
      switch(fit$covariance, VVV = matrix_of(own(j)), EEE = matrix_of(rest), VVI = diag(own(j), d),
             VII = diag(own(j), d))
    })
    p <- free[seq_len(k - 1)]
    params <- list(proportions = c(p, 1 - sum(p)),
                   means = matrix(free[k - 1 + seq_len(k * d)], k, d, byrow = TRUE),
                   covariances = array(unlist(matrices), c(d, d, k)))
    if (anyNA(fit$x)) sum(w * oracle_observed(fit$x, params)) else oracle_loglik(fit$x, params, w)
  }
}

# Central differences with steps h and h / 2, extrapolated.
numerical_hessian <- function(f, at, h) {
  one <- function(h) {
    e <- diag(h, length(h))
    out <- e
    for (a in seq_along(h)) for (b in seq_len(a)) {
      change <- f(at + e[a, ] + e[b, ]) - f(at + e[a, ] - e[b, ]) -
        f(at - e[a, ] + e[b, ]) + f(at - e[a, ] - e[b, ])
      out[a, b] <- out[b, a] <- change / (4 * h[a] * h[b])
    }
    out
  }
  (4 * one(h / 2) - one(h)) / 3
}

se <- function(fit) sqrt(diag(vcov(fit)))

test_that("coef() has each distinct parameter once, under its name", {
  p <- c(one = 0.4, two = 0.6)
  means <- rbind(c(x = 1, y = 2), c(3, 4))
  sigma <- matrix(c(2, 0.5, 0.5, 1), 2)
  first <- c(proportion.one = 0.4, proportion.two = 0.6, mean.one.x = 1, mean.one.y = 2,
             mean.two.x = 3, mean.two.y = 4)
  named <- function(...) c(first, ...)
  expect_identical(coef(gmm_params(p, means, list(sigma, 3 * sigma))),
                   named(cov.one.x.x = 2, cov.one.x.y = 0.5, cov.one.y.y = 1,
                         cov.two.x.x = 6, cov.two.x.y = 1.5, cov.two.y.y = 3))
  expect_identical(coef(gmm_params(p, means, sigma, covariance = "tied")),
                   named(cov.x.x = 2, cov.x.y = 0.5, cov.y.y = 1))
  expect_identical(coef(gmm_params(p, means, rbind(1:2, 3:4), covariance = "diag")),
                   named(cov.one.x.x = 1, cov.one.y.y = 2, cov.two.x.x = 3, cov.two.y.y = 4))
  expect_identical(coef(gmm_params(p, means, c(5, 7), covariance = "spherical")),
                   named(cov.one.x.x = 5, cov.two.x.x = 7))
  for_each_case(function(family, d, k) {
    given <- random_params(family, d, k, 1)
    m <- gmm_params(given$proportions, given$means, given$covariances, covariance = family)
    expect_length(coef(m), m$df + 1)
  })
})

test_that("vcov() inverts the numerical Hessian of the log-likelihood, for every family", {
  for_each_case(function(family, d, k) {
    fit <- fit_case(family, d, k, weights = rep_len(c(0, 0.5, 1, 2), 300))
    v <- vcov(fit)
    expect_identical(dimnames(v), list(names(coef(fit)), names(coef(fit))))
    expect_identical(v, t(v))
    free <- v[-k, -k]
    scale <- sqrt(diag(free))
    hessian <- numerical_hessian(oracle_of_coef(fit), coef(fit)[-k], 0.01 * scale)
    exact <- solve(-hessian * tcrossprod(scale))
    expect_lt(max(abs(exact - stats::cov2cor(free))), 1e-4)
    # the last proportion: one minus the others
    expect_identical(qr(stats::cov2cor(free))$rank, as.integer(fit$df))
    expect_lt(max(abs(colSums(v[seq_len(k), , drop = FALSE]))), 1e-12)
  }, d = c(1, 2), k = c(1, 2))
})

test_that("with missing values it is the information of the values that are there", {
  for (family in oracle_families(2)) {
    fit <- fit_case(family, 2, 2, missing = 0.25)
    free <- vcov(fit)[-2, -2]
    scale <- sqrt(diag(free))
    hessian <- numerical_hessian(oracle_of_coef(fit), coef(fit)[-2], 0.01 * scale)
    exact <- solve(-hessian * tcrossprod(scale))
    expect_lt(max(abs(exact - stats::cov2cor(free))), 1e-4)
  }
  x <- holes(as.matrix(iris[1:3]), 0.2, 6)
  for (code in c("VEE", "EVE", "EEV", "VEV", "EVV", "VVE", "VEI", "EVI")) {
    fit <- gmm(x, 3, code, na.action = na.pass,
               control = gmm_control(init = iris$Species, max_iter = 50, tol = 0))
    chart <- needed_chart(fit)
    params <- as_parameters(fit)
    loglik <- function(free) {
      moved <- params
      for (j in 1:3) moved$covariances[, , j] <- chart$covariance[[j]](free[chart$at[[j]]])
      moved$covariance <- "VVV"
      sum(engine_score(x, moved, "logdensity"))
    }
    found <- likelihood_derivatives(x, rep(1, 150), score(fit, x, "prob"), params)
    own <- 2 + 9 + seq_len(chart$free)
    expect_equal(found$gradient[own], differences(loglik, chart$free), tolerance = 1e-5)
    expect_equal(found$hessian[own, own], second_differences(loglik, chart$free), tolerance = 1e-4)
  }
})

test_that("scores of rows with missing values sum to 0 at the maximum, and give the information", {
  skip_if_not_installed("sandwich")
  fit <- fit_case("VVV", 2, 2, n = 2000, missing = 0.25)
  scores <- sandwich::estfun(fit)
  expect_lt(max(abs(colSums(scores))), 0.01)
  expect_equal(sqrt(diag(sandwich::sandwich(fit))), se(fit), tolerance = 0.15)
})

test_that("in three dimensions it agrees with curvatures along random directions", {
  for_each_case(function(family, d, k) {
    fit <- fit_case(family, d, k, weights = rep_len(c(0.5, 1, 2), 300))
    f <- oracle_of_coef(fit)
    free <- vcov(fit)[-k, -k]
    at <- coef(fit)[-k]
    directions <- with_test_seed(3, matrix(rnorm(20 * length(at)), 20)) %*% chol(free)
    information <- solve(free)
    for (i in seq_len(20)) {
      v <- directions[i, ]
      curvature <- function(h) (2 * f(at) - f(at + h * v) - f(at - h * v)) / h^2
      expect_equal((4 * curvature(0.005) - curvature(0.01)) / 3, drop(v %*% information %*% v),
                   tolerance = 1e-4)
    }
  }, d = 3, k = 3)
})

test_that("for one component the standard errors are the textbook's", {
  fit <- gmm(faithful, 1)
  n <- nrow(faithful)
  sigma <- fit$covariances[, , 1]
  v <- vcov(fit)
  expect_identical(v["proportion.1", ], 0 * v[1, ])
  expect_equal(unname(v[2:3, 2:3]), unname(sigma) / n, tolerance = 1e-10)
  expect_lt(max(abs(stats::cov2cor(v[-1, -1])[1:2, 3:5])), 1e-10)
  products <- sigma[c(1, 1, 2), c(1, 1, 2)] * sigma[c(1, 2, 2), c(1, 2, 2)] +
    sigma[c(1, 1, 2), c(1, 2, 2)] * sigma[c(1, 2, 2), c(1, 1, 2)]
  expect_equal(unname(v[4:6, 4:6]), unname(products) / n,
               tolerance = 1e-10, ignore_attr = TRUE)
  round <- gmm(faithful, 1, "spherical")
  expect_equal(se(round)[["cov.1.eruptions.eruptions"]], round$covariances[1, 1, 1] / sqrt(n),
               tolerance = 1e-10)
})

test_that("separated groups have the standard errors of each alone", {
  x <- with_test_seed(1, c(rnorm(100), rnorm(200, 1000, 3)))
  fit <- gmm(x, 2)
  alone <- gmm(x[101:300], 1)
  expect_equal(se(fit)[c("mean.1.V1", "cov.1.V1.V1")], se(alone)[2:3], tolerance = 1e-9)
  expect_equal(se(fit)[["proportion.1"]], sqrt(2 / 3 / 3 / 300), tolerance = 1e-9)
})

test_that("a strong correlation costs no digits", {
  z <- with_test_seed(2, matrix(rnorm(900), 300))
  fit <- gmm(cbind(z[, 1:2], z[, 1] + z[, 2] + 1e-4 * z[, 3]), 1)
  sigma <- fit$covariances[, , 1]
  expect_equal(se(fit)[["cov.1.V1.V3"]], sqrt((sigma[1, 1] * sigma[3, 3] + sigma[1, 3]^2) / 300),
               tolerance = 1e-9)
})

test_that("units, offsets, weights and rows twice do what they should", {
  x <- as.matrix(faithful)
  given <- gmm(x, 2)
  fit_again <- function(x, ...) {
    gmm(x, 2, ..., control = gmm_control(init = predict(given), tol = 1e-13))
  }
  fit <- fit_again(x)
  rate <- c(2^-20, 2^30)
  scaled <- fit_again(x %*% diag(rate), weights = NULL)
  factor <- c(1, 1, rep(rate, 2), rep(c(rate[1]^2, prod(rate), rate[2]^2), 2))
  expect_equal(unname(se(scaled)), unname(factor * se(fit)), tolerance = 1e-6)
  expect_equal(unname(se(fit_again(x + 1e6))), unname(se(fit)), tolerance = 1e-6)
  expect_equal(se(fit_again(x, weights = rep(2, nrow(x)))), se(fit) / sqrt(2), tolerance = 1e-6)
  twice <- gmm(rbind(x, x), 2, control = gmm_control(init = rep(predict(given), 2), tol = 1e-13))
  expect_equal(se(twice), se(fit) / sqrt(2), tolerance = 1e-6)
})

test_that("the information is the same in chunks", {
  fit <- fit_case("VVV", 2, 3)
  posterior <- predict(fit, type = "prob")
  w <- rep_len(c(1, 2), nrow(fit$x))
  whole <- observed_information(fit$x, w, posterior, fit)
  expect_equal(observed_information(fit$x, w, posterior, fit, chunk = 7), whole, tolerance = 1e-12)
})

test_that("where there are no standard errors they are NA, with a warning", {
  fit <- gmm(faithful, 2)
  empty <- fit
  empty$proportions[] <- c(1, 0)
  expect_gm_warning(vcov(empty), "information", "the proportion of component 2 is 0")
  none <- suppressWarnings(gmm(faithful, k = 2, noise = TRUE)) # none of its rows is noise
  expect_lt(none$proportions[["noise"]], 1e-8)
  expect_gm_warning(vcov(none), "information", c("noise is 0, on its boundary", "without `noise`"))
  expect_true(all(is.na(suppressWarnings(vcov(empty)))))
  expect_identical(dimnames(suppressWarnings(vcov(empty))), dimnames(vcov(fit)))
  twins <- gmm_params(c(0.5, 0.5), rbind(colMeans(faithful), colMeans(faithful)), cov(faithful))
  same <- suppressWarnings(gmm(faithful, 2, control = gmm_control(init = twins)))
  expect_gm_warning(vcov(same), "information", "not positive definite")
  ends <- suppressWarnings(confint(same))
  expect_identical(dim(ends), c(12L, 2L))
  expect_true(all(is.na(ends)))
})

test_that("a spurious component is told", {
  fit <- gmm(faithful, 2)
  fit$verdict$spurious[2] <- TRUE
  expect_gm_warning(vcov(fit), "spurious", "Component 2 rests on too few rows")
})

test_that("confint() is Wald's on the transformed scale", {
  fit <- gmm(faithful, 2)
  ends <- confint(fit)
  expect_identical(dimnames(ends), list(names(coef(fit)), c("2.5 %", "97.5 %")))
  z <- qnorm(0.975)
  b <- coef(fit)
  s <- se(fit)
  expect_equal(ends["mean.1.waiting", ], b[["mean.1.waiting"]] + c(-z, z) * s[["mean.1.waiting"]],
               tolerance = 1e-12, ignore_attr = TRUE)
  name <- "cov.2.eruptions.waiting"
  expect_equal(ends[name, ], b[[name]] + c(-z, z) * s[[name]], tolerance = 1e-12,
               ignore_attr = TRUE)
  name <- "cov.2.waiting.waiting"
  expect_equal(log(ends[name, ]), log(b[[name]]) + c(-z, z) * s[[name]] / b[[name]],
               tolerance = 1e-12, ignore_attr = TRUE)
  p <- b[["proportion.1"]]
  expect_equal(qlogis(ends["proportion.1", ]),
               qlogis(p) + c(-z, z) * s[["proportion.1"]] / (p * (1 - p)),
               tolerance = 1e-12, ignore_attr = TRUE)
  # the two proportions say the same
  expect_equal(unname(ends["proportion.2", ]), unname(1 - rev(ends["proportion.1", ])),
               tolerance = 1e-12)

  expect_identical(confint(fit, "mean.1.waiting"), ends["mean.1.waiting", , drop = FALSE])
  expect_identical(confint(fit, c(3, 1)), ends[c(3, 1), ])
  expect_identical(confint(fit, -(1:10)), ends[11:12, ])
  half <- confint(fit, 3, level = 0.5)
  expect_identical(colnames(half), c("25 %", "75 %"))
  expect_lt(diff(half[1, ]), diff(ends[3, ]))
  old <- options(OutDec = ",", digits = 3)
  on.exit(options(old))
  expect_identical(colnames(confint(fit, 1, level = 0.95)), c("2.5 %", "97.5 %"))
  expect_identical(unname(confint(gmm(faithful, 1), 1)), matrix(1, 1, 2))
})

test_that("what can't be is refused by a classed error", {
  fit <- gmm(faithful, 2)
  light <- gmm(faithful, 2, control = gmm_control(keep = FALSE))
  expect_gm_error(vcov(light), "data", c("vcov()", "keep = TRUE"), "vcov")
  expect_gm_error(confint(light), "data", "confint()", "confint")
  expect_gm_error(confint(gmm_params(1, 0, 1)), "data")
  expect_gm_error(confint(fit, "mean.1"), "argument", "`parm`", "confint")
  expect_gm_error(confint(fit, 13), "argument", "names or numbers of the 12 coefficients")
  expect_gm_error(confint(fit, list(1)), "argument", "`parm`")
  for (level in list(0, 1, 95, NA, "a", c(0.9, 0.95))) {
    expect_gm_error(confint(fit, level = level), "argument", "`level`")
  }
  expect_gm_error(vcov(fit, a = 2), "argument", "`a` is not an argument of vcov()")
  expect_identical(vcov(fit, complete = TRUE), vcov(fit))
  expect_gm_error(vcov(fit, complete = "a"), "argument", "`complete`")
})

test_that("sandwich() finds scores and bread", {
  skip_if_not_installed("sandwich")
  for_each_case(function(family, d, k) {
    fit <- fit_case(family, d, k, weights = rep_len(c(0.5, 1, 2), 300))
    scores <- sandwich::estfun(fit)
    expect_identical(dim(scores), c(300L, length(coef(fit))))
    # at the maximum they sum to 0
    expect_lt(max(abs(colSums(scores)) * se(fit)), 1e-4)
    expect_equal(sandwich::bread(fit), 300 * vcov(fit))
    expect_identical(dim(sandwich::sandwich(fit)), dim(vcov(fit)))
  }, d = c(1, 3))
  # where the model holds, all but the same as vcov()
  fit <- fit_case("VVI", 2, 2, n = 5000)
  expect_equal(sqrt(diag(sandwich::sandwich(fit))), se(fit), tolerance = 0.1)
  # a row's scores are the derivative of its log-density
  h <- 1e-5
  up <- down <- gmm_params(fit$proportions, fit$means, fit$covariances, covariance = "diag")
  up$means[2, 1] <- up$means[2, 1] + h
  down$means[2, 1] <- down$means[2, 1] - h
  rows <- fit$x[1:50, ]
  slope <- (dgmm(rows, up, log = TRUE) - dgmm(rows, down, log = TRUE)) / (2 * h)
  expect_equal(unname(sandwich::estfun(fit)[1:50, "mean.2.a"]), slope, tolerance = 1e-7)
})

test_that("standard errors exist where their squares leave the range of a double", {
  plain <- with_test_seed(1, gmm(faithful$waiting, 2))
  for (unit in c(2^400, 2^-400)) {
    fit <- with_test_seed(1, gmm(faithful$waiting * unit, 2))
    expect_silent(ends <- confint(fit))
    expect_equal(ends / confint(plain), unit^rep(0:2, each = 2) * (confint(plain) * 0 + 1),
                 tolerance = 1e-6)
    expect_gm_warning(v <- vcov(fit), "information", "leave the range of a double")
    expect_identical(dimnames(v), dimnames(vcov(plain)))
  }
})

test_that("scores sum to 0 at the maximum, in the directions that are free, and else are refused", {
  fixed <- list(proportions = c(0.35, NA), means = rbind(c(2, NA), NA))
  control <- gmm_control(tol = 1e-12)
  x <- with_test_seed(7, rbind(as.matrix(faithful), cbind(runif(28, 1, 6), runif(28, 40, 99))))
  at <- function(...) with_test_seed(1, gmm(x, 2, control = control, ...))
  for (fit in list(at(fixed = fixed), at(proportions = "equal"), at(noise = TRUE), at(),
                   at(fixed = fixed, covariance = "VEV"))) {
    scores <- estfun.gaussmix(fit)
    unit <- sqrt(colSums(scores^2)) * sqrt(nrow(scores))
    expect_lt(max(abs(colSums(scores)) / pmax(unit, 1)), 1e-5)
    still <- unname(diag(vcov(fit)) == 0)
    expect_identical(unname(colSums(scores != 0) == 0), still)
  }
  expect_gm_error(estfun.gaussmix(at(trim = 0.05)), "argument", "`trim`")
  expect_gm_error(estfun.gaussmix(at(prior = gmm_prior())), "argument", "`prior`: the scores")
})
