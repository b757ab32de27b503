# Both ways in must come to what memory comes to.
both_ways <- c("push", "fetch")

steps <- function(start, n = 5) gmm_control(init = start, tol = 0, max_iter = n)

# A start that does something to the table between the survey and the first pass.
meanwhile <- function(start, action) {
  gmm_control(tol = 0, max_iter = 3, init = function(x, k) {
    action()
    start
  })
}

# A start of every family from a few rows.
start_of <- function(x, k, code) {
  suppressWarnings(gmm(x, k, code, control = gmm_control(max_iter = 2, n_init = 1,
                                                         init = "hierarchical")))
}

test_that("from one start every engine takes the steps of memory, for every family", {
  x <- as.matrix(faithful)
  for_each_engine(function(con) {
    write_table(con, "rows", faithful)
    for (code in names(families)) {
      start <- start_of(x, 3, code)
      memory <- gmm(x, 3, code, control = steps(start))
      for (how in both_ways) {
        fit <- gmm(gmm_dbi(con, "rows", how = how), 3, code, control = steps(start))
        expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
        same <- c("proportions", "means", "covariances", "nobs", "df", "iterations", "passes",
                  "verdict")
        expect_equal(unclass(fit)[same], unclass(memory)[same], tolerance = 1e-8)
      }
    }
  })
})

test_that("weights, labels, priors and equal proportions count as in memory", {
  x <- faithful
  w <- rep(c(1, 2, 0.5, 0, 1e-3), length.out = nrow(x))
  text <- number <- rep(NA, nrow(x))
  text[c(1, 2, 19, 20)] <- c("it's long", "short")
  number[c(1, 2, 19, 20)] <- c(12L, 5L)
  start <- start_of(as.matrix(x), 3, "VVV")
  for_each_engine(function(con) {
    write_table(con, "rows", cbind(x, w = w, text = text, number = number))
    for (how in both_ways) {
      for (labels in list("text", "number")) {
        db <- gmm_dbi(con, "rows", names(x), weights = "w", labels = labels, how = how)
        memory <- gmm(x, 3, weights = w, labels = get(labels), prior = gmm_prior(kappa = 2),
                      control = steps(start))
        fit <- gmm(db, 3, prior = gmm_prior(kappa = 2), control = steps(start))
        expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
        expect_equal(coef(fit), coef(memory), tolerance = 1e-8)
        expect_equal(nobs(fit), sum(w))
        expect_identical(levels(fit$labels), levels(memory$labels))
      }
      db <- gmm_dbi(con, "rows", names(x), weights = "w", how = how)
      memory <- gmm(x, 3, weights = w, proportions = "equal", control = steps(start))
      fit <- gmm(db, 3, proportions = "equal", control = steps(start))
      expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
    }
  })
})

test_that("noise, and what is fixed, count as in memory", {
  w <- rep(c(1, 2, 0.5), length.out = nrow(faithful))
  start <- start_of(as.matrix(faithful), 2, "VVV")
  for_each_engine(function(con) {
    write_table(con, "rows", cbind(faithful, w = w, g = ifelse(faithful$waiting < 45, "a", NA)))
    held <- list(means = rbind(c(2.1, NA), c(NA, 79)))
    memory <- gmm(faithful, 2, fixed = held, control = steps(start))
    for (how in both_ways) {
      fit <- gmm(gmm_dbi(con, "rows", names(faithful), how = how), 2, fixed = held,
                 control = steps(start))
      expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
    }
    for (noise in list(TRUE, 500, rbind(c(2, 50), c(5, 90)))) {
      memory <- gmm(faithful, 2, noise = noise, weights = w, control = steps(start))
      for (how in both_ways) {
        db <- gmm_dbi(con, "rows", names(faithful), weights = "w", how = how)
        fit <- gmm(db, 2, noise = noise, control = steps(start))
        expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
        expect_equal(fit$proportions, memory$proportions, tolerance = 1e-8)
      }
      write_table(con, "scored", faithful)
      for (type in c("class", "prob", "component", "logdensity", "mahalanobis", "uncertainty")) {
        got <- DBI::dbGetQuery(con, gmm_sql(memory, "scored", type = type, dialect = con))
        want <- predict(memory, faithful, type = type)
        if (type == "class") {
          expect_identical(got$class, as.character(want))
        } else {
          want <- pmax(unname(as.matrix(want)), out_of_reach) # -Inf outside the box
          expect_equal(unname(as.matrix(got)), want, tolerance = 1e-9)
        }
      }
    }
    db <- gmm_dbi(con, "rows", names(faithful), labels = "g", how = "push")
    memory <- gmm(faithful, 2, noise = TRUE, labels = ifelse(faithful$waiting < 45, "a", NA),
                  control = steps(start))
    expect_equal(gmm(db, 2, noise = TRUE, control = steps(start))$trace, memory$trace,
                 tolerance = 1e-11)
  })
})

