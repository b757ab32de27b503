/* What the kernel templates need from the compiler: vectors, targets, unrolling.

   GM_VECTOR  the compiler has vector extensions, and a double is rounded to a double
   GM_X86     ... and can compile single functions for AVX2 and AVX-512. Not gcc on
              Windows, which does not align the stack for such registers (gcc bug 54412).

   A template's includer sets GM_W (doubles in a vector), GM_REGISTERS (vector registers)
   and GM_TARGET (a target attribute, or nothing). It may set what gcc does not find by
   itself: GM_LARGER, GM_HOLD, GM_GATHER (kernel_math.h). */
#ifndef GM_SIMD_H
#define GM_SIMD_H

#include <float.h>

#include "gm.h"

#if (defined(__GNUC__) || defined(__clang__)) && FLT_EVAL_METHOD != 2
#define GM_VECTOR
#endif
#if defined(GM_VECTOR) && defined(__x86_64__) && (!defined(_WIN32) || defined(__clang__))
#define GM_X86
#endif

/* Without these gcc leaves tiles rolled at -O2, and their accumulators in memory. */
#if defined(__clang__)
#define GM_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__) && __GNUC__ >= 8
#define GM_UNROLL _Pragma("GCC unroll 16")
#else
#define GM_UNROLL
#endif
#define GM_INLINE static inline __attribute__((always_inline)) GM_TARGET

/* Lanes of x and y together, by constant numbers. */
#if defined(__clang__) || __GNUC__ >= 12
#define GM_SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define GM_SHUFFLE(x, y, ...) __builtin_shuffle(x, y, (bits){__VA_ARGS__})
#endif

/* GM_TRIANG centres this many rows at a time; their columns lie GM_LD apart in the work
   space. No power of 2: columns must not share the sets of the first-level cache. */
enum { GM_ROWS = 256, GM_LD = GM_ROWS + 8 };

extern const struct gm_kernel gm_kernel_reference;
#ifdef GM_VECTOR
extern const struct gm_kernel gm_kernel_baseline;
#endif
#ifdef GM_X86
extern const struct gm_kernel gm_kernel_avx2, gm_kernel_avx512;
#endif

#endif
