/* M-steps of the families that share a part of the covariance and let another part vary
   (Celeux & Govaert 1995, section 4; vignette "families", sections "Closed forms", "By turns" and
   "A common orientation"). With Sigma_j = lambda_j D_j A_j D_j', det A_j = 1, each minimises
     F = sum_j { n_j log det Sigma_j + tr(Sigma_j^-1 W_j) },
   W_j the scatter of component j: in closed form, or by turns over the parts until they stand
   still. Each turn lowers F, so EM stays monotone. For a common orientation (EVE, VVE) the turns
   are of two axes at a time, by the angle that is best for the pair, starting from the current
   orientation (a common-principal-components step, cf. Flury & Gautschi 1986; Browne & McNicholas
   2014 give another).

   The floor is not kept here: gm_mstep() takes back a step that crosses it, and one that gm_stop()
   cuts short. */
#include <math.h>
#include <string.h>

#include "family.h"
#include "matrix.h"

enum { TURNS = 200, SWEEPS = 30, PAIR_TURNS = 3 };
#define STILL 1e-12
#define SETTLED 1e-13 /* fall of F in a sweep, per unit of weight */

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

/* The scatters along common axes, packed lower triangles: element (a, b) of all of them together,
   filled up to whole lanes with unit matrices that have no weight, so that loops of a known count
   become vector code. */
enum { LANES = 4 };

static int filled(int k) { return (k + LANES - 1) / LANES * LANES; }

static double* element(double* turned, int k, int a, int b) {
  const ptrdiff_t high = a > b ? a : b, low = a > b ? b : a;
  return turned + filled(k) * (high * (high + 1) / 2 + low);
}

static void turn_scatters(const struct gm_scatter* s, const struct gm_bounds* bounds,
                          const double* axes, double* turned, double* work) {
  const int d = s->d, k = s->k;
  for (int j = 0; j < filled(k); j++) {
    if (gm_stop(bounds->engine, gm_cube(d))) return;
    if (j < k) gm_turn(s->s + s->stride * j, axes, d, work, work + (ptrdiff_t)d * d);
    for (int a = 0; a < d; a++)
      for (int b = 0; b <= a; b++)
        element(turned, k, a, b)[j] = j < k ? work[a + (ptrdiff_t)d * b] : a == b;
  }
}

/* The variances along the axes that are best for the turned scatters. */
static void best_values(const struct gm_scatter* s, int own_size, double* turned,
                        double* value) {
  const int d = s->d, k = s->k;
  double lambda = 0;
  for (int j = 0; j < k; j++) {
    double* v = value + (ptrdiff_t)d * j;
    for (int a = 0; a < d; a++) v[a] = element(turned, k, a, a)[j];
    if (own_size) {
      for (int a = 0; a < d; a++) v[a] /= s->n[j];
    } else {
      lambda += normalise(v, d) / s->total;
    }
  }
  for (ptrdiff_t a = 0; a < (ptrdiff_t)d * k && !own_size; a++) value[a] *= lambda;
}

static void turn_pair(double* x, double* y, int count, double c, double s) {
  for (int j = 0; j < count; j += LANES) {
    double a[LANES], b[LANES];
    for (int l = 0; l < LANES; l++) a[l] = x[j + l];
    for (int l = 0; l < LANES; l++) b[l] = y[j + l];
    for (int l = 0; l < LANES; l++) x[j + l] = c * a[l] + s * b[l];
    for (int l = 0; l < LANES; l++) y[j + l] = c * b[l] - s * a[l];
  }
}

/* The best turn of two axes, in which the scatters are aa, ab, bb: in and out. With the variances
   aa / w and bb / w as they are, F goes by angle t as C cos 2t + S sin 2t,
     C = -sum w (aa - bb)^2 / (2 aa bb) <= 0,   S = -sum w (aa - bb) ab / (aa bb),
   least where 2t points against (C, S); then with the new variances, a few times: these loops cost
   little next to the turn of all else. w: n, or where the shapes have one volume the roots of the
   determinants, which go on by r^(1/d) (its Pade approximant, made good before each sweep).
   Returns by how much F falls. */
