/* Acceleration of EM in the space of its expected statistics.

   The M-step takes moments s (weights, sums and scatter about fixed centres) to parameters, the
   E-step takes those to moments t. Let eta be the natural parameters, those that make the complete
   data's log density <eta, s> + const. As the M-step leaves <d eta, s> + d log prior = 0 for every
   change d eta within the family, the gradient of the objective is, by Fisher's identity,
     <d eta, t - s>,
   whatever the family, the prior, fixed or common parts. So with D for differences between
   successive iterates <D_i eta, D_j s> is their complete information and <D_i eta, D_j (s - t)> the
   observed one, and the objective over the span of the last few D_i is, to second order,
     <D_i eta, t - s> g_i - g' observed g / 2.
   It is maximised for steps no longer than a radius in the metric of the complete information,
   which also copes with saddles. At its maximum the E-step would find about t + sum_i g_i D_i t;
   the M-step of these moments is the next iterate: the best of a subspace, then a step of EM. (A
   Galerkin, or "type I Anderson", method with a trust region; on a quadratic the iterates are those
   of conjugate gradients that EM preconditions. Cf. Jamshidian & Jennrich 1997; Fang & Saad 2009.)

   The radius shrinks where a step fails, and grows where one brings what it promised. */
#include "accel.h"

#include <math.h>
#include <string.h>

#include "matrix.h"

/* Squared length of the longest first step, per unit of weight. */
#define REACH 0.05
/* A difference is left out if less than this part of it, squared, is new. */
#define NEW_PART 1e-8
#define KEEP 0.1
/* Less observed information, as a share of the complete, is none. */
#define FLAT 1e-12

enum { NEWTON = 40 };

static ptrdiff_t work_size(int d) {
  const ptrdiff_t natural = (ptrdiff_t)d * d + d, eigen = gm_eigen_work(GM_PAIRS);
  return natural > eigen ? natural : eigen;
}

ptrdiff_t gm_accel_size(const struct gm_family* family, int d, int k) {
  return (3 * GM_PAIRS + 4) * gm_stats_size(family, d, k) + gm_params_size(family, d, k) +
         (ptrdiff_t)d * k + work_size(d);
}

void gm_accel_init(struct gm_accel* a, const struct gm_params* params,
                   const struct gm_stats* stats, double* mem) {
  a->layout = *stats;
  double** const vectors[] = {&a->seen, &a->natural, &a->rest, &a->next};
  memset(mem, 0, 4 * (size_t)stats->size * sizeof *mem);
  for (int i = 0; i < 4; i++, mem += stats->size) *vectors[i] = mem;
  for (int i = 0; i < GM_PAIRS; i++, mem += 3 * stats->size) {
    a->pair[i].natural = mem;
    a->pair[i].seen = mem + stats->size;
    a->pair[i].rest = mem + 2 * stats->size;
  }
  a->centre = mem;
  a->work = gm_params_init(&a->held, params->family, params->d, params->k,
                           mem + (ptrdiff_t)params->d * params->k);
  gm_accel_clear(a);
}

void gm_accel_clear(struct gm_accel* a) {
  a->points = a->pairs = a->bold = 0;
  a->rate = NAN;
}

/* ---- moments and natural parameters ---- */

/* Statistics about the means -> moments about the centres. */
static void set_moments(const struct gm_accel* a, const double* mean,
                        const struct gm_stats* stats, double* out) {
  const int d = stats->d;
  const struct gm_stats s = gm_stats_at(stats, out);
  memcpy(out, stats->nk, (size_t)stats->size * sizeof *out);
  for (int j = 0; j < stats->k; j++) {
    const double* sum = stats->sum + (ptrdiff_t)d * j;
    double* scatter = s.scatter + s.stride * j;
    for (int b = 0; b < d; b++) {
      const ptrdiff_t at = b + (ptrdiff_t)d * j;
      const double shift = mean[at] - a->centre[at],
                   moment = sum[b] + stats->nk[j] * shift;
      s.sum[at] = moment;
      if (s.shape != GM_TRIANG) {
        scatter[b] += (sum[b] + moment) * shift;
        continue;
      }
      for (int c = b; c < d; c++) {
        const ptrdiff_t other = c + (ptrdiff_t)d * j;
        scatter[c + (ptrdiff_t)d * b] +=
            sum[c] * shift + (mean[other] - a->centre[other]) * moment;
      }
    }
  }
}

