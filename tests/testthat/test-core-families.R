# The 14 families: each M-step is the maximum over its family, EM climbs, and the structure holds.

x <- as.matrix(iris[1:3])
groups <- with_test_seed(1, stats::kmeans(scale(x), 3, nstart = 5)$cluster)
codes <- names(families)

# What an M-step minimises: sum_j n_j log|Sigma_j| + tr(Sigma_j^-1 W_j).
mstep_criterion <- function(covariances, n, scatter) {
  terms <- Map(function(s, n, w) n * log(det(s)) + sum(diag(solve(s, w))), covariances, n, scatter)
  Reduce(`+`, terms)
}

scatters <- lapply(1:3, function(j) crossprod(scale(x[groups == j, ], scale = FALSE)))
sizes <- tabulate(groups)

test_that("each M-step is the least of its criterion over the family", {
  for (code in codes) {
    fit <- gmm(x, 3, code, control = gmm_control(init = groups, max_iter = 0))
    chart <- family_chart(fit)
    value <- function(free) {
      mstep_criterion(lapply(1:3, function(j) chart$covariance[[j]](free[chart$at[[j]]])), sizes,
                      scatters)
    }
    gradient <- differences(value, chart$free)
    expect_lt(max(abs(gradient)), 1e-6 * nrow(x))
    curvature <- second_differences(value, chart$free)
    expect_gt(min(eigen(curvature, TRUE, TRUE)$values), 0)
  }
})

test_that("matrices are decomposed rightly, of few columns, without LAPACK, and of many", {
  for (d in c(2, 3, 5, 8, 12, 13)) {
    data <- with_test_seed(d, matrix(rnorm(160 * d), 160) %*% matrix(rnorm(d^2), d))
    by <- rep(1:2, c(60, 100))
    data[by == 2, ] <- data[by == 2, ] * rep(seq(1, 2, length.out = d), each = 100)
    n <- c(60, 100)
    scatter <- lapply(1:2, function(j) crossprod(scale(data[by == j, ], scale = FALSE)))
    mstep <- function(code) {
      gmm(data, 2, code, control = gmm_control(init = by, max_iter = 0, spurious = c(size = 0)))
    }
    covariances <- function(fit) lapply(1:2, function(j) unname(fit$covariances[, , j]))
    # one shape, axes of their own
    parts <- lapply(scatter, eigen, symmetric = TRUE)
    values <- (parts[[1]]$values + parts[[2]]$values) / 160
    want <- lapply(parts, function(e) e$vectors %*% (values * t(e$vectors)))
    expect_equal(covariances(mstep("EEV")), want, tolerance = 1e-10)
    # one shape and orientation: sizes and shape are each the best for the other
    got <- covariances(mstep("VEE"))
    lambda <- sapply(got, function(s) det(s)^(1 / d))
    common <- scatter[[1]] / lambda[1] + scatter[[2]] / lambda[2]
    common <- common / det(common)^(1 / d)
    expect_equal(got, lapply(lambda, `*`, unname(common)), tolerance = 1e-9)
    sizes <- sapply(1:2, function(j) sum(diag(solve(common, scatter[[j]]))) / (d * n[j]))
    expect_equal(sizes, lambda, tolerance = 1e-9)
    # one orientation: no pair of axes can be turned to the better
    got <- covariances(mstep("VVE"))
    axes <- eigen(got[[1]] / n[1] + got[[2]] / n[2], symmetric = TRUE)$vectors
    turned <- lapply(scatter, function(w) crossprod(axes, w %*% axes))
    variance <- lapply(1:2, function(j) diag(turned[[j]]) / n[j])
    back <- lapply(variance, function(v) axes %*% (v * t(axes)))
    expect_equal(got, back, tolerance = 1e-7)
    force <- Reduce(`+`, Map(function(v, b) outer(1 / v, 1 / v, `-`) * b, variance, turned))
    expect_lt(max(abs(force)), 1e-5 * 160)
    # the verdict's smallest eigenvalue in the metric of the pooled covariance
    fit <- mstep("VVV")
    got <- covariances(fit)
    share <- colMeans(predict(fit, type = "prob"))
    pooled <- share[1] * got[[1]] + share[2] * got[[2]]
    least <- sapply(got, function(s) min(Re(eigen(solve(pooled, s))$values)))
    expect_equal(fit$verdict$eigenvalue, least, tolerance = 1e-8)
  }
})

