fit <- with_test_seed(1, gmm(faithful, 2))
fit_of <- function(...) with_test_seed(1, gmm(...))

test_that("for one component the intervals are the closed forms", {
  x <- faithful$waiting
  n <- length(x)
  s2 <- mean((x - mean(x))^2)
  q <- qchisq(0.95, 1)
  path <- profile(fit_of(x, 1))
  expect_named(path, c("mean.1.V1", "cov.1.V1.V1"))
  ends <- confint(path)
  # Student's t in disguise: n log(1 + (mean - v)^2 / s2) = q
  expect_equal(ends[1, ], mean(x) + c(-1, 1) * sqrt(s2 * expm1(q / n)), tolerance = 1e-8,
               ignore_attr = TRUE)
  ratio <- function(v) n * (log(v / s2) + s2 / v - 1)
  expect_equal(ratio(ends[2, ]), c(q, q), tolerance = 1e-5, ignore_attr = TRUE)
  # each point of the path
  expect_equal(path[[2]]$z^2, ratio(path[[2]]$par.vals[, "cov.1.V1.V1"]), tolerance = 1e-8)
  expect_equal(path[[1]]$z^2, n * log1p((path[[1]]$par.vals[, "mean.1.V1"] - mean(x))^2 / s2),
               tolerance = 1e-8)
})

# The largest log-likelihood by a general optimiser, from a start, of `model`, a function from free
# numbers to a mixture.
independent_maximum <- function(x, start, model) {
  minus <- function(free) -sum(dgmm(x, model(free), log = TRUE))
  for (i in 1:3) start <- stats::optim(start, minus, method = "BFGS",
                                       control = list(reltol = 1e-14, maxit = 500))$par
  -minus(start)
}

test_that("at the ends of an interval the likelihood ratio is the quantile", {
  x <- faithful$waiting
  own <- fit_of(x, 2)
  path <- profile(own, c("mean.2.V1", "proportion.1"))
  ends <- confint(path)
  for (end in 1:2) {
    free <- c(qlogis(own$proportions[[1]]), own$means[1], log(own$covariances[c(1, 2)]))
    top <- independent_maximum(x, free, function(free) {
      gmm_params(plogis(c(1, -1) * free[1]), c(free[2], ends["mean.2.V1", end]), exp(free[3:4]))
    })
    expect_equal(2 * (own$loglik - top), qchisq(0.95, 1), tolerance = 1e-3)
    top <- independent_maximum(x, c(own$means, log(own$covariances[c(1, 2)])), function(free) {
      p <- ends["proportion.1", end]
      gmm_params(c(p, 1 - p), free[1:2], exp(free[3:4]))
    })
    expect_equal(2 * (own$loglik - top), qchisq(0.95, 1), tolerance = 1e-3)
  }
})

test_that("a variance that depends on several free parameters is profiled too", {
  own <- fit_of(faithful, 2, "VEI")
  path <- profile(own, "cov.2.waiting.waiting")
  end <- confint(path)[1, 2]
  variances <- apply(own$covariances, 3, diag)
  free <- c(qlogis(own$proportions[[1]]), own$means, log(variances[, 1]))
  top <- independent_maximum(faithful, free, function(free) {
    one <- exp(free[6:7])
    variances <- rbind(one, one * end / one[2])
    gmm_params(plogis(c(1, -1) * free[1]), matrix(free[2:5], 2), variances, covariance = "diag")
  })
  expect_equal(2 * (own$loglik - top), qchisq(0.95, 1), tolerance = 1e-3)
})

test_that("for every family the path passes the fit as its standard error says", {
  for (code in names(families)) {
    own <- gmm(iris[c(1, 3)], 2, code, control = gmm_control(
      init = rep(1:2, c(50, 100)), tol = 1e-12
    ))
    names <- names(coef(own))
    path <- profile(own, c(4, length(names)), level = 0.4)
    se <- sqrt(diag(vcov(own)))[names(path)]
    slope <- vapply(names(path), function(name) {
      curve <- profile_curve(path, name)
      diff(curve$value(c(-0.01, 0.01))) / 0.02
    }, 0)
    expect_equal(slope, se, tolerance = 1e-3)
    for (name in names(path)) {
      points <- path[[name]]
      expect_false(is.unsorted(points$z, strictly = TRUE))
      expect_false(is.unsorted(points$par.vals[, name], strictly = TRUE))
      middle <- which(points$z == 0)
      expect_equal(points$par.vals[middle, ], coef(own), tolerance = 1e-4)
      expect_equal(points$loglik[middle], own$loglik, tolerance = 1e-9)
      # proportions stay proportions
      expect_lt(max(abs(rowSums(points$par.vals[, 1:2]) - 1)), 1e-12)
    }
  }
})

test_that("with many rows it is all but Wald's, with case weights too", {
  large <- gmm(with_test_seed(2, rgmm(4000, fit)), 2, control = gmm_control(init = fit))
  which <- c("proportion.2", "mean.1.eruptions", "cov.2.eruptions.waiting")
  se <- sqrt(diag(vcov(large)))[which]
  expect_lt(max(abs(confint(profile(large, which)) - confint(large, which)) / se), 0.1)
  twice <- gmm(faithful, 2, weights = rep(2, 272), control = gmm_control(init = fit, tol = 1e-12))
  one <- profile(fit, "mean.1.waiting", level = 0.9)
  two <- profile(twice, "mean.1.waiting", level = 0.99)
  expect_equal(confint(one, level = 2 * pnorm(1.2) - 1),
               confint(two, level = 2 * pnorm(1.2 * sqrt(2)) - 1), tolerance = 1e-5,
               ignore_attr = TRUE)
})

