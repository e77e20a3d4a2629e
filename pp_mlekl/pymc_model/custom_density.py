"""An observed variable of an unknown family, as a distribution with a log density and draws."""

import numpy as np

from pp_mlekl.divergences.sampled_density import SampledDensity
from pp_mlekl.pymc_model.draws.conditional import drawn_one_by_one, observed_draws
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array


def model_density(functions: ModelFunctions, name: str, z: Array) -> SampledDensity:
    """One observed variable of a model at some parameters.

    Parameters
    ----------
    functions
        The model's functions.
    name
        The observed variable; the others stay at their data.
    z
        Unconstrained, shape (draws, d).

    Returns
    -------
    SampledDensity
        Drawing from it raises ValueError where PyMC has no random function for the variable.
    """
    (variable,) = [v for v in functions.observed if v.name == name]

    def density(taken: Array, values: Array) -> Array:
        terms = functions.pointwise(z[taken], data={name: values[:, None]})
        return terms[..., variable.pointwise]

    def draw(taken: Array, generator: np.random.Generator) -> Array:
        return observed_draws(functions, name, z[taken], generator)

    return SampledDensity(
        taken=np.arange(len(z)),
        row_shape=variable.shape,
        value_shape=variable.value.shape,
        density=density,
        draw=draw,
        one_by_one=drawn_one_by_one(functions, name),
    )
