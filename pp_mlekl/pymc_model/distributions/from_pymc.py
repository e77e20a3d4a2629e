"""PyMC variables as distributions of arrays, with constant parameters or at values of a model's free variables."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from pymc.distributions.distribution import SymbolicRandomVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.pymc_model.distributions.parameter_graphs import Parameter, Recipe, parameter_graphs
from pp_mlekl.pymc_model.interpreter.constant_values import constant_value
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

_RECIPES: WeakKeyDictionary[ModelFunctions, tuple[dict[str, Recipe], dict[str, str]]] = WeakKeyDictionary()


def is_random_variable(candidate: Any) -> bool:
    """Whether something is a PyMC random variable, by ``.dist()`` or of a model."""
    owner = getattr(candidate, "owner", None)
    return (
        isinstance(candidate, TensorVariable)
        and owner is not None
        and isinstance(owner.op, RandomVariable | SymbolicRandomVariable)
    )


def distribution_of(variable: TensorVariable) -> Distribution:
    """The distribution of a PyMC variable whose parameters are constant, in double precision.

    Parameters
    ----------
    variable
        A PyMC ``.dist()``, or a model's variable without random parents.

    Returns
    -------
    Distribution
        Its batch shape is the variable's shape without event dimensions.

    Raises
    ------
    TypeError
        Where the variable's family is unknown.
    ValueError
        Where a parameter depends on another random variable.

    Examples
    --------
    >>> import pymc as pm
    >>> distribution_of(pm.Gamma.dist(alpha=2, beta=3)).beta
    array(3.)
    """
    recipe = parameter_graphs(variable)
    values = [constant_value(p.graph) for p in recipe.parameters]
    ndim = variable.type.ndim - variable.owner.op.ndim_supp
    distribution = recipe.build([_aligned(v, p, (), ndim) for v, p in zip(values, recipe.parameters, strict=True)])
    shape = _constant_shape(variable)
    if shape is None:
        return distribution
    if distribution.event_ndim:
        shape = shape[: len(shape) - distribution.event_ndim]
    return distribution if distribution.batch_shape == shape else distribution.expand(shape)


def unknown_families(functions: ModelFunctions) -> dict[str, str]:
    """The observed variables of unknown families (CustomDist, AR, ...), each with the reason in one line."""
    return dict(_recipes(functions)[1])


def _recipes(functions: ModelFunctions) -> tuple[dict[str, Recipe], dict[str, str]]:
    if functions not in _RECIPES:
        variables = {rv.name: rv for rv in functions.model.observed_RVs}
        known, unknown = {}, {}
        for v in functions.observed:
            # A potential that counts as likelihood has no distribution.
            if v.name in variables:
                try:
                    known[v.name] = parameter_graphs(variables[v.name])
                except TypeError as error:
                    unknown[v.name] = str(error)
        _RECIPES[functions] = known, unknown
    return _RECIPES[functions]


def observed_distributions(functions: ModelFunctions, z: Array, *, known: bool = False) -> dict[str, Distribution]:
    """The distribution of every observed variable at ``z``.

    Parameters
    ----------
    functions
        The functions of a model.
    z
        Unconstrained values, shape (*batch, d).
    known
        Whether to leave out variables of unknown families instead of raising TypeError.

    Returns
    -------
    dict
        By observed variable, a distribution of batch shape (*batch, *shape of the pointwise log-likelihood).

    Raises
    ------
    TypeError
        Where the family of an observed variable is unknown.
    """
    z = np.asarray(z, dtype=np.float64)
    recipes, unknown = _recipes(functions)
    if unknown and not known:
        raise TypeError(next(iter(unknown.values())))
    values = functions.evaluate([p.graph for recipe in recipes.values() for p in recipe.parameters], z)
    result = {}
    for observed in functions.observed:
        if observed.name not in recipes:
            continue
        recipe = recipes[observed.name]
        own, values = values[: len(recipe.parameters)], values[len(recipe.parameters) :]
        result[observed.name] = _on_batch(recipe, own, z.shape[:-1], observed.shape)
    return result


def _on_batch(recipe: Recipe, values: Sequence[Array], batch: tuple[int, ...], shape: tuple[int, ...]) -> Distribution:
    aligned = [_aligned(v, p, batch, len(shape)) for v, p in zip(values, recipe.parameters, strict=True)]
    distribution = recipe.build(aligned)
    return distribution if distribution.batch_shape == (*batch, *shape) else distribution.expand((*batch, *shape))


def _aligned(value: Array, parameter: Parameter, batch: tuple[int, ...], ndim: int) -> Array:
    """Put axes of length 1 between those of the draws and those of the parameter, so that they broadcast."""
    value = np.asarray(value, dtype=np.float64)
    own = value.shape[len(batch) :]
    missing = ndim + parameter.extra - (len(own) - parameter.event_ndim) if batch else 0
    return value.reshape((*batch, *([1] * max(missing, 0)), *own))


def _constant_shape(variable: TensorVariable) -> tuple[int, ...] | None:
    """The shape; None where only the parameters' shapes determine it (mixtures of vectors)."""
    shape = variable.type.shape
    if None not in shape:
        return shape
    size = variable.owner.op.size_param(variable.owner) if hasattr(variable.owner.op, "size_param") else None
    if size is not None and not (isinstance(size, Constant) and size.data is None):
        sizes = tuple(int(n) for n in constant_value(size))
        return (*sizes, *shape[len(sizes) :])
    if any(isinstance(v.owner.op, RandomVariable) for v in ancestors([variable.shape]) if v.owner is not None):
        return None
    return tuple(int(n) for n in constant_value(variable.shape))
