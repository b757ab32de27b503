order <- with_test_seed(1, sample(150))
x <- as.matrix(iris[order, 1:4])
species <- iris$Species[order]
batches <- split(61:150, rep(1:9, each = 10))
light <- function(...) gmm_control(keep = FALSE, verbose = FALSE, ...)
parameters <- function(fit) unclass(fit)[parameter_fields]
by_species <- function(rows = 1:150, ...) gmm_control(init = species[rows], ...)
at_start <- function(code) parameters(gmm(x, 3, code, control = by_species(max_iter = 2, tol = 0)))

# The lower triangle of a scatter, or its diagonal where the family has no more.
lower_of <- function(scatter, code) {
  scatter <- matrix(scatter, ncol(x))
  if (families[[code]]$shape == "full") scatter[lower.tri(scatter, TRUE)]
  else if (ncol(scatter) == 1) drop(scatter) else unname(diag(scatter))
}

test_that("statistics of a fit are the sums that they are said to be, of every family", {
  w <- with_test_seed(2, runif(150))
  for (code in names(families)) {
    fit <- gmm(x, 3, code, weights = w, control = by_species(max_iter = 4, tol = 0))
    prob <- w * predict(fit, type = "prob")
    s <- fit$stats
    expect_equal(s$unit * s$nk, colSums(prob), ignore_attr = TRUE)
    expect_equal(s$unit^2 * s$nk2, colSums(w * prob), ignore_attr = TRUE)
    expect_equal(s$unit * s$total[1:2], c(fit$loglik, sum(w)))
    own <- lapply(1:3, function(j) {
      apart <- sweep(x, 2, fit$means[j, ])
      expect_equal(s$unit * s$sum[, j], colSums(prob[, j] * apart), ignore_attr = TRUE)
      crossprod(apart, prob[, j] * apart)
    })
    if (families[[code]]$shared) own <- list(Reduce(`+`, own))
    for (j in seq_along(own)) {
      expect_equal(s$unit * lower_of(s$scatter[, j], code), lower_of(own[[j]], code))
    }
  }
})

test_that("statistics of disjoint parts at the same parameters add up to those of the whole", {
  known <- factor(replace(as.character(species), -(1:9), NA), levels(species))
  for (code in names(families)) {
    start <- at_start(code)
    at <- function(rows) {
      gmm(x[rows, ], 3, code, labels = known[rows], control = light(init = start, max_iter = 0))
    }
    whole <- unlist(at(1:150)$stats)
    parts <- Reduce(`+`, lapply(list(1:40, 41:90, 91:150), function(rows) {
      engine_stats(x[rows, ], NULL, c(start, covariance = code), labels_to_c(known[rows]))
    }))
    expect_equal(parts, unlist(at(1:150)$stats[names(engine_layout(code, 4L, 3L))],
                               use.names = FALSE), tolerance = 1e-12)
  }
})

test_that("frozen statistics about other means are those of the frozen probabilities there", {
  for (code in c("VVV", "EEE", "VVI", "EII", "VEV")) {
    fit <- gmm(x, 3, code, control = light(init = species, max_iter = 3, tol = 0))
    other <- gmm(x[1:80, ], 3, code, control = gmm_control(init = species[1:80]))
    prob <- predict(fit, x, type = "prob")
    frozen <- freeze(fit$stats, fit, 1:3)
    now <- split_stats(frozen(other, 1), code, 4L, 3L)
    own <- lapply(1:3, function(j) {
      apart <- sweep(x, 2, other$means[j, ])
      expect_equal(now$sum[, j], colSums(prob[, j] * apart), ignore_attr = TRUE)
      crossprod(apart, prob[, j] * apart)
    })
    if (families[[code]]$shared) own <- list(Reduce(`+`, own))
    for (j in seq_along(own)) {
      expect_equal(lower_of(now$scatter[, j], code), lower_of(own[[j]], code))
    }
    # the bound: expected complete log-likelihood and entropy, exact at the fit's own parameters
    entropy <- -sum(prob[prob > 0] * log(prob[prob > 0]))
    expected <- sum(prob * predict(other, x, type = "component")) + entropy
    expect_equal(now$total[1], expected)
    expect_lt(now$total[1], sum(predict(other, x, type = "logdensity")))
    expect_equal(split_stats(frozen(fit, 1), code, 4L, 3L)$total[1], as.numeric(logLik(fit)))
  }
})

