"""Groups of rows with equal distributions, so that each group is computed once."""

from dataclasses import fields

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.typing import Array


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
    # A table of one row holds for all of them.
    tables = [t for d in distributions for t in _tables(d, d.batch_shape) if len(t) > 1]
    groups: dict[bytes, int] = {}
    first: list[int] = []
    group = np.empty(rows, dtype=int)
    for row in range(rows):
        group[row] = groups.setdefault(b"".join(t[row].tobytes() for t in tables), len(first))
        if group[row] == len(first):
            first.append(row)
    return np.array(first), group


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
