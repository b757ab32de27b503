#' Bootstrap of a fit
#'
#' Fits the same model to many random data sets like the training data. The spread of the estimates
#' gives standard errors and confidence intervals that do not lean on large samples, as those of
#' [vcov()][vcov.gaussmix] do.
#'
#' @details
#' A replicate is, by `type`,
#' * `"parametric"`: as many rows as the fit has (`nobs`, rounded), drawn from the fit. It takes the
#'   model for true.
#' * `"weighted"`: the rows of the fit, each weighted by an exponential variable, scaled to the same
#'   sum (Dirichlet weights). No row is ever left out altogether, so that small components
#'   survive; it does not take the model for true. Of a row with case weight w the weight is a gamma
#'   variable of shape w: weight 2 is the row twice.
#' * `"nonparametric"`: as many rows, drawn from those of the fit with replacement (in proportion to
#'   their case weights).
#'
#' EM starts from the fit, and its result has its components put into the order of the fit's: that
#' in which the largest expected number of rows is in the same component of both, found exactly
#' (minimum-cost assignment).
#'
#' A replicate that can't be fitted (its covariance degenerates) has NA for all coefficients, and
#' the reason in `runs`; estimates are from the others. Those that did not converge, or have a
#' spurious component, are kept. All are counted by `print()`.
#'
#' Where values are missing in the fit's rows, those of a parametric replicate miss the same ones,
#' as if they were missing completely at random.
#'
#' Each replicate has a seed drawn from R's random numbers, so that after [set.seed()] the result is
#' the same for any `cl`.
#'
#' @param fit A fit by [gmm()]; all types but the parametric one need its rows
#'   (`gmm_control(keep = TRUE)`).
#' @param n_boot Number of replicates, a whole number of at least 2.
#' @param type `"parametric"`, `"weighted"` or `"nonparametric"`, see below.
#' @param ... Must be empty: arguments after it go by name.
#' @param cl Where to compute: `NULL`, in this process; a whole number, in so many processes (forked
#'   ones, on Windows new ones); or a cluster by `parallel::makeCluster()`, whose workers have this
#'   package installed. Each process uses one thread.
#' @return A list of class `"gmm_boot"` with
#'   \item{estimate}{the coefficients of the fit, as [coef()][coef.gaussmix] gives them}
#'   \item{replicates}{n_boot x coefficients matrix, a row a replicate}
#'   \item{runs}{data frame, a row a replicate: `loglik`, `converged`, `spurious`, `reordered` (the
#'     components had another order than the fit's), `reason` (why it failed, else `""`)}
#'   \item{type, k, covariance, equal, nobs, call}{what was done: the kind of replicates, number of
#'     components, code of the family, whether proportions are equal, number of rows or sum of the
#'     weights}
#'   See [confint()][confint.gmm_boot] for what it is good for.
#' @section Errors: `gaussmix_error_argument` for arguments of a wrong kind, `gaussmix_error_data`
#'   where the fit holds no rows and they are needed, `gaussmix_error_degenerate` where fewer than
#'   two replicates can be fitted, `gaussmix_error_package` where the workers lack this package.
#' @references O'Hagan, A., Murphy, T. B., Scrucca, L. and Gormley, I. C. (2019) Investigation of
#'   parameter uncertainty in clustering using a Gaussian mixture model via jackknife, bootstrap and
#'   weighted likelihood bootstrap. *Computational Statistics* 34, 1779-1813.
#'   \doi{10.1007/s00180-019-00897-9}
#'
#'   Newton, M. A. and Raftery, A. E. (1994) Approximate Bayesian inference with the weighted
#'   likelihood bootstrap. *Journal of the Royal Statistical Society B* 56, 3-48.
#'
#'   McLachlan, G. J. and Peel, D. (2000) *Finite Mixture Models*. Wiley, section 2.16.
#' @seealso [vcov()][vcov.gaussmix] for standard errors without replicates,
#'   [profile()][profile.gaussmix] for likelihood intervals, [gmm_lrt()] for the number of
#'   components.
#' @examples
#' fit <- gmm(faithful, k = 2)
#' set.seed(1)
#' boot <- gmm_boot(fit, n_boot = 99, type = "weighted")
#' boot
#' confint(boot, c("mean.1.waiting", "proportion.1"), level = 0.9)
#' cbind(bootstrap = sqrt(diag(vcov(boot))), information = sqrt(diag(vcov(fit))))
#' plot(boot)
#' @export
gmm_boot <- function(fit, n_boot = 999, type = c("parametric", "weighted", "nonparametric"), ...,
                     cl = NULL) {
  check_dots_empty(...)
  type <- check_choice(type, c("parametric", "weighted", "nonparametric"))
  need <- if (type == "parametric") need_fit else need_rows
  need(fit, "gmm_boot()")
  refuse_variational(fit, "gmm_boot()")
  if (type == "parametric") {
    refuse_options(fit, "gmm_boot(type = \"parametric\")", "labels",
                   "Use type = \"weighted\": the labels stay with their rows.")
    refuse_trimmed(fit, "gmm_boot(type = \"parametric\")", "Use type = \"weighted\".")
  }
  if (type == "parametric") need_proper(fit, "random draws")
  n_boot <- check_whole(n_boot, min = 2)
  cl <- check_cluster(cl)
  warn_if_spurious(fit, ", and so must its bootstrap not be")
  draw <- replicate_drawer(fit, type)
  model <- list(params = as_parameters(fit), k = fit$k, control = fit$control,
                options = fit_options(fit))
  model$control$init <- bare_parameters(fit, "fit")
  model$control$verbose <- FALSE
  title <- if (fit$control$verbose) "gmm_boot()"
  runs <- run_replicates(draw_seeds(n_boot), function(threads) {
    model$control$threads <- threads
    fit_replicate(draw(threads), model)
  }, cl, fit$control$threads, title)
  new_boot(fit, type, runs, match.call())
}

