"""Divergences where one side or both are draws."""

from dataclasses import replace

import numpy as np
from scipy import special
from scipy.spatial import cKDTree

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.divergences.samples.gaussianize import fit_gaussianizer
from pp_mlekl.divergences.samples.independent_parts import independent_parts
from pp_mlekl.divergences.samples.one_sample import log_density_terms, thinned, variance_of_second_order, without_stays
from pp_mlekl.divergences.samples.size_bias import changes_with_size, parts, remaining_bias
from pp_mlekl.divergences.samples.subspaces import check_full_rank
from pp_mlekl.divergences.samples.terms import Terms, effective_draws, estimate
from pp_mlekl.divergences.samples.two_sample import log_ratio_terms
from pp_mlekl.typing import Array

_DIRECTION = "KL(P||Q)"
# Minimum number of draws from a distribution that is compared with draws.
_DRAWS = 10_000
_JSD_NEIGHBOURS = 5


def kl_between_draws(p: Draws, q: Draws, generator: np.random.Generator, ess: float | None = None) -> Estimate:
    """KL(P||Q) in nats from draws of both; never clipped at 0.

    Raises
    ------
    ValueError
        Where the two differ in dimension, or one is discrete and the other not.
    """
    if np.array_equal(p.values, q.values):
        _check_alike(p, q)
        return _of_the_same(_DIRECTION)
    terms, chains = terms_between_draws(p, q, generator)
    return estimate(terms, sign=1.0, direction=_DIRECTION, chains=chains, ess=ess)


def terms_between_draws(p: Draws, q: Draws, generator: np.random.Generator) -> tuple[Terms, int | None]:
    """The terms of KL(P||Q) at the draws of P that are used, and the number of chains in which they are stacked.

    Raises
    ------
    ValueError
        As for ``kl_between_draws``.
    """
    _check_alike(p, q)
    p, q, warnings = independent_parts(p, q, generator)
    p, q = thinned(p), thinned(q)
    terms = log_ratio_terms(p, q, generator)
    return replace(terms, warnings=warnings + terms.warnings), p.chains


def kl_to_density(p: Draws, q: Distribution, angles: Array | None = None, ess: float | None = None) -> Estimate:
    """KL(P||Q) in nats from draws of P and the density of Q: the entropy is estimated, E_P[-log q] is a mean.

    For draws on a circle, ``p`` holds them relative to the cut, and ``angles`` as arguments of Q's density.
    """
    p = of_the_kind_of(p, q)
    x = values_for(q, p) if angles is None else angles[:, 0]
    log_q = np.asarray(q.log_density(x), dtype=np.float64)
    outside = float(np.mean(np.isneginf(log_q)))
    if outside > 0:
        return Estimate(
            value=np.inf, mcse=0.0, method=f"{outside:.1%} of the draws have no density", direction=_DIRECTION
        )
    terms = log_density_terms(in_free_coordinates(p, q))
    combined = Terms(
        values=terms.values - log_q,
        smooth=None if terms.smooth is None else terms.smooth - log_q,
        method=f"{terms.method}, exact -log q",
        extra_variance=terms.extra_variance,
        bias=terms.bias,
        warnings=terms.warnings,
    )
    return estimate(combined, sign=1.0, direction=_DIRECTION, chains=p.chains, ess=ess)


def of_the_kind_of(draws: Draws, distribution: Distribution) -> Draws:
    """The draws, marked discrete where the distribution is discrete and they are whole numbers.

    Raises
    ------
    ValueError
        Where one is discrete and the other not.
    """
    if distribution.discrete and not draws.discrete and draws.whole:
        return replace(draws, discrete=True)
    if draws.discrete != distribution.discrete:
        kinds = ["discrete" if d.discrete else "continuous" for d in (draws, distribution)]
        raise ValueError(
            f"The draws are {kinds[0]} and the distribution is {kinds[1]}: a divergence needs both to be of one kind."
        )
    return draws


def values_for(distribution: Distribution, draws: Draws) -> Array:
    """The draws in the shape of the distribution's values.

    Raises
    ------
    ValueError
        Where they are of another dimension.
    """
    size = int(np.prod(distribution.event_shape))
    if draws.dimension != size:
        raise ValueError(f"The draws have dimension {draws.dimension}, but the distribution needs {size}.")
    return draws.values.reshape(draws.size, *distribution.event_shape)


def in_free_coordinates(draws: Draws, distribution: Distribution) -> Draws:
    """The draws without redundant coordinates, where the distribution is on a simplex or of symmetric matrices."""
    if distribution.event_ndim == 0 or distribution.discrete:
        return draws
    return draws.with_values(distribution.free_coordinates(values_for(distribution, draws)))


