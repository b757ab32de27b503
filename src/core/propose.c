/* Proposals: changes of an optimum that EM can't make by itself, as starts for further runs. Each is
   a function of (key, number) and of the optimum.

   Swap: one component moves to a random row, with a mean share of the proportions and the covariance
   of another one or the scaled total one (cf. Franti 2018, random swap for k-means); or it gets
   mean, covariance and share of the rows nearest to it, so that small tight groups are found.
   Merge and split: two components become one with their joint moments, a third is cut in two along
   a random direction, its moments kept (cf. Ueda, Nakano, Ghahramani & Hinton 2000). With two
   components the merged one is cut. One component, which has several optima where rows are trimmed
   or noise,
   begins anew from few rows.
   Noise that has all but vanished, from which EM does not return, gets another chance. */
#include <math.h>
#include <string.h>

#include "gm.h"
#include "matrix.h"

/* Numbers of the generator's lanes and streams that starts do not use. */
enum { LANE = 2 };
enum {
  REDRAWS = 8
};                /* of a row that is another component's mean, where values are tied */
#define LOCAL 0.5 /* share of the swaps with a local covariance */

static double uniform(const struct gm_seeder* seeder, uint32_t p, int index,
                      double* second) {
  double u[2];
  gm_random(seeder->key, (uint64_t)index, p, LANE, u);
  *second = u[1];
  return u[0];
}

/* One of 0 to n - 1. */
static int pick(double u, int n) {
  const int at = (int)(u * n);
  return at < n ? at : n - 1;
}

static void set_total(const struct gm_seeder* seeder, enum gm_shape shape, int d,
                      double factor, double* cov) {
  const double* total = seeder->total.cov;
  if (shape == GM_TRIANG) {
    for (ptrdiff_t a = 0; a < (ptrdiff_t)d * d; a++) cov[a] = factor * total[a];
  } else if (shape == GM_DIAG) {
    for (int a = 0; a < d; a++) cov[a] = factor * total[a + (ptrdiff_t)d * a];
  } else {
    cov[0] = 0;
    for (int a = 0; a < d; a++) cov[0] += factor * total[a + (ptrdiff_t)d * a] / d;
  }
}

/* Mean and covariance of the first `count` rows of seeder->label, with a thousandth of the total
   covariance; returns their weight. */
static double set_moments(const struct gm_seeder* seeder, ptrdiff_t count, double* mean,
                          enum gm_shape shape, int d, double* cov) {
  const struct gm_rows* rows = seeder->points;
  const ptrdiff_t at = seeder->label[0];
  double weight = 0;
  for (ptrdiff_t t = 0; t < count; t++) weight += rows->w ? rows->w[seeder->label[t]] : 1;
  for (int a = 0; a < d; a++) {
    double sum = 0;
    for (ptrdiff_t t = 0; t < count; t++) {
      const ptrdiff_t i = seeder->label[t] + rows->ld * a;
      sum += (rows->w ? rows->w[seeder->label[t]] : 1) *
             (rows->x[i] - rows->x[at + rows->ld * a]);
    }
    mean[a] = rows->x[at + rows->ld * a] + sum / weight;
  }
  set_total(seeder, shape, d, 1e-3, cov);
  for (int b = 0; b < d && !gm_stop(seeder->engine, (double)count * d); b++)
    for (int a = shape == GM_TRIANG ? 0 : b; a < (shape == GM_TRIANG ? d : b + 1); a++) {
      double sum = 0;
      for (ptrdiff_t t = 0; t < count; t++) {
        const ptrdiff_t i = seeder->label[t];
        sum += (rows->w ? rows->w[i] : 1) * (rows->x[i + rows->ld * a] - mean[a]) *
               (rows->x[i + rows->ld * b] - mean[b]);
      }
      if (shape == GM_SPHER) sum /= d;
      cov[shape == GM_TRIANG ? a + (ptrdiff_t)d * b
          : shape == GM_DIAG ? a
                             : 0] += sum / weight;
    }
  return weight;
}

/* Of the rows nearest to row `at` that make up about `share` of the weight; returns the share.
   Distances are in standardised columns. */
