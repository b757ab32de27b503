#' Plot a Gaussian mixture
#'
#' One variable: a histogram of the rows, the density of the mixture (black) and each component's
#' part of it (coloured), and the rows as a rug. Two variables: the rows by the component that they
#' most likely come from, each with a colour and a symbol; the components' means; contours of the
#' mixture's density. More: a matrix of such panels, one variable plots on its diagonal. What is
#' drawn of fewer variables than the mixture has is the marginal mixture; the rows are assigned by
#' all variables.
#'
#' Each contour is the edge of the smallest region that holds the stated share of the mixture's
#' probability. A mixture without data, by [gmm_params()] or where `gmm_control(keep = FALSE)`
#' dropped them, is drawn without rows, as far as three standard deviations from the means.
#'
#' @param x A fit by [gmm()], or a mixture by [gmm_params()].
#' @param dims Names or numbers of the variables to draw. By default all, but at most the first
#'   four.
#' @param ... Graphical parameters: `xlim`, `ylim`, `xlab`, `ylab` (where one panel is drawn),
#'   `asp`, `las`, `bty`, `family`, `tck`, `tcl`, `mgp`, `axes`, `ann`, and `cex.`, `col.` and
#'   `font.` with `axis`, `lab` and `main`; see [graphics::par()].
#' @param contours Shares of the probability that the contours enclose, between 0 and 1; `NULL` for
#'   no contours.
#' @param max_rows The number of rows drawn at most. Of more, equally spaced ones are drawn, and the
#'   line below the picture says so. The histogram counts all.
#' @param col,pch Colours and symbols of the components, recycled. By default the palette of Okabe
#'   and Ito, which most colour-blind people can tell apart.
#' @param main,sub Title and the line below the picture; `""` for none.
#' @return `x`, invisibly.
#' @section Errors:
#' `gaussmix_error_argument` for variables that the mixture doesn't have, shares that are not
#' between 0 and 1, and graphical parameters that are not in the list above.
#' @references Okabe, M. and Ito, K. (2008) *Color universal design: how to make figures and
#'   presentations that are friendly to colorblind people.*
#'
#'   Hyndman, R. J. (1996) Computing and graphing highest density regions. *The American
#'   Statistician* 50, 120-126. \doi{10.1080/00031305.1996.10474359}
#' @seealso [predict.gaussmix()] for what is drawn, as numbers.
#' @examples
#' fit <- gmm(faithful, k = 2)
#' plot(fit)
#' plot(fit, dims = "waiting", main = "Old Faithful", xlab = "minutes to the next eruption")
#' plot(gmm(iris[1:4], k = 3))
#' @importFrom graphics axis box contour legend lines mtext par plot.new points rect rug text title
#' @importFrom graphics xinch yinch
#' @importFrom grDevices adjustcolor extendrange
#' @export
plot.gaussmix <- function(x, dims = NULL, ..., contours = c(0.25, 0.5, 0.75, 0.95),
                          max_rows = 10000, col = NULL, pch = NULL, main = NULL, sub = NULL) {
  validate_gmm(x)
  dims <- plot_dims(x, dims)
  check_contours(contours)
  max_rows <- check_whole(max_rows, min = 0)
  check_graphical(...names())
  style <- component_style(x$k, col, pch)
  rows <- plot_rows(x, max_rows)
  if (is.null(main)) main <- plot_title(x)
  if (is.null(sub)) sub <- plot_note(x, dims, rows, if (length(dims) > 1L) contours)

  draw <- if (length(dims) <= 2L) draw_panel else draw_matrix
  draw(x, dims, rows, contours, style, main = main, sub = sub, ...)
  invisible(x)
}

check_contours <- function(contours) {
  if (is.null(contours)) return()
  if (!is.numeric(contours) || anyNA(contours) || any(contours <= 0 | contours >= 1)) {
    gmm_abort("argument", must_be("contours", "numbers between 0 and 1", contours))
  }
}

