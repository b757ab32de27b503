/* The glue between R and the core. Each ffi_gmm_*() takes SEXPs, checks types and lengths (R code
   has already checked meaning, but nothing that R passes may crash the core), lays views over them,
   calls the core, and turns its status into an R value or condition. Memory is R_alloc()'s. */
#ifndef GM_FFI_H
#define GM_FFI_H

#ifndef R_NO_REMAP
#define R_NO_REMAP
#endif
#include <R.h>
#include <Rinternals.h>
#include <setjmp.h>

#include "core/gm.h"

/* ---- entry points, listed in init.c ---- */
SEXP ffi_gmm_fit(SEXP x, SEXP w, SEXP family, SEXP k, SEXP scale, SEXP start,
                 SEXP control);
SEXP ffi_gmm_home(SEXP estep, SEXP leap, SEXP family, SEXP start, SEXP scale,
                  SEXP control);
SEXP ffi_gmm_stats(SEXP x, SEXP w, SEXP family, SEXP params, SEXP labels, SEXP threads);
SEXP ffi_gmm_layout(SEXP family, SEXP d, SEXP k);
SEXP ffi_gmm_grid(SEXP x, SEXP w, SEXP scale, SEXP stocks, SEXP cells, SEXP control);
SEXP ffi_gmm_score(SEXP x, SEXP family, SEXP params, SEXP what, SEXP marginal,
                   SEXP names, SEXP threads);
SEXP ffi_gmm_certainty(SEXP x, SEXP w, SEXP family, SEXP params, SEXP threads);
SEXP ffi_gmm_trim(SEXP x, SEXP w, SEXP labels, SEXP family, SEXP params, SEXP control,
                  SEXP threads);
SEXP ffi_gmm_sample(SEXP n, SEXP family, SEXP params, SEXP by_component, SEXP columns,
                    SEXP levels, SEXP threads);
SEXP ffi_gmm_kernel(SEXP path, SEXP family, SEXP params, SEXP x, SEXP w, SEXP label,
                    SEXP extra, SEXP reach);
SEXP ffi_gmm_random(SEXP key, SEXP index, SEXP stream, SEXP lane);
SEXP ffi_gmm_csv(SEXP bytes, SEXP from, SEXP last, SEXP separator, SEXP columns,
                 SEXP most);
SEXP ffi_gmm_scan(SEXP x, SEXP w, SEXP threads);
SEXP ffi_gmm_draw(SEXP draw, SEXP before, SEXP rows, SEXP w, SEXP from, SEXP room);
SEXP ffi_gmm_gaps(SEXP x, SEXP w);
SEXP ffi_gmm_columns(SEXP values, SEXP d);
SEXP ffi_gmm_checksum(SEXP bytes);
SEXP ffi_gmm_quantiles(SEXP x, SEXP p);
SEXP ffi_gmm_engine(void);

/* ---- arguments: R errors where type or length is wrong; length < 0: any ---- */
const double* ffi_doubles(SEXP x, R_xlen_t length, const char* what);
const int* ffi_integers(SEXP x, R_xlen_t length, const char* what);
const int* ffi_labels(SEXP x, R_xlen_t length, int k);       /* all in 1..k */
const int* ffi_known_labels(SEXP x, R_xlen_t length, int k); /* 0: not known; or NULL */
double ffi_number(SEXP x, const char* what);
int ffi_count(SEXP x, int least, const char* what);
const char* ffi_string(SEXP x, const char* what);
SEXP ffi_field(SEXP list, const char* name);
const struct gm_family* ffi_family(SEXP code);
/* x: a double matrix with rows and columns */
struct gm_rows ffi_rows(SEXP x, SEXP w);
/* The same with their labels (or NULL); where values are missing (NaN), grouped by pattern, but for
   rows that are wholly missing and have no label (all: these too). */
struct gm_rows ffi_group(const struct gm_rows* given, const int* label, int all);
/* What has an element or a row for each row given, for these rows. */
const int* ffi_take_labels(const int* label, const struct gm_rows* rows);
const double* ffi_take_resp(SEXP start, R_xlen_t n, int k, const struct gm_rows* rows);
/* Of n rows given, by the fields trim and units; NULL: nothing is trimmed. */
struct gm_trimming* ffi_trimming(SEXP control, int d, ptrdiff_t n);
/* The same over other memory. */
struct gm_trimming* ffi_trimming_over(const struct gm_trimming* trimming, ptrdiff_t n);
/* The same rows, filled up with rows of weight 0 to whole packs, so that no pass need do it; labels
   become as long. Many, or with missing values: as they are. */
