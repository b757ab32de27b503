/* Missing values: rows grouped by which columns they miss, marginal densities of those observed, and
   what statistics of the observed values say about the missing ones.

   All rows of a pattern have the same observed columns o and missing ones m, so that the kernels run
   on them as on complete rows of fewer columns, with marginal factors. What EM needs of the missing
   values are their moments given the observed ones (Little & Rubin 2002, section 11.3), which are
   linear in those: with B = Sigma_mo Sigma_oo^-1 and n_j, s, S the statistics of a pattern's rows,
     sum_m = B s,   scatter_mo = B S,   scatter_mm = B S B' + n_j (Sigma_mm - B Sigma_om),
   once for all rows of the pattern. */
#include <math.h>
#include <string.h>

#include "gm.h"
#include "matrix.h"

/* ---- grouping ---- */

/* In eights, of which compilers make vectors. */
int gm_has_gaps(const double* x, ptrdiff_t n) {
  ptrdiff_t i = 0;
  for (; i + 8 <= n; i += 8) {
    int gap = 0;
    for (int b = 0; b < 8; b++) gap |= x[i + b] != x[i + b];
    if (gap) return 1;
  }
  for (; i < n; i++)
    if (x[i] != x[i]) return 1;
  return 0;
}

static int misses(const struct gm_rows* given, ptrdiff_t i, int a) {
  return isnan(given->x[i + given->ld * a]);
}

void gm_patterns_sort(const struct gm_rows* given, int* row) {
  const ptrdiff_t n = given->n;
  int* held = row + n;
  for (ptrdiff_t i = 0; i < n; i++) row[i] = (int)i;
  for (int a = given->d - 1; a >= 0; a--) {
    ptrdiff_t seen = 0, lost = 0;
    for (ptrdiff_t t = 0; t < n; t++) {
      if (misses(given, row[t], a)) {
        held[lost++] = row[t];
      } else {
        row[seen++] = row[t];
      }
    }
    memcpy(row + seen, held, (size_t)lost * sizeof *row);
  }
}

/* Is the pattern of the t-th row another one than that of the row before? */
static int begins(const struct gm_rows* given, const int* row, ptrdiff_t t) {
  if (t == 0) return 1;
  for (int a = 0; a < given->d; a++)
    if (misses(given, row[t - 1], a) != misses(given, row[t], a)) return 1;
  return 0;
}

int gm_patterns_count(const struct gm_rows* given, const int* row, ptrdiff_t n) {
  int count = 0;
  for (ptrdiff_t t = 0; t < n; t++) count += begins(given, row, t);
  return count;
}

void gm_patterns_set(const struct gm_rows* given, const int* row, ptrdiff_t n,
                     struct gm_patterns* patterns, double* x, double* w,
                     struct gm_rows* rows) {
  const int d = given->d;
  ptrdiff_t end = 0;
  patterns->given = given;
  patterns->row = row;
  patterns->count = 0;
  for (ptrdiff_t t = 0; t < n; t++) {
    if (w) w[t] = given->w[row[t]];
    if (!begins(given, row, t)) continue;
    const int p = patterns->count++;
    int* column = patterns->column + (ptrdiff_t)d * p;
    int seen = 0, last = d;
    for (int a = 0; a < d; a++)
      if (!misses(given, row[t], a)) column[seen++] = a;
    for (int a = d - 1; a >= 0; a--)
      if (misses(given, row[t], a)) column[--last] = a;
    patterns->observed[p] = seen;
    patterns->first[p] = t;
  }
  patterns->first[patterns->count] = n;
  for (int p = 0; p < patterns->count; p++) {
    patterns->at[p] = end;
    for (int c = 0; c < patterns->observed[p]; c++) {
      const double* from = given->x + given->ld * patterns->column[c + (ptrdiff_t)d * p];
      for (ptrdiff_t t = patterns->first[p]; t < patterns->first[p + 1]; t++)
        x[end++] = from[row[t]];
    }
  }
  *rows = (struct gm_rows){.n = n,
                           .ld = n,
                           .d = d,
                           .x = x,
                           .w = w,
                           .source = GM_POSTERIOR,
                           .patterns = patterns};
}

/* ---- marginal densities ---- */

