# The picture of gmm_select().

#' Plot the criteria of several models
#'
#' A panel for each criterion, by default BIC and AIC side by side: its value over the number of
#' components, a curve for each family of covariances. Lower is better; a ring marks the model that
#' the criterion chooses, which the panel's title names. Models that are the same for several
#' families (one component) are on the curve of each. A cross in place of a symbol is a model with a
#' spurious component, which is not chosen; where a model could not be fitted, the curve has a gap.
#' In the panel of CV, a bar at the lowest value reaches one standard error up and down, and the
#' dashed line is at its upper end: the model chosen is the simplest below it.
#'
#' A family has the same colour, symbol and type of line in all pictures.
#'
#' @param x The result of [gmm_select()].
#' @param criteria The criteria to draw, some of those that `x` has: `"BIC"`, `"AIC"`, `"AICc"`,
#'   `"ICL"`, and `"CV"` where it was asked for; by default the one that `x` was chosen by, and BIC
#'   or AIC beside it.
#' @param ... Graphical parameters, as for [plot.gaussmix()].
#' @param ylim Limits of the criterion, for all panels. By default they hold the best models of all
#'   families (of more than four, of three families in four) and of the best family the curve, from
#'   two components on and where it does not run off; the line below the picture says how many
#'   values lie outside.
#' @param legend `TRUE` or `FALSE`: explain the curves below the picture?
#' @param main,sub Titles of the panels, and the line below the picture; `""` for none.
#' @return `x`, invisibly.
#' @section Errors: `gaussmix_error_argument` where `criteria` are others, and for graphical
#'   parameters that are not in the list of [plot.gaussmix()].
#' @seealso [gmm_select()]
#' @examples
#' plot(gmm_select(faithful, k = 1:6))
#' @export
plot.gmm_select <- function(x, criteria = NULL, ..., ylim = NULL, legend = TRUE, main = NULL,
                            sub = NULL) {
  check_select(x)
  shown <- panel_criteria(criteria, x)
  check_graphical(...names())
  many <- length(shown) > 1L
  titles <- rep_len(if (is.null(main)) NA_character_ else main, length(shown))
  codes <- unique(x$table$covariance)
  key <- if (check_flag(legend)) {
    select_key(codes, dimension_of(x), any(x$table$spurious, na.rm = TRUE))
  }
  key$rows <- key_rows(key$labels, if (many) par("din")[1L] else par("fin")[1L])
  below <- if (legend) 0.9 * key$rows + 1 else 0
  old <- if (many) {
    par(mfrow = c(1L, length(shown)), oma = par("oma") * c(0, 1, 1, 1) + c(below, 0, 0, 0))
  } else {
    par(mar = par("mar") + c(below, 0, 0, 0))
  }
  on.exit(par(old))
  for (i in seq_along(shown)) {
    draw_criterion(x, shown[i], family_style(codes), main = titles[i], sub = sub, ylim = ylim, ...)
  }
  if (legend) draw_key(key, if (many) "ndc" else "nfc")
  invisible(x)
}

panel_criteria <- function(criteria, x) {
  known <- criteria_of(x$table)
  if (is.null(criteria)) return(unique(c(x$criterion, "BIC", "AIC"))[1:2])
  check_criteria(criteria, known)
}

# The curves of one criterion, a row a family and k: `value` (NA: no model), `spurious`, and `best`:
# the one that the criterion chooses. What several families share is on the curve of each.
select_curves <- function(x, criterion) {
  table <- x$table
  d <- dimension_of(x)
  key <- function(code, k) mapply(model_key, code, k, d)
  curves <- expand.grid(k = sort(unique(table$k)), covariance = unique(table$covariance),
                        stringsAsFactors = FALSE)
  row <- match(key(curves$covariance, curves$k), key(table$covariance, table$k))
  value <- table[[criterion]][row]
  value[!is.finite(value)] <- NA # AICc of few rows
  data.frame(curves, value = value, spurious = table$spurious[row] %in% TRUE,
             best = row == best_row(criterion, table, x$nobs))
}

# The best models of all families, of more than four those of three in four: the others may lie far
# above. Of the best family the curve, as far as it stays within three times the median distance
# from the best model. One component is often worse by far than any two, and sets no limit. Spurious
# models, which may be much too good, take a third of the height at most.
curves_limits <- function(curves) {
  best <- curves[curves$best, ]
  sound <- curves[!curves$spurious & !is.na(curves$value), ]
  if (all(is.na(curves$value))) return(c(0, 1))
  if (!nrow(sound) || all(is.na(best$value))) return(extendrange(curves$value, f = 0.05))
  lowest <- best$value[1L]
  if (any(sound$k > 1L)) sound <- sound[sound$k > 1L, ]
  bests <- tapply(sound$value, sound$covariance, min)
  own <- sound$value[sound$covariance %in% best$covariance]
  upper <- max(lowest, stats::quantile(bests, if (length(bests) > 4L) 0.75 else 1, type = 1L),
               min(max(own), lowest + 3 * (stats::median(own) - lowest)))
  lower <- max(min(curves$value, na.rm = TRUE), lowest - (upper - lowest) / 2)
  extendrange(c(lower, upper))
}

