# The only file with .Call(): R values in, R values out. Arguments have been checked before.
# Means are k x d in R and d x k in C; weights are divided by a power of two near their mean, so
# that neither they nor their squares can overflow; a power of two changes no digit.

weight_unit <- function(w) if (is.null(w)) 1 else 2^round(log2(mean(w[w > 0])))

params_to_c <- function(params) {
  list(proportions = params$proportions, means = t(params$means), covariances = params$covariances,
       noise = noise_to_c(params$noise))
}

# What the C code can't give a class: memory that can't be had, and an instruction set forced by the
# environment that is not here.
with_classes <- function(call) {
  tryCatch(call, error = function(e) {
    if (startsWith(conditionMessage(e), "the environment variable")) {
      gmm_abort("argument", sub("^t", "T", paste0(conditionMessage(e), ".")))
    }
    lacking <- gettextf("cannot allocate vector of size %0.1f %s", 0, "", domain = "R")
    patterns <- c("cannot allocate", sub("0.0.*", "", lacking))
    if (!any(startsWith(conditionMessage(e), patterns))) stop(e)
    gmm_abort("memory", sprintf("There is not enough memory: %s.", conditionMessage(e)))
  })
}

# Was a floor set that solutions may lie on? Else none is kept that does.
floor_wanted <- function(control) control$floor > formals(gmm_control)$floor

# What the search does: short runs (all finished where there are no more than those to be finished),
# proposals without success that end it, and rows of the sample that it is done on where there are
# more than twice as many (whole: never).
search_plan <- function(start, n, d, k, control, whole = FALSE) {
  short_runs <- 40L
  plan <- list(n_starts = 1L, n_finish = 1L, proposals = 0L, sample = n, give_up = 0L)
  if (!is.character(start) || start == "hierarchical") return(plan)
  plan$n_starts <- plan$n_finish <- control$n_init
  plan$give_up <- as.integer(!floor_wanted(control))
  if (start != "auto") return(plan)
  plan$n_starts <- max(short_runs, control$n_init)
  default <- if (k > 1L) 40L + 20L * k else 300L # one: of a trimmed fit
  plan$proposals <- if (is.null(control$search)) default else control$search
  size <- max(4000, 20 * k * (d + 1))
  if (n > 2 * size && !whole) plan$sample <- as.integer(size)
  plan
}

# x: double matrix n x d; w: double n or NULL; start: "auto", "kmeans++", "random", "hierarchical",
# integer labels (n), a double matrix of responsibilities (n x k), or list(proportions, means,
# covariances); with noise k + 1 responsibilities and proportions.
# `title` begins messages of progress. options: as of resolve_options() in fit.R.
# Value: list(starts (data.frame, a row a start), best (the same, of the run that gave the result),
# proportions, means, covariances, trace, nobs, verdict (data.frame), reached (number of starts that
# found the best optimum)); `best` is NULL, and there are no parameters, where no start survived.
engine_fit <- function(x, w, code, k, scale, start, control, title = "gmm()",
                       options = list()) {
  unit <- weight_unit(w)
  run <- c(search_plan(start, nrow(x), ncol(x), k, control, !is.null(options$labels)),
           em_control(control, options, k, unit),
           list(progress = if (control$verbose) title else "",
                labels = labels_to_c(options$labels), trim = share_trimmed(options),
                units = as.double(scale)))
  if (is.list(start)) start <- params_to_c(start)
  out <- with_classes(
    .Call(ffi_gmm_fit, x, if (!is.null(w)) w / unit, code, k, bound_scale(scale, control), start,
          run)
  )
  out$starts <- read_records(out$starts, unit)
  if (is.null(out$best)) return(out)
  out <- read_result(out, unit, code, options$noise)
  seen <- unit * out$seen
  near <- max(1e-6 * unit * out$weight, 1e-9 * abs(seen))
  # each once; some within their short run
  ended <- (out$starts$finished | out$starts$converged %in% TRUE) & out$starts$same_as == 0L
  out$reached <- sum(abs(out$starts$objective - seen) <= near & ended, na.rm = TRUE)
  # 1, or from the sample to all rows
  whole <- out$total / (out$weight * (1 - share_trimmed(options)))
  out$starts$objective <- whole * out$starts$objective
  out$starts$loglik <- whole * out$starts$loglik
  out
}

