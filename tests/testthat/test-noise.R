frozen <- readRDS(test_path("fixtures", "noise.rds"))
x <- frozen$x
colnames(x) <- c("a", "b")
box <- apply(x, 2, range)
given <- outer(frozen$groups, 1:3, `==`) + 0

noisy_fit <- function(code = "VVV", ..., noise = TRUE, init = given, max_iter = 10000,
                      accelerate = TRUE) {
  suppressWarnings(gmm(x, 2, code, noise = noise, ...,
                       control = gmm_control(init = init, max_iter = max_iter, tol = 1e-12,
                                             accelerate = accelerate)))
}
plain <- noisy_fit()

# What the oracle takes.
oracle_params <- function(fit) c(coef(fit, type = "list"), list(limits = fit$noise$limits))

test_that("the maximum is that of mclust, for each family", {
  for (code in names(frozen$fits)) {
    theirs <- frozen$fits[[code]]
    ours <- noisy_fit(code, noise = frozen$volume)
    if (code == "VVE") { # mclust's M-step stops short of its maximum here
      expect_gt(ours$loglik, theirs$loglik)
      expect_lt(ours$loglik, theirs$loglik + 0.01)
      next
    }
    expect_equal(ours$loglik, theirs$loglik, tolerance = 1e-11)
    for (part in c("proportions", "means", "covariances")) {
      expect_equal(unname(ours[[part]]), unname(theirs[[part]]), tolerance = 1e-5)
    }
  }
})

test_that("steps of EM are those of the oracle, with weights, and never fall", {
  w <- rep(c(1, 2, 0.5), length.out = nrow(x))
  for (code in oracle_families(2)) {
    start <- noisy_fit(code, max_iter = 0, weights = w)
    fit <- noisy_fit(code, max_iter = 15, weights = w, accelerate = FALSE)
    oracle <- oracle_em(x, oracle_params(start), code, 15, w)
    expect_equal(fit$trace, oracle$trace, tolerance = 1e-12)
    expect_equal(unname(fit$proportions), unname(oracle$proportions), tolerance = 1e-10)
    expect_equal(fit$covariances, oracle$covariances, tolerance = 1e-9, ignore_attr = TRUE)
  }
})

test_that("every family rises to a maximum that its parameters have, whatever else is asked for", {
  w <- rep(1:3, length.out = nrow(x))
  known <- seq_len(nrow(x)) %% 5 == 0 & frozen$groups < 3
  labels <- ifelse(known, c("one", "two")[frozen$groups], NA)
  for (code in names(families)) {
    for (option in list(list(), list(weights = w), list(proportions = "equal"),
                        list(labels = labels), list(prior = gmm_prior(alpha = 2)))) {
      fit <- do.call(noisy_fit, c(list(code), option))
      expect_gt(min(diff(fit$trace)), -1e-9)
      expect_true(fit$converged)
      expect_equal(sum(fit$proportions), 1)
      terms <- oracle_component(x, oracle_params(fit))
      each <- oracle_logdens(x, oracle_params(fit))
      known <- which(!is.na(fit$labels))
      each[known] <- terms[cbind(known, as.integer(fit$labels)[known])]
      expect_equal(fit$loglik, sum(each * if (is.null(fit$weights)) 1 else w), tolerance = 1e-12)
      expect_equal(fit$df, df_of(code, 2, 2, isTRUE(fit$equal)) + 1)
      if (isTRUE(fit$equal)) expect_identical(fit$proportions[[1]], fit$proportions[[2]])
    }
  }
})

test_that("the prior's Dirichlet density is one of all k + 1 proportions", {
  fit <- noisy_fit(prior = gmm_prior(alpha = 3, kappa = 0, df = 0))
  p <- unname(fit$proportions)
  expect_equal(fit$objective, fit$loglik + lgamma(9) - 3 * lgamma(3) + 2 * sum(log(p)))
  resp <- oracle_estep(x, oracle_params(fit))
  expect_equal(p, (colSums(resp) + 2) / (nrow(x) + 6), tolerance = 1e-6)
})

