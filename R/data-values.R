# What the values of a matrix may be: missing and infinite ones, weights, scales.

# ---- missing and infinite values -------------------------------------------------------

# One of R's four, by itself or by its name.
na_policy <- function(na.action) {
  policies <- list(fail = stats::na.fail, omit = stats::na.omit, exclude = stats::na.exclude,
                   pass = stats::na.pass)
  for (policy in names(policies)) {
    if (identical(na.action, policies[[policy]]) || identical(na.action, paste0("na.", policy))) {
      return(policy)
    }
  }
  gmm_abort("argument", must_be("na.action", "na.fail, na.omit, na.exclude or na.pass", na.action))
}

# -> x, and where rows were dropped rows (those kept) and na.action.
handle_missing <- function(x, policy, arg, gaps = anyNA(x)) {
  if (policy == "pass" || !gaps) return(list(x = x))
  missing <- missing_rows(x)
  if (policy == "fail") refuse_missing(x, missing, arg)
  dropped <- which(missing)
  names(dropped) <- if (is.null(rownames(x))) dropped else rownames(x)[dropped]
  kept <- which(!missing)
  list(x = take_rows(x, kept), rows = kept, na.action = structure(dropped, class = policy))
}

missing_rows <- function(x) {
  missing <- logical(nrow(x))
  dimnames(x) <- NULL
  if (anyNA(x)) for (j in seq_len(ncol(x))) missing <- missing | is.na(x[, j])
  missing
}

# Of each row: which rows miss the same variables, 1 for the first such, and so on.
missing_patterns <- function(x) {
  code <- numeric(nrow(x))
  dimnames(x) <- NULL
  for (j in seq_len(ncol(x))) {
    code <- 2 * code + is.na(x[, j])
    if (j %% 40L == 0L) code <- match(code, unique(code))
  }
  match(code, unique(code))
}

# Rows of which nothing is known.
wholly_missing <- function(x) {
  if (!anyNA(x)) return(logical(nrow(x)))
  dimnames(x) <- NULL
  lost <- is.na(x[, 1L])
  for (j in seq_len(ncol(x))[-1L]) lost <- lost & is.na(x[, j])
  lost
}

# rows: how many miss something; patterns: in how many ways (complete rows are none); empty: how
# many of them say nothing. NULL where no value is missing.
count_missing <- function(x, labels = NULL) {
  if (!anyNA(x)) return(NULL)
  missing <- missing_rows(x)
  c(rows = sum(missing), patterns = length(unique(missing_patterns(x)[missing])),
    empty = sum(says_nothing(x, labels)))
}

# The same of all rows, wherever they live.
missing_counts <- function(data, labels) {
  if (is.null(data$home)) return(count_missing(data$x, labels))
  m <- data$home$missing
  if (!is.null(m)) c(rows = m$rows, patterns = length(m$patterns), empty = m$empty)
}

# Parts of complete data are complete.
has_gaps <- function(data) !isFALSE(data$gaps) && anyNA(data$x) || !is.null(data$home$missing)

# Rows of which neither values nor the component are known.
says_nothing <- function(x, labels = NULL) {
  empty <- wholly_missing(x)
  if (is.null(labels)) empty else empty & is.na(labels)
}

# A covariance of its own takes rows that have both variables.
check_together <- function(data, code) {
  x <- data$x
  if (families[[code]]$shape != "full" || !has_gaps(data)) return(invisible())
  together <- if (is.null(data$home)) rows_together(x, data$weights) else data$home$together
  apart <- which(together == 0, arr.ind = TRUE)
  if (nrow(apart) == 0L) return(invisible())
  pair <- colnames(x)[sort(apart[1L, ])]
  gmm_abort("missing", sprintf(
    "Columns %s are never observed together, and the family %s needs their covariance.",
    paste(backtick(pair), collapse = " and "), code
  ), "Leave one of them out, or use covariance = \"diag\".", columns = pair)
}

# d x d: rows with weight that have both values.
rows_together <- function(x, w) {
  crossprod(!is.na(if (is.null(w)) x else x[w > 0, , drop = FALSE]))
}

