quick <- gmm_control(n_init = 1, init = "kmeans++", tol = 1e-6)
lrt <- function(..., control = quick, seed = 1) {
  with_test_seed(seed, gmm_lrt(..., control = control))
}
two <- with_test_seed(4, c(rnorm(40), rnorm(60, 8)))

test_that("it finds the groups that are there, and stops at the first k that is not rejected", {
  tests <- lrt(two, n_boot = 19)
  expect_identical(tests$chosen, 2L)
  expect_identical(tests$table$k, 1:2)
  expect_identical(tests$table$p[1], 1 / 20)
  expect_gt(tests$table$p[2], 0.05)
  one <- lrt(two[1:40], k = 1:3, n_boot = 19)
  expect_identical(one$chosen, 1L)
  expect_identical(nrow(one$table), 1L)
  all <- lrt(two, k = 1, n_boot = 19)
  expect_identical(all$chosen, 2L)
  expect_match(tail(format(all), 1), "at least 2 components: no test up to k = 1 ends above")
})

test_that("statistic and p are what they say", {
  tests <- lrt(two, k = 2, covariance = "E", n_boot = 25)
  fits <- lapply(2:3, function(k) with_test_seed(1, gmm(two, k, "E")))
  expect_equal(tests$table$loglik, c(logLik(fits[[1]])), tolerance = 1e-5)
  expect_equal(tests$table$statistic, 2 * (tests$table$loglik_more - tests$table$loglik),
               tolerance = 1e-12)
  under <- tests$replicates[["2"]]
  expect_length(under, 25)
  expect_true(all(under >= 0))
  expect_identical(tests$table$p, (sum(under >= tests$table$statistic) + 1) / 26)
  expect_identical(tests$table$fitted + tests$table$failed, 25L)
})

test_that("set.seed() governs it, and the number of processes changes nothing", {
  fits <- lapply(c(1, 2), function(cl) lrt(faithful, k = 2, n_boot = 19, cl = cl))
  same <- setdiff(names(fits[[1]]), "call")
  expect_identical(fits[[1]][same], fits[[2]][same])
  expect_false(identical(lrt(faithful, k = 2, n_boot = 19, seed = 2)$replicates,
                         fits[[1]]$replicates))
})

test_that("the statistic is never below 0: k + 1 components contain k", {
  # a start that ends far below the maximum of fewer components
  poor <- gmm_control(max_iter = 1, init = function(x, k) rep_len(seq_len(k), nrow(x)))
  data <- as_gmm_data(faithful)
  best <- bare_parameters(with_test_seed(1, gmm(faithful, 2)), "init")
  pair <- fit_pair(data, 2L, "VVV", poor, best)
  expect_lt(fit_model(data, 3L, "VVV", poor)$best$loglik, pair$null$best$loglik)
  expect_gte(pair$statistic, 0)
  for (family in names(families)) {
    null <- with_test_seed(1, fit_model(data, 2L, family, quick))
    split <- split_component(null, 2L)
    # the halves are a start that the family allows, close below what it was before
    control <- gmm_control(init = split, max_iter = 20)
    wider <- fit_model(data, 3L, family, control)
    expect_gt(wider$best$loglik, null$best$loglik - 3)
    expect_equal(colSums(split$proportions * split$means),
                 colSums(null$proportions * null$means), tolerance = 1e-12, ignore_attr = TRUE)
  }
})

test_that("solutions with a spurious component are no evidence, and are counted", {
  few <- iris[seq(1, 150, 5), 1:4]
  tests <- lrt(few, k = 2, n_boot = 19, control = NULL)
  expect_identical(tests$table$statistic, 0)
  expect_identical(tests$table$loglik_more, NA_real_)
  expect_identical(tests$table$p, 1)
  expect_gt(tests$table$unsound, 10)
  expect_match(format(tests), "without a sound solution", all = FALSE)
  expect_gm_error(lrt(few, k = 6, n_boot = 19), "degenerate", call = "gmm_lrt")
  ended <- lrt(few[1:4], k = c(1, 6), n_boot = 19)
  expect_identical(ended$chosen, NA_integer_)
  expect_match(tail(format(ended), 1), "ended at k = 6: ")
  draw(ended)
})

test_that("a fit, a choice and a formula are taken too", {
  fit <- with_test_seed(1, gmm(faithful, 2))
  tests <- with_test_seed(1, gmm_lrt(fit, n_boot = 19))
  expect_identical(tests$table$k, 2L)
  expect_gte(tests$table$loglik, fit$loglik - 1e-8)
  expect_identical(tests$covariance, "VVV")
  choice <- with_test_seed(1, gmm_select(faithful$waiting, k = 1:3, control = quick))
  by_choice <- with_test_seed(1, gmm_lrt(choice, n_boot = 19))
  expect_identical(by_choice$covariance, choice$table$covariance[choice$chosen])
  expect_identical(by_choice$chosen, 2L)
  formula <- with_test_seed(1, gmm_lrt(~ waiting, faithful, k = 1, n_boot = 19,
                                       subset = waiting < 70))
  expect_identical(formula$rows, sum(faithful$waiting < 70))
  # weights are rows: as many are simulated
  weighted <- lrt(faithful$waiting, k = 1, n_boot = 19, weights = rep(1:0, c(200, 72)))
  plain <- lrt(faithful$waiting[1:200], k = 1, n_boot = 19)
  expect_equal(weighted$table$statistic, plain$table$statistic, tolerance = 1e-4)
  expect_equal(weighted$replicates, plain$replicates, tolerance = 1e-3)
})

