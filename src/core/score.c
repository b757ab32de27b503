/* Scoring rows: log-densities, posteriors, component log-densities, Mahalanobis distances, through
   the kernels of the E-step, block by block. */
#include <math.h>
#include <string.h>

#include "gm.h"

struct score {
  enum gm_score what;
  const struct gm_factors* f;
  const struct gm_kernel* kernel;
  ptrdiff_t n;
  double* out;
};

/* Squared distance of x / scale from mean / scale, one row: for rows so far out that the distance
   itself overflows. */
static double scaled_distance(const struct gm_factors* f, const struct gm_block* block,
                              int i, int j, double scale, double* y) {
  const int d = f->d;
  const double* mean = f->mean + (ptrdiff_t)d * j;
  const double* factor = f->factor + f->stride * j;
  double sum = 0;
  for (int a = 0; a < d; a++) {
    double v = block->x[i + block->ld * a] / scale - mean[a] / scale;
    if (f->shape == GM_TRIANG) {
      for (int b = 0; b < a; b++) v -= factor[a + (ptrdiff_t)d * b] * y[b];
      v *= factor[a + (ptrdiff_t)d * a];
    } else {
      v *= factor[f->shape == GM_DIAG ? a : 0];
    }
    y[a] = v;
    sum += v * v;
  }
  return sum;
}

/* Posterior of a row all of whose densities underflow to 0: the limit along its direction, all on
   the nearest components. A row at infinity in several ways at once has none: NaN. */
static void far_posterior(const struct gm_factors* f, const struct gm_block* block, int i,
                          double* post, ptrdiff_t stride, double* work) {
  double scale = 0, least = INFINITY, most = -INFINITY, sum = 0;
  for (int a = 0; a < f->d; a++) {
    scale = fmax(scale, fabs(block->x[i + block->ld * a]));
    for (int j = 0; j < f->k; j++)
      scale = fmax(scale, fabs(f->mean[a + (ptrdiff_t)f->d * j]));
  }
  for (int j = 0; j < f->k; j++) {
    post[stride * j] = isfinite(scale) && isfinite(f->logc[j])
                           ? scaled_distance(f, block, i, j, scale, work)
                           : NAN;
    least = fmin(least, post[stride * j]);
  }
  for (int j = 0; j < f->k; j++)
    if (post[stride * j] <= least * (1 + 1e-12)) most = fmax(most, f->logc[j]);
  for (int j = 0; j < f->k; j++) {
    const int near = post[stride * j] <= least * (1 + 1e-12);
    post[stride * j] = near ? exp(f->logc[j] - most) : isfinite(scale) ? 0 : NAN;
    if (near) sum += post[stride * j];
  }
  for (int j = 0; j < f->k && sum > 0; j++) post[stride * j] /= sum;
}

static void score_block(void* data, const struct gm_block* block, int slot) {
  const struct score* s = data;
  const struct gm_factors* f = s->f;
  const int k = f->k, m = block->m;
  double* lse = block->lse;
  (void)slot;
  s->kernel->distance[f->shape](f, block->x, block->ld, m, block->maha, block->work);
  if (s->what == GM_LOGDENS || s->what == GM_PROB)
    s->kernel->posterior(f->logc, k, m, NULL, NULL, block->maha, lse);
  if (s->what == GM_LOGDENS) {
    memcpy(s->out + block->first, lse, (size_t)block->rows * sizeof *lse);
    return;
  }
  for (int j = 0; j < k; j++) {
    const double* from = block->maha + (ptrdiff_t)m * j;
    double* to = s->out + block->first + s->n * j;
    for (int i = 0; i < block->rows; i++)
      to[i] = s->what == GM_COMPONENT ? f->logc[j] - 0.5 * from[i] : from[i];
  }
  if (s->what == GM_PROB)
    for (int i = 0; i < block->rows; i++)
      if (lse[i] == -INFINITY)
        far_posterior(f, block, i, s->out + block->first + i, s->n, block->work);
}

ptrdiff_t gm_score_work(const struct gm_factors* f, int threads) {
  const struct gm_plan plan = gm_plan_make(f->shape, f->d, f->k);
  return gm_blocks_work(&plan, f->d, f->k, threads);
}

int gm_score_rows(enum gm_score what, const struct gm_rows* rows,
                  const struct gm_factors* f, const struct gm_engine* engine, double* out,
                  double* work, struct gm_error* err) {
  const struct gm_plan plan = gm_plan_make(f->shape, f->d, f->k);
  struct score score = {
      .what = what, .f = f, .kernel = engine->kernel, .n = rows->n, .out = out};
  const struct gm_job job = {.block = score_block, .data = &score};
  return gm_blocks(rows, f->k, &plan, engine, &job, work, err);
}

/* ---- certainty ---- */

struct certainty {
  const struct gm_factors* f;
  const struct gm_kernel* kernel;
  double* slots;
  double* value;
};

static void certainty_zero(void* data, int slot) {
  ((struct certainty*)data)->slots[slot] = 0;
}

static void certainty_block(void* data, const struct gm_block* block, int slot) {
  const struct certainty* c = data;
  const struct gm_factors* f = c->f;
  const int m = block->m;
  c->kernel->distance[f->shape](f, block->x, block->ld, m, block->maha, block->work);
  c->kernel->posterior(f->logc, f->k, m, NULL, block->label, block->maha, block->lse);
  for (int i = 0; i < block->rows; i++) {
    double largest = 0;
    for (int j = 0; j < f->k; j++)
      largest = fmax(largest, block->maha[i + (ptrdiff_t)m * j]);
    if (largest > 0) c->slots[slot] += (block->w ? block->w[i] : 1) * log(largest);
  }
}

static void certainty_fold(void* data, int slots) {
  const struct certainty* c = data;
  for (int slot = 0; slot < slots; slot++) *c->value += c->slots[slot];
}

ptrdiff_t gm_certainty_work(const struct gm_factors* f, int threads) {
  const struct gm_plan plan = gm_plan_make(f->shape, f->d, f->k);
  return plan.slots + gm_blocks_work(&plan, f->d, f->k, threads);
}

int gm_certainty(const struct gm_rows* rows, const struct gm_factors* f,
                 const struct gm_engine* engine, double* value, double* work,
                 struct gm_error* err) {
  const struct gm_plan plan = gm_plan_make(f->shape, f->d, f->k);
  struct certainty c = {.f = f, .kernel = engine->kernel, .slots = work, .value = value};
  const struct gm_job job = {.zero = certainty_zero,
                             .block = certainty_block,
                             .fold = certainty_fold,
                             .data = &c};
  *value = 0;
  return gm_blocks(rows, f->k, &plan, engine, &job, work + plan.slots, err);
}