ptrdiff_t gm_marginal_work(enum gm_shape shape, int d, int k) {
  const ptrdiff_t square = (ptrdiff_t)d * d;
  return k + 1 + 2 * d + (ptrdiff_t)d * k +
         (shape == GM_TRIANG ? square * (k + 2) : gm_cov_length(shape, d) * k);
}

void gm_marginal_set(struct gm_marginal* m, const struct gm_factors* f,
                     const struct gm_patterns* patterns, int p, double* work) {
  const int d = f->d, k = f->k, q = patterns->observed[p];
  const int* column = patterns->column + (ptrdiff_t)d * p;
  double *lower = work + k + 1, *upper = lower + q, *mean = upper + q;
  *m = (struct gm_marginal){.f = *f, .whole = f, .column = column};
  m->f.d = q;
  m->f.logc = work;
  m->f.mean = mean;
  m->f.factor = mean + (ptrdiff_t)q * k;
  m->f.screen = NULL;
  if (f->stride) m->f.stride = gm_cov_length(f->shape, q);
  m->work = m->f.factor + gm_cov_length(f->shape, q) * k;
  double logdet = 0;
  if (f->noise && f->noise->lower) { /* of the box its side in the observed variables */
    m->noise = (struct gm_noise){.lower = lower, .upper = upper};
    m->f.noise = &m->noise;
    for (int c = 0; c < q; c++) {
      lower[c] = f->noise->lower[column[c]];
      upper[c] = f->noise->upper[column[c]];
      m->noise.log_volume += log(upper[c] - lower[c]);
    }
  }
  m->f.logc[k] = m->f.noise ? log(f->prop[k]) - m->f.noise->log_volume : -INFINITY;
  for (int j = 0; j < k; j++) {
    const double* cov = f->cov + f->stride * j;
    double* factor = m->f.factor + m->f.stride * j;
    for (int c = 0; c < q; c++)
      mean[c + (ptrdiff_t)q * j] = f->mean[column[c] + (ptrdiff_t)d * j];
    if (j == 0 || f->stride) {
      if (f->shape == GM_TRIANG) {
        for (int c = 0; c < q; c++)
          for (int e = c; e < q; e++)
            factor[e + (ptrdiff_t)q * c] = cov[column[e] + (ptrdiff_t)d * column[c]];
      } else if (f->shape == GM_DIAG) {
        for (int c = 0; c < q; c++) factor[c] = cov[column[c]];
      } else {
        factor[0] = cov[0];
      }
      logdet = gm_factorise(f->shape, q, factor);
    }
    m->f.logc[j] = log(f->prop[j]) + gm_log_constant(q, logdet);
  }
}

/* beta (q x miss) <- Sigma_oo^-1 Sigma_om of component j; w <- L^-1 Sigma_om. */
static void regress(const struct gm_marginal* m, int j, double* beta, double* w) {
  const ptrdiff_t d = m->whole->d, q = m->f.d;
  const double* l = m->f.factor + m->f.stride * j;
  for (ptrdiff_t e = 0; e < d - q; e++) {
    const double* cov = m->whole->cov + m->whole->stride * j + d * m->column[q + e];
    double* we = w + q * e;
    double* be = beta + q * e;
    for (ptrdiff_t c = 0; c < q; c++) we[c] = cov[m->column[c]];
    for (ptrdiff_t c = 0; c < q; c++) {
      we[c] *= l[c + q * c];
      for (ptrdiff_t b = c + 1; b < q; b++) we[b] -= l[b + q * c] * we[c];
    }
    for (ptrdiff_t c = q - 1; c >= 0; c--) {
      double sum = we[c];
      for (ptrdiff_t b = c + 1; b < q; b++) sum -= l[b + q * c] * be[b];
      be[c] = sum * l[c + q * c];
    }
  }
}

