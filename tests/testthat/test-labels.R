x <- as.matrix(iris[1:4])
species <- iris$Species
some <- with_test_seed(1, {
  known <- species
  known[sample(150, 120)] <- NA
  known
})
w <- with_test_seed(2, sample(c(0.5, 1, 2), 150, TRUE))
semi <- function(...) gmm(x, 3, ..., control = gmm_control(n_init = 3, search = 0))

# EM with labels in plain R, by the definition.
oracle_labels <- function(x, w, label, fit, steps) {
  k <- fit$k
  p <- fit$proportions
  m <- fit$means
  s <- fit$covariances
  terms <- function() {
    vapply(seq_len(k), function(j) log(p[j]) + mvtnorm::dmvnorm(x, m[j, ], s[, , j], log = TRUE),
           numeric(nrow(x)))
  }
  loglik <- function(logs) {
    at <- cbind(seq_along(label), label)
    sum(w * ifelse(is.na(label), log(rowSums(exp(logs))), logs[at]))
  }
  trace <- loglik(terms())
  for (step in seq_len(steps)) {
    logs <- terms()
    r <- exp(logs) / rowSums(exp(logs))
    known <- which(!is.na(label))
    r[known, ] <- 0
    r[cbind(known, label[known])] <- 1
    for (j in seq_len(k)) {
      n <- sum(w * r[, j])
      p[j] <- n / sum(w)
      m[j, ] <- colSums(w * r[, j] * x) / n
      s[, , j] <- crossprod(sweep(x, 2, m[j, ]), w * r[, j] * sweep(x, 2, m[j, ])) / n
    }
    trace <- c(trace, loglik(terms()))
  }
  list(trace = trace, means = m, covariances = s, proportions = p)
}

test_that("EM with labels is that of its definition, weights or not", {
  start <- gmm(x, 3, control = gmm_control(init = as.integer(species), max_iter = 0))
  for (weights in list(NULL, w)) {
    fit <- gmm(x, 3, labels = some, weights = weights,
               control = gmm_control(init = start, max_iter = 5, tol = 0))
    ww <- if (is.null(weights)) rep(1, 150) else weights
    want <- oracle_labels(x, ww, as.integer(some), start, 5)
    expect_equal(fit$trace, want$trace, tolerance = 1e-12)
    expect_equal(unname(fit$means), unname(want$means), tolerance = 1e-10)
    expect_equal(unname(fit$covariances), unname(want$covariances), tolerance = 1e-10)
  }
})

test_that("components are the levels, in their order, from any start", {
  swapped <- factor(some, c("virginica", "setosa", "versicolor"))
  for (code in names(families)) {
    fit <- with_test_seed(4, suppressWarnings(semi(code, labels = swapped)))
    expect_identical(rownames(fit$means), levels(swapped))
    expect_gt(min(diff(fit$trace)), -1e-8)
    expect_gt(mean(predict(fit) == species), 0.9)
  }
  expect_gt(mean(with_test_seed(1, suppressWarnings(gmm(
    x, 3, labels = some, control = gmm_control(init = "random", n_init = 3)
  ) |> predict())) == species), 0.9)
})

test_that("all labels known is one M-step; fewer levels than k leave free components, after", {
  fit <- gmm(x, 3, labels = species)
  by_hand <- lapply(split(as.data.frame(x), species), colMeans)
  expect_equal(fit$means, do.call(rbind, by_hand), tolerance = 1e-13)
  expect_equal(fit$loglik, sum(predict(fit, type = "component")[cbind(1:150, as.integer(species))]),
               tolerance = 1e-13)
  one <- some
  one[one != "setosa"] <- NA
  free <- with_test_seed(1, gmm(x, 3, labels = droplevels(one)))
  expect_identical(rownames(free$means), c("setosa", "2", "3"))
  expect_false(is.unsorted(rev(free$proportions[2:3])))
  expect_identical(names_of_components(4, c("b", "3"), NULL), c("b", "3", "1", "4"))
})

test_that("a row with weight 2 is the row twice, labels too; threads change no bit", {
  twice <- rep(1:150, rep(1:2, 75))
  start <- gmm_control(init = as.integer(species), max_iter = 8, tol = 0)
  a <- gmm(x, 3, labels = some, weights = rep(1:2, 75), control = start)
  start$init <- as.integer(species)[twice]
  b <- gmm(x[twice, ], 3, labels = some[twice], control = start)
  expect_equal(a$loglik, b$loglik, tolerance = 1e-13)
  expect_equal(a$means, b$means, tolerance = 1e-12)
  runs <- lapply(1:2, function(threads) {
    with_test_seed(1, gmm(x, 3, labels = some, control = gmm_control(threads = threads)))
  })
  expect_identical(runs[[1]][parameter_fields], runs[[2]][parameter_fields])
})

