# Chunked must be the same as in memory, for any cutting into chunks.

cut_rows <- function(x, size, weights = NULL, labels = NULL) {
  lapply(split(seq_len(nrow(x)), (seq_len(nrow(x)) - 1) %/% size), function(i) {
    list(x = x[i, , drop = FALSE], weights = weights[i], labels = labels[i])
  })
}

test_that("from one start chunks give the fit of rows in memory, for every family", {
  x <- as.matrix(faithful)
  w <- rep(c(1, 2, 0.5, 0), length.out = nrow(x))
  labels <- rep(NA, nrow(x))
  labels[c(1, 2, 19, 20)] <- c("long", "short")
  for (code in names(families)) {
    start <- suppressWarnings(gmm(x, 3, code, control = gmm_control(max_iter = 2, n_init = 1,
                                                                    init = "hierarchical")))
    control <- gmm_control(init = start, tol = 0, max_iter = 5)
    memory <- gmm(x, 3, code, weights = w, labels = labels, control = control)
    for (size in c(1, 7, 271, 272)) {
      if (size == 1 && code != "VVV") next
      chunked <- gmm(gmm_source(cut_rows(x, size, w, labels)), 3, code, control = control)
      expect_equal(chunked$trace, memory$trace, tolerance = 1e-12)
      same <- c("proportions", "means", "covariances", "nobs", "df", "iterations", "passes",
                "verdict")
      expect_equal(unclass(chunked)[same], unclass(memory)[same], tolerance = 1e-8)
      expect_identical(levels(chunked$labels), c("long", "short"))
    }
  }
})

test_that("options that the M-step knows work over chunks", {
  x <- as.matrix(faithful)
  source <- gmm_source(x, chunk = 100)
  control <- gmm_control(init = gmm_params(c(.5, .5), rbind(c(2, 50), c(4, 80)), diag(c(1, 100))),
                         max_iter = 10, tol = 0)
  for (options in list(list(proportions = "equal"), list(prior = gmm_prior(kappa = 5)))) {
    memory <- do.call(gmm, c(list(x, 2, control = control), options))
    chunked <- do.call(gmm, c(list(source, 2, control = control), options))
    expect_equal(chunked$trace, memory$trace, tolerance = 1e-12)
    expect_equal(coef(chunked), coef(memory), tolerance = 1e-8)
  }
})

test_that("what is fixed stays so over chunks, as in memory, for every family", {
  x <- as.matrix(faithful)
  w <- rep(c(1, 2, 0.5, 0), length.out = nrow(x))
  fixed <- list(proportions = c(0.3, NA), means = rbind(c(2.1, NA), c(NA, 79)))
  source <- gmm_source(cut_rows(x, 100, w))
  same <- function(code, fixed, ...) {
    start <- suppressWarnings(gmm(x, 2, code, ..., control = gmm_control(
      max_iter = 2, n_init = 1, init = "hierarchical")))
    control <- gmm_control(init = start, tol = 0, max_iter = 6)
    memory <- gmm(x, 2, code, weights = w, fixed = fixed, ..., control = control)
    chunked <- gmm(source, 2, code, fixed = fixed, ..., control = control)
    expect_equal(chunked$trace, memory$trace, tolerance = 1e-12)
    expect_equal(coef(chunked), coef(memory), tolerance = 1e-8)
    expect_identical(chunked$fixed, memory$fixed)
    expect_identical(chunked$df, memory$df)
    expect_identical(chunked$means[cbind(1:2, 1:2)], c(2.1, 79))
    expect_equal(chunked$proportions[[1]], 0.3, tolerance = 1e-15)
    chunked
  }
  for (code in names(families)) same(code, fixed)
  covariance <- diag(c(0.1, 30))
  fit <- same("VVV", c(fixed, list(covariances = list(NULL, covariance))), noise = TRUE)
  expect_identical(unname(fit$covariances[, , 2]), covariance)
  # the sample's search too
  set.seed(1)
  memory <- gmm(x, 2, fixed = fixed)
  set.seed(1)
  expect_equal(logLik(gmm(gmm_source(x, chunk = 90), 2, fixed = fixed)), logLik(memory),
               tolerance = 1e-8)
  expect_gm_error(gmm(source, 2, fixed = list(means = 1)), "argument", "`fixed$means`")
})

