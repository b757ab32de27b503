# Rows in files: text, numbers in binary, Parquet.

#' @rdname gmm_source
#' @param format Of the files: `"csv"` (text with a line of column names), `"binary"` (by
#'   [gmm_write()]), `"raw"` (doubles of 8 bytes, little-endian, and nothing else), or `"parquet"`;
#'   `NULL`: by the name's ending (`.csv`, `.tsv`, `.txt`, each also with `.gz`, are text), or,
#'   where that says nothing, binary.
#' @param columns Names of the columns that are variables; `NULL`: all but `weights` and `labels`.
#'   For `"raw"` the names of all columns.
#' @param weights,labels Names of the columns that hold the weights and the known labels, or `NULL`.
#' @param separator What separates the fields of a line of text: one character; `NULL`: a tab in
#'   files whose name ends in `.tsv`, else a comma.
#' @param by For `"raw"`: `"rows"`, all numbers of a row are together (as C and numpy write a
#'   matrix), or `"columns"` (as R and Fortran do).
#' @section Files:
#' Several files are read one after the other, as if they were one. Of text and Parquet only the
#' columns that are asked for are used; the others may be of any type. Text is read strictly:
#' numbers as R writes them, `NA` or nothing where missing, in double quotes or not; a line with
#' another number of fields is an error, and so is a packed file that was cut off. Where `columns`
#' is `NULL`, so is a first line with an empty name (row names, as a rule) or of numbers only. A
#' file in Parquet is read by package nanoparquet, and is one chunk: cut large tables into several
#' files.
#' @export
gmm_source.character <- function(x, ..., format = NULL, # nolint: object_name_linter.
                                 columns = NULL, weights = NULL, labels = NULL, chunk = NULL,
                                 separator = NULL, by = c("rows", "columns")) {
  check_dots_empty(...)
  check_files(x)
  format <- if (is.null(format)) {
    file_format(x)
  } else {
    check_choice(format, c("csv", "binary", "raw", "parquet"))
  }
  if (!is.null(chunk)) chunk <- check_whole(chunk)
  roles <- check_roles(columns, weights, labels)
  by <- check_choice(by, c("rows", "columns"))
  if (format != "csv" && !is.null(separator)) refuse_unused("separator", "csv")
  if (format != "raw" && by != "rows") refuse_unused("by", "raw")
  if (format == "csv") separator <- check_separator(separator, x)
  what <- if (length(x) == 1L) sprintf("the file %s", basename(x)) else plural(length(x), "file")
  open <- switch(format,
    csv = function(file) open_csv(file, roles, chunk, separator),
    binary = function(file) open_binary(file, roles),
    raw = function(file) open_raw(file, roles, chunk, by),
    parquet = function(file) open_parquet(file, roles)
  )
  if (format == "raw" && is.null(columns)) {
    gmm_abort("argument", "`columns`, the names of all columns, must be given for raw numbers.")
  }
  files_source(x, what, open)
}

refuse_unused <- function(arg, format) {
  gmm_abort("argument", sprintf("`%s` is for `format = \"%s\"` only.", arg, format))
}

# open(file) -> list(read(): the next chunk, or NULL; close())
files_source <- function(files, what, open) {
  at <- 0L
  now <- NULL
  close <- function() {
    if (!is.null(now)) now$close()
    now <<- NULL
  }
  rewind <- function() {
    close()
    at <<- 0L
  }
  next_chunk <- function() {
    repeat {
      if (is.null(now)) {
        if (at == length(files)) return(NULL)
        at <<- at + 1L
        check_files(files[at])
        now <<- open(files[at])
      }
      chunk <- now$read()
      if (!is.null(chunk)) return(chunk)
      close()
    }
  }
  new_source(what, rewind, next_chunk, close)
}

check_files <- function(x) {
  if (length(x) == 0L || anyNA(x)) {
    gmm_abort("argument", must_be("x", "names of files", x))
  }
  lacking <- x[!file.exists(x) | dir.exists(x)]
  if (length(lacking)) {
    gmm_abort("source", sprintf("There is no file %s.", some(dQuote(lacking, FALSE))))
  }
}

