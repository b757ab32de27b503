# The families of covariances: one table, read by all of R. A further family is a further row.
#
#   name         the plain name; the code again where it has none
#   shape        "full": d x d; "diag": d variances; "spherical": one variance
#   shared       TRUE: one covariance, common to all components
#   parameters   free parameters of the covariances, an expression in d and k
#   description  plain English
families <- list(
  EII = list(
    name = "EII", shape = "spherical", shared = TRUE,
    parameters = quote(1),
    description = "all components are spheres of one size"
  ),
  VII = list(
    name = "spherical", shape = "spherical", shared = FALSE,
    parameters = quote(k),
    description = "each component is a sphere with a size of its own"
  ),
  EEI = list(
    name = "EEI", shape = "diag", shared = TRUE,
    parameters = quote(d),
    description = "all components share one size and shape, along the axes"
  ),
  VEI = list(
    name = "VEI", shape = "diag", shared = FALSE,
    parameters = quote(d + k - 1),
    description = "one shape along the axes; each component has a size of its own"
  ),
  EVI = list(
    name = "EVI", shape = "diag", shared = FALSE,
    parameters = quote(k * d - k + 1),
    description = "one size; each component has a shape of its own, along the axes"
  ),
  VVI = list(
    name = "diag", shape = "diag", shared = FALSE,
    parameters = quote(k * d),
    description = "each component has a size and shape of its own, along the axes"
  ),
  EEE = list(
    name = "tied", shape = "full", shared = TRUE,
    parameters = quote(d * (d + 1) / 2),
    description = "all components share one size, shape and orientation"
  ),
  VEE = list(
    name = "VEE", shape = "full", shared = FALSE,
    parameters = quote(d * (d + 1) / 2 + k - 1),
    description = "one shape and orientation; each component has a size of its own"
  ),
  EVE = list(
    name = "EVE", shape = "full", shared = FALSE,
    parameters = quote(d * (d + 1) / 2 + (k - 1) * (d - 1)),
    description = "one size and orientation; each component has a shape of its own"
  ),
  VVE = list(
    name = "VVE", shape = "full", shared = FALSE,
    parameters = quote(d * (d + 1) / 2 + (k - 1) * d),
    description = "one orientation; each component has a size and shape of its own"
  ),
  EEV = list(
    name = "EEV", shape = "full", shared = FALSE,
    parameters = quote(k * (d * (d + 1) / 2) - (k - 1) * d),
    description = "one size and shape; each component has an orientation of its own"
  ),
  VEV = list(
    name = "VEV", shape = "full", shared = FALSE,
    parameters = quote(k * (d * (d + 1) / 2) - (k - 1) * (d - 1)),
    description = "one shape; each component has a size and orientation of its own"
  ),
  EVV = list(
    name = "EVV", shape = "full", shared = FALSE,
    parameters = quote(k * (d * (d + 1) / 2) - (k - 1)),
    description = "one size; each component has a shape and orientation of its own"
  ),
  VVV = list(
    name = "full", shape = "full", shared = FALSE,
    parameters = quote(k * (d * (d + 1) / 2)),
    description = "each component has a size, shape and orientation of its own"
  )
)

# In one dimension only the variances are left: equal or varying.
families_1d <- c(E = "EEE", V = "VVV")

#' Families of covariances
#'
#' Lists the shapes of covariance that [gmm()] fits. Each has a code of three letters, which say
#' whether the size, the shape and the orientation of the components are equal (`E`), varying
#' (`V`) or those of the axes or of a sphere (`I`); and a plain name. `covariance =` takes either,
#' in the case shown. For one variable only the variances are left: `"E"` (equal, as tied) and `"V"`
#' (varying, as full; diag and spherical are then the same). Objects hold the code of three letters
#' also then; what is printed has the one letter. The vignette *families* has the mathematics.
#'
#' `plot()` draws an example of each family in the table: three components, by the ellipses that
#' hold 95 % of each (for `d = 1` by their densities), all on one scale.
#'
#' @param d Number of variables, a whole number of at least 1, or `NULL`.
#' @param k Number of components, a whole number of at least 1, or `NULL`.
#' @return For `gmm_families()` a data frame of class `gmm_families`, with a row a family (for
#'   `d = 1` the two that differ) and the columns
#'   `code`, `name`, `description` and `parameters`: the number of free parameters of the
#'   whole mixture, `k - 1` proportions, `k * d` means and those of the covariances. It is a number
#'   where `d` and `k` are given, else the formula as text, with what is given filled in. With
#'   `gmm(proportions = "equal")` they are `k - 1` less. `plot()` returns `x`, invisibly.
#' @section Errors: `gaussmix_error_argument` where `d` or `k` is not a whole number of at least 1,
#'   and where `plot()` is given a table without families.
#' @references Celeux, G. and Govaert, G. (1995) Gaussian parsimonious clustering models. *Pattern
#'   Recognition* 28, 781-793. \doi{10.1016/0031-3203(94)00125-6}
#'
#'   Banfield, J. D. and Raftery, A. E. (1993) Model-based Gaussian and non-Gaussian clustering.
#'   *Biometrics* 49, 803-821. \doi{10.2307/2532201}
#' @examples
#' gmm_families()
#' gmm_families(d = 4, k = 3)
#' plot(gmm_families())
#' @export
gmm_families <- function(d = NULL, k = NULL) {
  if (!is.null(d)) d <- as.double(check_whole(d))
  if (!is.null(k)) k <- as.double(check_whole(k))
  codes <- names(families)
  shown <- codes
  if (identical(d, 1)) {
    codes <- unname(families_1d)
    shown <- names(families_1d)
  }
  values <- Filter(Negate(is.null), list(d = d, k = k))
  counts <- lapply(codes, function(code) {
    fold(do.call(substitute, list(df_formulas[[code]], values)))
  })
  field <- function(name) vapply(families[codes], `[[`, "", name, USE.NAMES = FALSE)
  table <- data.frame(
    code = shown, name = field("name"), description = field("description"),
    parameters = if (length(values) == 2L) unlist(counts) else vapply(counts, deparse1, "")
  )
  structure(table, class = c("gmm_families", "data.frame"))
}

