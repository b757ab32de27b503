#' How to fit a mixture
#'
#' Gathers what says how [gmm()] computes, as against what it fits. All arguments go by name.
#'
#' @param ... Must be empty: a misspelt argument is an error.
#' @param n_init Number of starts that are run to convergence, a whole number of at least 1. The
#'   best is kept; `starts` of the fit tells what each reached. A start that is given (labels,
#'   responsibilities, parameters) is the only one, whatever `n_init` is. A larger `n_init`
#'   converges the same starts and more, so that the best of them gets no worse; with
#'   `init = "auto"` the fit still may, as the proposals that follow (`search`) go out from other
#'   optima.
#' @param init Where to start: `"auto"`, the wide search below; `"kmeans++"` (k-means++ seeds, then
#'   Lloyd's steps); `"random"` (random rows, the total covariance); `"hierarchical"` (the groups of
#'   an agglomeration, see below); or labels (a vector or factor with an element a row),
#'   responsibilities (a numeric matrix, rows x k), a gmm object (its parameters, which are all that
#'   is kept of it; or a list of `proportions`, `means` and `covariances` as [gmm_params()] takes
#'   them), or a `function(x, k)` of the matrix that is fitted and the number of components, which
#'   returns any of these. Labels and responsibilities have a row for each row given, dropped ones
#'   included.
#' @param search Number of proposals without success after which the wide search ends, a whole
#'   number of at least 0 (none are made); or `NULL`: 40 + 20 k. Half of them, where the starts
#'   agree, see below.
#' @param max_iter Largest number of iterations of a start, a whole number from 0 to 1e6. With 0
#'   the start itself is scored.
#' @param tol Tolerance, a number of at least 0, in units of log-likelihood per unit of weight: a
#'   run has converged when the gain that is still to come, projected from the last gains, is below
#'   `tol` times the sum of the weights at two iterations in a row. With 0 exactly `max_iter`
#'   iterations are done.
#' @param floor Smallest eigenvalue of a covariance, above 0 and below 1, in units of the columns'
#'   scale squared. A column's scale is its interquartile range / 1.349, or its standard deviation
#'   where that is zero. The floor keeps the arithmetic sound; it is no prior.
#' @param ratio Bound on the ratio of the largest to the smallest eigenvalue of all components'
#'   covariances, a number of at least 1; or `Inf`: none. See below.
#' @param ratio_scale In which units that is: `"standard"`, of columns divided by their scale (see
#'   `floor`), so that it does not depend on units; or `"raw"`, of the columns as they are, as in
#'   tclust (for data whose columns have one unit).
#' @param spurious When a component rests on too few rows to be believed: a numeric vector with any
#'   of the names `size`, `thin_size` and `thin`; names that are left out keep their default. With r
#'   the rows that determine what a component shares with no other, it is spurious if its effective
#'   size is below `size` times r; or below `thin_size` times r with its smallest eigenvalue,
#'   relative to the average covariance of the components, below `thin` (0 to 1); or if an
#'   eigenvalue is on the floor. Zeros switch the first two off.
#' @param accelerate `TRUE` or `FALSE`: whether EM is accelerated, see the section below. With
#'   `FALSE`, or `tol = 0`, all steps are EM's own.
#' @param threads Number of threads, a whole number of at least 1; or `NULL`: at most 2, and fewer
#'   where `OMP_NUM_THREADS` or `OMP_THREAD_LIMIT` says so. More than twice the processors are never
#'   used. No result depends on it.
#' @param verbose `TRUE` or `FALSE`: whether to tell of progress in long fits.
#' @param keep `TRUE` or `FALSE`: whether the fit keeps the rows. Without them there is no
#'   `predict()` without `newdata`.
#' @param checkpoint For rows that don't live in memory ([gmm_source()], [gmm_dbi()],
#'   [gmm_cluster()]): the name of a file in which a long fit records how far it has come; or
#'   `NULL`: none. See below.
#' @param checkpoint_every How many seconds may pass between two writings of it, a number of at
#'   least 0; with 0 it is written after each pass over all rows.
#' @section The ratio of eigenvalues:
#' With `ratio` no covariance can be more than that much longer in one direction than it, or another
#' one, is in any other (as a variance); a component can't shrink onto few rows, and the likelihood
#' has a maximum. 1 makes all covariances the same multiple of the identity (in the units of
#' `ratio_scale`); values from 10 to 100 are common; large ones keep away the degenerate only. Each
#' M-step truncates the eigenvalues to the range `[m, ratio m]` with the best m (Fritz,
#' Garcia-Escudero and Mayo-Iscar 2013), which maximises exactly, so that the objective never falls;
#' with a prior it truncates those of the mode. It serves weights, labels, trimming and priors
#' alike.
#'
#' Families with one covariance (EEE, EEI) keep the ratio within it; for spherical ones (VII) it is
#' that of their variances, whatever the columns' scales, and with one for all (EII) there is
#' nothing to keep. The families that share a part of the covariance (VEI EVI VEE EVE VVE EEV VEV
#' EVV) can't be truncated without breaking it, and are refused; [gmm_select()] leaves them out.
#'
#' The floor holds as well: m is never below it (with `"raw"` it is in units of the smallest scale
#' squared). So an eigenvalue lies on the floor, and its component is spurious for that, only where
#' all covariances shrink to nothing. `df` does not count the bound as a restriction. At the bound
#' [vcov()][vcov.gaussmix] and [profile()][profile.gaussmix] refuse: [gmm_boot()] serves. A start
#' given as parameters beyond the bound is truncated first.
#' @section Acceleration:
#' Where components overlap, EM takes thousands of small steps. After its first five steps a run
#' therefore tries longer ones, planned from the statistics of the last few, at no further pass over
#' the rows. One that would lower the objective, or make a covariance singular, is given up for a
#' step of EM, so that `trace` never falls; `passes` of a fit counts all passes, `iterations` the
#' steps that were taken. Convergence is judged on steps of EM at the end. A long step may lead to
#' another optimum than EM's own steps do, a better one about as often as a worse one. As long as an
#' eigenvalue is on the floor, and where rows are trimmed or the ratio of eigenvalues is bounded,
#' the steps are EM's own. Fits of rows that are not in memory first leap ahead by what their sample
#' tells, see [gmm_source()].
#' @section The wide search:
#' With `init = "auto"`, 40 starts (`n_init` of them where that is more) are made in seven ways by
#' turns: k-means++ on standardised columns; the same in the metric of the total covariance; the
#' rows nearest to each of k random rows; random rows with a scaled total covariance; quantile cuts
#' along a random direction; repeated halving between two random rows; and balls around random rows.
#' Each gets ten EM steps. Those without a spurious component come first, those with two components
#' the same last, then the higher log-likelihoods count; of those that differ the best `n_init` are
#' run again, to convergence. A run that has an eigenvalue on the floor after 40 steps is not run on
#' (with a `floor` above the default it is). Two kinds
#' of change are then proposed to the best two distinct optima, by turns: a component moves to a
#' random row or to a random row's nearest ones; or two components are merged and a third is split.
#' EM goes on from each until it is clear that it can't win. After `search` proposals without
#' success (40, if fewer, where the best has a spurious component or two that are the same; half,
#' where three starts have come to the best and no proposal has found a better one), or 20 times as
#' many in all, the best is returned.
#'
#' Where rows are trimmed, every run trims from its first step on, and every second start is made of
#' those rows that one trimmed normal keeps, so that far outliers start nothing. One component then
#' has many optima too: each proposal begins anew from d + 1 random rows, and 300 must fail.
#'
#' Where there are more than twice as many rows as max(4000, 20 k (d + 1)), all this is done on a
#' sample of that size, which follows the weights, and the best three distinct optima go on
#' from there on all rows. `starts` of the fit then tells of the sample, scaled to all rows.
#'
#' `"kmeans++"` and `"random"` run all of their `n_init` starts to convergence on all rows and
#' propose nothing; a start that was drawn before is not run again, and `starts` of the fit says so.
#' @section The hierarchical start:
#' `init = "hierarchical"` is one start, whatever `n_init` is, and draws no random numbers: the same
#' data give the same fit without [set.seed()], and the order of the rows changes nothing. At first
#' each distinct row is a group; then the two groups are joined whose union costs least of the
#' classification log-likelihood (Fraley 1998), each group with a full covariance of its own, to
#' which one row with a tenth of the total covariance is added, until `k` groups are left. The
#' M-step of these is the start. Rows are taken in the metric of the total covariance and, where
#' there are more than ten variables, by their first ten principal components.
#'
#' The work grows with the square of the number of rows: about half a second for 2000 rows of
#' ten variables. Where there are more, 2000 of them, drawn in proportion to the weights (and always
#' the same ones), are grouped, and EM goes on from there on all rows.
#'
#' It is fast and repeatable, but it is one start: where groups overlap, `"auto"` finds a better
#' optimum more often than not.
#' @section Checkpoints:
#' With `checkpoint = "fit.ckp"` the start, and then what each pass over all rows came to (a few
#' numbers a component), are written to that file: under a temporary name first, so that it is
#' always whole. The same call, after the process was ended or the fit stopped by an error, goes on
#' from the file, and comes to the same bits as if it had not been stopped. One pass is made again,
#' to see that the data are the same, to 9 digits of its sums (the rows' order is not checked). A
#' file of another model, other data or another version of the package is refused. Once the fit has
#' converged the file is deleted; after `max_iter` iterations without convergence it is kept, and
#' the same call with a larger `max_iter` goes on from there.
#' @return A list of class `"gmm_control"` with the values above; `format()` and `print()` show
#'   them.
#' @section Errors: `gaussmix_error_argument` names the argument, what it must be and what was
#'   given; `gaussmix_error_start` where `init` is of a kind that can't be a start.
#' @references Arthur, D. and Vassilvitskii, S. (2007) k-means++: the advantages of careful seeding.
#'   *Proceedings of SODA 2007*, 1027-1035.
#'
#'   Biernacki, C., Celeux, G. and Govaert, G. (2003) Choosing starting values for the EM algorithm
#'   for getting the highest likelihood in multivariate Gaussian mixture models. *Computational
#'   Statistics and Data Analysis* 41, 561-575 (short runs of EM).
#'
#'   Fritz, H., Garcia-Escudero, L. A. and Mayo-Iscar, A. (2013) A fast algorithm for robust
#'   constrained clustering. *Computational Statistics and Data Analysis* 61, 124-136.
#'   \doi{10.1016/j.csda.2012.11.018}
#'
#'   Fraley, C. (1998) Algorithms for model-based Gaussian hierarchical clustering. *SIAM Journal on
#'   Scientific Computing* 20, 270-281. \doi{10.1137/S1064827596311451}
#'
#'   Ueda, N., Nakano, R., Ghahramani, Z. and Hinton, G. E. (2000) SMEM algorithm for mixture
#'   models. *Neural Computation* 12, 2109-2128.
#' @seealso [gmm()]
#' @examples
#' gmm_control(n_init = 20, tol = 1e-8)
#' gmm(iris[1:4], k = 3, control = gmm_control(ratio = 20))
#' @export
gmm_control <- function(..., n_init = 10, init = "auto", search = NULL, max_iter = 10000,
                        tol = 1e-9, floor = 1e-10, ratio = Inf,
                        ratio_scale = c("standard", "raw"),
                        spurious = c(size = 2, thin_size = 10, thin = 1e-3), accelerate = TRUE,
                        threads = NULL, verbose = interactive(), keep = TRUE, checkpoint = NULL,
                        checkpoint_every = 60) {
  check_dots_empty(...)
  if (!is.null(checkpoint) && !(is_string(checkpoint) && nzchar(checkpoint))) {
    gmm_abort("argument", must_be("checkpoint", "the name of a file, or NULL", checkpoint))
  }
  structure(class = "gmm_control", list(
    n_init = check_whole(n_init),
    init = check_init(init),
    search = if (!is.null(search)) check_whole(search, min = 0),
    max_iter = check_whole(max_iter, min = 0, max = 1e6),
    tol = check_number(tol, min = 0),
    floor = check_number(floor, min = 0, max = 1, ends = "()"),
    ratio = check_number(ratio, min = 1, finite = FALSE),
    ratio_scale = check_choice(ratio_scale, c("standard", "raw")),
    spurious = check_spurious(spurious),
    accelerate = check_flag(accelerate),
    threads = if (!is.null(threads)) check_whole(threads),
    verbose = check_flag(verbose),
    keep = check_flag(keep),
    checkpoint = checkpoint,
    checkpoint_every = check_number(checkpoint_every, min = 0)
  ))
}

