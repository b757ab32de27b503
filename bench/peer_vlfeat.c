/* Times EM of VLFeat: peer_vlfeat STEM A B REPEATS, with STEM.x, STEM.mu0, STEM.dim of workloads.py.

   Diagonal covariances, double precision, from the means of STEM.mu0, equal proportions and unit
   variances. Runs of A and of B iterations, time difference / (B - A), the mean of REPEATS: VLFeat
   stops where the log-likelihood changes by less than 1e-5 of it, so that B can't be large.
   Compiled by iterations.R. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <vl/generic.h>
#include <vl/gmm.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static double* read_doubles(const char* stem, const char* extension, size_t count) {
  char name[4096];
  snprintf(name, sizeof name, "%s%s", stem, extension);
  FILE* file = fopen(name, "rb");
  double* out = malloc(count * sizeof *out);
  if (!file || !out || fread(out, sizeof *out, count, file) != count) {
    fprintf(stderr, "cannot read %s\n", name);
    exit(1);
  }
  fclose(file);
  return out;
}

static int passes;
static int count_passes(const char* format, ...) {
  va_list args;
  char line[1024];
  va_start(args, format);
  const int length = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  int iteration;
  passes += sscanf(line, "gmm: em: iteration %d", &iteration) == 1;
  return length;
}

struct work {
  size_t n, d, k;
  double *x, *mean, *ones, *shares;
};

static double spent(const struct work* w, int iterations, double* loglik) {
  VlGMM* gmm = vl_gmm_new(VL_TYPE_DOUBLE, w->d, w->k);
  vl_gmm_set_initialization(gmm, VlGMMCustom);
  vl_gmm_set_means(gmm, w->mean);
  vl_gmm_set_covariances(gmm, w->ones);
  vl_gmm_set_priors(gmm, w->shares);
  vl_gmm_set_max_num_iterations(gmm, iterations);
  vl_gmm_set_verbosity(gmm, 2);
  passes = 0;
  const double begin = now();
  *loglik = vl_gmm_em(gmm, w->x, w->n);
  const double end = now();
  vl_gmm_delete(gmm);
  if (passes != iterations + 1) {
    fprintf(stderr, "%d iterations and not %d\n", passes - 1, iterations);
    exit(1);
  }
  return end - begin;
}

int main(int argc, char** argv) {
  if (argc != 5) return 1;
  const char* stem = argv[1];
  const int a = atoi(argv[2]), b = atoi(argv[3]), repeats = atoi(argv[4]);
  char name[4096];
  snprintf(name, sizeof name, "%s.dim", stem);
  FILE* file = fopen(name, "r");
  struct work w;
  if (!file || fscanf(file, "%zu %zu %zu", &w.n, &w.d, &w.k) != 3) return 1;
  fclose(file);
  double* columns = read_doubles(stem, ".x", w.n * w.d);
  w.x = malloc(w.n * w.d * sizeof *w.x);
  w.ones = malloc(w.k * w.d * sizeof *w.ones);
  w.shares = malloc(w.k * sizeof *w.shares);
  if (!w.x || !w.ones || !w.shares) return 1;
  for (size_t i = 0; i < w.n; i++)
    for (size_t c = 0; c < w.d; c++) w.x[i * w.d + c] = columns[c * w.n + i];
  for (size_t i = 0; i < w.k * w.d; i++) w.ones[i] = 1;
  for (size_t j = 0; j < w.k; j++) w.shares[j] = 1.0 / w.k;
  w.mean = read_doubles(stem, ".mu0", w.k * w.d);
  vl_set_printf_func(count_passes);
  vl_set_num_threads(2);

  double loglik, time = 0;
  spent(&w, 1, &loglik);
  for (int i = 0; i < repeats; i++) {
    time -= spent(&w, a, &loglik);
    time += spent(&w, b, &loglik);
  }
  printf("ms: %.5g\nloglik: %.12g\n", 1000 * time / repeats / (b - a), loglik);
  printf("version: VLFeat %s (%s)\n", vl_get_version_string(),
         vl_cpu_has_avx() ? "AVX" : "SSE2");
  return 0;
}
