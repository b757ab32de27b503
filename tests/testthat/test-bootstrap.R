quick <- gmm_control(n_init = 1, search = 0)
types <- c("parametric", "weighted", "nonparametric")
fit <- with_test_seed(1, gmm(faithful, 2))
boot_of <- function(..., seed = 1) with_test_seed(seed, gmm_boot(...))
se <- function(object) sqrt(diag(vcov(object)))

test_that("set.seed() governs it, and the number of processes changes nothing", {
  for (type in types) {
    one <- with_test_seed(1, list(gmm_boot(fit, 9, type), .Random.seed))
    two <- with_test_seed(1, list(gmm_boot(fit, 9, type, cl = 2), .Random.seed))
    same <- setdiff(names(one[[1]]), "call")
    expect_identical(two[[1]][same], one[[1]][same])
    expect_identical(two[[2]], one[[2]])
    # the first replicates of more are those of fewer, and those of another seed are others
    expect_false(identical(boot_of(fit, 9, type, seed = 2)$replicates, one[[1]]$replicates))
    expect_false(anyDuplicated(one[[1]]$runs$loglik) > 0)
  }
  # R's random numbers move as by the draws of the seeds
  expect_identical(two[[2]], with_test_seed(1, {
    draw_seeds(9)
    .Random.seed
  }))
})

test_that("for one component the spread is the textbook's", {
  one <- with_test_seed(1, gmm(faithful$waiting, 1))
  for (type in types) {
    boot <- boot_of(one, 200, type)
    expect_equal(se(boot)[["mean.1.V1"]], se(one)[["mean.1.V1"]], tolerance = 0.15)
    # the maximum-likelihood variance is too small by one part in n
    expect_lt(abs(mean(boot$replicates[, "mean.1.V1"]) - mean(faithful$waiting)), 0.15)
    expect_true(all(boot$replicates[, "proportion.1"] == 1))
  }
})

test_that("where groups are clear it agrees with the information", {
  for (type in types) {
    boot <- boot_of(fit, 150, type)
    expect_identical(names(coef(boot)), names(coef(fit)))
    expect_identical(dimnames(vcov(boot)), dimnames(vcov(fit)))
    expect_lt(max(abs(log(se(boot)[1:6] / se(fit)[1:6]))), log(1.25))
    # the two proportions are one
    expect_lt(abs(stats::cov2cor(vcov(boot))[1, 2] + 1), 1e-8)
  }
})

test_that("case weights count rows", {
  quadruple <- with_test_seed(1, gmm(faithful, 2, weights = rep(4, 272),
                                     control = gmm_control(init = fit)))
  for (type in types) {
    boot <- boot_of(quadruple, 100, type)
    expect_identical(nobs(boot), 4 * 272)
    expect_lt(max(abs(log(2 * se(boot)[1:6] / se(fit)[1:6]))), log(1.35))
  }
  # rows of weight 0 stay out
  w <- rep(1:0, c(200, 72))
  some <- with_test_seed(1, gmm(faithful, 2, weights = w))
  draw <- replicate_drawer(some, "weighted")
  expect_true(all((draw(1L)$weights > 0) == (w > 0)))
  expect_equal(sum(draw(1L)$weights), 200, tolerance = 1e-12)
  expect_identical(nrow(replicate_drawer(some, "parametric")(1L)$x), 200L)
  expect_identical(sum(replicate_drawer(some, "nonparametric")(1L)$weights), 200)
})

test_that("a replicate's components come in the order of the fit's", {
  model <- list(params = as_parameters(fit), k = 2L, control = fit$control)
  swapped <- gmm_params(fit$proportions[2:1], fit$means[2:1, ], fit$covariances[, , 2:1])
  model$control$init <- bare_parameters(swapped, "init")
  data <- list(x = fit$x, weights = NULL, scale = fit$scale, blueprint = fit$blueprint)
  run <- fit_replicate(data, model)
  expect_true(run$reordered)
  expect_equal(run$coef, coef(fit), tolerance = 1e-4)
})

test_that("it works for every family, in one and three variables", {
  for (d in c(1, 3)) {
    x <- with_test_seed(2, matrix(rnorm(150 * d), 150) + rep(c(0, 4), each = 75))
    for (code in if (d == 1) c("E", "V") else names(families)) {
      own <- with_test_seed(1, gmm(x, 2, code, control = quick))
      boot <- boot_of(own, 3, "weighted")
      expect_identical(dim(boot$replicates), c(3L, length(coef(own))))
      expect_identical(boot$runs$reason, rep("", 3))
      expect_gt(min(se(boot)), 0)
      expect_lt(max(abs(coef(boot) - coef(own))), 1e-15)
    }
  }
})

test_that("replicates that fail are counted and left out", {
  flowers <- with_test_seed(1, gmm(iris[1:4], 5))
  boot <- boot_of(flowers, 12, "nonparametric")
  failed <- boot$runs$reason != ""
  expect_gt(sum(failed), 0)
  expect_match(boot$runs$reason[failed], "singular covariance|No start survived")
  expect_true(all(is.na(boot$replicates[failed, ])))
  expect_identical(vcov(boot), stats::cov(boot$replicates[!failed, ]))
  lines <- format(boot)
  expect_match(lines[2], sprintf("%d fitted, %d failed", sum(!failed), sum(failed)))
  expect_match(lines[3], "too few replicates: the ends are their extremes")
  expect_output(print(summary(boot)), "Why replicates failed\n  [0-9]+: ")
  none <- rep(list(list(coef = NA_real_, loglik = NA_real_, converged = NA, spurious = NA,
                        reordered = NA, reason = "too flat")), 3)
  expect_gm_error(new_boot(fit, "weighted", none, quote(gmm_boot())), "degenerate",
                  "Of 3 replicates 0 could be fitted; the first: too flat")
})

