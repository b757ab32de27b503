# A grid over rows elsewhere: the criteria are those of fits to all rows, in every home.

# So many rows are the sample, in this test: else it is more of them than a test should fit.
local_sample_size <- function(size, env = parent.frame()) {
  own <- asNamespace("gaussmix")
  set <- function(value) {
    unlockBinding("home_sample_size", own)
    assign("home_sample_size", value, own)
    lockBinding("home_sample_size", own)
  }
  old <- own$home_sample_size
  withr::defer(set(old), env)
  set(function(k, d) size)
}

long_rows <- function(n = 6000) {
  truth <- gmm_params(c(.5, .3, .2), c(0, 4, 9), c(1, 2, 1))
  x <- with_test_seed(5, rgmm(n, truth))
  matrix(as.vector(x), dimnames = list(NULL, "a"))
}

seeded <- function(...) {
  set.seed(2)
  gmm_select(...)
}

halves <- function(x, weights = NULL, labels = NULL) {
  lapply(split(seq_len(nrow(x)), rep_len(1:2, nrow(x))), function(i) {
    list(x = x[i, , drop = FALSE], weights = weights[i], labels = labels[i])
  })
}

test_that("what is chosen is what rows in memory choose, with the criteria of all rows", {
  local_sample_size(2000)
  x <- long_rows()
  rows <- gmm_source(x, chunk = 1500)
  expect_message(choice <- seeded(rows, 1:4, control = gmm_control(verbose = FALSE)), NA)
  memory <- seeded(x, 1:4)
  same <- c("covariance", "k")
  expect_identical(choice$table[choice$chosen, same], memory$table[memory$chosen, same])
  fitted <- which(choice$table$status == "ok")
  expect_equal(choice$table$df, memory$table$df)
  sound <- fitted[choice$table$k[fitted] <= 3]
  expect_gt(length(sound), 0)
  expect_equal(choice$table$loglik[sound], memory$table$loglik[sound], tolerance = 1e-9)
  expect_false("ICL" %in% names(choice$table))
  # one component is worse by hundreds of standard errors
  left <- choice$table[choice$table$k == 1, ]
  expect_identical(left$status, "sample")
  expect_match(left$reason, "on the sample of 2000 rows its BIC is [0-9]+ standard errors above")
  expect_true(is.na(left$BIC))
  best <- gmm_best(choice)
  expect_silent(validate_gmm(best))
  expect_equal(best$loglik, gmm_best(memory)$loglik, tolerance = 1e-9)
  expect_equal(BIC(best), choice$table$BIC[choice$chosen])
  expect_equal(sum(predict(best, x, type = "logdensity")), best$loglik, tolerance = 1e-12)
  expect_null(best$x)
  expect_equal(gmm(x, best$k, best$covariance, control = gmm_control(init = best, tol = 0,
                                                                max_iter = 1))$loglik,
               best$loglik, tolerance = 1e-9)
  expect_lt(length(serialize(choice, NULL)), 60000)
  # all models are fitted where that is asked for
  all <- seeded(rows, 1:2, margin = Inf)
  expect_identical(all$table$status, rep("ok", nrow(all$table)))
  expect_equal(all$table$loglik[1], gmm(x, 1)$loglik, tolerance = 1e-12)
})

test_that("print, summary, plot and data frames of it work", {
  local_sample_size(2000)
  choice <- seeded(gmm_source(long_rows(), chunk = 5000), 1:3)
  text <- format(choice)
  expect_match(text[2], "6000 rows x 1 variable, in a matrix", fixed = TRUE)
  expect_match(text[length(text)], "left out by what the sample tells: [0-9] model")
  expect_output(print(choice), "3 components, ")
  summed <- summary(choice)
  expect_setequal(summed$best$by, c("BIC", "AIC", "AICc"))
  expect_output(print(summed), "Not fitted to all rows")
  expect_identical(nrow(as.data.frame(choice)), nrow(choice$table))
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  expect_identical(plot(choice), choice)
  expect_identical(plot(choice, criteria = c("BIC", "AICc")), choice)
  expect_gm_error(plot(choice, criteria = "ICL"), "argument", "criteria")
  expect_gm_error(gmm_best(choice, "ICL"), "argument", "criterion")
  expect_gm_error(gmm_best(choice, "CV"), "argument", "criterion")
  expect_gm_error(predict(choice), "argument", "gmm_best(object)")
})

