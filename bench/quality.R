# How often does the default call find the best known optimum, and how fast?
#
#   Rscript bench/quality.R [seeds]      in the project's folder; one core
#
# 254 cases: public and simulated data, the four plain shapes, k = 2 to 8. Two yardsticks, both of
# solutions without spurious components only: the reference, the best of 100 long starts (50
# k-means++, 50 random), of mclust and of scikit-learn (n_init = 10, tol = 1e-6), each continued by
# EM to convergence; and the best ever seen, of wide searches with other seeds too, which only
# rises. They are kept in results/quality-known.csv. Then the default call, with each of the seeds,
# and mclust's and scikit-learn's (ten starts), timed in turn. PYTHON says which python3 has
# scikit-learn.
library(gaussmix)
suppressPackageStartupMessages(library(mclust))

out <- Sys.getenv("GAUSSMIX_QUALITY", "bench/results")
seeds <- seq_len(as.integer(c(commandArgs(TRUE), 2)[1L]))

# ---- cases ----

from <- function(package, name, object = name) {
  where <- new.env()
  utils::data(list = name, package = package, envir = where)
  where[[object]]
}
numbers <- function(x) {
  x <- as.data.frame(x)
  x <- x[vapply(x, is.numeric, TRUE)]
  unname(data.matrix(x[stats::complete.cases(x), , drop = FALSE]))
}
simulated <- function(seed, n, d, k, apart) {
  set.seed(seed)
  means <- matrix(rnorm(k * d, sd = apart), k)
  group <- sample(k, n, TRUE, prob = runif(k, .3, 1))
  turn <- lapply(seq_len(k), function(j) matrix(rnorm(d * d), d) / sqrt(d) + diag(.3, d))
  t(vapply(seq_len(n), function(i) means[group[i], ] + turn[[group[i]]] %*% rnorm(d), numeric(d)))
}
sets <- list(
  faithful = list(numbers(faithful), 2:6), iris = list(numbers(iris), 2:5),
  galaxies = list(numbers(MASS::galaxies / 1000), c(2, 3, 4, 6)),
  precip = list(numbers(precip), 2:3),
  acidity = list(numbers(from("mclust", "acidity")), 2:4),
  diabetes = list(numbers(from("mclust", "diabetes")), 2:5),
  banknote = list(numbers(from("mclust", "banknote")), 2:4),
  thyroid = list(numbers(from("mclust", "thyroid")), 2:4),
  wreath = list(numbers(from("mclust", "wreath")), c(4, 8)),
  chevron = list(numbers(from("mclust", "chevron")[, -1]), c(2, 4)),
  cross = list(numbers(from("mclust", "cross")[, -1]), c(2, 4)),
  gvhd = list(numbers(from("mclust", "GvHD", "GvHD.pos"))[1:1000, ], c(3, 6)),
  crabs = list(numbers(MASS::crabs[4:8]), c(2, 4)),
  geyser = list(numbers(MASS::geyser), c(3, 5, 7)),
  quakes = list(numbers(quakes[1:4]), c(3, 5, 8)), airquality = list(numbers(airquality[1:4]), 2:3),
  rock = list(numbers(rock[1:3]), 2), usarrests = list(numbers(USArrests), 2:3),
  pima = list(numbers(MASS::Pima.tr[c(2, 3, 5, 6)]), 2:4), trees = list(numbers(trees[1:2]), 2),
  boston = list(numbers(MASS::Boston[c("rm", "lstat", "medv", "nox", "dis")]), c(2, 4, 6)),
  sim2 = list(simulated(1, 400, 2, 6, 2.5), c(4, 6, 8)),
  sim3 = list(simulated(2, 800, 3, 5, 1.5), c(3, 5, 7)),
  sim5 = list(simulated(3, 600, 5, 4, 1.2), c(3, 4, 5)),
  sim8 = list(simulated(4, 1500, 8, 8, 1.5), c(5, 8)),
  sim2wide = list(simulated(5, 1000, 2, 8, 4), 8)
)
shapes <- c(full = "VVV", tied = "EEE", diag = "VVI", spherical = "VII")
cases <- do.call(rbind, lapply(names(sets), function(name) {
  grid <- expand.grid(k = sets[[name]][[2L]], covariance = names(shapes), stringsAsFactors = FALSE)
  if (ncol(sets[[name]][[1L]]) == 1L) grid <- grid[grid$covariance %in% c("full", "tied"), ]
  cbind(data = name, n = nrow(sets[[name]][[1L]]), d = ncol(sets[[name]][[1L]]), grid)
}))
cases$id <- with(cases, paste(data, covariance, k))

# ---- one call ----

quietly <- function(expr) tryCatch(suppressWarnings(expr), error = function(e) NULL)
sound <- function(fit) if (is.null(fit) || any(fit$verdict$spurious)) -Inf else fit$loglik
call_gmm <- function(case, ...) {
  x <- sets[[case$data]][[1L]]
  quietly(gmm(x, case$k, case$covariance, control = gmm_control(..., verbose = FALSE)))
}
go_on <- function(case, proportions, means, covariances) {
  d <- case$d
  means <- matrix(means, case$k)
  start <- quietly(gmm_params(proportions, means, array(covariances, c(d, d, case$k)),
                              covariance = case$covariance))
  if (is.null(start)) -Inf else sound(call_gmm(case, init = start))
}
call_mclust <- function(case) {
  code <- shapes[[case$covariance]]
  if (case$d == 1L) code <- if (code == "EEE") "E" else "V"
  quietly(Mclust(sets[[case$data]][[1L]], G = case$k, modelNames = code, verbose = FALSE))
}
from_mclust <- function(case, fit) {
  if (is.null(fit)) return(-Inf)
  p <- fit$parameters
  covariances <- if (case$d == 1L) rep_len(p$variance$sigmasq, case$k) else p$variance$sigma
  go_on(case, p$pro, t(matrix(p$mean, case$d)), covariances)
}

