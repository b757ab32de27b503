columns <- function(n = 6) {
  cbind(a = c(3.1, 0.2, 5.5, 2.7, 9.9, 4.4), b = c(10, 30, 20, 25, 15, 5))[seq_len(n), ]
}

# ---- what comes in ---------------------------------------------------------------------

test_that("vector, matrix, data frame and formula give the same matrix", {
  x <- as.matrix(faithful)
  rownames(x) <- NULL
  plain <- function(data) unname(data$x)
  expected <- unname(x)
  expect_identical(plain(as_gmm_data(x)), expected)
  expect_identical(plain(as_gmm_data(faithful)), expected)
  expect_identical(plain(as_gmm_data(~ eruptions + waiting, faithful)), expected)
  expect_identical(plain(as_gmm_data(~., faithful)), expected)
  expect_identical(plain(as_gmm_data(~ . - 1, faithful)), expected)
  for (one in list(faithful$waiting, x[, 2, drop = FALSE], faithful["waiting"])) {
    expect_identical(plain(as_gmm_data(one)), expected[, 2, drop = FALSE])
  }
  expect_identical(plain(as_gmm_data(~waiting, faithful)), expected[, 2, drop = FALSE])
})

test_that("tibbles and data.tables are data frames", {
  skip_if_not_installed("tibble")
  skip_if_not_installed("data.table")
  for (data in list(tibble::as_tibble(faithful), data.table::as.data.table(faithful))) {
    expect_identical(as_gmm_data(data)$x, as_gmm_data(faithful)$x)
    expect_identical(as_gmm_data(~waiting, data)$x, as_gmm_data(~waiting, faithful)$x)
  }
})

test_that("integer, logical, time series and I() are numbers; ALTREP too", {
  x <- cbind(a = c(1, 0, 1, 0), b = c(1, 2, 3, 4))
  integers <- x
  storage.mode(integers) <- "integer"
  expect_identical(as_gmm_data(integers)$x, x)
  expect_identical(as_gmm_data(x == 1)$x[, 2], c(1, 0, 0, 0))
  expect_identical(as_gmm_data(data.frame(a = x[, 1] == 1, b = 1:4))$x[, "a"],
                   c("1" = 1, "2" = 0, "3" = 1, "4" = 0))
  expect_identical(as_gmm_data(~ a + b, data.frame(a = x[, 1] == 1, b = 1:4))$x,
                   as_gmm_data(as.data.frame(x))$x)
  expect_identical(as_gmm_data(ts(c(1, 5, 2)))$x, cbind(V1 = c(1, 5, 2)))
  expect_identical(as_gmm_data(ts(x))$x, x)
  expect_identical(as_gmm_data(I(x))$x, x)
  expect_identical(as_gmm_data(1:5)$x, cbind(V1 = c(1, 2, 3, 4, 5)))
})

test_that("matrix columns are several columns, by name", {
  frame <- data.frame(a = c(1, 2, 4), m = I(cbind(u = c(3, 1, 2), v = c(7, 9, 8))))
  expect_identical(unname(as_gmm_data(frame)$x), cbind(c(1, 2, 4), c(3, 1, 2), c(7, 9, 8)))
  expect_identical(colnames(as_gmm_data(frame)$x), c("a", "m.u", "m.v"))
  frame$m <- I(matrix(c(3, 1, 2, 7, 9, 8), 3))
  expect_identical(colnames(as_gmm_data(frame)$x), c("a", "m.1", "m.2"))
  expect_identical(colnames(as_gmm_data(~ scale(a), frame)$x), "scale(a)")
})

test_that("names of columns are kept, lacking ones made, and the blueprint tells", {
  x <- columns()
  expect_true(as_gmm_data(x)$blueprint$named)
  expect_false(as_gmm_data(unname(x))$blueprint$named)
  expect_identical(colnames(as_gmm_data(unname(x))$x), c("V1", "V2"))
  colnames(x) <- c("", NA)
  expect_identical(colnames(as_gmm_data(x)$x), c("V1", "V2"))
  colnames(x) <- c("V2", "")
  expect_identical(as_gmm_data(x)$blueprint$names, c("V2", "V2.1"))
  odd <- c("a \"quoted\"\nname", "\u00fcber")
  colnames(x) <- odd
  expect_identical(as_gmm_data(x)$blueprint$names, odd)
  expect_identical(as_gmm_data(as.data.frame(x))$blueprint$names, odd)
  kinds <- c(
    as_gmm_data(1:3)$blueprint$kind, as_gmm_data(x)$blueprint$kind,
    as_gmm_data(faithful)$blueprint$kind, as_gmm_data(~., faithful)$blueprint$kind
  )
  expect_identical(kinds, c("vector", "matrix", "data.frame", "formula"))
})

