# Is one commit slower than another?
#
#   Rscript bench/compare.R BEFORE AFTER [threshold=1.1] [rounds=7]      in the project's folder
#
# Both commits are installed into temporary libraries. Each round times a handful of tasks with the
# one and with the other, in processes of their own, in turns of who is first; ratios are taken
# within a round, so that what else the machine does hits both. Exit status 1 where the median ratio
# of a task is above the threshold.

given <- commandArgs(TRUE)

# ---- one process: all tasks with the package in the library given --------------------------------

tasks <- function() {
  set.seed(1)
  rows <- function(n, d, k) {
    matrix(rnorm(k * d), k)[sample(k, n, TRUE), , drop = FALSE] + matrix(rnorm(n * d), n)
  }
  wide <- rows(1e5, 10, 10)
  wider <- rows(2e4, 50, 5)
  flat <- rows(5e4, 2, 3)
  dot <- matrix(rnorm(10))
  steps <- function(x, k, covariance, count) {
    start <- rep_len(seq_len(k), nrow(x))
    control <- gmm_control(init = start, max_iter = count, tol = 0, verbose = FALSE)
    gmm(x, k, covariance, control = control)
  }
  fit <- steps(wide, 10, "full", 3)
  quick <- gmm_control(n_init = 1, search = 0, verbose = FALSE)
  list(
    "full 1e5 x 10" = function() steps(wide, 10, "full", 40),
    "full 2e4 x 50" = function() steps(wider, 5, "full", 20),
    "diag 1e5 x 10" = function() steps(wide, 10, "diag", 80),
    "whole fit 5e4 x 2" = function() gmm(flat, 3, control = gmm_control(verbose = FALSE)),
    "grid faithful k 1:4" = function() suppressWarnings(gmm_select(faithful, 1:4)),
    "log-density 1e5 x 10" = function() for (i in 1:10) predict(fit, wide, type = "logdensity"),
    "sampling 1e5 x 10" = function() for (i in 1:3) rgmm(1e5, fit),
    "100 small calls" = function() for (i in 1:100) gmm(dot, 1, control = quick)
  )
}

if (identical(given[1], "--run")) {
  library(gaussmix, lib.loc = given[2])
  for (name in names(all <- tasks())) {
    run <- all[[name]]
    set.seed(1)
    run()
    gc(FALSE)
    set.seed(1)
    begin <- as.numeric(Sys.time())
    run()
    cat(sprintf("%s: %.17g\n", name, as.numeric(Sys.time()) - begin))
  }
  quit()
}

# ---- both ----------------------------------------------------------------------------------------

number <- function(name, default) {
  at <- grep(paste0("^", name, "="), given, value = TRUE)
  if (length(at)) as.numeric(sub(".*=", "", at[1])) else default
}
commits <- grep("=", given, value = TRUE, invert = TRUE)
threshold <- number("threshold", 1.1)
rounds <- number("rounds", 7)
if (length(commits) != 2L || !file.exists("bench/compare.R")) {
  stop("usage, in the project's folder: ",
       "Rscript bench/compare.R BEFORE AFTER [threshold=] [rounds=]")
}

install <- function(commit) {
  folder <- tempfile("commit")
  library <- file.path(folder, "library")
  dir.create(library, recursive = TRUE)
  archive <- file.path(folder, "source.tar")
  stopifnot(
    system2("git", c("archive", "--prefix=gaussmix/", "-o", archive, shQuote(commit))) == 0,
    utils::untar(archive, exdir = folder) == 0
  )
  log <- file.path(folder, "log")
  failed <- system2(file.path(R.home("bin"), "R"),
                    c("CMD", "INSTALL", "--no-docs", "--no-test-load",
                      paste0("--library=", library),
                      file.path(folder, "gaussmix")), stdout = log, stderr = log)
  if (failed) {
    stop(commit, " can't be installed:\n", paste(tail(readLines(log), 20), collapse = "\n"))
  }
  library
}
libraries <- vapply(commits, install, "")

run <- function(library) {
  out <- system2(file.path(R.home("bin"), "Rscript"), c("bench/compare.R", "--run", library),
                 stdout = TRUE)
  stopifnot(is.null(attr(out, "status")))
  stats::setNames(as.numeric(sub(".*: ", "", out)), sub(": [^:]*$", "", out))
}

seconds <- lapply(seq_len(rounds), function(round) {
  order <- if (round %% 2) 1:2 else 2:1
  both <- lapply(libraries[order], run)[order(order)]
  cat("round", round, "of", rounds, "\n")
  do.call(cbind, both)
})
ratios <- vapply(seconds, function(s) s[, 2] / s[, 1], seconds[[1]][, 1])
ratios <- matrix(ratios, ncol = rounds)
middle <- function(i) apply(vapply(seconds, function(s) s[, i], seconds[[1]][, 1]), 1, median)
table <- data.frame(task = rownames(seconds[[1]]), before_ms = 1000 * middle(1),
                    after_ms = 1000 * middle(2), ratio = apply(ratios, 1, median),
                    low = apply(ratios, 1, min), high = apply(ratios, 1, max))
table$slower <- table$ratio > threshold
print(table, digits = 3, row.names = FALSE)
if (any(table$slower)) {
  message("Slower by more than ", threshold, " times: ",
          paste(table$task[table$slower], collapse = ", "))
  quit(status = 1)
}
