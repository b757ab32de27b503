/* A whole fit: memory, starts, the best of them as an R list. */
#include <string.h>

#include "ffi.h"

struct gm_result ffi_result_alloc(const struct gm_family* family, int d, int k,
                                  int max_iter) {
  struct gm_result r;
  gm_params_init(&r.params, family, d, k, ffi_alloc(gm_params_size(family, d, k)));
  gm_stats_init(&r.stats, family, d, k, ffi_alloc(gm_stats_size(family, d, k)));
  r.trace = ffi_alloc((double)max_iter + 1);
  r.verdict = (struct gm_verdict*)R_alloc(k, sizeof *r.verdict);
  return r;
}

/* n: rows given. */
static enum gm_seed read_start(SEXP start, struct gm_seeder* seeder, ptrdiff_t n, int k,
                               struct gm_params* params) {
  const struct gm_rows* rows = seeder->rows;
  const enum gm_seed kind = ffi_seed_kind(start);
  if (kind == GM_SEED_LABELS)
    seeder->given_label = ffi_take_labels(ffi_labels(start, n, k), rows);
  if (kind == GM_SEED_MATRIX)
    seeder->given_resp =
        ffi_take_resp(start, n, k + (seeder->bounds->noise != NULL), rows);
  if (kind == GM_SEED_GIVEN) {
    const struct gm_params given = ffi_start_params(start, params->family, params->d, k);
    gm_params_copy(params, &given);
  }
  return kind;
}

SEXP ffi_records(const struct gm_record* records, int n) {
  static const char* const names[] = {"objective", "loglik",     "gain",     "kind",
                                      "state",     "iterations", "passes",   "converged",
                                      "spurious",  "on_floor",   "repeated", "status",
                                      "component", "at",         "same_as"};
  enum { FIELDS = 15, NUMBERS = 3 };
  SEXP out = PROTECT(ffi_list(FIELDS, names));
  for (int f = 0; f < FIELDS; f++)
    SET_VECTOR_ELT(out, f, Rf_allocVector(f < NUMBERS ? REALSXP : INTSXP, n));
  for (int i = 0; i < n; i++) {
    const struct gm_record* r = records + i;
    const double numbers[] = {r->run.objective, r->run.loglik, r->run.gain};
    const int values[] = {r->kind,          r->state,         r->run.iterations,
                          r->run.passes,    r->run.converged, r->spurious,
                          r->on_floor,      r->repeated,      r->err.code,
                          r->err.component, r->err.iteration, r->same_as};
    for (int f = 0; f < NUMBERS; f++) REAL(VECTOR_ELT(out, f))[i] = numbers[f];
    for (int f = NUMBERS; f < FIELDS; f++)
      INTEGER(VECTOR_ELT(out, f))[i] = values[f - NUMBERS];
  }
  UNPROTECT(1);
  return out;
}

SEXP ffi_verdict(const struct gm_verdict* verdict, int k) {
  static const char* const names[] = {"size", "eigenvalue", "on_floor", "spurious",
                                      "same_as"};
  SEXP out = PROTECT(ffi_list(5, names));
  for (int f = 0; f < 5; f++)
    SET_VECTOR_ELT(out, f, Rf_allocVector(f < 2 ? REALSXP : INTSXP, k));
  for (int j = 0; j < k; j++) {
    REAL(VECTOR_ELT(out, 0))[j] = verdict[j].size;
    REAL(VECTOR_ELT(out, 1))[j] = verdict[j].eigenvalue;
    INTEGER(VECTOR_ELT(out, 2))[j] = verdict[j].on_floor;
    INTEGER(VECTOR_ELT(out, 3))[j] = verdict[j].spurious;
    INTEGER(VECTOR_ELT(out, 4))[j] = verdict[j].same_as;
  }
  UNPROTECT(1);
  return out;
}

static SEXP doubles(const double* from, R_xlen_t n) {
  SEXP out = Rf_allocVector(REALSXP, n);
  memcpy(REAL(out), from, (size_t)n * sizeof *from);
  return out;
}

void ffi_set_log_weight(SEXP out, int at, const struct gm_bounds* bounds,
                        const struct gm_params* params) {
  if (!bounds->prior || bounds->prior->posterior == GM_MODE) return;
  SET_VECTOR_ELT(out, at, Rf_allocVector(REALSXP, params->k));
  gm_vb_weights(bounds->prior, params, REAL(VECTOR_ELT(out, at)));
}

