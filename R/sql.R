# Mixtures as SQL text: what gmm_sql() gives, and the queries of an E-step for source-dbi.R.
#
# A query is a chain of sub-selects, each of which computes columns from those of the one inside it:
#   x, w, g   the rows' variables; weight, label
#   c         x minus the mean, for each component and variable
#   z         c in the metric of the covariance (forward substitution), divided by sqrt(2)
#   l         log(proportion f(x)) of each component, the last one that of the noise if there is any
#   m         the largest l
#   e         exp(l - m), 0 where that is below exp(-120): no engine sees an underflow
# The columns have names of our own, so that those of a table can't collide with them.

#' Scores of a mixture as SQL
#'
#' Writes a `SELECT` that scores the rows of a table inside its database: most probable component,
#' posterior probabilities, log-density, anomalies. The answers are those of `predict()` to
#' rounding, and the text runs on SQLite, PostgreSQL, DuckDB and other engines with standard SQL.
#'
#' Numbers have 17 digits, names and text are quoted by package DBI, and no step can underflow,
#' which some engines take for an error. (What is -Inf for `predict()`, such as the noise outside
#' its box, is -1e300.) A row with a missing value, or with one so far away that squares would
#' overflow (1e140 standard deviations), has `NULL` in all columns; `predict()` uses
#' what such a row has. What is nearer to 0 than 1e-100 standard deviations is taken for 0. Columns
#' of one name in a table and in the answer do not disturb each other.
#'
#' SQLite must have the functions `exp()` and `log()`: RSQLite has them after
#' `RSQLite::initExtension(con, "math")`, which is done where `dialect` is a connection.
#'
#' @param fit A gmm object.
#' @param table Name of the table: text, `DBI::Id(schema = , table = )`, or `DBI::SQL()` of a table
#'   or of a sub-select with a name.
#' @param ... Must be empty.
#' @param type One or several of `"class"` (name of the most probable component), `"prob"`
#'   (posterior probabilities), `"logdensity"`, `"component"` (log(proportion_j f_j)),
#'   `"mahalanobis"` (squared distances), `"uncertainty"` (one minus the largest posterior) and
#'   `"anomaly"` (1 where the log-density is below `threshold`, else 0).
#' @param columns The table's columns that are the variables of the fit, in their order; `NULL`:
#'   they have the variables' names.
#' @param keep Further columns of the table that the answer begins with, such as a key; or `NULL`.
#' @param threshold For `"anomaly"`: a log-density, or the result of [gmm_anomaly()], whose
#'   threshold is used. A row that is within rounding of it (1e-12) is not flagged.
#' @param dialect A connection of package DBI; or `"standard"`, `"sqlite"`, `"postgresql"` or
#'   `"duckdb"`.
#' @return Text of class `"SQL"` of package DBI. The columns of its answer are `keep`, then those
#'   of each type: `class`, `logdensity`, `uncertainty`, `anomaly`, or `prob_<component>` and its
#'   like, one for each component.
#' @section Errors: `gaussmix_error_argument` names the argument; `gaussmix_error_package` where
#'   DBI is not installed.
#' @seealso [gmm_dbi()], [predict.gaussmix()], [gmm_anomaly()]
#' @examples
#' if (requireNamespace("RSQLite", quietly = TRUE)) {
#'   con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
#'   DBI::dbWriteTable(con, "geyser", faithful)
#'   fit <- gmm(faithful, k = 2)
#'   sql <- gmm_sql(fit, "geyser", type = c("class", "logdensity"), keep = "waiting", dialect = con)
#'   print(head(DBI::dbGetQuery(con, sql)))
#'   DBI::dbDisconnect(con)
#'   gmm_sql(gmm(faithful$waiting, k = 1), "geyser", columns = "waiting", type = "logdensity")
#' }
#' @export
gmm_sql <- function(fit, table, ..., type = "class", columns = NULL, keep = NULL, threshold = NULL,
                    dialect = "standard") {
  check_dots_empty(...)
  validate_gmm(fit)
  check_given(table, "the name of a table")
  dialect <- resolve_dialect(dialect)
  type <- unique(vapply(type, check_choice, "", score_types, "type"))
  table <- table_sql(table, dialect)
  if (is.null(columns)) columns <- colnames(fit$means)
  check_columns(columns, "columns", ncol(fit$means))
  if (!is.null(keep)) check_columns(keep, "keep")
  if ("anomaly" %in% type) {
    if (inherits(threshold, "gmm_anomaly")) threshold <- threshold$threshold
    threshold <- check_number(threshold)
    threshold <- threshold - 1e-12 * (1 + abs(threshold)) # which is often a row's own
  } else if (!is.null(threshold)) {
    gmm_abort("argument", "`threshold` is for `type = \"anomaly\"` only.")
  }
  score_sql(fit, table, columns, type, keep, threshold, dialect)
}

