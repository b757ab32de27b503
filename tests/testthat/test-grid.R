x <- as.matrix(faithful)
select <- with_test_seed(1, gmm_select(x, 1:5))

# Rows of the table that end below a model that they contain, and say nothing of it.
too_low <- function(select, d) {
  table <- select$table
  lattice <- model_lattice(table, d)
  low <- vapply(seq_len(nrow(table)), function(i) {
    inside <- c(lattice$narrower[[i]], lattice$parent[i])
    any(table$loglik[inside] > table$loglik[i] + 1e-8 * abs(table$loglik[i]), na.rm = TRUE)
  }, NA)
  table[low & table$note == "" & table$status == "ok", ]
}

test_that("the lattice: each family contains those whose letters come before", {
  grid <- model_grid(names(families), 1:3, 2)
  lattice <- model_lattice(grid, 2)
  name <- paste(grid$covariance, grid$k)
  inside <- function(cell) name[lattice$narrower[[match(cell, name)]]]
  expect_length(inside("VVV 2"), 13)
  expect_setequal(inside("EEE 3"), c("EEI 3", "EII 3"))
  expect_setequal(inside("VEI 2"), c("EII 2", "VII 2", "EEI 2"))
  expect_setequal(inside("EEV 2"), c("EII 2", "EEI 2", "EEE 2"))
  expect_identical(inside("EII 1"), character())
  parent <- c(NA, name)[lattice$parent + 1L]
  expect_identical(parent[match(c("VVE 3", "VVE 2", "VVI 2", "VII 2", "EII 1"), name)],
                   c("VVE 2", "EEE 1", "EEI 1", "EII 1", NA))
  for (i in seq_along(name)) {
    expect_true(all(lattice$wave[lattice$narrower[[i]]] < lattice$wave[i]))
    df <- mapply(df_of, grid$covariance, 2, grid$k)
    expect_true(all(df[lattice$narrower[[i]]] <= df[i]))
  }
  one <- model_grid(c("EEE", "VII"), 1:2, 1)
  expect_identical(paste(one$covariance, one$k), c("EEE 2", "VII 1", "VII 2"))
  expect_identical(model_lattice(one, 1)$narrower, list(integer(), integer(), 1L))
})

test_that("no model ends below one that it contains, or it says why", {
  expect_identical(nrow(too_low(select, 2)), 0L)
  weighted <- with_test_seed(1, gmm_select(iris[1:4], 1:4, weights = rep(1:3, 50)))
  expect_identical(nrow(too_low(weighted, 4)), 0L)
  odd <- with_test_seed(1, gmm_select(c(rep(0, 30), 1:60), 1:6))
  expect_identical(nrow(too_low(odd, 1)), 0L)
  expect_true(all(odd$table$note %in% c("", "nested_spurious", "no_gain")))
})

test_that("the same seed gives the same bits, whatever the number of threads", {
  tables <- lapply(c(1, 2, 4), function(threads) {
    with_test_seed(1, gmm_select(iris[1:4], 1:4, control = gmm_control(threads = threads)))
  })
  for (other in tables[-1]) {
    expect_identical(other$table, tables[[1]]$table)
    expect_identical(gmm_best(other)$means, gmm_best(tables[[1]])$means)
    expect_identical(gmm_best(other)$trace, gmm_best(tables[[1]])$trace)
  }
  again <- with_test_seed(2, gmm_select(iris[1:4], 3:4))
  expect_false(identical(again$table$loglik, with_test_seed(1,
                                                            gmm_select(iris[1:4],
                                                                       3:4))$table$loglik))
})

test_that("many rows are searched in a sample, and each model is of all of them", {
  mixture <- random_params("VVV", 2, 3, 5, spread = 4)
  data <- random_data(12000, mixture, 6)
  many <- with_test_seed(1, gmm_select(data, 2:3, c("EEE", "VVI", "VVV")))
  truth <- gmm(data, 3, control = gmm_control(init = mixture))
  expect_equal(max(many$table$loglik), truth$loglik, tolerance = 1e-8)
  expect_identical(many$nobs, 12000)
  expect_identical(nrow(too_low(many, 2)), 0L)
  best <- gmm_best(many)
  expect_equal(sum(predict(best, type = "logdensity")), best$loglik, tolerance = 1e-12)
})

