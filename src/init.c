/* The routine table: every .Call() of R/engine.R, and nothing else, is visible. */
#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#include "ffi.h"

#define ROUTINE(name, n) \
  { #name, (DL_FUNC)(void (*)(void)) & name, n }

static const R_CallMethodDef routines[] = {
    ROUTINE(ffi_gmm_fit, 7),
    ROUTINE(ffi_gmm_grid, 6),
    ROUTINE(ffi_gmm_score, 7),
    ROUTINE(ffi_gmm_certainty, 5),
    ROUTINE(ffi_gmm_sample, 7),
    ROUTINE(ffi_gmm_kernel, 8),
    ROUTINE(ffi_gmm_random, 4),
    ROUTINE(ffi_gmm_engine, 0),
    ROUTINE(ffi_gmm_home, 6),
    ROUTINE(ffi_gmm_stats, 6),
    ROUTINE(ffi_gmm_layout, 3),
    ROUTINE(ffi_gmm_csv, 6),
    ROUTINE(ffi_gmm_trim, 7),
    ROUTINE(ffi_gmm_scan, 3),
    ROUTINE(ffi_gmm_draw, 6),
    ROUTINE(ffi_gmm_gaps, 2),
    ROUTINE(ffi_gmm_columns, 2),
    ROUTINE(ffi_gmm_quantiles, 2),
    ROUTINE(ffi_gmm_checksum, 1),
    {NULL, NULL, 0},
};

void attribute_visible R_init_gaussmix(DllInfo* dll) {
  R_registerRoutines(dll, NULL, routines, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
  R_forceSymbols(dll, TRUE);
  ffi_remember_process();
}
