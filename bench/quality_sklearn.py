"""scikit-learn on the cases of quality.R, which calls this with a folder of data.

Three lines a case: proportions, means and full covariances of n_init=10, tol=1e-6; the same of
n_init=10 with its default tol; seconds of the latter.
"""
import os
import sys
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

warnings.simplefilter("ignore", ConvergenceWarning)


def covariances(model, d):
    c = model.covariances_
    k = model.n_components
    if model.covariance_type == "full":
        return c
    if model.covariance_type == "tied":
        return np.broadcast_to(c, (k, d, d))
    if model.covariance_type == "diag":
        return np.array([np.diag(v) for v in c])
    return np.array([v * np.eye(d) for v in c])


def show(model, d):
    parts = [model.weights_, model.means_, covariances(model, d)]
    print(*(repr(float(v)) for part in parts for v in np.ravel(part)))


folder = sys.argv[1]
data = {}
with open(os.path.join(folder, "cases")) as lines:
    for line in lines:
        name, shape, k = line.split()
        if name not in data:
            data[name] = np.loadtxt(os.path.join(folder, name + ".csv"), delimiter=",", ndmin=2)
        x = data[name]
        show(GaussianMixture(int(k), covariance_type=shape, n_init=10, tol=1e-6, max_iter=2000,
                             random_state=1).fit(x), x.shape[1])
        begin = time.perf_counter()
        model = GaussianMixture(int(k), covariance_type=shape, n_init=10, random_state=1).fit(x)
        seconds = time.perf_counter() - begin
        show(model, x.shape[1])
        print(seconds)
