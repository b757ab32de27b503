#' Profile likelihood of single coefficients
#'
#' For each value of one coefficient, the largest log-likelihood that the other parameters leave: it
#' gives intervals that need no normal approximation, and shows how good that of
#' [confint()][confint.gaussmix] is.
#'
#' @details
#' From the fit the coefficient is moved step by step, upwards and downwards, and at each step the
#' log-likelihood is maximised under the constraint by Newton's method, with the exact first and
#' second derivatives of [vcov()][vcov.gaussmix], from where the last step ended. So the path is the
#' one that leads away from the fit without a jump: a maximum that lies elsewhere is not looked for.
#'
#' z is the signed root of the likelihood-ratio statistic, sqrt(2 (maximum - profile)) with the sign
#' of the coefficient's change: a straight line where the normal approximation holds. An interval
#' reaches where |z| is the normal quantile, on an interpolating spline. A path that can't be
#' followed that far (the likelihood rises again, towards another maximum; a covariance degenerates)
#' ends early; the end of the interval is then `NA`, as the data do not bound it on that side.
#'
#' Each step costs about five passes over the rows in R, so that this is for fits of moderate size.
#'
#' @param fitted,object,x `fitted`: a fit by [gmm()] that holds its rows. `object`, `x`: the result
#'   of `profile()`.
#' @param which Names or numbers of the coefficients, as in [coef()][coef.gaussmix]. All
#'   proportions, means and covariances can be profiled; a single proportion of 1 can't.
#' @param level The largest level of an interval that is to be had: a number between 0 and 1.
#' @param ... For `plot()` graphical parameters, as for [plot()][plot.gaussmix]; else it must be
#'   empty or is not used.
#' @return `profile()`: a list of class `c("profile.gaussmix", "profile")` with a data frame for
#'   each coefficient, of `z`, `par.vals` (matrix: all coefficients on the path) and `loglik`, in
#'   the order of the coefficient; attribute `original.fit`. `confint()`: a matrix with a row for
#'   each coefficient and the columns lower and upper end. `plot()` draws z by the coefficient with
#'   the interval (dashed), and as a straight or curved thin line what `confint()` of the fit takes
#'   it to be; it returns its argument invisibly, as does `print()`, which shows both intervals.
#' @section Errors: `gaussmix_error_data` where the object holds no rows; `gaussmix_error_argument`
#'   for coefficients that there are not, a proportion of 1 or one that is equal by
#'   `gmm(proportions = "equal")`; and for fits with `labels`, `fixed`, `noise`, a `prior`, `trim`
#'   or an eigenvalue at the bound `ratio`, and by [gmm_vb()].
#' @section Warnings: `gaussmix_warning_information` where the fit is not near a maximum, so that
#'   there is no path; `gaussmix_warning_convergence` where it was so near only that the paths leave
#'   from a point that is better by more than 0.001.
#' @references Pawitan, Y. (2001) *In All Likelihood*. Oxford University Press, sections 2.6 and
#' 3.4.
#'
#'   Venables, W. N. and Ripley, B. D. (2002) *Modern Applied Statistics with S*. Springer, section
#'   8.4.
#' @seealso [confint()][confint.gaussmix], [gmm_boot()]
#' @examples
#' fit <- gmm(faithful, k = 2)
#' path <- profile(fit, c("mean.2.waiting", "cov.2.waiting.waiting"))
#' path
#' confint(path, level = 0.9)
#' plot(path)
#' @importFrom stats profile
#' @export
profile.gaussmix <- function(fitted, which, level = 0.99, ...) {
  check_dots_empty(...)
  need_rows(fitted, "profile()")
  refuse_variational(fitted, "profile()")
  refuse_options(fitted, "profile()", c(
    labels = "its constrained fits take no labels",
    fixed = "its constrained fits hold one coefficient, and leave the others free",
    noise = "its constrained fits have no noise component",
    prior = "it is of the likelihood, and the fit is no maximum of that"
  ), "gmm_boot(type = \"weighted\") gives intervals; confint() does, where there is no prior.")
  refuse_trimmed(fitted, "profile()")
  refuse_at_ratio(fitted, "profile()")
  level <- check_number(level, min = 0, max = 1, ends = "()")
  estimate <- coef_vector(fitted)
  constant <- names(estimate)[seq_len(fitted$k)][fitted$proportions == 1 | isTRUE(fitted$equal)]
  chosen <- setdiff(names(estimate), constant)
  if (!missing(which)) {
    chosen <- unique(check_parm(which, names(estimate), "which"))
    fixed <- intersect(chosen, constant)
    if (length(fixed)) {
      gmm_abort("argument", sprintf("`which` must name coefficients that can change, not %s.",
                                    some(backtick(fixed))))
    }
  }
  problem <- profile_problem(fitted, stats::qnorm((1 + level) / 2))
  told <- elapsed()
  paths <- lapply(seq_along(chosen), function(i) {
    if (fitted$control$verbose && elapsed() - told > 2) {
      gmm_inform(sprintf("profile(): coefficient %d of %d, %s", i, length(chosen), chosen[i]))
      told <<- elapsed()
    }
    profile_path(match(chosen[i], names(estimate)), problem)
  })
  structure(class = c("profile.gaussmix", "profile"), stats::setNames(paths, chosen),
            original.fit = fitted, level = level)
}