score_types <- c("class", "prob", "logdensity", "component", "mahalanobis", "uncertainty",
                 "anomaly")

# What engines do differently.
#   double    the type of a double; %s is what is cast, in this and the next
#   ln        natural logarithm. SQLite's log() is of base 10 or natural, as it was built
#   greatest  the largest of several
#   mod       remainder
#   nan       is %s not a number? NULL: there are no such values
#   number    is the value %s a number, or NULL? NULL: the column's type says so
#   fence     ends a sub-select, and keeps it from being merged into the outer one: then each use of
#             a column would compute it anew. Column stores share such work by themselves
#   columns   the most columns of a select
#   begin, end  of a transaction that sees one state of the data
#   inside    fails outside a transaction. One that is open already must be left alone. NULL: begin
#             fails inside one, or nests
dialects <- list(
  standard = list(
    double = "CAST(%s AS DOUBLE PRECISION)", ln = "LN(%s)", greatest = "GREATEST",
    mod = "MOD(%s, %s)", nan = "%1$s <> %1$s", fence = "", columns = 500L,
    begin = "START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", end = "COMMIT"
  ),
  postgresql = list(
    double = "CAST(%s AS DOUBLE PRECISION)", ln = "LN(%s)", greatest = "GREATEST",
    mod = "%s %% %s", nan = "%s = CAST('NaN' AS DOUBLE PRECISION)", fence = " OFFSET 0",
    columns = 1500L,
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", end = "COMMIT",
    inside = "SAVEPOINT gaussmix_fit"
  ),
  duckdb = list(
    double = "CAST(%s AS DOUBLE)", ln = "LN(%s)", greatest = "GREATEST", mod = "%s %% %s",
    nan = "ISNAN(%s)", fence = "", columns = 1500L,
    begin = "BEGIN TRANSACTION", end = "COMMIT"
  ),
  sqlite = list(
    double = "CAST(%s AS REAL)", ln = "(LOG(%s) / LOG(EXP(1.0)))", greatest = "MAX",
    mod = "%s %% %s", number = "TYPEOF(%s) IN ('real', 'integer', 'null')",
    fence = " LIMIT -1 OFFSET 0", columns = 1900L,
    begin = "SAVEPOINT gaussmix_fit", end = "RELEASE gaussmix_fit"
  )
)

# The name of a dialect, or a connection -> the row of the table, with `name`, and `con`, which
# quotes identifiers and text.
resolve_dialect <- function(x, arg = "dialect") {
  need_package("DBI", "SQL")
  if (inherits(x, "DBIConnection")) {
    if (tryCatch(!DBI::dbIsValid(x), error = function(e) FALSE)) { # not all drivers can tell
      gmm_abort("argument", sprintf("The connection `%s` is closed.", arg),
                "Connect again by DBI::dbConnect().")
    }
    name <- dialect_of(x)
    if (name == "sqlite") load_sqlite_math(x)
    return(c(dialects[[name]], name = name, con = x))
  }
  name <- check_choice(x, names(dialects), arg)
  c(dialects[[name]], name = name, con = DBI::ANSI())
}

