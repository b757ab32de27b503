/* Model-based hierarchical agglomeration (Fraley 1998, SIAM J. Sci. Comput. 20, 270-281): at first
   every row is a group; then, again and again, the two groups are joined whose union costs least,
   until one is left. With n_g and W_g weight and scatter of group g, it costs
     (n_g + m) log det{ (W_g + m V) / (n_g + m) },
   minus twice its classification log-likelihood with a covariance of its own, but for constants, and
   with m rows (of mean weight) of covariance V added: so one row is a group too. In coordinates
   whitened by the total covariance V is PRIOR times the identity.

   Rows that are the same are one row with the sum of their weights, and the rows are sorted: the
   order in which they are given changes nothing. Ties go to the first rows.

   What each union costs more is kept: n^2 / 2 doubles. A join takes up to n new ones, which are made
   LANES at a time, so that the compiler vectorises their decompositions LDL'. Where there are more
   than AXES variables the first principal components stand for them. */
#include <math.h>
#include <string.h>

#include "gm.h"
#include "matrix.h"

enum { AXES = 10, ENTRIES = AXES * (AXES + 1) / 2, LANES = 8 };
#define ADDED 1.0  /* m, in rows of mean weight */
#define PRIOR 0.1  /* of the total covariance */
#define GRAIN 1e-9 /* of costs, for a row */
#define FLAT 1e-10 /* of the largest eigenvalue: no extent in that direction */

/* ---- the distinct rows ---- */

/* 1: row i comes before row j; -1: after it; 0: they are the same. */
static int compare(const struct gm_rows* rows, ptrdiff_t i, ptrdiff_t j) {
  for (int a = 0; a < rows->d; a++) {
    const double* x = rows->x + rows->ld * a;
    if (x[i] != x[j]) return x[i] < x[j] ? 1 : -1;
  }
  return 0;
}

/* order (2 n, the second half scratch) <- the rows of positive weight, sorted (by merging); returns
   how many they are. */
static ptrdiff_t sort_rows(const struct gm_rows* rows, int* order) {
  int* from = order;
  int* to = order + rows->n;
  ptrdiff_t n = 0;
  for (ptrdiff_t i = 0; i < rows->n; i++)
    if (!rows->w || rows->w[i] > 0) order[n++] = (int)i;
  for (ptrdiff_t run = 1; run < n; run *= 2) {
    for (ptrdiff_t start = 0; start < n; start += 2 * run) {
      const ptrdiff_t middle = start + run < n ? start + run : n;
      const ptrdiff_t end = middle + run < n ? middle + run : n;
      ptrdiff_t left = start, right = middle;
      for (ptrdiff_t at = start; at < end; at++) {
        const int first = right == end ||
                          (left < middle && compare(rows, from[left], from[right]) >= 0);
        to[at] = from[first ? left++ : right++];
      }
    }
    int* const held = from;
    from = to;
    to = held;
  }
  if (from != order) memcpy(order, from, (size_t)n * sizeof *order);
  return n;
}

/* order: 2 n of scratch. */
static void set_rows(const struct gm_rows* rows, struct gm_hier* hier, int* order) {
  const ptrdiff_t n = sort_rows(rows, order);
  ptrdiff_t count = 0;
  for (ptrdiff_t t = 0; t < n; t++) {
    const ptrdiff_t i = order[t];
    if (t == 0 || compare(rows, order[t - 1], i)) {
      for (int a = 0; a < rows->d; a++)
        hier->x[count + hier->rows.ld * a] = rows->x[i + rows->ld * a];
      hier->w[count++] = 0;
    }
    hier->w[count - 1] += rows->w ? rows->w[i] : 1;
  }
  hier->rows.n = count;
}

/* ---- coordinates ---- */

static int axes(int d) { return d < AXES ? d : AXES; }

/* out <- row i about the mean, in standardised columns. */
static void standard_row(const struct gm_rows* rows, const double* mean,
                         const double* scale, ptrdiff_t i, double* out) {
  for (int a = 0; a < rows->d; a++)
    out[a] = (rows->x[i + rows->ld * a] - mean[a]) / scale[a];
}

