# The class. A fit is plain data: no pointers, no environments but that of a formula.

new_gmm <- function(fields) {
  fields$version <- object_version
  structure(fields, class = c(if (is_variational(fields)) "gmm_vb", "gaussmix", "gmm"))
}

is_fit <- function(object) !is.null(object$starts)

# For methods that make sense for a fit only.
need_fit <- function(object, what) {
  validate_gmm(object)
  if (!is_fit(object)) refuse_unfitted(object, what)
  check_held(object)
}

# For methods that make do with a log-likelihood and a number of rows: as_gmm() and gmm_from_json()
# keep these two where the rows are not at hand.
need_loglik <- function(object, what) {
  validate_gmm(object)
  refuse_bound(object, what)
  if (is.null(object$loglik)) refuse_unfitted(object, what)
  check_held(object)
}

# Fits that went on from statistics (online.R).
refuse_bound <- function(object, what) {
  if (is.null(object$home$frozen)) return(invisible())
  gmm_abort("data", sprintf(
    "%s needs a log-likelihood, and of the %s only statistics are known.", what,
    plural(object$home$rows, "row")
  ), "`objective` is a lower bound; sum(predict(fit, x, type = \"logdensity\")) is that of rows x.")
}

refuse_unfitted <- function(object, what) {
  gmm_abort("data", sprintf("%s needs a fit to data; this mixture %s.", what,
                            if (is.null(object$source)) "was built by gmm_params()"
                            else sprintf("has its parameters from %s, and no rows", object$source)))
}

# Values of what a fit holds a row; validate_gmm() does without, as they may be many.
check_held <- function(object, arg = "fit") {
  for (field in c("x", "logdensity", "weights")) {
    values <- object[[field]]
    if (is.null(values) || is.finite(sum(values)) && (field != "weights" || min(values) >= 0)) next
    wrong <- if (field == "weights") !is.finite(values) | values < 0 else !is.finite(values)
    if (field == "x" && !is.null(object$missing)) wrong <- wrong & !is.na(values)
    if (!any(wrong)) next # a sum of large numbers
    refuse(list(class = "object", prefix = paste0(arg, "$")), field,
           if (field == "weights") "finite and at least 0" else "finite",
           number_text(values[wrong][1L]))
  }
}

# ---- printing --------------------------------------------------------------------------

#' Print and summarise a mixture
#'
#' `print()` answers in a few lines: which model, on what, how good, and whether it converged.
#' `summary()` adds the components one by one, their effective sizes, and what the starts reached.
#'
#' @param x,object A gmm object, or its summary.
#' @param digits Number of significant digits, a whole number from 1 to 15. Log-likelihoods and
#'   criteria have three more, as their differences matter; proportions have three decimals.
#' @param ... For `summary()` it must be empty; else not used.
#' @return `print()` returns its argument invisibly, `format()` the lines; `summary()` a list of
#'   class `"summary.gaussmix"` with `components` (data frame: proportion, effective size, smallest
#'   eigenvalue, spurious), `means`, `covariances`, `starts`, `criteria` (logLik, df, AIC, BIC), and
#'   `effective_n` for weighted fits: `sum(w)^2 / sum(w^2)`, the number to which importance weights
#'   should sum before AIC and BIC are compared.
#' @examples
#' fit <- gmm(faithful, k = 2)
#' fit
#' summary(fit)
#' @export
print.gaussmix <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname print.gaussmix
#' @export
format.gaussmix <- function(x, digits = 4, ...) {
  validate_gmm(x)
  digits <- check_whole(digits, max = 15)
  d <- ncol(x$means)
  variational <- is_variational(x)
  head <- sprintf("Gaussian mixture: %s%s, %s", if (variational) "at most " else "",
                  plural(x$k, "component"), family_label(x$covariance, d))
  shares <- if (isTRUE(x$equal) && x$k > 1L) {
    sprintf("equal proportions: %s each", fixed_text(x$proportions[[1L]], 3L))
  } else {
    paste("proportions:", some(fixed_text(x$proportions[seq_len(x$k)], 3L), 10L))
  }
  if (!is.null(x$fixed)) {
    shares <- sprintf("%s (%s fixed)", shares, plural(x$fixed$count, "parameter"))
  }
  if (!is.null(x$noise)) {
    shares <- sprintf("%s; noise %s, %s", shares, fixed_text(x$proportions[[x$k + 1L]], 3L),
                      noise_text(x$noise))
  }
  number <- function(v) format(v, digits = digits + 3L)
  quality <- if (variational) {
    variational_text(x, digits)
  } else if (!is.null(x$home$frozen)) {
    sprintf("lower bound of the log-likelihood %s, df %d", number(x$objective), as.integer(x$df))
  } else if (!is.null(x$loglik)) {
    sprintf("log-likelihood %s, df %d, BIC %s, AIC %s (lower is better)", number(x$loglik),
            as.integer(x$df), number(stats::BIC(x)), number(stats::AIC(x)))
  }
  if (!is_fit(x)) {
    return(c(sprintf("%s, in %s", head, plural(d, "dimension")), shares, quality,
             origin_text(x, digits)))
  }
  c(
    head,
    data_text(fit_rows(x), d, if (is_weighted(x)) number(x$nobs),
              sum(length(x$na.action), x$home$dropped),
              x$blueprint$response, x$home$what),
    if (!is.null(x$parts)) sprintf("rows came in %d parts", x$parts),
    missing_text(x$missing),
    if (!is.null(x$labels)) labels_text(x$labels),
    shares,
    quality,
    trimmed_text(x),
    ratio_text(x, digits),
    convergence_text(x),
    if (!is.null(x$prior) && !variational) {
      sprintf("maximum a posteriori: with the log prior density %s", number(x$objective))
    },
    spurious_text(x$verdict)
  )
}

