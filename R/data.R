# The data door. What the user gives (vector, matrix, data frame, formula) becomes
#   x          double matrix, n x d, with column names; row names where the rows have some
#   weights    double, n, or NULL
#   na.action  the rows dropped, as na.omit() or na.exclude() records them, or NULL
#   rows       which of the rows given these are (their numbers), or NULL: all
#   given      number of rows given, before `subset` and `na.action`
#   scale      the columns' scales, d
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
  known <- handle_missing(x, policy, arg)
  x <- known$x
  if (nrow(x) == 0L) {
    gmm_abort("missing", sprintf("`%s` has no row without missing values.", arg),
              "Leave out the columns that are missing most.")
  }
  if (!is.null(known$rows)) weights <- weights[known$rows]
  check_finite(x, arg)
  if (!is.null(weights) && all(weights == 0)) {
    gmm_abort("weights", "`weights` must be positive for a row that is used; they are all 0.")
  }
  scale <- check_scale(x, weights, arg, prior_scale(prior, colnames(x), blueprint$named))
  blueprint$names <- colnames(x)
  list(x = x, weights = weights, na.action = known$na.action, rows = known$rows, given = given,
       scale = scale, terms = NULL, blueprint = blueprint)
}

# ---- new data --------------------------------------------------------------------------

# By `object$blueprint`: x (m x d, columns in the fit's order), ok (which rows have no missing
# value), rows (which of the rows given they are), na.action.
#   Columns with names are taken by name, in any order. Further columns of a data frame are
#   ignored; a matrix must have as many columns as the fit.
#   Columns without names, or for a fit on data without names, are taken by position (with a
#   message where the fit has names and more than one column).
#   A vector is one column: for d > 1 it is refused, as it may be meant as a row.
#   Any number of rows, none too. Infinite values are let in.
new_data <- function(object, newdata, na.action = stats::na.pass, arg = "newdata") {
  blueprint <- object$blueprint
  is_frame <- is.data.frame(newdata)
  by_formula <- !is.null(blueprint$terms) && (is_frame || !all_plain(blueprint$terms))
  by_name <- blueprint$named && (is_frame || any_names(colnames(newdata)))
  read <- if (by_formula) new_by_formula else if (by_name) new_by_name else new_by_position
  x <- read(newdata, blueprint, arg)
  policy <- na_policy(na.action)
  known <- handle_missing(x, policy, arg)
  rows <- if (is.null(known$rows)) seq_len(nrow(x)) else known$rows
  list(x = known$x, ok = !missing_rows(known$x), rows = rows, na.action = known$na.action)
}

new_by_formula <- function(newdata, blueprint, arg) {
  newdata <- variables_frame(newdata, blueprint, arg)
  check_names(names(newdata), blueprint$variables, names(newdata), arg, blueprint$response)
  frame <- model_frame(blueprint$terms, newdata, arg)
  x <- frame_matrix(term_columns(frame), row_names(newdata), arg, nrow(frame))
  in_fit_order(x, blueprint, arg)
}

# Data frame in which a formula's variables are looked up.
variables_frame <- function(newdata, blueprint, arg) {
  if (is.data.frame(newdata)) return(plain_frame(newdata))
  if (!any_names(colnames(newdata))) {
    gmm_abort("type", must_be(arg, paste("a data frame with the columns",
                                         some(backtick(blueprint$variables))), newdata))
  }
  as.data.frame(plain_matrix(newdata, arg))
}

new_by_position <- function(newdata, blueprint, arg) {
  d <- length(blueprint$names)
  x <- if (is.data.frame(newdata)) {
    frame_matrix(newdata, row_names(newdata), arg)
  } else {
    plain_matrix(newdata, arg)
  }
  if (d > 1L && length(dim(newdata)) != 2L) {
    gmm_abort("dimension", must_be(arg, paste("a matrix or data frame of", d, "columns"), newdata),
              sprintf("For one row, use %s.",
                      sprintf(if (is.null(names(newdata))) "matrix(%s, 1)" else "t(%s)", arg)))
  }
  if (ncol(x) != d) refuse_ncol(ncol(x), blueprint, arg)
  if (blueprint$named && d > 1L) {
    gmm_inform(sprintf("`%s` has no column names: its columns are taken in the order %s.", arg,
                       some(backtick(blueprint$names), 10L)))
  }
  rename(x, blueprint$names)
}

