x <- as.matrix(faithful)
groups <- 1 + (faithful$eruptions > 2.5) + (faithful$eruptions > 4.3)
prior <- gmm_prior(alpha = 2, kappa = 0.5)
posterior_mode <- function(..., init = groups) {
  suppressWarnings(gmm(..., control = gmm_control(init = init)))
}

# The log of the densities in ?gmm_prior, written anew.
oracle_log_prior <- function(fit, prior) {
  k <- fit$k
  d <- ncol(fit$means)
  log_gamma_d <- function(a) d * (d - 1) / 4 * log(pi) + sum(lgamma(a + (1 - seq_len(d)) / 2))
  log_det <- function(s) as.numeric(determinant(as.matrix(s))$modulus)
  total <- lgamma(k * prior$alpha) - k * lgamma(prior$alpha) +
    sum((prior$alpha - 1) * log(fit$proportions))
  common <- fit$covariance %in% c("EII", "EEI", "EEE")
  for (j in seq_len(k)) {
    s <- matrix(fit$covariances[, , j], d)
    total <- total +
      mvtnorm::dmvnorm(fit$means[j, ], prior$mean, s / prior$kappa, log = TRUE)
    if (j == 1L || !common) {
      total <- total + prior$df / 2 * (log_det(prior$scale) - d * log(2)) -
        log_gamma_d(prior$df / 2) - (prior$df + d + 1) / 2 * log_det(s) -
        sum(diag(prior$scale %*% solve(s))) / 2
    }
  }
  unname(total)
}

test_that("the objective is log-likelihood plus log prior density, and never falls", {
  w <- rep(c(1, 2, 0.5), length.out = 272)
  for (code in names(families)) {
    for (weights in list(NULL, w)) {
      fit <- posterior_mode(x, 3, code, prior = prior, weights = weights)
      expect_equal(fit$objective, fit$loglik + oracle_log_prior(fit, fit$prior), tolerance = 1e-11)
      expect_gt(min(diff(fit$trace)), -1e-9)
      expect_equal(fit$df, df_of(code, 2, 3))
    }
  }
})

test_that("the mode is one: no move of the parameters raises the objective", {
  fit <- posterior_mode(x, 3, prior = prior)
  objective <- function(f) {
    sum(dgmm(x, f, log = TRUE)) + oracle_log_prior(f, fit$prior)
  }
  top <- objective(fit)
  expect_equal(top, fit$objective, tolerance = 1e-12)
  step <- 1e-3
  for (j in 1:3) {
    for (sign in c(-1, 1)) {
      moved <- unclass(fit)[parameter_fields]
      moved$means[j, 1] <- moved$means[j, 1] + sign * step
      expect_lt(objective(do.call(gmm_params, moved)), top)
      moved <- unclass(fit)[parameter_fields]
      moved$covariances[, , j] <- (1 + sign * step) * moved$covariances[, , j]
      expect_lt(objective(do.call(gmm_params, moved)), top)
      moved <- unclass(fit)[parameter_fields]
      moved$proportions[j] <- moved$proportions[j] + sign * step
      moved$proportions <- moved$proportions / sum(moved$proportions)
      expect_lt(objective(do.call(gmm_params, moved)), top)
    }
  }
})

test_that("one component has the closed form of the man page", {
  n <- nrow(x)
  m <- c(3, 60)
  lambda <- matrix(c(2, 5, 5, 300), 2)
  fit <- gmm(x, 1, prior = gmm_prior(mean = m, kappa = 7, df = 9, scale = lambda))
  ybar <- colMeans(x)
  scatter <- crossprod(sweep(x, 2, ybar))
  expect_equal(fit$means[1, ], (n * ybar + 7 * m) / (n + 7), tolerance = 1e-13)
  expect_equal(fit$covariances[, , 1],
               (lambda + scatter + 7 * n / (7 + n) * tcrossprod(ybar - m)) / (n + 9 + 2 + 2),
               tolerance = 1e-13, ignore_attr = TRUE)
  tied <- posterior_mode(x, 3, "tied", prior = gmm_prior(kappa = 7, df = 9, scale = lambda))
  expect_equal(tied$objective, tied$loglik + oracle_log_prior(tied, tied$prior), tolerance = 1e-12)
})

test_that("a weight of 3 is the row three times, and the prior counts once", {
  three <- posterior_mode(x, 3, prior = prior, weights = rep(3, 272))
  longer <- posterior_mode(x[rep(1:272, 3), ], 3, prior = three$prior, init = rep(groups, 3))
  expect_equal(three$objective, longer$objective, tolerance = 1e-12)
  expect_equal(three$means, longer$means, tolerance = 1e-9)
  expect_false(isTRUE(all.equal(three$means, posterior_mode(x, 3, prior = prior)$means,
                                tolerance = 1e-4)))
})

