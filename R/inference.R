# Standard errors from the observed information.
#
# In terms of the entries of one component (mean, covariance) the score and the second derivatives
# of log(proportion_j f_j(x)) are the same for every family. A family only says which free
# parameters the entries of a covariance depend on: covariance_jacobian(). With r_ij the posterior,
# s_ij and H_ij the gradient and the Hessian of component j's term at row i (Louis 1982):
#   -information = sum_i w_i { sum_j r_ij (H_ij + s_ij s_ij') - s_i s_i' },   s_i = sum_j r_ij s_ij
#
# The free parameters are, in this order, all proportions but the last (that of the noise is one of
# them), the means by component, those of the covariances in the order of coef().

# ---- coefficients ----------------------------------------------------------------------

# Each distinct parameter once, by name.
coef_vector <- function(params) {
  components <- rownames(params$means)
  variables <- colnames(params$means)
  entries <- covariance_entries(params)
  place <- cbind(entries$row, entries$column, entries$component)
  shared <- families[[params$covariance]]$shared
  c(
    stats::setNames(params$proportions, paste0("proportion.", class_names(params))),
    stats::setNames(c(t(params$means)), paste("mean", rep(components, each = length(variables)),
                                              variables, sep = ".")),
    stats::setNames(params$covariances[place],
                    paste(if (shared) "cov" else paste0("cov.", components[entries$component]),
                          variables[entries$column], variables[entries$row], sep = "."))
  )
}

# The entries of the covariances that coef() lists: lower triangles by columns, without what is zero
# or was said already.
covariance_entries <- function(params) {
  family <- families[[params$covariance]]
  one <- shape_entries(family$shape, ncol(params$means))
  if (family$shape == "spherical") one <- lapply(one, `[`, 1L)
  times <- if (family$shared) 1L else nrow(params$means)
  list(row = rep(one$row, times), column = rep(one$column, times),
       component = rep(seq_len(times), each = length(one$row)))
}

# The entries of one covariance that its shape does not make zero.
shape_entries <- function(shape, d) {
  if (shape != "full") return(list(row = seq_len(d), column = seq_len(d)))
  lower <- which(lower.tri(diag(d), diag = TRUE), arr.ind = TRUE)
  list(row = unname(lower[, 1L]), column = unname(lower[, 2L]))
}

# The free parameters of the covariances that the entries of component j's depend on: `at`, their
# numbers; `jacobian`, entries x at. `chart`: of family_chart(), for families that need one.
covariance_jacobian <- function(params, j, chart) {
  family <- families[[params$covariance]]
  shape <- shape_entries(family$shape, ncol(params$means))
  if (!is.null(chart)) {
    f <- chart$covariance[[j]]
    place <- cbind(shape$row, shape$column)
    at <- chart$at[[j]]
    jacobian <- differences(function(free) f(free)[place], length(at))
    return(list(at = at, jacobian = matrix(jacobian, ncol = length(at))))
  }
  entries <- length(shape$row)
  jacobian <- if (family$shape == "spherical") matrix(1, entries, 1L) else diag(entries)
  own <- ncol(jacobian)
  list(at = seq_len(own) + if (family$shared) 0L else own * (j - 1L), jacobian = jacobian)
}

needed_chart <- function(params) {
  if (!family_is_linear(params$covariance)) family_chart(params)
}

# ---- scores ----------------------------------------------------------------------------

# What the derivatives of component j's term need.
#   at        the free parameters of its mean and covariance
#   gradient  of log(proportion_j) by the free proportions
#   twice     1 for an entry off the diagonal, which stands twice in the matrix, else 1/2
derivative_parts <- function(params, j, chart) {
  d <- ncol(params$means)
  k <- nrow(params$means)
  p <- params$proportions
  m <- length(p) - 1L
  entries <- shape_entries(families[[params$covariance]]$shape, d)
  by_family <- covariance_jacobian(params, j, chart)
  list(
    mean = params$means[j, ],
    precision = chol2inv(chol(component_covariance(params, j))),
    row = entries$row, column = entries$column,
    twice = ifelse(entries$row == entries$column, 0.5, 1),
    jacobian = by_family$jacobian,
    at = m + c(d * (j - 1L) + seq_len(d), k * d + by_family$at),
    gradient = proportion_gradient(p, j)
  )
}

