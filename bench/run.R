# Compares gaussmix with scikit-learn and mclust in one run; README.md tells what is measured.
#
# Run in the project's folder: make bench, or Rscript bench/run.R [rounds]
# Writes bench/results/<date>.csv and the table in bench/README.md.

rounds <- as.integer(c(commandArgs(trailingOnly = TRUE), "5")[1])
stopifnot(rounds >= 1, file.exists("bench/run.R"))
python <- Sys.getenv("PYTHON", "/usr/bin/python3")

# ---- What must be there --------------------------------------------------------------------------

openblas_folder <- Sys.glob("/usr/lib/*/openblas-pthread")[1]

lacking <- c(
  if (!requireNamespace("gaussmix", quietly = TRUE)) "gaussmix: make install, then make bench",
  if (!requireNamespace("mclust", quietly = TRUE)) "mclust: install.packages(\"mclust\")",
  if (system2(python, c("-c", shQuote("import sklearn, threadpoolctl")), stderr = FALSE) != 0) {
    "scikit-learn: apt-get install python3-sklearn (PYTHON names another interpreter)"
  },
  if (is.na(openblas_folder)) "OpenBLAS for scikit-learn: apt-get install libopenblas0-pthread"
)
if (length(lacking)) {
  message("The comparison lacks\n", paste0("  ", lacking, "\n"))
  quit(status = 1)
}
suppressPackageStartupMessages({
  library(gaussmix)
  library(mclust) # must be attached: its functions look for each other there
})

# ---- Machine and versions ------------------------------------------------------------------------

cpu <- readLines("/proc/cpuinfo")
cpu_field <- function(name) {
  sub(".*: *", "", grep(paste0("^", name, "\\s*:"), cpu, value = TRUE)[1])
}
cpu_flags <- strsplit(cpu_field("flags"), " ")[[1]]

# OpenBLAS does not know every processor and then falls back to 16-byte vectors: say which kernels.
openblas_core <- if ("avx512f" %in% cpu_flags) "SkylakeX" else if ("avx2" %in% cpu_flags) "Haswell"

machine <- c(
  cpu = cpu_field("model name"), model = paste(cpu_field("cpu family"), cpu_field("model")),
  cores = parallel::detectCores(), R = paste(R.version$major, R.version$minor, sep = "."),
  R_blas = extSoftVersion()[["BLAS"]],
  commit = system2("git", c("describe", "--always", "--dirty"), stdout = TRUE),
  date = format(Sys.Date()),
  load = scan("/proc/loadavg", "", quiet = TRUE)[1]
)
if (as.numeric(machine[["load"]]) > 0.3) {
  message("Others use this machine (load ", machine[["load"]], "): times will be too long.")
}

# ---- Clocks --------------------------------------------------------------------------------------

seconds <- function(expr) {
  gc(FALSE)
  begin <- as.numeric(Sys.time())
  force(expr)
  as.numeric(Sys.time()) - begin
}

# run(i) makes i iterations: what is not an iteration cancels. The first run warms up.
ms_per_iteration <- function(run, from, to) {
  run(from)
  1000 * (seconds(run(to)) - seconds(run(from))) / (to - from)
}

# Each measurement is a row of `measured`: the same task, software and threads again is a repeat.
measured <- NULL
record <- function(task, software, version, threads, value, unit, loglik = NA) {
  version <- as.character(version)
  row <- data.frame(task, software, version, threads, value, unit, loglik)
  measured <<- rbind(measured, row)
  cat(sprintf("%-8s %-34s %s threads %10.2f %s\n", task, software, threads, mean(value), unit))
}

peer_sklearn <- function(threads, ...) {
  blas <- c(
    paste0("LD_LIBRARY_PATH=", openblas_folder), paste0("OPENBLAS_CORETYPE=", openblas_core),
    paste0(c("OPENBLAS_NUM_THREADS=", "OMP_NUM_THREADS="), threads)
  )
  out <- system2(python, c("bench/peer_sklearn.py", ...), stdout = TRUE, env = blas)
  stopifnot(is.null(attr(out, "status")))
  as.list(read.dcf(textConnection(out))[1, ])
}

# ---- One EM iteration ----------------------------------------------------------------------------

# Iterations between which each is timed: enough to rise above the noise.
iterations <- list(
  sklearn = c(2, 12), mclust = c(1, 3),
  gaussmix = list(P1 = c(2, 52), P2 = c(2, 32), P3 = c(2, 12), P4 = c(2, 12))
)

read_workload <- function(folder, name) {
  size <- scan(file.path(folder, paste0(name, ".dim")), quiet = TRUE)
  n <- size[1]
  d <- size[2]
  k <- size[3]
  doubles <- function(extension, count) {
    readBin(file.path(folder, paste0(name, extension)), "double", count)
  }
  list(
    name = name, n = n, d = d, k = k, x = matrix(doubles(".x", n * d), n),
    means = matrix(doubles(".mu0", k * d), k, byrow = TRUE)
  )
}

time_gaussmix <- function(work) {
  unit <- array(diag(work$d), c(work$d, work$d, work$k))
  start <- gmm_params(rep(1 / work$k, work$k), work$means, unit)
  run <- function(i, threads) {
    control <- gmm_control(init = start, max_iter = i, tol = 0, threads = threads, verbose = FALSE)
    gmm(work$x, work$k, control = control)
  }
  between <- iterations$gaussmix[[work$name]]
  for (threads in 1:2) {
    value <- ms_per_iteration(function(i) run(i, threads), between[1], between[2])
    record(work$name, "gaussmix", packageVersion("gaussmix"), threads, value, "ms/iteration")
  }
  run(between[2], 2)$trace
}