new_by_name <- function(newdata, blueprint, arg) {
  if (!is.data.frame(newdata)) {
    x <- plain_matrix(newdata, arg)
    if (ncol(x) != length(blueprint$names)) refuse_ncol(ncol(x), blueprint, arg, colnames(x))
    return(in_fit_order(x, blueprint, arg))
  }
  x <- named_columns(newdata, blueprint$names, arg)
  in_fit_order(x, blueprint, arg, names(frame_list(newdata)))
}

# Only the columns that are wanted are looked at: the others may be of any type.
named_columns <- function(frame, wanted, arg) {
  columns <- frame_list(frame)
  needed <- vapply(seq_along(columns), function(j) any(column_names(columns[j]) %in% wanted), NA)
  frame_matrix(columns[needed], row_names(frame), arg, .row_names_info(frame, 2L))
}

in_fit_order <- function(x, blueprint, arg, given = colnames(x)) {
  check_names(colnames(x), blueprint$names, given, arg)
  if (identical(colnames(x), blueprint$names)) x else x[, blueprint$names, drop = FALSE]
}

# Each of `needed` must be there, once. `given` are the names that the user sees.
check_names <- function(names, needed, given, arg, response = NULL) {
  lacking <- setdiff(needed, names)
  if (length(lacking) > 0L) {
    has <- sprintf("It has %s.", if (length(given)) some(backtick(given), 10L) else "none")
    gmm_abort("names", sprintf("`%s` must have the columns of the fit; it lacks %s.", arg,
                               some(backtick(lacking))),
              if (!is.null(response)) {
                paste(has, "The response is predicted by predict(type = \"conditional\").")
              } else {
                has
              })
  }
  refuse_twice(intersect(names[duplicated(names)], needed), arg)
}

refuse_twice <- function(twice, arg) {
  if (length(twice) == 0L) return(invisible())
  gmm_abort("names", sprintf("`%s` must have distinct column names, not %s twice.", arg,
                             some(backtick(twice))), "Rename or drop columns.")
}

refuse_ncol <- function(ncol, blueprint, arg, given = NULL) {
  d <- length(blueprint$names)
  extra <- setdiff(given, blueprint$names)
  gmm_abort("dimension", sprintf("`%s` must have %s, as the fit, not %d.", arg,
                                 plural(d, "column"), ncol),
            if (length(extra) > 0L) {
              sprintf("Leave out %s, or give a data frame: its further columns are ignored.",
                      some(backtick(extra)))
            } else {
              sprintf("The fit has %s.", some(backtick(blueprint$names), 10L))
            })
}

# Those columns of the fit that newdata has, for the prediction of the others. Of a formula they are
# the terms whose variables are all there. Where there is a response it is not looked at, and all
# other columns must be there.
known_columns <- function(object, newdata, arg) {
  blueprint <- object$blueprint
  wanted <- setdiff(blueprint$names, blueprint$response)
  is_frame <- is.data.frame(newdata)
  if (!is_frame && !any_names(colnames(newdata))) {
    plain_matrix(newdata, arg)
    gmm_abort("names", sprintf("`%s` must have the names of the variables that are known.", arg),
              sprintf("The variables are %s.", some(backtick(wanted), 10L)))
  }
  by_formula <- !is.null(blueprint$terms) && (is_frame || !all_plain(blueprint$terms))
  read <- if (by_formula) known_by_formula else known_by_name
  x <- read(newdata, blueprint, wanted, arg)
  given <- if (is_frame) frame_names(newdata) else colnames(newdata)
  if (!is.null(blueprint$response)) check_names(colnames(x), wanted, given, arg)
  if (ncol(x) == 0L) {
    gmm_abort("names", sprintf("`%s` must have a variable of the fit; it has %s.", arg,
                               if (any_names(given)) some(backtick(given)) else "none"),
              sprintf("The variables are %s.", some(backtick(wanted), 10L)))
  }
  refuse_twice(colnames(x)[duplicated(colnames(x))], arg)
  x
}

