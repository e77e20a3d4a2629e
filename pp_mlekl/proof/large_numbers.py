"""Steps 3 and 4: the law of large numbers for the log-likelihood, and Chebyshev's inequality, which proves it."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pp_mlekl.proof.mean_tail import OwnTail, mean_tail, own_tail
from pp_mlekl.proof.result import Check, Step
from pp_mlekl.proof.setting import STANDARD_ERRORS, Setting

Array = np.ndarray

# Pointwise terms evaluated at a time.
_CHUNK = 4_000_000
# Step 4 repeats itself over sizes; this many comparisons say it.
_MOST_CHECKS = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class Deviations:
    """Mean log-likelihoods less their expectations: by size, (parameters, replicates of that size)."""

    sizes: tuple[int, ...]
    at: Array
    expected: Array
    variance: Array
    by_size: tuple[Array, ...]


def simulate_deviations(setting: Setting, sizes: tuple[int, ...], counts: tuple[int, ...]) -> Deviations:
    """Simulate the mean log-likelihood at parameters along the curve and in the cloud."""
    at = np.concatenate([setting.star.flat[None], setting.curve[::5], setting.cloud[:6]])
    expected = -setting.cross_entropy(at)
    variance = _variance(setting, at)
    usable = np.isfinite(expected) & np.isfinite(variance)
    at, expected, variance = at[usable], expected[usable], variance[usable]
    by_size = []
    for size, count in zip(sizes, counts, strict=True):
        step = max(1, _CHUNK // (size * len(at)))
        parts = [
            setting.simulator.draw(size, min(step, count - start), setting.generator).mean_log_likelihood(
                setting.functions, at
            )
            for start in range(0, count, step)
        ]
        by_size.append(np.concatenate(parts, axis=1) - expected[:, None])
    return Deviations(sizes=sizes, at=at, expected=expected, variance=variance, by_size=tuple(by_size))


def _variance(setting: Setting, z: Array) -> Array:
    """Variance of log q_z(Y), mean over rows, given the rows."""
    nodes = setting.star.problem.nodes
    terms = np.where(nodes.weights > 0, setting.functions.pointwise(z[:, None], data=nodes.data), 0.0)
    second = np.sum(nodes.weights * terms**2, axis=(1, 2))
    rows = int(nodes.row_of.max()) + 1
    square = np.zeros(len(z))
    if rows == 1:
        square = np.sum(nodes.weights * terms, axis=(1, 2)) ** 2 / setting.rows
    else:
        square = np.sum(np.sum(nodes.weights * terms, axis=1) ** 2, axis=1)
    return (second - square) / setting.rows


def law_of_large_numbers(setting: Setting, deviations: Deviations) -> Step:
    """Step 3: the mean log-likelihood tends to its expectation, at one parameter and over all of them at once."""
    last, size = deviations.by_size[-1], deviations.sizes[-1]
    count = last.shape[1]
    pointwise = Check(
        what=f"mean over {count} data sets of the mean log-likelihood at the pseudo-true parameter, n = {size}",
        left=float(deviations.expected[0] + last[0].mean()),
        right=float(deviations.expected[0]),
        error=STANDARD_ERRORS * float(np.sqrt(deviations.variance[0] / (size * count))),
        source="standard error of the mean over all observations",
    )
    total = float(deviations.variance.sum())
    eps = np.sqrt(total / (0.1 * size))
    suprema = [np.abs(d).max(axis=0) for d in deviations.by_size]
    uniform = Check(
        what=f"share of data sets whose mean log-likelihood is off by {eps:.3g} or more at any of "
        f"{len(deviations.at)} parameters, n = {size}",
        left=float(np.mean(suprema[-1] >= eps)),
        right=total / (size * eps**2),
        error=STANDARD_ERRORS * float(np.sqrt(0.1 * 0.9 / count)),
        source="binomial standard error",
        bound=True,
    )
    data = xr.Dataset(
        {
            "rms": ("n", [np.sqrt(np.mean(d[0] ** 2)) for d in deviations.by_size]),
            "theory": ("n", np.sqrt(deviations.variance[0] / np.array(deviations.sizes))),
            "supremum": ("n", [s.mean() for s in suprema]),
            "supremum_low": ("n", [np.quantile(s, 0.05) for s in suprema]),
            "supremum_high": ("n", [np.quantile(s, 0.95) for s in suprema]),
        },
        coords={"n": list(deviations.sizes)},
    )
    return Step(
        number=3,
        title="The mean log-likelihood tends to its expectation",
        claim="The law of large numbers makes the log-likelihood of n observations, divided by n, tend to E[log q]: "
        "at each parameter, and over a bounded set of parameters at once.",
        checks=(pointwise, uniform),
        data=data,
    )


def chebyshev(setting: Setting, deviations: Deviations) -> Step:
    """Step 4: P(|X - mu| >= k sigma) <= 1 / k^2, and for a mean sigma^2 / (n eps^2)."""
    own = own_tail(setting)
    checks = [_sharp_case(), *_own_checks(own)]
    curves = {} if own is None else {"k": own.k, "probability": own.probability}
    variance = float(deviations.variance[0])
    middle = deviations.sizes[len(deviations.sizes) // 2]
    eps = float(np.sqrt(4 * variance / middle))
    frequency = np.array([np.mean(np.abs(d[0]) >= eps) for d in deviations.by_size])
    bound = variance / (np.array(deviations.sizes) * eps**2)
    for n, share, limit, d in zip(deviations.sizes, frequency, bound, deviations.by_size, strict=True):
        if limit < 1 and len(checks) < _MOST_CHECKS:
            checks.append(
                Check(
                    what=f"share of data sets with mean log-likelihood off by {eps:.3g} or more, n = {n}",
                    left=float(share),
                    right=float(limit),
                    error=STANDARD_ERRORS * float(np.sqrt(limit * (1 - limit) / d.shape[1])),
                    source="binomial standard error",
                    bound=True,
                )
            )
    data = xr.Dataset(
        {"frequency": ("n", frequency), "bound": ("n", bound)}, coords={"n": list(deviations.sizes)}, attrs={"eps": eps}
    )
    if curves:
        data = data.assign_coords(k=curves["k"]).assign(probability=("k", curves["probability"]))
    data, more = _exact_means(setting, data)
    return Step(
        number=4,
        title="Chebyshev's inequality says how fast",
        claim="A variable is k standard deviations or more from its mean with probability 1 / k^2 at most; for the "
        "mean of n observations that bound falls as one over n, whatever the distribution.",
        checks=tuple(checks + more),
        data=data,
        note="The bound is sharp only for a variable that is 0 or at exactly k standard deviations.",
    )


def _own_checks(own: OwnTail | None) -> list[Check]:
    if own is None:
        return []
    return [
        Check(
            what=f"P(|Y - mean| >= {k:g} sd) of the first row against 1 / k^2",
            left=float(p),
            right=float(1 / k**2),
            error=1e-12,
            source="rounding",
            bound=True,
        )
        for k, p in zip(own.k, own.probability, strict=True)
        if k in (1.5, 2.0, 3.0)
    ]


def _sharp_case() -> Check:
    """The three-point variable for which the inequality is an equality."""
    k = 2.0
    points, mass = np.array([-k, 0.0, k]), np.array([0.5 / k**2, 1 - 1 / k**2, 0.5 / k**2])
    mean = points @ mass
    deviation = np.sqrt((points - mean) ** 2 @ mass)
    tail = mass[np.abs(points - mean) >= k * deviation - 1e-12].sum()
    return Check(
        what="where the bound is sharp: X = -2, 0, 2 with probabilities 1/8, 3/4, 1/8, P(|X| >= 2 sd)",
        left=float(tail),
        right=1 / k**2,
        error=1e-12,
        source="rounding",
    )


def _exact_means(setting: Setting, data: xr.Dataset) -> tuple[xr.Dataset, list[Check]]:
    """The exact distribution of the mean of the observations themselves, where the family is closed under sums."""
    sizes = data["n"].values
    found = mean_tail(setting, sizes)
    if found is None:
        return data, []
    data = data.assign(exact=("n", found.probability), exact_bound=("n", found.bound))
    data.attrs["exact_eps"] = found.eps
    checks = [
        Check(
            what=f"exact P(|mean of {n} draws of the first row - mean| >= {found.eps:.3g}) against sigma^2 / (n eps^2)",
            left=float(p),
            right=float(b),
            error=1e-12,
            source="rounding",
            bound=True,
        )
        for n, p, b in zip(sizes, found.probability, found.bound, strict=True)
        if b < 1
    ]
    return data, checks[:2]
