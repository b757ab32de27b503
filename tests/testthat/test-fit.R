x <- as.matrix(faithful)
groups <- with_test_seed(1, stats::kmeans(scale(x), 3)$cluster)
from <- function(init, ...) gmm_control(init = init, ...)

expect_monotone <- function(fit) {
  expect_true(all(diff(fit$trace) >= -1e-10 * abs(fit$trace[1])), info = fit$covariance)
}

# All that a fit must satisfy, whatever the data.
expect_sound <- function(fit, x, w = rep(1, nrow(x))) {
  k <- fit$k
  d <- ncol(x)
  expect_length(fit$trace, fit$iterations + 1)
  expect_gte(fit$passes, fit$iterations + 1L)
  expect_identical(fit$objective, fit$trace[fit$iterations + 1])
  expect_equal(sum(fit$proportions), 1, tolerance = 1e-14)
  expect_identical(dim(fit$means), c(as.integer(k), as.integer(d)))
  expect_identical(dim(fit$covariances), as.integer(c(d, d, k)))
  for (j in seq_len(k)) {
    s <- matrix(fit$covariances[, , j], d)
    expect_identical(s, t(s))
    expect_true(all(eigen(s, TRUE, TRUE)$values > 0))
  }
  expect_equal(sum(w * predict(fit, x, type = "logdensity")), fit$loglik, tolerance = 1e-13)
  expect_equal(oracle_loglik(x, fit, w), fit$loglik, tolerance = 1e-11)
  expect_monotone(fit)
}

test_that("30 EM steps are those of plain R, for each family, weighted or not", {
  for_each_case(k = c(1, 3), f = function(family, d, k) {
    params <- random_params(family, d, k, 21, spread = 1.5)
    data <- random_data(150, params, 22)
    attr(data, "component") <- NULL
    start <- random_params(family, d, k, 23)
    start <- gmm_params(start$proportions, start$means, start$covariances, covariance = family)
    for (w in list(NULL, with_test_seed(24, rexp(150)))) {
      fit <- suppressWarnings(gmm(data, k, family, weights = w,
                                  control = from(start, max_iter = 30, tol = 0)))
      oracle <- oracle_em(data, start, family, 30, if (is.null(w)) rep(1, 150) else w)
      expect_equal(fit$trace, oracle$trace, tolerance = 1e-9)
      expect_equal(unname(fit$proportions), unname(oracle$proportions), tolerance = 1e-8)
      expect_equal(unname(fit$means), unname(oracle$means), tolerance = 1e-8)
      expect_equal(unname(fit$covariances), unname(oracle$covariances), tolerance = 1e-7)
      expect_identical(fit$iterations, 30L)
      expect_false(fit$converged)
    }
  })
})

test_that("one component is the closed form, in one iteration", {
  n <- nrow(x)
  for (family in c("VVV", "EEE", "VVI", "VII")) {
    fit <- gmm(x, 1, family)
    want <- oracle_mstep(x, matrix(1, n, 1), family)
    expect_equal(unname(fit$means[1, ]), unname(colMeans(x)), tolerance = 1e-14)
    expect_equal(unname(fit$covariances), want$covariances, tolerance = 1e-13)
    expect_true(fit$converged)
    expect_identical(fit$iterations, 1L)
    expect_identical(unname(predict(fit, type = "prob")[, 1]), rep(1, n))
    expect_sound(fit, x)
  }
  s <- stats::cov(x) * (n - 1) / n
  expect_equal(as.numeric(logLik(gmm(x, 1))), -n / 2 * (2 * log(2 * pi) + log(det(s)) + 2),
               tolerance = 1e-13)
})

test_that("groups far apart are fitted exactly, each by itself", {
  for (gap in c(50, 700, 5000)) {
    a <- random_data(60, random_params("VVV", 2, 1, 5), 6)
    b <- random_data(40, random_params("VVV", 2, 1, 7), 8) + gap
    data <- rbind(a, b)
    fit <- gmm(data, 2)
    expect_equal(unname(fit$proportions), c(0.6, 0.4), tolerance = 1e-9)
    expect_equal(unname(fit$means[2, ]), colMeans(b), tolerance = 1e-9)
    expect_equal(unname(fit$covariances[, , 1]), stats::cov(a) * 59 / 60, tolerance = 1e-9)
    expect_equal(unname(fit$covariances[, , 2]), stats::cov(b) * 39 / 40, tolerance = 1e-9)
    expect_identical(as.integer(predict(fit)), rep(1:2, c(60, 40)))
  }
})

