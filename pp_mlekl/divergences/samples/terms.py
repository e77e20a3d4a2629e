"""Estimates that are means over draws: standard error, remaining bias and warnings."""

from dataclasses import dataclass, field

import numpy as np

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.monte_carlo import tail_shape, tail_size
from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.effective_size import effective_size

# Pareto shape of the tail above which the terms have no variance.
_INFINITE = 0.5
# Fraction of the terms' variance in a heavy tail above which it is reported. Where P and Q agree the terms are noise.
_MATTERS = 0.15
# Bias in units of the sampling error above which it is reported.
_LARGE_BIAS = 1.5
# Shape above which the tail's variance is that of the fitted tail, which is stable if a large term is missing, and the largest
# shape used for it.
_LIGHT, _HEAVIEST = 0.15, 0.45


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """One term per draw, whose mean is the estimate.

    Parameters
    ----------
    values
        Shape (n,), stacked chain by chain.
    smooth
        The terms by a smooth fit, without the noise of neighbours or spacings; their tail is diagnosed.
    extra_variance
        Variance of the estimate that the scatter of the terms does not contain: that of the other sample, of a correction.
    bias
        The remaining bias, as far as it is distinguishable from noise; it is part of the error.
    lower_bound
        Whether Q's draws do not cover P's, so that the mean is only a lower bound.
    """

    values: Array
    method: str
    smooth: Array | None = None
    extra_variance: float = 0.0
    bias: float = 0.0
    lower_bound: bool = False
    warnings: tuple[str, ...] = field(default=())


def estimate(terms: Terms, *, sign: float, direction: str, chains: int | None, ess: float | None) -> Estimate:
    """The mean of the terms times ``sign``; its error combines the scatter of the terms, ``extra_variance`` and the bias."""
    # Adding 0 turns -0 into 0.
    value = sign * float(np.mean(terms.values)) + 0.0
    if not np.isfinite(value):
        lost = np.count_nonzero(~np.isfinite(terms.values))
        raise ValueError(
            f"A log density is infinite or not defined at {lost} of the {counted(len(terms.values), 'draw')}, as on the boundary of a "
            "support; remove the draws that lie there."
        )
    size = independent_size(terms.values, chains, ess)
    judged = sign * (terms.values if terms.smooth is None else terms.smooth)
    shape = tail_shape(judged)
    sampling = np.sqrt(_variance(sign * terms.values, shape) / size + terms.extra_variance)
    warnings = list(terms.warnings)
    if abs(terms.bias) > _LARGE_BIAS * sampling:
        warnings.append(
            f"The error contains a bias of about {abs(terms.bias):.2g}, estimated from parts of the draws; more draws "
            "reduce it slowly."
        )
    if _INFINITE < shape < np.inf and _second_moment_of_tail(judged) > _MATTERS * np.var(terms.values):
        warnings.append(
            f"The terms have a heavy tail (Pareto k = {shape:.2f}): the value may be infinite or the error too small."
        )
    return Estimate(
        value=value,
        mcse=float(np.hypot(sampling, terms.bias)),
        method=terms.method,
        direction=direction,
        warnings=tuple(warnings),
    )


def _variance(values: Array, shape: float) -> float:
    """Variance of terms whose largest may be missing from the sample: at least that of a fitted Pareto tail.

    Excesses over a threshold with mean m and shape k have the second moment 2 (1 - k) m^2 / (1 - 2 k).
    """
    variance = float(np.var(values, ddof=1))
    size = tail_size(len(values))
    if not _LIGHT < shape < np.inf or size < 1:
        return variance
    ordered = np.sort(values)
    body, threshold, excess = ordered[:-size], ordered[-size - 1], np.mean(ordered[-size:] - ordered[-size - 1])
    k = min(shape, _HEAVIEST)
    square = 2 * (1 - k) * excess**2 / (1 - 2 * k)
    level = threshold - values.mean()
    of_tail = level**2 + 2 * level * excess + square
    return max(variance, float((np.sum((body - values.mean()) ** 2) + size * of_tail) / len(values)))


def _second_moment_of_tail(values: Array) -> float:
    """Mean over all values of the squared excess of the largest over their threshold."""
    size = tail_size(len(values))
    ordered = np.sort(values)
    return float(np.sum((ordered[-size:] - ordered[-size - 1]) ** 2) / len(values))


def independent_size(values: Array, chains: int | None, ess: float | None) -> float:
    """Effective sample size of the mean of the values."""
    if ess is not None:
        return float(ess)
    return float(len(values)) if chains is None else effective_size(values.reshape(chains, -1))


def effective_draws(draws: Draws) -> float:
    """Effective sample size of the coordinate that mixes slowest, at most the number of draws."""
    return min(draws.size, *(independent_size(column, draws.chains, None) for column in draws.values.T))
