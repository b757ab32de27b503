# P-values of log-densities, for gmm_anomaly(): by the mixture itself, or by rows held out
# (conformal).

# What log-densities are compared with: `method`; `n`, the number of draws or of rows held out, and
# `sorted`, their log-densities (not where the distribution is exact); `resolution`, the smallest
# p-value that there can be.
density_reference <- function(fit, calibration, draws) {
  if (is.null(calibration) && has_exact_levels(fit)) {
    return(list(method = "exact", n = 0L, resolution = 0))
  }
  conformal <- !is.null(calibration)
  x <- if (conformal) {
    calibration_rows(fit, calibration)
  } else {
    engine_sample(draws, fit, threads = fit$control$threads)
  }
  list(method = if (conformal) "conformal" else "simulation", n = nrow(x),
       resolution = 1 / (nrow(x) + 1), sorted = sort(unname(score(fit, x, "logdensity"))))
}

calibration_rows <- function(fit, calibration) {
  x <- new_data(fit, calibration, arg = "calibration")$x
  if (nrow(x) == 0L) gmm_abort("dimension", "`calibration` has no rows.")
  missing <- which(missing_rows(x))
  if (length(missing) > 0L) {
    gmm_abort("missing", sprintf("`calibration` must not have missing values, as %s %s has.",
                                 if (length(missing) == 1L) "row" else "rows",
                                 some(row_label(x, missing))), "Leave them out.")
  }
  if (!is.null(fit$x) && were_fitted(x, fit$x)) {
    gmm_abort("argument", "`calibration` must be rows that were held out, not the rows fitted.",
              "Fit a part of the rows, and give the others.")
  }
  x
}

# Are all rows of x among those fitted? Where values repeat (rounded data) rows held out may be
# too: then most of those that they equal are there several times.
were_fitted <- function(x, fitted) {
  if (identical(unname(x), unname(fitted))) return(TRUE)
  for (j in seq_len(ncol(x))) if (!all(x[, j] %in% fitted[, j])) return(FALSE)
  key <- function(rows) do.call(paste, unname(asplit(rows, 2L)))
  there <- key(fitted)
  own <- unique(key(x))
  all(own %in% there) && mean(own %in% there[duplicated(there)]) < 0.5
}

# The probability of a log-density of at most each score.
reference_pvalue <- function(reference, fit, score) {
  known <- !is.na(score)
  score[known] <- if (reference$method == "exact") {
    exact_level_probability(fit, score[known])
  } else {
    (1 + findInterval(score[known], reference$sorted)) / (reference$n + 1)
  }
  score
}

# Scores below it have a p-value of at most `rate`. The slack keeps rates such as 0.29 of 100 from
# being lost to rounding.
reference_threshold <- function(reference, fit, rate) {
  if (reference$method == "exact") return(exact_thresholds(fit, rate))
  rank <- floor(rate * (reference$n + 1) + 1e-9)
  if (rank < 1) {
    gmm_abort("argument", sprintf("`false_alarm` must be at least %s with %s, not %s.",
                                  number_text(reference$resolution, 3L), reference_text(reference),
                                  number_text(rate)), more_text(reference, 1 / rate - 1))
  }
  reference$sorted[rank]
}

reference_text <- function(reference) {
  what <- if (reference$method == "conformal") "row held out" else "draw"
  n <- count_text(reference$n)
  paste(n, if (reference$n == 1L) what else sub("(draw|row)", "\\1s", what))
}

more_text <- function(reference, needed) {
  sprintf(if (reference$method == "conformal") "Hold out at least %s rows."
          else "Ask for at least %s: `draws`.",
          count_text(ceiling(needed * (1 - 1e-9))))
}

