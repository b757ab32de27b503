# The textbook case: two normals at -4 and 1 with equal proportions, their common standard deviation
# is the parameter.
two_normals <- function(theta) gmm_params(c(0.5, 0.5), c(-4, 1), c(theta, theta)^2)
two_normals_density <- function(x, theta) (dnorm(x, -4, theta) + dnorm(x, 1, theta)) / 2
sds <- seq(0.4, 5, by = 0.05)

one_mean <- function(theta) gmm_params(1, theta, 2)
one_sd <- function(theta) gmm_params(1, 0, theta^2)
flat <- function(theta) 1
five <- c(1.2, -0.7, 3.1, 0.4, 2.2)

test_that("the textbook case: density at theta = 1.3, likelihood of x = 2.5", {
  lik <- gmm_likelihood(two_normals, 2.5, sds)
  # the maximum, by the root of the derivative of the likelihood
  slope <- function(s) {
    part <- function(m) dnorm(2.5, m, s) * ((2.5 - m)^2 / s^3 - 1 / s)
    part(-4) + part(1)
  }
  root <- uniroot(slope, c(1.2, 2), tol = 1e-13)$root
  expect_equal(lik$mle, root, tolerance = 1e-7)
  expect_equal(lik$mle, 1.5, tolerance = 0.01)
  expect_equal(lik$maxima, data.frame(theta = lik$mle, loglik = log(two_normals_density(2.5, root)),
                                      boundary = FALSE), tolerance = 1e-12)

  theta <- c(0.5, 1.3, 4)
  expect_equal(lik$likelihood(theta), two_normals_density(2.5, theta), tolerance = 1e-13)
  expect_equal(lik$loglik(theta), log(two_normals_density(2.5, theta)), tolerance = 1e-13)
  expect_equal(lik$density(theta), t(two_normals_density(2.5, theta)), tolerance = 1e-13)

  # a density of x, not of theta
  expect_equal(lik$integral$x, 1, tolerance = 1e-10)
  area <- integrate(function(s) two_normals_density(2.5, s), 0.4, 5, rel.tol = 1e-10)$value
  expect_equal(exp(lik$integral$log_theta), area, tolerance = 1e-8)
  expect_lt(area, 0.3)

  view <- likelihood_view(lik, 1.3, c(-2, 2), NULL, NULL, quote(theta))
  between <- function(m) pnorm(2, m, 1.3) - pnorm(-2, m, 1.3)
  expect_equal(view$probability, (between(-4) + between(1)) / 2, tolerance = 1e-12)
})

test_that("a mean with known variance: the estimate is the average", {
  lik <- gmm_likelihood(one_mean, five, -3:6)
  expect_equal(lik$mle, mean(five), tolerance = 1e-7)
  theta <- c(-1, 0.3, 2)
  expect_equal(lik$density(theta), outer(five, theta, dnorm, sd = sqrt(2)), tolerance = 1e-13)
  expect_equal(lik$loglik(theta), colSums(log(lik$density(theta))), tolerance = 1e-13)
  expect_equal(lik$likelihood(theta), apply(lik$density(theta), 2, prod), tolerance = 1e-13)
  expect_equal(lik$maxima$loglik, sum(dnorm(five, mean(five), sqrt(2), log = TRUE)),
               tolerance = 1e-13)
  # its likelihood is a normal curve over theta
  area <- exp(lik$maxima$loglik) * sqrt(2 * pi * 2 / 5)
  inside <- diff(pnorm(c(-3, 6), mean(five), sqrt(2 / 5)))
  expect_equal(exp(lik$integral$log_theta), area * inside, tolerance = 1e-7)
})

test_that("a standard deviation with known mean: the estimate is the root mean square", {
  lik <- gmm_likelihood(one_sd, five, seq(0.5, 6, by = 0.5))
  expect_equal(lik$mle, sqrt(mean(five^2)), tolerance = 1e-7)
  one <- gmm_likelihood(one_sd, -1.7, c(0.1, 10))
  expect_equal(one$mle, 1.7, tolerance = 1e-7)
})

