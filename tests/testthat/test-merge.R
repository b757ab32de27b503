x <- as.matrix(faithful)
five <- with_test_seed(1, gmm(x, 5))
merged <- gmm_merge(five)

# Baudry et al. (2010), a merge at a time, by trying all pairs: the sets of components and the
# entropies, from k clusters to one.
oracle_merge <- function(prob, w) {
  entropy <- function(sets) {
    t <- vapply(sets, function(set) rowSums(prob[, set, drop = FALSE]), numeric(nrow(prob)))
    -sum(w * ifelse(t > 0, t * log(t), 0))
  }
  sets <- as.list(seq_len(ncol(prob)))
  path <- list(list(sets = sets, entropy = entropy(sets)))
  while (length(sets) > 1) {
    pairs <- combn(length(sets), 2, simplify = FALSE)
    unions <- lapply(pairs, function(p) c(sets[-p], list(sort(unlist(sets[p])))))
    values <- vapply(unions, entropy, 0)
    sets <- unions[[which.min(values)]]
    path <- c(path, list(list(sets = sets, entropy = min(values))))
  }
  path
}

sets_of <- function(members) split(seq_along(members), members)

test_that("each merge is the one after which the entropy is lowest, with weights too", {
  w <- with_test_seed(2, rexp(272))
  for (weights in list(NULL, w)) {
    for (family in c("VVV", "EEE", "VEI", "EII")) {
      fit <- with_test_seed(1, gmm(x, 6, family, weights = weights,
                                   control = gmm_control(n_init = 1, search = 0, max_iter = 50,
                                                         tol = 0)))
      ours <- suppressWarnings(gmm_merge(fit))
      oracle <- oracle_merge(predict(fit, type = "prob"), if (is.null(weights)) 1 else w)
      expect_equal(ours$table$entropy, vapply(oracle, `[[`, 0, "entropy"), tolerance = 1e-10)
      for (g in 1:6) {
        expect_setequal(unname(sets_of(ours$members[g, ])), oracle[[7 - g]]$sets)
      }
    }
  }
})

test_that("merging agrees with mclust's clustCombi()", {
  results <- readRDS(test_path("fixtures", "merge.rds"))$results
  for (name in names(results)) {
    case <- results[[name]]
    data <- if (startsWith(name, "iris")) iris[1:4] else faithful
    mixture <- gmm_params(case$proportions, unname(case$means), unname(case$covariances))
    path <- merge_path(predict(mixture, unname(as.matrix(data)), type = "prob"))
    k <- length(case$proportions)
    expect_identical(path$members, case$members, label = name)
    expect_equal(rev(path$entropy), case$entropy, tolerance = 1e-6, label = name)
    expect_identical(rev(path$rows), case$rows, label = name)
    expect_identical(elbow_of(seq_len(k), rev(path$entropy)), case$elbow[["number"]], label = name)
    expect_identical(elbow_of(merged_sums(path$rows), rev(path$entropy)),
                     case$elbow[["rescaled"]], label = name)
  }
})

test_that("clusters are nested, from all components to one, and the entropy never rises", {
  expect_identical(unname(merged$members[5, ]), 1:5)
  expect_identical(unname(merged$members[1, ]), rep(1L, 5))
  for (g in 1:4) {
    expect_identical(length(unique(merged$members[g, ])), g)
    expect_identical(nrow(unique(t(merged$members[g + 0:1, ]))), g + 1L) # coarser: no new set
  }
  expect_true(all(diff(merged$table$entropy) <= 0))
  expect_identical(merged$table$entropy[5], 0)
  expect_equal(merged$table$drop[-1], -diff(merged$table$entropy))
})

