contaminated <- with_test_seed(4, rbind(
  as.matrix(faithful), cbind(stats::runif(20, -5, 12), stats::runif(20, -20, 200))
))
groups <- 1 + (contaminated[, 1] > 2.5) + (contaminated[, 1] > 4.3)
weights <- rep(c(1, 2, 0.5), length.out = nrow(contaminated))
some_labels <- ifelse(seq_along(groups) %% 10 == 0, groups, NA)
from_groups <- gmm_control(init = groups)

# What is kept of each weight: in the order of the log-densities, then of the rows.
oracle_kept <- function(logdens, w, trim) {
  kept <- w
  left <- trim * sum(w)
  for (i in order(logdens)) {
    kept[i] <- w[i] - min(w[i], left)
    left <- left - (w[i] - kept[i])
  }
  kept
}

# ---- trimming --------------------------------------------------------------------------

# Log-density of each row as the likelihood counts it: a labelled row's is of its component.
counted_logdens <- function(fit) {
  logdens <- predict(fit, type = "logdensity")
  known <- which(!is.na(fit$labels))
  joint <- predict(fit, type = "component")
  logdens[known] <- joint[cbind(known, as.integer(fit$labels)[known])]
  logdens
}

test_that("exactly trim times the weight is left out, the lowest densities first", {
  options <- list(list(), list(weights = weights), list(labels = some_labels),
                  list(proportions = "equal"), list(prior = gmm_prior()),
                  list(weights = weights, labels = some_labels, prior = gmm_prior()))
  for (code in names(families)) {
    for (option in options) {
      fit <- suppressWarnings(do.call(gmm, c(
        list(contaminated, 3, code, trim = 0.07, control = from_groups), option
      )))
      expect_gt(min(diff(fit$trace)), -1e-8)
      w <- if (is.null(option$weights)) rep(1, nrow(contaminated)) else weights
      logdens <- counted_logdens(fit)
      kept <- oracle_kept(logdens, w, 0.07)
      expect_equal(kept_weights(fit), kept, tolerance = 1e-12, ignore_attr = TRUE)
      expect_equal(fit$nobs, 0.93 * sum(w), tolerance = 1e-13)
      expect_equal(fit$loglik, sum(kept * logdens), tolerance = 1e-12)
      expect_identical(fit$trimmed$row, which(kept < w))
    }
  }
})

test_that("a fit is where concentration steps end: the plain-R step changes nothing", {
  for (code in c("VVV", "EEE", "VVI", "VII")) {
    fit <- gmm(contaminated, 3, code, trim = 0.07, weights = weights,
               control = gmm_control(init = groups, tol = 1e-12))
    kept <- oracle_kept(oracle_logdens(contaminated, fit), weights, 0.07)
    step <- oracle_mstep(contaminated, oracle_estep(contaminated, fit), code, kept)
    expect_equal(unname(step$means), unname(fit$means), tolerance = 1e-5)
    expect_equal(step$covariances, unname(fit$covariances), tolerance = 1e-4)
    expect_equal(step$proportions, unname(fit$proportions), tolerance = 1e-5)
  }
})

test_that("the plain-R EM with concentration takes the same steps", {
  start <- random_params("VVV", 2, 3, 5)
  x <- random_data(200, start, 6)
  x[1:20, ] <- 10 * x[1:20, ]
  fit <- suppressWarnings(gmm(x, 3, trim = 0.1,
                              control = list(init = start, max_iter = 8, tol = 0)))
  params <- start
  trace <- numeric()
  for (step in 0:8) {
    logdens <- oracle_logdens(x, params)
    kept <- oracle_kept(logdens, rep(1, 200), 0.1)
    trace <- c(trace, sum(kept * logdens))
    last <- params
    params <- oracle_mstep(x, oracle_estep(x, params), "VVV", kept)
  }
  expect_equal(fit$trace, trace, tolerance = 1e-12)
  expect_equal(unname(fit$means), last$means, tolerance = 1e-9)
})

