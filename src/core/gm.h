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

/* What an M-step for covariances sees: weights n_j and scatter about the new means. */
struct gm_scatter {
  int d, k;
  const double* n;  /* k */
  double total;     /* sum of n */
  const double* s;  /* of the family's shape; component j at s + stride * j */
  ptrdiff_t stride; /* 0 where shared: s is then the sum over the components */
};

struct
    gm_bounds { /* of the parameters: what keeps covariances away from singular, and more */
  double floor;                   /* smallest eigenvalue, in units of scale^2 */
  double ratio;                   /* largest over smallest of them; INFINITY: any */
  const double* scale;            /* d: the columns' scales */
  const struct gm_prior* prior;   /* NULL: maximum likelihood */
  const struct gm_engine* engine; /* asked between components, see gm_stop(); or NULL */
  int equal;                      /* 1: the Gaussians' proportions are equal */
  const struct gm_noise* noise;   /* NULL: none */
  const struct gm_params* fixed;  /* NaN where free, see fixed.c; NULL: all are */
};

/* A further component of density 1 / volume inside a box, 0 outside; without limits everywhere. */
struct gm_noise {
  double log_volume;
  const double *lower, *upper; /* d, or NULL */
};

/* What is sought of the posterior: its mode, or a variational approximation (vb.c), with a Dirichlet
   or a stick-breaking prior of the proportions. */
enum gm_posterior { GM_MODE, GM_DIRICHLET, GM_STICK };

struct gm_prior { /* conjugate, see prior.c */
  enum gm_posterior posterior;
  double alpha;        /* of each proportion, or of the sticks; at least 1 for a mode */
  double kappa;        /* rows that the prior mean is worth; 0: none */
  double df;           /* of the inverse Wishart; 0: none */
  const double* mean;  /* d */
  const double* scale; /* d x d, Lambda */
  const double* root;  /* d x d, its lower Cholesky factor */
  const double*
      constant;  /* log normalisation: all proportions, one mean, one covariance */
  double share;  /* how often it counts */
  double weight; /* of all rows, when it counts once */
  int sorted;    /* 1: components are kept in decreasing order */
};

struct gm_family {
  const char* code;
  enum gm_shape shape;
  int shared; /* 1: one covariance (and one scatter) common to all components */
  int own;    /* what of its covariance a component shares with no other, see verdict.c */
  int bounded; /* 1: the M-step keeps the bounds; 0: gm_mstep() takes back one that crosses them */
  /* scatter -> covariances (laid out as gm_params.cov). In: the current ones, or cov[0] = 0 */
  void (*mstep)(const struct gm_scatter* scatter, const struct gm_bounds* bounds,
                double* cov, double* work);
};
enum { GM_OWN_NOTHING, GM_OWN_SIZE, GM_OWN_ORIENTATION };

/* Eigenvalues of one covariance that are not above the floor; clipped: or that can't be told, for
   rounding, from ones that were clipped to it. For a sphere 0 or 1. work: 2 d^2 + d +
   gm_eigen_work(d). */
int gm_below_floor(enum gm_shape shape, int d, const double* cov,
                   const struct gm_bounds* bounds, int clipped, double* work);
const struct gm_family* gm_family_find(const char* code); /* NULL: no such family */

/* Rows that the prior adds to a covariance. */
double gm_prior_rows(const struct gm_prior* prior, int d);
/* Mean and scatter of n rows about it -> the posterior ones. apart: d doubles. */
void gm_prior_mean(const struct gm_prior* prior, double n, int d, enum gm_shape shape,
                   double* mean, double* scatter, double* apart);
void gm_prior_scatter(const struct gm_prior* prior, int d, enum gm_shape shape,
                      double* scatter);

/* ---- parameters ---------------------------------------------------------------------- */

struct gm_params {
  const struct gm_family* family;
  int d, k;
  double* prop; /* k + 1; the last one is that of the noise, 0 without */
  double* mean; /* d x k */
  double* cov;  /* gm_cov_size(); component j at cov + gm_cov_stride() * j */
};
ptrdiff_t gm_cov_length(enum gm_shape shape, int d); /* doubles in one covariance */
ptrdiff_t gm_cov_stride(const struct gm_family* family, int d); /* 0 where shared */
ptrdiff_t gm_params_size(const struct gm_family* family, int d, int k);
/* Lays params out over mem (gm_params_size() doubles); returns the first double behind. */
double* gm_params_init(struct gm_params* params, const struct gm_family* family, int d,
                       int k, double* mem);
void gm_params_copy(struct gm_params* to, const struct gm_params* from);
/* Components i and j change places. */
void gm_params_exchange(struct gm_params* params, int i, int j);
/* The noise's proportion, the Gaussians in proportion to what they had. */
void gm_params_noise(struct gm_params* params, double share);

/* Covariances that need not keep the ratio -> the best that do, where there is one and the family
   takes it. work: as for gm_mstep(). */
void gm_bound_ratio(struct gm_params* params, const struct gm_bounds* bounds,
                    double* work);
/* log|Sigma_j|, tr(Lambda Sigma_j^-1) and the squared distance of mean_j from the prior's; not a
   number where Sigma_j is not positive definite. work: d^2 + d doubles. */
struct gm_prior_terms {
  double logdet, trace, distance;
};
struct gm_prior_terms gm_prior_look(const struct gm_prior* prior,
                                    const struct gm_params* params, int j, double* work);
/* Log density of the prior; in variational Bayes less the divergence of the posterior from it. work:
   d^2 + d doubles. */
