"""Simulated data of the four workloads: python3 workloads.py FOLDER [NAME ...]

Writes NAME.x (n x d doubles, column-major), NAME.mu0 (starting means, k x d doubles by rows) and
NAME.dim (n d k). All come in turn from one stream, so that a name always means the same data."""
import os
import sys

import numpy as np

# name: n, d, k, standard deviation of the means
WORKLOADS = {
    "P1": (1000000, 2, 3, 2.0),
    "P2": (100000, 10, 10, 1.2),
    "P3": (100000, 50, 10, 0.6),
    "P4": (20000, 200, 5, 0.4),
}


def simulate(rng, n, d, k, spread):
    means = rng.normal(0, spread, (k, d))
    proportions = rng.dirichlet(np.full(k, 8.0))
    factors = [
        np.tril(rng.normal(0, 0.5 / np.sqrt(d), (d, d)), -1) + np.diag(rng.uniform(0.6, 1.4, d))
        for _ in range(k)
    ]
    z = rng.choice(k, n, p=proportions)
    x = np.empty((n, d))
    for j in range(k):
        rows = z == j
        x[rows] = rng.normal(size=(rows.sum(), d)) @ factors[j].T + means[j]
    return x, means + rng.normal(0, 0.3, (k, d))


def main(folder, names):
    rng = np.random.default_rng(7)
    for name, (n, d, k, spread) in WORKLOADS.items():
        x, start = simulate(rng, n, d, k, spread)
        if names and name not in names:
            continue
        path = os.path.join(folder, name)
        np.ascontiguousarray(x.T).tofile(path + ".x")
        start.tofile(path + ".mu0")
        with open(path + ".dim", "w") as f:
            f.write(f"{n} {d} {k}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
