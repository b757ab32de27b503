x <- as.matrix(faithful)
fit <- with_test_seed(1, gmm(x, 2))
odd <- gmm_anomaly(fit)

test_that("at rate r the share flagged of the training rows is r, to one row", {
  for (rate in c(0, 0.01, 0.04, 0.29, 0.5, 0.999)) {
    odd <- gmm_anomaly(fit, rate = rate)
    n <- odd$n[["flagged"]]
    expect_lte(n, 272 * rate)
    expect_gt(n + odd$n[["tied"]], 272 * rate)
    expect_equal(odd$share, n / 272)
  }
  expect_identical(gmm_anomaly(fit, rate = 0)$n[["flagged"]], 0L)
  # rates whose product with n is off by rounding: no row is lost
  hundred <- with_test_seed(1, gmm(rnorm(100), 1))
  for (rate in c(0.07, 0.29, 0.57, 0.58)) {
    expect_equal(gmm_anomaly(hundred, rate = rate)$n[["flagged"]], round(100 * rate))
  }
})

test_that("the threshold is the smallest score with more than the rate of weight at or below it", {
  w <- rep(c(0, 1, 2.5, 0.1), 68)
  weighted <- with_test_seed(1, gmm(x, 2, weights = w))
  score <- predict(weighted, type = "logdensity")
  for (rate in c(0, 0.01, 0.04, 0.3)) {
    enough <- Filter(function(t) sum(w[score <= t]) > rate * sum(w), score)
    odd <- gmm_anomaly(weighted, rate = rate)
    expect_identical(odd$threshold, min(enough))
    expect_identical(odd$flag, score < min(enough))
    expect_equal(odd$share, sum(w[odd$flag]) / sum(w))
  }
  # weight 2 is the row twice, no scaling of the weights changes anything
  params <- coef(fit, "list")
  scored <- function(x, w) {
    control <- gmm_control(init = params, max_iter = 0)
    gmm(x, 2, weights = w, control = control)
  }
  twice <- rep(1:2, 136)
  a <- gmm_anomaly(scored(x, twice))
  b <- gmm_anomaly(scored(x[rep(1:272, twice), ], NULL))
  expect_identical(a$threshold, b$threshold)
  expect_identical(gmm_anomaly(scored(x, 1e250 * twice))$threshold, a$threshold)
})

test_that("rows that tie with the threshold are not flagged, and print says so", {
  tied <- gmm(rep(c(1:5, 20), c(50, 50, 50, 50, 50, 3)), 1)
  # 20 is the lowest: 3 of 253 rows. 1 and 5 are 50 each.
  odd <- gmm_anomaly(tied, rate = 0.1)
  expect_identical(which(odd$flag), 251:253)
  expect_identical(odd$n[["tied"]], 50L)
  expect_match(format(odd)[3], "not flagged: 50 rows that tie with the threshold", fixed = TRUE)
  none <- gmm_anomaly(tied, rate = 0.01)
  expect_identical(none$n[c("flagged", "tied")], c(flagged = 0L, tied = 3L))
  expect_match(format(gmm_anomaly(fit))[3], "1 row that ties", fixed = TRUE)
})

test_that("scores are log-densities, with the names of the rows", {
  expect_identical(odd$score, predict(fit, type = "logdensity"))
  frame <- with_test_seed(1, gmm(faithful, 2))
  named <- gmm_anomaly(frame, faithful[c(5, 200), ])
  expect_identical(named$score, predict(frame, faithful[c(5, 200), ], type = "logdensity"))
  expect_identical(names(named$flag), c("5", "200"))
  expect_equal(named$score[["5"]], oracle_logdens(x[5, , drop = FALSE], coef(fit, "list")),
               tolerance = 1e-12)
})

