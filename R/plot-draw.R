# Base graphics over the geometry of plot-geometry.R.

# Colour, symbol and type of line of each component. The numbers of colours and of symbols have no
# common factor, so that 56 components differ. Noise, or trimmed rows, are grey crosses.
component_style <- function(k, col = NULL, pch = NULL, noise = FALSE) {
  okabe_ito <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
                 "#999999")
  list(col = c(rep_len(if (is.null(col)) okabe_ito else col, k), if (noise) "grey45"),
       pch = c(rep_len(if (is.null(pch)) c(16, 17, 15, 3, 1, 2, 0) else pch, k), if (noise) 4),
       lty = c(rep_len(c(1, 5, 4, 2, 6), k), if (noise) 3))
}

# Size and shade of rows by their uncertainty, on a scale that ends at 0.5.
uncertainty_style <- function(uncertainty) {
  share <- pmin(uncertainty / 0.5, 1)
  list(cex = 0.5 + 1.1 * sqrt(share), col = grDevices::grey(0.78 * (1 - share)))
}

# From light to dark, also in grey.
shade_colours <- function(n) rev(grDevices::hcl.colors(n + 2L, "Blues 3"))[1L + seq_len(n)]

draw_mixture <- function(x, dims, view, main = NULL, sub = NULL, ...) {
  if (is.null(main)) main <- plot_title(x)
  if (is.null(sub)) sub <- plot_note(x, dims, view)
  draw <- if (length(dims) <= 2L) draw_panel else draw_matrix
  draw(x, dims, view, main = main, sub = sub, ...)
}

# Value: for a pair of variables the grid that its contours were drawn from.
draw_panel <- function(x, dims, view, ...) {
  one <- if (view$what == "uncertainty") draw_uncertain else draw_curves
  draw <- if (length(dims) == 2L) draw_scatter else one
  drawn <- draw(x, dims, view, ...)
  draw_layer(view$marks, dims)
  invisible(drawn)
}

draw_layer <- function(layer, dims) if (!is.null(layer)) layer(dims)

# An empty panel, with a `key` (see draw_key_above()) between it and its title. The line below
# shrinks where it is too long.
draw_frame <- function(xlim, ylim, ..., main = "", sub = "", key = NULL) {
  cex_sub <- if (is.character(sub) && any(nzchar(sub))) {
    wide <- max(strwidth(sub, "inches", cex = 0.8))
    room <- par("pin")[1L] + 2 * min(par("mai")[c(2L, 4L)])
    0.8 * max(0.6, min(1, 0.94 * room / wide))
  } else {
    0.8
  }
  titled <- length(key$labels) == 0L
  plot(xlim, ylim, type = "n", cex.sub = cex_sub, col.sub = "grey30", ..., sub = sub,
       main = if (titled) main else "")
  if (titled) return(invisible())
  lines <- draw_key_above(key)
  of_title <- list(...)[c("cex.main", "col.main", "font.main", "family")]
  if (isFALSE(list(...)$ann)) return(invisible())
  do.call(title, c(list(main = main, line = lines + 0.8), Filter(Negate(is.null), of_title)))
}

# Explains colours, symbols and lines in the margin above the panel, in up to two rows; of many, the
# first. `key`: `labels`, and `col`, `pch`, `lty`, `cex` of their symbols. Value: its height, in
# lines.
draw_key_above <- function(key) {
  size <- 0.8
  seg_len <- if (any(key$lty > 1)) 2.6 else 1.2 # as long as a dash needs
  entry <- max(strwidth(key$labels, "inches", cex = size)) + 0.3 + 0.12 * seg_len
  columns <- max(1, floor(0.97 * par("fin")[1L] / entry))
  rows <- max(1, min(2, ceiling(length(key$labels) / columns), floor(par("mar")[3L] - 2)))
  shown <- seq_len(min(length(key$labels), rows * columns))
  labels <- key$labels[shown]
  if (length(shown) < length(key$labels)) labels[length(labels)] <- "..."
  columns <- ceiling(length(shown) / rows)
  usr <- par("usr")
  legend(mean(usr[1:2]), usr[4L], labels, col = key$col[shown], pch = key$pch[shown],
         lty = key$lty[shown], pt.cex = key$cex[shown], lwd = 2, ncol = columns, cex = size,
         xjust = 0.5, yjust = 0, bty = "n", xpd = NA, seg.len = seg_len, x.intersp = 0.7,
         text.width = max(strwidth(labels, cex = size)) + strwidth("m"))
  rows * size
}

