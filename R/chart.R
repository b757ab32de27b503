# Families that share a part of the covariance, in free parameters: near a fit,
#   Sigma_j = exp(v) D R(s) diag(a exp(B t)) R(s)' D',
# with the size v, the shape t (B: contrasts, so that the determinant stays) and the rotation s
# (R: Cayley's map of a skew matrix) each common to all components or one a component, as the
# letters of the code say (E, V; I: none). All are 0 at the fit. Derivatives are taken by
# differences: the map is smooth, needs no data, and the steps are chosen so that rounding stays
# below 1e-10.

# c(size, shape, orientation)
family_letters <- function(code) {
  stats::setNames(strsplit(code, "")[[1L]], c("size", "shape", "orientation"))
}

# Are the entries of the covariances linear in free parameters? Then each is one, or 0, or all the
# same.
family_is_linear <- function(code) code %in% c("EII", "VII", "EEI", "VVI", "EEE", "VVV")

# Orientation (d x d) and variances along it, of each component.
family_axes <- function(params) {
  d <- ncol(params$means)
  k <- nrow(params$means)
  covariances <- lapply(seq_len(k), function(j) component_covariance(params, j))
  axes <- switch(EXPR = family_letters(params$covariance)[["orientation"]],
    I = rep(list(diag(d)), k),
    V = lapply(covariances, function(s) eigen(s, symmetric = TRUE)$vectors),
    E = {
      # a sum in which the components' eigenvalues can't cancel each other's differences
      factors <- 1 + (0.6180339887498949 * seq_len(k)) %% 1
      mixed <- Reduce(`+`, Map(function(s, f) f * s / sum(diag(s)), covariances, factors))
      rep(list(eigen(mixed, symmetric = TRUE)$vectors), k)
    }
  )
  list(axes = axes, values = Map(function(s, v) diag(t(v) %*% s %*% v), covariances, axes))
}

# For each component: `at`, the numbers of its free parameters among all; `covariance`, their
# function.
family_chart <- function(params) {
  d <- ncol(params$means)
  k <- nrow(params$means)
  letters <- family_letters(params$covariance)
  sizes <- c(size = 1, shape = (d - 1) * (letters[["shape"]] != "I"),
             orientation = d * (d - 1) / 2 * (letters[["orientation"]] != "I"))
  at <- lapply(seq_len(k), function(j) NULL)
  used <- 0
  for (part in names(sizes)) {
    own <- letters[[part]] == "V"
    for (j in seq_len(k)) {
      before <- used + (if (own) sizes[[part]] * (j - 1) else 0)
      at[[j]] <- c(at[[j]], before + seq_len(sizes[[part]]))
    }
    used <- used + sizes[[part]] * (if (own) k else 1)
  }
  contrasts <- if (sizes[["shape"]] > 0) qr.Q(qr(cbind(1, diag(d)[, -1L])))[, -1L, drop = FALSE]
  below <- lower.tri(diag(d))
  place <- family_axes(params)
  covariance <- function(j) {
    axes <- place$axes[[j]]
    values <- place$values[[j]]
    function(free) {
      v <- values * exp(free[1L])
      free <- free[-1L]
      if (sizes[["shape"]] > 0) {
        v <- v * exp(drop(contrasts %*% free[seq_len(d - 1L)]))
        free <- free[-seq_len(d - 1L)]
      }
      if (length(free) > 0L) {
        skew <- matrix(0, d, d)
        skew[below] <- free / 2
        skew <- skew - t(skew)
        axes <- axes %*% solve(diag(d) - skew, diag(d) + skew)
      }
      axes %*% (v * t(axes))
    }
  }
  list(at = at, free = used, covariance = lapply(seq_len(k), covariance))
}

# Derivatives at 0 of f, a function of n numbers to a vector: length(f) x n.
differences <- function(f, n, step = 1e-3) {
  vapply(seq_len(n), function(i) {
    go <- function(t) f(replace(numeric(n), i, t))
    (8 * (go(step) - go(-step)) - (go(2 * step) - go(-2 * step))) / (12 * step)
  }, f(numeric(n)))
}

# Second derivatives at 0 of f, a function of n numbers to one.
second_differences <- function(f, n, step = 1e-3) {
  at <- function(i, a, j, b) {
    free <- numeric(n)
    free[i] <- free[i] + a
    free[j] <- free[j] + b
    f(free)
  }
  hessian <- matrix(0, n, n)
  for (i in seq_len(n)) {
    for (j in seq_len(i)) {
      h <- (at(i, step, j, step) - at(i, step, j, -step) - at(i, -step, j, step) +
              at(i, -step, j, -step)) / (4 * step^2)
      hessian[i, j] <- hessian[j, i] <- h
    }
  }
  hessian
}
