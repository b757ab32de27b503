# One data set, five homes, one answer (bench/homes.R has more rows).

test_that("memory, chunks, file, cluster and database come to the same", {
  skip_on_cran()
  x <- random_data(3000, random_params("VVV", 3, 4, 6, spread = 2), 9)
  attr(x, "component") <- NULL
  colnames(x) <- c("a", "b", "c")
  file <- withr::local_tempfile()
  gmm_write(gmm_source(x, chunk = 700), file)
  cl <- parallel::makePSOCKcluster(2)
  withr::defer(parallel::stopCluster(cl))
  homes <- list(chunks = gmm_source(x, chunk = 999), file = gmm_source(file),
                cluster = gmm_cluster(cl, list(x[1:800, ], x[801:3000, ])))
  cons <- list(SQLite = sqlite_connect(), PostgreSQL = postgres_connect())
  withr::defer(for (con in cons) DBI::dbDisconnect(con))
  for (engine in names(cons)) {
    write_table(cons[[engine]], "homes", x)
    for (how in c("push", "fetch")) {
      homes[[paste(engine, how)]] <- gmm_dbi(cons[[engine]], "homes", how = how)
    }
  }
  for (family in c("full", "diag")) {
    start <- gmm_params(rep(1, 4) / 4, x[c(1, 50, 100, 150), ], diag(3))
    steps <- gmm_control(init = start, tol = 0, max_iter = 5)
    set.seed(1)
    default <- gmm(x, 4, family)
    same <- gmm(x, 4, family, control = steps)
    for (home in names(homes)) {
      expect_equal(gmm(homes[[home]], 4, family, control = steps)$trace, same$trace,
                   tolerance = 1e-10, info = home)
      set.seed(1)
      expect_equal(gmm(homes[[home]], 4, family)$loglik, default$loglik, tolerance = 1e-6,
                   info = home)
    }
  }
})