# What explains a panel: components by their symbols, or by `line` where there are only lines; sizes
# of uncertainty; shades. Components of one of `view$groups` are one.
component_key <- function(x, view, line) {
  if (!view$legend) return(NULL)
  if (view$what == "uncertainty") {
    at <- c(0, 0.1, 0.25, 0.5)
    style <- uncertainty_style(at)
    return(list(labels = paste("uncertainty", number_text(at)), col = style$col, pch = rep(16, 4),
                lty = rep(0, 4), cex = style$cex))
  }
  if (view$what == "density") {
    shares <- sort(view$contours)
    if (line || !length(shares)) return(NULL)
    n <- length(shares)
    return(list(labels = paste(number_text(100 * shares), "%"), col = rev(shade_colours(n)),
                pch = rep(15, n), lty = rep(0, n), cex = rep(1.5, n)))
  }
  names <- if (is.null(view$groups)) rownames(x$means) else view$groups
  first <- which(!duplicated(names))
  names <- names[first]
  if (all(nchar(names) <= 2L)) names <- paste("component", names)
  if (!is.null(x$noise)) {
    names <- c(names, "noise")
    first <- c(first, x$k + 1L)
  }
  if (!line && "trimmed" %in% levels(view$rows$class)) {
    names <- c(names, "trimmed")
    first <- c(first, x$k + 1L)
  }
  k <- length(first)
  if (k == 1L) return(NULL)
  symbols <- !line && view$rows$n > 0
  key <- list(labels = names, col = view$style$col[first], cex = rep(1, k),
              pch = if (symbols) view$style$pch[first] else rep(NA, k),
              lty = if (line) view$style$lty[first] else rep(1 - symbols, k))
  if (line) {
    key <- Map(c, list(labels = "mixture", col = "grey20", cex = 1, pch = NA, lty = 1), key)
  }
  key
}

draw_curves <- function(x, dim, view, ..., xlim = plot_limits(x, dim, view$rows, view$ellipses),
                        ylim = NULL, xlab = colnames(x$means)[dim], ylab = "density",
                        labels = rownames(x$means)) {
  rows <- view$rows
  curves <- plot_curves(x, dim, xlim)
  bins <- if (rows$n >= 5) { # fewer make no histogram
    plot_bins(rows$values[, dim], rows$weights, bin_width(x, dim, rows$n))
  }
  if (is.null(ylim)) ylim <- c(0, view$headroom * max(curves$density, bins$heights))
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, yaxs = "i", ...,
             key = component_key(x, view, line = TRUE))
  parted <- view$what == "classification"
  draw_bins(bins, "grey92")
  draw_layer(view$fill, dim)
  if (rows$n > 0) {
    groups <- if (parted) split(rows$shown[, dim], rows$class) else list(rows$shown[, dim])
    col <- if (parted) view$style$col else "grey30"
    for (j in which(lengths(groups) > 0L)) {
      rug(groups[[j]], col = adjustcolor(col[j], 0.5), quiet = TRUE)
    }
  }
  lines(curves$x, curves$density, lwd = if (parted) 4 else 2.5, col = "grey20")
  if (parted) {
    for (j in seq_len(ncol(curves$components))) {
      lines(curves$x, curves$components[, j], col = view$style$col[j], lty = view$style$lty[j],
            lwd = 2)
    }
  }
  draw_layer(view$lines, dim)
  if (!parted) return(invisible())
  peaks <- cbind(x$means[, dim], apply(curves$components, 2L, max)[seq_len(x$k)])
  draw_means(peaks, labels, view$style$col)
}