known_by_name <- function(newdata, blueprint, wanted, arg) {
  if (is.data.frame(newdata)) {
    x <- named_columns(newdata, wanted, arg)
  } else {
    x <- plain_matrix(newdata, arg)
    extra <- setdiff(colnames(x), blueprint$names)
    if (length(extra) > 0L) {
      gmm_abort("names", sprintf("`%s` must have variables of the fit only, not %s.", arg,
                                 some(backtick(extra))),
                "Leave them out, or give a data frame: its further columns are ignored.")
    }
  }
  x[, colnames(x) %in% wanted, drop = FALSE]
}

known_by_formula <- function(newdata, blueprint, wanted, arg) {
  newdata <- variables_frame(newdata, blueprint, arg)
  terms <- blueprint$terms
  there <- vapply(labels(terms), function(label) {
    all(intersect(all.vars(str2lang(label)), blueprint$variables) %in% names(newdata))
  }, NA)
  if (!any(there)) return(matrix(0, nrow(newdata), 0L))
  frame <- model_frame(take_terms(terms, which(there)), newdata, arg)
  frame_matrix(term_columns(frame), row_names(newdata), arg, nrow(frame))
}

# ---- formulas --------------------------------------------------------------------------

formula_terms <- function(formula, data) {
  terms <- read_terms(formula, data)
  if ("." %in% all.vars(terms)) {
    left <- length(formula) == 3L && "." %in% all.vars(formula[[2L]])
    gmm_abort("formula", if (left) {
      "`.` must not be on the left of a formula, the response: it stands for all other columns."
    } else {
      "`.` in a formula stands for the columns of `data`, a data frame."
    }, if (left) "Name the columns: cbind(a, b) ~ c.")
  }
  if (!is.null(attr(terms, "offset"))) {
    gmm_abort("formula", "A formula for a mixture must not have an offset().",
              "Shift the variable: I(a - b).")
  }
  mixed <- attr(terms, "term.labels")[attr(terms, "order") > 1L]
  if (length(mixed) > 0L) {
    gmm_abort("formula", sprintf("A formula for a mixture must not have interactions, not %s.",
                                 some(backtick(mixed))), "For a product, write I(a * b).")
  }
  if (length(attr(terms, "term.labels")) == 0L) {
    gmm_abort("dimension", if (attr(terms, "response") > 0L) {
      "The formula has no variables on its right side, to predict the left side from."
    } else {
      "The formula has no variables, hence no columns."
    })
  }
  terms
}

# The variables of the terms, rows with missing values included.
model_frame <- function(terms, data, arg = "data") {
  columns <- if (is.data.frame(data)) frame_list(data) else as.list(data)
  try_formula(stats::model.frame(terms, data, na.action = stats::na.pass), function() {
    used <- all.vars(terms)
    faulty <- Filter(Negate(is_plain_numeric), columns[intersect(used, names(columns))])
    if (length(faulty) > 0L) refuse_columns(faulty, arg)
    for (name in setdiff(used, names(columns))) {
      if (exists(name, envir = environment(terms))) next
      gmm_abort("formula", sprintf("%s is neither a column of `%s` nor a variable.", backtick(name),
                                   arg), did_you_mean(name, names(columns), backtick))
    }
  })
}

# stats::terms() warns of its own doings where `.` stands beside a variable that is no column.
read_terms <- function(formula, data) {
  suppressWarnings(try_formula(stats::terms(formula, data = if (is.data.frame(data)) data)))
}

# Columns of a model frame that are the response or terms (`~ . - a` leaves `a` in the frame).
term_columns <- function(frame) {
  c(response_columns(frame), unclass(frame)[term_variables(attr(frame, "terms"))])
}

