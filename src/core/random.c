/* Random numbers as a pure function of key and counter: Philox4x32-10 of Salmon, Moraes, Dror &
   Shaw (2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.3). */
#include <math.h>

#include "gm.h"

static void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53 * c[0];
    const uint64_t p1 = (uint64_t)0xCD9E8D57 * c[2];
    const uint32_t c1 = c[1], c3 = c[3];
    c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c[3] = (uint32_t)p0;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

static double uniform(uint32_t high, uint32_t low) {
  const uint64_t bits = ((uint64_t)high << 32 | low) >> 12;
  return ((double)bits + 0.5) * 0x1p-52;
}

void gm_random(uint64_t key, uint64_t index, uint32_t stream, uint32_t lane,
               double u[2]) {
  uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), lane, stream};
  philox(c, (uint32_t)key, (uint32_t)(key >> 32));
  u[0] = uniform(c[1], c[0]);
  u[1] = uniform(c[3], c[2]);
}

double gm_random_normal(uint64_t key, uint64_t index, uint32_t stream, uint32_t lane) {
  double u[2];
  gm_random(key, index, stream, lane, u);
  return sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]);
}

double gm_random_factor(double u) { return exp(log(.02) * u); }

ptrdiff_t gm_subsample(const struct gm_rows* rows, uint64_t key,
                       const struct gm_engine* engine, ptrdiff_t m, int* row, double* w) {
  enum { STRETCH = 1000000 }; /* rows between two ticks */
  double total = rows->w ? 0 : (double)rows->n, sum = 0;
  ptrdiff_t count = 0, part = 0;
  for (ptrdiff_t i = 0; i < rows->n && rows->w; i++) total += rows->w[i];
  double u[2], next = -1;
  for (ptrdiff_t i = 0; i < rows->n && part < m; i++) {
    double drawn = 0;
    if (!rows->w && next > (double)i)
      i = (ptrdiff_t)fmin(ceil(next), total) - 1; /* whose turn is next */
    sum = rows->w ? sum + rows->w[i] : (double)(i + 1);
    while (part < m) {
      if (next < 0) {
        gm_random(key, (uint64_t)part, UINT32_MAX, 0, u);
        next = ((double)part + u[0]) * (total / (double)m);
      }
      if (next > sum) break;
      drawn++;
      part++;
      next = -1;
    }
    if (drawn > 0) {
      row[count] = (int)i;
      w[count++] = drawn;
    }
    if (i % STRETCH == 0 && gm_stop(engine, STRETCH)) return -1;
  }
  return count;
}
