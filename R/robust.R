# Trimming, and the bound on the ratio of eigenvalues.

# The share to be trimmed; NULL where there is none.
resolve_trim <- function(trim, noise) {
  if (is.null(trim)) return(NULL)
  trim <- check_number(trim, "trim", min = 0, max = 0.5)
  if (trim > 0 && !is.null(noise)) {
    gmm_abort("argument", "`trim` must be 0 where there is `noise`, not above.", paste(
      "Rows of noise have one density, so that which of them are trimmed would be arbitrary; and",
      "both serve the same end: use one of them."))
  }
  if (trim > 0) trim
}

share_trimmed <- function(options) if (is.null(options$trim)) 0 else options$trim

has_ratio <- function(control) isTRUE(control$ratio < Inf) # fits of older versions have none

# The units in which the engine bounds eigenvalues.
bound_scale <- function(scale, control) {
  scale <- as.double(scale)
  if (identical(control$ratio_scale, "raw")) rep(min(scale), length(scale)) else scale
}

# Only the M-steps of these keep a ratio exactly, and so raise the objective.
check_ratio_family <- function(code, control) {
  if (!has_ratio(control) || code %in% ratio_families) return(invisible())
  gmm_abort("argument", sprintf("`ratio` of gmm_control() can't be kept by %s.",
                                backtick(code)),
            sprintf("The families %s take it.", some(ratio_families, Inf)))
}

ratio_families <- c("EII", "VII", "EEI", "VVI", "EEE", "VVV")

# The ratio of the largest to the smallest eigenvalue of all components, in the units of the bound.
eigen_ratio <- function(fit) {
  d <- ncol(fit$means)
  scale <- bound_scale(fit$scale, fit$control)
  if (families[[fit$covariance]]$shape == "spherical") scale[] <- 1
  values <- apply(fit$covariances, 3L, function(s) {
    eigen(matrix(s, d) / tcrossprod(scale), TRUE, only.values = TRUE)$values
  })
  max(values) / min(values)
}

ratio_text <- function(fit, digits) {
  if (!has_ratio(fit$control)) return(NULL)
  sprintf("ratio of eigenvalues %s, bounded by %s", shown_number(eigen_ratio(fit), digits),
          shown_number(fit$control$ratio, digits))
}

# At the bound the log-likelihood is not flat, as inference by its curvature takes it to be.
refuse_at_ratio <- function(fit, what) {
  if (!has_ratio(fit$control) || eigen_ratio(fit) < fit$control$ratio * (1 - 1e-6)) {
    return(invisible())
  }
  gmm_abort("argument", sprintf("%s can't take a fit whose eigenvalues are at the bound `ratio`.",
                                what),
            "gmm_boot() gives standard errors and intervals.")
}

# The weights of the rows that counted in the fit: what trimming kept of them; NULL: all, 1 each.
# Fits and grids hold `weights`, and fits `trimmed`.
kept_weights <- function(fit) {
  if (is.null(fit$trimmed)) return(fit$weights)
  w <- if (is.null(fit$weights)) rep(1, fit_rows(fit)) else fit$weights
  w[fit$trimmed$row] <- fit$trimmed$kept
  w
}

# Which rows were left out, in full or in part.
trimmed_rows <- function(out, data, code, control) {
  trim <- out$options$trim
  if (is.null(trim)) return(NULL)
  out$covariance <- code
  kept <- engine_trim(data$x, data$weights, out, out$options$labels, trim, data$scale,
                      control$threads)
  row <- which(kept < case_weights(data))
  names <- rownames(data$x)[row]
  data.frame(row = row, kept = kept[row], row.names = if (!anyDuplicated(names)) names)
}

# "trimmed: 14 rows (5 % of the weight), the first 12, 30, 31"
trimmed_text <- function(fit) {
  if (is.null(fit$trimmed)) return(NULL)
  sprintf("trimmed: %s, %s %% of the weight; kept %s", plural(nrow(fit$trimmed), "row"),
          shown_number(100 * fit$trim, 7L), shown_number(fit$nobs, 7L))
}

# A component of known labels that is left without them may be anywhere.
warn_of_lost_labels <- function(fit) {
  if (is.null(fit$trimmed) || is.null(fit$labels)) return(invisible())
  kept <- vapply(split(kept_weights(fit), fit$labels), sum, 0)
  lost <- names(kept)[kept == 0]
  if (length(lost)) {
    gmm_warn("labels", sprintf("All rows with the label %s were trimmed.",
                               some(dQuote(lost, FALSE))),
             "Its component need not be what the label means. A smaller `trim` may keep some.",
             labels = lost)
  }
}

# Which held-out rows are outliers only the fit to them would tell.
refuse_trimmed_cv <- function(options) {
  if (is.null(options$trim)) return(invisible())
  gmm_abort("argument", "`criterion` \"CV\" can't be had with `trim`.",
            "Held-out rows count in full, the outliers too: choose by \"BIC\" or \"ICL\".")
}

# Inference by the curvature of the log-likelihood; or, where there is a `hint` at what else serves,
# by data simulated from the mixture.
refuse_trimmed <- function(fit, what, hint = NULL) {
  if (is.null(fit$trim)) return(invisible())
  reason <- if (is.null(hint)) {
    "which rows it leaves out varies with the data, which its curvature does not tell"
  } else {
    "draws of a mixture have no outliers to be trimmed"
  }
  if (is.null(hint)) hint <- "gmm_boot(type = \"weighted\") gives standard errors and intervals."
  gmm_abort("argument", sprintf("%s can't take a fit with `trim`: %s.", what, reason), hint)
}
