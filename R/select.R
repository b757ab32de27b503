#' Choose the number of components and the shape of the covariances
#'
#' Fits a mixture for each number of components and each family of covariances, and compares them by
#' criteria: the log-likelihood, charged for the number of parameters (BIC, AIC, AICc and ICL, see
#' [gmm_criteria()]), or the log-likelihood of rows that were held out (CV). **Lower is better**,
#' for each of them. [gmm_best()] returns the fit of the model chosen, and `summary()` shows the
#' choices of all criteria side by side.
#'
#' Models that are the same distribution (one component, whether full or tied; one variable,
#' whether full, diagonal or spherical) are fitted once and shown under the simplest of the names
#' asked for. A model that can't be fitted has a reason in place of values. One with a *spurious*
#' component (see [gmm_control()]) keeps its values, which are too good to be true, and is chosen
#' only where all models have one. Values within 1e-8 a row are a tie, which goes to fewer
#' parameters, then to fewer components.
#'
#' @section How the models are fitted:
#' Together, and not one by one as [gmm()] would: so a grid is fast, and a model may be a little
#' better or worse than by [gmm()] alone. For each k, the groups of the hierarchical start and
#' `n_init` starts of seven kinds in turn (see [gmm_control()]) are made once and shared by the
#' families: each takes its covariances from their moments, and where there are many families, each
#' takes a part of the starts. Short runs rank them. Each model is also started from what the other
#' families came to at the same k, and from its own family's solution with a component less, each
#' component of which is split in turn; with few components, twice. Swaps and merge-and-split moves
#' follow, the more the fewer models and components there are. The best is run on until it has
#' converged. The two best by the criterion are searched by further moves, until `search` of them
#' (40 + 5 k where that is `NULL`) have failed.
#'
#' No model ends below one that it contains, that is below a narrower family at the same k (`EEE`
#' within `VEE`, say) or its own family at k - 1: where it did, EM goes on from there, and EM never
#' falls. There is one exception, which has a `note`. What EM comes to from there may have a
#' component that is spurious in the wider family (`"nested_spurious"`), or two that are the same
#' (`"no_gain"`): the model then keeps its best sound solution. With `labels` a model with one more
#' component is not sure to reach what it contains, as known rows stay with theirs: it is tried, and
#' where it fails, the note is `"no_gain"`, too. (Components of equal proportions
#' are no case of more such: there only the narrower families count.)
#'
#' With a prior, what EM raises is the log posterior density, and a model contains another only
#' where the prior has as many factors for both: never its own family at k - 1, nor a family of one
#' common covariance (EII, EEI, EEE) where its own covariances differ, unless the prior says nothing
#' of the covariances (`df = 0`).
#'
#' A model is not searched (status `"dimension"`) where the rows are so few that one of its
#' components must be spurious (see `spurious` of [gmm_control()]).
#'
#' Where there are more than twice as many rows as max(1500, 12 k (d + 1)), k the largest, all this
#' is done on a sample of that size, and each model goes on from there on all rows. Besides the
#' data, memory is needed for the parameters of all models, for the starts of one k (`n_init` + 1
#' full models), and for each thread for about ten copies of the largest model's parameters. Where
#' the rows are few, the models go over threads, else the rows. No result depends on the number of
#' threads.
#'
#' With `init = "kmeans++"` or `"random"` the `n_init` starts are of that kind, with
#' `"hierarchical"` there is one, and no moves are proposed. Labels, responsibilities or parameters
#' serve one k and are the only start for each family (parameters through the moments of their
#' components), besides what the models give each other. A `function(x, k)` is called once for each
#' k.
#'
#' @section Rows that are not in memory:
#' Over a [gmm_source()], [gmm_dbi()] or [gmm_cluster()] the grid is searched on the sample of the
#' first pass, in memory. The models that can be the best of all rows, as far as the sample tells,
#' are then fitted to all rows, each from its optimum there, in about as many passes as [gmm()]
#' makes; only these have values, so that all criteria in the table are of all rows. The status of
#' the others is `"sample"`, and `reason` says how far off they were. Where the sample holds all
#' rows, there are none such.
#'
#' What the sample tells: with the log-likelihood L of a share s of the rows, that of all rows will
#' be about `(L - df / 2) / s + df / 2`, as a maximum lies some `df / 2` above the value of
#' parameters that were not fitted to its rows (Akaike). The difference of two models is a sum over
#' the rows, with a standard error of `sd(d) n sqrt((1 - s) / m)`, d the difference of the
#' log-densities of the m rows of the sample and n the number of all (Vuong). A model is left out
#' where BIC, AIC and AICc are all more than `margin` standard errors above their lowest;
#' `margin = Inf` fits all models.
#'
#' ICL and CV need what passes over the rows don't tell, and are refused.
#'
#' @section Known labels and priors:
#' All models have the same `labels`; where there are more levels than components, the model's
#' status is `"labels"`. Components of known labels keep their names, whatever the family and k.
#'
#' With a `prior` each model is at its posterior mode (values that the prior takes from the data may
#' depend on k), and BIC, AIC, AICc and ICL are made of the plain log-likelihood there, with `df` as
#' for maximum likelihood, as by Fraley and Raftery (2007). The prior is the same for all models, so
#' that they may be compared with each other; not with those of another prior, or of none.
#'
#' With `trim` each model leaves out its own rows, the same share of the weight in all; criteria are
#' of what is kept, as is common practice for trimmed fits. There is no CV then: held-out rows would
#' count in full, outliers too.
#'
#' @section Cross-validation:
#' With `"CV"` among `criterion`, the rows are dealt into `folds` parts at random (by R's random
#' numbers; the same parts for all models). Each part is left out in turn: all models are fitted to
#' the other rows from the start, and the rows left out get their log-density. `CV` is -2 n times
#' the mean of these log-densities per unit of weight, on the scale of AIC, and `CV_se` its standard
#' error, from the means of the folds m_f and their shares of the weight s_f:
#' `2 n sqrt(sum(s_f (m_f - m)^2) / (folds - 1))`. A row of a known label gets
#' `log(proportion_j f_j(x))`, as in the log-likelihood; such rows are dealt label by label, and
#' what a prior takes from the data, from the rows fitted.
#'
#' The criterion `"CV"` chooses by the one-standard-error rule: of the models whose CV is within one
#' standard error of the lowest (its own) the one with the fewest parameters; of those the one with
#' the lowest CV. Much of that error is common to all models, so the rule leans to simple ones;
#' `print()` and `summary()` name the model with the lowest CV too. A model that could not be fitted
#' in each fold has no CV. The time is about that of `folds` selections.
#'
#' @inheritParams gmm
#' @param k Numbers of components to try, whole numbers of at least 1.
#' @param covariance Families of covariances to try, names or codes of [gmm_families()]; `NULL`: all
#'   that apply (with `gmm_control(ratio =)` those that take it).
#' @param criterion The criterion that chooses: `"BIC"`, `"AIC"`, `"AICc"`, `"ICL"` or `"CV"`. Of
#'   several the first chooses; all but CV, which takes time, are there always.
#' @param folds For CV, the number of parts, a whole number from 2 to the number of rows; or a
#'   vector with an element a row (dropped ones included) that says which part it belongs to, such
#'   as the subject that several rows come from.
#' @param margin For rows that are not in memory: a model is fitted to all rows unless it is more
#'   than so many standard errors above the best on the sample; a number of at least 0, or `Inf`.
#' @param control The result of [gmm_control()]. A start that is given (`init`) serves one `k`; for
#'   several, a `function(x, k)` can make a start for each. With `verbose` a message tells of
#'   progress every two seconds or so.
#' @param ... Options of the models, by name, as for [gmm()]: `proportions`, `noise`, `trim`,
#'   `prior`. For the methods it must be empty.
#' @param x The data, as for [gmm()]. For the methods: the result of `gmm_select()`.
#' @return `gmm_select()`: a list of class `"gmm_select"` with
#'   \item{table}{data frame, a row a model: `covariance` (code), `name`, `k`, `loglik`, `df`,
#'     `BIC`, `AIC`, `AICc`, `ICL`, with cross-validation `CV` and `CV_se`, `converged`,
#'     `spurious`, `status` (`"ok"`, or the class of the error that [gmm()] would give, as in
#'     [gaussmix-conditions]: `"degenerate"`, `"dimension"`, `"missing"`, `"start"`, `"labels"`;
#'     or `"sample"`, see above),
#'     `reason` (its text, and what else was tried), `note` (`""`, `"nested_spurious"` or
#'     `"no_gain"`, see below)}
#'   \item{criterion, chosen}{the criterion, and the row of `table` that it chooses}
#'   \item{cv}{with cross-validation a list: `fold` (an integer a row fitted), `share` (of the
#'     weight, a number a fold), `logdensity` (matrix models x folds: mean log-density of the rows
#'     held out, per unit of weight), `reason` (why a model has none, else `""`)}
#'   \item{equal, labels, noise, trim, prior}{where used: `TRUE` for `proportions = "equal"`; a
#'     factor of the rows fitted; the noise as in a fit; the share trimmed; the prior as given}
#'   \item{missing}{where values are missing, as in a fit by [gmm()]}
#'   \item{home}{where rows are not in memory, a list: `what` holds them, how many `rows`, and how
#'     many were `dropped`; there is no `ICL` then}
#'   \item{nobs, control, call}{number of rows, or sum of the weights; how it was made}
#'   and what [gmm_best()] needs (`data`, `solutions`).
#'
#'   `as.data.frame()` gives the table, `format()` the lines that `print()` shows. `summary()` gives
#'   a list of class `"summary.gmm_select"` with `best` (data frame, a row a criterion `by`: the
#'   model that it chooses; for CV also the one that has the lowest), in words `agreement` (which
#'   criteria agree) and `comparison` (which of BIC's and AIC's models is simpler, where they
#'   differ), `lrt` (what the tests say), `top` (the five best models by the criterion), `failed`
#'   (models without values, and why), `effective_n` (of weighted data, see [summary.gaussmix()]).
#' @section Errors: As for [gmm()]. Where no model can be fitted, the error of the first, with the
#'   table as field `table`. `gaussmix_error_degenerate` where no model has a CV.
#'   `gaussmix_error_start` where `init` gives one start for several `k`; `gaussmix_error_labels`
#'   where `labels` have more levels than the largest `k`, or a fold of CV has all rows of one.
#'   `predict()`, `logLik()` (hence `BIC()`), `coef()`, `fitted()`, `residuals()` and `deviance()`
#'   of a choice are `gaussmix_error_argument`: they are for its best fit.
#' @section Warnings: `gaussmix_warning_convergence` where `max_iter` ended some models before they
#'   converged, `gaussmix_warning_spurious` where all models have a spurious component.
#' @references Schwarz, G. (1978) Estimating the dimension of a model. *Annals of Statistics* 6,
#'   461-464. \doi{10.1214/aos/1176344136}
#'
#'   Akaike, H. (1974) A new look at the statistical model identification. *IEEE Transactions on
#'   Automatic Control* 19, 716-723. \doi{10.1109/TAC.1974.1100705}
#'
#'   Biernacki, C., Celeux, G. and Govaert, G. (2000) Assessing a mixture model for clustering with
#'   the integrated completed likelihood. *IEEE Transactions on Pattern Analysis and Machine
#'   Intelligence* 22, 719-725. \doi{10.1109/34.865189}
#'
#'   Stone, M. (1974) Cross-validatory choice and assessment of statistical predictions. *Journal of
#'   the Royal Statistical Society B* 36, 111-147.
#'
#'   Breiman, L., Friedman, J. H., Olshen, R. A. and Stone, C. J. (1984) *Classification and
#'   Regression Trees.* Wadsworth, section 3.4.3 (the one-standard-error rule).
#'
#'   Fraley, C. and Raftery, A. E. (2007) Bayesian regularization for normal mixture estimation and
#'   model-based clustering. *Journal of Classification* 24, 155-181.
#'   \doi{10.1007/s00357-007-0004-5}
#'
#'   Vuong, Q. H. (1989) Likelihood ratio tests for model selection and non-nested hypotheses.
#'   *Econometrica* 57, 307-333. \doi{10.2307/1912557}
#'
#'   Smyth, P. (2000) Model selection for probabilistic clustering using cross-validated likelihood.
#'   *Statistics and Computing* 10, 63-72. \doi{10.1023/A:1008940618127}
#' @seealso [gmm_best()], [plot.gmm_select()], [gmm_criteria()], [gmm_families()]
#' @examples
#' choice <- gmm_select(faithful, k = 1:5)
#' choice
#' summary(choice)
#' head(as.data.frame(choice))
#' gmm_select(~ waiting, faithful, k = 1:4, criterion = "ICL")
#' gmm_select(iris[1:4], k = 1:4, covariance = c("tied", "VEV"), prior = gmm_prior())
#' gmm_select(~ waiting, faithful, k = 1:4, criterion = c("BIC", "CV"), folds = 5)
#' gmm_select(gmm_source(as.matrix(faithful), chunk = 100), k = 1:3)
#' @order 1
#' @export
gmm_select <- function(x, ...) {
  if (missing(x)) refuse_no_data(...names())
  UseMethod("gmm_select")
}

