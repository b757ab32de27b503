/* Sampling. Row i is a function of the key and of i alone: its component comes from one uniform,
   its d normals z from ceil(d / 2) pairs by Box and Muller, and x_i = mean_j + L_j z. So the draws
   depend neither on the number of threads nor on n. */
#include <math.h>

#include "gm.h"
#include "threads.h"

enum { SAMPLE_BLOCK = 512, STREAM_COMPONENT = 0, STREAM_NORMAL = 1 };
#define STRETCH 4e6 /* doubles drawn between two ticks */

/* Rows of a block: uniforms, then normals (m x d, one column a variable); then x in place. */
static ptrdiff_t thread_size(int d) { return (ptrdiff_t)SAMPLE_BLOCK * (d + d % 2); }

ptrdiff_t gm_sample_work(const struct gm_factors* f, int threads) {
  return f->k + thread_size(f->d) * threads + 8;
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

static void colour(const struct gm_factors* f, int j, const double* z, ptrdiff_t m, double* x,
                   ptrdiff_t n) {
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

static void draw_block(uint64_t key, ptrdiff_t first, int rows, const struct gm_factors* f,
                       const struct gm_kernel* kernel, const int* component, double* x,
                       ptrdiff_t n, double* z) {
  const int m = (rows + GM_PAD - 1) / GM_PAD * GM_PAD;
  for (int pair = 0; pair < (f->d + 1) / 2; pair++) {
    double* column = z + (ptrdiff_t)m * 2 * pair;
    for (int i = 0; i < m; i++) {
      double u[2];
      gm_random(key, (uint64_t)(first + i), STREAM_NORMAL, (uint32_t)pair, u);
      column[i] = u[0];
      column[m + i] = u[1];
    }
    kernel->normals(column, m);
  }
  for (int i = 0; i < rows; i++)
    colour(f, component[first + i] - 1, z + i, m, x + first + i, n);
}

/* component <- draws; sorted where asked. cumulative: k doubles. */
static void draw_components(uint64_t key, ptrdiff_t n, int by_component, const double* prop, int k,
                            int* component, double* cumulative) {
  double sum = 0;
  for (int j = 0; j < k; j++) cumulative[j] = sum += prop[j];
  for (int j = 0; j < k; j++) cumulative[j] /= sum;
  int last = k - 1; /* rounding must not give a component of proportion 0 */
  while (last > 0 && !(prop[last] > 0)) last--;
  for (ptrdiff_t i = 0; i < n; i++) {
    double u[2];
    gm_random(key, (uint64_t)i, STREAM_COMPONENT, 0, u);
    component[i] = 1 + find_component(cumulative, last + 1, u[0]);
  }
  if (!by_component) return;
  for (int j = 0; j < k; j++) cumulative[j] = 0; /* now counts */
  for (ptrdiff_t i = 0; i < n; i++) cumulative[component[i] - 1]++;
  ptrdiff_t i = 0;
  for (int j = 0; j < k; j++)
    for (double left = cumulative[j]; left > 0; left--) component[i++] = j + 1;
}

int gm_sample_rows(uint64_t key, ptrdiff_t n, int by_component, const double* prop,
                   const struct gm_factors* f, const struct gm_engine* engine, double* x,
                   int* component, double* work, struct gm_error* err) {
  const ptrdiff_t size = thread_size(f->d);
  const ptrdiff_t blocks = (n + SAMPLE_BLOCK - 1) / SAMPLE_BLOCK;
  const ptrdiff_t stretch = 1 + (ptrdiff_t)(STRETCH / ((double)SAMPLE_BLOCK * f->d));
  double* mem = work + f->k;
  draw_components(key, n, by_component, prop, f->k, component, work);
  for (ptrdiff_t start = 0; start < blocks; start += stretch) {
    const ptrdiff_t end = start + stretch < blocks ? start + stretch : blocks;
    const int threads = end - start < engine->threads ? (int)(end - start) : engine->threads;
    (void)threads;
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(threads)
#endif
    for (ptrdiff_t block = start; block < end; block++) {
      const ptrdiff_t first = block * SAMPLE_BLOCK;
      const int rows = (int)(first + SAMPLE_BLOCK < n ? SAMPLE_BLOCK : n - first);
      draw_block(key, first, rows, f, engine->kernel, component, x, n, mem + size * gm_thread_id());
    }
    if (engine->tick && engine->tick(engine->tick_data)) {
      *err = (struct gm_error){.code = GM_STOPPED};
      return err->code;
    }
  }
  return GM_OK;
}
