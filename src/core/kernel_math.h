/* Template (no include guard): vectors of GM_W rows, exp, log, sqrt, sin and cos over them, and the
   two stages that need no shape, posterior and normals. Contract: struct gm_kernel in gm.h; includer's
   part: simd.h. Polynomials: tools/minimax.py; errors and measurements: design/kernels.md. */

#include <math.h>

typedef double vec __attribute__((vector_size(8 * GM_W)));
typedef double vec_unaligned __attribute__((vector_size(8 * GM_W), aligned(8), may_alias));
typedef uint64_t bits __attribute__((vector_size(8 * GM_W)));

/* Vectors of rows that go through a tile at once: their latencies overlap. */
enum { NV = GM_REGISTERS >= 32 ? 4 : 2 };

GM_INLINE vec splat(double x) { return x - (vec){0}; }
GM_INLINE bits splat_bits(uint64_t x) { return x - (bits){0}; }
GM_INLINE vec load(const double* p) { return *(const vec_unaligned*)p; }
GM_INLINE void store(double* p, vec x) { *(vec_unaligned*)p = x; }
GM_INLINE vec keep(vec x, bits mask) { return (vec)((bits)x & mask); }
GM_INLINE vec choose(bits mask, vec yes, vec no) {
  return (vec)(((bits)yes & mask) | ((bits)no & ~mask));
}
GM_INLINE vec larger(vec x, vec y) { return choose((bits)(x > y), x, y); }
GM_INLINE double total_of(vec x) {
  double sum = 0;
  for (int lane = 0; lane < GM_W; lane++) sum += x[lane];
  return sum;
}

/* ---- functions ----------------------------------------------------------------------- */

/* Adding this rounds to an integer, which then stands in the lowest bits. */
#define GM_ROUNDER 0x1.8p52

/* exp(x) for x <= 0, exactly 0 below -GM_CUT (far above the subnormals, which are slow):
   x = n ln 2 + r, |r| <= ln(2) / 2; exp(r) by a polynomial; n into the exponent. */
GM_INLINE vec exp_cut(vec x) {
  const vec shifted = x * splat(1.4426950408889634) + splat(GM_ROUNDER);
  const vec n = shifted - splat(GM_ROUNDER);
  vec r = x - n * splat(0.6931471805598903);
  r = r - n * splat(5.497923018708371e-14);
  vec q = splat(2.5000068520226468e-08);
  q = q * r + splat(2.7630248293040514e-07);
  q = q * r + splat(2.755758635257567e-06);
  q = q * r + splat(2.480149309914172e-05);
  q = q * r + splat(0.00019841269506601673);
  q = q * r + splat(0.00138888889436299);
  q = q * r + splat(0.00833333333349445);
  q = q * r + splat(0.04166666666653016);
  q = q * r + splat(0.16666666666666413);
  q = q * r + splat(0.5000000000000011);
  const vec p = (r * r * q + r) + splat(1);
  return keep((vec)((bits)p + ((bits)shifted << 52)), (bits)(x >= splat(-GM_CUT)));
}

/* log(x) for positive normal x: x = 2^n (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), s = f / (2 + f),
   log(1 + f) = 2 s + s z q(z) with z = s^2; and 2 s = f - s f, so that f enters unrounded. */
GM_INLINE vec log_normal(vec x) {
  const uint64_t one = 0x3ff0000000000000, root_half = 0x3fe6a09e667f3bcd;
  const bits biased = ((bits)x + splat_bits(one - root_half)) >> 52;
  const bits two_52 = splat_bits(0x4330000000000000);
  const vec n = (vec)(biased | two_52) - splat(0x1p52 + 1023);
  const vec f = (vec)((bits)x - (biased << 52) + splat_bits(one)) - splat(1);
  const vec s = f / (f + splat(2));
  const vec z = s * s;
  vec q = splat(0.1479610526510073);
  q = q * z + splat(0.1531403584973605);
  q = q * z + splat(0.18183564866244686);
  q = q * z + splat(0.22222198563490989);
  q = q * z + splat(0.28571428742474847);
  q = q * z + splat(0.3999999999941432);
  q = q * z + splat(0.6666666666666734);
  const vec half_square = splat(0.5) * f * f;
  const vec small = s * (half_square + z * q) + n * splat(5.497923018708371e-14);
  return n * splat(0.6931471805598903) - ((half_square - small) - f);
}

/* sqrt(x) for positive normal x: Newton's steps for 1 / sqrt(x), and one for the root. */
GM_INLINE vec sqrt_normal(vec x) {
  const vec half = splat(0.5) * x;
  vec y = (vec)(splat_bits(0x5fe6eb50c7b537a9) - ((bits)x >> 1));
  GM_UNROLL for (int step = 0; step < 4; step++) y = y * (splat(1.5) - half * y * y);
  const vec root = x * y;
  return root + splat(0.5) * y * (x - root * root);
}

