x <- as.matrix(faithful)
shapes <- c("full", "tied", "diag", "EEI", "spherical", "EII")
priors <- c("dirichlet", "stick")
quiet <- function(...) gmm_control(..., verbose = FALSE)

# ---- variational Bayes in plain R, one component at a time -----------------------------

# Precisions as Gamma variables: number of them, and shape and rate of each for nu and Psi.
oracle_gammas <- function(shape, d, nu, psi) {
  switch(shape,
    diag = , EEI = list(times = rep(1, d), shape = rep(nu / 2, d), rate = diag(psi) / 2),
    spherical = , EII = list(times = d, shape = d * nu / 2, rate = sum(diag(psi)) / 2)
  )
}

log_det <- function(s) as.numeric(determinant(as.matrix(s))$modulus)

oracle_log_precision <- function(shape, d, nu, psi) { # E log|Sigma^-1|
  if (shape %in% c("full", "tied")) {
    return(sum(digamma((nu + 1 - seq_len(d)) / 2)) + d * log(2) - log_det(psi))
  }
  g <- oracle_gammas(shape, d, nu, psi)
  sum(g$times * (digamma(g$shape) - log(g$rate)))
}

# Divergence of q(precision) from its prior: between Wishart or Gamma densities.
oracle_divergence <- function(shape, d, nu, psi, nu0, psi0) {
  if (shape %in% c("full", "tied")) {
    log_gamma_d <- function(a) d * (d - 1) / 4 * log(pi) + sum(lgamma(a + (1 - seq_len(d)) / 2))
    norm <- function(nu, psi) nu / 2 * log_det(psi) - nu * d / 2 * log(2) - log_gamma_d(nu / 2)
    return(norm(nu, psi) - norm(nu0, psi0) +
             (nu - nu0) / 2 * oracle_log_precision(shape, d, nu, psi) - nu * d / 2 +
             nu / 2 * sum(diag(psi0 %*% solve(psi))))
  }
  q <- oracle_gammas(shape, d, nu, psi)
  p <- oracle_gammas(shape, d, nu0, psi0)
  sum((q$shape - p$shape) * digamma(q$shape) - lgamma(q$shape) + lgamma(p$shape) +
        p$shape * (log(q$rate) - log(p$rate)) + q$shape * (p$rate - q$rate) / q$rate)
}

oracle_posterior <- function(x, resp, shape, stick, prior, w) {
  d <- ncol(x)
  size <- colSums(w * resp)
  kappa <- prior$kappa + size
  out <- list(size = size, kappa = kappa, means = matrix(0, length(size), d))
  out$concentration <- if (stick) {
    cbind(1 + size, prior$alpha + rev(cumsum(rev(size))) - size)
  } else {
    prior$alpha + size
  }
  added <- lapply(seq_along(size), function(j) {
    mean <- if (size[j] > 0) colSums(w * resp[, j] * x) / size[j] else prior$mean
    out$means[j, ] <<- (prior$kappa * prior$mean + size[j] * mean) / kappa[j]
    apart <- sweep(x, 2, mean)
    crossprod(apart, w * resp[, j] * apart) +
      prior$kappa * size[j] / kappa[j] * tcrossprod(mean - prior$mean)
  })
  shared <- shape %in% c("tied", "EEI", "EII")
  if (shared) added <- rep(list(Reduce(`+`, added)), length(size))
  out$df <- prior$df + if (shared) rep(sum(w), length(size)) else size
  out$scale <- lapply(added, function(s) {
    s <- prior$scale + s
    switch(shape, full = , tied = s, diag = , EEI = diag(diag(s), d), diag(mean(diag(s)), d))
  })
  out$shape <- shape
  out$shared <- shared
  out
}

oracle_log_proportions <- function(post) {
  c <- post$concentration
  if (!is.matrix(c)) return(digamma(c) - digamma(sum(c)))
  broken <- digamma(c) - digamma(rowSums(c))
  broken[, 1] + c(0, cumsum(broken[, 2])[-nrow(c)])
}

