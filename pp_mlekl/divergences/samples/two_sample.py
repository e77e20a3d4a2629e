"""Estimates of log p/q at draws of p, from draws of p and of q."""

import numpy as np
from scipy import special

from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.divergences.samples.correction import corrected_at, corrected_within
from pp_mlekl.divergences.samples.density import SampleDensity, mean_beyond
from pp_mlekl.divergences.samples.discriminative import lower_bound
from pp_mlekl.divergences.samples.gaussianize import best_starts, fit_margins, mean_log_densities
from pp_mlekl.divergences.samples.one_sample import (
    QUERIES,
    how_estimated,
    unseen,
    unseen_warnings,
    variance_of_second_order,
)
from pp_mlekl.divergences.samples.size_bias import changes_with_size, evenly, parts, remaining_bias
from pp_mlekl.divergences.samples.subspaces import check_full_rank, thin_draws_warnings
from pp_mlekl.divergences.samples.terms import Terms, effective_draws, independent_size
from pp_mlekl.typing import Array

# Number of groups of the jackknife, and maximum number of draws of each side in it.
_GROUPS = 10
_COMPARED = 600
# Fraction of P's draws outside the range of Q's in a coordinate, beyond chance, from which Q does not cover P.
_UNCOVERED = 0.05
# Log density, relative to a normal copula, below which Q's draws have a gap; fraction of P's draws in gaps.
_GAP, _IN_GAPS = -1.5, 0.02
# Standard errors by which a lower bound has to exceed the estimate to contradict it.
_CONTRADICTION = 3.0


def log_ratio_terms(p: Draws, q: Draws, generator: np.random.Generator) -> Terms:
    """Estimates of log p/q at the draws of P."""
    if p.discrete:
        return _discrete_terms(p, q)
    check_full_rank(p.values, "The draws of P")
    check_full_rank(q.values, "The draws of Q")
    ratio = _LogRatio(p.values, q.values)
    own = np.var(ratio.terms, ddof=1) / p.size
    extra = ratio.extra_variance + max(_variance_by_fits(p, q, ratio), _variance_by_weights(q, ratio))
    uncovered = _uncovered(ratio)
    return Terms(
        values=ratio.terms,
        smooth=ratio.p.smooth_terms - ratio.q.smooth.log_density(ratio.x),
        method=_method(ratio),
        extra_variance=extra,
        bias=_bias(ratio, generator),
        lower_bound=bool(uncovered),
        warnings=uncovered + _warnings(ratio, float(np.sqrt(own + extra)), generator),
    )


class _LogRatio:
    """Estimates of log p and of log q at the draws of P."""

    def __init__(self, x: Array, y: Array):
        # Both sides share one start, since Q's map must be defined at P's draws.
        starts = best_starts(x, y)
        # Column by column in memory, since most of the work is done by coordinate.
        x, y = np.asfortranarray(x), np.asfortranarray(y)
        self.x, self.y = x, y
        self.p, self.q = (SampleDensity(v, fit_margins(v, starts)) for v in (x, y))
        self.queries = evenly(len(x), QUERIES)
        self.of_p = corrected_within(self.p, self.queries)
        self.of_q = corrected_at(self.q, x, self.queries)
        self.beyond = mean_beyond(self.of_p.beyond - self.of_q.beyond, len(x))
        self.terms = self.of_p.terms - self.of_q.terms - self.beyond.mean + self.beyond.shrunken

    @property
    def extra_variance(self) -> float:
        """Variance of the mean due to shared neighbours and corrections."""
        return self.of_p.extra_variance + self.of_q.extra_variance + self.beyond.added_variance


def _method(ratio: _LogRatio) -> str:
    starts = sorted({s.name for s in ratio.q.maps.starts} - {"identity"})
    return how_estimated(ratio.p) + (f" after {', '.join(starts)}" if starts else "")


def _bias(ratio: _LogRatio, generator: np.random.Generator) -> float:
    """The bias due to the finite numbers of draws, from parts of both samples."""
    of_y = parts(len(ratio.y), generator)

    def by_part(r: int, draws: Array, queries: Array) -> Array:
        p, q = ratio.p.part(draws), ratio.q.part(of_y[r])
        of_q = corrected_at(q, p.draws[queries], np.arange(len(queries)))
        return corrected_within(p, queries).at_queries - of_q.at_queries

    full = ratio.of_p.at_queries - ratio.of_q.at_queries
    changes = changes_with_size(full, by_part, ratio.queries, parts(len(ratio.x), generator))
    error = float(np.hypot(ratio.of_p.correction_error, ratio.of_q.correction_error))
    of_size = remaining_bias(changes, min(len(ratio.x), len(ratio.y)), ratio.p.d, error)
    return float(np.linalg.norm([of_size, unseen(ratio.beyond, ratio.p.d), _in_gaps(ratio)]))


