# Regions of a mixture's space: boxes and their probability, and the highest-density regions of a
# given probability.

#' The probability of a rectangle, drawn
#'
#' The probability that a draw of the mixture falls into a box, `lower < X <= upper` in all
#' coordinates, as [pgmm()] gives it, together with that of everything outside; `plot()` shows it.
#'
#' `plot()` draws the mixture as [plot.gaussmix()] does, in one dimension with the area under the
#' density between the limits shaded, in two with the rectangle. Sides without limits go on to the
#' edge of the picture. Of more dimensions, two variables are drawn: the rectangle is then the
#' shadow of the box, and the number is the probability of the box.
#'
#' @param fit A fit by [gmm()], or a mixture by [gmm_params()].
#' @param lower,upper The corners of the box: a number for all coordinates, or one for each of the d
#'   variables, in their order or with their names. Infinite: no limit.
#' @param ... Must be empty (`gmm_region()`); graphical parameters, as for [plot.gaussmix()]
#'   (`plot()`); else not used.
#' @param abseps The absolute error asked of the probability in five dimensions and more, as for
#'   [pgmm()].
#' @param x The result of `gmm_region()`.
#' @param digits Number of significant digits.
#' @param dims Names or numbers of the variables to draw, one or two. By default those with limits.
#' @param ellipses,contours,boundaries,max_rows,legend,col,pch,main,sub As for [plot.gaussmix()].
#' @return `gmm_region()`: an object of class `"gmm_region"`, a list with
#'   \item{lower, upper}{the corners: d numbers, named by the variables}
#'   \item{probability, outside}{the probability of the box, and of its complement; both are exact
#'     for small values, and their sum is 1}
#'   \item{error}{the absolute error of quadrature of `probability`, 0 for closed forms}
#'   \item{share}{the share of the rows fitted (of their weight) in the box; NA where there are
#'     none}
#'   \item{fit}{the mixture}
#'
#'   `print()` and `plot()` return it invisibly; `format()` gives the lines. `summary()` is the
#'   object itself, as `print()` says all.
#' @section Errors: `gaussmix_error_argument` where a lower limit is above an upper one, or missing;
#'   else as for [pgmm()] and [plot.gaussmix()].
#' @seealso [pgmm()] for many boxes at once; [gmm_hdr()]
#' @examples
#' fit <- gmm(faithful, k = 2)
#' box <- gmm_region(fit, c(eruptions = 1.5, waiting = 45), c(eruptions = 2.5, waiting = 65))
#' box
#' plot(box)
#' gmm_region(fit)$probability   # of everything
#' plot(gmm_region(gmm_params(c(0.4, 0.6), c(-1, 2), c(1, 1)), 0, 1))
#' @export
gmm_region <- function(fit, lower = -Inf, upper = Inf, ..., abseps = 1e-4) {
  check_dots_empty(...)
  validate_gmm(fit)
  lower <- box_corner(lower, fit, "lower")
  upper <- box_corner(upper, fit, "upper")
  above <- which(lower > upper)
  if (length(above)) {
    gmm_abort("argument", sprintf(
      "`lower` must not be above `upper`; for %s they are %s and %s.",
      backtick(colnames(lower)[above[1L]]), number_text(lower[above[1L]]),
      number_text(upper[above[1L]])
    ))
  }
  box <- mixture_box(lower, upper, fit, check_number(abseps, min = 0, ends = "()"))
  inside <- if (!is.null(fit$x)) in_box(fit$x, lower, upper)
  structure(class = "gmm_region", list(
    lower = lower[1L, ], upper = upper[1L, ], probability = as.double(exp(box$inside)),
    outside = as.double(exp(box$outside)), error = if (is.null(box$error)) 0 else box$error,
    share = if (is.null(inside)) NA_real_ else weighted_share(inside, fit$weights), fit = fit
  ))
}

