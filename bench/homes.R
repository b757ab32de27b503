# One data set in five homes: do all come to the same, and what does a pass cost?
#
#   Rscript bench/homes.R [rows] [home] [family] [rounds]
#
# in the project's folder, gaussmix installed.
#
# 1e6 rows x 5, four components, full and diagonal: in memory, in chunks, in a binary file, on a
# cluster of two workers by sockets, in SQLite and in a private PostgreSQL server, by the engine
# (push) and by rows that are fetched. Each home runs in a process of its own, so that the peak of
# memory (VmHWM of /proc/self/status, beyond what R holds with the package loaded) is its own; that
# of workers and servers is not in it. Writes bench/results/homes.csv, a row a home and family
# (where one is named, only its row; with `rounds` only its times anew):
#   pass        seconds of a pass over all rows: a fit of 60 steps (tables: of 3) less one of none,
#               by the steps; of each the fastest of 3 (SQLite push: of 1), as other work only adds
#   start       seconds of the latter: survey, sample, one E-step
#   memory      MB
#   steps       log-likelihood after 3 steps from one start
#   default     that of the default call: the search on the sample, EM to convergence
#   passes      of the default call, over all rows
# and prints the largest relative differences from memory.

source("bench/process.R")
given <- commandArgs(trailingOnly = TRUE)
n <- if (length(given)) as.numeric(given[1]) else 1e6
d <- 5
k <- 4

truth <- function() {
  set.seed(1)
  gaussmix::gmm_params(c(.4, .3, .2, .1), matrix(rnorm(k * d, sd = 2), k),
                       array(0.4 + diag(0.6, d), c(d, d, k)))
}

# list(rows, close): the rows in a home; `folder` holds the file and the database.
open_home <- function(home, folder) {
  file <- file.path(folder, "rows.bin")
  read <- function() {
    source <- gaussmix::gmm_source(file)
    on.exit(source$close())
    source$rewind()
    do.call(rbind, lapply(seq_len(ceiling(n / 1e5)), function(i) source$next_chunk()$x))
  }
  table <- function(con, how) {
    list(rows = gaussmix::gmm_dbi(con, "rows", how = how),
         close = function() DBI::dbDisconnect(con))
  }
  nothing <- function() NULL
  parts <- strsplit(home, " ")[[1]]
  switch(
    parts[1],
    memory = list(rows = read(), close = nothing),
    chunks = {
      all <- read()
      list(rows = gaussmix::gmm_source(all, chunk = 1e5), close = nothing)
    },
    file = list(rows = gaussmix::gmm_source(file), close = nothing),
    cluster = {
      cl <- parallel::makePSOCKcluster(2)
      shards <- file.path(folder, sprintf("shard%d.bin", 1:4))
      list(rows = gaussmix::gmm_cluster(cl, shards), close = function() parallel::stopCluster(cl))
    },
    SQLite = table(DBI::dbConnect(RSQLite::SQLite(), file.path(folder, "rows.sqlite")), parts[2]),
    PostgreSQL = table(postgres_connect(list(dir = readLines(file.path(folder, "server")))),
                       parts[2])
  )
}

# In a process of its own: the figures of one home.
measure <- function(home, family, folder) {
  loadNamespace("gaussmix")
  before <- status_mib("VmHWM")
  there <- open_home(home, folder)
  start <- truth()
  start <- gaussmix::gmm_params(start$proportions, unname(start$means) + 0.3,
                                array(diag(d), dim(start$covariances)))
  run <- function(...) {
    control <- gaussmix::gmm_control(..., verbose = FALSE)
    time <- system.time(fit <- suppressWarnings(gaussmix::gmm(there$rows, k, family,
                                                              control = control)))
    list(time = time[["elapsed"]], fit = fit)
  }
  fastest <- function(steps) {
    runs <- lapply(seq_len(rounds), function(i) {
      run(init = start, tol = 0, max_iter = steps)
    })
    runs[[which.min(vapply(runs, `[[`, 0, "time"))]]
  }
  again <- length(given) == 4
  rounds <- if (again) as.numeric(given[4]) else if (home == "SQLite push") 1 else 3
  if (!grepl("SQL", home)) run(init = start, tol = 0, max_iter = 0) # workers load the package
  first <- fastest(0)
  steps <- if (grepl("SQL", home)) 3 else 60
  long <- fastest(steps)
  times <- list(pass = signif((long$time - first$time) / steps, 3), start = round(first$time, 2))
  if (again) {
    there$close()
    return(times)
  }
  three <- if (steps == 3) long else run(init = start, tol = 0, max_iter = 3)
  set.seed(3)
  default <- run()
  there$close()
  data.frame(home = home, family = family, times, memory = round(status_mib("VmHWM") - before),
             steps = three$fit$loglik, default = default$fit$loglik, passes = default$fit$passes)
}

# The file, the shards and the tables.
make_homes <- function(folder) {
  x <- gaussmix::rgmm(n, truth())
  attr(x, "component") <- NULL
  gaussmix::gmm_write(gaussmix::gmm_source(x, chunk = 1e5), file.path(folder, "rows.bin"))
  shard <- rep(1:4, each = ceiling(n / 4))[seq_len(n)]
  for (i in 1:4) {
    gaussmix::gmm_write(gaussmix::gmm_source(x[shard == i, ], chunk = 1e5),
                        file.path(folder, sprintf("shard%d.bin", i)))
  }
  lite <- DBI::dbConnect(RSQLite::SQLite(), file.path(folder, "rows.sqlite"))
  post <- postgres_connect()
  writeLines(postgres()$dir, file.path(folder, "server"))
  for (con in list(lite, post)) {
    write_table(con, "rows", x)
    DBI::dbDisconnect(con)
  }
}

source("tests/testthat/helper-database.R")
Sys.setenv(NOT_CRAN = "true")
homes <- c("memory", "chunks", "file", "cluster", "SQLite fetch", "SQLite push",
           "PostgreSQL fetch", "PostgreSQL push")
results <- "bench/results/homes.csv"
folder <- Sys.getenv("GAUSSMIX_HOMES") # set in the processes that measure, and to keep the data
if (!nzchar(folder)) folder <- tempfile("homes")
if (!file.exists(file.path(folder, "rows.bin"))) {
  dir.create(folder, showWarnings = FALSE)
  make_homes(folder)
  Sys.setenv(GAUSSMIX_HOMES = folder)
}
if (length(given) > 2) {
  row <- measure(given[2], given[3], folder)
  known <- if (file.exists(results)) utils::read.csv(results)
  own <- known$home == given[2] & known$family == given[3]
  if (length(given) == 4) row <- utils::modifyList(known[own, ], row)
  print(row, digits = 15)
  known <- known[!own, ]
  all <- rbind(known, row)
  all <- all[order(all$family != "full", match(all$home, homes)), ]
  utils::write.csv(format(all, digits = 15, trim = TRUE), results, row.names = FALSE, quote = FALSE)
} else if (length(given) < 2) {
  for (family in c("full", "diag")) for (home in homes) {
    args <- c("bench/homes.R", format(n, scientific = FALSE), shQuote(home), family)
    stopifnot(system2(file.path(R.home("bin"), "Rscript"), args) == 0)
  }
  all <- utils::read.csv(results)
  for (family in c("full", "diag")) {
    own <- all[all$family == family, ]
    cat(sprintf("%s: after 3 steps %.1e, by default %.1e\n", family,
                max(abs(own$steps / own$steps[1] - 1)), max(abs(own$default / own$default[1] - 1))))
  }
}
