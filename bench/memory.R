# What a fit adds to the memory of R, in MB: run.R starts this in a process of its own.
# Prints the growth of the resident set from just before gmm() to its peak, data not counted.

library(gaussmix)

status_mb <- function(field) {
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

set.seed(1)
n <- 1e6
k <- 5
x <- matrix(rnorm(10 * n), n)
for (j in seq_len(10)) x[, j] <- x[, j] + rep_len(6 * rnorm(k), n)
small <- gmm(x[seq_len(1000), ], k) # so that code which loads at first use is not counted
invisible(gc())
writeLines("5", "/proc/self/clear_refs") # the peak starts anew
before <- status_mb("VmRSS")
fit <- gmm(x, k)
cat(status_mb("VmHWM") - before, "\n")
