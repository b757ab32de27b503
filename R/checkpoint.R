# Checkpoints of long fits of rows elsewhere (home.R): what each pass over all rows came to. EM is a
# function of these statistics and the start, so that a fit that goes on takes the recorded passes
# from the file, and the rest of the way bit for bit as if it had never been stopped. R's random
# numbers go on from where they were when the fit began.
#
# A record: list(version, seed (random numbers at the first pass over the rows), after (once the
# start was found), model, data, start (what find_start() returns), passes (list of statistics),
# last (the parameters that the last of them belong to)).

# Before the rows are looked at: a fit that goes on draws the same sample.
resume_random <- function(control) {
  if (is.null(control$checkpoint) || !file.exists(control$checkpoint)) return(invisible())
  record <- read_record(control$checkpoint)
  assign(".Random.seed", record$seed, envir = globalenv())
}

checkpoint_mark <- "gaussmix checkpoint 1\n"

read_record <- function(file) {
  record <- tryCatch(unseal_record(file), error = identity, warning = identity)
  fields <- c("version", "seed", "after", "model", "data", "start", "passes", "last")
  if (!is.list(record) || !all(fields %in% names(record))) {
    gmm_abort("checkpoint", sprintf("%s is not a checkpoint of gmm(), or it is damaged.",
                                    dQuote(file, FALSE)))
  }
  version <- package_version_text()
  if (!identical(record$version, version)) {
    refuse_record(file, sprintf("was written by version %s of gaussmix, and this is %s",
                                record$version, version))
  }
  record
}

unseal_record <- function(file) {
  con <- base::file(file, "rb")
  on.exit(close(con))
  bytes <- read_sealed(con, checkpoint_mark, file.size(file))
  if (!is.null(bytes)) unserialize(bytes)
}

seal_record <- function(record, file) {
  con <- base::file(file, "wb")
  on.exit(close(con))
  write_sealed(serialize(record, NULL), con, checkpoint_mark)
}

refuse_record <- function(file, why) {
  gmm_abort("checkpoint", sprintf("The checkpoint %s %s.", dQuote(file, FALSE), why),
            "Delete the file, or name another one, to begin anew.")
}

package_version_text <- function() as.character(utils::packageVersion(getNamespaceName(topenv())))

# What must be the same for a fit to go on. The number of iterations may be raised.
record_model <- function(code, k, control, options) {
  named <- is_string(control$init) || is.function(control$init)
  options$labels <- levels(options$labels)
  ours <- control[setdiff(names(control), c("init", "max_iter", "threads", "verbose", "keep",
                                            "checkpoint", "checkpoint_every"))]
  init <- if (is_string(control$init)) control$init else "function"
  list(code = code, k = k, control = unclass(ours), options = options,
       init = if (named) init else "parameters")
}

record_data <- function(data) {
  c(data$home[c("rows", "dropped", "weight", "weight2")],
    list(names = colnames(data$x), ranges = data$home$ranges))
}

# The record of this fit so far, or a new one with the start that find() finds.
open_record <- function(data, code, k, control, options, find) {
  file <- control$checkpoint
  model <- record_model(code, k, control, options)
  seen <- record_data(data)
  if (is.null(file) || !file.exists(file)) {
    start <- find()
    return(list(version = package_version_text(), seed = data$home$seed, after = random_state(),
                model = model, data = seen, start = start, passes = list(), last = NULL))
  }
  record <- read_record(file)
  if (!identical(record$model, model)) {
    different <- Filter(function(name) !identical(record$model[[name]], model[[name]]),
                        names(model))
    refuse_record(file, sprintf("is of another model: %s differ", and_text(different)))
  }
  if (!isTRUE(all.equal(record$data, seen, tolerance = 1e-9))) {
    refuse_record(file, "is of other data")
  }
  if (is.list(control$init)) {
    given <- find()
    if (!identical(given$params, record$start$params)) {
      refuse_record(file, "is of another start: `init` differs")
    }
  }
  assign(".Random.seed", record$after, envir = globalenv())
  record
}

# list(estep, save): the E-step that takes what is recorded from there, and writes the record every
# so many seconds; save() writes it now. The last pass that is recorded is made again, to see that
# the data are the same.
recorded <- function(estep, record, control, clock = elapsed) {
  file <- control$checkpoint
  if (is.null(file)) return(list(estep = estep, save = function() NULL))
  pass <- 0L
  known <- length(record$passes)
  last <- clock()
  save <- function() write_record(record, file)
  if (known == 0L) save()
  step <- function(params) {
    pass <<- pass + 1L
    if (pass < known) return(record$passes[[pass]])
    stats <- estep(params)
    if (pass == known) {
      before <- record$passes[[pass]]
      if (!identical(params, record$last) ||
            !isTRUE(all.equal(stats, before, tolerance = 1e-9))) {
        refuse_record(file, "is of other data: a pass does not come to what was recorded")
      }
      return(before)
    }
    record$passes[[pass]] <<- stats
    record$last <<- params
    if (clock() - last >= control$checkpoint_every) {
      save()
      last <<- clock()
    }
    stats
  }
  list(estep = step, save = save)
}

# Whoever ends the process meanwhile, the file is the old one or the new one.
write_record <- function(record, file) {
  temporary <- tempfile(paste0(basename(file), "-"), dirname(file))
  on.exit(unlink(temporary))
  written <- tryCatch({
    seal_record(record, temporary)
    file.rename(temporary, file)
  }, error = identity, warning = identity)
  if (!isTRUE(written)) {
    gmm_abort("checkpoint", sprintf("The checkpoint %s can't be written%s.", dQuote(file, FALSE),
                                    if (inherits(written, "condition")) {
                                      paste0(": ", conditionMessage(written))
                                    } else {
                                      ""
                                    }))
  }
}
