/* Fixed row blocks, the parallel loop over them, and the ordered fold.

   for each stretch (slots groups, at most ~0.1 s)      on the caller's thread: tick
     for each group of it, in parallel                   one slot each
       for each block of the group, in order
   fold the slots

   What is a block, a group and a stretch depends on d, k and the row index only, so that the bits
   of a result do not depend on the number of threads. */
#include <math.h>
#include <string.h>

#include "gm.h"
#include "threads.h"

#define CACHE_BYTES 1048576.0 /* a block's rows and its k columns stay in L2 */
#define GROUP_MIN 1e6        /* operations that are worth a slot of their own */
#define GROUP_MAX 6e7
/* Operations: below ~0.1 s, and long against a time slice, so that a busy machine does not leave
   threads waiting for each other. */
#define STRETCH 5e8
#define SLOT_BYTES 33554432.0 /* of all slots, about */
#define SLOTS_MIN 2
#define SLOTS_MAX 1024
#define THREAD_MIN 4e6 /* operations that are worth a second thread */
#define ASK_MIN 1e4    /* ... worth asking whether to stop */

int gm_stop(const struct gm_engine* engine, double operations) {
  return engine && engine->tick && operations >= ASK_MIN &&
         engine->tick(engine->tick_data);
}

struct gm_plan gm_plan_make(enum gm_shape shape, int d, int k) {
  const double rows = CACHE_BYTES / (8.0 * (d + k));
  int block = 128;
  while (block < 1024 && 2 * block <= rows) block *= 2;
  const double cost = k * (40.0 + d * (6.0 + (shape == GM_TRIANG ? 2.0 * d : 0.0)));
  while (block > GM_PAD && SLOTS_MIN * block * cost > STRETCH) block /= 2;
  double blocks = 1024 / block;
  while (blocks < 64 && blocks * block * cost < GROUP_MIN) blocks *= 2;
  while (blocks > 1 && blocks * block * cost > GROUP_MAX) blocks /= 2;
  const double group = blocks * block;
  const double slot = 8.0 * k * (2.0 + d * (shape == GM_TRIANG ? 1.0 + d : 2.0));
  double slots = floor(fmin(STRETCH / (group * cost), SLOT_BYTES / slot));
  slots = fmax(SLOTS_MIN, fmin(slots, SLOTS_MAX));
  return (struct gm_plan){
      .block = block,
      .group = (ptrdiff_t)group,
      .slots = (int)slots,
      .cost = cost,
      .pattern = k * (100.0 + d * (shape == GM_TRIANG ? 2.0 * d * d : 4.0))};
}

/* Patterns cost as well: the groups have fewer rows where these have many. */
static struct gm_plan plan_for(const struct gm_plan* plan, const struct gm_rows* rows) {
  struct gm_plan fit = *plan;
  if (!rows->patterns || rows->n == 0) return fit;
  fit.cost += plan->pattern * rows->patterns->count / (double)rows->n;
  fit.group = (ptrdiff_t)((double)plan->group * plan->cost / fit.cost) / GM_PAD * GM_PAD;
  if (fit.group < GM_PAD) fit.group = GM_PAD;
  return fit;
}

/* A thread's own: what the plan says, one padded block (x, w, label), the block's scratch (component, lse, maha), and
   the kernels'. Rounded up so that each thread's part is aligned as the first. */
static ptrdiff_t pack_size(const struct gm_plan* plan, int d) {
  return (ptrdiff_t)plan->block * (d + 2);
}
static ptrdiff_t thread_size(const struct gm_plan* plan, int d, int k) {
  const ptrdiff_t size = plan->own + pack_size(plan, d) +
                         (ptrdiff_t)plan->block * (k + 3) + k + 1 + gm_kernel_work(d, k);
  return (size + 7) / 8 * 8;
}

ptrdiff_t gm_blocks_work(const struct gm_plan* plan, int d, int k, int threads) {
  return thread_size(plan, d, k) * threads + 8;
}

static double* aligned(double* p) { return (double*)(((uintptr_t)p + 63) / 64 * 64); }

/* Copies a short block of d columns and fills it up: weight 0, the last row's values. */
static void pack(const struct gm_rows* rows, int d, struct gm_block* block, double* mem) {
  const int m = block->m, real = block->rows;
  double* x = mem;
  double* w = x + (ptrdiff_t)m * d;
  int* label = (int*)(w + m);
  for (int a = 0; a < d; a++) {
    const double* from = block->x + block->ld * a;
    double* to = x + (ptrdiff_t)m * a;
    memcpy(to, from, (size_t)real * sizeof *to);
    for (int i = real; i < m; i++) to[i] = from[real - 1];
  }
  for (int i = 0; i < m; i++) {
    w[i] = i >= real ? 0 : rows->w ? rows->w[block->first + i] : 1;
    label[i] = i < real && rows->label ? rows->label[block->first + i] : 0;
  }
  block->x = x;
  block->ld = m;
  block->w = w;
  if (rows->label) block->label = label;
}

