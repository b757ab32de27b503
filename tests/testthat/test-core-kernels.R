# Every path against the textbook kernel, stage by stage, and that one against plain R.

paths <- function() engine_info()$paths

# weighted: TRUE, or "unit" for weights of 0 and 1.
kernel_case <- function(family, d, k, n, seed = 1, weighted = FALSE, labelled = FALSE) {
  params <- random_params(family, d, k, seed)
  params$covariance <- resolve_covariance(family, d)
  x <- random_data(n, params, seed)
  attr(x, "component") <- NULL
  with_test_seed(seed, list(
    params = params, x = x,
    w = if (weighted == "unit") rbinom(n, 1, 0.7) + 0 else if (weighted) round(rexp(n), 3),
    label = if (labelled) sample(0:k, n, TRUE)
  ))
}

run_kernel <- function(path, case, extra = NULL) {
  engine_kernel(path, case$x, case$params, case$w, case$label, extra)
}

test_that("the reference kernel is plain R's E-step", {
  for_each_case(function(family, d, k) {
    case <- kernel_case(family, d, k, 57, weighted = TRUE)
    got <- run_kernel("reference", case)
    resp <- oracle_estep(case$x, case$params)
    logdens <- oracle_logdens(case$x, case$params)
    expect_equal(got$maha, oracle_mahalanobis(case$x, case$params), tolerance = 1e-12)
    expect_equal(drop(got$lse), logdens, tolerance = 1e-13)
    expect_equal(got$resp, case$w * resp, tolerance = 1e-12)
    expect_equal(got$loglik, sum(case$w * logdens), tolerance = 1e-13)
    expect_equal(got$lse_loglik, got$loglik, tolerance = 1e-13)
    expect_equal(drop(got$nk), colSums(case$w * resp), tolerance = 1e-12)
    expect_equal(drop(got$nk2), colSums(case$w^2 * resp), tolerance = 1e-12)
    centred <- lapply(seq_len(k), function(j) sweep(case$x, 2, case$params$means[j, ]))
    sums <- vapply(seq_len(k), function(j) colSums(case$w * resp[, j] * centred[[j]]), numeric(d))
    expect_equal(got$sum, matrix(sums, d), tolerance = 1e-11)
    scatters <- lapply(seq_len(k), function(j) {
      crossprod(centred[[j]], case$w * resp[, j] * centred[[j]])
    })
    if (resolve_covariance(family, d) == "EEE") scatters <- list(Reduce(`+`, scatters))
    expected <- vapply(scatters, function(s) {
      full <- families[[case$params$covariance]]$shape == "full"
      if (full) (s * lower.tri(s, TRUE))[] else diag(s)
    }, numeric(length(got$scatter) / length(scatters)))
    lower <- c(expected) != 0
    expect_equal(drop(got$scatter)[lower], c(expected)[lower], tolerance = 1e-11)
  })
})

# Where a path and the reference differ: "" or what and where. Sums are judged by the size of their
# terms, as they may cancel.
difference <- function(path, case, extra = NULL) {
  got <- run_kernel(path, case, extra)
  want <- run_kernel("reference", case, extra)
  w <- if (is.null(case$w)) rep(1, nrow(case$x)) else case$w
  far <- sqrt(max(abs(case$x))^2 + max(abs(case$params$means))^2)
  allowed <- list(
    maha = 1e-12 * (1 + abs(want$maha)), lse = 1e-13 * (1 + abs(want$lse)), resp = 1e-12 * w,
    loglik = 1e-13 * (1 + sum(w * abs(want$lse))),
    lse_loglik = 1e-13 * (1 + sum(w * abs(want$lse))), nk = 1e-13 * sum(w), nk2 = 1e-13 * sum(w^2),
    sum = 2e-13 * sum(w) * far, scatter = 4e-13 * sum(w) * far^2
  )
  bad <- vapply(names(allowed), function(f) !all(abs(got[[f]] - want[[f]]) <= allowed[[f]]), NA)
  if (!any(bad)) return("")
  sprintf("%s, %s, d = %d, k = %d, n = %d: %s", path, case$params$covariance, ncol(case$x),
          nrow(case$params$means), nrow(case$x), paste(names(allowed)[bad], collapse = ", "))
}

