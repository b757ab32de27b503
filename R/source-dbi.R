# Rows in a table of a database. The statistics of an E-step are made by the engine (push), by the
# queries of sql.R, or from rows that are streamed here (fetch), as of any source. In both ways one
# query surveys the table before the first pass, and another draws the sample for the start.

#' Rows in a database
#'
#' `gmm_dbi()` describes a table of a database, by any driver of package DBI, for [gmm()] to fit.
#' With `how = "push"` the rows never leave the engine: each EM step is one aggregate query, whose
#' answer is a few numbers for each component. With `how = "fetch"` the rows are streamed to R in
#' chunks. Both come to the same fit.
#'
#' @section How a table is fitted:
#' One query counts the rows and looks for missing, infinite and textual values; another draws a
#' sample of up to 100,000 rows, on which [gmm()] searches as in memory. From the best optimum EM
#' goes on over all rows, one query a step, until it has converged: most of the steps are made on
#' the sample, few on the table. With parameters or a fit as start, `gmm_control(init = )`, all are
#' made on the table.
#'
#' Where the engine has transactions, all queries of a fit are made in one that is read-only and
#' sees one state of the data, unless one is open already or `snapshot = FALSE`. (In SQLite others
#' can't write during the fit, unless the file is in WAL mode.) In any case the number of rows and
#' the first two moments of the columns are compared in each pass with those of the first pass, to 9
#' digits, and a change is an error. The sample goes by R's random numbers and the order in which
#' the engine reads the table; engines that add in parallel differ in the last digits from run to
#' run.
#'
#' @section Push or fetch:
#' Processor seconds of a pass over 1e6 rows, of R and the engine together, on one machine
#' (`bench/database.R`; DuckDB 1.5 by its client for Node.js):
#'
#' | | SQLite push | fetch | PostgreSQL 15 push | fetch | DuckDB push |
#' |---|---|---|---|---|---|
#' | 2 variables, k = 3, full | 2.5 | 0.5 | 1.0 | 1.1 | 0.2 |
#' | diag | 1.8 | 0.2 | 0.8 | 1.0 | |
#' | 5 variables, k = 4, full | 7.2 | 1.2 | 4.1 | 2.5 | 0.9 |
#' | diag | 5.6 | 1.2 | 2.3 | 2.4 | |
#'
#' SQLite and PostgreSQL compute row by row: a push takes about as long as sending the rows to a
#' process on the same machine, or longer, as its work grows with `k d^2` and that of a fetch with
#' `d`. DuckDB and other column stores compute by vectors. So `"auto"` is fetch for SQLite; for
#' PostgreSQL push where a pass asks for at most `10 d` sums (for full covariances they are
#' `k (1 + d + d (d + 1) / 2)`), else fetch; and push for the others, where they allow as many
#' columns. PostgreSQL shares a push among
#' its parallel workers; there, and over a slow network, push may pay anyhow.
#'
#' @section Families, weights, labels, missing values:
#' All families of [gmm_families()], case weights, known labels, noise, priors, equal proportions
#' and fixed parameters work here as in memory. `na.action = na.omit` leaves out rows with missing
#' values (`NULL` or NaN); `na.pass` keeps them, and fetches all rows, whose search begins with a
#' pass over them in place of the queries. `trim` is refused: it needs the rows in memory.
#'
#' A query that runs can't be interrupted, unless the driver lets it: connect by
#' `DBI::dbConnect(RPostgres::Postgres(), check_interrupts = TRUE)`.
#'
#' @section When the connection is lost:
#' The error is of class `gaussmix_error_source`, and its field `parameters` holds the parameters
#' of the last pass that ended well, as a gmm object. Connect again, and go on from there:
#' `gmm(gmm_dbi(con, ...), k, control = gmm_control(init = error$parameters))`.
#'
#' @param con A connection by `DBI::dbConnect()`.
#' @param table Name of the table or view: text, `DBI::Id(schema = , table = )`, or `DBI::SQL()` of
#'   a table or of a sub-select with a name, such as
#'   `DBI::SQL("(SELECT LN(a) AS la FROM t) AS q")`.
#' @param columns Names of the numeric columns that are the variables; `NULL`: all but those of
#'   `weights` and `labels`.
#' @param ... Must be empty.
#' @param weights,labels Names of the columns that hold case weights (from 0 to 1e140) and known
#'   labels (text or whole numbers; `NULL` where not known), see [gmm()]; or `NULL`: there are none.
#' @param how `"auto"`, `"push"` or `"fetch"`, see below.
#' @param snapshot `FALSE`: make no transaction.
#' @param chunk Number of rows that are fetched at a time; `NULL`: as many as make about a million
#'   numbers. (RPostgreSQL holds a whole answer in memory all the same; RPostgres does not.)
#' @return A list of class `c("gmm_dbi", "gmm_source")`, which holds the connection and no rows: it
#'   can be used as any [gmm_source()], too.
#' @section Errors: `gaussmix_error_argument`, `gaussmix_error_type` (a column is not numeric) and
#'   `gaussmix_error_source` (a query failed); while fitting also those of [gmm()] for what the
#'   survey finds, and `gaussmix_error_source` where the data changed or the connection was lost.
#' @seealso [gmm_sql()] for scores as SQL, [gmm_source()]
#' @examples
#' if (requireNamespace("RSQLite", quietly = TRUE)) {
#'   con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
#'   DBI::dbWriteTable(con, "geyser", faithful)
#'   rows <- gmm_dbi(con, "geyser", how = "push")
#'   print(gmm(rows, k = 2))
#'   print(gmm(gmm_dbi(con, "geyser", "waiting"), k = 2, covariance = "tied"))
#'   DBI::dbDisconnect(con)
#' }
#' @export
gmm_dbi <- function(con, table, columns = NULL, ..., weights = NULL, labels = NULL,
                    how = c("auto", "push", "fetch"), snapshot = TRUE, chunk = NULL) {
  check_dots_empty(...)
  if (!inherits(con, "DBIConnection")) {
    gmm_abort("argument", must_be("con", "a connection by DBI::dbConnect()", con))
  }
  dialect <- resolve_dialect(con, "con")
  db <- list(con = con, dialect = dialect, table = table_sql(table, dialect),
             weights = check_column(weights), labels = check_column(labels),
             how = check_choice(how, c("auto", "push", "fetch")), snapshot = check_flag(snapshot))
  db$what <- sprintf("the table %s", db$table)
  if (is.null(columns)) {
    columns <- setdiff(names(db_query(db, select_sql("*", db$table, "1 = 0"))), c(weights, labels))
  }
  check_columns(columns, "columns")
  db$columns <- columns
  check_column_types(db)
  stream <- db_stream(db, chunk_rows(chunk, length(columns)))
  source <- new_source(db$what, stream$rewind, stream$next_chunk, stream$close)
  source$known$names <- columns
  structure(c(source, db[setdiff(names(db), "what")]), class = c("gmm_dbi", "gmm_source"))
}

