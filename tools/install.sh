#!/bin/sh
# Builds the package and installs it into the library $1, leaving no object files in src/.
# Further arguments go to R CMD INSTALL.
set -eu
lib=$(cd "$1" && pwd)
shift
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$(pwd)

echo "Installing gaussmix into $lib"
rm -rf "$lib/00LOCK-gaussmix" # of a run that was killed
if ! {
  cd "$tmp" &&
    R CMD build --no-build-vignettes --no-manual "$root" &&
    MAKE="make -j2" R CMD INSTALL --library="$lib" "$@" gaussmix_*.tar.gz
} >"$tmp/log" 2>&1; then
  cat "$tmp/log" >&2
  exit 1
fi
