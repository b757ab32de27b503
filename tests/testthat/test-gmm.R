x <- as.matrix(faithful)
fit <- with_test_seed(1, gmm(faithful, 2))
built <- gmm_params(c(.3, .7), rbind(c(a = 0, b = 1), c(2, 3)), diag(2))

test_that("the object has the class and the fields of the contract", {
  expect_s3_class(fit, c("gaussmix", "gmm"), exact = TRUE)
  fields <- c("proportions", "means", "covariances", "covariance", "k", "loglik", "objective", "df",
              "nobs", "converged", "iterations", "passes", "trace", "starts", "control", "call")
  expect_true(all(fields %in% names(fit)))
  expect_false(any(c("weights", "na.action", "terms") %in% names(fit)))
  expect_identical(dimnames(fit$means), list(c("1", "2"), c("eruptions", "waiting")))
  expect_identical(dimnames(fit$covariances),
                   list(c("eruptions", "waiting"), c("eruptions", "waiting"), c("1", "2")))
  expect_identical(fit$covariance, "VVV")
  expect_identical(fit$df, df_of("VVV", 2, 2))
  expect_named(fit$starts, c("kind", "objective", "loglik", "iterations", "converged", "spurious",
                             "reason"))
  expect_identical(nrow(fit$starts), 40L)
  expect_identical(fit$call, quote(gmm(x = faithful, k = 2)))
})

test_that("print answers in at most 10 lines, returns its argument, and suits any options", {
  lines <- capture.output(out <- withVisible(print(fit)))
  expect_lte(length(lines), 10)
  expect_identical(out$value, fit)
  expect_false(out$visible)
  for (word in c("2 components", "full (VVV)", "272 rows x 2 variables", "log-likelihood", "BIC",
                 "lower is better",
                 "converged", "40 starts")) {
    expect_match(paste(lines, collapse = "\n"), word, fixed = TRUE)
  }
  expect_lte(length(capture.output(print(built))), 10)
  wide <- gmm_params(rep(1 / 50, 50), matrix(seq_len(50 * 40), 50), diag(40))
  expect_lte(length(capture.output(print(wide))), 10)
})

test_that("prints and summaries read well", {
  gaps <- faithful
  gaps$waiting[3] <- NA
  weighted <- with_test_seed(1, gmm(gaps, 3, "tied", weights = rep(c(1, 2.5), 136),
                                    na.action = na.omit))
  expect_snapshot({
    print(fit)
    print(weighted)
    print(built)
    summary(weighted)
  })
})

test_that("logLik has df and nobs, so that AIC and BIC follow, of several fits at once too", {
  ll <- logLik(fit)
  expect_s3_class(ll, "logLik")
  expect_identical(attr(ll, "df"), fit$df)
  expect_equal(attr(ll, "nobs"), 272)
  expect_equal(AIC(fit), -2 * fit$loglik + 2 * 11)
  expect_equal(BIC(fit), -2 * fit$loglik + log(272) * 11)
  expect_equal(AIC(fit, k = 0), deviance(fit))
  other <- with_test_seed(1, gmm(faithful, 2, "tied"))
  expect_identical(dimnames(BIC(fit, other)), list(c("fit", "other"), c("df", "BIC")))
  expect_equal(AIC(fit, other)$AIC, c(AIC(fit), AIC(other)))
  expect_warning(BIC(fit, gmm(faithful[-1, ], 1)), "same number")
  expect_identical(nobs(fit), fit$nobs)
})

test_that("coef gives each parameter once, or three arrays", {
  expect_named(coef(built), c(
    "proportion.1", "proportion.2", "mean.1.a", "mean.1.b", "mean.2.a", "mean.2.b",
    "cov.1.a.a", "cov.1.a.b", "cov.1.b.b", "cov.2.a.a", "cov.2.a.b", "cov.2.b.b"
  ))
  expect_identical(coef(fit, type = "list"), unclass(fit)[c("proportions", "means", "covariances")])
  for (family in c("full", "tied", "diag", "spherical")) {
    fit <- with_test_seed(1, gmm(x, 3, family))
    expect_length(coef(fit), fit$df + 1)
    expect_false(anyDuplicated(names(coef(fit))) > 0)
  }
})

