# Mixtures of other packages, as they return them, with what each says about its rows.
#
# Run in this folder: R_LIBS=<library with mclust, flexmix, mixture and Rmixmod> Rscript convert.R
# (needs jsonlite and Debian's python3-sklearn too). Writes ../fixtures/convert.rds. Objects are
# stripped of what only their own package's methods use (functions, environments, calls), so that
# they are small.

suppressPackageStartupMessages({
  library(mclust)
  library(flexmix)
  library(mixture)
  library(Rmixmod)
})

x <- as.matrix(iris[c(1, 3, 4)])
shown <- 1:20 # rows whose posteriors are kept
families <- mclust.options("emModelNames")

# ---- mclust: by estep(), so that log-likelihood and posteriors belong to the parameters ----

of_mclust <- function(name) {
  fit <- Mclust(x, 2, name, verbose = FALSE)
  scored <- estep(x, modelName = name, parameters = fit$parameters)
  kept <- c("modelName", "n", "d", "G", "loglik", "df", "bic", "parameters")
  list(object = structure(fit[kept], class = "Mclust"), loglik = scored$loglik,
       prob = scored$z[shown, ])
}
mclust <- sapply(families, of_mclust, simplify = FALSE)
mclust_1d <- lapply(c(E = "E", V = "V"), function(name) {
  fit <- densityMclust(faithful$waiting, 2, modelNames = name, verbose = FALSE, plot = FALSE)
  scored <- estep(faithful$waiting, modelName = name, parameters = fit$parameters)
  kept <- c("modelName", "n", "d", "G", "loglik", "df", "bic", "parameters", "data")
  list(object = structure(fit[kept], class = class(fit)), loglik = scored$loglik,
       prob = scored$z[shown, ])
})
noise <- Mclust(x, 2, "VVV", initialization = list(noise = 1:10), verbose = FALSE)$parameters

# EDDA and MclustDA: the classes' mixtures, the log-likelihood of the rows without their classes,
# and the posteriors of a few.
of_mclust_da <- function(...) {
  fit <- MclustDA(iris[1:4], iris$Species, ..., verbose = FALSE)
  classes <- lapply(fit$models, function(model) {
    list(G = model$G, modelName = model$modelName, parameters = model$parameters)
  })
  list(loglik = as.vector(logLik(fit)), df = fit$df, classes = classes,
       prob = predict(fit)$z[c(1, 51, 71, 84, 101, 120, 134), ])
}
edda <- sapply(families, function(name) of_mclust_da(modelType = "EDDA", modelNames = name),
               simplify = FALSE)
da <- of_mclust_da(modelNames = "VVV", G = 1)
da_chosen <- of_mclust_da()

# ---- flexmix ----

# So that R, to find a method, does not ask for the package of an S4 class.
unpackaged <- function(object) {
  attr(object, "class") <- as.vector(class(object))
  object
}

bare <- function(f) {
  body(f) <- NULL
  environment(f) <- baseenv()
  f
}
of_flexmix <- function(formula, diagonal, ...) {
  set.seed(1)
  fit <- flexmix(formula, k = 2, model = FLXMCmvnorm(diagonal = diagonal), ...)
  prob <- fit@posterior$scaled[shown, ]
  density <- sapply(fit@components, function(part) part[[1]]@logLik(NULL, fit@model[[1]]@y))
  w <- if (is.null(fit@weights)) 1 else fit@weights
  loglik <- sum(w * log(exp(density) %*% fit@prior))
  for (j in seq_along(fit@components)) {
    fit@components[[j]][[1]]@logLik <- bare(fit@components[[j]][[1]]@logLik)
    fit@components[[j]][[1]]@predict <- bare(fit@components[[j]][[1]]@predict)
  }
  model <- fit@model[[1]]
  for (slot in c("fit", "preproc.x", "preproc.y", "defineComponent")) {
    slot(model, slot, check = FALSE) <- bare(slot(model, slot))
  }
  model@terms <- NULL
  model@fullformula <- model@formula <- ~1
  environment(model@formula) <- environment(model@fullformula) <- baseenv()
  fit@model <- list(model)
  fit@concomitant@fit <- fit@concomitant@refit <- fit@concomitant@df <- bare(fit@concomitant@fit)
  fit@concomitant@formula <- model@formula
  fit@concomitant@x <- matrix(0, 0, 0)
  fit@formula <- model@formula
  fit@call <- quote(flexmix())
  fit@posterior <- list()
  list(object = unpackaged(fit), loglik = loglik, df = fit@df, prob = prob)
}
rows <- cbind(eruptions = faithful$eruptions, waiting = faithful$waiting)
flexmix <- list(
  full = of_flexmix(rows ~ 1, FALSE), diag = of_flexmix(rows ~ 1, TRUE),
  weights = of_flexmix(rows ~ 1, FALSE, weights = rep(1:2, 136))
)

# ---- mixture ----

of_gpcm <- function(name) {
  set.seed(1)
  fit <- gpcm(x, G = 2, mnames = name, start = 2)
  best <- fit$best_model
  list(object = structure(list(best_model = best), class = "gpcm"), loglik = best$loglik,
       df = best$nparam, bic = best$BIC)
}
gpcm <- sapply(families, of_gpcm, simplify = FALSE)
for (name in families) {
  kept <- c("mus", "sigs", "pi_gs")
  gpcm[[name]]$object$best_model$model_obj[[1]] <-
    gpcm[[name]]$object$best_model$model_obj[[1]][kept]
}

# ---- Rmixmod ----

of_mixmod <- function(name, ...) {
  fit <- mixmodCluster(as.data.frame(x), 2, models = mixmodGaussianModel(listModels = name),
                       strategy = mixmodStrategy(nbTry = 2), seed = 1, ...)
  best <- fit@bestResult
  prob <- best@proba[shown, ]
  fit@results <- list()
  fit@bestResult@partition <- integer()
  list(object = unpackaged(fit), loglik = best@likelihood, df = best@parameters@nbFreeParam,
       bic = best@criterionValue, prob = prob)
}
names <- mixmodGaussianModel()@listModels
mixmod <- sapply(grep("_pk_", names, value = TRUE), of_mixmod, simplify = FALSE)
mixmod_equal <- of_mixmod("Gaussian_p_Lk_C")
mixmod_weights <- of_mixmod("Gaussian_pk_Lk_C", weight = rep(1:2, 75))
mixmod <- lapply(mixmod, function(m) { # the rows are x again
  m$object@data <- matrix(0, 0, 0)
  m
})

# ---- scikit-learn ----

python <- Sys.getenv("PYTHON", "/usr/bin/python3")
answer <- system2(python, "convert_sklearn.py", input = jsonlite::toJSON(unname(x), digits = NA),
                  stdout = TRUE)
sklearn <- jsonlite::parse_json(paste(answer, collapse = ""))

saveRDS(file = "../fixtures/convert.rds", version = 3, compress = "xz", list(
  x = x, shown = shown, mclust = mclust, mclust_1d = mclust_1d, mclust_noise = noise, edda = edda,
  mclust_da = da, mclust_da_chosen = da_chosen, flexmix = flexmix, gpcm = gpcm, mixmod = mixmod,
  mixmod_equal = mixmod_equal, mixmod_weights = mixmod_weights, sklearn = sklearn,
  versions = c(R = paste(getRversion()), sklearn = sklearn$version, vapply(
    c("mclust", "flexmix", "mixture", "Rmixmod"), function(p) paste(packageVersion(p)), "")),
  script = "data-raw/convert.R", date = format(Sys.Date())
))
