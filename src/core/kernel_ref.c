/* The textbook kernel: one row at a time, no vectors, exp and log of the C library. The
   oracle in the tests of the others, and the fallback for a compiler without vector
   extensions.

   distance    for each component, for each row: solve L y = x - mean, add up y^2
   posterior   for each row: log-sum-exp over the columns
   accumulate  for each component, for each row, with t = x - mean: add w r, w r t, w r t
               t' Contract: struct gm_kernel in gm.h. */
#include <math.h>

#include "simd.h"

/* Overflow may have made Inf - Inf on the way: such a row is infinitely far. */
static double far_if_nan(double maha) { return isnan(maha) ? INFINITY : maha; }

static void distance_triang(const struct gm_factors* f, const double* restrict x,
                            ptrdiff_t ld, int m, double* restrict maha,
                            double* restrict work) {
  const ptrdiff_t d = f->d;
  double* y = work;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    const double* mean = f->mean + d * j;
    const double* l = f->factor + f->stride * j;
    for (ptrdiff_t i = 0; i < m; i++) {
      double sum = 0;
      for (ptrdiff_t a = 0; a < d; a++) {
        y[a] = x[i + ld * a] - mean[a];
        for (ptrdiff_t b = 0; b < a; b++) y[a] -= l[a + d * b] * y[b];
        y[a] *= l[a + d * a];
        sum += y[a] * y[a];
      }
      maha[i + m * j] = far_if_nan(sum);
    }
  }
}

/* step 1: a reciprocal standard deviation per variable; 0: one for all. */
static void distance_scaled(const struct gm_factors* f, ptrdiff_t step,
                            const double* restrict x, ptrdiff_t ld, int m,
                            double* restrict maha) {
  const ptrdiff_t d = f->d;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    for (ptrdiff_t i = 0; i < m; i++) {
      double sum = 0;
      for (ptrdiff_t a = 0; a < d; a++) {
        const double y =
            (x[i + ld * a] - f->mean[a + d * j]) * f->factor[f->stride * j + step * a];
        sum += y * y;
      }
      maha[i + m * j] = sum;
    }
  }
}

static void distance_diag(const struct gm_factors* f, const double* restrict x,
                          ptrdiff_t ld, int m, double* restrict maha,
                          double* restrict work) {
  (void)work;
  distance_scaled(f, 1, x, ld, m, maha);
}

static void distance_spher(const struct gm_factors* f, const double* restrict x,
                           ptrdiff_t ld, int m, double* restrict maha,
                           double* restrict work) {
  (void)work;
  distance_scaled(f, 0, x, ld, m, maha);
}

static double posterior(const double* restrict logc, int cols, int m,
                        const double* restrict w, const int* restrict label,
                        const double* restrict reach, double* restrict maha,
                        double* restrict lse) {
  double total = 0;
  for (ptrdiff_t i = 0; i < m; i++) {
    const double weight = w ? w[i] : 1;
    const int known = label ? label[i] : 0;
    double most = -INFINITY, sum = 0;
    for (ptrdiff_t j = 0; j < cols; j++) most = fmax(most, logc[j] - maha[i + m * j] / 2);
    if (known) most = logc[known - 1] - maha[i + (ptrdiff_t)m * (known - 1)] / 2;
    for (ptrdiff_t j = 0; j < cols; j++) {
      double* r = &maha[i + m * j];
      const double below = logc[j] - *r / 2 - most;
      const int far = reach && !(*r * GM_REACH <= reach[j] - most);
      if (known) {
        *r = j == known - 1;
      } else {
        *r = below >= -GM_CUT && !far ? exp(below) : 0;
      }
      sum += *r;
    }
    for (ptrdiff_t j = 0; sum > 0 && j < cols; j++) maha[i + m * j] *= weight / sum;
    const double logf = sum > 0 ? most + log(sum) : -INFINITY;
    if (lse) lse[i] = logf;
    if (weight > 0) total += weight * logf;
  }
  return total;
}

static void accumulate(const struct gm_factors* f, const double* restrict x, ptrdiff_t ld,
                       int m, const double* restrict w, const double* restrict resp,
                       struct gm_stats* stats, double* restrict work) {
  const ptrdiff_t d = f->d;
  double* y = work;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    double* scatter = stats->scatter + stats->stride * j;
    for (ptrdiff_t i = 0; i < m; i++) {
      const double r = resp[i + m * j];
      stats->nk[j] += r;
      stats->nk2[j] += (w ? w[i] : 1) * r;
      for (ptrdiff_t a = 0; a < d; a++) {
        y[a] = x[i + ld * a] - f->mean[a + d * j];
        stats->sum[a + d * j] += r * y[a];
        if (stats->shape != GM_TRIANG) {
          scatter[a] += r * y[a] * y[a];
          continue;
        }
        for (ptrdiff_t b = 0; b <= a; b++) scatter[a + d * b] += r * y[a] * y[b];
      }
    }
  }
}

static void normals(double* u, int m) {
  const double two_pi = 6.283185307179586477;
  for (ptrdiff_t i = 0; i < m; i++) {
    const double radius = sqrt(-2 * log(u[i]));
    const double angle = two_pi * u[m + i];
    u[i] = radius * cos(angle);
    u[m + i] = radius * sin(angle);
  }
}

static void uniforms(uint64_t key, uint64_t first, const uint64_t* row, uint32_t stream,
                     uint32_t lane, int m, double* u, double* v) {
  for (ptrdiff_t i = 0; i < m; i++) {
    double pair[2];
    gm_random(key, first + (row ? row[i] : (uint64_t)i), stream, lane, pair);
    u[i] = pair[0];
    v[i] = pair[1];
  }
}

static void pick(const double* cumulative, int count, int m, const double* u, int* at) {
  for (ptrdiff_t i = 0; i < m; i++) {
    at[i] = 0;
    while (at[i] < count && u[i] >= cumulative[at[i]]) at[i]++;
  }
}

static void colour(int d, const double* mean, const double* root, int rows, double* z,
                   ptrdiff_t m) {
  const ptrdiff_t high = gm_root_rows(d);
  for (ptrdiff_t i = 0; i < rows; i++) {
    for (ptrdiff_t a = d - 1; a >= 0; a--) {
      double sum = 0;
      for (ptrdiff_t b = 0; b <= a; b++) sum += root[a + high * b] * z[i + m * b];
      z[i + m * a] = mean[a] + sum;
    }
  }
}

const struct gm_kernel gm_kernel_reference = {
    .name = "reference",
    .distance = {distance_triang, distance_diag, distance_spher},
    .posterior = posterior,
    .accumulate = {accumulate, accumulate, accumulate},
    .normals = normals,
    .uniforms = uniforms,
    .pick = pick,
    .colour = colour};
