/* Small dense helpers, shared by M-step, verdict and factors. */
#ifndef GM_MATRIX_H
#define GM_MATRIX_H

#include <stddef.h>

struct gm_bounds;

/* Smallest variance of variable a alone. */
double gm_floor(const struct gm_bounds* bounds, int a);

/* The upper triangle becomes the mirror image of the lower. */
void gm_mirror(double* a, int d);

/* Lower Cholesky factor in place (the upper triangle is left as it is). 0: not positive definite. */
int gm_cholesky(double* a, int d);

/* Are all eigenvalues of the symmetric a (lower triangle), in units of scale, above t? work: d^2
   doubles. */
int gm_exceeds(const double* a, double t, const double* scale, int d, double* work);

/* Of d positive numbers, by one logarithm where their product can be held. */
double gm_sum_of_logs(const double* v, ptrdiff_t step, int d);

/* Lower triangle of (L L')^-1 in place of L. */
void gm_inverse(double* chol, int d);

/* (x, y) <- (c x + s y, c y - s x) for d pairs of elements, from at_a and at_b on in steps. */
void gm_rotate(double* m, ptrdiff_t at_a, ptrdiff_t at_b, ptrdiff_t step, int d, double c,
               double s);

/* out <- axes' a axes (both triangles), of the symmetric a (lower triangle). half: d^2 of scratch. */
void gm_turn(const double* a, const double* axes, int d, double* out, double* half);

/* Eigenvalues of the symmetric a (lower triangle), ascending; with vectors they replace a. Not a
   number where LAPACK gives up. work: gm_eigen_work(d). */
ptrdiff_t gm_eigen_work(int d);
void gm_eigen(double* a, int d, int vectors, double* value, double* work);

/* out <- a in the metric of L L', L^-1 a L^-T: lower triangles of symmetric matrices. chol: L. */
void gm_whiten(const double* a, const double* chol, int d, double* out);
/* Smallest eigenvalue of that: min v'a v / v'L L'v. work: d^2 + d + gm_eigen_work(d). */
double gm_smallest(const double* a, const double* chol, int d, double* work);

#endif
