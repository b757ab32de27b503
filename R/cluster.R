# Rows on the workers of a cluster of package parallel. A shard is a part of the rows; it stays on
# the worker that got it. Parameters go out, the statistics of each shard come back, and are added
# in the order of the shards: neither the number of workers nor who has which shard changes a bit.
#
# Each call has a number that the replies bear, as one that comes late, from before a failure, must
# not be taken for another. A worker that doesn't answer any more loses its shards to the others,
# which read them anew.

#' Rows on a cluster
#'
#' `gmm_cluster()` places parts of the rows, the shards, on the workers of a cluster, for [gmm()] to
#' fit. The rows stay there: in each EM step the parameters go out, and a few numbers for each shard
#' and component come back.
#'
#' Any cluster of package parallel will do: `makePSOCKcluster()`, `makeForkCluster()`,
#' `makeCluster(type = "MPI")` (by packages snow and Rmpi), or `mirai::make_cluster()`. Package
#' gaussmix must be installed on the workers, in the same version.
#'
#' The result depends on the shards, but not on the number of workers or on who has which: it has
#' the same bits. The sample for the start is drawn on the workers, as for [gmm_source()]; each
#' sends only the rows that are in the sample of all.
#'
#' @section When a worker dies:
#' Its shards are read again by other workers, and the fit goes on, to the same bits. Where no
#' worker is left, or a shard can't be read, the error names the shards. A worker whose process
#' ended is noticed at once where the connection tells (sockets), or where it ran on this machine
#' and has answered before (MPI); else, and where a whole machine is lost, after `timeout` seconds.
#' Open MPI ends all processes of a program when one of them dies: a checkpoint ([gmm_control()])
#' is the way to go on. Package mirai gives a call to any of its processes that is free: one that
#' lacks a shard reads it.
#'
#' @param cl A cluster, by `parallel::makeCluster()` or its kind.
#' @param shards What the shards are: a list of matrices (or of chunks with weights and labels, see
#'   [gmm_source()]); names of files, each of which a worker reads by itself, chunk by chunk in each
#'   pass; or a function of the shard's number that returns its rows (kept by the worker), or a
#'   [gmm_source()] of them (read in each pass).
#' @param ... For files, further arguments of [gmm_source()]; else must be empty.
#' @param n For a function, the number of shards: a whole number of at least 1.
#' @param timeout Seconds after which a worker that has not answered counts as lost, a number above
#'   0.
#' @return A list of class `"gmm_cluster"`. Its function `close()` makes the workers forget the
#'   shards.
#' @section Errors: `gaussmix_error_source` where no worker is left, or a shard can't be read, with
#'   the numbers of the `shards`; else those of [gmm()] over a [gmm_source()].
#' @seealso [gmm_source()], [gmm()]
#' @examples
#' cl <- parallel::makePSOCKcluster(2)
#' rows <- as.matrix(faithful)
#' shards <- gmm_cluster(cl, list(rows[1:100, ], rows[101:200, ], rows[201:272, ]))
#' gmm(shards, k = 2)
#' shards$close()
#' parallel::stopCluster(cl)
#' @export
gmm_cluster <- function(cl, shards, ..., n = NULL, timeout = 3600) {
  if (!inherits(cl, "cluster") || length(cl) == 0L) {
    gmm_abort("argument", must_be("cl", "a cluster by parallel::makeCluster()", cl))
  }
  timeout <- check_number(timeout, min = 0, ends = "(]", finite = FALSE)
  files <- is.character(shards)
  if (!files) check_dots_empty(...)
  if (!is.null(n) && !is.function(shards)) {
    gmm_abort("argument", "`n` is for a function as `shards` only.")
  }
  load <- if (files) {
    check_files(shards)
    arguments <- list(...)
    function(i) list(read = gmm_source, arguments = c(list(shards[i]), arguments))
  } else if (is.function(shards)) {
    n <- check_whole(if (is.null(n)) length(cl) else n, "n")
    function(i) list(read = shards, arguments = list(i))
  } else if (is.list(shards) && !is.data.frame(shards) && length(shards)) {
    function(i) list(read = identity, arguments = unname(shards[i]))
  } else {
    gmm_abort("argument", must_be("shards", paste("a list of matrices, names of files or a",
                                                  "function of the shard's number"), shards))
  }
  if (!is.function(shards)) n <- length(shards)
  pool <- new.env(parent = emptyenv())
  pool$job <- basename(tempfile("job"))
  pool$cl <- cl
  pool$call <- 0
  pool$timeout <- timeout
  pool$alive <- rep(TRUE, length(cl))
  pool$ready <- rep(FALSE, length(cl)) # is the package loaded there?
  pool$process <- vector("list", length(cl)) # its number, of those on this machine
  pool$owner <- rep_len(seq_along(cl), n)
  pool$placed <- rep(FALSE, n)
  pool$load <- load
  what <- sprintf("%s on a cluster of %s", plural(n, "shard"), plural(length(cl), "worker"))
  structure(class = "gmm_cluster", list(what = what, n = n, pool = pool,
                                        close = function() forget_shards(pool)))
}

