joint <- random_params("VVV", 3, 3, 21)
m <- gmm_params(joint$proportions, joint$means, joint$covariances)
points <- matrix(random_data(20, joint, 22), 20, dimnames = list(NULL, colnames(m$means)))
far <- rbind(points, 1e2 * points, -1e4 * points)

# The textbook: solve(), one component at a time, probabilities by exp().
textbook <- function(params, x, given) {
  parts <- lapply(seq_along(params$proportions), function(j) {
    s <- matrix(params$covariances[, , j], ncol(params$means))
    mean <- params$means[j, ]
    slope <- s[-given, given] %*% solve(s[given, given])
    list(weight = params$proportions[j] *
           mvtnorm::dmvnorm(x, mean[given], s[given, given, drop = FALSE]),
         mean = mean[-given] + drop(slope %*% (x - mean[given])),
         covariance = s[-given, -given] - slope %*% s[given, -given])
  })
  weights <- vapply(parts, `[[`, 0, "weight")
  list(prob = weights / sum(weights), means = do.call(rbind, lapply(parts, `[[`, "mean")),
       covariances = lapply(parts, `[[`, "covariance"))
}

test_that("the marginal mixture is the joint one, integrated", {
  part <- gmm_marginal(m, c(3, 1))
  expect_identical(colnames(part$means), c("V3", "V1"))
  expect_identical(part$proportions, m$proportions)
  expect_identical(unname(part$covariances[1, 2, ]), unname(m$covariances[3, 1, ]))
  step <- 0.1
  grid <- seq(-25, 25, step)
  for (i in 1:5) {
    line <- cbind(points[i, 1], grid, points[i, 3], deparse.level = 0)
    expect_equal(dgmm(points[i, c(3, 1)], part), sum(dgmm(line, m)) * step, tolerance = 1e-10)
  }
  expect_equal(dgmm(points, gmm_marginal(m, 1:3)), dgmm(points, m), tolerance = 1e-14)
})

test_that("joint density is marginal times conditional density, however far out", {
  for (given in list(1, 2, 3, 1:2, c(1, 3), 3:2)) {
    marginal <- gmm_marginal(m, given)
    for (i in seq_len(nrow(far))) {
      x <- far[i, ]
      part <- gmm_conditional(m, x[given])
      expect_identical(colnames(part$means), colnames(m$means)[-given])
      at <- part$means[which.max(part$proportions), , drop = FALSE] # where both are dense
      whole <- replace(x, -given, at[, names(x)[-given]])
      logs <- c(dgmm(whole, m, log = TRUE), dgmm(t(x[given]), marginal, log = TRUE))
      expect_lt(abs(dgmm(at, part, log = TRUE) - (logs[1] - logs[2])), 1e-12 * (10 + abs(logs[1])))
    }
  }
})

test_that("the conditional mixture is that of the textbook", {
  for (given in list(2, c(1, 3))) {
    for (i in 1:5) {
      want <- textbook(joint, points[i, given], given)
      got <- gmm_conditional(m, points[i, given])
      expect_equal(got$proportions, want$prob, ignore_attr = TRUE, tolerance = 1e-10)
      expect_equal(got$means, want$means, ignore_attr = TRUE, tolerance = 1e-10)
      expect_equal(c(got$covariances), unlist(want$covariances), tolerance = 1e-10)
      expect_identical(got$given, points[i, given])
    }
  }
})

test_that("every family's parts are of the family that they say, and usable", {
  for (family in gmm_families()$code) {
    fit <- with_test_seed(1, gmm(iris[1:4], 2, family))
    for (at in list(2, 3:4, c(4, 1, 2))) {
      parts <- list(gmm_marginal(fit, at), gmm_conditional(fit, unlist(iris[7, 1:4])[-at]))
      for (part in parts) {
        expect_silent(gmm_params(part$proportions, part$means, part$covariances,
                                 covariance = part$covariance))
        expect_length(predict(part, as.matrix(iris[1:3, colnames(part$means), drop = FALSE])), 3)
      }
    }
  }
  tied <- gmm_params(c(0.5, 0.5), rbind(c(a = 0, b = 1), c(2, 3)), matrix(c(2, 1, 1, 2), 2),
                     covariance = "tied")
  expect_identical(gmm_conditional(tied, c(a = 1))$covariance, "EEE")
  expect_identical(gmm_conditional(tied, c(a = 1))$df, 4)
})

