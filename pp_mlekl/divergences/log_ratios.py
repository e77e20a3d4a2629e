"""Log ratios of two families that stay accurate where their densities nearly agree."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array

F = TypeVar("F", bound=Callable[..., Array])

# By the ordered pair of families.
LOG_RATIOS: dict[tuple[type, type], Callable[..., Array]] = {}


def log_ratio_rule(p: type[Distribution], q: type[Distribution]) -> Callable[[F], F]:
    """Register ``rule(p, q, x)``, which gives log p - log q at points x; NaN where the plain difference is as accurate."""

    def register(rule: F) -> F:
        if (p, q) in LOG_RATIOS:
            raise ValueError(f"The pair {p.__name__}, {q.__name__} has a log ratio already; remove one of the two.")
        LOG_RATIOS[p, q] = rule
        return rule

    return register


def log_ratio_at(p: Distribution, q: Distribution | None, x: Array, log_p: Array) -> tuple[Array, Array]:
    """log p - log q at points x (log p without ``q``), and the size of its terms, by which its rounding error scales."""
    log_q = np.zeros(()) if q is None else q.log_density(x)
    plain, size = log_p - log_q, 1 + np.abs(log_p) + np.abs(log_q)
    rule = LOG_RATIOS.get((type(p), type(q)))
    if rule is None:
        return plain, size
    exact = rule(p, q, x)
    return np.where(np.isnan(exact), plain, exact), np.where(np.isnan(exact), size, np.abs(exact))
