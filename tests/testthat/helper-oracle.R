# A plain-R oracle: EM for Gaussian mixtures as in the textbooks, one row and one component at a
# time where that is clearer. It shares no code with the package. Parameters are a list of
# proportions (k), means (k x d) and covariances (d x d x k); with noise also of `limits` (2 x d),
# and of k + 1 proportions.

oracle_component <- function(x, params) {
  k <- nrow(params$means)
  d <- ncol(x)
  terms <- matrix(0, nrow(x), k)
  for (j in seq_len(k)) {
    factor <- chol(matrix(params$covariances[, , j], d))
    z <- backsolve(factor, t(x) - params$means[j, ], transpose = TRUE)
    terms[, j] <- log(params$proportions[j]) - d / 2 * log(2 * pi) - sum(log(diag(factor))) -
      colSums(z^2) / 2
  }
  if (is.null(params$limits)) return(terms)
  inside <- apply(x, 1, function(row) all(row >= params$limits[1, ] & row <= params$limits[2, ]))
  volume <- prod(params$limits[2, ] - params$limits[1, ])
  cbind(terms, log(params$proportions[k + 1]) + ifelse(inside, -log(volume), -Inf))
}

oracle_mahalanobis <- function(x, params) {
  d <- ncol(x)
  vapply(seq_along(params$proportions), function(j) {
    factor <- chol(matrix(params$covariances[, , j], d))
    colSums(backsolve(factor, t(x) - params$means[j, ], transpose = TRUE)^2)
  }, numeric(nrow(x)))
}

oracle_logdens <- function(x, params) {
  terms <- oracle_component(x, params)
  most <- apply(terms, 1, max)
  most <- ifelse(most == -Inf, 0, most)
  most + log(rowSums(exp(terms - most)))
}

oracle_loglik <- function(x, params, w = rep(1, nrow(x))) sum(w * oracle_logdens(x, params))

# Log-densities of the values that are there.
oracle_observed <- function(x, params) {
  apply(x, 1, function(row) {
    at <- which(!is.na(row))
    if (length(at) == 0) return(0)
    part <- list(proportions = params$proportions, means = params$means[, at, drop = FALSE],
                 covariances = params$covariances[at, at, , drop = FALSE])
    oracle_logdens(t(row[at]), part)
  })
}

# x with that share of its values missing at random.
holes <- function(x, share, seed) {
  with_test_seed(seed, x[runif(length(x)) < share] <- NA)
  x
}

oracle_estep <- function(x, params) exp(oracle_component(x, params) - oracle_logdens(x, params))

oracle_families <- function(d) if (d == 1) c("V", "E") else c("VVV", "EEE", "VVI", "VII")

# The maximum of the expected complete log-likelihood, without any floor. `resp` is n x k, or n x
# (k + 1) with noise.
oracle_mstep <- function(x, resp, family, w = rep(1, nrow(x)), noise = FALSE) {
  d <- ncol(x)
  k <- ncol(resp) - noise
  proportions <- colSums(w * resp) / sum(w)
  resp <- resp[, seq_len(k), drop = FALSE]
  nk <- colSums(w * resp)
  means <- crossprod(w * resp, x) / nk
  scatter <- array(0, c(d, d, k))
  for (j in seq_len(k)) {
    about <- sweep(x, 2, means[j, ])
    scatter[, , j] <- crossprod(about, w * resp[, j] * about)
  }
  each <- function(f) {
    one <- function(j) f(matrix(scatter[, , j], d), nk[j])
    array(vapply(seq_len(k), one, matrix(0, d, d)), c(d, d, k))
  }
  pooled <- apply(scatter, 1:2, sum) / sum(nk)
  covariances <- switch(family,
    VVV = , V = each(function(s, n) s / n),
    EEE = , E = each(function(s, n) pooled),
    VVI = each(function(s, n) diag(diag(s) / n, d)),
    VII = each(function(s, n) diag(sum(diag(s)) / (n * d), d)),
    stop("the oracle has no M-step for ", family)
  )
  list(proportions = proportions, means = means, covariances = covariances)
}

# `steps` EM steps from `start`. trace: the log-likelihood of the start, then after each step.
oracle_em <- function(x, start, family, steps, w = rep(1, nrow(x))) {
  params <- start
  trace <- oracle_loglik(x, params, w)
  for (step in seq_len(steps)) {
    resp <- oracle_estep(x, params)
    params <- c(oracle_mstep(x, resp, family, w, !is.null(start$limits)), start["limits"])
    trace <- c(trace, oracle_loglik(x, params, w))
  }
  c(params[c("proportions", "means", "covariances")], list(trace = trace))
}

# ---- cases with a fixed seed, which leave the random numbers of the session alone -------------

with_test_seed <- function(seed, code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  kinds <- RNGkind()
  on.exit({
    suppressWarnings(RNGkind(kinds[1], kinds[2], kinds[3]))
    if (is.null(old)) rm(".Random.seed", envir = globalenv())
    else assign(".Random.seed", old, envir = globalenv())
  })
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  code
}

# Parameters of a family: means about `spread` standard deviations apart.
random_params <- function(family, d, k, seed, spread = 2) {
  with_test_seed(seed, {
    proportions <- runif(k, 0.5, 1.5)
    means <- matrix(rnorm(k * d, sd = spread), k, d)
    one <- function() {
      factor <- matrix(rnorm(d * d, sd = 0.5), d)
      crossprod(factor) + diag(0.3, d)
    }
    draws <- replicate(k, one(), simplify = FALSE)
    matrices <- switch(family,
      VVV = , V = draws,
      EEE = , E = rep(draws[1], k),
      VVI = lapply(draws, function(s) diag(diag(s), d)),
      VII = lapply(draws, function(s) diag(s[1, 1], d)),
      stop("no random parameters of ", family)
    )
    list(proportions = proportions / sum(proportions), means = means,
         covariances = array(unlist(matrices), c(d, d, k)))
  })
}

# n rows drawn from the mixture, with the component of each as attribute "component".
random_data <- function(n, params, seed) {
  with_test_seed(seed, {
    d <- ncol(params$means)
    component <- sample.int(length(params$proportions), n, TRUE, params$proportions)
    x <- t(vapply(component, function(j) {
      params$means[j, ] + drop(rnorm(d) %*% chol(matrix(params$covariances[, , j], d)))
    }, numeric(d)))
    structure(matrix(x, n, d), component = component)
  })
}

# Calls f(family, d, k) for every family, dimension and number of components of a small grid.
for_each_case <- function(f, d = c(1, 2, 3), k = c(1, 3)) {
  for (dim in d) for (family in oracle_families(dim)) for (comps in k) f(family, dim, comps)
}