test_that("a fit without its rows gives the same, for any rows", {
  light <- with_test_seed(1, gmm(x, 2, control = gmm_control(keep = FALSE)))
  same <- c("flag", "score", "threshold", "n", "share")
  expect_identical(gmm_anomaly(light)[same], odd[same])
  new <- x[1:20, ] + 1
  expect_identical(gmm_anomaly(light, new)[same], gmm_anomaly(fit, new)[same])
  # training rows judged as new ones, in another order, tie as they did
  back <- gmm_anomaly(light, x[272:1, ])
  expect_identical(rev(back$flag), odd$flag)
  expect_identical(names(as.data.frame(gmm_anomaly(light))), c("row", "score", "flag"))
})

test_that("novelty: new rows are judged by the threshold of the training rows", {
  clean <- random_params("VVV", 2, 2, 3)
  train <- random_data(4000, clean, 4)
  fit <- with_test_seed(1, gmm(train, 2))
  same <- gmm_anomaly(fit, random_data(4000, clean, 5))
  expect_identical(same$threshold, gmm_anomaly(fit)$threshold)
  # binomial, and the threshold has the same error again
  expect_lt(abs(same$share - 0.04), 4 * sqrt(2 * 0.04 * 0.96 / 4000))
  far <- gmm_anomaly(fit, matrix(1e3, 5, 2))
  expect_true(all(far$flag))
})

test_that("missing values are not judged, infinite ones are anomalies", {
  new <- rbind(a = c(2, 55), b = c(NA, 55), c = c(Inf, 55), d = c(-Inf, Inf), e = c(NaN, Inf))
  colnames(new) <- colnames(x)
  expect_silent(odd <- gmm_anomaly(fit, new))
  expect_identical(odd$flag, c(a = FALSE, b = NA, c = TRUE, d = TRUE, e = NA))
  expect_identical(unname(odd$score[3:4]), c(-Inf, -Inf))
  expect_identical(odd$n[c("judged", "flagged", "missing", "infinite")],
                   c(judged = 3L, flagged = 2L, missing = 2L, infinite = 2L))
  expect_silent(table <- as.data.frame(odd))
  expect_identical(as.character(table$component), c("2", NA, NA, NA, NA))
  expect_silent(draw(odd))
  expect_silent(draw(odd, what = "scores"))
  empty <- gmm_anomaly(fit, new[0, , drop = FALSE])
  expect_identical(empty$n[["judged"]], 0L)
  expect_match(format(empty)[1], "0 of 0 new rows", fixed = TRUE)
})

test_that("rows left out of the fit are NA, so that flags match the rows given", {
  gaps <- faithful
  gaps$waiting[c(3, 100)] <- NA
  for (action in list(na.omit, na.exclude)) {
    fit <- with_test_seed(1, gmm(gaps, 2, na.action = action))
    odd <- gmm_anomaly(fit)
    expect_length(odd$flag, 272)
    expect_identical(unname(which(is.na(odd$flag))), c(3L, 100L))
    expect_identical(odd$n[["judged"]], 270L)
    expect_identical(names(odd$flag), rownames(gaps))
    score <- predict(fit, gaps[-c(3, 100), ], type = "logdensity")
    expect_identical(odd$score[-c(3, 100)], score)
    table <- as.data.frame(odd)
    expect_identical(is.na(table$component), is.na(odd$flag), ignore_attr = TRUE)
    expect_identical(table$component[-c(3, 100)], unname(predict(fit, gaps[-c(3, 100), ])))
    expect_silent(draw(odd))
    weighted <- with_test_seed(1, gmm(gaps, 2, na.action = action, weights = rep(1:2, 136)))
    odd <- gmm_anomaly(weighted)
    w <- rep(1:2, 136)[-c(3, 100)]
    expect_equal(odd$share, sum(w[odd$flag[-c(3, 100)]]) / sum(w))
  }
})

