# Agreement with scikit-learn and mclust, and with log densities to 400 digits. The numbers, and the
# scripts and versions that made them, are in fixtures/ and data-raw/.

cases <- readRDS(test_path("fixtures", "cases.rds"))
peers <- lapply(
  c(scikit_learn = "sklearn.rds", mclust = "mclust.rds"),
  function(file) readRDS(test_path("fixtures", file))$results
)
families <- c("full", "tied", "diag", "spherical")

params_of <- function(start, family) {
  gmm_params(start$proportions, start$means, start$covariances, covariance = family)
}

fit_from_start <- function(case, family, ...) {
  init <- params_of(case$starts[[family]], family)
  gmm(case$x, case$k, family, control = gmm_control(init = init, ...))
}

# check(fit, result, label) for each case and family: fit(case, family) is made once and compared
# with the result of each peer.
compare_with_peers <- function(fit, check) {
  for (name in names(cases)) {
    for (family in families) {
      ours <- fit(cases[[name]], family)
      for (peer in names(peers)) {
        check(ours, peers[[peer]][[name]][[family]], paste(peer, name, family))
      }
    }
  }
}

# Largest difference in units of `scale`.
expect_close <- function(actual, expected, scale, tolerance, label) {
  expect_false(anyNA(actual), label = paste(label, "has missing values"))
  expect_lte(max(abs(c(actual) - c(expected)) / c(scale)), tolerance, label = label)
}

# Means in units of standard deviations, covariances in units of the product of two of them.
expect_close_params <- function(fit, result, tolerance, label) {
  d <- ncol(fit$means)
  k <- nrow(fit$means)
  covariances <- array(result$covariances, c(d, d, k))
  variances <- matrix(covariances[cbind(seq_len(d), seq_len(d), rep(seq_len(k), each = d))], d)
  products <- apply(sqrt(variances), 2, tcrossprod)
  expect_close(fit$proportions, result$proportions, 1, tolerance, paste(label, "proportions"))
  expect_close(fit$means, result$means, sqrt(t(variances)), tolerance, paste(label, "means"))
  expect_close(fit$covariances, covariances, products, tolerance, paste(label, "covariances"))
}

test_that("log densities and posteriors at given parameters agree", {
  score <- function(case, family) {
    params <- params_of(case$starts[[family]], family)
    list(
      logdensity = predict(params, case$points, type = "logdensity"),
      prob = predict(params, case$points, type = "prob")
    )
  }
  compare_with_peers(score, function(ours, result, label) {
    theirs <- result$start
    scale <- pmax(1, abs(theirs$logdensity))
    expect_close(ours$logdensity, theirs$logdensity, scale, 1e-12, paste(label, "logdensity"))
    expect_close(ours$prob, theirs$prob, 1, 1e-12, paste(label, "prob"))
  })
})

test_that("one EM step gives the same parameters", {
  one_step <- function(case, family) fit_from_start(case, family, max_iter = 1, tol = 0)
  compare_with_peers(one_step, function(fit, result, label) {
    expect_close_params(fit, result$step, 1e-9, label)
  })
})

test_that("thirty EM steps pass through the same log-likelihoods", {
  thirty_steps <- function(case, family) fit_from_start(case, family, max_iter = 30, tol = 0)
  compare_with_peers(thirty_steps, function(fit, result, label) {
    expect_length(fit$trace, 31)
    expect_close(fit$trace, result$trace, abs(result$trace), 1e-9, paste(label, "trace"))
  })
})

test_that("from the same start the same maximum is reached", {
  compare_with_peers(fit_from_start, function(fit, result, label) {
    loglik <- result$converged$loglik
    allowed <- if (nobs(fit) <= 1000) 1e-6 else 1e-9 * abs(loglik)
    expect_true(fit$converged, label = paste(label, "converged"))
    expect_close(fit$loglik, loglik, 1, allowed, paste(label, "loglik"))
  })
  tightly <- function(case, family) fit_from_start(case, family, tol = 1e-13)
  compare_with_peers(tightly, function(fit, result, label) {
    expect_close_params(fit, result$converged, 1e-4, label)
  })
})

