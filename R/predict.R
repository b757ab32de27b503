#' Predictions of a Gaussian mixture
#'
#' Classes, posterior probabilities and densities of the rows fitted or of new ones.
#'
#' Columns of `newdata` are matched by name, in any order; missing ones are an error, further
#' columns of a data frame are ignored. A row so far out that all its densities are 0 in double
#' precision still gets the posterior of the nearest component; one with an infinite value has
#' log-density `-Inf` and no posterior (NA).
#'
#' A row with missing values gets the exact result of the variables that are there: the posterior,
#' density and distance of their marginal mixture ([gmm_marginal()]). A row that is wholly missing
#' has log-density 0 and the proportions as posterior. Densities of rows with different variables
#' missing have different units, and can't be compared.
#'
#' @section Imputation:
#' With `type = "impute"` the missing values are filled in: by their means given the values of the
#' row that are there, averaged over the components by the row's posterior probabilities. The means
#' are the best single guess of each value, but vary less than the values themselves do: variances,
#' correlations and standard errors computed from them come out wrong. With `draws = m` there are m
#' completed data sets for *multiple imputation*: in each, every row with missing values draws a
#' component by its posterior probabilities and the missing values from that component's conditional
#' normal distribution (by R's random numbers). Analyse each and combine the results by Rubin's
#' rules; for intervals that are honest in small data, draw each data set from a fit of its own to
#' a bootstrap sample, as the parameters are taken to be known here. Values that are there are never
#' changed; rows of known labels are imputed by the model's posterior.
#'
#' @section Conditional prediction (mixture regression):
#' With `type = "conditional"`, the variables that `newdata` lacks are predicted from those that it
#' has, by the conditional mixture of [gmm_conditional()]. Further columns of a data frame are
#' ignored, so look at the names of what is predicted. After a formula with a response,
#' `gmm(y ~ a + b, data, k)`, it is the response that is predicted, from all the others, whether
#' `newdata` has it or not; without `newdata`, for the rows fitted. A row that misses some of the
#' values is conditioned on those that are there; one that misses all has the marginal mixture. A
#' term such as `log(y)` is predicted as such. With one component this is linear regression, with
#' the maximum-likelihood estimate (divisor n) of the variance.
#'
#' The interval of each variable has the probability `level` under the row's conditional mixture,
#' with equal tails: exact quantiles, by the method of [qgmm()]. It is an interval for a new value
#' at the parameters of the fit, whose own uncertainty is left out. Where the conditional density
#' has several modes, most of the interval may be a gap between them:
#' `gmm_hdr(gmm_conditional(fit, row))` gives the highest-density intervals of one row.
#'
#' @param object A gmm object.
#' @param newdata Data like those fitted (vector, matrix or data frame), any number of rows; or a
#'   source of them ([gmm_source()]), which is gone through chunk by chunk. Left out: the rows
#'   fitted.
#' @param type What to predict, see the value.
#' @param na.action What to do with rows of `newdata` with missing values: `na.pass` (the default:
#'   the exact result of what is there), `na.omit`, `na.exclude` (NA in their place) or `na.fail`.
#' @param ... Must be empty.
#' @param draws For `"impute"`: the number of completed data sets, a whole number of at least 1; or
#'   `NULL`: one, by conditional means.
#' @param level For `"conditional"`: the probability of the intervals, above 0 and below 1; `NULL`
#'   for none (they take most of the time).
#' @param to Where the predictions for a source go: a function, called with those of each chunk in
#'   turn; or the name of a file, into which they are written as comma-separated text with a line of
#'   column names (one that exists is replaced); or `NULL`: they are returned as a whole.
#' @return One element or row per row of `newdata`, with the row names kept (with `to` the number of
#'   rows, invisibly):
#'   \item{`"class"`}{factor whose levels are the components' names, and `"noise"` where the mixture
#'     has it; a tie goes to the first}
#'   \item{`"prob"`}{n x k matrix of posterior probabilities; with noise one column more}
#'   \item{`"density"`, `"logdensity"`}{numeric vector: the density of the mixture}
#'   \item{`"component"`}{n x k matrix of `log(proportion_j * density_j(x))`; with noise one column
#'     more}
#'   \item{`"mahalanobis"`}{n x k matrix of squared Mahalanobis distances}
#'   \item{`"uncertainty"`}{numeric vector, one minus the largest posterior probability}
#'   \item{`"conditional"`}{list of, for the q variables predicted, `mean` (n x q), `variance` (n x
#'     q x q; of length n where q is 1), `lower` and `upper` (n x q; not where `level` is `NULL`),
#'     and `prob` (n x k): the posterior probabilities given what is known}
#'   \item{`"impute"`}{data of the kind given (vector, matrix or data frame, with all its columns),
#'     the missing values of the fit's variables filled in; after a formula with terms such as
#'     `log(a)` the columns are the terms. With `draws`, a list `draw_1`, ..., `draw_<m>` of such}
#' @section Errors: `gaussmix_error_data` without `newdata` where the object holds no rows;
#'   `gaussmix_error_names`, `_dimension`, `_type` where `newdata` does not fit;
#'   `gaussmix_error_missing` where values are missing and `na.action` is [na.fail].
#' @examples
#' fit <- gmm(faithful, k = 2)
#' table(predict(fit))
#' new <- data.frame(waiting = c(50, 65, 80), eruptions = c(2, 3, 4.5))
#' predict(fit, new)
#' predict(fit, new, type = "prob")
#' predict(fit, new, type = "logdensity")
#'
#' # What is the next waiting time?
#' regression <- gmm(waiting ~ eruptions, faithful, k = 2)
#' at <- data.frame(eruptions = seq(1.5, 5, by = 0.05))
#' next_one <- predict(regression, at, type = "conditional", level = 0.9)
#' plot(faithful)
#' matlines(at, do.call(cbind, next_one[c("mean", "lower", "upper")]), lty = c(1, 2, 2), col = 1)
#'
#' # Missing values
#' holes <- faithful
#' holes$waiting[1:5] <- NA
#' partly <- gmm(holes, k = 2, na.action = na.pass)
#' head(predict(partly, type = "impute"))
#' set.seed(1)
#' sapply(predict(partly, type = "impute", draws = 3), function(data) data$waiting[1:5])
#' @export
predict.gaussmix <- function(object, newdata, type = c("class", "prob", "density", "logdensity",
                                                       "component", "mahalanobis", "uncertainty",
                                                       "conditional", "impute"),
                             na.action = stats::na.pass, ..., level = 0.95, draws = NULL,
                             to = NULL) {
  check_dots_empty(...)
  validate_gmm(object)
  type <- check_choice(type, eval(formals(predict.gaussmix)$type))
  if (!missing(newdata) && inherits(newdata, "gmm_source")) {
    return(predict_source(object, newdata, type, na.action, level, draws, to))
  }
  if (!is.null(to)) gmm_abort("argument", "`to` is for a source of rows as `newdata` only.")
  if (type == "conditional") {
    return(predict_conditional(object, if (!missing(newdata)) newdata, na.action, level))
  }
  if (type == "impute") {
    if (na_policy(na.action) != "pass") {
      gmm_abort("argument", "`na.action` must be na.pass for `type = \"impute\"`.")
    }
    return(predict_impute(object, if (!missing(newdata)) newdata, draws))
  }
  if (!is.null(draws)) gmm_abort("argument", "`draws` is for `type = \"impute\"` only.")
  if (!missing(level)) gmm_abort("argument", "`level` is for `type = \"conditional\"` only.")
  if (missing(newdata)) {
    if (is.null(object$x) && !is.null(object$logdensity) && type %in% c("density", "logdensity")) {
      density <- object$logdensity
      return(stats::napredict(object$na.action, if (type == "density") exp(density) else density))
    }
    need_rows(object, "predict() without `newdata`")
    return(stats::napredict(object$na.action, score(object, object$x, type)))
  }
  new <- new_data(object, newdata, na.action)
  stats::napredict(new$na.action, score(object, new$x, type, new$rows))
}

