# Parameter sets. In all of R they are a list of
#   proportions  k; k + 1 with noise
#   means        k x d, with the names of components and variables
#   covariances  d x d x k, with the same names; equal slices where one covariance is common
#   covariance   code of the family
#   noise        where there is noise, see noise.R
# A gmm object holds these fields among others; gmm_params() builds one that holds little else.

# Format of the objects. A later one comes with code that brings older objects up to it.
object_version <- 1L

#' Mixtures from given parameters
#'
#' Builds a mixture from parameters, without data. It can be used wherever a fit is asked for its
#' distribution: [predict()][predict.gaussmix], [dgmm()], [pgmm()], [qgmm()], [rgmm()]; and
#' as a start of [gmm()] (`init =` of [gmm_control()]). What needs data (`logLik()`, `vcov()`, ...)
#' is refused by an error of class `gaussmix_error_data`.
#'
#' @param proportions k mixing proportions, 0 or more, with the sum 1 (to 1e-8; they are then
#'   divided by their sum). A component of proportion 0 contributes nothing.
#' @param means The means: a matrix of k rows (components) and d columns (variables). Or a vector:
#'   of k means in one dimension; of d means where k is 1.
#' @param covariances The covariances, symmetric (to 1e-8 relative) and positive definite, as one of
#'   * an array of d x d x k;
#'   * a list of k matrices of d x d;
#'   * one matrix of d x d, common to all components (not with `covariance = "diag"`);
#'   * in one dimension, or with `covariance = "spherical"`, a vector of k **variances** (squares of
#'     standard deviations);
#'   * with `covariance = "diag"`, a matrix of k rows and d columns, of variances.
#' @param ... Must be empty: arguments after it go by name.
#' @param covariance The family that the covariances belong to, a name or code of [gmm_families()].
#'   `NULL` is `"full"`. A stated family is checked against the matrices, to 1e-8 relative.
#' @param noise `NULL`; or a noise component, whose proportion is then the last of k + 1: the limits
#'   of its box or a volume, as for [gmm()].
#'
#' @details
#' The components have the row names of `means`, else the names of `proportions`, else `"1"` to
#' `"k"`, and keep the order given. The variables have the column names of `means` (for a vector of
#' d means its names), else those of the covariances, else `V1` to `Vd`.
#'
#' @return An object of class `c("gaussmix", "gmm")`, a list of
#'   * `proportions`, k, named by component;
#'   * `means`, k x d;
#'   * `covariances`, d x d x k;
#'   * `covariance`, the code of the family;
#'   * `k`; `df`, the number of free parameters; `call`.
#'
#' @section Errors: `gaussmix_error_argument`, which names the argument; `gaussmix_error_names`
#'   where names are given twice, or those of `covariances` are not those of `means`.
#'
#' @examples
#' # one dimension: standard deviations 1 and 0.5
#' gmm_params(c(0.3, 0.7), means = c(-1, 2), covariances = c(1, 0.25))
#'
#' # two dimensions, the covariance common to both components
#' m <- gmm_params(
#'   proportions = c(near = 0.4, far = 0.6),
#'   means = rbind(c(x = 0, y = 0), c(3, 1)),
#'   covariances = matrix(c(1, 0.5, 0.5, 2), 2),
#'   covariance = "tied"
#' )
#' predict(m, data.frame(x = c(0, 4), y = c(0, 1)), type = "prob")
#' @export
gmm_params <- function(proportions, means, covariances, ..., covariance = NULL, noise = NULL) {
  check_dots_empty(...)
  lacking <- c(proportions = missing(proportions), means = missing(means),
               covariances = missing(covariances))
  if (any(lacking)) {
    gmm_abort("argument", sprintf("`%s` must be given.", names(lacking)[lacking][1L]))
  }
  read_params(proportions, means, covariances, if (is.null(covariance)) "full" else covariance,
              list(class = "argument", prefix = ""), match.call(), noise)
}

# From what was given to a mixture without data.
read_params <- function(proportions, means, covariances, covariance, about, call, noise = NULL) {
  proportions <- read_proportions(proportions, about)
  k <- length(proportions) - !is.null(noise)
  means <- read_means(means, k, about)
  d <- ncol(means)
  code <- resolve_covariance(covariance, d)
  variables <- variable_names(means, covariances)
  params <- list(proportions = proportions, means = means,
                 covariances = read_covariances(covariances, k, d, code, about), covariance = code)
  check_parameters(params, about)
  named <- fill_names(variables, d)
  if (!is.null(noise)) params$noise <- read_noise(noise, named, any_names(variables))
  params <- name_parameters(tidy_parameters(params),
                            component_names(means, proportions[seq_len(k)]), named)
  new_params(params, any_names(variables), call)
}

