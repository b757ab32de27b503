/* Template (no include guard): vectors of GM_W rows; exp, log, sqrt, sin and cos over
   them; and the two stages that need no shape, posterior and normals. Contract: struct
   gm_kernel in gm.h. What the includer sets: simd.h. Polynomials: tools/minimax.py.
   Errors and measurements: design/kernels.md. */

#include <math.h>

typedef double vec __attribute__((vector_size(8 * GM_W)));
#define GM_UNALIGNED aligned(8), may_alias
typedef double vec_unaligned __attribute__((vector_size(8 * GM_W), GM_UNALIGNED));
typedef double four_unaligned __attribute__((vector_size(32), GM_UNALIGNED));
typedef uint64_t bits __attribute__((vector_size(8 * GM_W)));
typedef uint64_t bits_unaligned __attribute__((vector_size(8 * GM_W), GM_UNALIGNED));

/* Vectors that exp and posterior take at once: their latencies overlap. */
enum { GROUP = 4 };

GM_INLINE vec splat(double x) { return x - (vec){0}; }
GM_INLINE bits splat_bits(uint64_t x) { return x - (bits){0}; }
GM_INLINE vec load(const double* p) { return *(const vec_unaligned*)p; }
GM_INLINE void store(double* p, vec x) { *(vec_unaligned*)p = x; }
GM_INLINE vec keep(vec x, bits mask) { return (vec)((bits)x & mask); }
GM_INLINE vec choose(bits mask, vec yes, vec no) {
  return (vec)(((bits)yes & mask) | ((bits)no & ~mask));
}

#ifndef GM_LARGER /* the larger of x and y, not NaN */
#define GM_LARGER(x, y) choose((bits)((x) > (y)), x, y)
#endif

#ifndef GM_HOLD /* x stays in its register: gcc would load it again for each use */
#define GM_HOLD(x) (void)0
#endif
#ifndef GM_GATHER /* p[at[0]], p[at[1]], ... */
GM_INLINE vec gather(const double* p, const int* at) {
  vec x;
  GM_UNROLL for (int lane = 0; lane < GM_W; lane++) x[lane] = p[at[lane]];
  return x;
}
#define GM_GATHER(p, at) gather(p, at)
#endif

GM_INLINE double total_of(vec x) {
  double sum = 0;
  for (int lane = 0; lane < GM_W; lane++) sum += x[lane];
  return sum;
}

/* A lane whose number lacks bit h: its x plus the x of the lane h above. Another: its y
   plus the y of the lane h below. */
#if GM_W == 8
#define GM_MERGE_1(x, y)                         \
  (GM_SHUFFLE(x, y, 0, 8, 2, 10, 4, 12, 6, 14) + \
   GM_SHUFFLE(x, y, 1, 9, 3, 11, 5, 13, 7, 15))
#define GM_MERGE_2(x, y)                        \
  (GM_SHUFFLE(x, y, 0, 1, 8, 9, 4, 5, 12, 13) + \
   GM_SHUFFLE(x, y, 2, 3, 10, 11, 6, 7, 14, 15))
#define GM_MERGE_4(x, y)                        \
  (GM_SHUFFLE(x, y, 0, 1, 2, 3, 8, 9, 10, 11) + \
   GM_SHUFFLE(x, y, 4, 5, 6, 7, 12, 13, 14, 15))
#elif GM_W == 4
#define GM_MERGE_1(x, y) (GM_SHUFFLE(x, y, 0, 4, 2, 6) + GM_SHUFFLE(x, y, 1, 5, 3, 7))
#define GM_MERGE_2(x, y) (GM_SHUFFLE(x, y, 0, 1, 4, 5) + GM_SHUFFLE(x, y, 2, 3, 6, 7))
#else
#define GM_MERGE_1(x, y) (GM_SHUFFLE(x, y, 0, 2) + GM_SHUFFLE(x, y, 1, 3))
#endif

/* out[i] becomes the sum of the lanes of x[i], i < n, a multiple of 8; x is used up. */
GM_INLINE void totals(int n, vec* x, double* out) {
  GM_UNROLL for (int i = 0; i < n; i += GM_W) {
    GM_UNROLL for (int g = i; g < i + GM_W; g += 2) x[g] = GM_MERGE_1(x[g], x[g + 1]);
#if GM_W >= 4
    GM_UNROLL for (int g = i; g < i + GM_W; g += 4) x[g] = GM_MERGE_2(x[g], x[g + 2]);
#endif
#if GM_W >= 8
    x[i] = GM_MERGE_4(x[i], x[i + 4]);
#endif
    store(out + i, x[i]);
  }
}

/* ---- functions --------------------------------------------------------------------- */

