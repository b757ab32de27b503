/* E-step: rows and parameters -> stats. Knows weights, labels, trimming and where the probabilities
   come from; knows no family.

   A block: distance -> posterior -> accumulate, all in cache; a group of blocks adds into its slot
   of statistics; the slots are folded in order. */
#include <math.h>
#include <string.h>

#include "gm.h"

struct estep {
  const struct gm_rows* rows;
  const struct gm_factors* f;
  const struct gm_kernel* kernel;
  struct gm_stats* stats;
  double* slots; /* statistics of each slot, one after the other */
  int* labels;
  int depth; /* of the bounds, see gm_screen_depth() */
};

static struct gm_stats slot_stats(const struct estep* e, int slot) {
  return gm_stats_at(e->stats, e->slots + e->stats->size * slot);
}

/* resp <- w at the row's component, 0 elsewhere. */
static void one_hot(const struct gm_block* block, int k, const int* component,
                    double* resp) {
  memset(resp, 0, (size_t)block->m * k * sizeof *resp);
  for (int i = 0; i < block->rows; i++)
    resp[i + (ptrdiff_t)block->m * (component[i] - 1)] = block->w ? block->w[i] : 1;
}

static double sum_of(const double* v, int n) {
  double sum[8] = {0}; /* chains that don't wait for each other */
  int i = 0;
  for (; i + 8 <= n; i += 8)
    for (int lane = 0; lane < 8; lane++) sum[lane] += v[i + lane];
  for (; i < n; i++) sum[0] += v[i];
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) +
         ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static void nearest(const struct gm_block* block, int k) {
  for (int i = 0; i < block->rows; i++) {
    int best = 0;
    for (int j = 1; j < k; j++)
      if (block->maha[i + (ptrdiff_t)block->m * j] <
          block->maha[i + (ptrdiff_t)block->m * best])
        best = j;
    block->component[i] = best + 1;
  }
}

static void given(const struct gm_block* block, int columns, const struct gm_rows* rows,
                  double* resp) {
  for (int j = 0; j < columns; j++) {
    const double* from = rows->resp + block->first + rows->n * j;
    double* to = resp + (ptrdiff_t)block->m * j;
    for (int i = 0; i < block->m; i++)
      to[i] = i < block->rows ? from[i] * (block->w ? block->w[i] : 1) : 0;
  }
}

/* A thread's own: the marginal density and the statistics of the pattern that it is at. */
struct part {
  struct gm_marginal marginal;
  struct gm_stats stats;
};
enum { PART = (sizeof(struct part) + sizeof(double) - 1) / sizeof(double) };

static struct part* open_part(const struct estep* e, const struct gm_block* block,
                              const struct gm_stats* stats) {
  struct part* part = (struct part*)block->own;
  if (!block->opens) return part;
  double* mem = block->own + PART;
  const struct gm_patterns* patterns = e->rows->patterns;
  gm_marginal_set(&part->marginal, e->f, patterns, block->pattern, mem);
  part->stats = gm_stats_of(stats, patterns->observed[block->pattern],
                            mem + gm_marginal_work(e->f->shape, e->f->d, e->f->k));
  gm_stats_zero(&part->stats);
  return part;
}

static void estep_block(void* data, const struct gm_block* block, int slot) {
  const struct estep* e = data;
  const int k = e->f->k, m = block->m;
  struct gm_stats stats = slot_stats(e, slot);
  double* resp = block->maha;
  struct part* part = block->pattern < 0 ? NULL : open_part(e, block, &stats);
  const struct gm_factors* f = part ? &part->marginal.f : e->f;
  int columns = k;
  const double* reach;

  switch (e->rows->source) {
    case GM_POSTERIOR:
      reach = gm_block_reach(e->kernel, f, e->depth, block);
      columns = gm_noise_column(f, block);
      stats.total[GM_LOGLIK] += e->kernel->posterior(
          f->logc, columns, m, block->w, block->label, reach, block->maha, NULL);
      break;
    case GM_LABELS: one_hot(block, k, block->label, resp); break;
    case GM_MATRIX:
      columns = f->noise ? k + 1 : k;
      given(block, columns, e->rows, resp);
      break;
    case GM_NEAREST:
      gm_block_distance(e->kernel, f, block);
      nearest(block, k);
      memcpy(e->labels + block->first, block->component,
             (size_t)block->rows * sizeof *e->labels);
      one_hot(block, k, block->component, resp);
      break;
  }
  if (columns > k) stats.total[GM_NOISE] += sum_of(resp + (ptrdiff_t)m * k, block->rows);
  stats.total[GM_WEIGHT] += block->w ? sum_of(block->w, block->rows) : block->rows;
  e->kernel->accumulate[f->shape](f, block->x, block->ld, m, block->w, resp,
                                  part ? &part->stats : &stats, block->work);
  if (part && block->closes) gm_marginal_expand(&part->marginal, &part->stats, &stats);
}

static void estep_zero(void* data, int slot) {
  struct gm_stats stats = slot_stats(data, slot);
  gm_stats_zero(&stats);
}

static void estep_fold(void* data, int slots) {
  const struct estep* e = data;
  for (int slot = 0; slot < slots; slot++) {
    const struct gm_stats stats = slot_stats(e, slot);
    gm_stats_add(e->stats, &stats);
  }
}

static struct gm_plan estep_plan(enum gm_shape shape, int d, int k, ptrdiff_t stats) {
  struct gm_plan plan = gm_plan_make(shape, d, k);
  plan.own = PART + gm_marginal_work(shape, d, k) + stats;
  return plan;
}

ptrdiff_t gm_estep_work(const struct gm_family* family, int d, int k, int threads) {
  const struct gm_plan plan =
      estep_plan(family->shape, d, k, gm_stats_size(family, d, k));
  return gm_stats_size(family, d, k) * plan.slots + gm_screen_work(d, k) +
         gm_blocks_work(&plan, d, k, threads);
}

int gm_estep(const struct gm_rows* rows, const struct gm_factors* f,
             const struct gm_engine* engine, struct gm_stats* stats, int* labels,
             double* work, struct gm_error* err) {
  const struct gm_plan plan = estep_plan(f->shape, f->d, f->k, stats->size);
  struct gm_rows counted = *rows;
  if (rows->trimming && rows->source == GM_POSTERIOR) {
    if (gm_trim(rows, f, engine, work, err)) return err->code;
    counted.w = rows->trimming->kept;
  }
  struct estep e = {.rows = &counted,
                    .f = f,
                    .kernel = engine->kernel,
                    .stats = stats,
                    .slots = work,
                    .labels = labels};
  work += stats->size * plan.slots;
  e.depth = gm_screen_depth(&counted, f, engine->kernel, work);
  const struct gm_job job = {
      .zero = estep_zero, .block = estep_block, .fold = estep_fold, .data = &e};
  gm_stats_zero(stats);
  if (counted.w != rows->w) stats->total[GM_CONSTANT] = rows->trimming->constant;
  return gm_blocks(&counted, f->k, &plan, engine, &job, work + gm_screen_work(f->d, f->k),
                   err);
}
