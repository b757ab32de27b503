/* Small dense helpers: plain loops for few columns, else LAPACK. Column-major, lower triangles. */
#include "matrix.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "blas.h"
#include "gm.h"

double gm_floor(const struct gm_bounds* bounds, int a) {
  return bounds->floor * bounds->scale[a] * bounds->scale[a];
}

void gm_mirror(double* m, int d) {
  for (int b = 0; b < d; b++)
    for (int a = b + 1; a < d; a++) m[b + (ptrdiff_t)d * a] = m[a + (ptrdiff_t)d * b];
}

/* Up to this d the overhead of LAPACK is large against its work. */
enum { SMALL = 12 };
/* Up to this d that of a Cholesky factor before Jacobi's rotations is, too. */
enum { TINY = 4 };

int gm_cholesky(double* a, int d) {
  int info;
  if (d <= SMALL) {
    for (int j = 0; j < d; j++) {
      double* column = a + (ptrdiff_t)d * j;
      for (int e = 0; e < j; e++) {
        const double* left = a + (ptrdiff_t)d * e;
        for (int i = j; i < d; i++) column[i] -= left[j] * left[i];
      }
      if (!(column[j] > 0)) return 0;
      column[j] = sqrt(column[j]);
      for (int i = j + 1; i < d; i++) column[i] /= column[j];
    }
    return 1;
  }
  F77_CALL(dpotrf)("L", &d, a, &d, &info FCONE);
  /* LAPACK lets a NaN through in a pivot that it compares */
  for (int i = 0; i < d && !info; i++) info = !(a[i + (ptrdiff_t)d * i] > 0);
  return !info;
}

int gm_exceeds(const double* a, double t, const double* scale, int d, double* work) {
  memcpy(work, a, (size_t)d * d * sizeof *a);
  for (int i = 0; i < d; i++) work[i + (ptrdiff_t)d * i] -= t * scale[i] * scale[i];
  if (d > SMALL) return gm_cholesky(work, d);
  for (int j = 0; j < d; j++) { /* pivots alone, without their roots */
    const double* column = work + (ptrdiff_t)d * j;
    if (!(column[j] > 0)) return 0;
    const double reciprocal = 1 / column[j];
    for (int b = j + 1; b < d; b++) {
      const double share = column[b] * reciprocal;
      for (int i = b; i < d; i++) work[i + (ptrdiff_t)d * b] -= share * column[i];
    }
  }
  return 1;
}

double gm_sum_of_logs(const double* v, ptrdiff_t step, int d) {
  double sum = 0, product = 1;
  for (int a = 0; a < d; a++) {
    product *= v[step * a];
    if (!(product > 1e-150 && product < 1e150)) { /* the next factor might not fit */
      sum += log(product);
      product = 1;
    }
  }
  return sum + log(product);
}

void gm_inverse(double* a, int d) {
  int info;
  if (d > SMALL) {
    F77_CALL(dpotri)("L", &d, a, &d, &info FCONE);
    return;
  }
  for (int j = 0; j < d; j++) { /* L^-1 */
    double* column = a + (ptrdiff_t)d * j;
    column[j] = 1 / column[j];
    for (int i = j + 1; i < d; i++) {
      double sum = 0;
      for (int e = j; e < i; e++) sum += a[i + (ptrdiff_t)d * e] * column[e];
      column[i] = -sum / a[i + (ptrdiff_t)d * i];
    }
  }
  for (int j = 0; j < d; j++)
    for (int i = j; i < d; i++) {
      double sum = 0;
      for (int e = i; e < d; e++)
        sum += a[e + (ptrdiff_t)d * i] * a[e + (ptrdiff_t)d * j];
      a[i + (ptrdiff_t)d * j] = sum;
    }
}

void gm_rotate(double* m, ptrdiff_t at_a, ptrdiff_t at_b, ptrdiff_t step, int d, double c,
               double s) {
  for (int e = 0; e < d; e++) {
    const double a = m[at_a + step * e], b = m[at_b + step * e];
    m[at_a + step * e] = c * a + s * b;
    m[at_b + step * e] = c * b - s * a;
  }
}

enum {
  EIGEN_BLOCK = 34, /* LAPACK's block size for dsytrd, plus 2 */
  SWEEPS = 50       /* it needs less than 10 */
};
ptrdiff_t gm_eigen_work(int d) { return (ptrdiff_t)EIGEN_BLOCK * d; }

/* Tangent, cosine and sine of the turn after which two axes are uncorrelated. */
struct turn {
  double t, c, s;
};
static struct turn find_turn(double va, double vb, double off) {
  const double slope = (va - vb) / 2 / off;
  const double t = copysign(1, slope) / (fabs(slope) + sqrt(slope * slope + 1));
  const double c = 1 / sqrt(t * t + 1);
  return (struct turn){t, c, t * c};
}

