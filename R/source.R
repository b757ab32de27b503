# Rows in chunks: the protocol, the first pass over it, and the home that it makes (home.R).
#
# A source is a list of functions, rewind(), next_chunk() and close(), with `what`, a text, and
# `known`, an environment that holds n and names once a pass has told them.

#' Data in chunks, for more rows than memory holds
#'
#' `gmm_source()` makes of a function, a list of matrices, files, or a table of a database a source
#' of rows that [gmm()] fits and [predict()][predict.gaussmix] scores chunk by chunk. The fit is
#' exact: each EM step is one pass over all rows, and the memory needed is that of a chunk and of a
#' sample of at most 100,000 rows (fewer where rows are long, more for many components), whatever
#' the number of rows.
#'
#' @section How a source is fitted:
#' The first pass counts the rows, checks every value and draws a sample (by R's random numbers; it
#' depends on the number of a row, not on how rows are cut into chunks). Scales of the columns come
#' from the sample, and so does the start: [gmm()] searches on the sample as it does on rows in
#' memory. From the best optimum EM goes on over all rows, one pass an iteration, until it has
#' converged. With parameters or a fit as start, `gmm_control(init = )`, no search is made.
#'
#' A table that is kept as text takes most of its time to be read: [gmm_write()] turns any source
#' into a file of numbers once.
#'
#' Between passes the rows must stay the same, in the same order. Number of rows, columns and values
#' that are infinite, or missing where they are not let in, are checked in every pass.
#'
#' Families, weights, labels, noise (in the box of all rows), priors, fixed parameters and rows with
#' missing values (`na.action = na.pass`) are as in memory. `trim` is refused: which rows are
#' trimmed is found by sorting the densities of all, and does not add up over parts of the rows. So
#' are functions that need all rows at once, such as [gmm_select()] and [gmm_da()]; the error says
#' what goes over chunks to the same end.
#'
#' @section Chunks:
#' A chunk is a numeric matrix, a data frame of numeric columns, or a list of `x` (one of these),
#' `weights` (case weights, a number a row) and `labels` (known components, an element a row, `NA`
#' where not known), see [gmm()]; for one variable a vector will do. All chunks have the same
#' columns in the same order. Chunks may differ in length, and be empty.
#'
#' @section Your own source:
#' A function `data(reset)`: `data(TRUE)` goes back to the first row (its value is not used),
#' `data(FALSE)` returns the next chunk, or `NULL` where there is none left. A value of
#' `gmm_source()` has the functions `rewind()`, `next_chunk()` and `close()`, for programs that read
#' it by themselves.
#'
#' @param x A function `data(reset)`; a list of chunks; a matrix or data frame; names of files; or a
#'   connection of package DBI, whose table is given as for [gmm_dbi()].
#' @param ... For methods; else must be empty.
#' @param chunk Number of rows of a chunk, at most; `NULL`: as many as make about a million numbers
#'   (in text 4 million characters). A binary file has the chunks that it was written with.
#' @return A list of class `"gmm_source"`. [dim()] and [colnames()] of it are NA and `NULL` until a
#'   pass has told them.
#' @section Errors: `gaussmix_error_source` where a chunk can't be read, or the rows are not those
#'   of the pass before (it says which chunk); those of [gmm()] for what the first pass finds, with
#'   the chunk and the row.
#' @seealso [gmm_write()], [gmm()], [predict.gaussmix()]
#' @examples
#' # a generator of chunks: rows that are nowhere as a whole
#' at <- 0
#' draw <- function(reset) {
#'   if (reset) {
#'     at <<- 0
#'   } else if (at < 5) {
#'     at <<- at + 1
#'     set.seed(at)
#'     cbind(a = rnorm(1000, c(0, 5)), b = rnorm(1000))
#'   }
#' }
#' fit <- gmm(gmm_source(draw), k = 2)
#' fit
#'
#' # a file
#' file <- tempfile(fileext = ".csv")
#' write.csv(faithful, file, row.names = FALSE)
#' gmm(gmm_source(file, chunk = 100), k = 2)
#' @order 1
#' @export
gmm_source <- function(x, ...) UseMethod("gmm_source")

#' @export
gmm_source.default <- function(x, ...) {
  gmm_abort("type", must_be("x", paste("a function, a list of matrices, a matrix, a data frame,",
                                       "names of files or a connection to a database"), x))
}

#' @export
gmm_source.gmm_source <- function(x, ...) {
  check_dots_empty(...)
  x
}

