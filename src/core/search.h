/* The parts of a search that gm_search() and gm_grid() share, see search.c. */
#ifndef GM_SEARCH_H
#define GM_SEARCH_H

#include "crew.h"
#include "gm.h"

#define SAME 1e-6     /* objectives of one optimum differ by less, per unit of weight */
#define ROUNDING 1e-9 /* relative */
#define ALIKE 0.03    /* components of mixtures that go to one optimum, see alike.c */
#define PATIENT 10.0  /* reach of a quest that misses little */

enum { OPTIMA = 2 };

struct gm_matrix_home {
  const struct gm_rows* rows;
  const struct gm_bounds* bounds;
  const struct gm_engine* engine;
  struct gm_factors factors;
  double* work;
};

struct gm_searcher {
  const struct gm_quest* quest;
  const struct gm_seeder* seeder;
  struct gm_pool* pool;
  struct gm_matrix_home home;
  struct gm_params optimum[OPTIMA]; /* that a batch of proposals sees */
  double* step;                     /* of M-step, verdict or proposal */
  struct gm_result* slot;           /* what runs of a batch come to: `slots` of them */
  int slots;                        /* 1: the pool's spare */
  struct gm_crew crew;              /* that makes them */
  struct gm_worker* worker; /* one a thread; NULL: this searcher makes them itself */
};

/* For the family, d and k of the pool's spare. work: gm_refine_work(). */
void gm_searcher_init(struct gm_searcher* s, const struct gm_quest* quest,
                      const struct gm_seeder* seeder, struct gm_pool* pool, double* work);
/* The verdict on the result's components, and its counts. */
int gm_searcher_judge(const struct gm_searcher* s, struct gm_result* result);
/* Which of two runs comes first: fewest components that are the same as another, fewest spurious
   ones, fewest eigenvalues on the floor, the objective. */
int gm_better(const struct gm_record* a, const struct gm_record* b);
/* What is no difference between objectives near this one. */
double gm_searcher_margin(const struct gm_searcher* s, double objective,
                          double tolerance);
/* EM from the result's parameters, and the verdict; returns the run's status. */
int gm_searcher_run(struct gm_searcher* s, struct gm_result* result,
                    const struct gm_em_control* em);
/* The same, abandoned once it can't become better than `best`, or goes to one of the optima known,
   none of them better than that. A record with a run that has begun: it goes on. */
int gm_searcher_race(struct gm_searcher* s, struct gm_result* result,
                     const struct gm_record* best, const struct gm_params* known,
                     int n_known);
/* Puts the spare where it belongs in the pool, if it does: of the same optimum the better stays. */
void gm_searcher_offer(struct gm_searcher* s);
/* Proposals around the pool's best until quest->proposals have failed; fails only when stopped. */
int gm_searcher_propose(struct gm_searcher* s, struct gm_error* err);
/* Runs the pool's optima on, the first to its end and the others as races; the best stays. */
int gm_searcher_refine(struct gm_searcher* s, struct gm_error* err);

#endif