test_that("the gate is right on the log scale, far out", {
  # tied: the log-odds are linear; where the smaller probability is 0, the regression is that of the
  # nearer component
  tied <- gmm_params(c(0.5, 0.5), rbind(c(a = 0, b = 0), c(1, 5)), diag(2), covariance = "tied")
  odds <- function(a) log(predict(tied, data.frame(a = a), type = "conditional")$prob)
  expect_equal(diff(odds(600)[1, ]), 599.5, ignore_attr = TRUE, tolerance = 1e-12)
  expect_equal(diff(odds(-700)[1, ]), -700.5, ignore_attr = TRUE, tolerance = 1e-12)
  out <- predict(tied, data.frame(a = c(-1e7, 1e7)), type = "conditional")
  expect_identical(unname(out$prob), rbind(c(1, 0), c(0, 1)))
  expect_identical(unname(out$mean), rbind(0, 5))
  # beyond what squares can hold, that of the component that is wider there
  wide <- gmm_params(c(0.9, 0.1), rbind(c(a = 0, b = 0), c(1, 5)), list(diag(2), 4 * diag(2)))
  expect_identical(unname(predict(wide, data.frame(a = 1e200), type = "conditional")$prob),
                   cbind(0, 1))
  expect_equal(out$variance, c("1" = 1, "2" = 1))
  expect_equal(unname(out$upper - out$lower), matrix(2 * qnorm(0.975), 2), tolerance = 1e-12)
})

test_that("predict() gives moments and quantiles of each row's conditional mixture", {
  new <- points[1:8, 2:1]
  rownames(new) <- letters[1:8]
  out <- predict(m, new, type = "conditional", level = 0.8)
  expect_named(out, c("mean", "variance", "lower", "upper", "prob"))
  for (part in out[c("mean", "lower", "upper")]) {
    expect_identical(dimnames(part), list(letters[1:8], "V3"))
  }
  expect_named(out$variance, letters[1:8])
  expect_identical(dimnames(out$prob), list(letters[1:8], c("1", "2", "3")))
  for (i in 1:8) {
    row <- gmm_conditional(m, new[i, ])
    expect_equal(out$prob[i, ], row$proportions, tolerance = 1e-12)
    expect_equal(c(out$lower[i, ], out$upper[i, ]), qgmm(c(0.1, 0.9), row), ignore_attr = TRUE,
                 tolerance = 1e-12)
    # by integration
    sds <- sqrt(row$covariances[1, 1, ])
    ends <- range(row$means - 12 * sds, row$means + 12 * sds)
    z <- seq(ends[1], ends[2], length.out = 20001)
    mass <- dgmm(z, row) * diff(z)[1]
    mean <- sum(z * mass)
    expect_equal(out$mean[i, ], mean, ignore_attr = TRUE, tolerance = 1e-8)
    expect_equal(out$variance[[i]], sum((z - mean)^2 * mass), tolerance = 1e-8)
  }
  expect_named(predict(m, new, type = "conditional", level = NULL), c("mean", "variance", "prob"))
})