# A function of the number of threads that draws the data of a replicate, like those of
# as_gmm_data().
replicate_drawer <- function(fit, type) {
  data <- list(x = fit$x, weights = NULL, scale = fit$scale, blueprint = fit$blueprint)
  params <- as_parameters(fit)
  if (type == "parametric") {
    if (!is.null(fit$missing)) need_rows(fit, "gmm_boot()") # they say what is missing
    n <- rows_to_draw(fit$nobs)
    return(function(threads) simulated_data(data, params, n, threads))
  }
  w <- case_weights(fit)
  function(threads) {
    data$weights <- if (type == "weighted") {
      fresh <- stats::rgamma(length(w), shape = w)
      fresh * (sum(w) / sum(fresh))
    } else {
      as.double(stats::rmultinom(1L, rows_to_draw(sum(w)), w))
    }
    data
  }
}

# Data like those given, with n rows drawn from a mixture, which miss the same values (of as many
# rows drawn at random, where weights make another number).
simulated_data <- function(data, params, n, threads) {
  missing <- if (anyNA(data$x)) is.na(unname(data$x[!wholly_missing(data$x), , drop = FALSE]))
  data$x <- engine_sample(n, params, threads = threads)
  attr(data$x, "component") <- NULL
  if (!is.null(missing)) {
    rows <- seq_len(nrow(missing))
    if (length(rows) != n) rows <- rows[1L + floor(stats::runif(n) * length(rows))]
    data$x[missing[rows, ]] <- NA
  }
  colnames(data$x) <- data$blueprint$names
  data["weights"] <- list(NULL)
  data
}

# As many as there are; where weights say how many, to the nearest whole number.
rows_to_draw <- function(nobs) {
  n <- max(1, round(nobs))
  if (n > .Machine$integer.max) {
    gmm_abort("weights", sprintf("The weights sum to %s, which are too many rows to draw.",
                                 number_text(n)), "Use type = \"weighted\", or scale them.")
  }
  as.integer(n)
}

# One data set -> coefficients in the order of the model's components, and how the run went.
fit_replicate <- function(data, model) {
  code <- model$params$covariance
  tryCatch({
    out <- fit_model(data, model$k, code, model$control, options = model$options)
    found <- c(out[parameter_fields], list(covariance = code, noise = out$noise))
    order <- if (is.null(model$options$fixed)) {
      aligned_order(found, model$params, data$x, data$weights, model$control$threads)
    } else {
      seq_len(model$k)
    }
    found <- reorder_gaussians(found, order)
    names <- dimnames(model$params$means)
    list(coef = coef_vector(c(name_parameters(found, names[[1L]], names[[2L]]), covariance = code)),
         loglik = out$best$loglik, converged = out$best$converged,
         spurious = any(out$verdict$spurious), reordered = is.unsorted(order), reason = "")
  }, gaussmix_error = function(e) {
    list(coef = NA_real_, loglik = NA_real_, converged = NA, spurious = NA, reordered = NA,
         reason = first_line(conditionMessage(e)))
  })
}