refuse_missing <- function(x, missing, arg, hint = paste(
  "`na.action = na.pass` uses what is there; na.omit drops these rows; na.exclude does too, but",
  "keeps their places in fitted values, residuals and predictions."
)) {
  cells <- x[missing, , drop = FALSE]
  count <- sum(is.na(cells))
  nan <- sum(is.nan(cells))
  columns <- colnames(x)[colSums(is.na(cells)) > 0]
  text <- sprintf(
    "`%s` has %s%s: %s %s, %s %s.", arg,
    plural(count, paste(if (nan == count) "NaN" else "missing", "value")),
    if (nan > 0 && nan < count) sprintf(" (%d of them NaN)", nan) else "",
    if (sum(missing) == 1L) "row" else "rows", some(row_label(x, which(missing))),
    if (length(columns) == 1L) "column" else "columns", some(backtick(columns))
  )
  gmm_abort("missing", text, hint, count = count, rows = which(missing), columns = columns)
}

# What the user knows a row by: its number, or its name.
row_label <- function(x, i) {
  if (is.null(rownames(x))) return(i)
  names <- rownames(x)[i]
  unnamed <- is.na(names) | names == ""
  names[unnamed] <- i[unnamed]
  ifelse(grepl("^[0-9]+$", names), names, encodeString(names, quote = "\""))
}

# reach: the columns' ranges; details are looked at only where they are not finite.
check_finite <- function(x, arg, reach = engine_scan(x)$reach) {
  if (!any(reach[1L, ] == -Inf | reach[2L, ] == Inf)) return(invisible())
  count <- sum(is.infinite(x))
  if (count == 0) return(invisible())
  first <- which(is.infinite(x))[1L]
  at <- arrayInd(first, dim(x))
  gmm_abort("nonfinite", sprintf(
    "`%s` must be finite, not %s in row %s of column %s%s.", arg, number_text(x[[first]]),
    row_label(x, at[1L]), backtick(colnames(x)[at[2L]]),
    if (count > 1) sprintf(" (%d such values)", count) else ""
  ), count = count)
}

# ---- weights and scales ----------------------------------------------------------------

check_weights_kind <- function(w, n) {
  if (is.null(w) || is.numeric(w) && !is.object(w) && length(w) == n) return(invisible())
  expected <- sprintf("a numeric vector of length %d, the number of rows", n)
  gmm_abort("weights", must_be("weights", expected, w))
}

# Case weights of the rows of x -> double, n, or NULL. Only their ratios matter to the parameters.
check_weights <- function(w, x) {
  check_weights_kind(w, nrow(x))
  if (is.null(w)) return(NULL)
  w <- as.double(w)
  faults <- which(!is.finite(w) | w < 0)
  if (length(faults) > 0L) {
    gmm_abort("weights", sprintf("`weights` must be finite and at least 0, not %s in row %s.",
                                 number_text(w[faults[1L]]), row_label(x, faults[1L])),
              if (anyNA(w)) "A row without a weight can be left out by weight 0.")
  }
  if (all(w == 0)) gmm_abort("weights", "`weights` must not be all 0.")
  if (max(w) < 1e-300 || max(w) > 1e300 || !is.finite(sum(w))) {
    gmm_abort("weights", sprintf(
      "`weights` must be from 1e-300 to 1e300, with a finite sum; the largest is %s.",
      number_text(max(w), 3L)),
              "Divide them by the largest: only their ratios matter.")
  }
  w
}

# Refuses columns without variation, and numbers whose squares leave the range of a double;
# returns the columns' scales. instead: those of columns without variation, by a prior with which
# they do no harm; NULL: there is none.
check_scale <- function(x, w, arg, instead = NULL, scan = engine_scan(x, w)) {
  counts <- if (!is.null(w) && any(w == 0)) w > 0
  gaps <- scan$missing > 0
  if (gaps) refuse_unobserved(x, counts, arg)
  ranges <- scan$reach
  counted <- scan$ranges
  names <- colnames(x)
  check_reach(pmax(-ranges[1L, ], ranges[2L, ]), names)
  rows <- if (is.null(counts)) nrow(x) else sum(counts)
  constant <- counted[1L, ] == counted[2L, ]
  if (is.null(instead)) {
    refuse_constant(names[constant], rows, ncol(x), sprintf("`%s`", arg), !is.null(counts), gaps)
  }
  scale <- column_scale(x, w)
  scale[constant] <- instead[constant]
  check_spread(scale, ranges[2L, ] - ranges[1L, ])
}

# reach: largest absolute value of each column.
check_reach <- function(reach, names) {
  if (all(reach <= 1e150)) return(invisible())
  j <- which.max(reach)
  refuse_scale(names[j], sprintf("reaches %s in absolute value; 1e150 is the most",
                                 number_text(reach[j], 3L)))
}

