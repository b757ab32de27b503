/* Sampling. Row i is a function of the key and of i alone: its component comes from one uniform,
   its d normals z from ceil(d / 2) pairs by Box and Muller, and x_i = mean_j + L_j z; noise is
   uniform in its box. So the draws depend neither on the number of threads nor on n. */
#include <math.h>

#include "gm.h"
#include "threads.h"

enum { SAMPLE_BLOCK = 512, STREAM_COMPONENT = 0, STREAM_NORMAL = 1, STREAM_NOISE = 2 };
#define STRETCH 4e6 /* doubles drawn between two ticks */

/* Rows of a block: uniforms, then normals (m x d, one column a variable); then x in place. */
static ptrdiff_t thread_size(int d) { return (ptrdiff_t)SAMPLE_BLOCK * (d + d % 2); }

ptrdiff_t gm_sample_work(const struct gm_factors* f, int threads) {
  return f->k + 1 + thread_size(f->d) * threads + 8;
}

static int find_component(const double* cumulative, int k, double u) {
  int low = 0, high = k - 1; /* first j with cumulative[j] > u */
  while (low < high) {
    const int mid = (low + high) / 2;
    if (cumulative[mid] > u) {
      high = mid;
    } else {
      low = mid + 1;
    }
  }
  return low;
}

static void colour(const struct gm_factors* f, int j, const double* z, ptrdiff_t m,
                   double* x, ptrdiff_t n) {
  const int d = f->d;
  const double* factor = f->factor + f->stride * j;
  const double* mean = f->mean + (ptrdiff_t)d * j;
  for (int a = 0; a < d; a++) {
    double sum = 0;
    if (f->shape == GM_TRIANG) {
      for (int b = 0; b < a; b++) sum += factor[a + (ptrdiff_t)d * b] * z[m * b];
      sum += z[m * a] / factor[a + (ptrdiff_t)d * a];
    } else {
      sum = z[m * a] / factor[f->shape == GM_DIAG ? a : 0];
    }
    x[n * a] = mean[a] + sum;
  }
}

struct sample {
  uint64_t key;
  ptrdiff_t n;
  const struct gm_factors* f;
  const struct gm_kernel* kernel;
  const double* cumulative; /* k + 1 */
  int last; /* components that can be drawn: rounding must not give another */
  double* x;
  int* component;
  double* mem; /* of all threads */
};

/* Row i is noise. */
static void spread(const struct sample* s, ptrdiff_t i) {
  const struct gm_noise* noise = s->f->noise;
  double u[2];
  for (int a = 0; a < s->f->d; a++) {
    if (a % 2 == 0) gm_random(s->key, (uint64_t)i, STREAM_NOISE, (uint32_t)(a / 2), u);
    s->x[i + s->n * a] = (1 - u[a % 2]) * noise->lower[a] + u[a % 2] * noise->upper[a];
  }
}

static void component_block(const struct sample* s, ptrdiff_t first, int rows) {
  for (ptrdiff_t i = first; i < first + rows; i++) {
    double u[2];
    gm_random(s->key, (uint64_t)i, STREAM_COMPONENT, 0, u);
    s->component[i] = 1 + find_component(s->cumulative, s->last, u[0]);
  }
}

static void row_block(const struct sample* s, ptrdiff_t first, int rows) {
  const struct gm_factors* f = s->f;
  const int m = (rows + GM_PAD - 1) / GM_PAD * GM_PAD;
  double* z = s->mem + thread_size(f->d) * gm_thread_id();
  for (int pair = 0; pair < (f->d + 1) / 2; pair++) {
    double* column = z + (ptrdiff_t)m * 2 * pair;
    for (int i = 0; i < m; i++) {
      double u[2];
      gm_random(s->key, (uint64_t)(first + i), STREAM_NORMAL, (uint32_t)pair, u);
      column[i] = u[0];
      column[m + i] = u[1];
    }
    s->kernel->normals(column, m);
  }
  for (int i = 0; i < rows; i++) {
    const int j = s->component[first + i] - 1;
    if (j < f->k)
      colour(f, j, z + i, m, s->x + first + i, s->n);
    else
      spread(s, first + i);
  }
}

/* block() for all rows, in stretches with a tick between them. width: the work of a row, a
   uniform drawn being 1. */
static int for_rows(const struct sample* s, const struct gm_engine* engine, double width,
                    void (*block)(const struct sample*, ptrdiff_t, int),
                    struct gm_error* err) {
  const ptrdiff_t blocks = (s->n + SAMPLE_BLOCK - 1) / SAMPLE_BLOCK;
  const ptrdiff_t stretch = 1 + (ptrdiff_t)(STRETCH / ((double)SAMPLE_BLOCK * width));
  for (ptrdiff_t start = 0; start < blocks; start += stretch) {
    const ptrdiff_t end = start + stretch < blocks ? start + stretch : blocks;
    const int threads =
        end - start < engine->threads ? (int)(end - start) : engine->threads;
    (void)threads;
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(threads)
#endif
    for (ptrdiff_t b = start; b < end; b++) {
      const ptrdiff_t first = b * SAMPLE_BLOCK;
      block(s, first, (int)(first + SAMPLE_BLOCK < s->n ? SAMPLE_BLOCK : s->n - first));
    }
    if (gm_stop(engine, INFINITY)) {
      *err = (struct gm_error){.code = GM_STOPPED};
      return err->code;
    }
  }
  return GM_OK;
}

/* The same components in order. count: k doubles, scratch. */
static void sort_components(int* component, ptrdiff_t n, int k, double* count) {
  for (int j = 0; j < k; j++) count[j] = 0;
  for (ptrdiff_t i = 0; i < n; i++) count[component[i] - 1]++;
  ptrdiff_t i = 0;
  for (int j = 0; j < k; j++)
    for (double left = count[j]; left > 0; left--) component[i++] = j + 1;
}

int gm_sample_rows(uint64_t key, ptrdiff_t n, int by_component, const double* prop,
                   const struct gm_factors* f, const struct gm_engine* engine, double* x,
                   int* component, double* work, struct gm_error* err) {
  const int k = f->noise ? f->k + 1 : f->k;
  double* cumulative = work;
  double sum = 0;
  for (int j = 0; j < k; j++) cumulative[j] = sum += prop[j];
  for (int j = 0; j < k; j++) cumulative[j] /= sum;
  struct sample s = {.key = key,
                     .n = n,
                     .f = f,
                     .kernel = engine->kernel,
                     .cumulative = cumulative,
                     .last = k,
                     .x = x,
                     .component = component,
                     .mem = work + f->k + 1};
  while (s.last > 1 && !(prop[s.last - 1] > 0)) s.last--;
  if (for_rows(&s, engine, 1, component_block, err)) return err->code;
  if (by_component) sort_components(component, n, k, cumulative);
  const double width = f->shape == GM_TRIANG ? f->d * (1 + f->d / 8.0) : f->d;
  return for_rows(&s, engine, width, row_block, err);
}
