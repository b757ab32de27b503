# Builds the vignettes into doc/, each a self-contained page.
dir.create("doc", showWarnings = FALSE)
for (source in list.files("vignettes", "\\.Rmd$", full.names = TRUE)) {
  page <- file.path("doc", sub("\\.Rmd$", ".html", basename(source)))
  litedown::fuse(source, page, envir = new.env(parent = globalenv()), quiet = TRUE)
  cat(normalizePath(page), "\n")
}
