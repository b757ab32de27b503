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
      ends after so many proposals without success (after 40 where the best is not sound itself; after
      half of them while three starts have come to the best, which then is hardly ever missed:
      bench/quality.R), or 20 times as many in all.
   A run that stays on the floor is given up, in starts and proposals, where none such is kept.
   3. What was found on a sample of rows goes on from there on all of them (gm_refine()).
   Starts, those that are finished and the proposals of a batch know nothing of each other: where a pass
   is short, threads take one run each, and what they come to is looked at in order. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "search.h"

enum {
  SHORT_STEPS = 10,
  BATCH = 8,
  SETTLE = 20,
  FLAWED = 40, /* proposals in vain around what is not sound itself */
  AGREED = 3,  /* starts that came to the best: half the proposals do */
  TOTAL = 20   /* times the proposals that may fail in a row are the most in all */
};
#define NEAR 1e-5   /* and of two short runs towards it */
#define EQUAL 1e-12 /* and of one start drawn twice */
#define CREW_MIN \
  4e4 /* operations of an E-step; threads for less would wait for each other */

static int least(int a, int b) { return a < b ? a : b; }

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

ptrdiff_t gm_refine_work(const struct gm_family* family, int d, int k, int threads) {
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
  s->slot = &pool->spare;
  s->slots = 1;
}

/* ---- runs over threads ---- */

struct gm_worker { /* what a thread has of its own */
  struct gm_hand hand;
  struct gm_engine engine;
  struct gm_bounds bounds;
  struct gm_rows rows;
  struct gm_trimming trimming;
  struct gm_seeder seeder;
  struct gm_searcher s;
};

/* Where the parts of a worker and of a slot lie, each at a multiple of 64 bytes. */
struct parts {
  ptrdiff_t worker, search, seed, dist, label, kept; /* of a worker */
  ptrdiff_t params, stats, trace, verdict;           /* of a slot */
};

static ptrdiff_t lines(double doubles) { return (ptrdiff_t)ceil(doubles / 8) * 8; }

static struct parts parts_of(const struct gm_quest* quest, const struct gm_seeder* seeder,
                             const struct gm_family* family, int k) {
  const struct gm_rows* rows = seeder->rows;
  const int d = rows->d;
  const double n = (double)rows->n, whole = sizeof(double);
  const struct gm_rows* given = rows->patterns ? rows->patterns->given : rows;
  return (struct parts){.worker = lines(sizeof(struct gm_worker) / whole),
                        .search = lines((double)gm_refine_work(family, d, k, 1)),
                        .seed = lines((double)gm_seed_work(quest->kind, family, d, k, 1)),
                        .dist = lines(n),
                        .label = lines(n * sizeof(int) / whole),
                        .kept = rows->trimming ? lines(n + (double)given->n) : 0,
                        .params = lines((double)gm_params_size(family, d, k)),
                        .stats = lines((double)gm_stats_size(family, d, k)),
                        .trace = lines((double)quest->em.max_iter + 1),
                        .verdict = lines((double)k * sizeof(struct gm_verdict) / whole)};
}

/* Starts that may repeat each other, and few, are run one after the other. */
static int crew_size(const struct gm_quest* quest, const struct gm_seeder* seeder,
                     const struct gm_family* family, int k) {
  const struct gm_rows* rows = seeder->rows;
  const double operations =
      (double)rows->n * gm_plan_make(family->shape, rows->d, k).cost;
  if (quest->kind != GM_SEED_MIXED || operations < CREW_MIN) return 1;
  return gm_crew_threads(seeder->engine->threads, operations);
}

ptrdiff_t gm_search_work(const struct gm_quest* quest, const struct gm_seeder* seeder,
                         const struct gm_family* family, int k) {
  const int threads = crew_size(quest, seeder, family, k);
  const ptrdiff_t own =
      gm_refine_work(family, seeder->rows->d, k, seeder->engine->threads);
  if (threads < 2) return own;
  const struct parts p = parts_of(quest, seeder, family, k);
  return lines((double)own) + 8 + BATCH * sizeof(struct gm_result) +
         BATCH * (p.params + p.stats + p.trace + p.verdict) +
         threads * (p.worker + p.search + p.seed + p.dist + p.label + p.kept);
}