# Of log(p_j) by all proportions but the last.
proportion_gradient <- function(p, j) {
  m <- length(p) - 1L
  if (j <= m) replace(numeric(m), j, 1 / p[[j]]) else rep(-1 / p[[m + 1L]], m)
}

# d log f_j by mean and covariance, a row for each row of u = precision (x - mean): n x length(at).
component_scores <- function(u, part) {
  by_entry <- u[, part$row, drop = FALSE] * u[, part$column, drop = FALSE]
  by_entry <- sweep(by_entry, 2L, part$precision[cbind(part$row, part$column)])
  cbind(u, by_entry %*% (part$twice * part$jacobian))
}

# Of the variables that are there: the others have no precision.
standardised_rows <- function(x, part) {
  apart <- sweep(x, 2L, part$mean)
  apart[is.na(x)] <- 0
  apart %*% part$precision
}

# Numbers of the rows that miss the same variables, for each pattern of them.
pattern_groups <- function(x) {
  rows <- seq_len(nrow(x))
  if (anyNA(x)) unname(split(rows, missing_patterns(x))) else list(rows)
}

# For rows with the missing values of `row` the density is that of the other variables. The
# derivatives are the same formulas, with the precision of these and 0 for those that are missing.
observed_part <- function(part, params, j, row) {
  if (!anyNA(row)) return(part)
  at <- which(!is.na(row))
  part$precision[] <- 0
  if (length(at)) {
    part$precision[at, at] <- chol2inv(chol(component_covariance(params, j)[at, at, drop = FALSE]))
  }
  part
}

# Sum over rows of the second derivatives of log f_j by mean and covariance, from the sums of the
# weights (t0), of u (t1) and of u u' (t2).
component_hessian <- function(t0, t1, t2, part) {
  p <- part$precision
  a <- part$row
  b <- part$column
  by_mean <- -t0 * p
  mixed <- -(p[, a, drop = FALSE] * rep(t1[b], each = nrow(p)) +
               p[, b, drop = FALSE] * rep(t1[a], each = nrow(p)))
  mixed <- mixed %*% (part$twice * part$jacobian)
  by_entry <- t0 / 2 * entry_products(p, p, a, b) - entry_products(p, t2, a, b)
  scaled <- part$twice * part$jacobian
  rbind(cbind(by_mean, mixed), cbind(t(mixed), crossprod(scaled, by_entry %*% scaled)))
}

# trace(D_e p D_f q) for symmetric p and q, where D_e has ones at entry e and at its mirror image.
entry_products <- function(p, q, a, b) {
  p[a, a] * q[b, b] + p[a, b] * q[b, a] + p[b, a] * q[a, b] + p[b, b] * q[a, a]
}

