frozen <- readRDS(test_path("fixtures", "convert.rds"))
seen <- c(1, 51, 71, 84, 101, 120, 134) # rows whose posteriors by mclust are frozen

test_that("tied and full covariances are linear and quadratic discriminant analysis", {
  skip_if_not_installed("MASS")
  priors <- c(virginica = 0.5, setosa = 0.2, versicolor = 0.3)
  theirs <- list(tied = MASS::lda, full = MASS::qda)
  for (name in names(theirs)) {
    other <- theirs[[name]](iris[1:4], iris$Species, method = "mle")
    fit <- gmm_da(iris[1:4], iris$Species, covariance = name)
    expect_equal(predict(fit, type = "prob"), predict(other)$posterior, tolerance = 1e-12,
                 ignore_attr = TRUE, label = name)
    other <- theirs[[name]](iris[1:4], iris$Species, method = "mle", prior = priors[c(2, 3, 1)])
    fit <- gmm_da(iris[1:4], iris$Species, covariance = name, priors = priors)
    expect_equal(predict(fit, type = "prob"), predict(other)$posterior, tolerance = 1e-12,
                 ignore_attr = TRUE, label = paste(name, "with priors"))
  }
  # one row out at a time
  set.seed(1)
  left_out <- MASS::lda(iris[1:4], iris$Species, method = "mle", CV = TRUE)
  fit <- gmm_da(iris[1:4], iris$Species, covariance = "tied")
  cv <- gmm_da_cv(fit, folds = seq_len(150))
  expect_equal(unname(as.character(cv$class)), as.character(left_out$class))
})

test_that("each family: mclust's EDDA, or a higher likelihood where it has not converged", {
  x <- as.matrix(iris[1:4])
  own <- cbind(1:150, as.integer(iris$Species))
  for (name in names(frozen$edda)) {
    result <- frozen$edda[[name]]
    fit <- gmm_da(x, iris$Species, covariance = name)
    expect_equal(fit$df, result$df, label = name)
    theirs <- sum(vapply(names(result$classes), function(class) {
      parameters <- result$classes[[class]]$parameters
      parameters$variance$modelName <- "VVV"
      sum(dgmm(x[iris$Species == class, ], as_gmm(parameters), log = TRUE))
    }, 0)) + 150 * log(1 / 3)
    expect_gt(fit$loglik, theirs - 1e-9, label = name)
    expect_equal(fit$loglik, sum(log(predict(fit, type = "prob")[own])) +
                   sum(predict(fit, type = "logdensity")), tolerance = 1e-12, label = name)
    if (fit$loglik > theirs + 1e-6) next
    expect_equal(sum(predict(fit, type = "logdensity")), result$loglik, tolerance = 1e-6,
                 label = name)
    expect_equal(predict(fit, type = "prob")[seen, ], result$prob, tolerance = 1e-4,
                 ignore_attr = TRUE, label = name)
  }
})

test_that("a mixture a class: that of gmm_select() on its rows, and mclust's MclustDA", {
  set.seed(1)
  fit <- gmm_da(iris[1:4], iris$Species, k = 1:2, covariance = c("EEE", "VVV"))
  result <- frozen$mclust_da_chosen # 1:5 components, all families
  expect_identical(fit$table$k, unname(vapply(result$classes, function(m) as.integer(m$G), 0L)))
  expect_equal(fit$df, result$df)
  expect_equal(sum(predict(fit, type = "logdensity")), result$loglik, tolerance = 1e-5)
  expect_equal(predict(fit, type = "prob")[seen, ], result$prob, tolerance = 1e-2,
               ignore_attr = TRUE)
  set.seed(1)
  alone <- gmm_best(gmm_select(iris[1:50, 1:4], k = 1:2, covariance = c("EEE", "VVV")))
  expect_equal(fit$models$setosa$means, alone$means, tolerance = 1e-6)
  expect_equal(fit$table$BIC[1], BIC(alone), tolerance = 1e-8)
  expect_equal(c(logLik(fit)), sum(fit$table$loglik) + 150 * log(1 / 3), tolerance = 1e-12)
  # one component each, by families of their own: quadratic again
  quadratic <- gmm_da(iris[1:4], iris$Species, covariance = "full", separate = TRUE)
  expect_equal(predict(quadratic, type = "prob")[seen, ], frozen$mclust_da$prob,
               tolerance = 1e-10, ignore_attr = TRUE)
})

