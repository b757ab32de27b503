/* Rows that live elsewhere: in chunks, on a cluster, in a database. An R function turns parameters
   into statistics, and the EM loop drives it as it drives rows in memory; statistics of rows that
   are at hand are made here, and R adds them up. */
#include <math.h>
#include <string.h>

#include "ffi.h"

struct call_home {
  SEXP estep, leap; /* functions; leap: or NULL */
  const struct gm_bounds* bounds;
  double* prop; /* k + 1 */
  const struct gm_engine* engine;
  struct gm_factors factors;
};

/* What the rows see. In variational Bayes a mixture with other proportions, whose log-likelihood is
   that of the E-step less, per unit of weight, what is returned. */
static double seen_params(struct call_home* home, const struct gm_params* params,
                          struct gm_params* seen) {
  const struct gm_prior* prior = home->bounds->prior;
  *seen = *params;
  if (!prior || prior->posterior == GM_MODE) return 0;
  double most = -INFINITY, sum = 0;
  seen->prop = home->prop;
  gm_vb_weights(prior, params, home->prop);
  for (int j = 0; j < params->k; j++) most = fmax(most, home->prop[j]);
  for (int j = 0; j < params->k; j++) sum += exp(home->prop[j] - most);
  for (int j = 0; j < params->k; j++) home->prop[j] = exp(home->prop[j] - most) / sum;
  home->prop[params->k] = 0;
  return most + log(sum);
}

/* The function may jump, by an error or an interrupt: nothing is held here or in the core, whose
   memory is R's. Parameters without factors don't get to it. */
static int call_estep(void* data, const struct gm_params* params, struct gm_stats* stats,
                      struct gm_error* err) {
  static const char* const names[] = {"proportions", "means", "covariances"};
  struct call_home* home = data;
  if (gm_factors_set(&home->factors, params, home->engine, err)) return err->code;
  struct gm_params seen;
  const double shift = seen_params(home, params, &seen);
  SEXP list = PROTECT(ffi_list(3, names));
  ffi_set_params(list, 0, &seen);
  SEXP call = PROTECT(Rf_lang2(home->estep, list));
  SEXP value = PROTECT(Rf_eval(call, R_BaseEnv));
  memcpy(stats->nk, ffi_doubles(value, stats->size, "statistics"),
         (size_t)stats->size * sizeof(double));
  stats->total[GM_LOGLIK] += shift * stats->total[GM_WEIGHT];
  UNPROTECT(3);
  return GM_OK;
}

/* leap(list(proportions, means, covariances), statistics): NULL, or the same of better parameters,
   and `gain`. */
static int call_leap(void* data, const struct gm_stats* stats, struct gm_params* params,
                     double* promise, struct gm_error* err) {
  static const char* const names[] = {"proportions", "means", "covariances"};
  const struct call_home* home = data;
  (void)err;
  SEXP list = PROTECT(ffi_list(3, names));
  ffi_set_params(list, 0, params);
  SEXP sums = PROTECT(Rf_allocVector(REALSXP, stats->size));
  memcpy(REAL(sums), stats->nk, (size_t)stats->size * sizeof(double));
  SEXP call = PROTECT(Rf_lang3(home->leap, list, sums));
  SEXP value = PROTECT(Rf_eval(call, R_BaseEnv));
  const int known = !Rf_isNull(value);
  if (known) {
    const struct gm_params to =
        ffi_start_params(value, params->family, params->d, params->k);
    gm_params_copy(params, &to);
    *promise = ffi_number(ffi_field(value, "gain"), "gain");
  }
  UNPROTECT(4);
  return !known;
}

/* control: list(max_iter, tol, floor, spurious (3), threads, prior, equal, noise, fixed).
   Value: as
   ffi_gmm_fit() for one run: its record, and where it survived the rest. */
