# Mixtures of other packages, frozen by data-raw/convert.R: no package is needed to read them.

frozen <- readRDS(test_path("fixtures", "convert.rds"))

# What the other package says about its mixture: log-likelihood and posteriors of some rows, by its
# own functions, at its own parameters.
expect_same_mixture <- function(fit, result, label, prob = 1e-12) {
  expect_equal(as.numeric(logLik(fit)), result$loglik, tolerance = 1e-12, label = label)
  if (!is.null(result$prob)) {
    ours <- predict(fit, type = "prob")[frozen$shown, ]
    expect_lt(max(abs(ours - result$prob)), prob, label = label)
  }
  df <- if (is.null(result$df)) result$object$df else result$df
  expect_equal(fit$df, df, label = label)
}

test_that("mclust's mixtures have its densities, posteriors and parameters, for each model", {
  for (name in names(frozen$mclust)) {
    object <- frozen$mclust[[name]]$object
    fit <- as_gmm(object, x = iris)
    expect_same_mixture(fit, frozen$mclust[[name]], name)
    expect_identical(fit$covariance, name)
    expect_equal(unname(fit$means), unname(t(object$parameters$mean)), tolerance = 1e-15)
    expect_equal(BIC(fit), -object$bic, tolerance = 1e-4) # mclust's may be a step old
    without <- as_gmm(object)
    expect_null(without$x)
    expect_identical(c(logLik(without)), object$loglik)
    expect_equal(BIC(without), -object$bic, tolerance = 1e-14)
    expect_identical(as_gmm(object$parameters)$covariances, without$covariances)
  }
  for (name in names(frozen$mclust_1d)) {
    expect_same_mixture(as_gmm(frozen$mclust_1d[[name]]$object), frozen$mclust_1d[[name]], name)
  }
  noisy <- as_gmm(frozen$mclust_noise)
  expect_identical(unname(noisy$proportions), as.vector(frozen$mclust_noise$pro))
  expect_equal(exp(-noisy$noise$log_volume), frozen$mclust_noise$Vinv)
})

test_that("a mixture of mclust comes back to it with all that its functions read", {
  for (name in names(frozen$mclust)) {
    theirs <- frozen$mclust[[name]]$object$parameters
    ours <- as_mclust(as_gmm(theirs))
    expect_setequal(names(ours$variance), names(theirs$variance))
    expect_identical(ours$variance$modelName, name)
    expect_equal(ours$pro, as.vector(theirs$pro), tolerance = 1e-14)
    expect_equal(ours$mean, theirs$mean, tolerance = 1e-14, ignore_attr = TRUE)
    expect_equal(ours$variance$sigma, theirs$variance$sigma, tolerance = 1e-14, ignore_attr = TRUE)
    for (part in intersect(c("Sigma", "scale", "sigmasq"), names(theirs$variance))) {
      expect_equal(ours$variance[[part]], theirs$variance[[part]], tolerance = 1e-10,
                   label = paste(name, part), ignore_attr = TRUE)
    }
    # axes may be reversed or in another order: what they make must be the same
    v <- ours$variance
    for (j in if (!is.null(v$shape)) 1:2) {
      shape <- if (is.matrix(v$shape)) v$shape[, j] else v$shape
      axes <- v$orientation
      if (is.null(axes)) axes <- diag(3)
      if (length(dim(axes)) == 3) axes <- axes[, , j]
      scale <- rep_len(v$scale, 2)[j]
      expect_equal(scale * axes %*% (shape * t(axes)), theirs$variance$sigma[, , j],
                   tolerance = 1e-10, label = name, ignore_attr = TRUE)
    }
    for (j in if (!is.null(v$cholsigma)) 1:2) {
      expect_equal(crossprod(v$cholsigma[, , j]), v$sigma[, , j], ignore_attr = TRUE,
                   tolerance = 1e-12)
    }
    if (name == "EEE") expect_equal(crossprod(v$cholSigma), v$Sigma, tolerance = 1e-12)
  }
  for (name in c("E", "V")) {
    theirs <- frozen$mclust_1d[[name]]$object$parameters
    expect_equal(as_mclust(as_gmm(theirs)), theirs, tolerance = 1e-14, ignore_attr = TRUE)
  }
})