check_column <- function(name, arg = deparse1(substitute(name))) {
  force(arg)
  if (is.null(name) || is_string(name) && nzchar(name)) return(name)
  gmm_abort("argument", must_be(arg, "the name of a column, or NULL", name))
}

# By what the driver makes of no rows. SQLite has types by value: the survey looks at those. Engines
# that cut long names off, or take no notice of case, may find one column under two names.
check_column_types <- function(db) {
  numbers <- c(db$columns, db$weights)
  none <- db_query(db, select_sql(quote_name(numbers, db$dialect), db$table, "1 = 0"))
  twice <- which(duplicated(names(none)))
  if (length(twice)) {
    same <- numbers[names(none) == names(none)[twice[1L]]]
    gmm_abort("argument", sprintf("%s of %s are one column: %s.", and_text(backtick(same)), db$what,
                                  backtick(names(none)[twice[1L]])), "Name each column once.")
  }
  numeric <- vapply(none, function(v) is.numeric(v) && (!is.object(v) || is_int64(v)), NA)
  if (is.null(db$dialect$number) && !all(numeric)) {
    first <- which(!numeric)[1L]
    gmm_abort("type", sprintf("Column %s of %s must be numeric, not %s.", backtick(numbers[first]),
                              db$what, kind_of(none[[first]])),
              "Name the numeric ones as `columns`; or CAST it in a view.")
  }
}

