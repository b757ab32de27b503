/* Template: the stages of GM_TRIANG. Contract: struct gm_kernel in gm.h.

   distance    y = L^-1 (x - mean) by forward substitution, never an inverse. For each NV
               vectors of rows, for each component: tiles of HEIGHT variables, from the
               first on. Up to d = 4 the other way round: the factor stays in registers.
   accumulate  the lower triangle of S' S, S = sqrt(w r) (x - mean). For each component, for
               each GM_ROWS rows: TALL variables at a time, their columns of S into the work
               space, the entries among them, then tiles of TALL x WIDE entries to the left.
               Where many rows have no share in the component, S holds the others only.
   A tile's size is a constant where its function is inlined. */

#define MIN(a, b) ((a) < (b) ? (a) : (b))

enum {
  NV = GM_REGISTERS >= 32 ? 4 : 2,
  HEIGHT = GM_REGISTERS >= 32 ? 4 : 5,
  TALL = GM_REGISTERS >= 32 ? 8 : 4,
  WIDE = 3,
  TILE = TALL * WIDE > 16 ? TALL* WIDE : 16 /* a multiple of 8 */
};

/* ---- distance ---------------------------------------------------------------------- */

/* y[a], ..., y[a + na - 1] of NV vectors of rows (gathered: those of the numbers `row`) from
   those before; adds their squares to sum. Variable b of y at y + b * NV * GM_W; the last tile's
   are not stored. */
GM_INLINE void substitute(int na, int last, int gathered, ptrdiff_t a, ptrdiff_t d,
                          const double* l, const double* mean, const double* x,
                          ptrdiff_t ld, const int* row, double* y, vec* sum) {
  vec t[HEIGHT][NV];
  GM_UNROLL for (int s = 0; s < na; s++) {
    const vec center = splat(mean[a + s]);
    const double* column = x + ld * (a + s);
    GM_UNROLL for (int v = 0; v < NV; v++) {
      const vec xv =
          gathered ? GM_GATHER(column, row + v * GM_W) : load(column + v * GM_W);
      t[s][v] = xv - center;
    }
  }
  /* the next tile's columns: strides that the processor does not foresee */
  if (!last && !gathered) {
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
      substitute(d, 1, 0, 0, d, l, mean, x + i, ld, NULL, NULL, sum);
      store_distance(maha + i + m * j, sum);
    }
  }
}

/* NV vectors of rows, from d = 5 on. */
GM_INLINE void distance_rows(int gathered, const struct gm_factors* f, ptrdiff_t j,
                             const double* x, ptrdiff_t ld, const int* row, double* maha,
                             double* work) {
  const ptrdiff_t d = f->d;
  const double* mean = f->mean + d * j;
  const double* l = f->factor + f->stride * j;
  vec sum[NV];
  GM_UNROLL for (int v = 0; v < NV; v++) sum[v] = splat(0);
  ptrdiff_t a = 0;
  for (; a + HEIGHT <= d; a += HEIGHT) {
    substitute(HEIGHT, 0, gathered, a, d, l, mean, x, ld, row, work, sum);
  }
  switch (d - a) {
    case 4: /* with HEIGHT 5 only */
      substitute(MIN(4, HEIGHT - 1), 1, gathered, a, d, l, mean, x, ld, row, work, sum);
      break;
    case 3: substitute(3, 1, gathered, a, d, l, mean, x, ld, row, work, sum); break;
    case 2: substitute(2, 1, gathered, a, d, l, mean, x, ld, row, work, sum); break;
    case 1: substitute(1, 1, gathered, a, d, l, mean, x, ld, row, work, sum); break;
  }
  store_distance(maha, sum);
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
      distance_rows(0, f, j, x + i, ld, NULL, maha + i + m * j, work);
    }
  }
}

GM_TARGET static void some_triang(const struct gm_factors* f, int j,
                                  const double* restrict x, ptrdiff_t ld, const int* row,
                                  int m, double* restrict maha, double* restrict work) {
  for (ptrdiff_t i = 0; i < m; i += NV * GM_W) {
    distance_rows(1, f, j, x, ld, row + i, maha + i, work);
  }
}

/* ---- lower bounds, in single precision --------------------------------------------- */

typedef float wide __attribute__((vector_size(8 * GM_W)));
typedef float wide_unaligned
    __attribute__((vector_size(8 * GM_W), aligned(4), may_alias));
typedef float narrow __attribute__((vector_size(4 * GM_W)));

