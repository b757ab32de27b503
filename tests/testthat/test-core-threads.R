# The same bits for any number of threads; the generator; interrupts.

big <- local({
  x <- random_data(30000, random_params("VVV", 3, 4, 11), 12)
  attr(x, "component") <- NULL
  x
})

test_that("fits, scores and draws have the same bits for 1, 2 and 4 threads", {
  for (family in oracle_families(3)) {
    for (weights in list(NULL, with_test_seed(3, rexp(nrow(big))))) {
      fits <- lapply(c(1, 2, 4), function(threads) {
        with_test_seed(1, gmm(big, 4, family, weights = weights, control = gmm_control(
          n_init = 2, tol = 0, max_iter = 5, threads = threads)))
      })
      plain <- lapply(fits, function(fit) fit[setdiff(names(fit), "control")])
      expect_identical(plain[[2]]$trace, plain[[1]]$trace)
      expect_identical(plain[[3]]$trace, plain[[1]]$trace)
      expect_identical(plain[[3]]$covariances, plain[[1]]$covariances)
      for (type in c("logdensity", "prob")) {
        expect_identical(predict(fits[[3]], type = type), predict(fits[[1]], type = type))
      }
      draws <- lapply(fits, function(fit) with_test_seed(5, rgmm(5000, fit)))
      expect_identical(draws[[2]], draws[[1]])
      expect_identical(draws[[3]], draws[[1]])
    }
  }
})

test_that("predicting in batches is predicting at once, to the bit", {
  fit <- with_test_seed(1, gmm(big, 4, control = gmm_control(n_init = 1, max_iter = 5, tol = 0)))
  at_once <- predict(fit, type = "prob")
  for (size in c(1, 7, 1000, 29999)) {
    rows <- seq_len(size) + (nrow(big) - size) %/% 2
    expect_identical(predict(fit, big[rows, , drop = FALSE], type = "prob"),
                     at_once[rows, , drop = FALSE])
  }
})

test_that("the generator is Philox4x32-10: its published test vectors", {
  # Random123's kat_vectors; uniforms keep the upper 52 of 64 bits, plus a half
  as_uniform <- function(high, low) (high * 2^20 + low %/% 2^12 + 0.5) * 2^-52
  zero <- engine_random(c(0, 0), 0)
  expect_identical(zero[, 1], c(as_uniform(0xe169c58d, 0x6627e8d5),
                                as_uniform(0x9b00dbd8, 0xbc57ac4c)))
})

test_that("uniforms lie inside (0, 1) and are uniform", {
  u <- engine_random(c(1, 2), 0:49999)
  expect_true(all(u > 0 & u < 1))
  expect_gt(stats::ks.test(u[1, ], "punif")$p.value, 1e-4)
  expect_gt(stats::ks.test(u[2, ], "punif")$p.value, 1e-4)
  expect_lt(abs(stats::cor(u[1, ], u[2, ])), 0.02)
})

test_that("threads follow the environment and never exceed its limit", {
  skip_if_not(engine_info()$openmp)
  vars <- c("OMP_NUM_THREADS", "OMP_THREAD_LIMIT")
  old <- Sys.getenv(vars, NA)
  on.exit(for (v in vars) {
    if (is.na(old[[v]])) Sys.unsetenv(v) else do.call(Sys.setenv, as.list(old[v]))
  })
  Sys.unsetenv(vars)
  expect_lte(engine_info()$threads, 2)
  for (bad in c("0", "-1", "abc", "")) {
    Sys.setenv(OMP_NUM_THREADS = bad)
    expect_gte(engine_info()$threads, 1)
    expect_lte(engine_info()$threads, 2)
  }
  Sys.setenv(OMP_NUM_THREADS = "1000")
  expect_lte(engine_info()$threads, 2)
  Sys.setenv(OMP_NUM_THREADS = "1")
  expect_identical(engine_info()$threads, 1L)
  Sys.unsetenv("OMP_NUM_THREADS")
  Sys.setenv(OMP_THREAD_LIMIT = "1")
  expect_identical(engine_info()$threads, 1L)
})

