"""scikit-learn's BayesianGaussianMixture from stated responsibilities; called by vb.R as
vb.py INPUT OUTPUT, both JSON."""
import json
import sys

import numpy as np
import sklearn
from scipy.special import digamma, gammaln
from sklearn.mixture import BayesianGaussianMixture
from sklearn.mixture._gaussian_mixture import _compute_log_det_cholesky, _estimate_log_gaussian_prob

STEPS = 5
MAX_STEPS = 20000


class Diagonal(BayesianGaussianMixture):
    """For diag and spherical scikit-learn takes the log determinant of a full Wishart matrix; this
    one that of the diagonal model: d Gamma variables, or one. Nothing else is changed."""

    def log_spread(self):
        """Twice the derivative of log_gammas(), and d log 2."""
        d, nu = self.means_.shape[1], self.degrees_of_freedom_
        if self.covariance_type == "diag":
            return d * (digamma(nu / 2) + np.log(2))
        return d * (digamma(d * nu / 2) + np.log(2 / d))

    def log_gammas(self):
        d, nu = self.means_.shape[1], self.degrees_of_freedom_
        if self.covariance_type == "diag":
            return d * gammaln(nu / 2)
        return gammaln(d * nu / 2) - d * nu / 2 * np.log(d)

    def _estimate_log_prob(self, X):
        d = X.shape[1]
        log_gauss = _estimate_log_gaussian_prob(
            X, self.means_, self.precisions_cholesky_, self.covariance_type
        ) - 0.5 * d * np.log(self.degrees_of_freedom_)
        return log_gauss + 0.5 * (self.log_spread() - d / self.mean_precision_)

    def _compute_lower_bound(self, log_resp, log_prob_norm):
        d, nu = self.means_.shape[1], self.degrees_of_freedom_
        plain = super()._compute_lower_bound(log_resp, log_prob_norm)
        wishart = np.sum(gammaln(0.5 * (nu - np.arange(d)[:, np.newaxis])), 0)
        # its log norm is minus these, and is subtracted
        return plain - np.sum(wishart) + np.sum(self.log_gammas())


def model_of(case, shape, weights, cls):
    scale = np.array(case["scale"], ndmin=2)
    narrow = {
        "full": scale,
        "tied": scale,
        "diag": np.diag(scale).copy(),
        "spherical": float(np.mean(np.diag(scale))),
    }[shape]
    model = cls(
        n_components=len(case["resp"][0][0]),
        covariance_type=shape,
        weight_concentration_prior_type=weights,
        weight_concentration_prior=case["alpha"][0],
        mean_precision_prior=case["kappa"][0],
        mean_prior=np.array(case["mean"]),
        degrees_of_freedom_prior=case["df"][0],
        covariance_prior=narrow,
        reg_covar=0,
    )
    return model


def state(model, x):
    model._set_parameters(model._get_parameters())  # sets weights_
    c = model.weight_concentration_
    norm, log_resp = model._e_step(x)
    return {
        "concentration": np.transpose(c).tolist(),
        "kappa": model.mean_precision_.tolist(),
        "means": model.means_.tolist(),
        "df": np.atleast_1d(model.degrees_of_freedom_).tolist(),
        "covariances": np.atleast_1d(model.covariances_).tolist(),
        "weights": model.weights_.tolist(),
        "resp": np.exp(log_resp)[:10].tolist(),
    }


def run(case, shape, weights, resp, cls):
    x = np.array(case["x"])
    model = model_of(case, shape, weights, cls)
    (getattr(model, "_check_parameters", None) or model._check_initial_parameters)(x)
    model._initialize(x, np.array(resp))
    out = {"first": state(model, x), "component": model._estimate_weighted_log_prob(x[:5]).tolist()}
    bounds, last = [], -np.inf
    for step in range(1, MAX_STEPS + 1):
        norm, log_resp = model._e_step(x)
        model._m_step(x, log_resp)
        bound = float(model._compute_lower_bound(log_resp, norm))
        bounds.append(bound)
        if step == STEPS:
            out["steps"] = state(model, x)
        if step > STEPS and abs(bound - last) <= 1e-13 * abs(bound) and step % 500 == 0:
            break
        last = bound
    out["converged"] = state(model, x)
    out["bounds"] = bounds[:STEPS]
    out["bound"] = bounds[-1]
    return out


with open(sys.argv[1]) as f:
    cases = json.load(f)
priors = {"dirichlet": "dirichlet_distribution", "stick": "dirichlet_process"}
results = {"version": {"scikit-learn": sklearn.__version__, "numpy": np.__version__}, "results": {}}
for name, case in cases.items():
    for shape in ("full", "tied", "diag", "spherical"):
        same = shape in ("full", "tied") or len(case["x"][0]) == 1
        for weights, kind in priors.items():
            key = " ".join((name, shape, weights))
            cls = BayesianGaussianMixture if same else Diagonal
            results["results"][key] = [run(case, shape, kind, r, cls) for r in case["resp"]]
            if not same:
                plain = run(case, shape, kind, case["resp"][0], BayesianGaussianMixture)
                results["results"][key][0]["plain"] = {k: plain[k] for k in ("first", "component")}
with open(sys.argv[2], "w") as f:
    json.dump(results, f)
