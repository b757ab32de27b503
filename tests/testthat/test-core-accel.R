# Acceleration changes how many passes a run takes, and nothing else that it promises.

overlapping <- function(n, means, seed) {
  with_test_seed(seed, {
    group <- sample(nrow(means), n, TRUE)
    list(x = means[group, , drop = FALSE] + matrix(stats::rnorm(n * ncol(means)), n), group = group)
  })
}
run <- function(data, k, family, accelerate, ..., max_iter = 1e5, tol = 1e-9, threads = NULL) {
  control <- gmm_control(init = data$group, accelerate = accelerate, max_iter = max_iter, tol = tol,
                         threads = threads)
  suppressWarnings(gmm(data$x, k, family, ..., control = control))
}
apart <- overlapping(400, cbind(c(0, 2.5, 0), c(0, 0, 3)), 3)
w <- with_test_seed(1, stats::runif(400, 0.2, 2))

expect_same_optimum <- function(fast, plain, label) {
  expect_true(fast$converged, info = label)
  expect_gt(fast$objective, plain$objective - 1e-6 * plain$nobs, label = label)
  expect_true(all(diff(fast$trace) >= -1e-12 * abs(fast$objective)), info = label)
  expect_length(fast$trace, fast$iterations + 1)
  expect_gte(fast$passes, fast$iterations + 1)
  expect_lt(fast$passes, plain$passes)
}

test_that("every family reaches the optimum of plain EM, weighted and with a prior too", {
  for (code in gmm_families()$code) {
    plain <- run(apart, 3, code, FALSE)
    fast <- run(apart, 3, code, TRUE)
    expect_same_optimum(fast, plain, code)
    expect_equal(fast$objective, plain$objective, tolerance = 1e-6, label = code)
    expect_identical(plain$passes, plain$iterations + 1L)
    expect_same_optimum(run(apart, 3, code, TRUE, weights = w),
                        run(apart, 3, code, FALSE, weights = w), paste(code, "weighted"))
    prior <- gmm_prior(alpha = 1.5, kappa = 0.5, df = 6)
    expect_same_optimum(run(apart, 3, code, TRUE, prior = prior),
                        run(apart, 3, code, FALSE, prior = prior), paste(code, "prior"))
  }
})

test_that("equal proportions, labels and one variable are accelerated too", {
  known <- ifelse(seq_len(400) %% 20 == 0, apart$group, NA)
  for (code in c("VVV", "EEE", "VEV", "VII")) {
    expect_same_optimum(run(apart, 3, code, TRUE, proportions = "equal"),
                        run(apart, 3, code, FALSE, proportions = "equal"), code)
    expect_same_optimum(run(apart, 3, code, TRUE, labels = known),
                        run(apart, 3, code, FALSE, labels = known), code)
  }
  line <- overlapping(500, cbind(c(0, 2, 4)), 2)
  for (code in c("E", "V")) {
    expect_same_optimum(run(line, 3, code, TRUE), run(line, 3, code, FALSE), code)
  }
})

test_that("slow mixtures take at most a twentieth of plain EM's passes", {
  slow <- list(overlapping(1000, cbind(c(0, 1)), 2), overlapping(1000, cbind(c(0, 1), 0), 4),
               overlapping(1000, cbind(c(0, 1, 2), 0), 2), overlapping(1000, cbind(c(0, 1, 2)), 3))
  for (data in slow) {
    plain <- run(data, max(data$group), "VVV", FALSE)
    fast <- run(data, max(data$group), "VVV", TRUE)
    expect_gt(plain$passes, 4000)
    expect_lt(fast$passes, plain$passes / 20)
    expect_gt(fast$objective, plain$objective - 1e-6 * 1000)
  }
})

test_that("a tolerance of 0 is plain EM, of exactly max_iter steps", {
  for (code in c("VVV", "EEE", "VVE")) {
    fast <- run(apart, 3, code, TRUE, tol = 0, max_iter = 40)
    plain <- run(apart, 3, code, FALSE, tol = 0, max_iter = 40)
    expect_identical(fast$trace, plain$trace)
    expect_identical(fast$iterations, 40L)
    expect_identical(fast$passes, 41L)
  }
})

test_that("the end is judged on steps of EM itself", {
  fit <- run(apart, 3, "VVV", TRUE)
  gain <- utils::tail(diff(fit$trace), 5)
  ratio <- gain[-1] / gain[-5]
  pace <- c(max(ratio[1:3]), max(ratio[2:4]))
  left <- gain[4:5] * pace / (1 - pace)
  expect_true(all(left < 1e-9 * 400))
  at <- gmm_params(fit$proportions, fit$means, fit$covariances)
  one <- gmm(apart$x, 3, control = gmm_control(init = at, max_iter = 1, tol = 0))
  expect_lt(one$objective - fit$objective, 1e-9 * 400)
})

test_that("a given run has the same bits for any number of threads", {
  large <- overlapping(30000, rbind(c(0, 0, 0), c(2, 0, 0), c(0, 2, 0)), 1)
  fits <- lapply(1:2, function(threads) run(large, 3, "VVV", TRUE, threads = threads))
  expect_identical(fits[[1]]$trace, fits[[2]]$trace)
  expect_identical(fits[[1]]$covariances, fits[[2]]$covariances)
})

test_that("a component that fades away, and one on the floor, end as in plain EM", {
  x <- as.matrix(faithful)
  groups <- with_test_seed(1, stats::kmeans(scale(x), 3)$cluster)
  prior <- gmm_prior(kappa = 7, df = 9, scale = matrix(c(2, 5, 5, 300), 2))
  fading <- list(x = x, group = groups)
  expect_same_optimum(run(fading, 3, "EEE", TRUE, prior = prior),
                      run(fading, 3, "EEE", FALSE, prior = prior), "fading")
  tied <- list(x = cbind(c(with_test_seed(1, stats::rnorm(60)), rep(3, 30))),
               group = rep(1:2, c(60, 30)))
  floored <- lapply(c(TRUE, FALSE), function(a) {
    control <- gmm_control(init = tied$group, accelerate = a, floor = 1e-6)
    suppressWarnings(gmm(tied$x, 2, control = control))
  })
  expect_equal(floored[[1]]$objective, floored[[2]]$objective, tolerance = 1e-9)
})