# What one run takes, wherever the rows live. The prior counts as often as options$share says, for
# a sample of the rows.
em_control <- function(control, options, k, unit) {
  equal <- isTRUE(options$equal)
  share <- if (is.null(options$share)) 1 else options$share
  list(max_iter = control$max_iter, tol = control$tol, floor = control$floor, ratio = control$ratio,
       spurious = as.double(control$spurious), threads = control$threads,
       accelerate = as.integer(control$accelerate), equal = as.integer(equal),
       noise = noise_to_c(options$noise), fixed = fixed_to_c(options$fixed),
       prior = prior_to_c(options$prior, k + !is.null(options$noise), share / unit, equal,
                          options$variational))
}

# The parts of a run's result, in R's units and shapes.
read_result <- function(out, unit, code, noise) {
  out <- read_params_c(out, noise)
  out$best <- read_records(out$best, unit)
  out$trace <- unit * out$trace
  out$nobs <- unit * out$total
  out$verdict <- read_verdict(out$verdict)
  out$stats <- c(split_stats(out$stats, code, ncol(out$means), nrow(out$means)), unit = unit)
  out
}

# Parameters as the C code gives them, whose proportions always have a last one for the noise.
read_params_c <- function(params, noise) {
  params$means <- t(params$means)
  if (is.null(noise)) params$proportions <- params$proportions[seq_len(nrow(params$means))]
  params$noise <- noise
  params
}

# Flat statistics -> their parts, see engine_layout().
split_stats <- function(stats, code, d, k) {
  lengths <- engine_layout(code, d, k)
  parts <- split(stats, factor(rep(names(lengths), lengths), names(lengths)))
  for (part in c("sum", "lost", "lost2")) parts[[part]] <- matrix(parts[[part]], d)
  size <- if (families[[code]]$shape == "full") d^2 else d
  parts$scatter <- matrix(parts$scatter, size)
  parts
}

# EM from `start` (a parameter list) over rows that live elsewhere. estep(params): a function of a
# list of proportions, means (k x d), covariances and the family's code (`covariance`) that returns
# their statistics, in the order of engine_layout(), about these means; the weights in them are
# divided by `unit`. What it raises goes through. leap(params, stats): NULL, or better parameters,
# with the gain that they promise, see `struct gm_home` in src/core/gm.h. Value: as that of
# engine_fit(), without starts, reached, seen and weight; where the run failed only its record,
# `best`, whose status is not 0.
engine_em <- function(estep, code, start, scale, control, options = list(), unit = 1,
                      leap = NULL) {
  k <- nrow(start$means)
  length <- sum(engine_layout(code, length(scale), k))
  read <- function(params) c(read_params_c(params, options$noise), list(covariance = code))
  call <- function(params) {
    stats <- estep(read(params))
    if (!is.double(stats) || length(stats) != length) {
      gmm_abort("source", sprintf("An E-step must return %d statistics, not %s.", length,
                                  describe(stats)))
    }
    stats
  }
  ahead <- if (!is.null(leap)) function(params, stats) {
    to <- leap(read(params), stats)
    if (!is.null(to)) c(params_to_c(to), gain = to$gain / unit)
  }
  out <- with_classes(.Call(ffi_gmm_home, call, ahead, code, params_to_c(start),
                            bound_scale(scale, control), em_control(control, options, k, unit)))
  if (is.null(out$total)) return(list(best = read_records(out$best, unit)))
  read_result(out, unit, code, options$noise)
}

# The statistics of rows, see engine_em() and `struct gm_stats` in src/core/gm.h: one flat vector;
# those of parts of the data add up. w: divided by `unit`. labels: integers, 0 where not known.
engine_stats <- function(x, w, params, labels = NULL, threads = NULL) {
  with_classes(.Call(ffi_gmm_stats, x, w, params$covariance, params_to_c(params), labels, threads))
}

# Lengths of the parts of the statistics, in their order:
#   nk, nk2  k: sums of w r_j and of w^2 r_j, r_j the posterior probabilities
#   sum      d x k: sums of w r_j (x - mean_j)
#   scatter  sums of w r_j (x - mean_j)(x - mean_j)': for each component d x d, its lower triangle;
#            or d, its diagonal, where the family has diagonal covariances; one for all components
#            where they share it
#   lost, lost2  d x k: sums of w r_j and of w^2 r_j over the rows that miss the variable
#   total    sums of w log f(x), of w, of w r of the noise, and of constants of rows
engine_layout <- function(code, d, k) .Call(ffi_gmm_layout, code, d, k)

