# Draws every picture of the package into gallery/, a PNG a picture. They are to be looked at.
#
#   Rscript tools/gallery.R [filter]     filter: a regular expression on the names of the pictures

library(gaussmix)
filter <- commandArgs(trailingOnly = TRUE)
dir.create("gallery", showWarnings = FALSE)

# Evaluates an expression with a device open, and the same random numbers for each picture.
picture <- function(name, expr, width = 7, height = 6) {
  if (length(filter) && !grepl(filter[1L], name)) return(invisible())
  png(file.path("gallery", paste0(name, ".png")), width, height, units = "in", res = 110)
  on.exit(dev.off())
  set.seed(1)
  force(expr)
  cat(name, "\n")
}

options(warn = 1)
set.seed(1)
geyser <- gmm(faithful, k = 2)
geyser4 <- gmm(faithful, k = 4)
flowers <- gmm(iris[1:4], k = 3)
species <- gmm(iris[1:4], k = 3, control = gmm_control(init = iris$Species))
crossed <- gmm_params(c(0.4, 0.35, 0.25), rbind(c(x = 0, y = 0), c(1, 2), c(5, 1)),
                      array(c(4, 1.8, 1.8, 1, 0.3, 0, 0, 3, 1, 0.2, 0.2, 0.5), c(2, 2, 3)))
sample3 <- rgmm(1250, crossed)
fit3 <- gmm(sample3, k = 3)
big <- gmm(rgmm(1e6, crossed), k = 3, control = gmm_control(n_init = 1))
few <- gmm(faithful[c(1:6, 20:23), ], k = 2, covariance = "tied")

# one variable
picture("line", plot(gmm(~ waiting, faithful, k = 2)))
picture("line-density", plot(gmm(~ waiting, faithful, k = 2), "density"))
picture("line-uncertainty", plot(gmm(~ waiting, faithful, k = 2), "uncertainty"))
picture("line-marginal", plot(flowers, dims = "Petal.Length"))
picture("line-many", plot(gmm(rgmm(1e6, gmm_params(c(0.2, 0.5, 0.3), c(-3, 0, 4), c(0.1, 2, 1))),
                              k = 3, control = gmm_control(n_init = 1))))
picture("line-few", plot(gmm(faithful$waiting[1:10], k = 1)))

# two
picture("plane", plot(geyser))
picture("plane-4", plot(geyser4))
picture("plane-three", plot(fit3))
picture("plane-params", plot(crossed))
picture("plane-few", plot(few))
picture("plane-many", plot(big))
picture("plane-marginal", plot(species, dims = c("Sepal.Length", "Petal.Width")))
picture("plane-one", plot(gmm(faithful, k = 1)))
picture("plane-boundaries-of-two", plot(flowers, dims = 1:2, boundaries = TRUE))
picture("plane-plain", plot(geyser, ellipses = NULL, contours = NULL, legend = FALSE))
picture("plane-density", plot(geyser, "density"))
picture("plane-density-many", plot(big, "density", contours = c(0.1, 0.25, 0.5, 0.75, 0.95)))
picture("plane-uncertainty", plot(fit3, "uncertainty"))
picture("plane-uncertainty-many", plot(big, "uncertainty"))
picture("plane-shapes", {
  par(mfrow = c(1, 2))
  for (shape in c("tied", "spherical")) plot(gmm(sample3, k = 3, covariance = shape))
}, width = 12)
picture("plane-families", {
  par(mfrow = c(3, 5), mar = c(2, 2, 3, 0.5))
  for (code in gmm_families()$code) {
    plot(gmm(sample3, k = 3, covariance = code), contours = NULL, legend = FALSE, sub = "",
         main = code, xlab = "", ylab = "")
  }
}, width = 15, height = 9)
picture("families", plot(gmm_families()), width = 10)
picture("families-line", plot(gmm_families(d = 1)), width = 7, height = 3)
picture("plane-colours-recycled", plot(gmm_params(
  rep(1 / 12, 12), cbind(x = rep(1:4, 3), y = rep(1:3, each = 4)), diag(2) / 12,
  covariance = "tied")))
picture("plane-grey", {
  grey <- grey.colors(3, 0, 0.6)
  plot(fit3, col = grey)
})

# more
picture("matrix", plot(flowers), 9, 9)
picture("matrix-names", plot(species), 9, 9)
picture("matrix-density", plot(flowers, "density"), 9, 9)
picture("matrix-uncertainty", plot(flowers, "uncertainty"), 9, 9)
picture("matrix-params", plot(gmm_params(flowers$proportions, flowers$means, flowers$covariances)),
        9, 9)

