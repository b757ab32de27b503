# Frozen results of scikit-learn's BayesianGaussianMixture: each shape and prior of the weights,
# from given responsibilities.
#
# Run in this folder: Rscript vb.R (needs jsonlite, and Debian's python3-sklearn; set PYTHON for
# another interpreter). Writes ../fixtures/vb.rds. The work is done by vb.py.

set.seed(1, "Mersenne-Twister", "Inversion", "Rejection")
case <- function(x, k) {
  d <- ncol(x)
  soft <- function() {
    resp <- matrix(rexp(nrow(x) * k), nrow(x))
    resp / rowSums(resp)
  }
  hard <- 0.1 / k + 0.9 * diag(k)[stats::kmeans(x, k)$cluster, ]
  list(x = x, resp = list(hard, soft()), alpha = 0.3, kappa = 0.7, df = d + 1.5,
       mean = colMeans(x) + 0.1, scale = crossprod(matrix(rnorm(d * d), d)) + diag(d) / 2)
}
rows <- sample(150, 60)
cases <- list(
  iris = case(unname(as.matrix(iris[rows, 1:3])), 4),
  eruptions = case(matrix(faithful$eruptions[seq(1, 272, 4)]), 3)
)
input <- tempfile(fileext = ".json")
output <- tempfile(fileext = ".json")
writeLines(jsonlite::toJSON(cases, digits = NA), input)
status <- system2(Sys.getenv("PYTHON", "/usr/bin/python3"), c("vb.py", input, output))
stopifnot(status == 0)
results <- jsonlite::fromJSON(output, simplifyDataFrame = FALSE)
results$cases <- cases
results$script <- "data-raw/vb.R"
results$date <- format(Sys.Date())
saveRDS(results, "../fixtures/vb.rds", version = 3, compress = "xz")