seed_kinds <- c("kmeans++", "kmeans++ (whitened)", "nearest rows", "random (scaled)", "cuts",
                "halves", "balls", "random", "labels", "responsibilities", "parameters",
                "hierarchical", "proposal", "another family", "split")

# A list of columns: what makes a data frame of it costs more than most small fits.
read_records <- function(records, unit) {
  for (name in c("objective", "loglik", "gain")) records[[name]] <- unit * records[[name]]
  if (is.integer(records$kind)) records$kind <- seed_kinds[records$kind + 1L]
  records$finished <- records$state == 1L
  records$converged <- as.logical(records$converged)
  records$converged[!records$finished & !records$converged] <- NA
  records
}

# cells: list(covariance, k, wave, parent, penalty, each with an element a cell, and narrower, a
# list with one), see model_lattice(); starts, options: for each k, named by it, as `start` and
# `options` of engine_fit(). certainty: whether the criterion that picks the finalists is ICL.
# Value: for each cell what engine_fit() gives, but no trace, and with `certainty` and `note`;
# starts, best and verdict are lists, which cell_tables() makes data frames of.
engine_grid <- function(x, w, cells, starts, scale, control, certainty, title, options) {
  unit <- weight_unit(w)
  n <- nrow(x)
  size <- as.integer(max(1500, 12 * max(cells$k) * (ncol(x) + 1)))
  auto <- identical(control$init, "auto")
  labels <- options[[1L]]$labels # the same for each k, as is the noise
  stocks <- lapply(names(starts), function(k) {
    start <- starts[[k]]
    starts <- if (is.character(start)) {
      switch(start, auto = control$n_init + 1L, hierarchical = 1L, control$n_init)
    }
    list(k = as.integer(k), starts = if (is.null(starts)) 1L else starts,
         start = if (is.list(start)) params_to_c(start) else start,
         bounds = em_control(control, options[[k]], as.integer(k), unit))
  })
  moves <- moves_each(cells$k, control)
  each <- lapply(seq_along(cells$k), function(i) {
    list(family = cells$covariance[i], k = as.integer(cells$k[i]), wave = cells$wave[i],
         parent = cells$parent[i], narrower = cells$narrower[[i]],
         penalty = min(cells$penalty[i], 1e300) / unit, moves = if (auto) moves[i] else 0L)
  })
  run <- list(
    finalists = if (auto) 2L else 0L,
    proposals = if (is.null(control$search)) 40L else control$search,
    more = if (is.null(control$search)) 5L else 0L,
    use_certainty = as.integer(certainty),
    give_up = as.integer(!floor_wanted(control)),
    sample = if (auto && n > 2L * size && is.null(labels)) size else n,
    max_iter = control$max_iter,
    tol = control$tol,
    accelerate = as.integer(control$accelerate),
    spurious = as.double(control$spurious), threads = control$threads,
    progress = if (control$verbose) title else "", labels = labels_to_c(labels),
    trim = share_trimmed(options[[1L]]), units = as.double(scale)
  )
  out <- with_classes(
    .Call(ffi_gmm_grid, x, if (!is.null(w)) w / unit, bound_scale(scale, control), stocks, each,
          run)
  )
  lapply(out, function(cell) {
    cell$note <- c("", "nested_spurious", "no_gain")[cell$note + 1L]
    if (is.null(cell$best)) return(cell)
    numbers <- c("objective", "loglik", "gain")
    cell$best[numbers] <- lapply(cell$best[numbers], `*`, unit)
    cell$best$converged <- as.logical(cell$best$converged)
    cell <- read_params_c(cell, options[[1L]]$noise)
    cell$nobs <- unit * cell$total
    cell$certainty <- unit * cell$certainty
    cell
  })
}

# The tables of a cell, which few of a grid need.
cell_tables <- function(cell, unit) {
  left_out <- 3L
  cell$starts <- list2DF(read_records(cell$starts, unit))
  cell$starts <- cell$starts[cell$starts$state != left_out, ]
  if (is.null(cell$best)) return(cell)
  cell$best <- read_records(cell$best, 1)
  cell$verdict <- read_verdict(cell$verdict)
  cell
}

# Proposals without success for each model: the fewer models and components, the more, as they cost
# the less.
moves_each <- function(k, control) {
  moves <- pmax(400L %/% length(k) - 3L, 16L %/% k)
  as.integer(if (is.null(control$search)) moves else pmin(moves, control$search))
}

