x <- as.matrix(faithful)
fits <- lapply(c(full = "full", tied = "tied", diag = "diag", spherical = "spherical"),
               function(family) {
  with_test_seed(1, gmm(faithful, 3, family))
})
fit <- fits$full

test_that("every type is the formula's value, for each family", {
  for (fit in fits) {
    terms <- oracle_component(x, fit)
    prob <- oracle_estep(x, fit)
    near <- function(type, want, tolerance = 1e-12) {
      expect_equal(unname(predict(fit, type = type)), unname(want), tolerance = tolerance,
                   info = type)
    }
    near("component", terms)
    near("logdensity", oracle_logdens(x, fit), 1e-13)
    near("density", exp(oracle_logdens(x, fit)))
    near("prob", prob, 1e-11)
    near("mahalanobis", oracle_mahalanobis(x, fit))
    near("uncertainty", 1 - apply(prob, 1, max), 1e-10)
    expect_identical(as.integer(predict(fit)), max.col(prob, "first"))
  }
})

test_that("values have a row per row, with names", {
  new <- faithful[c(5, 2, 9), ]
  for (type in c("prob", "component", "mahalanobis")) {
    expect_identical(dimnames(predict(fit, new, type = type)),
                     list(c("5", "2", "9"), c("1", "2", "3")))
    expect_identical(dim(predict(fit, new[0, ], type = type)), c(0L, 3L))
    expect_identical(dim(predict(fit, new[1, ], type = type)), c(1L, 3L))
  }
  for (type in c("class", "density", "logdensity", "uncertainty")) {
    expect_named(predict(fit, new, type = type), c("5", "2", "9"))
    expect_length(predict(fit, new[0, ], type = type), 0)
  }
  expect_identical(levels(predict(fit, new[0, ])), c("1", "2", "3"))
  expect_message(bare <- predict(fit, unname(x)), "order `eruptions`, `waiting`",
                 class = "gaussmix_message")
  expect_null(names(bare))
})

test_that("columns are matched by name", {
  want <- predict(fit, faithful)
  expect_identical(predict(fit, faithful[2:1]), want)
  expect_identical(predict(fit, cbind(faithful, extra = "a")), want)
  expect_identical(predict(fit, x[, 2:1]), want)
  expect_gm_error(predict(fit, faithful[1]), "names", "`waiting`")
  expect_gm_error(predict(fit, data.frame(a = 1, b = 2)), "names", "`eruptions`")
})

test_that("rows with missing values get the exact result of what is there", {
  new <- as.matrix(iris[c(1, 60, 120, 70, 10, 4), 1:4])
  new[2, 3] <- NA
  new[3, c(1, 4)] <- NaN
  new[5, 3] <- NA
  new[6, ] <- NA
  for (fit in lapply(c("full", "tied", "diag", "spherical"), function(code) {
    with_test_seed(1, gmm(iris[1:4], 3, code, control = gmm_control(n_init = 2, search = 0)))
  })) {
    logs <- function(row, there) {
      vapply(1:3, function(j) {
        log(fit$proportions[j]) + mvtnorm::dmvnorm(
          new[row, there], fit$means[j, there],
          as.matrix(fit$covariances[there, there, j]), log = TRUE)[[1L]]
      }, 0) |> stats::setNames(1:3)
    }
    component <- predict(fit, new, type = "component")
    expect_identical(rownames(component), rownames(new))
    expect_equal(component[2, ], logs(2, c(1, 2, 4)), tolerance = 1e-12)
    expect_equal(component[3, ], logs(3, 2:3), tolerance = 1e-12)
    expect_equal(component[5, ], logs(5, c(1, 2, 4)), tolerance = 1e-12)
    complete <- c(1, 4)
    for (type in c("class", "prob", "density", "logdensity", "component", "mahalanobis",
                   "uncertainty")) {
      got <- predict(fit, new, type = type)
      alone <- predict(fit, new[complete, ], type = type)
      expect_identical(if (is.matrix(got)) got[complete, ] else got[complete], alone, info = type)
      expect_false(anyNA(got), info = type)
    }
    sums <- log(rowSums(exp(component)))
    expect_equal(predict(fit, new, type = "logdensity")[1:5], sums[1:5], tolerance = 1e-12)
    expect_identical(predict(fit, new, type = "logdensity")[[6]], 0)
    expect_equal(predict(fit, new, type = "prob"), exp(component - sums), tolerance = 1e-12)
    expect_identical(predict(fit, new, type = "prob")[6, ], fit$proportions)
    expect_identical(predict(fit, new, type = "class"),
                     stats::setNames(factor(most_probable(predict(fit, new, type = "prob")), 1:3),
                                     rownames(new)))
  }
  flowers <- data.frame(new)
  expect_equal(predict(fit, flowers[4:1]), predict(fit, new))
  expect_length(predict(fit, new, na.action = na.omit), 2)
  expect_identical(unname(is.na(predict(fit, new, na.action = na.exclude))),
                   c(FALSE, TRUE, TRUE, FALSE, TRUE, TRUE))
  expect_gm_error(predict(fit, new, na.action = na.fail), "missing")
  expect_identical(unname(is.na(gmm_anomaly(fit, flowers)$score)),
                   c(FALSE, TRUE, TRUE, FALSE, TRUE, TRUE))
})

