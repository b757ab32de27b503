# What the parts of the benchmark share: what must be there, the machine, clocks, the measurements.
# run.R sources it, and then the files that define the parts.

suppressPackageStartupMessages(library(gaussmix))

python <- Sys.getenv("PYTHON", "/usr/bin/python3")
results <- "bench/results"
cache <- "bench/.cache" # workloads and compiled peers, made where they are not there

# ---- Parts ---------------------------------------------------------------------------------------

# A part measures one or more rows of the table in targets.R, in `rounds` rounds, from peers that it
# `needs`; each fits into a minute and a half.
parts <- list()
part <- function(name, run, needs = character(), rounds = 5L) {
  parts[[name]] <<- list(run = run, needs = needs, rounds = rounds)
}

# ---- What must be there --------------------------------------------------------------------------

openblas <- Sys.glob("/usr/lib/*/openblas-pthread")[1]

quiet_call <- function(command, args) {
  suppressWarnings(system2(command, args, stdout = FALSE, stderr = FALSE)) == 0
}
has_package <- function(name) nzchar(system.file(package = name))

# For each that a part may need: is it there, and how to install it.
requirements <- list(
  sklearn = list(
    has = function() quiet_call(python, c("-c", shQuote("import sklearn, threadpoolctl"))),
    get = "scikit-learn: apt-get install python3-sklearn (PYTHON names another interpreter)"
  ),
  openblas = list(has = function() !is.na(openblas),
                  get = "OpenBLAS for the peers: apt-get install libopenblas0-pthread"),
  mclust = list(has = function() has_package("mclust"),
                get = "mclust: install.packages(\"mclust\")"),
  ClusterR = list(has = function() has_package("ClusterR"),
                  get = "ClusterR: install.packages(\"ClusterR\") (compiles for minutes)"),
  vlfeat = list(has = function() length(Sys.glob(c("/usr/include/vl/gmm.h",
                                                   "/usr/local/include/vl/gmm.h"))) > 0,
                get = "VLFeat: apt-get install libvlfeat-dev")
)

# The parts that can be run; says what the others lack.
runnable <- function(names) {
  needed <- unique(unlist(lapply(parts[names], `[[`, "needs")))
  lacking <- needed[!vapply(needed, function(name) requirements[[name]]$has(), NA)]
  can <- vapply(parts[names], function(p) !any(p$needs %in% lacking), NA)
  if (length(lacking)) {
    message("These are lacking:\n",
            paste0("  ", vapply(requirements[lacking], `[[`, "", "get"), "\n"),
            "so these parts are left out: ", paste(names[!can], collapse = ", "))
  }
  names[can]
}

# ---- Machine and versions ------------------------------------------------------------------------

cpu_field <- function(name) {
  lines <- readLines("/proc/cpuinfo")
  sub(".*: *", "", grep(paste0("^", name, "\\s*:"), lines, value = TRUE)[1])
}

# OpenBLAS does not know every processor and then falls back to 16-byte vectors: say which kernels.
openblas_core <- local({
  flags <- strsplit(cpu_field("flags"), " ")[[1]]
  if ("avx512f" %in% flags) "SkylakeX" else if ("avx2" %in% flags) "Haswell" else "Nehalem"
})

# Peers run in processes of their own, with OpenBLAS (R's too) and so many threads.
peer_environment <- function(threads) {
  c(paste0("LD_PRELOAD=", paste0(openblas, c("/libblas.so.3", "/liblapack.so.3"), collapse = ":")),
    paste0("OPENBLAS_CORETYPE=", openblas_core),
    paste0(c("OPENBLAS_NUM_THREADS=", "OMP_NUM_THREADS="), threads))
}

run_peer <- function(command, args, threads = 2) {
  out <- system2(command, args, stdout = TRUE, env = peer_environment(threads))
  if (!is.null(attr(out, "status"))) {
    stop("this peer failed: ", paste(command, args, collapse = " "))
  }
  as.list(read.dcf(textConnection(out))[1, ])
}
peer_sklearn <- function(..., threads = 2) {
  run_peer(python, c("bench/peer_sklearn.py", ...), threads)
}
rscript <- file.path(R.home("bin"), "Rscript")
peer_r <- function(..., threads = 2) run_peer(rscript, c("bench/peer_r.R", ...), threads)

