# Parts density, sampling: scoring of all rows, and draws.

part("density", function(rounds) {
  for (name in c("P2", "P3")) {
    work <- workload(name)
    fit <- em_steps(work, 2)
    score <- function() predict(fit, work$x, type = "logdensity")
    loglik <- sum(score())
    out <- peer_sklearn("density", cache, name, rounds)
    same_loglik(as.numeric(out$loglik), loglik, "scikit-learn")
    record(paste("density", name), out$version, numbers(out$ms), "ms", quality = out$loglik)
    for (i in seq_len(5 * rounds)) {
      record(paste("density", name), ours, 1000 * seconds(score()), "ms", quality = loglik)
    }
  }
}, needs = c("sklearn", "openblas"))

# Theirs come sorted by component, ours in random order.
part("sampling", function(rounds) {
  for (name in c("P1", "P3")) {
    work <- workload(name)
    fit <- em_steps(work, 2)
    task <- sprintf("sampling %s x %d", if (name == "P1") "1e6" else "1e5", work$d)
    out <- peer_sklearn("sample", cache, name, format(work$n, scientific = FALSE), rounds)
    record(task, out$version, numbers(out$ms), "ms")
    rgmm(work$n, fit)
    for (i in seq_len(5 * rounds)) record(task, ours, 1000 * seconds(rgmm(work$n, fit)), "ms")
  }
}, needs = c("sklearn", "openblas"))