test_that("names of rows are kept", {
  expect_identical(rownames(as_gmm_data(mtcars)$x), rownames(mtcars))
  expect_identical(rownames(as_gmm_data(~ mpg + wt, mtcars)$x), rownames(mtcars))
  expect_identical(rownames(as_gmm_data(c(u = 1, v = 2, w = 4))$x), c("u", "v", "w"))
  expect_identical(rownames(as_gmm_data(faithful[c(9, 4, 7), ])$x), c("9", "4", "7"))
  expect_null(rownames(as_gmm_data(columns())$x))
})

test_that("a double matrix is not copied, and data are never changed", {
  x <- matrix(rnorm(1e6), ncol = 10)
  before <- x[c(1, 5e5, 1e6)]
  invisible(gc())
  used <- sum(gc()[, 2])
  data <- as_gmm_data(x)
  expect_lt(sum(gc()[, 2]) - used, 4) # MB; x has 8
  expect_identical(x[c(1, 5e5, 1e6)], before)
  expect_null(colnames(x))
  named <- columns()
  expect_identical(as_gmm_data(named)$x, named)
})

# ---- what is refused -------------------------------------------------------------------

test_that("columns that are not numbers are refused by name", {
  bad <- list(
    factor = factor(1:3), text = letters[1:3], date = Sys.Date() + 0:2, time = Sys.time() + 0:2,
    difftime = as.difftime(1:3, units = "mins"), complex = 1:3 + 0i, raw = as.raw(1:3),
    integer64 = structure(c(1, 2, 3), class = "integer64"), list = I(list(1, 2, 3)),
    frame = I(data.frame(u = 1:3)), ordered = ordered(1:3), array = I(array(1, c(3, 2, 2)))
  )
  for (kind in names(bad)) {
    frame <- data.frame(good = c(1, 3, 2))
    frame[["the bad one"]] <- bad[[kind]]
    expect_gm_error(as_gmm_data(frame), "type", c("`the bad one`", "must be numeric"))
    if (kind != "frame") expect_gm_error(as_gmm_data(~., frame), "type", "`the bad one`")
    if (kind %in% c("array", "frame")) next
    expect_gm_error(as_gmm_data(bad[[kind]]), "type", "`x` must be")
  }
  expect_gm_error(as_gmm_data(iris), "type", "`Species` is a factor")
  expect_gm_error(as_gmm_data(~ Sepal.Width + Species, iris), "type", "`Species` is a factor")
  expect_identical(ncol(as_gmm_data(~ . - Species, iris)$x), 4L)
})

test_that("objects that are no data are refused", {
  vector <- methods::setClass("gaussmix_test_vector", contains = "numeric",
                              where = environment())
  for (bad in list(NULL, "a", list(1, 2), mean, quote(a), new.env(), matrix("a", 2, 2),
                   matrix(list(1, 2), 2), vector(c(1, 2, 3)), table(c(1, 1, 2)),
                   structure(c(1, 2), class = "units"))) {
    expect_gm_error(as_gmm_data(bad), "type", "`x` must be a numeric vector, matrix or data frame")
  }
  expect_gm_error(as_gmm_data(array(1:8, c(2, 2, 2))), "dimension", "2 x 2 x 2")
})

test_that("no rows, no columns and twice the same name are refused", {
  for (none in list(matrix(0, 0, 2), numeric(), data.frame(a = numeric()))) {
    expect_gm_error(as_gmm_data(none), "dimension", "no rows")
  }
  for (none in list(matrix(0, 2, 0), data.frame(), data.frame(a = 1:3)[, 0])) {
    expect_gm_error(as_gmm_data(none), "dimension", "no columns")
  }
  expect_gm_error(as_gmm_data(~1, faithful), "dimension", "no columns")
  twice <- columns()
  colnames(twice) <- c("same", "same")
  expect_gm_error(as_gmm_data(twice), "names", "`same` twice")
  frame <- as.data.frame(twice)
  names(frame) <- colnames(twice)
  expect_gm_error(as_gmm_data(frame), "names", "`same` twice")
})