test_that("scikit-learn's mixtures have its scores, from nested lists and from arrays", {
  for (type in c("full", "tied", "diag", "spherical")) {
    theirs <- frozen$sklearn[[type]]
    fit <- as_gmm(theirs$attributes, x = frozen$x)
    expect_equal(unname(predict(fit, type = "logdensity")), unlist(theirs$score_samples),
                 tolerance = 1e-12, label = type)
    expect_equal(BIC(fit), theirs$bic, tolerance = 1e-12, label = type)
    prob <- matrix(unlist(theirs$predict_proba), ncol = 3, byrow = TRUE)
    expect_lt(max(abs(predict(fit, type = "prob")[1:20, ] - prob)), 1e-12, label = type)
    back <- as_sklearn(fit)
    expect_identical(back$covariance_type, type)
    for (field in c("weights_", "means_", "covariances_", "precisions_cholesky_")) {
      # the innermost index of nested lists runs first
      values <- as.vector(aperm(as.array(back[[field]])))
      expect_equal(values, unlist(theirs$attributes[[field]]), tolerance = 1e-12,
                   label = paste(type, field))
    }
    again <- as_gmm(back)
    expect_identical(coef(again), coef(fit), label = type)
    expect_identical(colnames(again$means), colnames(frozen$x))
  }
  # one component, one variable: nothing is taken for something else
  tiny <- list(weights_ = list(1), means_ = list(list(5)), covariance_type = "full",
               covariances_ = list(list(list(4))))
  expect_equal(dgmm(7, as_gmm(tiny)), dnorm(7, 5, 2), tolerance = 1e-15)
  # families that scikit-learn lacks
  for (code in gmm_families()$code) {
    fit <- as_gmm(frozen$mclust[[code]]$object, x = frozen$x)
    expect_equal(c(logLik(as_gmm(as_sklearn(fit), x = frozen$x))), c(logLik(fit)),
                 tolerance = 1e-13, label = code)
  }
})

test_that("flexmix, mixture and Rmixmod: log-likelihood, posteriors, df", {
  for (name in names(frozen$flexmix)) {
    # its posteriors are a step older than its parameters
    expect_same_mixture(as_gmm(frozen$flexmix[[name]]$object), frozen$flexmix[[name]], name,
                        prob = 1e-6)
  }
  expect_equal(nobs(as_gmm(frozen$flexmix$weights$object)), 408)
  for (name in names(frozen$gpcm)) {
    result <- frozen$gpcm[[name]]
    expect_same_mixture(as_gmm(result$object, x = frozen$x), result, name)
    expect_equal(BIC(as_gmm(result$object)), -result$bic, tolerance = 1e-12, label = name)
  }
  expect_length(frozen$mixmod, 14)
  for (name in names(frozen$mixmod)) {
    result <- frozen$mixmod[[name]]
    fit <- as_gmm(result$object, x = frozen$x)
    expect_same_mixture(fit, result, name)
    expect_equal(BIC(fit), result$bic, tolerance = 1e-12, label = name)
  }
  weighted <- as_gmm(frozen$mixmod_weights$object)
  expect_same_mixture(weighted, frozen$mixmod_weights, "weights")
  expect_equal(weights(weighted), rep(1:2, 75))
  equal <- as_gmm(frozen$mixmod_equal$object)
  expect_same_mixture(equal, frozen$mixmod_equal, "equal proportions")
  expect_equal(BIC(equal), frozen$mixmod_equal$bic, tolerance = 1e-12)
  expect_identical(as_gmm(equal, x = frozen$x)$df, equal$df)
})