/* Adding this rounds to an integer, which then stands in the lowest bits. */
#define GM_ROUNDER 0x1.8p52

/* exp(x) in place of GROUP vectors x <= 0; exactly 0 below -GM_CUT, far above the
   subnormals, which are slow. x = n ln 2 + r, |r| <= ln(2) / 2; exp(r) by a polynomial; n
   into the exponent. */
GM_INLINE void exp_cut(vec* x) {
  static const double coefficient[10] = {2.5000068520226468e-08, 2.7630248293040514e-07,
                                         2.755758635257567e-06,  2.480149309914172e-05,
                                         0.00019841269506601673, 0.00138888889436299,
                                         0.00833333333349445,    0.04166666666653016,
                                         0.16666666666666413,    0.5000000000000011};
  vec shifted[GROUP], r[GROUP], q[GROUP];
  GM_UNROLL for (int g = 0; g < GROUP; g++) {
    shifted[g] = x[g] * splat(1.4426950408889634) + splat(GM_ROUNDER);
    const vec n = shifted[g] - splat(GM_ROUNDER);
    r[g] = x[g] - n * splat(0.6931471805598903);
    r[g] = r[g] - n * splat(5.497923018708371e-14);
    q[g] = splat(coefficient[0]);
  }
  GM_UNROLL for (int c = 1; c < 10; c++) {
    GM_UNROLL for (int g = 0; g < GROUP; g++) q[g] = q[g] * r[g] + splat(coefficient[c]);
  }
  GM_UNROLL for (int g = 0; g < GROUP; g++) {
    const vec p = (r[g] * r[g] * q[g] + r[g]) + splat(1);
    const vec e = (vec)((bits)p + ((bits)shifted[g] << 52));
    x[g] = keep(e, (bits)(x[g] >= splat(-GM_CUT)));
  }
}

/* log(x) for positive normal x: x = 2^n (1 + f), 1 + f in [sqrt(1/2), sqrt(2));
   s = f / (2 + f), z = s^2, log(1 + f) = 2 s + s z q(z). As
   2 s = f - f^2 / 2 + s f^2 / 2, f enters unrounded. */
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

/* sin and cos of 2 pi u, 0 <= u <= 1: 4 u = quadrant + f, both exact, |f| <= 1/2. */
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
  /* odd quadrants swap sine and cosine; the second bit of the quadrant is the sign of the
     sine, that of the next quadrant the sign of the cosine */
  const bits odd = -(quadrant & splat_bits(1));
  const bits sine_sign = (quadrant & splat_bits(2)) << 62;
  const bits cosine_sign = ((quadrant + splat_bits(1)) & splat_bits(2)) << 62;
  *sine = (vec)((bits)choose(odd, c, s) ^ sine_sign);
  *cosine = (vec)((bits)choose(odd, s, c) ^ cosine_sign);
}

/* ---- posterior --------------------------------------------------------------------- */

/* Is each weight 0 or 1? */
GM_INLINE int unit_weights(const double* w, ptrdiff_t m) {
  bits other = splat_bits(0);
  for (ptrdiff_t i = 0; i < m; i += GM_W) {
    const vec v = load(w + i);
    other |= (bits)(v != splat(0)) & (bits)(v != splat(1));
  }
  uint64_t any = 0;
  for (int lane = 0; lane < GM_W; lane++) any |= other[lane];
  return !any;
}

/* By GROUP vectors of rows: the largest term, the sum of all relative to it, the
   quotients. The sums lie in [1, cols]: where no row's log is needed by itself, for
   weights of 0 and 1 (unit), the log of the product of GROUP * PER_LOG = 32 of them is
   enough (no overflow: cols^32 < 1e300 for cols < 1e9). */