test_that("by default settings every engine finds the optimum of memory", {
  set.seed(1)
  memory <- gmm(faithful, 2)
  for_each_engine(function(con) {
    write_table(con, "rows", faithful)
    fits <- lapply(both_ways, function(how) {
      set.seed(1)
      gmm(gmm_dbi(con, "rows", how = how), 2)
    })
    for (fit in fits) {
      expect_equal(fit$loglik, memory$loglik, tolerance = 1e-9)
      expect_true(fit$converged)
      expect_identical(colnames(fit$means), names(faithful))
    }
    one <- gmm(gmm_dbi(con, "rows", "waiting", how = "push"), 1)
    expect_equal(one$means[[1]], mean(faithful$waiting), tolerance = 1e-12)
  })
})

test_that("by default the way is that which was measured to be the faster", {
  way <- function(engine, code, d, k) {
    resolve_how(list(how = "auto", dialect = c(dialects[[engine]], name = engine)),
                list(means = matrix(0, k, d), covariance = code))
  }
  expect_identical(way("sqlite", "VVV", 2, 3), "fetch")
  expect_identical(way("postgresql", "VVV", 2, 3), "push")
  expect_identical(way("postgresql", "VVV", 5, 4), "fetch")
  expect_identical(way("postgresql", "VVI", 5, 4), "push")
  expect_identical(way("duckdb", "VVV", 5, 4), "push")
  expect_identical(way("standard", "VVV", 5, 4), "push")
  expect_identical(way("standard", "VVV", 50, 10), "fetch") # too many columns
})

test_that("predict() scores a table as it scores rows", {
  fit <- gmm(faithful, 2)
  for_each_engine(function(con) {
    write_table(con, "rows", faithful[2:1])
    for (type in c("class", "prob", "logdensity")) {
      expect_equal(predict(fit, gmm_dbi(con, "rows", names(faithful), chunk = 100), type = type),
                   predict(fit, faithful, type = type), ignore_attr = TRUE)
    }
  })
})

test_that("statistics split over several queries are the same", {
  con <- sqlite_connect()
  write_table(con, "rows", iris)
  fit <- start_of(as.matrix(iris[1:4]), 3, "VVV")
  db <- gmm_dbi(con, "rows", names(iris)[1:4], how = "push")
  whole <- gmm(db, 3, control = steps(fit))
  db$dialect$columns <- 31L
  expect_identical(gmm(db, 3, control = steps(fit))$trace, whole$trace)
  db$dialect$columns <- 20L
  expect_gm_error(gmm(db, 3), "argument", c("needs 31 columns", "\"fetch\""), call = "gmm")
  db$how <- "auto"
  expect_silent(gmm(db, 3, control = steps(fit)))
  DBI::dbDisconnect(con)
})

test_that("far from the origin and in tiny units nothing is lost", {
  start <- start_of(as.matrix(faithful), 2, "VVV")
  memory <- gmm(faithful, 2, control = steps(start))
  shift <- c(1e6, -3e6)
  for (unit in c(1, 1e-120, 1e120)) {
    x <- sweep(faithful, 2, shift, "+") * unit
    moved <- gmm_params(start$proportions, sweep(start$means, 2, shift, "+") * unit,
                        start$covariances * unit^2)
    for_each_engine(function(con) {
      write_table(con, "rows", x)
      fit <- gmm(gmm_dbi(con, "rows", how = "push"), 2, control = steps(moved))
      expect_equal(fit$loglik + nrow(x) * 2 * log(unit), memory$loglik, tolerance = 1e-8)
      expect_equal(fit$covariances / unit^2, memory$covariances, tolerance = 1e-6,
                   ignore_attr = TRUE)
    })
  }
})

