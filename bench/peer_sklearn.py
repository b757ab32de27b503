"""Times scikit-learn; called by the parts of the benchmark. Prints lines of the form "key: value".

peer_sklearn.py iterations FOLDER NAME SHAPE A B   one EM iteration: fits of A and of B iterations
    from the same start (means of NAME.mu0, equal proportions, identity covariances), time
    difference / (B - A), with the data laid out by rows and by columns
peer_sklearn.py fit FOLDER NAME SEED          GaussianMixture(k, n_init=10), as a user calls it
peer_sklearn.py density FOLDER NAME REPEATS   score_samples() of all rows after two iterations
peer_sklearn.py sample FOLDER NAME COUNT REPEATS   draws from the same mixture
peer_sklearn.py default FILE K REPEATS        GaussianMixture(K, n_init=10) on a CSV file
peer_sklearn.py dgemm                         GF/s of a product of matrices
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


def milliseconds(f, repeats):
    f()
    return " ".join(repr(1000 * seconds(f)) for _ in range(int(repeats)))


def read(folder, name):
    with open(f"{folder}/{name}.dim") as f:
        n, d, k = (int(v) for v in f.read().split())
    columns = np.fromfile(f"{folder}/{name}.x").reshape(d, n).T
    return columns, np.fromfile(f"{folder}/{name}.mu0").reshape(k, d)


def started(means, max_iter, shape="full"):
    """A model whose next fit() goes on from the given parameters, without a start of its own."""
    k, d = means.shape
    model = GaussianMixture(
        k, covariance_type=shape, tol=0, reg_covar=0, max_iter=max_iter, warm_start=True
    )
    model.weights_ = np.full(k, 1 / k)
    model.means_ = means.copy()
    model.covariances_ = np.array([np.eye(d) if shape == "full" else np.ones(d)] * k)
    model.precisions_cholesky_ = model.covariances_.copy()
    model.converged_ = False
    model.lower_bound_ = -np.inf
    return model


def time_iteration(x, means, shape, a, b):
    started(means, 1, shape).fit(x)
    short, long = started(means, a, shape), started(means, b, shape)
    spent = -seconds(lambda: short.fit(x)) + seconds(lambda: long.fit(x))
    return 1000 * spent / (b - a), long.score(x) * len(x)


def iterations(folder, name, shape, a, b):
    columns, means = read(folder, name)
    by_columns, _ = time_iteration(columns, means, shape, int(a), int(b))
    rows = np.ascontiguousarray(columns)
    by_rows, loglik = time_iteration(rows, means, shape, int(a), int(b))
    return {"by_rows": by_rows, "by_columns": by_columns, "loglik": loglik}


def fit(folder, name, seed):
    columns, means = read(folder, name)
    x = np.ascontiguousarray(columns)
    model = GaussianMixture(len(means), n_init=10, random_state=int(seed))
    spent = seconds(lambda: model.fit(x))
    return {"s": spent, "loglik": repr(model.score(x))}


def after_two(folder, name):
    columns, means = read(folder, name)
    x = np.ascontiguousarray(columns)
    return x, started(means, 2).fit(x)


def density(folder, name, repeats):
    x, model = after_two(folder, name)
    ms = milliseconds(lambda: model.score_samples(x), repeats)
    return {"ms": ms, "loglik": repr(model.score(x) * len(x))}


def sample(folder, name, count, repeats):
    _, model = after_two(folder, name)
    return {"ms": milliseconds(lambda: model.sample(int(count)), repeats)}


def default(file, k, repeats):
    x = np.loadtxt(file, delimiter=",", skiprows=1)
    fits = [GaussianMixture(int(k), n_init=10, random_state=i) for i in range(int(repeats) + 1)]
    times = [1000 * seconds(lambda: fit.fit(x)) for fit in fits][1:]
    logliks = [fit.score(x) * len(x) for fit in fits[1:]]
    return {"ms": " ".join(map(repr, times)), "loglik": repr(min(logliks))}


def dgemm(size=2000):
    a = np.random.default_rng(1).normal(size=(size, size))
    a @ a
    return {"gflops": 2e-9 * size**3 / np.median([seconds(lambda: a @ a) for _ in range(5)])}


out = globals()[sys.argv[1]](*sys.argv[2:])
blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
kind = "{internal_api} {version} {architecture}".format(**blas[0]) if blas else "unknown BLAS"
out["version"] = f"scikit-learn {sklearn.__version__} ({kind})"
for key, value in out.items():
    print(f"{key}: {value}")
