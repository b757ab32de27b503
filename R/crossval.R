# Cross-validation: folds; the held-out log-likelihood of a grid of models, for gmm_select(); the
# error of a classifier.

# A number of folds, or the fold of each row given -> the number, or the fold of each row used.
# Rows of each label must be in two folds.
check_folds <- function(folds, data, labels = NULL) {
  counts <- if (is.null(data$weights)) rep(TRUE, nrow(data$x)) else data$weights > 0
  n <- sum(counts)
  if (length(folds) == 1L && n > 1L) {
    folds <- check_whole(folds, min = 2, max = n)
    check_labels_spread(seq_len(nrow(data$x))[counts], labels[counts])
    return(folds)
  }
  plain <- is.atomic(folds) && !is.null(folds) && (!is.object(folds) || is.factor(folds))
  if (!plain || length(folds) != data$given) {
    gmm_abort("argument", must_be("folds", sprintf(
      "a whole number from 2 on, or a vector with an element for each of the %s given",
      plural(data$given, "row")
    ), folds))
  }
  folds <- (if (is.null(data$rows)) folds else folds[data$rows])
  if (anyNA(folds[counts])) {
    gmm_abort("argument", sprintf("`folds` must not have missing values; it has %d.",
                                  sum(is.na(folds[counts]))))
  }
  # rows without weight are in a fold, any one
  fold <- match(as.character(folds), sort(unique(as.character(folds[counts]))), nomatch = 1L)
  if (max(fold) < 2L) {
    gmm_abort("argument", "`folds` must name two parts at least; all rows are in one.")
  }
  check_labels_spread(fold[counts], labels[counts])
  fold
}

check_labels_spread <- function(fold, labels) {
  if (is.null(labels)) return(invisible())
  spread <- vapply(split(fold, labels), function(f) length(unique(f)), 0L)
  few <- names(spread)[spread < 2L]
  if (length(few)) {
    gmm_abort("labels", sprintf(
      "`folds` must leave rows of each label: one fold has all of %s.", some(dQuote(few, FALSE))
    ), "Leave such labels out of `labels`, or choose without \"CV\".")
  }
}

# Sizes differ by one row at most, among the rows that have weight; and within each class, if there
# are any: class after class, each in random order, is dealt round.
deal_folds <- function(folds, data, classes = NULL) {
  if (length(folds) > 1L) return(folds)
  fold <- rep(1L, nrow(data$x))
  counts <- if (is.null(data$weights)) seq_along(fold) else which(data$weights > 0)
  parts <- rep_len(seq_len(folds), length(counts))
  if (is.null(classes)) {
    fold[counts] <- sample(parts)
  } else {
    fold[counts[order(as.integer(classes)[counts], stats::runif(length(counts)))]] <- parts
  }
  fold
}

# -> what gmm_select() documents as `cv`. options: as of gmm_bridge(); labels: known components of
# the rows.
cross_validate <- function(grid, data, folds, control, options, labels) {
  fold <- deal_folds(folds, data, labels)
  w <- case_weights(data) * !wholly_missing(data$x)
  number <- max(fold)
  logdensity <- matrix(NA_real_, nrow(grid), number)
  reason <- rep("", nrow(grid))
  for (f in seq_len(number)) {
    out <- fold == f
    title <- sprintf("gmm_select(): fold %d of %d", f, number)
    models <- fit_training(grid, data, !out, control, title, options)
    rows <- data$x[out, , drop = FALSE]
    for (i in seq_along(models)) {
      if (!is_error(models[[i]])) {
        density <- held_out(models[[i]], rows, labels[out], control$threads)
        logdensity[i, f] <- sum(w[out] * density) / sum(w[out])
      } else if (reason[i] == "") {
        reason[i] <- sprintf("fold %d: %s", f, first_line(conditionMessage(models[[i]])))
      }
    }
  }
  list(fold = fold, share = as.vector(rowsum(w, fold)) / sum(w), logdensity = logdensity,
       reason = reason)
}

# What each row adds to the log-likelihood: with a known label its component's term alone.
held_out <- function(model, x, labels, threads) {
  density <- engine_score(x, model, "logdensity", threads)
  known <- which(!is.na(labels))
  if (length(known)) {
    terms <- engine_score(x[known, , drop = FALSE], model, "component", threads)
    density[known] <- terms[cbind(seq_along(known), as.integer(labels[known]))]
  }
  density
}

