scored <- function(fit, con, type, x, ...) {
  got <- DBI::dbGetQuery(con, gmm_sql(fit, "scored", type = type, dialect = con, ...))
  want <- predict(fit, x, type = type)
  if (type == "class") {
    expect_identical(got$class, as.character(want))
  } else {
    expect_equal(unname(as.matrix(got)), unname(as.matrix(want)), tolerance = 1e-10)
  }
}

test_that("scores by SQL are those of predict(), on every engine, for every shape", {
  x <- iris[1:4]
  fits <- lapply(c("VVV", "EEE", "VVI", "EEI", "VII", "EVE"), function(code) {
    suppressWarnings(gmm(x, 3, code, control = gmm_control(init = as.integer(iris$Species))))
  })
  for_each_engine(function(con) {
    write_table(con, "scored", x)
    for (fit in fits) {
      for (type in c("class", "prob", "logdensity", "component", "mahalanobis", "uncertainty")) {
        scored(fit, con, type, x)
      }
    }
    odd <- gmm_anomaly(fits[[1]], rate = 0.1)
    sql <- gmm_sql(fits[[1]], "scored", type = "anomaly", threshold = odd, dialect = con)
    expect_equal(DBI::dbGetQuery(con, sql)$anomaly, as.numeric(odd$flag))
  })
})

test_that("one variable, one component and names of components", {
  fit <- gmm(faithful$waiting, 2, control = gmm_control(init = ifelse(faithful$waiting > 68, "late",
                                                                      "it's \"soon\"")))
  single <- gmm(faithful, 1)
  for_each_engine(function(con) {
    write_table(con, "scored", faithful)
    scored(fit, con, "class", faithful$waiting, columns = "waiting")
    sql <- gmm_sql(fit, "scored", type = c("prob", "logdensity"), columns = "waiting",
                   dialect = con)
    got <- DBI::dbGetQuery(con, sql)
    expect_named(got, c(paste0("prob_", rownames(fit$means)), "logdensity"))
    scored(single, con, "logdensity", faithful)
    scored(single, con, "prob", faithful)
  })
})