# -> matrix of one row
box_corner <- function(corner, fit, arg) {
  names <- colnames(fit$means)
  if (is_number(corner)) {
    corner <- matrix(as.double(corner), 1L, length(names), dimnames = list(NULL, names))
  }
  corner <- new_data(fit, one_row(corner, fit), arg = arg)$x
  if (nrow(corner) != 1L) {
    gmm_abort("argument", sprintf("`%s` must be one corner, not %d.", arg, nrow(corner)),
              "For several boxes, use pgmm().")
  }
  if (anyNA(corner)) gmm_abort("argument", sprintf("`%s` must not be missing.", arg))
  corner
}

in_box <- function(x, lower, upper) {
  inside <- rep(TRUE, nrow(x))
  for (j in seq_len(ncol(x))) inside <- inside & x[, j] > lower[j] & x[, j] <= upper[j]
  inside
}

#' @rdname gmm_region
#' @export
print.gmm_region <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname gmm_region
#' @export
format.gmm_region <- function(x, digits = 4, ...) {
  number <- function(v) format(v, digits = digits)
  c(paste("Region:", box_text(x, 10L)),
    sprintf("probability %s, outside %s, total %s%s", number(x$probability), number(x$outside),
            number(x$probability + x$outside),
            if (x$error > 0) sprintf("; error below %s", format(x$error, digits = 2L)) else ""),
    if (!is.na(x$share)) {
      sprintf("of the rows fitted %s %% %s in it", number(100 * x$share),
              if (is.null(x$fit$weights)) "lie" else "(of their weight) lie")
    })
}

#' @rdname gmm_region
#' @param object The result of `gmm_region()`.
#' @export
summary.gmm_region <- function(object, ...) {
  check_dots_empty(...)
  object
}

# "1 < a <= 2, b > 3": the coordinates with limits
box_text <- function(x, most = Inf) {
  side <- function(name, lower, upper) {
    a <- shown_number(lower, 4L)
    b <- shown_number(upper, 4L)
    if (lower == -Inf) paste(name, "<=", b)
    else if (upper == Inf) paste(name, ">", a)
    else paste(a, "<", name, "<=", b)
  }
  limited <- which(is.finite(x$lower) | is.finite(x$upper))
  if (length(limited) == 0L) return("everything")
  some(mapply(side, names(x$lower), x$lower, x$upper)[limited], most)
}

#' @rdname gmm_region
#' @importFrom graphics .filled.contour polygon segments
#' @export
plot.gmm_region <- function(x, dims = NULL, ..., ellipses = NULL,
                            contours = c(0.25, 0.5, 0.75), boundaries = FALSE, max_rows = 10000,
                            legend = TRUE, col = NULL, pch = NULL, main = NULL, sub = NULL) {
  check_graphical(...names())
  if (is.null(dims)) {
    limited <- which(is.finite(x$lower) | is.finite(x$upper))
    dims <- sort(utils::head(c(limited, setdiff(seq_along(x$lower), limited)), 2L))
  }
  dims <- plot_dims(x$fit, dims)
  if (length(dims) > 2L) {
    gmm_abort("argument", sprintf("`dims` must be one or two variables, not %d.", length(dims)))
  }
  view <- plot_view(x$fit, "classification", ellipses, contours, boundaries, max_rows, legend, col,
                    pch, dims)
  view$fill <- function(dims) draw_box(x, dims, border = FALSE)
  view$lines <- function(dims) draw_box(x, dims, border = TRUE)
  if (is.null(main)) {
    main <- sprintf("P(%s) = %s", box_text(x, 3L), format(x$probability, digits = 4L))
  }
  draw_mixture(x$fit, dims, view, main, sub, ...)
  invisible(x)
}

# The inside of the box on the current panel, or its border.
draw_box <- function(x, dims, border) {
  usr <- par("usr")
  lower <- pmax(x$lower[dims], usr[2L * seq_along(dims) - 1L])
  upper <- pmin(x$upper[dims], usr[2L * seq_along(dims)])
  if (length(dims) == 1L) return(draw_area(x$fit, dims, lower, upper, border))
  rect(lower[1L], lower[2L], upper[1L], upper[2L], col = if (!border) region_fill(),
       border = if (border) "grey20" else NA, lwd = 2)
}

# The yellow of Okabe and Ito, which no component has.
region_fill <- function() adjustcolor("#F0E442", 0.3)

