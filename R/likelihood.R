#' Likelihood of one parameter
#'
#' A mixture whose parameters depend on one number theta is a function f(x; theta) of two arguments.
#' For a fixed theta it is the **density** of x, which integrates to 1 over x. For fixed rows x it
#' is the **likelihood** of theta, which need not integrate to anything in particular.
#' `gmm_likelihood()` computes the likelihood of given rows, its maximum (the maximum-likelihood
#' estimate) and, with a prior density of theta, the mode of the posterior (MAP).
#'
#' @param model A function from one number to a mixture by [gmm_params()] (or [gmm()]), with the
#'   same variables at each number:
#'   `function(theta) gmm_params(c(0.5, 0.5), c(-4, 1), c(theta, theta)^2)`.
#' @param x The rows observed, one or more: a vector for one variable, a matrix or data frame of d
#'   columns for d variables (matched by name where both have names); a vector of d numbers is one
#'   row in d variables. Finite, without missing values.
#' @param theta The numbers to look at: at least two, finite and increasing. The likelihood is
#'   evaluated at each, so they must be close enough together to show all its peaks.
#' @param prior The prior density of theta: a function from one number to a finite number of 0 or
#'   more, in the units of theta. Its integral need not be 1.
#'
#' @details
#' The log-likelihood is the sum over the rows of log f(x; theta); the likelihood is its
#' exponential, the product. Of many rows that product can be too small or too large for a double:
#' it is then printed and drawn relative to its maximum, and the text says so.
#'
#' Maxima: at the best five local maxima over `theta`, the ends included, [stats::optimize()] looks
#' for the maximum between the neighbouring values of `theta`. Where the best is an end of `theta`,
#' the likelihood may be larger beyond it; `boundary` is then `TRUE`, and print says so. (A
#' likelihood without a maximum, such as that of a standard deviation when the one row is the mean,
#' shows itself like that.) Of maxima as high as one another the smallest theta is reported, and
#' print names the others. Where the likelihood is the same at all `theta`, the estimate is `NA`.
#'
#' The posterior is the likelihood times the prior, divided by its integral from the smallest to the
#' largest of `theta`; outside of that range it is 0.
#'
#' Integrals over theta and, in one dimension, over x are computed by [stats::integrate()] in pieces
#' that are cut at the peaks. In more dimensions the integral over x is that over a box that reaches
#' nine standard deviations from the means, by [pgmm()].
#'
#' @return An object of class `"gmm_likelihood"`, a list of
#'   * `density`, a function of theta (a vector of m numbers) that gives the n x m matrix of the
#'     rows' densities; `loglik`, `likelihood`: functions of theta that give m numbers; with a prior
#'     also `posterior`, likewise;
#'   * `mle`, the maximum-likelihood estimate, and `maxima`, a data frame of the local maxima, the
#'     best first: `theta`, `loglik`, `boundary`;
#'   * `map`, the mode of the posterior, and `modes`, a data frame of its local maxima: `theta`,
#'     `posterior`, `boundary` (`NULL` without a prior);
#'   * `integral`: a list of `x`, the integral of f(x; theta) over x at theta = `at`, and the
#'     logarithms of integrals over the range of `theta`: `log_theta` of the likelihood,
#'     `log_evidence` of the likelihood times the prior as given;
#'   * `grid`, a data frame of `theta` and `loglik` (with a prior also `prior`, `posterior`);
#'   * `model`, `prior`, `x` (a matrix n x d), `call`.
#'
#'   `as.data.frame()` gives, for each of `theta`, `likelihood`, `relative` (the likelihood divided
#'   by its maximum), `loglik`, and with a prior `prior` (as given) and `posterior`. `summary()`
#'   adds all local maxima and the mixture at the estimate.
#'
#' @section Errors:
#' `gaussmix_error_argument`: `model` is not a function, or fails or gives something other than a
#' mixture at some theta, which is named; `theta` is not increasing; the prior is negative, not a
#' number, or 0 wherever the likelihood is not. `gaussmix_error_missing`, `_nonfinite`,
#' `_dimension`, `_names`, `_type`: `x` does not fit. `gaussmix_error_scale`: `x` is so far out that
#' its density is 0 at each of `theta`.
#'
#' @references Edwards, A. W. F. (1972) *Likelihood.* Cambridge University Press.
#' @seealso [plot.gmm_likelihood()]; [gmm()] for the maximum over all parameters.
#' @examples
#' # two normals at -4 and 1 with equal proportions; their common standard deviation is theta
#' model <- function(theta) gmm_params(c(0.5, 0.5), c(-4, 1), c(theta, theta)^2)
#' lik <- gmm_likelihood(model, x = 2.5, theta = seq(0.4, 5, by = 0.02))
#' lik
#' plot(lik, at = 1.3, interval = c(-2, 2))
#'
#' lik$loglik(c(1, 1.5, 2))
#' pgmm(2, model(1.3), lower = -2)   # a probability is an integral over x, not over theta
#'
#' # a prior density of theta, and more rows
#' gmm_likelihood(model, c(2.5, -4.8, 0.3), seq(0.4, 5, by = 0.02),
#'                prior = function(theta) dgamma(theta, shape = 4, rate = 4))
#' @export
gmm_likelihood <- function(model, x, theta, prior = NULL) {
  lacking <- c(model = missing(model), x = missing(x), theta = missing(theta))
  if (any(lacking)) {
    gmm_abort("argument", sprintf("`%s` must be given.", names(lacking)[lacking][1L]))
  }
  if (!is.function(model)) {
    gmm_abort("argument", must_be("model", "a function from one number to a mixture", model),
              "For example function(theta) gmm_params(1, theta, 1).")
  }
  if (!is.null(prior) && !is.function(prior)) {
    gmm_abort("argument", must_be("prior", "a function from one number to a density", prior),
              "For example function(theta) dnorm(theta, 0, 2).")
  }
  theta <- check_theta_grid(theta)
  first <- mixture_at(theta[1L], list(model = model))
  problem <- list(model = model, prior = prior, x = likelihood_rows(x, first),
                  variables = colnames(first$means), range = range(theta))
  values <- loglik(theta, problem)
  likelihood <- explore(theta, values, function(at) loglik(at, problem), "The likelihood")
  if (is.null(likelihood)) {
    gmm_abort("scale", "`x` must have a density above 0 at one of `theta` at least, not 0 at all.",
              "It lies too far out for numbers in double precision.")
  }
  grid <- data.frame(theta = theta, loglik = values)
  posterior <- NULL
  if (!is.null(prior)) {
    grid$prior <- prior_density(theta, problem)
    joint <- values + log(grid$prior)
    posterior <- explore(theta, joint, function(at) log_joint(at, problem),
                         "`prior` times the likelihood")
    if (is.null(posterior)) {
      gmm_abort("argument", paste("`prior` must be above 0 at one of `theta` at least, where the",
                                  "likelihood is too, not 0 at all."))
    }
    problem$log_evidence <- posterior$log_area
    grid$posterior <- exp(joint - posterior$log_area)
    posterior$maxima$value <- exp(posterior$maxima$value - posterior$log_area)
    names(posterior$maxima)[2L] <- "posterior"
  }
  names(likelihood$maxima)[2L] <- "loglik"
  at <- if (is.na(likelihood$best)) mean(range(theta)) else likelihood$best
  structure(class = "gmm_likelihood", c(functions_of_theta(problem), list(
    mle = likelihood$best, maxima = likelihood$maxima,
    map = posterior$best, modes = posterior$maxima,
    integral = list(x = total_probability(mixture_at(at, problem)), at = at,
                    log_theta = likelihood$log_area, log_evidence = posterior$log_area),
    grid = grid, cuts = sort(unique(c(likelihood$cuts, posterior$cuts))),
    model = model, prior = prior, x = problem$x, named = first$blueprint$named,
    call = match.call()
  )))
}

