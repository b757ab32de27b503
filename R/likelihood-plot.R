# The picture of gmm_likelihood().

#' Plot a likelihood
#'
#' Four panels show that density and likelihood are two cuts through one function:
#'
#' 1. the function f(x; theta), as contours over x and theta, with the cut at the chosen theta and
#'    the cuts at the rows observed (at most five; of more, ticks on the axis, at most 1000);
#' 2. the first cut: the density of x at that theta, and the probability of an interval as an area;
#' 3. the second cut: the likelihood of theta with its maximum; of several rows the product of their
#'    cuts. With a prior: likelihood, prior and posterior, each with the area 1, and the
#'    posterior's mode;
#' 4. the log-likelihood with its maximum.
#'
#' The first two are for mixtures in one dimension; in more, the last two are drawn.
#'
#' @param x An object of class `"gmm_likelihood"`, by [gmm_likelihood()].
#' @param at The theta of the density, within the range of `theta`. By default the
#'   maximum-likelihood estimate.
#' @param interval The interval whose probability is shown: two increasing numbers, which may be
#'   infinite. By default from the first to the third quartile.
#' @param ... Graphical parameters: `las`, `bty`, `family`, `tck`, `tcl`, `mgp`, `axes`, `ann`, and
#'   `cex.`, `col.` and `font.` with `axis`, `lab` and `main`; see [graphics::par()].
#' @param which The numbers of the panels to draw. One panel is drawn as a plot of its own, so that
#'   it can be added to, or be part of a layout.
#' @param xlim Limits of the variable, in panels 1 and 2.
#' @param xlab Label of the variable.
#' @param parameter Label of theta: text, or an expression as in [grDevices::plotmath], such as
#'   `quote(sigma)`.
#' @param legend `TRUE` or `FALSE`: explain the curves of likelihood, prior and posterior?
#' @param main,sub Titles of the panels drawn, and the lines below them: one for each, or one for
#'   all; `""` for none.
#' @return `x`, invisibly.
#' @section Errors: `gaussmix_error_argument` for values out of range, panels that can't be drawn,
#'   and graphical parameters that are not in the list above.
#' @examples
#' model <- function(theta) gmm_params(c(0.5, 0.5), c(-4, 1), c(theta, theta)^2)
#' theta <- seq(0.4, 5, by = 0.02)
#' plot(gmm_likelihood(model, x = 2.5, theta), at = 1.3, interval = c(-2, 2))
#'
#' # one panel, with a prior
#' lik <- gmm_likelihood(model, c(2.5, -4.8), theta, prior = function(t) dgamma(t, 4, 4))
#' plot(lik, which = 3, parameter = quote(sigma))
#' @importFrom graphics .filled.contour polygon segments
#' @export
plot.gmm_likelihood <- function(x, at = NULL, interval = NULL, ..., which = NULL, xlim = NULL,
                                xlab = NULL, parameter = quote(theta), legend = TRUE, main = NULL,
                                sub = NULL) {
  check_graphical(...names(), but = c("ylim", "ylab", "asp"))
  which <- check_panels(which, ncol(x$x))
  view <- likelihood_view(x, at, interval, xlim, xlab, parameter)
  view$legend <- check_flag(legend)
  titles <- panel_titles(view, which, main, sub)
  draw <- list(draw_surface, draw_density, draw_likelihood, draw_loglik)
  if (length(which) > 1L) {
    rows <- if (length(which) > 2L) 2L else 1L
    old <- par(mfrow = c(rows, 2L), mar = c(5, 4.5, 3.5, 1.5))
    on.exit(par(old))
  }
  for (i in seq_along(which)) {
    draw[[which[i]]](view, main = titles$main[[i]], sub = titles$sub[[i]], ...)
  }
  invisible(x)
}

check_panels <- function(which, d) {
  possible <- if (d == 1L) 1:4 else 3:4
  if (is.null(which)) return(possible)
  if (!is.numeric(which) || length(which) == 0L || !all(which %in% possible)) {
    gmm_abort("argument", must_be("which", sprintf("numbers of panels, of %s",
                                                   paste(possible, collapse = ", ")), which),
              if (d > 1L) "Panels 1 and 2 are for mixtures in one dimension.")
  }
  which
}

# ---- geometry: plain numbers -----------------------------------------------------------

