# The pictures of gmm_anomaly().

#' Plot anomalies
#'
#' `"rows"` draws the rows judged as [plot()][plot.gaussmix] draws those fitted, with a star at each
#' row flagged and, where the truth is known, a ring around each true anomaly. Where all variables
#' of the mixture are in the picture (one or two), a dashed line is the density at the threshold:
#' flagged is what lies outside of it; in one dimension, where the curve is below it. Of more than
#' two variables it is a matrix of panels.
#'
#' `"scores"` draws the rows' log-densities in increasing order: where the curve breaks off at its
#' lower end, there are rows that the mixture does not explain. It needs no rows, so that it works
#' for `keep = FALSE`.
#'
#' `"curve"` (with `truth`) has two panels: precision and recall by the share of the rows that is
#' flagged, which goes from none to all as the threshold (upper axis) rises; and precision by
#' recall. The threshold in use is marked. The dotted line is the precision of flagging at random.
#'
#' `"pvalues"` (where they were asked for) draws them in increasing order, both axes on log scales:
#' points on the grey line are what rows in order have. All rows up to the last one below the dotted
#' line have an adjusted p-value (BH) of at most `false_alarm`, or 0.05.
#'
#' @param x The result of [gmm_anomaly()].
#' @param what What to draw, see above.
#' @param dims,ellipses,contours,boundaries,col,pch For `"rows"`: as for [plot()][plot.gaussmix].
#' @param ... Graphical parameters, as for [plot()][plot.gaussmix].
#' @param max_rows The number of rows drawn at most, as for [plot()][plot.gaussmix]; of stars and of
#'   rings a fifth of it.
#' @param legend `TRUE` or `FALSE`: explain colours and symbols?
#' @param main,sub Title and the line below the picture; `""` for none.
#' @return `x`, invisibly.
#' @section Errors: `gaussmix_error_data` for `"rows"` where the object holds none, and for
#'   `"curve"` or `"pvalues"` where there is no truth or are no p-values; else as for
#'   [plot()][plot.gaussmix].
#' @examples
#' fit <- gmm(faithful, k = 2)
#' odd <- gmm_anomaly(fit)
#' plot(odd)
#' plot(odd, what = "scores")
#' @importFrom graphics abline
#' @export
plot.gmm_anomaly <- function(x, what = c("rows", "scores", "curve", "pvalues"), dims = NULL, ...,
                             ellipses = NULL, contours = c(0.25, 0.5, 0.75), boundaries = FALSE,
                             max_rows = 10000, legend = TRUE, col = NULL, pch = NULL, main = NULL,
                             sub = NULL) {
  what <- check_choice(what, c("rows", "scores", "curve", "pvalues"))
  check_graphical(...names())
  legend <- check_flag(legend)
  max_rows <- check_whole(max_rows, min = 0)
  if (is.null(main)) main <- format(x)[1L]
  if (what == "rows") {
    if (is.null(anomaly_rows(x))) {
      gmm_abort("data", "plot() needs the rows, and this object holds none.",
                "Draw the scores, plot(what = \"scores\"); or judge the rows as `newdata`.")
    }
    dims <- plot_dims(x$fit, dims)
    marks <- anomaly_marks(x, max_rows)
    view <- plot_view(x$fit, "classification", ellipses, contours, boundaries, max_rows, legend,
                      col, pch, dims)
    view$rows <- plot_rows(x$fit, max_rows, marks$rows, marks$weights)
    whole <- length(dims) == ncol(x$fit$means) && length(dims) <= 2L
    if (whole) view$lines <- function(dims) draw_threshold(x, dims)
    view$marks <- function(dims) draw_marks(marks, dims)
    if (is.null(sub)) sub <- anomaly_note(x, marks, whole, view)
    draw_mixture(x$fit, dims, view, main, sub, ...)
  } else if (what == "scores") {
    draw_scores(x, max_rows, main, sub, ...)
  } else if (what == "pvalues") {
    if (is.null(x$pvalue)) {
      gmm_abort("data", "This object has no p-values to draw.",
                "Ask for them: gmm_anomaly(pvalue = TRUE), or with `false_alarm`.")
    }
    draw_pvalues(x, max_rows, main, sub, ...)
  } else {
    if (is.null(x$truth)) {
      gmm_abort("data", "The curve of precision and recall needs the truth.",
                "Give it as gmm_anomaly(truth = ).")
    }
    if (sum(x$confusion) == 0L) {
      gmm_abort("data", "No row judged has both a score and a known truth to draw.")
    }
    draw_threshold_curves(x, legend, main, sub, ...)
  }
  invisible(x)
}

