/* The statistics: one flat block of doubles, so that merging is addition. */
#include <string.h>

#include "gm.h"

static ptrdiff_t scatter_length(enum gm_shape shape, int d) {
  return shape == GM_TRIANG ? (ptrdiff_t)d * d : d;
}

static ptrdiff_t layout_size(enum gm_shape shape, int shared, int d, int k) {
  return 2 * (ptrdiff_t)k + 3 * (ptrdiff_t)d * k +
         scatter_length(shape, d) * (shared ? 1 : k) + GM_TOTALS;
}

ptrdiff_t gm_stats_size(const struct gm_family* family, int d, int k) {
  return layout_size(family->shape, family->shared, d, k);
}

struct gm_stats gm_stats_at(const struct gm_stats* layout, double* mem) {
  struct gm_stats s = *layout;
  s.nk = mem;
  s.nk2 = s.nk + s.k;
  s.sum = s.nk2 + s.k;
  s.scatter = s.sum + (ptrdiff_t)s.d * s.k;
  s.total = mem + s.size - GM_TOTALS;
  s.lost2 = s.total - (ptrdiff_t)s.d * s.k;
  s.lost = s.lost2 - (ptrdiff_t)s.d * s.k;
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

void gm_stats_copy(struct gm_stats* to, const struct gm_stats* from) {
  memcpy(to->nk, from->nk, (size_t)from->size * sizeof *from->nk);
}

void gm_stats_add(struct gm_stats* to, const struct gm_stats* from) {
  for (ptrdiff_t i = 0; i < to->size; i++) to->nk[i] += from->nk[i];
}

struct gm_stats gm_stats_of(const struct gm_stats* layout, int d, double* mem) {
  struct gm_stats s = *layout;
  s.d = d;
  s.size = layout_size(s.shape, !s.stride, d, s.k);
  if (s.stride) s.stride = scatter_length(s.shape, d);
  return gm_stats_at(&s, mem);
}

double gm_stats_size_of(const struct gm_stats* s, int j) {
  double least = s->nk[j] > 0 ? s->nk[j] * s->nk[j] / s->nk2[j] : 0;
  for (ptrdiff_t a = (ptrdiff_t)s->d * j; a < (ptrdiff_t)s->d * (j + 1); a++) {
    if (s->lost[a] == 0) continue;
    const double n = s->nk[j] - s->lost[a], n2 = s->nk2[j] - s->lost2[a];
    const double size = n > 0 && n2 > 0 ? n * n / n2 : 0;
    if (size < least) least = size;
  }
  return least;
}

int gm_stats_complete(const struct gm_stats* s) {
  for (ptrdiff_t a = 0; a < (ptrdiff_t)s->d * s->k; a++)
    if (s->lost[a] > 0) return 0;
  return 1;
}
