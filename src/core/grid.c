/* A grid of models: each number of components with each family, fitted together.

   For each k, the smallest first:
   1. Starts are made once, as parameters of the widest family, go a few steps as such (where a
      family is fitted whose steps cost as much), and every family takes its own from them: the
      M-step of their moments (carry()). Short runs rank them; the best goes some way.
   2. Each family is also started from what the others came to at the same k, after a few such steps;
      of what is then about the same, from one. And from its own solution with a component less, each of whose
      components is split along its longest axis. Short runs again; of those that are about the
      same the better stays. The best goes on to convergence, the next ones go on as races against
      it, and end where they can't become better or come to an optimum that is known.
   3. No model may end below one that it contains: the narrower families at the same k, by waves of
      the lattice, and itself with a component less. Where one does, EM goes on from that one, and
      being monotone ends above it. Only an end that is spurious in the family, or has identical
      components, is not taken; the cell then has a note. (Above by the objective, which a prior
      is part of: see contained().)
   A cell that has come to nothing is then searched as gmm() does it. And the finalists, the best by
   the criterion, are searched by proposals, and 3. is repeated for what they have changed. What was
   found on a sample goes on on all rows.

   Where the rows are few, cells go over threads; in each of the steps a cell reads only what the
   step before left, so that the number of threads changes nothing. */
#include <math.h>
#include <string.h>

#include "crew.h"
#include "matrix.h"
#include "search.h"

enum {
  SHARED_STEPS = 1, /* of the widest family, before every family takes its own */
  LOOK_STEPS = 3,   /* of all that a cell might start from */
  FINAL = 2,        /* the best of its starts */
  FINAL_STEPS = 6,  /* that they are given more */
  FIRST_STEPS = 20, /* and the best of these, in all */
  RESCUE = 40,      /* starts of a cell that has come to nothing */
  FAMILIES = 5,     /* that a start is tried in */
  RESCUED = 5,      /* of which so many are finished */
  CHEAP = 3,        /* components at which neighbours hear of each other twice */
  TURNS = 2         /* so many times */
};
#define HASTY 6.0       /* reach of the races between what a cell might start from */
#define SPLIT 0.6       /* reach of a split, in standard deviations */
#define SMALL_SPLIT 0.1 /* of one that hardly changes the density */
#define RUMOUR 2.0      /* components of solutions that are told once, see alike.c */

static const struct gm_family* widest(void) { return gm_family_find("VVV"); }

struct entry { /* what a cell might go on from */
  struct gm_params params;
  struct gm_stats stats;
  struct gm_record record;
};

struct news {              /* what an item's solution tells its neighbours */
  struct gm_params params; /* of the widest family */
  int same_as;             /* the first that is about the same: this one, or an earlier */
};

struct worker {
  struct run_of_grid* run;
  struct gm_hand hand;
  struct gm_engine engine;
  struct gm_bounds bounds;
  struct gm_rows rows;
  struct gm_trimming trimming;
  struct gm_seeder seeder;
  struct gm_progress progress;
  struct gm_quest quest;
  struct gm_pool pool;
  struct gm_searcher s;
  struct gm_params wide; /* of the cell's k */
  struct entry* entry;
  int entries;
  double* entry_mem;
  struct gm_record* rescued; /* RESCUE */
  struct gm_verdict* verdict;
  double *trace, *wide_mem, *pool_mem, *search_mem, *seed_mem, *spare;
};

struct run_of_grid {
  const struct gm_grid* grid;
  const struct gm_seeder* seeder;
  struct worker* worker;
  struct gm_crew crew;
  const struct gm_stock* stock; /* of the current k, and its starts: */
  double* starts;
  struct gm_error* start_err;
  int items;
  int* item;         /* cells of the current step */
  struct news* news; /* of the current k: one an item and turn */
  double* news_mem;
  int turn, last_turn; /* from 0 */
  int shared;          /* 1: steps of the widest family are worth what they cost */
};

