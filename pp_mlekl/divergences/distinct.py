"""Groups of rows with equal distributions, so that each group is computed once."""

from dataclasses import fields

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array

# Two random projections tell any two different rows apart.
_PROJECTIONS = 2


def distinct_rows(*distributions: Distribution) -> tuple[Array, Array]:
    """The first of each group of rows with equal parameters, and every row's group.

    Parameters
    ----------
    distributions
        Batch shapes (rows,) or (draws, rows), with the same number of rows or 1.

    Examples
    --------
    >>> from pp_mlekl.divergences.families import family
    >>> first, group = distinct_rows(family("Normal")(mu=[1.0, 2.0, 1.0], sigma=1.0), family("Gamma")(alpha=[2.0], beta=1.0))
    >>> first.tolist(), group.tolist()
    ([0, 1], [0, 1, 0])
    """
    rows = max(d.batch_shape[-1] for d in distributions)
    generator = np.random.default_rng(0)
    total = np.zeros((rows, _PROJECTIONS))
    for distribution in distributions:
        for table in _tables(distribution, distribution.batch_shape):
            weights = generator.normal(size=(table.shape[1], _PROJECTIONS))
            # Parameters such as an absent bound are infinite.
            finite = np.nan_to_num(table, nan=0.123, posinf=1.234e9, neginf=-2.345e9)
            total = total + np.sum(finite[:, :, None] * weights, axis=1)
    _, first, inverse = np.unique(total, axis=0, return_index=True, return_inverse=True)
    return first, inverse.ravel()


def _tables(distribution: Distribution, batch: tuple[int, ...]) -> list[Array]:
    """Each parameter as (rows or 1, values of that row)."""
    result = []
    for f in fields(distribution):  # type: ignore[arg-type]
        value = getattr(distribution, f.name)
        parts = value if isinstance(value, tuple) else (value,)
        for part in parts:
            if part is None:
                continue
            if isinstance(part, Distribution):
                result += _tables(part, batch)
                continue
            ndim = distribution.parameter_ndim.get(f.name, 0)
            own = part.reshape((1,) * max(len(batch) + ndim - part.ndim, 0) + part.shape)
            result.append(np.moveaxis(own, len(batch) - 1, 0).reshape(own.shape[len(batch) - 1], -1))
    return result
