#' Merge components into clusters
#'
#' A cluster that is not normal takes several components. `gmm_merge()` joins the components of a
#' fit, from k clusters to one, each time the two whose union makes the classification of the rows
#' surest: the entropy falls most. The density stays that of the fit; only the clusters change.
#'
#' With t_ij the posterior probability of cluster j given row i (the sum of those of its components)
#' and w_i the row's weight, the entropy is `-sum(w_i t_ij log(t_ij))`: 0 where each row belongs to
#' one cluster for sure, as one with a known label does, `n log(g)` where all g clusters are as
#' likely for each row. Components that overlap are merged first, and the entropy falls fast; once
#' the clusters are apart it hardly falls any more. Between lies the *elbow*: at each number of
#' clusters from 2 to k - 1 two straight lines are fitted by least squares, to the entropies up to
#' that number and from that number on; where they fit best is the elbow. Against the number of
#' clusters, large and small ones count alike; against the rows that the merges from there to one
#' cluster join (`rescaled`), a merge of large clusters is expected to save more. The elbow is a
#' suggestion: it is never 1 or k, there is none for two components, and for three it can only be 2.
#'
#' Components of [gmm_vb()] that are not used are merged first, each with the one that takes most of
#' its entropy. Rows that are wholly missing don't count.
#'
#' @param fit A fit by [gmm()] of two components or more, with its rows.
#' @param clusters Number of clusters to use, a whole number from 1 to k; `NULL`: the elbow of the
#'   entropy against the number of clusters, k where there is none.
#' @param x,object The result of `gmm_merge()`.
#' @return A list of class `"gmm_merge"` with
#'   \item{clusters}{the number of clusters in use}
#'   \item{elbow}{the two elbows, `number` and `rescaled`, whole numbers or `NA`}
#'   \item{members}{integer matrix, k x k: in row g the cluster of each component (a column each),
#'     where there are g}
#'   \item{table}{data frame, a row a number of clusters, from k to 1: `clusters`, `merged` (the
#'     cluster that the last merge made), `entropy`, `drop` (what that merge took off), `rows` (that
#'     it joined: the number, or sum of weights, of the rows classified into its two parts)}
#'   \item{fit, call}{the fit, and how it was made}
#'   A cluster is named by its components, as `"1+3"`; clusters are in the order of their first
#'   components.
#'
#'   `predict()` gives classes (a factor) or probabilities (a matrix) of clusters, as
#'   [predict.gaussmix()]; `as.data.frame()` the table; `summary()` a list of class
#'   `"summary.gmm_merge"` with `table`, and of the clusters in use `parts` (data frame: proportion,
#'   `rows` classified into each, mean uncertainty of these) and `means`.
#' @section Errors: `gaussmix_error_argument` where `fit` is no fit or has one component, or
#'   `clusters` is not from 1 to k; `gaussmix_error_data` where the fit holds no rows.
#' @references Baudry, J.-P., Raftery, A. E., Celeux, G., Lo, K. and Gottardo, R. (2010) Combining
#'   mixture components for clustering. *Journal of Computational and Graphical Statistics* 19,
#'   332-353, sections 2 and 3. \doi{10.1198/jcgs.2010.08111}
#' @seealso [plot.gmm_merge()]; ICL in [gmm_criteria()], which asks for separate components at once.
#' @examples
#' fit <- gmm(faithful, k = 4)
#' merged <- gmm_merge(fit)
#' merged
#' summary(merged)
#' table(predict(merged), predict(merged, clusters = 2))
#' predict(merged, data.frame(eruptions = 3, waiting = 65), type = "prob")
#' @export
gmm_merge <- function(fit, clusters = NULL) {
  if (!inherits(fit, "gaussmix")) {
    gmm_abort("argument", must_be("fit", "a fit by gmm()", fit),
              if (inherits(fit, "gmm_select")) "Take the best one: gmm_merge(gmm_best(fit)).")
  }
  need_rows(fit, "gmm_merge()")
  refuse_noise(fit, "gmm_merge()", "clusters are made of Gaussians, and noise is none")
  if (fit$k < 2L) {
    gmm_abort("argument", "`fit` must have at least 2 components, not 1.",
              "There is nothing to merge.")
  }
  w <- kept_weights(fit)
  empty <- wholly_missing(fit$x) & (if (is.null(fit$labels)) TRUE else is.na(fit$labels))
  if (any(empty)) w <- replace(if (is.null(w)) rep(1, length(empty)) else w, empty, 0)
  path <- merge_path(fit_posterior(fit), w, is_unused(fit))
  elbow <- c(number = elbow_of(seq_len(fit$k), rev(path$entropy)),
             rescaled = elbow_of(merged_sums(path$rows), rev(path$entropy)))
  if (is.null(clusters)) clusters <- if (is.na(elbow[["number"]])) fit$k else elbow[["number"]]
  clusters <- check_whole(clusters, max = fit$k)
  names <- lapply(seq_len(fit$k), function(g) cluster_names(path$members[g, ], rownames(fit$means)))
  made <- vapply(seq_len(fit$k - 1L), function(g) setdiff(names[[g]], names[[g + 1L]]), "")
  table <- data.frame(clusters = fit$k:1, merged = c("", rev(made)), entropy = path$entropy,
                      drop = c(NA, -diff(path$entropy)), rows = path$rows)
  members <- path$members
  dimnames(members) <- list(seq_len(fit$k), rownames(fit$means))
  structure(class = "gmm_merge", list(clusters = clusters, elbow = elbow, members = members,
                                      table = table, fit = fit, call = match.call()))
}

