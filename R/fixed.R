# Fixed parameters: gmm(fixed = ).

# Families whose components share nothing of their covariances, or all: of the others no covariance
# can be fixed by itself.
fixable_families <- c("EII", "VII", "EEI", "VVI", "EEE", "VVV")

# list(proportions =, means =, covariances =), NA where free -> the same in full shapes (k, or k + 1
# with noise; k x d; d x d x k), and `count`, how many free parameters that takes away; NULL where
# nothing is fixed.
resolve_fixed <- function(fixed, data, k, code, options, control) {
  if (is.null(fixed)) return(NULL)
  check_fixed_list(fixed)
  d <- ncol(data$x)
  names <- colnames(data$x)
  about <- list(class = "argument", prefix = "fixed$")
  out <- list(proportions = fixed_proportions(fixed$proportions, k, options, about),
              means = fixed_means(fixed$means, k, names, data$blueprint$named, about),
              covariances = fixed_covariances(fixed$covariances, k, d, code, about))
  known <- !is.na(out$covariances)
  if (any(known) && has_ratio(control)) {
    gmm_abort("argument", "`fixed$covariances` must not be given where `ratio` bounds eigenvalues.",
              "What is fixed can't be kept within a bound.")
  }
  free <- sum(is.na(out$proportions))
  out$count <- length(out$proportions) - 1 - max(free - 1, 0) + sum(!is.na(out$means)) +
    fixed_entries(known, code, d)
  if (out$count == 0) return(NULL)
  names <- rownames(fixed$means)
  if (is.null(names)) names <- names(fixed$proportions)[seq_len(k)]
  out$components <- checked_names(names, "names")
  out
}

check_fixed_list <- function(fixed) {
  expected <- paste("a list of some of", some(backtick(parameter_fields)))
  if (!is.list(fixed) || is.object(fixed) || !length(fixed)) {
    gmm_abort("argument", must_be("fixed", expected, fixed))
  }
  names <- if (is.null(names(fixed))) character(length(fixed)) else names(fixed)
  wrong <- c(names[!names %in% parameter_fields], names[duplicated(names)])
  if (length(wrong) == 0L) return(invisible())
  wrong <- wrong[1L]
  got <- if (wrong %in% c("", NA)) "with an element without a name"
         else if (wrong %in% parameter_fields) paste("with", backtick(wrong), "twice")
         else paste("with", backtick(wrong))
  gmm_abort("argument", sprintf("`fixed` must be %s, not %s.", expected, got),
            if (!wrong %in% parameter_fields) did_you_mean(wrong, parameter_fields, backtick))
}

fixed_proportions <- function(p, k, options, about) {
  count <- k + !is.null(options$noise)
  if (is.null(p)) return(rep(NA_real_, count))
  expected <- sprintf("a vector of k = %d proportions above 0, NA where free%s", k,
                      if (count > k) ", with that of the noise or without" else "")
  if (!is_plain_numeric(p) || !length(p) %in% c(k, count) || any(!is.na(p) & !(p > 0 & p <= 1))) {
    refuse(about, "proportions", expected, describe(p))
  }
  if (isTRUE(options$equal) && any(!is.na(p))) {
    refuse(about, "proportions", "NA where proportions are equal", "fixed")
  }
  p <- c(as.double(p), rep(NA_real_, count - length(p)))
  total <- sum(p, na.rm = TRUE)
  if (anyNA(p) && total >= 1 || !anyNA(p) && abs(total - 1) > 1e-8) {
    refuse(about, "proportions", if (anyNA(p)) "of a sum below 1, as some are free"
                                 else "of the sum 1, as none is free",
           paste("of the sum", number_text(total)))
  }
  p
}

# -> k x d
fixed_means <- function(means, k, names, named, about) {
  d <- length(names)
  if (is.null(means)) return(matrix(NA_real_, k, d))
  if (d == 1L && is.null(dim(means)) && length(means) == k) means <- matrix(means, k)
  means <- read_means(means, k, about)
  if (ncol(means) != d || any(is.infinite(means))) {
    refuse(about, "means", sprintf("%d x %d, finite or NA", k, d), describe(means))
  }
  if (named && any_names(colnames(means))) {
    order <- match(names, colnames(means))
    if (anyNA(order)) {
      refuse(about, "means", paste("named by the variables of the data, with",
                                   some(backtick(names[is.na(order)]))), "without")
    }
    means <- means[, order, drop = FALSE]
  }
  unname(means)
}

