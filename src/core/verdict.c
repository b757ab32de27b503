/* Is a component to be believed?

   Let r be the rows that determine what a component's covariance shares with no other: d + 1 with
   an orientation of its own, 2 with a shape or volume only, 1 with nothing. Its effective size is
   n_j^2 / sum_i w_i^2 r_ij. It is spurious when the size is below 2 r; or below 10 r while its
   smallest eigenvalue, in the metric of the pooled covariance sum_j n_j Sigma_j / n, is below
   1e-3; or when an eigenvalue lies on the floor. (The thresholds are arguments.) */
#include <math.h>

#include "gm.h"
#include "matrix.h"

static int rows_needed(const struct gm_family* family, int d) {
  return family->own == GM_OWN_ORIENTATION ? d + 1 : family->own == GM_OWN_SIZE ? 2 : 1;
}

/* Smallest eigenvalue of cov in the metric of pooled. */
static double smallest(enum gm_shape shape, int d, const double* cov,
                       const double* pooled, double* work) {
  if (shape == GM_TRIANG) return gm_smallest(cov, pooled, d, work);
  double least = INFINITY;
  for (ptrdiff_t a = 0; a < gm_cov_length(shape, d); a++)
    least = fmin(least, cov[a] / pooled[a]);
  return least;
}

ptrdiff_t gm_verdict_work(const struct gm_family* family, int d) {
  const ptrdiff_t length = gm_cov_length(family->shape, d);
  return 3 * length + d + gm_eigen_work(d);
}

void gm_verdict_set(const struct gm_params* params, const struct gm_stats* stats,
                    const struct gm_bounds* bounds, const struct gm_spurious* spurious,
                    struct gm_verdict* verdict, double* work) {
  const struct gm_family* family = params->family;
  const int d = params->d, k = params->k, rows = rows_needed(family, d);
  const ptrdiff_t length = gm_cov_length(family->shape, d);
  const ptrdiff_t stride = gm_cov_stride(family, d);
  double* pooled = work;
  double total = 0;
  for (int j = 0; j < k; j++) total += stats->nk[j];
  for (ptrdiff_t a = 0; a < length; a++) {
    pooled[a] = 0;
    for (int j = 0; j < k; j++)
      pooled[a] += stats->nk[j] / total * params->cov[a + stride * j];
  }
  for (int j = 0; j < k; j++) {
    const double* cov = params->cov + stride * j;
    struct gm_verdict* v = verdict + j;
    v->size = stats->nk[j] * stats->nk[j] / stats->nk2[j];
    v->eigenvalue = stride ? smallest(family->shape, d, cov, pooled, work + length) : 1;
    v->on_floor = gm_below_floor(family->shape, d, cov, bounds, 1, work + length);
    v->spurious =
        !(v->size >= spurious->size * rows) ||
        (v->size < spurious->thin_size * rows && !(v->eigenvalue >= spurious->thin)) ||
        v->on_floor;
  }
}