read_verdict <- function(verdict) {
  verdict$spurious <- as.logical(verdict$spurious)
  verdict
}

# The sum of w log(largest posterior probability).
engine_certainty <- function(x, w, params, threads = NULL) {
  unit <- weight_unit(w)
  unit * with_classes(.Call(ffi_gmm_certainty, x, if (!is.null(w)) w / unit, params$covariance,
                            params_to_c(params), threads))
}

# What trimming keeps of the weight of each row (n).
engine_trim <- function(x, w, params, labels, trim, scale, threads = NULL) {
  unit <- weight_unit(w)
  unit * with_classes(.Call(ffi_gmm_trim, x, if (!is.null(w)) w / unit, labels_to_c(labels),
                            params$covariance, params_to_c(params),
                            list(trim = trim, units = as.double(scale)), threads))
}

# x: double matrix. type: "logdensity", "density", "class" (numbers of components), "uncertainty"
# (n), "prob", "component", "mahalanobis" (n x k). marginal: FALSE for NULL where values are
# missing. names: of the columns; then the rows have theirs too.
engine_score <- function(x, params, type, threads = NULL, marginal = TRUE, names = NULL) {
  with_classes(.Call(ffi_gmm_score, x, params$covariance, params_to_c(params), type,
                     as.integer(marginal), names, threads))
}

# n x d, with the variables' names, and an attribute "component": a factor.
engine_sample <- function(n, params, by_component = FALSE, threads = NULL) {
  need_proper(params, "random draws")
  if (is.null(rownames(params$means))) { # of a model that is no fit yet
    rownames(params$means) <- seq_len(nrow(params$means))
  }
  with_classes(.Call(ffi_gmm_sample, n, params$covariance, params_to_c(params),
                     as.integer(by_component), colnames(params$means), class_names(params),
                     threads))
}

# For tests: one block of rows through the stages of a kernel, and the generator itself.
engine_kernel <- function(path, x, params, w = NULL, label = NULL, extra = NULL, reach = 0L) {
  .Call(ffi_gmm_kernel, path, params$covariance, params_to_c(params), x, w, label, extra, reach)
}
engine_random <- function(key, index, stream = 0L, lane = 0L) {
  .Call(ffi_gmm_random, key, as.double(index), stream, lane)
}

# list(path, paths, threads, openmp): the instruction set in use, those that this processor has,
# the default number of threads.
engine_info <- function() with_classes(.Call(ffi_gmm_engine))

# A first look at rows. list(reach, ranges (2 x d: of all values that are there; of those in rows
# with weight), missing (their number), weight, weight2 (sums of w, w^2), wrong (the first row whose
# weight is not finite and at least 0; Inf: none)).
engine_scan <- function(x, w = NULL, threads = NULL) {
  scan <- with_classes(.Call(ffi_gmm_scan, x, w, threads))
  total <- scan$total
  list(reach = scan$reach, ranges = scan$ranges, missing = total[1L],
       weight = if (is.null(w)) nrow(x) else total[2L], weight2 = total[3L], wrong = total[4L] + 1)
}

# Rows of a chunk of n that a sample takes, from the one behind `from` on, at most `room`; before:
# rows of the chunks before. Value: list(row, order, last, passed), see source.R.
engine_draw <- function(draw, before, n, w, from, room) {
  with_classes(.Call(ffi_gmm_draw, draw, as.double(before), as.integer(n), w, as.integer(from),
                     as.integer(room)))
}

# How rows miss values: list(there (d x patterns), rows (of each), counted (those with weight)).
engine_gaps <- function(x, w = NULL) with_classes(.Call(ffi_gmm_gaps, x, w))

# For each share in p and column of a double matrix, the smallest value whose share of those that
# are there is at least that.
engine_quantiles <- function(x, p) with_classes(.Call(ffi_gmm_quantiles, x, p))

# Numbers by rows of d -> a matrix.
engine_columns <- function(values, d) with_classes(.Call(ffi_gmm_columns, values, as.integer(d)))

# Lines of text -> numbers: see ffi_csv.c.
engine_csv <- function(bytes, from, last, separator, columns, most) {
  with_classes(.Call(ffi_gmm_csv, bytes, as.double(from), as.integer(last), separator, columns,
                     as.double(most)))
}

# 8 bytes that tell whether bytes are the same (not by whose will).
engine_checksum <- function(bytes) with_classes(.Call(ffi_gmm_checksum, bytes))
