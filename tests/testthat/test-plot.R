# Pictures are drawn on a device that keeps nothing; what they show is tested as numbers.
round_pair <- function(distance = 3) {
  gmm_params(c(0.5, 0.5), rbind(c(a = 0, b = 0), c(distance, 0)), diag(2), covariance = "tied")
}

crossed <- function() {
  gmm_params(c(0.4, 0.35, 0.25), rbind(c(x = 0, y = 0), c(1, 2), c(5, 1)),
             array(c(4, 1.8, 1.8, 1, 0.3, 0, 0, 3, 1, 0.2, 0.2, 0.5), c(2, 2, 3)))
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
  expect_equal(rows_note(rows), "100 of 272 rows shown")
  expect_equal(nrow(plot_rows(fit, 272)$shown), 272)
  expect_equal(nrow(plot_rows(fit, 0)$shown), 0)
})

test_that("the line below the picture says what is shown", {
  fit <- gmm_params(1, matrix(0, 1, 6), diag(6))
  note <- function(dims, what = "classification", contours = NULL, ellipses = NULL,
                   boundaries = FALSE, rows = plot_rows(fit, 10)) {
    plot_note(fit, dims, list(what = what, rows = rows, contours = contours, ellipses = ellipses,
                              boundaries = boundaries))
  }
  expect_equal(note(1:4, contours = c(0.5, 0.9)),
               "4 of 6 variables; contours hold 50 and 90 % of the mixture")
  expect_equal(note(1:2, contours = 0.5, ellipses = 0.95, boundaries = TRUE), paste(
    "ellipses hold 95 % of a component; contours 50 % of the mixture; dashed: equal posteriors"))
  expect_equal(note(1:2, "density", c(0.25, 0.5, 0.75)),
               "shades hold 25, 50 and 75 % of the mixture")
  many <- list(n = 1e6, shown = matrix(0, 1e4, 2))
  expect_equal(note(1:2, rows = many), "10,000 of 1,000,000 rows shown")
  expect_equal(note(1, contours = 0.5), "")
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

test_that("contours of a mixture hold the stated mass, by simulation", {
  set.seed(1)
  shares <- c(0.25, 0.5, 0.75, 0.95)
  fit <- crossed()
  grid <- plot_density_grid(fit, 1:2, c(-8, 10), c(-6, 8), shares)
  density <- dgmm(rgmm(1e5, fit), fit)
  inside <- vapply(grid$levels, function(level) mean(density >= level), 0)
  # four standard errors, and the width of the grid's cells
  expect_lt(max(abs(inside - shares)), 4 * sqrt(0.25 / 1e5) + 0.005)
})

test_that("ellipses hold the stated quantile of their component: exact, and by simulation", {
  fit <- gmm(iris[1:4], k = 3)
  set.seed(1)
  for (share in c(0.5, 0.95)) {
    ellipse <- as.matrix(plot_ellipse(fit, 2, share, c(4, 1)))
    expect_equal(colnames(ellipse), c("Petal.Width", "Sepal.Length"))
    expect_equal(ellipse[1, ], ellipse[nrow(ellipse), ])
    covariance <- fit$covariances[c(4, 1), c(4, 1), 2]
    distance <- mahalanobis(ellipse, fit$means[2, c(4, 1)], covariance)
    expect_equal(distance, rep(qchisq(share, 2), nrow(ellipse)), tolerance = 1e-10)
    part <- gmm_params(1, fit$means[2, , drop = FALSE], fit$covariances[, , 2])
    drawn <- rgmm(2e4, part)[, c(4, 1)]
    held <- mean(mahalanobis(drawn, fit$means[2, c(4, 1)], covariance) <= distance[1])
    expect_lt(abs(held - share), 4 * sqrt(share * (1 - share) / 2e4))
  }
})

test_that("boundaries have equal posteriors of the two most probable components, all 14 families", {
  set.seed(2)
  x <- rgmm(300, crossed())
  for (code in gmm_families()$code) {
    fit <- gmm(x, k = 3, covariance = code, control = gmm_control(n_init = 2))
    limits <- list(range(x[, 1]), range(x[, 2]))
    lines <- plot_boundaries(fit, 1:2, limits[[1]], limits[[2]])
    expect_gt(nrow(lines), 20)
    posterior <- predict(fit, as.matrix(lines[1:2]), type = "prob")
    row <- seq_len(nrow(lines))
    first <- posterior[cbind(row, as.integer(lines$first))]
    second <- posterior[cbind(row, as.integer(lines$second))]
    expect_lt(max(abs(first - second)), 1e-6)
    expect_equal(apply(posterior, 1, max), pmax(first, second), ignore_attr = TRUE)
    expect_true(all(lines$x >= limits[[1]][1] & lines$x <= limits[[1]][2]))
  }
})

test_that("the boundary between equal round components is the line half-way", {
  line <- plot_boundaries(round_pair(), 1:2, c(-3, 6), c(-3, 3))
  expect_equal(line$a, rep(1.5, nrow(line)), tolerance = 1e-10)
  expect_equal(range(line$b), c(-3, 3))
  expect_equal(unique(line[c("line", "first", "second")]),
               data.frame(line = 1L, first = "1", second = "2"), ignore_attr = TRUE)
})

test_that("boundaries of two variables are those of the marginal mixture", {
  fit <- gmm(iris[1:4], k = 3)
  line <- plot_boundaries(fit, c(3, 1), c(1, 7), c(4, 8))
  posterior <- predict(gmm_marginal(fit, c(3, 1)), as.matrix(line[1:2]), type = "prob")
  row <- seq_len(nrow(line))
  expect_equal(posterior[cbind(row, as.integer(line$first))],
               posterior[cbind(row, as.integer(line$second))], tolerance = 1e-6)
})

test_that("no boundary is found where one component takes all, or is never the most probable", {
  expect_equal(nrow(plot_boundaries(gmm(faithful, k = 1), 1:2, c(1, 6), c(40, 100))), 0)
  same <- gmm_params(c(0.6, 0.4), rbind(c(0, 0), c(0, 0)), diag(2), covariance = "tied")
  expect_equal(nrow(plot_boundaries(same, 1:2, c(-3, 3), c(-3, 3))), 0)
  far <- round_pair(1e6)
  none <- plot_boundaries(far, 1:2, c(-3, 3), c(-3, 3))
  expect_named(none, c("a", "b", "line", "first", "second"))
  expect_equal(nrow(none), 0)
  absent <- gmm_params(c(0.5, 0.5, 0), rbind(c(a = 0, b = 0), c(3, 0), c(1, 1)), diag(2),
                       covariance = "tied")
  line <- plot_boundaries(absent, 1:2, c(-3, 6), c(-3, 3))
  expect_equal(line$a, rep(1.5, nrow(line)), tolerance = 1e-10)
})

test_that("the trace ends where the fit does; what is left falls to 0", {
  fit <- gmm(faithful, k = 3)
  trace <- plot_trace(fit)
  expect_equal(trace$iteration, 0:fit$iterations)
  expect_equal(trace$objective, fit$trace)
  expect_equal(trace$gap, max(fit$trace) - fit$trace, tolerance = 1e-9)
})

test_that("starts are sorted, and the one kept is the fit, also below a spurious one", {
  fit <- gmm(faithful, k = 2)
  fit$starts <- data.frame(
    kind = "random", objective = fit$objective + c(-5, 0, 9, NA, -3), loglik = 0, iterations = 1L,
    converged = c(FALSE, TRUE, TRUE, FALSE, NA), spurious = c(0L, 0L, 1L, 0L, 0L),
    reason = c("", "", "", "component 1 empty at iteration 3", "")
  )
  fit$reached <- 1L
  fit$reached <- 1L
  starts <- plot_starts(fit)
  expect_equal(starts$start, c(3, 2, 5, 1, 4))
  expect_equal(as.character(starts$status),
               c("spurious", "converged", "short run", "not converged", "failed"))
  expect_equal(starts$kept, c(FALSE, TRUE, FALSE, FALSE, FALSE))
  expect_silent(draw(fit, "starts"))
  fit$objective <- fit$objective + 1 # a proposal won
  expect_false(any(plot_starts(fit)$kept))
  expect_silent(draw(fit, "starts"))
})

test_that("the scale of uncertainty grows with it and ends at 0.5", {
  style <- uncertainty_style(c(0, 0.1, 0.5, 0.9))
  expect_true(all(diff(style$cex) >= 0))
  expect_equal(style$cex[3], style$cex[4])
  expect_equal(style$col[3:4], c("#000000", "#000000"))
})

test_that("every picture is drawn for one, two and five variables, and for one component", {
  five <- cbind(iris[1:4], sum = iris[[1]] + sin(seq_len(150)))
  fits <- list(gmm(faithful$waiting, k = 2), gmm(faithful, k = 2), gmm(five, k = 2),
               gmm(faithful, k = 1), gmm(faithful$waiting, k = 1), gmm(faithful[1:10, ], k = 1))
  for (fit in fits) {
    for (what in eval(formals(plot.gaussmix)$what)) {
      expect_silent(draw(fit, what))
      expect_silent(draw(fit, what, legend = FALSE, main = "", sub = ""))
    }
  }
})

test_that("every picture is drawn for all 14 families", {
  for (code in gmm_families()$code) {
    fit <- gmm(iris[1:4], k = 2, covariance = code, control = gmm_control(n_init = 1))
    expect_silent(draw(fit, dims = 2:3, boundaries = TRUE))
    expect_silent(draw(fit, "uncertainty", dims = 1))
  }
})

test_that("layers are switched by arguments, and pictures go into a layout", {
  fit <- gmm(faithful, k = 2)
  expect_silent(draw(fit, ellipses = NULL, contours = NULL, boundaries = FALSE))
  expect_silent(draw(fit, ellipses = c(0.5, 0.95), contours = 0.9, cex.main = 2, ann = FALSE))
  expect_silent(draw(fit, "density", contours = NULL))
  many <- gmm_params(rep(1 / 60, 60), cbind(x = 1:60, y = 0), diag(2), covariance = "tied")
  expect_silent(draw(many, "density"))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  par(mfrow = c(1, 2), mar = c(2, 2, 1, 1))
  expect_silent(plot(fit))
  expect_silent(plot(fit, "starts"))
  expect_equal(par("mfrow"), c(1, 2))
})

test_that("pictures that need rows or a fit say so", {
  given <- round_pair()
  light <- gmm(faithful, k = 2, control = gmm_control(keep = FALSE))
  data_error <- function(code, text) {
    expect_error(code, text, class = "gaussmix_error_data", fixed = TRUE)
  }
  data_error(plot(given, "trace"), "plot(what = \"trace\") needs a fit to data")
  data_error(plot(given, "starts"), "plot(what = \"starts\") needs a fit to data")
  data_error(plot(given, "uncertainty"), "plot(what = \"uncertainty\") needs the rows")
  data_error(plot(light, "uncertainty"), "gmm_control(keep = TRUE)")
  expect_silent(draw(light, "trace"))
  expect_silent(draw(light, "starts"))
  expect_silent(draw(given, "density"))
  expect_error(plot(given, "densty"), "density", class = "gaussmix_error_argument")
  expect_error(plot(given, ellipses = 2), "`ellipses` must be", class = "gaussmix_error_argument")
  expect_error(plot(given, boundaries = 1), "`boundaries`", class = "gaussmix_error_argument")
  expect_error(plot(given, legend = NA), "`legend`", class = "gaussmix_error_argument")
})

test_that("limits hold the ellipses, as far as these are not much wider than the rows", {
  fit <- gmm(faithful, k = 1)
  rows <- plot_rows(fit, 1e4)
  limits <- plot_limits(fit, 1, rows, 0.95)
  ellipse <- plot_ellipse(fit, 1, 0.95)
  expect_lte(limits[1], min(ellipse$eruptions) + 1e-3)
  expect_gte(limits[2], max(ellipse$eruptions) - 1e-3)
  wide <- fit
  wide$covariances[] <- 1e6 * wide$covariances
  expect_lt(diff(plot_limits(wide, 1, rows, 0.95)), 2 * diff(range(faithful$eruptions)))
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
               list(col = c("red", "blue", "red"), pch = c(1, 1, 1), lty = c(1, 5, 4)))
})

test_that("a picture's size does not grow with the number of components", {
  many <- gmm_params(rep(1 / 2000, 2000), cbind(a = 1:2000, b = 1:2000), diag(2))
  expect_lte(length(plot_ticks(many, 1, c(0, 2001))), 401)
  expect_identical(range(plot_ticks(many, 1, c(0, 2001))), c(-7, 2008))
  expect_lte(length(plot_curves(many, 1, c(0, 2001))$x), 601)
  expect_match(plot_title(gmm_params(1, 0, 1)), "full (V)", fixed = TRUE)
})

test_that("a pair of variables is computed once: exchanged axes are the same picture", {
  fit <- gmm(iris[1:3], k = 2)
  one <- plot_density_grid(fit, 1:2, c(4, 8), c(2, 5), c(0.5, 0.9))
  other <- plot_density_grid(fit, 2:1, c(2, 5), c(4, 8), c(0.5, 0.9))
  expect_equal(transpose_grid(one), other, tolerance = 1e-12)
  calls <- 0
  count <- function() calls <<- calls + 1
  home <- asNamespace("gaussmix")
  suppressMessages(trace("plot_density_grid", as.call(list(count)), print = FALSE, where = home))
  on.exit(suppressMessages(untrace("plot_density_grid", where = home)))
  draw(fit)
  expect_identical(calls, 3)
})

test_that("variables in very different units are drawn, and have their boundary", {
  plain <- gmm(faithful, k = 2)
  units <- c(1 / 3163, 3163)
  scaled <- gmm(sweep(as.matrix(faithful), 2, units, `*`), k = 2)
  expect_silent(draw(scaled))
  limits <- list(c(1, 6), c(40, 100))
  one <- plot_boundaries(plain, 1:2, limits[[1]], limits[[2]])
  other <- plot_boundaries(scaled, 1:2, limits[[1]] * units[1], limits[[2]] * units[2])
  expect_gt(nrow(other), 20)
  posterior <- predict(scaled, as.matrix(other[1:2]), type = "prob")
  expect_lt(max(abs(posterior - 0.5)), 1e-6)
  expect_equal(range(other$waiting) / units[2], range(one$waiting), tolerance = 1e-3)
})

test_that("bins are narrow enough for a narrow group among others far apart", {
  fit <- gmm(iris[1:4], k = 3)
  setosa <- iris$Species == "setosa"
  most <- bin_width(fit, 3, 150)
  expect_equal(most, 2.7 * sd(iris$Petal.Length[setosa]) / 50^(1 / 3), tolerance = 0.02)
  bins <- plot_bins(iris$Petal.Length, NULL, most)
  expect_lte(max(diff(bins$breaks)), most * 1.5) # pretty() rounds
  expect_gt(sum(bins$breaks > 1 & bins$breaks < 2), 5)
  # a sliver of the rows does not count
  expect_gt(bin_width(gmm_params(c(0.95, 0.05), c(0, 5), c(1, 1e-6)), 1, 100), 0.5)
  expect_lte(length(plot_bins(c(0, rnorm(50)), NULL, 1e-9)$breaks), 150)
  expect_equal(plot_bins(rep(7, 9), NULL, 0.5), list(breaks = c(6, 8), heights = 0.5))
})

test_that("names at the means are kept where they don't overlap", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  plot(0:10, 0:10)
  expect_identical(apart(cbind(c(2, 2, 8), c(5, 5.1, 5)), c("first", "second", "third")),
                   c(TRUE, FALSE, TRUE))
  # one that is dropped is in nobody's way
  expect_identical(apart(cbind(c(4, 4.6, 5.4), 5), rep("abcdef", 3)), c(TRUE, FALSE, TRUE))
})

