"""Coefficients of the vector functions of src/core/kernel_math.h, and their errors.

For each function the polynomial p of the given degree whose largest |weight(t) (p(t) - f(t))|
over [lo, hi] is least, by Remez exchange in 60 digits. Needs mpmath."""
from mpmath import mp, mpf, cos, exp, expm1, findroot, linspace, log, lu_solve, matrix, pi, polyval, sin, sqrt

mp.dps = 60


def remez(f, weight, lo, hi, degree, rounds=12):
    n = degree + 2
    nodes = [(lo + hi) / 2 - (hi - lo) / 2 * cos(pi * i / (n - 1)) for i in range(n)]
    for _ in range(rounds):
        a = matrix(n, n)
        b = matrix(n, 1)
        for i, t in enumerate(nodes):
            for j in range(degree + 1):
                a[i, j] = t**j
            a[i, degree + 1] = (-1) ** i / weight(t)
            b[i] = f(t)
        c = lu_solve(a, b)
        p = [c[j] for j in range(degree, -1, -1)]
        error = lambda t: weight(t) * (polyval(p, t) - f(t))
        grid = list(linspace(lo, hi, 200 * n))
        value = [error(t) for t in grid]
        nodes = []
        best = 0
        for i in range(len(grid)):  # the largest error between two changes of sign
            if i and value[i] * value[i - 1] < 0:
                nodes.append(grid[best])
                best = i
            elif abs(value[i]) > abs(value[best]):
                best = i
        nodes.append(grid[best])
        if len(nodes) != n:
            raise ValueError(f"{len(nodes)} extremes, not {n}")
    return p[::-1], max(abs(v) for v in value)


def show(name, f, weight, lo, hi, degree):
    c, error = remez(f, weight, mpf(lo), mpf(hi), degree)
    print(f"{name}: error {mp.nstr(error, 3)}")
    for j, v in enumerate(c):
        print(f"  {j}: {float(v)!r}")


tiny = mpf(10) ** -20
edge = log(2) / 2 * mpf("1.0001")
# exp(r) = 1 + r + r^2 q(r): relative error of the whole
show("exp", lambda r: (expm1(r) - r) / r**2 if abs(r) > 1e-15 else mpf(1) / 2 + r / 6,
     lambda r: (r**2 + tiny) / exp(r), -edge, edge, 9)
# log(1 + f) = s (2 + z q(z)), s = f / (2 + f), z = s^2: relative to the whole
show("log", lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z if z > 1e-20 else mpf(2) / 3,
     lambda z: (z + tiny) / 2, 0, ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2 * mpf("1.0001"), 6)
# sin(pi f / 2) = f (pi / 2 + g q(g)), cos(pi f / 2) = 1 + g q(g), g = f^2
show("sin", lambda g: (sin(pi / 2 * sqrt(g)) / sqrt(g) - pi / 2) / g if g > 1e-20 else -(pi / 2) ** 3 / 6,
     lambda g: (g + tiny) / (pi / 2), 0, mpf("0.2501"), 5)
show("cos", lambda g: (cos(pi / 2 * sqrt(g)) - 1) / g if g > 1e-20 else -(pi / 2) ** 2 / 2,
     lambda g: (g + tiny), 0, mpf("0.2501"), 6)
for name, v in (("ln 2", log(2)), ("pi / 2", pi / 2)):
    hi = mpf(round(v * 2**42)) / 2**42 if name == "ln 2" else mpf(float(v))
    print(f"{name}: {float(hi)!r} + {float(v - hi)!r}")
print(f"1 / ln 2: {float(1 / log(2))!r}")
