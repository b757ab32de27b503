# The data door. What the user gives (vector, matrix, data frame, formula) becomes
#   x          double matrix, n x d, with column names; row names where the rows have some
#   weights    double, n, or NULL
#   na.action  the rows dropped, as na.omit() or na.exclude() records them, or NULL
#   rows       which of the rows given these are (their numbers), or NULL: all
#   given      number of rows given, before `subset` and `na.action`
#   scale      the columns' scales, d
#   gaps       whether values are missing
#   terms      of a formula, else NULL
#   blueprint  what new data have to look like: kind ("vector", "matrix", "data.frame", "formula"),
#              names (d), named (FALSE: the names were made up), terms, variables (what a
#              formula needs of new data), and response (names of the columns of its left side,
#              which come first)
# new_data() lets new data in by a blueprint. Nothing is dropped, coerced, recycled or reordered
# without the user's word; whatever is refused names the column.
#
# Data are never copied where they are a double matrix already: only attributes change.

as_gmm_data <- function(x, ...) UseMethod("as_gmm_data")

#' @export
as_gmm_data.default <- function(x, weights = NULL, na.action = stats::na.fail,
                                prior = NULL, ...) {
  weights <- given_weights(weights)
  matrix <- plain_matrix(x, "x")
  kind <- if (length(dim(x)) == 2L) "matrix" else "vector"
  named <- kind == "matrix" && any_names(colnames(x))
  admit(matrix, weights, na.action, list(kind = kind, named = named), "x", prior)
}

#' @export
as_gmm_data.data.frame <- function(x, weights = NULL, na.action = stats::na.fail,
                                   prior = NULL, ...) {
  weights <- given_weights(weights, "x")
  blueprint <- list(kind = "data.frame", named = any_names(frame_names(x)))
  blueprint$frame <- frame_kind(x)
  admit(frame_matrix(x, row_names(x), "x"), weights, na.action, blueprint, "x", prior)
}

# `weights` and `subset` are expressions (or values): they are evaluated as lm() does it, in `data`,
# then in the environment of the formula; `env` serves a formula that has lost its own. So a method
# of gmm() calls
#   as_gmm_data(x, data, weights = substitute(weights), subset = substitute(subset), ...)
# Each term is a variable, or a call that makes one or several columns: log(a), I(a / b),
# poly(a, 2). There is no intercept, with or without `- 1`. The left side, if any, is one such term
# more: it says what is predicted from the others.
#' @export
as_gmm_data.formula <- function(x, data = NULL, weights = NULL, subset = NULL,
                                na.action = stats::na.fail, env = parent.frame(), labels = NULL,
                                prior = NULL, ...) {
  if (is.null(environment(x))) environment(x) <- env
  if (inherits(data, c("gmm_source", "gmm_cluster"))) refuse_home(data, "data")
  if (is.list(data) && !is.data.frame(data)) data <- as.data.frame(data)
  frame_kind <- frame_kind(data)
  if (is.data.frame(data)) data <- plain_frame(data)
  if (!is.null(data) && !is.data.frame(data) && !is.environment(data)) {
    gmm_abort("type", must_be("data", "a data frame", data), "Use as.data.frame(data).")
  }
  terms <- formula_terms(x, data)
  frame <- model_frame(terms, data)
  given <- nrow(frame)
  rows <- row_names(frame)
  matrix <- frame_matrix(term_columns(frame), rows, "data", given)
  terms <- attr(frame, "terms")
  weights <- eval_in(weights, data, environment(x), "weights")
  labels <- eval_in(labels, data, environment(x), "labels")
  check_weights_kind(weights, given)
  index <- subset_index(eval_in(subset, data, environment(x), "subset"), given, rows)
  if (!is.null(index)) {
    weights <- weights[index]
    matrix <- take_rows(matrix, index)
  }
  blueprint <- list(kind = "formula", named = TRUE, terms = terms,
                    variables = row_variables(terms, data, given))
  blueprint$frame <- frame_kind
  if (attr(terms, "response") > 0L) blueprint$response <- column_names(response_columns(frame))
  out <- admit(matrix, weights, na.action, blueprint, "data", prior)
  if (!is.null(index)) out$rows <- if (is.null(out$rows)) index else index[out$rows]
  out$terms <- terms
  out["labels"] <- list(labels)
  out$given <- given
  out
}