#' @rdname gmm_source
#' @export
gmm_source.function <- function(x, ...) {
  check_dots_empty(...)
  new_source("a function", function() x(TRUE), function() x(FALSE))
}

#' @rdname gmm_source
#' @export
gmm_source.list <- function(x, ...) {
  check_dots_empty(...)
  at <- 0L
  new_source("a list of chunks", function() at <<- 0L, function() {
    if (at == length(x)) return(NULL)
    at <<- at + 1L
    if (is.null(x[[at]])) list() else x[[at]]
  })
}

#' @rdname gmm_source
#' @export
gmm_source.matrix <- function(x, ..., chunk = NULL) {
  check_dots_empty(...)
  chunk <- chunk_rows(chunk, ncol(x))
  last <- 0
  new_source(if (is.matrix(x)) "a matrix" else "a data frame", function() last <<- 0, function() {
    if (last >= nrow(x)) return(NULL)
    rows <- seq.int(last + 1, min(last + chunk, nrow(x)))
    last <<- last + chunk
    x[rows, , drop = FALSE]
  })
}

#' @rdname gmm_source
#' @export
gmm_source.data.frame <- gmm_source.matrix

#' @export
gmm_source.DBIConnection <- function(x, ...) gmm_dbi(x, ..., how = "fetch")

new_source <- function(what, rewind, next_chunk, close = function() NULL) {
  known <- new.env(parent = emptyenv())
  structure(class = "gmm_source", list(what = what, rewind = rewind, next_chunk = next_chunk,
                                       close = close, known = known))
}

chunk_rows <- function(chunk, d) {
  if (is.null(chunk)) max(1000, 1e6 %/% max(d, 1)) else check_whole(chunk, "chunk")
}

#' @export
dim.gmm_source <- function(x) {
  d <- length(x$known$names)
  c(if (is.null(x$known$n)) NA else x$known$n, if (d) d else NA)
}

#' @export
dimnames.gmm_source <- function(x) {
  if (!is.null(x$known$names)) list(NULL, x$known$names)
}

#' @export
format.gmm_source <- function(x, ...) {
  size <- dim(x)
  c(sprintf("Rows of a mixture, in chunks: %s", x$what),
    if (!anyNA(size)) {
      sprintf("%s rows x %s: %s", count_text(size[1L]), plural(size[2L], "variable"),
              some(backtick(x$known$names), 10L))
    })
}

#' @export
print.gmm_source <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

# ---- chunks ----------------------------------------------------------------------------

# value <- f(value, chunk, at) for each chunk as read_chunk() makes it, from `value` on. at:
# list(chunk (its number), rows (that came before it), what). read(): wraps what reads and checks a
# chunk. names: the columns that there must be; NULL: those of the first chunk. Value: list(value,
# rows, names, named).
fold_chunks <- function(source, f, value, names = NULL, read = identity) {
  at <- list(chunk = 0L, rows = 0, what = source$what)
  named <- NA
  source$rewind()
  repeat {
    at$chunk <- at$chunk + 1L
    given <- next_chunk(source, at)
    if (is.null(given)) break
    chunk <- read(read_chunk(given, at, names))
    if (is.null(names)) {
      names <- attr(chunk, "given_names")
      named <- !is.null(colnames(chunk$x))
    }
    if (nrow(chunk$x) == 0L) next
    value <- f(value, chunk, at)
    at$rows <- at$rows + nrow(chunk$x)
  }
  list(value = value, rows = at$rows, names = names, named = named)
}

next_chunk <- function(source, at) {
  tryCatch(source$next_chunk(), error = function(e) {
    if (inherits(e, "gaussmix_error")) stop(e)
    refuse_chunk("source", at, sprintf("can't be read: %s", conditionMessage(e)))
  })
}

