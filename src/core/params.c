/* Layout of parameters, and what the kernels make of them. */
#include <math.h>
#include <string.h>

#include "gm.h"
#include "matrix.h"

ptrdiff_t gm_cov_length(enum gm_shape shape, int d) {
  return shape == GM_TRIANG ? (ptrdiff_t)d * d : shape == GM_DIAG ? d : 1;
}

ptrdiff_t gm_cov_stride(const struct gm_family* family, int d) {
  return family->shared ? 0 : gm_cov_length(family->shape, d);
}

static ptrdiff_t cov_size(const struct gm_family* family, int d, int k) {
  return gm_cov_length(family->shape, d) * (family->shared ? 1 : k);
}

ptrdiff_t gm_params_size(const struct gm_family* family, int d, int k) {
  return k + 1 + (ptrdiff_t)d * k + cov_size(family, d, k);
}

double* gm_params_init(struct gm_params* params, const struct gm_family* family, int d,
                       int k, double* mem) {
  params->family = family;
  params->d = d;
  params->k = k;
  params->prop = mem;
  params->mean = params->prop + k + 1;
  params->cov = params->mean + (ptrdiff_t)d * k;
  return mem + gm_params_size(family, d, k);
}

void gm_params_copy(struct gm_params* to, const struct gm_params* from) {
  memcpy(to->prop, from->prop,
         (size_t)gm_params_size(from->family, from->d, from->k) * sizeof *to->prop);
}

void gm_params_exchange(struct gm_params* params, int i, int j) {
  const ptrdiff_t d = params->d, stride = gm_cov_stride(params->family, params->d);
  double* parts[] = {params->prop, params->mean, params->cov};
  const ptrdiff_t sizes[] = {1, d, stride};
  for (int part = 0; part < 3; part++)
    for (ptrdiff_t a = 0; a < sizes[part]; a++) {
      double* x = parts[part] + a + sizes[part] * i;
      double* y = parts[part] + a + sizes[part] * j;
      const double held = *x;
      *x = *y;
      *y = held;
    }
}

void gm_params_noise(struct gm_params* params, double share) {
  const double rest = (1 - share) / (1 - params->prop[params->k]);
  for (int j = 0; j < params->k; j++) params->prop[j] *= rest;
  params->prop[params->k] = share;
}

static int screened(enum gm_shape shape, int d) {
  return shape == GM_TRIANG && d >= GM_SCREEN;
}

ptrdiff_t gm_factors_size(const struct gm_family* family, int d, int k) {
  const ptrdiff_t cov = cov_size(family, d, k);
  return k + 1 + cov + (screened(family->shape, d) ? k + 2 * d + (cov + 1) / 2 : 0);
}

double* gm_factors_init(struct gm_factors* f, const struct gm_family* family, int d,
                        int k, double* mem) {
  f->shape = family->shape;
  f->d = d;
  f->k = k;
  f->stride = gm_cov_stride(family, d);
  f->logc = mem;
  f->factor = mem + k + 1;
  f->trust = f->factor + cov_size(family, d, k);
  f->screen = screened(f->shape, d) ? (float*)(f->trust + k + 2 * d) : NULL;
  f->mean = f->prop = f->cov = NULL;
  f->noise = NULL;
  return mem + gm_factors_size(family, d, k);
}

double gm_factorise(enum gm_shape shape, int d, double* cov) {
  if (shape == GM_TRIANG) {
    if (!gm_cholesky(cov, d)) return NAN;
    const double logdet = gm_sum_of_logs(cov, d + 1, d);
    for (int a = 0; a < d; a++) {
      double* pivot = cov + a + (ptrdiff_t)d * a;
      *pivot = 1 / *pivot;
    }
    return logdet;
  }
  const int variances = shape == GM_DIAG ? d : 1;
  for (int a = 0; a < variances; a++)
    if (!(cov[a] > 0)) return NAN;
  const double logdet = 0.5 * gm_sum_of_logs(cov, 1, variances);
  for (int a = 0; a < variances; a++) cov[a] = 1 / sqrt(cov[a]);
  return shape == GM_DIAG ? logdet : d * logdet;
}

double gm_log_constant(int d, double logdet) {
  static const double half_log_2pi = 0.91893853320467274178;
  return -d * half_log_2pi - logdet;
}

int gm_factors_set(struct gm_factors* f, const struct gm_params* params,
                   const struct gm_engine* engine, struct gm_error* err) {
  for (int j = 0; j < params->k; j++) f->logc[j] = log(params->prop[j]);
  return gm_factors_fill(f, params, engine, err);
}

int gm_factors_fill(struct gm_factors* f, const struct gm_params* params,
                    const struct gm_engine* engine, struct gm_error* err) {
  const ptrdiff_t length = gm_cov_length(f->shape, f->d);
  double logdet = NAN;
  f->mean = params->mean;
  f->prop = params->prop;
  f->cov = params->cov;
  f->logc[f->k] = f->noise ? log(params->prop[f->k]) - f->noise->log_volume : -INFINITY;
  for (int j = 0; j < params->k; j++) {
    if (j == 0 || f->stride) {
      double* factor = f->factor + f->stride * j;
      memcpy(factor, params->cov + f->stride * j, (size_t)length * sizeof *factor);
      logdet = gm_factorise(f->shape, f->d, factor);
    }
    if (!isfinite(logdet)) {
      *err = (struct gm_error){.code = GM_NOT_POSITIVE, .component = j + 1};
      return err->code;
    }
    f->logc[j] += gm_log_constant(f->d, logdet);
    if (f->screen) gm_screen_set(f, j, f->trust + f->k);
    if (f->shape == GM_TRIANG && f->stride && gm_stop(engine, gm_cube(f->d) / 3)) {
      *err = (struct gm_error){.code = GM_STOPPED};
      return err->code;
    }
  }
  return GM_OK;
}
