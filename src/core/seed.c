/* Starts. Distances are taken in standardised columns, so that units do not matter; a row counts
   with its weight. Every start is a function of (key, stream), and of nothing before it. */
#include <math.h>
#include <string.h>

#include "gm.h"

enum { LLOYD_STEPS = 10 };

/* ---- k rows, far apart or at random ---- */

struct spread {
  const struct gm_factors* f; /* of the row picked last, k = 1 */
  const struct gm_kernel* kernel;
  int far; /* 1: squared distance to the nearest pick; 0: 1 for rows that differ from all picks */
  double* dist;
};

static void spread_block(void* data, const struct gm_block* block, int slot) {
  const struct spread* s = data;
  (void)slot;
  s->kernel->distance[GM_DIAG](s->f, block->x, block->ld, block->m, block->maha, block->work);
  double* dist = s->dist + block->first;
  for (int i = 0; i < block->rows; i++) {
    const double reach = s->far ? block->maha[i] : block->maha[i] > 0;
    if (reach < dist[i]) dist[i] = reach;
  }
}

/* A row drawn with probability in proportion to w * dist; -1 where all are 0. */
static ptrdiff_t draw_row(const struct gm_rows* rows, const double* dist, double u) {
  double total = 0, sum = 0;
  ptrdiff_t last = -1;
  for (ptrdiff_t i = 0; i < rows->n; i++) total += dist[i] * (rows->w ? rows->w[i] : 1);
  for (ptrdiff_t i = 0; i < rows->n; i++) {
    const double mass = dist[i] * (rows->w ? rows->w[i] : 1);
    if (!(mass > 0)) continue;
    sum += mass;
    last = i;
    if (sum >= u * total) break;
  }
  return last;
}

static int pick_rows(int far, const struct gm_seeder* seeder, uint32_t stream,
                     const double* inverse_scale, double* mean, int k, double* work,
                     struct gm_error* err) {
  const struct gm_rows* rows = seeder->rows;
  const int d = rows->d;
  const struct gm_plan plan = gm_plan_make(GM_DIAG, d, 1);
  struct gm_factors f = {.shape = GM_DIAG, .d = d, .k = 1, .factor = (double*)inverse_scale};
  struct spread spread = {
      .f = &f, .kernel = seeder->engine->kernel, .far = far, .dist = seeder->dist};
  const struct gm_job job = {.block = spread_block, .data = &spread};
  for (ptrdiff_t i = 0; i < rows->n; i++) seeder->dist[i] = 1;
  for (int j = 0; j < k; j++) {
    double u[2];
    gm_random(seeder->key, (uint64_t)j, stream, 0, u);
    const ptrdiff_t row = draw_row(rows, seeder->dist, u[0]);
    if (row < 0) {
      *err = (struct gm_error){.code = GM_EMPTY, .component = j + 1};
      return err->code;
    }
    for (int a = 0; a < d; a++) mean[a + (ptrdiff_t)d * j] = rows->x[row + rows->ld * a];
    f.mean = mean + (ptrdiff_t)d * j;
    if (j == 0 && far) /* the first pick was uniform */
      for (ptrdiff_t i = 0; i < rows->n; i++) seeder->dist[i] = INFINITY;
    if (gm_blocks(rows, 1, &plan, seeder->engine, &job, work, err)) return err->code;
  }
  return GM_OK;
}

/* Lloyd's steps from mean, which they move; label gets each row's centre. */
static int lloyd(const struct gm_seeder* seeder, const double* inverse_scale, double* mean, int k,
                 struct gm_stats* stats, double* work, struct gm_error* err) {
  const int d = seeder->rows->d;
  struct gm_rows rows = *seeder->rows;
  const struct gm_factors f = {
      .shape = GM_DIAG, .d = d, .k = k, .mean = mean, .factor = (double*)inverse_scale};
  rows.source = GM_NEAREST;
  for (int step = 0; step < LLOYD_STEPS; step++) {
    double moved = 0;
    if (gm_estep(&rows, &f, seeder->engine, stats, seeder->label, work, err)) return err->code;
    for (int j = 0; j < k; j++)
      for (int a = 0; a < d && stats->nk[j] > 0; a++) {
        const double shift = stats->sum[a + (ptrdiff_t)d * j] / stats->nk[j];
        mean[a + (ptrdiff_t)d * j] += shift;
        moved = fmax(moved, fabs(shift * inverse_scale[a]));
      }
    if (moved < 1e-9) break;
  }
  return GM_OK;
}

/* ---- labels or responsibilities -> parameters ---- */

/* stats about the means of the groups themselves: one pass finds them, a second uses them. */
static int centred_stats(const struct gm_rows* rows, const struct gm_seeder* seeder,
                         struct gm_params* params, struct gm_stats* stats, double* work,
                         struct gm_error* err) {
  const int d = params->d, k = params->k;
  const struct gm_factors f = {.shape = params->family->shape,
                               .d = d,
                               .k = k,
                               .stride = gm_cov_stride(params->family, d),
                               .mean = params->mean};
  for (int j = 0; j < k; j++)
    for (int a = 0; a < d; a++) params->mean[a + (ptrdiff_t)d * j] = rows->x[rows->ld * a];
  if (gm_estep(rows, &f, seeder->engine, stats, NULL, work, err)) return err->code;
  for (int j = 0; j < k; j++)
    for (int a = 0; a < d && stats->nk[j] > 0; a++)
      params->mean[a + (ptrdiff_t)d * j] += stats->sum[a + (ptrdiff_t)d * j] / stats->nk[j];
  return gm_estep(rows, &f, seeder->engine, stats, NULL, work, err);
}