draw_bins <- function(bins, col) {
  if (is.null(bins)) return()
  rect(bins$breaks[-length(bins$breaks)], 0, bins$breaks[-1L], bins$heights, col = col,
       border = "white")
}

# The rows' uncertainty against one variable; where it is the only one, the curve that they lie on.
draw_uncertain <- function(x, dim, view, ..., xlim = plot_limits(x, dim, view$rows), ylim = NULL,
                           xlab = colnames(x$means)[dim], ylab = "uncertainty", labels = NULL) {
  rows <- view$rows
  if (is.null(ylim)) ylim <- c(0, view$headroom * max(0.5, rows$uncertainty))
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, ...,
             key = component_key(x, view, line = FALSE))
  if (ncol(x$means) == 1L) {
    at <- plot_ticks(x, dim, par("usr")[1:2], even = 301L)
    lines(at, score(x, cbind(at), "uncertainty"), col = "grey60")
  }
  draw_uncertain_rows(cbind(rows$shown[, dim], rows$uncertainty), rows)
}

# The most uncertain ones on top.
draw_uncertain_rows <- function(at, rows) {
  order <- order(rows$uncertainty)
  style <- uncertainty_style(rows$uncertainty[order])
  points(at[order, , drop = FALSE], pch = 16, cex = (1 - 0.4 * crowd(rows)) * style$cex,
         col = style$col)
}

# From 0 (up to 100 rows) to 1 (10,000): the more rows, the smaller and the more transparent.
crowd <- function(rows) min(1, log10(max(nrow(rows$shown), 100) / 100) / 2)

draw_scatter <- function(x, dims, view, ...,
                         xlim = plot_limits(x, dims[1L], view$rows, view$ellipses),
                         ylim = plot_limits(x, dims[2L], view$rows, view$ellipses),
                         xlab = colnames(x$means)[dims[1L]], ylab = colnames(x$means)[dims[2L]],
                         labels = rownames(x$means)) {
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, ..., key = component_key(x, view, line = FALSE))
  usr <- par("usr")
  style <- view$style
  coloured <- view$what == "classification"
  grid <- view$grid
  if (length(view$contours)) {
    if (is.null(grid)) grid <- plot_density_grid(x, dims, xlim, ylim, view$contours)
    if (view$what == "density") draw_shades(grid)
  }
  draw_layer(view$fill, dims)
  rows <- view$rows
  if (rows$n > 0) {
    at <- rows$shown[, dims, drop = FALSE]
    if (view$what == "uncertainty") {
      draw_uncertain_rows(at, rows)
    } else {
      j <- if (coloured) as.integer(rows$class) else 1L
      col <- if (coloured) style$col else "black"
      points(at, pch = if (coloured) style$pch[j] else 16,
             cex = (0.9 - 0.5 * crowd(rows)) * (if (coloured) 1 else 0.6),
             col = adjustcolor(col, (if (coloured) 0.75 else 0.5) - 0.4 * crowd(rows))[j])
    }
  }
  if (length(view$contours)) draw_contours(grid, coloured, crowd(rows))
  if (view$boundaries) draw_boundaries(plot_boundaries(x, dims, usr[1:2], usr[3:4]))
  draw_layer(view$lines, dims)
  for (share in view$ellipses) {
    for (j in seq_len(x$k)) {
      lines(plot_ellipse(x, j, share, dims), col = style$col[j], lwd = view$lwd)
    }
  }
  if (view$what != "density") {
    draw_means(x$means[, dims, drop = FALSE], labels, if (coloured) style$col else "grey30")
  }
  invisible(grid)
}

