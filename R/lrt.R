#' How many components: bootstrap likelihood-ratio tests
#'
#' Tests k against k + 1 components of one family, for increasing k, and stops at the first k that
#' is not rejected.
#'
#' @details The statistic is twice the difference of the log-likelihoods. It has no chi-squared
#' distribution, since k components are k + 1 of which one is empty, or two are the same, where the
#' theory of that does not hold. So its distribution under k components is simulated: `n_boot` data
#' sets are drawn from the fit of k components, and k and k + 1 components are fitted to each. With
#' B of them fitted, of which b have a statistic at least as large as that of the data, p is (b + 1)
#' / (B + 1).
#'
#' The data and the replicates are searched in the same way, that of `control`: with less effort for
#' the replicates their statistics would be too small, and too many components found. The fit of k
#' components to a replicate is started also from the parameters that it was drawn from. Where the
#' search of k + 1 comes to less than k components have, or to nothing sound, it is started also
#' from the fit of k with each component split in two; and as k + 1 contain k (equal proportions
#' apart), the statistic is never below 0.
#'
#' A solution with a *spurious* component (see [gmm_control()]) is no evidence of k + 1 groups:
#' where there is no other, the statistic is 0. A replicate to which k components can't be fitted
#' without one counts as failed. Both are counted.
#'
#' Each test is at the `level` given, so that too many components are found in about that share of
#' all data sets, where the model holds; where groups are not normal, more components than groups
#' are needed for their shape, and the test will find them. Simulated data are independent rows
#' without weights, as many as `nobs`. Where values are missing (`na.pass`), the samples miss the
#' same ones, as if they were missing completely at random.
#'
#' @inheritParams gmm
#' @param x The data, as for [gmm()]; or a fit by [gmm()] or the result of [gmm_select()], of which
#'   data and family are taken.
#' @param k Numbers of components to test against one more, whole numbers of at least 1, taken in
#'   increasing order. By default 1 to 9; of a fit, its own; of a choice among models all but the
#'   largest tried.
#' @param covariance Family of the covariances, a name or code of [gmm_families()]; of a choice
#'   among models, by default that of the best.
#' @param n_boot Number of replicates for each test, a whole number of at least 1 / `level` - 1.
#' @param level A p above it ends the tests: a number between 0 and 1.
#' @param cl Where to compute, as for [gmm_boot()].
#' @param control The result of [gmm_control()], for each fit; `NULL` is
#'   `gmm_control(n_init = 3, tol = 3e-4 / nobs)`, where that is above the usual `tol`. A start that
#'   is given (`init`) can only be a `function(x, k)`.
#' @return A list of class `"gmm_lrt"` with
#'   \item{table}{data frame, a row a test: `k`, `loglik` of k components, `loglik_more` of k + 1,
#'     `statistic`, `p`, `fitted` (number of replicates), `failed`, `unsound` (replicates without a
#'     sound solution of k + 1), `reason` (why there was no test, else `""`)}
#'   \item{chosen}{the first k that is not rejected; one more than the last where all are;
#'     `NA` where the tests ended for another `reason`}
#'   \item{replicates}{list, for each test the statistics of the replicates}
#'   \item{covariance, equal, level, n_boot, nobs, call}{what was done}
#'   and what `print()` says of the data. `as.data.frame()` gives the table. `plot()` draws for each
#'   test (of many, the last nine) a histogram of the replicates and a line at the statistic of the
#'   data. `summary()`: a list of class `"summary.gmm_lrt"` with `tests` (data frame, a row a test:
#'   `k`, `against`, `statistic`, the `median` of the replicates, the `critical` statistic, above
#'   which p is at most the level, `p` and `p_se`, the standard error that p has from the number of
#'   replicates), `replicates` (their numbers) and `answer`, in words.
#' @section Errors: As for [gmm()]; `gaussmix_error_argument` for a fit or choice with a prior,
#'   labels, noise, `fixed` or `trim`; `gaussmix_error_start` where `init` gives a start for one
#'   `k`; `gaussmix_error_data` where the object holds no rows; `gaussmix_error_degenerate` where
#'   already the first fit has a spurious component.
#' @references McLachlan, G. J. (1987) On bootstrapping the likelihood ratio test statistic for the
#'   number of components in a normal mixture. *Applied Statistics* 36, 318-324.
#'   \doi{10.2307/2347790}
#'
#'   McLachlan, G. J. and Peel, D. (2000) *Finite Mixture Models*. Wiley, section 6.4.
#' @seealso [gmm_select()] for criteria; [gmm_boot()]
#' @examples
#' set.seed(1)
#' tests <- gmm_lrt(faithful$waiting, n_boot = 39)
#' tests
#' as.data.frame(tests)
#' plot(tests)
#'
#' # a fit: its number of components against one more
#' gmm_lrt(gmm(faithful$waiting, k = 2), n_boot = 19)
#' @export
gmm_lrt <- function(x, ...) {
  if (missing(x)) refuse_no_data(...names())
  UseMethod("gmm_lrt")
}

