# The same bits for any assignment of shards to workers, and when workers die on the way.

cluster_rows <- function() {
  x <- random_data(3000, random_params("VVV", 2, 2, 3, spread = 1.5), 8)
  attr(x, "component") <- NULL
  colnames(x) <- c("a", "b")
  x
}

cut_shards <- function(x, n) {
  lapply(split(seq_len(nrow(x)), seq_len(nrow(x)) %% n), function(i) x[i, ])
}

local_workers <- function(n, env = parent.frame()) {
  cl <- parallel::makePSOCKcluster(n)
  withr::defer(for (worker in cl) suppressWarnings(try(close(worker$con), silent = TRUE)), env)
  cl
}

worker_ids <- function(cl) unlist(parallel::clusterCall(cl, Sys.getpid))

fit_seeded <- function(...) {
  set.seed(3)
  gmm(..., control = gmm_control(tol = 1e-7, accelerate = FALSE)) # takes several passes
}

same_bits <- c("proportions", "means", "covariances", "trace", "loglik", "passes")

test_that("a fit on a cluster has the bits of the same chunks here, on any number of workers", {
  skip_on_cran()
  x <- cluster_rows()
  shards <- cut_shards(x, 5)
  three <- local_workers(3)
  one <- fit_seeded(gmm_cluster(three[1], shards), 2)
  expect_identical(unclass(fit_seeded(gmm_cluster(three, shards), 2))[same_bits],
                   unclass(one)[same_bits])
  control <- gmm_control(init = one, tol = 0, max_iter = 5)
  here <- gmm(gmm_source(unname(shards)), 2, control = control)
  there <- gmm(gmm_cluster(three[2:3], shards), 2, control = control)
  expect_identical(unclass(there)[same_bits], unclass(here)[same_bits])
  expect_equal(there$trace, gmm(x, 2, control = control)$trace, tolerance = 1e-12)
  expect_match(format(there)[2], "3000 rows x 2 variables, in 5 shards on a cluster of 2 workers",
               fixed = TRUE)
  if (.Platform$OS.type != "windows") {
    fork <- parallel::makeForkCluster(2)
    withr::defer(parallel::stopCluster(fork))
    expect_identical(unclass(fit_seeded(gmm_cluster(fork, shards), 2))[same_bits],
                     unclass(one)[same_bits])
  }
})

test_that("the workers send what is in the sample of all rows, and little more", {
  skip_on_cran()
  cl <- local_workers(2)
  x <- with_test_seed(1, matrix(rnorm(30000), dimnames = list(NULL, "a")))
  size <- home_sample_size(1, 1)
  x <- x[rep(seq_len(30000), length.out = 4 * size), , drop = FALSE]
  shards <- unname(split(seq_len(nrow(x)), rep(1:2, c(nrow(x) - 5000, 5000))))
  rows <- gmm_cluster(cl, lapply(shards, function(i) list(x = x[i, , drop = FALSE],
                                                         weights = as.double(i %% 3))))
  asked <- list(k = 1L, policy = "fail", key = c(7, 8))
  parts <- on_shards(rows$pool, worker_survey, asked)
  expect_lt(length(serialize(parts, NULL)), 50000)
  drawn <- on_shards(rows$pool, worker_sample, c(asked, step = last_step(parts)))
  sent <- vapply(drawn, `[[`, 0, "held")
  expect_gte(sum(sent), size)
  expect_lt(sum(sent), 1.02 * size)
  whole <- lapply(1:2, function(i) {
    survey_part(gmm_source(rows$pool$load(i)$arguments), function(d) size, "fail", asked$key, i)
  })
  all <- end_draw(Reduce(merge_surveys, whole)$sample, TRUE)
  cut <- end_draw(Reduce(merge_surveys, Map(function(s, draw) {
    s$sample <- draw
    s
  }, parts, drawn))$sample, TRUE)
  expect_identical(cut, all)
  # a worker that lost its draw makes it anew
  on_shards(rows$pool, worker_sample, c(asked, step = last_step(parts)))
  expect_identical(on_shards(rows$pool, worker_sample, c(asked, step = last_step(parts))), drawn)
  few <- gmm_cluster(cl, list(x[1:3, , drop = FALSE], x[0, , drop = FALSE]))
  expect_gm_error(gmm(few, 1), "dimension", "Shard 2 has no rows")
})