# Grey, to stay behind what is coloured; black with a white edge where many rows lie below.
draw_contours <- function(grid, coloured, crowd) {
  draw <- function(...) {
    contour(grid, levels = grid$levels, drawlabels = FALSE, add = TRUE, ...)
  }
  many <- crowd > 0.6
  if (many) draw(col = adjustcolor("white", 0.7), lwd = 2.5)
  draw(col = if (!coloured) "grey25" else if (many) "black" else "grey55")
}

draw_shades <- function(grid) {
  levels <- sort(unique(grid$levels))
  .filled.contour(grid$x, grid$y, grid$z, c(levels, 2 * max(grid$z)),
                  shade_colours(length(levels)))
}

draw_boundaries <- function(boundaries) {
  for (line in split(boundaries[1:2], boundaries$line)) {
    lines(line, lty = 2, lwd = 1.3, col = "grey15")
  }
}

# A disc at each mean: with the component's name where that is short, else the name stands above it,
# unless it would run into another one. Labels "": discs alone.
draw_means <- function(at, labels, col) {
  within <- nchar(labels) %in% 1:2
  size <- ifelse(within, 2.4, 1.2)
  points(at, pch = 16, cex = size + 0.7, col = "white")
  points(at, pch = 21, cex = size, bg = "white", col = col, lwd = 2)
  if (any(within)) text(at[within, , drop = FALSE], labels[within], cex = 0.75, font = 2)
  above <- which(nchar(labels) > 2L)
  for (j in above[apart(at[above, , drop = FALSE], labels[above])]) {
    for (angle in seq(0, 2 * pi, length.out = 13L)[-1L]) {
      x <- at[j, 1L] + xinch(0.02 * cos(angle), FALSE)
      y <- at[j, 2L] + yinch(0.02 * sin(angle), FALSE)
      text(x, y, labels[j], pos = 3, font = 2, col = "white")
    }
    text(at[j, 1L], at[j, 2L], labels[j], pos = 3, font = 2)
  }
}

# Which of some labels, each drawn at a point, don't overlap one before them that is kept.
apart <- function(at, labels) {
  width <- strwidth(labels, font = 2)
  height <- strheight("M", font = 2)
  kept <- logical(length(labels))
  for (j in seq_along(labels)) {
    near <- abs(at[, 1L] - at[j, 1L]) < (width + width[j]) / 2 &
      abs(at[, 2L] - at[j, 2L]) < 1.4 * height
    kept[j] <- !any(near & kept)
  }
  kept
}

# Panel (i, j) shows variable j across and variable i upwards. Limits and labels of axes are for
# single panels, and stop here.
draw_matrix <- function(x, dims, view, main, sub, ..., xlim, ylim, xlab, ylab) {
  m <- length(dims)
  labels <- rownames(x$means)
  key <- component_key(x, view, line = FALSE)
  if (any(nchar(labels) > 2L)) labels[] <- ""
  view$legend <- FALSE
  view$headroom <- 1.5
  view$lwd <- 1.3
  old <- par(mfrow = c(m, m), mar = c(0.3, 0.3, 0.3, 0.3), oma = c(5, 4, 5, 4))
  on.exit(par(old))
  grids <- vector("list", m * m) # panel (i, j)'s at i + m (j - 1)
  for (i in seq_len(m)) {
    for (j in seq_len(m)) {
      view$grid <- grids[[i + m * (j - 1L)]]
      grid <- draw_panel(x, if (i == j) dims[i] else dims[c(j, i)], view, labels = labels,
                         xlab = "", ylab = "", xaxt = "n", yaxt = "n", ...)
      if (i < j && !is.null(grid)) grids[[j + m * (i - 1L)]] <- transpose_grid(grid)
      if (i == j) mtext(colnames(x$means)[dims[i]], line = -1.3, font = 2, cex = 0.7)
      if (i == m) axis(1)
      if (j == 1L && i > 1L) axis(2, las = 1)
      if (j == m && i == 1L) axis(4, las = 1)
    }
  }
  title(main = main, outer = TRUE, line = 3)
  mtext(sub, side = 1, outer = TRUE, line = 3, cex = 0.7, col = "grey30")
  if (length(key$labels)) {
    par(mfrow = c(1, 1), mai = c(0, 0, 0, 0) + par("omi")[3L], omi = c(0, 0, 0, 0), new = TRUE)
    plot.new()
    draw_key_above(key)
  }
}

