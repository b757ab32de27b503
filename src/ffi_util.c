/* Views of SEXPs, list building, threads, interrupts. */
#include "ffi.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifndef _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- arguments ---- */

const double* ffi_doubles(SEXP x, R_xlen_t length, const char* what) {
  if (TYPEOF(x) != REALSXP || (length >= 0 && XLENGTH(x) != length))
    Rf_error("internal error: `%s` must be a double vector of the right length", what);
  return REAL_RO(x);
}

const int* ffi_integers(SEXP x, R_xlen_t length, const char* what) {
  if (TYPEOF(x) != INTSXP || (length >= 0 && XLENGTH(x) != length))
    Rf_error("internal error: `%s` must be an integer vector of the right length", what);
  return INTEGER_RO(x);
}

enum gm_seed ffi_seed_kind(SEXP start) {
  switch (TYPEOF(start)) {
    case STRSXP: {
      const char* kind = ffi_string(start, "start");
      if (!strcmp(kind, "random")) return GM_SEED_RANDOM;
      if (!strcmp(kind, "hierarchical")) return GM_SEED_HIER;
      return strcmp(kind, "kmeans++") ? GM_SEED_MIXED : GM_SEED_KMEANS;
    }
    case INTSXP: return GM_SEED_LABELS;
    case REALSXP: return GM_SEED_MATRIX;
    default: return GM_SEED_GIVEN;
  }
}

struct gm_em_control ffi_em_control(SEXP control) {
  return (struct gm_em_control){
      .max_iter = ffi_count(ffi_field(control, "max_iter"), 0, "max_iter"),
      .tol = ffi_number(ffi_field(control, "tol"), "tol"),
      .accelerate = ffi_count(ffi_field(control, "accelerate"), 0, "accelerate")};
}

struct gm_spurious ffi_spurious(SEXP control) {
  const double* at = ffi_doubles(ffi_field(control, "spurious"), 3, "spurious");
  return (struct gm_spurious){.size = at[0], .thin_size = at[1], .thin = at[2]};
}

/* Rows `row` of those given, grouped by pattern. */
static struct gm_rows group(const struct gm_rows* given, const int* row, ptrdiff_t n,
                            int weighted) {
  const int d = given->d, count = gm_patterns_count(given, row, n);
  struct gm_patterns* patterns = (struct gm_patterns*)R_alloc(1, sizeof *patterns);
  patterns->observed = (int*)R_alloc(count + 1, sizeof(int));
  patterns->column = (int*)R_alloc((size_t)d * count + 1, sizeof(int));
  patterns->first = (ptrdiff_t*)R_alloc(count + 1, sizeof(ptrdiff_t));
  patterns->at = (ptrdiff_t*)R_alloc(count + 1, sizeof(ptrdiff_t));
  double there = 0;
  for (int a = 0; a < d; a++)
    for (ptrdiff_t t = 0; t < n; t++) there += !ISNAN(given->x[row[t] + given->ld * a]);
  struct gm_rows rows;
  gm_patterns_set(given, row, n, patterns, ffi_alloc(there),
                  weighted ? ffi_alloc((double)n) : NULL, &rows);
  return rows;
}

struct gm_rows ffi_group(const struct gm_rows* given, const int* label, int all) {
  int missing = 0;
  for (int a = 0; a < given->d && !missing; a++)
    missing = gm_has_gaps(given->x + given->ld * a, given->n);
  struct gm_rows rows = *given;
  rows.label = label;
  if (!missing) return rows;
  struct gm_rows* view = (struct gm_rows*)R_alloc(1, sizeof *view);
  *view = *given;
  int* row = (int*)R_alloc(2 * given->n + 1, sizeof *row);
  gm_patterns_sort(view, row);
  ptrdiff_t n = 0;
  for (ptrdiff_t t = 0; t < given->n; t++) { /* without what says nothing */
    int says = all || (label && label[row[t]] > 0);
    for (int a = 0; a < given->d && !says; a++)
      says = !ISNAN(given->x[row[t] + given->ld * a]);
    if (says) row[n++] = row[t];
  }
  rows = group(view, row, n, given->w != NULL);
  rows.label = ffi_take_labels(label, &rows);
  return rows;
}

