/* Status codes: every core function that can fail returns one and fills a gm_error. The glue
   turns them into R conditions; the core never speaks to R. */
#ifndef GM_ERROR_H
#define GM_ERROR_H

enum gm_status {
  GM_OK = 0,
  GM_NOT_POSITIVE, /* a covariance has no Cholesky factor */
  GM_EMPTY,        /* a component lost all its rows */
  GM_NUMERIC,      /* the objective fell, or is not a number */
  GM_FLOOR,        /* an M-step would take a covariance below the floor */
  GM_STOPPED       /* tick() asked to stop: interrupt or time limit */
};

struct gm_error {
  int code;      /* enum gm_status */
  int component; /* 1-based; 0: none in particular */
  int iteration; /* EM iteration where it happened; 0: at the start */
};

#if defined(__GNUC__) || defined(__clang__)
#define GM_MUST_CHECK __attribute__((warn_unused_result))
#else
#define GM_MUST_CHECK
#endif

#endif
