# The definitions that decide which fit is believed: both sides of each threshold.

verdict_of <- function(x, labels, family = "VVV", ...) {
  control <- gmm_control(init = labels, max_iter = 0, ...)
  suppressWarnings(gmm(x, max(labels), family, control = control))$verdict
}

# Far apart, so that posteriors are 0 or 1: `size` rows in the second group, its second variable
# `thin` times as wide as the first group's.
two_groups <- function(size, thin = 1, d = 2) {
  big <- with_test_seed(1, matrix(rnorm(400 * d), 400))
  small <- with_test_seed(2, matrix(rnorm(size * d), size))
  small <- scale(small) / sqrt((size - 1) / size)
  small[, d] <- small[, d] * thin
  list(x = rbind(big, small + 50), labels = rep(1:2, c(400, size)))
}

test_that("too few rows: below 2 r, where r is d + 1, 2 or 1 by the family", {
  needed <- c(VVV = 3, VEV = 3, EEV = 3, EVV = 3, VVE = 2, EVE = 2, VEE = 2, VVI = 2, VEI = 2,
              EVI = 2, VII = 2,
              EEE = 1, EEI = 1, EII = 1)
  for (code in names(needed)) {
    r <- needed[[code]]
    for (size in c(2 * r - 1, 2 * r)) {
      if (size < 3) next # a group of one or two rows has no covariance of its own
      case <- two_groups(size)
      spurious <- verdict_of(case$x, case$labels, code, spurious = c(thin = 0))$spurious
      expect_identical(spurious, c(FALSE, size < 2 * r), info = paste(code, size))
    }
  }
})

test_that("thin: below 10 r with an eigenvalue below 1e-3 of the pooled one", {
  thin_at <- function(size, thin) {
    case <- two_groups(size, thin)
    verdict_of(case$x, case$labels)$spurious[2]
  }
  expect_true(thin_at(29, 0.02))
  expect_false(thin_at(30, 0.02))
  expect_false(thin_at(29, 0.05))
})

test_that("starts are ranked by spurious components before the objective", {
  x <- as.matrix(faithful)
  for (seed in 1:10) {
    control <- gmm_control(n_init = 12, init = "kmeans++")
    fit <- suppressWarnings(with_test_seed(seed, gmm(x, 5, control = control)))
    ran <- fit$starts[fit$starts$reason == "", ]
    sound <- ran[ran$spurious == min(ran$spurious), ]
    expect_identical(fit$objective, max(sound$objective))
    expect_identical(sum(fit$verdict$spurious), min(ran$spurious))
  }
  # iris: some starts collapse, with a much higher objective
  control <- gmm_control(n_init = 20, init = "kmeans++")
  fit <- with_test_seed(1, gmm(iris[1:4], 3, control = control))
  expect_gt(max(fit$starts$objective, na.rm = TRUE), fit$objective + 100)
  expect_identical(sum(fit$verdict$spurious), 0L)
})

test_that("convergence is as defined, counted from the trace", {
  for (k in 2:4) {
    fit <- with_test_seed(k, gmm(faithful, k, "diag",
                                 control = gmm_control(n_init = 1, init = "kmeans++",
                                                       accelerate = FALSE)))
    gain <- diff(fit$trace)
    ratio <- c(Inf, ifelse(gain[-length(gain)] > 0, abs(gain[-1]) / gain[-length(gain)], Inf))
    worst <- vapply(seq_along(ratio), function(t) max(c(Inf, Inf, ratio)[t + 0:2]), 0)
    left <- ifelse(worst < 1, abs(gain) * worst / (1 - worst), Inf)
    small <- left < 1e-9 * nrow(faithful)
    still <- abs(gain) <= 16 * .Machine$double.eps * (abs(fit$trace[-1]) + nrow(faithful))
    run <- function(ok, n) {
      lengths <- rle(ok)
      counts <- unlist(lapply(seq_along(lengths$lengths), function(i) {
        if (lengths$values[i]) seq_len(lengths$lengths[i]) else rep(0, lengths$lengths[i])
      }))
      counts >= n
    }
    expect_identical(which(run(small, 2) | run(still, 3))[1], fit$iterations)
  }
})