/* Workers and slots, in work behind the searcher's own. */
static void hire(struct gm_searcher* s, double* work) {
  const struct gm_seeder* seeder = s->seeder;
  const struct gm_params* like = &s->pool->spare.params;
  const struct gm_family* family = like->family;
  const int d = like->d, k = like->k;
  const int threads = crew_size(s->quest, seeder, family, k);
  const struct parts p = parts_of(s->quest, seeder, family, k);
  s->crew = (struct gm_crew){.engine = seeder->engine, .threads = threads};
  if (threads < 2) return;
  work += gm_refine_work(family, d, k, seeder->engine->threads);
  double* at = (double*)(((uintptr_t)work + 63) / 64 * 64);
  s->slots = BATCH;
  s->slot = (struct gm_result*)at;
  at += lines(BATCH * sizeof(struct gm_result) / (double)sizeof(double));
  for (int i = 0; i < BATCH; i++) {
    struct gm_result* r = s->slot + i;
    *r = (struct gm_result){.trace = at};
    r->verdict = (struct gm_verdict*)(at += p.trace);
    gm_params_init(&r->params, family, d, k, at += p.verdict);
    gm_stats_init(&r->stats, family, d, k, at += p.params);
    at += p.stats;
  }
  s->worker = (struct gm_worker*)at;
  at += threads * p.worker;
  for (int i = 0; i < threads; i++) {
    struct gm_worker* w = s->worker + i;
    *w = (struct gm_worker){.hand = {.crew = &s->crew, .caller = i == 0},
                            .bounds = *seeder->bounds,
                            .rows = *seeder->rows,
                            .seeder = *seeder};
    w->engine = gm_hand_engine(&w->hand);
    w->bounds.engine = w->seeder.engine = &w->engine;
    w->seeder.bounds = &w->bounds;
    w->seeder.rows = &w->rows;
    gm_searcher_init(&w->s, s->quest, &w->seeder, s->pool, at);
    w->seeder.work = at += p.search;
    w->seeder.dist = at += p.seed;
    w->seeder.label = (int*)(at += p.dist);
    at += p.label;
    if (w->rows.trimming) { /* each keeps its own */
      w->trimming = *w->rows.trimming;
      w->trimming.kept = memset(at, 0, (size_t)p.kept * sizeof *at);
      w->trimming.density = at + w->rows.n;
      w->rows.trimming = &w->trimming;
    }
    at += p.kept;
  }
}

/* Runs that know nothing of each other. */
struct batch {
  struct gm_searcher* s;
  /* makes run i, into result */
  void (*run)(struct gm_searcher* s, int i, struct gm_result* result, const void* data);
  const int* which; /* i of each; NULL: from first on */
  int first;
  const void* data;
};

static void one_of(void* data, int thread, int item) {
  const struct batch* batch = data;
  struct gm_searcher* s = batch->s;
  batch->run(s->worker ? &s->worker[thread].s : s,
             batch->which ? batch->which[item] : batch->first + item, s->slot + item,
             batch->data);
}

