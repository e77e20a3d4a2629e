"""KL(P||Q), entropy and cross-entropy of distributions: closed form, quadrature or sum, then Monte Carlo."""

from dataclasses import replace

import numpy as np

from pp_mlekl.divergences.batches import check_same_kind, flat_pair, identical, mutually_singular, shaped
from pp_mlekl.divergences.closed_form import closed_form_kl
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.integration.breakpoints import UNRESOLVED, resolved
from pp_mlekl.divergences.integration.gauss_kronrod import Integral
from pp_mlekl.divergences.integration.log_ratio_mean import itself, log_mass, mean_of, negative, remainder, sum_of
from pp_mlekl.divergences.integration.tails import diverges_in_tail, leaves_support
from pp_mlekl.divergences.monte_carlo import monte_carlo
from pp_mlekl.divergences.units import in_unit_of
from pp_mlekl.typing import Array

# Divergence below which the mean of the log ratio loses digits that the mean of the remainder keeps.
_NEAR = 1e-3
# Estimated relative error of a divergence, however small, above which a warning is given.
_FEW_DIGITS = 1e-3
# Estimated relative error of a quadrature above which a warning is given, unless the absolute error is negligible.
_POOR = 1e-7


def kl_divergence(
    p: Distribution,
    q: Distribution,
    *,
    rtol: float | None = None,
    budget: int | None = None,
    generator: np.random.Generator | None = None,
) -> Estimate:
    """KL(P||Q) = E_P[log p - log q] in nats, elementwise over the broadcast batch shape.

    Parameters
    ----------
    p, q
        Distributions of values of the same kind: both discrete or both continuous, with event axes of one shape.
    rtol
        Relative standard error at which Monte Carlo stops; Monte Carlo is used only where no other method applies.
    budget
        Maximum number of draws of Monte Carlo.
    generator
        Source of Monte Carlo's draws.

    Returns
    -------
    Estimate
        ``inf`` where P puts mass that Q does not, or where E_P[-log q] diverges in a tail.

    Raises
    ------
    ValueError
        Where P and Q are not distributions of the same kind.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> normal = family("Normal")
    >>> estimate = kl_divergence(normal(mu=[0, 1], sigma=1), normal(mu=1, sigma=2))
    >>> estimate.value.round(4).tolist(), estimate.method
    ([0.4431, 0.3181], 'closed form')
    """
    check_same_kind(p, q)
    direction = "KL(P||Q)"
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    if mutually_singular(p, q):
        return Estimate(value=shaped(np.full(shape, np.inf)), mcse=0.0, method="supports", direction=direction)
    value = np.zeros(shape) if p is q else closed_form_kl(p, q)
    if value is not None and (p.event_ndim or not np.any(np.isnan(value))):
        return Estimate(value=shaped(value), mcse=0.0, method="closed form", direction=direction)
    if p.event_ndim:
        exact = sum_of(p, q, itself)
        if exact is not None:
            return Estimate(value=shaped(exact), mcse=0.0, method="summation", direction=direction)
        return _by_monte_carlo(p.expand(shape), q.expand(shape), rtol, budget, generator)
    p_flat, q_flat, _ = in_unit_of(*flat_pair(p, q))
    return by_quadrature(p, _completed(p_flat, q_flat, value), shape, direction)


def entropy(
    p: Distribution,
    *,
    rtol: float | None = None,
    budget: int | None = None,
    generator: np.random.Generator | None = None,
) -> Estimate:
    """Entropy of P in nats, elementwise: differential for a continuous P.

    For a distribution with atoms of mass m and a density p it is -sum m log m - integral of p log p.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> round(entropy(family("SkewNormal")(mu=0, sigma=1, alpha=0)).value, 6)
    1.418939
    """
    value = p.entropy()
    if value is not None:
        return Estimate(value=shaped(value), mcse=0.0, method="closed form", direction="H(P)")
    if p.event_ndim:
        exact = sum_of(p, None, negative)
        if exact is not None:
            return Estimate(value=shaped(exact), mcse=0.0, method="summation", direction="H(P)")
        return monte_carlo(p, lambda x: -p.log_density(x), "H(P)", rtol, budget, generator)
    flat, _, unit = in_unit_of(*flat_pair(p, p))
    found = mean_of(flat, None, negative)
    value = np.where(resolved(flat), found.value + np.log(unit), np.nan)
    found = Integral(value=value, error=found.error)
    return by_quadrature(p, found, p.batch_shape, "H(P)", divergence=False)


def cross_entropy(
    p: Distribution,
    q: Distribution,
    *,
    rtol: float | None = None,
    budget: int | None = None,
    generator: np.random.Generator | None = None,
) -> Estimate:
    """E_P[-log q] in nats, elementwise; ``inf`` where KL(P||Q) is.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> normal = family("Normal")
    >>> round(cross_entropy(normal(mu=0, sigma=1), normal(mu=0, sigma=2)).value, 6)
    1.737086
    """
    check_same_kind(p, q)
    own = p.entropy()
    if own is None and not mutually_singular(p, q) and p.event_ndim and p.points() is None:
        p = p.expand(np.broadcast_shapes(p.batch_shape, q.batch_shape))
        return monte_carlo(p, lambda x: -q.log_density(x), "H(P,Q)", rtol, budget, generator)
    first = kl_divergence(p, q, rtol=rtol, budget=budget, generator=generator)
    second = entropy(p, rtol=rtol, budget=budget, generator=generator)
    return Estimate(
        value=shaped(np.asarray(first.value) + np.asarray(second.value)),
        mcse=shaped(np.hypot(first.mcse, second.mcse)),
        method=first.method if first.method != "closed form" else second.method,
        direction="H(P,Q)",
        warnings=first.warnings + second.warnings,
    )


