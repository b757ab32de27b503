"""Times scikit-learn; called by run.R. Prints lines of the form "key: value".

peer_sklearn.py iterations FOLDER NAME A B   one EM iteration: fits of A and of B iterations from
    the same start (means of NAME.mu0, equal proportions, identity covariances), time difference /
    (B - A), with the data laid out by rows and by columns
peer_sklearn.py default FILE REPEATS         GaussianMixture(3, n_init=10) on a CSV file
"""
import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info

warnings.simplefilter("ignore", ConvergenceWarning)


def seconds(f):
    begin = time.perf_counter()
    f()
    return time.perf_counter() - begin


def started(means, max_iter):
    """A model whose next fit() goes on from the given parameters, without a start of its own."""
    k, d = means.shape
    model = GaussianMixture(k, tol=0, reg_covar=0, max_iter=max_iter, warm_start=True)
    model.weights_ = np.full(k, 1 / k)
    model.means_ = means.copy()
    model.covariances_ = np.array([np.eye(d)] * k)
    model.precisions_cholesky_ = model.covariances_.copy()
    model.converged_ = False
    model.lower_bound_ = -np.inf
    return model


def time_iteration(x, means, a, b):
    started(means, 1).fit(x)
    short, long = started(means, a), started(means, b)
    spent = -seconds(lambda: short.fit(x)) + seconds(lambda: long.fit(x))
    return 1000 * spent / (b - a), long.score(x) * len(x)


def time_layouts(folder, name, a, b):
    with open(f"{folder}/{name}.dim") as f:
        n, d, k = (int(v) for v in f.read().split())
    columns = np.fromfile(f"{folder}/{name}.x").reshape(d, n).T
    means = np.fromfile(f"{folder}/{name}.mu0").reshape(k, d)
    by_columns, _ = time_iteration(columns, means, a, b)
    by_rows, loglik = time_iteration(np.ascontiguousarray(columns), means, a, b)
    return {"by_rows": by_rows, "by_columns": by_columns, "loglik": loglik}


def time_default(file, repeats):
    x = np.loadtxt(file, delimiter=",", skiprows=1)
    fits = [GaussianMixture(3, n_init=10, random_state=seed) for seed in range(repeats + 1)]
    times = [1000 * seconds(lambda: fit.fit(x)) for fit in fits][1:]
    logliks = [fit.score(x) * len(x) for fit in fits[1:]]
    return {"ms": " ".join(map(repr, times)), "loglik": repr(min(logliks))}


if sys.argv[1] == "iterations":
    out = time_layouts(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
else:
    out = time_default(sys.argv[2], int(sys.argv[3]))
blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
out["version"] = sklearn.__version__
out["blas"] = "{internal_api} {version} {architecture}".format(**blas[0]) if blas else "unknown"
for key, value in out.items():
    print(f"{key}: {value}")