double gm_log_prior(const struct gm_bounds* bounds, const struct gm_params* params,
                    double* work);

/* What the kernels read: Cholesky factors and log constants, remade from the parameters before
   every E-step. For row x and component j
     maha_j(x) = || L_j^-1 (x - mean_j) ||^2,   L_j L_j' = cov_j
     log(prop_j f_j(x)) = logc_j - maha_j(x) / 2
     logc_j = log(prop_j) - d/2 log(2 pi) - sum_a log L_j[a, a]      (-Inf where prop_j is 0)
     logc_k of the noise: log(prop_k) - log(volume), -Inf without noise
   factor of component j at factor + stride * j:
     GM_TRIANG  d x d, column-major: strict lower triangle of L, and 1 / L[a, a] on the diagonal
     GM_DIAG    d reciprocal standard deviations
     GM_SPHER   1 reciprocal standard deviation
   screen: from GM_SCREEN variables on the GM_TRIANG factors once more, laid out alike, in single
   precision, for lower bounds of distances (reach.c); NULL: none. With y of ||y||^2 = maha so computed, trust[j]
   ||y||^2 is not above maha. */
struct gm_factors {
  enum gm_shape shape;
  int d, k;
  ptrdiff_t stride; /* between components; 0 where the covariance is shared */
  double* logc;     /* k + 1 */
  const double* mean;
  double* factor;
  float* screen;
  double* trust;                /* k */
  const double *prop, *cov;     /* of the parameters, as mean is */
  const struct gm_noise* noise; /* NULL: none */
};
enum { GM_SCREEN = 24 };
ptrdiff_t gm_factors_size(const struct gm_family* family, int d, int k);
/* Without noise, which the caller sets. */
double* gm_factors_init(struct gm_factors* f, const struct gm_family* family, int d,
                        int k, double* mem);
int gm_factors_set(struct gm_factors* f, const struct gm_params* params,
                   const struct gm_engine* engine, struct gm_error* err) GM_MUST_CHECK;
/* A covariance becomes its factor in place; returns sum_a log L[a, a], NaN where there is none. */
double gm_factorise(enum gm_shape shape, int d, double* cov);
double gm_log_constant(int d, double logdet); /* of a normal density */

/* The same, but logc_j holds what stands for log(prop_j), and the rest is added to it. */
int gm_factors_fill(struct gm_factors* f, const struct gm_params* params,
                    const struct gm_engine* engine, struct gm_error* err) GM_MUST_CHECK;

/* Variational Bayes: params hold, in place of the proportions, the shares of the rows that the
   components have, and as covariances the inverses of the expected precisions. log_weight (k): what
   then stands for log(prop_j) in the E-step. */
void gm_vb_weights(const struct gm_prior* prior, const struct gm_params* params,
                   double* log_weight);
/* Kullback-Leibler divergence of the posterior from the prior. work: d^2 + d doubles. */
double gm_vb_divergence(const struct gm_bounds* bounds, const struct gm_params* params,
                        double* work);

/* ---- rows ---------------------------------------------------------------------------- */

/* Where the probability r_ij of component j for row i comes from. */
enum gm_source {
  GM_POSTERIOR, /* from the parameters; a known label wins over them */
  GM_LABELS,    /* 1 at label[i] */
  GM_MATRIX,    /* resp */
  GM_NEAREST    /* 1 at the component with the least distance (k-means) */
};

struct gm_trimming {   /* of rows, see trim.c */
  double share;        /* of the weight that is left out */
  const double* scale; /* d: the columns' scales */
  /* what the last E-step came to: */
  double* kept;    /* n: the weights kept */
  double moved;    /* by how much they differ from those of the E-step before */
  double constant; /* sum of w times the constants of missing values */
  double* density; /* scratch, for each row given */
};

/* Rows with missing values (NaN), grouped by which columns they miss: those of a pattern are
   together, and of its columns only those that it observes are there. Pattern p is the rows first[p]
   to first[p + 1] - 1; the c-th of its observed[p] columns is column[c + d * p], and its values begin
   at x + at[p] + (first[p + 1] - first[p]) * c. */
struct gm_patterns {
  int count;
  int* observed;    /* count */
  int* column;      /* d x count: the observed ones, ascending; then the missing ones */
  ptrdiff_t* first; /* count + 1 */
  ptrdiff_t* at;    /* count */
  const int* row;   /* n: each row's number among those given, from 0 */
  const struct gm_rows* given;
};

/* Row i: x[i + ld * a] (with patterns see there), weight w[i] (NULL: 1), known component label[i] in
   1..k or 0 (NULL: all unknown), resp[i + n * j] (k columns, k + 1 with noise). Nothing is ever
   written through these pointers, but what trimming keeps. */
struct gm_rows {
  ptrdiff_t n, ld;
  int d;
  const double* x;
  const double* w;
  const int* label;
  const double* resp;
  enum gm_source source;              /* GM_POSTERIOR where there are patterns */
  const struct gm_patterns* patterns; /* NULL: no value is missing */
  struct gm_trimming* trimming;       /* NULL: none; GM_POSTERIOR only */
};

/* Is any of the n values missing? */
int gm_has_gaps(const double* x, ptrdiff_t n);
/* row (2 n, the second half scratch) <- 0 to n - 1, grouped: complete rows first, wholly missing
   ones last, the order kept within a pattern. */