test_that("far rows keep finite log-densities, and posteriors that sum to 1", {
  m <- gmm_params(c(.2, .3, .5), rbind(c(0, 0), c(1, 1), c(-1, 2)),
                  list(diag(2), matrix(c(2, .5, .5, 1), 2), diag(c(.5, 3))))
  far <- rbind(c(1e3, 0), c(1e6, -1e6), c(-1e99, 1e99), c(1e150, 1), c(1e160, 1), c(-1e300, 1e300))
  logdens <- predict(m, far, type = "logdensity")
  expect_true(all(is.finite(logdens[1:4])))
  expect_equal(logdens[1:2], oracle_logdens(far[1:2, ], m), tolerance = 1e-12)
  prob <- predict(m, far, type = "prob")
  expect_false(anyNA(prob))
  expect_lte(max(abs(rowSums(prob) - 1)), 3e-15)
  nearest <- apply(oracle_mahalanobis(far / apply(abs(far), 1, max), gmm_params(
    m$proportions, m$means * 0, m$covariances)), 1, which.min)
  expect_identical(max.col(prob, "first")[2:6], nearest[2:6])
  expect_equal(predict(m, far, type = "density")[3:6], rep(0, 4))
})

test_that("infinite values have density 0 and no posterior", {
  new <- cbind(eruptions = c(Inf, -Inf, 3), waiting = c(1, Inf, 60))
  expect_identical(predict(fit, new, type = "logdensity")[1:2], c(-Inf, -Inf))
  expect_gm_warning(prob <- predict(fit, new, type = "prob"), "infinite", "2 rows of `newdata`")
  expect_true(all(is.na(prob[1:2, ])) && !any(is.nan(prob[1:2, ])))
  expect_equal(sum(prob[3, ]), 1)
  expect_gm_warning(class <- predict(fit, new), "infinite")
  expect_identical(is.na(class), c(TRUE, TRUE, FALSE))
})

test_that("a tie goes to the first component", {
  m <- gmm_params(c(.5, .5), cbind(c(-1, 1)), c(1, 1))
  expect_identical(predict(m, 0, type = "prob"),
                   matrix(.5, 1, 2, dimnames = list(NULL, c("1", "2"))))
  expect_identical(as.character(predict(m, 0)), "1")
})

test_that("a component of proportion 0 contributes nothing", {
  m <- gmm_params(c(0, .4, .6), rbind(c(0, 0), c(1, 1), c(3, 0)), diag(2))
  two <- gmm_params(c(.4, .6), rbind(c(1, 1), c(3, 0)), diag(2))
  new <- rbind(c(0, 0), c(1e200, 1), c(2, 2))
  expect_identical(predict(m, new, type = "prob")[, 1], c(0, 0, 0))
  expect_equal(predict(m, new, type = "prob")[, 2:3], predict(two, new, type = "prob"),
               ignore_attr = TRUE)
  expect_equal(predict(m, new, type = "logdensity"), predict(two, new, type = "logdensity"))
})

test_that("predict() is predict(newdata = the rows fitted), and never changes the fit", {
  copy <- fit
  for (type in c("class", "prob", "logdensity")) {
    expect_identical(predict(fit, type = type), predict(fit, faithful, type = type))
  }
  expect_identical(fit, copy)
  expect_gm_error(predict(fit, type = "posterior"), "argument", "one of")
  expect_gm_error(predict(fit, faithful, tipe = "prob"), "argument", "`tipe`")
})

test_that("fitted values and residuals add up to the rows", {
  expect_equal(fitted(fit) + residuals(fit), x)
  expect_equal(unname(fitted(fit)), unname(predict(fit, type = "prob") %*% fit$means))
  one <- with_test_seed(1, gmm(faithful$waiting, 2))
  expect_equal(fitted(one) + residuals(one), faithful$waiting)
  squared <- predict(fit, type = "mahalanobis")
  own <- squared[cbind(seq_len(272), as.integer(predict(fit)))]
  expect_equal(unname(residuals(fit, "mahalanobis")^2), own)
})

test_that("infinite rows are named by their numbers in newdata", {
  new <- faithful[11:16, ]
  new$waiting[c(1, 3)] <- NA
  new$eruptions[c(4, 6)] <- Inf
  for (policy in list(na.omit, na.exclude)) {
    w <- expect_gm_warning(predict(fit, new, na.action = policy), "infinite", "no posterior: 4, 6.")
    expect_identical(w$rows, c(4L, 6L))
  }
})

test_that("a tiny uncertainty is exact", {
  m <- gmm_params(c(.5, .5), c(-5, 5), c(1, 1))
  expect_equal(log(predict(m, c(-5, 6), type = "uncertainty")), c(-50, -60), tolerance = 1e-12)
})

test_that("misspelt arguments are refused", {
  for (f in list(fitted, residuals, coef, summary, as.data.frame, vcov, confint)) {
    expect_gm_error(f(fit, tpye = "a"), "argument", "`tpye` is not an argument of")
  }
  expect_identical(coef(fit, complete = FALSE), coef(fit))
  expect_named(data.frame(fit), names(as.data.frame(fit)))
})

test_that("far rows have a posterior in 500 variables and with far means too", {
  d <- 500
  for (variance in c(25, 0.0025)) {
    m <- gmm_params(c(.5, .5), rbind(rep(0, d), rep(1, d)), array(diag(variance, d), c(d, d, 2)),
                    covariance = "spherical")
    expect_equal(rowSums(predict(m, matrix(1e160, 1, d), type = "prob")), 1)
  }
  m <- gmm_params(c(.5, .5), matrix(c(1e160, -1e161), 2), c(1, 1))
  expect_equal(unname(predict(m, c(0, 1), type = "prob")), cbind(c(1, 1), 0))
})
