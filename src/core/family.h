/* M-steps of the families that are not in family.c, and the memory that they need. */
#ifndef GM_FAMILY_H
#define GM_FAMILY_H

#include "gm.h"

#define GM_MSTEP(name)                                                        \
  void name(const struct gm_scatter* scatter, const struct gm_bounds* bounds, \
            double* cov, double* work)
GM_MSTEP(gm_mstep_vei);
GM_MSTEP(gm_mstep_evi);
GM_MSTEP(gm_mstep_vee);
GM_MSTEP(gm_mstep_eve);
GM_MSTEP(gm_mstep_vve);
GM_MSTEP(gm_mstep_eev);
GM_MSTEP(gm_mstep_vev);
GM_MSTEP(gm_mstep_evv);

ptrdiff_t gm_mstep_iter_work(int d, int k);

#endif