is_int64 <- function(v) inherits(v, "integer64")

# integer64 is a double's bits, which only package bit64 can read.
plain_integers <- function(v) if (is_int64(v)) as.double(as.character(v)) else v

#' @export
format.gmm_dbi <- function(x, ...) {
  c(NextMethod(), sprintf("%s, how = \"%s\"", x$dialect$name, x$how),
    if (!is.null(x$weights)) sprintf("weights: %s", backtick(x$weights)),
    if (!is.null(x$labels)) sprintf("labels: %s", backtick(x$labels)))
}

is_database <- function(x) inherits(x, "gmm_dbi")

dbi_data <- function(db, k, na.action, threads) {
  policy <- home_na_policy(na.action)
  if (policy == "pass" && db$how == "push") {
    gmm_abort("missing", "`na.action = na.pass` can't be used with `how = \"push\"`.", paste(
      "`how = \"fetch\"` takes rows with missing values; `na.action = na.omit` drops them."
    ))
  }
  check_column_types(db)
  if (policy == "pass") { # the survey is a pass, as patterns of missing values are counted
    check_text(db)
    return(source_data(db, k, na.action, threads))
  }
  s <- survey_table(db, policy)
  d <- length(db$columns)
  s$seed <- random_state()
  s$sample <- sample_table(db, s, home_sample_size(k, d))
  db$known$n <- s$given
  if (db$how == "push") check_width(db, k, d)
  home_data(s, db$what, k, function(unit, levels) {
    way <- NULL
    function(params) {
      if (is.null(way)) {
        way <<- if (resolve_how(db, params) == "push") push_estep(db, s, unit, levels)
                else source_estep(db, s, policy, unit, levels, threads)
      }
      way(params)
    }
  })
}

check_width <- function(db, k, d) {
  width <- statistics_width(k, d)
  if (width <= db$dialect$columns) return(invisible())
  gmm_abort("argument", sprintf(
    "`how = \"push\"` needs %d columns for k = %d and %s; the engine has %d at most.", width, k,
    plural(d, "variable"), db$dialect$columns
  ), "how = \"fetch\" has no such limit.")
}

# By bench/database.R: PostgreSQL takes as long for 10 sums as for sending a variable.
resolve_how <- function(db, params) {
  if (db$how != "auto") return(db$how)
  k <- nrow(params$means)
  d <- ncol(params$means)
  family <- families[[params$covariance]]
  sums <- k * (d + 1) + scatter_sums(family, k, d)
  push <- switch(db$dialect$name, sqlite = FALSE, postgresql = sums <= 10 * d, TRUE)
  if (push && statistics_width(k, d) <= db$dialect$columns) "push" else "fetch"
}

scatter_sums <- function(family, k, d) {
  (if (family$shape == "full") d * (d + 1) / 2 else d) * (if (family$shared) 1 else k)
}

# ---- queries ---------------------------------------------------------------------------

# A data frame; or an error of class source. Some drivers print the error, return NULL and warn.
db_query <- function(db, sql) {
  said <- NULL
  old <- options(show.error.messages = FALSE)
  on.exit(options(old))
  value <- tryCatch(withCallingHandlers(DBI::dbGetQuery(db$con, sql), warning = function(w) {
    said <<- w
    tryInvokeRestart("muffleWarning")
  }), error = identity)
  if (inherits(value, "error")) db_failed(db, value)
  if (!is.data.frame(value)) db_failed(db, said, server_reason(db))
  value
}

# What the engine says, where the driver's own message does not; or NULL.
server_reason <- function(db) {
  said <- tryCatch(suppressWarnings(DBI::dbGetException(db$con))$errorMsg, error = function(e) NULL)
  if (is_string(said) && nzchar(said) && said != "OK") said
}

# Messages may hold the whole query.
db_failed <- function(db, condition, reason = NULL) {
  if (is.null(reason)) {
    reason <- if (inherits(condition, "condition")) conditionMessage(condition) else "no answer"
  }
  reason <- trimws(reason)
  if (nchar(reason) > 400L) reason <- paste(substr(reason, 1L, 400L), "...")
  gmm_abort("source", sprintf("A query of %s failed: %s", db$what, reason))
}

