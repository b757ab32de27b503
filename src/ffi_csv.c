/* Lines of text -> numbers. Strict: a field that is no number, and a line with another number of
   fields, are told, not guessed at. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ffi.h"

struct field {
  const char *at, *end; /* without quotes and blanks */
};

static int blank(char c) { return c == ' ' || c == '\t'; }

/* The field that begins at `at`; returns where the next one begins (behind the separator), or NULL
   at the end of the line. A quote that is not closed in its line leaves f->at NULL. */
static const char* next_field(const char* at, const char* end, char sep,
                              struct field* f) {
  while (at < end && blank(*at) && *at != sep) at++;
  if (at < end && *at == '"') {
    f->at = ++at;
    while (at < end && !(*at == '"' && (at + 1 == end || at[1] != '"')))
      at += *at == '"' ? 2 : 1;
    f->end = at;
    if (at >= end) f->at = NULL;
    while (at < end && *at != sep) at++;
  } else {
    const char* stop = memchr(at, sep, (size_t)(end - at));
    f->at = at;
    at = f->end = stop ? stop : end;
    while (f->end > f->at && blank(f->end[-1])) f->end--;
  }
  return at < end ? at + 1 : NULL;
}

static int is(const struct field* f, const char* word) {
  const size_t length = strlen(word);
  return (size_t)(f->end - f->at) == length && !memcmp(f->at, word, length);
}

/* Digits that fit a double exactly, times or divided by an exact power of ten, make the nearest
   double by one rounding (Clinger 1990); strtod() does the others. Returns 0: no number. */
static int number(const struct field* f, double* value) {
  static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const char* at = f->at;
  int negative = 0, digits = 0, point = 0, exponent = 0;
  uint64_t mantissa = 0;
  if (at < f->end && (*at == '-' || *at == '+')) negative = *at++ == '-';
  for (; at < f->end; at++) {
    if (*at >= '0' && *at <= '9') {
      mantissa = 10 * mantissa + (uint64_t)(*at - '0');
      exponent -= point;
      if (mantissa >= (uint64_t)1 << 53) break;
      digits++;
    } else if (*at == '.' && !point) {
      point = 1;
    } else {
      break;
    }
  }
  if (at == f->end && digits && exponent >= -22) {
    *value = (double)mantissa / ten[-exponent];
    if (negative) *value = -*value;
    return 1;
  }
  if (f->at == f->end || is(f, "NA") || is(f, "NaN") || is(f, "nan")) {
    *value = NA_REAL;
    return 1;
  }
  char text[128], *stop;
  const size_t length = (size_t)(f->end - f->at);
  if (length >= sizeof text) return 0;
  memcpy(text, f->at, length);
  text[length] = 0;
  *value = strtod(text, &stop);
  return stop == text + length && !strpbrk(text, "xX");
}

/* The end of the line that begins at `at`, without its line feed; NULL: it goes on behind `end`. */
static const char* line_end(const char* at, const char* end, int last) {
  const char* stop = memchr(at, '\n', (size_t)(end - at));
  return stop ? stop : last && at < end ? end : NULL;
}

/* Lines of `bytes` behind the first `from` of them, at most `most`; `last`: no more bytes follow
   these. columns: for each field the column that it goes to (from 1), 0 for none, -1 for the
   labels. Value: list(x (matrix), labels (text, or NULL), used (bytes), wrong (NULL; or of the first
   line that can't be read: its number, the field's, and the text; field 0: the number of fields)).
   Empty lines are passed over where there is more than one field. */
