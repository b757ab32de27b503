line <- gmm_params(c(0.3, 0.7), c(-1, 2), c(1, 0.25))
plane <- gmm_params(c(0.4, 0.6), rbind(c(a = 0, b = 0), c(3, 1)), matrix(c(1, 0.5, 0.5, 1), 2))

test_that("a region has the probability of pgmm(), and all of space has 1", {
  box <- gmm_region(plane, c(a = -1, b = -2), c(a = 2, b = 1))
  expect_equal(box$probability, as.numeric(pgmm(c(a = 2, b = 1), plane, lower = c(a = -1, b = -2))))
  expect_equal(box$probability + box$outside, 1, tolerance = 1e-14)
  expect_identical(gmm_region(plane, c(b = -2, a = -1), c(b = 1, a = 2))[1:4], box[1:4])
  expect_identical(gmm_region(plane)$probability, 1)
  expect_identical(gmm_region(plane)$outside, 0)
  expect_identical(gmm_region(plane, 1, 1)$probability, 0)
  expect_equal(gmm_region(line, 0, 1)$probability, diff(pgmm(0:1, line)))
  # the upper tail, small as it is
  expect_equal(gmm_region(line, 40)$probability, pgmm(40, line, lower.tail = FALSE))
  # rectangles that tile the plane
  cuts <- c(-Inf, -1, 0.5, 3, Inf)
  tiles <- expand.grid(i = 1:4, j = 1:4)
  p <- mapply(function(i, j) {
    gmm_region(plane, c(a = cuts[i], b = cuts[j]), c(a = cuts[i + 1], b = cuts[j + 1]))$probability
  }, tiles$i, tiles$j)
  expect_equal(sum(p), 1, tolerance = 1e-12)
})

test_that("the share of the rows in a region goes by weight", {
  w <- rep(1:2, 136)
  fit <- with_test_seed(1, gmm(faithful, 2, weights = w))
  box <- gmm_region(fit, c(eruptions = 1.75, waiting = 50), c(eruptions = 2, waiting = 60))
  inside <- with(faithful, eruptions > 1.75 & eruptions <= 2 & waiting > 50 & waiting <= 60)
  expect_equal(box$share, sum(w[inside]) / sum(w))
  expect_identical(gmm_region(plane, 0, 1)$share, NA_real_)
})

test_that("regions print in a few lines", {
  fit <- with_test_seed(1, gmm(faithful, 2))
  expect_snapshot({
    print(gmm_region(fit, c(eruptions = 1.5, waiting = 45), c(eruptions = 2.5, waiting = 65)))
    print(gmm_region(plane, lower = c(a = -Inf, b = 1)))
    print(gmm_region(line, upper = -3))
    print(gmm_region(plane))
  })
})

test_that("regions are drawn in one, two and more dimensions", {
  box <- gmm_region(plane, -1, c(a = 1, b = Inf))
  expect_identical(draw(box), box)
  expect_silent(draw(box, dims = "b", main = "a", contours = 0.5))
  expect_silent(draw(gmm_region(plane)))
  expect_silent(draw(gmm_region(line, 0, 1)))
  expect_silent(draw(gmm_region(line, 100, 101))) # out of the picture
  flowers <- with_test_seed(1, gmm(iris[1:4], 2))
  limits <- setNames(c(6, Inf, Inf, 1), names(iris)[1:4])
  expect_silent(draw(gmm_region(flowers, upper = limits)))
  expect_error(draw(gmm_region(flowers), dims = 1:3), class = "gaussmix_error_argument")
})

test_that("regions that can't be are refused", {
  refused <- function(code, ...) expect_gm_error(code, "argument", ..., call = "gmm_region")
  refused(gmm_region(plane, c(a = 0, b = 2), c(a = 1, b = 1)), "`b` they are 2 and 1")
  refused(gmm_region(plane, NaN, 1), "`lower` must not be missing")
  refused(gmm_region(plane, 0, matrix(1, 2, 2, dimnames = list(NULL, c("a", "b")))), "pgmm()")
  refused(gmm_region(plane, 0, 1, -1), "without a name")
  refused(gmm_region(1, 0, 1), "object of class gmm")
  expect_gm_error(gmm_region(plane, c(0, 0, 0), 1), "dimension", call = "gmm_region")
})

test_that("for one component the threshold is that of chi-squared, in any dimension", {
  for_each_case(function(family, d, k) {
    given <- random_params(family, d, 1, 3)
    m <- gmm_params(given$proportions, given$means, given$covariances, covariance = family)
    mass <- c(0.05, 0.5, 0.95, 0.999)
    hdr <- gmm_hdr(m, mass)
    peak <- dgmm(m$means, m, log = TRUE)
    expect_equal(hdr$threshold, unname(peak) - qchisq(mass, d) / 2, tolerance = 1e-12)
    expect_identical(hdr$error, numeric(4))
    expect_identical(hdr$method, "exact")
  }, k = 1)
  # components without proportion don't count
  one <- gmm_params(c(1, 0), rbind(c(0, 0), c(5, 5)), diag(2))
  expect_equal(gmm_hdr(one, 0.9)$threshold, -log(2 * pi) - qchisq(0.9, 2) / 2, tolerance = 1e-12)
})