test_that("of several variables there is a covariance, and an interval for each", {
  out <- predict(m, points[, "V2", drop = FALSE], type = "conditional")
  expect_identical(dim(out$mean), c(20L, 2L))
  expect_identical(dimnames(out$variance), list(NULL, c("V1", "V3"), c("V1", "V3")))
  for (i in 1:3) {
    row <- gmm_conditional(m, points[i, "V2", drop = FALSE])
    mean <- colSums(row$proportions * row$means)
    second <- Reduce(`+`, lapply(1:3, function(j) {
      row$proportions[j] * (row$covariances[, , j] + tcrossprod(row$means[j, ]))
    }))
    expect_equal(out$mean[i, ], mean, tolerance = 1e-12)
    expect_equal(out$variance[i, , ], second - tcrossprod(mean), tolerance = 1e-10)
    for (v in c("V1", "V3")) {
      expect_equal(c(out$lower[i, v], out$upper[i, v]), qgmm(c(0.025, 0.975), gmm_marginal(row, v)),
                   tolerance = 1e-12, ignore_attr = TRUE)
    }
  }
})

test_that("intervals hold their share of new values", {
  held <- with_test_seed(3, rgmm(4000, m))
  for (level in c(0.5, 0.9)) {
    out <- predict(m, held[, -1], type = "conditional", level = level)
    share <- mean(held[, 1] > out$lower & held[, 1] <= out$upper)
    expect_lt(abs(share - level), 4 * sqrt(level * (1 - level) / 4000))
  }
})

test_that("with one component it is linear regression, by maximum likelihood", {
  w <- rep(c(1, 2.5, 0.5, 3), 68)
  for (weights in list(NULL, w)) {
    fit <- do.call(gmm, list(waiting ~ eruptions, faithful, 1, weights = weights))
    line <- do.call(lm, list(waiting ~ eruptions, faithful, weights = weights))
    share <- if (is.null(weights)) rep(1 / 272, 272) else w / sum(w)
    out <- predict(fit, type = "conditional", level = 0.9)
    expect_equal(out$mean[, 1], fitted(line), tolerance = 1e-10)
    expect_equal(unname(out$variance), rep(sum(share * resid(line)^2), 272), tolerance = 1e-10)
    expect_equal(out$upper - out$mean, qnorm(0.95) * sqrt(out$variance), ignore_attr = TRUE,
                 tolerance = 1e-8)
    new <- data.frame(eruptions = c(1, 3, 9))
    expect_equal(predict(fit, new, type = "conditional")$mean[, 1], predict(line, new),
                 tolerance = 1e-10)
  }
  many <- gmm(cbind(Sepal.Length, log(Sepal.Width)) ~ ., iris[1:4], 1)
  lines <- lm(cbind(Sepal.Length, log(Sepal.Width)) ~ ., iris[1:4])
  out <- predict(many, iris[1:9, 3:4], type = "conditional")
  expect_equal(out$mean, fitted(lines)[1:9, ], ignore_attr = TRUE, tolerance = 1e-9)
  expect_equal(out$variance[1, , ], crossprod(resid(lines)) / 150, ignore_attr = TRUE,
               tolerance = 1e-9)
})

test_that("a formula with a response is the joint mixture, the response first", {
  two <- with_test_seed(1, gmm(waiting ~ eruptions, faithful, k = 2))
  one <- with_test_seed(1, gmm(~ waiting + eruptions, faithful, k = 2))
  expect_identical(coef(two), coef(one))
  expect_equal(formula(two), waiting ~ eruptions, ignore_attr = TRUE)
  expect_identical(predict(two, faithful[2:1]), predict(one))
  expect_identical(names(model.frame(two)), c("waiting", "eruptions"))
  all <- gmm(Sepal.Length ~ . - Petal.Width, iris[1:4], k = 1)
  expect_identical(variable.names(all), c("Sepal.Length", "Sepal.Width", "Petal.Length"))
  both <- gmm(cbind(Petal.Length, Petal.Width) ~ Sepal.Length, iris, k = 1)
  expect_identical(variable.names(both), c("Petal.Length", "Petal.Width", "Sepal.Length"))
  chosen <- gmm_best(gmm_select(waiting ~ eruptions, faithful, k = 1:2, covariance = "full"))
  expect_length(predict(chosen, data.frame(eruptions = 3), type = "conditional")$mean, 1)
  # a response in newdata is not looked at, whatever it is
  new <- data.frame(eruptions = 2:4)
  want <- predict(two, new, type = "conditional")
  expect_identical(predict(two, cbind(new, waiting = NA), type = "conditional"), want)
  expect_identical(predict(two, cbind(new, waiting = letters[1:3]), type = "conditional"), want)
  expect_identical(predict(two, as.matrix(new), type = "conditional")$mean[, 1],
                   unname(want$mean[, 1]))
  # gmm_conditional() takes any variables, the response too
  same <- c("proportions", "means", "covariances", "given")
  expect_identical(gmm_conditional(two, c(waiting = 70))[same],
                   gmm_conditional(one, c(waiting = 70))[same])
})