# list(n, values): of all of them; NULL is NA.
db_aggregate <- function(db, queries) {
  answers <- lapply(queries, function(sql) {
    vapply(db_query(db, sql), function(v) as.double(plain_integers(v)), 0, USE.NAMES = FALSE)
  })
  n <- unique(vapply(answers, `[`, 0, 1L))
  if (length(n) > 1L) table_changed(db, sprintf("it has %s rows, then %s", n[1L], n[2L]))
  list(n = n, values = unlist(lapply(answers, `[`, -1L)))
}

table_changed <- function(db, how) {
  gmm_abort("source", sprintf("The data changed during the fit: %s, %s.", db$what, how),
            "Fit when nobody writes to it, or a copy.")
}

# ---- one state of the data -------------------------------------------------------------

# Was a transaction begun?
begin_snapshot <- function(db) {
  if (!db$snapshot) return(FALSE)
  if (!is.null(db$dialect$inside) && try_statement(db, db$dialect$inside)) {
    try_statement(db, sub("SAVEPOINT", "RELEASE", db$dialect$inside))
    return(FALSE)
  }
  try_statement(db, db$dialect$begin)
}

end_snapshot <- function(db) {
  suspendInterrupts({
    clear_results(db)
    # drivers that clear what an interrupt left by themselves warn of it
    try(suppressWarnings(DBI::dbExecute(db$con, db$dialect$end)), silent = TRUE)
  })
}

# An interrupt may leave a query's result, which keeps some drivers from any other statement.
clear_results <- function(db) {
  pending <- tryCatch(suppressWarnings(DBI::dbListResults(db$con)), error = function(e) NULL)
  for (result in pending) try(DBI::dbClearResult(result), silent = TRUE)
}

try_statement <- function(db, sql) {
  tryCatch(is.numeric(DBI::dbExecute(db$con, sql)), error = function(e) FALSE,
           warning = function(w) FALSE)
}

# ---- rows ------------------------------------------------------------------------------

# The columns x1, x2, ..., w (divided by unit) and g of the table, as far as there are such.
table_rows <- function(db, variables = double_columns(db), where = NULL, unit = NULL) {
  w <- if (!is.null(db$weights)) double_sql(db, db$weights)
  if (length(w) && !is.null(unit)) {
    w <- paste(no_less_sql(w, negligible * unit), "*", number_sql(1 / unit))
  }
  columns <- c(as_columns(column_grid("x", length(variables)), variables), w = w,
               g = if (!is.null(db$labels)) quote_name(db$labels, db$dialect))
  sub_select(columns, db$table, db$dialect, where)
}

double_sql <- function(db, name) sprintf(db$dialect$double, quote_name(name, db$dialect))

double_columns <- function(db) double_sql(db, db$columns)

largest <- 1e300 # what is larger counts as infinite; squares overflow long before

# Of all variables: is it a finite number?
complete_sql <- function(values) {
  paste(sprintf("ABS(%s) <= %s", values, number_sql(largest)), collapse = " AND ")
}

# The rows that a pass takes in: complete ones, and those with a weight.
counted_sql <- function(db, s) {
  tests <- c(if (s$dropped > 0) complete_sql(double_columns(db)),
             if (!is.null(db$weights)) paste(double_sql(db, db$weights), "> 0"))
  if (length(tests)) paste(tests, collapse = " AND ")
}

# Chunks, as new_source() takes them. A result that has come to its end is given back at once, as
# some engines can't do anything else before.
db_stream <- function(db, chunk) {
  result <- NULL
  ended <- FALSE
  checked <- FALSE
  close <- function() {
    if (!is.null(result)) try(DBI::dbClearResult(result), silent = TRUE)
    result <<- NULL
  }
  safely <- function(expr) {
    value <- tryCatch(expr, error = identity)
    if (is.null(value) || inherits(value, "error")) db_failed(db, value)
    value
  }
  rewind <- function() {
    close()
    ended <<- FALSE
    if (!checked) check_text(db)
    checked <<- TRUE
    result <<- safely(DBI::dbSendQuery(db$con, select_sql("*", table_rows(db))))
  }
  next_chunk <- function() {
    if (ended) return(NULL)
    if (is.null(result)) rewind()
    rows <- safely(DBI::dbFetch(result, chunk))
    if (nrow(rows) > 0L) return(chunk_of(db, rows))
    ended <<- TRUE
    close()
    NULL
  }
  list(rewind = rewind, next_chunk = next_chunk, close = function() {
    checked <<- FALSE
    close()
  })
}

