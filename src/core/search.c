/* The search for the best optimum.

   1. Starts. Where only some are to be finished, each is a short run of 10 EM steps first; they are
      ranked (failed ones last, then fewest components that are the same as another, fewest spurious
      ones, fewest eigenvalues on the floor, the objective), and the best that differ are run again
      from (key, number), now to convergence: no parameters are kept, and to finish more is to
      finish the same and others.
   2. Proposals (propose.c) around the best two distinct optima, in batches of which all see the
      same two. A proposal is projected to the family by one E- and one M-step; its run is abandoned
      once it can't win: its objective plus ten times the projected gain is below the best (with
      three times it was too hasty: bench/quality.R), or it has more spurious components. The search
      ends after so many proposals without success (after 40 where the best is not sound itself), or
      20 times as many in all.
   A run that stays on the floor is given up, in starts and proposals, where none such is kept.
   3. What was found on a sample of rows goes on from there on all of them (gm_refine()). */
#include <limits.h>
#include <math.h>

#include "search.h"

enum {
  SHORT_STEPS = 10,
  BATCH = 8,
  SETTLE = 20,
  FLAWED = 40, /* proposals in vain around what is not sound itself */
  TOTAL = 20   /* times the proposals that may fail in a row are the most in all */
};
#define NEAR 1e-5   /* and of two short runs towards it */
#define EQUAL 1e-12 /* and of one start drawn twice */

/* ---- rows in memory as the home of an EM run ---- */

static int matrix_estep(void* data, const struct gm_params* params,
                        struct gm_stats* stats, struct gm_error* err) {
  struct gm_matrix_home* home = data;
  const struct gm_prior* prior = home->bounds->prior;
  if (prior && prior->posterior != GM_MODE) {
    gm_vb_weights(prior, params, home->factors.logc);
    if (gm_factors_fill(&home->factors, params, home->engine, err)) return err->code;
  } else if (gm_factors_set(&home->factors, params, home->engine, err)) {
    return err->code;
  }
  return gm_estep(home->rows, &home->factors, home->engine, stats, NULL, home->work, err);
}

/* ---- a run, and what it is worth ---- */

static ptrdiff_t step_size(const struct gm_family* family, int d, int k) {
  const ptrdiff_t run = gm_run_work(family, d, k), propose = gm_propose_work(d);
  return run > propose ? run : propose;
}

ptrdiff_t gm_search_work(const struct gm_family* family, int d, int k, int threads) {
  return gm_factors_size(family, d, k) + OPTIMA * gm_params_size(family, d, k) +
         step_size(family, d, k) + gm_estep_work(family, d, k, threads);
}

void gm_searcher_init(struct gm_searcher* s, const struct gm_quest* quest,
                      const struct gm_seeder* seeder, struct gm_pool* pool,
                      double* work) {
  const struct gm_params* p = &pool->spare.params;
  *s = (struct gm_searcher){.quest = quest, .seeder = seeder, .pool = pool};
  s->home.rows = seeder->rows;
  s->home.bounds = seeder->bounds;
  s->home.engine = seeder->engine;
  work = gm_factors_init(&s->home.factors, p->family, p->d, p->k, work);
  s->home.factors.noise = seeder->bounds->noise;
  for (int i = 0; i < OPTIMA; i++)
    work = gm_params_init(s->optimum + i, p->family, p->d, p->k, work);
  s->step = work;
  s->home.work = work + step_size(p->family, p->d, p->k);
}

static struct gm_home door(struct gm_searcher* s) {
  return (struct gm_home){
      .estep = matrix_estep, .data = &s->home, .trimming = s->seeder->rows->trimming};
}

ptrdiff_t gm_run_work(const struct gm_family* family, int d, int k) {
  return gm_em_work(family, d, k); /* a verdict needs less */
}

static int judge(struct gm_result* result, const struct gm_bounds* bounds,
                 const struct gm_spurious* spurious, double* work) {
  struct gm_record* record = &result->record;
  if (gm_verdict_set(&result->params, &result->stats, bounds, spurious, result->verdict,
                     work, &record->err))
    return record->err.code;
  if (record->run.floored) {
    struct gm_verdict* v = result->verdict + record->run.floored - 1;
    v->on_floor += !v->on_floor;
    v->spurious = 1;
  }
  record->spurious = record->on_floor = record->repeated = 0;
  if (bounds->prior &&
      bounds->prior->posterior != GM_MODE) { /* which are needed, the bound says */
    for (int j = 0; j < result->params.k; j++)
      result->verdict[j].spurious = result->verdict[j].same_as = 0;
    return GM_OK;
  }
  for (int j = 0; j < result->params.k; j++) {
    record->spurious += result->verdict[j].spurious;
    record->on_floor += result->verdict[j].on_floor;
    record->repeated += result->verdict[j].same_as > 0;
  }
  return GM_OK;
}

