# Supervised mixtures: the class of each row is known. A class has a density f_c, of one component
# (its covariance may share parts with those of other classes) or a mixture of its own, and a prior
# probability; a new row goes to the class of largest prior times density.

#' Discriminant analysis by Gaussian mixtures
#'
#' Learns from rows whose classes are known how to classify others: each class gets a normal
#' distribution, or a mixture of its own.
#'
#' @param x The rows: a numeric matrix, a vector, or a data frame of numeric columns; or a formula
#'   `class ~ a + b` or `class ~ .`, whose left side is the class. For the methods: the result.
#' @param class The class of each row: a factor, text, logicals or whole numbers.
#' @param data A data frame in which the formula's variables are looked up.
#' @param k Numbers of components of a class to try, whole numbers of at least 1.
#' @param covariance Families of covariances to try, names or codes of [gmm_families()]; `NULL`: all
#'   that apply.
#' @param ... Must be empty.
#' @param separate `TRUE` or `FALSE`: does each class have a mixture of its own? By default where
#'   `k` is more than 1. See below.
#' @param priors Prior probabilities of the classes, in the order of their levels or named; above
#'   0, with the sum 1. `NULL`: the classes' shares of the rows (of the weights).
#' @param weights Case weights, as for [gmm()]. With a formula, evaluated in `data`.
#' @param subset Rows to use, an expression evaluated in `data`.
#' @param na.action What to do about rows with missing values, or without a class: [na.fail],
#'   [na.omit], [na.exclude], or [na.pass] to learn from what is there (the class must be known).
#' @param control The result of [gmm_control()]. A start that is given (`init`) must be a name or a
#'   function.
#'
#' @details
#' * **One component a class** (`separate = FALSE`, the default). The classes are the components of
#'   one mixture, and `covariance` says what their covariances share: eigenvalue decomposition
#'   discriminant analysis (Bensmail and Celeux 1996). `"tied"` is linear discriminant analysis,
#'   `"full"` quadratic, `"diag"` a naive Bayes classifier. As the classes are known, the maximum of
#'   the likelihood takes one M-step. Of several families the one with the lowest BIC is kept.
#' * **A mixture a class** (`k` above 1, or `separate = TRUE`). Each class has a mixture of its own
#'   (Hastie and Tibshirani 1996; Fraley and Raftery 2002), whose number of components and family
#'   [gmm_select()] chooses by BIC from its rows alone.
#'
#' The log-likelihood is that of rows and classes together, the sum of `w log(prior * density)` at
#' each row's own class; `df` counts the parameters of the densities and, unless they are given, the
#' priors. (mclust's `logLik()` is that of the rows without their classes: here `sum(predict(fit,
#' type = "logdensity"))`.)
#'
#' The error on the rows that were learnt from is too good; [gmm_da_cv()] estimates that on new
#' ones.
#' @return `gmm_da()`: a list of class `"gmm_da"` with
#'   \item{classes}{names of the classes: the levels that have rows}
#'   \item{priors}{their prior probabilities, named}
#'   \item{models}{list of the classes' densities, gmm objects as by [gmm_params()]}
#'   \item{table}{data frame. One component a class: a row a family, with `covariance`, `name`,
#'     `df`, `loglik`, `BIC`, `spurious`, `status` and `reason` as in [gmm_select()]. A mixture a
#'     class: a row a class, with `class`, `k`, `covariance`, `name`, `df`, `loglik`, `BIC` of its
#'     mixture}
#'   \item{covariance}{code of the family, of one component a class}
#'   \item{loglik, df, nobs}{log-likelihood, number of parameters, number of rows or sum of the
#'     weights}
#'   and `separate`, `class` (of the rows used), `weights`, `na.action`, `terms` where used, `x`,
#'   `blueprint`, `candidates` (what was compared), `control`, `call`.
#'
#'   `summary()`: a list of class `"summary.gmm_da"` with `confusion` (a table of true by predicted
#'   classes of the rows learnt from, sums of weights), `error` (the share of those that are wrong),
#'   `classes` (data frame, a row a class: `rows`, `prior`, `components`, `covariance`, `error`)
#'   and `table`.
#' @section Errors: As for [gmm()]; `gaussmix_error_argument` where `class` is not one for each row,
#'   or there are fewer than two; `gaussmix_error_degenerate` where no family can be fitted, or the
#'   rows of a class can't carry any.
#' @section Warnings: `gaussmix_warning_spurious` where a class has too few rows for its covariance.
#' @references Bensmail, H. and Celeux, G. (1996) Regularized Gaussian discriminant analysis through
#'   eigenvalue decomposition. *Journal of the American Statistical Association* 91, 1743-1748.
#'   \doi{10.1080/01621459.1996.10476746}
#'
#'   Hastie, T. and Tibshirani, R. (1996) Discriminant analysis by Gaussian mixtures. *Journal of
#'   the Royal Statistical Society B* 58, 155-176.
#'
#'   Fraley, C. and Raftery, A. E. (2002) Model-based clustering, discriminant analysis, and density
#'   estimation. *Journal of the American Statistical Association* 97, 611-631.
#'   \doi{10.1198/016214502760047131}
#' @seealso [predict.gmm_da()], [gmm_da_cv()], [plot.gmm_da()]
#' @examples
#' fit <- gmm_da(Species ~ ., data = iris)
#' fit
#' summary(fit)
#' predict(fit, iris[c(1, 71, 134), ], type = "prob")
#'
#' # linear and quadratic discriminant analysis
#' gmm_da(iris[1:4], iris$Species, covariance = "tied")
#' gmm_da(iris[1:4], iris$Species, covariance = "full")
#'
#' # a mixture for each class
#' gmm_da(Species ~ Petal.Length + Petal.Width, iris, k = 1:2, covariance = c("full", "diag"))
#' @export
gmm_da <- function(x, ...) {
  if (missing(x)) refuse_no_data(...names())
  UseMethod("gmm_da")
}