test_that("fits of parts at the same parameters combine to one EM step over all rows", {
  step <- light(max_iter = 1, tol = 0)
  for (code in names(families)) {
    start <- at_start(code)
    at <- function(rows) {
      suppressWarnings(gmm(x[rows, ], 3, code, control = light(init = start, max_iter = 0)))
    }
    combined <- gmm_combine(at(1:40), at(41:90), at(91:150), control = step)
    whole <- gmm(x, 3, code, control = gmm_control(init = start, max_iter = 1, tol = 0))
    expect_equal(parameters(combined), parameters(whole), tolerance = 1e-10)
    expect_identical(combined$nobs, 150)
    expect_identical(combined$parts, 3L)
  }
})

test_that("rows that come one batch after the other: near the fit of all, and never above it", {
  for (code in c("VII", "EEI", "VVI", "EEE", "VEE", "VVE", "EVV")) {
    start <- gmm_control(init = species)
    all <- gmm(x, 3, code, control = start)
    start$init <- species[1:60]
    held <- gmm(x[1:60, ], 3, code, control = start)
    start$keep <- FALSE
    online <- gmm(x[1:60, ], 3, code, control = start)
    for (rows in batches) {
      online <- update(online, newdata = x[rows, ])
      held <- update(held, newdata = x[rows, ])
      expect_true(all(diff(online$trace) > -1e-9 * abs(online$trace[1])))
    }
    loglik <- sum(predict(online, x, type = "logdensity"))
    expect_lte(online$objective, loglik + 1e-8)
    expect_gt(loglik, as.numeric(logLik(all)) - 0.15 * 150)
    expect_identical(online$nobs, 150)
    expect_identical(online$parts, 10L)
    # with the rows, it is a fit of them
    same <- gmm(x, 3, code, control = gmm_control(init = parameters(held)))
    expect_equal(held$loglik, same$loglik, tolerance = 1e-8)
    expect_identical(held$x, x)
    expect_identical(rownames(online$means), rownames(held$means))
  }
})

test_that("batches come the nearer to the fit of all rows, the more rows they are", {
  truth <- gmm_params(c(0.5, 0.3, 0.2), rbind(c(0, 0), c(4, 1), c(1, 5)),
                      array(c(1, 0.5, 0.5, 1, 1, 0, 0, 2, 2, -0.5, -0.5, 1), c(2, 2, 3)))
  rows <- with_test_seed(6, rgmm(6000, truth))
  lost <- sapply(c(600, 6000), function(n) {
    all <- gmm(rows[1:n, ], 3, control = gmm_control(init = truth))
    online <- gmm(rows[1:200, ], 3, control = light(init = truth))
    for (first in seq(201, n, 100)) online <- update(online, newdata = rows[first + 0:99, ])
    (all$loglik - sum(predict(online, rows[1:n, ], type = "logdensity"))) / n
  })
  expect_true(all(lost > 0))
  expect_lt(lost[2], lost[1])
  expect_lt(lost[2], 2e-3)
})