# What the panels share. In more than one dimension there is no x axis, hence no density.
likelihood_view <- function(x, at, interval, xlim, xlab, parameter) {
  range <- range(x$grid$theta)
  at <- if (is.null(at)) x$integral$at else check_number(at, min = range[1L], max = range[2L])
  view <- list(object = x, at = at, range = range, parameter = parameter, n = nrow(x$x),
               xlab = if (!is.null(xlab)) xlab else if (x$named) colnames(x$x)[1L] else "x",
               scale = likelihood_scale(x), points = theta_points(x))
  view$loglik <- x$loglik(view$points)
  if (ncol(x$x) > 1L) return(view)
  view$mixture <- x$model(at)
  view$interval <- if (is.null(interval)) {
    qgmm(c(0.25, 0.75), view$mixture)
  } else {
    check_increasing(interval, finite = FALSE)
  }
  view$probability <- pgmm(view$interval[2L], view$mixture, lower = view$interval[1L])
  view$xlim <- if (is.null(xlim)) variable_limits(view) else check_increasing(xlim)
  view
}

check_increasing <- function(x, arg = deparse1(substitute(x)), finite = TRUE) {
  force(arg)
  if (!is_plain_numeric(x) || length(x) != 2L || anyNA(x) || x[1L] >= x[2L] ||
        finite && !all(is.finite(x))) {
    expected <- paste0("two ", if (finite) "finite ", "numbers, the second larger")
    got <- if (is_plain_numeric(x) && length(x) == 2L) paste(number_text(x), collapse = " and ")
    gmm_abort("argument", if (is.null(got)) must_be(arg, expected, x)
              else sprintf("`%s` must be %s, not %s.", arg, expected, got))
  }
  as.double(x)
}

# Nearly all of the density at the chosen theta, the bulk of it at both ends of theta, the rows and
# the interval.
variable_limits <- function(view) {
  bulk <- lapply(view$range, function(theta) qgmm(c(0.1, 0.9), view$object$model(theta)))
  extendrange(c(qgmm(c(0.005, 0.995), view$mixture), unlist(bulk), view$object$x,
                view$interval[is.finite(view$interval)]))
}

# Where curves over theta are evaluated: evenly within each piece between the cuts.
theta_points <- function(x, n = 300L) {
  cuts <- x$cuts
  each <- max(25L, n %/% (length(cuts) - 1L))
  pieces <- lapply(seq_along(cuts[-1L]), function(i) seq(cuts[i], cuts[i + 1L], length.out = each))
  unique(unlist(pieces))
}

# f(x; theta) on a grid, as contour() takes it, and levels 1, 2, 5, 10, ... of some power of ten;
# none where the density is 0 on all of the grid.
surface_grid <- function(view) {
  x <- sort(unique(c(seq(view$xlim[1L], view$xlim[2L], length.out = 201L), view$mixture$means)))
  x <- x[x >= view$xlim[1L] & x <= view$xlim[2L]]
  theta <- sort(unique(c(seq(view$range[1L], view$range[2L], length.out = 81L), view$at)))
  z <- vapply(theta, function(at) dgmm(x, view$object$model(at)), x)
  top <- max(z)
  series <- if (top > 0) c(outer(c(1, 2, 5), 10^(floor(log10(top)) + -2:0)))
  list(x = x, y = theta, z = z, levels = series[series > top / 80 & series < top])
}

# Likelihood, prior and posterior over theta, as they are drawn. With a prior all have area 1.
likelihood_curves <- function(view) {
  x <- view$object
  theta <- view$points
  if (is.null(x$prior)) return(list(theta = theta, likelihood = exp(view$loglik - view$scale)))
  prior <- vapply(theta, x$prior, 0)
  widths <- cell_widths(theta)
  list(theta = theta, likelihood = exp(view$loglik - x$integral$log_theta),
       prior = prior / sum(prior * widths),
       posterior = prior * exp(view$loglik - x$integral$log_evidence))
}

# ---- words of the panels ---------------------------------------------------------------

panel_titles <- function(view, which, main, sub) {
  mains <- list("One function, two cuts", "Density: the parameter is fixed",
                "Likelihood: the data are fixed", "Log-likelihood")
  list(main = one_for_each(main, mains[which], "main"),
       sub = one_for_each(sub, panel_notes(view)[which], "sub"))
}

# Labels as given (text, one expression or several), else the default ones.
one_for_each <- function(given, default, arg) {
  if (is.null(given)) return(default)
  given <- if (is.language(given) && !is.expression(given)) list(given) else as.list(given)
  if (!length(given) %in% c(1L, length(default))) {
    gmm_abort("argument", sprintf("`%s` must have a label for each of the %s, not %d.", arg,
                                  plural(length(default), "panel"), length(given)))
  }
  rep_len(given, length(default))
}