test_that("of equal densities the first rows go, the last one in part", {
  x <- rep(c(-1, 0, 1), each = 4)
  fit <- gmm(x, 1, trim = 0.3, control = list(init = list(proportions = 1, means = 0,
                                                          covariances = 1), max_iter = 0))
  expect_identical(fit$trimmed$row, 1:4)
  expect_equal(fit$trimmed$kept, c(0, 0, 0, 0.4))
  expect_equal(fit$nobs, 8.4)
})

test_that("weight 2 is the row twice", {
  w <- rep(c(1, 2), length.out = nrow(contaminated))
  twice <- rep(seq_along(w), w)
  weighted <- gmm(contaminated, 3, trim = 0.07, weights = w, control = from_groups)
  doubled <- gmm(contaminated[twice, ], 3, trim = 0.07, control = list(init = groups[twice]))
  expect_equal(weighted$loglik, doubled$loglik, tolerance = 1e-10)
  expect_equal(weighted$means, doubled$means, tolerance = 1e-8)
  expect_equal(weighted$nobs, doubled$nobs)
})

test_that("the number of threads changes no bit, and one trim of 0 is none", {
  fit <- function(threads) {
    set.seed(1)
    out <- gmm(contaminated[rep(1:292, 20), ], 3, trim = 0.07,
               control = list(threads = threads, n_init = 2, search = 3))
    out[setdiff(names(out), c("control", "call"))]
  }
  expect_identical(fit(1), fit(3))
  same <- c("means", "covariances", "trace", "nobs")
  expect_identical(gmm(contaminated, 3, trim = 0, control = from_groups)[same],
                   gmm(contaminated, 3, control = from_groups)[same])
})

test_that("far outliers do no harm: the search finds the fit to the others", {
  for (seed in 1:5) {
    clean <- random_data(450, list(proportions = c(0.5, 0.3, 0.2),
                                   means = rbind(c(0, 0), c(5, 0), c(0, 6)),
                                   covariances = array(diag(2), c(2, 2, 3))), seed)
    gross <- with_test_seed(seed, cbind(stats::runif(50, 20, 100) * sample(c(-1, 1), 50, TRUE),
                                        stats::runif(50, -100, 100)))
    set.seed(seed)
    fit <- gmm(rbind(clean, gross), 3, trim = 0.1)
    expect_identical(fit$trimmed$row, 451:500)
    expect_equal(fit$means, gmm(clean, 3)$means, tolerance = 1e-4)
  }
})

test_that("one trimmed normal is the raw minimum covariance determinant", {
  skip_if_not_installed("MASS")
  for (case in list(list(faithful, 204L), list(as.matrix(stackloss), 16L),
                    list(as.matrix(iris[1:4]), 120L))) {
    x <- case[[1L]]
    n <- nrow(x)
    h <- case[[2L]]
    d <- ncol(x)
    set.seed(1)
    mcd <- MASS::cov.mcd(x, quantile.used = h, nsamp = "best")
    fit <- gmm(x, 1, trim = 1 - h / n)
    expect_equal(fit$nobs, h)
    log_det <- as.numeric(determinant(fit$covariances[, , 1])$modulus)
    expect_lt(log_det + d * log(h / (h - 1)), mcd$crit + 1e-9)
    if (d > 2) expect_equal(log_det + d * log(h / (h - 1)), mcd$crit)
    from_mcd <- gmm(x, 1, trim = 1 - h / n, control = list(init = list(
      proportions = 1, means = colMeans(x[mcd$best, ]),
      covariances = stats::cov(x[mcd$best, ]) * (h - 1) / h
    )))
    expect_gte(fit$loglik, from_mcd$loglik - 1e-9)
  }
})