void ffi_set_params(SEXP out, int at, const struct gm_params* params) {
  SEXP means = Rf_allocMatrix(REALSXP, params->d, params->k);
  SET_VECTOR_ELT(out, at + 1, means);
  memcpy(REAL(means), params->mean, (size_t)params->d * params->k * sizeof(double));
  SET_VECTOR_ELT(out, at, doubles(params->prop, params->k + 1));
  SET_VECTOR_ELT(out, at + 2, ffi_covariances(params));
}

void ffi_set_result(SEXP out, int at, const struct gm_result* result) {
  SET_VECTOR_ELT(out, at, ffi_records(&result->record, 1));
  ffi_set_params(out, at + 1, &result->params);
  SET_VECTOR_ELT(out, at + 4, Rf_ScalarReal(result->stats.total[GM_WEIGHT]));
  SET_VECTOR_ELT(out, at + 5,
                 doubles(result->trace, (R_xlen_t)result->record.run.iterations + 1));
  SET_VECTOR_ELT(out, at + 6, ffi_verdict(result->verdict, result->params.k));
  SET_VECTOR_ELT(out, at + 7, doubles(result->stats.nk, result->stats.size));
}

static double weight_of(const struct gm_rows* rows) {
  double sum = 0;
  if (!rows->w) return (double)rows->n;
  for (ptrdiff_t i = 0; i < rows->n; i++) sum += rows->w[i];
  return sum;
}

int ffi_grow(struct gm_seeder* seeder, struct gm_error* err) {
  enum { ROWS = 2000 };
  struct gm_rows rows = *seeder->points;
  if (seeder->core) rows.w = seeder->core;
  if (rows.n > ROWS && ffi_subsample(&rows, 0, seeder->engine, ROWS, &rows, err))
    return err->code;
  struct gm_hier* hier = (struct gm_hier*)R_alloc(1, sizeof *hier);
  int* merge = (int*)R_alloc(4 * rows.n, sizeof *merge);
  gm_hier_init(hier, rows.n, rows.d, ffi_alloc((double)gm_hier_size(rows.n, rows.d)),
               merge);
  seeder->hier = hier;
  return gm_hier_set(&rows, seeder->bounds->scale, seeder->engine, hier,
                     ffi_alloc((double)gm_hier_work(rows.n, rows.d)), merge + 2 * rows.n,
                     err);
}

/* What a seeder needs besides rows, bounds, engine and key. */
static int prepare(struct gm_seeder* seeder, enum gm_seed kind,
                   const struct gm_family* family, int k, struct gm_error* err) {
  const struct gm_rows* rows = seeder->rows;
  const int d = rows->d;
  seeder->work = ffi_alloc(gm_seed_work(kind, family, d, k, seeder->engine->threads));
  seeder->weight = weight_of(rows);
  seeder->points = rows;
  if (kind == GM_SEED_GIVEN) return 0;
  if (rows->trimming) seeder->core = ffi_alloc((double)rows->n);
  if (ffi_fill(seeder, err)) return err->code;
  if (kind == GM_SEED_LABELS || kind == GM_SEED_MATRIX) return 0;
  seeder->label = (int*)R_alloc(rows->n, sizeof(int));
  seeder->dist = ffi_alloc((double)rows->n);
  if ((kind != GM_SEED_HIER || seeder->core) &&
      gm_seed_total(seeder, ffi_alloc(gm_seed_total_size(d)), err))
    return err->code;
  return kind == GM_SEED_HIER ? ffi_grow(seeder, err) : GM_OK;
}

/* The search; on a sample of the rows first where they are many. */
static int search(const struct gm_quest* quest, struct gm_seeder* seeder,
                  ptrdiff_t sample, struct gm_pool* pool, struct gm_record* records,
                  struct gm_error* err) {
  const struct gm_rows* rows = seeder->rows;
  const struct gm_params* params = &pool->spare.params;
  const struct gm_family* family = params->family;
  const int k = params->k;
  if (sample < rows->n) {
    struct gm_rows some;
    if (ffi_subsample(rows, seeder->key, seeder->engine, sample, &some, err))
      return err->code;
    struct gm_seeder few = *seeder;
    const struct gm_bounds bounds =
        ffi_thin_bounds(seeder->bounds, weight_of(&some) / weight_of(rows));
    few.rows = &some;
    few.bounds = &bounds;
    if (prepare(&few, quest->kind, family, k, err) ||
        gm_search(quest, &few, pool, records,
                  ffi_alloc((double)gm_search_work(quest, &few, family, k)), err))
      return err->code;
    seeder->weight = weight_of(rows);
    double* work =
        ffi_alloc((double)gm_refine_work(family, rows->d, k, seeder->engine->threads));
    if (gm_refine(quest, seeder, pool, work, err) || pool->count) return err->code;
  }
  if (prepare(seeder, quest->kind, family, k, err)) return err->code;
  return gm_search(quest, seeder, pool, records,
                   ffi_alloc((double)gm_search_work(quest, seeder, family, k)), err);
}