check_graphical <- function(names) {
  of_text <- outer(c("cex", "col", "font"), c("axis", "lab", "main"), paste, sep = ".")
  known <- c("xlim", "ylim", "xlab", "ylab", "asp", "las", "bty", "family", "tck", "tcl", "mgp",
             "axes", "ann", of_text)
  unknown <- setdiff(names, known)
  if (length(unknown)) {
    gmm_abort("argument", sprintf("%s is not an argument of plot().", backtick(unknown[1L])),
              did_you_mean(unknown[1L], c(known, names(formals(plot.gaussmix))), backtick))
  }
}

# ---- geometry: plain numbers, for every drawing library --------------------------------

plot_dims <- function(x, dims) {
  names <- colnames(x$means)
  if (is.null(dims)) return(seq_len(min(length(names), 4L)))
  found <- if (is.character(dims)) match(dims, names) else match(dims, seq_along(names))
  if (length(found) == 0L || anyNA(found) || anyDuplicated(found)) {
    gmm_abort("argument", must_be("dims", "distinct names or numbers of variables", dims),
              sprintf("The variables are %s.", some(backtick(names), 20L)))
  }
  found
}

# The mixture of some of the variables.
plot_marginal <- function(x, dims) {
  gmm_params(x$proportions, x$means[, dims, drop = FALSE],
             x$covariances[dims, dims, , drop = FALSE])
}

# The rows that have weight, `shown` of them drawn: equally spaced in the order of the data.
plot_rows <- function(x, max_rows) {
  values <- x$x
  if (is.null(values)) return(list(n = 0, shown = integer(), class = factor()))
  counted <- if (is.null(x$weights)) seq_len(nrow(values)) else which(x$weights > 0)
  n <- length(counted)
  shown <- if (n > max_rows) counted[round(seq(1, n, length.out = max_rows))] else counted
  list(n = n, values = values[counted, , drop = FALSE], weights = x$weights[counted],
       shown = values[shown, , drop = FALSE],
       class = predict(x, values[shown, , drop = FALSE], type = "class"))
}

# Where variable `dim` is drawn: around all rows; without rows, means +/- 3 standard deviations.
plot_limits <- function(x, dim, rows) {
  if (rows$n > 0) return(extendrange(rows$values[, dim]))
  sds <- sqrt(x$covariances[dim, dim, ])
  range(x$means[, dim] - 3 * sds, x$means[, dim] + 3 * sds)
}

# Points along variable `dim` at which the density is evaluated: evenly over the limits, and densely
# around each mean, however narrow its component, out to where its density is nothing. For many
# components these are more than a picture needs: they are thinned out, evenly in their order.
plot_ticks <- function(x, dim, limits, even = 101L, around = max(9L, 240L %/% x$k)) {
  sds <- sqrt(x$covariances[dim, dim, ])
  steps <- c(-8:-5, seq(-4, 4, length.out = around), 5:8)
  ticks <- sort(unique(c(seq(limits[1], limits[2], length.out = even),
                         outer(sds, steps) + x$means[, dim])))
  most <- even + 300L
  if (length(ticks) <= most) ticks else ticks[round(seq(1, length(ticks), length.out = most))]
}

# The density of one variable: `density` of the mixture, `components` (a column each) its parts.
plot_curves <- function(x, dim, limits) {
  at <- plot_ticks(x, dim, limits, even = 301L)
  parts <- exp(predict(plot_marginal(x, dim), at, type = "component"))
  list(x = at, density = rowSums(parts), components = parts)
}

# The histogram of one variable as a density: `breaks` and `heights`.
plot_bins <- function(values, weights = NULL, max_bins = 100) {
  breaks <- pretty(range(values), min(grDevices::nclass.FD(values), max_bins))
  if (is.null(weights)) weights <- rep(1, length(values))
  bin <- findInterval(values, breaks, rightmost.closed = TRUE, left.open = TRUE)
  counts <- tapply(weights, factor(bin, seq_len(length(breaks) - 1L)), sum, default = 0)
  list(breaks = breaks, heights = as.vector(counts) / sum(weights) / diff(breaks))
}

