m <- gmm_params(c(low = .25, high = .75), rbind(c(a = 0, b = 1, c = 2), c(5, 5, 5)),
                list(diag(c(1, 4, 9)), matrix(.5, 3, 3) + diag(.5, 3)))
fit <- with_test_seed(1, gmm(faithful, 2))

test_that("draws have the shape, names and component asked for", {
  for (n in c(0, 1, 2, 99)) {
    draws <- rgmm(n, m)
    expect_identical(dim(draws), c(as.integer(n), 3L))
    expect_identical(colnames(draws), c("a", "b", "c"))
    expect_identical(levels(attr(draws, "component")), c("low", "high"))
    expect_length(attr(draws, "component"), n)
  }
  expect_identical(dim(rgmm(5, gmm_params(1, 0, 1))), c(5L, 1L))
  by_component <- rgmm(50, m, order = "component")
  expect_false(is.unsorted(as.integer(attr(by_component, "component"))))
  for (bad in list(-1, NA, 1.5, "3", c(1, 2))) expect_gm_error(rgmm(bad, m), "argument", "`n`")
})

test_that("set.seed governs the draws; a longer sample begins as a shorter one", {
  short <- with_test_seed(3, rgmm(10, m))
  long <- with_test_seed(3, rgmm(1000, m))
  expect_identical(long[1:10, ], short[1:10, ])
  expect_identical(with_test_seed(3, rgmm(10, m)), short)
  expect_false(identical(with_test_seed(4, rgmm(10, m)), short))
  sorted <- with_test_seed(3, rgmm(1000, m, "component"))
  expect_identical(table(attr(sorted, "component")), table(attr(long, "component")))
})

test_that("draws follow the mixture: shares, means, covariances, and the normal law itself", {
  n <- 40000
  for (family in c("full", "tied", "diag", "spherical")) {
    params <- random_params(resolve_covariance(family, 3), 3, 3, 5)
    model <- gmm_params(params$proportions, params$means, params$covariances, covariance = family)
    draws <- with_test_seed(6, rgmm(n, model))
    component <- as.integer(attr(draws, "component"))
    expect_gt(stats::chisq.test(tabulate(component, 3), p = model$proportions)$p.value, 1e-4)
    for (j in 1:3) {
      own <- draws[component == j, ]
      z <- backsolve(chol(model$covariances[, , j]), t(own) - model$means[j, ], transpose = TRUE)
      # z is standard normal: its sums are normal, chi-squared, and it is uncorrelated
      expect_lt(max(abs(rowSums(z))) / sqrt(ncol(z)), 4.5)
      expect_lt(abs(sum(z^2) - length(z)) / sqrt(2 * length(z)), 4.5)
      expect_lt(max(abs(stats::cor(t(z)) - diag(3))) * sqrt(ncol(z)), 4.5)
      expect_gt(stats::ks.test(c(z), "pnorm")$p.value, 1e-5)
    }
  }
})

test_that("components of proportion 0 are never drawn", {
  zero <- gmm_params(c(0, .5, .5, 0), cbind(1:4), rep(1, 4))
  expect_identical(tabulate(attr(rgmm(5000, zero), "component"), 4)[c(1, 4)], c(0L, 0L))
})

test_that("simulate gives data sets like the training data, each with its components", {
  sims <- simulate(fit, nsim = 3, seed = 7)
  expect_named(sims, c("sim_1", "sim_2", "sim_3"))
  for (sim in sims) {
    expect_s3_class(sim, "data.frame")
    expect_identical(dim(sim), dim(faithful))
    expect_named(sim, names(faithful))
    expect_length(attr(sim, "component"), nrow(faithful))
  }
  expect_false(identical(sims[[1]], sims[[2]]))
  matrix_fit <- with_test_seed(1, gmm(as.matrix(faithful), 2))
  expect_true(is.matrix(simulate(matrix_fit, seed = 1)[[1]]))
  vector_fit <- with_test_seed(1, gmm(faithful$waiting, 2))
  sim <- simulate(vector_fit, seed = 1)[[1]]
  expect_true(is.numeric(sim) && is.null(dim(sim)) && length(sim) == 272)
  bare <- with_test_seed(1, gmm(unname(as.matrix(faithful)), 2))
  expect_null(colnames(simulate(bare, seed = 1)[[1]]))
  expect_gm_error(simulate(fit, nsim = 0), "argument", "`nsim`")
})