test_that("every family gives a sound fit of real data", {
  skip_if_not_installed("MASS")
  for (family in c("full", "tied", "diag", "spherical")) {
    for (k in 1:4) expect_sound(with_test_seed(k, suppressWarnings(gmm(x, k, family))), x)
  }
  y <- MASS::galaxies / 1000
  for (family in c("E", "V", "full", "tied", "diag", "spherical")) {
    expect_sound(suppressWarnings(with_test_seed(1, gmm(y, 3, family))), matrix(y))
  }
  expect_equal(with_test_seed(1, gmm(y, 2, "V"))$loglik,
               with_test_seed(1, gmm(y, 2, "spherical"))$loglik, tolerance = 1e-12)
})

test_that("order of rows, duplication, shift and units change nothing, from the same start", {
  for (family in c("full", "tied", "diag", "spherical")) {
    fit <- gmm(x, 3, family, control = from(groups, max_iter = 40, tol = 0))
    again <- function(data, init = groups, ...) {
      gmm(data, 3, family, control = from(init, max_iter = 40, tol = 0), ...)
    }
    perm <- with_test_seed(3, sample(nrow(x)))
    permuted <- again(x[perm, ], groups[perm])
    expect_equal(permuted$loglik, fit$loglik, tolerance = 1e-12)
    expect_equal(permuted$means, fit$means, tolerance = 1e-10)
    twice <- again(rbind(x, x), c(groups, groups))
    expect_equal(twice$loglik, 2 * fit$loglik, tolerance = 1e-12)
    expect_equal(twice$covariances, fit$covariances, tolerance = 1e-10)
    for (unit in c(2^10, 1e-6)) {
      scaled <- again(x * unit)
      expect_equal(scaled$loglik, fit$loglik - length(x) * log(unit), tolerance = 1e-12)
      expect_equal(scaled$covariances / unit^2, fit$covariances, tolerance = 1e-10)
    }
    shifted <- again(x + 1e8) # the data themselves lose 1.5e-8
    expect_equal(shifted$loglik, fit$loglik, tolerance = 1e-9)
    expect_equal(shifted$means - 1e8, fit$means, tolerance = 1e-7)
    expect_equal(shifted$covariances, fit$covariances, tolerance = 1e-6)
    whole <- round(x * 1000) # sums of whole numbers and 2^27 are exact
    expect_equal(again(whole + 2^27)$trace, again(whole)$trace, tolerance = 1e-13)
  }
})

test_that("extreme units are exact too, or refused", {
  fit <- gmm(x, 3, control = from(groups, max_iter = 10, tol = 0))
  for (unit in c(1e140, 1e-140)) {
    scaled <- gmm(x * unit, 3, control = from(groups, max_iter = 10, tol = 0))
    expect_equal(scaled$loglik, fit$loglik - length(x) * log(unit), tolerance = 1e-10)
  }
  expect_gm_error(gmm(x * 1e155, 2), "scale", "Rescale")
  expect_gm_error(gmm(x * 1e-310, 2), "scale", "Rescale")
  both <- x %*% diag(c(1e-100, 1e100))
  mixed <- gmm(both, 3, control = from(groups, max_iter = 10, tol = 0))
  expect_equal(mixed$loglik, fit$loglik, tolerance = 1e-10)
})

test_that("a weight is how often the row counts", {
  counts <- with_test_seed(9, sample(0:3, nrow(x), TRUE))
  for (family in c("full", "tied", "diag", "spherical")) {
    weighted <- gmm(x, 3, family, weights = counts, control = from(groups, max_iter = 50, tol = 0))
    repeated <- gmm(x[rep(seq_len(nrow(x)), counts), ], 3, family,
                    control = from(rep(groups, counts), max_iter = 50, tol = 0))
    expect_equal(weighted$trace, repeated$trace, tolerance = 1e-12)
    expect_equal(weighted$means, repeated$means, tolerance = 1e-10)
    expect_equal(weighted$covariances, repeated$covariances, tolerance = 1e-9)
    expect_equal(weighted$nobs, sum(counts))
    expect_equal(BIC(weighted), BIC(repeated), tolerance = 1e-12)
    expect_equal(weighted$scale, repeated$scale)
    scaled <- gmm(x, 3, family, weights = counts * 8,
                  control = from(groups, max_iter = 50, tol = 0))
    expect_identical(scaled$means, weighted$means)
    expect_equal(scaled$loglik, 8 * weighted$loglik)
    expect_identical(scaled$verdict, weighted$verdict)
    sound <- gmm(x, 3, family, weights = counts, control = from(groups))
    expect_sound(sound, x, counts)
  }
})