# What a source returns -> list(x (double matrix), weights, labels). Values are not looked at.
read_chunk <- function(chunk, at, names) {
  parts <- if (is.list(chunk) && !is.data.frame(chunk)) chunk else list(x = chunk)
  if (is.null(parts$x) || !all(base::names(parts) %in% c("x", "weights", "labels"))) {
    refuse_chunk("type", at, "must be a matrix, or a list of x, weights and labels")
  }
  x <- parts$x
  # most are as they should be, and are not copied
  if (!is.double(x) || is.object(x) || length(dim(x)) != 2L) {
    arg <- sprintf("chunk %d of %s", at$chunk, at$what)
    x <- if (is.data.frame(x)) frame_matrix(x, NULL, arg) else plain_matrix(x, arg)
  }
  given <- fill_names(colnames(x), ncol(x))
  if (!is.null(names) && !identical(given, names)) refuse_chunk_names(at, given, names)
  for (part in c("weights", "labels")) {
    if (is.null(parts[[part]]) || length(parts[[part]]) == nrow(x)) next
    refuse_chunk(part, at, sprintf("has %d %s for %s", length(parts[[part]]), part,
                                   plural(nrow(x), "row")))
  }
  structure(list(x = x, weights = parts$weights, labels = parts$labels), given_names = given)
}

# Checks weights, and missing and infinite values; leaves out rows as `policy` ("fail", "omit" or
# "pass") says. weighted: whether the chunks before have weights; NA: there are none.
admit_chunk <- function(chunk, at, policy, weighted) {
  w <- chunk$weights
  if (isTRUE(weighted == is.null(w))) {
    refuse_chunk("weights", at, if (weighted) "has no weights, those before it have some"
                 else "has weights, those before it have none")
  }
  if (!is.null(w)) {
    wrong <- if (!is.numeric(w) || is.object(w)) 1L else which(!(is.finite(w) & w >= 0))
    if (length(wrong)) {
      refuse_chunk("weights", at, sprintf(
        "has a weight of %s in row %s; weights must be finite and at least 0",
        describe(w[[wrong[1L]]]), place_in(at, wrong[1L])
      ))
    }
    chunk$weights <- as.double(w)
  }
  if (!anyNA(chunk$x) && is.finite(sum(chunk$x))) return(chunk) # NaN is slow to add
  missing <- missing_rows(chunk$x)
  if (any(missing) && policy == "fail") refuse_values(chunk$x, is.na, "missing", at)
  if (policy == "omit") chunk <- take_chunk(chunk, which(!missing))
  if (any(is.infinite(chunk$x))) refuse_values(chunk$x, is.infinite, "nonfinite", at)
  chunk
}

refuse_values <- function(x, test, class, at) {
  wrong <- which(test(x), arr.ind = TRUE)
  first <- wrong[order(wrong[, 1L]), , drop = FALSE][1L, ]
  names <- fill_names(colnames(x), ncol(x))
  kind <- if (class == "missing") "missing" else "infinite"
  refuse_chunk(class, at, sprintf("has %s, the first in row %s, column %s",
                                  plural(nrow(wrong), paste(kind, "value")),
                                  place_in(at, first[[1L]]), backtick(names[first[[2L]]])),
               if (class == "missing") paste("`na.action = na.omit` drops such rows, na.pass fits",
                                             "what is there of them."))
}

# "7 (of all rows 2007)"
place_in <- function(at, row) {
  if (at$rows == 0) number_text(row)
  else sprintf("%d (row %s of all)", row, number_text(at$rows + row))
}

take_chunk <- function(chunk, rows) {
  chunk$x <- chunk$x[rows, , drop = FALSE]
  chunk["weights"] <- list(chunk$weights[rows])
  chunk["labels"] <- list(chunk$labels[rows])
  chunk
}

refuse_chunk <- function(class, at, problem, hint = NULL) {
  gmm_abort(class, sprintf("Chunk %d of %s %s.", at$chunk, at$what, problem), hint,
            chunk = at$chunk)
}

refuse_chunk_names <- function(at, given, names) {
  refuse_chunk("source", at, if (length(given) != length(names)) {
    sprintf("has %s, not %d", plural(length(given), "column"), length(names))
  } else {
    sprintf("has the columns %s, not %s", some(backtick(given)), some(backtick(names)))
  }, "All chunks must have the same columns in the same order, in every pass.")
}

# ---- the first pass --------------------------------------------------------------------

# Counts, checks and samples the rows -> list(given, rows and dropped (of those; what says nothing
# is dropped too), weight, weight2 (NULL: no weights), weighted, ranges (2 x d: of all rows with
# weight), reach (d: largest absolute value of all rows), names, named, labels (of count_labels()),
# sample (list(x, weights, labels), at most size(d) rows in their order)), and where missing values
# are let in missing (as of count_missing(), but with the patterns as texts) and together (d x d:
# rows with weight that have both values).
survey_rows <- function(source, size, policy) {
  seed <- random_state()
  s <- survey_part(source, size, policy, sample_key())
  list2env(list(n = s$given, names = s$names), source$known)
  end_survey(s, source$what, seed)
}