test_that("terms of a formula are known where their variables are", {
  frame <- cbind(faithful, z = rev(faithful$waiting))
  shift <- 1
  fit <- gmm(~ log(waiting + shift) + poly(eruptions, 2) + I(z / eruptions), frame, k = 1)
  x <- fit$x
  names <- colnames(x)
  one <- predict(fit, frame["eruptions"], type = "conditional", level = NULL)
  expect_identical(colnames(one$mean), names[c(1, 4)])
  line <- lm(x[, c(1, 4)] ~ x[, 2:3])
  expect_equal(one$mean, fitted(line), tolerance = 1e-8, ignore_attr = TRUE)
  two <- predict(fit, frame[c("eruptions", "z")], type = "conditional", level = NULL)
  expect_identical(colnames(two$mean), names[1])
  expect_equal(two$mean[, 1], fitted(lm(x[, 1] ~ x[, -1])), tolerance = 1e-8)
  logs <- gmm(log(waiting) ~ log(eruptions), faithful, k = 1)
  expect_equal(predict(logs, data.frame(eruptions = 3), type = "conditional")$mean[1, ],
               predict(lm(log(waiting) ~ log(eruptions), faithful), data.frame(eruptions = 3)),
               ignore_attr = TRUE, tolerance = 1e-10)
  expect_equal(gmm_conditional(logs, data.frame(eruptions = 3))$means,
               gmm_conditional(logs, c("log(eruptions)" = log(3)))$means)
})

test_that("a row is conditioned on what it has", {
  fit <- gmm(iris[1:4], 3)
  new <- data.frame(Petal.Length = c(NA, 4, NA), Petal.Width = c(0.2, 1, NA))
  out <- predict(fit, new, type = "conditional")
  width <- predict(fit, new[1, 2, drop = FALSE], type = "conditional")
  sepals <- colnames(out$mean)
  for (part in c("mean", "lower", "upper")) {
    expect_equal(out[[part]][1, ], width[[part]][1, sepals], tolerance = 1e-10)
  }
  expect_equal(out$variance[1, , ], width$variance[1, sepals, sepals], tolerance = 1e-10)
  expect_equal(out$prob[1, ], width$prob[1, ], tolerance = 1e-10)
  both <- predict(fit, new[2, ], type = "conditional")
  expect_equal(lapply(out, function(part) cbind(part)[2, ]),
               lapply(both, function(part) cbind(part)[1, ]), tolerance = 1e-10)
  # nothing known: the marginal mixture
  expect_equal(out$mean[3, ], colMeans(iris[sepals]), tolerance = 1e-4)
  expect_equal(out$prob[3, ], fit$proportions)
  expect_equal(out$upper[[3, 1]], qgmm(0.975, gmm_marginal(fit, 1)), tolerance = 1e-10)
  # rows fitted
  holes <- faithful
  holes$eruptions[1:2] <- NA
  holes$waiting[1] <- NA
  partly <- gmm(waiting ~ eruptions, holes, k = 2, na.action = na.pass)
  fitted <- predict(partly, type = "conditional")
  expect_equal(fitted$mean[1:2, 1], rep(sum(partly$proportions * partly$means[, "waiting"]), 2),
               tolerance = 1e-10, ignore_attr = TRUE)
  expect_equal(fitted, predict(partly, holes, type = "conditional"))
})