#' @export
format.gmm_cluster <- function(x, ...) {
  lost <- sum(!x$pool$alive)
  c(sprintf("Rows of a mixture: %s", x$what), if (lost) plural(lost, "worker was lost",
                                                               "workers were lost"))
}

#' @export
print.gmm_cluster <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

cluster_data <- function(x, k, na.action, threads) {
  policy <- home_na_policy(na.action)
  if (is.null(threads)) threads <- 1L # a worker for each processor is the rule
  seed <- random_state()
  asked <- list(k = k, policy = policy, key = sample_key(), threads = threads)
  parts <- on_shards(x$pool, worker_survey, asked)
  names <- parts[[1L]]$names
  for (i in seq_along(parts)) {
    if (parts[[i]]$given == 0) {
      gmm_abort("dimension", sprintf("Shard %d has no rows.", i), shards = i)
    }
    if (!identical(parts[[i]]$names, names)) {
      gmm_abort("source", sprintf("Shard %d has the columns %s, shard 1 %s.", i,
                                  some(backtick(parts[[i]]$names)), some(backtick(names))),
                shards = i)
    }
    if (!identical(parts[[i]]$weighted, parts[[1L]]$weighted)) {
      gmm_abort("weights", sprintf("Shard %d has %s weights, shard 1 %s.", i,
                                   if (isTRUE(parts[[i]]$weighted)) "" else "no",
                                   if (isTRUE(parts[[1L]]$weighted)) "some" else "none"),
                shards = i)
    }
  }
  each <- lapply(parts, `[`, c("given", "names", "weighted", "labels"))
  asked$step <- last_step(parts)
  drawn <- on_shards(x$pool, worker_sample, asked)
  parts <- Map(function(part, sample) {
    part$sample <- sample
    part
  }, parts, drawn)
  s <- end_survey(Reduce(merge_surveys, parts), x$what, seed)
  home_data(s, x$what, k, function(unit, levels) {
    arguments <- list(policy = policy, unit = unit, levels = levels, threads = threads)
    function(params) {
      stats <- on_shards(x$pool, worker_estep, c(arguments, list(params = params)), each)
      odd <- which(lengths(stats) != length(stats[[1L]]))
      if (length(odd)) refuse_shards(odd, "came to statistics of another length")
      Reduce(`+`, stats)
    }
  })
}

# The step of order_steps() that the sample of all rows ends with: Inf where all are taken.
last_step <- function(parts) {
  steps <- unlist(lapply(parts, function(part) part$sample$steps))
  counts <- unlist(lapply(parts, function(part) part$sample$counts))
  sorted <- order(steps)
  enough <- which(cumsum(counts[sorted]) >= parts[[1L]]$sample$size)
  if (length(enough)) steps[sorted[enough[1L]]] else Inf
}

