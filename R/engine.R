# The only file with .Call(): R values in, R values out. Arguments have been checked before.
# Means are k x d in R and d x k in C; weights are divided by a power of two near their mean, so
# that neither they nor their squares can overflow; a power of two changes no digit.

weight_unit <- function(w) if (is.null(w)) 1 else 2^round(log2(mean(w[w > 0])))

params_to_c <- function(params) {
  list(proportions = params$proportions, means = t(params$means), covariances = params$covariances)
}

# Memory that can't be had is the one failure that the core does not foresee.
with_memory <- function(call) {
  tryCatch(call, error = function(e) {
    lacking <- gettextf("cannot allocate vector of size %0.1f %s", 0, "", domain = "R")
    patterns <- c("cannot allocate", sub("0.0.*", "", lacking))
    if (!any(startsWith(conditionMessage(e), patterns))) stop(e)
    gmm_abort("memory", sprintf("There is not enough memory: %s.", conditionMessage(e)))
  })
}

# x: double matrix n x d; w: double n or NULL; start: "kmeans++", "random", integer labels (n), a
# double matrix of responsibilities (n x k), or list(proportions, means, covariances).
# `title` begins messages of progress.
# Value: list(which, starts (data.frame), proportions, means, covariances, loglik, trace, gain,
# nobs, verdict (data.frame)); which = 0 and no parameters where no start survived.
engine_fit <- function(x, w, code, k, scale, start, control, title = "gmm()") {
  unit <- weight_unit(w)
  given <- !is.character(start)
  options <- list(
    n_starts = if (given) 1L else control$n_init, max_iter = control$max_iter, tol = control$tol,
    floor = control$floor, spurious = as.double(control$spurious), threads = control$threads,
    progress = if (control$verbose) title else ""
  )
  if (is.list(start)) start <- params_to_c(start)
  out <- with_memory(
    .Call(ffi_gmm_fit, x, if (!is.null(w)) w / unit, code, k, as.double(scale), start, options)
  )
  starts <- list2DF(out$starts)
  starts$objective <- unit * starts$objective
  starts$loglik <- unit * starts$loglik
  out$starts <- starts
  if (out$which > 0L) {
    out$means <- t(out$means)
    out$trace <- unit * out$trace
    out$gain <- unit * out$gain
    out$loglik <- starts$loglik[out$which]
    out$nobs <- unit * out$total
    out$verdict <- list2DF(out$verdict)
    out$verdict$spurious <- as.logical(out$verdict$spurious)
  }
  out
}

# x: double matrix without NA. type: "logdensity" (n), "prob", "component", "mahalanobis" (n x k).
engine_score <- function(x, params, type, threads = NULL) {
  with_memory(.Call(ffi_gmm_score, x, params$covariance, params_to_c(params), type, threads))
}

# list(x (n x d), component (n))
engine_sample <- function(n, params, by_component = FALSE, threads = NULL) {
  with_memory(.Call(ffi_gmm_sample, n, params$covariance, params_to_c(params),
                    as.integer(by_component), threads))
}

# For tests: one block of rows through the stages of a kernel, and the generator itself.
engine_kernel <- function(path, x, params, w = NULL, label = NULL, extra = NULL) {
  .Call(ffi_gmm_kernel, path, params$covariance, params_to_c(params), x, w, label, extra)
}
engine_random <- function(key, index, stream = 0L, lane = 0L) {
  .Call(ffi_gmm_random, key, as.double(index), stream, lane)
}

# list(path, paths, threads, openmp): the instruction set in use, those that this processor has,
# the default number of threads.
engine_info <- function() .Call(ffi_gmm_engine)
