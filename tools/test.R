# Runs tests/testthat over the installed package. The last line counts the tests:
# N passed, N failed, N skipped. A test that errs has failed; no test at all is a failure.
#
#   Rscript tools/test.R [filter]     filter: a regular expression on the names of the files

if (!nzchar(Sys.getenv("NOT_CRAN"))) Sys.setenv(NOT_CRAN = "true")
# Else processx, once it is loaded, keeps from package parallel that its children ended.
Sys.setenv(PROCESSX_NOTIFY_OLD_SIGCHLD = "true")
filter <- commandArgs(trailingOnly = TRUE)

results <- tryCatch(
  as.data.frame(testthat::test_dir(
    "tests/testthat",
    filter = if (length(filter)) filter[1],
    package = "gaussmix",
    load_package = "installed",
    reporter = testthat::SummaryReporter$new(
      show_praise = FALSE, omit_dots = TRUE, max_reports = Inf
    ),
    stop_on_failure = FALSE
  )),
  error = function(e) {
    message("The tests stopped: ", conditionMessage(e))
    data.frame(failed = 1, skipped = FALSE, error = TRUE)
  }
)

failed <- sum(results$failed > 0 | results$error)
skipped <- sum(results$skipped & !(results$failed > 0 | results$error))
passed <- nrow(results) - failed - skipped

# Where all can be installed, a skip for want of a real engine must be seen.
if (nzchar(Sys.getenv("CI"))) {
  skips <- Filter(function(x) inherits(x, "expectation_skip"), unlist(results$result, FALSE))
  reasons <- unique(vapply(skips, conditionMessage, ""))
  lacking <- grep("SQLite|PostgreSQL|Rmpi|snow", reasons, value = TRUE)
  if (length(lacking)) {
    message("No real engine: ", paste(lacking, collapse = "; "))
    failed <- failed + 1L
  }
}
if (nrow(results) == 0) message("No test ran.")
cat(sprintf("\n%d passed, %d failed, %d skipped\n", passed, failed, skipped))
quit(status = if (failed > 0 || passed == 0) 1 else 0)