test_that("a forked child fits after its parent did, without a deadlock", {
  skip_on_os("windows")
  fit <- gmm(big, 4, control = gmm_control(n_init = 1, max_iter = 3, tol = 0, threads = 2))
  control <- gmm_control(init = fit, max_iter = 3, tol = 0, threads = 2)
  job <- parallel::mcparallel(gmm(big, 4, control = control)$loglik)
  got <- parallel::mccollect(job, wait = FALSE, timeout = 30)
  if (is.null(got)) {
    tools::pskill(job$pid, tools::SIGKILL)
    parallel::mccollect(job)
  }
  expect_identical(got[[1]], gmm(big, 4, control = control)$loglik)
})

test_that("a time limit stops a long fit soon, as R's own error, and the session goes on", {
  x <- random_data(20000, random_params("VVV", 8, 10, 2), 3)
  seconds <- system.time(
    expect_error({
      setTimeLimit(elapsed = 0.5, transient = TRUE)
      gmm(x, 20, control = gmm_control(n_init = 1000, verbose = FALSE))
    }, "elapsed time limit")
  )[["elapsed"]]
  setTimeLimit()
  expect_lt(seconds, 2.5)
  expect_s3_class(gmm(faithful, 2), "gmm")
})

test_that("more rows than one stretch give the same bits too", {
  x <- with_test_seed(4, matrix(rnorm(3e6), ncol = 1)) # three stretches or so
  start <- gmm_params(c(.3, .7), c(-1, 1), c(1, 2))
  fits <- lapply(c(1, 2, 4), function(threads) {
    gmm(x, 2, control = gmm_control(init = start, max_iter = 2, tol = 0, threads = threads))
  })
  expect_identical(fits[[2]]$trace, fits[[1]]$trace)
  expect_identical(fits[[3]]$covariances, fits[[1]]$covariances)
  resp <- predict(start, x, type = "prob")
  expect_equal(unname(fits[[1]]$trace[1]), sum(predict(start, x, type = "logdensity")),
               tolerance = 1e-12)
  once <- gmm(x, 2, control = gmm_control(init = start, max_iter = 1, tol = 0))
  expect_equal(unname(once$proportions), unname(colMeans(resp)), tolerance = 1e-12)
})

test_that("progress of a long fit is a message of ours", {
  x <- random_data(30000, random_params("VVV", 6, 10, 2), 3)
  told <- character()
  setTimeLimit(elapsed = 60, transient = TRUE) # the message ends the fit
  on.exit(setTimeLimit())
  tryCatch(
    gmm(x, 15, control = gmm_control(init = "kmeans++", n_init = 1000, verbose = TRUE)),
    gaussmix_message = function(m) told <<- conditionMessage(m),
    error = function(e) NULL
  )
  expect_match(told, "^gmm\\(\\): start [0-9]+ of 1000")
})

test_that("a limit on processor time is kept where variables and components are many", {
  over <- function(limit, code) {
    begin <- sum(proc.time()[1:2])
    expect_error({
      setTimeLimit(cpu = limit, transient = TRUE)
      code
    }, "time limit")
    spent <- sum(proc.time()[1:2]) - begin
    setTimeLimit()
    spent - limit
  }
  x <- with_test_seed(1, matrix(rnorm(600 * 300), 600))
  control <- gmm_control(threads = 1, verbose = FALSE)
  # one component of the M-step takes about 0.05 s, all of them many times that
  for (family in c("VVV", "EVE", "VEV")) {
    expect_lt(over(0.4, gmm(x, 40, family, control = control)), 2)
  }
  m <- gmm_params(rep(1 / 40, 40), matrix(0, 40, 300), diag(300))
  expect_lt(over(0.2, for (i in 1:1000) predict(m, x, type = "prob")), 1)
  expect_s3_class(gmm(faithful, 2), "gmm")
})
