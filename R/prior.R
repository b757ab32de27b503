#' A prior for a Gaussian mixture
#'
#' With `gmm(prior = gmm_prior())` the fit is the mode of the posterior density (maximum a
#' posteriori, MAP) in place of the maximum of the likelihood. The prior is conjugate, so that it
#' acts like a few more rows: it keeps components with few rows from degenerating, and gives an
#' answer from few rows on.
#'
#' With d variables, m the prior `mean` and Lambda the `scale`, the prior density is the product of
#' * a Dirichlet density of the proportions, each with parameter `alpha`: the log of
#'   `gamma(k alpha) / gamma(alpha)^k` and `(alpha - 1) log(proportion_j)`; with noise that of all
#'   k + 1 proportions;
#' * for each component a normal density of its mean, given its covariance Sigma, about m with
#'   covariance `Sigma / kappa`;
#' * an inverse Wishart density with `df` (nu) degrees of freedom: the log is
#'   `nu/2 log|Lambda| - nu d/2 log 2 - log Gamma_d(nu/2) - (nu + d + 1)/2 log|Sigma| -
#'   trace(Lambda Sigma^-1)/2`, Gamma_d the multivariate gamma function. Where all components have
#'   one covariance (EII, EEI, EEE) there is one such factor, else one a component, restricted to
#'   the family's covariances (with the constant of the unrestricted density).
#'
#' The mode is that of the density in (proportions, means, covariances). For full covariances, with
#' n_j the weight, ybar_j the mean and W_j the scatter of the rows of component j, it has mean
#' `(n_j ybar_j + kappa m) / (n_j + kappa)` and covariance
#' `(Lambda + W_j + kappa n_j / (kappa + n_j) (ybar_j - m)(ybar_j - m)') / (n_j + nu + d + 2)`.
#'
#' A posterior mode is maximum likelihood with a penalty. `objective` and `trace` of the fit are
#' those of log-likelihood plus log prior density; `logLik()`, `df` and hence `BIC()` are of the
#' plain log-likelihood at the mode, which is below its maximum: don't compare them with those of
#' other priors, or of none. ([gmm_select()] compares models that have the same prior.) Weights are
#' counts of rows: against ten times the weights the same prior weighs a tenth.
#'
#' @param ... Must be empty: all arguments go by name.
#' @section For [gmm_vb()]:
#' The same prior, of which more must be said: `kappa` and `df` above 0. `alpha` may be below 1 (the
#' smaller, the fewer components are used); with stick-breaking weights it is the concentration. The
#' covariances of `"diag"` and `"spherical"` are those of a model with one precision a variable, or
#' a single one, with a gamma density in place of the Wishart density: see [gmm_vb()].
#'
#' @param alpha Dirichlet parameter of each proportion, a number above 0; 1 favours none. `NULL`: 1
#'   in [gmm()], `1 / k` in [gmm_vb()]. [gmm()] refuses a number below 1, with which the posterior
#'   has no mode inside. With `gmm(proportions = "equal")` it is not used.
#' @param mean Prior mean: d numbers; or `NULL`: the (weighted) mean of the data, in fits with
#'   `trim` or `noise` their (weighted) medians, which outliers don't move. Names are those of the
#'   data's variables, in any order; without names the order is theirs.
#' @param kappa How many rows the prior mean is worth, a number of at least 0; with 0 it says
#'   nothing of the means. `NULL`: 0.01 in [gmm()], 1 in [gmm_vb()].
#' @param df Degrees of freedom of the inverse Wishart density, a number above d - 1; or 0: it says
#'   nothing of the covariances. `NULL`: d + 2 in [gmm()], d in [gmm_vb()]. Above 0, and with a
#'   `scale` that is given, there is a mode for constant columns and a single row too.
#' @param scale Its scale: a positive definite d x d matrix, or d variances, by name as `mean`.
#'   `NULL`: in [gmm()] the (weighted) variances of the columns, divided by `k^(2/d)`, so that k
#'   such components fill the data's range (correlations are not taken from the data, so that
#'   collinear columns do no harm); with `trim` or `noise` in place of each variance the square of
#'   the interquartile range / 1.349 (of the standard deviation where that range is 0); in
#'   [gmm_vb()] the (weighted) covariance of the data, with `"diag"` and `"spherical"` its diagonal.
#' @return A list of class `"gmm_prior"` with the values above.
#' @section Errors: `gaussmix_error_argument` names the argument. That `mean` and `scale` have the
#'   data's dimension and names is checked by [gmm()]: `gaussmix_error_dimension`,
#'   `gaussmix_error_names`.
#' @references Fraley, C. and Raftery, A. E. (2007) Bayesian regularization for normal mixture
#'   estimation and model-based clustering. *Journal of Classification* 24, 155-181, sections 2 and
#'   3.
#'   \doi{10.1007/s00357-007-0004-5}
#'   mclust 6.1.3 finds, for its prior degrees of freedom `dof`, the mode for `df = dof - 2`.
#' @seealso [gmm()], [gmm_likelihood()], which draws a posterior of one parameter
#' @examples
#' gmm(faithful, k = 2, prior = gmm_prior())
#' # collinear columns have a mode, and no maximum of the likelihood
#' gmm(cbind(faithful, sum = rowSums(faithful)), k = 2, prior = gmm_prior())
#' @export
gmm_prior <- function(..., alpha = NULL, mean = NULL, kappa = NULL, df = NULL, scale = NULL) {
  check_dots_empty(...)
  structure(class = "gmm_prior", list(
    alpha = if (!is.null(alpha)) check_number(alpha, min = 0, ends = "(]"),
    mean = if (!is.null(mean)) check_prior_mean(mean),
    kappa = if (!is.null(kappa)) check_number(kappa, min = 0),
    df = if (!is.null(df)) check_number(df, min = 0),
    scale = if (!is.null(scale)) check_prior_scale(scale)
  ))
}

