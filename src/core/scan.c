/* What a first look at rows tells: ranges, missing values, sums of the weights; and a sample of rows
   that come one after the other. */
#include <math.h>
#include <string.h>

#include "gm.h"

/* ---- ranges ---- */

enum { LANES = 8 }; /* chains that don't wait for each other */

struct range {
  double lower, upper;
};

/* Of the values that are there. Returns whether all are finite. */
static int range_of(const double* x, int n, struct range* range) {
  double lower[LANES], upper[LANES], odd[LANES] = {0};
  int i = 0;
  for (int l = 0; l < LANES; l++) lower[l] = INFINITY, upper[l] = -INFINITY;
  for (; i + LANES <= n; i += LANES)
    for (int l = 0; l < LANES; l++) {
      const double v = x[i + l];
      lower[l] = v < lower[l] ? v : lower[l];
      upper[l] = v > upper[l] ? v : upper[l];
      odd[l] += v - v;
    }
  for (; i < n; i++) {
    lower[0] = x[i] < lower[0] ? x[i] : lower[0];
    upper[0] = x[i] > upper[0] ? x[i] : upper[0];
    odd[0] += x[i] - x[i];
  }
  for (int l = 1; l < LANES; l++) {
    lower[0] = fmin(lower[0], lower[l]);
    upper[0] = fmax(upper[0], upper[l]);
    odd[0] += odd[l];
  }
  range->lower = fmin(range->lower, lower[0]);
  range->upper = fmax(range->upper, upper[0]);
  return odd[0] == 0;
}

struct scan {
  int d;
  ptrdiff_t size;
  double *slots, *out;
};

static double* totals_of(double* scan, int d) { return scan + 4 * (ptrdiff_t)d; }

static void scan_zero(void* data, int slot) {
  const struct scan* s = data;
  double* out = s->slots + s->size * slot;
  struct range* range = (struct range*)out;
  memset(out, 0, (size_t)s->size * sizeof *out);
  for (int i = 0; i < 2 * s->d; i++) range[i] = (struct range){INFINITY, -INFINITY};
  totals_of(out, s->d)[GM_SCAN_WRONG] = INFINITY;
}

static void scan_block(void* data, const struct gm_block* block, int slot) {
  const struct scan* s = data;
  double *out = s->slots + s->size * slot, *total = totals_of(out, s->d);
  struct range *all = (struct range*)out, *counted = all + s->d;
  int weightless = 0;
  for (int i = 0; i < block->rows && block->w; i++) {
    const double w = block->w[i];
    weightless |= w == 0;
    total[GM_SCAN_WEIGHT] += w;
    total[GM_SCAN_WEIGHT2] += w * w;
    if (!(w >= 0 && w < INFINITY))
      total[GM_SCAN_WRONG] = fmin(total[GM_SCAN_WRONG], (double)(block->first + i));
  }
  for (int a = 0; a < s->d; a++) {
    const double* x = block->x + block->ld * a;
    struct range here = {INFINITY, -INFINITY};
    if (!range_of(x, block->rows, &here))
      for (int i = 0; i < block->rows; i++) total[GM_SCAN_MISSING] += isnan(x[i]) != 0;
    all[a].lower = fmin(all[a].lower, here.lower);
    all[a].upper = fmax(all[a].upper, here.upper);
    if (weightless) {
      here = (struct range){INFINITY, -INFINITY};
      for (int i = 0; i < block->rows; i++)
        if (block->w[i] > 0) (void)range_of(x + i, 1, &here);
    }
    counted[a].lower = fmin(counted[a].lower, here.lower);
    counted[a].upper = fmax(counted[a].upper, here.upper);
  }
}

static void scan_fold(void* data, int slots) {
  const struct scan* s = data;
  struct range* to = (struct range*)s->out;
  double* total = totals_of(s->out, s->d);
  for (int slot = 0; slot < slots; slot++) {
    double* from = s->slots + s->size * slot;
    const struct range* range = (const struct range*)from;
    const double* more = totals_of(from, s->d);
    for (int i = 0; i < 2 * s->d; i++) {
      to[i].lower = fmin(to[i].lower, range[i].lower);
      to[i].upper = fmax(to[i].upper, range[i].upper);
    }
    for (int t = 0; t < GM_SCAN_WRONG; t++) total[t] += more[t];
    total[GM_SCAN_WRONG] = fmin(total[GM_SCAN_WRONG], more[GM_SCAN_WRONG]);
  }
}

ptrdiff_t gm_scan_size(int d) { return 4 * (ptrdiff_t)d + GM_SCAN_TOTALS; }

/* Cheap: two operations a value. */
static struct gm_plan scan_plan(int d) {
  struct gm_plan plan = gm_plan_make(GM_DIAG, d, 1);
  plan.cost = 2 * d;
  return plan;
}

ptrdiff_t gm_scan_work(int d, int threads) {
  const struct gm_plan plan = scan_plan(d);
  return gm_scan_size(d) * plan.slots + gm_blocks_work(&plan, d, 1, threads);
}

int gm_scan(const struct gm_rows* rows, const struct gm_engine* engine, double* out,
            double* work, struct gm_error* err) {
  const struct gm_plan plan = scan_plan(rows->d);
  struct scan s = {.d = rows->d, .size = gm_scan_size(rows->d), .slots = out, .out = out};
  scan_zero(&s, 0);
  s.slots = work;
  const struct gm_job job = {
      .zero = scan_zero, .block = scan_block, .fold = scan_fold, .data = &s};
  return gm_blocks(rows, 1, &plan, engine, &job, work + s.size * plan.slots, err);
}

/* ---- a sample of rows that come one after the other ---- */

/* Weight from row `from` on that is passed over before the next row is taken: a row of weight w is
   taken with probability 1 - exp(-w limit), as an exponential clock would ring within it. */
static double gap(const struct gm_draw* draw) {
  double u[2];
  gm_random(draw->key, (uint64_t)(draw->last + 1), draw->stream, 1, u);
  return -log(u[0]) / draw->limit;
}

ptrdiff_t gm_draw_rows(struct gm_draw* draw, double before, ptrdiff_t n, const double* w,
                       ptrdiff_t from, ptrdiff_t room, int* row, double* order) {
  ptrdiff_t count = 0;
  const int all = !(draw->limit < INFINITY);
  double wait = all ? 0 : gap(draw);
  for (ptrdiff_t i = from; i < n && count < room; i++) {
    if (!all && w) {
      draw->passed += w[i];
      if (draw->passed <= wait) continue;
    } else if (!all) {
      const double next = draw->last + 1 + floor(wait);
      if (next >= before + (double)n) break;
      i = (ptrdiff_t)(next - before);
    }
    double u[2];
    const double weight = w ? w[i] : 1;
    draw->last = before + (double)i;
    draw->passed = 0;
    gm_random(draw->key, (uint64_t)draw->last, draw->stream, 0, u);
    order[count] =
        all ? -log(u[0]) / weight : -log1p(u[0] * expm1(-weight * draw->limit)) / weight;
    row[count++] = (int)i;
    if (!all) wait = gap(draw);
  }
  return count;
}