oracle_terms <- function(x, post) { # E log(proportion_j f_j(x))
  d <- ncol(x)
  log_prop <- oracle_log_proportions(post)
  vapply(seq_along(post$size), function(j) {
    squared <- mahalanobis(x, post$means[j, ], post$scale[[j]] / post$df[j])
    log_prop[j] + oracle_log_precision(post$shape, d, post$df[j], post$scale[[j]]) / 2 -
      d / 2 * log(2 * pi) - (d / post$kappa[j] + squared) / 2
  }, numeric(nrow(x)))
}

oracle_resp <- function(terms) {
  exp(terms - apply(terms, 1, function(t) log(sum(exp(t - max(t)))) + max(t)))
}

# E log p(rows, components, parameters) - E log q, term by term.
oracle_bound <- function(x, resp, post, prior, w) {
  d <- ncol(x)
  entropy <- -sum(w * ifelse(resp > 0, resp * log(resp), 0))
  c <- post$concentration
  weights <- if (is.matrix(c)) {
    sum(vapply(seq_len(nrow(c)), function(j) {
      both <- digamma(sum(c[j, ]))
      lbeta(1, prior$alpha) - lbeta(c[j, 1], c[j, 2]) +
        (c[j, 1] - 1) * (digamma(c[j, 1]) - both) +
        (c[j, 2] - prior$alpha) * (digamma(c[j, 2]) - both)
    }, 0))
  } else {
    k <- length(c)
    lgamma(sum(c)) - sum(lgamma(c)) - lgamma(k * prior$alpha) + k * lgamma(prior$alpha) +
      sum((c - prior$alpha) * (digamma(c) - digamma(sum(c))))
  }
  means <- sum(vapply(seq_along(post$size), function(j) {
    ratio <- prior$kappa / post$kappa[j]
    (d * (ratio - 1 - log(ratio)) + prior$kappa *
       mahalanobis(post$means[j, ], prior$mean, post$scale[[j]] / post$df[j])) / 2
  }, 0))
  each <- if (post$shared) 1L else seq_along(post$size)
  precisions <- sum(vapply(each, function(j) {
    oracle_divergence(post$shape, d, post$df[j], post$scale[[j]], prior$df, prior$scale)
  }, 0))
  sum(w * resp * oracle_terms(x, post)) + entropy - weights - means - precisions
}

expect_posterior <- function(fit, post, tolerance = 1e-9) {
  expect_equal(unname(fit$posterior$concentration), unname(post$concentration),
               tolerance = tolerance)
  expect_equal(unname(fit$posterior$kappa), post$kappa, tolerance = tolerance)
  expect_equal(unname(fit$means), unname(post$means), tolerance = tolerance)
  for (j in seq_along(post$size)) {
    expect_equal(unname(fit$covariances[, , j]), unname(drop(post$scale[[j]] / post$df[j])),
                 tolerance = tolerance, ignore_attr = TRUE)
  }
}

soft <- with_test_seed(3, {
  resp <- matrix(rexp(nrow(x) * 4), ncol = 4) + 3 * diag(4)[kmeans(x, 4)$cluster, ]
  resp / rowSums(resp)
})

test_that("steps are those of a plain-R oracle, for all shapes, priors and weights", {
  prior <- gmm_prior(alpha = 0.2, mean = c(3, 60), kappa = 0.5, df = 3.5,
                     scale = matrix(c(1, 4, 4, 100), 2))
  w <- rep(c(1, 0.5, 2, 0), length.out = nrow(x))
  for (shape in shapes) {
    for (kind in priors) {
      for (weights in list(NULL, w)) {
        steps <- 4
        fit <- gmm_vb(x, 4, shape, prior = prior, weights_prior = kind, weights = weights,
                      control = quiet(init = soft, tol = 0, max_iter = steps))
        at <- if (is.null(weights)) rep(1, nrow(x)) else weights
        bounds <- double()
        resp <- soft
        for (step in 0:steps) {
          post <- oracle_posterior(x, resp, shape, kind == "stick", prior, at)
          resp <- oracle_resp(oracle_terms(x, post))
          bounds <- c(bounds, oracle_bound(x, resp, post, prior, at))
        }
        expect_posterior(fit, post)
        expect_equal(fit$trace, bounds, tolerance = 1e-12)
        expect_equal(unname(variational_responsibilities(fit)), unname(resp), tolerance = 1e-8)
        expect_equal(fit$bound, fit$objective)
      }
    }
  }
})

