"""Closed forms of KL(P||Q): rules by pair of families, and sums of expectations.

Within a family, and across families that share members, the rules are written to stay accurate where P and Q nearly
agree. Otherwise the cross-entropy is a sum of expectations under P of statistics that Q's log density is linear in (X, X^2,
log X, ...), where P has a closed form for each of them.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.units import has_ordinary_parameters
from pp_mlekl.typing import Array

Rule = Callable[[Distribution, Distribution], Array]
F = TypeVar("F", bound=Callable[..., Any])

# The closed forms by the ordered pair of families.
RULES: dict[tuple[type, type], Rule] = {}
# A sum smaller than this fraction of its terms has lost too many digits.
_CANCELLED = 1e-6


def kl_rule(p: type[Distribution], q: type[Distribution]) -> Callable[[F], F]:
    """Register the closed form of KL(p||q), in nats, for a pair of families.

    The rule gives NaN for elements that have no closed form.

    Raises
    ------
    ValueError
        Where the pair has a rule already.
    """

    def register(rule: F) -> F:
        if (p, q) in RULES:
            raise ValueError(f"KL({p.__name__}||{q.__name__}) has a rule already; remove one of them.")
        RULES[p, q] = rule
        return rule

    return register


def closed_form_kl(p: Distribution, q: Distribution) -> Array | None:
    """KL(p||q) in nats by closed form, of the broadcast batch shape; None where the pair of families has none.

    An element is ``inf`` where the divergence is infinite, and NaN where it has no closed form (two negative
    binomials of different dispersion) or where the closed form would have lost its digits.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> logistic = family("Logistic")
    >>> closed_form_kl(logistic(mu=0, s=1), logistic(mu=[1, 2], s=[1, 3])).round(6).tolist()
    [0.163953, nan]
    """
    image_p, image_q = _folded(p, q)
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    with np.errstate(all="ignore"):
        rule = RULES.get((type(image_p), type(image_q)))
        value = _by_expectations(p, q) if rule is None else rule(image_p, image_q)
    if value is None or (value.size and np.all(np.isnan(value))):
        return None
    return np.broadcast_to(value, shape)


def _folded(p: Distribution, q: Distribution) -> tuple[Distribution, Distribution]:
    images = p.fold(), q.fold()
    if images[0] is not None and images[1] is not None and images[0][0] == images[1][0]:
        return images[0][1], images[1][1]
    return p, q


def _by_expectations(p: Distribution, q: Distribution) -> Array | None:
    if not (expectations_fit(type(p), type(q)) and p.discrete == q.discrete and p.event_ndim == q.event_ndim == 0):
        return None
    entropy, terms = p.entropy(), q.cross_entropy_terms()
    if entropy is None or terms is None:
        return None
    total = terms.constant - entropy
    size = np.abs(terms.constant) + np.abs(entropy)
    for coefficient, statistic, *arguments in terms.statistics:
        expectation = p.expectation(statistic, *arguments)
        if expectation is None:
            return None
        term = np.where(coefficient == 0, 0.0, coefficient * expectation)
        total, size = total + term, size + np.abs(term)
    total = np.where(np.abs(total) < _CANCELLED * size, np.nan, total)
    if not p.discrete:
        total = np.where(has_ordinary_parameters(p) & has_ordinary_parameters(q), total, np.nan)
    return np.where(_covers(q, p), total, np.inf)


def _covers(q: Distribution, p: Distribution) -> Array:
    inner, outer = p.support(), q.support()
    return (inner.lower >= outer.lower) & (inner.upper <= outer.upper)


def expectations_fit(p: type[Distribution], q: type[Distribution]) -> bool:
    """Whether P has every expectation that the cross-entropy to Q needs."""
    needed = q.needed_expectations
    return p.closed_entropy and needed is not None and all(hasattr(p, f"expected_{name}") for name in needed)