void gm_patterns_sort(const struct gm_rows* given, int* row);
/* How many patterns are among the rows `row` (n, grouped). */
int gm_patterns_count(const struct gm_rows* given, const int* row, ptrdiff_t n);
/* The rows `row` (n, grouped) of those given -> rows, over the caller's memory: patterns with its
   arrays, x (a double for each value that is there, n x d at most), w (n; NULL: they have none).
   Labels and resp are not taken. */
void gm_patterns_set(const struct gm_rows* given, const int* row, ptrdiff_t n,
                     struct gm_patterns* patterns, double* x, double* w,
                     struct gm_rows* rows);

/* ---- statistics ---------------------------------------------------------------------- */

/* With r_ij the posterior (or known) probability of component j for row i, c_j the mean used in
   the E-step:
     nk[j]    sum_i w_i r_ij
     nk2[j]   sum_i w_i^2 r_ij
     sum      d x k: sum_i w_i r_ij (x_i - c_j)
     scatter  about c_j, of the kind that the shape needs, stride 0 where shared
     lost     d x k: sum_i w_i r_ij over the rows that miss the variable; lost2 the same with w_i^2
     total    sums over all rows, by enum gm_total
   Where values are missing, sum and scatter are expectations given those observed.
   One flat block of doubles, so that merging is addition. */
enum gm_total {
  GM_LOGLIK, /* sum_i w_i log f(x_i) */
  GM_WEIGHT, /* sum_i w_i, of the weight that is kept */
  GM_NOISE,  /* sum_i w_i r_i of the noise */
  GM_CONSTANT, /* constants of rows that the objective counts and the log-likelihood does not */
  GM_TOTALS
};
struct gm_stats {
  enum gm_shape shape;
  int d, k;
  ptrdiff_t size;   /* doubles in the block, from nk on */
  ptrdiff_t stride; /* of scatter */
  double *nk, *nk2, *sum, *scatter, *lost, *lost2, *total;
};
ptrdiff_t gm_stats_size(const struct gm_family* family, int d, int k);
double* gm_stats_init(struct gm_stats* s, const struct gm_family* family, int d, int k,
                      double* mem);
/* The same layout over other memory (size doubles). */
struct gm_stats gm_stats_at(const struct gm_stats* layout, double* mem);
void gm_stats_zero(struct gm_stats* s);
void gm_stats_copy(struct gm_stats* to, const struct gm_stats* from);
void gm_stats_add(struct gm_stats* to, const struct gm_stats* from);
/* The same of other variables, d of them. */
struct gm_stats gm_stats_of(const struct gm_stats* layout, int d, double* mem);
/* Effective size of component j: n_j^2 / sum_i w_i^2 r_ij, the least over the variables of that
   counted where they are observed. */
double gm_stats_size_of(const struct gm_stats* s, int j);
int gm_stats_complete(const struct gm_stats* s); /* 0: values are missing */

/* ---- marginal densities -------------------------------------------------------------- */

/* Of the variables that a pattern observes. */
struct gm_marginal {
  struct gm_factors f;
  const struct gm_factors* whole;
  const int* column; /* as in gm_patterns */
  struct gm_noise noise;
  double* work;
};
ptrdiff_t gm_marginal_work(enum gm_shape shape, int d, int k);
/* For pattern p. work: gm_marginal_work(), which holds it. */
void gm_marginal_set(struct gm_marginal* m, const struct gm_factors* f,
                     const struct gm_patterns* patterns, int p, double* work);
/* Statistics of the observed variables -> adds to `to` their expectations for all variables. */
void gm_marginal_expand(const struct gm_marginal* m, const struct gm_stats* from,
                        struct gm_stats* to);
/* out (all variables, leading dimension ld) <- the pattern's n rows (its variables, leading
   dimension n), the missing values by their means given the others, under component 1 of GM_TRIANG. */
void gm_marginal_fill(const struct gm_marginal* m, ptrdiff_t n, const double* x,
                      double* out, ptrdiff_t ld);

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
               exp(-GM_CUT) are exactly 0; with reach (cols doubles; NULL: none) also those
               where GM_REACH maha exceeds reach[j] - the row's largest term, see gm_reach(),
               which then add nothing to the row's density either.
               w, label NULL: 1, all unknown.
               A row whose terms are all -Inf has lse -Inf and resp 0.
   accumulate  adds the block's statistics (nk, nk2, sum, scatter; not total) to stats.
   work: gm_kernel_work(d, k) doubles, 64-byte aligned, not shared between threads.
   Rows with missing values come grouped by pattern: each group is a block of its own whose x holds
   the observed columns only, with factors of their marginal; the kernels need not know. */
enum { GM_PAD = 32 };
#define GM_CUT 120.0
#define GM_REACH (31.0 / 64)