# ---- truths ----------------------------------------------------------------------------

# The log evidence of normal rows with the conjugate prior, in closed form.
log_evidence <- function(x, shape, prior) {
  n <- nrow(x)
  d <- ncol(x)
  centre <- colMeans(x)
  psi <- prior$scale + crossprod(sweep(x, 2, centre)) +
    prior$kappa * n / (prior$kappa + n) * tcrossprod(centre - prior$mean)
  total <- -n * d / 2 * log(2 * pi) + d / 2 * log(prior$kappa / (prior$kappa + n))
  if (shape %in% c("full", "tied")) {
    log_gamma_d <- function(a) sum(lgamma(a + (1 - seq_len(d)) / 2))
    norm <- function(nu, s) nu / 2 * log_det(s) - nu * d / 2 * log(2) - log_gamma_d(nu / 2)
    return(total + norm(prior$df, prior$scale) - norm(prior$df + n, psi))
  }
  norm <- function(nu, s) {
    g <- oracle_gammas(shape, d, nu, s)
    sum(g$shape * log(g$rate) - lgamma(g$shape))
  }
  total + norm(prior$df, prior$scale) - norm(prior$df + n, psi)
}

test_that("of one component the bound is the log evidence", {
  given <- gmm_prior(mean = c(3, 60), kappa = 0.5, df = 3.5, scale = matrix(c(1, 4, 4, 100), 2))
  for (shape in shapes) {
    for (prior in list(NULL, given)) {
      for (rows in list(1:272, 1:3)) {
        fit <- gmm_vb(x[rows, ], 1, shape, prior = prior)
        expect_equal(fit$bound, log_evidence(x[rows, ], shape, fit$prior), tolerance = 1e-13)
        expect_true(fit$converged)
      }
    }
    one <- gmm_vb(faithful$waiting, 1, shape)
    expect_equal(one$bound, log_evidence(x[, 2, drop = FALSE], shape, one$prior),
                 tolerance = 1e-13)
  }
  # by the chain rule the next row has its predictive Student density
  before <- gmm_vb(x[1:9, ], 1, prior = given)
  df <- before$posterior$df[[1]] - 1
  kappa <- before$posterior$kappa[[1]]
  scale <- before$posterior$scale[, , 1] * (kappa + 1) / (kappa * df)
  expect_equal(gmm_vb(x[1:10, ], 1, prior = given)$bound - before$bound,
               mvtnorm::dmvt(x[10, ], before$means[1, ], scale, df), tolerance = 1e-10,
               ignore_attr = TRUE)
})

test_that("the bound never falls, and is below the evidence of all assignments", {
  few <- x[c(1:4, 20, 31), ]
  prior <- gmm_prior(alpha = 0.7, mean = c(3, 60), kappa = 0.5, df = 3.5, scale = c(1, 100))
  every <- as.matrix(expand.grid(rep(list(1:2), nrow(few))))
  for (shape in c("full", "diag", "spherical")) {
    # log p(rows) = log sum over assignments of p(assignment) p(rows | assignment)
    logs <- apply(every, 1, function(z) {
      n <- tabulate(z, 2)
      lgamma(2 * 0.7) - lgamma(2 * 0.7 + nrow(few)) + sum(lgamma(0.7 + n) - lgamma(0.7)) +
        sum(vapply(which(n > 0), function(j) {
          log_evidence(few[z == j, , drop = FALSE], shape, prior)
        }, 0))
    })
    evidence <- max(logs) + log(sum(exp(logs - max(logs))))
    set.seed(1)
    fit <- gmm_vb(few, 2, shape, prior = prior)
    expect_lt(fit$bound, evidence)
    expect_gt(fit$bound, evidence - 5)
  }
  for (shape in shapes) {
    for (kind in priors) {
      fit <- gmm_vb(x, 4, shape, weights_prior = kind, control = quiet(init = soft))
      expect_gt(min(diff(fit$trace)), -1e-9 * abs(fit$bound))
      expect_true(fit$converged)
    }
  }
})