# Those of cbind(a, b) are a and b.
response_columns <- function(frame) {
  response <- attr(attr(frame, "terms"), "response")
  columns <- unclass(frame)[response]
  if (response == 0L || is.object(columns[[1L]])) return(columns)
  y <- columns[[1L]]
  if (length(dim(y)) != 2L || is.null(colnames(y)) || any(colnames(y) == "")) return(columns)
  stats::setNames(lapply(seq_len(ncol(y)), function(j) y[, j]), colnames(y))
}

# The variable of each term: there are no interactions.
term_variables <- function(terms) apply(attr(terms, "factors") > 0L, 2L, which)

# Some of the terms, without the response, with what their variables remember of the data fitted.
take_terms <- function(terms, index) {
  formula <- stats::reformulate(labels(terms)[index], env = environment(terms))
  remembered <- attr(terms, "predvars")[c(1L, 1L + term_variables(terms)[index])]
  structure(stats::terms(formula), predvars = remembered)
}

# Errors of R's own formula code, as ours. explain() may raise a better one.
try_formula <- function(expr, explain = function() NULL) {
  tryCatch(expr, error = function(e) {
    explain()
    gmm_abort("formula", sprintf("The formula can't be used: %s.", conditionMessage(e)))
  })
}

eval_in <- function(expr, data, env, arg) try_argument(eval(expr, data, env), arg)

try_argument <- function(value, arg, hint = NULL) {
  tryCatch(value, error = function(e) {
    gmm_abort(if (arg == "weights") "weights" else "argument",
              sprintf("`%s` can't be evaluated: %s.", arg, conditionMessage(e)), hint)
  })
}

# The weights of a method that does not look them up in its data.
given_weights <- function(weights, frame = NULL) {
  try_argument(weights, "weights", if (!is.null(frame)) paste(
    "A column of the data is `weights = data$column`, or `weights = column` with a formula:",
    "gmm(~ a + b, data, k = 2, weights = column)."
  ))
}

# Variables with a value a row: what new data must bring. Others (a constant in the formula's
# environment) are looked up as at the fit.
row_variables <- function(terms, data, n) {
  Filter(function(v) {
    if (is.data.frame(data) && v %in% names(data)) return(TRUE)
    value <- if (is.environment(data)) get0(v, data) else get0(v, environment(terms))
    NROW(value) == n
  }, all.vars(terms))
}

all_plain <- function(terms) {
  all(vapply(as.list(attr(terms, "variables"))[-1L], is.name, NA))
}