test_that("rows far away, missing and infinite raise no error in any engine", {
  fit <- gmm(faithful, 2)
  far <- c(10, -30, 1e4, 1e60, -1e120)
  x <- data.frame(id = 1:8, eruptions = c(far, 3, NA, 1e200), waiting = c(far, NA, 70, 70))
  near <- 1:5
  for_each_engine(function(con) {
    write_table(con, "scored", x)
    sql <- gmm_sql(fit, "scored", keep = "id", dialect = con, threshold = -9,
                   type = c("class", "prob", "logdensity", "uncertainty", "anomaly"))
    got <- DBI::dbGetQuery(con, paste(sql, "ORDER BY", DBI::dbQuoteIdentifier(con, "id")))
    expect_equal(as.integer(got$id), 1:8)
    expect_equal(got$logdensity[near], predict(fit, x[near, -1], type = "logdensity"),
                 ignore_attr = TRUE)
    expect_identical(got$class[near], as.character(predict(fit, x[near, -1])))
    expect_equal(got$prob_1[near], predict(fit, x[near, -1], type = "prob")[, 1],
                 ignore_attr = TRUE)
    expect_true(all(is.na(got[-near, -1])))
    expect_equal(as.integer(got$anomaly), c(rep(1L, 5), NA, NA, NA))
  })
  server <- postgres()
  con <- postgres_connect(server)
  DBI::dbExecute(con, "CREATE TEMPORARY VIEW endless AS SELECT CAST('NaN' AS float8) AS eruptions,
    CAST('Infinity' AS float8) AS waiting")
  expect_true(is.na(DBI::dbGetQuery(con, gmm_sql(fit, "endless", dialect = con))$class))
  DBI::dbDisconnect(con)
})

test_that("tiny values, means and covariances raise no error in any engine", {
  x <- data.frame(a = c(1e-200, -1e-300, 0, 1e-170, 1), b = c(0, 3, 1e-200, 1, 1e-100))
  fits <- list(gmm_params(c(.5, .5), rbind(c(0, 0), c(1e-250, 1)), array(diag(2), c(2, 2, 2))),
               gmm_params(1, matrix(0, 1, 2), matrix(c(1, 1e-90, 1e-90, 1), 2)),
               gmm_params(1, matrix(0, 1, 2), diag(c(1e-150, 1e150))))
  for_each_engine(function(con) {
    write_table(con, "scored", x)
    for (fit in fits) {
      for (type in c("prob", "logdensity", "mahalanobis")) {
        scored(fit, con, type, x, columns = names(x))
      }
    }
  })
})

test_that("the distance from a component of proportion 0 is that of predict()", {
  fit <- gmm_params(c(0.5, 0.5, 0), rbind(c(a = 0, b = 0), c(5, 5), c(9, 9)),
                    matrix(c(2, 0.5, 0.5, 1), 2))
  x <- data.frame(a = c(0.1, 5, 9, -3), b = c(0, 7, 9, 40))
  for_each_engine(function(con) {
    write_table(con, "scored", x)
    scored(fit, con, "mahalanobis", x)
    scored(fit, con, "prob", x)
  })
})

test_that("a closed connection and a name that is in the answer are refused by what they are", {
  fit <- gmm(faithful, 2)
  expect_error(gmm_sql(fit, "t", keep = "class"), "name of the answer",
               class = "gaussmix_error_argument")
  con <- sqlite_connect()
  DBI::dbDisconnect(con)
  expect_error(gmm_sql(fit, "t", dialect = con), "`dialect` is closed",
               class = "gaussmix_error_argument")
  expect_error(gmm_dbi(con, "t"), "`con` is closed", class = "gaussmix_error_argument")
})

hostile_table <- "sel'ect \"from\"; DROP TABLE x -- \u00e9\u4e2d"
hostile <- c("a\"b", "or'der", "x; --", "\u00fc \u6f22", "k1")

test_that("hostile names of tables and columns are quoted", {
  x <- stats::setNames(iris[1:4], hostile[1:4])
  fit <- gmm(x, 2)
  for_each_engine(function(con) {
    write_table(con, hostile_table, cbind(x, k1 = seq_len(nrow(x))))
    sql <- gmm_sql(fit, hostile_table, type = c("class", "logdensity"), keep = hostile[5:1],
                   dialect = con)
    got <- DBI::dbGetQuery(con, sql)
    expect_named(got, c(hostile[5:1], "class", "logdensity"))
    expect_equal(got$logdensity, predict(fit, type = "logdensity"), ignore_attr = TRUE)
  })
})

test_that("text without a connection is standard SQL with exact numbers in the C locale", {
  skip_if_not_installed("DBI")
  fit <- gmm_params(c(1 / 3, 2 / 3), rbind(c(-1e-20, 1e22), c(0.1, 1e22)), diag(2))
  sql <- gmm_sql(fit, DBI::Id(schema = "a.b", table = "c"), columns = c("u", "v"))
  expect_s4_class(sql, "SQL")
  expect_match(sql, "FROM \"a.b\".\"c\"", fixed = TRUE)
  expect_match(sql, "x1 - (-9.9999999999999995e-21)", fixed = TRUE)
  expect_no_match(sql, "--|Inf|NA")
  values <- c(1 / 3, -2e-308, 1e300, 0, 123456789, .Machine$double.eps, 1e22)
  read <- as.numeric(gsub("[()]", "", number_sql(values)))
  expect_identical(read, values)
  old <- Sys.getlocale("LC_NUMERIC")
  for (locale in c("de_DE.UTF-8", "fr_FR.utf8")) {
    suppressWarnings(Sys.setlocale("LC_NUMERIC", locale))
    text <- number_sql(values)
    suppressWarnings(Sys.setlocale("LC_NUMERIC", old))
    expect_identical(text, number_sql(values))
  }
})

test_that("arguments of gmm_sql() are checked", {
  skip_if_not_installed("DBI")
  fit <- gmm_params(1, matrix(0, 1, 2), diag(2))
  expect_gm_error(gmm_sql(fit, 3), "argument", "`table` must be the name of a table")
  expect_gm_error(gmm_sql(fit, "t", type = "clas"), "argument", "\"class\"", call = "gmm_sql")
  expect_gm_error(gmm_sql(fit, "t", columns = "a"), "argument", "the names of 2 columns")
  expect_gm_error(gmm_sql(fit, "t", columns = c("a", "a")), "names", "`a` twice")
  expect_gm_error(gmm_sql(fit, "t", type = "anomaly"), "argument", "`threshold` must be a number")
  expect_gm_error(gmm_sql(fit, "t", threshold = 3), "argument", "anomaly")
  expect_gm_error(gmm_sql(fit, "t", dialect = "oracle"), "argument", "\"postgresql\"")
})
