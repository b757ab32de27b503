as_gmm <- function(params, family) {
  gmm_params(params$proportions, params$means, params$covariances, covariance = family)
}

# Trapezoidal rule of f over a grid, which for smooth functions that vanish at its ends is exact.
integral <- function(f, ...) {
  axes <- list(...)
  steps <- vapply(axes, function(a) a[2] - a[1], 0)
  sum(f(as.matrix(expand.grid(axes)))) * prod(steps)
}

line <- gmm_params(c(0.3, 0.7), c(-1, 2), c(1, 0.25))
line_cdf <- function(q, ...) 0.3 * pnorm(q, -1, 1, ...) + 0.7 * pnorm(q, 2, 0.5, ...)

test_that("dgmm() is the density, on the log scale too, for every family", {
  for_each_case(function(family, d, k) {
    given <- random_params(family, d, k, 3)
    x <- random_data(50, given, 4)
    m <- as_gmm(given, family)
    expect_equal(dgmm(x, m, log = TRUE), oracle_logdens(x, given), tolerance = 1e-12)
    expect_equal(dgmm(x, m), exp(oracle_logdens(x, given)), tolerance = 1e-12)
  })
  x <- c(-1, 0.5)
  expect_equal(dgmm(x, line), 0.3 * dnorm(x, -1, 1) + 0.7 * dnorm(x, 2, 0.5), tolerance = 1e-14)
})

test_that("densities integrate to one", {
  expect_equal(integral(function(x) dgmm(x, line), seq(-12, 12, 0.05)), 1, tolerance = 1e-12)
  plane <- as_gmm(random_params("VVV", 2, 3, 5, spread = 1), "full")
  grid <- seq(-12, 12, 0.1)
  expect_equal(integral(function(x) dgmm(x, plane), grid, grid), 1, tolerance = 1e-10)
})

test_that("points are rows, by name; names are kept; NA stays with its row", {
  plane <- gmm_params(c(0.5, 0.5), rbind(c(x = 0, y = 0), c(3, 1)), matrix(c(1, 0.5, 0.5, 1), 2))
  one <- dgmm(cbind(x = 1, y = 2), plane)
  expect_identical(dgmm(c(x = 1, y = 2), plane), one)
  expect_identical(dgmm(c(y = 2, x = 1), plane), one)
  expect_identical(unname(dgmm(data.frame(y = 2, z = "a", x = 1), plane)), one)
  expect_message(expect_identical(dgmm(c(1, 2), plane), one), class = "gaussmix_message")
  p <- pgmm(cbind(x = 1, y = 2), plane)
  expect_identical(pgmm(c(y = 2, x = 1), plane), p)
  expect_identical(pgmm(c(y = 2, x = 1), plane, lower = c(y = -1, x = -2)),
                   pgmm(cbind(x = 1, y = 2), plane, lower = data.frame(x = -2, y = -1)))

  rows <- rbind(a = c(x = 1, y = 2), b = c(NA, 2), c = c(NaN, NaN))
  expect_identical(names(pgmm(rows, plane)), c("a", "b", "c"))
  expect_identical(unname(is.na(pgmm(rows, plane))), c(FALSE, TRUE, TRUE))
  expect_identical(unname(is.na(dgmm(rows, plane))), c(FALSE, TRUE, TRUE))
  noisy <- gmm(faithful, k = 2, noise = 100) # of a density that no single variable has
  holes <- rbind(c(NA, 70), as.matrix(faithful)[1:2, ])
  expect_identical(unname(dgmm(holes, noisy)), c(NA, unname(dgmm(holes[-1, ], noisy))))
  expect_equal(pgmm(rows, plane)[["a"]], as.numeric(p), tolerance = 1e-15)
  expect_identical(is.na(attr(pgmm(rows, plane), "error")), c(FALSE, TRUE, TRUE))
  expect_identical(pgmm(c(a = 0, b = NA), line), c(a = pgmm(0, line), b = NA))
  expect_identical(dgmm(numeric(), line), numeric())
  expect_identical(pgmm(numeric(), line), numeric())
  expect_length(pgmm(rows[0, , drop = FALSE], plane), 0)
})