#if defined(__clang__) || __GNUC__ >= 9
#define GM_NARROW(x) __builtin_convertvector(x, narrow)
#define GM_WIDEN(x) __builtin_convertvector(x, vec)
#else
GM_INLINE narrow to_narrow(vec x) {
  narrow y;
  for (int lane = 0; lane < GM_W; lane++) y[lane] = (float)x[lane];
  return y;
}
GM_INLINE vec to_wide(narrow x) {
  vec y;
  for (int lane = 0; lane < GM_W; lane++) y[lane] = x[lane];
  return y;
}
#define GM_NARROW(x) to_narrow(x)
#define GM_WIDEN(x) to_wide(x)
#endif

#if !defined(__clang__) && __GNUC__ < 12
GM_INLINE wide join(narrow low, narrow high) {
  union {
    narrow half[2];
    wide whole;
  } both = {{low, high}};
  return both.whole;
}
#define GM_JOIN(low, high) join(low, high)
#elif GM_W == 8
#define GM_JOIN(low, high) \
  __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#elif GM_W == 4
#define GM_JOIN(low, high) __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7)
#else
#define GM_JOIN(low, high) __builtin_shufflevector(low, high, 0, 1, 2, 3)
#endif

GM_INLINE wide wide_splat(float x) { return x - (wide){0}; }

/* 2 GM_W rows of x - center. */
GM_INLINE wide wide_less(const double* x, vec center) {
  const narrow low = GM_NARROW(load(x) - center);
  const narrow high = GM_NARROW(load(x + GM_W) - center);
  return GM_JOIN(low, high);
}

/* As substitute(), HEIGHT variables of nv wide vectors of rows. */
GM_INLINE void wide_substitute(int nv, ptrdiff_t a, ptrdiff_t d, const float* l,
                               const double* mean, const double* x, ptrdiff_t ld,
                               float* y, wide* sum) {
  enum { ROWS = 2 * GM_W };
  wide t[HEIGHT][NV];
  GM_UNROLL for (int s = 0; s < HEIGHT; s++) {
    const vec center = splat(mean[a + s]);
    GM_UNROLL for (int v = 0; v < nv; v++) {
      t[s][v] = wide_less(x + ld * (a + s) + v * ROWS, center);
    }
  }
  for (ptrdiff_t b = 0; b < a; b++) {
    GM_UNROLL for (int s = 0; s < HEIGHT; s++) {
      const wide c = wide_splat(l[a + s + d * b]);
      GM_UNROLL for (int v = 0; v < nv; v++) {
        t[s][v] -= c * *(const wide_unaligned*)(y + (b * nv + v) * ROWS);
      }
    }
  }
  GM_UNROLL for (int s = 0; s < HEIGHT; s++) {
    GM_UNROLL for (int q = 0; q < HEIGHT; q++) {
      if (q >= s) continue;
      const wide c = wide_splat(l[a + s + d * (a + q)]);
      GM_UNROLL for (int v = 0; v < nv; v++) t[s][v] -= c * t[q][v];
    }
    const wide reciprocal = wide_splat(l[a + s + d * (a + s)]);
    GM_UNROLL for (int v = 0; v < nv; v++) {
      t[s][v] *= reciprocal;
      *(wide_unaligned*)(y + ((a + s) * nv + v) * ROWS) = t[s][v];
      sum[v] += t[s][v] * t[s][v];
    }
  }
}

/* Bounds of nv wide vectors of rows. What is not finite in single precision tells nothing. */
GM_INLINE void least_rows(int nv, const struct gm_factors* f, int depth, const double* x,
                          ptrdiff_t ld, ptrdiff_t m, double* maha, float* y) {
  const ptrdiff_t d = f->d;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    const double* mean = f->mean + d * j;
    const float* l = f->screen + f->stride * j;
    const vec trust = splat(f->trust[j]);
    wide sum[NV];
    GM_UNROLL for (int v = 0; v < nv; v++) sum[v] = wide_splat(0);
    for (ptrdiff_t a = 0; a + HEIGHT <= depth; a += HEIGHT) {
      wide_substitute(nv, a, d, l, mean, x, ld, y, sum);
    }
    GM_UNROLL for (int v = 0; v < nv; v++) {
      union {
        wide whole;
        narrow half[2];
      } found = {sum[v]};
      GM_UNROLL for (int h = 0; h < 2; h++) {
        const vec squares = GM_WIDEN(found.half[h]);
        const bits finite = (bits)(squares <= splat(FLT_MAX));
        store(maha + m * j + (2 * v + h) * GM_W, keep(trust * squares, finite));
      }
    }
  }
}

GM_TARGET static void least_triang(const struct gm_factors* f, int depth,
                                   const double* restrict x, ptrdiff_t ld, int m,
                                   double* restrict maha, double* restrict work) {
  enum { ROWS = 2 * GM_W * NV };
  float* y = (float*)work;
  ptrdiff_t i = 0;
  for (; i + ROWS <= m; i += ROWS) least_rows(NV, f, depth, x + i, ld, m, maha + i, y);
  for (; i < m; i += ROWS / 2) least_rows(NV / 2, f, depth, x + i, ld, m, maha + i, y);
}