file_format <- function(x) {
  ending <- tolower(sub(".*\\.", "", sub("\\.gz$", "", x, ignore.case = TRUE)))
  format <- ifelse(ending %in% c("csv", "tsv", "txt"), "csv",
                   ifelse(ending == "parquet", "parquet", "binary"))
  if (length(unique(format)) > 1L) {
    gmm_abort("argument", "The files must all have one format.", "Or give `format`.")
  }
  format[1L]
}

check_separator <- function(separator, x) {
  if (is.null(separator)) {
    return(if (grepl("\\.tsv(\\.gz)?$", x[1L], ignore.case = TRUE)) "\t" else ",")
  }
  if (!is_string(separator) || nchar(separator, "bytes") != 1L || separator %in% c("\"", "\n")) {
    gmm_abort("argument", must_be("separator", "one character", separator))
  }
  separator
}

# ---- which columns are what ------------------------------------------------------------

check_roles <- function(columns, weights, labels) {
  names <- function(value, arg, expected, most) {
    if (is.null(value)) return(NULL)
    if (!is.character(value) || anyNA(value) || !length(value) || length(value) > most ||
          anyDuplicated(value)) {
      gmm_abort("argument", must_be(arg, expected, value))
    }
    as.vector(value)
  }
  roles <- list(x = names(columns, "columns", "distinct names of columns", Inf),
                weights = names(weights, "weights", "the name of a column", 1L),
                labels = names(labels, "labels", "the name of a column", 1L))
  twice <- intersect(roles$x, c(roles$weights, roles$labels))
  if (length(twice)) {
    gmm_abort("argument", sprintf("%s must not be in `columns` and be `weights` or `labels` too.",
                                  some(backtick(twice))))
  }
  roles
}

# Numbers of the columns among `names`: list(x, weights, labels).
find_columns <- function(roles, names, what) {
  if (is.null(roles$x)) roles$x <- setdiff(names, c(roles$weights, roles$labels))
  lacking <- setdiff(unlist(roles), names)
  if (length(lacking)) {
    gmm_abort("source", sprintf("There is no column %s in %s.", some(backtick(lacking)), what),
              sprintf("It has %s.", some(backtick(names), 10L)))
  }
  refuse_twice(intersect(unlist(roles), names[duplicated(names)]), what)
  lapply(roles, match, names)
}

# Of a data frame.
frame_chunk <- function(frame, roles, what) {
  at <- find_columns(roles, names(frame), what)
  list(x = frame[at$x], weights = if (length(at$weights)) frame[[at$weights]],
       labels = if (length(at$labels)) frame[[at$labels]])
}

# ---- text ------------------------------------------------------------------------------

open_csv <- function(file, roles, chunk, separator, block = 4e6) {
  packed <- grepl("\\.gz$", file, ignore.case = TRUE)
  con <- if (packed) gzfile(file, "rb") else base::file(file, "rb")
  opened <- FALSE
  on.exit(if (!opened) base::close(con))
  what <- sprintf("the file %s", basename(file))
  bytes <- raw()
  from <- 0
  line <- 1
  ended <- FALSE
  size <- 0
  more <- function() {
    new <- if (packed) read_packed(con, block, what) else readBin(con, "raw", block)
    ended <<- length(new) == 0L
    size <<- size + length(new)
    if (ended && packed) check_packed(file, size, what)
    bytes <<- if (from == length(bytes)) new else c(bytes[seq.int(from + 1, length(bytes))], new)
    from <<- 0
  }
  header <- function() {
    repeat {
      end <- grepRaw("\n", bytes, fixed = TRUE)
      if (length(end) || ended) break
      more()
    }
    if (length(bytes) == 0L) gmm_abort("source", sprintf("%s is empty.", capital(what)))
    if (length(end) == 0L) end <- length(bytes) + 1L
    text <- sub("\r$", "", rawToChar(bytes[seq_len(end - 1L)]))
    text <- sub("^\xef\xbb\xbf", "", text, useBytes = TRUE) # a mark of UTF-8
    Encoding(text) <- "UTF-8"
    from <<- min(end, length(bytes))
    fields <- scan(text = text, what = "", sep = separator, quote = "\"", quiet = TRUE,
                   strip.white = TRUE, comment.char = "", na.strings = character())
    if (is.null(roles$x)) check_header(fields, what)
    fill_names(fields, 0L)
  }
  names <- header()
  at <- find_columns(roles, names, what)
  columns <- integer(length(names))
  d <- length(at$x)
  columns[at$x] <- seq_len(d)
  columns[at$weights] <- d + 1L
  columns[at$labels] <- -1L
  most <- if (is.null(chunk)) 2^31 - 1 else chunk
  read <- function() {
    repeat {
      out <- engine_csv(bytes, from, ended, separator, columns, most)
      if (!is.null(out$line)) refuse_line(out, line, names, what)
      if (nrow(out$x) > 0L) break
      if (ended) return(NULL)
      more()
    }
    from <<- out$used
    line <<- line + nrow(out$x)
    x <- out$x
    w <- NULL
    if (length(at$weights)) {
      w <- x[, d + 1L]
      x <- x[, seq_len(d), drop = FALSE]
    }
    colnames(x) <- names[at$x]
    list(x = x, weights = w, labels = out$labels)
  }
  opened <- TRUE
  list(read = read, close = function() base::close(con))
}