# A data frame with the columns of table_rows().
chunk_of <- function(db, rows) {
  d <- length(db$columns)
  x <- matrix(as.double(unlist(rows[seq_len(d)], use.names = FALSE)), nrow(rows), d,
              dimnames = list(NULL, db$columns))
  list(x = x, weights = rows$w, labels = plain_integers(rows$g))
}

# ---- before the first pass -------------------------------------------------------------

# What survey_rows() tells of a source, but the sample.
survey_table <- function(db, policy) {
  dialect <- db$dialect
  d <- length(db$columns)
  x <- column_grid("x", d)
  w <- if (!is.null(db$weights)) "w"
  is_text <- text_sql(db)
  text <- if (length(is_text)) column_grid("t", length(is_text))
  columns <- c(as_columns(x, double_columns(db)), w = if (length(w)) double_sql(db, db$weights),
               if (length(text)) as_columns(text, is_text))
  from <- sub_select(columns, db$table, dialect)
  ok <- sprintf("CASE WHEN %s THEN 1 ELSE 0 END", complete_sql(x))
  from <- sub_select(c(x, w, text, ok = ok), from, dialect)
  missing <- paste(x, "IS NULL", if (!is.null(dialect$nan)) paste("OR", sprintf(dialect$nan, x)))
  heaviest <- number_sql(1e140) # so that the sum of squares is finite
  counted <- paste0("ok = 1", if (length(w)) paste(" AND w > 0 AND w <=", heaviest))
  asked <- list(
    text = sprintf("SUM(%s)", text),
    missing = sprintf("SUM(CASE WHEN %s THEN 1 ELSE 0 END)", missing),
    infinite = sprintf("SUM(CASE WHEN %s THEN 0 WHEN ABS(%s) > %s THEN 1 ELSE 0 END)", missing, x,
                       number_sql(largest)),
    reach = sprintf("MAX(CASE WHEN ok = 1 THEN ABS(%s) END)", x),
    min = sprintf("MIN(CASE WHEN %s THEN %s END)", counted, x),
    max = sprintf("MAX(CASE WHEN %s THEN %s END)", counted, x),
    complete = "SUM(ok)",
    counted = sprintf("SUM(CASE WHEN %s THEN 1 ELSE 0 END)", counted),
    wrong = if (length(w)) {
      sprintf("SUM(CASE WHEN ok = 0 OR w >= 0 AND w <= %s THEN 0 ELSE 1 END)", heaviest)
    },
    weight = if (length(w)) sprintf("SUM(CASE WHEN %s THEN w END)", counted),
    weight2 = if (length(w)) {
      sprintf("SUM(CASE WHEN %s AND w > 1e-150 THEN w * w ELSE 0e0 END)", counted)
    }
  )
  told <- db_aggregate(db, aggregate_sql(unlist(asked), from, dialect))
  s <- parts_of(told$values, lengths(asked))
  check_survey(db, s, told$n, policy)
  s <- list(given = told$n, rows = s$complete, dropped = told$n - s$complete, counted = s$counted,
            weight = if (length(w)) s$weight else s$complete,
            weight2 = if (length(w)) s$weight2, weighted = length(w) > 0L,
            ranges = rbind(s$min, s$max), reach = s$reach, names = db$columns, named = TRUE)
  if (!is.null(db$labels)) s$labels <- survey_labels(db, s)
  s
}

# Of each column: 1 where a value is text, as it may be in SQLite, else 0.
text_sql <- function(db) {
  if (is.null(db$dialect$number)) return(NULL)
  numbers <- quote_name(c(db$columns, db$weights), db$dialect)
  sprintf("CASE WHEN %s THEN 0 ELSE 1 END", sprintf(db$dialect$number, numbers))
}

