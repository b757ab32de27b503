# Marginal and conditional mixtures, and regression by conditioning.

#' Marginal and conditional mixtures
#'
#' `gmm_marginal()` is the mixture of some of the variables, `gmm_conditional()` that of the others
#' where the values of some are given. Both are exact, and again Gaussian mixtures: whatever takes
#' a mixture takes them.
#'
#' The marginal mixture has the proportions of the fit, and the parts of its means and covariances
#' that belong to the variables. The conditional mixture has
#' * as proportions the posterior probabilities of the components (the *gate*), given what is known,
#'   worked out on the log scale, so that they are right however far out that is;
#' * as means the components' linear regressions on what is known;
#' * as covariances those of the regressions' residuals, which do not depend on what is known.
#'
#' For many rows at once, with mean, variance and intervals of each, use
#' [predict()][predict.gaussmix] with `type = "conditional"`.
#'
#' @param fit A fit by [gmm()], or a mixture by [gmm_params()].
#' @param variables Names or numbers of the variables to keep, in the order wanted; all of them,
#'   too.
#' @param given What is known, for at least one variable and not for all: numbers named by variables
#'   of the mixture, as `c(waiting = 70)` or `c("log(a)" = 2)`; or a matrix or data frame of one
#'   row, read as the `newdata` of [predict()][predict.gaussmix].
#' @return A mixture without data, as by [gmm_params()], of the same components with the same names.
#'   Its family is that of the fit, where marginal and conditional mixtures are sure to keep it,
#'   else `"diag"` or `"full"`. That of `gmm_conditional()` has also `given`, the values that are
#'   known.
#' @section Errors: `gaussmix_error_argument` where `variables` are not distinct variables of the
#'   fit, `given` is more than one row, or nothing is left to be predicted; `gaussmix_error_names`
#'   where `given` has no names of variables; `gaussmix_error_missing` and `_nonfinite` where its
#'   values are missing or infinite.
#' @references Mardia, K. V., Kent, J. T. and Bibby, J. M. (1979) *Multivariate Analysis*. Academic
#'   Press, section 3.2 (one component).
#'
#'   Sung, H. G. (2004) *Gaussian Mixture Regression and Classification*. PhD thesis, Rice
#'   University, chapter 2.
#' @seealso [predict.gaussmix()], [gmm_params()]
#' @examples
#' fit <- gmm(iris[1:4], k = 3)
#' petals <- gmm_marginal(fit, c("Petal.Length", "Petal.Width"))
#' plot(petals)
#' qgmm(c(0.05, 0.5, 0.95), gmm_marginal(fit, "Petal.Width"))
#'
#' # Sepals of a flower of which the petals are known
#' sepals <- gmm_conditional(fit, c(Petal.Length = 4.8, Petal.Width = 1.7))
#' sepals
#' sepals$means
#' pgmm(c(Sepal.Length = 6, Sepal.Width = 3), sepals)
#' @export
gmm_marginal <- function(fit, variables) {
  validate_gmm(fit)
  check_given(variables, "names or numbers of the variables to keep")
  marginal_mixture(fit, find_variables(variables, fit), match.call())
}

#' @rdname gmm_marginal
#' @export
gmm_conditional <- function(fit, given) {
  validate_gmm(fit)
  check_given(given, "what is known")
  fit$blueprint$response <- NULL # it may be given, too
  if (is_plain_numeric(given) && length(dim(given)) < 2L && any_names(names(given))) {
    given <- matrix(given, 1L, dimnames = list(NULL, names(given)))
    fit$blueprint$terms <- NULL
  }
  known <- known_part(fit, given, "given")
  x <- known$x
  if (nrow(x) != 1L) {
    gmm_abort("argument", sprintf("`given` must be one row, not %s.", number_text(nrow(x))),
              "For several, use predict(fit, newdata, type = \"conditional\").")
  }
  variables <- colnames(x)
  if (anyNA(x)) {
    gmm_abort("missing", sprintf("`given` must not be missing, as %s is.",
                                 some(backtick(variables[is.na(x)]))),
              "Leave out what is not known.")
  }
  check_finite(x, "given")
  part <- condition(fit, x, known$given, known$rest)
  means <- t(matrix(part$means[, , seq_len(fit$k)], length(known$rest)))
  out <- part_mixture(fit, exp(part$log_prob[1L, ]), means,
                      part$covariances[, , seq_len(fit$k), drop = FALSE], known$rest, match.call())
  out$given <- x[1L, ]
  out
}

# Numbers of the variables that are named or numbered.
find_variables <- function(variables, fit, arg = "variables") {
  names <- colnames(fit$means)
  known <- if (is.character(variables)) names else seq_along(names)
  found <- if (is.atomic(variables) && !is.logical(variables)) match(variables, known)
  if (is.object(variables) || length(found) == 0L || anyNA(found) || anyDuplicated(found)) {
    gmm_abort("argument", must_be(arg, "distinct names or numbers of variables", variables),
              sprintf("The variables are %s.", some(backtick(names), 20L)))
  }
  found
}

