# Memory of fits, in MiB: scale.R starts this in a process of its own. Prints "beside", the peak of
# the resident set during gmm() of 1e6 x 10, less what it was before the data came, less the data;
# and "peak", that of a fit of 1e7 x 10 with all that the process holds, 763 MiB of data included.

library(gaussmix)
source("bench/process.R")

set.seed(1)
k <- 5
means <- matrix(6 * rnorm(10 * k), k)
groups <- function(n) { # in pieces, so that little of what is free now hides what the fit takes
  x <- matrix(0, n, 10)
  piece <- min(n, 1e5)
  for (from in seq(0, n - piece, piece)) {
    x[from + seq_len(piece), ] <- rnorm(10 * piece) + means[sample(k, piece, TRUE), ]
  }
  x
}
peak_of_fit <- function(n) {
  x <- groups(n)
  invisible(gc())
  writeLines("5", "/proc/self/clear_refs") # the peak starts anew
  # Ten starts, as by default; few iterations, which take time but no memory.
  fit <- gmm(x, k, control = gmm_control(max_iter = 10, verbose = FALSE))
  stopifnot(fit$converged)
  status_mib("VmHWM")
}
small <- gmm(groups(1000), k) # so that code which loads at first use is not counted
invisible(gc())
before <- status_mib("VmRSS")
cat("beside:", peak_of_fit(1e6) - before - 10 * 1e6 * 8 / 2^20, "\n")
cat("peak:", peak_of_fit(1e7), "\n")