# The models of a grid fitted to some of the rows, or why there is none; all the same reason where
# these rows are no data.
fit_training <- function(grid, data, kept, control, title, options) {
  data$rows <- (if (is.null(data$rows)) seq_len(nrow(data$x)) else data$rows)[kept]
  data$x <- data$x[kept, , drop = FALSE]
  data$weights <- data$weights[kept]
  data$scale <- tryCatch({
    instead <- prior_scale(options$prior, colnames(data$x), data$blueprint$named)
    check_scale(data$x, data$weights, "x", instead)
  }, gaussmix_error = identity)
  if (is_error(data$scale)) return(rep(list(data$scale), nrow(grid)))
  fit_grid(grid, data, control, "CV", title, options)
}

# The columns CV and CV_se, on the scale of -2 log-likelihood, after ICL.
add_cv <- function(table, cv, nobs) {
  mean <- drop(cv$logdensity %*% cv$share)
  spread <- drop((cv$logdensity - mean)^2 %*% cv$share)
  columns <- data.frame(CV = -2 * nobs * mean,
                        CV_se = 2 * nobs * sqrt(spread / (length(cv$share) - 1)))
  columns[table$status != "ok", ] <- NA
  if (all(is.na(columns$CV[eligible_rows(table)]))) {
    first <- which(table$status == "ok")[1L]
    gmm_abort("degenerate", sprintf("No model could be fitted in each fold; the first: %s",
                                    cv$reason[first]), "Try fewer components, or more `folds`.")
  }
  after <- match("ICL", names(table))
  cbind(table[seq_len(after)], columns, table[-seq_len(after)])
}

# ---- of a classifier -------------------------------------------------------------------

#' The error of a classifier on new rows, by cross-validation
#'
#' Learns anew without each fold in turn, and classifies the rows of the fold.
#'
#' Where several models were compared, the choice is made anew in each fold, as it is part of the
#' learning. The folds are dealt within each class, so that each has its share in all of them, by
#' R's random numbers ([set.seed()]). Given priors stay; others are those of the rows learnt from.
#' @param fit The result of [gmm_da()].
#' @param folds The number of folds, from 2 to the number of rows; or the fold of each row given to
#'   `gmm_da()`, a vector.
#' @param ... Must be empty.
#' @param x,object The result of `gmm_da_cv()`.
#' @param digits Number of significant digits.
#' @return A list of class `"gmm_da_cv"` with
#'   \item{error}{share of the rows (of the weights) put into a wrong class}
#'   \item{se}{its standard error, `sqrt(error (1 - error) / n)`, with n the effective number of
#'     rows}
#'   \item{confusion}{true by predicted classes, sums of weights}
#'   \item{class, prob}{of each row used, by the fit that did not see it}
#'   \item{truth, weights}{its class, and its weight where used}
#'   \item{fold}{its fold}
#'   \item{chosen}{text matrix of what was chosen, a row a fold: with the one column `covariance`,
#'     or for each class its components and family}
#'
#'   `summary()`: a list of class `"summary.gmm_da_cv"` with `classes` and `folds` (data frames:
#'   rows or sum of the weights, the part of it that is wrong, error), `wrong` (data frame, a row
#'   for each row put into a wrong class, the surest first: `row`, `class`, `predicted` and its
#'   `prob`), `error`, `se` and `confusion`.
#' @section Errors: As for [gmm_da()], where a fold leaves too few rows of a class; the text names
#'   the fold. `gaussmix_error_argument` for other `folds`.
#' @seealso [gmm_da()]
#' @examples
#' set.seed(1)
#' fit <- gmm_da(Species ~ ., data = iris)
#' gmm_da_cv(fit)
#' gmm_da_cv(gmm_da(Species ~ ., data = iris, covariance = "tied"), folds = 150)$error
#' @export
gmm_da_cv <- function(fit, folds = 10, ...) {
  check_dots_empty(...)
  check_da(fit)
  n <- nrow(fit$x)
  given <- n + length(fit$na.action)
  data <- c(unclass(fit)[c("x", "weights", "class", "blueprint")], list(
    given = given, rows = setdiff(seq_len(given), fit$na.action)
  ))
  fold <- deal_folds(check_folds(folds, data), data, data$class)
  prob <- matrix(NA_real_, n, length(fit$classes), dimnames = list(rownames(fit$x), fit$classes))
  class <- factor(rep(NA, n), levels = fit$classes)
  chosen <- list()
  for (f in seq_len(max(fold))) {
    out <- which(fold == f)
    learnt <- fit_without(fit, data, out, f)
    prob[out, ] <- classify(learnt, fit$x[out, , drop = FALSE], "prob")
    class[out] <- fit$classes[most_probable(prob[out, , drop = FALSE])]
    chosen[[f]] <- chosen_models(learnt)
  }
  counts <- confusion(fit, class)
  error <- error_rate(counts)
  rows <- if (is.null(fit$weights)) n else effective_rows(fit$weights)
  structure(class = "gmm_da_cv", list(
    error = error, se = sqrt(error * (1 - error) / rows), confusion = counts,
    class = stats::setNames(class, rownames(fit$x)), prob = prob, truth = fit$class,
    weights = fit$weights, fold = fold, chosen = do.call(rbind, chosen)
  ))
}