test_that("at the end no change of responsibilities raises the bound", {
  fit <- gmm_vb(x, 3, prior = gmm_prior(alpha = 1), control = quiet(init = soft[, -4] /
                                                                      rowSums(soft[, -4])))
  resp <- unname(variational_responsibilities(fit))
  w <- rep(1, nrow(x))
  bound_at <- function(resp) {
    oracle_bound(x, resp, oracle_posterior(x, resp, "full", FALSE, fit$prior, w), fit$prior, w)
  }
  expect_equal(bound_at(resp), fit$bound, tolerance = 1e-10)
  for (i in c(1, 50, 200)) {
    moved <- resp
    moved[i, ] <- 0.9 * moved[i, ] + 0.1 / 3
    expect_lt(bound_at(moved), fit$bound)
  }
})

test_that("weights are rows, units and order of rows change nothing", {
  control <- function(init) quiet(init = init, tol = 0, max_iter = 20)
  prior <- gmm_prior(mean = c(3, 60), scale = c(1, 100))
  for (kind in priors) {
    fit <- function(x, resp, ...) {
      gmm_vb(x, 4, prior = prior, weights_prior = kind, control = control(resp), ...)
    }
    twice <- fit(x[c(1:272, 1:272), ], soft[c(1:272, 1:272), ])
    weighted <- fit(x, soft, weights = rep(2, 272))
    expect_equal(weighted$trace, twice$trace, tolerance = 1e-12)
    expect_equal(weighted$posterior, twice$posterior, tolerance = 1e-9)
    expect_equal(weighted$loglik, twice$loglik, tolerance = 1e-12)
    back <- fit(x[272:1, ], soft[272:1, ])
    expect_equal(back$trace, fit(x, soft)$trace, tolerance = 1e-12)
  }
  plain <- gmm_vb(x, 4, control = control(soft))
  moved <- gmm_vb(sweep(1000 * x, 2, c(1e5, 0), `+`), 4, control = control(soft))
  expect_equal(moved$trace, plain$trace - 272 * 2 * log(1000), tolerance = 1e-8)
  turn <- matrix(c(2, 1, -3, 0.5), 2)
  turned <- gmm_vb(x %*% turn, 4, control = control(soft))
  expect_equal(turned$trace, plain$trace - 272 * log(abs(det(turn))), tolerance = 1e-8)
})

test_that("components that are not needed are switched off", {
  y <- random_data(600, random_params("VVV", 2, 3, seed = 5, spread = 8), 6)
  for (kind in priors) {
    set.seed(1)
    fit <- gmm_vb(y, 10, prior = gmm_prior(alpha = 0.01), weights_prior = kind)
    expect_identical(fit$effective[["used"]], 3)
    expect_lt(fit$effective[["entropy"]], 3.01)
    expect_gt(min(table(predict(fit), attr(y, "component"))[1:3, ] |> apply(1, max)), 100)
    set.seed(1)
    expect_gt(fit$bound, gmm_vb(y, 2, prior = gmm_prior(alpha = 0.01), weights_prior = kind)$bound)
  }
})

test_that("the mixture that is reported is the plug-in one", {
  w <- rep(c(1, 2), length.out = 272)
  fit <- gmm_vb(faithful, 3, weights = w, control = quiet(init = soft[, -4] / rowSums(soft[, -4])))
  expect_s3_class(fit, c("gmm_vb", "gaussmix", "gmm"), exact = TRUE)
  expect_equal(fit$proportions, fit$posterior$concentration / sum(fit$posterior$concentration))
  expect_equal(fit$covariances[, , 2], fit$posterior$scale[, , 2] / fit$posterior$df[[2]])
  expect_equal(as.numeric(logLik(fit)), sum(w * dgmm(x, fit, log = TRUE)), tolerance = 1e-12)
  same <- do.call(gmm_params, unclass(fit)[parameter_fields])
  expect_equal(predict(fit, faithful, type = "prob"), predict(same, faithful, type = "prob"),
               ignore_attr = TRUE)
  expect_equal(unname(as.matrix(fitted(fit))),
               unname(variational_responsibilities(fit) %*% fit$means))
  stick <- gmm_vb(faithful, 3, weights_prior = "stick")
  broken <- stick$posterior$concentration[, 1] / rowSums(stick$posterior$concentration)
  weights <- broken * c(1, cumprod(1 - broken))[1:3]
  expect_equal(stick$proportions, weights / sum(weights))
  expect_false(is.unsorted(-stick$proportions))
})