# Of what there is a column for each component; noise has no distances.
score_names <- function(object, type) {
  if (type == "mahalanobis") rownames(object$means) else class_names(object)
}

# x: double matrix -> the value of predict(): where values are missing, of the marginal mixture of
# the variables that are there; or with marginal = FALSE NULL. Of a row that is wholly missing
# nothing is known: log-density 0, and the proportions. `rows`: the user's numbers of these rows.
score <- function(object, x, type, rows = seq_len(nrow(x)), marginal = TRUE) {
  whole <- is_proper(object) || type == "mahalanobis"
  names <- score_names(object, type)
  out <- engine_score(x, object, type, object$control$threads, marginal && whole, names)
  if (is.null(out)) {
    if (!marginal) return(NULL)
    need_proper(object, "rows with missing values")
  }
  if (type %in% c("prob", "class", "uncertainty")) out <- without_limits(out, rows)
  if (type == "class") factor_of(as.integer(out), names, rownames(x)) else out
}

# factor() matches strings, which takes longer than to find the classes.
factor_of <- function(codes, levels, names = NULL) {
  structure(codes, levels = levels, class = "factor", names = names)
}

# Infinite rows have no posterior.
without_limits <- function(out, rows) {
  first <- if (is.matrix(out)) out[, 1L] else out
  if (!anyNA(first)) return(out)
  lost <- which(is.nan(first))
  if (is.matrix(out)) out[lost, ] <- NA else out[lost] <- NA
  warn_infinite(rows[lost])
  out
}