test_that("in one dimension pgmm() is the sum of pnorm(), both tails, on both scales", {
  q <- c(-Inf, -38, -5, -1, 0, 0.3, 2, 7, 40, Inf)
  expect_equal(pgmm(q, line), line_cdf(q), tolerance = 1e-13)
  expect_equal(pgmm(q, line, lower.tail = FALSE), line_cdf(q, lower.tail = FALSE),
               tolerance = 1e-13)
  expect_null(attributes(pgmm(q, line)))
  # far out one component is left, to rounding
  far <- c(-60, -1e3, -1e8)
  expect_equal(pgmm(far, line, log.p = TRUE), log(0.3) + pnorm(far, -1, 1, log.p = TRUE),
               tolerance = 1e-14)
  expect_equal(pgmm(-far, line, lower.tail = FALSE, log.p = TRUE),
               log(0.3) + pnorm(-far, -1, 1, lower.tail = FALSE, log.p = TRUE), tolerance = 1e-14)
  # near one: the logarithm is minus the other tail, not 0
  expect_equal(pgmm(11, line, log.p = TRUE), -line_cdf(11, lower.tail = FALSE), tolerance = 1e-13)
  single <- gmm_params(1, 5, 4)
  expect_equal(pgmm(q, single, log.p = TRUE), pnorm(q, 5, 2, log.p = TRUE), tolerance = 1e-14)
})

test_that("intervals are exact in the tails, however narrow", {
  single <- gmm_params(1, 0, 1)
  log_tail <- function(z) pnorm(-abs(z), log.p = TRUE)
  expect_equal(pgmm(31, single, lower = 30, log.p = TRUE),
               log_tail(30) + log1p(-exp(log_tail(31) - log_tail(30))), tolerance = 1e-15)
  # narrow: density times width
  for (at in c(-20, -1, 0, 1, 20)) {
    width <- 2^-40
    expect_equal(pgmm(at + width, single, lower = at, log.p = TRUE),
                 dnorm(at + width / 2, log = TRUE) + log(width), tolerance = 1e-15)
  }
  # either side of where the rule for narrow ones takes over, against integrate()
  for (width in c(0.3, 0.49, 0.51, 2)) for (at in c(-3, -0.2, 1)) {
    area <- integrate(dnorm, at, at + width, rel.tol = 1e-13)$value
    expect_equal(pgmm(at + width, single, lower = at), area, tolerance = 1e-14)
    expect_equal(pgmm(at + width, single, lower = at, lower.tail = FALSE), 1 - area,
                 tolerance = 1e-13)
  }
  # mirrored
  expect_equal(pgmm(-2, line, lower = -4), line_cdf(-2) - line_cdf(-4), tolerance = 1e-13)
  # the complement of a wide interval
  expect_equal(pgmm(40, single, lower = -39, lower.tail = FALSE, log.p = TRUE),
               log_tail(39) + log1p(exp(log_tail(40) - log_tail(39))), tolerance = 1e-15)
})

test_that("empty boxes have probability 0", {
  plane <- gmm_params(1, c(0, 0), matrix(c(1, 0.5, 0.5, 1), 2))
  expect_identical(pgmm(c(-1, 0, 1), line, lower = 0), c(0, 0, pgmm(1, line, lower = 0)))
  expect_identical(pgmm(0, line, lower = 1, lower.tail = FALSE, log.p = TRUE), 0)
  expect_identical(as.numeric(pgmm(c(1, 1), plane, lower = c(0, 2))), 0)
  expect_identical(as.numeric(pgmm(c(1, 1), plane, lower = c(0, 1))), 0)
  expect_identical(as.numeric(pgmm(c(-Inf, 1), plane)), 0)
  expect_identical(as.numeric(pgmm(c(Inf, Inf), plane)), 1)
  expect_identical(as.numeric(pgmm(c(Inf, Inf), plane, lower.tail = FALSE)), 0)
})