# The merges from k clusters to one. `members`: k x k, row g is the cluster of each component where
# there are g; `entropy` and `rows`, for k to 1: the entropy, and the weight of the rows that the
# merge joined (NA for k). What no row belongs to (`unused`) is no cluster and merged first.
merge_path <- function(prob, w = NULL, unused = logical(ncol(prob))) {
  if (is.null(w)) w <- rep(1, nrow(prob))
  k <- ncol(prob)
  part <- function(t) -sum(w[t > 0] * t[t > 0] * log(t[t > 0])) # t log(t) is 0 for t = 0
  parts <- apply(prob, 2L, part)
  gains <- matrix(-Inf, k, k)
  gain <- function(i, j) parts[i] + parts[j] - part(prob[, i] + prob[, j])
  for (i in seq_len(k)) for (j in seq_len(i - 1L)) gains[j, i] <- gain(j, i)
  cluster <- seq_len(k) # by the column of its first component
  members <- matrix(0L, k, k)
  entropy <- rows <- rep(NA_real_, k)
  for (g in k:1) {
    members[g, ] <- match(cluster, sort(unique(cluster)))
    entropy[k + 1L - g] <- if (g > 1L) sum(parts[unique(cluster)]) else 0
    if (g == 1L) break
    open_gains <- if (any(unused)) replace(gains, !outer(unused, unused, `!=`), -Inf) else gains
    pair <- arrayInd(which.max(open_gains), c(k, k))
    unused[pair] <- FALSE
    open <- sort(unique(cluster))
    class <- open[most_probable(prob[, open, drop = FALSE])]
    rows[k + 2L - g] <- sum(w[class %in% pair])
    i <- pair[1L]
    cluster[cluster == pair[2L]] <- i
    prob[, i] <- prob[, i] + prob[, pair[2L]]
    parts[i] <- part(prob[, i])
    gains[pair[2L], ] <- gains[, pair[2L]] <- -Inf
    for (j in setdiff(unique(cluster), i)) gains[min(i, j), max(i, j)] <- gain(i, j)
  }
  list(members = members, entropy = entropy, rows = rows)
}

# The rows that the merges from 1, ..., k clusters down to one join.
merged_sums <- function(rows) cumsum(c(0, rev(rows[-1L])))

# "1+3" for the cluster of components 1 and 3.
cluster_names <- function(members, components) {
  vapply(split(components, members), paste, "", collapse = "+", USE.NAMES = FALSE)
}

