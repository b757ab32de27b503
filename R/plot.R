#' Plot a Gaussian mixture
#'
#' Five pictures of a mixture, and of the fit that led to it.
#'
#' * `"classification"`. One variable: a histogram of the rows, the density of the mixture (black)
#'   and each component's part of it (coloured), and the rows as a rug. Two variables: the rows by
#'   the component that they most likely come from, each with a colour and a symbol; the components'
#'   means and ellipses; contours of the mixture's density; dashed, the boundaries between the
#'   components, where the two most probable ones have equal posterior probabilities. Rows that
#'   `trim` left out are grey crosses.
#' * `"density"`. The density of the mixture alone: as a curve, or as shaded regions.
#' * `"uncertainty"`. The rows, the larger and darker the more uncertain: one minus the largest
#'   posterior probability. The scale ends at 0.5. One variable: uncertainty against the variable.
#' * `"trace"`. What EM raised, by iteration, and on a log scale what was left to gain up to the
#'   value at the end: a straight line is the steady pace at which EM ends.
#' * `"starts"`. What each start reached, the highest first, with the number of the start below; the
#'   one that was kept has a ring, and a dashed line is at what the fit reached, which may be more
#'   than all starts did (see the wide search in [gmm_control()]). Starts with a spurious component
#'   are kept only if all have one. Those that had only a short run, did not converge, or failed (at
#'   the lower edge) have symbols of their own.
#'
#' Of more than two variables, the first three draw a matrix of panels, one variable plots on its
#' diagonal. What is drawn of fewer variables than the mixture has is the marginal mixture, exactly;
#' class and uncertainty of the rows are by all variables, so that boundaries among some of them
#' don't separate the classes and are drawn on request only.
#'
#' Each contour is the edge of the smallest region that holds the stated share of the mixture's
#' probability; an ellipse holds it of its component's. A mixture without data, by [gmm_params()] or
#' where `gmm_control(keep = FALSE)` dropped them, is drawn without rows, as far as three standard
#' deviations from the means.
#'
#' @param x A fit by [gmm()], or a mixture by [gmm_params()].
#' @param what What to draw, see above.
#' @param dims Names or numbers of the variables to draw. By default all, but at most the first
#'   four.
#' @param ... Graphical parameters: `xlim`, `ylim`, `xlab`, `ylab` (where one panel is drawn),
#'   `asp`, `las`, `bty`, `family`, `tck`, `tcl`, `mgp`, `axes`, `ann`, and `cex.`, `col.` and
#'   `font.` with `axis`, `lab` and `main`; see [graphics::par()].
#' @param ellipses,contours Shares of the probability that the ellipses and the contours enclose,
#'   between 0 and 1; `NULL` for none. Ellipses are for `"classification"`, contours for `"density"`
#'   too.
#' @param boundaries `TRUE` or `FALSE`: draw the boundaries? By default where two variables are all
#'   that the mixture has. Those of two variables of more are of the marginal mixture.
#' @param max_rows The number of rows drawn at most. Of more, equally spaced ones are drawn, and the
#'   line below the picture says so; rows that lack a variable drawn are left out, which it says
#'   too. The histogram counts all others.
#' @param legend `TRUE` or `FALSE`: explain colours and symbols above the picture, where they mean
#'   something?
#' @param col,pch Colours and symbols of the components, recycled. By default the palette of Okabe
#'   and Ito, which most colour-blind people can tell apart.
#' @param main,sub Title and the line below the picture; `""` for none.
#' @return `x`, invisibly.
#' @section Errors:
#' `gaussmix_error_argument` for variables that the mixture doesn't have, shares that are not
#' between 0 and 1, and graphical parameters that are not in the list above;
#' `gaussmix_error_data` for `"uncertainty"` where the object holds no rows, and for `"trace"` and
#' `"starts"` of a mixture by [gmm_params()].
#' @references Okabe, M. and Ito, K. (2008) *Color universal design: how to make figures and
#'   presentations that are friendly to colorblind people.*
#'
#'   Hyndman, R. J. (1996) Computing and graphing highest density regions. *The American
#'   Statistician* 50, 120-126. \doi{10.1080/00031305.1996.10474359}
#' @seealso [predict.gaussmix()] for what is drawn, as numbers.
#' @examples
#' fit <- gmm(faithful, k = 2)
#' plot(fit)
#' plot(fit, dims = "waiting", main = "Old Faithful", xlab = "minutes to the next eruption")
#' plot(fit, "density")
#' plot(fit, "trace")
#' plot(gmm(faithful, k = 4), "starts")
#' flowers <- gmm(iris[1:4], k = 3)
#' plot(flowers)
#' plot(flowers, "uncertainty", dims = 1:2)
#' @importFrom graphics .filled.contour axis box contour legend lines mtext par plot.new points rect
#' @importFrom graphics rug strheight strwidth text title xinch yinch
#' @importFrom grDevices adjustcolor contourLines extendrange
#' @export
plot.gaussmix <- function(x, what = c("classification", "density", "uncertainty", "trace",
                                      "starts"),
                          dims = NULL, ..., ellipses = 0.95, contours = c(0.25, 0.5, 0.75),
                          boundaries = NULL, max_rows = 10000, legend = TRUE, col = NULL,
                          pch = NULL, main = NULL, sub = NULL) {
  validate_gmm(x)
  what <- check_choice(what, eval(formals(plot.gaussmix)$what))
  check_graphical(...names())
  if (what %in% c("trace", "starts")) {
    need_fit(x, sprintf("plot(what = \"%s\")", what))
    draw <- switch(what, trace = draw_trace, starts = draw_starts)
    draw(x, check_flag(legend), main, sub, ...)
    return(invisible(x))
  }
  if (what == "uncertainty") need_rows(x, "plot(what = \"uncertainty\")")
  dims <- plot_dims(x, dims)
  if (is.null(boundaries)) boundaries <- ncol(x$means) == 2L
  drawn <- used_components(x)
  view <- plot_view(drawn, what, ellipses, contours, boundaries, max_rows, legend, col, pch, dims)
  draw_mixture(drawn, dims, view, main, sub, ...)
  invisible(x)
}

