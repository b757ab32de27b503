x <- as.matrix(faithful)
groups <- with_test_seed(1, stats::kmeans(scale(x), 3)$cluster)
start_only <- function(init, ..., data = x, k = 3) {
  gmm(data, k, ..., control = gmm_control(init = init, max_iter = 0))
}

test_that("names of components that a start gives must be names", {
  group <- 1L + (faithful$eruptions > 3)
  resp <- diag(2)[group, ]
  for (names in list(c("u", "u"), c("a", NA), c("a", ""))) {
    colnames(resp) <- names
    expect_gm_error(gmm(faithful, 2, control = gmm_control(init = resp)), "start", "distinct")
  }
  colnames(resp) <- c("", "")
  expect_identical(rownames(gmm(faithful, 2, control = gmm_control(init = resp))$means),
                   c("1", "2"))
  missing <- addNA(factor(c("a", NA)[group]))
  expect_gm_error(gmm(faithful, 2, control = gmm_control(init = missing)), "start")
})

test_that("labels start at the M-step of the labels, in their order", {
  for_each_case(k = 3, d = 2, f = function(family, d, k) {
    fit <- start_only(groups, family)
    want <- oracle_mstep(x, diag(3)[groups, ], family)
    expect_equal(unname(fit$proportions), want$proportions, tolerance = 1e-14)
    expect_equal(unname(fit$means), unname(want$means), tolerance = 1e-13)
    expect_equal(unname(fit$covariances), want$covariances, tolerance = 1e-12)
    expect_identical(fit$iterations, 0L)
    expect_length(fit$trace, 1)
  })
})

test_that("factor, text, integer and double labels mean the same, and lend their names", {
  named <- c("low", "mid", "top")[groups]
  by_number <- start_only(groups)
  by_factor <- start_only(factor(named, c("low", "mid", "top")))
  expect_equal(unname(by_factor$means), unname(by_number$means))
  expect_identical(levels(predict(by_factor)), c("low", "mid", "top"))
  expect_identical(start_only(as.double(groups))$means, by_number$means)
  expect_equal(start_only(named)$means, by_factor$means)
})

test_that("responsibilities start at their M-step", {
  resp <- with_test_seed(4, matrix(rexp(3 * nrow(x)), ncol = 3))
  resp <- resp / rowSums(resp)
  for (family in c("VVV", "EEE", "VVI", "VII")) {
    fit <- start_only(resp, family)
    want <- oracle_mstep(x, resp, family)
    expect_equal(unname(fit$means), unname(want$means), tolerance = 1e-13)
    expect_equal(unname(fit$covariances), want$covariances, tolerance = 1e-12)
  }
  expect_equal(start_only(diag(3)[groups, ])$means, start_only(groups)$means)
})

test_that("parameters and a fit start where they are, matched by name", {
  m <- start_only(groups)
  expect_equal(start_only(m)[1:3], m[1:3])
  expect_equal(start_only(gmm_params(m$proportions, m$means, m$covariances))[1:3], m[1:3])
  swapped <- gmm_params(m$proportions, m$means[, 2:1], m$covariances[2:1, 2:1, ])
  expect_equal(start_only(swapped)$means, m$means)
})

test_that("a function is given the matrix and k, and may return any start", {
  seen <- NULL
  fit <- start_only(function(x, k) {
    seen <<- list(x, k)
    groups
  })
  expect_equal(fit$means, start_only(groups)$means)
  expect_equal(seen[[1]], x)
  expect_identical(seen[[2]], 3L)
  expect_equal(start_only(function(x, k) fit)[1:3], fit[1:3])
  expect_identical(start_only(function(x, k) "random")$starts$kind[1], "random")
})

test_that("a given start is the only run, whatever n_init", {
  fit <- gmm(x, 3, control = gmm_control(init = groups, n_init = 7))
  expect_identical(nrow(fit$starts), 1L)
  expect_identical(fit$starts$kind, "labels")
})

test_that("a given start draws no random numbers; others draw as much for any n_init", {
  set.seed(1)
  before <- .Random.seed
  gmm(x, 3, control = gmm_control(init = groups))
  gmm(x, 1)
  expect_identical(.Random.seed, before)
  gmm(x, 2, control = gmm_control(n_init = 1))
  after_one <- .Random.seed
  expect_false(identical(after_one, before))
  set.seed(1)
  gmm(x, 2, control = gmm_control(n_init = 8))
  expect_identical(.Random.seed, after_one)
})

