#' Density, distribution function and quantiles of a Gaussian mixture
#'
#' `dgmm()` gives the density, `pgmm()` the probability of a box or of the region below a point, and
#' `qgmm()` (one dimension) the quantiles of a mixture that was fitted by [gmm()] or built by
#' [gmm_params()]. Draws: [rgmm()].
#'
#' @param x,q Points: a matrix or data frame with a column per variable (matched by name where both
#'   have names); a vector for a mixture in one dimension; a vector of d numbers is one point
#'   in d dimensions. Infinite values are allowed in `q`.
#' @param p Probabilities from 0 to 1, or their logarithms where `log.p` is `TRUE`.
#' @param fit An object of class `gmm`, by [gmm()] or [gmm_params()].
#' @param lower The lower corner of the box, below `q`: one number for all coordinates, a vector
#'   of d numbers, or a row for each row of `q`.
#' @param log `TRUE`: the logarithm of the density.
#' @param lower.tail `FALSE`: `pgmm()` gives the probability outside the box (for `lower = -Inf` in
#'   one dimension the upper tail), `qgmm()` takes `p` as the probability above the quantile.
#' @param log.p `TRUE`: probabilities are given and returned as logarithms.
#' @param abseps The absolute error asked of the Genz-Bretz algorithm, see below.
#'
#' @return `dgmm()` and `pgmm()`: a numeric vector with an element for each row of `x` or `q`, which
#'   has the row names; NA where the row has a missing value. `qgmm()`: a numeric vector as long as
#'   `p`, NA where `p` is; -Inf and Inf for probabilities of 0 and 1.
#'
#'   Where a component's covariance is not diagonal, the value of `pgmm()` has an attribute
#'   `"error"`: for each row the absolute error of the probability by quadrature, the sum of those
#'   of the components times their proportions (0 where all were closed forms).
#'
#' @details
#' `pgmm()` is the sum over the components of proportion times P(`lower` < X <= `q`), all
#' coordinates at once; a box that is empty has probability 0. Coordinates without limits are left
#' out first. A component whose covariance is diagonal in the remaining ones has a closed form:
#' products of normal intervals, kept together with their complement on the log scale, so that both
#' tails are exact as far out as their logarithms can be represented. Other components are left to
#' package mvtnorm, and are right to the absolute error that is reported:
#'
#' * two or three dimensions: the algorithms of Genz (2004), by inclusion and exclusion over the
#'   corners of the box; the error is below 1e-12.
#' * four: adaptive quadrature over one coordinate of the probability in the other three; the error
#'   is below 1e-7, mostly below 1e-10.
#' * five and more: quasi-Monte Carlo of Genz and Bretz (2009). The points are the same in each
#'   call, so that a result can be repeated; the random numbers of the session are not touched. The
#'   error is an estimate. Where it is above `abseps`, there is a warning of class
#'   `gaussmix_warning_accuracy`.
#'
#' `qgmm()` finds the smallest number whose distribution function is at least `p`. The equation is
#' solved for the smaller of both tails on the log scale, by Newton steps within a bracket, until
#' no number between its ends is left to try.
#'
#' @section Errors:
#' `gaussmix_error_argument`: a probability outside of its range (R's own quantile functions give
#' NaN), or `fit` is not a mixture. `gaussmix_error_dimension`: wrong number of columns, `qgmm()`
#' in more than one dimension, or `pgmm()` with limits on more than 1000 correlated coordinates.
#' `gaussmix_error_names`, `gaussmix_error_type`: as in `predict()`.
#'
#' @references
#' Genz, A. (2004) Numerical computation of rectangular bivariate and trivariate normal and t
#' probabilities. *Statistics and Computing* 14, 251-260.
#'
#' Genz, A. and Bretz, F. (2009) *Computation of Multivariate Normal and t Probabilities*. Springer.
#'
#' @examples
#' m <- gmm_params(c(0.3, 0.7), c(-1, 2), c(1, 0.25))   # variances
#' dgmm(c(-1, 0, 2), m)
#' pgmm(c(-1, 0, 2), m)
#' qgmm(c(0.025, 0.5, 0.975), m)
#' pgmm(40, m, lower.tail = FALSE, log.p = TRUE)
#'
#' plane <- gmm_params(c(0.5, 0.5), rbind(c(0, 0), c(3, 3)), matrix(c(1, 0.5, 0.5, 1), 2))
#' pgmm(c(1, 1), plane, lower = c(-1, -1))
#' @name gmm-distribution
NULL