#' @rdname gmm_select
#' @order 2
#' @export
gmm_select.default <- function(x, k = 1:9, covariance = NULL, criterion = "BIC", ..., folds = 10,
                               weights = NULL, labels = NULL, na.action = na.fail,
                               control = gmm_control()) {
  check_dots_empty(..., .but = names(grid_options()))
  options <- grid_options(...)
  data <- as_gmm_data(x, weights = weights, na.action = na.action, prior = options$prior)
  data["labels"] <- list(labels)
  select_model(data, k, covariance, criterion, folds, control, match.call(), options)
}

#' @rdname gmm_select
#' @order 3
#' @export
gmm_select.data.frame <- gmm_select.default

#' @rdname gmm_select
#' @order 4
#' @export
gmm_select.formula <- function(x, data = NULL, k = 1:9, covariance = NULL, criterion = "BIC", ...,
                               folds = 10, weights = NULL, labels = NULL, subset = NULL,
                               na.action = na.fail, control = gmm_control()) {
  check_dots_empty(..., .but = names(grid_options()))
  call <- match.call()
  options <- grid_options(...)
  data <- as_gmm_data(x, data = data, weights = call$weights, subset = call$subset,
                      na.action = na.action, env = parent.frame(), labels = call$labels,
                      prior = options$prior)
  select_model(data, k, covariance, criterion, folds, control, call, options)
}

