#' Fit a Gaussian mixture
#'
#' Fits a mixture of `k` normal distributions by maximum likelihood with the EM algorithm, from
#' several starts, and keeps the best.
#'
#' A fit has converged when the gain in log-likelihood that is still to come, projected from the
#' last gains, is negligible (`tol` of [gmm_control()]); a plateau is not taken for convergence. The
#' covariances are kept off singularity by a floor relative to the columns' own scale, so that units
#' do not matter. Of the starts those without a *spurious* component (one that rests on too few rows
#' to be believed, see [gmm_control()]) come first, then the one with the highest log-likelihood;
#' those that ended with two components the same come last. `starts` of the result tells what each
#' reached.
#'
#' Components are ordered by decreasing proportion (ties by their means); where the start is given
#' as labels, responsibilities, parameters or a fit, they keep the order given.
#'
#' @section Weights:
#' `weights` are case weights: the log-likelihood is the sum of `w * log(f(x))`, `nobs` the sum of
#' the weights, and weight 2 is the row twice. Multiplying all weights by a constant changes no
#' parameter, but the log-likelihood, and so AIC and BIC: for weights that are not counts
#' (importance or survey weights), scale them to sum to the effective number of rows,
#' `sum(w)^2 / sum(w^2)`, before you compare models.
#'
#' @section Known labels:
#' A row with a label adds `log(proportion_j f_j(x))` to the log-likelihood, j its component, in
#' place of `log(f(x))`, and belongs to j in the M-step: semi-supervised learning. So components
#' can't change places, and keep the labels' names. `predict(fit)` gives the model's posterior,
#' which may differ from the label; `fitted()`, `residuals()` and `vcov()` use the label. Labels
#' that are wrong pull the fit: leave those in doubt NA. Where `trim` leaves out all rows of a label
#' there is a warning of class `gaussmix_warning_labels`.
#'
#' @section Trimming:
#' With `trim` the rows of lowest density count for nothing (trimmed likelihood): exactly `trim`
#' times the sum of the weights is left out, of the rows in the order of their log-densities (of
#' rows with a known label that of their term), of equal ones the first first, the last one in part.
#' Which rows these are is found along with the parameters: each E-step ranks the rows anew
#' (concentration steps), and the log-likelihood of what is kept never falls. It is the walk *fit,
#' drop the extremes, refit* in one argument, done until it stands still, from many starts, so that
#' outliers that pull the first fit towards themselves are left out too.
#'
#' `loglik`, `nobs` and hence `BIC()` are of what is kept; `trimmed` says which rows were not.
#' `predict()` and its kind give the mixture's values for all rows, trimmed ones included.
#' Covariances are those of the rows kept, so a little too small where no row was an outlier. Fits
#' of one `trim` are compared by BIC as others are (in [gmm_select()] too); those of different
#' `trim` rest on different rows. Take `trim` no smaller than the share of outliers that you fear.
#' Components can still degenerate: `gmm_control(ratio =)` keeps them from it.
#'
#' With one component this is the (raw) minimum covariance determinant: the mean and covariance
#' (divisor h) of those h = `(1 - trim) n` rows whose covariance has the least determinant. The
#' vignette *robust* shows trimmed fits beside others.
#'
#' @section Fixed parameters:
#' `fixed` holds what is known beforehand, with NA for all that is free:
#' `fixed = list(means = c(0, NA), covariances = c(1, NA))` is a standard normal distribution beside
#' one to be estimated, as the null cases among test statistics. Components keep the order in which
#' they are given there; starts are matched with the means that are fixed. `df` counts what is free,
#' the other parameters are at their maximum given what is fixed, and a test or BIC compares with
#' the fit where it is free.
#' * `proportions`: k of them (with noise also k + 1); the free ones share what the others leave.
#' * `means`: k x d (in one dimension also k of them), entry by entry. The free entries of a mean
#'   follow the fixed ones along the regression of the component's covariance.
#' * `covariances`: in one of the shapes of [gmm_params()], with NA in place of a whole covariance:
#'   of each component by itself (`"full"`, `"diag"`, `"spherical"`), or the common one (`"tied"`,
#'   EEI, EII; of EEI a d x d matrix, or d variances). Full matrices are fixed as wholes, variances
#'   of diagonal ones (`"diag"`, EEI) one by one too. In the other families components share a part
#'   of their covariances, so that none can be fixed by itself; nor can one where
#'   `gmm_control(ratio = )` bounds the eigenvalues.
#'
#' A component whose covariance is fixed is not *spurious*. In [vcov()][vcov.gaussmix] what is fixed
#' has variance 0, and its interval in `confint()` is the value alone. EM is not accelerated here
#' (Meng and Rubin 1993: each of its steps maximises over means and covariances in turn).
#'
#' @section Noise:
#' With `noise` the mixture has one more component, whose density is constant: outliers go there and
#' leave the Gaussians alone (Banfield and Raftery 1993). `TRUE` makes it uniform in the box of the
#' rows (those with weight), a matrix of limits uniform in that box, 0 outside: a distribution, with
#' [rgmm()], [pgmm()] and so on. One number is a volume V (`hypvol` of mclust): the density is 1 / V
#' everywhere, so that what needs a distribution is refused; the box of `TRUE` gives the same fit.
#' `k` counts the Gaussians. `proportions` has a last element `"noise"`, as have the classes and
#' probabilities of [predict()][predict.gaussmix], and `df` is one more. Starts give the noise a
#' proportion of 0.05, unless they say another one (k + 1 proportions, or k + 1 columns of
#' responsibilities). It may end at 0: then there is no noise. A Dirichlet prior is one of all k + 1
#' proportions; equal proportions are those of the Gaussians. A known label can't be `"noise"`.
#' [gmm_anomaly()] judges by the Gaussians alone, and `fitted()` is their mean.
#'
#' @section Missing values:
#' `na.fail` (the default) refuses them and names rows and columns; `na.omit` drops the rows and
#' records them; `na.exclude` does the same, but `predict()`, `fitted()` and `residuals()` have NA
#' in their place, as for [lm()].
#'
#' `na.pass` keeps the rows: the likelihood is that of the values which are there, with each row's
#' density that of its observed variables. That is the right thing to do where values are *missing
#' at random*: whether one is missing may depend on the values that are seen, but, given those, not
#' on the ones that are not (Little and Rubin 2002). No value is filled in. All families, weights,
#' labels, priors and `proportions` can be used; a component's effective size is the least over the
#' variables of that counted where the variable is observed. A row that is wholly missing says
#' nothing: it is not counted in `nobs`, its log-density is 0, and its posterior probabilities are
#' the proportions (with a known label it adds the logarithm of that proportion, and counts). A
#' variable without any value is refused, and so are two variables that are never observed together
#' by a family with their covariance. Starts and proposals are made on rows filled in by the
#' regressions of one normal distribution. `predict(type = "impute")` fills in the missing values by
#' the mixture. A copy of the observed values is made, sorted by which variables are missing; an
#' iteration costs about as much as for complete rows of the variables observed, and the factors of
#' the covariances for each such pattern.
#'
#' @param x A numeric vector, a numeric matrix (n rows, d columns), a data frame of numeric columns
#'   (tibbles and data.tables too), or a formula as `~ a + b`. Integers and logicals count as
#'   numbers; factors, text, dates and lists are refused. After `y ~ a + b` the fit is the joint
#'   mixture of `y` (or of several variables, `cbind(y, z)`), `a` and `b`, and `predict(type =
#'   "conditional")` predicts `y` from the others: mixture regression. Or rows that are elsewhere:
#'   in files and chunks ([gmm_source()]), in a database ([gmm_dbi()]), on a cluster
#'   ([gmm_cluster()]).
#' @param k Number of components, a whole number of at least 1. [gmm_select()] compares several.
#' @param covariance Shape of the covariances: `"full"`, `"tied"`, `"diag"`, `"spherical"`, or a
#'   code of [gmm_families()].
#' @param ... For methods; else must be empty: a misspelt argument is an error.
#' @param labels Known components of some rows: a factor, text or whole numbers with an element for
#'   each row given, NA where not known; or `NULL`: none is known. Each level is a component; the
#'   first components are the levels, in their order, and those beyond are free: each has its number
#'   for a name or, where that is a label, the first number that no component has. With a formula,
#'   evaluated in `data`.
#' @param proportions `"free"`, or `"equal"`: all components have the proportion `1 / k`, which
#'   saves `k - 1` parameters. Components are then ordered by their means.
#' @param trim Share of the weight that is left out, the rows of lowest density: a number from 0
#'   (none) to 0.5.
#' @param fixed A list of some of `proportions`, `means` and `covariances` with the values at which
#'   parameters are held, NA for those that are free; or `NULL`: all are free. See below.
#' @param noise `FALSE`; or a noise component for outliers: `TRUE`, or a matrix of 2 rows (lower and
#'   upper limits) and d columns (by name, where it has names), or one number, a volume; see below.
#' @param prior The result of [gmm_prior()], for the mode of the posterior density in place of the
#'   maximum of the likelihood; or `NULL`: none.
#' @param weights Case weights: `NULL` or n numbers of at least 0. With a formula, evaluated in
#'   `data`.
#' @param na.action What to do about missing values: [na.fail], [na.omit], [na.exclude], or
#'   [na.pass] to fit to what is there.
#' @param control The result of [gmm_control()].
#' @section What a fit holds:
#'   The rows, unless `gmm_control(keep = FALSE)`. Of a start that was a fit only the parameters,
#'   and of a function given as `init` only that there was one. With a formula, as in [lm()], the
#'   environment where it was written, with whatever is in it (saved too, unless it is the global
#'   one): it may hold a constant that new data need.
#'
#' @param data A data frame in which the formula's variables are looked up.
#' @param subset Rows to use, an expression evaluated in `data`.
#' @return An object of class `c("gaussmix", "gmm")`, a list with
#'   \item{proportions}{k numbers that sum to 1; with noise one more}
#'   \item{means}{k x d matrix}
#'   \item{covariances}{d x d x k array}
#'   \item{covariance}{code of the family, three letters for one variable too, see [gmm_families()]}
#'   \item{k}{number of components}
#'   \item{loglik}{log-likelihood of these parameters}
#'   \item{objective}{what EM raised: the log-likelihood; with a prior, plus its log density}
#'   \item{df}{number of free parameters}
#'   \item{nobs}{number of rows, or the sum of the weights; of trimmed fits, of what is kept}
#'   \item{converged, iterations, passes}{of the run that gave the result: whether it converged,
#'     the steps that it took, its E-steps over all rows}
#'   \item{trace}{the objective of the start and after each iteration}
#'   \item{starts}{data frame, a row a start: kind, objective, loglik, iterations, converged (`NA`:
#'     only a short run), number of spurious components, and why it failed, or that it is the same
#'     start as an earlier one; see [gmm_control()]}
#'   \item{reached}{number of starts that found the best optimum; 0 where a proposal found it}
#'   \item{verdict}{data frame, a row a component: effective size, smallest eigenvalue in the
#'     metric of the pooled covariance, eigenvalues on the floor, spurious or not; and another
#'     component that it is the same as (`same_as`, `""`: none)}
#'   \item{missing}{where values are missing (`na.pass`), a named vector of counts: `rows` with
#'     missing values, `patterns` of them, and the wholly missing (`empty`) among the rows}
#'   \item{equal}{`TRUE` where `proportions = "equal"`, else it is not there}
#'   \item{fixed, noise}{where used: what is fixed, as given with the names of the fit (NA: free),
#'     and `count`, the number of parameters that it takes off `df`; the logarithm of the noise's
#'     volume, and its limits}
#'   \item{trim, trimmed}{where rows were trimmed: the share, and a data frame, a row for each row
#'     left out in full or in part: `row`, its number among the rows fitted, and `kept`, what of its
#'     weight counted; named as the rows}
#'   \item{weights, labels, na.action, terms, prior}{where used; `labels` a factor of the rows
#'     fitted, the prior with all its values}
#'   \item{control, call}{how it was made; of a function given as `init` only that there was one}
#'   and, for its methods, `stats` (the rows' sufficient statistics at these parameters, which
#'   [update()][update.gaussmix] goes on from), `x` (the matrix fitted; or its log-densities
#'   `logdensity` where `keep = FALSE`), `blueprint` (columns and their kind), `scale` (of the
#'   columns), `version`.
#' @section Errors:
#' See [gaussmix-conditions]. Where every start ends with an eigenvalue on the floor (too many
#' components, too few rows, collinear columns), the error is `gaussmix_error_degenerate`.
#' @references Banfield, J. D. and Raftery, A. E. (1993) Model-based Gaussian and non-Gaussian
#'   clustering. *Biometrics* 49, 803-821. \doi{10.2307/2532201} (noise)
#'
#'   Neykov, N., Filzmoser, P., Dimova, R. and Neytchev, P. (2007) Robust fitting of mixtures
#'   using the trimmed likelihood estimator. *Computational Statistics and Data Analysis* 52,
#'   299-308. \doi{10.1016/j.csda.2006.12.024}
#'
#'   Rousseeuw, P. J. and Van Driessen, K. (1999) A fast algorithm for the minimum covariance
#'   determinant estimator. *Technometrics* 41, 212-223. \doi{10.1080/00401706.1999.10485670}
#'
#'   Dempster, A. P., Laird, N. M. and Rubin, D. B. (1977) Maximum likelihood from
#'   incomplete data via the EM algorithm. *Journal of the Royal Statistical Society B* 39, 1-38.
#'
#'   Little, R. J. A. and Rubin, D. B. (2002) *Statistical Analysis with Missing Data*, 2nd edition.
#'   Wiley, chapters 1 and 11.
#'
#'   Meng, X.-L. and Rubin, D. B. (1993) Maximum likelihood estimation via the ECM algorithm: a
#'   general framework. *Biometrika* 80, 267-278. \doi{10.1093/biomet/80.2.267} (fixed parameters)
#'
#'   McLachlan, G. J. and Peel, D. (2000) *Finite Mixture Models*. Wiley, chapters 2 and 3.
#' @seealso [gmm_select()], which chooses `k` and `covariance`; [gmm_control()],
#'   [predict.gaussmix()], [dgmm()], [rgmm()], [gmm_params()]
#' @examples
#' fit <- gmm(faithful, k = 2)
#' fit
#' BIC(fit, gmm(faithful, k = 2, covariance = "tied"))
#' table(predict(fit))
#' gmm(~ log(eruptions) + waiting, faithful, k = 2, subset = waiting > 45)
#'
#' # 5 % of the rows are left out, those of lowest density
#' robust <- gmm(faithful, k = 2, trim = 0.05)
#' robust
#' head(robust$trimmed)
#' gmm(faithful, k = 2, noise = TRUE)
#'
#' # test statistics: standard normal where there is nothing, and a share with an effect
#' z <- c(rnorm(900), rnorm(100, 3))
#' effects <- gmm(z, k = 2, fixed = list(means = c(0, NA), covariances = c(1, NA)))
#' effects
#' local_fdr <- predict(effects, type = "prob")[, 1]
#' sum(local_fdr < 0.2)
#' @order 1
#' @export
gmm <- function(x, ...) {
  if (missing(x)) refuse_no_data(...names())
  UseMethod("gmm")
}

