# Variational Bayes. The engine's parameters of such a run are, for each component, its share of the
# rows, its mean and the inverse of its expected precision, see src/core/vb.c; with the prior these
# say the whole posterior.

#' Fit a Gaussian mixture by variational Bayes
#'
#' Finds the variational (mean-field) posterior of a mixture of *at most* `k` normal distributions:
#' components that the rows do not need lose them, and the lower bound on the log evidence that it
#' reaches can be compared between models.
#'
#' The posterior of the proportions, means and precisions (inverse covariances) is approximated by
#' the product of a factor for these and one for the components of the rows; each step raises the
#' lower bound `bound` on the log evidence, the logarithm of the rows' probability density with all
#' parameters integrated out. Its constants are all counted, so that bounds of fits to the same rows
#' compare: of another `k`, `covariance`, `prior` or `weights_prior`. **Higher is better.** (Between
#' values of `k` with Dirichlet weights, Bishop adds log(k!), or where only m components are used
#' log(k! / (k - m)!): the approximation sits at one of so many orders of equal posterior.)
#' For `k = 1` and Dirichlet weights it is the log evidence itself. Starts, proposals and
#' convergence are those of [gmm()], with the bound in place of the log-likelihood; that components
#' are empty, the same or small is nothing to be warned of here.
#'
#' The object is that of [gmm()], with `proportions` and `means` the posterior means and
#' `covariances` the inverses of the posterior mean precisions (with sticks the proportions are
#' posterior means rescaled to sum to 1, as the process has more than k components). `predict()`,
#' [dgmm()], [rgmm()],
#' `logLik()` and the like take it for the mixture with these parameters (plug-in); `fitted()` and
#' `residuals()` take the probabilities of components of the variational posterior, and `plot()`
#' draws the components that hold a row or more. There is no
#' maximum of a likelihood and no number of free parameters (`df` is `NA`): AIC, BIC, standard
#' errors and tests that rest on them are refused. Compare `bound`; the spread of the parameters is
#' that of `posterior`.
#'
#' @section The model:
#' As in [gmm_prior()], with n_j the expected number of rows of component j, xbar_j their mean and
#' S_j their scatter about it, n the number of rows, m, kappa, nu (`df`) and Lambda (`scale`) of the
#' prior:
#' * `weights_prior = "dirichlet"`: proportions Dirichlet(alpha, ..., alpha); posterior
#'   Dirichlet(alpha + n_j).
#' * `"stick"`: proportion_j is v_j times the product of 1 - v_l over l < j, v_j Beta(1, alpha): a
#'   Dirichlet process of concentration alpha, of which the posterior uses the first `k` components;
#'   posterior v_j Beta(1 + n_j, alpha + the sum of n_l over l > j). The order of components
#'   matters: they are kept by decreasing n_j, which has the largest bound, except from a start that
#'   was given, or with labels.
#' * Means: normal with covariance Sigma_j / kappa_j, kappa_j = kappa + n_j, about
#'   (kappa m + n_j xbar_j) / kappa_j.
#' * Covariances: with Psi_j = Lambda + S_j + kappa n_j / kappa_j (xbar_j - m)(xbar_j - m)' and
#'   nu_j = nu + n_j, `"full"`: inverse Wishart(nu_j, Psi_j). `"tied"`: one, inverse
#'   Wishart(nu + n, Lambda + the sum of what is added to Lambda in Psi_j). `"diag"`: the precision
#'   of variable a is Gamma(nu_j / 2) with rate Psi_j\[a, a\] / 2. `"spherical"`: the one precision
#'   is Gamma(d nu_j / 2) with rate trace(Psi_j) / 2. The plug-in covariance is Psi_j / nu_j, its
#'   diagonal, or the mean of that.
#'
#' What changes the likelihood so that this prior is not conjugate to it, or the rows that count, is
#' not there: equal or fixed parameters, noise, trimming, rows with missing values.
#'
#' @section scikit-learn:
#' `BayesianGaussianMixture` is the same model for `"full"` and `"tied"`. Its `mean_prior`,
#' `mean_precision_prior`, `weight_concentration_prior`, `degrees_of_freedom_prior` and
#' `covariance_prior` are `mean`, `kappa`, `alpha`, `df` and `scale`; of its `"tied"` model, which
#' divides by k what it adds to the last two, `df` and `scale` are k times those. For `"diag"` and
#' `"spherical"` it has the same updates of the parameters, but takes the expected log determinant
#' of a full Wishart matrix in the E-step; here it is that of the model above, so that bounds of all
#' shapes compare. (With one variable there is no difference.) Its `lower_bound_` leaves constants
#' out; it stops by default when a step gains less than 1e-3 a row, and adds `reg_covar`. As by its
#' defaults, `prior = NULL` is `alpha` 1 / k, `kappa` 1, `df` d, and the mean and covariance of the
#' data (with n, not n - 1, below).
#'
#' @param x,k,covariance,weights,labels,na.action,control,data,subset As for [gmm()], but rows with
#'   missing values must be dropped; `k` is the
#'   largest number of components, and `covariance` one
#'   of `"full"` (VVV), `"tied"` (EEE), `"diag"` (VVI), `"spherical"` (VII), or EEI or EII: one
#'   diagonal or spherical covariance for all.
#' @param ... For methods; else must be empty.
#' @param prior The result of [gmm_prior()], with `kappa` and `df` above 0; or `NULL`:
#'   `gmm_prior()`.
#' @param weights_prior `"dirichlet"` or `"stick"`: the prior of the proportions.
#' @return An object of class `c("gmm_vb", "gaussmix", "gmm")`: the list of [gmm()], with
#'   `objective` (and `trace`) the bound, `loglik` that of the plug-in mixture, `df` NA, the
#'   log-likelihoods in `starts` NA, and
#'   \item{bound}{lower bound on the log evidence, a number}
#'   \item{effective}{effective number of components, two numbers: `used`, the components whose
#'     expected number of rows (sum of weights) is at least 1; `entropy`, exp(-sum p_j log p_j) with
#'     p_j the shares of the rows, which counts small components in part}
#'   \item{posterior}{the variational posterior, a list: `weights_prior`, `size` (k expected
#'     numbers of rows),
#'     `concentration` (k; of sticks k x 2), `kappa` (k), `df` (k; `"tied"`: 1), `scale` (Psi:
#'     d x d x k; `"tied"`: d x d), and `log_weight` (k): with exp(`log_weight`) in place of the
#'     proportions the mixture's posterior probabilities are those of the variational posterior}
#' @section Errors: As for [gmm()]; `gaussmix_error_argument` for another family of covariances, or
#'   a prior that does not say enough; `gaussmix_error_degenerate` where the data have no covariance
#'   of full rank, and `scale` is `NULL`.
#' @references Attias, H. (2000) A variational Bayesian framework for graphical models. *Advances in
#'   Neural Information Processing Systems* 12, 209-215.
#'
#'   Bishop, C. M. (2006) *Pattern Recognition and Machine Learning*. Springer, section 10.2.
#'
#'   Blei, D. M. and Jordan, M. I. (2006) Variational inference for Dirichlet process mixtures.
#'   *Bayesian Analysis* 1, 121-143. \doi{10.1214/06-BA104}
#' @seealso [gmm()], [gmm_prior()]
#' @examples
#' fit <- gmm_vb(faithful, k = 6)
#' fit
#' round(fit$posterior$size, 2)
#' plot(fit)
#' # the evidence of other shapes
#' gmm_vb(faithful, k = 6, covariance = "diag")$bound
#' gmm_vb(faithful, k = 6, weights_prior = "stick", prior = gmm_prior(alpha = 0.1))$effective
#' @export
gmm_vb <- function(x, ...) {
  if (missing(x)) refuse_no_data(...names())
  UseMethod("gmm_vb")
}