test_that("free parameters are counted as Celeux and Govaert do", {
  beta <- function(d) d * (d + 1) / 2
  for (d in 2:5) for (k in 1:4) {
    counts <- c(EII = 1, VII = k, EEI = d, VEI = d + k - 1, EVI = k * d - k + 1, VVI = k * d,
                EEE = beta(d), VEE = beta(d) + k - 1, EVE = beta(d) + (k - 1) * (d - 1),
                VVE = beta(d) + (k - 1) * d, EEV = k * beta(d) - (k - 1) * d,
                VEV = k * beta(d) - (k - 1) * (d - 1), EVV = k * beta(d) - k + 1, VVV = k * beta(d))
    for (code in codes) {
      expect_equal(df_of(code, d, k), k - 1 + k * d + counts[[code]])
    }
  }
  # and as the chart has them
  for (code in codes) {
    fit <- gmm(x, 3, code, control = gmm_control(init = groups, max_iter = 0))
    expect_equal(family_chart(fit)$free, df_of(code, 3, 3) - 2 - 9)
  }
})

test_that("EM climbs in every family to a fit that keeps the structure, weighted or not", {
  w <- with_test_seed(2, runif(nrow(x), 0.5, 1.5))
  for (code in codes) {
    for (weights in list(NULL, w)) {
      fit <- suppressWarnings(gmm(x, 3, code, weights = weights,
                                  control = gmm_control(init = groups)))
      expect_true(fit$converged, info = code)
      expect_true(all(diff(fit$trace) >= -1e-10 * abs(fit$trace[1])), info = code)
      expect_silent(validate_gmm(fit))
      expect_equal(oracle_loglik(x, fit, if (is.null(weights)) rep(1, nrow(x)) else weights),
                   fit$loglik,
                   tolerance = 1e-11)
      built <- gmm_params(fit$proportions, fit$means, fit$covariances, covariance = code)
      expect_equal(predict(built, x, type = "prob"), predict(fit, type = "prob"),
                   ignore_attr = TRUE)
    }
  }
})

test_that("a wider family started at a narrower fit is no worse", {
  wider <- list(EII = c("VII", "EEI"), VII = "VEI", EEI = c("VEI", "EVI", "EEE"),
                VEI = c("VVI", "VEE"), EVI = c("VVI", "EVE"), VVI = "VVE",
                EEE = c("VEE", "EVE", "EEV"),
                VEE = c("VVE", "VEV"),
                EVE = c("VVE", "EVV"), VVE = "VVV", EEV = c("VEV", "EVV"), VEV = "VVV", EVV = "VVV")
  for (narrow in names(wider)) {
    fit <- suppressWarnings(gmm(x, 3, narrow, control = gmm_control(init = groups)))
    for (code in wider[[narrow]]) {
      more <- suppressWarnings(gmm(x, 3, code, control = gmm_control(init = fit)))
      expect_gte(more$loglik, fit$loglik - 1e-8, label = paste(narrow, "->", code))
    }
  }
})

test_that("families that coincide give one fit: one component, one variable", {
  same <- list(c("EII", "VII"), c("EEI", "VEI", "EVI", "VVI"),
               c("EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"))
  for (group in same) {
    fits <- lapply(group, function(code) gmm(x, 1, code))
    for (fit in fits) {
      expect_equal(fit$loglik, fits[[1]]$loglik, tolerance = 1e-12)
      expect_equal(fit$covariances, fits[[1]]$covariances, tolerance = 1e-9)
      expect_equal(fit$df, fits[[1]]$df)
    }
  }
  y <- faithful$waiting
  start <- as.integer(y > 68) + 1L
  loglik <- function(code) gmm(y, 2, code, control = gmm_control(init = start))$loglik
  expect_equal(loglik("VII"), loglik("V"), tolerance = 1e-10)
  expect_equal(loglik("EII"), loglik("E"), tolerance = 1e-10)
})

