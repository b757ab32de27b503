/* The EM loop (Dempster, Laird & Rubin 1977): E-step and M-step in turn until what is left to gain
   is small. The objective is the log-likelihood, with a prior plus its log density, and the
   constants of rows that it alone counts. It knows neither the rows' home nor the family.

   Convergence. g_t is the gain of step t, a the largest of the last three ratios g_t / g_(t-1);
   for a linearly converging run g_t a / (1 - a) is what all further steps would gain together.
   Converged: that is below tol times the weight at two steps in a row; or the gain is below the
   objective's rounding error at three. a >= 1, a run that leaves a saddle, never converges. Where
   rows are trimmed, the last two E-steps must also have kept the same ones. */
#include <float.h>
#include <math.h>

#include "gm.h"

enum { RATIOS = 3 };

struct watch { /* of the last gains */
  double gain, ratio[RATIOS];
  int small, still;
};

/* Takes in a step's gain; returns the projected remaining gain. */
static double watch_step(struct watch* watch, double gain, double objective,
                         double weight, double tol) {
  for (int i = RATIOS - 1; i > 0; i--) watch->ratio[i] = watch->ratio[i - 1];
  watch->ratio[0] = watch->gain > 0 ? fabs(gain) / watch->gain : INFINITY;
  watch->gain = gain;
  double a = 0;
  for (int i = 0; i < RATIOS; i++) a = fmax(a, watch->ratio[i]);
  const double left = a < 1 ? fabs(gain) * a / (1 - a) : INFINITY;
  const double noise = 16 * DBL_EPSILON * (fabs(objective) + weight);
  watch->small = left < tol * weight ? watch->small + 1 : 0;
  watch->still = fabs(gain) <= noise ? watch->still + 1 : 0;
  return left;
}

/* E-step at params; the objective must be a number. work: of the M-step, which leaves the old
   parameters at its begin. */
static int look(const struct gm_home* home, const struct gm_bounds* bounds,
                const struct gm_params* params, struct gm_stats* stats,
                struct gm_run* run, double* work, struct gm_error* err) {
  if (home->estep(home->data, params, stats, err)) return err->code;
  run->passes++;
  run->loglik = stats->total[GM_LOGLIK];
  run->objective = run->loglik + stats->total[GM_CONSTANT];
  if (bounds->prior)
    run->objective += gm_log_prior(
        bounds, params, work + gm_params_size(params->family, params->d, params->k));
  if (!isfinite(run->objective)) *err = (struct gm_error){.code = GM_NUMERIC};
  return err->code;
}

/* Did the last E-step keep the rows of the one before? */
static int same_rows(const struct gm_home* home, const struct gm_stats* stats) {
  return !home->trimming || home->trimming->moved <= 1e-9 * stats->total[GM_WEIGHT];
}

int gm_em(const struct gm_home* home, const struct gm_bounds* bounds,
          const struct gm_em_control* control, struct gm_params* params,
          struct gm_stats* stats, double* trace, double* work, struct gm_run* run,
          struct gm_error* err) {
  struct watch watch = {.gain = NAN, .ratio = {INFINITY, INFINITY, INFINITY}};
  *err = (struct gm_error){.code = GM_OK};
  *run = (struct gm_run){.gain = NAN};
  if (look(home, bounds, params, stats, run, work, err)) return err->code;
  trace[0] = run->objective;
  const int closed = params->k == 1 && gm_stats_complete(stats); /* a single step */

  while (run->iterations < control->max_iter && !run->converged) {
    const double before = run->objective;
    if (gm_mstep(stats, bounds, params, work, err)) break;
    if (look(home, bounds, params, stats, run, work, err)) break;
    if (run->objective - before < -1e-8 * (fabs(before) + stats->total[GM_WEIGHT])) {
      if (!(bounds->ratio < INFINITY) && !gm_floored(params, bounds, 1, work)) {
        *err = (struct gm_error){.code = GM_NUMERIC};
        break;
      }
      /* at a bound the rounding of clipping is all that is left: the run is at its end */
      gm_mstep_undo(params, work);
      if (look(home, bounds, params, stats, run, work, err)) break;
      run->converged = control->tol > 0;
      break;
    }
    trace[++run->iterations] = run->objective;
    run->gain = run->objective - before;
    const double left = watch_step(&watch, run->gain, run->objective,
                                   stats->total[GM_WEIGHT], control->tol);
    if (control->tol > 0 && same_rows(home, stats))
      run->converged = closed || watch.small >= 2 || watch.still >= 3;
    if (!run->converged && control->hopeless &&
        control->hopeless(control->data, run, left)) {
      run->abandoned = 1;
      break;
    }
  }
  if (err->code == GM_FLOOR) { /* the last admissible iterate is the result */
    run->floored = err->component;
    *err = (struct gm_error){.code = GM_OK};
  }
  if (err->code) err->iteration = run->iterations + 1;
  return err->code;
}
