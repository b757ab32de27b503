# What a user gives as `init` -> a start for the engine: the name of a kind, integer labels (n),
# responsibilities (n x k), or a parameter list; with noise k + 1 responsibilities and proportions,
# the last one `noise_start` where the user gives k. attr "names": names of the components, where
# the start has them.

# `data`: of as_gmm_data(). closed: whether one component has a closed form.
resolve_start <- function(init, k, code, data, noise = NULL, closed = TRUE) {
  x <- data$x
  if (is.function(init)) {
    init <- init(x, k)
    data$rows <- NULL
    data$given <- nrow(x)
    if (is.function(init)) gmm_abort("start", "`init` must return a start, not a function.")
    init <- check_init(init)
  }
  if (is_string(init) && (k > 1L || !closed)) {
    return(check_choice(init, named_starts, "init"))
  }
  if (is_string(init)) return(rep(1L, nrow(x)))
  if (is_parameters(init)) return(start_params(init, k, code, data, noise))
  if (is.data.frame(init)) init <- as.matrix(init)
  if (is.matrix(init)) return(start_responsibilities(init, k, data, noise))
  start_labels(init, k, data)
}

# Of the proportions, for the noise.
noise_start <- 0.05

start_params <- function(init, k, code, data, noise) {
  names <- if (data$blueprint$named) colnames(data$x)
  params <- check_start_params(init, k, ncol(data$x), code, names, noise = !is.null(noise))
  if (!is.null(noise) && length(params$proportions) == k) {
    params$proportions <- c((1 - noise_start) * params$proportions, noise_start)
  }
  structure(params[c("proportions", "means", "covariances")], components = rownames(params$means))
}

# One element or row for each row given, those left out included -> those used.
used_rows <- function(size, data, what, arg = "init", class = "start") {
  if (size != data$given) {
    gmm_abort(class, sprintf("`%s` must have %s for each of the %s given, not %s.", arg, what,
                             plural(data$given, "row"), number_text(size)))
  }
  if (is.null(data$rows)) seq_len(data$given) else data$rows
}

start_responsibilities <- function(init, k, data, noise) {
  rows <- used_rows(nrow(init), data, "a row")
  columns <- k + (0L:1L)[c(TRUE, !is.null(noise))]
  if (!is.numeric(init) || !ncol(init) %in% columns) {
    gmm_abort("start", must_be("init", sprintf(
      "a numeric matrix with k = %d columns%s", k,
      if (length(columns) > 1L) ", or one more for the noise" else ""), init))
  }
  resp <- matrix(as.double(init[rows, ]), ncol = ncol(init))
  sums <- rowSums(resp)
  if (anyNA(sums) || any(resp < 0) || any(abs(sums - 1) > 1e-8)) {
    gmm_abort("start", paste("Responsibilities given as `init` must be at least 0 and sum to 1 in",
                             "each row."))
  }
  check_no_empty(colSums(resp[, seq_len(k), drop = FALSE]), "init")
  resp <- resp / sums
  if (ncol(resp) < max(columns)) resp <- cbind((1 - noise_start) * resp, noise_start)
  structure(resp, components = checked_names(colnames(init)[seq_len(k)], "start"))
}

start_labels <- function(init, k, data) {
  init <- init[used_rows(length(init), data, "a label")]
  idle <- which(data$weights == 0 & is.na(init)) # no rows, hence in any component
  if (anyNA(if (length(idle)) init[-idle] else init)) {
    gmm_abort("start", "Labels given as `init` must not be NA.")
  }
  levels <- if (is.numeric(init)) seq_len(k) else levels(factor(init))
  if (is.factor(init)) levels <- levels(init)
  labels <- match(as.character(init), as.character(levels))
  labels[idle] <- 1L
  if (anyNA(labels) || length(levels) != k) {
    gmm_abort("start", sprintf(
      "Labels given as `init` must be the numbers 1 to k = %d, or a factor of k levels, not %s.", k,
      if (is.numeric(init)) some(number_text(sort(unique(init)))) else plural(length(levels),
                                                                              "level")
    ))
  }
  check_no_empty(tabulate(labels, k), "init")
  names <- if (!is.numeric(init)) checked_names(as.character(levels), "start")
  structure(labels, components = names)
}

check_no_empty <- function(size, arg) {
  if (any(size == 0)) {
    gmm_abort("start", sprintf("`%s` must leave no component empty; component %d has no rows.", arg,
                               which(size == 0)[1L]))
  }
}