const int* ffi_take_labels(const int* label, const struct gm_rows* rows) {
  if (!label || !rows->patterns) return label;
  int* to = (int*)R_alloc(rows->n + 1, sizeof *to);
  for (ptrdiff_t t = 0; t < rows->n; t++) to[t] = label[rows->patterns->row[t]];
  return to;
}

const double* ffi_take_resp(SEXP start, R_xlen_t n, int k, const struct gm_rows* rows) {
  const double* resp = ffi_doubles(start, n * k, "responsibilities");
  if (!rows->patterns) return resp;
  double* to = ffi_alloc((double)rows->n * k);
  for (int j = 0; j < k; j++)
    for (ptrdiff_t t = 0; t < rows->n; t++)
      to[t + rows->n * j] = resp[rows->patterns->row[t] + rows->patterns->given->n * j];
  return to;
}

int ffi_subsample(const struct gm_rows* rows, uint64_t key,
                  const struct gm_engine* engine, ptrdiff_t m, struct gm_rows* some,
                  struct gm_error* err) {
  double* w = ffi_alloc((double)m);
  int* row = (int*)R_alloc(m, sizeof *row);
  const ptrdiff_t n = gm_subsample(rows, key, engine, m, row, w);
  if (n < 0) {
    err->code = GM_STOPPED;
    return err->code;
  }
  if (rows->patterns) {
    for (ptrdiff_t t = 0; t < n; t++) row[t] = rows->patterns->row[row[t]];
    *some = group(rows->patterns->given, row, n, 0);
  } else {
    double* x = ffi_alloc((double)n * rows->d);
    for (int a = 0; a < rows->d; a++)
      for (ptrdiff_t t = 0; t < n; t++) x[t + n * a] = rows->x[row[t] + rows->ld * a];
    *some = *rows;
    some->n = some->ld = n;
    some->x = x;
  }
  some->w = w;
  some->trimming = rows->trimming;
  return GM_OK;
}

int ffi_fill(struct gm_seeder* seeder, struct gm_error* err) {
  const struct gm_rows* rows = seeder->rows;
  seeder->points = rows;
  if (!rows->patterns) return GM_OK;
  struct gm_rows* points = (struct gm_rows*)R_alloc(1, sizeof *points);
  double* x = ffi_alloc((double)rows->n * rows->d);
  *points = *rows;
  points->x = x;
  points->patterns = NULL;
  seeder->points = points;
  return gm_seed_fill(
      seeder, ffi_alloc((double)gm_seed_total_size(rows->d)), x,
      ffi_alloc((double)gm_seed_fill_work(rows->d, seeder->engine->threads)), err);
}

const int* ffi_labels(SEXP x, R_xlen_t length, int k) {
  const int* label = ffi_integers(x, length, "labels");
  for (R_xlen_t i = 0; i < length; i++)
    if (label[i] < 1 || label[i] > k) Rf_error("internal error: labels must lie in 1..k");
  return label;
}

const int* ffi_known_labels(SEXP labels, R_xlen_t n, int k) {
  if (Rf_isNull(labels)) return NULL;
  const int* label = ffi_integers(labels, n, "labels");
  for (R_xlen_t i = 0; i < n; i++)
    if (label[i] < 0 || label[i] > k) Rf_error("internal error: labels must lie in 0..k");
  return label;
}

/* list(alpha, mean, kappa, df, scale, root, constant, share, posterior, weight, sorted) or NULL ->
   prior; NULL for NULL. */