# ---- on the workers --------------------------------------------------------------------

held_shards <- new.env(parent = emptyenv()) # by job and number

# Runs task(source, shard, ...) for some shards; those of `loads` are read before. Value: list(call,
# values), each list(value =), list(error =, class =), or NULL where the shard is not held here.
worker_run <- function(job, call, shards, loads, task, arguments, each) {
  values <- lapply(seq_along(shards), function(i) {
    name <- paste(job, shards[i])
    tryCatch({
      if (!is.null(loads[[i]])) {
        value <- do.call(loads[[i]]$read, loads[[i]]$arguments)
        if (!inherits(value, "gmm_source")) value <- gmm_source(list(value))
        assign(name, value, held_shards)
      }
      source <- held_shards[[name]]
      if (is.null(source)) return(NULL)
      source$what <- sprintf("shard %d (%s)", shards[i], source$what)
      tryCatch(list(value = do.call(task, c(list(source, shards[i], each[[i]]), arguments))),
               finally = source$close())
    }, error = function(e) list(error = conditionMessage(e), class = class(e)))
  })
  list(call = call, values = values)
}

# The shard's draw stays with it, until it is known how much of it is in the sample of all rows: its
# place in the order, in 64 steps an octave, is told by their `counts`.
worker_survey <- function(source, shard, each, ...) {
  s <- survey_shard(source, shard, ...)
  if (is.null(s$sample)) return(s)
  source$known$draw <- s$sample
  steps <- table(order_steps(as.double(unlist(lapply(s$sample$pieces, `[[`, "order")))))
  s$sample <- list(size = s$sample$size, steps = as.double(names(steps)),
                   counts = as.vector(steps))
  s
}

# Who took over from a worker that was lost draws anew.
worker_sample <- function(source, shard, each, ..., step) {
  draw <- source$known$draw
  if (is.null(draw)) draw <- survey_shard(source, shard, ...)$sample
  source$known$draw <- NULL
  if (step == Inf) return(draw)
  draw$limit <- min(draw$limit, 2^((step + 1) / 64))
  draw$pieces <- lapply(draw$pieces, function(piece) {
    take_piece(piece, which(order_steps(piece$order) <= step))
  })
  draw$held <- as.double(sum(lengths(lapply(draw$pieces, `[[`, "at"))))
  draw
}

survey_shard <- function(source, shard, k, policy, key, threads = 1L) {
  survey_part(source, function(d) home_sample_size(k, d), policy, key, shard, threads)
}

# Rows of weight 0 come last.
order_steps <- function(order) floor(64 * log2(order))

worker_estep <- function(source, shard, each, policy, unit, levels, threads, params) {
  source_estep(source, each, policy, unit, levels, threads)(params)
}

worker_forget <- function(job) {
  rm(list = grep(paste0("^", job, " "), ls(held_shards), value = TRUE), envir = held_shards)
}

# ---- from here -------------------------------------------------------------------------

# The values of task() for all shards, in their order. each: what a shard's task gets besides.
on_shards <- function(pool, task, arguments, each = vector("list", length(pool$owner))) {
  pool$call <- pool$call + 1
  values <- vector("list", length(pool$owner))
  open <- rep(TRUE, length(values))
  while (any(open)) {
    place_shards(pool, which(open))
    asked <- unique(pool$owner[open])
    for (node in asked) {
      mine <- which(open & pool$owner == node)
      loads <- lapply(mine, function(i) if (!pool$placed[i]) pool$load(i))
      ask_node(pool, node, worker_run, list(pool$job, pool$call, mine, loads, task, arguments,
                                            each[mine]))
    }
    for (node in asked) {
      if (!pool$alive[node]) next
      mine <- which(open & pool$owner == node)
      reply <- await_call(pool, node)
      if (is.null(reply)) next # it is lost
      if (length(reply$values) != length(mine)) refuse_shards(mine, "gave no answer")
      answered <- !vapply(reply$values, is.null, NA)
      pool$placed[mine] <- answered
      values[mine] <- reply$values
      open[mine] <- !answered
    }
  }
  for (i in seq_along(values)) check_shard(values[[i]], i)
  lapply(values, `[[`, "value")
}