# ---- geometry --------------------------------------------------------------------------

# What is drawn of the rows judged: `rows`, those without missing or infinite values, and their
# `weights`; of these `stars`, those flagged; `rings`, the true anomalies; and how many of the rows
# have missing or infinite values: `lost`. Stars and rings are at most a fifth of `max_rows` each,
# equally spaced in the order of the scores.
anomaly_marks <- function(x, max_rows) {
  rows <- anomaly_rows(x)
  kept <- if (is.null(x$x) && !is.null(x$fit$na.action)) -x$fit$na.action else seq_len(nrow(rows))
  fine <- rowSums(!is.finite(rows)) == 0
  score <- x$score[kept]
  flag <- x$flag[kept]
  pick <- function(marked) {
    at <- which(marked & fine)
    at <- at[order(score[at])]
    n <- length(at)
    rows[at[round(seq(1, n, length.out = min(n, ceiling(max_rows / 5))))], , drop = FALSE]
  }
  rings <- x$truth[kept]
  list(rows = rows[fine, , drop = FALSE], weights = if (is.null(x$x)) x$fit$weights[fine],
       stars = pick(flag), rings = pick(rings), lost = sum(!fine),
       n = c(stars = sum(flag & fine), rings = sum(rings & fine, na.rm = TRUE)))
}

# The finite scores in increasing order, with the share of the rows that have at most that score,
# and their p-values, if any. Of many, `max_rows` equally spaced ones, and as many of those flagged.
score_curve <- function(x, max_rows) {
  finite <- which(is.finite(x$score))
  rows <- finite[order(x$score[finite])]
  thinned <- function(n) round(seq(1, n, length.out = min(n, max(max_rows, 2L))))
  at <- sort(unique(c(thinned(sum(x$flag[rows])), thinned(length(rows)))))
  curve <- data.frame(
    share = (x$n[["infinite"]] + at) / x$n[["judged"]], score = unname(x$score[rows[at]]),
    flag = unname(x$flag[rows[at]]),
    truth = if (is.null(x$truth)) logical(length(at)) else x$truth[rows[at]] %in% TRUE
  )
  curve$pvalue <- unname(x$pvalue[rows[at]])
  curve
}

# Precision by recall, as steps: between two recalls that are reached there is only the precision of
# the larger one, and a straight line would promise more (Davis and Goadrich). The area below them
# is the average precision.
recall_steps <- function(curve) {
  data.frame(recall = curve$recall, precision = c(curve$precision[2L], curve$precision[-1L]))
}

# ---- drawing ---------------------------------------------------------------------------

# Here a star is an anomaly, and the dashed line is no boundary between components.
anomaly_note <- function(x, marks, whole, view) {
  explain <- function(mark, meaning) {
    shown <- nrow(marks[[mark]])
    all <- marks$n[[mark]]
    if (all == 0) return(NULL)
    part <- sprintf(" (%s of %s)", count_text(shown), count_text(all))
    paste0(mark, ": ", meaning, if (shown < all) part)
  }
  parts <- c(explain("stars", "flagged"), explain("rings", "true anomalies"),
             if (whole) "dashed: density at the threshold", rows_note(view$rows),
             if (marks$lost) sprintf("%s with missing or infinite values not drawn",
                                     plural(marks$lost, "row")))
  paste(parts, collapse = "; ")
}

# On the current panel: the line where the density is that of the threshold.
draw_threshold <- function(x, dims) {
  level <- exp(x$threshold)
  if (length(dims) == 1L) return(abline(h = level, lty = 2, lwd = 1.5))
  usr <- par("usr")
  grid <- plot_density_grid(x$fit, dims, usr[1:2], usr[3:4], numeric())
  contour(grid, levels = level, drawlabels = FALSE, add = TRUE, lty = 2, lwd = 1.5)
}

draw_marks <- function(marks, dims) {
  draw_rings(mark_places(marks$rings, dims, par("usr")))
  draw_stars(mark_places(marks$stars, dims, par("usr")))
}

# Where rows are marked on a panel with the limits `usr`: of one variable a little above the axis.
mark_places <- function(rows, dims, usr) {
  if (length(dims) == 2L) return(rows[, dims, drop = FALSE])
  cbind(rows[, dims], rep(usr[3] + 0.04 * (usr[4] - usr[3]), nrow(rows)))
}