# A mixture without data, of parameters that are checked and have names. `named`: those of the
# variables are the user's.
new_params <- function(params, named, call) {
  k <- nrow(params$means)
  d <- ncol(params$means)
  blueprint <- list(kind = "matrix", names = colnames(params$means), named = named)
  new_gmm(c(params, list(k = k, df = model_df(params$covariance, d, k, params),
                         blueprint = blueprint, call = call)))
}

# The same mixture as one of equal proportions, which are then no free parameters.
hold_proportions <- function(params) {
  gaussians <- seq_len(params$k)
  params$proportions[gaussians] <- sum(params$proportions[gaussians]) / params$k
  params$equal <- TRUE
  params$df <- model_df(params$covariance, ncol(params$means), params$k, params)
  params
}

parameter_fields <- c("proportions", "means", "covariances")

# What a gmm object is as a start: its parameters, without the data that it may hold. Names of
# variables that were made up say nothing.
bare_parameters <- function(object, arg) {
  validate_gmm(object, arg)
  if (!object$blueprint$named) colnames(object$means) <- NULL
  unclass(object)[c(parameter_fields, intersect("noise", names(object)))]
}

# The parameters of a start, given as a list of proportions, means and covariances, for k components
# in d variables of family `code`; with noise they may have its proportion. `names`: those of the
# data's columns, where they have some.
check_start_params <- function(params, k, d, code, names = NULL, arg = "init", noise = FALSE) {
  about <- list(class = "start", prefix = paste0(arg, "$"))
  if (!is.list(params) || !all(parameter_fields %in% names(params))) {
    gmm_abort("start", must_be(arg, paste("a list of", some(backtick(parameter_fields))), params))
  }
  proportions <- read_proportions(params$proportions, about)
  given <- length(proportions)
  if (noise && given == k + 1L) given <- k
  if (!is.null(params$noise) && !noise) {
    gmm_abort("start", sprintf("`%s` has a noise component, and the fit has none.", arg),
              "Fit with `noise`, or give its parameters without.")
  }
  means <- read_means(params$means, given, about)
  if (given != k) {
    gmm_abort("start", sprintf("`%s` must have %s, as `k` says, not %d.", arg,
                               plural(k, "component"), given))
  }
  if (ncol(means) != d) {
    gmm_abort("start", sprintf("`%s` must have %s, as the data, not %d.", arg,
                               plural(d, "variable"), ncol(means)))
  }
  covariances <- read_covariances(params$covariances, k, d, code, about)
  if (!is.null(names) && any_names(colnames(means))) {
    order <- match(names, colnames(means))
    if (anyNA(order)) {
      gmm_abort("start", sprintf("`%s` must have the variables of the data; it lacks %s.", arg,
                                 some(backtick(names[is.na(order)]))))
    }
    means <- means[, order, drop = FALSE]
    covariances <- covariances[order, order, , drop = FALSE]
  }
  start <- list(proportions = proportions, means = means, covariances = covariances,
                covariance = code)
  check_parameters(start, about)
  if (any(proportions[seq_len(k)] == 0)) { # EM would never give it a row
    refuse(about, "proportions", "above 0", sprintf("0 for component %d",
                                                    which(proportions == 0)[1L]))
  }
  name_parameters(tidy_parameters(start),
                  component_names(means, params$proportions[seq_len(k)], "start"),
                  fill_names(if (is.null(names)) colnames(means) else names, d))
}

# What the engine reads of a gmm object.
as_parameters <- function(object) {
  unclass(object)[c(parameter_fields, "covariance", intersect("noise", names(object)))]
}

# Covariance of component j, a matrix also where d = 1.
component_covariance <- function(params, j) {
  d <- ncol(params$means)
  matrix(params$covariances[, , j], d, d)
}

# ---- from what was given to plain arrays -----------------------------------------------
#
# `about` says how to refuse: class of the error, and what goes before a field's name in its text.

