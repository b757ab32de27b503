"""scikit-learn's Gaussian mixtures from stated starts; called by sklearn.R as
sklearn_em.py INPUT OUTPUT, both JSON: the cases of cases.R; the results by case and family."""
import json
import sys
import warnings

import numpy as np
import scipy
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

TRACE_STEPS = 30
MAX_STEPS = 40000
STRETCH = 500

warnings.simplefilter("ignore", ConvergenceWarning)


def narrow(covariances, family):
    """d x d x k as R has them -> the shape that scikit-learn keeps for the family."""
    s = np.moveaxis(covariances, 2, 0)
    if family == "full":
        return s
    if family == "tied":
        return s[0]
    diagonals = np.diagonal(s, axis1=1, axis2=2)
    return diagonals.copy() if family == "diag" else diagonals[:, 0].copy()


def widen(covariances, family, d, k):
    """The inverse of narrow()."""
    if family == "full":
        s = covariances
    elif family == "tied":
        s = np.array([covariances] * k)
    elif family == "diag":
        s = np.array([np.diag(v) for v in covariances])
    else:
        s = np.array([v * np.eye(d) for v in covariances])
    return np.moveaxis(s, 0, 2)


def started(start, family, k):
    """A model whose next fit() goes on from the given parameters, without a start of its own."""
    model = GaussianMixture(
        k, covariance_type=family, tol=0, reg_covar=0, max_iter=1, warm_start=True
    )
    model.weights_ = np.array(start["proportions"])
    model.means_ = np.array(start["means"], ndmin=2)
    model.covariances_ = narrow(np.array(start["covariances"], ndmin=3), family)
    model.precisions_cholesky_ = _compute_precision_cholesky(model.covariances_, family)
    model.converged_ = False
    model.lower_bound_ = -np.inf
    return model


def parameters(model, family, d, k):
    return {
        "proportions": model.weights_.tolist(),
        "means": model.means_.tolist(),
        "covariances": widen(model.covariances_, family, d, k).tolist(),
    }


def loglik(model, x):
    return float(model.score_samples(x).sum())


def scores(model, points):
    return {
        "logdensity": model.score_samples(points).tolist(),
        "prob": model.predict_proba(points).tolist(),
    }


def converge(model, x):
    """Stretches of EM steps until no parameter moves any more."""
    steps = TRACE_STEPS
    model.set_params(max_iter=STRETCH)
    while steps < MAX_STEPS:
        before = np.concatenate([model.weights_, model.means_.ravel(), model.covariances_.ravel()])
        model.fit(x)
        steps += STRETCH
        after = np.concatenate([model.weights_, model.means_.ravel(), model.covariances_.ravel()])
        if np.all(np.abs(after - before) <= 1e-11 * np.abs(before)):
            break
    return steps


def run(case, family):
    x, points = np.array(case["x"]), np.array(case["points"])
    k = case["k"][0]
    d = x.shape[1]
    model = started(case["starts"][family], family, k)
    out = {"start": scores(model, points)}
    trace = [loglik(model, x)]
    for step in range(TRACE_STEPS):
        model.fit(x)
        trace.append(loglik(model, x))
        if step == 0:
            out["step"] = parameters(model, family, d, k)
    out["trace"] = trace
    steps = converge(model, x)
    out["converged"] = {
        **parameters(model, family, d, k),
        "loglik": loglik(model, x),
        "steps": steps,
        "bic": float(model.bic(x)),
        **scores(model, points),
    }
    return out


with open(sys.argv[1]) as f:
    cases = json.load(f)
results = {
    "version": {
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": sys.version.split()[0],
    },
    "results": {
        name: {family: run(case, family) for family in ("full", "tied", "diag", "spherical")}
        for name, case in cases.items()
    },
}
with open(sys.argv[2], "w") as f:
    json.dump(results, f)
