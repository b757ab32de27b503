#' Anomalies: rows of low density
#'
#' Flags the rows at which the mixture's density is lowest. The threshold is taken from the rows
#' that were fitted, so that a stated share of them is flagged; new rows are judged by the same
#' threshold. Or it is the one with a stated rate of false alarms. On request each row has a
#' p-value, by itself and adjusted for the number of rows judged.
#'
#' With `rate`, the threshold is the smallest log-density of a training row at or below which lies
#' more than `rate` of the training rows' weight. A row is flagged where its log-density is strictly
#' below the threshold: rows that tie with it are not, and the weight flagged in training is at most
#' `rate`. So the number flagged says nothing about how many rows *are* odd: at `rate = 0.04` it is
#' 4 % of clean data too. Look at the scores (`plot(odd, what = "scores")`) before you choose the
#' rate.
#'
#' *Novelty detection*: fit rows that are known to be in order, then judge others by `newdata`. Of
#' new rows that are in order too, about `rate` are flagged (somewhat more where the fit has many
#' parameters for its rows).
#'
#' *Cleaning*: odd rows distort the fit that is to find them. Fit, drop the most extreme rows, fit
#' again, and judge all rows by the clean fit (see the examples; each for another kind of data):
#' ```
#' update(fit, x = x[which(!odd$flag), ])                   # a matrix or data frame
#' update(fit, data = data[which(!odd$flag), ])             # a formula
#' update(fit, weights = as.numeric(odd$flag %in% FALSE))   # any: the rows stay, with weight 0
#' ```
#' Each round also cuts off rows that are merely far out, and makes the covariances somewhat too
#' small: drop few rows, once or twice. For a fit with `subset`, name the rows:
#' `data[names(which(!odd$flag)), ]`. `gmm(trim =)` does the whole walk in one fit, from many
#' starts; its trimmed rows count in the threshold as all others do. Trimming takes the tails of
#' clean rows too: covariances come out small, and p-values with them (of normal data after
#' `trim = 0.1`, about a tenth of the rows has p-values up to 0.05).
#'
#' @section P-values:
#' The p-value of a row is the probability that the density at a draw is no higher than at the row.
#' Of rows in order a share p has a p-value of at most p; `false_alarm` flags those with at most
#' that. What a row in order is may be said by
#' * *the mixture*: `P(f(X) <= f(x))` for X drawn from it. Exact for one component (the chi-squared
#'   distribution of the Mahalanobis distance) and for one variable; else by simulation, (1 + the
#'   number of draws no denser) / (`draws` + 1). The parameters are taken to be true: where they are
#'   many for the rows fitted, new rows are less dense than the mixture expects, and their p-values
#'   too small; those of the training rows are too large.
#' * *rows held out* from the fit and known to be in order, `calibration`: (1 + the number of those
#'   no denser) / (their number + 1), split conformal inference. As long as a new row in order comes
#'   from the same source as those held out, its p-value is at most p with a probability of at most
#'   p (over what is held out, too), whether the mixture is true or not. They count one each.
#'
#' Of many rows in order some have small p-values. `adjusted` are the p-values after [p.adjust()]
#' over all rows judged: with `"BH"`, of the rows with at most 0.05 about 5 % are expected to be
#' false alarms (proven for p-values that are independent, and for conformal ones by Bates et al.,
#' 2023), with `"holm"` there is any with a probability of at most 5 %. No simulated or conformal
#' p-value is below 1 / (number + 1), its resolution. A warning says where that keeps rows from an
#' adjusted p-value of at most `false_alarm` (0.05 where there is none), and what would do.
#'
#' @section Missing values:
#' After `gmm(na.action = na.pass)` rows with missing values are judged by what is there. Densities
#' of different variables have different units, and so the log-density of the observed ones is
#' lowered by `log(scale) + log(2 pi e) / 2` for each that is missing: the mean log-density of a
#' normal variable with the column's scale. The score then is that number. A row that is wholly
#' missing is never an anomaly (NA). With p-values such rows are not judged: the reference is of
#' complete rows. Such a fit must hold its rows.
#'
#' @section Truth:
#' With `truth`, rows count one each, whatever their weights. Precision is the share of true
#' anomalies among the rows flagged, recall the share flagged among the true anomalies, F1 their
#' harmonic mean, and the false-alarm rate the share flagged among the other rows; a share of
#' nothing is NA. Rows whose truth or score is NA are left out. The average precision is the sum
#' over the thresholds of precision times the step in recall.
#'
#' @param fit A fit by [gmm()], also with `keep = FALSE`; or, where `threshold` or `false_alarm` is
#'   given, a mixture by [gmm_params()].
#' @param newdata Rows to judge, as for [predict()][predict.gaussmix]; those with missing values are
#'   not judged (NA), unless the fit was to such rows, see below. Left out: the training rows.
#' @param rate The share of the training rows' weight to flag at most, at least 0 and below 1.
#' @param ... Must be empty.
#' @param threshold A log-density to use in place of the one that follows from `rate`.
#' @param false_alarm A rate above 0 and below 1, in place of `rate` and `threshold`: that at which
#'   rows in order are flagged. A row is flagged where its p-value is at most that.
#' @param truth What the rows judged are known to be: a value a row, `TRUE` or 1 for an anomaly,
#'   `FALSE` or 0 for another row; or a factor whose second level (of two) means an anomaly.
#' @param pvalue `TRUE`: give p-values. They are also given with `false_alarm` or `calibration`.
#' @param calibration Rows like `newdata` that were held out from the fit and are in order: p-values
#'   are conformal. Rows that are all among those fitted are refused. `NULL`: by the mixture itself.
#' @param adjust How p-values are adjusted for their number, one of [p.adjust.methods].
#' @param draws The number of draws, where p-values are simulated.
#'
#' @return An object of class `"gmm_anomaly"`, a list with
#'   \item{flag}{logical, an element a row judged, with the rows' names; NA where the row has a
#'     missing value, or was left out of the fit by `na.omit` or `na.exclude`}
#'   \item{score}{the rows' log-densities; `-Inf`, hence flagged, for a row with an infinite value}
#'   \item{threshold, rate}{the log-density, and the rate (`NULL` where it did not come from one)}
#'   \item{false_alarm}{the false-alarm rate, where given}
#'   \item{n}{named counts of rows: `judged`, `flagged`, `tied` (with the threshold), `missing`,
#'     `infinite`}
#'   \item{share}{the share of the weight (new rows: of the rows) that is flagged}
#'   \item{pvalue, adjusted}{where asked for, of each row; NA where the score is}
#'   \item{calibration}{then also a list: `method` (`"exact"`, `"simulation"` or `"conformal"`), `n`
#'     (number of draws or of rows held out, 0 for exact), `resolution` (the smallest p-value that
#'     there can be), `adjust`, and `level`, to which the adjusted ones are compared}
#'   \item{truth}{logical; this and what follows only with `truth`}
#'   \item{confusion}{table of truth by flag}
#'   \item{performance}{named: `precision`, `recall`, `F1`, `false_alarm`, `average_precision`}
#'   \item{curve}{data frame, a row a threshold that makes a difference, in increasing order from
#'     none flagged to all: `threshold`, `flagged`, `hits` (true anomalies among them), `precision`,
#'     `recall`, `F1`, `false_alarm`. Rows with equal scores are flagged together}
#'   and, for its methods, `fit` and `x` (the new rows).
#' @section Errors:
#' `gaussmix_error_argument` for a rate, threshold or truth that is not what it must be, a
#' `false_alarm` below the resolution, or a `calibration` without `newdata` or by the rows fitted;
#' `gaussmix_error_missing` where rows of `calibration` have missing values; `gaussmix_error_data`
#' for a mixture without training rows where they are needed;
#' `gaussmix_error_names`, `_dimension`, `_type` as in [predict()][predict.gaussmix].
#' @section Warnings: `gaussmix_warning_resolution`, see above.
#' @seealso [gmm_hdr()] for the region itself; [plot.gmm_anomaly()]
#' @references Chandola, V., Banerjee, A. and Kumar, V. (2009) Anomaly detection: a survey. *ACM
#'   Computing Surveys* 41(3), 15. \doi{10.1145/1541880.1541882}
#'
#'   Davis, J. and Goadrich, M. (2006) The relationship between precision-recall and ROC curves.
#'   *ICML '06*, 233-240. \doi{10.1145/1143844.1143874}
#'
#'   Davison, A. C. and Hinkley, D. V. (1997) *Bootstrap Methods and their Application*. Cambridge
#'   University Press, section 4.2 (simulated p-values).
#'
#'   Vovk, V., Gammerman, A. and Shafer, G. (2005) *Algorithmic Learning in a Random World*.
#'   Springer, chapter 2 (conformal p-values).
#'
#'   Bates, S., Candes, E., Lei, L., Romano, Y. and Sesia, M. (2023) Testing for outliers with
#'   conformal p-values. *Annals of Statistics* 51, 149-178. \doi{10.1214/22-AOS2244}
#'
#'   Benjamini, Y. and Hochberg, Y. (1995) Controlling the false discovery rate: a practical and
#'   powerful approach to multiple testing. *Journal of the Royal Statistical Society B* 57,
#'   289-300. \doi{10.1111/j.2517-6161.1995.tb02031.x}
#' @examples
#' fit <- gmm(faithful, k = 2)
#' odd <- gmm_anomaly(fit)
#' odd
#' plot(odd)
#' head(as.data.frame(odd))
#'
#' # Drop them, fit again, and judge all rows by the clean fit.
#' clean <- update(fit, x = faithful[which(!odd$flag), ])
#' gmm_anomaly(clean, faithful)
#'
#' # Novelty: setosa flowers are fitted; are others told from them?
#' setosa <- iris$Species == "setosa"
#' flowers <- gmm(iris[setosa, 1:4], k = 1)
#' new <- gmm_anomaly(flowers, iris[1:4], truth = !setosa)
#' new
#' plot(new, what = "curve")
#'
#' # P-values of the others: one flower in 100 that is in order is a false alarm.
#' tested <- gmm_anomaly(flowers, iris[51:150, 1:4], false_alarm = 0.01)
#' tested
#' plot(tested, what = "pvalues")
#' @export
gmm_anomaly <- function(fit, newdata, rate = 0.04, ..., threshold = NULL, false_alarm = NULL,
                        truth = NULL, pvalue = FALSE, calibration = NULL, adjust = "BH",
                        draws = 99999) {
  check_dots_empty(...)
  validate_gmm(fit)
  if (!is.null(fit$noise)) {
    if (is_fit(fit)) need_rows(fit, "gmm_anomaly() of a fit with noise")
    fit <- gaussian_part(fit) # what is noise is what is looked for
  }
  ways <- c(rate = !missing(rate), threshold = !is.null(threshold),
            false_alarm = !is.null(false_alarm))
  if (sum(ways) > 1L) {
    gmm_abort("argument", sprintf("Give only one of %s.", some(backtick(names(which(ways))))))
  }
  wanted <- check_flag(pvalue) || ways[["false_alarm"]] || !is.null(calibration)
  adjust <- check_choice(adjust, stats::p.adjust.methods)
  draws <- check_whole(draws)
  if (!is.null(calibration) && missing(newdata)) {
    gmm_abort("argument", "`calibration` needs `newdata`, rows to judge that were not fitted.",
              "The training rows fit the mixture better than new rows do.")
  }
  new <- if (!missing(newdata)) new_data(fit, newdata)$x
  reference <- if (wanted) density_reference(fit, calibration, draws)
  if (ways[["threshold"]]) {
    threshold <- check_number(threshold, finite = FALSE)
  } else if (ways[["false_alarm"]]) {
    false_alarm <- check_number(false_alarm, min = 0, max = 1, ends = "()")
    threshold <- reference_threshold(reference, fit, false_alarm)
  } else {
    rate <- check_number(rate, min = 0, max = 1, ends = "[)")
    training <- training_scores(fit, paste(
      "Give `false_alarm`, the probability of being flagged under the mixture itself; or",
      "`threshold`, a log-density."))
    threshold <- low_quantile(training, fit$weights, rate)
  }
  if (missing(newdata)) {
    score <- padded(training_scores(fit, "Give the rows to judge as `newdata`."), fit$na.action)
    weights <- if (!is.null(fit$weights)) padded(fit$weights, fit$na.action)
  } else {
    score <- comparable_scores(fit, new)
    weights <- NULL
  }
  if (wanted) {
    judged <- if (is.null(new)) fit$x else new
    if (anyNA(judged)) score[missing_rows(judged)] <- NA
  }
  flag <- score < threshold
  counts <- c(judged = sum(!is.na(score)), flagged = sum(flag, na.rm = TRUE),
              tied = sum(score == threshold, na.rm = TRUE), missing = sum(is.na(score)),
              infinite = sum(score == -Inf, na.rm = TRUE))
  out <- list(flag = flag, score = score, threshold = threshold,
              rate = if (!any(ways[-1L])) rate, n = counts, share = weighted_share(flag, weights))
  out$false_alarm <- false_alarm
  if (wanted) out <- c(out, p_values(score, reference, fit, adjust, false_alarm))
  if (!is.null(truth)) out <- c(out, judge(score, check_truth(truth, length(score)), threshold))
  out$fit <- fit
  out$x <- new
  structure(out, class = "gmm_anomaly")
}