test_that("weights, labels, noise, priors and what is fixed work there; files as shards", {
  skip_on_cran()
  x <- cluster_rows()
  w <- rep(c(1, 2, 0), 1000)
  labels <- c("u", "v", rep(NA, 2998))
  chunks <- lapply(split(1:3000, rep(1:3, each = 1000)), function(i) {
    list(x = x[i, ], weights = w[i], labels = labels[i])
  })
  cl <- local_workers(2)
  control <- gmm_control(init = gmm_params(c(.5, .5), x[1:2, ], diag(2)), tol = 0, max_iter = 4)
  for (options in list(list(), list(prior = gmm_prior(kappa = 2)), list(proportions = "equal"),
                       list(noise = TRUE), list(noise = rbind(c(-9, -9), c(9, 9))),
                       list(fixed = list(means = rbind(c(1, NA), NA))))) {
    run <- function(x, ...) do.call(gmm, c(list(x, 2, "tied", control = control, ...), options))
    expect_equal(run(gmm_cluster(cl, chunks))$trace, run(x, weights = w, labels = labels)$trace,
                 tolerance = 1e-12)
  }
  holed <- replace(holes(x, 0.1, 2), cbind(5, 1:2), NA)
  pass <- function(rows) gmm(rows, 2, na.action = na.pass, control = control)
  expect_equal(pass(gmm_cluster(cl, cut_shards(holed, 4)))[c("trace", "missing", "nobs")],
               pass(holed)[c("trace", "missing", "nobs")], tolerance = 1e-12)
  files <- file.path(withr::local_tempdir(), c("a.bin", "b.csv"))
  gmm_write(x[1:1000, ], files[1])
  utils::write.csv(x[1001:3000, ], files[2], row.names = FALSE)
  memory <- gmm(x, 2, control = control)
  both <- gmm_source(files[2], format = "csv")
  by_file <- gmm_cluster(cl, files[2], chunk = 300)
  expect_equal(gmm(by_file, 2, control = control)$trace, gmm(both, 2, control = control)$trace,
               tolerance = 1e-12)
  made <- gmm_cluster(cl, function(i) x[seq(i, 3000, by = 3), ], n = 3)
  expect_equal(gmm(made, 2, control = control)$trace, memory$trace, tolerance = 1e-12)
  read <- function(i) gaussmix::gmm_source(files[i])
  environment(read) <- list2env(list(files = files), parent = globalenv())
  streamed <- gmm_cluster(cl, read)
  expect_equal(gmm(streamed, 2, control = control)$trace, memory$trace, tolerance = 1e-12)
})

# A function of a shard's number: who reads shard 2 for the third time ends itself, once.
dying_shards <- function(shards, mark) {
  die <- function(i) {
    passes <- 0
    at <- 0
    gaussmix::gmm_source(function(reset) {
      if (reset) {
        passes <<- passes + 1
        at <<- 0
        if (i == 2 && passes >= 3 && !file.exists(mark)) {
          file.create(mark)
          tools::pskill(Sys.getpid(), 9)
          Sys.sleep(5)
        }
      } else if (at == 0) {
        at <<- 1
        shards[[i]]
      }
    })
  }
  environment(die) <- list2env(list(shards = shards, mark = mark), parent = globalenv())
  die
}

test_that("variational Bayes goes over shards as over rows in memory", {
  skip_on_cran()
  x <- cluster_rows()
  rows <- gmm_cluster(local_workers(1), cut_shards(x, 2))
  control <- gmm_control(init = gmm_params(c(.5, .5), x[1:2, ], diag(2)), tol = 0, max_iter = 5)
  prior <- gmm_prior(scale = diag(2))
  same <- c("trace", "bound", "loglik", "posterior")
  expect_equal(unclass(gmm_vb(rows, 2, prior = prior, control = control))[same],
               unclass(gmm_vb(x, 2, prior = prior, control = control))[same], tolerance = 1e-10)
  expect_gm_error(gmm_vb(rows, 2, labels = 1), "argument", "belong to where they are")
})

test_that("shards of a worker that dies are read by another, to the same bits", {
  skip_on_cran()
  x <- cluster_rows()
  shards <- cut_shards(x, 4)
  cl <- local_workers(3)
  whole <- fit_seeded(gmm_cluster(cl, shards), 2)
  ids <- worker_ids(cl)
  rows <- gmm_cluster(cl, shards)
  expect_identical(unclass(fit_seeded(rows, 2))[same_bits], unclass(whole)[same_bits])
  tools::pskill(ids[1], 9) # between two fits
  Sys.sleep(0.2)
  expect_identical(unclass(fit_seeded(rows, 2))[same_bits], unclass(whole)[same_bits])
  expect_match(format(rows)[2], "1 worker was lost")
  mark <- withr::local_tempfile()
  two <- local_workers(2)
  dying <- gmm_cluster(two, dying_shards(shards, mark), n = 4)
  expect_identical(unclass(fit_seeded(dying, 2))[same_bits], unclass(whole)[same_bits])
  expect_true(file.exists(mark))
  expect_match(format(dying)[2], "1 worker was lost")
})

