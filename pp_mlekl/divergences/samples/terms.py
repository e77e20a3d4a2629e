"""Estimates that are means over draws: their standard error, the bias that the number of draws leaves, warnings."""

from dataclasses import dataclass, field

import numpy as np

from pp_mlekl.divergences.distribution import Array
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.monte_carlo import tail_shape
from pp_mlekl.divergences.samples.effective_size import effective_size

# Above this shape of the tail the variance of the terms is infinite.
_HEAVY = 0.5
# Standard errors from which a change with the number of draws is taken for bias.
_SIGNIFICANT = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """One term per draw, whose mean is the estimate.

    Parameters
    ----------
    values
        Shape (n,), stacked chain by chain.
    extra_variance
        Variance of the estimate that does not show in the terms: of the other sample, of a correction.
    bias
        What is left of the bias, as far as it can be told from noise; it is added to the error.
    """

    values: Array
    method: str
    extra_variance: float = 0.0
    bias: float = 0.0
    warnings: tuple[str, ...] = field(default=())


def estimate(terms: Terms, *, sign: float, direction: str, chains: int | None, ess: float | None) -> Estimate:
    """The mean of the terms times ``sign``, with an error made of its spread, the other sample's and the bias."""
    value = sign * float(np.mean(terms.values))
    if not np.isfinite(value):
        raise ValueError("Draws coincide so often that they have no density; remove the repeated ones.")
    size = independent_size(terms.values, chains, ess)
    sampling = np.sqrt(np.var(terms.values, ddof=1) / size + terms.extra_variance)
    warnings = list(terms.warnings)
    if abs(terms.bias) > sampling:
        warnings.append(
            f"A bias of about {abs(terms.bias):.2g}, judged from halves of the draws, is part of the error; "
            "more draws reduce it slowly."
        )
    shape = tail_shape(sign * terms.values)
    if np.isfinite(shape) and shape > _HEAVY:
        warnings.append(
            f"The terms have a heavy tail (k-hat {shape:.2f}): the value may be infinite or the error too low."
        )
    return Estimate(
        value=value,
        mcse=float(np.hypot(sampling, terms.bias)),
        method=terms.method,
        direction=direction,
        warnings=tuple(warnings),
    )


def independent_size(values: Array, chains: int | None, ess: float | None) -> float:
    """How many independent draws the mean of the values is worth."""
    if ess is not None:
        return float(ess)
    return float(len(values)) if chains is None else effective_size(values.reshape(chains, -1))


def remaining_bias(full: Array, halves: Array, dimension: int, correction_error: float = 0.0) -> float:
    """Bias of the mean of ``full`` from the same terms by half of the draws, 0 where it cannot be told from noise.

    The bias of neighbour estimates falls as n^-gamma with gamma = 2 / d (1 in one dimension; Gao, Oh and Viswanath
    2018), so that half the draws have 2^gamma times the bias.
    """
    gain = 1 / (2 ** min(2 / dimension, 1.0) - 1)
    change = halves - full
    noise = np.hypot(change.std(ddof=1) / np.sqrt(len(change)), correction_error)
    if abs(change.mean()) < _SIGNIFICANT * noise:
        return 0.0
    return float(gain * np.sqrt(change.mean() ** 2 - noise**2))


def halves(n: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """Two random halves of the indices 0, ..., n - 1."""
    order = generator.permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])
