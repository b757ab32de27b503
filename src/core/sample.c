/* Sampling. Row i is a function of the key and of i alone: its component comes from one uniform,
   its d normals z from ceil(d / 2) pairs by Box and Muller, and x_i = mean_j + L_j z; noise is
   uniform in its box. So the draws depend neither on the number of threads nor on n. */
#include <math.h>
#include <string.h>

#include "gm.h"
#include "threads.h"

/* Rows of a block: no power of 2, as columns must not share the sets of the first-level cache. */
enum { SAMPLE_BLOCK = 480, STREAM_COMPONENT = 0, STREAM_NORMAL = 1, STREAM_NOISE = 2 };
#define STRETCH 4e6 /* doubles drawn between two ticks */

/* Rows of a block, those of one component together: uniforms, then normals (m x d, one column a
   variable) and what colour() reads behind them; their numbers; where the components begin. */
static ptrdiff_t normal_size(int d) { return (ptrdiff_t)SAMPLE_BLOCK * (d + d % 2); }
static ptrdiff_t thread_size(int d, int k) {
  return normal_size(d) + GM_PAD + SAMPLE_BLOCK + k / 2 + 3;
}

static ptrdiff_t root_length(const struct gm_factors* f) {
  return f->shape == GM_TRIANG ? gm_root_rows(f->d) * f->d
         : f->shape == GM_DIAG ? f->d
                               : 1;
}
static ptrdiff_t root_size(const struct gm_factors* f) {
  return root_length(f) * (f->stride ? f->k : 1);
}

ptrdiff_t gm_sample_work(const struct gm_factors* f, int threads) {
  return f->k + 1 + root_size(f) + thread_size(f->d, f->k) * threads + 8;
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
  const double*
      cumulative; /* probabilities, up to the last component that can be drawn */
  int count;      /* of them, that one left out */
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
  int at[SAMPLE_BLOCK];
  const int m = padded(rows);
  s->kernel->uniforms(s->key, (uint64_t)first, NULL, STREAM_COMPONENT, 0, m, u, unused);
  s->kernel->pick(s->cumulative, s->count, m, u, at);
  for (int i = 0; i < rows; i++) s->component[first + i] = 1 + at[i];
}

/* row <- the rows' numbers by component; those of component j, from 1, end before end[j], where
   those of j + 1 begin. */
static void sort_rows(const int* component, int rows, int k, uint64_t* row, int* end) {
  for (int j = 0; j <= k + 1; j++) end[j] = 0;
  for (int i = 0; i < rows; i++) end[component[i] + 1]++;
  for (int j = 1; j <= k; j++) end[j + 1] += end[j];
  for (int i = 0; i < rows; i++) row[end[component[i]]++] = (uint64_t)i;
}

/* Normals for m rows, from `first` on or the numbers given. */
static void draw_normals(const struct sample* s, ptrdiff_t first, const uint64_t* row,
                         int m, double* z) {
  for (int pair = 0; pair < (s->f->d + 1) / 2; pair++) {
    double* column = z + (ptrdiff_t)m * 2 * pair;
    s->kernel->uniforms(s->key, (uint64_t)first, row, STREAM_NORMAL, (uint32_t)pair, m,
                        column, column + m);
    s->kernel->normals(column, m);
  }
}

static void row_block(const struct sample* s, ptrdiff_t first, int rows) {
  const struct gm_factors* f = s->f;
  const int d = f->d, k = f->k;
  const int* component = s->component + first;
  double* z = s->mem + thread_size(d, k) * gm_thread_id();
  if (f->shape == GM_TRIANG) {
    uint64_t* row = (uint64_t*)(z + normal_size(d) + GM_PAD);
    int* end = (int*)(row + SAMPLE_BLOCK);
    sort_rows(component, rows, k + 1, row, end);
    const int m = padded(end[k]);
    for (int i = rows; i < m; i++) row[i] = 0;
    draw_normals(s, first, row, m, z);
    memset(z + (ptrdiff_t)m * d, 0, GM_PAD * sizeof *z);
    for (int j = 0; j < k; j++)
      s->kernel->colour(d, f->mean + (ptrdiff_t)d * j,
                        s->root + (f->stride ? root_length(f) * j : 0),
                        end[j + 1] - end[j], z + end[j], m);
    for (int a = 0; a < d; a++) {
      double* x = s->x + first + s->n * a;
      for (int i = 0; i < end[k]; i++) x[row[i]] = z[i + (ptrdiff_t)m * a];
    }
  } else {
    const int m = padded(rows), step = f->shape == GM_DIAG;
    draw_normals(s, first, NULL, m, z);
    for (int a = 0; a < d; a++) {
      double* x = s->x + first + s->n * a;
      for (int i = 0; i < rows; i++) {
        const ptrdiff_t j = component[i] - 1;
        if (j < k)
          x[i] = f->mean[a + d * j] +
                 s->root[f->stride * j + step * a] * z[i + (ptrdiff_t)m * a];
      }
    }
  }
  for (int i = 0; i < rows && f->noise; i++)
    if (component[i] > k) spread(s, first + i);
}

static void draw_block(const struct sample* s, ptrdiff_t first, int rows) {
  component_block(s, first, rows);
  row_block(s, first, rows);
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
  for (int j = 0; j < last - 1; j++) cumulative[j] = (sum += prop[j]) / total;
  struct sample s = {.key = key,
                     .n = n,
                     .f = f,
                     .kernel = engine->kernel,
                     .cumulative = cumulative,
                     .count = last - 1,
                     .root = work + k,
                     .x = x,
                     .component = component,
                     .mem = work + k + root_size(f)};
  set_root(f, s.root);
  const double width = f->shape == GM_TRIANG ? f->d * (1 + f->d / 8.0) : f->d;
  if (!by_component) return for_rows(&s, engine, 1 + width, draw_block, err);
  if (for_rows(&s, engine, 1, component_block, err)) return err->code;
  sort_components(component, n, k, cumulative);
  return for_rows(&s, engine, width, row_block, err);
}
