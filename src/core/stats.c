/* The statistics: one flat block of doubles, so that merging is addition. */
#include <string.h>

#include "gm.h"

static ptrdiff_t scatter_length(enum gm_shape shape, int d) {
  return shape == GM_TRIANG ? (ptrdiff_t)d * d : d;
}

ptrdiff_t gm_stats_size(const struct gm_family* family, int d, int k) {
  return 2 * (ptrdiff_t)k + (ptrdiff_t)d * k +
         scatter_length(family->shape, d) * (family->shared ? 1 : k) + GM_TOTALS;
}

struct gm_stats gm_stats_at(const struct gm_stats* layout, double* mem) {
  struct gm_stats s = *layout;
  s.nk = mem;
  s.nk2 = s.nk + s.k;
  s.sum = s.nk2 + s.k;
  s.scatter = s.sum + (ptrdiff_t)s.d * s.k;
  s.total = mem + s.size - GM_TOTALS;
  return s;
}

double* gm_stats_init(struct gm_stats* s, const struct gm_family* family, int d, int k,
                      double* mem) {
  const struct gm_stats layout = {
      .shape = family->shape,
      .d = d,
      .k = k,
      .size = gm_stats_size(family, d, k),
      .stride = family->shared ? 0 : scatter_length(family->shape, d)};
  *s = gm_stats_at(&layout, mem);
  return mem + s->size;
}

void gm_stats_zero(struct gm_stats* s) {
  memset(s->nk, 0, (size_t)s->size * sizeof *s->nk);
}

void gm_stats_add(struct gm_stats* to, const struct gm_stats* from) {
  for (ptrdiff_t i = 0; i < to->size; i++) to->nk[i] += from->nk[i];
}
