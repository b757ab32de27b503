/* Template: the stages of GM_TRIANG. Contract: struct gm_kernel in gm.h.

   distance    y = L^-1 (x - mean) by forward substitution, never an inverse. For each NV
               vectors of rows, for each component: tiles of HEIGHT variables, from the
               first on. Up to d = 4 the other way round: the factor stays in registers.
   accumulate  the lower triangle of A' diag(w r) A, A = x - mean. For each CHUNK rows,
               for each component, for each 4 variables: their columns of A and of
               diag(w r) A into the work space, and the entries among the 4; then tiles of
               4 x 4 entries to the left.
   A tile's size is a constant where its function is inlined. */

#define MIN(a, b) ((a) < (b) ? (a) : (b))

enum {
  NV = GM_REGISTERS >= 32 ? 4 : 2,
  HEIGHT = GM_REGISTERS >= 32 ? 4 : 5,
  CHUNK = GM_W >= 8 ? GM_ROWS : GM_ROWS / 2 /* more leaves the first-level cache */
};

/* ---- distance ---------------------------------------------------------------------- */

/* y[a], ..., y[a + na - 1] of NV vectors of rows from those before; adds their squares to
   sum. Variable b of y at y + b * NV * GM_W; the last tile's are not stored. */
GM_INLINE void substitute(int na, int last, ptrdiff_t a, ptrdiff_t d, const double* l,
                          const double* mean, const double* x, ptrdiff_t ld, double* y,
                          vec* sum) {
  vec t[HEIGHT][NV];
  GM_UNROLL for (int s = 0; s < na; s++) {
    const vec center = splat(mean[a + s]);
    const double* column = x + ld * (a + s);
    GM_UNROLL for (int v = 0; v < NV; v++) t[s][v] = load(column + v * GM_W) - center;
  }
  if (!last) { /* the next tile's columns: strides that the processor does not foresee */
    GM_UNROLL for (int s = na; s < 2 * na; s++) {
      for (int i = 0; i < NV * GM_W; i += 8) __builtin_prefetch(x + ld * (a + s) + i);
    }
  }
  for (ptrdiff_t b = 0; b < a; b++) {
    GM_UNROLL for (int s = 0; s < na; s++) {
      const vec c = splat(l[a + s + d * b]);
      GM_UNROLL for (int v = 0; v < NV; v++) t[s][v] -= c * load(y + (b * NV + v) * GM_W);
    }
  }
  GM_UNROLL for (int s = 0; s < na; s++) {
    GM_UNROLL for (int q = 0; q < HEIGHT; q++) {
      if (q >= s) continue;
      const vec c = splat(l[a + s + d * (a + q)]);
      GM_UNROLL for (int v = 0; v < NV; v++) t[s][v] -= c * t[q][v];
    }
    const vec reciprocal = splat(l[a + s + d * (a + s)]);
    GM_UNROLL for (int v = 0; v < NV; v++) {
      t[s][v] *= reciprocal;
      if (!last) store(y + ((a + s) * NV + v) * GM_W, t[s][v]);
      sum[v] += t[s][v] * t[s][v];
    }
  }
}

/* Overflow may have made Inf - Inf on the way: such a row is infinitely far. */
GM_INLINE void store_distance(double* maha, const vec* sum) {
  GM_UNROLL for (int v = 0; v < NV; v++) {
    store(maha + v * GM_W, choose((bits)(sum[v] == sum[v]), sum[v], splat(INFINITY)));
  }
}

GM_INLINE void distance_small(int d, const struct gm_factors* f, const double* restrict x,
                              ptrdiff_t ld, ptrdiff_t m, double* restrict maha) {
  for (ptrdiff_t j = 0; j < f->k; j++) {
    const double* mean = f->mean + d * j;
    const double* l = f->factor + f->stride * j;
    for (ptrdiff_t i = 0; i < m; i += NV * GM_W) {
      vec sum[NV];
      GM_UNROLL for (int v = 0; v < NV; v++) sum[v] = splat(0);
      substitute(d, 1, 0, d, l, mean, x + i, ld, NULL, sum);
      store_distance(maha + i + m * j, sum);
    }
  }
}