#' @rdname gmm_vb
#' @export
gmm_vb.default <- function(x, k, covariance = "full", ..., weights = NULL, labels = NULL,
                           prior = NULL, weights_prior = c("dirichlet", "stick"),
                           na.action = na.fail, control = gmm_control()) {
  refuse_vb_options(...names())
  check_dots_empty(...)
  data <- as_gmm_data(x, weights = weights, na.action = refused_later(na.action), prior = prior)
  data["labels"] <- list(labels)
  options <- list(prior = prior, weights_prior = weights_prior)
  gmm_bridge(data, k, covariance, options, control, match.call(), quote(gmm_vb))
}

#' @rdname gmm_vb
#' @export
gmm_vb.data.frame <- gmm_vb.default

#' @rdname gmm_vb
#' @export
gmm_vb.formula <- function(x, data = NULL, k, covariance = "full", ..., weights = NULL,
                           labels = NULL, subset = NULL, prior = NULL,
                           weights_prior = c("dirichlet", "stick"), na.action = na.fail,
                           control = gmm_control()) {
  refuse_vb_options(...names())
  check_dots_empty(...)
  call <- match.call()
  data <- as_gmm_data(x, data = data, weights = call[["weights"]], subset = call$subset,
                      na.action = refused_later(na.action), env = parent.frame(),
                      labels = call$labels, prior = prior)
  options <- list(prior = prior, weights_prior = weights_prior)
  gmm_bridge(data, k, covariance, options, control, call, quote(gmm_vb))
}

