/* The statistics: one flat block of doubles, so that merging is addition. */
#include <string.h>

#include "gm.h"

static ptrdiff_t scatter_length(enum gm_shape shape, int d) {
  return shape == GM_TRIANG ? (ptrdiff_t)d * d : d;
}

ptrdiff_t gm_stats_size(const struct gm_family* family, int d, int k) {
  return 2 * (ptrdiff_t)k + (ptrdiff_t)d * k +
         scatter_length(family->shape, d) * (family->shared ? 1 : k) + 2;
}

double* gm_stats_init(struct gm_stats* s, const struct gm_family* family, int d, int k,
                      double* mem) {
  s->shape = family->shape;
  s->d = d;
  s->k = k;
  s->size = gm_stats_size(family, d, k);
  s->stride = family->shared ? 0 : scatter_length(family->shape, d);
  s->nk = mem;
  s->nk2 = s->nk + k;
  s->sum = s->nk2 + k;
  s->scatter = s->sum + (ptrdiff_t)d * k;
  s->total = mem + s->size - 2;
  return mem + s->size;
}

void gm_stats_zero(struct gm_stats* s) { memset(s->nk, 0, (size_t)s->size * sizeof *s->nk); }

void gm_stats_add(struct gm_stats* to, const struct gm_stats* from) {
  for (ptrdiff_t i = 0; i < to->size; i++) to->nk[i] += from->nk[i];
}