GM_TARGET static void distance_triang(const struct gm_factors* f,
                                      const double* restrict x, ptrdiff_t ld, int m,
                                      double* restrict maha, double* restrict work) {
  const ptrdiff_t d = f->d;
  switch (d) {
    case 1: distance_small(1, f, x, ld, m, maha); return;
    case 2: distance_small(2, f, x, ld, m, maha); return;
    case 3: distance_small(3, f, x, ld, m, maha); return;
    case 4: distance_small(4, f, x, ld, m, maha); return;
  }
  for (ptrdiff_t i = 0; i < m; i += NV * GM_W) {
    for (ptrdiff_t j = 0; j < f->k; j++) {
      const double* mean = f->mean + d * j;
      const double* l = f->factor + f->stride * j;
      vec sum[NV];
      GM_UNROLL for (int v = 0; v < NV; v++) sum[v] = splat(0);
      ptrdiff_t a = 0;
      for (; a + HEIGHT <= d; a += HEIGHT) {
        substitute(HEIGHT, 0, a, d, l, mean, x + i, ld, work, sum);
      }
      const double* xi = x + i;
      switch (d - a) {
        case 4: /* with HEIGHT 5 only */
          substitute(MIN(4, HEIGHT - 1), 1, a, d, l, mean, xi, ld, work, sum);
          break;
        case 3: substitute(3, 1, a, d, l, mean, xi, ld, work, sum); break;
        case 2: substitute(2, 1, a, d, l, mean, xi, ld, work, sum); break;
        case 1: substitute(1, 1, a, d, l, mean, xi, ld, work, sum); break;
      }
      store_distance(maha + i + m * j, sum);
    }
  }
}

/* ---- accumulate -------------------------------------------------------------------- */

/* Adds nk and nk2 of one component; returns what it added to nk. */
GM_INLINE double weigh(ptrdiff_t m, const double* w, const double* r, double* nk,
                       double* nk2) {
  vec sum[4], sum2[4];
  GM_UNROLL for (int g = 0; g < 4; g++) sum[g] = sum2[g] = splat(0);
  for (ptrdiff_t i = 0; i < m; i += 4 * GM_W) {
    GM_UNROLL for (int g = 0; g < 4; g++) {
      const vec v = load(r + i + g * GM_W);
      sum[g] += v;
      if (w) sum2[g] += load(w + i + g * GM_W) * v;
    }
  }
  const double n = total_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
  *nk += n;
  *nk2 += w ? total_of((sum2[0] + sum2[1]) + (sum2[2] + sum2[3])) : n;
  return n;
}

/* na variables: adds their sums and the scatter among them; leaves their columns of t = x
   - mean and u = r t where wanted. x, mean, t, u, sum and scatter start at the first of
   them. */
GM_INLINE void center(int na, int wanted, ptrdiff_t d, ptrdiff_t m, const double* x,
                      ptrdiff_t ld, const double* mean, const double* r, double* t,
                      double* u, double* sum, double* scatter) {
  vec c[4], q[16]; /* q: sums, then the lower triangle by columns */
  GM_UNROLL for (int a = 0; a < na; a++) c[a] = splat(mean[a]);
  GM_UNROLL for (int e = 0; e < 16; e++) q[e] = splat(0);
  for (ptrdiff_t i = 0; i < m; i += GM_W) {
    const vec ri = load(r + i);
    vec ti[4];
    GM_UNROLL for (int a = 0; a < na; a++) {
      ti[a] = load(x + i + ld * a) - c[a];
      const vec ui = ri * ti[a];
      if (wanted) {
        store(t + i + GM_LD * a, ti[a]);
        store(u + i + GM_LD * a, ui);
        __builtin_prefetch(t + i + GM_LD * (a + 4), 1);
      }
      q[a] += ui;
      GM_UNROLL for (int b = 0; b < na; b++) {
        if (b <= a) q[4 + a + b * (7 - b) / 2] += ui * ti[b];
      }
    }
  }
  double out[16];
  totals(16, q, out);
  GM_UNROLL for (int a = 0; a < na; a++) {
    sum[a] += out[a];
    GM_UNROLL for (int b = 0; b < na; b++) {
      if (b <= a) scatter[a + d * b] += out[4 + a + b * (7 - b) / 2];
    }
  }
}