# The p-values of the rows judged, and adjusted for their number. Where the smallest p-value there
# can be keeps rows from a significant one after adjustment, there is a warning.
p_values <- function(score, reference, fit, adjust, false_alarm) {
  level <- if (is.null(false_alarm)) 0.05 else false_alarm
  p <- reference_pvalue(reference, fit, score)
  adjusted <- stats::p.adjust(p, adjust)
  coarse <- which(reference$n > 0L & p <= reference$resolution * (1 + 1e-9) & adjusted > level)
  if (length(coarse) > 0L) {
    # adjusting is linear in small p-values
    tiny <- stats::p.adjust(replace(p, coarse, 1e-9 * reference$resolution), adjust)[coarse[1L]]
    needed <- (reference$n + 1) * 1e9 * tiny / level - 1
    one <- length(coarse) == 1L
    gmm_warn("resolution", sprintf(
      "%s %s the smallest p-value that %s can give, %s, and the adjusted one is above %s: %s.",
      plural(length(coarse), "row"), if (one) "has" else "have", reference_text(reference),
      number_text(reference$resolution, 3L), number_text(level),
      number_text(adjusted[[coarse[1L]]], 3L)
    ), paste(more_text(reference, needed), "For p-values of single rows only: adjust = \"none\"."),
    rows = unname(coarse))
  }
  list(pvalue = p, adjusted = adjusted,
       calibration = c(reference[c("method", "n", "resolution")], adjust = adjust, level = level))
}

pvalue_text <- function(x) {
  reference <- x$calibration
  source <- switch(reference$method,
    exact = "p-values: exact",
    simulation = paste("p-values: by", reference_text(reference), "of the mixture"),
    conformal = paste("p-values: conformal, by", reference_text(reference)))
  if (reference$n > 0L) {
    source <- sprintf("%s, none below %s", source, shown_number(reference$resolution, 3L))
  }
  if (reference$adjust == "none") return(source)
  c(source, sprintf("adjusted for %s %s (%s): %s at or below %s", count_text(x$n[["judged"]]),
                    if (x$n[["judged"]] == 1L) "row" else "rows", reference$adjust,
                    count_text(sum(x$adjusted <= reference$level, na.rm = TRUE)),
                    shown_number(reference$level)))
}

# p-values that are far below all lines lie at the lower edge.
draw_pvalues <- function(x, max_rows, main, sub, ..., xlim = range(curve$share), ylim = NULL,
                         ylab = "p-value", xlab = "rows with at most this p-value (%)") {
  curve <- score_curve(x, max_rows)
  if (nrow(curve) == 0L) gmm_abort("data", "No row judged has a finite score to draw.")
  reference <- x$calibration
  if (is.null(ylim)) {
    least <- 10^floor(log10(reference$level / x$n[["judged"]]) - 2)
    ylim <- c(max(least, min(curve$pvalue)), 1)
  }
  edge <- min(ylim)
  infinite <- x$n[["infinite"]]
  steps <- reference$adjust %in% c("BH", "fdr")
  if (is.null(sub)) {
    sub <- paste(c("grey line: expected of rows in order",
                   if (steps) sprintf("dotted: adjusted p-value %s", number_text(reference$level)),
                   if (!is.null(x$false_alarm)) "dashed: the false-alarm rate",
                   if (any(curve$flag)) "stars: flagged",
                   if (any(curve$truth)) "rings: true anomalies",
                   if (any(curve$pvalue < edge)) {
                     paste("at the lower edge: below", number_text(edge, 2L))
                   },
                   if (infinite) sprintf("%s of density 0 not drawn", plural(infinite, "row"))),
                 collapse = "; ")
  }
  draw_shares(xlim, ylim, main = main, sub = sub, xlab = xlab, ylab = ylab, log = "xy", ...)
  ends <- c(1e-12, 1)
  lines(100 * ends, ends, col = "grey60", lwd = 2)
  if (steps) lines(100 * ends, reference$level * ends, lty = 3, lwd = 2)
  if (!is.null(x$false_alarm)) abline(h = x$false_alarm, lty = 2)
  at <- cbind(100 * curve$share, pmax(curve$pvalue, edge))
  points(at[!curve$flag, , drop = FALSE], pch = 16, cex = 0.6 * crowded(at), col = "grey40")
  draw_rings(at[curve$truth, , drop = FALSE])
  draw_stars(at[curve$flag, , drop = FALSE])
}