static const struct gm_prior* read_prior(SEXP list, int d, struct gm_prior* prior) {
  if (Rf_isNull(list)) return NULL;
  const R_xlen_t square = (R_xlen_t)d * d;
  *prior = (struct gm_prior){
      .alpha = ffi_number(ffi_field(list, "alpha"), "alpha"),
      .kappa = ffi_number(ffi_field(list, "kappa"), "kappa"),
      .df = ffi_number(ffi_field(list, "df"), "df"),
      .mean = ffi_doubles(ffi_field(list, "mean"), d, "mean"),
      .scale = ffi_doubles(ffi_field(list, "scale"), square, "scale"),
      .root = ffi_doubles(ffi_field(list, "root"), square, "root"),
      .constant = ffi_doubles(ffi_field(list, "constant"), 3, "constant"),
      .share = ffi_number(ffi_field(list, "share"), "share"),
      .posterior = (enum gm_posterior)ffi_count(ffi_field(list, "posterior"), GM_MODE,
                                                "posterior"),
      .weight = ffi_number(ffi_field(list, "weight"), "weight"),
      .sorted = ffi_count(ffi_field(list, "sorted"), 0, "sorted")};
  if (prior->posterior > GM_STICK) Rf_error("internal error: no such posterior");
  return prior;
}

const struct gm_noise* ffi_noise(SEXP list, int d) {
  if (Rf_isNull(list)) return NULL;
  SEXP lower = ffi_field(list, "lower"), upper = ffi_field(list, "upper");
  struct gm_noise* noise = (struct gm_noise*)R_alloc(1, sizeof *noise);
  *noise = (struct gm_noise){.log_volume =
                                 ffi_number(ffi_field(list, "log_volume"), "log_volume")};
  if (!Rf_isNull(lower)) {
    noise->lower = ffi_doubles(lower, d, "lower");
    noise->upper = ffi_doubles(upper, d, "upper");
  }
  return noise;
}

struct gm_bounds ffi_bounds(SEXP control, SEXP scale, int d, struct gm_prior* prior) {
  return (struct gm_bounds){.floor = ffi_number(ffi_field(control, "floor"), "floor"),
                            .ratio = ffi_number(ffi_field(control, "ratio"), "ratio"),
                            .scale = ffi_doubles(scale, d, "scale"),
                            .prior = read_prior(ffi_field(control, "prior"), d, prior),
                            .equal = ffi_count(ffi_field(control, "equal"), 0, "equal"),
                            .noise = ffi_noise(ffi_field(control, "noise"), d)};
}

struct gm_bounds ffi_thin_bounds(const struct gm_bounds* bounds, double share) {
  struct gm_bounds thin = *bounds;
  if (bounds->prior) {
    struct gm_prior* prior = (struct gm_prior*)R_alloc(1, sizeof *prior);
    *prior = *bounds->prior;
    prior->share *= share;
    thin.prior = prior;
  }
  return thin;
}

struct gm_trimming* ffi_trimming_over(const struct gm_trimming* trimming, ptrdiff_t n) {
  struct gm_trimming* own = (struct gm_trimming*)R_alloc(1, sizeof *own);
  *own = *trimming;
  own->kept = ffi_alloc(2 * (double)n);
  memset(own->kept, 0, 2 * (size_t)n * sizeof *own->kept);
  own->density = own->kept + n;
  return own;
}

const int* ffi_lengthen(const int* label, ptrdiff_t n, ptrdiff_t m) {
  int* longer = (int*)R_alloc(m, sizeof *longer);
  for (ptrdiff_t i = 0; i < m; i++) longer[i] = label[i < n ? i : n - 1];
  return longer;
}

#define FILL 1e6 /* numbers: more rows are not copied */

struct gm_rows ffi_fill_up(const struct gm_rows* rows) {
  const ptrdiff_t n = rows->n, m = (n + GM_PAD - 1) / GM_PAD * GM_PAD;
  if (m == n || rows->patterns || (double)n * rows->d > FILL) return *rows;
  struct gm_rows full = *rows;
  if (rows->label) full.label = ffi_lengthen(rows->label, n, m);
  double* x = ffi_alloc((double)m * rows->d);
  double* w = ffi_alloc((double)m);
  for (ptrdiff_t i = 0; i < m; i++) {
    const ptrdiff_t from = i < n ? i : n - 1;
    for (int a = 0; a < rows->d; a++) x[i + m * a] = rows->x[from + rows->ld * a];
    w[i] = i >= n ? 0 : rows->w ? rows->w[i] : 1;
  }
  full.n = full.ld = m;
  full.x = x;
  full.w = w;
  if (rows->trimming) full.trimming = ffi_trimming_over(rows->trimming, m);
  return full;
}