test_that("what R's modelling functions ask is there", {
  by_formula <- with_test_seed(1, gmm(~ log(eruptions) + waiting, faithful, k = 2,
                                      weights = waiting))
  expect_equal(formula(by_formula), ~ log(eruptions) + waiting, ignore_formula_env = TRUE)
  expect_s3_class(terms(by_formula), "terms")
  expect_equal(model.matrix(by_formula)[, 1], log(faithful$eruptions), ignore_attr = TRUE)
  expect_named(model.frame(by_formula), c("log(eruptions)", "waiting", "(weights)"))
  expect_equal(unname(weights(by_formula)), faithful$waiting)
  expect_null(weights(fit))
  expect_identical(variable.names(fit), c("eruptions", "waiting"))
  expect_identical(case.names(fit), row.names(faithful))
  expect_identical(case.names(with_test_seed(1, gmm(unname(x), 2))), as.character(1:272))
  expect_gm_error(formula(fit), "data", "needs a fit by formula")
})

test_that("na.action is recorded; na.exclude pads", {
  gaps <- faithful
  gaps$waiting[c(3, 9)] <- NA
  omit <- with_test_seed(1, gmm(gaps, 2, na.action = na.omit, weights = seq_len(272)))
  exclude <- with_test_seed(1, gmm(gaps, 2, na.action = "na.exclude", weights = seq_len(272)))
  expect_s3_class(na.action(omit), "omit")
  expect_identical(as.integer(na.action(exclude)), c(3L, 9L))
  expect_equal(nobs(omit), sum(seq_len(272)) - 12)
  expect_length(predict(omit), 270)
  for (value in list(predict(exclude), predict(exclude, type = "logdensity"), weights(exclude))) {
    expect_length(value, 272)
    expect_identical(unname(which(is.na(value))), c(3L, 9L))
  }
  for (value in list(fitted(exclude), residuals(exclude), predict(exclude, type = "prob"))) {
    expect_identical(nrow(value), 272L)
    expect_true(all(is.na(value[c(3, 9), ])))
  }
})

test_that("update fits again, found attached or not", {
  set.seed(1)
  three <- update(fit, k = 3)
  expect_identical(three$k, 3L)
  expect_identical(three$call, quote(gmm(x = faithful, k = 3)))
  expect_identical(update(fit, k = 4, evaluate = FALSE), quote(gmm(x = faithful, k = 4)))
  expect_gm_error(update(fit, 3), "argument", "by name")
})

test_that("as.data.frame has a row a component", {
  frame <- as.data.frame(fit)
  expect_named(frame, c("component", "proportion", "mean.eruptions", "mean.waiting",
                        "cov.eruptions.eruptions", "cov.eruptions.waiting", "cov.waiting.waiting"))
  expect_equal(frame$cov.eruptions.waiting, unname(fit$covariances[2, 1, ]))
  expect_identical(dim(as.data.frame(gmm(faithful$waiting, 1))), c(1L, 4L))
})

test_that("what needs data is refused for a mixture without", {
  for (f in list(logLik, nobs, deviance, AIC, BIC, weights, formula, terms, model.frame,
                 model.matrix,
                 case.names, fitted, residuals, simulate, update, predict, vcov, confint)) {
    expect_gm_error(f(built), "data")
  }
})

test_that("objects survive saveRDS and dput, with the same predictions", {
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  for (ascii in c(FALSE, TRUE)) {
    saveRDS(fit, file, ascii = ascii)
    expect_equal(predict(readRDS(file), x, type = "prob"), predict(fit, x, type = "prob"),
                 tolerance = if (ascii) 1e-14 else 0) # as text R writes 16 digits
  }
  copy <- eval(parse(text = deparse(built, control = c("all", "hexNumeric"))))
  new <- cbind(a = c(0, 2), b = c(1, -3))
  expect_identical(predict(copy, new, type = "logdensity"),
                   predict(built, new, type = "logdensity"))
})