test_that("a data frame whose columns differ in length is refused", {
  frame <- data.frame(a = 1:3, b = 4:6)
  attr(frame, "row.names") <- 1:4
  expect_gm_error(as_gmm_data(frame), "object", "damaged")
})

# ---- missing and infinite values -------------------------------------------------------

test_that("missing values are an error that says where and what to do", {
  x <- columns()
  x[2, "a"] <- NA
  x[5, "b"] <- NaN
  for (data in list(x, as.data.frame(x))) {
    e <- expect_gm_error(as_gmm_data(data), "missing", c(
      "2 missing values (1 of them NaN)", "rows 2, 5", "columns `a`, `b`", "na.omit", "na.exclude"
    ))
    expect_identical(e$count, 2L)
    expect_identical(e$rows, c(2L, 5L))
    expect_identical(e$columns, c("a", "b"))
  }
  expect_gm_error(as_gmm_data(~ a + b, as.data.frame(x)), "missing", "rows 2, 5")
  x[2, "a"] <- NaN
  expect_gm_error(as_gmm_data(x), "missing", "2 NaN values")
  expect_identical(as_gmm_data(x, na.action = na.pass)$x, x)
})

test_that("the option na.action changes nothing", {
  old <- options(na.action = "na.omit")
  on.exit(options(old))
  expect_gm_error(as_gmm_data(airquality["Ozone"]), "missing", "37 missing values")
  expect_gm_error(as_gmm_data(~Ozone, airquality), "missing", "37 missing values")
})

test_that("na.omit and na.exclude drop rows and record them as lm() does", {
  for (action in list(na.omit, na.exclude)) {
    lm <- lm(Ozone ~ Solar.R, airquality, na.action = action)
    formula <- as_gmm_data(~ Ozone + Solar.R, airquality, na.action = action)
    frame <- as_gmm_data(airquality[1:2], na.action = action)
    expect_identical(formula$na.action, na.action(lm))
    expect_identical(frame$na.action, na.action(lm))
    expect_identical(rownames(frame$x), names(residuals(lm))[!is.na(residuals(lm))])
    expect_identical(unname(frame$x), unname(as.matrix(model.frame(lm))) + 0)
    expect_identical(frame$rows, unname(which(complete.cases(airquality[1:2]))))
    expect_identical(frame$given, 153L)
  }
  by_name <- as_gmm_data(airquality[1:2], na.action = "na.omit")
  expect_identical(by_name, as_gmm_data(airquality[1:2], na.action = na.omit))
  matrix <- as_gmm_data(as.matrix(airquality[1:2]), na.action = na.omit)
  expect_identical(unname(matrix$x), unname(by_name$x))
  expect_null(as_gmm_data(faithful, na.action = na.omit)$na.action)
})

test_that("weights are dropped with their rows", {
  x <- columns()
  x[c(2, 4), 1] <- NA
  data <- as_gmm_data(x, weights = 1:6, na.action = na.exclude)
  expect_identical(data$weights, c(1, 3, 5, 6))
  expect_gm_error(as_gmm_data(x, weights = c(0, 1, 0, 1, 0, 0), na.action = na.omit), "weights",
                  "all 0")
})

test_that("only R's four ways with missing values are known", {
  for (bad in list(mean, "omit", NULL, NA, function(x) x, c("na.omit", "na.fail"))) {
    expect_gm_error(as_gmm_data(columns(), na.action = bad), "argument", "`na.action` must be")
  }
})

test_that("nothing is left where each row has a missing value", {
  expect_gm_error(as_gmm_data(cbind(c(NA, 1), c(1, NA)), na.action = na.omit), "missing", "no row")
})

test_that("infinite values are an error, never missing", {
  x <- columns()
  x[3, "b"] <- -Inf
  for (action in list(na.fail, na.omit, na.exclude, na.pass)) {
    expect_gm_error(as_gmm_data(x, na.action = action), "nonfinite",
                    c("not -Inf", "row 3", "column `b`"))
  }
  x[1, "a"] <- Inf
  expect_gm_error(as_gmm_data(x), "nonfinite", c("row 1", "column `a`", "2 such values"))
  x[2, "a"] <- NA
  expect_gm_error(as_gmm_data(x, na.action = na.omit), "nonfinite", "row 1")
  expect_gm_error(as_gmm_data(x), "missing", "row 2")
  expect_gm_error(as_gmm_data(~ log(a), data.frame(a = 0:3)), "nonfinite", "`log(a)`")
  # the sum of finite numbers may be infinite
  expect_gm_error(as_gmm_data(c(1.5e308, 1.6e308, 1)), "scale")
})

