x <- as.matrix(faithful)
cv_choice <- with_test_seed(1, gmm_select(faithful, 1:3, c("tied", "diag"), c("BIC", "CV"),
                                          folds = 4))

test_that("CV and its standard error are what their definitions say, fold by fold", {
  cv <- cv_choice$cv
  expect_identical(sort(as.vector(table(cv$fold))), c(68L, 68L, 68L, 68L))
  held_out <- matrix(NA, nrow(cv_choice$table), 4)
  for (i in seq_len(nrow(held_out))) {
    cell <- cv_choice$table[i, ]
    for (f in 1:4) {
      fit <- gmm(x[cv$fold != f, ], cell$k, cell$name)
      held_out[i, f] <- mean(predict(fit, x[cv$fold == f, ], type = "logdensity"))
    }
  }
  expect_equal(cv$logdensity, held_out, tolerance = 1e-4)
  expect_equal(cv_choice$table$CV, -2 * 272 * rowMeans(cv$logdensity), tolerance = 1e-12)
  expect_equal(cv_choice$table$CV_se, 2 * 272 * apply(cv$logdensity, 1, sd) / 2, tolerance = 1e-12)
})

test_that("one component, a row a fold: CV is the closed form", {
  y <- c(1, 2, 4, 7, 11)
  select <- gmm_select(y, 1, criterion = "CV", folds = 5)
  held_out <- vapply(1:5, function(i) {
    kept <- y[-i]
    dnorm(y[i], mean(kept), sqrt(mean((kept - mean(kept))^2)), log = TRUE)
  }, 0)
  expect_equal(select$table$CV, -2 * sum(held_out), tolerance = 1e-12)
  expect_equal(select$table$CV_se, 2 * 5 * sd(held_out) / sqrt(5), tolerance = 1e-12)
})

test_that("the one-standard-error rule: the fewest parameters within one error of the lowest", {
  table <- data.frame(df = c(20, 12, 9, 9, 5), k = c(4, 3, 2, 3, 1),
                      CV = c(100, 104, 109, 108, 130), CV_se = c(10, 50, 50, 50, 50),
                      status = "ok", spurious = FALSE)
  expect_identical(best_row("CV", table, 50), 4L)
  expect_identical(lowest_row("CV", table), 1L)
  table$CV_se[1] <- 30
  expect_identical(best_row("CV", table, 50), 5L)
  table$CV_se[1] <- 0
  expect_identical(best_row("CV", table, 50), 1L)
  table$spurious[1] <- TRUE
  expect_identical(best_row("CV", table, 50), 5L)
  table$CV[2:5] <- NA
  table$spurious[1] <- FALSE
  expect_identical(best_row("CV", table, 50), 1L)
})

test_that("the same seed deals the same folds, and cross-validation changes no other value", {
  again <- with_test_seed(1, gmm_select(x, 2:3, "diag", "CV", folds = 4))
  expect_identical(again$cv$fold, cv_choice$cv$fold)
  of <- cv_choice$table[cv_choice$table$name == "diag" & cv_choice$table$k > 1, ]
  expect_equal(again$table, of, ignore_attr = TRUE, tolerance = 1e-2)
  expect_identical(again$criterion, "CV")
  plain <- with_test_seed(1, gmm_select(faithful, 1:3, c("tied", "diag")))
  expect_identical(plain$table, cv_choice$table[names(plain$table)])
  expect_null(plain$cv)
  expect_identical(gmm_best(plain)$loglik, gmm_best(cv_choice)$loglik)
})

test_that("labels of folds are taken as given, in any type, for the rows that are used", {
  third <- rep_len(c("b", "a", "c"), 272)
  select <- function(folds, ...) {
    with_test_seed(1, gmm_select(..., k = 2, covariance = "tied", criterion = "CV", folds = folds))
  }
  by_text <- select(third, x)
  expect_identical(by_text$cv$fold, rep_len(c(2L, 1L, 3L), 272))
  expect_identical(select(factor(third, c("b", "a", "c", "d")), x)$table, by_text$table)
  gaps <- faithful
  gaps$waiting[c(3, 50)] <- NA
  dropped <- select(third, gaps, na.action = na.omit)
  expect_identical(dropped$cv$fold, rep_len(c(2L, 1L, 3L), 272)[-c(3, 50)])
  part <- with_test_seed(1, gmm_select(~ ., faithful, 2, "tied", "CV", folds = third,
                                       subset = 100:1))
  expect_identical(part$cv$fold, rep_len(c(2L, 1L, 3L), 272)[100:1])
})