test_that("in one dimension the intervals hold the mass, and their ends have equal density", {
  mixtures <- list(
    line, gmm_params(1, 3, 4), gmm_params(c(0.5, 0.5), c(0, 0), c(1, 1e-4)),
    gmm_params(c(0.2, 0.3, 0.5), c(0, 10, 1e4), c(1, 1e-2, 100)),
    gmm_params(c(0.9, 0.1, 0), c(0, 2.2, 50), c(1, 1, 1)), # nearly one mode
    gmm_params(c(0.5, 0.5), c(1e6, 1e6 + 3), c(1, 1))
  )
  for (m in mixtures) for (mass in c(0.001, 0.5, 1 - 1e-9)) {
    hdr <- gmm_hdr(m, mass)
    i <- hdr$intervals[[1]]
    expect_lt(abs(sum(pgmm(i[, "upper"], m, lower = cbind(i[, "lower"]))) - mass), 1e-9)
    expect_equal(dgmm(c(i), m, log = TRUE), rep(hdr$threshold, length(i)), tolerance = 1e-6)
    expect_true(all(diff(c(t(i))) > 0))
    expect_identical(hdr$n, 0L)
  }
  ends <- gmm_hdr(gmm_params(1, 3, 4), 0.95)$intervals[[1]]
  expect_equal(c(ends), 3 + 2 * qnorm(c(0.025, 0.975)), tolerance = 1e-12)
  # shorter than the interval between quantiles
  expect_lt(sum(gmm_hdr(line, 0.9)$intervals[[1]] %*% c(-1, 1)), diff(qgmm(c(0.05, 0.95), line)))
})

test_that("a simulated threshold is right within its standard error", {
  # two equal halves of one normal: the threshold is known
  halves <- gmm_params(c(0.5, 0.5), rbind(c(a = 0, b = 0), c(0, 0)), diag(2))
  mass <- c(0.1, 0.5, 0.95)
  exact <- -log(2 * pi) - qchisq(mass, 2) / 2
  hdr <- with_test_seed(1, gmm_hdr(halves, mass, n = 4e4))
  expect_true(all(abs(hdr$threshold - exact) < 4 * hdr$error))
  # the error itself: log f is -log(2 pi) - E with E exponential, so that its quantile at 1 - mass
  # has the standard error sqrt(mass / (n (1 - mass)))
  expect_equal(hdr$error, sqrt(mass / (4e4 * (1 - mass))), tolerance = 0.1)
  expect_identical(hdr$method, "simulation")
  expect_identical(with_test_seed(1, gmm_hdr(halves, mass, n = 4e4)), hdr)
  # in the plane: against the density summed over a fine grid
  grid <- seq(-9, 12, by = 0.03)
  density <- sort(dgmm(as.matrix(expand.grid(a = grid, b = grid)), plane), decreasing = TRUE)
  level <- log(density[findInterval(0.9, cumsum(density) * 0.03^2)])
  hdr <- with_test_seed(2, gmm_hdr(plane, 0.9, n = 4e4))
  expect_lt(abs(hdr$threshold - level), 4 * hdr$error)
})

test_that("the threshold is one for gmm_anomaly()", {
  hdr <- with_test_seed(1, gmm_hdr(plane, 0.96))
  odd <- gmm_anomaly(plane, with_test_seed(2, rgmm(2e4, plane)), threshold = hdr$threshold)
  expect_equal(odd$share, 0.04, tolerance = 4 * sqrt(0.96 / (0.04 * 2e4)))
  fit <- with_test_seed(1, gmm(faithful, 2))
  light <- with_test_seed(1, gmm(faithful, 2, control = gmm_control(keep = FALSE)))
  hdr <- with_test_seed(1, gmm_hdr(fit, c(0.5, 0.9), n = 1e4))
  expect_equal(hdr$share, vapply(hdr$threshold, function(t) {
    mean(predict(fit, type = "logdensity") >= t)
  }, 0))
  expect_identical(with_test_seed(1, gmm_hdr(light, c(0.5, 0.9), n = 1e4))$share, hdr$share)
})

test_that("highest-density regions print in a few lines", {
  expect_snapshot({
    print(gmm_hdr(line, c(0.5, 0.95)))
    print(gmm_hdr(gmm_params(1, rbind(c(a = 0, b = 0, c = 0)), diag(3)), 0.9))
  })
  many <- with_test_seed(1, gmm_hdr(plane, seq(0.05, 0.95, by = 0.05), n = 1e4))
  expect_lte(length(format(many)), 10)
  expect_match(format(many)[2], "standard error", fixed = TRUE)
  out <- withVisible(print(many))
  expect_identical(out$value, many)
  expect_false(out$visible)
})

