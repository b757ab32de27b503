# plot() on a device that keeps nothing. It must return invisibly and leave the graphical parameters
# as they were. Value: that of plot().
draw <- function(...) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  before <- graphics::par(no.readonly = TRUE)
  value <- withVisible(plot(...))
  expect_false(value$visible)
  kept <- c("mfrow", "mar", "oma", "cex", "xpd", "fig", "new")
  expect_equal(graphics::par(no.readonly = TRUE)[kept], before[kept])
  value$value
}