struct gm_trimming* ffi_trimming(SEXP control, int d, ptrdiff_t n) {
  const struct gm_trimming trimming = {
      .share = ffi_number(ffi_field(control, "trim"), "trim"),
      .scale = ffi_doubles(ffi_field(control, "units"), d, "units")};
  return trimming.share > 0 ? ffi_trimming_over(&trimming, n) : NULL;
}

double ffi_number(SEXP x, const char* what) {
  const double value = ffi_doubles(x, 1, what)[0];
  if (ISNAN(value)) Rf_error("internal error: `%s` must be a number", what);
  return value;
}

int ffi_count(SEXP x, int least, const char* what) {
  const int value = ffi_integers(x, 1, what)[0];
  if (value == NA_INTEGER || value < least)
    Rf_error("internal error: `%s` must be at least %d", what, least);
  return value;
}

const char* ffi_string(SEXP x, const char* what) {
  if (TYPEOF(x) != STRSXP || XLENGTH(x) != 1 || STRING_ELT(x, 0) == NA_STRING)
    Rf_error("internal error: `%s` must be a string", what);
  return CHAR(STRING_ELT(x, 0));
}

SEXP ffi_field(SEXP list, const char* name) {
  if (TYPEOF(list) == VECSXP) {
    SEXP names = Rf_getAttrib(list, R_NamesSymbol);
    for (R_xlen_t i = 0; i < Rf_xlength(names); i++)
      if (!strcmp(CHAR(STRING_ELT(names, i)), name)) return VECTOR_ELT(list, i);
  }
  Rf_error("internal error: no field `%s`", name);
}

const struct gm_family* ffi_family(SEXP code) {
  const struct gm_family* family = gm_family_find(ffi_string(code, "family"));
  if (!family) Rf_error("internal error: no such family");
  return family;
}

struct gm_rows ffi_rows(SEXP x, SEXP w) {
  SEXP dim = Rf_getAttrib(x, R_DimSymbol);
  if (TYPEOF(dim) != INTSXP || XLENGTH(dim) != 2)
    Rf_error("internal error: `x` must be a matrix");
  const int n = INTEGER(dim)[0], d = INTEGER(dim)[1];
  if (n < 0 || d < 1) Rf_error("internal error: `x` must have columns");
  return (struct gm_rows){.n = n,
                          .ld = n,
                          .d = d,
                          .x = ffi_doubles(x, (R_xlen_t)n * d, "x"),
                          .w = Rf_isNull(w) ? NULL : ffi_doubles(w, n, "w"),
                          .source = GM_POSTERIOR};
}

struct gm_params ffi_params(SEXP list, const struct gm_family* family, int d) {
  SEXP prop = ffi_field(list, "proportions"), means = ffi_field(list, "means");
  const R_xlen_t k = Rf_xlength(means) / d, given = Rf_xlength(prop);
  if (k < 1 || k > INT_MAX / 2) Rf_error("internal error: no components");
  const double* mean = ffi_doubles(means, k * d, "means");
  const double* cov =
      ffi_doubles(ffi_field(list, "covariances"), k * d * d, "covariances");
  struct gm_params params;
  gm_params_init(&params, family, d, (int)k,
                 ffi_alloc(gm_params_size(family, d, (int)k)));
  memcpy(params.prop, ffi_doubles(prop, given > k ? k + 1 : k, "proportions"),
         (size_t)given * sizeof(double));
  if (given == k) params.prop[k] = 0;
  memcpy(params.mean, mean, (size_t)(k * d) * sizeof(double));
  const ptrdiff_t length = gm_cov_length(family->shape, d);
  const ptrdiff_t step = family->shape == GM_TRIANG ? 1 : d + 1;
  for (int j = 0; j < (family->shared ? 1 : k); j++)
    for (ptrdiff_t a = 0; a < length; a++)
      params.cov[a + length * j] = cov[step * a + (ptrdiff_t)d * d * j];
  return params;
}