SEXP ffi_gmm_csv(SEXP bytes, SEXP from, SEXP last_bytes, SEXP separator, SEXP columns,
                 SEXP most) {
  static const char* const names[] = {"x", "labels", "used", "line", "field", "text"};
  const double begin = ffi_number(from, "from"), limit = ffi_number(most, "most");
  const int fields = (int)Rf_xlength(columns), last = ffi_count(last_bytes, 0, "last");
  const int* to = ffi_integers(columns, fields, "columns");
  const char* sep = ffi_string(separator, "separator");
  if (TYPEOF(bytes) != RAWSXP || !(begin >= 0 && begin <= (double)XLENGTH(bytes)) ||
      strlen(sep) != 1 || fields < 1)
    Rf_error("internal error: no lines to read");
  const char* start = (const char*)RAW_RO(bytes) + (ptrdiff_t)begin;
  const char* end = (const char*)RAW_RO(bytes) + XLENGTH(bytes);

  int rows = 0, d = 0, labelled = 0;
  for (int i = 0; i < fields; i++) {
    if (to[i] < -1 || to[i] > fields) Rf_error("internal error: no such column");
    if (to[i] > d) d = to[i];
    labelled |= to[i] < 0;
  }
  for (const char* at = start; at < end && rows < limit && rows < INT_MAX; rows++) {
    const char* stop = line_end(at, end, last);
    if (!stop) break;
    at = stop < end ? stop + 1 : end;
  }

  SEXP out = PROTECT(ffi_list(6, names));
  SEXP x = PROTECT(Rf_allocMatrix(REALSXP, rows, d));
  SEXP labels = PROTECT(labelled ? Rf_allocVector(STRSXP, rows) : R_NilValue);
  double* value = REAL(x);
  memset(value, 0, (size_t)XLENGTH(x) * sizeof *value);
  const char* at = start;
  int row = 0, line = 0, wrong = -1;
  struct field f = {NULL, NULL};
  for (; line < rows && wrong < 0; line++) {
    const char* stop = line_end(at, end, last);
    const char* next = at;
    const char* behind = stop == end ? end : stop + 1;
    if (stop > at && stop[-1] == '\r') stop--;
    if (stop == at && fields > 1) {
      at = behind;
      continue;
    }
    int i = 0;
    for (; next && i < fields && wrong < 0; i++) {
      next = next_field(next, stop, *sep, &f);
      if (!f.at) {
        wrong = i + 1;
      } else if (to[i] > 0) {
        if (!number(&f, value + row + (ptrdiff_t)rows * (to[i] - 1))) wrong = i + 1;
      } else if (to[i] < 0) {
        SET_STRING_ELT(labels, row,
                       f.at == f.end || is(&f, "NA")
                           ? NA_STRING
                           : Rf_mkCharLenCE(f.at, (int)(f.end - f.at), CE_UTF8));
      }
    }
    if (wrong < 0 && (i < fields || next)) wrong = 0;
    at = behind;
    row++;
  }
  if (wrong >= 0) {
    const int length = f.at && wrong ? (int)(f.end - f.at) : 0;
    SET_VECTOR_ELT(out, 3, Rf_ScalarInteger(line));
    SET_VECTOR_ELT(out, 4, Rf_ScalarInteger(wrong));
    SET_VECTOR_ELT(out, 5, Rf_allocVector(STRSXP, 1));
    SET_STRING_ELT(
        VECTOR_ELT(out, 5), 0,
        Rf_mkCharLenCE(length ? f.at : "", length < 40 ? length : 40, CE_BYTES));
  }
  SET_VECTOR_ELT(out, 0, x);
  SET_VECTOR_ELT(out, 1, labels);
  if (row < rows && wrong < 0) { /* some lines were empty */
    SEXP less = Rf_allocMatrix(REALSXP, row, d);
    SET_VECTOR_ELT(out, 0, less);
    for (int a = 0; a < d; a++)
      memcpy(REAL(less) + (ptrdiff_t)row * a, value + (ptrdiff_t)rows * a,
             (size_t)row * sizeof *value);
    if (labelled) SET_VECTOR_ELT(out, 1, Rf_xlengthgets(labels, row));
  }
  SET_VECTOR_ELT(out, 2, Rf_ScalarReal((double)(at - (const char*)RAW_RO(bytes))));
  UNPROTECT(3);
  return out;
}