test_that("rows with missing values are fitted over chunks as in memory, for every family", {
  x <- holes(as.matrix(iris[1:4]), 0.12, 51)
  x[c(7, 60), ] <- NA
  w <- rep(c(1, 2, 0.5, 0), length.out = 150)
  labels <- replace(rep(NA, 150), c(7, 8, 110), c("u", "u", "v"))
  for (code in names(families)) {
    start <- suppressWarnings(gmm(x, 3, code, na.action = na.pass, control = gmm_control(
      max_iter = 2, n_init = 1, init = "hierarchical")))
    control <- gmm_control(init = start, tol = 0, max_iter = 5)
    for (given in list(list(), list(weights = w), list(labels = labels), list(noise = TRUE),
                       list(fixed = list(means = rbind(c(5, 3.4, NA, NA), NA, NA))))) {
      if (code != "VVV" && !is.null(given$noise)) next
      run <- function(rows, options) {
        suppressWarnings(do.call(gmm, c(list(rows, 3, code, na.action = na.pass,
                                             control = control), options)))
      }
      memory <- run(x, given)
      source <- gmm_source(cut_rows(x, 40, given$weights, given$labels))
      given$weights <- given$labels <- NULL
      chunked <- run(source, given)
      expect_equal(chunked$trace, memory$trace, tolerance = 1e-12)
      same <- c("proportions", "means", "covariances", "nobs", "df", "missing", "verdict")
      expect_equal(unclass(chunked)[same], unclass(memory)[same], tolerance = 1e-8)
      expect_equal(fit_rows(chunked), 150)
      validate_gmm(chunked)
    }
  }
})

test_that("missing values: the search on the sample, and what can't be fitted", {
  x <- holes(as.matrix(iris[1:4]), 0.1, 3)
  x[9, ] <- NA
  pass <- function(x, ..., chunk = 40) {
    set.seed(1)
    gmm(gmm_source(x, chunk = chunk), ..., na.action = na.pass)
  }
  fit <- pass(x, 2)
  set.seed(1)
  memory <- gmm(x, 2, na.action = na.pass)
  expect_equal(logLik(fit), logLik(memory), tolerance = 1e-7)
  expect_match(format(fit), "missing values: .*\\(1 wholly missing", all = FALSE)
  set.seed(1)
  none <- gmm(gmm_source(as.matrix(faithful)), 2)
  passed <- pass(as.matrix(faithful), 2, chunk = NULL)
  expect_identical(passed[c("means", "trace", "missing")], none[c("means", "trace", "missing")])
  expect_identical(pass(x, 2, chunk = 11)$missing, fit$missing)
  # many rows: few of them are the sample
  many <- holes(matrix(rnorm(220000, rep(c(-2, 2), each = 110000)), ncol = 2), 0.05, 4)
  fit <- pass(many, 1, chunk = 30000)
  memory <- gmm(many, 1, na.action = na.pass)
  expect_equal(fit$missing, memory$missing)
  expect_equal(coef(fit), coef(memory), tolerance = 1e-5)
  apart <- cbind(a = c(rnorm(20), rep(NA, 20)), b = c(rep(NA, 20), rnorm(20)), c = rnorm(40))
  e <- expect_gm_error(pass(apart, 1), "missing", c("`a` and `b`", "never observed together"))
  expect_identical(e$columns, c("a", "b"))
  expect_s3_class(pass(apart, 1, "EEI"), "gaussmix")
  e <- expect_gm_error(pass(cbind(apart, d = NA_real_), 1, "diag"), "missing",
                       "`d` of a matrix has no")
  expect_identical(e$columns, "d")
  rare <- cbind(x, rare = NA_real_)
  rare[4, "rare"] <- 1
  expect_gm_error(pass(rare, 1, "diag"), "degenerate", "`rare` of a matrix is constant")
  infinite <- x
  infinite[50, 2] <- Inf
  expect_gm_error(pass(infinite, 1), "nonfinite", "row 10 (row 50 of all)")
  expect_gm_error(pass(x, 2, noise = 50), "noise", "missing values")
  expect_gm_error(gmm_vb(gmm_source(x), 2, na.action = na.pass), "missing", "gmm(prior")
})

