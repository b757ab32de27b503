# What scripts that run in processes of their own measure: their memory, and a file read alone.

# MiB, from /proc: "VmHWM", the peak of the resident set, or "VmRSS", what it is now.
status_mib <- function(field) {
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

# A binary file as a source, from its first chunk to its last.
read_through <- function(file) {
  source <- gaussmix::gmm_source(file, format = "binary")
  on.exit(source$close())
  source$rewind()
  while (!is.null(source$next_chunk())) NULL
}