test_that("intervals are quantiles, or normal on a scale that keeps them in range", {
  boot <- boot_of(fit, 99, "weighted")
  ends <- confint(boot, level = 0.9)
  sorted <- apply(boot$replicates, 2, sort)
  expect_equal(ends, t(sorted[c(5, 95), ]), ignore_attr = TRUE, tolerance = 1e-12)
  expect_identical(colnames(ends), c("5 %", "95 %"))
  expect_identical(rownames(ends), names(coef(fit)))
  expect_identical(confint(boot, 3:4, level = 0.9), ends[3:4, ])
  normal <- confint(boot, level = 0.9, type = "normal")
  z <- qnorm(0.95)
  b <- coef(fit)
  expect_equal(normal["mean.2.waiting", ], b[["mean.2.waiting"]] +
                 c(-z, z) * se(boot)[["mean.2.waiting"]], ignore_attr = TRUE, tolerance = 1e-12)
  name <- "cov.1.waiting.waiting"
  expect_equal(log(normal[name, ]), log(b[[name]]) + c(-z, z) * sd(log(boot$replicates[, name])),
               ignore_attr = TRUE, tolerance = 1e-12)
  expect_true(all(confint(boot, 1:2, level = 0.999999, type = "normal") %in% c(0, 1) == FALSE))
  expect_gm_warning(confint(boot, level = 0.99), "accuracy", "needs 199 replicates or more, not 99")
  expect_silent(confint(boot_of(fit, 39), level = 0.95))
})

test_that("summary(), print() and as.data.frame() say what there is", {
  boot <- boot_of(fit, 39)
  expect_identical(format(boot)[1:3], c(
    "Parametric bootstrap: 39 replicates of a fit (2 components, full (VVV), 2 variables)",
    "replicates: 39 fitted, 0 failed",
    "bias and standard error (se); percentile intervals, 95 %"
  ))
  expect_output(print(boot), "mean.1.waiting +79.9")
  long <- boot_of(with_test_seed(1, gmm(iris[1:4], 2)), 5)
  expect_match(format(long)[17], "and 18 coefficients more: see summary()")
  table <- summary(boot)$coefficients
  expect_identical(table$estimate, unname(coef(fit)))
  expect_equal(table$se, unname(se(boot)), tolerance = 1e-12)
  expect_equal(table$bias, unname(colMeans(boot$replicates) - coef(fit)), tolerance = 1e-12)
  frame <- as.data.frame(boot)
  expect_identical(dim(frame), c(39L, 6L + 12L))
  expect_identical(frame[["mean.1.waiting"]], boot$replicates[, "mean.1.waiting"])
})

test_that("plot() draws histograms", {
  boot <- boot_of(fit, 20)
  expect_identical(draw(boot), boot)
  draw(boot, "proportion.1", level = 0.5, main = "share", xlab = "proportion")
  draw(boot_of(with_test_seed(1, gmm(faithful$waiting, 1)), 20))
  expect_gm_error(draw(boot, "mean"), "argument", "`parm`")
  expect_gm_error(draw(boot, border = 2), "argument", "`border`")
})

test_that("what can't be is refused by a classed error", {
  light <- with_test_seed(1, gmm(faithful, 2, control = gmm_control(keep = FALSE)))
  expect_identical(dim(boot_of(light, 3)$replicates), c(3L, 12L))
  expect_gm_error(gmm_boot(light, 3, "weighted"), "data", "gmm_boot()", "gmm_boot")
  expect_gm_error(gmm_boot(gmm_params(1, 0, 1)), "data", "gmm_boot()")
  expect_gm_error(gmm_boot(3), "argument", call = "gmm_boot")
  expect_gm_error(gmm_boot(fit, 1), "argument", "`n_boot`")
  expect_gm_error(gmm_boot(fit, 9, "bootstrap"), "argument", "`type`")
  expect_gm_error(gmm_boot(fit, 9, nboot = 3), "argument", "`nboot` is not an argument")
  heavy <- with_test_seed(1, gmm(faithful, 2, weights = rep(1e8, 272)))
  expect_gm_error(gmm_boot(heavy, 3), "weights", "too many rows to draw")
  boot <- boot_of(fit, 3)
  expect_gm_error(confint(boot, "mean"), "argument", "`parm`", "confint")
  expect_gm_error(confint(boot, level = 1), "argument", "`level`")
  boot$runs <- NULL
  expect_gm_error(vcov(boot), "object", "object$runs")
  spurious <- fit
  spurious$verdict$spurious[2] <- TRUE
  expect_gm_warning(gmm_boot(spurious, 2), "spurious", "Component 2")
})

test_that("a fit with a prior is bootstrapped with it", {
  few <- iris[c(1:8, 51:58), 1:4] # too few for a maximum of the likelihood
  map <- suppressWarnings(with_test_seed(1, gmm(few, 2, prior = gmm_prior())))
  boot <- suppressWarnings(boot_of(map, 5, "weighted"))
  expect_identical(boot$runs$reason, rep("", 5))
  expect_gt(min(boot$replicates[, "cov.1.Sepal.Length.Sepal.Length"]), map$prior$scale[1, 1] / 50)
})

test_that("equal proportions stay equal", {
  same <- with_test_seed(1, gmm(faithful, 2, proportions = "equal"))
  boot <- boot_of(same, 9, "weighted")
  expect_true(all(boot$replicates[, 1:2] == 0.5))
  expect_match(format(boot)[1], "(2 components, full (VVV), equal proportions, 2 variables)",
               fixed = TRUE)
  expect_equal(confint(boot, 1, level = 0.5, type = "normal"), matrix(0.5, 1, 2),
               ignore_attr = TRUE)
})