# What gmm() is given as `control`: the result of gmm_control(), or a list of its arguments. Checked
# anew, so that a changed object is caught.
check_control <- function(control) {
  named <- is.list(control) && !is.data.frame(control) &&
    (length(control) == 0L || !is.null(names(control)))
  if (!named || is.object(control) && !inherits(control, "gmm_control")) {
    gmm_abort("argument", must_be("control", "the result of gmm_control()", control))
  }
  do.call(gmm_control, unclass(control))
}

named_starts <- c("auto", "kmeans++", "random", "hierarchical")

# The kind of a start; what it holds is checked against the data in init.R. Of a gmm object only the
# parameters are kept: its data, and the start that it came from, would live on in the next fit.
check_init <- function(init) {
  if (is.character(init) && length(init) == 1L) {
    return(check_choice(init, named_starts))
  }
  plain <- is.atomic(init) && !is.null(init) && (!is.object(init) || is.factor(init))
  if (!plain && !is.function(init) && !is.data.frame(init) && !is_parameters(init)) {
    expected <- c(dQuote(named_starts, FALSE), "labels", "responsibilities",
                  "a gmm object or a function")
    gmm_abort("start", must_be("init", some(expected, Inf), init))
  }
  if (inherits(init, "gaussmix")) return(bare_parameters(init, "init"))
  if (is_parameters(init) && all(parameter_fields %in% names(init))) {
    init <- init[c(parameter_fields, intersect("noise", names(init)))]
  }
  init
}