/* The pattern of a row. */
static int pattern_at(const struct gm_patterns* patterns, ptrdiff_t row) {
  int low = 0, high = patterns->count;
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    if (patterns->first[middle] <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

static void run_group(const struct gm_rows* rows, int k, const struct gm_plan* plan,
                      const struct gm_job* job, ptrdiff_t group, int slot, double* mem) {
  const struct gm_patterns* patterns = rows->patterns;
  const ptrdiff_t begin = group * plan->group;
  const ptrdiff_t end = begin + plan->group < rows->n ? begin + plan->group : rows->n;
  int pattern = patterns ? pattern_at(patterns, begin) : -1;
  for (ptrdiff_t first = begin; first < end;) {
    ptrdiff_t stop = end;
    int d = rows->d;
    struct gm_block block = {.pattern = -1,
                             .first = first,
                             .w = rows->w ? rows->w + first : NULL,
                             .label = rows->label ? rows->label + first : NULL};
    if (patterns) {
      const ptrdiff_t* bounds = patterns->first + pattern;
      if (bounds[1] < stop) stop = bounds[1];
      d = patterns->observed[pattern];
      block.x = rows->x + patterns->at[pattern] + (first - bounds[0]);
      block.ld = bounds[1] - bounds[0];
      if (d < rows->d) block.pattern = pattern;
      block.opens = first == begin || first == bounds[0];
    } else {
      block.x = rows->x + first;
      block.ld = rows->ld;
    }
    block.rows = (int)(first + plan->block < stop ? plan->block : stop - first);
    block.m = (block.rows + GM_PAD - 1) / GM_PAD * GM_PAD;
    if (block.m != block.rows) pack(rows, d, &block, mem);
    block.lse = mem + pack_size(plan, rows->d);
    block.component = (int*)(block.lse + plan->block);
    block.maha = block.lse + 2 * (ptrdiff_t)plan->block;
    block.work = block.maha + (ptrdiff_t)plan->block * (k + 1);
    block.reach = block.work + gm_kernel_work(rows->d, k);
    block.own = block.reach + k + 1;
    first += block.rows;
    block.closes = first == stop;
    pattern += block.closes && patterns;
    job->block(job->data, &block, slot);
  }
}

int gm_blocks(const struct gm_rows* rows, int k, const struct gm_plan* general,
              const struct gm_engine* engine, const struct gm_job* job, double* work,
              struct gm_error* err) {
  const struct gm_plan fit = plan_for(general, rows), *plan = &fit;
  const ptrdiff_t groups = (rows->n + plan->group - 1) / plan->group;
  const ptrdiff_t size = thread_size(plan, rows->d, k);
  double* mem = aligned(work);
  const int used = (int)(groups < plan->slots ? groups : plan->slots);
  for (int slot = 0; slot < used && job->zero; slot++) job->zero(job->data, slot);
  for (ptrdiff_t start = 0; start < groups; start += plan->slots) {
    const int slots = (int)(groups - start < plan->slots ? groups - start : plan->slots);
    const double rows_left = (double)rows->n - (double)start * (double)plan->group;
    int threads = engine->threads < slots ? engine->threads : slots, stop = 0;
    if (rows_left * plan->cost < THREAD_MIN) threads = 1;
    if (threads == 1) {
      for (int slot = 0; slot < slots && !stop; slot++) {
        run_group(rows, k, plan, job, start + slot, slot, mem);
        stop = gm_stop(engine, (double)plan->group * plan->cost);
      }
    } else {
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
#endif
      for (int slot = 0; slot < slots; slot++)
        run_group(rows, k, plan, job, start + slot, slot, mem + size * gm_thread_id());
    }
    if (stop || gm_stop(engine, INFINITY)) {
      *err = (struct gm_error){.code = GM_STOPPED};
      return err->code;
    }
  }
  if (job->fold) job->fold(job->data, used);
  return GM_OK;
}

void gm_block_distance(const struct gm_kernel* kernel, const struct gm_factors* f,
                       const struct gm_block* block) {
  if (f->d > 0) {
    kernel->distance[f->shape](f, block->x, block->ld, block->m, block->maha,
                               block->work);
  } else { /* a row that is wholly missing */
    memset(block->maha, 0, (size_t)block->m * f->k * sizeof *block->maha);
  }
}

int gm_noise_column(const struct gm_factors* f, const struct gm_block* block) {
  const int m = block->m;
  double* out = block->maha + (ptrdiff_t)m * f->k;
  if (!f->noise) return f->k;
  memset(out, 0, (size_t)m * sizeof *out);
  for (int a = 0; a < f->d && f->noise->lower; a++) {
    const double* x = block->x + block->ld * a;
    const double lower = f->noise->lower[a], upper = f->noise->upper[a];
    for (int i = 0; i < m; i++)
      if (!(x[i] >= lower && x[i] <= upper)) out[i] = INFINITY;
  }
  return f->k + 1;
}
