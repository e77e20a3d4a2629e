"""KL(P||Q), entropy and cross-entropy of distributions: closed form, quadrature or sum, then Monte Carlo."""

from collections.abc import Callable

import numpy as np

from pp_mlekl.divergences.closed_form import closed_form_kl
from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.monte_carlo import DRAWS, monte_carlo
from pp_mlekl.divergences.quadrature import expectation, half_expectation
from pp_mlekl.divergences.tails import diverges_in_tail, leaves_support

Integrand = Callable[[Distribution, Distribution, Array], Array]

# Elements of a batch that are integrated at a time, to bound memory.
_ROWS = 1000


def kl_divergence(
    p: Distribution,
    q: Distribution,
    *,
    rtol: float | None = None,
    budget: int = DRAWS,
    generator: np.random.Generator | None = None,
) -> Estimate:
    """KL(P||Q) = E_P[log p - log q] in nats, elementwise over the broadcast batch shape.

    Parameters
    ----------
    p, q
        Distributions of values of the same kind: both discrete or both continuous, with event axes of one shape.
    rtol
        Relative standard error at which Monte Carlo stops, where there is nothing better.
    budget
        Draws that Monte Carlo may take at the most.
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
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    if p is q:
        return Estimate(value=_shaped(np.zeros(shape)), mcse=0.0, method="closed form", direction="KL(P||Q)")
    value = closed_form_kl(p, q)
    if value is not None:
        return Estimate(value=_shaped(value), mcse=0.0, method="closed form", direction="KL(P||Q)")
    if p.event_ndim:
        return monte_carlo(p, lambda x: p.log_density(x) - q.log_density(x), "KL(P||Q)", rtol, budget, generator)
    value = by_rows(p, q, _numerical_kl).reshape(shape)
    method = "summation" if p.discrete else "quadrature"
    return Estimate(value=_shaped(value), mcse=0.0, method=method, direction="KL(P||Q)")


def entropy(p: Distribution, *, generator: np.random.Generator | None = None) -> Estimate:
    """Entropy of P (differential for a continuous P) in nats, elementwise."""
    value = p.entropy()
    if value is not None:
        return Estimate(value=_shaped(value), mcse=0.0, method="closed form", direction="H(P)")
    if p.event_ndim:
        return monte_carlo(p, lambda x: -p.log_density(x), "H(P)", None, DRAWS, generator)
    value = by_rows(p, p, lambda a, b: integrated(a, b, lambda p, _, x: -p.log_density(x))).reshape(p.batch_shape)
    method = "summation" if p.discrete else "quadrature"
    return Estimate(value=_shaped(value), mcse=0.0, method=method, direction="H(P)")


def cross_entropy(p: Distribution, q: Distribution, *, generator: np.random.Generator | None = None) -> Estimate:
    """E_P[-log q] in nats, elementwise; ``inf`` where KL(P||Q) is."""
    check_same_kind(p, q)
    if p.event_ndim:
        return monte_carlo(p, lambda x: -q.log_density(x), "H(P,Q)", None, DRAWS, generator)
    kl, own = kl_divergence(p, q), entropy(p)
    method = kl.method if kl.method != "closed form" else own.method
    return Estimate(
        value=_shaped(np.asarray(kl.value) + np.asarray(own.value)), mcse=0.0, method=method, direction="H(P,Q)"
    )


def check_same_kind(p: Distribution, q: Distribution) -> None:
    """Raise ValueError where P and Q cannot be compared."""
    if p.discrete != q.discrete:
        kinds = ["discrete" if d.discrete else "continuous" for d in (p, q)]
        raise ValueError(f"P is {kinds[0]} and Q is {kinds[1]}: a divergence needs both to be of one kind.")
    if p.event_ndim != q.event_ndim:
        raise ValueError(f"P has {p.event_ndim} and Q {q.event_ndim} event axes: they are not of one dimension.")


def flat_pair(p: Distribution, q: Distribution) -> tuple[Distribution, Distribution]:
    """Both distributions broadcast to one batch axis."""
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    index = np.unravel_index(np.arange(int(np.prod(shape, dtype=int))), shape) if shape else (None,)
    if not shape:
        return p.select(None), q.select(None)
    return p.expand(shape).select(index), q.expand(shape).select(index)


def by_rows(p: Distribution, q: Distribution, function) -> Array:
    p, q = flat_pair(p, q)
    n = p.batch_shape[0]
    pieces = [function(p.select(slice(i, i + _ROWS)), q.select(slice(i, i + _ROWS))) for i in range(0, n, _ROWS)]
    return np.concatenate(pieces) if pieces else np.zeros(0)


def _numerical_kl(p: Distribution, q: Distribution) -> Array:
    infinite = np.broadcast_to(_misses_atoms(p, q) | leaves_support(p, q), p.batch_shape).copy()
    for weight, part in p.components():
        if part.atoms() is None:
            infinite |= (weight > 0) & diverges_in_tail(part.expand(p.batch_shape), q)
    # Where the answer is infinite the integrand is replaced, so that nothing meaningless is computed or warned of.
    value = integrated(p, q, _log_ratio)
    same = identical(p, q)
    return np.where(infinite, np.inf, np.where(same, 0.0, value))


def _log_ratio(p: Distribution, q: Distribution, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return p.log_density(x) - q.log_density(x)


def integrated(p: Distribution, q: Distribution, integrand: Integrand) -> Array:
    """E_P[integrand(p, q, X)]: point masses exactly, the rest of each component by quadrature or summation."""
    total = np.zeros(p.batch_shape)
    parts = [(weight, part.expand(p.batch_shape)) for weight, part in p.components()]
    for weight, part in parts:
        if part.atoms() is not None:
            with np.errstate(all="ignore"):
                values = integrand(p, q, part.quantile(np.full((1, *p.batch_shape), 0.5)))[0]
        else:
            others = (q, *(other for _, other in parts if other is not part and other.atoms() is None))
            values = _part_expectation(p, q, part, others, integrand)
        with np.errstate(all="ignore"):
            total = total + np.where(weight > 0, weight * values, 0.0)
    return total


def _part_expectation(
    p: Distribution, q: Distribution, part: Distribution, others: tuple[Distribution, ...], integrand: Integrand
) -> Array:
    mirror = p.reflected(), q.reflected()
    if part is not p and len(p.components()) > 1 or mirror[0] is None or mirror[1] is None or p.discrete:
        return expectation(part, lambda x: integrand(p, q, x), others)
    lower = half_expectation(p, lambda x: integrand(p, q, x), (q,))
    return lower + half_expectation(mirror[0], lambda x: integrand(mirror[0], mirror[1], x), (mirror[1],))


def _misses_atoms(p: Distribution, q: Distribution) -> Array:
    """Whether P has a point mass where Q has only a density (or nothing)."""
    points = p.atoms()
    if points is None:
        return np.zeros(p.batch_shape, dtype=bool)
    other = q.atoms()
    result = np.zeros(p.batch_shape, dtype=bool)
    for weight, part in p.components():
        at = part.atoms()
        if at is not None:
            found = False if other is None else np.any(other == at, axis=-1)
            result = result | ((weight > 0) & ~np.asarray(found))
    return result


def identical(p: Distribution, q: Distribution) -> Array:
    if type(p) is not type(q):
        return np.zeros(p.batch_shape, dtype=bool)
    same = np.ones(p.batch_shape, dtype=bool)
    for name in vars(p):
        a, b = getattr(p, name), getattr(q, name)
        if isinstance(a, np.ndarray):
            if a.shape != b.shape:
                return np.zeros(p.batch_shape, dtype=bool)
            equal = a == b
            same &= equal.reshape(*equal.shape[:1], -1).all(axis=-1) if equal.ndim > 1 else equal
        elif isinstance(a, Distribution):
            same &= identical(a, b)
        elif isinstance(a, tuple):
            for x, y in zip(a, b, strict=False):
                same &= identical(x, y)
    return same


def _shaped(value: Array) -> Array | float:
    return float(value) if np.ndim(value) == 0 else value