#' @rdname gmm_da
#' @export
gmm_da.default <- function(x, class, k = 1, covariance = NULL, ..., separate = any(k > 1),
                           priors = NULL, weights = NULL, na.action = na.fail,
                           control = gmm_control()) {
  check_dots_empty(...)
  data <- as_gmm_data(x, weights = weights, na.action = na.action)
  if (missing(class)) gmm_abort("argument", "`class`, the class of each row, is lacking.")
  learn_classes(data, class, k, covariance, separate, priors, na.action, control, match.call())
}

#' @rdname gmm_da
#' @export
gmm_da.data.frame <- gmm_da.default

#' @rdname gmm_da
#' @export
gmm_da.formula <- function(x, data = NULL, k = 1, covariance = NULL, ..., separate = any(k > 1),
                           priors = NULL, weights = NULL, subset = NULL, na.action = na.fail,
                           control = gmm_control()) {
  check_dots_empty(...)
  call <- match.call()
  if (length(x) != 3L) {
    gmm_abort("formula", sprintf("`x` must be a formula with the class on its left side, not `%s`.",
                                 shorten(deparse1(x))), "Write `class ~ .`.")
  }
  if (is.null(environment(x))) environment(x) <- parent.frame()
  if (is.list(data) && !is.data.frame(data)) data <- as.data.frame(data)
  class <- eval_in(x[[2L]], data, environment(x), deparse1(x[[2L]]))
  terms <- read_terms(x, if (is.data.frame(data)) plain_frame(data))
  right <- stats::formula(stats::delete.response(terms))
  environment(right) <- environment(x)
  rows <- as_gmm_data(right, data = data, weights = call$weights, subset = call$subset,
                      na.action = na.action)
  learn_classes(rows, class, k, covariance, separate, priors, na.action, control, call)
}

# From clean data to the object.
learn_classes <- function(data, class, k, covariance, separate, priors, na.action, control, call) {
  call[[1L]] <- quote(gmm_da)
  k <- check_wholes(k)
  separate <- check_flag(separate)
  if (!separate && any(k > 1L)) {
    gmm_abort("argument", "`k` must be 1 where `separate` is FALSE: one component a class.")
  }
  control <- check_control(control)
  candidates <- list(k = k, codes = resolve_covariances(covariance, ncol(data$x), control))
  if (!is_string(control$init) && !is.function(control$init)) {
    gmm_abort("start", "`init` must be the name of a start or a function: the classes are known.")
  }
  data <- with_classes_of(data, class, na.action)
  priors <- check_priors(priors, levels(data$class))
  fit <- fit_classes(data, candidates, separate, priors, control)
  kept <- Filter(Negate(is.null), data[c("weights", "na.action", "terms")])
  structure(class = "gmm_da", c(
    fit, kept, list(class = data$class, x = data$x, blueprint = data$blueprint,
                    separate = separate, given_priors = priors, candidates = candidates,
                    control = stored_control(control), call = call)
  ))
}

