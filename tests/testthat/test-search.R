x <- as.matrix(iris[1:4])
search_fit <- function(data, k, covariance = "full", seed = 1, ..., weights = NULL) {
  with_test_seed(seed, gmm(data, k, covariance, weights = weights, control = gmm_control(...)))
}
finished <- function(fit) which(!is.na(fit$starts$converged) & fit$starts$iterations > 0)

test_that("starts are finished until one is off the floor", {
  spiky <- with_test_seed(3, round(rbind(matrix(rnorm(160), 80), matrix(1, 20, 2)), 1))
  reached <- vapply(c(1, 6, 7), function(seed) {
    with_test_seed(seed, suppressWarnings(gmm(spiky, 2)))$loglik
  }, 0)
  expect_true(all(is.finite(reached)))
})

test_that("40 short runs of seven kinds in turn, the best n_init of them converged", {
  fit <- search_fit(x, 3, n_init = 6, search = 0)
  starts <- fit$starts
  expect_identical(nrow(starts), 40L)
  expect_identical(starts$kind, rep_len(starts$kind[1:7], 40L))
  expect_identical(length(unique(starts$kind)), 7L)
  short <- is.na(starts$converged)
  expect_gte(sum(!short), 6L) # some converge within the ten steps of a short run
  expect_lte(sum(!short & starts$iterations > 10), 6L)
  expect_true(all(starts$iterations[short & starts$reason == ""] == 10))
  expect_identical(fit$objective, max(starts$objective[!short & starts$spurious == 0]))
  expect_identical(nrow(search_fit(x, 3, n_init = 45, search = 0)$starts), 45L)
})

test_that("a larger n_init converges the same runs and others", {
  for (family in c("full", "EEI", "VEV")) {
    fits <- lapply(c(3, 8, 20, 41), function(n) search_fit(x, 4, family, n_init = n, search = 0))
    for (i in 1:3) {
      few <- finished(fits[[i]])
      expect_true(all(few %in% finished(fits[[i + 1]])))
      expect_identical(fits[[i]]$starts[few, ], fits[[i + 1]]$starts[few, ])
      expect_gte(fits[[i + 1]]$objective, fits[[i]]$objective)
    }
  }
})

test_that("more proposals are never worse, and find what starts alone do not", {
  gained <- 0
  for (seed in 1:3) {
    fits <- lapply(c(0, 3, 10, 17, 60), function(n) {
      search_fit(x, 5, seed = seed, n_init = 2, search = n)
    })
    objective <- vapply(fits, `[[`, 0, "objective")
    expect_true(all(diff(objective) >= 0))
    for (fit in fits) expect_identical(fit$starts, fits[[1]]$starts)
    gained <- gained + (objective[5] > objective[1] + 0.01)
  }
  expect_gt(gained, 0)
})

test_that("half as many proposals may fail where three starts came to the best", {
  needed <- function(seed, n_init) {
    found <- function(n) search_fit(trees[1:2], 2, "diag", seed, n_init = n_init, search = n)
    none <- found(0)$objective
    Find(function(n) found(n)$objective > none + 1, 1:20)
  }
  for (seed in 5:6) expect_identical(needed(seed, 10), 2L * needed(seed, 2) - 1L)
})

test_that("the result's own run is the one reported", {
  for (search in c(0, 60)) {
    fit <- search_fit(x, 5, n_init = 2, search = search)
    expect_length(fit$trace, fit$iterations + 1)
    expect_identical(fit$trace[fit$iterations + 1], fit$objective)
    expect_true(all(diff(fit$trace) > -1e-8))
    expect_gte(fit$passes, fit$iterations + 1L)
    expect_equal(sum(predict(fit, type = "logdensity")), fit$loglik, tolerance = 1e-12)
    again <- gmm(x, 5, control = gmm_control(init = fit))
    expect_lt(abs(again$loglik - fit$loglik), 1e-6 * nrow(x))
  }
  expect_identical(fit$reached, 0L)
  expect_match(format(fit), "reached by none of them, but by a proposal", all = FALSE)
})

test_that("the same seed gives the same bits, whatever the number of threads", {
  fits <- lapply(c(1, 1, 2, 4), function(n) search_fit(x, 4, threads = n))
  for (fit in fits[-1]) {
    expect_identical(fit[c("means", "covariances", "trace", "starts")],
                     fits[[1]][c("means", "covariances", "trace", "starts")])
  }
  expect_false(identical(search_fit(x, 4, seed = 2)$starts, fits[[1]]$starts))
})