test_that("precision, recall, F1 and false alarms are those counted by hand", {
  # scores of a standard normal fall with |x|; ranks: 9 T, 8 F, 7 T, 6 and -6 (T, F), 1 (T), 0 (F)
  line <- gmm_params(1, 0, 1)
  new <- c(0, 1, 6, -6, 7, 8, 9)
  truth <- c(FALSE, TRUE, TRUE, FALSE, TRUE, FALSE, TRUE)
  at <- function(v) dnorm(v, log = TRUE)
  odd <- gmm_anomaly(line, new, threshold = at(6), truth = truth)
  expect_identical(odd$flag, c(FALSE, FALSE, FALSE, FALSE, TRUE, TRUE, TRUE))
  expect_identical(c(odd$confusion), c(2L, 2L, 1L, 2L)) # by column: FF, TF, FT, TT
  expect_equal(odd$performance, c(
    precision = 2 / 3, recall = 2 / 4, F1 = 4 / 7, false_alarm = 1 / 3,
    average_precision = 1 / 4 * 1 + 0 * 1 / 2 + 1 / 4 * 2 / 3 + 1 / 4 * 3 / 5 + 1 / 4 * 4 / 6
  ))
  expect_equal(odd$curve, data.frame(
    threshold = c(at(c(9, 8, 7, 6, 1, 0)), Inf), flagged = c(0, 1, 2, 3, 5, 6, 7),
    hits = c(0, 1, 1, 2, 3, 4, 4), precision = c(NA, 1, 1 / 2, 2 / 3, 3 / 5, 4 / 6, 4 / 7),
    recall = c(0, 1, 1, 2, 3, 4, 4) / 4, F1 = 2 * c(0, 1, 1, 2, 3, 4, 4) / (4 + c(0:3, 5:7)),
    false_alarm = c(0, 0, 1, 1, 2, 2, 3) / 3
  ))
  for (form in list(as.integer(truth), as.numeric(truth), factor(truth, labels = c("in", "out")))) {
    expect_identical(gmm_anomaly(line, new, threshold = at(6), truth = form)$performance,
                     odd$performance)
  }
  # rows that are not known, or not judged, count for nothing
  more <- gmm_anomaly(line, c(new, 50, NA), threshold = at(6), truth = c(truth, NA, TRUE))
  expect_identical(more$performance, odd$performance)
  expect_identical(more$curve, odd$curve)
  # shares of nothing
  none <- gmm_anomaly(line, new, threshold = -Inf, truth = logical(7))
  expect_identical(none$performance[["precision"]], NA_real_)
  expect_identical(none$performance[["recall"]], NA_real_)
  expect_identical(none$performance[["false_alarm"]], 0)
})

test_that("on public data with known outliers the curve is the one counted row by row", {
  skip_if_not_installed("MASS")
  biopsy <- na.omit(MASS::biopsy) # 683 tumours, nine scores from 1 to 10: many ties
  cells <- biopsy[2:10]
  malignant <- biopsy$class == "malignant"
  fit <- gmm(cells[!malignant, ], 1)
  odd <- gmm_anomaly(fit, cells, truth = biopsy$class)
  expect_gt(sum(duplicated(odd$score)), 100)
  counted <- t(vapply(c(sort(unique(odd$score)), Inf), function(t) {
    flag <- odd$score < t
    c(t, sum(flag), sum(flag & malignant), mean(malignant[flag]), mean(flag[malignant]),
      mean(flag[!malignant]))
  }, numeric(6)))
  counted[is.nan(counted)] <- NA
  columns <- c("threshold", "flagged", "hits", "precision", "recall", "false_alarm")
  expect_equal(as.matrix(odd$curve[columns]), counted, ignore_attr = TRUE, tolerance = 1e-12)
  expect_true(all(diff(odd$curve$recall) >= 0))
  expect_gt(odd$performance[["recall"]], 0.95)
  expect_lt(odd$performance[["false_alarm"]], 0.04)
})

