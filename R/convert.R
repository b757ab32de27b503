# From other software and back. A method of as_gmm() reads an object into
#   proportions, means, covariances, covariance   as gmm_params() takes them
#   source                                        the package or function it comes from
# and, where there are such, equal (TRUE: proportions equal by the model), x and weights (the rows),
# loglik and nobs; convert() makes an object of ours of that. Objects are read by their fields and
# slots: no other package is needed.

#' Mixtures from other software
#'
#' Turns the result of another package into a gmm object, with the same parameters in the same order
#' of components, for all that this package does with mixtures.
#'
#' @param object One of
#'   * `Mclust()` or `densityMclust()` of package mclust, or the list `parameters` of such a result;
#'   * a Gaussian mixture of scikit-learn as a list: `weights_`, `means_`, `covariances_`,
#'     `covariance_type` (`"full"`, `"tied"`, `"diag"` or `"spherical"`) and, if there,
#'     `feature_names_in_`, as vectors and arrays in Python's order (covariances k x d x d) or as
#'     nested lists, as JSON comes in;
#'   * `kmeans()`: proportions are the shares of the rows, `covariance` says which shape the
#'     clusters' covariances have;
#'   * `flexmix()` of package flexmix with the driver `FLXMCmvnorm()`;
#'   * `gpcm()` of package mixture, its best model;
#'   * `mixmodCluster()` of package Rmixmod, its best result, or one of its `results`;
#'   * a list of `proportions`, `means`, `covariances` and maybe `covariance`, see [gmm_params()];
#'   * a gmm object, with `x` for these rows.
#' @param ... Must be empty: arguments after it go by name.
#' @param x The rows: data as for [gmm()], of a data frame the columns of the mixture. By default
#'   those that the object holds (mclust, flexmix and Rmixmod keep them).
#' @param weights Case weights of the rows, as for [gmm()]. By default those that the object holds.
#' @param covariance For `kmeans()`: a family of [gmm_families()]. Other than spherical (or `"EII"`)
#'   it needs `x`. `"EII"` is the family that k-means has in mind.
#'
#' @details
#' With rows the value is a fit like one of [gmm()], but at the parameters given: nothing is
#' iterated. Its log-likelihood is computed here, and belongs to these very parameters, which is not
#' so everywhere: some packages report that of the step before. [BIC()] has R's usual sign, **lower
#' is better**, whatever the sign in the other package (mclust's and mixture's are turned).
#' `update()` is refused; to go on from there, `gmm(x, k, control = gmm_control(init = fit))`.
#'
#' Without rows the value is a mixture as by [gmm_params()]; where the object has a log-likelihood
#' and a number of rows, these are kept, so that [logLik()], [AIC()] and [BIC()] answer.
#'
#' The way back: [as_mclust()] and [as_sklearn()]; to and from a file: [gmm_to_json()].
#'
#' Package authors can add methods; a method may build on [gmm_params()].
#' @return An object of class `c("gaussmix", "gmm")`, see [gmm()] and [gmm_params()]; `source` names
#'   the software.
#' @section Errors: `gaussmix_error_argument` for objects of other kinds, for what is no mixture of
#'   normal distributions (concomitant variables, other distributions), and fields
#'   that are not as they should be. For `x` and `weights` as for [gmm()].
#' @examples
#' clusters <- kmeans(faithful, 2, nstart = 10)
#' as_gmm(clusters, x = faithful, covariance = "tied")
#'
#' # scikit-learn: json.dumps({"weights_": gm.weights_.tolist(), ...}), read by jsonlite
#' as_gmm(list(
#'   weights_ = c(0.36, 0.64), means_ = rbind(c(2.0, 54.5), c(4.3, 80.0)),
#'   covariances_ = rbind(c(0.07, 33.8), c(0.17, 35.8)), covariance_type = "diag"
#' ))
#' @examplesIf requireNamespace("mclust", quietly = TRUE)
#' library(mclust)
#' other <- Mclust(faithful, G = 3, modelNames = "EEE", verbose = FALSE)
#' fit <- as_gmm(other)
#' fit
#' c(BIC(fit), other$bic)
#' @export
as_gmm <- function(object, ..., x = NULL, weights = NULL) {
  if (missing(object)) gmm_abort("argument", "`object`, the mixture to convert, is lacking.")
  UseMethod("as_gmm")
}

