# Mixtures as JSON, out and in.

# Format of the text. A later one comes with code that reads older ones too.
json_version <- 1L

#' Mixtures as JSON
#'
#' A mixture as text that any language can read, and back, exact to the last bit.
#'
#' @param fit A gmm object.
#' @param file Name of a file to write; `NULL` for none.
#' @param json JSON text (a string, or lines) that begins with a brace; or the name of a file.
#'
#' @details
#' The text is one JSON object:
#'
#' | field | holds |
#' |---|---|
#' | `format`, `version` | `"gaussmix"`, and the version of the format, 1 |
#' | `covariance` | code of the family, see [gmm_families()] |
#' | `components` | k names |
#' | `variables` | d names; `null` where they were made up |
#' | `proportions` | k numbers |
#' | `means` | k lists of d numbers |
#' | `covariances` | k lists of d lists of d numbers |
#' | `loglik`, `nobs` | of a fit: log-likelihood; number of rows, or sum of the weights |
#' | `equal` | `true` where the proportions were held equal, else it is not there |
#' | `fixed` | number of parameters that were held fixed, else it is not there |
#' | `trim` | the share of the weight that was trimmed, else it is not there |
#' | `prior` | values of [gmm_prior()] by name (`scale`: d lists of d), else it is not there |
#' | `labelled` | number of rows of known labels, else it is not there |
#' | `df` | number of free parameters |
#'
#' Numbers have 17 significant digits, which is enough for each double to come back as it was; the
#' decimal mark is a point in every locale. Of the rows and how the mixture was fitted there is only
#' what the log-likelihood rests on (`trim`, `prior`, `labelled`), which print() and
#' BIC() say; of a fit by [gmm_vb()] only the mixture that it reports, without a log-likelihood.
#'
#' `gmm_from_json()` builds numbers and names out of what it reads and checks them; nothing in the
#' text is ever evaluated, so that files from strangers can be read (as against `readRDS()` before
#' R 4.4.0). Fields that are not in the table are ignored.
#' @return `gmm_to_json()`: the text, a string, invisibly where a file was written.
#'   `gmm_from_json()`: an object as by [gmm_params()], of the same parameters to the bit; with the
#'   log-likelihood and the number of rows, so that [logLik()] and [BIC()] answer.
#' @section Errors: `gaussmix_error_object` where the text is not JSON, or a field is lacking or not
#'   as it should be: the field is named. `gaussmix_error_version` where a newer version of gaussmix
#'   wrote it. `gaussmix_error_argument` where there is no such file, or it can't be written.
#'   `gaussmix_error_package` without package jsonlite.
#' @seealso [as_gmm()], [as_sklearn()]
#' @examplesIf requireNamespace("jsonlite", quietly = TRUE)
#' fit <- gmm(faithful, k = 2)
#' text <- gmm_to_json(fit)
#' cat(text)
#' again <- gmm_from_json(text)
#' identical(coef(again), coef(fit))
#' BIC(again)
#' @export
gmm_to_json <- function(fit, file = NULL) {
  validate_gmm(fit)
  if (is_variational(fit)) fit <- new_params(as_parameters(fit), fit$blueprint$named, fit$call)
  need_package("jsonlite", "gmm_to_json()")
  strings <- function(x, ...) unclass(jsonlite::toJSON(enc2utf8(x), ...))
  string <- function(x) strings(x, auto_unbox = TRUE)
  fields <- with_point(c(
    format = string("gaussmix"), version = json_numbers(json_version),
    covariance = string(fit$covariance),
    components = strings(rownames(fit$means)),
    variables = if (fit$blueprint$named) strings(colnames(fit$means)) else "null",
    proportions = json_array(unname(fit$proportions)), means = json_array(fit$means),
    covariances = json_array(aperm(fit$covariances, c(3L, 1L, 2L))),
    if (!is.null(fit$loglik)) c(loglik = json_numbers(fit$loglik), nobs = json_numbers(fit$nobs)),
    if (isTRUE(fit$equal)) c(equal = "true"),
    if (!is.null(fit$noise)) c(noise = json_array(noise_argument(fit$noise))),
    if (!is.null(fit$fixed)) c(fixed = json_numbers(fit$fixed$count)),
    vapply(fit_record(fit), json_record, ""),
    df = json_numbers(fit$df)
  ))
  text <- sprintf("{\n%s\n}\n", paste0("  \"", names(fields), "\": ", fields, collapse = ",\n"))
  if (is.null(file)) return(text)
  if (!is_string(file)) gmm_abort("argument", must_be("file", "the name of a file, or NULL", file))
  write <- function() suppressWarnings(writeLines(text, file, sep = "", useBytes = TRUE))
  tryCatch(write(), error = function(e) {
    gmm_abort("argument", sprintf("`file` can't be written: %s.", file))
  })
  invisible(text)
}

