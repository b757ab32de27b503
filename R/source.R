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
#' memory. From the best optimum it goes on over all rows, one pass an iteration, until it has
#' converged. The sample also tells how the likelihood bends: each pass says how all rows differ
#' from it, and the next parameters are the optimum of the sample with that made up for, so that
#' three or four passes are enough as a rule. Where the sample says too little (components that
#' overlap so much that samples disagree on them), accelerated EM does the rest;
#' `gmm_control(accelerate = FALSE)` is plain EM from the start. With parameters or a fit as start,
#' `gmm_control(init = )`, no search is made.
#'
#' A table that is kept as text takes most of its time to be read: [gmm_write()] turns any source
#' into a file of numbers once.
#'
#' Between passes the rows must stay the same, in the same order. Checked in every pass are: columns
#' and number of rows, values that are infinite, or missing where they are not let in, weights below
#' 0 and their sum, the number of rows with each label, and, where there is neither noise nor a
#' missing value, the first two moments of the columns, to 9 digits (with those of the first pass
#' of EM; the look at the rows before it takes none). The order is not checked.
#'
#' Families, weights, labels, noise (in the box of all rows), priors, fixed parameters and rows with
#' missing values (`na.action = na.pass`) are as in memory. `trim` is refused: which rows are
#' trimmed is found by sorting the densities of all, and does not add up over parts of the rows. So
#' are functions that need all rows at once, such as [gmm_da()]; the error says what goes over
#' chunks to the same end. [gmm_select()] compares models on the sample, and fits those that may be
#' the best to all rows.
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
gmm_source <- function(x, ...) {
  check_given(x, "what holds the rows")
  UseMethod("gmm_source")
}

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
  rewind_source(source)
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