#' @export
as_gmm.default <- function(object, ...) {
  gmm_abort("argument", must_be("object", paste(
    "a mixture of mclust, scikit-learn (a list), kmeans(), flexmix, mixture or Rmixmod"
  ), object), "Or give its proportions, means and covariances to gmm_params().")
}

#' @export
as_gmm.gaussmix <- function(object, ..., x = NULL, weights = NULL) {
  check_dots_empty(...)
  validate_gmm(object, "object")
  if (is.null(x)) return(object)
  model <- c(as_parameters(object), list(source = "another fit", equal = object$equal))
  if (!object$blueprint$named) {
    colnames(model$means) <- NULL
    model$covariances <- unname(model$covariances)
  }
  convert(model, x, weights, match.call())
}

#' @export
as_gmm.list <- function(object, ..., x = NULL, weights = NULL) {
  check_dots_empty(...)
  has <- function(...) all(c(...) %in% names(object))
  model <- if (has("pro", "mean", "variance")) {
    read_mclust(object)
  } else if (has("weights_", "means_", "covariances_")) {
    read_sklearn(object)
  } else if (has(parameter_fields)) {
    list(proportions = object$proportions, means = object$means, covariances = object$covariances,
         covariance = if (has("covariance")) object[["covariance"]] else "full",
         source = "a list")
  } else {
    gmm_abort("argument", must_be("object", paste(
      "a list with pro, mean and variance (mclust), weights_, means_ and covariances_",
      "(scikit-learn), or proportions, means and covariances"
    ), object))
  }
  convert(model, x, weights, match.call())
}

#' @export
as_gmm.Mclust <- function(object, ..., x = NULL, weights = NULL) {
  check_dots_empty(...)
  fields <- unclass(object)
  model <- c(read_mclust(fields$parameters, "object$parameters"),
             list(x = fields$data, loglik = fields$loglik, nobs = fields$n))
  convert(model, x, weights, match.call())
}

#' @rdname as_gmm
#' @export
as_gmm.kmeans <- function(object, ..., x = NULL, weights = NULL, covariance = "spherical") {
  check_dots_empty(...)
  fields <- unclass(object)
  centers <- need_field(fields$centers, is.matrix, "object$centers", "a matrix")
  d <- ncol(centers)
  code <- resolve_covariance(covariance, d)
  model <- list(proportions = fields$size / sum(fields$size), means = centers, covariance = code,
                source = "kmeans()")
  if (is.null(x)) {
    if (!code %in% c("EII", "VII") && d > 1L) {
      gmm_abort("argument", sprintf("`x`, the rows, must be given for %s covariances.",
                                    family_label(code, d)))
    }
    within <- fields$withinss / fields$size
    if (families[[code]]$shared) within[] <- sum(fields$withinss) / sum(fields$size)
    model$covariances <- diagonal_covariances(matrix(within / d, nrow(centers), d), d)
    return(convert(model, x, weights, match.call()))
  }
  data <- as_gmm_data(x, weights = weights)
  if (nrow(data$x) != length(fields$cluster)) {
    gmm_abort("dimension", sprintf("`x` must have the %s that were clustered, not %d.",
                                   plural(length(fields$cluster), "row"), nrow(data$x)))
  }
  labels <- factor(fields$cluster, seq_len(nrow(centers)))
  fit_as_given(data, nrow(centers), code, labels, match.call(), model$source)
}