# Gradient and Hessian of the log-likelihood in the free parameters. Rows are taken `chunk` at a
# time, to hold only so many scores.
likelihood_derivatives <- function(x, w, posterior, params, chart = needed_chart(params),
                                   chunk = NULL) {
  k <- nrow(params$means)
  parts <- lapply(seq_len(k), function(j) derivative_parts(params, j, chart))
  free <- max(unlist(lapply(parts, `[[`, "at")))
  mixing <- seq_len(length(params$proportions) - 1L)
  hessian <- matrix(0, free, free)
  gradient <- numeric(free)
  slopes <- lapply(parts, function(part) 0 * part$twice) # by the entries of each covariance
  if (is.null(chunk)) chunk <- max(1, 2e6 %/% free)
  for (group in pattern_groups(x)) {
    seen <- lapply(seq_len(k), function(j) observed_part(parts[[j]], params, j, x[group[1L], ]))
    sums <- lapply(parts, function(part) list(t0 = 0, t1 = 0, t2 = 0))
    for (from in seq(1L, length(group), by = chunk)) {
      rows <- group[from:min(from + chunk - 1L, length(group))]
      scores <- matrix(0, length(rows), free)
      for (j in seq_len(k)) {
        part <- seen[[j]]
        at <- part$at
        r <- posterior[rows, j]
        wr <- w[rows] * r
        u <- standardised_rows(x[rows, , drop = FALSE], part)
        s <- component_scores(u, part)
        sums[[j]] <- Map(`+`, sums[[j]], list(sum(wr), colSums(wr * u), crossprod(u, wr * u)))
        hessian[at, at] <- hessian[at, at] + crossprod(s, wr * s)
        cross <- tcrossprod(part$gradient, colSums(wr * s))
        hessian[mixing, at] <- hessian[mixing, at] + cross
        hessian[at, mixing] <- hessian[at, mixing] + t(cross)
        scores[, at] <- scores[, at] + r * s
        scores[, mixing] <- scores[, mixing] + tcrossprod(r, part$gradient)
      }
      if (!is.null(params$noise)) {
        scores[, mixing] <- scores[, mixing] +
          tcrossprod(posterior[rows, k + 1L], proportion_gradient(params$proportions, k + 1L))
      }
      hessian <- hessian - crossprod(scores, w[rows] * scores)
      gradient <- gradient + colSums(w[rows] * scores)
    }
    # log(proportion_j) adds nothing among the proportions: its H + s s' is 0.
    for (j in seq_len(k)) {
      part <- seen[[j]]
      at <- part$at
      t <- sums[[j]]
      hessian[at, at] <- hessian[at, at] + component_hessian(t$t0, t$t1, t$t2, part)
      slope <- (t$t2 - t$t0 * part$precision)[cbind(part$row, part$column)]
      slopes[[j]] <- slopes[[j]] + part$twice * slope
    }
  }
  for (j in if (!is.null(chart)) seq_len(k)) {
    cov <- tail_of(parts[[j]]$at, length(chart$at[[j]]))
    hessian[cov, cov] <- hessian[cov, cov] + curvature(slopes[[j]], parts[[j]], chart, j)
  }
  list(gradient = gradient, hessian = hessian)
}

observed_information <- function(...) -likelihood_derivatives(...)$hessian

tail_of <- function(x, n) x[length(x) - n + seq_len(n)]

# What the bend of the entries as functions of the free parameters adds to the second derivatives:
# their sum, weighted by the scores of the entries (which need not vanish at the maximum).
curvature <- function(score, part, chart, j) {
  place <- cbind(part$row, part$column)
  f <- chart$covariance[[j]]
  second_differences(function(free) sum(score * f(free)[place]), length(chart$at[[j]]))
}

# ---- coordinates -----------------------------------------------------------------------

# The information is worked out for z = (x - centre) / scale (scale a triangular matrix: x is
# scale z + centre), in which the pooled covariance is the identity as far as the shape
# lets it be. So units and strong correlation cost no digits. Where values are missing (`apart`),
# variables can't be mixed, and only their units are taken off.
whitening <- function(params, apart = FALSE) {
  d <- ncol(params$means)
  pooled <- matrix(0, d, d)
  for (j in gaussians_present(params)) {
    pooled <- pooled + params$proportions[j] * component_covariance(params, j)
  }
  shape <- families[[params$covariance]]$shape
  if (apart && shape == "full") shape <- "diag"
  if (!family_is_linear(params$covariance)) shape <- "spherical" # keeps the shared part as it is
  scale <- switch(shape,
    full = t(chol(pooled)),
    diag = diag(sqrt(diag(pooled)), d),
    spherical = diag(sqrt(mean(diag(pooled))), d)
  )
  p <- params$proportions[seq_len(nrow(params$means))]
  list(centre = colSums(p * params$means) / sum(p), scale = scale)
}

