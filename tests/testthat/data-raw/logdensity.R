# Log densities to 400 digits.
#
# Run in this folder: Rscript logdensity.R (needs jsonlite, and Debian's python3-mpmath and
# python3-numpy; set PYTHON for another interpreter). Writes ../fixtures/logdensity.rds. The work is
# done by logdensity.py, which says what a case holds.

output <- tempfile(fileext = ".json")
status <- system2(Sys.getenv("PYTHON", "/usr/bin/python3"), c("logdensity.py", output))
stopifnot(status == 0)
results <- jsonlite::fromJSON(output)
results$script <- "data-raw/logdensity.R"
results$date <- format(Sys.Date())
saveRDS(results, "../fixtures/logdensity.rds", version = 3, compress = "xz")