#' @rdname gmm-distribution
#' @export
dgmm <- function(x, fit, log = FALSE) {
  validate_gmm(fit)
  check_given(x, "the points")
  log <- check_flag(log)
  new <- new_data(fit, one_row(x, fit), arg = "x")
  type <- if (log) "logdensity" else "density"
  known <- score(fit, new$x, type, marginal = FALSE)
  if (!is.null(known)) return(known)
  # Of others NA, as of other densities; predict() gives that of what is there.
  ok <- !missing_rows(new$x)
  density <- stats::setNames(rep(NA_real_, length(ok)), rownames(new$x))
  density[ok] <- score(fit, new$x[ok, , drop = FALSE], type)
  density
}

#' @rdname gmm-distribution
#' @export
pgmm <- function(q, fit, lower = -Inf, lower.tail = TRUE, log.p = FALSE, abseps = 1e-4) {
  validate_gmm(fit)
  check_given(q, "the upper corners of the boxes")
  lower.tail <- check_flag(lower.tail)
  log.p <- check_flag(log.p)
  abseps <- check_number(abseps, min = 0, ends = "()")
  q <- new_data(fit, one_row(q, fit), arg = "q")$x
  lower <- lower_corner(lower, fit, nrow(q))

  value <- error <- rep(NA_real_, nrow(q))
  ok <- rowSums(is.na(q) | is.na(lower)) == 0
  box <- mixture_box(lower[ok, , drop = FALSE], q[ok, , drop = FALSE], fit, abseps)
  value[ok] <- if (lower.tail) box$inside else box$outside
  if (!log.p) value <- exp(value)
  names(value) <- rownames(q)
  if (!is.null(box$error)) {
    error[ok] <- box$error
    attr(value, "error") <- error
  }
  value
}

#' @rdname gmm-distribution
#' @export
qgmm <- function(p, fit, lower.tail = TRUE, log.p = FALSE) {
  validate_gmm(fit)
  check_given(p, "the probabilities")
  lower.tail <- check_flag(lower.tail)
  log.p <- check_flag(log.p)
  d <- ncol(fit$means)
  if (d != 1L) {
    gmm_abort("dimension", sprintf("`fit` must be in one dimension for quantiles, not in %d.", d),
              "Those of one variable are qgmm(p, gmm_marginal(fit, variable)).")
  }
  check_probabilities(p, log.p)
  value <- p
  storage.mode(value) <- "double"
  ok <- !is.na(p)
  value[ok] <- mixture_quantile(as.double(p[ok]), fit, lower.tail, log.p)
  value[!ok] <- NA
  value
}

# ---- arguments -------------------------------------------------------------------------

# A vector of d numbers is one point where d > 1. All else is for the data door.
one_row <- function(x, fit) {
  d <- ncol(fit$means)
  if (d > 1L && is.atomic(x) && is.null(dim(x)) && !is.factor(x) && length(x) == d) {
    x <- matrix(x, 1L, dimnames = list(NULL, names(x)))
  }
  x
}

# -> matrix of m rows
lower_corner <- function(lower, fit, m) {
  d <- ncol(fit$means)
  if (is_number(lower)) return(matrix(as.double(lower), m, d))
  lower <- new_data(fit, one_row(lower, fit), arg = "lower")$x
  if (nrow(lower) != 1L && nrow(lower) != m) {
    gmm_abort("argument", sprintf(
      "`lower` must have one row, or a row for each of the %d of `q`, not %d.", m, nrow(lower)))
  }
  lower[rep_len(seq_len(nrow(lower)), m), , drop = FALSE]
}

check_probabilities <- function(p, log.p) {
  range <- if (log.p) c(-Inf, 0) else c(0, 1)
  if (is.object(p) || !(is.numeric(p) || is.logical(p) && all(is.na(p)))) {
    gmm_abort("argument", must_be("p", "numeric", p))
  }
  wrong <- which(p < range[1L] | p > range[2L])
  if (length(wrong) > 0L) {
    expected <- if (log.p) "logarithms of probabilities, 0 or less" else "probabilities from 0 to 1"
    gmm_abort("argument", sprintf("`p` must be %s, not %s (element %d).", expected,
                                  number_text(p[[wrong[1L]]]), wrong[1L]))
  }
}

