# A choice as text and as tables: its methods print, format, summary and as.data.frame.

#' @rdname gmm_select
#' @param digits Number of significant digits.
#' @export
print.gmm_select <- function(x, digits = 4, ...) {
  cat(format(x, digits = digits), sep = "\n")
  invisible(x)
}

#' @rdname gmm_select
#' @export
format.gmm_select <- function(x, digits = 4, ...) {
  check_select(x)
  digits <- check_whole(digits, max = 15)
  number <- function(v) format(v, digits = digits + 3L)
  d <- dimension_of(x)
  chosen <- x$table[x$chosen, ]
  c(
    sprintf("Choice among %s: k = %s; %s%s", plural(nrow(x$table), "Gaussian mixture"),
            span(unique(x$table$k)), families_text(unique(x$table$name)),
            paste(c(if (isTRUE(x$equal)) "; equal proportions",
                    if (!is.null(x$trim)) sprintf("; %s %% trimmed", number_text(100 * x$trim))),
                  collapse = "")),
    data_text(x$rows, d, if (!is.null(x$data$weights) || !is.null(x$home$effective)) number(x$nobs),
              sum(length(x$data$na.action), x$home$dropped), home = x$home$what),
    missing_text(x$missing),
    given_text(x),
    sprintf("chosen by %s (lower is better): %s, %s %s",
            if (x$criterion == "CV") "CV and the one-standard-error rule" else x$criterion,
            model_text(chosen, d), x$criterion, number(chosen[[x$criterion]])),
    if (x$criterion == "CV") lowest_text(x, digits) else runners_text(x, digits),
    others_text(x),
    flaws_text(x)
  )
}

# Options of all models, besides equal proportions.
given_text <- function(x) {
  c(if (!is.null(x$labels)) labels_text(x$labels),
    if (!is.null(x$noise)) paste("and a noise component,", noise_text(x$noise)),
    if (!is.null(x$prior)) "maximum a posteriori: compare with no choice that has another prior")
}

runners_text <- function(x, digits) {
  ranked <- x$table[utils::head(rank_models(x), 4L), ]
  values <- ranked[[x$criterion]]
  more <- vapply(values[-1L] - values[1L], format, "", digits = max(digits - 1L, 1L))
  heads <- c("runners-up:", rep("           ", 2L))[seq_along(more)]
  sprintf("%s %s, +%s", heads, model_text(ranked[-1L, ], dimension_of(x)), more)
}

lowest_text <- function(x, digits) {
  lowest <- x$table[lowest_row("CV", x$table), ]
  error <- sprintf("standard error %s", format(lowest$CV_se, digits = digits))
  if (lowest$CV == x$table$CV[x$chosen]) return(sprintf("it has the lowest CV (%s)", error))
  sprintf("lowest CV: %s, CV %s (%s)", model_text(lowest, dimension_of(x)),
          format(lowest$CV, digits = digits + 3L), error)
}

# Rows of the models that may be chosen, the best first.
rank_models <- function(x) {
  open <- eligible_rows(x$table)
  union(x$chosen, open[order(x$table[[x$criterion]][open])])
}

dimension_of <- function(x) length(x$data$blueprint$names)

# "3 components, tied (EEE)" for each row.
model_text <- function(model, d) {
  sprintf("%s, %s", vapply(model$k, plural, "", one = "component"),
          vapply(model$covariance, family_label, "", d = d))
}

# Increasing whole numbers: "1 to 9", "1, 2, 5".
span <- function(k) {
  k <- sort(k)
  if (length(k) > 2L && all(diff(k) == 1L)) return(sprintf("%d to %d", k[1L], k[length(k)]))
  some(k, 10L)
}

families_text <- function(names) {
  if (length(names) > 6L) plural(length(names), "family", "families") else some(names, 6L)
}

# What the other criteria choose: those that agree, together.
others_text <- function(x) {
  others <- setdiff(criteria_of(x$table), x$criterion)
  rows <- vapply(others, best_row, 0L, table = x$table, nobs = x$nobs)
  agreeing <- split(others, factor(rows, unique(rows)))
  models <- unique(rows)
  texts <- ifelse(models == x$chosen, "the same", model_text(x$table[models, ], dimension_of(x)))
  text <- paste(sprintf("by %s: %s", vapply(agreeing, some, ""), texts), collapse = "; ")
  strwrap(text, getOption("width"), exdent = 2L)
}

flaws_text <- function(x) {
  ok <- x$table$status == "ok"
  sampled <- x$table$status == "sample"
  spurious <- sum(x$table$spurious[ok])
  count <- function(n) plural(n, "model")
  flaws <- c(
    if (any(sampled)) paste("left out by what the sample tells:", count(sum(sampled))),
    if (any(!ok & !sampled)) paste("not fitted:", count(sum(!ok & !sampled))),
    if (spurious == sum(ok)) "each model has a spurious component (too few rows)"
    else if (spurious) sprintf("spurious (too few rows), never chosen: %s", count(spurious)),
    if (any(nzchar(x$table$note))) {
      paste("below a model within it (see `note`):", count(sum(nzchar(x$table$note))))
    },
    if (any(!x$table$converged[ok])) paste("not converged:", count(sum(!x$table$converged[ok]))),
    if (anyNA(x$table$CV[ok])) paste("without CV:", count(sum(is.na(x$table$CV[ok]))))
  )
  if (length(flaws)) paste(flaws, collapse = "; ")
}

#' @rdname gmm_select
#' @param row.names,optional,stringsAsFactors As in [as.data.frame()].
#' @export
as.data.frame.gmm_select <- function(x, row.names = NULL, optional = FALSE, ...,
                                     stringsAsFactors = FALSE) { # nolint: object_name_linter.
  check_dots_empty(...)
  check_select(x)
  as.data.frame(as.list(x$table), row.names = row.names, optional = optional,
                stringsAsFactors = stringsAsFactors)
}