test_that("the search finds the maximum from starts of its own, on samples and by streams too", {
  for (code in c("VVV", "EEE", "VVI")) {
    fit <- with_test_seed(1, gmm(x, 2, code, noise = TRUE))
    expect_equal(fit$loglik, frozen$fits[[code]]$loglik, tolerance = 1e-7)
    for (init in c("kmeans++", "random", "hierarchical")) {
      fit <- with_test_seed(1, gmm(x, 2, code, noise = TRUE, control = gmm_control(init = init)))
      expect_equal(fit$loglik, frozen$fits[[code]]$loglik, tolerance = 1e-6)
    }
  }
  many <- with_test_seed(1, rgmm(20000, plain))
  threads <- lapply(1:2, function(n) {
    with_test_seed(1, gmm(many, 2, noise = box, control = gmm_control(threads = n)))
  })
  expect_identical(threads[[1]]$trace, threads[[2]]$trace)
  expect_lt(max(abs(threads[[1]]$proportions - plain$proportions[c(1, 2, 3)])), 0.02)
  stream <- with_test_seed(1, gmm(gmm_source(many, chunk = 3000), 2, noise = TRUE))
  whole <- gmm(many, 2, noise = TRUE, control = gmm_control(init = coef(stream, type = "list")))
  expect_equal(stream$loglik, whole$loglik, tolerance = 1e-9)
  expect_equal(stream$noise$limits, apply(many, 2, range), ignore_attr = TRUE)
})

test_that("one Gaussian in noise is found, and noise that is not there vanishes", {
  one <- with_test_seed(1, gmm(x[frozen$groups != 2, ], 1, noise = TRUE))
  expect_equal(unname(one$proportions), c(2, 1) / 3, tolerance = 0.1)
  clean <- with_test_seed(2, gmm(rnorm(200), 1, noise = c(-50, 50)))
  expect_lt(clean$proportions[["noise"]], 1e-6)
  expect_true(all(is.finite(predict(clean, type = "logdensity"))))
  # exactly 0: still a mixture
  zero <- gmm_params(c(1, 0), 0, 1, noise = c(-1, 1))
  expect_equal(dgmm(c(0, 3), zero), dnorm(c(0, 3)))
  expect_equal(pgmm(1, zero), pnorm(1))
})

test_that("a start without noise gives it 0.05, one with noise is taken as it is", {
  params <- gmm_params(c(0.4, 0.6), rbind(c(0, 0), c(5, 3)), diag(2))
  fit <- suppressWarnings(gmm(x, 2, noise = TRUE,
                              control = gmm_control(init = params, max_iter = 0)))
  expect_equal(unname(fit$proportions), c(0.38, 0.57, 0.05))
  again <- gmm(x, 2, noise = TRUE, control = gmm_control(init = plain))
  expect_equal(again$trace[1], plain$loglik)
  expect_gm_error(gmm(x, 2, control = gmm_control(init = plain)), "start", "noise component")
})

test_that("predictions have a last column and level for the noise", {
  expect_named(plain$proportions, c("1", "2", "noise"))
  prob <- predict(plain, type = "prob")
  expect_equal(prob, oracle_estep(x, oracle_params(plain)), ignore_attr = TRUE, tolerance = 1e-10)
  expect_identical(colnames(prob), c("1", "2", "noise"))
  expect_identical(levels(predict(plain)), c("1", "2", "noise"))
  expect_equal(predict(plain, type = "component"), oracle_component(x, oracle_params(plain)),
               ignore_attr = TRUE, tolerance = 1e-10)
  expect_identical(dim(predict(plain, type = "mahalanobis")), c(nrow(x), 2L))
  far <- rbind(c(1e6, 0), c(Inf, 0))
  expect_equal(predict(plain, far[1, , drop = FALSE], type = "prob")[[3]], 0)
  bare <- noisy_fit(noise = frozen$volume)
  expect_equal(predict(bare, far, type = "prob")[, 3], c(1, 1), ignore_attr = TRUE)
  expect_equal(predict(bare, far, type = "density"),
               rep(bare$proportions[["noise"]] / frozen$volume, 2), ignore_attr = TRUE)
})

test_that("rows with missing values get the margin of the box", {
  part <- predict(plain, cbind(a = c(0, 50, NA), b = NA), type = "density")
  margin <- gmm_marginal(plain, "a")
  expect_equal(part[1:2], dgmm(c(0, 50), margin), ignore_attr = TRUE)
  expect_equal(part[[3]], 1)
  expect_equal(predict(plain, cbind(a = NA_real_, b = NA), type = "prob")[1, ], plain$proportions)
  bare <- noisy_fit(noise = frozen$volume)
  expect_gm_error(predict(bare, cbind(a = 0, b = NA)), "noise", "same density everywhere")
})