#' @rdname gmm_families
#' @param x A table by `gmm_families()`, or some rows of it.
#' @param ... Graphical parameters, passed to the plots of the families; see [plot.gaussmix()].
#' @export
plot.gmm_families <- function(x, ...) {
  if (!length(x$code) || !all(x$code %in% c(names(families), names(families_1d)))) {
    gmm_abort("argument", "`x` must be a table of families with its column `code`.",
              "Take rows of gmm_families().")
  }
  columns <- min(5L, nrow(x))
  old <- par(mfrow = c(ceiling(nrow(x) / columns), columns), mar = c(1, 1, 2.5, 1))
  on.exit(par(old))
  for (code in x$code) {
    example <- family_example(code)
    d <- ncol(example$means)
    settings <- list(contours = NULL, boundaries = FALSE, legend = FALSE, sub = "", axes = FALSE,
                     main = family_label(example$covariance, d), xlab = "", ylab = "")
    if (d > 1L) {
      settings <- c(settings, list(xlim = c(-4, 10.5), ylim = c(-3.5, 11), asp = 1))
    }
    do.call(plot, c(list(example), utils::modifyList(settings, list(...))))
  }
  invisible(x)
}

# Three components of two variables (one for "E" and "V") that obey a family and no narrower one:
# Sigma_j = size_j D(angle_j) diag(ratio_j, 1 / ratio_j) D(angle_j)'.
family_example <- function(code) {
  size <- if (startsWith(code, "E")) c(1, 1, 1) else c(0.4, 1, 1.5)
  if (nchar(code) == 1L) return(gmm_params(rep(1 / 3, 3), c(0, 3, 7), size, covariance = code))
  letter <- strsplit(code, "")[[1L]]
  ratio <- switch(EXPR = letter[2L], I = c(1, 1, 1), E = c(2, 2, 2), V = c(1.2, 2, 2.6))
  degrees <- switch(EXPR = letter[3L], I = c(0, 0, 0), E = c(30, 30, 30), V = c(-30, 30, 80))
  angle <- degrees * pi / 180
  covariances <- lapply(1:3, function(j) {
    d <- matrix(c(cos(angle[j]), sin(angle[j]), -sin(angle[j]), cos(angle[j])), 2L)
    size[j] * d %*% diag(c(ratio[j], 1 / ratio[j])) %*% t(d)
  })
  gmm_params(rep(1 / 3, 3), rbind(c(x = 0, y = 0), c(7, 0), c(3.5, 6)), covariances,
             covariance = code)
}

# A name or code, as the user gives it, -> code.
resolve_covariance <- function(covariance, d, arg = "covariance") {
  codes <- if (d == 1) family_codes_1d else family_codes
  codes[[check_choice(covariance, unique(names(codes)), arg)]]
}

# The code of each name.
family_codes <- stats::setNames(rep(names(families), 2L),
                                c(vapply(families, `[[`, "", "name"), names(families)))
family_codes_1d <- c(family_codes, families_1d)

# "VVV" -> "full (VVV)"; in one dimension "full (V)".
family_label <- function(code, d = 2L) {
  name <- families[[code]]$name
  known_as <- if (d == 1L) substr(code, 1L, 1L) else code
  if (name == known_as) name else sprintf("%s (%s)", name, known_as)
}

# Free parameters of a mixture.
df_of <- function(code, d, k, equal = FALSE) {
  eval(df_formulas[[code]], list(d = as.double(d), k = as.double(k))) - equal * (k - 1)
}

# Of many at once.
df_each <- function(codes, d, k, equal = FALSE) {
  df <- double(length(codes))
  for (code in unique(codes)) df[codes == code] <- df_of(code, d, k[codes == code], equal)
  df
}

df_formulas <- lapply(families, function(f) bquote(k - 1 + k * d + .(f$parameters)))

# Works out what is known in an arithmetic expression: k * (4 * (4 + 1) / 2) -> k * 10.
fold <- function(e) {
  if (!is.call(e)) return(e)
  e[-1L] <- lapply(as.list(e)[-1L], fold)
  if (all(vapply(as.list(e)[-1L], is.numeric, NA))) eval(e, baseenv()) else e
}
