# Whole grids of models against mclust: how high each cell, and how long.
#
#   Rscript bench/grid.R [rounds]      in the project's folder
#
# Eight public data sets, k = 1 to 9, all families. A cell counts where mclust has a solution
# without a spurious component, by the verdict of gmm() on mclust's own parameters. Then the time of
# the grid on faithful, and of k = 1 to 12 on the first 10,000 rows of P2 (workloads.py), beside
# mclust's. Writes results/grid.csv (a row a cell) and results/grid-times.csv.
library(gaussmix)
suppressPackageStartupMessages(library(mclust))

out <- Sys.getenv("GAUSSMIX_GRID", "bench/results")
rounds <- as.integer(c(commandArgs(TRUE), 5)[1L])

from <- function(name) {
  where <- new.env()
  utils::data(list = name, package = "mclust", envir = where)
  where[[name]]
}
sets <- list(
  faithful = faithful, iris = iris[1:4], diabetes = from("diabetes")[-1],
  banknote = from("banknote")[-1], thyroid = from("thyroid")[-1], wreath = from("wreath"),
  acidity = from("acidity"), galaxies = MASS::galaxies / 1000
)
sets <- lapply(sets, function(x) unname(data.matrix(x)))

# ---- what mclust reaches -------------------------------------------------------------------------

quietly <- function(expr) tryCatch(suppressWarnings(expr), error = function(e) NULL)

# The model names of mclust in one variable, and with one component, are others.
mclust_code <- function(code, k, d) {
  if (d == 1L) return(if (k == 1L) "X" else substr(code, 1L, 1L))
  if (k == 1L) c(spherical = "XII", diagonal = "XXI", full = "XXX")[[kind_of(code)]] else code
}
kind_of <- function(code) {
  if (endsWith(code, "II")) "spherical" else if (endsWith(code, "I")) "diagonal" else "full"
}

# Log-likelihood of mclust's solution, and whether a component of it is spurious.
mclust_cell <- function(x, k, code) {
  d <- ncol(x)
  fit <- quietly(Mclust(x, G = k, modelNames = mclust_code(code, k, d), verbose = FALSE))
  if (is.null(fit)) return(c(mclust = NA, spurious = NA))
  p <- fit$parameters
  covariances <- if (d == 1L) rep_len(p$variance$sigmasq, k) else p$variance$sigma
  means <- t(matrix(p$mean, d))
  start <- quietly(gmm_params(if (k == 1L) 1 else p$pro, means, array(covariances, c(d, d, k)),
                              covariance = code))
  ours <- if (!is.null(start)) quietly(gmm(x, k, code, control = gmm_control(init = start,
                                                                             max_iter = 0)))
  c(mclust = fit$loglik, spurious = is.null(ours) || any(ours$verdict$spurious))
}

# ---- cells ---------------------------------------------------------------------------------------

cells <- do.call(rbind, lapply(names(sets), function(name) {
  x <- sets[[name]]
  set.seed(1)
  select <- suppressWarnings(gmm_select(x, 1:9, control = gmm_control(verbose = FALSE)))
  table <- as.data.frame(select)
  peer <- t(mapply(function(k, code) mclust_cell(x, k, code), table$k, table$covariance))
  cbind(data = name, table[c("covariance", "k", "df", "loglik", "BIC", "spurious", "status")],
        mclust = peer[, 1L], mclust_spurious = as.logical(peer[, 2L]), nobs = nrow(x))
}))
cells$gap <- cells$mclust - cells$loglik
decimal <- vapply(cells, is.double, TRUE)
cells[decimal] <- lapply(cells[decimal], signif, 10)
write.csv(cells, file.path(out, "grid.csv"), row.names = FALSE)

sound <- cells[!is.na(cells$mclust) & !cells$mclust_spurious, ]
lower <- is.na(sound$loglik) | sound$gap > 1e-3
cat(sprintf("%d cells; mclust has %d solutions, %d of them without a spurious component\n",
            nrow(cells), sum(!is.na(cells$mclust)), nrow(sound)))
cat(sprintf("as high as mclust's, or higher: %d (%.1f %%); by more than 1e-3: %d; lower: %d\n",
            sum(!lower), 100 * mean(!lower), sum(!lower & sound$gap < -1e-3), sum(lower)))
print(sound[lower, c("data", "covariance", "k", "loglik", "mclust", "gap", "status")],
      row.names = FALSE)
cat("\nchosen by BIC (lower is better)\n")
for (part in split(cells, factor(cells$data, names(sets)))) {
  part$mclust_BIC <- -2 * part$mclust + part$df * log(part$nobs)
  ours <- part[!part$spurious %in% TRUE, ]
  ours <- ours[which.min(ours$BIC), ]
  peer <- part[which.min(part$mclust_BIC), ]
  cat(sprintf("  %-9s ours %s %d, %.2f; mclust %s %d, %.2f\n", part$data[1L], ours$covariance,
              ours$k, ours$BIC, peer$covariance, peer$k, peer$mclust_BIC))
}

# ---- times ---------------------------------------------------------------------------------------

p2 <- file.path(tempdir(), "P2")
system2(Sys.getenv("PYTHON", "/usr/bin/python3"), c("bench/workloads.py", tempdir(), "P2"))
size <- scan(paste0(p2, ".dim"), quiet = TRUE)
rows <- matrix(readBin(paste0(p2, ".x"), "double", prod(size[1:2])), size[1L])[1:10000, ]

grids <- list(faithful = list(x = sets$faithful, k = 1:9, rounds = rounds),
              P2 = list(x = rows, k = 1:12, rounds = 1L))
clock <- function(expr) {
  gc(FALSE)
  system.time(expr)[["elapsed"]]
}
times <- do.call(rbind, lapply(names(grids), function(name) {
  grid <- grids[[name]]
  do.call(rbind, lapply(seq_len(grid$rounds), function(i) {
    set.seed(i)
    ours <- clock(select <- suppressWarnings(gmm_select(grid$x, grid$k,
                                                        control = gmm_control(verbose = FALSE))))
    peer <- clock(bic <- mclustBIC(grid$x, grid$k, verbose = FALSE))
    best <- select$table[select$chosen, ]
    data.frame(grid = name, gaussmix_s = ours, mclust_s = peer, ratio = peer / ours,
               model = paste(best$covariance, best$k), BIC = best$BIC,
               mclust_BIC = -max(bic, na.rm = TRUE))
  }))
}))
write.csv(times, file.path(out, "grid-times.csv"), row.names = FALSE)
print(times, digits = 4, row.names = FALSE)
for (name in names(grids)) {
  part <- times[times$grid == name, ]
  cat(sprintf("%s: median %.3f s, mclust %.2f s: %.1f times\n", name, median(part$gaussmix_s),
              median(part$mclust_s), median(part$ratio)))
}
