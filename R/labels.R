# Known labels of some rows -> components.

# A label for each row given (NA: not known) -> a factor of the rows used, whose levels are the
# first components; NULL where none were given.
resolve_labels <- function(data, k) {
  labels <- data$labels
  if (is.null(labels)) return(NULL)
  check_labels_kind(labels)
  rows <- used_rows(length(labels), data, "an element", "labels", "labels")
  if (!is.factor(labels)) labels <- factor(labels)
  labels <- labels[rows]
  counted <- if (is.null(data$weights)) labels else labels[data$weights > 0]
  check_label_counts(levels(labels), tabulate(counted, nlevels(labels)), k,
                     tabulate(labels, nlevels(labels)))
  unname(labels)
}

check_labels_kind <- function(labels, arg = "labels") {
  expected <- "a factor, text or whole numbers, NA where not known"
  plain <- is.factor(labels) || is.atomic(labels) && !is.object(labels) && is.null(dim(labels)) &&
    typeof(labels) %in% c("character", "integer", "double", "logical")
  if (!plain) gmm_abort("labels", must_be(arg, expected, labels))
  wrong <- if (is.double(labels)) which(labels != trunc(labels) | is.infinite(labels))
  if (length(wrong)) gmm_abort("labels", must_be(arg, expected, labels[[wrong[1L]]]))
}

# counts: of the rows with weight, of each level; given: of all rows.
check_label_counts <- function(levels, counts, k, given = counts) {
  lost <- levels[counts == 0 & given > 0]
  if (length(lost)) {
    gmm_abort("labels", sprintf(
      "`labels` must have a row of positive weight of each level; the rows of %s have weight 0.",
      some(dQuote(lost, FALSE))), "Give one of them a weight, or make these labels NA.")
  }
  if (all(counts == 0)) {
    gmm_abort("labels", "`labels` must say the component of a row; all are NA.",
              "Without known labels, leave `labels` out.")
  }
  if (any(counts == 0)) {
    gmm_abort("labels", sprintf("`labels` must have a row of each level; there is none of %s.",
                                some(dQuote(levels[counts == 0], FALSE))),
              "droplevels(labels) leaves them out.")
  }
  if (length(levels) > k) {
    gmm_abort("labels", sprintf("`labels` must have at most k = %d levels, not %d.", k,
                                length(levels)), "Each level is a component: raise `k`.")
  }
}

# "known labels: 20 of 150 rows, of 3 components"
labels_text <- function(labels) {
  sprintf("known labels: %d of %s, of %s", sum(!is.na(labels)), plural(length(labels), "row"),
          plural(nlevels(labels), "component"))
}

labels_to_c <- function(labels) if (!is.null(labels)) label_codes(labels, levels(labels))

# 0 where not known; NULL for no labels.
label_codes <- function(labels, levels) {
  if (is.null(labels)) return(NULL)
  same <- identical(levels(labels), levels)
  codes <- if (same) as.integer(labels) else match(as.character(labels), levels)
  codes[is.na(codes)] <- 0L
  codes
}

# Posterior probabilities of the rows of a fit, as its M-step sees them: 1 at a known label.
fit_posterior <- function(fit) {
  prob <- if (is_variational(fit)) variational_responsibilities(fit) else score(fit, fit$x, "prob")
  known <- which(!is.na(fit$labels))
  prob[known, ] <- 0
  prob[cbind(known, as.integer(fit$labels)[known])] <- 1
  prob
}

# values[names], where a name may be "", which R's own indexing never finds.
of_names <- function(values, names) values[match(names, names(values))]