# Of a mixture without rows.
origin_text <- function(x, digits) {
  if (!is.null(x$given)) {
    return(paste("given", some(paste(names(x$given), "=", shown_number(x$given, digits)))))
  }
  origin <- if (is.null(x$source)) "given parameters" else paste("parameters from", x$source)
  paste0(origin, ", no ", if (is.null(x$loglik)) "data" else "rows held",
         if (length(x$record)) paste("; fitted with", record_text(x$record)))
}

# "spurious: component 1, 4 (too few rows); component 2 (on the floor)"; NULL where there is none.
spurious_text <- function(verdict) {
  bad <- verdict[verdict$spurious, ]
  if (nrow(bad) == 0L) return(NULL)
  cause <- factor(bad$on_floor > 0, c(FALSE, TRUE), c("too few rows", "on the floor"))
  lists <- vapply(split(bad$component, cause, drop = TRUE), some, "")
  paste("spurious:", paste0("component ", lists, " (", names(lists), ")", collapse = "; "))
}

data_text <- function(rows, d, weights_sum, dropped, response = NULL, home = NULL) {
  paste0(plural(rows, "row"), " x ", plural(d, "variable"),
         if (!is.null(response)) sprintf(" (response %s)", some(backtick(response))),
         if (!is.null(weights_sum)) paste(", weights that sum to", weights_sum),
         if (dropped) sprintf(", %s dropped (missing values)", plural(dropped, "row")),
         if (!is.null(home)) paste(", in", home))
}

# "missing values: 39 rows, 3 patterns"; NULL where there are none.
missing_text <- function(missing) {
  if (is.null(missing)) return(NULL)
  paste0("missing values: ", plural(missing[["rows"]], "row"), ", ",
         plural(missing[["patterns"]], "pattern"),
         if (missing[["empty"]]) sprintf(" (%d wholly missing, not counted)", missing[["empty"]]))
}

convergence_text <- function(x) {
  if (!is.null(x$source)) return(paste("parameters from", x$source))
  how <- if (x$converged) "converged in" else "not converged after"
  starts <- x$starts
  if (nrow(starts) == 1L) {
    return(sprintf("%s %s from one start (%s)", how, plural(x$iterations, "iteration"),
                   starts$kind))
  }
  by <- if (x$reached > 0L) number_text(x$reached) else "none of them, but by a proposal"
  again <- sum(startsWith(starts$reason, "the same start"))
  sprintf("%s %s; best of %s, reached by %s", how, plural(x$iterations, "iteration"),
          plural(nrow(starts) - again, if (again) "distinct start" else "start"), by)
}

fit_rows <- function(x) {
  if (!is.null(x$home)) return(x$home$rows)
  if (is.null(x$x)) length(x$logdensity) else nrow(x$x)
}

is_weighted <- function(x) !is.null(x$weights) || !is.null(x$home$effective)