# ---- arguments -------------------------------------------------------------------------

check_theta_grid <- function(theta) {
  expected <- "at least two finite numbers that increase"
  if (!is_plain_numeric(theta) || is.logical(theta) || length(dim(theta)) > 1L ||
        length(theta) < 2L) {
    gmm_abort("argument", must_be("theta", expected, theta), "For example seq(0.1, 5, by = 0.1).")
  }
  theta <- check_theta(theta)
  wrong <- which(diff(theta) <= 0)
  if (length(wrong) > 0L) {
    gmm_abort("argument", sprintf("`theta` must be %s, not %s after %s (element %d).", expected,
                                  number_text(theta[wrong[1L] + 1L]), number_text(theta[wrong[1L]]),
                                  wrong[1L] + 1L), "Use sort(unique(theta)).")
  }
  theta
}

check_theta <- function(theta) {
  if (!is_plain_numeric(theta) || is.logical(theta)) {
    gmm_abort("argument", must_be("theta", "numeric", theta))
  }
  wrong <- which(!is.finite(theta))
  if (length(wrong) > 0L) {
    gmm_abort("argument", sprintf("`theta` must be finite, not %s (element %d).",
                                  number_text(theta[[wrong[1L]]]), wrong[1L]))
  }
  as.double(theta)
}