/* na x nb entries of U' T. */
GM_INLINE void multiply(int na, int nb, ptrdiff_t d, ptrdiff_t m, const double* u,
                        const double* t, double* scatter) {
  vec q[16];
  GM_UNROLL for (int e = 0; e < 16; e++) q[e] = splat(0);
  for (ptrdiff_t i = 0; i < m; i += GM_W) {
    vec ti[4];
    GM_UNROLL for (int b = 0; b < nb; b++) ti[b] = load(t + i + GM_LD * b);
    GM_UNROLL for (int a = 0; a < na; a++) {
      const vec ui = load(u + i + GM_LD * a);
      GM_UNROLL for (int b = 0; b < nb; b++) q[a + 4 * b] += ui * ti[b];
    }
  }
  double out[16];
  totals(4 * nb, q, out);
  GM_UNROLL for (int b = 0; b < nb; b++) {
    if (na == 4) {
      *(four_unaligned*)(scatter + d * b) += *(const four_unaligned*)(out + 4 * b);
      continue;
    }
    GM_UNROLL for (int a = 0; a < na; a++) scatter[a + d * b] += out[a + 4 * b];
  }
}

/* Rows a, ..., a + na - 1 of the lower triangle. */
GM_INLINE void scatter_rows(int na, ptrdiff_t a, ptrdiff_t d, ptrdiff_t m,
                            const double* x, ptrdiff_t ld, const double* mean,
                            const double* r, double* t, double* u, double* sum,
                            double* scatter) {
  center(na, 1, d, m, x + ld * a, ld, mean + a, r, t + GM_LD * a, u, sum + a,
         scatter + a + d * a);
  for (ptrdiff_t b = 0; b < a; b += 4) {
    double* tile = scatter + a + d * b;
    const double* tb = t + GM_LD * b;
    if (GM_REGISTERS >= 32) {
      multiply(na, 4, d, m, u, tb, tile);
    } else {
      multiply(na, 2, d, m, u, tb, tile);
      multiply(na, 2, d, m, u, tb + 2 * GM_LD, tile + 2 * d);
    }
  }
}

GM_TARGET static void accumulate_triang(const struct gm_factors* f,
                                        const double* restrict x, ptrdiff_t ld, int m,
                                        const double* restrict w,
                                        const double* restrict resp,
                                        struct gm_stats* stats, double* restrict work) {
  const ptrdiff_t d = f->d;
  const ptrdiff_t step = d > 4 ? CHUNK : m;
  double *t = work, *u = t + GM_LD * d, *n = u + GM_LD * 4;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    n[j] = weigh(m, w, resp + m * j, stats->nk + j, stats->nk2 + j);
  }
  for (ptrdiff_t i = 0; i < m; i += step) {
    const ptrdiff_t rows = MIN(step, m - i);
    const double* xi = x + i;
    for (ptrdiff_t j = 0; j < f->k; j++) {
      if (n[j] == 0) continue;
      const double* mean = f->mean + d * j;
      const double* r = resp + m * j + i;
      double* sum = stats->sum + d * j;
      double* scatter = stats->scatter + stats->stride * j;
      switch (d) {
        case 1: center(1, 0, 1, rows, xi, ld, mean, r, t, u, sum, scatter); continue;
        case 2: center(2, 0, 2, rows, xi, ld, mean, r, t, u, sum, scatter); continue;
        case 3: center(3, 0, 3, rows, xi, ld, mean, r, t, u, sum, scatter); continue;
        case 4: center(4, 0, 4, rows, xi, ld, mean, r, t, u, sum, scatter); continue;
      }
      ptrdiff_t a = 0;
      for (; a + 4 <= d; a += 4) {
        scatter_rows(4, a, d, rows, xi, ld, mean, r, t, u, sum, scatter);
      }
      switch (d - a) {
        case 3: scatter_rows(3, a, d, rows, xi, ld, mean, r, t, u, sum, scatter); break;
        case 2: scatter_rows(2, a, d, rows, xi, ld, mean, r, t, u, sum, scatter); break;
        case 1: scatter_rows(1, a, d, rows, xi, ld, mean, r, t, u, sum, scatter); break;
      }
    }
  }
}
