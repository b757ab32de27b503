# Fits of rows that don't live in memory: in chunks, on a cluster, in a database. What such a home
# must offer is a list `home`, beside what as_gmm_data() gives, in which x, weights and labels are
# those of a sample of the rows:
#   what     text: what holds the rows
#   rows     how many there are; those with weight 0 too
#   weight   sum of their weights
#   weight2  sum of the squares of their weights; NULL: no weights
#   unit     a power of two that weights are divided by (see engine.R)
#   estep    function(params) -> the statistics of all rows, see engine_em()
#   missing, together  see survey_rows(); NULL: no value is missing
#   known    levels of the known labels, or NULL; the sample's codes are `labels`
#   ranges   of the columns; seed: R's random numbers before the sample was drawn (checkpoint.R)
#
# The search for the best optimum is done on the sample, as gmm() does it, and EM goes on from there
# over all rows. A start that is given as parameters goes to all rows at once.

home_fit <- function(data, code, k, start, control, title, options) {
  home <- data$home
  find <- function() find_start(data, code, k, start, control, title, options)
  record <- open_record(data, code, k, control, options, find)
  from <- record$start
  if (is.null(from$params)) return(from)
  steps <- recorded(remembering(home$estep, colnames(data$x)), record, control)
  on.exit(steps$save())
  out <- engine_em(told(steps$estep, title, control$verbose), code, from$params, data$scale,
                   control, options, home$unit, make_leap(data, code, k, control, options))
  # what was cut short may go on
  if (!isFALSE(out$best$converged) && !is.null(control$checkpoint)) {
    on.exit(unlink(control$checkpoint))
  }
  out$best$kind <- from$kind
  out$starts <- if (is.null(from$starts)) out$best else from$starts
  if (out$best$status > 0L) return(list(starts = out$best))
  out$reached <- from$reached
  out
}

# list(params, starts (NULL: given), reached, kind): the best optimum of the sample; where there is
# none, what engine_fit() returns.
find_start <- function(data, code, k, start, control, title, options) {
  if (is.list(start)) {
    return(list(params = start, reached = 1L, kind = "parameters"))
  }
  share <- options$share <- sample_share(data)
  found <- engine_fit(data$x, data$weights, code, k, data$scale, start, control, title, options)
  if (is.null(found$best)) return(found)
  starts <- found$starts
  starts$objective <- starts$objective / share
  starts$loglik <- starts$loglik / share
  list(params = reorder_gaussians(found, seq_len(k)), starts = starts, reached = found$reached,
       kind = found$best$kind)
}

# Of the weight of all rows.
sample_share <- function(data) sum(case_weights(data)) / data$home$weight

# Leaps ahead of EM (see engine_em()), by the sample. The statistics of all rows differ from those
# of the sample, taken for as many; with the difference held, as rows of which only statistics are
# left (freeze() in online.R), EM over the sample ends at the maximum of an objective that has the
# value and the gradient of that of all rows, and the curvature of the sample's: Newton's step, but
# for that (cf. Shamir, Srebro & Zhang 2014). NULL: where the E-step takes more than the parameters.
make_leap <- function(data, code, k, control, options) {
  if (!is.null(options$variational)) return(NULL)
  home <- data$home
  d <- ncol(data$x)
  unit <- weight_unit(data$weights)
  w <- if (!is.null(data$weights)) data$weights / unit
  labels <- labels_to_c(options$labels)
  lengths <- engine_layout(code, d, k)
  times <- home$weight / sum(case_weights(data)) * unit / home$unit
  times <- rep(times^ifelse(names(lengths) %in% c("nk2", "lost2"), 2, 1), lengths)
  sample_stats <- function(params) {
    times * engine_stats(data$x, w, params, labels, control$threads)
  }
  control[c("tol", "max_iter")] <- list(control$tol / 10, 1000L)
  function(params, stats) {
    apart <- split_stats(stats - sample_stats(params), code, d, k)
    apart <- freeze(c(apart, unit = home$unit), params, seq_len(k))
    near <- function(now) {
      stats <- sample_stats(now) + apart(now, home$unit)
      if (any(stats[seq_len(k)] <= 0)) stats[] <- NaN # too far for the difference to hold
      stats
    }
    out <- engine_em(near, code, params, data$scale, control, options, home$unit)
    if (out$best$status > 0L || !out$best$converged) return(NULL)
    c(reorder_gaussians(out, seq_len(k)), gain = out$best$objective - out$trace[[1L]])
  }
}

# An E-step whose errors carry the parameters of the last pass that ended well.
remembering <- function(estep, names) {
  last <- NULL
  function(params) {
    stats <- tryCatch(estep(params), gaussmix_error_source = function(e) {
      if (!is.null(last)) {
        colnames(last$means) <- names
        e$parameters <- gmm_params(last$proportions / sum(last$proportions), last$means,
                                   last$covariances, covariance = last$covariance,
                                   noise = noise_argument(last$noise))
        e$message <- paste0(e$message, "\nThe condition has the last good `parameters`: ",
                            "gmm_control(init = ) goes on from there.")
      }
      stop(e)
    })
    last <<- params
    stats
  }
}