panel_notes <- function(view) {
  x <- view$object
  number <- function(v) number_text(v, 4L)
  area <- number(exp(x$integral$log_theta - view$scale))
  top <- number(x$maxima$loglik[1L])
  likelihood <- maximum_note(x$mle, x$maxima, "likelihood", view)
  list(
    if (ncol(x$x) == 1L) meeting_note(view),
    if (ncol(x$x) == 1L) {
      sprintf("P(%s < %s < %s) = %s; the whole area is %s", number(view$interval[1L]),
              if (is.character(view$xlab)) view$xlab else "x", number(view$interval[2L]),
              number(view$probability), number(x$integral$x))
    },
    if (is.null(x$prior)) bquote(.(likelihood) * .(paste("; the area is", area)))
    else bquote(.(likelihood) * "; " * .(maximum_note(x$map, x$modes, "posterior", view))),
    if (is.na(x$mle)) likelihood
    else bquote(.(paste("maximum", top, "at")) ~ .(value_label(view, x$mle)))
  )
}

value_label <- function(view, theta) bquote(.(view$parameter) == .(number_text(theta, 4L)))

maximum_note <- function(theta, maxima, what, view) {
  if (is.na(theta)) return(sprintf("the %s is the same everywhere", what))
  name <- c(likelihood = "maximum likelihood", posterior = "posterior mode (MAP)")[[what]]
  where <- if (maxima$boundary[1L]) "at the end" else "at"
  bquote(.(paste(name, where)) ~ .(value_label(view, theta)))
}

meeting_note <- function(view) {
  if (view$n > few_rows) {
    ticks <- if (view$n > most_ticks) sprintf("%d of them ticks", most_ticks) else "ticks"
    return(sprintf("the cuts at the %s rows (%s) multiply to the likelihood",
                   count_text(view$n), ticks))
  }
  if (view$n > 1L) {
    return(sprintf("the %d dashed cuts multiply to the likelihood", view$n))
  }
  sprintf("diamond: f(%s; %s) = %s, on both cuts", number_text(view$object$x[1L], 4L),
          number_text(view$at, 4L), number_text(view$object$density(view$at)[1L], 4L))
}

# ---- panels ----------------------------------------------------------------------------

# As many rows have a cut each drawn; more are ticks, but not more than as many.
few_rows <- 5L
most_ticks <- 1000L

# The first cut is solid, the second dashed, here and in the panels that show them.
cut_style <- function() {
  col <- component_style(3L)$col
  list(density = list(col = col[1L], lty = 1), likelihood = list(col = col[2L], lty = 2),
       posterior = list(col = col[3L], lty = 1), prior = list(col = "grey35", lty = 3))
}

draw_curve <- function(x, y, style) lines(x, y, col = style$col, lty = style$lty, lwd = 2.5)

draw_surface <- function(view, ...) {
  grid <- surface_grid(view)
  style <- cut_style()
  draw_frame(view$xlim, view$range, xlab = view$xlab, ylab = view$parameter, xaxs = "i", yaxs = "i",
             ...)
  if (length(grid$levels)) {
    shades <- grDevices::grey(seq(1, 0.7, length.out = length(grid$levels) + 1L))
    .filled.contour(grid$x, grid$y, grid$z, c(0, grid$levels, max(grid$z)), shades)
    contour(grid, levels = grid$levels, add = TRUE, col = "grey25", lwd = 0.7, labcex = 0.7,
            vfont = NULL)
    box()
  }
  rows <- view$object$x[, 1L]
  if (view$n > few_rows) {
    shown <- unique(round(seq(1, view$n, length.out = min(view$n, most_ticks))))
    rug(rows[shown], col = adjustcolor(style$likelihood$col, 0.5), quiet = TRUE)
  } else {
    draw_cut(rows, view$range[1L], rows, view$range[2L], style$likelihood)
    labels <- number_text(rows, 4L)
    if (view$n == 1L) labels <- as.expression(bquote(.(view$xlab) == .(labels)))
    label_cut(3L, rows, labels, style$likelihood)
  }
  draw_cut(view$xlim[1L], view$at, view$xlim[2L], view$at, style$density)
  label_cut(4L, view$at, as.expression(value_label(view, view$at)),
            style$density)
  if (view$n == 1L) draw_diamond(rows, view$at)
}

# A line on a white edge, so that it is seen on any ground; at the edge of the panel too.
draw_cut <- function(x0, y0, x1, y1, style) {
  segments(x0, y0, x1, y1, lwd = 5, col = adjustcolor("white", 0.7), lend = 1)
  segments(x0, y0, x1, y1, lwd = 2.5, col = style$col, lty = style$lty, xpd = NA, lend = 1)
}

