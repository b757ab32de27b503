# Rmixmod's fits with case weights, and with known labels: fixtures/rmixmod.rds.
#   Rscript data-raw/rmixmod.R    in tests/testthat
library(Rmixmod)

x <- as.matrix(iris[1:4])
weights <- rep(c(1, 2, 3), 50)
labels <- rep(NA_integer_, 150)
labels[c(1:5, 51:55, 101:105)] <- rep(1:3, each = 5)
model <- mixmodGaussianModel(listModels = "Gaussian_pk_Lk_Ck")
strategy <- mixmodStrategy(algo = "EM", nbTry = 10, nbTryInInit = 50, epsilonInAlgo = 1e-12,
                           nbIterationInAlgo = 5000)
read <- function(fit) {
  best <- fit@bestResult
  p <- best@parameters
  list(loglik = best@likelihood, proportions = p@proportions, means = p@mean,
       covariances = simplify2array(p@variance))
}
known <- replace(labels, is.na(labels), 0L)
saveRDS(list(
  weights = weights, labels = labels,
  weighted = read(mixmodCluster(iris[1:4], 3, models = model, strategy = strategy,
                                weight = weights, seed = 1)),
  labelled = read(mixmodCluster(iris[1:4], 3, models = model, strategy = strategy,
                                knownLabels = known, seed = 1)),
  version = as.character(packageVersion("Rmixmod"))
), "fixtures/rmixmod.rds", version = 2)