test_that("k-means: shares, centres and the clusters' covariances", {
  set.seed(1)
  clusters <- kmeans(faithful, 3)
  rows <- split(faithful, clusters$cluster)
  full <- as_gmm(clusters, x = faithful, covariance = "full")
  expect_equal(unname(full$proportions), clusters$size / 272)
  expect_equal(full$means, clusters$centers, tolerance = 1e-12)
  for (j in 1:3) {
    n <- nrow(rows[[j]])
    expect_equal(full$covariances[, , j], cov(rows[[j]]) * (n - 1) / n, tolerance = 1e-12)
  }
  for (family in c("spherical", "EII")) {
    with <- as_gmm(clusters, x = faithful, covariance = family)
    without <- as_gmm(clusters, covariance = family)
    expect_equal(coef(without), coef(with), tolerance = 1e-12, label = family)
    expect_gm_error(logLik(without), "data", "kmeans()")
  }
  expect_gm_error(as_gmm(clusters, covariance = "full"), "argument", "`x`, the rows", "as_gmm")
  expect_gm_error(as_gmm(clusters, x = faithful[-1, ]), "dimension", "272 rows", "as_gmm")
})

test_that("a converted mixture serves as a fit, and says where it comes from", {
  fit <- as_gmm(frozen$mclust$VVE$object, x = iris)
  expect_identical(format(fit)[5], "parameters from mclust")
  expect_identical(case.names(fit), as.character(1:150))
  expect_identical(fit$trace, fit$loglik)
  expect_equal(predict(fit, iris[150:1, ], type = "prob")[150:1, ], predict(fit, type = "prob"),
               ignore_attr = TRUE)
  expect_gm_error(update(fit, k = 3), "data", "mclust", "update")
  further <- gmm(iris[c(1, 3, 4)], 2, "VVE", control = gmm_control(init = fit))
  expect_gt(further$loglik, fit$loglik - 1e-9)
  draw(fit, dims = 1:2)
  without <- as_gmm(frozen$mclust$VVE$object)
  expect_identical(format(without)[4], "parameters from mclust, no rows held")
  expect_identical(AIC(without), -2 * without$loglik + 2 * without$df)
  expect_gm_error(simulate(without), "data", "mclust", "simulate")
  without$nobs <- -1
  expect_gm_error(logLik(without), "object", "nobs")
  # parameters at rows of one's own
  start <- gmm_params(c(.5, .5), rbind(c(2, 55), c(4, 80)), diag(c(.2, 40)), covariance = "tied")
  scored <- as_gmm(start, x = faithful, weights = rep(2, 272))
  expect_equal(scored$loglik, 2 * sum(dgmm(as.matrix(faithful), start, log = TRUE)),
               tolerance = 1e-12)
  expect_identical(colnames(scored$means), names(faithful))
  expect_identical(as_gmm(start), start)
})

test_that("what can't be converted is refused, by field", {
  good <- frozen$sklearn$diag$attributes
  changed <- function(...) replace(good, ...names(), list(...))
  expect_snapshot_output(show_conditions(
    as_gmm(),
    as_gmm(lm(waiting ~ eruptions, faithful)),
    as_gmm(list(weights_ = 1)),
    as_gmm(changed(covariance_type = "diagonal")),
    as_gmm(changed(covariances_ = 1:2)),
    as_gmm(changed(means_ = "a")),
    as_gmm(changed(weights_ = list(.5, .6, -.1))),
    as_gmm(good, X = faithful),
    as_gmm(good, x = faithful),
    as_gmm(list(pro = 1, mean = 1:2, variance = list(modelName = "VVX", sigma = diag(2)))),
    as_gmm(list(pro = 1, mean = 1:2, variance = list(modelName = "VVV")))
  ))
})