marginal_mixture <- function(fit, at, call) {
  need_proper(fit, "some of the variables")
  part_mixture(fit, fit$proportions, fit$means[, at, drop = FALSE],
               fit$covariances[at, at, , drop = FALSE], at, call)
}

# A mixture of the variables `at` of a fit, with its components.
part_mixture <- function(fit, proportions, means, covariances, at, call) {
  params <- name_parameters(list(proportions = proportions, means = means,
                                 covariances = covariances), rownames(fit$means),
                            colnames(fit$means)[at])
  params$covariance <- part_family(fit$covariance, length(at))
  if (!is.null(fit$noise)) {
    params$noise <- box_noise(fit$noise$limits[, at, drop = FALSE], colnames(fit$means)[at])
    names(params$proportions) <- class_names(params)
  }
  new_params(params, fit$blueprint$named, call)
}

# What is left of a family in some of its variables, marginally or conditionally. One size is lost,
# and so are shapes and orientations of full matrices, but not what is the same in all components.
part_family <- function(code, d) {
  family <- families[[code]]
  if (d == 1L) return(if (family$shared) "EEE" else "VVV")
  if (code == "EVI") return("VVI")
  if (family$shape == "full" && !family$shared) "VVV" else code
}

# ---- conditioning ----------------------------------------------------------------------

# For finite rows of the variables `given`, the distribution of the variables `rest`: log_prob
# (n x k), means (n x q x k), covariances (q x q x k, the same for all rows); with noise k + 1 of
# them all, and its `limits`. With the Cholesky
# factor R of a covariance, the given variables first, the regression on x is
# R12' R11'^-1 (x - mean), and the covariance of its residuals R22' R22. Where nothing is given it
# is the marginal mixture.
condition <- function(fit, x, given, rest) {
  if (length(given) == 0L) return(unconditioned(fit, nrow(x), rest))
  q <- length(rest)
  means <- array(0, c(nrow(x), q, fit$k))
  covariances <- array(0, c(q, q, fit$k))
  first <- seq_along(given)
  for (j in seq_len(fit$k)) {
    factor <- chol(component_covariance(fit, j)[c(given, rest), c(given, rest)])
    z <- backsolve(factor[first, first, drop = FALSE], t(x) - fit$means[j, given],
                   transpose = TRUE)
    means[, , j] <- t(fit$means[j, rest] + crossprod(factor[first, -first, drop = FALSE], z))
    covariances[, , j] <- crossprod(factor[-first, -first, drop = FALSE])
  }
  part <- list(log_prob = log_gate(fit, x, given), means = means, covariances = covariances)
  if (!is.null(fit$noise)) part <- with_noise(part, fit$noise$limits[, rest, drop = FALSE])
  part
}

unconditioned <- function(fit, n, rest) {
  p <- fit$proportions
  part <- list(log_prob = matrix(log(p), n, length(p), byrow = TRUE),
               means = array(rep(t(fit$means[, rest, drop = FALSE]), each = n),
                             c(n, length(rest), fit$k)),
               covariances = fit$covariances[rest, rest, , drop = FALSE])
  if (is.null(fit$noise)) part else with_noise(part, fit$noise$limits[, rest, drop = FALSE])
}

# The moments of a uniform distribution as those of one component more.
with_noise <- function(part, limits) {
  n <- dim(part$means)[1L]
  q <- dim(part$means)[2L]
  k <- dim(part$means)[3L] + 1L
  part$means <- array(c(part$means, rep(colMeans(limits), each = n)), c(n, q, k))
  variances <- (limits[2L, ] - limits[1L, ])^2 / 12
  part$covariances <- array(c(part$covariances, diag(variances, q)), c(q, q, k))
  part$limits <- limits
  part
}

# Logarithms of the posterior probabilities given some of the variables. Where all densities are 0
# even on the log scale, those of the nearest component.
log_gate <- function(fit, x, given) {
  marginal <- marginal_mixture(fit, given, fit$call)
  marginal$control <- fit$control # the number of threads
  parts <- score(marginal, x, "component")
  most <- row_max(parts)
  lost <- which(most == -Inf)
  parts[lost, ] <- log(score(marginal, x[lost, , drop = FALSE], "prob"))
  most[lost] <- 0
  parts - most - log(rowSums(exp(parts - most)))
}

# Mean (n x q) and variance (n x q x q) of the mixtures that condition() gives.
conditional_moments <- function(part) {
  prob <- exp(part$log_prob)
  n <- nrow(prob)
  q <- dim(part$means)[2L]
  component <- function(j) matrix(part$means[, , j], n, q)
  average <- function(term) {
    Reduce(`+`, lapply(seq_len(ncol(prob)), function(j) prob[, j] * term(j)))
  }
  mean <- average(component)
  variance <- array(0, c(n, q, q))
  for (a in seq_len(q)) {
    for (b in seq_len(a)) {
      variance[, a, b] <- variance[, b, a] <- average(function(j) {
        apart <- component(j) - mean
        part$covariances[a, b, j] + apart[, a] * apart[, b]
      })
    }
  }
  list(mean = mean, variance = variance)
}