struct gm_kernel {
  const char* name; /* "reference", "baseline", "avx2", "avx512" */
  void (*distance[GM_N_SHAPES])(const struct gm_factors* f, const double* x, ptrdiff_t ld,
                                int m, double* maha, double* work);
  /* Where there is a screen. least: maha (m x k) <- lower bounds of the distances, by no more than
     the first `depth` variables; 0 where there is none. some: maha[c] <- the distance of row[c],
     c < m, from component j, the same bits as by distance. Both NULL in the textbook kernel. */
  void (*least)(const struct gm_factors* f, int depth, const double* x, ptrdiff_t ld,
                int m, double* maha, double* work);
  void (*some)(const struct gm_factors* f, int j, const double* x, ptrdiff_t ld,
               const int* row, int m, double* maha, double* work);
  double (*posterior)(const double* logc, int cols, int m, const double* w,
                      const int* label, const double* reach, double* maha, double* lse);
  void (*accumulate[GM_N_SHAPES])(const struct gm_factors* f, const double* x,
                                  ptrdiff_t ld, int m, const double* w,
                                  const double* resp, struct gm_stats* stats,
                                  double* work);
  /* u (2 m uniforms in (0, 1), m a multiple of GM_PAD) becomes 2 m standard normals in place, by
     Box and Muller: z[i] = sqrt(-2 log u[i]) cos(2 pi u[m + i]), z[m + i] the same with sin. */
  void (*normals)(double* u, int m);
  /* u[i], v[i] <- the two uniforms of gm_random() at index first + row[i] (NULL: first + i), i < m, a
     multiple of GM_PAD. */
  void (*uniforms)(uint64_t key, uint64_t first, const uint64_t* row, uint32_t stream,
                   uint32_t lane, int m, double* u, double* v);
  /* at[i] <- how many of the `count` increasing numbers are at most u[i], i < m, as above. */
  void (*pick)(const double* cumulative, int count, int m, const double* u, int* at);
  /* Row i of z, z[i + m a], i < rows, becomes mean + root z. root: d columns gm_root_rows(d) apart,
     lower triangular. GM_PAD doubles behind the last of z are read. */
  void (*colour)(int d, const double* mean, const double* root, int rows, double* z,
                 ptrdiff_t m);
};
static inline ptrdiff_t gm_root_rows(int d) { return ((ptrdiff_t)d + 7) / 8 * 8; }
ptrdiff_t gm_kernel_work(int d, int k);
/* The best path that this processor runs; or the one named (NULL where it can't run here). */
const struct gm_kernel* gm_kernel_find(const char* name);

/* ---- blocks -------------------------------------------------------------------------- */

/* Called on the caller's thread only, between stretches of at most ~0.1 s. Not 0: stop, and then
   always. */
typedef int (*gm_tick)(void* data);

struct gm_engine { /* how to compute: never changes what is computed */
  const struct gm_kernel* kernel;
  int threads;
  gm_tick tick;
  void* tick_data;
};

/* Is it time to stop? Asks tick(), after about so many operations; few are not worth the asking.
   Who can't return a status leaves at once: what it leaves behind is not used, as its caller asks
   too. */
int gm_stop(const struct gm_engine* engine, double operations);
static inline double gm_cube(double d) { return d * d * d; } /* operations on a matrix */

/* Blocks of rows are fixed by row index, and groups of blocks by d and k alone. Each group of a
   stretch has a slot of its own, which groups of the next stretches add to; at the end the slots are
   folded in order. So the result is the same for any number of threads. */
struct gm_plan {
  int block;       /* rows in a block, a multiple of GM_PAD */
  ptrdiff_t group; /* rows in a group, a multiple of block */
  int slots;       /* groups in a stretch */
  double cost;     /* about the floating-point operations of a row */
  double pattern;  /* ... of a pattern of missing values */
  ptrdiff_t own;   /* doubles of its own that a thread wants */
};
struct gm_plan gm_plan_make(enum gm_shape shape, int d, int k);

struct gm_block {
  int pattern;       /* of the rows, which share it; -1: of all columns */
  int opens, closes; /* the first, the last block of the pattern in this group */
  ptrdiff_t first;   /* row of the data */
  int rows;          /* rows that are real */
  int m;             /* rows with the padding */
  const double* x;
  ptrdiff_t ld;
  const double* w;
  const int* label;
  double* maha;   /* m x (k + 1), then resp */
  double* reach;  /* k + 1 */
  double* lse;    /* m */
  int* component; /* m */
  double* work;   /* gm_kernel_work() */
  double* own;    /* plan.own, kept from block to block of a group */
};
struct gm_job { /* what is done to the blocks; fold and zero may be NULL */
  void (*zero)(void* data, int slot);
  void (*block)(void* data, const struct gm_block* block, int slot);
  void (*fold)(void* data, int slots);
  void* data;
};
/* The block's maha, of the variables that it observes. */
void gm_block_distance(const struct gm_kernel* kernel, const struct gm_factors* f,
                       const struct gm_block* block);
ptrdiff_t gm_blocks_work(const struct gm_plan* plan, int d, int k, int threads);
int gm_blocks(const struct gm_rows* rows, int k, const struct gm_plan* plan,
              const struct gm_engine* engine, const struct gm_job* job, double* work,
              struct gm_error* err) GM_MUST_CHECK;

/* Lays the noise's column behind the k of block->maha, where there is noise: 0 inside the box, Inf
   outside. Returns how many columns there are. */
int gm_noise_column(const struct gm_factors* f, const struct gm_block* block);

/* ---- which rows matter to which components ------------------------------------------- */

/* Too far from a component to matter are rows where r_ij (1 + maha_ij) < 2^-54 prop_j: what is left
   out of all rows is below rounding, of their densities as of the component's weight and of its scatter,
   measured in its own metric. reach: k + 1; the noise reaches everywhere. */
void gm_reach(const struct gm_factors* f, double* reach);

/* Makes the screen of component j, and its trust. work: 2 d doubles. */
void gm_screen_set(struct gm_factors* f, int j, double* work);
/* The variables that tell most cheaply, for the bounds of kernel->least: by a sample of the rows. 0:
   bounds do not pay. work: gm_screen_work(). Never changes a result. */
ptrdiff_t gm_screen_work(int d, int k);
int gm_screen_depth(const struct gm_rows* rows, const struct gm_factors* f,
                    const struct gm_kernel* kernel, double* work);