# What `...` says of the models, and gmm()'s defaults, as gmm_bridge() takes it: all that gmm()
# takes by name but for the data and how they are fitted.
grid_options <- function(...) {
  others <- c("weights", "labels", "na.action", "control")
  known <- as.list(formals(gmm.default))
  by_name <- names(known)[-seq_len(match("...", names(known)))]
  options <- lapply(known[setdiff(by_name, others)], eval)
  given <- list(...)
  options[names(given)] <- given
  for (name in intersect(names(given), names(grid_refused))) {
    if (is.null(given[[name]])) next
    gmm_abort("argument", sprintf("gmm_select() can't take `%s`: %s.", name, grid_refused[[name]]),
              "gmm() fits one model with it.")
  }
  options
}

# What gmm() takes and a grid of models does not, and why.
grid_refused <- c(fixed = "the parameters of components serve one number of them")

# Lower is better, for each.
criteria <- c("BIC", "AIC", "AICc", "ICL", "CV")

# Those that a table has.
criteria_of <- function(table) intersect(criteria, names(table))

# From clean data to the object. `options`: as of gmm_bridge().
select_model <- function(data, k, covariance, criterion, folds, control, call,
                         options = grid_options(), margin = Inf) {
  call[[1L]] <- quote(gmm_select)
  k <- check_wholes(k)
  control <- check_control(control)
  codes <- resolve_covariances(covariance, ncol(data$x), control)
  wanted <- check_criteria(criterion, criteria)
  criterion <- wanted[1L]
  common <- resolve_options(options, data, max(k))
  if ("CV" %in% wanted) refuse_trimmed_cv(common)
  options["noise"] <- list(noise_argument(common$noise)) # the same for the rows of each fold
  if ("CV" %in% wanted) folds <- check_folds(folds, data, common$labels)
  check_start_serves(control$init, k)
  grid <- model_grid(codes, k, ncol(data$x))
  models <- fit_grid(grid, data, control, criterion, options = options)
  if (!is_whole(data)) models <- polish_models(models, grid, data, control, common, margin)
  table <- grid_table(grid, models, ncol(data$x), common)
  if (all(table$status != "ok")) refuse_all(models[[1L]], table, ncol(data$x))
  if (!is.null(data$home)) table$ICL <- NULL
  nobs <- Find(Negate(is_error), models)$nobs
  cv <- if ("CV" %in% wanted) cross_validate(grid, data, folds, control, options, common$labels)
  if (!is.null(cv)) table <- add_cv(table, cv, nobs)
  best <- integer()
  repeat { # what is finished may rise, and only it
    more <- setdiff(vapply(criteria_of(table), best_row, 0L, table = table, nobs = nobs), best)
    if (length(more) == 0L) break
    if (is_whole(data)) {
      models[more] <- lapply(models[more], finish_model, data, control)
      finished <- grid_table(grid[more, ], models[more], ncol(data$x), common)
      same <- intersect(names(table), names(finished))
      table[more, same] <- finished[same]
    }
    best <- c(best, more)
  }
  common["prior"] <- list(options$prior) # as given: what it comes to depends on k
  select <- structure(class = "gmm_select", c(list(
    table = table, criterion = criterion, chosen = best_row(criterion, table, nobs), nobs = nobs,
    rows = nrow(data$x), solutions = stats::setNames(models[best], best),
    data = data[c("x", "weights", "na.action", "terms", "scale", "blueprint", "home")],
    control = stored_control(control), call = call
  ), Filter(Negate(is.null), common)))
  select$cv <- cv
  select$missing <- missing_counts(data, common$labels)
  if (!control$keep || !is.null(data$home)) {
    select$solutions[] <- lapply(best, solution_fit, select = select)
    select$data$x <- NULL
    select$call <- without_data(select$call)
  }
  if (!is.null(data$home)) {
    select$data <- select$data["blueprint"]
    select$home <- home_record(data$home)
    select$rows <- data$home$rows
    if (!is.null(select$labels)) select$labels <- factor(character(), levels(select$labels))
  }
  warn_of_table(table, control, ncol(data$x))
  select
}