# The area under the density of one variable between two limits, or the lines at these.
draw_area <- function(fit, dim, lower, upper, border) {
  if (lower >= upper) return()
  curve <- plot_curves(fit, dim, c(lower, upper))
  within <- which(curve$x >= lower & curve$x <= upper)
  x <- curve$x[within]
  y <- curve$density[within]
  if (border) {
    segments(c(lower, upper), 0, c(lower, upper), y[c(1L, length(y))], col = "grey20", lwd = 2)
  } else {
    polygon(c(lower, x, upper), c(0, y, 0), col = region_fill(), border = NA)
  }
}

# ---- highest density -------------------------------------------------------------------

#' Highest-density regions
#'
#' The smallest region that holds a given share of the mixture's probability is the set of points
#' whose density is at or above a threshold. `gmm_hdr()` finds the threshold; `plot()` draws the
#' region.
#'
#' * One component: the log-density at the chi-squared quantile of the squared Mahalanobis distance;
#'   exact.
#' * One dimension: the region is a union of intervals between the points at which the density
#'   crosses the threshold; the threshold at which their probability is `mass` is solved for, exact
#'   to rounding.
#' * Else: the density is a random variable, f(X) for X drawn from the mixture, and the threshold
#'   its quantile at 1 - `mass`. It is estimated by the sample quantile of `n` draws, whose standard
#'   error follows from the order statistics one standard deviation of the rank to either side. The
#'   probability of the region has the standard error `sqrt(mass * (1 - mass) / n)`.
#'
#' Rows are in the region where `predict(fit, x, type = "logdensity")` is at least the threshold;
#' `gmm_anomaly(fit, x, threshold = hdr$threshold)` flags those that are not.
#'
#' @param fit A fit by [gmm()], or a mixture by [gmm_params()].
#' @param mass Probabilities above 0 and below 1.
#' @param ... Must be empty (`gmm_hdr()`); graphical parameters, as for [plot.gaussmix()]
#'   (`plot()`); else not used.
#' @param n Number of draws, where the threshold is simulated. There must be at least 10 on either
#'   side of it.
#' @param x The result of `gmm_hdr()`.
#' @param ellipses,contours,boundaries,max_rows,legend,col,pch,main,sub As for [plot.gaussmix()].
#' @param digits Number of significant digits.
#' @return `gmm_hdr()`: an object of class `"gmm_hdr"`, a list with, in the order of `mass`,
#'   \item{mass}{the probabilities}
#'   \item{threshold}{log-densities}
#'   \item{error}{their standard errors, 0 where the threshold is exact}
#'   \item{share}{the share of the complete rows fitted (of their weight) in the region; NA where
#'     there are none, or a fit without its rows (`keep = FALSE`) had some with missing values}
#'   \item{intervals}{in one dimension: a list of matrices with columns `lower` and `upper`, a row
#'     an interval}
#'   \item{method}{`"exact"` or `"simulation"`}
#'   \item{n}{number of draws, 0 where the threshold is exact}
#'   \item{fit}{the mixture}
#'
#'   `print()` and `plot()` return it invisibly; `format()` gives the lines. `summary()` is the
#'   object itself, as `print()` says all.
#' @section Errors: `gaussmix_error_argument` for a mass not between 0 and 1, or too few draws for
#'   it; `gaussmix_error_dimension` for `plot()` of more than two dimensions.
#' @references Hyndman, R. J. (1996) Computing and graphing highest density regions. *The American
#'   Statistician* 50, 120-126. \doi{10.1080/00031305.1996.10474359}
#' @seealso [gmm_region()], [gmm_anomaly()]
#' @examples
#' gmm_hdr(gmm(faithful$waiting, k = 2), mass = c(0.5, 0.95))
#' set.seed(1)
#' hdr <- gmm_hdr(gmm(faithful, k = 2), mass = c(0.5, 0.95), n = 1e4)
#' hdr
#' plot(hdr)
#' @export
gmm_hdr <- function(fit, mass = 0.95, ..., n = 1e5) {
  check_dots_empty(...)
  validate_gmm(fit)
  refuse_noise(fit, "gmm_hdr()", "where its density is constant, no region is of highest density")
  mass <- check_mass(mass)
  n <- check_whole(n)
  out <- list(mass = mass)
  d <- ncol(fit$means)
  if (has_exact_levels(fit)) {
    out$threshold <- exact_thresholds(fit, 1 - mass)
  } else {
    needed <- ceiling(10 / min(mass, 1 - mass))
    if (n < needed) {
      hardest <- mass[which.min(pmin(mass, 1 - mass))]
      gmm_abort("argument", sprintf("`n` must be at least %s for a mass of %s, not %s.",
                                    number_text(needed), number_text(hardest), number_text(n)))
    }
    out <- c(out, simulated_thresholds(fit, mass, n))
  }
  simulated <- !is.null(out$error)
  if (!simulated) out$error <- numeric(length(mass))
  out$share <- hdr_share(fit, out$threshold)
  if (d == 1L) out$intervals <- lapply(out$threshold, level_intervals, line_shape(fit), fit)
  out$method <- if (simulated) "simulation" else "exact"
  out$n <- if (simulated) n else 0L
  out$fit <- fit
  structure(out, class = "gmm_hdr")
}

