x <- as.matrix(iris[1:4])
means <- matrix(NA_real_, 3, 4)
means[1, 1:2] <- c(5, 3.4)
means[2, 3] <- 4.2

fixed_fit <- function(code = "VVV", fixed = list(means = means), ..., init = iris$Species) {
  gmm(x, 3, code, fixed = fixed, ..., control = gmm_control(init = init))
}

test_that("fixed entries of means stay what they are, for each family, and df follows", {
  w <- rep(1:3, 50)
  for (code in names(families)) {
    for (weights in list(NULL, w)) {
      fit <- fixed_fit(code, weights = weights)
      expect_identical(unname(fit$means[!is.na(means)]), means[!is.na(means)])
      expect_gt(min(diff(fit$trace)), -1e-9)
      expect_true(fit$converged)
      expect_equal(fit$df, df_of(code, 4, 3) - 3)
      expect_equal(fit$loglik, oracle_loglik(x, fit, if (is.null(weights)) rep(1, 150) else w))
      free <- suppressWarnings(gmm(x, 3, code, weights = weights,
                                   control = gmm_control(init = fit)))
      expect_gt(free$loglik, fit$loglik)
    }
  }
})

test_that("the maximum has no slope but along what is fixed", {
  for (code in c("VVV", "EEE", "VVI", "VII", "EEV", "VVE")) {
    fit <- fixed_fit(code)
    map <- list(centre = numeric(4), scale = diag(4))
    slopes <- likelihood_derivatives(x, rep(1, 150), fit_posterior(fit), as_parameters(fit))
    directions <- free_directions(fit, coef_jacobian(fit, map))
    expect_identical(ncol(directions), as.integer(fit$df))
    expect_lt(max(abs(slopes$gradient %*% directions)), 0.05)
    expect_gt(max(abs(slopes$gradient)), 1)
  }
})

test_that("one normal with some means fixed has its closed form", {
  # the free ones are the intercepts of the regression on what is fixed
  at <- c(5.5, NA, 4, NA)
  fit <- gmm(x, 1, fixed = list(means = at), control = gmm_control(tol = 1e-13))
  free <- c(2, 4)
  slopes <- solve(cov(x[, -free]), cov(x[, -free], x[, free]))
  expected <- colMeans(x)[free] + (at[-free] - colMeans(x)[-free]) %*% slopes
  expect_equal(unname(fit$means[1, free]), c(expected), tolerance = 1e-5)
  about <- sweep(x, 2, fit$means[1, ])
  expect_equal(fit$covariances[, , 1], crossprod(about) / 150, ignore_attr = TRUE)
})

test_that("proportions: the others share what is left, all of them may be fixed", {
  fit <- fixed_fit(fixed = list(proportions = c(0.3, NA, NA)))
  resp <- oracle_estep(x, fit)
  expect_identical(fit$proportions[[1]], 0.3)
  expect_equal(unname(fit$proportions[-1]), 0.7 * colSums(resp)[-1] / sum(resp[, -1]),
               tolerance = 1e-4)
  expect_equal(fit$df, df_of("VVV", 4, 3) - 1)
  p <- c(0.2, 0.3, 0.5)
  all <- fixed_fit(fixed = list(proportions = p))
  expect_identical(unname(all$proportions), p)
  expect_equal(all$df, df_of("VVV", 4, 3) - 2)
  expect_equal(fixed_fit(fixed = list(proportions = c(0.2, 0.3, NA)))$loglik, all$loglik)
  expect_equal(fixed_fit(fixed = list(proportions = c(0.2, 0.3, NA)))$df, all$df)
})

test_that("covariances: whole ones, the common one, and variances one by one", {
  s <- array(NA_real_, c(4, 4, 3))
  s[, , 2] <- diag(4) / 4
  one <- fixed_fit(fixed = list(covariances = s))
  expect_identical(unname(one$covariances[, , 2]), s[, , 2])
  expect_equal(one$df, df_of("VVV", 4, 3) - 10)
  expect_equal(fixed_fit(fixed = list(covariances = list(NA, s[, , 2], NA)))$loglik, one$loglik)
  common <- fixed_fit("EEE", list(covariances = diag(4) / 4))
  expect_identical(unname(common$covariances[, , 3]), diag(4) / 4)
  expect_equal(common$df, 14)
  variances <- rbind(c(0.1, NA, NA, NA), NA, NA)
  diagonal <- fixed_fit("VVI", list(covariances = variances))
  expect_identical(diagonal$covariances[[1]], 0.1)
  resp <- oracle_estep(x, diagonal)
  expect_equal(diagonal$covariances[2, 2, 1],
               sum(resp[, 1] * (x[, 2] - diagonal$means[1, 2])^2) / sum(resp[, 1]),
               tolerance = 1e-4)
  expect_equal(diagonal$df, df_of("VVI", 4, 3) - 1)
  for (fit in list(one, common, diagonal)) expect_gt(min(diff(fit$trace)), -1e-9)
})