test_that("BIC has scikit-learn's sign and number of parameters", {
  for (name in names(cases)) {
    for (family in families) {
      fit <- fit_from_start(cases[[name]], family)
      bic <- peers$scikit_learn[[name]][[family]]$converged$bic
      expect_equal(BIC(fit), bic, tolerance = 1e-8, label = paste(name, family))
    }
  }
})

test_that("the default call is no worse than mclust's", {
  defaults <- readRDS(test_path("fixtures", "mclust.rds"))$defaults
  families <- c(faithful = "tied", iris = "full", galaxies = "tied")
  maxima <- c(faithful = -1126.3159, iris = -180.1855, galaxies = -230.3524)
  for (name in names(defaults)) {
    theirs <- defaults[[name]]
    set.seed(1)
    fit <- gmm(cases[[name]]$x, length(theirs$proportions), families[[name]])
    expect_gt(fit$loglik, theirs$loglik, label = name)
    expect_equal(attr(logLik(fit), "df"), theirs$df, label = name)
    expect_lt(BIC(fit), -theirs$bic, label = name)
    expect_close(fit$loglik, maxima[[name]], 1, 1e-3, name)
  }
})

test_that("log densities and posteriors are right to the last digits", {
  exact <- readRDS(test_path("fixtures", "logdensity.rds"))$results
  for (name in names(exact)) {
    case <- exact[[name]]
    if (!is.null(case$factors)) {
      case$covariances <- array(apply(case$factors, 3, tcrossprod), dim(case$factors))
    }
    params <- params_of(case, case$covariance)
    component <- predict(params, case$points, type = "component")
    prob <- predict(params, case$points, type = "prob")
    leading <- case$largest[cbind(seq_len(nrow(case$points)), max.col(case$component, "first"))]

    expect_close(component, case$component, case$largest, case$tolerance, paste(name, "component"))
    expect_close(predict(params, case$points, type = "logdensity"), case$logdensity, leading,
      case$tolerance, paste(name, "logdensity"))
    expect_close(dgmm(case$points, params, log = TRUE), case$logdensity, leading, case$tolerance,
      paste(name, "dgmm"))
    expect_lte(max(abs(rowSums(prob) - 1)), 1e-15 * ncol(prob), label = paste(name, "row sums"))
    likely <- case$prob > exp(-100)
    expect_close(log(prob)[likely], log(case$prob)[likely], (leading + case$largest)[likely],
      case$tolerance, paste(name, "log posterior"))
    expect_lte(max(prob[!likely], 0), exp(-99), label = paste(name, "small posteriors"))
  }
})

test_that("equal proportions: EM from the same labels ends where Rmixmod's does", {
  frozen <- readRDS(test_path("fixtures", "proportions.rds"))
  sets <- list(faithful = faithful, iris = iris[1:4])
  for (name in names(sets)) {
    for (code in names(frozen$results[[name]])) {
      result <- frozen$results[[name]][[code]]
      label <- paste(name, code)
      control <- gmm_control(init = frozen$labels[[name]], tol = 1e-12)
      fit <- gmm(sets[[name]], 3, code, proportions = "equal", control = control)
      expect_equal(fit$df, result$df, label = label)
      if (label == "faithful EVV") next # its first steps lead to another maximum
      if (code %in% c("EVE", "VVE")) { # it ends its inner iterations early
        expect_gt(fit$loglik, result$loglik - 1e-6, label = label)
      } else {
        expect_equal(fit$loglik, result$loglik, tolerance = 1e-9, label = label)
        means <- result$means[order(result$means[, 1]), ]
        expect_equal(unname(fit$means[order(fit$means[, 1]), ]), means, tolerance = 1e-4,
                     label = label)
      }
    }
  }
})

