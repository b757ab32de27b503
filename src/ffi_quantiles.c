/* Order statistics of columns, of the values that are there, without a copy of a column:
   those near the one looked for, by a sample, are gathered in one pass and the rank counted. */
#include <R_ext/Utils.h>
#include <math.h>
#include <string.h>

#include "ffi.h"

enum {
  SAMPLE = 4096,
  ROOM = 16
}; /* a ROOM-th of a column at most is gathered: 5 % are */

struct column {
  const double* v;
  ptrdiff_t n, there;
  double sample[SAMPLE]; /* sorted */
  int size;
  double* near;
  ptrdiff_t room;
};

static void look(struct column* c, const double* v) {
  c->v = v;
  c->there = 0;
  for (ptrdiff_t i = 0; i < c->n; i++) c->there += v[i] == v[i];
  c->size = 0;
  if (c->there <= c->room) return;
  const double step = (double)c->n / SAMPLE;
  for (int i = 0; i < SAMPLE; i++) {
    const double drawn = v[(ptrdiff_t)(i * step)];
    if (drawn == drawn) c->sample[c->size++] = drawn;
  }
  R_rsort(c->sample, c->size);
}

/* Those in [low, high] -> near, as far as there is room; returns how many. */
static ptrdiff_t gather(const struct column* c, double low, double high, double* near,
                        ptrdiff_t room, ptrdiff_t* below) {
  ptrdiff_t count = 0, under = 0;
  for (ptrdiff_t i = 0; i < c->n; i++) {
    const double v = c->v[i];
    under += v < low;
    if (!(v >= low && v <= high)) continue;
    if (count < room) near[count] = v;
    count++;
  }
  *below = under;
  return count;
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
  ptrdiff_t count = gather(c, low, high, near, c->room, &below);
  if (rank > below && rank <= below + count && low == high) return low;
  if (rank <= below || rank > below + count ||
      count > c->room) { /* many ties, or an order */
    near = ffi_alloc((double)c->there);
    count = gather(c, -INFINITY, INFINITY, near, c->there, &below);
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
  c->room = rows.n <= 4 * SAMPLE ? rows.n : rows.n / ROOM;
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
