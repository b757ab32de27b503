# Rows beyond memory: seconds a pass, against reading the file alone, and the peak of memory.
#
#   Rscript bench/large.R [rows] [file]      1e8 rows x 5 are 4 GB; the file is made where it is not
#
# The file is written by gmm_write() from chunks that are drawn; it is read once before, so that
# both ways find what the system keeps of it. Memory is VmHWM of /proc/self/status, in a process
# that has done nothing else than the fit.

library(gaussmix)
source("bench/process.R")

given <- commandArgs(TRUE)
n <- if (length(given)) as.numeric(given[1]) else 1e8
file <- if (length(given) > 1) given[2] else file.path(tempdir(), "large.bin")
d <- 5
k <- 4
size <- 2e5 # rows of a chunk: 8 MB

seconds <- function(expr) system.time(expr)[["elapsed"]]

if (!file.exists(file)) {
  set.seed(1)
  truth <- gmm_params(c(.4, .3, .2, .1), matrix(rnorm(k * d, sd = 2), k), diag(d))
  base <- rgmm(size, truth)
  attr(base, "component") <- NULL
  at <- 0
  draw <- function(reset) { # the same draws, moved a little
    if (reset) {
      at <<- 0
    } else if (at < n / size) {
      at <<- at + 1
      base + 0.1 * sin(at + seq_len(size))
    }
  }
  made <- seconds(gmm_write(gmm_source(draw), file))
  cat(sprintf("written: %.1f GB in %.0f s\n", file.size(file) / 1e9, made))
}

read_through(file)
reading <- min(seconds(read_through(file)), seconds(read_through(file)))
cat(sprintf("reading: %.2f s, %.2f GB/s\n", reading, file.size(file) / 1e9 / reading))

for (covariance in c("full", "diag")) {
  source <- gmm_source(file, format = "binary")
  set.seed(2)
  total <- seconds(fit <- gmm(source, k, covariance, control = gmm_control(verbose = FALSE)))
  step <- gmm_control(init = fit, tol = 0, max_iter = 0)
  first <- min(seconds(gmm(source, k, covariance, control = step)))
  more <- gmm_control(init = fit, tol = 0, max_iter = 3)
  four <- seconds(gmm(source, k, covariance, control = more))
  pass <- (four - first) / 3
  text <- paste("%s: %d passes and the first one in %.1f s; %.2f s a pass,",
                "%.2f of the speed of reading; peak %.0f MiB\n")
  cat(sprintf(text, covariance, fit$passes, total, pass, reading / pass,
              status_mib("VmHWM")))
}
