# Missing values: the likelihood and the EM steps of the observed values, against the textbook.

# One EM step, a row and a component at a time: expectations of the missing values and of their
# products, then the M-step of the family (Ghahramani & Jordan 1994, section 3).
oracle_step <- function(x, params, family, w) {
  k <- length(params$proportions)
  d <- ncol(x)
  nk <- numeric(k)
  first <- matrix(0, k, d)
  second <- array(0, c(d, d, k))
  for (i in seq_len(nrow(x))) {
    at <- which(!is.na(x[i, ]))
    part <- list(proportions = params$proportions, means = params$means[, at, drop = FALSE],
                 covariances = params$covariances[at, at, , drop = FALSE])
    r <- w[i] * drop(oracle_estep(t(x[i, at]), part))
    for (j in seq_len(k)) {
      s <- matrix(params$covariances[, , j], d)
      full <- params$means[j, ]
      spread <- s
      slope <- s[, at, drop = FALSE] %*% solve(s[at, at, drop = FALSE])
      full <- full + drop(slope %*% (x[i, at] - full[at]))
      spread <- s - slope %*% s[at, , drop = FALSE]
      nk[j] <- nk[j] + r[j]
      first[j, ] <- first[j, ] + r[j] * full
      second[, , j] <- second[, , j] + r[j] * (spread + tcrossprod(full))
    }
  }
  means <- first / nk
  scatter <- lapply(seq_len(k), function(j) second[, , j] - nk[j] * tcrossprod(means[j, ]))
  pooled <- Reduce(`+`, scatter) / sum(nk)
  one <- function(j) {
    switch(family, VVV = scatter[[j]] / nk[j], EEE = pooled,
           VVI = diag(diag(scatter[[j]]) / nk[j], d),
           VII = diag(sum(diag(scatter[[j]])) / (d * nk[j]), d), EEI = diag(diag(pooled), d))
  }
  list(proportions = nk / sum(nk), means = means,
       covariances = array(unlist(lapply(seq_len(k), one)), c(d, d, k)))
}

case <- local({
  params <- random_params("VVV", 4, 3, 21)
  x <- random_data(120, params, 22)
  attr(x, "component") <- NULL
  x <- holes(x, 0.25, 23)
  list(x = x[rowSums(!is.na(x)) > 0, ], start = random_params("VVI", 4, 3, 24, 1))
})

steps_from <- function(x, start, family, steps, w = NULL, ...) {
  k <- length(start$proportions)
  gmm(x, k, family, weights = w, na.action = na.pass, ...,
      control = gmm_control(init = start, max_iter = steps, tol = 0, floor = 1e-14))
}

test_that("the log-likelihood is that of the densities of the observed variables", {
  full <- random_params("VVV", 4, 3, 25)
  fit <- suppressWarnings(steps_from(case$x, full, "VVV", 0))
  expect_equal(predict(fit, type = "logdensity"), oracle_observed(case$x, full),
               tolerance = 1e-12, ignore_attr = TRUE)
  expect_equal(fit$loglik, sum(oracle_observed(case$x, full)), tolerance = 1e-12)
})

test_that("EM steps are those of the textbook, for wide, tied and diagonal families", {
  for (family in c("VVV", "EEE", "VVI", "EEI", "VII")) {
    for (w in list(NULL, with_test_seed(4, rexp(nrow(case$x))))) {
      params <- case$start
      if (family %in% c("EEE", "EEI")) params$covariances[] <- diag(2, 4)
      if (family == "VII") for (j in 1:3) params$covariances[, , j] <- diag(j, 4)
      start <- params
      weights <- if (is.null(w)) rep(1, nrow(case$x)) else w
      trace <- sum(weights * oracle_observed(case$x, params))
      for (step in 1:4) {
        params <- oracle_step(case$x, params, family, weights)
        trace <- c(trace, sum(weights * oracle_observed(case$x, params)))
      }
      fit <- suppressWarnings(steps_from(case$x, start, family, 4, w))
      expect_equal(fit$trace, trace, tolerance = 1e-10)
      expect_equal(unname(fit$means), params$means, tolerance = 1e-8)
      expect_equal(unname(fit$covariances), params$covariances, tolerance = 1e-8)
      expect_equal(unname(fit$proportions), params$proportions, tolerance = 1e-10)
    }
  }
})

test_that("the likelihood never falls, in any family, with weights, labels, a prior, equal parts", {
  x <- holes(as.matrix(iris[1:4]), 0.2, 31)
  labels <- iris$Species
  labels[with_test_seed(32, sample(150, 100))] <- NA
  for (code in names(families)) {
    for (options in list(list(), list(weights = with_test_seed(33, rexp(150))),
                         list(labels = labels, proportions = "equal"),
                         list(prior = gmm_prior(), labels = labels))) {
      fit <- suppressWarnings(do.call(gmm, c(
        list(x, 3, code, na.action = na.pass,
             control = gmm_control(init = iris$Species, max_iter = 30, tol = 0)), options)))
      expect_gt(min(diff(fit$trace)), -1e-9 * abs(fit$objective))
      expect_gt(fit$iterations, 5)
    }
  }
})

