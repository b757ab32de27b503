# Frozen maxima of mclust with a noise component, 14 families, from given responsibilities.
#
# Run in this folder: R_LIBS=<library with mclust> Rscript noise.R (needs mclust from CRAN).
# Writes ../fixtures/noise.rds.

suppressPackageStartupMessages(library(mclust))

set.seed(1, "Mersenne-Twister", "Inversion", "Rejection")
x <- round(rbind(cbind(rnorm(60), rnorm(60, sd = 0.7)),
                 cbind(rnorm(50, 5), rnorm(50, 4)) %*% matrix(c(1, 0.5, 0, 0.8), 2),
                 cbind(runif(30, -6, 12), runif(30, -6, 10))), 3)
groups <- rep(1:3, c(60, 50, 30)) # the last is noise
volume <- prod(apply(x, 2, function(v) diff(range(v))))
models <- c("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV",
            "EVV", "VVV")
fits <- lapply(setNames(nm = models), function(model) {
  fit <- me(x, modelName = model, z = unmap(groups), Vinv = 1 / volume,
            control = emControl(eps = 0, tol = c(1e-14, 1e-12), itmax = c(20000, 20000)))
  p <- fit$parameters
  list(proportions = p$pro, means = t(unname(p$mean)), covariances = unname(p$variance$sigma),
       loglik = fit$loglik)
})
saveRDS(list(x = x, groups = groups, volume = volume, fits = fits,
             mclust = packageVersion("mclust")), "../fixtures/noise.rds", version = 2)