test_that("highest-density regions are drawn in one and two dimensions", {
  hdr <- with_test_seed(1, gmm_hdr(plane, c(0.9, 0.5), n = 1e4))
  expect_identical(draw(hdr), hdr)
  expect_silent(draw(hdr, main = "a", sub = "b", xlab = "c", max_rows = 0))
  expect_silent(draw(gmm_hdr(line, c(0.5, 0.99))))
  expect_silent(draw(gmm_hdr(with_test_seed(1, gmm(faithful$waiting, 2)), 0.2)))
  space <- gmm_hdr(gmm_params(1, matrix(0, 1, 3), diag(3)))
  expect_error(draw(space), class = "gaussmix_error_dimension")
  expect_identical(hdr_title(hdr), "Highest-density regions of 50 % and 90 %")
})

test_that("masses that can't be are refused", {
  refused <- function(code, ...) expect_gm_error(code, "argument", ..., call = "gmm_hdr")
  for (mass in list(0, 1, -0.1, NA_real_, "a", numeric())) refused(gmm_hdr(line, mass), "`mass`")
  refused(gmm_hdr(plane, 0.95, n = 100), "`n` must be at least 200 for a mass of 0.95, not 100")
  refused(gmm_hdr(plane, 0.95, n = 0.5), "`n`")
  refused(gmm_hdr(plane, 0.95, 1e4), "without a name")
})

test_that("regions take the arguments of a mixture's picture", {
  hdr <- gmm_hdr(with_test_seed(1, gmm(faithful, 1)), 0.5)
  expect_silent(draw(hdr, contours = NULL, boundaries = TRUE, ellipses = 0.9, legend = FALSE))
  expect_silent(draw(hdr, contours = 0.9, col = 2, max_rows = 10))
  expect_silent(draw(gmm_region(plane, 0, 1), contours = NULL, boundaries = TRUE, legend = FALSE))
  expect_error(draw(hdr, dims = 1), class = "gaussmix_error_argument")
  expect_error(draw(hdr, what = "density"), class = "gaussmix_error_argument")
})

test_that("the fill of a region is below the rows, its border above them", {
  calls <- character()
  note <- function(name) function(...) calls <<- c(calls, name)
  view <- plot_view(plane, "classification", NULL, NULL, FALSE, 0, FALSE, NULL, NULL)
  layers <- list(fill = note("fill"), lines = note("lines"), marks = note("marks"))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  draw_mixture(plane, 1:2, c(view, layers))
  draw_mixture(plane, 1, c(view, layers))
  expect_identical(calls, rep(c("fill", "lines", "marks"), 2))
})

test_that("the ends of a narrow interval far from 0 are told apart", {
  far <- gmm_hdr(gmm_params(1, 1e6, 1), 0.5)
  expect_match(format(far)[2], "[999999.326, 1000000.67]", fixed = TRUE)
  expect_identical(interval_text(-1.2345678, 9.8765432, 4), "[-1.235, 9.877]")
  expect_identical(interval_text(0, 0, 4), "[0, 0]")
})

test_that("summary() of a region prints what print() does", {
  fit <- gmm(faithful$waiting, 2)
  for (region in list(gmm_region(fit, 60, 70), gmm_hdr(fit, c(0.5, 0.95)))) {
    expect_output(print(summary(region)), paste(format(region), collapse = "\n"), fixed = TRUE)
    expect_gm_error(summary(region, level = 0.5), "argument", "`level`")
  }
})

test_that("the share in a highest-density region is one of complete rows", {
  x <- as.matrix(faithful)
  gaps <- x
  gaps[1:30, 1] <- NA
  gaps[31, ] <- NA
  at <- function(rows, ...) {
    gmm(rows, 2, na.action = na.pass, control = gmm_control(init = params, ...))
  }
  params <- gmm_params(c(0.36, 0.64), rbind(c(2, 54), c(4.3, 80)),
                       array(c(0.07, 0.4, 0.4, 34, 0.17, 0.9, 0.9, 36), c(2, 2, 2)))
  fit <- at(gaps)
  hdr <- with_test_seed(1, gmm_hdr(fit, c(0.5, 0.9), n = 1000))
  inside <- outer(dgmm(x[32:272, ], fit, log = TRUE), hdr$threshold, `>=`)
  expect_equal(hdr$share, colMeans(inside))
  expect_match(format(hdr)[2], "of the complete rows fitted")
  source <- gmm(gmm_source(x), 2, control = gmm_control(init = params))
  for (lost in list(at(gaps, keep = FALSE), source)) {
    expect_identical(with_test_seed(1, gmm_hdr(lost, n = 1000))$share, NA_real_)
  }
  kept <- with_test_seed(1, gmm_hdr(at(x), n = 1000))$share
  expect_identical(with_test_seed(1, gmm_hdr(at(x, keep = FALSE), n = 1000))$share, kept)
})
