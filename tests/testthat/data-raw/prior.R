# Frozen posterior modes of mclust on faithful, from given labels, with a given prior.
#
# Run in this folder: R_LIBS=<library with mclust> Rscript prior.R (needs mclust from CRAN).
# Writes ../fixtures/prior.rds.
#
# The M-steps of mclust 6.1.3 divide by n_j + dof + d (VVV) and n + dof + d + k - 1 (EEE), where the
# mode of the density in Fraley & Raftery (2007) has 2 more: its `dof` is 2 more than the degrees of
# freedom of the inverse Wishart density whose mode it finds.

suppressPackageStartupMessages(library(mclust))

x <- as.matrix(faithful)
prior <- list(mean = c(3.4, 70), kappa = 0.5, df = 4, scale = matrix(c(0.3, 1, 1, 60), 2))
groups <- 1 + (x[, 1] > 2.5) + (x[, 1] > 4.3)
fits <- lapply(c(VVV = "VVV", EEE = "EEE"), function(model) {
  fit <- me(x, modelName = model, z = unmap(groups),
            prior = priorControl(mean = prior$mean, shrinkage = prior$kappa, dof = prior$df + 2,
                                 scale = prior$scale),
            control = emControl(tol = c(1e-15, 1e-15), itmax = c(20000, 20000)))
  p <- fit$parameters
  list(proportions = p$pro, means = t(unname(p$mean)), covariances = unname(p$variance$sigma))
})
saveRDS(list(prior = prior, groups = groups, fits = fits, mclust = packageVersion("mclust")),
        "../fixtures/prior.rds", version = 2)
