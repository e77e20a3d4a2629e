"""NumPy and SciPy functions for scalar operations that PyTensor would evaluate element by element in Python.

Gain for a logistic regression with 1,000 rows, as CPU time without it over that with it: 1.1 in the first fit, 9.4 in later ones
(``benchmarks/interpreter.py``).
"""

import numpy as np
from scipy import special

from pp_mlekl.typing import Array

_BERNOULLI = special.bernoulli(16)[2::2]


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow, in steps that NumPy vectorises (``logaddexp`` takes five times as long)."""
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), in steps that NumPy vectorises (``expit`` takes three times as long)."""
    result = 1.0 / (1.0 + np.exp(-x))
    if not np.all(result):
        # Where exp(x) is below the smallest normal number, exp(-x) overflows.
        result = np.where(result == 0.0, np.exp(x), result)
    return result


def log1mexp(x: Array) -> Array:
    """log(1 - exp(x)) for x <= 0, by the switch at -log 2 of Maechler (2012)."""
    return np.where(x > -np.log(2.0), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def trigamma(x: Array) -> Array:
    """Second derivative of log Gamma, by its asymptotic series from 10 on (``zeta(2, x)`` takes four times as long).

    Source: NIST Digital Library of Mathematical Functions, 5.5.2 and 5.15.8.
    """
    if not np.all(np.greater(x, 0)):
        return special.zeta(2.0, x)
    # In place: fresh arrays for every step take longer than the arithmetic.
    inverse = np.asarray(1.0 / (x + 10.0))
    square, result = np.asarray(inverse * inverse), np.zeros_like(inverse)
    for coefficient in _BERNOULLI[::-1]:
        result += coefficient
        result *= square
    result += 1.0
    result *= inverse
    result += 0.5 * square
    for k in range(9, -1, -1):
        np.add(x, k, out=square)
        square *= square
        result += np.divide(1.0, square, out=square)
    return result[()]


def second(x: Array, y: Array) -> Array:
    """``y`` broadcast to the common shape of ``x`` and ``y``."""
    return np.broadcast_to(y, np.broadcast_shapes(np.shape(x), np.shape(y))).copy()