struct gm_rows ffi_fill_up(const struct gm_rows* rows);
/* n labels, and the last one again up to m. */
const int* ffi_lengthen(const int* label, ptrdiff_t n, ptrdiff_t m);
/* list(proportions (k, or k + 1 with noise), means (d x k), covariances (d x d x k)) -> params, in
   R_alloc()ed memory */
struct gm_params ffi_params(SEXP list, const struct gm_family* family, int d);
/* The same; an R error where there are not k components. */
struct gm_params ffi_start_params(SEXP list, const struct gm_family* family, int d,
                                  int k);
/* What control$fixed holds, as parameters, NaN where free; NULL: nothing. */
const struct gm_params* ffi_fixed(SEXP control, const struct gm_family* family, int d,
                                  int k);
/* Their factors, with the noise of the same list; an R error where a covariance is not positive
   definite. engine: of ffi_engine(), or NULL. */
struct gm_factors ffi_factors(SEXP list, const struct gm_params* params,
                              const struct gm_engine* engine);
/* list(log_volume, lower (d, or NULL), upper) or NULL */
const struct gm_noise* ffi_noise(SEXP list, int d);

/* "auto", "kmeans++", "random" or "hierarchical"; integer labels; a matrix of responsibilities; a
   parameter list */
enum gm_seed ffi_seed_kind(SEXP start);
/* fields max_iter and tol; field spurious */
struct gm_em_control ffi_em_control(SEXP control);
struct gm_spurious ffi_spurious(SEXP control);
/* fields floor, prior (a list, into *prior, or NULL), equal and noise; without the engine */
struct gm_bounds ffi_bounds(SEXP control, SEXP scale, int d, struct gm_prior* prior);
/* The same for a sample that has this share of the weight: a prior counts as much less. */
struct gm_bounds ffi_thin_bounds(const struct gm_bounds* bounds, double share);
/* gm_subsample() into R_alloc()ed memory */
int ffi_subsample(const struct gm_rows* rows, uint64_t key,
                  const struct gm_engine* engine, ptrdiff_t m, struct gm_rows* some,
                  struct gm_error* err);

/* ---- values ---- */
SEXP ffi_list(int n, const char* const* names);       /* unprotected, to be filled */
SEXP ffi_covariances(const struct gm_params* params); /* d x d x k */
/* Elements at, at + 1 and at + 2 of the list: proportions (k + 1), means (d x k), covariances. */
void ffi_set_params(SEXP out, int at, const struct gm_params* params);
/* Of variational Bayes: element at of the list, see gm_vb_weights(). */
void ffi_set_log_weight(SEXP out, int at, const struct gm_bounds* bounds,
                        const struct gm_params* params);
SEXP ffi_records(const struct gm_record* records, int n);
/* Elements from `at`, 8: record, proportions, means, covariances, total weight, trace, verdict,
   statistics. */
void ffi_set_result(SEXP out, int at, const struct gm_result* result);
struct gm_result ffi_result_alloc(const struct gm_family* family, int d, int k,
                                  int max_iter);
SEXP ffi_verdict(const struct gm_verdict* verdict, int k);
/* The seeder's points: its rows, or where values are missing those filled in. */
int ffi_fill(struct gm_seeder* seeder, struct gm_error* err);
/* The seeder's hierarchy. Many rows are sampled, always the same ones. */
int ffi_grow(struct gm_seeder* seeder, struct gm_error* err);
/* R_alloc()ed; an R error where it is too large. At a multiple of 64 bytes: some of LAPACK rounds by
   where its memory lies. */
double* ffi_alloc(double doubles);
/* x, of doubles not yet written. Linux gives memory out in pages of 4 KB, at the first write of each,
   which takes longer than to draw what is written there: asks for pages of 2 MB. */
SEXP ffi_large_pages(SEXP x);

/* ---- running the core ---- */
struct ffi_watch { /* lets Ctrl-C and time limits through between stretches of work */
  SEXP unwind;
  jmp_buf back;
  int stopped;
  double polled, told; /* seconds */
  const struct gm_progress* progress;
  const char* title; /* begins what is told; NULL or empty: nothing is */
};
/* Protects one value. */
void ffi_watch_start(struct ffi_watch* watch);
struct gm_engine ffi_engine(SEXP threads, struct ffi_watch* watch);
/* Goes on with the interrupt or error that stopped the core; returns if nothing did. */
void ffi_watch_end(const struct ffi_watch* watch);
const struct gm_kernel* ffi_kernel_choice(void);
int ffi_threads(SEXP threads);
uint64_t ffi_draw_key(void); /* from R's random numbers */
void ffi_remember_process(void);

#endif
