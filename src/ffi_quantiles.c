/* Order statistics of columns, of the values that are there, without a copy of a column:
   those near the one looked for, by a sample, are gathered in one pass and the rank counted. */
#include <R_ext/Utils.h>
#include <math.h>
#include <string.h>

#include "ffi.h"

enum {
  SAMPLE = 4096,
  ROOM = 16,  /* a ROOM-th of a column at most is gathered: 5 % are */
  STEP = 256, /* rows between two looks at whether there is room */
  THREADS = 16,
  SHARED = 200000 /* rows that are worth threads */
};

struct column {
  const double* v;
  ptrdiff_t n, there;
  double sample[SAMPLE]; /* sorted */
  int size;
  double* near;
  ptrdiff_t room;
  int threads;
};

static void look(struct column* c, const double* v) {
  c->v = v;
  ptrdiff_t there = 0;
#ifdef _OPENMP
#pragma omp parallel for reduction(+ : there) num_threads(c->threads) if (c->n > SHARED)
#endif
  for (ptrdiff_t i = 0; i < c->n; i++) there += v[i] == v[i];
  c->there = there;
  c->size = 0;
  if (c->there <= c->room) return;
  const double step = (double)c->n / SAMPLE;
  for (int i = 0; i < SAMPLE; i++) {
    const double drawn = v[(ptrdiff_t)(i * step)];
    if (drawn == drawn) c->sample[c->size++] = drawn;
  }
  R_rsort(c->sample, c->size);
}

/* Those in [low, high], of rows from to end -> near, as far as there is room, without a branch a
   value; returns how many, or room where there may be more. */
static ptrdiff_t gather_part(const double* v, ptrdiff_t from, ptrdiff_t end, double low,
                             double high, double* near, ptrdiff_t room,
                             ptrdiff_t* below) {
  ptrdiff_t count = 0, under = 0;
  while (from < end) {
    const ptrdiff_t stop = from + STEP < end ? from + STEP : end;
    if (count + (stop - from) >= room) return room;
    for (; from < stop; from++) {
      near[count] = v[from];
      count += (v[from] >= low) & (v[from] <= high);
      under += v[from] < low;
    }
  }
  *below = under;
  return count;
}

/* The same of the column, a part a thread; c->room or more: there may be more. */
static ptrdiff_t gather(const struct column* c, double low, double high,
                        ptrdiff_t* below) {
  ptrdiff_t count[THREADS], under[THREADS] = {0}, all = 0;
  const int parts = c->n > SHARED ? c->threads : 1;
  const ptrdiff_t room = c->room / parts;
#ifdef _OPENMP
#pragma omp parallel for num_threads(parts)
#endif
  for (int p = 0; p < parts; p++)
    count[p] =
        gather_part(c->v, c->n / parts * p, p + 1 < parts ? c->n / parts * (p + 1) : c->n,
                    low, high, c->near + room * p, room, under + p);
  *below = 0;
  for (int p = 0; p < parts; p++) {
    if (count[p] >= room) return c->room;
    memmove(c->near + all, c->near + room * p, (size_t)count[p] * sizeof *c->near);
    all += count[p];
    *below += under[p];
  }
  return all;
}

/* The value of that rank, from 1, among those that are there. */
static double of_rank(const struct column* c, ptrdiff_t rank) {
  ptrdiff_t below;
  double *near = c->near, low = -INFINITY, high = INFINITY;
  if (c->size > 0) {
    const double at = (double)rank / (double)c->there * c->size;
    const double margin = 1.5 * sqrt((double)c->size) + 2; /* more than 3 sd */
    if (at - margin >= 0) low = c->sample[(int)(at - margin)];
    if (at + margin < c->size) high = c->sample[(int)(at + margin)];
  }
  ptrdiff_t count = gather(c, low, high, &below);
  const int whole = count < c->room;
  if (whole && rank > below && rank <= below + count && low == high) return low;
  if (!whole || rank <= below || rank > below + count) { /* many ties, or an order */
    const ptrdiff_t room = c->there + STEP + 1;
    near = ffi_alloc((double)room);
    count = gather_part(c->v, 0, c->n, -INFINITY, INFINITY, near, room, &below);
  }
  rPsort(near, (int)count, (int)(rank - below - 1));
  return near[rank - below - 1];
}

/* For each share in p and column of x, the smallest value whose share of those that are there is at
   least that; NaN where none is there. */
SEXP ffi_gmm_quantiles(SEXP x, SEXP p) {
  const struct gm_rows rows = ffi_rows(x, R_NilValue);
  const int shares = (int)XLENGTH(p);
  const double* share = ffi_doubles(p, shares, "p");
  for (int s = 0; s < shares; s++)
    if (!(share[s] > 0 && share[s] <= 1))
      Rf_error("internal error: `p` must be above 0 and at most 1.");
  struct column* c = (struct column*)R_alloc(1, sizeof *c);
  c->n = rows.n;
  c->room = rows.n <= 4 * SAMPLE ? rows.n + STEP + 1 : rows.n / ROOM;
  c->threads = ffi_threads(R_NilValue);
  if (c->threads > THREADS) c->threads = THREADS;
  c->near = ffi_alloc((double)c->room);
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, shares, rows.d));
  for (int a = 0; a < rows.d; a++) {
    double* to = REAL(out) + (ptrdiff_t)shares * a;
    look(c, rows.x + rows.ld * a);
    for (int s = 0; s < shares; s++) {
      const void* top = vmaxget();
      to[s] = c->there ? of_rank(c, (ptrdiff_t)ceil((double)c->there * share[s])) : NAN;
      vmaxset(top);
    }
  }
  UNPROTECT(1);
  return out;
}