/* Adds `rows` rows of mean weight at each mean with the pooled scatter: groups too small for a
   covariance of their own still get one. */
static void shrink(struct gm_stats* stats, int rows, double* pooled) {
  const ptrdiff_t length = (stats->total - stats->scatter) / (stats->stride ? stats->k : 1);
  const int scatters = stats->stride ? stats->k : 1;
  double total = 0, total2 = 0;
  for (int j = 0; j < stats->k; j++) {
    total += stats->nk[j];
    total2 += stats->nk2[j];
  }
  const double extra = rows * total2 / total;
  for (ptrdiff_t a = 0; a < length; a++) {
    pooled[a] = 0;
    for (int j = 0; j < scatters; j++) pooled[a] += stats->scatter[a + stats->stride * j];
    for (int j = 0; j < scatters; j++)
      stats->scatter[a + stats->stride * j] +=
          pooled[a] * extra / total * (stats->stride ? 1 : stats->k);
  }
  for (int j = 0; j < stats->k; j++)
    if (stats->nk[j] > 0) stats->nk[j] += extra;
}

/* The total covariance for each component, equal proportions, means as they are. */
static int with_total_covariance(const struct gm_seeder* seeder, struct gm_params* params,
                                 struct gm_stats* stats, double* work, struct gm_error* err) {
  const int k = params->k;
  const ptrdiff_t means = (ptrdiff_t)params->d * k;
  double* mean = work;
  struct gm_rows rows = *seeder->rows;
  rows.source = GM_LABELS;
  rows.label = seeder->label;
  for (ptrdiff_t i = 0; i < rows.n; i++) seeder->label[i] = 1;
  memcpy(mean, params->mean, (size_t)means * sizeof *mean);
  if (centred_stats(&rows, seeder, params, stats, work + means, err)) return err->code;
  memcpy(params->mean, mean, (size_t)means * sizeof *mean);
  memset(stats->sum, 0, (size_t)means * sizeof *mean);
  for (int j = k - 1; j >= 0; j--) {
    stats->nk[j] = stats->nk[0] / k;
    stats->nk2[j] = stats->nk2[0] / k;
    for (ptrdiff_t a = 0; a < stats->stride; a++)
      stats->scatter[a + stats->stride * j] = stats->scatter[a] / k;
  }
  return GM_OK;
}

/* ---- the door ---- */

ptrdiff_t gm_seed_work(const struct gm_family* family, int d, int k, int threads) {
  const struct gm_family* diag = gm_family_find("VVI");
  const struct gm_plan plan = gm_plan_make(GM_DIAG, d, 1);
  ptrdiff_t pass = gm_blocks_work(&plan, d, 1, threads);
  const ptrdiff_t hard = gm_stats_size(diag, d, k) + gm_estep_work(diag, d, k, threads);
  const ptrdiff_t own = (ptrdiff_t)d * k + gm_stats_size(family, d, k) +
                        gm_estep_work(family, d, k, threads) + gm_mstep_work(family, d, k);
  if (hard > pass) pass = hard;
  if (own > pass) pass = own;
  return d + pass;
}

int gm_seed_params(enum gm_seed kind, const struct gm_seeder* seeder, uint32_t stream,
                   struct gm_params* params, struct gm_stats* stats, struct gm_error* err) {
  const int d = params->d, k = params->k;
  double* inverse_scale = seeder->work;
  double* work = inverse_scale + d;
  struct gm_rows rows = *seeder->rows;
  *err = (struct gm_error){.code = GM_OK};
  for (int a = 0; a < d; a++) inverse_scale[a] = 1 / seeder->bounds->scale[a];

  if (kind == GM_SEED_GIVEN) return GM_OK;
  if (kind == GM_SEED_KMEANS) {
    struct gm_stats hard;
    double* behind = gm_stats_init(&hard, gm_family_find("VVI"), d, k, work);
    if (pick_rows(1, seeder, stream, inverse_scale, params->mean, k, work, err) ||
        lloyd(seeder, inverse_scale, params->mean, k, &hard, behind, err))
      return err->code;
  }
  if (kind == GM_SEED_RANDOM) {
    if (pick_rows(0, seeder, stream, inverse_scale, params->mean, k, work, err) ||
        with_total_covariance(seeder, params, stats, work, err))
      return err->code;
  } else {
    rows.source = kind == GM_SEED_MATRIX ? GM_MATRIX : GM_LABELS;
    rows.label = kind == GM_SEED_LABELS ? seeder->given_label : seeder->label;
    rows.resp = seeder->given_resp;
    if (centred_stats(&rows, seeder, params, stats, work, err)) return err->code;
  }
  if (kind == GM_SEED_KMEANS) shrink(stats, d + 1, work);
  params->cov[0] = 0; /* none yet */
  return gm_mstep(stats, seeder->bounds, params, work, err);
}