check_mass <- function(mass) {
  within <- is.numeric(mass) && !is.object(mass) && length(mass) > 0L && all(mass > 0 & mass < 1)
  if (!isTRUE(within)) {
    gmm_abort("argument", must_be("mass", "numbers above 0 and below 1", mass))
  }
  as.double(mass)
}

simulated_thresholds <- function(fit, mass, n) {
  score <- sort(score(fit, engine_sample(n, fit, threads = fit$control$threads), "logdensity"))
  quantile_at <- function(p) stats::quantile(score, pmin(pmax(p, 0), 1), names = FALSE)
  p <- 1 - mass
  step <- sqrt(p * mass / n)
  list(threshold = quantile_at(p), error = (quantile_at(p + step) - quantile_at(p - step)) / 2)
}

# Of the complete rows: the density of others is one of fewer variables.
hdr_share <- function(fit, threshold) {
  score <- if (!is.null(fit$x)) {
    replace(score(fit, fit$x, "logdensity"), missing_rows(fit$x), NA)
  } else if (is.null(fit$missing)) {
    fit$logdensity
  }
  if (is.null(score)) return(rep(NA_real_, length(threshold)))
  vapply(threshold, function(level) weighted_share(score >= level, fit$weights), 0)
}

# ---- the log-density of a draw, a random variable --------------------------------------

# Its distribution is known of one component, and in one dimension.
has_exact_levels <- function(fit) sum(fit$proportions > 0) == 1L || ncol(fit$means) == 1L

# The log-densities at or below which the mixture has the probabilities `rate`.
exact_thresholds <- function(fit, rate) {
  if (sum(fit$proportions > 0) > 1L) return(line_thresholds(fit, rate))
  peak_logdensity(fit) - stats::qchisq(rate, ncol(fit$means), lower.tail = FALSE) / 2
}

# The probability that a draw has at most each of the log-densities `level`.
exact_level_probability <- function(fit, level) {
  if (sum(fit$proportions > 0) > 1L) return(line_level_probability(level, line_shape(fit), fit))
  stats::pchisq(2 * (peak_logdensity(fit) - level), ncol(fit$means), lower.tail = FALSE)
}

# Of the one component that is there.
peak_logdensity <- function(fit) {
  factor <- chol(component_covariance(fit, which(fit$proportions > 0)))
  -ncol(factor) / 2 * log(2 * pi) - sum(log(diag(factor)))
}

# ---- one dimension ---------------------------------------------------------------------