/* Rotates axes a and b of m (both triangles) to where they are uncorrelated, if they aren't. */
static int uncorrelate(double* m, int d, int a, int b, double* axes) {
  const ptrdiff_t col_a = (ptrdiff_t)d * a, col_b = (ptrdiff_t)d * b;
  const double va = m[a + col_a], vb = m[b + col_b], off = m[b + col_a];
  if (fabs(off) <= DBL_EPSILON / 2 * sqrt(fabs(va)) * sqrt(fabs(vb))) return 0;
  const struct turn turn = find_turn(va, vb, off);
  const double t = turn.t, c = turn.c, s = turn.s;
  gm_rotate(m, col_a, col_b, 1, d, c, s);
  gm_rotate(m, a, b, d, d, c, s);
  m[a + col_a] = va + t * off;
  m[b + col_b] = vb - t * off;
  m[b + col_a] = m[a + col_b] = 0;
  if (axes) gm_rotate(axes, col_a, col_b, 1, d, c, s);
  return 1;
}

/* Cyclic, with thresholds that keep small eigenvalues accurate (Demmel & Veselic 1992). */
static void two_sided(double* a, int d, int vectors, double* value, double* m) {
  const size_t size = (size_t)d * d * sizeof *a;
  int moved = 1;
  memcpy(m, a, size);
  gm_mirror(m, d);
  if (vectors) memset(a, 0, size);
  for (int i = 0; i < d && vectors; i++) a[i + (ptrdiff_t)d * i] = 1;
  for (int sweep = 0; sweep < SWEEPS && moved; sweep++) {
    moved = 0;
    for (int j = 1; j < d; j++)
      for (int i = 0; i < j; i++) moved |= uncorrelate(m, d, i, j, vectors ? a : NULL);
  }
  for (int i = 0; i < d; i++) value[i] = m[i + (ptrdiff_t)d * i];
}

/* Columns are filled up with zeros to whole lanes: loops of a known count become vector code. */
enum { LANES = 4, HEIGHT = (SMALL + LANES - 1) / LANES * LANES };

static double dot(const double* x, const double* y, int d) {
  double part[LANES] = {0};
  for (int e = 0; e < d; e += LANES)
    for (int l = 0; l < LANES; l++) part[l] += x[e + l] * y[e + l];
  return part[0] + part[1] + (part[2] + part[3]);
}

static void rotate(double* x, double* y, int d, double c, double s) {
  for (int e = 0; e < d; e += LANES) {
    double a[LANES], b[LANES];
    for (int l = 0; l < LANES; l++) a[l] = x[e + l];
    for (int l = 0; l < LANES; l++) b[l] = y[e + l];
    for (int l = 0; l < LANES; l++) x[e + l] = c * a[l] + s * b[l];
    for (int l = 0; l < LANES; l++) y[e + l] = c * b[l] - s * a[l];
  }
}

/* g: columns with g g' = a, by Cholesky with the largest pivot first; 0: not positive definite.
   m: scratch. */
static int set_root(const double* a, int d, double (*m)[HEIGHT], double (*g)[HEIGHT]) {
  int done[SMALL] = {0};
  for (int b = 0; b < d; b++)
    for (int i = b; i < d; i++) m[b][i] = m[i][b] = a[i + (ptrdiff_t)d * b];
  for (int e = 0; e < d; e++) {
    int p = -1;
    for (int i = 0; i < d; i++)
      if (!done[i] && (p < 0 || m[i][i] > m[p][p])) p = i;
    if (!(m[p][p] > 0)) return 0;
    const double root = sqrt(m[p][p]);
    for (int i = 0; i < d; i++) g[e][i] = done[i] ? 0 : m[p][i] / root;
    done[p] = 1;
    for (int b = 0; b < d; b++) {
      const double along = g[e][b];
      if (done[b]) continue;
      for (int i = 0; i < HEIGHT; i++) m[b][i] -= along * g[e][i];
    }
  }
  return 1;
}

/* One-sided: rotates the columns of a root of a until they are orthogonal; they are then the axes,
   and their squared lengths the eigenvalues. As accurate as the two-sided one, in fewer sweeps, each
   of a third of the work (Veselic & Hari 1989). The pairs (i, j) with i + j = round (mod d) have no
   column in common. 0: a has no such root. */