#' @rdname gmm_select
#' @param object The result of `gmm_select()`.
#' @param lrt The result of [gmm_lrt()] for the same rows, to be shown beside the criteria; or
#'   `NULL`.
#' @export
summary.gmm_select <- function(object, ..., lrt = NULL) {
  check_dots_empty(...)
  check_select(object)
  table <- object$table
  known <- criteria_of(table)
  rows <- vapply(known, best_row, 0L, table = table, nobs = object$nobs)
  if (!is.null(lrt)) rows <- c(rows, LRT = lrt_row(lrt, object))
  rows <- rows[!is.na(rows)]
  d <- dimension_of(object)
  shown <- c("covariance", "name", "k", "df", "loglik", known)
  lowest <- if ("CV" %in% known) lowest_row("CV", table)
  structure(class = "summary.gmm_select", list(
    text = utils::head(format(object), 3L + length(given_text(object))),
    best = data.frame(by = c(names(rows), "lowest CV"[length(lowest)]),
                      table[c(rows, lowest), shown]),
    agreement = agreement_text(table[rows, ], names(rows), d),
    comparison = compare_criteria(table[rows[["BIC"]], ], table[rows[["AIC"]], ], object$nobs),
    top = table[utils::head(rank_models(object), 5L), shown],
    failed = failed_models(object), d = d, flaws = flaws_text(object),
    criterion = object$criterion,
    effective_n = c(effective_rows(object$data$weights), object$home$effective),
    lrt = if (!is.null(lrt)) {
      sprintf("LRT: bootstrap likelihood-ratio tests, %s, level %s: %s",
              family_label(lrt$covariance, d), shown_number(lrt$level), lrt_answer(lrt))
    }
  ))
}

# The row of the model that the tests come to; NA where the table does not have it.
lrt_row <- function(lrt, x) {
  if (!inherits(lrt, "gmm_lrt")) {
    gmm_abort("argument", must_be("lrt", "the result of gmm_lrt()", lrt))
  }
  check_lrt(lrt, "lrt")
  d <- dimension_of(x)
  if (!isTRUE(all.equal(lrt$nobs, x$nobs)) || !setequal(lrt$variables, x$data$blueprint$names)) {
    gmm_abort("argument", "`lrt` must be of the same rows and variables as the choice.",
              "gmm_lrt(choice) tests those of a choice.")
  }
  if (is.na(lrt$chosen)) return(NA_integer_)
  key <- function(code, k) model_key(code, k, d)
  match(key(lrt$covariance, lrt$chosen), mapply(key, x$table$covariance, x$table$k))
}

# Models without values, or without CV.
failed_models <- function(x) {
  failed <- x$table$status != "ok"
  if (!is.null(x$cv)) failed <- failed | is.na(x$table$CV)
  out <- x$table[failed, c("covariance", "name", "k", "status", "reason")]
  if (!is.null(x$cv)) out$reason <- ifelse(out$status == "ok", x$cv$reason[failed], out$reason)
  out
}

# "BIC and ICL agree on 2 components, full (VVV); AIC takes ..." `models`: a row a criterion.
agreement_text <- function(models, by, d) {
  texts <- model_text(models, d)
  if (length(unique(texts)) == 1L) {
    return(sprintf("All %d criteria choose the same model.", length(by)))
  }
  groups <- split(by, factor(texts, unique(texts)))
  verbs <- ifelse(lengths(groups) > 1L, "agree on", "takes")
  parts <- paste(vapply(groups, and_text, ""), verbs, names(groups), collapse = "; ")
  same_k <- length(unique(models$k)) == 1L
  paste0(parts, ".", if (same_k) " All have the same number of components.")
}

# Which is the simpler one, where they are two.
compare_criteria <- function(bic, aic, nobs) {
  if (rownames(bic) == rownames(aic)) return(NULL)
  costs <- sprintf("A parameter costs log(n) = %s in BIC and 2 in AIC.",
                   fixed_text(log(nobs), 2L))
  if (bic$df == aic$df) {
    return(paste("BIC and AIC choose different models of", plural(bic$df, "parameter"), "each."))
  }
  simpler <- if (bic$df < aic$df) "BIC" else "AIC"
  sprintf("%s's model is the simpler one: %s, %s's has %d. %s", simpler,
          plural(min(bic$df, aic$df), "parameter"), setdiff(c("BIC", "AIC"), simpler),
          as.integer(max(bic$df, aic$df)), costs)
}

#' @export
print.summary.gmm_select <- function(x, digits = 4, ...) {
  digits <- check_whole(digits, max = 15)
  cat(x$text, sep = "\n")
  cat(effective_text(x$effective_n))
  shown <- function(table) {
    table$covariance <- vapply(table$covariance, family_label, "", d = x$d)
    table$name <- NULL
    print(table, digits = digits + 2L, row.names = FALSE)
  }
  cat("\nBest by each criterion (lower is better)\n")
  shown(x$best)
  cat(strwrap(c(x$agreement, x$comparison, x$lrt), getOption("width")), sep = "\n")
  cat(sprintf("\nBest by %s\n", x$criterion))
  shown(x$top)
  if (!is.null(x$flaws)) cat("\n", x$flaws, "\n", sep = "")
  failed <- utils::head(x$failed, 5L)
  if (nrow(failed)) {
    cat(sprintf("  %s: %s\n", model_text(failed, x$d), failed$reason), sep = "")
    more <- nrow(x$failed) - nrow(failed)
    if (more) cat(sprintf("  and %s\n", plural(more, "more", "more")))
  }
  invisible(x)
}