test_that("weights of any size are fine; scaling them changes no parameter and no verdict", {
  w <- with_test_seed(2, rexp(nrow(x)))
  fit <- gmm(x, 3, weights = w, control = from(groups))
  found <- with_test_seed(1, gmm(x, 3, weights = w))
  for (c in c(1e-290, 1e290, 10)) {
    scaled <- gmm(x, 3, weights = w * c, control = from(groups))
    expect_equal(scaled$means, fit$means, tolerance = 1e-12)
    expect_equal(scaled$verdict, fit$verdict, tolerance = 1e-12)
    expect_identical(scaled$iterations, fit$iterations)
    expect_equal(scaled$loglik / c, fit$loglik, tolerance = 1e-12)
    # a search finds the same optimum, by whichever of the starts that reach it
    expect_equal(with_test_seed(1, gmm(x, 3, weights = w * c))$loglik / c, found$loglik,
                 tolerance = 1e-8)
  }
  expect_equal(with_test_seed(1, gmm(x, 3, weights = rep(1, nrow(x))))$loglik,
               with_test_seed(1, gmm(x, 3))$loglik, tolerance = 1e-12)
})

test_that("effective size and smallest eigenvalue are as defined", {
  w <- with_test_seed(2, rexp(nrow(x)))
  for (family in c("VVV", "EEE", "VVI", "VII")) {
    fit <- with_test_seed(1, gmm(x, 2, family, weights = w))
    r <- predict(fit, type = "prob")
    expect_equal(fit$verdict$size, unname(colSums(w * r)^2 / colSums(w^2 * r)), tolerance = 1e-10)
    pooled <- fit$covariances[, , 1] * fit$proportions[1] +
      fit$covariances[, , 2] * fit$proportions[2]
    least <- apply(fit$covariances, 3, function(s) {
      min(Re(eigen(solve(pooled, s), only.values = TRUE)$values))
    })
    expect_equal(fit$verdict$eigenvalue, unname(least), tolerance = 1e-6)
    expect_false(any(fit$verdict$spurious))
  }
})

test_that("the galaxies: the default reaches the optimum behind the plateau", {
  skip_if_not_installed("MASS")
  for (seed in 1:5) {
    fit <- with_test_seed(seed, gmm(MASS::galaxies / 1000, 2, "tied"))
    expect_equal(fit$loglik, -230.352, tolerance = 1e-3 / 230)
    expect_true(fit$converged)
  }
})

test_that("converged means converged: going on gains less than the tolerance", {
  for (family in c("full", "tied", "diag", "spherical")) {
    for (k in 2:4) {
      fit <- with_test_seed(k, gmm(x, k, family))
      more <- gmm(x, k, family, control = from(fit, tol = 0, max_iter = 3000))
      expect_true(fit$converged)
      expect_lt(more$loglik - fit$loglik, 1e-9 * nrow(x) * 2)
    }
  }
})

test_that("a run stopped and resumed is the run uninterrupted, to the bit", {
  for (family in c("full", "tied", "diag", "spherical")) {
    whole <- gmm(x, 3, family, control = from(groups, max_iter = 10, tol = 0))
    half <- gmm(x, 3, family, control = from(groups, max_iter = 5, tol = 0))
    rest <- gmm(x, 3, family, control = from(half, max_iter = 5, tol = 0))
    expect_identical(c(half$trace, rest$trace[-1]), whole$trace)
    expect_identical(rest$covariances, whole$covariances)
  }
})

test_that("a wider family started at a narrower fit is no worse", {
  narrow <- with_test_seed(1, gmm(x, 3, "spherical"))
  for (family in c("diag", "full")) {
    wide <- suppressWarnings(gmm(x, 3, family, control = from(narrow)))
    expect_gte(wide$loglik, narrow$loglik)
  }
  tied <- with_test_seed(1, gmm(x, 3, "tied"))
  expect_gte(suppressWarnings(gmm(x, 3, control = from(tied)))$loglik, tied$loglik)
})

