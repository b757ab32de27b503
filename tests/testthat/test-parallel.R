draws <- function(threads) stats::rnorm(3)

test_that("replicates are the same here, on forked processes and on a cluster", {
  here <- run_replicates(1:7, draws, 1L)
  expect_length(unique(here), 7)
  expect_identical(run_replicates(1:7, draws, 2L), here)
  skip_on_cran()
  cluster <- parallel::makePSOCKcluster(2)
  on.exit(parallel::stopCluster(cluster))
  expect_identical(run_replicates(1:7, draws, cluster), here)
  # the workers have the package
  one <- gmm_params(1, 0, 1)
  expect_equal(run_replicates(1:2, function(threads) dgmm(0, one), cluster),
               list(dnorm(0), dnorm(0)), tolerance = 1e-14)
})

test_that("a seed leaves R's random numbers, and their kind, as they were", {
  with_test_seed(3, {
    suppressWarnings(RNGkind("Wichmann-Hill", "Box-Muller", "Rounding"))
    before <- .Random.seed
    first <- with_seed(5, rnorm(2))
    expect_identical(.Random.seed, before)
    expect_error(with_seed(5, stop("on the way")), "on the way")
    expect_identical(.Random.seed, before)
  })
  expect_identical(with_seed(5, rnorm(2)), first)
})

test_that("tasks get one thread where there are several processes", {
  given <- function(threads) threads
  expect_identical(run_replicates(1:2, given, 1L, threads = 5L), list(5L, 5L))
  expect_identical(run_replicates(1:2, given, 2L, threads = 5L), list(1L, 1L))
})

test_that("an error in another process is an error here", {
  skip_on_os("windows")
  expect_error(suppressWarnings(run_replicates(1:2, function(threads) stop("no such luck"), 2L)),
               "no such luck")
  expect_gm_error(check_children(list(1, NULL)), "memory", "ended from outside")
})

test_that("progress is told every two seconds", {
  now <- 0
  clock <- function() now <<- now + 0.45
  told <- character()
  withCallingHandlers(
    run_in_turn(1:10, identity, "gmm_boot()", clock),
    gaussmix_message = function(m) {
      told <<- c(told, conditionMessage(m))
      invokeRestart("muffleMessage")
    }
  )
  expect_identical(told, c("gmm_boot(): replicate 5 of 10\n", "gmm_boot(): replicate 10 of 10\n"))
  expect_silent(run_in_turn(1:10, identity, NULL, clock))
})

test_that("what is no cluster is refused", {
  expect_identical(check_cluster(NULL), 1L)
  expect_identical(check_cluster(2), 2L)
  for (bad in list(0, 1.5, "a", NA, c(1, 2), list())) {
    expect_gm_error(check_cluster(bad), "argument", "`cl` must be a whole number of at least 1")
  }
})