test_that("rows with missing values are fitted by the margin of the box, and imputed from it", {
  lost <- x
  lost[cbind(c(1:20, 111:125), rep(1:2, length.out = 35))] <- NA
  box <- apply(lost, 2, range, na.rm = TRUE)
  for (code in c("VVV", "EEE", "VVI", "EEV")) {
    fit <- suppressWarnings(gmm(lost, 2, code, noise = TRUE, na.action = na.pass,
                                control = gmm_control(init = given)))
    expect_gt(min(diff(fit$trace)), -1e-9)
    expect_equal(fit$noise$limits, box, ignore_attr = TRUE)
    params <- oracle_params(fit)
    each <- vapply(seq_len(nrow(lost)), function(i) {
      at <- which(!is.na(lost[i, ]))
      oracle_logdens(lost[i, at, drop = FALSE], list(
        proportions = params$proportions, means = params$means[, at, drop = FALSE],
        covariances = params$covariances[at, at, , drop = FALSE],
        limits = params$limits[, at, drop = FALSE]))
    }, 0)
    expect_equal(fit$loglik, sum(each))
  }
  filled <- predict(fit, type = "impute", draws = 2)[[1]]
  expect_identical(filled[!is.na(lost)], unname(lost[!is.na(lost)]))
  nothing <- with_test_seed(1, predict(fit, matrix(NA_real_, 4000, 2), type = "impute",
                                       draws = 1)[[1]])
  expect_equal(colMeans(nothing), drop(fit$proportions %*% rbind(fit$means, colMeans(box))),
               tolerance = 0.1, ignore_attr = TRUE)
  expect_gm_error(gmm(lost, 2, noise = 500, na.action = na.pass), "noise", "missing values")
})

test_that("density, distribution function, quantiles and draws are those of one distribution", {
  line <- gmm_params(c(0.5, 0.3, 0.2), c(-1, 2), c(1, 0.25), noise = c(-4, 6))
  total <- sum(vapply(list(c(-12, -4), c(-4, 6), c(6, 12)), function(ends) {
    integrate(dgmm, ends[1], ends[2], fit = line, rel.tol = 1e-10)$value
  }, 0))
  expect_equal(total, 1, tolerance = 1e-9)
  at <- c(-5, -4, -1, 0.3, 2, 5.9, 6)
  by_hand <- 0.5 * pnorm(at, -1) + 0.3 * pnorm(at, 2, 0.5) + 0.2 * punif(at, -4, 6)
  expect_equal(pgmm(at, line), by_hand, tolerance = 1e-13)
  expect_equal(pgmm(at, line, lower.tail = FALSE), 1 - by_hand, tolerance = 1e-13)
  expect_equal(qgmm(by_hand, line), at, tolerance = 1e-10)
  expect_equal(pgmm(qgmm(log(1e-12), line, log.p = TRUE), line), 1e-12)
  expect_equal(pgmm(c(Inf, Inf), gmm_params(c(0.7, 0.3), c(0, 0), diag(2), noise = box)), 1)
  z <- with_test_seed(1, rgmm(20000, line))
  expect_gt(suppressWarnings(ks.test(z, function(q) pgmm(q, line)))$p.value, 1e-3)
  expect_equal(prop.table(table(attr(z, "component")))[["noise"]], 0.2, tolerance = 0.05)
  flat <- z[attr(z, "component") == "noise"]
  expect_gt(suppressWarnings(ks.test(flat, "punif", -4, 6))$p.value, 1e-3)
  plane <- with_test_seed(1, rgmm(5000, plain))
  noise <- plane[attr(plane, "component") == "noise", ]
  expect_true(all(t(noise) >= box[1, ] & t(noise) <= box[2, ]))
  expect_lt(abs(cor(noise)[1, 2]), 0.1)
  corner <- colMeans(box)
  expect_equal(c(pgmm(corner, plain)), mean(plane[, 1] <= corner[1] & plane[, 2] <= corner[2]),
               tolerance = 0.05)
  expect_length(simulate(plain, 2, seed = 1), 2L)
})

