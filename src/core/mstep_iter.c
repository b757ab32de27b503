/* M-steps of the families that share a part of the covariance and let another part vary
   (Celeux & Govaert 1995, section 4; vignette "families", sections "Closed forms", "By turns" and
   "A common orientation"). With Sigma_j = lambda_j D_j A_j D_j', det A_j = 1, each minimises
     F = sum_j { n_j log det Sigma_j + tr(Sigma_j^-1 W_j) },
   W_j the scatter of component j: in closed form, or by turns over the parts until they stand
   still. Each turn lowers F, so EM stays monotone. For a common orientation (EVE, VVE) the turns
   rotate two axes at a time by the angle that is best for the pair, starting from the current
   orientation (a common-principal-components step, cf. Flury & Gautschi 1986; Browne & McNicholas
   2014 give another).

   The floor is not kept here: gm_mstep() takes back a step that crosses it, and one that gm_stop()
   cuts short. */
#include <math.h>
#include <string.h>

#include "family.h"
#include "matrix.h"

enum { TURNS = 200, SWEEPS = 30 };
#define STILL 1e-12

/* v <- v / (product of v)^(1/d); returns that root. */
static double normalise(double* v, int d) {
  const double root = exp(gm_sum_of_logs(v, 1, d) / d);
  for (int a = 0; a < d; a++) v[a] /= root;
  return root;
}

/* ---- along the axes ---- */

/* lambda <- in proportion to the current sizes, of covariances of one shape (1: none yet); there the
   turns begin. length: of a covariance; step: between its variances. */
static void current_sizes(int d, int k, const double* cov, ptrdiff_t length,
                          ptrdiff_t step, double* lambda) {
  for (int j = 0; j < k; j++) {
    lambda[j] = 1;
    if (!(cov[0] > 0)) continue;
    double trace = 0;
    for (int a = 0; a < d; a++) trace += cov[step * a + length * j];
    lambda[j] = trace / d;
  }
}

/* lambda_j B. By turns: B = sum_j w_j / lambda_j, lambda_j = sum_a w_ja / B_a / (d n_j). lambda: in
   and out. */
static void by_turns(int d, int k, const double* n, const double* w, ptrdiff_t stride,
                     double* lambda, double* b) {
  for (int turn = 0; turn < TURNS; turn++) {
    double moved = 0;
    for (int a = 0; a < d; a++) {
      b[a] = 0;
      for (int j = 0; j < k; j++) b[a] += w[a + stride * j] / lambda[j];
    }
    normalise(b, d);
    for (int j = 0; j < k; j++) {
      double sum = 0;
      for (int a = 0; a < d; a++) sum += w[a + stride * j] / b[a];
      sum /= d * n[j];
      moved = fmax(moved, fabs(sum / lambda[j] - 1));
      lambda[j] = sum;
    }
    if (moved < STILL) return;
  }
}

void gm_mstep_vei(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                  double* work) {
  (void)bounds;
  double* b = work + s->k;
  current_sizes(s->d, s->k, cov, s->d, 1, work);
  by_turns(s->d, s->k, s->n, s->s, s->stride, work, b);
  for (int j = 0; j < s->k; j++)
    for (int a = 0; a < s->d; a++) cov[a + (ptrdiff_t)s->d * j] = work[j] * b[a];
}

void gm_mstep_evi(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                  double* work) {
  const int d = s->d;
  double lambda = 0;
  (void)bounds;
  (void)work;
  for (int j = 0; j < s->k; j++) {
    double* shape = cov + (ptrdiff_t)d * j;
    memcpy(shape, s->s + s->stride * j, (size_t)d * sizeof *shape);
    lambda += normalise(shape, d) / s->total;
  }
  for (ptrdiff_t a = 0; a < (ptrdiff_t)d * s->k; a++) cov[a] *= lambda;
}

/* ---- common shape and orientation, own size ---- */

