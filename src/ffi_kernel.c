/* Test window: one block through the three stages of a kernel. */
#include <string.h>

#include "ffi.h"

static SEXP matrix(const double* from, int m, int n, int columns) {
  SEXP out = Rf_allocMatrix(REALSXP, n, columns);
  for (int j = 0; j < columns; j++)
    memcpy(REAL(out) + (ptrdiff_t)n * j, from + (ptrdiff_t)m * j,
           (size_t)n * sizeof *from);
  return out;
}

/* path: name of the kernel; label: integers or NULL; extra: log density of a further column (noise)
   or NULL; within_reach: 1 leaves out what gm_reach() says. Value: list(maha, resp, lse, loglik, nk, nk2,
   sum, scatter, lse_loglik): the log-likelihood by a call that does without lse, as the E-step's, and by
   one that gives it. */
SEXP ffi_gmm_kernel(SEXP path, SEXP family_code, SEXP params_list, SEXP x, SEXP w,
                    SEXP label, SEXP extra, SEXP within_reach) {
  static const char* const names[] = {"maha", "resp", "lse",     "loglik",    "nk",
                                      "nk2",  "sum",  "scatter", "lse_loglik"};
  const struct gm_kernel* kernel = gm_kernel_find(ffi_string(path, "path"));
  if (!kernel) Rf_error("internal error: no such kernel");
  const struct gm_family* family = ffi_family(family_code);
  const struct gm_rows rows = ffi_rows(x, w);
  const struct gm_params params = ffi_params(params_list, family, rows.d);
  const struct gm_factors f = ffi_factors(params_list, &params, NULL);
  const int n = (int)rows.n, d = rows.d, k = params.k;
  if (n < 1 || n > 100000) Rf_error("internal error: one block of rows");
  const int m = (n + GM_PAD - 1) / GM_PAD * GM_PAD;
  const int columns = Rf_isNull(extra) ? k : k + 1;
  const int* known = Rf_isNull(label) ? NULL : ffi_integers(label, n, "label");

  double* px = ffi_alloc((double)m * d);
  double* pw = ffi_alloc(m);
  int* pl = (int*)R_alloc(m, sizeof(int));
  for (int i = 0; i < m; i++) {
    const int from = i < n ? i : n - 1;
    for (int a = 0; a < d; a++) px[i + (ptrdiff_t)m * a] = rows.x[from + rows.ld * a];
    pw[i] = i >= n ? 0 : rows.w ? rows.w[i] : 1;
    pl[i] = i < n && known ? known[i] : 0;
    if (pl[i] < 0 || pl[i] > columns) Rf_error("internal error: labels must lie in 0..k");
  }
  const double* weight = rows.w || m != n ? pw : NULL;
  double* maha = ffi_alloc((double)m * columns);
  double* lse = ffi_alloc(m);
  double* logc = ffi_alloc(columns);
  double* reach = ffi_count(within_reach, 0, "reach") ? ffi_alloc(k + 1) : NULL;
  if (reach) gm_reach(&f, reach);
  double* work = ffi_alloc((double)gm_kernel_work(d, k) + (double)m * (d + 2) + 8);
  work = (double*)(((uintptr_t)work + 63) / 64 * 64);
  memcpy(logc, f.logc, (size_t)k * sizeof *logc);
  struct gm_stats stats;
  gm_stats_init(&stats, family, d, k, ffi_alloc(gm_stats_size(family, d, k)));
  gm_stats_zero(&stats);

  SEXP out = PROTECT(ffi_list(9, names));
  kernel->distance[f.shape](&f, px, m, m, maha, work);
  SET_VECTOR_ELT(out, 0, matrix(maha, m, n, k));
  if (columns > k) {
    logc[k] = ffi_number(extra, "extra");
    memset(maha + (ptrdiff_t)m * k, 0, (size_t)m * sizeof *maha);
  }
  double* again = ffi_alloc((double)m * columns);
  memcpy(again, maha, (size_t)m * columns * sizeof *maha);
  const int* labels = known ? pl : NULL;
  const double sum =
      kernel->posterior(logc, columns, m, weight, labels, reach, again, lse);
  const double loglik =
      kernel->posterior(logc, columns, m, weight, labels, reach, maha, NULL);
  kernel->accumulate[f.shape](&f, px, m, m, weight, maha, &stats, work);
  SET_VECTOR_ELT(out, 1, matrix(maha, m, n, columns));
  SET_VECTOR_ELT(out, 2, matrix(lse, m, n, 1));
  SET_VECTOR_ELT(out, 3, Rf_ScalarReal(loglik));
  SET_VECTOR_ELT(out, 4, matrix(stats.nk, k, k, 1));
  SET_VECTOR_ELT(out, 5, matrix(stats.nk2, k, k, 1));
  SET_VECTOR_ELT(out, 6, matrix(stats.sum, d, d, k));
  const int length = (int)(stats.lost - stats.scatter);
  SET_VECTOR_ELT(out, 7, matrix(stats.scatter, length, length, 1));
  SET_VECTOR_ELT(out, 8, Rf_ScalarReal(sum));
  UNPROTECT(1);
  return out;
}