GM_INLINE double posterior_rows(const double* restrict logc, int cols, ptrdiff_t m,
                                const double* restrict w, int unit,
                                const double* restrict reach, double* restrict maha,
                                double* restrict lse) {
  enum { PER_LOG = 8 };
  const int row_logs = !unit || lse;
  const vec half = splat(0.5), zero = splat(0), one = splat(1), none = splat(-INFINITY);
  vec total = zero, product = one;
  int pending = 0;
  for (ptrdiff_t i = 0; i < m; i += GROUP * GM_W) {
    double* rows = maha + i;
    vec most[GROUP], sum[GROUP], base[GROUP];
    GM_UNROLL for (int g = 0; g < GROUP; g++) most[g] = none;
    for (ptrdiff_t j = 0; j < cols; j++) {
      const vec c = splat(logc[j]);
      GM_UNROLL for (int g = 0; g < GROUP; g++) {
        const vec term = c - half * load(rows + m * j + g * GM_W);
        most[g] = GM_LARGER(term, most[g]);
      }
    }
    GM_UNROLL for (int g = 0; g < GROUP; g++) {
      /* where no term is finite all quotients are 0, and the sum is 1 */
      const bits finite = (bits)(most[g] > none);
      base[g] = keep(most[g], finite);
      sum[g] = keep(one, ~finite);
      if (!row_logs)
        total += w ? keep(most[g], (bits)(load(w + i + g * GM_W) > zero)) : most[g];
    }
    for (ptrdiff_t j = 0; j < cols; j++) {
      const vec c = splat(logc[j]), limit = splat(reach ? reach[j] : 0);
      double* column = rows + m * j;
      vec e[GROUP];
      bits near[GROUP];
      GM_UNROLL for (int g = 0; g < GROUP; g++) {
        const vec distance = load(column + g * GM_W);
        e[g] = (c - half * distance) - base[g];
        near[g] = (bits)(distance * splat(GM_REACH) <= limit - base[g]);
      }
      exp_cut(e);
      GM_UNROLL for (int g = 0; g < GROUP; g++) {
        if (reach) e[g] = keep(e[g], near[g]);
        sum[g] += e[g];
        store(column + g * GM_W, e[g]);
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
      vec part[GROUP];
      GM_UNROLL for (int g = 0; g < GROUP; g++) {
        part[g] = w ? choose((bits)(load(w + i + g * GM_W) > zero), sum[g], one) : sum[g];
      }
      product *= (part[0] * part[1]) * (part[2] * part[3]);
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

GM_TARGET static double posterior(const double* restrict logc, int cols, int m,
                                  const double* restrict w, const int* restrict label,
                                  const double* restrict reach, double* restrict maha,
                                  double* restrict lse) {
  /* A known row has one term only; where even that is -Inf its component is still
     known. */
  for (ptrdiff_t i = 0; label && i < m; i++) {
    for (ptrdiff_t j = 0; label[i] && j < cols; j++) {
      if (j != label[i] - 1) maha[i + m * j] = INFINITY;
    }
  }
  const int logs = lse || (w && !unit_weights(w, m));
  const double total =
      logs && reach ? posterior_rows(logc, cols, m, w, 0, reach, maha, lse)
      : logs        ? posterior_rows(logc, cols, m, w, 0, NULL, maha, lse)
      : w && reach  ? posterior_rows(logc, cols, m, w, 1, reach, maha, NULL)
      : w           ? posterior_rows(logc, cols, m, w, 1, NULL, maha, NULL)
      : reach       ? posterior_rows(logc, cols, m, NULL, 1, reach, maha, NULL)
                    : posterior_rows(logc, cols, m, NULL, 1, NULL, maha, NULL);
  for (ptrdiff_t i = 0; label && i < m; i++) {
    if (label[i]) maha[i + (ptrdiff_t)m * (label[i] - 1)] = w ? w[i] : 1;
  }
  return total;
}

/* ---- random numbers ---------------------------------------------------------------- */

#ifndef GM_TIMES_32 /* products of the lower 32 bits */
#define GM_TIMES_32(x, y) (((x)&splat_bits(0xffffffff)) * ((y)&splat_bits(0xffffffff)))
#endif

/* As random.c does it, a word of the counter in each lane; what stands in its upper half
   does not matter before the end. */
GM_TARGET static void uniforms(uint64_t key, uint64_t first, const uint64_t* row,
                               uint32_t stream, uint32_t lane, int m, double* u,
                               double* v) {
  const bits low = splat_bits(0xffffffff), half = splat_bits(32);
  bits step = splat_bits(0);
  GM_UNROLL for (int e = 0; e < GM_W; e++) step[e] = (uint64_t)e;
  for (ptrdiff_t i = 0; i < m; i += 2 * GM_W) {
    bits c[4][2];
    GM_UNROLL for (int g = 0; g < 2; g++) {
      const ptrdiff_t at = i + g * GM_W;
      c[0][g] = splat_bits(first);
      if (row) {
        c[0][g] += *(const bits_unaligned*)(row + at);
      } else {
        c[0][g] += splat_bits((uint64_t)at) + step;
      }
      c[1][g] = c[0][g] >> half;
      c[2][g] = splat_bits(lane);
      c[3][g] = splat_bits(stream);
    }
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
      GM_UNROLL for (int g = 0; g < 2; g++) {
        const bits p0 = GM_TIMES_32(c[0][g], splat_bits(0xD2511F53));
        const bits p1 = GM_TIMES_32(c[2][g], splat_bits(0xCD9E8D57));
        c[0][g] = (p1 >> half) ^ c[1][g] ^ splat_bits(k0);
        c[2][g] = (p0 >> half) ^ c[3][g] ^ splat_bits(k1);
        c[1][g] = p1;
        c[3][g] = p0;
      }
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    GM_UNROLL for (int g = 0; g < 2; g++) {
      GM_UNROLL for (int pair = 0; pair < 2; pair++) {
        const bits word = c[2 * pair + 1][g] << half | (c[2 * pair][g] & low);
        /* 52 bits to a double: into the fraction of 2^52 */
        const bits number = word >> splat_bits(12) | splat_bits(0x4330000000000000);
        const vec out = ((vec)number - splat(0x1p52) + splat(0.5)) * splat(0x1p-52);
        store((pair ? v : u) + i + g * GM_W, out);
      }
    }
  }
}

GM_TARGET static void pick(const double* cumulative, int count, int m, const double* u,
                           int* at) {
  for (ptrdiff_t i = 0; i < m; i += GROUP * GM_W) {
    bits above[GROUP];
    GM_UNROLL for (int g = 0; g < GROUP; g++) above[g] = splat_bits(0);
    for (ptrdiff_t j = 0; j < count; j++) {
      GM_UNROLL for (int g = 0; g < GROUP; g++) above[g] -=
          (bits)(load(u + i + g * GM_W) >= splat(cumulative[j]));
    }
    GM_UNROLL for (int g = 0; g < GROUP; g++) {
      GM_UNROLL for (int e = 0; e < GM_W; e++) at[i + g * GM_W + e] = (int)above[g][e];
    }
  }
}

/* na variables from a on of nv vectors of rows, of which `rows` are stored, by two chains of
   sums. */
GM_INLINE void colour_tile(int na, int nv, ptrdiff_t a, const double* mean,
                           const double* root, ptrdiff_t high, ptrdiff_t rows, double* z,
                           ptrdiff_t m) {
  vec sum[2][GROUP][2];
  GM_UNROLL for (int s = 0; s < na; s++) {
    GM_UNROLL for (int v = 0; v < nv; v++) sum[0][s][v] = sum[1][s][v] = splat(0);
  }
  for (ptrdiff_t b = 0; b < a; b += 2) {
    GM_UNROLL for (int odd = 0; odd < 2; odd++) {
      const double* zb = z + m * (b + odd);
      GM_UNROLL for (int s = 0; s < na; s++) {
        const vec c = splat(root[a + s + high * (b + odd)]);
        GM_UNROLL for (int v = 0; v < nv; v++) sum[odd][s][v] += c * load(zb + v * GM_W);
      }
    }
  }
  GM_UNROLL for (int b = 0; b < na; b++) {
    const double* zb = z + m * (a + b);
    GM_UNROLL for (int s = 0; s < na; s++) {
      if (s < b) continue;
      const vec c = splat(root[a + s + high * (a + b)]);
      GM_UNROLL for (int v = 0; v < nv; v++) sum[b % 2][s][v] += c * load(zb + v * GM_W);
    }
  }
  GM_UNROLL for (int s = 0; s < na; s++) {
    double* to = z + m * (a + s);
    GM_UNROLL for (int v = 0; v < nv; v++) {
      const vec out = splat(mean[a + s]) + (sum[0][s][v] + sum[1][s][v]);
      const ptrdiff_t left = rows - v * GM_W;
      if (left >= GM_W) {
        store(to + v * GM_W, out);
      } else {
        for (ptrdiff_t e = 0; e < left; e++) to[v * GM_W + e] = out[e];
      }
    }
  }
}

/* From the last variable to the first: none is overwritten before it is used. */
GM_INLINE void colour_rows(int nv, ptrdiff_t d, const double* mean, const double* root,
                           ptrdiff_t rows, double* z, ptrdiff_t m) {
  const ptrdiff_t high = gm_root_rows((int)d);
  ptrdiff_t a = d / GROUP * GROUP;
  switch (d - a) {
    case 3: colour_tile(3, nv, a, mean, root, high, rows, z, m); break;
    case 2: colour_tile(2, nv, a, mean, root, high, rows, z, m); break;
    case 1: colour_tile(1, nv, a, mean, root, high, rows, z, m); break;
  }
  while (a > 0) {
    a -= GROUP;
    colour_tile(GROUP, nv, a, mean, root, high, rows, z, m);
  }
}

GM_TARGET static void colour(int d, const double* mean, const double* root, int rows,
                             double* z, ptrdiff_t m) {
  ptrdiff_t i = 0;
  for (; GM_REGISTERS >= 32 && i + GM_W < rows; i += 2 * GM_W)
    colour_rows(2, d, mean, root, rows - i, z + i, m);
  for (; i < rows; i += GM_W) colour_rows(1, d, mean, root, rows - i, z + i, m);
}

/* ---- normals ----------------------------------------------------------------------- */

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
