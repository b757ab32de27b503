# A fit that was stopped goes on to the same bits.

# rows in chunks whose `pass`-th pass fails
failing <- function(x, pass = Inf) {
  count <- 0
  source <- gmm_source(x, chunk = 70)
  rewind <- source$rewind
  source$rewind <- function() {
    count <<- count + 1
    if (count >= pass) stop("the power failed")
    rewind()
  }
  source
}

overlapping <- function(n = 600) random_data(n, random_params("VVV", 2, 3, 4, spread = 1), 5)

test_that("a fit that was stopped at any pass goes on to the same bits", {
  x <- overlapping()
  attr(x, "component") <- NULL
  file <- withr::local_tempfile()
  control <- function(file = NULL) {
    gmm_control(checkpoint = file, checkpoint_every = 0, tol = 1e-5, max_iter = 5000,
                accelerate = FALSE)
  }
  run <- function(source, file) {
    suppressWarnings(gmm(source, 3, prior = gmm_prior(), control = control(file)))
  }
  set.seed(7)
  whole <- run(failing(x), NULL)
  state <- .Random.seed
  expect_gt(whole$passes, 4)
  for (stop_at in 1:4) {
    set.seed(7)
    expect_error(run(failing(x, stop_at + 2), file), "power failed")
    expect_true(file.exists(file))
    expect_length(read_record(file)$passes, stop_at)
    set.seed(99) # of no matter
    again <- run(failing(x), file)
    expect_identical(.Random.seed, state)
    same <- setdiff(names(whole), c("control", "call"))
    expect_identical(unclass(again)[same], unclass(whole)[same])
    expect_false(file.exists(file))
  }
})

test_that("it may be stopped more than once, and `max_iter` raised", {
  x <- overlapping()
  file <- withr::local_tempfile()
  start <- gmm_params(rep(1, 3) / 3, x[1:3, ], diag(2))
  run <- function(source, file, max_iter = 15) {
    gmm(source, 3, control = gmm_control(init = start, tol = 0, max_iter = max_iter,
                                         checkpoint = file, checkpoint_every = 0))
  }
  whole <- run(failing(x), NULL, 20)
  expect_error(run(failing(x, 6), file))
  expect_error(run(failing(x, 7), file))
  expect_identical(run(failing(x), file, 20)$means, whole$means)
})

test_that("a fit that `max_iter` ended keeps its checkpoint, and goes on from there", {
  x <- overlapping()
  file <- withr::local_tempfile()
  for (accelerate in c(FALSE, TRUE)) {
    run <- function(file, max_iter) {
      set.seed(3)
      start <- gmm_params(rep(1, 3) / 3, x[1:3, ], diag(2))
      gmm(failing(x), 3, prior = gmm_prior(),
          control = gmm_control(init = start, max_iter = max_iter, accelerate = accelerate,
                                checkpoint = file))
    }
    whole <- run(NULL, 2000)
    expect_true(whole$converged)
    expect_warning(run(file, 1), class = "gaussmix_warning")
    expect_true(file.exists(file))
    expect_gt(length(read_record(file)$passes), 0)
    again <- run(file, 2000)
    same <- setdiff(names(whole), c("control", "call"))
    expect_identical(unclass(again)[same], unclass(whole)[same])
    expect_false(file.exists(file))
  }
})

