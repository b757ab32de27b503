/* A whole fit: memory, starts, the best of them as an R list. */
#include <string.h>

#include "ffi.h"

static struct gm_result result_alloc(const struct gm_family* family, int d, int k, int max_iter) {
  struct gm_result r;
  gm_params_init(&r.params, family, d, k, ffi_alloc(gm_params_size(family, d, k)));
  gm_stats_init(&r.stats, family, d, k, ffi_alloc(gm_stats_size(family, d, k)));
  r.trace = ffi_alloc((double)max_iter + 1);
  r.verdict = (struct gm_verdict*)R_alloc(k, sizeof *r.verdict);
  return r;
}

/* start: "kmeans++" or "random"; integer labels; a matrix of responsibilities; a parameter list. */
static enum gm_seed read_start(SEXP start, struct gm_seeder* seeder, int k,
                               struct gm_params* params) {
  const ptrdiff_t n = seeder->rows->n;
  switch (TYPEOF(start)) {
    case STRSXP:
      return strcmp(ffi_string(start, "start"), "random") ? GM_SEED_KMEANS : GM_SEED_RANDOM;
    case INTSXP:
      seeder->given_label = ffi_integers(start, n, "labels");
      for (ptrdiff_t i = 0; i < n; i++)
        if (seeder->given_label[i] < 1 || seeder->given_label[i] > k)
          Rf_error("internal error: labels must lie in 1..k");
      return GM_SEED_LABELS;
    case REALSXP:
      seeder->given_resp = ffi_doubles(start, n * k, "responsibilities");
      return GM_SEED_MATRIX;
    default: {
      const struct gm_params given = ffi_params(start, params->family, params->d);
      if (given.k != k) Rf_error("internal error: the start has another k");
      gm_params_copy(params, &given);
      return GM_SEED_GIVEN;
    }
  }
}

static SEXP records_list(const struct gm_record* records, int n) {
  static const char* const names[] = {"objective", "loglik",    "iterations", "passes",   "converged",
                                      "spurious",  "on_floor",  "status",     "component", "at"};
  enum { FIELDS = 10 };
  SEXP out = PROTECT(ffi_list(FIELDS, names));
  for (int f = 0; f < FIELDS; f++) SET_VECTOR_ELT(out, f, Rf_allocVector(f < 2 ? REALSXP : INTSXP, n));
  for (int i = 0; i < n; i++) {
    const struct gm_record* r = records + i;
    const int values[] = {r->run.iterations, r->run.passes, r->run.converged,  r->spurious,
                          r->on_floor,       r->err.code,   r->err.component, r->err.iteration};
    REAL(VECTOR_ELT(out, 0))[i] = r->run.objective;
    REAL(VECTOR_ELT(out, 1))[i] = r->run.loglik;
    for (int f = 2; f < FIELDS; f++) INTEGER(VECTOR_ELT(out, f))[i] = values[f - 2];
  }
  UNPROTECT(1);
  return out;
}

static SEXP verdict_list(const struct gm_verdict* verdict, int k) {
  static const char* const names[] = {"size", "eigenvalue", "on_floor", "spurious"};
  SEXP out = PROTECT(ffi_list(4, names));
  for (int f = 0; f < 4; f++) SET_VECTOR_ELT(out, f, Rf_allocVector(f < 2 ? REALSXP : INTSXP, k));
  for (int j = 0; j < k; j++) {
    REAL(VECTOR_ELT(out, 0))[j] = verdict[j].size;
    REAL(VECTOR_ELT(out, 1))[j] = verdict[j].eigenvalue;
    INTEGER(VECTOR_ELT(out, 2))[j] = verdict[j].on_floor;
    INTEGER(VECTOR_ELT(out, 3))[j] = verdict[j].spurious;
  }
  UNPROTECT(1);
  return out;
}

static SEXP doubles(const double* from, R_xlen_t n) {
  SEXP out = Rf_allocVector(REALSXP, n);
  memcpy(REAL(out), from, (size_t)n * sizeof *from);
  return out;
}