# -> matrix of n rows
likelihood_rows <- function(x, mixture) {
  x <- new_data(mixture, one_row(x, mixture), arg = "x")$x
  if (nrow(x) == 0L) gmm_abort("dimension", "`x` has no rows.")
  lacking <- which(missing_rows(x))
  if (length(lacking) > 0L) {
    gmm_abort("missing", sprintf("`x` must not have missing values, as in %s %s.",
                                 if (length(lacking) == 1L) "row" else "rows",
                                 some(row_label(x, lacking))),
              "Leave such rows out, by na.omit().")
  }
  check_finite(x, "x")
  x
}

# What the model gives at one number, checked. `problem$variables`: those that it must be in.
mixture_at <- function(theta, problem) {
  at <- number_text(theta)
  mixture <- tryCatch(problem$model(theta), error = function(e) {
    gmm_abort("argument", sprintf("`model` must give a mixture at theta = %s; it fails: %s", at,
                                  conditionMessage(e)), theta = theta)
  })
  validate_gmm(mixture, sprintf("model(%s)", at))
  variables <- colnames(mixture$means)
  if (!is.null(problem$variables) && !identical(variables, problem$variables)) {
    text <- sprintf("`model(%s)` must be in the variables %s, as `model(%s)`, not %s.", at,
                    some(backtick(problem$variables)), number_text(problem$range[1L]),
                    some(backtick(variables)))
    gmm_abort("argument", text, theta = theta)
  }
  mixture
}

# ---- functions of theta ----------------------------------------------------------------
#
# `problem` is a list: model, prior, x, variables, range (of theta), and log_evidence, the logarithm
# of the integral of likelihood times prior.

# The functions that the object holds; they share one environment.
functions_of_theta <- function(problem) {
  list(density = function(theta) row_densities(theta, problem),
       loglik = function(theta) loglik(theta, problem),
       likelihood = function(theta) exp(loglik(theta, problem)),
       posterior = if (!is.null(problem$prior)) function(theta) posterior(theta, problem))
}

row_densities <- function(theta, problem) {
  n <- nrow(problem$x)
  values <- vapply(check_theta(theta), function(at) {
    score(mixture_at(at, problem), problem$x, "density")
  }, numeric(n))
  values <- matrix(values, n)
  rownames(values) <- rownames(problem$x)
  values
}

loglik <- function(theta, problem) {
  vapply(check_theta(theta), function(at) {
    sum(score(mixture_at(at, problem), problem$x, "logdensity"))
  }, 0)
}

prior_density <- function(theta, problem) {
  vapply(theta, function(at) {
    value <- problem$prior(at)
    if (!is_number(value) || !is.finite(value) || value < 0) {
      gmm_abort("argument", must_be(sprintf("prior(%s)", number_text(at)),
                                    "a finite number of at least 0", value), theta = at)
    }
    as.double(value)
  }, 0)
}

log_joint <- function(theta, problem) {
  log(prior_density(theta, problem)) + loglik(theta, problem)
}

posterior <- function(theta, problem) {
  theta <- check_theta(theta)
  within <- theta >= problem$range[1L] & theta <= problem$range[2L]
  value <- numeric(length(theta))
  value[within] <- exp(log_joint(theta[within], problem) - problem$log_evidence)
  value
}

# ---- maxima and integrals --------------------------------------------------------------

# What there is to know of a function f, the logarithm of a nonnegative one, with `values` on the
# grid: local maxima, the best of them, the logarithm of the area below exp(f), and the points that
# cut the range into pieces without narrow peaks inside. NULL: exp(f) is 0 at all of the grid.
# `what` is what exp(f) is called.
explore <- function(theta, values, f, what) {
  if (max(values) == -Inf) return(NULL)
  maxima <- local_maxima(theta, values, f)
  top <- maxima$value[1L]
  flat <- top - min(values) <= 1e-13 * (1 + abs(top))
  peaks <- lapply(maxima$theta, peak_limits, f = f, theta = theta)
  cuts <- sort(unique(c(range(theta), unlist(peaks))))
  area <- integrate_pieces(function(at) exp(f(at) - top), cuts, 1e-10 * diff(range(theta)))
  if (!is.finite(area) || area <= 0) {
    gmm_abort("argument", sprintf(
      "%s must have an integral above 0 over theta, not %s: it is above 0 near theta = %s only.",
      what, number_text(area, 4L), number_text(maxima$theta[1L], 4L)),
      "Give a `theta` that is dense, and that goes on, where it is above 0.")
  }
  list(maxima = maxima, best = if (flat) NA_real_ else maxima$theta[1L],
       log_area = top + log(area), cuts = cuts)
}

