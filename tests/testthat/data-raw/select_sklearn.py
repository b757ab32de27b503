"""scikit-learn's Gaussian mixtures over numbers of components and shapes of covariance; called by
select.R as select_sklearn.py INPUT OUTPUT, both JSON: data sets by name; a list of fits."""
import json
import sys
import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

warnings.simplefilter("ignore", ConvergenceWarning)


def full_covariances(model, d, k):
    """k x d x d"""
    s, family = model.covariances_, model.covariance_type
    if family == "full":
        return s
    if family == "tied":
        return np.array([s] * k)
    return np.array([np.diag(np.broadcast_to(v, d)) for v in s])


def fit(name, x, family, k):
    model = GaussianMixture(
        k, covariance_type=family, n_init=10, tol=1e-8, max_iter=2000, random_state=0
    ).fit(x)
    return {
        "case": name,
        "covariance": family,
        "k": k,
        "loglik": float(model.score_samples(x).sum()),
        "BIC": float(model.bic(x)),
        "proportions": model.weights_.tolist(),
        "means": model.means_.tolist(),
        "covariances": full_covariances(model, x.shape[1], k).tolist(),
    }


with open(sys.argv[1]) as f:
    data = {name: np.array(x) for name, x in json.load(f).items()}
families = ("full", "tied", "diag", "spherical")
fits = [
    fit(name, x, family, k) for name, x in data.items() for family in families for k in range(1, 11)
]
with open(sys.argv[2], "w") as f:
    json.dump({"version": sklearn.__version__, "fits": fits}, f)