# What all roads share, once there is a matrix: names, weights, missing and infinite values, scale.
admit <- function(x, weights, na.action, blueprint, arg, prior = NULL) {
  d <- ncol(x)
  if (d == 0L) gmm_abort("dimension", sprintf("`%s` has no columns.", arg))
  if (nrow(x) == 0L) gmm_abort("dimension", sprintf("`%s` has no rows.", arg))
  refuse_twice(unique(colnames(x)[duplicated(colnames(x))]), arg)
  given <- nrow(x)
  weights <- check_weights(weights, x)
  policy <- na_policy(na.action)
  scan <- engine_scan(x, weights)
  known <- handle_missing(x, policy, arg, scan$missing > 0)
  x <- known$x
  if (nrow(x) == 0L) {
    gmm_abort("missing", sprintf("`%s` has no row without missing values.", arg),
              "Leave out the columns that are missing most.")
  }
  if (!is.null(known$rows)) {
    weights <- weights[known$rows]
    scan <- engine_scan(x, weights)
  }
  check_finite(x, arg, scan$reach)
  if (!is.null(weights) && all(weights == 0)) {
    gmm_abort("weights", "`weights` must be positive for a row that is used; they are all 0.")
  }
  scale <- check_scale(x, weights, arg, prior_scale(prior, colnames(x), blueprint$named), scan)
  blueprint$names <- colnames(x)
  list(x = x, weights = weights, na.action = known$na.action, rows = known$rows, given = given,
       scale = scale, terms = NULL, blueprint = blueprint, gaps = scan$missing > 0)
}

# ---- matrices --------------------------------------------------------------------------

# Vector or matrix -> double matrix with column names and no other attributes. A vector's names
# become row names.
plain_matrix <- function(x, arg) {
  if (inherits(x, c("gmm_source", "gmm_cluster"))) refuse_home(x, arg)
  if (!is_plain_numeric(x)) {
    hint <- if (isS4(x) || is.object(x) && !is.factor(x)) {
      # as.matrix() of integer64 would read its bits as doubles
      sprintf("If it holds numbers, use %s(%s).",
              if (length(dim(x)) == 2L) "as.matrix" else "as.numeric", arg)
    } else if (is.list(x)) {
      sprintf("If it holds columns, use as.data.frame(%s).", arg)
    }
    gmm_abort("type", must_be(arg, "a numeric vector, matrix or data frame", x), hint)
  }
  x <- unclass(x)
  dims <- dim(x)
  if (length(dims) > 2L) {
    gmm_abort("dimension", must_be(arg, "a numeric vector, matrix or data frame", x),
              "Arrange it as a matrix with a row for each observation.")
  }
  dimnames <- list(if (length(dims) == 1L) names(x) else rownames(x), colnames(x))
  if (length(dims) < 2L) {
    dims <- c(length(x), 1L)
    dimnames <- list(names(x), NULL)
  }
  dimnames[[2L]] <- fill_names(dimnames[[2L]], dims[2L])
  as_double_matrix(x, dims, dimnames)
}

# Data frame (or list of columns) -> double matrix.
frame_matrix <- function(frame, rows, arg, n = .row_names_info(frame, 2L)) {
  columns <- frame_list(frame)
  faulty <- !vapply(columns, function(v) is_plain_numeric(v) && length(dim(v)) <= 2L, NA)
  if (any(faulty)) refuse_columns(columns[faulty], arg)
  names <- column_names(columns)
  x <- if (length(columns) > 0L) unlist(columns, use.names = FALSE) else double()
  if (length(x) != n * length(names)) {
    gmm_abort("object", sprintf("`%s` is a damaged data frame: its columns differ in length.", arg))
  }
  as_double_matrix(x, c(n, length(names)), list(rows, names))
}

