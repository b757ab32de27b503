x <- as.matrix(faithful)
fit <- with_test_seed(1, gmm(x, 2))
odd <- gmm_anomaly(fit)

# Rows of a mixture that is true, and its p-values of them.
p_of <- function(m, x, ...) gmm_anomaly(m, x, false_alarm = 0.1, adjust = "none", ...)$pvalue

test_that("p-values of one component are the chi-squared tail of the Mahalanobis distance", {
  for (d in c(1, 3)) {
    one <- random_params("VVV", d, 1, 31)
    m <- gmm_params(one$proportions, one$means, one$covariances)
    x <- rbind(random_data(20, one, 32), 30, one$means)
    p <- pchisq(oracle_mahalanobis(x, one), d, lower.tail = FALSE)
    expect_equal(p_of(m, x), drop(p), tolerance = 1e-7) # at the mean; small ones to rounding
    small <- which(p < 0.5)
    expect_equal(p_of(m, x)[small], p[small], tolerance = 1e-12)
    for (rate in c(0.9, 0.1, 1e-12)) {
      odd <- gmm_anomaly(m, x, false_alarm = rate)
      expect_identical(odd$flag, drop(p) < rate)
      expect_identical(odd$calibration$resolution, 0)
    }
  }
})

test_that("p-values of one variable are the probability where the density is no higher", {
  line <- gmm_params(c(0.25, 0.45, 0.3), c(-3, 0, 4), c(0.5, 2, 0.04))
  x <- c(-9, -3.2, -1.8, 0.1, 1.7, 3.6, 4, 4.4, 9)
  odd <- gmm_anomaly(line, x, false_alarm = 0.05)
  step <- 1e-4
  grid <- seq(-15, 15, step)
  f <- dgmm(grid, line)
  direct <- vapply(dgmm(x, line), function(level) sum(f[f <= level]) * step, 0)
  expect_equal(odd$pvalue, direct, tolerance = 2e-3)
  expect_lt(max(abs(odd$pvalue - direct)), 2e-4)
  expect_identical(odd$flag, odd$pvalue < 0.05)
  expect_identical(odd$calibration$method, "exact")
  # the threshold is the one of the highest-density region; many rows are dealt with in stretches
  expect_equal(odd$threshold, gmm_hdr(line, 0.95)$threshold, tolerance = 1e-10)
  score <- predict(line, x, type = "logdensity")
  expect_equal(line_level_probability(score, line_shape(line), line, stretch = 2L), odd$pvalue,
               tolerance = 1e-12)
  # symmetric, one mode: the two tails, however far out
  two <- gmm_params(c(0.5, 0.5), c(0, 0), c(1, 4))
  far <- c(0.5, 3, 20, 40)
  expect_equal(p_of(two, far), 2 * pgmm(far, two, lower.tail = FALSE), tolerance = 1e-9,
               ignore_attr = TRUE)
  expect_identical(p_of(two, c(0, Inf, 1e5)), c(1, 0, 0))
})

plane <- gmm_params(c(0.3, 0.7), rbind(c(a = 0, b = 0), c(3, 1)),
                    list(diag(2), matrix(c(1, 0.8, 0.8, 1), 2)))

test_that("else p-values are simulated: (1 + draws no denser) / (draws + 1)", {
  new <- with_test_seed(1, rgmm(200, plane))
  score <- predict(plane, new, type = "logdensity")
  draws <- with_test_seed(7, predict(plane, rgmm(99, plane), type = "logdensity"))
  p <- vapply(score, function(s) (1 + sum(draws <= s)) / 100, 0)
  for (rate in c(0.01, 0.07, 0.29, 0.57, 0.999)) {
    odd <- with_test_seed(7, gmm_anomaly(plane, new, false_alarm = rate, adjust = "none",
                                         draws = 99))
    expect_identical(odd$pvalue, p)
    expect_identical(odd$flag, p <= rate)
  }
  expect_identical(odd$calibration, list(method = "simulation", n = 99L, resolution = 0.01,
                                         adjust = "none", level = 0.999))
  # no random numbers where they are not needed
  before <- random_state()
  gmm_anomaly(fit, rate = 0.1)
  gmm_anomaly(gmm_params(1, 0, 1), 1:3, false_alarm = 0.1)
  expect_identical(random_state(), before)
})