static double dot(const double* x, const double* y, ptrdiff_t n) {
  double sum = 0;
  for (ptrdiff_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

/* y <- S x, of S the lower triangle. */
static void multiply(const double* s, const double* x, ptrdiff_t n, double* y) {
  for (ptrdiff_t i = 0; i < n; i++) y[i] = s[i + n * i] * x[i];
  for (ptrdiff_t b = 0; b < n; b++) {
    double sum = 0;
    for (ptrdiff_t a = b + 1; a < n; a++) {
      y[a] += s[a + n * b] * x[b];
      sum += s[a + n * b] * x[a];
    }
    y[b] += sum;
  }
}

/* Scatter of n rows, of the observed variables -> of all. w: as of regress(); y: d doubles. */
static void expand_scatter(const struct gm_marginal* m, int j, double n, const double* s,
                           const double* beta, const double* w, double* to, double* y) {
  const ptrdiff_t d = m->whole->d, q = m->f.d;
  const int* column = m->column;
  const double* cov = m->whole->cov + m->whole->stride * j;
  for (ptrdiff_t c = 0; c < q; c++)
    for (ptrdiff_t b = c; b < q; b++) to[column[b] + d * column[c]] += s[b + q * c];
  for (ptrdiff_t e = q; e < d; e++) {
    const double* we = w + q * (e - q);
    const ptrdiff_t at = column[e];
    multiply(s, beta + q * (e - q), q, y);
    for (ptrdiff_t c = 0; c < q; c++) {
      const ptrdiff_t b = column[c];
      to[at > b ? at + d * b : b + d * at] += y[c];
    }
    for (ptrdiff_t g = e; g < d; g++) {
      const ptrdiff_t b = column[g];
      to[b + d * at] += dot(beta + q * (g - q), y, q) +
                        n * (cov[b + d * at] - dot(w + q * (g - q), we, q));
    }
  }
}

void gm_marginal_expand(const struct gm_marginal* m, const struct gm_stats* from,
                        struct gm_stats* to) {
  const ptrdiff_t d = to->d, q = from->d, miss = d - q;
  const int* column = m->column;
  const enum gm_shape shape = to->shape;
  double* beta = m->work;
  double* w = beta + q * miss;
  double* y = w + q * miss;
  double total = 0;
  for (int j = 0; j < to->k; j++) {
    const double n = from->nk[j];
    total += n;
    if (n == 0) continue;
    const double* sum = from->sum + q * j;
    to->nk[j] += n;
    to->nk2[j] += from->nk2[j];
    for (ptrdiff_t c = 0; c < q; c++) to->sum[column[c] + d * j] += sum[c];
    for (ptrdiff_t c = q; c < d; c++) {
      to->lost[column[c] + d * j] += n;
      to->lost2[column[c] + d * j] += from->nk2[j];
    }
    if (shape != GM_TRIANG) continue;
    if (to->stride || total == n) regress(m, j, beta, w);
    for (ptrdiff_t e = 0; e < miss; e++)
      to->sum[column[q + e] + d * j] += dot(beta + q * e, sum, q);
    if (to->stride)
      expand_scatter(m, j, n, from->scatter + from->stride * j, beta, w,
                     to->scatter + to->stride * j, y);
  }
  if (shape == GM_TRIANG && !to->stride && total > 0)
    expand_scatter(m, 0, total, from->scatter, beta, w, to->scatter, y);
  for (int j = 0; j < (to->stride ? to->k : 1) && shape != GM_TRIANG; j++) {
    const double* cov = m->whole->cov + m->whole->stride * j;
    const double* s = from->scatter + from->stride * j;
    double* scatter = to->scatter + to->stride * j;
    for (ptrdiff_t c = 0; c < q; c++) scatter[column[c]] += s[c];
    for (ptrdiff_t c = q; c < d; c++)
      scatter[column[c]] +=
          (to->stride ? from->nk[j] : total) * cov[shape == GM_DIAG ? column[c] : 0];
  }
}

void gm_marginal_fill(const struct gm_marginal* m, ptrdiff_t n, const double* x,
                      double* out, ptrdiff_t ld) {
  const ptrdiff_t d = m->whole->d, q = m->f.d;
  double* beta = m->work;
  regress(m, 0, beta, beta + q * (d - q));
  for (ptrdiff_t c = 0; c < q; c++)
    memcpy(out + ld * m->column[c], x + n * c, (size_t)n * sizeof *out);
  for (ptrdiff_t e = q; e < d; e++) {
    double* to = out + ld * m->column[e];
    for (ptrdiff_t i = 0; i < n; i++) to[i] = m->whole->mean[m->column[e]];
    for (ptrdiff_t c = 0; c < q; c++) {
      const double slope = beta[c + q * (e - q)], mean = m->f.mean[c];
      for (ptrdiff_t i = 0; i < n; i++) to[i] += slope * (x[i + n * c] - mean);
    }
  }
}