# ---- scale -----------------------------------------------------------------------------

test_that("columns without variation are refused by name", {
  expect_gm_error(as_gmm_data(cbind(a = 1:3, b = 7)), "degenerate", "Column `b`")
  expect_gm_error(as_gmm_data(cbind(a = 1:3, b = 7, c = 8)), "degenerate", "Columns `b`, `c`")
  expect_gm_error(as_gmm_data(matrix(2.5, 4, 2)), "degenerate", "All 4 rows")
  expect_gm_error(as_gmm_data(cbind(1, 2)), "degenerate", c("only 1 row", "at least 2", "3"))
  expect_gm_error(as_gmm_data(5), "degenerate", "only 1 row")
  # rows of weight 0 are no rows
  x <- cbind(a = c(1, 2, 3), b = c(4, 4, 5))
  expect_gm_error(as_gmm_data(x, weights = c(1, 1, 0)), "degenerate", "Column `b`")
  expect_gm_error(as_gmm_data(x, weights = c(1, 0, 0)), "degenerate", "only 1 row of positive")
  expect_identical(as_gmm_data(x, weights = c(1, 0, 1))$weights, c(1, 0, 1))
  # a tiny variation far out is one
  expect_identical(ncol(as_gmm_data(1e8 + c(0, 1e-8, 3e-8, 2e-8))$x), 1L)
})

test_that("numbers whose squares leave the range are refused by name", {
  good <- c(1, 3, 2, 5, 4)
  for (factor in c(1e151, 1e300)) {
    expect_gm_error(as_gmm_data(cbind(a = good, b = good * factor)), "scale", c("`b`", "Rescale"))
  }
  for (factor in c(1e-151, 1e-310)) {
    expect_gm_error(as_gmm_data(cbind(a = good, b = good * factor)), "scale", c("`b`", "Rescale"))
  }
  expect_gm_error(as_gmm_data(c(good * 1e-20, 1e125)), "scale", "spreads")
  expect_identical(dim(as_gmm_data(cbind(good * 1e-140, good * 1e140))$x), c(5L, 2L))
  expect_identical(nrow(as_gmm_data(c(good, 1e6))$x), 6L)
})

test_that("a column's scale is its interquartile range, by the inverse distribution function", {
  x <- with(faithful, cbind(a = eruptions, b = waiting))
  iqr <- apply(x, 2, function(v) diff(quantile(v, c(.25, .75), type = 1, names = FALSE)))
  expect_identical(column_scale(x), iqr / 1.349)
  for (n in 2:9) {
    v <- cbind(seq_len(n)^2)
    expect_identical(column_scale(v), diff(quantile(v, c(.25, .75), type = 1, names = FALSE)) /
                       1.349)
  }
})

test_that("it is the standard deviation where the quartiles are equal", {
  v <- c(rep(3, 8), 1, 9)
  expect_equal(column_scale(cbind(v)), c(v = sqrt(mean((v - mean(v))^2))), tolerance = 1e-15)
  w <- c(rep(2, 8), 1, 3)
  m <- sum(w * v) / sum(w)
  expect_equal(column_scale(cbind(v), w), c(v = sqrt(sum(w * (v - m)^2) / sum(w))),
               tolerance = 1e-15)
  # far from the origin as well
  expect_equal(column_scale(cbind(v + 1e9), w), unname(column_scale(cbind(v), w)),
               tolerance = 1e-15, ignore_attr = TRUE)
})

test_that("weight 2 is the row twice, weight 0 is no row, and a constant changes nothing", {
  x <- as.matrix(faithful)[1:97, ]
  w <- rep(c(1, 2, 3, 0, 1), length.out = 97)
  twice <- x[rep(seq_len(97), w), ]
  scale <- column_scale(twice)
  expect_identical(column_scale(x, w), scale)
  for (c in c(.1, 1 / 3, 1e-290, 1e290)) expect_identical(column_scale(x, c * w), scale)
  set.seed(1)
  shuffle <- sample(97)
  expect_identical(column_scale(x[shuffle, ], w[shuffle]), scale)
  expect_identical(column_scale(x, rep(.1, 97)), column_scale(x))
})

# ---- weights ---------------------------------------------------------------------------