# Adds `class`, a factor of the rows used; those without a class are missing.
with_classes_of <- function(data, class, na.action) {
  if (!is.atomic(class) || is.null(class) || length(class) != data$given) {
    gmm_abort("argument", must_be("class", sprintf("a factor with an element for each of the %s",
                                                   plural(data$given, "row")), class))
  }
  if (is.numeric(class) && any(class != trunc(class), na.rm = TRUE)) {
    gmm_abort("argument", must_be("class", "a factor, text, logical or whole numbers", class))
  }
  if (!is.null(data$rows)) class <- class[data$rows]
  if (anyNA(class)) {
    lost <- which(is.na(class))
    if (na_policy(na.action) %in% c("fail", "pass")) {
      gmm_abort("missing", sprintf("`class` is missing in %s: %s.", plural(length(lost), "row"),
                                   some(row_label(data$x, lost))),
                "`na.action = na.omit` drops them.", rows = lost)
    }
    data <- drop_rows(data, lost, na_policy(na.action))
    class <- class[-lost]
  }
  data$class <- factor(class)
  size <- class_sizes(data)
  if (length(size) < 2L || any(size == 0)) {
    gmm_abort("argument", sprintf(
      "`class` must have two classes or more, each with rows%s, not %s.",
      if (any(size == 0)) " of positive weight" else "",
      some(sprintf("%s (%s)", names(size), number_text(size)))
    ))
  }
  data
}

# Rows, or sums of weights, of each class.
class_sizes <- function(data) {
  w <- if (is.null(data$weights)) rep(1, length(data$class)) else data$weights
  vapply(split(w, data$class), sum, 0)
}

# Without the rows at `lost`, as na.omit() or na.exclude() would drop them.
drop_rows <- function(data, lost, policy) {
  before <- data$na.action
  at <- setdiff(seq_len(nrow(data$x) + length(before)), before) # places of the rows of data$x
  dropped <- stats::setNames(at[lost], row_label(data$x, lost))
  rows <- if (is.null(data$rows)) seq_len(nrow(data$x)) else data$rows
  data <- some_rows(data, -lost)
  data$rows <- rows[-lost]
  data$na.action <- structure(sort(c(before, dropped)), class = policy)
  data
}

# Some of the rows as data of their own: of a fold, or of a class.
some_rows <- function(data, index) {
  data$x <- take_rows(data$x, seq_len(nrow(data$x))[index])
  data$weights <- data$weights[index]
  data$class <- data$class[index]
  data$scale <- check_scale(data$x, data$weights, "x")
  data$rows <- data$na.action <- NULL
  data$given <- nrow(data$x)
  data
}

# -> in the order of the classes, with the sum 1; NULL: as they are in the rows.
check_priors <- function(priors, classes) {
  if (is.null(priors)) return(NULL)
  if (!is_plain_numeric(priors) || length(priors) != length(classes) ||
        !is.null(names(priors)) && !setequal(names(priors), classes)) {
    gmm_abort("argument", must_be("priors", sprintf(
      "%s, or named by them: %s", plural(length(classes), "probability of a class",
                                         "probabilities of the classes"), some(classes)
    ), priors))
  }
  if (anyNA(priors) || any(priors <= 0) || abs(sum(priors) - 1) > 1e-8) {
    gmm_abort("argument", sprintf("`priors` must be above 0 with the sum 1, not %s.",
                                  some(number_text(priors))))
  }
  if (!is.null(names(priors))) priors <- priors[classes]
  stats::setNames(as.double(priors) / sum(priors), classes)
}

# ---- learning --------------------------------------------------------------------------