static int one_sided(double* a, int d, int vectors, double* value) {
  const double tolerance = sqrt(d) * DBL_EPSILON;
  double m[SMALL][HEIGHT] = {{0}}, g[SMALL][HEIGHT] = {{0}};
  int moved = 1;
  if (!set_root(a, d, m, g)) return 0;
  for (int sweep = 0; sweep < SWEEPS && moved; sweep++) {
    moved = 0;
    for (int i = 0; i < d; i++) value[i] = dot(g[i], g[i], d);
    for (int round = 0; round < d; round++)
      for (int i = 0; i < d; i++) {
        const int j = (round + d - i) % d;
        if (j <= i) continue;
        const double off = dot(g[i], g[j], d);
        if (fabs(off) <= tolerance * sqrt(value[i]) * sqrt(value[j])) continue;
        const struct turn turn = find_turn(value[i], value[j], off);
        rotate(g[i], g[j], d, turn.c, turn.s);
        value[i] += turn.t * off;
        value[j] -= turn.t * off;
        moved = 1;
      }
  }
  for (int i = 0; i < d; i++)
    if (!((value[d - 1 - i] = dot(g[i], g[i], d)) > 0)) return 0;
  for (int i = 0; i < d; i++) {
    const double length = sqrt(value[d - 1 - i]);
    for (int e = 0; e < d && vectors; e++)
      a[e + (ptrdiff_t)d * (d - 1 - i)] = g[i][e] / length;
  }
  return 1;
}

static void jacobi(double* a, int d, int vectors, double* value, double* work) {
  if (d <= TINY || !one_sided(a, d, vectors, value))
    two_sided(a, d, vectors, value, work);
  for (int j = 1; j < d; j++)
    for (int i = j; i > 0 && value[i] < value[i - 1]; i--) {
      const double held = value[i];
      value[i] = value[i - 1];
      value[i - 1] = held;
      /* a quarter turn */
      if (vectors) gm_rotate(a, (ptrdiff_t)d * i, (ptrdiff_t)d * (i - 1), 1, d, 0, 1);
    }
}

void gm_eigen(double* a, int d, int vectors, double* value, double* work) {
  int lwork = EIGEN_BLOCK * d, info;
  if (d <= SMALL) {
    jacobi(a, d, vectors, value, work);
    return;
  }
  F77_CALL(dsyev)
  (vectors ? "V" : "N", "L", &d, a, &d, value, work, &lwork, &info FCONE FCONE);
  if (info)
    for (int i = 0; i < d; i++) value[i] = NAN;
}

void gm_whiten(const double* a, const double* chol, int d, double* out) {
  const int type = 1;
  int info;
  memcpy(out, a, (size_t)d * d * sizeof *a);
  if (d > SMALL) {
    F77_CALL(dsygst)(&type, "L", &d, out, &d, chol, &d, &info FCONE);
    return;
  }
  gm_mirror(out, d);
  for (int b = 0; b < d; b++) /* L^-1 a */
    for (int i = 0; i < d; i++) {
      double* column = out + (ptrdiff_t)d * b;
      for (int e = 0; e < i; e++) column[i] -= chol[i + (ptrdiff_t)d * e] * column[e];
      column[i] /= chol[i + (ptrdiff_t)d * i];
    }
  for (int b = 0; b < d; b++) /* and that L^-T */
    for (int i = b; i < d; i++) {
      double* at = out + i;
      for (int e = 0; e < b; e++)
        at[(ptrdiff_t)d * b] -= at[(ptrdiff_t)d * e] * chol[b + (ptrdiff_t)d * e];
      at[(ptrdiff_t)d * b] /= chol[b + (ptrdiff_t)d * b];
    }
}

void gm_turn(const double* a, const double* axes, int d, double* out, double* half) {
  const double one = 1, zero = 0;
  if (d > SMALL) {
    F77_CALL(dsymm)
    ("L", "L", &d, &d, &one, a, &d, axes, &d, &zero, half, &d FCONE FCONE);
    F77_CALL(dgemm)
    ("T", "N", &d, &d, &d, &one, axes, &d, half, &d, &zero, out, &d FCONE FCONE);
    return;
  }
  for (int b = 0; b < d; b++) {
    const double* axis = axes + (ptrdiff_t)d * b;
    for (int i = 0; i < d; i++) half[i] = 0;
    for (int e = 0; e < d; e++)
      for (int i = 0; i < d; i++)
        half[i] += a[i >= e ? i + (ptrdiff_t)d * e : e + (ptrdiff_t)d * i] * axis[e];
    for (int i = 0; i < d; i++) {
      double sum = 0;
      for (int e = 0; e < d; e++) sum += axes[e + (ptrdiff_t)d * i] * half[e];
      out[i + (ptrdiff_t)d * b] = sum;
    }
  }
}

double gm_smallest(const double* a, const double* chol, int d, double* work) {
  double* value = work + (ptrdiff_t)d * d;
  gm_whiten(a, chol, d, work);
  gm_eigen(work, d, 0, value, value + d);
  return value[0];
}