test_that("every family is searched, and no wider one ends below a narrower", {
  data <- random_data(300, random_params("VVV", 3, 3, 5), 5)
  reach <- vapply(setdiff(gmm_families(2)$code, c("E", "V")), function(family) {
    fit <- suppressWarnings(search_fit(data, 3, family, n_init = 4))
    expect_true(fit$converged)
    expect_false(any(fit$verdict$spurious))
    fit$loglik
  }, 0)
  expect_true(all(reach >= reach[["EII"]] - 1e-6))
  expect_true(all(reach <= reach[["VVV"]] + 1e-6))
  for (pair in list(c("EEI", "VEI"), c("EEI", "EVI"), c("VEI", "VVI"), c("EEE", "VEE"),
                    c("VEE", "VVE"), c("EVE", "VVE"), c("EEV", "VEV"), c("EVV", "VVV"))) {
    expect_gte(reach[[pair[2]]], reach[[pair[1]]] - 1e-3)
  }
})

test_that("starts on whitened rows are the same in any linear coordinates", {
  turn <- rbind(c(2, 1, 0, .5), c(-1, 3, .2, 0), c(0, .3, 1, 4), c(1, 0, -2, 1))
  here <- search_fit(x, 2, n_init = 1, search = 0)$starts
  there <- search_fit(x %*% turn, 2, n_init = 1, search = 0)$starts
  short <- is.na(here$converged) & is.na(there$converged)
  white <- which(here$kind == "kmeans++ (whitened)" & short)
  expect_gt(length(white), 1)
  expect_equal(there$loglik[white] + nrow(x) * log(abs(det(turn))), here$loglik[white],
               tolerance = 1e-9)
})

test_that("known optima that single starts miss are found", {
  skip_if_not_installed("MASS")
  galaxies <- MASS::galaxies / 1000
  for (seed in 1:3) {
    expect_gt(search_fit(galaxies, 2, "tied", seed = seed)$loglik, -230.3525)
    expect_gt(search_fit(faithful, 3, seed = seed)$loglik, -1114.45)
  }
})

test_that("weight 2 is the row twice, and scaling weights changes nothing", {
  w <- rep_len(c(1, 2, 3), nrow(x))
  fit <- search_fit(x, 2, weights = w)
  repeated <- search_fit(x[rep(seq_len(nrow(x)), w), ], 2)
  expect_equal(fit$loglik, repeated$loglik, tolerance = 1e-8)
  scaled <- search_fit(x, 2, weights = 4 * w)
  expect_identical(scaled$means, fit$means)
  expect_equal(scaled$starts$objective, 4 * fit$starts$objective, tolerance = 1e-14)
  zero <- search_fit(rbind(x, 100), 2, weights = c(w, 0))
  expect_equal(zero$loglik, fit$loglik, tolerance = 1e-6)
})

test_that("many rows are searched in a sample, and the result is of all of them", {
  mixture <- random_params("VVV", 2, 4, 5, spread = 4)
  data <- random_data(20000, mixture, 6)
  fit <- with_test_seed(1, gmm(data, 4, "full"))
  truth <- gmm(data, 4, control = gmm_control(init = mixture))
  expect_equal(fit$loglik, truth$loglik, tolerance = 1e-9)
  expect_identical(fit$nobs, 20000)
  expect_gt(fit$reached, 0L)
  expect_equal(max(fit$starts$objective), fit$objective, tolerance = 0.02)
  two <- with_test_seed(1, gmm(data, 4, "full", control = gmm_control(threads = 2)))
  expect_identical(two$means, fit$means)
  # rows without weight are never drawn, heavy ones count
  far <- rbind(data, matrix(1e3, 20000, 2) + data)
  half <- with_test_seed(1, gmm(far, 4, weights = rep(c(1, 0), each = 20000)))
  expect_equal(half$loglik, truth$loglik, tolerance = 1e-9)
})

test_that("a group that the sample lacks does not stop the fit", {
  data <- cbind(with_test_seed(2, rnorm(10000)), rep(c(1, 0), c(3, 9997)))
  data[, 1] <- data[, 1] + rep(c(0, 6), 5000)
  fit <- suppressWarnings(with_test_seed(3, tryCatch(gmm(data, 2, "VEV"), error = identity)))
  expect_true(inherits(fit, "gaussmix") || inherits(fit, "gaussmix_error_degenerate"))
})

test_that("an interrupt ends the search at once", {
  data <- with_test_seed(1, matrix(rnorm(200000), ncol = 10))
  begin <- proc.time()[[3L]]
  expect_error({
    setTimeLimit(elapsed = 0.3, transient = TRUE)
    gmm(data, 8, control = gmm_control(n_init = 40, search = 5000))
  }, "time limit")
  setTimeLimit()
  expect_lt(proc.time()[[3L]] - begin, 3)
})

test_that("a run that stays on the floor is given up, unless a floor was asked for", {
  spread <- function(...) search_fit(faithful, 45, n_init = 3, search = 0, max_iter = 60, ...)
  error <- expect_error(spread(), class = "gaussmix_error_degenerate")
  expect_true(all(error$starts$on_floor[error$starts$finished] > 0))
  expect_identical(max(error$starts$iterations), 40L)
  expect_identical(max(suppressWarnings(spread(floor = 1e-9))$starts$iterations), 60L)
})