test_that("the family with the lowest BIC is kept; criteria follow the log-likelihood", {
  fit <- gmm_da(Species ~ ., data = iris)
  expect_identical(nrow(fit$table), 14L)
  expect_identical(fit$covariance, fit$table$covariance[which.min(fit$table$BIC)])
  expect_equal(BIC(fit), min(fit$table$BIC), tolerance = 1e-14)
  expect_equal(AIC(fit), -2 * fit$loglik + 2 * fit$df)
  expect_identical(nobs(fit), 150)
  given <- gmm_da(Species ~ ., data = iris, priors = rep(1, 3) / 3)
  expect_identical(given$df, fit$df - 2)
})

test_that("the interfaces agree; columns go by name; rows of NA, new levels of nothing", {
  by_formula <- gmm_da(Species ~ ., iris, covariance = "diag")
  by_frame <- gmm_da(iris[1:4], iris$Species, covariance = "diag")
  by_matrix <- gmm_da(as.matrix(iris[1:4]), as.character(iris$Species), covariance = "diag")
  expect_identical(by_frame$models, by_formula$models)
  expect_identical(predict(by_matrix, type = "prob"), predict(by_matrix, iris, type = "prob")[, ],
                   ignore_attr = TRUE)
  expect_equal(predict(by_formula, iris[c(3, 1, 4, 2)]), predict(by_formula))
  expect_s3_class(predict(by_formula), "factor")
  expect_identical(levels(predict(by_formula)), levels(iris$Species))
  expect_gm_error(predict(by_formula, iris[1:3]), "names", "Petal.Width", "predict")
  expect_identical(nrow(predict(by_frame, iris[0, ], type = "prob")), 0L)
  holes <- iris[c(1, 51, 101), ]
  holes[2, 3] <- NA
  part <- predict(by_frame, holes, type = "prob")
  without <- gmm_da(iris[c(1, 2, 4)], iris$Species, covariance = "diag")
  expect_equal(part[2, ], predict(without, holes[c(1, 2, 4)], type = "prob")[2, ],
               tolerance = 1e-12)
  excluded <- predict(by_frame, holes, na.action = na.exclude)
  expect_identical(is.na(excluded), c("1" = FALSE, "51" = TRUE, "101" = FALSE))
  expect_identical(rownames(predict(by_frame, holes, type = "prob")), c("1", "51", "101"))
  far <- data.frame(a = c(1e6, 1e200), b = 0, c = 0, d = 0)
  names(far) <- names(iris)[1:4]
  expect_equal(unname(rowSums(predict(by_frame, far, type = "prob"))), c(1, 1))
  two <- gmm_da(Species ~ Petal.Width, iris, subset = Species != "setosa")
  expect_identical(two$classes, c("versicolor", "virginica"))
  logged <- gmm_da(I(Petal.Width > 1.5) ~ log(Sepal.Length) + Sepal.Width, iris)
  expect_identical(logged$classes, c("FALSE", "TRUE"))
  expect_length(predict(logged, iris[1:3, ]), 3)
})

test_that("weight 2 is the row twice; missing rows are dropped and keep their places", {
  w <- rep(1:2, 75)
  weighted <- gmm_da(Species ~ ., iris, covariance = "VVE", weights = w)
  doubled <- gmm_da(Species ~ ., iris[rep(1:150, w), ], covariance = "VVE")
  expect_equal(weighted$loglik, doubled$loglik, tolerance = 1e-10)
  expect_equal(predict(weighted, iris, type = "prob"), predict(doubled, iris, type = "prob"),
               tolerance = 1e-8)
  expect_equal(sum(summary(weighted)$confusion), sum(w))
  gappy <- iris
  gappy$Species[c(5, 60)] <- NA
  gappy$Sepal.Width[c(7, 60)] <- NA
  expect_gm_error(gmm_da(Species ~ ., gappy), "missing", NULL, "gmm_da")
  expect_gm_error(gmm_da(iris[1:4], gappy$Species), "missing", c("`class`", "5, 60"), "gmm_da")
  kept <- gmm_da(Species ~ ., gappy, covariance = "tied", na.action = na.exclude)
  whole <- gmm_da(Species ~ ., iris[-c(5, 7, 60), ], covariance = "tied")
  expect_equal(kept$loglik, whole$loglik, tolerance = 1e-12)
  expect_identical(which(is.na(predict(kept))), c("5" = 5L, "7" = 7L, "60" = 60L),
                   ignore_attr = TRUE)
  expect_length(predict(kept), 150)
  set.seed(1)
  expect_length(gmm_da_cv(kept, 5)$class, 147)
})

