# What a pass costs wherever the rows are: the numbers behind the vignette large-data.
#
#   Rscript bench/cost.R [part ...]      in the project's folder, gaussmix installed
#
# Parts, each a minute or less on an idle machine; bench/results/cost.csv gets a row a number:
#   rates     nanoseconds a row and pass in memory, one thread, by variables, components and family
#   reading   seconds a pass over a binary file in the system's cache, and of reading it alone
#   messages  seconds that the process in the middle spends to send, and to receive, a message of so
#             many bytes; seconds from one to the other where nothing is done in between
#   jitter    quantiles of the seconds of a pass over one worker's shard, the median being 1
#   clusters  seconds a pass on clusters of 1 to 8 processes, all on this machine; and processor
#             seconds of the process in the middle
library(gaussmix)
source("bench/process.R")

file <- "bench/results/cost.csv"
parts <- commandArgs(trailingOnly = TRUE)
if (length(parts) == 0L) parts <- c("rates", "reading", "messages", "jitter", "clusters")

seconds <- function(expr) { # finer than proc.time()
  begin <- Sys.time()
  expr
  as.numeric(Sys.time()) - as.numeric(begin)
}

processor <- function(expr) sum(system.time(expr)[1:2]) # of this process alone

case <- function(n, d, k, code) {
  set.seed(1)
  means <- matrix(rnorm(k * d, sd = 2), k)
  x <- matrix(rnorm(n * d), n) + means[sample(k, n, TRUE), ]
  list(x = x, k = k, code = code,
       start = gmm_params(rep(1 / k, k), means, array(diag(d), c(d, d, k)), covariance = code))
}

steps <- function(case, n) {
  gmm_control(init = case$start, tol = 0, max_iter = n, threads = 1, verbose = FALSE, keep = FALSE)
}

# Of a pass: the difference of a long fit and a short one, the least of some.
pass <- function(rows, case, more = 10, times = 3, clock = seconds) {
  fit <- function(n) clock(suppressWarnings(gmm(rows, case$k, case$code,
                                                control = steps(case, n))))
  fit(1)
  short <- min(replicate(times, fit(1)))
  (min(replicate(times, fit(1 + more))) - short) / more
}

row <- function(part, what, value, unit, d = NA, k = NA, code = NA, workers = NA, bytes = NA) {
  data.frame(part, what, d, k, code, workers, bytes, value = signif(value, 4), unit)
}

measure <- list(
  rates = function() {
    grid <- rbind(c(2, 3), c(5, 4), c(5, 16), c(10, 10), c(20, 10), c(50, 10))
    rows <- list()
    for (i in seq_len(nrow(grid))) for (code in c("VVV", "VVI")) {
      d <- grid[i, 1]
      k <- grid[i, 2]
      n <- min(2e6, round(1e7 / (k * (if (code == "VVV") d + 5 else 8))))
      case <- case(n, d, k, code)
      ns <- 1e9 * pass(case$x, case, 30, 6) / n
      rows <- c(rows, list(row("rates", "row", ns, "ns", d, k, code)))
    }
    do.call(rbind, rows)
  },
  reading = function() {
    case <- case(2e6, 5, 4, "VVV")
    path <- tempfile(fileext = ".bin")
    on.exit(unlink(path))
    gmm_write(gmm_source(case$x), path)
    read_through(path)
    alone <- min(replicate(3, seconds(read_through(path))))
    rbind(row("reading", "read", alone, "s", 5, 4, "VVV", bytes = file.size(path)),
          row("reading", "pass", pass(gmm_source(path, format = "binary"), case, 3), "s", 5, 4,
              "VVV", bytes = file.size(path)))
  },
  messages = function() {
    cl <- parallel::makePSOCKcluster(4)
    on.exit(parallel::stopCluster(cl))
    send <- getFromNamespace("sendCall", "parallel")
    receive <- getFromNamespace("recvResult", "parallel")
    rows <- lapply(10^(2:6), function(bytes) {
      body <- rnorm(bytes / 8)
      one <- function() {
        out <- seconds(for (node in cl) send(node, identity, list(body)))
        Sys.sleep(0.1 + bytes / 1e7)
        c(out, seconds(for (node in cl) receive(node))) / length(cl)
      }
      there <- function() {
        seconds(for (i in 1:10) {
          send(cl[[1]], identity, list(body))
          receive(cl[[1]])
        }) / 10
      }
      both <- apply(replicate(10, one()), 1, median)
      rbind(row("messages", "send", both[1], "s", bytes = bytes),
            row("messages", "receive", both[2], "s", bytes = bytes),
            row("messages", "round trip", there(), "s", bytes = bytes))
    })
    do.call(rbind, rows)
  },
  jitter = function() {
    case <- case(2e5, 5, 4, "VVV")
    cl <- parallel::makePSOCKcluster(1)
    on.exit(parallel::stopCluster(cl))
    times <- parallel::clusterCall(cl[1], function(case, control) {
      library(gaussmix)
      at <- 0
      stamps <- numeric()
      source <- gmm_source(function(reset) {
        if (reset) {
          stamps <<- c(stamps, as.numeric(Sys.time()))
          at <<- 0
        } else if (at == 0) {
          at <<- 1
          case$x
        }
      })
      gmm(source, case$k, case$code, control = control)
      diff(stamps[-(1:3)])
    }, case, steps(case, 400))[[1]]
    at <- c(0, 0.01, 0.05, seq(0.1, 0.9, 0.1), 0.95, 0.98, 0.99, 1)
    rbind(row("jitter", "median", median(times), "s", 5, 4, "VVV"),
          do.call(rbind, lapply(at, function(p) {
            row("jitter", sprintf("%g", p), quantile(times, p) / median(times), "of the median", 5,
                4, "VVV")
          })))
  },
  clusters = function() {
    big <- case(1e6, 5, 4, "VVV")
    small <- case(800, 5, 4, "VVV")
    rows <- lapply(c(1, 2, 4, 8), function(workers) {
      cl <- parallel::makePSOCKcluster(workers)
      on.exit(parallel::stopCluster(cl))
      parallel::clusterEvalQ(cl, library(gaussmix))
      per_pass <- function(case, more, ...) {
        part <- rep(seq_len(workers), length.out = nrow(case$x))
        shards <- gmm_cluster(cl, lapply(seq_len(workers), function(i) case$x[part == i, ]))
        on.exit(shards$close())
        pass(shards, case, more, ...)
      }
      rbind(row("clusters", "1e6 rows", per_pass(big, 20, 6), "s", 5, 4, "VVV", workers),
            row("clusters", "800 rows", per_pass(small, 100), "s", 5, 4, "VVV", workers),
            row("clusters", "800 rows, here", per_pass(small, 400, clock = processor), "s", 5, 4,
                "VVV", workers))
    })
    do.call(rbind, rows)
  }
)

old <- if (file.exists(file)) utils::read.csv(file)
for (part in parts) {
  new <- measure[[part]]()
  print(new, row.names = FALSE)
  old <- rbind(old[old$part != part, ], new)
  utils::write.csv(old, file, row.names = FALSE, na = "")
}