#' @export
as_gmm.flexmix <- function(object, ..., x = NULL, weights = NULL) {
  check_dots_empty(...)
  gaussian <- length(object@model) == 1L && identical(attr(object@model[[1L]], "dist"), "mvnorm")
  if (!gaussian || !identical(object@concomitant@name, "FLXPconstant") || length(object@group)) {
    gmm_abort("argument", paste("`object` must be a mixture by flexmix() with the one driver",
                                "FLXMCmvnorm(), without groups and concomitant variables."))
  }
  parts <- lapply(object@components, function(component) component[[1L]]@parameters)
  covariances <- lapply(parts, `[[`, "cov")
  y <- object@model[[1L]]@y
  means <- do.call(rbind, unname(lapply(parts, `[[`, "center")))
  colnames(means) <- colnames(y)
  diagonal <- all(vapply(covariances, is_diagonal, NA))
  model <- list(proportions = object@prior, means = means, covariances = unname(covariances),
                covariance = if (diagonal && ncol(means) > 1L) "VVI" else "VVV",
                source = "flexmix", x = y, weights = object@weights, loglik = object@logLik,
                nobs = if (is.null(object@weights)) nrow(y) else sum(object@weights))
  convert(model, x, weights, match.call())
}

#' @export
as_gmm.gpcm <- function(object, ..., x = NULL, weights = NULL) {
  check_dots_empty(...)
  convert(read_gpcm(unclass(object)$best_model), x, weights, match.call())
}

#' @export
as_gmm.gpcm_best <- function(object, ..., x = NULL, weights = NULL) {
  check_dots_empty(...)
  convert(read_gpcm(object), x, weights, match.call())
}

#' @export
as_gmm.MixmodCluster <- function(object, ..., x = NULL, weights = NULL) {
  check_dots_empty(...)
  model <- read_mixmod(object@bestResult)
  rows <- object@data
  w <- object@weight
  model <- c(model, list(x = rows, weights = if (length(w) && any(w != 1)) w))
  colnames(model$means) <- colnames(rows)
  convert(model, x, weights, match.call())
}

#' @export
as_gmm.MixmodResults <- function(object, ..., x = NULL, weights = NULL) {
  check_dots_empty(...)
  convert(read_mixmod(object), x, weights, match.call())
}

# ---- reading ---------------------------------------------------------------------------

need_field <- function(value, ok, name, expected) {
  if (!isTRUE(ok(value))) gmm_abort("argument", must_be(name, expected, value))
  value
}

# mclust's list of pro, mean (d x G) and variance.
read_mclust <- function(parameters, arg = "object") {
  about <- function(field) paste0(arg, "$", field)
  need_field(parameters, is.list, arg, "a list of pro, mean and variance")
  variance <- need_field(parameters$variance, is.list, about("variance"), "a list")
  name <- about("variance$modelName")
  code <- need_field(variance$modelName, is_string, name, "the name of a model")
  mean <- need_field(parameters$mean, is.numeric, about("mean"), "numeric")
  k <- length(parameters$pro) - !is.null(parameters$Vinv)
  d <- if (is.matrix(mean)) nrow(mean) else if (k == 1L) length(mean) else 1L
  simple <- c(X = "EEE", E = "EEE", V = "VVV", XII = "EII", XXI = "EEI", XXX = "EEE")
  if (code %in% names(simple)) code <- simple[[code]]
  if (!code %in% names(families)) {
    gmm_abort("argument", must_be(name, "the name of a model", code))
  }
  field <- if (d == 1L) "sigmasq" else "sigma"
  covariances <- need_field(variance[[field]], is.numeric, about(paste0("variance$", field)),
                            "numeric")
  if (d == 1L) covariances <- array(rep_len(covariances, k), c(1L, 1L, k))
  list(proportions = as.vector(parameters$pro),
       means = matrix(mean, k, d, byrow = TRUE, dimnames = list(NULL, rownames(mean))),
       covariances = unname(covariances), covariance = code, source = "mclust",
       noise = if (!is.null(parameters$Vinv)) 1 / parameters$Vinv)
}