test_that("boxes along the axes are products, in both tails", {
  for (family in c("VVI", "VII")) {
    given <- random_params(family, 4, 3, 6)
    m <- as_gmm(given, family)
    x <- random_data(30, given, 7)
    part <- sapply(1:3, function(j) {
      sd <- sqrt(diag(given$covariances[, , j]))
      below <- function(x) pnorm(t(x), given$means[j, ], sd)
      given$proportions[j] * apply(below(x) - below(x - 2), 2, prod)
    })
    expect_equal(pgmm(x, m, lower = x - 2), rowSums(part), tolerance = 1e-10)
    expect_equal(pgmm(x, m, lower = x - 2, lower.tail = FALSE), 1 - rowSums(part),
                 tolerance = 1e-12)
    expect_null(attributes(pgmm(x, m)))
  }
  cube <- gmm_params(1, c(0, 0, 0), 1, covariance = "spherical")
  expect_equal(pgmm(rep(-40, 3), cube, log.p = TRUE), 3 * pnorm(-40, log.p = TRUE),
               tolerance = 1e-15)
  # 1 - (1 - e)^3 = 3 e for e far below rounding, and below the smallest double
  expect_equal(pgmm(rep(20, 3), cube, lower.tail = FALSE), 3 * pnorm(-20), tolerance = 1e-13)
  expect_equal(pgmm(rep(50, 3), cube, lower.tail = FALSE, log.p = TRUE),
               log(3) + pnorm(-50, log.p = TRUE), tolerance = 1e-15)
  expect_equal(pgmm(rep(20, 3), cube, log.p = TRUE), -3 * pnorm(-20), tolerance = 1e-13)
})

# ---- quadrature -------------------------------------------------------------------------

# One factor: correlations l_a l_b make a box a one-dimensional integral of products.
one_factor_box <- function(lower, upper, l) {
  at_factor <- function(z) {
    given <- function(limit) pnorm((limit - l * z) / sqrt(1 - l^2))
    dnorm(z) * prod(given(upper) - given(lower))
  }
  integrate(Vectorize(at_factor), -10, 10, rel.tol = 1e-12, abs.tol = 1e-15,
            subdivisions = 2000)$value
}

test_that("boxes in two to six dimensions have their probability, inside the reported error", {
  absolute <- c(NA, 1e-12, 1e-12, 1e-9, 1e-4, 1e-4)
  for (d in 2:6) for (strength in c(0.3, 0.8, 0.97)) {
    l <- strength * c(1, -1, 1, 0.9, -0.8, 0.7)[seq_len(d)]
    corr <- tcrossprod(l) + diag(1 - l^2)
    sd <- seq_len(d)
    m <- gmm_params(1, 10 * sd, corr * tcrossprod(sd))
    z <- with_test_seed(d, matrix(rnorm(2 * d), 2))
    upper <- pmax(z[1, ], z[2, ]) + 0.5
    lower <- replace(pmin(z[1, ], z[2, ]), 1, -Inf)
    p <- pgmm(10 * sd + sd * upper, m, lower = 10 * sd + sd * lower)
    exact <- one_factor_box(lower, upper, l)
    gap <- abs(as.numeric(p) - exact)
    expect_lt(gap, absolute[d])
    expect_lte(gap, attr(p, "error") + 1e-12)
    out <- pgmm(10 * sd + sd * upper, m, lower = 10 * sd + sd * lower, lower.tail = FALSE)
    expect_equal(as.numeric(out), 1 - as.numeric(p), tolerance = 1e-14)
    expect_identical(attr(out, "error"), attr(p, "error"))
  }
})

test_that("orthants of two and three dimensions are the arcsine formulas", {
  for (r in c(-0.99, -0.5, 0.1, 0.9, 0.9999)) {
    m <- gmm_params(1, c(0, 0), matrix(c(1, r, r, 1), 2))
    expect_equal(as.numeric(pgmm(c(0, 0), m)), 0.25 + asin(r) / (2 * pi), tolerance = 1e-13)
  }
  corr <- matrix(c(1, 0.5, -0.2, 0.5, 1, 0.3, -0.2, 0.3, 1), 3)
  m <- gmm_params(1, c(0, 0, 0), corr)
  expect_equal(as.numeric(pgmm(c(0, 0, 0), m)),
               1 / 8 + sum(asin(corr[lower.tri(corr)])) / (4 * pi), tolerance = 1e-13)
})

