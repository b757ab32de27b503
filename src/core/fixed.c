/* Fixed parameters: gm_bounds.fixed holds them, and NaN where a parameter is free.

   The M-step stays one of conditional maximisation (ECM, Meng & Rubin 1993), so that the objective
   never falls. Free proportions share what the fixed ones leave, by their weights. Of a mean, with
   d = m - mean over all its rows, the free entries follow the fixed ones by the regression of the
   current covariance (generalised least squares), d_free = Sigma_free,fixed Sigma_fixed,fixed^-1
   d_fixed; its scatter gains n d d'. Fixed covariances replace what the family makes of the scatter:
   those of families in which components share nothing or everything. */
#include <math.h>

#include "gm.h"
#include "matrix.h"

static ptrdiff_t cov_size(const struct gm_params* params) {
  const ptrdiff_t length = gm_cov_length(params->family->shape, params->d);
  return params->family->shared ? length : length * params->k;
}

void gm_fix_proportions(const struct gm_bounds* bounds, struct gm_params* params) {
  const struct gm_params* fixed = bounds->fixed;
  const int columns = params->k + (bounds->noise != NULL);
  double held = 0, rest = 0;
  if (!fixed) return;
  for (int j = 0; j < columns; j++) {
    if (isnan(fixed->prop[j]))
      rest += params->prop[j];
    else
      held += fixed->prop[j];
  }
  for (int j = 0; j < columns; j++)
    params->prop[j] = !isnan(fixed->prop[j]) ? fixed->prop[j]
                      : rest > 0             ? params->prop[j] * ((1 - held) / rest)
                                             : 0;
}

void gm_fix_covariances(const struct gm_bounds* bounds, struct gm_params* params) {
  const struct gm_params* fixed = bounds->fixed;
  for (ptrdiff_t e = 0; fixed && e < cov_size(params); e++)
    if (!isnan(fixed->cov[e])) params->cov[e] = fixed->cov[e];
}

void gm_fix(const struct gm_bounds* bounds, struct gm_params* params) {
  const struct gm_params* fixed = bounds->fixed;
  gm_fix_proportions(bounds, params);
  gm_fix_covariances(bounds, params);
  for (ptrdiff_t e = 0; fixed && e < (ptrdiff_t)params->d * params->k; e++)
    if (!isnan(fixed->mean[e])) params->mean[e] = fixed->mean[e];
}

int gm_fixed_covariance(const struct gm_bounds* bounds, int j) {
  const struct gm_params* fixed = bounds->fixed;
  if (!fixed) return 0;
  const ptrdiff_t length = gm_cov_length(fixed->family->shape, fixed->d);
  const double* cov = fixed->cov + gm_cov_stride(fixed->family, fixed->d) * j;
  for (ptrdiff_t e = 0; e < length; e++)
    if (isnan(cov[e])) return 0;
  return 1;
}

ptrdiff_t gm_fix_work(int d) { return (ptrdiff_t)d * d + 2 * d; }

/* shift, set where the entry is fixed -> where it is free. work: d^2 + d */
static void follow(const struct gm_params* params, const double* fixed, int j,
                   double* shift, double* work) {
  const int d = params->d;
  const double* cov = params->cov + gm_cov_stride(params->family, d) * j;
  double* z = work + (ptrdiff_t)d * d;
  int q = 0;
  for (int b = 0, c = 0; b < d; b++) {
    if (isnan(fixed[b])) continue;
    z[c++] = shift[b];
  }
  for (int b = 0; b < d; b++) q += !isnan(fixed[b]);
  for (int b = 0, column = 0; b < d; b++) {
    if (isnan(fixed[b])) continue;
    for (int a = 0, row = 0; a < d; a++)
      if (!isnan(fixed[a]))
        work[row++ + (ptrdiff_t)q * column] = cov[a + (ptrdiff_t)d * b];
    column++;
  }
  if (!gm_cholesky(work, q)) return;
  for (int c = 0; c < q; c++) {
    for (int e = 0; e < c; e++) z[c] -= work[c + (ptrdiff_t)q * e] * z[e];
    z[c] /= work[c + (ptrdiff_t)q * c];
  }
  for (int c = q - 1; c >= 0; c--) {
    for (int e = c + 1; e < q; e++) z[c] -= work[e + (ptrdiff_t)q * c] * z[e];
    z[c] /= work[c + (ptrdiff_t)q * c];
  }
  for (int a = 0; a < d; a++) {
    if (!isnan(fixed[a])) continue;
    for (int b = 0, c = 0; b < d; b++)
      if (!isnan(fixed[b])) shift[a] += cov[a + (ptrdiff_t)d * b] * z[c++];
  }
}

void gm_fix_mean(const struct gm_bounds* bounds, double n, int j,
                 struct gm_params* params, double* scatter, double* work) {
  const int d = params->d;
  double* mean = params->mean + (ptrdiff_t)d * j;
  double* shift = work;
  int any = 0;
  if (!bounds->fixed) return;
  const double* fixed = bounds->fixed->mean + (ptrdiff_t)d * j;
  for (int a = 0; a < d; a++) {
    any |= !isnan(fixed[a]);
    shift[a] = isnan(fixed[a]) ? 0 : fixed[a] - mean[a];
  }
  if (!any) return;
  const int full = params->family->shape == GM_TRIANG;
  if (full) follow(params, fixed, j, shift, work + d);
  for (int b = 0; b < d; b++) {
    mean[b] = isnan(fixed[b]) ? mean[b] + shift[b] : fixed[b];
    if (!full) scatter[b] += n * shift[b] * shift[b];
    for (int a = b; a < d && full; a++)
      scatter[a + (ptrdiff_t)d * b] += n * shift[a] * shift[b];
  }
}