test_that("a stream that drifts is followed with forgetting, and not without", {
  draw <- function(t) c(rnorm(30, sd = 0.5), rnorm(30, 6 + t / 5))
  ends <- with_test_seed(3, {
    first <- gmm(c(draw(0), draw(0), draw(0)), 2, control = light())
    fits <- list(first, first)
    for (t in 1:25) {
      batch <- draw(t)
      fits[[1]] <- update(fits[[1]], newdata = batch, forgetting = 0.6)
      fits[[2]] <- update(fits[[2]], newdata = batch)
    }
    lapply(fits, function(fit) max(fit$means))
  })
  expect_equal(ends[[1]], 11, tolerance = 0.05)
  expect_lt(ends[[2]], 9.5)
  # one component: the mean and the variance of weights that are multiplied each time
  one <- gmm(x[1:50, ], 1, control = light())
  for (rows in batches) one <- update(one, newdata = x[rows, ], forgetting = 0.9)
  w <- c(rep(0.9^9, 50), rep(0.9^(8:0), each = 10))
  moved <- gmm(x[c(1:50, 61:150), ], 1, weights = w)
  expect_equal(parameters(one), parameters(moved))
  expect_equal(one$nobs, sum(w))
  held <- gmm(x[1:50, ], 1)
  for (rows in batches) held <- update(held, newdata = x[rows, ], forgetting = 0.9)
  expect_equal(parameters(held), parameters(moved))
  expect_equal(held$weights, w)
  expect_equal(held$loglik, moved$loglik)
})

test_that("no rows change nothing; threads, units of weights and of columns neither", {
  fit <- gmm(x[1:100, ], 3, control = light(init = species[1:100]))
  expect_identical(update(fit, newdata = x[0, ]), fit)
  expect_identical(update(fit, newdata = x[0, ], forgetting = 0.5), fit)
  big <- with_test_seed(4, rgmm(20000, fit))
  by <- lapply(1:2, function(threads) {
    update(fit, newdata = big, control = light(threads = threads))
  })
  expect_identical(by[[1]][c(parameter_fields, "trace", "stats")],
                   by[[2]][c(parameter_fields, "trace", "stats")])
  one <- update(fit, newdata = x[101:150, ], forgetting = 0.5)
  w <- rep(2^400, 100)
  heavy <- gmm(x[1:100, ], 3, weights = w, control = light(init = species[1:100]))
  heavy <- update(heavy, newdata = x[101:150, ], weights = rep(2^400, 50), forgetting = 0.5)
  expect_equal(parameters(heavy), parameters(one))
  wide <- gmm(1e5 * x[1:100, ], 3, control = light(init = species[1:100]))
  expect_equal(update(wide, newdata = 1e5 * x[101:150, ], forgetting = 0.5)$means / 1e5, one$means)
})

test_that("weights, labels, missing rows and names of a formula come along", {
  frame <- data.frame(iris[order, ], w = with_test_seed(5, runif(150)))
  frame$known <- replace(as.character(frame$Species), -c(1:6, 131:134), NA)
  frame$Sepal.Width[c(3, 120, 140)] <- NA
  for (keep in c(TRUE, FALSE)) {
    formula <- ~ log(Sepal.Width) + Petal.Length
    rows <- 1:100
    control <- gmm_control(keep = keep, init = species[rows])
    fit <- gmm(formula, frame[rows, ], 3, "VEV", weights = w, labels = known, na.action = na.omit,
               control = control)
    more <- update(fit, newdata = frame[-rows, ], weights = w, labels = known, na.action = na.omit)
    expect_identical(rownames(more$means), rownames(fit$means))
    expect_equal(more$nobs, sum(frame$w[-c(3, 120, 140)]))
    if (keep) {
      control$init <- parameters(more)
      all <- gmm(formula, frame, 3, "VEV", weights = w, labels = known, na.action = na.omit,
                 control = control)
      expect_equal(all$loglik, more$loglik, tolerance = 1e-9)
      expect_identical(unname(more$na.action[1:3]), c(3L, 120L, 140L))
      expect_identical(as.character(more$labels), as.character(all$labels))
      expect_equal(more$weights, all$weights)
    } else {
      expect_identical(levels(more$labels), levels(fit$labels))
      expect_match(format(more)[2], "weights that sum to .*3 rows dropped .*in their statistics")
    }
  }
  # what is missing, exactly
  gaps <- x
  gaps[cbind(c(5, 70, 130), c(1, 2, 4))] <- NA
  two <- gmm(x, 2, "EEE", control = gmm_control(init = pmin(as.integer(species), 2L)))
  start <- light(init = parameters(two))
  part <- gmm(gaps[1:100, ], 2, "EEE", na.action = na.pass, control = start)
  online <- update(part, newdata = gaps[101:150, ], na.action = na.pass)
  all <- gmm(gaps, 2, "EEE", na.action = na.pass, control = start)
  expect_equal(online$means, all$means, tolerance = 1e-3)
})

