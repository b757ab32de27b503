# Frozen results of mclust on the cases of cases.R, and of its default call on three data sets.
#
# Run in this folder: R_LIBS=<library with mclust> Rscript mclust.R (needs mclust from CRAN).
# Writes ../fixtures/mclust.rds.
#
# mclust reports the log-likelihood of the parameters before its last M-step. So that a
# log-likelihood belongs to its parameters, each one here comes from a further estep().

suppressPackageStartupMessages(library(mclust))

trace_steps <- 30
families <- c(full = "VVV", tied = "EEE", diag = "VVI", spherical = "VII")
univariate <- c(full = "V", tied = "E", diag = "V", spherical = "V")

# A start as R has it (means k x d, covariances d x d x k) -> mclust's parameters.
as_mclust <- function(start, model) {
  s <- start$covariances
  d <- dim(s)[1]
  k <- dim(s)[3]
  variance <- switch(model,
    V = list(sigmasq = s[1, 1, ]),
    E = list(sigmasq = s[1, 1, 1]),
    VVV = list(sigma = s, cholsigma = array(apply(s, 3, chol), c(d, d, k))),
    EEE = list(Sigma = s[, , 1], cholSigma = chol(s[, , 1])),
    VVI = {
      variances <- apply(s, 3, diag)
      scale <- exp(colMeans(log(variances)))
      list(sigma = s, scale = scale, shape = sweep(variances, 2, scale, `/`))
    },
    VII = list(sigma = s, sigmasq = s[1, 1, ], scale = s[1, 1, ])
  )
  list(
    pro = start$proportions,
    mean = if (d == 1) start$means[, 1] else t(start$means),
    variance = c(list(modelName = model, d = d, G = k), variance)
  )
}

as_ours <- function(parameters, d) {
  k <- length(parameters$pro)
  v <- parameters$variance
  list(
    proportions = as.vector(parameters$pro),
    means = t(matrix(parameters$mean, d)),
    covariances = if (d == 1) array(rep_len(v$sigmasq, k), c(1, 1, k)) else unname(v$sigma)
  )
}

# eps = 0: else the columns of the ill-scaled case count as singular.
posterior_step <- function(x, model, parameters) {
  estep(x, modelName = model, parameters = parameters, control = emControl(eps = 0))
}

# One EM step; em() with itmax = 1 makes two.
em_step <- function(x, model, parameters) {
  z <- posterior_step(x, model, parameters)$z
  mstep(x, modelName = model, z = z)$parameters
}

scores <- function(points, model, parameters) {
  log_density <- dens(points, modelName = model, parameters = parameters, logarithm = TRUE)
  list(
    logdensity = as.vector(log_density),
    prob = unname(posterior_step(points, model, parameters)$z)
  )
}

loglik <- function(x, model, parameters) posterior_step(x, model, parameters)$loglik

run <- function(case, family) {
  x <- unname(case$x)
  d <- ncol(x)
  model <- (if (d == 1) univariate else families)[[family]]
  if (d == 1) x <- x[, 1]
  points <- if (d == 1) case$points[, 1] else case$points
  start <- as_mclust(case$starts[[family]], model)
  steps <- Reduce(function(p, t) em_step(x, model, p), seq_len(trace_steps), start,
    accumulate = TRUE)
  control <- emControl(eps = 0, tol = c(1e-15, 1e-15), itmax = c(1e5, 1e5))
  end <- em(x, modelName = model, parameters = start, control = control)
  list(
    model = model,
    start = scores(points, model, start),
    step = as_ours(steps[[2]], d),
    trace = vapply(steps, loglik, 0, x = x, model = model),
    converged = c(
      as_ours(end$parameters, d),
      list(loglik = loglik(x, model, end$parameters)),
      scores(points, model, end$parameters)
    )
  )
}

# The default call, whose tolerance is looser.
default_call <- function(x, k, model) {
  fit <- Mclust(x, G = k, modelNames = model, verbose = FALSE)
  c(as_ours(fit$parameters, fit$d), fit[c("modelName", "loglik", "df", "bic")])
}

cases <- readRDS("../fixtures/cases.rds")
saveRDS(
  list(
    version = c(mclust = as.character(packageVersion("mclust")), R = R.version.string),
    script = "data-raw/mclust.R",
    date = format(Sys.Date()),
    results = lapply(cases, function(case) {
      sapply(names(families), function(family) run(case, family), simplify = FALSE)
    }),
    defaults = list(
      faithful = default_call(faithful, 3, "EEE"),
      iris = default_call(iris[, 1:4], 3, "VVV"),
      galaxies = default_call(cases$galaxies$x[, 1], 2, "E")
    )
  ),
  "../fixtures/mclust.rds", version = 3, compress = "xz"
)
