#' Plot a Gaussian mixture
#'
#' Five pictures of a mixture, and of the fit that led to it.
#'
#' * `"classification"`. One variable: a histogram of the rows, the density of the mixture (black)
#'   and each component's part of it (coloured), and the rows as a rug. Two variables: the rows by
#'   the component that they most likely come from, each with a colour and a symbol; the components'
#'   means and ellipses; contours of the mixture's density; dashed, the boundaries between the
#'   components, where the two most probable ones have equal posterior probabilities. Rows that
#'   `trim` left out are grey crosses.
#' * `"density"`. The density of the mixture alone: as a curve, or as shaded regions.
#' * `"uncertainty"`. The rows, the larger and darker the more uncertain: one minus the largest
#'   posterior probability. The scale ends at 0.5. One variable: uncertainty against the variable.
#' * `"trace"`. What EM raised, by iteration, and on a log scale what was left to gain up to the
#'   value at the end: a straight line is the steady pace at which EM ends.
#' * `"starts"`. What each start reached, the highest first, with the number of the start below; the
#'   one that was kept has a ring, and a dashed line is at what the fit reached, which may be more
#'   than all starts did (see the wide search in [gmm_control()]). Starts with a spurious component
#'   are kept only if all have one. Those that had only a short run, did not converge, or failed (at
#'   the lower edge) have symbols of their own.
#'
#' Of more than two variables, the first three draw a matrix of panels, one variable plots on its
#' diagonal. What is drawn of fewer variables than the mixture has is the marginal mixture, exactly;
#' class and uncertainty of the rows are by all variables, so that boundaries among some of them
#' don't separate the classes and are drawn on request only.
#'
#' Each contour is the edge of the smallest region that holds the stated share of the mixture's
#' probability; an ellipse holds it of its component's. A mixture without data, by [gmm_params()] or
#' where `gmm_control(keep = FALSE)` dropped them, is drawn without rows, as far as three standard
#' deviations from the means.
#'
#' @param x A fit by [gmm()], or a mixture by [gmm_params()].
#' @param what What to draw, see above.
#' @param dims Names or numbers of the variables to draw. By default all, but at most the first
#'   four.
#' @param ... Graphical parameters: `xlim`, `ylim`, `xlab`, `ylab` (where one panel is drawn),
#'   `asp`, `las`, `bty`, `family`, `tck`, `tcl`, `mgp`, `axes`, `ann`, and `cex.`, `col.` and
#'   `font.` with `axis`, `lab` and `main`; see [graphics::par()].
#' @param ellipses,contours Shares of the probability that the ellipses and the contours enclose,
#'   between 0 and 1; `NULL` for none. Ellipses are for `"classification"`, contours for `"density"`
#'   too.
#' @param boundaries `TRUE` or `FALSE`: draw the boundaries? By default where two variables are all
#'   that the mixture has. Those of two variables of more are of the marginal mixture.
#' @param max_rows The number of rows drawn at most. Of more, equally spaced ones are drawn, and the
#'   line below the picture says so; rows that lack a variable drawn are left out, which it says
#'   too. The histogram counts all others.
#' @param legend `TRUE` or `FALSE`: explain colours and symbols above the picture, where they mean
#'   something?
#' @param col,pch Colours and symbols of the components, recycled. By default the palette of Okabe
#'   and Ito, which most colour-blind people can tell apart.
#' @param main,sub Title and the line below the picture; `""` for none.
#' @return `x`, invisibly.
#' @section Errors:
#' `gaussmix_error_argument` for variables that the mixture doesn't have, shares that are not
#' between 0 and 1, and graphical parameters that are not in the list above;
#' `gaussmix_error_data` for `"uncertainty"` where the object holds no rows, and for `"trace"` and
#' `"starts"` of a mixture by [gmm_params()].
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
#' plot(fit, "density")
#' plot(fit, "trace")
#' plot(gmm(faithful, k = 4), "starts")
#' flowers <- gmm(iris[1:4], k = 3)
#' plot(flowers)
#' plot(flowers, "uncertainty", dims = 1:2)
#' @importFrom graphics .filled.contour axis box contour legend lines mtext par plot.new points rect
#' @importFrom graphics rug strheight strwidth text title xinch yinch
#' @importFrom grDevices adjustcolor contourLines extendrange
#' @export
plot.gaussmix <- function(x, what = c("classification", "density", "uncertainty", "trace",
                                      "starts"),
                          dims = NULL, ..., ellipses = 0.95, contours = c(0.25, 0.5, 0.75),
                          boundaries = NULL, max_rows = 10000, legend = TRUE, col = NULL,
                          pch = NULL, main = NULL, sub = NULL) {
  validate_gmm(x)
  what <- check_choice(what, eval(formals(plot.gaussmix)$what))
  check_graphical(...names())
  if (what %in% c("trace", "starts")) {
    need_fit(x, sprintf("plot(what = \"%s\")", what))
    draw <- switch(what, trace = draw_trace, starts = draw_starts)
    draw(x, check_flag(legend), main, sub, ...)
    return(invisible(x))
  }
  if (what == "uncertainty") need_rows(x, "plot(what = \"uncertainty\")")
  dims <- plot_dims(x, dims)
  if (is.null(boundaries)) boundaries <- ncol(x$means) == 2L
  drawn <- used_components(x)
  view <- plot_view(drawn, what, ellipses, contours, boundaries, max_rows, legend, col, pch, dims)
  draw_mixture(drawn, dims, view, main, sub, ...)
  invisible(x)
}