test_that("marginal and conditional mixtures divide the density exactly", {
  rows <- rbind(c(0, 0), c(5, 2), c(-5, 8), c(30, 30))
  colnames(rows) <- c("a", "b")
  for (i in seq_len(nrow(rows))) {
    left <- gmm_conditional(plain, rows[i, "a"])
    expect_equal(dgmm(rows[i, "b"], left) * dgmm(rows[i, "a"], gmm_marginal(plain, "a")),
                 dgmm(rows[i, , drop = FALSE], plain), ignore_attr = TRUE, tolerance = 1e-10)
  }
  at <- data.frame(a = c(0, 4))
  predicted <- predict(plain, at, type = "conditional", level = 0.8)
  for (i in 1:2) {
    left <- gmm_conditional(plain, c(a = at$a[i]))
    expect_equal(c(predicted$lower[i], predicted$upper[i]), qgmm(c(0.1, 0.9), left))
    draws <- with_test_seed(1, rgmm(1e5, left))
    expect_equal(predicted$mean[i], mean(draws), tolerance = 0.02)
    expect_equal(predicted$variance[[i]], var(c(draws)), tolerance = 0.05)
    expect_equal(predicted$prob[i, ], left$proportions)
  }
})

test_that("standard errors are those of the second derivatives", {
  one <- with_test_seed(3, c(rnorm(150), rnorm(80, 5, 0.5), runif(40, -5, 10)))
  for (proportions in c("free", "equal")) {
    fit <- gmm(one, 2, noise = TRUE, proportions = proportions,
               control = gmm_control(init = rep(1:2, c(190, 80)), tol = 1e-13))
    limits <- fit$noise$limits
    p <- unname(fit$proportions)
    mixing <- if (proportions == "free") p[2:3] else p[3]
    loglik <- function(v) {
      q <- if (length(v) == 6) c(1 - v[1] - v[2], v[1:2]) else c(1 - v[1], 1 - v[1], 2 * v[1]) / 2
      v <- v[-seq_along(mixing)]
      sum(log(q[1] * dnorm(one, v[1], sqrt(v[3])) + q[2] * dnorm(one, v[2], sqrt(v[4])) +
                q[3] / diff(c(limits))))
    }
    top <- c(mixing, fit$means, fit$covariances)
    step <- 1e-4
    second <- outer(seq_along(top), seq_along(top), Vectorize(function(i, j) {
      e <- function(s, t) {
        loglik(replace(top, i, top[i] + s * step) + replace(0 * top, j, t * step))
      }
      (e(1, 1) - e(1, -1) - e(-1, 1) + e(-1, -1)) / (4 * step^2)
    }))
    se <- sqrt(diag(solve(-second)))
    ours <- sqrt(diag(vcov(fit)))
    expect_equal(unname(ours[c(if (proportions == "free") 2:3 else 3, 4:7)]), se,
                 tolerance = 1e-3)
    expect_named(ours[1:3], paste0("proportion.", c("1", "2", "noise")))
    expect_identical(qr(vcov(fit))$rank, as.integer(fit$df))
    expect_true(all(confint(fit)[, 1] < coef(fit) & coef(fit) < confint(fit)[, 2]))
    if (proportions == "free") expect_lt(max(abs(colSums(estfun.gaussmix(fit)))), 1e-3)
  }
  other <- noisy_fit("VVE")
  expect_identical(dim(estfun.gaussmix(other)), c(nrow(x), length(coef(other))))
  expect_identical(qr(vcov(other))$rank, as.integer(other$df))
})

test_that("anomalies, residuals and criteria of a fit with noise", {
  odd <- gmm_anomaly(plain, rate = 0.1)
  p <- plain$proportions[1:2] / sum(plain$proportions[1:2])
  alone <- gmm_params(p, plain$means, plain$covariances)
  expect_equal(odd$score, dgmm(x, alone, log = TRUE), ignore_attr = TRUE)
  expect_gt(mean(frozen$groups[odd$flag] == 3), 0.9)
  expect_true(all(levels(as.data.frame(odd)$component) %in% c("1", "2")))
  expect_equal(fitted(plain), predict(alone, x, type = "prob") %*% plain$means, ignore_attr = TRUE)
  expect_length(residuals(plain, type = "mahalanobis"), nrow(x))
  certainty <- sum(log(apply(oracle_estep(x, oracle_params(plain)), 1, max)))
  expect_equal(gmm_criteria(plain)$ICL, BIC(plain) - 2 * certainty)
  expect_equal(BIC(plain), -2 * plain$loglik + 12 * log(nrow(x)))
})

