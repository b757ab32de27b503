# Frozen results of scikit-learn on the cases of cases.R.
#
# Run in this folder: Rscript sklearn.R (needs jsonlite, and Debian's python3-sklearn; set PYTHON
# for another interpreter). Writes ../fixtures/sklearn.rds. The work is done by sklearn_em.py.

input <- tempfile(fileext = ".json")
output <- tempfile(fileext = ".json")
cases <- readRDS("../fixtures/cases.rds")
writeLines(jsonlite::toJSON(cases, digits = NA), input)
status <- system2(Sys.getenv("PYTHON", "/usr/bin/python3"), c("sklearn_em.py", input, output))
stopifnot(status == 0)
results <- jsonlite::fromJSON(output)
results$script <- "data-raw/sklearn.R"
results$date <- format(Sys.Date())
saveRDS(results, "../fixtures/sklearn.rds", version = 3, compress = "xz")
