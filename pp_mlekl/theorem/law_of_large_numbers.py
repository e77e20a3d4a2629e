"""Step 3: the law of large numbers for the log-likelihood."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pp_mlekl.theorem.proof_result import Check, Step
from pp_mlekl.theorem.setting import STANDARD_ERRORS, Setting
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# Maximum number of pointwise terms in memory.
_CHUNK = 4_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Deviations:
    """Mean log-likelihoods minus their expectations, for each size an array (parameters, replicates)."""

    sizes: tuple[int, ...]
    at: Array
    expected: Array
    variance: Array
    by_size: tuple[Array, ...]


def simulate_deviations(setting: Setting, sizes: tuple[int, ...], counts: tuple[int, ...]) -> Deviations:
    """Simulate the mean log-likelihood at parameters along the curve and at random parameters."""
    at = np.concatenate([setting.pseudo_true.flat[None], setting.curve[::5], setting.cloud[:6]])
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
    """Variance of log q_z(Y), mean over rows, conditional on the rows' covariates."""
    nodes = setting.pseudo_true.problem.nodes
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
    """Step 3: the mean log-likelihood converges to its expectation, pointwise and uniformly over parameters."""
    last, size = deviations.by_size[-1], deviations.sizes[-1]
    count = last.shape[1]
    pointwise = Check(
        what=f"mean over {counted(count, 'data set')} of the mean log-likelihood at the pseudo-true parameter, n = {size}",
        left=float(deviations.expected[0] + last[0].mean()),
        right=float(deviations.expected[0]),
        error=STANDARD_ERRORS * float(np.sqrt(deviations.variance[0] / (size * count))),
        source="standard error of the mean over all observations",
    )
    total = float(deviations.variance.sum())
    eps = np.sqrt(total / (0.1 * size))
    suprema = [np.abs(d).max(axis=0) for d in deviations.by_size]
    uniform = Check(
        what=f"fraction of data sets whose mean log-likelihood deviates by {eps:.3g} or more at any of "
        f"{counted(len(deviations.at), 'parameter value')}, n = {size}",
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
        title="The mean log-likelihood converges to its expectation",
        claim="By the law of large numbers the log-likelihood of n observations, divided by n, converges to E[log q]: "
        "at each parameter, and uniformly over a bounded set of parameters.",
        checks=(pointwise, uniform),
        data=data,
    )