# The part of the object that depends on the rows.
fit_classes <- function(data, candidates, separate, priors, control) {
  size <- class_sizes(data)
  learn <- if (separate) fit_apart else fit_together
  fit <- learn(data, candidates, control)
  out <- list(classes = names(size), priors = if (is.null(priors)) size / sum(size) else priors)
  out <- c(out, fit, list(nobs = sum(size)))
  w <- if (is.null(data$weights)) 1 else data$weights
  scores <- class_scores(out, data$x, control$threads)
  out$loglik <- sum(w * scores[cbind(seq_along(data$class), as.integer(data$class))])
  out$df <- out$df + if (is.null(priors)) length(size) - 1 else 0
  out
}

# One component a class: for each family the M-step of the classes; the best by BIC. Proportions are
# those of the rows, and so BIC charges for them.
fit_together <- function(data, candidates, control) {
  k <- nlevels(data$class)
  d <- ncol(data$x)
  data$rows <- NULL
  data$given <- nrow(data$x)
  control$init <- data$class
  options <- list()
  if (anyNA(data$x)) { # no closed form: EM with known labels
    options$labels <- data$class
  } else {
    control$max_iter <- 0L
  }
  grid <- model_grid(candidates$codes, k, d)
  own <- cbind(seq_along(data$class), as.integer(data$class))
  w <- if (is.null(data$weights)) 1 else data$weights
  models <- lapply(grid$covariance, function(code) {
    tryCatch({
      model <- fit_model(data, k, code, control, options = options)
      model$covariance <- code
      # a class that shares all of its covariance needs rows for its mean only
      if (rows_needed(code, d) == 1) model$verdict$spurious <- model$verdict$on_floor > 0
      model$joint <- sum(w * engine_score(data$x, model, "component", control$threads)[own])
      model
    }, gaussmix_error = function(e) blame_class(e, data, code))
  })
  failed <- vapply(models, is_error, NA)
  each <- function(none, value) {
    out <- rep(none, length(models))
    out[!failed] <- vapply(models[!failed], value, none)
    out
  }
  loglik <- each(NA_real_, function(model) model$joint)
  df <- mapply(df_of, grid$covariance, d, k, USE.NAMES = FALSE)
  nobs <- sum(w * rep(1, nrow(data$x)))
  table <- data.frame(
    covariance = grid$covariance, name = grid$name, k = grid$k, df = df, loglik = loglik,
    BIC = -2 * loglik + df * log(nobs),
    spurious = each(NA, function(model) any(model$verdict$spurious)),
    status = "ok", reason = ""
  )
  table$status[failed] <- vapply(models[failed], function(e) {
    sub("gaussmix_error_", "", class(e)[1L])
  }, "")
  table$reason[failed] <- vapply(models[failed], function(e) first_line(conditionMessage(e)), "")
  if (all(table$status != "ok")) refuse_families(models[[1L]], table, d)
  row <- best_row("BIC", table, nobs)
  best <- models[[row]]
  warn_of_few_rows(best$verdict, levels(data$class))
  table$k <- NULL # as many as classes
  list(models = class_models(best, grid$covariance[row], data), table = table,
       covariance = grid$covariance[row], df = df[row] - (k - 1))
}

# The components of a mixture as mixtures of one component.
class_models <- function(model, code, data) {
  classes <- levels(data$class)
  models <- lapply(seq_along(classes), function(j) {
    params <- list(proportions = 1, means = model$means[j, , drop = FALSE],
                   covariances = model$covariances[, , j, drop = FALSE], covariance = code)
    new_params(name_parameters(params, "1", colnames(data$x)), data$blueprint$named,
               quote(gmm_da()))
  })
  stats::setNames(models, classes)
}

# The error of a fit whose components are the classes, in terms of these. A class with too few rows
# spoils what others share with it.
blame_class <- function(error, data, code) {
  if (is.null(error$component)) return(error)
  counted <- if (is.null(data$weights)) data$class else data$class[data$weights > 0]
  few <- which(table(counted) < rows_needed(code, ncol(data$x)))
  error$message <- if (length(few)) {
    sprintf("class %s has too few rows for a covariance of its own, %d.",
            dQuote(names(few)[1L], FALSE), table(counted)[[few[1L]]])
  } else {
    sprintf("the covariance of class %s is singular.",
            dQuote(levels(data$class)[error$component], FALSE))
  }
  error
}