# ---- probabilities of boxes ------------------------------------------------------------
#
# A probability travels as a list of the logarithms of itself, `inside`, and of its complement,
# `outside`, each exact in its own tail; where quadrature came in, with `error`.

# For each row P(lower < X <= upper).
mixture_box <- function(lower, upper, fit, abseps) {
  need_proper(fit, "probabilities of boxes")
  present <- which(fit$proportions > 0)
  parts <- lapply(present, function(j) {
    if (j > fit$k) return(uniform_box(lower, upper, fit$noise$limits))
    component_box(lower, upper, fit$means[j, ], component_covariance(fit, j), abseps)
  })
  log_proportions <- log(fit$proportions[present])
  sum_up <- function(field) {
    Reduce(log_add, Map(`+`, lapply(parts, `[[`, field), log_proportions))
  }
  total <- settle(sum_up("inside"), sum_up("outside"))
  errors <- Map(`*`, lapply(parts, `[[`, "error"), fit$proportions[present])
  total$error <- Reduce(`+`, errors[lengths(errors) > 0L])
  if (any(total$error > abseps)) {
    gmm_warn("accuracy", sprintf("The error of a probability is about %s, above `abseps` (%s).",
                                 number_text(signif(max(total$error), 2L)), number_text(abseps)),
             "The attribute \"error\" of the result has the error of each.")
  }
  total
}

# Rows that leave the same coordinates without limits are dealt with together.
component_box <- function(lower, upper, mean, covariance, abseps) {
  sd <- sqrt(diag(covariance))
  if (is_diagonal(covariance)) return(normal_box(lower, upper, mean, sd))
  limited <- lower > -Inf | upper < Inf
  pattern <- apply(limited, 1L, function(row) paste(which(row), collapse = " "))
  inside <- outside <- error <- numeric(nrow(upper))
  for (rows in split(seq_along(pattern), pattern)) {
    keep <- which(limited[rows[1L], ])
    a <- lower[rows, keep, drop = FALSE]
    b <- upper[rows, keep, drop = FALSE]
    margin <- covariance[keep, keep, drop = FALSE]
    box <- if (is_diagonal(margin)) {
      normal_box(a, b, mean[keep], sd[keep])
    } else {
      quadrature_box(scale(a, mean[keep], sd[keep]), scale(b, mean[keep], sd[keep]),
                     stats::cov2cor(margin), abseps)
    }
    inside[rows] <- box$inside
    outside[rows] <- box$outside
    if (!is.null(box$error)) error[rows] <- box$error
  }
  list(inside = inside, outside = outside, error = error)
}

# Independent coordinates. The complement is a telescope of positive terms: X leaves the box first
# in coordinate 1, or stays within 1 and leaves in 2, ... `interval`: that probability of one.
parallel_box <- function(lower, upper, interval) {
  inside <- numeric(nrow(upper))
  outside <- rep(-Inf, nrow(upper))
  for (a in seq_len(ncol(upper))) {
    one <- interval(lower[, a], upper[, a], a)
    outside <- log_add(outside, inside + one$outside)
    inside <- inside + one$inside
  }
  settle(inside, outside)
}

normal_box <- function(lower, upper, mean, sd) {
  parallel_box(lower, upper, function(l, u, a) normal_interval(l, u, mean[a], sd[a]))
}

uniform_box <- function(lower, upper, limits) {
  parallel_box(lower, upper, function(l, u, a) {
    u <- pmax(l, u)
    within <- function(v) pmin(pmax(v, limits[1L, a]), limits[2L, a])
    width <- limits[2L, a] - limits[1L, a]
    settle(log((within(u) - within(l)) / width),
           log(((within(l) - limits[1L, a]) + (limits[2L, a] - within(u))) / width))
  })
}