test_that("with missing values rows are ranked by what is there and a constant for the rest", {
  holes <- contaminated
  holes[with_test_seed(7, sample(length(holes), 60))] <- NA
  holes[c(1, 2), ] <- NA
  for (option in list(list(), list(weights = weights, labels = some_labels, prior = gmm_prior()))) {
    for (code in names(families)) {
      fit <- suppressWarnings(do.call(gmm, c(list(holes, 3, code, trim = 0.07, na.action = na.pass,
                                                  control = from_groups), option)))
      expect_gt(min(diff(fit$trace)), -1e-8)
      w <- if (is.null(option$weights)) rep(1, nrow(holes)) else weights
      logdens <- counted_logdens(fit)
      there <- rowSums(!is.na(holes)) > 0 | !is.na(some_labels) & !is.null(option$labels)
      constants <- -drop(is.na(holes) %*% (log(fit$scale) + log(2 * pi * exp(1)) / 2))
      kept <- w
      kept[there] <- oracle_kept((logdens + constants)[there], w[there], 0.07)
      expect_equal(kept_weights(fit), kept, tolerance = 1e-12, ignore_attr = TRUE)
      expect_equal(fit$nobs, 0.93 * sum(w[there]), tolerance = 1e-13)
      expect_equal(fit$loglik, sum(kept * logdens), tolerance = 1e-12)
      if (is.null(option$prior)) {
        expect_equal(fit$objective, fit$loglik + sum((kept * constants)[there]), tolerance = 1e-12)
      }
    }
  }
  set.seed(1)
  searched <- gmm(holes, 3, trim = 0.07, na.action = na.pass)
  expect_gte(searched$objective, gmm(holes, 3, trim = 0.07, na.action = na.pass,
                                     control = from_groups)$objective - 1e-6)
  set.seed(1)
  choice <- gmm_select(holes, 1:3, c("full", "diag"), trim = 0.07, na.action = na.pass)
  expect_true(all(choice$table$status == "ok"))
})

test_that("trim that can't be is refused", {
  expect_gm_error(gmm(faithful, 2, trim = 0.6), "argument", "`trim` must be a number from 0 to 0.5")
  expect_gm_error(gmm(faithful, 2, trim = "a"), "argument", "`trim`")
  expect_gm_error(gmm(faithful, 2, trim = 0.1, noise = TRUE), "argument", "both serve the same end")
})

# ---- what is done with a trimmed fit ---------------------------------------------------

trimmed <- gmm(contaminated, 3, trim = 0.07, control = from_groups)

test_that("it prints, and its methods work or say why not", {
  expect_match(format(trimmed), "trimmed: 21 rows, 7 % of the weight; kept 271.56", fixed = TRUE,
               all = FALSE)
  expect_equal(BIC(trimmed), -2 * trimmed$loglik + trimmed$df * log(trimmed$nobs))
  criteria <- gmm_criteria(trimmed)
  prob <- predict(trimmed, type = "prob")
  expect_equal(criteria$ICL, criteria$BIC - 2 * sum(kept_weights(trimmed) *
                                                      log(apply(prob, 1, max))))
  expect_identical(dim(fitted(trimmed)), dim(contaminated))
  expect_identical(nrow(gmm_merge(trimmed)$members), 3L)
  for (call in expression(vcov(trimmed), confint(trimmed), profile(trimmed),
                          gmm_boot(trimmed, 9), gmm_lrt(trimmed, n_boot = 9))) {
    expect_gm_error(eval(call), "argument", "can't take a fit with `trim`")
  }
  set.seed(1)
  boot <- gmm_boot(trimmed, 9, "weighted")
  expect_true(all(is.finite(vcov(boot))))
  expect_identical(update(trimmed, trim = 0.1)$trim, 0.1)
})

