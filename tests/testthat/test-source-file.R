# Files must give the rows that were written, and tell what is wrong with them.

read_all <- function(source) {
  on.exit(source$close())
  parts <- fold_chunks(source, function(parts, chunk, at) c(parts, list(chunk)), list())$value
  list(x = do.call(rbind, lapply(parts, `[[`, "x")), chunks = length(parts),
       weights = unlist(lapply(parts, `[[`, "weights")),
       labels = unlist(lapply(parts, function(part) as.character(part$labels))))
}

csv_file <- function(frame, ending = ".csv", ...) {
  file <- withr::local_tempfile(fileext = ending, .local_envir = parent.frame())
  utils::write.csv(frame, file, row.names = FALSE, ...)
  file
}

lines_file <- function(..., ending = ".csv", env = parent.frame()) {
  file <- withr::local_tempfile(fileext = ending, .local_envir = env)
  writeBin(charToRaw(paste0(...)), file)
  file
}

parse <- function(text, fields, to = seq_len(fields), last = TRUE, most = 1e9) {
  engine_csv(charToRaw(text), 0, last, ",", as.integer(to), most)
}

test_that("numbers in text are read to the nearest double", {
  v <- with_test_seed(1, c(rnorm(2000) * 10^runif(2000, -300, 300), runif(1000),
                           signif(rnorm(1000), 7), 0, -0, 1e22, 1e23, 2^53, 2^53 + 2,
                           .Machine$double.xmin, .Machine$double.xmax, 5e-324))
  text <- sprintf("%.17g", v) # exact
  expect_identical(parse(paste0(text, "\n", collapse = ""), 1)$x[, 1], v)
  forms <- c("1", "+1", "-1.", ".5", "1e3", "1E-3", "1.5e+2", "0001.50", "NA", "", "NaN", "Inf",
             "-inf", "123456789012345678901234567890", " 7 ", "\"8\"")
  expect_identical(parse(paste0(forms, ",0\n", collapse = ""), 2)$x[, 1],
                   c(1, 1, -1, .5, 1000, .001, 150, 1.5, NA, NA, NA, Inf, -Inf,
                     123456789012345678901234567890, 7, 8))
})

test_that("lines end in any way, and what is no line of numbers is told", {
  same <- matrix(c(1, 3, 2, 4), 2)
  for (text in c("1,2\n3,4\n", "1,2\r\n3,4\r\n", "1,2\n\n3,4", "\"1\",\"2\"\n 3 ,\t4\n\n")) {
    expect_identical(parse(text, 2)$x, same)
  }
  part <- parse("1,2\n3,4", 2, last = FALSE) # the last line may go on
  expect_identical(part$x, same[1, , drop = FALSE])
  expect_identical(part$used, 4)
  expect_identical(parse("1,2\n3,4\n", 2, most = 1)$used, 4)
  expect_identical(parse("1,\"a,b\"\n2,NA\n", 2, c(1, -1))$labels, c("a,b", NA))
  expect_identical(parse("x,2\ny,4\n", 2, c(0, 1))$x, same[, 2, drop = FALSE])
  told <- function(text) unlist(parse(text, 2)[c("line", "field", "text")])
  expect_identical(told("1,2\n3\n"), c(line = "2", field = "0", text = ""))
  expect_identical(told("1,2,3\n"), c(line = "1", field = "0", text = ""))
  expect_identical(told("1,2\n3,abc\n"), c(line = "2", field = "2", text = "abc"))
  expect_identical(told("1,0x10\n")[["field"]], "2")
  expect_identical(told("1,\"2\n3,4\n")[["field"]], "2")
  expect_identical(told("1,1e5000x\n")[["text"]], "1e5000x")
})

