#' Errors, warnings and messages of gaussmix
#'
#' Whatever gaussmix refuses, it refuses by an R condition with a class, so that a program can tell
#' one reason from another without reading the text. The text names the argument, what was wanted
#' and what was given; a second line says one way out. The call of the condition is the function
#' that the user called.
#'
#' @section Errors:
#' Each has the class `gaussmix_error_<name>` and the parent `gaussmix_error`.
#'
#' | name | raised where |
#' |---|---|
#' | `argument` | an argument has a wrong value or length, is not known, or is lacking |
#' | `type` | data of a kind that is not numbers: factor, text, list, date, complex, sparse ... |
#' | `dimension` | no rows, no columns, too few rows, or a number of columns that does not fit |
#' | `missing` | values are missing (NA or NaN) and `na.action` does not say what to do with them |
#' | `nonfinite` | values are infinite |
#' | `degenerate` | a covariance would be singular: constant column, collinear columns, few rows |
#' | `names` | columns are duplicated, or those of new data are not those of the fit |
#' | `weights` | case weights are negative, missing, infinite, all zero, or of a wrong number |
#' | `labels` | known labels (`labels`) are not what they should be |
#' | `noise` | a mixture with a noise component has no such thing, or only with limits |
#' | `start` | a start (`init`) is not what it should be |
#' | `scale` | numbers are so large or so small that their squares leave the range of a double |
#' | `formula` | a formula has a term that can't be used |
#' | `object` | a fitted object, or its JSON, is damaged; the text names the field |
#' | `memory` | there is not enough memory, or the data are too large for the machine |
#' | `version` | a fitted object was written by a newer version of gaussmix |
#' | `source` | rows that don't live in memory can't be read, or changed between two passes |
#' | `checkpoint` | a checkpoint can't be written, is damaged, or is of another fit |
#' | `package` | a package that is only suggested is needed, and not installed |
#' | `data` | what was asked needs the training data, and the object has none |
#' | `sample` | a model of [gmm_select()] was judged by a sample of the rows, not fitted to all |
#'
#' @section Warnings:
#' Each has the class `gaussmix_warning_<name>` and the parent `gaussmix_warning`.
#'
#' | name | given where |
#' |---|---|
#' | `convergence` | `max_iter` ended the iterations before they converged |
#' | `spurious` | the fit that is returned has a component that rests on too few rows |
#' | `labels` | all rows of a known label were trimmed |
#' | `identical` | two components of the fit are the same |
#' | `infinite` | rows of new data are infinite, so that they have no posterior |
#' | `information` | there are no standard errors: the information is not positive definite |
#' | `accuracy` | a probability by quadrature has a larger error than asked for; few replicates |
#' | `resolution` | p-values are too coarse for their number: too few draws or rows held out |
#' | `comparison` | criteria of fits to different numbers of rows, or with a prior, are compared |
#'
#' @section Messages:
#' Messages have the class `gaussmix_message`.
#'
#' @examples
#' tryCatch(
#'   gmm(faithful, k = 2.5),
#'   gaussmix_error_argument = function(e) conditionMessage(e)
#' )
#' @name gaussmix-conditions
NULL

# `message` says what was wanted and what was found, `hint` one way out, on a line of its own.
# `...` are fields of the condition.
gmm_abort <- function(class, message, hint = NULL, ..., call = user_call()) {
  stop(new_condition(c(paste0("gaussmix_error_", class), "gaussmix_error", "error"),
                     c(message, hint), call, ...))
}

gmm_warn <- function(class, message, hint = NULL, ..., call = user_call()) {
  warning(new_condition(c(paste0("gaussmix_warning_", class), "gaussmix_warning", "warning"),
                        c(message, hint), call, ...))
}

gmm_inform <- function(message, ..., call = user_call()) {
  message(new_condition(c("gaussmix_message", "message"), c(message, ""), call, ...))
}

# A package that is only suggested.
need_package <- function(package, what) {
  if (requireNamespace(package, quietly = TRUE)) return(invisible())
  gmm_abort("package", sprintf("%s needs the package %s, which is not installed.", what, package),
            sprintf("install.packages(\"%s\")", package))
}

new_condition <- function(class, lines, call, ...) {
  structure(class = c(class, "condition"),
            list(message = paste(lines, collapse = "\n"), call = call, ...))
}

# The function that the user called, as a call without arguments: gmm(). That is the outermost
# frame whose function is one of this package.
user_call <- function() {
  home <- environment(sys.function())
  for (i in seq_len(sys.nframe() - 1L)) {
    if (!identical(environment(sys.function(i)), home)) next
    name <- function_name(sys.function(i))
    if (!is.null(name)) return(as.call(list(as.name(generic_name(name)))))
  }
  NULL
}

# Name of a function of this package, found by the function itself, as the call on the stack may be
# FUN(X[[i]], ...) or hold the whole function (do.call).
function_name <- function(fun) {
  home <- environment(sys.function())
  for (name in ls(home, all.names = TRUE)) {
    if (identical(get0(name, home), fun)) return(name)
  }
  NULL
}

# "predict.gaussmix" -> "predict"
generic_name <- function(name) {
  # their methods are for classes of R and of other packages
  name <- sub("^(as_gmm|gmm_source)\\..*", "\\1", name)
  sub("\\.(((summary|profile)\\.)?(gaussmix|gmm(_[a-z]+)?)|default|data\\.frame|formula)$", "",
      name)
}
