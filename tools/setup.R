# Installs the packages that this machine lacks, from Debian where that is possible, else from CRAN.
#
#   Rscript tools/setup.R run     what gaussmix needs: Imports in DESCRIPTION
#   Rscript tools/setup.R demo    that, and litedown for the report
#   Rscript tools/setup.R vignettes  that, MASS and cluster
#   Rscript tools/setup.R test    that, and what its tests use: Suggests
#   Rscript tools/setup.R lint    lintr and clang-format
#   Rscript tools/setup.R docs    roxygen2
#
# CRAN's packages go into the first folder of R_LIBS (the Makefile makes that .lib in the checkout,
# and .lib/tools for lint and docs),
# so nothing outside is touched; Debian's need root and go where Debian puts them.

wanted <- function(field) {
  entries <- trimws(strsplit(read.dcf("DESCRIPTION", fields = field), ",")[[1]])
  package <- sub("[ (].*", "", entries)
  version <- ifelse(grepl(">=", entries), gsub(".*>= *|\\)", "", entries), "0")
  base <- rownames(installed.packages(priority = "base"))
  setNames(version, package)[!package %in% base]
}

lacking <- function(packages) {
  have <- vapply(names(packages), function(p) {
    dcf <- system.file("DESCRIPTION", package = p)
    nzchar(dcf) && package_version(read.dcf(dcf, "Version")[[1]]) >= packages[[p]]
  }, logical(1))
  packages[!have]
}

apt_get <- function(args) {
  command <- c("-qq", "-o", "DPkg::Lock::Timeout=300", args)
  system2("apt-get", command, env = "DEBIAN_FRONTEND=noninteractive", stdout = FALSE)
}

# Those that Debian has; its lists may not be there yet.
in_debian <- function(debs) {
  known <- function(deb) system2("apt-cache", c("show", deb), stdout = FALSE, stderr = FALSE) == 0
  found <- Filter(known, debs)
  if (length(found) || apt_get("update") != 0) found else Filter(known, debs)
}

from_debian <- function(debs) {
  if (!nzchar(Sys.which("apt-get")) || system2("id", "-u", stdout = TRUE) != "0") return()
  debs <- in_debian(debs)
  if (length(debs) == 0L) return()
  message("Installing from Debian: ", paste(debs, collapse = ", "))
  install <- c("install", "--yes", "--no-install-recommends", debs)
  if (apt_get(install) != 0 && (apt_get("update") != 0 || apt_get(install) != 0)) {
    message("Debian's packages can't be had here.")
  }
}

# What a package of CRAN needs to be built.
build_needs <- list(
  RPostgres = c("libpq-dev", paste0("r-cran-", c("bit64", "blob", "cpp11", "hms", "lubridate",
                                                 "plogr", "withr")))
)

from_cran <- function(packages) {
  needs <- unlist(build_needs[packages])
  if (length(needs) && debian_r()) from_debian(needs)
  lib <- .libPaths()[1]
  message("Installing from CRAN into ", lib, ": ", paste(packages, collapse = ", "),
          " (compiled from source, this may take minutes)")
  if (identical(getOption("repos")[["CRAN"]], "@CRAN@")) {
    utils::chooseCRANmirror(graphics = FALSE, ind = 1, local.only = TRUE)
  }
  Sys.setenv(USE_BUNDLED_LIBUV = "1") # for fs, which testthat needs: no system library to look for
  cores <- max(1, parallel::detectCores(), na.rm = TRUE)
  Sys.setenv(MAKEFLAGS = paste0("-j", cores))
  install.packages(packages, lib = lib, quiet = TRUE, Ncpus = cores)
}

# Debian's library must be one that this R looks into.
debian_r <- function() any(.libPaths() == "/usr/lib/R/site-library")

ensure <- function(packages, required = names(packages)) {
  if (length(lacking(packages)) && debian_r()) {
    from_debian(paste0("r-cran-", tolower(names(lacking(packages)))))
  }
  if (length(lacking(packages))) from_cran(names(lacking(packages)))
  left <- names(lacking(packages))
  broken <- Filter(function(p) !requireNamespace(p, quietly = TRUE), setdiff(names(packages), left))
  left <- c(left, broken)
  if (any(left %in% required)) {
    stop("These packages are needed and can't be installed or loaded: ",
         paste(intersect(left, required), collapse = ", "), call. = FALSE)
  }
  if (length(left)) {
    message("Not to be had here, so tests that need them are skipped: ",
            paste(left, collapse = ", "))
  }
}

# Programs that the tests run.
ensure_programs <- function() {
  postgres <- c(Sys.which("initdb"), Sys.glob("/usr/lib/postgresql/*/bin/initdb"))
  if (!any(nzchar(postgres))) from_debian("postgresql")
  if (!nzchar(Sys.which("orted"))) from_debian(c("openmpi-bin", "libopenmpi-dev"))
}

what <- commandArgs(trailingOnly = TRUE)
switch(
  what,
  run = ensure(wanted("Imports")),
  demo = ensure(c(wanted("Imports"), litedown = "0")),
  vignettes = ensure(c(wanted("Imports"), litedown = "0", MASS = "0", cluster = "0")),
  test = {
    run <- wanted("Imports")
    ensure_programs()
    # parallel makes clusters by MPI out of snow's code
    ensure(c(run, wanted("Suggests"), snow = "0"), required = c(names(run), "testthat"))
  },
  docs = ensure(c(wanted("Imports"), roxygen2 = "7.2.0")),
  lint = {
    ensure(c(lintr = "3.0.0"))
    if (!nzchar(Sys.which("clang-format"))) from_debian("clang-format")
    if (!nzchar(Sys.which("clang-format"))) stop("clang-format is needed.", call. = FALSE)
  },
  stop("`what` must be run, demo, vignettes, test, lint or docs.")
)