# One or several, each once.
check_criteria <- function(x, choices, arg = deparse1(substitute(x))) {
  force(arg)
  if (length(x) < 2L) return(check_choice(x, choices, arg))
  if (anyDuplicated(x)) {
    gmm_abort("argument", must_be(arg, paste("some of", some(dQuote(choices, FALSE), Inf)), x))
  }
  vapply(x, check_choice, "", choices = choices, arg = arg, USE.NAMES = FALSE)
}

# Names and codes -> codes, each once.
resolve_covariances <- function(covariance, d, control) {
  if (is.null(covariance)) {
    codes <- if (d == 1L) unname(families_1d) else names(families)
    return(if (has_ratio(control)) intersect(codes, ratio_families) else codes)
  }
  if (!is.character(covariance) || length(covariance) == 0L) {
    gmm_abort("argument", must_be("covariance", "names or codes of families, or NULL", covariance))
  }
  codes <- unique(vapply(covariance, resolve_covariance, "", d = d, USE.NAMES = FALSE))
  for (code in codes) check_ratio_family(code, control)
  codes
}

check_start_serves <- function(init, k) {
  if (is_string(init) || is.function(init) || length(k) == 1L) return(invisible())
  gmm_abort("start", sprintf("`init` must serve %s, and %s gives a start for one.",
                             plural(length(k), "value of `k`", "values of `k`"), describe(init)),
            "A function(x, k) can make a start for each.")
}