/* sin(2 pi u) and cos(2 pi u) for 0 <= u <= 1: 4 u = quadrant + f, both exact, |f| <= 1/2. */
GM_INLINE void sin_cos_turn(vec u, vec* sine, vec* cosine) {
  const vec shifted = splat(4) * u + splat(GM_ROUNDER);
  const bits quadrant = (bits)shifted;
  const vec f = splat(4) * u - (shifted - splat(GM_ROUNDER));
  const vec g = f * f;
  vec s = splat(5.634652108785433e-08);
  s = s * g + splat(-3.5986491853783846e-06);
  s = s * g + splat(0.00016044115255977158);
  s = s * g + splat(-0.004681754132611926);
  s = s * g + splat(0.07969262624606252);
  s = s * g + splat(-0.645964097506245);
  s = f * (s * g + splat(6.123233995736766e-17)) + f * splat(1.5707963267948966);
  vec c = splat(-6.321866745069257e-09);
  c = c * g + splat(4.710615451440458e-07);
  c = c * g + splat(-2.520203698510199e-05);
  c = c * g + splat(0.0009192602742240527);
  c = c * g + splat(-0.020863480763315366);
  c = c * g + splat(0.2536695079010469);
  c = c * g + splat(-1.2337005501361697);
  c = c * g + splat(1);
  /* odd quadrants swap sine and cosine; the second bit is the sign of the sine, and that of
     quadrant + 1 the sign of the cosine */
  const bits odd = -(quadrant & splat_bits(1));
  const bits sine_sign = (quadrant & splat_bits(2)) << 62;
  const bits cosine_sign = ((quadrant + splat_bits(1)) & splat_bits(2)) << 62;
  *sine = (vec)((bits)choose(odd, c, s) ^ sine_sign);
  *cosine = (vec)((bits)choose(odd, s, c) ^ cosine_sign);
}

/* ---- posterior ----------------------------------------------------------------------- */

/* By four vectors of rows: the largest term, the sum of the others relative to it, the quotients.
   The sums lie in [1, cols]: where no row's log is needed by itself, the logarithm of the product
   of 32 of them is enough (no overflow: cols^32 < 10^300 for cols < 10^9). */
GM_INLINE double posterior_rows(const double* logc, int cols, ptrdiff_t m, const double* w,
                                double* maha, double* lse) {
  enum { GROUP = 4, PER_LOG = 8 };
  const int row_logs = w || lse;
  const vec half = splat(0.5), zero = splat(0), one = splat(1);
  vec total = zero, product = one;
  int pending = 0;
  for (ptrdiff_t i = 0; i < m; i += GROUP * GM_W) {
    double* rows = maha + i;
    vec most[GROUP], sum[GROUP];
    bits alive[GROUP]; /* some term is finite */
    GM_UNROLL for (int g = 0; g < GROUP; g++) most[g] = splat(-INFINITY);
    for (ptrdiff_t j = 0; j < cols; j++) {
      const vec c = splat(logc[j]);
      GM_UNROLL for (int g = 0; g < GROUP; g++) {
        most[g] = larger(c - half * load(rows + m * j + g * GM_W), most[g]);
      }
    }
    GM_UNROLL for (int g = 0; g < GROUP; g++) {
      alive[g] = (bits)(most[g] > splat(-INFINITY));
      if (!row_logs) total += most[g];
      sum[g] = keep(one, ~alive[g]);
    }
    for (ptrdiff_t j = 0; j < cols; j++) {
      const vec c = splat(logc[j]);
      GM_UNROLL for (int g = 0; g < GROUP; g++) {
        double* r = rows + m * j + g * GM_W;
        const vec e = exp_cut((c - half * load(r)) - keep(most[g], alive[g]));
        sum[g] += e;
        store(r, e);
      }
    }
    if (row_logs) {
      GM_UNROLL for (int g = 0; g < GROUP; g++) {
        const vec logf = most[g] + log_normal(sum[g]);
        if (lse) store(lse + i + g * GM_W, logf);
        if (w) {
          const vec weight = load(w + i + g * GM_W);
          total += keep(weight * logf, (bits)(weight > zero));
        } else {
          total += logf;
        }
      }
    } else {
      product *= (sum[0] * sum[1]) * (sum[2] * sum[3]);
      if (++pending == PER_LOG) {
        total += log_normal(product);
        product = one;
        pending = 0;
      }
    }
    GM_UNROLL for (int g = 0; g < GROUP; g++) {
      sum[g] = (w ? load(w + i + g * GM_W) : one) / sum[g];
    }
    for (ptrdiff_t j = 0; j < cols; j++) {
      GM_UNROLL for (int g = 0; g < GROUP; g++) {
        double* r = rows + m * j + g * GM_W;
        store(r, load(r) * sum[g]);
      }
    }
  }
  if (pending) total += log_normal(product);
  return total_of(total);
}

GM_TARGET static double posterior(const double* logc, int cols, int m, const double* w,
                                  const int* label, double* maha, double* lse) {
  /* A known row has one term only; where even that is -Inf its component is still known. */
  for (ptrdiff_t i = 0; label && i < m; i++) {
    for (ptrdiff_t j = 0; label[i] && j < cols; j++) {
      if (j != label[i] - 1) maha[i + m * j] = INFINITY;
    }
  }
  const double total = w || lse ? posterior_rows(logc, cols, m, w, maha, lse)
                                : posterior_rows(logc, cols, m, NULL, maha, NULL);
  for (ptrdiff_t i = 0; label && i < m; i++) {
    if (label[i]) maha[i + (ptrdiff_t)m * (label[i] - 1)] = w ? w[i] : 1;
  }
  return total;
}

/* ---- normals ------------------------------------------------------------------------- */

GM_TARGET static void normals(double* u, int m) {
  for (ptrdiff_t i = 0; i < m; i += 2 * GM_W) {
    GM_UNROLL for (int g = 0; g < 2; g++) {
      double* first = u + i + g * GM_W;
      vec sine, cosine;
      sin_cos_turn(load(first + m), &sine, &cosine);
      const vec radius = sqrt_normal(splat(-2) * log_normal(load(first)));
      store(first, radius * cosine);
      store(first + m, radius * sine);
    }
  }
}
