"""The integrals behind the buy-till-you-die models: over the moment of death, over the dropout probability."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigh_tridiagonal

TIME_NODES, TIME_WEIGHTS = np.polynomial.legendre.leggauss(20)
DECAY = 30.0  # an integrand is followed down to exp(-30) of its start
NODE_COUNTS = 2 ** np.arange(5, 10)  # of the Gauss rule over the dropout probability
CHUNK = 2**20  # numbers held at once
SMALLEST = 1e-8  # the generating function loses digits in proportion to 1 / (1 - p)


def death_times(power, alpha, decay, beta, recency, age):
    """Gauss-Legendre times u in [recency, T] for the integral of (alpha + u)^-power (beta + u)^-decay.

    Gives log(alpha + u), log(beta + u) and the log weights, each (n, 20). The times are spread evenly over
    log(least + u), least = min(alpha, beta), where the integrand falls exponentially or faster, and only as far as
    it matters; the relative error is about 1e-12, 1e-8 at worst.
    """
    least, most = min(alpha, beta), max(alpha, beta)
    log_start = np.log(least + recency)
    reach = np.log(least + age) - log_start
    fall = power * (least + recency) / (alpha + recency) + decay * (least + recency) / (beta + recency) - 1
    reach = np.minimum(reach, DECAY / np.maximum(fall, 1e-12))
    log_least = log_start[:, None] + reach[:, None] * ((TIME_NODES + 1) / 2)
    log_most = np.log(np.exp(log_least) + (most - least))
    with np.errstate(divide="ignore"):  # recency = T: an interval of no width, log 0
        log_width = log_least + np.log(reach / 2)[:, None] + np.log(TIME_WEIGHTS)
    return (log_least, log_most, log_width) if alpha <= beta else (log_most, log_least, log_width)


def renewals(p, ahead, events, k, stage):
    """Expected purchases of a live account that leaves with probability p after each: same shape as p.

    Every k-th event of a Poisson process is a purchase, `stage` of them have passed. The process's rate is gamma
    with shape `events`, so the number N of events in a time `ahead` (in units of its scale) is negative binomial,
    with generating function (1 + ahead (1 - z))^-events. Of M = floor((N + stage) / k) purchases
    (1 - (1-p)^M) / p are made on average; the generating function at the k-th roots of 1 - p gives E[(1-p)^M].
    """
    if k == 1:
        return -np.expm1(-events * np.log1p(ahead * p)) / p
    root = np.maximum(1 - p, SMALLEST) ** (1 / k)
    never = np.zeros_like(p)
    for turn in range(k // 2 + 1):  # the other roots are the conjugates of these
        z = np.exp(2j * np.pi * turn / k) * root
        at_root = sum(z ** (stage - q) for q in range(k)) / k * (1 + ahead * (1 - z)) ** -events
        never += at_root.real * (1 if turn in (0, k / 2) else 2)
    return (1 - never) / p


def node_counts(ahead, events_per_survival) -> Iterator[tuple[np.ndarray, int]]:
    """Rows in chunks, with the number of Gauss nodes each needs: more for a horizon long against the history.

    The relative error of the expectation is below 1e-6, unless the horizon is thousands of times the history.
    """
    need = 20 + 6 * np.sqrt(ahead) + 12 * ahead * events_per_survival
    level = np.minimum(np.searchsorted(NODE_COUNTS, need), len(NODE_COUNTS) - 1)
    for i, n in enumerate(NODE_COUNTS):
        rows = np.flatnonzero(level == i)
        for start in range(0, len(rows), CHUNK // n):
            yield rows[start : start + CHUNK // n], int(n)


def beta_nodes(a: float, b: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss nodes and weights for the mean over p ~ Beta(a, b): two arrays (len(b), n).

    Golub & Welsch (1969): eigenvalues of the Jacobi matrix. (scipy's roots_jacobi overflows for b beyond 1,000.)
    """
    distinct, at = np.unique(b, return_inverse=True)
    nodes, weights = zip(*(_beta_rule(a, float(one), n) for one in distinct), strict=True)
    return np.array(nodes)[at], np.array(weights)[at]


def _beta_rule(a: float, b: float, count: int):
    n = np.arange(1, count)
    s = a + b - 2
    middle = ((a - 1) ** 2 - (b - 1) ** 2) / ((2 * n + s) * (2 * n + s + 2))
    side = 4 * n * (n + a - 1) * (n + b - 1) * (n + s) / ((2 * n + s) ** 2 * (2 * n + s + 1) * (2 * n + s - 1))
    side[0] = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
    nodes, vectors = eigh_tridiagonal(np.r_[(a - b) / (a + b), middle], np.sqrt(side))
    return (1 + nodes) / 2, vectors[0] ** 2
