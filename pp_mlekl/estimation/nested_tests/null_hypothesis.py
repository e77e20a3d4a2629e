"""A null hypothesis as a point of the parameter space; one on its boundary or outside is refused."""

from collections.abc import Mapping
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# Largest relative difference between a null and its value after the transform and back: numerical noise.
_ROUND_TRIP = 1e-7
# Fraction of the way to the estimate by which a null on the boundary is moved inside.
_INWARD = 1e-6


def null_point(problem: Problem, best: PointEstimate, null: Mapping[str, ArrayLike]) -> tuple[Array, Array, Array]:
    """The estimate moved to the null (d,), the coordinates of z that it fixes, and their places in the natural vector.

    Parameters
    ----------
    problem, best
        The likelihood, and its maximum.
    null
        As for ``nested_tests``.

    Raises
    ------
    ValueError
        Where the null has another shape than the parameter, fixes none of its elements, or is not inside the parameter space.
    """
    functions = problem.functions
    free = {v.name: v for v in functions.free}
    values, coordinates, natural = functions.natural(best.flat), [], []
    for name, given in null.items():
        v = free[name]
        wanted_values = _null_values(name, given, v.shape)
        fixed = ~np.isnan(wanted_values)
        if not fixed.any():
            raise ValueError(f"null leaves every element of {name!r} free; give at least one a value.")
        if not fixed.all() and v.value_shape != v.shape:
            raise ValueError(
                f"The elements of {name!r} have no coordinates of their own; the null must fix all of them."
            )
        values[name] = np.where(fixed, wanted_values, values[name])
        places = np.flatnonzero(fixed.ravel())
        coordinates.append(v.flat.start + places if v.value_shape == v.shape else np.arange(v.flat.start, v.flat.stop))
        natural.append(v.natural.start + places)
    places, elements = np.concatenate(coordinates), np.concatenate(natural)
    point = best.flat.copy()
    point[places] = functions.unconstrain(values)[places]
    if not _inside(functions, point, values, elements):
        _refuse(functions, best, values, places, elements, null)
    return point, places, elements


def _null_values(name: str, given: ArrayLike, shape: tuple[int, ...]) -> Array:
    """The null's values of one variable in the variable's shape, NaN for what stays free."""
    wanted_values = np.asarray(given, dtype=float)
    if wanted_values.shape not in ((), shape):
        raise ValueError(
            f"null[{name!r}] must have the variable's shape {shape}, or be one number, got shape {wanted_values.shape}."
        )
    if np.isinf(wanted_values).any():
        raise ValueError(f"null[{name!r}] must be finite, got {given!r}.")
    return np.broadcast_to(wanted_values, shape)


def _inside(functions: ModelFunctions, point: Array, values: Mapping[str, Array], elements: Array) -> bool:
    """Whether z (d,) is a finite point at which the natural values are those given."""
    if not np.all(np.isfinite(point)):
        return False
    wanted = np.concatenate([np.ravel(values[v.name]) for v in functions.free])
    gap = functions.natural_difference(functions.natural_flat(point), wanted)[elements]
    return bool(np.all(np.abs(gap) <= _ROUND_TRIP * (1.0 + np.abs(wanted[elements]))))


def _refuse(
    functions: ModelFunctions,
    best: PointEstimate,
    values: Mapping[str, Array],
    places: Array,
    elements: Array,
    null: Mapping[str, ArrayLike],
) -> NoReturn:
    """Raise ValueError that says whether the null lies on the boundary of the parameter space or outside."""
    centre = functions.natural(best.flat)
    inward = {name: value + _INWARD * (centre[name] - value) for name, value in values.items()}
    point = best.flat.copy()
    point[places] = functions.unconstrain(inward)[places]
    if not _inside(functions, point, inward, elements):
        raise ValueError(
            f"The null must lie in the range of the parameters, got {_listed(null)}; the estimate is "
            f"{_listed({name: centre[name] for name in null})}."
        )
    raise ValueError(
        "The null lies on the boundary of the parameter space, where Wilks' theorem fails: the likelihood ratio is a mixture "
        "of chi-squares (Self & Liang 1987). For one variance at 0, fit the model without it and take half the p value of "
        "2 (difference of log-likelihoods)."
    )


def _listed(values: Mapping[str, ArrayLike]) -> str:
    return ", ".join(f"{n} = {np.array2string(np.asarray(v), precision=4, threshold=6)}" for n, v in values.items())
