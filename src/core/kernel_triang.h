/* Template: the stages of GM_TRIANG. Contract: struct gm_kernel in gm.h.

   distance    y = L^-1 (x - mean) by forward substitution, never an inverse. For each component,
               for each NV vectors of rows: tiles of up to 4 variables, from the first variable on.
   accumulate  the lower triangle of A' diag(w r) A, A = x - mean. For each component, for each
               GM_CHUNK rows: A into `work`; tiles of 4 x 4 entries, all rows of the chunk each. */

#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* y[a], ..., y[a + na - 1] of NV vectors of rows from those before; adds their squares to maha.
   Variable b of y at y + b * NV * GM_W. na is a constant where this is inlined. */
GM_INLINE void substitute(int na, ptrdiff_t a, ptrdiff_t d, const double* l, const double* mean,
                          const double* x, ptrdiff_t ld, double* y, vec* maha) {
  vec t[4][NV];
  GM_UNROLL for (int s = 0; s < na; s++) {
    const vec center = splat(mean[a + s]);
    GM_UNROLL for (int v = 0; v < NV; v++) t[s][v] = load(x + ld * (a + s) + v * GM_W) - center;
  }
  for (ptrdiff_t b = 0; b < a; b++) {
    GM_UNROLL for (int s = 0; s < na; s++) {
      const vec c = splat(l[a + s + d * b]);
      GM_UNROLL for (int v = 0; v < NV; v++) t[s][v] -= c * load(y + (b * NV + v) * GM_W);
    }
  }
  GM_UNROLL for (int s = 0; s < na; s++) {
    GM_UNROLL for (int q = 0; q < 3; q++) {
      if (q >= s) continue;
      const vec c = splat(l[a + s + d * (a + q)]);
      GM_UNROLL for (int v = 0; v < NV; v++) t[s][v] -= c * t[q][v];
    }
    const vec c = splat(l[a + s + d * (a + s)]);
    GM_UNROLL for (int v = 0; v < NV; v++) {
      t[s][v] *= c;
      store(y + ((a + s) * NV + v) * GM_W, t[s][v]);
      maha[v] += t[s][v] * t[s][v];
    }
  }
}

GM_TARGET static void distance_triang(const struct gm_factors* f, const double* x, ptrdiff_t ld,
                                      int m, double* maha, double* work) {
  const ptrdiff_t d = f->d;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    const double* mean = f->mean + d * j;
    const double* l = f->factor + f->stride * j;
    for (ptrdiff_t i = 0; i < m; i += NV * GM_W) {
      vec sum[NV];
      GM_UNROLL for (int v = 0; v < NV; v++) sum[v] = splat(0);
      ptrdiff_t a = 0;
      for (; a + 4 <= d; a += 4) substitute(4, a, d, l, mean, x + i, ld, work, sum);
      switch (d - a) {
        case 3: substitute(3, a, d, l, mean, x + i, ld, work, sum); break;
        case 2: substitute(2, a, d, l, mean, x + i, ld, work, sum); break;
        case 1: substitute(1, a, d, l, mean, x + i, ld, work, sum); break;
      }
      GM_UNROLL for (int v = 0; v < NV; v++) {
        /* overflow may have made Inf - Inf on the way: such a row is infinitely far */
        const vec far = choose((bits)(sum[v] == sum[v]), sum[v], splat(INFINITY));
        store(maha + i + m * j + v * GM_W, far);
      }
    }
  }
}

