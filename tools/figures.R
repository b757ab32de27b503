# Draws the pictures of README.md into figures/.
library(gaussmix)
dir.create("figures", showWarnings = FALSE)

set.seed(1)
png("figures/faithful.png", width = 1600, height = 720, res = 140)
par(mfrow = c(1, 2), mar = c(5, 4, 3, 1))
plot(gmm(faithful, k = 2), main = "Old Faithful: two kinds of eruption")
plot(gmm(~ waiting, faithful, k = 2), main = "One variable", xlab = "minutes to the next eruption")
invisible(dev.off())