whiten_rows <- function(x, map) {
  apart <- t(x) - map$centre
  t(if (anyNA(x)) apart / diag(map$scale) else forwardsolve(map$scale, apart))
}

whiten_parameters <- function(params, map) {
  params$means[] <- whiten_rows(params$means, map)
  for (j in seq_len(nrow(params$means))) {
    half <- forwardsolve(map$scale, component_covariance(params, j))
    params$covariances[, , j] <- forwardsolve(map$scale, t(half))
  }
  params
}

# The same chart in whitened coordinates, which are the old ones but for a factor: its axes must be
# the same ones, in sign and order.
whiten_chart <- function(chart, map) {
  if (is.null(chart)) return(NULL)
  unit <- map$scale[1L, 1L]^2
  chart$covariance <- lapply(chart$covariance, function(f) {
    force(f)
    function(free) f(free) / unit
  })
  chart
}

# coef() by the free parameters of the whitened mixture: coefficients x free.
coef_jacobian <- function(params, map, chart = needed_chart(params)) {
  k <- nrow(params$means)
  d <- ncol(params$means)
  entries <- covariance_entries(params)
  q <- length(entries$row)
  free <- if (is.null(chart)) q else chart$free
  p <- length(params$proportions)
  jacobian <- matrix(0, p + k * d + q, p - 1L + k * d + free)
  jacobian[p, seq_len(p - 1L)] <- -1
  for (l in seq_len(p - 1L)) jacobian[l, l] <- 1
  scale <- map$scale
  for (j in seq_len(k)) {
    mean <- d * (j - 1L) + seq_len(d)
    jacobian[p + mean, p - 1L + mean] <- scale
  }
  for (j in unique(entries$component)) {
    own <- which(entries$component == j)
    if (!is.null(chart)) { # relative to the fit, so that units don't matter
      part <- covariance_jacobian(params, j, chart)
      jacobian[p + k * d + own, p - 1L + k * d + part$at] <- part$jacobian
      next
    }
    a <- entries$row[own]
    b <- entries$column[own]
    block <- scale[a, a, drop = FALSE] * scale[b, b, drop = FALSE] +
      scale[a, b, drop = FALSE] * scale[b, a, drop = FALSE]
    cov <- k * d + own
    jacobian[p + cov, p - 1L + cov] <- sweep(block, 2L, ifelse(a == b, 0.5, 1), `*`)
  }
  jacobian
}

# ---- methods ---------------------------------------------------------------------------

