# Fits that go on: with new rows, update(newdata = ), or with each other, gmm_combine().
#
# What a fit knows of its rows are their statistics (`stats`: the parts of engine_layout(), and
# `unit`, which weights in them are divided by), about its own means and by the posterior
# probabilities at its own parameters. Rows that are held pass through the E-step again; for those
# that are not the statistics stand, frozen: a bound of the log-likelihood that EM raises all the
# same (Neal and Hinton 1998).

#' Go on from a fit
#'
#' `update()` with `newdata` goes on from a fit with further rows; without, it fits again with the
#' arguments given changed.
#'
#' @param object A fit by [gmm()].
#' @param ... Arguments of [gmm()] to change, where there is no `newdata`; else it must be empty.
#' @param newdata Further rows, as for [predict()][predict.gaussmix]: columns go by name. Any number
#'   of them, one too; none changes nothing.
#' @param weights,labels Of the further rows, as for [gmm()]; known `labels` are names of
#'   components. For a fit by formula they are looked up in `newdata`.
#' @param forgetting What all that was there before counts, a number above 0 and at most 1: weights
#'   of earlier rows are multiplied by it, once a call. For a factor `f` a row, give
#'   `f^nrow(newdata)`.
#' @param na.action What to do about missing values in `newdata`, as for [gmm()].
#' @param control The result of [gmm_control()]: tolerance, iterations, threads, floor. `NULL`: that
#'   of the fit. One EM step is `gmm_control(max_iter = 1, tol = 0)`.
#' @param evaluate `FALSE`: return the call, unevaluated.
#'
#' @section Further rows:
#' Where the fit **holds its rows** (`gmm_control(keep = TRUE)`, the default), EM goes on from its
#' parameters over all rows, earlier and new: the result is a fit of all of them, as by `gmm(init =
#' fit)`, and every method works on it. It grows with the rows.
#'
#' Where it does not (`keep = FALSE`, a fit of a [gmm_source()]), its sufficient statistics stand
#' for the earlier rows: for each component the sums of the posterior probabilities, of the rows and
#' of their products. They stay as they were, and EM goes over the new rows until it has converged:
#' incremental EM. The time is that of the new rows alone and the memory does not grow, however long
#' the stream; a `forgetting` below 1 lets the fit follow a drift. The earlier rows' posterior
#' probabilities are those of the parameters that they were seen with, which gets better with each
#' update: fits of many small batches come near to the fit of all rows, not to its last digit. The
#' first fit should see enough rows to find the components; none is added later.
#'
#' | of the result | rows held | statistics alone |
#' |---|---|---|
#' | parameters, `predict()` of new rows, `dgmm()`, `rgmm()` | yes | yes |
#' | `nobs()` | sum of the weights, after forgetting | the same |
#' | `objective`, `trace` | as for [gmm()] | a lower bound of the log-likelihood, see below |
#' | `logLik()`, `BIC()`, `AIC()`, `deviance()` | of all rows held, by their weights | refused |
#' | `fitted()`, `vcov()`, `gmm_anomaly(rate = )` and all else that needs rows | yes | refused |
#' | `update()` without `newdata` | refused | refused |
#'
#' The bound is the log-likelihood of the rows of this update, and for each earlier row the expected
#' log-likelihood of row and component, by its posterior probabilities when it was last seen, plus
#' their entropy; at the parameters of that time it is the row's log-likelihood.
#'
#' Components keep their order and their names, noise its box.
#' @return With `newdata`, an object as by [gmm()]; `parts` counts the sets of rows that it has
#'   seen, and `call` is that of the first fit. Else the value of the changed call.
#' @section Errors: `gaussmix_error_data` for a mixture without statistics (made by [gmm_params()]
#'   or [as_gmm()], or by [gmm_vb()]), and for `update()` without `newdata` of a fit that was
#'   updated with it; `gaussmix_error_labels` for labels that are no components;
#'   `gaussmix_error_degenerate` where the fit can't go on; else those of [gmm()] and
#'   [predict()][predict.gaussmix].
#' @references Neal, R. M. and Hinton, G. E. (1998) A view of the EM algorithm that justifies
#'   incremental, sparse, and other variants. *Learning in Graphical Models*, 355-368. Kluwer.
#'
#'   Cappe, O. and Moulines, E. (2009) On-line expectation-maximization algorithm for latent data
#'   models. *Journal of the Royal Statistical Society B* 71, 593-613.
#'   \doi{10.1111/j.1467-9868.2009.00698.x}
#' @seealso [gmm_combine()] for fits of parts of the data
#' @examples
#' fit <- gmm(faithful, k = 2)
#' update(fit, k = 3)
#'
#' # rows that come one batch after the other, and are not kept
#' light <- gmm(faithful[1:100, ], k = 2, control = gmm_control(keep = FALSE))
#' light <- update(light, newdata = faithful[101:200, ])
#' light <- update(light, newdata = faithful[201:272, ])
#' light
#' round(light$means - fit$means, 2)
#'
#' # the mean of a stream drifts; what is old counts less and less
#' set.seed(1)
#' stream <- gmm(c(rnorm(200), rnorm(200, 6)), k = 2, control = gmm_control(keep = FALSE))
#' for (t in 1:20) {
#'   stream <- update(stream, newdata = c(rnorm(20), rnorm(20, 6 + t / 10)), forgetting = 0.7)
#' }
#' stream$means
#' @export
update.gaussmix <- function(object, ..., newdata, weights = NULL, labels = NULL, forgetting = 1,
                            na.action = stats::na.fail, control = NULL, evaluate = TRUE) {
  need_fit(object, "update()")
  call <- match.call()
  changes <- as.list(call)[-(1:2)]
  evaluate <- check_flag(evaluate)
  if (missing(newdata)) return(fit_again(object, changes, evaluate, parent.frame()))
  if (!evaluate) return(call)
  check_dots_empty(...)
  refuse_posterior(object, "update(newdata = )")
  forgetting <- check_number(forgetting, min = 0, max = 1, ends = "(]")
  control <- if (is.null(control)) object$control else check_control(control)
  look_up <- function(value, arg) {
    frame <- if (!is.null(object$terms) && is.data.frame(newdata)) plain_frame(newdata)
    eval_in(value, frame, parent.frame(2L), arg)
  }
  new <- further_rows(object, newdata, look_up(call$weights, "weights"),
                      look_up(call$labels, "labels"), na.action)
  if (nrow(new$x) == 0L) return(object)
  earlier <- part_of_fit(object, forgetting)
  go_on(list(earlier, new), object, object[parameter_fields], control, "update")
}

