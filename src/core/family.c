/* The covariance families: one row each. A further family is a further row, with its M-step.

   Each M-step maximises the expected complete-data log-likelihood over the covariances,
     -1/2 sum_j { n_j log|Sigma_j| + tr(Sigma_j^-1 S_j) },
   under the family's restriction and the floor (Celeux & Govaert 1995, section 2.2; vignette
   "families", sections "The M-step" and "The floor"). With the floor the maximum is still exact:
   for a free or common covariance its eigenvalues in standardised coordinates are clipped, for a
   diagonal one its elements, for a spherical one its variance. The families of mstep_iter.c share a
   part; clipping would break that, so they are not bounded. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "blas.h"
#include "family.h"
#include "matrix.h"

static void standardise(const double* cov, int d, const struct gm_bounds* bounds,
                        double* out) {
  for (int b = 0; b < d; b++)
    for (int a = b; a < d; a++)
      out[a + (ptrdiff_t)d * b] =
          cov[a + (ptrdiff_t)d * b] / (bounds->scale[a] * bounds->scale[b]);
}

/* Sigma (d x d, lower triangle set) -> both triangles, no standardised eigenvalue below the
   floor. work: 2 d^2 + gm_eigen_work(d). */
static void bound_matrix(double* cov, int d, const struct gm_bounds* bounds,
                         double* work) {
  const double* scale = bounds->scale;
  double* std = work;
  double* value = work + (ptrdiff_t)d * d;
  double* spare = value + d;
  standardise(cov, d, bounds, std);
  if (!gm_exceeds(std, bounds->floor, d, spare)) {
    gm_eigen(std, d, 1, value, spare);
    for (int b = 0; b < d; b++) {
      double* to = cov + (ptrdiff_t)d * b;
      memset(to + b, 0, (size_t)(d - b) * sizeof *to);
      for (int e = 0; e < d; e++) {
        const double* axis = std + (ptrdiff_t)d * e;
        const double at_least = fmax(value[e], bounds->floor);
        for (int a = b; a < d; a++) to[a] += axis[a] * at_least * axis[b];
      }
      for (int a = b; a < d; a++) to[a] = to[a] * scale[a] * scale[b];
    }
  }
  gm_mirror(cov, d);
}

/* What the rounding of clipping can add to an eigenvalue on the floor: relative to the floor, and
   of a rebuilt matrix relative to its largest eigenvalue. */
#define CLIP_FLOOR 1e-6
#define CLIP_MATRIX (8 * DBL_EPSILON)

int gm_below_floor(enum gm_shape shape, int d, const double* cov,
                   const struct gm_bounds* bounds, int clipped, double* work) {
  const double margin = clipped ? 1 + CLIP_FLOOR : 1;
  int count = 0;
  if (shape == GM_TRIANG) {
    double* value = work + (ptrdiff_t)d * d;
    double trace = 0;
    standardise(cov, d, bounds, work);
    for (int a = 0; a < d; a++) trace += work[a + (ptrdiff_t)d * a];
    const double level = bounds->floor * margin + (clipped ? CLIP_MATRIX * d * trace : 0);
    if (gm_exceeds(work, level, d, value)) return 0;
    gm_eigen(work, d, 0, value, value + d);
    for (int a = 0; a < d; a++) count += !(value[a] > level);
  } else if (shape == GM_DIAG) {
    for (int a = 0; a < d; a++) count += !(cov[a] > gm_floor(bounds, a) * margin);
  } else {
    for (int a = 0; a < d; a++) count |= !(cov[0] > gm_floor(bounds, a) * margin);
  }
  return count;
}

static void mstep_vvv(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  const int d = s->d;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  for (int j = 0; j < s->k; j++) {
    for (ptrdiff_t a = 0; a < len; a++)
      cov[a + len * j] = s->s[a + s->stride * j] / s->n[j];
    bound_matrix(cov + len * j, d, bounds, work);
    if (gm_stop(bounds->engine, pow(d, 3))) return;
  }
}

static void mstep_eee(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  const ptrdiff_t len = (ptrdiff_t)s->d * s->d;
  for (ptrdiff_t a = 0; a < len; a++) cov[a] = s->s[a] / s->total;
  bound_matrix(cov, s->d, bounds, work);
}

static void mstep_vvi(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  (void)work;
  for (int j = 0; j < s->k; j++)
    for (int a = 0; a < s->d; a++)
      cov[a + (ptrdiff_t)s->d * j] =
          fmax(s->s[a + s->stride * j] / s->n[j], gm_floor(bounds, a));
}

static void mstep_eei(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  (void)work;
  for (int a = 0; a < s->d; a++) cov[a] = fmax(s->s[a] / s->total, gm_floor(bounds, a));
}

/* One variance within the bounds; n: the weight that the scatter s rests on. */
static double sphere(const double* s, double n, int d, const struct gm_bounds* bounds) {
  double trace = 0, floor = 0;
  for (int a = 0; a < d; a++) {
    trace += s[a];
    floor = fmax(floor, gm_floor(bounds, a));
  }
  return fmax(trace / (d * n), floor);
}

static void mstep_vii(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  (void)work;
  for (int j = 0; j < s->k; j++)
    cov[j] = sphere(s->s + s->stride * j, s->n[j], s->d, bounds);
}

static void mstep_eii(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  (void)work;
  cov[0] = sphere(s->s, s->total, s->d, bounds);
}

/* shared and bounded: 0 no, 1 yes */
static const struct gm_family families[] = {
    /* code   shape   shared   own         bounded   M-step */
    {"EII", GM_SPHER, 1, GM_OWN_NOTHING, 1, mstep_eii},
    {"VII", GM_SPHER, 0, GM_OWN_SIZE, 1, mstep_vii},
    {"EEI", GM_DIAG, 1, GM_OWN_NOTHING, 1, mstep_eei},
    {"VEI", GM_DIAG, 0, GM_OWN_SIZE, 0, gm_mstep_vei},
    {"EVI", GM_DIAG, 0, GM_OWN_SIZE, 0, gm_mstep_evi},
    {"VVI", GM_DIAG, 0, GM_OWN_SIZE, 1, mstep_vvi},
    {"EEE", GM_TRIANG, 1, GM_OWN_NOTHING, 1, mstep_eee},
    {"VEE", GM_TRIANG, 0, GM_OWN_SIZE, 0, gm_mstep_vee},
    {"EVE", GM_TRIANG, 0, GM_OWN_SIZE, 0, gm_mstep_eve},
    {"VVE", GM_TRIANG, 0, GM_OWN_SIZE, 0, gm_mstep_vve},
    {"EEV", GM_TRIANG, 0, GM_OWN_ORIENTATION, 0, gm_mstep_eev},
    {"VEV", GM_TRIANG, 0, GM_OWN_ORIENTATION, 0, gm_mstep_vev},
    {"EVV", GM_TRIANG, 0, GM_OWN_ORIENTATION, 0, gm_mstep_evv},
    {"VVV", GM_TRIANG, 0, GM_OWN_ORIENTATION, 1, mstep_vvv},
};

const struct gm_family* gm_family_find(const char* code) {
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
    if (!strcmp(families[i].code, code)) return &families[i];
  return NULL;
}