test_that("rows that are left out or infinite are NA, and keep their places", {
  new <- data.frame(V1 = c(0, NA, 1, Inf), V2 = c(1, 2, 3, 4), row.names = letters[1:4])
  expect_gm_warning(out <- predict(m, new, type = "conditional", na.action = na.exclude),
                    "infinite", ": 4.")
  for (part in out) {
    expect_identical(unname(is.na(cbind(part)[, 1])), c(FALSE, TRUE, FALSE, TRUE))
  }
  fine <- predict(m, new[c(1, 3), ], type = "conditional")
  expect_equal(lapply(out, function(part) cbind(part)[c(1, 3), ]),
               lapply(fine, function(part) cbind(part)[1:2, ]))
  finite <- new[1:3, ]
  expect_false(anyNA(predict(m, finite, "conditional")$mean))
  expect_identical(rownames(predict(m, finite, "conditional", na.omit)$mean), c("a", "c"))
  expect_identical(nrow(predict(m, finite, "conditional", na.exclude)$mean), 3L)
  expect_gm_error(predict(m, finite, "conditional", na.fail), "missing", "row \"b\"")
  none <- predict(m, finite[0, ], type = "conditional")
  expect_identical(lapply(none[-2], dim),
                   list(mean = c(0L, 1L), lower = c(0L, 1L), upper = c(0L, 1L), prob = c(0L, 3L)))
  gaps <- faithful
  gaps$waiting[3] <- NA
  fit <- gmm(waiting ~ eruptions, gaps, k = 1, na.action = na.exclude)
  out <- predict(fit, type = "conditional")
  expect_identical(which(is.na(out$mean)), 3L)
  expect_identical(rownames(out$mean), rownames(gaps))
})

test_that("what can't be is refused", {
  fit <- gmm(faithful, 1)
  two <- gmm(waiting ~ eruptions, faithful, k = 1)
  conditional <- function(fit, ...) predict(fit, ..., type = "conditional")
  for (bad in list(character(), integer(), 0, 3, 1.5, "nowhere", c(1, 1), NA, NULL, list(1),
                   mean)) {
    expect_gm_error(gmm_marginal(fit, bad), "argument", "`variables` must be distinct",
                    call = "gmm_marginal")
  }
  expect_snapshot(show_conditions(
    gmm_marginal(fit, "wating"), gmm_conditional(fit, 70), gmm_conditional(fit, c(waiting = NA)),
    gmm_conditional(fit, c(waiting = Inf)), gmm_conditional(fit, c(waiting = 70, eruptions = 2)),
    gmm_conditional(fit, c(waiting = 70, wating = 2)),
    gmm_conditional(fit, faithful[1:2, "waiting", FALSE]),
    gmm_conditional(fit, c(waiting = "a")), conditional(fit), conditional(fit, faithful),
    conditional(fit, data.frame(wating = 1)), conditional(fit, 1:3), conditional(fit, "a"),
    conditional(two, faithful["waiting"]), conditional(two, data.frame(eruptions = "a")),
    conditional(fit, faithful[1], level = 1), predict(two, faithful["eruptions"]),
    predict(fit, level = 0.9), gmm(waiting ~ 1, faithful, k = 2),
    gmm(waiting ~ waiting, faithful, k = 2)
  ))
  light <- gmm(waiting ~ eruptions, faithful, k = 1, control = gmm_control(keep = FALSE))
  expect_gm_error(conditional(light), "data", "keep = TRUE")
  expect_length(conditional(light, faithful)$mean, 272)
})

test_that("prints say what is given, and which the response is", {
  fit <- with_test_seed(1, gmm(waiting ~ eruptions, faithful, k = 2))
  expect_snapshot({
    print(fit)
    print(gmm_conditional(fit, c(eruptions = 3.1234567)))
    print(gmm_marginal(fit, "waiting"))
  })
})