static double set_local(const struct gm_seeder* seeder, ptrdiff_t at, double share,
                        double* mean, enum gm_shape shape, int d, double* cov) {
  const struct gm_rows* rows = seeder->points;
  double weight = 0;
  ptrdiff_t count = 0;
  for (ptrdiff_t i = 0; i < rows->n; i++) seeder->dist[i] = 0;
  for (int a = 0; a < d; a++) {
    const double* x = rows->x + rows->ld * a;
    const double unit = 1 / seeder->bounds->scale[a];
    for (ptrdiff_t i = 0; i < rows->n; i++) {
      const double z = (x[i] - x[at]) * unit;
      seeder->dist[i] += z * z;
    }
  }
  gm_sort_by(seeder->dist, seeder->label, rows->n);
  while (count < rows->n && weight < share * seeder->weight) {
    const ptrdiff_t i = seeder->label[count++];
    weight += rows->w ? rows->w[i] : 1;
  }
  return set_moments(seeder, count, mean, shape, d, cov) / seeder->weight;
}

/* As few rows as a covariance takes, drawn at random (Rousseeuw & Van Driessen 1999). */
static void set_subset(const struct gm_seeder* seeder, uint32_t p, struct gm_params* to) {
  double other;
  for (int t = 0; t <= to->d && t < seeder->points->n; t++)
    seeder->label[t] =
        (int)gm_draw_row(seeder->points, NULL, uniform(seeder, p, t, &other));
  const ptrdiff_t count = to->d < seeder->points->n ? to->d + 1 : seeder->points->n;
  set_moments(seeder, count, to->mean, to->family->shape, to->d, to->cov);
}

/* Is row `at` the mean of another component than j? */
static int is_mean(const struct gm_rows* rows, ptrdiff_t at,
                   const struct gm_params* params, int j) {
  for (int i = 0; i < params->k; i++) {
    int a = 0;
    while (i != j && a < params->d &&
           rows->x[at + rows->ld * a] == params->mean[a + (ptrdiff_t)params->d * i])
      a++;
    if (a == params->d) return 1;
  }
  return 0;
}

static void swap(const struct gm_seeder* seeder, uint32_t p, struct gm_params* to) {
  const struct gm_rows* rows = seeder->points;
  const int d = to->d, k = to->k;
  const enum gm_shape shape = to->family->shape;
  const ptrdiff_t stride = gm_cov_stride(to->family, d);
  double other, size, row, share = 1.0 / k;
  const double how = uniform(seeder, p, 0, &row), u = uniform(seeder, p, 2, &size);
  const int j = pick(uniform(seeder, p, 1, &other), k);
  const int from = (j + 1 + pick(other, k - 1)) % k;
  ptrdiff_t at = gm_draw_row(rows, NULL, row);
  for (int again = 0; again < REDRAWS && is_mean(rows, at, to, j); again++)
    at = gm_draw_row(rows, NULL, uniform(seeder, p, 4 + again, &row));
  double* mean = to->mean + (ptrdiff_t)d * j;
  double* cov = to->cov + stride * j;
  for (int a = 0; a < d; a++) mean[a] = rows->x[at + rows->ld * a];
  if (stride && how < LOCAL) {
    const double least =
        fmin((d + 2) * seeder->weight2 / (seeder->weight * seeder->weight), share);
    share = set_local(seeder, at, share * pow(least / share, size), mean, shape, d, cov);
  } else if (stride && how < LOCAL + (1 - LOCAL) / 2) {
    set_total(seeder, shape, d, gm_random_factor(u), cov);
  } else if (stride) {
    memcpy(cov, to->cov + stride * from, (size_t)stride * sizeof *cov);
  }
  const double others = 1 - to->prop[j];
  const double rest = others > 0 ? (1 - share) / others : 0;
  for (int i = 0; i <= k; i++) to->prop[i] *= rest;
  to->prop[j] = share;
}

/* Component a gets the moments of a and b. */
static void merge(struct gm_params* to, int a, int b) {
  const int d = to->d;
  const ptrdiff_t stride = gm_cov_stride(to->family, d);
  const double p = to->prop[a] + to->prop[b];
  const double pa = p > 0 ? to->prop[a] / p : 0.5, pb = 1 - pa; /* both may be empty */
  double* ma = to->mean + (ptrdiff_t)d * a;
  const double* mb = to->mean + (ptrdiff_t)d * b;
  double* ca = to->cov + stride * a;
  const double* cb = to->cov + stride * b;
  for (ptrdiff_t i = 0; i < stride; i++) ca[i] = pa * ca[i] + pb * cb[i];
  for (int e = 0; e < d && stride; e++) {
    const double between = pa * pb * (ma[e] - mb[e]);
    if (to->family->shape == GM_TRIANG) {
      for (int f = 0; f < d; f++) ca[f + (ptrdiff_t)d * e] += between * (ma[f] - mb[f]);
    } else if (to->family->shape == GM_DIAG) {
      ca[e] += between * (ma[e] - mb[e]);
    } else {
      ca[0] += between * (ma[e] - mb[e]) / d;
    }
  }
  for (int e = 0; e < d; e++) ma[e] = pa * ma[e] + pb * mb[e];
  to->prop[a] = p;
}

