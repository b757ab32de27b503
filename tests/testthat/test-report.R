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
  expect_gm_error(gmm_report(faithful, file), "argument", c("`x`", "gmm_select()"))
  expect_gm_error(gmm_report(1, file), "argument", c("`x`", "gmm_select()", "not 1"))
  expect_gm_error(gmm_report(file = file), "argument", c("`x`", "must be given"))
  expect_gm_error(gmm_report(gmm_merge(fit), file), "argument", c("`x`", "gmm_report(x$fit)"))
  classes <- gmm_da(iris[1:4], iris$Species, covariance = "tied")
  expect_gm_error(gmm_report(classes, file), "argument", c("`x`", "summary(x)"))
  expect_gm_error(gmm_report(fit, file, tilte = "a"), "argument", "`tilte`")
})

test_that("names from the data are text, whatever is in them", {
  skip_if_not_installed("litedown")
  hostile <- "<img src=http://evil.example/x.png>|*b*"
  rows <- faithful
  rownames(rows)[6] <- hostile
  rownames(rows)[24] <- "</table>\n\n```\n<script>alert(1)</script> `{r} stop()`"
  names(rows) <- c("<script>alert(2)</script>", "a|_b_ [c](http://evil.example) $x$ @d")
  labels <- ifelse(rows[[1]] > 3, "<b onload=alert(3)>", "`long`|*x*")
  fit <- with_test_seed(1, gmm(rows, 2, control = gmm_control(init = factor(labels))))
  fit$call <- quote(gmm(`<script>alert(4)</script>`, "</code>"))
  page <- page_of(fit, title = "</title><script>alert(5)</script> *a* `b`")
  page <- gsub("base64,[^\"]*", "", page) # else a failure shows all of the pictures
  expect_no_match(page, "<img(?! src=\"data:)", perl = TRUE)
  expect_no_match(page, "<script|<b |<em>|<strong>|<a |<[^>]* href", perl = TRUE)
  # a table has as many cells in each row as its head
  tables <- regmatches(page, gregexpr("(?s)<table>.*?</table>", page, perl = TRUE))[[1]]
  expect_length(tables, 2)
  for (table in tables) {
    cells <- lengths(gregexpr("<t[hd]>", regmatches(table, gregexpr("<tr>.*?</tr>", table))[[1]]))
    expect_length(unique(cells), 1)
  }
  # and they are there to be read
  shown <- function(x) expect_match(page, html_text(x), fixed = TRUE)
  shown(hostile)
  shown(names(rows)[2])
  shown("<b onload=alert(3)>")
  expect_match(page, "<title>&#60;&#47;title&#62;&#60;script", fixed = TRUE)
})

test_that("html_text() writes by number what has a meaning", {
  expect_identical(html_text(c("a b", "<|*_`", "\u00e9&", NA, "1\n2", "")),
                   c("a b", "&#60;&#124;&#42;&#95;&#96;", "\u00e9&#38;", "NA", "1 2", ""))
})

test_that("a report of many variables keeps its table, and formats a column alike", {
  skip_if_not_installed("litedown")
  set.seed(1)
  x <- matrix(rnorm(600), 50)
  colnames(x) <- paste0("v", 1:12)
  page <- page_of(gmm(x, 2, covariance = "spherical"))
  expect_match(page, "</table>\\s*<p>\\s*&#40;the first 8 of 12 variables&#41;")
  expect_match(page, "<html lang=\"en\">", fixed = TRUE)
  expect_no_match(page, "alt=\"\"", fixed = TRUE)
  table <- html_table(data.frame(a = c(1, 2.5), b = c("x", "y")))
  expect_identical(grep("<td>", table, value = TRUE),
                   c("<tr><td>1&#46;0</td><td>x</td></tr>", "<tr><td>2&#46;5</td><td>y</td></tr>"))
})

test_that("a report leaves R's random numbers as they are, and pictures of any scale are drawn", {
  skip_if_not_installed("litedown")
  scaled <- with_test_seed(1, gmm(sweep(as.matrix(faithful), 2, c(1 / 3163, 3163), `*`), 2))
  set.seed(5)
  before <- .Random.seed
  page_of(scaled)
  expect_identical(.Random.seed, before)
})

test_that("rows that say nothing are not counted as doubtful", {
  skip_if_not_installed("litedown")
  holes <- faithful
  holes[1:3, ] <- NA
  fit <- gmm(holes, k = 2, na.action = na.pass)
  page <- tempfile(fileext = ".html")
  gmm_report(fit, page)
  expect_match(paste(readLines(page), collapse = " "), "of the 269 rows", fixed = TRUE)
})
