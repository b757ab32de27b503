/* Is a component to be believed?

   Let r be the rows that determine what a component's covariance shares with no other: d + 1 with
   an orientation of its own, 2 with a shape or volume only, 1 with nothing. Its effective size is
   n_j^2 / sum_i w_i^2 r_ij. It is spurious when the size is below 2 r; or below 10 r while its
   smallest eigenvalue, in the metric of the pooled covariance sum_j n_j Sigma_j / n, is below
   1e-3; or when an eigenvalue lies on the floor. (The thresholds are arguments.) A covariance that is
   fixed can't collapse: its component is not spurious.

   Two components are the same when, in the metric of the pooled covariance, their means differ by
   less than 1e-3 and their covariances by less than 1e-3 of the larger's largest element. */
#include <math.h>

#include "gm.h"
#include "matrix.h"

#define SAME 1e-3

static int rows_needed(const struct gm_family* family, int d) {
  return family->own == GM_OWN_ORIENTATION ? d + 1 : family->own == GM_OWN_SIZE ? 2 : 1;
}

/* Below, pooled is the pooled covariance's Cholesky factor for GM_TRIANG, else its variances. */

/* Smallest eigenvalue of cov in the metric of pooled. */
static double smallest(enum gm_shape shape, int d, const double* cov,
                       const double* pooled, double* work) {
  if (shape == GM_TRIANG) return gm_smallest(cov, pooled, d, work);
  double least = INFINITY;
  for (ptrdiff_t a = 0; a < gm_cov_length(shape, d); a++)
    least = fmin(least, cov[a] / pooled[a]);
  return least;
}

static int same_mean(enum gm_shape shape, int d, const double* one, const double* other,
                     const double* pooled, double* z) {
  double sum = 0;
  for (int a = 0; a < d && sum < SAME * SAME; a++) {
    z[a] = one[a] - other[a];
    if (shape == GM_TRIANG) {
      for (int b = 0; b < a; b++) z[a] -= pooled[a + (ptrdiff_t)d * b] * z[b];
      z[a] /= pooled[a + (ptrdiff_t)d * a];
    } else {
      z[a] /= sqrt(pooled[shape == GM_DIAG ? a : 0]);
    }
    sum += z[a] * z[a];
  }
  return sum < SAME * SAME;
}

/* work: 2 d^2 */
static int same_cov(enum gm_shape shape, int d, const double* one, const double* other,
                    const double* pooled, double* work) {
  const ptrdiff_t length = gm_cov_length(shape, d);
  double largest = 0, apart = 0;
  if (shape == GM_TRIANG) {
    gm_whiten(one, pooled, d, work);
    gm_whiten(other, pooled, d, work + length);
  } else {
    for (ptrdiff_t a = 0; a < length; a++) {
      work[a] = one[a] / pooled[a];
      work[a + length] = other[a] / pooled[a];
    }
  }
  for (ptrdiff_t a = 0; a < length; a++) {
    if (shape == GM_TRIANG && a % d < a / d) continue; /* upper triangle */
    largest = fmax(largest, fmax(fabs(work[a]), fabs(work[a + length])));
    apart = fmax(apart, fabs(work[a] - work[a + length]));
  }
  return apart < SAME * largest;
}

ptrdiff_t gm_verdict_work(const struct gm_family* family, int d) {
  const ptrdiff_t length = gm_cov_length(family->shape, d);
  return 3 * length + d + gm_eigen_work(d);
}

int gm_verdict_set(const struct gm_params* params, const struct gm_stats* stats,
                   const struct gm_bounds* bounds, const struct gm_spurious* spurious,
                   struct gm_verdict* verdict, double* work, struct gm_error* err) {
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
  const int sound = family->shape != GM_TRIANG || gm_cholesky(pooled, d);
  for (int j = 0; j < k; j++) {
    const double* cov = params->cov + stride * j;
    const double* mean = params->mean + (ptrdiff_t)d * j;
    struct gm_verdict* v = verdict + j;
    v->size = gm_stats_size_of(stats, j);
    v->eigenvalue = !stride ? 1
                    : sound ? smallest(family->shape, d, cov, pooled, work + length)
                            : NAN;
    v->same_as = 0;
    for (int i = 0; i < j && sound && !v->same_as; i++)
      if (same_mean(family->shape, d, mean, params->mean + (ptrdiff_t)d * i, pooled,
                    work + length) &&
          (!stride || same_cov(family->shape, d, cov, params->cov + stride * i, pooled,
                               work + length)))
        v->same_as = i + 1;
    v->on_floor = gm_below_floor(family->shape, d, cov, bounds, 1, work + length);
    v->spurious =
        !(v->size >= spurious->size * rows) ||
        (v->size < spurious->thin_size * rows && !(v->eigenvalue >= spurious->thin)) ||
        v->on_floor;
    if (gm_fixed_covariance(bounds, j)) v->spurious = v->on_floor = 0;
    if (family->shape == GM_TRIANG && gm_stop(bounds->engine, 3 * gm_cube(d))) {
      *err = (struct gm_error){.code = GM_STOPPED};
      return err->code;
    }
  }
  return GM_OK;
}