# What the log-likelihood of a fit rests on besides the rows, which a mixture read from JSON keeps.
fit_record <- function(fit) {
  if (!is.null(fit$record) || is.null(fit$loglik)) return(fit$record)
  Filter(Negate(is.null), list(
    trim = fit[["trim"]], prior = fit[["prior"]],
    labelled = if (!is.null(fit$labels)) sum(!is.na(fit$labels))
  ))
}

# "trim = 0.05, a prior, known labels of 20 rows"; NULL where there is nothing to say.
record_text <- function(record) {
  if (length(record) == 0L) return(NULL)
  paste(c(if (!is.null(record$trim)) paste("trim =", number_text(record$trim)),
          if (!is.null(record$prior)) "a prior",
          if (!is.null(record$labelled)) {
            paste("known labels of", plural(record$labelled, "row"))
          }), collapse = ", ")
}

json_record <- function(x) {
  if (!is.list(x)) return(json_numbers(x))
  lists <- c("mean", "scale") # whatever the number of variables
  values <- vapply(names(x), function(name) {
    (if (name %in% lists) json_array else json_numbers)(x[[name]])
  }, "")
  sprintf("{%s}", paste0("\"", names(values), "\": ", values, collapse = ", "))
}

# A prior as JSON has it; FALSE where it is none.
read_json_prior <- function(x, d) {
  fields <- names(formals(gmm_prior))[-1L]
  if (!is.list(x) || !all(fields %in% names(x))) return(FALSE)
  values <- lapply(x[fields], nested_array)
  if (!all(lengths(values) == c(1L, d, 1L, 1L, d^2))) return(FALSE)
  values$scale <- matrix(as.double(values$scale), d, length(values$scale) / d)
  values$mean <- as.double(values$mean)
  tryCatch({
    prior <- do.call(gmm_prior, values)
    check_prior_fits(prior, d)
    prior
  }, error = function(e) FALSE)
}

# The first index is the outermost.
json_array <- function(x) {
  parts <- if (length(dim(x)) < 2L) json_numbers(x) else apply(x, 1L, json_array)
  sprintf("[%s]", paste(parts, collapse = ", "))
}

# A minus before zero would be lost: JSON's -0 is read as a whole number.
json_numbers <- function(x) sub("^-0$", "-0.0", sprintf("%.17g", x))

# C writes and reads numbers with the decimal mark of the locale.
with_point <- function(expr) {
  locale <- Sys.getlocale("LC_NUMERIC")
  if (locale != "C") {
    Sys.setlocale("LC_NUMERIC", "C")
    on.exit(suppressWarnings(Sys.setlocale("LC_NUMERIC", locale)))
  }
  expr
}