# Row numbers that `subset` means, or NULL: all.
subset_index <- function(subset, n, rows) {
  if (is.null(subset)) return(NULL)
  if (is.atomic(subset) && anyNA(subset)) {
    gmm_abort("argument", sprintf("`subset` must not have missing values; it has %d.",
                                  sum(is.na(subset))),
              "To leave those rows out, use which().")
  }
  index <- if (is.logical(subset) && length(subset) == n) {
    which(subset)
  } else if (is.numeric(subset) && !is.object(subset) && all(subset == trunc(subset)) &&
               all(abs(subset) <= n) && (all(subset >= 0) || all(subset <= 0))) {
    seq_len(n)[subset]
  } else if (is.character(subset) && !is.null(rows) && all(subset %in% rows)) {
    match(subset, rows)
  } else {
    gmm_abort("argument", must_be("subset", sprintf(
      "%d logical values, or numbers or names of rows", n), subset))
  }
  if (length(index) == 0L) gmm_abort("dimension", "`subset` leaves no rows.")
  index
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
handle_missing <- function(x, policy, arg) {
  if (policy == "pass" || !anyNA(x)) return(list(x = x))
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
  empty <- wholly_missing(x)
  if (!is.null(labels)) empty <- empty & is.na(labels)
  c(rows = sum(missing), patterns = length(unique(missing_patterns(x)[missing])),
    empty = sum(empty))
}

# A covariance of its own takes rows that have both variables.
check_together <- function(data, code) {
  x <- data$x
  if (families[[code]]$shape != "full" || !anyNA(x)) return(invisible())
  there <- !is.na(if (is.null(data$weights)) x else x[data$weights > 0, , drop = FALSE])
  apart <- which(crossprod(there) == 0, arr.ind = TRUE)
  if (nrow(apart) == 0L) return(invisible())
  pair <- colnames(x)[sort(apart[1L, ])]
  gmm_abort("missing", sprintf(
    "Columns %s are never observed together, and the family %s needs their covariance.",
    paste(backtick(pair), collapse = " and "), code
  ), "Leave one of them out, or use covariance = \"diag\".", columns = pair)
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

# A finite sum has finite terms: details are looked at only where it isn't.
check_finite <- function(x, arg) {
  if (!anyNA(x) && is.finite(sum(x))) return(invisible()) # NaN is slow to add
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
check_scale <- function(x, w, arg, instead = NULL) {
  counts <- if (!is.null(w) && any(w == 0)) w > 0
  refuse_unobserved(x, counts, arg)
  ranges <- apply_columns(x, function(v) range(v, na.rm = TRUE), c(0, 0))
  counted <- ranges
  if (!is.null(counts)) {
    counted <- apply_columns(x, function(v) range(v[counts], na.rm = TRUE), c(0, 0))
  }
  names <- colnames(x)
  check_reach(apply(abs(ranges), 2L, max), names)
  rows <- if (is.null(counts)) nrow(x) else sum(counts)
  constant <- counted[1L, ] == counted[2L, ]
  if (is.null(instead)) {
    refuse_constant(names[constant], rows, ncol(x), sprintf("`%s`", arg), !is.null(counts),
                    anyNA(x))
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
  if (!anyNA(x)) return(invisible())
  lost <- apply_columns(x, function(v) all(is.na(if (is.null(counts)) v else v[counts])), NA)
  if (!any(lost)) return(invisible())
  one <- sum(lost) == 1L
  gmm_abort("missing", sprintf("%s %s of `%s` %s no value%s.", if (one) "Column" else "Columns",
                               some(backtick(colnames(x)[lost])), arg, if (one) "has" else "have",
                               if (is.null(counts)) "" else " in the rows of positive weight"),
            sprintf("Leave %s out.", if (one) "it" else "them"), columns = colnames(x)[lost])
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
  scale <- apply_columns(x, function(v) {
    if (anyNA(v)) {
      w <- w[!is.na(v)]
      v <- v[!is.na(v)]
    }
    share <- if (!is.null(w)) w / sum(w)
    iqr <- diff(quartiles(v, share))
    if (iqr > 0) iqr / 1.349 else deviation(v, share)
  })
  stats::setNames(scale, colnames(x))
}

# Of the values that are there.
column_median <- function(x, w = NULL) {
  apply_columns(x, function(v) {
    there <- !is.na(v)
    quartiles(v[there], if (!is.null(w)) w[there] / sum(w[there]), .5)
  })
}

# Smallest values whose share of the total is at least a quarter, three quarters. The margin
# keeps rounding in the sums from mattering.
quartiles <- function(v, share, p = c(.25, .75)) {
  if (is.null(share)) {
    at <- ceiling(length(v) * p)
    return(sort(v, partial = unique(at))[at])
  }
  order <- order(v)
  v[order][findInterval(p - 1e-12, cumsum(share[order]), left.open = TRUE) + 1L]
}

# About the first value, so that an offset costs no digits.
deviation <- function(v, share) {
  average <- if (is.null(share)) mean else function(u) sum(share * u)
  v <- v - v[1L]
  sqrt(average((v - average(v))^2))
}

# f of each column, one column copied at a time, without the row names (of which there may be many).
apply_columns <- function(x, f, value = 0) {
  dimnames(x) <- NULL
  vapply(seq_len(ncol(x)), function(j) f(x[, j]), value)
}
