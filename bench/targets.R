# The table of targets, filled in from results/measured.csv: into README.md and a picture.

measured_file <- file.path(results, "measured.csv")

read_measured <- function() if (file.exists(measured_file)) read.csv(measured_file)

# What was measured takes the place of the last run of its parts.
keep_measured <- function() {
  before <- read_measured()
  all <- rbind(before[!before$part %in% measured$part, ], measured)
  all <- all[order(match(all$part, names(parts))), ]
  write.csv(all, measured_file, row.names = FALSE)
}

# ---- Targets -------------------------------------------------------------------------------------

# A row: what, gaussmix's value, the value that it is compared with and whose that is, their ratio
# (above 1: gaussmix is better), the target, and what else there is to say. NULL: not measured.
target_row <- function(what, own, other, whose, ratio, target, unit, note = "") {
  data.frame(what, own, other, whose, ratio, target, unit, note)
}

median_of <- function(m, by) sort(vapply(split(m$value, m[[by]], drop = TRUE), median, 0))

# Against the fastest of the peers that begin with `peer`.
against <- function(what, task, peer, target, own = ours, quality = FALSE) {
  force(task)
  force(own)
  force(peer)
  function(m) {
    m <- m[m$task == task, ]
    mine <- m[startsWith(m$software, own) & m$threads == 2, ]
    theirs <- m[grepl(paste0("^(", peer, ")"), m$software), ]
    if (nrow(mine) == 0L || nrow(theirs) == 0L) return(NULL)
    value <- median(mine$value)
    other <- median_of(theirs, "software")[1]
    note <- if (quality) quality_note(mine, theirs) else ""
    target_row(what, value, other, sub("[ ,(].*", "", names(other)), other / value, target,
               mine$unit[1], note)
  }
}

quality_note <- function(mine, theirs) {
  sprintf("%s; theirs %s", format(min(mine$quality), digits = 8),
          format(max(theirs$quality), digits = 8))
}

two_threads <- function(what, task, target) {
  force(task)
  function(m) {
    m <- m[m$task == task & startsWith(m$software, "gaussmix"), ]
    if (nrow(m) == 0L) return(NULL)
    value <- median_of(m, "threads")[c("2", "1")]
    target_row(what, value[[1]], value[[2]], "one thread", value[[2]] / value[[1]], target,
               m$unit[1])
  }
}

# Below a limit.
within <- function(what, task, limit) {
  force(task)
  function(m) {
    m <- m[m$task == task, ]
    if (nrow(m) == 0L) return(NULL)
    value <- median(m$value)
    target_row(what, value, limit, "limit", limit / value, 1, m$unit[1])
  }
}

# Useful operations of dense EM: a multiplication and an addition for each element of a triangle, in
# distances and in scatter.
useful_flops <- function(m) {
  own <- m$value[m$task == "full P4" & startsWith(m$software, "gaussmix") & m$threads == 2]
  rate <- m$value[m$task == "DGEMM rate"]
  if (length(own) == 0L || length(rate) == 0L) return(NULL)
  useful <- 2 * 2e4 * 5 * 200^2 / (1e6 * median(own))
  target_row("full P4, useful operations", useful, median(rate), "DGEMM", useful / median(rate), 1,
             "GF/s")
}

growth <- function(m) {
  m <- m[startsWith(m$task, "growth"), ]
  if (nrow(m) == 0L) return(NULL)
  times <- median_of(m, "task")
  spread <- 100 * (max(times) / min(times) - 1)
  target_row("time a row and iteration, n = 1e4 to 1e7: spread", spread, 15, "limit", 15 / spread,
             1, "%", paste(sprintf("%.1f", times[order(names(times))]), collapse = ", "))
}

cells_no_lower <- function(m) {
  m <- m[m$task == "grid cells", ]
  if (nrow(m) == 0L) return(NULL)
  share <- m$value[m$software == ours] / m$value[m$software != ours]
  target_row("grid cells no lower than mclust's", m$value[m$software == ours],
             m$value[m$software != ours], "mclust", share, 1, "cells")
}