test_that("start i is the same whatever n_init is, and more starts are never worse", {
  for (init in c("kmeans++", "random")) {
    fits <- lapply(c(1, 4, 9), function(n) {
      with_test_seed(8, gmm(x, 4, control = gmm_control(init = init, n_init = n)))
    })
    few <- fits[[2]]$starts
    expect_identical(fits[[3]]$starts[1:4, ], few)
    expect_identical(fits[[1]]$starts, few[1, ])
    sound <- few[few$spurious == min(few$spurious), ]
    expect_identical(fits[[2]]$objective, max(sound$objective))
    expect_gt(length(unique(few$iterations)), 1)
  }
})

test_that("labels and responsibilities have a row for each row given, dropped ones included", {
  gaps <- faithful
  gaps$waiting[c(5, 50)] <- NA
  fit <- gmm(gaps, 3, na.action = na.omit, control = gmm_control(init = groups, max_iter = 0))
  expect_equal(fit$means, start_only(groups[-c(5, 50)], data = x[-c(5, 50), ])$means)
  expect_gm_error(gmm(gaps, 3, na.action = na.omit, control = gmm_control(init = groups[-1])),
                  "start",
                  "272 rows given, not 271")
})

test_that("a row of weight 0 needs no label", {
  w <- replace(rep(1, nrow(x)), c(5, 9), 0)
  fit <- gmm(x, 3, weights = w, control = gmm_control(init = replace(groups, 5, NA), max_iter = 0))
  expect_identical(fit$means, gmm(x, 3, weights = w,
                                  control = gmm_control(init = groups, max_iter = 0))$means)
})

test_that("bad starts are refused", {
  bad <- function(init, pattern, k = 3, ...) {
    expect_gm_error(gmm(x, k, ..., control = gmm_control(init = init)), "start", pattern)
  }
  bad(groups[-1], "272 rows given, not 271")
  bad(groups - 1, "numbers 1 to k = 3")
  bad(pmin(groups, 2), "component 3 has no rows")
  bad(replace(groups, 3, NA), "must not be NA")
  bad(factor(groups), "not 3 levels", k = 2)
  bad(factor(groups, 1:4), "not 4 levels")
  bad(matrix(1, nrow(x), 3), "sum to 1")
  bad(matrix(1 / 2, nrow(x), 2), "k = 3 columns")
  bad(replace(matrix(1 / 3, nrow(x), 3), 1, NA), "sum to 1")
  bad(cbind(1, 0, 0)[rep(1, nrow(x)), ], "component 2 has no rows")
  bad(gmm_params(c(.5, .5), rbind(1:2, 3:4), diag(2)), "k")
  bad(gmm_params(rep(1 / 3, 3), 1:3, rep(1, 3)), "2 variables")
  bad(function(x, k) function() 1, "not a function")
  bad(list(1, 2), "`proportions`")
  bad(function(x, k) list(1), "`proportions`")
  full <- start_only(groups)
  bad(full, "covariances", covariance = "diag")
})

# ---- hierarchical ----

# Joins, from all rows apart to k groups, by trying each pair anew.
oracle_agglomeration <- function(x, k) {
  d <- ncol(x)
  total <- crossprod(sweep(x, 2, colMeans(x))) / nrow(x)
  cost <- function(rows) {
    scatter <- crossprod(sweep(x[rows, , drop = FALSE], 2, colMeans(x[rows, , drop = FALSE])))
    n <- length(rows) + 1
    n * log(det((scatter + 0.1 * total) / n))
  }
  groups <- as.list(seq_len(nrow(x)))
  while (length(groups) > k) {
    pairs <- utils::combn(length(groups), 2)
    more <- apply(pairs, 2, function(p) {
      cost(unlist(groups[p])) - cost(groups[[p[1]]]) - cost(groups[[p[2]]])
    })
    best <- pairs[, which.min(more)]
    groups[[best[1]]] <- unlist(groups[best])
    groups[[best[2]]] <- NULL
  }
  groups
}