test_that("text is read in chunks of any size, plain or packed, and fitted", {
  file <- csv_file(faithful)
  packed <- withr::local_tempfile(fileext = ".csv.gz")
  con <- gzfile(packed, "wt")
  writeLines(readLines(file), con)
  close(con)
  for (name in c(file, packed)) {
    for (size in c(1, 100, 272, 1000)) {
      all <- read_all(gmm_source(name, chunk = size))
      expect_identical(all$x, as.matrix(faithful), ignore_attr = "dimnames")
      expect_identical(all$chunks, as.integer(ceiling(272 / size)))
    }
  }
  many <- open_csv(file, check_roles(NULL, NULL, NULL), NULL, ",", block = 37)
  rows <- list()
  while (!is.null(chunk <- many$read())) rows <- c(rows, list(chunk$x))
  many$close()
  expect_identical(do.call(rbind, rows), as.matrix(faithful), ignore_attr = "dimnames")
  set.seed(1)
  fit <- gmm(gmm_source(file), 2)
  expect_equal(logLik(fit), logLik(gmm(faithful, 2)), tolerance = 1e-8)
  two <- read_all(gmm_source(c(file, file)))
  expect_identical(nrow(two$x), 544L)
  tsv <- lines_file("a\tb\n1\t2\n", ending = ".tsv")
  expect_identical(read_all(gmm_source(tsv))$x, cbind(a = 1, b = 2))
  semi <- lines_file("a;b\n1;2\n")
  expect_identical(read_all(gmm_source(semi, separator = ";"))$x, cbind(a = 1, b = 2))
  mark <- lines_file("\ufeffa,\"b c\"\r\n1,2\r\n")
  expect_identical(colnames(read_all(gmm_source(mark))$x), c("a", "b c"))
})

test_that("columns have roles by their names; hostile names are names", {
  frame <- data.frame(a = 1:4 + 0.5, note = c("x", "y,z", "\"", ""), w = c(1, 2, 0, 1),
                      kind = c("u", NA, "v", "u"), check.names = FALSE, "a,\"b\"'; DROP" = 4:1)
  names(frame)[5] <- "a,\"b\"'; DROP TABLE x"
  file <- csv_file(frame)
  source <- gmm_source(file, columns = names(frame)[c(5, 1)], weights = "w", labels = "kind")
  all <- read_all(source)
  expect_identical(all$x, as.matrix(frame[c(5, 1)]), ignore_attr = "dimnames")
  expect_identical(colnames(all$x), names(frame)[c(5, 1)])
  expect_identical(all$weights, frame$w)
  expect_identical(all$labels, frame$kind)
  expect_gm_error(read_all(gmm_source(file)), "source", c("Line 2", "column `note`, not \"x\""))
  expect_gm_error(read_all(gmm_source(file, columns = "nope")), "source",
                  c("no column `nope`", "It has `a`"))
})

test_that("a fit of a text file says what is wrong with it", {
  fails <- function(text, ..., pattern, class = "source", columns = NULL) {
    file <- lines_file(text, env = parent.frame())
    expect_gm_error(gmm(gmm_source(file, columns = columns), 1), class, pattern, call = "gmm")
  }
  fails("", pattern = "is empty")
  fails("a,b\n", pattern = "no rows", class = "dimension")
  fails("a,b\n1,2\n3\n", pattern = c("Line 3", "must have 2 fields"))
  fails("a,b\n1,2\n3,x\n", pattern = c("Line 3", "a number in column `b`, not \"x\""))
  fails("a,b\n1,2\n3,NA\n", pattern = c("row 2", "`b`"), class = "missing")
  fails("a,b\n1,2\n3,Inf\n", pattern = c("row 2", "`b`"), class = "nonfinite")
  expect_gm_error(gmm_source("/no/such.csv"), "source", "no file", call = "gmm_source")
  expect_gm_error(gmm_source("x.csv", format = "cvs"), "source", "no file")
  file <- lines_file("a\n1\n")
  expect_gm_error(gmm_source(file, format = "cvs"), "argument", "must be one of \"csv\"")
  expect_gm_error(gmm_source(file, separator = ",,"), "argument", "one character")
  expect_gm_error(gmm_source(file, by = "columns"), "argument", "`by` is for")
  expect_gm_error(gmm_source(file, columns = 1), "argument", "`columns`")
  expect_gm_error(gmm_source(file, columns = "a", weights = "a"), "argument", "`a` must not be in")
  expect_gm_error(gmm_source(file, format = "raw"), "argument", "names of all columns")
})