test_that("identical components: means and covariances both within 1e-3", {
  m <- gmm_params(c(.5, .5), rbind(c(0, 0), c(0, 0)), diag(2))
  x <- with_test_seed(1, matrix(rnorm(80), 40))
  near <- function(shift, wider, family) {
    m$means[2, ] <- c(shift, 0)
    m$covariances[, , 2] <- diag(2) * wider
    fit <- suppressWarnings(gmm(x, 2, family, control = gmm_control(init = m, max_iter = 0)))
    !is.null(identical_components(fit))
  }
  for (family in c("full", "diag", "spherical", "VEE")) {
    expect_true(near(5e-4, 1, family))
    expect_false(near(5e-3, 1, family))
    expect_true(near(0, 1 + 5e-4, family))
    expect_false(near(0, 1 + 5e-3, family))
  }
  expect_true(near(5e-4, 1, "tied"))
  expect_false(near(5e-3, 1, "tied"))
})

test_that("whether components are the same does not depend on units", {
  q <- qnorm(ppoints(40))
  x <- as.matrix(expand.grid(a = q, b = c(q, 4 * q)))
  for (unit in c(1, 1e4, 1e-4)) {
    data <- x %*% diag(c(unit, 1))
    differ <- gmm(data, 2, control = gmm_control(init = rep(1:2, each = 1600)))
    expect_null(identical_components(differ))
    twice <- gmm_control(init = rep(1:2, each = 3200), max_iter = 1, tol = 0)
    expect_gm_warning(gmm(rbind(data, data), 2, control = twice), "identical",
                      "Components 1 and 2 are the same.")
  }
})

test_that("data that are k points repeated are degenerate for every seed", {
  z <- rep(c(1, 5, 9), each = 20)
  for (seed in 1:12) expect_gm_error(with_test_seed(seed, gmm(z, 3)), "degenerate")
  expect_gm_warning(fit <- with_test_seed(1, gmm(z, 3, control = gmm_control(floor = 1e-6))),
                    "spurious", "on the floor")
  expect_equal(sort(unname(fit$means[, 1])), c(1, 5, 9), tolerance = 1e-9)
})

test_that("a run that ended with two components the same does not win over others", {
  spike <- c(with_test_seed(1, rnorm(100)), rep(5, 40))
  for (seed in 1:8) expect_gm_error(with_test_seed(seed, gmm(spike, 2)), "degenerate")
  within <- c(with_test_seed(1, rnorm(100)), rep(0.5, 30))
  for (seed in 1:3) {
    fit <- with_test_seed(seed, gmm(within, 2))
    expect_null(identical_components(fit))
    expect_false(any(fit$verdict$spurious))
  }
  # a start that was given is kept
  one <- gmm_params(c(.5, .5), c(0, 0), c(1, 1))
  expect_gm_warning(gmm(spike, 2, control = gmm_control(init = one)), "identical")
})

test_that("a start that was drawn twice runs once, and is noted", {
  for (init in c("kmeans++", "random")) {
    fit <- with_test_seed(1, gmm(rep(c(1, 2, 4, 7), c(5, 6, 7, 8)), 2, "tied",
                                 control = gmm_control(init = init, n_init = 30)))
    again <- startsWith(fit$starts$reason, "the same start as ")
    expect_gt(sum(again), 15)
    of <- as.integer(sub("the same start as ", "", fit$starts$reason[again]))
    expect_true(all(of < which(again)) && !any(again[of]))
    expect_identical(fit$starts$objective[again], fit$starts$objective[of])
    expect_lte(fit$reached, sum(!again))
    expect_match(format(fit), sprintf("best of %d distinct start", sum(!again)), all = FALSE)
  }
})

test_that("weights count in seeding: rows of nearly no weight are no seeds", {
  heavy <- with_test_seed(1, rbind(matrix(rnorm(100), 50), matrix(rnorm(100, 10), 50)))
  far <- with_test_seed(2, matrix(rnorm(40, 1000), 20))
  for (init in c("kmeans++", "random")) {
    for (seed in 1:10) {
      fit <- with_test_seed(seed, gmm(rbind(heavy, far), 2, "spherical",
                                      weights = rep(c(1, 1e-30), c(100, 20)),
                                      control = gmm_control(init = init, n_init = 1, max_iter = 0)))
      expect_true(all(fit$means < 100))
    }
  }
})

test_that("the floor of a sphere is that of the widest column", {
  x <- cbind(rep(c(0, 100), each = 30), rep(c(0, 1), each = 30)) +
    with_test_seed(1, 1e-9 * rnorm(120))
  fit <- suppressWarnings(gmm(x, 2, "spherical",
                              control = gmm_control(init = rep(1:2, each = 30), floor = 1e-6)))
  expect_equal(unname(fit$covariances[1, 1, ]), rep(1e-6 * max(fit$scale)^2, 2))
})