# What the panels of a picture share. Other pictures are built upon those of a mixture by layers:
# `view$fill`, `view$lines` and `view$marks`, functions of the variables of a panel. They draw below
# the rows; above these and below means and ellipses; and above all.
plot_view <- function(x, what, ellipses, contours, boundaries, max_rows, legend, col, pch,
                      dims = seq_len(ncol(x$means))) {
  check_shares(ellipses)
  check_shares(contours)
  max_rows <- check_whole(max_rows, min = 0)
  list(what = what, rows = plot_rows(x, max_rows, dims = dims),
       ellipses = if (what == "classification") ellipses,
       contours = if (what != "uncertainty") contours,
       boundaries = check_flag(boundaries) && what != "density" && x$k > 1L,
       legend = check_flag(legend),
       style = component_style(x$k, col, pch, !is.null(x$noise) || !is.null(x$trimmed)),
       lwd = 2, headroom = 1.06) # the height of a panel in units of its curves' height
}

check_shares <- function(x, arg = deparse1(substitute(x))) {
  if (is.null(x)) return()
  if (!is.numeric(x) || anyNA(x) || any(x <= 0 | x >= 1)) {
    gmm_abort("argument", must_be(arg, "numbers between 0 and 1", x))
  }
}

# The names in `...` of a method of plot() must be those of graphical parameters, but not of those
# that it has no use for.
check_graphical <- function(names, but = character()) {
  ours <- setdiff(names(formals(sys.function(sys.parent()))), "...")
  of_text <- outer(c("cex", "col", "font"), c("axis", "lab", "main"), paste, sep = ".")
  known <- c("xlim", "ylim", "xlab", "ylab", "asp", "las", "bty", "family", "tck", "tcl", "mgp",
             "axes", "ann", of_text)
  known <- setdiff(known, but)
  unknown <- setdiff(names, known)
  if (length(unknown)) {
    gmm_abort("argument", sprintf("%s is not an argument of plot().", backtick(unknown[1L])),
              did_you_mean(unknown[1L], c(known, ours), backtick))
  }
}

# ---- geometry: plain numbers, for every drawing library --------------------------------

plot_dims <- function(x, dims) {
  if (is.null(dims)) return(seq_len(min(ncol(x$means), 4L)))
  find_variables(dims, x, "dims")
}

# The rows that have weight and all variables drawn (`lost`: how many lack some), `shown` of them
# drawn: equally spaced in the order of the data.
plot_rows <- function(x, max_rows, values = x$x, weights = x$weights,
                      dims = seq_len(NCOL(values))) {
  own <- missing(values)
  if (NROW(values) == 0L) return(list(n = 0, shown = integer(), class = factor()))
  counted <- if (is.null(weights)) seq_len(nrow(values)) else which(weights > 0)
  whole <- !missing_rows(values[counted, dims, drop = FALSE])
  lost <- sum(!whole)
  counted <- counted[whole]
  n <- length(counted)
  at <- if (n > max_rows) counted[round(seq(1, n, length.out = max_rows))] else counted
  shown <- values[at, , drop = FALSE]
  list(n = n, lost = lost, values = values[counted, , drop = FALSE], weights = weights[counted],
       shown = shown, at = at, class = with_trimmed(score(x, shown, "class"), if (own) x, at),
       uncertainty = score(x, shown, "uncertainty"))
}