test_that("a family that can't be bounded stops at its last admissible iterate, and says so", {
  flat <- with_test_seed(3, cbind(rnorm(60), rnorm(60)))
  flat[41:60, 2] <- 5 + flat[41:60, 1] * 1e-7
  start <- rep(1:2, c(40, 20))
  for (code in c("VVE", "EVV", "VEV", "EVI")) {
    fit <- tryCatch(suppressWarnings(gmm(flat, 2, code,
                                         control = gmm_control(init = start, floor = 1e-6))),
                    gaussmix_error_degenerate = function(e) e)
    if (inherits(fit, "error")) next
    expect_true(all(fit$covariances[1, 1, ] > 0))
    if (any(fit$verdict$on_floor > 0)) expect_true(any(fit$verdict$spurious))
  }
  expect_gm_error(gmm(flat, 2, "EVV", control = gmm_control(init = start)), "degenerate")
})

test_that("a stated family is checked against the covariances", {
  a <- matrix(c(2, .5, .5, 1), 2)
  turn <- function(t) matrix(c(cos(t), sin(t), -sin(t), cos(t)), 2)
  rotated <- turn(1) %*% a %*% t(turn(1))
  built <- function(b, code) {
    gmm_params(c(.5, .5), rbind(c(0, 0), c(1, 1)), list(a, b), covariance = code)
  }
  expect_identical(built(3 * a, "VEE")$covariance, "VEE")
  expect_identical(built(rotated, "EEV")$covariance, "EEV")
  expect_identical(built(2 * rotated, "VEV")$covariance, "VEV")
  expect_gm_error(built(3 * a, "EVE"), "argument", "of one size")
  expect_gm_error(built(rotated, "VEE"), "argument", "of one shape and orientation")
  expect_gm_error(built(rotated, "VVE"), "argument", "of one orientation")
  expect_gm_error(built(diag(c(5, 1)), "VEV"), "argument", "of one shape")
  expect_gm_error(built(a, "VVI"), "argument", "diagonal")
})

test_that("standard errors are right in every family: those of the free parameters, differenced", {
  y <- scale(x[, 1:2])
  for (code in codes) {
    fit <- suppressWarnings(gmm(y, 2, code, control = gmm_control(init = pmin(groups, 2),
                                                                  tol = 1e-14)))
    chart <- family_chart(fit)
    k <- 2
    d <- 2
    rebuilt <- function(free) {
      params <- fit[c("proportions", "means", "covariances", "covariance")]
      params$proportions[] <- fit$proportions + c(1, -1) * free[1]
      params$means[] <- fit$means + matrix(free[1 + 1:4], 2, byrow = TRUE)
      bend <- free[-(1:5)]
      for (j in 1:2) params$covariances[, , j] <- chart$covariance[[j]](bend[chart$at[[j]]])
      params
    }
    n <- 5 + chart$free
    information <- -second_differences(function(free) oracle_loglik(y, rebuilt(free)), n)
    jacobian <- differences(function(free) coef_vector(rebuilt(free)), n)
    want <- sqrt(diag(jacobian %*% solve(information, t(jacobian))))
    expect_equal(unname(sqrt(diag(vcov(fit)))), unname(want), tolerance = 1e-4, info = code)
  }
})

test_that("exactly collinear columns are never fitted in silence", {
  for (seed in 1:20) {
    for (d in c(3, 6, 20)) {
      data <- with_test_seed(seed, matrix(rnorm(400 * (d - 1)), 400))
      data <- cbind(data, rowSums(data[, 1:2]))
      expect_gm_error(gmm(data, 1), "degenerate", sprintf("rank %d of %d", d - 1, d))
    }
  }
})

test_that("on the floor a run ends where rounding is all that is left, not as a failure", {
  base <- with_test_seed(1, matrix(rnorm(600), 300) + rep(0:1 * 1.5, 150))
  flat <- cbind(base, base[, 1] + base[, 2] + with_test_seed(2, 2e-5 * rnorm(300)))
  for (floor in c(2e-10, 1e-9, 1e-8)) {
    for (init in c("random", "kmeans++")) {
      control <- gmm_control(n_init = 4, init = init, floor = floor)
      fit <- suppressWarnings(with_test_seed(1, gmm(flat, 3, control = control)))
      expect_true(all(sub("the same start as .*", "", fit$starts$reason) == ""))
      expect_true(all(diff(fit$trace) >= -1e-7 * abs(fit$trace[1])))
      expect_equal(sum(predict(fit, type = "logdensity")), fit$loglik)
    }
  }
})