# Where all columns are variables: are they named by the first line?
check_header <- function(fields, what) {
  if (!anyNA(suppressWarnings(as.double(fields))) && length(fields)) {
    gmm_abort("source", sprintf("The first line of %s must be names, not numbers.", what),
              "Write a line of names before it; or, if these are names, give them as `columns`.")
  }
  empty <- which(!nzchar(fields))
  if (length(empty) && length(fields) > 1L) {
    gmm_abort("source", sprintf("Column %d of %s has no name.", empty[1L], what), paste(
      "Row names are no variable: write.csv(row.names = FALSE) leaves them out; or name those",
      "that are variables as `columns`."
    ))
  }
}

read_packed <- function(con, bytes, what) {
  damaged <- function(e) {
    gmm_abort("source", sprintf("%s is cut off, or damaged: %s.", capital(what),
                                conditionMessage(e)))
  }
  tryCatch(readBin(con, "raw", bytes), error = damaged, warning = damaged)
}

# gzfile() takes the end of a file that was cut off for the end of the data. A whole one ends with
# the number of bytes that it holds, modulo 2^32 (RFC 1952); so does each member of one that was put
# together, which bgzip ends by an empty one.
check_packed <- function(file, size, what) {
  con <- base::file(file, "rb")
  on.exit(base::close(con))
  seek(con, max(file.size(file) - 10, 0))
  end <- readBin(con, "raw", 10L)
  told <- sum(as.integer(utils::tail(end, 4L)) * 256^(0:3))
  if (told == size %% 2^32 || identical(end, as.raw(c(3L, rep(0L, 9L))))) return(invisible())
  gmm_abort("source", sprintf("%s is cut off, or put together from several gzip files.",
                              capital(what)), "Unpack it, which also tells whether it is whole.")
}

refuse_line <- function(out, before, names, what) {
  line <- before + out$line
  if (out$field == 0L) {
    gmm_abort("source", sprintf("Line %s of %s must have %s, as the first line.",
                                number_text(line), what, plural(length(names), "field")))
  }
  gmm_abort("source", sprintf("Line %s of %s must have a number in column %s, not %s.",
                              number_text(line), what, backtick(names[out$field]),
                              dQuote(encodeString(out$text), FALSE)))
}

# ---- numbers ---------------------------------------------------------------------------
# A binary file: a header, sealed (sealed.R) behind a line of text, format and version; then the
# chunks: the number of rows, and their numbers by columns: variables, weights, codes of the labels.
# A chunk of -1 rows ends the file, so that one that was cut off is known. The header: d, are there
# weights (0 or 1), the number of levels (-1: no labels); then names and levels in UTF-8, each ended
# by a byte of 0. All numbers are doubles, little-endian.

binary_mark <- "gaussmix rows 1\n"

binary_header <- function(names, weighted, levels) {
  numbers <- c(length(names), weighted, if (is.null(levels)) -1 else length(levels))
  c(writeBin(as.double(numbers), raw(), endian = "little"),
    writeBin(enc2utf8(c(names, levels)), raw()))
}

