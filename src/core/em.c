/* The EM loop (Dempster, Laird & Rubin 1977): E-step and M-step in turn until what is left to gain
   is small. The objective is the log-likelihood, with a prior plus its log density, and the
   constants of rows that it alone counts. It knows neither the rows' home nor the family.

   Convergence. g_t is the gain of step t, a the largest of the last three ratios g_t / g_(t-1);
   for a linearly converging run g_t a / (1 - a) is what all further steps would gain together.
   Converged: that is below tol times the weight at two steps in a row; or the gain is below the
   objective's rounding error at three. a >= 1, a run that leaves a saddle, never converges. Where
   rows are trimmed, the last two E-steps must also have kept the same ones.

   A home that knows a way to better parameters without a pass over the rows (a sample of them, see
   R/home.R) is asked first; these leaps need no warm start, and the loop above goes on from where
   they end. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "accel.h"

enum {
  WARM = 5,  /* plain steps before others */
  JUDGED = 5 /* at the end of an accelerated run */
};

static const struct gm_watch no_watch = {
    .gain = NAN, .ratio = {INFINITY, INFINITY, INFINITY}, .left = INFINITY};

/* Takes in a step's gain; returns the projected remaining gain. */
static double watch_step(struct gm_watch* watch, double gain, double objective,
                         double weight, double tol) {
  for (int i = GM_RATIOS - 1; i > 0; i--) watch->ratio[i] = watch->ratio[i - 1];
  watch->ratio[0] = watch->gain > 0 ? fabs(gain) / watch->gain : INFINITY;
  watch->gain = gain;
  double a = 0;
  for (int i = 0; i < GM_RATIOS; i++) a = fmax(a, watch->ratio[i]);
  const double left = watch->left = a < 1 ? fabs(gain) * a / (1 - a) : INFINITY;
  const double noise = 16 * DBL_EPSILON * (fabs(objective) + weight);
  watch->small = left < tol * weight ? watch->small + 1 : 0;
  watch->still = fabs(gain) <= noise ? watch->still + 1 : 0;
  return left;
}

struct loop {
  const struct gm_home* home;
  const struct gm_bounds* bounds;
  struct gm_params* params;
  struct gm_stats* stats;
  double* work;
  struct gm_run* run;
  struct gm_error* err;
  double tol;
  struct gm_accel accel;
  int judged; /* plain steps to come that tell whether the run is at its end; -1: they have told that
                 it is not */
};

/* E-step at params; the objective must be a number. work: of the M-step, which leaves the old
   parameters at its begin. */
static int look(struct loop* l) {
  const struct gm_params* params = l->params;
  struct gm_run* run = l->run;
  if (l->home->estep(l->home->data, params, l->stats, l->err)) return l->err->code;
  run->passes++;
  run->loglik = l->stats->total[GM_LOGLIK];
  run->objective = run->loglik + l->stats->total[GM_CONSTANT];
  if (l->bounds->prior)
    run->objective +=
        gm_log_prior(l->bounds, params,
                     l->work + gm_params_size(params->family, params->d, params->k));
  if (!isfinite(run->objective)) *l->err = (struct gm_error){.code = GM_NUMERIC};
  return l->err->code;
}

/* To the last iterate, whose statistics are lost; an error stays. */
static int back(struct loop* l) {
  const struct gm_error reason = *l->err;
  gm_params_copy(l->params, &l->accel.held);
  *l->err = (struct gm_error){.code = GM_OK};
  if (!look(l)) *l->err = reason;
  return l->err->code;
}

/* The step that acceleration has planned. Returns whether it goes forwards; whatever fails but for a
   stop, it is given up. */
static int bold_step(struct loop* l) {
  const double before = l->run->objective;
  const int done = !gm_accel_mstep(&l->accel, l->bounds, l->params, l->work, l->err) &&
                   !gm_floored(l->params, l->bounds, 1, l->work) && !look(l);
  const double gain = done ? l->run->objective - before : -INFINITY;
  gm_accel_learn(&l->accel, gain);
  if (gain >= 0 || l->err->code == GM_STOPPED) return gain >= 0;
  *l->err = (struct gm_error){.code = GM_OK};
  l->run->objective = before;
  gm_accel_plain(&l->accel);
  return 0;
}

/* E-step and M-step; lost: the statistics are those of a step given up. Returns whether the run can
   go no further. */
static int plain_step(struct loop* l, int lost) {
  const double before = l->run->objective;
  if (lost ? gm_accel_mstep(&l->accel, l->bounds, l->params, l->work, l->err)
           : gm_mstep(l->stats, l->bounds, l->params, l->work, l->err)) {
    if (lost && l->err->code != GM_STOPPED) (void)!back(l);
    return 1;
  }
  if (look(l)) return 1;
  if (l->run->objective - before >= -1e-8 * (fabs(before) + l->stats->total[GM_WEIGHT]))
    return 0;
  if (l->bounds->ratio < INFINITY || gm_floored(l->params, l->bounds, 1, l->work)) {
    /* at a bound the rounding of clipping is all that is left: the run is at its end */
    l->run->converged = !back(l) && l->tol > 0;
  } else {
    *l->err = (struct gm_error){.code = GM_NUMERIC};
  }
  return 1;
}