# ---- scores and thresholds --------------------------------------------------------------

# The log-densities of the rows fitted; `hint` is the way out where there are none.
training_scores <- function(fit, hint) {
  if (!is_fit(fit)) {
    gmm_abort("data", paste("gmm_anomaly() needs training rows; this mixture was built by",
                            "gmm_params()."), hint)
  }
  if (!is.null(fit$logdensity) && is.null(fit$missing)) return(fit$logdensity)
  if (!is.null(fit$home)) gmm_abort("data", paste(
    "gmm_anomaly() needs the log-densities of the rows that were fitted; they are in",
    paste0(fit$home$what, ".")
  ), hint)
  need_rows(fit, "gmm_anomaly()")
  comparable_scores(fit, fit$x)
}

# Log-densities of rows with different variables have different units. Each that is missing counts
# as its mean log-density would, were it normal with the column's scale. NA: nothing is known, or
# the fit was to complete rows.
comparable_scores <- function(fit, x) {
  out <- score(fit, x, "logdensity")
  if (!anyNA(x)) return(out)
  if (is.null(fit$missing)) return(replace(out, missing_rows(x), NA))
  out <- out - drop(is.na(unname(x)) %*% (log(fit$scale) + log(2 * pi * exp(1)) / 2))
  replace(out, wholly_missing(x), NA)
}

