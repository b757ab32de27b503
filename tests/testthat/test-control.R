test_that("the defaults are those of the help page", {
  control <- gmm_control()
  expect_s3_class(control, "gmm_control", exact = TRUE)
  expect_identical(unclass(control), list(
    n_init = 10L, init = "auto", search = NULL, max_iter = 10000L, tol = 1e-9, floor = 1e-10,
    ratio = Inf, ratio_scale = "standard",
    spurious = c(size = 2, thin_size = 10, thin = 1e-3), accelerate = TRUE, threads = NULL,
    verbose = interactive(), keep = TRUE, checkpoint = NULL, checkpoint_every = 60
  ))
})

test_that("every value given is kept", {
  control <- gmm_control(n_init = 3, init = "random", search = 0, max_iter = 0, tol = 0,
                         floor = 1e-6, ratio = 50, ratio_scale = "raw", spurious = c(thin = 0),
                         accelerate = FALSE, threads = 2, verbose = TRUE, keep = FALSE,
                         checkpoint = "a file", checkpoint_every = 0)
  expect_identical(unclass(control), list(
    n_init = 3L, init = "random", search = 0L, max_iter = 0L, tol = 0, floor = 1e-6,
    ratio = 50, ratio_scale = "raw", spurious = c(size = 2, thin_size = 10, thin = 0),
    accelerate = FALSE, threads = 2L, verbose = TRUE, keep = FALSE,
    checkpoint = "a file", checkpoint_every = 0
  ))
})

test_that("bad values are refused, argument by argument", {
  for (arg in c("n_init", "search", "max_iter", "tol", "floor", "threads", "verbose", "keep",
                "spurious")) {
    for (bad in list(-1, NA, NaN, Inf, "a", c(1, 2), list())) {
      expect_gm_error(do.call(gmm_control, structure(list(bad), names = arg)), "argument",
                      sprintf("`%s` must be", arg))
    }
  }
  for (arg in c("n_init", "max_iter", "tol", "floor", "verbose", "keep", "spurious")) {
    expect_gm_error(do.call(gmm_control, structure(list(NULL), names = arg)), "argument",
                    sprintf("`%s` must be", arg))
  }
  for (arg in c("n_init", "search", "max_iter", "threads")) {
    expect_gm_error(do.call(gmm_control, structure(list(1.5), names = arg)), "argument", "not 1.5")
  }
  expect_gm_error(gmm_control(n_init = 0), "argument", "at least 1, not 0")
  expect_gm_error(gmm_control(floor = 0), "argument", "above 0 and below 1, not 0")
  expect_gm_error(gmm_control(floor = 1), "argument", "above 0 and below 1, not 1")
  expect_gm_error(gmm_control(ratio = 0.5), "argument", "at least 1, not 0.5")
  expect_gm_error(gmm_control(ratio_scale = "Raw"), "argument", "Did you mean \"raw\"?")
})

test_that("thresholds for spurious components go by name", {
  expect_identical(gmm_control(spurious = c(thin = .5, size = 3))$spurious,
                   c(size = 3, thin_size = 10, thin = .5))
  expect_identical(gmm_control(spurious = numeric())$spurious, gmm_control()$spurious)
  expect_gm_error(gmm_control(spurious = 2), "argument", "`spurious` must be")
  expect_gm_error(gmm_control(spurious = c(size = 1, size = 2)), "argument", "`spurious` must be")
  expect_gm_error(gmm_control(spurious = c(sise = 1)), "argument", "Did you mean `size`?")
  expect_gm_error(gmm_control(spurious = c(size = -1)), "argument", "spurious[\"size\"]")
  expect_gm_error(gmm_control(spurious = c(thin = 2)), "argument", "from 0 to 1, not 2")
  expect_gm_error(gmm_control(spurious = c(thin = NA_real_)), "argument", "not NA")
})

test_that("a start may be a kind, labels, responsibilities, a fit or a function", {
  starts <- list("auto", "kmeans++", "random", "hierarchical", c(1, 2, 1), c("a", "b", "a"),
                 factor(c("a", "b")),
                 c(TRUE, FALSE), matrix(.5, 3, 2), data.frame(a = 1:2, b = 2:1),
                 list(proportions = 1, means = 2, covariances = 3),
                 list(proportions = 1, means = 0, covariances = 1), function(x, k) rep(1, nrow(x)))
  for (start in starts) expect_identical(gmm_control(init = start)$init, start)
  fit <- gmm_params(1, cbind(x = 2), 3)
  expect_identical(gmm_control(init = fit)$init, coef(fit, "list"))
  expect_gm_error(gmm_control(init = structure(list(), class = class(fit))), "object", "init$")
  expect_gm_error(gmm_control(init = "kmeans"), "argument", "Did you mean \"kmeans++\"?")
  for (bad in list(NULL, y ~ x, Sys.Date(), new.env())) {
    expect_gm_error(gmm_control(init = bad), "start", "`init` must be")
  }
})

test_that("gmm() takes a control object or a list, and checks it anew", {
  control <- gmm_control(n_init = 4, threads = NULL)
  expect_identical(check_control(control), control)
  expect_identical(check_control(list(n_init = 4)), control)
  expect_identical(check_control(list()), gmm_control())
  control$tol <- "a"
  expect_gm_error(check_control(control), "argument", "`tol` must be a number")
  expect_gm_error(check_control(list(n_int = 4)), "argument", "Did you mean `n_init`?")
  for (bad in list(NULL, 5, "a", list(5), faithful, mean)) {
    expect_gm_error(check_control(bad), "argument", "`control` must be the result of gmm_control()")
  }
})

test_that("it prints every value", {
  control <- gmm_control(n_init = 3, tol = 1e-7, threads = 4, verbose = FALSE,
                         spurious = c(size = 5, thin_size = 7, thin = .01))
  expect_snapshot(control)
  expect_snapshot(gmm_control(init = rep(1:2, 50), verbose = TRUE, keep = FALSE))
  capture.output(expect_invisible(print(control)))
  expect_length(format(control), length(control))
})

test_that("a very large number of iterations is refused, one of threads does no harm", {
  expect_gm_error(gmm_control(max_iter = 2e9), "argument", "from 0 to 1e+06, not 2e+09")
  fit <- with_test_seed(1, gmm(faithful, 2, control = gmm_control(threads = 1e6)))
  expect_identical(fit$trace, with_test_seed(1, gmm(faithful, 2))$trace)
})