# The best `most` local maxima of the grid, refined between their neighbours. Best first; of those
# that are equal to rounding, the one with the smallest theta.
local_maxima <- function(theta, values, f, most = 5L) {
  m <- length(theta)
  rises <- c(TRUE, values[-1L] > values[-m])
  falls <- c(values[-m] >= values[-1L], TRUE)
  peaks <- which(rises & falls & values > -Inf)
  peaks <- utils::head(peaks[order(values[peaks], decreasing = TRUE)], most)
  refined <- lapply(peaks, function(i) {
    between <- theta[c(max(i - 1L, 1L), min(i + 1L, m))]
    found <- stats::optimize(function(at) finite(f(at)), between, maximum = TRUE,
                             tol = 1e-9 * diff(between))
    better <- found$objective > values[i]
    data.frame(theta = if (better) found$maximum else theta[i],
               value = if (better) found$objective else values[i],
               boundary = !better && i %in% c(1L, m))
  })
  maxima <- do.call(rbind, refined)
  maxima <- maxima[order(-maxima$value, maxima$theta), ]
  equal <- which(highest(maxima$value))
  first <- equal[which.min(maxima$theta[equal])]
  maxima <- maxima[c(first, setdiff(seq_len(nrow(maxima)), first)), ]
  rownames(maxima) <- NULL
  maxima
}

# Which are the maximum, but for rounding?
highest <- function(values) values >= max(values) - 1e-9 * (1 + abs(max(values)))

# optimize() and uniroot() want finite numbers.
finite <- function(x) pmax(x, -1e300)

# A peak, and on either side the point where exp(f) has fallen to exp(-20) of it.
peak_limits <- function(peak, f, theta) {
  level <- f(peak) - 20
  sides <- lapply(range(theta), function(end) {
    if (f(end) >= level) return(NULL)
    stats::uniroot(function(at) finite(f(at)) - level, sort(c(peak, end)),
                   tol = 1e-7 * abs(end - peak))$root
  })
  c(peak, unlist(sides))
}

integrate_pieces <- function(f, cuts, abs_tol) {
  pieces <- vapply(seq_along(cuts[-1L]), function(i) {
    stats::integrate(f, cuts[i], cuts[i + 1L], rel.tol = 1e-6, abs.tol = abs_tol,
                     subdivisions = 200L, stop.on.error = FALSE)$value
  }, 0)
  sum(pieces)
}

# The integral of a mixture's density over nine standard deviations around all means.
total_probability <- function(mixture) {
  d <- ncol(mixture$means)
  sds <- sqrt(matrix(apply(mixture$covariances, 3L, diag), mixture$k, d, byrow = TRUE))
  low <- mixture$means - 9 * sds
  high <- mixture$means + 9 * sds
  if (d > 1L) {
    return(as.numeric(pgmm(apply(high, 2L, max), mixture, lower = apply(low, 2L, min))))
  }
  integrate_pieces(function(x) dgmm(x, mixture), sort(unique(c(low, mixture$means, high))), 1e-10)
}

# ---- printing --------------------------------------------------------------------------