# ---- points and steps ------------------------------------------------------------------
#
# A point is a list: `params`, in the units of the data; `loglik`; `coef`; and, once it is the top
# of a climb, `slopes`, gradient and Hessian there. Steps are in the free parameters that the
# whitened rows are measured in (see inference.R), about the point.

# `start`: the fit, brought to its maximum to all digits. `se`: NA where there is no maximum.
profile_problem <- function(fit, reach) {
  problem <- list(x = fit$x, w = case_weights(fit), map = whitening(fit, anyNA(fit$x)),
                  reach = reach, scale = coef_scale(fit), threads = fit$control$threads)
  problem$count <- as.integer(df_of(fit$covariance, ncol(fit$x), fit$k))
  problem$free <- free_parameters(fit, problem$count)
  problem$white <- whiten_rows(fit$x, problem$map)
  problem$se <- row_norms(vcov_root(fit))
  problem$start <- point_at(as_parameters(fit), problem)
  if (anyNA(problem$se)) return(problem)
  top <- climb(problem$start, NULL, NULL, problem)
  rise <- top$loglik - problem$start$loglik
  if (is.null(top)) {
    gmm_warn("information", "There are no profiles: the fit is not near a maximum.",
             "Go on from it: gmm(..., control = gmm_control(init = fit, tol = 1e-12)).")
    problem$se[] <- NA_real_
    return(problem)
  }
  if (rise > 1e-3) {
    gmm_warn("convergence", sprintf("The fit was not at its maximum, which is %.3g higher.", rise),
             "The profiles are about the maximum.")
  }
  problem$start <- top
  problem
}

point_at <- function(params, problem) {
  density <- engine_score(problem$x, params, "logdensity", problem$threads)
  list(params = params, loglik = sum(problem$w * density), coef = coef_vector(params))
}

# Coefficients by free parameters at a point.
jacobian_at <- function(point, problem) {
  jacobian <- coef_jacobian(point$params, problem$map, needed_chart(point$params))
  jacobian[, problem$free, drop = FALSE]
}

derivatives_at <- function(point, problem) {
  params <- point$params
  posterior <- engine_score(problem$x, params, "prob", problem$threads)
  slopes <- likelihood_derivatives(problem$white, problem$w, posterior,
                                   whiten_parameters(params, problem$map),
                                   whiten_chart(needed_chart(params), problem$map))
  free <- problem$free
  list(gradient = slopes$gradient[free], hessian = slopes$hessian[free, free, drop = FALSE])
}

# The parameters that a step leads to; NULL where they are none.
step_from <- function(params, step, problem) {
  k <- nrow(params$means)
  d <- ncol(params$means)
  scale <- problem$map$scale
  chart <- needed_chart(params)
  step <- replace(numeric(problem$count), problem$free, step)
  p <- params$proportions
  p[-k] <- p[-k] + step[seq_len(k - 1L)]
  p[k] <- 1 - sum(p[-k])
  if (!all(p > 0)) return(NULL)
  params$proportions[] <- p
  moves <- matrix(step[k - 1L + seq_len(k * d)], k, d, byrow = TRUE)
  params$means[] <- params$means + moves %*% t(scale)
  rest <- step[-seq_len(k - 1L + k * d)]
  entries <- shape_entries(families[[params$covariance]]$shape, d)
  place <- cbind(entries$row, entries$column)
  for (j in seq_len(k)) {
    sigma <- if (is.null(chart)) {
      part <- covariance_jacobian(params, j, NULL)
      change <- matrix(0, d, d)
      change[place] <- change[place[, 2:1, drop = FALSE]] <- part$jacobian %*% rest[part$at]
      component_covariance(params, j) + scale %*% change %*% t(scale)
    } else {
      chart$covariance[[j]](rest[chart$at[[j]]])
    }
    sigma <- (sigma + t(sigma)) / 2
    if (is.null(try_chol(sigma))) return(NULL)
    params$covariances[, , j] <- sigma
  }
  params
}