#' @rdname gmm
#' @order 2
#' @export
gmm.default <- function(x, k, covariance = "full", ..., weights = NULL, labels = NULL,
                        proportions = c("free", "equal"), fixed = NULL, noise = FALSE, trim = 0,
                        prior = NULL, na.action = na.fail, control = gmm_control()) {
  check_dots_empty(...)
  data <- as_gmm_data(x, weights = weights, na.action = na.action, prior = prior)
  data["labels"] <- list(labels)
  options <- list(proportions = proportions, fixed = fixed, noise = noise, trim = trim,
                  prior = prior)
  gmm_bridge(data, k, covariance, options, control, match.call())
}

#' @rdname gmm
#' @order 3
#' @export
gmm.data.frame <- gmm.default

#' @rdname gmm
#' @order 4
#' @export
gmm.formula <- function(x, data = NULL, k, covariance = "full", ..., weights = NULL, labels = NULL,
                        subset = NULL, proportions = c("free", "equal"), fixed = NULL,
                        noise = FALSE, trim = 0, prior = NULL, na.action = na.fail,
                        control = gmm_control()) {
  check_dots_empty(...)
  call <- match.call()
  data <- as_gmm_data(x, data = data, weights = call$weights, subset = call$subset,
                      na.action = na.action, env = parent.frame(), labels = call$labels,
                      prior = prior)
  options <- list(proportions = proportions, fixed = fixed, noise = noise, trim = trim,
                  prior = prior)
  gmm_bridge(data, k, covariance, options, control, call)
}

