# Parts cells, grid, grid-P2: whole grids of models against mclust, how high each cell, how long.
#
# cells: eight public data sets, k = 1 to 9, all families. A cell counts where mclust has a solution
# without a spurious component, by the verdict of gmm() on mclust's own parameters.

grid_sets <- function() {
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
  lapply(sets, function(x) unname(data.matrix(x)))
}

# ---- what mclust reaches -------------------------------------------------------------------------

quietly <- function(expr) tryCatch(suppressWarnings(expr), error = function(e) NULL)

# The model names of mclust in one variable, and with one component, are others.
mclust_code <- function(code, k, d) {
  if (d == 1L) return(if (k == 1L) "X" else substr(code, 1L, 1L))
  if (k > 1L) return(code)
  if (endsWith(code, "II")) "XII" else if (endsWith(code, "I")) "XXI" else "XXX"
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
  control <- gmm_control(init = start, max_iter = 0)
  own <- if (!is.null(start)) quietly(gmm(x, k, code, control = control))
  c(mclust = fit$loglik, spurious = is.null(own) || any(own$verdict$spurious))
}

# ---- cells ---------------------------------------------------------------------------------------

part("cells", function(rounds) {
  suppressPackageStartupMessages(library(mclust)) # must be attached: its functions look there
  sets <- grid_sets()
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
  write.csv(cells, file.path(results, "grid.csv"), row.names = FALSE)

  sound <- cells[!is.na(cells$mclust) & !cells$mclust_spurious, ]
  lower <- is.na(sound$loglik) | sound$gap > 1e-3
  cat(sprintf("%d cells; mclust has %d solutions, %d of them without a spurious component\n",
              nrow(cells), sum(!is.na(cells$mclust)), nrow(sound)))
  cat(sprintf("as high as mclust's, or higher: %d (%.1f %%); by more than 1e-3: %d; lower: %d\n",
              sum(!lower), 100 * mean(!lower), sum(!lower & sound$gap < -1e-3), sum(lower)))
  print(sound[lower, c("data", "covariance", "k", "loglik", "mclust", "gap", "status")],
        row.names = FALSE)
  cat("\nchosen by BIC (lower is better)\n")
  for (set in split(cells, factor(cells$data, names(sets)))) {
    set$mclust_BIC <- -2 * set$mclust + set$df * log(set$nobs)
    own <- set[!set$spurious %in% TRUE, ]
    own <- own[which.min(own$BIC), ]
    peer <- set[which.min(set$mclust_BIC), ]
    cat(sprintf("  %-9s ours %s %d, %.2f; mclust %s %d, %.2f\n", set$data[1L], own$covariance,
                own$k, own$BIC, peer$covariance, peer$k, peer$mclust_BIC))
  }
  record("grid cells", ours, sum(!lower), "cells", 2)
  record("grid cells", paste("mclust", packageVersion("mclust")), nrow(sound), "cells", 1)
}, needs = "mclust")

# ---- times ---------------------------------------------------------------------------------------

time_grid <- function(task, x, k, rounds, peer_rounds = rounds) {
  file <- tempfile(fileext = ".rds")
  saveRDS(x, file)
  for (i in seq_len(rounds)) {
    set.seed(i)
    spent <- seconds(select <- suppressWarnings(gmm_select(x, seq_len(k),
                                                           control = gmm_control(verbose = FALSE))))
    best <- select$table[select$chosen, ]
    record(task, ours, spent, "s", quality = best$BIC)
    if (i > peer_rounds) next
    out <- peer_r("grid", file, k)
    record(task, out$version, as.numeric(out$s), "s", quality = out$BIC)
  }
}

part("grid", function(rounds) time_grid("grid faithful", data.matrix(faithful), 9L, rounds),
     needs = c("openblas", "mclust"))

part("grid-P2", function(rounds) {
  time_grid("grid P2", workload("P2")$x[1:10000, ], 12L, rounds, peer_rounds = 1L)
}, needs = c("openblas", "mclust", "sklearn"), rounds = 1L)
