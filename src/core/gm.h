/* gaussmix core: the public face.

   Rows -> stats -> parameters.
     E-step  rows and parameters -> gm_stats   estep.c over kernel*.c; knows no family
     merge   stats + stats -> stats            stats.c; plain addition in a fixed order
     M-step  stats -> parameters               mstep.c, family.c; sees no rows
   em.c drives the three and never looks inside them.

   Letters: n rows, d variables, k components, i row, a b variables, j component.
   Layout: column-major. x[i + ld * a]; mean[a + d * j]; covariances by gm_cov().
   Nothing here allocates, prints, draws random numbers or knows R: callers bring the memory
   (gm_*_size() counts doubles), the key of the generator and a tick(). */
#ifndef GM_H
#define GM_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* ---- families ------------------------------------------------------------------------ */

/* How a covariance is stored, which kernel measures distances, which scatter it needs. */
enum gm_shape {
  GM_TRIANG, /* d x d, symmetric, both triangles   scatter: d x d, lower triangle */
  GM_DIAG,   /* d variances                        scatter: d sums of squares     */
  GM_SPHER   /* 1 variance                         scatter: d sums of squares     */
};
enum { GM_N_SHAPES = 3 };

struct gm_family;
struct gm_params;
struct gm_stats;
struct gm_bounds;

struct gm_family {
  const char* code;
  enum gm_shape shape;
  int shared; /* 1: one covariance (and one scatter) common to all components */
  int own;    /* rows that determine what a component shares with no other, see verdict.c */
  int (*mstep)(const struct gm_stats* stats, const struct gm_bounds* bounds, struct gm_params* params,
               double* work, struct gm_error* err);
};
enum { GM_OWN_NOTHING, GM_OWN_SIZE, GM_OWN_ORIENTATION }; /* 1, 2, d + 1 rows */

const struct gm_family* gm_family_find(const char* code); /* NULL: no such family */

/* ---- parameters ---------------------------------------------------------------------- */

struct gm_params {
  const struct gm_family* family;
  int d, k;
  double* prop; /* k */
  double* mean; /* d x k */
  double* cov;  /* gm_cov_size(); component j at cov + gm_cov_stride() * j */
};
ptrdiff_t gm_cov_length(enum gm_shape shape, int d); /* doubles in one covariance */
ptrdiff_t gm_cov_stride(const struct gm_family* family, int d); /* 0 where shared */
ptrdiff_t gm_params_size(const struct gm_family* family, int d, int k);
/* Lays params out over mem (gm_params_size() doubles); returns the first double behind. */
double* gm_params_init(struct gm_params* params, const struct gm_family* family, int d, int k,
                       double* mem);
void gm_params_copy(struct gm_params* to, const struct gm_params* from);

/* What the kernels read: Cholesky factors and log constants, remade from the parameters before
   every E-step. For row x and component j
     maha_j(x) = || L_j^-1 (x - mean_j) ||^2,   L_j L_j' = cov_j
     log(prop_j f_j(x)) = logc_j - maha_j(x) / 2
     logc_j = log(prop_j) - d/2 log(2 pi) - sum_a log L_j[a, a]      (-Inf where prop_j is 0)
   factor of component j at factor + stride * j:
     GM_TRIANG  d x d, column-major: strict lower triangle of L, and 1 / L[a, a] on the diagonal
     GM_DIAG    d reciprocal standard deviations
     GM_SPHER   1 reciprocal standard deviation */
struct gm_factors {
  enum gm_shape shape;
  int d, k;
  ptrdiff_t stride; /* between components; 0 where the covariance is shared */
  double* logc;     /* k */
  const double* mean;
  double* factor;
};
ptrdiff_t gm_factors_size(const struct gm_family* family, int d, int k);
double* gm_factors_init(struct gm_factors* f, const struct gm_family* family, int d, int k, double* mem);
int gm_factors_set(struct gm_factors* f, const struct gm_params* params, struct gm_error* err) GM_MUST_CHECK;

/* ---- rows ---------------------------------------------------------------------------- */

/* Row i: x[i + ld * a], weight w[i] (NULL: 1), known component label[i] in 1..k or 0 (NULL: all
   unknown). Where resp is given (n x k, leading dimension ld), it is used as it is instead of the
   posterior. Nothing is ever written through these pointers. */
struct gm_rows {
  ptrdiff_t n, ld;
  int d;
  const double* x;
  const double* w;
  const int* label;
  const double* resp;
};

/* ---- statistics ---------------------------------------------------------------------- */

/* With r_ij the posterior (or known) probability of component j for row i, c_j the mean used in
   the E-step:
     nk[j]    sum_i w_i r_ij
     nk2[j]   sum_i w_i^2 r_ij
     sum      d x k: sum_i w_i r_ij (x_i - c_j)
     scatter  about c_j, of the kind that the shape needs, stride 0 where shared
     total[0] log-likelihood sum_i w_i log f(x_i);  total[1] sum_i w_i
   One flat block of doubles, so that merging is addition. */
