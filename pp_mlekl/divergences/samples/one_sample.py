"""Estimates of log p at draws of p, which one sample determines."""

import numpy as np
from scipy import special

from pp_mlekl.divergences.samples.checks import FEWEST, MOST_REPEATED, Draws, share_repeated
from pp_mlekl.divergences.samples.correction import corrected_within
from pp_mlekl.divergences.samples.density import Beyond, LogDensities, SampleDensity, mean_beyond, neighbours_for
from pp_mlekl.divergences.samples.size_bias import MOST_SEEN, changes_with_size, evenly, parts, remaining_bias
from pp_mlekl.divergences.samples.subspaces import check_full_rank, thin_draws_warnings
from pp_mlekl.divergences.samples.terms import Terms, effective_draws
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.effective_size import effective_size

# Maximum number of draws at which neighbours are searched, among all draws.
QUERIES = 1500
# The part of a non-normal dependence that neighbours miss, per dimension, as a fraction of the part that they detect. It was
# measured on mixtures of normals and Student t in 3 to 10 dimensions, within a factor of 1.5. The detected part counts above
# _SIGNIFICANT standard errors.
_UNSEEN = 0.15
_SIGNIFICANT = 2.0

# Fraction of discrete draws whose value occurs once, above which much of the mass has not been sampled.
_MOST_SINGLE = 0.05


def thinned(draws: Draws) -> Draws:
    """Thin strongly autocorrelated chains.

    In two and more dimensions the nearest neighbours of a draw would otherwise be its predecessors in the chain.
    """
    if draws.chains is None or draws.dimension == 1 or draws.discrete:
        return draws
    by_chain = draws.values.reshape(draws.chains, -1, draws.dimension)
    smallest = min(effective_size(by_chain[..., j]) for j in range(draws.dimension))
    step = int(draws.size / (2 * smallest))
    return draws if step < 2 else draws.with_values(by_chain[:, ::step].reshape(-1, draws.dimension))


def without_stays(draws: Draws) -> Draws:
    """Thin chains until few draws repeat, for estimators that need distinct draws."""
    if draws.chains is None or draws.discrete:
        return draws
    by_chain, step = draws.values.reshape(draws.chains, -1, draws.dimension), 1

    def kept() -> Array:
        return by_chain[:, ::step].reshape(-1, draws.dimension)

    while share_repeated(kept(), None) > MOST_REPEATED and draws.size >= 2 * step * FEWEST:
        step *= 2
    return draws if step == 1 else draws.with_values(kept())


def log_density_terms(draws: Draws) -> Terms:
    """Estimates of log p at the draws, less the bias of the same estimator on normal draws."""
    if draws.discrete:
        return _discrete_terms(draws)
    check_full_rank(draws.values)
    density = SampleDensity(draws.values)
    full = corrected_within(density, evenly(density.n, QUERIES))
    beyond = mean_beyond(full.beyond, density.n)
    return Terms(
        values=full.terms - beyond.mean + beyond.shrunken,
        smooth=density.smooth_terms,
        method=how_estimated(density),
        extra_variance=full.extra_variance + beyond.added_variance,
        bias=_bias(density, full, beyond),
        warnings=thin_draws_warnings(density) + unseen_warnings(density.d),
    )


def how_estimated(density: SampleDensity) -> str:
    """The name of the method."""
    if density.d == 1:
        return "spacings (corrected on normals)"
    k = neighbours_for(density.n)
    return f"{k} nearest neighbours of normal scores, spacings of the margins (corrected on normals)"


def _bias(density: SampleDensity, full: LogDensities, beyond: Beyond) -> float:
    def by_part(_: int, draws: Array, queries: Array) -> Array:
        return corrected_within(density.part(draws), queries).at_queries

    index = parts(density.n, np.random.default_rng(density.n))
    changes = changes_with_size(full.at_queries, by_part, full.queries, index)
    of_size = remaining_bias(changes, density.n, density.d, full.correction_error)
    return float(np.hypot(of_size, unseen(beyond, density.d)))


def unseen(beyond: Beyond, d: int) -> float:
    """The dependence beyond a normal copula that neighbours may miss, in nats; 0 where the detected part may be noise.

    Above ``MOST_SEEN`` dimensions what is detected says nothing about what is missed, and a warning replaces it.
    """
    if abs(beyond.mean) <= _SIGNIFICANT * beyond.noise:
        return 0.0
    return _UNSEEN * min(d, MOST_SEEN) * abs(beyond.mean)


def unseen_warnings(d: int) -> tuple[str, ...]:
    """A warning where neighbours may miss any dependence other than that of a normal copula."""
    if d <= MOST_SEEN:
        return ()
    return (
        f"In {counted(d, 'dimension')} neighbours miss most of a dependence other than a normal copula's, and the error does not "
        "contain it; compare fewer coordinates to check.",
    )


def _discrete_terms(draws: Draws) -> Terms:
    _, which, counts = np.unique(draws.values, axis=0, return_inverse=True, return_counts=True)
    single = float(np.mean(counts[which.ravel()] == 1))
    warnings: tuple[str, ...] = ()
    if single > _MOST_SINGLE:
        warnings = (
            f"{single:.0%} of the draws have a value that occurs once: much mass is unseen, the entropy too low.",
        )
    # For Poisson counts E[n digamma(n)] is close to E[n] log E[n] except for rare values (Grassberger 2003). The digamma of
    # the total removes the bias (k - 1) / 2n and gives a constant the entropy 0.
    return Terms(
        values=special.digamma(counts[which.ravel()]) - special.digamma(draws.size),
        method="frequencies",
        extra_variance=variance_of_second_order(len(counts), 1 / effective_draws(draws)),
        warnings=warnings,
    )


def variance_of_second_order(k: int, scale: float) -> float:
    """Variance of ``scale`` / 2 times a chi-square with ``k`` degrees of freedom: the second-order error of frequencies.

    It is the whole error of the entropy of a uniform distribution and of the divergence of equal distributions, whose
    terms are all equal. One degree of freedom is for values that were not drawn.
    """
    return 0.5 * k * scale**2


def cut_circle(values: Array, period: float) -> Array:
    """Angles of shape (n, 1), turned so that the largest gap between draws lies at the ends of [0, period)."""
    angles = np.mod(values, period)
    ordered = np.sort(angles[:, 0])
    gaps = np.diff(ordered, append=ordered[0] + period)
    start = ordered[(int(np.argmax(gaps)) + 1) % len(ordered)]
    return np.mod(angles - start, period)
