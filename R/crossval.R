# The cross-validated log-likelihood of a grid of models, for gmm_select().

# A number of folds, or the fold of each row given -> the number, or the fold of each row used.
check_folds <- function(folds, data) {
  counts <- if (is.null(data$weights)) rep(TRUE, nrow(data$x)) else data$weights > 0
  n <- sum(counts)
  if (length(folds) == 1L && n > 1L) return(check_whole(folds, min = 2, max = n))
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
  fold
}

# Sizes differ by one row at most, among the rows that have weight.
deal_folds <- function(folds, data) {
  if (length(folds) > 1L) return(folds)
  fold <- rep(1L, nrow(data$x))
  counts <- if (is.null(data$weights)) seq_along(fold) else which(data$weights > 0)
  fold[counts] <- sample(rep_len(seq_len(folds), length(counts)))
  fold
}

# -> what gmm_select() documents as `cv`.
cross_validate <- function(grid, data, folds, control, options) {
  fold <- deal_folds(folds, data)
  w <- case_weights(data)
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
        density <- engine_score(rows, models[[i]], "logdensity", control$threads)
        logdensity[i, f] <- sum(w[out] * density) / sum(w[out])
      } else if (reason[i] == "") {
        reason[i] <- sprintf("fold %d: %s", f, first_line(conditionMessage(models[[i]])))
      }
    }
  }
  list(fold = fold, share = as.vector(rowsum(w, fold)) / sum(w), logdensity = logdensity,
       reason = reason)
}

# The models of a grid fitted to some of the rows, or why there is none; all the same reason where
# these rows are no data.
fit_training <- function(grid, data, kept, control, title, options) {
  data$rows <- (if (is.null(data$rows)) seq_len(nrow(data$x)) else data$rows)[kept]
  data$x <- data$x[kept, , drop = FALSE]
  data$weights <- data$weights[kept]
  data$scale <- tryCatch(check_scale(data$x, data$weights, "x"), gaussmix_error = identity)
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