# By the call, with the changes.
fit_again <- function(object, changes, evaluate, env) {
  changes <- changes[names(changes) != "evaluate"]
  if (!is.null(object$source)) {
    gmm_abort("data", sprintf("update() needs a fit by gmm(); this one has its parameters from %s.",
                              object$source),
              "Go on from it with gmm(x, k, control = gmm_control(init = fit)).")
  }
  if (!is.null(object$parts)) {
    gmm_abort("data", sprintf("update() can't fit again: the rows came in %d parts.", object$parts),
              "Fit all rows by gmm(); or give further ones as `newdata`.")
  }
  if (length(changes) && (is.null(names(changes)) || !all(nzchar(names(changes))))) {
    gmm_abort("argument", "Arguments of update() go by name: update(fit, k = 3).")
  }
  call <- object$call
  for (name in names(changes)) call[[name]] <- changes[[name]]
  if (!evaluate) return(call)
  # found whether the package is attached or not
  call[[1L]] <- if (is_variational(object)) quote(gaussmix::gmm_vb) else quote(gaussmix::gmm)
  eval(call, env)
}

# Variational Bayes takes its weights of rows from more than the parameters.
refuse_posterior <- function(object, what) {
  if (is_variational(object)) {
    gmm_abort("data", sprintf("%s can't take a fit by gmm_vb().", what),
              "Fit by gmm(), with a `prior`.")
  }
}