# how the fit came about
picture("trace", plot(geyser4, "trace"), width = 9, height = 5)
picture("trace-short", plot(geyser, "trace"), width = 9, height = 5)
picture("starts", plot(geyser4, "starts"))
picture("starts-failed", {
  set.seed(4)
  rows <- cbind(x = c(rnorm(8), 50), y = c(rnorm(8), 50))
  failing <- gmm_control(init = "random", n_init = 30)
  plot(suppressWarnings(gmm(rows, k = 2, control = failing)), "starts")
})
picture("starts-spurious", plot(gmm(faithful, k = 6, control = gmm_control(n_init = 20)), "starts"))

# anomalies and regions
odd <- gmm_anomaly(geyser)
set.seed(1)
judged <- gmm_anomaly(gmm(iris[1:50, 1:4], k = 1), iris[1:4], truth = iris$Species != "setosa")
picture("anomaly", plot(odd))
picture("anomaly-line", plot(gmm_anomaly(gmm(~ waiting, faithful, k = 2))))
picture("anomaly-matrix", plot(judged), 9, 9)
picture("anomaly-scores", plot(odd, what = "scores"))
picture("anomaly-curve", plot(judged, what = "curve"), width = 9, height = 5)
picture("anomaly-pvalues", plot(gmm_anomaly(geyser, false_alarm = 0.01), what = "pvalues"))
picture("region", plot(gmm_region(geyser, lower = c(eruptions = 3, waiting = 60),
                                  upper = c(eruptions = 4.5, waiting = 85))))
picture("region-line", plot(gmm_region(gmm(~ waiting, faithful, k = 2), lower = 60, upper = 80)))
picture("hdr", plot(gmm_hdr(geyser, c(0.5, 0.95), n = 1e4)))
picture("hdr-line", plot(gmm_hdr(gmm(~ waiting, faithful, k = 2), c(0.5, 0.95))))

# how sure
picture("profile", plot(profile(geyser)), width = 9, height = 8)
picture("profile-open", plot(profile(geyser4, c("proportion.1", "mean.1.eruptions"))), width = 9)
picture("bootstrap", plot(gmm_boot(geyser, 199)), width = 9, height = 8)
picture("bootstrap-one", plot(gmm_boot(geyser, 199, "weighted"), "proportion.1"))
picture("lrt", plot(gmm_lrt(faithful$waiting, n_boot = 99)), width = 9, height = 5)

# likelihood and choice
if (exists("gmm_likelihood")) {
  two <- function(sd) gmm_params(c(0.5, 0.5), c(-4, 1), c(sd, sd)^2)
  likelihood <- gmm_likelihood(two, x = 2.5, theta = c(0.1, 8))
  picture("likelihood", plot(likelihood, at = 1.3, interval = c(-2, 2)), 10, 9)
  many <- gmm_likelihood(two, rgmm(2000, two(1.5)), seq(0.4, 5, by = 0.02),
                         prior = function(sd) dgamma(sd, shape = 4, rate = 4))
  picture("likelihood-prior", plot(many, parameter = quote(sigma)), 10, 9)
  few <- gmm_likelihood(two, c(2.5, -4.8, 0.3), seq(0.4, 5, by = 0.02),
                        prior = function(sd) dgamma(sd, shape = 4, rate = 4))
  picture("likelihood-prior-few", plot(few), 10, 9)
}
if (exists("gmm_select")) {
  set.seed(1)
  picture("select", plot(gmm_select(faithful, k = 1:6)), width = 11, height = 7)
  four <- c("full", "tied", "diag", "spherical")
  picture("select-four", plot(gmm_select(iris[1:4], 1:9, four)), width = 11, height = 6)
  picture("select-ends", plot(gmm_select(faithful, 2:3, four[1:3]), "AIC"), width = 6)
  picture("select-spurious", plot(gmm_select(faithful[1:60, ], 1:7, four)), width = 11)
  folds <- gmm_select(faithful, k = 1:6, c("full", "tied", "diag", "spherical"), "CV")
  picture("select-cv", plot(folds), width = 11, height = 7)
  merged <- gmm_merge(gmm(faithful, k = 5))
  picture("merge", plot(merged), width = 9, height = 5)
  picture("merge-classes", plot(merged, "classification"))
}

# known classes
petals <- gmm_da(Species ~ Petal.Length + Petal.Width, iris)
picture("classes", plot(petals))
picture("classes-matrix", plot(gmm_da(Species ~ ., iris)), 9, 9)
picture("classes-line", plot(gmm_da(Species ~ Petal.Width, iris)))
set.seed(1)
picture("classes-mixtures", plot(gmm_da(Species ~ Sepal.Length + Sepal.Width, iris, k = 2)))
