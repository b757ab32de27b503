# The table of routines in src/init.c against their definitions in src/ and their uses in R/: every
# routine is defined, registered and called with the same number of arguments.

read_all <- function(files) paste(unlist(lapply(files, readLines)), collapse = "\n")

captures <- function(pattern, text) {
  found <- regmatches(text, gregexpr(pattern, text, perl = TRUE))[[1]]
  do.call(rbind, lapply(regmatches(found, regexec(pattern, found, perl = TRUE)), `[`, -1))
}

count_args <- function(args) {
  if (trimws(args) %in% c("", "void")) 0L else lengths(strsplit(args, ","))
}

entries <- captures("ROUTINE\\((ffi_\\w+),\\s*(\\d+)\\)", read_all("src/init.c"))
registered <- setNames(as.integer(entries[, 2]), entries[, 1])

definitions <- captures("(?m)^(?:attribute_hidden )?SEXP\\s+(ffi_gmm_\\w+)\\s*\\(([^)]*)\\)\\s*\\{",
                        read_all(list.files("src", "\\.c$", full.names = TRUE)))
defined <- setNames(vapply(definitions[, 2], count_args, 0L), definitions[, 1])

called <- list()
walk <- function(e) {
  if (is.call(e) && identical(e[[1]], quote(.Call))) {
    called[[length(called) + 1]] <<- setNames(length(e) - 2L, deparse(e[[2]]))
  }
  if (is.recursive(e)) for (part in as.list(e)) if (!missing(part)) walk(part)
}
for (e in parse("R/engine.R")) walk(e)
called <- unlist(called)

# What is wrong with `counts` of arguments, named by routine, beside the registered ones.
compare <- function(counts, verb) {
  name <- names(counts)
  expected <- registered[name]
  c(sprintf("%s is %s, but not registered", name[is.na(expected)], verb),
    sprintf("%s is %s with %d arguments and registered with %d", name, verb, counts, expected)[
      !is.na(expected) & counts != expected
    ])
}

problems <- c(
  sprintf("%s is registered twice", names(registered)[duplicated(names(registered))]),
  sprintf("%s is registered, but not defined", setdiff(names(registered), names(defined))),
  sprintf("%s is registered, but never called", setdiff(names(registered), names(called))),
  compare(defined, "defined"),
  compare(called, "called")
)
if (length(problems)) {
  cat(sprintf("src/init.c: %s\n", problems), sep = "")
  quit(status = 1)
}
cat(sprintf("init: %d routines are defined, registered and called alike\n", length(registered)))