expect_same_kernels <- function(cases, extra = NULL) {
  for (path in setdiff(paths(), "reference")) {
    found <- vapply(cases, function(case) difference(path, case, extra), "")
    expect_identical(found[found != ""], character())
  }
}

test_that("every path agrees with the reference at every edge of block and tile", {
  cases <- list()
  for (d in c(1:9, 16, 17)) {
    for (family in oracle_families(d)) {
      for (n in c(1, 3, 31, 32, 33, 100)) {
        cases <- c(cases, list(kernel_case(family, d, if (d %% 2) 3 else 5, n)))
      }
    }
  }
  for (family in oracle_families(50)) {
    cases <- c(cases, list(kernel_case(family, 50, 2, 65), kernel_case(family, 4, 40, 65),
                           kernel_case(family, 3, 1, 64)))
  }
  expect_same_kernels(c(cases, list(kernel_case("VVV", 200, 2, 33))))
})

test_that("weights, known labels and a noise column ride in every path", {
  cases <- list()
  for (d in c(1, 2, 3, 5, 9)) {
    for (family in oracle_families(d)) {
      for (n in c(5, 64, 97)) {
        cases <- c(cases, list(kernel_case(family, d, 3, n, weighted = TRUE),
                               kernel_case(family, d, 3, n, labelled = TRUE),
                               kernel_case(family, d, 3, n, weighted = "unit"),
                               kernel_case(family, d, 3, n, weighted = TRUE, labelled = TRUE)))
      }
    }
  }
  expect_same_kernels(cases)
  expect_same_kernels(cases, extra = -3)
})

test_that("rows out of reach of a component are left out of its statistics, to rounding", {
  cases <- list()
  for (family in c("VVV", "EEE")) {
    for (d in c(5, 9, 17, 50)) {
      for (n in c(33, 300, 700)) {
        cases <- c(cases, list(kernel_case(family, d, 7, n, weighted = n == 300),
                               kernel_case(family, d, 3, n, labelled = n == 33)))
      }
    }
  }
  left_out <- 0
  for (case in cases) {
    case$params$means <- 4 * case$params$means
    case$x <- case$x + 3 * case$params$means[rep_len(seq_len(nrow(case$params$means)),
                                                     nrow(case$x)), ] / 4
    case$x[2, ] <- 1e6
    d <- ncol(case$x)
    for (path in paths()) {
      all <- engine_kernel(path, case$x, case$params, case$w, case$label)
      few <- engine_kernel(path, case$x, case$params, case$w, case$label, reach = 1L)
      expect_identical(few$maha, all$maha)
      sums <- c("lse", "loglik", "lse_loglik")
      expect_equal(few[sums], all[sums], tolerance = 1e-14)
      kept <- few$resp > 0
      expect_equal(few$resp[kept], all$resp[kept], tolerance = 1e-15)
      left_out <- left_out + sum(all$resp[!kept] > 0)
      prop <- rep(case$params$proportions, each = nrow(case$x))
      w <- if (is.null(case$w)) 1 else case$w
      lost <- all$resp * (1 + all$maha) / (w * prop)
      expect_lt(max(0, lost[!kept & all$resp > 0]), 2^-54)
      # in each component's own metric, relative to the weight that it expects
      for (j in seq_along(case$params$proportions)) {
        unit <- case$params$proportions[j] * sum(w * rep(1, nrow(case$x))) + few$nk[j]
        root <- chol(case$params$covariances[, , if (case$params$covariance == "EEE") 1 else j])
        change <- backsolve(root, few$sum[, j] - all$sum[, j], transpose = TRUE)
        size <- unit * (1 + sqrt(max(c(0, all$maha[kept[, j], j]))))
        expect_lt(max(abs(change)) / size, 1e-13)
        expect_lt(abs(few$nk[j] - all$nk[j]) / unit, 1e-14)
      }
      far <- max(c(0, all$maha[kept]))
      scale <- max(abs(all$scatter), 1) + sum(w) * far
      expect_lt(max(abs(few$scatter - all$scatter)) / scale, 1e-13)
    }
  }
  expect_gt(left_out, 1000)
})