test_that("known labels fix rows, and order", {
  labels <- rep(NA_character_, 272)
  labels[1:4] <- c("long", "short", "long", "short")
  for (kind in priors) {
    fit <- gmm_vb(x, 4, labels = labels, weights_prior = kind)
    expect_identical(rownames(fit$means)[1:2], c("long", "short"))
    expect_gt(fit$means["long", 1], fit$means["short", 1])
    expect_gt(min(diff(fit$trace)), -1e-9 * abs(fit$bound))
    logs <- predict(fit, x, type = "logdensity")
    logs[1:4] <- predict(fit, x, type = "component")[cbind(1:4, c(1, 2, 1, 2))]
    expect_equal(fit$loglik, sum(logs), tolerance = 1e-12)
  }
  # all labelled: the exact posterior, and the evidence of classes
  group <- 1 + (x[, 1] > 3)
  fit <- gmm_vb(x, 2, labels = group, prior = gmm_prior(alpha = 2))
  n <- tabulate(group)
  expect_equal(fit$bound, lgamma(4) - lgamma(4 + 272) + sum(lgamma(2 + n) - lgamma(2)) +
                 log_evidence(x[group == 1, ], "full", fit$prior) +
                 log_evidence(x[group == 2, ], "full", fit$prior), tolerance = 1e-12)
})

test_that("sticks are kept in decreasing order, which has the largest bound", {
  set.seed(2)
  fit <- gmm_vb(x, 5, "diag", weights_prior = "stick")
  expect_false(is.unsorted(-fit$posterior$size))
  resp <- variational_responsibilities(fit)
  for (order in list(5:1, c(2, 1, 3:5))) {
    other <- gmm_vb(x, 5, "diag", weights_prior = "stick",
                    control = quiet(init = resp[, order], max_iter = 0))
    expect_lt(other$bound, fit$bound)
  }
})

test_that("a seed fixes the fit, whatever the number of threads", {
  for (kind in priors) {
    fits <- lapply(1:2, function(threads) {
      set.seed(4)
      gmm_vb(x, 5, weights_prior = kind, control = quiet(threads = threads))
    })
    expect_identical(fits[[1]][c("bound", "posterior", "trace")],
                     fits[[2]][c("bound", "posterior", "trace")])
  }
  expect_gte(nrow(fits[[1]]$starts), 10)
  expect_true(all(fits[[1]]$starts$objective <= fits[[1]]$bound + 1e-6, na.rm = TRUE))
})

test_that("many rows are searched on a sample, with the prior in proportion", {
  y <- random_data(9000, random_params("VVV", 2, 3, seed = 5, spread = 8), 7)
  set.seed(1)
  fit <- gmm_vb(y, 5, prior = gmm_prior(alpha = 0.01), control = quiet(search = 5))
  expect_identical(fit$effective[["used"]], 3)
  near <- gmm_vb(y, 3, control = quiet(init = attr(y, "component")),
                 prior = gmm_prior(alpha = 0.01))
  expect_equal(fit$bound, near$bound, tolerance = 1e-3)
})

# ---- scikit-learn ----------------------------------------------------------------------

frozen <- readRDS(test_path("fixtures", "vb.rds"))

frozen_fit <- function(key, which, ...) {
  parts <- strsplit(key, " ")[[1]]
  case <- frozen$cases[[parts[1]]]
  # a tied precision has one factor, of which scikit-learn keeps the k-th root
  times <- if (parts[2] == "tied") ncol(case$resp[[1]]) else 1
  prior <- gmm_prior(alpha = case$alpha, mean = case$mean, kappa = case$kappa,
                     df = times * case$df, scale = times * case$scale)
  gmm_vb(case$x, ncol(case$resp[[1]]), parts[2], prior = prior, weights_prior = parts[3],
         control = quiet(init = case$resp[[which]], ...))
}