test_that("what needs the rows in memory says so, and what goes over chunks", {
  x <- as.matrix(faithful)
  fit <- gmm(x, 2)
  for (rows in list(gmm_source(x), structure(list(what = "shards"), class = "gmm_cluster"))) {
    expect_gm_error(gmm(rows, 2, trim = 0.1), "argument",
                    c("`trim` needs the rows in memory", "not add up", "`noise`"), call = "gmm")
    expect_gm_error(gmm(rows, 2, labels = 1), "argument", "belong to where they are")
    expect_gm_error(gmm_da(rows), "type", c("`x`", "in memory", "`labels`"), call = "gmm_da")
    expect_gm_error(gmm_lrt(rows, 1), "type", c("in memory", "gmm_select()"), call = "gmm_lrt")
    expect_gm_error(dgmm(rows, fit), "type", c("in memory", "predict(fit"), call = "dgmm")
    expect_gm_error(pgmm(rows, fit), "type", c("`q`", "a sample"), call = "pgmm")
  }
  expect_gm_error(predict(fit, rows), "type", "goes over a gmm_source()", call = "predict")
  # the ways out
  expect_identical(unname(predict(fit, gmm_source(x), type = "density")), unname(dgmm(x, fit)))
  known <- gmm_source(list(list(x = as.matrix(iris[1:4]), labels = iris$Species)))
  expect_equal(coef(gmm(known, 3)), coef(gmm(iris[1:4], 3, labels = iris$Species)))
})

test_that("noise over chunks is that of rows in memory, in the box of all rows or in one given", {
  x <- as.matrix(faithful)
  w <- rep(c(1, 2, 0.5), length.out = nrow(x))
  w[which.max(x[, 2])] <- 0 # does not reach into the box
  source <- gmm_source(cut_rows(x, 50, w))
  given <- gmm_params(c(.4, .6), rbind(c(2, 50), c(4, 80)), diag(c(1, 100)))
  control <- gmm_control(init = given, tol = 0, max_iter = 6)
  for (noise in list(TRUE, rbind(c(2, 45), c(5, 90)), 500)) {
    memory <- gmm(x, 2, weights = w, noise = noise, control = control)
    chunked <- gmm(source, 2, noise = noise, control = control)
    expect_equal(chunked$trace, memory$trace, tolerance = 1e-12)
    expect_equal(coef(chunked), coef(memory), tolerance = 1e-8)
    expect_identical(chunked$noise, memory$noise)
    expect_gt(chunked$proportions[["noise"]], 0)
  }
  # rows that the sample lacks, being of little weight
  far <- rbind(x[rep(1:272, 400), ], c(100, 1000), c(-100, -1000))
  w <- rep(c(1, 1e-6), c(nrow(far) - 2, 2))
  source <- gmm_source(cut_rows(far, 50000, w))
  set.seed(2)
  data <- source_data(source, 2, na.fail)
  expect_identical(data_box(data), rbind(c(-100, -1000), c(100, 1000)))
  expect_lt(max(data$x), 100)
  expect_equal(gmm(source, 2, noise = TRUE, control = control)$trace,
               gmm(far, 2, weights = w, noise = TRUE, control = control)$trace, tolerance = 1e-12)
})

test_that("by default settings chunks find the optimum that rows in memory find", {
  x <- as.matrix(faithful)
  set.seed(1)
  chunked <- gmm(gmm_source(x, chunk = 50), 2)
  set.seed(1)
  expect_equal(logLik(chunked), logLik(gmm(x, 2)), tolerance = 1e-8)
  expect_true(chunked$converged)
  set.seed(1)
  expect_identical(gmm(gmm_source(x, chunk = 50), 2)$means, chunked$means)
  one <- gmm(gmm_source(x[, 1, drop = FALSE]), 1)
  expect_equal(one$means[[1]], mean(x[, 1]), tolerance = 1e-12)
  expect_identical(one$passes, 2L)
})