# ---- the grid --------------------------------------------------------------------------

grid_table <- function(grid, models, d, options) {
  values <- lapply(models, function(model) {
    if (is_error(model)) {
      return(list(loglik = NA_real_, nobs = NA_real_, certainty = NA_real_, converged = NA,
                  spurious = NA, status = sub("gaussmix_error_", "", class(model)[1L]),
                  reason = paste(c(first_line(conditionMessage(model)), model$remedy),
                                 collapse = " "), note = ""))
    }
    list(loglik = model$best$loglik, nobs = model$nobs, certainty = model$certainty,
         converged = model$best$converged, spurious = any(model$verdict$spurious > 0),
         status = "ok", reason = "", note = model$note)
  })
  column <- function(name) vapply(values, `[[`, values[[1L]][[name]], name)
  loglik <- column("loglik")
  df <- model_df(grid$covariance, d, grid$k, options)
  cbind(grid, loglik = loglik, df = df,
        criteria_table(loglik, df, column("nobs"), column("certainty")),
        converged = column("converged"),
        spurious = column("spurious"), status = column("status"), reason = column("reason"),
        note = column("note"))
}

# Rows of the models that may be chosen.
eligible_rows <- function(table) {
  ok <- which(table$status == "ok")
  sound <- ok[!table$spurious[ok]]
  if (length(sound)) sound else ok
}

