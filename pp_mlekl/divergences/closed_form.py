"""Closed forms of KL(P||Q): a table of rules by the pair of families, and expectations that fit together.

Within a family the rules are written to stay accurate where P and Q nearly agree. Across families the cross-entropy
is a sum of expectations that Q asks for and P may know (mean, second moment, E log X, ...).
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from pp_mlekl.divergences.distribution import Array, Distribution

Rule = Callable[[Distribution, Distribution], Array]
F = TypeVar("F", bound=Callable)

_RULES: dict[tuple[type, type], Rule] = {}


def kl_rule(p: type[Distribution], q: type[Distribution]) -> Callable[[F], F]:
    """Register the closed form of KL(p||q), in nats, for a pair of families.

    Raises
    ------
    ValueError
        Where the pair has a rule already.
    """

    def register(rule: F) -> F:
        if (p, q) in _RULES:
            raise ValueError(f"KL({p.__name__}||{q.__name__}) has a rule already.")
        _RULES[p, q] = rule
        return rule

    return register


def closed_form_kl(p: Distribution, q: Distribution) -> Array | None:
    """KL(p||q) in nats where there is a closed form, elementwise ``inf`` where it is infinite; None where there is none."""
    p, q = _folded(p, q)
    rule = _RULES.get((type(p), type(q)))
    if rule is not None:
        with np.errstate(all="ignore"):
            value = rule(p, q)
        return None if value is None else np.broadcast_to(value, np.broadcast_shapes(p.batch_shape, q.batch_shape))
    return _by_expectations(p, q)


def _folded(p: Distribution, q: Distribution) -> tuple[Distribution, Distribution]:
    images = p.fold(), q.fold()
    if images[0] is not None and images[1] is not None and images[0][0] == images[1][0]:
        return images[0][1], images[1][1]
    return p, q


def _by_expectations(p: Distribution, q: Distribution) -> Array | None:
    entropy = p.entropy()
    terms = q.cross_entropy_terms()
    if entropy is None or terms is None or p.discrete != q.discrete or p.event_ndim or q.event_ndim:
        return None
    with np.errstate(all="ignore"):
        total = terms.constant - entropy
        for coefficient, statistic, argument in terms.statistics:
            expectation = p.expectation(statistic, argument)
            if expectation is None:
                return None
            total = total + np.where(coefficient == 0, 0.0, coefficient * expectation)
    total = np.broadcast_to(total, np.broadcast_shapes(p.batch_shape, q.batch_shape))
    return None if np.any(np.isnan(total)) else np.where(_covers(q, p), total, np.inf)


def _covers(q: Distribution, p: Distribution) -> Array:
    inner, outer = p.support(), q.support()
    return (inner.lower >= outer.lower) & (inner.upper <= outer.upper)


def rules() -> list[tuple[str, str]]:
    """The pairs of families with a closed form: those with a rule and those whose expectations fit together."""
    from pp_mlekl.divergences.families import FAMILIES

    pairs = {(p.__name__, q.__name__) for p, q in _RULES}
    pairs |= {(p.__name__, p.__name__) for p in FAMILIES.values() if p.fold is not Distribution.fold}
    for p in FAMILIES.values():
        for q in FAMILIES.values():
            known = set(p.known_expectations)
            if q.needed_expectations is not None and p.closed_entropy and set(q.needed_expectations) <= known:
                pairs.add((p.__name__, q.__name__))
    return sorted(pairs)