test_that("workers of every kind that die in a pass are made up for, or leave a way to go on", {
  skip_on_cran()
  x <- cluster_rows()
  shards <- cut_shards(x, 4)
  whole <- fit_seeded(gmm_source(unname(shards)), 2)
  best <- gmm(x, 2)
  withr::local_envvar(R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep))
  start <- list(PSOCK = function(n) parallel::makePSOCKcluster(n))
  if (.Platform$OS.type != "windows") start$fork <- function(n) parallel::makeForkCluster(n)
  if (requireNamespace("mirai", quietly = TRUE)) start$mirai <- function(n) mirai::make_cluster(n)
  for (kind in names(start)) {
    stop_cluster <- function(cl) suppressWarnings(try(parallel::stopCluster(cl), silent = TRUE))
    mark <- withr::local_tempfile()
    cl <- start[[kind]](2)
    rows <- gmm_cluster(cl, dying_shards(shards, mark), n = 4)
    first <- fit_seeded(rows, 2)
    expect_true(file.exists(mark))
    expect_identical(unclass(fit_seeded(rows, 2))[same_bits], unclass(first)[same_bits])
    expect_equal(first$loglik, whole$loglik, tolerance = 1e-9)
    stop_cluster(cl)
    unlink(mark) # and where it was the only one
    file <- withr::local_tempfile()
    control <- gmm_control(tol = 1e-7, accelerate = FALSE, checkpoint = file,
                           checkpoint_every = 0)
    cl <- start[[kind]](1)
    set.seed(3)
    e <- expect_gm_error(gmm(gmm_cluster(cl, dying_shards(shards, mark), n = 4), 2,
                             control = control), "source",
                         c("no worker of the cluster is left", "last good `parameters`"),
                         call = "gmm")
    stop_cluster(cl)
    on <- gmm(x, 2, control = gmm_control(init = e$parameters))
    expect_equal(on$loglik, best$loglik, tolerance = 1e-9)
    cl <- start[[kind]](1)
    again <- gmm(gmm_cluster(cl, shards), 2, control = control)
    expect_identical(unclass(again)[same_bits], unclass(first)[same_bits])
    expect_false(file.exists(file))
    stop_cluster(cl)
  }
})

test_that("a file that is cut off under its worker is an error of its shard", {
  skip_on_cran()
  x <- cluster_rows()
  files <- file.path(withr::local_tempdir(), c("a.bin", "b.bin"))
  for (i in 1:2) gmm_write(gmm_source(x[1:1500 + 1500 * (i - 1), ], chunk = 500), files[i])
  whole <- readBin(files[2], "raw", 1e6)
  cut_off <- function() writeBin(whole[1:15000], files[2])
  cl <- local_workers(2)
  begin <- gmm_params(c(.5, .5), x[1:2, ], diag(2))
  cut_later <- gmm_control(init = function(x, k) { # after the survey
    cut_off()
    begin
  })
  e <- expect_gm_error(gmm(gmm_cluster(cl, files), 2, control = cut_later), "source",
                       "Shard 2: The file b.bin is cut off", call = "gmm")
  expect_identical(e$shards, 2L)
  e <- expect_gm_error(gmm(gmm_cluster(cl, files), 2), "source", "is cut off", call = "gmm")
  expect_identical(e$shards, 2L)
})

test_that("where no worker is left, or a shard can't be read, the error says which", {
  skip_on_cran()
  x <- cluster_rows()
  cl <- local_workers(2)
  rows <- gmm_cluster(cl, cut_shards(x, 3))
  bad <- cut_shards(x, 3)
  bad[[2]][7, 1] <- NA
  e <- expect_gm_error(gmm(gmm_cluster(cl, bad), 2), "missing", "shard 2", call = "gmm")
  expect_identical(e$shards, 2L)
  bad <- cut_shards(x, 3)
  bad[[2]] <- bad[[2]][, 2:1]
  expect_gm_error(gmm(gmm_cluster(cl, bad), 2), "source", "Shard 2 has the columns `b`, `a`")
  e <- expect_gm_error(gmm(gmm_cluster(cl, function(i) if (i == 3) stop("disk on fire") else x,
                                       n = 3), 2), "source", "Shard 3: disk on fire")
  expect_identical(e$shards, 3L)
  expect_gm_error(gmm_cluster(cl, "/no/such/file.csv"), "source", "There is no file")
  expect_gm_error(gmm_cluster(1, list(x)), "argument", "`cl`", call = "gmm_cluster")
  expect_gm_error(gmm_cluster(cl, 1), "argument", "`shards`")
  expect_gm_error(gmm_cluster(cl, list(x), n = 2), "argument", "`n`")
  expect_gm_error(gmm(rows, 2, control = gmm_control(init = rep(1:2, 1500))), "start", "labels")
  # a worker that says nothing
  stuck <- gmm_cluster(cl[2], function(i) Sys.sleep(30), n = 1, timeout = 1)
  expect_gm_error(gmm(stuck, 2), "source", "no worker of the cluster is left")
})

