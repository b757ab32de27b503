# `expr` raises gaussmix_error_<class>, with its parents; its text matches each of `pattern` (fixed
# strings); its call is that of the function `call`. Returns the error.
expect_gm_error <- function(expr, class, pattern = NULL, call = NULL) {
  e <- expect_error(expr, class = paste0("gaussmix_error_", class))
  if (!inherits(e, "condition")) return(invisible(e))
  expect_s3_class(e, c(paste0("gaussmix_error_", class), "gaussmix_error", "error", "condition"),
                  exact = TRUE)
  for (p in pattern) expect_match(conditionMessage(e), p, fixed = TRUE)
  if (!is.null(call)) expect_identical(conditionCall(e), as.call(list(as.name(call))))
  invisible(e)
}

expect_gm_warning <- function(expr, class, pattern = NULL) {
  w <- expect_warning(expr, class = paste0("gaussmix_warning_", class))
  if (!inherits(w, "condition")) return(invisible(w))
  expect_s3_class(w, c(paste0("gaussmix_warning_", class), "gaussmix_warning", "warning",
                       "condition"), exact = TRUE)
  for (p in pattern) expect_match(conditionMessage(w), p, fixed = TRUE)
  invisible(w)
}

# For snapshots of many messages: class and text of the condition that each call raises.
show_conditions <- function(...) {
  calls <- as.list(substitute(list(...)))[-1L]
  for (call in calls) {
    e <- tryCatch(eval(call, parent.frame()), condition = identity)
    text <- if (inherits(e, "condition")) {
      paste0(sub("^gaussmix_", "", class(e)[1L]), " in ", deparse1(conditionCall(e)), ": ",
             conditionMessage(e))
    } else {
      "no condition"
    }
    cat("> ", deparse1(call), "\n", sub("\n$", "", text), "\n", sep = "")
  }
}