#' @rdname gmm_lrt
#' @export
gmm_lrt.default <- function(x, k = 1:9, covariance = "full", ..., n_boot = 199, level = 0.05,
                            cl = NULL, weights = NULL, proportions = c("free", "equal"),
                            na.action = na.fail, control = NULL) {
  check_dots_empty(...)
  data <- as_gmm_data(x, weights = weights, na.action = na.action)
  lrt_bridge(data, k, covariance, n_boot, level, cl, control, match.call(),
             resolve_options(list(proportions = proportions), data, 1L))
}

#' @rdname gmm_lrt
#' @export
gmm_lrt.data.frame <- gmm_lrt.default

#' @rdname gmm_lrt
#' @export
gmm_lrt.formula <- function(x, data = NULL, k = 1:9, covariance = "full", ..., n_boot = 199,
                            level = 0.05, cl = NULL, weights = NULL, subset = NULL,
                            proportions = c("free", "equal"), na.action = na.fail,
                            control = NULL) {
  check_dots_empty(...)
  call <- match.call()
  data <- as_gmm_data(x, data = data, weights = call$weights, subset = call$subset,
                      na.action = na.action, env = parent.frame())
  lrt_bridge(data, k, covariance, n_boot, level, cl, control, call,
             resolve_options(list(proportions = proportions), data, 1L))
}

#' @rdname gmm_lrt
#' @export
gmm_lrt.gaussmix <- function(x, k = x$k, ..., n_boot = 199, level = 0.05, cl = NULL,
                             control = NULL) {
  check_dots_empty(...)
  need_rows(x, "gmm_lrt()")
  refuse_variational(x, "gmm_lrt()")
  refuse_untestable(x)
  lrt_bridge(stored_data(x), k, x$covariance, n_boot, level, cl, control, match.call(),
             fit_options(x), searching(x$control), fit = x)
}

#' @rdname gmm_lrt
#' @export
gmm_lrt.gmm_select <- function(x, k = NULL, covariance = NULL, ..., n_boot = 199, level = 0.05,
                               cl = NULL, control = NULL) {
  check_dots_empty(...)
  check_select(x)
  refuse_untestable(x)
  if (is.null(x$data$x)) {
    gmm_abort("data", "gmm_lrt() needs the rows, and this object holds none.",
              "Choose with gmm_control(keep = TRUE).")
  }
  if (is.null(covariance)) covariance <- x$table$covariance[x$chosen]
  tried <- sort(unique(x$table$k))
  if (is.null(k)) k <- if (length(tried) > 1L) tried[-length(tried)] else tried
  lrt_bridge(stored_data(x$data), k, covariance, n_boot, level, cl, control, match.call(),
             fit_options(x), searching(x$control))
}

# A fit or a choice with options for which there is no test.
refuse_untestable <- function(object) {
  refuse_options(object, "gmm_lrt()", c(
    labels = "which rows of a sample of the mixture would be labelled is not known",
    fixed = "what is fixed is said of its own number of components, and not of one more",
    noise = "one more component may stand for a part of the noise, and not for a group",
    prior = "the statistic is one of likelihoods at their maxima"
  ), "BIC() compares fits of different numbers of components.")
  refuse_trimmed(object, "gmm_lrt()", "gmm_select(trim =) compares numbers of components.")
}

# Of a fit, or of the data of a choice: what as_gmm_data() gave.
stored_data <- function(object) {
  data <- unclass(object)[c("x", "weights", "na.action", "terms", "scale", "blueprint")]
  c(data, list(rows = NULL, given = nrow(object$x)))
}

# The control of other fits, which start anew.
searching <- function(control) {
  if (!is_string(control$init) || control$init == "function") control$init <- "auto"
  control
}