test_that("a reply that comes too late is not taken for another", {
  skip_on_cran()
  x <- cluster_rows()
  cl <- local_workers(1)
  rows <- gmm_cluster(cl, cut_shards(x, 2))
  whole <- fit_seeded(rows, 2)
  ask_node(rows$pool, 1, worker_run, list(rows$pool$job, 1, 1:2, list(NULL, NULL), function(...) 0,
                                          list(), list(NULL, NULL))) # nobody waits for it
  expect_identical(unclass(fit_seeded(rows, 2))[same_bits], unclass(whole)[same_bits])
})

test_that("workers forget their shards, and read them anew when asked", {
  skip_on_cran()
  x <- cluster_rows()
  cl <- local_workers(2)
  rows <- gmm_cluster(cl, cut_shards(x, 4))
  first <- fit_seeded(rows, 2)
  held <- function() unlist(parallel::clusterEvalQ(cl, length(ls(gaussmix:::held_shards))))
  expect_identical(held(), c(2L, 2L))
  rows$close()
  expect_identical(held(), c(0L, 0L))
  expect_identical(unclass(fit_seeded(rows, 2))[same_bits], unclass(first)[same_bits])
})

test_that("a checkpoint goes on on other workers", {
  skip_on_cran()
  x <- cluster_rows()
  shards <- cut_shards(x, 4)
  file <- withr::local_tempfile()
  run <- function(cl, checkpoint = NULL) {
    set.seed(3)
    gmm(gmm_cluster(cl, shards), 2, control = gmm_control(checkpoint = checkpoint,
                                                          checkpoint_every = 0,
                                                          accelerate = FALSE))
  }
  cl <- local_workers(2)
  whole <- run(cl)
  broken <- gmm_cluster(cl, shards)
  set.seed(3)
  data <- cluster_data(broken, 2L, stats::na.fail, NULL)
  calls <- 0
  estep <- data$home$estep
  data$home$estep <- function(params) {
    calls <<- calls + 1
    if (calls == 3) stop("power")
    estep(params)
  }
  control <- check_control(gmm_control(checkpoint = file, checkpoint_every = 0,
                                       accelerate = FALSE))
  options <- list(proportions = "free", noise = FALSE, prior = NULL)
  expect_error(gmm_bridge(data, 2L, "full", options, control, quote(gmm())), "power")
  expect_true(file.exists(file))
  expect_identical(unclass(run(local_workers(3), file))[same_bits], unclass(whole)[same_bits])
})

test_that("mirai: the same bits; a process that dies is made up for, and none left is an error", {
  skip_on_cran()
  skip_if_not_installed("mirai")
  x <- cluster_rows()
  shards <- cut_shards(x, 4)
  withr::local_envvar(R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep))
  start <- function(n) {
    cl <- mirai::make_cluster(n)
    withr::defer_parent(parallel::stopCluster(cl))
    cl
  }
  whole <- fit_seeded(gmm_cluster(local_workers(1), shards), 2)
  cl <- start(2)
  rows <- gmm_cluster(cl, shards)
  expect_identical(unclass(fit_seeded(rows, 2))[same_bits], unclass(whole)[same_bits])
  tools::pskill(worker_ids(cl)[1], 9) # its calls go to the other, which lacks the shards
  Sys.sleep(0.2)
  expect_identical(unclass(fit_seeded(rows, 2))[same_bits], unclass(whole)[same_bits])
  mark <- withr::local_tempfile()
  two <- start(2)
  dying <- gmm_cluster(two, dying_shards(shards, mark), n = 4)
  expect_identical(unclass(fit_seeded(dying, 2))[same_bits], unclass(whole)[same_bits])
  expect_true(file.exists(mark))
  for (id in worker_ids(cl)) tools::pskill(id, 9)
  Sys.sleep(0.2)
  expect_gm_error(fit_seeded(rows, 2), "source", "no worker of the cluster is left")
})