test_that("log-likelihoods of rows add", {
  theta <- seq(0.5, 4, by = 0.5)
  all <- gmm_likelihood(two_normals, five, theta)
  each <- sapply(five, function(x) gmm_likelihood(two_normals, x, theta)$grid$loglik)
  expect_equal(all$grid$loglik, rowSums(each), tolerance = 1e-13)
})

test_that("several variables: rows, one row as a vector, columns by name", {
  model <- function(theta) {
    gmm_params(1, c(a = theta, b = 2 * theta), matrix(c(1, 0.5, 0.5, 1), 2))
  }
  rows <- cbind(a = five, b = rev(five))
  lik <- gmm_likelihood(model, rows, -5:5)
  # generalised least squares on the direction (1, 2)
  weights <- solve(matrix(c(1, 0.5, 0.5, 1), 2), c(1, 2))
  expect_equal(lik$mle, sum(rows %*% weights) / (5 * sum(weights * c(1, 2))), tolerance = 1e-7)
  expect_equal(lik$integral$x, 1, tolerance = 1e-10)
  swapped <- gmm_likelihood(model, data.frame(b = rev(five), note = "n", a = five), -5:5)
  expect_identical(swapped$grid, lik$grid)
  expect_equal(gmm_likelihood(model, c(a = 1, b = 3), -5:5)$loglik(0.5),
               dgmm(c(a = 1, b = 3), model(0.5), log = TRUE), tolerance = 1e-14)
})

test_that("a normal prior of a mean: the posterior is the conjugate normal", {
  lik <- gmm_likelihood(one_mean, five, seq(-10, 10, by = 0.5), function(t) dnorm(t, -2, 0.7))
  precision <- 5 / 2 + 1 / 0.7^2
  centre <- (sum(five) / 2 - 2 / 0.7^2) / precision
  expect_equal(lik$map, centre, tolerance = 1e-7)
  theta <- c(-9, -0.5, centre, 1.1)
  expect_equal(lik$posterior(theta), dnorm(theta, centre, 1 / sqrt(precision)), tolerance = 1e-7)
  expect_equal(lik$modes$posterior, sqrt(precision / (2 * pi)), tolerance = 1e-7)
  expect_equal(lik$grid$posterior, lik$posterior(lik$grid$theta), tolerance = 1e-14)
  # a prior need not integrate to 1
  scaled <- gmm_likelihood(one_mean, five, seq(-10, 10, by = 0.5),
                           function(t) 1e-9 * dnorm(t, -2, 0.7))
  expect_equal(scaled$map, lik$map, tolerance = 1e-6)
  expect_equal(scaled$posterior(theta), lik$posterior(theta), tolerance = 1e-12)
})

test_that("with a flat prior MAP is the maximum-likelihood estimate", {
  lik <- gmm_likelihood(two_normals, c(2.5, -4.8), sds, flat)
  expect_equal(lik$map, lik$mle, tolerance = 1e-12)
  expect_equal(lik$posterior(c(1, 3)), exp(lik$loglik(c(1, 3)) - lik$integral$log_theta),
               tolerance = 1e-12)
  expect_equal(integrate(lik$posterior, 0.4, 5, rel.tol = 1e-9)$value, 1, tolerance = 1e-7)
  # the posterior lives on the range of theta
  expect_identical(lik$posterior(c(-1, 0.39, 5.01)), c(0, 0, 0))
})

test_that("a peak far narrower than the grid is found and integrated", {
  n <- 20000
  x <- 0.123 + sqrt(2) * qnorm(ppoints(n))
  lik <- gmm_likelihood(one_mean, x, -5:5, function(t) dnorm(t, 0, 3))
  sd <- sqrt(2 / n)
  expect_equal(lik$mle, mean(x), tolerance = 1e-6)
  expect_equal(lik$integral$log_theta, lik$maxima$loglik + log(sqrt(2 * pi) * sd),
               tolerance = 1e-12)
  expect_equal(lik$modes$posterior, dnorm(0) / sd, tolerance = 1e-3)
})