# list(names, weighted, levels); NULL: no header.
parse_header <- function(bytes) {
  fixed <- 24L
  if (length(bytes) < fixed) return(NULL)
  numbers <- readBin(bytes, "double", 3L, endian = "little")
  text <- bytes[-seq_len(fixed)]
  count <- numbers[1L] + max(numbers[3L], 0)
  if (!isTRUE(sum(text == 0) == count && numbers[1L] >= 1 && numbers[2L] %in% 0:1)) return(NULL)
  text <- readBin(text, "character", count)
  Encoding(text) <- "UTF-8"
  if (!all(validUTF8(text))) return(NULL)
  names <- seq_len(numbers[1L])
  list(names = text[names], weighted = numbers[2L] == 1,
       levels = if (numbers[3L] >= 0) text[-names])
}

#' Write rows to a file that is read fast
#'
#' `gmm_write()` goes through a source once (twice, where there are labels) and writes its rows,
#' weights and labels to a file of numbers that [gmm_source()] reads about as fast as the disk
#' allows: worthwhile for a table in text or a slow query, which each EM step would read again. The
#' file takes 8 bytes a number. It is written under a temporary name, and gets its own when it is
#' complete.
#'
#' @param x A source, or what [gmm_source()] takes.
#' @param file Name of the file; one that exists is replaced.
#' @param ... Arguments of [gmm_source()], where `x` is not yet a source.
#' @return The source that reads the file.
#' @section Errors: As for the first pass of [gmm()] over a source: missing and infinite values are
#'   refused; `gaussmix_error_source` where the file can't be written.
#' @seealso [gmm_source()]
#' @examples
#' text <- tempfile(fileext = ".csv")
#' write.csv(faithful, text, row.names = FALSE)
#' fast <- gmm_write(text, tempfile(fileext = ".bin"))
#' gmm(fast, k = 2)
#' @export
gmm_write <- function(x, file, ...) {
  source <- gmm_source(x, ...)
  check_given(file, "the name of a file")
  if (!is_string(file)) gmm_abort("argument", must_be("file", "the name of a file", file))
  on.exit(source$close())
  temporary <- tempfile(basename(file), dirname(file))
  con <- tryCatch(base::file(temporary, "wb"), error = identity, warning = identity)
  if (inherits(con, "condition")) {
    gmm_abort("source", sprintf("The file %s can't be written: %s.", dQuote(file, FALSE),
                                conditionMessage(con)))
  }
  on.exit({
    if (!is.null(con)) close(con)
    unlink(temporary)
  }, add = TRUE)
  put <- function(v) writeBin(as.double(v), con, endian = "little")
  levels <- written_levels(source)
  found <- fold_chunks(source, function(weighted, chunk, at) {
    chunk <- admit_chunk(chunk, at, "fail", weighted, NULL)
    if (is.null(levels) && !is.null(chunk$labels)) {
      refuse_chunk("labels", at, "has labels, the first one has none")
    }
    if (is.na(weighted)) {
      write_sealed(binary_header(attr(chunk, "given_names"), !is.null(chunk$weights), levels),
                   con, binary_mark)
    }
    put(nrow(chunk$x))
    put(chunk$x)
    if (!is.null(chunk$weights)) put(chunk$weights)
    if (!is.null(levels)) {
      put(if (is.null(chunk$labels)) rep(0, nrow(chunk$x)) else label_codes(chunk$labels, levels))
    }
    !is.null(chunk$weights)
  }, NA)
  if (found$rows == 0) gmm_abort("dimension", sprintf("There are no rows in %s.", source$what))
  put(-1)
  close(con)
  con <- NULL
  if (!file.rename(temporary, file)) {
    gmm_abort("source", sprintf("The file %s can't be written.", dQuote(file, FALSE)))
  }
  gmm_source(file, format = "binary")
}

# The levels of the labels, by a pass of their own where the first chunk has labels.
written_levels <- function(source) {
  source$rewind()
  first <- next_chunk(source, list(chunk = 1L, what = source$what))
  if (!is.list(first) || is.data.frame(first) || is.null(first$labels)) return(NULL)
  known <- fold_chunks(source, function(known, chunk, at) {
    if (is.null(chunk$labels)) known else count_labels(known, chunk$labels, chunk$weights, at)
  }, NULL)$value
  label_levels(known)
}