test_that("a class of one row has a mean, and no covariance of its own", {
  x <- iris[c(1:100, 101), ]
  for (code in c("EEE", "EEI", "EII")) {
    fit <- expect_silent(gmm_da(Species ~ ., x, covariance = code))
    expect_false(fit$table$spurious)
    expect_identical(unname(fit$models$virginica$means[1, ]), unname(unlist(x[101, 1:4])))
    # the covariance is that of the other classes, by n
    scatter <- function(one) crossprod(scale(one, scale = FALSE))
    within <- lapply(split(x[1:4], x$Species)[1:2], scatter)
    pooled <- Reduce(`+`, within) / 101
    expected <- switch(code, EEE = pooled, EEI = diag(diag(pooled)),
                       EII = diag(mean(diag(pooled)), 4))
    expect_equal(fit$models$setosa$covariances[, , 1], expected, ignore_attr = TRUE)
  }
  for (code in setdiff(names(families), c("EEE", "EEI", "EII", "EEV"))) {
    expect_gm_error(gmm_da(Species ~ ., x, covariance = code), "degenerate",
                    "class \"virginica\" has too few rows", "gmm_da")
  }
})

test_that("`.` beside a variable that is no column of the data is no warning", {
  other <- seq_along(iris$Species)
  fit <- expect_silent(gmm_da(Species ~ . + other, iris, covariance = "tied"))
  expect_identical(colnames(fit$x), c(names(iris)[1:4], "other"))
  expect_gm_error(gmm_da(Species ~ . + absent, iris), "formula", "absent", "gmm_da")
})

test_that("the boundary lies where the two most probable classes are equally so", {
  for (fit in list(gmm_da(Species ~ Petal.Length + Petal.Width, iris, covariance = "full"),
                   gmm_da(Species ~ Sepal.Length + Sepal.Width, iris, k = 2, covariance = "tied",
                          control = gmm_control(n_init = 2, search = 0)))) {
    limits <- apply(fit$x, 2, range)
    line <- class_boundaries(fit, 1:2, limits[, 1], limits[, 2])
    prob <- t(apply(predict(fit, line[1:2], type = "prob"), 1, sort, decreasing = TRUE))
    expect_gt(nrow(line), 100)
    expect_lt(stats::median(prob[, 1] - prob[, 2]), 0.01)
    expect_lt(max(prob[, 1] - prob[, 2]), 0.2) # the grid's width, where posteriors are steep
    draw(fit)
  }
  draw(gmm_da(Species ~ ., iris, covariance = "full"))
  draw(gmm_da(Species ~ Petal.Width, iris), legend = FALSE, ellipses = NULL)
})

test_that("a classifier prints what it is, how good and on what", {
  set.seed(1)
  fit <- gmm_da(Species ~ ., iris, na.action = na.omit)
  apart <- gmm_da(Species ~ Petal.Length + Petal.Width, iris, k = 1:2,
                  covariance = c("full", "diag"), priors = c(.2, .3, .5), weights = rep(1:2, 75))
  expect_snapshot_output({
    print(fit)
    print(summary(fit))
    print(apart)
    print(summary(apart))
    print(gmm_da_cv(fit))
    print(gmm_da_cv(apart, 3))
  })
})

test_that("what can't be learnt is refused in words", {
  x <- iris[1:4]
  flat <- x
  flat[1:50, 2] <- 3
  expect_snapshot_output(show_conditions(
    gmm_da(),
    gmm_da(x),
    gmm_da(x, iris$Species[-1]),
    gmm_da(x, rnorm(150)),
    gmm_da(x, rep("a", 150)),
    gmm_da(x, iris$Species, weights = rep(0:1, c(50, 100))),
    gmm_da(~ Sepal.Length, iris),
    gmm_da(Species ~ nothing, iris),
    gmm_da(nothing ~ Sepal.Length, iris),
    gmm_da(x, iris$Species, k = 2, separate = FALSE),
    gmm_da(x, iris$Species, priors = c(.5, .5)),
    gmm_da(x, iris$Species, priors = c(.5, .5, .5)),
    gmm_da(x, iris$Species, covariance = "fulll"),
    gmm_da(x, iris$Species, G = 2),
    gmm_da(x, iris$Species, control = gmm_control(init = iris$Species)),
    gmm_da(flat, iris$Species, covariance = "full"),
    gmm_da(flat, iris$Species, k = 2, covariance = "tied"),
    gmm_da(x[c(1:4, 51:150), ], iris$Species[c(1:4, 51:150)], covariance = "full"),
    gmm_da(x[c(1:8, 51:150), ], iris$Species[c(1:8, 51:150)], covariance = "full"),
    gmm_da_cv(3),
    predict(structure(list(), class = "gmm_da"), x)
  ))
})