test_that("rows that are wholly missing are not counted, those of fits without rows neither", {
  first <- x[1:80, ]
  last <- rbind(x[81:150, ], NA)
  start <- light(init = at_start("VVV"))
  on <- update(gmm(first, 3, control = start), newdata = last, na.action = na.pass)
  expect_identical(c(on$nobs, on$home$rows), c(150, 150))
  expect_no_error(validate_gmm(on))
  held <- gmm(last, 3, na.action = na.pass, control = gmm_control(init = at_start("VVV")))
  lost <- gmm(rbind(NA, first), 3, na.action = na.pass, control = start)
  for (both in list(gmm_combine(held, lost), gmm_combine(lost, held))) {
    expect_identical(c(both$nobs, both$home$rows), c(150, 150))
    expect_no_error(validate_gmm(both))
  }
})

test_that("without `labels` no component of the new rows is known", {
  known <- replace(as.character(species), -c(1:9, 101:109), NA)
  fit <- gmm(x[1:100, ], 3, labels = known[1:100], control = light())
  none <- rep(NA_character_, 50)
  on <- update(fit, newdata = x[101:150, ])
  expect_identical(on, update(fit, newdata = x[101:150, ], labels = none))
  expect_identical(levels(on$labels), levels(fit$labels))
})

test_that("a prior and equal proportions hold on", {
  prior <- gmm_prior(mean = colMeans(x), scale = diag(4), df = 8)
  one <- gmm(x[1:100, ], 1, prior = prior, control = light())
  whole <- gmm(x, 1, prior = prior)
  expect_equal(parameters(update(one, newdata = x[101:150, ])), parameters(whole))
  equal <- gmm(x[1:100, ], 3, proportions = "equal", control = light(init = species[1:100]))
  equal <- update(equal, newdata = x[101:150, ])
  expect_identical(unname(equal$proportions), rep(1 / 3, 3))
  expect_true(equal$equal)
})

test_that("noise goes on in its box, with the rows and without", {
  noisy <- with_test_seed(7, rbind(as.matrix(faithful), cbind(runif(28, 1, 6), runif(28, 40, 99))))
  noisy <- noisy[with_test_seed(8, sample(300)), ]
  for (keep in c(TRUE, FALSE)) {
    control <- gmm_control(keep = keep)
    fit <- with_test_seed(1, gmm(noisy[1:200, ], 2, noise = TRUE, control = control))
    more <- update(fit, newdata = noisy[201:300, ])
    all <- gmm(noisy, 2, noise = fit$noise$limits, control = gmm_control(init = more))
    expect_identical(names(more$proportions), c("1", "2", "noise"))
    expect_identical(more$noise, fit$noise)
    expect_equal(more$proportions, all$proportions, tolerance = if (keep) 1e-6 else 0.05)
    # the frozen bound counts the noise
    frozen <- freeze(fit$stats, fit, 1:2)
    prob <- predict(fit, noisy[1:200, ], type = "prob")
    terms <- prob * predict(all, noisy[1:200, ], type = "component") - prob * log(prob)
    expect_equal(split_stats(frozen(all, 1), "VVV", 2L, 2L)$total[1], sum(terms[prob > 0]))
  }
})