test_that("a maximum at an end of theta is said to be there", {
  # one row at the mean: the likelihood grows without bound as the standard deviation goes to 0
  lik <- gmm_likelihood(one_sd, 0, seq(0.1, 3, by = 0.1))
  expect_identical(lik$mle, 0.1)
  expect_identical(lik$maxima$boundary, TRUE)
  expect_match(format(lik), "an end of theta: the likelihood may be higher beyond", all = FALSE)
  prior <- function(t) dnorm(t, 5, 0.5)
  upper <- gmm_likelihood(one_mean, 9, seq(0, 4, by = 0.5), prior)
  expect_identical(upper$map, 4)
  expect_identical(upper$modes$boundary, TRUE)
  expect_match(format(upper), "an end of theta: the posterior may be higher", all = FALSE)
  expect_false(any(grepl("an end", format(gmm_likelihood(one_mean, 2, 0:4)))))
})

test_that("equal maxima: the smallest theta is reported, the others are named", {
  model <- function(theta) gmm_params(c(0.5, 0.5), c(-theta, theta), c(1, 1))
  lik <- gmm_likelihood(model, c(-2, 2.2), seq(-5, 5, by = 0.1))
  expect_equal(lik$maxima$theta, c(-1, 1) * abs(lik$mle), tolerance = 1e-6)
  expect_lt(lik$mle, 0)
  expect_match(format(lik), "as high at theta = 2.099", fixed = TRUE, all = FALSE)
})

test_that("local maxima are kept, the best first", {
  # between two far rows the location of a narrow component has two places to be
  model <- function(theta) gmm_params(c(0.5, 0.5), c(0, theta), c(25, 0.04))
  lik <- gmm_likelihood(model, c(-3, 4, 4.1), seq(-6, 6, by = 0.05))
  expect_gte(nrow(lik$maxima), 2)
  expect_equal(lik$maxima$theta[1:2], c(4.05, -3), tolerance = 1e-2)
  expect_false(is.unsorted(rev(lik$maxima$loglik)))
})

test_that("a likelihood that does not depend on theta has no maximum", {
  lik <- gmm_likelihood(function(theta) gmm_params(1, 0, 1), 1, 1:3, dnorm)
  expect_identical(lik$mle, NA_real_)
  expect_identical(lik$map, 1)
  expect_match(format(lik), "the same at all theta", all = FALSE)
  expect_equal(exp(lik$integral$log_theta), 2 * dnorm(1), tolerance = 1e-12)
})

test_that("a likelihood outside the range of a double is shown relative to its maximum", {
  small <- gmm_likelihood(one_mean, rep(five, 200), seq(0, 3, by = 0.1))
  expect_identical(max(as.data.frame(small)$likelihood), 0)
  expect_equal(small$mle, mean(five), tolerance = 1e-6)
  expect_equal(max(as.data.frame(small)$relative), exp(small$loglik(1.2) - small$maxima$loglik),
               tolerance = 1e-10)
  expect_match(format(small), "too small for a double: it is shown relative", all = FALSE)
  expect_match(format(small), "the relative likelihood to ", all = FALSE)
  large <- gmm_likelihood(one_sd, seq(-1e-3, 1e-3, length.out = 301), seq(1e-4, 1e-3, by = 1e-4))
  expect_match(format(large), "too large for a double: it is shown relative", all = FALSE)
})