test_that("a known label has responsibility 1, and its density is that one term", {
  case <- kernel_case("VVV", 2, 3, 40, labelled = TRUE)
  known <- case$label > 0
  terms <- oracle_component(case$x, case$params)
  for (path in paths()) {
    got <- run_kernel(path, case)
    expect_identical(got$resp[known, ], diag(3)[case$label[known], ])
    expect_equal(got$lse[known], terms[cbind(which(known), case$label[known])], tolerance = 1e-13)
    expect_equal(got$lse[!known], oracle_logdens(case$x, case$params)[!known], tolerance = 1e-13)
  }
})

test_that("a noise column takes its share: density 1/V against the Gaussians", {
  case <- kernel_case("VVV", 2, 2, 50)
  terms <- cbind(oracle_component(case$x, case$params), log(0.1 / 40))
  for (path in paths()) {
    got <- run_kernel(path, case, extra = log(0.1 / 40))
    expect_equal(drop(got$lse), log(rowSums(exp(terms))), tolerance = 1e-13)
    expect_equal(got$resp, exp(terms) / rowSums(exp(terms)), tolerance = 1e-12)
  }
})

test_that("rows far out, at infinity or of weight 0 make no NaN in any path", {
  case <- kernel_case("VVV", 2, 3, 64, weighted = TRUE)
  case$x[1, ] <- 1e160
  case$x[2, ] <- 1e6
  case$x[3, ] <- 1e160
  case$w[3] <- 0
  case$w[1] <- 0
  for (path in paths()) {
    got <- run_kernel(path, case)
    expect_false(anyNA(got$resp), info = path)
    expect_identical(got$lse[c(1, 3)], c(-Inf, -Inf))
    expect_true(is.finite(got$lse[2]))
    expect_true(is.finite(got$loglik))
    expect_equal(sum(got$resp[2, ]), case$w[2], tolerance = 1e-15)
  }
})

test_that("posteriors sum to 1 to rounding", {
  for (path in paths()) {
    for (k in c(1, 2, 7, 40)) {
      got <- run_kernel(path, kernel_case("VVV", 3, k, 128))
      expect_lte(max(abs(rowSums(got$resp) - 1)), 1e-15 * k)
    }
  }
})

test_that("a row's results don't depend on its place in the block", {
  case <- kernel_case("VVV", 3, 4, 96)
  for (path in paths()) {
    whole <- run_kernel(path, case)
    part <- case
    part$x <- case$x[c(50, 7, 90), ]
    few <- run_kernel(path, part)
    expect_identical(few$lse, whole$lse[c(50, 7, 90), , drop = FALSE])
    expect_identical(few$resp, whole$resp[c(50, 7, 90), ])
  }
})

test_that("GAUSSMIX_SIMD forces a path, and refuses one that is not there", {
  old <- Sys.getenv("GAUSSMIX_SIMD", NA)
  on.exit(if (is.na(old)) Sys.unsetenv("GAUSSMIX_SIMD") else Sys.setenv(GAUSSMIX_SIMD = old))
  start <- gmm(faithful, 2, control = gmm_control(init = "kmeans++", n_init = 1))
  for (path in paths()) {
    Sys.setenv(GAUSSMIX_SIMD = path)
    expect_identical(engine_info()$path, path)
    fit <- gmm(faithful, 2, control = gmm_control(init = start, tol = 0, max_iter = 20))
    expect_equal(fit$loglik, -1130.26397, tolerance = 1e-8)
  }
  Sys.setenv(GAUSSMIX_SIMD = "mmx")
  expect_gm_error(gmm(faithful, 2), "argument", c("GAUSSMIX_SIMD", "mmx"), "gmm")
})