rewind_source <- function(source) {
  tryCatch(source$rewind(), error = function(e) {
    if (inherits(e, "gaussmix_error")) stop(e)
    gmm_abort("source", sprintf("Going back to the first row of %s failed: %s", source$what,
                                conditionMessage(e)))
  })
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
# "pass") says. weighted: whether the chunks before have weights; NA: there are none. Adds `scan`,
# of engine_scan().
admit_chunk <- function(chunk, at, policy, weighted, threads) {
  w <- chunk$weights
  if (isTRUE(weighted == is.null(w))) {
    refuse_chunk("weights", at, if (weighted) "has no weights, those before it have some"
                 else "has weights, those before it have none")
  }
  refuse_weight <- function(row) {
    refuse_chunk("weights", at, sprintf(
      "has a weight of %s in row %s; weights must be finite and at least 0", describe(w[[row]]),
      place_in(at, row)
    ))
  }
  if (!is.null(w)) {
    if (!is.numeric(w) || is.object(w)) refuse_weight(1L)
    chunk$weights <- as.double(w)
  }
  chunk$scan <- engine_scan(chunk$x, chunk$weights, threads)
  if (chunk$scan$wrong < Inf) refuse_weight(chunk$scan$wrong)
  if (chunk$scan$missing > 0) {
    if (policy == "fail") refuse_values(chunk$x, is.na, "missing", at)
    if (policy == "omit") {
      chunk <- take_chunk(chunk, which(!missing_rows(chunk$x)))
      chunk$scan <- engine_scan(chunk$x, chunk$weights, threads)
    }
  }
  if (any(abs(chunk$scan$reach) == Inf) && any(is.infinite(chunk$x))) {
    refuse_values(chunk$x, is.infinite, "nonfinite", at)
  }
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
survey_rows <- function(source, size, policy, threads = NULL) {
  seed <- random_state()
  s <- survey_part(source, size, policy, sample_key(), threads = threads)
  list2env(list(n = s$given, names = s$names), source$known)
  end_survey(s, source$what, seed)
}

sample_key <- function() floor(stats::runif(2) * 2^32)

# The same of a part of the rows, with the draw not at its end (`stream`: the part's number).
survey_part <- function(source, size, policy, key, stream = 0L, threads = NULL) {
  found <- fold_chunks(source, function(s, chunk, at) {
    given <- nrow(chunk$x)
    if (is.null(s$sample)) s$sample <- new_draw(key, size(ncol(chunk$x)), stream)
    chunk <- admit_chunk(chunk, at, policy, s$weighted, threads)
    s$weighted <- !is.null(chunk$weights)
    if (policy == "pass") {
      s <- note_missing(s, chunk)
      if (s$missing$last) {
        chunk <- take_chunk(chunk, which(!says_nothing(chunk$x, chunk$labels)))
        chunk$scan <- engine_scan(chunk$x, chunk$weights, threads)
      }
    }
    s$dropped <- s$dropped + given - nrow(chunk$x)
    if (nrow(chunk$x) == 0L) return(s)
    s$sample <- draw_chunk(s$sample, chunk, s$rows)
    if (!is.null(chunk$labels)) s$labels <- count_labels(s$labels, chunk$labels, chunk$weights, at)
    add_scan(s, chunk$scan, nrow(chunk$x))
  }, list(rows = 0, dropped = 0, weight = 0, weight2 = 0, weighted = NA, reach = 0))
  s <- c(found$value, list(given = found$rows), found[c("names", "named")])
  if (!is.null(s$sample)) s$sample <- bind_draw(s$sample)
  s
}

add_scan <- function(s, scan, rows) {
  s$rows <- s$rows + rows
  s$weight <- s$weight + scan$weight
  s$weight2 <- s$weight2 + scan$weight2
  s$reach <- pmax(s$reach, ifelse(scan$reach[1L, ] > scan$reach[2L, ], 0,
                                  pmax(-scan$reach[1L, ], scan$reach[2L, ])))
  if (scan$weight > 0) s$ranges <- join_ranges(s$ranges, scan$ranges)
  s
}

# 2 x d: from Inf to -Inf where there are no values.
join_ranges <- function(a, b) {
  if (is.null(a) || is.null(b)) return(if (is.null(a)) b else a)
  rbind(pmin(a[1L, ], b[1L, ]), pmax(a[2L, ], b[2L, ]))
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

# What a chunk lacks, see survey_rows(); last: does it have rows that say nothing?
note_missing <- function(s, chunk) {
  gaps <- if (chunk$scan$missing > 0) engine_gaps(chunk$x, chunk$weights) else {
    list(there = matrix(TRUE, ncol(chunk$x)), rows = nrow(chunk$x),
         counted = if (is.null(chunk$weights)) nrow(chunk$x) else sum(chunk$weights > 0))
  }
  partly <- which(colSums(!gaps$there) > 0)
  empty <- if (any(colSums(gaps$there) == 0)) sum(says_nothing(chunk$x, chunk$labels)) else 0
  missing <- list(rows = sum(gaps$rows[partly]), empty = empty, last = empty > 0,
                  patterns = apply(1L * !gaps$there[, partly, drop = FALSE], 2L, paste,
                                   collapse = ""))
  together <- tcrossprod(gaps$there * rep(gaps$counted, each = nrow(gaps$there)), gaps$there)
  merge_missing(s, list(missing = missing, together = together))
}

# The first with what the second lacks.
merge_missing <- function(a, b) {
  if (is.null(a$missing)) {
    a[c("missing", "together")] <- b[c("missing", "together")]
    return(a)
  }
  a$missing <- list(rows = a$missing$rows + b$missing$rows,
                    empty = a$missing$empty + b$missing$empty, last = b$missing$last,
                    patterns = union(a$missing$patterns, b$missing$patterns))
  a$together <- a$together + b$together
  a
}

# Of two parts, the second behind the first.
merge_surveys <- function(a, b) {
  sums <- c("rows", "dropped", "weight", "weight2", "given")
  b[sums] <- Map(`+`, a[sums], b[sums])
  if (!is.null(a$missing)) b <- merge_missing(b, a)
  b$reach <- pmax(a$reach, b$reach)
  b["ranges"] <- list(join_ranges(a$ranges, b$ranges))
  b["labels"] <- list(merge_labels(a$labels, b$labels))
  shift <- function(piece) replace(piece, "at", list(a$rows + piece$at))
  b$sample$pieces <- c(a$sample$pieces, lapply(b$sample$pieces, shift))
  b$sample$held <- a$sample$held + b$sample$held
  b$sample$limit <- min(a$sample$limit, b$sample$limit)
  if (b$sample$held > 2 * b$sample$size) b$sample <- prune_draw(b$sample)
  b$named <- a$named
  b
}

merge_labels <- function(a, b) {
  if (is.null(a) || is.null(b)) return(if (is.null(a)) b else a)
  names <- union(names(a$counts), names(b$counts))
  add <- function(counts) {
    counts <- of_names(counts, names)
    ifelse(is.na(counts), 0, counts)
  }
  list(counts = stats::setNames(add(a$counts) + add(b$counts), names),
       levels = union(a$levels, b$levels), values = unique(c(a$values, b$values)))
}

# Levels of the labels as factor() would find them in all rows, and the rows with weight of each.
count_labels <- function(known, labels, w, at) {
  check_labels_kind(labels, sprintf("labels of chunk %d", at$chunk))
  values <- if (is.factor(labels)) levels(labels) else unique(labels[!is.na(labels)])
  codes <- if (is.factor(labels)) as.integer(labels) else match(labels, values)
  counts <- tabulate(if (is.null(w)) codes else codes[w > 0], length(values))
  more <- list(counts = stats::setNames(counts, as.character(values)),
               levels = if (is.factor(labels)) values, values = if (!is.factor(labels)) values)
  merge_labels(known, more)
}

label_levels <- function(known) c(known$levels, setdiff(levels(factor(known$values)), known$levels))

# ---- a sample of the rows --------------------------------------------------------------
# Each row has an order, drawn from the exponential distribution whose rate is its weight; the rows
# with the smallest ones are a sample without replacement in proportion to the weights. Once twice
# as many as wanted are held, the first of them stay, and the largest of their orders is the limit
# for those to come: which of these is the next to be taken is drawn, and all before it are passed
# over (Efraimidis & Spirakis 2006). All draws go by the number of the row that was taken last, so
# that the cutting into chunks does not change the sample. Where there are no more rows than wanted,
# all are taken, with their weights.
#
# A draw: list(key, stream, size (rows wanted), limit, last (number of the last row taken, from 0),
# passed (weight passed over since then), held (rows), pieces (of them, each list(x, weights,
# labels, at, order))).

new_draw <- function(key, size, stream = 0L) {
  list(key = key, stream = as.integer(stream), size = size, limit = Inf, last = -1, passed = 0,
       held = 0, pieces = list())
}

draw_chunk <- function(draw, chunk, before) {
  n <- nrow(chunk$x)
  from <- 0L
  repeat {
    new <- engine_draw(draw, before, n, chunk$weights, from, 2 * draw$size - draw$held)
    draw[c("last", "passed")] <- new[c("last", "passed")]
    count <- length(new$row)
    if (count == 0L) return(draw)
    piece <- take_chunk(chunk[c("x", "weights", "labels")], new$row)
    piece$labels <- if (is.null(piece$labels)) rep(NA_character_, count)
                    else as.character(piece$labels)
    piece[c("at", "order")] <- list(before + new$row - 1, new$order)
    draw$pieces <- c(draw$pieces, list(piece))
    draw$held <- draw$held + count
    if (draw$held < 2 * draw$size) return(draw)
    draw <- prune_draw(draw)
    from <- new$row[count]
  }
}

# In one piece.
bind_draw <- function(draw) {
  if (length(draw$pieces) < 2L) return(draw)
  parts <- names(draw$pieces[[1L]])
  draw$pieces <- list(stats::setNames(lapply(parts, function(part) {
    do.call(if (part == "x") rbind else c, lapply(draw$pieces, `[[`, part))
  }), parts))
  draw
}

take_piece <- function(piece, rows) {
  piece <- take_chunk(piece, rows)
  piece[c("at", "order")] <- lapply(piece[c("at", "order")], `[`, rows)
  piece
}

# Keeps the first in the order drawn.
prune_draw <- function(draw) {
  draw <- bind_draw(draw)
  piece <- draw$pieces[[1L]]
  keep <- utils::head(order(piece$order), draw$size)
  draw$limit <- piece$order[keep[draw$size]]
  draw$held <- length(keep)
  draw$pieces <- list(take_piece(piece, keep))
  draw
}

end_draw <- function(draw, weighted) {
  whole <- draw$limit == Inf && draw$held <= draw$size
  draw <- if (whole) bind_draw(draw) else prune_draw(draw)
  piece <- draw$pieces[[1L]]
  kept <- order(piece$at)
  if (!whole) kept <- kept[piece$order[kept] < Inf] # of weight 0 the others
  sample <- take_piece(piece, kept)[c("x", "weights", "labels")]
  if (!whole) sample["weights"] <- list(NULL)
  sample
}

# ---- the home --------------------------------------------------------------------------

# The data that gmm_bridge() takes, see home.R.
source_data <- function(source, k, na.action, threads = NULL) {
  policy <- home_na_policy(na.action)
  s <- survey_rows(source, function(d) home_sample_size(k, d), policy, threads)
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
    counts <- numeric(length(levels))
    pass <- fold_chunks(source, function(stats, chunk, at) {
      if (at$rows + nrow(chunk$x) > s$given) refuse_chunk("source", at, sprintf(
        "goes beyond the %s of the first pass", plural(s$given, "row")
      ))
      w <- chunk$weights
      odd <- is.null(w) == s$weighted || !is.null(w) && (!is.numeric(w) || isTRUE(min(w) < 0))
      if (policy == "omit" || odd) {
        chunk <- read(admit_chunk(chunk, at, policy, s$weighted, threads))
        w <- chunk$weights
      }
      codes <- label_codes(chunk$labels, levels)
      if (any(codes == 0L & !is.na(chunk$labels))) {
        refuse_chunk("source", at, "has a label that was not there in the first pass")
      }
      if (length(codes)) {
        counts <<- counts + tabulate(if (is.null(w)) codes else codes[w > 0], length(levels))
      }
      new <- engine_stats(chunk$x, if (!is.null(w)) as.double(w) / unit, params, codes, threads)
      gaps <- policy != "pass" && !is.null(attr(new, "missing"))
      if (gaps || !all(is.finite(new))) { # says why
        read(admit_chunk(chunk, at, policy, s$weighted, threads))
      }
      stats + as.vector(new)
    }, 0, s$names, read)
    if (pass$rows != s$given) {
      gmm_abort("source", sprintf("In this pass there were %s in %s, in the first %s.",
                                  plural(pass$rows, "row"), source$what, number_text(s$given)))
    }
    before <- of_names(s$labels$counts, levels)
    if (any(counts != ifelse(is.na(before), 0, before))) {
      gmm_abort("source", sprintf(
        "The rows changed between two passes: those of %s do not have the labels they had before.",
        source$what
      ), "Every pass must have the same rows, weights and labels; fit a copy, see gmm_write().")
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
  codes <- unlist(lapply(parts, function(part) stats::setNames(as.integer(part), names(part))))
  value <- factor(codes, seq_along(levels(first)), levels(first))
  names(value) <- names(codes)
  value
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
