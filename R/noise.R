# The noise component: uniform in a box, or of one density everywhere. A mixture with noise has the
# field `noise`, list(log_volume, limits (2 x d: lower, upper; NULL: everywhere)), and its
# proportions have a last entry, "noise"; all else of it is about the Gaussians.

# What gmm(noise = ) was given -> that list, or NULL.
resolve_noise <- function(noise, data) {
  if (is.null(noise) || isFALSE(noise)) return(NULL)
  names <- colnames(data$x)
  if (isTRUE(noise)) {
    return(box_noise(data_box(data), names, "`noise = TRUE`, the box of the rows,"))
  }
  read_noise(noise, names, data$blueprint$named, has_gaps(data))
}

# What gmm(noise = ) takes for the same.
noise_argument <- function(noise) {
  if (is.null(noise)) return(NULL)
  if (is.null(noise$limits)) exp(noise$log_volume) else noise$limits
}

# The ranges of all rows that have a weight.
data_box <- function(data) {
  if (!is.null(data$home)) return(data$home$ranges)
  x <- if (is.null(data$weights)) data$x else data$x[data$weights > 0, , drop = FALSE]
  apply_columns(x, function(v) range(v, na.rm = TRUE), c(0, 0))
}

# names: of the variables; named: they are the user's; gaps: values are missing.
read_noise <- function(noise, names, named, gaps = FALSE) {
  d <- length(names)
  expected <- sprintf(
    "TRUE, a matrix of 2 x %d (lower and upper limits), or a volume, one number above 0", d)
  if (is.data.frame(noise)) noise <- as.matrix(noise)
  if (!is_plain_numeric(noise) || anyNA(noise)) {
    gmm_abort("argument", must_be("noise", expected, noise))
  }
  if (length(noise) == 1L) {
    if (!(noise > 0 && is.finite(noise))) gmm_abort("argument", must_be("noise", expected, noise))
    if (gaps) refuse_bare_volume("a fit to rows with missing values")
    return(list(log_volume = log(as.double(noise)), limits = NULL))
  }
  if (d == 1L && is.null(dim(noise))) noise <- matrix(noise, ncol = 1L)
  if (!identical(dim(noise), c(2L, d))) gmm_abort("argument", must_be("noise", expected, noise))
  if (named && any_names(colnames(noise))) {
    order <- match(names, colnames(noise))
    if (anyNA(order)) {
      gmm_abort("names", sprintf("`noise` must have the variables of the data; it lacks %s.",
                                 some(backtick(names[is.na(order)]))))
    }
    noise <- noise[, order, drop = FALSE]
  }
  box_noise(noise, names, "`noise`")
}

box_noise <- function(limits, names, what) {
  limits <- matrix(as.double(limits), 2L, dimnames = list(c("lower", "upper"), names))
  width <- limits[2L, ] - limits[1L, ]
  wrong <- which(!is.finite(width) | width <= 0)
  if (length(wrong)) {
    gmm_abort("argument", sprintf(
      "%s must have finite limits with the lower one first, not %s for %s.", what,
      paste(number_text(limits[, wrong[1L]]), collapse = " and "), backtick(names[wrong[1L]])))
  }
  list(log_volume = sum(log(width)), limits = limits)
}

noise_to_c <- function(noise) {
  if (is.null(noise)) return(NULL)
  side <- function(row) if (!is.null(noise$limits)) as.double(noise$limits[row, ])
  list(log_volume = noise$log_volume, lower = side(1L), upper = side(2L))
}

# Of all that a row may come from.
class_names <- function(params) c(rownames(params$means), if (!is.null(params$noise)) "noise")

# Its density is the same everywhere: no probabilities, draws, marginals.
refuse_bare_volume <- function(what) {
  gmm_abort("noise", sprintf(
    "Noise that was given as a volume has the same density everywhere, and no distribution for %s.",
    what
  ), "Give the limits of its box: noise = TRUE, or a matrix of lower and upper limits.")
}

is_proper <- function(params) is.null(params$noise) || !is.null(params$noise$limits)

need_proper <- function(params, what) if (!is_proper(params)) refuse_bare_volume(what)

refuse_noise <- function(fit, what, why) {
  if (is.null(fit$noise)) return(invisible())
  gmm_abort("noise", sprintf("%s can't take a mixture with noise: %s.", what, why))
}

# Numbers of the Gaussians that are there.
gaussians_present <- function(params) {
  which(params$proportions[seq_len(nrow(params$means))] > 0)
}

# In another order of the Gaussians.
reorder_gaussians <- function(params, order) {
  k <- length(order)
  c(list(proportions = params$proportions[c(order, seq_along(params$proportions)[-seq_len(k)])],
         means = params$means[order, , drop = FALSE],
         covariances = params$covariances[, , order, drop = FALSE]),
    if (!is.null(params$noise)) list(noise = params$noise))
}

# Without the noise: proportions of the Gaussians in proportion. Of what a fit holds only the rows
# are then true.
gaussian_part <- function(fit) {
  if (is.null(fit$noise)) return(fit)
  p <- fit$proportions[seq_len(fit$k)]
  fit$proportions <- p / sum(p)
  fit$noise <- fit$logdensity <- NULL
  fit$df <- fit$df - 1
  fit
}

noise_text <- function(noise) {
  if (is.null(noise$limits)) {
    sprintf("of density %s everywhere", shown_number(exp(-noise$log_volume), 4L))
  } else {
    sprintf("uniform in a box of volume %s", shown_number(exp(noise$log_volume), 4L))
  }
}