#' @rdname gmm
#' @order 5
#' @export
gmm.gmm_source <- function(x, k, covariance = "full", ..., proportions = c("free", "equal"),
                           fixed = NULL, noise = FALSE, prior = NULL, na.action = na.fail,
                           control = gmm_control()) {
  check_home_dots(...)
  check_dots_empty(...)
  options <- list(proportions = proportions, fixed = fixed, noise = noise, prior = prior)
  fit_home(x, k, covariance, options, na.action, control, match.call())
}

#' @rdname gmm
#' @export
gmm.gmm_cluster <- gmm.gmm_source

fit_home <- function(x, k, covariance, options, na.action, control, call, generic = quote(gmm)) {
  k <- check_k(k, generic)
  control <- home_control(control, x$what)
  over_rows(x, k, na.action, control, function(data) {
    gmm_bridge(data, k, covariance, options, control, call, generic)
  })
}

# The generic was called without data.
refuse_no_data <- function(given) {
  gmm_abort("argument", "`x`, the data, is lacking.",
            if ("formula" %in% given) {
              "Give the formula first, without a name: gmm(~ a + b, data, k = 2)."
            } else {
              "Give a numeric vector, matrix or data frame, or a formula and `data`."
            })
}

# From clean data to the object. `options`: what else there is of the model, as arguments of
# `generic`: gmm() or gmm_vb().
gmm_bridge <- function(data, k, covariance, options, control, call, generic = quote(gmm)) {
  call[[1L]] <- generic
  variational <- identical(generic, quote(gmm_vb))
  k <- check_k(k, generic)
  check_single(covariance, "the name or code of a family",
               hint = if (variational) several_shapes else select_hint)
  code <- resolve_covariance(covariance, ncol(data$x))
  control <- check_control(control)
  options <- if (variational) {
    resolve_variational(options, data, k, code, control)
  } else {
    with_fixed(resolve_options(options, data, k), options$fixed, data, k, code, control)
  }
  out <- fit_model(data, k, code, control, paste0(generic, "()"), options)
  fit <- build_fit(out, data, k, code, control, call)
  warn_of_fit(fit, out$best$gain)
  fit
}