test_that("nothing said is maximum likelihood; much said is the prior", {
  silent <- posterior_mode(x, 2, prior = gmm_prior(alpha = 1, kappa = 0, df = 0),
                           init = pmin(groups, 2))
  plain <- posterior_mode(x, 2, init = pmin(groups, 2))
  expect_equal(silent$means, plain$means, tolerance = 1e-12)
  expect_equal(silent$objective, plain$loglik, tolerance = 1e-12)
  m <- c(3, 70)
  expect_warning(firm <- gmm(x, 2, prior = gmm_prior(alpha = 1e9, mean = m, kappa = 1e9, df = 1e9,
                                                     scale = 1e9 * diag(c(1, 100)))),
                 class = "gaussmix_warning_identical")
  expect_equal(firm$proportions, c(.5, .5), tolerance = 1e-6, ignore_attr = TRUE)
  expect_equal(firm$means[2, ], m, tolerance = 1e-6, ignore_attr = TRUE)
})

test_that("a prior keeps many components, and collinear columns, from degenerating", {
  few <- gmm_control(n_init = 2, search = 0)
  many <- with_test_seed(1, suppressWarnings(gmm(x, 30, prior = gmm_prior(), control = few)))
  expect_gt(min(many$verdict$eigenvalue), 0.02)
  expect_lt(min(with_test_seed(1, suppressWarnings(gmm(x, 30, control = few)))$verdict$eigenvalue),
            0.01)
  flat <- cbind(a = x[, 1], b = x[, 2], c = x[, 1] + x[, 2])
  expect_gm_error(gmm(flat, 2), "degenerate", "collinear")
  expect_true(all(is.finite(gmm(flat, 2, prior = gmm_prior())$loglik)))
  expect_true(is.finite(suppressWarnings(gmm(x[1:2, ], 1, prior = gmm_prior()))$objective))
})

test_that("the search on a sample of many rows weighs the prior as all rows do", {
  y <- with_test_seed(3, rgmm(20000, posterior_mode(x, 2, init = pmin(groups, 2))))
  strong <- gmm_prior(mean = c(3.5, 70), kappa = 200)
  fit <- with_test_seed(1, gmm(y, 2, prior = strong, control = gmm_control(search = 5)))
  direct <- gmm(y, 2, prior = strong, control = gmm_control(init = fit))
  expect_equal(fit$objective, direct$objective, tolerance = 1e-9)
  expect_equal(max(fit$starts$objective[fit$starts$converged %in% TRUE]), fit$objective,
               tolerance = 0.02)
})

test_that("what a fit with a prior says and refuses", {
  fit <- posterior_mode(x, 2, prior = gmm_prior(), init = pmin(groups, 2))
  expect_match(format(fit), "maximum a posteriori", all = FALSE)
  expect_s3_class(fit$prior, "gmm_prior")
  expect_identical(fit$prior$mean, unname(colMeans(x)))
  expect_identical(fit$prior$df, 4)
  expect_no_warning(BIC(fit))
  expect_warning(BIC(fit, gmm(x, 1)), class = "gaussmix_warning_comparison")
  expect_gm_error(vcov(fit), "argument", "prior")
  expect_gm_error(confint(fit), "argument", "prior")
  expect_s3_class(with_test_seed(1, gmm_boot(fit, n_boot = 5)), "gmm_boot")
  again <- gmm(x, 2, prior = fit$prior, control = gmm_control(init = fit))
  expect_equal(again$objective, fit$objective, tolerance = 1e-9)
  broken <- fit
  broken$prior <- 1
  expect_gm_error(print(broken), "object", "prior")
})

test_that("bad priors are refused by name", {
  expect_gm_error(gmm_prior(alpha = 0), "argument", "alpha")
  expect_gm_error(gmm(x, 2, prior = gmm_prior(alpha = 0.5)), "argument", "alpha", "gmm")
  expect_gm_error(gmm_prior(kappa = -1), "argument", "kappa")
  expect_gm_error(gmm_prior(mean = "a"), "argument", "mean")
  expect_gm_error(gmm_prior(scale = matrix(1, 2, 2)), "argument", "scale")
  expect_gm_error(gmm_prior(scale = c(1, -1)), "argument", "scale")
  expect_gm_error(gmm_prior(2), "argument")
  expect_gm_error(gmm(x, 2, prior = 1), "argument", "prior")
  expect_gm_error(gmm(x, 2, prior = gmm_prior(mean = 1)), "dimension", "mean")
  expect_gm_error(gmm(x, 2, prior = gmm_prior(scale = c(1, 1, 1))), "dimension", "scale")
  expect_gm_error(gmm(x, 2, prior = gmm_prior(df = 1)), "dimension", "df")
  expect_snapshot(print(gmm_prior(df = 5, scale = c(1, 2))))
})

