/* Variational Bayes (Attias 2000; Bishop 2006, section 10.2; stick-breaking weights: Blei & Jordan
   2006). With the conjugate prior of prior.c the factor q(proportions, means, precisions) of the
   mean-field posterior has, from the weights n_j that the components hold in N rows,

     proportions          Dirichlet(alpha + n_j); or v_j ~ Beta(1 + n_j, alpha + sum_l>j n_l) with
                          proportion_j = v_j prod_l<j (1 - v_l)
     mean_j | Sigma_j     normal(mean_j, Sigma_j / kappa_j), kappa_j = kappa + n_j
     Sigma_j              inverse Wishart(nu_j, nu_j cov_j), nu_j = nu + n_j (N where it is common),

   so that n_j / N, mean_j and cov_j, the inverse of the expected precision, say it all: a
   gm_params, whose M-step is that of mstep.c. For diagonal covariances each precision is
   Gamma(nu_j / 2), for spherical ones Gamma(d nu_j / 2). The E-step is the plain one, with

     logc_j = E log proportion_j + E log|Sigma_j^-1| / 2 - d/2 log 2 pi - d / (2 kappa_j),

   and the objective, the evidence lower bound, is its log-likelihood less the Kullback-Leibler
   divergence of q from the prior. With weights that count share times, rows and divergence do. */
#include <math.h>

#include "gm.h"

/* d/dx log Gamma(x), x > 0: recurrence to 10, from where the asymptotic series is exact to rounding
   (Abramowitz & Stegun 6.3.18). */
static double digamma(double x) {
  double sum = 0;
  for (; x < 10; x++) sum -= 1 / x;
  const double z = 1 / (x * x);
  const double series =
      z *
      (1.0 / 12 -
       z * (1.0 / 120 -
            z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 -
                                                                    z * (1.0 / 12)))))));
  return sum + log(x) - 0.5 / x - series;
}

/* ---- precisions: |Sigma^-1| is a product of Gamma variables --------------------------- */

/* log of the normalisation of nu, what is common to all nu aside. */
static double log_gammas(enum gm_shape shape, int d, double nu) {
  if (shape == GM_SPHER) return lgamma(d * nu / 2) - d * nu / 2 * log(d);
  if (shape == GM_DIAG) return d * lgamma(nu / 2);
  double sum = 0;
  for (int a = 0; a < d; a++) sum += lgamma((nu - a) / 2);
  return sum;
}

/* E log|Sigma^-1| + log|cov| */
static double log_spread(enum gm_shape shape, int d, double nu) {
  if (shape == GM_SPHER) return d * (digamma(d * nu / 2) + log(2 / (d * nu)));
  if (shape == GM_DIAG) return d * (digamma(nu / 2) + log(2 / nu));
  double sum = d * log(2 / nu);
  for (int a = 0; a < d; a++) sum += digamma((nu - a) / 2);
  return sum;
}

/* log|scale| of the prior, as the shape takes it. */
static double log_scale(const struct gm_prior* prior, enum gm_shape shape, int d) {
  double sum = 0, trace = 0;
  for (int a = 0; a < d; a++) {
    const double v = prior->scale[a + (ptrdiff_t)d * a];
    trace += v;
    sum += shape == GM_TRIANG ? 2 * log(prior->root[a + (ptrdiff_t)d * a]) : log(v);
  }
  return shape == GM_SPHER ? d * log(trace / d) : sum;
}

static double rows_of(const struct gm_prior* prior, const struct gm_params* params,
                      int j) {
  return params->prop[j] * prior->weight;
}

/* nu_j */
static double df_of(const struct gm_prior* prior, const struct gm_params* params, int j) {
  return prior->df + (params->family->shared ? prior->weight : rows_of(prior, params, j));
}

/* ---- proportions ---------------------------------------------------------------------- */

/* log_prop <- E log proportion_j */
static void expect_proportions(const struct gm_prior* prior,
                               const struct gm_params* params, double* log_prop) {
  const int k = params->k;
  if (prior->posterior == GM_DIRICHLET) {
    const double all = digamma(k * prior->alpha + prior->weight);
    for (int j = 0; j < k; j++)
      log_prop[j] = digamma(prior->alpha + rows_of(prior, params, j)) - all;
    return;
  }
  double after = 0, before = 0; /* rows of the components behind; log of what is left */
  for (int j = k; j-- > 0;) {
    log_prop[j] = after;
    after += rows_of(prior, params, j);
  }
  for (int j = 0; j < k; j++) {
    const double a = 1 + rows_of(prior, params, j), b = prior->alpha + log_prop[j];
    const double both = digamma(a + b);
    log_prop[j] = before + digamma(a) - both;
    before += digamma(b) - both;
  }
}

static double log_beta(double a, double b) {
  return lgamma(a) + lgamma(b) - lgamma(a + b);
}

/* The divergence of q(proportions) from their prior. */
static double diverge_proportions(const struct gm_prior* prior,
                                  const struct gm_params* params) {
  const int k = params->k;
  const double alpha = prior->alpha;
  double sum = 0;
  if (prior->posterior == GM_DIRICHLET) {
    const double all = k * alpha + prior->weight, mean = digamma(all);
    sum = lgamma(all) - lgamma(k * alpha);
    for (int j = 0; j < k; j++) {
      const double n = rows_of(prior, params, j), a = alpha + n;
      sum += lgamma(alpha) - lgamma(a) + n * (digamma(a) - mean);
    }
    return sum;
  }
  double after = 0;
  for (int j = k; j-- > 0;) {
    const double n = rows_of(prior, params, j), a = 1 + n, b = alpha + after;
    const double both = digamma(a + b);
    sum += log_beta(1, alpha) - log_beta(a, b) + n * (digamma(a) - both) +
           after * (digamma(b) - both);
    after += n;
  }
  return sum;
}

/* ---- what EM asks --------------------------------------------------------------------- */

void gm_vb_weights(const struct gm_prior* prior, const struct gm_params* params,
                   double* log_weight) {
  const int d = params->d;
  expect_proportions(prior, params, log_weight);
  for (int j = 0; j < params->k; j++) {
    const double kappa = prior->kappa + rows_of(prior, params, j);
    const double nu = df_of(prior, params, j);
    log_weight[j] += (log_spread(params->family->shape, d, nu) - d / kappa) / 2;
  }
}

double gm_vb_divergence(const struct gm_bounds* bounds, const struct gm_params* params,
                        double* work) {
  const struct gm_prior* prior = bounds->prior;
  const int d = params->d, k = params->k;
  const enum gm_shape shape = params->family->shape;
  const double scale = log_scale(prior, shape, d);
  double sum = diverge_proportions(prior, params);
  for (int j = 0; j < k; j++) {
    const struct gm_prior_terms t = gm_prior_look(prior, params, j, work);
    if (shape == GM_TRIANG && gm_stop(bounds->engine, gm_cube(d))) return NAN;
    const double ratio = prior->kappa / (prior->kappa + rows_of(prior, params, j));
    sum += d * (ratio - 1 - log(ratio)) / 2 + prior->kappa * t.distance / 2;
    if (params->family->shared && j > 0) continue;
    const double nu = df_of(prior, params, j), more = nu - prior->df;
    sum += nu / 2 * (t.logdet + d * log(nu)) - prior->df / 2 * scale -
           more * d / 2 * log(2) - log_gammas(shape, d, nu) +
           log_gammas(shape, d, prior->df) +
           more / 2 * (log_spread(shape, d, nu) - t.logdet) + (t.trace - nu * d) / 2;
  }
  return sum;
}