test_that("the hierarchical start joins the groups whose union costs least", {
  few <- with_test_seed(3, list(x[sample(nrow(x), 30), ], as.matrix(iris[sample(150, 30), 1:4])))
  for (rows in few) {
    for (k in c(1, 2, 3, 6)) {
      fit <- suppressWarnings(start_only("hierarchical", data = rows, k = k))
      want <- t(vapply(oracle_agglomeration(rows, k), function(g) colMeans(rows[g, , drop = FALSE]),
                       numeric(ncol(rows))))
      by_first <- function(m) m[order(m[, 1], m[, 2]), , drop = FALSE]
      expect_equal(unname(by_first(fit$means)), unname(by_first(want)), tolerance = 1e-12)
    }
  }
})

test_that("the hierarchical start has no chance in it, and no order of rows", {
  set.seed(1)
  before <- .Random.seed
  for_each_case(k = 4, d = 2, f = function(family, d, k) {
    fit <- start_only("hierarchical", family, k = k)
    expect_identical(fit$starts$kind, "hierarchical")
    one <- gmm(x, k, family, control = gmm_control(init = "hierarchical", max_iter = 0, n_init = 1,
                                                   threads = 1))
    expect_identical(one[1:3], fit[1:3])
    turned <- start_only("hierarchical", family, data = x[rev(seq_len(nrow(x))), ], k = k)
    expect_equal(turned[1:3], fit[1:3], tolerance = 1e-12)
  })
  expect_identical(.Random.seed, before)
})

test_that("to the hierarchical start weight 2 is the row twice, and weight 0 no row", {
  w <- rep(0:3, length.out = nrow(x))
  weighted <- start_only("hierarchical", weights = w, k = 5)
  repeated <- start_only("hierarchical", data = x[rep(seq_len(nrow(x)), w), ], k = 5)
  expect_equal(weighted[1:3], repeated[1:3], tolerance = 1e-12)
  expect_equal(start_only("hierarchical", weights = 1e6 * w, k = 5)[1:3], weighted[1:3])
})

test_that("the hierarchical start does not depend on units, nor on a variable that others give", {
  fit <- start_only("hierarchical", k = 4)
  for (unit in list(c(1e-6, 1e5), c(1 / 3, 7), c(1e3, 1 / 60))) { # ties stay ties
    moved <- start_only("hierarchical", data = sweep(x, 2, unit, `*`), k = 4)
    expect_equal(moved$proportions, fit$proportions)
  }
  twice <- start_only("hierarchical", "diag", data = cbind(x, x[, 1] + x[, 2]), k = 4)
  expect_equal(twice$means[, 1:2], fit$means, tolerance = 1e-12)
})

test_that("the hierarchical start groups a sample of many rows, by weight", {
  many <- with_test_seed(9, rbind(matrix(rnorm(6000), ncol = 2), matrix(rnorm(3000, 8), ncol = 2)))
  fit <- start_only("hierarchical", data = many, k = 2)
  expect_equal(fit$proportions[["1"]], 2 / 3, tolerance = 0.01)
  expect_identical(fit$nobs, 4500)
  one_side <- gmm(many, 2, weights = rep(c(1, 0), c(3000, 1500)),
                  control = gmm_control(init = "hierarchical", max_iter = 0))
  expect_lt(max(one_side$means), 4)
})

test_that("too few distinct rows for the hierarchical start are an error", {
  expect_gm_error(start_only("hierarchical", "EII", data = rep(1:3, 10), k = 4), "degenerate",
                  "component 4 empty")
})

test_that("errors of starts read well", {
  use <- function(init, k = 3) gmm(faithful, k, control = gmm_control(init = init))
  start <- list(proportions = c(.2, .3, .5), means = faithful[c(1, 2, 4), ],
                covariances = diag(c(1, 100)))
  start$means <- as.matrix(start$means)
  change <- function(field, value) replace(start, field, list(value))
  expect_snapshot(show_conditions(
    use("kmean"),
    use(NULL),
    use(rep(1:3, 5)),
    use(rep(1:2, 136)),
    use(replace(groups, 7, NA)),
    use(replace(groups, groups == 2, 1)),
    use(matrix(.5, 272, 2)),
    use(matrix(.5, 272, 3)),
    use(matrix(1 / 3, 271, 3)),
    use(start, k = 2),
    use(start[-1]),
    use(change("proportions", c(.2, .3, .4))),
    use(change("proportions", c(.4, .6, 0))),
    use(change("means", unname(start$means)[, 1, drop = FALSE])),
    use(change("means", start$means[c(1, 1, 2), ])),
    use(change("covariances", diag(c(1, -1)))),
    use(function(x, k) use)
  ))
})