refuse <- function(about, field, expected, found) {
  name <- paste0(about$prefix, field)
  gmm_abort(about$class, sprintf("`%s` must be %s, not %s.", name, expected, found))
}

read_proportions <- function(proportions, about) {
  if (!is_plain_numeric(proportions) || length(proportions) == 0L) {
    refuse(about, "proportions", "a numeric vector of k proportions", describe(proportions))
  }
  names <- if (length(dim(proportions)) < 2L) names(proportions)
  stats::setNames(as.double(proportions), names)
}

# -> k x d
read_means <- function(means, k, about) {
  expected <- sprintf("a numeric matrix of %s (one a component)%s", plural(k, "row"),
                      if (k == 1L) ", or a vector of d means"
                      else sprintf(", or a vector of %d means", k))
  if (!is_plain_numeric(means) || length(dim(means)) > 2L || length(means) == 0L) {
    refuse(about, "means", expected, describe(means))
  }
  if (length(dim(means)) < 2L) {
    bind <- if (k == 1L) rbind else cbind
    means <- bind(c(means), deparse.level = 0L)
  }
  if (nrow(means) != k) refuse(about, "means", expected, describe(means))
  matrix(as.double(means), k, dimnames = dimnames(means))
}

# -> d x d x k
read_covariances <- function(covariances, k, d, code, about) {
  shape <- families[[code]]$shape
  given <- covariances
  if (is.list(given) && !is.object(given) && length(given) == k) {
    fits <- vapply(given, function(m) is_plain_numeric(m) && all(dim_or_length(m) == d), NA)
    if (all(fits)) given <- array(as.double(unlist(given)), c(d, d, k))
  }
  if (is_plain_numeric(given)) {
    values <- as.double(given)
    size <- dim_or_length(given)
    if (identical(size, c(d, d, k))) return(array(values, c(d, d, k)))
    if (shape == "diag" && identical(size, c(k, d))) {
      return(diagonal_covariances(matrix(values, k), d))
    }
    if (shape != "diag" && identical(size, c(d, d))) return(array(values, c(d, d, k)))
    if ((shape == "spherical" || d == 1L) && identical(size, k)) {
      return(diagonal_covariances(matrix(values, k, d), d))
    }
  }
  expected <- c(
    sprintf("an array of %d x %d x %d", d, d, k),
    sprintf("a list of %s of %d x %d", plural(k, "matrix", "matrices"), d, d),
    if (shape == "diag") sprintf("a matrix of %d x %d variances", k, d)
    else sprintf("one matrix of %d x %d", d, d),
    if (shape == "spherical" || d == 1L) sprintf("a vector of %s", plural(k, "variance"))
  )
  last <- length(expected)
  refuse(about, "covariances", paste(paste(expected[-last], collapse = ", "), "or", expected[last]),
         describe(covariances))
}

dim_or_length <- function(x) if (is.null(dim(x))) length(x) else dim(x)

# k x d variances -> d x d x k
diagonal_covariances <- function(variances, d) {
  array(apply(variances, 1L, function(v) diag(v, d)), c(d, d, nrow(variances)))
}

# Names of the variables, of the means or else of the covariances; NULL where neither has some.
variable_names <- function(means, covariances) {
  names <- colnames(means)
  first <- if (is.list(covariances)) covariances[[1L]] else covariances
  of_covariances <- if (length(dim(first)) > 1L) dimnames(first)[[2L]]
  if (any_names(names) && any_names(of_covariances) && !identical(of_covariances, names)) {
    gmm_abort("names", sprintf("`covariances` must have the variables of `means` (%s), not %s.",
                               some(backtick(names)), some(backtick(of_covariances))))
  }
  if (!any_names(names)) names <- of_covariances
  if (anyDuplicated(names)) {
    gmm_abort("names", sprintf("`means` must have distinct column names, not %s twice.",
                               some(backtick(unique(names[duplicated(names)])))))
  }
  names
}

component_names <- function(means, proportions, class = "names") {
  names <- if (is.null(rownames(means))) names(proportions) else rownames(means)
  if (!any_names(names)) return(as.character(seq_len(nrow(means))))
  checked_names(names, class)
}

# Names of components, or NULL where there are none.
checked_names <- function(names, class) {
  if (!any_names(names)) return(NULL)
  if (anyNA(names) || any(names == "") || anyDuplicated(names)) {
    gmm_abort(class, sprintf("The names of the components must be distinct and not empty, not %s.",
                             some(dQuote(names, FALSE))))
  }
  names
}

