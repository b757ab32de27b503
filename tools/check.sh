#!/bin/sh
# R CMD build, then R CMD check --as-cran with tools/check.Renviron. Fails on an error or a warning;
# notes are shown. The report stays in gaussmix.Rcheck.
set -eu
manual=$(command -v pdflatex >/dev/null || echo --no-manual)
rm -rf gaussmix.Rcheck
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$(pwd)

(cd "$tmp" && R CMD build "$root")
R_CHECK_ENVIRON="$root/tools/check.Renviron" R CMD check --as-cran $manual "$tmp"/gaussmix_*.tar.gz
! grep -E '^Status:.*(ERROR|WARNING)' gaussmix.Rcheck/00check.log
