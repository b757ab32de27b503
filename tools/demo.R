# Runs demo("gaussmix") without pauses, draws its pictures into demo-output, and writes a report
# there: the model of iris that is chosen among numbers of components and families.
library(gaussmix)
dir.create("demo-output", showWarnings = FALSE)
unlink(Sys.glob("demo-output/*"))

png("demo-output/%02d.png", width = 1000, height = 800, res = 130)
demo("gaussmix", package = "gaussmix", ask = FALSE)
invisible(dev.off())

cat("\nThe pictures:\n", paste0("  ", normalizePath(Sys.glob("demo-output/*.png")), "\n"), sep = "")

set.seed(1)
page <- gmm_report(gmm_select(iris[1:4], k = 1:5), "demo-output/report.html",
                   title = "iris: which mixture")
cat("The report:\n  ", normalizePath(page), "\n", sep = "")