# scikit-learn's attributes; nested lists, as JSON may come in, are arrays too.
read_sklearn <- function(object) {
  array_of <- function(field, dims, what) {
    value <- nested_array(object[[field]])
    if (!identical(as.integer(dim_or_length(value)), as.integer(dims))) {
      gmm_abort("argument", sprintf("`object$%s` must be %s numbers, not %s.", field, what,
                                    describe(object[[field]])))
    }
    value
  }
  types <- c(full = "VVV", tied = "EEE", diag = "VVI", spherical = "VII")
  type <- check_choice(unlist(object$covariance_type), names(types), "object$covariance_type")
  k <- length(object$weights_)
  weights <- array_of("weights_", k, k)
  d <- dim(nested_array(object$means_))[2L]
  means <- array_of("means_", c(k, d), sprintf("%d x d", k))
  shape <- switch(type, full = c(k, d, d), tied = c(d, d), diag = c(k, d), spherical = k)
  covariances <- array_of("covariances_", shape, paste(shape, collapse = " x "))
  covariances <- switch(type, full = aperm(covariances, c(2L, 3L, 1L)), covariances)
  dimnames(means) <- list(NULL, unlist(object$feature_names_in_))
  list(proportions = weights, means = means, covariances = covariances, covariance = types[[type]],
       source = "scikit-learn")
}

# Numbers, or lists of lists of numbers, the outermost index first -> numbers, with dim where they
# came as lists; NULL where they are ragged, not numbers, or deeper than anything here.
nested_array <- function(x, depth = 3L) {
  if (is.numeric(x) && !is.object(x)) return(x)
  if (!is.list(x) || is.object(x) || length(x) == 0L || depth == 0L) return(NULL)
  parts <- lapply(x, nested_array, depth = depth - 1L)
  if (any(vapply(parts, is.null, NA))) return(NULL)
  sizes <- unique(lapply(parts, function(part) {
    if (is.null(dim(part)) && length(part) == 1L) integer() else dim_or_length(part)
  }))
  if (length(sizes) != 1L) return(NULL)
  last <- length(sizes[[1L]]) + 1L
  stacked <- array(unlist(parts, use.names = FALSE), c(sizes[[1L]], length(x)))
  if (last == 1L) stacked else aperm(stacked, c(last, seq_len(last - 1L)))
}

# A model of package mixture.
read_gpcm <- function(best) {
  model <- unclass(best)$model_obj[[1L]]
  need_field(model, is.list, "object", "the result of gpcm() with its best model")
  list(proportions = as.vector(model$pi_gs), means = do.call(rbind, lapply(model$mus, as.vector)),
       covariances = model$sigs, covariance = best$cov_type, source = "mixture",
       loglik = best$loglik, nobs = length(best$map))
}

# Rmixmod's names of the 14 families; `pk` at their beginning: free proportions, `p`: equal ones.
mixmod_models <- c(
  L_I = "EII", Lk_I = "VII", L_B = "EEI", Lk_B = "VEI", L_Bk = "EVI", Lk_Bk = "VVI", L_C = "EEE",
  Lk_C = "VEE", L_D_Ak_D = "EVE", Lk_D_Ak_D = "VVE", L_Dk_A_Dk = "EEV", Lk_Dk_A_Dk = "VEV",
  L_Ck = "EVV", Lk_Ck = "VVV"
)

read_mixmod <- function(result) {
  model <- sub("^Gaussian_pk?_", "", result@model)
  if (!model %in% names(mixmod_models)) {
    gmm_abort("argument", must_be(
      "object", "a Gaussian mixture with one of the 14 families of covariances", result@model
    ))
  }
  parameters <- result@parameters
  list(proportions = parameters@proportions, means = parameters@mean,
       covariances = parameters@variance, covariance = mixmod_models[[model]], source = "Rmixmod",
       loglik = result@likelihood, nobs = nrow(result@proba),
       equal = startsWith(result@model, "Gaussian_p_"))
}

# ---- making ----------------------------------------------------------------------------

convert <- function(model, x, weights, call) {
  call[[1L]] <- quote(as_gmm)
  params <- read_params(model$proportions, model$means, model$covariances, model$covariance,
                        list(class = "argument", prefix = "object$"), call, model$noise)
  if (isTRUE(model$equal)) params <- hold_proportions(params)
  if (is.null(x)) {
    x <- model$x
    if (is.null(weights)) weights <- model$weights
  }
  if (is.null(x)) return(with_record(params, model$loglik, model$nobs, model$source))
  data <- as_gmm_data(rows_of(x, params), weights = weights)
  fit_as_given(data, params$k, params$covariance, params, call, model$source)
}

