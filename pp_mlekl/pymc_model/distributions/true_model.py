"""A PyMC model that stands for the truth: its observed variables' distributions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
from pytensor.tensor.type import TensorType

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.sampled_density import SampledDensity
from pp_mlekl.pymc_model.distributions.from_pymc import distribution_of
from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction
from pp_mlekl.pymc_model.prior_sampler import PriorSampler
from pp_mlekl.pymc_model.rewrites.double_precision import in_double_precision
from pp_mlekl.pymc_model.validation import check_independence
from pp_mlekl.typing import Array


def is_model(candidate: Any) -> bool:
    """Whether something is a PyMC model."""
    return isinstance(candidate, pm.Model)


def model_distributions(
    model: pm.Model, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Distribution], dict[str, SampledDensity]]:
    """The distributions of some of a model's variables, which must have constant parameters.

    Parameters
    ----------
    model
        Without free variables.
    shapes
        Shape of the data by name of the variable.

    Returns
    -------
    known, sampled
        By name: the distributions of known families, and the log densities and draws of unknown families.

    Raises
    ------
    ValueError
        Where the model has free variables, lacks one of the names, or has other shapes.
    """
    free = [rv.name for rv in model.free_RVs if rv.name not in shapes]
    if free:
        raise ValueError(
            f"A model that is the truth has no free variables, but this one has {', '.join(free)}; fix them by "
            "pm.do(model, {name: value, ...})."
        )
    variables = {rv.name: rv for rv in model.basic_RVs}
    missing = [name for name in shapes if name not in variables]
    if missing:
        raise ValueError(
            f"The true model has no variable {missing[0]!r}, which it needs; it has {', '.join(variables) or 'none'}."
        )
    check_independence(model)
    known: dict[str, Distribution] = {}
    sampled: dict[str, SampledDensity] = {}
    for name, shape in shapes.items():
        try:
            known[name] = distribution_of(variables[name])
        except TypeError:
            sampled[name] = _sampled(variables[name], shape)
    return known, sampled


def _sampled(variable: Any, shape: tuple[int, ...]) -> SampledDensity:
    """A variable of an unknown family with constant parameters."""
    own = tuple(variable.shape.eval()) if None in variable.type.shape else variable.type.shape
    if own != shape:
        raise ValueError(f"The true model's {variable.name!r} has shape {own}, the data have {shape}; they must agree.")
    value = TensorType(variable.type.dtype, shape=shape)(f"{variable.name}_value")
    graphs = in_double_precision([pm.logp(variable, value)])
    function = BatchedFunction([value], graphs, max(int(np.prod(shape, dtype=int)), 1))
    sampler = PriorSampler([variable], [shape], {})

    def density(taken: Array, values: Array) -> Array:
        found = function(values)[0][:, None]
        return np.broadcast_to(found, (len(found), len(taken), *found.shape[2:]))

    def draw(taken: Array, generator: np.random.Generator) -> Array:
        return sampler.draw(len(taken), generator)[0]

    rows = shape[: graphs[0].type.ndim]
    return SampledDensity(taken=np.zeros(1, dtype=int), row_shape=rows, value_shape=shape, density=density, draw=draw)