first_line <- function(text) sub("\n.*", "", text)

new_boot <- function(fit, type, runs, call) {
  estimate <- coef_vector(fit)
  replicates <- t(vapply(runs, function(run) rep_len(run$coef, length(estimate)), estimate))
  column <- function(name, kind) vapply(runs, `[[`, kind, name)
  table <- data.frame(loglik = column("loglik", 0), converged = column("converged", NA),
                      spurious = column("spurious", NA), reordered = column("reordered", NA),
                      reason = column("reason", ""))
  fitted <- sum(table$reason == "")
  if (fitted < 2L) {
    gmm_abort("degenerate", sprintf("Of %s %d could be fitted; the first: %s",
                                    plural(length(runs), "replicate"), fitted,
                                    table$reason[table$reason != ""][1L]),
              "Fewer components or a narrower `covariance` may have some.", runs = table)
  }
  structure(class = "gmm_boot", list(
    estimate = estimate, replicates = replicates, runs = table, type = type, k = fit$k,
    covariance = fit$covariance, equal = isTRUE(fit$equal), nobs = fit$nobs,
    variables = colnames(fit$means), scale = coef_scale(fit), call = call
  ))
}

check_boot <- function(boot, arg = "object") {
  about <- list(class = "object", prefix = paste0(arg, "$"))
  check <- function(field, ok, expected) {
    if (!isTRUE(ok(boot[[field]]))) refuse(about, field, expected, describe(boot[[field]]))
  }
  check("estimate", function(v) is.numeric(v) && !is.null(names(v)), "a named vector")
  check("replicates", function(v) {
    is.numeric(v) && is.matrix(v) && identical(colnames(v), names(boot$estimate))
  }, "a matrix with a column for each coefficient")
  check("runs", function(v) {
    is.data.frame(v) && nrow(v) == nrow(boot$replicates) &&
      all(c("loglik", "converged", "spurious", "reordered", "reason") %in% names(v))
  }, "a data frame with a row for each replicate")
}

# Replicates that were fitted.
fitted_replicates <- function(boot) boot$replicates[boot$runs$reason == "", , drop = FALSE]

# ---- what it is good for ---------------------------------------------------------------

#' Standard errors and confidence intervals by bootstrap
#'
#' What the replicates of [gmm_boot()] say: bias, standard errors, intervals, pictures.
#'
#' @param object,x The result of [gmm_boot()].
#' @param parm Names or numbers of the coefficients, as in [coef()][coef.gaussmix]. Left out: all
#'   (for `plot()`: the first nine that vary).
#' @param level The probability that an interval is to cover the parameter, between 0 and 1.
#' @param type `"percentile"`: quantiles of the replicates (the (m + 1) p-th smallest of m);
#'   `"normal"`: the estimate and normal quantiles times the standard deviation of the replicates,
#'   on the scales of [confint()][confint.gaussmix] for fits (logit of proportions, logarithm of
#'   variances).
#' @param digits Number of significant digits.
#' @param row.names,optional,stringsAsFactors As in [as.data.frame()].
#' @param main,sub Titles of the panels, and the line below the picture; `""` for none.
#' @param ... For `plot()` graphical parameters, as for [plot()][plot.gaussmix]; else it must be
#'   empty or is not used.
#' @return `coef()`: the coefficients of the fit. `vcov()`: the covariance matrix of the replicates.
#'   `confint()`: a matrix with a row for each coefficient and the columns lower and upper end.
#'   `summary()`: a list of class `"summary.gmm_boot"` with `coefficients` (data frame, a row a
#'   coefficient: `estimate`, `bias` (mean of the replicates minus the estimate), `se`, `lower`,
#'   `upper`), `level`, `reasons` (why replicates failed: a table), `text`. `as.data.frame()`: a row
#'   a replicate, `replicate`, the columns of `runs` and a column a coefficient. `plot()` draws a
#'   histogram of the replicates for each coefficient, with the estimate (line) and the percentile
#'   interval (dashed), and returns its argument invisibly, as does `print()`.
#' @section Errors: `gaussmix_error_argument` for coefficients that there are not, or a `level` that
#'   is not between 0 and 1.
#' @section Warnings: `gaussmix_warning_accuracy` where there are too few replicates for the level:
#'   the ends are then the smallest and the largest replicate.
#' @references Davison, A. C. and Hinkley, D. V. (1997) *Bootstrap Methods and their Application*.
#'   Cambridge University Press, section 5.2.
#' @seealso [gmm_boot()]
#' @examples
#' set.seed(1)
#' boot <- gmm_boot(gmm(faithful$waiting, k = 2), n_boot = 199)
#' summary(boot, level = 0.9)
#' confint(boot, type = "normal")
#' head(as.data.frame(boot))
#' plot(boot, "proportion.1")
#' @name confint.gmm_boot
NULL