/* control: list(n_starts, n_finish, proposals, give_up, sample, max_iter, tol, floor, ratio, spurious (3),
   threads, progress, prior, equal, noise, labels, trim, units, fixed (as parameters, NaN: free)). Value: a record of each start; the best optimum
   and its record (neither where no start survived); the objective that it had in the search, and the
   weight of the rows searched. */
SEXP ffi_gmm_fit(SEXP x, SEXP w, SEXP family_code, SEXP k_count, SEXP scale, SEXP start,
                 SEXP control) {
  static const char* const names[] = {
      "starts", "best",    "proportions", "means", "covariances", "total",
      "trace",  "verdict", "stats",       "seen",  "weight",      "log_weight"};
  const struct gm_rows given = ffi_rows(x, w);
  const struct gm_family* family = ffi_family(family_code);
  const int d = given.d, k = ffi_count(k_count, 1, "k");
  struct gm_progress progress = {.what = "start"};
  struct gm_quest quest = {
      .starts = ffi_count(ffi_field(control, "n_starts"), 1, "n_starts"),
      .finish = ffi_count(ffi_field(control, "n_finish"), 1, "n_finish"),
      .proposals = ffi_count(ffi_field(control, "proposals"), 0, "proposals"),
      .reach = 10,
      .give_up = ffi_count(ffi_field(control, "give_up"), 0, "give_up"),
      .em = ffi_em_control(control),
      .spurious = ffi_spurious(control),
      .progress = &progress};
  const ptrdiff_t most = ffi_count(ffi_field(control, "sample"), 1, "sample");
  struct gm_prior prior;
  struct gm_bounds bounds = ffi_bounds(control, scale, d, &prior);
  bounds.fixed = ffi_fixed(control, family, d, k);
  struct gm_rows rows =
      ffi_group(&given, ffi_known_labels(ffi_field(control, "labels"), given.n, k), 0);
  if (rows.n < 1) Rf_error("internal error: no rows");
  rows.trimming = ffi_trimming(control, d, given.n);

  struct ffi_watch watch = {
      .progress = &progress,
      .title = ffi_string(ffi_field(control, "progress"), "progress")};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(ffi_field(control, "threads"), &watch);
  bounds.engine = &engine;

  struct gm_pool pool = {.spare = ffi_result_alloc(family, d, k, quest.em.max_iter)};
  struct gm_seeder seeder = {.rows = &rows, .bounds = &bounds, .engine = &engine};
  quest.kind = read_start(start, &seeder, given.n, k, &pool.spare.params);
  const int sampled = quest.kind == GM_SEED_MIXED && most < rows.n;
  const struct gm_rows full =
      quest.kind == GM_SEED_MATRIX || sampled ? rows : ffi_fill_up(&rows);
  const ptrdiff_t sample = sampled ? most : full.n;
  if (full.n > rows.n && quest.kind == GM_SEED_LABELS)
    seeder.given_label = ffi_lengthen(seeder.given_label, rows.n, full.n);
  seeder.rows = &full;
  const int random = quest.kind < GM_SEED_LABELS || quest.kind == GM_SEED_MIXED;
  if (random) seeder.key = ffi_draw_key();
  for (int i = 0; i < (random ? GM_POOL : 1); i++)
    pool.result[i] = ffi_result_alloc(family, d, k, quest.em.max_iter);
  struct gm_record* records = (struct gm_record*)R_alloc(quest.starts, sizeof *records);
  memset(records, 0, quest.starts * sizeof *records);

  struct gm_error err = {0};
  const int failed = search(&quest, &seeder, sample, &pool, records, &err);
  ffi_watch_end(&watch);
  for (int i = 0; i < quest.starts && failed; i++) records[i].err = err; /* before any */

  const struct gm_result* best = pool.result;
  SEXP out = PROTECT(ffi_list(12, names));
  SET_VECTOR_ELT(out, 0, ffi_records(records, quest.starts));
  if (pool.count) {
    ffi_set_result(out, 1, best);
    SET_VECTOR_ELT(out, 9, Rf_ScalarReal(best->record.seen));
    SET_VECTOR_ELT(out, 10, Rf_ScalarReal(pool.weight));
    ffi_set_log_weight(out, 11, &bounds, &best->params);
  }
  UNPROTECT(2);
  return out;
}
