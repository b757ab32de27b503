# Checks of arguments. Each returns the value in its plain type, or raises
# "`arg` must be <expected>, not <got>." Nothing is rounded, recycled, matched partially or coerced
# from text. `arg` is the name that the user knows; by default that of the variable (made only where
# it is needed: a deparse takes longer than the check).

check_whole <- function(x, arg = deparse1(substitute(x)), min = 1, max = .Machine$integer.max) {
  if (!is_number(x) || !is.finite(x) || x != trunc(x) || x < min || x > max) {
    too_large <- is_number(x) && is.finite(x) && x > max
    most <- if (max == .Machine$integer.max && !too_large) Inf else max
    gmm_abort("argument", must_be(arg, paste0("a whole number", range_text(min, most)), x))
  }
  if (max <= .Machine$integer.max) as.integer(x) else as.double(x)
}

# One or more whole numbers -> sorted, each once.
check_wholes <- function(x, arg = deparse1(substitute(x)), min = 1) {
  force(arg)
  if (!is.numeric(x) || is.object(x) || length(x) == 0L) {
    gmm_abort("argument", must_be(arg, paste0("whole numbers", range_text(min, Inf)), x))
  }
  sort(unique(vapply(x, check_whole, 0L, arg = arg, min = min)))
}

# `ends`: "[]" both ends belong, "(]" the lower doesn't, "[)" the upper doesn't, "()" neither does.
# Infinite values only where `finite` is FALSE.
check_number <- function(x, arg = deparse1(substitute(x)), min = -Inf, max = Inf, ends = "[]",
                         finite = TRUE) {
  open <- c(startsWith(ends, "("), endsWith(ends, ")"))
  ok <- is_number(x) && !is.na(x) && (is.finite(x) || !finite) &&
    (if (open[1L]) x > min else x >= min) && (if (open[2L]) x < max else x <= max)
  if (!ok) {
    gmm_abort("argument", must_be(arg, paste0("a number", range_text(min, max, open)), x))
  }
  as.double(x)
}

check_flag <- function(x, arg = deparse1(substitute(x))) {
  if (!is.logical(x) || length(x) != 1L || is.na(x)) {
    gmm_abort("argument", must_be(arg, "TRUE or FALSE", x))
  }
  as.logical(x)
}

# Exact, in case too. As in match.arg(), the whole vector of choices (a default) means the first.
check_choice <- function(x, choices, arg = deparse1(substitute(x))) {
  if (identical(x, choices)) return(choices[1L])
  if (!is.character(x) || length(x) != 1L || !x %in% choices) {
    gmm_abort("argument", must_be(arg, paste("one of", some(dQuote(choices, FALSE), Inf)), x),
              did_you_mean(x, choices, function(s) dQuote(s, FALSE)))
  }
  as.vector(x)
}

# An argument without a default: `what` says what it is.
check_given <- function(x, what, arg = deparse1(substitute(x))) {
  if (missing(x)) gmm_abort("argument", sprintf("`%s`, %s, must be given.", arg, what))
}

# For functions whose arguments after `...` go by name only: check_dots_empty(...). Nothing of
# `...` is evaluated. `.but`: names that it may have, which the caller passes on.
check_dots_empty <- function(..., .but = character()) {
  dots <- as.list(substitute(list(...)))[-1L]
  if (!is.null(names(dots))) dots <- dots[!names(dots) %in% .but]
  if (length(dots) == 0L) return(invisible())
  caller <- sys.function(sys.parent())
  known <- c(setdiff(names(formals(caller)), "..."), .but)
  fun <- paste0(generic_name(function_name(caller)), "()")
  usage <- sprintf("Its arguments are %s.", some(backtick(known), Inf))
  name <- if (is.null(names(dots))) "" else names(dots)[1L]
  if (name == "") {
    got <- if (is.language(dots[[1L]])) shorten(deparse1(dots[[1L]])) else describe(dots[[1L]])
    gmm_abort("argument", sprintf("%s was given an argument without a name: %s.", fun, got), usage)
  }
  ours <- if (name %in% names(elsewhere)) elsewhere[[name]] else name
  hint <- did_you_mean(ours, known, backtick)
  if (is.null(hint) && "control" %in% known && ours %in% names(formals(gmm_control))) {
    hint <- sprintf("Give it as `control = gmm_control(%s = )`.", ours)
  }
  gmm_abort("argument", sprintf("%s is not an argument of %s.", backtick(name), fun),
            if (is.null(hint)) usage else hint)
}

# What other packages call our arguments.
elsewhere <- c(
  G = "k", nclass = "k", n_components = "k", ngauss = "k", centers = "k", modelNames = "covariance",
  modelName = "covariance", covariance_type = "covariance", nstart = "n_init", maxit = "max_iter",
  itmax = "max_iter", eps = "tol", epsilon = "tol", reg_covar = "floor"
)

# ---- words for messages ----------------------------------------------------------------

must_be <- function(arg, expected, got) {
  sprintf("`%s` must be %s, not %s.", arg, expected, describe(got))
}

