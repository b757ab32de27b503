# Gaussian mixtures of scikit-learn as JSON: its attributes as they are, and what it says about the rows.
# Reads rows as JSON from standard input; called by convert.R.
import json
import sys

import numpy as np
import sklearn
from sklearn.mixture import GaussianMixture

x = np.array(json.load(sys.stdin))
out = {"version": sklearn.__version__}
for covariance_type in ["full", "tied", "diag", "spherical"]:
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=1, n_init=3, tol=1e-6).fit(x)
    out[covariance_type] = {
        "attributes": {
            "weights_": gm.weights_.tolist(),
            "means_": gm.means_.tolist(),
            "covariances_": gm.covariances_.tolist(),
            "precisions_cholesky_": gm.precisions_cholesky_.tolist(),
            "covariance_type": covariance_type,
        },
        "score_samples": gm.score_samples(x).tolist(),
        "predict_proba": gm.predict_proba(x[:20]).tolist(),
        "bic": gm.bic(x),
    }
json.dump(out, sys.stdout)