test_that("trimmed fits go on with their rows, and not without", {
  y <- as.matrix(faithful)
  fit <- with_test_seed(1, gmm(y[1:200, ], 2, trim = 0.05))
  more <- update(fit, newdata = y[201:272, ])
  all <- gmm(y, 2, trim = 0.05, control = gmm_control(init = more))
  expect_equal(more$loglik, all$loglik)
  expect_equal(more$nobs, 0.95 * 272)
  lost <- with_test_seed(1, gmm(y[1:200, ], 2, trim = 0.05, control = light()))
  expect_gm_error(update(lost, newdata = y[201:272, ]), "argument", "`trim`", "update")
})

test_that("fits with their rows combine to a fit of all rows, whatever their components' order", {
  start <- function(rows) gmm_control(init = factor(species[rows], rev(levels(species))))
  one <- gmm(x[1:70, ], 3, control = by_species(1:70))
  other <- gmm(x[71:150, ], 3, control = start(71:150))
  expect_identical(rownames(other$means), rev(rownames(one$means)))
  both <- gmm_combine(one, other)
  all <- gmm(x, 3, control = by_species())
  expect_equal(both$loglik, all$loglik, tolerance = 1e-8)
  expect_identical(rownames(both$means), levels(species))
  expect_identical(nrow(both$x), 150L)
  expect_equal(fitted(both), fitted(all), tolerance = 1e-4)
  # by statistics: moments of matched components, merged
  alone <- lapply(list(1:70, 71:150), function(rows) {
    control <- start(rows)
    control$keep <- FALSE
    gmm(x[rows, ], 3, control = control)
  })
  merged <- do.call(gmm_combine, alone)
  n <- sapply(alone, function(fit) fit$proportions * fit$nobs)
  means <- (n[, 1] * alone[[1]]$means + n[, 2] * alone[[2]]$means) / rowSums(n)
  expect_equal(merged$means, means, tolerance = 1e-4)
  expect_equal(merged$proportions, rowSums(n) / 150, tolerance = 1e-4)
  mixed <- gmm_combine(one, alone[[2]])
  expect_gt(sum(predict(mixed, x, type = "logdensity")), all$loglik - 10)
  expect_null(mixed$loglik)
})

test_that("fits combine by the names of their columns; one fit is itself", {
  for (code in c("VVV", "VVI", "VII", "EEE")) for (keep in c(TRUE, FALSE)) {
    at <- function(rows, columns = 1:4) {
      gmm(x[rows, columns], 3, code, control = gmm_control(init = species[rows], keep = keep))
    }
    one <- at(1:70)
    both <- gmm_combine(one, at(71:150))
    turned <- gmm_combine(one, at(71:150, c(3, 1, 4, 2)))
    expect_equal(parameters(turned), parameters(both), tolerance = 1e-6)
    expect_equal(turned$objective, both$objective)
    expect_identical(turned$x, both$x)
  }
  expect_identical(gmm_combine(one), one)
})

test_that("fits at given parameters combine to one EM step, also by their own control", {
  start <- at_start("VVV")
  at <- function(rows) {
    suppressWarnings(gmm(x[rows, ], 3, control = light(init = start, max_iter = 0)))
  }
  step <- gmm(x, 3, control = gmm_control(init = start, max_iter = 1, tol = 0))
  expect_equal(parameters(gmm_combine(at(1:40), at(41:150))), parameters(step), tolerance = 1e-8)
})