# Quantiles of each variable by itself (n x q): with `p` below them, or above them (side -1).
conditional_quantile <- function(part, p, side) {
  n <- nrow(part$log_prob)
  log_proportion <- lapply(seq_len(ncol(part$log_prob)), function(j) part$log_prob[, j])
  components <- seq_len(ncol(part$log_prob) - !is.null(part$limits))
  q <- dim(part$means)[2L]
  quantiles <- vapply(seq_len(q), function(a) {
    mixture <- list(log_proportion = log_proportion,
                    mean = lapply(components, function(j) part$means[, a, j]),
                    sd = sqrt(part$covariances[a, a, components]), limits = part$limits[, a])
    solve_quantile(rep(log(p), n), rep(side, n), mixture)
  }, numeric(n))
  matrix(quantiles, n, q)
}

# ---- predict(type = "conditional") -----------------------------------------------------

# Each row is conditioned on what it has. Without `newdata`: the rows fitted; without `level`: no
# intervals.
predict_conditional <- function(object, newdata, na.action, level) {
  if (!is.null(level)) level <- check_number(level, min = 0, max = 1, ends = "()")
  known <- if (is.null(newdata)) fitted_part(object) else new_part(object, newdata, na.action)
  x <- known$x
  infinite <- which(rowSums(is.infinite(x)) > 0)
  if (length(infinite)) warn_infinite(known$rows[infinite])
  variables <- colnames(object$means)[known$rest]
  blank <- function(...) {
    array(NA_real_, c(nrow(x), lengths(list(...))), list(rownames(x), ...))
  }
  out <- list(mean = blank(variables), variance = blank(variables, variables))
  if (!is.null(level)) out[c("lower", "upper")] <- out["mean"]
  out$prob <- blank(class_names(object))
  fine <- setdiff(seq_len(nrow(x)), c(infinite, known$left_out))
  for (same in pattern_groups(x[fine, , drop = FALSE])) {
    rows <- fine[same]
    there <- if (length(rows)) which(!is.na(x[rows[1L], ])) else seq_len(ncol(x))
    part <- condition(object, x[rows, there, drop = FALSE], known$given[there], known$rest)
    moments <- conditional_moments(part)
    out$mean[rows, ] <- moments$mean
    out$variance[rows, , ] <- moments$variance
    if (!is.null(level)) {
      out$lower[rows, ] <- conditional_quantile(part, (1 - level) / 2, 1)
      out$upper[rows, ] <- conditional_quantile(part, (1 - level) / 2, -1)
    }
    out$prob[rows, ] <- exp(part$log_prob)
  }
  if (length(variables) == 1L) {
    out$variance <- stats::setNames(as.vector(out$variance), rownames(x))
  }
  out
}

# Of the rows fitted the predictors of a response; rows left out of the fit by na.exclude are NA.
fitted_part <- function(object) {
  names <- object$blueprint$names
  response <- object$blueprint$response
  if (is.null(response)) {
    gmm_abort("argument", "`newdata` must be given: what is known, to predict the other variables.",
              "It may be left out only after a formula with a response: gmm(y ~ x, data, k).")
  }
  need_rows(object, "predict() without `newdata`")
  given <- which(!names %in% response)
  list(x = stats::napredict(object$na.action, object$x[, given, drop = FALSE]), given = given,
       rest = which(names %in% response),
       left_out = which(is.na(stats::napredict(object$na.action, numeric(nrow(object$x))))))
}

# Of new data what is known, `rows`, the user's numbers of the rows, and those `left_out`, to be NA.
new_part <- function(object, newdata, na.action) {
  known <- known_part(object, newdata, "newdata")
  known$rows <- seq_len(nrow(known$x))
  policy <- na_policy(na.action)
  if (policy == "exclude") known$left_out <- which(missing_rows(known$x))
  if (policy %in% c("fail", "omit") && anyNA(known$x)) {
    known[c("x", "rows")] <- handle_missing(known$x, policy, "newdata")[c("x", "rows")]
  }
  known
}

# What is known of the variables by new data: x, a matrix of their columns; `given`, their numbers;
# `rest`, the numbers of the others.
known_part <- function(object, newdata, arg) {
  names <- object$blueprint$names
  x <- known_columns(object, newdata, arg)
  given <- match(colnames(x), names)
  rest <- setdiff(seq_along(names), given)
  if (length(rest) == 0L) {
    gmm_abort("argument", sprintf("`%s` must lack the variables to be predicted; it has all: %s.",
                                  arg, some(backtick(names), 10L)), "Leave out their columns.")
  }
  list(x = x, given = given, rest = rest)
}
