# Rules of the sources that no compiler checks; fails and shows the lines that break one.

# Lines with comments and string literals blanked out, so that words in them don't count.
code_lines <- function(file) {
  text <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
  string <- "\"(?:\\\\.|[^\"\\\\])*\""
  include <- paste0("#\\s*include\\s*", string, "(*SKIP)(*F)")
  pattern <- if (grepl("\\.[ch]$", file)) {
    paste0("(?s)", include, "|/\\*.*?\\*/|//[^\\n]*|'(?:\\\\.|[^'\\\\])'|", string)
  } else {
    paste0("#[^\\n]*|'(?:\\\\.|[^'\\\\])*'|", string)
  }
  at <- gregexpr(pattern, text, perl = TRUE)
  regmatches(text, at) <- lapply(regmatches(text, at), function(s) gsub("[^\n]", " ", s))
  strsplit(text, "\n", fixed = TRUE)[[1]]
}

core <- list.files("src/core", "\\.[ch]$", full.names = TRUE)
c_files <- list.files("src", "\\.[ch]$", full.names = TRUE, recursive = TRUE)
r_files <- list.files("R", "\\.R$", full.names = TRUE)

rules <- list(
  list("core/ includes R's headers only in blas.h", setdiff(core, "src/core/blas.h"),
       "#\\s*include\\s*[<\"]R"),
  list("core/ includes nothing above it", core, "#\\s*include\\s*\"\\.\\./"),
  list("core/ does not know R", core,
       "\\b(SEXP|R_alloc|Rprintf|REprintf|(unif|norm|exp)_rand)\\b|\\bRf_"),
  list("core/ works in its caller's memory", core, "\\b(malloc|calloc|realloc|free|alloca)\\s*\\("),
  list("core/ prints nothing", core, "\\b(f?printf|f?puts|putchar)\\s*\\("),
  list("core/ returns a status and never stops the process", core, "\\b(abort|exit|assert)\\s*\\("),
  list("core/ draws by its own generator", core, "\\b(s?rand|drand48|random)\\s*\\("),
  list("OpenMP's settings belong to the session", c_files, "\\bomp_set_"),
  list("a parallel region states num_threads()", c_files,
       "#\\s*pragma\\s+omp\\s+parallel(?!.*(num_threads|\\\\$))"),
  list("results do not lean on extended precision", c_files, "\\blong\\s+double\\b"),
  list("a function without arguments is f(void)", c_files, "^[a-zA-Z][\\w *]*\\w\\(\\)\\s*[;{]"),
  list(".Call() is for R/engine.R", setdiff(r_files, "R/engine.R"),
       "\\.(Call|External|C|Fortran)\\("),
  list("TRUE and FALSE are spelt out", r_files, "(?<![\\w.$@])[TF](?![\\w.(])")
)

broken <- 0
for (rule in rules) {
  for (file in rule[[2]]) {
    for (i in grep(rule[[3]], code_lines(file), perl = TRUE)) {
      cat(sprintf("%s:%d: %s\n  %s\n", file, i, rule[[1]], trimws(readLines(file)[i])))
      broken <- broken + 1
    }
  }
}

# A second function of the same name would take the place of the first, in silence.
defined <- lapply(r_files, function(file) {
  at <- grep("^[\\w.]+ <- ", code_lines(file), perl = TRUE, value = TRUE)
  sub(" <- .*", "", at)
})
where <- split(rep(r_files, lengths(defined)), unlist(defined))
for (name in names(where)[lengths(where) > 1L]) {
  cat(sprintf("%s: a name is defined once, and this is in %s\n", name,
              paste(where[[name]], collapse = ", ")))
  broken <- broken + 1
}
if (broken > 0) quit(status = 1)
cat(sprintf("rules: %d C files and %d R files keep them\n", length(c_files), length(r_files)))