#' @rdname print.gmm_likelihood
#' @export
format.gmm_likelihood <- function(x, digits = 4, ...) {
  number <- function(v) shown_number(v, digits)
  range <- range(x$grid$theta)
  over <- sprintf("over theta from %s to %s", number(range[1L]), number(range[2L]))
  scale <- likelihood_scale(x)
  area <- number(exp(x$integral$log_theta - scale))
  c(
    sprintf("Likelihood of theta: %s in %s, %s of theta from %s to %s", plural(nrow(x$x), "row"),
            plural(ncol(x$x), "variable"), plural(nrow(x$grid), "value"), number(range[1L]),
            number(range[2L])),
    if (is.na(x$mle)) {
      "maximum likelihood: none, the likelihood is the same at all theta"
    } else {
      sprintf("maximum likelihood: theta = %s, log-likelihood %s%s", number(x$mle),
              shown_number(x$maxima$loglik[1L], digits + 3L),
              if (scale == 0) paste(", likelihood", number(exp(x$maxima$loglik[1L]))) else "")
    },
    if (!is.na(x$mle)) maxima_text(x$maxima, "likelihood", number),
    if (scale != 0) {
      sprintf("the likelihood is too %s for a double: it is shown relative to its maximum",
              if (scale < 0) "small" else "large")
    },
    if (!is.null(x$map)) {
      c(if (is.na(x$map)) "posterior mode (MAP): none, the posterior is the same at all theta"
        else sprintf("posterior mode (MAP): theta = %s, posterior density %s", number(x$map),
                     number(x$modes$posterior[1L])),
        if (!is.na(x$map)) maxima_text(x$modes, "posterior", number))
    },
    sprintf("f(x; theta) integrates to %s over x (theta = %s),", shown_number(x$integral$x, 6L),
            number(x$integral$at)),
    sprintf("the %slikelihood to %s %s: it is not a density", if (scale == 0) "" else "relative ",
            area, over)
  )
}

# What to know of the best of some maxima: at an end, or not alone.
maxima_text <- function(maxima, what, number) {
  others <- maxima$theta[-1L][as_high(maxima)[-1L]]
  c(if (maxima$boundary[1L]) {
    sprintf("  that is an end of theta: the %s may be higher beyond it", what)
  },
  if (length(others) > 0L) sprintf("  as high at theta = %s", some(number(others))))
}

as_high <- function(maxima) {
  highest(if (is.null(maxima$loglik)) log(maxima$posterior) else maxima$loglik)
}

# What is subtracted from the log-likelihood before exp(): 0 where its maximum is within the range
# of a double, else that maximum.
likelihood_scale <- function(x) {
  top <- x$maxima$loglik[1L]
  inside <- top > log(.Machine$double.xmin) && top < log(.Machine$double.xmax)
  if (inside) 0 else top
}

#' Print and summarise a likelihood
#'
#' `print()` gives the maximum-likelihood estimate, with a prior the mode of the posterior, and the
#' integrals of the function over x and over theta. `summary()` adds all local maxima and the
#' mixture at the estimate. `as.data.frame()` gives the values on the grid of theta.
#'
#' @param x,object An object of class `"gmm_likelihood"`, by [gmm_likelihood()], or its summary.
#' @param digits Number of significant digits.
#' @param row.names,optional As in [as.data.frame()].
#' @param ... Not used.
#' @return `print()` returns its argument invisibly, `format()` the lines; `summary()` a list of
#'   class `"summary.gmm_likelihood"` with `maxima`, `modes` and `mixture` (at the estimate).
#'   `as.data.frame()`: a row for each of `theta`, with `theta`, `likelihood` (0 or Inf where it
#'   leaves the range of a double), `relative` (the likelihood divided by its maximum), `loglik`;
#'   with a prior also `prior` (as given) and `posterior`.
#' @examples
#' model <- function(theta) gmm_params(c(0.5, 0.5), c(-4, 1), c(theta, theta)^2)
#' lik <- gmm_likelihood(model, x = 2.5, theta = seq(0.4, 5, by = 0.02))
#' lik
#' summary(lik)
#' head(as.data.frame(lik))
#' @export
print.gmm_likelihood <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname print.gmm_likelihood
#' @export
summary.gmm_likelihood <- function(object, ...) {
  structure(class = "summary.gmm_likelihood", list(
    text = format(object), maxima = object$maxima, modes = object$modes,
    mixture = object$model(object$integral$at), at = object$integral$at
  ))
}

#' @rdname print.gmm_likelihood
#' @export
print.summary.gmm_likelihood <- function(x, digits = 4, ...) {
  cat(x$text, sep = "\n")
  cat("\nLocal maxima of the likelihood\n")
  print(x$maxima, digits = digits)
  if (!is.null(x$modes)) {
    cat("\nLocal maxima of the posterior\n")
    print(x$modes, digits = digits)
  }
  cat(sprintf("\nMixture at theta = %s\n", shown_number(x$at, digits)))
  cat(format(x$mixture, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname print.gmm_likelihood
#' @export
as.data.frame.gmm_likelihood <- function(x, row.names = NULL, optional = FALSE, ...) {
  values <- x$grid
  out <- data.frame(theta = values$theta, likelihood = exp(values$loglik),
                    relative = exp(values$loglik - x$maxima$loglik[1L]), loglik = values$loglik,
                    row.names = row.names)
  cbind(out, values[intersect(c("prior", "posterior"), names(values))])
}