/* Lower triangle of -Sigma^-1 / 2, what is off the diagonal twice, as the scatter holds it once;
   returns log|Sigma|, NaN where it is not positive. */
static double invert(enum gm_shape shape, int d, const double* cov, double* out,
                     double* work) {
  if (shape != GM_TRIANG) {
    for (int a = 0; a < d; a++) out[a] = -0.5 / cov[shape == GM_DIAG ? a : 0];
    return shape == GM_DIAG ? gm_sum_of_logs(cov, 1, d) : d * log(cov[0]);
  }
  memcpy(work, cov, (size_t)d * d * sizeof *work);
  if (!gm_cholesky(work, d)) return NAN;
  const double logdet = 2 * gm_sum_of_logs(work, d + 1, d);
  gm_inverse(work, d);
  for (int b = 0; b < d; b++)
    for (int a = b; a < d; a++)
      out[a + (ptrdiff_t)d * b] = -work[a + (ptrdiff_t)d * b] * (a == b ? 0.5 : 1);
  return logdet;
}

/* z <- Sigma^-1 apart, of what invert() made. */
static void solve(enum gm_shape shape, int d, const double* inverse, const double* apart,
                  double* z) {
  for (int a = 0; a < d; a++)
    z[a] = -2 * inverse[shape == GM_TRIANG ? a + (ptrdiff_t)d * a : a] * apart[a];
  for (int b = 0; b < d && shape == GM_TRIANG; b++)
    for (int a = b + 1; a < d; a++) {
      z[a] -= inverse[a + (ptrdiff_t)d * b] * apart[b];
      z[b] -= inverse[a + (ptrdiff_t)d * b] * apart[a];
    }
}

/* Natural parameters (in variational Bayes the expected ones), each where the statistics have the
   moment that it goes with. */
static int set_natural(struct gm_accel* a, const struct gm_params* params,
                       const struct gm_bounds* bounds, double* out,
                       struct gm_error* err) {
  const int d = params->d;
  const enum gm_shape shape = params->family->shape;
  const ptrdiff_t stride = gm_cov_stride(params->family, d);
  const struct gm_stats n = gm_stats_at(&a->layout, out);
  double logdet = NAN, *apart = a->work + (shape == GM_TRIANG ? (ptrdiff_t)d * d : 0);
  const struct gm_prior* prior = bounds->prior;
  memset(out, 0, (size_t)n.size * sizeof *out);
  for (int j = 0; j < params->k; j++) n.nk[j] = log(params->prop[j]);
  if (prior && prior->posterior != GM_MODE) gm_vb_weights(prior, params, n.nk);
  if (params->prop[params->k] > 0) n.total[GM_NOISE] = log(params->prop[params->k]);
  for (int j = 0; j < params->k; j++) {
    double* scatter = n.scatter + n.stride * j;
    double* sum = n.sum + (ptrdiff_t)d * j;
    double square = 0;
    if (stride || j == 0)
      logdet = invert(shape, d, params->cov + stride * j, scatter, a->work);
    for (int b = 0; b < d; b++) {
      const ptrdiff_t at = b + (ptrdiff_t)d * j;
      apart[b] = params->mean[at] - a->centre[at];
    }
    solve(shape, d, scatter, apart, sum);
    for (int b = 0; b < d; b++) square += sum[b] * apart[b];
    n.nk[j] -= (logdet + square) / 2;
    if (!isfinite(n.nk[j])) *err = (struct gm_error){.code = GM_NOT_POSITIVE};
    if (shape == GM_TRIANG && gm_stop(bounds->engine, gm_cube(d)))
      *err = (struct gm_error){.code = GM_STOPPED};
    if (err->code) return err->code;
  }
  return GM_OK;
}

/* ---- the model of the objective ---- */