mpi_run <- function(code, done) {
  script <- withr::local_tempfile(fileext = ".R")
  out <- withr::local_tempfile()
  writeLines(c("cl <- parallel::makeCluster(2, type = \"MPI\")",
               "say <- function(...) cat(..., \"\\n\", file = Sys.getenv(\"OUT\"), append = TRUE)",
               "x <- as.matrix(faithful)", "shards <- lapply(1:3, function(i) x[seq(i, 272, 3), ])",
               "steps <- function(...) gaussmix::gmm_control(accelerate = FALSE, ...)",
               "fit <- function(rows) { set.seed(1); gaussmix::gmm(rows, 2, control = steps()) }",
               code), script)
  child <- processx::process$new(file.path(R.home("bin"), "Rscript"), script, env = c(
    "current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep), OUT = out,
    OMPI_ALLOW_RUN_AS_ROOT = "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = "1",
    OMPI_MCA_rmaps_base_oversubscribe = "1"
  ))
  deadline <- Sys.time() + 180
  read <- function() if (file.exists(out)) readLines(out) else character()
  while (!any(grepl(done, read())) && child$is_alive() && Sys.time() < deadline) Sys.sleep(0.1)
  child$kill_tree()
  trimws(read())
}

test_that("MPI: the same bits; a worker that is killed is an error and no hang", {
  skip_on_cran()
  skip_on_os("windows")
  skip_if_not_installed("Rmpi")
  skip_if_not_installed("snow")
  said <- mpi_run(c(
    "rows <- gaussmix::gmm_cluster(cl, shards)",
    "there <- fit(rows)",
    "say(identical(there$trace, fit(gaussmix::gmm_cluster(cl[1], shards))$trace))",
    "say(class(cl[[1]]), length(unique(unlist(parallel::clusterCall(cl, Sys.getpid)))))",
    "say('done')"
  ), "done")
  expect_identical(said, c("TRUE", "MPInode 2", "done"))
  said <- mpi_run(c(
    "id <- parallel::clusterCall(cl, Sys.getpid)[[1]]",
    "rows <- gaussmix::gmm_cluster(cl, shards)",
    "say(class(fit(rows))[1])",
    "tools::pskill(id, 9); Sys.sleep(1)",
    "e <- tryCatch(fit(rows), error = identity)",
    "say(class(e)[1])",
    "say('done')"
  ), "done")
  expect_identical(said, c("gaussmix", "gaussmix_error_source", "done"))
})

test_that("MPI: a worker that was dead before is an error after `timeout`, and no hang", {
  skip_on_cran()
  skip_on_os("windows")
  skip_if_not_installed("Rmpi")
  skip_if_not_installed("snow")
  said <- mpi_run(c(
    "id <- parallel::clusterCall(cl, Sys.getpid)[[2]]",
    "tools::pskill(id, 9); Sys.sleep(1)",
    "for (i in 1:2) {",
    "  e <- tryCatch(fit(gaussmix::gmm_cluster(cl, shards, timeout = 2)), error = identity)",
    "  say(class(e)[1])",
    "}",
    "say('done')"
  ), "done")
  expect_identical(said, c(rep("gaussmix_error_source", 2), "done"))
})

test_that("MPI: a worker that is killed in a pass leaves parameters and a checkpoint", {
  skip_on_cran()
  skip_on_os("windows")
  skip_if_not_installed("Rmpi")
  skip_if_not_installed("snow")
  file <- withr::local_tempfile()
  mark <- withr::local_tempfile()
  safe <- c(sprintf("file <- \"%s\"", file), sprintf("mark <- \"%s\"", mark),
            "control <- steps(checkpoint = file, checkpoint_every = 0)",
            "set.seed(1)")
  dying <- deparse(dying_shards)
  said <- mpi_run(c(
    safe, paste("dying <-", dying[1]), dying[-1],
    "rows <- gaussmix::gmm_cluster(cl, dying(shards, mark), n = 3)",
    "e <- tryCatch(gaussmix::gmm(rows, 2, control = control), error = identity)",
    "say(class(e)[1], class(e$parameters)[1], file.exists(mark), file.exists(file))",
    "say(sub('\\n.*', '', conditionMessage(e)))",
    "say('done')"
  ), "done")
  expect_identical(said[1], "gaussmix_error_source gaussmix TRUE TRUE")
  expect_match(said[2], "no worker of the cluster is left")
  expect_identical(said[3], "done")
  said <- mpi_run(c(
    safe, "rows <- gaussmix::gmm_cluster(cl, shards)",
    "again <- gaussmix::gmm(rows, 2, control = control)",
    "say(file.exists(file), identical(again$trace, fit(rows)$trace))",
    "say('done')"
  ), "done")
  expect_identical(said, c("FALSE TRUE", "done"))
})
