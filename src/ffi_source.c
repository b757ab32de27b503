/* Chunks of rows that come one after the other: their first look, the sample, their layout. */
#include <math.h>
#include <string.h>

#include "ffi.h"

static SEXP numbers(const double* from, R_xlen_t n) {
  SEXP out = Rf_allocVector(REALSXP, n);
  memcpy(REAL(out), from, (size_t)n * sizeof *from);
  return out;
}

/* list(reach, ranges (2 x d: of all values that are there, and of those in rows with weight), total
   (missing values, sum of the weights, of their squares, the first that is none: from 0, or Inf)) */
SEXP ffi_gmm_scan(SEXP x, SEXP w, SEXP threads) {
  static const char* const names[] = {"reach", "ranges", "total"};
  const struct gm_rows rows = ffi_rows(x, w);
  const int d = rows.d;
  struct ffi_watch watch = {0};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(threads, &watch);
  double* scan = ffi_alloc((double)gm_scan_size(d));
  struct gm_error err = {0};
  if (gm_scan(&rows, &engine, scan, ffi_alloc((double)gm_scan_work(d, engine.threads)),
              &err))
    ffi_watch_end(&watch);
  SEXP out = PROTECT(ffi_list(3, names));
  for (int i = 0; i < 2; i++) {
    SEXP range = Rf_allocMatrix(REALSXP, 2, d);
    SET_VECTOR_ELT(out, i, range);
    memcpy(REAL(range), scan + 2 * (ptrdiff_t)d * i, 2 * (size_t)d * sizeof *scan);
  }
  SET_VECTOR_ELT(out, 2, numbers(scan + 4 * (ptrdiff_t)d, GM_SCAN_TOTALS));
  UNPROTECT(2);
  return out;
}

/* Which rows of the chunk the sample takes: list(row (from 1), order, last, passed), see gm_draw_rows().
   draw: list(key (two numbers of 32 bits), stream, limit, last, passed). */
SEXP ffi_gmm_draw(SEXP draw_list, SEXP before, SEXP rows, SEXP w, SEXP from, SEXP room) {
  static const char* const names[] = {"row", "order", "last", "passed"};
  const double* key = ffi_doubles(ffi_field(draw_list, "key"), 2, "key");
  struct gm_draw draw = {
      .key = (uint64_t)key[0] << 32 | (uint64_t)key[1],
      .stream = (uint32_t)ffi_count(ffi_field(draw_list, "stream"), 0, "stream"),
      .limit = ffi_number(ffi_field(draw_list, "limit"), "limit"),
      .last = ffi_number(ffi_field(draw_list, "last"), "last"),
      .passed = ffi_number(ffi_field(draw_list, "passed"), "passed")};
  const int n = ffi_count(rows, 0, "rows"), first = ffi_count(from, 0, "from");
  int most = ffi_count(room, 0, "room");
  if (most > n) most = n;
  const double* weight = Rf_isNull(w) ? NULL : ffi_doubles(w, n, "w");
  int* row = (int*)R_alloc((size_t)most + 1, sizeof *row);
  double* order = ffi_alloc((double)most + 1);
  const ptrdiff_t count = gm_draw_rows(&draw, ffi_number(before, "before"), n, weight,
                                       first, most, row, order);
  SEXP out = PROTECT(ffi_list(4, names));
  SET_VECTOR_ELT(out, 0, Rf_allocVector(INTSXP, count));
  for (ptrdiff_t i = 0; i < count; i++) INTEGER(VECTOR_ELT(out, 0))[i] = row[i] + 1;
  SET_VECTOR_ELT(out, 1, numbers(order, count));
  SET_VECTOR_ELT(out, 2, Rf_ScalarReal(draw.last));
  SET_VECTOR_ELT(out, 3, Rf_ScalarReal(draw.passed));
  UNPROTECT(1);
  return out;
}

/* How rows miss values: list(there (d x patterns, logical: which variables they have), rows, counted
   (of each pattern its rows, and those with weight)). */
SEXP ffi_gmm_gaps(SEXP x, SEXP w) {
  static const char* const names[] = {"there", "rows", "counted"};
  const struct gm_rows given = ffi_rows(x, w);
  const struct gm_rows rows = ffi_group(&given, NULL, 1);
  const struct gm_patterns* patterns = rows.patterns;
  const int d = given.d, count = patterns ? patterns->count : 1;
  SEXP out = PROTECT(ffi_list(3, names));
  SET_VECTOR_ELT(out, 0, Rf_allocMatrix(LGLSXP, d, count));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, count));
  SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, count));
  int* there = LOGICAL(VECTOR_ELT(out, 0));
  for (int p = 0; p < count; p++) {
    const ptrdiff_t first = patterns ? patterns->first[p] : 0;
    const ptrdiff_t end = patterns ? patterns->first[p + 1] : rows.n;
    const int observed = patterns ? patterns->observed[p] : d;
    double counted = 0;
    for (ptrdiff_t t = first; t < end; t++) counted += !rows.w || rows.w[t] > 0;
    for (int c = 0; c < d; c++)
      there[(patterns ? patterns->column[c + (ptrdiff_t)d * p] : c) + (ptrdiff_t)d * p] =
          c < observed;
    REAL(VECTOR_ELT(out, 1))[p] = (double)(end - first);
    REAL(VECTOR_ELT(out, 2))[p] = counted;
  }
  UNPROTECT(1);
  return out;
}

/* Numbers that are together by rows of d -> a matrix. */
SEXP ffi_gmm_columns(SEXP values, SEXP columns) {
  enum { BLOCK = 256 }; /* rows that stay in cache */
  const int d = ffi_count(columns, 1, "d");
  const R_xlen_t n = Rf_xlength(values) / d;
  if (n > INT_MAX) Rf_error("internal error: too many rows");
  const double* from = ffi_doubles(values, n * d, "values");
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)n, d));
  double* to = REAL(out);
  for (R_xlen_t first = 0; first < n; first += BLOCK) {
    const R_xlen_t end = first + BLOCK < n ? first + BLOCK : n;
    for (int a = 0; a < d; a++)
      for (R_xlen_t i = first; i < end; i++) to[i + n * a] = from[a + d * i];
  }
  UNPROTECT(1);
  return out;
}