check_spread <- function(scale, spread) {
  names <- names(scale)
  if (any(scale < 1e-150)) {
    j <- which.min(scale)
    refuse_scale(names[j], sprintf("has the scale %s; 1e-150 is the least",
                                   number_text(scale[[j]], 3L)))
  }
  spread <- spread / scale
  if (any(spread > 1e140)) {
    j <- which.max(spread)
    refuse_scale(names[j], sprintf("spreads over %s times its scale; 1e140 is the most",
                                   number_text(spread[[j]], 3L)),
                 "Leave out its extreme values, or take logarithms.")
  }
  scale
}

refuse_unobserved <- function(x, counts, arg) {
  lost <- apply_columns(x, function(v) all(is.na(if (is.null(counts)) v else v[counts])), NA)
  refuse_empty(colnames(x)[lost], backtick(arg), !is.null(counts))
}

refuse_empty <- function(columns, what, weighty) {
  if (length(columns) == 0L) return(invisible())
  one <- length(columns) == 1L
  gmm_abort("missing", sprintf("%s %s of %s %s no value%s.", if (one) "Column" else "Columns",
                               some(backtick(columns)), what, if (one) "has" else "have",
                               if (weighty) " in the rows of positive weight" else ""),
            sprintf("Leave %s out.", if (one) "it" else "them"), columns = columns)
}

refuse_scale <- function(name, what, hint = "Rescale it: multiply or divide it by a constant.") {
  gmm_abort("scale", sprintf("Column %s %s.", backtick(name), what), hint)
}

# rows: those that count; weighty: whether others have weight 0; d: number of columns; gaps: values
# are missing.
refuse_constant <- function(constant, rows, d, what, weighty, gaps = FALSE) {
  if (length(constant) == 0L) return(invisible())
  which <- if (weighty) " of positive weight" else ""
  if (rows == 1) {
    gmm_abort("degenerate", sprintf("%s has only 1 row%s, and a covariance needs at least 2.",
                                    capital(what), which),
              if (d > 1L) sprintf("A full or tied one needs %d.", d + 1L))
  }
  if (length(constant) == d) {
    gmm_abort("degenerate", if (gaps) {
      sprintf("No column of %s%s has two values that differ.", what, which)
    } else {
      sprintf("All %s rows of %s%s are the same.", number_text(rows), what, which)
    }, "A mixture needs rows that differ.")
  }
  one <- length(constant) == 1L
  gmm_abort("degenerate", sprintf("%s %s of %s %s constant%s.", if (one) "Column" else "Columns",
                                  some(backtick(constant)), what, if (one) "is" else "are",
                                  if (weighty) paste0(" over the rows", which) else ""),
            sprintf("Leave %s out.", if (one) "it" else "them"), columns = constant)
}

# Interquartile range / 1.349 of each column, or its standard deviation (divisor n) where that is
# zero, of the values that are there. The quartiles are inverses of the empirical distribution
# function, so that weight 2 is the row twice.
column_scale <- function(x, w = NULL) {
  quartiles <- column_quantiles(x, w, c(.25, .75))
  scale <- (quartiles[2L, ] - quartiles[1L, ]) / 1.349
  for (j in which(!(scale > 0))) scale[j] <- deviation(x[, j], w)
  stats::setNames(scale, colnames(x))
}

column_median <- function(x, w = NULL) drop(column_quantiles(x, w, .5))

# For each column the smallest values whose share of the total, of the values that are there, is at
# least p. The margin keeps rounding in the sums from mattering.
column_quantiles <- function(x, w, p) {
  if (is.null(w)) return(engine_quantiles(x, p))
  out <- apply_columns(x, function(v) {
    order <- order(v, na.last = NA)
    total <- cumsum(w[order])
    at <- findInterval(p - 1e-12, total / total[length(total)], left.open = TRUE)
    v[order][at + 1L]
  }, p)
  matrix(out, length(p))
}

# About the first value, so that an offset costs no digits.
deviation <- function(v, w) {
  there <- !is.na(v)
  share <- if (!is.null(w)) w[there] / sum(w[there])
  average <- if (is.null(share)) mean else function(u) sum(share * u)
  v <- v[there]
  v <- v - v[1L]
  sqrt(average((v - average(v))^2))
}

# f of each column, one column copied at a time, without the row names (of which there may be many).
apply_columns <- function(x, f, value = 0) {
  dimnames(x) <- NULL
  vapply(seq_len(ncol(x)), function(j) f(x[, j]), value)
}