warn_infinite <- function(rows) {
  one <- length(rows) == 1L
  gmm_warn("infinite", sprintf("%s of `newdata` %s infinite and %s no posterior: %s.",
                               plural(length(rows), "row"), if (one) "is" else "are",
                               if (one) "has" else "have", some(rows)), rows = rows)
}

most_probable <- function(prob) {
  best <- rep(1L, nrow(prob))
  top <- prob[, 1L]
  for (j in seq_len(ncol(prob))[-1L]) {
    above <- which(prob[, j] > top)
    best[above] <- j
    top[above] <- prob[above, j]
  }
  best[is.na(top)] <- NA
  best
}

# One minus the largest posterior, as the sum of the others: exact where that is tiny.
uncertainty <- function(prob) {
  prob[cbind(seq_len(nrow(prob)), most_probable(prob))] <- 0
  rowSums(prob)
}

row_max <- function(prob) {
  do.call(pmax, lapply(seq_len(ncol(prob)), function(j) prob[, j]))
}

#' Fitted values and residuals
#'
#' The fitted value of a row is the average of the components' means, weighted by its posterior
#' probabilities (of a row with a known label, that component's mean; noise aside); the residual is
#' the row minus that.
#'
#' @param object A fit.
#' @param type `"response"` (the difference), or `"mahalanobis"`: the distance (not squared) to the
#'   mean of the row's most probable component.
#' @param ... Must be empty.
#' @return A matrix n x d with the names of rows and columns, or a vector where the data were one;
#'   rows dropped by `na.exclude` are NA. `"mahalanobis"`: a vector of length n.
#' @section Errors: `gaussmix_error_data` where the object holds no rows.
#' @examples
#' fit <- gmm(faithful, k = 2)
#' head(fitted(fit))
#' head(residuals(fit))
#' @export
fitted.gaussmix <- function(object, ...) {
  check_dots_empty(...)
  need_rows(object, "fitted()")
  stats::napredict(object$na.action, rows_like(fitted_rows(object), object))
}

fitted_rows <- function(object) fit_posterior(gaussian_part(object)) %*% object$means

rows_like <- function(x, object) if (object$blueprint$kind == "vector") x[, 1L] else x

#' @rdname fitted.gaussmix
#' @export
residuals.gaussmix <- function(object, type = c("response", "mahalanobis"), ...) {
  check_dots_empty(...)
  need_rows(object, "residuals()")
  type <- check_choice(type, c("response", "mahalanobis"))
  out <- if (type == "response") {
    rows_like(object$x - fitted_rows(object), object)
  } else {
    squared <- score(object, object$x, "mahalanobis")
    best <- most_probable(fit_posterior(gaussian_part(object)))
    stats::setNames(sqrt(squared[cbind(seq_along(best), best)]), rownames(object$x))
  }
  stats::naresid(object$na.action, out)
}