test_that("a model with a component that must be spurious is not searched", {
  few <- with_test_seed(1, suppressWarnings(gmm_select(iris[1:20, 1:4], 1:3)))
  table <- few$table
  own <- endsWith(table$covariance, "V")
  expect_identical(table$status == "dimension", own & table$k == 3)
  expect_match(table$reason[own & table$k == 3][1], "3 components of this family need 30 rows")
  expect_gm_error(gmm_select(iris[1:20, 1:4], 3, "full"), "dimension", "None of 1 model")
})

test_that("many variables leave the narrow families", {
  wide <- with_test_seed(1, rbind(matrix(rnorm(30 * 60), 30), matrix(rnorm(30 * 60, 1), 30)))
  choice <- with_test_seed(1, suppressWarnings(gmm_select(wide, 1:3, c("EII", "VII", "EEI",
                                                                       "VVV"))))
  expect_identical(choice$table$k[choice$chosen], 2L)
  expect_identical(choice$table$covariance[choice$chosen], "EII")
  expect_identical(as.integer(table(predict(gmm_best(choice)), rep(1:2, each = 30)))[c(2, 3)],
                   c(0L, 0L))
})

test_that("duplicated columns and ties give values or reasons", {
  twice <- with_test_seed(1, gmm_select(cbind(x, twice = x[, 1]), 1:3))
  table <- twice$table
  expect_true(all(is.na(table$loglik) == (table$status != "ok")))
  expect_true(all(table$status[substr(table$covariance, 3, 3) == "I"] == "ok"))
  expect_match(table$reason[table$status != "ok"], "rank 2 of 3")
  expect_match(table$reason[table$status != "ok" & table$k > 1], remedies_tried, fixed = TRUE)
  tied <- with_test_seed(1, suppressWarnings(gmm_select(c(rep(1, 30), (1:70) / 10), 1:4)))
  expect_false(anyNA(tied$table$loglik[tied$table$status == "ok"]))
  expect_true(all(nzchar(tied$table$reason[tied$table$status != "ok"])))
  expect_silent(validate_gmm(suppressWarnings(gmm_best(tied))))
})

test_that("starts are those asked for", {
  kinds <- function(...) {
    unique(gmm_best(gmm_select(x, 2, "EEE", control = gmm_control(...)))$starts$kind)
  }
  expect_true(all(kinds(init = "kmeans++") %in% c("kmeans++", "another family")))
  expect_true("random" %in% kinds(init = "random"))
  expect_true("hierarchical" %in% kinds(init = "hierarchical"))
  labels <- with_test_seed(1, kmeans(x, 2)$cluster)
  expect_true("labels" %in% kinds(init = labels))
  given <- gmm(x, 2, control = gmm_control(init = labels))
  expect_true("parameters" %in% kinds(init = given))
  best <- gmm_best(gmm_select(x, 2, "VVV", control = gmm_control(init = given)))
  expect_equal(best$means, given$means, tolerance = 1e-6)
  calls <- 0
  own <- function(x, k) {
    calls <<- calls + 1
    if (k == 2) labels else "kmeans++"
  }
  gmm_select(x, 2:3, c("full", "tied"), control = gmm_control(init = own))
  expect_identical(calls, 2)
  count <- with_test_seed(1, gmm_best(gmm_select(x, 3, "EEE", control = gmm_control(n_init = 17))))
  expect_identical(nrow(count$starts), 19L)
})

test_that("an interrupt ends the grid at once", {
  data <- with_test_seed(1, matrix(rnorm(60000), ncol = 10))
  begin <- proc.time()[[3L]]
  expect_error({
    setTimeLimit(elapsed = 0.3, transient = TRUE)
    gmm_select(data, 1:12)
  }, "time limit")
  setTimeLimit()
  expect_lt(proc.time()[[3L]] - begin, 3)
})