# ---- the fit's course ------------------------------------------------------------------

objective_label <- function(x) {
  if (identical(x$objective, x$loglik)) "log-likelihood" else "objective"
}

# Two panels; limits and labels of axes are for single ones, and stop here.
draw_trace <- function(x, legend, main, sub, ..., xlim, ylim, xlab, ylab) {
  trace <- plot_trace(x)
  if (is.null(main)) main <- plot_title(x)
  if (is.null(sub)) sub <- convergence_text(x)
  old <- par(mfrow = c(1, 2), mar = c(4.5, 4.2, 1, 1), oma = c(1.5, 0, 3, 0))
  on.exit(par(old))
  what <- objective_label(x)
  colour <- component_style(1L)$col
  draw_frame(range(trace$iteration), range(trace$objective), xlab = "iteration", ylab = what, ...)
  lines(trace$iteration, trace$objective, col = colour, lwd = 2)
  gap <- trace[trace$gap > 0, ]
  if (nrow(gap)) {
    draw_frame(range(trace$iteration), range(gap$gap), log = "y", xlab = "iteration",
               ylab = paste(what, "still to gain"), ...)
    lines(gap$iteration, gap$gap, col = colour, lwd = 2)
    if (nrow(gap) <= 50L) points(gap$iteration, gap$gap, col = colour, pch = 16, cex = 0.7)
  }
  title(main = main, outer = TRUE, line = 1)
  mtext(sub, side = 1, outer = TRUE, line = 0, cex = 0.8, col = "grey30")
}

draw_starts <- function(x, legend, main, sub, ..., xlim = c(0.5, nrow(starts) + 0.5), ylim = NULL,
                        xlab = "start", ylab = objective_label(x)) {
  starts <- plot_starts(x)
  if (is.null(main)) main <- plot_title(x)
  if (is.null(sub)) sub <- paste0(convergence_text(x), "; dashed: the fit")
  if (is.null(ylim)) {
    ylim <- extendrange(c(x$objective, starts$objective[starts$status != "failed"]))
  }
  used <- intersect(names(start_symbols), starts$status)
  key <- if (legend) {
    ring <- any(starts$kept)
    list(labels = c(used, "kept"[ring]), pch = c(start_symbols[used], 1[ring]),
         col = c(start_colours[used], "black"[ring]), lty = rep(0, length(used) + ring),
         cex = c(rep(1, length(used)), 1.8[ring]))
  }
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, main = main, sub = sub, key = key, xaxt = "n",
             ...)
  place <- seq_len(nrow(starts))
  if (!isFALSE(list(...)$axes)) axis(1, place, starts$start)
  abline(h = x$objective, lty = 2, col = "grey40")
  status <- as.character(starts$status)
  height <- ifelse(status == "failed", par("usr")[3L], starts$objective)
  points(place, height, pch = start_symbols[status], col = start_colours[status], cex = 1.1,
         xpd = TRUE)
  points(place[starts$kept], height[starts$kept], cex = 2.6, lwd = 2)
}

start_symbols <- c(converged = 16, "not converged" = 1, "short run" = 20, spurious = 17, failed = 4)
start_colours <- c(converged = "#0072B2", "not converged" = "#0072B2", "short run" = "#999999",
                   spurious = "#D55E00", failed = "#000000")
