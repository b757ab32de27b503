# Parts growth, memory: how time and memory go with the number of rows.

# Nanoseconds a row and iteration, ten columns, five components.
part("growth", function(rounds) {
  d <- 10
  k <- 5
  set.seed(1)
  means <- matrix(rnorm(k * d), k)
  start <- gmm_params(rep(1 / k, k), means, diag(d))
  for (n in c(1e4, 1e5, 1e6, 1e7)) {
    x <- rgmm(n, start)
    attr(x, "component") <- NULL
    steps <- c(1, 1 + max(8, round(1e7 / n)))
    run <- function(i) {
      gmm(x, k, control = gmm_control(init = start, max_iter = i, tol = 0, verbose = FALSE))
    }
    for (i in seq_len(rounds)) {
      record(sprintf("growth n = %.0e", n), ours, 1e6 * ms_per_iteration(run, steps) / n, "ns/row")
    }
  }
}, rounds = 5L)

# In a process of its own: the peak of its memory, and what a smaller fit adds.
part("memory", function(rounds) {
  out <- run_memory()
  record("memory 1e7 x 10", ours, as.numeric(out$peak), "MiB in all")
  record("memory beside", ours, as.numeric(out$beside), "MiB beside 1e6 x 10")
})
run_memory <- function() {
  as.list(read.dcf(textConnection(system2(rscript, "bench/memory.R", stdout = TRUE)))[1, ])
}
