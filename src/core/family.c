/* The covariance families: one row each. A further family is a further row, with its M-step.

   Each M-step maximises the expected complete-data log-likelihood over the covariances,
     -1/2 sum_j { n_j log|Sigma_j| + tr(Sigma_j^-1 S_j) },
   under the family's restriction and the bounds (Celeux & Govaert 1995, section 2.2; vignette
   "families", sections "The M-step" and "The floor"). With floor and ratio the maximum is still
   exact: for a free or common covariance its eigenvalues in standardised coordinates are clipped,
   for a diagonal one its elements, for a spherical one its variance. The families of mstep_iter.c
   share a part; clipping would break that, so they are not bounded, and take no ratio. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "family.h"
#include "matrix.h"

static void standardise(const double* cov, int d, const struct gm_bounds* bounds,
                        double* out) {
  for (int b = 0; b < d; b++)
    for (int a = b; a < d; a++)
      out[a + (ptrdiff_t)d * b] =
          cov[a + (ptrdiff_t)d * b] / (bounds->scale[a] * bounds->scale[b]);
}

/* ---- bounds on eigenvalues ---- */

struct range {
  double low, high;
};

/* What `count` eigenvalues v, each `per` of them with its weight in n, are clipped to. Of all ranges
   [m, ratio m] the best one, in which sum n {log t + v / t} is least, has
     h(m) = sum n {max(m - v, 0) - max(v / ratio - m, 0)} = 0
   (Fritz, Garcia-Escudero & Mayo-Iscar 2013). h is piecewise linear and increases: Newton's steps
   from piece to piece, a halving where they leave the bracket. The sum rises on both sides of that
   m, so that with the floor it is the larger of the two. */
static struct range find_range(const double* v, int count, const double* n, int per,
                               double ratio, double floor) {
  double least = INFINITY, most = 0;
  for (int i = 0; i < count; i++) {
    least = fmin(least, v[i]);
    most = fmax(most, v[i]);
  }
  double low = least, high = ratio < INFINITY ? most / ratio : 0;
  if (least >= high && least >= floor) return (struct range){0, INFINITY};
  double m = high;
  while (low < high) {
    double h = 0, slope = 0;
    for (int i = 0; i < count; i++) {
      const double below = m - v[i], above = v[i] / ratio - m;
      h += n[i / per] * (fmax(below, 0) - fmax(above, 0));
      if (below > 0 || above > 0) slope += n[i / per];
    }
    if (h < 0)
      low = m;
    else
      high = m;
    double next = m - h / slope;
    if (!(fabs(next - m) > 4 * DBL_EPSILON * m)) break;
    if (!(next > low && next < high)) next = low + (high - low) / 2;
    if (!(next > low && next < high)) break;
    m = next;
  }
  m = fmax(m, floor);
  return (struct range){m, ratio * m};
}

static double clip(double v, struct range range) {
  return fmin(fmax(v, range.low), range.high);
}

/* cov <- diag(scale) vectors diag(value) vectors' diag(scale), the values clipped */
static void rebuild(double* cov, const double* vectors, const double* value, int d,
                    struct range range, const double* scale) {
  for (int b = 0; b < d; b++) {
    double* to = cov + (ptrdiff_t)d * b;
    memset(to + b, 0, (size_t)(d - b) * sizeof *to);
    for (int e = 0; e < d; e++) {
      const double* axis = vectors + (ptrdiff_t)d * e;
      const double bounded = clip(value[e], range);
      for (int a = b; a < d; a++) to[a] += axis[a] * bounded * axis[b];
    }
    for (int a = b; a < d; a++) to[a] = to[a] * scale[a] * scale[b];
  }
}

/* Lower triangles -> both, eigenvalues of the standardised ones within the bounds. Where there is no
   ratio, only a matrix that is below the floor is decomposed. */
static void bound_matrices(double* cov, int k, int d, const double* n,
                           const struct gm_bounds* bounds, double* work) {
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double* value = work;
  double* vectors = value + (ptrdiff_t)d * k;
  double* spare = vectors + len * k;
  for (int j = 0; j < k; j++) {
    double *v = vectors + len * j, *at = value + (ptrdiff_t)d * j;
    if (bounds->ratio == INFINITY &&
        gm_exceeds(cov + len * j, bounds->floor, bounds->scale, d, spare)) {
      for (int a = 0; a < d; a++) at[a] = INFINITY;
      continue;
    }
    standardise(cov + len * j, d, bounds, v);
    gm_eigen(v, d, 1, at, spare);
    if (gm_stop(bounds->engine, gm_cube(d))) return;
  }
  const struct range range = find_range(value, d * k, n, d, bounds->ratio, bounds->floor);
  for (int j = 0; j < k; j++) {
    const double* at = value + (ptrdiff_t)d * j;
    if (at[0] < range.low || at[d - 1] > range.high)
      rebuild(cov + len * j, vectors + len * j, at, d, range, bounds->scale);
    gm_mirror(cov + len * j, d);
  }
}