# One coordinate. The interval is mirrored where that brings it to the lower tail. A narrow one is
# an integral of the density by Gauss and Legendre, any other a difference without cancellation.
normal_interval <- function(lower, upper, mean, sd) {
  a <- (lower - mean) / sd
  b <- (upper - mean) / sd
  width <- (upper - lower) / sd
  outside <- log_add(stats::pnorm(a, log.p = TRUE),
                     stats::pnorm(b, lower.tail = FALSE, log.p = TRUE))
  mirror <- which(a + b > 0)
  b_mirrored <- -a[mirror]
  a[mirror] <- -b[mirror]
  b[mirror] <- b_mirrored
  inside <- log_subtract(stats::pnorm(b, log.p = TRUE), stats::pnorm(a, log.p = TRUE))
  middle <- (a + b) / 2
  narrow <- which(width > 0 & width * (1 + abs(middle)) <= 1)
  inside[narrow] <- narrow_interval(middle[narrow], width[narrow])
  empty <- which(upper <= lower)
  inside[empty] <- -Inf
  outside[empty] <- 0
  settle(inside, outside)
}

# Nodes and weights of the rule of eight points on (-1, 1), Abramowitz and Stegun (1964) table 25.4.
gauss_legendre <- list(
  node = c(0.183434642495650, 0.525532409916329, 0.796666477413627, 0.960289856497536),
  weight = c(0.362683783378362, 0.313706645877887, 0.222381034453374, 0.101228536290376)
)

narrow_interval <- function(middle, width) {
  t <- outer(width / 2, c(-gauss_legendre$node, gauss_legendre$node))
  mass <- exp(-middle * t - t^2 / 2) %*% rep(gauss_legendre$weight, 2L)
  stats::dnorm(middle, log = TRUE) + log(width) + log(drop(mass) / 2)
}

# ---- quadrature: standardised boxes, a row each ----------------------------------------

quadrature_box <- function(lower, upper, corr, abseps) {
  found <- vapply(seq_len(nrow(upper)), function(i) {
    if (any(lower[i, ] >= upper[i, ])) return(c(0, 0))
    box_probability(lower[i, ], upper[i, ], corr, abseps)
  }, c(0, 0))
  p <- pmin(pmax(found[1L, ], 0), 1)
  list(inside = log(p), outside = log1p(-p), error = found[2L, ])
}

# -> c(probability, its error). Coordinates that lie above the mean are mirrored: then differences
# are between small numbers, and one-sided limits are upper ones.
box_probability <- function(lower, upper, corr, abseps) {
  mirror <- lower + upper > 0
  sign <- ifelse(mirror, -1, 1)
  d <- length(upper)
  method <- if (d <= 3L) by_corners else if (d == 4L) by_slices else by_points
  method(ifelse(mirror, -upper, lower), ifelse(mirror, -lower, upper), corr * outer(sign, sign),
         abseps)
}

# One to three coordinates: inclusion and exclusion over the corners, each the orthant below it.
by_corners <- function(lower, upper, corr, ...) {
  two_sided <- which(lower > -Inf)
  corners <- 2^length(two_sided)
  value <- 0
  for (i in seq_len(corners) - 1) {
    low <- two_sided[bitwAnd(i, 2^(seq_along(two_sided) - 1)) > 0]
    value <- value + (-1)^length(low) * orthant(replace(upper, low, lower[low]), corr)
  }
  c(value, corners * orthant_error)
}

orthant_error <- 1e-14

orthant <- function(upper, corr) {
  if (length(upper) == 1L) return(stats::pnorm(upper))
  mvtnorm::pmvnorm(upper = upper, corr = corr, keepAttr = FALSE,
                   algorithm = mvtnorm::TVPACK(abseps = orthant_error))
}