#' Standard errors and confidence intervals
#'
#' `vcov()` is the covariance of the estimates, the inverse of the observed information (minus the
#' second derivatives of the log-likelihood at the fit). `confint()` gives Wald intervals.
#'
#' The information is exact, by the formula of Louis (1982), in the k - 1 free proportions, the
#' means and the distinct entries of the covariances; the last proportion follows by the delta
#' method, so that the matrix has as many rows as [coef()][coef.gaussmix] has elements, and the rank
#' `df`. Case weights multiply each row's contribution; a row with missing values adds what its
#' observed variables tell. Equal proportions
#' (`gmm(proportions = "equal")`) are known, with standard errors of 0.
#'
#' These are large-sample results for an interior maximum with a known number of components. They
#' hold for groups that are clearly there; for small or strongly overlapping ones the intervals are
#' too short, and they say nothing about whether a component exists. The intervals are formed on a
#' scale on which the estimates are closer to normal and are carried back: the logit for
#' proportions, the logarithm for variances; means and covariances as they are.
#'
#' @param object A fit by [gmm()] that holds its rows (`gmm_control(keep = TRUE)`).
#' @param parm Names or numbers of the coefficients, as in [coef()][coef.gaussmix]. Left out: all.
#' @param level The probability that an interval is to cover the parameter, between 0 and 1.
#' @param complete As for [stats::vcov()]; it changes nothing, as no coefficient is ever left out.
#' @param ... Must be empty.
#' @return `vcov()`: a matrix with the names of `coef()`. `confint()`: a matrix with a row for each
#'   coefficient and the columns lower and upper end, named as `"2.5 %"`, `"97.5 %"`.
#'
#'   Where the information is not positive definite (a component of proportion 0, or a fit that is
#'   not at a maximum), the values are NA, with a warning of class `gaussmix_warning_information`.
#'   Where entries leave the range of a double (variances beyond 1e154 or below 1e-154), `vcov()`
#'   warns by the same class, and `confint()` still has the standard errors.
#'   For a fit with a spurious component there is a warning of class `gaussmix_warning_spurious`.
#' @section Errors: `gaussmix_error_data` where the object holds no rows; `gaussmix_error_argument`
#'   for coefficients that there are not, or a `level` that is not between 0 and 1; and for fits
#'   with a `prior`, `trim` or an eigenvalue at the bound `ratio`, and by [gmm_vb()].
#' @references Louis, T. A. (1982) Finding the observed information matrix when using the EM
#'   algorithm. *Journal of the Royal Statistical Society B* 44, 226-233.
#'
#'   McLachlan, G. J. and Peel, D. (2000) *Finite Mixture Models*. Wiley, section 2.15.
#' @examples
#' fit <- gmm(faithful, k = 2)
#' sqrt(diag(vcov(fit)))
#' confint(fit, "proportion.1")
#' confint(fit, 1:6, level = 0.9)
#' @export
vcov.gaussmix <- function(object, complete = TRUE, ...) {
  check_dots_empty(...)
  check_flag(complete)
  need_rows(object, "vcov()")
  refuse_variational(object, "vcov()")
  refuse_options(object, "vcov()", "prior", "gmm_boot(object) gives standard errors of a mode.")
  refuse_trimmed(object, "vcov()")
  refuse_at_ratio(object, "vcov()")
  root <- vcov_root(object)
  value <- tcrossprod(root)
  lost <- diag(value) < .Machine$double.xmin & row_norms(root) > 0
  if (!anyNA(root) && (any(lost) || any(!is.finite(value)))) {
    gmm_warn("information", "Some entries leave the range of a double: they are 0 or not finite.",
             "confint() does without them; or rescale the columns.")
  }
  value
}

# A matrix with a row for each coefficient, whose product with its transpose is their covariance:
# unlike that, it is as large as the standard errors only. NA where there are none.
vcov_root <- function(object) {
  warn_if_spurious(object, ", and so must their standard errors not be")
  fail <- function() {
    least <- which.min(object$proportions)
    boundary <- object$proportions[[least]] * object$nobs < 1e-3 # of a row
    noise <- least > object$k
    why <- if (boundary) {
      sprintf("the proportion of %s is 0, on its boundary",
              if (noise) "noise" else paste("component", rownames(object$means)[least]))
    } else {
      "the observed information is not positive definite"
    }
    hint <- if (boundary) {
      sprintf("A fit %s may have them.", if (noise) "without `noise`" else "with fewer components")
    } else {
      "Fewer components, or a fit that has converged, may have some."
    }
    gmm_warn("information", sprintf("There are no standard errors: %s.", why), hint)
    matrix(NA_real_, length(coef), 1L)
  }
  coef <- coef_vector(object)
  value <- if (any(object$proportions == 0)) {
    fail()
  } else {
    map <- whitening(object, anyNA(object$x))
    posterior <- fit_posterior(object)
    chart <- needed_chart(object)
    information <- observed_information(whiten_rows(object$x, map), case_weights(object), posterior,
                                        whiten_parameters(as_parameters(object), map),
                                        whiten_chart(chart, map))
    jacobian <- coef_jacobian(object, map, chart)
    free <- free_directions(object, jacobian)
    root <- if (ncol(free)) inverse_root(crossprod(free, information %*% free))
    if (ncol(free) == 0L) { # all is fixed
      matrix(0, length(coef), 1L)
    } else if (is.null(root)) {
      fail()
    } else {
      out <- jacobian %*% (free %*% root)
      out[fixed_coefficients(object), ] <- 0 # what rounding has left
      out
    }
  }
  rownames(value) <- names(coef)
  value
}

