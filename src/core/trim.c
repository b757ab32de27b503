/* Trimming: the rows of lowest density count for nothing.

   With W the weight of all rows, trim W of it is left out: of the rows by increasing log-density, and
   of equal ones by number, each in full, the last one in part. What is kept of each row are the
   weights of the E-step; so each step is a concentration step (Rousseeuw & Van Driessen 1999; for
   mixtures Neykov, Filzmoser, Dimova & Neytchev 2007), and the log-likelihood of the rows that are
   kept rises: first by the M-step for the set as it is, then by the set that is best for its result.

   Log-densities of rows that miss different values are made comparable by a constant: what is missing
   counts as normal with the column's scale, whose log-density is -log(scale) - log(2 pi e) / 2 on
   average. The objective has these constants of the rows that are kept, and so rises.

   The level that parts the rows is found digit by digit of the densities' bits, each digit by the
   weights that fall on its values: time in proportion to n, no order of rows, no memory. */
#include <math.h>
#include <string.h>

#include "gm.h"

enum { DIGIT = 8, VALUES = 1 << DIGIT, LAST = 64 - DIGIT };
#define WHOLE 1e-9 /* what is no part of a row: the rounding of trim W */
#define HALF_LOG_2PIE 1.41893853320467274178

/* In the order of the values. */
static uint64_t ordered(double value) {
  const uint64_t sign = UINT64_C(1) << 63;
  uint64_t b;
  memcpy(&b, &value, sizeof b);
  return b & sign ? ~b : b | sign;
}

static double weight(const struct gm_rows* rows, ptrdiff_t i) {
  return rows->w ? rows->w[i] : 1;
}

/* What ranks row i. */
static uint64_t rank(const struct gm_rows* rows, ptrdiff_t i) {
  return ordered(rows->trimming->density[rows->patterns ? rows->patterns->row[i] : i]);
}

/* Of a row of pattern p: what its missing values would add on average, if they were normal with the
   columns' scales. */
static double constant(const struct gm_rows* rows, int p) {
  const struct gm_patterns* patterns = rows->patterns;
  double sum = 0;
  for (int c = patterns->observed[p]; c < rows->d; c++)
    sum -= log(rows->trimming->scale[patterns->column[c + (ptrdiff_t)rows->d * p]]) +
           HALF_LOG_2PIE;
  return sum;
}

/* The rank up to which rows are left out; left: weight still to be left out there, when all below
   is. */
static uint64_t find_level(const struct gm_rows* rows, double* left) {
  uint64_t level = 0;
  for (int shift = LAST; shift >= 0; shift -= DIGIT) {
    double sum[VALUES] = {0};
    for (ptrdiff_t i = 0; i < rows->n; i++) {
      const uint64_t from_level = (rank(rows, i) ^ level) >> shift;
      if (from_level < VALUES) sum[from_level] += weight(rows, i);
    }
    int digit = 0;
    while (digit < VALUES - 1 && sum[digit] <= *left) *left -= sum[digit++];
    level |= (uint64_t)digit << shift;
  }
  return level;
}

int gm_trim(const struct gm_rows* rows, const struct gm_factors* f,
            const struct gm_engine* engine, double* work, struct gm_error* err) {
  const struct gm_patterns* patterns = rows->patterns;
  struct gm_trimming* trimming = rows->trimming;
  double left = 0;
  if (gm_score_rows(GM_LOGDENS, rows, f, engine, trimming->density, NULL, work, err))
    return err->code;
  for (int p = 0; patterns && p < patterns->count; p++) {
    const double more = constant(rows, p);
    for (ptrdiff_t i = patterns->first[p]; i < patterns->first[p + 1]; i++)
      trimming->density[patterns->row[i]] += more;
  }
  for (ptrdiff_t i = 0; i < rows->n; i++) left += weight(rows, i);
  left *= trimming->share;
  trimming->moved = trimming->constant = 0;
  const uint64_t level = find_level(rows, &left);
  for (ptrdiff_t i = 0; i < rows->n; i++) {
    const uint64_t at = rank(rows, i);
    const double w = weight(rows, i);
    double out = at < level ? w : at > level ? 0 : fmin(left, w);
    if (out < WHOLE * w) out = 0;
    if (w - out < WHOLE * w) out = w;
    if (at == level) left = fmax(left - out, 0);
    trimming->moved += fabs(w - out - trimming->kept[i]);
    trimming->kept[i] = w - out;
  }
  for (int p = 0; patterns && p < patterns->count; p++) {
    double sum = 0;
    for (ptrdiff_t i = patterns->first[p]; i < patterns->first[p + 1]; i++)
      sum += trimming->kept[i];
    trimming->constant += sum * constant(rows, p);
  }
  return GM_OK;
}
