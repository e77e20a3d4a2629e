"""Adaptive Gauss-Kronrod integration of many one-dimensional integrals at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pp_mlekl.typing import Array

# Gauss-Kronrod (10, 21), QUADPACK's qk21: nodes on [0, 1], Kronrod and Gauss weights.
_HALF = np.array(
    [
        0.995657163025808080735527280689003,
        0.973906528517171720077964012084452,
        0.930157491355708226001207180059508,
        0.865063366688984510732096688423493,
        0.780817726586416897063717578345042,
        0.679409568299024406234327365114874,
        0.562757134668604683339000099272694,
        0.433395394129247190799265943165784,
        0.294392862701460198131126603103866,
        0.148874338981631210884826001129720,
        0.0,
    ]
)
_KRONROD = np.array(
    [
        0.011694638867371874278064396062192,
        0.032558162307964727478818972459390,
        0.054755896574351996031381300244580,
        0.075039674810919952767043140916190,
        0.093125454583697605535065465083366,
        0.109387158802297641899210590325805,
        0.123491976262065851077958109585166,
        0.134709217311473325928054001771707,
        0.142775938577060080797094273138717,
        0.147739104901338491374841515972068,
        0.149445554002916905664936468389821,
    ]
)
_GAUSS = np.array(
    [
        0.066671344308688137593568809893332,
        0.149451349150580593145863396957837,
        0.219086362515982043995534934228163,
        0.269266719309996355091226921569469,
        0.295524224714752870173815619188769,
    ]
)
NODES = np.concatenate([-_HALF, _HALF[-2::-1]])
KRONROD = np.concatenate([_KRONROD, _KRONROD[-2::-1]])
GAUSS = np.zeros(21)
GAUSS[1:10:2] = _GAUSS
GAUSS[11:20:2] = _GAUSS[::-1]

# Values computed at a time: a few temporaries of 8 MB each.
_CHUNK = 1_000_000
# Maximum number of rounds of halving, and of panels for one integral; its error is then reported as it is.
_ROUNDS = 40
_MOST_PANELS = 1_500

Integrand = Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True, kw_only=True)
class Integral:
    """Values and estimated absolute errors, each of shape (n,)."""

    value: Array
    error: Array


def integrate(function: Integrand, edges: Array, *, rtol: float = 1e-11, atol: float = 1e-15) -> Integral:
    """Integrals of many functions, each over its own panels, halved where they do not suffice.

    Parameters
    ----------
    function
        Maps points (21, m) and the index (m,) of the integral that each column belongs to to the values (21, m) and
        to the size of the rounding error in them (21, m), below which no refinement is tried.
    edges
        Ascending along the first axis, shape (k + 1, n); empty panels cost nothing.
    rtol, atol
        Error at which refinement stops, relative to each integral and absolute.

    Returns
    -------
    Integral

    Examples
    --------
    >>> def power(x, which):
    ...     return x ** np.array([2.0, 0.5])[which], 0 * x
    >>> integrate(power, np.array([[0.0, 0.0], [1.0, 1.0]])).value.round(10).tolist()
    [0.3333333333, 0.6666666667]
    """
    panels, n = edges.shape[0] - 1, edges.shape[1]
    which = np.tile(np.arange(n), panels)
    low, high = edges[:-1].ravel(), edges[1:].ravel()
    real = high > low
    low, high, which = low[real], high[real], which[real]
    done = np.zeros((3, n))
    count = np.bincount(which, minlength=n)
    for _ in range(_ROUNDS):
        value, error, noise = _panels(function, low, high, which)
        sums = done + np.stack([np.bincount(which, w, minlength=n) for w in (value, error, noise)])
        allowed = np.maximum(np.maximum(rtol * np.abs(sums[0]), atol), 4 * sums[2])
        # A panel is halved where it holds a tenth of the error its integral may still have.
        split = (error > 0.1 * allowed[which]) & (sums[1] > allowed)[which] & (count < _MOST_PANELS)[which]
        split &= (high - low) > 1e-13 * np.maximum(np.abs(low), np.abs(high))
        done = done + np.stack([np.bincount(which[~split], w[~split], minlength=n) for w in (value, error, noise)])
        if not np.any(split):
            break
        low, high, which = low[split], high[split], which[split]
        middle = low + (high - low) / 2
        low, high, which = np.concatenate([low, middle]), np.concatenate([middle, high]), np.tile(which, 2)
        count = count + np.bincount(which, minlength=n) // 2
    else:
        done = sums
    return Integral(value=done[0], error=np.maximum(done[1], done[2]))


def _panels(function: Integrand, low: Array, high: Array, which: Array) -> tuple[Array, Array, Array]:
    step = max(1, _CHUNK // len(NODES))
    pieces = [
        _rule(function, low[i : i + step], high[i : i + step], which[i : i + step]) for i in range(0, len(low), step)
    ]
    if not pieces:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    return tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))  # type: ignore[return-value]


def _rule(function: Integrand, low: Array, high: Array, which: Array) -> tuple[Array, Array, Array]:
    half = (high - low) / 2
    values, rounding = function(low + half + half * NODES[:, None], which)
    # Infinite values are an answer: where P has mass and Q has none.
    with np.errstate(all="ignore"):
        value = half * (KRONROD @ values)
        spread = half * (KRONROD @ np.abs(values - value / (2 * half)))
        error = np.abs(value - half * (GAUSS @ values))
        # QUADPACK's scaling, since Kronrod's rule is much more accurate than the Gauss rule with which it is compared.
        error = np.where(spread > 0, spread * np.minimum(1.0, (200 * error / spread) ** 1.5), error)
    return value, error, half * (KRONROD @ rounding)
