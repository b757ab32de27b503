# What a fit adds to the memory of R, in MB: run.R starts this in a process of its own.
# Prints the peak of the resident set during gmm(), less what it was before the data came, less the
# data themselves.

library(gaussmix)

status_mb <- function(field) {
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

set.seed(1)
k <- 5
groups <- function(n) {
  x <- matrix(0, n, 10)
  for (j in seq_len(10)) {
    x[, j] <- rnorm(n) + rep_len(6 * rnorm(k), n)
    gc() # so that little of what is free now hides what the fit takes
  }
  x
}
small <- gmm(groups(1000), k) # so that code which loads at first use is not counted
invisible(gc())
before <- status_mb("VmRSS")
x <- groups(1e6)
invisible(gc())
writeLines("5", "/proc/self/clear_refs") # the peak starts anew
# Ten starts, as by default; few iterations, which take time but no memory.
fit <- gmm(x, k, control = gmm_control(max_iter = 10))
stopifnot(fit$converged)
cat(status_mb("VmHWM") - before - as.numeric(object.size(x)) / 2^20, "\n")