test_that("where the sample holds all rows, the grid is that of rows in memory", {
  x <- as.matrix(faithful)
  w <- rep(c(1, 2, 0.5, 1), 68)
  for (weights in list(NULL, w)) {
    choice <- seeded(gmm_source(halves(x[order(rep_len(1:2, 272)), ], weights)), 1:3, "full")
    memory <- seeded(rbind(halves(x[order(rep_len(1:2, 272)), ])[[1]]$x,
                           halves(x[order(rep_len(1:2, 272)), ])[[2]]$x), 1:3, "full",
                     weights = if (!is.null(weights)) unlist(split(w, rep_len(1:2, 272))))
    expect_equal(choice$table$BIC, memory$table$BIC, tolerance = 1e-10)
    expect_identical(choice$table$status, rep("ok", 3))
    expect_equal(summary(choice)$effective_n, summary(memory)$effective_n)
    expect_null(gmm_best(choice)$x)
    expect_equal(coef(gmm_best(choice)), coef(gmm_best(memory)), tolerance = 1e-8)
  }
  y <- x
  y[c(5, 9), 1] <- NA
  choice <- seeded(gmm_source(y, chunk = 100), 1:2, "diag", na.action = na.pass)
  expect_equal(choice$table$BIC, seeded(y, 1:2, "diag", na.action = na.pass)$table$BIC,
               tolerance = 1e-8)
  expect_match(format(choice)[3], "missing values: 2 rows")
})

test_that("weights, labels, noise and priors are those of the models, as in memory", {
  local_sample_size(2000)
  x <- long_rows()
  w <- rep(c(1, 3), 3000)
  labels <- ifelse(abs(x[, 1]) < 0.1, "zero", NA)
  order <- order(rep_len(1:2, 6000))
  for (options in list(list(), list(noise = TRUE), list(prior = gmm_prior()),
                       list(proportions = "equal"))) {
    there <- do.call(seeded, c(list(gmm_source(unname(halves(x, w, labels))), 2:3, "V",
                                    margin = Inf), options))
    best <- gmm_best(there)
    here <- do.call(gmm, c(list(x[order, , drop = FALSE], best$k, "V", weights = w[order],
                                labels = labels[order], control = gmm_control(init = best)),
                           options))
    # with a prior, whose scale is the sample's, the log-likelihood is not at its maximum
    expect_equal(there$table$BIC[there$chosen], BIC(here), tolerance = 1e-8)
    expect_equal(there$nobs, sum(w))
    expect_identical(levels(best$labels), "zero")
    expect_output(print(there), "weights that sum to 12000")
  }
})

test_that("tables and clusters go the same way", {
  local_sample_size(2000)
  x <- long_rows()
  memory <- seeded(x, 3:4, "V")
  con <- sqlite_connect()
  withr::defer(DBI::dbDisconnect(con))
  write_table(con, "t", as.data.frame(x))
  for (how in c("push", "fetch")) {
    table <- seeded(gmm_dbi(con, "t", how = how), 3:4, "V", margin = Inf)
    expect_equal(table$table$BIC[1], memory$table$BIC[1], tolerance = 1e-9)
  }
  skip_on_cran()
  skip_on_os("windows")
  cl <- parallel::makeForkCluster(1)
  withr::defer(parallel::stopCluster(cl))
  shards <- gmm_cluster(cl, unname(halves(x)))
  there <- seeded(shards, 3:4, "V", margin = Inf)
  expect_equal(there$table$BIC[1], memory$table$BIC[1], tolerance = 1e-9)
  expect_match(format(there)[2], "in 2 shards on a cluster of 1 worker")
  expect_equal(seeded(shards, 3:4, "V", margin = Inf)$table, there$table)
})

test_that("what makes no sense over rows elsewhere is refused, with the reason", {
  rows <- gmm_source(as.matrix(faithful))
  expect_gm_error(gmm_select(rows, 1:2, criterion = "CV"), "argument", "AIC estimates",
                  call = "gmm_select")
  expect_gm_error(gmm_select(rows, 1:2, criterion = c("BIC", "ICL")), "argument",
                  "posterior probabilities of each row")
  expect_gm_error(gmm_select(rows, 1:2, folds = 3), "argument", "folds")
  expect_gm_error(gmm_select(rows, 1:2, trim = 0.1), "argument", "does not add up")
  expect_gm_error(gmm_select(rows, 1:2, labels = 1), "argument", "belong to where they are")
  expect_gm_error(gmm_select(rows, 1:2, margin = -1), "argument", "`margin`")
  expect_gm_error(gmm_select(rows, 1:2, fixed = list(means = 1)), "argument", "fixed")
  expect_gm_error(gmm_select(rows, 1:2, control = gmm_control(checkpoint = tempfile())),
                  "argument", "`checkpoint` is for one fit")
  expect_gm_error(gmm_select(rows, 1:2, control = gmm_control(init = rep(1:2, 136))), "start",
                  "labels")
  fit <- gmm(rows, 2)
  for (type in c("nonparametric", "weighted")) {
    expect_gm_error(gmm_boot(fit, 3, type = type), "data", "in a matrix")
  }
})