struct gm_stats {
  enum gm_shape shape;
  int d, k;
  ptrdiff_t size;   /* doubles in the block, from nk on */
  ptrdiff_t stride; /* of scatter */
  double *nk, *nk2, *sum, *scatter, *total;
};
ptrdiff_t gm_stats_size(const struct gm_family* family, int d, int k);
double* gm_stats_init(struct gm_stats* s, const struct gm_family* family, int d, int k, double* mem);
void gm_stats_zero(struct gm_stats* s);
void gm_stats_add(struct gm_stats* to, const struct gm_stats* from);

/* ---- kernels ------------------------------------------------------------------------- */

/* One block of rows passes through three stages while it sits in cache. Each instruction set has
   one such table (kernel_base.c, kernel_avx2.c, kernel_avx512.c: the same templates), and
   kernel_ref.c is the textbook version: oracle in the tests, fallback elsewhere.

   A block has m rows, a multiple of GM_PAD. x has leading dimension ld; maha, resp and work have
   leading dimension m. Rows added to fill up a block carry weight 0 and a finite x.

   distance    writes maha (m x k), squared Mahalanobis distances.
   posterior   maha (m x cols) becomes resp in place: w_i r_ij, by log-sum-exp over
               logc[j] - maha[i, j] / 2. cols is k, and k + 1 where a further column (noise: maha 0,
               logc its log density) joins. A row with label[i] > 0 has r = 1 there, and its log
               density is that one term. lse (NULL: not wanted) gets the m log densities, weights
               aside. Returns sum_i w_i lse_i over rows with w_i > 0. Responsibilities below
               exp(-GM_CUT) are exactly 0. w, label NULL: 1, all unknown.
               A row whose terms are all -Inf has lse -Inf and resp 0.
   accumulate  adds the block's statistics (nk, nk2, sum, scatter; not total) to stats.
   work: gm_kernel_work(d, k) doubles, 64-byte aligned, not shared between threads.
   Rows with missing values come grouped by pattern: each group is a block of its own whose x holds
   the observed columns only, with factors of their marginal; the kernels need not know. */
enum { GM_PAD = 32 };
#define GM_CUT 120.0

struct gm_kernel {
  const char* name; /* "reference", "baseline", "avx2", "avx512" */
  void (*distance[GM_N_SHAPES])(const struct gm_factors* f, const double* x, ptrdiff_t ld, int m,
                                double* maha, double* work);
  double (*posterior)(const double* logc, int cols, int m, const double* w, const int* label,
                      double* maha, double* lse);
  void (*accumulate[GM_N_SHAPES])(const struct gm_factors* f, const double* x, ptrdiff_t ld, int m,
                                  const double* w, const double* resp, struct gm_stats* stats,
                                  double* work);
  /* u (2 m uniforms in (0, 1), m a multiple of GM_PAD) becomes 2 m standard normals in place, by
     Box and Muller: z[i] = sqrt(-2 log u[i]) cos(2 pi u[m + i]), z[m + i] the same with sin. */
  void (*normals)(double* u, int m);
};
ptrdiff_t gm_kernel_work(int d, int k);
/* The best path that this processor runs; or the one named (NULL where it can't run here). */
const struct gm_kernel* gm_kernel_find(const char* name);

/* ---- E-step -------------------------------------------------------------------------- */

/* Called on the caller's thread only, between stretches of at most ~0.1 s. Not 0: stop. */
typedef int (*gm_tick)(void* data);

struct gm_engine { /* how to compute: never changes what is computed */
  const struct gm_kernel* kernel;
  int threads;
  gm_tick tick;
  void* tick_data;
};

ptrdiff_t gm_estep_work(const struct gm_family* family, int d, int k, int threads);
/* rows, factors -> stats (overwritten). */
int gm_estep(const struct gm_rows* rows, const struct gm_factors* f, const struct gm_family* family,
             const struct gm_engine* engine, struct gm_stats* stats, double* work,
             struct gm_error* err) GM_MUST_CHECK;

/* ---- M-step -------------------------------------------------------------------------- */

struct gm_bounds { /* what keeps covariances away from singular */
  double floor;        /* smallest eigenvalue, in units of scale^2 */
  const double* scale; /* d: the columns' scales */
};
ptrdiff_t gm_mstep_work(int d, int k);
/* stats about params->mean, params (the current ones) -> params (the new ones). */
int gm_mstep(const struct gm_stats* stats, const struct gm_bounds* bounds, struct gm_params* params,
             double* work, struct gm_error* err) GM_MUST_CHECK;

#endif