refuse_families <- function(error, table, d) {
  tried <- if (nrow(table) == 1L) "The one family" else sprintf("None of %d families", nrow(table))
  gmm_abort("degenerate", sprintf(
    "%s can%s be fitted; %s: %s", tried, if (nrow(table) == 1L) "'t" else "",
    family_label(table$covariance[1L], d), first_line(conditionMessage(error))
  ), "Try a narrower `covariance`, as \"tied\" or \"diag\", or leave out columns.", table = table)
}

warn_of_few_rows <- function(verdict, classes) {
  few <- which(verdict$spurious)
  if (length(few) == 0L) return(invisible())
  gmm_warn("spurious", sprintf(
    "%s %s too few rows for %s covariance to be believed.",
    some(sprintf("Class %s", dQuote(classes[few], FALSE))),
    if (length(few) == 1L) "has" else "have", if (length(few) == 1L) "its" else "their"
  ), "Try a `covariance` that all classes share: \"tied\", \"EEI\" or \"EII\".")
}

# A mixture a class, by gmm_select() on its rows.
fit_apart <- function(data, candidates, control) {
  classes <- levels(data$class)
  fits <- lapply(classes, function(class) {
    in_class(class, {
      rows <- some_rows(data, which(data$class == class))
      gmm_best(select_model(rows, candidates$k, candidates$codes, "BIC", NULL, control,
                            quote(gmm_select())))
    })
  })
  column <- function(field, type) vapply(fits, `[[`, type, field)
  codes <- column("covariance", "")
  table <- data.frame(
    class = classes, k = column("k", 0L), covariance = codes,
    name = vapply(families[codes], `[[`, "", "name", USE.NAMES = FALSE), df = column("df", 0),
    loglik = column("loglik", 0), BIC = vapply(fits, stats::BIC, 0)
  )
  models <- lapply(fits, function(fit) {
    new_params(as_parameters(fit), data$blueprint$named, quote(gmm_da()))
  })
  list(models = stats::setNames(models, classes), table = table, df = sum(table$df))
}

# Errors and warnings about the rows of one class say so.
in_class <- function(class, expr) {
  name_class <- function(condition) {
    condition$message <- sprintf("Class %s: %s", dQuote(class, FALSE), conditionMessage(condition))
    condition
  }
  withCallingHandlers(
    tryCatch(expr, gaussmix_error = function(e) stop(name_class(e))),
    gaussmix_warning = function(w) {
      warning(name_class(w))
      invokeRestart("muffleWarning")
    }
  )
}

# n x classes: log(prior * density).
class_scores <- function(fit, x, threads = NULL) {
  logs <- vapply(fit$models, function(model) engine_score(x, model, "logdensity", threads),
                 numeric(nrow(x)))
  logs <- matrix(logs, nrow(x), length(fit$models), dimnames = list(NULL, fit$classes))
  sweep(logs, 2L, log(fit$priors), `+`)
}

# ---- use -------------------------------------------------------------------------------

#' Classes of new rows
#'
#' Classifies rows by the classes' densities and prior probabilities, by Bayes' rule.
#'
#' @param object The result of [gmm_da()].
#' @param newdata Rows to classify, as for [predict.gaussmix()]: columns are matched by name. Left
#'   out: the rows learnt from.
#' @param type `"class"`, `"prob"` (of the classes, given the row) or `"logdensity"` (of the row,
#'   whatever its class).
#' @param na.action What to do with rows of `newdata` with missing values: `na.pass` (they are
#'   classified by what is there, exactly), `na.omit`, `na.exclude` (their results are NA) or
#'   `na.fail`.
#' @param ... Must be empty.
#' @return One element or row per row of `newdata`, with the row names kept: a factor with the
#'   levels `object$classes`; a matrix with a column a class; or a numeric vector.
#' @section Errors: `gaussmix_error_names`, `_dimension`, `_type` where `newdata` does not fit.
#' @seealso [gmm_da()]
#' @examples
#' train <- c(1:25, 51:75, 101:125)
#' fit <- gmm_da(Species ~ ., data = iris, subset = train)
#' table(iris$Species[-train], predict(fit, iris[-train, ]))
#' @export
predict.gmm_da <- function(object, newdata, type = c("class", "prob", "logdensity"),
                           na.action = stats::na.pass, ...) {
  check_dots_empty(...)
  check_da(object)
  type <- check_choice(type, c("class", "prob", "logdensity"))
  if (missing(newdata)) {
    return(stats::napredict(object$na.action, classify(object, object$x, type)))
  }
  new <- new_data(object, newdata, na.action)
  stats::napredict(new$na.action, classify(object, new$x, type, new$rows))
}