# Points x in increasing order, dense around each mean and with the density's local maxima and
# minima among them, so that the log-density y is monotone from each to the next; and far enough out
# to hold all probability.
line_shape <- function(fit) {
  at <- function(x) score(fit, matrix(x), "logdensity")
  steps <- c(seq(0, 8, by = 0.05), 9, 10, 12, 15, 20, 30, 40)
  present <- fit$proportions > 0
  sds <- sqrt(fit$covariances[1L, 1L, present])
  x <- sort(unique(c(outer(sds, c(-steps, steps)) + fit$means[present, 1L])))
  rise <- sign(diff(at(x)))
  turn <- which(rise[-1L] * rise[-length(rise)] <= 0) + 1L
  extremes <- vapply(turn, function(i) {
    around <- x[i + c(-1L, 1L)] - x[i] # optimize() is exact near 0 only
    shift <- stats::optimize(function(z) at(x[i] + z), around, maximum = rise[i - 1L] > 0,
                             tol = 1e-10 * diff(around))
    x[i] + shift[[1L]]
  }, 0)
  x <- sort(unique(c(x, extremes)))
  list(x = x, y = at(x))
}

# Where the log-density is above `level`: a matrix with a row an interval.
level_intervals <- function(level, shape, fit) {
  matrix(level_ends(level, shape, fit)$x, ncol = 2L, byrow = TRUE,
         dimnames = list(NULL, c("lower", "upper")))
}

# The ends x of these intervals, in increasing order for each of several levels, with the number of
# the level; found by bisection.
level_ends <- function(levels, shape, fit) {
  above <- outer(shape$y, levels, `>`)
  above[c(1L, nrow(above)), ] <- FALSE # no density is left there
  change <- which(diff(above) != 0, arr.ind = TRUE)
  level <- change[, 2L]
  rising <- !above[change]
  outer <- shape$x[change[, 1L] + !rising]
  inner <- shape$x[change[, 1L] + rising]
  for (step in seq_len(48L)) {
    middle <- (outer + inner) / 2
    inside <- score(fit, matrix(middle), "logdensity") > levels[level]
    inner[inside] <- middle[inside]
    outer[!inside] <- middle[!inside]
  }
  list(x = inner, level = level)
}

# The probability of a log-density of at most each of the levels: that of what lies before the first
# interval, between two, and after the last. In stretches, as there may be many.
line_level_probability <- function(levels, shape, fit, stretch = 500L) {
  if (length(levels) > stretch) {
    parts <- split(levels, (seq_along(levels) - 1L) %/% stretch)
    return(unlist(lapply(parts, line_level_probability, shape, fit), use.names = FALSE))
  }
  ends <- level_ends(levels, shape, fit)
  by_level <- split(ends$x, factor(ends$level, seq_along(levels)))
  lower <- lapply(by_level, function(x) c(-Inf, x[seq_along(x) %% 2L == 0L]))
  upper <- lapply(by_level, function(x) c(x[seq_along(x) %% 2L == 1L], Inf))
  box <- mixture_box(cbind(unlist(lower)), cbind(unlist(upper)), fit, abseps = 1)
  sums <- rowsum(exp(box$inside), rep(seq_along(levels), lengths(lower)))
  pmin(as.vector(sums), 1)
}

line_thresholds <- function(fit, rate) {
  shape <- line_shape(fit)
  ends <- c(max(shape$y[c(1L, length(shape$y))]), max(shape$y))
  vapply(rate, function(rate) {
    excess <- function(level) line_level_probability(level, shape, fit) - rate
    stats::uniroot(excess, ends, f.lower = -rate, f.upper = 1 - rate, tol = 1e-13)$root
  }, 0)
}

# ---- printing and pictures -------------------------------------------------------------

#' @rdname gmm_hdr
#' @export
print.gmm_hdr <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname gmm_hdr
#' @export
format.gmm_hdr <- function(x, digits = 4, ...) {
  number <- function(v) vapply(v, format, "", digits = digits)
  shown <- seq_len(min(length(x$mass), 7L))
  lines <- sprintf("mass %s: log-density at least %s", shown_number(x$mass), number(x$threshold))
  if (x$n > 0L) {
    lines <- sprintf("%s (standard error %s)", lines, vapply(x$error, format, "", digits = 2L))
  }
  if (!anyNA(x$share)) {
    lines <- sprintf("%s; %s %% of the %srows fitted", lines, number(100 * x$share),
                     if (is.null(x$fit$missing)) "" else "complete ")
  }
  if (!is.null(x$intervals)) {
    lines <- sprintf("%s; %s", lines, vapply(x$intervals, function(i) {
      some(interval_text(i[, "lower"], i[, "upper"], digits))
    }, ""))
  }
  c(sprintf("Highest-density regions of a mixture of %s in %s", plural(x$fit$k, "component"),
            plural(ncol(x$fit$means), "dimension")),
    lines[shown],
    if (length(x$mass) > 7L) sprintf("and %d more", length(x$mass) - 7L),
    if (x$n > 0L) sprintf("thresholds by %s draws", count_text(x$n))
    else "thresholds are exact")
}

