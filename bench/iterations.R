# Parts P1 to P4, diag, ClusterR, mclust: time of one EM iteration on all rows, from the same start.

# Iterations between which each is timed: enough to rise above the noise.
between <- list(
  gaussmix = list(P1 = c(2, 202), P2 = c(2, 102), P3 = c(2, 22), P4 = c(2, 22)),
  sklearn = list(P1 = c(2, 12), P2 = c(2, 12), P3 = c(2, 7), P4 = c(2, 12)),
  ClusterR = c(2, 12), mclust = c(1, 3),
  vlfeat = list(P1 = c(2, 12), P2 = c(2, 10), P3 = c(1, 3)) # it stops soon
)

# Returns the trace of the longest run.
time_ours <- function(work, covariance) {
  steps <- between$gaussmix[[work$name]]
  if (covariance == "diag") steps[2] <- steps[2] + 80
  for (threads in 1:2) {
    value <- ms_per_iteration(function(i) em_steps(work, i, covariance, threads), steps)
    record(paste(covariance, work$name), ours, value, "ms/iteration", threads)
  }
  em_steps(work, steps[2], covariance)$trace
}

time_sklearn <- function(work, covariance, trace) {
  steps <- between$sklearn[[work$name]]
  out <- peer_sklearn("iterations", cache, work$name, covariance, steps)
  same_loglik(as.numeric(out$loglik), trace[steps[2] + 1], "scikit-learn")
  for (layout in c("by_rows", "by_columns")) {
    record(paste(covariance, work$name), paste0(out$version, ", data ", sub("_", " ", layout)),
           as.numeric(out[[layout]]), "ms/iteration", quality = out$loglik)
  }
}

time_mclust <- function(work) {
  out <- peer_r("mclust", cache, work$name, between$mclust)
  steps <- between$mclust[2] + 1 # em() makes one step more than itmax
  same_loglik(as.numeric(out$loglik), em_steps(work, steps)$loglik, "mclust")
  record(paste("full", work$name), out$version, as.numeric(out$ms), "ms/iteration",
         quality = out$loglik)
}

# VLFeat computes variances about the means of the step before and leaves out small posteriors, and
# so takes slightly other steps than EM.
time_vlfeat <- function(work, trace) {
  steps <- between$vlfeat[[work$name]]
  out <- run_peer(vlfeat_program(), c(file.path(cache, work$name), steps, 3))
  same_loglik(as.numeric(out$loglik), trace[steps[2] + 1], "VLFeat", 1e-3)
  record(paste("diag", work$name), out$version, as.numeric(out$ms), "ms/iteration",
         quality = out$loglik)
}

vlfeat_program <- function() {
  program <- file.path(cache, "peer_vlfeat")
  source <- "bench/peer_vlfeat.c"
  if (!file.exists(program) || file.mtime(program) < file.mtime(source)) {
    compiler <- strsplit(system2("R", c("CMD", "config", "CC"), stdout = TRUE), " ")[[1]]
    args <- c(compiler[-1], "-O2", "-o", program, source, "-lvl", "-lm")
    stopifnot(system2(compiler[1], args) == 0)
  }
  program
}

for (name in names(between$gaussmix)) local({
  name <- name
  part(name, function(rounds) {
    work <- workload(name)
    for (round in seq_len(rounds)) {
      trace <- time_ours(work, "full")
      time_sklearn(work, "full", trace)
      if (name == "P4") record("DGEMM rate", "OpenBLAS", as.numeric(peer_sklearn("dgemm")$gflops),
                               "GF/s")
    }
  }, needs = c("sklearn", "openblas"), rounds = c(P1 = 3L, P2 = 5L, P3 = 2L, P4 = 3L)[[name]])
})

part("diag", function(rounds) {
  for (name in names(between$vlfeat)) {
    work <- workload(name)
    for (round in seq_len(rounds)) {
      trace <- time_ours(work, "diag")
      time_vlfeat(work, trace)
      if (name != "P1" && round <= 2) time_sklearn(work, "diag", trace)
    }
  }
}, needs = c("sklearn", "openblas", "vlfeat"))

# It takes no start: means of its own, so that no log-likelihood is compared.
part("ClusterR", function(rounds) {
  workload("P2")
  for (round in seq_len(rounds)) {
    out <- peer_r("ClusterR", cache, "P2", between$ClusterR)
    record("full P2", out$version, as.numeric(out$ms), "ms/iteration")
  }
}, needs = c("sklearn", "openblas", "ClusterR"))

part("mclust", function(rounds) {
  for (name in names(between$gaussmix)) {
    work <- workload(name)
    for (round in seq_len(rounds)) time_mclust(work)
  }
}, needs = c("sklearn", "openblas", "mclust"), rounds = 1L)