sample_key <- function() floor(stats::runif(2) * 2^32)

# The same of a part of the rows, with the draw not at its end (`stream`: the part's number).
survey_part <- function(source, size, policy, key, stream = 0L) {
  found <- fold_chunks(source, function(s, chunk, at) {
    given <- nrow(chunk$x)
    if (is.null(s$sample)) s$sample <- new_draw(key, size(ncol(chunk$x)), stream)
    chunk <- admit_chunk(chunk, at, policy, s$weighted)
    s$weighted <- !is.null(chunk$weights)
    if (policy == "pass") {
      s <- note_missing(s, chunk)
      chunk <- take_chunk(chunk, which(!says_nothing(chunk$x, chunk$labels)))
    }
    s$dropped <- s$dropped + given - nrow(chunk$x)
    if (nrow(chunk$x) == 0L) return(s)
    s$sample <- draw_chunk(s$sample, chunk, s$rows)
    w <- chunk$weights
    s$rows <- s$rows + nrow(chunk$x)
    s$weight <- s$weight + if (is.null(w)) nrow(chunk$x) else sum(w)
    s$weight2 <- s$weight2 + sum(w^2)
    if (!is.null(chunk$labels)) s$labels <- count_labels(s$labels, chunk$labels, w, at)
    ranges <- column_ranges(chunk$x)
    s$reach <- pmax(s$reach, ifelse(ranges[1L, ] > ranges[2L, ], 0, apply(abs(ranges), 2L, max)))
    if (any(w == 0)) {
      if (all(w == 0)) return(s)
      ranges <- column_ranges(chunk$x[w > 0, , drop = FALSE])
    }
    if (!is.null(s$ranges)) {
      ranges <- rbind(pmin(s$ranges[1L, ], ranges[1L, ]), pmax(s$ranges[2L, ], ranges[2L, ]))
    }
    s$ranges <- ranges
    s
  }, list(rows = 0, dropped = 0, weight = 0, weight2 = 0, weighted = NA, reach = 0))
  c(found$value, list(given = found$rows), found[c("names", "named")])
}

end_survey <- function(s, what, seed) {
  if (s$rows == 0) {
    gmm_abort("dimension", sprintf("There are no rows%s in %s.",
                                   if (s$dropped) " without missing values" else "", what))
  }
  refuse_twice(unique(s$names[duplicated(s$names)]), what)
  s$sample <- end_draw(s$sample, s$weighted)
  if (!s$weighted) s$weight2 <- NULL
  s$seed <- seed
  s
}

# What a chunk lacks, see survey_rows().
note_missing <- function(s, chunk) {
  more <- list(rows = 0, patterns = character(), empty = 0)
  if (anyNA(chunk$x)) {
    missing <- which(missing_rows(chunk$x))
    first <- missing[!duplicated(missing_patterns(chunk$x)[missing])]
    more <- list(rows = as.double(length(missing)),
                 patterns = apply(1L * is.na(chunk$x[first, , drop = FALSE]), 1L, paste,
                                  collapse = ""),
                 empty = as.double(sum(says_nothing(chunk$x, chunk$labels))))
  }
  merge_missing(s, list(missing = more, together = rows_together(chunk$x, chunk$weights)))
}

# The second with what the first lacks.
merge_missing <- function(a, b) {
  if (is.null(a$missing)) return(utils::modifyList(a, b[c("missing", "together")]))
  a$missing <- list(rows = a$missing$rows + b$missing$rows,
                    patterns = union(a$missing$patterns, b$missing$patterns),
                    empty = a$missing$empty + b$missing$empty)
  a$together <- a$together + b$together
  a
}

# Of two parts, the second behind the first.
merge_surveys <- function(a, b) {
  sums <- c("rows", "dropped", "weight", "weight2", "given")
  b[sums] <- Map(`+`, a[sums], b[sums])
  if (!is.null(a$missing)) b <- merge_missing(b, a)
  b$reach <- pmax(a$reach, b$reach)
  if (is.null(b$ranges)) {
    b$ranges <- a$ranges
  } else if (!is.null(a$ranges)) {
    b$ranges <- rbind(pmin(a$ranges[1L, ], b$ranges[1L, ]), pmax(a$ranges[2L, ], b$ranges[2L, ]))
  }
  b["labels"] <- list(merge_labels(a$labels, b$labels))
  for (name in c("x", "weights", "labels", "order")) {
    join <- if (name == "x") rbind else c
    b$sample[[name]] <- join(a$sample[[name]], b$sample[[name]])
  }
  b$sample$at <- c(a$sample$at, a$rows + b$sample$at)
  b$sample$limit <- min(a$sample$limit, b$sample$limit)
  if (length(b$sample$order) > 2 * b$sample$size) b$sample <- prune_draw(b$sample)
  b$named <- a$named
  b
}