test_that("weights: held-out means are per unit of weight, and rows without weight are no rows", {
  w <- with_test_seed(2, rexp(272))
  w[c(5, 100)] <- 0
  folds <- rep_len(1:5, 272)
  select <- function(x, w, folds) {
    with_test_seed(1, gmm_select(x, 1, c("tied", "diag"), "CV", folds = folds, weights = w))
  }
  all <- select(x, w, folds)
  cell <- gmm(x[folds != 2, ], 1, "tied", weights = w[folds != 2])
  held <- predict(cell, x[folds == 2, ], type = "logdensity")
  expect_equal(all$cv$logdensity[all$table$name == "tied", 2], weighted.mean(held, w[folds == 2]),
               tolerance = 1e-12)
  expect_equal(all$cv$share, as.vector(tapply(w, folds, sum)) / sum(w), tolerance = 1e-14)
  expect_equal(all$table$CV, -2 * sum(w) * drop(all$cv$logdensity %*% all$cv$share),
               tolerance = 1e-12)
  positive <- w > 0
  same <- select(x[positive, ], w[positive], folds[positive])
  expect_equal(same$table, all$table, tolerance = 1e-12)
  thrice <- select(x, 3 * w, folds)
  expect_equal(thrice$table$CV, 3 * all$table$CV, tolerance = 1e-12)
  expect_equal(thrice$table$CV_se, 3 * all$table$CV_se, tolerance = 1e-12)
  folds[5] <- 99
  expect_identical(max(check_folds(folds, as_gmm_data(x, weights = w))), 5L)
  dealt <- with_test_seed(1, deal_folds(10, as_gmm_data(x, weights = w)))
  expect_identical(sort(as.vector(table(dealt[positive]))), rep(27L, 10))
})

test_that("starts that are labels follow their rows into the folds", {
  labels <- rep(1:2, c(100, 172))[order(order(x[, 1]))]
  select <- gmm_select(x, 2, "tied", "CV", folds = 3, control = gmm_control(init = labels))
  kept <- select$cv$fold != 2
  fit <- gmm(x[kept, ], 2, "tied", control = gmm_control(init = labels[kept]))
  expect_equal(select$cv$logdensity[1, 2],
               mean(predict(fit, x[!kept, ], type = "logdensity")), tolerance = 1e-6)
})

test_that("a model that can't be fitted in each fold has no CV, and a reason", {
  select <- with_test_seed(1, gmm_select(x[1:20, ], c(1, 5), "tied", c("BIC", "CV"),
                                          folds = rep(1:2, c(16, 4))))
  expect_identical(is.na(select$table$CV), c(FALSE, TRUE))
  expect_match(select$cv$reason[2], "fold 1: `k` must be at most the number of rows", fixed = TRUE)
  expect_identical(select$cv$reason[1], "")
  expect_match(format(select), "without CV: 1 model", fixed = TRUE, all = FALSE)
  expect_identical(summary(select)$failed$reason, select$cv$reason[2])
  expect_silent(draw(select, criteria = "CV"))
  # the rows of a fold are the only ones that differ
  lone <- cbind(a = c(rep(1, 9), 2), b = with_test_seed(1, rnorm(10)))
  expect_gm_error(gmm_select(lone, 1, "diag", "CV", folds = 5), "degenerate",
                  c("No model could be fitted in each fold", "constant"), "gmm_select")
})

test_that("folds that can't be are refused", {
  refused <- function(folds, pattern, ...) {
    expect_gm_error(gmm_select(x, 1, "tied", "CV", folds = folds, ...), "argument", pattern,
                    "gmm_select")
  }
  refused(1, "`folds` must be a whole number from 2 to 272, not 1.")
  refused(273, "from 2 to 272")
  refused(2.5, "`folds` must be a whole number")
  refused(NULL, "`folds` must be")
  refused(1:3, "an element for each of the 272 rows given")
  refused(rep(1, 272), "two parts at least")
  refused(c(NA, rep_len(1:2, 271)), "missing values; it has 1")
  refused(200, "from 2 to 100", weights = rep(0:1, c(172, 100)))
  expect_no_error(gmm_select(x, 1, "tied", "BIC", folds = 1)) # not used
  expect_gm_error(gmm_best(gmm_select(x, 1, "tied"), "CV"), "argument", "`criterion` must be",
                  "gmm_best")
})

test_that("a choice with CV prints, summarises and plots", {
  by_cv <- cv_choice
  by_cv$criterion <- "CV"
  by_cv$chosen <- best_row("CV", by_cv$table, by_cv$nobs)
  expect_snapshot({
    print(by_cv)
    summary(cv_choice)
  })
  expect_silent(draw(by_cv))
  expect_silent(draw(cv_choice, criteria = c("CV", "AICc")))
  expect_identical(as.data.frame(cv_choice), cv_choice$table)
  expect_identical(gmm_best(by_cv)$k, by_cv$table$k[by_cv$chosen])
})

