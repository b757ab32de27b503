# Mixtures of equal proportions by Rmixmod: all 14 families, EM from given labels to convergence.
#
# Run in this folder: R_LIBS=<library with Rmixmod> Rscript proportions.R. Writes
# ../fixtures/proportions.rds.

suppressPackageStartupMessages(library(Rmixmod))

# Rmixmod's names of the families.
models <- c(
  EII = "L_I", VII = "Lk_I", EEI = "L_B", VEI = "Lk_B", EVI = "L_Bk", VVI = "Lk_Bk", EEE = "L_C",
  VEE = "Lk_C", EVE = "L_D_Ak_D", VVE = "Lk_D_Ak_D", EEV = "L_Dk_A_Dk", VEV = "Lk_Dk_A_Dk",
  EVV = "L_Ck", VVV = "Lk_Ck"
)
set.seed(1)
sets <- list(
  faithful = list(x = faithful, labels = kmeans(scale(faithful), 3)$cluster),
  iris = list(x = iris[1:4], labels = as.integer(iris$Species))
)

fit <- function(model, set) {
  strategy <- mixmodStrategy(algo = "EM", initMethod = "label", labels = set$labels, nbTry = 1,
                             nbIterationInAlgo = 20000, epsilonInAlgo = 1e-14)
  out <- mixmodCluster(set$x, 3, strategy = strategy, seed = 1,
                       models = mixmodGaussianModel(listModels = paste0("Gaussian_p_", model)))
  best <- out@bestResult
  list(loglik = best@likelihood, df = best@parameters@nbFreeParam, means = best@parameters@mean)
}
results <- lapply(sets, function(set) lapply(models, fit, set = set))

saveRDS(file = "../fixtures/proportions.rds", version = 3, compress = "xz", list(
  labels = lapply(sets, `[[`, "labels"), results = results,
  versions = c(R = paste(getRversion()), Rmixmod = paste(packageVersion("Rmixmod"))),
  script = "data-raw/proportions.R", date = format(Sys.Date())
))