/* The block's maha, and reach where that is wanted (returned; else NULL): distances of rows that are
   out of reach may be left at Inf. depth: as above. */
const double* gm_block_reach(const struct gm_kernel* kernel, const struct gm_factors* f,
                             int depth, const struct gm_block* block);

/* ---- E-step -------------------------------------------------------------------------- */

ptrdiff_t gm_estep_work(const struct gm_family* family, int d, int k, int threads);
/* rows, factors -> stats (overwritten). f->factor is not read with GM_LABELS and GM_MATRIX. labels
   (n; NULL but for GM_NEAREST) gets each row's component. */
int gm_estep(const struct gm_rows* rows, const struct gm_factors* f,
             const struct gm_engine* engine, struct gm_stats* stats, int* labels,
             double* work, struct gm_error* err) GM_MUST_CHECK;

/* ---- trimming ------------------------------------------------------------------------ */

/* rows->trimming <- what is kept. gm_estep() does it by itself. work: gm_score_work(). */
int gm_trim(const struct gm_rows* rows, const struct gm_factors* f,
            const struct gm_engine* engine, double* work,
            struct gm_error* err) GM_MUST_CHECK;

/* ---- M-step -------------------------------------------------------------------------- */

ptrdiff_t gm_mstep_work(const struct gm_family* family, int d, int k);
/* stats about params->mean, params (the current ones) -> params (the new ones). On error params
   stay as they were. */
int gm_mstep(const struct gm_stats* stats, const struct gm_bounds* bounds,
             struct gm_params* params, double* work, struct gm_error* err) GM_MUST_CHECK;
/* Equal proportions where the bounds ask for them. */
void gm_mstep_equal(const struct gm_bounds* bounds, struct gm_params* params);
/* Takes back the last gm_mstep(), which left the parameters before it in work. */
void gm_mstep_undo(struct gm_params* params, double* work);
/* The component that has an eigenvalue not above the floor (clipped: as in gm_below_floor()), from
   1; 0: none. work: as for gm_mstep(), which keeps what gm_mstep_undo() needs. */
int gm_floored(const struct gm_params* params, const struct gm_bounds* bounds,
               int clipped, double* work);

/* Fixed parameters take their values: all; proportions (the others share the rest in the ratios that
   they have); covariances; mean j, with the others after it, and the scatter of n rows about it. All
   do nothing where none are fixed. work: gm_fix_work(). */
ptrdiff_t gm_fix_work(int d);
void gm_fix(const struct gm_bounds* bounds, struct gm_params* params);
void gm_fix_proportions(const struct gm_bounds* bounds, struct gm_params* params);
void gm_fix_covariances(const struct gm_bounds* bounds, struct gm_params* params);
void gm_fix_mean(const struct gm_bounds* bounds, double n, int j,
                 struct gm_params* params, double* scatter, double* work);
/* Is all of the covariance of component j fixed? */
int gm_fixed_covariance(const struct gm_bounds* bounds, int j);

/* ---- EM ------------------------------------------------------------------------------ */

/* Where the rows live: parameters -> stats. The loop knows no more of them. */
struct gm_home {
  int (*estep)(void* data, const struct gm_params* params, struct gm_stats* stats,
               struct gm_error* err);
  void* data;
  const struct gm_trimming* trimming; /* NULL: all rows count, whatever the parameters */
  /* NULL, or params (with their statistics) -> better ones, found without a pass over the rows, and
     the gain that they promise. Not 0: none are known. */
  int (*leap)(void* data, const struct gm_stats* stats, struct gm_params* params,
              double* promise, struct gm_error* err);
};

enum { GM_RATIOS = 3 };
struct gm_watch { /* of the last gains, see em.c */
  double gain, ratio[GM_RATIOS];
  int small, still;
  double left; /* to gain, projected */
};

struct gm_run { /* what a run reached */
  double objective, loglik,
      gain; /* objective: with the log prior; gain: of the last step */
  int iterations, passes, converged;
  int floored; /* component that a further step would take below the floor, from 1; 0: none */
  int abandoned;
  struct gm_watch watch; /* of plain steps */
};

struct gm_em_control {
  int max_iter; /* from the start on */
  int resume; /* 1: params, stats, trace and run are what a shorter run came to, which goes on */
  double
      tol; /* of the projected remaining gain, per unit of weight; 0: all max_iter steps */
  int accelerate; /* 0, or tol = 0: plain EM */
  /* NULL, or asked after each step, with the projected remaining gain: not 0 abandons the run */
  int (*hopeless)(void* data, const struct gm_run* run, double left);
  void* data;
};

/* params: start in, result out; stats: those of the result. trace: max_iter + 1 doubles, the
   objective of the start and after each iteration. work: gm_em_work(), of which hopeless() may use
   gm_verdict_work() or gm_alike_work(). */
ptrdiff_t gm_em_work(const struct gm_family* family, int d, int k);
int gm_em(const struct gm_home* home, const struct gm_bounds* bounds,
          const struct gm_em_control* control, struct gm_params* params,
          struct gm_stats* stats, double* trace, double* work, struct gm_run* run,
          struct gm_error* err) GM_MUST_CHECK;

/* ---- verdict ------------------------------------------------------------------------- */

