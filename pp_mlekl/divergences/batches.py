"""Pairs of distributions as flat batches, and checks of a pair before anything is computed."""

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array


def check_same_kind(p: Distribution, q: Distribution) -> None:
    """Raise ValueError where P and Q cannot be compared."""
    if p.discrete != q.discrete:
        kinds = ["discrete" if d.discrete else "continuous" for d in (p, q)]
        raise ValueError(f"P is {kinds[0]} and Q is {kinds[1]}: a divergence needs both to be of one kind.")
    if p.event_ndim != q.event_ndim:
        raise ValueError(f"P and Q must have the same number of event axes; P has {p.event_ndim} and Q {q.event_ndim}.")
    try:
        np.broadcast_shapes(p.batch_shape, q.batch_shape)
    except ValueError as error:
        raise ValueError(
            f"The batch shapes of P and Q must broadcast; they are {p.batch_shape} and {q.batch_shape}."
        ) from error
    shapes = p.event_shape, q.event_shape
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"P and Q must have values of one shape; those of P have shape {shapes[0]}, those of Q {shapes[1]}."
        )


def mutually_singular(p: Distribution, q: Distribution) -> bool:
    """Whether two continuous distributions are mutually singular because they have different numbers of free coordinates.

    A Dirichlet's values lie on a simplex, to which a multivariate normal gives no mass.
    """
    return not p.discrete and p.event_ndim > 0 and p.free_dimension != q.free_dimension


def flat_pair(p: Distribution, q: Distribution) -> tuple[Distribution, Distribution]:
    """Both distributions broadcast to one batch axis."""
    shape = np.broadcast_shapes(p.batch_shape, q.batch_shape)
    if not shape:
        return p.select(None), q.select(None)
    index = np.unravel_index(np.arange(int(np.prod(shape, dtype=int))), shape)
    return p.expand(shape).select(index), q.expand(shape).select(index)


def identical(p: Distribution, q: Distribution) -> Array:
    """Which elements of two distributions of batch shape (n,) have the same family and parameters."""
    if type(p) is not type(q):
        return np.zeros(p.batch_shape, dtype=bool)
    same = np.ones(p.batch_shape, dtype=bool)
    for name in vars(p):
        a, b = getattr(p, name), getattr(q, name)
        if (a is None) != (b is None):
            return np.zeros(p.batch_shape, dtype=bool)
        if isinstance(a, Distribution):
            same &= identical(a, b)
        elif isinstance(a, tuple):
            if len(a) != len(b):
                return np.zeros(p.batch_shape, dtype=bool)
            for x, y in zip(a, b, strict=True):
                same &= identical(x, y)
        elif isinstance(a, np.ndarray):
            if a.shape != b.shape:
                return np.zeros(p.batch_shape, dtype=bool)
            equal = a == b
            same &= equal.reshape(*equal.shape[:1], -1).all(axis=-1) if equal.ndim > 1 else equal
    return same


def shaped(value: Array) -> Array | float:
    """An array as it is, or a float where it has no axes."""
    return float(value) if np.ndim(value) == 0 else value