# An E-step that tells of progress every few seconds.
told <- function(estep, title, verbose, clock = elapsed) {
  if (!verbose) return(estep)
  pass <- 0L
  last <- clock()
  function(params) {
    pass <<- pass + 1L
    stats <- estep(params)
    if (clock() - last > 2) {
      gmm_inform(sprintf("%s: pass %d over all rows", title, pass))
      last <<- clock()
    }
    stats
  }
}

# What gmm_bridge() takes, of a survey of the rows as survey_rows() makes it. make_estep(unit,
# levels): the E-step, for weights divided by `unit` and labels of these levels.
home_data <- function(s, what, k, make_estep) {
  if (!is.finite(s$weight + sum(s$weight2)) || s$weight == 0 || isTRUE(s$weight2 == 0)) {
    gmm_abort("weights", sprintf(
      "The weights of the rows in %s must have a finite sum above 0, and so must their squares.",
      what
    ))
  }
  x <- s$sample$x
  dimnames(x) <- list(NULL, s$names)
  levels <- if (!is.null(s$labels)) label_levels(s$labels)
  if (!is.null(levels)) check_home_labels(s, levels, k, what)
  gaps <- if (isTRUE(s$missing$rows > 0)) s$missing
  empty <- sum(gaps$empty)
  unit <- if (is.null(s$weight2)) 1 else 2^round(log2(s$weight / s$rows))
  list(x = x, weights = s$sample$weights,
       labels = if (!is.null(levels)) factor(s$sample$labels, levels), given = nrow(x),
       scale = home_scale(x, s, what),
       blueprint = list(kind = "matrix", names = s$names, named = s$named),
       home = list(what = what, rows = s$rows + empty, dropped = s$dropped - empty,
                   weight = s$weight, weight2 = s$weight2, unit = unit, known = levels,
                   ranges = s$ranges, seed = s$seed, missing = gaps, together = s$together,
                   estep = steady_estep(make_estep(unit, levels), s, unit, what)))
}

# ---- have the rows changed? ------------------------------------------------------------

# The posterior probabilities of a row sum to 1, so that the sums of w, w x and w x^2 follow from
# the statistics, and are the same for any parameters: each pass is compared with the survey (w)
# and the first pass.
steady_estep <- function(estep, s, unit, what) {
  centre <- colMeans(s$sample$x)
  first <- NULL
  function(params) {
    stats <- estep(params)
    now <- row_moments(stats, params, centre)
    if (is.null(first)) first <<- replace(now, "weight", s$weight / unit)
    terms <- pmax(first$terms, now$terms) # what rounding goes by: means may be far from all rows
    size <- list(first$weight, sqrt(first$weight * terms), terms)[if (length(now) > 1L) 1:3 else 1L]
    same <- mapply(function(a, b, size) isTRUE(all(abs(a - b) <= 1e-9 * size)),
                   now[seq_along(size)], first[seq_along(size)], size)
    if (!all(same)) {
      gmm_abort("source", sprintf(
        "The rows changed between two passes: those of %s do not have the %s they had before.",
        what, if (same[[1L]]) "moments that" else "sum of weights that"
      ), "Every pass must have the same rows and weights; fit a copy, see gmm_write().")
    }
    stats
  }
}

# list(sum of w, sums of w (x - centre), sums of w (x - centre)^2, and the largest that the terms of
# the latter may be), of a block of statistics. What went to the noise left only its weight; so did
# rows with missing values.
row_moments <- function(stats, params, centre) {
  k <- nrow(params$means)
  d <- ncol(params$means)
  full <- families[[params$covariance]]$shape == "full"
  parts <- parts_of(stats, engine_layout(params$covariance, d, k))
  weight <- parts$total[[2L]]
  if (!is.null(params$noise) || any(parts$lost != 0) || anyNA(centre)) return(list(weight = weight))
  means <- t(params$means) - centre
  sum <- matrix(parts$sum, d)
  square <- matrix(parts$scatter, if (full) d * d else d)
  if (full) square <- square[which(diag(d) == 1), , drop = FALSE]
  within <- rowSums(square)
  between <- drop(means^2 %*% parts$nk)
  list(weight = weight, sum = rowSums(sum) + drop(means %*% parts$nk),
       square = within + rowSums(2 * means * sum) + between, terms = within + between)
}

check_home_labels <- function(s, levels, k, what) {
  check_label_counts(levels, of_names(s$labels$counts, levels), k)
  lacking <- setdiff(levels, s$sample$labels)
  if (length(lacking)) {
    gmm_abort("labels", sprintf(
      "No row with the label %s is in the sample of %s that the start is found on.",
      some(dQuote(lacking, FALSE)), plural(nrow(s$sample$x), "row")
    ), "Labels so rare say little: leave them NA.")
  }
}