test_that("print, summary and as.data.frame say what was found", {
  lik <- gmm_likelihood(two_normals, 2.5, sds)
  expect_identical(format(lik), c(
    "Likelihood of theta: 1 row in 1 variable, 93 values of theta from 0.4 to 5",
    "maximum likelihood: theta = 1.502, log-likelihood -2.517411, likelihood 0.08067",
    "f(x; theta) integrates to 1 over x (theta = 1.502),",
    "the likelihood to 0.2847 over theta from 0.4 to 5: it is not a density"
  ))
  expect_output(expect_identical(print(lik), lik), "maximum likelihood: theta = 1.502")
  expect_identical(names(as.data.frame(lik)), c("theta", "likelihood", "relative", "loglik"))
  expect_output(print(summary(lik)), "Local maxima of the likelihood.*Mixture at theta = 1.502")

  bayes <- gmm_likelihood(two_normals, c(2.5, -4.8), sds, function(t) dgamma(t, 4, 4))
  expect_match(format(bayes), "^posterior mode \\(MAP\\): theta = [0-9.]+, posterior", all = FALSE)
  expect_output(print(summary(bayes)), "Local maxima of the posterior")
  values <- as.data.frame(bayes)
  expect_identical(names(values), c("theta", "likelihood", "relative", "loglik", "prior",
                                    "posterior"))
  expect_identical(values$theta, sds)
  expect_identical(values$likelihood, exp(values$loglik))
  expect_identical(values$prior, dgamma(sds, 4, 4))
  expect_equal(values$posterior, bayes$posterior(sds), tolerance = 1e-14)
})

test_that("the object survives a file", {
  lik <- gmm_likelihood(two_normals, 2.5, sds, flat)
  file <- tempfile()
  on.exit(unlink(file))
  saveRDS(lik, file)
  back <- readRDS(file)
  expect_identical(format(back), format(lik))
  expect_identical(back$posterior(1.3), lik$posterior(1.3))
})

test_that("bad input is refused by name", {
  refused <- function(expr, ..., class = "argument", call = "gmm_likelihood") {
    expect_gm_error(expr, class, c(...), call)
  }
  refused(gmm_likelihood(), "`model` must be given")
  refused(gmm_likelihood(two_normals, 1), "`theta` must be given")
  refused(gmm_likelihood(two_normals(1), 1, 1:3), "`model` must be a function from one number")
  refused(gmm_likelihood(two_normals, 1, 1:3, prior = 2), "`prior` must be a function", "not 2.")

  # the model
  refused(gmm_likelihood(function(theta) theta, 1, 2:4), "`model(2)` must be an object of class",
          "not 2.")
  half <- function(theta) if (theta < 3) two_normals(theta) else "none"
  e <- refused(gmm_likelihood(half, 1, 1:5), "`model(3)` must be", "not \"none\"")
  e <- refused(gmm_likelihood(two_normals, 1, 0:3), "at theta = 0; it fails: `covariances`")
  expect_identical(e$theta, 0)
  grows <- function(theta) if (theta < 2) one_mean(theta) else gmm_params(1, c(0, 0), diag(2))
  refused(gmm_likelihood(grows, 1, 1:3), "`model(2)` must be in the variables `V1`, as `model(1)`",
          "not `V1`, `V2`")

  # theta
  refused(gmm_likelihood(two_normals, 1, 1), "`theta` must be at least two", "not 1.")
  refused(gmm_likelihood(two_normals, 1, "1"), "`theta` must be", "not \"1\"")
  refused(gmm_likelihood(two_normals, 1, c(1, 4, 3)), "not 3 after 4 (element 3)")
  refused(gmm_likelihood(two_normals, 1, c(1, 1)), "not 1 after 1 (element 2)")
  refused(gmm_likelihood(two_normals, 1, c(1, NA)), "`theta` must be finite, not NA (element 2)")
  refused(gmm_likelihood(two_normals, 1, c(1, Inf)), "not Inf (element 2)")

  # the prior
  refused(gmm_likelihood(two_normals, 1, 1:3, function(t) 1.5 - t), "`prior(2)`", "not -0.5")
  refused(gmm_likelihood(two_normals, 1, 1:3, function(t) NaN), "`prior(1)`", "not NaN")
  refused(gmm_likelihood(two_normals, 1, 1:3, function(t) 1 / (t - 2)), "`prior(1)`", "not -1")
  refused(gmm_likelihood(two_normals, 1, 1:3, function(t) 1:2), "`prior(1)` must be a finite")
  refused(gmm_likelihood(two_normals, 1, 1:3, function(t) 0), "`prior` must be above 0")

  # the rows
  refused(gmm_likelihood(two_normals, c(1, NA, NaN), 1:3), "as in rows 2, 3.", class = "missing")
  refused(gmm_likelihood(two_normals, c(1, Inf), 1:3), "not Inf", class = "nonfinite")
  refused(gmm_likelihood(two_normals, numeric(), 1:3), "no rows", class = "dimension")
  refused(gmm_likelihood(two_normals, diag(2), 1:3), "1 column", class = "dimension")
  refused(gmm_likelihood(two_normals, "a", 1:3), "`x` must be", class = "type")
  refused(gmm_likelihood(two_normals, 1e200, 1:3), "`x` must have a density", class = "scale")

  # the functions of the object
  lik <- gmm_likelihood(two_normals, 2.5, sds, flat)
  refused(lik$loglik("a"), "`theta` must be numeric, not \"a\"", call = "loglik")
  refused(lik$posterior(NA_real_), "`theta` must be finite, not NA", call = "posterior")
  refused(lik$likelihood(0), "at theta = 0", call = "loglik")
})