# From a point to the nearest one at which coefficient number `which` has the value asked for; NULL
# where there is none. Most coefficients are linear in the free parameters: one step.
onto <- function(params, which, value, problem) {
  for (i in seq_len(20L)) {
    lacks <- value - coef_vector(params)[[which]]
    if (abs(lacks) <= 1e-12 * problem$se[which]) return(params)
    slope <- jacobian_at(list(params = params), problem)[which, ]
    params <- step_from(params, slope * lacks / sum(slope^2), problem)
    if (is.null(params)) return(NULL)
  }
  if (abs(lacks) <= 1e-8 * problem$se[which]) params
}

# The highest point with that value of the coefficient (which = NULL: without constraint), by
# Newton's method among the directions that leave the coefficient as it is. Where the log-likelihood
# is not concave, by the absolute curvatures. NULL where it fails.
climb <- function(point, which, value, problem) {
  for (i in seq_len(100L)) {
    point$slopes <- slopes <- derivatives_at(point, problem)
    free <- diag(length(slopes$gradient))
    if (!is.null(which)) {
      along <- jacobian_at(point, problem)[which, ]
      free <- qr.Q(qr(along), complete = TRUE)[, -1L, drop = FALSE]
    }
    if (ncol(free) == 0L) return(point)
    gradient <- drop(crossprod(free, slopes$gradient))
    bend <- eigen(-crossprod(free, slopes$hessian %*% free), symmetric = TRUE)
    curvature <- pmax(abs(bend$values), 1e-10 * max(abs(bend$values)))
    in_axes <- drop(crossprod(bend$vectors, gradient))
    gain <- sum(in_axes^2 / curvature)
    if (gain < max(1e-10, 1e-14 * abs(point$loglik))) return(point)
    step <- drop(free %*% (bend$vectors %*% (in_axes / curvature)))
    higher <- climb_along(point, step, gain, which, value, problem)
    if (is.null(higher)) return(if (gain < 1e-6) point)
    point <- higher
  }
}

# The step, or a part of it, that raises the log-likelihood.
climb_along <- function(point, step, gain, which, value, problem) {
  part <- 1
  while (part > 1e-6) {
    params <- step_from(point$params, part * step, problem)
    if (!is.null(params) && !is.null(which)) params <- onto(params, which, value, problem)
    if (!is.null(params)) {
      higher <- point_at(params, problem)
      if (higher$loglik > point$loglik + 1e-4 * part * gain) return(higher)
    }
    part <- part / 4
  }
}

# ---- paths -----------------------------------------------------------------------------

# Both sides of one coefficient, in its order.
profile_path <- function(which, problem) {
  start <- problem$start
  sides <- lapply(c(-1, 1), function(side) {
    if (!is.na(problem$se[which])) profile_side(which, side, problem)
  })
  points <- c(rev(sides[[1L]]), list(start), sides[[2L]])
  loglik <- vapply(points, `[[`, 0, "loglik")
  side <- rep(c(-1, 0, 1), c(length(sides[[1L]]), 1L, length(sides[[2L]])))
  path <- data.frame(z = side * sqrt(2 * pmax(0, start$loglik - loglik)))
  path$par.vals <- do.call(rbind, lapply(points, `[[`, "coef"))
  path$loglik <- loglik
  path
}

# From the fit until z is beyond the reach, or the path ends. Steps are equal on the scale on which
# the estimate is taken to be normal; one that fails is tried in smaller parts.
profile_side <- function(which, side, problem) {
  scale <- normal_scales[[problem$scale[which]]]
  at <- scale$to(problem$start$coef[[which]])
  unit <- side * problem$se[which] * scale$slope(problem$start$coef[[which]])
  length <- problem$reach / 5
  points <- list()
  point <- problem$start
  while (length(points) < 30L) {
    following <- profile_step(point, which, scale$from(at + length * unit), problem)
    if (is.null(following) || following$loglik >= point$loglik) { # the latter: another hill
      length <- length / 2
      if (length < problem$reach / 200) break
      next
    }
    at <- at + length * unit
    point <- following
    points <- c(points, list(point))
    if (problem$start$loglik - point$loglik > problem$reach^2 / 2) break
  }
  points
}

# From the highest point at one value of the coefficient to that at another: along the path's
# tangent first. NULL where it can't be.
profile_step <- function(point, which, value, problem) {
  slope <- jacobian_at(point, problem)[which, ]
  tangent <- tryCatch(solve(-point$slopes$hessian, slope), error = function(e) slope)
  step <- tangent * (value - point$coef[[which]]) / sum(slope * tangent)
  params <- step_from(point$params, step, problem)
  params <- onto(if (is.null(params)) point$params else params, which, value, problem)
  if (!is.null(params)) climb(point_at(params, problem), which, value, problem)
}

# ---- intervals -------------------------------------------------------------------------