# From clean data to the object. `usual`: the control where none is given, but for its effort.
# `fit`: one of the same family, whose parameters are a start.
lrt_bridge <- function(data, k, covariance, n_boot, level, cl, control, call,
                       options = list(), usual = gmm_control(), fit = NULL) {
  call[[1L]] <- quote(gmm_lrt)
  k <- check_wholes(k)
  check_single(covariance, "the name or code of a family")
  code <- resolve_covariance(covariance, ncol(data$x))
  n_boot <- check_whole(n_boot)
  level <- check_number(level, min = 0, max = 1, ends = "()")
  needed <- as.integer(ceiling(1 / level - 1e-9)) - 1L
  if (n_boot < needed) {
    gmm_abort("argument", sprintf("`n_boot` must be at least %d for a level of %s, not %d.", needed,
                                  number_text(level), n_boot),
              "p is never below 1 / (n_boot + 1).")
  }
  cl <- check_cluster(cl)
  control <- if (is.null(control)) lrt_control(usual, data) else check_control(control)
  check_start_serves(control$init, c(k, max(k) + 1L))
  known <- list() # parameters by number of components
  if (!is.null(fit)) known[[fit$k]] <- bare_parameters(fit, "x")
  tests <- list()
  for (one in k) {
    start <- if (one <= length(known)) known[[one]]
    test <- lrt_test(data, one, code, n_boot, cl, control, start, options)
    tests <- c(tests, list(test))
    known[[one + 1L]] <- test$more
    if (is.na(test$p) || test$p > level) break
  }
  refuse_no_null(tests[[1L]])
  rows <- lapply(tests, function(test) list2DF(test[lrt_columns]))
  structure(class = "gmm_lrt", list(
    table = do.call(rbind, rows), chosen = chosen_k(test, level),
    replicates = stats::setNames(lapply(tests, `[[`, "replicates"), vapply(tests, `[[`, 0L, "k")),
    covariance = code, equal = isTRUE(options$equal), level = level, n_boot = n_boot,
    nobs = tests[[1L]]$nobs, rows = nrow(data$x), variables = colnames(data$x),
    weighted = !is.null(data$weights), dropped = length(data$na.action),
    missing = count_missing(data$x), call = call
  ))
}

# The search has many local maxima of k + 1 components to choose among: as many short runs and
# proposals as ever, but fewer converged, and no further than the statistic needs.
lrt_control <- function(control, data) {
  nobs <- if (is.null(data$weights)) nrow(data$x) else sum(data$weights)
  control$n_init <- 3L
  control$tol <- max(control$tol, 3e-4 / nobs)
  control
}

lrt_columns <- c("k", "loglik", "loglik_more", "statistic", "p", "fitted", "failed", "unsound",
                 "reason")

chosen_k <- function(last, level) {
  if (is.na(last$p)) return(NA_integer_)
  if (last$p > level) last$k else last$k + 1L
}

# The first of the tests has nothing to simulate from.
refuse_no_null <- function(test) {
  if (test$reason == "") return(invisible())
  if (is_error(test$error)) stop(test$error)
  gmm_abort("degenerate", sprintf("There is no test of %s: %s.", plural(test$k, "component"),
                                  test$reason), "Try a smaller `k`, or a narrower `covariance`.")
}

# k against k + 1 on one data set, with replicates.
lrt_test <- function(data, k, code, n_boot, cl, control, start, options) {
  pair <- fit_pair(data, k, code, control, start, options)
  test <- list(k = k, loglik = NA_real_, loglik_more = NA_real_, statistic = NA_real_, p = NA_real_,
               fitted = 0L, failed = 0L, unsound = 0L, reason = "", replicates = numeric())
  if (!is_sound(pair$null)) {
    test$error <- pair$null
    test$reason <- if (is_error(pair$null)) first_line(conditionMessage(pair$null))
                   else "its fit has a spurious component (too few rows)"
    return(test)
  }
  nobs <- pair$null$nobs
  params <- c(pair$null[parameter_fields], covariance = code)
  title <- sprintf("gmm_lrt(): %d against %s", k, plural(k + 1L, "component"))
  title <- if (control$verbose) title
  control$verbose <- FALSE
  runs <- run_replicates(draw_seeds(n_boot), function(threads) {
    control$threads <- threads
    fresh <- simulated_data(data, params, rows_to_draw(nobs), threads)
    again <- fit_pair(fresh, k, code, control, params[parameter_fields], options)
    c(statistic = again$statistic, unsound = !is_sound(again$more))
  }, cl, control$threads, title)
  runs <- do.call(rbind, runs)
  ok <- !is.na(runs[, "statistic"])
  test$loglik <- pair$null$best$loglik
  test$loglik_more <- if (is_sound(pair$more)) pair$more$best$loglik else NA_real_
  test$statistic <- pair$statistic
  test$replicates <- runs[ok, "statistic"]
  test$fitted <- sum(ok)
  test$failed <- sum(!ok)
  test$unsound <- as.integer(sum(runs[ok, "unsound"]))
  test$p <- (sum(test$replicates >= pair$statistic) + 1) / (test$fitted + 1)
  test$nobs <- nobs
  if (is_sound(pair$more)) test$more <- pair$more[parameter_fields]
  test
}