test_that("p-values by rows held out: each of m + 1 exchangeable rows has each rank once", {
  rows <- with_test_seed(2, rgmm(20, plane))
  p <- vapply(1:20, function(i) p_of(plane, rows[i, , drop = FALSE], calibration = rows[-i, ]), 0)
  expect_equal(sort(p), 1:20 / 20)
  # ties count as no denser
  line <- gmm_params(1, 0, 1)
  expect_equal(p_of(line, c(0, 1, 2, 3, NA, Inf), calibration = c(-1, 1, 2, 2, 0.5, 0, 0, 0, 0)),
               c(10, 5, 3, 1, NA, 1) / 10)
  odd <- gmm_anomaly(line, 0:3, false_alarm = 0.3, calibration = c(1, 1, 2, 2, 0, 0, 0, 0, 0),
                     adjust = "none")
  expect_identical(odd$flag, odd$pvalue <= 0.3)
  expect_identical(odd$calibration[c("method", "n")], list(method = "conformal", n = 9L))
})

test_that("under the model p-values are uniform", {
  n <- 4000
  bound <- 1.95 / sqrt(n) # of the Kolmogorov-Smirnov distance, at 1e-3
  distance <- function(p) max(abs(sort(p) - seq_along(p) / length(p)))
  for (case in list(c(1, 1), c(4, 1), c(1, 3), c(2, 3), c(5, 2))) {
    given <- random_params("VVV", case[1], case[2], 41)
    m <- gmm_params(given$proportions, given$means, given$covariances)
    x <- with_test_seed(42, rgmm(n, m))
    odd <- with_test_seed(43, gmm_anomaly(m, x, false_alarm = 0.05, adjust = "none"))
    expect_lt(distance(odd$pvalue), bound)
    expect_lt(abs(odd$share - 0.05), 4 * sqrt(0.05 * 0.95 / n))
    # held out rows say so even if the mixture is wrong
    wrong <- gmm_params(1, rbind(m$means[1, ]), diag(1, case[1]))
    held <- with_test_seed(44, rgmm(n, m))
    expect_lt(distance(p_of(wrong, x, calibration = held)), sqrt(2) * bound)
  }
})

test_that("adjusted p-values are those of p.adjust()", {
  new <- rbind(with_test_seed(1, rgmm(50, plane)), c(9, 0), c(NA, 1), c(Inf, 0))
  for (adjust in stats::p.adjust.methods) {
    odd <- with_test_seed(3, gmm_anomaly(plane, new, pvalue = TRUE, threshold = -9,
                                         adjust = adjust))
    expect_equal(odd$adjusted, p.adjust(odd$pvalue, adjust))
    expect_identical(is.na(odd$adjusted), seq_len(53) == 52)
  }
  table <- as.data.frame(odd)
  expect_named(table, c("row", "score", "flag", "pvalue", "adjusted", "component"))
  expect_identical(table$pvalue, odd$pvalue)
  expect_identical(names(gmm_anomaly(fit, faithful[3:5, ], pvalue = TRUE)$pvalue), c("3", "4", "5"))
  # the rest is as without p-values
  same <- c("flag", "score", "threshold", "rate", "n", "share")
  expect_identical(gmm_anomaly(fit, pvalue = TRUE)[same], gmm_anomaly(fit)[same])
})

test_that("a warning says where p-values are too coarse to be adjusted, and what would do", {
  new <- rbind(with_test_seed(1, rgmm(99, plane)), c(9, -9))
  test <- function(...) with_test_seed(4, gmm_anomaly(plane, new, false_alarm = 0.05, ...))
  for (adjust in c("BH", "holm", "BY")) {
    w <- expect_gm_warning(test(draws = 99, adjust = adjust), "resolution", "99 draws")
    expect_true(100L %in% w$rows)
    needed <- as.numeric(gsub(",", "", sub(".*at least ([0-9,]+):.*", "\\1", conditionMessage(w))))
    # enough, and no less would do for these rows
    with_draws <- function(n) p.adjust(replace(rep(1, 100), w$rows, 1 / (n + 1)), adjust)[100]
    expect_lte(with_draws(needed), 0.05 * (1 + 1e-9))
    expect_gt(with_draws(needed - 1), 0.05)
  }
  expect_silent(test(draws = 1999))
  expect_silent(test(draws = 99, adjust = "none"))
  expect_gm_warning(test(calibration = with_test_seed(5, rgmm(50, plane))), "resolution",
                    c("50 rows held out", "Hold out at least"))
  refused <- function(code, ...) expect_gm_error(code, "argument", ..., call = "gmm_anomaly")
  refused(gmm_anomaly(plane, new, false_alarm = 1e-3, draws = 99), c("at least 0.01", "999"))
  refused(gmm_anomaly(plane, new, false_alarm = 0.01, calibration = new[1:10, ]),
          c("0.0909", "99 rows"))
})

