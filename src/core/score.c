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
  int* gaps; /* all threads write it */
  int depth; /* of the bounds, see gm_screen_depth() */
};

static int flag_of(const int* flag) {
  int value;
#ifdef _OPENMP
#pragma omp atomic read
#endif
  value = *flag;
  return value;
}
static void set_flag(int* flag) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
  *flag = 1;
}

int gm_score_columns(enum gm_score what, const struct gm_factors* f) {
  if (what == GM_MAHALANOBIS) return f->k;
  return what == GM_PROB || what == GM_COMPONENT ? f->k + (f->noise != NULL) : 0;
}

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

/* Is a value missing? The block's rows come into the cache by it. */
static int block_gaps(const struct gm_block* block, int d) {
  for (int a = 0; a < d; a++)
    if (gm_has_gaps(block->x + block->ld * a, block->rows)) return 1;
  return 0;
}

/* Where all densities are 0 in double precision, or no value is known, as exact as can be. */
static void mend_posterior(const struct gm_factors* f, const struct gm_block* block,
                           int columns) {
  const ptrdiff_t m = block->m;
  for (int j = 0; j < columns && f->d == 0; j++)
    for (int i = 0; i < block->rows; i++) block->maha[i + m * j] = f->prop[j];
  for (int i = 0; i < block->rows && f->d > 0; i++)
    if (block->lse[i] == -INFINITY)
      far_posterior(f, block, i, block->maha + i, m, block->work);
}

/* lse <- the number of the largest posterior, or the sum of the others. */
static void sum_up(enum gm_score what, const struct gm_block* block, int columns) {
  const ptrdiff_t m = block->m;
  for (int i = 0; i < block->rows; i++) {
    const double* post = block->maha + i;
    int best = 0;
    double others = 0;
    for (int j = 1; j < columns; j++)
      if (post[m * j] > post[m * best]) best = j;
    for (int j = 0; j < columns; j++)
      if (j != best) others += post[m * j];
    block->lse[i] = isnan(post[0]) ? NAN : what == GM_CLASS ? best + 1 : others;
  }
}

/* Then terms below rounding need not be known. */
static int is_density(enum gm_score what) {
  return what == GM_LOGDENS || what == GM_DENSITY;
}

static void score_block(void* data, const struct gm_block* block, int slot) {
  struct score* s = data;
  const struct gm_factors* f = block_factors(s->f, s->patterns, block);
  const int* row = s->patterns ? s->patterns->row + block->first : NULL;
  const enum gm_score what = s->what;
  const int m = block->m, columns = gm_score_columns(what, f);
  double *lse = block->lse, *maha = block->maha;
  (void)slot;
  if (s->gaps && (flag_of(s->gaps) || block_gaps(block, f->d))) {
    set_flag(s->gaps);
    return;
  }
  const double* reach = NULL;
  if (is_density(what)) {
    reach = gm_block_reach(s->kernel, f, s->depth, block);
  } else {
    gm_block_distance(s->kernel, f, block);
  }
  if (what != GM_MAHALANOBIS) {
    const int terms = gm_noise_column(f, block);
    const int* label = what == GM_LOGDENS ? block->label : NULL;
    if (what == GM_COMPONENT) {
      for (int j = 0; j < terms; j++)
        for (ptrdiff_t i = m * (ptrdiff_t)j; i < m * (ptrdiff_t)(j + 1); i++)
          maha[i] = f->logc[j] - 0.5 * maha[i];
    } else {
      s->kernel->posterior(f->logc, terms, m, NULL, label, reach, maha, lse);
    }
    if (what == GM_PROB || what == GM_CLASS || what == GM_UNCERTAINTY)
      mend_posterior(f, block, terms);
    if (what == GM_CLASS || what == GM_UNCERTAINTY) sum_up(what, block, terms);
    for (int i = 0; i < block->rows && f->d == 0; i++) /* wholly missing: to the bit */
      if (!label || !label[i])
        lse[i] = what == GM_LOGDENS || what == GM_DENSITY ? 0 : lse[i];
    for (int i = 0; i < block->rows && what == GM_DENSITY; i++) lse[i] = exp(lse[i]);
  }
  const double* from = columns ? maha : lse;
  for (int j = 0; j < (columns ? columns : 1); j++, from += m) {
    double* to = s->out + s->n * j;
    if (row) {
      for (int i = 0; i < block->rows; i++) to[row[i]] = from[i];
    } else {
      memcpy(to + block->first, from, (size_t)block->rows * sizeof *to);
    }
  }
}

ptrdiff_t gm_score_work(const struct gm_factors* f, int threads) {
  const struct gm_plan plan = score_plan(f);
  return gm_screen_work(f->d, f->k) + gm_blocks_work(&plan, f->d, f->k, threads);
}

int gm_score_rows(enum gm_score what, const struct gm_rows* rows,
                  const struct gm_factors* f, const struct gm_engine* engine, double* out,
                  int* gaps, double* work, struct gm_error* err) {
  const struct gm_plan plan = score_plan(f);
  struct score score = {.what = what,
                        .patterns = rows->patterns,
                        .f = f,
                        .kernel = engine->kernel,
                        .n = rows->patterns ? rows->patterns->given->n : rows->n,
                        .out = out,
                        .gaps = gaps};
  const struct gm_job job = {.block = score_block, .data = &score};
  if (is_density(what)) score.depth = gm_screen_depth(rows, f, engine->kernel, work);
  return gm_blocks(rows, f->k, &plan, engine, &job, work + gm_screen_work(f->d, f->k),
                   err);
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