#' @rdname print.gaussmix
#' @export
summary.gaussmix <- function(object, ...) {
  check_dots_empty(...)
  validate_gmm(object)
  components <- data.frame(proportion = object$proportions[seq_len(object$k)],
                           row.names = rownames(object$means))
  out <- list(text = format(object), components = components, used = shown_components(object),
              means = object$means,
              covariances = object$covariances)
  if (is_fit(object)) {
    out$components <- cbind(components, object$verdict[c("size", "eigenvalue", "spurious")])
    out$starts <- object$starts
    out$criteria <- if (is_variational(object)) {
      c(logLik = object$loglik, bound = object$bound, object$effective)
    } else if (!is.null(object$home$frozen)) {
      c(bound = object$objective, df = object$df)
    } else {
      c(logLik = object$loglik, df = object$df, AIC = stats::AIC(object), BIC = stats::BIC(object))
    }
    if (!is.null(object$loglik)) {
      out$effective_n <- c(if (!is.null(object$weights)) effective_rows(kept_weights(object)),
                           object$home$effective)
    }
  }
  structure(out, class = "summary.gaussmix")
}

# Numbers of the components that are shown: all but those that gmm_vb() has switched off.
shown_components <- function(fit) {
  match(rownames(used_components(fit)$means), rownames(fit$means))
}

unused_text <- function(count) {
  if (count > 0L) sprintf("(without %s of less than one row)", plural(count, "component"))
}

# sum(w)^2 / sum(w^2); NULL without weights.
effective_rows <- function(w) if (!is.null(w)) sum(w / max(w))^2 / sum((w / max(w))^2)

effective_text <- function(n, what = "AIC, BIC") {
  if (is.null(n)) return("")
  sprintf("effective number of rows %s: scale importance weights to sum to it for %s\n",
          fixed_text(n, 1L), what)
}

#' @rdname print.gaussmix
#' @export
print.summary.gaussmix <- function(x, digits = 4, ...) {
  digits <- check_whole(digits, max = 15)
  shown <- 10L # components and variables
  cat(x$text, sep = "\n")
  bayes <- "bound" %in% names(x$criteria)
  cat(effective_text(x$effective_n, if (bayes) "the bound" else "AIC, BIC"))
  d <- ncol(x$means)
  k <- nrow(x$means)
  top <- utils::head(x$used, shown)
  columns <- seq_len(min(d, shown))
  cat("\nComponents\n")
  print(x$components[top, , drop = FALSE], digits = digits)
  cat("\nMeans\n")
  print(x$means[top, columns, drop = FALSE], digits = digits)
  cat("\nStandard deviations\n")
  sds <- sqrt(matrix(apply(x$covariances, 3L, diag), d, k))
  dimnames(sds) <- rev(dimnames(x$means))
  print(t(sds)[top, columns, drop = FALSE], digits = digits)
  if (length(x$used) > shown || d > shown) {
    cat(sprintf("(the first %d of %s and of %s)\n", shown, plural(length(x$used), "component"),
                plural(d, "variable")))
  }
  if (length(x$used) < k) cat(unused_text(k - length(x$used)), "\n", sep = "")
  if (!is.null(x$starts) && nrow(x$starts) > 1L) {
    cat("\nStarts, the best first\n")
    best <- order(x$starts$spurious, -round(x$starts$objective, 6)) # not by rounding errors
    print(utils::head(x$starts[best, start_shown(x$starts)], 5L), digits = digits + 3L)
  }
  invisible(x)
}

# Columns of a table of starts; those of gmm_vb() have a bound, and no log-likelihood.
start_shown <- function(starts) {
  c("kind", if (all(is.na(starts$loglik))) "objective" else "loglik", "iterations", "converged",
    "spurious", "reason")
}

#' One row per component
#'
#' The parameters of a mixture as a table.
#'
#' @param x A gmm object.
#' @param row.names,optional,stringsAsFactors As in [as.data.frame()].
#' @param ... Must be empty.
#' @return A data frame with k rows (noise is none) and the columns `component`, `proportion`,
#'   `mean.<variable>` and `cov.<variable>.<variable>` (lower triangle).
#' @examples
#' as.data.frame(gmm(faithful, k = 2))
#' @export
as.data.frame.gaussmix <- function(x, row.names = NULL, optional = FALSE, ...,
                                   stringsAsFactors = FALSE) { # nolint: object_name_linter.
  check_dots_empty(...)
  validate_gmm(x)
  variables <- colnames(x$means)
  lower <- which(lower.tri(diag(length(variables)), diag = TRUE), arr.ind = TRUE)
  cov <- t(apply(x$covariances, 3L, function(s) s[lower]))
  if (nrow(lower) == 1L) cov <- t(cov)
  colnames(cov) <- sprintf("cov.%s.%s", variables[lower[, 2L]], variables[lower[, 1L]])
  means <- x$means
  colnames(means) <- paste0("mean.", variables)
  data.frame(component = rownames(x$means), proportion = unname(x$proportions[seq_len(x$k)]), means,
             cov,
             row.names = row.names, check.names = FALSE, stringsAsFactors = stringsAsFactors)
}