/* Adds nk and nk2 of one component; returns what it added to nk. */
GM_INLINE double weigh(int m, const double* w, const double* r, double* nk, double* nk2) {
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

/* d up to 4: everything in registers. d is a constant where this is inlined. */
GM_INLINE void scatter_small(int d, ptrdiff_t m, const double* x, ptrdiff_t ld,
                             const double* mean, const double* r, double* sum, double* scatter) {
  vec center[4], s[4], q[4][4];
  GM_UNROLL for (int a = 0; a < d; a++) {
    center[a] = splat(mean[a]);
    s[a] = splat(0);
    GM_UNROLL for (int b = 0; b < d; b++) q[a][b] = splat(0);
  }
  for (ptrdiff_t i = 0; i < m; i += GM_W) {
    const vec ri = load(r + i);
    vec t[4];
    GM_UNROLL for (int a = 0; a < d; a++) {
      t[a] = load(x + i + ld * a) - center[a];
      const vec u = ri * t[a];
      s[a] += u;
      GM_UNROLL for (int b = 0; b < d; b++) {
        if (b <= a) q[a][b] += u * t[b];
      }
    }
  }
  GM_UNROLL for (int a = 0; a < d; a++) {
    sum[a] += total_of(s[a]);
    GM_UNROLL for (int b = 0; b < d; b++) {
      if (b <= a) scatter[a + d * b] += total_of(q[a][b]);
    }
  }
}

/* Columns a, ..., a + na - 1: t = x - mean, u = r t, and the sums of u. */
GM_INLINE void center(int na, ptrdiff_t m, const double* x, ptrdiff_t ld, const double* mean,
                      const double* r, double* t, double* u, double* sum) {
  vec s[4];
  GM_UNROLL for (int a = 0; a < na; a++) s[a] = splat(0);
  for (ptrdiff_t i = 0; i < m; i += GM_W) {
    const vec ri = load(r + i);
    GM_UNROLL for (int a = 0; a < na; a++) {
      const vec ta = load(x + i + ld * a) - splat(mean[a]);
      const vec ua = ri * ta;
      store(t + i + GM_CHUNK * a, ta);
      store(u + i + GM_CHUNK * a, ua);
      s[a] += ua;
    }
  }
  GM_UNROLL for (int a = 0; a < na; a++) sum[a] += total_of(s[a]);
}

/* Entries [a, b] of U' T, na x nb of them; the lower triangle only where diagonal. The three are
   constants where this is inlined. */
GM_INLINE void multiply(int na, int nb, int diagonal, ptrdiff_t m, const double* u,
                        const double* t, double* scatter, ptrdiff_t d) {
  vec q[4][4];
  GM_UNROLL for (int a = 0; a < na; a++) {
    GM_UNROLL for (int b = 0; b < nb; b++) q[a][b] = splat(0);
  }
  for (ptrdiff_t i = 0; i < m; i += GM_W) {
    vec ui[4];
    GM_UNROLL for (int a = 0; a < na; a++) ui[a] = load(u + i + GM_CHUNK * a);
    GM_UNROLL for (int b = 0; b < nb; b++) {
      const vec ti = load(t + i + GM_CHUNK * b);
      GM_UNROLL for (int a = 0; a < na; a++) {
        if (!diagonal || b <= a) q[a][b] += ui[a] * ti;
      }
    }
  }
  GM_UNROLL for (int a = 0; a < na; a++) {
    GM_UNROLL for (int b = 0; b < nb; b++) {
      if (!diagonal || b <= a) scatter[a + d * b] += total_of(q[a][b]);
    }
  }
}

/* Rows a, ..., a + na - 1 of the lower triangle. */
GM_INLINE void scatter_rows(int na, ptrdiff_t a, ptrdiff_t d, ptrdiff_t m, const double* x,
                            ptrdiff_t ld, const double* mean, const double* r, double* t,
                            double* u, double* sum, double* scatter) {
  double* ta = t + GM_CHUNK * a;
  center(na, m, x + ld * a, ld, mean + a, r, ta, u, sum + a);
  for (ptrdiff_t b = 0; b < a; b += 4) {
    double* tile = scatter + a + d * b;
    const double* tb = t + GM_CHUNK * b;
    if (GM_REGISTERS >= 32) {
      multiply(na, 4, 0, m, u, tb, tile, d);
    } else {
      multiply(na, 2, 0, m, u, tb, tile, d);
      multiply(na, 2, 0, m, u, tb + 2 * GM_CHUNK, tile + 2 * d, d);
    }
  }
  multiply(na, na, 1, m, u, ta, scatter + a + d * a, d);
}

GM_TARGET static void accumulate_triang(const struct gm_factors* f, const double* x, ptrdiff_t ld,
                                        int m, const double* w, const double* resp,
                                        struct gm_stats* stats, double* work) {
  const ptrdiff_t d = f->d;
  double* t = work;
  double* u = work + d * GM_CHUNK;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    const double* mean = f->mean + d * j;
    const double* r = resp + m * j;
    double* sum = stats->sum + d * j;
    double* scatter = stats->scatter + stats->stride * j;
    if (weigh(m, w, r, stats->nk + j, stats->nk2 + j) == 0) continue;
    switch (d) {
      case 1: scatter_small(1, m, x, ld, mean, r, sum, scatter); continue;
      case 2: scatter_small(2, m, x, ld, mean, r, sum, scatter); continue;
      case 3: scatter_small(3, m, x, ld, mean, r, sum, scatter); continue;
      case 4: scatter_small(4, m, x, ld, mean, r, sum, scatter); continue;
    }
    for (ptrdiff_t i = 0; i < m; i += GM_CHUNK) {
      const ptrdiff_t rows = MIN(GM_CHUNK, m - i);
      const double* xi = x + i;
      const double* ri = r + i;
      ptrdiff_t a = 0;
      for (; a + 4 <= d; a += 4) scatter_rows(4, a, d, rows, xi, ld, mean, ri, t, u, sum, scatter);
      switch (d - a) {
        case 3: scatter_rows(3, a, d, rows, xi, ld, mean, ri, t, u, sum, scatter); break;
        case 2: scatter_rows(2, a, d, rows, xi, ld, mean, ri, t, u, sum, scatter); break;
        case 1: scatter_rows(1, a, d, rows, xi, ld, mean, ri, t, u, sum, scatter); break;
      }
    }
  }
}