test_that("weight 2 is the row twice, and scaled weights change no merge", {
  start <- gmm_control(init = five, max_iter = 0)
  twice <- gmm_merge(gmm(rbind(x, x), 5, control = start))
  weighted <- gmm_merge(gmm(x, 5, weights = rep(2, 272), control = start))
  expect_identical(weighted$members, merged$members)
  expect_equal(weighted$table, twice$table, tolerance = 1e-12)
  expect_equal(weighted$table$entropy, 2 * merged$table$entropy, tolerance = 1e-9)
  expect_equal(weighted$table$rows, 2 * merged$table$rows)
  expect_identical(weighted$elbow, merged$elbow)
})

test_that("a row with a known label is certain", {
  labels <- rep(NA, 272)
  labels[1:40] <- ifelse(x[1:40, 1] > 3, "long", "short")
  fit <- with_test_seed(1, gmm(x, 4, labels = labels))
  ours <- gmm_merge(fit)
  prob <- predict(fit, type = "prob")
  prob[1:40, ] <- outer(labels[1:40], colnames(prob), `==`)
  oracle <- oracle_merge(prob, 1)
  expect_equal(ours$table$entropy, vapply(oracle, `[[`, 0, "entropy"), tolerance = 1e-10)
  expect_true(any(grepl("long", levels(predict(ours)))))
})

test_that("the elbow is where two fitted lines leave the least", {
  entropy <- c(0, 1, 2, 12, 22, 32)
  expect_identical(elbow_of(1:6, entropy), 3L)
  expect_identical(elbow_of(c(0, 1, 2, 12, 22, 62), entropy), 5L)
  expect_identical(elbow_of(1:2, c(0, 1)), NA_integer_)
  expect_identical(elbow_of(1:3, c(0, 1, 5)), 2L)
  y <- with_test_seed(1, cumsum(rexp(7)))
  squares <- vapply(2:6, function(i) {
    deviance(lm(y[1:i] ~ seq_len(i))) + deviance(lm(y[i:7] ~ seq(i, 7)))
  }, 0)
  expect_identical(elbow_of(1:7, y), 1L + which.min(squares))
  expect_equal(line_through(c(0, 0), c(1, 3))$fitted, c(2, 2))
})

test_that("predictions are the sums over each cluster's components", {
  for (g in 1:5) {
    prob <- predict(merged, type = "prob", clusters = g)
    sets <- sets_of(merged$members[g, ])
    for (j in seq_len(g)) {
      expect_equal(prob[, j], rowSums(predict(five, type = "prob")[, sets[[j]], drop = FALSE]),
                   tolerance = 1e-14)
    }
    expect_identical(colnames(prob), vapply(sets, paste, "", collapse = "+", USE.NAMES = FALSE))
    expect_equal(predict(merged, type = "uncertainty", clusters = g), 1 - apply(prob, 1, max),
                 tolerance = 1e-10)
    expect_identical(as.integer(predict(merged, clusters = g)), unname(apply(prob, 1, which.max)))
  }
  expect_identical(predict(merged, x), predict(merged))
  expect_identical(predict(merged, clusters = 5), predict(five))
  new <- data.frame(waiting = c(60, NA), eruptions = c(3, 2), row.names = c("a", "b"))
  expect_identical(is.na(predict(merged, new)), c(a = FALSE, b = FALSE))
  expect_identical(dim(predict(merged, new[0, ], "prob", clusters = 2)), c(0L, 2L))
  gaps <- x
  gaps[c(2, 9), 1] <- NA
  fit <- with_test_seed(1, gmm(gaps, 3, na.action = na.exclude))
  expect_identical(unname(which(is.na(predict(gmm_merge(fit, 2))))), c(2L, 9L))
})

test_that("names of components and one variable carry over", {
  fit <- gmm(faithful$waiting, 3, control = gmm_control(init = factor(cut(faithful$waiting, 3),
                                                                      labels = c("a", "b", "c"))))
  two <- gmm_merge(fit, 2)
  expect_true(all(levels(predict(two)) %in% c("a", "b", "c", "a+b", "b+c", "a+c")))
  expect_identical(two$clusters, 2L)
  expect_identical(names(two$elbow), c("number", "rescaled"))
  pair <- gmm_merge(gmm(faithful$waiting, 2))
  expect_identical(pair$clusters, 2L)
  expect_true(all(is.na(pair$elbow)))
  expect_match(format(pair), "too few components for an elbow", all = FALSE)
})

