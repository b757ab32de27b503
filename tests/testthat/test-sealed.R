# What was changed in a file is known before it is used.

test_that("checksums are FNV-1a of 64 bits", {
  sum_of <- function(text) paste(rev(engine_checksum(charToRaw(text))), collapse = "")
  expect_identical(sum_of(""), "cbf29ce484222325")
  expect_identical(sum_of("a"), "af63dc4c8601ec8c")
  expect_identical(sum_of("foobar"), "85944171f73967e8")
})

test_that("bytes come back, or nothing does", {
  file <- withr::local_tempfile()
  read <- function() {
    con <- base::file(file, "rb")
    on.exit(close(con))
    read_sealed(con, "mark\n", file.size(file))
  }
  for (bytes in list(raw(), as.raw(0:255))) {
    con <- base::file(file, "wb")
    write_sealed(bytes, con, "mark\n")
    close(con)
    expect_identical(read(), bytes)
    whole <- readBin(file, "raw", 1e4)
    for (at in seq_along(whole)) {
      writeBin(replace(whole, at, xor(whole[at], as.raw(2^(at %% 8)))), file)
      expect_null(read())
      writeBin(whole[seq_len(at - 1)], file)
      expect_null(read())
    }
  }
})