# ---- what R's modelling functions ask --------------------------------------------------

#' Log-likelihood, and what follows from it
#'
#' `logLik()` is the total log-likelihood of the parameters that are reported, with the number of
#' free parameters `df` and of observations `nobs` (the sum of the weights) as attributes; [AIC()]
#' and [BIC()] follow from it, `-2 logLik + penalty`: **lower is better** (mclust's BIC has the
#' opposite sign). Several fits may be given at once. A density can exceed 1, so a log-likelihood
#' can be positive. `deviance()` is -2 times it.
#'
#' @param object A fit.
#' @param ... More fits, for `AIC()` and `BIC()`.
#' @param k Penalty per parameter.
#' @return `logLik()` a number of class `"logLik"`; `nobs()` and `deviance()` a number; `AIC()` and
#'   `BIC()` a number, or for several fits a data frame with `df` and the criterion.
#' @section Errors: `gaussmix_error_data` for a mixture without data ([gmm_params()]);
#'   `gaussmix_error_argument` where `AIC()` or `BIC()` is given a fit by [gmm_vb()], whose `df` is
#'   `NA`: compare its `bound`.
#' @section Warnings: `gaussmix_warning_comparison` where `AIC()` or `BIC()` compares several fits
#'   and one has a prior ([gmm_prior()]): its likelihood is that of the posterior mode.
#' @examples
#' fits <- lapply(1:3, function(k) gmm(faithful, k))
#' logLik(fits[[2]])
#' sapply(fits, BIC)
#' AIC(fits[[1]], fits[[2]])
#' @export
logLik.gaussmix <- function(object, ...) {
  need_loglik(object, "logLik()")
  structure(object$loglik, df = object$df, nobs = object$nobs, nall = object$nobs, class = "logLik")
}

# stats' own methods, by way of logLik(); not by NextMethod(), which could reach the "gmm" methods
# of another package. Rows are named by the arguments as written; each is evaluated once.
criterion_by_stats <- function(generic, fits, call, ...) {
  for (fit in fits) refuse_variational(fit, paste0(generic, "()"))
  warn_of_priors(fits)
  method <- utils::getS3method(generic, "default", envir = asNamespace("stats"))
  written <- as.list(call)[-1L]
  if (!is.null(names(written))) written <- written[names(written) != "k"]
  texts <- vapply(seq_along(fits), function(i) {
    if (is.language(written[[i]])) deparse1(written[[i]]) else paste0("fit", i)
  }, "")
  names(fits) <- paste0("fit", seq_along(fits))
  out <- eval(as.call(c(list(method), lapply(names(fits), as.name), list(...))), fits)
  if (length(fits) > 1L) rownames(out) <- make.unique(texts)
  out
}

#' @rdname logLik.gaussmix
#' @export
AIC.gaussmix <- function(object, ..., k = 2) {
  criterion_by_stats("AIC", list(object, ...), match.call(), k = k)
}

#' @rdname logLik.gaussmix
#' @export
BIC.gaussmix <- function(object, ...) criterion_by_stats("BIC", list(object, ...), match.call())

warn_of_priors <- function(fits) {
  if (length(fits) > 1L && !all(vapply(fits, function(fit) is.null(fit_record(fit)$prior), TRUE))) {
    gmm_warn("comparison", "A fit with a prior is not at its largest likelihood.",
             "AIC and BIC compare such largest likelihoods: those of fits without a prior.")
  }
}

#' @rdname logLik.gaussmix
#' @export
nobs.gaussmix <- function(object, ...) {
  validate_gmm(object)
  if (is.null(object$nobs)) refuse_unfitted(object, "nobs()")
  check_held(object)
  object$nobs
}

#' @rdname logLik.gaussmix
#' @export
deviance.gaussmix <- function(object, ...) -2 * as.numeric(logLik.gaussmix(object))

