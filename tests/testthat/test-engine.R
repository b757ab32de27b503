# Nothing that R can pass may crash the routines: each argument in turn, with everything.

good <- list(
  x = matrix(as.double(1:12), 6), w = NULL, family = "VVV", k = 2L, scale = c(1, 1), start = "auto",
  params = list(proportions = c(.5, .5), means = matrix(c(0, 0, 1, 1), 2),
                covariances = array(diag(2), c(2, 2, 2))),
  control = list(n_starts = 2L, n_finish = 1L, proposals = 3L, sample = 6L, max_iter = 5L,
                 tol = 1e-9, floor = 1e-10, spurious = c(2, 10, 1e-3), threads = NULL,
                 progress = "", prior = list(alpha = 1, mean = c(0, 0), kappa = 1, df = 3,
                                             scale = diag(2), root = diag(2),
                                             constant = c(0, 0, 0), share = 1),
                 labels = c(0L, 1L, 2L, 0L, 0L, 0L), equal = 0L)
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
      expect_true(inherits(got, "error") || is.list(got) || is.double(got))
    }
  }
}

test_that("every routine refuses what it can't use with an R error", {
  fuzz(ffi_gmm_fit, good[c("x", "w", "family", "k", "scale", "start", "control")])
  fuzz(ffi_gmm_score, c(good[c("x", "family", "params")], list(what = "prob", threads = NULL)))
  fuzz(ffi_gmm_sample, c(list(n = 3L), good[c("family", "params")], list(FALSE + 0L, NULL)))
  fuzz(ffi_gmm_kernel, c(list(path = "reference"), good[c("family", "params", "x", "w")],
                         list(NULL, NULL)))
  fuzz(ffi_gmm_random, list(c(1, 2), c(1, 2), 0L, 0L))
})

test_that("fields of lists are checked as arguments are", {
  for (name in names(good$params)) {
    for (value in strange) {
      params <- good$params
      params[name] <- list(value)
      got <- tryCatch(.Call(ffi_gmm_score, good$x, "VVV", params, "prob", NULL), error = identity)
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
