# predict(type = "impute"): missing values from those that are there, under the mixture.

# `newdata` NULL: the rows fitted. `draws` NULL: means.
predict_impute <- function(object, newdata, draws) {
  if (!is.null(draws)) draws <- check_whole(draws)
  need_proper(object, "missing values")
  if (is.null(newdata)) {
    need_rows(object, "predict() without `newdata`")
    x <- object$x
    like <- function(x) as_frame_kind(data_like(x, object$blueprint), object$blueprint$frame)
  } else {
    x <- new_data(object, newdata)$x
    like <- function(x) filled_like(x, newdata, object)
  }
  holes <- find_holes(object, x)
  if (is.null(draws)) return(like(fill_holes(x, holes, mean_hole)))
  out <- lapply(seq_len(draws), function(i) like(fill_holes(x, holes, draw_hole)))
  stats::setNames(out, paste0("draw_", seq_len(draws)))
}

# For each pattern of missing values: the rows, the variables that they miss, and the distribution
# of these given the others (see condition()).
find_holes <- function(object, x) {
  infinite <- which(missing_rows(x) & rowSums(is.infinite(x)) > 0)
  if (length(infinite)) warn_infinite(infinite)
  rows <- setdiff(which(missing_rows(x)), infinite)
  lapply(unname(split(rows, missing_patterns(x)[rows])), function(same) {
    rest <- which(is.na(x[same[1L], ]))
    given <- which(!is.na(x[same[1L], ]))
    list(rows = same, rest = rest,
         part = condition(object, x[same, given, drop = FALSE], given, rest))
  })
}

fill_holes <- function(x, holes, value) {
  for (hole in holes) x[hole$rows, hole$rest] <- value(hole$part)
  x
}

# n x q: the means of the missing variables ...
mean_hole <- function(part) {
  n <- nrow(part$log_prob)
  terms <- lapply(seq_len(ncol(part$log_prob)), function(j) {
    exp(part$log_prob[, j]) * matrix(part$means[, , j], n)
  })
  Reduce(`+`, terms)
}

# ... or a draw of each row's.
draw_hole <- function(part) {
  n <- nrow(part$log_prob)
  q <- dim(part$means)[2L]
  out <- matrix(stats::rnorm(n * q), n, q)
  u <- stats::runif(n)
  below <- rowSums(u > row_cumsum(exp(part$log_prob)))
  component <- pmin(below + 1L, ncol(part$log_prob))
  for (j in unique(component)) {
    rows <- which(component == j)
    if (!is.null(part$limits) && j == ncol(part$log_prob)) { # uniform
      each <- function(v) rep(v, each = length(rows))
      share <- stats::pnorm(out[rows, , drop = FALSE])
      out[rows, ] <- each(part$limits[1L, ]) * (1 - share) + each(part$limits[2L, ]) * share
      next
    }
    apart <- out[rows, , drop = FALSE] %*% chol(matrix(part$covariances[, , j], q))
    out[rows, ] <- matrix(part$means[rows, , j], length(rows)) + apart
  }
  out
}

row_cumsum <- function(prob) {
  for (j in seq_len(ncol(prob))[-1L]) prob[, j] <- prob[, j - 1L] + prob[, j]
  prob
}

# New data with their missing values filled in from x, a matrix in the fit's columns. Data whose
# columns are not the variables themselves (those of log(a), say) come back as the variables.
filled_like <- function(x, newdata, object) {
  names <- colnames(x)
  if (!is.data.frame(newdata)) {
    if (length(dim(newdata)) < 2L) {
      newdata[is.na(newdata)] <- x[is.na(newdata), 1L]
      return(newdata)
    }
    at <- if (object$blueprint$named && any_names(colnames(newdata))) {
      match(names, colnames(newdata))
    } else {
      seq_along(names)
    }
    if (anyNA(at)) return(x)
    holes <- is.na(newdata[, at, drop = FALSE])
    newdata[, at][holes] <- x[holes]
    return(newdata)
  }
  at <- if (object$blueprint$named) match(names, frame_names(newdata)) else seq_along(names)
  if (anyNA(at) || any(lengths(lapply(at, function(j) dim(newdata[[j]]))) > 0L)) {
    return(as_frame_kind(as.data.frame(x, optional = TRUE), frame_kind(newdata)))
  }
  kind <- oldClass(newdata)
  newdata <- plain_frame(newdata)
  for (j in seq_along(at)) {
    holes <- which(is.na(newdata[[at[j]]]))
    if (length(holes)) newdata[[at[j]]][holes] <- x[holes, j]
  }
  oldClass(newdata) <- kind
  newdata
}