# By the class that the driver gives, or by what the engine says of itself.
dialect_of <- function(con) {
  known <- c(SQLiteConnection = "sqlite", PqConnection = "postgresql",
             PostgreSQLConnection = "postgresql", duckdb_connection = "duckdb")
  name <- known[intersect(class(con), names(known))]
  if (length(name)) return(name[[1L]])
  engine <- tolower(paste(DBI::dbGetInfo(con)$dbms.name, class(con)[1L], collapse = " "))
  told <- vapply(c("sqlite", "postgres", "duckdb"), grepl, NA, engine, fixed = TRUE)
  c(c("sqlite", "postgresql", "duckdb")[told], "standard")[1L]
}

# exp() and log() are functions that SQLite may have been built without; RSQLite brings them along.
load_sqlite_math <- function(con) {
  works <- function() {
    tryCatch(is.data.frame(DBI::dbGetQuery(con, "SELECT EXP(1.0), LOG(2.0)")),
             error = function(e) FALSE)
  }
  if (works()) return(invisible())
  try(RSQLite::initExtension(con, "math"), silent = TRUE)
  if (!works()) {
    gmm_abort("package", "This build of SQLite has no functions exp() and log().",
              "RSQLite brings them: RSQLite::initExtension(con, \"math\").")
  }
}

# ---- pieces of text --------------------------------------------------------------------

# Exact: 17 digits; with an exponent, so that it is a double in standard SQL, not a decimal; in
# parentheses where negative, as -- begins a comment.
number_sql <- function(x) {
  text <- sub("\\.?0*e", "e", sub(",", ".", sprintf("%.16e", x), fixed = TRUE))
  ifelse(x < 0, paste0("(", text, ")"), text)
}

quote_name <- function(name, dialect) {
  if (is.null(name)) return(character())
  if (is.character(name) && !is.object(name)) name <- enc2utf8(name)
  as.character(DBI::dbQuoteIdentifier(dialect$con, name))
}

quote_text <- function(text, dialect) {
  as.character(DBI::dbQuoteString(dialect$con, enc2utf8(as.character(text))))
}

# c1, c2, ...; c1_1, c2_1, ... (an array of size) where there are several sizes.
column_grid <- function(prefix, ...) {
  size <- c(...)
  if (length(size) == 1L) return(sprintf("%s%d", prefix, seq_len(size)))
  at <- arrayInd(seq_len(prod(size)), size)
  array(paste0(prefix, apply(at, 1L, paste, collapse = "_")), size)
}

as_columns <- function(names, expressions) stats::setNames(as.vector(expressions), names)

# columns: expressions, with names; those without one are columns that are passed on.
select_sql <- function(columns, from, where = NULL) {
  names <- names(columns)
  if (is.null(names)) names <- rep("", length(columns))
  list <- ifelse(names == "", columns, paste(columns, "AS", names))
  paste0("SELECT ", paste(list, collapse = ", "), "\nFROM ", from,
         if (!is.null(where)) paste("\nWHERE", where))
}

sub_select <- function(columns, from, dialect, where = NULL) {
  sprintf("(%s%s) AS q", select_sql(columns, from, where), dialect$fence)
}

# SQLite takes 127 arguments.
largest_of <- function(columns, dialect) {
  if (length(columns) == 1L) return(columns)
  if (length(columns) > 100L) {
    parts <- split(columns, (seq_along(columns) - 1L) %/% 100L)
    columns <- vapply(parts, largest_of, "", dialect)
  }
  sprintf("%s(%s)", dialect$greatest, paste(columns, collapse = ", "))
}

sum_of <- function(terms) paste(terms, collapse = " + ")

# ---- densities -------------------------------------------------------------------------

# params: proportions (k), means (k x d), covariances (d x d x k). shift: added to log-densities.
# Value: logc, and factor, the d x d x k lower triangles that differences are multiplied by; what is
# too small to count is 0 there, as its products may underflow.
sql_factors <- function(params, shift = 0) {
  d <- ncol(params$means)
  k <- nrow(params$means)
  factor <- array(0, c(d, d, k))
  logc <- numeric(k)
  for (j in seq_len(k)) {
    root <- t(chol(matrix(params$covariances[, , j], d)))
    inverse <- forwardsolve(root, diag(d)) / sqrt(2)
    inverse[abs(inverse) * rep(sqrt(rowSums(root^2)), each = d) < 1e-30] <- 0
    factor[, , j] <- inverse
    logc[j] <- log(params$proportions[j]) - d / 2 * log(2 * pi) - sum(log(diag(root))) + shift
  }
  list(logc = pmax(logc, out_of_reach), factor = factor)
}