expect_state <- function(fit, want, tolerance) {
  k <- fit$k
  shape <- families[[fit$covariance]]$name
  times <- if (shape == "tied") k else 1
  s <- fit$covariances
  d <- ncol(fit$means)
  covariances <- switch(shape, full = aperm(s, c(3, 1, 2)), tied = s[, , 1],
                        diag = t(matrix(apply(s, 3, diag), d)), spherical = s[1, 1, ])
  expect_equal(unname(fit$posterior$concentration), unname(want$concentration),
               tolerance = tolerance)
  expect_equal(unname(fit$posterior$kappa), want$kappa, tolerance = tolerance)
  expect_equal(unname(fit$posterior$df) / times, want$df, tolerance = tolerance)
  expect_equal(c(fit$means), c(want$means), tolerance = tolerance)
  expect_equal(unname(c(covariances)), c(want$covariances), tolerance = tolerance)
  expect_equal(unname(fit$proportions), want$weights, tolerance = tolerance)
  expect_equal(unname(c(variational_responsibilities(fit)[1:10, ])), c(want$resp),
               tolerance = tolerance)
}

test_that("scikit-learn has the same posteriors, and the same differences of bounds", {
  for (key in names(frozen$results)) {
    want <- frozen$results[[key]]
    fits <- lapply(1:2, function(which) {
      expect_state(frozen_fit(key, which, tol = 0, max_iter = 0), want[[which]]$first, 1e-9)
      five <- frozen_fit(key, which, tol = 0, max_iter = 5)
      expect_state(five, want[[which]]$steps, 1e-7)
      fit <- frozen_fit(key, which, tol = 1e-15)
      expect_state(fit, want[[which]]$converged, 1e-4)
      # ours is after an E-step, scikit-learn's after an M-step: in turn ever higher
      offset <- fit$bound - want[[which]]$bound
      expect_true(all(diff(c(rbind(want[[which]]$bounds + offset, five$trace[-1]))) > -1e-7))
      fit
    })
    expect_equal(fits[[1]]$bound - fits[[2]]$bound, want[[1]]$bound - want[[2]]$bound,
                 tolerance = 1e-7)
  }
})

test_that("the search finds what given starts find, or a higher bound", {
  for (key in c("iris full dirichlet", "iris full stick", "iris diag stick")) {
    given <- vapply(1:2, function(which) frozen_fit(key, which)$bound, 0)
    fit <- frozen_fit(key, 1)
    case <- frozen$cases$iris
    set.seed(1)
    found <- gmm_vb(case$x, 4, fit$covariance, prior = fit$prior,
                    weights_prior = fit$posterior$weights_prior)
    expect_gt(found$bound, max(given) - 1e-6)
  }
})

test_that("its diag and spherical differ by the log determinant of a full Wishart matrix alone", {
  for (key in grep("(diag|spherical)", names(frozen$results), value = TRUE)) {
    want <- frozen$results[[key]][[1]]$plain
    if (is.null(want)) next # one variable: the same
    fit <- frozen_fit(key, 1, tol = 0, max_iter = 0)
    same <- setdiff(names(want$first), "resp")
    expect_equal(frozen$results[[key]][[1]]$first[same], want$first[same])
    d <- 3
    nu <- unname(fit$posterior$df)
    wishart <- vapply(nu, function(v) sum(digamma((v + 1 - 1:d) / 2)), 0)
    ours <- if (grepl("diag", key)) d * digamma(nu / 2) else d * (digamma(d * nu / 2) - log(d))
    terms <- predict(fit, fit$x[1:5, ], type = "component")
    terms <- sweep(terms, 2, fit$posterior$log_weight - log(fit$proportions), `+`)
    expect_equal(unname(terms - rep((ours - wishart) / 2, each = 5)), want$component,
                 tolerance = 1e-10)
  }
})