test_that("components come by decreasing proportion; a named start keeps its order", {
  fit <- with_test_seed(1, gmm(x, 3))
  expect_false(is.unsorted(-fit$proportions))
  reverse <- gmm_params(rev(fit$proportions), fit$means[3:1, ], fit$covariances[, , 3:1])
  kept <- gmm(x, 3, control = from(reverse))
  expect_equal(unname(kept$means), unname(fit$means[3:1, ]), tolerance = 1e-5)
  tie <- rbind(c(2, 1), c(1, 5), c(1, 3))
  expect_identical(component_order(list(proportions = c(.3, .3, .4) + 1e-9 * c(1, 2, -3),
                                        means = tie)), c(3L, 2L, 1L))
})

test_that("max_iter that ends the run gives one warning, and the fit can go on", {
  expect_warning(fit <- gmm(x, 3, control = from(groups, max_iter = 3)),
                 class = "gaussmix_warning_convergence")
  expect_false(fit$converged)
  expect_identical(fit$iterations, 3L)
  expect_no_warning(gmm(x, 3, control = from(fit)))
  expect_no_warning(gmm(x, 3, control = from(groups, max_iter = 3, tol = 0)))
})

test_that("where every start ends on the floor, the error says which component and what to do", {
  points <- rbind(c(0, 0), c(1, 0), c(0, 1))[rep(1:3, each = 20), ]
  control <- gmm_control(init = "kmeans++")
  error <- expect_gm_error(gmm(points, 3, control = control), "degenerate", "fewer components")
  expect_true(error$component %in% 1:3)
  expect_s3_class(error$starts, "data.frame")
  control$floor <- 1e-6
  expect_gm_warning(floored <- gmm(points, 3, control = control), "spurious",
                    "Components 1, 2, 3 have covariances on the floor (effective size 20.0,")
  expect_match(format(floored), "spurious: component 1, 2, 3 (on the floor)", fixed = TRUE,
               all = FALSE)
  expect_true(is.finite(floored$loglik))
  control <- gmm_control(init = "kmeans++") # the search may end on four equal components
  expect_gm_error(gmm(x[1:4, ], 4, control = control), "degenerate")
  expect_gm_error(gmm(matrix(rnorm(20), 4), 2), "degenerate", "narrower")
})

test_that("collinear columns are named, and diagonal covariances don't mind them", {
  wide <- cbind(x, both = x[, 1] + x[, 2])
  expect_gm_error(gmm(wide, 2), "degenerate", c("rank 2 of 3", "`both`"))
  expect_gm_error(gmm(wide, 2, "tied"), "degenerate", "rank 2 of 3")
  expect_true(gmm(wide, 2, "diag")$converged)
})

test_that("a component on too few rows is never preferred, and is reported", {
  clumped <- rbind(x, x[1, ] + 30, x[1, ] + 30 + 1e-3 * c(1, 2), x[1, ] + 30 + 1e-3 * c(2, 1))
  expect_gm_warning(fit <- gmm(clumped, 2, control = from(rep(1:2, c(272, 3)))), "spurious",
                    "Component 2")
  expect_identical(fit$verdict$spurious, c(FALSE, TRUE))
  expect_equal(fit$verdict$size[2], 3, tolerance = 1e-6)
  best <- with_test_seed(1, gmm(x, 4))
  expect_identical(sum(best$verdict$spurious), 0L)
})

test_that("two components that are the same are reported", {
  same <- gmm_params(c(.5, .5), rbind(colMeans(x), colMeans(x)), stats::cov(x))
  expect_warning(gmm(x, 2, control = from(same)), class = "gaussmix_warning_identical")
})

test_that("a tight group of many rows far off is none of these", {
  tight <- rbind(x, matrix(rep(c(1000, 5000), each = 40), 40) +
                   with_test_seed(1, rnorm(80, sd = 1e-2)))
  expect_no_warning(fit <- with_test_seed(2, gmm(tight, 3)))
  expect_identical(sum(fit$verdict$spurious), 0L)
})

test_that("one row far out is no component of its own: it is absorbed, or the fit refused", {
  outlier <- rbind(x, c(4, 1e7))
  expect_true(is.finite(gmm(outlier, 1)$loglik))
  expect_true(is.finite(suppressWarnings(gmm(outlier, 2, "tied"))$loglik))
  expect_gm_error(gmm(outlier, 2), "degenerate", "is row 273 alone")
})