#' @rdname profile.gaussmix
#' @param parm Names or numbers of those coefficients that were profiled. Left out: all.
#' @export
confint.profile.gaussmix <- function(object, parm, level = 0.95, ...) {
  check_dots_empty(...)
  level <- check_number(level, min = 0, max = 1, ends = "()")
  most <- attr(object, "level")
  if (level > most) {
    gmm_abort("argument", sprintf("`level` must be at most %s, as far as the profile goes, not %s.",
                                  number_text(most), number_text(level)),
              sprintf("Use profile(level = %s).", number_text(level)))
  }
  chosen <- if (missing(parm)) names(object) else check_parm(parm, names(object))
  ends <- t(vapply(chosen, function(name) profile_ends(object, name, level), numeric(2L)))
  dimnames(ends) <- list(chosen, tail_names((1 - level) / 2))
  ends
}

profile_ends <- function(object, name, level) {
  curve <- profile_curve(object, name)
  z <- stats::qnorm((1 + level) / 2)
  ifelse(abs(c(-z, z)) <= abs(range(curve$z)), curve$value(c(-z, z)), NA_real_)
}

# One path: `z`, and the coefficient as a function of it, interpolated on the scale of its steps.
profile_curve <- function(object, name) {
  path <- object[[name]]
  fit <- attr(object, "original.fit")
  scale <- normal_scales[[coef_scale(fit)[match(name, names(coef_vector(fit)))]]]
  at <- path$par.vals[, name]
  if (length(at) == 1L) return(list(z = path$z, value = function(z) rep(at, length(z))))
  inverse <- stats::splinefun(path$z, scale$to(at), method = "hyman")
  list(z = path$z, value = function(z) scale$from(inverse(z)))
}

#' @rdname profile.gaussmix
#' @param digits Number of significant digits.
#' @export
format.profile.gaussmix <- function(x, digits = 4, ...) {
  digits <- check_whole(digits, max = 15)
  fit <- attr(x, "original.fit")
  level <- min(0.95, attr(x, "level"))
  table <- data.frame(estimate = coef_vector(fit)[names(x)],
                      confint.profile.gaussmix(x, level = level),
                      suppressWarnings(confint.gaussmix(fit, names(x), level)))
  names(table)[-1L] <- c("lower", "upper", "Wald lower", "Wald upper")
  c(sprintf("Profile likelihood of %s (%s, %s), intervals of %s %%",
            plural(length(x), "coefficient"), plural(fit$k, "component"),
            family_label(fit$covariance, ncol(fit$means)), shown_number(100 * level)),
    utils::capture.output(print(table, digits = digits)),
    if (anyNA(table)) "NA: no path leads that far, see ?profile.gaussmix")
}

#' @rdname profile.gaussmix
#' @export
print.profile.gaussmix <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname profile.gaussmix
#' @param main,sub Titles of the panels, and the line below the picture; `""` for none.
#' @export
plot.profile.gaussmix <- function(x, parm, level = 0.95, ..., main = NULL, sub = NULL) {
  check_graphical(...names())
  chosen <- if (missing(parm)) utils::head(names(x), 9L) else check_parm(parm, names(x))
  ends <- confint.profile.gaussmix(x, chosen, level)
  if (is.null(main)) main <- chosen
  if (is.null(sub)) {
    sub <- sprintf("thick: profile; thin: normal approximation; dashed: profile interval, %s %%",
                   number_text(100 * level, 6L))
  }
  old <- par(panel_layout(length(chosen)))
  on.exit(par(old))
  main <- rep_len(main, length(chosen))
  se <- row_norms(suppressWarnings(vcov_root(attr(x, "original.fit"))))
  for (i in seq_along(chosen)) {
    draw_profile(x, chosen[i], ends[i, ], stats::qnorm((1 + level) / 2), se, main = main[i], ...)
  }
  mtext(sub, side = 1, outer = TRUE, line = 0.3, cex = 0.8, col = "grey30")
  invisible(x)
}

draw_profile <- function(x, name, ends, z, se, ..., xlim = range(at, curve$value(curve$z)),
                         ylim = range(curve$z), xlab = "", ylab = "z") {
  curve <- profile_curve(x, name)
  fine <- seq(min(curve$z), max(curve$z), length.out = 101L)
  at <- curve$value(fine)
  fit <- attr(x, "original.fit")
  which <- match(name, names(coef_vector(fit)))
  scale <- normal_scales[[coef_scale(fit)[which]]]
  estimate <- coef_vector(fit)[[which]]
  wald <- scale$from(scale$to(estimate) + fine * se[which] * scale$slope(estimate))
  draw_frame(xlim, ylim, xlab = xlab, ylab = ylab, ...)
  abline(h = 0, col = "grey80")
  lines(wald, fine)
  lines(at, fine, lwd = 3, col = component_style(1L)$col)
  segments(ends, par("usr")[3L], ends, c(-z, z), lty = 2)
  points(x[[name]]$par.vals[, name], x[[name]]$z, pch = 16, cex = 0.6)
}