#' Parts of a fit
#'
#' `coef()` gives each distinct parameter once, under the names that [vcov()][vcov.gaussmix] and
#' [confint()][confint.gaussmix] use too. The others give what their names say, as for [lm()].
#'
#' @param object,x,formula A fit.
#' @param type `"vector"`, or `"list"`: proportions, means (k x d) and covariances (d x d x k).
#' @param complete As for [stats::coef()]; it changes nothing, as no coefficient is ever left out.
#' @param ... For `coef()` it must be empty; else not used.
#' @return `coef()`: a named vector, `proportion.<component>`, `mean.<component>.<variable>`,
#'   `cov.<component>.<variable>.<variable>` (lower triangle by columns; `cov.<variable>.<variable>`
#'   where one covariance is common; zeros of the structure left out; for spherical covariances the
#'   first variance stands for all), or a list. `weights()`: the case weights, or `NULL`.
#'   `formula()`, `terms()`: for fits by formula. `model.frame()`, `model.matrix()`: the data.
#'   `case.names()`, `variable.names()`: names of rows and columns.
#' @section Errors: `gaussmix_error_data` where the fit has no data or formula.
#' @examples
#' fit <- gmm(faithful, k = 2, covariance = "tied")
#' coef(fit)
#' variable.names(fit)
#' @name gaussmix-parts
NULL

#' @rdname gaussmix-parts
#' @export
coef.gaussmix <- function(object, type = c("vector", "list"), complete = TRUE, ...) {
  check_dots_empty(...)
  validate_gmm(object)
  check_flag(complete)
  if (check_choice(type, c("vector", "list")) == "vector") return(coef_vector(object))
  unclass(object)[parameter_fields]
}

#' @rdname gaussmix-parts
#' @export
weights.gaussmix <- function(object, ...) {
  need_fit(object, "weights()")
  stats::naresid(object$na.action, object$weights)
}

#' @rdname gaussmix-parts
#' @export
formula.gaussmix <- function(x, ...) {
  need_formula(x, "formula()")
  stats::formula(x$terms)
}

#' @rdname gaussmix-parts
#' @export
terms.gaussmix <- function(x, ...) {
  need_formula(x, "terms()")
  x$terms
}

need_formula <- function(object, what) {
  validate_gmm(object)
  if (is.null(object$terms)) {
    gmm_abort("data", sprintf("%s needs a fit by formula; this one was given %s.", what,
                              if (is_fit(object)) "the data themselves" else "parameters only"))
  }
}

need_rows <- function(object, what) {
  validate_gmm(object)
  if (is.null(object$x)) {
    hint <- if (!is.null(object$home$frozen)) {
      "Only their statistics are known: give rows as `newdata`, where there is one."
    } else if (!is.null(object$home)) {
      sprintf("They are in %s: predict(fit, source) goes through them.", object$home$what)
    } else if (is_fit(object)) {
      "Fit with gmm_control(keep = TRUE)."
    } else {
      "Fit data with gmm()."
    }
    gmm_abort("data", sprintf("%s needs the rows, and this object holds none.", what), hint)
  }
  check_held(object)
}

#' @rdname gaussmix-parts
#' @export
model.frame.gaussmix <- function(formula, ...) {
  need_rows(formula, "model.frame()")
  frame <- data_like(formula$x, formula$blueprint, frame = TRUE)
  if (!is.null(formula$weights)) frame[["(weights)"]] <- formula$weights
  frame
}

#' @rdname gaussmix-parts
#' @export
model.matrix.gaussmix <- function(object, ...) {
  need_rows(object, "model.matrix()")
  object$x
}

#' @rdname gaussmix-parts
#' @export
case.names.gaussmix <- function(object, ...) {
  need_fit(object, "case.names()")
  if (!is.null(object$home)) need_rows(object, "case.names()")
  names <- if (!is.null(object$x)) rownames(object$x) else names(object$logdensity)
  if (is.null(names)) as.character(seq_len(fit_rows(object))) else names
}

#' @rdname gaussmix-parts
#' @export
variable.names.gaussmix <- function(object, ...) {
  validate_gmm(object)
  colnames(object$means)
}

# A matrix in the fit's columns, as the kind of data that the fit was given.
data_like <- function(x, blueprint, frame = blueprint$kind %in% c("data.frame", "formula")) {
  if (frame) return(as.data.frame(x, optional = TRUE))
  if (blueprint$kind == "vector") return(x[, 1L])
  if (!blueprint$named) colnames(x) <- NULL
  x
}