test_that("gmm_select() takes noise, and its box is the same in each fold", {
  select <- with_test_seed(1, gmm_select(x, 1:2, c("VVV", "EEE"), c("BIC", "CV"), noise = TRUE,
                                         folds = 3))
  best <- gmm_best(select)
  expect_identical(best$k, 2L)
  expect_equal(unname(best$noise$limits), unname(box))
  expect_equal(select$table$df[1], df_of("VVV", 2, 2) + 1)
  expect_equal(best$loglik, frozen$fits[[best$covariance]]$loglik, tolerance = 1e-7)
  expect_true(all(is.finite(select$table$CV)))
})

test_that("objects with noise are written, read and fitted again", {
  expect_silent(validate_gmm(plain))
  again <- gmm_from_json(gmm_to_json(plain))
  expect_identical(again$proportions, plain$proportions)
  expect_equal(again$noise, plain$noise, ignore_attr = TRUE)
  expect_identical(again$df, plain$df)
  bare <- noisy_fit(noise = frozen$volume)
  expect_equal(gmm_from_json(gmm_to_json(bare))$noise$log_volume, log(frozen$volume))
  there <- as_mclust(bare)
  back <- as_gmm(there, x = x)
  expect_equal(back$loglik, bare$loglik)
  expect_equal(back$noise$log_volume, log(frozen$volume))
  small <- suppressWarnings(gmm(x, 2, noise = TRUE, control = gmm_control(init = given,
                                                                          keep = FALSE)))
  expect_equal(small$logdensity, predict(plain, type = "logdensity"), tolerance = 1e-4)
  expect_gm_error(gmm_anomaly(small), "data")
  damaged <- plain
  damaged$noise$limits <- damaged$noise$limits[2:1, ]
  expect_gm_error(predict(damaged), "object", "noise")
  boot <- with_test_seed(1, suppressWarnings(gmm_boot(plain, 5)))
  expect_identical(colnames(boot$replicates), names(coef(plain)))
})

test_that("what noise can't be, and what can't be done with it, is refused with the reason", {
  for (wrong in list("yes", -1, 0, Inf, NA, 1:3, box[2:1, ], rbind(1, 1), list(1), 1:2)) {
    expect_gm_error(gmm(x, 2, noise = wrong), "argument", "noise")
  }
  expect_gm_error(gmm(x, 2, noise = unname(cbind(u = box, v = 0:1))), "argument")
  expect_gm_error(gmm(x, 2, noise = `colnames<-`(box, c("a", "z"))), "names", "`b`")
  expect_identical(noisy_fit(noise = box[, 2:1])$noise, plain$noise)
  labels <- replace(rep(NA, nrow(x)), 1:4, c("noise", "u", "noise", "u"))
  expect_gm_error(gmm(x, 2, noise = TRUE, labels = labels), "names", "noise")
  bare <- noisy_fit(noise = frozen$volume)
  for (f in list(function() rgmm(3, bare), function() pgmm(c(0, 0), bare),
                 function() simulate(bare), function() gmm_marginal(bare, 1),
                 function() gmm_conditional(bare, c(a = 1)),
                 function() qgmm(0.5, gmm_params(c(0.5, 0.5), 0, 1, noise = 3)),
                 function() gmm_boot(bare, 3), function() gmm_hdr(plain),
                 function() gmm_merge(plain), function() as_sklearn(plain))) {
    expect_gm_error(f(), "noise")
  }
  expect_gm_error(profile(plain), "argument", "`noise`")
  expect_gm_error(gmm_lrt(plain), "argument", "`noise`")
})

test_that("pictures show noise as grey crosses, with a legend", {
  style <- component_style(2, noise = TRUE)
  expect_identical(style$pch[3], 4)
  expect_identical(component_key(plain, plot_view(plain, "classification", 0.95, 0.5, FALSE, 100,
                                                  TRUE, NULL, NULL), FALSE)$labels,
                   c("component 1", "component 2", "noise"))
  for (what in c("classification", "density", "uncertainty")) {
    draw(plain, what)
    draw(noisy_fit(noise = frozen$volume), what)
    draw(gmm_params(c(0.5, 0.5), 0, 1, noise = c(-3, 3)), if (what != "uncertainty") what
                                                          else "density")
  }
  draw(gmm_anomaly(plain))
})