out_of_reach <- -1e300 # the log-density of a component that a row can't belong to

# Rows x1, x2, ... in `from` -> a sub-select of `keep` and l1, l2, ...; with `centred` also of c.
# labels: text that stands for each label in the column g; NULL: there are none.
densities_sql <- function(from, params, factors, keep, dialect, centred = FALSE, labels = NULL) {
  k <- nrow(params$means)
  d <- ncol(params$means)
  apart <- column_grid("c", k, d)
  minus <- sprintf("%s - %s", rep(column_grid("x", d), each = k), number_sql(params$means))
  noise <- if (!is.null(params$noise)) "noise"
  first <- c(keep, as_columns(apart, minus), noise = if (length(noise)) noise_sql(params))
  from <- sub_select(first, from, dialect)
  keep <- c(keep, if (centred) apart)
  z <- column_grid("z", k, d)
  solved <- vapply(seq_len(k), solved_sql, character(d), factors, apart)
  solved <- matrix(solved, k, byrow = TRUE)
  from <- sub_select(c(keep, noise, as_columns(z, solved)), from, dialect)
  squares <- apply(array(paste(z, "*", z), dim(z)), 1L, sum_of)
  terms <- c(sprintf("%s - (%s)", number_sql(factors$logc), squares), noise)
  if (!is.null(labels)) { # a label leaves one component
    own <- c(sprintf(" OR g = %s", labels), rep("", length(terms) - length(labels)))
    terms <- sprintf("CASE WHEN g IS NULL%s THEN %s ELSE %s END", own, terms,
                     number_sql(out_of_reach))
  }
  sub_select(c(keep, as_columns(column_grid("l", length(terms)), terms)), from, dialect)
}

# The z of component j, by its c.
solved_sql <- function(j, factors, apart) {
  vapply(seq_len(ncol(apart)), function(a) {
    used <- which(factors$factor[a, , j] != 0)
    sum_of(paste(number_sql(factors$factor[a, used, j]), "*", apart[j, used]))
  }, "")
}

# The box of the noise, wider by rounding: a row on its edge must be inside, though engines read
# numbers and compute differences with an error in the last digit.
wider_box <- function(params) {
  limits <- params$noise$limits
  if (is.null(limits)) return(params)
  slack <- 8 * .Machine$double.eps * pmax(abs(limits[1L, ]), abs(limits[2L, ]))
  params$noise$limits <- limits + rbind(-slack, slack)
  params
}

# The log-density of the noise at x1, x2, ..., with its proportion.
noise_sql <- function(params) {
  k <- nrow(params$means)
  log_density <- log(params$proportions[[k + 1L]]) - params$noise$log_volume
  value <- number_sql(max(log_density, out_of_reach))
  limits <- params$noise$limits
  if (is.null(limits)) return(value)
  inside <- sprintf("%s BETWEEN %s AND %s", column_grid("x", ncol(limits)),
                    number_sql(limits[1L, ]), number_sql(limits[2L, ]))
  sprintf("CASE WHEN %s THEN %s ELSE %s END", paste(inside, collapse = " AND "), value,
          number_sql(out_of_reach))
}

# l1, l2, ... -> m, e1, e2, ... beside `keep`, among which l may be.
relative_sql <- function(from, k, keep, dialect) {
  l <- column_grid("l", k)
  from <- sub_select(c(union(keep, l), m = largest_of(l, dialect)), from, dialect)
  e <- sprintf("CASE WHEN %1$s - m <= -120 THEN 0e0 ELSE EXP(%1$s - m) END", l)
  sub_select(c(keep, "m", as_columns(column_grid("e", k), e)), from, dialect)
}

