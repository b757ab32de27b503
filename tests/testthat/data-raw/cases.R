# Data sets, starting parameters and query points on which gaussmix is compared with other software.
#
# Run in this folder: Rscript cases.R (needs MASS). Writes ../fixtures/cases.rds.
# Every number has at most 15 significant digits, so that a decimal file carries it exactly.

set.seed(4)

stack <- function(f, d, k) array(unlist(lapply(seq_len(k), f)), c(d, d, k))

# A rough partition gives the starting parameters of the four families, to three digits.
start_from <- function(x, group) {
  d <- ncol(x)
  k <- max(group)
  of <- function(j) x[group == j, , drop = FALSE]
  p <- as.numeric(table(group)) / nrow(x)
  p <- round(p, 2)
  p[k] <- round(1 - sum(p[-k]), 2)
  means <- signif(t(matrix(vapply(seq_len(k), function(j) colMeans(of(j)), numeric(d)), d)), 3)
  colnames(means) <- colnames(x)
  full <- signif(stack(function(j) cov(of(j)), d, k), 3)
  pooled <- signif(Reduce(`+`, lapply(seq_len(k), function(j) p[j] * full[, , j])), 3)
  diagonal <- function(j) diag(diag(as.matrix(full[, , j])), d)
  covariances <- list(
    full = full,
    tied = stack(function(j) pooled, d, k),
    diag = stack(diagonal, d, k),
    spherical = stack(function(j) diag(signif(mean(diag(diagonal(j))), 3), d), d, k)
  )
  lapply(covariances, function(s) list(proportions = p, means = means, covariances = s))
}

# Rows of the data, points between the groups, and rows 1e3 and 1e6 standard deviations away.
query_points <- function(x) {
  centre <- colMeans(x)
  sds <- apply(x, 2, sd)
  zigzag <- rep_len(c(1, -1), ncol(x))
  away <- function(t) rbind(centre + t * sds, centre - t * sds, centre + t * sds * zigzag)
  inside <- rbind(x[c(1, 7, nrow(x)), , drop = FALSE], centre, away(1))
  points <- signif(rbind(inside, away(1e3), away(1e6)), 6)
  rownames(points) <- NULL
  points
}

make_case <- function(x, group) {
  x <- as.matrix(x)
  rownames(x) <- NULL
  list(x = x, k = max(group), starts = start_from(x, group), points = query_points(x))
}

# One round group and two parallel, elongated ones; proportions .2, .4, .4.
simulated <- local({
  z <- rep(1:3, c(250, 500, 500))
  long <- t(chol(matrix(c(2, 1.6, 1.6, 1.5), 2)))
  noise <- matrix(rnorm(2 * 1250), 1250)
  noise[z > 1, ] <- noise[z > 1, ] %*% t(long)
  noise[z == 1, ] <- 0.7 * noise[z == 1, ]
  x <- round(rbind(c(-3, 3), c(0, 0), c(1.5, -1.5))[z, ] + noise, 4)
  colnames(x) <- c("u", "v")
  list(x = x, group = z)
})

# Columns whose scales differ by twelve orders of magnitude.
ill_scaled <- local({
  z <- rep(1:2, c(120, 180))
  common <- chol(matrix(c(1, 0.6, 0.3, 0.6, 1, 0.5, 0.3, 0.5, 1), 3))
  x <- rbind(c(0, 0, 0), c(2, -1, 3))[z, ] + matrix(rnorm(900), 300) %*% common
  x <- signif(sweep(x, 2, c(1e-6, 1, 1e6), `*`), 6)
  colnames(x) <- c("tiny", "plain", "huge")
  list(x = x, group = z)
})

galaxies <- matrix(MASS::galaxies / 1000, dimnames = list(NULL, "velocity"))

cases <- list(
  faithful = make_case(faithful, cut(faithful$waiting, c(0, 60, 78, Inf), labels = FALSE)),
  iris = make_case(iris[, 1:4], as.integer(iris$Species)),
  galaxies = make_case(galaxies, cut(galaxies[, 1], c(0, 15, Inf), labels = FALSE)),
  simulated = make_case(simulated$x, simulated$group),
  ill_scaled = make_case(ill_scaled$x, ill_scaled$group)
)

saveRDS(cases, "../fixtures/cases.rds", version = 3, compress = "xz")
