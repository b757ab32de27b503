"""Log densities of Gaussian mixtures to 400 digits, rounded to double; called by logdensity.R as
logdensity.py OUTPUT (JSON). A double is an exact rational, so the references belong to the very
parameters and points that are written out.

Each case holds proportions (k), means (k x d), covariances (d x d x k) or, where d is large, their
integer Cholesky factors, points (m x d) and
  component   m x k  log(proportion_j * density_j(x_i))
  largest     m x k  the largest absolute value among the four terms of that sum
  logdensity  m      log of the row sums of exp(component)
  prob        m x k  posterior probabilities
  tolerance          relative to `largest`: 1e-12, or what the condition number allows where more
"""
import json
import sys

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.dps = 400
rng = np.random.default_rng(11)


def solve_lower(factor, y):
    out = []
    for a, row in enumerate(factor):
        out.append((y[a] - sum(row[b] * out[b] for b in range(a) if row[b])) / row[a])
    return out


def score(case, factors):
    half_log_2pi = mpmath.log(2 * mp.pi) / 2
    component, largest, logdensity, prob = [], [], [], []
    for x in case["points"]:
        values, scales = [], []
        for p, mean, factor in zip(case["proportions"], case["means"], factors):
            z = solve_lower(factor, [mpf(a) - mpf(b) for a, b in zip(x, mean)])
            terms = [
                mpmath.log(mpf(p)),
                -len(x) * half_log_2pi,
                -sum(mpmath.log(factor[a][a]) for a in range(len(x))),
                -sum(v * v for v in z) / 2,
            ]
            values.append(sum(terms))
            scales.append(float(max(abs(t) for t in terms)))
        total = mpmath.log(sum(mpmath.exp(v) for v in values))
        component.append([float(v) for v in values])
        largest.append(scales)
        logdensity.append(float(total))
        prob.append([float(mpmath.exp(v - total)) for v in values])
    return {"component": component, "largest": largest, "logdensity": logdensity, "prob": prob}


def finish(proportions, means, covariances, points, covariance="full", tolerance=1e-12):
    """covariances: k x d x d."""
    s = np.asarray(covariances, dtype=float)
    case = {
        "covariance": covariance,
        "proportions": [float(p) for p in proportions],
        "means": np.asarray(means, dtype=float).tolist(),
        "covariances": np.moveaxis(s, 0, 2).tolist(),
        "points": np.asarray(points, dtype=float).tolist(),
        "tolerance": tolerance,
    }
    factors = [mp.cholesky(mpmath.matrix(m.tolist())).tolist() for m in s]
    return {**case, **score(case, factors)}


def symmetric(m):
    return (m + m.T) / 2


def random_covariance(d):
    a = rng.normal(size=(d, d))
    return symmetric(a @ a.T / d + 0.2 * np.eye(d))


def points_around(means, sds):
    """Near the means, and 10, 1e3 and 1e6 standard deviations away."""
    means = np.asarray(means)
    near = means[rng.integers(len(means), size=4)] + rng.normal(size=(4, means.shape[1])) * sds
    far = [means[0] + t * sds * rng.choice([-1, 1], means.shape[1]) for t in (10, 1e3, 1e6)]
    return np.vstack([near, far, [means[-1] - 1e6 * sds]])


def random_case(d, k, covariance="full"):
    s = np.array([random_covariance(d) for _ in range(k)])
    if covariance == "tied":
        s[:] = s[0]
    elif covariance == "diag":
        s *= np.eye(d)
    elif covariance == "spherical":
        s = s[:, :1, :1] * np.eye(d)
    p = rng.dirichlet(np.full(k, 5.0))
    means = rng.normal(0, 2, (k, d))
    return finish(p, means, s, points_around(means, np.ones(d)), covariance)


def scaled_case():
    sds = np.array([1e-6, 1.0, 1e6])
    s = np.array([random_covariance(3) * np.outer(sds, sds) for _ in range(2)])
    means = rng.normal(0, 2, (2, 3)) * sds
    return finish([0.3, 0.7], means, [symmetric(m) for m in s], points_around(means, sds))


def offset_case():
    case = random_case(2, 3)
    shift = 1e8
    return finish(
        case["proportions"],
        np.array(case["means"]) + shift,
        np.moveaxis(np.array(case["covariances"]), 2, 0),
        np.array(case["points"]) + shift,
    )


def rare_case():
    """A component of proportion 1e-200 that still rules where the other is far away."""
    points = [[0], [50], [99], [100], [1e6]]
    return finish([1.0, 1e-200], [[0.0], [100.0]], [[[1.0]], [[4.0]]], points)


def near_singular_case(d):
    """Condition 1e12: the answer can't be better than about condition times machine precision."""
    if d == 2:
        s = np.array([[1, 1 - 2.0**-40], [1 - 2.0**-40, 1]])
    else:
        q = np.linalg.qr(rng.normal(size=(d, d)))[0]
        s = symmetric(q @ np.diag(np.logspace(-12, 0, d)) @ q.T)
    means = np.vstack([np.zeros(d), np.full(d, 0.5)])
    close = 1e-6 * rng.normal(size=(3, d))
    points = np.vstack([np.full(d, 0.25), close, np.full(d, 1e3), rng.normal(size=(2, d))])
    tolerance = float(np.linalg.cond(s) * np.finfo(float).eps)
    return finish([0.5, 0.5], means, [s, s], points, "tied", tolerance)


def wide_case(d, k):
    """Integer Cholesky factors: their products are exact in double, and so need not be stored."""
    factors = [
        np.tril(rng.integers(-1, 2, (d, d)), -1) + np.diag(rng.integers(25, 36, d))
        for _ in range(k)
    ]
    means = rng.integers(-20, 21, (k, d))
    near = means[0] + rng.integers(-30, 31, (3, d))
    far = means[1] + 1000000 * rng.integers(-30, 31, (1, d))
    points = np.vstack([means, near, far])
    case = {
        "covariance": "full",
        "proportions": [1 / 4, 3 / 4],
        "means": means.tolist(),
        "factors": np.moveaxis(np.array(factors), 0, 2).tolist(),
        "points": points.tolist(),
        "tolerance": 1e-12,
    }
    mp.dps = 50
    exact = [[[mpf(int(v)) for v in row] for row in f] for f in factors]
    return {**case, **score(case, exact)}


cases = {f"random_{d}": random_case(d, 2 + d % 2) for d in range(1, 6)}
cases |= {covariance: random_case(3, 3, covariance) for covariance in ("tied", "diag", "spherical")}
cases["many"] = random_case(2, 30)
cases["scaled"] = scaled_case()
cases["offset"] = offset_case()
cases["rare"] = rare_case()
cases["near_singular_2"] = near_singular_case(2)
cases["near_singular_3"] = near_singular_case(3)
cases["wide"] = wide_case(500, 2)
version = {"mpmath": mpmath.__version__, "numpy": np.__version__}
with open(sys.argv[1], "w") as f:
    json.dump({"version": version, "results": cases}, f)