fit_without <- function(fit, data, out, f) {
  kept <- data
  lost <- setdiff(fit$classes, data$class[-out])
  if (length(lost)) {
    gmm_abort("argument", sprintf(
      "`folds` must leave rows of each class: fold %d has all of %s.", f, dQuote(lost[1L], FALSE)
    ), "Use fewer folds, or join classes.")
  }
  learnt <- tryCatch(
    fit_classes(some_rows(kept, -out), fit$candidates, fit$separate, fit$given_priors, fit$control),
    gaussmix_error = function(e) {
      e$message <- sprintf("Fold %d: %s", f, conditionMessage(e))
      stop(e)
    }
  )
  c(learnt, list(control = fit$control, blueprint = fit$blueprint))
}

# One family; or components and family of each class.
chosen_models <- function(learnt) {
  if (!is.null(learnt$covariance)) return(c(covariance = learnt$covariance))
  stats::setNames(paste(learnt$table$k, learnt$table$covariance), learnt$table$class)
}

#' @rdname gmm_da_cv
#' @export
print.gmm_da_cv <- function(x, ...) {
  cat(sprintf("%d-fold cross-validation: error %s, standard error %s %%\n", max(x$fold),
              error_text(x$confusion), fixed_text(100 * x$se, 1L)))
  print(x$confusion)
  for (column in colnames(x$chosen)) {
    counts <- sort(table(x$chosen[, column]), decreasing = TRUE)
    cat(sprintf("chosen in the folds, %s: %s\n", column,
                some(sprintf("%s (%d)", names(counts), as.integer(counts)))))
  }
  invisible(x)
}

#' @rdname gmm_da_cv
#' @export
summary.gmm_da_cv <- function(object, ...) {
  check_dots_empty(...)
  w <- if (is.null(object$weights)) rep(1, length(object$fold)) else object$weights
  missed <- object$class != object$truth
  by <- function(group) {
    counts <- data.frame(rows = drop(rowsum(w, group)), wrong = drop(rowsum(w * missed, group)))
    cbind(counts, error = counts$wrong / counts$rows)
  }
  wrong <- which(missed)
  sure <- object$prob[cbind(wrong, as.integer(object$class)[wrong])]
  wrong <- data.frame(row = row_label(object$prob, wrong), class = object$truth[wrong],
                      predicted = unname(object$class)[wrong], prob = sure)
  structure(class = "summary.gmm_da_cv", list(
    classes = by(object$truth), folds = by(object$fold), wrong = wrong[order(-wrong$prob), ],
    error = object$error, se = object$se, confusion = object$confusion
  ))
}

#' @rdname gmm_da_cv
#' @export
print.summary.gmm_da_cv <- function(x, digits = 4, ...) {
  digits <- check_whole(digits, max = 15)
  cat(sprintf("%d-fold cross-validation: error %s, standard error %s %%\n", nrow(x$folds),
              error_text(x$confusion), fixed_text(100 * x$se, 1L)))
  cat("\nClasses\n")
  print(x$classes, digits = digits)
  cat("\nTrue by predicted class\n")
  print(x$confusion, digits = digits)
  cat(sprintf("\nFolds: error from %s to %s\n", shown_number(min(x$folds$error), 3L),
              shown_number(max(x$folds$error), 3L)))
  if (nrow(x$wrong)) {
    cat("\nWrong, the surest first\n")
    print(utils::head(x$wrong, 10L), digits = digits, row.names = FALSE)
    more <- nrow(x$wrong) - 10L
    if (more > 0L) cat(sprintf("and %d more\n", more))
  }
  invisible(x)
}
