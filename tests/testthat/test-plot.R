# Pictures are drawn on a device that keeps nothing; what they show is tested as numbers.
round_pair <- function(distance = 3) {
  gmm_params(c(0.5, 0.5), rbind(c(a = 0, b = 0), c(distance, 0)), diag(2), covariance = "tied")
}

test_that("plot() returns its object and leaves the graphical parameters alone", {
  plane <- gmm(faithful, k = 2)
  expect_identical(draw(plane), plane)
  flowers <- gmm(iris[1:4], k = 2, covariance = "diag")
  expect_identical(draw(flowers), flowers)
})

test_that("plot() draws one, two and more variables, with and without rows, silently", {
  line <- gmm(faithful$waiting, k = 2)
  plane <- gmm(faithful, k = 2)
  flowers <- gmm(iris[1:4], k = 3)
  labelled <- gmm(iris[1:4], k = 3, control = gmm_control(init = iris$Species))
  few <- gmm(faithful[1:10, ], k = 1)
  light <- gmm(faithful, k = 2, control = gmm_control(keep = FALSE))
  far <- gmm_params(c(0.5, 0.5), c(0, 1e6), c(1, 1))
  expect_silent(draw(line))
  expect_silent(draw(plane, dims = 1))
  expect_silent(draw(plane, dims = c("waiting", "eruptions")))
  expect_silent(draw(flowers))
  expect_silent(draw(flowers, dims = 2:4, max_rows = 0, contours = NULL))
  expect_silent(draw(labelled))
  expect_silent(draw(labelled, dims = 3:4, contours = 0.9))
  expect_silent(draw(few))
  expect_silent(draw(light))
  expect_silent(draw(round_pair()))
  expect_silent(draw(far))
  expect_silent(draw(gmm_params(1, 0, 1)))
  expect_silent(draw(plane, main = "a", sub = "b", xlab = "c", ylab = "d", xlim = c(0, 6),
                     ylim = c(40, 100), col = 1:2, pch = c("x", "y"), las = 1, cex.axis = 2))
})

test_that("plot() works for any number of components, and for rows of weight zero", {
  many <- gmm_params(rep(1 / 60, 60), cbind(x = 1:60, y = 0), diag(2), covariance = "tied")
  expect_identical(draw(many), many)
  weighted <- gmm(faithful, k = 2, weights = rep(0:1, 136))
  expect_identical(draw(weighted), weighted)
  expect_equal(plot_rows(weighted, 10000)$n, 136)
})

test_that("plot() refuses what it can't draw", {
  fit <- round_pair()
  argument_error <- function(code) expect_error(code, class = "gaussmix_error_argument")
  argument_error(plot(fit, dims = 3))
  argument_error(plot(fit, dims = 1.5))
  argument_error(plot(fit, dims = "c"))
  argument_error(plot(fit, dims = c(1, 1)))
  argument_error(plot(fit, dims = NA))
  argument_error(plot(fit, dims = character()))
  argument_error(plot(fit, contours = 1))
  argument_error(plot(fit, contours = "all"))
  argument_error(plot(fit, max_rows = -1))
  argument_error(plot(fit, xlimit = c(0, 1)))
  expect_error(plot(fit, xlabs = "a"), "Did you mean `xlab`?", fixed = TRUE)
  expect_error(plot(fit, dims = "c"), "The variables are `a`, `b`.", fixed = TRUE)
})

test_that("at most max_rows rows are drawn, equally spaced, and no random number is used", {
  fit <- gmm(faithful, k = 2)
  set.seed(1)
  seed <- .Random.seed
  rows <- plot_rows(fit, 100)
  expect_identical(.Random.seed, seed)
  at <- round(seq(1, 272, length.out = 100))
  expect_equal(rows$n, 272)
  expect_equal(unname(rows$shown), unname(as.matrix(faithful)[at, ]))
  expect_identical(as.character(rows$class), as.character(predict(fit)[at]))
  expect_equal(plot_note(fit, 1:2, rows, NULL), "100 of 272 rows shown")
  expect_equal(nrow(plot_rows(fit, 272)$shown), 272)
  expect_equal(nrow(plot_rows(fit, 0)$shown), 0)
})