# A way to write `frame` to a file in each format, and to read it.
formats <- function() {
  plain <- function(frame, file) utils::write.csv(frame, file, row.names = FALSE)
  raw <- function(by) {
    list(ending = ".raw",
         write = function(frame, file) {
           x <- as.matrix(frame)
           writeBin(as.vector(if (by == "rows") t(x) else x), file, endian = "little")
         },
         read = function(file) {
           gmm_source(file, format = "raw", columns = names(faithful), chunk = 1000, by = by)
         })
  }
  by_name <- function(file, ...) gmm_source(file, columns = names(faithful), ...)
  all <- list(
    csv = list(ending = ".csv", write = plain, read = function(file) by_name(file, chunk = 1000)),
    gzip = list(ending = ".csv.gz", read = function(file) by_name(file, chunk = 1000),
                write = function(frame, file) {
                  con <- gzfile(file, "wt")
                  on.exit(close(con))
                  plain(frame, con)
                }),
    binary = list(ending = ".bin", read = gmm_source,
                  write = function(frame, file) {
                    gmm_write(gmm_source(as.matrix(frame), chunk = 1000), file)
                  }),
    "raw by rows" = raw("rows"), "raw by columns" = raw("columns")
  )
  if (requireNamespace("nanoparquet", quietly = TRUE)) {
    all$parquet <- list(ending = ".parquet", read = by_name,
                        write = function(frame, file) nanoparquet::write_parquet(frame, file))
  }
  all
}

test_that("files of all formats that change during a fit or before are errors that say how", {
  frame <- faithful[rep(1:272, 20), ]
  rownames(frame) <- NULL
  cut_off <- function(file, share = 0.6) {
    writeBin(readBin(file, "raw", ceiling(share * file.size(file))), file)
  }
  start <- gmm_params(c(.5, .5), rbind(c(2, 50), c(4, 80)), diag(c(1, 100)))
  set.seed(1)
  best <- gmm(frame, 2)
  for (name in names(formats())) {
    format <- formats()[[name]]
    file <- withr::local_tempfile(fileext = format$ending)
    check <- withr::local_tempfile()
    # what `change` does to the file between the second pass and the third, or when a chunk is read
    during <- function(change, pattern, chunk = 0) {
      format$write(frame, file)
      whole <- readBin(file, "raw", file.size(file))
      source <- format$read(file)
      control <- function(...) gmm_control(init = start, ..., tol = 0, max_iter = 8)
      memory <- gmm(source, 2, control = control())
      passes <- chunks <- 0
      changing <- source
      changing$rewind <- function() {
        passes <<- passes + 1
        chunks <<- 0
        if (passes == 3 && chunk == 0) change()
        source$rewind()
      }
      changing$next_chunk <- function() {
        chunks <<- chunks + 1
        if (passes == 3 && chunks == chunk) change()
        source$next_chunk()
      }
      safe <- control(checkpoint = check, checkpoint_every = 0)
      e <- expect_gm_error(gmm(changing, 2, control = safe), "source", pattern, call = "gmm")
      expect_s3_class(e$parameters, "gmm")
      # before: a fit never takes what is left of them for all rows
      expect_error(gmm(if (file.exists(file)) format$read(file) else source, 2, control = safe),
                   class = "gaussmix_error")
      writeBin(whole, file)
      expect_identical(gmm(source, 2, control = safe)[c("trace", "means", "loglik")],
                       memory[c("trace", "means", "loglik")]) # by the checkpoint
      unlink(check) # is kept, as the fit has not converged
      on <- gmm(source, 2, control = gmm_control(init = e$parameters))
      expect_equal(on$loglik, best$loglik, tolerance = 1e-8)
    }
    during(function() cut_off(file), switch(name, csv = "Line",
                                            "raw by rows" = , "raw by columns" = "there were",
                                            parquet = "can't be read", "is cut off"))
    during(function() unlink(file), "There is no file")
    if (name %in% c("binary", "raw by rows")) during(function() cut_off(file), "cut off", chunk = 3)
    if (startsWith(name, "raw")) next # has no names, and no types
    rename <- function() format$write(stats::setNames(frame, c("a", "waiting")), file)
    during(rename, if (name == "binary") "columns `a`, `waiting`, not" else "no column `eruptions`")
    if (name == "binary") next # has numbers only
    during(function() format$write(transform(frame, waiting = "x"), file),
           if (name == "parquet") "`waiting` is a character" else "column `waiting`, not \"x\"")
  }
})