#' @rdname gmm_vb
#' @export
gmm_vb.gmm_source <- function(x, k, covariance = "full", ..., prior = NULL,
                              weights_prior = c("dirichlet", "stick"), na.action = na.fail,
                              control = gmm_control()) {
  refuse_vb_options(...names())
  check_home_dots(...)
  check_dots_empty(...)
  options <- list(prior = prior, weights_prior = weights_prior)
  fit_home(x, k, covariance, options, na.action, control, match.call(), quote(gmm_vb))
}

#' @rdname gmm_vb
#' @export
gmm_vb.gmm_cluster <- gmm_vb.gmm_source

# ---- arguments -> what the engine takes ------------------------------------------------

# What gmm() takes and gmm_vb() does not, and why.
vb_refused <- c(noise = "the uniform component has no part in the conjugate prior",
                trim = "what is trimmed has no evidence",
                fixed = "all parameters have a prior, and a posterior",
                proportions = "they have a prior; a large `alpha` holds them near 1 / k")

refuse_vb_options <- function(given) {
  for (name in intersect(given, intersect(names(vb_refused), names(formals(gmm.default))))) {
    gmm_abort("argument", sprintf("gmm_vb() can't take `%s`: %s.", name, vb_refused[[name]]),
              "gmm() takes it, also with a prior.")
  }
}

# resolve_variational() refuses rows with missing values, whether they are to pass or to fail.
refused_later <- function(na.action) {
  if (na_policy(na.action) == "fail") stats::na.pass else na.action
}

# Those with a conjugate prior.
vb_families <- c("VVV", "EEE", "VVI", "EEI", "VII", "EII")

several_k <- "Give the largest number of components: those that are not needed are left empty."
several_shapes <- "Fit each, and compare their `bound`: higher is better."
weights_priors <- c("dirichlet", "stick")

# As resolve_options(), and `variational`: what the C code takes beside the prior.
resolve_variational <- function(options, data, k, code, control) {
  if (has_gaps(data)) {
    hint <- paste(
      "gmm_vb() has no variational posterior of missing values: na.omit or na.exclude drops these",
      "rows; gmm(prior = gmm_prior(), na.action = na.pass) takes them."
    )
    if (!is.null(data$home)) {
      gmm_abort("missing", sprintf("%s must have no missing values here.",
                                   capital(data$home$what)), hint)
    }
    refuse_missing(data$x, missing_rows(data$x),
                   if (data$blueprint$kind == "formula") "data" else "x", hint)
  }
  if (!code %in% vb_families) {
    gmm_abort("argument", sprintf("`covariance` must be one of %s, not %s.",
                                  some(dQuote(vb_families, FALSE), Inf),
                                  dQuote(code, FALSE)),
              "The others have no conjugate prior: gmm(prior = gmm_prior()) takes all families.")
  }
  if (has_ratio(control)) {
    gmm_abort("argument", "gmm_vb() can't take `ratio` of gmm_control().",
              "Its prior keeps covariances from degenerating: raise `df` of gmm_prior().")
  }
  stick <- check_choice(options$weights_prior, weights_priors, "weights_prior") == "stick"
  labels <- resolve_labels(data, k)
  list(labels = labels, prior = resolve_vb_prior(options$prior, data, k, code),
       variational = list(posterior = 1L + stick, weight = weight_of_rows(data),
                          sorted = as.integer(stick && is.null(labels) && is_string(control$init))))
}

# Of all rows, wherever they live.
weight_of_rows <- function(data) {
  as.double(if (is.null(data$home)) sum(case_weights(data)) else data$home$weight)
}

is_stick <- function(variational) identical(variational$posterior, 2L)

resolve_vb_prior <- function(prior, data, k, code) {
  prior <- check_prior(if (is.null(prior)) gmm_prior() else prior)
  d <- ncol(data$x)
  defaults <- list(alpha = 1 / k, kappa = 1, df = as.double(d))
  for (name in names(defaults)) if (is.null(prior[[name]])) prior[[name]] <- defaults[[name]]
  for (name in c("kappa", "df")) {
    if (prior[[name]] == 0) {
      gmm_abort("argument",
                sprintf("`%s` of gmm_prior() must be above 0 for gmm_vb(), not 0.", name),
                "A prior that says nothing has no posterior for a component without rows.")
    }
  }
  if (is.null(prior$scale)) {
    prior$scale <- data_covariance(data)
    if (families[[code]]$shape != "full") prior$scale <- diag(diag(prior$scale), d)
    scaled <- prior$scale / tcrossprod(sqrt(diag(prior$scale)))
    if (is.null(try_chol(scaled)) || rcond(scaled) < 1e-13) {
      gmm_abort("degenerate", paste(
        "The data have no covariance of full rank for the prior's `scale`: columns are collinear,",
        "or there are too few rows."
      ), "Give variances: prior = gmm_prior(scale = ...); or use covariance = \"diag\".")
    }
  }
  fit_prior(prior, data)
}

# ---- the object ------------------------------------------------------------------------