test_that("weights are checked", {
  x <- columns()
  expect_null(as_gmm_data(x)$weights)
  expect_identical(as_gmm_data(x, weights = 1:6)$weights, as.double(1:6))
  for (bad in list(1, 1:5, letters[1:6], rep(TRUE, 6), list(1, 1, 1, 1, 1, 1), factor(1:6), mean,
                   structure(as.double(1:6), class = "integer64"))) {
    expect_gm_error(as_gmm_data(x, weights = bad), "weights", "numeric vector of length 6")
  }
  expect_gm_error(as_gmm_data(x, weights = c(1, -2, 1, 1, 1, 1)), "weights", "not -2 in row 2")
  expect_gm_error(as_gmm_data(x, weights = c(1, 1, NA, 1, 1, 1)), "weights", "not NA in row 3")
  expect_gm_error(as_gmm_data(x, weights = c(1, 1, 1, Inf, 1, 1)), "weights", "not Inf in row 4")
  expect_gm_error(as_gmm_data(x, weights = rep(0, 6)), "weights", "must not be all 0")
  expect_gm_error(as_gmm_data(x, weights = rep(1e301, 6)), "weights", "1e-300 to 1e300")
  expect_gm_error(as_gmm_data(x, weights = rep(1e-301, 6)), "weights", "1e-300 to 1e300")
  for (c in c(1e-300, 1e300)) {
    expect_identical(as_gmm_data(x, weights = rep(c, 6))$scale, as_gmm_data(x)$scale)
  }
})

# ---- formulas --------------------------------------------------------------------------

test_that("terms are what model.frame() makes of them", {
  lm <- lm(eruptions ~ log(waiting) + I(waiting / 60) + poly(waiting, 2), faithful)
  data <- as_gmm_data(~ log(waiting) + I(waiting / 60) + poly(waiting, 2), faithful)
  expect_identical(unname(data$x), unname(model.matrix(lm)[, -1]), ignore_attr = TRUE)
  expect_identical(colnames(data$x), c("log(waiting)", "I(waiting/60)", "poly(waiting, 2).1",
                                       "poly(waiting, 2).2"))
  expect_s3_class(data$terms, "terms")
  odd <- stats::setNames(faithful, c("a b", "c"))
  expect_identical(colnames(as_gmm_data(~ `a b` + c, odd)$x), c("a b", "c"))
})

test_that("variables come from data, then from the formula's environment", {
  waiting <- "not this one"
  outside <- rev(faithful$waiting)
  data <- as_gmm_data(~ waiting + outside, faithful)
  expect_identical(unname(data$x), cbind(faithful$waiting, outside, deparse.level = 0))
  make <- function() {
    u <- c(1, 5, 2)
    v <- c(3, 1, 9)
    ~ u + v
  }
  expect_identical(unname(as_gmm_data(make())$x), cbind(c(1, 5, 2), c(3, 1, 9)))
  expect_identical(as_gmm_data(make(), data = NULL)$x, as_gmm_data(make())$x)
  expect_identical(unname(as_gmm_data(~ u, list(u = c(1, 5, 2)))$x), cbind(c(1, 5, 2)))
  expect_identical(unname(as_gmm_data(~ u, list2env(list(u = c(1, 5, 2))))$x), cbind(c(1, 5, 2)))
  lost <- make()
  environment(lost) <- NULL
  env <- list2env(list(u = c(1, 5, 2), v = c(3, 1, 9)))
  expect_identical(unname(as_gmm_data(lost, env = env)$x), cbind(c(1, 5, 2), c(3, 1, 9)))
})

test_that("weights and subset are evaluated as in lm()", {
  frame <- cbind(faithful, w = seq_len(272) / 10)
  cut <- 60
  lm <- lm(eruptions ~ waiting, frame, weights = w^2, subset = waiting > cut)
  data <- as_gmm_data(~ eruptions + waiting, frame, weights = quote(w^2),
                      subset = quote(waiting > cut))
  expect_identical(data$weights, unname(weights(lm)))
  expect_identical(unname(data$x), unname(as.matrix(model.frame(lm)[1:2])))
  expect_identical(rownames(data$x), names(fitted(lm)))
  expect_identical(data$rows, which(frame$waiting > cut))
  for (subset in list(-(1:262), 263:272, seq_len(272) > 262, as.character(263:272))) {
    expect_identical(unname(as_gmm_data(~waiting, frame, subset = subset)$x),
                     cbind(frame$waiting[263:272]))
  }
  both <- as_gmm_data(~Ozone, airquality, subset = quote(Month == 5), na.action = na.omit)
  expect_identical(both$rows, with(airquality, which(Month == 5 & !is.na(Ozone))))
  expect_identical(rownames(both$x), as.character(both$rows))
  expect_identical(both$given, 153L)
})

