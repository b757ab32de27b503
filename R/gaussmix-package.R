#' gaussmix: Gaussian mixture models
#'
#' A Gaussian mixture says that each row of the data comes from one of `k` groups, each group a
#' multivariate normal distribution with a proportion, a mean and a covariance of its own. gaussmix
#' fits such mixtures by maximum likelihood and puts the fit to use:
#'
#' * fit: [gmm()], tuned by [gmm_control()]; the shapes of covariance are in [gmm_families()]. It
#'   takes case weights, known labels, missing values, fixed parameters, trimming, a noise component
#'   and a prior ([gmm_prior()]). [gmm_vb()] is variational Bayes.
#' * choose: [gmm_select()] compares numbers of components and shapes, [gmm_best()] gives the fit;
#'   [gmm_criteria()] compares fits that are there, [gmm_lrt()] tests the number of components,
#'   [gmm_merge()] joins components that are one cluster.
#' * build without data: [gmm_params()]; from other packages [as_gmm()], from a file
#'   [gmm_from_json()]; back by [as_mclust()], [as_sklearn()], [gmm_to_json()].
#' * use: `predict()` assigns rows to groups, hard or soft; [dgmm()], [pgmm()] and [qgmm()] give
#'   densities, probabilities and quantiles; [rgmm()] and `simulate()` draw; [gmm_marginal()] and
#'   [gmm_conditional()] take the mixture apart, and `predict(type = "conditional")` is mixture
#'   regression.
#' * classify: [gmm_da()] learns from rows of known classes.
#' * flag: [gmm_anomaly()] finds the odd rows, with p-values; [gmm_region()] and [gmm_hdr()] give
#'   regions and their probability, drawn.
#' * judge: `logLik()`, `AIC()`, `BIC()` (lower is better), `vcov()`, `confint()`, `plot()`;
#'   [gmm_boot()] and [profile()][profile.gaussmix] for intervals without large-sample theory;
#'   [gmm_report()] for a page about a fit.
#' * go on: [update()][update.gaussmix] with further rows, [gmm_combine()] joins fits of parts.
#' * beyond memory: [gmm_source()] takes rows in chunks, [gmm_dbi()] those of a database,
#'   [gmm_cluster()] those on other machines; [gmm_sql()] writes scores as SQL.
#' * teach: [gmm_likelihood()] shows density and likelihood as two cuts through one function.
#'
#' The engine is plain C. It uses the vector instructions that the processor has, at most two
#' threads unless told otherwise, and gives the same bits for any number of threads.
#' `demo("gaussmix")` shows most of it at work.
#'
#' @examples
#' fit <- gmm(faithful, k = 2)
#' fit
#' table(predict(fit))
#' @keywords internal
#' @importFrom stats AIC BIC case.names coef confint deviance fitted formula logLik model.frame
#'   model.matrix na.fail nobs predict residuals simulate terms update variable.names vcov weights
#' @useDynLib gaussmix, .registration = TRUE
"_PACKAGE"

.onUnload <- function(libpath) {
  library.dynam.unload("gaussmix", libpath)
}
