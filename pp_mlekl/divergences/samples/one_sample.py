"""log p at draws of p: the part of every divergence that one sample gives."""

import numpy as np
from scipy import special

from pp_mlekl.divergences.distribution import Array
from pp_mlekl.divergences.samples.checks import Draws
from pp_mlekl.divergences.samples.correction import density_correction, log_copula_density, normal_scores
from pp_mlekl.divergences.samples.effective_size import effective_size
from pp_mlekl.divergences.samples.gaussianize import fit_gaussianizer
from pp_mlekl.divergences.samples.neighbours import log_density
from pp_mlekl.divergences.samples.terms import Terms, halves, remaining_bias

NEIGHBOURS = 5
# Singletons among discrete draws beyond this share mean that much of the mass has not been seen.
_MOST_SINGLE = 0.05
# From this dimension on neighbours see only part of a dependence that is not normal; nats of it that are worth a word.
_FAR_APART = 5
_STRUCTURE = 0.1


def thinned(draws: Draws) -> Draws:
    """Every so-many-th draw of strongly autocorrelated chains.

    In two and more dimensions a draw's nearest neighbours would otherwise be its predecessors in the chain.
    """
    if draws.chains is None or draws.dimension == 1 or draws.discrete:
        return draws
    by_chain = draws.values.reshape(draws.chains, -1, draws.dimension)
    smallest = min(effective_size(by_chain[..., j]) for j in range(draws.dimension))
    step = int(draws.size / (2 * smallest))
    return draws if step < 2 else draws.with_values(by_chain[:, ::step].reshape(-1, draws.dimension))


def log_density_terms(draws: Draws) -> Terms:
    """Estimates of log p at the draws, corrected by what the same estimator misses on normals."""
    if draws.discrete:
        return _discrete_terms(draws)
    generator = np.random.default_rng(draws.size)
    parts = halves(draws.size, generator)
    full = _log_density(draws.values)
    half = np.empty(draws.size)
    for index in parts:
        half[index] = _log_density(draws.values[index])
    d = draws.dimension
    how = "spacings" if d == 1 else f"{NEIGHBOURS} nearest neighbours of normal scores, spacings of the margins"
    error = density_correction(draws.size, d, NEIGHBOURS)[1]
    half_error = density_correction(draws.size // 2, d, NEIGHBOURS)[1]
    return Terms(
        values=full,
        method=f"{how} (corrected on normals)",
        extra_variance=error**2,
        bias=remaining_bias(full, half, d, float(np.hypot(error, half_error))),
        warnings=_unseen_structure(draws.values, full),
    )


def _log_density(x: Array) -> Array:
    """log p at the draws: that of the margins by spacings, that of the dependence by neighbours of normal scores."""
    n, d = x.shape
    margins = _sum_of_margins(x)
    return margins if d == 1 else margins + log_copula_density(x, NEIGHBOURS) - density_correction(n, d, NEIGHBOURS)[0]


def _sum_of_margins(x: Array) -> Array:
    correction = density_correction(len(x), 1, NEIGHBOURS)[0]
    total = np.zeros(len(x))
    for column in x.T:
        z, log_slope = fit_gaussianizer(column[:, None])(column[:, None])
        total += log_density(z, NEIGHBOURS) + log_slope - correction
    return total


def _unseen_structure(x: Array, log_densities: Array) -> tuple[str, ...]:
    """A warning where neighbours are so far apart that they see only part of what is not normal."""
    d = x.shape[1]
    if d < _FAR_APART:
        return ()
    dependence = log_densities.mean() - _sum_of_margins(x).mean()
    seen = dependence + 0.5 * np.linalg.slogdet(np.corrcoef(normal_scores(x).T))[1]
    if seen < _STRUCTURE:
        return ()
    return (f"Dependence that is not a normal's is seen ({seen:.2f} nats) and more of it unseen in {d} dimensions.",)


def _discrete_terms(draws: Draws) -> Terms:
    _, which, counts = np.unique(draws.values, axis=0, return_inverse=True, return_counts=True)
    single = float(np.mean(counts[which.ravel()] == 1))
    warnings: tuple[str, ...] = ()
    if single > _MOST_SINGLE:
        warnings = (f"{single:.0%} of the draws are the only one of their value: mass is unseen, the entropy too low.",)
    # For Poisson counts E[n digamma(n)] = E[n] log E[n] but for values hardly ever seen (Grassberger 2003).
    return Terms(
        values=special.digamma(counts[which.ravel()]) - np.log(draws.size), method="frequencies", warnings=warnings
    )


def cut_circle(values: Array, period: float) -> Array:
    """Angles of shape (n, 1), turned so that the largest gap between draws lies at the ends of [0, period)."""
    angles = np.mod(values, period)
    ordered = np.sort(angles[:, 0])
    gaps = np.diff(ordered, append=ordered[0] + period)
    start = ordered[(int(np.argmax(gaps)) + 1) % len(ordered)]
    return np.mod(angles - start, period)