test_that("bad weights and subsets of a formula are refused", {
  f <- function(...) as_gmm_data(~waiting, faithful, ...)
  expect_gm_error(f(weights = quote(nowhere)), "weights", "nowhere")
  expect_gm_error(f(weights = 1:3), "weights", "length 272")
  expect_gm_error(f(subset = quote(nowhere)), "argument", "nowhere")
  expect_gm_error(f(subset = c(NA, rep(TRUE, 271))), "argument", "which()")
  expect_gm_error(f(subset = c(TRUE, FALSE)), "argument", "`subset` must be")
  for (bad in list(1.5, 273, c(-1, 2), "nowhere", list(1), mean)) {
    expect_gm_error(f(subset = bad), "argument", "`subset` must be")
  }
  expect_gm_error(f(subset = quote(waiting > 1e3)), "dimension", "no rows")
})

test_that("formulas that make no columns are refused", {
  expect_gm_error(as_gmm_data(eruptions ~ 1, faithful), "dimension", "right side")
  expect_gm_error(as_gmm_data(~nowhere, faithful), "formula", "`nowhere` is neither a column")
  expect_gm_error(as_gmm_data(~wating, faithful), "formula", "Did you mean `waiting`?")
  expect_gm_error(as_gmm_data(~.), "formula", "data")
  expect_gm_error(as_gmm_data(~ eruptions:waiting, faithful), "formula", "I(a * b)")
  expect_gm_error(as_gmm_data(~ eruptions * waiting, faithful), "formula", "interactions")
  expect_gm_error(as_gmm_data(~ waiting + offset(eruptions), faithful), "formula", "offset()")
  short <- 1:3
  expect_gm_error(as_gmm_data(~ waiting + short, faithful), "formula", "short")
  expect_gm_error(as_gmm_data(~waiting, as.matrix(faithful)), "type", "`data` must be a data frame")
  expect_gm_error(as_gmm_data(~waiting, mean), "type", "`data` must be a data frame")
})

test_that("a long formula works", {
  wide <- as.data.frame(matrix(seq_len(900)^2 %% 101, 3))
  formula <- stats::reformulate(names(wide))
  environment(formula) <- globalenv()
  expect_identical(as_gmm_data(formula, wide)$x, as_gmm_data(wide)$x)
})

# ---- new data --------------------------------------------------------------------------

test_that("columns of new data are matched by name", {
  x <- columns()
  frame <- as.data.frame(x)
  fits <- list(as_gmm_data(x), as_gmm_data(frame), as_gmm_data(~ a + b, frame))
  for (fit in fits) {
    for (given in list(x, frame, x[, 2:1], frame[2:1], cbind(z = letters[1:6], frame))) {
      expect_identical(unname(new_data(fit, given)$x), unname(x))
    }
    expect_gm_error(new_data(fit, frame["a"]), "names", c("lacks `b`", "It has `a`"))
    renamed <- stats::setNames(frame, c("a", "B"))
    expect_gm_error(new_data(fit, renamed), "names", c("lacks `b`", "`B`"))
    expect_gm_error(new_data(fit, as.matrix(renamed)), "names", c("lacks `b`", "`B`"))
    expect_gm_error(new_data(fit, cbind(x, z = 1)), "dimension",
                    c("2 columns", "not 3", "Leave out `z`"))
    expect_gm_error(new_data(fit, x[, "a", drop = FALSE]), "dimension", c("2 columns", "not 1"))
    twice <- stats::setNames(cbind(frame, 1), c("a", "b", "a"))
    expect_gm_error(new_data(fit, twice), "names", "`a` twice")
  }
})

