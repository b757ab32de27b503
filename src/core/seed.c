/* Starts. Distances are taken in standardised columns (or in the metric of the total covariance), so
   that units do not matter; a row counts with its weight. Every start is a function of (key,
   stream), and of nothing before it. */
#include <math.h>
#include <string.h>

#include "gm.h"

enum { LLOYD_STEPS = 10, CONCENTRATIONS = 30 };

static ptrdiff_t max_size(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

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
  const enum gm_shape shape = s->f->shape;
  s->kernel->distance[shape](s->f, block->x, block->ld, block->m, block->maha,
                             block->work);
  double* dist = s->dist + block->first;
  for (int i = 0; i < block->rows; i++) {
    const double reach = s->far ? block->maha[i] : block->maha[i] > 0;
    if (reach < dist[i]) dist[i] = reach;
  }
}

ptrdiff_t gm_draw_row(const struct gm_rows* rows, const double* share, double u) {
  double total = 0, sum = 0;
  ptrdiff_t last = -1;
  for (int pass = 0; pass < 2; pass++)
    for (ptrdiff_t i = 0; i < rows->n; i++) {
      const double mass = (share ? share[i] : 1) * (rows->w ? rows->w[i] : 1);
      if (!(mass > 0)) continue;
      if (pass == 0) {
        total += mass;
      } else {
        sum += mass;
        last = i;
        if (sum >= u * total) return i;
      }
    }
  return last;
}

