# A grid of models: which models are the same, which contain which, and all of them fitted by one
# call of the engine.

# Two families with the same key are the same model: with one component nothing can vary between
# components, and in one variable there is neither shape nor orientation.
model_key <- function(code, k, d) {
  letters <- family_letters(code)
  if (k == 1L) letters[letters == "V"] <- "E"
  if (d == 1L) letters[-1L] <- "I"
  paste(c(letters, k), collapse = "")
}

# covariance, name and k of each model that is fitted: equal ones once, under the name of the family
# that is the narrowest where they differ.
model_grid <- function(codes, k, d) {
  grid <- expand.grid(k = k, covariance = codes, stringsAsFactors = FALSE)
  key <- mapply(model_key, grid$covariance, grid$k, d)
  width <- df_each(grid$covariance, max(d, 2L), grid$k + 1L)
  narrowest <- order(width)
  kept <- sort(narrowest[!duplicated(key[narrowest])])
  code <- grid$covariance[kept]
  data.frame(covariance = code, name = vapply(families[code], `[[`, "", "name", USE.NAMES = FALSE),
             k = grid$k[kept])
}

# Of each row of the grid: `narrower`, the rows of the same k whose model it contains; `parent`, the
# row of the same family with a component less (0: none); `wave`, above those of the narrower ones.
# Narrower is the family each of whose letters comes before, in the order I, E, V. spheres: whether
# spherical covariances are cases of the diagonal ones.
model_lattice <- function(grid, d, spheres = TRUE) {
  key <- mapply(model_key, grid$covariance, grid$k, d)
  rank <- matrix(match(unlist(strsplit(substr(key, 1L, 3L), "")), c("I", "E", "V")), 3L)
  sphere <- rank[2L, ] == 1L & !spheres
  contains <- function(i) {
    i != seq_along(key) & grid$k == grid$k[i] & colSums(rank > rank[, i]) == 0L &
      sphere == sphere[i]
  }
  before <- mapply(model_key, grid$covariance, grid$k - 1L, d)
  list(narrower = lapply(seq_along(key), function(i) which(contains(i))),
       parent = match(before, key, nomatch = 0L), wave = as.integer(colSums(rank)))
}

# Each model of the grid -> what fit_model() would return, with `covariance`, `certainty` (the sum
# of w log(largest posterior)) and `note`; or the error that says why there is no such model.
# `options`: as of gmm_bridge().
fit_grid <- function(grid, data, control, criterion = "BIC", title = "gmm_select()",
                     options = grid_options()) {
  models <- lapply(seq_len(nrow(grid)), function(i) {
    tryCatch({
      check_size(data, grid$k[i], grid$covariance[i], control)
      check_together(data, grid$covariance[i])
    }, gaussmix_error = identity)
  })
  wanted <- sort(unique(grid$k[!vapply(models, is_error, NA)]))
  of_k <- function(resolve) {
    lapply(stats::setNames(nm = wanted), function(k) {
      tryCatch(resolve(k), gaussmix_error = identity)
    })
  }
  resolved <- of_k(function(k) {
    options <- resolve_options(options, data, k)
    if (!is.null(data$home)) options$share <- sample_share(data)
    options
  })
  starts <- of_k(function(k) {
    options <- resolved[[as.character(k)]]
    resolve_start(control$init, k, "VVV", data, options$noise, has_closed_form(options))
  })
  for (i in which(!vapply(models, is_error, NA))) {
    k <- as.character(grid$k[i])
    for (part in list(starts[[k]], resolved[[k]])) if (is_error(part)) models[[i]] <- part
  }
  open <- which(!vapply(models, is_error, NA))
  if (length(open) == 0L) return(models)
  asked <- grid[open, ]
  kept <- as.character(sort(unique(asked$k)))
  df <- model_df(asked$covariance, ncol(data$x), asked$k, resolved[[kept[1L]]])
  nobs <- sum(case_weights(data)) * (1 - share_trimmed(resolved[[kept[1L]]]))
  cost <- criteria_table(0, df, nobs, 0)[[if (criterion == "CV") "AIC" else criterion]]
  spheres <- !has_ratio(control) || control$ratio_scale == "raw" # else theirs is in other units
  cells <- c(asked, model_lattice(asked, ncol(data$x), spheres), list(penalty = cost))
  out <- engine_grid(data$x, data$weights, cells, starts[kept], data$scale, control,
                     criterion == "ICL", title, resolved[kept])
  models[open] <- lapply(seq_along(open), function(i) {
    k <- as.character(asked$k[i])
    out[[i]]$options <- resolved[[k]]
    complete_model(out[[i]], data, asked[i, ], starts[[k]], control)
  })
  models
}