#' @rdname confint.gmm_boot
#' @export
coef.gmm_boot <- function(object, ...) {
  check_dots_empty(...)
  check_boot(object)
  object$estimate
}

#' @rdname confint.gmm_boot
#' @export
vcov.gmm_boot <- function(object, ...) {
  check_dots_empty(...)
  check_boot(object)
  stats::cov(fitted_replicates(object))
}

#' @rdname confint.gmm_boot
#' @export
nobs.gmm_boot <- function(object, ...) {
  check_dots_empty(...)
  object$nobs
}

#' @rdname confint.gmm_boot
#' @export
confint.gmm_boot <- function(object, parm, level = 0.95, type = c("percentile", "normal"), ...) {
  check_dots_empty(...)
  check_boot(object)
  level <- check_number(level, min = 0, max = 1, ends = "()")
  type <- check_choice(type, c("percentile", "normal"))
  names <- names(object$estimate)
  chosen <- if (missing(parm)) names else check_parm(parm, names)
  m <- nrow(fitted_replicates(object))
  if (type == "percentile" && m < replicates_needed(level)) {
    gmm_warn("accuracy", sprintf("A level of %s needs %d replicates or more, not %d.",
                                 number_text(level, 6L), replicates_needed(level), m),
             "Raise `n_boot` in gmm_boot().")
  }
  boot_ends(object, level, type)[chosen, , drop = FALSE]
}

# The end of a percentile interval is the (m + 1) tail-th smallest of m replicates.
replicates_needed <- function(level) as.integer(ceiling(2 / (1 - level) - 1e-6)) - 1L

# A row a coefficient: lower and upper end. Of too few replicates the smallest and the largest.
boot_ends <- function(boot, level, type = "percentile") {
  replicates <- fitted_replicates(boot)
  tail <- (1 - level) / 2
  if (type == "percentile") {
    ends <- t(apply(replicates, 2L, stats::quantile, probs = c(tail, 1 - tail), type = 6L,
                    names = FALSE))
  } else {
    z <- stats::qnorm(tail, lower.tail = FALSE)
    ends <- t(vapply(seq_along(boot$estimate), function(i) {
      scale <- normal_scales[[boot$scale[i]]]
      spread <- stats::sd(scale$to(replicates[, i]))
      if (is.na(spread)) spread <- 0 # a single proportion of 1, or one that is 0 throughout
      scale$from(scale$to(boot$estimate[i]) + c(-z, z) * spread)
    }, numeric(2L)))
  }
  dimnames(ends) <- list(names(boot$estimate), tail_names(tail))
  ends
}

#' @rdname confint.gmm_boot
#' @export
as.data.frame.gmm_boot <- function(x, row.names = NULL, optional = FALSE, ...,
                                   stringsAsFactors = FALSE) { # nolint: object_name_linter.
  check_dots_empty(...)
  check_boot(x, "x")
  data.frame(replicate = seq_len(nrow(x$runs)), x$runs, x$replicates, row.names = row.names,
             check.names = FALSE, stringsAsFactors = stringsAsFactors)
}

#' @rdname confint.gmm_boot
#' @export
summary.gmm_boot <- function(object, level = 0.95, ...) {
  check_dots_empty(...)
  check_boot(object)
  level <- check_number(level, min = 0, max = 1, ends = "()")
  replicates <- fitted_replicates(object)
  ends <- boot_ends(object, level)
  failed <- object$runs$reason[object$runs$reason != ""]
  structure(class = "summary.gmm_boot", list(
    text = boot_text(object), level = level, few = nrow(replicates) < replicates_needed(level),
    coefficients = data.frame(estimate = object$estimate,
                              bias = colMeans(replicates) - object$estimate,
                              se = apply(replicates, 2L, stats::sd),
                              lower = ends[, 1L], upper = ends[, 2L]),
    reasons = sort(table(failed, dnn = NULL), decreasing = TRUE)
  ))
}