/* ---- accumulate -------------------------------------------------------------------- */

/* Adds nk and nk2 of one component; returns what it added to nk. *active: rows that have a
   share in it. */
GM_INLINE double weigh(ptrdiff_t m, const double* w, const double* r, double* nk,
                       double* nk2, ptrdiff_t* active) {
  vec sum[4], sum2[4];
  bits count = splat_bits(0);
  GM_UNROLL for (int g = 0; g < 4; g++) sum[g] = sum2[g] = splat(0);
  for (ptrdiff_t i = 0; i < m; i += 4 * GM_W) {
    GM_UNROLL for (int g = 0; g < 4; g++) {
      const vec v = load(r + i + g * GM_W);
      sum[g] += v;
      if (w) sum2[g] += load(w + i + g * GM_W) * v;
      if (active) count -= (bits)(v != splat(0));
    }
  }
  const double n = total_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
  *nk += n;
  *nk2 += w ? total_of((sum2[0] + sum2[1]) + (sum2[2] + sum2[3])) : n;
  if (active) {
    *active = 0;
    for (int lane = 0; lane < GM_W; lane++) *active += (ptrdiff_t)count[lane];
  }
  return n;
}

/* Rows of one component: `rows` of them, a multiple of GM_W, from x on; or row[0], row[1], ...
   of x. */
struct share {
  ptrdiff_t d, rows, ld;
  const double *x, *mean;
  const int* row;
  const double* r;    /* of each row, up to d = 4 */
  const double* root; /* sqrt(r), 0 beyond the last row; from d = 5 on */
  double* s;          /* sqrt(r) (x - mean) by columns, GM_LD apart; from d = 5 on */
  double *sum, *scatter;
};

/* na variables from a on: adds their sums and the scatter among them. From d = 5 on leaves
   their columns of s. */
GM_INLINE void center(int na, int small, int gathered, ptrdiff_t a,
                      const struct share* p) {
  const ptrdiff_t d = small ? na : p->d;
  const double* x = p->x + p->ld * a;
  double* s = p->s + GM_LD * a;
  vec c[4], q[16]; /* q: sums, then the lower triangle by columns */
  GM_UNROLL for (int e = 0; e < na; e++) c[e] = splat(p->mean[a + e]);
  GM_UNROLL for (int e = 0; e < 16; e++) q[e] = splat(0);
  for (ptrdiff_t i = 0; i < p->rows; i += GM_W) {
    const vec share = load((small ? p->r : p->root) + i);
    vec left[4], right[4];
    GM_UNROLL for (int e = 0; e < na; e++) {
      const double* column = x + p->ld * e;
      const vec xi = gathered ? GM_GATHER(column, p->row + i) : load(column + i);
      left[e] = share * (xi - c[e]);
      right[e] = small ? xi - c[e] : left[e];
      q[e] += small ? left[e] : share * left[e];
      if (!small) store(s + i + GM_LD * e, left[e]);
      GM_UNROLL for (int b = 0; b < na; b++) {
        if (b <= e) q[4 + e + b * (7 - b) / 2] += left[e] * right[b];
      }
    }
  }
  double out[16];
  totals(16, q, out);
  GM_UNROLL for (int e = 0; e < na; e++) {
    p->sum[a + e] += out[e];
    GM_UNROLL for (int b = 0; b < na; b++) {
      if (b <= e) p->scatter[a + e + d * (a + b)] += out[4 + e + b * (7 - b) / 2];
    }
  }
}

/* na x nb entries of the scatter from (a, b) on, to the left of the diagonal. */
GM_INLINE void tile(int na, int nb, ptrdiff_t a, ptrdiff_t b, const struct share* p) {
  const double *sa = p->s + GM_LD * a, *sb = p->s + GM_LD * b;
  double* scatter = p->scatter + a + p->d * b;
  const int high = na > 4 ? TALL : 4;
  vec q[TILE];
  GM_UNROLL for (int e = 0; e < TILE; e++) q[e] = splat(0);
  for (ptrdiff_t i = 0; i < p->rows; i += GM_W) {
    vec t[4];
    GM_UNROLL for (int e = 0; e < nb; e++) t[e] = load(sb + i + GM_LD * e);
    GM_UNROLL for (int g = 0; g < na; g++) {
      vec u = load(sa + i + GM_LD * g);
      GM_HOLD(u);
      GM_UNROLL for (int e = 0; e < nb; e++) q[g + high * e] += u * t[e];
    }
  }
  double out[TILE];
  totals((high * nb + 7) / 8 * 8, q, out);
  GM_UNROLL for (int e = 0; e < nb; e++) {
    double* to = scatter + p->d * e;
    const double* from = out + high * e;
    if (na % 4 == 0) {
      GM_UNROLL for (int g = 0; g < na; g += 4) {
        *(four_unaligned*)(to + g) += *(const four_unaligned*)(from + g);
      }
    } else {
      GM_UNROLL for (int g = 0; g < na; g++) to[g] += from[g];
    }
  }
}