#' @rdname gmm_hdr
#' @param object The result of `gmm_hdr()`.
#' @export
summary.gmm_hdr <- function(object, ...) {
  check_dots_empty(...)
  object
}

# "[1, 2.5]", with so many more digits where an interval is narrow for its distance from 0 that its
# ends differ by what `digits` show.
interval_text <- function(lower, upper, digits) {
  size <- pmax(abs(lower), abs(upper))
  more <- pmax(0, floor(log10(size / (upper - lower))))
  shown <- pmin(digits + ifelse(is.finite(more), more, 0), 15)
  sprintf("[%s, %s]", mapply(format, lower, digits = shown), mapply(format, upper, digits = shown))
}

#' @rdname gmm_hdr
#' @export
plot.gmm_hdr <- function(x, ..., ellipses = NULL, contours = NULL, boundaries = FALSE,
                         max_rows = 10000, legend = TRUE, col = NULL, pch = NULL, main = NULL,
                         sub = NULL) {
  check_graphical(...names())
  d <- ncol(x$fit$means)
  if (d > 2L) {
    gmm_abort("dimension", sprintf("plot() draws regions of one or two dimensions, not of %d.", d),
              "To see which rows are outside: plot(gmm_anomaly(fit, threshold = hdr$threshold)).")
  }
  view <- plot_view(x$fit, "classification", ellipses, contours, boundaries, max_rows, legend, col,
                    pch, seq_len(d))
  draw <- if (d == 1L) draw_intervals else draw_levels
  view$fill <- function(dims) draw(x, border = FALSE)
  view$lines <- function(dims) draw(x, border = TRUE)
  if (is.null(main)) main <- hdr_title(x)
  if (is.null(sub) && d == 1L) sub <- "dashed: density at the threshold"
  draw_mixture(x$fit, seq_len(d), view, main, sub, ...)
  invisible(x)
}

# The regions on the current panel, or their borders. In one dimension:
draw_intervals <- function(x, border) {
  for (i in order(x$mass, decreasing = TRUE)) { # the smaller on the larger
    for (row in seq_len(nrow(x$intervals[[i]]))) {
      draw_area(x$fit, 1L, x$intervals[[i]][row, 1L], x$intervals[[i]][row, 2L], border)
    }
  }
  if (!border) return()
  level <- exp(x$threshold)
  abline(h = level, lty = 2)
  text(par("usr")[2L], level, mass_text(x), adj = c(1.2, -0.4), cex = 0.8)
}

# In two:
draw_levels <- function(x, border) {
  usr <- par("usr")
  grid <- plot_density_grid(x$fit, 1:2, usr[1:2], usr[3:4], numeric())
  level <- exp(x$threshold)
  if (border) {
    contour(grid, levels = level, labels = mass_text(x), add = TRUE, col = "grey20", lwd = 2,
            vfont = NULL, labcex = 0.7)
  } else {
    for (l in level) .filled.contour(grid$x, grid$y, grid$z, c(l, 2 * max(grid$z)), region_fill())
  }
}

mass_text <- function(x) paste(number_text(100 * x$mass), "%")

hdr_title <- function(x) {
  share <- paste(number_text(100 * sort(x$mass)), "%")
  last <- length(share)
  if (last > 1L) share <- c(paste(share[-last], collapse = ", "), share[last])
  sprintf("Highest-density region%s of %s", if (last > 1L) "s" else "",
          paste(share, collapse = " and "))
}
