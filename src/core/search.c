/* Many starts, the best kept whole. */
#include <math.h>

#include "gm.h"

/* Rows in memory as the home of an EM run. */
struct matrix_home {
  const struct gm_rows* rows;
  const struct gm_engine* engine;
  struct gm_factors factors;
  double* work;
};

static int matrix_estep(void* data, const struct gm_params* params, struct gm_stats* stats,
                        struct gm_error* err) {
  struct matrix_home* home = data;
  if (gm_factors_set(&home->factors, params, err)) return err->code;
  return gm_estep(home->rows, &home->factors, home->engine, stats, NULL, home->work, err);
}

static void judge(const struct gm_seeder* seeder, const struct gm_spurious* spurious,
                  struct gm_result* result, struct gm_record* record, double* work) {
  gm_verdict_set(&result->params, &result->stats, seeder->bounds, spurious, result->verdict, work);
  if (record->run.floored) {
    struct gm_verdict* v = result->verdict + record->run.floored - 1;
    v->on_floor += !v->on_floor;
    v->spurious = 1;
  }
  for (int j = 0; j < result->params.k; j++) {
    record->spurious += result->verdict[j].spurious;
    record->on_floor += result->verdict[j].on_floor;
  }
}

static int better(const struct gm_record* a, const struct gm_record* b) {
  if (a->spurious != b->spurious) return a->spurious < b->spurious;
  if (a->on_floor != b->on_floor) return a->on_floor < b->on_floor;
  return a->run.objective > b->run.objective;
}

ptrdiff_t gm_search_work(const struct gm_family* family, int d, int k, int threads) {
  const ptrdiff_t mstep = gm_mstep_work(family, d, k), verdict = gm_verdict_work(family, d);
  return gm_factors_size(family, d, k) + (mstep > verdict ? mstep : verdict) +
         gm_estep_work(family, d, k, threads);
}

int gm_search(enum gm_seed kind, int n_starts, const struct gm_seeder* seeder,
              const struct gm_em_control* control, const struct gm_spurious* spurious,
              struct gm_result* best, struct gm_result* spare, struct gm_record* records,
              int* which, double* work, struct gm_error* err) {
  const struct gm_family* family = best->params.family;
  const int d = best->params.d, k = best->params.k;
  struct matrix_home home = {.rows = seeder->rows, .engine = seeder->engine};
  double* step = gm_factors_init(&home.factors, family, d, k, work);
  const ptrdiff_t mstep = gm_mstep_work(family, d, k), verdict = gm_verdict_work(family, d);
  home.work = step + (mstep > verdict ? mstep : verdict);
  const struct gm_home door = {.estep = matrix_estep, .data = &home};

  *which = -1;
  if (kind == GM_SEED_GIVEN) gm_params_copy(&spare->params, &best->params);
  for (int i = 0; i < n_starts; i++) {
    struct gm_record* record = records + i;
    *record = (struct gm_record){.run = {.objective = NAN, .loglik = NAN}};
    if (!gm_seed_params(kind, seeder, (uint32_t)i, &spare->params, &spare->stats, &record->err) &&
        !gm_em(&door, seeder->bounds, control, &spare->params, &spare->stats, spare->trace, step,
               &record->run, &record->err)) {
      judge(seeder, spurious, spare, record, step);
      if (*which < 0 || better(record, records + *which)) {
        const struct gm_result held = *best;
        *best = *spare;
        *spare = held;
        *which = i;
      }
    }
    if (record->err.code == GM_STOPPED) {
      *err = record->err;
      return err->code;
    }
  }
  *err = (struct gm_error){.code = GM_OK};
  return GM_OK;
}