# ---- with the other functions ----------------------------------------------------------

test_that("what rests on a largest likelihood is refused, with a pointer to the bound", {
  fit <- gmm_vb(faithful, 2, control = quiet(n_init = 1, search = 0))
  ml <- gmm(faithful, 1)
  refused <- list(function() AIC(fit), function() BIC(fit), function() BIC(ml, fit),
                  function() gmm_criteria(ml, fit), function() vcov(fit), function() confint(fit),
                  function() profile(fit), function() gmm_lrt(fit), function() gmm_boot(fit, 2),
                  function() estfun.gaussmix(fit), function() bread.gaussmix(fit))
  for (f in refused) expect_gm_error(f(), "argument", c("gmm_vb()", "`bound`"))
  expect_true(is.na(attr(logLik(fit), "df")))
})

test_that("what takes a mixture takes the plug-in one", {
  fit <- gmm_vb(faithful, 3, control = quiet(n_init = 1, search = 0))
  plain <- do.call(gmm_params, unclass(fit)[parameter_fields])
  at <- data.frame(eruptions = 3, waiting = 60)
  expect_equal(pgmm(at, fit), pgmm(at, plain))
  expect_equal(unname(coef(fit)), unname(coef(plain)))
  expect_equal(as_sklearn(fit), as_sklearn(plain))
  set.seed(1)
  draws <- rgmm(5, fit)
  set.seed(1)
  expect_equal(draws, rgmm(5, plain))
  expect_s3_class(gmm_anomaly(fit), "gmm_anomaly")
  expect_s3_class(gmm_merge(fit), "gmm_merge")
  expect_equal(dim(simulate(fit)$sim_1), dim(faithful))
  again <- gmm_from_json(gmm_to_json(fit))
  expect_identical(coef(again), coef(fit))
  expect_gm_error(logLik(again), "data")
  expect_equal(as.numeric(logLik(suppressWarnings(as_gmm(fit, x = faithful)))), fit$loglik)
  expect_s3_class(update(fit, k = 2), "gmm_vb")
  expect_s3_class(gmm_vb(~ eruptions, faithful, 2), "gmm_vb") # no weights there
  expect_identical(draw(fit), fit)
  for (what in c("density", "uncertainty", "trace", "starts")) draw(fit, what)
  used <- used_components(gmm_vb(faithful, 6, control = quiet(n_init = 1, search = 0)))
  expect_null(validate_gmm(used))
  kept <- gmm_vb(faithful, 3, control = quiet(keep = FALSE, n_init = 1, search = 0))
  expect_equal(sum(predict(kept, type = "logdensity")), kept$loglik)
})

test_that("rows elsewhere have the steps of rows in memory", {
  start <- list(proportions = c(.2, .3, .5), means = x[c(1, 2, 20), ],
                covariances = array(diag(c(1, 100)), c(2, 2, 3)))
  w <- rep(c(1, 3), 136)
  for (kind in priors) {
    for (shape in c("full", "tied", "diag")) {
      fit <- function(rows, ...) {
        gmm_vb(rows, 3, shape, weights_prior = kind, control = quiet(init = start), ...)
      }
      here <- fit(x, weights = w)
      there <- fit(gmm_source(list(list(x = x, weights = w))))
      expect_equal(there$trace, here$trace, tolerance = 1e-11)
      expect_equal(there$loglik, here$loglik, tolerance = 1e-11)
      expect_equal(there$posterior, here$posterior, tolerance = 1e-7)
    }
  }
  set.seed(1)
  found <- gmm_vb(gmm_source(x), 4, control = quiet(n_init = 1, search = 0))
  expect_gt(found$bound, -1190)
  expect_gm_error(gmm_vb(gmm_source(x)), "argument", "k", "gmm_vb")
  expect_gm_error(fitted(found), "data")
})

