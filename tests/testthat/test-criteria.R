x <- as.matrix(faithful)
two <- with_test_seed(1, gmm(x, 2))
three <- with_test_seed(1, gmm(x, 3, "tied"))

test_that("each criterion is what its definition says", {
  w <- with_test_seed(2, rexp(272))
  weighted <- with_test_seed(1, gmm(x, 2, "diag", weights = w))
  for (fit in list(two, three, weighted)) {
    value <- gmm_criteria(fit)
    df <- attr(logLik(fit), "df")
    n <- nobs(fit)
    expect_equal(value$BIC, BIC(fit), tolerance = 1e-14)
    expect_equal(value$AIC, AIC(fit), tolerance = 1e-14)
    expect_equal(value$AICc, AIC(fit) + 2 * df * (df + 1) / (n - df - 1), tolerance = 1e-14)
    weights <- if (is.null(fit$weights)) rep(1, 272) else fit$weights
    largest <- apply(predict(fit, type = "prob"), 1, max)
    expect_equal(value$ICL, BIC(fit) - 2 * sum(weights * log(largest)), tolerance = 1e-12)
    expect_identical(c(value$df, value$nobs, value$loglik, value$k), c(df, n, fit$loglik, fit$k))
  }
})

test_that("AICc tends to AIC as n grows, and is Inf where n <= df + 1", {
  value <- function(df, n) criteria_table(-100, df, n, 0)
  expect_equal(value(5, 1e9)$AICc, value(5, 1e9)$AIC, tolerance = 1e-9)
  expect_identical(value(5, c(5, 6))$AICc, c(Inf, Inf))
  expect_equal(value(5, 7)$AICc, 210 + 60)
  few <- gmm_select(c(1, 2, 4), 1)
  expect_identical(few$table$AICc, Inf)
  expect_identical(best_row("AICc", few$table, 3), 1L)
  expect_silent(draw(few, criteria = "AICc"))
})

test_that("several fits are a row each, named as in the call", {
  both <- gmm_criteria(two, tied = three)
  expect_identical(rownames(both), c("two", "tied"))
  expect_equal(both["tied", ], gmm_criteria(three), ignore_attr = TRUE)
  expect_identical(both$covariance, c("VVV", "EEE"))
  expect_identical(rownames(gmm_criteria(two, two)), c("two", "two.1"))
  expect_identical(nrow(do.call(gmm_criteria, list(two, three))), 2L)
})

test_that("ICL takes the sum of w log(largest posterior), and is NA without rows", {
  largest <- log(apply(predict(three, type = "prob"), 1, max))
  for (w in list(NULL, as.double(seq_len(272)))) {
    expect_equal(engine_certainty(x, w, three), sum((if (is.null(w)) 1 else w) * largest),
                 tolerance = 1e-12)
  }
  light <- with_test_seed(1, gmm(x, 3, "tied", control = gmm_control(keep = FALSE)))
  expect_identical(gmm_criteria(light)[c("BIC", "ICL")],
                   data.frame(BIC = BIC(three), ICL = NA_real_, row.names = "light"))
})

test_that("what can't be compared is said", {
  other <- with_test_seed(1, gmm(x[-1, ], 2))
  expect_gm_warning(gmm_criteria(two, other), "comparison", "number of rows: 272, 271")
  mode <- with_test_seed(1, gmm(x, 2, prior = gmm_prior()))
  expect_gm_warning(gmm_criteria(two, mode), "comparison", "prior")
  expect_no_warning(gmm_criteria(mode))
  expect_gm_error(gmm_criteria(two, 3), "argument", "must be a fit by gmm(), not 3", "gmm_criteria")
  expect_gm_error(gmm_criteria(gmm_params(1, 0, 1)), "data", "gmm_params()", "gmm_criteria")
})
