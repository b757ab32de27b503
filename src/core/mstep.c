/* M-step: stats -> parameters. Sees no rows.

   With n_j, s_j and S_j the weight, sum and scatter about the old mean c_j,
     proportion_j = n_j / n,   mean_j = c_j + s_j / n_j,   scatter about it = S_j - s_j s_j' / n_j;
   the family makes the covariances of the last. Near convergence s_j vanishes, so that nothing
   cancels. */
#include <string.h>

#include "gm.h"
#include "matrix.h"

/* A component that holds less than this share of a mean row is empty. */
#define EMPTY 1e-10

ptrdiff_t gm_mstep_work(const struct gm_family* family, int d, int k) {
  const ptrdiff_t bound =
      family->shape == GM_TRIANG ? 2 * (ptrdiff_t)d * d + d + gm_eigen_work(d) : 0;
  return gm_stats_size(family, d, k) + bound;
}

int gm_mstep(const struct gm_stats* stats, const struct gm_bounds* bounds, struct gm_params* params,
             double* work, struct gm_error* err) {
  const int d = stats->d, k = stats->k;
  const ptrdiff_t length = stats->total - stats->scatter;
  double total = 0, rows2 = 0;
  for (int j = 0; j < k; j++) {
    total += stats->nk[j];
    rows2 += stats->nk2[j];
  }
  for (int j = 0; j < k; j++)
    if (!(stats->nk[j] * total > EMPTY * rows2)) {
      *err = (struct gm_error){.code = GM_EMPTY, .component = j + 1};
      return err->code;
    }

  double* scatter = work;
  memcpy(scatter, stats->scatter, (size_t)length * sizeof *scatter);
  for (int j = 0; j < k; j++) {
    const double* sum = stats->sum + (ptrdiff_t)d * j;
    double* s = scatter + stats->stride * j;
    params->prop[j] = stats->nk[j] / total;
    for (int b = 0; b < d; b++) {
      const double shift = sum[b] / stats->nk[j];
      params->mean[b + (ptrdiff_t)d * j] += shift;
      if (stats->shape == GM_TRIANG) {
        for (int a = b; a < d; a++) s[a + (ptrdiff_t)d * b] -= sum[a] * shift;
      } else {
        s[b] -= sum[b] * shift;
      }
    }
  }

  const struct gm_scatter seen = {
      .d = d, .k = k, .n = stats->nk, .total = total, .s = scatter, .stride = stats->stride};
  params->family->mstep(&seen, bounds, params->cov, work + length);
  return GM_OK;
}