test_that("print() gives the tests and the answer; plot() draws them", {
  tests <- lrt(two, n_boot = 19)
  lines <- format(tests)
  expect_identical(lines[c(1:4, length(lines))], c(
    "Bootstrap likelihood-ratio tests: k against k + 1 components, full (V)",
    "100 rows x 1 variable", "19 replicates a test, level 0.05", " k against statistic    p",
    "2 components: the first k that is not rejected"
  ))
  expect_output(expect_identical(withVisible(print(tests))$visible, FALSE))
  frame <- as.data.frame(tests)
  expect_identical(names(frame), lrt_columns)
  sum <- summary(tests)
  expect_identical(sum$tests$p, frame$p)
  p_at <- function(i, s) (sum(tests$replicates[[i]] >= s) + 1) / (frame$fitted[i] + 1)
  for (i in seq_len(nrow(frame))) {
    expect_gt(p_at(i, sum$tests$critical[i]), tests$level)
    expect_lte(p_at(i, sum$tests$critical[i] + 1e-9), tests$level)
  }
  expect_output(print(sum), "critical at the level.*2 components: the first k")
  expect_identical(draw(tests), tests)
  draw(tests, main = c("a", "b"), sub = "", xlim = c(0, 30))
})

test_that("what can't be is refused by a classed error", {
  expect_gm_error(gmm_lrt(), "argument", "`x`, the data, is lacking")
  expect_gm_error(lrt(two, n_boot = 9), "argument",
                  "`n_boot` must be at least 19 for a level of 0.05, not 9", "gmm_lrt")
  expect_gm_error(lrt(two, k = 0), "argument", "`k`")
  expect_gm_error(lrt(two, level = 5), "argument", "`level`")
  expect_gm_error(lrt(two, B = 99), "argument", "`B` is not an argument")
  expect_gm_error(lrt(two, covariance = c("full", "tied")), "argument", "`covariance`")
  expect_gm_error(lrt(two, k = 2, control = gmm_control(init = rep(1:2, 50))), "start",
                  "must serve 2 values of `k`")
  light <- with_test_seed(1, gmm(two, 2, control = gmm_control(keep = FALSE)))
  expect_gm_error(gmm_lrt(light), "data", "gmm_lrt()")
  expect_gm_error(gmm_lrt(gmm_params(1, 0, 1)), "data", "gmm_lrt()")
  broken <- lrt(two, k = 1, n_boot = 19)
  broken$table$p <- NULL
  expect_gm_error(print(broken), "object", "x$table")
})

test_that("a fit with a prior has no likelihood-ratio test", {
  map <- with_test_seed(1, gmm(two, 2, prior = gmm_prior()))
  expect_gm_error(gmm_lrt(map), "argument", "gmm_lrt() can't take a fit with", "gmm_lrt")
})

test_that("proportions can be equal, of data and of a fit", {
  tests <- lrt(faithful, k = 2, n_boot = 19, proportions = "equal")
  fit <- with_test_seed(1, gmm(faithful, 2, proportions = "equal"))
  expect_equal(tests$table$loglik, fit$loglik, tolerance = 1e-6)
  expect_match(format(tests)[1], "full \\(VVV\\), equal proportions$")
  of_fit <- with_test_seed(1, gmm_lrt(fit, n_boot = 19))
  expect_true(of_fit$equal)
  expect_equal(of_fit$table$loglik, fit$loglik, tolerance = 1e-6)
  expect_gm_error(lrt(two, proportions = "same"), "argument", "`proportions`", "gmm_lrt")
})

test_that("what has no test is refused with the reason, of fits and of choices", {
  x <- as.matrix(faithful)
  refused <- function(object, ...) {
    expect_gm_error(gmm_lrt(object), "argument", c("gmm_lrt() can't take a fit with", ...),
                    "gmm_lrt")
  }
  control <- gmm_control(n_init = 1, init = "kmeans++")
  at <- function(...) with_test_seed(1, gmm(x, 2, control = control, ...))
  choose <- function(...) with_test_seed(1, gmm_select(x, 1:2, "VVV", control = control, ...))
  labels <- c("a", "b", rep(NA, 270))
  bic <- "BIC() compares"
  refused(at(labels = labels), "`labels`: which rows", bic)
  refused(choose(labels = labels), "`labels`: which rows", bic)
  refused(at(noise = TRUE), "`noise`: one more component", bic)
  refused(choose(noise = TRUE), "`noise`: one more component", bic)
  refused(at(fixed = list(proportions = c(0.3, 0.7))), "`fixed`: what is fixed", bic)
  refused(at(trim = 0.05), "`trim`: draws")
  refused(choose(trim = 0.05), "`trim`: draws")
})