# Rows as the fit's own: x, weights, labels (0 to k), na.action, given; and how often they count.
further_rows <- function(object, newdata, weights, labels, na.action) {
  new <- new_data(object, newdata, na.action)
  given <- nrow(new$x) + length(new$na.action)
  if (given == 0L) return(new)
  check_weights_kind(weights, given)
  x <- new$x
  weights <- check_weights(if (!is.null(weights)) weights[new$rows], x)
  check_finite(x, "newdata")
  check_reach(apply(abs(x), 2L, max, na.rm = TRUE), colnames(x))
  if (!is.null(labels)) {
    check_labels_kind(labels)
    if (length(labels) != given) {
      gmm_abort("labels", sprintf("`labels` must have an element for each of the %s, not %d.",
                                  plural(given, "new row"), length(labels)))
    }
    names <- rownames(object$means)
    strange <- setdiff(labels, c(names, NA))
    if (length(strange)) {
      gmm_abort("labels", sprintf("`labels` must be names of components, %s, not %s.",
                                  some(dQuote(names, FALSE)), some(dQuote(strange, FALSE))))
    }
    labels <- match(as.character(labels), names, nomatch = 0L)[new$rows]
  }
  list(x = x, weights = weights, labels = labels, na.action = new$na.action, given = given,
       parts = 1L)
}

# ---- parts -----------------------------------------------------------------------------

# Of a fit: its rows, as further_rows() gives them; or its frozen statistics. Components in the
# order given.
part_of_fit <- function(fit, forgetting = 1, order = seq_len(fit$k)) {
  parts <- if (is.null(fit$parts)) 1L else fit$parts
  part <- list(na.action = fit$na.action, parts = parts)
  if (is.null(fit$x) || is.unsorted(order)) {
    refuse_options(fit, "Going on without the rows, or in another order of components,", "fixed",
                   "Fit the joint rows by gmm(fixed = ).")
  }
  if (is.null(fit$x)) {
    refuse_options(fit, "Going on without the rows", "trim",
                   "Which rows are trimmed depends on all of them.")
    if (is.null(fit$stats)) {
      gmm_abort("data", "This fit holds neither rows nor statistics of them to go on from.",
                "Fit data with gmm().")
    }
    part$rows <- fit_rows(fit) - sum(fit$missing["empty"])
    part$dropped <- length(fit$na.action) + sum(fit$home$dropped)
    part$weighted <- is_weighted(fit) || forgetting < 1
    part$labelled <- if (!is.null(fit$labels)) nlevels(fit$labels)
    part$frozen <- freeze(scale_stats(fit$stats, forgetting), fit, order)
    return(part)
  }
  w <- fit$weights
  if (forgetting < 1) w <- forgetting * case_weights(fit)
  labels <- labels_to_c(fit$labels)
  if (!is.null(labels)) labels <- c(0L, order(order))[labels + 1L]
  c(part, list(x = fit$x, weights = w, labels = labels,
               given = nrow(fit$x) + length(fit$na.action)))
}

# EM over the rows of the parts, and what is frozen, from `start`. `like`: the fit whose family,
# columns, names and options there are. kind: what the one start is called.
go_on <- function(parts, like, start, control, kind) {
  code <- like$covariance
  k <- like$k
  frozen <- Filter(function(part) !is.null(part$frozen), parts)
  data <- join_rows(Filter(function(part) !is.null(part$x), parts), like)
  options <- fit_options(like)
  options$labels <- data$labels
  if (length(frozen) == 0L) {
    data$scale <- check_scale(data$x, data$weights, "newdata")
    out <- engine_fit(data$x, data$weights, code, k, data$scale, start, control, "update()",
                      options)
  } else {
    data$scale <- like$scale
    out <- fit_frozen(lapply(frozen, `[[`, "frozen"), data, code, start, control, options)
    if (out$best$status == 0L) data$home <- frozen_home(frozen, data, out$stats, like)
    data$x <- data$x[0L, , drop = FALSE]
    data$weights <- data$na.action <- NULL
  }
  if (is.null(out$best) || out$best$status > 0L) {
    failed <- starts_table(if (is.null(out$best)) out$starts else out$best)
    gmm_abort("degenerate", sprintf("The fit can't go on: %s.", failed$reason[1L]),
              "Give more rows at a time, or a prior to the first fit.")
  }
  out$options <- options
  out$named <- TRUE
  out$components <- rownames(like$means)
  out$best$kind <- kind
  if (length(frozen)) out$best$loglik <- NA_real_ # it is a bound
  out$starts <- starts_table(out$best)
  out$reached <- 1L
  fit <- build_fit(out, data, k, code, control, like$call)
  fit$parts <- sum(vapply(parts, `[[`, 0L, "parts"))
  warn_of_fit(fit, out$best$gain)
  fit$control <- like$control
  fit
}