test_that("a text file that changes between passes is an error that says how", {
  change <- function(make, pattern) {
    file <- csv_file(faithful)
    source <- gmm_source(file, chunk = 100)
    passes <- 0
    rewind <- source$rewind
    source$rewind <- function() {
      passes <<- passes + 1
      if (passes == 3) make(file)
      rewind()
    }
    expect_gm_error(gmm(source, 2, control = gmm_control(accelerate = FALSE)), "source", pattern,
                    call = "gmm")
  }
  lines <- c("\"eruptions\",\"waiting\"", paste(faithful[[1]], faithful[[2]], sep = ","))
  change(function(file) writeLines(lines[1:200], file), "there were 199 rows")
  change(function(file) writeLines(c(lines[1:200], "4.1"), file), "Line 201")
  change(function(file) writeLines(c(lines, lines[2]), file), "goes beyond the 272 rows")
  change(function(file) writeLines(c("a,waiting", lines[-1]), file), "columns `a`, `waiting`, not")
  change(function(file) writeLines(c(lines[1:150], "x,5", lines[152:273]), file),
         c("Line 151", "column `eruptions`, not \"x\""))
})

test_that("a gzip file that is cut off anywhere, or damaged, is an error", {
  file <- withr::local_tempfile(fileext = ".csv.gz")
  formats()$gzip$write(faithful, file)
  bytes <- readBin(file, "raw", file.size(file))
  for (size in c(20, seq(100, length(bytes) - 1, by = 37), length(bytes) - 1)) {
    writeBin(bytes[seq_len(size)], file)
    expect_error(read_all(gmm_source(file)), class = "gaussmix_error_source")
  }
  at <- length(bytes) %/% 2
  writeBin(replace(bytes, at, xor(bytes[at], as.raw(255))), file)
  expect_error(read_all(gmm_source(file)), class = "gaussmix_error_source")
  writeBin(c(bytes, bytes), file)
  expect_error(read_all(gmm_source(file)), class = "gaussmix_error_source")
  end <- as.raw(c(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, rep(0, 9))) # an empty member
  writeBin(c(bytes, end), file)
  expect_identical(read_all(gmm_source(file))$x, as.matrix(faithful), ignore_attr = "dimnames")
})

test_that("a binary file gives back bits, names, weights and labels", {
  x <- cbind("\u00e9,\n" = rnorm(7), b = c(1, -0, 1e-310, 2, 3, 4, 5))
  labels <- factor(c("u", NA, "v", "u", "u", NA, "v"), c("v", "u"))
  chunks <- lapply(split(1:7, c(1, 1, 1, 2, 2, 3, 3)), function(i) {
    list(x = x[i, , drop = FALSE], weights = i / 3, labels = labels[i])
  })
  file <- withr::local_tempfile(fileext = ".bin")
  source <- gmm_write(unname(chunks), file)
  all <- read_all(source)
  expect_identical(all$x, x)
  expect_identical(all$weights, 1:7 / 3)
  expect_identical(all$labels, as.character(labels))
  source$rewind()
  expect_identical(levels(source$next_chunk()$labels), c("v", "u"))
  source$close()
  late <- unname(chunks)
  late[[1]]$labels <- NULL
  expect_gm_error(gmm_write(late, file), "labels", "Chunk 2 of a list of chunks has labels")
  text <- csv_file(faithful)
  gmm_write(text, file, chunk = 50) # replaces it
  expect_identical(read_all(gmm_source(file))$x, as.matrix(faithful), ignore_attr = "dimnames")
  set.seed(1)
  expect_equal(logLik(gmm(gmm_source(file), 2)), logLik(gmm(faithful, 2)), tolerance = 1e-8)
})