# A family looks the same in each picture: it has a symbol of its own (the cross is for spurious
# models), and colours that repeat come with another type of line. Those with a plain name go first.
family_style <- function(codes) {
  all <- names(families)
  named <- vapply(families, `[[`, "", "name") != all
  symbols <- c(18, 17, 15, 16, 1, 5, 6, 2, 0, 3, 8, 10, 12, 7)
  style <- component_style(length(all), pch = symbols)
  style$lty <- rep_len(1:6, length(all))
  lapply(style, `[`, match(codes, c(all[named], all[!named])))
}

draw_criterion <- function(x, criterion, style, main, sub, ylim, ...,
                           xlim = extendrange(curves$k, f = 0.03),
                           xlab = "number of components", ylab = criterion) {
  curves <- select_curves(x, criterion)
  best <- curves[curves$best, ]
  lowest <- if (criterion == "CV") x$table[lowest_row("CV", x$table), ]
  if (is.null(ylim)) {
    ylim <- curves_limits(curves)
    if (length(lowest)) ylim <- range(ylim, lowest$CV + c(-1.05, 1.05) * lowest$CV_se)
  }
  if (is.na(main)) {
    chosen <- x$table[best_row(criterion, x$table, x$nobs), ]
    main <- sprintf("%s: %s", criterion, model_text(chosen, dimension_of(x)))
  }
  if (is.null(sub)) {
    sub <- curves_note(curves, ylim)
    if (length(lowest)) sub <- paste0(sub, "; bar: standard error of the lowest")
  }
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, main = main, sub = sub, xaxt = "n", ...)
  axis(1, unique(curves$k))
  if (length(lowest)) draw_error(lowest$k, lowest$CV, lowest$CV_se)
  codes <- unique(curves$covariance)
  for (i in seq_along(codes)) {
    curve <- curves[curves$covariance == codes[i], ]
    lines(curve$k, curve$value, col = style$col[i], lty = style$lty[i], lwd = 1.5)
    points(curve$k, curve$value, col = style$col[i], pch = ifelse(curve$spurious, 4, style$pch[i]))
  }
  points(best$k[1L], best$value[1L], cex = 2.8, lwd = 2, xpd = NA)
}

# A bar of one standard error up and down, and a line across at its upper end.
draw_error <- function(k, value, error) {
  abline(h = value + error, lty = 2, col = "grey40")
  graphics::arrows(k, value - error, k, value + error, angle = 90, code = 3, length = 0.04,
                   col = "grey40")
}

# What the key shows: a line a family, the ring, and the cross where there is one.
select_key <- function(codes, d, spurious) {
  style <- family_style(codes)
  extra <- c("chosen", if (spurious) "spurious (too few rows)")
  list(labels = c(vapply(codes, family_label, "", d = d), extra),
       col = c(style$col, rep("black", length(extra))), lty = c(style$lty, rep(0L, length(extra))),
       pch = c(style$pch, 1, 4)[seq_len(length(codes) + length(extra))],
       size = rep(c(1, 1.8, 1), c(length(codes), 1L, spurious)))
}

# So many that the columns fit into a width in inches.
key_rows <- function(labels, width) {
  entry <- 0.8 * par("cin")[1L] * (0.62 * max(nchar(labels, "width"), 0) + 5)
  ceiling(length(labels) / max(1, floor(width / entry)))
}

# At the foot of the figure ("nfc") or of the device ("ndc").
draw_key <- function(key, foot) {
  legend(graphics::grconvertX(0.5, foot, "user"), graphics::grconvertY(0.01, foot, "user"),
         key$labels, col = key$col, lty = key$lty, pch = key$pch, pt.cex = key$size, lwd = 1.5,
         ncol = ceiling(length(key$labels) / key$rows), xjust = 0.5, yjust = 0, bty = "n",
         cex = 0.8, seg.len = 3, xpd = NA,
         text.width = max(strwidth(key$labels, cex = 0.8)) + strwidth("m"))
}

curves_note <- function(curves, ylim) {
  value <- curves$value[!is.na(curves$value)]
  counts <- c(above = sum(value > max(ylim)), below = sum(value < min(ylim)))
  if (all(counts == 0)) return("lower is better")
  parts <- sprintf("%s out of view %s", vapply(counts, plural, "", one = "value"), names(counts))
  paste(c("lower is better", parts[counts > 0]), collapse = "; ")
}
