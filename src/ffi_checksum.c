/* Are bytes as they were written? FNV-1a of 64 bits (Fowler, Noll & Vo): any single byte that
   differs gives another sum. */
#include "ffi.h"

SEXP ffi_gmm_checksum(SEXP bytes) {
  if (TYPEOF(bytes) != RAWSXP) Rf_error("internal error: no bytes");
  const unsigned char* at = RAW_RO(bytes);
  uint64_t sum = UINT64_C(0xcbf29ce484222325);
  for (R_xlen_t i = 0; i < XLENGTH(bytes); i++)
    sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
  SEXP out = Rf_allocVector(RAWSXP, 8);
  for (int i = 0; i < 8; i++) RAW(out)[i] = (unsigned char)(sum >> 8 * i);
  return out;
}
