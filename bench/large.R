# Rows beyond memory: whole fits of a file in chunks, against reading it alone.
#
#   Rscript bench/large.R [rows] [file] [covariance] [from]
#
# 1e8 rows x 5 are 4 GB; the file is made where it is not, of draws from a mixture of 4 components
# with diagonal covariances. covariance: "full" or "diag", from: "cache" (the system holds the file)
# or "disk" (its pages are dropped before each pass); without them all four, one after the other. The
# source notes when a pass begins and ends, and how much of it is reading; reading alone is a loop of
# readBin() over the file, before the fit and after it, and `cat`. Memory is VmHWM of
# /proc/self/status, in a process that has done nothing else but making the file.
# A row a fit goes to results/large.csv.

library(gaussmix)
source("bench/process.R")

given <- commandArgs(TRUE)
n <- if (length(given)) as.numeric(given[1]) else 1e8
file <- if (length(given) > 1) given[2] else file.path(tempdir(), "large.bin")
d <- 5
k <- 4
size <- 2e5 # rows of a chunk: 8 MB

elapsed <- function() proc.time()[["elapsed"]]
seconds <- function(expr) system.time(expr)[["elapsed"]]

set.seed(1)
means <- matrix(rnorm(k * d, sd = 2), k)
truth <- gmm_params(c(.4, .3, .2, .1), means,
                    vapply(seq_len(k), function(j) diag(runif(d, .5, 2)), diag(d)))
chunk <- function(at) {
  set.seed(at)
  x <- rgmm(size, truth)
  attr(x, "component") <- NULL
  x
}

if (!file.exists(file)) {
  at <- 0
  draw <- function(reset) {
    if (reset) {
      at <<- 0
    } else if (at < n / size) {
      at <<- at + 1
      chunk(at)
    }
  }
  made <- seconds(gmm_write(gmm_source(draw), file))
  cat(sprintf("written: %.1f GB in %.0f s\n", file.size(file) / 1e9, made))
}

drop_pages <- function() system2("dd", c(paste0("if=", file), "iflag=nocache", "count=0"),
                                 stderr = FALSE)
hold_pages <- function() system(paste("cat", file, "> /dev/null"))

read_alone <- function(from) {
  if (from == "disk") drop_pages()
  seconds({
    con <- base::file(file, "rb")
    while (length(readBin(con, "double", size * d, endian = "little"))) NULL
    close(con)
  })
}

# A source and what it noted: a row a pass, its seconds and those of reading.
timed <- function(from) {
  inner <- gmm_source(file, format = "binary")
  passes <- NULL
  begun <- read <- 0
  data <- function(reset) {
    if (reset) {
      if (from == "disk") drop_pages()
      inner$rewind()
      begun <<- elapsed()
      read <<- 0
      return()
    }
    from <- elapsed()
    rows <- inner$next_chunk()
    read <<- read + elapsed() - from
    if (is.null(rows)) passes <<- rbind(passes, c(all = elapsed() - begun, read = read))
    rows
  }
  list(source = gmm_source(data), passes = function() passes, close = inner$close)
}

# The log-likelihood of the parameters that the rows were drawn from: one E-step.
truth_loglik <- function(covariance) {
  start <- gmm_control(init = truth, max_iter = 0, verbose = FALSE)
  as.numeric(logLik(suppressWarnings(gmm(gmm_source(file, format = "binary"), k, covariance,
                                         control = start))))
}

measure <- function(covariance, from) {
  if (from == "cache") hold_pages()
  before <- read_alone(from)
  source <- timed(from)
  set.seed(2)
  total <- seconds(fit <- gmm(source$source, k, covariance,
                              control = gmm_control(verbose = FALSE)))
  source$close()
  peak <- status_mib("VmHWM")
  reading <- mean(c(before, read_alone(from)))
  if (from == "disk") drop_pages()
  piped <- seconds(hold_pages())
  passes <- source$passes()
  data.frame(
    date = format(Sys.Date()), rows = n, covariance = covariance, from = from,
    reading_s = reading, cat_s = piped, survey_s = passes[1, "all"],
    pass_s = median(passes[-1, "all"]), pass_read_s = median(passes[-1, "read"]),
    passes = fit$passes, total_s = total, speed = reading / median(passes[-1, "all"]),
    survey_speed = reading / passes[1, "all"],
    speed_in_all = (1 + fit$passes) * reading / total, peak_mib = peak,
    loglik = as.numeric(logLik(fit)),
    above_truth = as.numeric(logLik(fit)) - truth_loglik(covariance)
  )
}

results <- "bench/results/large.csv"
for (from in if (length(given) > 3) given[4] else c("cache", "disk")) {
  for (covariance in if (length(given) > 2) given[3] else c("full", "diag")) {
    row <- measure(covariance, from)
    print(t(row), quote = FALSE)
    fresh <- !file.exists(results)
    row$loglik <- sprintf("%.3f", row$loglik)
    write.table(format(row, digits = 4), results, append = !fresh, col.names = fresh, sep = ",",
                row.names = FALSE, quote = FALSE)
  }
}