int gm_searcher_judge(const struct gm_searcher* s, struct gm_result* result) {
  return judge(result, s->seeder->bounds, &s->quest->spurious, s->step);
}

int gm_run_home(const struct gm_home* home, const struct gm_bounds* bounds,
                const struct gm_em_control* em, const struct gm_spurious* spurious,
                struct gm_result* result, double* work) {
  struct gm_record* record = &result->record;
  if (gm_em(home, bounds, em, &result->params, &result->stats, result->trace, work,
            &record->run, &record->err))
    return record->err.code;
  return judge(result, bounds, spurious, work);
}

/* How many components more must not be believed. A run that ended with two the same has missed the
   mixture that was asked for: it comes after those with spurious ones. */
static int flaws(const struct gm_record* a, const struct gm_record* b) {
  const int repeated = a->repeated - b->repeated;
  return repeated ? repeated : a->spurious - b->spurious;
}

int gm_better(const struct gm_record* a, const struct gm_record* b) {
  if (!a->err.code != !b->err.code) return !a->err.code;
  if (flaws(a, b)) return flaws(a, b) < 0;
  if (a->on_floor != b->on_floor) return a->on_floor < b->on_floor;
  return a->run.objective > b->run.objective;
}

double gm_searcher_margin(const struct gm_searcher* s, double objective,
                          double tolerance) {
  return fmax(tolerance * s->seeder->weight, ROUNDING * fabs(objective));
}

static int same(const struct gm_searcher* s, const struct gm_record* a,
                const struct gm_record* b, double tolerance) {
  return !a->err.code && !b->err.code && !flaws(a, b) &&
         fabs(a->run.objective - b->run.objective) <
             gm_searcher_margin(s, a->run.objective, tolerance);
}

struct race { /* of a run, against the best */
  const struct gm_searcher* s;
  struct gm_result* result;
  struct gm_record best;
  const struct gm_params* known;
  int n_known;
};

/* A run that lies on the floor after so many steps stays there. */
static int grounded(const struct race* race, const struct gm_run* run) {
  return race->s->quest->give_up && run->iterations >= 2 * SETTLE &&
         race->result->record.on_floor;
}

static int ask_grounded(void* data, const struct gm_run* run, double left) {
  const struct race* race = data;
  (void)left;
  return run->iterations % SETTLE == 0 &&
         (gm_searcher_judge(race->s, race->result) || grounded(race, run));
}

/* EM from the result's parameters; returns its status. */
int gm_searcher_run(struct gm_searcher* s, struct gm_result* result,
                    const struct gm_em_control* control) {
  const struct gm_home home = door(s);
  struct race race = {.s = s, .result = result};
  struct gm_em_control em = *control;
  if (s->quest->give_up && !em.hopeless) {
    em.hopeless = ask_grounded;
    em.data = &race;
  }
  return gm_run_home(&home, s->seeder->bounds, &em, &s->quest->spurious, result, s->step);
}

/* Puts the spare where it belongs in the pool, if it does: of the same optimum the better stays. */
void gm_searcher_offer(struct gm_searcher* s) {
  struct gm_pool* pool = s->pool;
  struct gm_result* r = pool->result;
  const struct gm_record* record = &pool->spare.record;
  int rank = 0, last = -1;
  if (record->err.code) return;
  while (rank < pool->count && !gm_better(record, &r[rank].record)) rank++;
  for (int i = 0; i < pool->count && last < 0; i++)
    if (same(s, record, &r[i].record, SAME)) last = i;
  if (last < 0) last = pool->count < GM_POOL ? pool->count++ : GM_POOL - 1;
  if (rank > last) return;
  const struct gm_result held = r[last];
  for (int i = last; i > rank; i--) r[i] = r[i - 1];
  r[rank] = pool->spare;
  pool->spare = held;
}

static void tell(const struct gm_searcher* s, const char* what, int at, int of) {
  *s->quest->progress = (struct gm_progress){.what = what, .at = at + 1, .of = of};
}

/* ---- starts ---- */

/* Is start i the same as an earlier one, by the objective that it begins with? Then its record is
   that one's. */
static int repeats(struct gm_searcher* s, int i, struct gm_record* records) {
  struct gm_result* spare = &s->pool->spare;
  struct gm_error* err = &spare->record.err;
  if (matrix_estep(&s->home, &spare->params, &spare->stats, err)) return 0;
  const double begin = spare->stats.total[GM_LOGLIK];
  spare->record.begin = begin;
  for (int j = 0; j < i; j++) {
    if (records[j].err.code || records[j].same_as ||
        !(fabs(begin - records[j].begin) <= EQUAL * (fabs(begin) + s->seeder->weight)))
      continue;
    spare->record = records[j];
    spare->record.same_as = j + 1;
    spare->record.state = GM_DUPLICATE;
    return 1;
  }
  return 0;
}

