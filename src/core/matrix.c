/* Small dense helpers over LAPACK. Column-major, lower triangles. */
#include "matrix.h"

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

/* LAPACK's overhead is large against d^3 / 3 operations below this. */
enum { SMALL = 12 };

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

int gm_exceeds(const double* a, double t, int d, double* work) {
  memcpy(work, a, (size_t)d * d * sizeof *a);
  for (int i = 0; i < d; i++) work[i + (ptrdiff_t)d * i] -= t;
  return gm_cholesky(work, d);
}

enum { EIGEN_BLOCK = 34 }; /* LAPACK's block size for dsytrd, plus 2 */
ptrdiff_t gm_eigen_work(int d) { return (ptrdiff_t)EIGEN_BLOCK * d; }

void gm_eigen(double* a, int d, int vectors, double* value, double* work) {
  int lwork = EIGEN_BLOCK * d, info;
  F77_CALL(dsyev)
  (vectors ? "V" : "N", "L", &d, a, &d, value, work, &lwork, &info FCONE FCONE);
  if (info)
    for (int i = 0; i < d; i++) value[i] = NAN;
}

void gm_whiten(const double* a, const double* chol, int d, double* out) {
  const int type = 1;
  int info;
  memcpy(out, a, (size_t)d * d * sizeof *a);
  F77_CALL(dsygst)(&type, "L", &d, out, &d, chol, &d, &info FCONE);
}

double gm_smallest(const double* a, const double* chol, int d, double* work) {
  double* value = work + (ptrdiff_t)d * d;
  gm_whiten(a, chol, d, work);
  gm_eigen(work, d, 0, value, value + d);
  return value[0];
}