name_parameters <- function(params, components, variables) {
  names(params$proportions) <- c(components, if (!is.null(params$noise)) "noise")
  dimnames(params$means) <- list(components, variables)
  dimnames(params$covariances) <- list(variables, variables, components)
  params
}

# What was right to 1e-8 becomes exactly right.
tidy_parameters <- function(params) {
  total <- sum(params$proportions)
  rounding <- length(params$proportions) * .Machine$double.eps # a fit goes on from its very bits
  if (abs(total - 1) > rounding) params$proportions <- params$proportions / total
  half <- params$covariances / 2 # a sum of the whole could overflow
  covariances <- half + aperm(half, c(2L, 1L, 3L))
  d <- dim(covariances)[1L]
  k <- dim(covariances)[3L]
  family <- families[[params$covariance]]
  if (family$shape != "full") {
    variances <- matrix(apply(covariances, 3L, diag), d)
    if (family$shape == "spherical" && any(variances != variances[1L, ][col(variances)])) {
      variances <- matrix(colMeans(variances), d, k, byrow = TRUE)
    }
    covariances <- diagonal_covariances(t(variances), d)
  }
  if (family$shared) covariances <- array(covariances[, , 1L], c(d, d, k))
  params$covariances <- covariances
  params
}

# ---- values ----------------------------------------------------------------------------

# Values of arrays whose dimensions are known to agree.
check_parameters <- function(params, about) {
  p <- params$proportions
  wrong <- which(!is.finite(p) | p < 0)
  if (length(wrong) > 0L) {
    refuse(about, "proportions", "finite and at least 0", number_text(p[[wrong[1L]]]))
  }
  if (abs(sum(p) - 1) > 1e-8) {
    refuse(about, "proportions", "numbers with the sum 1",
           paste("with the sum", number_text(sum(p))))
  }
  m <- params$means
  wrong <- which(!is.finite(m))
  if (length(wrong) > 0L) refuse(about, "means", "finite", number_text(m[[wrong[1L]]]))
  check_covariances(params, about)
}

# Symmetric, positive definite, and of their family, to 1e-8 relative.
check_covariances <- function(params, about) {
  d <- ncol(params$means)
  wrong <- which(!is.finite(params$covariances))
  if (length(wrong) > 0L) {
    refuse(about, "covariances", "finite", number_text(params$covariances[[wrong[1L]]]))
  }
  family <- families[[params$covariance]]
  of_component <- function(j) sprintf("that of component %d", j)
  first <- component_covariance(params, 1L)
  for (j in seq_len(nrow(params$means))) {
    s <- component_covariance(params, j)
    if (j > 1L && identical(s, first)) next
    variances <- diag(s)
    if (any(variances < .Machine$double.xmin)) {
      refuse(about, "covariances", "positive definite",
             sprintf("with a variance of %s in component %d", number_text(min(variances)), j))
    }
    differ <- function(a, b) {
      !identical(a, b) && any(abs(a - b) > 1e-8 * tcrossprod(sqrt(variances)))
    }
    if (differ(s, t(s))) refuse(about, "covariances", "symmetric", of_component(j))
    if (is.null(try_chol(s))) {
      refuse(about, "covariances", "positive definite", of_component(j))
    }
    diagonal <- diag(if (family$shape == "spherical") rep(mean(variances), d) else variances, d)
    if (family$shape != "full" && differ(s, diagonal)) {
      expected <- if (family$shape == "diag") "diagonal" else "multiples of the identity matrix"
      refuse(about, "covariances", paste(expected, "for", family_label(params$covariance, d)),
             of_component(j))
    }
    shared <- if (j > 1L) unshared_part(first, s, params$covariance, differ)
    if (!is.null(shared)) {
      refuse(about, "covariances", paste(shared, "for", family_label(params$covariance, d)),
             sprintf("different in components 1 and %d", j))
    }
  }
}