void gm_mstep_vee(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                  double* work) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double* lambda = work;
  double* c = lambda + k; /* lower triangle */
  double* inverse = c + len;
  current_sizes(d, k, cov, len, d + 1, lambda);
  for (int turn = 0; turn < TURNS; turn++) {
    double moved = 0;
    if (gm_stop(bounds->engine, gm_cube(d))) return;
    memset(c, 0, (size_t)len * sizeof *c);
    for (int j = 0; j < k; j++)
      for (ptrdiff_t a = 0; a < len; a++) c[a] += s->s[a + s->stride * j] / lambda[j];
    memcpy(inverse, c, (size_t)len * sizeof *c);
    if (!gm_cholesky(inverse, d)) break; /* cov below is then on the floor */
    const double root = exp(2 * gm_sum_of_logs(inverse, d + 1, d) / d);
    for (ptrdiff_t a = 0; a < len; a++) c[a] /= root;
    gm_inverse(inverse, d);
    for (int j = 0; j < k; j++) {
      const double* w = s->s + s->stride * j;
      double trace = 0;
      for (int b = 0; b < d; b++)
        for (int a = b; a < d; a++)
          trace +=
              (a == b ? 1 : 2) * inverse[a + (ptrdiff_t)d * b] * w[a + (ptrdiff_t)d * b];
      trace *= root / (d * s->n[j]);
      moved = fmax(moved, fabs(trace / lambda[j] - 1));
      lambda[j] = trace;
    }
    if (moved < STILL) break;
  }
  for (int j = 0; j < k; j++) {
    for (ptrdiff_t a = 0; a < len; a++) cov[a + len * j] = lambda[j] * c[a];
    gm_mirror(cov + len * j, d);
  }
}

/* ---- own orientation ---- */

/* cov_j <- vectors_j diag(value) vectors_j' */
static void rebuild(double* cov, const double* vectors, const double* value,
                    double factor, int d) {
  for (int b = 0; b < d; b++) {
    double* to = cov + (ptrdiff_t)d * b;
    memset(to + b, 0, (size_t)(d - b) * sizeof *to);
    for (int e = 0; e < d; e++) {
      const double* axis = vectors + (ptrdiff_t)d * e;
      for (int a = b; a < d; a++) to[a] += axis[a] * value[e] * axis[b];
    }
    for (int a = b; a < d; a++) to[a] *= factor;
  }
  gm_mirror(cov, d);
}

/* Eigenvectors of each scatter into cov's place, eigenvalues (d x k, ascending) into value. */
static void eigen_scatters(const struct gm_scatter* s, const struct gm_bounds* bounds,
                           double* vectors, double* value, double* work) {
  const ptrdiff_t len = (ptrdiff_t)s->d * s->d;
  for (int j = 0; j < s->k; j++) {
    if (gm_stop(bounds->engine, gm_cube(s->d))) return;
    memcpy(vectors + len * j, s->s + s->stride * j, (size_t)len * sizeof *vectors);
    gm_eigen(vectors + len * j, s->d, 1, value + (ptrdiff_t)s->d * j, work);
  }
}

void gm_mstep_eev(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                  double* work) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double* value = work;
  double* shape = value + (ptrdiff_t)d * k;
  double* vectors = shape + d;
  eigen_scatters(s, bounds, vectors, value, vectors + len * k);
  for (int a = 0; a < d; a++) {
    shape[a] = 0;
    for (int j = 0; j < k; j++) shape[a] += value[a + (ptrdiff_t)d * j] / s->total;
  }
  for (int j = 0; j < k && !gm_stop(bounds->engine, gm_cube(d)); j++)
    rebuild(cov + len * j, vectors + len * j, shape, 1, d);
}

void gm_mstep_vev(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                  double* work) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double* value = work;
  double* lambda = value + (ptrdiff_t)d * k;
  double* shape = lambda + k;
  double* vectors = shape + d;
  current_sizes(d, k, cov, len, d + 1, lambda);
  eigen_scatters(s, bounds, vectors, value, vectors + len * k);
  by_turns(d, k, s->n, value, d, lambda, shape);
  for (int j = 0; j < k && !gm_stop(bounds->engine, gm_cube(d)); j++)
    rebuild(cov + len * j, vectors + len * j, shape, lambda[j], d);
}

void gm_mstep_evv(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                  double* work) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double lambda = 0;
  for (int j = 0; j < k; j++) {
    const double* w = s->s + s->stride * j;
    if (gm_stop(bounds->engine, gm_cube(d))) return;
    memcpy(work, w, (size_t)len * sizeof *work);
    const double root =
        gm_cholesky(work, d) ? exp(2 * gm_sum_of_logs(work, d + 1, d) / d) : 0;
    lambda += root / s->total;
    for (ptrdiff_t a = 0; a < len; a++) cov[a + len * j] = root > 0 ? w[a] / root : 0;
  }
  for (int j = 0; j < k; j++) {
    for (ptrdiff_t a = 0; a < len; a++) cov[a + len * j] *= lambda;
    gm_mirror(cov + len * j, d);
  }
}

/* ---- common orientation ---- */

/* The orientation that all cov_j share: the eigenvectors of a sum in which no two of them can
   cancel each other's eigenvalues; without covariances yet, those of the pooled scatter. */