test_that("in a picture trimmed rows are a class of their own", {
  rows <- plot_rows(trimmed, Inf)
  expect_identical(which(rows$class == "trimmed"), trimmed$trimmed$row)
  expect_identical(levels(rows$class), c("1", "2", "3", "trimmed"))
  for (what in c("classification", "density", "uncertainty", "trace", "starts")) {
    draw(trimmed, what = what)
  }
  draw(gmm_merge(trimmed))
  draw(gmm(contaminated[, 1], 2, trim = 0.07))
})

test_that("a choice among trimmed fits is by what they keep", {
  set.seed(2)
  choice <- gmm_select(contaminated, 1:3, c("full", "tied"), trim = 0.07)
  expect_equal(choice$table$BIC, -2 * choice$table$loglik +
                 choice$table$df * log(0.93 * nrow(contaminated)))
  best <- gmm_best(choice)
  expect_equal(nrow(best$trimmed), 21)
  expect_equal(best$loglik, choice$table$loglik[choice$chosen])
  wide <- choice$table$name == "full"
  expect_true(all(diff(choice$table$loglik[wide]) > 0))
  one <- choice$table$k == 1
  set.seed(2)
  alone <- gmm(contaminated, 1, trim = 0.07)
  expect_equal(choice$table$loglik[one], alone$loglik, tolerance = 1e-6)
  expect_gm_error(gmm_select(faithful, 1:2, trim = 0.1, criterion = "CV"), "argument", "Held-out")
})

# ---- the ratio of eigenvalues ----------------------------------------------------------

# The best range [m, ratio m] of eigenvalues with weights, by a search over all of them.
oracle_level <- function(values, n, ratio) {
  cost <- function(m) {
    bounded <- pmin(pmax(values, m), ratio * m)
    sum(n * (log(bounded) + values / bounded))
  }
  ends <- sort(c(values, values / ratio))
  tries <- vapply(seq_along(ends)[-1], function(i) {
    stats::optimize(cost, ends[i - 1:0], tol = 1e-12)$minimum
  }, 0)
  tries[which.min(vapply(tries, cost, 0))]
}

bounded_codes <- c("VVV", "EEE", "VVI", "EEI", "VII", "EII")

test_that("the ratio is kept, the objective never falls, and a large ratio is none", {
  expect_identical(sort(bounded_codes), sort(ratio_families))
  for (code in bounded_codes) {
    for (ratio in c(1, 3, 12)) {
      for (option in list(list(), list(weights = weights, trim = 0.07, prior = gmm_prior()))) {
        for (scale in c("standard", "raw")) {
          fit <- suppressWarnings(do.call(gmm, c(list(contaminated, 3, code, control = gmm_control(
            init = groups, ratio = ratio, ratio_scale = scale
          )), option)))
          expect_gt(min(diff(fit$trace)), -1e-8)
          expect_lt(eigen_ratio(fit), ratio * (1 + 1e-9))
          if (code != "EII") expect_match(format(fit), "bounded by", all = FALSE)
        }
      }
    }
    expect_equal(gmm(contaminated, 3, code, control = list(init = groups, ratio = 1e9))$means,
                 gmm(contaminated, 3, code,
                     control = list(init = groups, accelerate = FALSE))$means, tolerance = 1e-8)
  }
})

test_that("an M-step truncates at the level that is best", {
  ratio <- 4
  for (code in c("VVV", "VVI", "VII")) {
    for (raw in c(FALSE, TRUE)) {
      fit <- suppressWarnings(gmm(contaminated, 3, code, weights = weights, control = list(
        init = groups, max_iter = 0
      )))
      once <- suppressWarnings(gmm(contaminated, 3, code, weights = weights, control = list(
        init = groups, max_iter = 0, ratio = ratio, ratio_scale = if (raw) "raw" else "standard"
      )))
      n <- fit$proportions
      unit <- if (raw || code == "VII") matrix(1, 2, 2) else tcrossprod(fit$scale)
      values <- lapply(1:3, function(j) eigen(fit$covariances[, , j] / unit))
      each <- if (code == "VII") 1 else 1:2
      level <- oracle_level(unlist(lapply(values, function(v) v$values[each])),
                            rep(n, each = length(each)), ratio)
      for (j in 1:3) {
        v <- values[[j]]
        bounded <- pmin(pmax(v$values, level), ratio * level)
        expect_equal(once$covariances[, , j],
                     v$vectors %*% diag(bounded) %*% t(v$vectors) * unit,
                     tolerance = 1e-6, ignore_attr = TRUE)
      }
    }
  }
})