test_that("live: mclust's own functions take our parameters", {
  fit <- gmm(iris[c(1, 3, 4)], 2, "VEV", control = gmm_control(n_init = 2, search = 0))
  parameters <- as_mclust(fit)
  expect_identical(parameters$variance$modelName, "VEV")
  if (requireNamespace("mclust", quietly = TRUE)) {
    density <- mclust::dens(as.matrix(iris[c(1, 3, 4)]), modelName = "VEV", parameters = parameters,
                            logarithm = TRUE)
    expect_equal(sum(density), fit$loglik, tolerance = 1e-12)
  }
})

# ---- JSON ------------------------------------------------------------------------------

bits <- function(object) {
  unlist(lapply(unclass(object)[c("proportions", "means", "covariances", "loglik")], function(v) {
    if (!is.null(v)) writeBin(as.vector(v), raw())
  }))
}

test_that("JSON brings each mixture back to the bit", {
  skip_if_not_installed("jsonlite")
  for (code in gmm_families()$code) {
    fit <- as_gmm(frozen$mclust[[code]]$object)
    again <- gmm_from_json(gmm_to_json(fit))
    expect_identical(bits(again), bits(fit), label = code)
    expect_identical(again[c("means", "covariances", "covariance", "df", "nobs")],
                     fit[c("means", "covariances", "covariance", "df", "nobs")], label = code)
    expect_identical(logLik(again), logLik(fit), label = code)
  }
  odd <- gmm_params(1, t(c(-0, 1e-310, 5e-324, -.Machine$double.xmax, 0.1, 2^60 + 2^10)),
                    diag(c(2.3e-308, 1, 1.1, 1e300, 1 / 3, 123456789)))
  expect_identical(bits(gmm_from_json(gmm_to_json(odd))), bits(odd))
  names <- gmm_params(c("a \"b\\" = .5, "Stra\u00dfe\n" = .5),
                      matrix(0:3, 2, dimnames = list(NULL, c("x, y", "\u4e2d"))), diag(2))
  file <- tempfile(fileext = ".json")
  on.exit(unlink(file))
  text <- gmm_to_json(names, file)
  again <- gmm_from_json(file)
  expect_identical(again$means, names$means)
  expect_identical(gmm_from_json(strsplit(text, "\n")[[1]])$means, names$means)
  expect_identical(gmm_to_json(again), text)
  set.seed(1)
  unnamed <- gmm(faithful$waiting, 2, control = gmm_control(search = 0))
  again <- gmm_from_json(gmm_to_json(unnamed))
  expect_identical(again[c("means", "covariances")], unnamed[c("means", "covariances")])
  expect_false(again$blueprint$named)
  equal <- as_gmm(frozen$mixmod_equal$object)
  expect_identical(logLik(gmm_from_json(gmm_to_json(equal))), logLik(equal))
  expect_identical(BIC(again), BIC(unnamed))
})

test_that("JSON has what the log-likelihood of a fit rests on", {
  skip_if_not_installed("jsonlite")
  fit <- gmm(faithful, k = 2, prior = gmm_prior(), trim = 0.05, labels = c(1, 2, rep(NA, 270)))
  text <- gmm_to_json(fit)
  again <- gmm_from_json(text)
  expect_identical(gmm_to_json(again), text)
  expect_identical(unclass(again$record$prior), unclass(fit$prior))
  expect_output(print(again), "trim = 0.05, a prior, known labels of 2 rows", fixed = TRUE)
  expect_gm_warning(BIC(again, again), "comparison", "prior")
  line <- gmm_to_json(gmm(faithful$waiting, k = 1, prior = gmm_prior()))
  expect_identical(gmm_to_json(gmm_from_json(line)), line)
  expect_null(gmm_from_json(gmm_to_json(gmm(faithful, 2)))$record$prior)
  expect_gm_error(gmm_from_json(sub("\"trim\": [0-9.]+", "\"trim\": 2", text)), "object", "trim")
  expect_gm_error(gmm_from_json(sub("\"kappa\"", "\"kapa\"", text)), "object", "prior")
})

