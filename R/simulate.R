#' Draws from a Gaussian mixture
#'
#' The draws are a function of R's seed alone: not of the number of threads, and the first rows of a
#' larger sample (of unordered draws) are those of a smaller one.
#'
#' @param n Number of draws, a whole number of at least 0.
#' @param fit A gmm object.
#' @param order `"random"`: independent draws; `"component"`: sorted by component, with the same
#'   number of each as the independent draws from the same seed have.
#' @return A numeric n x d matrix with the variables' names (for a fit on a vector, a vector), and
#'   an attribute `"component"`: the factor of the components drawn from.
#' @section Errors: `gaussmix_error_argument` where `n` is not a whole number of at least 0;
#'   `gaussmix_error_noise` where the mixture has noise of a volume without limits.
#' @references Salmon, J. K., Moraes, M. A., Dror, R. O. and Shaw, D. E. (2011) Parallel random
#'   numbers: as easy as 1, 2, 3. *SC '11*. \doi{10.1145/2063384.2063405} (the generator, keyed by
#'   R's)
#' @examples
#' m <- gmm_params(c(0.3, 0.7), means = rbind(c(0, 0), c(4, 1)), covariances = diag(2))
#' set.seed(1)
#' x <- rgmm(6, m)
#' x
#' @export
rgmm <- function(n, fit, order = c("random", "component")) {
  validate_gmm(fit)
  check_given(n, "the number of draws")
  n <- check_whole(n, min = 0)
  order <- check_choice(order, c("random", "component"))
  draws <- engine_sample(n, fit, order == "component", fit$control$threads)
  if (fit$blueprint$kind == "vector") dim(draws) <- NULL
  draws
}

# The state of R's random numbers, made where there is none yet.
random_state <- function() {
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) stats::runif(1)
  get(".Random.seed", envir = globalenv())
}

#' Simulate data sets from a fit
#'
#' Draws data sets of the size and kind of the training data, by the contract of
#' [stats::simulate()].
#'
#' @param object A fit.
#' @param nsim Number of data sets, a whole number of at least 1.
#' @param seed `NULL`, or a whole number for [set.seed()]; R's random numbers are then left as they
#'   were.
#' @param ... Must be empty.
#' @return A list `sim_1`, ..., `sim_<nsim>` of data sets like the training data (vector, matrix,
#'   data frame, tibble or data.table; as many rows, same names), each with an attribute
#'   `"component"` as of [rgmm()]. They are complete, also where the training data are not.
#'   Attribute `"seed"` as for [stats::simulate()].
#' @section Errors: `gaussmix_error_data` for a mixture without data: see [rgmm()].
#' @examples
#' fit <- gmm(faithful, k = 2)
#' sims <- simulate(fit, nsim = 2, seed = 1)
#' str(sims)
#' @export
simulate.gaussmix <- function(object, nsim = 1, seed = NULL, ...) {
  check_dots_empty(...)
  need_fit(object, "simulate()")
  nsim <- check_whole(nsim)
  state <- random_state()
  if (is.null(seed)) {
    stamp <- state
  } else {
    seed <- check_whole(seed, min = -.Machine$integer.max)
    on.exit(assign(".Random.seed", state, envir = globalenv()))
    stamp <- structure(seed, kind = as.list(RNGkind()))
    set.seed(seed)
  }
  sims <- lapply(seq_len(nsim), function(i) {
    draws <- engine_sample(check_whole(fit_rows(object), "the number of rows"), object, FALSE,
                           object$control$threads)
    component <- attr(draws, "component")
    attr(draws, "component") <- NULL
    rownames(draws) <- if (!is.null(object$x)) rownames(object$x) else names(object$logdensity)
    structure(as_frame_kind(data_like(draws, object$blueprint), object$blueprint$frame),
              component = component)
  })
  structure(stats::setNames(sims, paste0("sim_", seq_len(nsim))), seed = stamp)
}

# A data frame of the kind that the fit was given, where its package is there.
as_frame_kind <- function(frame, kind) {
  if (is.null(kind) || !requireNamespace(kind, quietly = TRUE)) return(frame)
  if (kind == "tibble") tibble::as_tibble(frame) else data.table::as.data.table(frame)
}
