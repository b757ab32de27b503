/* Template: the stages of GM_DIAG and GM_SPHER, after kernel_triang.h. Contract: struct
   gm_kernel in gm.h. Four columns of x at a time, and all components over them: a
   component at a time would read all columns again for each. */

/* na columns and NV vectors of rows, all components. step 1: a reciprocal standard
   deviation for each variable; 0: one for all. na, first, step are constants where this
   is inlined. */
GM_INLINE void distance_columns(int na, int first, int step, ptrdiff_t a,
                                const struct gm_factors* f, const double* restrict x,
                                ptrdiff_t ld, ptrdiff_t m, double* restrict maha) {
  vec xi[4][NV];
  GM_UNROLL for (int s = 0; s < na; s++) {
    const double* column = x + ld * (a + s);
    GM_UNROLL for (int v = 0; v < NV; v++) xi[s][v] = load(column + v * GM_W);
    /* 64 rows ahead: d streams are more than the processor follows by itself */
    for (int i = 0; !first && i < NV * GM_W; i += 8) __builtin_prefetch(column + 64 + i);
  }
  for (ptrdiff_t j = 0; j < f->k; j++) {
    const double* mean = f->mean + f->d * j + a;
    const double* scale = f->factor + f->stride * j + step * a;
    double* out = maha + m * j;
    vec sum[NV];
    GM_UNROLL for (int v = 0; v < NV; v++) {
      sum[v] = first ? splat(0) : load(out + v * GM_W);
    }
    GM_UNROLL for (int s = 0; s < na; s++) {
      const vec c = splat(mean[s]), z = splat(scale[step * s]);
      GM_UNROLL for (int v = 0; v < NV; v++) {
        const vec y = (xi[s][v] - c) * z;
        sum[v] += y * y;
      }
    }
    GM_UNROLL for (int v = 0; v < NV; v++) store(out + v * GM_W, sum[v]);
  }
}

GM_INLINE void distance_scaled(int step, const struct gm_factors* f,
                               const double* restrict x, ptrdiff_t ld, int m,
                               double* restrict maha) {
  for (ptrdiff_t i = 0; i < m; i += NV * GM_W) {
    const double* xi = x + i;
    double* out = maha + i;
    /* the ragged columns come first: they start the sums */
    const ptrdiff_t ragged = f->d % 4 ? f->d % 4 : 4;
    switch (ragged) {
      case 1: distance_columns(1, 1, step, 0, f, xi, ld, m, out); break;
      case 2: distance_columns(2, 1, step, 0, f, xi, ld, m, out); break;
      case 3: distance_columns(3, 1, step, 0, f, xi, ld, m, out); break;
      case 4: distance_columns(4, 1, step, 0, f, xi, ld, m, out); break;
    }
    for (ptrdiff_t a = ragged; a < f->d; a += 4) {
      distance_columns(4, 0, step, a, f, xi, ld, m, out);
    }
  }
}

GM_TARGET static void distance_diag(const struct gm_factors* f, const double* restrict x,
                                    ptrdiff_t ld, int m, double* restrict maha,
                                    double* restrict work) {
  (void)work;
  distance_scaled(1, f, x, ld, m, maha);
}

GM_TARGET static void distance_spher(const struct gm_factors* f, const double* restrict x,
                                     ptrdiff_t ld, int m, double* restrict maha,
                                     double* restrict work) {
  (void)work;
  distance_scaled(0, f, x, ld, m, maha);
}

/* Sums and squares of na columns, one component. na: a constant where this is inlined. */
GM_INLINE void squares(int na, ptrdiff_t m, const double* x, ptrdiff_t ld,
                       const double* mean, const double* r, double* sum,
                       double* scatter) {
  vec c[4], q[8]; /* q: sums, then squares */
  GM_UNROLL for (int a = 0; a < na; a++) c[a] = splat(mean[a]);
  GM_UNROLL for (int e = 0; e < 8; e++) q[e] = splat(0);
  for (ptrdiff_t i = 0; i < m; i += GM_W) {
    const vec ri = load(r + i);
    GM_UNROLL for (int a = 0; a < na; a++) {
      const vec t = load(x + i + ld * a) - c[a];
      const vec u = ri * t;
      q[a] += u;
      q[4 + a] += u * t;
    }
  }
  double out[8];
  totals(8, q, out);
  GM_UNROLL for (int a = 0; a < na; a++) {
    sum[a] += out[a];
    scatter[a] += out[4 + a];
  }
}

GM_TARGET static void accumulate_diag(const struct gm_factors* f,
                                      const double* restrict x, ptrdiff_t ld, int m,
                                      const double* restrict w,
                                      const double* restrict resp, struct gm_stats* stats,
                                      double* restrict work) {
  const ptrdiff_t d = f->d;
  double* n = work;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    n[j] = weigh(m, w, resp + m * j, stats->nk + j, stats->nk2 + j, NULL);
  }
  for (ptrdiff_t a = 0; a < d; a += 4) {
    const double* xa = x + ld * a;
    for (ptrdiff_t j = 0; j < f->k; j++) {
      if (n[j] == 0) continue;
      const double* mean = f->mean + d * j + a;
      const double* r = resp + m * j;
      double* sum = stats->sum + d * j + a;
      double* scatter = stats->scatter + stats->stride * j + a;
      switch (MIN(4, d - a)) {
        case 1: squares(1, m, xa, ld, mean, r, sum, scatter); break;
        case 2: squares(2, m, xa, ld, mean, r, sum, scatter); break;
        case 3: squares(3, m, xa, ld, mean, r, sum, scatter); break;
        case 4: squares(4, m, xa, ld, mean, r, sum, scatter); break;
      }
    }
  }
}