/* z (q x n) <- the first q principal components of the standardised columns, each with variance 1;
   returns q. work: d^2 + 3 d + gm_eigen_work(d). */
static int whiten(const struct gm_rows* rows, const double* scale, double* z,
                  double* work) {
  const int d = rows->d;
  double* cov = work;
  double* mean = cov + (ptrdiff_t)d * d;
  double* value = mean + d;
  double* row = value + d;
  double* spare = row + d;
  double total = 0;
  int q = 0;
  for (ptrdiff_t i = 0; i < rows->n; i++) total += rows->w[i];
  for (int a = 0; a < d; a++) {
    const double* x = rows->x + rows->ld * a;
    double sum = 0;
    for (ptrdiff_t i = 0; i < rows->n; i++) sum += rows->w[i] * (x[i] - x[0]);
    mean[a] = x[0] + sum / total;
  }
  memset(cov, 0, (size_t)d * d * sizeof *cov);
  for (ptrdiff_t i = 0; i < rows->n; i++) {
    standard_row(rows, mean, scale, i, row);
    for (int b = 0; b < d; b++)
      for (int a = b; a < d; a++)
        cov[a + (ptrdiff_t)d * b] += rows->w[i] / total * row[a] * row[b];
  }
  gm_eigen(cov, d, 1, value, spare);
  while (q < axes(d) && value[d - 1 - q] > FLAT * value[d - 1]) q++;
  for (ptrdiff_t i = 0; i < rows->n; i++) {
    standard_row(rows, mean, scale, i, row);
    for (int e = 0; e < q; e++) {
      const double* axis = cov + (ptrdiff_t)d * (d - 1 - e);
      double sum = 0;
      for (int a = 0; a < d; a++) sum += axis[a] * row[a];
      z[e + q * i] = sum / sqrt(value[d - 1 - e]);
    }
  }
  return q;
}

/* ---- groups ---- */

/* A group goes by its first row. Scatters are lower triangles by columns. */
struct groups {
  int q, entries;  /* q (q + 1) / 2 */
  double added;    /* m */
  double* mean;    /* q x n */
  double* weight;  /* n */
  double* scatter; /* entries x n */
  double* own;     /* n: what a group costs */
  double* join;    /* what the union of i and j < i costs more, at i (i - 1) / 2 + j */
  double* least;   /* n: the least of these over the groups before i */
  int* with;       /* n: for which */
  int* open;       /* the groups, in order */
  int count;
};

static double* join_of(const struct groups* g, ptrdiff_t i, ptrdiff_t j) {
  return g->join + (i > j ? i * (i - 1) / 2 + j : j * (j - 1) / 2 + i);
}

/* Rounded, so that what is a tie but for the rounding of sums is one. */
static void set_join(const struct groups* g, int i, int j, double cost) {
  const double grain = g->added * GRAIN;
  *join_of(g, i, j) = grain * rint((cost - g->own[i] - g->own[j]) / grain);
}

/* cost of LANES groups of weights n; s: their scatters, overwritten. */
static void group_costs(const struct groups* g, const double n[LANES],
                        double s[ENTRIES][LANES], double cost[LANES]) {
  const int q = g->q;
  double det[LANES];
  for (int l = 0; l < LANES; l++) det[l] = 1;
  for (int b = 0, at = 0; b < q; b++) {
    double column[AXES][LANES], inverse[LANES];
    for (int l = 0; l < LANES; l++) {
      const double pivot = s[at][l] + g->added * PRIOR;
      det[l] *= pivot / (n[l] + g->added);
      inverse[l] = 1 / pivot;
    }
    at++;
    for (int a = b + 1; a < q; a++, at++) memcpy(column[a], s[at], sizeof column[a]);
    for (int c = b + 1, to = at; c < q; c++) {
      double factor[LANES];
      for (int l = 0; l < LANES; l++) factor[l] = column[c][l] * inverse[l];
      for (int a = c; a < q; a++, to++)
        for (int l = 0; l < LANES; l++) s[to][l] -= factor[l] * column[a][l];
    }
  }
  for (int l = 0; l < LANES; l++) cost[l] = (n[l] + g->added) * log(det[l]);
}