test_that("a table in a database has the steps of rows in memory", {
  skip_if_not_installed("RSQLite")
  con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  on.exit(DBI::dbDisconnect(con))
  DBI::dbWriteTable(con, "geyser", faithful)
  start <- list(proportions = c(.4, .6), means = x[1:2, ],
                covariances = array(diag(c(1, 100)), c(2, 2, 2)))
  control <- quiet(init = start, tol = 0, max_iter = 5)
  here <- gmm_vb(x, 2, control = control)
  there <- gmm_vb(gmm_dbi(con, "geyser"), 2, control = control)
  expect_equal(there$trace, here$trace, tolerance = 1e-9)
  expect_equal(there$loglik, here$loglik, tolerance = 1e-9)
})

test_that("it goes on from a fit, and from what gmm() starts from", {
  fit <- gmm_vb(x, 3, control = quiet(n_init = 1))
  again <- gmm_vb(x, 3, control = quiet(init = fit))
  expect_equal(again$bound, fit$bound, tolerance = 1e-8)
  for (init in list("kmeans++", "random", "hierarchical", function(x, k) "kmeans++")) {
    fit <- gmm_vb(x, 2, control = quiet(init = init))
    expect_gt(fit$bound, -1179.5)
  }
  expect_s3_class(gmm(x, 3, control = quiet(init = again)), "gaussmix")
})

test_that("bad arguments are refused by name", {
  lacking <- faithful
  lacking[3, 1] <- NA
  expect_snapshot({
    show_conditions(
      gmm_vb(faithful), gmm_vb(faithful, 2:3), gmm_vb(faithful, 3, c("full", "tied")),
      gmm_vb(faithful, 3, "EVE"), gmm_vb(faithful, 2, weights_prior = "stik"),
      gmm_vb(faithful, 2, noise = TRUE), gmm_vb(faithful, 2, trim = 0.1),
      gmm_vb(~eruptions, faithful, 2, proportions = "equal"),
      gmm_vb(faithful, 2, weight = 1), gmm_vb(faithful, 2, prior = 3),
      gmm_vb(faithful, 2, control = gmm_control(ratio = 10)),
      gmm_vb(faithful, 2, prior = gmm_prior(kappa = 0)),
      gmm_vb(faithful, 2, prior = gmm_prior(df = 0)),
      gmm_vb(faithful, 2, prior = gmm_prior(df = 0.5)),
      gmm_vb(cbind(faithful, sum = rowSums(faithful)), 2),
      suppressMessages(gmm_vb(faithful, 4, control = quiet(max_iter = 2, search = 0, n_init = 1,
                                                           init = rep(1:4, 68))))
    )
  })
  expect_gm_error(gmm_vb(lacking, 2), "missing")
  expect_gm_error(gmm_vb(lacking, 2, na.action = na.pass), "missing")
  expect_identical(nobs(gmm_vb(lacking, 2, na.action = na.omit)), 271)
  broken <- gmm_vb(faithful, 2, control = quiet(n_init = 1, search = 0))
  broken$posterior$kappa <- NULL
  expect_gm_error(print(broken), "object", "posterior$kappa")
})

test_that("a print and a summary say what was done", {
  fit <- gmm_vb(faithful, 3, weights = rep(1:2, 136), weights_prior = "stick",
                control = quiet(init = rep(1:3, length.out = 272)))
  expect_snapshot({
    print(fit)
    print(summary(fit))
  })
})

test_that("missing values are refused with a way out that gmm_vb() has", {
  holes <- faithful
  holes$waiting[3] <- NA
  for (action in list(na.fail, na.pass)) {
    e <- expect_gm_error(gmm_vb(holes, 3, na.action = action), "missing",
                         "`x` has 1 missing value: row 3")
    expect_match(conditionMessage(e), "na.omit or na.exclude drops these rows", fixed = TRUE)
  }
  expect_gm_error(gmm_vb(~ waiting, holes, 3), "missing", "`data` has 1 missing value")
})

test_that("a summary leaves out components that are switched off", {
  fit <- gmm_vb(faithful, k = 6)
  unused <- sum(fit$posterior$size < 1)
  expect_gt(unused, 0)
  shown <- capture.output(print(summary(fit)))
  expect_match(shown, sprintf("(without %d components of less than one row)", unused),
               fixed = TRUE, all = FALSE)
  expect_false(any(grepl("e-0", shown)))
})
