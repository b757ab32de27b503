# Known labels of some rows -> components.

# A label for each row given (NA: not known) -> a factor of the rows used, whose levels are the
# first components; NULL where none were given.
resolve_labels <- function(data, k) {
  labels <- data$labels
  if (is.null(labels)) return(NULL)
  expected <- "a factor, text or whole numbers, NA where not known"
  plain <- is.factor(labels) || is.atomic(labels) && !is.object(labels) && is.null(dim(labels)) &&
    typeof(labels) %in% c("character", "integer", "double", "logical")
  if (!plain) gmm_abort("labels", must_be("labels", expected, labels))
  if (is.double(labels) && any(labels != trunc(labels), na.rm = TRUE)) {
    gmm_abort("labels", must_be("labels", expected, labels[labels != trunc(labels)][1L]))
  }
  rows <- used_rows(length(labels), data, "an element", "labels", "labels")
  if (!is.factor(labels)) labels <- factor(labels)
  labels <- labels[rows]
  counted <- if (is.null(data$weights)) labels else labels[data$weights > 0]
  unused <- levels(labels)[tabulate(counted, nlevels(labels)) == 0L]
  if (all(is.na(counted))) {
    gmm_abort("labels", "`labels` must say the component of a row; all are NA.",
              "Without known labels, leave `labels` out.")
  }
  if (length(unused)) {
    gmm_abort("labels", sprintf("`labels` must have a row of each level; there is none of %s.",
                                some(dQuote(unused, FALSE))), "droplevels(labels) leaves them out.")
  }
  if (nlevels(labels) > k) {
    gmm_abort("labels", sprintf("`labels` must have at most k = %d levels, not %d.", k,
                                nlevels(labels)), "Each level is a component: raise `k`.")
  }
  unname(labels)
}

labels_to_c <- function(labels) {
  if (is.null(labels)) return(NULL)
  codes <- as.integer(labels)
  codes[is.na(codes)] <- 0L
  codes
}

# Posterior probabilities of the rows of a fit, as its M-step sees them: 1 at a known label.
fit_posterior <- function(fit) {
  prob <- score(fit, fit$x, "prob")
  known <- which(!is.na(fit$labels))
  prob[known, ] <- 0
  prob[cbind(known, as.integer(fit$labels)[known])] <- 1
  prob
}
