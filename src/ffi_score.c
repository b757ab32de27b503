/* Scoring rows, and what the engine is made of. */
#include <string.h>

#include "ffi.h"

static enum gm_score read_score(SEXP what) {
  static const char* const names[] = {"logdensity",  "density",   "prob",       "class",
                                      "uncertainty", "component", "mahalanobis"};
  const char* name = ffi_string(what, "what");
  for (int i = GM_LOGDENS; i <= GM_MAHALANOBIS; i++)
    if (!strcmp(name, names[i])) return (enum gm_score)i;
  Rf_error("internal error: no such score");
}

/* The rows' names of x, and these of columns. */
static void set_names(SEXP out, SEXP x, SEXP columns) {
  SEXP given = Rf_getAttrib(x, R_DimNamesSymbol);
  SEXP rows = TYPEOF(given) == VECSXP ? VECTOR_ELT(given, 0) : R_NilValue;
  if (Rf_isMatrix(out)) {
    SEXP dimnames = PROTECT(Rf_allocVector(VECSXP, 2));
    SET_VECTOR_ELT(dimnames, 0, rows);
    SET_VECTOR_ELT(dimnames, 1, columns);
    Rf_setAttrib(out, R_DimNamesSymbol, dimnames);
    UNPROTECT(1);
  } else if (!Rf_isNull(rows)) {
    Rf_setAttrib(out, R_NamesSymbol, rows);
  }
}

/* marginal: 1 for the marginal results of rows with missing values; 0: NULL where there are some.
   names: of the columns, where there are some, and with the rows' own; NULL: none of either. */
SEXP ffi_gmm_score(SEXP x, SEXP family, SEXP params_list, SEXP what_name, SEXP marginal,
                   SEXP names, SEXP threads) {
  const struct gm_rows given = ffi_rows(x, R_NilValue);
  const struct gm_params params = ffi_params(params_list, ffi_family(family), given.d);
  const enum gm_score what = read_score(what_name);
  struct ffi_watch watch = {0};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(threads, &watch);
  const struct gm_factors f = ffi_factors(params_list, &params, &engine);
  const int columns = gm_score_columns(what, &f);
  SEXP out = PROTECT(columns ? Rf_allocMatrix(REALSXP, (int)given.n, columns)
                             : Rf_allocVector(REALSXP, given.n));
  ffi_large_pages(out);
  if (!Rf_isNull(names)) set_names(out, x, names);
  double* work = ffi_alloc(gm_score_work(&f, engine.threads));
  struct gm_error err = {0};
  int gaps = 0,
      status = gm_score_rows(what, &given, &f, &engine, REAL(out), &gaps, work, &err);
  if (!status && gaps && ffi_count(marginal, 0, "marginal")) {
    const struct gm_rows rows = ffi_group(&given, NULL, 1);
    gaps = 0;
    status = gm_score_rows(what, &rows, &f, &engine, REAL(out), NULL, work, &err);
  }
  if (status) ffi_watch_end(&watch);
  UNPROTECT(2);
  return gaps ? R_NilValue : out;
}

/* What trimming keeps of the weight of each row; all of one that says nothing. control: list(trim,
   units). */
SEXP ffi_gmm_trim(SEXP x, SEXP w, SEXP labels, SEXP family, SEXP params_list,
                  SEXP control, SEXP threads) {
  const struct gm_rows given = ffi_rows(x, w);
  const struct gm_params params = ffi_params(params_list, ffi_family(family), given.d);
  struct gm_rows rows = ffi_group(&given, ffi_known_labels(labels, given.n, params.k), 0);
  rows.trimming = ffi_trimming(control, given.d, given.n);
  if (!rows.trimming) Rf_error("internal error: nothing is trimmed");
  struct ffi_watch watch = {0};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(threads, &watch);
  const struct gm_factors f = ffi_factors(params_list, &params, &engine);
  struct gm_error err = {0};
  if (gm_trim(&rows, &f, &engine, ffi_alloc(gm_score_work(&f, engine.threads)), &err))
    ffi_watch_end(&watch);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, given.n));
  for (ptrdiff_t i = 0; i < given.n; i++) REAL(out)[i] = given.w ? given.w[i] : 1;
  for (ptrdiff_t i = 0; i < rows.n; i++)
    REAL(out)[rows.patterns ? rows.patterns->row[i] : i] = rows.trimming->kept[i];
  UNPROTECT(2);
  return out;
}

/* list(path, paths, threads, openmp) */
SEXP ffi_gmm_engine(void) {
  static const char* const names[] = {"path", "paths", "threads", "openmp"};
  static const char* const all[] = {"reference", "baseline", "avx2", "avx512"};
  SEXP out = PROTECT(ffi_list(4, names));
  int here = 0;
  for (int i = 0; i < 4; i++) here += gm_kernel_find(all[i]) != NULL;
  SEXP paths = PROTECT(Rf_allocVector(STRSXP, here));
  for (int i = 0, at = 0; i < 4; i++)
    if (gm_kernel_find(all[i])) SET_STRING_ELT(paths, at++, Rf_mkChar(all[i]));
  SET_VECTOR_ELT(out, 0, Rf_mkString(ffi_kernel_choice()->name));
  SET_VECTOR_ELT(out, 1, paths);
  SET_VECTOR_ELT(out, 2, Rf_ScalarInteger(ffi_threads(R_NilValue)));
#ifdef _OPENMP
  SET_VECTOR_ELT(out, 3, Rf_ScalarLogical(1));
#else
  SET_VECTOR_ELT(out, 3, Rf_ScalarLogical(0));
#endif
  UNPROTECT(2);
  return out;
}

SEXP ffi_gmm_certainty(SEXP x, SEXP w, SEXP family_code, SEXP params_list, SEXP threads) {
  const struct gm_rows given = ffi_rows(x, w);
  const struct gm_rows rows = ffi_group(&given, NULL, 0);
  const struct gm_params params =
      ffi_params(params_list, ffi_family(family_code), rows.d);
  struct ffi_watch watch = {0};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(threads, &watch);
  const struct gm_factors f = ffi_factors(params_list, &params, &engine);
  struct gm_error err = {0};
  double value = 0;
  if (gm_certainty(&rows, &f, &engine, &value,
                   ffi_alloc((double)gm_certainty_work(&f, engine.threads)), &err))
    ffi_watch_end(&watch);
  UNPROTECT(1);
  return Rf_ScalarReal(value);
}