test_that("the header of a binary file is parsed strictly", {
  names <- c("\u00e9", "", "b")
  for (levels in list(NULL, character(), c("u", "\u4e2d"))) {
    bytes <- binary_header(names, TRUE, levels)
    expect_identical(parse_header(bytes), list(names = names, weighted = TRUE, levels = levels))
    expect_null(parse_header(bytes[-length(bytes)]))
    expect_null(parse_header(c(bytes, as.raw(0))))
    expect_null(parse_header(bytes[1:10]))
    expect_null(parse_header(replace(bytes, 25, as.raw(255)))) # no UTF-8
    for (at in c(1, 9, 17)) for (odd in c(NaN, 1e300, 0.5)) {
      expect_null(parse_header(replace(bytes, at + 0:7, writeBin(odd, raw(), endian = "little"))))
    }
  }
})

test_that("a binary file that is cut off or damaged anywhere is an error", {
  file <- withr::local_tempfile()
  gmm_write(gmm_source(as.matrix(faithful), chunk = 100), file)
  bytes <- readBin(file, "raw", file.size(file))
  for (size in c(0, 5, 16, 20, 100, 1000, 2000, length(bytes) - 8, length(bytes) - 1)) {
    writeBin(bytes[seq_len(size)], file)
    expect_error(read_all(gmm_source(file)), class = "gaussmix_error_source")
  }
  # a byte of the header that is another one; of the first chunk's number of rows; behind the end
  rows <- grepRaw(writeBin(100, raw(), endian = "little"), bytes, fixed = TRUE)
  for (at in seq_len(rows + 7)) for (value in unique(as.raw(c(0, 1, 255, 2^(at %% 8))))) {
    if (value == bytes[at]) next
    writeBin(replace(bytes, at, value), file)
    expect_error(read_all(gmm_source(file)), class = "gaussmix_error_source")
  }
  writeBin(c(bytes, as.raw(0)), file)
  expect_gm_error(read_all(gmm_source(file)), "source", "goes on behind its last rows")
  gmm_write(list(list(x = cbind(a = 1:3 / 7), labels = c("u", NA, "v"))), file)
  labelled <- readBin(file, "raw", file.size(file))
  at <- length(labelled) - 8 - 3 * 8 # the labels' codes end the chunk
  for (code in c(3, 0.5, NaN, -1)) {
    writeBin(replace(labelled, at + 1:8, writeBin(code, raw(), endian = "little")), file)
    expect_gm_error(read_all(gmm_source(file)), "source", "wrong labels")
  }
  writeBin(charToRaw("something else"), file)
  expect_gm_error(read_all(gmm_source(file)), "source", "is not a file by gmm_write()")
  expect_gm_error(gmm_write(faithful, "/no/such/folder/file"), "source", "can't be written")
  bad <- as.matrix(faithful)
  bad[200, 1] <- NA
  before <- readBin(file, "raw", 100)
  expect_gm_error(gmm_write(bad, file), "missing", "row 200", call = "gmm_write")
  expect_identical(readBin(file, "raw", 100), before) # nothing is replaced by half a file
  expect_length(list.files(dirname(file), paste0("^", basename(file))), 1L)
})

test_that("raw numbers are read by rows and by columns", {
  x <- as.matrix(faithful)
  file <- withr::local_tempfile()
  names <- colnames(x)
  writeBin(as.vector(t(x)), file, endian = "little")
  for (size in c(1, 100, 272)) {
    source <- gmm_source(file, format = "raw", columns = names, chunk = size)
    expect_identical(read_all(source)$x, x, ignore_attr = "dimnames")
  }
  writeBin(as.vector(x), file, endian = "little")
  for (size in c(1, 100, 272)) {
    source <- gmm_source(file, format = "raw", columns = names, chunk = size, by = "columns")
    expect_identical(read_all(source)$x, x, ignore_attr = "dimnames")
  }
  writeBin(readBin(file, "raw", 4000), file)
  expect_gm_error(gmm(gmm_source(file, format = "raw", columns = letters[1:3]), 1), "source",
                  "4000 bytes, which is no whole number of rows of 3 numbers")
})