test_that("a grid of boxes adds up to everything", {
  m <- as_gmm(random_params("VVV", 2, 2, 8), "full")
  cuts <- c(-Inf, -2, 0, 1, Inf)
  low <- as.matrix(expand.grid(cuts[-5], cuts[-5]))
  high <- as.matrix(expand.grid(cuts[-1], cuts[-1]))
  dimnames(low) <- dimnames(high) <- NULL
  expect_equal(sum(pgmm(high, m, lower = low)), 1, tolerance = 1e-12)
})

test_that("coordinates without limits are left out", {
  given <- random_params("VVV", 6, 2, 9)
  m <- as_gmm(given, "full")
  margin <- function(keep) {
    gmm_params(given$proportions, given$means[, keep, drop = FALSE],
               given$covariances[keep, keep, , drop = FALSE])
  }
  expect_equal(as.numeric(pgmm(c(Inf, 0.3, Inf, Inf, Inf, Inf), m)), pgmm(0.3, margin(2)),
               tolerance = 1e-14)
  p <- pgmm(c(Inf, 0.3, Inf, Inf, 1, Inf), m)
  expect_equal(p, pgmm(c(0.3, 1), margin(c(2, 5))), tolerance = 1e-14)
  rows <- rbind(rep(Inf, 6), c(Inf, 0.3, Inf, Inf, 1, Inf), c(Inf, 0.3, Inf, Inf, Inf, Inf))
  expect_equal(as.numeric(pgmm(rows, m)), c(1, p, pgmm(0.3, margin(2))), tolerance = 1e-14)
  expect_identical(attr(pgmm(rows, m), "error")[c(1, 3)], c(0, 0))
})

test_that("Genz-Bretz is repeatable and leaves the random numbers alone", {
  l <- c(0.5, 0.6, 0.7, 0.8, 0.9)
  m <- gmm_params(1, rep(0, 5), tcrossprod(l) + diag(1 - l^2))
  q <- rbind(rep(0.5, 5), c(1, 0, 1, 0, 1))
  all <- pgmm(q, m)
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  kinds <- RNGkind()
  on.exit({
    suppressWarnings(RNGkind(kinds[1], kinds[2], kinds[3]))
    if (!is.null(old)) assign(".Random.seed", old, globalenv())
  })
  for (kind in c("Mersenne-Twister", "Wichmann-Hill", "L'Ecuyer-CMRG")) {
    suppressWarnings(RNGkind(kind, "Ahrens-Dieter", "Rounding"))
    set.seed(1)
    seed <- .Random.seed
    expect_identical(pgmm(q, m), all)
    expect_identical(.Random.seed, seed)
    expect_identical(RNGkind(), c(kind, "Ahrens-Dieter", "Rounding"))
    rm(.Random.seed, envir = globalenv())
    expect_identical(pgmm(q, m), all)
    expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
    expect_identical(RNGkind(), c(kind, "Ahrens-Dieter", "Rounding"))
  }
  # each row is what it is alone
  expect_identical(as.numeric(pgmm(q[2, ], m)), all[2])
})

test_that("abseps rules the error of Genz-Bretz, and a larger error is told", {
  l <- c(0.5, 0.6, 0.7, 0.8, 0.9)
  m <- gmm_params(1, rep(0, 5), tcrossprod(l) + diag(1 - l^2))
  rough <- pgmm(rep(0.5, 5), m, abseps = 1e-2)
  fine <- pgmm(rep(0.5, 5), m, abseps = 1e-5)
  expect_lt(attr(fine, "error"), 1e-5)
  expect_lt(attr(fine, "error"), attr(rough, "error"))
  expect_gm_warning(pgmm(rep(0.5, 5), m, abseps = 1e-9), "accuracy", "above `abseps` (1e-09)")
})

test_that("components of proportion 0 add nothing", {
  m <- gmm_params(c(0.3, 0, 0.7), c(-1, 100, 2), c(1, 1e-4, 0.25))
  q <- c(-3, 0, 99, 100, 101)
  expect_identical(pgmm(q, m), pgmm(q, line))
  expect_identical(pgmm(q, m, lower.tail = FALSE, log.p = TRUE),
                   pgmm(q, line, lower.tail = FALSE, log.p = TRUE))
  expect_equal(dgmm(q, m, log = TRUE), dgmm(q, line, log = TRUE), tolerance = 1e-14)
  p <- c(0, 1e-10, 0.5, 1 - 1e-10, 1)
  expect_identical(qgmm(p, m), qgmm(p, line))
})