# Four coordinates: the integral, over the one that is least correlated, of the probability of the
# other three given it. It is cut where the conditional mean of another passes one of its limits.
by_slices <- function(lower, upper, corr, ...) {
  along <- which.min(apply(abs(corr - diag(4L)), 1L, max))
  slope <- corr[-along, along]
  rest <- corr[-along, -along] - tcrossprod(slope)
  sd <- sqrt(pmax(diag(rest), .Machine$double.eps^2))
  rest <- rest / tcrossprod(sd)
  diag(rest) <- 1
  integrand <- function(z) {
    stats::dnorm(z) * vapply(z, function(at) {
      by_corners((lower[-along] - slope * at) / sd, (upper[-along] - slope * at) / sd, rest)[1L]
    }, 0)
  }
  ends <- c(max(lower[along], min(upper[along], 0) - 9), min(upper[along], 9))
  steps <- c(lower[-along], upper[-along]) / slope
  steps <- steps[is.finite(steps) & steps > ends[1L] & steps < ends[2L]]
  cuts <- sort(unique(c(ends, steps)))
  tolerance <- 1e-8
  pieces <- vapply(seq_along(cuts[-1L]), function(i) {
    piece <- stats::integrate(integrand, cuts[i], cuts[i + 1L], rel.tol = tolerance,
                              abs.tol = tolerance, stop.on.error = FALSE)
    c(piece$value, piece$abs.error)
  }, c(0, 0))
  rowSums(pieces) + c(0, 8 * orthant_error)
}

# Five and more: quasi-Monte Carlo, with the same points each time.
by_points <- function(lower, upper, corr, abseps) {
  cover <- 1.5 # the error that is estimated falls short of the true one now and then
  if (length(upper) > 1000L) {
    gmm_abort("dimension", sprintf(
      "`q` must have limits on at most 1000 correlated coordinates, not on %d.", length(upper)),
              "Coordinates without limits are left out: set theirs to -Inf and Inf.")
  }
  # keeps a call within a few tenths of a second, as it can't be interrupted
  points <- as.integer(2e6 / length(upper))
  found <- with_fixed_seed(
    mvtnorm::pmvnorm(lower, upper, corr = corr,
                     algorithm = mvtnorm::GenzBretz(maxpts = points, abseps = abseps / cover,
                                                    releps = 0))
  )
  c(found, cover * attr(found, "error"))
}

# Evaluates code from a fixed state of R's generator and puts back the user's, kinds included.
with_fixed_seed <- function(code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  kinds <- RNGkind()
  on.exit({
    # kind "Rounding" warns
    suppressWarnings(RNGkind(kinds[1L], kinds[2L], kinds[3L]))
    if (is.null(old)) rm(".Random.seed", envir = globalenv())
    else assign(".Random.seed", old, envir = globalenv())
  })
  set.seed(1L, "Mersenne-Twister", "Inversion", "Rejection")
  code
}

# ---- quantiles -------------------------------------------------------------------------

# p as given -> quantiles. The equation is solved in the smaller tail: side 1 is the lower, -1 the
# upper, target the logarithm of that tail.
mixture_quantile <- function(p, fit, lower.tail, log.p) {
  given <- if (log.p) p else log(p)
  other <- if (log.p) log1mexp(p) else log1p(-p)
  smaller <- given <= other
  target <- ifelse(smaller, given, other)
  side <- ifelse(smaller == lower.tail, 1, -1)
  value <- -side * Inf
  solve <- which(target > -Inf)
  value[solve] <- solve_quantile(target[solve], side[solve], line_mixture(fit))
  value
}

# A mixture in one dimension, or one for each of several equations: standard deviations `sd` (k),
# and lists `log_proportion` and `mean` of k elements, each a number or one for each equation;
# where there is noise its `limits`, and one more `log_proportion`.
line_mixture <- function(fit) {
  need_proper(fit, "quantiles")
  present <- gaussians_present(fit)
  noise <- if (!is.null(fit$noise)) fit$k + 1L
  list(log_proportion = as.list(log(fit$proportions[c(present, noise)])),
       mean = as.list(fit$means[present, 1L]), sd = sqrt(fit$covariances[1L, 1L, present]),
       limits = fit$noise$limits[, 1L])
}

line_rows <- function(mixture, rows) {
  pick <- function(v) if (length(v) == 1L) v else v[rows]
  for (field in c("log_proportion", "mean")) mixture[[field]] <- lapply(mixture[[field]], pick)
  mixture
}