test_that("a checkpoint of another fit is refused, and one that is damaged", {
  x <- overlapping()
  file <- withr::local_tempfile()
  stopped <- function() {
    unlink(file)
    set.seed(1)
    expect_error(gmm(failing(x, 5), 2, control = gmm_control(checkpoint = file,
                                                          accelerate = FALSE)), "power failed")
  }
  run <- function(x, k = 2, covariance = "full", ...) {
    gmm(gmm_source(x, chunk = 100), k, covariance, control = gmm_control(checkpoint = file,
                                                                  accelerate = FALSE, ...))
  }
  fails <- function(expr, pattern, class = "checkpoint") expect_gm_error(expr, class, pattern)
  stopped()
  before <- readBin(file, "raw", 1e6)
  fails(run(x, 3), "of another model: k differ")
  fails(run(x, 2, "diag"), "of another model: code differ")
  fails(run(x, tol = 1e-3), "of another model: control differ")
  fails(run(x[-1, ]), "of other data")
  other <- x
  other[1:300, ] <- other[300:1, 2:1]
  fails(run(other), "of other data")
  moved <- x
  inner <- which(abs(x[, 1] - mean(x[, 1])) < 0.5)[1:20]
  moved[inner, 1] <- mean(x[, 1]) # no range shows it
  fails(run(moved), "a pass does not come to what was recorded")
  slightly <- x
  slightly[inner[1], 1] <- slightly[inner[1], 1] + 1e-3
  fails(run(slightly), "a pass does not come to what was recorded")
  fails(run(x, init = gmm_params(c(.5, .5), x[1:2, ], diag(2))), "another model: init differ")
  expect_identical(readBin(file, "raw", 1e6), before)
  record <- read_record(file)
  record$version <- "0.0.1"
  seal_record(record, file)
  fails(run(x), "was written by version 0.0.1")
  writeBin(before[1:500], file)
  fails(run(x), "not a checkpoint of gmm(), or it is damaged")
  # any byte that is another one
  for (at in c(1:60, round(seq(61, length(before), length.out = 150)))) {
    writeBin(replace(before, at, xor(before[at], as.raw(2^(at %% 8)))), file)
    fails(run(x), "or it is damaged")
  }
  saveRDS(1, file)
  fails(run(x), "not a checkpoint")
  unlink(file)
  fails(gmm(gmm_source(x), 2, control = gmm_control(checkpoint = "/no/such/folder/file")),
        "can't be written")
  fails(gmm(x, 2, control = gmm_control(checkpoint = file)), "don't live in memory", "argument")
  fails(gmm_control(checkpoint = 1), "`checkpoint`", "argument")
  fails(gmm_control(checkpoint_every = -1), "`checkpoint_every`", "argument")
})

test_that("a process that is killed while it writes leaves the old file or the new one", {
  skip_on_os("windows")
  skip_on_cran()
  folder <- withr::local_tempdir()
  file <- file.path(folder, "check.rds")
  code <- sprintf('
    x <- as.matrix(faithful)[rep(1:272, 40), ]
    set.seed(3)
    start <- gaussmix::gmm_params(rep(1, 30) / 30, x[1:30, ] + rnorm(60), diag(2))
    source <- gaussmix::gmm_source(x, chunk = 5000)
    cat("ready\\n")
    # with a prior no component can degenerate, whatever the number of steps
    fit <- gaussmix::gmm(source, 30, prior = gaussmix::gmm_prior(),
      control = gaussmix::gmm_control(init = start, tol = 0, checkpoint = "%s",
        checkpoint_every = 0, max_iter = as.integer(Sys.getenv("STEPS"))))
    saveRDS(fit$means, "%s")', file, file.path(folder, "means.rds"))
  script <- file.path(folder, "run.R")
  writeLines(code, script)
  libs <- paste(.libPaths(), collapse = .Platform$path.sep)
  said <- file.path(folder, "stderr")
  start <- function(steps) {
    processx::process$new(file.path(R.home("bin"), "Rscript"), script, stderr = said,
                          env = c("current", R_LIBS = libs, STEPS = steps))
  }
  passes <- 0
  for (wait in c(0, 0.11, 0.23)) {
    child <- start("1000000")
    deadline <- Sys.time() + 60
    while (!file.exists(file) && child$is_alive() && Sys.time() < deadline) Sys.sleep(0.02)
    Sys.sleep(wait)
    expect_true(child$is_alive(), info = readLines(said))
    child$signal(9)
    child$wait(10000)
    record <- read_record(file) # it is whole
    expect_gte(length(record$passes), passes)
    passes <- length(record$passes)
  }
  steps <- passes + 5
  ended <- function() {
    child <- start(as.character(steps))
    child$wait(120000)
    expect_identical(child$get_exit_status(), 0L, info = readLines(said))
    expect_true(file.exists(file)) # as the fit has not converged
    unlink(file)
    readRDS(file.path(folder, "means.rds"))
  }
  again <- ended()
  expect_identical(ended(), again) # from the start
})
