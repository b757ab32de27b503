fit <- with_test_seed(1, gmm(faithful, 2))
page_of <- function(x, ...) {
  file <- tempfile(fileext = ".html")
  on.exit(unlink(file))
  expect_identical(gmm_report(x, file, ...), file)
  paste(readLines(file, warn = FALSE), collapse = "\n")
}

test_that("a report is one page that asks no other host for anything", {
  skip_if_not_installed("litedown")
  page <- page_of(fit, title = "Old Faithful")
  expect_no_match(page, "https?://|src=\"(?!data:)|<link|@import", perl = TRUE)
  expect_match(page, "<title>Old Faithful</title>", fixed = TRUE)
  expect_match(page, "data:image/png;base64", fixed = TRUE)
  expect_match(page, format(fit$loglik, digits = 7), fixed = TRUE)
  expect_match(page, "272 rows and 2 variables, described by 2 normal components", fixed = TRUE)
  expect_match(page, "Anomalies: 10 of 272", fixed = TRUE)
  expect_no_match(page, "`{r", fixed = TRUE)
})

test_that("a choice among models reports the choice and the model chosen", {
  skip_if_not_installed("litedown")
  choice <- with_test_seed(1, gmm_select(faithful, 1:3, c("full", "tied")))
  page <- page_of(choice)
  expect_match(page, "Which model", fixed = TRUE)
  expect_match(page, "3 normal components of tied (EEE) covariance", fixed = TRUE)
  expect_no_match(page, "https?://")
})

test_that("nothing that the object stores is evaluated, and the session stays as it was", {
  skip_if_not_installed("litedown")
  fit$call <- quote(stop("evaluated"))
  before <- ls(globalenv(), all.names = TRUE)
  folder <- getwd()
  page <- page_of(fit)
  expect_match(page, "evaluated", fixed = TRUE)
  expect_identical(ls(globalenv(), all.names = TRUE), before)
  expect_identical(getwd(), folder)
})

test_that("what can't be reported is refused", {
  file <- tempfile(fileext = ".html")
  expect_gm_error(gmm_report(fit), "argument", "`file`")
  expect_gm_error(gmm_report(fit, "report.pdf"), "argument", "ends in .html")
  expect_gm_error(gmm_report(fit, file.path(tempfile(), "a.html")), "argument", "does not exist")
  expect_gm_error(gmm_report(gmm_params(1, 0, 1), file), "data")
  expect_gm_error(gmm_report(faithful, file), "argument")
  expect_gm_error(gmm_report(fit, file, tilte = "a"), "argument", "`tilte`")
})