# Rows `at` of a trimmed fit that were left out are a class of their own.
with_trimmed <- function(class, fit, at) {
  if (is.null(fit$trimmed)) return(class)
  levels(class) <- c(levels(class), "trimmed")
  class[at %in% fit$trimmed$row] <- "trimmed"
  class
}

# Where variable `dim` is drawn: around all rows, and a little further for ellipses that hold
# `share` of a component; without rows, means +/- 3 standard deviations.
plot_limits <- function(x, dim, rows, share = NULL) {
  sds <- sqrt(x$covariances[dim, dim, ])
  reach <- function(steps) range(x$means[, dim] - steps * sds, x$means[, dim] + steps * sds)
  if (rows$n == 0) return(reach(3))
  values <- rows$values[, dim]
  limits <- range(extendrange(values), range(values) + c(-0.5, 0.5) * data_step(values))
  if (is.null(share)) return(limits)
  ellipses <- reach(sqrt(stats::qchisq(max(share), 2)))
  most <- extendrange(limits, f = 0.3)
  c(max(min(limits[1L], ellipses[1L]), most[1L]), min(max(limits[2L], ellipses[2L]), most[2L]))
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
  parts <- exp(predict(gmm_marginal(drawable(x), dim), at, type = "component"))
  list(x = at, density = rowSums(parts), components = parts)
}

# The histogram of one variable as a density: `breaks` and `heights`. Bins are no wider than `most`,
# as far as that takes no more than `max_bins`. Equal values have one bin, four times as wide. Of
# rounded values each bin holds equally many possible ones, at least one, and none is on a break.
plot_bins <- function(values, weights = NULL, most = Inf, max_bins = 100) {
  wanted <- max(grDevices::nclass.FD(values), ceiling(diff(range(values)) / most))
  breaks <- pretty(range(values), min(wanted, max_bins))
  step <- data_step(values)
  if (step > 0) {
    steps <- max(1, round((breaks[2L] - breaks[1L]) / step)) # a bin
    bins <- ceiling((round(diff(range(values)) / step) + 1) / steps)
    breaks <- min(values) + step * (steps * (0:bins) - 0.5)
  }
  if (values[1L] == max(values) && values[1L] == min(values)) {
    breaks <- values[1L] + c(-2, 2) * min(most, max(1, abs(values[1L])))
  }
  if (is.null(weights)) weights <- rep(1, length(values))
  bin <- findInterval(values, breaks, rightmost.closed = TRUE, left.open = TRUE)
  counts <- tapply(weights, factor(bin, seq_len(length(breaks) - 1L)), sum, default = 0)
  list(breaks = breaks, heights = as.vector(counts) / sum(weights) / diff(breaks))
}

# The step of values that were rounded, or are whole numbers: all are the least one plus whole
# multiples of it. 0 where there is none, or one so small (1e-4 of the range) that no picture shows
# it.
data_step <- function(values) {
  known <- sort(unique(values)) - min(values)
  range <- known[length(known)]
  gaps <- diff(known)
  gaps <- gaps[gaps > 1e-9 * range] # equal but for rounding errors
  if (length(gaps) == 0L || min(gaps) < 1e-4 * range) return(0)
  step <- range / round(range / min(gaps))
  if (all(abs(known / step - round(known / step)) < 1e-3)) step else 0
}

# The bins' width by the rule of Freedman and Diaconis for each component with a tenth of the
# probability, the least of them: the rule takes groups that lie apart for a wide one.
bin_width <- function(x, dim, n) {
  p <- x$proportions[seq_len(x$k)]
  sizeable <- which(p >= min(0.1, max(p)))
  sds <- sqrt(x$covariances[dim, dim, sizeable])
  min(2 * 2 * stats::qnorm(0.75) * sds / (n * p[sizeable])^(1 / 3))
}

# The density of two variables on a grid (`z`, as contour() takes it), and the `levels` whose
# contours enclose the shares of probability asked for.
plot_density_grid <- function(x, dims, xlim, ylim, shares) {
  ticks_x <- plot_ticks(x, dims[1], xlim)
  ticks_y <- plot_ticks(x, dims[2], ylim)
  points <- cbind(rep(ticks_x, length(ticks_y)), rep(ticks_y, each = length(ticks_x)))
  colnames(points) <- colnames(x$means)[dims]
  z <- matrix(dgmm(points, gmm_marginal(drawable(x), dims)), length(ticks_x))
  mass <- z * outer(cell_widths(ticks_x), cell_widths(ticks_y))
  decreasing <- order(z, decreasing = TRUE)
  enclosed <- cumsum(mass[decreasing]) / sum(mass)
  at <- findInterval(shares, enclosed) + 1L
  list(x = ticks_x, y = ticks_y, z = z, levels = z[decreasing][at], shares = shares)
}

