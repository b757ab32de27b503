# Runs demo("gaussmix") without pauses and draws its pictures into demo-output.
dir.create("demo-output", showWarnings = FALSE)
unlink(Sys.glob("demo-output/*.png"))

png("demo-output/%02d.png", width = 1000, height = 800, res = 130)
demo("gaussmix", package = "gaussmix", ask = FALSE)
invisible(dev.off())

cat("\nThe pictures:\n", paste0("  ", normalizePath(Sys.glob("demo-output/*.png")), "\n"), sep = "")