test_that("subset, formula, na.omit and names find the label of each row", {
  flowers <- cbind(iris[1:4], some = some)
  by_formula <- with_test_seed(1, gmm(~ . - some, flowers, k = 3, labels = some,
                                      subset = Sepal.Length > 4.5))
  keep <- iris$Sepal.Length > 4.5
  direct <- with_test_seed(1, gmm(x[keep, ], 3, labels = some[keep]))
  expect_equal(by_formula$loglik, direct$loglik, tolerance = 1e-13)
  gaps <- x
  gaps[c(3, 70), 1] <- NA
  omitted <- with_test_seed(1, gmm(gaps, 3, labels = some, na.action = na.omit))
  expect_identical(omitted$labels, some[-c(3, 70)])
})

test_that("fitted, residuals and vcov use the label; predict is the model's posterior", {
  wrong <- species
  wrong[1] <- "virginica"
  fit <- suppressWarnings(gmm(x, 3, labels = wrong))
  expect_identical(as.character(predict(fit)[1]), "setosa")
  expect_equal(fitted(fit)[1, ], fit$means["virginica", ])
  known <- gmm(x, 3, "spherical", labels = species)
  v <- vcov(known)
  # with all labels known the mean of a component is a sample mean
  expect_equal(v["mean.setosa.Sepal.Width", "mean.setosa.Sepal.Width"],
               known$covariances[1, 1, "setosa"] / 50, tolerance = 1e-10)
  expect_equal(gmm_criteria(known)$ICL, BIC(known), tolerance = 1e-12)
  expect_gm_error(gmm_boot(known), "argument", "labels")
  expect_s3_class(with_test_seed(1, gmm_boot(known, n_boot = 5, type = "weighted")), "gmm_boot")
  expect_gm_error(profile(known), "argument", "labels")
  damaged <- known
  damaged$labels <- damaged$labels[-1]
  expect_gm_error(print(damaged), "object", "labels")
})

test_that("bad labels are refused", {
  expect_gm_error(gmm(x, 2, labels = species), "labels", "at most k = 2")
  expect_gm_error(gmm(x, 3, labels = species[-1]), "labels", "150 rows")
  expect_gm_error(gmm(x, 3, labels = factor(some, c(levels(some), "other"))), "labels", "other")
  expect_gm_error(gmm(x, 3, labels = rep(NA, 150)), "labels", "NA")
  expect_gm_error(gmm(x, 3, labels = as.list(some)), "labels", "factor")
  expect_gm_error(gmm(x, 3, labels = rep(1.5, 150)), "labels", "1.5")
  expect_gm_error(gmm(x, 3, labels = replace(rep(NA, 150), 1, "a"),
                      weights = rep(0:1, c(1, 149))), "labels")
})

test_that("numeric labels leave clear names to the other components", {
  names_with <- function(level, k) {
    labels <- replace(rep(NA_real_, 150), 1, level)
    rownames(suppressWarnings(gmm(x, k, "diag", labels = labels,
                                  control = gmm_control(n_init = 1, search = 0)))$means)
  }
  expect_identical(names_with(2, 2), c("2", "1"))
  expect_identical(names_with(3, 3), c("3", "2", "1"))
  expect_identical(names_with(7, 3), c("7", "2", "3"))
  expect_gm_error(semi(labels = replace(rep(NA, 150), 1:2, c(1, Inf))), "labels", "Inf")
  lost <- replace(rep(NA, 150), 1:2, c("a", "b"))
  expect_gm_error(semi(labels = lost, weights = c(0, rep(1, 149))), "labels", "have weight 0")
})

test_that("a label whose rows are all trimmed is told", {
  with_test_seed(1, {
    z <- c(rnorm(50), rnorm(50, 5), 50, 60)
    labels <- c("a", rep(NA, 99), "b", "b")
    expect_warning(fit <- gmm(z, 2, labels = labels, trim = 0.05), "label \"b\" were trimmed",
                   class = "gaussmix_warning_labels")
    expect_true(all(101:102 %in% fit$trimmed$row))
    expect_no_warning(gmm(z[1:100], 2, labels = labels[1:100], trim = 0.05))
  })
})
