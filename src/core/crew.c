/* Tasks over threads: each is done by one thread, as they come free. Which one does it changes
   nothing of what it comes to. */
#include "crew.h"

#include "threads.h"

/* With more operations in an E-step threads go over its rows. */
#define TASK_MAX 1e8

int gm_crew_threads(int threads, double operations) {
#ifdef _OPENMP
  return operations < TASK_MAX ? threads : 1;
#else
  (void)threads;
  (void)operations;
  return 1;
#endif
}

int gm_crew_stopped(struct gm_crew* crew) {
  int stop;
#ifdef _OPENMP
#pragma omp atomic read
#endif
  stop = crew->stop;
  return stop;
}

static int hand_tick(void* data) {
  const struct gm_hand* hand = data;
  struct gm_crew* crew = hand->crew;
  const struct gm_engine* engine = crew->engine;
  if (hand->caller && engine->tick && !gm_crew_stopped(crew) &&
      engine->tick(engine->tick_data)) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
    crew->stop = 1;
  }
  return gm_crew_stopped(crew);
}

struct gm_engine gm_hand_engine(struct gm_hand* hand) {
  struct gm_engine engine = *hand->crew->engine;
  if (hand->crew->threads > 1) engine.threads = 1;
  engine.tick = hand_tick;
  engine.tick_data = hand;
  return engine;
}

/* The caller's thread ticks while it waits for the others. */
int gm_crew_each(struct gm_crew* crew, int items,
                 void (*task)(void* data, int thread, int item), void* data,
                 struct gm_error* err) {
  int next = 0, done = 0;
  const int threads = crew->threads < items ? crew->threads : items;
  if (threads <= 1) {
    for (int i = 0; i < items && !gm_crew_stopped(crew); i++) task(data, 0, i);
  } else {
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
    {
      const int thread = gm_thread_id();
      struct gm_hand hand = {.crew = crew, .caller = thread == 0};
      for (int i; !gm_crew_stopped(crew);) {
#pragma omp atomic capture
        i = next++;
        if (i >= items) break;
        task(data, thread, i);
#pragma omp atomic
        done++;
      }
      for (int all = 0; thread == 0 && !all && !hand_tick(&hand);) {
#pragma omp atomic read
        all = done;
        all = all >= items;
      }
    }
#endif
  }
  (void)next;
  (void)done;
  if (!gm_crew_stopped(crew)) return GM_OK;
  *err = (struct gm_error){.code = GM_STOPPED};
  return err->code;
}