# The density of two variables on a grid (`z`, as contour() takes it), and the `levels` whose
# contours enclose the shares of probability asked for.
plot_density_grid <- function(x, dims, xlim, ylim, shares) {
  ticks_x <- plot_ticks(x, dims[1], xlim)
  ticks_y <- plot_ticks(x, dims[2], ylim)
  points <- cbind(rep(ticks_x, length(ticks_y)), rep(ticks_y, each = length(ticks_x)))
  colnames(points) <- colnames(x$means)[dims]
  z <- matrix(dgmm(points, plot_marginal(x, dims)), length(ticks_x))
  mass <- z * outer(cell_widths(ticks_x), cell_widths(ticks_y))
  decreasing <- order(z, decreasing = TRUE)
  enclosed <- cumsum(mass[decreasing]) / sum(mass)
  at <- findInterval(shares, enclosed) + 1L
  list(x = ticks_x, y = ticks_y, z = z, levels = z[decreasing][at], shares = shares)
}

# The length of line nearest to each of some increasing points.
cell_widths <- function(ticks) {
  middles <- (ticks[-1L] + ticks[-length(ticks)]) / 2
  diff(c(ticks[1L], middles, ticks[length(ticks)]))
}

# ---- words -----------------------------------------------------------------------------

plot_title <- function(x) {
  sprintf("%s, %s", plural(x$k, "component"), family_label(x$covariance, ncol(x$means)))
}

plot_note <- function(x, dims, rows, contours) {
  count <- function(n) format(n, big.mark = ",", scientific = FALSE)
  drawn <- NROW(rows$shown)
  parts <- c(
    if (rows$n > drawn) sprintf("%s of %s rows shown", count(drawn), count(rows$n)),
    if (length(dims) > 2L && length(dims) < ncol(x$means)) {
      sprintf("%d of %d variables", length(dims), ncol(x$means))
    },
    if (length(contours)) {
      shares <- number_text(sort(100 * contours))
      last <- length(shares)
      shares <- paste(c(paste(shares[-last], collapse = ", ")[last > 1L], shares[last]),
                      collapse = " and ")
      sprintf("contours enclose %s %% of the probability", shares)
    }
  )
  paste(parts, collapse = "; ")
}

# ---- drawing ---------------------------------------------------------------------------

# Colour and symbol of each component. The numbers of colours and of symbols have no common factor,
# so that 56 components differ.
component_style <- function(k, col = NULL, pch = NULL) {
  okabe_ito <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
                 "#999999")
  list(col = rep_len(if (is.null(col)) okabe_ito else col, k),
       pch = rep_len(if (is.null(pch)) c(16, 17, 15, 3, 1, 2, 0) else pch, k))
}

draw_panel <- function(x, dims, rows, contours, style, ...) {
  if (length(dims) == 1L) {
    draw_curves(x, dims, rows, style, ...)
  } else {
    draw_scatter(x, dims, rows, contours, style, ...)
  }
}

draw_frame <- function(xlim, ylim, ...) {
  plot(xlim, ylim, type = "n", cex.sub = 0.8, col.sub = "grey30", ...)
}

# `headroom`: the height of the panel in units of what it shows.
draw_curves <- function(x, dim, rows, style, ..., xlim = plot_limits(x, dim, rows), ylim = NULL,
                        xlab = colnames(x$means)[dim], ylab = "density", headroom = 1.06,
                        labels = rownames(x$means)) {
  curves <- plot_curves(x, dim, xlim)
  bins <- if (rows$n > 0) plot_bins(rows$values[, dim], rows$weights)
  if (is.null(ylim)) ylim <- c(0, headroom * max(curves$density, bins$heights))
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, yaxs = "i", ...)
  if (rows$n > 0) {
    rect(bins$breaks[-length(bins$breaks)], 0, bins$breaks[-1L], bins$heights,
         col = "grey92", border = "white")
    for (j in seq_len(x$k)) {
      of_class <- rows$shown[as.integer(rows$class) == j, dim]
      if (length(of_class)) rug(of_class, col = adjustcolor(style$col[j], 0.5), quiet = TRUE)
    }
  }
  lines(curves$x, curves$density, lwd = 4, col = "grey20")
  for (j in seq_len(x$k)) lines(curves$x, curves$components[, j], col = style$col[j], lwd = 2)
  peaks <- cbind(x$means[, dim], apply(curves$components, 2L, max))
  draw_means(peaks, labels, style$col)
}