# The best solutions of k and of k + 1 components, as fit_model() gives them or its error, and the
# statistic, NA where there is no sound solution of k. `start`: parameters of k components.
fit_pair <- function(data, k, code, control, start = NULL, options = list()) {
  attempt <- function(k, init) {
    control$init <- init
    tryCatch(fit_model(data, k, code, control, options = options), gaussmix_error = identity)
  }
  null <- attempt(k, control$init)
  if (!is.null(start)) null <- best_solution(list(null, attempt(k, start)))
  if (!is_sound(null)) return(list(null = null, statistic = NA_real_))
  floor <- null$best$loglik
  more <- attempt(k + 1L, control$init)
  if (!is_sound(more) || more$best$loglik < floor) {
    splits <- lapply(seq_len(k), function(j) attempt(k + 1L, split_component(null, j)))
    more <- best_solution(c(list(more), splits))
  }
  list(null = null, more = more,
       statistic = if (is_sound(more)) max(0, 2 * (more$best$loglik - floor)) else 0)
}

is_sound <- function(model) !is.null(model) && !is_error(model) && !any(model$verdict$spurious)

# Of solutions and errors: the solution with the fewest spurious components, then that of the
# highest objective; the first error where there is no solution.
best_solution <- function(models) {
  found <- Filter(Negate(is_error), models)
  if (length(found) == 0L) return(models[[1L]])
  spurious <- vapply(found, function(model) sum(model$verdict$spurious), 0L)
  objective <- vapply(found, function(model) model$best$objective, 0)
  found[[order(spurious, -objective)[1L]]]
}

# Component j of a mixture in two halves, apart along its longest axis: with the covariance of the
# whole, so that what components share stays shared.
split_component <- function(params, j) {
  k <- nrow(params$means)
  own <- eigen(component_covariance(params, j), symmetric = TRUE)
  apart <- 0.5 * sqrt(own$values[1L]) * own$vectors[, 1L]
  at <- c(seq_len(k), j)
  means <- params$means[at, , drop = FALSE]
  means[j, ] <- means[j, ] - apart
  means[k + 1L, ] <- means[k + 1L, ] + apart
  proportions <- params$proportions[at]
  proportions[c(j, k + 1L)] <- params$proportions[j] / 2
  list(proportions = unname(proportions), means = unname(means),
       covariances = unname(params$covariances[, , at, drop = FALSE]))
}

check_lrt <- function(lrt, arg = "x") {
  about <- list(class = "object", prefix = paste0(arg, "$"))
  check <- function(field, ok, expected) {
    if (!isTRUE(ok(lrt[[field]]))) refuse(about, field, expected, describe(lrt[[field]]))
  }
  check("table", function(v) is.data.frame(v) && nrow(v) > 0L && all(lrt_columns %in% names(v)),
        paste("a data frame with the columns", some(lrt_columns, Inf)))
  check("replicates", function(v) is.list(v) && length(v) == nrow(lrt$table),
        "a list with an element for each test")
}

# ---- printing --------------------------------------------------------------------------

#' @rdname gmm_lrt
#' @param digits Number of significant digits.
#' @export
format.gmm_lrt <- function(x, digits = 4, ...) {
  check_lrt(x)
  digits <- check_whole(digits, max = 15)
  d <- length(x$variables)
  table <- x$table
  shown <- data.frame(k = table$k, against = table$k + 1L, statistic = table$statistic, p = table$p)
  counts <- c("failed" = sum(table$failed),
              "without a sound solution of k + 1 (statistic 0)" = sum(table$unsound))
  counts <- counts[counts > 0]
  c(sprintf("Bootstrap likelihood-ratio tests: k against k + 1 components, %s%s",
            family_label(x$covariance, d), equal_text(x$equal)),
    data_text(x$rows, d, if (x$weighted) shown_number(x$nobs, digits + 3L), x$dropped),
    missing_text(x$missing),
    sprintf("%s a test, level %s", plural(x$n_boot, "replicate"), shown_number(x$level)),
    utils::capture.output(print(shown, digits = digits, row.names = FALSE)),
    if (length(counts)) paste0("replicates ", paste0(names(counts), ": ", counts, collapse = "; ")),
    lrt_answer(x))
}