test_that("a table of a database is a source", {
  skip_if_not_installed("RSQLite")
  con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  withr::defer(DBI::dbDisconnect(con))
  DBI::dbWriteTable(con, "f", cbind(faithful, note = "x"))
  source <- gmm_source(con, "f", names(faithful), chunk = 100)
  expect_identical(read_all(source)$x, as.matrix(faithful), ignore_attr = "dimnames")
  expect_s3_class(source, "gmm_source")
})

test_that("Parquet files are a source, each a chunk", {
  skip_if_not_installed("nanoparquet")
  folder <- withr::local_tempdir()
  files <- file.path(folder, c("a.parquet", "b.parquet"))
  frame <- cbind(faithful, note = "x")
  nanoparquet::write_parquet(frame[1:100, ], files[1])
  nanoparquet::write_parquet(frame[101:272, ], files[2])
  all <- read_all(gmm_source(files, columns = names(faithful)))
  expect_identical(all$x, as.matrix(faithful), ignore_attr = "dimnames")
  expect_identical(all$chunks, 2L)
  expect_gm_error(gmm(gmm_source(files), 2), "type", "`note` is a character")
})

test_that("predictions of a source are those of its rows, in memory, by a function or in a file", {
  fit <- gmm(faithful, 2)
  source <- gmm_source(faithful, chunk = 100)
  for (type in c("class", "prob", "density", "logdensity", "component", "mahalanobis",
                 "uncertainty")) {
    whole <- predict(fit, as.matrix(faithful), type)
    if (is.matrix(whole)) rownames(whole) <- NULL else names(whole) <- NULL
    expect_identical(unname(predict(fit, source, type)), unname(whole))
    parts <- list()
    n <- predict(fit, source, type, to = function(value) parts <<- c(parts, list(value)))
    expect_identical(n, 272)
    expect_length(parts, 3L)
    expect_identical(unname(bind_predictions(parts)), unname(whole))
    file <- withr::local_tempfile()
    predict(fit, source, type, to = file)
    read <- utils::read.csv(file, check.names = FALSE)
    expect_equal(unname(as.matrix(read)), unname(as.matrix(if (is.factor(whole)) as.integer(whole)
                                                           else whole)), tolerance = 1e-13)
  }
  means <- NULL
  predict(fit, gmm_source(faithful["waiting"]), "conditional",
          to = function(value) means <<- value$mean)
  expect_equal(means, predict(fit, faithful["waiting"], "conditional")$mean, ignore_attr = TRUE)
  expect_gm_error(predict(fit, source, "conditional"), "argument", "must be a function")
  expect_gm_error(predict(fit, source, to = 1), "argument", "`to`", call = "predict")
  expect_gm_error(predict(fit, faithful, to = print), "argument", "for a source")
  expect_gm_error(predict(fit, gmm_source(cbind(a = 1:3, b = 1))), "names", "lacks")
  expect_message(predict(fit, gmm_source(unname(as.matrix(faithful)), chunk = 100)), "no column na")
})

test_that("row names in a text file, and a first line of numbers, are no names of columns", {
  file <- withr::local_tempfile(fileext = ".csv")
  write.csv(faithful, file)
  expect_gm_error(gmm(gmm_source(file), 2), "source", c("Column 1", "has no name", "row.names"))
  expect_identical(gmm(gmm_source(file, columns = names(faithful)), 1)$nobs, 272)
  write.table(faithful, file, sep = ",", row.names = FALSE, col.names = FALSE)
  expect_gm_error(gmm(gmm_source(file), 2), "source", c("first line", "be names, not numbers"))
  write.csv(stats::setNames(faithful, 1:2), file, row.names = FALSE)
  expect_gm_error(gmm(gmm_source(file), 2), "source", "`columns`")
  expect_identical(gmm(gmm_source(file, columns = c("1", "2")), 1)$nobs, 272)
})