# What survey_table() looks for, where it is not asked, before the first row is read: drivers make
# of such values what they can.
check_text <- function(db) {
  is_text <- text_sql(db)
  if (is.null(is_text)) return(invisible())
  asked <- aggregate_sql(sprintf("SUM(%s)", is_text), db$table, db$dialect)
  refuse_text(db, db_aggregate(db, asked)$values)
  check_label_text(db)
}

# Labels may all be text or all be numbers.
check_label_text <- function(db) {
  if (is.null(db$labels) || is.null(db$dialect$number)) return(invisible())
  label <- quote_name(db$labels, db$dialect)
  number <- sprintf(db$dialect$number, label)
  asked <- sprintf("SUM(CASE WHEN %s IS NOT NULL AND %s %s THEN 1 ELSE 0 END)", label,
                   c("", "NOT"), number)
  counts <- db_aggregate(db, aggregate_sql(asked, db$table, db$dialect))$values
  if (all(counts > 0)) {
    gmm_abort("type", sprintf("Column %s of %s has %s and %s.", backtick(db$labels), db$what,
                              plural(counts[1L], "number"), plural(counts[2L], "textual value")),
              "Labels must be all text or all whole numbers: CAST them in a view.",
              columns = db$labels)
  }
}

refuse_text <- function(db, counts) {
  refuse_counts(db, counts, "type", "textual", "Leave it out, or CAST it in a view.")
}

# counts: of bad values, of each column.
refuse_counts <- function(db, counts, class, kind, hint = NULL) {
  bad <- which(counts > 0)
  if (length(bad) == 0L) return(invisible())
  numbers <- c(db$columns, db$weights)
  gmm_abort(class, sprintf("Column %s of %s has %s.", backtick(numbers[bad[1L]]), db$what,
                           plural(counts[bad[1L]], paste(kind, "value"))), hint,
            columns = numbers[bad], counts = counts[bad])
}

check_survey <- function(db, s, n, policy) {
  if (n == 0) gmm_abort("dimension", sprintf("There are no rows in %s.", db$what))
  refuse_text(db, s$text)
  refuse_counts(db, s$infinite, "nonfinite", "infinite")
  if (policy == "fail") {
    refuse_counts(db, s$missing, "missing", "missing", "`na.action = na.omit` drops such rows.")
  }
  if (s$complete == 0) {
    gmm_abort("dimension", sprintf("There are no rows without missing values in %s.", db$what))
  }
  if (length(s$wrong) && s$wrong > 0) {
    gmm_abort("weights", sprintf(
      "Weights must be from 0 to 1e140; those of %s in column %s of %s are not.",
      plural(s$wrong, "row"), backtick(db$weights), db$what
    ))
  }
}

# The labels that there are, as count_labels() tells them, and the text that stands for each.
survey_labels <- function(db, s) {
  check_label_text(db)
  from <- table_rows(db, where = counted_sql(db, s))
  count <- db_query(db, select_sql(sprintf(db$dialect$double, "COUNT(DISTINCT g)"), from))[[1L]]
  if (count > 1000) {
    gmm_abort("labels", sprintf("Column %s of %s has %s distinct values, too many for labels.",
                                backtick(db$labels), db$what, count_text(count)))
  }
  groups <- paste(select_sql(c("g", n = count_sql(db$dialect)), from, "g IS NOT NULL"),
                  "GROUP BY g")
  found <- db_query(db, groups)
  values <- plain_integers(found$g)
  check_labels_kind(values, db$labels)
  text <- as.character(values)
  literals <- if (is.numeric(values)) sprintf("%.0f", values) else quote_text(text, db$dialect)
  list(counts = stats::setNames(as.double(found$n), text), values = values,
       literals = stats::setNames(literals, text))
}