# ---- printing --------------------------------------------------------------------------

equal_text <- function(equal) if (equal) ", equal proportions" else ""

boot_text <- function(x) {
  d <- length(x$variables)
  runs <- x$runs
  ok <- runs$reason == ""
  kinds <- c(parametric = "Parametric", weighted = "Weighted-likelihood",
             nonparametric = "Nonparametric")
  counts <- c("failed" = sum(!ok), "not converged" = sum(!runs$converged[ok]),
              "with a spurious component" = sum(runs$spurious[ok]),
              "with components put into order" = sum(runs$reordered[ok]))
  told <- counts[counts > 0 | names(counts) == "failed"]
  c(sprintf("%s bootstrap: %s of a fit (%s, %s%s, %s)", kinds[[x$type]],
            plural(nrow(runs), "replicate"), plural(x$k, "component"),
            family_label(x$covariance, d), equal_text(x$equal), plural(d, "variable")),
    paste0("replicates: ", paste(c(sum(ok), told), c("fitted", names(told)), collapse = ", ")))
}

#' @rdname confint.gmm_boot
#' @export
format.gmm_boot <- function(x, digits = 4, ...) {
  check_boot(x, "x")
  summary_lines(summary(x), check_whole(digits, max = 15), 12L)
}

summary_lines <- function(summary, digits, most) {
  table <- summary$coefficients
  shown <- utils::head(table, most)
  rest <- nrow(table) - nrow(shown)
  c(summary$text,
    sprintf("bias and standard error (se); percentile intervals, %s %%%s",
            shown_number(100 * summary$level, 6L),
            if (summary$few) " (too few replicates: the ends are their extremes)" else ""),
    utils::capture.output(print(shown, digits = digits)),
    if (rest > 0L) sprintf("and %s: see summary()", plural(rest, "coefficient more",
                                                           "coefficients more")))
}

#' @rdname confint.gmm_boot
#' @export
print.gmm_boot <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @export
print.summary.gmm_boot <- function(x, digits = 4, ...) {
  cat(summary_lines(x, check_whole(digits, max = 15), Inf), sep = "\n")
  if (length(x$reasons)) {
    cat("\nWhy replicates failed\n")
    cat(sprintf("  %d: %s\n", as.integer(x$reasons), names(x$reasons)), sep = "")
  }
  invisible(x)
}

# ---- picture ---------------------------------------------------------------------------

#' @rdname confint.gmm_boot
#' @export
plot.gmm_boot <- function(x, parm, level = 0.95, ..., main = NULL, sub = NULL) {
  check_boot(x, "x")
  check_graphical(...names())
  level <- check_number(level, min = 0, max = 1, ends = "()")
  names <- names(x$estimate)
  replicates <- fitted_replicates(x)
  vary <- names[apply(replicates, 2L, function(v) diff(range(v)) > 0)]
  chosen <- if (missing(parm)) utils::head(vary, 9L) else check_parm(parm, names)
  ends <- boot_ends(x, level)[chosen, , drop = FALSE]
  if (is.null(main)) main <- chosen
  if (is.null(sub)) {
    sub <- sprintf("line: estimate; dashed: percentile interval, %s %%; %s",
                   number_text(100 * level, 6L), plural(nrow(replicates), "replicate"))
  }
  old <- par(panel_layout(length(chosen)))
  on.exit(par(old))
  main <- rep_len(main, length(chosen))
  for (i in seq_along(chosen)) {
    draw_replicates(replicates[, chosen[i]], x$estimate[[chosen[i]]], ends[i, ], main = main[i],
                    ...)
  }
  mtext(sub, side = 1, outer = TRUE, line = 0.3, cex = 0.8, col = "grey30")
  invisible(x)
}

# For so many panels with one line below them all.
panel_layout <- function(n) {
  list(mfrow = grDevices::n2mfrow(n), mar = c(3, 3.2, 2.5, 1), oma = c(1.5, 0, 0, 0),
       mgp = c(2, 0.6, 0))
}

# A histogram, the value observed, and limits (dashed).
draw_replicates <- function(values, observed, ends, ..., xlim = range(bins$breaks, observed),
                            ylim = c(0, 1.05 * max(bins$heights)), xlab = "", ylab = "density") {
  bins <- plot_bins(values)
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, ..., yaxs = "i")
  draw_bins(bins, "grey85")
  abline(v = ends, lty = 2)
  abline(v = observed, lwd = 2, col = component_style(1L)$col)
}