/* control: list(n_starts, max_iter, tol, floor, spurious (3), threads, progress). Value: the best
   start (which = 0: none survived, and then no parameters), and a record of each. */
SEXP ffi_gmm_fit(SEXP x, SEXP w, SEXP family_code, SEXP k_count, SEXP scale, SEXP start,
                 SEXP control) {
  static const char* const names[] = {"which",     "starts", "proportions", "means", "covariances",
                                      "total",     "trace",  "verdict",     "gain"};
  struct gm_rows rows = ffi_rows(x, w);
  const struct gm_family* family = ffi_family(family_code);
  const int d = rows.d, k = ffi_count(k_count, 1, "k");
  const int n_starts = ffi_count(ffi_field(control, "n_starts"), 1, "n_starts");
  const struct gm_em_control em = {
      .max_iter = ffi_count(ffi_field(control, "max_iter"), 0, "max_iter"),
      .tol = ffi_number(ffi_field(control, "tol"), "tol")};
  const double* thresholds = ffi_doubles(ffi_field(control, "spurious"), 3, "spurious");
  const struct gm_spurious spurious = {
      .size = thresholds[0], .thin_size = thresholds[1], .thin = thresholds[2]};
  const struct gm_bounds bounds = {.floor = ffi_number(ffi_field(control, "floor"), "floor"),
                                   .scale = ffi_doubles(scale, d, "scale")};
  if (rows.n < 1) Rf_error("internal error: no rows");

  struct ffi_watch watch = {.n_starts = n_starts,
                            .title = ffi_string(ffi_field(control, "progress"), "progress")};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(ffi_field(control, "threads"), &watch);

  struct gm_result best = result_alloc(family, d, k, em.max_iter);
  struct gm_result spare = result_alloc(family, d, k, em.max_iter);
  struct gm_record* records = (struct gm_record*)R_alloc(n_starts, sizeof *records);
  memset(records, 0, n_starts * sizeof *records);
  watch.records = records;

  struct gm_seeder seeder = {.rows = &rows, .bounds = &bounds, .engine = &engine};
  const enum gm_seed kind = read_start(start, &seeder, k, &best.params);
  if (kind == GM_SEED_KMEANS || kind == GM_SEED_RANDOM) {
    seeder.key = ffi_draw_key();
    seeder.label = (int*)R_alloc(rows.n, sizeof(int));
    seeder.dist = ffi_alloc((double)rows.n);
  }
  seeder.work = ffi_alloc(gm_seed_work(family, d, k, engine.threads));
  double* work = ffi_alloc(gm_search_work(family, d, k, engine.threads));

  struct gm_error err = {0};
  int which = -1;
  if (gm_search(kind, n_starts, &seeder, &em, &spurious, &best, &spare, records, &which, work,
                &err))
    ffi_watch_end(&watch, &err);

  SEXP out = PROTECT(ffi_list(9, names));
  SET_VECTOR_ELT(out, 0, Rf_ScalarInteger(which + 1));
  SET_VECTOR_ELT(out, 1, records_list(records, n_starts));
  if (which >= 0) {
    const struct gm_run* run = &records[which].run;
    SEXP means = PROTECT(Rf_allocMatrix(REALSXP, d, k));
    memcpy(REAL(means), best.params.mean, (size_t)d * k * sizeof(double));
    SET_VECTOR_ELT(out, 2, doubles(best.params.prop, k));
    SET_VECTOR_ELT(out, 3, means);
    SET_VECTOR_ELT(out, 4, ffi_covariances(&best.params));
    SET_VECTOR_ELT(out, 5, Rf_ScalarReal(best.stats.total[1]));
    SET_VECTOR_ELT(out, 6, doubles(best.trace, (R_xlen_t)run->iterations + 1));
    SET_VECTOR_ELT(out, 7, verdict_list(best.verdict, k));
    SET_VECTOR_ELT(out, 8, Rf_ScalarReal(run->gain));
    UNPROTECT(1);
  }
  UNPROTECT(2);
  return out;
}