test_that("the four kinds of data are one fit", {
  frame <- with_test_seed(1, gmm(faithful, 2))
  expect_equal(with_test_seed(1, gmm(x, 2))[1:6], frame[1:6])
  expect_equal(with_test_seed(1, gmm(~ eruptions + waiting, faithful, k = 2))[1:6], frame[1:6])
  expect_equal(with_test_seed(1, gmm(~ ., faithful, k = 2))[1:6], frame[1:6])
  y <- faithful$waiting
  vector <- with_test_seed(1, gmm(y, 2))
  expect_equal(with_test_seed(1, gmm(cbind(V1 = y), 2))[1:6], vector[1:6])
  expect_equal(unname(with_test_seed(1, gmm(faithful["waiting"], 2))$means), unname(vector$means))
})

test_that("weights and subset are looked up in `data`, as in lm()", {
  data <- cbind(faithful, w = seq_len(nrow(x)), use = rep(c(TRUE, FALSE), length.out = nrow(x)))
  fit <- with_test_seed(1, gmm(~ eruptions + waiting, data, k = 2, weights = w, subset = use))
  want <- with_test_seed(1, gmm(x[data$use, ], 2, weights = data$w[data$use]))
  expect_equal(fit$loglik, want$loglik)
  expect_equal(fit$nobs, sum(data$w[data$use]))
})

test_that("arguments are checked by the function that the user calls", {
  expect_gm_error(gmm(x), "argument", c("`k`", "lacking"))
  for (k in list(0, -1, 1.5, NA, Inf, "2", c(2, 3), 1e10, NULL, TRUE)) {
    expect_gm_error(gmm(x, k), "argument", "`k` must be")
  }
  expect_identical(gmm(x, 2L, control = from(pmin(groups, 2L)))$k, 2L)
  expect_gm_error(gmm(x[1:3, ], 5), "dimension", "k = 5 components but 3 rows")
  expect_gm_error(gmm(x, 2, "ful"), "argument", "full")
  expect_gm_error(gmm(x, 2, "ZZZ"), "argument", "one of")
  expect_gm_error(gmm(x, 2, c("full", "tied")), "argument")
  expect_gm_error(gmm(x, 2, n_init = 3), "argument", "n_init")
  expect_gm_error(gmm(x, 2, control = list(n_int = 3)), "argument", "n_init")
  error <- tryCatch(gmm(x, 2.5), error = identity)
  expect_identical(conditionCall(error), quote(gmm()))
})

test_that("keep = FALSE drops the rows, and keeps their log-densities", {
  w <- rep(1:2, 136)
  fit <- gmm(x, 2, weights = w, control = from(pmin(groups, 2), keep = FALSE))
  whole <- gmm(x, 2, weights = w, control = from(pmin(groups, 2)))
  expect_null(fit$x)
  expect_identical(predict(fit, type = "logdensity"), predict(whole, type = "logdensity"))
  expect_identical(fit$weights, as.double(w))
  expect_gm_error(predict(fit), "data", "keep = TRUE")
  expect_identical(predict(fit, x), predict(whole, x))
  expect_lt(length(serialize(fit, NULL)), length(serialize(whole, NULL)))
})

test_that("a fit neither writes into its data nor holds on to its environment", {
  copy <- x + 0
  w <- as.double(rep(1:2, 136))
  w_copy <- w + 0
  init <- groups + 0L
  gmm(x, 3, weights = w, control = from(init))
  expect_identical(x, copy)
  expect_identical(w, w_copy)
  expect_identical(init, groups)
  make <- function() {
    ballast <- rnorm(1e5)
    gmm(faithful, 2)
  }
  expect_lt(length(serialize(make(), NULL)), 1e5)
})

test_that("R's random numbers: set.seed governs the fit, their kind stays", {
  a <- with_test_seed(42, gmm(x, 3))
  b <- with_test_seed(42, gmm(x, 3))
  expect_identical(a, b)
  old <- RNGkind("Wichmann-Hill")
  on.exit(do.call(RNGkind, as.list(old)))
  set.seed(1)
  first <- gmm(x, 3)$starts
  set.seed(1)
  expect_identical(gmm(x, 3)$starts, first)
  expect_identical(RNGkind()[1], "Wichmann-Hill")
})

test_that("a start lives on in the fit as no more than its parameters", {
  rows <- x[rep(1:272, 40), ]
  first <- with_test_seed(1, gmm(rows, 2))
  fit <- first
  for (i in 1:5) fit <- gmm(x, 2, control = from(fit))
  expect_identical(names(fit$control$init), c("proportions", "means", "covariances"))
  size <- function(object) length(serialize(object, NULL))
  expect_lt(size(fit$control), 5000)
  expect_lt(size(gmm(x, 2, control = from(first, keep = FALSE))$control), 5000)
  held <- local({
    rows <- rows
    function(x, k) first
  })
  fit <- gmm(x, 2, control = from(held, keep = FALSE))
  expect_identical(fit$control$init, "function")
  expect_lt(size(fit$control), 5000)
})

