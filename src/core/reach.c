/* Which rows matter to which components, and what can be left out for it.

   Responsibilities and densities leave out pairs of a row and a component that are below rounding
   (gm_reach()). Where most pairs are such, as with many variables, their distances need not be known:
     1. for all pairs a lower bound, by the first variables in single precision;
     2. each row's distance from the component that looks nearest: with it the row's largest term is
        at least known to be so large;
     3. the distances of the pairs that the bound does not rule out. The others stay at Inf.
   A pair that is ruled out is one that the posterior would have left out, and the other distances have
   the bits that they always have: so has every result. */
#include <math.h>
#include <string.h>

#include "gm.h"

/* With t = 2^-54 and log(1 + maha) below its tangent at 63, log(64) + (maha - 63) / 64, a row counts
   where logc_j - maha / 2 - largest term + log(64) + (maha - 63) / 64 >= log(t prop_j). */
void gm_reach(const struct gm_factors* f, double* reach) {
  const double level = 54 * 0.6931471805599453 + 4.1588830833596715 - 63. / 64;
  for (int j = 0; j < f->k; j++)
    reach[j] = f->prop[j] > 0 ? f->logc[j] - log(f->prop[j]) + level : -INFINITY;
  reach[f->k] = INFINITY;
}

/* ---- the screen ---- */

/* With u = 2^-24 the rounding errors of the substitution are those of a factor L + E, |E| <=
   (d + 8) u |L|, so that y is off by no more than (d + 8) u || |L^-1| |L| || times its norm; and |L^-1|
   is not above the inverse of L with all entries below the diagonal negative (Higham 2002, chapter
   8). The spectral norm is not above the root of the largest sum of a row times that of a column. */
void gm_screen_set(struct gm_factors* f, int j, double* work) {
  const int d = f->d;
  const double* l = f->factor + f->stride * j;
  float* to = f->screen + f->stride * j;
  double *rows = work, *columns = work + d;
  double most = 0, row = 0, column = 0;
  if (j > 0 && !f->stride) {
    f->trust[j] = f->trust[0];
    return;
  }
  memset(rows, 0, (size_t)d * sizeof *rows);
  for (int b = 0; b < d; b++) {
    const ptrdiff_t at = (ptrdiff_t)d * b;
    const double reciprocal = l[b + at];
    most = fmax(most, fmax(reciprocal, 1 / reciprocal));
    rows[b] = 1 + reciprocal * rows[b];
    row = fmax(row, rows[b]);
    for (int a = b; a < d; a++) to[a + at] = (float)l[a + at];
    for (int a = b + 1; a < d; a++) {
      const double size = fabs(l[a + at]);
      most = size > most ? size : most;
      rows[a] += size * (1 + rows[b]);
    }
  }
  for (int b = d - 1; b >= 0; b--) {
    const double* below = l + (ptrdiff_t)d * b;
    double sum = 1;
    for (int a = b + 1; a < d; a++) sum += fabs(below[a]) * columns[a];
    columns[b] = sum * below[b];
    column = fmax(column, 2 * sum - 1);
  }
  const double u = 0x1p-24, off = (d + 8) * u * sqrt(row) * sqrt(column);
  const double trust = 1 - 2 * off - (d + 16) * u - 1e-6;
  f->trust[j] = most < 1e30 && trust > 0 ? trust : 0; /* 1e30: far from floats' limits */
}

/* ---- distances ---- */

/* Does the bound show the row, whose largest term is at least `most`, to be out of reach? */
static int ruled_out(double bound, double reach, double most) {
  return bound * GM_REACH > reach - most;
}

/* Component j's distances of the block's rows where maha is NaN. */
static void finish(const struct gm_kernel* kernel, const struct gm_factors* f, int j,
                   const struct gm_block* block) {
  enum { AT_ONCE = 8 * GM_PAD };
  double *maha = block->maha + (ptrdiff_t)block->m * j, found[AT_ONCE];
  int row[AT_ONCE];
  for (int i = 0; i < block->m;) {
    int count = 0, padded;
    for (; i < block->m && count < AT_ONCE; i++) {
      row[count] = i;
      count += isnan(maha[i]);
    }
    if (count == 0) return;
    for (padded = count; padded % GM_PAD; padded++) row[padded] = row[count - 1];
    kernel->some(f, j, block->x, block->ld, row, padded, found, block->work);
    for (int c = 0; c < count; c++) maha[row[c]] = found[c];
  }
}