# The number of points up to the one at which two lines, each fitted to the points on its side and
# that one too, leave the smallest sum of squares; NA where there are no inner points.
elbow_of <- function(x, y) {
  inner <- seq_along(x)[-c(1L, length(x))]
  if (length(inner) == 0L) return(NA_integer_)
  left <- function(at) sum(line_through(x[at], y[at])$residuals^2)
  squares <- vapply(inner, function(i) left(seq_len(i)) + left(i:length(x)), 0)
  inner[which.min(squares)]
}

# Least squares; flat where x doesn't vary.
line_through <- function(x, y) {
  about <- x - mean(x)
  slope <- if (any(about != 0)) sum(about * y) / sum(about^2) else 0
  fitted <- mean(y) + slope * about
  list(fitted = fitted, residuals = y - fitted)
}

check_merge <- function(x, arg = deparse1(substitute(x))) {
  force(arg)
  about <- list(class = "object", prefix = paste0(arg, "$"))
  if (!is.list(x$fit) || !inherits(x$fit, "gaussmix")) {
    refuse(about, "fit", "a fit by gmm()", describe(x$fit))
  }
  need_rows(x$fit, "A result of gmm_merge()")
  k <- x$fit$k
  check <- function(field, ok, expected) {
    if (!isTRUE(ok(x[[field]]))) refuse(about, field, expected, describe(x[[field]]))
  }
  check("members", function(v) {
    is.integer(v) && identical(dim(v), c(k, k)) && all(v > 0L) &&
      all(apply(v, 1L, max) == seq_len(k))
  }, sprintf("a matrix of clusters, %d x %d", k, k))
  check("clusters", function(v) is_number(v) && v %in% seq_len(k), "a number of clusters")
  check("elbow", function(v) length(v) == 2L && all(is.na(v) | v %in% seq_len(k)), "two numbers")
  check("table", function(v) {
    is.data.frame(v) && nrow(v) == k && all(c("clusters", "entropy", "rows") %in% names(v))
  }, sprintf("a data frame of %d rows", k))
}

#' @rdname gmm_merge
#' @param newdata,na.action As for [predict.gaussmix()].
#' @param type `"class"`, `"prob"` or `"uncertainty"` (one minus the largest probability).
#' @param ... Must be empty.
#' @export
predict.gmm_merge <- function(object, newdata, type = c("class", "prob", "uncertainty"), ...,
                              clusters = object$clusters, na.action = stats::na.pass) {
  check_dots_empty(...)
  check_merge(object)
  type <- check_choice(type, c("class", "prob", "uncertainty"))
  clusters <- check_whole(clusters, max = object$fit$k)
  prob <- if (missing(newdata)) {
    stats::predict(object$fit, type = "prob")
  } else {
    stats::predict(object$fit, newdata, type = "prob", na.action = na.action)
  }
  prob <- merged_prob(object, prob, clusters)
  names <- colnames(prob)
  switch(type,
    prob = prob,
    uncertainty = uncertainty(prob),
    stats::setNames(factor_of(most_probable(prob), names), rownames(prob))
  )
}

# Of components (n x k) -> of clusters.
merged_prob <- function(object, prob, clusters) {
  members <- object$members[clusters, ]
  out <- prob %*% outer(members, seq_len(clusters), `==`)
  dimnames(out) <- list(rownames(prob), cluster_names(members, rownames(object$fit$means)))
  out
}

# ---- printing --------------------------------------------------------------------------