classify <- function(fit, x, type, rows = seq_len(nrow(x))) {
  mixture <- whole_mixture(fit)
  what <- if (type == "logdensity") type else "prob"
  mixture$control <- fit$control # the number of threads
  out <- score(mixture, x, what, rows)
  if (type == "logdensity") return(out)
  members <- outer(class_of_components(fit), seq_along(fit$classes), `==`)
  prob <- out %*% members
  dimnames(prob) <- list(rownames(x), fit$classes)
  if (type == "prob") return(prob)
  stats::setNames(factor_of(most_probable(prob), fit$classes), rownames(x))
}

# The number of its class, for each component of the whole mixture.
class_of_components <- function(fit) {
  rep(seq_along(fit$models), vapply(fit$models, `[[`, 0L, "k"))
}

# All components of all classes. Its family says nothing.
whole_mixture <- function(fit) {
  stack <- function(field) lapply(fit$models, `[[`, field)
  member <- class_of_components(fit)
  number <- ifelse(member %in% member[duplicated(member)], paste0(" ", sequence(table(member))), "")
  d <- length(fit$blueprint$names)
  params <- list(
    proportions = unlist(stack("proportions")) * fit$priors[member],
    means = do.call(rbind, stack("means")),
    covariances = array(unlist(stack("covariances")), c(d, d, length(member))), covariance = "VVV"
  )
  new_params(name_parameters(params, paste0(fit$classes[member], number), fit$blueprint$names),
             fit$blueprint$named, quote(gmm_da()))
}

check_da <- function(object, arg = "fit") {
  if (!inherits(object, "gmm_da") || typeof(object) != "list") {
    gmm_abort("argument", must_be(arg, "the result of gmm_da()", object))
  }
  about <- list(class = "object", prefix = paste0(arg, "$"))
  check <- function(field, ok, expected) {
    if (!isTRUE(ok(object[[field]]))) refuse(about, field, expected, describe(object[[field]]))
  }
  check("classes", function(v) is.character(v) && length(v) > 1L, "the names of the classes")
  k <- length(object$classes)
  check("priors", function(v) is.numeric(v) && length(v) == k && all(is.finite(v)) && all(v >= 0),
        "the classes' probabilities")
  check("models", function(v) is.list(v) && length(v) == k, "a mixture for each class")
  check("blueprint", function(v) is.list(v) && is.character(v$names), "a list with names")
  for (j in seq_len(k)) validate_gmm(object$models[[j]], sprintf("%s$models[[%d]]", arg, j))
  check("x", function(v) is.double(v) && is.matrix(v), "a double matrix")
  check("class", function(v) is.factor(v) && length(v) == nrow(object$x), "a factor")
}

#' @export
logLik.gmm_da <- function(object, ...) {
  check_da(object)
  structure(object$loglik, df = object$df, nobs = object$nobs, nall = object$nobs, class = "logLik")
}

#' @export
nobs.gmm_da <- function(object, ...) {
  check_da(object)
  object$nobs
}

# ---- printing --------------------------------------------------------------------------

#' @rdname gmm_da
#' @param digits Number of significant digits.
#' @export
print.gmm_da <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname gmm_da
#' @export
format.gmm_da <- function(x, digits = 4, ...) {
  check_da(x)
  digits <- check_whole(digits, max = 15)
  number <- function(v) format(v, digits = digits + 3L)
  d <- ncol(x$x)
  how <- if (x$separate) "a mixture each"
         else paste("one component each,", family_label(x$covariance, d))
  c(
    sprintf("Discriminant analysis: %s, %s", plural(length(x$classes), "class", "classes"), how),
    data_text(nrow(x$x), d, if (!is.null(x$weights)) number(x$nobs), length(x$na.action)),
    missing_text(count_missing(x$x, x$class)),
    class_lines(x),
    sprintf("log-likelihood %s, df %d, BIC %s (lower is better)%s", number(x$loglik),
            as.integer(x$df), number(stats::BIC(x)), compared_text(x)),
    paste0("error on the rows learnt from ", error_text(confusion(x)),
           "; on new ones: gmm_da_cv()")
  )
}