test_that("a sample is the same however rows are cut, and has the order of the rows", {
  x <- matrix(seq_len(5000) + 0, dimnames = list(NULL, "a"))
  drawn <- function(size, weights = NULL) {
    survey_rows(gmm_source(cut_rows(x, size, weights)), function(d) 100, "fail")
  }
  with_test_seed(1, one <- drawn(5000)$sample$x)
  for (size in c(1, 33, 100, 4999)) expect_identical(with_test_seed(1, drawn(size)$sample$x), one)
  expect_identical(dim(one), c(100L, 1L))
  expect_false(is.unsorted(one, strictly = TRUE))
  # weight 9 is drawn nine times as often, weight 0 never
  w <- rep(c(9, 1, 0), length.out = 5000)
  kinds <- function() tabulate((drawn(5000, w)$sample$x - 1) %% 3 + 1, 3)
  often <- with_test_seed(1, rowSums(replicate(20, kinds())))
  expect_identical(often[3], 0)
  expect_gt(often[1] / often[2], 7)
  expect_lt(often[1] / often[2], 11)
  with_test_seed(2, one <- drawn(5000, w)$sample$x)
  for (size in c(7, 100, 1234)) {
    expect_identical(with_test_seed(2, drawn(size, w)$sample$x), one)
  }
})

test_that("each row is as likely to be in the sample, wherever it is", {
  x <- matrix(as.double(1:3000))
  counts <- with_test_seed(3, {
    rowSums(replicate(40, {
      s <- survey_rows(gmm_source(x, chunk = 700), function(d) 150, "fail")
      tabulate(ceiling(s$sample$x / 300), 10)
    }))
  })
  expect_identical(sum(counts), 40 * 150) # a tenth in each tenth, but for chance
  expect_gt(stats::chisq.test(counts)$p.value, 0.001)
})

test_that("leaps by the sample end at the optimum of all rows, in few passes, and when resumed", {
  truth <- gmm_params(c(.5, .3, .2), cbind(c(0, 3, 6), c(0, 2, -1)), diag(2))
  with_test_seed(5, x <- rgmm(250000, truth))
  attr(x, "component") <- NULL
  w <- rep(c(1, 0.5), 125000)
  steps <- function(rows, ..., file = NULL) {
    set.seed(6)
    start <- gmm_control(init = gmm_params(rep(1, 3) / 3, truth$means + 0.3, 2 * diag(2)),
                         checkpoint = file, checkpoint_every = 0)
    gmm(rows, 3, control = start, ...)
  }
  for (code in c("full", "EEE", "diag")) {
    memory <- steps(x, code, weights = w)
    fit <- steps(gmm_source(cut_rows(x, 50000, w)), code)
    expect_true(fit$converged)
    expect_lt(fit$passes, 7)
    expect_lt(fit$passes, memory$passes)
    expect_equal(fit$loglik, memory$loglik, tolerance = 1e-9)
    expect_equal(coef(fit), coef(memory), tolerance = 1e-3)
    expect_false(is.unsorted(fit$trace))
    validate_gmm(fit)
  }
  prior <- gmm_prior(mean = c(1, 1), kappa = 1e3, df = 10, scale = diag(2))
  memory <- steps(x, prior = prior)
  fit <- steps(gmm_source(x), prior = prior)
  expect_equal(fit$objective, memory$objective, tolerance = 1e-9)
  expect_lt(fit$passes, memory$passes)
  strong <- gmm_prior(mean = c(1, 1), kappa = 1e5, df = 10, scale = diag(2)) # no leap goes so far
  expect_equal(expect_silent(steps(gmm_source(x), prior = strong))$objective,
               steps(x, prior = strong)$objective, tolerance = 1e-9)
  passes <- 0
  file <- withr::local_tempfile()
  broken <- gmm_source(x)
  rewind <- broken$rewind
  broken$rewind <- function() {
    passes <<- passes + 1
    if (passes == 3) stop("power")
    rewind()
  }
  expect_error(steps(broken, prior = prior, file = file), "power")
  expect_length(read_record(file)$passes, 1)
  again <- steps(gmm_source(x), prior = prior, file = file)
  expect_identical(again[c("means", "trace")], fit[c("means", "trace")])
})

test_that("a start that is far from all rows is no change of the rows", {
  x <- with_test_seed(1, matrix(rnorm(2000), ncol = 2, dimnames = list(NULL, c("a", "b"))))
  for (far in c(2e3, 1e5)) {
    start <- gmm_params(c(.5, .5), rbind(c(a = far, b = far), c(-far, far)), diag(2))
    control <- gmm_control(init = start, tol = 0, max_iter = 5)
    fits <- suppressWarnings(lapply(list(x, gmm_source(x)), gmm, 2, control = control))
    expect_equal(fits[[2]]$loglik, fits[[1]]$loglik, tolerance = 1e-9)
  }
})

