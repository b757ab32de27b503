/* M-step: stats -> parameters. Sees no rows.

   With n_j, s_j and S_j the weight, sum and scatter about the old mean c_j, n_0 that of the noise,
     proportion_j = n_j / n,   n = n_0 + sum_j n_j,   mean_j = c_j + s_j / n_j,   scatter about it = S_j - s_j s_j' / n_j;
   the family makes the covariances of the last. Proportions that are to be equal share what the
   noise leaves. A prior is further rows (prior.c), and parameters may be fixed (fixed.c). Near convergence s_j vanishes, so that nothing cancels. */
#include <math.h>
#include <string.h>

#include "family.h"
#include "matrix.h"

/* A component that holds less than this share of a mean row is empty. */
#define EMPTY 1e-10

/* The scatter about the new means, the old parameters, and what the family needs. */
ptrdiff_t gm_mstep_work(const struct gm_family* family, int d, int k) {
  ptrdiff_t own = 2 * k + (ptrdiff_t)d * (k + 1);
  if (family->shape == GM_TRIANG) own = gm_mstep_iter_work(d, k);
  if (own < gm_fix_work(d)) own = gm_fix_work(d);
  return gm_stats_size(family, d, k) + gm_params_size(family, d, k) + k + own;
}

int gm_floored(const struct gm_params* params, const struct gm_bounds* bounds,
               int clipped, double* work) {
  const struct gm_family* family = params->family;
  const ptrdiff_t stride = gm_cov_stride(family, params->d);
  double* own = work + gm_params_size(family, params->d, params->k);
  for (int j = 0; j < params->k; j++) {
    if (gm_below_floor(family->shape, params->d, params->cov + stride * j, bounds,
                       clipped, own))
      return j + 1;
    if (family->shape == GM_TRIANG && gm_stop(bounds->engine, gm_cube(params->d))) break;
  }
  return 0;
}

void gm_mstep_undo(struct gm_params* params, double* work) {
  struct gm_params old;
  gm_params_init(&old, params->family, params->d, params->k, work);
  gm_params_copy(params, &old);
}

void gm_mstep_equal(const struct gm_bounds* bounds, struct gm_params* params) {
  const double gaussian = 1 - params->prop[params->k];
  for (int j = 0; j < params->k && bounds->equal; j++)
    params->prop[j] = gaussian / params->k;
}

/* The weights of the Gaussians (their sum is total) and of the noise -> proportions. */
static void set_proportions(const struct gm_stats* stats, double total,
                            const struct gm_bounds* bounds, struct gm_params* params) {
  const struct gm_prior* prior = bounds->prior;
  const int k = stats->k;
  const int mode = prior && prior->posterior == GM_MODE;
  const double more = mode ? prior->share * (prior->alpha - 1) : 0;
  const double noise = stats->total[GM_NOISE] + (bounds->noise ? more : 0);
  const double all = total + k * more + noise;
  for (int j = 0; j < k; j++) params->prop[j] = (stats->nk[j] + more) / all;
  params->prop[k] = noise / all;
  gm_mstep_equal(bounds, params);
  gm_fix_proportions(bounds, params);
}

/* The prior as further rows of the components: n, scatter and means with them; returns the total.
   Where one covariance is common, it has one prior. */
static double add_prior(const struct gm_prior* prior, struct gm_params* params, double* n,
                        double total, double* scatter, ptrdiff_t stride, double* apart) {
  const int d = params->d, k = params->k;
  const enum gm_shape shape = params->family->shape;
  const int mode = prior->posterior == GM_MODE;
  double rows = gm_prior_rows(prior, d) * (stride ? k : 1);
  if (mode && !stride && prior->kappa > 0) rows += prior->share * (k - 1);
  for (int j = 0; j < k; j++) {
    gm_prior_mean(prior, n[j], d, shape, params->mean + (ptrdiff_t)d * j,
                  scatter + stride * j, apart);
    if (stride || j == 0) gm_prior_scatter(prior, d, shape, scatter + stride * j);
    n[j] += gm_prior_rows(prior, d);
  }
  return total + rows;
}

/* By decreasing proportion: of sticks the order that has the largest bound. */
static void sort_components(struct gm_params* params) {
  for (int j = 1; j < params->k; j++)
    for (int i = j; i > 0 && params->prop[i] > params->prop[i - 1]; i--)
      gm_params_exchange(params, i, i - 1);
}

int gm_mstep(const struct gm_stats* stats, const struct gm_bounds* bounds,
             struct gm_params* params, double* work, struct gm_error* err) {
  const int d = stats->d, k = stats->k;
  const ptrdiff_t length = stats->lost - stats->scatter;
  const struct gm_prior* prior = bounds->prior;
  const int proper = prior && prior->kappa > 0 && prior->df > 0;
  double total = 0, rows2 = 0;
  for (int j = 0; j < k; j++) {
    total += stats->nk[j];
    rows2 += stats->nk2[j];
  }
  for (int j = 0; j < k && !proper; j++)
    if (!(stats->nk[j] * total > EMPTY * rows2)) {
      *err = (struct gm_error){.code = GM_EMPTY, .component = j + 1};
      return err->code;
    }

  struct gm_params old;
  double* scatter = gm_params_init(&old, params->family, d, k, work);
  double* n = scatter + length;
  double* own = n + k;
  gm_params_copy(&old, params);
  memcpy(scatter, stats->scatter, (size_t)length * sizeof *scatter);
  for (int j = 0; j < k; j++) {
    const double* sum = stats->sum + (ptrdiff_t)d * j;
    double* s = scatter + stats->stride * j;
    for (int b = 0; b < d; b++) {
      const double shift = stats->nk[j] > 0 ? sum[b] / stats->nk[j] : 0;
      params->mean[b + (ptrdiff_t)d * j] += shift;
      if (stats->shape == GM_TRIANG) {
        for (int a = b; a < d; a++) s[a + (ptrdiff_t)d * b] -= sum[a] * shift;
      } else {
        s[b] -= sum[b] * shift;
      }
    }
  }

  set_proportions(stats, total, bounds, params);
  memcpy(n, stats->nk, (size_t)k * sizeof *n);
  if (prior) total = add_prior(prior, params, n, total, scatter, stats->stride, own);
  for (int j = 0; j < k; j++)
    gm_fix_mean(bounds, stats->nk[j] + (prior ? prior->share * prior->kappa : 0), j,
                params, scatter + stats->stride * j, own);
  const struct gm_scatter seen = {
      .d = d, .k = k, .n = n, .total = total, .s = scatter, .stride = stats->stride};
  params->family->mstep(&seen, bounds, params->cov, own);
  gm_fix_covariances(bounds, params);
  const int at = params->family->bounded ? 0 : gm_floored(params, bounds, 0, work);
  *err = (struct gm_error){.code = gm_stop(bounds->engine, INFINITY) ? GM_STOPPED
                                   : at                              ? GM_FLOOR
                                                                     : GM_OK,
                           .component = at};
  if (err->code) {
    gm_mstep_undo(params, work);
  } else if (prior && prior->sorted) {
    sort_components(params);
  }
  return err->code;
}