test_that("fit, drop the most extreme rows, fit again: for a matrix, a data frame, a formula", {
  n <- 300
  rows <- with_test_seed(1, rbind(matrix(rnorm(2 * n), n), matrix(rnorm(2 * n, 8), n),
                                  matrix(runif(30, 15, 40), 15)))
  colnames(rows) <- c("a", "b")
  frame <- as.data.frame(rows)
  fits <- with_test_seed(1, list(gmm(rows, 2), gmm(frame, 2), gmm(~ a + b, frame, k = 2)))
  for (fit in fits) {
    odd <- gmm_anomaly(fit, rate = 0.05)
    clean <- with_test_seed(1, switch(
      if (is.null(fit$terms)) fit$blueprint$kind else "formula",
      matrix = update(fit, x = rows[which(!odd$flag), ]),
      data.frame = update(fit, x = frame[which(!odd$flag), ]),
      formula = update(fit, data = frame[which(!odd$flag), ])
    ))
    expect_equal(nobs(clean), sum(!odd$flag))
    weighted <- with_test_seed(1, update(fit, weights = as.numeric(odd$flag %in% FALSE)))
    expect_equal(coef(weighted), coef(clean), tolerance = 1e-6)
    expect_length(gmm_anomaly(weighted)$flag, nrow(rows))
    # the outliers' component was pulled apart; the clean fit finds both groups and all outliers
    again <- gmm_anomaly(clean, rows, truth = seq_len(nrow(rows)) > 2 * n)
    expect_identical(again$performance[["recall"]], 1)
    expect_equal(sort(clean$means[, "a"]), c(0, 8), tolerance = 0.03, ignore_attr = TRUE)
  }
  part <- with_test_seed(1, gmm(~ a + b, frame, k = 2, subset = a < 30))
  odd <- gmm_anomaly(part)
  kept <- frame[names(which(!odd$flag)), ]
  expect_true(all(kept$a < 30))
  clean <- with_test_seed(1, update(part, data = kept, subset = NULL))
  expect_equal(nobs(clean), sum(!odd$flag))
})

test_that("prints are short, and read well", {
  expect_lte(length(format(odd)), 10)
  new <- rbind(faithful[1:5, ], c(NA, 1), c(Inf, 1))
  all <- gmm_anomaly(fit, new, truth = c(1, 0, 0, 0, 0, 1, 1))
  expect_lte(length(format(all)), 10)
  weighted <- with_test_seed(1, gmm(x, 2, weights = rep(c(1, 2.5), 136)))
  expect_snapshot({
    print(odd)
    print(all)
    print(gmm_anomaly(weighted, rate = 0.01))
    print(gmm_anomaly(fit, threshold = -20))
    summary(gmm_anomaly(fit, truth = x[, 1] < 1.7))
  })
  out <- withVisible(print(odd))
  expect_identical(out$value, odd)
  expect_false(out$visible)
})

test_that("as.data.frame() and summary() agree with the object", {
  truth <- x[, 1] < 1.7
  odd <- gmm_anomaly(fit, truth = truth)
  table <- as.data.frame(odd)
  expect_named(table, c("row", "score", "flag", "component", "truth"))
  expect_identical(table$score, unname(odd$score))
  expect_identical(table$component, unname(predict(fit)))
  expect_identical(table$truth, unname(truth))
  s <- summary(odd)
  expect_identical(s$extremes$score, unname(sort(odd$score)[1:10]))
  expect_identical(sum(s$components), 272L)
  expect_identical(s$performance, odd$performance)
})

