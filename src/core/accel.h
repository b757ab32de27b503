/* Acceleration of EM, see accel.c. */
#ifndef GM_ACCEL_H
#define GM_ACCEL_H

#include "gm.h"

enum { GM_PAIRS = 5 };

struct gm_pair { /* differences between successive iterates */
  double *natural, *seen, *rest;
};

struct gm_accel {
  struct gm_stats layout;
  struct gm_params held; /* the last iterate */
  double* centre;        /* d x k: what moments are about */
  /* at the last iterate: the E-step's moments; natural parameters; seen less the moments that it
     was made from */
  double *seen, *natural, *rest;
  double* next;                  /* moments for the next M-step */
  struct gm_pair pair[GM_PAIRS]; /* the latest first */
  double observed[GM_PAIRS][GM_PAIRS], complete[GM_PAIRS][GM_PAIRS];
  int points, pairs; /* iterates taken in; differences held */
  double radius;     /* longest step, in the metric of the complete data's information */
  /* of the step that next stands for: */
  int bold;       /* pairs that it rests on; 0: plain EM */
  int cut;        /* is it as long as the radius? */
  double length;  /* its length */
  double promise; /* the gain that it is to bring */
  double
      rate; /* convergence rate of plain EM in the slowest direction seen; NaN: none seen */
  double* work;
};

ptrdiff_t gm_accel_size(const struct gm_family* family, int d, int k);
/* The first iterate is the next to be taken in. mem: gm_accel_size(). */
void gm_accel_init(struct gm_accel* a, const struct gm_params* params,
                   const struct gm_stats* stats, double* mem);
/* Forgets the past. */
void gm_accel_clear(struct gm_accel* a);
/* Takes in the iterate that was made by gm_accel_mstep() or by a plain M-step from the one before.
   Then next stands for a bold step where one can be told, else for a plain one. */
int gm_accel_take(struct gm_accel* a, const struct gm_params* params,
                  const struct gm_stats* stats, const struct gm_bounds* bounds,
                  struct gm_error* err) GM_MUST_CHECK;
/* Next is to be a plain step from the last iterate. */
void gm_accel_plain(struct gm_accel* a);
/* next -> params. On error params are the last iterate. work: gm_mstep_work(). */
int gm_accel_mstep(struct gm_accel* a, const struct gm_bounds* bounds,
                   struct gm_params* params, double* work,
                   struct gm_error* err) GM_MUST_CHECK;
/* What came of a bold step: sets how far the next may go. */
void gm_accel_learn(struct gm_accel* a, double gain);

#endif