test_that("trimmed fits with a ratio: EM from tclust's stays or climbs, our search is as high", {
  frozen <- readRDS(test_path("fixtures", "tclust.rds"))
  for (name in names(frozen$results)) {
    case <- frozen$results[[name]]
    fit <- function(k, ...) {
      suppressWarnings(gmm(case$x, k, trim = case$alpha, control = gmm_control(
        ratio = case$ratio, ratio_scale = "raw", ...
      )))
    }
    for (opt in c("MIXT", "HARD")) {
      theirs <- case[[opt]]
      k <- length(theirs$proportions)
      label <- paste(name, opt)
      params <- theirs[c("proportions", "means", "covariances")]
      density <- dgmm(case$x, do.call(gmm_params, params), log = TRUE)
      expect_setequal(order(density)[seq_along(theirs$trimmed)], theirs$trimmed)
      on_from_there <- fit(k, init = params)
      expect_equal(on_from_there$trace[1L], sum(density[-theirs$trimmed]), tolerance = 1e-8,
                   label = label)
      expect_gte(on_from_there$loglik, on_from_there$trace[1L])
      set.seed(1)
      expect_gte(fit(k)$loglik, on_from_there$loglik - 1e-6, label = label)
    }
  }
})

test_that("missing values: the fixed point of MGMM is ours, where its own rule stops is lower", {
  frozen <- readRDS(test_path("fixtures", "missing.rds"))$mgmm
  from <- function(start) {
    gmm(frozen$x, 3, na.action = na.pass, control = gmm_control(init = start, tol = 1e-10))
  }
  fixed <- from(frozen$fixed)
  expect_lt(diff(range(fixed$trace)), 1e-8)
  expect_equal(unname(fixed$means), frozen$fixed$means, tolerance = 1e-5)
  expect_equal(unname(fixed$covariances), frozen$fixed$covariances, tolerance = 1e-4)
  stopped <- from(frozen$fit)
  expect_gt(stopped$loglik - stopped$trace[1], 1) # see data-raw/missing.R
  expect_equal(stopped$loglik, fixed$loglik, tolerance = 1e-8)
})

test_that("missing values: where mixture ends is below our maximum, in all families", {
  frozen <- readRDS(test_path("fixtures", "missing.rds"))$mixture
  for (code in names(frozen$fits)) {
    theirs <- frozen$fits[[code]]
    start <- theirs[c("proportions", "means", "covariances")]
    fit <- gmm(frozen$x, 2, code, na.action = na.pass,
               control = gmm_control(init = start, tol = 1e-10))
    expect_gt(min(diff(fit$trace)), -1e-8)
    expect_gt(fit$loglik, fit$trace[1] + 1)
    ours <- with_test_seed(1, gmm(frozen$x, 2, code, na.action = na.pass,
                                  control = gmm_control(n_init = 2, search = 5)))
    expect_gt(ours$loglik, fit$loglik - 1e-4)
  }
})

test_that("weights and known labels: Rmixmod's maximum is a fixed point, and the default's", {
  x <- as.matrix(iris[1:4])
  frozen <- readRDS(test_path("fixtures", "rmixmod.rds"))
  for (what in c("weighted", "labelled")) {
    theirs <- frozen[[what]]
    fit <- function(control) {
      gmm(x, 3, weights = if (what == "weighted") frozen$weights,
          labels = if (what == "labelled") frozen$labels, control = control)
    }
    start <- gmm_params(theirs$proportions, theirs$means, theirs$covariances)
    from_theirs <- fit(gmm_control(init = start))
    expect_equal(from_theirs$trace[1], theirs$loglik, tolerance = 1e-9)
    expect_equal(unname(from_theirs$means), theirs$means, tolerance = 1e-6)
    expect_equal(from_theirs$loglik, theirs$loglik, tolerance = 1e-8)
    expect_gte(with_test_seed(1, fit(gmm_control()))$loglik, theirs$loglik - 1e-5)
  }
})