select_hint <- "gmm_select() fits several and chooses."

check_k <- function(k, generic = quote(gmm)) {
  hint <- if (identical(generic, quote(gmm_vb))) several_k else select_hint
  if (missing(k)) gmm_abort("argument", "`k`, the number of components, is lacking.", hint)
  check_single(k, "a whole number of at least 1", hint = hint)
  check_whole(k)
}

check_single <- function(x, expected, arg = deparse1(substitute(x)), hint = select_hint) {
  if (length(x) > 1L) gmm_abort("argument", must_be(arg, expected, x), hint)
}

# Arguments -> what the engine takes.
resolve_options <- function(options, data, k = NULL) {
  proportions <- check_choice(options$proportions, c("free", "equal"), "proportions")
  noise <- resolve_noise(options$noise, data)
  trim <- resolve_trim(options$trim, noise)
  list(equal = if (proportions == "equal") TRUE, labels = resolve_labels(data, k),
       noise = noise, trim = trim,
       prior = resolve_prior(options$prior, data, k, !is.null(noise) || !is.null(trim)))
}

# Options with what is fixed, which depends on the family.
with_fixed <- function(options, fixed, data, k, code, control) {
  options$fixed <- resolve_fixed(fixed, data, k, code, options, control)
  options
}

# Number of free parameters, of one model or of several that have the same options.
model_df <- function(code, d, k, options) {
  count <- if (is.null(options$fixed)) 0 else options$fixed$count
  df_each(code, d, k, isTRUE(options$equal)) - count + !is.null(options$noise)
}