# The directions in which the parameters in the order above may change in the fit: a matrix with a
# column for each.
free_directions <- function(fit, jacobian) {
  count <- ncol(jacobian)
  together <- if (isTRUE(fit$equal) && !is.null(fit$noise)) {
    as.double(seq_len(count) < length(fit$proportions))
  }
  free <- cbind(together, diag(count)[, free_parameters(fit, count), drop = FALSE],
                deparse.level = 0L)
  held <- jacobian[fixed_coefficients(fit), , drop = FALSE] %*% free
  if (nrow(held) == 0L) return(free)
  # those in which no fixed coefficient moves
  split <- qr(t(held / pmax(row_norms(held), .Machine$double.xmin)))
  free %*% qr.Q(split, complete = TRUE)[, -seq_len(split$rank), drop = FALSE]
}

# Which of them may change by themselves.
free_parameters <- function(fit, count) {
  mixing <- seq_len(length(fit$proportions) - 1L)
  if (isTRUE(fit$equal)) setdiff(seq_len(count), mixing) else seq_len(count)
}

# Euclidean norms of rows, without squares that overflow.
row_norms <- function(m) {
  most <- pmax(apply(abs(m), 1L, max), .Machine$double.xmin)
  most * sqrt(rowSums((m / most)^2))
}

case_weights <- function(object) {
  if (is.null(object$weights)) rep(1, nrow(object$x)) else object$weights
}

# R with R R' the inverse; NULL where the matrix is not positive definite, to rounding.
inverse_root <- function(information) {
  unit <- sqrt(pmax(diag(information), 0))
  scaled <- information / tcrossprod(unit)
  factor <- if (all(is.finite(scaled))) try_chol(scaled)
  if (is.null(factor) || min(diag(factor))^2 < nrow(factor) * .Machine$double.eps) return(NULL)
  backsolve(factor, diag(nrow(factor))) / unit
}

#' @rdname vcov.gaussmix
#' @export
confint.gaussmix <- function(object, parm, level = 0.95, ...) {
  check_dots_empty(...)
  level <- check_number(level, min = 0, max = 1, ends = "()")
  need_rows(object, "confint()")
  refuse_variational(object, "confint()")
  refuse_options(object, "confint()", "prior", "confint(gmm_boot(object)) serves a mode.")
  refuse_trimmed(object, "confint()")
  refuse_at_ratio(object, "confint()")
  estimate <- coef_vector(object)
  chosen <- if (missing(parm)) names(estimate) else check_parm(parm, names(estimate))
  se <- row_norms(vcov_root(object))
  tail <- (1 - level) / 2
  ends <- confidence_ends(estimate, se, coef_scale(object), stats::qnorm(tail, lower.tail = FALSE))
  dimnames(ends) <- list(names(estimate), tail_names(tail))
  ends[chosen, , drop = FALSE]
}

# "2.5 %", "97.5 %"
tail_names <- function(tail) {
  paste(format(100 * c(tail, 1 - tail), trim = TRUE, scientific = FALSE, digits = 3L,
               decimal.mark = "."), "%")
}

check_parm <- function(parm, names, arg = "parm") {
  chosen <- if (is.character(parm)) parm else if (is_plain_numeric(parm)) names[parm]
  if (is.null(chosen) || anyNA(chosen) || !all(chosen %in% names)) {
    gmm_abort("argument", sprintf("`%s` must be names or numbers of the %d coefficients, not %s.",
                                  arg, length(names), describe(parm)),
              sprintf("They are %s.", some(names, 10L)))
  }
  chosen
}

# The scale on which each coefficient is taken to be normal.
coef_scale <- function(params) {
  entries <- covariance_entries(params)
  c(rep("logit", length(params$proportions)), rep("identity", length(params$means)),
    ifelse(entries$row == entries$column, "log", "identity"))
}