check_shard <- function(value, i) {
  if (is.null(value$error)) return(invisible())
  class <- grep("^gaussmix_error_", value$class, value = TRUE)
  text <- value$error
  if (!grepl(sprintf("shard %d ", i), text, fixed = TRUE)) text <- sprintf("Shard %d: %s", i, text)
  gmm_abort(if (length(class)) sub("^gaussmix_error_", "", class[1L]) else "source", text,
            shards = i)
}

refuse_shards <- function(shards, why) {
  gmm_abort("source", sprintf("%s %s %s.", if (length(shards) == 1L) "Shard" else "Shards",
                              some(shards), why), shards = shards)
}

# Shards of workers that are lost go to the others, in turn.
place_shards <- function(pool, open) {
  homeless <- which(!pool$alive[pool$owner])
  if (length(homeless) == 0L) return(invisible())
  left <- which(pool$alive)
  if (length(left) == 0L) {
    refuse_shards(open, "can't be read: no worker of the cluster is left")
  }
  pool$owner[homeless] <- rep_len(left, length(homeless))
  pool$placed[homeless] <- FALSE
}

# Sends a call; a worker that can't be reached is lost.
ask_node <- function(pool, node, fun, arguments) {
  if (!pool$ready[node] && !ready_node(pool, node)) return(invisible())
  sent <- is_running(pool, node) && tryCatch({
    suppressWarnings(send_call(pool, node, fun, arguments))
  }, error = function(e) FALSE)
  if (!sent) lose_node(pool, node)
}

# Loads the package there, of this version, and learns where the worker runs.
ready_node <- function(pool, node) {
  own <- getNamespaceName(topenv())[["name"]]
  where <- c(dirname(getNamespaceInfo(own, "path")), .libPaths())
  said <- tryCatch({
    sent <- suppressWarnings(send_call(pool, node, introduce, list(own, where)))
    if (sent) await(pool, node, function(value) is.list(value) && !is.null(value$pid))
  }, error = function(e) if (inherits(e, "gaussmix_error")) stop(e))
  if (is.null(said)) {
    lose_node(pool, node)
    return(FALSE)
  }
  version <- package_version_text()
  if (!identical(said$version, version)) {
    gmm_abort("package", sprintf("The workers of `cl` must have package %s, version %s, not %s.",
                                 own, version, if (is.null(said$version)) "none" else said$version))
  }
  if (said$host == Sys.info()[["nodename"]]) pool$process[[node]] <- said$pid
  pool$ready[node] <- TRUE
}

introduce <- function(own, where) {
  loaded <- requireNamespace(own, lib.loc = where, quietly = TRUE)
  list(pid = Sys.getpid(), host = Sys.info()[["nodename"]],
       version = if (loaded) as.character(getNamespaceVersion(own)[["version"]]))
}
environment(introduce) <- baseenv()

# Open MPI ends all processes of a job when one of them dies.
lose_node <- function(pool, node) {
  pool$alive[node] <- FALSE
  if (is_mpi(pool$cl[[node]])) pool$alive[vapply(pool$cl, is_mpi, NA)] <- FALSE
}

is_mpi <- function(worker) inherits(worker, "MPInode")

# A worker of package mirai: calls go to any of its processes that is free.
is_mirai <- function(worker) inherits(worker, "miraiNode")