merge_labels <- function(a, b) {
  if (is.null(a) || is.null(b)) return(if (is.null(a)) b else a)
  names <- union(names(a$counts), names(b$counts))
  add <- function(counts) ifelse(is.na(counts[names]), 0, counts[names])
  list(counts = stats::setNames(add(a$counts) + add(b$counts), names),
       levels = union(a$levels, b$levels), values = unique(c(a$values, b$values)))
}

# Of the values that are there; Inf and -Inf: none.
column_ranges <- function(x) {
  gaps <- anyNA(x)
  apply_columns(x, function(v) {
    if (gaps) v <- v[!is.na(v)]
    if (length(v)) c(min(v), max(v)) else c(Inf, -Inf)
  }, c(0, 0))
}

# Levels of the labels as factor() would find them in all rows, and the rows with weight of each.
count_labels <- function(known, labels, w, at) {
  check_labels_kind(labels, sprintf("labels of chunk %d", at$chunk))
  counted <- as.character(labels)[if (is.null(w)) TRUE else w > 0]
  counts <- table(counted)
  new <- setdiff(names(counts), names(known$counts))
  known$counts[new] <- 0
  known$counts[names(counts)] <- known$counts[names(counts)] + counts
  known$levels <- if (is.factor(labels)) union(known$levels, levels(labels)) else known$levels
  if (!is.factor(labels)) known$values <- unique(c(known$values, labels[!is.na(labels)]))
  known
}

label_levels <- function(known) c(known$levels, setdiff(levels(factor(known$values)), known$levels))

# ---- a sample of the rows --------------------------------------------------------------
# Each row has a number of its own, drawn uniformly from (0, 1) by the row's position and the key;
# the rows with the smallest -log(number) / weight are a sample without replacement in proportion to
# the weights (Efraimidis & Spirakis 2006). So neither the cutting into chunks nor the place where a
# row is read changes the sample. Where there are no more rows than wanted, all are taken, with
# their weights.

new_draw <- function(key, size, stream = 0L) {
  list(key = key, size = size, stream = stream, limit = Inf, at = double(), order = double())
}

draw_chunk <- function(draw, chunk, before) {
  n <- nrow(chunk$x)
  index <- before + seq_len(n) - 1
  high <- as.integer(before %/% 2^32)
  order <- -log(engine_random(draw$key, index %% 2^32, draw$stream, high)[1L, ])
  if (!is.null(chunk$weights)) order <- order / chunk$weights
  new <- which(order < draw$limit | draw$limit == Inf)
  if (length(new) == 0L) return(draw)
  chunk <- take_chunk(chunk, new)
  draw$x <- rbind(draw$x, chunk$x)
  draw$weights <- c(draw$weights, chunk$weights)
  labels <- if (is.null(chunk$labels)) rep(NA, length(new)) else chunk$labels
  draw$labels <- c(draw$labels, as.character(labels))
  draw$at <- c(draw$at, index[new])
  draw$order <- c(draw$order, order[new])
  if (length(draw$order) > 2 * draw$size) prune_draw(draw) else draw
}

# Keeps the first in the order drawn.
prune_draw <- function(draw) {
  keep <- utils::head(order(draw$order), draw$size)
  draw$limit <- draw$order[keep[draw$size]]
  draw <- take_chunk(draw, keep)
  draw$at <- draw$at[keep]
  draw$order <- draw$order[keep]
  draw
}

end_draw <- function(draw, weighted) {
  whole <- draw$limit == Inf && length(draw$order) <= draw$size
  if (!whole) draw <- prune_draw(draw)
  kept <- order(draw$at)
  if (!whole) kept <- kept[draw$order[kept] < Inf] # of weight 0 the others
  sample <- take_chunk(draw[c("x", "weights", "labels")], kept)
  if (!whole) sample["weights"] <- list(NULL)
  sample
}

# ---- the home --------------------------------------------------------------------------

