# Nothing that R can pass may crash the routines: each argument in turn, with everything.

good <- list(
  x = matrix(as.double(1:12), 6), w = NULL, family = "VVV", k = 2L, scale = c(1, 1), start = "auto",
  params = list(proportions = c(.4, .5, .1), means = matrix(c(0, 0, 1, 1), 2),
                covariances = array(diag(2), c(2, 2, 2)),
                noise = list(log_volume = log(100), lower = c(0, 0), upper = c(10, 10))),
  control = list(n_starts = 2L, n_finish = 1L, proposals = 3L, give_up = 0L, sample = 6L,
                 max_iter = 5L,
                 tol = 1e-9, floor = 1e-10, ratio = 50, trim = 0.1, units = c(1, 1),
                 spurious = c(2, 10, 1e-3), threads = NULL,
                 progress = "", prior = list(alpha = 1, mean = c(0, 0), kappa = 1, df = 3,
                                             scale = diag(2), root = diag(2),
                                             constant = c(0, 0, 0), share = 1, posterior = 0L,
                                             weight = 6, sorted = 0L),
                 labels = c(0L, 1L, 2L, 0L, 0L, 0L), equal = 0L, accelerate = 1L, fixed = NULL,
                 noise = list(log_volume = log(100), lower = c(0, 0), upper = c(10, 10)))
)
strange <- list(
  NULL, list(), list(1), "a", NA_character_, raw(0), sum, function(x) x, globalenv(), quote(a + b),
  as.name("a"),
  NA, TRUE, NA_integer_, -1L, 0L, .Machine$integer.max, -.Machine$integer.max, integer(), 1:3,
  double(), NaN, Inf,
  1e300, c(1, 2, 3), 1i, matrix(0, 0, 0), matrix(1, 1, 1), array(1, c(1, 1, 1)),
  structure(1, dim = 1L),
  matrix("a"), data.frame(a = 1), factor("a"), expression(a), pairlist(a = 1),
  methods::new("numeric")
)

fuzz <- function(routine, arguments) {
  expect_no_error(suppressWarnings(do.call(.Call, c(list(routine), unname(arguments)))))
  for (i in seq_along(arguments)) {
    for (value in strange) {
      changed <- arguments
      changed[i] <- list(value)
      got <- tryCatch(do.call(.Call, c(list(routine), unname(changed))), error = function(e) e)
      expect_true(inherits(got, "error") || is.list(got) || is.double(got) || is.null(got) ||
                    is.raw(got))
    }
  }
}

test_that("every routine refuses what it can't use with an R error", {
  fuzz(ffi_gmm_fit, good[c("x", "w", "family", "k", "scale", "start", "control")])
  fuzz(ffi_gmm_score, c(good[c("x", "family", "params")], list(what = "prob", marginal = 1L, names = c("1", "2", "3"), threads = NULL)))
  holed <- good
  holed$x[c(2, 3, 9)] <- NaN
  fuzz(ffi_gmm_fit, holed[c("x", "w", "family", "k", "scale", "start", "control")])
  fuzz(ffi_gmm_score, c(holed[c("x", "family", "params")], list(what = "prob", marginal = 1L, names = c("1", "2", "3"), threads = NULL)))
  fuzz(ffi_gmm_trim, c(good[c("x", "w")], list(NULL), good[c("family", "params", "control")],
                       list(NULL)))
  fuzz(ffi_gmm_sample, c(list(n = 3L), good[c("family", "params")], list(FALSE + 0L, c("a", "b"), c("1", "2", "3"), NULL)))
  fuzz(ffi_gmm_kernel, c(list(path = "reference"), good[c("family", "params", "x", "w")],
                         list(NULL, NULL, 0L)))
  fuzz(ffi_gmm_quantiles, list(good$x, c(.25, .75)))
  fuzz(ffi_gmm_random, list(c(1, 2), c(1, 2), 0L, 0L))
  fuzz(ffi_gmm_stats, c(good[c("x", "w", "family", "params")], list(good$control$labels, NULL)))
  fuzz(ffi_gmm_csv, list(charToRaw("1,2\n3,4"), 0, 1L, ",", 1:2, 10))
  fuzz(ffi_gmm_layout, list("VVV", 2L, 2L))
  fuzz(ffi_gmm_checksum, list(as.raw(1:9)))
  estep <- function(p) {
    .Call(ffi_gmm_stats, good$x, NULL, "VVV", c(p, good$params["noise"]), NULL, NULL)
  }
  fuzz(ffi_gmm_home, c(list(estep, NULL), good[c("family", "params", "scale", "control")]))
})

home_case <- function(code) {
  x <- as.matrix(faithful)
  start <- gmm_params(c(.3, .4, .3), x[c(1, 2, 10), ], diag(c(1, 100)))
  start$covariance <- code
  list(x = x, start = start, chunks = split(seq_len(nrow(x)), rep(1:5, length.out = nrow(x))))
}