test_that("columns without names are taken by position, and that is said once", {
  x <- columns()
  for (fit in list(as_gmm_data(x), as_gmm_data(~ a + b, as.data.frame(x)))) {
    said <- character()
    out <- withCallingHandlers(new_data(fit, unname(x)), gaussmix_message = function(m) {
      said <<- c(said, conditionMessage(m))
      invokeRestart("muffleMessage")
    })
    expect_identical(out$x, x)
    expect_length(said, 1)
    expect_match(said, "`a`, `b`", fixed = TRUE)
  }
  unnamed <- as_gmm_data(unname(x))
  expect_silent(out <- new_data(unnamed, x[, 2:1]))
  expect_identical(unname(out$x), unname(x[, 2:1]))
  expect_gm_error(new_data(unnamed, cbind(x, 1)), "dimension", c("2 columns", "not 3"))
})

test_that("a vector is a column, never a row", {
  one <- as_gmm_data(~a, as.data.frame(columns()))
  for (fit in list(one, as_gmm_data(columns()[, 1]), as_gmm_data(columns()[, 1, drop = FALSE]))) {
    expect_silent(out <- new_data(fit, c(u = 4, v = 5)))
    expect_identical(unname(out$x), cbind(c(4, 5)))
    expect_identical(rownames(out$x), c("u", "v"))
    expect_identical(dim(new_data(fit, numeric())$x), c(0L, 1L))
  }
  two <- as_gmm_data(columns())
  expect_gm_error(new_data(two, c(4, 5)), "dimension", "matrix(newdata, 1)")
  expect_gm_error(new_data(two, c(a = 4, b = 5)), "dimension", "t(newdata)")
  expect_identical(unname(new_data(two, t(c(b = 5, a = 4)))$x), cbind(4, 5))
  expect_gm_error(new_data(two, c(4, 5), arg = "x"), "dimension", c("`x` must be", "matrix(x, 1)"))
})

test_that("new data may have no rows, one row, integers", {
  x <- columns()
  fit <- as_gmm_data(x)
  transformed <- as_gmm_data(~ poly(a, 2) + log(b), as.data.frame(x))
  for (none in list(x[0, ], as.data.frame(x)[0, ])) {
    out <- new_data(fit, none)
    expect_identical(dim(out$x), c(0L, 2L))
    expect_identical(colnames(out$x), c("a", "b"))
    expect_null(out$na.action)
    expect_identical(dim(new_data(transformed, none)$x), c(0L, 3L))
  }
  expect_identical(unname(new_data(fit, data.frame(b = 1L, a = TRUE))$x), cbind(1, 1))
})

test_that("transformations are those of the fit", {
  frame <- as.data.frame(columns())
  unit <- 60
  fit <- as_gmm_data(~ poly(a, 2) + log(b) + I(b / unit), frame)
  expect_setequal(fit$blueprint$variables, c("a", "b"))
  expect_equal(new_data(fit, frame[4:6, ])$x, fit$x[4:6, ], tolerance = 1e-14)
  expect_equal(unname(new_data(fit, columns()[4:6, 2:1])$x), unname(fit$x[4:6, ]),
               tolerance = 1e-14)
  expect_gm_error(new_data(fit, frame["a"]), "names", "lacks `b`")
  expect_gm_error(new_data(fit, unname(columns())), "type", "data frame with the columns `a`, `b`")
  expect_gm_error(new_data(fit, 1:3), "type", "data frame with the columns `a`, `b`")
})

test_that("a variable that new data lack is not found elsewhere", {
  a <- c(1, 5, 2, 4)
  fit <- as_gmm_data(~ a)
  expect_gm_error(new_data(fit, data.frame(z = 1:4)), "names", "lacks `a`")
})

test_that("new data of other kinds are refused", {
  x <- columns()
  bad <- data.frame(a = factor(1:2), b = 1:2)
  for (fit in list(as_gmm_data(x), as_gmm_data(unname(x)), as_gmm_data(~ a + b, as.data.frame(x)),
                   as_gmm_data(~ log(a) + b, as.data.frame(x)))) {
    expect_gm_error(new_data(fit, bad), "type", "`a` is a factor")
    for (other in list(NULL, "a", list(1), mean, as.raw(1))) {
      expect_gm_error(new_data(fit, other), "type", "`newdata` must be")
    }
  }
})