normal_scales <- list(
  identity = list(to = identity, from = identity, slope = function(v) rep(1, length(v))),
  log = list(to = log, from = exp, slope = function(v) 1 / v),
  logit = list(to = stats::qlogis, from = stats::plogis, slope = function(v) 1 / (v * (1 - v)))
)

confidence_ends <- function(estimate, se, scale, z) {
  ends <- cbind(estimate, estimate)
  for (name in unique(scale)) {
    on <- normal_scales[[name]]
    rows <- which(scale == name & !se %in% 0)
    at <- estimate[rows]
    ends[rows, ] <- on$from(on$to(at) + outer(z * se[rows] * on$slope(at), c(-1, 1)))
  }
  ends
}

#' Scores of a fit, for package sandwich
#'
#' With these methods `sandwich::sandwich()` and its kind give standard errors of a fit that do not
#' rely on the mixture being true.
#'
#' @param x A fit by [gmm()] that holds its rows.
#' @param ... Must be empty.
#' @return `estfun()`: a matrix with a row for each row fitted: the derivatives of its log-density
#'   (times its weight) by the coefficients, those by the proportions along the plane where they sum
#'   to 1, and those by what is fixed (or by equal proportions) 0. `bread()`:
#'   [vcov()][vcov.gaussmix] times the number of rows.
#' @section Errors: `gaussmix_error_data` where the object holds no rows; `gaussmix_error_argument`
#'   for trimmed fits, fits with a prior and those whose eigenvalues are at the bound `ratio`: the
#'   scores of the likelihood don't sum to 0 there.
#' @examplesIf requireNamespace("sandwich", quietly = TRUE)
#' fit <- gmm(faithful, k = 2)
#' sqrt(diag(sandwich::sandwich(fit)))
#' @name gaussmix-sandwich
NULL

#' @rdname gaussmix-sandwich
#' @exportS3Method sandwich::estfun
estfun.gaussmix <- function(x, ...) {
  check_dots_empty(...)
  need_rows(x, "estfun()")
  refuse_variational(x, "estfun()")
  refuse_options(x, "estfun()", c(prior = "the scores are of the likelihood, and don't sum to 0"),
                 "gmm_boot(fit) gives standard errors of a mode.")
  refuse_trimmed(x, "estfun()")
  refuse_at_ratio(x, "estfun()")
  k <- x$k
  chart <- needed_chart(x)
  posterior <- fit_posterior(x)
  jacobian <- coef_jacobian(x, list(scale = diag(ncol(x$means))), chart)
  free <- matrix(0, nrow(x$x), ncol(jacobian))
  mixing <- seq_len(length(x$proportions) - 1L)
  groups <- pattern_groups(x$x)
  for (j in seq_len(k)) {
    part <- derivative_parts(x, j, chart)
    for (rows in groups) {
      seen <- observed_part(part, x, j, x$x[rows[1L], ])
      scores <- component_scores(standardised_rows(x$x[rows, , drop = FALSE], seen), seen)
      free[rows, part$at] <- free[rows, part$at] + posterior[rows, j] * scores
    }
    free[, mixing] <- free[, mixing] + tcrossprod(posterior[, j], part$gradient)
  }
  if (!is.null(x$noise)) {
    free[, mixing] <- free[, mixing] +
      tcrossprod(posterior[, k + 1L], proportion_gradient(x$proportions, k + 1L))
  }
  # the coefficients move in the directions that the free parameters leave them
  along <- free_directions(x, jacobian)
  moves <- jacobian %*% along
  value <- free %*% along %*% solve(crossprod(moves), t(moves))
  value[, fixed_coefficients(x)] <- 0 # what rounding has left
  dimnames(value) <- list(rownames(x$x), names(coef_vector(x)))
  case_weights(x) * value
}

#' @rdname gaussmix-sandwich
#' @exportS3Method sandwich::bread
bread.gaussmix <- function(x, ...) {
  check_dots_empty(...)
  vcov.gaussmix(x) * nrow(x$x)
}