# About `size` rows, drawn with probability in proportion to their weights; all where they are no
# more. The i-th row is in the sample where (A i + B) mod P, for random A and B, is small: a random
# number that each row has, and any engine computes exactly. Rows of large weight are certain to be
# drawn, and keep the part of it that is more than the others'.
sample_table <- function(db, s, size) {
  prime <- 2147483647
  draw <- floor(stats::runif(2L, 1, prime))
  unit <- if (s$weighted && s$counted > 0) 2^round(log2(s$weight / s$counted)) else 1
  total <- s$weight / unit
  from <- table_rows(db, where = counted_sql(db, s), unit = unit)
  whole <- s$counted <= size
  if (!whole) {
    columns <- c(column_grid("x", length(db$columns)), if (s$weighted) "w",
                 if (!is.null(db$labels)) "g")
    mod <- function(a, b) sprintf(db$dialect$mod, a, b)
    text <- sprintf("%.0f", c(prime, draw))
    number <- mod(sprintf("(%s * %s + %s)", sprintf("(%s)", mod("i", text[1L])), text[2L],
                          text[3L]), text[1L])
    below <- paste(if (s$weighted) "w *", number_sql(prime * size / total))
    numbered <- sub_select(c(columns, i = "ROW_NUMBER() OVER ()"), from, db$dialect)
    from <- sub_select(columns, numbered, db$dialect, sprintf("%s < %s", number, below))
  }
  sample <- chunk_of(db, db_query(db, select_sql("*", from)))
  if (s$weighted) {
    sample$weights <- unit * if (whole) sample$weights else pmax(sample$weights, total / size)
  }
  sample["labels"] <- list(if (!is.null(sample$labels)) as.character(sample$labels))
  sample
}

# ---- the E-step by the engine ----------------------------------------------------------

# Rows are taken about the sample's mean and in units of its scale (a power of two, which changes no
# digit), so that no product of the statistics leaves the range of a double: a difference of numbers
# that are not tiny is 0 or not tiny either.
push_estep <- function(db, s, unit, levels) {
  centre <- colMeans(s$sample$x)
  scale <- column_scale(s$sample$x, s$sample$weights)
  scale <- 2^round(log2(ifelse(scale > 0, scale, s$ranges[2L, ] - s$ranges[1L, ])))
  centre <- ifelse(abs(centre) < 1e-20 * scale, 1e-20 * scale, centre)
  variables <- sprintf("(%s - %s) * %s", double_columns(db), number_sql(centre),
                       number_sql(1 / scale))
  rows <- table_rows(db, variables, counted_sql(db, s), unit)
  literals <- unname(of_names(s$labels$literals, levels))
  function(params) {
    std <- wider_box(params)
    std$means <- sweep(sweep(params$means, 2L, centre), 2L, scale, "/")
    std$covariances <- params$covariances / as.vector(tcrossprod(scale))
    if (!is.null(params$noise$limits)) {
      std$noise$limits <- sweep(sweep(std$noise$limits, 2L, centre), 2L, scale, "/")
    }
    family <- families[[params$covariance]]
    told <- db_aggregate(db, statistics_sql(rows, std, -sum(log(scale)), family$shared,
                                            family$shape != "full", s$weighted, literals,
                                            db$dialect))
    if (told$n != s$counted) {
      table_changed(db, sprintf("it has %s with complete values and a weight, then %s",
                                plural(s$counted, "row"), number_text(told$n)))
    }
    flat_statistics(told$values, std, family, s$weighted, scale)
  }
}

# The values that statistics_sql() asks for, in units of scale -> one block, see engine_layout().
flat_statistics <- function(values, params, family, weighted, scale) {
  k <- nrow(params$means)
  d <- ncol(params$means)
  full <- family$shape == "full"
  lower <- if (full) which(lower_triangle(d)) else seq_len(d)
  square <- if (full) tcrossprod(scale) else scale^2
  told <- parts_of(values, c(nk = k, nk2 = if (weighted) k, sum = d * k,
                             scatter = scatter_sums(family, k, d),
                             total = 2L + !is.null(params$noise)))
  scatter <- matrix(0, length(square), length(told$scatter) / length(lower))
  scatter[lower, ] <- told$scatter * square[lower]
  layout <- engine_layout(params$covariance, d, k)
  stats <- parts_of(numeric(sum(layout)), layout)
  stats$nk <- told$nk
  stats$nk2 <- if (weighted) told$nk2 else told$nk
  stats$sum <- told$sum * scale
  stats$scatter <- as.vector(scatter)
  stats$total[seq_along(told$total)] <- told$total # the log-likelihood, the weight, the noise
  unlist(stats, use.names = FALSE)
}

# A vector cut into parts of these sizes, which have names.
parts_of <- function(values, sizes) split(values, rep(factor(names(sizes), names(sizes)), sizes))