test_that("a misspelt argument is told the plot's own ones, and not itself", {
  fit <- gmm(faithful$waiting, k = 2)
  choice <- gmm_select(faithful, 1:2, "full")
  odd <- gmm_anomaly(fit)
  likelihood <- gmm_likelihood(function(m) gmm_params(1, m, 1), 0, c(-1, 1))
  message_of <- function(code) conditionMessage(expect_gm_error(code, "argument"))
  expect_no_match(message_of(plot(choice, col = 2)), "Did you mean `col`", fixed = TRUE)
  expect_no_match(message_of(plot(likelihood, contours = 0.5)), "Did you mean")
  expect_match(message_of(plot(choice, criterion = "BIC")), "Did you mean `criteria`?",
               fixed = TRUE)
  expect_match(message_of(plot(odd, elipses = 0.5)), "Did you mean `ellipses`?", fixed = TRUE)
  expect_no_match(message_of(plot(likelihood, ylim = 1)), "Did you mean `ylim`", fixed = TRUE)
})

test_that("counts and prints are the same whatever the decimal mark", {
  fit <- gmm(faithful, k = 2)
  odd <- gmm_anomaly(fit)
  before <- c(format(odd)[1], count_text(1.25e6))
  old <- options(OutDec = ",")
  on.exit(options(old))
  expect_silent(draw(odd))
  expect_silent(after <- c(sub(",", ".", format(odd)[1]), count_text(1.25e6)))
  expect_identical(after, before)
})

