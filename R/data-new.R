# New data, let in by the blueprint of a fit.

# By `object$blueprint`: x (m x d, columns in the fit's order), rows (which of the rows given they
# are), na.action.
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
  list(x = known$x, rows = rows, na.action = known$na.action)
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
