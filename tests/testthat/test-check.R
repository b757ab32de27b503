test_that("whole numbers pass as integers, whatever their storage", {
  expect_identical(check_whole(2, "k"), 2L)
  expect_identical(check_whole(2L, "k"), 2L)
  expect_identical(check_whole(c(a = 3), "k"), 3L)
  expect_identical(check_whole(0, "n", min = 0), 0L)
  expect_identical(check_whole(1e10, "n", max = Inf), 1e10)
})

test_that("nothing else passes for a whole number, and nothing is rounded", {
  for (bad in list(1.5, 0, -1, NA, NA_integer_, NaN, Inf, -Inf, "2", TRUE, NULL, c(2, 3), numeric(),
                   list(2), 1e10, 2 + 1e-9, 1i, factor(2), Sys.Date(), mean,
                   structure(2, class = "integer64"))) {
    expect_gm_error(check_whole(bad, "k"), "argument", "`k` must be a whole number")
  }
})

test_that("numbers respect open and closed ends", {
  expect_identical(check_number(0L, "tol", min = 0), 0)
  expect_identical(check_number(1, "p", 0, 1), 1)
  expect_identical(check_number(Inf, "ratio", min = 1, finite = FALSE), Inf)
  expect_gm_error(check_number(0, "p", 0, 1, "(]"), "argument", "above 0")
  expect_gm_error(check_number(1, "p", 0, 1, "[)"), "argument", "below 1")
  expect_gm_error(check_number(1, "p", 0, 1, "()"), "argument", c("above 0", "below 1"))
  expect_identical(check_number(.5, "p", 0, 1, "()"), .5)
  for (bad in list(-1, NA, NaN, Inf, "1", TRUE, NULL, 1:2, list(1))) {
    expect_gm_error(check_number(bad, "tol", min = 0), "argument", "`tol` must be a number")
  }
})

test_that("flags are TRUE or FALSE", {
  expect_true(check_flag(TRUE, "keep"))
  expect_false(check_flag(FALSE, "keep"))
  for (bad in list(NA, 1, "TRUE", NULL, c(TRUE, FALSE))) {
    expect_gm_error(check_flag(bad, "keep"), "argument", "`keep` must be TRUE or FALSE")
  }
})

test_that("choices are exact, with a hint for typing errors", {
  choices <- c("class", "prob", "density")
  expect_identical(check_choice("prob", choices, "type"), "prob")
  expect_identical(check_choice(choices, choices, "type"), "class")
  expect_gm_error(check_choice("pro", choices, "type"), "argument",
                  c("\"class\", \"prob\", \"density\"", "Did you mean \"prob\"?"))
  expect_gm_error(check_choice("Prob", choices, "type"), "argument", "Did you mean \"prob\"?")
  for (far in c("zzzzzz", "x", "")) {
    e <- expect_gm_error(check_choice(far, choices, "type"), "argument")
    expect_false(grepl("Did you mean", conditionMessage(e)))
  }
  for (bad in list(NA_character_, NULL, 1, c("class", "prob"), character())) {
    expect_gm_error(check_choice(bad, choices, "type"), "argument", "`type` must be one of")
  }
})

test_that("what `...` can't take is named, and not evaluated", {
  expect_gm_error(gmm_control(n_int = 5), "argument",
                  c("`n_int` is not an argument of gmm_control()", "Did you mean `n_init`?"))
  expect_gm_error(gmm_control(quux = stop("evaluated")), "argument", "`quux`")
  expect_gm_error(gmm_control(20), "argument", c("without a name: 20", "`n_init`"))
  expect_gm_error(do.call(gmm_control, list(faithful)), "argument",
                  "a data frame of 272 rows and 2 columns")
})

test_that("arguments of gmm_control() are sent there, those of other packages translated", {
  outer <- function(x, k, ..., control = NULL) check_dots_empty(...)
  environment(outer) <- asNamespace("gaussmix")
  expect_gm_error(outer(1, max_iter = 5), "argument", "`control = gmm_control(max_iter = )`")
  expect_gm_error(outer(1, reg_covar = 5), "argument", "`control = gmm_control(floor = )`")
  expect_gm_error(outer(1, G = 5), "argument", "Did you mean `k`?")
  expect_gm_error(outer(1, K = 5), "argument", "Did you mean `k`?")
})