targets <- list(
  against("full P1 (1e6 x 2, k 3)", "full P1", "scikit-learn", 100),
  against("full P2 (1e5 x 10, k 10)", "full P2", "scikit-learn|ClusterR", 25),
  against("full P3 (1e5 x 50, k 10)", "full P3", "scikit-learn", 25),
  against("full P4 (2e4 x 200, k 5)", "full P4", "scikit-learn", 6),
  useful_flops,
  against("diag P1", "diag P1", "VLFeat", 15),
  against("diag P2", "diag P2", "VLFeat", 8),
  against("diag P3", "diag P3", "VLFeat", 4),
  against("whole fit P1, 10 starts", "fit P1", "scikit-learn", 200, paste0(ours, ", tol"), TRUE),
  against("whole fit P2, 10 starts", "fit P2", "scikit-learn", 50, paste0(ours, ", tol"), TRUE),
  against("grid k = 1..9 x 14, faithful", "grid faithful", "mclust", 30),
  cells_no_lower,
  against("grid k = 1..12 x 14, 10,000 rows of P2", "grid P2", "mclust", 20, quality = TRUE),
  against("log-density P2", "density P2", "scikit-learn", 25),
  against("log-density P3", "density P3", "scikit-learn", 25),
  against("sampling 1e6 x 2", "sampling 1e6 x 2", "scikit-learn", 10),
  against("sampling 1e5 x 50", "sampling 1e5 x 50", "scikit-learn", 8),
  two_threads("2 threads against 1, P2", "full P2", 1.85),
  two_threads("2 threads against 1, P3", "full P3", 1.85),
  growth,
  within("memory in all, 1e7 x 10", "memory 1e7 x 10", 1024),
  within("overhead of one call", "overhead", 1),
  against("passes, slow mixtures", "passes", "plain EM", 20, quality = TRUE)
)

# ---- Report --------------------------------------------------------------------------------------

report <- function() {
  m <- read_measured()
  rows <- do.call(rbind, lapply(targets, function(target) target(m)))
  rows$met <- rows$ratio >= rows$target
  write_between("targets", target_table(rows))
  write_between("results", c(machine_text(m), "", measured_table(m)))
  draw_targets(rows)
  print(data.frame(rows[c("what", "own", "other", "unit", "ratio", "target", "met", "note")]),
        digits = 4, row.names = FALSE)
}

write_between <- function(mark, lines) {
  readme <- readLines("bench/README.md")
  at <- match(sprintf("<!-- %s%s -->", c("", "end of "), mark), readme)
  stopifnot(!anyNA(at))
  writeLines(c(readme[seq_len(at[1])], lines, readme[at[2]:length(readme)]), "bench/README.md")
}

machine_text <- function(m) {
  runs <- unique(m[c("date", "commit", "cpu", "cores", "kernels", "R", "R_blas")])
  runs$parts <- vapply(split(m$part, factor(do.call(paste, m[names(runs)]),
                                            do.call(paste, runs))),
                       function(p) paste(unique(p), collapse = ", "), "")
  with(runs, sprintf("%s, commit %s; %s, %s cores, kernels %s; R %s, its BLAS %s: %s.", date,
                     commit, cpu, cores, kernels, R, R_blas, parts))
}

target_table <- function(rows) {
  c("| what | gaussmix | compared with | | unit | times better | target | met | |",
    "|---|---|---|---|---|---|---|---|---|",
    with(rows, sprintf("| %s | %.3g | %.3g | %s | %s | %.3g | %g | %s | %s |", what, own, other,
                       whose, unit, ratio, target, ifelse(met, "yes", "**no**"), note)))
}

measured_table <- function(m) {
  groups <- split(m, factor(paste(m$task, m$software, m$threads),
                            unique(paste(m$task, m$software, m$threads))))
  c("| task | software | threads | median | low | high | repeats | unit |",
    "|---|---|---|---|---|---|---|---|",
    vapply(groups, function(g) {
      sprintf("| %s | %s | %d | %.3g | %.3g | %.3g | %d | %s |", g$task[1], g$software[1],
              g$threads[1], median(g$value), min(g$value), max(g$value), nrow(g), g$unit[1])
    }, ""))
}

# Each ratio against its target: to the right of the line it is met.
draw_targets <- function(rows) {
  grDevices::svg(file.path(results, "targets.svg"), 8, 0.6 + 0.26 * nrow(rows))
  on.exit(grDevices::dev.off())
  old <- par(mar = c(3, 15, 0.5, 1), mgp = c(1.8, 0.5, 0), cex = 0.8, las = 1)
  at <- rev(seq_len(nrow(rows)))
  reached <- rows$ratio / rows$target
  colour <- ifelse(rows$met, "#1b7837", "#b2182b")
  plot(reached, at, log = "x", xlim = range(0.25, 4, reached) * c(0.8, 1.5), yaxt = "n", ylab = "",
       xlab = "ratio / target", pch = 19, col = colour, bty = "n")
  segments(1, at, reached, at, col = colour, lwd = 2)
  abline(v = 1, col = "grey40")
  axis(2, at, rows$what, tick = FALSE)
  text(reached, at, sprintf("%.3g of %g", rows$ratio, rows$target),
       pos = ifelse(rows$met, 4, 2), cex = 0.85, offset = 0.4)
}