/* The first na variables, less than TALL. */
GM_INLINE void first_group(int gathered, int na, const struct share* p) {
  if (na >= 4) center(4, 0, gathered, 0, p);
  const ptrdiff_t a = na / 4 * 4;
  switch (na % 4) {
    case 1:
      center(1, 0, gathered, a, p);
      if (a) tile(1, 4, a, 0, p);
      break;
    case 2:
      center(2, 0, gathered, a, p);
      if (a) tile(2, 4, a, 0, p);
      break;
    case 3:
      center(3, 0, gathered, a, p);
      if (a) tile(3, 4, a, 0, p);
      break;
  }
}

GM_INLINE void scatter_rows(int gathered, const struct share* p) {
  ptrdiff_t a = p->d % TALL;
  first_group(gathered, (int)a, p);
  for (; a < p->d; a += TALL) {
    center(4, 0, gathered, a, p);
    if (TALL > 4) {
      center(4, 0, gathered, a + 4, p);
      tile(4, 4, a + 4, a, p);
    }
    switch (a % WIDE) {
      case 1: tile(TALL, 1, a, 0, p); break;
      case 2: tile(TALL, 2, a, 0, p); break;
    }
    for (ptrdiff_t b = a % WIDE; b < a; b += WIDE) tile(TALL, WIDE, a, b, p);
  }
}

/* sqrt(r); what is not a normal number counts as 0. */
GM_INLINE vec root_of(vec r) { return keep(sqrt_normal(r), (bits)(r >= splat(DBL_MIN))); }

/* From d = 5 on. m rows, GM_ROWS at a time; where it pays only those with r > 0. */
GM_INLINE void scatter_blocked(struct share p, ptrdiff_t m, ptrdiff_t active,
                               double* work) {
  int row[GM_ROWS];
  double* root = work;
  const double* x = p.x;
  p.root = root;
  p.s = work + GM_LD;
  if (active >= m - m / 8) {
    for (ptrdiff_t i = 0; i < m; i += GM_ROWS) {
      p.rows = MIN(GM_ROWS, m - i);
      p.x = x + i;
      for (ptrdiff_t e = 0; e < p.rows; e += GM_W)
        store(root + e, root_of(load(p.r + i + e)));
      scatter_rows(0, &p);
    }
    return;
  }
  p.row = row;
  for (ptrdiff_t i = 0; i < m;) {
    ptrdiff_t count = 0;
    for (; i < m && count < GM_ROWS; i++) {
      row[count] = (int)i;
      count += p.r[i] > 0;
    }
    p.rows = (count + GM_W - 1) / GM_W * GM_W;
    for (ptrdiff_t e = count; e < p.rows; e++) row[e] = row[count - 1];
    for (ptrdiff_t e = 0; e < p.rows; e += GM_W)
      store(root + e, root_of(GM_GATHER(p.r, row + e)));
    for (ptrdiff_t e = count; e < p.rows; e++) root[e] = 0;
    if (count > 0) scatter_rows(1, &p);
  }
}

GM_TARGET static void accumulate_triang(const struct gm_factors* f,
                                        const double* restrict x, ptrdiff_t ld, int m,
                                        const double* restrict w,
                                        const double* restrict resp,
                                        struct gm_stats* stats, double* restrict work) {
  const ptrdiff_t d = f->d;
  for (ptrdiff_t j = 0; j < f->k; j++) {
    const struct share p = {.d = d,
                            .rows = m,
                            .ld = ld,
                            .x = x,
                            .mean = f->mean + d * j,
                            .r = resp + m * j,
                            .sum = stats->sum + d * j,
                            .scatter = stats->scatter + stats->stride * j};
    ptrdiff_t active;
    if (weigh(m, w, p.r, stats->nk + j, stats->nk2 + j, d > 4 ? &active : NULL) == 0)
      continue;
    switch (d) {
      case 1: center(1, 1, 0, 0, &p); break;
      case 2: center(2, 1, 0, 0, &p); break;
      case 3: center(3, 1, 0, 0, &p); break;
      case 4: center(4, 1, 0, 0, &p); break;
      default: scatter_blocked(p, m, active, work);
    }
  }
}