test_that("names used elsewhere lead to arguments that exist", {
  expect_true(all(elsewhere %in% c(names(formals(gmm_control)), names(formals(gmm.default)))))
})

test_that("values are described in a few words", {
  said <- list(
    list(NULL, "NULL"), list(2.5, "2.5"), list(NA, "NA"), list("a", "\"a\""), list(TRUE, "TRUE"),
    list(1:3, "an integer vector of length 3"), list(numeric(), "a numeric vector of length 0"),
    list(letters, "a character vector of length 26"), list(list(1, 2), "a list of length 2"),
    list(matrix(0, 2, 3), "a numeric matrix of 2 rows and 3 columns"),
    list(array(0, c(2, 2, 2)), "a numeric array of 2 x 2 x 2"), list(mean, "a function"),
    list(factor(1:3), "a factor of length 3"), list(y ~ x, "a formula"),
    list(faithful, "a data frame of 272 rows and 2 columns"), list(quote(a + b), "an expression"),
    list(Sys.Date(), "an object of class \"Date\""), list(new.env(), "an environment"),
    list(1i, "0+1i"), list(strrep("x", 99), paste0("\"", strrep("x", 36), "..."))
  )
  for (pair in said) expect_identical(describe(pair[[1L]]), pair[[2L]])
})

test_that("lists in messages stop after a few", {
  expect_identical(some(1:3), "1, 2, 3")
  expect_identical(some(1:9), "1, 2, 3, 4, 5 and 4 more")
  expect_identical(some(letters[1:7], Inf), "a, b, c, d, e, f, g")
})

test_that("options of the session change no message", {
  plain <- conditionMessage(expect_error(check_number(-2.5, "tol", min = 0.125)))
  old <- options(OutDec = ",", digits = 2, scipen = -9)
  on.exit(options(old))
  expect_identical(conditionMessage(expect_error(check_number(-2.5, "tol", min = 0.125))), plain)
})

test_that("messages read well", {
  expect_snapshot(show_conditions(
    check_whole(2.5, "k"), check_whole(0, "n", min = 3, max = 7), check_whole("2", "k"),
    check_whole(3e9, "k"), check_number(-1, "tol", min = 0), check_number(2, "p", 0, 1, "()"),
    check_number("a", "tol"), check_flag(NA, "keep"),
    check_choice("ful", c("full", "tied"), "shape"), check_choice(7, c("full", "tied"), "shape"),
    gmm_control(n_int = 5), gmm_control(5), gmm_control(quux = 1)
  ))
})

test_that("what is printed has one decimal mark, that of the session", {
  set.seed(1)
  fit <- gmm(faithful, 2)
  weighted <- gmm(faithful, 2, weights = rep(c(0.5, 1.25), 136))
  choice <- gmm_select(faithful, 1:3, c("full", "tied", "spherical"))
  likelihood <- gmm_likelihood(function(theta) gmm_params(1, theta, 1.5), c(0.3, 1.5),
                               seq(-3.5, 3.5, 0.05))
  line <- gmm(faithful$waiting, 2)
  classifier <- gmm_da(iris[1:4], iris$Species, covariance = "tied",
                       priors = c(0.25, 0.25, 0.5))
  print_all <- function() {
    capture.output({
      print(fit)
      print(summary(weighted))
      print(gmm_anomaly(fit, rate = 0.05))
      print(summary(choice))
      print(likelihood)
      print(summary(likelihood))
      print(gmm_region(line, 60.5, 70.25))
      print(gmm_hdr(line, c(0.5, 0.95)))
      print(classifier)
    })
  }
  plain <- print_all()
  expect_no_match(plain, "[0-9],[0-9]")
  old <- options(OutDec = ",")
  on.exit(options(old))
  comma <- print_all()
  expect_no_match(comma, "[0-9]\\.[0-9]")
  expect_identical(gsub("([0-9]),([0-9])", "\\1.\\2", comma), plain)
  expect_identical(fixed_text(c(0.25, 1e3), 1L), c("0,2", "1000,0"))
})
