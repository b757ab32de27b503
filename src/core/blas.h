/* The only door to BLAS and LAPACK. These headers bring no SEXP with them. */
#ifndef GM_BLAS_H
#define GM_BLAS_H

#define USE_FC_LEN_T
#include <R_ext/BLAS.h>
#include <R_ext/Lapack.h>
#ifndef FCONE
#define FCONE
#endif

#endif