# "classes: a (50 rows), b (100 rows)"; with a mixture each a line a class.
class_lines <- function(x) {
  size <- tabulate(x$class, length(x$classes))
  given <- if (!is.null(x$given_priors)) paste(", prior", shown_number(x$priors, 3L)) else ""
  if (!x$separate) {
    texts <- sprintf("%s (%s%s)", x$classes, vapply(size, plural, "", "row"), given)
    return(paste("classes:", some(texts, 8L)))
  }
  lines <- sprintf("  %s (%s%s): %s", format(x$classes), vapply(size, plural, "", "row"), given,
                   model_text(x$table, ncol(x$x)))
  more <- length(lines) - 8L
  if (more > 0L) c(lines[1:8], sprintf("  and %d more", more)) else lines
}

compared_text <- function(x) {
  if (x$separate || nrow(x$table) == 1L) return("")
  sprintf("; the best of %d families", nrow(x$table))
}

# True by predicted classes, sums of weights.
confusion <- function(fit, predicted = classify(fit, fit$x, "class")) {
  w <- if (is.null(fit$weights)) rep(1, length(fit$class)) else fit$weights
  counts <- tapply(w, list(class = fit$class, predicted = predicted), sum, default = 0)
  as.table(counts)
}

error_rate <- function(counts) (sum(counts) - sum(diag(counts))) / sum(counts)

# "2.0 % (3 of 150)"
error_text <- function(counts) {
  total <- sum(counts)
  sprintf("%s %% (%s of %s)", fixed_text(100 * error_rate(counts), 1L),
          count_text(total - sum(diag(counts))), count_text(total))
}

#' @rdname gmm_da
#' @param object The result of `gmm_da()`.
#' @export
summary.gmm_da <- function(object, ...) {
  check_dots_empty(...)
  counts <- confusion(object)
  by_family <- !object$separate
  structure(class = "summary.gmm_da", list(
    text = format(object), confusion = counts, error = error_rate(counts),
    classes = data.frame(
      rows = tabulate(object$class, length(object$classes)), prior = object$priors,
      components = vapply(object$models, `[[`, 0L, "k"),
      covariance = vapply(object$models, `[[`, "", "covariance"),
      error = 1 - diag(counts) / rowSums(counts), row.names = object$classes
    ),
    table = if (by_family) object$table[order(object$table$BIC), ] else object$table
  ))
}

#' @export
print.summary.gmm_da <- function(x, digits = 4, ...) {
  digits <- check_whole(digits, max = 15)
  cat(x$text, sep = "\n")
  cat("\nClasses\n")
  print(x$classes, digits = digits)
  cat("\nRows learnt from, true by predicted class\n")
  print(x$confusion, digits = digits)
  if (!is.null(x$table$status) && nrow(x$table) > 1L) {
    cat("\nFamilies, the best first (lower is better)\n")
    shown <- utils::head(x$table[x$table$status == "ok", ], 5L)
    print(shown[c("covariance", "name", "df", "loglik", "BIC")], digits = digits + 3L,
          row.names = FALSE)
    failed <- sum(x$table$status != "ok")
    if (failed) cat(sprintf("not fitted: %s\n", plural(failed, "family", "families")))
  }
  invisible(x)
}

# ---- picture ---------------------------------------------------------------------------

