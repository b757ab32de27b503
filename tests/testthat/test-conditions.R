test_that("errors, warnings and messages have their classes, text and fields", {
  e <- expect_error(gmm_abort("scale", "What is wrong.", "A way out.", count = 3L))
  expect_s3_class(e, c("gaussmix_error_scale", "gaussmix_error", "error", "condition"),
                  exact = TRUE)
  expect_identical(conditionMessage(e), "What is wrong.\nA way out.")
  expect_identical(e$count, 3L)

  w <- expect_warning(gmm_warn("spurious", "Said once.", size = 2))
  expect_s3_class(w, c("gaussmix_warning_spurious", "gaussmix_warning", "warning", "condition"),
                  exact = TRUE)
  expect_identical(conditionMessage(w), "Said once.")
  expect_identical(w$size, 2)

  m <- expect_message(gmm_inform("Told."))
  expect_s3_class(m, c("gaussmix_message", "message", "condition"), exact = TRUE)
  expect_identical(conditionMessage(m), "Told.\n")
})

test_that("a warning lets the call go on, an error does not", {
  reached <- FALSE
  suppressWarnings({
    gmm_warn("spurious", "Said.")
    reached <- TRUE
  })
  expect_true(reached)
  expect_error({
    gmm_abort("scale", "Stop.")
    reached <- FALSE
  })
  expect_true(reached)
})

test_that("the call is the function that the user called, however it was called", {
  wrap <- function(...) gmm_control(...)
  renamed <- gmm_control
  expect_gm_error(gmm_control(n_init = 0), "argument", call = "gmm_control")
  expect_gm_error(wrap(n_init = 0), "argument", call = "gmm_control")
  expect_gm_error(renamed(n_init = 0), "argument", call = "gmm_control")
  expect_gm_error(do.call(gmm_control, list(n_init = 0)), "argument", call = "gmm_control")
  expect_gm_error(do.call("gmm_control", list(n_init = 0)), "argument", call = "gmm_control")
  expect_gm_error(lapply(0, function(n) gmm_control(n_init = n)), "argument", call = "gmm_control")
  expect_gm_error(Map(gmm_control, n_init = 0), "argument", call = "gmm_control")
  expect_gm_error(gaussmix::gmm_control(n_init = 0), "argument", call = "gmm_control")
})

test_that("methods are called by the name of their generic", {
  expect_identical(generic_name("gmm.default"), "gmm")
  expect_identical(generic_name("gmm.data.frame"), "gmm")
  expect_identical(generic_name("predict.gaussmix"), "predict")
  expect_identical(generic_name("print.summary.gaussmix"), "print")
  expect_identical(generic_name("format.gmm_control"), "format")
  expect_identical(generic_name("as.data.frame.gaussmix"), "as.data.frame")
  expect_identical(generic_name("gmm_control"), "gmm_control")
  expect_identical(generic_name("model.frame"), "model.frame")
})

# Classes that functions of the package give literally to `fun`.
classes_given_to <- function(fun) {
  found <- character()
  walk <- function(e) {
    if (is.call(e) && identical(e[[1L]], as.name(fun)) && is.character(e[[2L]])) {
      found <<- c(found, e[[2L]])
    }
    if (is.call(e) || is.pairlist(e)) lapply(as.list(e), function(part) {
      if (!missing(part)) walk(part)
    })
  }
  home <- asNamespace("gaussmix")
  for (name in ls(home, all.names = TRUE)) {
    if (is.function(home[[name]])) walk(body(home[[name]]))
  }
  unique(found)
}

test_that("the help page lists every class that is raised", {
  pages <- tools::Rd_db("gaussmix")
  skip_if(is.null(pages[["gaussmix-conditions.Rd"]]), "the package has no help pages")
  text <- capture.output(tools::Rd2txt(pages[["gaussmix-conditions.Rd"]], options = list(
    underline_titles = FALSE, width = 100
  )))
  listed <- sub("^ +\\W(\\w+)\\W .*", "\\1", grep("^ +\\W\\w+\\W {2,}", text, value = TRUE))
  raised <- c(classes_given_to("gmm_abort"), classes_given_to("gmm_warn"))
  expect_gt(length(raised), 10)
  expect_identical(setdiff(raised, listed), character())
})
