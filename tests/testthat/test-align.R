permutations <- function(v) {
  if (length(v) <= 1) return(list(v))
  do.call(c, lapply(seq_along(v), function(i) lapply(permutations(v[-i]), function(p) c(v[i], p))))
}

test_that("the assignment is the cheapest of all permutations", {
  for (k in 1:5) {
    all <- permutations(seq_len(k))
    for (seed in 1:8) {
      # whole numbers of a small range have ties
      cost <- with_test_seed(seed, matrix(if (seed > 4) sample(0:2, k^2, TRUE) else rnorm(k^2), k))
      total <- function(p) sum(cost[cbind(seq_len(k), p)])
      found <- least_cost_assignment(cost)
      expect_identical(sort(found), seq_len(k))
      expect_equal(total(found), min(vapply(all, total, 0)), tolerance = 1e-12)
    }
  }
})

test_that("a hidden permutation of many is found", {
  hidden <- with_test_seed(1, sample(40))
  cost <- with_test_seed(2, matrix(runif(1600), 40)) + 1
  cost[cbind(1:40, hidden)] <- with_test_seed(3, runif(40, 0, 0.5))
  expect_identical(least_cost_assignment(cost), hidden)
})

test_that("components are put into the order of those that they agree with", {
  m <- with_test_seed(1, gmm(iris[1:4], 3))
  x <- as.matrix(iris[1:4])
  for (order in permutations(1:3)) {
    shuffled <- list(proportions = m$proportions[order], means = m$means[order, ] + 0.05,
                     covariances = m$covariances[, , order], covariance = m$covariance)
    expect_identical(order[aligned_order(shuffled, as_parameters(m), x)], 1:3)
  }
  # by the weights: only rows of one group count, whose components are told apart by them alone
  one <- gmm_params(1, 0, 1)
  expect_identical(aligned_order(one, one, cbind(1:3)), 1L)
})