/* work: d k */
static void bound_variances(double* cov, int k, int d, const double* n,
                            const struct gm_bounds* bounds, double* work) {
  const double* scale = bounds->scale;
  for (int i = 0; i < d * k; i++) work[i] = cov[i] / (scale[i % d] * scale[i % d]);
  const struct range range = find_range(work, d * k, n, d, bounds->ratio, bounds->floor);
  for (int i = 0; i < d * k; i++) {
    const double unit = scale[i % d] * scale[i % d];
    cov[i] = clip(cov[i], (struct range){range.low * unit, range.high * unit});
  }
}

/* A sphere has one eigenvalue, in whatever units. */
static void bound_spheres(double* cov, int k, int d, const double* n,
                          const struct gm_bounds* bounds, double* work) {
  double floor = 0;
  (void)work;
  for (int a = 0; a < d; a++) floor = fmax(floor, gm_floor(bounds, a));
  const struct range range = find_range(cov, k, n, 1, bounds->ratio, floor);
  for (int j = 0; j < k; j++) cov[j] = clip(cov[j], range);
}

static void (*const bound[GM_N_SHAPES])(double* cov, int k, int d, const double* n,
                                        const struct gm_bounds* bounds, double* work) = {
    bound_matrices, bound_variances, bound_spheres};

void gm_bound_ratio(struct gm_params* params, const struct gm_bounds* bounds,
                    double* work) {
  const struct gm_family* family = params->family;
  if (bounds->ratio < INFINITY && family->bounded)
    bound[family->shape](params->cov, family->shared ? 1 : params->k, params->d,
                         params->prop, bounds, work);
}

/* ---- the floor ---- */

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
    for (int a = 0; a < d && clipped; a++)
      trace += cov[a + (ptrdiff_t)d * a] / (bounds->scale[a] * bounds->scale[a]);
    const double level = bounds->floor * margin + CLIP_MATRIX * d * trace;
    if (gm_exceeds(cov, level, bounds->scale, d, work)) return 0;
    standardise(cov, d, bounds, work);
    gm_eigen(work, d, 0, value, value + d);
    for (int a = 0; a < d; a++) count += !(value[a] > level);
  } else if (shape == GM_DIAG) {
    for (int a = 0; a < d; a++) count += !(cov[a] > gm_floor(bounds, a) * margin);
  } else {
    for (int a = 0; a < d; a++) count |= !(cov[0] > gm_floor(bounds, a) * margin);
  }
  return count;
}

/* ---- M-steps ---- */

static void mstep_vvv(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  const ptrdiff_t len = (ptrdiff_t)s->d * s->d;
  for (int j = 0; j < s->k; j++)
    for (ptrdiff_t a = 0; a < len; a++)
      cov[a + len * j] = s->s[a + s->stride * j] / s->n[j];
  bound_matrices(cov, s->k, s->d, s->n, bounds, work);
}

static void mstep_eee(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  const ptrdiff_t len = (ptrdiff_t)s->d * s->d;
  for (ptrdiff_t a = 0; a < len; a++) cov[a] = s->s[a] / s->total;
  bound_matrices(cov, 1, s->d, &s->total, bounds, work);
}

static void mstep_vvi(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  for (int j = 0; j < s->k; j++)
    for (int a = 0; a < s->d; a++)
      cov[a + (ptrdiff_t)s->d * j] = s->s[a + s->stride * j] / s->n[j];
  bound_variances(cov, s->k, s->d, s->n, bounds, work);
}

static void mstep_eei(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  for (int a = 0; a < s->d; a++) cov[a] = s->s[a] / s->total;
  bound_variances(cov, 1, s->d, &s->total, bounds, work);
}

/* Mean variance; n: the weight that the scatter s rests on. */
static double sphere(const double* s, double n, int d) {
  double trace = 0;
  for (int a = 0; a < d; a++) trace += s[a];
  return trace / (d * n);
}

static void mstep_vii(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  for (int j = 0; j < s->k; j++) cov[j] = sphere(s->s + s->stride * j, s->n[j], s->d);
  bound_spheres(cov, s->k, s->d, s->n, bounds, work);
}

static void mstep_eii(const struct gm_scatter* s, const struct gm_bounds* bounds,
                      double* cov, double* work) {
  cov[0] = sphere(s->s, s->total, s->d);
  bound_spheres(cov, 1, s->d, &s->total, bounds, work);
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