test_that("fits combine with one noise: the same box, or that of all rows held", {
  y <- with_test_seed(7, rbind(as.matrix(faithful), cbind(runif(28, 1, 6), runif(28, 40, 99))))
  rows <- with_test_seed(8, sample(300, 150))
  at <- function(rows, noise = TRUE, ...) {
    with_test_seed(1, gmm(y[rows, ], 2, noise = noise, control = gmm_control(...)))
  }
  held <- list(at(rows), at(-rows))
  both <- do.call(gmm_combine, held)
  expect_identical(unname(both$noise$limits), unname(apply(y, 2, range)))
  expect_equal(gmm_combine(held[[2]], held[[1]])$loglik, both$loglik)
  all <- gmm(y, 2, noise = TRUE, control = gmm_control(init = both))
  expect_equal(both$loglik, all$loglik)
  lost <- list(at(rows, keep = FALSE), at(-rows, keep = FALSE))
  for (fits in list(lost, list(held[[1]], lost[[2]]))) {
    expect_gm_error(do.call(gmm_combine, fits), "noise", "noise = limits", "gmm_combine")
  }
  box <- rbind(c(0, 30), c(7, 110))
  expect_gm_error(gmm_combine(at(rows, box), held[[2]]), "noise", "number 2", "gmm_combine")
  same <- gmm_combine(at(rows, box, keep = FALSE), at(-rows, box, keep = FALSE))
  expect_identical(unname(same$noise$limits), box)
  turned <- with_test_seed(1, gmm(y[-rows, 2:1], 2, noise = box[, 2:1], control = light()))
  turned <- gmm_combine(at(rows, box, keep = FALSE), turned)
  expect_equal(parameters(turned), parameters(same), tolerance = 1e-5)
})

test_that("a fit of a source goes on too", {
  source <- gmm_source(x[1:100, ], chunk = 30)
  fit <- gmm(source, 3, control = gmm_control(init = at_start("VVV")))
  more <- update(fit, newdata = x[101:150, ])
  expect_identical(more$nobs, 150)
  expect_match(format(more)[2], "150 rows x 4 variables, in their statistics")
})

test_that("what a fit without rows can't say is refused, and what makes no sense", {
  fit <- gmm(x[1:100, ], 3, control = light(init = species[1:100]))
  on <- update(fit, newdata = x[101:150, ])
  for (f in list(logLik, stats::AIC, stats::BIC, stats::deviance, gmm_criteria, fitted, residuals,
                 vcov, gmm_anomaly, update)) {
    expect_gm_error(f(on), "data")
  }
  expect_gm_error(update(on, k = 2), "data", "2 parts", "update")
  expect_length(predict(on, x), 150)
  expect_output(print(summary(on)), "lower bound of the log-likelihood")
  refused <- function(class, text, ..., newdata = x[101:150, ]) {
    expect_gm_error(update(fit, newdata = newdata, ...), class, text, "update")
  }
  refused("argument", "`forgetting` must be", forgetting = 0)
  refused("argument", "`forgetting` must be", forgetting = 1.1)
  refused("argument", "`k`", k = 3)
  refused("weights", "length 50", weights = 1:3)
  refused("labels", "each of the 50 new rows", labels = 1:3)
  refused("labels", "\"rosa\"", labels = rep("rosa", 50))
  refused("nonfinite", "finite", newdata = replace(x[1:5, ], 3, Inf))
  refused("missing", "missing value", newdata = replace(x[1:5, ], 3, NA))
  refused("dimension", "4 columns", newdata = x[1:5, 1:3])
  expect_gm_error(update(gmm_params(1, 0, 1), newdata = 1:3), "data", call = "update")
  plain <- as_gmm(list(proportions = 1, means = 0, covariances = 1))
  expect_gm_error(update(plain, newdata = 1:3), "data")
  variational <- gmm_vb(x, 2, control = gmm_control(verbose = FALSE))
  expect_gm_error(update(variational, newdata = x), "data", "gmm_vb()", "update")
  expect_gm_error(gmm_combine(fit, variational), "data", "gmm_vb()", "gmm_combine")
  differs <- function(text, ..., rows = x) {
    other <- suppressWarnings(gmm(rows, ...))
    expect_gm_error(gmm_combine(fit, other), "argument", text, "gmm_combine")
  }
  differs("the family: VVI, not VVV", k = 3, covariance = "diag")
  differs("the number of components: 2, not 3", k = 2)
  differs("its columns", k = 3, rows = x[, 1:3])
  differs("its options: `prior`, not none", k = 3, prior = gmm_prior())
  expect_gm_error(gmm_combine(fit, 3), "argument", "number 2 is 3", "gmm_combine")
  broken <- on
  broken$stats$nk <- 1
  expect_gm_error(print(broken), "object", "stats")
})
