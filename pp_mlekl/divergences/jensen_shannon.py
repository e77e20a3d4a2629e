"""Jensen-Shannon divergence: the mean divergence of P and Q from their even mixture, at most log 2."""

from collections.abc import Callable

import numpy as np

from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.kullback_leibler import by_rows, check_same_kind, identical, integrated
from pp_mlekl.divergences.monte_carlo import DRAWS, monte_carlo

# Below this divergence the plain form would lose more than nine of sixteen digits.
_NEAR = 1e-7
# Where the series of h is exact to double precision.
_SERIES = 1e-2


def js_divergence(
    p: Distribution, q: Distribution, *, budget: int = DRAWS, generator: np.random.Generator | None = None
) -> Estimate:
    """JSD(P, Q) = KL(P||M)/2 + KL(Q||M)/2 with M the even mixture, in nats, elementwise.

    It is the divergence, not its square root (the distance that ``scipy.spatial.distance.jensenshannon`` returns);
    always finite, log 2 where P and Q share no mass.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> js_divergence(family("Uniform")(lower=0, upper=1), family("Uniform")(lower=1, upper=2)).value / np.log(2)
    1.0
    """
    check_same_kind(p, q)
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    if p.event_ndim:
        return _by_monte_carlo(p, q, budget, generator)
    value = by_rows(p, q, _numerical).reshape(shape)
    method = "summation" if p.discrete else "quadrature"
    return Estimate(value=float(value) if value.ndim == 0 else value, mcse=0.0, method=method, direction="JSD(P,Q)")


def _numerical(p: Distribution, q: Distribution) -> Array:
    total = _both_sides(p, q, _plain)
    near = total < _NEAR
    if np.any(near):
        total = total.copy()
        total[near] = _both_sides(p.select(near), q.select(near), _even)
    return np.where(identical(p, q), 0.0, np.clip(total, 0.0, np.log(2)))


def _both_sides(p: Distribution, q: Distribution, term: Callable[[Array], Array]) -> Array:
    def integrand(a: Distribution, b: Distribution, x: Array) -> Array:
        return term(_ratio(a, b, x))

    return (integrated(p, q, integrand) + integrated(q, p, integrand)) / 2


def _ratio(p: Distribution, q: Distribution, x: Array) -> Array:
    with np.errstate(all="ignore"):
        top, bottom = p.log_density(x), q.log_density(x)
        ratio = top - bottom
    p_atoms, q_atoms = p.atoms(), q.atoms()
    if p_atoms is not None or q_atoms is not None:
        # A point mass has infinite density: where only one of the two has it, the ratio is infinite.
        in_p, in_q = (
            np.zeros(x.shape, dtype=bool) if a is None else np.any(x[..., None] == a, axis=-1)
            for a in (p_atoms, q_atoms)
        )
        ratio = np.where(in_p & ~in_q, np.inf, np.where(in_q & ~in_p, -np.inf, ratio))
    return ratio


def _plain(log_ratio: Array) -> Array:
    """log(2 r / (1 + r)) of a log ratio."""
    with np.errstate(all="ignore"):
        return np.log(2) - np.logaddexp(0.0, -log_ratio)


def _even(log_ratio: Array) -> Array:
    """The same expectation without cancellation near equality.

    With M the mixture and d = (p - q) / (p + q) = tanh(log r / 2), JSD is the integral of M h(d),
    h(d) = ((1 + d) log(1 + d) + (1 - d) log(1 - d)) / 2, which is even in d; each side carries half of M = p / (1 + d).
    """
    with np.errstate(all="ignore"):
        d = np.tanh(log_ratio / 2)
        h = ((1 + d) * np.log1p(d) + (1 - d) * np.log1p(-d)) / 2
        series = d * d / 2 * (1 + d * d / 6 * (1 + 0.4 * d * d))
        return np.nan_to_num(np.where(np.abs(d) < _SERIES, series, h) / (1 + d), posinf=0.0)


def _by_monte_carlo(p: Distribution, q: Distribution, budget: int, generator: np.random.Generator | None) -> Estimate:
    generator = np.random.default_rng(0) if generator is None else generator

    def part(a: Distribution, b: Distribution) -> Estimate:
        def term(x: Array) -> Array:
            with np.errstate(all="ignore"):
                return np.log(2) - np.logaddexp(0.0, b.log_density(x) - a.log_density(x))

        return monte_carlo(a, term, "", None, budget, generator)

    first, second = part(p, q), part(q, p)
    return Estimate(
        value=(first.value + second.value) / 2,
        mcse=np.hypot(first.mcse, second.mcse) / 2,
        method="Monte Carlo",
        direction="JSD(P,Q)",
    )