static double dot(const double* a, const double* b, ptrdiff_t n) {
  double sum[8] = {0}; /* chains that don't wait for each other */
  ptrdiff_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int lane = 0; lane < 8; lane++) sum[lane] += a[i + lane] * b[i + lane];
  for (; i < n; i++) sum[0] += a[i] * b[i];
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) +
         ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* fresh <- fresh - held, held <- fresh */
static void replace(double* fresh, double* held, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const double value = fresh[i];
    fresh[i] = value - held[i];
    held[i] = value;
  }
}

static void set_information(struct gm_accel* a, int i, int j) {
  const ptrdiff_t n = a->layout.size;
  const double rest = dot(a->pair[i].natural, a->pair[j].rest, n);
  a->observed[i][j] = -rest;
  a->complete[i][j] = dot(a->pair[i].natural, a->pair[j].seen, n) - rest;
}

/* The difference in the last place becomes the first. */
static void add_pair(struct gm_accel* a) {
  const struct gm_pair fresh = a->pair[GM_PAIRS - 1];
  for (int i = GM_PAIRS - 1; i > 0; i--) {
    a->pair[i] = a->pair[i - 1];
    for (int j = GM_PAIRS - 1; j > 0; j--) {
      a->observed[i][j] = a->observed[i - 1][j - 1];
      a->complete[i][j] = a->complete[i - 1][j - 1];
    }
  }
  a->pair[0] = fresh;
  if (a->pairs < GM_PAIRS) a->pairs++;
  for (int i = 0; i < a->pairs; i++) {
    set_information(a, i, 0);
    if (i) set_information(a, 0, i);
  }
}

/* The symmetric part of the first m rows. */
static void set_part(double from[GM_PAIRS][GM_PAIRS], int m, double* to) {
  for (int j = 0; j < m; j++)
    for (int i = j; i < m; i++) to[i + m * j] = (from[i][j] + from[j][i]) / 2;
}

/* How many of the differences, the latest first, are independent; root: the factor of their complete
   information. */
static int set_root(struct gm_accel* a, double* root) {
  for (int m = a->pairs; m > 0; m--) {
    set_part(a->complete, m, root);
    int sound = gm_cholesky(root, m);
    for (int i = 0; i < m && sound; i++) {
      const double pivot = root[i + m * i];
      sound = pivot * pivot > NEW_PART * a->complete[i][i];
    }
    if (sound) return m;
  }
  return 0;
}

/* Length of the step z / (value + more); slope: minus half the derivative of its square. */
static double length_of(const double* z, const double* value, int m, double more,
                        double* slope) {
  double sum = 0, cubes = 0;
  for (int i = 0; i < m; i++) {
    const double along = z[i] / (value[i] + more), square = along * along;
    sum += square;
    cubes += square / (value[i] + more);
  }
  *slope = cubes;
  return sqrt(sum);
}

/* The least `more`, from least on, by which the step is no longer than the radius, to a hundredth:
   Newton's steps for 1 / length, which is concave and nearly linear in it (More & Sorensen 1983),
   so that they come from below. */
static double damping(const double* z, const double* value, int m, double least,
                      double radius) {
  double more = least, slope;
  for (int i = 0; i < NEWTON; i++) {
    const double length = length_of(z, value, m, more, &slope);
    if (!(length > radius * (i ? 1.01 : 1))) break;
    more += (length / radius - 1) * length * length / slope;
  }
  return more;
}

