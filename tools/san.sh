#!/bin/sh
# The tests over a build with AddressSanitizer and UndefinedBehaviorSanitizer, in a library of its
# own. R itself has no sanitizer, so the runtime is loaded first, and R's own leaks are not reported.
set -eu
lib=$(mktemp -d)
trap 'rm -rf "$lib"' EXIT

gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -o "$lib/driver" \
  tools/core_driver.c src/core/kernel*.c src/core/block.c src/core/reach.c src/core/random.c -lm
"$lib/driver"
rm "$lib/driver"

R_MAKEVARS_USER="$(pwd)/tools/san.Makevars" sh tools/install.sh "$lib" --no-test-load
R_LIBS="$lib:$R_LIBS" \
  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1 \
  UBSAN_OPTIONS=print_stacktrace=1 \
  LD_PRELOAD="$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)" \
  Rscript tools/test.R