# What the family says is common to all components, and the covariances a and b don't share, in
# words; NULL where they share it all. differ(): by more than rounding, for matrices of b's size.
unshared_part <- function(a, b, code, differ) {
  letters <- family_letters(code)
  if (families[[code]]$shared) return(if (differ(a, b)) "equal")
  if (!"E" %in% letters) return(NULL)
  size <- function(s) exp(2 * mean(log(diag(chol(s)))))
  if (letters[["size"]] == "E" && abs(size(a) / size(b) - 1) > 1e-7) return("of one size")
  a <- a * (size(b) / size(a)) # sizes no longer matter
  if (letters[["shape"]] == "E") {
    turned <- if (letters[["orientation"]] == "V") {
      values <- function(s) diag(eigen(s, symmetric = TRUE, only.values = TRUE)$values, nrow(s))
      max(abs(values(a) - values(b))) > 1e-7 * max(b)
    } else {
      differ(a, b)
    }
    if (turned) {
      return(paste0("of one shape", if (letters[["orientation"]] == "E") " and orientation"))
    }
  } else if (letters[["orientation"]] == "E") {
    commutator <- a %*% b - b %*% a
    if (max(abs(commutator)) > 1e-7 * max(abs(a)) * max(abs(b))) return("of one orientation")
  }
  NULL
}

# ---- gmm objects -----------------------------------------------------------------------

# What a gmm object must be before any of it is used: objects come from files, from other versions
# and from users' hands. Fields are taken without dispatch.
validate_gmm <- function(object, arg = "fit") {
  if (missing(object)) {
    gmm_abort("argument", sprintf("`%s` must be given: a mixture by gmm() or gmm_params().", arg))
  }
  if (typeof(object) != "list" || !inherits(object, "gaussmix")) {
    gmm_abort("argument", must_be(arg, "an object of class gmm, by gmm() or gmm_params()", object),
              if (inherits(object, "gmm_select")) sprintf("Give gmm_best(%s), its best fit.", arg))
  }
  about <- list(class = "object", prefix = paste0(arg, "$"))
  if (!identical(utils::tail(class(object), 2L), c("gaussmix", "gmm"))) {
    gmm_abort("object", sprintf("`class(%s)` must end in \"gaussmix\", \"gmm\", not be %s.", arg,
                                some(dQuote(class(object), FALSE))))
  }
  object <- unclass(object)
  need <- function(field, ok, expected) {
    value <- object[[field]]
    if (is.object(value) || !isTRUE(ok(value))) refuse(about, field, expected, describe(value))
    value
  }
  array_of <- function(dims) function(v) typeof(v) == "double" && identical(dim_or_length(v), dims)

  version <- need("version", is_count, "a whole number")
  if (version > object_version) {
    gmm_abort("version", sprintf(
      "`%s` was written by a newer version of gaussmix (format %d; this one reads up to %d).", arg,
      as.integer(version), object_version
    ), "Update gaussmix.")
  }
  code <- need("covariance", function(v) is_string(v) && v %in% names(families),
               "the code of a family of covariances")
  k <- as.integer(need("k", is_count, "a whole number of at least 1"))
  gaussians <- seq_len(k)
  count <- k + !is.null(object$noise)
  need("proportions", array_of(count), sprintf("a double vector of length %d", count))
  blueprint <- need("blueprint", function(v) {
    is.list(v) && is.character(v$names) && length(v$names) > 0L && is_true_or_false(v$named) &&
      is_string(v$kind) && v$kind %in% c("vector", "matrix", "data.frame", "formula") &&
      (v$kind != "formula" || inherits(v$terms, "terms") && is.character(v$variables)) &&
      all(v$response %in% v$names) && (is.null(v$frame) || is_string(v$frame))
  }, "a list with names, kind and origin of the variables")
  names <- blueprint$names
  d <- length(names)
  need("means", array_of(c(k, d)), sprintf("a double matrix of %d x %d", k, d))
  need("covariances", array_of(c(d, d, k)), sprintf("a double array of %d x %d x %d", d, d, k))
  components <- rownames(object$means)
  if (length(components) != k || anyNA(components) || anyDuplicated(components) ||
        !identical(colnames(object$means), names)) {
    refuse(about, "means", "named by component and variable", "otherwise")
  }
  if (!is.call(object$call)) refuse(about, "call", "a call", describe(object$call))
  check_parameters(object, about)
  need("equal", function(v) is.null(v) || isTRUE(v), "TRUE or not there")
  if (isTRUE(object$equal) && diff(range(object$proportions[gaussians])) > 0) {
    refuse(about, "proportions", "equal, as `equal` says",
           paste("from", paste(number_text(range(object$proportions[gaussians])),
                               collapse = " to ")))
  }
  need("fixed", function(v) is.null(v) || is.list(v) && is_finite_number(v$count),
       "a list of what is fixed, and its `count`")
  need("noise", function(v) {
    is.null(v) || is.list(v) && is_finite_number(v$log_volume) &&
      (is.null(v$limits) || is.matrix(v$limits) && typeof(v$limits) == "double" &&
         identical(dim(v$limits), c(2L, d)) && isTRUE(all(v$limits[2L, ] > v$limits[1L, ])))
  }, "a list of the noise's log_volume and limits")
  if (is_variational(object)) {
    validate_posterior(object, about)
  } else {
    df <- model_df(code, d, k, object)
    need("df", function(v) is_number(v) && !is.na(v) && v == df, number_text(df))
  }
  held <- intersect(c(fit_fields, "x", "logdensity", "home"), names(object))
  if (length(held)) {
    if (is.null(object$home$frozen)) need("loglik", is_finite_number, "a finite number")
    need("nobs", function(v) is_finite_number(v) && v > 0, "a number above 0")
  }
  if (!all(held %in% c("loglik", "nobs"))) validate_fit(object, about, need, array_of)
  need("source", function(v) is.null(v) || is_string(v), "a string")
  invisible()
}

