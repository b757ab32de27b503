/* The covariance families: one row each. A further family is a further row, with its M-step.

   Each M-step maximises the expected complete-data log-likelihood over the covariances,
     -1/2 sum_j { n_j log|Sigma_j| + tr(Sigma_j^-1 S_j) },
   under the family's restriction and the floor (Celeux & Govaert 1995, section 2.2). With the
   floor the maximum is still exact: for a free or common covariance its eigenvalues in standardised
   coordinates are clipped, for a diagonal one its elements, for a spherical one its variance. */
#include <math.h>
#include <string.h>

#include "blas.h"
#include "gm.h"
#include "matrix.h"

/* Sigma (d x d, lower triangle set) -> both triangles, no standardised eigenvalue below the
   floor. work: 2 d^2 + gm_eigen_work(d). */
static void bound_matrix(double* cov, int d, const struct gm_bounds* bounds, double* work) {
  const double* scale = bounds->scale;
  double* std = work;
  double* value = work + (ptrdiff_t)d * d;
  double* spare = value + d;
  for (int b = 0; b < d; b++)
    for (int a = b; a < d; a++)
      std[a + (ptrdiff_t)d * b] = cov[a + (ptrdiff_t)d * b] / (scale[a] * scale[b]);
  if (!gm_exceeds(std, NULL, bounds->floor, d, spare)) {
    gm_eigen(std, d, 1, value, spare);
    for (int b = 0; b < d; b++)
      for (int a = b; a < d; a++) {
        double sum = 0;
        for (int e = 0; e < d; e++)
          sum += std[a + (ptrdiff_t)d * e] * fmax(value[e], bounds->floor) *
                 std[b + (ptrdiff_t)d * e];
        cov[a + (ptrdiff_t)d * b] = sum * scale[a] * scale[b];
      }
  }
  for (int b = 0; b < d; b++)
    for (int a = b + 1; a < d; a++) cov[b + (ptrdiff_t)d * a] = cov[a + (ptrdiff_t)d * b];
}

static void mstep_vvv(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                      double* work) {
  const int d = s->d;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  for (int j = 0; j < s->k; j++) {
    for (ptrdiff_t a = 0; a < len; a++) cov[a + len * j] = s->s[a + s->stride * j] / s->n[j];
    bound_matrix(cov + len * j, d, bounds, work);
  }
}

static void mstep_eee(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                      double* work) {
  const ptrdiff_t len = (ptrdiff_t)s->d * s->d;
  for (ptrdiff_t a = 0; a < len; a++) cov[a] = s->s[a] / s->total;
  bound_matrix(cov, s->d, bounds, work);
}

static void mstep_vvi(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                      double* work) {
  (void)work;
  for (int j = 0; j < s->k; j++)
    for (int a = 0; a < s->d; a++)
      cov[a + (ptrdiff_t)s->d * j] =
          fmax(s->s[a + s->stride * j] / s->n[j], gm_floor(bounds, a));
}

static void mstep_vii(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                      double* work) {
  (void)work;
  double floor = 0;
  for (int a = 0; a < s->d; a++) floor = fmax(floor, gm_floor(bounds, a));
  for (int j = 0; j < s->k; j++) {
    double trace = 0;
    for (int a = 0; a < s->d; a++) trace += s->s[a + s->stride * j];
    cov[j] = fmax(trace / (s->d * s->n[j]), floor);
  }
}

static const struct gm_family families[] = {
    /* code   shape      shared  own                 M-step */
    {"VVV", GM_TRIANG, 0, GM_OWN_ORIENTATION, mstep_vvv},
    {"EEE", GM_TRIANG, 1, GM_OWN_NOTHING, mstep_eee},
    {"VVI", GM_DIAG, 0, GM_OWN_SIZE, mstep_vvi},
    {"VII", GM_SPHER, 0, GM_OWN_SIZE, mstep_vii},
};

const struct gm_family* gm_family_find(const char* code) {
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
    if (!strcmp(families[i].code, code)) return &families[i];
  return NULL;
}
