# Real engines for the tests: SQLite in memory, PostgreSQL servers of our own in temporary folders,
# DuckDB where it is installed.

has <- function(package) requireNamespace(package, quietly = TRUE)

# ---- PostgreSQL ------------------------------------------------------------------------

postgres_bin <- function() {
  bins <- c(dirname(Sys.which("initdb")), rev(Sys.glob("/usr/lib/postgresql/*/bin")))
  bins[file.exists(file.path(bins, "initdb"))][1L]
}

# A server refuses to run as root, so then it runs as the user postgres.
postgres_run <- function(program, args) {
  command <- c(file.path(postgres_bin(), program), args)
  root <- identical(system2("id", "-u", stdout = TRUE), "0")
  if (root) {
    command <- c("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", command)
  }
  system2(command[1L], command[-1L], stdout = FALSE, stderr = FALSE)
}

# The folder holds the data and the socket; the server listens nowhere else.
postgres_server <- function() {
  server <- new.env()
  server$dir <- tempfile("gaussmix-pg", dirname(tempdir()))
  dir.create(server$dir, mode = "0700")
  if (identical(system2("id", "-u", stdout = TRUE), "0")) {
    system2("chown", c("postgres", server$dir))
  }
  data <- file.path(server$dir, "data")
  options <- sprintf("\"-c listen_addresses='' -c fsync=off -c shared_buffers=16MB -k %s\"",
                     server$dir)
  server$start <- function() {
    postgres_run("pg_ctl", c("start", "-w", "-D", data, "-l", file.path(server$dir, "log"), "-o",
                             shQuote(gsub("\"", "", options))))
  }
  server$stop <- function() postgres_run("pg_ctl", c("stop", "-m", "immediate", "-D", data))
  server$pid <- function() readLines(file.path(data, "postmaster.pid"), 1L)
  reg.finalizer(server, function(server) {
    server$stop()
    unlink(server$dir, recursive = TRUE)
  }, onexit = TRUE)
  ok <- postgres_run("initdb", c("-D", data, "-A", "trust", "-U", "gaussmix", "--no-sync")) == 0 &&
    server$start() == 0
  if (ok) server
}

servers <- new.env()

# The first or second server, begun where it is first asked for.
postgres <- function(number = 1L) {
  testthat::skip_on_cran()
  if (is.na(postgres_bin())) testthat::skip("PostgreSQL is not installed")
  if (length(postgres_drivers()) == 0L) testthat::skip("no driver for PostgreSQL is installed")
  name <- paste0("server", number)
  if (is.null(servers[[name]])) servers[[name]] <- postgres_server()
  if (is.null(servers[[name]])) stop("PostgreSQL is installed, but a server does not start")
  servers[[name]]
}

postgres_drivers <- function() Filter(has, c("RPostgres", "RPostgreSQL"))

postgres_connect <- function(server = postgres(), driver = postgres_drivers()[1L]) {
  drv <- if (driver == "RPostgres") RPostgres::Postgres() else RPostgreSQL::PostgreSQL()
  con <- DBI::dbConnect(drv, host = server$dir, user = "gaussmix", dbname = "postgres")
  DBI::dbExecute(con, "SET client_min_messages = error")
  con
}

# ---- all engines -----------------------------------------------------------------------

sqlite_connect <- function(file = ":memory:") {
  testthat::skip_if_not_installed("RSQLite")
  DBI::dbConnect(RSQLite::SQLite(), file)
}

# f(con) for a connection to each engine that is there, by each driver.
for_each_engine <- function(f) {
  run <- function(con) {
    on.exit(DBI::dbDisconnect(con))
    f(con)
  }
  run(sqlite_connect())
  if (has("duckdb")) run(DBI::dbConnect(getExportedValue("duckdb", "duckdb")()))
  server <- postgres()
  for (driver in postgres_drivers()) run(postgres_connect(server, driver))
}

write_table <- function(con, name, frame) {
  DBI::dbExecute(con, paste("DROP TABLE IF EXISTS", DBI::dbQuoteIdentifier(con, name)))
  DBI::dbWriteTable(con, name, as.data.frame(frame), row.names = FALSE)
}
