# Bytes in a file behind a mark, their number and their checksum: what is not as it was written is
# known before any of it is made use of.

write_sealed <- function(bytes, con, mark) {
  writeBin(charToRaw(mark), con)
  writeBin(as.double(length(bytes)), con, endian = "little")
  writeBin(engine_checksum(bytes), con)
  writeBin(bytes, con)
}

# The bytes, or NULL. left: bytes of the file from here on.
read_sealed <- function(con, mark, left) {
  if (!identical(readBin(con, "raw", nchar(mark)), charToRaw(mark))) return(NULL)
  size <- readBin(con, "double", 1L, endian = "little")
  checksum <- readBin(con, "raw", 8L)
  if (length(size) == 0L || !is.finite(size) || size < 0 || size > left) return(NULL)
  bytes <- readBin(con, "raw", size)
  if (length(bytes) == size && identical(engine_checksum(bytes), checksum)) bytes
}