test_that("where the sample is all rows, its optimum is theirs", {
  set.seed(1)
  fit <- gmm(gmm_source(as.matrix(faithful), chunk = 50), 3)
  expect_identical(fit$passes, 1L)
  set.seed(1)
  expect_equal(logLik(fit), logLik(gmm(faithful, 3)), tolerance = 1e-9)
})

test_that("a first look at rows is that of R's functions, for any number of rows and threads", {
  with_test_seed(4, x <- matrix(rnorm(3 * 5000), 5000))
  x[cbind(c(3, 17, 4999), c(1, 2, 2))] <- NA
  w <- rep(c(0, 1, 2.5), length.out = 5000)
  extremes <- function(x) unname(apply(x, 2L, range, na.rm = TRUE))
  for (n in c(1, 3, 7, 8, 100, 1025, 5000)) {
    part <- x[seq_len(n), , drop = FALSE]
    scan <- engine_scan(part, w[seq_len(n)], threads = 1L)
    here <- w[seq_len(n)] > 0
    expect_identical(scan$reach, extremes(part))
    if (any(here)) expect_identical(scan$ranges, extremes(part[here, , drop = FALSE]))
    expect_identical(scan$missing, as.double(sum(is.na(part))))
    expect_equal(c(scan$weight, scan$weight2), c(sum(w[seq_len(n)]), sum(w[seq_len(n)]^2)))
  }
  many <- rep(seq_len(5000), 200)
  expect_identical(engine_scan(x[many, ], rep(w, 200), 2L), engine_scan(x[many, ], rep(w, 200), 1L))
  expect_identical(engine_scan(x)$ranges, scan$reach)
  expect_identical(engine_scan(x)$weight, 5000L)
  for (bad in list(-1, NaN, NA, Inf)) {
    expect_identical(engine_scan(x, replace(w, c(2100, 4000), bad))$wrong, 2100)
  }
  expect_identical(engine_scan(replace(x, 4100, -Inf))$reach[1L, 1L], -Inf)
  expect_identical(engine_scan(x[0L, ])$reach, rbind(rep(Inf, 3), -Inf))
})

test_that("the first pass tells size, names, ranges and weights", {
  x <- as.matrix(faithful)
  w <- rep(c(0, 3), 136)
  source <- gmm_source(cut_rows(x, 60, w))
  expect_identical(dim(source), c(NA, NA))
  expect_null(colnames(source))
  s <- survey_rows(source, function(d) 50, "fail")
  expect_identical(dim(source), c(272L, 2L) + 0)
  expect_identical(colnames(source), colnames(x))
  expect_identical(unlist(s[c("rows", "weight", "weight2")]),
                   c(rows = 272, weight = 408, weight2 = 1224))
  expect_equal(s$ranges, apply(x[w > 0, ], 2, range), ignore_attr = TRUE)
  expect_equal(s$reach, apply(x, 2, max), ignore_attr = TRUE)
  expect_match(format(source)[2], "272 rows x 2 variables: `eruptions`, `waiting`", fixed = TRUE)
})

