# Frozen results of mclust's clustCombi(): the merging of components by entropy.
#
# Run in this folder: R_LIBS=<library with mclust> Rscript merge.R (needs mclust from CRAN).
# Writes ../fixtures/merge.rds.
#
# For each case the parameters, and for each number of clusters which of them each component is in,
# the entropy, the rows that the merge joined, and the elbows. Posteriors are those of the
# parameters, by one more estep().

suppressPackageStartupMessages(library(mclust))

cases <- list(
  faithful_VVV_5 = list(data = faithful, k = 5, model = "VVV"),
  faithful_EEE_8 = list(data = faithful, k = 8, model = "EEE"),
  iris_VEV_3 = list(data = iris[1:4], k = 3, model = "VEV"),
  iris_VVV_6 = list(data = iris[1:4], k = 6, model = "VVV")
)

results <- lapply(cases, function(case) {
  x <- as.matrix(case$data)
  fit <- Mclust(x, case$k, case$model, verbose = FALSE)
  fit$z <- estep(x, fit$modelName, fit$parameters)$z
  combined <- clustCombi(fit)
  k <- case$k
  z <- fit$z
  joined <- diag(k)
  members <- matrix(0L, k, k)
  entropy <- rows <- rep(NA_real_, k)
  for (g in k:1) {
    if (g < k) {
      step <- combined$combiM[[g]]
      parts <- which(colSums(step[rowSums(step) == 2, , drop = FALSE]) > 0)
      rows[g] <- sum(max.col(z, "first") %in% parts)
      z <- z %*% t(step)
      joined <- step %*% joined
    }
    members[g, ] <- apply(joined, 2, which.max)
    entropy[g] <- -sum(ifelse(z > 0, z * log(z), 0))
  }
  elbow <- function(at) mclust:::pcws2_reg(at, entropy)$c
  list(
    proportions = fit$parameters$pro, means = t(fit$parameters$mean),
    covariances = fit$parameters$variance$sigma, members = members, entropy = entropy, rows = rows,
    elbow = c(number = elbow(seq_len(k)), rescaled = elbow(cumsum(c(0, rows[-k])))),
    optim = clustCombiOptim(combined)$numClusters.combi
  )
})

saveRDS(list(results = results, mclust = as.character(packageVersion("mclust")),
             R = R.version.string, date = as.character(Sys.Date()), script = "merge.R"),
        "../fixtures/merge.rds", version = 2)