#' Plot a classifier
#'
#' The rows learnt from, each with the colour and symbol of its class, and the classes' densities:
#' means and ellipses of the components. Of two variables the boundaries between the classes, where
#' the two most probable ones are equally so, are dashed, and rows that the rule puts into another
#' class have a ring. Of one variable: a histogram and the curve of each component. Of more: a
#' matrix of panels.
#'
#' Of fewer variables than there are, densities and boundaries are those of these variables alone,
#' while rings are by all of them.
#' @param x The result of [gmm_da()].
#' @param dims,...,ellipses,max_rows,legend,main,sub As for [plot.gaussmix()].
#' @param boundaries `TRUE` or `FALSE`: draw the boundaries? By default where two variables are all
#'   that there are.
#' @param col,pch Colours and symbols of the classes, recycled.
#' @return `x`, invisibly.
#' @section Errors: As for [plot.gaussmix()].
#' @seealso [gmm_da()]
#' @examples
#' fit <- gmm_da(Species ~ Petal.Length + Petal.Width, data = iris)
#' plot(fit)
#' plot(gmm_da(Species ~ Sepal.Length + Sepal.Width, data = iris, k = 1:2))
#' @export
plot.gmm_da <- function(x, dims = NULL, ..., ellipses = 0.95, boundaries = NULL, max_rows = 10000,
                        legend = TRUE, col = NULL, pch = NULL, main = NULL, sub = NULL) {
  check_da(x)
  check_graphical(...names())
  mixture <- whole_mixture(x)
  dims <- plot_dims(mixture, dims)
  if (is.null(boundaries)) boundaries <- ncol(x$x) == 2L
  boundaries <- check_flag(boundaries) && length(dims) == 2L
  member <- class_of_components(x)
  view <- plot_view(mixture, "classification", ellipses, NULL, FALSE, max_rows, legend, col, pch,
                    dims)
  view$style <- lapply(component_style(length(x$classes), col, pch), `[`, member)
  view$groups <- x$classes[member]
  rows <- plot_rows(mixture, max_rows, x$x, x$weights, dims)
  own <- as.integer(x$class[rows$at])
  wrong <- rows$shown[as.integer(classify(x, rows$shown, "class")) != own, , drop = FALSE]
  rows$class <- factor(match(own, member), seq_along(member)) # has its class's style
  view$rows <- rows
  if (boundaries) view$lines <- function(dims) {
    usr <- par("usr")
    draw_boundaries(class_boundaries(x, dims, usr[1:2], usr[3:4]))
  }
  view$marks <- function(dims) if (length(dims) == 2L) draw_rings(wrong[, dims, drop = FALSE])
  if (is.null(main)) main <- sub("^Discriminant analysis: ", "", format(x)[1L])
  if (is.null(sub)) {
    parts <- c(plot_note(mixture, dims, view),
               if (boundaries) "dashed: classes equally probable",
               if (nrow(wrong) && length(dims) > 1L) "rings: put into another class")
    sub <- paste(parts[nzchar(parts)], collapse = "; ")
  }
  draw_mixture(mixture, dims, view, main, sub, ...)
  invisible(x)
}

# Where the two most probable classes are equally so given two variables: a data frame, a row a
# point, with the variables and `line` (points of one line follow one another). Between a class and
# those after it, where none before it is more probable.
class_boundaries <- function(fit, dims, xlim, ylim) {
  ticks <- lapply(list(xlim, ylim), function(limits) seq(limits[1L], limits[2L], length.out = 301L))
  points <- as.matrix(expand.grid(ticks))
  colnames(points) <- colnames(fit$x)[dims]
  marginal <- fit
  marginal$models <- lapply(fit$models, gmm_marginal, variables = dims)
  scores <- class_scores(marginal, points)
  k <- ncol(scores)
  lines <- list()
  for (j in seq_len(k - 1L)) {
    ahead <- scores[, j] - row_max(scores[, (j + 1L):k, drop = FALSE])
    if (j > 1L) {
      before <- row_max(scores[, seq_len(j - 1L), drop = FALSE])
      ahead[before > row_max(scores[, j:k, drop = FALSE])] <- NA
    }
    if (all(is.na(ahead))) next
    lines <- c(lines, contourLines(ticks[[1L]], ticks[[2L]], matrix(ahead, 301L), levels = 0))
  }
  out <- data.frame(unlist(lapply(lines, `[[`, "x")), unlist(lapply(lines, `[[`, "y")),
                    rep(seq_along(lines), lengths(lapply(lines, `[[`, "x"))))
  stats::setNames(out, c(colnames(points), "line"))
}
