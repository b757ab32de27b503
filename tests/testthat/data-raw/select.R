# Frozen choices among models: log-likelihood and BIC (lower is better) of scikit-learn and of
# mclust for 1 to 10 components and the four plain shapes on three data sets of cases.R, and whether
# a solution rests on too few rows.
#
# Run in this folder: R_LIBS=<library with mclust> Rscript select.R (needs jsonlite, mclust, and
# Debian's python3-sklearn; set PYTHON for another interpreter). Writes ../fixtures/select.rds.
#
# scikit-learn: ten k-means starts, and a tolerance (1e-8 a row) far below its default. mclust: its
# hierarchical start, and a tolerance (1e-10 relative) far below its default.

suppressPackageStartupMessages(library(mclust))

families <- c(full = "VVV", tied = "EEE", diag = "VVI", spherical = "VII")
cases <- readRDS("../fixtures/cases.rds")[c("faithful", "iris", "simulated")]
data <- lapply(cases, function(case) unname(case$x))

# The rule of gmm_control(spurious =), written anew. covariances: d x d x k.
is_spurious <- function(x, family, proportions, means, covariances) {
  d <- ncol(x)
  k <- length(proportions)
  log_terms <- vapply(seq_len(k), function(j) {
    factor <- chol(covariances[, , j])
    z <- backsolve(factor, t(x) - means[j, ], transpose = TRUE)
    log(proportions[j]) - sum(log(diag(factor))) - colSums(z^2) / 2
  }, numeric(nrow(x)))
  posterior <- exp(log_terms - apply(log_terms, 1, max))
  size <- colSums(posterior / rowSums(posterior))
  rows <- switch(family, full = d + 1, tied = 1, 2)
  pooled <- rowSums(sweep(covariances, 3, size / sum(size), `*`), dims = 2)
  scale <- apply(x, 2, function(v) diff(quantile(v, c(.25, .75), type = 1)) / 1.349)
  values <- function(m) Re(eigen(m, only.values = TRUE)$values)
  thin <- apply(covariances, 3, function(s) min(values(solve(pooled, s))))
  least <- apply(covariances, 3, function(s) min(values(s / tcrossprod(scale))))
  any(size < 2 * rows | size < 10 * rows & thin < 1e-3 | least <= 1e-10)
}

row_of <- function(peer, x, fit) {
  spurious <- is_spurious(x, fit$covariance, fit$proportions, fit$means, fit$covariances)
  data.frame(peer = peer, fit[c("case", "covariance", "k", "loglik", "BIC")], spurious = spurious)
}

of_sklearn <- function() {
  input <- tempfile(fileext = ".json")
  output <- tempfile(fileext = ".json")
  writeLines(jsonlite::toJSON(data, digits = NA), input)
  python <- Sys.getenv("PYTHON", "/usr/bin/python3")
  stopifnot(system2(python, c("select_sklearn.py", input, output)) == 0)
  out <- jsonlite::fromJSON(output, simplifyDataFrame = FALSE)
  rows <- lapply(out$fits, function(fit) {
    fit$means <- matrix(fit$means, fit$k)
    fit$covariances <- aperm(fit$covariances, c(2, 3, 1))
    row_of("scikit-learn", data[[fit$case]], fit)
  })
  list(version = out$version, rows = do.call(rbind, rows))
}

of_mclust <- function() {
  control <- emControl(tol = c(1e-10, 1e-10))
  grid <- expand.grid(k = 1:10, covariance = names(families), case = names(data),
                      stringsAsFactors = FALSE)
  rows <- Map(function(case, covariance, k) {
    x <- data[[case]]
    fit <- Mclust(x, G = k, modelNames = families[[covariance]], control = control, verbose = FALSE)
    if (is.null(fit)) return(NULL) # mclust has no such model
    s <- fit$parameters$variance$sigma
    # by mclust the log-likelihood is that of the parameters before the last M-step
    loglik <- sum(dens(x, fit$modelName, fit$parameters, logarithm = TRUE))
    row_of("mclust", x, list(
      case = case, covariance = covariance, k = k, loglik = loglik,
      BIC = -2 * loglik + fit$df * log(nrow(x)),
      proportions = if (k == 1) 1 else fit$parameters$pro,
      means = t(matrix(fit$parameters$mean, ncol(x))), covariances = array(s, c(dim(s)[1:2], k))
    ))
  }, grid$case, grid$covariance, grid$k)
  do.call(rbind, unname(rows))
}

sklearn <- of_sklearn()
saveRDS(
  list(
    version = c(`scikit-learn` = sklearn$version, mclust = as.character(packageVersion("mclust")),
                R = R.version.string),
    script = "data-raw/select.R",
    date = format(Sys.Date()),
    results = rbind(sklearn$rows, of_mclust())
  ),
  "../fixtures/select.rds", version = 3, compress = "xz"
)
