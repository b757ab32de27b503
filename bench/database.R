# Seconds of one pass over a table, by the engine (push) and by rows that are fetched (fetch), and
# whether they come to the log-likelihood of memory.
#
#   Rscript bench/database.R [rows] [rounds]      in the project's folder, gaussmix installed
#
# SQLite (a file) through RSQLite, and a private PostgreSQL server on this machine through
# RPostgres, without and with parallel workers. Processor seconds are those of R and of the backend
# together (parallel workers not included); elapsed ones depend on what else the machine does.
# Writes bench/results/database.csv.
library(gaussmix)
source("tests/testthat/helper-database.R")
Sys.setenv(NOT_CRAN = "true")

args <- as.numeric(commandArgs(trailingOnly = TRUE))
n <- if (length(args)) args[1] else 1e6
rounds <- if (length(args) > 1) args[2] else 3

draw <- function(d, k) {
  set.seed(d)
  truth <- gmm_params(rep(1 / k, k), matrix(rnorm(k * d, sd = 3), k),
                      array(0.4 + diag(0.6, d), c(d, d, k)))
  list(x = rgmm(n, truth), start = truth, k = k, d = d)
}

backend_seconds <- function(con) {
  pid <- DBI::dbGetInfo(con)$pid
  if (is.null(pid)) return(0)
  fields <- strsplit(sub(".*\\) ", "", readLines(sprintf("/proc/%s/stat", pid))), " ")[[1]]
  sum(as.numeric(fields[12:13])) / 100
}

measure <- function(con, engine, case, family, how) {
  db <- gmm_dbi(con, paste0("t", case$d), how = how)
  start <- case$start
  if (family == "diag") {
    start <- gmm_params(start$proportions, unname(start$means),
                        array(diag(case$d), dim(start$covariances)))
  }
  memory <- gmm(case$x, case$k, family, control = gmm_control(init = start, tol = 0, max_iter = 3))
  control <- gmm_control(init = start, tol = 0)
  # passes of a fit without iterations: the survey, the sample, one E-step; of three: three more
  spent <- function(steps) {
    control$max_iter <- steps
    before <- backend_seconds(con)
    time <- system.time(fit <- suppressWarnings(gmm(db, case$k, family, control = control)))
    list(elapsed = time[["elapsed"]], cpu = sum(time[1:2]) + backend_seconds(con) - before,
         fit = fit)
  }
  runs <- lapply(seq_len(rounds), function(i) list(short = spent(0), long = spent(3)))
  per_pass <- function(what) {
    median(vapply(runs, function(r) (r$long[[what]] - r$short[[what]]) / 3, 0))
  }
  row <- data.frame(engine = engine, d = case$d, k = case$k, family = family, how = how,
                    elapsed = round(per_pass("elapsed"), 2), cpu = round(per_pass("cpu"), 2),
                    survey = round(median(vapply(runs, function(r) r$short$elapsed, 0)), 2),
                    difference = runs[[1]]$long$fit$loglik / memory$loglik - 1)
  print(row, row.names = FALSE)
  row
}

cases <- list(draw(2, 3), draw(5, 4))
file <- tempfile(fileext = ".sqlite")
lite <- sqlite_connect(file)
pg <- postgres_connect(driver = "RPostgres")
for (case in cases) {
  for (con in list(lite, pg)) write_table(con, paste0("t", case$d), as.data.frame(case$x))
}
DBI::dbExecute(pg, "VACUUM ANALYZE")
result <- NULL
for (case in cases) for (family in c("full", "diag")) for (how in c("push", "fetch")) {
  result <- rbind(result, measure(lite, "SQLite", case, family, how))
  for (workers in if (how == "push") c(0, 2) else 0) {
    DBI::dbExecute(pg, paste("SET max_parallel_workers_per_gather =", workers))
    engine <- paste0("PostgreSQL", if (workers) sprintf(" (%d workers)", workers))
    result <- rbind(result, measure(pg, engine, case, family, how))
  }
}
utils::write.csv(result, "bench/results/database.csv", row.names = FALSE)
DBI::dbDisconnect(lite)
DBI::dbDisconnect(pg)
unlink(file)
