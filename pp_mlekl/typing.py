"""Types that many signatures share."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import preliz
    import pymc as pm
    import xarray as xr
    from pytensor.tensor.variable import TensorVariable
    from scipy.stats._distn_infrastructure import rv_frozen

    from pp_mlekl.divergences.distribution import Distribution
    from pp_mlekl.inputs.labelled import LabelledDistribution

Array = NDArray[Any]
"""An array of numbers; docstrings give its shape."""

RandomSeed = int | np.random.Generator | np.random.SeedSequence | None
"""A seed as PyMC and NumPy take it; None draws a fresh one."""

Names = str | Sequence[str]
"""A name, or several of them."""

NutsSampler = Literal["nutpie", "pymc", "numpyro", "blackjax"]
"""The samplers of ``pm.sample``; the last two need packages of their own."""

Potentials = Literal["prior", "likelihood"] | None
"""What the model's ``pm.Potential`` terms count as; None where the model has none."""

type SampleKwargs = Mapping[str, Any]
"""Further arguments of ``pm.sample``, by name."""

type ModelBuilder = Callable[[], pm.Model]
"""A function that returns a PyMC model."""

type DistributionLike = (
    str
    | TensorVariable[Any, Any]
    | rv_frozen
    | preliz.distributions.distributions.Distribution
    | Distribution
    | LabelledDistribution
)
"""A distribution: of PyMC (``.dist()``), SciPy (frozen) or PreliZ, by ``mk.distribution``, or text such as ``"Normal(0, 1)"``."""

type DistributionOrDraws = DistributionLike | ArrayLike | xr.DataArray | xr.Dataset | xr.DataTree
"""A distribution, or draws from it."""

type TruthLike = pm.Model | xr.Dataset | DistributionOrDraws | Mapping[str, ArrayLike | DistributionLike]
"""What is true: parameter values, a model without free variables, a distribution, or held-out draws."""
