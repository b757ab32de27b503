# The geometry of a mixture's pictures: plain numbers, for every drawing library.

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
