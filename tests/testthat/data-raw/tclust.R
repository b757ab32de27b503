# Frozen results of tclust: trimmed mixtures with a bound on the ratio of raw eigenvalues.
#
# Run in this folder: R_LIBS=<library with tclust> Rscript tclust.R (needs tclust from CRAN).
# Writes ../fixtures/tclust.rds.
#
# opt = "MIXT" is the mixture likelihood, "HARD" the classification likelihood. In version 2.2.3 the
# search of "MIXT" often ends far below the mixture likelihood of what "HARD" finds, and with fewer
# components than asked for; its `obj` counts more than the rows that are kept. So both are here,
# each the best of many starts, and are compared by the trimmed log-likelihood of their parameters
# (n alpha is whole).

suppressPackageStartupMessages(library(tclust))

contaminated <- function() {
  set.seed(11)
  clean <- rbind(
    matrix(rnorm(240), ncol = 2),
    matrix(rnorm(160), ncol = 2) %*% chol(matrix(c(3, 2, 2, 2), 2)) + rep(c(8, 2), each = 80),
    matrix(rnorm(160, sd = 0.6), ncol = 2) + rep(c(2, 8), each = 80)
  )
  rbind(clean, cbind(runif(31, -20, 30), runif(31, -20, 30))) # 10 % gross outliers
}

cases <- list(
  faithful = list(x = as.matrix(faithful), k = 3, alpha = 34 / 272, ratio = 50),
  tight = list(x = as.matrix(scale(faithful)), k = 4, alpha = 17 / 272, ratio = 5),
  iris = list(x = as.matrix(iris[1:4]), k = 3, alpha = 0.1, ratio = 20),
  contaminated = list(x = contaminated(), k = 3, alpha = 31 / 311, ratio = 12),
  swiss = list(x = as.matrix(scale(swiss)), k = 2, alpha = 7 / 47, ratio = 10)
)

best <- function(case, opt) {
  set.seed(1)
  fit <- tclust(case$x, k = case$k, alpha = case$alpha, restr.fact = case$ratio, opt = opt,
                nstart = 2000, niter1 = 5, niter2 = 500, nkeep = 20, equal.weights = FALSE)
  list(proportions = as.vector(fit$weights), means = unname(t(fit$centers)),
       covariances = unname(fit$cov), trimmed = which(fit$cluster == 0))
}

results <- lapply(cases, function(case) {
  list(x = matrix(as.vector(case$x), nrow(case$x)), alpha = case$alpha, ratio = case$ratio,
       MIXT = best(case, "MIXT"), HARD = best(case, "HARD"))
})
saveRDS(list(results = results, version = as.character(packageVersion("tclust")),
             r = R.version.string, script = "tclust.R", date = Sys.Date()),
        "../fixtures/tclust.rds", version = 2)
