/* The kernel for AVX2 with FMA: vectors of 4 rows. */
#include "simd.h"

#ifdef GM_X86
#include <immintrin.h>

#define GM_W 4
#define GM_REGISTERS 16
#define GM_TARGET __attribute__((target("avx2,fma")))
#define GM_LARGER(x, y) _mm256_max_pd(x, y)
#define GM_TIMES_32(x, y) (bits) _mm256_mul_epu32((__m256i)(x), (__m256i)(y))
#define GM_HOLD(x) __asm__("" : "+x"(x))
#include "kernel_math.h"
#include "kernel_triang.h"
#include "kernel_diag.h"

const struct gm_kernel gm_kernel_avx2 = {
    .name = "avx2",
    .distance = {distance_triang, distance_diag, distance_spher},
    .least = least_triang,
    .some = some_triang,
    .posterior = posterior,
    .accumulate = {accumulate_triang, accumulate_diag, accumulate_diag},
    .normals = normals,
    .uniforms = uniforms,
    .pick = pick,
    .colour = colour};
#endif
