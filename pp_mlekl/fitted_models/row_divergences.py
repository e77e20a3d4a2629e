"""Divergences of one fit from the truth, row by row, for one observed variable."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from arviz_stats.base import array_stats

from pp_mlekl.divergences.batches import flat_pair
from pp_mlekl.divergences.distinct import distinct_rows
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.divergences.predictive.divergence import predictive_divergence
from pp_mlekl.divergences.wasserstein import wasserstein_distance
from pp_mlekl.typing import Array

QUANTITIES = ("kl", "kl_reverse", "jsd", "wasserstein")

# Pareto k of sampled log ratios above which their variance, and so the standard error, is infinite.
_HEAVY = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class RowDivergences:
    """The divergences of one fit, each of shape (*rows), with the standard errors of rows and of their sum.

    ``kl_draw_error`` is the part of the error of the sum of KL that decreases with more ``draws``; ``kl_bias`` is the bias
    due to their finite number, already subtracted.
    """

    values: Mapping[str, Array]
    row_errors: Mapping[str, Array]
    total_errors: Mapping[str, float]
    kl_bias: float = 0.0
    kl_draw_error: float = 0.0
    draws: int = 0
    warnings: tuple[str, ...] = field(default=())

    def total(self, name: str) -> float:
        """The sum over rows."""
        return float(np.sum(self.values[name]))

    def swapped(self) -> "RowDivergences":
        """The same with the two directions of KL exchanged."""
        other = {"kl": "kl_reverse", "kl_reverse": "kl"}
        return replace(
            self,
            values={n: self.values[other.get(n, n)] for n in QUANTITIES},
            row_errors={n: self.row_errors[other.get(n, n)] for n in QUANTITIES},
            total_errors={n: self.total_errors[other.get(n, n)] for n in QUANTITIES},
            kl_bias=0.0,
            kl_draw_error=self.total_errors["kl_reverse"] if self.draws else 0.0,
        )


def missing(shape: tuple[int, ...], warnings: tuple[str, ...] = ()) -> RowDivergences:
    """The result for a fit that does not exist: NaN throughout."""
    nothing = np.full(shape, np.nan)
    return RowDivergences(
        values=dict.fromkeys(QUANTITIES, nothing),
        row_errors=dict.fromkeys(QUANTITIES, nothing),
        total_errors=dict.fromkeys(QUANTITIES, np.nan),
        warnings=warnings,
    )


def plug_in_divergences(p: Distribution, q: Distribution, generator: np.random.Generator) -> RowDivergences:
    """Divergences between each row's two distributions; identical rows are computed once."""
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    p, q = flat_pair(p, q)
    first, inverse = distinct_rows(p, q)
    p, q = p.select(first), q.select(first)
    estimates = {
        "kl": kl_divergence(p, q, generator=generator),
        "kl_reverse": kl_divergence(q, p, generator=generator),
        "jsd": js_divergence(p, q, generator=generator),
        "wasserstein": _wasserstein(p, q),
    }
    counts = np.bincount(inverse)
    values, errors, totals = {}, {}, {}
    for name, e in estimates.items():
        error = np.broadcast_to(np.asarray(e.mcse, dtype=float), first.shape)
        values[name] = np.asarray(e.value, dtype=float)[inverse].reshape(shape)
        errors[name] = error[inverse].reshape(shape)
        # Identical rows share one computation, so their errors add linearly.
        totals[name] = float(np.sqrt(np.sum((counts * error) ** 2)))
    return RowDivergences(
        values=values,
        row_errors=errors,
        total_errors=totals,
        warnings=tuple(dict.fromkeys(w for e in estimates.values() for w in e.warnings)),
    )


def _wasserstein(p: Distribution, q: Distribution) -> Estimate:
    """Wasserstein distance of order 1 in one dimension; NaN for vectors."""
    if p.event_ndim:
        nothing = np.full(np.broadcast_shapes(p.batch_shape, q.batch_shape), np.nan)
        return Estimate(value=nothing, mcse=nothing, method="none", direction="W(P,Q)")
    return wasserstein_distance(p, q)


def mixture_divergences(
    p: Distribution, q: Distribution, shape: tuple[int, ...], chains: int, generator: np.random.Generator
) -> RowDivergences:
    """Divergences between each row's distribution and its mixture over the draws of several chains, (draws, *shape)."""
    result = predictive_divergence(p, q, generator)
    return from_influences(vars(result), shape, chains)


def from_influences(parts: Mapping[str, Array], shape: tuple[int, ...], chains: int) -> RowDivergences:
    """Errors from the influence of each draw, with autocorrelation, and from sampled expectations."""
    values, row_errors, total_errors, by_draws = {}, {}, {}, {}
    for name in QUANTITIES:
        influence, node = parts[f"{name}_influence"], parts[f"{name}_node_error"]
        by_row = influence.reshape(chains, len(influence) // chains, -1)
        total = by_row.sum(axis=-1)
        ratio = inflation(total)
        spread = by_row.std(axis=(0, 1)).reshape(shape) / np.sqrt(total.size)
        values[name] = np.reshape(parts[name], shape)
        row_errors[name] = np.hypot(spread * ratio, np.reshape(node, shape))
        by_draws[name] = float(ratio * total.std() / np.sqrt(total.size))
        total_errors[name] = float(np.hypot(by_draws[name], np.sqrt(np.sum(node**2))))
    heavy = float(np.max(parts["kl_tail_shape"], initial=-np.inf))
    warning = (
        f"The sampled log ratios have a heavy tail (Pareto k = {heavy:.2f}), so the standard error of KL is too small."
    )
    return RowDivergences(
        values=values,
        row_errors=row_errors,
        total_errors=total_errors,
        kl_bias=float(np.sum(parts["kl_bias"])),
        kl_draw_error=by_draws["kl"],
        draws=total.size,
        warnings=(warning,) if np.isfinite(heavy) and heavy > _HEAVY else (),
    )


def inflation(chains: Array) -> float:
    """Ratio of the standard error of a mean over autocorrelated chains to that over independent draws."""
    spread = chains.std()
    if not np.isfinite(spread) or spread == 0 or chains.shape[1] < 4:
        return 1.0
    error = array_stats.mcse(chains, method="mean", chain_axis=0, draw_axis=1)
    return float(error * np.sqrt(chains.size) / spread)