draw_rings <- function(at) points(at, pch = 1, cex = 2 * crowded(at), lwd = 1.5)

draw_stars <- function(at) {
  cex <- 1.1 * crowded(at)
  points(at, pch = 8, cex = cex, lwd = 3.5, col = "white")
  points(at, pch = 8, cex = cex, lwd = 1.3)
}

# The more there are, the smaller.
crowded <- function(rows) 1 - 0.5 * min(1, log10(max(nrow(rows), 30) / 30) / 2)

# An axis of shares of the rows, on a log scale: what matters is at its lower end.
draw_shares <- function(share, ylim, ..., xlim = range(share), log = "x") {
  draw_frame(100 * xlim, ylim, log = log, ..., xaxt = "n")
  ticks <- c(0.001, 0.01, 0.1, 1, 10, 100, 0.003, 0.03, 0.3, 3, 30)
  axis(1, ticks, number_text(ticks))
}

draw_scores <- function(x, max_rows, main, sub, ..., xlim = range(curve$share),
                        ylim = range(curve$score), ylab = "log-density",
                        xlab = "rows with at most this log-density (%)") {
  curve <- score_curve(x, max_rows)
  if (nrow(curve) == 0L) gmm_abort("data", "No row judged has a finite score to draw.")
  infinite <- x$n[["infinite"]]
  if (is.null(sub)) {
    sub <- paste(c("dashed: the threshold", if (any(curve$flag)) "stars: flagged",
                   if (any(curve$truth)) "rings: true anomalies",
                   if (infinite) sprintf("%s of density 0 not drawn", plural(infinite, "row"))),
                 collapse = "; ")
  }
  draw_shares(xlim, ylim, main = main, sub = sub, xlab = xlab, ylab = ylab, ...)
  at <- cbind(100 * curve$share, curve$score)
  lines(at, type = "s", col = "grey40")
  abline(h = x$threshold, lty = 2)
  points(at[!curve$flag, , drop = FALSE], pch = 16, cex = 0.6 * crowded(at), col = "grey40")
  draw_rings(at[curve$truth, , drop = FALSE])
  draw_stars(at[curve$flag, , drop = FALSE])
}

# Limits and labels of axes are for single panels, and stop here.
draw_threshold_curves <- function(x, legend, main, sub, ..., xlim, ylim, xlab, ylab) {
  curve <- x$curve
  share <- curve$flagged / sum(x$confusion)
  used <- sum(curve$threshold <= x$threshold) # the last one that flags the same rows
  style <- component_style(2)
  lty <- 1:2
  if (is.null(sub)) {
    sub <- "vertical line and point: the threshold in use; dotted: rows flagged at random"
  }
  old <- par(mfrow = c(1, 2), mar = c(4.5, 4, 4, 1), oma = c(1.5, 0, 1.5, 0))
  on.exit(par(old))
  draw_shares(share[-1L], c(0, 1), xlab = "rows flagged (%)", ylab = "precision, recall", ...)
  ticks <- unique(round(10^seq(log10(min(share[-1L])), 0, length.out = 6L) * sum(x$confusion)))
  at <- findInterval(ticks, curve$flagged)
  axis(3, 100 * share[at], signif(curve$threshold[at], 3L), cex.axis = 0.8)
  mtext("threshold (log-density)", line = 2, cex = 0.8)
  abline(v = 100 * share[used], col = "grey60", lwd = 2)
  for (j in 1:2) {
    lines(100 * share, curve[[c("precision", "recall")[j]]], type = "s", col = style$col[j],
          lty = lty[j], lwd = 2)
  }
  if (legend) {
    graphics::legend("left", c("precision", "recall"), col = style$col, lty = lty, lwd = 2,
                     bg = "white", cex = 0.8)
  }
  draw_frame(c(0, 1), c(0, 1), xlab = "recall", ylab = "precision", ...)
  abline(h = sum(x$confusion["TRUE", ]) / sum(x$confusion), lty = 3)
  steps <- recall_steps(curve)
  lines(steps$recall, steps$precision, type = "S", lwd = 2, col = style$col[1L])
  points(curve$recall[used], curve$precision[used], pch = 16, cex = 1.5)
  title(main = main, outer = TRUE, line = 0)
  mtext(sub, side = 1, outer = TRUE, line = 0, cex = 0.8, col = "grey30")
}