/* along <- a random direction with length 1 in the metric of cov. chol: d^2 of scratch. */
static void draw_direction(const struct gm_seeder* seeder, uint32_t p,
                           enum gm_shape shape, int d, const double* cov, double* along,
                           double* chol) {
  double norm = 0;
  for (int a = 0; a < d; a++) {
    along[a] = gm_random_normal(seeder->key, (uint64_t)a, p, LANE + 1);
    norm += along[a] * along[a];
  }
  norm = sqrt(norm);
  if (shape == GM_TRIANG) {
    memcpy(chol, cov, (size_t)d * d * sizeof *cov);
    const int ok = gm_cholesky(chol, d);
    for (int a = d - 1; a >= 0; a--) {
      double sum = 0;
      for (int b = 0; b <= a && ok; b++) sum += chol[a + (ptrdiff_t)d * b] * along[b];
      along[a] = sum / norm;
    }
  } else {
    for (int a = 0; a < d; a++) along[a] *= sqrt(cov[shape == GM_DIAG ? a : 0]) / norm;
  }
}

/* Components c and other become the halves of c. */
static void split(const struct gm_seeder* seeder, uint32_t p, struct gm_params* to, int c,
                  int other, double* work) {
  const int d = to->d;
  const enum gm_shape shape = to->family->shape;
  const ptrdiff_t stride = gm_cov_stride(to->family, d);
  double* along = work;
  double* cc = to->cov + stride * c;
  double unused;
  const double reach = 0.3 + 0.65 * uniform(seeder, p, 3, &unused);
  draw_direction(seeder, p, shape, d, cc, along, work + d);
  for (int a = 0; a < d; a++) along[a] *= reach;
  if (stride && shape == GM_TRIANG) {
    for (int b = 0; b < d; b++)
      for (int a = 0; a < d; a++) cc[a + (ptrdiff_t)d * b] -= along[a] * along[b];
  } else if (stride && shape == GM_DIAG) {
    for (int a = 0; a < d; a++) cc[a] -= along[a] * along[a];
  } else if (stride) {
    cc[0] *= 1 - reach * reach / d;
  }
  memcpy(to->cov + stride * other, cc, (size_t)stride * sizeof *cc);
  for (int a = 0; a < d; a++) {
    to->mean[a + (ptrdiff_t)d * other] = to->mean[a + (ptrdiff_t)d * c] - along[a];
    to->mean[a + (ptrdiff_t)d * c] += along[a];
  }
  to->prop[c] /= 2;
  to->prop[other] = to->prop[c];
}

ptrdiff_t gm_propose_work(int d) { return (ptrdiff_t)d * d + d; }

static void propose(const struct gm_seeder* seeder, uint32_t p, struct gm_params* to,
                    double* work) {
  const int k = to->k;
  if (seeder->bounds->noise && to->prop[k] < GM_NOISE_START / 10)
    gm_params_noise(to, GM_NOISE_START);
  if (k == 1) {
    set_subset(seeder, p, to);
    return;
  }
  if (p % 2 == 0) {
    swap(seeder, p, to);
    return;
  }
  double second, third;
  const int a = pick(uniform(seeder, p, 0, &second), k);
  const int b = (a + 1 + pick(second, k - 1)) % k;
  int c = a;
  if (k > 2) { /* one of the others */
    c = pick(uniform(seeder, p, 1, &third), k - 2);
    for (int pass = 0; pass < 2; pass++)
      c += c >= (pass ? (a > b ? a : b) : (a < b ? a : b));
  }
  merge(to, a, b);
  split(seeder, p, to, c, b, work);
}

void gm_propose(const struct gm_seeder* seeder, uint32_t p, const struct gm_params* from,
                struct gm_params* to, double* work) {
  gm_params_copy(to, from);
  propose(seeder, p, to, work);
  gm_fix(seeder->bounds, to);
}