# What the panels of a picture share. Other pictures are built upon those of a mixture by layers:
# `view$fill`, `view$lines` and `view$marks`, functions of the variables of a panel. They draw below
# the rows; above these and below means and ellipses; and above all.
plot_view <- function(x, what, ellipses, contours, boundaries, max_rows, legend, col, pch,
                      dims = seq_len(ncol(x$means))) {
  check_shares(ellipses)
  check_shares(contours)
  max_rows <- check_whole(max_rows, min = 0)
  list(what = what, rows = plot_rows(x, max_rows, dims = dims),
       ellipses = if (what == "classification") ellipses,
       contours = if (what != "uncertainty") contours,
       boundaries = check_flag(boundaries) && what != "density" && x$k > 1L,
       legend = check_flag(legend),
       style = component_style(x$k, col, pch, !is.null(x$noise) || !is.null(x$trimmed)),
       lwd = 2, headroom = 1.06) # the height of a panel in units of its curves' height
}

check_shares <- function(x, arg = deparse1(substitute(x))) {
  if (is.null(x)) return()
  if (!is.numeric(x) || anyNA(x) || any(x <= 0 | x >= 1)) {
    gmm_abort("argument", must_be(arg, "numbers between 0 and 1", x))
  }
}

# The names in `...` of a method of plot() must be those of graphical parameters, but not of those
# that it has no use for.
check_graphical <- function(names, but = character()) {
  ours <- setdiff(names(formals(sys.function(sys.parent()))), "...")
  of_text <- outer(c("cex", "col", "font"), c("axis", "lab", "main"), paste, sep = ".")
  known <- c("xlim", "ylim", "xlab", "ylab", "asp", "las", "bty", "family", "tck", "tcl", "mgp",
             "axes", "ann", of_text)
  known <- setdiff(known, but)
  unknown <- setdiff(names, known)
  if (length(unknown)) {
    gmm_abort("argument", sprintf("%s is not an argument of plot().", backtick(unknown[1L])),
              did_you_mean(unknown[1L], c(known, ours), backtick))
  }
}

# ---- words -----------------------------------------------------------------------------

plot_title <- function(x) {
  sprintf("%s%s, %s", plural(x$k, "component"), if (is.null(x$noise)) "" else " and noise",
          family_label(x$covariance, ncol(x$means)))
}

# What is drawn, and what lines mean.
plot_note <- function(x, dims, view) {
  rows <- view$rows
  parts <- c(
    rows_note(rows),
    if (length(dims) > 2L && length(dims) < ncol(x$means)) {
      sprintf("%d of %d variables", length(dims), ncol(x$means))
    },
    if (length(dims) > 1L) {
      c(if (length(view$ellipses)) {
        sprintf("ellipses hold %s of a component", shares_text(view$ellipses))
      },
      if (length(view$contours)) {
        sprintf("%s %s%s of the mixture",
                if (view$what == "density") "shades" else "contours",
                if (length(view$ellipses)) "" else "hold ", shares_text(view$contours))
      },
      if (view$boundaries) "dashed: equal posteriors")
    }
  )
  paste(parts, collapse = "; ")
}

rows_note <- function(rows) {
  drawn <- NROW(rows$shown)
  c(if (rows$n > drawn) sprintf("%s of %s rows shown", count_text(drawn), count_text(rows$n)),
    if (rows$n > 0 && isTRUE(rows$lost > 0)) {
      sprintf("%s with missing values not shown", plural(rows$lost, "row"))
    })
}

# "25, 50 and 95 %"
shares_text <- function(shares) paste(and_text(number_text(sort(100 * shares))), "%")