# The rows of several parts as those of one set of data, like that of a fit.
join_rows <- function(parts, like) {
  each <- function(field) lapply(parts, `[[`, field)
  sizes <- vapply(each("x"), nrow, 0L)
  x <- do.call(rbind, c(list(like$means[0L, , drop = FALSE]), lapply(each("x"), unname)))
  names <- lapply(each("x"), rownames)
  rownames(x) <- if (length(parts) && !any(vapply(names, is.null, NA))) {
    make.unique(unlist(names))
  }
  fill <- function(field, none) {
    values <- each(field)
    if (all(vapply(values, is.null, NA))) return(NULL)
    unlist(Map(function(v, n) if (is.null(v)) rep(none, n) else v, values, sizes))
  }
  labels <- fill("labels", 0L)
  if (any(labels > 0L) || !is.null(like$labels)) {
    if (is.null(labels)) labels <- integer(sum(sizes))
    known <- rownames(like$means)[seq_len(max(labels, nlevels(like$labels)))]
    labels <- factor(labels, seq_along(known), known)
  } else {
    labels <- NULL
  }
  before <- cumsum(c(0L, vapply(parts, function(part) as.integer(part$given), 0L)))
  dropped <- unlist(Map(function(part, shift) part$na.action + shift, parts,
                        before[seq_along(parts)]))
  policy <- unlist(lapply(each("na.action"), oldClass))[1L]
  dropped <- if (length(dropped)) structure(dropped, class = policy)
  list(x = x, weights = fill("weights", 1), labels = labels, na.action = dropped,
       terms = like$terms, blueprint = like$blueprint)
}

# Where the rows are that only statistics stand for, see home.R.
frozen_home <- function(frozen, data, stats, like) {
  total <- function(field) sum(vapply(frozen, function(part) as.double(part[[field]]), 0))
  known <- max(0L, unlist(lapply(frozen, `[[`, "labelled")), nlevels(data$labels))
  weighted <- !is.null(data$weights) || any(vapply(frozen, `[[`, NA, "weighted"))
  new <- nrow(data$x) - sum(count_missing(data$x, data$labels)["empty"])
  weight <- stats$unit * stats$total[2L]
  mean <- stats$unit * sum(stats$nk2) / sum(stats$nk) # noise has no sum of squares of its own
  list(what = "their statistics", frozen = TRUE, rows = total("rows") + new,
       dropped = total("dropped") + length(data$na.action), weight = weight,
       weight2 = if (weighted) mean * weight,
       known = if (known) rownames(like$means)[seq_len(known)])
}

# ---- statistics ------------------------------------------------------------------------

# EM where statistics stand for some of the rows, as engine_em() gives it.
fit_frozen <- function(frozen, data, code, start, control, options) {
  unit <- weight_unit(data$weights)
  w <- if (!is.null(data$weights)) data$weights / unit
  labels <- labels_to_c(options$labels)
  engine_em(function(params) {
    stats <- lapply(frozen, function(part) part(params, unit))
    if (nrow(data$x)) {
      stats <- c(stats, list(engine_stats(data$x, w, params, labels, control$threads)))
    }
    Reduce(`+`, stats)
  }, code, start, data$scale, control, options, unit)
}

