# Many replicates of a random computation, here, on forked processes, or on a cluster of package
# parallel. Each has a seed of its own, drawn beforehand from R's random numbers, so that the
# results are the same for any number of processes.

# A number of processes, or a cluster.
check_cluster <- function(cl) {
  if (is.null(cl)) return(1L)
  if (inherits(cl, "cluster")) return(cl)
  if (!is_count(cl)) {
    gmm_abort("argument", must_be("cl", "a whole number of at least 1, a cluster or NULL", cl),
              "A cluster is made by parallel::makeCluster().")
  }
  as.integer(cl)
}

draw_seeds <- function(n) sample.int(.Machine$integer.max, n)

# task(), with R's random numbers started at each of the seeds -> a list. The task gets the number
# of threads that it may use. `title` begins messages of progress; NULL: there are none.
run_replicates <- function(seeds, task, cl, threads = NULL, title = NULL) {
  if (!inherits(cl, "cluster") && cl == 1L) {
    return(run_in_turn(seeds, function(seed) with_seed(seed, task(threads)), title))
  }
  one <- function(seed) with_seed(seed, task(1L))
  if (!inherits(cl, "cluster") && .Platform$OS.type != "windows") {
    return(check_children(parallel::mclapply(seeds, one, mc.cores = cl, mc.set.seed = FALSE)))
  }
  if (!inherits(cl, "cluster")) {
    cl <- parallel::makePSOCKcluster(cl)
    on.exit(parallel::stopCluster(cl))
  }
  load_on_workers(cl)
  parallel::parLapply(cl, seeds, one)
}

run_in_turn <- function(seeds, one, title, clock = elapsed) {
  told <- clock()
  lapply(seq_along(seeds), function(i) {
    if (!is.null(title) && clock() - told > 2) {
      gmm_inform(sprintf("%s: replicate %d of %d", title, i, length(seeds)))
      told <<- clock()
    }
    one(seeds[i])
  })
}

# The value of an expression with random numbers that start at a seed; those of the session stay as
# they are, and so does their kind.
with_seed <- function(seed, code) {
  state <- random_state()
  on.exit(assign(".Random.seed", state, envir = globalenv()))
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  code
}

check_children <- function(values) {
  failed <- Find(function(value) inherits(value, "try-error"), values)
  if (!is.null(failed)) stop(attr(failed, "condition"))
  if (any(vapply(values, is.null, NA))) {
    gmm_abort("memory", "A process that computed replicates was ended from outside.",
              "There may be too little memory: use fewer processes (`cl`).")
  }
  values
}

load_on_workers <- function(cl) {
  own <- getNamespaceName(topenv())[["name"]]
  where <- c(dirname(getNamespaceInfo(own, "path")), .libPaths())
  loaded <- parallel::clusterCall(cl, requireNamespace, own, lib.loc = where, quietly = TRUE)
  if (!all(unlist(loaded))) {
    gmm_abort("package", sprintf("The workers of `cl` must have package %s installed.", own),
              "Or use a number of processes: `cl = 2`.")
  }
}

elapsed <- function() proc.time()[["elapsed"]]