test_that("weight 2 is the row twice, and the order of the rows changes nothing", {
  fit <- suppressWarnings(steps_from(case$x, case$start, "VVV", 5))
  n <- nrow(case$x)
  twice <- suppressWarnings(steps_from(case$x[c(1:n, 1:10), ], case$start, "VVV", 5))
  weighted <- suppressWarnings(steps_from(case$x, case$start, "VVV", 5,
                                          c(rep(2, 10), rep(1, n - 10))))
  expect_equal(weighted$covariances, twice$covariances, tolerance = 1e-10)
  expect_equal(weighted$loglik, twice$loglik, tolerance = 1e-12)
  mixed <- with_test_seed(5, sample(n))
  other <- suppressWarnings(steps_from(case$x[mixed, ], case$start, "VVV", 5))
  expect_equal(other$covariances, fit$covariances, tolerance = 1e-10)
  expect_equal(unname(predict(other, type = "prob")), unname(predict(fit, type = "prob")[mixed, ]),
               tolerance = 1e-9)
})

test_that("a row that is wholly missing changes nothing and isn't counted", {
  x <- rbind(NA, case$x[1:50, ], NA, case$x[-(1:50), ])
  fit <- suppressWarnings(steps_from(case$x, case$start, "VVV", 5))
  more <- suppressWarnings(steps_from(x, case$start, "VVV", 5))
  expect_identical(more$covariances, fit$covariances)
  expect_identical(more$loglik, fit$loglik)
  expect_identical(nobs(more), nobs(fit))
  expect_identical(more$missing[["empty"]], 2L)
  expect_identical(unname(predict(more, type = "logdensity")[c(1, 52)]), c(0, 0))
  expect_identical(predict(more, type = "prob")[1, ], more$proportions)
})

test_that("a wholly missing row with a label adds the logarithm of its proportion", {
  labels <- rep(NA, nrow(case$x))
  labels[1:9] <- rep(1:3, 3)
  fit <- suppressWarnings(steps_from(case$x, case$start, "VVV", 0, labels = labels))
  more <- suppressWarnings(steps_from(rbind(case$x, NA), case$start, "VVV", 0,
                                      labels = c(labels, 2)))
  expect_equal(more$loglik - fit$loglik, log(case$start$proportions[2]), tolerance = 1e-9)
  expect_equal(nobs(more) - nobs(fit), 1)
})

test_that("an effective size is the least over the variables of those that observe them", {
  x <- as.matrix(iris[1:4])
  x[iris$Species == "setosa", 2][1:45] <- NA
  fit <- suppressWarnings(gmm(x, 3, "VVI", labels = iris$Species, na.action = na.pass))
  expect_equal(fit$verdict$size, c(5, 50, 50))
  expect_identical(fit$verdict$spurious, c(FALSE, FALSE, FALSE))
  x[iris$Species == "setosa", 2][46:47] <- NA
  expect_warning(few <- gmm(x, 3, "VVI", labels = iris$Species, na.action = na.pass),
                 class = "gaussmix_warning_spurious")
  expect_equal(few$verdict$size[1], 3)
})

test_that("fits and scores have the same bits for 1, 2 and 4 threads", {
  x <- holes(random_data(20000, random_params("VVV", 3, 4, 11), 12), 0.2, 13)
  for (family in c("VVV", "EEE", "VVI")) {
    fits <- lapply(c(1, 2, 4), function(threads) {
      with_test_seed(1, gmm(x, 4, family, na.action = na.pass, control = gmm_control(
        n_init = 2, tol = 0, max_iter = 5, search = 2, threads = threads)))
    })
    for (fit in fits[-1]) {
      expect_identical(fit$trace, fits[[1]]$trace)
      expect_identical(fit$covariances, fits[[1]]$covariances)
      expect_identical(predict(fit, type = "prob"), predict(fits[[1]], type = "prob"))
    }
  }
})

test_that("one component with a monotone pattern has a closed form", {
  # Anderson (1957): the regression of the second variable on the first, from complete rows
  x <- as.matrix(faithful)
  x[201:272, 2] <- NA
  fit <- gmm(x, 1, na.action = na.pass)
  line <- stats::lm(x[1:200, 2] ~ x[1:200, 1])
  mean1 <- mean(x[, 1])
  var1 <- mean((x[, 1] - mean1)^2)
  slope <- coef(line)[[2]]
  expect_equal(fit$means[[1, 1]], mean1, tolerance = 1e-6)
  expect_equal(fit$means[[1, 2]], coef(line)[[1]] + slope * mean1, tolerance = 1e-5)
  expect_equal(fit$covariances[1, 2, 1], slope * var1, tolerance = 1e-4)
  expect_equal(fit$covariances[2, 2, 1], mean(residuals(line)^2) + slope^2 * var1, tolerance = 1e-4)
})

test_that("many rows are searched on a sample, which has its missing values", {
  x <- holes(random_data(12000, random_params("VVV", 2, 3, 41, 4), 42), 0.3, 43)
  fit <- with_test_seed(2, gmm(x, 3, na.action = na.pass,
                               control = gmm_control(search = 4, n_init = 2)))
  truth <- with_test_seed(2, gmm(x, 3, na.action = na.pass,
                                 control = gmm_control(init = random_params("VVV", 2, 3, 41, 4))))
  expect_gt(fit$loglik, truth$loglik - 0.01)
})
