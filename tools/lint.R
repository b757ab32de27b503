# lintr by .lintr over the package, its tools and its benchmarks; fails if it finds anything.
found <- c(lintr::lint_package("."), lintr::lint_dir("tools"), lintr::lint_dir("bench"))
class(found) <- "lints"
if (length(found)) {
  print(found)
  quit(status = 1)
}
cat("lintr: nothing found\n")