def _by_monte_carlo(
    p: Distribution, q: Distribution, rtol: float | None, budget: int | None, generator: np.random.Generator | None
) -> Estimate:
    infinite = _has_infinite_part(p, q)
    if np.all(infinite):
        return Estimate(value=shaped(np.full(infinite.shape, np.inf)), mcse=0.0, method="tails", direction="KL(P||Q)")
    found = monte_carlo(p, lambda x: _log_ratio(p, q, x), "KL(P||Q)", rtol, budget, generator)
    value, error = np.where(infinite, np.inf, found.value), np.where(infinite, 0.0, found.mcse)
    return replace(found, value=shaped(value), mcse=shaped(error))


def _has_infinite_part(p: Distribution, q: Distribution) -> Array:
    """Whether a part of a continuous mixture P has infinite KL, by closed form, to every part of Q, as a t(2) to normals.

    In a tail, -log q grows like the smallest -log density among the parts of Q.
    """
    result = np.zeros(p.batch_shape, dtype=bool)
    if p.discrete:
        return result
    for weight, part in p.components():
        closed = (closed_form_kl(part, other) for _, other in q.components())
        everywhere = weight > 0
        for value in closed:
            everywhere = everywhere & (value is not None and np.isposinf(value))
        result |= everywhere
    return result


def _log_ratio(p: Distribution, q: Distribution, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return p.log_density(x) - q.log_density(x)


def by_quadrature(
    p: Distribution, integral: Integral, shape: tuple[int, ...], direction: str, *, divergence: bool = True
) -> Estimate:
    """Integrals or sums under P, (n,), as an estimate of this shape, with a warning where the numerical error is large.

    A divergence should have correct digits however small it is; for an entropy the absolute error counts as well.
    """
    value = integral.value.reshape(shape)
    with np.errstate(all="ignore"):
        error = integral.error.reshape(shape)
        poor = np.isnan(value) | (error > _POOR * np.abs(value) + 1e-12)
        if divergence:
            poor |= error > _FEW_DIGITS * np.abs(value)
    warnings = []
    narrow = np.isnan(value) & (not p.discrete)
    if np.any(poor & ~np.isinf(value) & ~narrow):
        worst = float(np.nanmax(np.where(np.isfinite(value), error, 0.0), initial=0.0))
        warnings.append(f"The numerical error may be as large as {worst:.1g}.")
    if np.any(narrow):
        warnings.append(UNRESOLVED)
    method = "summation" if p.discrete else "quadrature"
    return Estimate(value=shaped(value), mcse=0.0, method=method, direction=direction, warnings=tuple(warnings))


def _completed(p: Distribution, q: Distribution, known: Array | None) -> Integral:
    """The closed form where it has an answer, numerical elsewhere."""
    if known is None:
        return _numerical_kl(p, q)
    value, error = np.array(known, dtype=np.float64).reshape(-1), np.zeros(np.size(known))
    rows = np.flatnonzero(np.isnan(value))
    found = _numerical_kl(p.select(rows), q.select(rows))
    value[rows], error[rows] = found.value, found.error
    return Integral(value=value, error=error)


def _numerical_kl(p: Distribution, q: Distribution) -> Integral:
    infinite = _is_infinite(p, q)
    value, error = np.where(infinite, np.inf, 0.0), np.zeros(infinite.size)
    rows = np.flatnonzero(~infinite & ~identical(p, q))
    if rows.size:
        found = mean_of(p.select(rows), q.select(rows), itself)
        value[rows] = np.where(resolved(p.select(rows)), found.value, np.nan)
        error[rows] = found.error
    near = rows[np.abs(value[rows]) < _NEAR]
    if near.size:
        close_p, close_q = p.select(near), q.select(near)
        found = mean_of(close_p, close_q, remainder)
        value[near], error[near] = found.value + _outside(close_p, close_q), found.error
    return Integral(value=value, error=error)


def _outside(p: Distribution, q: Distribution) -> Array:
    """Q's mass outside P's support, which the remainder r - 1 + exp(-r) counts."""
    support = p.support()
    below = q.cdf(np.ceil(support.lower) - 1) if p.discrete else q.cdf(support.lower)
    mass = np.where(np.isfinite(support.lower), below, 0.0)
    mass = mass + np.where(np.isfinite(support.upper), q.survival(support.upper), 0.0)
    if not p.discrete and p.atoms() is not None:
        # An atom of both at the lower end is not outside.
        mass = mass - np.where(np.isfinite(support.lower), np.exp(log_mass(q, support.lower)), 0.0)
    return mass


def _is_infinite(p: Distribution, q: Distribution) -> Array:
    infinite = np.broadcast_to(_misses_atoms(p, q) | leaves_support(p, q), p.batch_shape).copy()
    for weight, part in p.components():
        if part.atoms() is None:
            infinite |= (weight > 0) & diverges_in_tail(part.expand(p.batch_shape), q)
    return infinite


def _misses_atoms(p: Distribution, q: Distribution) -> Array:
    """Whether P has a point mass where Q has only a density (or nothing)."""
    result = np.zeros(p.batch_shape, dtype=bool)
    points, other = p.atoms(), q.atoms()
    if points is None:
        return result
    for k in range(points.shape[-1]):
        at = points[..., k]
        with np.errstate(all="ignore"):
            has_mass = np.isfinite(at) & (p.log_density(np.where(np.isfinite(at), at, 0.0)) > -np.inf)
        found = np.zeros(p.batch_shape, dtype=bool) if other is None else np.any(other == at[..., None], axis=-1)
        result |= has_mass & ~found
    return result