#' @rdname gmm_merge
#' @param digits Number of significant digits.
#' @export
print.gmm_merge <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname gmm_merge
#' @export
format.gmm_merge <- function(x, digits = 4, ...) {
  check_merge(x)
  digits <- check_whole(digits, max = 15)
  fit <- x$fit
  d <- ncol(fit$means)
  table <- x$table
  entropy <- sprintf("%s (%d)", vapply(table$entropy, format, "", digits = digits), table$clusters)
  names <- cluster_names(x$members[x$clusters, ], rownames(fit$means))
  c(
    sprintf("Clusters merged from %s, %s", plural(fit$k, "component"),
            family_label(fit$covariance, d)),
    data_text(fit_rows(fit), d, if (!is.null(fit$weights)) format(fit$nobs, digits = digits + 3L),
              length(fit$na.action)),
    sprintf("%s: %s", plural(x$clusters, "cluster"), some(names, 10L)),
    strwrap(sprintf("entropy (number of clusters): %s", some(entropy, 10L)), getOption("width"),
            exdent = 2L),
    if (anyNA(x$elbow)) "too few components for an elbow"
    else sprintf("elbow of the entropy: %s; rescaled by the rows merged: %s",
                 plural(x$elbow[["number"]], "cluster"), plural(x$elbow[["rescaled"]], "cluster"))
  )
}

#' @rdname gmm_merge
#' @export
summary.gmm_merge <- function(object, ...) {
  check_dots_empty(...)
  check_merge(object)
  fit <- object$fit
  prob <- merged_prob(object, fit_posterior(fit), object$clusters)
  class <- factor(most_probable(prob), seq_len(ncol(prob)))
  w <- if (is.null(fit$weights)) rep(1, nrow(prob)) else fit$weights
  rows <- as.vector(tapply(w, class, sum, default = 0))
  unsure <- as.vector(tapply(w * uncertainty(prob), class, sum, default = 0)) / rows
  into <- outer(seq_len(object$clusters), object$members[object$clusters, ], `==`)
  share <- drop(into %*% fit$proportions)
  means <- into %*% (fit$proportions * fit$means) / share
  rownames(means) <- colnames(prob)
  parts <- data.frame(proportion = share, rows = rows, uncertainty = unsure,
                      row.names = colnames(prob))
  structure(class = "summary.gmm_merge", list(text = format(object)[1:2], parts = parts,
                                              means = means, table = object$table,
                                              elbow = object$elbow))
}

#' @export
print.summary.gmm_merge <- function(x, digits = 4, ...) {
  digits <- check_whole(digits, max = 15)
  shown <- 10L # variables
  cat(x$text, sep = "\n")
  cat("\nClusters\n")
  print(x$parts, digits = digits)
  cat("\nMeans\n")
  print(x$means[, seq_len(min(ncol(x$means), shown)), drop = FALSE], digits = digits)
  if (ncol(x$means) > shown) cat(sprintf("(the first %d of %d variables)\n", shown, ncol(x$means)))
  cat("\nMerges, from all components to one cluster\n")
  print(cbind(x$table, elbow = elbow_marks(x)), digits = digits, row.names = FALSE, na.print = "")
  invisible(x)
}

elbow_marks <- function(x) {
  mark <- function(which) ifelse(x$table$clusters %in% x$elbow[[which]], which, "")
  trimws(paste(mark("number"), mark("rescaled")))
}

#' @rdname gmm_merge
#' @param row.names,optional,stringsAsFactors As in [as.data.frame()].
#' @export
as.data.frame.gmm_merge <- function(x, row.names = NULL, optional = FALSE, ...,
                                    stringsAsFactors = FALSE) { # nolint: object_name_linter.
  check_dots_empty(...)
  check_merge(x)
  as.data.frame(as.list(x$table), row.names = row.names, optional = optional,
                stringsAsFactors = stringsAsFactors)
}

# ---- picture ---------------------------------------------------------------------------