# Is one component found in one step?
has_closed_form <- function(options) {
  is.null(options$trim) && is.null(options$noise) && is.null(options$fixed)
}

# The options of a fit.
fit_options <- function(fit) {
  unclass(fit)[intersect(c("equal", "labels", "fixed", "noise", "trim", "prior"), names(fit))]
}

# For what is not defined, or not made, for fits with some of the options: their names, or the
# reasons by their names.
refuse_options <- function(fit, what, options, hint = NULL) {
  reasoned <- !is.null(names(options))
  names <- if (reasoned) names(options) else options
  there <- names %in% names(fit_options(fit))
  if (!any(there)) return(invisible())
  reason <- if (reasoned) paste0(": ", paste(options[there], collapse = "; ")) else ""
  gmm_abort("argument", sprintf("%s can't take a fit with %s%s.", what,
                                some(backtick(names[there])), reason), hint)
}

# One model -> what run_engine() returns, or an error that says why there is no such model.
fit_model <- function(data, k, code, control, title = "gmm()", options = list()) {
  check_rows(data, k)
  check_together(data, code)
  out <- run_engine(data, k, code, control, title, options)
  check_survivors(out, data, k, code, control)
  out
}

# Rows with a weight, of which something is known.
rows_counted <- function(data) {
  if (is.null(data$weights) && !has_gaps(data)) return(nrow(data$x))
  counts <- !wholly_missing(data$x)
  sum(if (is.null(data$weights)) counts else counts & data$weights > 0)
}