# `ours`: the log-likelihood of gaussmix after as many steps.
check_loglik <- function(loglik, ours, software) {
  if (!isTRUE(abs(loglik - ours) <= 1e-9 * abs(ours))) {
    stop(software, " has log-likelihood ", format(loglik, digits = 12), ", which is not ours")
  }
}

time_sklearn <- function(work, folder, trace) {
  between <- iterations$sklearn
  out <- peer_sklearn(2, "iterations", folder, work$name, between)
  loglik <- as.numeric(out$loglik)
  check_loglik(loglik, trace[between[2] + 1], "scikit-learn")
  version <- paste0(out$version, " (", out$blas, ")")
  for (layout in c("by_rows", "by_columns")) {
    software <- paste("scikit-learn, data", sub("_", " ", layout))
    record(work$name, software, version, 2, as.numeric(out[[layout]]), "ms/iteration", loglik)
  }
}

time_mclust <- function(work, trace) {
  unit <- array(diag(work$d), c(work$d, work$d, work$k))
  start <- list(
    pro = rep(1 / work$k, work$k), mean = t(work$means),
    variance = list(modelName = "VVV", d = work$d, G = work$k, sigma = unit, cholsigma = unit)
  )
  run <- function(i) {
    control <- emControl(tol = c(0, 0), itmax = c(i, i))
    suppressWarnings(em(work$x, modelName = "VVV", parameters = start, control = control))
  }
  between <- iterations$mclust
  value <- ms_per_iteration(run, between[1], between[2])
  end <- run(between[2])$parameters
  loglik <- estep(work$x, modelName = "VVV", parameters = end)$loglik
  check_loglik(loglik, trace[between[2] + 2], "mclust") # em() makes one step more than itmax
  record(work$name, "mclust", packageVersion("mclust"), 1, value, "ms/iteration", loglik)
}

# ---- The default call on a small data set --------------------------------------------------------

time_default <- function(folder, repeats = 9) {
  file <- file.path(folder, "faithful.csv")
  write.csv(faithful, file, row.names = FALSE)
  call_ms <- function(fit) 1000 * vapply(seq_len(repeats), function(i) seconds(fit(i)), 0)

  ours <- function(seed) {
    set.seed(seed)
    gmm(faithful, 3)
  }
  record("faithful", "gaussmix", packageVersion("gaussmix"), 2, call_ms(ours), "ms/call",
    min(vapply(seq_len(repeats), function(i) ours(i)$loglik, 0)))
  for (threads in 1:2) {
    out <- peer_sklearn(threads, "default", file, repeats)
    record("faithful", "scikit-learn", out$version, threads,
      as.numeric(strsplit(out$ms, " ")[[1]]), "ms/call", as.numeric(out$loglik))
  }
  theirs <- list(
    "mclust" = function(i) Mclust(faithful, G = 3, verbose = FALSE),
    "mclust, VVV only" = function(i) Mclust(faithful, G = 3, modelNames = "VVV", verbose = FALSE)
  )
  for (name in names(theirs)) {
    fit <- theirs[[name]]
    record("faithful", name, packageVersion("mclust"), 1, call_ms(fit), "ms/call", fit(0)$loglik)
  }
}

# ---- The run -------------------------------------------------------------------------------------

folder <- tempfile("workloads")
dir.create(folder)
stopifnot(system2(python, c("bench/workloads.py", folder)) == 0)

for (round in seq_len(rounds)) {
  for (name in names(iterations$gaussmix)) {
    work <- read_workload(folder, name)
    trace <- time_gaussmix(work)
    time_sklearn(work, folder, trace)
    time_mclust(work, trace)
  }
}
time_default(folder)
unlink(folder, recursive = TRUE)
memory <- system2(file.path(R.home("bin"), "Rscript"), "bench/memory.R", stdout = TRUE)
record("memory", "gaussmix", packageVersion("gaussmix"), 2, as.numeric(memory), "MB")

# ---- Results -------------------------------------------------------------------------------------

groups <- split(measured, ~ software + threads + task, drop = TRUE)
results <- do.call(rbind, lapply(groups, function(g) {
  data.frame(g[1, c("task", "software", "version", "threads", "unit", "loglik")],
    repeats = nrow(g), median = median(g$value), min = min(g$value), max = max(g$value))
}))
ours <- results$software == "gaussmix"
best <- tapply(results$median[ours], results$task[ours], min)
results$ratio <- results$median / best[results$task]
results <- results[order(match(results$task, unique(measured$task)), !ours, results$software), ]
written <- cbind(results, as.list(machine), simd = gaussmix:::engine_info()$path)
write.csv(written, file.path("bench/results", paste0(machine[["date"]], ".csv")), row.names = FALSE)

report <- c(
  with(as.list(machine), sprintf(
    paste(
      "%s, %s (family and model %s, %s cores, kernels: %s), R %s, BLAS of R %s; commit %s;",
      "load at the start %s."
    ),
    date, cpu, model, cores, written$simd[1], R, R_blas, commit, load
  )),
  "",
  "| task | software | version | threads | median | low | high | repeats | unit | times ours |",
  "|---|---|---|---|---|---|---|---|---|---|",
  with(results, sprintf("| %s | %s | %s | %d | %.3g | %.3g | %.3g | %d | %s | %.3g |",
    task, software, version, threads, median, min, max, repeats, unit, ratio))
)
readme <- readLines("bench/README.md")
marks <- match(c("<!-- results -->", "<!-- end of results -->"), readme)
stopifnot(!anyNA(marks))
below <- readme[marks[2]:length(readme)]
writeLines(c(readme[seq_len(marks[1])], report, below), "bench/README.md")
cat(report, sep = "\n")