/* Start i, into the spare and its record; returns not 0 where it was stopped. */
static int run_start(struct gm_searcher* s, int i, const struct gm_em_control* em,
                     enum gm_state state, struct gm_record* records) {
  struct gm_result* spare = &s->pool->spare;
  const enum gm_seed kind = s->quest->kind;
  spare->record = (struct gm_record){.run = {.objective = NAN, .loglik = NAN}};
  spare->record.kind = kind == GM_SEED_MIXED ? (enum gm_seed)(i % GM_SEED_KINDS) : kind;
  spare->record.state = state;
  const int drawn = kind == GM_SEED_KMEANS || kind == GM_SEED_RANDOM;
  if (!gm_seed_params(kind, s->seeder, (uint32_t)i, &spare->params, &spare->stats,
                      &spare->record.err) &&
      !(drawn && repeats(s, i, records)) && spare->record.err.code != GM_STOPPED)
    gm_searcher_run(s, spare, em);
  records[i] = spare->record;
  return records[i].err.code == GM_STOPPED;
}

/* Nothing that was finished is off the floor, or has components that differ. */
static int lost(const struct gm_pool* pool) {
  const struct gm_record* best = &pool->result[0].record;
  return !pool->count || best->on_floor || best->repeated;
}

static int run_starts(struct gm_searcher* s, struct gm_record* records,
                      struct gm_error* err) {
  const struct gm_quest* quest = s->quest;
  struct gm_em_control em = quest->em;
  const int all = quest->finish >= quest->starts;
  if (!all && em.max_iter > SHORT_STEPS) em.max_iter = SHORT_STEPS;
  for (int i = 0; i < quest->starts; i++) {
    tell(s, "start", i, quest->starts);
    if (run_start(s, i, &em, all ? GM_FINISHED : GM_SHORT, records)) {
      *err = records[i].err;
      return err->code;
    }
    if (records[i].state == GM_FINISHED) gm_searcher_offer(s);
  }
  /* further ones while all that are finished lie on the floor */
  for (int n = 0; !all && (n < quest->finish || lost(s->pool)); n++) {
    int best = -1;
    for (int i = 0; i < quest->starts; i++)
      if (!records[i].err.code && records[i].state == GM_SHORT &&
          (best < 0 || gm_better(records + i, records + best)))
        best = i;
    if (best < 0) break;
    for (int i = 0; i < quest->starts; i++)
      if (i != best && records[i].state == GM_SHORT &&
          same(s, records + i, records + best, NEAR))
        records[i].state = GM_DUPLICATE;
    tell(s, "finishing start", n, quest->finish);
    if (run_start(s, best, &quest->em, GM_FINISHED, records)) {
      *err = records[best].err;
      return err->code;
    }
    gm_searcher_offer(s);
  }
  return GM_OK;
}

/* ---- races against the best ---- */

/* Does the run go to an optimum that is known? */
static int merges(const struct race* race) {
  for (int i = 0; i < race->n_known; i++)
    if (gm_alike(&race->result->params, race->known + i, ALIKE, race->s->step)) return 1;
  return 0;
}

static int hopeless(void* data, const struct gm_run* run, double left) {
  const struct race* race = data;
  const double target = race->best.run.objective +
                        gm_searcher_margin(race->s, race->best.run.objective, SAME);
  const int behind = run->objective + race->s->quest->reach * left < target ||
                     (run->objective < target && merges(race));
  if (!behind && (run->iterations < SETTLE || run->iterations % SETTLE)) return 0;
  if (gm_searcher_judge(race->s, race->result)) return 1;
  const int more = flaws(&race->result->record, &race->best);
  return more > 0 || (behind && more == 0) || grounded(race, run);
}

int gm_searcher_race(struct gm_searcher* s, struct gm_result* result,
                     const struct gm_record* best, const struct gm_params* known,
                     int n_known) {
  struct race race = {
      .s = s, .result = result, .best = *best, .known = known, .n_known = n_known};
  struct gm_em_control em = s->quest->em;
  em.hopeless = hopeless;
  em.data = &race;
  em.resume = result->record.run.passes > 0;
  return gm_searcher_run(s, result, &em);
}

/* ---- proposals ---- */

/* One E- and one M-step from what need not be of the family. */
static int project(struct gm_searcher* s, struct gm_result* spare) {
  struct gm_error* err = &spare->record.err;
  if (matrix_estep(&s->home, &spare->params, &spare->stats, err)) return err->code;
  return gm_mstep(&spare->stats, s->seeder->bounds, &spare->params, s->step, err);
}