check_rows <- function(data, k) {
  rows <- rows_counted(data)
  if (rows >= k) return(invisible())
  gmm_abort("dimension", sprintf(
    "`k` must be at most the number of rows: k = %d components but %s.", k, plural(rows, "row")
  ))
}

# All starts of one model -> what engine_fit() returns, with `components` (names, where the start
# gives some) and `named` (whether the start fixes their order).
run_engine <- function(data, k, code, control, title, options) {
  check_ratio_family(code, control)
  start <- resolve_start(control$init, k, code, data, options$noise, has_closed_form(options))
  if (!is.null(control$checkpoint) && is.null(data$home)) {
    gmm_abort("argument", "`checkpoint` is for rows that don't live in memory.",
              "gmm(gmm_source(x), k) goes through a matrix or data frame in that way.")
  }
  out <- if (is.null(data$home)) {
    engine_fit(data$x, data$weights, code, k, data$scale, start, control, title, options)
  } else {
    home_fit(data, code, k, start, control, title, options)
  }
  out$options <- options
  out$starts <- starts_table(out$starts)
  if (k == 1L && is.integer(start)) out$starts$kind <- one_component(data)
  out$components <- attr(start, "components")
  out$named <- !is.character(start)
  out$from_floor <- is.list(start) && on_floor(start$covariances, data$scale, control$floor)
  out
}

# What the only start for one component is called.
one_component <- function(data) if (has_gaps(data)) "all rows" else "closed form"

build_fit <- function(out, data, k, code, control, call) {
  x <- data$x
  known <- levels(out$options$labels)
  fixed <- out$options$fixed
  ordered <- out$named || is_stick(out$options$variational) || !is.null(fixed)
  order <- if (ordered) seq_len(k) else component_order(out, length(known))
  best <- out$best
  given <- if (is.null(out$components)) fixed$components else out$components
  names <- names_of_components(k, known, given, out$options$noise)
  fit <- new_gmm(c(
    name_parameters(reorder_gaussians(out, order), names, colnames(x)),
    list(covariance = code, k = k, loglik = best$loglik, objective = best$objective,
         df = model_df(code, ncol(x), k, out$options), nobs = out$nobs,
         converged = best$converged, iterations = best$iterations, passes = best$passes,
         trace = out$trace, starts = out$starts[names(start_columns)], reached = out$reached,
         verdict = verdict_table(out$verdict, order, names)),
    not_null(c(out$options[setdiff(names(out$options), c("noise", "variational"))],
               data[c("weights", "na.action", "terms")])),
    list(missing = missing_counts(data, out$options$labels))[has_gaps(data)],
    list(trimmed = trimmed_rows(out, data, code, control))[!is.null(out$options$trim)],
    list(control = stored_control(control), call = call, blueprint = data$blueprint,
         scale = data$scale, x = x)
  ))
  if (is.null(out$options$variational)) {
    if (!is.null(out$stats)) fit$stats <- order_stats(out$stats, order)
  } else {
    fit <- variational_fit(fit, out, order, data$home)
  }
  if (!is.null(data$home)) return(away_from_home(fit, data$home))
  if (!control$keep) {
    fit$logdensity <- score(fit, x, "logdensity")
    fit$x <- NULL
    fit$call <- without_data(fit$call)
  }
  fit
}

not_null <- function(list) list[!vapply(list, is.null, NA)]

# In the order of the components, with their names.
verdict_table <- function(verdict, order, names) {
  same_as <- names[match(verdict$same_as, order)]
  same_as[is.na(same_as)] <- ""
  verdict$same_as <- same_as
  list2DF(c(list(component = names), lapply(verdict, `[`, order)))
}

# A call by do.call() holds the data themselves: what they were is said in their place.
without_data <- function(call) {
  for (name in intersect(names(call), c("x", "data", "weights"))) {
    given <- call[[name]]
    if (!is.language(given) && length(given) > 1L) {
      call[[name]] <- as.name(sprintf("<%s>", describe(given)))
    }
  }
  call
}