# ---- pictures --------------------------------------------------------------------------

few_sds <- seq(0.4, 5, by = 0.2)

test_that("plot() draws every kind of likelihood silently and returns it", {
  one <- gmm_likelihood(two_normals, 2.5, few_sds)
  expect_silent(expect_identical(draw(one, at = 1.3, interval = c(-2, 2)), one))
  few <- gmm_likelihood(two_normals, c(2.5, -4.8, 0.3), few_sds, function(t) dgamma(t, 4, 4))
  expect_silent(expect_identical(draw(few), few))
  plane <- gmm_likelihood(function(r) gmm_params(1, c(0, 0), matrix(c(1, r, r, 1), 2)),
                          cbind(five, rev(five)), seq(-0.9, 0.9, by = 0.1))
  expect_silent(expect_identical(draw(plane), plane))
  expect_silent(draw(gmm_likelihood(one_mean, rep(five, 500), seq(0, 3, by = 0.1))))
  expect_silent(draw(gmm_likelihood(one_sd, 0, seq(0.1, 3, by = 0.1))))
  expect_silent(draw(gmm_likelihood(function(t) gmm_params(1, 0, 1), 1, 1:3, dnorm)))
  expect_silent(draw(few, which = 3))
  expect_silent(draw(one, interval = c(-Inf, 0), xlim = c(-20, 9), las = 1, cex.axis = 0.8,
                             xlab = "length", parameter = quote(sigma), sub = "",
                             main = c("a", "b", "c", "d")))
  expect_silent(draw(one, which = 3:4, main = expression(alpha, beta), sub = quote(x^2)))
  expect_silent(draw(one, xlim = c(1e5, 2e5)))
})

test_that("plot() refuses what it can't draw", {
  lik <- gmm_likelihood(two_normals, 2.5, few_sds)
  refused <- function(expr, ...) expect_gm_error(expr, "argument", c(...), "plot")
  refused(plot(lik, at = 6), "`at` must be a number from 0.4 to 5, not 6")
  refused(plot(lik, at = NA), "`at`")
  refused(plot(lik, interval = c(2, -2)), "`interval` must be two numbers", "not 2 and -2")
  refused(plot(lik, interval = 1), "`interval`", "not 1.")
  refused(plot(lik, xlim = c(0, Inf)), "`xlim` must be two finite numbers")
  refused(plot(lik, which = 5), "`which`", "1, 2, 3, 4")
  refused(plot(lik, main = c("a", "b")), "`main` must have a label for each of the 4 panels, not 2")
  refused(plot(lik, ylim = c(0, 1)), "`ylim`")
  refused(plot(lik, colour = 2), "`colour`")
  plane <- gmm_likelihood(function(t) gmm_params(1, c(t, 0), diag(2)), diag(2), 0:3)
  refused(plot(plane, which = 1), "`which`", "3, 4", "one dimension")
})