test_that("the summary describes the clusters in use", {
  clusters <- summary(merged)
  class <- predict(merged)
  expect_equal(clusters$parts$rows, as.vector(table(class)))
  expect_equal(clusters$parts$uncertainty,
               as.vector(tapply(predict(merged, type = "uncertainty"), class, mean)),
               tolerance = 1e-12)
  expect_equal(sum(clusters$parts$proportion), 1)
  expect_equal(colSums(clusters$parts$proportion * clusters$means),
               colSums(five$proportions * five$means), tolerance = 1e-12)
  expect_identical(as.data.frame(merged), merged$table)
})

test_that("what can't be merged is refused", {
  refused <- function(expr, pattern) expect_gm_error(expr, "argument", pattern)
  refused(gmm_merge(3), "`fit` must be a fit by gmm(), not 3")
  refused(gmm_merge(gmm_select(x, 1, "tied")), "gmm_merge(gmm_best(fit))")
  refused(gmm_merge(gmm(x, 1)), "at least 2 components, not 1")
  refused(gmm_merge(five, 6), "`clusters` must be a whole number from 1 to 5, not 6")
  refused(predict(merged, clusters = 0), "`clusters` must be")
  refused(predict(merged, type = "density"), "`type` must be")
  refused(plot(merged, "tree"), "`what` must be")
  refused(plot(merged, "classification", clusters = 9), "`clusters` must be")
  expect_gm_error(gmm_merge(gmm(x, 2, control = gmm_control(keep = FALSE))), "data", "keep = TRUE",
                  "gmm_merge")
  expect_gm_error(gmm_merge(gmm_params(c(.5, .5), 0:1, c(1, 1))), "data")
  for (field in c("members", "clusters", "elbow", "table", "fit")) {
    bad <- merged
    bad[[field]] <- "a"
    expect_gm_error(print(bad), "object", sprintf("`x$%s` must be", field), "print")
  }
})

test_that("it prints, summarises and plots", {
  expect_snapshot({
    print(merged)
    summary(merged)
  })
  expect_invisible(expect_output(print(merged)))
  expect_identical(draw(merged), merged)
  expect_silent(draw(merged, "classification"))
  expect_silent(draw(merged, "classification", clusters = 1, dims = 1, main = "a", sub = "b"))
  expect_silent(draw(gmm_merge(gmm(faithful$waiting, 2)), xlab = "ignored", las = 1))
  expect_silent(draw(gmm_merge(with_test_seed(1, gmm(iris[1:4], 3))), "classification"))
})

test_that("a row drawn has the style of its cluster, not of its component", {
  class <- cluster_class(merged, x, 2)
  expect_identical(unname(merged$members[2, ])[as.integer(class)],
                   as.integer(predict(merged, clusters = 2)))
})

test_that("components that are not used are merged first, and rows without values don't count", {
  fit <- with_test_seed(1, gmm_vb(faithful, 5, control = gmm_control(verbose = FALSE)))
  merged <- gmm_merge(fit)
  expect_identical(sum(fit$posterior$size >= 1), 2L)
  expect_identical(merged$clusters, 2L)
  expect_false(merged$members[2, 1] == merged$members[2, 2])
  x <- as.matrix(faithful)
  x[1, 1] <- NA
  at <- function(rows) {
    gmm(rows, 3, na.action = na.pass, control = gmm_control(init = start, max_iter = 0))
  }
  start <- with_test_seed(1, gmm(faithful, 3))
  columns <- c("entropy", "drop", "rows")
  expect_equal(gmm_merge(at(rbind(x, NA, NA)))$table[columns], gmm_merge(at(x))$table[columns])
})