open_binary <- function(file, roles) {
  what <- sprintf("the file %s", basename(file))
  if (!all(vapply(roles, is.null, NA))) {
    gmm_abort("argument", sprintf(
      "`columns`, `weights` and `labels` can't be given for %s: it says itself what it holds.", what
    ))
  }
  con <- base::file(file, "rb")
  get <- function(n) readBin(con, "double", n, endian = "little")
  opened <- FALSE
  on.exit(if (!opened) close(con))
  bad <- function(why) gmm_abort("source", sprintf("%s %s.", capital(what), why))
  size <- file.size(file)
  header <- read_sealed(con, binary_mark, size)
  if (!is.null(header)) header <- parse_header(header)
  if (is.null(header)) {
    bad("is not a file by gmm_write(), or it is damaged, and its `format` is not given")
  }
  d <- length(header$names)
  read <- function() {
    cut <- "is cut off, or damaged: its last rows are lacking"
    n <- get(1L)
    left <- size - seek(con) # what is damaged must not ask for more memory than the file has bytes
    if (identical(n, -1)) {
      if (left > 0) bad("is damaged: it goes on behind its last rows")
      return(NULL)
    }
    columns <- d + header$weighted + !is.null(header$levels)
    if (!isTRUE(n >= 0 && n < 2^31 && n == trunc(n) && 8 * n * columns <= left)) bad(cut)
    take <- function(m) {
      v <- get(n * m)
      if (length(v) < n * m) bad(cut)
      v
    }
    x <- take(d)
    dim(x) <- c(n, d)
    w <- if (header$weighted) take(1L)
    codes <- if (!is.null(header$levels)) take(1L)
    if (!all(codes %in% c(0, seq_along(header$levels)))) bad("is damaged: it has wrong labels")
    colnames(x) <- header$names
    list(x = x, weights = w, labels = if (!is.null(codes)) {
      factor(header$levels[ifelse(codes == 0, NA, codes)], header$levels)
    })
  }
  opened <- TRUE
  list(read = read, close = function() close(con))
}

open_raw <- function(file, roles, chunk, by) {
  what <- sprintf("the file %s", basename(file))
  names <- unlist(roles)
  d <- length(names)
  n <- file.size(file) / (8 * d)
  if (n != trunc(n)) {
    gmm_abort("source", sprintf("%s has %s bytes, which is no whole number of rows of %s.",
                                capital(what), number_text(file.size(file)),
                                plural(d, "number")))
  }
  con <- base::file(file, "rb")
  chunk <- chunk_rows(chunk, d)
  done <- 0
  get <- function(m) {
    v <- readBin(con, "double", m, endian = "little")
    if (length(v) < m) gmm_abort("source", sprintf("%s was cut off.", capital(what)))
    v
  }
  read <- function() {
    m <- min(chunk, n - done)
    if (m == 0) return(NULL)
    x <- if (by == "rows") {
      engine_columns(get(m * d), d)
    } else {
      vapply(seq_len(d), function(j) {
        seek(con, 8 * ((j - 1) * n + done))
        get(m)
      }, double(m))
    }
    dim(x) <- c(m, d)
    done <<- done + m
    colnames(x) <- names
    if (is.null(roles$weights) && is.null(roles$labels)) return(list(x = x))
    list(x = x[, roles$x, drop = FALSE],
         weights = if (!is.null(roles$weights)) x[, roles$weights],
         labels = if (!is.null(roles$labels)) x[, roles$labels])
  }
  list(read = read, close = function() close(con))
}

# ---- Parquet ---------------------------------------------------------------------------

open_parquet <- function(file, roles) {
  what <- sprintf("the file %s", basename(file))
  need_package("nanoparquet", "Reading Parquet")
  wanted <- if (!is.null(roles$x)) unlist(roles, use.names = FALSE) # NULL: all
  done <- FALSE
  read <- function() {
    if (done) return(NULL)
    done <<- TRUE
    names <- nanoparquet::read_parquet_schema(file)$name[-1L]
    at <- find_columns(roles, names, what)
    frame <- nanoparquet::read_parquet(file, col_select = names[sort(unlist(at))])
    frame_chunk(as.data.frame(frame), roles, what)
  }
  list(read = read, close = function() NULL)
}