int gm_searcher_propose(struct gm_searcher* s, struct gm_error* err) {
  struct gm_pool* pool = s->pool;
  const int several =
      pool->spare.params.k > 1 || s->seeder->rows->trimming || s->seeder->bounds->noise;
  const int able = pool->count && several && s->quest->em.max_iter > 0;
  const int budget = able ? s->quest->proposals : 0;
  int optima = 0;
  struct gm_record best = {0};
  const int total = budget < INT_MAX / TOTAL ? TOTAL * budget : INT_MAX;
  for (int p = 0, failed = 0; failed < budget && p < total; p++) {
    if (p % BATCH == 0) {
      best = pool->result[0].record;
      if ((best.spurious || best.repeated) && failed >= FLAWED) break;
      optima = pool->count < OPTIMA ? pool->count : OPTIMA;
      for (int i = 0; i < optima; i++)
        gm_params_copy(s->optimum + i, &pool->result[i].params);
    }
    struct gm_result* spare = &pool->spare;
    tell(s, "proposal", p, 0);
    spare->record = (struct gm_record){.kind = GM_SEED_MIXED, .state = GM_FINISHED};
    gm_propose(s->seeder, (uint32_t)p, s->optimum + p / 2 % optima, &spare->params,
               s->step);
    if (!project(s, spare)) gm_searcher_race(s, spare, &best, s->optimum, optima);
    if (spare->record.err.code == GM_STOPPED) {
      *err = spare->record.err;
      return err->code;
    }
    failed++;
    if (spare->record.err.code || spare->record.run.abandoned) continue;
    if (gm_better(&spare->record, &best) && !same(s, &spare->record, &best, SAME))
      failed = 0;
    gm_searcher_offer(s);
  }
  return GM_OK;
}

/* The best may be a run that was given up. Where it will be kept, as another is off the floor, it is
   run on. */
static int run_on(struct gm_searcher* s, const struct gm_record* records) {
  struct gm_result* best = s->pool->result;
  const struct gm_home home = door(s);
  int kept = 0;
  for (int i = 0; i < s->quest->starts; i++)
    kept |=
        records[i].state == GM_FINISHED && !records[i].err.code && !records[i].on_floor;
  if (!s->pool->count || !best->record.run.abandoned || !kept) return GM_OK;
  return gm_run_home(&home, s->seeder->bounds, &s->quest->em, &s->quest->spurious, best,
                     s->step);
}

int gm_search(const struct gm_quest* quest, const struct gm_seeder* seeder,
              struct gm_pool* pool, struct gm_record* records, double* work,
              struct gm_error* err) {
  struct gm_searcher s;
  gm_searcher_init(&s, quest, seeder, pool, work);
  *err = (struct gm_error){.code = GM_OK};
  pool->count = 0;
  pool->weight = seeder->weight;
  if (run_starts(&s, records, err) || gm_searcher_propose(&s, err)) return err->code;
  if (run_on(&s, records) == GM_STOPPED) {
    *err = pool->result[0].record.err;
    return err->code;
  }
  for (int i = 0; i < pool->count; i++)
    pool->result[i].record.seen = pool->result[i].record.run.objective;
  return GM_OK;
}

/* ---- from a sample to all rows ---- */

int gm_searcher_refine(struct gm_searcher* s, struct gm_error* err) {
  struct gm_pool* pool = s->pool;
  int best = -1;
  for (int i = 0; i < pool->count; i++) {
    struct gm_result* result = pool->result + i;
    tell(s, "optimum", i, pool->count);
    result->record.run = (struct gm_run){0}; /* it was on other rows */
    if (best < 0) {
      gm_searcher_run(s, result, &s->quest->em);
    } else {
      gm_searcher_race(s, result, &pool->result[best].record, &pool->result[best].params,
                       1);
    }
    const struct gm_record* record = &result->record;
    if (record->err.code == GM_STOPPED) {
      *err = record->err;
      return err->code;
    }
    if (record->err.code || record->run.abandoned) continue;
    if (best < 0 || gm_better(record, &pool->result[best].record)) best = i;
  }
  pool->count = best >= 0;
  if (best > 0) {
    const struct gm_result held = pool->result[0];
    pool->result[0] = pool->result[best];
    pool->result[best] = held;
  }
  return GM_OK;
}

int gm_refine(const struct gm_quest* quest, const struct gm_seeder* seeder,
              struct gm_pool* pool, double* work, struct gm_error* err) {
  struct gm_searcher s;
  gm_searcher_init(&s, quest, seeder, pool, work);
  *err = (struct gm_error){.code = GM_OK};
  return gm_searcher_refine(&s, err);
}