is_variational <- function(fit) !is.null(fit[["posterior"]])

# The fit whose proportions are the shares of the rows -> that with the posterior and its means.
variational_fit <- function(fit, out, order, home = NULL) {
  stick <- is_stick(out$options$variational)
  prior <- fit$prior
  d <- length(prior$mean)
  size <- fit$proportions * fit$nobs
  concentration <- if (stick) {
    cbind(1 + size, prior$alpha + rev(cumsum(rev(size))) - size)
  } else {
    prior$alpha + size
  }
  shared <- families[[fit$covariance]]$shared
  df <- prior$df + if (shared) fit$nobs else size
  scale <- fit$covariances * rep(rep_len(df, fit$k), each = d * d)
  if (shared) scale <- component_covariance(fit, 1L) * df
  share <- fit$proportions[fit$proportions > 0]
  fit$posterior <- list(weights_prior = weights_priors[1L + stick], size = size,
                        concentration = concentration, kappa = prior$kappa + size, df = df,
                        scale = scale,
                        log_weight = stats::setNames(out$log_weight[order], names(size)))
  fit$proportions <- mean_proportions(concentration)
  fit$effective <- c(used = sum(size >= 1), entropy = exp(-sum(share * log(share))))
  fit$bound <- fit$objective
  fit$df <- NA_real_
  fit$starts$loglik <- NA_real_
  fit <- new_gmm(unclass(fit))
  fit$loglik <- if (is.null(home)) plug_in_loglik(fit) else home_loglik(fit, home)
  fit
}

# Log-likelihood of the parameters that are reported; a row with a label counts as in gmm().
plug_in_loglik <- function(fit) {
  logs <- score(fit, fit$x, "logdensity")
  known <- which(!is.na(fit$labels))
  if (length(known)) {
    each <- score(fit, fit$x[known, , drop = FALSE], "component")
    logs[known] <- each[cbind(seq_along(known), as.integer(fit$labels)[known])]
  }
  sum(case_weights(fit) * logs)
}

# The same of rows elsewhere, by a pass over them.
home_loglik <- function(fit, home) {
  lengths <- engine_layout(fit$covariance, ncol(fit$means), fit$k)
  stats <- home$estep(as_parameters(fit))
  home$unit * stats[[sum(lengths[names(lengths) != "total"]) + 1L]]
}

# Posterior means; of sticks what is left behind the last one is shared out.
mean_proportions <- function(concentration) {
  mean <- if (is.matrix(concentration)) {
    broken <- concentration[, 1L] / rowSums(concentration)
    broken * c(1, cumprod(1 - broken)[-length(broken)])
  } else {
    concentration
  }
  mean / sum(mean)
}

# Probabilities of the components of the rows fitted, in the variational posterior.
variational_responsibilities <- function(fit) {
  weight <- exp(fit$posterior$log_weight - max(fit$posterior$log_weight))
  fit$proportions <- weight / sum(weight)
  score(fit, fit$x, "prob")
}

# Which components hold less than a row?
is_unused <- function(fit) {
  if (!is_variational(fit)) return(logical(fit$k))
  fit$posterior$size < min(1, max(fit$posterior$size))
}

# What is drawn: the mixture of the components that hold a row or more.
used_components <- function(fit) {
  if (!is_variational(fit)) return(fit)
  used <- which(!is_unused(fit))
  fit$proportions <- fit$proportions[used] / sum(fit$proportions[used])
  fit$means <- fit$means[used, , drop = FALSE]
  fit$covariances <- fit$covariances[, , used, drop = FALSE]
  fit$verdict <- fit$verdict[used, ]
  fit$k <- length(used)
  fit$df <- df_of(fit$covariance, ncol(fit$means), fit$k)
  fit$posterior <- NULL
  new_gmm(unclass(fit))
}

# In a print, in place of log-likelihood and criteria.
variational_text <- function(fit, digits) {
  prior <- if (fit$posterior$weights_prior == "stick") "stick-breaking" else "Dirichlet"
  c(sprintf("variational Bayes, %s weights: %d of %s used (%s by entropy)", prior,
            fit$effective[["used"]], plural(fit$k, "component"),
            fixed_text(fit$effective[["entropy"]], 2L)),
    sprintf("bound on the log evidence %s (higher is better), log-likelihood %s",
            format(fit$bound, digits = digits + 3L), format(fit$loglik, digits = digits + 3L)))
}

# For what rests on a largest likelihood or on a number of free parameters.
refuse_variational <- function(fit, what) {
  if (!is_variational(fit)) return(invisible())
  gmm_abort("argument", sprintf(paste(
    "%s can't take a fit by gmm_vb(): it is not at a largest likelihood, and has no number of free",
    "parameters."), what),
    "Compare its `bound`, on the log evidence (higher is better); `posterior` says how sure it is.")
}