check_prior_mean <- function(mean) {
  if (!is.numeric(mean) || is.object(mean) || !length(mean) || !all(is.finite(mean))) {
    gmm_abort("argument", must_be("mean", "a finite numeric vector, or NULL", mean))
  }
  stats::setNames(as.double(mean), names(mean))
}

# -> a symmetric positive definite matrix
check_prior_scale <- function(scale) {
  expected <- "a positive definite matrix, a vector of variances, or NULL"
  if (is.object(scale) || !is.numeric(scale) || !length(scale) || !all(is.finite(scale))) {
    gmm_abort("argument", must_be("scale", expected, scale))
  }
  if (is.null(dim(scale))) {
    names <- names(scale)
    scale <- diag(as.double(scale), length(scale))
    if (!is.null(names)) dimnames(scale) <- list(names, names)
  }
  square <- length(dim(scale)) == 2L && nrow(scale) == ncol(scale)
  storage.mode(scale) <- "double"
  if (!square || !isSymmetric(unname(scale)) || is.null(try_chol(scale))) {
    gmm_abort("argument", must_be("scale", expected, scale))
  }
  both <- any_names(rownames(scale)) && any_names(colnames(scale))
  if (both && !identical(rownames(scale), colnames(scale))) {
    gmm_abort("names", "`scale` must have the same names of rows and of columns.")
  }
  scale
}

# With the data's dimension, what is NULL filled in -> what the engine takes. robust: outliers are
# expected, and must not get in by way of the prior.
resolve_prior <- function(prior, data, k, robust = FALSE) {
  if (is.null(prior)) return(NULL)
  prior <- check_prior(prior)
  if (is.null(prior$alpha)) prior$alpha <- 1
  if (prior$alpha < 1) {
    gmm_abort("argument", must_be("alpha", "a number of at least 1", prior$alpha),
              "Below 1 the posterior has no mode inside: a proportion would go to 0. See gmm_vb().")
  }
  if (is.null(prior$kappa)) prior$kappa <- 0.01
  d <- ncol(data$x)
  if (is.null(prior$df)) prior$df <- d + 2
  if (is.null(prior$scale)) {
    variances <- if (robust) data$scale^2 else diag(data_covariance(data))
    prior$scale <- diag(as.double(variances) / k^(2 / d), d)
  }
  if (is.null(prior$mean) && robust) prior$mean <- column_median(data$x, data$weights)
  fit_prior(prior, data)
}

check_prior <- function(prior) {
  if (!inherits(prior, "gmm_prior")) {
    gmm_abort("argument", must_be("prior", "the result of gmm_prior(), or NULL", prior))
  }
  do.call(gmm_prior, unclass(prior)) # so that a changed object is caught
}

# Of the values that are there.
data_mean <- function(data) {
  w <- case_weights(data) * !is.na(data$x)
  colSums(w * data$x, na.rm = TRUE) / colSums(w)
}

data_covariance <- function(data) {
  w <- case_weights(data)
  apart <- data$x - rep(data_mean(data), each = nrow(data$x))
  there <- !is.na(apart)
  apart[!there] <- 0
  unname(crossprod(apart, w * apart) / crossprod(there, w * there))
}