test_that("what can't be is refused", {
  refused <- function(code, ...) expect_gm_error(code, "argument", ..., call = "gmm_anomaly")
  refused(gmm_anomaly(fit, rate = 1), "below 1")
  refused(gmm_anomaly(fit, rate = -0.1), "`rate`")
  refused(gmm_anomaly(fit, rate = NA_real_), "`rate`")
  refused(gmm_anomaly(fit, rate = c(0.1, 0.2)), "`rate`")
  refused(gmm_anomaly(fit, rate = 0.1, threshold = -3), "only one of `rate`, `threshold`.")
  refused(gmm_anomaly(fit, threshold = NaN), "`threshold`")
  refused(gmm_anomaly(fit, treshold = -3), "`treshold`")
  refused(gmm_anomaly(fit, truth = TRUE), "272 rows judged, not 1")
  refused(gmm_anomaly(fit, truth = rep(2, 272)), "`truth`")
  refused(gmm_anomaly(fit, truth = rep("odd", 272)), "factor(truth")
  refused(gmm_anomaly(fit, truth = factor(rep(1:3, length.out = 272))), "two levels")
  refused(gmm_anomaly(x), "object of class gmm")
  expect_gm_error(gmm_anomaly(fit, x[, 1, drop = FALSE]), "dimension", call = "gmm_anomaly")
  built <- gmm_params(c(0.5, 0.5), rbind(c(a = 0, b = 0), c(4, 4)), diag(2))
  lacking <- function(code, ...) expect_gm_error(code, "data", ..., call = "gmm_anomaly")
  lacking(gmm_anomaly(built, cbind(a = 1, b = 2)), "`false_alarm`")
  lacking(gmm_anomaly(built, threshold = -3), "`newdata`")
  two <- gmm_anomaly(built, cbind(a = c(0, 9), b = 0), threshold = -9)
  expect_identical(two$flag, c(FALSE, TRUE))
  expect_error(draw(odd, what = "curve"), class = "gaussmix_error_data")
  light <- gmm(x, 1, control = gmm_control(keep = FALSE))
  expect_error(draw(gmm_anomaly(light)), class = "gaussmix_error_data")
  expect_silent(draw(gmm_anomaly(light), what = "scores"))
  expect_error(draw(odd, dims = 5), class = "gaussmix_error_argument")
  expect_error(draw(odd, what = "scores", colour = 2), class = "gaussmix_error_argument")
})

test_that("pictures are drawn in one, two and more dimensions, of new rows, with truth", {
  expect_identical(draw(odd), odd)
  line <- with_test_seed(1, gmm(faithful$waiting, 2))
  flowers <- with_test_seed(1, gmm(iris[1:4], 3))
  known <- gmm_anomaly(flowers, iris[1:4], rate = 0.1, truth = iris$Species == "virginica")
  expect_silent(draw(gmm_anomaly(line)))
  expect_silent(draw(gmm_anomaly(line, c(30, 60, 200), truth = c(1, 0, 1))))
  expect_silent(draw(known))
  expect_silent(draw(known, dims = 3:4, main = "a", sub = "b", xlab = "c", col = 1:3))
  expect_silent(draw(known, dims = 1))
  expect_silent(draw(known, what = "scores", main = "a", xlim = c(0.01, 1)))
  expect_silent(draw(known, what = "curve", main = "a", xlim = c(0.1, 1)))
  expect_silent(draw(gmm_anomaly(fit, rate = 0)))
  expect_silent(draw(gmm_anomaly(fit, truth = logical(272)), what = "curve"))
  expect_silent(draw(gmm_anomaly(fit, truth = !logical(272)), what = "curve"))
  expect_silent(draw(odd, max_rows = 0))
})

