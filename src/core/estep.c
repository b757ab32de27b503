/* E-step: rows and parameters -> stats. Knows weights, labels and where the probabilities come
   from; knows no family.

   A block: distance -> posterior -> accumulate, all in cache; a group of blocks adds into its slot
   of statistics; the slots are folded in order. */
#include <string.h>

#include "gm.h"

struct estep {
  const struct gm_rows* rows;
  const struct gm_factors* f;
  const struct gm_kernel* kernel;
  struct gm_stats* stats;
  double* slots; /* statistics of each slot, one after the other */
  int* labels;
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

static void given(const struct gm_block* block, int k, const struct gm_rows* rows,
                  double* resp) {
  for (int j = 0; j < k; j++) {
    const double* from = rows->resp + block->first + rows->n * j;
    double* to = resp + (ptrdiff_t)block->m * j;
    for (int i = 0; i < block->m; i++)
      to[i] = i < block->rows ? from[i] * (block->w ? block->w[i] : 1) : 0;
  }
}

static void estep_block(void* data, const struct gm_block* block, int slot) {
  const struct estep* e = data;
  const struct gm_factors* f = e->f;
  const int k = f->k, m = block->m;
  struct gm_stats stats = slot_stats(e, slot);
  double* resp = block->maha;

  switch (e->rows->source) {
    case GM_POSTERIOR:
      e->kernel->distance[f->shape](f, block->x, block->ld, m, block->maha, block->work);
      stats.total[GM_LOGLIK] +=
          e->kernel->posterior(f->logc, k, m, block->w, block->label, block->maha, NULL);
      break;
    case GM_LABELS: one_hot(block, k, block->label, resp); break;
    case GM_MATRIX: given(block, k, e->rows, resp); break;
    case GM_NEAREST:
      e->kernel->distance[f->shape](f, block->x, block->ld, m, block->maha, block->work);
      nearest(block, k);
      memcpy(e->labels + block->first, block->component,
             (size_t)block->rows * sizeof *e->labels);
      one_hot(block, k, block->component, resp);
      break;
  }
  if (block->w) {
    for (int i = 0; i < block->rows; i++) stats.total[GM_WEIGHT] += block->w[i];
  } else {
    stats.total[GM_WEIGHT] += block->rows;
  }
  e->kernel->accumulate[f->shape](f, block->x, block->ld, m, block->w, resp, &stats,
                                  block->work);
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

ptrdiff_t gm_estep_work(const struct gm_family* family, int d, int k, int threads) {
  const struct gm_plan plan = gm_plan_make(family->shape, d, k);
  return gm_stats_size(family, d, k) * plan.slots + gm_blocks_work(&plan, d, k, threads);
}

int gm_estep(const struct gm_rows* rows, const struct gm_factors* f,
             const struct gm_engine* engine, struct gm_stats* stats, int* labels,
             double* work, struct gm_error* err) {
  const struct gm_plan plan = gm_plan_make(f->shape, f->d, f->k);
  struct estep e = {.rows = rows,
                    .f = f,
                    .kernel = engine->kernel,
                    .stats = stats,
                    .slots = work,
                    .labels = labels};
  const struct gm_job job = {
      .zero = estep_zero, .block = estep_block, .fold = estep_fold, .data = &e};
  gm_stats_zero(stats);
  return gm_blocks(rows, f->k, &plan, engine, &job, work + stats->size * plan.slots, err);
}