# What gmm_vb() adds.
validate_posterior <- function(object, about) {
  k <- as.integer(object$k)
  d <- ncol(object$means)
  shared <- families[[object$covariance]]$shared
  stick <- identical(object$posterior[["weights_prior"]], "stick")
  sizes <- list(size = k, concentration = if (stick) c(k, 2L) else k, kappa = k,
                df = if (shared) 1L else k, scale = if (shared) c(d, d) else c(d, d, k),
                log_weight = k)
  for (field in names(sizes)) {
    v <- if (is.list(object$posterior)) object$posterior[[field]]
    if (!is.double(v) || !identical(dim_or_length(v), sizes[[field]]) || !all(is.finite(v))) {
      refuse(about, paste0("posterior$", field), paste("finite numbers,",
                                                       paste(sizes[[field]], collapse = " x ")),
             describe(v))
    }
  }
  if (!inherits(object$prior, "gmm_prior")) {
    refuse(about, "prior", "a prior by gmm_prior()", describe(object$prior))
  }
  if (!is_finite_number(object$bound)) {
    refuse(about, "bound", "a finite number", describe(object$bound))
  }
}

# What a fit holds beside its parameters. The values of rows and weights, of which there may be
# many, are left to check_held().
validate_fit <- function(object, about, need, array_of) {
  d <- ncol(object$means)
  need("objective", is_finite_number, "a finite number")
  need("converged", is_true_or_false, "TRUE or FALSE")
  for (field in c("iterations", "passes", "reached")) {
    need(field, function(v) is_count(v, min = 0), "a whole number of at least 0")
  }
  steps <- as.integer(object$iterations) + 1L
  need("trace", array_of(steps), sprintf("a double vector of length %d", steps))
  need("scale", array_of(d), sprintf("a double vector of length %d", d))
  if (!is.null(object$home)) {
    need("home", function(v) {
      is.list(v) && is_string(v$what) && is_finite_number(v$rows) && v$rows > 0 &&
        (is.null(v$effective) || is_finite_number(v$effective))
    }, "a list of what holds the rows and how many they are")
  } else if (is.null(object$x)) {
    need("logdensity", function(v) typeof(v) == "double" && is.null(dim(v)) && length(v) > 0L,
         "a double vector of the rows' log-densities")
  } else {
    need("x", function(v) {
      typeof(v) == "double" && is.matrix(v) && nrow(v) > 0L &&
        identical(colnames(v), object$blueprint$names)
    }, "a double matrix with the columns of the fit")
  }
  n <- fit_rows(object)
  if (!is.null(object$weights)) {
    need("weights", function(v) typeof(v) == "double" && length(v) == n,
         sprintf("a double vector of length %d", n))
  }
  # fields of other classes
  check <- function(field, ok, expected) {
    if (!isTRUE(ok(object[[field]]))) refuse(about, field, expected, describe(object[[field]]))
  }
  check("na.action", function(v) {
    is.null(v) || is.integer(v) && inherits(v, c("omit", "exclude")) && length(v) > 0L &&
      !anyNA(v) && min(v) >= 1L && max(v) <= n + length(v) && !anyDuplicated(v)
  }, "the numbers of the rows left out, as by na.omit()")
  check("terms", function(v) is.null(v) || inherits(v, "terms"), "the terms of a formula")
  check("control", function(v) {
    is.list(v) && inherits(v, "gmm_control") && (is.null(v$threads) || is_count(v$threads))
  }, "a list by gmm_control()")
  check("labels", function(v) {
    is.null(v) || is.factor(v) && length(v) %in% c(n, 0) && nlevels(v) <= object$k &&
      identical(levels(v), rownames(object$means)[seq_len(nlevels(v))])
  }, "a factor, a value a row, with the names of the first components")
  check("prior", function(v) {
    is.null(v) || inherits(v, "gmm_prior") && length(v$mean) == d && is_number(v$df)
  }, "a prior by gmm_prior()")
  table <- function(field, columns, rows = nrow(object[[field]]), least = 1L) {
    check(field, function(v) {
      is.data.frame(v) && all(names(columns) %in% names(v)) && nrow(v) == max(rows, least)
    }, paste("a data frame with the columns", some(names(columns), Inf)))
    for (column in names(columns)) {
      value <- object[[field]][[column]]
      kind <- columns[[column]]
      gaps <- !is.double(value) && column != "converged" && anyNA(value)
      if (is.object(value) || typeof(value) != kind || gaps ||
            kind == "integer" && any(value < 0L)) {
        refuse(about, paste0(field, "$", column), paste("of type", kind, "and as gmm() makes it"),
               if (gaps) "with NA" else describe(value))
      }
    }
  }
  check("parts", function(v) is.null(v) || is_count(v, min = 2), "a whole number of at least 2")
  check("stats", function(v) is.null(v) || is_stats(v, object$k, d), "statistics as by gmm()")
  table("starts", start_columns)
  table("verdict", verdict_columns, object$k)
  names <- rownames(object$means)
  verdict <- object$verdict
  if (!identical(verdict$component, names) || !all(verdict$same_as %in% c("", names))) {
    refuse(about, "verdict", "with the components in their order", "otherwise")
  }
  if (any(verdict$size < 0, na.rm = TRUE) || any(verdict$on_floor > d)) {
    refuse(about, "verdict", "with sizes of at least 0, and at most d eigenvalues on the floor",
           "otherwise")
  }
  check("reached", function(v) v <= nrow(object$starts), "at most the number of starts")
  check("missing", function(v) {
    is.null(v) || is_plain_numeric(v) && identical(names(v), c("rows", "patterns", "empty")) &&
      all(v >= c(1L, 1L, 0L)) && v[["rows"]] <= n && v[["empty"]] < n
  }, "counts of rows, patterns and empty rows")
  known <- n - (if (is.null(object$missing)) 0L else object$missing[["empty"]])
  if (!is.null(object$trim)) {
    need("trim", function(v) is_number(v) && v > 0 && v <= 0.5, "a number above 0 and at most 0.5")
    table("trimmed", c(row = "integer", kept = "double"), least = 0L) # of a tiny share: none
    check("trimmed", function(v) {
      all(v$row >= 1L, v$row <= n, v$kept >= 0, is.finite(v$kept)) && !is.unsorted(v$row, TRUE)
    }, "the rows left out, in their order, with weights of at least 0")
  } else if (!is_weighted(object)) {
    check("nobs", function(v) v == known, number_text(known))
  }
}

fit_fields <- c("loglik", "objective", "nobs", "converged", "iterations", "passes", "trace",
                "starts", "reached", "verdict", "control", "scale")
# Columns and their types.
start_columns <- c(kind = "character", objective = "double", loglik = "double",
                   iterations = "integer", converged = "logical", spurious = "integer",
                   reason = "character")
verdict_columns <- c(component = "character", size = "double", eigenvalue = "double",
                     on_floor = "integer", spurious = "logical", same_as = "character")

is_count <- function(x, min = 1) {
  is_number(x) && isTRUE(x == trunc(x)) && x >= min && x <= .Machine$integer.max
}

is_finite_number <- function(x) is_number(x) && is.finite(x)

is_true_or_false <- function(x) is.logical(x) && length(x) == 1L && !is.na(x)