test_that("marks are the rows flagged and the true anomalies, thinned in the order of the scores", {
  known <- gmm_anomaly(fit, truth = seq_len(272) <= 3)
  marks <- anomaly_marks(known, 10000)
  expect_equal(marks$stars, x[which(odd$flag)[order(odd$score[odd$flag])], ], ignore_attr = TRUE)
  by_score <- order(odd$score[1:3])
  expect_equal(marks$rings, x[1:3, ][by_score, ], ignore_attr = TRUE)
  few <- anomaly_marks(gmm_anomaly(fit, rate = 0.5), 100)
  expect_identical(nrow(few$stars), 20L)
  expect_identical(few$n[["stars"]], 136L)
  expect_identical(nrow(anomaly_marks(odd, 100)$rings), 0L)
  # a panel of one variable; no rows have no places
  expect_identical(mark_places(x[1:2, ], 1, c(0, 5, 0, 2)), cbind(x[1:2, 1], 0.08))
  expect_identical(dim(mark_places(x[0, ], 1, c(0, 5, 0, 2))), c(0L, 2L))
  # the ends of the order stay
  expect_equal(few$stars[1, ], x[which.min(odd$score), ])

  curve <- score_curve(known, 10000)
  expect_identical(curve$score, unname(sort(odd$score)))
  expect_equal(curve$share, seq_len(272) / 272)
  expect_identical(sum(curve$flag), 10L)
  expect_identical(sum(curve$truth), 3L)
  thin <- score_curve(known, 50)
  expect_identical(sum(thin$flag), 10L)
  expect_lte(nrow(thin), 60)
})

test_that("one row, none and rows without values are drawn, or refused for what they are", {
  line <- with_test_seed(1, gmm(~ waiting, faithful, 2))
  for (rows in list(50, c(50, 50), rep(50, 8), numeric(), c(NA, NA_real_))) {
    new <- data.frame(waiting = rows)
    expect_silent(draw(gmm_anomaly(line, new)))
  }
  expect_silent(draw(gmm_anomaly(fit, x[1, , drop = FALSE])))
  expect_silent(draw(gmm_anomaly(fit, x[0, , drop = FALSE])))
  none <- gmm_anomaly(line, data.frame(waiting = NA_real_))
  expect_error(draw(none, what = "scores"), class = "gaussmix_error_data")
})

test_that("of unknown truth nothing is known, and no curve is drawn", {
  unknown <- gmm_anomaly(fit, truth = rep(NA, 272))
  expect_identical(unknown$performance[["average_precision"]], NA_real_)
  expect_true(all(is.na(unknown$performance)))
  expect_error(draw(unknown, what = "curve"), "known truth", class = "gaussmix_error_data")
  clean <- gmm_anomaly(fit, truth = rep(FALSE, 272))
  expect_identical(clean$performance[["average_precision"]], NA_real_)
})

test_that("the area below the steps of precision by recall is the average precision", {
  set.seed(1)
  known <- gmm_anomaly(fit, truth = runif(272) < 0.1)
  steps <- recall_steps(known$curve)
  expect_equal(sum(diff(steps$recall) * steps$precision[-1]),
               known$performance[["average_precision"]])
  expect_identical(steps$recall[c(1, nrow(steps))], c(0, 1))
  expect_false(anyNA(steps))
})

test_that("a picture of anomalies takes the layers of the mixture's picture", {
  expect_silent(draw(odd, boundaries = TRUE, ellipses = 0.9, contours = NULL, legend = FALSE))
  expect_silent(draw(odd, what = "scores", legend = FALSE))
  flowers <- with_test_seed(1, gmm(iris[1:4], 3))
  known <- gmm_anomaly(flowers, truth = iris$Species == "virginica")
  expect_silent(draw(known, what = "curve", legend = FALSE))
  expect_silent(draw(known, legend = FALSE, pch = 1:3))
  expect_error(draw(odd, legend = 2), "`legend`", class = "gaussmix_error_argument")
})

test_that("a fit over a source says that the scores of its rows are elsewhere", {
  fit <- gmm(gmm_source(list(as.matrix(faithful))), 2)
  expect_error(gmm_anomaly(fit, faithful), "rows that were fitted; they are in",
               class = "gaussmix_error_data")
  expect_error(gmm_anomaly(fit, gmm_source(list(as.matrix(faithful)))), "newdata",
               class = "gaussmix_error")
  expect_s3_class(gmm_anomaly(fit, faithful, threshold = -6), "gmm_anomaly")
})