lrt_answer <- function(x) {
  last <- x$table[nrow(x$table), ]
  if (is.na(x$chosen)) return(sprintf("ended at k = %d: %s", last$k, last$reason))
  if (x$chosen > last$k) {
    return(sprintf("at least %s: no test up to k = %d ends above the level",
                   plural(x$chosen, "component"), last$k))
  }
  sprintf("%s: the first k that is not rejected", plural(x$chosen, "component"))
}

#' @rdname gmm_lrt
#' @export
print.gmm_lrt <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname gmm_lrt
#' @param object The result of `gmm_lrt()`.
#' @export
summary.gmm_lrt <- function(object, ...) {
  check_dots_empty(...)
  check_lrt(object)
  table <- object$table
  of_replicates <- function(f) {
    vapply(object$replicates, function(r) if (length(r)) f(r) else NA_real_, 0)
  }
  structure(class = "summary.gmm_lrt", list(
    text = utils::head(format(object), if (is.null(object$missing)) 3L else 4L),
    tests = data.frame(
      k = table$k, against = table$k + 1L, statistic = table$statistic,
      median = of_replicates(stats::median),
      critical = of_replicates(function(r) replicate_quantile(r, object$level)),
      p = table$p, p_se = sqrt(table$p * (1 - table$p) / (table$fitted + 1))
    ),
    replicates = table[c("k", "fitted", "failed", "unsound")], answer = lrt_answer(object),
    level = object$level
  ))
}

# The statistic above which p would be at most the level.
replicate_quantile <- function(replicates, level) {
  above <- floor(level * (length(replicates) + 1) + 1e-9)
  if (above < 1) Inf else sort(replicates, decreasing = TRUE)[above]
}

#' @export
print.summary.gmm_lrt <- function(x, digits = 4, ...) {
  digits <- check_whole(digits, max = 15)
  cat(x$text, sep = "\n")
  cat("\nStatistic of the data; median of the replicates, and what is critical at the level\n")
  print(x$tests, digits = digits, row.names = FALSE)
  if (any(x$replicates[c("failed", "unsound")] > 0)) {
    cat("\nReplicates\n")
    print(x$replicates, row.names = FALSE)
  }
  cat("\n", x$answer, "\n", sep = "")
  invisible(x)
}

#' @rdname gmm_lrt
#' @param row.names,optional,stringsAsFactors As in [as.data.frame()].
#' @export
as.data.frame.gmm_lrt <- function(x, row.names = NULL, optional = FALSE, ...,
                                  stringsAsFactors = FALSE) { # nolint: object_name_linter.
  check_dots_empty(...)
  check_lrt(x)
  as.data.frame(as.list(x$table), row.names = row.names, optional = optional,
                stringsAsFactors = stringsAsFactors)
}

# ---- picture ---------------------------------------------------------------------------

#' @rdname gmm_lrt
#' @param main,sub Titles of the panels, and the line below the picture; `""` for none.
#' @export
plot.gmm_lrt <- function(x, ..., main = NULL, sub = NULL) {
  check_lrt(x)
  check_graphical(...names())
  shown <- utils::tail(which(x$table$reason == ""), 9L)
  table <- x$table[shown, ]
  if (is.null(main)) {
    main <- sprintf("%d against %d: p = %s", table$k, table$k + 1L, number_text(table$p, 2L))
  }
  if (is.null(sub)) {
    sub <- sprintf("bars: %s under k components; line: the data, %s",
                   plural(x$n_boot, "replicate"), family_label(x$covariance, length(x$variables)))
  }
  old <- par(panel_layout(length(shown)))
  on.exit(par(old))
  main <- rep_len(main, length(shown))
  for (i in seq_along(shown)) {
    draw_replicates(x$replicates[[shown[i]]], table$statistic[i], numeric(), main = main[i],
                    xlab = "likelihood-ratio statistic", ...)
  }
  mtext(sub, side = 1, outer = TRUE, line = 0.3, cex = 0.8, col = "grey30")
  invisible(x)
}