test_that("pgmm() agrees with the shares of draws", {
  given <- random_params("VVV", 3, 2, 10)
  m <- as_gmm(given, "full")
  x <- random_data(4000, given, 11)
  upper <- c(1, 0.5, 2)
  lower <- c(-3, -2, -4)
  share <- mean(colSums(t(x) <= upper & t(x) > lower) == 3)
  p <- as.numeric(pgmm(upper, m, lower = lower))
  expect_lt(abs(share - p), 4 * sqrt(p * (1 - p) / 4000))
})

# ---- quantiles --------------------------------------------------------------------------

test_that("qgmm() inverts pgmm(), both tails, on both scales", {
  mixtures <- list(
    line, gmm_params(1, 5, 4), gmm_params(c(0.5, 0.5), c(0, 1000), c(1, 1)),
    gmm_params(c(0.999, 0.001), c(0, 0), c(1, 1e6)),
    gmm_params(c(0.2, 0.3, 0.5), 1e8 + c(0, 3, 4), c(1, 1e-4, 2)),
    gmm_params(c(0.4, 0.6), c(0, 1e-200), c(1e-300, 1e-302))
  )
  log_p <- -c(1e-300, 1e-100, 1e-17, 1e-8, 0.01, 0.3, 1, 5, 100, 690, 1e5, 1e10)
  for (m in mixtures) for (tail in c(TRUE, FALSE)) {
    q <- qgmm(log_p, m, lower.tail = tail, log.p = TRUE)
    expect_true(all(is.finite(q)))
    expect_false(is.unsorted(if (tail) rev(q) else q))
    back <- pgmm(q, m, lower.tail = tail, log.p = TRUE)
    # what one rounding of q changes
    step <- 4 * .Machine$double.eps * (abs(q) + max(abs(m$means)))
    slope <- exp(dgmm(q, m, log = TRUE) - pmin(back, pgmm(q, m, lower.tail = !tail, log.p = TRUE)))
    smaller <- ifelse(back < -log(2), back, log(-expm1(back)))
    wanted <- ifelse(log_p < -log(2), log_p, log(-expm1(log_p)))
    expect_true(all(abs(smaller - wanted) <= 1e-14 * abs(wanted) + step * slope))
  }
  p <- c(1e-300, 1e-20, 0.01, 0.3, 0.5, 0.9, 1 - 1e-10)
  expect_equal(pgmm(qgmm(p, line), line, log.p = TRUE), log(p), tolerance = 1e-14)
  expect_equal(pgmm(qgmm(-1e5, line, log.p = TRUE), line, log.p = TRUE), -1e5, tolerance = 1e-14)
  expect_equal(qgmm(p, gmm_params(1, 5, 4)), qnorm(p, 5, 2), tolerance = 1e-14)
  expect_equal(qgmm(p, line, lower.tail = FALSE)[3:6], qgmm(1 - p, line)[3:6], tolerance = 1e-14)
})

test_that("the quantile is the smallest number that reaches p", {
  p <- seq(0.01, 0.99, 0.01)
  q <- qgmm(p, line)
  expect_true(all(pgmm(q, line) >= p * (1 - 4 * .Machine$double.eps)))
  expect_true(all(pgmm(q - 1e-14, line) < p))
})

test_that("qgmm() knows the ends, NA, and keeps names", {
  expect_identical(qgmm(c(0, 1), line), c(-Inf, Inf))
  expect_identical(qgmm(c(0, 1), line, lower.tail = FALSE), c(Inf, -Inf))
  expect_identical(qgmm(c(-Inf, 0), line, log.p = TRUE), c(-Inf, Inf))
  expect_identical(qgmm(c(a = 0, b = NA, c = 1), line), c(a = -Inf, b = NA, c = Inf))
  expect_identical(qgmm(NA, line), NA_real_)
  expect_identical(qgmm(numeric(), line), numeric())
})

