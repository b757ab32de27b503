/* Tests and times the kernels of src/core without R.

     cc -O2 -Wall -Wextra -Wpedantic -o driver tools/core_driver.c src/core/kernel*.c \
        src/core/block.c src/core/reach.c src/core/random.c -lm
     ./driver                       tests every path that runs here against the reference
                                    and long double; exit status 1 on a failure
     ./driver time                  ms per pass of each stage, one thread, P1 to P4
     ./driver time avx2 "P3 full"   ... of one path, one workload

   Also to be run under -fsanitize=address,undefined. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "../src/core/gm.h"

static const char* const paths[] = {"baseline", "avx2", "avx512"};
enum { N_PATHS = 3 };

static long checks, failures;

static void check(int ok, const char* path, const char* what, double got, double want) {
  checks++;
  if (ok) return;
  if (failures++ < 20) printf("FAILED %s, %s: %.17g, not %.17g\n", path, what, got, want);
}

static int near(double got, double want, double relative, double absolute) {
  if (got == want) return 1;
  return fabs(got - want) <= relative * fabs(want) + absolute;
}

static double* reals(ptrdiff_t n) {
  void* p = NULL;
  if (posix_memalign(&p, 64, (size_t)(n > 0 ? n : 1) * sizeof(double))) abort();
  return p;
}

/* ---- random input ------------------------------------------------------------------ */

static uint64_t state = 1;

static double uniform(void) { /* in (0, 1) */
  state = state * 6364136223846793005u + 1442695040888963407u;
  return ((double)(state >> 12) + 0.5) * 0x1p-52;
}