# The columns' scales by the sample. Where a column is constant there, but not in all rows: the
# least standard deviation that a column can have with this range.
home_scale <- function(x, s, what) {
  check_reach(s$reach, s$names)
  refuse_empty(s$names[s$ranges[1L, ] > s$ranges[2L, ]], what, !is.null(s$weight2))
  refuse_constant(s$names[s$ranges[1L, ] == s$ranges[2L, ]], s$rows, length(s$names), what,
                  weighty = !is.null(s$weight2))
  lost <- apply_columns(x, function(v) all(is.na(v)), NA)
  if (any(lost)) {
    gmm_abort("missing", sprintf(
      "No value of %s is in the sample of %s that the start is found on.",
      some(backtick(s$names[lost])), plural(nrow(x), "row")
    ), "Columns so rarely observed say little: leave them out.", columns = s$names[lost])
  }
  scale <- column_scale(x, s$sample$weights)
  spread <- s$ranges[2L, ] - s$ranges[1L, ]
  check_spread(ifelse(scale > 0, scale, spread / sqrt(s$rows)), spread)
}

# What all methods begin with, before they look at the rows.
home_control <- function(control, what) {
  control <- check_control(control)
  check_home_start(control$init, what)
  resume_random(control)
  control
}

# What only rows in memory have, or is said elsewhere.
check_home_dots <- function(...) {
  given <- ...names()
  if ("trim" %in% given) {
    gmm_abort("argument", paste(
      "`trim` needs the rows in memory: which of them are trimmed is found by sorting the",
      "densities of all, and does not add up over parts of the rows."
    ), "`noise` takes up outliers here; or trim a sample of the rows.")
  }
  rows <- intersect(c("weights", "labels"), given)
  if (length(rows)) {
    gmm_abort("argument", sprintf("%s of rows that are not in memory belong to where they are.",
                                  some(backtick(rows))),
              "Chunks carry their own, see gmm_source(); gmm_dbi() takes the columns' names.")
  }
}

# f(data), with rows elsewhere as `data`: of one state of a table; a source is closed afterwards.
over_rows <- function(x, k, na.action, control, f) {
  if (inherits(x, "gmm_cluster")) return(f(cluster_data(x, k, na.action, control$threads)))
  began <- FALSE
  on.exit(if (began) end_snapshot(x))
  if (is_database(x)) suspendInterrupts(began <- begin_snapshot(x))
  on.exit(x$close(), add = TRUE, after = FALSE)
  read <- if (is_database(x)) dbi_data else source_data
  f(read(x, k, na.action, control$threads))
}

# What takes rows in memory only, and what goes over those elsewhere to the same end.
home_ways <- c(
  gmm = "gmm(source, k) goes over it: choose and transform its columns where they are.",
  gmm_da = "gmm() goes over it, with `labels` beside rows: a Gaussian each, if all are known.",
  gmm_lrt = "gmm_select() goes over it, and compares numbers of components by BIC.",
  dgmm = "predict(fit, newdata, type = \"density\") goes over a gmm_source().",
  predict = "predict() goes over a gmm_source()."
)

refuse_home <- function(x, arg) {
  fun <- as.character(user_call())
  way <- if (length(fun)) home_ways[fun]
  gmm_abort("type", sprintf("`%s` must be rows in memory here, not those of %s.", arg, x$what),
            if (length(way) && !is.na(way)) way[[1L]] else "Give a sample of the rows.")
}

# Starts that say something of each row can't be had where rows are not at hand.
check_home_start <- function(init, what) {
  if (is_string(init) || is_parameters(init) || is.function(init)) return(invisible())
  gmm_abort("start", sprintf(
    "`init` must not be %s where the rows are in %s: they are not at hand.",
    if (is.matrix(init) || is.data.frame(init)) "responsibilities" else "labels", what
  ), "Give parameters, a fit, or a function of the sample that starts are found on.")
}

# Rows that the search is done on, where there are more.
home_sample_size <- function(k, d) max(4000, 20 * k * (d + 1), min(1e5, 1e7 %/% d))

# What the object says of where its rows are.
home_record <- function(home) {
  c(home[c("what", "rows", "dropped")],
    if (!is.null(home$weight2)) list(effective = home$weight^2 / home$weight2))
}

# The object keeps nothing of the sample.
away_from_home <- function(fit, home) {
  fit$x <- fit$weights <- NULL
  if (!is.null(home$known)) fit$labels <- factor(character(), home$known)
  fit$home <- home_record(home)
  if (isTRUE(home$frozen)) { # there are statistics only
    fit$home$frozen <- TRUE
    fit$loglik <- NULL
  }
  fit$call <- without_data(fit$call)
  fit
}
