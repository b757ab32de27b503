# Distances that stop where they can't matter: the bits of results are those of all distances.

# Rows of k components whose means are `apart` in each variable; spread: one has wide tails.
screen_case <- function(family, d, k, n, apart, spread = 1) {
  params <- random_params(family, d, k, 7)
  params$covariance <- family
  params$means <- with_test_seed(8, matrix(rnorm(k * d, sd = apart), k))
  x <- random_data(n, params, 9)
  attr(x, "component") <- NULL
  x[seq_len(5), ] <- x[seq_len(5), ] * 10^c(0, 1, 3, 20, 150) # far out, out of single precision
  list(params = params, x = spread * x)
}

on_path <- function(path, code) {
  old <- Sys.getenv("GAUSSMIX_SIMD", NA)
  on.exit(if (is.na(old)) Sys.unsetenv("GAUSSMIX_SIMD") else Sys.setenv(GAUSSMIX_SIMD = old))
  Sys.setenv(GAUSSMIX_SIMD = path)
  code
}

# Few rows are not screened: these are all distances.
in_batches <- function(params, x, size) {
  unlist(lapply(split(seq_len(nrow(x)), (seq_len(nrow(x)) - 1) %/% size), function(i) {
    predict(params, x[i, , drop = FALSE], type = "logdensity")
  }), use.names = FALSE)
}

as_params <- function(case) {
  p <- case$params
  gmm_params(p$proportions, p$means, p$covariances, covariance = p$covariance)
}

test_that("densities have the bits of all distances, separated, mixed and overlapping", {
  for (family in c("VVV", "EEE")) {
    for (d in c(23, 24, 25, 50)) {
      for (apart in c(0.1, 1, 4)) {
        case <- screen_case(family, d, 5, if (d == 50) 2049 else 2080, apart)
        params <- as_params(case)
        want <- on_path("reference", predict(params, case$x, type = "logdensity"))
        for (path in engine_info()$paths) {
          on_path(path, {
            got <- predict(params, case$x, type = "logdensity")
            expect_identical(unname(got), in_batches(params, case$x, 1001))
            expect_equal(got, want, tolerance = 1e-13)
          })
        }
      }
    }
  }
})

test_that("an E-step is that of the textbook kernel, with weights, labels, noise and trimming", {
  case <- screen_case("VVV", 30, 4, 2200, 3)
  x <- case$x[-(1:5), ]
  start <- as_params(case)
  w <- with_test_seed(1, rexp(nrow(x)))
  label <- rep(NA_integer_, nrow(x))
  label[seq(1, nrow(x), 9)] <- predict(start, x[seq(1, nrow(x), 9), ], type = "class")
  step <- function(...) {
    gmm(x, 4, "VVV", ..., control = gmm_control(init = start, max_iter = 1, tol = 0))
  }
  fits <- list(
    plain = function() step(), weights = function() step(weights = w),
    labels = function() step(labels = label), noise = function() step(noise = TRUE),
    trim = function() step(trim = 0.05)
  )
  for (name in names(fits)) {
    want <- on_path("reference", fits[[name]]())
    for (path in setdiff(engine_info()$paths, "reference")) {
      got <- on_path(path, fits[[name]]())
      expect_equal(got$trace, want$trace, tolerance = 1e-12, info = paste(name, path))
      for (part in c("proportions", "means", "covariances")) {
        expect_equal(got[[part]], want[[part]], tolerance = 1e-10, info = paste(name, path, part))
      }
    }
  }
})

test_that("what is left out changes nothing for a row far from all, or a component of tiny share", {
  case <- screen_case("VVV", 24, 3, 2100, 6)
  case$params$proportions <- c(1 - 2e-12, 1e-12, 1e-12)
  params <- as_params(case)
  all <- predict(params, case$x, type = "prob") # never screened
  fit <- gmm(case$x[-(1:5), ], 3, "VVV", control = gmm_control(init = params, max_iter = 1, tol = 0))
  expect_equal(unname(fit$proportions), unname(colMeans(all[-(1:5), ])), tolerance = 1e-12)
})

test_that("the same bits for any number of threads", {
  case <- screen_case("VVV", 40, 6, 5000, 3)
  x <- case$x[-(1:5), ]
  fits <- lapply(1:3, function(threads) {
    gmm(x, 6, "VVV", control = gmm_control(init = as_params(case), max_iter = 3, tol = 0,
                                           threads = threads))
  })
  expect_identical(fits[[2]]$trace, fits[[1]]$trace)
  expect_identical(fits[[3]]$covariances, fits[[1]]$covariances)
})
