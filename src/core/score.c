/* Scoring rows: log-densities, posteriors, component log-densities, Mahalanobis distances, through
   the kernels of the E-step, block by block. */
#include <math.h>
#include <string.h>

#include "gm.h"

enum { MARGINAL = (sizeof(struct gm_marginal) + sizeof(double) - 1) / sizeof(double) };

static struct gm_plan score_plan(const struct gm_factors* f) {
  struct gm_plan plan = gm_plan_make(f->shape, f->d, f->k);
  plan.own = MARGINAL + gm_marginal_work(f->shape, f->d, f->k);
  return plan;
}

struct score {
  enum gm_score what;
  const struct gm_patterns* patterns;
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

/* The factors for the block's rows: f, or those of the variables that they observe. */
static const struct gm_factors* block_factors(const struct gm_factors* f,
                                              const struct gm_patterns* patterns,
                                              const struct gm_block* block) {
  struct gm_marginal* marginal = (struct gm_marginal*)block->own;
  if (block->pattern < 0) return f;
  if (block->opens)
    gm_marginal_set(marginal, f, patterns, block->pattern, block->own + MARGINAL);
  return &marginal->f;
}

static void score_block(void* data, const struct gm_block* block, int slot) {
  const struct score* s = data;
  const struct gm_factors* f = block_factors(s->f, s->patterns, block);
  const int* row = s->patterns ? s->patterns->row + block->first : NULL;
  const int m = block->m;
  double* lse = block->lse;
  (void)slot;
  gm_block_distance(s->kernel, f, block);
  const int columns = s->what == GM_MAHALANOBIS ? f->k : gm_noise_column(f, block);
  if (s->what == GM_LOGDENS || s->what == GM_PROB)
    s->kernel->posterior(f->logc, columns, m, NULL,
                         s->what == GM_LOGDENS ? block->label : NULL, NULL, block->maha,
                         lse);
  for (int j = 0; j < columns; j++) {
    const double* from = s->what == GM_LOGDENS ? lse : block->maha + (ptrdiff_t)m * j;
    double* to = s->out + s->n * j;
    if (s->what == GM_LOGDENS && j > 0) break;
    for (int i = 0; i < block->rows; i++)
      to[row ? row[i] : block->first + i] =
          s->what == GM_COMPONENT ? f->logc[j] - 0.5 * from[i] : from[i];
  }
  if (f->d == 0 &&
      s->what != GM_MAHALANOBIS) /* a row that is wholly missing, to the bit */
    for (int i = 0; i < block->rows; i++)
      for (int j = 0;
           j < (s->what == GM_LOGDENS ? !block->label || !block->label[i] : columns); j++)
        s->out[row[i] + s->n * j] = s->what == GM_LOGDENS ? 0
                                    : s->what == GM_PROB  ? f->prop[j]
                                                          : f->logc[j];
  if (s->what == GM_PROB)
    for (int i = 0; i < block->rows; i++)
      if (lse[i] == -INFINITY)
        far_posterior(f, block, i, s->out + (row ? row[i] : block->first + i), s->n,
                      block->work);
}

ptrdiff_t gm_score_work(const struct gm_factors* f, int threads) {
  const struct gm_plan plan = score_plan(f);
  return gm_blocks_work(&plan, f->d, f->k, threads);
}

int gm_score_rows(enum gm_score what, const struct gm_rows* rows,
                  const struct gm_factors* f, const struct gm_engine* engine, double* out,
                  double* work, struct gm_error* err) {
  const struct gm_plan plan = score_plan(f);
  struct score score = {.what = what,
                        .patterns = rows->patterns,
                        .f = f,
                        .kernel = engine->kernel,
                        .n = rows->patterns ? rows->patterns->given->n : rows->n,
                        .out = out};
  const struct gm_job job = {.block = score_block, .data = &score};
  return gm_blocks(rows, f->k, &plan, engine, &job, work, err);
}

/* ---- certainty ---- */

struct certainty {
  const struct gm_patterns* patterns;
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
  const struct gm_factors* f = block_factors(c->f, c->patterns, block);
  const int m = block->m;
  gm_block_distance(c->kernel, f, block);
  const int columns = gm_noise_column(f, block);
  c->kernel->posterior(f->logc, columns, m, NULL, block->label, NULL, block->maha,
                       block->lse);
  for (int i = 0; i < block->rows; i++) {
    double largest = 0;
    for (int j = 0; j < columns; j++)
      largest = fmax(largest, block->maha[i + (ptrdiff_t)m * j]);
    if (largest > 0) c->slots[slot] += (block->w ? block->w[i] : 1) * log(largest);
  }
}

static void certainty_fold(void* data, int slots) {
  const struct certainty* c = data;
  for (int slot = 0; slot < slots; slot++) *c->value += c->slots[slot];
}

ptrdiff_t gm_certainty_work(const struct gm_factors* f, int threads) {
  const struct gm_plan plan = score_plan(f);
  return plan.slots + gm_blocks_work(&plan, f->d, f->k, threads);
}

int gm_certainty(const struct gm_rows* rows, const struct gm_factors* f,
                 const struct gm_engine* engine, double* value, double* work,
                 struct gm_error* err) {
  const struct gm_plan plan = score_plan(f);
  struct certainty c = {.patterns = rows->patterns,
                        .f = f,
                        .kernel = engine->kernel,
                        .slots = work,
                        .value = value};
  const struct gm_job job = {.zero = certainty_zero,
                             .block = certainty_block,
                             .fold = certainty_fold,
                             .data = &c};
  *value = 0;
  return gm_blocks(rows, f->k, &plan, engine, &job, work + plan.slots, err);
}