static void screened_distance(const struct gm_kernel* kernel, const struct gm_factors* f,
                              int depth, const struct gm_block* block) {
  const int m = block->m, k = f->k;
  double *maha = block->maha, *most = block->lse;
  int* nearest = block->component;
  kernel->least(f, depth, block->x, block->ld, m, maha, block->work);
  for (int i = 0; i < m; i++) {
    most[i] = -INFINITY;
    nearest[i] = 0;
  }
  for (int j = 0; j < k; j++)
    for (int i = 0; i < m; i++) { /* no branches: they could not be foreseen */
      const double term = f->logc[j] - 0.5 * maha[i + (ptrdiff_t)m * j];
      nearest[i] = term > most[i] ? j : nearest[i];
      most[i] = term > most[i] ? term : most[i];
    }
  for (int i = 0; block->label && i < m; i++) /* no other is asked for */
    if (block->label[i] > 0 && block->label[i] <= k) nearest[i] = block->label[i] - 1;
  for (int i = 0; i < m; i++) maha[i + (ptrdiff_t)m * nearest[i]] = NAN;
  for (int j = 0; j < k; j++) finish(kernel, f, j, block);
  for (int i = 0; i < m; i++)
    most[i] = f->logc[nearest[i]] - 0.5 * maha[i + (ptrdiff_t)m * nearest[i]];
  for (int j = 0; j < k; j++) {
    double* column = maha + (ptrdiff_t)m * j;
    for (int i = 0; i < m; i++) {
      const double mark = ruled_out(column[i], block->reach[j], most[i]) ? INFINITY : NAN;
      column[i] = nearest[i] == j ? column[i] : mark;
    }
    finish(kernel, f, j, block);
  }
}

const double* gm_block_reach(const struct gm_kernel* kernel, const struct gm_factors* f,
                             int depth, const struct gm_block* block) {
  /* few columns make the scatter too cheap for it to pay */
  const int wanted = f->shape == GM_TRIANG && f->d > 4;
  if (wanted) gm_reach(f, block->reach);
  if (depth > 0 && f->screen) {
    screened_distance(kernel, f, depth, block);
  } else {
    gm_block_distance(kernel, f, block);
  }
  return wanted ? block->reach : NULL;
}

/* ---- what pays ---- */

enum { SAMPLE = 64, DEPTHS = 8, ROWS_MIN = 32 * SAMPLE };

ptrdiff_t gm_screen_work(int d, int k) {
  if (d < GM_SCREEN) return 0;
  return (ptrdiff_t)SAMPLE * (d + 2 * k + 1) + k + 1 + gm_kernel_work(d, k) + 8;
}

int gm_screen_depth(const struct gm_rows* rows, const struct gm_factors* f,
                    const struct gm_kernel* kernel, double* work) {
  const int d = f->d, k = f->k;
  if (rows->source != GM_POSTERIOR || !f->screen || !kernel->least || k < 2 ||
      rows->patterns || rows->n < ROWS_MIN)
    return 0;
  double* x = (double*)(((uintptr_t)work + 63) / 64 * 64);
  double *maha = x + (ptrdiff_t)SAMPLE * d, *bound = maha + (ptrdiff_t)SAMPLE * k;
  double *most = bound + (ptrdiff_t)SAMPLE * k, *own = most + SAMPLE;
  double* reach = own + gm_kernel_work(d, k);
  for (int a = 0; a < d; a++)
    for (int i = 0; i < SAMPLE; i++)
      x[i + SAMPLE * a] = rows->x[rows->n / SAMPLE * i + rows->ld * a];
  gm_reach(f, reach);
  kernel->distance[f->shape](f, x, SAMPLE, SAMPLE, maha, own);
  for (int i = 0; i < SAMPLE; i++) most[i] = -INFINITY;
  for (int j = 0; j < k; j++)
    for (int i = 0; i < SAMPLE; i++)
      most[i] = fmax(most[i], f->logc[j] - 0.5 * maha[i + SAMPLE * j]);
  /* In units of all distances: bounds take half as long as distances of so many variables; those of
     gathered rows are dearer; and there is what each pair costs whatever d is. */
  const double pairs = (double)SAMPLE * k, gathered = 1 + 16. / d, each = 300. / d / d;
  double least = 0.9; /* less would not pay for the risk */
  int depth = 0;
  for (int step = 1; step <= DEPTHS; step++) {
    const int variables = d * step / DEPTHS;
    double left = 0;
    kernel->least(f, variables, x, SAMPLE, SAMPLE, bound, own);
    for (int j = 0; j < k; j++)
      for (int i = 0; i < SAMPLE; i++)
        left += !ruled_out(bound[i + SAMPLE * j], reach[j], most[i]);
    const double share = (double)variables / d;
    const double cost = 0.5 * share * share + gathered * left / pairs + each;
    if (cost < least) {
      least = cost;
      depth = variables;
    }
  }
  return depth;
}
