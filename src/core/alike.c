/* Are two mixtures about the same? Each component of the one is paired with one of the other, in any
   order; apart is a pair by
     log(p / q)^2 + || L^-1 (mu - nu) ||^2 + || L^-1 S L^-T - I ||^2 / 2,
   with p, mu, S and q, nu, L L' proportion, mean and covariance of the two: near zero about twice
   the information divergence. */
#include <math.h>
#include <string.h>

#include "gm.h"
#include "matrix.h"

ptrdiff_t gm_alike_work(int d) { return 2 * (ptrdiff_t)d * d + d; }

/* Component i of a from j of b; far once it is past the limit. */
static double apart(const struct gm_params* a, int i, const struct gm_params* b, int j,
                    double limit, double* work) {
  const int d = a->d;
  const enum gm_shape shape = a->family->shape;
  const ptrdiff_t len = gm_cov_length(shape, d), stride = gm_cov_stride(a->family, d);
  const int step = shape == GM_TRIANG ? d + 1 : shape == GM_DIAG;
  const double *s = a->cov + stride * i, *t = b->cov + stride * j;
  const double *mean = a->mean + (ptrdiff_t)d * i, *other = b->mean + (ptrdiff_t)d * j;
  const double ratio = log(a->prop[i] / b->prop[j]);
  double sum = ratio * ratio;
  double *root = work, *turned = root + len, *z = turned + len;
  for (int c = 0; c < d; c++) { /* along each variable it is no more */
    const double shift = mean[c] - other[c], v = t[(ptrdiff_t)step * c];
    const double more = s[(ptrdiff_t)step * c] / v - 1;
    z[c] = shift;
    if (!(sum + shift * shift / v + more * more / 2 <= limit)) return INFINITY;
    if (shape != GM_TRIANG) sum += shift * shift / v + more * more / 2;
  }
  if (shape != GM_TRIANG) return sum;
  memcpy(root, t, (size_t)len * sizeof *root);
  if (!gm_cholesky(root, d)) return INFINITY;
  for (int c = 0; c < d; c++) {
    for (int e = 0; e < c; e++) z[c] -= root[c + (ptrdiff_t)d * e] * z[e];
    z[c] /= root[c + (ptrdiff_t)d * c];
    sum += z[c] * z[c];
  }
  if (!(sum <= limit)) return INFINITY;
  gm_whiten(s, root, d, turned);
  for (int e = 0; e < d; e++)
    for (int c = e; c < d; c++) {
      const double more = turned[c + (ptrdiff_t)d * e] - (c == e);
      sum += more * more * (c == e ? 0.5 : 1);
    }
  return sum;
}

int gm_alike(const struct gm_params* a, const struct gm_params* b, double limit,
             double* work) {
  const int k = a->k;
  for (int j = 0; j < k; j++) {
    int found = 0;
    for (int i = 0; i < k && !found; i++) found = apart(a, i, b, j, limit, work) <= limit;
    if (!found) return 0;
  }
  return 1;
}