/* What the unions of row i with each row before it cost: the scatter is of rank one. */
static void set_row_joins(const struct groups* g, int i) {
  const int q = g->q;
  const double prior = g->added * PRIOR;
  const double* mi = g->mean + (ptrdiff_t)q * i;
  double last = 0, base = 0;
  for (int j = 0; j < i; j++) {
    const double* mj = g->mean + (ptrdiff_t)q * j;
    const double n = g->weight[i] + g->weight[j], share = g->weight[i] * g->weight[j] / n;
    double apart = 0;
    for (int a = 0; a < q; a++) apart += (mi[a] - mj[a]) * (mi[a] - mj[a]);
    if (n != last) { /* of most rows it is the same */
      last = n;
      base = q * log(prior / (n + g->added));
    }
    set_join(g, i, j, (n + g->added) * (base + log1p(share * apart / prior)));
  }
}

/* Sets what the unions of group i with the first m open groups cost. */
static void set_joins(const struct groups* g, int i, int m) {
  const int q = g->q;
  const double* mi = g->mean + (ptrdiff_t)q * i;
  const double* si = g->scatter + (ptrdiff_t)g->entries * i;
  for (int t = 0; t < m; t += LANES) {
    const int* other = g->open + t;
    const int lanes = m - t < LANES ? m - t : LANES;
    double s[ENTRIES][LANES], n[LANES], cost[LANES];
    for (int l = 0; l < LANES; l++) {
      const int j = other[l < lanes ? l : 0];
      const double* mj = g->mean + (ptrdiff_t)q * j;
      const double* sj = g->scatter + (ptrdiff_t)g->entries * j;
      n[l] = g->weight[i] + g->weight[j];
      for (int b = 0, e = 0; b < q; b++) {
        const double apart = g->weight[i] * g->weight[j] / n[l] * (mi[b] - mj[b]);
        for (int a = b; a < q; a++, e++)
          s[e][l] = si[e] + sj[e] + apart * (mi[a] - mj[a]);
      }
    }
    group_costs(g, n, s, cost);
    for (int l = 0; l < lanes; l++)
      if (other[l] != i) set_join(g, i, other[l], cost[l]);
  }
}

/* Finds the least for group i. */
static void find_least(struct groups* g, int i) {
  g->least[i] = INFINITY;
  g->with[i] = 0;
  for (int t = 0; g->open[t] < i; t++) {
    const double cost = *join_of(g, i, g->open[t]);
    if (cost < g->least[i]) {
      g->least[i] = cost;
      g->with[i] = g->open[t];
    }
  }
}

/* Group i takes in group j > i. */
static void join(struct groups* g, int i, int j) {
  const int q = g->q;
  double* mi = g->mean + (ptrdiff_t)q * i;
  const double* mj = g->mean + (ptrdiff_t)q * j;
  double* si = g->scatter + (ptrdiff_t)g->entries * i;
  const double* sj = g->scatter + (ptrdiff_t)g->entries * j;
  const double share = g->weight[j] / (g->weight[i] + g->weight[j]);
  int t = 0;
  for (int b = 0, e = 0; b < q; b++)
    for (int a = b; a < q; a++, e++)
      si[e] += sj[e] + share * g->weight[i] * (mi[a] - mj[a]) * (mi[b] - mj[b]);
  for (int a = 0; a < q; a++) mi[a] += share * (mj[a] - mi[a]);
  g->weight[i] += g->weight[j];
  g->own[i] += g->own[j] + *join_of(g, i, j);
  while (g->open[t] != j) t++;
  g->count--;
  memmove(g->open + t, g->open + t + 1, (size_t)(g->count - t) * sizeof *g->open);

  set_joins(g, i, g->count);
  for (t = 0; t < g->count; t++) {
    const int o = g->open[t];
    if (o < i) continue;
    if (o == i || g->with[o] == i || g->with[o] == j) {
      find_least(g, o);
      continue;
    }
    const double cost = *join_of(g, o, i);
    if (cost < g->least[o] || (cost == g->least[o] && i < g->with[o])) {
      g->least[o] = cost;
      g->with[o] = i;
    }
  }
}