test_that("what the first pass finds wrong is refused, with chunk and row", {
  x <- as.matrix(faithful)
  changed <- function(...) {
    chunks <- cut_rows(x, 100)
    chunks[[2]] <- utils::modifyList(chunks[[2]], list(...))
    gmm(gmm_source(unname(chunks)), 2)
  }
  other <- x[1:100, ]
  other[7, 2] <- NA
  expect_gm_error(changed(x = other), "missing", c("Chunk 2 of a list of chunks",
                                                   "row 7 (row 107 of all), column `waiting`"))
  other[7, 2] <- -Inf
  expect_gm_error(changed(x = other), "nonfinite", "row 7 (row 107 of all)", call = "gmm")
  expect_gm_error(changed(x = x[1:100, 2:1]), "source", "Chunk 2 of a list of chunks has the col")
  expect_gm_error(changed(x = x[1:100, 1]), "source", "1 column, not 2")
  expect_gm_error(changed(x = matrix("a", 100, 2)), "type", "`chunk 2 of a list of chunks`")
  expect_gm_error(changed(x = NULL), "type", "Chunk 2")
  expect_gm_error(changed(weights = 1:3), "weights", "has 3 weights for 100 rows")
  expect_gm_error(changed(weights = rep(1, 100)), "weights", "those before it have none")
  expect_gm_error(changed(labels = "a"), "labels", "has 1 labels for 100 rows")
  expect_gm_error(changed(labels = rep(0.5, 100)), "labels", "labels of chunk 2")
  expect_gm_error(gmm(gmm_source(list()), 2), "dimension", "no rows in a list of chunks")
  expect_gm_error(gmm(gmm_source(cbind(x, 1)), 2), "degenerate", "`V3` of a matrix is constant")
  expect_gm_error(gmm(gmm_source(cbind(a = x[, 1], a = x[, 2])), 2), "names", "`a` twice")
  expect_gm_error(gmm(gmm_source(cut_rows(x, 90, rep(0, 272))), 2), "weights", "finite sum above 0")
  expect_gm_error(gmm(gmm_source(cut_rows(x, 90, rep(-1, 272))), 2), "weights", "-1 in row 1")
  expect_gm_error(gmm(gmm_source(x), 2, control = gmm_control(init = rep(1:2, 136))), "start",
                  "must not be labels", call = "gmm")
  expect_gm_error(gmm(gmm_source(x)), "argument", "`k`", call = "gmm")
  expect_gm_error(gmm_source(1), "type", "must be a function, a list", call = "gmm_source")
  expect_gm_error(gmm_source(x, chunk = 0), "argument", "chunk", call = "gmm_source")
})

test_that("a source that changes between passes is an error that says where", {
  x <- as.matrix(faithful)
  # `change` of the chunks from the third pass on
  changing <- function(change) {
    chunks <- unname(cut_rows(x, 100))
    pass <- 0
    at <- 0
    gmm_source(function(reset) {
      if (reset) {
        pass <<- pass + 1
        at <<- 0
        if (pass == 3) chunks <<- change(chunks)
      } else if (at < length(chunks)) {
        at <<- at + 1
        chunk <- chunks[[at]]
        if (is.function(chunk)) chunk() else chunk
      }
    })
  }
  steps <- gmm_control(accelerate = FALSE) # takes several passes
  fails <- function(change, pattern, class = "source") {
    expect_gm_error(gmm(changing(change), 2, control = steps), class, pattern, call = "gmm")
  }
  replace <- function(i, value) {
    function(chunks) {
      chunks[[i]] <- value
      chunks
    }
  }
  bad <- x[101:200, ]
  bad[3, 1] <- NaN
  fails(replace(2, bad), c("changed between two passes", "Chunk 2", "row 103 of all"))
  bad[3, 1] <- Inf
  fails(replace(2, bad), c("changed between two passes", "1 infinite value"))
  fails(replace(3, x[1:90, ]), c("Chunk 3", "goes beyond the 272 rows"))
  fails(replace(1, x[1:90, ]), "there were 262 rows in a function, in the first 272")
  fails(replace(3, NULL), "there were 200 rows")
  fails(replace(2, x[1:100, 2:1]), "Chunk 2 of a function has the columns `waiting`, `eruptions`")
  fails(replace(2, matrix("a", 100, 2)), c("changed between two passes", "must be a numeric"))
  fails(replace(2, function() stop("connection lost")), "can't be read: connection lost")
  expect_error(gmm(changing(replace(2, function() gmm_abort("memory", "x"))), 2, control = steps),
               class = "gaussmix_error_memory")
})