test_that("other packages' methods for class gmm are never reached", {
  # as CRAN's gmm, gmgm and broom register them
  generics <- c("print", "summary", "coef", "vcov", "confint", "fitted", "residuals", "plot",
                "formula",
                "AIC", "BIC", "logLik")
  trap <- function(...) stop("fell through to another package's method")
  for (generic in generics) registerS3method(generic, "gmm", trap, envir = asNamespace("stats"))
  table <- asNamespace("stats")[[".__S3MethodsTable__."]]
  base_table <- asNamespace("base")[[".__S3MethodsTable__."]]
  on.exit(for (generic in generics) for (t in list(table, base_table)) {
    name <- paste0(generic, ".gmm")
    if (exists(name, t, inherits = FALSE)) rm(list = name, envir = t)
  })
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off(), add = TRUE)
  by_formula <- with_test_seed(1, gmm(~ waiting, faithful, k = 2))
  for (generic in generics) {
    expect_no_error(capture.output(get(generic)(if (generic == "formula") by_formula else fit)))
  }
})

test_that("digits are a number of digits, three more for log-likelihoods", {
  expect_match(format(fit, digits = 4), "log-likelihood -1130.264,", fixed = TRUE, all = FALSE)
  expect_match(format(fit, digits = 1), "log-likelihood -1130,", fixed = TRUE, all = FALSE)
  for (bad in list("a", 0, 1.5, NA, 16, bad = NULL)) {
    expect_gm_error(print(fit, digits = bad), "argument", "`digits`", "print")
    expect_gm_error(print(summary(fit), digits = bad), "argument", "`digits`")
  }
})

test_that("in one dimension the families are E and V", {
  line <- faithful$waiting
  expect_match(format(gmm(line, 1)), "1 component, full (V)", fixed = TRUE, all = FALSE)
  expect_match(format(gmm(line, 1, "E")), "1 component, tied (E)", fixed = TRUE, all = FALSE)
  expect_match(format(gmm(line, 1, "EII")), "EII (E)", fixed = TRUE, all = FALSE)
  expect_identical(family_label("EEV"), "EEV")
})

test_that("one component has a closed form", {
  expect_identical(gmm(faithful, 1)$starts$kind, "closed form")
})

test_that("AIC() and BIC() evaluate each fit once, and name it as it was written", {
  count <- 0
  one <- function(k) {
    count <<- count + 1
    gmm(faithful, k)
  }
  two <- gmm(faithful, 2)
  table <- BIC(one(1), two, one(1))
  expect_identical(count, 2)
  expect_identical(rownames(table), c("one(1)", "two", "one(1).1"))
  expect_identical(table["two", "BIC"], BIC(two))
  expect_identical(AIC(one(1), k = 3), AIC(gmm(faithful, 1), k = 3))
  expect_identical(count, 3)
  expect_identical(do.call(BIC, list(two, two))$BIC, rep(BIC(two), 2))
})

test_that("prints say how many rows are labelled, and how many miss something", {
  labelled <- gmm(faithful, k = 2, labels = c(1, 2, rep(NA, 270)))
  for (show in list(print, summary)) {
    expect_output(print(show(labelled)), "known labels: 2 of 272 rows, of 2 components")
  }
  holes <- iris[1:3]
  holes[1:4, 1] <- NA
  holes[5, 1:2] <- NA
  fit <- gmm(holes, k = 1, na.action = na.pass, covariance = "diag")
  da <- gmm_da(holes, iris$Species, na.action = na.pass)
  test <- gmm_lrt(fit, k = 1, n_boot = 19)
  for (object in list(fit, da, test)) {
    expect_output(print(object), "missing values: 5 rows, 2 patterns", fixed = TRUE)
  }
})

test_that("what must be given is asked for by name", {
  fit <- gmm(faithful, k = 2)
  expect_gm_error(gmm_sql(fit), "argument", "`table`")
  expect_gm_error(gmm_combine(), "argument", "`fit`")
  expect_gm_error(gmm_marginal(fit), "argument", "`variables`")
  expect_gm_error(gmm_conditional(fit), "argument", "`given`")
  expect_gm_error(gmm(. ~ eruptions, faithful, 2), "formula", "on the left")
})

test_that("a row far off is an error that offers a prior and trimming, which work", {
  far <- rbind(as.matrix(faithful), c(3, 1e6))
  expect_gm_error(gmm(far, 2), "degenerate", c("a prior", "`trim`"))
  expect_lt(max(gmm(far, 2, trim = 0.01)$means), 100)
})
