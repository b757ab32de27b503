/* Tasks over threads, where each is too small for threads over its rows. */
#ifndef GM_CREW_H
#define GM_CREW_H

#include "gm.h"

struct gm_crew {
  const struct gm_engine* engine; /* the caller's */
  int threads, stop;
};
struct gm_hand { /* a thread of it */
  struct gm_crew* crew;
  int caller; /* 1: the caller's thread, which alone may tick */
};

/* How many threads a crew has for runs of EM whose E-steps take so many operations: all or 1. */
int gm_crew_threads(int threads, double operations);
int gm_crew_stopped(struct gm_crew* crew);
/* How the hand computes: by itself, or where it is alone as the crew's caller does. */
struct gm_engine gm_hand_engine(struct gm_hand* hand);
/* task(data, thread, item) for each item, as threads come free; thread 0 is the caller's. */
int gm_crew_each(struct gm_crew* crew, int items,
                 void (*task)(void* data, int thread, int item), void* data,
                 struct gm_error* err) GM_MUST_CHECK;

#endif