/* metric: of k = 1, at any mean. */
static int pick_rows(int far, const struct gm_seeder* seeder, uint32_t stream,
                     const struct gm_factors* metric, double* mean, int k, double* work,
                     struct gm_error* err) {
  const struct gm_rows* rows = seeder->points;
  const int d = rows->d;
  const struct gm_plan plan = gm_plan_make(metric->shape, d, 1);
  struct gm_factors f = *metric;
  struct spread spread = {
      .f = &f, .kernel = seeder->engine->kernel, .far = far, .dist = seeder->dist};
  const struct gm_job job = {.block = spread_block, .data = &spread};
  for (ptrdiff_t i = 0; i < rows->n; i++) seeder->dist[i] = 1;
  for (int j = 0; j < k; j++) {
    double u[2];
    gm_random(seeder->key, (uint64_t)j, stream, 0, u);
    const ptrdiff_t row = gm_draw_row(rows, seeder->dist, u[0]);
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

/* ---- nearest means ---- */

/* The statistics of nearest means: of a family that has the metric's shape. */
static const struct gm_family* hard_family(const struct gm_factors* metric) {
  return gm_family_find(metric->shape == GM_DIAG ? "EEI" : "EEE");
}

/* label <- the nearest mean; stats about the means. */
static int label_nearest(const struct gm_seeder* seeder, const struct gm_factors* metric,
                         const double* mean, int k, struct gm_stats* stats, double* work,
                         struct gm_error* err) {
  struct gm_rows rows = *seeder->points;
  struct gm_factors f = *metric;
  f.k = k;
  f.mean = mean;
  rows.source = GM_NEAREST;
  return gm_estep(&rows, &f, seeder->engine, stats, seeder->label, work, err);
}

/* k-means++ and Lloyd's steps. */
static int label_kmeans(const struct gm_seeder* seeder, uint32_t stream,
                        const struct gm_factors* metric, double* mean, int k,
                        double* work, struct gm_error* err) {
  const int d = seeder->points->d;
  struct gm_stats stats;
  double* behind = gm_stats_init(&stats, hard_family(metric), d, k, work);
  if (pick_rows(1, seeder, stream, metric, mean, k, work, err)) return err->code;
  for (int step = 0; step < LLOYD_STEPS; step++) {
    double moved = 0;
    if (label_nearest(seeder, metric, mean, k, &stats, behind, err)) return err->code;
    for (int j = 0; j < k; j++)
      for (int a = 0; a < d && stats.nk[j] > 0; a++) {
        const double shift = stats.sum[a + (ptrdiff_t)d * j] / stats.nk[j];
        mean[a + (ptrdiff_t)d * j] += shift;
        moved = fmax(moved, fabs(shift) / seeder->bounds->scale[a]);
      }
    if (moved < 1e-9) break;
  }
  return GM_OK;
}

/* The rows nearest to each of k random rows; mean gets those. */
static int label_cells(const struct gm_seeder* seeder, uint32_t stream,
                       const struct gm_factors* metric, double* mean, int k, double* work,
                       struct gm_error* err) {
  struct gm_stats stats;
  double* behind = gm_stats_init(&stats, hard_family(metric), seeder->points->d, k, work);
  if (pick_rows(0, seeder, stream, metric, mean, k, work, err)) return err->code;
  return label_nearest(seeder, metric, mean, k, &stats, behind, err);
}

/* dist <- the weight of those rows that are nearer to their mean than the rows of their cell are on
   average (squared distances), 0 for the others. work: 2 k. */
static void weigh_balls(const struct gm_seeder* seeder, const double* inverse_scale,
                        const double* mean, int k, double* work) {
  const struct gm_rows* rows = seeder->points;
  const int d = rows->d;
  double* reach = work;
  double* weight = work + k;
  memset(work, 0, 2 * (size_t)k * sizeof *work);
  for (ptrdiff_t i = 0; i < rows->n; i++) seeder->dist[i] = 0;
  for (int a = 0; a < d; a++)
    for (ptrdiff_t i = 0; i < rows->n; i++) {
      const double at = mean[a + (ptrdiff_t)d * (seeder->label[i] - 1)];
      const double z = (rows->x[i + rows->ld * a] - at) * inverse_scale[a];
      seeder->dist[i] += z * z;
    }
  for (ptrdiff_t i = 0; i < rows->n; i++) {
    const double w = rows->w ? rows->w[i] : 1;
    weight[seeder->label[i] - 1] += w;
    reach[seeder->label[i] - 1] += w * seeder->dist[i];
  }
  for (ptrdiff_t i = 0; i < rows->n; i++) {
    const int j = seeder->label[i] - 1;
    const int inside = seeder->dist[i] * weight[j] <= reach[j];
    seeder->dist[i] = inside ? (rows->w ? rows->w[i] : 1) : 0;
  }
}

/* ---- cuts ---- */

static void sift(const double* key, int* order, ptrdiff_t top, ptrdiff_t n) {
  const int held = order[top];
  for (ptrdiff_t child; (child = 2 * top + 1) < n; top = child) {
    if (child + 1 < n && key[order[child + 1]] > key[order[child]]) child++;
    if (!(key[order[child]] > key[held])) break;
    order[top] = order[child];
  }
  order[top] = held;
}

void gm_sort_by(const double* key, int* order, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < n; i++) order[i] = (int)i;
  for (ptrdiff_t i = n / 2; i-- > 0;) sift(key, order, i, n);
  for (ptrdiff_t end = n; end-- > 1;) {
    const int held = order[0];
    order[0] = order[end];
    order[end] = held;
    sift(key, order, 0, end);
  }
}

/* k parts of equal weight along a random direction; what is tied stays together. */
static void label_cuts(const struct gm_seeder* seeder, uint32_t stream,
                       const double* inverse_scale, int k) {
  const struct gm_rows* rows = seeder->points;
  double below = 0, level = 0;
  int part = 0;
  for (ptrdiff_t i = 0; i < rows->n; i++) seeder->dist[i] = 0;
  for (int a = 0; a < rows->d; a++) {
    const double along = gm_random_normal(seeder->key, (uint64_t)a, stream, 1);
    for (ptrdiff_t i = 0; i < rows->n; i++)
      seeder->dist[i] +=
          along * inverse_scale[a] * (rows->x[i + rows->ld * a] - seeder->total.mean[a]);
  }
  gm_sort_by(seeder->dist, seeder->label, rows->n);
  for (ptrdiff_t at = 0; at < rows->n; at++) {
    const int i = seeder->label[at];
    const double w = rows->w ? rows->w[i] : 1;
    if (at == 0 || seeder->dist[i] > level)
      part = (int)((below + w / 2) / seeder->weight * k);
    below += w;
    level = seeder->dist[i];
    seeder->dist[i] = part < 0 ? 0 : part < k ? part : k - 1;
  }
  for (ptrdiff_t i = 0; i < rows->n; i++) seeder->label[i] = (int)seeder->dist[i] + 1;
}

/* k - 1 times: two random rows of one part, which is cut half-way between them. */
static int label_halves(const struct gm_seeder* seeder, uint32_t stream,
                        const double* inverse_scale, int k, struct gm_error* err) {
  const struct gm_rows* rows = seeder->points;
  double* dist = seeder->dist;
  int* label = seeder->label;
  for (ptrdiff_t i = 0; i < rows->n; i++) label[i] = 1;
  for (int next = 2; next <= k; next++) {
    double u[2];
    gm_random(seeder->key, (uint64_t)next, stream, 1, u);
    const ptrdiff_t one = gm_draw_row(rows, NULL, u[0]);
    const int part = one < 0 ? 0 : label[one];
    for (ptrdiff_t i = 0; i < rows->n; i++) dist[i] = 0;
    for (int a = 0; a < rows->d && one >= 0; a++)
      for (ptrdiff_t i = 0; i < rows->n; i++)
        dist[i] +=
            label[i] == part && rows->x[i + rows->ld * a] != rows->x[one + rows->ld * a];
    for (ptrdiff_t i = 0; i < rows->n; i++) dist[i] = dist[i] > 0;
    const ptrdiff_t other = gm_draw_row(rows, dist, u[1]);
    if (other < 0) {
      *err = (struct gm_error){.code = GM_EMPTY, .component = next};
      return err->code;
    }
    for (ptrdiff_t i = 0; i < rows->n; i++) dist[i] = 0;
    for (int a = 0; a < rows->d; a++) {
      const double* x = rows->x + rows->ld * a;
      const double half = (x[other] - x[one]) / 2, middle = x[one] + half;
      const double along = half * inverse_scale[a] * inverse_scale[a];
      for (ptrdiff_t i = 0; i < rows->n; i++) dist[i] += along * (x[i] - middle);
    }
    for (ptrdiff_t i = 0; i < rows->n; i++)
      if (label[i] == part && dist[i] > 0) label[i] = next;
  }
  return GM_OK;
}

/* ---- labels or responsibilities -> parameters ---- */

/* stats about the means of the groups themselves: one pass finds them, a second uses them. */
static int centred_stats(const struct gm_rows* rows, const struct gm_seeder* seeder,
                         struct gm_params* params, struct gm_stats* stats, double* work,
                         struct gm_error* err) {
  const int d = params->d, k = params->k;
  const struct gm_factors f = {
      .shape = params->family->shape,
      .d = d,
      .k = k,
      .stride = gm_cov_stride(params->family, d),
      .mean = params->mean,
      .noise = rows->source == GM_MATRIX ? seeder->bounds->noise : NULL};
  for (int j = 0; j < k; j++)
    for (int a = 0; a < d; a++)
      params->mean[a + (ptrdiff_t)d * j] = rows->x[rows->ld * a];
  if (gm_estep(rows, &f, seeder->engine, stats, NULL, work, err)) return err->code;
  for (int j = 0; j < k; j++)
    for (int a = 0; a < d && stats->nk[j] > 0; a++)
      params->mean[a + (ptrdiff_t)d * j] +=
          stats->sum[a + (ptrdiff_t)d * j] / stats->nk[j];
  return gm_estep(rows, &f, seeder->engine, stats, NULL, work, err);
}

/* Adds `rows` rows of mean weight at each mean with the pooled scatter: groups too small for a
   covariance of their own still get one. */
static void shrink(struct gm_stats* stats, int rows, double* pooled) {
  const ptrdiff_t length =
      (stats->lost - stats->scatter) / (stats->stride ? stats->k : 1);
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

/* The total covariance times factor for each component, equal proportions, means as they are. */
static void total_stats(const struct gm_seeder* seeder, double factor,
                        struct gm_stats* stats) {
  const int d = stats->d, k = stats->k;
  gm_stats_zero(stats);
  for (int j = 0; j < k; j++) {
    stats->nk[j] = seeder->weight / k;
    stats->nk2[j] = seeder->weight2 / k;
    double* scatter = stats->scatter + stats->stride * j;
    for (int b = 0; b < d; b++)
      for (int a = b; a < (stats->shape == GM_TRIANG ? d : b + 1); a++)
        scatter[stats->shape == GM_TRIANG ? a + (ptrdiff_t)d * b : a] +=
            factor * stats->nk[j] * seeder->total.cov[a + (ptrdiff_t)d * b];
  }
  stats->total[GM_WEIGHT] = seeder->weight;
}

ptrdiff_t gm_seed_total_size(int d) {
  const struct gm_family* family = gm_family_find("EEE");
  return gm_params_size(family, d, 1) + gm_factors_size(family, d, 1);
}

/* total <- of the rows that one trimmed normal keeps, which core gets: concentration steps from the
   columns' scales. */
static int concentrate(struct gm_seeder* seeder, struct gm_stats* stats, double* work,
                       struct gm_error* err) {
  struct gm_params* total = &seeder->total;
  struct gm_rows rows = *seeder->rows;
  const int d = rows.d;
  rows.label = NULL;
  for (int b = 0; b < d; b++)
    for (int a = 0; a < d; a++)
      total->cov[a + (ptrdiff_t)d * b] =
          a == b ? seeder->bounds->scale[a] * seeder->bounds->scale[a] : 0;
  for (int step = 0; step < CONCENTRATIONS; step++) {
    if (gm_factors_set(&seeder->white, total, NULL, err) ||
        gm_estep(&rows, &seeder->white, seeder->engine, stats, NULL, work, err))
      return err->code;
    if (step > 0 && !(rows.trimming->moved > 0)) break;
    if (gm_mstep(stats, seeder->bounds, total, work, err)) return err->code;
  }
  memcpy(seeder->core, rows.trimming->kept, (size_t)rows.n * sizeof *seeder->core);
  return GM_OK;
}

/* ---- missing values ---- */

enum { FILL_STEPS = 50 };

ptrdiff_t gm_seed_fill_work(int d, int threads) {
  const struct gm_family* family = gm_family_find("EEE");
  const ptrdiff_t square = (ptrdiff_t)d * d;
  const ptrdiff_t step =
      max_size(gm_estep_work(family, d, 1, threads), gm_mstep_work(family, d, 1));
  return 2 * square + d + gm_stats_size(family, d, 1) +
         max_size(step, gm_marginal_work(GM_TRIANG, d, 1));
}

/* Of the values that are there. */
static double column_mean(const struct gm_rows* rows, int a) {
  const struct gm_patterns* patterns = rows->patterns;
  double mean = 0, total = 0;
  for (int p = 0; p < patterns->count; p++) {
    const int* column = patterns->column + (ptrdiff_t)rows->d * p;
    const ptrdiff_t first = patterns->first[p], n = patterns->first[p + 1] - first;
    for (int c = 0; c < patterns->observed[p]; c++)
      for (ptrdiff_t i = 0; i < n && column[c] == a; i++) {
        const double w = rows->w ? rows->w[first + i] : 1;
        total += w;
        if (w > 0) mean += w / total * (rows->x[patterns->at[p] + n * c + i] - mean);
      }
  }
  return mean;
}

/* The normal distribution of all rows, by EM, with d + 2 rows more whose columns are uncorrelated:
   so what the rows do not tell of is taken to be so. */
static int fit_total(struct gm_seeder* seeder, struct gm_stats* stats, double* mem,
                     struct gm_error* err) {
  const struct gm_rows* rows = seeder->rows;
  const int d = rows->d;
  const double* scale = seeder->bounds->scale;
  const double more = d + 2, none[3] = {0};
  double *lambda = mem, *root = lambda + (ptrdiff_t)d * d,
         *work = root + (ptrdiff_t)d * d;
  memset(mem, 0, 2 * (size_t)d * d * sizeof *mem);
  for (int a = 0; a < d; a++) {
    lambda[a + (ptrdiff_t)d * a] = more * scale[a] * scale[a];
    root[a + (ptrdiff_t)d * a] = sqrt(more) * scale[a];
    seeder->total.cov[a + (ptrdiff_t)d * a] = scale[a] * scale[a];
  }
  const struct gm_prior prior = {.alpha = 1,
                                 .df = 1,
                                 .mean = seeder->total.mean, /* kappa is 0: not used */
                                 .scale = lambda,
                                 .root = root,
                                 .constant = none,
                                 .share = 1};
  const struct gm_bounds bounds = {.floor = seeder->bounds->floor,
                                   .ratio = INFINITY,
                                   .scale = scale,
                                   .prior = &prior,
                                   .engine = seeder->engine};
  double before = -INFINITY;
  for (int step = 0; step < FILL_STEPS; step++) {
    if (gm_factors_set(&seeder->white, &seeder->total, NULL, err) ||
        gm_estep(rows, &seeder->white, seeder->engine, stats, NULL, work, err))
      return err->code;
    if (stats->total[GM_LOGLIK] - before < 1e-3 * stats->total[GM_WEIGHT]) break;
    before = stats->total[GM_LOGLIK];
    if (gm_mstep(stats, &bounds, &seeder->total, work, err)) return err->code;
  }
  return gm_factors_set(&seeder->white, &seeder->total, NULL, err);
}

int gm_seed_fill(struct gm_seeder* seeder, double* mem, double* x, double* work,
                 struct gm_error* err) {
  const struct gm_family* family = gm_family_find("EEE");
  const struct gm_rows* rows = seeder->rows;
  const struct gm_patterns* patterns = rows->patterns;
  const int d = rows->d;
  struct gm_stats stats;
  gm_factors_init(&seeder->white, family, d, 1,
                  gm_params_init(&seeder->total, family, d, 1, mem));
  memset(mem, 0, (size_t)gm_seed_total_size(d) * sizeof *mem);
  seeder->total.prop[0] = 1;
  for (int a = 0; a < d; a++) seeder->total.mean[a] = column_mean(rows, a);
  work = gm_stats_init(&stats, family, d, 1, work);
  if (fit_total(seeder, &stats, work, err)) return err->code;
  const double all = rows->trimming ? 1 - rows->trimming->share : 1;
  seeder->weight = stats.nk[0] / all;
  seeder->weight2 = stats.nk2[0] / all;
  if (seeder->core)
    memcpy(seeder->core, rows->trimming->kept, (size_t)rows->n * sizeof *seeder->core);
  for (int p = 0; p < patterns->count; p++) {
    const ptrdiff_t first = patterns->first[p], n = patterns->first[p + 1] - first;
    struct gm_marginal marginal;
    gm_marginal_set(&marginal, &seeder->white, patterns, p, work);
    gm_marginal_fill(&marginal, n, rows->x + patterns->at[p], x + first, rows->n);
    if (gm_stop(seeder->engine, (double)n * d)) {
      *err = (struct gm_error){.code = GM_STOPPED};
      return err->code;
    }
  }
  return GM_OK;
}

static int total_params(struct gm_seeder* seeder, double* mem, struct gm_error* err) {
  if (seeder->rows->patterns) return GM_OK; /* done by gm_seed_fill() */
  const struct gm_family* family = gm_family_find("EEE");
  const int d = seeder->points->d;
  struct gm_rows rows = *seeder->points;
  struct gm_stats stats;
  double* work = gm_stats_init(&stats, family, d, 1, seeder->work);
  gm_factors_init(&seeder->white, family, d, 1,
                  gm_params_init(&seeder->total, family, d, 1, mem));
  rows.source = GM_LABELS;
  rows.label = seeder->label;
  for (ptrdiff_t i = 0; i < rows.n; i++) seeder->label[i] = 1;
  if (centred_stats(&rows, seeder, &seeder->total, &stats, work, err) ||
      gm_mstep(&stats, seeder->bounds, &seeder->total, work, err))
    return err->code;
  seeder->weight = stats.nk[0];
  seeder->weight2 = stats.nk2[0];
  if (seeder->core && concentrate(seeder, &stats, work, err)) return err->code;
  return gm_factors_set(&seeder->white, &seeder->total, NULL, err);
}

int gm_seed_total(struct gm_seeder* seeder, double* mem, struct gm_error* err) {
  const struct gm_bounds* bounds = seeder->bounds;
  struct gm_bounds free = *bounds; /* what is fixed is of the mixture */
  free.fixed = NULL;
  seeder->bounds = &free;
  const int code = total_params(seeder, mem, err);
  seeder->bounds = bounds;
  return code;
}

/* ---- the door ---- */

/* Of label_kmeans() and label_cells(). */
static ptrdiff_t label_work(const char* code, int d, int k, int threads) {
  const struct gm_family* family = gm_family_find(code);
  const struct gm_plan plan = gm_plan_make(family->shape, d, 1);
  return max_size(gm_blocks_work(&plan, d, 1, threads),
                  gm_stats_size(family, d, k) + gm_estep_work(family, d, k, threads));
}

ptrdiff_t gm_seed_work(enum gm_seed kind, const struct gm_family* family, int d, int k,
                       int threads) {
  ptrdiff_t size = (ptrdiff_t)2 * k + gm_stats_size(family, d, k);
  size = max_size(size, gm_estep_work(family, d, k, threads));
  size = max_size(size, gm_mstep_work(family, d, k));
  size = max_size(size, (ptrdiff_t)(d + 2) * k);
  if (kind < GM_SEED_LABELS || kind > GM_SEED_GIVEN) {
    const struct gm_family* total = gm_family_find("EEE");
    size = max_size(size, label_work("EEI", d, k, threads));
    size = max_size(size, label_work("EEE", d, k, threads));
    size = max_size(size, gm_stats_size(total, d, 1) + gm_mstep_work(total, d, 1));
    size =
        max_size(size, gm_stats_size(total, d, 1) + gm_estep_work(total, d, 1, threads));
  }
  return d + size;
}

/* ---- known labels ---- */

/* What is worth a component's place: the squared distance of its mean from that of the rows known
   to be of class c, in the columns' scales. centre: d x k, the classes' means. */
static double apart(const struct gm_seeder* seeder, const struct gm_params* params, int j,
                    const double* centre, int c) {
  const int d = params->d;
  double sum = 0;
  for (int a = 0; a < d; a++) {
    const double z = (params->mean[a + (ptrdiff_t)d * j] - centre[a + (ptrdiff_t)d * c]) /
                     seeder->bounds->scale[a];
    sum += isnan(z) ? 0 : z * z;
  }
  return sum;
}

/* The nearest pair of a class (with a size) and a component first, and so on: components change
   places. placed: k zeros. */
static void match(const struct gm_seeder* seeder, struct gm_params* params,
                  const double* centre, const double* size, double* placed) {
  const int k = params->k;
  for (;;) {
    int class = -1, component = -1;
    double least = INFINITY;
    for (int c = 0; c < k; c++)
      for (int j = 0; j < k && size[c] > 0 && !placed[c]; j++) {
        const double away = placed[j] ? INFINITY : apart(seeder, params, j, centre, c);
        if (away < least) {
          least = away;
          class = c;
          component = j;
        }
      }
    if (class < 0) return;
    gm_params_exchange(params, component, class);
    placed[class] = 1;
  }
}

/* Components of a start come in any order, those of known labels do not. work: (d + 2) k. */
static void align(const struct gm_seeder* seeder, struct gm_params* params,
                  double* work) {
  const struct gm_rows* rows = seeder->points;
  const int d = params->d, k = params->k;
  double* centre = work;
  double* size = centre + (ptrdiff_t)d * k;
  double* placed = size + k;
  memset(work, 0, (size_t)(d + 2) * k * sizeof *work);
  for (ptrdiff_t i = 0; i < rows->n; i++) {
    const int c = rows->label[i] - 1;
    const double w = rows->w ? rows->w[i] : 1;
    if (c < 0 || !(w > 0)) continue;
    size[c] += w;
    for (int a = 0; a < d; a++)
      centre[a + (ptrdiff_t)d * c] +=
          w / size[c] * (rows->x[i + rows->ld * a] - centre[a + (ptrdiff_t)d * c]);
  }
  match(seeder, params, centre, size, placed);
}

/* The same for components whose mean is fixed, at least in part. */
static void align_fixed(const struct gm_seeder* seeder, struct gm_params* params,
                        double* work) {
  const int d = params->d, k = params->k;
  double* size = work;
  memset(work, 0, 2 * (size_t)k * sizeof *work);
  for (int c = 0; c < k; c++)
    for (int a = 0; a < d; a++)
      size[c] += !isnan(seeder->bounds->fixed->mean[a + (ptrdiff_t)d * c]);
  match(seeder, params, seeder->bounds->fixed->mean, size, size + k);
}

static int seed(enum gm_seed kind, const struct gm_seeder* seeder, uint32_t stream,
                struct gm_params* params, struct gm_stats* stats, struct gm_error* err) {
  const int d = params->d, k = params->k;
  double* inverse_scale = seeder->work;
  double* work = inverse_scale + d;
  const struct gm_factors plain = {
      .shape = GM_DIAG, .d = d, .k = 1, .factor = inverse_scale};
  struct gm_rows rows = *seeder->points;
  double u[2] = {0};
  if (kind == GM_SEED_MIXED) kind = (enum gm_seed)(stream % GM_SEED_KINDS);
  *err = (struct gm_error){.code = GM_OK};
  for (int a = 0; a < d; a++) inverse_scale[a] = 1 / seeder->bounds->scale[a];
  rows.source = GM_LABELS;
  rows.label = seeder->label;

  switch (kind) {
    case GM_SEED_GIVEN:
      gm_mstep_equal(seeder->bounds, params);
      gm_bound_ratio(params, seeder->bounds, work);
      return GM_OK;
    case GM_SEED_KMEANS:
      label_kmeans(seeder, stream, &plain, params->mean, k, work, err);
      break;
    case GM_SEED_WHITE:
      label_kmeans(seeder, stream, &seeder->white, params->mean, k, work, err);
      break;
    case GM_SEED_CELLS:
      label_cells(seeder, stream, &plain, params->mean, k, work, err);
      break;
    case GM_SEED_BALLS:
      if (!label_cells(seeder, stream, &plain, params->mean, k, work, err)) {
        weigh_balls(seeder, inverse_scale, params->mean, k, work);
        rows.w = seeder->dist;
      }
      break;
    case GM_SEED_CUTS: label_cuts(seeder, stream, inverse_scale, k); break;
    case GM_SEED_HALVES: label_halves(seeder, stream, inverse_scale, k, err); break;
    case GM_SEED_SCALED:
    case GM_SEED_RANDOM:
      pick_rows(0, seeder, stream, &plain, params->mean, k, work, err);
      gm_random(seeder->key, 0, stream, 1, u);
      total_stats(seeder, kind == GM_SEED_RANDOM ? 1 : gm_random_factor(u[0]), stats);
      break;
    case GM_SEED_LABELS: rows.label = seeder->given_label; break;
    case GM_SEED_HIER:
      if (gm_hier_cut(seeder->hier, k, seeder->label, err)) break;
      rows = seeder->hier->rows;
      rows.label = seeder->label;
      break;
    default: rows.source = GM_MATRIX; rows.resp = seeder->given_resp;
  }
  if (err->code) return err->code;
  if (kind != GM_SEED_SCALED && kind != GM_SEED_RANDOM) {
    if (centred_stats(&rows, seeder, params, stats, work, err)) return err->code;
    if (kind < GM_SEED_LABELS || kind == GM_SEED_HIER) shrink(stats, d + 1, work);
  }
  params->cov[0] = 0;                      /* none yet */
  struct gm_bounds free = *seeder->bounds; /* which component is which is not said yet */
  free.fixed = NULL;
  if (gm_mstep(stats, &free, params, work, err)) return err->code;
  if (seeder->bounds->noise && rows.source != GM_MATRIX)
    gm_params_noise(params, GM_NOISE_START);
  return GM_OK;
}

int gm_seed_params(enum gm_seed kind, const struct gm_seeder* seeder, uint32_t stream,
                   struct gm_params* params, struct gm_stats* stats,
                   struct gm_error* err) {
  const struct gm_seeder* from = seeder;
  struct gm_seeder inner = *seeder;
  struct gm_rows core = *seeder->points;
  const int given = kind >= GM_SEED_LABELS && kind <= GM_SEED_GIVEN;
  if (seeder->core && !given && stream % 2 == 0) { /* far outliers start nothing there */
    core.w = seeder->core;
    inner.points = &core;
    inner.weight = 0;
    for (ptrdiff_t i = 0; i < core.n; i++) inner.weight += core.w[i];
    from = &inner;
  }
  if (seed(kind, from, stream, params, stats, err)) return err->code;
  if (seeder->points->label && !given)
    align(seeder, params, seeder->work);
  else if (seeder->bounds->fixed && !given)
    align_fixed(seeder, params, seeder->work);
  gm_fix(seeder->bounds, params);
  return GM_OK;
}