# The ellipse of two variables that holds `share` of the probability of component j: `n` points, a
# row each, the last of them the first again.
plot_ellipse <- function(x, j, share, dims = 1:2, n = 181L) {
  angle <- seq(0, 2 * pi, length.out = n)
  factor <- chol(component_covariance(x, j)[dims, dims])
  circle <- sqrt(stats::qchisq(share, 2)) * cbind(cos(angle), sin(angle))
  points <- sweep(circle %*% factor, 2L, x$means[j, dims], `+`)
  colnames(points) <- colnames(x$means)[dims]
  as.data.frame(points)
}

# Noise of one density everywhere has no marginal density: then the Gaussians are drawn alone.
drawable <- function(x) if (is.null(x$noise$limits)) gaussian_part(x) else x

# Where the two most probable Gaussians have equal posterior probabilities given two variables: a
# data frame, a row a point, with the variables, `line` (points of one line follow one another) and
# the two components, `first` and `second`. On a grid the pairs that meet are found and the zero
# line of their log-ratio, a quadratic function, is traced; Newton's steps put each point on it.
plot_boundaries <- function(x, dims, xlim, ylim) {
  x <- gaussian_part(x)
  present <- which(x$proportions > 0)
  marginal <- gmm_marginal(x, dims)
  parts <- function(points) {
    colnames(points) <- colnames(marginal$means)
    score(marginal, points, "component")
  }
  inside <- function(ticks, limits) {
    sort(unique(c(limits, ticks[ticks > limits[1L] & ticks < limits[2L]])))
  }
  ticks_x <- inside(plot_ticks(x, dims[1L], xlim), xlim)
  ticks_y <- inside(plot_ticks(x, dims[2L], ylim), ylim)
  on_grid <- parts(cbind(rep(ticks_x, length(ticks_y)), rep(ticks_y, each = length(ticks_x))))
  top <- matrix(present[most_probable(on_grid[, present, drop = FALSE])], length(ticks_x))
  pairs <- meeting_pairs(top)
  lines <- list()
  for (i in seq_len(nrow(pairs))) {
    pair <- pairs[i, ]
    ratio <- matrix(on_grid[, pair[1L]] - on_grid[, pair[2L]], length(ticks_x))
    near <- which(top == pair[1L] | top == pair[2L], arr.ind = TRUE)
    across <- stretch(near[, 1L], length(ticks_x))
    up <- stretch(near[, 2L], length(ticks_y))
    for (line in contourLines(ticks_x[across], ticks_y[up], ratio[across, up], levels = 0)) {
      points <- onto_boundary(cbind(line$x, line$y), marginal, pair, c(diff(xlim), diff(ylim)))
      values <- parts(points)
      others <- values[, setdiff(present, pair), drop = FALSE]
      kept <- rowSums(others > pmax(values[, pair[1L]], values[, pair[2L]])) == 0 &
        points[, 1L] >= xlim[1L] & points[, 1L] <= xlim[2L] &
        points[, 2L] >= ylim[1L] & points[, 2L] <= ylim[2L]
      piece <- paste(length(lines), cumsum(!kept))
      lines <- c(lines, list(data.frame(points, piece, i)[kept, ]))
    }
  }
  lines <- do.call(rbind, c(list(data.frame(X1 = 0, X2 = 0, piece = "", i = 0)[0L, ]), lines))
  names <- rownames(x$means)
  out <- data.frame(lines$X1, lines$X2, line = match(lines$piece, unique(lines$piece)),
                    first = names[pairs[lines$i, 1L]], second = names[pairs[lines$i, 2L]])
  names(out)[1:2] <- colnames(marginal$means)
  out
}

# From one before the least of some positions among n to one after the largest.
stretch <- function(at, n) seq(max(1L, min(at) - 1L), min(n, max(at) + 1L))

