# Times other packages of R, in a process of its own (with OpenBLAS); called by the parts of the
# benchmark. Prints lines of the form "key: value".
#
#   peer_r.R ClusterR FOLDER NAME A B   one EM iteration: (fit of B - fit of A) / (B - A)
#   peer_r.R mclust FOLDER NAME A B     the same, from the means of NAME.mu0
#   peer_r.R grid FILE.rds KMAX         mclustBIC(), k up to KMAX, all families: seconds, best BIC

given <- commandArgs(TRUE)
seconds <- function(expr) {
  gc(FALSE)
  system.time(expr)[["elapsed"]]
}
say <- function(package, ...) {
  blas <- basename(extSoftVersion()[["BLAS"]])
  values <- list(..., version = sprintf("%s %s (%s)", package, packageVersion(package), blas))
  cat(sprintf("%s: %s\n", names(values), vapply(values, format, "", digits = 12)), sep = "")
}

if (given[1] == "grid") {
  suppressPackageStartupMessages(library(mclust)) # must be attached: its functions look there
  x <- readRDS(given[2])
  spent <- seconds(bic <- mclustBIC(x, seq_len(as.integer(given[3])), verbose = FALSE))
  say("mclust", s = spent, BIC = -max(bic, na.rm = TRUE))
  quit()
}

stem <- file.path(given[2], given[3])
size <- scan(paste0(stem, ".dim"), quiet = TRUE)
n <- size[1]
d <- size[2]
k <- size[3]
x <- matrix(readBin(paste0(stem, ".x"), "double", n * d), n)
steps <- as.integer(given[4:5])

run <- switch(
  given[1],
  ClusterR = function(i) {
    ClusterR::GMM(x, k, em_iter = i, km_iter = 0, full_covariance_matrices = TRUE)
  },
  mclust = {
    suppressPackageStartupMessages(library(mclust))
    means <- matrix(readBin(paste0(stem, ".mu0"), "double", k * d), d)
    unit <- array(diag(d), c(d, d, k))
    start <- list(pro = rep(1 / k, k), mean = means,
                  variance = list(modelName = "VVV", d = d, G = k, sigma = unit, cholsigma = unit))
    function(i) {
      control <- emControl(tol = c(0, 0), itmax = c(i, i))
      suppressWarnings(em(x, modelName = "VVV", parameters = start, control = control))
    }
  }
)
invisible(run(1))
short <- seconds(run(steps[1]))
long <- seconds(fit <- run(steps[2]))
loglik <- if (given[1] == "mclust") {
  estep(x, modelName = "VVV", parameters = fit$parameters)$loglik
} else {
  NA
}
say(given[1], ms = 1000 * (long - short) / diff(steps), loglik = loglik)
