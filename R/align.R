# Components of one mixture matched with those of another.

# The columns of a square matrix, one for each row and each once, whose entries have the least sum:
# shortest augmenting paths over reduced costs (cost - u - v, never negative), a row at a time.
# Order k^3.
least_cost_assignment <- function(cost) {
  k <- nrow(cost)
  outside <- k + 1L # a column that is not there: where each path begins
  row_of <- integer(outside)
  u <- numeric(k)
  v <- numeric(outside)
  for (row in seq_len(k)) {
    row_of[outside] <- row
    column <- outside
    distance <- rep(Inf, k)
    previous <- integer(k)
    seen <- logical(outside)
    while (row_of[column] != 0L) {
      seen[column] <- TRUE
      own <- row_of[column]
      open <- which(!seen[-outside])
      reduced <- cost[own, open] - u[own] - v[open]
      nearer <- reduced < distance[open]
      distance[open[nearer]] <- reduced[nearer]
      previous[open[nearer]] <- column
      column <- open[which.min(distance[open])]
      step <- distance[column]
      u[row_of[seen]] <- u[row_of[seen]] + step
      v[seen] <- v[seen] - step
      distance[open] <- distance[open] - step
    }
    while (column != outside) {
      row_of[column] <- row_of[previous[column]]
      column <- previous[column]
    }
  }
  order(row_of[-outside])
}

# The order of the components of `params` in which they agree best with those of `reference`: which
# puts the largest expected number of the rows into the same component of both.
aligned_order <- function(params, reference, x, w = NULL, threads = NULL) {
  k <- nrow(params$means)
  if (k == 1L) return(1L)
  own <- engine_score(x, params, "prob", threads)[, seq_len(k), drop = FALSE]
  if (!is.null(w)) own <- w * own
  theirs <- engine_score(x, reference, "prob", threads)[, seq_len(k), drop = FALSE]
  agreement <- crossprod(theirs, own)
  least_cost_assignment(max(agreement) - agreement)
}
