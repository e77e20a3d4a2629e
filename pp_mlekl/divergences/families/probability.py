"""Probabilities p with accurate 1 - p and logarithms, given as numbers or by log odds, which do not round to 0 or 1."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pp_mlekl.divergences.distribution import Distribution, numbers
from pp_mlekl.divergences.special import entropy_term, excess, expm1_minus, log1p_minus
from pp_mlekl.typing import Array

# Difference of log odds above which logarithms are compared, since exp(difference) - 1 may overflow.
_FAR_APART = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Probability:
    """The probability of an event, given as a number or by its log odds.

    Parameters
    ----------
    p
        The probability, any shape.
    logit
        log p - log(1 - p), of the same shape; None where ``p`` itself is exact.
    """

    p: Array
    logit: Array | None = None

    @property
    def complement(self) -> Array:
        """1 - p."""
        return 1 - self.p if self.logit is None else special.expit(-self.logit)

    @property
    def log(self) -> Array:
        """log p."""
        with np.errstate(divide="ignore"):
            return np.log(self.p) if self.logit is None else -np.logaddexp(0.0, -self.logit)

    @property
    def log_complement(self) -> Array:
        """log(1 - p)."""
        with np.errstate(divide="ignore"):
            return np.log1p(-self.p) if self.logit is None else -np.logaddexp(0.0, self.logit)

    @property
    def log_odds(self) -> Array:
        """log p - log(1 - p)."""
        return self.log - self.log_complement if self.logit is None else self.logit

    @property
    def is_impossible(self) -> Array:
        """Whether the probability is 0."""
        return np.isneginf(self.log)

    @property
    def is_certain(self) -> Array:
        """Whether the probability is 1."""
        return np.isneginf(self.log_complement)

    def divergence(self, other: "Probability") -> Array:
        """KL(self||other) in nats between two Bernoulli variables; infinite where ``other`` excludes a possible outcome."""
        if self.logit is None and other.logit is None:
            return _between_numbers(self.p, other.p)
        return _between_log_odds(self, other)


class WithPresence(Distribution):
    """A distribution with excess mass at 0 and another part of probability ``psi``, or log odds ``logit_psi``."""

    psi: Array
    logit_psi: Array | None

    def __post_init__(self) -> None:
        if self.logit_psi is not None:
            object.__setattr__(self, "psi", special.expit(numbers(type(self).__name__, "logit_psi", self.logit_psi)))
        elif self.psi is None:
            raise ValueError(f"{type(self).__name__} needs psi.")
        super().__post_init__()

    @property
    def presence(self) -> Probability:
        """The probability of the part other than the excess mass at 0."""
        return Probability(p=self.psi, logit=self.logit_psi)


def _between_numbers(p: Array, q: Array) -> Array:
    p, q = np.broadcast_arrays(np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64))
    with np.errstate(all="ignore"):
        # (1 - q) - (1 - p) is p - q, which does not have the rounding errors of the complements.
        near = (1 - p) * excess((p - q) / (1 - p))
        far = special.xlog1py(1 - p, -p) - special.xlog1py(1 - p, -q) - (1 - p) + (1 - q)
    other = np.where(1 - q < 0.5 * (1 - p), far, near)
    other = np.where(p == 1, 1 - q, np.where(q == 1, np.inf, other))
    return entropy_term(p, q) + other


def _between_log_odds(p: Probability, q: Probability) -> Array:
    """log(1 + a (exp(s) - 1)) - a s, with a the smaller of p and 1 - p and s the step of its log odds."""
    with np.errstate(all="ignore"):
        flipped = p.log_odds > 0
        rare = np.where(flipped, p.complement, p.p)
        log_rare = np.where(flipped, p.log_complement, p.log)
        step = np.where(flipped, -1.0, 1.0) * (q.log_odds - p.log_odds)
        near = rare * expm1_minus(step) + log1p_minus(rare * np.expm1(step))
        far = np.logaddexp(0.0, log_rare + step + np.log1p(-np.exp(-step))) - rare * step
        value = np.where(step > _FAR_APART, far, near)
        certain = np.where(p.is_certain, -q.log, -q.log_complement)
    value = np.where(p.is_certain | p.is_impossible, certain, value)
    allowed = ~((q.is_impossible & ~p.is_impossible) | (q.is_certain & ~p.is_certain))
    return np.where(allowed, value, np.inf)


def category_divergence(p: Array, log_p: Array, log_q: Array) -> Array:
    """KL in nats of categories from probabilities ``p`` and the logarithms of both, on the last axis."""
    log_p, log_q = np.broadcast_arrays(log_p, log_q)
    with np.errstate(all="ignore"):
        step = log_q - log_p
        # p log(p / q) - p + q, without an overflow of q / p.
        terms = np.where(step > _FAR_APART, np.exp(log_q) - p * (1 + step), p * expm1_minus(step))
    terms = np.where(np.isneginf(log_q), np.inf, terms)
    terms = np.where(np.isneginf(log_p), np.exp(log_q), terms)
    return np.sum(terms, axis=-1)


def normalized_weights(name: str, p: Array | None, logit_p: Array | None) -> tuple[Array, Array | None]:
    """Probabilities of categories on the last axis, and their logarithms where those are given.

    Raises
    ------
    ValueError
        Where neither is given, or a weight is negative or infinite, or all are 0.
    """
    if logit_p is not None:
        logs = numbers(name, "logit_p", logit_p)
        if logs.ndim == 0 or np.any(np.isnan(logs) | np.isposinf(logs)) or np.any(np.all(np.isneginf(logs), axis=-1)):
            raise ValueError(f"{name}: logit_p must be a vector without NaN and inf, and not -inf throughout.")
        logs = special.log_softmax(logs, axis=-1)
        return np.exp(logs), logs
    if p is None:
        raise ValueError(f"{name} needs p or logit_p.")
    weights = numbers(name, "p", p)
    if weights.ndim == 0 or not np.all((weights >= 0) & np.isfinite(weights)) or not np.all(weights.sum(axis=-1) > 0):
        raise ValueError(f"{name}: p must be a vector of finite weights, not negative, with a positive sum.")
    return weights / weights.sum(axis=-1, keepdims=True), None