log_density_sql <- function(k, dialect) {
  sprintf("m + %s", sprintf(dialect$ln, sum_of(column_grid("e", k))))
}

# ---- the E-step ------------------------------------------------------------------------

# The queries for the sums of an E-step, none with more columns than the engine allows.
# rows: a sub-select of x1, x2, ..., and of w and g where there are weights and labels; params: in
# the units of x; shift: see sql_factors(); shared: one scatter for all components; diagonal: only
# its diagonal. The first column of each query is the number of rows; the others are, in order,
#   nk (k), nk2 (k, only with weights), sum (d x k), scatter (of each component, or the shared one:
#   lower triangle by columns, or diagonal), log-likelihood, weight, and with noise its weight
statistics_sql <- function(rows, params, shift, shared, diagonal, weighted, labels, dialect) {
  k <- nrow(params$means)
  d <- ncol(params$means)
  terms <- k + !is.null(params$noise)
  apart <- column_grid("c", k, d)
  all <- column_grid("r", terms)
  r <- all[seq_len(k)]
  u <- column_grid("u", k, d)
  times <- if (weighted) "w * " else ""
  pass <- c(if (weighted) "w", apart)
  from <- densities_sql(rows, params, sql_factors(params, shift),
                        c(if (weighted) "w", if (!is.null(labels)) "g"), dialect, TRUE, labels)
  from <- relative_sql(from, terms, pass, dialect)
  e <- column_grid("e", terms)
  share <- sprintf("%s%s / (%s)", times, e, sum_of(e))
  density <- sprintf("%s(%s)", times, log_density_sql(terms, dialect))
  from <- sub_select(c(pass, as_columns(all, share), f = density), from, dialect)
  from <- sub_select(c(pass, all, "f", as_columns(u, paste(r, "*", apart))), from, dialect)
  at <- if (diagonal) cbind(seq_len(d), seq_len(d)) else which(lower_triangle(d), arr.ind = TRUE)
  scatter <- matrix(paste(t(u)[at[, 1L], ], "*", t(apart)[at[, 2L], ]), nrow(at))
  if (shared) scatter <- apply(scatter, 1L, sum_of)
  sums <- sprintf("SUM(%s)", c(r, if (weighted) paste("w *", r), t(u), scatter, "f"))
  sums <- c(sums, if (weighted) "SUM(w)" else count_sql(dialect),
            if (terms > k) sprintf("SUM(%s)", all[terms]))
  aggregate_sql(sums, from, dialect)
}

# Sums over the rows of a sub-select, in as many queries as the engine's columns ask for, each of
# which begins with the number of rows.
aggregate_sql <- function(expressions, from, dialect) {
  part <- (seq_along(expressions) - 1L) %/% (dialect$columns - 1L)
  lapply(unname(split(expressions, part)), function(some) {
    select_sql(c(n = count_sql(dialect), as_columns(column_grid("s", length(some)), some)), from)
  })
}

# Columns of the widest sub-select.
statistics_width <- function(k, d) 2 * k * d + k + 4

# A double: drivers give counts in several types.
count_sql <- function(dialect) sprintf(dialect$double, "COUNT(*)")

lower_triangle <- function(d) lower.tri(diag(d), diag = TRUE)

# ---- scores ----------------------------------------------------------------------------

