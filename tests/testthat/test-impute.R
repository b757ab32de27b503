# predict(type = "impute"): conditional means and draws.

holed <- local({
  x <- iris[1:4]
  with_test_seed(1, for (j in 1:4) x[sample(150, 20), j] <- NA)
  x[150, ] <- NA
  x
})
fit <- with_test_seed(1, gmm(holed, 3, "EEE", na.action = na.pass,
                             control = gmm_control(n_init = 2)))

test_that("missing values get their means given the others, over the components", {
  out <- predict(fit, type = "impute")
  expect_s3_class(out, "data.frame")
  expect_identical(dimnames(out), dimnames(holed))
  prob <- predict(fit, holed, type = "prob")
  s <- fit$covariances[, , 1]
  for (i in which(rowSums(is.na(holed)) > 0)) {
    at <- which(!is.na(holed[i, ]))
    value <- vapply(1:3, function(j) {
      mean <- fit$means[j, ]
      slope <- if (length(at)) s[-at, at, drop = FALSE] %*% solve(s[at, at])
      if (!length(at)) return(unname(mean))
      unname(drop(mean[-at] + slope %*% (unlist(holed[i, at]) - mean[at])))
    }, numeric(4 - length(at)))
    expected <- drop(matrix(value, ncol = 3) %*% prob[i, ])
    missed <- if (length(at)) setdiff(1:4, at) else 1:4
    expect_equal(unlist(out[i, missed], use.names = FALSE), expected, tolerance = 1e-10)
  }
})

test_that("what is there is unchanged to the bit, in data of any kind", {
  fill <- function(data, ...) predict(fit, data, type = "impute", ...)
  seen <- !is.na(holed)
  expect_identical(as.matrix(fill(holed))[seen], as.matrix(holed)[seen])
  expect_identical(fill(iris), iris)
  wide <- data.frame(who = letters[1:6], rev(holed[1:6, ]))
  out <- fill(wide)
  expect_identical(names(out), names(wide))
  expect_identical(out$who, wide$who)
  expect_false(anyNA(out))
  expect_equal(out[names(holed)], fill(holed[1:6, ]), ignore_attr = TRUE)
  m <- as.matrix(holed)
  expect_identical(fill(m), as.matrix(fill(holed)))
  expect_identical(fill(m[, 4:1]), fill(m)[, 4:1])
  expect_identical(suppressMessages(fill(unname(m))), unname(fill(m)))
  one <- gmm(c(faithful$waiting, NA), 2, na.action = na.pass)
  expect_equal(predict(one, c(a = 50, b = NA), type = "impute"),
               c(a = 50, b = sum(one$proportions * one$means)))
  by_formula <- gmm(~ log(eruptions) + waiting, faithful, k = 2)
  out <- predict(by_formula, data.frame(eruptions = c(2, NA), waiting = c(NA, 80)), type = "impute")
  expect_named(out, c("log(eruptions)", "waiting"))
  skip_if_not_installed("tibble")
  expect_s3_class(fill(tibble::as_tibble(holed)), "tbl_df")
})

test_that("draws have the conditional distribution, and R's seed governs them", {
  draw <- function(m, seed) with_test_seed(seed, predict(fit, holed, type = "impute", draws = m))
  sets <- draw(3, 2)
  expect_named(sets, c("draw_1", "draw_2", "draw_3"))
  expect_identical(draw(3, 2), sets)
  expect_false(identical(sets[[1]], sets[[2]]))
  seen <- !is.na(holed)
  for (data in sets) {
    expect_false(anyNA(data))
    expect_identical(as.matrix(data)[seen], as.matrix(holed)[seen])
  }
  # one row, many times
  row <- holed[rep(which(is.na(holed[[2]]) & rowSums(is.na(holed)) == 1)[1], 4000), ]
  values <- with_test_seed(3, predict(fit, row, type = "impute", draws = 1))[[1]][[2]]
  part <- gmm_conditional(fit, unlist(row[1, -2]))
  expect_gt(ks.test(values, function(q) pgmm(q, part))$p.value, 0.001)
  # nothing known: the mixture itself
  none <- matrix(NA_real_, 4000, 4, dimnames = list(NULL, names(holed)))
  values <- with_test_seed(4, predict(fit, none, type = "impute", draws = 1))[[1]]
  part <- gmm_marginal(fit, 3)
  expect_gt(ks.test(values[, 3], function(q) pgmm(q, part))$p.value, 0.001)
})

test_that("imputation refuses what it can't do", {
  expect_gm_error(predict(fit, holed, type = "impute", draws = 0), "argument", "`draws`")
  expect_gm_error(predict(fit, holed, draws = 2), "argument", "`draws`")
  expect_gm_error(predict(fit, holed, type = "impute", na.action = na.omit), "argument", "na.pass")
  bare <- as_gmm(list(proportions = fit$proportions, means = fit$means,
                      covariances = fit$covariances))
  expect_gm_error(predict(bare, type = "impute"), "data", "rows")
  expect_identical(predict(bare, holed, type = "impute"), predict(fit, holed, type = "impute"))
  far <- holed[1:2, ]
  far[1, ] <- c(Inf, NA, 1, 1)
  expect_warning(out <- predict(fit, far, type = "impute"), class = "gaussmix_warning_infinite")
  expect_true(is.na(out[1, 2]))
})