# ---- scikit-learn: all cases in one process; lines of numbers per case ----

call_sklearn <- function(cases, seeds) {
  folder <- tempfile()
  dir.create(folder)
  for (name in names(sets)) {
    write.table(sets[[name]][[1L]], file.path(folder, paste0(name, ".csv")), sep = ",",
                row.names = FALSE, col.names = FALSE)
  }
  write.table(cases[c("data", "covariance", "k")], file.path(folder, "cases"), row.names = FALSE,
              col.names = FALSE, quote = FALSE)
  lines <- system2(Sys.getenv("PYTHON", "/usr/bin/python3"), c("bench/quality_sklearn.py", folder),
                   stdout = TRUE, env = c("OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"))
  parts <- lapply(strsplit(lines, " ", fixed = TRUE), as.double)
  lapply(seq_len(nrow(cases)), function(i) {
    k <- cases$k[i]
    d <- cases$d[i]
    read <- function(v) {
      go_on(cases[i, ], v[1:k], t(matrix(v[k + 1:(k * d)], d)), v[-(1:(k + k * d))])
    }
    own <- parts[3 * i - 2:0]
    list(strict = read(own[[1L]]), ten = read(own[[2L]]), seconds = own[[3L]])
  })
}

# ---- yardsticks ----

known_file <- file.path(out, "quality-known.csv")
known <- data.frame(id = cases$id, starts = NA, best = -Inf)
if (file.exists(known_file)) known <- read.csv(known_file)
for (i in which(is.na(known$starts))) {
  case <- cases[i, ]
  set.seed(1000)
  known$starts[i] <- max(sound(call_gmm(case, init = "kmeans++", n_init = 50)),
                         sound(call_gmm(case, init = "random", n_init = 50)))
  for (seed in 1:4) {
    set.seed(2000 + seed)
    known$best[i] <- max(known$best[i], sound(call_gmm(case, n_init = 20, search = 400)))
  }
}

# ---- the default calls ----

sklearn <- call_sklearn(cases)
results <- do.call(rbind, lapply(seq_len(nrow(cases)), function(i) {
  case <- cases[i, ]
  time <- system.time(fit <- call_mclust(case))[[1L]]
  peers <- data.frame(mclust = from_mclust(case, fit), mclust_s = time, sklearn = sklearn[[i]]$ten,
                      sklearn_strict = sklearn[[i]]$strict, sklearn_s = sklearn[[i]]$seconds)
  do.call(rbind, lapply(seeds, function(seed) {
    set.seed(seed)
    time <- system.time(fit <- call_gmm(case))[[1L]]
    failed <- is.null(fit)
    data.frame(case, seed = seed, peers, ours = sound(fit), ours_s = time,
               iterations = if (failed) NA else fit$iterations,
               reached = if (failed) NA else fit$reached)
  }))
}))
at <- match(results$id, known$id)
results$reference <- pmax(known$starts[at], results$mclust, results$sklearn, results$sklearn_strict)
highest <- tapply(pmax(results$reference, results$ours), results$id, max)
known$best <- pmax(known$best, highest[known$id])
write.csv(known, known_file, row.names = FALSE)
results$best <- known$best[at]
results <- results[is.finite(results$best), ]
decimal <- vapply(results, is.double, TRUE)
results[decimal] <- lapply(results[decimal], signif, 10)
write.csv(results[names(results) != "id"], file.path(out, "quality.csv"), row.names = FALSE)

percent <- function(x, yardstick) sprintf("%5.1f %%", 100 * mean(x >= yardstick - 0.01))
cat(sprintf("%d cases, %d calls of gmm()\n", length(unique(results$id)), nrow(results)))
for (who in c("ours", "mclust", "sklearn", "sklearn_strict")) {
  cat(sprintf("%-15s within 0.01 of the reference: %s, of the best ever seen: %s\n", who,
              percent(results[[who]], results$reference), percent(results[[who]], results$best)))
}
for (s in split(results, results$covariance)) {
  cat(sprintf("  %-10s gmm() %s, %s\n", s$covariance[1L], percent(s$ours, s$reference),
              percent(s$ours, s$best)))
}
cat("processor seconds (scikit-learn: elapsed), median and sum:\n")
for (who in c("ours_s", "mclust_s", "sklearn_s")) {
  cat(sprintf("  %-9s %.3f, %.1f\n", who, median(results[[who]]), sum(results[[who]])))
}
cat(sprintf("gmm() slower than scikit-learn's ten starts in %.1f %% of the calls\n",
            100 * mean(results$ours_s > results$sklearn_s)))
results$gap <- results$reference - results$ours
print(results[which(results$gap > 0.01), c("id", "n", "seed", "gap")], row.names = FALSE)