test_that("what is fixed combines with labels, a prior, noise, missing values and trimming", {
  labels <- replace(rep(NA, 150), c(1:5, 51:55), rep(c("a", "b"), each = 5))
  holes <- x
  holes[cbind(1:30, 1:3)] <- NA
  for (code in c("VVV", "EEE", "VVI")) {
    fits <- list(fixed_fit(code, labels = labels), fixed_fit(code, prior = gmm_prior(alpha = 2)),
                 fixed_fit(code, noise = TRUE), fixed_fit(code, trim = 0.05),
                 fixed_fit(code, proportions = "equal"),
                 suppressWarnings(gmm(holes, 3, code, fixed = list(means = means),
                                      na.action = na.pass,
                                      control = gmm_control(init = iris$Species))))
    for (fit in fits) {
      expect_identical(unname(fit$means[!is.na(means)]), means[!is.na(means)])
      expect_gt(min(diff(fit$trace)), -1e-8)
      expect_true(fit$converged)
    }
    expect_identical(rownames(fits[[1]]$means)[1:2], c("a", "b"))
  }
  noisy <- fixed_fit(fixed = list(proportions = c(NA, NA, NA, 0.1)), noise = TRUE)
  expect_identical(noisy$proportions[["noise"]], 0.1)
})

test_that("the search finds the null component and what is beside it, whatever the seed", {
  z <- with_test_seed(1, c(rnorm(800), rnorm(200, 2.5, 0.7)))
  null <- list(means = c(0, NA), covariances = c(1, NA))
  fits <- lapply(1:3, function(seed) with_test_seed(seed, gmm(z, 2, fixed = null)))
  for (fit in fits) {
    expect_equal(fit$loglik, fits[[1]]$loglik, tolerance = 1e-7)
    expect_identical(c(fit$means[1], fit$covariances[1]), c(0, 1))
    expect_identical(fit$df, 3)
  }
  direct <- optim(c(qlogis(0.8), 2, 0), function(v) {
    -sum(log(plogis(v[1]) * dnorm(z) + plogis(-v[1]) * dnorm(z, v[2], exp(v[3]))))
  }, method = "BFGS", hessian = TRUE)
  expect_equal(fits[[1]]$loglik, -direct$value, tolerance = 1e-7)
  # standard errors are those of the model in which it is fixed; of what is fixed they are 0
  covariance <- vcov(fits[[1]])
  expect_identical(qr(covariance)$rank, 3L)
  expect_identical(unname(diag(covariance)[c("mean.1.V1", "cov.1.V1.V1")]), c(0, 0))
  expect_equal(sqrt(covariance["mean.2.V1", "mean.2.V1"]), sqrt(solve(direct$hessian)[2, 2]),
               tolerance = 1e-3)
  interval <- confint(fits[[1]])["mean.1.V1", ]
  expect_identical(unname(interval), c(0, 0))
  flowers <- with_test_seed(1, gmm(x, 3, fixed = list(means = means)))
  expect_gte(flowers$loglik, fixed_fit()$loglik - 1e-6)
  expect_identical(unname(flowers$means[!is.na(means)]), means[!is.na(means)])
})

test_that("a component whose covariance is fixed is not spurious", {
  z <- with_test_seed(3, c(rnorm(60), 8, 8.1))
  fit <- gmm(z, 2, fixed = list(covariances = c(NA, 1)),
             control = gmm_control(init = rep(1:2, c(60, 2))))
  expect_false(any(fit$verdict$spurious))
})

