# What missing values cost: time of an EM iteration on 100,000 x 10 with five components, complete,
# and with 20 % of the values missing at random (up to 1,024 patterns).
#
#   Rscript bench/missing.R      (gaussmix installed; one thread, processor seconds)
#
# A longer run's time less a shorter one's, over the difference of their iterations; the least of
# three. Measured on a shared 2-core AVX-512 machine (2026-11-30, 887 patterns), ms and ratio:
#   VVV 3.5, 7.3: 2.1;  EEE 2.8, 3.8: 1.4;  VVI 1.4, 2.6: 1.9

library(gaussmix)

n <- 100000
d <- 10
k <- 5
set.seed(1)
means <- matrix(rnorm(k * d, sd = 2), k)
x <- means[sample(k, n, TRUE), ] + matrix(rnorm(n * d), n)
y <- x
y[runif(n * d) < 0.2] <- NA
start <- gmm_params(rep(1 / k, k), means, diag(d))

seconds <- function(x, family, steps) {
  control <- gmm_control(init = start, max_iter = steps, tol = 0, threads = 1)
  spent <- system.time(gmm(x, k, family, na.action = na.pass, control = control))
  spent[["user.self"]] + spent[["sys.self"]]
}
iteration <- function(x, family) {
  min(replicate(3, (seconds(x, family, 201) - seconds(x, family, 1)) / 200))
}

for (family in c("VVV", "EEE", "VVI")) {
  times <- c(complete = iteration(x, family), missing = iteration(y, family))
  cat(sprintf("%s  complete %.1f ms, missing %.1f ms: %.1f times\n", family, 1e3 * times[[1]],
              1e3 * times[[2]], times[[2]] / times[[1]]))
}