/* next <- the E-step's moments at the best point that the model knows. */
static void plan(struct gm_accel* a) {
  double root[GM_PAIRS * GM_PAIRS] = {0}, part[GM_PAIRS * GM_PAIRS] = {0};
  double axes[GM_PAIRS * GM_PAIRS], value[GM_PAIRS], z[GM_PAIRS], step[GM_PAIRS];
  const ptrdiff_t size = a->layout.size;
  const int m = set_root(a, root);
  a->bold = m;
  if (m == 0) return;
  set_part(a->observed, m, part);
  gm_whiten(part, root, m, axes);
  gm_eigen(axes, m, 1, value, a->work);
  /* the gradient along the axes */
  for (int i = 0; i < m; i++) {
    step[i] = dot(a->pair[i].natural, a->rest, size);
    for (int j = 0; j < i; j++) step[i] -= root[i + m * j] * step[j];
    step[i] /= root[i + m * i];
  }
  for (int i = 0; i < m; i++) z[i] = dot(axes + m * i, step, m);
  a->rate = 1 - value[0];
  const double least = value[0] > FLAT ? 0 : FLAT - value[0];
  const double more = damping(z, value, m, least, a->radius);
  double slope;
  a->length = length_of(z, value, m, more, &slope);
  a->cut = more > 0;
  a->promise = 0;
  for (int i = 0; i < m; i++) {
    const double along = z[i] / (value[i] + more);
    a->promise += along * (z[i] - value[i] * along / 2);
    z[i] = along;
  }
  /* and back */
  for (int i = m - 1; i >= 0; i--) {
    step[i] = 0;
    for (int j = 0; j < m; j++) step[i] += axes[i + m * j] * z[j];
    for (int j = i + 1; j < m; j++) step[i] -= root[j + m * i] * step[j];
    step[i] /= root[i + m * i];
  }
  double share = 1; /* no weight may fall to less than KEEP of itself */
  for (int j = 0; j <= a->layout.k; j++) {
    const ptrdiff_t at = j < a->layout.k ? j : size - GM_TOTALS + GM_NOISE;
    double loss = 0;
    for (int i = 0; i < m; i++) loss -= step[i] * a->pair[i].seen[at];
    if (loss > (1 - KEEP) * a->seen[at])
      share = fmin(share, (1 - KEEP) * a->seen[at] / loss);
  }
  for (int i = 0; i < m; i++)
    for (ptrdiff_t at = 0; at < size; at++)
      a->next[at] += share * step[i] * a->pair[i].seen[at];
}

/* ---- the door ---- */

/* Has the M-step of next exchanged components? */
static int exchanged(const struct gm_accel* a, const struct gm_prior* prior) {
  for (int j = 1; j < a->layout.k && prior && prior->sorted; j++)
    if (a->next[j] > a->next[j - 1]) return 1;
  return 0;
}

int gm_accel_take(struct gm_accel* a, const struct gm_params* params,
                  const struct gm_stats* stats, const struct gm_bounds* bounds,
                  struct gm_error* err) {
  const ptrdiff_t size = stats->size;
  const struct gm_pair fresh = a->pair[GM_PAIRS - 1];
  if (a->points && exchanged(a, bounds->prior)) gm_accel_clear(a);
  if (a->points == 0) {
    memcpy(a->centre, params->mean, (size_t)params->d * params->k * sizeof *a->centre);
    a->radius = sqrt(REACH * stats->total[GM_WEIGHT]);
  }
  set_moments(a, params->mean, stats, fresh.seen);
  if (set_natural(a, params, bounds, fresh.natural, err)) return err->code;
  for (ptrdiff_t i = 0; i < size; i++) fresh.rest[i] = fresh.seen[i] - a->next[i];
  replace(fresh.seen, a->seen, size);
  replace(fresh.natural, a->natural, size);
  replace(fresh.rest, a->rest, size);
  if (a->points > 1) add_pair(a);
  a->points++;
  gm_accel_plain(a);
  plan(a);
  return GM_OK;
}

void gm_accel_plain(struct gm_accel* a) {
  memcpy(a->next, a->seen, (size_t)a->layout.size * sizeof *a->next);
  a->bold = 0;
}

int gm_accel_mstep(struct gm_accel* a, const struct gm_bounds* bounds,
                   struct gm_params* params, double* work, struct gm_error* err) {
  const struct gm_stats s = gm_stats_at(&a->layout, a->next);
  gm_params_copy(params, &a->held);
  memcpy(params->mean, a->centre, (size_t)s.d * s.k * sizeof *a->centre);
  if (gm_mstep(&s, bounds, params, work, err)) gm_params_copy(params, &a->held);
  return err->code;
}

void gm_accel_learn(struct gm_accel* a, double gain) {
  if (!(gain >= 0)) {
    a->radius = a->length / 4;
  } else if (a->cut && gain > a->promise / 2) {
    a->radius *= 2;
  }
}
