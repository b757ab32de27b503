#!/bin/sh
# The tests under valgrind: fails on a wrong read or write and on memory that is lost for good.
set -eu
R --no-echo --no-restore --file=tools/test.R \
  --debugger=valgrind \
  --debugger-args="--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=9 --quiet"
