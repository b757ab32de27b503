/* Sampling. */
#include "ffi.h"

/* R's random numbers are touched here only, once a call. */
uint64_t ffi_draw_key(void) {
  GetRNGstate();
  const double high = unif_rand(), low = unif_rand();
  PutRNGstate();
  return (uint64_t)(uint32_t)(high * 4294967296.0) << 32 | (uint32_t)(low * 4294967296.0);
}

static void need_names(SEXP names, R_xlen_t length, const char* what) {
  if (TYPEOF(names) != STRSXP || XLENGTH(names) != length)
    Rf_error("internal error: `%s` must be names", what);
}

/* A matrix n x d with the columns' names (or NULL), and the attribute "component": a factor with
   these levels. */
SEXP ffi_gmm_sample(SEXP n_rows, SEXP family, SEXP params_list, SEXP by_component,
                    SEXP columns, SEXP levels, SEXP threads) {
  const int n = ffi_count(n_rows, 0, "n");
  SEXP means = ffi_field(params_list, "means");
  if (!Rf_isMatrix(means)) Rf_error("internal error: `means` must be d x k");
  const struct gm_params params =
      ffi_params(params_list, ffi_family(family), Rf_nrows(means));
  struct ffi_watch watch = {0};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(threads, &watch);
  const struct gm_factors f = ffi_factors(params_list, &params, &engine);
  if (f.noise && !f.noise->lower) Rf_error("internal error: noise without limits");
  need_names(levels, params.k + (f.noise != NULL), "levels");
  SEXP x = PROTECT(ffi_large_pages(Rf_allocMatrix(REALSXP, n, params.d)));
  if (!Rf_isNull(columns)) {
    need_names(columns, params.d, "columns");
    SEXP dimnames = PROTECT(Rf_allocVector(VECSXP, 2));
    SET_VECTOR_ELT(dimnames, 1, columns);
    Rf_setAttrib(x, R_DimNamesSymbol, dimnames);
    UNPROTECT(1);
  }
  SEXP component = PROTECT(Rf_allocVector(INTSXP, n));
  Rf_setAttrib(component, R_LevelsSymbol, levels);
  Rf_setAttrib(component, R_ClassSymbol, PROTECT(Rf_mkString("factor")));
  Rf_setAttrib(x, Rf_install("component"), component);
  double* work = ffi_alloc(gm_sample_work(&f, engine.threads));
  struct gm_error err = {0};
  if (gm_sample_rows(ffi_draw_key(), n, ffi_count(by_component, 0, "by_component"),
                     params.prop, &f, &engine, REAL(x), INTEGER(component), work, &err))
    ffi_watch_end(&watch);
  UNPROTECT(4);
  return x;
}

/* The generator itself: 2 x length(index) uniforms. key: two numbers, high and low 32 bits. */
SEXP ffi_gmm_random(SEXP key_parts, SEXP index, SEXP stream, SEXP lane) {
  const double* part = ffi_doubles(key_parts, 2, "key");
  const R_xlen_t n = Rf_xlength(index);
  const double* at = ffi_doubles(index, n, "index");
  const uint64_t key = (uint64_t)(uint32_t)part[0] << 32 | (uint32_t)part[1];
  const uint32_t s = (uint32_t)ffi_count(stream, 0, "stream");
  const uint32_t l = (uint32_t)ffi_count(lane, 0, "lane");
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, 2, (int)n));
  for (R_xlen_t i = 0; i < n + 2; i++) {
    const double value = i < n ? at[i] : part[i - n];
    if (!(value >= 0 && value < 4294967296.0))
      Rf_error("internal error: numbers of 32 bits");
  }
  for (R_xlen_t i = 0; i < n; i++)
    gm_random(key, (uint64_t)at[i], s, l, REAL(out) + 2 * i);
  UNPROTECT(1);
  return out;
}