# Is the process of a worker that has no socket to tell it there? MPI: where it runs on this
# machine. mirai: once it has answered, is any?
is_running <- function(pool, node) {
  worker <- pool$cl[[node]]
  pid <- pool$process[[node]]
  if (is_mirai(worker)) {
    return(!pool$ready[node] || mirai::status(.compute = attr(worker, "id"))$connections > 0)
  }
  is.null(pid) || !is_mpi(worker) || tools::pskill(pid, 0L)
}

await_call <- function(pool, node) {
  reply <- await(pool, node, function(value) is.list(value) && identical(value$call, pool$call))
  if (is.null(reply)) lose_node(pool, node)
  reply
}

# The next reply that is `wanted`; NULL: there will be none. Late ones of earlier calls are passed
# over.
await <- function(pool, node, wanted) {
  worker <- pool$cl[[node]]
  deadline <- elapsed() + pool$timeout
  repeat {
    if (!await_data(pool, node, deadline)) return(NULL)
    value <- tryCatch(suppressWarnings(receive_result(worker)), error = function(e) NULL)
    if (is.null(value)) return(NULL)
    if (is.integer(value) && inherits(value, "errorValue")) return(NULL) # mirai: its process ended
    if (inherits(value, "try-error")) {
      gmm_abort("source", sprintf("A worker failed: %s", trimws(value)))
    }
    if (wanted(value)) return(value)
  }
}

# Waits, so that an interrupt gets through, until there is something to be read, or an end of it.
await_data <- function(pool, node, deadline) {
  repeat {
    if (has_reply(pool$cl[[node]])) return(TRUE)
    if (elapsed() > deadline || !is_running(pool, node)) return(FALSE)
  }
}

has_reply <- function(worker) {
  if (inherits(worker$con, "sockconn")) return(socketSelect(list(worker$con), FALSE, 1))
  there <- if (is_mpi(worker)) {
    Rmpi::mpi.iprobe(worker$rank, Rmpi::mpi.any.tag(), worker$comm)
  } else if (is_mirai(worker)) {
    !mirai::unresolved(worker$mirai)
  } else {
    TRUE
  }
  if (!there) Sys.sleep(0.001)
  there
}

# What package parallel's own functions are made of, and what alone tells which worker failed. To a
# socket the message goes in one piece: of several, all but the first wait 40 ms for the other side
# to say that it has the one before. Value: was it sent?
send_call <- function(pool, node, fun, arguments) {
  worker <- pool$cl[[node]]
  call <- list(fun = fun, args = arguments, return = TRUE, tag = NULL)
  message <- list(type = "EXEC", data = call, tag = NULL)
  if (is_mpi(worker)) return(send_mpi(pool, node, serialize(message, NULL)))
  if (inherits(worker$con, "sockconn")) {
    writeBin(serialize(message, NULL, xdr = FALSE), worker$con)
  } else {
    get("sendCall", asNamespace("parallel"))(worker, fun, arguments)
  }
  TRUE
}

# A send that waits for a process that is not there would never end, nor could it be interrupted.
# MPI reads the message until it is sent: what was given up must stay.
send_mpi <- function(pool, node, message) {
  worker <- pool$cl[[node]]
  given_up$messages <- c(given_up$messages, list(message))
  Rmpi::mpi.isend(message, 4L, worker$rank, worker$SENDTAG, worker$comm)
  deadline <- elapsed() + pool$timeout
  while (!Rmpi::mpi.test(0L)) {
    if (elapsed() > deadline || !is_running(pool, node)) return(FALSE)
    Sys.sleep(0.001)
  }
  given_up$messages <- given_up$messages[-length(given_up$messages)]
  TRUE
}
given_up <- new.env(parent = emptyenv())

receive_result <- function(node) get("recvResult", asNamespace("parallel"))(node)

forget_shards <- function(pool) {
  for (node in which(pool$alive & pool$ready)) {
    pool$call <- pool$call + 1
    ask_node(pool, node, worker_forget, list(pool$job))
    if (pool$alive[node]) await(pool, node, function(value) !is.list(value))
  }
  pool$placed[] <- FALSE
}
