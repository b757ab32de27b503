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

static ptrdiff_t root_length(const struct gm_factors* f) {
  return f->shape == GM_TRIANG ? gm_root_rows(f->d) * f->d
         : f->shape == GM_DIAG ? f->d
                               : 1;
}
static ptrdiff_t root_size(const struct gm_factors* f) {
  return root_length(f) * (f->stride ? f->k : 1);
}

/* At least k, a power of 2. */
static int table_size(int k) {
  int size = 1;
  while (size < k) size *= 2;
  return size;
}

ptrdiff_t gm_sample_work(const struct gm_factors* f, int threads) {
  return table_size(f->k + 1) + root_size(f) + thread_size(f->d) * threads + 8;
}

/* The number of cumulative probabilities that are at most u, without branches. */
static int find_component(const double* cumulative, int size, double u) {
  int at = 0;
  for (int step = size / 2; step > 0; step /= 2)
    at += (cumulative[at + step - 1] <= u) * step;
  return at;
}

/* L, from which reciprocals and what is above the diagonal have gone. */
static void set_root(const struct gm_factors* f, double* root) {
  const ptrdiff_t d = f->d, high = gm_root_rows(f->d);
  for (int j = 0; j < (f->stride ? f->k : 1); j++) {
    const double* from = f->factor + f->stride * j;
    double* to = root + root_length(f) * j;
    if (f->shape != GM_TRIANG) {
      for (ptrdiff_t a = 0; a < root_length(f); a++) to[a] = 1 / from[a];
      continue;
    }
    for (ptrdiff_t b = 0; b < d; b++)
      for (ptrdiff_t a = 0; a < high; a++)
        to[a + high * b] = a < b || a >= d ? 0
                           : a == b        ? 1 / from[a + d * b]
                                           : from[a + d * b];
  }
}

struct sample {
  uint64_t key;
  ptrdiff_t n;
  const struct gm_factors* f;
  const struct gm_kernel* kernel;
  const double* cumulative; /* Inf from the last component that can be drawn on */
  int size;                 /* of it */
  double* root;
  double* x;
  int* component;
  double* mem; /* of all threads */
};

static int padded(int rows) { return (rows + GM_PAD - 1) / GM_PAD * GM_PAD; }

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
  double u[SAMPLE_BLOCK], unused[SAMPLE_BLOCK];
  s->kernel->uniforms(s->key, (uint64_t)first, STREAM_COMPONENT, 0, padded(rows), u,
                      unused);
  for (int i = 0; i < rows; i++)
    s->component[first + i] = 1 + find_component(s->cumulative, s->size, u[i]);
}

static void row_block(const struct sample* s, ptrdiff_t first, int rows) {
  const struct gm_factors* f = s->f;
  const int m = padded(rows), d = f->d;
  const int* component = s->component + first;
  double* z = s->mem + thread_size(d) * gm_thread_id();
  for (int pair = 0; pair < (d + 1) / 2; pair++) {
    double* column = z + (ptrdiff_t)m * 2 * pair;
    s->kernel->uniforms(s->key, (uint64_t)first, STREAM_NORMAL, (uint32_t)pair, m, column,
                        column + m);
    s->kernel->normals(column, m);
  }
  if (f->shape == GM_TRIANG) {
    s->kernel->colour(d, f->k, f->mean, s->root, f->stride ? root_length(f) : 0,
                      component, rows, z, m, s->x + first, s->n);
  } else {
    const int step = f->shape == GM_DIAG;
    for (int a = 0; a < d; a++) {
      double* x = s->x + first + s->n * a;
      for (int i = 0; i < rows; i++) {
        const ptrdiff_t j = component[i] - 1;
        if (j < f->k)
          x[i] = f->mean[a + d * j] +
                 s->root[f->stride * j + step * a] * z[i + (ptrdiff_t)m * a];
      }
    }
  }
  for (int i = 0; i < rows && f->noise; i++)
    if (component[i] > f->k) spread(s, first + i);
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
  double sum = 0, total = 0;
  int last = k; /* that can be drawn: rounding must not give another */
  while (last > 1 && !(prop[last - 1] > 0)) last--;
  for (int j = 0; j < k; j++) total += prop[j];
  const int size = table_size(k);
  for (int j = 0; j < size; j++)
    cumulative[j] = j < last - 1 ? (sum += prop[j]) / total : INFINITY;
  struct sample s = {.key = key,
                     .n = n,
                     .f = f,
                     .kernel = engine->kernel,
                     .cumulative = cumulative,
                     .size = size,
                     .root = work + size,
                     .x = x,
                     .component = component,
                     .mem = work + size + root_size(f)};
  set_root(f, s.root);
  if (for_rows(&s, engine, 1, component_block, err)) return err->code;
  if (by_component) sort_components(component, n, k, cumulative);
  const double width = f->shape == GM_TRIANG ? f->d * (1 + f->d / 8.0) : f->d;
  return for_rows(&s, engine, width, row_block, err);
}
