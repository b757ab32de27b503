# Formulas: their terms, variables and responses; what is evaluated in the data.

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
