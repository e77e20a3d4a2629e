"""Jensen-Shannon divergence: the mean divergence of P and Q from their equal-weight mixture, at most log 2."""

import numpy as np

from pp_mlekl.divergences.batches import check_same_kind, flat_pair, identical, mutually_singular, shaped
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.integration.breakpoints import apart, resolved
from pp_mlekl.divergences.integration.gauss_kronrod import Integral
from pp_mlekl.divergences.integration.log_ratio_mean import even_part, mean_of, sum_of
from pp_mlekl.divergences.kullback_leibler import by_quadrature
from pp_mlekl.divergences.monte_carlo import monte_carlo
from pp_mlekl.divergences.units import in_unit_of
from pp_mlekl.typing import Array

# A term near its maximum is checked again: the other distribution may be too narrow for doubles to resolve.
_FAR = 0.99 * np.log(2)


def js_divergence(
    p: Distribution,
    q: Distribution,
    *,
    rtol: float | None = None,
    budget: int | None = None,
    generator: np.random.Generator | None = None,
) -> Estimate:
    """JSD(P, Q) = KL(P||M)/2 + KL(Q||M)/2 with M = (P + Q)/2, in nats, elementwise.

    It is the divergence, not its square root (the distance that ``scipy.spatial.distance.jensenshannon`` returns);
    always finite, log 2 where P and Q share no mass.

    Parameters
    ----------
    p, q
        Distributions of values of the same kind: both discrete or both continuous, with event axes of one shape.
    rtol, budget, generator
        For Monte Carlo, of vector-valued distributions: the relative standard error to reach, the maximum number of draws
        from each side, and the source of the draws.

    Raises
    ------
    ValueError
        Where P and Q are not distributions of the same kind.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> uniform = family("Uniform")
    >>> float(round(js_divergence(uniform(lower=0, upper=1), uniform(lower=1, upper=2)).value / np.log(2), 12))
    1.0
    """
    check_same_kind(p, q)
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    if mutually_singular(p, q):
        return Estimate(value=shaped(np.full(shape, np.log(2))), mcse=0.0, method="supports", direction="JSD(P,Q)")
    if p.event_ndim:
        sides = [sum_of(first, second, even_part) for first, second in ((p, q), (q, p))]
        if sides[0] is not None and sides[1] is not None:
            value = np.minimum((sides[0] + sides[1]) / 2, np.log(2))
            return Estimate(value=shaped(value), mcse=0.0, method="summation", direction="JSD(P,Q)")
        return _by_monte_carlo(p.expand(shape), q.expand(shape), rtol, budget, generator)
    a, b = flat_pair(p, q)
    value, error = np.zeros((2, *a.batch_shape))
    rows = np.flatnonzero(~identical(a, b))
    if rows.size:
        a, b = a.select(rows), b.select(rows)
        of_a, of_b = (mean_of(*in_unit_of(*pair)[:2], even_part) for pair in ((a, b), (b, a)))
        value[rows] = _joined(a, b, of_a.value, of_b.value)
        error[rows] = np.where(value[rows] < np.log(2), (of_a.error + of_b.error) / 2, 0.0)
    return by_quadrature(p, Integral(value=value, error=error), shape, "JSD(P,Q)")


def _joined(a: Distribution, b: Distribution, of_a: Array, of_b: Array) -> Array:
    """Half the sum of the two terms; log 2 where the distributions share no mass that doubles resolve, else NaN if one is too narrow."""
    narrow = [~resolved(d) for d in (a, b)]
    of_a, of_b = (np.where(side, 0.0, term) for side, term in zip(narrow, (of_a, of_b), strict=True))
    larger, lost = np.maximum(of_a, of_b), np.minimum(of_a, of_b) <= 0
    # The other term is the divergence from a distribution narrower than the spacing of doubles.
    value = np.minimum(np.where(lost & (larger > _FAR), larger, (of_a + of_b) / 2), np.log(2))
    value = np.where((narrow[0] | narrow[1]) & (value < _FAR), np.nan, value)
    rows = np.flatnonzero(lost | (larger > _FAR))
    if rows.size and not a.discrete:
        value[rows[apart(a.select(rows), b.select(rows))]] = np.log(2)
    return value


def _by_monte_carlo(
    p: Distribution, q: Distribution, rtol: float | None, budget: int | None, generator: np.random.Generator | None
) -> Estimate:
    generator = np.random.default_rng(0) if generator is None else generator

    def term(first: Distribution, second: Distribution, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return even_part(first.log_density(x) - second.log_density(x))[0]

    sides = [
        monte_carlo(a, lambda x, a=a, b=b: term(a, b, x), "JSD(P,Q)", rtol, budget, generator)  # type: ignore[misc]
        for a, b in ((p, q), (q, p))
    ]
    value = (np.asarray(sides[0].value) + np.asarray(sides[1].value)) / 2
    error = np.hypot(np.asarray(sides[0].mcse), np.asarray(sides[1].mcse)) / 2
    warnings = tuple(dict.fromkeys(w for side in sides for w in side.warnings))
    return Estimate(
        value=shaped(value), mcse=shaped(error), method="Monte Carlo", direction="JSD(P,Q)", warnings=warnings
    )