# "1 2.5 3", as the peers print.
numbers <- function(text) as.numeric(strsplit(text, " ")[[1]])

machine <- list(
  date = format(Sys.Date()),
  commit = system2("git", c("describe", "--always", "--dirty"), stdout = TRUE),
  cpu = sprintf("%s (family %s, model %s)", cpu_field("model name"), cpu_field("cpu family"),
                cpu_field("model")),
  cores = parallel::detectCores(), kernels = gaussmix:::engine_info()$path,
  R = paste(R.version$major, R.version$minor, sep = "."),
  R_blas = basename(extSoftVersion()[["BLAS"]]),
  load = scan("/proc/loadavg", "", quiet = TRUE)[1]
)

# ---- Clocks --------------------------------------------------------------------------------------

seconds <- function(expr) {
  gc(FALSE)
  begin <- as.numeric(Sys.time())
  force(expr)
  as.numeric(Sys.time()) - begin
}

# run(i) makes i iterations: what is not an iteration cancels. The first run warms up.
ms_per_iteration <- function(run, between) {
  run(between[1])
  1000 * (seconds(run(between[2])) - seconds(run(between[1]))) / diff(between)
}

# ---- Measurements --------------------------------------------------------------------------------

# Each is a row: the same task, software and threads again is a repeat. `quality`: what the result
# was worth (a log-likelihood, a BIC), for the checks and the table.
measured <- NULL
part_name <- ""
ours <- paste("gaussmix", packageVersion("gaussmix"))
record <- function(task, software, value, unit, threads = 2, quality = NA) {
  row <- data.frame(part = part_name, task, software, threads, value = signif(value, 5), unit,
                    quality = signif(as.numeric(quality), 12), machine)
  measured <<- rbind(measured, row)
  keep_measured() # what an interrupted run has measured counts
  cat(sprintf("%-18s %-44s %d threads %10.4g %s%s\n", task, software, threads, value, unit,
              ifelse(is.na(quality), "", paste0("  (", format(quality, digits = 10), ")"))))
}

# Both went from the same start by as many steps: `theirs` is wrong where it is not `ours`.
same_loglik <- function(theirs, ours, software, tolerance = 1e-9) {
  if (!isTRUE(abs(theirs - ours) <= tolerance * abs(ours))) {
    stop(software, " has log-likelihood ", format(theirs, digits = 12), ", and gaussmix ",
         format(ours, digits = 12))
  }
}

# ---- Workloads -----------------------------------------------------------------------------------

workload <- function(name) {
  dir.create(cache, showWarnings = FALSE)
  stem <- file.path(cache, name)
  if (!file.exists(paste0(stem, ".dim"))) {
    stopifnot(system2(python, c("bench/workloads.py", cache)) == 0)
  }
  size <- scan(paste0(stem, ".dim"), quiet = TRUE)
  n <- size[1]
  d <- size[2]
  k <- size[3]
  doubles <- function(extension, count) readBin(paste0(stem, extension), "double", count)
  list(name = name, n = n, d = d, k = k, x = matrix(doubles(".x", n * d), n),
       means = matrix(doubles(".mu0", k * d), k, byrow = TRUE))
}

# The start that all are given: means of workloads.py, equal proportions, identity covariances.
start_of <- function(work, covariance = "full") {
  gmm_params(rep(1 / work$k, work$k), work$means, array(diag(work$d), c(work$d, work$d, work$k)),
             covariance = covariance)
}

# So many plain steps of EM from there.
em_steps <- function(work, steps, covariance = "full", threads = 2) {
  control <- gmm_control(init = start_of(work, covariance), max_iter = steps, tol = 0,
                         threads = threads, verbose = FALSE)
  gmm(work$x, work$k, covariance, control = control)
}