test_that("of rounded values, each bin holds equally many possible ones", {
  set.seed(1)
  whole <- round(rnorm(2e4) * 3)
  bins <- plot_bins(whole, NULL, bin_width(gmm(whole, 1), 1, 2e4)) # the rules ask for 0.5
  expect_equal(bins$breaks, (min(whole) - 0.5):(max(whole) + 0.5))
  expect_equal(bins$heights, tabulate(whole - min(whole) + 1) / 2e4)
  expect_equal(plot_bins(quakes$mag, NULL, 0.13)$breaks, seq(3.95, 6.45, by = 0.1))
  for (most in c(0.05, 0.1, 0.25, 0.6)) {
    bins <- plot_bins(iris$Petal.Length, NULL, most)
    width <- diff(bins$breaks) / 0.1
    expect_equal(width, rep(round(width[1]), length(width)))
    expect_equal(sum(bins$heights * diff(bins$breaks)), 1)
    within <- (iris$Petal.Length - bins$breaks[1]) / 0.1
    expect_equal(within %% 1, rep(0.5, 150), tolerance = 1e-6)
  }
  # the bars at the ends are whole
  two <- gmm(rep(0:1, c(20, 30)), 1)
  expect_equal(plot_limits(two, 1, plot_rows(two, 1e4)), c(-0.5, 1.5))
})

test_that("the step of the values is found where there is one", {
  expect_equal(data_step(quakes$mag), 0.1)
  expect_equal(data_step(c(0.3, 0.1 + 0.2, 0.6, 1.2)), 0.3)
  expect_equal(data_step(1e6 + c(0, 2, 10) / 4), 0.5)
  expect_identical(data_step(rep(7, 5)), 0)
  expect_identical(data_step(c(1:9, 1e9)), 0) # too small to be seen
  set.seed(1)
  expect_identical(data_step(rnorm(100)), 0)
})