test_that("parameters given as start are brought within the ratio; those within stay", {
  start <- gmm(contaminated, 3, control = from_groups)
  fit <- suppressWarnings(gmm(contaminated, 3, control = list(init = start, max_iter = 0,
                                                              ratio = 2)))
  expect_equal(eigen_ratio(fit), 2)
  kept <- suppressWarnings(gmm(contaminated, 3, control = list(init = start, max_iter = 0,
                                                               ratio = 1e6)))
  expect_equal(kept$covariances, start$covariances, tolerance = 1e-12)
})

test_that("ratio, trimming, noise, missing values, labels, weights and a prior combine", {
  holes <- contaminated
  holes[with_test_seed(8, sample(length(holes), 40))] <- NA
  for (code in bounded_codes) {
    for (outliers in list(list(trim = 0.07), list(noise = TRUE))) {
      fit <- suppressWarnings(do.call(gmm, c(
        list(holes, 3, code, weights = weights, labels = some_labels, prior = gmm_prior(),
             proportions = "equal", na.action = na.pass,
             control = gmm_control(init = groups, ratio = 6)), outliers
      )))
      expect_gt(min(diff(fit$trace)), -1e-8)
      expect_lt(eigen_ratio(fit), 6 * (1 + 1e-9))
    }
  }
})

test_that("other families refuse a ratio and say which take it", {
  for (code in setdiff(names(families), bounded_codes)) {
    expect_gm_error(gmm(faithful, 2, code, control = list(ratio = 5)), "argument", "take it")
  }
  expect_gm_error(gmm_vb(faithful, 2, control = list(ratio = 5)), "argument", "can't take `ratio`")
  set.seed(1)
  choice <- gmm_select(faithful, 1:2, control = list(ratio = 5))
  expect_setequal(choice$table$covariance, bounded_codes)
  expect_gm_error(gmm_select(faithful, 1:2, "VEI", control = list(ratio = 5)), "argument",
                  "take it")
})

test_that("at the bound there is no inference by curvature; within it there is", {
  at_bound <- gmm(faithful, 2, control = list(ratio = 2))
  for (call in expression(vcov(at_bound), confint(at_bound), profile(at_bound))) {
    expect_gm_error(eval(call), "argument", "at the bound `ratio`")
  }
  free <- gmm(faithful, 2, control = list(ratio = 1000))
  expect_equal(vcov(free), vcov(gmm(faithful, 2)), tolerance = 1e-4)
})

test_that("with a ratio components that would degenerate are sound", {
  x <- rbind(as.matrix(faithful), cbind(rep(3, 12), seq(50, 50.001, length.out = 12)))
  set.seed(1)
  fit <- gmm(x, 3, control = list(ratio = 30))
  expect_false(any(fit$verdict$spurious))
  expect_equal(eigen_ratio(fit), 30)
})

test_that("a share too small to take a part of a row trims none", {
  fit <- gmm(faithful, 2, trim = 1e-12)
  expect_identical(nrow(fit$trimmed), 0L)
  expect_null(validate_gmm(fit))
  expect_equal(coef(fit), coef(gmm(faithful, 2)), tolerance = 1e-4)
  expect_match(format(fit), "trimmed: 0 rows", all = FALSE)
  expect_match(format(gmm(faithful$waiting, 1, trim = 0.0371)), "kept 261.9088$", all = FALSE)
})