test_that("no engine errors on what underflows: tiny values, weights, covariances", {
  value <- sin(1:40) * c(1, 1, 1, 1e-170, 1, 0, 1, 1e-300)
  frame <- data.frame(a = c(value, -value), w = c(1, 1e-280, 1e-170, 0)) # a mean of exactly 0
  start <- gmm_params(c(.5, .5), rbind(0, 1e-200), c(1, 0.25))
  narrow <- gmm_params(1, matrix(0, 1, 2), matrix(c(1, 1e-60, 1e-60, 1), 2))
  fit <- function(x, ...) suppressWarnings(gmm(x, 2, ..., control = steps(start))) # two of a kind
  memory <- list(fit(frame$a), fit(frame$a, weights = frame$w))
  for_each_engine(function(con) {
    write_table(con, "rows", frame)
    for (how in both_ways) {
      fits <- list(fit(gmm_dbi(con, "rows", "a", how = how)),
                   fit(gmm_dbi(con, "rows", "a", weights = "w", how = how)))
      for (i in 1:2) expect_equal(fits[[i]]$trace, memory[[i]]$trace, tolerance = 1e-11)
      for (unit in c(1e-145, 1e100)) {
        write_table(con, "scaled", cbind(faithful, w = unit))
        one <- gmm(gmm_dbi(con, "scaled", names(faithful), weights = "w", how = how), 1)
        expect_equal(one$home$effective, 272)
        expect_equal(c(one$means), unname(colMeans(faithful)))
      }
      for (unit in c(1e-200, 1e200)) {
        write_table(con, "scaled", cbind(faithful, w = unit))
        expect_gm_error(gmm(gmm_dbi(con, "scaled", names(faithful), weights = "w", how = how), 1),
                        "weights", if (unit > 1) "those of 272 rows" else "their squares")
      }
      write_table(con, "scaled", data.frame(b = c(value, 1), a = c(1, value)))
      expect_equal(gmm(gmm_dbi(con, "scaled", how = how), 1, control = steps(narrow))$trace,
                   gmm(cbind(c(value, 1), c(1, value)), 1, control = steps(narrow))$trace,
                   tolerance = 1e-11)
    }
  })
})

test_that("an engine takes as many components as memory", {
  x <- faithful$eruptions
  start <- gmm_params(rep(1 / 130, 130), seq(1, 6, length.out = 130), rep(0.1, 130))
  memory <- suppressWarnings(gmm(x, 130, control = steps(start, 2)))
  for_each_engine(function(con) {
    write_table(con, "rows", faithful)
    for (how in both_ways) {
      db <- gmm_dbi(con, "rows", "eruptions", how = how)
      fit <- suppressWarnings(gmm(db, 130, control = steps(start, 2)))
      expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
    }
    sql <- gmm_sql(memory, "rows", columns = "eruptions", type = "logdensity", dialect = con)
    expect_equal(DBI::dbGetQuery(con, sql)[[1]], predict(memory, x, type = "logdensity"))
  })
})

test_that("a sample is drawn in the engine in proportion to weights", {
  n <- 20000
  frame <- data.frame(a = seq_len(n) + 0, w = rep(c(1, 3), n / 2))
  for_each_engine(function(con) {
    write_table(con, "rows", frame)
    db <- gmm_dbi(con, "rows", "a")
    s <- survey_table(db, "fail")
    set.seed(2)
    all <- sample_table(db, s, n)$x[, "a"]
    expect_setequal(all, frame$a)
    some <- sample_table(db, s, 2000)$x[, "a"]
    expect_lt(abs(length(some) - 2000), 250)
    expect_identical(anyDuplicated(some), 0L)
    expect_gt(stats::ks.test(some, "punif", 1, n)$p.value, 1e-4)
    set.seed(2)
    expect_identical(sample_table(db, s, n)$x[, "a"], all)
    expect_identical(sample_table(db, s, 2000)$x[, "a"], some)
    weighted <- gmm_dbi(con, "rows", "a", weights = "w")
    drawn <- sample_table(weighted, survey_table(weighted, "fail"), 2000)
    expect_lt(abs(mean(frame$w[drawn$x[, "a"]] == 3) - 0.75), 0.06)
    expect_true(all(drawn$weights == sum(frame$w) / 2000))
  })
})