#' Plot merged components
#'
#' * `"entropy"`: the entropy of the classification against the number of clusters, and against the
#'   rows that the merges from there to one cluster join, in sum; the elbow, with a ring, and the
#'   two lines fitted on either side. The filled point is the number of clusters in use.
#' * `"classification"`: the rows, by the cluster that they most likely come from; ellipses and
#'   means of the components, in the colour of their cluster; contours of the density.
#'
#' @param x The result of [gmm_merge()].
#' @param what What to draw, see above.
#' @param clusters Number of clusters to draw in the classification, a whole number from 1 to k.
#' @param dims,...,ellipses,contours,max_rows,legend,main,sub As for [plot.gaussmix()].
#' @param col,pch Colours and symbols of the clusters, recycled.
#' @return `x`, invisibly.
#' @section Errors: As for [plot.gaussmix()].
#' @seealso [gmm_merge()]
#' @examples
#' merged <- gmm_merge(gmm(faithful, k = 4))
#' plot(merged)
#' plot(merged, "classification")
#' @export
plot.gmm_merge <- function(x, what = c("entropy", "classification"), dims = NULL, ...,
                           clusters = x$clusters, ellipses = 0.95, contours = c(0.25, 0.5, 0.75),
                           max_rows = 10000, legend = TRUE, col = NULL, pch = NULL, main = NULL,
                           sub = NULL) {
  check_merge(x)
  what <- check_choice(what, c("entropy", "classification"))
  check_graphical(...names())
  if (what == "entropy") {
    draw_entropy(x, main, sub, ...)
    return(invisible(x))
  }
  fit <- x$fit
  dims <- plot_dims(fit, dims)
  clusters <- check_whole(clusters, max = fit$k)
  members <- x$members[clusters, ]
  view <- plot_view(fit, what, ellipses, contours, FALSE, max_rows, legend, col, pch, dims)
  view$rows$class <- cluster_class(x, view$rows$shown, clusters)
  view$style <- lapply(component_style(clusters, col, pch), `[`, members)
  view$groups <- paste("cluster", cluster_names(members, rownames(fit$means)))[members]
  if (is.null(main)) {
    main <- sprintf("%s from %s", plural(clusters, "cluster"), plural(fit$k, "component"))
  }
  draw_mixture(fit, dims, view, main, sub, ...)
  invisible(x)
}

# The cluster of each row, by the number of its first component, which has the cluster's style.
cluster_class <- function(x, rows, clusters) {
  members <- x$members[clusters, ]
  prob <- merged_prob(x, score(x$fit, rows, "prob"), clusters)
  factor(match(most_probable(prob), members), seq_along(members))
}

# Two panels; limits and labels of axes are for single ones, and stop here.
draw_entropy <- function(x, main, sub, ..., xlim, ylim, xlab, ylab) {
  k <- x$fit$k
  entropy <- rev(x$table$entropy)
  if (is.null(main)) main <- sprintf("Entropy of the classification, %d components merged", k)
  if (is.null(sub)) {
    sub <- paste0("filled: in use", if (!anyNA(x$elbow)) "; ring: the elbow of two fitted lines")
  }
  old <- par(mfrow = c(1, 2), mar = c(4.5, 4.2, 2.5, 1), oma = c(1.5, 0, 3, 0))
  on.exit(par(old))
  of <- list(number = seq_len(k), rescaled = merged_sums(x$table$rows))
  labels <- c(number = "number of clusters", rescaled = "rows merged (cumulated)")
  colour <- component_style(1L)$col
  for (which in names(of)) {
    at <- of[[which]]
    elbow <- x$elbow[[which]]
    draw_frame(range(at), c(0, 1.1 * max(entropy)), xlab = labels[[which]], ylab = "entropy",
               main = if (is.na(elbow)) "" else paste("elbow:", plural(elbow, "cluster")), ...,
               xaxt = if (which == "number") "n" else "s")
    if (which == "number") axis(1, at)
    if (!is.na(elbow)) {
      for (side in list(seq_len(elbow), elbow:k)) {
        lines(at[side], line_through(at[side], entropy[side])$fitted, lty = 2, lwd = 1.5,
              col = "grey40")
      }
    }
    used <- seq_len(k) == x$clusters
    points(at, entropy, pch = 21, bg = ifelse(used, colour, "white"), col = colour, cex = 1.3,
           lwd = 1.5)
    if (!is.na(elbow)) points(at[elbow], entropy[elbow], cex = 2.8, lwd = 2)
    if (which == "rescaled") text(at, entropy, seq_len(k), pos = 3, cex = 0.8, offset = 0.7)
  }
  title(main = main, outer = TRUE, line = 1)
  mtext(sub, side = 1, outer = TRUE, line = 0, cex = 0.8, col = "grey30")
}