test_that("objects with fixed parameters print, are checked, bootstrapped and written", {
  fit <- fixed_fit(fixed = list(means = `rownames<-`(means, c("u", "v", "w"))), init = "auto")
  expect_identical(rownames(fit$means), c("u", "v", "w"))
  expect_match(format(fit), "3 parameters fixed", all = FALSE)
  again <- gmm_from_json(gmm_to_json(fit))
  expect_identical(again$df, fit$df)
  expect_equal(BIC(again), BIC(fit))
  boot <- suppressWarnings(with_test_seed(1, gmm_boot(fixed_fit("VVI"), 3)))
  expect_true(all(boot$replicates[, "mean.setosa.Sepal.Length"] == 5))
  local({
    held <- gmm(x, 1, fixed = list(means = c(5, NA, NA, NA)))
    expect_identical(update(held, fixed = NULL)$df, held$df + 1)
  })
})

test_that("what can't be fixed is refused with the reason", {
  refused <- function(fixed, pattern, ..., code = "VVV") {
    expect_gm_error(gmm(x, 3, code, fixed = fixed, ...), "argument", pattern)
  }
  refused(1, "`fixed` must be")
  refused(list(mean = means), "`fixed` must be")
  refused(list(means = means[, 1:2]), "fixed$means")
  refused(list(means = means + Inf), "fixed$means")
  refused(list(proportions = c(0.5, 0.6, NA)), "sum below 1")
  refused(list(proportions = c(0.5, 0.3, 0.1)), "the sum 1")
  refused(list(proportions = c(0, NA, NA)), "above 0")
  refused(list(proportions = c(0.2, NA, NA)), "equal", proportions = "equal")
  part <- array(c(1, NA, NA, 1), c(4, 4, 3))
  refused(list(covariances = part), "not in part")
  whole <- array(NA_real_, c(4, 4, 3))
  whole[, , 1] <- diag(4)
  for (code in setdiff(names(families), fixable_families)) {
    refused(list(covariances = whole), "share a part", code = code)
  }
  refused(list(covariances = whole), "one matrix", code = "EEE")
  refused(list(covariances = -diag(4)), "above 0")
  refused(list(covariances = diag(4)), "ratio", control = gmm_control(ratio = 10))
  expect_identical(fixed_fit(fixed = list(means = NA * means))$df, df_of("VVV", 4, 3))
  expect_gm_error(gmm_select(x, 1:3, fixed = list(means = means)), "argument", "`fixed`")
  expect_gm_error(profile(fixed_fit()), "argument", "`fixed`")
  expect_gm_error(gmm_lrt(fixed_fit()), "argument", "`fixed`")
})

test_that("what is given as `fixed` is named, and each message says what is wrong", {
  message_of <- function(fixed, code = "VVV", rows = x) {
    conditionMessage(tryCatch(gmm(rows, 2, code, fixed = fixed), gaussmix_error = identity))
  }
  expect_match(message_of(list(c(0.3, 0.7))), "without a name")
  expect_match(message_of(list(mean = 1)), "`mean`.*Did you mean `means`")
  expect_match(message_of(list(means = 1, means = 2)), "`means` twice")
  expect_match(message_of(list(means = matrix(1))), "1 row and 1 column", fixed = TRUE)
  bad <- list(NA, matrix(2, 4, 4))
  expect_match(message_of(list(covariances = bad)),
               "must be symmetric and positive definite, not as in component 2", fixed = TRUE)
  expect_match(message_of(list(covariances = bad), "VVI"),
               "must be diagonal, not as in component 2", fixed = TRUE)
  expect_match(message_of(list(covariances = c(1, 2)), "EEI"),
               "one matrix of 4 x 4, or 4 variances")
})

test_that("the common diagonal covariance is one matrix, or d variances", {
  for (d in 1:4) {
    v <- replace(1 + seq_len(d) / 10, d, NA)
    for (given in list(diag(v, d), v, t(v))) {
      fit <- suppressWarnings(gmm(x[, 1:d, drop = FALSE], 2, "EEI",
                                  fixed = list(covariances = given),
                                  control = gmm_control(n_init = 2, search = 0)))
      for (j in 1:2) {
        expect_equal(diag(matrix(fit$covariances[, , j], d))[-d], v[-d])
      }
      expect_identical(fit$df, df_of("EEI", d, 2) - (d - 1))
    }
  }
})

test_that("where all is fixed nothing varies", {
  fit <- gmm(x, 2, fixed = list(proportions = c(0.5, 0.5), means = rbind(c(5, 3, 4, 1), 3),
                                covariances = diag(4)))
  expect_identical(fit$df, 0)
  expect_no_warning(expect_true(all(vcov(fit) == 0)))
  expect_equal(unname(confint(fit)[, 1]), unname(coef(fit)))
  expect_equal(unname(confint(fit)[, 2]), unname(coef(fit)))
})