def draws_of(distribution: Distribution, size: int, generator: np.random.Generator) -> Draws:
    """Draws of a distribution, at least 10,000, to compare with ``size`` draws of another."""
    values = distribution.sample((max(size, _DRAWS),), generator)
    return Draws(values=values.reshape(len(values), -1), chains=None, discrete=distribution.discrete)


def js_between_draws(p: Draws, q: Draws, generator: np.random.Generator) -> Estimate:
    """Jensen-Shannon divergence in nats, as the mutual information of a draw and its sample's label (Ross 2014, PLoS ONE 9).

    Chains that repeat draws are thinned. The larger sample is reduced to the size of the smaller, for equal weights.
    """
    _check_alike(p, q)
    if np.array_equal(p.values, q.values):
        return _of_the_same("JSD(P,Q)")
    p, q, warnings = independent_parts(p, q, generator)
    p, q = (without_stays(thinned(v)) for v in (p, q))
    size = min(p.size, q.size)
    x, y = (_spread(v.values, size) for v in (p, q))
    effective = min(effective_draws(p), effective_draws(q), size)
    if p.discrete:
        terms = _js_of_counts(x, y, effective)
    else:
        both = np.concatenate([x, y])
        check_full_rank(both)
        z = fit_gaussianizer(both)(both)[0]
        full = _information(z[:size], z[size:])
        index = [
            np.concatenate([i, size + j]) for i, j in zip(parts(size, generator), parts(size, generator), strict=True)
        ]

        def by_part(_: int, draws: Array, queries: Array) -> Array:
            i, j = draws[draws < size], draws[draws >= size]
            return _information(z[i], z[j])[queries]

        bias = remaining_bias(changes_with_size(full, by_part, np.arange(2 * size), index), size, p.dimension)
        terms = Terms(values=full, method=f"{_JSD_NEIGHBOURS} nearest neighbours (mutual information)", bias=bias)
    terms = replace(terms, warnings=warnings + terms.warnings)
    return estimate(terms, sign=1.0, direction="JSD(P,Q)", chains=None, ess=2 * effective)


def _spread(values: Array, size: int) -> Array:
    return values[np.linspace(0, len(values) - 1, size).astype(int)]


def _information(x: Array, y: Array) -> Array:
    """Ross's terms: digamma(N) - digamma(N_label) + digamma(k) - digamma(m), whose mean is the mutual information."""
    both, result = np.concatenate([x, y]), []
    tree = cKDTree(both)
    for side in (x, y):
        k = min(_JSD_NEIGHBOURS, len(side) - 1)
        radius = cKDTree(side).query(side, [k + 1])[0][:, 0]
        count = tree.query_ball_point(side, radius * (1 + 1e-12), return_length=True) - 1
        result.append(
            special.digamma(len(both)) - special.digamma(len(side)) + special.digamma(k) - special.digamma(count)
        )
    return np.concatenate(result)


def _js_of_counts(x: Array, y: Array, effective: float) -> Terms:
    """Frequencies, less the first-order bias of the three entropies (Miller 1955).

    A value in both samples adds (1 - 2 p q / (p + q)) / 4n to the bias, a value in one of them adds nothing, since the
    mixture has equal numbers of draws of P and Q. The estimate therefore stays below log 2.
    """
    n = len(x)
    _, which = np.unique(np.concatenate([x, y]), axis=0, return_inverse=True)
    which = which.ravel()
    a, b = (np.bincount(w, minlength=which.max() + 1) for w in (which[:n], which[n:]))
    i, j = which[:n], which[n:]
    terms = np.concatenate([np.log(2 * a[i] / (a[i] + b[i])), np.log(2 * b[j] / (a[j] + b[j]))])
    both = (a > 0) & (b > 0)
    excess = np.sum(1 - 2 * a[both] * b[both] / (a[both] + b[both]) / n) / (4 * n)
    second_order = variance_of_second_order(len(a), 1 / (2 * effective))
    return Terms(values=terms - excess, method="frequencies", extra_variance=second_order)


def _of_the_same(direction: str) -> Estimate:
    return Estimate(value=0.0, mcse=0.0, method="the same draws", direction=direction)


def _check_alike(p: Draws, q: Draws) -> None:
    if p.dimension != q.dimension:
        raise ValueError(f"The draws of P have dimension {p.dimension} and those of Q {q.dimension}; they must agree.")
    if p.discrete != q.discrete:
        raise ValueError(
            "One of the two samples is discrete, the other not: a divergence needs both to be of one kind."
        )
