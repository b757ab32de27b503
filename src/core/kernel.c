/* Which kernel runs here. */
#include <string.h>

#include "simd.h"

ptrdiff_t gm_kernel_work(int d, int k) { return ((ptrdiff_t)d + 1) * GM_LD + k; }

static int runs(const struct gm_kernel* kernel) {
#ifdef GM_X86
  if (kernel == &gm_kernel_avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx2") &&
           __builtin_cpu_supports("fma");
  }
  if (kernel == &gm_kernel_avx2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
#endif
  return kernel != NULL;
}

const struct gm_kernel* gm_kernel_find(const char* name) {
  static const struct gm_kernel* const best_first[] = {
#ifdef GM_X86
      &gm_kernel_avx512, &gm_kernel_avx2,
#endif
#ifdef GM_VECTOR
      &gm_kernel_baseline,
#endif
      &gm_kernel_reference};
#ifdef GM_X86
  __builtin_cpu_init();
#endif
  for (size_t i = 0; i < sizeof best_first / sizeof *best_first; i++) {
    const struct gm_kernel* kernel = best_first[i];
    if ((!name || !strcmp(name, kernel->name)) && runs(kernel)) return kernel;
  }
  return NULL;
}