static ptrdiff_t max_size(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/* ---- cells over threads ---- */

struct items { /* the last first: the wider a family, the longer it takes */
  struct run_of_grid* run;
  int count;
  void (*task)(struct worker*, int);
};

static void one_item(void* data, int thread, int item) {
  const struct items* items = data;
  items->task(items->run->worker + thread, items->count - 1 - item);
}

static int each(struct run_of_grid* run, int items, void (*task)(struct worker*, int),
                struct gm_error* err) {
  struct items all = {.run = run, .count = items, .task = task};
  return gm_crew_each(&run->crew, items, one_item, &all, err);
}

/* ---- memory ---- */

static int most_k(const struct gm_grid* grid) { return grid->stock[grid->stocks - 1].k; }

static ptrdiff_t doubles(size_t bytes) { return (ptrdiff_t)((bytes + 7) / 8); }

/* A worker's parts, each of the largest cell. */
struct parts {
  ptrdiff_t trace, verdict, wide, pool, search, seed, spare, label, dist, kept, entry,
      entry_mem, rescued, total;
};

/* The most that a cell of one k might start from: starts, other families, splits. */
static int most_entries(const struct gm_grid* grid, const struct gm_stock* stock) {
  int count = stock->starts + stock->k;
  for (int i = 0; i < grid->cells; i++) count += grid->cell[i].k == stock->k;
  return count;
}

/* Are the widest family's steps no dearer than those of a family that is fitted? */
static int shares(const struct gm_grid* grid) {
  int full = 0;
  for (int i = 0; i < grid->cells; i++) full |= grid->cell[i].family->shape == GM_TRIANG;
  return full;
}

static ptrdiff_t entry_size(int d, int k) {
  return gm_params_size(widest(), d, k) + gm_stats_size(widest(), d, k);
}

static struct parts worker_parts(const struct gm_grid* grid, const struct gm_rows* rows,
                                 int refine, int threads) {
  const int most = most_k(grid), d = rows->d;
  const ptrdiff_t n = refine ? 0 : rows->n;
  struct parts p = {
      .trace = (ptrdiff_t)grid->em.max_iter + 1,
      .verdict = (GM_POOL + 1) * doubles((size_t)most * sizeof(struct gm_verdict)),
      .wide = gm_params_size(widest(), d, most),
      .spare =
          gm_stats_size(widest(), d, most) + 2 * (ptrdiff_t)d * d + d + gm_eigen_work(d),
      .label = doubles((size_t)n * sizeof(int)),
      .dist = n,
      .rescued = refine ? 0 : doubles(RESCUE * sizeof(struct gm_record)),
      .kept = rows->trimming
                  ? rows->n + (rows->patterns ? rows->patterns->given : rows)->n
                  : 0};
  const struct gm_engine engine = {.threads = threads};
  const struct gm_seeder seeder = {.rows = rows, .engine = &engine};
  const struct gm_quest rescue = {.kind = GM_SEED_MIXED, .em = grid->em};
  for (int i = 0; i < grid->cells + grid->stocks; i++) { /* the widest family, too */
    const int own = i < grid->cells;
    if (!own && !shares(grid)) break;
    const struct gm_family* family = own ? grid->cell[i].family : widest();
    const int k = own ? grid->cell[i].k : grid->stock[i - grid->cells].k;
    const struct gm_factors f = {.shape = family->shape, .d = d, .k = k};
    p.pool = max_size(p.pool, (GM_POOL + 1) * (gm_params_size(family, d, k) +
                                               gm_stats_size(family, d, k)));
    p.search = max_size(p.search, refine ? gm_refine_work(family, d, k, threads)
                                         : gm_search_work(&rescue, &seeder, family, k));
    p.search = max_size(p.search,
                        gm_factors_size(family, d, k) + gm_certainty_work(&f, threads));
  }
  for (int i = 0; i < grid->stocks; i++) {
    const struct gm_stock* stock = grid->stock + i;
    p.seed = max_size(p.seed, gm_seed_work(stock->kind, widest(), d, stock->k, threads) +
                                  gm_stats_size(widest(), d, stock->k));
  }
  for (int i = 0; i < grid->stocks && !refine; i++) {
    const int entries = most_entries(grid, grid->stock + i);
    const ptrdiff_t size = entry_size(d, grid->stock[i].k);
    p.entry = max_size(p.entry, doubles((size_t)entries * sizeof(struct entry)));
    p.entry_mem = max_size(p.entry_mem, entries * size);
  }
  p.total = p.trace + p.verdict + p.wide + p.pool + p.search + p.seed + p.spare +
            p.label + p.dist + p.kept + p.entry + p.entry_mem + p.rescued;
  p.total = (p.total + 7) / 8 * 8;
  return p;
}

/* What is shared while one k is done: its starts with their errors, and news. */
struct shared {
  ptrdiff_t start, error, news, news_mem;
};

static struct shared shared_parts(const struct gm_grid* grid, int d) {
  struct shared size = {0};
  for (int i = 0; i < grid->stocks; i++) {
    const struct gm_stock* stock = grid->stock + i;
    ptrdiff_t items = 0;
    for (int c = 0; c < grid->cells; c++) items += grid->cell[c].k == stock->k;
    items *= TURNS;
    size.news = max_size(size.news, doubles((size_t)items * sizeof(struct news)));
    size.news_mem =
        max_size(size.news_mem, items * gm_params_size(widest(), d, stock->k));
    size.start =
        max_size(size.start, stock->starts * gm_params_size(widest(), d, stock->k));
    size.error =
        max_size(size.error, doubles((size_t)stock->starts * sizeof(struct gm_error)));
  }
  return size;
}

static int count_workers(const struct gm_grid* grid, const struct gm_rows* rows,
                         int threads) {
  const struct gm_plan plan = gm_plan_make(GM_TRIANG, rows->d, most_k(grid));
  return gm_crew_threads(threads, (double)rows->n * plan.cost);
}

ptrdiff_t gm_grid_work(const struct gm_grid* grid, const struct gm_rows* rows,
                       int threads, int refine) {
  const int workers = count_workers(grid, rows, threads);
  const struct shared shared = shared_parts(grid, rows->d);
  const ptrdiff_t own = worker_parts(grid, rows, refine, workers > 1 ? 1 : threads).total;
  return shared.start + shared.error + shared.news + shared.news_mem + grid->cells + 1 +
         8 + workers * (own + doubles(sizeof(struct worker)));
}

static void run_init(struct run_of_grid* run, const struct gm_grid* grid,
                     const struct gm_seeder* seeder, int refine, double* work) {
  const int d = seeder->rows->d, threads = seeder->engine->threads;
  const struct shared shared = shared_parts(grid, d);
  *run = (struct run_of_grid){.grid = grid, .seeder = seeder, .shared = shares(grid)};
  for (int i = 0; i < grid->cells; i++) {
    grid->cell[i].note = GM_NOTE_NONE;
    grid->cell[i].changed = 1;
  }
  run->crew = (struct gm_crew){.engine = seeder->engine,
                               .threads = count_workers(grid, seeder->rows, threads)};
  const int own = run->crew.threads > 1 ? 1 : threads;
  const struct parts p = worker_parts(grid, seeder->rows, refine, own);
  run->starts = work;
  run->start_err = (struct gm_error*)(run->starts + shared.start);
  run->news = (struct news*)(run->starts + shared.start + shared.error);
  run->news_mem = run->starts + shared.start + shared.error + shared.news;
  run->item = (int*)(run->news_mem + shared.news_mem);
  run->worker = (struct worker*)(run->news_mem + shared.news_mem + grid->cells + 1);
  work = run->news_mem + shared.news_mem + grid->cells + 1 +
         run->crew.threads * doubles(sizeof(struct worker));
  for (int i = 0; i < run->crew.threads; i++) {
    struct worker* w = run->worker + i;
    *w = (struct worker){
        .run = run, .hand = {.crew = &run->crew, .caller = i == 0}, .seeder = *seeder};
    w->engine = gm_hand_engine(&w->hand);
    w->quest = (struct gm_quest){.reach = PATIENT,
                                 .give_up = grid->give_up,
                                 .em = grid->em,
                                 .spurious = grid->spurious,
                                 .progress = &w->progress};
    /* one alignment for all: some of LAPACK rounds by where its memory lies */
    double* at = (double*)(((uintptr_t)work + 63) / 64 * 64) + p.total * i;
    w->trace = at;
    w->verdict = (struct gm_verdict*)(at += p.trace);
    w->wide_mem = at += p.verdict;
    w->pool_mem = at += p.wide;
    w->search_mem = at += p.pool;
    w->spare = at += p.search;
    w->seed_mem = at += p.spare;
    w->seeder.label = (int*)(at += p.seed);
    w->seeder.dist = at += p.label;
    w->rows = *seeder->rows;
    w->seeder.rows = &w->rows;
    at += p.dist;
    if (w->rows.trimming) { /* each keeps its own */
      w->trimming = *w->rows.trimming;
      w->trimming.kept = memset(at, 0, (size_t)p.kept * sizeof *at);
      w->trimming.density = at + w->rows.n;
      w->rows.trimming = &w->trimming;
    }
    w->entry = (struct entry*)(at += p.kept);
    w->entry_mem = at += p.entry;
    w->rescued = (struct gm_record*)(at + p.entry_mem);
    w->seeder.work = w->seed_mem;
    w->seeder.engine = &w->engine;
    w->seeder.bounds = &w->bounds;
  }
}

/* ---- parameters from one family to another ---- */

static void init_wide(struct worker* w, int k, double noise) {
  gm_params_init(&w->wide, widest(), w->seeder.rows->d, k, w->wide_mem);
  w->wide.prop[k] = noise;
}

/* Component i of `from` -> component j of the worker's wide parameters. */
static void widen(struct worker* w, const struct gm_params* from, int i, int j) {
  const int d = from->d;
  const enum gm_shape shape = from->family->shape;
  const double* cov = from->cov + gm_cov_stride(from->family, d) * i;
  double* to = w->wide.cov + (ptrdiff_t)d * d * j;
  w->wide.prop[j] = from->prop[i];
  memcpy(w->wide.mean + (ptrdiff_t)d * j, from->mean + (ptrdiff_t)d * i,
         (size_t)d * sizeof *to);
  if (shape == GM_TRIANG) {
    memcpy(to, cov, (size_t)d * d * sizeof *to);
    return;
  }
  memset(to, 0, (size_t)d * d * sizeof *to);
  for (int a = 0; a < d; a++) to[a + (ptrdiff_t)d * a] = cov[shape == GM_DIAG ? a : 0];
}

static void widen_all(struct worker* w, const struct gm_params* from) {
  init_wide(w, from->k, from->prop[from->k]);
  for (int j = 0; j < from->k; j++) widen(w, from, j, j);
}

/* The wide parameters -> the spare's: the M-step of their moments. Parameters that are of the
   spare's family stay what they are, so the prior, which has been at work on them, has no say. */
static int carry(struct worker* w) {
  struct gm_result* spare = &w->pool.spare;
  struct gm_params* to = &spare->params;
  const struct gm_params* from = &w->wide;
  const int d = to->d, k = to->k;
  struct gm_stats* stats = &spare->stats;
  gm_stats_zero(stats);
  memcpy(to->prop, from->prop, ((size_t)k + 1) * sizeof *to->prop);
  memcpy(to->mean, from->mean, (size_t)d * k * sizeof *to->mean);
  for (int j = 0; j < k; j++) {
    const double* cov = from->cov + (ptrdiff_t)d * d * j;
    double* scatter = stats->scatter + stats->stride * j;
    stats->nk[j] = from->prop[j] * w->seeder.weight;
    stats->nk2[j] = from->prop[j] * w->seeder.weight2;
    for (int b = 0; b < d; b++)
      for (int a = b; a < (stats->shape == GM_TRIANG ? d : b + 1); a++)
        scatter[stats->shape == GM_TRIANG ? a + (ptrdiff_t)d * b : a] +=
            stats->nk[j] * cov[a + (ptrdiff_t)d * b];
  }
  stats->total[GM_WEIGHT] = w->seeder.weight;
  stats->total[GM_NOISE] = from->prop[k] * w->seeder.weight;
  to->cov[0] = 0;
  if (stats->shape == GM_TRIANG && stats->stride) /* an orientation to begin with */
    memcpy(to->cov, from->cov, (size_t)d * d * k * sizeof *to->cov);
  struct gm_bounds plain = w->bounds;
  plain.prior = NULL;
  return gm_mstep(stats, &plain, to, w->s.step, &spare->record.err);
}

/* wide <- `from` with its component c split along the longest axis, the moments kept. */
static void split(struct worker* w, const struct gm_params* from, int c, double reach) {
  const int d = from->d, k = from->k;
  const ptrdiff_t len = (ptrdiff_t)d * d;
  double *axes = w->spare, *value = axes + len;
  init_wide(w, k + 1, from->prop[k]);
  for (int j = 0; j < k; j++) widen(w, from, j, j);
  double* cov = w->wide.cov + len * c;
  memcpy(axes, cov, (size_t)len * sizeof *axes);
  gm_eigen(axes, d, 1, value, value + d);
  const double* axis = axes + (ptrdiff_t)d * (d - 1);
  const double along = reach * sqrt(value[d - 1]);
  for (int b = 0; b < d; b++)
    for (int a = 0; a < d; a++)
      cov[a + (ptrdiff_t)d * b] -= along * along * axis[a] * axis[b];
  memcpy(w->wide.cov + len * k, cov, (size_t)len * sizeof *cov);
  for (int a = 0; a < d; a++) {
    double* mean = w->wide.mean + a;
    mean[(ptrdiff_t)d * k] = mean[(ptrdiff_t)d * c] - along * axis[a];
    mean[(ptrdiff_t)d * c] += along * axis[a];
  }
  w->wide.prop[c] /= 2;
  w->wide.prop[k] = w->wide.prop[c];
}

/* ---- a cell ---- */

static void use_stock(struct worker* w, const struct gm_stock* stock) {
  w->bounds = stock->bounds;
  w->bounds.engine = &w->engine;
}

/* Lays the worker's pool out for a cell; it is empty. */
static void open_cell(struct worker* w, const struct gm_cell* cell) {
  const int d = w->seeder.rows->d;
  use_stock(w, w->run->grid->stock + cell->stock);
  double* mem = w->pool_mem;
  w->entries = 0;
  w->pool.count = 0;
  w->pool.weight = w->seeder.weight;
  for (int i = 0; i <= GM_POOL; i++) {
    struct gm_result* r = i < GM_POOL ? w->pool.result + i : &w->pool.spare;
    mem = gm_params_init(&r->params, cell->family, d, cell->k, mem);
    mem = gm_stats_init(&r->stats, cell->family, d, cell->k, mem);
    r->trace = w->trace;
    r->verdict = w->verdict + (ptrdiff_t)most_k(w->run->grid) * i;
  }
  gm_searcher_init(&w->s, &w->quest, &w->seeder, &w->pool, w->search_mem);
}

static void new_record(struct worker* w, enum gm_seed kind, enum gm_state state) {
  w->pool.spare.record = (struct gm_record){
      .kind = kind, .state = state, .run = {.objective = NAN, .loglik = NAN}};
}

/* EM from the spare's parameters, or on from what it came to there, to so many steps at most;
   returns its status. */
static int run_spare(struct worker* w, int steps) {
  struct gm_em_control em = w->quest.em;
  if (em.max_iter > steps) em.max_iter = steps;
  em.resume = w->pool.spare.record.run.passes > 0;
  return gm_searcher_run(&w->s, &w->pool.spare, &em);
}

/* A few steps as the widest family, which all families have in common then. Nothing known yet of
   the cell. */
static void share_steps(struct worker* w, struct gm_params* params) {
  const struct run_of_grid* run = w->run;
  const struct gm_stock* stock = run->stock;
  const struct gm_cell any = {
      .family = widest(), .k = stock->k, .stock = (int)(stock - run->grid->stock)};
  if (!run->shared || stock->kind != GM_SEED_MIXED) return;
  open_cell(w, &any);
  new_record(w, GM_SEED_MIXED, GM_SHORT);
  gm_params_copy(&w->pool.spare.params, params);
  if (!run_spare(w, SHARED_STEPS)) gm_params_copy(params, &w->pool.spare.params);
}

/* EM from the wide parameters to its end, and into the pool. */
static void attempt(struct worker* w, enum gm_seed kind, struct gm_record* record) {
  new_record(w, kind, GM_FINISHED);
  if (!carry(w)) run_spare(w, w->quest.em.max_iter);
  *record = w->pool.spare.record;
  gm_searcher_offer(&w->s);
}

/* The spare becomes an entry, unless it is like an earlier one: then the better of the two is. */
static void enter(struct worker* w) {
  const struct gm_result* spare = &w->pool.spare;
  const int d = spare->params.d, k = spare->params.k;
  int at = 0;
  while (at < w->entries &&
         !gm_alike(&spare->params, &w->entry[at].params, ALIKE, w->s.step))
    at++;
  struct entry* entry = w->entry + at;
  if (at == w->entries) {
    w->entries++;
    double* mem = gm_params_init(&entry->params, spare->params.family, d, k,
                                 w->entry_mem + at * entry_size(d, k));
    gm_stats_init(&entry->stats, spare->params.family, d, k, mem);
  } else if (!gm_better(&spare->record, &entry->record)) {
    return;
  }
  gm_params_copy(&entry->params, &spare->params);
  gm_stats_copy(&entry->stats, &spare->stats);
  entry->record = spare->record;
}

/* A few steps from the wide parameters, among the entries. */
static void try_wide(struct worker* w, enum gm_seed kind, struct gm_record* record) {
  new_record(w, kind, GM_SHORT);
  if (!carry(w)) run_spare(w, LOOK_STEPS + (kind == GM_SEED_SPLIT ? SHARED_STEPS : 0));
  if (record) *record = w->pool.spare.record;
  if (!w->pool.spare.record.err.code) enter(w);
}

/* The best entry -> the spare; it is no entry any more. */
static void take_best(struct worker* w, enum gm_state state) {
  int best = 0;
  const int last = --w->entries;
  for (int i = 1; i <= last; i++)
    if (gm_better(&w->entry[i].record, &w->entry[best].record)) best = i;
  struct gm_result* spare = &w->pool.spare;
  const struct entry held = w->entry[best];
  w->entry[best] = w->entry[last];
  w->entry[last] = held;
  gm_params_copy(&spare->params, &held.params);
  gm_stats_copy(&spare->stats, &held.stats);
  spare->record = held.record;
  spare->record.state = state;
}

static int solved(const struct gm_cell* cell) {
  return cell->record.state == GM_FINISHED && !cell->record.err.code;
}

/* The cell's solution as the pool's only result. */
static void restore(struct worker* w, const struct gm_cell* cell) {
  struct gm_result* r = w->pool.result;
  if (!solved(cell)) return;
  gm_params_copy(&r->params, &cell->params);
  memcpy(r->verdict, cell->verdict, (size_t)cell->k * sizeof *r->verdict);
  r->record = cell->record;
  w->pool.count = 1;
}

/* The pool's best is the cell's solution. */
static void keep(struct worker* w, struct gm_cell* cell) {
  const struct gm_result* r = w->pool.result;
  if (!w->pool.count) return;
  gm_params_copy(&cell->params, &r->params);
  memcpy(cell->verdict, r->verdict, (size_t)cell->k * sizeof *r->verdict);
  cell->record = r->record;
  cell->record.state = GM_FINISHED;
}

/* ---- starts ---- */

static void init_start(const struct run_of_grid* run, int i, struct gm_params* params) {
  const int d = run->seeder->rows->d, k = run->stock->k;
  gm_params_init(params, widest(), d, k,
                 run->starts + i * gm_params_size(widest(), d, k));
}

static enum gm_seed start_kind(const struct gm_stock* stock, int i) {
  if (stock->kind != GM_SEED_MIXED) return stock->kind;
  return i ? (enum gm_seed)((i - 1) % GM_SEED_KINDS) : GM_SEED_HIER;
}

static void make_start(struct worker* w, int i) {
  const struct run_of_grid* run = w->run;
  const struct gm_stock* stock = run->stock;
  struct gm_error* err = run->start_err + i;
  struct gm_params params;
  struct gm_stats stats;
  init_start(run, i, &params);
  *err = (struct gm_error){.code = GM_OK};
  if (stock->kind == GM_SEED_GIVEN) {
    memcpy(params.prop, stock->given,
           (size_t)gm_params_size(widest(), params.d, params.k) * sizeof *stock->given);
    return;
  }
  use_stock(w, stock);
  w->seeder.given_label = stock->label;
  w->seeder.given_resp = stock->resp;
  w->seeder.work = gm_stats_init(&stats, widest(), params.d, params.k, w->seed_mem);
  if (!gm_seed_params(start_kind(stock, i), &w->seeder, (uint32_t)i, &params, &stats,
                      err))
    share_steps(w, &params);
}

/* Of the starts that are drawn a cell takes some, the next cell others, each start FAMILIES of them:
   what it comes to elsewhere step 2 passes on. The first one all take. */
static int own_start(const struct run_of_grid* run, int item, int i) {
  const int drawn = run->stock->starts - 1;
  int own = (FAMILIES * drawn + run->items - 1) / run->items;
  if (own > drawn || run->stock->kind != GM_SEED_MIXED) own = drawn;
  return i == 0 || (i - 1 + item * (drawn - own)) % drawn < own;
}

static void try_starts(struct worker* w, int item) {
  const struct run_of_grid* run = w->run;
  struct gm_cell* cell = run->grid->cell + run->item[item];
  cell->record.state = GM_SHORT;
  open_cell(w, cell);
  const int starts = run->stock->starts;
  for (int i = 0; i < starts; i++) {
    const enum gm_seed kind = start_kind(run->stock, i);
    struct gm_record* record = cell->records + i;
    *record = (struct gm_record){.kind = kind,
                                 .state = GM_LEFT_OUT,
                                 .err = run->start_err[i],
                                 .run = {.objective = NAN, .loglik = NAN}};
    if (!own_start(run, item, i)) continue;
    record->state = GM_SHORT;
    if (record->err.code) continue;
    init_start(run, i, &w->wide);
    try_wide(w, kind, record);
  }
  for (int i = 0; i < FINAL && w->entries; i++) {
    take_best(w, GM_SHORT);
    run_spare(w, LOOK_STEPS + FINAL_STEPS);
    gm_searcher_offer(&w->s);
  }
  struct gm_em_control em = w->quest.em;
  if (em.max_iter > FIRST_STEPS) em.max_iter = FIRST_STEPS;
  em.resume = 1;
  if (w->pool.count) {
    gm_searcher_run(&w->s, w->pool.result, &em);
    keep(w, cell);
  }
}

/* ---- neighbours ---- */

/* The cell's own solution is an entry like others. */
static void enter_own(struct worker* w, const struct gm_cell* cell) {
  if (!solved(cell)) return;
  gm_params_copy(&w->pool.spare.params, &cell->params);
  w->pool.spare.record = cell->record;
  w->pool.spare.record.run.passes = 0; /* its statistics are lost */
  enter(w);
}

static void try_neighbours(struct worker* w, int item) {
  const struct run_of_grid* run = w->run;
  const struct gm_grid* grid = run->grid;
  struct gm_cell* cell = grid->cell + run->item[item];
  open_cell(w, cell);
  enter_own(w, cell);
  const int told = run->items * run->turn, own = run->news[told + item].same_as;
  for (int i = told; i < told + run->items; i++) {
    if (run->news[i].same_as != i || i == own) continue;
    init_wide(w, cell->k, 0);
    gm_params_copy(&w->wide, &run->news[i].params);
    try_wide(w, GM_SEED_FAMILY, NULL);
  }
  if (cell->parent >= 0 && solved(grid->cell + cell->parent) && run->turn == 0)
    for (int c = 0; c < cell->k - 1; c++) {
      split(w, &grid->cell[cell->parent].params, c, SPLIT);
      try_wide(w, GM_SEED_SPLIT, NULL);
    }
  struct gm_error err = {0};
  w->quest.reach = HASTY;
  while (w->entries) {
    take_best(w, GM_FINISHED);
    if (w->pool.count) {
      struct gm_params known[GM_POOL];
      for (int i = 0; i < w->pool.count; i++) known[i] = w->pool.result[i].params;
      gm_searcher_race(&w->s, &w->pool.spare, &w->pool.result[0].record, known,
                       w->pool.count);
    } else {
      run_spare(w, w->quest.em.max_iter);
    }
    if (!w->pool.spare.record.run.abandoned) gm_searcher_offer(&w->s);
  }
  w->quest.reach = PATIENT;
  w->quest.proposals = run->last_turn ? cell->moves : 0;
  if (gm_searcher_propose(&w->s, &err)) return;
  keep(w, cell);
}

/* ---- bounds ---- */

static int below(const struct gm_cell* cell, const struct gm_cell* other) {
  const double level = other->record.run.objective;
  return solved(other) &&
         (!solved(cell) || cell->record.run.objective < level - ROUNDING * fabs(level));
}

/* EM from what the cell contains; returns why the cell is still below, if it is. */
static enum gm_note raise_above(struct worker* w, struct gm_cell* cell,
                                const struct gm_cell* other) {
  const int splits = other->k < cell->k ? other->k : 0;
  enum gm_note note = GM_NOTE_NONE;
  for (int c = 0; c < (splits ? splits : 1); c++) {
    struct gm_record record;
    if (splits) {
      split(w, &other->params, c, SMALL_SPLIT);
    } else {
      widen_all(w, &other->params);
    }
    attempt(w, splits ? GM_SEED_SPLIT : GM_SEED_FAMILY, &record);
    keep(w, cell);
    if (!below(cell, other) || record.err.code == GM_STOPPED) return GM_NOTE_NONE;
    if (record.repeated || (splits && !record.err.code && !record.spurious))
      note = GM_NOTE_NO_GAIN;
    if (!note) note = GM_NOTE_SPURIOUS;
  }
  if (!cell->record.spurious) return note;
  /* it has no sound solution to keep: the highest that it has seen */
  int best = 0;
  for (int i = 1; i < w->pool.count; i++) {
    const struct gm_record* record = &w->pool.result[i].record;
    if (!record->repeated && !record->on_floor &&
        record->run.objective > w->pool.result[best].record.run.objective)
      best = i;
  }
  const struct gm_result held = w->pool.result[0];
  w->pool.result[0] = w->pool.result[best];
  w->pool.result[best] = held;
  keep(w, cell);
  return below(cell, other) ? note : GM_NOTE_NONE;
}

/* The i-th cell that this one contains, its parent as the last; -1: none. Components of equal
   proportions are no case of more such. With a prior a cell contains only what has as many factors
   of it, so that its density at the same parameters is the same: no cell with a component less, nor
   one whose components share the one covariance that has a prior. */
static int contained(const struct run_of_grid* run, const struct gm_cell* cell, int i) {
  const struct gm_grid* grid = run->grid;
  const struct gm_bounds* bounds = &grid->stock[cell->stock].bounds;
  if (i == cell->n_narrower) return bounds->equal || bounds->prior ? -1 : cell->parent;
  const int at = cell->narrower[i];
  const int alike = grid->cell[at].family->shared == cell->family->shared;
  return alike || !bounds->prior || !(bounds->prior->df > 0) ? at : -1;
}

static void raise_cell(struct worker* w, int item) {
  const struct gm_grid* grid = w->run->grid;
  struct gm_cell* cell = grid->cell + w->run->item[item];
  open_cell(w, cell);
  restore(w, cell);
  for (int i = 0; i <= cell->n_narrower; i++) {
    const int at = contained(w->run, cell, i);
    if (at < 0 || !grid->cell[at].changed || !below(cell, grid->cell + at)) continue;
    const enum gm_note note = raise_above(w, cell, grid->cell + at);
    if (!cell->note) cell->note = note;
    cell->changed = 1;
  }
}

/* The cells of one k, wave by wave, those that are below one that has changed. */
static int raise_all(struct run_of_grid* run, int k, struct gm_error* err) {
  const struct gm_grid* grid = run->grid;
  int last = 0;
  for (int wave = 0; wave <= last; wave++) {
    int items = 0;
    for (int i = 0; i < grid->cells; i++) {
      const struct gm_cell* cell = grid->cell + i;
      if (cell->k != k) continue;
      if (cell->wave > last) last = cell->wave;
      if (cell->wave != wave) continue;
      int low = 0;
      for (int j = 0; j <= cell->n_narrower && !low; j++) {
        const int at = contained(run, cell, j);
        low = at >= 0 && grid->cell[at].changed && below(cell, grid->cell + at);
      }
      if (low) run->item[items++] = i;
    }
    if (each(run, items, raise_cell, err)) return err->code;
  }
  return GM_OK;
}

/* ---- cells that have come to nothing ---- */

static int lost(const struct gm_cell* cell) {
  return !solved(cell) || cell->record.on_floor || cell->record.repeated;
}

/* The search that gmm() makes, for this cell alone. */
static void rescue(struct worker* w, int item) {
  const struct gm_grid* grid = w->run->grid;
  struct gm_cell* cell = grid->cell + w->run->item[item];
  struct gm_error err = {0};
  open_cell(w, cell);
  w->seeder.work = w->seed_mem;
  w->quest.kind = GM_SEED_MIXED;
  w->quest.starts = RESCUE;
  w->quest.finish = RESCUED;
  w->quest.proposals = RESCUE;
  if (gm_search(&w->quest, &w->seeder, &w->pool, w->rescued, w->search_mem, &err) ||
      !w->pool.count)
    return;
  if (!solved(cell) || gm_better(&w->pool.result[0].record, &cell->record)) keep(w, cell);
}

static int rescue_all(struct run_of_grid* run, struct gm_error* err) {
  const struct gm_grid* grid = run->grid;
  int items = 0;
  for (int i = 0; i < grid->cells; i++) {
    const struct gm_cell* cell = grid->cell + i;
    if (cell->k > 1 && lost(cell) && grid->stock[cell->stock].kind == GM_SEED_MIXED)
      run->item[items++] = i;
  }
  if (each(run, items, rescue, err)) return err->code;
  for (int i = 0; i < grid->stocks && items; i++)
    if (raise_all(run, grid->stock[i].k, err)) return err->code;
  return GM_OK;
}

/* ---- finalists ---- */

static void search_finalist(struct worker* w, int item) {
  const struct gm_grid* grid = w->run->grid;
  struct gm_cell* cell = grid->cell + w->run->item[item];
  struct gm_error err = {0};
  w->quest.proposals = grid->proposals + grid->more * cell->k;
  open_cell(w, cell);
  restore(w, cell);
  if (gm_searcher_propose(&w->s, &err)) return;
  const double before = cell->record.run.objective;
  keep(w, cell);
  cell->changed = cell->record.run.objective > before;
}

static double criterion(const struct gm_grid* grid, const struct gm_cell* cell) {
  const double certainty = grid->use_certainty ? cell->certainty : 0;
  return cell->penalty - 2 * grid->scale * (cell->record.run.loglik + certainty);
}

static void weigh_certainty(struct worker* w, int item) {
  struct gm_cell* cell = w->run->grid->cell + item;
  const struct gm_rows* rows = w->seeder.rows;
  struct gm_error err = {0};
  struct gm_factors f;
  cell->certainty = 0;
  if (!solved(cell)) return;
  double* work = gm_factors_init(&f, cell->family, rows->d, cell->k, w->search_mem);
  f.noise = w->bounds.noise;
  if (gm_factors_set(&f, &cell->params, &w->engine, &err)) return;
  struct gm_rows counted = *rows;
  if (rows->trimming) {
    if (gm_trim(rows, &f, &w->engine, work, &err)) return;
    counted.w = rows->trimming->kept;
  }
  (void)!gm_certainty(&counted, &f, &w->engine, &cell->certainty, work, &err);
}

static int search_finalists(struct run_of_grid* run, struct gm_error* err) {
  const struct gm_grid* grid = run->grid;
  int items = 0;
  if (grid->use_certainty && each(run, grid->cells, weigh_certainty, err))
    return err->code;
  while (items < grid->finalists) {
    int best = -1;
    for (int i = 0; i < grid->cells; i++) {
      const struct gm_cell* cell = grid->cell + i;
      const int closed = cell->k == 1 && !run->seeder->rows->trimming;
      int taken = !solved(cell) || cell->record.spurious || closed;
      for (int j = 0; j < items && !taken; j++) taken = run->item[j] == i;
      if (!taken &&
          (best < 0 || criterion(grid, cell) < criterion(grid, grid->cell + best)))
        best = i;
    }
    if (best < 0) break;
    run->item[items++] = best;
  }
  for (int i = 0; i < grid->cells; i++) grid->cell[i].changed = 0;
  if (each(run, items, search_finalist, err)) return err->code;
  for (int i = 0; i < grid->stocks; i++)
    if (raise_all(run, grid->stock[i].k, err)) return err->code;
  return GM_OK;
}

/* ---- the door ---- */

static void tell_news(struct worker* w, int item) {
  const struct run_of_grid* run = w->run;
  const struct gm_cell* cell = run->grid->cell + run->item[item];
  const int at = run->items * run->turn + item;
  struct news* news = run->news + at;
  const int d = w->seeder.rows->d;
  gm_params_init(&news->params, widest(), d, cell->k,
                 run->news_mem + at * gm_params_size(widest(), d, cell->k));
  news->same_as = solved(cell) ? at : -1;
  if (news->same_as < 0) return;
  widen_all(w, &cell->params);
  gm_params_copy(&news->params, &w->wide);
  share_steps(w, &news->params);
}

/* What the cells of this k have come to; of what is about the same, the first is told. */
static int gather_news(struct run_of_grid* run, struct gm_error* err) {
  struct news* news = run->news;
  const int told = run->items * run->turn;
  if (each(run, run->items, tell_news, err)) return err->code;
  for (int i = told; i < told + run->items; i++) {
    if (news[i].same_as < 0) continue;
    for (int j = 0; j < i; j++)
      if (news[j].same_as == j &&
          gm_alike(&news[i].params, &news[j].params, RUMOUR, run->worker->spare)) {
        news[i].same_as = j;
        break;
      }
  }
  return GM_OK;
}

static void tell(const struct gm_grid* grid, const char* what, int at, int of) {
  *grid->progress = (struct gm_progress){.what = what, .at = at, .of = of};
}

int gm_grid_search(const struct gm_grid* grid, const struct gm_seeder* seeder,
                   double* work, struct gm_error* err) {
  struct run_of_grid run;
  run_init(&run, grid, seeder, 0, work);
  *err = (struct gm_error){.code = GM_OK};
  for (int i = 0; i < grid->stocks; i++) {
    int items = 0;
    run.stock = grid->stock + i;
    tell(grid, "numbers of components", i + 1, grid->stocks);
    for (int c = 0; c < grid->cells; c++)
      if (grid->cell[c].k == run.stock->k) run.item[items++] = c;
    run.item[items] = -1;
    run.items = items;
    if (each(&run, run.stock->starts, make_start, err) ||
        each(&run, items, try_starts, err))
      return err->code;
    const int turns = run.stock->k <= CHEAP ? TURNS : 1;
    for (run.turn = 0; run.turn < turns; run.turn++) {
      run.last_turn = run.turn == turns - 1;
      if (gather_news(&run, err) || each(&run, items, try_neighbours, err))
        return err->code;
    }
    if (raise_all(&run, run.stock->k, err)) return err->code;
  }
  if (rescue_all(&run, err) || search_finalists(&run, err)) return err->code;
  return each(&run, grid->cells, weigh_certainty, err);
}

static void refine_cell(struct worker* w, int item) {
  struct gm_cell* cell = w->run->grid->cell + item;
  open_cell(w, cell);
  restore(w, cell);
  if (!w->pool.count) return;
  cell->record.state = GM_SHORT;
  if (gm_searcher_run(&w->s, w->pool.result, &w->quest.em)) return;
  keep(w, cell);
}

int gm_grid_refine(const struct gm_grid* grid, const struct gm_seeder* seeder,
                   double* work, struct gm_error* err) {
  struct run_of_grid run;
  run_init(&run, grid, seeder, 1, work);
  *err = (struct gm_error){.code = GM_OK};
  if (each(&run, grid->cells, refine_cell, err)) return err->code;
  for (int i = 0; i < grid->stocks; i++)
    if (raise_all(&run, grid->stock[i].k, err)) return err->code;
  return each(&run, grid->cells, weigh_certainty, err);
}