test_that("units and offsets change nothing else", {
  moved <- gmm(as.matrix(faithful) %*% diag(c(1e-6, 1e6)) + 1e3, 2,
               control = gmm_control(init = predict(fit), tol = 1e-12))
  ends <- confint(profile(moved, c(4, 8)))
  plain <- confint(profile(fit, c(4, 8)))
  expect_equal(ends[1, ], 1e6 * plain[1, ] + 1e3, tolerance = 1e-7, ignore_attr = TRUE)
  expect_equal(ends[2, ], plain[2, ], tolerance = 1e-4, ignore_attr = TRUE)
})

test_that("a path that ends early leaves the interval open", {
  # two components that overlap: nothing bounds the proportion
  x <- with_test_seed(1, c(rnorm(60), rnorm(40, 1.2)))
  own <- gmm(x, 2, control = gmm_control(
    init = gmm_params(c(0.5, 0.5), c(0, 1.2), c(1, 1)), tol = 1e-12
  ))
  path <- profile(own, "proportion.1")
  expect_gt(nrow(path[[1]]), 3)
  expect_lt(max(abs(path[[1]]$z)), 1.5)
  expect_true(all(is.na(confint(path))))
  expect_identical(tail(format(path), 1), "NA: no path leads that far, see ?profile.gaussmix")
  expect_false(anyNA(confint(path, level = 0.4)))
  draw(path)
})

test_that("print() shows it beside Wald's interval; plot() draws it", {
  path <- profile(fit, c("mean.2.waiting", "cov.1.waiting.waiting"))
  expect_s3_class(path, c("profile.gaussmix", "profile"), exact = TRUE)
  expect_identical(attr(path, "original.fit"), fit)
  lines <- format(path)
  expect_match(lines[1], paste("Profile likelihood of 2 coefficients (2 components, full (VVV)),",
                               "intervals of 95 %"), fixed = TRUE)
  expect_match(lines[2], "estimate +lower +upper +Wald lower +Wald upper")
  expect_match(lines[3], "mean.2.waiting +54.48")
  expect_output(print(path), "Wald")
  expect_identical(draw(path), path)
  draw(path, "mean.2.waiting", level = 0.5, xlab = "minutes", main = "", sub = "")
  expect_identical(colnames(confint(path, 2, level = 0.9)), c("5 %", "95 %"))
  one <- profile(fit, 3, level = 0.5)
  expect_match(format(one)[1], "intervals of 50 %")
  expect_gm_error(draw(path, col = 2), "argument", "`col`")
})

test_that("a fit that is not at a maximum is told", {
  near <- gmm_params(c(0.5, 0.5), rbind(c(2, 55), c(4.3, 80)), cov(faithful) / 4)
  short <- suppressWarnings(gmm(faithful, 2, control = gmm_control(init = near, max_iter = 3)))
  expect_gm_warning(path <- profile(short, "mean.1.waiting"), "convergence",
                    "The fit was not at its maximum")
  best <- gmm(faithful, 2, control = gmm_control(init = near, tol = 1e-12))
  expect_equal(confint(path), confint(profile(best, "mean.1.waiting")), tolerance = 1e-6)
  twins <- gmm_params(c(0.5, 0.5), rbind(colMeans(faithful), colMeans(faithful)), cov(faithful))
  same <- suppressWarnings(gmm(faithful, 2, control = gmm_control(init = twins)))
  expect_gm_warning(path <- profile(same, "proportion.1"), "information", "There are no")
  expect_identical(nrow(path[[1]]), 1L)
  expect_true(all(is.na(confint(path))))
  draw(path)
})

test_that("what can't be is refused by a classed error", {
  light <- fit_of(faithful, 2, control = gmm_control(keep = FALSE))
  expect_gm_error(profile(light), "data", "profile()", "profile")
  expect_gm_error(profile(gmm_params(1, 0, 1)), "data", "profile()")
  expect_gm_error(profile(fit, "mean.1"), "argument", "`which` must be names or numbers of the 12")
  expect_gm_error(profile(fit_of(faithful, 1), "proportion.1"), "argument",
                  "`which` must name coefficients that can change, not `proportion.1`")
  expect_gm_error(profile(fit, 1, level = 1), "argument", "`level`")
  expect_gm_error(profile(fit, 1, alpha = 0.1), "argument",
                  "`alpha` is not an argument of profile()")
  path <- profile(fit, 1, level = 0.9)
  expect_gm_error(confint(path, level = 0.95), "argument",
                  c("`level` must be at most 0.9", "profile(level = 0.95)"), "confint")
  expect_gm_error(confint(path, "mean.1.waiting", level = 0.5), "argument", "`parm`")
})

test_that("a fit with a prior has no profile likelihood", {
  map <- fit_of(faithful, 2, prior = gmm_prior())
  expect_gm_error(profile(map), "argument", "profile() can't take a fit with", "profile")
})

test_that("options that the constrained fits don't have are refused with the reason", {
  x <- with_test_seed(7, rbind(as.matrix(faithful), cbind(runif(28, 1, 6), runif(28, 40, 99))))
  at <- function(...) with_test_seed(1, gmm(x, 2, control = gmm_control(n_init = 1), ...))
  refused <- function(fit, ...) {
    expect_gm_error(profile(fit), "argument", c(..., "gmm_boot(type = \"weighted\")"), "profile")
    expect_false(anyNA(confint(fit)))
  }
  refused(at(labels = c("a", "b", rep(NA, 298))), "`labels`: its constrained fits")
  refused(at(noise = TRUE), "`noise`: its constrained fits")
  refused(at(fixed = list(proportions = c(0.3, 0.7))), "`fixed`: its constrained fits")
})