# -> function(params, unit): the statistics about the means of params, flat. Their log-likelihood is
# that of the rows at the fit's own parameters, and changes as the expected one does.
freeze <- function(stats, fit, order) {
  stats <- order_stats(stats, order)
  params <- reorder_gaussians(fit, order)
  own <- expected_loglik(stats, params)
  function(params_now, unit) {
    now <- shift_stats(stats, t(params_now$means - params$means))
    now$total[1L] <- now$total[1L] + expected_loglik(now, params_now) - own
    now <- scale_stats(now, now$unit / unit)
    now$unit <- NULL
    unlist(now, use.names = FALSE)
  }
}

# As if each weight were `by` times what it is.
scale_stats <- function(stats, by) {
  squares <- c("nk2", "lost2")
  linear <- setdiff(names(stats), c(squares, "unit"))
  stats[linear] <- lapply(stats[linear], `*`, by)
  stats[squares] <- lapply(stats[squares], `*`, by^2)
  stats
}

order_stats <- function(stats, order) {
  for (part in c("nk", "nk2")) stats[[part]] <- stats[[part]][order]
  for (part in c("sum", "lost", "lost2")) stats[[part]] <- stats[[part]][, order, drop = FALSE]
  if (ncol(stats$scatter) > 1L) stats$scatter <- stats$scatter[, order, drop = FALSE]
  stats
}

# From about the means to about the means + by (d x k).
shift_stats <- function(stats, by) {
  d <- nrow(by)
  for (j in seq_along(stats$nk)) {
    sum <- stats$sum[, j]
    step <- by[, j]
    moved <- sum - stats$nk[j] * step
    at <- if (ncol(stats$scatter) > 1L) j else 1L
    stats$scatter[, at] <- stats$scatter[, at] - if (nrow(stats$scatter) == d) {
      step * (sum + moved)
    } else {
      as.vector(tcrossprod(sum, step) + tcrossprod(step, moved))
    }
    stats$sum[, j] <- moved
  }
  stats
}

# The sum of w r_j log(proportion_j f_j(x)) by statistics about the means of params.
expected_loglik <- function(stats, params) {
  d <- nrow(stats$sum)
  k <- length(stats$nk)
  noise <- stats$total[3L]
  value <- if (noise != 0) noise * log(params$proportions[[k + 1L]]) else 0 # but for its constant
  there <- which(stats$nk != 0)
  for (j in there) {
    root <- chol(component_covariance(params, j))
    value <- value + stats$nk[j] *
      (log(params$proportions[[j]]) - d / 2 * log(2 * pi) - sum(log(diag(root))))
    at <- if (ncol(stats$scatter) > 1L) j else if (j == there[1L]) 1L else next
    value <- value - spread_over(stats$scatter[, at], chol2inv(root)) / 2
  }
  value
}

# trace(precision scatter); of the scatter the lower triangle, or the diagonal.
spread_over <- function(scatter, precision) {
  d <- nrow(precision)
  if (length(scatter) == d && d > 1L) return(sum(scatter * diag(precision)))
  scatter <- matrix(scatter, d)
  lower <- lower.tri(scatter)
  sum(diag(scatter) * diag(precision)) + 2 * sum(scatter[lower] * precision[lower])
}

# ---- fits with each other --------------------------------------------------------------