# With so few rows one component of any solution must be spurious: effective sizes can't sum to more
# than the rows.
check_size <- function(data, k, code, control) {
  check_rows(data, k)
  rows <- rows_counted(data)
  needed <- k * control$spurious[["size"]] * rows_needed(code, ncol(data$x))
  if (k > 1L && needed > rows) {
    gmm_abort("dimension", sprintf(
      "%s of this family need %s to be believed, and there are %d.", plural(k, "component"),
      plural(ceiling(needed), "row"), rows
    ), "Try fewer components, or a narrower `covariance`.")
  }
}

# Rows that determine what a component's covariance shares with no other, as in verdict.c.
rows_needed <- function(code, d) {
  letters <- family_letters(code)
  if (letters[["orientation"]] == "V") return(d + 1)
  if ("V" %in% letters) 2 else 1
}

# What run_engine() and fit_model() add to what the engine gives.
complete_model <- function(out, data, model, start, control) {
  out$covariance <- model$covariance
  out$named <- !is.character(start) && !isTRUE(seed_kinds[out$best$kind + 1L] %in% moved_kinds)
  out$components <- if (out$named) attr(start, "components")
  out$only <- if (model$k == 1L && is.integer(start)) one_component(data)
  if (!is.null(out$best) && out$best$on_floor == 0L && out$best$repeated == 0L) return(out)
  tried <- tryCatch(check_survivors(model_tables(out, data), data, model$k, model$covariance,
                                    control), gaussmix_error = identity)
  if (!is_error(tried)) return(out)
  if (model$k > 1L) tried$remedy <- remedies_tried
  tried
}

# After these the components are no longer those of the start.
moved_kinds <- c("split", "proposal")

model_tables <- function(model, data) {
  model <- cell_tables(model, weight_unit(data$weights))
  model$starts <- starts_table(model$starts)
  if (!is.null(model$only)) model$starts$kind <- model$only
  model
}

remedies_tried <- "Starts from other families and from k - 1 ended no better."

# EM goes on at the tolerance asked for, over all rows. `starts` gets a row for the run that gave
# the result.
finish_model <- function(model, data, control) {
  model <- model_tables(model, data)
  k <- nrow(model$means)
  start <- model[c("proportions", "means", "covariances")]
  out <- if (is_whole(data)) {
    engine_fit(data$x, data$weights, model$covariance, k, data$scale, start, control,
               "gmm_select()", model$options)
  } else {
    go_home(model, start, data, control)
  }
  if (is.null(out$best)) {
    out <- model
    out$trace <- model$best$objective
  }
  last <- starts_table(model$best)
  last$objective <- out$best$objective
  last$loglik <- out$best$loglik
  last$converged <- out$best$converged
  last$finished <- TRUE
  out$starts <- if (k == 1L) model$starts else rbind(model$starts, last)
  out$reached <- 1L
  same <- c("covariance", "components", "named", "note", "options")
  out[same] <- model[same]
  if (!is_whole(data)) {
    out$certainty <- NA_real_
    out$note <- "" # that was of the sample
    return(out)
  }
  counted <- list(x = data$x, weights = data$weights,
                  trimmed = trimmed_rows(out, data, out$covariance, control))
  out$certainty <- certainty_of(out, data$x, kept_weights(counted), out$options$labels,
                                control$threads)
  out
}

is_error <- function(model) inherits(model, "error")