/* ---- the door ---- */

ptrdiff_t gm_hier_size(ptrdiff_t n, int d) { return n * (d + 1); }

void gm_hier_init(struct gm_hier* hier, ptrdiff_t n, int d, double* mem, int* merge) {
  hier->x = mem;
  hier->w = mem + n * d;
  hier->merge = merge;
  hier->rows = (struct gm_rows){
      .n = n, .ld = n, .d = d, .x = hier->x, .w = hier->w, .source = GM_LABELS};
}

ptrdiff_t gm_hier_work(ptrdiff_t n, int d) {
  const int q = axes(d);
  const ptrdiff_t map = (ptrdiff_t)d * d + 3 * d + gm_eigen_work(d);
  const ptrdiff_t groups = n * (q * (q + 1) / 2 + 3) + n * (n - 1) / 2;
  return n * q + (map > groups ? map : groups);
}

static int stopped(const struct gm_engine* engine, struct gm_error* err) {
  if (gm_stop(engine, INFINITY)) err->code = GM_STOPPED;
  return err->code;
}

int gm_hier_set(const struct gm_rows* rows, const double* scale,
                const struct gm_engine* engine, struct gm_hier* hier, double* work,
                int* scratch, struct gm_error* err) {
  *err = (struct gm_error){.code = GM_OK};
  set_rows(rows, hier, scratch);
  const int n = (int)hier->rows.n;
  struct groups g = {.mean = work, .with = scratch, .open = scratch + n, .count = n};
  work += (ptrdiff_t)n * axes(rows->d);
  g.q = whiten(&hier->rows, scale, g.mean, work);
  g.entries = g.q * (g.q + 1) / 2;
  g.weight = work;
  g.own = g.weight + n;
  g.least = g.own + n;
  g.scatter = g.least + n;
  g.join = g.scatter + (ptrdiff_t)n * g.entries;

  double total = 0, total2 = 0;
  for (int i = 0; i < n; i++) {
    total += hier->w[i];
    total2 += hier->w[i] * hier->w[i];
  }
  g.added = ADDED * total2 / total;
  memcpy(g.weight, hier->w, (size_t)n * sizeof *g.weight);
  memset(g.scatter, 0, (size_t)n * (size_t)g.entries * sizeof *g.scatter);
  for (int i = 0; i < n; i++) {
    const double m = g.added;
    g.own[i] = (g.weight[i] + m) * g.q * log(m * PRIOR / (g.weight[i] + m));
    g.open[i] = i;
    set_row_joins(&g, i);
    find_least(&g, i);
    if (stopped(engine, err)) return err->code;
  }
  for (int t = 0; t < n - 1; t++) {
    int best = g.open[1];
    for (int s = 2; s < g.count; s++)
      if (g.least[g.open[s]] < g.least[best]) best = g.open[s];
    hier->merge[2 * t] = g.with[best];
    hier->merge[2 * t + 1] = best;
    join(&g, g.with[best], best);
    if (stopped(engine, err)) return err->code;
  }
  return GM_OK;
}

int gm_hier_cut(const struct gm_hier* hier, int k, int* label, struct gm_error* err) {
  const int n = (int)hier->rows.n;
  int next = 0;
  if (k > n) {
    *err = (struct gm_error){.code = GM_EMPTY, .component = n + 1};
    return err->code;
  }
  for (int i = 0; i < n; i++) label[i] = i;
  for (int t = 0; t < n - k; t++) label[hier->merge[2 * t + 1]] = hier->merge[2 * t];
  /* what a row has joined comes before it, and has its label by now */
  for (int i = 0; i < n; i++) label[i] = label[i] == i ? ++next : label[label[i]];
  return GM_OK;
}