#' Combine fits of parts of the data
#'
#' Fits of the same model to disjoint sets of rows (shards, days, sites) become one.
#'
#' Components are matched first: by name where both fits know labels of rows, else so that the
#' Bhattacharyya distances of the pairs have the least sum. Then
#' * where **all fits hold their rows**, EM goes on over all rows, from what the next point says,
#'   until it has converged: the result is a fit of all rows.
#' * else the **statistics** of matched components are added, and the parameters are those of their
#'   sum: for full covariances the moments of the components, merged. Rows of the fits that do hold
#'   them go through EM meanwhile. This is exact in one sense: from the same parameters for all
#'   parts (`gmm_control(init = parameters, max_iter = 0)`) it is one EM step over all rows, to
#'   rounding, and repeating it is EM. From parts that have converged by themselves it is the best
#'   fit to what each part took its rows for, and close to the fit of all rows where the parts
#'   agree.
#'
#' Noise must be the same in all fits: with `noise = TRUE` each has the box of its own rows, so give
#' the parts the same limits. Only where all fits hold their rows, and all have the box of these,
#' does the result have the box of all rows.
#'
#' What the result has is in the table of [update.gaussmix()]. That no row is in two of the fits is
#' not checked.
#' @param fit,... Fits by [gmm()]: of one family, number of components and set of columns (which go
#'   by name), and alike in `proportions` and in having a prior or not. Names, order of components
#'   and of columns, prior and call are those of the first. A single fit is returned as it is.
#' @param control The result of [gmm_control()]; `NULL`: that of the first, with the usual `tol` and
#'   `max_iter`.
#' @return An object as by [gmm()], with `parts`, the number of sets of rows.
#' @section Errors: `gaussmix_error_argument` where the fits are of different models;
#'   `gaussmix_error_noise` where their noise differs;
#'   `gaussmix_error_data` for mixtures without statistics, as for [update.gaussmix()].
#' @seealso [update.gaussmix()] for rows that come one batch after the other
#' @references McLachlan, G. J. and Krishnan, T. (2008) *The EM Algorithm and Extensions*. Wiley,
#'   section 5.
#' @examples
#' odd <- seq(1, 272, 2)
#' one <- gmm(faithful[odd, ], k = 2)
#' other <- gmm(faithful[-odd, ], k = 2)
#' logLik(gmm_combine(one, other))
#' logLik(gmm(faithful, k = 2))
#'
#' # without the rows: by their statistics alone
#' light <- lapply(split(faithful, rep(1:4, 68)), gmm, k = 2, control = gmm_control(keep = FALSE))
#' do.call(gmm_combine, unname(light))
#' @export
gmm_combine <- function(fit, ..., control = NULL) {
  check_given(fit, "a fit by gmm()")
  fits <- list(fit, ...)
  if (!is.null(control)) control <- check_control(control)
  for (i in seq_along(fits)) {
    if (!inherits(fits[[i]], "gaussmix")) {
      gmm_abort("argument", sprintf("gmm_combine() takes fits by gmm(); number %d is %s.", i,
                                    describe(fits[[i]])))
    }
    need_fit(fits[[i]], "gmm_combine()")
    refuse_posterior(fits[[i]], "gmm_combine()")
    check_same_model(fits[[i]], fit, i)
    fits[[i]] <- in_columns(fits[[i]], colnames(fit$means))
  }
  if (length(fits) == 1L) return(fit)
  if (is.null(control)) { # steps are to be made, however many those of the fits were
    control <- fit$control
    control[c("max_iter", "tol")] <- gmm_control()[c("max_iter", "tol")]
  }
  fit$noise <- common_noise(fits)
  orders <- lapply(fits, matching_order, fit)
  parts <- Map(function(f, order) part_of_fit(f, 1, order), fits, orders)
  start <- fit[parameter_fields]
  if (any(vapply(parts, function(part) is.null(part$frozen), NA))) {
    frozen <- Map(function(f, order) freeze(f$stats, f, order), fits, orders)
    data <- join_rows(list(), fit)
    data$scale <- fit$scale
    merged <- fit_frozen(frozen, data, fit$covariance, start, control, fit_options(fit))
    if (merged$best$status == 0L) start <- merged[parameter_fields]
  }
  go_on(parts, fit, start, control, "combination")
}

check_same_model <- function(other, fit, i) {
  differs <- function(what, ...) {
    gmm_abort("argument", sprintf(
      "gmm_combine() takes fits of one model; number %d differs in %s: %s.", i, what, sprintf(...)
    ))
  }
  if (other$covariance != fit$covariance) {
    differs("the family", "%s, not %s", other$covariance, fit$covariance)
  }
  if (other$k != fit$k) differs("the number of components", "%d, not %d", other$k, fit$k)
  if (!setequal(colnames(other$means), colnames(fit$means))) {
    differs("its columns", "%s, not %s", some(backtick(colnames(other$means))),
            some(backtick(colnames(fit$means))))
  }
  options <- function(f) setdiff(names(fit_options(f)), "labels")
  if (!setequal(options(other), options(fit))) {
    named <- function(f) if (length(options(f))) some(backtick(options(f))) else "none"
    differs("its options", "%s, not %s", named(other), named(fit))
  }
}