# Rows that na.omit or na.exclude left out are NA: elements match the rows given.
padded <- function(x, na.action) {
  if (is.null(na.action)) x else stats::naresid(structure(na.action, class = "exclude"), x)
}

# The smallest score at or below which there is more than `rate` of the weight. The slack keeps
# rates such as 0.29 of 100 rows from being lost to rounding.
low_quantile <- function(score, weights, rate) {
  if (anyNA(score)) {
    weights <- weights[!is.na(score)]
    score <- score[!is.na(score)]
  }
  order <- order(score)
  weight <- if (is.null(weights)) rep(1, length(score)) else weights / max(weights)
  below <- cumsum(weight[order])
  total <- below[length(below)]
  score[[order[which(below > (rate + 1e-12) * total | below >= total)[1L]]]]
}

# The share of what is TRUE among what is not NA.
weighted_share <- function(flag, weights = NULL) {
  known <- !is.na(flag)
  if (!any(known)) return(NA_real_)
  if (is.null(weights)) return(mean(flag[known]))
  weights <- weights[known] / max(weights[known])
  sum(weights[flag[known]]) / sum(weights)
}

# ---- known truth -----------------------------------------------------------------------

check_truth <- function(truth, n) {
  if (length(truth) != n) {
    gmm_abort("argument", sprintf("`truth` must have a value for each of the %s judged, not %s.",
                                  plural(n, "row"), number_text(length(truth))))
  }
  if (is.factor(truth) && nlevels(truth) == 2L) return(as.integer(truth) == 2L)
  plain <- is.logical(truth) || is.numeric(truth) && all(truth %in% c(0, 1, NA))
  if (!plain || is.object(truth)) {
    gmm_abort("argument", must_be("truth", "logical, 0 or 1, or a factor of two levels", truth),
              "Of labels, make a factor: factor(truth, levels = c(\"usual\", \"odd\")).")
  }
  as.logical(truth)
}