test_that("weights, labels and values that change between passes are found in their sums", {
  x <- as.matrix(faithful)
  w <- rep(c(1, 3), 136)
  g <- rep(c("a", NA, NA, "b"), 68)
  fails <- function(pattern, then, first = list(x = x, weights = w, labels = g), from = 3, ...) {
    pass <- 0
    source <- gmm_source(function(reset) {
      if (reset) {
        pass <<- pass + 1
        at <<- 0
      } else if (at < 2) {
        at <<- at + 1
        now <- if (pass < from) first else then(first)
        lapply(now, function(part) {
          rows <- (at - 1) * 136 + 1:136
          if (is.matrix(part)) part[rows, ] else part[rows]
        })
      }
    })
    start <- gmm_params(c(.5, .5), rbind(a = c(2, 50), b = c(4, 80)), diag(c(1, 100)))
    expect_gm_error(gmm(source, 2, control = gmm_control(init = start, tol = 0, max_iter = 5), ...),
                    "source", c("changed between two passes", pattern), call = "gmm")
  }
  at <- 0
  part <- function(name, value) function(first) {
    first[[name]] <- value
    first
  }
  for (from in 2:3) {
    fails("has no weights", part("weights", NULL), from = from)
    fails("has weights", part("weights", w), list(x = x), from = from)
    fails("sum of weights", part("weights", replace(w, 7, 0)), from = from)
    fails("sum of weights", part("weights", 2 * w), from = from, noise = TRUE)
    fails("a weight of -1 in row 7", part("weights", replace(w, 7, -1)), from = from)
    fails("labels", part("labels", NULL), from = from)
    fails("labels", part("labels", replace(g, 4, NA)), from = from)
  }
  moved <- x
  moved[100, 1] <- moved[100, 1] + 1e-3
  fails("moments", part("x", moved))
  holes <- x
  holes[5, 2] <- NA
  fails("sum of weights", part("weights", w + 1e-5), list(x = holes, weights = w),
        na.action = na.pass)
})

test_that("na.omit leaves rows out in every pass, and the fit says how many", {
  x <- as.matrix(faithful)
  x[c(5, 77), 1] <- NA
  set.seed(1)
  fit <- gmm(gmm_source(x, chunk = 50), 2, na.action = na.omit)
  expect_equal(logLik(fit), logLik(gmm(x, 2, na.action = na.omit)), tolerance = 1e-8)
  expect_match(format(fit)[2], "270 rows x 2 variables, 2 rows dropped (missing values), in a mat",
               fixed = TRUE)
})

test_that("a fit over chunks does what needs no rows, and refuses the rest", {
  x <- as.matrix(faithful)
  w <- rep(c(1, 3), 136)
  set.seed(1)
  fit <- gmm(gmm_source(cut_rows(x, 100, w)), 2)
  memory <- gmm(x, 2, weights = w)
  expect_silent(validate_gmm(fit))
  expect_equal(BIC(fit), BIC(memory), tolerance = 1e-8)
  expect_equal(summary(fit)$effective_n, summary(memory)$effective_n)
  expect_identical(nobs(fit), 544)
  expect_identical(predict(fit, x[1:5, ]), predict(memory, x[1:5, ]))
  expect_null(fit$x)
  expect_lt(length(serialize(fit, NULL)), 20000)
  expect_identical(dim(simulate(fit, seed = 1)[[1]]), dim(x))
  for (f in list(predict, fitted, residuals, vcov, case.names, model.matrix, gmm_merge)) {
    expect_gm_error(f(fit), "data", "in a list of chunks")
  }
  expect_true(is.na(gmm_criteria(fit)$ICL))
})

test_that("a source that can't go back to its first row, or is not given, is a classed error", {
  fit <- gmm(faithful, 2)
  pass <- 0
  at <- 0
  source <- gmm_source(function(reset) {
    if (reset) {
      pass <<- pass + 1
      if (pass >= broken) stop("no tape")
      at <<- 0
    } else if (at < 1) {
      at <<- 1
      as.matrix(faithful)
    }
  })
  broken <- 1
  expect_gm_error(gmm(source, 2), "source", "first row of a function failed: no tape", call = "gmm")
  expect_gm_error(predict(fit, source), "source", "no tape")
  broken <- 4
  pass <- 0
  start <- gmm_params(c(.5, .5), rbind(c(2, 50), c(4, 80)), diag(c(1, 100)))
  e <- expect_gm_error(gmm(source, 2, control = gmm_control(init = start, accelerate = FALSE)),
                       "source", "no tape")
  expect_s3_class(e$parameters, "gmm")
  expect_gm_error(gmm_source(), "argument", "`x`", call = "gmm_source")
})

test_that("predictions of a source keep the rows' names, for every type", {
  fit <- gmm(faithful, 2)
  x <- as.matrix(faithful)
  rownames(x) <- paste0("r", seq_len(nrow(x)))
  for (type in c("class", "prob", "density", "uncertainty")) {
    expect_equal(predict(fit, gmm_source(x, chunk = 100), type), predict(fit, x, type),
                 tolerance = 1e-13)
  }
})
