"""Means over draws, with a standard error and a diagnosis of the tail."""

from collections.abc import Callable

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# Default number of draws, the maximum where a precision is requested, and the first number in that case.
DRAWS, _MOST_DRAWS, _FIRST = 50_000, 2_000_000, 10_000
# Maximum number of values over the batch, the fewest draws, and the number of values drawn at a time.
_MOST_VALUES, _FEWEST, _BLOCK = 20_000_000, 1_000, 4_000_000
# Pareto shape of the upper tail above which the variance is infinite and there is no standard error.
_WORST_SHAPE = 0.5
# Pareto shape above which the mean of importance ratios is unreliable at any practical number (Vehtari et al. 2024).
RELIABLE_SHAPE = 0.7


def monte_carlo(
    p: Distribution,
    function: Callable[[Array], Array],
    direction: str,
    rtol: float | None,
    budget: int | None,
    generator: np.random.Generator | None,
) -> Estimate:
    """E_P[function(X)] from draws of P, doubled until ``rtol`` or ``budget`` is reached.

    Returns
    -------
    Estimate
        ``inf`` where a draw of P has no density under Q; a warning where the tail of the terms is so heavy that
        the standard error is unreliable, or where ``rtol`` is not reached.

    Raises
    ------
    ValueError
        Where ``rtol`` is not positive or the budget is too small for an error.
    """
    check_precision(rtol, budget)
    generator = np.random.default_rng(0) if generator is None else generator
    # A large batch gets fewer draws, so that its values fit in memory.
    fitting = max(_FEWEST, _MOST_VALUES // max(int(np.prod(p.batch_shape)), 1))
    most = min(budget or (DRAWS if rtol is None else _MOST_DRAWS), fitting)
    values = _terms(p, function, most if rtol is None else min(_FIRST, most), generator)
    while rtol is not None and len(values) < most and not _precise(values, rtol):
        more = min(len(values), most - len(values))
        values = np.concatenate([values, _terms(p, function, more, generator)])
    with np.errstate(all="ignore"):
        mean = values.mean(axis=0)
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    infinite = np.isinf(mean)
    shape = np.max([tail_shape(column) for column in values.reshape(len(values), -1).T], initial=-np.inf)
    heavy = bool(np.isfinite(shape) and shape > _WORST_SHAPE)
    warnings: tuple[str, ...] = ()
    if heavy:
        warnings = (f"The terms have a heavy tail (Pareto k = {shape:.2f}), so the standard error is too small.",)
    if rtol is not None and not _precise(values, rtol):
        remedy = "give a larger budget" if most < fitting else "compute fewer elements at a time"
        warnings += (f"The relative error exceeds rtol = {rtol:g} with {counted(len(values), 'draw')}; {remedy}.",)
    value = np.where(infinite, np.inf, mean)
    error = np.where(infinite, 0.0, error)
    if value.ndim == 0:
        value, error = float(value), float(error)  # type: ignore[assignment]
    return Estimate(value=value, mcse=error, method="Monte Carlo", direction=direction, warnings=warnings)


def _terms(p: Distribution, function: Callable[[Array], Array], size: int, generator: np.random.Generator) -> Array:
    """The function at independent draws, a block at a time."""
    block = max(1, _BLOCK // max(int(np.prod((*p.batch_shape, *p.event_shape))), 1))
    pieces = [function(p.sample((min(block, size - start),), generator)) for start in range(0, size, block)]
    return np.concatenate(pieces)


def check_precision(rtol: float | None, budget: int | None) -> None:
    """Raise ValueError where ``rtol`` is not a positive number, or ``budget`` no number of draws that gives an error."""
    if rtol is not None and not 0 < rtol < np.inf:
        raise ValueError(f"rtol must be a positive number, got {rtol!r}.")
    if budget is not None and (not isinstance(budget, int | np.integer) or budget < _FEWEST):
        raise ValueError(f"budget must be a whole number of at least {_FEWEST} draws, got {budget!r}.")


def _precise(values: Array, rtol: float) -> bool:
    with np.errstate(all="ignore"):
        mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return bool(np.all((error <= rtol * np.abs(mean)) | np.isinf(mean)))


def tail_size(n: int) -> int:
    """Number of the largest of n values that count as the tail (Vehtari et al. 2024)."""
    return int(min(n / 5, 3 * np.sqrt(n)))


def tail_shape(values: Array) -> float:
    """Pareto shape k of the largest values, by the estimator of Zhang and Stephens (2009) with Vehtari's prior.

    Parameters
    ----------
    values
        Shape (n,); the largest min(n / 5, 3 sqrt(n)) of them are fitted.

    Returns
    -------
    float
        The shape; -inf where the tail holds fewer than 5 values, or a quarter of it ties with the threshold; inf where a
        value is infinite.
    """
    values = np.asarray(values, dtype=np.float64)
    if np.any(np.isposinf(values)):
        return np.inf
    size = tail_size(len(values))
    if size < 5:
        return -np.inf
    ordered = np.sort(values)
    tail = ordered[-size:] - ordered[-size - 1]
    quartile = tail[int(size / 4 + 0.5) - 1]
    if quartile <= 0:
        return -np.inf
    grid = 30 + int(np.sqrt(size))
    b = 1 / tail[-1] + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * quartile)
    k = np.mean(np.log1p(-b[:, None] * tail), axis=1)
    likelihood = size * (np.log(-(b / k)) - k - 1)
    with np.errstate(over="ignore"):
        weights = 1 / np.sum(np.exp(likelihood - likelihood[:, None]), axis=1)
    weights = np.where(weights > 10 * np.finfo(float).eps, weights, 0.0)
    best = np.sum(b * weights / weights.sum())
    shape = np.mean(np.log1p(-best * tail))
    return float((size * shape + 5) / (size + 10))