#' @rdname gmm_to_json
#' @export
gmm_from_json <- function(json) {
  need_package("jsonlite", "gmm_from_json()")
  text <- json_text(json)
  object <- tryCatch(with_point(jsonlite::parse_json(text)), error = function(e) {
    gmm_abort("object", sprintf("`json` must be JSON text, and can't be parsed: %s.",
                                sub("[.\n].*", "", trimws(conditionMessage(e)))))
  })
  need <- function(field, value, ok, expected) {
    if (!isTRUE(ok(value))) {
      refuse(list(class = "object", prefix = "json$"), field, expected, describe(object[[field]]))
    }
    value
  }
  if (!is.list(object)) object <- list()
  need("format", object[["format"]], function(v) identical(v, "gaussmix"), "\"gaussmix\"")
  version <- need("version", object[["version"]], is_count, "a whole number of at least 1")
  if (version > json_version) {
    gmm_abort("version", sprintf(
      "`json` was written by a newer version of gaussmix (format %d; this one reads up to %d).",
      as.integer(version), json_version), "Update gaussmix.")
  }
  numbers <- function(field, dims, expected) {
    right <- function(v) identical(as.integer(dim_or_length(v)), as.integer(dims))
    need(field, nested_array(object[[field]]), right, expected)
  }
  names_of <- function(field, n) {
    unlist(need(field, object[[field]], function(v) {
      is.list(v) && length(v) == n && all(vapply(v, is_string, NA)) && all(nzchar(v)) &&
        !anyDuplicated(unlist(v))
    }, plural(n, "distinct name")), use.names = FALSE)
  }
  one <- function(field, ok, expected) need(field, object[[field]], ok, expected)
  code <- one("covariance", function(v) is_string(v) && v %in% names(families),
              "the code of a family of covariances")
  noise <- object[["noise"]]
  if (!is.null(noise)) noise <- nested_array(noise)
  count <- max(1L, length(object[["proportions"]]))
  k <- max(1L, count - !is.null(noise))
  proportions <- numbers("proportions", count, "a list of numbers")
  components <- names_of("components", k)
  lists <- one("means", function(v) is.list(v) && length(v) == k && length(v[[1L]]) > 0L,
               sprintf("%s of means", plural(k, "list")))
  d <- length(lists[[1L]])
  means <- numbers("means", c(k, d), sprintf("numbers, %d x %d", k, d))
  covariances <- numbers("covariances", c(k, d, d), sprintf("numbers, %d x %d x %d", k, d, d))
  dimnames(means) <- list(components, if (!is.null(object[["variables"]])) names_of("variables", d))
  equal <- !is.null(one("equal", function(v) is.null(v) || isTRUE(v), "true or not there"))
  held <- one("fixed", function(v) is.null(v) || is_count(v), "a whole number of at least 1")
  df <- df_of(code, d, k, equal) - (if (is.null(held)) 0 else held) + !is.null(noise)
  one("df", function(v) is_number(v) && v == df, number_text(df))
  scored <- c("loglik", "nobs") %in% names(object)
  if (any(scored)) {
    one("loglik", is_finite_number, "a finite number")
    one("nobs", function(v) is_finite_number(v) && v > 0, "a number above 0")
  }
  trim <- one("trim", function(v) is.null(v) || is_number(v) && v > 0 && v < 1,
              "a number between 0 and 1")
  labelled <- one("labelled", function(v) is.null(v) || is_count(v), "a whole number of at least 1")
  prior <- if (!is.null(object[["prior"]])) read_json_prior(object[["prior"]], d)
  need("prior", prior, Negate(isFALSE), "the values of gmm_prior()")
  params <- read_params(proportions, means, aperm(covariances, c(2L, 3L, 1L)), code,
                        list(class = "object", prefix = "json$"), match.call(), noise)
  if (equal) params <- hold_proportions(params)
  if (!is.null(held)) params$fixed <- list(count = as.double(held))
  params$df <- df
  params$record <- Filter(Negate(is.null), list(trim = trim, prior = prior, labelled = labelled))
  with_record(params, object$loglik, object$nobs, "JSON")
}

# What is given, or the file that it names.
json_text <- function(json) {
  if (!is.character(json) || length(json) == 0L || anyNA(json)) {
    gmm_abort("argument", must_be("json", "JSON text or the name of a file", json))
  }
  if (!startsWith(trimws(json[1L]), "{")) {
    is_path <- length(json) == 1L && nchar(json, "bytes") < 4096L # longer ones make R warn
    if (!is_path || !utils::file_test("-f", json)) {
      gmm_abort("argument", must_be(
        "json", "JSON text, which begins with a brace, or the name of a file", json
      ))
    }
    json <- readLines(json, warn = FALSE, encoding = "UTF-8")
  }
  paste(json, collapse = "\n")
}