# A fit with its columns in the order of `names`.
in_columns <- function(fit, names) {
  order <- match(names, colnames(fit$means))
  if (!is.unsorted(order)) return(fit)
  d <- length(order)
  fit$means <- fit$means[, order, drop = FALSE]
  fit$covariances <- fit$covariances[order, order, , drop = FALSE]
  if (!is.null(fit$x)) fit$x <- fit$x[, order, drop = FALSE]
  if (!is.null(fit$noise$limits)) fit$noise$limits <- fit$noise$limits[, order, drop = FALSE]
  for (part in c("sum", "lost", "lost2")) {
    fit$stats[[part]] <- fit$stats[[part]][order, , drop = FALSE]
  }
  scatter <- fit$stats$scatter
  fit$stats$scatter <- if (nrow(scatter) == d) {
    scatter[order, , drop = FALSE]
  } else {
    apply(scatter, 2L, function(lower) {
      full <- matrix(lower, d)
      full[upper.tri(full)] <- t(full)[upper.tri(full)]
      full[order, order]
    })
  }
  fit
}

# The noise of all rows: one box for all parts, or that of all rows held where each part has that of
# its own rows (noise = TRUE).
common_noise <- function(fits) {
  noise <- lapply(fits, `[[`, "noise")
  same <- vapply(noise, function(one) isTRUE(all.equal(one, noise[[1L]], tolerance = 1e-12)), NA)
  if (all(same)) return(noise[[1L]])
  own <- vapply(fits, function(f) {
    !is.null(f$x) && !is.null(f$noise$limits) &&
      identical(unname(f$noise$limits), unname(data_box(f)))
  }, NA)
  if (!all(own)) {
    gmm_abort("noise", sprintf(paste(
      "gmm_combine() takes fits of one noise; that of number %d differs from the first's, and not",
      "all fits hold their rows and have the box of these (noise = TRUE)."), which(!same)[1L]),
      "Fit all parts with the same limits: gmm(noise = limits).")
  }
  limits <- lapply(noise, `[[`, "limits")
  box_noise(rbind(do.call(pmin, lapply(limits, function(l) l[1L, ])),
                  do.call(pmax, lapply(limits, function(l) l[2L, ]))),
            colnames(fits[[1L]]$means), "The box of all rows")
}

# The order of the components of `other` in which they are those of `fit`.
matching_order <- function(other, fit) {
  names <- rownames(fit$means)
  if (!is.null(other$labels) && !is.null(fit$labels) && setequal(rownames(other$means), names)) {
    return(match(names, rownames(other$means)))
  }
  distance <- function(i, j) {
    cov <- lapply(list(component_covariance(fit, i), component_covariance(other, j)), unname)
    root <- chol((cov[[1L]] + cov[[2L]]) / 2)
    logdet <- function(root) 2 * sum(log(diag(root)))
    apart <- backsolve(root, fit$means[i, ] - other$means[j, ], transpose = TRUE)
    sum(apart^2) / 8 + (logdet(root) - (logdet(chol(cov[[1L]])) + logdet(chol(cov[[2L]]))) / 2) / 2
  }
  all <- seq_len(fit$k)
  least_cost_assignment(outer(all, all, Vectorize(distance)))
}

# For validate_gmm().
is_stats <- function(stats, k, d) {
  numbers <- function(part, n) {
    is.double(stats[[part]]) && length(stats[[part]]) == n && all(is.finite(stats[[part]]))
  }
  is.list(stats) && numbers("nk", k) && numbers("nk2", k) && numbers("sum", k * d) &&
    numbers("lost", k * d) && numbers("lost2", k * d) && is.matrix(stats$scatter) &&
    nrow(stats$scatter) %in% c(d, d^2) && ncol(stats$scatter) %in% c(1L, k) &&
    is_finite_number(stats$unit) && is.double(stats$total)
}
