#' Information criteria of fits
#'
#' The criteria by which [gmm_select()] chooses, of fits that are there already. **Lower is better**
#' for each, and only between fits to the same rows. [AIC()] and [BIC()] give those two alone.
#'
#' With `logLik` the log-likelihood, `df` the number of free parameters and n the number of rows
#' (the sum of the weights):
#' * **BIC** is `-2 logLik + df log(n)`. It asks which model the data support, and finds the right
#'   one as n grows, where it is among those compared.
#' * **AIC** is `-2 logLik + 2 df`. It asks which model predicts new rows best, and takes more
#'   components.
#' * **AICc** is `AIC + 2 df (df + 1) / (n - df - 1)`, AIC for few rows: it charges more for a
#'   parameter the more of them there are per row, and is `Inf` where n <= df + 1.
#' * **ICL** is BIC minus twice the sum of `w log(largest posterior probability)` over the rows. It
#'   charges for components that overlap: it asks for groups that can be told apart.
#'
#' mclust reports BIC and ICL with the opposite sign.
#'
#' @param fit,... Fits by [gmm()].
#' @return A data frame, a row a fit, named as in the call: `covariance` (code), `k`, `df`, `nobs`,
#'   `loglik`, `BIC`, `AIC`, `AICc` and `ICL` (`NA` for a fit that holds no rows, as by
#'   `gmm_control(keep = FALSE)`).
#' @section Errors: `gaussmix_error_argument` for something that is no mixture,
#'   `gaussmix_error_data` for a mixture without data ([gmm_params()]).
#' @section Warnings: `gaussmix_warning_comparison` where the fits differ in `nobs`, or one of
#'   several has a prior.
#' @references Hurvich, C. M. and Tsai, C.-L. (1989) Regression and time series model selection in
#'   small samples. *Biometrika* 76, 297-307. \doi{10.1093/biomet/76.2.297}
#'
#'   See [gmm_select()] for the others.
#' @seealso [gmm_select()], which also cross-validates; [logLik.gaussmix()]
#' @examples
#' two <- gmm(faithful, k = 2)
#' three <- gmm(faithful, k = 3, covariance = "tied")
#' gmm_criteria(two, three)
#' @export
gmm_criteria <- function(fit, ...) {
  fits <- list(fit, ...)
  names <- vapply(as.list(substitute(list(fit, ...)))[-1L], function(arg) {
    if (is.language(arg)) shorten(deparse1(arg)) else "fit"
  }, "")
  given <- names(fits)
  if (!is.null(given)) names[nzchar(given)] <- given[nzchar(given)]
  for (i in seq_along(fits)) {
    if (!inherits(fits[[i]], "gaussmix")) {
      gmm_abort("argument", must_be(names[i], "a fit by gmm()", fits[[i]]))
    }
    need_fit(fits[[i]], "gmm_criteria()")
    refuse_bound(fits[[i]], "gmm_criteria()")
    refuse_variational(fits[[i]], "gmm_criteria()")
  }
  warn_of_priors(fits)
  nobs <- vapply(fits, `[[`, 0, "nobs")
  if (diff(range(nobs)) > 1e-8 * max(nobs)) {
    gmm_warn("comparison", sprintf("The fits differ in their number of rows: %s.",
                                   some(number_text(unique(nobs), 7L))),
             "Criteria can be compared between fits to the same rows only.")
  }
  rows <- lapply(fits, function(fit) {
    certainty <- if (is.null(fit$x)) NA_real_
                 else certainty_of(fit, fit$x, kept_weights(fit), fit$labels, fit$control$threads)
    data.frame(covariance = fit$covariance, k = fit$k, df = fit$df, nobs = fit$nobs,
               loglik = fit$loglik, criteria_table(fit$loglik, fit$df, fit$nobs, certainty))
  })
  out <- do.call(rbind, rows)
  rownames(out) <- make.unique(names)
  out
}

# The sum of w log(largest posterior); a known label is certain.
certainty_of <- function(params, x, weights, labels, threads) {
  doubted <- if (is.null(labels)) TRUE else is.na(labels)
  engine_certainty(x[doubted, , drop = FALSE], weights[doubted], params, threads)
}

# Lower is better, for each. `certainty`: of certainty_of().
criteria_table <- function(loglik, df, nobs, certainty) {
  bic <- -2 * loglik + df * log(nobs)
  aic <- -2 * loglik + 2 * df
  left <- nobs - df - 1
  data.frame(BIC = bic, AIC = aic, AICc = aic + ifelse(left > 0, 2 * df * (df + 1) / left, Inf),
             ICL = bic - 2 * certainty)
}