static void current_orientation(const struct gm_scatter* s, const double* cov,
                                double* axes, double* work) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  memset(axes, 0, (size_t)len * sizeof *axes);
  for (int j = 0; j < k; j++) {
    const double* m = cov[0] > 0 ? cov + len * j : s->s + s->stride * j;
    double trace = 0;
    for (int a = 0; a < d; a++) trace += m[a + (ptrdiff_t)d * a];
    const double factor =
        cov[0] > 0 ? (1 + fmod(0.6180339887498949 * (j + 1), 1)) / trace : 1;
    for (ptrdiff_t a = 0; a < len; a++) axes[a] += factor * m[a];
  }
  gm_eigen(axes, d, 1, work, work + d);
}

/* The variances along the axes that are best for the turned scatters. */
static void best_values(const struct gm_scatter* s, int own_size, const double* turned,
                        double* value) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double lambda = 0;
  for (int j = 0; j < k; j++) {
    double* v = value + (ptrdiff_t)d * j;
    for (int a = 0; a < d; a++) v[a] = turned[a + (ptrdiff_t)d * a + len * j];
    if (own_size) {
      for (int a = 0; a < d; a++) v[a] /= s->n[j];
    } else {
      lambda += normalise(v, d) / s->total;
    }
  }
  for (ptrdiff_t a = 0; a < (ptrdiff_t)d * k && !own_size; a++) value[a] *= lambda;
}

/* Rotates each pair of axes by the angle t that is best for the values as they are: it minimises
   C cos 2t + S sin 2t, with p = 1 / value,
     C = sum_j (p_ja - p_jb) (b_aa - b_bb) / 2,   S = sum_j (p_ja - p_jb) b_ab.
   Returns the largest sin t. */
static double sweep_axes(const struct gm_scatter* s, const struct gm_bounds* bounds,
                         const double* value, double* turned, double* axes) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double largest = 0;
  for (int b = 1; b < d && !gm_stop(bounds->engine, 12.0 * k * d * b); b++)
    for (int a = 0; a < b; a++) {
      double cosine = 0, sine = 0;
      for (int j = 0; j < k; j++) {
        const double* m = turned + len * j;
        const double p =
            1 / value[a + (ptrdiff_t)d * j] - 1 / value[b + (ptrdiff_t)d * j];
        cosine += p * (m[a + (ptrdiff_t)d * a] - m[b + (ptrdiff_t)d * b]) / 2;
        sine += p * m[a + (ptrdiff_t)d * b];
      }
      const double angle = 0.5 * atan2(-sine, -cosine);
      const double ct = cos(angle), st = sin(angle);
      if (!(fabs(st) > 0)) continue;
      largest = fmax(largest, fabs(st));
      gm_rotate(axes, (ptrdiff_t)d * a, (ptrdiff_t)d * b, 1, d, ct, st);
      for (int j = 0; j < k; j++) {
        gm_rotate(turned + len * j, (ptrdiff_t)d * a, (ptrdiff_t)d * b, 1, d, ct, st);
        gm_rotate(turned + len * j, a, b, d, d, ct, st);
      }
    }
  return largest;
}

static void common_orientation(const struct gm_scatter* s, const struct gm_bounds* bounds,
                               int own_size, double* cov, double* work) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double* axes = work;
  double* value = axes + len;
  double* turned = value + (ptrdiff_t)d * k;
  double* spare = turned + len * k;
  current_orientation(s, cov, axes, spare);
  for (int j = 0; j < k && !gm_stop(bounds->engine, gm_cube(d)); j++)
    gm_turn(s->s + s->stride * j, axes, d, turned + len * j, spare);
  for (int sweep = 0; sweep < SWEEPS; sweep++) {
    best_values(s, own_size, turned, value);
    if (sweep_axes(s, bounds, value, turned, axes) < 1e-9) break;
    if (gm_stop(bounds->engine, INFINITY)) return;
  }
  best_values(s, own_size, turned, value);
  for (int j = 0; j < k && !gm_stop(bounds->engine, gm_cube(d)); j++)
    rebuild(cov + len * j, axes, value + (ptrdiff_t)d * j, 1, d);
}

void gm_mstep_eve(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                  double* work) {
  common_orientation(s, bounds, 0, cov, work);
}

void gm_mstep_vve(const struct gm_scatter* s, const struct gm_bounds* bounds, double* cov,
                  double* work) {
  common_orientation(s, bounds, 1, cov, work);
}

/* The largest of the above. */
ptrdiff_t gm_mstep_iter_work(int d, int k) {
  return (ptrdiff_t)d * d * (k + 3) + (ptrdiff_t)d * (k + 2) + 2 * k + gm_eigen_work(d);
}
