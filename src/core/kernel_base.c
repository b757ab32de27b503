/* The kernel for any processor: vectors of 2 rows; the compiler splits them where it
   must. */
#include "simd.h"

#ifdef GM_VECTOR
#define GM_W 2
#if defined(__aarch64__) || defined(__powerpc64__) || defined(__s390x__)
#define GM_REGISTERS 32
#else
#define GM_REGISTERS 16
#endif
#define GM_TARGET
#include "kernel_math.h"
#include "kernel_triang.h"
#include "kernel_diag.h"

const struct gm_kernel gm_kernel_baseline = {
    .name = "baseline",
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
