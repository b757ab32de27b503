# Runs demo("gaussmix") without pauses, draws its pictures into demo-output, and writes two pages
# there: the demo as a document, with its prints and pictures, and the report on a choice among
# models of iris.
library(gaussmix)
dir.create("demo-output", showWarnings = FALSE)
unlink(Sys.glob("demo-output/*"))

png("demo-output/%02d.png", width = 1000, height = 800, res = 130)
demo("gaussmix", package = "gaussmix", ask = FALSE)
invisible(dev.off())

# The demo's source with a head, as litedown turns it into a page: lines that begin by #' are text.
demo_page <- function(file) {
  head <- c(
    "#' ---", "#' title: gaussmix at work", "#' output:", "#'   html:", "#'     meta:",
    "#'       css: [\"report.css\"]", "#'       lang: en", "#'     options:",
    "#'       embed_resources: [\"local\"]", "#'       js_math: false",
    "#'       js_highlight: false", "#'       toc: true", "#' ---", "#'",
    "#' What `demo(\"gaussmix\")` does: two data sets and a simulated one are fitted and used.", "",
    "#| include: false",
    "litedown::reactor(fig.width = 7.5, fig.height = 6.5,",
    "  fig.alt = \"The picture that the last line of code above draws\",",
    "  dev.args = list(units = \"in\", res = 144))", "",
    "#' The package, and the seed that makes it the same each time:", ""
  )
  folder <- tempfile("demo")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  invisible(file.copy(system.file("report", "report.css", package = "gaussmix"), folder))
  source <- file.path(folder, "demo.R")
  writeLines(c(head, readLines("demo/gaussmix.R")), source)
  page <- file.path(folder, "demo.html")
  litedown::fuse(source, page, envir = new.env(parent = globalenv()), quiet = TRUE)
  file.copy(page, file, overwrite = TRUE)
  file
}

page <- demo_page("demo-output/demo.html")
set.seed(1)
report <- gmm_report(gmm_select(iris[1:4], k = 1:5), "demo-output/report.html",
                     title = "iris: which mixture")

cat("\nThe pictures:\n", paste0("  ", normalizePath(Sys.glob("demo-output/*.png")), "\n"), sep = "")
cat("The demo as a page:\n  ", normalizePath(page), "\n", sep = "")
cat("The report on iris:\n  ", normalizePath(report), "\n", sep = "")