struct gm_spurious { /* thresholds, see verdict.c */
  double size, thin_size, thin;
};
struct gm_verdict {  /* of one component */
  double size;       /* effective number of rows */
  double eigenvalue; /* smallest, in the metric of the pooled covariance */
  int on_floor;      /* eigenvalues on the floor */
  int spurious;
  int same_as; /* an earlier component that is the same, from 1; 0: none */
};
ptrdiff_t gm_verdict_work(const struct gm_family* family, int d);
int gm_verdict_set(const struct gm_params* params, const struct gm_stats* stats,
                   const struct gm_bounds* bounds, const struct gm_spurious* spurious,
                   struct gm_verdict* verdict, double* work,
                   struct gm_error* err) GM_MUST_CHECK;

/* ---- mixtures that are about the same -------------------------------------------------- */

/* Of one family, d and k: are the components, paired, less than the limit apart? See alike.c. work:
   gm_alike_work(d). */
ptrdiff_t gm_alike_work(int d);
int gm_alike(const struct gm_params* a, const struct gm_params* b, double limit,
             double* work);

/* ---- random numbers ------------------------------------------------------------------ */

/* A pure function of key, stream and index (Philox4x32-10, Salmon et al. 2011): two uniforms in
   (0, 1), multiples of 2^-52 plus a half. */
void gm_random(uint64_t key, uint64_t index, uint32_t stream, uint32_t lane, double u[2]);
/* A standard normal. */
double gm_random_normal(uint64_t key, uint64_t index, uint32_t stream, uint32_t lane);
/* u -> log-uniform in .02 to 1. */
double gm_random_factor(double u);

/* At most m rows, in their order: one drawn from each m-th part of the total weight. row: their
   indices; w: how often each was drawn. Returns how many they are; -1: stopped. */
ptrdiff_t gm_subsample(const struct gm_rows* rows, uint64_t key,
                       const struct gm_engine* engine, ptrdiff_t m, int* row, double* w);

/* ---- rows that come in chunks ---------------------------------------------------------- */

enum gm_scan_total {
  GM_SCAN_MISSING, /* values that are NaN */
  GM_SCAN_WEIGHT,
  GM_SCAN_WEIGHT2, /* sum of the squares of the weights */
  GM_SCAN_WRONG, /* first row whose weight is not finite and at least 0; INFINITY: none */
  GM_SCAN_TOTALS
};
/* out (gm_scan_size()): lower and upper end of each column's values, NaN aside; the same of the rows
   with a weight above 0; the totals. work: gm_scan_work(). */
ptrdiff_t gm_scan_size(int d);
ptrdiff_t gm_scan_work(int d, int threads);
int gm_scan(const struct gm_rows* rows, const struct gm_engine* engine, double* out,
            double* work, struct gm_error* err) GM_MUST_CHECK;

/* A sample without replacement in proportion to the weights: those with the smallest order, a draw
   from the exponential distribution with rate w (Efraimidis & Spirakis 2006, whose jumps pass over
   rows that can't be among them). */
struct gm_draw {
  uint64_t key;
  uint32_t stream;
  double limit;  /* rows of a larger order are not wanted; INFINITY: all are */
  double last;   /* the last row taken; -1: none yet */
  double passed; /* weight of the rows after it */
};
/* Goes on at row `from` of a chunk of n, before which there were `before` others; stops where `room`
   rows are taken. row: from 0, in the chunk. Returns how many. The limit may become smaller
   between two calls where a row has just been taken. */
ptrdiff_t gm_draw_rows(struct gm_draw* draw, double before, ptrdiff_t n, const double* w,
                       ptrdiff_t from, ptrdiff_t room, int* row, double* order);

/* ---- starts -------------------------------------------------------------------------- */

enum gm_seed {
  GM_SEED_KMEANS, /* k-means++ and Lloyd on standardised columns (Arthur & Vassilvitskii 2007) */
  GM_SEED_WHITE, /* the same in the metric of the total covariance */
  GM_SEED_CELLS, /* the rows nearest to each of k random rows */
  GM_SEED_SCALED, /* k random rows as means, the total covariance times a factor in .02 to 1 */
  GM_SEED_CUTS,   /* quantile cuts along a random direction */
  GM_SEED_HALVES, /* recursive bisection by random pairs of rows */
  GM_SEED_BALLS,  /* the nearer ones of the rows nearest to each of k random rows */
  GM_SEED_RANDOM, /* k random rows as means, the total covariance */
  GM_SEED_LABELS, /* the M-step of given labels */
  GM_SEED_MATRIX, /* the M-step of given responsibilities */
  GM_SEED_GIVEN,  /* params as they are */
  GM_SEED_HIER,   /* the M-step of a hierarchy's groups */
  GM_SEED_MIXED,  /* the first GM_SEED_KINDS in turn */
  GM_SEED_FAMILY, /* the solution of another family (gm_grid() only) */
  GM_SEED_SPLIT   /* that with a component less, one of them split (gm_grid() only) */
};
enum { GM_SEED_KINDS = 7 };

struct gm_hier;
struct gm_seeder {
  const struct gm_rows* rows;
  const struct gm_rows*
      points; /* what starts and proposals look at: rows, or those filled in */
  const struct gm_bounds* bounds;
  const struct gm_engine* engine;
  uint64_t key;
  const int* given_label;     /* n in 1..k, for GM_SEED_LABELS */
  const double* given_resp;   /* n x k (k + 1 with noise), for GM_SEED_MATRIX */
  const struct gm_hier* hier; /* for GM_SEED_HIER */
  int* label;                 /* n, scratch; for all but those that are given */
  /* for the random ones: */
  double* dist; /* n, scratch */
  double* core; /* n: what one trimmed normal keeps of the weights; NULL: no trimming */
  struct gm_params total;  /* mean and covariance of all rows: EEE, k = 1 */
  double weight, weight2;  /* sums of w and w^2 */
  struct gm_factors white; /* of the total covariance */
  double* work;            /* gm_seed_work() */
};
ptrdiff_t gm_seed_work(enum gm_seed kind, const struct gm_family* family, int d, int k,
                       int threads);