test_that("the panels show the function, its two cuts and where they meet", {
  lik <- gmm_likelihood(two_normals, 2.5, few_sds)
  view <- likelihood_view(lik, 1.3, c(-2, 2), NULL, NULL, quote(theta))
  grid <- surface_grid(view)
  expect_equal(grid$z, outer(grid$x, grid$y, two_normals_density), tolerance = 1e-12)
  expect_true(1.3 %in% grid$y)
  expect_true(all(signif(grid$levels, 1) == grid$levels) && !is.unsorted(grid$levels))
  expect_lt(max(grid$levels), max(grid$z))
  expect_true(view$xlim[1] < -4 && view$xlim[2] > 2.5)
  expect_identical(meeting_note(view), "diamond: f(2.5; 1.3) = 0.07886, on both cuts")
  expect_equal(two_normals_density(2.5, 1.3), 0.07886, tolerance = 1e-4)

  middle <- likelihood_view(lik, NULL, NULL, NULL, NULL, quote(theta))
  expect_identical(middle$at, lik$mle)
  expect_equal(middle$probability, 0.5, tolerance = 1e-12)
  curves <- likelihood_curves(view)
  expect_equal(curves$likelihood, two_normals_density(2.5, curves$theta), tolerance = 1e-12)
})

test_that("with a prior, likelihood, prior and posterior are drawn with area 1", {
  lik <- gmm_likelihood(one_mean, rep(five, 40), seq(-4, 6, by = 0.5), function(t) 3 * dnorm(t))
  curves <- likelihood_curves(likelihood_view(lik, NULL, NULL, NULL, NULL, quote(mu)))
  for (name in c("likelihood", "prior", "posterior")) {
    expect_equal(sum(curves[[name]] * cell_widths(curves$theta)), 1, tolerance = 1e-3)
  }
  expect_equal(max(curves$posterior), lik$modes$posterior, tolerance = 1e-8)
})

test_that("the log-likelihood is shown near its top, however deep it falls", {
  lik <- gmm_likelihood(one_sd, 3, c(1e-3, seq(0.1, 10, by = 0.1)))
  view <- likelihood_view(lik, NULL, NULL, NULL, NULL, quote(theta))
  floor <- loglik_floor(view)
  expect_gt(floor, -10)
  expect_lt(lik$loglik(1e-3), -1e6)
  expect_gt(mean(view$loglik >= floor), 0.5)
})

test_that("a prior above 0 at a single theta is refused: there is no posterior density", {
  model <- function(m) gmm_params(1, m, 1)
  theta <- seq(0, 2, by = 0.1)
  expect_gm_error(gmm_likelihood(model, 1, theta, prior = function(m) as.numeric(m == 0)),
                  "argument", "`prior` times the likelihood must have an integral above 0")
  ok <- gmm_likelihood(model, 1, theta, prior = function(m) as.numeric(m <= 0.5))
  expect_true(is.finite(ok$modes$posterior[1]))
})

test_that("the key of the likelihood's panel can be left out", {
  lik <- gmm_likelihood(function(m) gmm_params(1, m, 1), 1, c(0, 1, 2), function(m) 1)
  expect_silent(draw(lik, which = 3, legend = FALSE))
  expect_error(draw(lik, legend = "top"), "`legend`", class = "gaussmix_error_argument")
})