judge <- function(score, truth, threshold) {
  known <- !is.na(score) & !is.na(truth)
  curve <- threshold_curve(score[known], truth[known])
  flag <- score[known] < threshold
  at <- rates(sum(flag), sum(flag & truth[known]), sum(truth[known]), sum(known))
  steps <- diff(curve$recall) * curve$precision[-1L]
  average <- if (any(truth[known])) sum(steps) else NA_real_
  list(truth = truth,
       confusion = table(truth = factor(truth[known], c(FALSE, TRUE)),
                         flag = factor(flag, c(FALSE, TRUE))),
       performance = c(unlist(at), average_precision = average),
       curve = curve)
}

# A threshold at each score flags the rows strictly below it; one at Inf flags all.
threshold_curve <- function(score, truth) {
  at <- sort(unique(score))
  size <- tabulate(match(score, at), length(at))
  odd <- tabulate(match(score[truth], at), length(at))
  flagged <- c(0, cumsum(size))
  hits <- c(0, cumsum(odd))
  data.frame(threshold = c(at, Inf), flagged = flagged, hits = hits,
             rates(flagged, hits, sum(truth), length(score)))
}

# Of n rows, `odd` are anomalies, `flagged` are flagged, and `hits` are both.
rates <- function(flagged, hits, odd, n) {
  share <- function(a, b) replace(a / b, a + b == 0, NA_real_)
  list(precision = share(hits, flagged), recall = share(hits, odd),
       F1 = share(2 * hits, flagged + odd), false_alarm = share(flagged - hits, n - odd))
}