test_that("seeds are handled as stats does it", {
  a <- simulate(fit, seed = 7)
  set.seed(99)
  state <- .Random.seed
  expect_identical(simulate(fit, seed = 7), a)
  expect_identical(.Random.seed, state)
  expect_identical(attr(a, "seed"), structure(7L, kind = as.list(RNGkind())))
  b <- simulate(fit)
  expect_identical(attr(b, "seed"), state)
  expect_false(identical(.Random.seed, state))
  assign(".Random.seed", attr(b, "seed"), globalenv())
  expect_identical(simulate(fit), b)
  set.seed(7)
  expect_identical(unclass(simulate(fit))[[1]], unclass(a)[[1]])
})

test_that("a fit of draws finds the mixture again", {
  truth <- gmm_params(c(.2, .4, .4), rbind(c(0, 0), c(6, 0), c(6, 5)),
                      list(diag(2), matrix(c(3, 2, 2, 2), 2), matrix(c(3, 2, 2, 2), 2)))
  for (seed in 1:5) {
    draws <- with_test_seed(seed, rgmm(5000, truth))
    again <- with_test_seed(seed, gmm(draws, 3))
    match <- apply(as.matrix(stats::dist(rbind(truth$means, again$means)))[1:3, 4:6], 1, which.min)
    expect_equal(sort(unname(match)), 1:3)
    expect_equal(unname(again$proportions[match]), unname(truth$proportions), tolerance = 0.1)
    expect_lt(max(abs(again$means[match, ] - truth$means)), 0.25)
    expect_lt(max(abs(again$covariances[, , match] - truth$covariances)), 0.6)
  }
})

test_that("draws from a fit on a vector are a vector", {
  fit <- with_test_seed(1, gmm(faithful$waiting, 2))
  draws <- with_test_seed(2, rgmm(7, fit))
  expect_null(dim(draws))
  expect_length(draws, 7)
  expect_identical(levels(attr(draws, "component")), c("1", "2"))
  matrix_fit <- with_test_seed(1, gmm(as.matrix(faithful$waiting), 2))
  expect_identical(with_test_seed(2, rgmm(7, matrix_fit))[, 1], c(draws))
  expect_length(rgmm(0, fit), 0)
})

test_that("a fit on a tibble or a data.table simulates such", {
  skip_if_not_installed("tibble")
  skip_if_not_installed("data.table")
  for (data in list(tibble::as_tibble(faithful), data.table::as.data.table(faithful))) {
    for (kept in list(with_test_seed(1, gmm(data, 2)),
                      with_test_seed(1, gmm(~ eruptions + waiting, data, 2)))) {
      sim <- simulate(kept, seed = 2)[[1]]
      expect_identical(class(sim), class(data))
      expect_named(sim, names(faithful))
      expect_identical(dim(sim), dim(faithful))
      expect_length(attr(sim, "component"), 272)
    }
  }
})

test_that("what is drawn, or where, must be given", {
  expect_gm_error(rgmm(fit = m), "argument", "`n`, the number of draws, must be given", "rgmm")
  line <- gmm_params(1, 0, 1)
  expect_gm_error(dgmm(fit = m), "argument", "`x`, the points, must be given", "dgmm")
  expect_gm_error(pgmm(fit = m), "argument", "`q`, the upper corners", "pgmm")
  expect_gm_error(qgmm(fit = line), "argument", "`p`, the probabilities", "qgmm")
})