# The data that gmm_bridge() takes, see home.R.
source_data <- function(source, k, na.action, threads = NULL) {
  policy <- home_na_policy(na.action)
  s <- survey_rows(source, function(d) home_sample_size(k, d), policy)
  home_data(s, source$what, k, function(unit, levels) {
    source_estep(source, s, policy, unit, levels, threads)
  })
}

home_na_policy <- function(na.action) {
  policy <- na_policy(na.action)
  if (policy == "exclude") "omit" else policy
}

# The first pass over a source must have told the same as all others.
source_estep <- function(source, s, policy, unit, levels, threads) {
  read <- function(chunk) {
    tryCatch(chunk, gaussmix_error = function(e) {
      if (inherits(e, "gaussmix_error_source")) stop(e)
      gmm_abort("source", paste0("The rows changed between two passes. ", conditionMessage(e)),
                chunk = e$chunk)
    })
  }
  function(params) {
    pass <- fold_chunks(source, function(stats, chunk, at) {
      if (at$rows + nrow(chunk$x) > s$given) refuse_chunk("source", at, sprintf(
        "goes beyond the %s of the first pass", plural(s$given, "row")
      ))
      if (policy == "omit") chunk <- read(admit_chunk(chunk, at, policy, s$weighted))
      w <- chunk$weights
      codes <- label_codes(chunk$labels, levels)
      if (any(codes == 0L & !is.na(chunk$labels))) {
        refuse_chunk("source", at, "has a label that was not there in the first pass")
      }
      new <- engine_stats(chunk$x, if (!is.null(w)) as.double(w) / unit, params, codes, threads)
      if (policy != "pass" && anyNA(chunk$x) || !all(is.finite(new))) { # says why
        read(admit_chunk(chunk, at, policy, s$weighted))
      }
      stats + new
    }, 0, s$names, read)
    if (pass$rows != s$given) {
      gmm_abort("source", sprintf("In this pass there were %s in %s, in the first %s.",
                                  plural(pass$rows, "row"), source$what, number_text(s$given)))
    }
    pass$value
  }
}

# ---- scoring ---------------------------------------------------------------------------

predict_source <- function(object, source, type, na.action, level, draws, to) {
  is_file <- is_string(to)
  if (!is.null(to) && !is_file && !is.function(to)) {
    gmm_abort("argument", must_be("to", "a function, the name of a file or NULL", to))
  }
  if ((type == "conditional" || !is.null(draws)) && !is.function(to)) {
    gmm_abort("argument", sprintf(
      "%s makes a list for each chunk of a source: `to` must be a function that takes it.",
      if (is.null(draws)) "`type = \"conditional\"`" else "`draws`"
    ))
  }
  args <- c(list(object, type = type, na.action = na.action),
            if (type == "conditional") list(level = level),
            if (!is.null(draws)) list(draws = draws))
  out <- if (is_file) open_predictions(to, type)
  on.exit({
    source$close()
    if (is_file) out$close()
  })
  parts <- fold_chunks(source, function(parts, chunk, at) {
    quiet <- if (at$rows == 0) identity else suppressMessages # of columns without names, once
    value <- quiet(do.call(predict.gaussmix, append(args, list(chunk$x), 1L)))
    if (is.null(to)) return(c(parts, list(value)))
    if (is_file) out$write(value) else to(value)
    NULL
  }, NULL)
  if (!is.null(to)) return(invisible(parts$rows))
  if (parts$rows == 0) return(do.call(predict.gaussmix, append(args, list(object$means[0L, ]), 1L)))
  bind_predictions(parts$value)
}

bind_predictions <- function(parts) {
  first <- parts[[1L]]
  if (is.matrix(first)) return(do.call(rbind, parts))
  if (!is.factor(first)) return(unlist(parts))
  factor(unlist(lapply(parts, as.integer)), seq_along(levels(first)), levels(first))
}

# A text file of predictions: write(value), close().
open_predictions <- function(path, type) {
  con <- tryCatch(file(path, "wt"), error = identity, warning = identity)
  if (inherits(con, "condition")) {
    gmm_abort("argument", sprintf("`to` can't be written: %s.", conditionMessage(con)))
  }
  names <- TRUE
  write <- function(value) {
    table <- if (is.matrix(value)) value else stats::setNames(data.frame(unname(value)), type)
    utils::write.table(table, con, sep = ",", row.names = FALSE, col.names = names,
                       qmethod = "double")
    names <<- FALSE
  }
  list(write = write, close = function() close(con))
}