test_that("what p-values can't be made of is refused", {
  refused <- function(code, ...) expect_gm_error(code, "argument", ..., call = "gmm_anomaly")
  refused(gmm_anomaly(fit, rate = 0.1, false_alarm = 0.1), "`rate`, `false_alarm`")
  refused(gmm_anomaly(fit, threshold = -3, false_alarm = 0.1), "`threshold`, `false_alarm`")
  for (bad in list(0, 1, NA_real_, "a")) {
    refused(gmm_anomaly(fit, false_alarm = bad), "`false_alarm`")
  }
  refused(gmm_anomaly(fit, pvalue = 1), "`pvalue`")
  refused(gmm_anomaly(fit, pvalue = TRUE, adjust = "bh"), "\"BH\"")
  refused(gmm_anomaly(fit, pvalue = TRUE, draws = 0), "`draws`")
  refused(gmm_anomaly(fit, calibration = x[1:9, ]), "`newdata`")
  refused(gmm_anomaly(fit, x[1:9, ], calibration = x), "held out")
  gap <- x[1:9, ]
  gap[c(2, 5), 1] <- NA
  expect_gm_error(gmm_anomaly(fit, x, calibration = gap), "missing", "rows 2, 5")
  expect_gm_error(gmm_anomaly(fit, x, calibration = gap[0, ]), "dimension", "no rows")
  expect_gm_error(gmm_anomaly(fit, x, calibration = gap[, 1]), "dimension", "`calibration`")
  expect_gm_error(draw(odd, what = "pvalues"), "data", "pvalue = TRUE")
})

test_that("p-values are printed with where they come from, and drawn", {
  new <- rbind(faithful[1:40, ], data.frame(eruptions = c(3, NA, Inf), waiting = c(95, 1, 1)))
  truth <- rep(0:1, c(40, 3))
  exact <- gmm_anomaly(with_test_seed(1, gmm(x, 1)), new, false_alarm = 0.05, truth = truth)
  simulated <- with_test_seed(1, gmm_anomaly(fit, new, false_alarm = 0.05, draws = 9999))
  held <- suppressWarnings(gmm_anomaly(fit, new, calibration = faithful[50:60, ] + 1e-6))
  one <- with_test_seed(2, gmm_anomaly(plane, cbind(a = 0, b = 0), false_alarm = 0.5,
                                       adjust = "none", draws = 1))
  expect_lte(length(format(exact)), 10)
  expect_snapshot({
    print(exact)
    print(simulated)
    print(held)
    print(one)
    summary(simulated)
  })
  for (odd in list(exact, simulated, held)) expect_silent(draw(odd, what = "pvalues"))
  expect_silent(draw(exact, what = "pvalues", main = "a", sub = "b", ylim = c(1e-3, 1)))
  for (row in c(0, 9)) {
    expect_silent(draw(gmm_anomaly(gmm_params(1, 0, 1), row, false_alarm = 0.1), what = "pvalues"))
  }
  expect_equal(score_curve(exact, 100)$pvalue, unname(sort(exact$pvalue[is.finite(exact$score)])))
})

test_that("calibration by a part of the rows fitted is refused, by new rows of rounded data not", {
  x <- as.matrix(faithful)
  fit <- with_test_seed(1, gmm(x, 2))
  for (rows in list(5:200, c(200:1, 1:9))) {
    expect_gm_error(gmm_anomaly(fit, x[1:9, ], calibration = x[rows, ]), "argument", "held out")
  }
  expect_no_error(suppressWarnings(gmm_anomaly(fit, x[1:9, ], calibration = x[5:200, ] + 0.01)))
  whole <- with_test_seed(2, round(rnorm(400)))
  line <- gmm(whole[1:200], 1)
  expect_no_error(suppressWarnings(gmm_anomaly(line, 3, calibration = whole[whole %in% -1:1])))
})