static double normal(void) {
  return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

struct problem {
  struct gm_factors f;
  struct gm_stats stats;
  ptrdiff_t ld, m, cov;
  double *x, *w, *maha, *resp, *lse, *work, *mean;
  int* label;
};

static ptrdiff_t cov_length(enum gm_shape shape, ptrdiff_t d) {
  return shape == GM_TRIANG ? d * d : shape == GM_DIAG ? d : 1;
}

static void stats_zero(struct gm_stats* s) {
  memset(s->nk, 0, (size_t)s->size * sizeof(double));
}

static void stats_layout(struct gm_stats* s, enum gm_shape shape, int shared, int d,
                         int k) {
  const ptrdiff_t length = shape == GM_TRIANG ? (ptrdiff_t)d * d : d;
  s->shape = shape;
  s->d = d;
  s->k = k;
  s->stride = shared ? 0 : length;
  s->size = 2 * k + (ptrdiff_t)d * k + length * (shared ? 1 : k) + 2;
  s->nk = reals(s->size);
  s->nk2 = s->nk + k;
  s->sum = s->nk2 + k;
  s->scatter = s->sum + (ptrdiff_t)d * k;
  s->total = s->scatter + length * (shared ? 1 : k);
  stats_zero(s);
}

/* Components sep apart, rows drawn from them. Values are multiples of 2^-20. */
static struct problem problem(enum gm_shape shape, int shared, ptrdiff_t m, ptrdiff_t gap,
                              int d, int k, double sep) {
  struct problem p = {.ld = m + gap, .m = m};
  const ptrdiff_t n_cov = shared ? 1 : k;
  p.cov = cov_length(shape, d);
  p.mean = reals((ptrdiff_t)d * k);
  p.f = (struct gm_factors){.shape = shape, .d = d, .k = k, .stride = shared ? 0 : p.cov};
  p.f.logc = reals(k + 1);
  p.f.mean = p.mean;
  p.f.factor = reals(p.cov * n_cov);
  p.x = reals(p.ld * d);
  p.w = reals(m);
  p.label = calloc((size_t)m, sizeof(int));
  p.maha = reals(m * (k + 1));
  p.resp = reals(m * (k + 1));
  p.lse = reals(m);
  p.work = reals(gm_kernel_work(d, k));
  for (ptrdiff_t e = 0; e < (ptrdiff_t)d * k; e++) {
    p.mean[e] = round(sep * normal() * 0x1p20) * 0x1p-20;
  }
  for (ptrdiff_t c = 0; c < n_cov; c++) {
    double* l = p.f.factor + p.cov * c;
    for (ptrdiff_t e = 0; e < p.cov; e++) l[e] = 0.6 + 0.8 * uniform();
    if (shape != GM_TRIANG) continue;
    for (ptrdiff_t b = 0; b < d; b++) {
      for (ptrdiff_t a = 0; a < d; a++) {
        if (a > b) l[a + d * b] = 0.5 / sqrt(d) * normal();
        if (a < b) l[a + d * b] = NAN; /* must not be read */
      }
    }
  }
  for (int j = 0; j <= k; j++) p.f.logc[j] = -log(k) - uniform();
  for (ptrdiff_t i = 0; i < m; i++) {
    const ptrdiff_t j = (ptrdiff_t)(uniform() * k);
    for (ptrdiff_t a = 0; a < d; a++) {
      p.x[i + p.ld * a] = p.mean[a + d * j] + round(normal() * 0x1p20) * 0x1p-20;
    }
    p.w[i] = 0.25 + 2 * uniform();
    p.label[i] = 0;
  }
  for (ptrdiff_t a = 0; a < d; a++) { /* between the columns: must not be read */
    for (ptrdiff_t i = m; i < p.ld; i++) p.x[i + p.ld * a] = NAN;
  }
  stats_layout(&p.stats, shape, shared, d, k);
  return p;
}

static void problem_free(struct problem* p) {
  free(p->mean);
  free(p->f.logc);
  free(p->f.factor);
  free(p->x);
  free(p->w);
  free(p->label);
  free(p->maha);
  free(p->resp);
  free(p->lse);
  free(p->work);
  free(p->stats.nk);
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_stages(const struct gm_kernel* kernel, enum gm_shape shape, int shared,
                        ptrdiff_t m, int d, int k, double sep) {
  const struct gm_kernel* ref = gm_kernel_find("reference");
  struct problem p = problem(shape, shared, m, 3, d, k, sep);
  struct gm_stats want;
  const double* const no_weights = NULL;
  stats_layout(&want, shape, shared, d, k);

  kernel->distance[shape](&p.f, p.x, p.ld, (int)m, p.maha, p.work);
  ref->distance[shape](&p.f, p.x, p.ld, (int)m, p.resp, p.work);
  for (ptrdiff_t e = 0; e < m * k; e++) {
    check(near(p.maha[e], p.resp[e], 1e-14 * (4 + d), 0), kernel->name, "maha", p.maha[e],
          p.resp[e]);
  }

  for (int weighted = 0; weighted < 2; weighted++) {
    const double* w = weighted ? p.w : no_weights;
    for (ptrdiff_t i = 0; weighted && i < m; i++) {
      if (i % 7 == 3) p.w[i] = 0;
    }
    for (int skip = 0; skip < 2; skip++) { /* all of a component's resp 0 */
      double* resp = reals(m * k);
      for (ptrdiff_t e = 0; e < m * k; e++) resp[e] = skip && e < m ? 0 : uniform();
      for (ptrdiff_t i = 0; weighted && i < m; i++) {
        for (ptrdiff_t j = 0; j < k; j++) resp[i + m * j] *= p.w[i];
      }
      stats_zero(&p.stats);
      stats_zero(&want);
      kernel->accumulate[shape](&p.f, p.x, p.ld, (int)m, w, resp, &p.stats, p.work);
      ref->accumulate[shape](&p.f, p.x, p.ld, (int)m, w, resp, &want, p.work);
      for (ptrdiff_t e = 0; e < want.size; e++) {
        /* sums of signed terms: relative to the sum of their absolute values */
        const double scale = e < 2 * k ? 0 : (double)m * (1 + sep) * (1 + sep) * k;
        check(near(p.stats.nk[e], want.nk[e], 1e-13, 1e-14 * scale), kernel->name,
              "stats", p.stats.nk[e], want.nk[e]);
      }
      free(resp);
    }
  }
  free(want.nk);
  problem_free(&p);
}

/* Bounds and distances of some rows, and what the screen leaves out: the others' bits stay. */
static void test_screen(const struct gm_kernel* kernel, int shared, ptrdiff_t m, int d,
                        int k, double sep) {
  struct problem p = problem(GM_TRIANG, shared, m, 3, d, k, sep);
  double* prop = reals(k + 1);
  for (int j = 0; j <= k; j++) prop[j] = j < k ? 1.0 / k : 0;
  p.f.prop = prop;
  p.f.screen = (float*)reals(p.cov * k);
  p.f.trust = reals(k + 2 * d);
  for (int j = 0; j < k; j++) gm_screen_set(&p.f, j, p.f.trust + k);
  kernel->distance[GM_TRIANG](&p.f, p.x, p.ld, (int)m, p.maha, p.work);
  for (int depth = 0; depth <= d; depth += d / 4 + 1) {
    kernel->least(&p.f, depth, p.x, p.ld, (int)m, p.resp, p.work);
    for (ptrdiff_t e = 0; e < m * k; e++) {
      check(p.resp[e] >= 0 && p.resp[e] <= p.maha[e], kernel->name, "bound", p.resp[e],
            p.maha[e]);
    }
  }
  kernel->least(&p.f, d, p.x, p.ld, (int)m, p.resp, p.work);
  for (ptrdiff_t e = 0; e < m * k; e++) { /* most of it, too */
    check(p.resp[e] >= 0.25 * p.maha[e], kernel->name, "tight bound", p.resp[e],
          p.maha[e]);
  }
  int* row = calloc((size_t)m, sizeof *row);
  for (ptrdiff_t i = 0; i < m; i++) row[i] = (int)((7 * i + 3) % m);
  for (int j = 0; j < k; j++) {
    kernel->some(&p.f, j, p.x, p.ld, row, (int)m, p.resp, p.work);
    for (ptrdiff_t i = 0; i < m; i++) {
      check(p.resp[i] == p.maha[row[i] + m * j], kernel->name, "distance of some",
            p.resp[i], p.maha[row[i] + m * j]);
    }
  }
  double* reach = reals(k + 1);
  const struct gm_block block = {.pattern = -1,
                                 .rows = (int)m,
                                 .m = (int)m,
                                 .x = p.x,
                                 .ld = p.ld,
                                 .maha = p.resp,
                                 .reach = reach,
                                 .lse = p.lse,
                                 .component = row,
                                 .work = p.work};
  const struct gm_rows rows = {
      .n = m, .ld = p.ld, .d = d, .x = p.x, .source = GM_POSTERIOR};
  double* work = reals(gm_screen_work(d, k));
  const int chosen = gm_screen_depth(&rows, &p.f, kernel, work);
  check(m < 2048 || (sep >= 3 ? chosen > 0 : chosen == 0), kernel->name, "depth", chosen,
        sep);
  ptrdiff_t left_out = 0;
  for (int depth = d / 3; depth <= d; depth += d / 3) {
    gm_block_reach(kernel, &p.f, depth, &block);
    for (ptrdiff_t i = 0; i < m; i++) {
      double most = -INFINITY;
      for (int j = 0; j < k; j++) most = fmax(most, p.f.logc[j] - p.maha[i + m * j] / 2);
      for (int j = 0; j < k; j++) {
        const double got = p.resp[i + m * j], want = p.maha[i + m * j];
        const int out = !(want * GM_REACH <= reach[j] - most);
        check(got == want || (got == INFINITY && out), kernel->name, "screened", got,
              want);
        left_out += got != want;
      }
    }
  }
  check(sep < 3 || left_out > m, kernel->name, "left out", (double)left_out, (double)m);
  free(prop);
  free(p.f.screen);
  free(p.f.trust);
  free(row);
  free(reach);
  free(work);
  problem_free(&p);
}

/* Terms of one row, extended precision, cut as the kernels cut. */
static long double posterior_row(const double* logc, int cols, ptrdiff_t m,
                                 const double* maha, long double* r) {
  long double most = -INFINITY, sum = 0;
  for (ptrdiff_t j = 0; j < cols; j++) {
    r[j] = (long double)logc[j] - (long double)maha[m * j] / 2;
    if (r[j] > most) most = r[j];
  }
  for (ptrdiff_t j = 0; j < cols; j++) {
    r[j] = most == -INFINITY ? 0 : expl(r[j] - most);
    sum += r[j];
  }
  for (ptrdiff_t j = 0; j < cols && sum > 0; j++) r[j] /= sum;
  return sum > 0 ? most + logl(sum) : (long double)-INFINITY;
}

static void test_posterior(const struct gm_kernel* kernel, ptrdiff_t m, int cols,
                           double spread, int special) {
  const struct gm_kernel* ref = gm_kernel_find("reference");
  double *maha = reals(m * cols), *got = reals(m * cols), *want = reals(m * cols);
  double *logc = reals(cols), *reach = reals(cols), *w = reals(m), *lse = reals(m),
         *lse_want = reals(m);
  long double* exact = malloc((size_t)cols * sizeof *exact);
  int* label = malloc((size_t)m * sizeof *label);
  for (int j = 0; j < cols; j++) {
    logc[j] = -3 * uniform();
    reach[j] = spread / 8;
  }
  for (ptrdiff_t e = 0; e < m * cols; e++) maha[e] = spread * uniform();
  for (ptrdiff_t i = 0; i < m; i++) {
    w[i] = i % 5 == 2 ? 0 : 3 * uniform();
    label[i] = i % 3 == 1 ? 1 + (int)(i % cols) : 0;
  }
  if (special) {
    logc[cols / 2] = -INFINITY;
    for (ptrdiff_t i = 0; i < m; i += 3) {
      for (ptrdiff_t j = 0; j < cols; j++) maha[i + m * j] = INFINITY;
      if (i % 2) maha[i + m * (i % cols)] = 1;
    }
    for (ptrdiff_t i = 1; i < m; i += 3) maha[i + m * (i % cols)] = 1e300;
  }
  for (int mode = 0; mode < 16; mode++) {
    const double* weights = mode & 1 ? w : NULL;
    const int* known = mode & 2 ? label : NULL;
    double* out = mode & 4 ? lse : NULL;
    const double* within = mode & 8 ? reach : NULL;
    memcpy(got, maha, (size_t)(m * cols) * sizeof *got);
    memcpy(want, maha, (size_t)(m * cols) * sizeof *got);
    const double total =
        kernel->posterior(logc, cols, (int)m, weights, known, within, got, out);
    const double total_want =
        ref->posterior(logc, cols, (int)m, weights, known, within, want, lse_want);
    check(near(total, total_want, 1e-13, 1e-13 * (double)m), kernel->name, "total", total,
          total_want);
    for (ptrdiff_t e = 0; e < m * cols; e++) {
      check(near(got[e], want[e], 1e-15 * (8 + 2 * spread), 1e-51), kernel->name, "resp",
            got[e], want[e]);
    }
    for (ptrdiff_t i = 0; i < m; i++) {
      if (out) {
        check(near(lse[i], lse_want[i], 4e-16, 1e-15), kernel->name, "lse", lse[i],
              lse_want[i]);
      }
      double sum = 0;
      for (ptrdiff_t j = 0; j < cols; j++) sum += got[i + m * j];
      const double weight = weights ? w[i] : 1;
      const int none = lse_want[i] == -INFINITY && !(known && known[i]);
      check(within ? sum <= weight * (1 + 1e-15 * cols)
                   : near(sum, none ? 0 : weight, 1e-15 * cols, 0),
            kernel->name, "sum of resp", sum, weight);
    }
    if (mode != 4 || special) continue;
    for (ptrdiff_t i = 0; i < m; i++) {
      const long double logf = posterior_row(logc, cols, m, maha + i, exact);
      const double rounding = 2.3e-16 * (3 + spread); /* of the terms */
      check(near(lse[i], (double)logf, 0, 2 * rounding), kernel->name, "exact lse",
            lse[i], (double)logf);
      for (ptrdiff_t j = 0; j < cols; j++) {
        check(near(got[i + m * j], (double)exact[j], 2.3e-16 * 4 + 2 * rounding, 1e-51),
              kernel->name, "exact resp", got[i + m * j], (double)exact[j]);
      }
    }
  }
  free(maha);
  free(got);
  free(want);
  free(logc);
  free(reach);
  free(w);
  free(lse);
  free(lse_want);
  free(exact);
  free(label);
}

/* exp and log through the contract. Two columns: the quotient of their posteriors is
   exp(-t), and the log density log(1 + exp(-t)); equal columns: log(cols). */
static void test_functions(const struct gm_kernel* kernel) {
  enum { M = 1024 };
  const double eps = 0x1p-52;
  double *maha = reals(2 * M), *lse = reals(M), *u = reals(2 * M);
  const double logc[2] = {0, 0};
  double worst_exp = 0, worst_log = 0, worst_normal = 0;
  for (int rep = 0; rep < 200; rep++) {
    const double range = rep % 2 ? 2 : 2 * GM_CUT;
    for (ptrdiff_t i = 0; i < M; i++) {
      maha[i] = 0;
      maha[M + i] = lse[i] = range * uniform();
    }
    double t[M];
    memcpy(t, lse, sizeof t);
    kernel->posterior(logc, 2, M, NULL, NULL, NULL, maha, lse);
    for (ptrdiff_t i = 0; i < M; i++) {
      const long double e = expl(-(long double)t[i] / 2);
      const double error_exp = (double)fabsl(maha[M + i] / (maha[i] * e) - 1) / eps;
      const double error_log = (double)fabsl(lse[i] - log1pl(e)) / eps;
      if (error_exp > worst_exp) worst_exp = error_exp;
      if (error_log > worst_log) worst_log = error_log;
    }
    for (ptrdiff_t i = 0; i < 2 * M; i++)
      u[i] = rep ? uniform() : ldexp(uniform(), -(int)(i % 53));
    double v[2 * M];
    memcpy(v, u, sizeof v);
    kernel->normals(u, M);
    for (ptrdiff_t i = 0; i < M; i++) {
      const long double radius = sqrtl(-2 * logl(v[i]));
      const long double angle = 6.283185307179586476925286766559L * v[M + i];
      const double error_cos = (double)fabsl(u[i] - radius * cosl(angle));
      const double error_sin = (double)fabsl(u[M + i] - radius * sinl(angle));
      if (error_cos > worst_normal) worst_normal = error_cos;
      if (error_sin > worst_normal) worst_normal = error_sin;
    }
  }
  printf("%-9s exp %.2f eps (a quotient of two), log %.2f eps, normals %.2g\n",
         kernel->name, worst_exp, worst_log, worst_normal);
  check(worst_exp < 2, kernel->name, "error of exp in eps", worst_exp, 2);
  check(worst_log < 1.5, kernel->name, "error of log in eps", worst_log, 1.5);
  check(worst_normal < 4e-15, kernel->name, "error of normals", worst_normal, 4e-15);

  double edge[2 * GM_PAD]; /* both sides of the cut */
  for (int i = 0; i < GM_PAD; i++) {
    edge[i] = 0;
    edge[GM_PAD + i] = 2 * GM_CUT * (i % 2 ? 1 + eps : 1);
  }
  kernel->posterior(logc, 2, GM_PAD, NULL, NULL, NULL, edge, NULL);
  for (int i = 0; i < GM_PAD; i++) {
    const double want = i % 2 ? 0 : exp(-GM_CUT);
    check(near(edge[GM_PAD + i], want, 1e-15, 0), kernel->name, "cut", edge[GM_PAD + i],
          want);
  }

  enum { COLS = 1000000 }; /* no overflow in products of sums */
  double *wide = reals((ptrdiff_t)COLS * GM_PAD), *zero = reals(COLS);
  memset(wide, 0, (size_t)COLS * GM_PAD * sizeof *wide);
  memset(zero, 0, COLS * sizeof *zero);
  const double total =
      kernel->posterior(zero, COLS, GM_PAD, NULL, NULL, NULL, wide, NULL);
  check(near(total, GM_PAD * log(COLS), 1e-14, 0), kernel->name, "log of a million",
        total, GM_PAD * log(COLS));
  free(wide);
  free(zero);
  free(maha);
  free(lse);
  free(u);
}

/* Uniforms to the bit, what is made of them to rounding. */
static void test_random(const struct gm_kernel* kernel, int d, int k) {
  enum { M = 96, ROWS = 77 };
  const struct gm_kernel* ref = gm_kernel_find("reference");
  const uint64_t key = 0xfedcba9876543210u, first = 0xfffffff0u; /* past 32 bits */
  const ptrdiff_t high = gm_root_rows(d), length = high * d;
  double got[2 * M], want[2 * M];
  double *mean = reals((ptrdiff_t)d * k), *root = reals(length * k);
  double *x = reals(M * d + GM_PAD), *y = reals(M * d);
  uint64_t row[M];
  for (ptrdiff_t i = 0; i < M; i++) row[i] = (uint64_t)(37 * i % M);
  for (int listed = 0; listed < 2; listed++) {
    const uint64_t* rows = listed ? row : NULL;
    kernel->uniforms(key, first, rows, 3, 0x80000001u, M, got, got + M);
    ref->uniforms(key, first, rows, 3, 0x80000001u, M, want, want + M);
    for (ptrdiff_t i = 0; i < 2 * M; i++)
      check(got[i] == want[i], kernel->name, "uniform", got[i], want[i]);
  }
  const double cumulative[4] = {0.1, 0.4, 0.4, 0.9};
  int at[M], right[M];
  want[3] = 0.4;
  for (int count = 0; count <= 4; count++) {
    kernel->pick(cumulative, count, M, want, at);
    ref->pick(cumulative, count, M, want, right);
    for (ptrdiff_t i = 0; i < M; i++)
      check(at[i] == right[i], kernel->name, "pick", at[i], right[i]);
  }
  for (ptrdiff_t e = 0; e < (ptrdiff_t)d * k; e++) mean[e] = normal();
  for (ptrdiff_t e = 0; e < length * k; e++) {
    const ptrdiff_t a = e % high, b = e / high % d;
    root[e] = a >= b && a < d ? normal() : 0;
  }
  for (ptrdiff_t e = 0; e < M * d + GM_PAD; e++) x[e] = normal();
  memcpy(y, x, (size_t)M * d * sizeof *y);
  for (int i = 0, j = 0; i < ROWS; i += 7 + 11 * j, j = (j + 1) % k) {
    const int rows = i + 7 + 11 * j < ROWS ? 7 + 11 * j : ROWS - i;
    kernel->colour(d, mean + d * j, root + length * j, rows, x + i, M);
    ref->colour(d, mean + d * j, root + length * j, rows, y + i, M);
  }
  for (ptrdiff_t e = 0; e < M * d; e++)
    check(near(x[e], y[e], 1e-14, 1e-15 * (4 + d)), kernel->name, "colour", x[e], y[e]);
  free(mean);
  free(root);
  free(x);
  free(y);
}

/* A row's results depend neither on its place in the block, nor on the block's length,
   nor on an exact offset of all data; overflow gives Inf, never NaN. */
static void test_invariance(const struct gm_kernel* kernel, enum gm_shape shape, int d,
                            int k) {
  enum { M = 128, SHORT = 64, SHIFT = 37 };
  struct problem p = problem(shape, 0, M, 3, d, k, 2);
  double *x = reals(p.ld * d), *maha = reals((ptrdiff_t)M * k), *lse = reals(M);
  kernel->distance[shape](&p.f, p.x, p.ld, M, p.maha, p.work);

  kernel->distance[shape](&p.f, p.x + 32, p.ld, SHORT, maha, p.work);
  for (ptrdiff_t j = 0; j < k; j++) {
    for (ptrdiff_t i = 0; i < SHORT; i++) {
      check(maha[i + SHORT * j] == p.maha[32 + i + M * j], kernel->name,
            "maha of a short block", maha[i + SHORT * j], p.maha[32 + i + M * j]);
    }
  }
  for (ptrdiff_t a = 0; a < d; a++) {
    for (ptrdiff_t i = 0; i < M; i++) x[(i + SHIFT) % M + p.ld * a] = p.x[i + p.ld * a];
  }
  kernel->distance[shape](&p.f, x, p.ld, M, maha, p.work);
  for (int stage = 0; stage < 2; stage++) {
    for (ptrdiff_t j = 0; j < k; j++) {
      for (ptrdiff_t i = 0; i < M; i++) {
        const double got = maha[(i + SHIFT) % M + M * j], want = p.maha[i + M * j];
        check(got == want, kernel->name, "a row moved", got, want);
      }
    }
    if (stage) break;
    kernel->posterior(p.f.logc, k, M, NULL, NULL, NULL, p.maha, p.lse);
    kernel->posterior(p.f.logc, k, M, NULL, NULL, NULL, maha, lse);
    for (ptrdiff_t i = 0; i < M; i++) {
      check(lse[(i + SHIFT) % M] == p.lse[i], kernel->name, "lse of a row moved",
            lse[(i + SHIFT) % M], p.lse[i]);
    }
  }

  kernel->distance[shape](&p.f, p.x, p.ld, M, p.maha, p.work);
  for (ptrdiff_t a = 0; a < d; a++) {
    for (ptrdiff_t i = 0; i < M; i++) x[i + p.ld * a] = p.x[i + p.ld * a] + 0x1p27;
    for (ptrdiff_t j = 0; j < k; j++) p.mean[a + d * j] += 0x1p27;
  }
  stats_zero(&p.stats);
  kernel->distance[shape](&p.f, x, p.ld, M, maha, p.work);
  for (ptrdiff_t e = 0; e < (ptrdiff_t)M * k; e++) {
    check(maha[e] == p.maha[e], kernel->name, "maha with an offset", maha[e], p.maha[e]);
  }

  for (ptrdiff_t i = 0; i < M; i++) {
    for (ptrdiff_t a = 0; a < d; a++) x[i + p.ld * a] = (i + a) % 2 ? 1.7e308 : -1.7e308;
  }
  for (ptrdiff_t e = 0; e < (ptrdiff_t)d * k; e++) p.mean[e] = -1.7e308;
  kernel->distance[shape](&p.f, x, p.ld, M, maha, p.work);
  for (ptrdiff_t e = 0; e < (ptrdiff_t)M * k; e++) {
    check(maha[e] >= 0, kernel->name, "maha of an overflow", maha[e], INFINITY);
  }
  free(x);
  free(maha);
  free(lse);
  problem_free(&p);
}

/* ---- chances to stop ----------------------------------------------------------------- */

static long ticks;

static int count_tick(void* data) { return ++ticks == *(const long*)data; }

static void no_block(void* data, const struct gm_block* block, int slot) {
  (void)slot;
  *(double*)data += block->rows;
}

/* Between two ticks lie 5e8 operations at most, or those of two smallest blocks. */
static void test_ticks(int d, int k, int threads) {
  const struct gm_plan plan = gm_plan_make(GM_TRIANG, d, k);
  const ptrdiff_t stretch = plan.group * plan.slots, n = 3 * stretch;
  const double most = fmax(5e8, 2 * GM_PAD * plan.cost);
  long never = -1, second = 2;
  double seen = 0;
  double* x = reals(n);
  double* work = reals(gm_blocks_work(&plan, d, k, threads));
  struct gm_rows rows = {.n = n, .ld = 0, .d = d, .x = x};
  struct gm_engine engine = {.threads = threads, .tick = count_tick, .tick_data = &never};
  const struct gm_job job = {.block = no_block, .data = &seen};
  struct gm_error err = {0};
  ticks = 0;
  check(!gm_blocks(&rows, k, &plan, &engine, &job, work, &err), "ticks", "status",
        err.code, 0);
  check(seen == (double)n, "ticks", "rows", seen, (double)n);
  const double between = (double)n * plan.cost / (double)ticks;
  check(between <= most, "ticks", "operations between", between, most);
  engine.tick_data = &second;
  ticks = 0;
  check(gm_blocks(&rows, k, &plan, &engine, &job, work, &err) == GM_STOPPED, "ticks",
        "stopped", err.code, GM_STOPPED);
  check(ticks == 2, "ticks", "after the stop", (double)ticks, 2);
  free(x);
  free(work);
}

/* Columns more than 2^31 doubles apart, in pages of which only the few that are touched are there:
   the bits are those of rows side by side. Short blocks go through the copy of gm_blocks(). */
struct far {
  const struct gm_kernel* kernel;
  struct problem* p;
};

static void far_block(void* data, const struct gm_block* block, int slot) {
  const struct far* far = data;
  struct problem* p = far->p;
  const struct gm_kernel* kernel = far->kernel;
  (void)slot;
  gm_block_distance(kernel, &p->f, block);
  p->stats.total[0] += kernel->posterior(p->f.logc, p->f.k, block->m, block->w, NULL,
                                         NULL, block->maha, NULL);
  kernel->accumulate[p->f.shape](&p->f, block->x, block->ld, block->m, block->w,
                                 block->maha, &p->stats, block->work);
}

static void test_far(const struct gm_kernel* kernel, enum gm_shape shape) {
  enum { N = 100, M = 128, D = 3, K = 2 };
  const ptrdiff_t apart = (ptrdiff_t)1 << 31;
  const size_t bytes = (size_t)((D - 1) * apart + M) * sizeof(double);
  double* x = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (x == MAP_FAILED) {
    printf("no %.0f GB of addresses here: columns far apart are not tested\n",
           1e-9 * bytes);
    return;
  }
  state = 11;
  struct problem p = problem(shape, 0, M, 0, D, K, 2);
  for (ptrdiff_t a = 0; a < D; a++) memcpy(x + apart * a, p.x + p.ld * a, M * sizeof *x);
  const struct gm_engine engine = {.threads = 1};
  struct gm_plan plan = gm_plan_make(shape, D, K);
  double* work = reals(gm_blocks_work(&plan, D, K, 1));
  struct far far = {kernel, &p};
  const struct gm_job job = {.block = far_block, .data = &far};
  double* near_stats = reals(p.stats.size);
  for (ptrdiff_t n = N; n <= M; n += M - N) {
    for (int is_far = 0; is_far < 2; is_far++) {
      const struct gm_rows rows = {
          .n = n, .ld = is_far ? apart : p.ld, .d = D, .x = is_far ? x : p.x};
      struct gm_error err = {0};
      stats_zero(&p.stats);
      check(gm_blocks(&rows, K, &plan, &engine, &job, work, &err) == 0, kernel->name,
            "far", err.code, 0);
      if (!is_far) memcpy(near_stats, p.stats.nk, (size_t)p.stats.size * sizeof(double));
    }
    check(!memcmp(near_stats, p.stats.nk, (size_t)p.stats.size * sizeof(double)),
          kernel->name, "columns far apart", p.stats.total[0], near_stats[0]);
  }
  munmap(x, bytes);
  free(work);
  free(near_stats);
  problem_free(&p);
}

static void test_all(void) {
  static const int d[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 18, 31, 50};
  static const int k[] = {1, 2, 3, 5, 11};
  static const int m[] = {32, 64, 96, 256, 288, 544, 1024};
  check(gm_kernel_find("no such path") == NULL, "find", "unknown name", 0, 0);
  check(gm_kernel_find(NULL) != NULL, "find", "best", 0, 0);
  for (int path = 0; path < N_PATHS; path++) {
    const struct gm_kernel* kernel = gm_kernel_find(paths[path]);
    if (!kernel) {
      printf("%-9s does not run here\n", paths[path]);
      continue;
    }
    const long before = checks;
    for (int shape = 0; shape < GM_N_SHAPES; shape++) {
      for (size_t a = 0; a < sizeof d / sizeof *d; a++) {
        for (size_t j = 0; j < sizeof k / sizeof *k; j++) {
          for (int shared = 0; shared < 2; shared++) {
            const size_t i = (a + j + (size_t)shared) % (sizeof m / sizeof *m);
            test_stages(kernel, (enum gm_shape)shape, shared, m[i], d[a], k[j], 2);
          }
        }
        test_invariance(kernel, (enum gm_shape)shape, d[a], 3);
      }
      for (int shared = 0; shape == GM_TRIANG && shared < 2; shared++) {
        test_screen(kernel, shared, 32, 24, 3, 4);
        test_screen(kernel, shared, 96, 25, 2, 4);
        test_screen(kernel, shared, 2048, 51, 5, 3);
        test_screen(kernel, shared, 2048, 50, 4, 0.1);
        test_screen(kernel, shared, 544, 201, 2, 4);
      }
      test_stages(kernel, (enum gm_shape)shape, 0, 64, 201, 2, 1);
      test_far(kernel, (enum gm_shape)shape);
    }
    for (size_t i = 0; i < sizeof m / sizeof *m; i++) {
      for (size_t j = 0; j < sizeof k / sizeof *k; j++) {
        test_posterior(kernel, m[i], k[j], 4, 0);
        test_posterior(kernel, m[i], k[j], 400, 0);
        test_posterior(kernel, m[i], k[j], 4, 1);
      }
    }
    test_functions(kernel);
    for (size_t a = 0; a < sizeof d / sizeof *d; a++) test_random(kernel, d[a], 3);
    printf("%-9s %ld checks\n", kernel->name, checks - before);
  }
  for (int threads = 1; threads <= 4; threads += 3) {
    test_ticks(10, 5, threads);
    test_ticks(200, 5, threads);
    test_ticks(500, 10, threads);
    test_ticks(500, 40, threads);
  }
  printf("%ld passed, %ld failed\n", checks - failures, failures);
}

/* ---- times ------------------------------------------------------------------------- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Blocks of m rows, as the E-step takes them; of each block and stage the best pass. */
static void time_one(const struct gm_kernel* kernel, const char* name,
                     enum gm_shape shape, ptrdiff_t n, int d, int k, double sep) {
  const ptrdiff_t fit = 524288 / (8 * (2 * d + k));
  ptrdiff_t m = 128;
  while (m < 1024 && 2 * m <= fit) m *= 2;
  state = 7;
  struct problem p = problem(shape, 0, n, 0, d, k, sep);
  n = n / m * m; /* whole blocks only; columns stay n apart */
  double* best = reals(3 * (n / m));
  for (ptrdiff_t e = 0; e < 3 * (n / m); e++) best[e] = 1e9;
  double zeros = 0, small = 0;
  for (int pass = 0; pass < 15; pass++) {
    stats_zero(&p.stats);
    for (ptrdiff_t i = 0; i < n; i += m) {
      const double t0 = now();
      kernel->distance[shape](&p.f, p.x + i, p.ld, (int)m, p.maha, p.work);
      const double t1 = now();
      p.stats.total[0] +=
          kernel->posterior(p.f.logc, k, (int)m, NULL, NULL, NULL, p.maha, NULL);
      const double t2 = now();
      kernel->accumulate[shape](&p.f, p.x + i, p.ld, (int)m, NULL, p.maha, &p.stats,
                                p.work);
      const double t3 = now();
      double* spent = best + 3 * (i / m);
      spent[0] = fmin(spent[0], t1 - t0);
      spent[1] = fmin(spent[1], t2 - t1);
      spent[2] = fmin(spent[2], t3 - t2);
      for (ptrdiff_t e = 0; pass == 0 && e < m * k; e++) {
        zeros += p.maha[e] == 0;
        small += p.maha[e] < 0x1p-60;
      }
    }
  }
  double sum[3] = {0};
  for (ptrdiff_t e = 0; e < 3 * (n / m); e++) sum[e % 3] += best[e];
  printf(
      "%-9s %-8s m %4td  distance %8.3f  posterior %7.3f  accumulate %8.3f  all %8.3f ms"
      "  (resp 0: %2.0f %%, < 2^-60: %2.0f %%)\n",
      kernel->name, name, m, 1e3 * sum[0], 1e3 * sum[1], 1e3 * sum[2],
      1e3 * (sum[0] + sum[1] + sum[2]), 100 * zeros / (double)(n * k),
      100 * small / (double)(n * k));
  free(best);
  problem_free(&p);
}

static void time_all(const char* path, const char* workload) {
  static const struct {
    const char* name;
    enum gm_shape shape;
    int n, d, k;
    double sep;
  } work[] = {{"P1 full", GM_TRIANG, 1000000, 2, 3, 2.0},
              {"P2 full", GM_TRIANG, 100000, 10, 10, 1.2},
              {"P3 full", GM_TRIANG, 100000, 50, 10, .6},
              {"P4 full", GM_TRIANG, 20000, 200, 5, .4},
              {"P1 diag", GM_DIAG, 1000000, 2, 3, 2.0},
              {"P2 diag", GM_DIAG, 100000, 10, 10, 1.2},
              {"P3 diag", GM_DIAG, 100000, 50, 10, .6},
              {"P3 spher", GM_SPHER, 100000, 50, 10, .6}};
  enum { DRAWS = 4096 };
  double* u = reals(2 * DRAWS);
  for (int i = N_PATHS - 1; i >= 0; i--) {
    const struct gm_kernel* kernel = gm_kernel_find(paths[i]);
    if (!kernel || (path && strcmp(path, paths[i]))) continue;
    for (size_t e = 0; e < sizeof work / sizeof *work; e++) {
      if (workload && strcmp(workload, work[e].name)) continue;
      time_one(kernel, work[e].name, work[e].shape, work[e].n, work[e].d, work[e].k,
               work[e].sep);
    }
    double best = 1e9;
    for (int pass = 0; pass < 50; pass++) {
      for (int e = 0; e < 2 * DRAWS; e++) u[e] = uniform();
      const double t = now();
      kernel->normals(u, DRAWS);
      best = fmin(best, now() - t);
    }
    printf("%-9s normals %.2f ns each\n", kernel->name, 1e9 * best / (2 * DRAWS));
  }
  free(u);
}

int main(int argc, char** argv) {
  if (argc > 1 && !strcmp(argv[1], "time")) {
    time_all(argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL);
    return 0;
  }
  test_all();
  return failures > 0;
}