# The row of the model that a criterion chooses: what is as good as the lowest goes to the fewest
# parameters. For CV, as good is all within one standard error.
best_row <- function(criterion, table, nobs) {
  value <- table[[criterion]]
  lowest <- lowest_row(criterion, table)
  margin <- if (criterion == "CV") table$CV_se[lowest] else 1e-8 * nobs
  open <- eligible_rows(table)
  tied <- open[which(value[open] <= value[lowest] + margin)]
  second <- if (criterion == "CV") value else table$k
  tied[order(table$df[tied], second[tied])][1L]
}

lowest_row <- function(criterion, table) {
  open <- eligible_rows(table)
  open[which.min(table[[criterion]][open])]
}

refuse_all <- function(error, table, d) {
  error$message <- sprintf("None of %s can be fitted; the first, %s: %s",
                           plural(nrow(table), "model"), model_text(table[1L, ], d),
                           conditionMessage(error))
  error$table <- table
  stop(error)
}

warn_of_table <- function(table, control, d) {
  ok <- table$status == "ok"
  short <- which(ok & !table$converged & !table$spurious)
  if (length(short) && control$tol > 0 && control$max_iter > 0) {
    gmm_warn("convergence", sprintf(
      "%d of %s did not converge in %s: %s.", length(short), plural(nrow(table), "model"),
      plural(control$max_iter, "iteration"), some(model_text(table[short, ], d), 3L)),
      "Raise `max_iter`: their criteria may still fall.", rows = short)
  }
  if (all(table$spurious[ok])) {
    gmm_warn("spurious", "Each model has a component that rests on too few rows to be believed.",
             "Try smaller `k`, or a narrower `covariance`.")
  }
}

# ---- the best fit ----------------------------------------------------------------------