def _in_gaps(ratio: _LogRatio) -> float:
    """Bias at P's draws in gaps of Q's: log q is about as far below its estimate as that is below a normal copula."""
    return -float(np.mean(np.minimum(ratio.of_q.beyond, 0.0) * (ratio.of_q.beyond < _GAP)))


def _variance_by_fits(p: Draws, q: Draws, ratio: _LogRatio) -> float:
    """Variance that Q's draws add through the fitted density: jackknife of E_P[-log q] over groups of them.

    Where P has the heavier tails this is most of the error, and the terms do not contain it. The groups are contiguous,
    so that the variance includes autocorrelation.
    """
    y = ratio.y[:: max(1, q.size // _COMPARED)] if q.chains is None else ratio.y
    x = ratio.x[:: max(1, p.size // _COMPARED)]
    size = len(y) // _GROUPS
    groups = np.arange(_GROUPS * size).reshape(_GROUPS, size)
    left = np.stack([np.delete(y, group, axis=0) for group in groups])
    values = mean_log_densities(left, ratio.q.maps, x)
    return float((_GROUPS - 1) * np.var(values) * len(y) / q.size)


def _variance_by_weights(q: Draws, ratio: _LogRatio) -> float:
    """Variance that Q's draws add through their local density: the variance of p/q over them, from the fitted densities."""
    # A subset of many draws gives the variance accurately enough.
    step = max(1, q.size // QUERIES) if q.chains is None else 1
    y = ratio.y[::step]
    with np.errstate(all="ignore"):
        weight = np.exp(ratio.p.smooth.log_density(y) - ratio.q.smooth.log_density(y))
    # Truncated (Ionides 2008, JCGS 17): where the variance is infinite, the uncovered tail dominates the error.
    weight = np.minimum(np.where(np.isfinite(weight), weight, 0.0), np.sqrt(len(weight)))
    return float(np.var(weight, ddof=1) / (step * independent_size(weight, q.chains, None)))


def _uncovered(ratio: _LogRatio) -> tuple[str, ...]:
    """A warning where Q's draws do not cover P's."""
    x, y = ratio.x, ratio.y
    beyond = np.any((x < y.min(axis=0)) | (x > y.max(axis=0)), axis=1).mean()
    by_chance = 2 * x.shape[1] / (len(y) + 1)
    gaps = np.mean(ratio.of_q.beyond < _GAP)
    if beyond - by_chance <= _UNCOVERED and gaps <= _IN_GAPS and np.mean(ratio.terms) <= np.log(len(y)) - 1:
        return ()
    where = f"{beyond:.0%} of them lie outside" + (f", {gaps:.0%} in gaps" if gaps > _IN_GAPS else "")
    return (f"Q's draws do not cover P's ({where}): the value is only a lower bound.",)


def _warnings(ratio: _LogRatio, error: float, generator: np.random.Generator) -> tuple[str, ...]:
    found = [*thin_draws_warnings(ratio.p, "The draws of P"), *thin_draws_warnings(ratio.q, "The draws of Q")]
    found += unseen_warnings(ratio.p.d)
    bound, value = lower_bound(ratio.x, ratio.y, ratio.p.maps, generator), float(np.mean(ratio.terms))
    if bound is not None and bound[0] - value > _CONTRADICTION * np.hypot(bound[1], error):
        found.append(f"The value is too low: a logistic regression gives the lower bound {bound[0]:.3g}.")
    return tuple(found)


def _discrete_terms(p: Draws, q: Draws) -> Terms:
    """Log ratios of frequencies. For Poisson counts m, digamma(m + 1) has about the expectation log E m, and is finite at 0.

    The digammas of the totals are subtracted, so that the estimate is also right where one value has all the mass.
    """
    _, which = np.unique(np.concatenate([p.values, q.values]), axis=0, return_inverse=True)
    which = which.ravel()
    own = np.bincount(which[: p.size], minlength=which.max() + 1)
    other = np.bincount(which[p.size :], minlength=which.max() + 1)
    i, j = which[: p.size], which[p.size :]
    of_p = special.digamma(own[i]) - special.digamma(p.size)
    of_q = special.digamma(other[i] + 1) - special.digamma(q.size + 1)
    ratio = (own[j] / p.size) / (other[j] / q.size)
    unseen = float(np.mean(other[i] == 0))
    warnings: tuple[str, ...] = ()
    if unseen > 0:
        warnings = (f"Q's draws lack values that {unseen:.1%} of P's have: the value is only a lower bound.",)
    variance = float(np.var(ratio, ddof=1) / independent_size(ratio, q.chains, None))
    variance += variance_of_second_order(len(own), 1 / effective_draws(p) + 1 / effective_draws(q))
    return Terms(
        values=of_p - of_q,
        method="frequencies",
        extra_variance=variance,
        lower_bound=unseen > _UNCOVERED,
        warnings=warnings,
    )