test_that("every spurious component is named, with its cause", {
  # two clumps of three rows, one of them on a line
  clumps <- rbind(x, x[1, ] + 30 + cbind(c(0, 1, 2), c(0, 3, 1)),
                  x[1, ] - 60 + cbind(c(0, 2, 1), c(3, 1, 0)))
  start <- from(rep(1:3, c(272, 3, 3)))
  text <- "Components 2, 3 rest on too few rows to be believed (effective size 3.0, 3.0)."
  w <- expect_gm_warning(fit <- gmm(clumps, 3, control = start), "spurious", text)
  expect_match(format(fit), "spurious: component 2, 3 (too few rows)", fixed = TRUE, all = FALSE)
  expect_identical(w$verdict$component, c("2", "3"))
  expect_gm_warning(vcov(fit), "spurious", "Components 2, 3 rest on too few rows")
  expect_identical(spurious_text(data.frame(component = c("a", "b", "c", "d"),
                                            on_floor = c(0, 2, 0, 1),
                                            spurious = c(TRUE, TRUE, FALSE, TRUE))),
                   "spurious: component a (too few rows); component b, d (on the floor)")
})

test_that("where a component is one row alone, the error names the row", {
  odd <- rbind(faithful, data.frame(eruptions = 1e6, waiting = 1e6, row.names = "lonely"))
  e <- expect_gm_error(gmm(odd, 2), "degenerate", c("is row \"lonely\" alone.", "Leave it out."))
  expect_identical(e$row, 273L)
  expect_gm_error(gmm(c(faithful$waiting, 1e6), 2), "degenerate", "is row 273 alone.")
  expect_gm_error(gmm(rbind(x, 1e6), 2), "degenerate", "is row 273 alone.")
  heavy <- replace(rep(1, 272), 5, 1e9)
  expect_gm_error(gmm(faithful, 2, weights = heavy), "degenerate",
                  c("is row 5 alone, with 1 of the total weight", "give it less weight"))
})

test_that("with keep = FALSE no rows stay behind, in the call neither", {
  x <- with_test_seed(1, matrix(rnorm(2e4), ncol = 2))
  w <- rep(1, nrow(x))
  light <- do.call(gmm, list(x, 1, weights = w, control = gmm_control(keep = FALSE)))
  expect_identical(light$call$x, as.name("<a numeric matrix of 10000 rows and 2 columns>"))
  light$logdensity <- light$weights <- NULL
  expect_lt(length(serialize(light, NULL)), 2e4)
  whole <- do.call(gmm, list(x, 1))
  expect_identical(whole$call$x, x)
  expect_identical(update(whole, k = 1)$loglik, whole$loglik)
})

test_that("going on from a fit on the floor warns again", {
  expect_gm_warning(fit <- with_test_seed(4, gmm(swiss, 4, control = gmm_control(
    search = 0, n_init = 5))), "spurious", "on the floor")
  skip_if(sum(fit$verdict$on_floor) == 0)
  expect_gm_warning(again <- gmm(swiss, 4, control = gmm_control(init = fit)), "spurious",
                    "on the floor")
  expect_equal(again$loglik, fit$loglik, tolerance = 1e-6)
})

test_that("conditions of fits read well", {
  spike <- c(with_test_seed(1, rnorm(100)), rep(5, 40))
  collinear <- with(faithful, cbind(eruptions, waiting, both = eruptions + waiting))
  slow <- gmm_control(init = rep(1:2, 136), max_iter = 3)
  labels <- gmm_control(init = rep(1:2, each = 20), max_iter = 1, tol = 0)
  few <- gmm_control(init = rep(1:2, c(269, 3)), max_iter = 0)
  expect_snapshot(show_conditions(
    gmm(),
    gmm(faithful),
    gmm(faithful, 1:3),
    gmm(faithful, 2, c("full", "tied")),
    gmm(faithful[1:3, ], 4),
    gmm(rep(c(1, 5, 9), each = 20), 3),
    gmm(spike, 2, control = gmm_control(init = rep(1:2, c(100, 40)))),
    gmm(collinear, 2),
    gmm(faithful, 2, control = slow),
    gmm(c(1:20, 1:20), 2, control = labels),
    gmm(faithful, 2, control = few)
  ))
})