#' The fit that a choice among models comes to
#'
#' Takes the model that a criterion chooses out of the result of [gmm_select()], as a fit like any
#' other.
#'
#' @param select The result of [gmm_select()].
#' @param criterion A criterion that `select` has: `"BIC"`, `"AIC"`, `"AICc"`, `"ICL"`, or `"CV"`
#'   where it was asked for; by default the one that `select` was made with.
#' @return A fit as by [gmm()]: the model that the criterion chooses. Its `starts` are those of the
#'   grid, and last the run that gave the result (from a start, another family, a split component or
#'   a proposal); its `trace` is that of the last steps, to `tol`. Its `call` is a call of `gmm()`,
#'   so that `update()` works: it searches anew.
#' @section Errors: `gaussmix_error_argument` where `select` or `criterion` is something else.
#' @section Warnings: As for [gmm()].
#' @seealso [gmm_select()]
#' @examples
#' choice <- gmm_select(faithful, k = 1:4)
#' gmm_best(choice)
#' gmm_best(choice, "ICL")
#' @export
gmm_best <- function(select, criterion = select$criterion) {
  check_select(select)
  criterion <- check_choice(criterion, criteria_of(select$table))
  row <- best_row(criterion, select$table, select$nobs)
  solution <- select$solutions[[as.character(row)]]
  if (is.null(solution)) {
    refuse(list(class = "object", prefix = "select$"), "solutions", "the best models' solutions",
           "without that of the model chosen")
  }
  fit <- if (inherits(solution, "gmm")) solution else solution_fit(row, select)
  warn_of_fit(fit, utils::tail(diff(fit$trace), 1L))
  fit
}

check_select <- function(select, arg = deparse1(substitute(select))) {
  force(arg)
  if (!inherits(select, "gmm_select")) {
    gmm_abort("argument", must_be(arg, "the result of gmm_select()", select))
  }
  about <- list(class = "object", prefix = paste0(arg, "$"))
  check <- function(field, ok, expected) {
    if (!isTRUE(ok(select[[field]]))) refuse(about, field, expected, describe(select[[field]]))
  }
  check("table", function(v) {
    is.data.frame(v) && all(table_columns %in% names(v)) && any(v$status == "ok")
  }, paste("a data frame with the columns", some(table_columns, Inf)))
  check("criterion", function(v) is_string(v) && v %in% criteria_of(select$table), "a criterion")
  check("chosen", function(v) is_number(v) && v %in% eligible_rows(select$table),
        "the row of a model that may be chosen")
  check("nobs", function(v) is_number(v) && v > 0, "a number above 0")
  check("data", function(v) is.list(v) && is.list(v$blueprint), "a list with a blueprint")
  check("solutions", is.list, "a list of solutions")
}

table_columns <- c("covariance", "name", "k", "loglik", "df", "BIC", "AIC", "AICc", "converged",
                   "spurious", "status", "reason", "note")

solution_fit <- function(row, select) {
  model <- select$table[row, ]
  build_fit(select$solutions[[as.character(row)]], select$data, model$k, model$covariance,
            select$control, solution_call(select$call, model))
}

# gmm_select(x = rows, k = 1:9, weights = w) -> gmm(x = rows, k = 3, covariance = "full", weights =
# w)
solution_call <- function(call, model) {
  arguments <- as.list(call)[-1L]
  data <- names(arguments) %in% c("x", "data")
  others <- !names(arguments) %in% c("x", "data", "k", "covariance", "criterion", "folds", "margin")
  as.call(c(quote(gmm), arguments[data], list(k = as.double(model$k), covariance = model$name),
            arguments[others]))
}

# ---- what needs one fit ----------------------------------------------------------------

refuse_choice <- function(what) {
  gmm_abort("argument", sprintf("%s() needs a fit, and this is a choice among several.", what),
            sprintf("Take the best one: %s(gmm_best(object)).", what))
}

#' @export
predict.gmm_select <- function(object, ...) refuse_choice("predict")

#' @export
logLik.gmm_select <- function(object, ...) refuse_choice("logLik")

#' @export
coef.gmm_select <- function(object, ...) refuse_choice("coef")

#' @export
fitted.gmm_select <- function(object, ...) refuse_choice("fitted")

#' @export
residuals.gmm_select <- function(object, ...) refuse_choice("residuals")

#' @export
deviance.gmm_select <- function(object, ...) refuse_choice("deviance")