test_that("the line below the picture says what is shown", {
  fit <- gmm_params(1, matrix(0, 1, 6), diag(6))
  none <- plot_rows(fit, 10)
  expect_equal(plot_note(fit, 1:4, none, c(0.5, 0.9)),
               "4 of 6 variables; contours enclose 50 and 90 % of the probability")
  expect_equal(plot_note(fit, 1:2, none, 0.5), "contours enclose 50 % of the probability")
  many <- list(n = 1e6, shown = matrix(0, 1e4, 2))
  expect_equal(plot_note(fit, 1:2, many, NULL), "10,000 of 1,000,000 rows shown")
  expect_equal(plot_note(fit, 1, none, NULL), "")
})

test_that("contours are the highest-density regions: exact for one round component", {
  shares <- c(0.25, 0.5, 0.75, 0.95)
  one <- gmm_params(1, rbind(c(10, -5)), 4 * diag(2))
  grid <- plot_density_grid(one, 1:2, c(4, 16), c(-11, 1), shares)
  expect_equal(grid$levels, (1 - shares) / (2 * pi * 4), tolerance = 0.02)
  expect_equal(grid$z, matrix(dgmm(as.matrix(expand.grid(grid$x, grid$y)), one), length(grid$x)))
})

test_that("contours are right for narrow components far apart, whatever part is drawn", {
  shares <- c(0.25, 0.5, 0.75, 0.95)
  grid <- plot_density_grid(round_pair(1e4), 1:2, c(-10, 1e4 + 10), c(-3, 3), shares)
  expect_equal(grid$levels, 0.5 * (1 - shares) / (2 * pi), tolerance = 0.02)
  part <- plot_density_grid(round_pair(1e4), 1:2, c(-1, 1), c(-1, 1), shares)
  expect_equal(part$levels, grid$levels, tolerance = 0.02)
})

test_that("curves are those of the marginal mixture, and integrate to 1", {
  fit <- gmm(iris[1:4], k = 3)
  curves <- plot_curves(fit, 3, c(-2, 10))
  parts <- vapply(1:3, function(j) {
    fit$proportions[[j]] * dnorm(curves$x, fit$means[j, 3], sqrt(fit$covariances[3, 3, j]))
  }, curves$x)
  expect_equal(unname(curves$components), parts, tolerance = 1e-12)
  expect_equal(unname(curves$density), rowSums(parts), tolerance = 1e-12)
  expect_equal(sum(curves$density * cell_widths(curves$x)), 1, tolerance = 1e-3)
})

test_that("the histogram is a density, counts every row once, and weighs them", {
  values <- c(faithful$waiting, 40, 100)
  bins <- plot_bins(values)
  widths <- diff(bins$breaks)
  expect_equal(sum(bins$heights * widths), 1)
  expect_equal(bins$heights, hist(values, bins$breaks, plot = FALSE)$density)
  twice <- plot_bins(values, rep(c(2, 1), c(272, 2)))
  doubled <- hist(c(values, faithful$waiting), twice$breaks, plot = FALSE)
  expect_equal(twice$heights, doubled$density)
  spread <- plot_bins(c(values, 1e9))
  expect_lt(length(spread$breaks), 150)
})

test_that("without rows, the picture reaches three standard deviations from every mean", {
  fit <- gmm_params(c(0.5, 0.5), c(0, 10), c(1, 4))
  expect_equal(plot_limits(fit, 1, plot_rows(fit, 10)), c(-3, 16))
})

test_that("56 components have 56 styles; given ones are recycled", {
  style <- component_style(56)
  expect_false(anyDuplicated(paste(style$col, style$pch)) > 0)
  expect_equal(component_style(3, col = c("red", "blue"), pch = 1),
               list(col = c("red", "blue", "red"), pch = c(1, 1, 1)))
})

test_that("a picture's size does not grow with the number of components", {
  many <- gmm_params(rep(1 / 2000, 2000), cbind(a = 1:2000, b = 1:2000), diag(2))
  expect_lte(length(plot_ticks(many, 1, c(0, 2001))), 401)
  expect_identical(range(plot_ticks(many, 1, c(0, 2001))), c(-7, 2008))
  expect_lte(length(plot_curves(many, 1, c(0, 2001))$x), 601)
  expect_match(plot_title(gmm_params(1, 0, 1)), "full (V)", fixed = TRUE)
})