# Whatever the class says: methods of other packages may be broken, or mean something else.
frame_names <- function(frame) attr(frame, "names")

plain_frame <- function(frame) {
  oldClass(frame) <- "data.frame"
  frame
}

# The package whose kind of data frame it is; NULL: R's own, or none.
frame_kind <- function(x) {
  if (inherits(x, "tbl_df")) "tibble" else if (inherits(x, "data.table")) "data.table"
}

# The columns, whatever the class says about `[[`; those without a name get one.
frame_list <- function(frame) {
  columns <- unclass(frame)
  attributes(columns) <- list(names = fill_names(frame_names(frame), length(columns)))
  columns
}

# A matrix as a column is several columns: name.sub, or name.1, name.2 ...
column_names <- function(columns) {
  unlist(lapply(names(columns), function(name) {
    v <- columns[[name]]
    m <- if (length(dim(v)) == 2L) ncol(v) else 1L
    if (m == 1L) name else paste(rep(name, m), fill_subnames(colnames(v), m), sep = ".")
  }))
}

as_double_matrix <- function(x, dims, dimnames) {
  wanted <- list(dim = as.integer(dims), dimnames = dimnames)
  if (typeof(x) != "double") x <- as.double(x)
  if (!identical(attributes(x), wanted)) attributes(x) <- wanted
  x
}

rename <- function(x, names) {
  if (!identical(colnames(x), names)) dimnames(x) <- list(rownames(x), names)
  x
}

# Rows `index` of x. Rows without names are named by their numbers, so that they stay known.
take_rows <- function(x, index) {
  rows <- rownames(x)
  x <- x[index, , drop = FALSE]
  if (is.null(rows)) rownames(x) <- index
  x
}

# Plain numbers, or numbers whose class changes nothing (time series, I(), poly(), splines).
# integer64, difftime, Date and their like hold doubles that mean something else.
is_plain_numeric <- function(x) {
  class <- oldClass(x)
  typeof(x) %in% c("double", "integer", "logical") && !isS4(x) &&
    ("matrix" %in% class || all(class %in% c("ts", "mts", "array", "AsIs")))
}

# Of a data frame, automatic ones too. as.character() of whole numbers is lazy: the strings are not
# made until someone reads them.
row_names <- function(frame) as.character(attr(frame, "row.names"))

any_names <- function(names) any(!is.na(names) & names != "")

# Lacking names become V<j>, j the column's number.
fill_names <- function(names, d) {
  if (is.null(names)) return(sprintf("V%d", seq_len(d)))
  made <- which(is.na(names) | names == "")
  if (length(made) == 0L) return(names)
  names[made] <- utils::tail(make.unique(c(names[-made], sprintf("V%d", made))), length(made))
  names
}

fill_subnames <- function(names, m) {
  if (is.null(names)) return(seq_len(m))
  ifelse(is.na(names) | names == "", seq_len(m), names)
}

refuse_columns <- function(columns, arg) {
  kinds <- vapply(columns, function(v) {
    if (length(dim(v)) > 2L) return(describe(v))
    if (is.object(v) || is.list(v)) kind_of(v) else paste(kind_of(v), "vector")
  }, "")
  one <- length(columns) == 1L
  it <- if (one) "it" else "them"
  gmm_abort("type", sprintf("%s of `%s` must be numeric: %s.",
                            if (one) "A column" else "Columns", arg,
                            some(paste(backtick(names(columns)), "is", kinds))),
            sprintf("Turn %s into numbers that mean something, or leave %s out.", it, it),
            columns = names(columns))
}