# In the margin, where nothing is in the way. axis() leaves out labels that would overlap.
label_cut <- function(side, at, labels, style) {
  axis(side, at, labels, tick = FALSE, mgp = c(3, 0.2, 0), las = 0, cex.axis = 0.85,
       col.axis = style$col)
}

# The point that both cuts share, on one of them, and where the other one crosses.
draw_diamond <- function(x, y, crossing = NULL) {
  if (!is.null(crossing)) segments(x, 0, x, y, col = crossing$col, lty = crossing$lty, lwd = 2.5)
  points(x, y, pch = 23, bg = "white", cex = 1.3, lwd = 2)
}

draw_density <- function(view, ...) {
  style <- cut_style()
  at <- plot_ticks(view$mixture, 1L, view$xlim, even = 301L)
  density <- dgmm(at, view$mixture)
  top <- max(density)
  draw_frame(view$xlim, c(0, 1.06 * top), xlab = view$xlab,
             ylab = bquote("density f(" * .(view$xlab) * "; " * .(number_text(view$at, 4L)) * ")"),
             xaxs = "i", yaxs = "i", ...)
  ends <- pmin(pmax(view$interval, view$xlim[1L]), view$xlim[2L])
  inside <- c(ends[1L], at[at > ends[1L] & at < ends[2L]], ends[2L])
  polygon(c(inside, rev(ends)), c(dgmm(inside, view$mixture), 0, 0), border = NA,
          col = adjustcolor(style$density$col, 0.3))
  draw_curve(at, density, style$density)
  row <- view$object$x[1L]
  if (view$n == 1L) draw_diamond(row, dgmm(row, view$mixture), style$likelihood)
  label <- number_text(view$probability, 3L)
  if (graphics::strwidth(label, font = 2) < diff(ends)) {
    text(mean(ends), 0.08 * top, label, font = 2)
  }
}

draw_likelihood <- function(view, ...) {
  x <- view$object
  curves <- likelihood_curves(view)
  styles <- cut_style()
  heights <- curves[-1L]
  draw_frame(view$range, c(0, 1.06 * max(unlist(heights))), xlab = view$parameter,
             ylab = likelihood_label(view), yaxs = "i", ...)
  for (name in rev(names(heights))) draw_curve(curves$theta, heights[[name]], styles[[name]])
  draw_peaks(x$mle, x$maxima, max(curves$likelihood), 16, styles$likelihood)
  if (is.null(x$prior)) {
    if (view$n == 1L) draw_diamond(view$at, exp(x$loglik(view$at) - view$scale), styles$density)
    return()
  }
  draw_peaks(x$map, x$modes, max(curves$posterior), 17, styles$posterior)
  if (!view$legend) return()
  styles <- styles[names(heights)]
  right <- curves$theta[which.max(curves$posterior)] < mean(view$range)
  legend(if (right) "topright" else "topleft", names(heights), lwd = 2.5, seg.len = 3, bty = "n",
         col = vapply(styles, `[[`, "", "col"), lty = vapply(styles, `[[`, 0, "lty"),
         pch = c(16, NA, 17), cex = 0.85)
}

likelihood_label <- function(view) {
  if (!is.null(view$object$prior)) return("density (area 1 each)")
  if (view$scale != 0) return("likelihood / maximum")
  if (view$n > 1L || ncol(view$object$x) > 1L) return("likelihood")
  bquote("likelihood f(" * .(number_text(view$object$x[1L], 4L)) * "; " * .(view$parameter) * ")")
}

# The best of some maxima, and those as high as it.
draw_peaks <- function(best, maxima, height, pch, style) {
  if (is.na(best)) return()
  theta <- maxima$theta[as_high(maxima)]
  segments(theta, par("usr")[3L], theta, height, lty = 3)
  points(theta, rep_len(height, length(theta)), pch = pch, cex = 1.4, col = style$col)
}

draw_loglik <- function(view, ...) {
  x <- view$object
  style <- cut_style()$likelihood
  top <- x$maxima$loglik[1L]
  draw_frame(view$range, c(loglik_floor(view), top), xlab = view$parameter,
             ylab = "log-likelihood", ...)
  draw_curve(view$points, view$loglik, style)
  draw_peaks(x$mle, x$maxima, top, 16, style)
}

# The log-likelihood may fall without bound. Shown is its upper part: twice the height that three
# quarters of the range of theta stay within.
loglik_floor <- function(view) {
  even <- seq(view$range[1L], view$range[2L], length.out = 41L)
  values <- stats::approx(view$points, finite(view$loglik), even)$y
  top <- max(view$loglik)
  max(min(values), top - 2 * (top - stats::quantile(values, 0.25, names = FALSE)))
}
