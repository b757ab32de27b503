# Frozen fixed points of MGMM and mixture on data with missing values.
#
# Run in this folder: R_LIBS=<library with MGMM and mixture> Rscript missing.R (both from CRAN;
# mixture needs the GNU Scientific Library). Writes ../fixtures/missing.rds.
#
# MGMM: EM for full covariances, lambda = 0 (no ridge). FitGMM() stops where the expected
# complete-data objective no longer rises, which EM does not promise to raise: on these data that is
# far from the maximum. So its step is repeated 3000 times; what FitGMM() gives is kept too.
# mixture: gpcm() for each of its 14 families, from random starts of its own. Its posterior weights
# are those of the complete rows only, and it imputes the others: its points are no maxima of the
# likelihood of the values that are there, nor of that of the complete rows.

suppressPackageStartupMessages({
  library(MGMM)
  library(mixture)
})

holes <- function(x, share) {
  set.seed(1, "Mersenne-Twister", "Inversion", "Rejection")
  x[runif(length(x)) < share] <- NA
  x[rowSums(!is.na(x)) > 0, , drop = FALSE]
}
as_ours <- function(proportions, means, covariances) {
  means <- do.call(rbind, lapply(means, as.vector))
  d <- ncol(means)
  list(proportions = as.vector(proportions), means = means,
       covariances = array(unlist(covariances), c(d, d, nrow(means))))
}

x <- holes(as.matrix(iris[1:4]), 0.15)
means <- lapply(split(iris[1:4], iris$Species), function(g) unname(colMeans(g)))
covs <- lapply(split(iris[1:4], iris$Species), function(g) unname(cov(g)))
start <- list(init_means = unname(means), init_covs = unname(covs), init_props = rep(1 / 3, 3))
fit <- do.call(FitGMM, c(list(x, k = 3, maxit = 20000, eps = 1e-12, report = FALSE), start))
split <- MGMM:::PartitionData(x)
theta <- do.call(MGMM:::MixInit, c(list(split_data = split, k = 3, lambda = 0), start))
for (i in 1:3000) theta <- MGMM:::MixUpdate(split, theta, FALSE, 0)
mgmm <- list(x = x, fit = as_ours(fit@Proportions, fit@Means, fit@Covariances),
             fixed = as_ours(theta$pi, theta$means, theta$covs))

y <- holes(as.matrix(faithful), 0.15)
families <- c("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV",
              "EVV", "VVV")
each <- lapply(setNames(nm = families), function(family) {
  best <- gpcm(unname(y), G = 2, mnames = family, start = 0, nmax = 20000, atol = 1e-12,
               mtol = 1e-12, mmax = 200, seed = 1)$best_model
  m <- best$model_obj[[1]]
  c(as_ours(m$pi_gs, m$mus, m$sigs), list(loglik = max(m$logliks), rows = nrow(m$zigs)))
})
versions <- vapply(c("MGMM", "mixture"), function(p) as.character(packageVersion(p)), "")
saveRDS(list(mgmm = mgmm, mixture = list(x = y, fits = each), versions = versions,
             date = Sys.Date()), "../fixtures/missing.rds", version = 2)