static double best_turn(int count, double power, double* w, double* aa, double* bb,
                        double* ab, double* cosine, double* sine) {
  double fall = 0;
  *cosine = 1;
  *sine = 0;
  for (int i = 0; i < PAIR_TURNS; i++) {
    double sum_c[LANES] = {0}, sum_s[LANES] = {0};
    for (int j = 0; j < count; j += LANES) {
      double apart[LANES], p[LANES];
      for (int l = 0; l < LANES; l++) apart[l] = aa[j + l] - bb[j + l];
      for (int l = 0; l < LANES; l++)
        p[l] = w[j + l] * apart[l] / (aa[j + l] * bb[j + l]);
      for (int l = 0; l < LANES; l++) sum_c[l] -= p[l] * apart[l];
      for (int l = 0; l < LANES; l++) sum_s[l] -= p[l] * ab[j + l];
    }
    const double at_c = (sum_c[0] + sum_c[1] + (sum_c[2] + sum_c[3])) / 2;
    const double at_s = sum_s[0] + sum_s[1] + (sum_s[2] + sum_s[3]);
    const double length = sqrt(at_c * at_c + at_s * at_s);
    if (!(length > 0)) break;
    const double c = sqrt((1 - at_c / length) / 2), s = -at_s / length / (2 * c);
    const double gain = at_s * at_s / (length - at_c);
    const double cc = c * c, ss = s * s, cs = c * s;
    for (int j = 0; j < count; j += LANES) {
      double a[LANES], b[LANES], off[LANES], product[LANES], more[LANES];
      for (int l = 0; l < LANES; l++) a[l] = aa[j + l];
      for (int l = 0; l < LANES; l++) b[l] = bb[j + l];
      for (int l = 0; l < LANES; l++) off[l] = ab[j + l];
      for (int l = 0; l < LANES; l++) aa[j + l] = cc * a[l] + ss * b[l] + 2 * cs * off[l];
      for (int l = 0; l < LANES; l++) bb[j + l] = cc * b[l] + ss * a[l] - 2 * cs * off[l];
      for (int l = 0; l < LANES; l++) ab[j + l] = (cc - ss) * off[l] - cs * (a[l] - b[l]);
      if (power == 0) continue;
      for (int l = 0; l < LANES; l++) product[l] = a[l] * b[l];
      for (int l = 0; l < LANES; l++)
        more[l] = (aa[j + l] * bb[j + l] - product[l]) / product[l] / 2;
      for (int l = 0; l < LANES; l++)
        w[j + l] *= (1 + more[l] * (1 + power)) / (1 + more[l] * (1 - power));
    }
    const double before = *cosine;
    *cosine = before * c - *sine * s;
    *sine = *sine * c + before * s;
    fall += gain;
    if (!(gain > 0.01 * fall)) break;
  }
  return fall;
}

/* Turns each pair of axes; returns by how much F falls. */
static double sweep_axes(const struct gm_scatter* s, const struct gm_bounds* bounds,
                         double power, double* w, double* turned, double* axes) {
  const int d = s->d, k = s->k, count = filled(k);
  double fall = 0;
  for (int b = 1; b < d && !gm_stop(bounds->engine, 6.0 * k * d * b); b++)
    for (int a = 0; a < b; a++) {
      double cosine, sine;
      fall +=
          best_turn(count, power, w, element(turned, k, a, a), element(turned, k, b, b),
                    element(turned, k, a, b), &cosine, &sine);
      if (sine == 0) continue;
      gm_rotate(axes, (ptrdiff_t)d * a, (ptrdiff_t)d * b, 1, d, cosine, sine);
      for (int e = 0; e < d; e++)
        if (e != a && e != b)
          turn_pair(element(turned, k, a, e), element(turned, k, b, e), count, cosine,
                    sine);
    }
  return fall;
}

/* The weights for a sweep; returns their sum. */
static double sweep_weights(const struct gm_scatter* s, int own_size, double* turned,
                            double* value, double* w) {
  double sum = 0;
  for (int j = 0; j < filled(s->k); j++) {
    w[j] = 0;
    if (j < s->k && own_size) w[j] = s->n[j];
    if (j < s->k && !own_size) {
      for (int a = 0; a < s->d; a++) value[a] = element(turned, s->k, a, a)[j];
      w[j] = normalise(value, s->d);
    }
    sum += w[j];
  }
  return sum;
}

static void common_orientation(const struct gm_scatter* s, const struct gm_bounds* bounds,
                               int own_size, double* cov, double* work) {
  const int d = s->d, k = s->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double* axes = work;
  double* value = axes + len;
  double* w = value + (ptrdiff_t)d * k;
  double* turned = w + filled(k);
  double* spare = turned + filled(k) * (len + d) / 2;
  current_orientation(s, cov, axes, spare);
  turn_scatters(s, bounds, axes, turned, spare);
  for (int sweep = 0; sweep < SWEEPS; sweep++) {
    const double weight = sweep_weights(s, own_size, turned, value, w);
    const double fall = sweep_axes(s, bounds, own_size ? 0 : 1. / d, w, turned, axes);
    if (!(fall > SETTLED * weight)) break;
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
  const ptrdiff_t scatters = k > filled(k) / 2 ? k : filled(k) / 2;
  return (ptrdiff_t)d * d * (scatters + 3) + (ptrdiff_t)d * (filled(k) + 2) +
         3 * filled(k) + gm_eigen_work(d);
}
