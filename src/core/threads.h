/* OpenMP where there is one. The number of threads is the caller's (gm_engine.threads). */
#ifndef GM_THREADS_H
#define GM_THREADS_H

#ifdef _OPENMP
#include <omp.h>
static inline int gm_thread_id(void) { return omp_get_thread_num(); }
#else
static inline int gm_thread_id(void) { return 0; }
#endif

#endif