/* Sets total, weight, weight2 and white, in mem: gm_seed_total_size(d) doubles. */
ptrdiff_t gm_seed_total_size(int d);
int gm_seed_total(struct gm_seeder* seeder, double* mem,
                  struct gm_error* err) GM_MUST_CHECK;
/* Where values are missing, before that: points' x (n x d) <- the rows, filled in by the normal
   distribution of all of them. mem: as for gm_seed_total(), which then has nothing to do. */
ptrdiff_t gm_seed_fill_work(int d, int threads);
int gm_seed_fill(struct gm_seeder* seeder, double* mem, double* x, double* work,
                 struct gm_error* err) GM_MUST_CHECK;
/* Start number `stream` -> params (family, d, k set); stats is scratch. */
int gm_seed_params(enum gm_seed kind, const struct gm_seeder* seeder, uint32_t stream,
                   struct gm_params* params, struct gm_stats* stats,
                   struct gm_error* err) GM_MUST_CHECK;

/* The hierarchy of groups that hier.c finds, over the distinct rows: from each of them a group of
   its own to one of all. */
struct gm_hier {       /* the caller's memory, but for what rows says */
  struct gm_rows rows; /* distinct, sorted */
  double *x, *w;       /* theirs */
  int* merge; /* join t is of groups merge[2 t] < merge[2 t + 1], by their first rows */
};
/* mem: gm_hier_size(); merge: 2 n. */
ptrdiff_t gm_hier_size(ptrdiff_t n, int d);
void gm_hier_init(struct gm_hier* hier, ptrdiff_t n, int d, double* mem, int* merge);
/* rows (at most the n of gm_hier_init(), with weight) -> hier; no random numbers. scale: of the
   columns; scratch: 2 n. Costs n^2 d^3: gm_subsample() where they are many. */
ptrdiff_t gm_hier_work(ptrdiff_t n, int d);
int gm_hier_set(const struct gm_rows* rows, const double* scale,
                const struct gm_engine* engine, struct gm_hier* hier, double* work,
                int* scratch, struct gm_error* err) GM_MUST_CHECK;
/* label <- the group in 1..k of each row of hier->rows. Fails where there are less than k. */
int gm_hier_cut(const struct gm_hier* hier, int k, int* label,
                struct gm_error* err) GM_MUST_CHECK;

/* order <- the indices 0 to n - 1 by increasing key (heap sort). */
void gm_sort_by(const double* key, int* order, ptrdiff_t n);

/* A row drawn with probability in proportion to w * share (NULL: 1); -1 where all are 0. */
ptrdiff_t gm_draw_row(const struct gm_rows* rows, const double* share, double u);

/* ---- search -------------------------------------------------------------------------- */

struct gm_record { /* of one run */
  enum gm_seed kind;
  struct gm_run run;
  struct gm_error err;
  int spurious, on_floor; /* components; eigenvalues */
  int repeated;           /* components that are the same as an earlier one */
  int state;              /* enum gm_state */
  int same_as;            /* an earlier start that it is, from 1; 0: none */
  double begin;           /* objective that it began with, where that was asked for */
  double seen;            /* of what is in a pool: the objective on the rows searched */
};
enum gm_state { GM_SHORT, GM_FINISHED, GM_DUPLICATE, GM_LEFT_OUT };

struct gm_result { /* the caller's memory */
  struct gm_params params;
  struct gm_stats stats;
  double* trace;              /* max_iter + 1 */
  struct gm_verdict* verdict; /* k */
  struct gm_record record;
};

/* EM from the result's parameters, wherever the rows live, and the verdict: sets all of the result;
   returns the status of its record. work: gm_run_work(). */
ptrdiff_t gm_run_work(const struct gm_family* family, int d, int k);
int gm_run_home(const struct gm_home* home, const struct gm_bounds* bounds,
                const struct gm_em_control* em, const struct gm_spurious* spurious,
                struct gm_result* result, double* work) GM_MUST_CHECK;

enum { GM_POOL = 3 };
struct gm_pool { /* the best distinct optima, the best first */
  struct gm_result result[GM_POOL];
  struct gm_result spare; /* to work in */
  int count;
  double weight; /* of the rows searched */
};

struct gm_progress { /* for who watches */
  const char* what;
  int at, of; /* of: 0 where it is not known */
};

struct gm_quest { /* what to search for, and how far */
  enum gm_seed kind;
  int starts;
  int finish;    /* of the starts, by rank after a short run; all: no short runs */
  int proposals; /* without success that end the search */
  double reach;  /* times the projected gain is what a race gives a run */
  int give_up;   /* 1: a run that stays on the floor is not run on */
  struct gm_em_control em;
  struct gm_spurious spurious;
  struct gm_progress* progress;
};

/* Starts, the best of them converged, then proposals around the best two optima: see search.c.
   pool: gets the optima; with GM_SEED_GIVEN the start is its spare.params. records: one a start.
   Fails only when stopped. work: gm_search_work(). */
ptrdiff_t gm_search_work(const struct gm_quest* quest, const struct gm_seeder* seeder,
                         const struct gm_family* family, int k);