# The prior mean, and that all has the data's dimension.
fit_prior <- function(prior, data) {
  if (is.null(prior$mean)) prior$mean <- data_mean(data)
  check_prior_fits(prior, ncol(data$x))
  names <- colnames(data$x)
  named <- data$blueprint$named
  prior$mean <- unname(prior$mean[variable_order(names(prior$mean), names, named, "mean")])
  order <- scale_order(prior$scale, names, named)
  prior$scale <- unname(prior$scale[order, order, drop = FALSE])
  prior
}

scale_order <- function(scale, names, named) {
  given <- if (any_names(colnames(scale))) colnames(scale) else rownames(scale)
  variable_order(given, names, named, "scale")
}

# The scales that a prior gives to columns which may be constant, as it makes the mode exist there
# too; NULL: it doesn't.
prior_scale <- function(prior, names, named) {
  if (!inherits(prior, "gmm_prior") || is.null(prior$scale) || identical(prior$df, 0)) return(NULL)
  prior <- check_prior(prior)
  if (nrow(prior$scale) != length(names)) return(NULL) # told later
  order <- scale_order(prior$scale, names, named)
  sqrt(diag(prior$scale)[order])
}

# By name where both have names, else by position.
variable_order <- function(given, names, named, arg) {
  if (!named || !any_names(given)) return(seq_along(names))
  order <- match(names, given)
  if (anyNA(order)) {
    gmm_abort("names", sprintf(
      "`%s` of gmm_prior() must have the variables of the data; it lacks %s.", arg,
      some(backtick(names[is.na(order)]))
    ), sprintf("It has %s.", some(backtick(given), 10L)))
  }
  order
}

check_prior_fits <- function(prior, d) {
  refuse <- function(arg, expected, got) {
    gmm_abort("dimension", sprintf("`%s` of gmm_prior() must be %s, not %s.", arg, expected, got))
  }
  if (length(prior$mean) != d) refuse("mean", plural(d, "number"), length(prior$mean))
  if (nrow(prior$scale) != d) {
    refuse("scale", sprintf("%d x %d", d, d), sprintf("%d x %d", nrow(prior$scale),
                                                      nrow(prior$scale)))
  }
  if (prior$df > 0 && prior$df <= d - 1) {
    refuse("df", sprintf("above %d, the number of variables less one, or 0", d - 1), prior$df)
  }
}

# The prior as the C code takes it; `share` is how often it counts. Equal proportions are no
# parameters, and have none. variational: NULL, or as by resolve_variational().
prior_to_c <- function(prior, k, share, equal, variational = NULL) {
  if (is.null(prior)) return(NULL)
  if (equal) prior$alpha <- 1
  if (is.null(variational)) variational <- list(posterior = 0L, weight = 0, sorted = 0L)
  d <- length(prior$mean)
  df <- prior$df
  root <- t(chol(prior$scale))
  constant <- c(
    if (equal) 0 else lgamma(k * prior$alpha) - k * lgamma(prior$alpha),
    if (prior$kappa > 0) -d / 2 * log(2 * pi / prior$kappa) else 0,
    if (df > 0) {
      df * sum(log(diag(root))) - df * d / 2 * log(2) - d * (d - 1) / 4 * log(pi) -
        sum(lgamma((df + 1 - seq_len(d)) / 2))
    } else {
      0
    }
  )
  c(unclass(prior), list(root = root, constant = constant, share = share), variational)
}

#' @export
format.gmm_prior <- function(x, ...) {
  given <- function(v, else_text) if (is.null(v)) else_text else some(number_text(v), 4L)
  values <- c(
    alpha = given(x$alpha, "NULL (1; in gmm_vb() 1 / k)"),
    mean = given(x$mean, "NULL (the mean of the data; their medians with trim, noise)"),
    kappa = given(x$kappa, "NULL (0.01; in gmm_vb() 1)"),
    df = given(x$df, "NULL (number of variables + 2; in gmm_vb() + 0)"),
    scale = if (is.null(x$scale)) {
      "NULL (variances of the data / k^(2/d), robust with trim, noise; gmm_vb(): their covariance)"
    } else {
      describe(x$scale)
    }
  )
  paste0("  ", format(names(values)), "  ", values)
}

#' @export
print.gmm_prior <- function(x, ...) {
  cat("Prior of a Gaussian mixture:", format(x), sep = "\n")
  invisible(x)
}