# x with the columns of the mixture, taken by name where it has names.
rows_of <- function(x, params) {
  matched <- new_data(params, x, arg = "x")$x
  by_name <- params$blueprint$named && any_names(colnames(x))
  if (!by_name) x else if (is.data.frame(x)) as.data.frame(matched, optional = TRUE) else matched
}

# What is known of rows that are not at hand.
with_record <- function(params, loglik, nobs, source) {
  if (!is.null(loglik) && !is.null(nobs)) {
    params$loglik <- as.double(loglik)
    params$nobs <- as.double(nobs)
  }
  params$source <- source
  params
}

# The fit that a start is, without a step of EM. It was not found here, so that the floor is none of
# its concern.
fit_as_given <- function(data, k, code, start, call, source) {
  call[[1L]] <- quote(as_gmm)
  control <- gmm_control(init = start, max_iter = 0, floor = .Machine$double.xmin)
  options <- if (is_parameters(start)) fit_options(start) else list()
  out <- fit_model(data, k, code, control, options = options)
  fit <- build_fit(out, data, k, code, control, call)
  fit$source <- source
  warn_of_fit(fit, 0)
  fit$control <- gmm_control()
  fit
}

# ---- to mclust and scikit-learn --------------------------------------------------------

#' Mixtures in the shapes of mclust and scikit-learn
#'
#' The parameters of a mixture as other software has them: the list `parameters` of mclust, for its
#' functions `dens()`, `estep()`, `sim()`; the attributes of scikit-learn's `GaussianMixture`.
#'
#' @param fit A gmm object.
#' @return `as_mclust()`: a list of
#'   * `pro`, k proportions; with noise one more, and `Vinv`, the reciprocal of its volume;
#'   * `mean`, d x k (d = 1: k numbers);
#'   * `variance`, a list of `modelName`, `d`, `G` and the covariances: `sigma` (d x d x k), and
#'     what that model's functions in mclust read: `Sigma`, `cholSigma`, `cholsigma`, `sigmasq`,
#'     `scale` (determinants to the power 1/d), `shape` (eigenvalues divided by `scale`) and
#'     `orientation` (eigenvectors).
#'
#'   `as_sklearn()`: a list of
#'   * `weights_`, k; `means_`, k x d;
#'   * `covariance_type`: `"full"`, `"tied"`, `"diag"` or `"spherical"`; the narrowest that holds
#'     the family: families that scikit-learn lacks become full, diagonal or spherical;
#'   * `covariances_` and `precisions_cholesky_`: k x d x d, d x d, k x d or k by that type;
#'   * `n_features_in_`, and `feature_names_in_` where the variables have names.
#' @section Errors: `gaussmix_error_argument` where `fit` is not a mixture.
#' @references Scrucca, L., Fop, M., Murphy, T. B. and Raftery, A. E. (2016) mclust 5: clustering,
#'   classification and density estimation using Gaussian finite mixture models. *The R Journal* 8,
#'   289-317.
#'
#'   Pedregosa, F. et al. (2011) Scikit-learn: machine learning in Python. *Journal of Machine
#'   Learning Research* 12, 2825-2830.
#' @seealso [as_gmm()], [gmm_to_json()]
#' @examples
#' fit <- gmm(faithful, k = 2)
#' str(as_mclust(fit))
#' str(as_sklearn(fit))
#' @examplesIf requireNamespace("mclust", quietly = TRUE)
#' library(mclust)
#' log_density <- dens(faithful, modelName = "VVV", parameters = as_mclust(fit), logarithm = TRUE)
#' c(sum(log_density), logLik(fit))
#' @export
as_mclust <- function(fit) {
  validate_gmm(fit)
  d <- ncol(fit$means)
  k <- fit$k
  code <- fit$covariance
  s <- fit$covariances
  variables <- colnames(s)
  dimnames(s) <- if (fit$blueprint$named) list(variables, variables, NULL)
  pro <- unname(fit$proportions)
  extra <- if (!is.null(fit$noise)) list(Vinv = exp(-fit$noise$log_volume))
  if (d == 1L) {
    name <- substr(code, 1L, 1L)
    sigmasq <- if (name == "V") s[1L, 1L, ] else s[[1L]]
    variance <- list(modelName = name, d = 1L, G = k, sigmasq = sigmasq)
    if (name == "V") variance$scale <- sigmasq
    return(c(list(pro = pro, mean = unname(fit$means[, 1L]), variance = variance), extra))
  }
  mean <- t(fit$means)
  dimnames(mean) <- if (fit$blueprint$named) list(variables, NULL)
  c(list(pro = pro, mean = mean,
         variance = c(list(modelName = code, d = d, G = k, sigma = s), mclust_parts(fit))), extra)
}