SEXP ffi_gmm_home(SEXP estep, SEXP leap, SEXP family_code, SEXP start, SEXP scale,
                  SEXP control) {
  static const char* const names[] = {"best",        "proportions", "means",
                                      "covariances", "total",       "trace",
                                      "verdict",     "stats",       "log_weight"};
  const struct gm_family* family = ffi_family(family_code);
  if (!Rf_isFunction(estep)) Rf_error("internal error: `estep` must be a function");
  const int leaps = !Rf_isNull(leap);
  if (leaps && !Rf_isFunction(leap))
    Rf_error("internal error: `leap` must be a function");
  if (Rf_xlength(scale) < 1 || Rf_xlength(scale) > INT_MAX / 2)
    Rf_error("internal error: no columns");
  const int d = (int)Rf_xlength(scale);
  const struct gm_params given = ffi_params(start, family, d);
  const int k = given.k;
  const struct gm_em_control em = ffi_em_control(control);
  const struct gm_spurious spurious = ffi_spurious(control);
  struct gm_prior prior;
  struct gm_bounds bounds = ffi_bounds(control, scale, d, &prior);
  bounds.fixed = ffi_fixed(control, family, d, k);

  struct ffi_watch watch = {0};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(ffi_field(control, "threads"), &watch);
  bounds.engine = &engine;
  struct gm_result result = ffi_result_alloc(family, d, k, em.max_iter);
  gm_params_copy(&result.params, &given);
  gm_mstep_equal(&bounds, &result.params);
  gm_fix(&bounds, &result.params);
  result.record = (struct gm_record){.kind = GM_SEED_GIVEN, .state = GM_FINISHED};
  struct call_home rows = {.estep = estep,
                           .leap = leap,
                           .bounds = &bounds,
                           .prop = ffi_alloc(k + 1.0),
                           .engine = &engine};
  gm_factors_init(&rows.factors, family, d, k, ffi_alloc(gm_factors_size(family, d, k)));
  rows.factors.noise = bounds.noise;
  const struct gm_home home = {
      .estep = call_estep, .data = &rows, .leap = leaps ? call_leap : NULL};
  double* work = ffi_alloc((double)gm_run_work(family, d, k));
  gm_bound_ratio(&result.params, &bounds, work);
  const int failed = gm_run_home(&home, &bounds, &em, &spurious, &result, work);
  ffi_watch_end(&watch);
  SEXP out = PROTECT(ffi_list(9, names));
  if (failed) {
    SET_VECTOR_ELT(out, 0, ffi_records(&result.record, 1));
  } else {
    ffi_set_result(out, 0, &result);
    ffi_set_log_weight(out, 8, &bounds, &result.params);
  }
  UNPROTECT(2);
  return out;
}

/* The statistics of the rows about the means of params, as one flat vector. Its attribute says
   whether values are missing: looking for them once more would take as long as half of the rest. */
SEXP ffi_gmm_stats(SEXP x, SEXP w, SEXP family, SEXP params_list, SEXP labels,
                   SEXP threads) {
  const struct gm_rows given = ffi_rows(x, w);
  const struct gm_params params = ffi_params(params_list, ffi_family(family), given.d);
  const int d = params.d, k = params.k;
  const struct gm_rows rows = ffi_group(&given, ffi_known_labels(labels, given.n, k), 0);
  struct ffi_watch watch = {0};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(threads, &watch);
  const struct gm_factors f = ffi_factors(params_list, &params, &engine);
  struct gm_stats stats;
  SEXP out = PROTECT(Rf_allocVector(REALSXP, gm_stats_size(params.family, d, k)));
  if (rows.patterns) Rf_setAttrib(out, Rf_install("missing"), Rf_ScalarLogical(1));
  gm_stats_init(&stats, params.family, d, k, REAL(out));
  struct gm_error err = {0};
  if (gm_estep(&rows, &f, &engine, &stats, NULL,
               ffi_alloc((double)gm_estep_work(params.family, d, k, engine.threads)),
               &err))
    ffi_watch_end(&watch);
  UNPROTECT(2);
  return out;
}

/* Lengths of the parts of the statistics, in their order. */
SEXP ffi_gmm_layout(SEXP family_code, SEXP d, SEXP k) {
  static const char* const names[] = {"nk",   "nk2",   "sum",  "scatter",
                                      "lost", "lost2", "total"};
  enum { PARTS = 7 };
  struct gm_stats stats;
  const struct gm_family* family = ffi_family(family_code);
  const int dim = ffi_count(d, 1, "d"), comps = ffi_count(k, 1, "k");
  if ((double)dim * dim * comps > 1e9) Rf_error("internal error: too many statistics");
  gm_stats_init(&stats, family, dim, comps,
                ffi_alloc((double)gm_stats_size(family, dim, comps)));
  const ptrdiff_t ends[] = {stats.nk2 - stats.nk,
                            stats.sum - stats.nk,
                            stats.scatter - stats.nk,
                            stats.lost - stats.nk,
                            stats.lost2 - stats.nk,
                            stats.total - stats.nk,
                            stats.size};
  SEXP out = PROTECT(Rf_allocVector(REALSXP, PARTS));
  SEXP labels = PROTECT(Rf_allocVector(STRSXP, PARTS));
  for (int i = 0; i < PARTS; i++) {
    SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
    REAL(out)[i] = (double)(ends[i] - (i ? ends[i - 1] : 0));
  }
  Rf_setAttrib(out, R_NamesSymbol, labels);
  UNPROTECT(2);
  return out;
}