test_that("missing values of new data are kept, dropped or refused as asked", {
  x <- columns()
  fit <- as_gmm_data(x)
  x[2, "a"] <- NA
  x[5, "b"] <- NaN
  x[6, "b"] <- Inf
  kept <- new_data(fit, x)
  expect_identical(kept$x, x)
  expect_identical(kept$rows, 1:6)
  expect_null(kept$na.action)
  dropped <- new_data(fit, x, na.omit)
  expect_identical(unname(dropped$x), unname(x[c(1, 3, 4, 6), ]))
  expect_identical(dropped$rows, c(1L, 3L, 4L, 6L))
  expect_identical(dropped$na.action, structure(c("2" = 2L, "5" = 5L), class = "omit"))
  expect_s3_class(new_data(fit, x, "na.exclude")$na.action, "exclude")
  expect_gm_error(new_data(fit, x, na.fail), "missing", c("`newdata`", "rows 2, 5"))
  expect_gm_error(new_data(fit, x, mean), "argument", "`na.action` must be")
})

test_that("messages of the data door read well", {
  x <- columns()
  gaps <- replace(x, c(2, 11), c(NA, NaN))
  fit <- as_gmm_data(x)
  expect_snapshot(show_conditions(
    as_gmm_data(iris), as_gmm_data("a"), as_gmm_data(array(0, c(2, 3, 4))),
    as_gmm_data(Sys.Date()), as_gmm_data(list(1:3, 4:6)), as_gmm_data(x[0, ]),
    as_gmm_data(gaps), as_gmm_data(gaps, na.action = na.pass),
    as_gmm_data(gaps, na.action = sum), as_gmm_data(cbind(x, c = Inf)),
    as_gmm_data(cbind(x, c = 7)), as_gmm_data(x[1, , drop = FALSE]), as_gmm_data(x * 1e200),
    as_gmm_data(x * 1e-200), as_gmm_data(c(x[, 1], 1e149)), as_gmm_data(x, weights = 1:3),
    as_gmm_data(x, weights = c(1, 2, -3, 4, 5, 6)), as_gmm_data(x, weights = rep(1e305, 6)),
    as_gmm_data(eruptions ~ 1, faithful), as_gmm_data(~wating, faithful),
    as_gmm_data(~ eruptions:waiting, faithful), as_gmm_data(~waiting, faithful, subset = NA),
    new_data(fit, faithful), new_data(fit, cbind(x, c = 1)), new_data(fit, c(1, 2)),
    new_data(fit, unname(x))
  ))
})

test_that("values of weights are checked after `subset`, their type and number before", {
  w <- rep(1, 272)
  w[1:2] <- c(NA, -1)
  fit <- with_test_seed(1, gmm(~ waiting, faithful, k = 2, weights = w, subset = -(1:2)))
  expect_equal(nobs(fit), 270)
  expect_gm_error(gmm(~ waiting, faithful, k = 2, weights = w, subset = -1), "weights",
                  "not -1 in row 2")
  expect_gm_error(gmm(~ waiting, faithful, k = 2, weights = w[-1], subset = -1), "weights",
                  "length 272")
  expect_gm_error(gmm(~ waiting, faithful, k = 2, weights = letters, subset = 1:9), "weights")
})

test_that("weights that can't be evaluated, and lacking data, are refused with a way out", {
  expect_gm_error(gmm(faithful, 2, weights = eruption), "weights",
                  c("object 'eruption' not found", "`weights = data$column`"), "gmm")
  expect_gm_error(gmm(faithful$waiting, 2, weights = eruption), "weights", "not found")
  expect_gm_error(gmm(), "argument", "`x`, the data, is lacking", "gmm")
  expect_gm_error(gmm(k = 2), "argument", "a formula and `data`")
  expect_gm_error(gmm(formula = ~ waiting, data = faithful, k = 2), "argument",
                  "gmm(~ a + b, data, k = 2)")
})

test_that("methods of a data frame's class are not asked", {
  registerS3method("names", "broken_frame", function(x) stop("broken"), envir = asNamespace("base"))
  on.exit(rm("names.broken_frame", envir = asNamespace("base")[[".__S3MethodsTable__."]]))
  frame <- structure(faithful, class = c("broken_frame", "data.frame"))
  plain <- with_test_seed(1, gmm(faithful, 2))
  expect_identical(with_test_seed(1, gmm(frame, 2))$means, plain$means)
  expect_identical(predict(plain, frame), predict(plain, faithful))
  by_formula <- with_test_seed(1, gmm(~ log(waiting), frame, k = 2))
  expect_identical(predict(by_formula, frame), predict(by_formula, faithful))
})

test_that("columns of one value each, never observed together, are told as such", {
  expect_gm_error(gmm(matrix(c(1, NA, NA, 2), 2), 1, na.action = na.pass), "degenerate",
                  "No column of `x` has two values that differ")
})
