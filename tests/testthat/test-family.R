test_that("numbers of parameters are those of a count by hand", {
  # k = 2, d = 5, as scikit-learn's own test has them
  expect_identical(vapply(c("VII", "VVI", "EEE", "VVV"), df_of, 0, d = 5, k = 2),
                   c(VII = 13, VVI = 21, EEE = 26, VVV = 41))
})

test_that("a formula in the table gives the number that the table has", {
  numbers <- gmm_families(d = 3, k = 4)
  expect_type(numbers$parameters, "double")
  for (table in list(gmm_families(), gmm_families(d = 3), gmm_families(k = 4))) {
    expect_identical(table[c("code", "name", "description")],
                     numbers[c("code", "name", "description")])
    expect_type(table$parameters, "character")
    values <- vapply(table$parameters, function(text) {
      eval(str2lang(text), list(d = 3, k = 4))
    }, 0, USE.NAMES = FALSE)
    expect_identical(values, numbers$parameters)
  }
  expect_false(any(grepl("d", gmm_families(d = 3)$parameters)))
  expect_false(any(grepl("k", gmm_families(k = 4)$parameters)))
})

test_that("one variable leaves two families", {
  table <- gmm_families(d = 1, k = 3)
  expect_identical(table$code, c("E", "V"))
  expect_identical(table$parameters, c(6, 8))
  # full, diag and spherical are one family then
  same <- vapply(c("VVV", "VVI", "VII"), df_of, 0, d = 1, k = 3)
  expect_identical(unname(same), c(8, 8, 8))
})

test_that("names and codes mean the same", {
  table <- gmm_families()
  plain <- c("full", "tied", "diag", "spherical")
  expect_identical(table$code[match(plain, table$name)], c("VVV", "EEE", "VVI", "VII"))
  expect_identical(nrow(table), 14L)
  for (i in seq_len(nrow(table))) {
    expect_identical(resolve_covariance(table$name[i], 2), table$code[i])
    expect_identical(resolve_covariance(table$code[i], 2), table$code[i])
  }
  expect_identical(resolve_covariance("E", 1), "EEE")
  expect_identical(resolve_covariance("V", 1), "VVV")
  expect_identical(family_label("VVV"), "full (VVV)")
})

test_that("what is no family is refused", {
  expect_gm_error(resolve_covariance("E", 2), "argument", "not \"E\"")
  expect_gm_error(resolve_covariance("ful", 2), "argument", "Did you mean \"full\"?")
  expect_gm_error(resolve_covariance("FULL", 2), "argument", "Did you mean \"full\"?")
  for (bad in list("ZZZ", NA_character_, NULL, 1, c("full", "tied"), mean)) {
    expect_gm_error(resolve_covariance(bad, 2), "argument",
                    c("`covariance` must be one of", "\"spherical\"", "\"VII\""))
  }
  expect_gm_error(gmm_families(d = 1.5), "argument", "`d` must be a whole number")
  expect_gm_error(gmm_families(k = 0), "argument", "`k` must be a whole number")
})

test_that("the table reads well", {
  expect_snapshot(print(gmm_families(d = 4, k = 3), right = FALSE))
  expect_snapshot(gmm_families(d = 4)$parameters)
})

test_that("the example of a family obeys it, and no narrower one", {
  for (code in c(gmm_families()$code, "E", "V")) {
    example <- family_example(code) # gmm_params() refuses covariances outside of the family
    d <- ncol(example$means)
    expect_identical(example$covariance, resolve_covariance(code, d))
    table <- gmm_families(d = d, k = 3)
    for (narrower in table$code[table$parameters < example$df]) {
      expect_gm_error(gmm_params(example$proportions, example$means, example$covariances,
                                 covariance = narrower), "argument", "`covariances`")
    }
  }
})

test_that("the families are drawn, all or some", {
  expect_identical(draw(gmm_families()), gmm_families())
  expect_identical(draw(gmm_families(d = 1)), gmm_families(d = 1))
  expect_identical(draw(gmm_families()[3, ], cex.main = 2), gmm_families()[3, ])
  expect_gm_error(plot(gmm_families()["name"]), "argument", "column `code`")
})