/* Plans the next step; returns the projected remaining gain. left: what plain steps project. */
static double look_ahead(struct loop* l, int bold, double left) {
  struct gm_accel* accel = &l->accel;
  const double weight = l->stats->total[GM_WEIGHT];
  if (gm_floored(l->params, l->bounds, 1, l->work)) {
    gm_accel_clear(accel);
    return left;
  }
  if (gm_accel_take(accel, l->params, l->stats, l->bounds, l->err)) {
    if (l->err->code != GM_STOPPED) *l->err = (struct gm_error){.code = GM_OK};
    gm_accel_clear(accel);
    return left;
  }
  if (!accel->bold) return left;
  left = accel->rate < 1 ? l->run->gain * fmax(accel->rate, 0) / (1 - accel->rate)
                         : INFINITY;
  if (bold && l->judged < 0) l->judged = 0;
  if (l->judged == 0 && left < l->tol * weight) l->judged = JUDGED;
  if (l->judged > 0) {
    gm_accel_plain(accel);
    if (--l->judged == 0) l->judged = -1;
  }
  return left;
}

/* Leaps, while they bring half of what they promise; the run has converged where one promises less
   than tol. A leap that goes backwards is taken back: what it cost is a pass. */
static int leap(struct loop* l, int max_iter, double* trace) {
  const struct gm_home* home = l->home;
  struct gm_run* run = l->run;
  struct gm_accel* accel = &l->accel;
  const size_t size = (size_t)l->stats->size * sizeof(double);
  for (int going = 1; going && run->iterations < max_iter;) {
    const struct gm_run before = *run;
    double promise = 0;
    gm_params_copy(&accel->held, l->params);
    memcpy(accel->seen, l->stats->nk, size);
    int sound = !home->leap(home->data, l->stats, l->params, &promise, l->err);
    if (sound && fabs(promise) < l->tol * l->stats->total[GM_WEIGHT]) {
      gm_params_copy(l->params, &accel->held);
      run->converged = 1;
      break;
    }
    sound = sound && promise > 0 && !gm_floored(l->params, l->bounds, 1, l->work) &&
            !look(l) && run->objective >= before.objective;
    if (l->err->code == GM_STOPPED) break;
    if (sound) {
      run->gain = run->objective - before.objective;
      trace[++run->iterations] = run->objective;
      going = run->gain > promise / 2;
    } else {
      const int passes = run->passes;
      *run = before;
      run->passes = passes;
      gm_params_copy(l->params, &accel->held);
      memcpy(l->stats->nk, accel->seen, size);
      *l->err = (struct gm_error){.code = GM_OK};
      going = 0;
    }
  }
  gm_accel_clear(accel);
  return l->err->code;
}

/* hopeless() may use the first part. */
static ptrdiff_t shared_work(const struct gm_family* family, int d, int k) {
  const ptrdiff_t mstep = gm_mstep_work(family, d, k);
  ptrdiff_t hopeless = gm_verdict_work(family, d);
  if (hopeless < gm_alike_work(d)) hopeless = gm_alike_work(d);
  return mstep > hopeless ? mstep : hopeless;
}

ptrdiff_t gm_em_work(const struct gm_family* family, int d, int k) {
  return shared_work(family, d, k) + gm_accel_size(family, d, k);
}

/* Did the last E-step keep the rows of the one before? */
static int same_rows(const struct gm_home* home, const struct gm_stats* stats) {
  return !home->trimming || home->trimming->moved <= 1e-9 * stats->total[GM_WEIGHT];
}

int gm_em(const struct gm_home* home, const struct gm_bounds* bounds,
          const struct gm_em_control* control, struct gm_params* params,
          struct gm_stats* stats, double* trace, double* work, struct gm_run* run,
          struct gm_error* err) {
  const double tol = control->tol;
  struct gm_watch* watch = &run->watch;
  struct loop l = {.home = home,
                   .bounds = bounds,
                   .params = params,
                   .stats = stats,
                   .work = work,
                   .run = run,
                   .err = err,
                   .tol = tol};
  gm_accel_init(&l.accel, params, stats,
                work + shared_work(params->family, params->d, params->k));
  *err = (struct gm_error){.code = GM_OK};
  run->abandoned = run->floored = 0;
  if (!control->resume) {
    *run = (struct gm_run){.gain = NAN, .watch = no_watch};
    if (look(&l)) return err->code;
    trace[0] = run->objective;
  }
  const int closed = params->k == 1 && !bounds->noise && !bounds->fixed &&
                     gm_stats_complete(stats); /* a single step */
  const int accelerate = control->accelerate && tol > 0 && !closed && !home->trimming &&
                         !bounds->fixed && !(bounds->ratio < INFINITY);
  if (home->leap && control->accelerate && tol > 0 && !closed &&
      leap(&l, control->max_iter, trace))
    return err->code;

  if (control->resume && control->hopeless)
    run->abandoned = control->hopeless(control->data, run, run->watch.left);
  while (run->iterations < control->max_iter && !run->converged && !run->abandoned) {
    const double before = run->objective;
    const int planned = l.accel.bold;
    gm_params_copy(&l.accel.held, params);
    const int bold = planned && bold_step(&l);
    if (err->code || (!bold && plain_step(&l, planned))) break;
    trace[++run->iterations] = run->objective;
    run->gain = run->objective - before;
    double left = INFINITY;
    if (bold) {
      *watch = no_watch;
    } else {
      left = watch_step(watch, run->gain, run->objective, stats->total[GM_WEIGHT], tol);
      run->converged = tol > 0 && same_rows(home, stats) &&
                       (closed || watch->small >= 2 || watch->still >= 3);
      if (run->converged) break;
    }
    if (accelerate && run->iterations >= WARM && run->iterations < control->max_iter)
      left = look_ahead(&l, bold, left);
    if (err->code) break;
    if (control->hopeless && control->hopeless(control->data, run, left)) {
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