test_that("modes are those of mclust, whose `dof` is 2 more", {
  frozen <- readRDS(test_path("fixtures", "prior.rds"))
  for (code in names(frozen$fits)) {
    want <- frozen$fits[[code]]
    fit <- suppressWarnings(gmm(x, 3, code, prior = do.call(gmm_prior, frozen$prior),
                                control = gmm_control(init = frozen$groups, tol = 1e-15)))
    expect_equal(unname(fit$means), want$means, tolerance = 1e-5)
    expect_equal(unname(fit$covariances), want$covariances, tolerance = 1e-5)
    expect_equal(unname(fit$proportions), want$proportions, tolerance = 1e-5)
  }
})

test_that("a prior with names goes by them", {
  start <- gmm_control(init = gmm(faithful, 2))
  mean <- c(eruptions = 3, waiting = 70)
  scale <- c(eruptions = 1, waiting = 100)
  full <- diag(scale) + 0.5
  dimnames(full) <- list(names(scale), names(scale))
  mode <- function(mean, scale) {
    gmm(faithful, 2, prior = gmm_prior(mean = mean, kappa = 10, scale = scale), control = start)
  }
  expect_equal(coef(mode(rev(mean), rev(scale))), coef(mode(unname(mean), unname(scale))))
  expect_equal(coef(mode(mean, full[2:1, 2:1])), coef(mode(unname(mean), unname(full))))
  names(mean) <- c("eruptions", "wait")
  expect_gm_error(mode(mean, scale), "names", "mean")
  expect_gm_error(mode(NULL, c(a = 1, b = 2)), "names", "scale")
  dimnames(full)[[1]] <- c("waiting", "eruptions")
  expect_gm_error(gmm_prior(scale = full), "names", "scale")
})

test_that("outliers don't get into a robust fit by its default prior", {
  set.seed(7)
  x <- rbind(matrix(rnorm(60), 30), matrix(rnorm(60, 4), 30))
  x[1, ] <- 1e4
  fit <- gmm(x, 2, trim = 0.05, prior = gmm_prior())
  expect_equal(fit$prior$mean, apply(x, 2, quantile, 0.5, type = 1, names = FALSE))
  expect_equal(fit$prior$scale, diag((apply(x, 2, IQR, type = 1) / 1.349)^2 / 2))
  for (fit in list(fit, gmm(x, 2, noise = TRUE, prior = gmm_prior()))) {
    expect_equal(unname(fit$proportions[1:2]), c(0.5, 0.5), tolerance = 0.1)
    expect_lt(max(sqrt(apply(fit$covariances, 3, diag))), 1.5)
  }
  weighted <- gmm(x, 2, trim = 0.05, prior = gmm_prior(), weights = rep(2, 60))
  expect_equal(weighted$prior, gmm(x, 2, trim = 0.05, prior = gmm_prior())$prior)
})

test_that("one row, equal rows, a constant column have the mode of the closed form", {
  scale <- matrix(c(2, 0.5, 0.5, 1), 2)
  m <- c(1, 2)
  prior <- gmm_prior(mean = m, kappa = 2, df = 5, scale = scale)
  rows <- list(cbind(3, 5), cbind(rep(3, 4), 5), cbind(c(-1, 0, 2, 4, 7), 5))
  for (x in rows) {
    n <- nrow(x)
    average <- colMeans(x)
    apart <- sweep(x, 2, average)
    s <- (scale + crossprod(apart) + 2 * n / (2 + n) * tcrossprod(average - m)) / (n + 5 + 4)
    for (code in names(families)) {
      fit <- suppressWarnings(gmm(x, 1, code, prior = prior))
      want <- switch(families[[code]]$shape,
        full = s, diag = diag(diag(s)), spherical = diag(mean(diag(s)), 2)
      )
      expect_equal(unname(fit$means[1, ]), (n * average + 2 * m) / (n + 2))
      expect_equal(unname(fit$covariances[, , 1]), want)
      expect_null(validate_gmm(fit))
    }
    named <- as.data.frame(x)
    by_formula <- suppressWarnings(gmm(~ V1 + V2, named, 1, prior = prior))
    expect_equal(unname(coef(by_formula)), unname(coef(fit)))
    for (weak in list(gmm_prior(), gmm_prior(scale = scale, df = 0), NULL)) {
      expect_gm_error(gmm(x, 1, prior = weak), "degenerate")
    }
    variational <- suppressWarnings(gmm_vb(x, 1, prior = prior))
    expect_equal(unname(variational$means[1, ]), (n * average + 2 * m) / (n + 2))
  }
})
