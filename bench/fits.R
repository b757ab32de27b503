# Parts fit-P1, fit-P2, faithful, overhead, passes: whole fits, as a user calls them.

# Ten starts each. Ours as it comes, to its own tolerance, and with that of scikit-learn.
for (name in c("P1", "P2")) local({
  name <- name
  part(paste0("fit-", name), function(rounds) {
    work <- workload(name)
    task <- paste("fit", name)
    for (round in seq_len(rounds)) {
      for (tol in c(1e-9, 1e-3)) {
        set.seed(round)
        spent <- seconds(fit <- gmm(work$x, work$k, control = gmm_control(tol = tol,
                                                                          verbose = FALSE)))
        software <- paste0(ours, sprintf(if (tol < 1e-3) ", default (tol %g)" else ", tol %g", tol))
        record(task, software, spent, "s", quality = fit$loglik / work$n)
      }
      if (round == 1) { # it takes half a minute
        out <- peer_sklearn("fit", cache, name, round)
        record(task, out$version, as.numeric(out$s), "s", quality = out$loglik)
      }
    }
  }, needs = c("sklearn", "openblas"), rounds = 2L)
})

# The call that a user types on a small data set.
part("faithful", function(rounds) {
  file <- tempfile(fileext = ".csv")
  write.csv(faithful, file, row.names = FALSE)
  fit <- function(seed) {
    set.seed(seed)
    gmm(faithful, 3)
  }
  fit(0)
  worst <- min(vapply(seq_len(rounds), function(i) fit(i)$loglik, 0))
  for (i in seq_len(rounds)) {
    record("faithful", ours, 1000 * seconds(fit(i)), "ms", quality = worst)
  }
  for (threads in 1:2) {
    out <- peer_sklearn("default", file, 3, rounds, threads = threads)
    record("faithful", out$version, numbers(out$ms), "ms", threads, out$loglik)
  }
  suppressPackageStartupMessages(library(mclust)) # must be attached: its functions look there
  for (models in list("VVV", NULL)) {
    run <- function() Mclust(faithful, G = 3, modelNames = models, verbose = FALSE)
    software <- paste("mclust", packageVersion("mclust"), if (is.null(models)) "(14 models)")
    loglik <- run()$loglik
    for (i in seq_len(rounds)) {
      record("faithful", software, 1000 * seconds(run()), "ms", 1, quality = loglik)
    }
  }
}, needs = c("sklearn", "openblas", "mclust"), rounds = 9L)

# What a call costs where there is nothing to compute.
part("overhead", function(rounds) {
  set.seed(1)
  x <- matrix(rnorm(10))
  control <- gmm_control(search = 0, n_init = 1, verbose = FALSE)
  calls <- 200
  run <- function() for (i in seq_len(calls)) gmm(x, 1, control = control)
  run()
  for (round in seq_len(rounds)) {
    record("overhead", ours, 1000 * seconds(run()) / calls, "ms/call")
  }
})

# Slow, overlapping mixtures: plain EM against accelerated EM from the true labels of 1,000 rows,
# means about one standard deviation apart.
part("passes", function(rounds) {
  cases <- expand.grid(d = c(1, 2, 3, 5), k = c(2, 3, 5), seed = seq_len(rounds))
  runs <- do.call(rbind, Map(function(d, k, seed) {
    set.seed(seed)
    component <- sample(k, 1000, TRUE)
    means <- matrix(rnorm(k * d), k)
    x <- means[component, , drop = FALSE] + matrix(rnorm(1000 * d), 1000)
    codes <- gmm_families(d, k)$code
    do.call(rbind, lapply(codes, function(code) {
      fit <- function(accelerate) {
        control <- gmm_control(init = component, accelerate = accelerate, max_iter = 1e6,
                               verbose = FALSE)
        tryCatch(suppressWarnings(gmm(x, k, code, control = control)),
                 gaussmix_error_degenerate = function(e) NULL)
      }
      plain <- fit(FALSE)
      fast <- fit(TRUE)
      if (is.null(plain) || is.null(fast)) return(NULL)
      data.frame(d, k, seed, code, plain = plain$passes, accelerated = fast$passes,
                 gain = fast$loglik - plain$loglik)
    }))
  }, cases$d, cases$k, cases$seed))
  runs$gain <- signif(runs$gain, 4)
  write.csv(runs, file.path(results, "passes.csv"), row.names = FALSE)
  slow <- runs[runs$plain >= 4000, ] # the range that the table names
  how <- sprintf(c("plain EM, %d slow runs of %d", "accelerated, %d slow runs of %d"), nrow(slow),
                 nrow(runs))
  record("passes", how[1], sum(slow$plain), "passes", quality = 0)
  record("passes", paste(ours, how[2]), sum(slow$accelerated), "passes", quality = sum(slow$gain))
  cat(sprintf("%d runs of 4,000 passes and more: geometric mean of the ratio %.1f, least %.1f;\n",
              nrow(slow), exp(mean(log(slow$plain / slow$accelerated))),
              min(slow$plain / slow$accelerated)))
  cat(sprintf("another optimum %d times, lower %d times, gain in all %.3f\n",
              sum(abs(slow$gain) > 1e-3), sum(slow$gain < -1e-3), sum(slow$gain)))
}, rounds = 2L)
