#' A report in one HTML page
#'
#' Writes one self-contained page about a fit, or about a choice among models and the model that
#' was chosen: the model, its components, pictures, how sure the assignment is, rows of low density,
#' and how the fit was found. The pictures are inside the page, and it asks no other host for
#' anything. It is made from an R Markdown template by package litedown, which needs no pandoc.
#' Nothing that is stored in the object is evaluated, and names of rows, columns and components are
#' text, whatever is in them. R's random numbers stay as they are.
#'
#' @param x A fit by [gmm()] that holds its rows, or the result of [gmm_select()].
#' @param file Name of the file to write, ending in `.html`; an older one is replaced.
#' @param ... Must be empty.
#' @param title Title of the page.
#' @return The name of the file, invisibly.
#' @section Errors: `gaussmix_error_argument` where `x` or `file` is not what it must be, or the
#'   folder does not exist; `gaussmix_error_data` where the fit holds no rows;
#'   `gaussmix_error_package` where litedown is not installed.
#' @examplesIf requireNamespace("litedown", quietly = TRUE)
#' page <- file.path(tempdir(), "faithful.html")
#' gmm_report(gmm(faithful, k = 2), page)
#' # browseURL(page)
#' @export
gmm_report <- function(x, file, ..., title = "Gaussian mixture report") {
  check_dots_empty(...)
  if (!is_string(title)) gmm_abort("argument", must_be("title", "a string", title))
  check_reported(x)
  file <- check_report_file(file)
  select <- if (inherits(x, "gmm_select")) x
  fit <- if (is.null(select)) x else gmm_best(select)
  need_rows(fit, "gmm_report()")
  need_package("litedown", "gmm_report()")
  folder <- tempfile("report")
  dir.create(folder)
  before <- random_state() # litedown draws numbers
  on.exit({
    unlink(folder, recursive = TRUE)
    assign(".Random.seed", before, envir = globalenv())
  })
  template <- list.files(system.file("report", package = "gaussmix"), full.names = TRUE)
  file.copy(template, folder)
  values <- report_values(fit, select, title)
  room <- list2env(values, parent = environment(gmm_report))
  page <- file.path(folder, "report.html")
  litedown::fuse(file.path(folder, "report.Rmd"), page, envir = room, quiet = TRUE)
  lines <- readLines(page, encoding = "UTF-8")
  at <- grep("^<title>", lines)[1L] # where litedown leaves the title as it is
  lines[at] <- paste0("<title>", values$title, "</title>")
  writeLines(lines, page, useBytes = TRUE)
  if (!file.copy(page, file, overwrite = TRUE)) {
    gmm_abort("argument", sprintf("`file` can't be written: %s.", file))
  }
  invisible(file)
}

check_reported <- function(x) {
  what <- "a fit by gmm() or the result of gmm_select()"
  check_given(x, what)
  if (inherits(x, "gmm_select")) return(check_select(x))
  if (!inherits(x, "gaussmix")) {
    gmm_abort("argument", must_be("x", what, x), if (inherits(x, "gmm_merge")) {
      "Give the fit whose components were merged: gmm_report(x$fit)."
    } else if (inherits(x, "gmm_da")) {
      "A classifier has no report: see summary(x) and plot(x)."
    })
  }
  validate_gmm(x, "x")
}

check_report_file <- function(file) {
  if (missing(file) || !is_string(file) || !grepl("\\.html?$", file)) {
    gmm_abort("argument", must_be("file", "the name of a file that ends in .html",
                                  if (!missing(file)) file))
  }
  if (!dir.exists(dirname(file))) {
    gmm_abort("argument", sprintf("The folder of `file` does not exist: %s.", dirname(file)))
  }
  path.expand(file)
}

# What the template shows besides the fit itself.
report_values <- function(fit, select, title) {
  call <- paste(deparse(fit$call, width.cutoff = 80L, nlines = 3L), collapse = " ")
  list(
    fit = fit, select = select, title = html_text(title),
    summary_line = sprintf("%s rows and %s, described by %s of %s covariance.",
                           count_text(fit_rows(fit)),
                           plural(ncol(fit$means), "variable"), plural(fit$k, "normal component"),
                           family_label(fit$covariance, ncol(fit$means))),
    found_line = sentence(convergence_text(fit)),
    doubt_line = doubt_text(score(fit, fit$x, "uncertainty")[!wholly_missing(fit$x)]),
    call_text = paste0("<code>", html_text(call), "</code>"),
    made_line = sprintf("gaussmix %s, R %s, %s.", utils::packageVersion("gaussmix"), getRversion(),
                        format(Sys.Date()))
  )
}

doubt_text <- function(uncertainty) {
  doubt <- uncertainty[!is.na(uncertainty)]
  sprintf(paste("The most probable component of a row has a probability below %s for %d of the",
                "%s (%s %%), and below %s for %d."),
          shown_number(0.9), sum(doubt > 0.1), plural(length(doubt), "row"),
          fixed_text(100 * mean(doubt > 0.1), 1L), shown_number(0.6), sum(doubt > 0.4))
}

sentence <- function(text) paste0(toupper(substring(text, 1L, 1L)), substring(text, 2L), ".")

# Text that HTML and Markdown show as it is: each character that could mean something to either is
# written by its number.
html_text <- function(x) {
  x <- gsub("[[:cntrl:]]", " ", enc2utf8(paste(x)))
  at <- gregexpr("[!-/:-@\\[-`{-~]", x, perl = TRUE)
  regmatches(x, at) <- lapply(regmatches(x, at), function(s) {
    sprintf("&#%d;", vapply(s, utf8ToInt, 0L))
  })
  x
}

# A data frame as a table of HTML, without the names of its rows; numbers to as many digits, alike
# within a column.
html_table <- function(x, digits = 4L, note = NULL) {
  cells <- lapply(x, function(v) {
    html_text(if (is.double(v)) format(v, digits = digits, trim = TRUE) else v)
  })
  row <- function(tag, cells) {
    paste0("<tr>", paste0("<", tag, ">", cells, "</", tag, ">", collapse = ""), "</tr>")
  }
  body <- vapply(seq_len(nrow(x)), function(i) row("td", vapply(cells, `[[`, "", i)), "")
  c("<div class=\"table\"><table>", "<thead>", row("th", html_text(names(x))), "</thead>",
    "<tbody>", body, "</tbody>", "</table>", if (!is.null(note)) c("<p>", html_text(note), "</p>"),
    "</div>")
}
