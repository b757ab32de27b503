# gmm_select() of rows that don't live in memory (home.R): the grid is searched on the sample, and
# the models that can be the best, as far as it tells, are fitted to all rows.

#' @rdname gmm_select
#' @order 5
#' @export
gmm_select.gmm_source <- function(x, k = 1:9, covariance = NULL, criterion = "BIC", ..., margin = 3,
                                  na.action = na.fail, control = gmm_control()) {
  check_home_dots(...)
  check_dots_empty(..., .but = names(grid_options()))
  margin <- check_number(margin, min = 0, finite = FALSE)
  refuse_home_criteria(criterion)
  k <- check_wholes(k)
  control <- home_control(control, x$what)
  if (!is.null(control$checkpoint)) {
    gmm_abort("argument", "`checkpoint` is for one fit, and gmm_select() makes several.",
              "gmm() takes it, with the `k` and `covariance` that were chosen.")
  }
  call <- match.call()
  options <- grid_options(...)
  over_rows(x, max(k), na.action, control, function(data) {
    select_model(data, k, covariance, criterion, NULL, control, call, options, margin)
  })
}

#' @export
gmm_select.gmm_cluster <- gmm_select.gmm_source

# What a pass over rows elsewhere can't tell.
home_criteria <- c(
  CV = paste("each fold would take passes of its own, and with so many rows the log-likelihood of",
             "rows held out is what AIC estimates"),
  ICL = "it needs the posterior probabilities of each row, and a pass returns sums"
)

refuse_home_criteria <- function(criterion) {
  bad <- intersect(criterion, names(home_criteria))
  if (length(bad) == 0L) return(invisible())
  gmm_abort("argument", sprintf("%s can't choose where the rows are not in memory: %s.", bad[1L],
                                home_criteria[[bad[1L]]]),
            "BIC, AIC and AICc can; or give a sample of the rows.")
}

# Does the sample hold all rows?
is_whole <- function(data) {
  home <- data$home
  is.null(home) || nrow(data$x) == home$rows - sum(home$missing$empty)
}

# Models of the sample -> those of all rows; the reason where a model is left out.
polish_models <- function(models, grid, data, control, common, margin) {
  left_out <- sample_verdicts(models, grid, data, control, common, margin)
  lapply(seq_along(models), function(i) {
    if (is_error(models[[i]])) return(models[[i]])
    tryCatch({
      if (nzchar(left_out[i])) gmm_abort("sample", left_out[i])
      finish_model(models[[i]], data, control)
    }, gaussmix_error_sample = identity, gaussmix_error_degenerate = identity)
  })
}

# Why each model can't be the best of all rows, by BIC, AIC or AICc, or "".
#
# With L of a share s of the rows (of their weight), (L - df / 2) / s + df / 2 is what it will be of
# all: a maximum lies about df / 2 above the value of parameters that were not fitted to its rows
# (Akaike). The difference of two models is a sum over the rows, whose standard error is the
# sample's (Vuong), for the rows that were not seen.
sample_verdicts <- function(models, grid, data, control, common, margin) {
  share <- sample_share(data)
  labels <- common$labels
  known <- which(!vapply(models, is_error, NA))
  loglik <- vapply(models[known], function(model) model$best$loglik, 0)
  df <- model_df(grid$covariance[known], ncol(data$x), grid$k[known], common)
  foreseen <- criteria_table((loglik - df / 2) / share + df / 2, df, data$home$weight, 0)
  sound <- vapply(models[known], function(model) !any(model$verdict$spurious > 0), NA)
  if (!any(sound)) sound[] <- TRUE
  w <- case_weights(data)
  terms <- function(i) w * held_out(models[[known[i]]], data$x, labels, control$threads)
  excess <- vapply(c("BIC", "AIC", "AICc"), function(criterion) {
    value <- foreseen[[criterion]]
    best <- which(sound)[which.min(value[sound])]
    reference <- terms(best)
    error <- vapply(seq_along(known), function(i) {
      difference <- terms(i) - reference
      2 * sqrt(sum((difference - mean(difference))^2) * max(1 - share, 0)) / share
    }, 0)
    above <- value - value[best]
    ifelse(above > 0, above / error, 0) # in standard errors
  }, known + 0)
  excess <- matrix(excess, length(known))
  out <- apply(excess > margin, 1L, all)
  verdict <- rep("", length(models))
  verdict[known[out]] <- sprintf(paste("Not fitted to all rows: on the sample of %s its BIC is %s",
                                       "standard errors above the best."),
                                 plural(nrow(data$x), "row"),
                                 format(excess[out, 1L], digits = 2, trim = TRUE))
  verdict
}

# From the optimum of the sample to that of all rows; a model that has none is an error.
go_home <- function(model, start, data, control) {
  model$options$share <- NULL
  k <- nrow(start$means)
  out <- home_fit(data, model$covariance, k, start, control, "gmm_select()", model$options)
  out$starts <- starts_table(out$starts)
  out[c("named", "options")] <- list(TRUE, model$options)
  check_survivors(out, data, k, model$covariance, control)
  out
}