test_that("what the survey finds is refused by name, or left out", {
  x <- data.frame(a = c(faithful$eruptions, NA, 3, NA), b = c(faithful$waiting, 70, NA, NA),
                  text = "x", flag = TRUE, w = 1)
  start <- start_of(unname(as.matrix(faithful)), 2, "VVV")
  for_each_engine(function(con) {
    write_table(con, "rows", x)
    for (how in both_ways) {
      db <- gmm_dbi(con, "rows", c("a", "b"), how = how)
      e <- expect_gm_error(gmm(db, 2), "missing", c("Column `a`", "2 missing values", "na.omit"),
                           call = "gmm")
      expect_identical(e$counts, c(2, 2))
      if (how == "push") {
        expect_gm_error(gmm(db, 2, na.action = na.pass), "missing", "`how = \"fetch\"`")
      } else {
        passes <- 0
        counted <- db
        counted$rewind <- function() {
          passes <<- passes + 1
          db$rewind()
        }
        kept <- gmm(counted, 2, na.action = na.pass, control = steps(start))
        expect_equal(passes, kept$passes + 1) # one looks at the rows before the first step
        expect_equal(kept$trace, gmm(x[c("a", "b")], 2, na.action = na.pass,
                                     control = steps(start))$trace, tolerance = 1e-11)
        expect_equal(unname(kept$missing["rows"]), 3)
      }
      expect_equal(gmm(db, 2, na.action = na.omit, control = steps(start))$trace,
                   gmm(faithful, 2, control = steps(start))$trace, tolerance = 1e-11)
    }
    expect_gm_error(gmm(gmm_dbi(con, "rows", c("a", "text")), 2), "type", "`text`")
    expect_gm_error(gmm(gmm_dbi(con, "rows", "b", labels = "a"), 2, na.action = na.omit), "labels",
                    "`a` must be a factor")
    expect_gm_error(gmm_dbi(con, "rows", c("a", "nowhere")), "source", "nowhere", call = "gmm_dbi")
    expect_gm_error(gmm_dbi(con, "no such table", "a"), "source", "no such table")
    write_table(con, "rows", transform(x[1:272, ], w = c(-1, rep(1, 271))))
    expect_gm_error(gmm(gmm_dbi(con, "rows", c("a", "b"), weights = "w"), 2), "weights",
                    "those of 1 row in column `w`")
    write_table(con, "rows", x[0, ])
    expect_gm_error(gmm(gmm_dbi(con, "rows", c("a", "b")), 2), "dimension", "There are no rows")
    write_table(con, "rows", data.frame(a = 1:10, b = 3))
    expect_gm_error(gmm(gmm_dbi(con, "rows"), 2), "degenerate", "`b`")
  })
  con <- sqlite_connect()
  DBI::dbExecute(con, "CREATE TABLE mixed (a, b REAL)")
  DBI::dbExecute(con, "INSERT INTO mixed VALUES (1, 2), (3.5, 9e999), ('four', 4)")
  expect_gm_error(gmm(gmm_dbi(con, "mixed", "a"), 1), "type", c("`a`", "1 textual value"))
  expect_gm_error(gmm(gmm_dbi(con, "mixed", "a"), 1, na.action = na.pass), "type", "textual")
  expect_gm_error(gmm(gmm_dbi(con, "mixed", "b"), 1), "nonfinite", c("`b`", "1 infinite value"))
  DBI::dbDisconnect(con)
  con <- postgres_connect()
  DBI::dbExecute(con, "DROP TABLE IF EXISTS odd")
  DBI::dbExecute(con, "CREATE TABLE odd (a float8, b float8, c numeric, d bigint)")
  DBI::dbExecute(con, "INSERT INTO odd VALUES ('NaN', 1, 2.5, 1), (2, '-Infinity', 1e-3, 40),
    (3, 2, 7, 6), (3, 3, 7, 9), (1, 2, 0.5, 5), (2, 3, 5, 2), (4, 4, 3, 3)")
  expect_gm_error(gmm(gmm_dbi(con, "odd", "a"), 1), "missing", c("`a`", "1 missing value"))
  expect_gm_error(gmm(gmm_dbi(con, "odd", "b"), 1), "nonfinite", c("`b`", "1 infinite value"))
  for (how in both_ways) {
    fit <- gmm(gmm_dbi(con, "odd", c("c", "d"), how = how), 1)
    expect_equal(c(fit$means), c(mean(c(2.5, 1e-3, 7, 7, 0.5, 5, 3)), 66 / 7))
    fit <- gmm(gmm_dbi(con, "odd", "a", how = how), 1, na.action = na.omit)
    expect_equal(c(fit$means), 15 / 6)
    expect_identical(fit$home$rows, 6)
  }
  DBI::dbDisconnect(con)
})

test_that("hostile names, schemas and sub-selects are fitted", {
  table <- "sel'ect \"from\"; DROP TABLE x -- \u00e9\u4e2d"
  x <- stats::setNames(faithful, c("a\"b", "x; --"))
  start <- start_of(unname(as.matrix(faithful)), 2, "VVV")
  memory <- gmm(unname(as.matrix(x)), 2, control = steps(start))
  for_each_engine(function(con) {
    write_table(con, table, cbind(x, "or'der" = 1, "\u00fc" = rep(c("l'1", NA), 136)))
    for (how in both_ways) {
      fit <- gmm(gmm_dbi(con, table, names(x), weights = "or'der", how = how), 2,
                 control = steps(start))
      expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
      expect_identical(colnames(fit$means), names(x))
      labelled <- gmm(gmm_dbi(con, table, names(x), labels = "\u00fc", how = how), 2,
                      control = steps(start, 0))
      expect_identical(levels(labelled$labels), "l'1")
    }
    name <- DBI::dbQuoteIdentifier(con, names(x)[1])
    select <- DBI::SQL(sprintf("(SELECT 2 * %s AS a FROM %s) AS q", name,
                               DBI::dbQuoteIdentifier(con, table)))
    expect_equal(c(gmm(gmm_dbi(con, select), 1)$means), 2 * mean(faithful$eruptions))
  })
  con <- postgres_connect()
  DBI::dbExecute(con, "CREATE SCHEMA IF NOT EXISTS \"my schema\"")
  id <- DBI::Id(schema = "my schema", table = "t;1")
  DBI::dbExecute(con, "DROP TABLE IF EXISTS \"my schema\".\"t;1\"")
  DBI::dbExecute(con, "CREATE TABLE \"my schema\".\"t;1\" AS SELECT x AS a FROM
    generate_series(1, 9) AS x")
  expect_equal(c(gmm(gmm_dbi(con, id, how = "push"), 1)$means), 5)
  DBI::dbDisconnect(con)
})

test_that("names and labels of any kind are names and labels", {
  x <- as.matrix(faithful)
  long <- strrep("y", 63) # as long as PostgreSQL lets it be
  names <- list(c("select", "order"), c("100%", "%s%d"), c("a\\b", "\\n"), c("a\nb", "t\tt"),
                c(" ", " x "), c("''", "\"\""), c("a`b", "[c]"), c("?1", ":x"), c("a.b", "c$1"),
                c("\u6f22\u5b57", "\u00df\u0301"), c("\U1F600", "1"), c(long, "x1"), c("x2", "x1"),
                c("w", "g"), c("q", "c1_1"))
  tables <- c("table", "100% \\ of %s", "group by", "a\nb", "x`y\"z'", " ", long, "q",
              strrep("t", 80))
  labels <- c("a\\b%s'\n\"; --", "", "\u6f22", NA)[c(1:4, rep(4, 268))]
  start <- gmm_params(rep(1, 3) / 3, rbind(c(2, 50), c(4, 80), c(3, 60)), diag(c(1, 100)))
  memory <- gmm(unname(x), 3, control = steps(start, 2))$trace
  labelled <- gmm(faithful, 3, labels = labels, control = steps(start, 2))
  for_each_engine(function(con) for (how in both_ways) {
    fit <- function(...) gmm(gmm_dbi(con, ..., how = how), 3, control = steps(start, 2))
    for (i in seq_along(names)) {
      table <- rep_len(tables, i)[i]
      write_table(con, table, stats::setNames(faithful, names[[i]]))
      one <- fit(table, names[[i]])
      expect_equal(one$trace, memory, tolerance = 1e-11)
      expect_identical(colnames(one$means), names[[i]])
      expect_identical(colnames(gmm_dbi(con, table)), names[[i]])
    }
    write_table(con, "rows", cbind(faithful, label = labels))
    one <- fit("rows", colnames(x), labels = "label")
    expect_equal(one$trace, labelled$trace, tolerance = 1e-11)
    expect_setequal(levels(one$labels), levels(labelled$labels))
    expect_gm_error(gmm_dbi(con, ""), "argument", "`table`", call = "gmm_dbi")
    expect_gm_error(gmm_dbi(con, NA_character_), "argument", "`table`")
    expect_gm_error(gmm_dbi(con, "rows", ""), "argument", "`columns`")
    expect_gm_error(gmm_dbi(con, "rows", "waiting", weights = ""), "argument", "`weights`")
    expect_gm_error(gmm_dbi(con, "rows", c("waiting", "waiting")), "names", "`waiting`")
  })
  con <- sqlite_connect()
  write_table(con, "rows", faithful)
  expect_gm_error(gmm_dbi(con, "rows", c("waiting", "WAITING")), "argument", "are one column")
  DBI::dbDisconnect(con)
  for (driver in postgres_drivers()) {
    con <- postgres_connect(driver = driver)
    write_table(con, "rows", stats::setNames(faithful, c(long, "b")))
    expect_gm_error(gmm_dbi(con, "rows", paste0(long, 1:2)), "argument", "are one column")
    DBI::dbDisconnect(con)
  }
})

test_that("a table partitioned over two servers is one table", {
  con <- postgres_connect()
  other <- postgres_connect(postgres(2L))
  half <- seq_len(nrow(faithful)) <= 136
  write_table(other, "part", cbind(faithful, part = 2L)[!half, ])
  for (sql in c(
    "CREATE EXTENSION IF NOT EXISTS postgres_fdw", "DROP SERVER IF EXISTS other CASCADE",
    sprintf("CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', dbname
      'postgres')", postgres(2L)$dir),
    "CREATE USER MAPPING FOR gaussmix SERVER other OPTIONS (user 'gaussmix')",
    "DROP TABLE IF EXISTS parted",
    "CREATE TABLE parted (eruptions float8, waiting float8, part int) PARTITION BY LIST (part)",
    "CREATE TABLE parted1 PARTITION OF parted FOR VALUES IN (1)",
    "CREATE FOREIGN TABLE parted2 PARTITION OF parted FOR VALUES IN (2) SERVER other
      OPTIONS (table_name 'part')"
  )) DBI::dbExecute(con, sql)
  DBI::dbWriteTable(con, "parted", cbind(faithful, part = 1L)[half, ], append = TRUE,
                    row.names = FALSE)
  start <- start_of(as.matrix(faithful), 2, "VVV")
  memory <- gmm(faithful, 2, control = steps(start))
  for (how in both_ways) {
    fit <- gmm(gmm_dbi(con, "parted", names(faithful), how = how), 2, control = steps(start))
    expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
    kill <- function() { # no sum of the part that is left
      DBI::dbDisconnect(other)
      postgres(2L)$stop()
    }
    expect_gm_error(gmm(gmm_dbi(con, "parted", names(faithful), how = how), 2,
                        control = meanwhile(start, kill)), "source", "failed", call = "gmm")
    postgres(2L)$start()
    other <- postgres_connect(postgres(2L))
    fit <- gmm(gmm_dbi(con, "parted", names(faithful), how = how), 2, control = steps(start))
    expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
  }
  DBI::dbDisconnect(con)
  DBI::dbDisconnect(other)
})

# ---- what can go wrong during a fit ----------------------------------------------------

test_that("a fit sees one state of the data, or says that they changed", {
  start <- start_of(as.matrix(faithful), 2, "VVV")
  memory <- gmm(faithful, 2, control = steps(start, 3))
  writer <- postgres_connect()
  for (driver in postgres_drivers()) for (how in both_ways) {
    con <- postgres_connect(driver = driver)
    write_table(writer, "rows", faithful)
    delete <- function() DBI::dbExecute(writer, "DELETE FROM rows WHERE waiting = 81")
    fit <- gmm(gmm_dbi(con, "rows", how = how), 2, control = meanwhile(start, delete))
    expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
    write_table(writer, "rows", faithful)
    e <- expect_gm_error(
      gmm(gmm_dbi(con, "rows", how = how, snapshot = FALSE), 2, control = meanwhile(start, delete)),
      "source", "272", call = "gmm"
    )
    # the transaction of the fit has ended, and one of the user's is left alone
    write_table(writer, "rows", faithful)
    DBI::dbExecute(con, "BEGIN")
    DBI::dbExecute(con, "CREATE TABLE unfinished (a int)")
    gmm(gmm_dbi(con, "rows", how = how), 2, control = steps(start, 0))
    DBI::dbExecute(con, "ROLLBACK")
    expect_false(DBI::dbExistsTable(writer, "unfinished"))
    DBI::dbDisconnect(con)
  }
  DBI::dbDisconnect(writer)
})

test_that("values that change between passes are found in the statistics", {
  con <- sqlite_connect()
  start <- start_of(as.matrix(faithful), 2, "VVV")
  for (how in both_ways) for (code in c("VVV", "EEE", "VVI", "EII")) {
    write_table(con, "rows", faithful)
    db <- gmm_dbi(con, "rows", how = how)
    estep <- dbi_data(db, 2L, na.fail, 1L)$home$estep
    params <- c(coef(start, "list"), covariance = code)
    if (code != "VVV") params$covariances <- start_of(as.matrix(faithful), 2, code)$covariances
    first <- estep(params)
    params$means <- params$means + 0.3
    estep(params)
    DBI::dbExecute(con, "UPDATE rows SET waiting = waiting + 0.01 WHERE eruptions = 3.6")
    expect_gm_error(estep(params), "source", "changed between two passes")
  }
  DBI::dbDisconnect(con)
})

test_that("a column that is renamed, retyped or gone is an error of its name", {
  start <- start_of(as.matrix(faithful), 2, "VVV")
  con <- postgres_connect()
  for (how in both_ways) {
    write_table(con, "rows", faithful)
    db <- gmm_dbi(con, "rows", how = how, snapshot = FALSE)
    alter <- function(sql) function() DBI::dbExecute(con, paste("ALTER TABLE rows", sql))
    expect_gm_error(gmm(db, 2, control = meanwhile(start, alter("RENAME waiting TO w"))), "source",
                    "waiting", call = "gmm")
    expect_gm_error(gmm(db, 2), "source", "waiting")
    alter("RENAME w TO waiting")()
    text <- alter("ALTER waiting TYPE text USING 'no number'")
    expect_gm_error(gmm(db, 2, control = meanwhile(start, text)), "source", "failed", call = "gmm")
    expect_gm_error(gmm(db, 2), "type", "`waiting`")
    DBI::dbExecute(con, "DROP TABLE rows")
    expect_gm_error(gmm(db, 2), "source", "rows")
  }
  DBI::dbDisconnect(con)
})

test_that("SQLite: a column renamed or made text, rows or a connection gone, between two passes", {
  start <- gmm_params(c(.5, .5), rbind(c(2, 50), c(4, 80)), diag(c(1, 100)))
  for (how in both_ways) {
    con <- sqlite_connect()
    fails <- function(sql, pattern) { # before the third pass
      write_table(con, "rows", faithful)
      data <- dbi_data(gmm_dbi(con, "rows", how = how, snapshot = FALSE), 2L, na.fail, 1L)
      estep <- data$home$estep
      passes <- 0
      data$home$estep <- function(params) {
        passes <<- passes + 1
        if (passes == 3) if (is.null(sql)) DBI::dbDisconnect(con) else DBI::dbExecute(con, sql)
        estep(params)
      }
      options <- list(proportions = "free", noise = FALSE, prior = NULL)
      e <- expect_gm_error(gmm_bridge(data, 2L, "full", options, check_control(steps(start)),
                                      quote(gmm())), "source", pattern)
      expect_s3_class(e$parameters, "gmm")
    }
    fails("ALTER TABLE rows RENAME waiting TO w", "no such column: waiting")
    fails("UPDATE rows SET waiting = 'x' WHERE eruptions = 3.6", "changed")
    fails("UPDATE rows SET waiting = 'x'", "")
    fails("DELETE FROM rows WHERE eruptions > 4", "")
    fails("DROP TABLE rows", "no such table")
    fails(NULL, "A query of the table")
  }
})

test_that("a server that is killed leaves the last good parameters and a checkpoint", {
  x <- as.matrix(faithful)
  set.seed(1)
  best <- gmm(faithful, 2)
  start <- gmm_params(c(.5, .5), rbind(c(3, 60), c(4, 80)), diag(c(1, 100)))
  memory <- gmm(faithful, 2, control = steps(start, 300))
  ways <- expand.grid(how = both_ways, driver = postgres_drivers(), stringsAsFactors = FALSE)
  for (i in seq_len(nrow(ways))) {
    how <- ways$how[i]
    server <- postgres(2L)
    con <- postgres_connect(server, ways$driver[i])
    write_table(con, "rows", faithful)
    kill <- function(x, k) { # a second after the first pass began
      system2("sh", c("-c", shQuote(sprintf("sleep 1; kill -QUIT %s", server$pid()))), wait = FALSE)
      start
    }
    file <- tempfile()
    control <- function(init, max_iter) {
      gmm_control(init = init, tol = 0, max_iter = max_iter, checkpoint = file,
                  checkpoint_every = 0.1)
    }
    e <- expect_gm_error(gmm(gmm_dbi(con, "rows", how = how), 2, control = control(kill, 1e6)),
                         "source", "gmm_control(init = )", call = "gmm")
    expect_s3_class(e$parameters, "gmm")
    reached <- sum(dgmm(x, e$parameters, log = TRUE))
    expect_gt(reached, sum(dgmm(x, start, log = TRUE)) + 1)
    try(DBI::dbDisconnect(con), silent = TRUE)
    server$start()
    con <- postgres_connect(server, ways$driver[i])
    fit <- gmm(gmm_dbi(con, "rows", how = how), 2, control = gmm_control(init = e$parameters))
    expect_equal(fit$trace[1], reached, tolerance = 1e-10)
    expect_equal(fit$loglik, best$loglik, tolerance = 1e-9)
    fit <- gmm(gmm_dbi(con, "rows", how = how), 2, control = control(function(x, k) start, 300))
    expect_equal(fit$trace, memory$trace, tolerance = 1e-11)
    DBI::dbDisconnect(con)
  }
})

test_that("arguments of gmm_dbi() are checked; it prints, and is a source", {
  con <- sqlite_connect()
  write_table(con, "rows", cbind(faithful, w = 1, g = NA_character_))
  expect_gm_error(gmm_dbi(3, "rows"), "argument", "`con` must be a connection", call = "gmm_dbi")
  expect_gm_error(gmm_dbi(con, 3), "argument", "`table`")
  expect_gm_error(gmm_dbi(con, "rows", character()), "argument", "`columns`")
  expect_gm_error(gmm_dbi(con, "rows", weights = 1), "argument", "`weights`")
  expect_gm_error(gmm_dbi(con, "rows", how = "pull"), "argument", "\"push\"")
  db <- gmm_dbi(con, "rows", weights = "w", labels = "g", chunk = 100)
  expect_identical(colnames(db), names(faithful))
  expect_gm_error(gmm(db, 2), "labels", "all are NA")
  db <- gmm_dbi(con, "rows", weights = "w", chunk = 100, columns = names(faithful))
  fit <- gmm(db, 2)
  expect_identical(dim(db), c(272, 2))
  expect_output(print(db), "sqlite, how = \"auto\"")
  expect_output(print(fit), "in the table `rows`")
  expect_gm_error(gmm(db), "argument", "`k`", call = "gmm")
  expect_gm_error(gmm(db, 2, trim = 0.1), "argument", c("`trim`", "in memory", "`noise`"),
                  call = "gmm")
  expect_gm_error(gmm(db, 2, weights = "w"), "argument", c("`weights`", "gmm_dbi()"))
  expect_gm_error(gmm(~waiting, db, k = 2), "type", c("`data`", "gmm(source, k)"), call = "gmm")
  expect_equal(gmm(db, 2, na.action = na.pass, control = steps(fit, 0))$loglik, fit$loglik)
  expect_gm_error(gmm(db, 2, control = gmm_control(init = rep(1:2, 136))), "start", "labels")
  db$rewind()
  sizes <- vapply(1:3, function(i) nrow(db$next_chunk()$x), 0L)
  expect_identical(sizes, c(100L, 100L, 72L))
  expect_null(db$next_chunk())
  db$close()
  DBI::dbDisconnect(con)
  expect_gm_error(gmm(db, 2), "source", "A query of the table")
})

test_that("SQLite: text among numbers is refused by whatever reads the table", {
  con <- sqlite_connect()
  fit <- gmm(faithful, 2)
  file <- withr::local_tempfile()
  for (text in c("abc", "1e3x")) {
    write_table(con, "rows", faithful)
    db <- gmm_dbi(con, "rows")
    expect_length(predict(fit, db), 272)
    DBI::dbExecute(con, sprintf("UPDATE rows SET waiting = '%s' WHERE eruptions = 3.6", text))
    fails <- function(expr) expect_gm_error(expr, "type", c("`waiting`", "textual"))
    fails(predict(fit, db))
    fails(gmm_write(db, file))
    for (how in both_ways) fails(gmm(gmm_dbi(con, "rows", how = how), 2))
  }
  write_table(con, "rows", cbind(faithful, g = rep(1:2, 136)))
  DBI::dbExecute(con, "UPDATE rows SET g = 'x' WHERE eruptions = 3.6")
  mixed <- function(expr) expect_gm_error(expr, "type", c("Column `g`", "textual value"))
  for (how in both_ways) {
    db <- gmm_dbi(con, "rows", labels = "g", how = how)
    mixed(gmm(db, 3))
    mixed(predict(fit, db))
    mixed(gmm_write(db, file))
  }
  DBI::dbDisconnect(con)
})

test_that("an error of the engine is told with its reason, and without the whole query", {
  for_each_engine(function(con) {
    db <- list(con = con, dialect = resolve_dialect(con), what = "the table `t`")
    sql <- paste("SELECT nowhere_to_find,", strrep("1, ", 1000), "1 FROM nowhere_to_find")
    e <- expect_error(db_query(db, sql), "nowhere_to_find", class = "gaussmix_error_source")
    expect_match(conditionMessage(e), "no such table|does not exist")
    expect_lt(nchar(conditionMessage(e)), 600)
  })
})

test_that("after an interrupt the connection is out of our transaction and of use", {
  skip_on_os("windows")
  server <- postgres()
  x <- faithful[rep(seq_len(nrow(faithful)), 400), ]
  start <- gmm_params(c(0.5, 0.5), rbind(c(eruptions = 2, waiting = 55), c(4, 80)), diag(c(1, 50)))
  for (driver in postgres_drivers()) {
    con <- postgres_connect(server, driver)
    write_table(con, "many", x)
    for (how in both_ways) for (wait in c(0.6, 0.9)) {
      system(sprintf("(sleep %g; kill -INT %d) > /dev/null 2>&1 &", wait, Sys.getpid()))
      ended <- tryCatch(gmm(gmm_dbi(con, "many", how = how), 2, control = steps(start, 1000)),
                        interrupt = function(i) "interrupt")
      expect_identical(ended, "interrupt")
      expect_identical(DBI::dbGetQuery(con, "SHOW transaction_read_only")[[1L]], "off")
      expect_identical(DBI::dbExecute(con, "CREATE TEMPORARY TABLE made (a int)") >= 0, TRUE)
      DBI::dbExecute(con, "DROP TABLE made")
    }
    DBI::dbExecute(con, "DROP TABLE many")
    DBI::dbDisconnect(con)
  }
})
