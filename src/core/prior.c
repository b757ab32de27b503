/* The conjugate prior of a mixture's parameters, for maximum a posteriori fits:

     proportions          Dirichlet(alpha, ..., alpha), that of the noise too
     mean_j | Sigma_j     normal(m, Sigma_j / kappa)
     Sigma_j              inverse Wishart(nu, Lambda): density in proportion to
                          |Sigma|^-(nu + d + 1)/2 exp(-tr(Lambda Sigma^-1) / 2)

   restricted to the family; where one covariance is common, one inverse Wishart factor (Fraley &
   Raftery 2007, section 3, who write the same for VVV and EEE). The mode is taken in (proportions,
   means, covariances). To the M-step the prior is more data: it adds to weights and scatter, and so
   serves every family. All of it counts `share` times. For variational Bayes see vb.c. */
#include <math.h>
#include <string.h>

#include "gm.h"
#include "matrix.h"

double gm_prior_rows(const struct gm_prior* prior, int d) {
  if (prior->posterior != GM_MODE) return prior->share * prior->df;
  return prior->share *
         ((prior->df > 0 ? prior->df + d + 1 : 0) + (prior->kappa > 0 ? 1 : 0));
}

static double kappa(const struct gm_prior* prior) { return prior->share * prior->kappa; }

void gm_prior_mean(const struct gm_prior* prior, double n, int d, enum gm_shape shape,
                   double* mean, double* scatter, double* apart) {
  const double more = kappa(prior);
  if (!(n + more > 0)) return;
  const double weight = more * n / (n + more);
  for (int a = 0; a < d; a++) {
    apart[a] = mean[a] - prior->mean[a];
    mean[a] = prior->mean[a] + n / (n + more) * apart[a];
  }
  for (int b = 0; b < d; b++) {
    if (shape == GM_TRIANG) {
      for (int a = b; a < d; a++)
        scatter[a + (ptrdiff_t)d * b] += weight * apart[a] * apart[b];
    } else {
      scatter[b] += weight * apart[b] * apart[b];
    }
  }
}

void gm_prior_scatter(const struct gm_prior* prior, int d, enum gm_shape shape,
                      double* scatter) {
  if (!(prior->df > 0)) return;
  for (int b = 0; b < d; b++) {
    if (shape == GM_TRIANG) {
      for (int a = b; a < d; a++)
        scatter[a + (ptrdiff_t)d * b] +=
            prior->share * prior->scale[a + (ptrdiff_t)d * b];
    } else {
      scatter[b] += prior->share * prior->scale[b + (ptrdiff_t)d * b];
    }
  }
}

struct gm_prior_terms gm_prior_look(const struct gm_prior* prior,
                                    const struct gm_params* params, int j, double* work) {
  const int d = params->d;
  const enum gm_shape shape = params->family->shape;
  const double* cov = params->cov + gm_cov_stride(params->family, d) * j;
  const double* mean = params->mean + (ptrdiff_t)d * j;
  struct gm_prior_terms t = {0};
  if (shape != GM_TRIANG) {
    for (int a = 0; a < d; a++) {
      const double v = cov[shape == GM_DIAG ? a : 0], apart = mean[a] - prior->mean[a];
      t.logdet += log(v);
      t.distance += apart * apart / v;
      if (prior->df > 0) t.trace += prior->scale[a + (ptrdiff_t)d * a] / v;
    }
    return t;
  }
  double* chol = work;
  double* column = work + (ptrdiff_t)d * d;
  memcpy(chol, cov, (size_t)d * d * sizeof *cov);
  if (!gm_cholesky(chol, d)) return (struct gm_prior_terms){NAN, NAN, NAN};
  /* tr(Lambda Sigma^-1) = sum over the columns v of Lambda's factor of ||L^-1 v||^2 */
  for (int c = prior->df > 0 ? 0 : d; c <= d; c++) {
    double sum = 0;
    for (int a = 0; a < d; a++) {
      double v = c == d  ? mean[a] - prior->mean[a]
                 : a < c ? 0
                         : prior->root[a + (ptrdiff_t)d * c];
      for (int b = 0; b < a; b++) v -= chol[a + (ptrdiff_t)d * b] * column[b];
      column[a] = v / chol[a + (ptrdiff_t)d * a];
      sum += column[a] * column[a];
    }
    if (c < d)
      t.trace += sum;
    else
      t.distance = sum;
  }
  for (int a = 0; a < d; a++) t.logdet += 2 * log(chol[a + (ptrdiff_t)d * a]);
  return t;
}

double gm_log_prior(const struct gm_bounds* bounds, const struct gm_params* params,
                    double* work) {
  const struct gm_prior* prior = bounds->prior;
  const int d = params->d, k = params->k;
  const enum gm_shape shape = params->family->shape;
  const ptrdiff_t stride = gm_cov_stride(params->family, d);
  double sum = 0;
  if (prior->posterior != GM_MODE)
    return -prior->share * gm_vb_divergence(bounds, params, work);
  if (prior->alpha > 1 && bounds->noise) sum += (prior->alpha - 1) * log(params->prop[k]);
  for (int j = 0; j < k; j++) {
    const struct gm_prior_terms t = gm_prior_look(prior, params, j, work);
    if (shape == GM_TRIANG && gm_stop(bounds->engine, gm_cube(d))) return NAN;
    if (prior->alpha > 1) sum += (prior->alpha - 1) * log(params->prop[j]);
    if (prior->kappa > 0)
      sum += prior->constant[1] - (t.logdet + prior->kappa * t.distance) / 2;
    if (prior->df > 0 && (stride || j == 0))
      sum += prior->constant[2] - ((prior->df + d + 1) * t.logdet + t.trace) / 2;
  }
  return prior->share * (sum + prior->constant[0]);
}