# ---- printing --------------------------------------------------------------------------

#' Print and summarise anomalies
#'
#' `print()` says how many rows are flagged, by what rule, and which are the lowest; `summary()`
#' adds the extreme rows and the flags by component, and `as.data.frame()` has a row for each row
#' judged.
#'
#' @param x,object The result of [gmm_anomaly()], or its summary.
#' @param digits Number of significant digits.
#' @param row.names,optional As in [as.data.frame()].
#' @param ... Not used.
#' @return `print()` returns its argument invisibly, `format()` the lines. `as.data.frame()`: a row
#'   for each row judged, with `row` (its name, or number), `score` (log-density), `flag`, `pvalue`
#'   and `adjusted` (where asked for), `component` (the most probable one; only where the rows are
#'   held) and `truth` (where known).
#'   `summary()`: a list of class `"summary.gmm_anomaly"` with `text`, `extremes` (data frame: the
#'   ten rows of lowest density among those flagged), `components` (table of component by flag), and
#'   `confusion` and `performance` where the truth is known.
#' @examples
#' odd <- gmm_anomaly(gmm(faithful, k = 2))
#' odd
#' summary(odd)
#' head(as.data.frame(odd))
#' @export
print.gmm_anomaly <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname print.gmm_anomaly
#' @export
format.gmm_anomaly <- function(x, digits = 4, ...) {
  number <- function(v) format(v, digits = digits)
  percent <- function(share) paste(format(100 * share, digits = 2L), "%")
  n <- as.list(x$n)
  rows <- paste(count_text(n$judged), if (is.null(x$x)) "training" else "new",
                if (n$judged == 1L) "row" else "rows")
  weighted <- is.null(x$x) && !is.null(x$fit$weights)
  share <- sprintf(" (%s%s)", percent(x$share), if (weighted) " of their weight" else "")
  c(
    sprintf("Anomalies: %s of %s%s", count_text(n$flagged), rows,
            if (n$judged == 0L) "" else share),
    if (!is.null(x$false_alarm)) {
      sprintf("flagged: log-density below %s, at the false-alarm rate %s", number(x$threshold),
              shown_number(x$false_alarm))
    } else if (is.null(x$rate)) {
      sprintf("flagged: log-density below %s, the threshold given", number(x$threshold))
    } else {
      sprintf("flagged: log-density below %s, from the training rows at rate %s",
              number(x$threshold), shown_number(x$rate))
    },
    if (n$tied > 0L) {
      sprintf("not flagged: %s that %s with the threshold", plural(n$tied, "row"),
              if (n$tied == 1L) "ties" else "tie")
    },
    if (n$missing > 0L) sprintf("not judged: %s with missing values", plural(n$missing, "row")),
    if (n$infinite > 0L) sprintf("infinite, hence of density 0: %s", plural(n$infinite, "row")),
    if (n$flagged > 0L) paste("lowest:", extremes_text(x, number)),
    if (!is.null(x$pvalue)) pvalue_text(x),
    if (!is.null(x$truth)) truth_text(x, number)
  )
}

