# Measures gaussmix beside its peers; README.md tells what and how.
#
# Run in the project's folder: make bench, or
#   Rscript bench/run.R [rounds=N] [part ...]     all parts, or those named (run.R parts lists them)
#
# The measurements of a part replace those of its last run in results/measured.csv; the table in
# README.md and results/targets.svg are made of all that are there.

stopifnot(file.exists("bench/run.R"))
for (file in c("common", "iterations", "fits", "scoring", "scale", "grid", "targets")) {
  source(file.path("bench", paste0(file, ".R")))
}

given <- commandArgs(trailingOnly = TRUE)
is_rounds <- startsWith(given, "rounds=")
rounds <- as.integer(sub("rounds=", "", given[is_rounds]))
chosen <- given[!is_rounds]
if (identical(chosen, "parts")) {
  cat(names(parts), fill = 80)
  quit()
}
if (length(chosen) == 0L) chosen <- names(parts)
unknown <- setdiff(chosen, names(parts))
if (length(unknown)) stop("no such part: ", paste(unknown, collapse = ", "))
chosen <- runnable(chosen)
if (length(chosen) == 0L) quit(status = 1)
if (as.numeric(machine$load) > 0.3) {
  message("Others use this machine (load ", machine$load, "): times will be too long.")
}

for (part_name in chosen) {
  chosen_part <- parts[[part_name]]
  chosen_part$run(if (length(rounds)) rounds else chosen_part$rounds)
}
report()