int gm_search(const struct gm_quest* quest, const struct gm_seeder* seeder,
              struct gm_pool* pool, struct gm_record* records, double* work,
              struct gm_error* err) GM_MUST_CHECK;
/* Goes on with the optima of a sample's search on the seeder's rows. work: gm_refine_work(). */
ptrdiff_t gm_refine_work(const struct gm_family* family, int d, int k, int threads);
int gm_refine(const struct gm_quest* quest, const struct gm_seeder* seeder,
              struct gm_pool* pool, double* work, struct gm_error* err) GM_MUST_CHECK;

/* Of the proportions, for the noise at a start. */
#define GM_NOISE_START 0.05
/* Proposal number p: from -> to, a swap (p even) or a merge and a split (p odd), see propose.c.
   The covariances need not be of the family. work: gm_propose_work(d). */
ptrdiff_t gm_propose_work(int d);
void gm_propose(const struct gm_seeder* seeder, uint32_t p, const struct gm_params* from,
                struct gm_params* to, double* work);

/* ---- grid ---------------------------------------------------------------------------- */

enum gm_note { /* why a model ends below one that it contains */
               GM_NOTE_NONE,
               GM_NOTE_SPURIOUS, /* from there it ends with a spurious component */
               GM_NOTE_NO_GAIN   /* or with two components that are the same */
};

struct gm_stock { /* of one k: the starts that its families share, and their bounds */
  int k, starts;
  struct gm_bounds bounds;
  enum gm_seed kind;   /* of all; GM_SEED_MIXED: the first GM_SEED_KINDS in turn */
  const int* label;    /* n, for GM_SEED_LABELS */
  const double* resp;  /* n x k (k + 1 with noise), for GM_SEED_MATRIX */
  const double* given; /* parameters of VVV, for GM_SEED_GIVEN */
};

struct gm_cell { /* one model of a grid */
  const struct gm_family* family;
  int k;
  int stock;           /* that of this k */
  int wave;            /* above those of the narrower families */
  int parent;          /* the cell of the same family at k - 1; -1: none */
  const int* narrower; /* cells of the same k that this one contains */
  int n_narrower;
  double penalty; /* of the criterion, for the choice of the finalists */
  int moves;      /* proposals without success for this cell */
  /* what it comes to: */
  struct gm_params params;
  struct gm_verdict* verdict; /* k */
  struct gm_record record;
  struct gm_record* records; /* one a start */
  enum gm_note note;
  double certainty; /* sum of w log(largest posterior probability) */
  int changed;
};

struct gm_grid {
  int cells, stocks, finalists;
  struct gm_cell* cell;
  const struct gm_stock* stock; /* by increasing k; each k of a cell has one */
  int proposals; /* for a finalist, with k = 0; and more with each component */
  int more;
  int use_certainty; /* 1: the criterion counts it (ICL) */
  int give_up;       /* as of a quest */
  double scale;      /* of the objective, to that of all rows */
  struct gm_em_control em;
  struct gm_spurious spurious;
  struct gm_progress* progress;
};

/* work: gm_grid_work() doubles; refine: for gm_grid_refine(). */
ptrdiff_t gm_grid_work(const struct gm_grid* grid, const struct gm_rows* rows,
                       int threads, int refine);
int gm_grid_search(const struct gm_grid* grid, const struct gm_seeder* seeder,
                   double* work, struct gm_error* err) GM_MUST_CHECK;
/* Goes on on the seeder's rows with what was found on a sample of them. */
int gm_grid_refine(const struct gm_grid* grid, const struct gm_seeder* seeder,
                   double* work, struct gm_error* err) GM_MUST_CHECK;

/* ---- use ----------------------------------------------------------------------------- */

enum gm_score {
  GM_LOGDENS,
  GM_DENSITY,
  GM_PROB,
  GM_CLASS,       /* of the largest posterior, from 1, the first of equal ones; NaN: there is none */
  GM_UNCERTAINTY, /* the sum of the other posteriors */
  GM_COMPONENT,
  GM_MAHALANOBIS
};
/* The columns of what comes out, where it is one for each component; else 0. */
int gm_score_columns(enum gm_score what, const struct gm_factors* f);
ptrdiff_t gm_score_work(const struct gm_factors* f, int threads);
/* out: n x gm_score_columns(), or n. Of a row with a label, GM_LOGDENS is the log of that term; else labels
   are not used, and weights never. gaps (NULL: not asked) <- 1, and out of no use, where the rows are
   not grouped by pattern and a value is missing. */
int gm_score_rows(enum gm_score what, const struct gm_rows* rows,
                  const struct gm_factors* f, const struct gm_engine* engine, double* out,
                  int* gaps, double* work, struct gm_error* err) GM_MUST_CHECK;

/* value <- sum_i w_i log(largest posterior probability of row i), which is 1 where its label is
   known. work: gm_certainty_work(). */
ptrdiff_t gm_certainty_work(const struct gm_factors* f, int threads);
int gm_certainty(const struct gm_rows* rows, const struct gm_factors* f,
                 const struct gm_engine* engine, double* value, double* work,
                 struct gm_error* err) GM_MUST_CHECK;

/* n draws: x (n x d), component (n, from 1; k + 1: the noise, which must have limits); by component:
   those of the first first. */
ptrdiff_t gm_sample_work(const struct gm_factors* f, int threads);
int gm_sample_rows(uint64_t key, ptrdiff_t n, int by_component, const double* prop,
                   const struct gm_factors* f, const struct gm_engine* engine, double* x,
                   int* component, double* work, struct gm_error* err) GM_MUST_CHECK;

#endif