extremes_text <- function(x, number) {
  lowest <- utils::head(lowest_flagged(x), 5L)
  more <- x$n[["flagged"]] - length(lowest)
  text <- sprintf("%s (%s)", row_labels(x, lowest), vapply(x$score[lowest], number, ""))
  paste0(some(text), if (more > 0L) sprintf(" and %s more", number_text(more)))
}

# Numbers of the rows flagged, the lowest score first.
lowest_flagged <- function(x) {
  flagged <- which(x$flag)
  flagged[order(x$score[flagged])]
}

truth_text <- function(x, number) {
  p <- lapply(x$performance, number)
  odd <- sum(x$confusion["TRUE", ])
  c(sprintf("truth: %s; %s of them flagged, and %s", plural(odd, "anomaly", "anomalies"),
            number_text(x$confusion["TRUE", "TRUE"]),
            plural(x$confusion["FALSE", "TRUE"], "other row")),
    sprintf("precision %s, recall %s, F1 %s, false-alarm rate %s, average precision %s",
            p$precision, p$recall, p$F1, p$false_alarm, p$average_precision))
}

# Names of some of the rows judged, else their numbers.
row_labels <- function(x, rows = seq_along(x$score)) {
  if (is.null(names(x$score))) rows else names(x$score)[rows]
}

#' @rdname print.gmm_anomaly
#' @export
as.data.frame.gmm_anomaly <- function(x, row.names = NULL, optional = FALSE, ...) {
  out <- data.frame(row = row_labels(x), score = unname(x$score), flag = unname(x$flag),
                    row.names = row.names)
  out$pvalue <- unname(x$pvalue)
  out$adjusted <- unname(x$adjusted)
  out$component <- anomaly_component(x)
  out$truth <- x$truth
  out
}

# The most probable component of each row judged; NA for rows with missing or infinite values. NULL
# where the object holds no rows.
anomaly_component <- function(x) {
  rows <- anomaly_rows(x)
  if (is.null(rows)) return(NULL)
  fine <- rowSums(!is.finite(rows)) == 0
  component <- factor(rep(NA, nrow(rows)), rownames(x$fit$means))
  component[fine] <- stats::predict(x$fit, rows[fine, , drop = FALSE])
  if (is.null(x$x)) padded(component, x$fit$na.action) else component
}

anomaly_rows <- function(x) if (is.null(x$x)) x$fit$x else x$x

#' @rdname print.gmm_anomaly
#' @export
summary.gmm_anomaly <- function(object, ...) {
  table <- as.data.frame(object)
  extremes <- table[utils::head(lowest_flagged(object), 10L), ]
  rownames(extremes) <- NULL
  out <- list(text = format(object), extremes = extremes)
  if (!is.null(table$component)) {
    out$components <- table(component = table$component, flag = factor(table$flag, c(FALSE, TRUE)))
  }
  structure(c(out, object[intersect(c("confusion", "performance"), names(object))]),
            class = "summary.gmm_anomaly")
}

#' @rdname print.gmm_anomaly
#' @export
print.summary.gmm_anomaly <- function(x, digits = 4, ...) {
  cat(x$text, sep = "\n")
  if (nrow(x$extremes)) {
    cat("\nThe lowest densities\n")
    print(x$extremes[setdiff(names(x$extremes), "flag")], digits = digits, row.names = FALSE)
  }
  show <- function(title, table) {
    if (is.null(table)) return()
    cat("\n", title, "\n", sep = "")
    colnames(table) <- c("not flagged", "flagged")
    print(unclass(table))
  }
  show("By component", x$components)
  show("By truth", x$confusion)
  invisible(x)
}