# A gmm object, or a list that may hold its parameters.
is_parameters <- function(init) inherits(init, "gmm") || is.list(init) && !is.object(init)

spurious_default <- eval(formals(gmm_control)$spurious)

check_spurious <- function(spurious) {
  all <- spurious_default
  named <- is.numeric(spurious) && !is.object(spurious) &&
    (length(spurious) == 0L || !is.null(names(spurious)))
  if (!named || anyDuplicated(names(spurious))) {
    gmm_abort("argument", must_be("spurious", paste(
      "a numeric vector with names among", some(backtick(names(all)))
    ), spurious))
  }
  for (name in names(spurious)) {
    if (!name %in% names(all)) {
      gmm_abort("argument", sprintf("`spurious` has the names %s, not %s.",
                                    some(backtick(names(all))), backtick(name)),
                did_you_mean(name, names(all), backtick))
    }
    all[[name]] <- check_number(spurious[[name]], sprintf("spurious[\"%s\"]", name), min = 0,
                                max = if (name == "thin") 1 else Inf)
  }
  all
}

#' @export
format.gmm_control <- function(x, ...) {
  spurious <- paste(names(x$spurious), "=", number_text(x$spurious), collapse = ", ")
  values <- c(
    n_init = number_text(x$n_init), init = init_text(x$init),
    search = if (is.null(x$search)) "NULL (40 + 20 k)" else number_text(x$search),
    max_iter = number_text(x$max_iter), tol = number_text(x$tol), floor = number_text(x$floor),
    ratio = number_text(x$ratio), ratio_scale = x$ratio_scale,
    spurious = spurious, accelerate = as.character(x$accelerate),
    threads = if (is.null(x$threads)) "NULL (at most 2)" else number_text(x$threads),
    verbose = as.character(x$verbose), keep = as.character(x$keep),
    checkpoint = if (is.null(x$checkpoint)) "NULL (none)" else x$checkpoint,
    checkpoint_every = number_text(x$checkpoint_every)
  )
  paste0("  ", format(names(values)), "  ", values)
}

init_text <- function(init) if (is_parameters(init)) "parameters" else describe(init)

#' @export
print.gmm_control <- function(x, ...) {
  cat("Control of gmm():", format(x), sep = "\n")
  invisible(x)
}