# Arguments as gmm_sql() has checked them.
score_sql <- function(fit, table, columns, type, keep, threshold, dialect) {
  names <- class_names(fit)
  k <- length(names)
  factors <- sql_factors(fit)
  kept <- column_grid("k", length(keep))
  l <- column_grid("l", k)
  e <- column_grid("e", k)
  sd <- apply(fit$covariances, 3L, function(v) sqrt(diag(as.matrix(v))))
  sd <- apply(matrix(sd, ncol(fit$means)), 1L, min)
  from <- sub_select(c(as_columns(kept, quote_name(keep, dialect)),
                       as_columns(column_grid("x", length(columns)),
                                  near_columns(columns, sd, dialect))), table, dialect)
  fit$means[abs(fit$means) < rep(negligible * sd, each = fit$k)] <- 0
  # The distance from a component of proportion 0 can't be told from its l.
  empty <- if ("mahalanobis" %in% type) which(factors$logc <= out_of_reach)
  apart <- column_grid("c", fit$k, ncol(fit$means))
  pass <- c(kept, if (length(empty)) apart)
  from <- densities_sql(from, wider_box(fit), factors, kept, dialect, length(empty) > 0L)
  from <- relative_sql(from, k, c(pass, l), dialect)
  best <- sprintf("CASE %s END", paste(sprintf("WHEN %s >= m THEN %d", l, seq_len(k)),
                                       collapse = " "))
  from <- sub_select(c(pass, l, "m", e, b = best, s = sum_of(e)), from, dialect)
  gaussians <- seq_len(fit$k)
  distance <- sprintf("2e0 * (%s - %s)", number_sql(factors$logc), l[gaussians])
  for (j in empty) {
    z <- solved_sql(j, factors, apart)
    distance[j] <- sprintf("2e0 * (%s)", sum_of(sprintf("(%1$s) * (%1$s)", z)))
  }
  density <- sprintf("m + %s", sprintf(dialect$ln, "s"))
  answer <- lapply(type, function(type) {
    expression <- switch(type,
      class = sprintf("CASE b %s END", paste(
        sprintf("WHEN %d THEN %s", seq_len(k), quote_text(names, dialect)), collapse = " ")),
      prob = paste(e, "/ s"),
      logdensity = density,
      component = l,
      mahalanobis = distance,
      uncertainty = sprintf("(%s) / s", sum_of(sprintf("CASE b WHEN %d THEN 0e0 ELSE %s END",
                                                       seq_len(k), e))),
      anomaly = sprintf("CASE WHEN %1$s < %2$s THEN 1 WHEN %1$s >= %2$s THEN 0 END", density,
                        number_sql(threshold))
    )
    each <- switch(type, prob = , component = names, mahalanobis = names[gaussians])
    name <- if (is.null(each)) type else paste0(type, "_", each)
    both <- intersect(keep, name)
    if (length(both)) {
      gmm_abort("argument", sprintf("`keep` has %s, which is a name of the answer, too.",
                                    some(backtick(both))), "Rename the column in a view.")
    }
    as_columns(quote_name(name, dialect), expression)
  })
  DBI::SQL(select_sql(c(as_columns(quote_name(keep, dialect), kept), unlist(answer)), from))
}

# The variables as doubles: NULL where a square could overflow, 0 where one could underflow.
near_columns <- function(columns, sd, dialect) {
  name <- quote_name(columns, dialect)
  value <- sprintf(dialect$double, name)
  test <- sprintf("ABS(%s) <= %s", value, number_sql(pmin(1e140 * sd, 1e300)))
  if (!is.null(dialect$number)) test <- paste(sprintf(dialect$number, name), "AND", test)
  sprintf("CASE WHEN %s THEN %s END", test, no_less_sql(value, negligible * sd))
}

negligible <- 1e-100 # in units of a standard deviation, or of a mean weight

# A number, 0 where its absolute value is less than `least`.
no_less_sql <- function(value, least) {
  sprintf("CASE WHEN ABS(%1$s) < %2$s THEN 0e0 ELSE %1$s END", value, number_sql(least))
}

# A table as it stands after FROM.
table_sql <- function(table, dialect, arg = "table") {
  known <- is_string(table) && nzchar(table) || inherits(table, "Id")
  if (!known) {
    gmm_abort("argument", must_be(arg, "the name of a table, or DBI::Id() or DBI::SQL()", table))
  }
  as.character(quote_name(table, dialect))
}

# Names of columns: text, each once; n of them where n is known.
check_columns <- function(names, arg, n = NULL) {
  ok <- is.character(names) && length(names) > 0L && !anyNA(names) && all(nzchar(names))
  if (!ok || !is.null(n) && length(names) != n) {
    gmm_abort("argument", must_be(arg, if (is.null(n)) "names of columns"
                                  else paste("the names of", plural(n, "column")), names))
  }
  refuse_twice(unique(names[duplicated(names)]), arg)
}