# A few words for what was given: "2.5", "\"a\"", "a character vector of length 2".
describe <- function(x) {
  if (is.null(x)) return("NULL")
  size <- function(dims) paste(plural(dims[1L], "row"), "and", plural(dims[2L], "column"))
  if (is.data.frame(x)) return(paste("a data frame of", size(dim(x))))
  kind <- kind_of(x)
  if (is.factor(x) || is.list(x) && !is.object(x)) return(paste(kind, "of length", length(x)))
  if (is.object(x) || !is.atomic(x)) return(kind)
  dims <- dim(x)
  if (length(dims) == 2L) return(paste(kind, "matrix of", size(dims)))
  if (length(dims) > 2L) return(sprintf("%s array of %s", kind, paste(dims, collapse = " x ")))
  if (length(x) == 1L) return(scalar_text(x))
  paste(kind, "vector of length", length(x))
}

# "a numeric", "a factor", "an object of class \"Date\"" ...
kind_of <- function(x) {
  if (is.factor(x)) return("a factor")
  if (inherits(x, "AsIs")) return(kind_of(structure(x, class = setdiff(oldClass(x), "AsIs"))))
  if (inherits(x, "formula")) return("a formula")
  if (is.object(x)) return(sprintf("an object of class \"%s\"", class(x)[1L]))
  switch(typeof(x), double = "a numeric", integer = "an integer", environment = "an environment",
         symbol = , language = "an expression", closure = , builtin = , special = "a function",
         paste("a", typeof(x)))
}

scalar_text <- function(x) {
  if (is.character(x) && !is.na(x)) return(shorten(encodeString(x, quote = "\"")))
  number_text(x)
}

# Does not depend on options(digits, OutDec, scipen).
number_text <- function(x, digits = 15L, mark = ".") {
  if (!is.numeric(x)) return(paste(x))
  vapply(x, format, "", digits = digits, decimal.mark = mark, scientific = 0L, USE.NAMES = FALSE)
}

# What is printed has the decimal mark of options(OutDec), as what format() and print() make.
shown_number <- function(x, digits = 15L) number_text(x, digits, getOption("OutDec"))

# With so many decimals.
fixed_text <- function(x, decimals) {
  sub(".", getOption("OutDec"), sprintf("%.*f", decimals, x), fixed = TRUE)
}

# "1,250,000", whatever options(OutDec, scipen) are.
count_text <- function(n) format(n, big.mark = ",", decimal.mark = ".", scientific = FALSE)

range_text <- function(min, max, open = c(FALSE, FALSE)) {
  lower <- sprintf(if (open[1L]) "above %s" else "of at least %s", number_text(min))
  upper <- sprintf(if (open[2L]) "below %s" else "of at most %s", number_text(max))
  bounded <- c(min > -Inf, max < Inf)
  if (all(bounded) && !any(open)) {
    return(sprintf(" from %s to %s", number_text(min), number_text(max)))
  }
  text <- paste(c(lower, upper)[bounded], collapse = " and ")
  if (nzchar(text)) paste0(" ", text) else ""
}

# "a, b, c", or "a, b, c and 5 more"
some <- function(x, most = 5L) {
  more <- length(x) - most
  if (more <= 0) return(paste(x, collapse = ", "))
  paste0(paste(x[seq_len(most)], collapse = ", "), " and ", more, " more")
}

# "a", "a and b", "a, b and c"
and_text <- function(x) {
  last <- length(x)
  if (last < 2L) x else paste(paste(x[-last], collapse = ", "), "and", x[last])
}

capital <- function(x) paste0(toupper(substr(x, 1L, 1L)), substring(x, 2L))

backtick <- function(x) paste0("`", encodeString(x), "`")

plural <- function(n, one, many = paste0(one, "s")) paste(number_text(n), if (n == 1) one else many)

shorten <- function(text, width = 40L) {
  if (nchar(text) > width) paste0(substr(text, 1L, width - 3L), "...") else text
}

# The choice that a misspelt word most likely meant, as a hint; NULL where none is near.
did_you_mean <- function(x, choices, quote) {
  if (!is.character(x) || length(x) != 1L || is.na(x) || length(choices) == 0L) return(NULL)
  distance <- drop(utils::adist(x, choices, ignore.case = TRUE))
  starts <- startsWith(tolower(choices), tolower(x)) & nzchar(x)
  distance[starts] <- pmin(distance[starts], 1)
  best <- which.min(distance)
  if (distance[best] > max(1, nchar(x) / 3) || distance[best] >= nchar(x)) return(NULL)
  sprintf("Did you mean %s?", quote(choices[best]))
}

# ---- types -----------------------------------------------------------------------------

# One plain number: no class (a Date or an integer64 is not a number here), no text, no logical.
is_number <- function(x) is.numeric(x) && !is.object(x) && length(x) == 1L

# The upper Cholesky factor; NULL where the matrix is not positive definite.
try_chol <- function(matrix) tryCatch(chol(matrix), error = function(e) NULL)

is_string <- function(x) is.character(x) && length(x) == 1L && !is.na(x)