test_that("EM over an R function of the parameters takes the steps of EM over rows in memory", {
  control <- gmm_control(tol = 0, max_iter = 20)
  for (code in names(families)) {
    case <- home_case(code)
    scale <- column_scale(case$x)
    start <- unclass(case$start)
    memory <- engine_fit(case$x, NULL, code, 3L, scale, start, control)
    estep <- function(params) {
      Reduce(`+`, lapply(case$chunks, function(i) engine_stats(case$x[i, ], NULL, params)))
    }
    home <- engine_em(estep, code, start, scale, control)
    expect_equal(home$trace, memory$trace, tolerance = 1e-12)
    same <- c("proportions", "means", "covariances", "nobs", "verdict")
    expect_equal(home[same], memory[same], tolerance = 1e-8)
    expect_identical(home$best$passes, memory$best$passes)
    expect_identical(sum(engine_layout(code, 2L, 3L)), as.double(length(estep(case$start))))
  }
})

test_that("a known label counts in the statistics of rows", {
  case <- home_case("VVV")
  n <- nrow(case$x)
  stats <- engine_stats(case$x, rep(2, n), case$start, rep(2L, n))
  expect_equal(stats[1:6], c(0, 2 * n, 0, 0, 4 * n, 0))
  expect_equal(stats[7:12], c(0, 0, 2 * colSums(case$x) - 2 * n * case$start$means[2, ], 0, 0),
               ignore_attr = TRUE)
})

test_that("errors and time limits go through the engine, and what is no E-step is refused", {
  case <- home_case("VVV")
  run <- function(estep) {
    engine_em(estep, "VVV", unclass(case$start), column_scale(case$x), gmm_control())
  }
  expect_error(run(function(params) stop("lost connection")), "lost connection")
  expect_gm_error(run(function(params) 1:3), "source", "40 statistics, not an integer vector")
  failed <- run(function(params) rep(NaN, 40))
  expect_named(failed, "best")
  expect_identical(failed$best$status, 3L)
  slow <- function(params) {
    Sys.sleep(0.05)
    engine_stats(case$x, NULL, params)
  }
  expect_error({
    setTimeLimit(elapsed = 0.3, transient = TRUE)
    on.exit(setTimeLimit())
    run(slow)
  }, "time limit")
  expect_type(run(function(params) engine_stats(case$x, NULL, params)), "list")
})

test_that("fields of lists are checked as arguments are", {
  for (name in names(good$params)) {
    for (value in strange) {
      params <- good$params
      params[name] <- list(value)
      got <- tryCatch(.Call(ffi_gmm_score, good$x, "VVV", params, "prob", 1L, NULL, NULL), error = identity)
      expect_true(inherits(got, "error") || is.double(got))
    }
  }
  for (name in names(good$control)) {
    for (value in strange[-21]) { # as max_iter, the largest integer would want 16 GiB
      control <- good$control
      control[name] <- list(value)
      if (identical(value, .Machine$integer.max)) next
      got <- tryCatch(.Call(ffi_gmm_fit, good$x, NULL, "VVV", 2L, c(1, 1), "auto", control),
                      error = identity)
      expect_true(inherits(got, "error") || is.list(got))
    }
  }
})

test_that("routines can't be called by name from outside", {
  expect_error(.Call("ffi_gmm_fit"), "not available|not found|not in load table|C symbol")
})

test_that("unloading and loading again leaves a working package", {
  code <- paste("library(gaussmix); a <- { set.seed(1); gmm(faithful, 2)$loglik };",
                "unloadNamespace('gaussmix'); library(gaussmix);",
                "b <- { set.seed(1); gmm(faithful, 2)$loglik }; stopifnot(identical(a, b))")
  libs <- paste(.libPaths(), collapse = .Platform$path.sep)
  status <- system2(file.path(R.home("bin"), "Rscript"), c("-e", shQuote(code)), stdout = FALSE,
                    stderr = FALSE,
                    env = paste0("R_LIBS=", libs))
  expect_identical(status, 0L)
})

test_that("memory that can't be had is a classed error, and the session goes on", {
  m <- gmm_params(1, t(seq_len(300)), diag(300))
  expect_gm_error(rgmm(.Machine$integer.max, m), "memory", "not enough memory")
  expect_identical(dim(rgmm(3, m)), c(3L, 300L))
})

test_that("order statistics of columns are those of sorted values", {
  sorted <- function(x, p) {
    apply(x, 2L, function(v) sort(v)[ceiling(sum(!is.na(v)) * p)])
  }
  shares <- c(.1, .25, .5, .75, 1)
  set.seed(1)
  for (n in c(1, 5, 16384, 16385, 40000)) { # above 4 x 4096 by a sample
    z <- rnorm(n)
    columns <- list(
      z, sort(z), -sort(z), round(z), ifelse(z < 0.3, 0, z), rep_len(c(1, 5, 2), n), z * 0 + 3,
      exp(20 * z), c(2, ifelse(z < 0, NA, z)[-1])
    )
    x <- do.call(cbind, columns)
    expect_identical(engine_quantiles(x, shares), sorted(x, shares))
  }
  expect_identical(engine_quantiles(matrix(NA_real_, 5, 1), .5), matrix(NaN))
})
