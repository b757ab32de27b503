four <- c("full", "tied", "diag", "spherical")
x <- as.matrix(faithful)
choice <- with_test_seed(1, gmm_select(faithful, 1:4, four))

test_that("curves: a family each, models that are shared on each, gaps where there is none", {
  curves <- select_curves(choice, "BIC")
  expect_identical(nrow(curves), 16L)
  at <- function(code, k) curves$value[curves$covariance == code & curves$k == k]
  expect_identical(at("VVV", 1), at("EEE", 1))
  expect_identical(at("VVV", 3), with(choice$table, BIC[covariance == "VVV" & k == 3]))
  expect_identical(curves$value[curves$best], min(choice$table$BIC))
  one <- gmm_select(x, 1, four)
  expect_identical(sum(select_curves(one, "AIC")$best), 1L)
  wide <- suppressWarnings(gmm_select(cbind(x, both = x[, 1] + x[, 2]), 1:2, c("full", "diag")))
  lost <- select_curves(wide, "BIC")
  expect_identical(is.na(lost$value), lost$covariance == "VVV")
})

test_that("limits hold the best family's curve; what is cut off is counted", {
  curves <- select_curves(choice, "BIC")
  limits <- curves_limits(curves)
  expect_true(all(curves$value[curves$covariance == "EEE" & curves$k > 1] < limits[2]))
  # what is chosen, and its rivals, are not squeezed into a corner by one component or round ones
  codes <- c("VVV", "EEE", "VEV", "EVE", "EEI", "VVE", "VEE", "EII", "VII")
  nine <- select_curves(with_test_seed(1, gmm_select(x, 1:4, codes)), "BIC")
  height <- function(curves) {
    (curves$value - curves_limits(curves)[1]) / diff(curves_limits(curves))
  }
  expect_true(all(height(nine)[nine$k == 1] > 1))
  expect_gt(sort(height(nine))[8], 0.2)
  # of four families each has its best model in view
  four <- nine[nine$covariance %in% c("VVV", "EEE", "EEI", "VII"), ]
  expect_true(any(four$best))
  expect_true(all(tapply(height(four), four$covariance, min) < 1))
  # one component alone, or best
  one <- four[four$k == 1, ]
  expect_lte(max(one$value), curves_limits(one)[2])
  four$value[four$k == 1] <- 1000
  four$best <- four$k == 1
  expect_lte(curves_limits(four)[1], 1000)
  expect_true(all(curves$value > limits[1]))
  out <- sum(curves$value > limits[2])
  expect_gt(out, 0)
  expect_match(curves_note(curves, limits), sprintf("%d values out of view above", out))
  expect_identical(curves_note(curves, c(-Inf, Inf)), "lower is better")
  curves$spurious[curves$covariance == "VVV" & curves$k > 1] <- TRUE
  curves$value[curves$spurious] <- -1e6
  expect_gt(curves_limits(curves)[1], 0)
})

test_that("each family has a symbol, and a line, of its own, and keeps them", {
  style <- family_style(names(families))
  expect_false(anyNA(style$pch))
  expect_false(anyDuplicated(style$pch) > 0)
  expect_false(4 %in% style$pch)
  expect_false(anyDuplicated(paste(style$col, style$lty)) > 0)
  expect_identical(lapply(family_style(c("VVV", "EII")), rev), lapply(style, `[`, c(1, 14)))
})

test_that("plot() returns its object, restores the graphical parameters, and is silent", {
  expect_identical(draw(choice), choice)
  expect_silent(draw(choice, criteria = "ICL", main = "a", sub = "b", ylim = c(2000, 3000)))
  expect_silent(draw(choice, criteria = criteria_of(choice$table), xlab = "k", las = 1,
                     cex.axis = 0.7))
  expect_silent(draw(gmm_select(x, 2, "full")))
  expect_silent(draw(choice, legend = FALSE))
  expect_silent(draw(gmm_select(faithful$waiting, 1:3)))
  expect_silent(draw(gmm_select(cbind(x, both = x[, 1] + x[, 2]), 1:2, c("full", "diag"))))
  by <- function(criterion) list(table = choice$table, criterion = criterion)
  expect_identical(panel_criteria(NULL, by("BIC")), c("BIC", "AIC"))
  expect_identical(panel_criteria(NULL, by("ICL")), c("ICL", "BIC"))
  expect_gm_error(plot(choice, criteria = "CV"), "argument", "`criteria` must be", "plot")
  expect_gm_error(plot(choice, criteria = "bic"), "argument", "Did you mean", "plot")
  expect_gm_error(plot(choice, criteria = character()), "argument", "`criteria` must be", "plot")
  expect_gm_error(plot(choice, xlabel = "a"), "argument", "Did you mean `xlab`?", "plot")
})