# The pairs of different numbers that are next to each other in a matrix, also across corners.
meeting_pairs <- function(top) {
  m <- nrow(top)
  n <- ncol(top)
  next_to <- rbind(cbind(c(top[-m, ]), c(top[-1L, ])), cbind(c(top[, -n]), c(top[, -1L])),
                   cbind(c(top[-m, -n]), c(top[-1L, -1L])), cbind(c(top[-m, -1L]), c(top[-1L, -n])))
  pairs <- cbind(pmin(next_to[, 1L], next_to[, 2L]), pmax(next_to[, 1L], next_to[, 2L]))
  unique(pairs[pairs[, 1L] < pairs[, 2L], , drop = FALSE])
}

# Moves points near the boundary of a pair of components onto it, along the gradient of the
# log-ratio in coordinates that are divided by `units`.
onto_boundary <- function(points, marginal, pair, units) {
  precision <- lapply(pair, function(j) {
    chol2inv(chol(component_covariance(marginal, j) / outer(units, units)))
  })
  slope <- function(points, i) {
    centred <- sweep(points, 2L, marginal$means[pair[i], ])
    sweep(centred, 2L, units, `/`) %*% precision[[i]]
  }
  for (step in seq_len(6L)) {
    values <- score(marginal, points, "component")
    gradient <- slope(points, 2L) - slope(points, 1L)
    ratio <- values[, pair[1L]] - values[, pair[2L]]
    shift <- sweep(gradient * (ratio / rowSums(gradient^2)), 2L, units, `*`)
    shift[!is.finite(shift)] <- 0
    points <- points - shift
  }
  points
}

# The objective by iteration, and how much it still rose from there to the end.
plot_trace <- function(x) {
  data.frame(iteration = seq_along(x$trace) - 1L, objective = x$trace,
             gap = x$trace[length(x$trace)] - x$trace)
}

# The starts, the highest first and those that failed last: `start` (its number), `objective`,
# `status`, and `kept`: the one whose result the fit is, if any.
plot_starts <- function(x) {
  starts <- x$starts
  status <- ifelse(starts$converged, "converged", "not converged")
  status[is.na(status)] <- "short run"
  status[starts$spurious > 0] <- "spurious"
  failed <- starts$reason != "" | !is.finite(starts$objective)
  status[failed] <- "failed"
  reached <- which(!failed & starts$objective == x$objective)
  kept <- reached[which.min(starts$spurious[reached])]
  out <- data.frame(start = seq_along(status), objective = starts$objective,
                    status = factor(status, names(start_symbols)),
                    kept = seq_along(status) %in% kept)
  out[order(failed, -out$objective, !out$kept), ]
}

# The same density with the axes exchanged.
transpose_grid <- function(grid) {
  grid[c("x", "y")] <- grid[c("y", "x")]
  grid$z <- t(grid$z)
  grid
}

# The length of line nearest to each of some increasing points.
cell_widths <- function(ticks) {
  middles <- (ticks[-1L] + ticks[-length(ticks)]) / 2
  diff(c(ticks[1L], middles, ticks[length(ticks)]))
}

# ---- words -----------------------------------------------------------------------------

plot_title <- function(x) {
  sprintf("%s%s, %s", plural(x$k, "component"), if (is.null(x$noise)) "" else " and noise",
          family_label(x$covariance, ncol(x$means)))
}

# What is drawn, and what lines mean.
plot_note <- function(x, dims, view) {
  rows <- view$rows
  parts <- c(
    rows_note(rows),
    if (length(dims) > 2L && length(dims) < ncol(x$means)) {
      sprintf("%d of %d variables", length(dims), ncol(x$means))
    },
    if (length(dims) > 1L) {
      c(if (length(view$ellipses)) {
        sprintf("ellipses hold %s of a component", shares_text(view$ellipses))
      },
      if (length(view$contours)) {
        sprintf("%s %s%s of the mixture",
                if (view$what == "density") "shades" else "contours",
                if (length(view$ellipses)) "" else "hold ", shares_text(view$contours))
      },
      if (view$boundaries) "dashed: equal posteriors")
    }
  )
  paste(parts, collapse = "; ")
}

rows_note <- function(rows) {
  drawn <- NROW(rows$shown)
  c(if (rows$n > drawn) sprintf("%s of %s rows shown", count_text(drawn), count_text(rows$n)),
    if (rows$n > 0 && isTRUE(rows$lost > 0)) {
      sprintf("%s with missing values not shown", plural(rows$lost, "row"))
    })
}

# "25, 50 and 95 %"
shares_text <- function(shares) paste(and_text(number_text(sort(100 * shares))), "%")

# ---- drawing ---------------------------------------------------------------------------

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
      if (j == 1L && i > 1L) axis(2)
      if (j == m && i == 1L) axis(4)
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
