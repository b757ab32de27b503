/* The kernel for AVX-512: vectors of 8 rows. */
#include "simd.h"

#ifdef GM_X86
#include <immintrin.h>

#define GM_W 8
#define GM_REGISTERS 32
#define GM_TARGET __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma")))
#define GM_LARGER(x, y) _mm512_max_pd(x, y)
#define GM_TIMES_32(x, y) (bits) _mm512_mul_epu32((__m512i)(x), (__m512i)(y))
#define GM_HOLD(x) __asm__("" : "+v"(x))
#define GM_GATHER(p, at) \
  (vec) _mm512_i32gather_pd(_mm256_loadu_si256((const void*)(at)), p, 8)
#include "kernel_math.h"
#include "kernel_triang.h"
#include "kernel_diag.h"

const struct gm_kernel gm_kernel_avx512 = {
    .name = "avx512",
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