struct gm_params ffi_start_params(SEXP list, const struct gm_family* family, int d,
                                  int k) {
  const struct gm_params given = ffi_params(list, family, d);
  if (given.k != k) Rf_error("internal error: the start has another k");
  return given;
}

const struct gm_params* ffi_fixed(SEXP control, const struct gm_family* family, int d,
                                  int k) {
  SEXP list = ffi_field(control, "fixed");
  if (Rf_isNull(list)) return NULL;
  struct gm_params* fixed = (struct gm_params*)R_alloc(1, sizeof *fixed);
  *fixed = ffi_start_params(list, family, d, k);
  return fixed;
}

struct gm_factors ffi_factors(SEXP list, const struct gm_params* params,
                              const struct gm_engine* engine) {
  struct gm_factors f;
  struct gm_error err = {0};
  gm_factors_init(&f, params->family, params->d, params->k,
                  ffi_alloc(gm_factors_size(params->family, params->d, params->k)));
  f.noise = ffi_noise(ffi_field(list, "noise"), params->d);
  if (gm_factors_set(&f, params, engine, &err)) {
    if (engine) ffi_watch_end(engine->tick_data);
    Rf_error("internal error: covariance %d is not positive definite", err.component);
  }
  return f;
}

/* ---- values ---- */

SEXP ffi_list(int n, const char* const* names) {
  SEXP list = PROTECT(Rf_allocVector(VECSXP, n));
  SEXP labels = PROTECT(Rf_allocVector(STRSXP, n));
  for (int i = 0; i < n; i++) SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
  Rf_setAttrib(list, R_NamesSymbol, labels);
  UNPROTECT(2);
  return list;
}

SEXP ffi_covariances(const struct gm_params* params) {
  const int d = params->d, k = params->k;
  const enum gm_shape shape = params->family->shape;
  const ptrdiff_t stride = gm_cov_stride(params->family, d);
  SEXP out = PROTECT(Rf_alloc3DArray(REALSXP, d, d, k));
  double* to = REAL(out);
  memset(to, 0, (size_t)XLENGTH(out) * sizeof *to);
  for (int j = 0; j < k; j++, to += (ptrdiff_t)d * d) {
    const double* cov = params->cov + stride * j;
    if (shape == GM_TRIANG) {
      memcpy(to, cov, (size_t)d * d * sizeof *to);
    } else {
      for (int a = 0; a < d; a++)
        to[a + (ptrdiff_t)d * a] = cov[shape == GM_DIAG ? a : 0];
    }
  }
  UNPROTECT(1);
  return out;
}

double* ffi_alloc(double doubles) {
  if (doubles > 4503599627370496.0 / sizeof(double))
    Rf_error("cannot allocate so much memory");
  const uintptr_t mem = (uintptr_t)R_alloc((size_t)doubles + 8, sizeof(double));
  return (double*)((mem + 63) / 64 * 64);
}

SEXP ffi_large_pages(SEXP x) {
#ifdef MADV_HUGEPAGE
  const uintptr_t page = 2097152, begin = (uintptr_t)REAL(x);
  const uintptr_t end = (begin + (uintptr_t)XLENGTH(x) * sizeof(double)) / page * page;
  const uintptr_t first = (begin + page - 1) / page * page;
  if (end > first + page) madvise((void*)first, end - first, MADV_HUGEPAGE);
#endif
  return x;
}

/* ---- threads ---- */

static int
    process; /* that loaded the package: a forked child must not use OpenMP's pool */

static int this_process(void) {
#ifdef _WIN32
  return 0;
#else
  return (int)getpid();
#endif
}

void ffi_remember_process(void) { process = this_process(); }