# A function as start may hold any data in its environment: that there was one is all that is kept.
stored_control <- function(control) {
  if (is.function(control$init)) control$init <- "function"
  control
}

# By decreasing proportion, to six decimals; ties by the means. Components of known labels, the
# first, stay where they are.
component_order <- function(params, known = 0L) {
  k <- seq_len(nrow(params$means))
  do.call(order, c(list(pmin(k, known + 1L), -round(params$proportions[k], 6)),
                   lapply(seq_len(ncol(params$means)), function(j) params$means[, j])))
}

# Levels of the labels first, then what the start calls the others, or their numbers; where a label
# has that name, the first number that is free.
names_of_components <- function(k, known, given, noise = NULL) {
  if (is.null(given)) given <- as.character(seq_len(k))
  given[seq_along(known)] <- known
  for (j in seq_len(k)[-seq_along(known)]) {
    if (given[j] %in% known) given[j] <- setdiff(as.character(seq_len(k)), given)[1L]
  }
  if (!is.null(noise) && "noise" %in% given) {
    gmm_abort("names", "A Gaussian must not have the name \"noise\" beside the noise component.",
              "Rows known to be noise can't be given as such: leave their labels NA.")
  }
  given
}

# Why a start failed, or which earlier one it was, in words.
starts_table <- function(starts) {
  reasons <- c("covariance of component %d not positive definite", "component %d empty",
               "log-likelihood fell or was not a number", "covariance of component %d on the floor")
  reason <- character(length(starts$status))
  for (i in which(starts$status > 0L)) {
    cause <- sub("%d", starts$component[i], reasons[starts$status[i]], fixed = TRUE)
    reason[i] <- sprintf("%s at iteration %d", cause, starts$at[i])
  }
  again <- starts$same_as > 0L
  reason[again] <- sprintf("the same start as %d", starts$same_as[again])
  starts$reason <- reason
  if (is.data.frame(starts)) starts else list2DF(starts)
}

# No start survived, or all lie on the floor although that was not asked for.
check_survivors <- function(out, data, k, code, control) {
  x <- data$x
  starts <- unclass(out$starts) # `[[` of a data frame is slow
  runs <- function(column) c(starts[[column]][starts$finished], out$best[[column]])
  ran <- runs("status") == 0L
  off_floor <- ran & runs("on_floor") == 0L
  # components that are the same say nothing for a mixture whose other runs all collapse
  sound <- any(off_floor & (runs("repeated") == 0L | out$named)) || all(off_floor[ran])
  # who goes on from a fit on the floor has been told, and is told again
  if (!is.null(out$best) && (floor_wanted(control) || sound || isTRUE(out$from_floor))) {
    return(invisible())
  }
  collinear <- if (families[[code]]$shape == "full") collinear_columns(x)
  ways <- c(if (k > 1L) "fewer components",
            if (families[[code]]$shape == "full") "a narrower `covariance`",
            "a larger `floor` in gmm_control()",
            if (is.null(out$options$prior)) "a prior (`prior = gmm_prior()`)",
            if (is.null(data$home) && is.null(out$options$trim) && is.null(out$options$noise) &&
                  is.null(out$options$variational)) "`trim`, which leaves out rows far off")
  hint <- sprintf("Try %s.", paste(ways, collapse = ", "))
  if (length(collinear)) {
    gmm_abort("degenerate", sprintf(paste(
      "The columns are collinear (rank %d of %d), so that no full covariance exists: %s depends",
      "on the others."),
      ncol(x) - length(collinear), ncol(x), some(backtick(collinear))
    ), sprintf("Leave %s out, or use covariance = \"diag\".",
               if (length(collinear) == 1L) "it" else "them"),
    starts = out$starts)
  }
  if (is.null(out$best)) {
    first <- out$starts[1L, ]
    gmm_abort("degenerate", sprintf("No start survived; the first: %s.", first$reason), hint,
              component = first$component, iteration = first$at, starts = out$starts)
  }
  refuse_lone_row(out, data, hint)
  worst <- which.max(out$verdict$on_floor)
  gmm_abort("degenerate", sprintf(paste(
    "Every start ended with a singular covariance; in the best, component %d (about %.1f rows) has",
    "%s on the floor after %s."), worst, out$verdict$size[worst],
    plural(out$verdict$on_floor[worst], "eigenvalue"),
    plural(out$best$iterations, "iteration")), hint,
    component = worst, iteration = out$best$iterations, size = out$verdict$size[worst],
    starts = out$starts)
}