# -> d x d x k
fixed_covariances <- function(covariances, k, d, code, about) {
  none <- array(NA_real_, c(d, d, k))
  if (is.null(covariances)) return(none)
  if (is.list(covariances) && !is.object(covariances) && length(covariances) == k) {
    covariances <- lapply(covariances, function(s) {
      if (is.null(s) || length(s) == 1L && is.na(s)) matrix(NA_real_, d, d) else s
    })
  }
  if (code == "EEI" && is_plain_numeric(covariances)) {
    covariances <- common_diagonal(covariances, k, d, about)
  }
  s <- read_covariances(covariances, k, d, code, about)
  if (all(is.na(s))) return(none)
  if (!code %in% fixable_families) {
    gmm_abort("argument", sprintf(paste(
      "`fixed$covariances` must not be given for %s: components share a part of their covariances,",
      "so that none can be fixed by itself."), family_label(code, d)),
      "Use one of covariance = \"full\", \"diag\", \"spherical\", \"tied\", \"EEI\" or \"EII\".")
  }
  family <- families[[code]]
  if (family$shared && any(apply(s, 3L, function(m) !identical(c(m), c(s[, , 1L]))))) {
    refuse(about, "covariances", paste("one matrix for", family_label(code, d)), "several")
  }
  for (j in seq_len(k)) s[, , j] <- fixed_matrix(matrix(s[, , j], d), j, family$shape, about)
  s
}

# The one covariance of all components, as a d x d matrix or d variances, is taken k times.
common_diagonal <- function(given, k, d, about) {
  size <- dim_or_length(given)
  if (identical(size, c(d, d))) return(array(given, c(d, d, k)))
  if (identical(size, d) || identical(size, c(1L, d))) {
    return(diagonal_covariances(matrix(given, k, d, byrow = TRUE), d))
  }
  taken <- list(c(k, d), c(d, d, k), if (d == 1L) k)
  if (!list(size) %in% taken) {
    refuse(about, "covariances", sprintf("one matrix of %d x %d, or %s", d, d,
                                         plural(d, "variance")), describe(given))
  }
  given
}

# Of a diagonal matrix entries may be fixed one by one; a full one can be fixed as a whole.
fixed_matrix <- function(m, j, shape, about) {
  d <- nrow(m)
  wrong <- function(expected, found = "as") {
    refuse(about, "covariances", expected, sprintf("%s in component %d", found, j))
  }
  if (any(is.infinite(m)) || any(diag(m) <= 0, na.rm = TRUE)) wrong("finite, of variances above 0")
  if (shape == "full") {
    if (all(is.na(m))) return(m)
    if (anyNA(m)) wrong("whole matrices, or NA as a whole", "in part, as")
    correlation <- m / tcrossprod(sqrt(diag(m)))
    if (!isSymmetric(m) || is.null(inverse_root(correlation))) {
      wrong("symmetric and positive definite")
    }
    return(m)
  }
  if (any(m[row(m) != col(m)] != 0, na.rm = TRUE)) wrong("diagonal")
  v <- diag(m)
  if (shape == "spherical" && length(unique(v)) > 1L) {
    wrong("multiples of the identity")
  }
  out <- diag(d)
  diag(out) <- v
  out
}

# Free parameters that these entries are. known: d x d x k
fixed_entries <- function(known, code, d) {
  family <- families[[code]]
  if (family$shared) known <- known[, , 1L, drop = FALSE]
  sum(apply(known, 3L, function(m) {
    m <- matrix(m, d)
    switch(family$shape,
      full = m[1L, 1L] * d * (d + 1) / 2,
      diag = sum(diag(m)),
      spherical = m[1L, 1L]
    )
  }))
}

fixed_to_c <- function(fixed) {
  if (is.null(fixed)) return(NULL)
  missing_as_nan <- function(v) {
    v[is.na(v)] <- NaN
    v
  }
  lapply(list(proportions = fixed$proportions, means = t(fixed$means),
              covariances = fixed$covariances), missing_as_nan)
}

# Which of coef() are fixed.
fixed_coefficients <- function(fit) {
  if (is.null(fit$fixed$means)) return(integer())
  params <- as_parameters(fit)
  params[parameter_fields] <- fit$fixed[parameter_fields]
  p <- params$proportions
  if (sum(is.na(p)) == 1L) p[] <- 0 # the last one follows
  params$proportions <- p
  unname(which(!is.na(coef_vector(params))))
}