test_that("known labels: held-out rows count as in the log-likelihood, and are dealt by label", {
  x <- as.matrix(iris[1:4])
  known <- factor(replace(as.character(iris$Species), -c(1:4, 60:61, 101:103), NA))
  select <- with_test_seed(1, gmm_select(x, 3, "tied", c("BIC", "CV"), folds = 3, labels = known))
  fold <- select$cv$fold
  expect_true(all(table(known, fold)["virginica", ] == 1))
  for (f in 1:3) {
    fit <- with_test_seed(1, gmm(x[fold != f, ], 3, "tied", labels = known[fold != f]))
    out <- x[fold == f, ]
    terms <- predict(fit, out, type = "component")
    own <- match(known[fold == f], colnames(terms))
    density <- ifelse(is.na(own), predict(fit, out, type = "logdensity"),
                      terms[cbind(seq_len(nrow(out)), own)])
    expect_equal(select$cv$logdensity[1, f], mean(density), tolerance = 1e-4)
  }
  lone <- factor(replace(rep(NA, 150), c(1, 60, 61), c("a", "b", "b")))
  refused <- function(...) {
    expect_gm_error(gmm_select(x, 3, "tied", "CV", labels = lone, ...), "labels", "all of \"a\"",
                    "gmm_select")
  }
  refused()
  refused(folds = rep(1:2, 75))
})

test_that("a prior that takes its scale from the data takes it from the rows fitted", {
  x <- as.matrix(faithful)
  select <- with_test_seed(1, gmm_select(x, 1, "full", "CV", folds = 2,
                                         prior = gmm_prior(kappa = 20, df = 30)))
  out <- select$cv$fold == 2
  fit <- gmm(x[!out, ], 1, prior = gmm_prior(kappa = 20, df = 30))
  expect_equal(select$cv$logdensity[1, 2], mean(predict(fit, x[out, ], type = "logdensity")))
})

# ---- of a classifier --------------------------------------------------------------------

test_that("cross-validation: stratified, seeded, each row by a fit that did not see it", {
  fit <- gmm_da(iris[1:4], iris$Species, covariance = c("tied", "full"))
  set.seed(1)
  cv <- gmm_da_cv(fit, 10)
  set.seed(1)
  expect_identical(gmm_da_cv(fit, 10), cv)
  expect_true(all(table(cv$fold, iris$Species) == 5))
  expect_identical(cv$error, mean(cv$class != iris$Species))
  expect_equal(cv$se, sqrt(cv$error * (1 - cv$error) / 150))
  out <- which(cv$fold == 4)
  other <- gmm_da(iris[-out, 1:4], iris$Species[-out], covariance = c("tied", "full"))
  expect_equal(cv$prob[out, ], predict(other, iris[out, ], type = "prob"), ignore_attr = TRUE,
               tolerance = 1e-10)
  expect_identical(unname(cv$chosen[4, "covariance"]), other$covariance)
  sum <- summary(cv)
  expect_equal(sum(sum$classes$wrong), 150 * cv$error)
  expect_equal(unname(sum$classes$error), unname(1 - diag(cv$confusion) / rowSums(cv$confusion)))
  expect_equal(sum$folds$error, as.vector(tapply(cv$class != iris$Species, cv$fold, mean)))
  at <- as.integer(as.character(sum$wrong$row))
  expect_setequal(at, which(cv$class != iris$Species))
  expect_identical(sum$wrong$class, iris$Species[at])
  expect_equal(sum$wrong$prob, apply(cv$prob[at, , drop = FALSE], 1, max), ignore_attr = TRUE)
  expect_output(print(sum), "10-fold cross-validation: error")
  line <- gmm_da(iris$Petal.Width, iris$Species) # rows without names
  expect_lt(gmm_da_cv(line, cv$fold)$error, 0.1)
  expect_gm_error(gmm_da_cv(fit, rep(1:2, c(50, 100))), "argument", "\"setosa\"", "gmm_da_cv")
  expect_gm_error(gmm_da_cv(fit, 151), "argument", "folds")
  apart <- gmm_da(iris[1:2], iris$Species, k = 2, covariance = "diag",
                  control = gmm_control(n_init = 1, search = 0))
  cv <- gmm_da_cv(apart, 3)
  expect_identical(colnames(cv$chosen), levels(iris$Species))
  expect_true(all(cv$chosen == "2 VVI"))
})