# What mclust has beside the covariances, d above 1.
mclust_parts <- function(fit) {
  code <- fit$covariance
  d <- ncol(fit$means)
  k <- fit$k
  s <- lapply(seq_len(k), function(j) unname(component_covariance(fit, j)))
  letters <- family_letters(code)
  if (code == "VVV") return(list(cholsigma = array(unlist(lapply(s, chol)), c(d, d, k))))
  if (code == "EEE") return(list(Sigma = s[[1L]], cholSigma = chol(s[[1L]])))
  scale <- vapply(s, function(m) exp(2 * mean(log(diag(chol(m))))), 0)
  if (letters[["size"]] == "E") scale <- scale[1L]
  if (code == "EII") return(list(Sigma = s[[1L]], sigmasq = scale, scale = scale))
  if (code == "VII") return(list(sigmasq = scale, scale = scale))
  axes <- switch(EXPR = letters[["orientation"]],
    I = rep(list(diag(d)), k),
    E = rep(list(common_axes(s)), k),
    V = lapply(s, function(m) eigen(m, symmetric = TRUE)$vectors)
  )
  shape <- vapply(seq_len(k), function(j) {
    values <- colSums(axes[[j]] * (s[[j]] %*% axes[[j]]))
    values / exp(mean(log(values)))
  }, numeric(d))
  if (letters[["shape"]] == "E") shape <- shape[, 1L]
  Filter(Negate(is.null), list(
    Sigma = if (code == "EEI") s[[1L]], scale = scale, shape = shape,
    orientation = switch(EXPR = letters[["orientation"]], E = axes[[1L]],
                         V = array(unlist(axes), c(d, d, k)))
  ))
}

# The eigenvectors that all of some matrices have: those of a sum in which no two axes are likely to
# cancel each other's eigenvalues.
common_axes <- function(s) {
  share <- 1 + (0.6180339887498949 * seq_along(s)) %% 1
  unit <- Map(function(m, w) w * m / sum(diag(m)), s, share)
  eigen(Reduce(`+`, unit), symmetric = TRUE)$vectors
}

#' @rdname as_mclust
#' @export
as_sklearn <- function(fit) {
  validate_gmm(fit)
  refuse_noise(fit, "as_sklearn()", "scikit-learn's mixtures have none")
  d <- ncol(fit$means)
  k <- fit$k
  family <- families[[fit$covariance]]
  type <- if (family$shape == "full" && family$shared) "tied" else family$shape
  s <- unname(fit$covariances)
  stack <- function(f) aperm(array(apply(s, 3L, f), dim(s)), c(3L, 1L, 2L))
  inverse_root <- function(m) backsolve(chol(m), diag(d))
  variances <- matrix(apply(s, 3L, diag), k, d, byrow = TRUE)
  shapes <- switch(type,
    full = list(stack(identity), stack(function(m) inverse_root(matrix(m, d)))),
    tied = list(matrix(s[, , 1L], d), inverse_root(matrix(s[, , 1L], d))),
    diag = list(variances, 1 / sqrt(variances)),
    spherical = list(variances[, 1L], 1 / sqrt(variances[, 1L]))
  )
  out <- list(weights_ = unname(fit$proportions), means_ = unname(fit$means),
              covariance_type = type, covariances_ = shapes[[1L]],
              precisions_cholesky_ = shapes[[2L]], n_features_in_ = d)
  if (fit$blueprint$named) out$feature_names_in_ <- colnames(fit$means)
  out
}