#ifdef _OPENMP
/* A positive number in an environment variable, else `other`. Read at each call. */
static int environment_count(const char* name, int other) {
  const char* text = getenv(name);
  const long value = text ? strtol(text, NULL, 10) : 0;
  return value > 0 && value < INT_MAX ? (int)value : other;
}
#endif

int ffi_threads(SEXP threads) {
#ifdef _OPENMP
  if (this_process() != process) return 1;
  int count = 2;
  if (!Rf_isNull(threads)) {
    const int most = 2 * omp_get_num_procs(); /* more would wait for each other */
    count = ffi_count(threads, 1, "threads");
    if (count > most) count = most;
  } else {
    const int asked = environment_count("OMP_NUM_THREADS", count);
    if (asked < count) count = asked;
    if (omp_get_num_procs() < count) count = omp_get_num_procs();
  }
  const int limit = environment_count("OMP_THREAD_LIMIT", omp_get_thread_limit());
  return count < limit ? count : limit;
#else
  if (!Rf_isNull(threads)) ffi_count(threads, 1, "threads");
  return 1;
#endif
}

/* GAUSSMIX_SIMD forces a path: reference, baseline, avx2, avx512. */
const struct gm_kernel* ffi_kernel_choice(void) {
  const char* name = getenv("GAUSSMIX_SIMD");
  const struct gm_kernel* kernel = gm_kernel_find(name && *name ? name : NULL);
  if (!kernel)
    Rf_error(
        "the environment variable GAUSSMIX_SIMD asks for \"%s\", which this processor or "
        "this build does not have; unset it, or use \"baseline\" or \"reference\"",
        name);
  return kernel;
}

/* ---- interrupts ----
   R_CheckUserInterrupt() may jump: out of an interrupt, a time limit, a handler. The jump is caught
   here, the core returns by its status, and the jump goes on once nothing is held any more. */

enum { POLL_MS = 50, TELL_S = 2 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void tell(const struct ffi_watch* watch) {
  const struct gm_progress* now = watch->progress;
  char text[200], of[20] = "";
  if (now->of) snprintf(of, sizeof of, " of %d", now->of);
  snprintf(text, sizeof text, "%s: %s %d%s", watch->title, now->what, now->at, of);
  SEXP home = PROTECT(R_FindNamespace(Rf_mkString("gaussmix")));
  SEXP message = PROTECT(Rf_mkString(text));
  SEXP call = PROTECT(Rf_lang2(Rf_install("gmm_inform"), message));
  Rf_eval(call, home);
  UNPROTECT(3);
}

static SEXP poll(void* data) {
  struct ffi_watch* watch = data;
  R_CheckUserInterrupt();
  if (watch->title && *watch->title && watch->polled - watch->told > TELL_S) {
    watch->told = watch->polled;
    tell(watch);
  }
  return R_NilValue;
}

static void jumped(void* data, Rboolean jump) {
  if (jump) longjmp(((struct ffi_watch*)data)->back, 1);
}

static int tick(void* data) {
  struct ffi_watch* watch = data;
  if (watch->stopped) return 1;
  const double now = seconds();
  if (now - watch->polled < POLL_MS * 1e-3) return 0;
  watch->polled = now;
  if (setjmp(watch->back)) {
    watch->stopped = 1;
    return 1;
  }
  R_UnwindProtect(poll, watch, jumped, watch, watch->unwind);
  return 0;
}

void ffi_watch_start(struct ffi_watch* watch) {
  watch->unwind = PROTECT(R_MakeUnwindCont());
  watch->polled = watch->told = seconds();
}

struct gm_engine ffi_engine(SEXP threads, struct ffi_watch* watch) {
  return (struct gm_engine){.kernel = ffi_kernel_choice(),
                            .threads = ffi_threads(threads),
                            .tick = tick,
                            .tick_data = watch};
}

void ffi_watch_end(const struct ffi_watch* watch) {
  if (watch->stopped) R_ContinueUnwind(watch->unwind);
}