# The logarithm of the tail of the mixture on `side` of x, and its derivative in the direction of x.
log_tail <- function(x, side, mixture) {
  terms <- lapply(seq_along(mixture$sd), function(j) {
    z <- (x - mixture$mean[[j]]) / mixture$sd[j]
    log_proportion <- mixture$log_proportion[[j]]
    list(tail = log_proportion + stats::pnorm(side * z, log.p = TRUE),
         density = log_proportion - log(mixture$sd[j]) + stats::dnorm(z, log = TRUE))
  })
  if (!is.null(mixture$limits)) terms <- c(terms, list(uniform_tail(x, side, mixture)))
  tail <- Reduce(log_add, lapply(terms, `[[`, "tail"))
  density <- Reduce(log_add, lapply(terms, `[[`, "density"))
  list(value = tail, slope = exp(density - tail))
}

uniform_tail <- function(x, side, mixture) {
  log_proportion <- mixture$log_proportion[[length(mixture$sd) + 1L]]
  limits <- mixture$limits
  width <- limits[[2L]] - limits[[1L]]
  beyond <- ifelse(side > 0, x - limits[[1L]], limits[[2L]] - x)
  list(tail = log_proportion + log(pmin(pmax(beyond / width, 0), 1)),
       density = log_proportion + ifelse(beyond > 0 & beyond < width, -log(width), -Inf))
}

# Smallest x with side * (log tail(x) - target) >= 0, which rises with x. It lies in (low, high],
# between the quantiles of the components that are there. Newton steps go a little too far on
# purpose, so that both ends close in; a step out of the bracket, or longer than half the last, is
# replaced by its middle.
solve_quantile <- function(target, side, mixture) {
  # In the far tail qnorm() is right to five digits only, before R 4.3; hence the slack.
  z <- side * stats::qnorm(target, log.p = TRUE)
  around <- function(slack) {
    Map(function(log_proportion, mean, sd) {
      end <- mean + sd * (z + slack * (1 + abs(z))) +
        sign(slack) * 4 * .Machine$double.eps * abs(mean)
      replace(end, log_proportion == -Inf, NA)
    }, mixture$log_proportion[seq_along(mixture$sd)], mixture$mean, mixture$sd)
  }
  low <- do.call(pmin, c(around(-1e-3), na.rm = TRUE))
  high <- do.call(pmax, c(around(1e-3), na.rm = TRUE))
  if (!is.null(mixture$limits)) {
    low <- pmin(low, mixture$limits[[1L]])
    high <- pmax(high, mixture$limits[[2L]])
  }
  x <- ifelse(side > 0, low, high)
  width <- high - low
  finest <- min(mixture$sd)
  open <- seq_along(x)
  while (length(open) > 0L) {
    at <- log_tail(x[open], side[open], line_rows(mixture, open))
    rise <- side[open] * (at$value - target[open])
    above <- rise >= 0
    high[open[above]] <- x[open[above]]
    low[open[!above]] <- x[open[!above]]
    unit <- .Machine$double.eps * pmax(abs(low), abs(high), finest)[open]
    newton <- x[open] - rise / at$slope + ifelse(above, -unit, unit)
    middle <- low[open] + (high[open] - low[open]) / 2
    good <- is.finite(newton) & newton > low[open] & newton < high[open] &
      abs(newton - x[open]) <= width[open] / 2
    width[open] <- ifelse(good, abs(newton - x[open]), (high - low)[open] / 2)
    x[open] <- ifelse(good, newton, middle)
    open <- open[high[open] - low[open] > unit]
  }
  high
}

# ---- logarithms of probabilities -------------------------------------------------------

# log(exp(a) + exp(b))
log_add <- function(a, b) {
  most <- pmax(a, b)
  sum <- most + log1p(exp(-abs(a - b)))
  ifelse(most == -Inf, -Inf, sum)
}

# log(1 - exp(a)), a <= 0
log1mexp <- function(a) ifelse(a > -log(2), log(-expm1(a)), log1p(-exp(a)))

# log(exp(a) - exp(b)), b <= a
log_subtract <- function(a, b) ifelse(b == -Inf, a, a + log1mexp(pmin(b - a, 0)))

# The larger of a probability and its complement follows from the smaller.
settle <- function(inside, outside) {
  near <- which(outside < -log(2))
  far <- which(inside < -log(2))
  certain <- log1mexp(outside[near])
  outside[far] <- log1mexp(inside[far])
  inside[near] <- certain
  list(inside = inside, outside = outside)
}

is_diagonal <- function(m) all(m[row(m) != col(m)] == 0)