test_that("JSON is plain: other readers find the same numbers", {
  skip_if_not_installed("jsonlite")
  fit <- as_gmm(frozen$mclust$VVV$object)
  plain <- jsonlite::fromJSON(gmm_to_json(fit))
  expect_identical(plain$version, 1L)
  expect_equal(plain$means, unname(fit$means), tolerance = 1e-15)
  expect_equal(plain$covariances[2, , ], unname(fit$covariances[, , 2]), tolerance = 1e-15)
  expect_identical(plain$variables, colnames(fit$means))
})

test_that("damaged or newer JSON is refused, and the field named", {
  skip_if_not_installed("jsonlite")
  text <- gmm_to_json(gmm_params(c(.25, .75), rbind(c(a = 0, b = 1), 2:3), diag(2)))
  change <- function(old, new) {
    stopifnot(grepl(old, text, fixed = TRUE))
    sub(old, new, text, fixed = TRUE)
  }
  expect_snapshot_output(show_conditions(
    gmm_from_json(3),
    gmm_from_json("no such file"),
    gmm_from_json("."),
    gmm_from_json(change("[0.25, 0.75]", paste0(strrep("[", 3000), 1, strrep("]", 3000)))),
    gmm_from_json("{\"format\": "),
    gmm_from_json("{}"),
    gmm_from_json(change("\"gaussmix\"", "\"pmml\"")),
    gmm_from_json(change("\"version\": 1", "\"version\": 7")),
    gmm_from_json(change("\"version\": 1", "\"version\": \"1\"")),
    gmm_from_json(change("VVV", "VVX")),
    gmm_from_json(change("\"1\",", "\"2\",")),
    gmm_from_json(change("[0.25", "[0.5")),
    gmm_from_json(change("[0.25, ", "[")),
    gmm_from_json(change("[0.25", "[\"0.25\"")),
    gmm_from_json(change("\"a\"", "3")),
    gmm_from_json(change("[[0, 1]", "[[0, 1, 1]")),
    gmm_from_json(change("[[0, 1]", "[[1e999, 1]")),
    gmm_from_json(change("[[[1, 0]", "[[[1, 0.5]")),
    gmm_from_json(change("[[[1, 0]", "[[[-1, 0]")),
    gmm_from_json(change("\"df\": 11", "\"df\": 12")),
    gmm_from_json(change("\"df\": 11", "\"loglik\": \"high\", \"nobs\": 3, \"df\": 11")),
    gmm_from_json(change("\"df\": 11", "\"loglik\": -3, \"df\": 11")),
    gmm_to_json(3),
    gmm_to_json(gmm_params(1, 0, 1), "no/such/folder/file.json")
  ))
})

test_that("the decimal mark is a point whatever the locale says", {
  skip_if_not_installed("jsonlite")
  before <- Sys.getlocale("LC_NUMERIC")
  fit <- gmm_params(c(.5, .5), c(-1.5, 2.25), c(1, 0.1))
  text <- gmm_to_json(fit)
  expect_match(text, "[-1.5]", fixed = TRUE)
  comma <- suppressWarnings(Sys.setlocale("LC_NUMERIC", "de_DE.UTF-8"))
  on.exit(suppressWarnings(Sys.setlocale("LC_NUMERIC", before)))
  expect_identical(gmm_to_json(fit), text)
  expect_identical(bits(gmm_from_json(text)), bits(fit))
  if (nzchar(comma)) expect_identical(Sys.getlocale("LC_NUMERIC"), comma)
})

test_that("a plain list may leave the family out", {
  given <- list(proportions = c(.5, .5), means = rbind(0:1, 2:3),
                covariances = array(diag(2), c(2, 2, 2)))
  expect_identical(as_gmm(given)$covariance, "VVV")
  expect_identical(as_gmm(c(given, covariance = "EII"))$covariance, "EII")
})