/* count: at most s->slots, which get the results. */
static int run_batch(struct gm_searcher* s, struct batch batch, int count,
                     struct gm_error* err) {
  batch.s = s;
  if (s->worker) return gm_crew_each(&s->crew, count, one_of, &batch, err);
  for (int i = 0; i < count && !err->code; i++) {
    one_of(&batch, 0, i);
    if (s->slot[i].record.err.code == GM_STOPPED) *err = s->slot[i].record.err;
  }
  return err->code;
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

/* Puts the result where it belongs in the pool, if it does: of the same optimum the better stays. */
static void offer(struct gm_searcher* s, struct gm_result* result) {
  struct gm_pool* pool = s->pool;
  struct gm_result* r = pool->result;
  const struct gm_record* record = &result->record;
  int rank = 0, last = -1;
  if (record->err.code) return;
  while (rank < pool->count && !gm_better(record, &r[rank].record)) rank++;
  for (int i = 0; i < pool->count && last < 0; i++)
    if (same(s, record, &r[i].record, SAME)) last = i;
  if (last < 0) last = pool->count < GM_POOL ? pool->count++ : GM_POOL - 1;
  if (rank > last) return;
  const struct gm_result held = r[last];
  for (int i = last; i > rank; i--) r[i] = r[i - 1];
  r[rank] = *result;
  *result = held;
}

void gm_searcher_offer(struct gm_searcher* s) { offer(s, &s->pool->spare); }

static void tell(const struct gm_searcher* s, const char* what, int at, int of) {
  *s->quest->progress = (struct gm_progress){.what = what, .at = at + 1, .of = of};
}

/* ---- starts ---- */

/* Is start i the same as an earlier one, by the objective that it begins with? Then its record is
   that one's. */
static int repeats(struct gm_searcher* s, int i, struct gm_result* result,
                   const struct gm_record* records) {
  struct gm_error* err = &result->record.err;
  if (matrix_estep(&s->home, &result->params, &result->stats, err)) return 0;
  const double begin = result->stats.total[GM_LOGLIK];
  result->record.begin = begin;
  for (int j = 0; j < i; j++) {
    if (records[j].err.code || records[j].same_as ||
        !(fabs(begin - records[j].begin) <= EQUAL * (fabs(begin) + s->seeder->weight)))
      continue;
    result->record = records[j];
    result->record.same_as = j + 1;
    result->record.state = GM_DUPLICATE;
    return 1;
  }
  return 0;
}

struct starts { /* what they are run by */
  const struct gm_em_control* em;
  enum gm_state state;
  const struct gm_record* records;
};

static void run_start(struct gm_searcher* s, int i, struct gm_result* result,
                      const void* data) {
  const struct starts* starts = data;
  const enum gm_seed kind = s->quest->kind;
  result->record = (struct gm_record){.run = {.objective = NAN, .loglik = NAN}};
  result->record.kind = kind == GM_SEED_MIXED ? (enum gm_seed)(i % GM_SEED_KINDS) : kind;
  result->record.state = starts->state;
  const int drawn = kind == GM_SEED_KMEANS || kind == GM_SEED_RANDOM;
  if (!gm_seed_params(kind, s->seeder, (uint32_t)i, &result->params, &result->stats,
                      &result->record.err) &&
      !(drawn && repeats(s, i, result, starts->records)) &&
      result->record.err.code != GM_STOPPED)
    gm_searcher_run(s, result, starts->em);
}

/* Nothing that was finished is off the floor, or has components that differ. */
static int lost(const struct gm_pool* pool) {
  const struct gm_record* best = &pool->result[0].record;
  return !pool->count || best->on_floor || best->repeated;
}

/* The best of the short runs that are left, which then is none of them; as are those that are the
   same. -1: there is none. */
static int pick(const struct gm_searcher* s, struct gm_record* records) {
  const int starts = s->quest->starts;
  int best = -1;
  for (int i = 0; i < starts; i++)
    if (!records[i].err.code && records[i].state == GM_SHORT &&
        (best < 0 || gm_better(records + i, records + best)))
      best = i;
  for (int i = 0; i < starts && best >= 0; i++)
    if (i != best && records[i].state == GM_SHORT &&
        same(s, records + i, records + best, NEAR))
      records[i].state = GM_DUPLICATE;
  if (best >= 0) records[best].state = GM_FINISHED;
  return best;
}

static int run_starts(struct gm_searcher* s, struct gm_record* records,
                      struct gm_error* err) {
  const struct gm_quest* quest = s->quest;
  struct gm_em_control em = quest->em;
  const int all = quest->finish >= quest->starts;
  if (!all && em.max_iter > SHORT_STEPS) em.max_iter = SHORT_STEPS;
  struct starts how = {&em, all ? GM_FINISHED : GM_SHORT, records};
  for (int i = 0, count; i < quest->starts; i += count) {
    count = least(s->slots, quest->starts - i);
    tell(s, "start", i, quest->starts);
    if (run_batch(s, (struct batch){.run = run_start, .first = i, .data = &how}, count,
                  err))
      return err->code;
    for (int t = 0; t < count; t++) {
      records[i + t] = s->slot[t].record;
      if (records[i + t].state == GM_FINISHED) offer(s, s->slot + t);
    }
  }
  /* further ones while all that are finished lie on the floor */
  how = (struct starts){&quest->em, GM_FINISHED, records};
  for (int n = 0; !all && (n < quest->finish || lost(s->pool));) {
    int which[BATCH], count = 0;
    const int most = n < quest->finish ? least(s->slots, quest->finish - n) : 1;
    while (count < most && (which[count] = pick(s, records)) >= 0) count++;
    if (count == 0) break;
    tell(s, "finishing start", n, quest->finish);
    if (run_batch(s, (struct batch){.run = run_start, .which = which, .data = &how},
                  count, err))
      return err->code;
    for (int t = 0; t < count; t++) {
      records[which[t]] = s->slot[t].record;
      offer(s, s->slot + t);
    }
    n += count;
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

struct proposals { /* what those of a batch see */
  struct gm_record best;
  const struct gm_params* optimum;
  int optima;
};

static void run_proposal(struct gm_searcher* s, int p, struct gm_result* result,
                         const void* data) {
  const struct proposals* from = data;
  result->record = (struct gm_record){.kind = GM_SEED_MIXED, .state = GM_FINISHED};
  gm_propose(s->seeder, (uint32_t)p, from->optimum + p / 2 % from->optima,
             &result->params, s->step);
  if (!project(s, result))
    gm_searcher_race(s, result, &from->best, from->optimum, from->optima);
}

/* sure: half as many may fail, until one succeeds */
static int propose(struct gm_searcher* s, int sure, struct gm_error* err) {
  struct gm_pool* pool = s->pool;
  const int several =
      pool->spare.params.k > 1 || s->seeder->rows->trimming || s->seeder->bounds->noise;
  const int able = pool->count && several && s->quest->em.max_iter > 0;
  const int budget = able ? s->quest->proposals : 0;
  struct proposals from = {.optimum = s->optimum};
  const int total = budget < INT_MAX / TOTAL ? TOTAL * budget : INT_MAX;
  int allowed = sure ? budget - budget / 2 : budget;
  for (int p = 0, failed = 0, count; failed < allowed && p < total; p += count) {
    if (p % BATCH == 0) {
      from.best = pool->result[0].record;
      if ((from.best.spurious || from.best.repeated) && failed >= FLAWED) break;
      from.optima = least(pool->count, OPTIMA);
      for (int i = 0; i < from.optima; i++)
        gm_params_copy(s->optimum + i, &pool->result[i].params);
    }
    count = least(least(s->slots, BATCH - p % BATCH), least(allowed - failed, total - p));
    tell(s, "proposal", p, 0);
    if (run_batch(s, (struct batch){.run = run_proposal, .first = p, .data = &from},
                  count, err))
      return err->code;
    for (int t = 0; t < count; t++) {
      const struct gm_record* record = &s->slot[t].record;
      failed++;
      if (record->err.code || record->run.abandoned) continue;
      if (gm_better(record, &from.best) && !same(s, record, &from.best, SAME)) {
        failed = 0;
        allowed = budget;
      }
      offer(s, s->slot + t);
    }
  }
  return GM_OK;
}

int gm_searcher_propose(struct gm_searcher* s, struct gm_error* err) {
  return propose(s, 0, err);
}

/* Of the starts finished, how many came to the best optimum. */
static int arrivals(const struct gm_searcher* s, const struct gm_record* records) {
  int n = 0;
  for (int i = 0; i < s->quest->starts && s->pool->count; i++)
    n += records[i].state == GM_FINISHED &&
         same(s, records + i, &s->pool->result[0].record, SAME);
  return n;
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
  hire(&s, work);
  *err = (struct gm_error){.code = GM_OK};
  pool->count = 0;
  pool->weight = seeder->weight;
  if (run_starts(&s, records, err)) return err->code;
  const int sure = !seeder->rows->trimming && arrivals(&s, records) >= AGREED;
  if (propose(&s, sure, err)) return err->code;
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