# Has a covariance an eigenvalue on the floor, to rounding?
on_floor <- function(covariances, scale, floor) {
  d <- length(scale)
  any(apply(covariances, 3L, function(s) {
    values <- eigen(matrix(s, d) / tcrossprod(scale), TRUE, only.values = TRUE)$values
    min(values) <= floor * 1.001 + 8 * d * .Machine$double.eps * values[1L]
  }))
}

# A component on the floor that is one row: an outlier, or a row of very large weight.
refuse_lone_row <- function(out, data, hint) {
  alone <- which(out$verdict$on_floor > 0 & out$verdict$size < 1.5)
  if (length(alone) == 0L) return(invisible())
  component <- alone[1L]
  counted <- if (is.null(data$weights)) seq_len(nrow(data$x)) else which(data$weights > 0)
  apart <- (t(data$x[counted, , drop = FALSE]) - out$means[component, ]) / data$scale
  row <- counted[which.min(colMeans(apart^2, na.rm = TRUE))]
  share <- data$weights[row] / sum(data$weights)
  weight <- if (length(share)) sprintf(", with %.2g of the total weight", share) else ""
  gmm_abort("degenerate", sprintf(
    "Every start ended with a singular covariance; in the best, component %d is row %s alone%s.",
    component, row_label(data$x, row), weight
  ), paste(if (length(share)) "Leave it out, or give it less weight." else "Leave it out.", hint),
  component = component, row = row, iteration = out$best$iterations,
  size = out$verdict$size[component], starts = out$starts)
}

# Columns that depend linearly on those before them.
collinear_columns <- function(x) {
  x <- x[!missing_rows(x), , drop = FALSE]
  if (nrow(x) <= ncol(x)) return(NULL)
  centred <- scale(x)
  qr <- qr(centred, tol = 1e-7)
  if (qr$rank < ncol(x)) colnames(x)[qr$pivot[-seq_len(qr$rank)]]
}

warn_of_fit <- function(fit, gain) {
  control <- fit$control
  if (!fit$converged && control$tol > 0 && control$max_iter > 0) {
    gmm_warn("convergence", sprintf(
      "No convergence in %s; the last one raised the %s by %.3g.",
      plural(fit$iterations, "iteration"),
      if (is_variational(fit)) "bound" else "log-likelihood", gain),
      "Raise `max_iter`, or go on from this fit: gmm_control(init = fit).",
      iterations = fit$iterations,
      gain = gain)
  }
  warn_if_spurious(fit)
  warn_of_lost_labels(fit)
  same <- identical_components(fit)
  if (length(same)) {
    gmm_warn("identical", sprintf("Components %s and %s are the same.", same[1L], same[2L]),
             "Fewer components give the same density.", components = same)
  }
}

# `consequence`: what else must not be believed.
warn_if_spurious <- function(fit, consequence = "") {
  if (!any(fit$verdict$spurious)) return(invisible())
  bad <- fit$verdict[fit$verdict$spurious, ]
  say <- function(some_bad, one, many, values, format) {
    if (nrow(some_bad) == 0L) return(NULL)
    single <- nrow(some_bad) == 1L
    sprintf("%s %s %s (%s)", if (single) "Component" else "Components", some(some_bad$component),
            if (single) one else many, paste(values, some(sprintf(format, some_bad$size))))
  }
  on_floor <- bad$on_floor > 0
  few <- say(bad[!on_floor, ], "rests on too few rows to be believed",
             "rest on too few rows to be believed", "effective size", "%.1f")
  flat <- say(bad[on_floor, ], "has a covariance on the floor", "have covariances on the floor",
              "effective size", "%.1f")
  other <- if (any(on_floor)) "or without columns that depend on each other" else "or more starts"
  hint <- sprintf("Try fewer components, a narrower `covariance`, %s.", other)
  gmm_warn("spurious", paste0(paste(c(few, flat), collapse = "; "), consequence, "."), hint,
           verdict = bad)
}

# The first pair of components that are the same, see verdict.c.
identical_components <- function(fit) {
  second <- which(nzchar(fit$verdict$same_as))
  if (length(second) == 0L) return(NULL)
  fit$verdict$component[sort(c(second[1L], match(fit$verdict$same_as[second[1L]],
                                                 fit$verdict$component)))]
}
