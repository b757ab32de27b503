library(gaussmix)
set.seed(1)

#' ## Old Faithful: length of 272 eruptions, and waiting time to the next
#'
#' BIC (lower is better) of one, two and three components: there are two groups.

fits <- lapply(1:3, function(k) gmm(faithful, k = k))
sapply(fits, BIC)

fit <- gmm(faithful, k = 2)
fit
coef(fit, type = "list")$means

#' Which group is each eruption in: hard, the more probable one, or soft, with what probability?

head(predict(fit))
round(head(predict(fit, type = "prob")), 3)
predict(fit, data.frame(eruptions = 3, waiting = 66), type = "prob")
plot(fit, main = "Old Faithful: two kinds of eruption")

#' One variable alone: the density, its quartiles, the probability of waiting above an hour.

waiting <- gmm(~ waiting, faithful, k = 2)
qgmm(c(0.25, 0.5, 0.75), waiting)
pgmm(60, waiting, lower.tail = FALSE)
plot(waiting, xlab = "minutes to the next eruption")

#' ## iris: 150 flowers, four measures; the species are not told

flowers <- gmm(iris[1:4], k = 3)
flowers
table(species = iris$Species, component = predict(flowers))

#' The five flowers that the mixture is least sure of.

unsure <- order(predict(flowers, type = "uncertainty"), decreasing = TRUE)[1:5]
data.frame(species = iris$Species[unsure], round(predict(flowers, type = "prob")[unsure, ], 2),
           check.names = FALSE)
plot(flowers, main = "iris: three components")

#' ## A known mixture: two elongated parallel groups and a round one

elongated <- matrix(c(2, 1, 1, 0.9), 2)
truth <- gmm_params(
  proportions = c(0.42, 0.38, 0.2),
  means = rbind(c(x = 3, y = -1), c(x = 0, y = 0), c(x = -1.5, y = 3)),
  covariances = array(c(elongated, elongated, 0.25 * diag(2)), c(2, 2, 3))
)
x <- rgmm(1250, truth)
table(component = attr(x, "component"))

#' Which shape of covariance, and how many components? All are compared, by BIC and other criteria.

choice <- gmm_select(x, k = 1:6, covariance = c("full", "tied", "diag", "spherical"))
summary(choice)
plot(choice)

#' The model chosen recovers what the rows were drawn from.

found <- gmm_best(choice)
found
round(cbind(true = truth$proportions, fitted = found$proportions), 3)
round(data.frame(true = truth$means, fitted = found$means), 2)
round(data.frame(true = truth$covariances[, , 1], fitted = found$covariances[, , 1]), 2)
mean(predict(found) == attr(x, "component")) # share of the rows put into their true group
plot(found, main = "1,250 rows in three groups, recovered")
plot(truth, main = "The mixture that they were drawn from")

#' Log-densities, close by and far out; the probability of a box; how sure the first mean is; six
#' new rows, and the component that each comes from.

predict(found, cbind(x = c(0, 3, 1000), y = c(0, 3, 1000)), type = "logdensity")
box <- gmm_region(found, lower = c(x = -1, y = -1), upper = c(x = 1, y = 1))
box
plot(box)
confint(found, parm = c("mean.1.x", "mean.1.y"))
rgmm(6, found)

#' ## Anomalies: the rows of lowest density, 4 % of those fitted

odd <- gmm_anomaly(found, rate = 0.04)
odd
plot(odd)

#' Novelty: setosa flowers alone are fitted; are the others told from them?

setosa <- iris$Species == "setosa"
new <- gmm_anomaly(gmm(iris[setosa, 1:4], k = 1), iris[1:4], truth = !setosa)
new
plot(new, what = "curve")

#' ## Likelihood: one function, two cuts
#'
#' Two normals at -4 and 1 with equal proportions; theta is their common standard deviation. For a
#' fixed theta it is the density of x, for a fixed x the likelihood of theta.

model <- function(theta) gmm_params(c(0.5, 0.5), c(-4, 1), c(theta, theta)^2)
likelihood <- gmm_likelihood(model, x = 2.5, theta = seq(0.4, 5, by = 0.02))
likelihood
plot(likelihood, at = 1.3, interval = c(-2, 2))