draw_scatter <- function(x, dims, rows, contours, style, ..., xlim = plot_limits(x, dims[1], rows),
                         ylim = plot_limits(x, dims[2], rows), xlab = colnames(x$means)[dims[1]],
                         ylab = colnames(x$means)[dims[2]], labels = rownames(x$means)) {
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, ...)
  if (rows$n > 0) {
    # The more rows, the smaller and the more transparent.
    crowd <- min(1, log10(max(nrow(rows$shown), 100) / 100) / 2)
    j <- as.integer(rows$class)
    points(rows$shown[, dims, drop = FALSE], pch = style$pch[j], cex = 0.9 - 0.5 * crowd,
           col = adjustcolor(style$col, 0.75 - 0.4 * crowd)[j])
  }
  if (length(contours)) {
    grid <- plot_density_grid(x, dims, xlim, ylim, contours)
    contour(grid, levels = grid$levels, drawlabels = FALSE, add = TRUE, col = "grey25")
  }
  draw_means(x$means[, dims, drop = FALSE], labels, style$col)
}

# A disc at each mean: with the component's name where that is short, else the name stands above it.
# Labels "": discs alone.
draw_means <- function(at, labels, col) {
  within <- nchar(labels) %in% 1:2
  above <- nchar(labels) > 2L
  size <- ifelse(within, 2.4, 1.2)
  points(at, pch = 16, cex = size + 0.7, col = "white")
  points(at, pch = 21, cex = size, bg = "white", col = col, lwd = 2)
  if (any(within)) text(at[within, , drop = FALSE], labels[within], cex = 0.75, font = 2)
  for (j in which(above)) {
    for (angle in seq(0, 2 * pi, length.out = 13L)[-1L]) {
      x <- at[j, 1L] + xinch(0.02 * cos(angle), FALSE)
      y <- at[j, 2L] + yinch(0.02 * sin(angle), FALSE)
      text(x, y, labels[j], pos = 3, font = 2, col = "white")
    }
    text(at[j, 1L], at[j, 2L], labels[j], pos = 3, font = 2)
  }
}

# Panel (i, j) shows variable j across and variable i upwards. Limits and labels of axes are for
# single panels, and stop here.
draw_matrix <- function(x, dims, rows, contours, style, main, sub, ..., xlim, ylim, xlab, ylab) {
  m <- length(dims)
  labels <- rownames(x$means)
  with_legend <- any(nchar(labels) > 2L)
  if (with_legend) labels[] <- ""
  old <- par(mfrow = c(m, m), mar = c(0.3, 0.3, 0.3, 0.3), oma = c(5, 4, 5, 4))
  on.exit(par(old))
  for (i in seq_len(m)) {
    for (j in seq_len(m)) {
      if (i == j) {
        draw_curves(x, dims[i], rows, style, labels = labels, headroom = 1.5, xlab = "", ylab = "",
                    xaxt = "n", yaxt = "n", ...)
        mtext(colnames(x$means)[dims[i]], line = -1.3, font = 2, cex = 0.7)
      } else {
        draw_scatter(x, dims[c(j, i)], rows, contours, style, labels = labels, xlab = "", ylab = "",
                     xaxt = "n", yaxt = "n", ...)
      }
      if (i == m) axis(1)
      if (j == 1L && i > 1L) axis(2)
      if (j == m && i == 1L) axis(4)
    }
  }
  title(main = main, outer = TRUE, line = 3)
  mtext(sub, side = 1, outer = TRUE, line = 3, cex = 0.7, col = "grey30")
  if (with_legend) {
    par(mfrow = c(1, 1), mai = c(0, 0, 0.45 * par("omi")[3L], 0), omi = c(0, 0, 0, 0), new = TRUE)
    plot.new()
    legend("top", rownames(x$means), col = style$col, pch = style$pch, bty = "n", cex = 0.8,
           ncol = min(x$k, 6L))
  }
}