test_that("what can't be is refused by a classed error", {
  plane <- gmm_params(1, c(0, 0), diag(2))
  expect_gm_error(qgmm(0.5, plane), "dimension", c("`fit`", "one dimension"), "qgmm")
  expect_gm_error(qgmm(c(0.5, 1.1), line), "argument",
                  "`p` must be probabilities from 0 to 1, not 1.1 (element 2)")
  expect_gm_error(qgmm(-1e-9, line), "argument", "`p`")
  expect_gm_error(qgmm(0.1, line, log.p = TRUE), "argument", "0 or less")
  expect_gm_error(qgmm("0.5", line), "argument", "`p` must be numeric")
  expect_gm_error(qgmm(factor(0.5), line), "argument", "`p` must be numeric")
  expect_gm_error(qgmm(0.5, line, lower.tail = NA), "argument", "`lower.tail`")
  expect_gm_error(pgmm(0, 1), "argument", "`fit`", "pgmm")
  expect_gm_error(pgmm(c(1, 2, 3), plane), "dimension", "`q`")
  expect_gm_error(pgmm(matrix(0, 2, 3), plane), "dimension", c("`q` must have 2 columns", "3"))
  expect_gm_error(pgmm("a", line), "type", "`q`")
  expect_gm_error(pgmm(0, line, log.p = "no"), "argument", "`log.p`")
  expect_gm_error(pgmm(1:3, line, lower = 1:2), "argument", c("`lower`", "3 of `q`, not 2"))
  expect_gm_error(pgmm(0, line, lower = "a"), "type", "`lower`")
  expect_gm_error(pgmm(0, line, abseps = 0), "argument", "`abseps`")
  expect_gm_error(dgmm(matrix(0, 2, 3), plane), "dimension", "`x` must have 2 columns")
  expect_gm_error(dgmm("a", line), "type", "`x`", "dgmm")
  expect_gm_error(dgmm(0, line, log = 1), "argument", "`log`")
})

test_that("Genz and Bretz's error covers, and their limit of dimensions is told", {
  # exchangeable, correlation 1/2: P(all below 0) = 1 / (d + 1)
  for (d in c(5, 7, 10)) {
    m <- gmm_params(1, matrix(0, 1, d), 0.5 + diag(0.5, d))
    p <- pgmm(rep(0, d), m)
    expect_lt(abs(p - 1 / (d + 1)), attr(p, "error"))
    raw <- with_fixed_seed(mvtnorm::pmvnorm(
      rep(-Inf, d), rep(0, d), corr = 0.5 + diag(0.5, d),
      algorithm = mvtnorm::GenzBretz(as.integer(2e6 / d), 1e-4 / 1.5, 0)))
    expect_equal(attr(p, "error"), 1.5 * attr(raw, "error"), tolerance = 1e-12)
  }
  wide <- gmm_params(1, matrix(0, 1, 1001), 0.5 + diag(0.5, 1001))
  expect_gm_error(pgmm(rep(0, 1001), wide), "dimension", "not on 1001", "pgmm")
  expect_equal(c(pgmm(c(0, rep(Inf, 1000)), wide)), 0.5)
})

test_that("errors of densities read well", {
  plane <- gmm_params(c(.4, .6), rbind(c(a = 0, b = 1), c(3, 4)), diag(2))
  line <- gmm_params(c(.4, .6), c(0, 3), c(1, 4))
  expect_snapshot(show_conditions(
    dgmm(1),
    dgmm(fit = plane),
    dgmm("a", line),
    dgmm(matrix(0, 2, 3), plane),
    dgmm(0, line, log = NA),
    pgmm(fit = line),
    pgmm(cbind(a = 1, b = 2), plane, lower = cbind(a = 1:3, b = 2)),
    pgmm(0, line, abseps = 0),
    qgmm(.5, plane),
    qgmm(fit = line),
    qgmm(c(.2, 1.5), line),
    qgmm(.5, line, log.p = TRUE),
    rgmm(fit = line),
    rgmm(2.5, line),
    rgmm(3, line, "sorted")
  ))
})
