# Draws the pictures of README.md into figures/.
library(gaussmix)
dir.create("figures", showWarnings = FALSE)

picture <- function(file) png(file.path("figures", file), width = 1600, height = 720, res = 140)

set.seed(1)
picture("faithful.png")
par(mfrow = c(1, 2), mar = c(5, 4, 3, 1))
plot(gmm(faithful, k = 2), main = "Old Faithful: two kinds of eruption", sub = "")
plot(gmm(~ waiting, faithful, k = 2), main = "One variable", xlab = "minutes to the next eruption")
invisible(dev.off())

picture("choice.png")
plot(gmm_select(iris[1:4], k = 1:6))
invisible(dev.off())
