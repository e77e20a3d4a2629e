"""The data of a model, as it holds them now."""

import numpy as np
import pymc as pm
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.constants import constant_value


def observed_data(model: pm.Model) -> dict[str, np.ndarray]:
    """Data by observed variable; what ``pm.set_data`` last put into a container is seen."""
    return {rv.name: _current(model.rvs_to_values[rv]) for rv in model.observed_RVs}


def _current(value: TensorVariable) -> np.ndarray:
    if isinstance(value, SharedVariable):
        return np.asarray(value.get_value())
    if isinstance(value, Constant):
        return np.asarray(value.data)
    return constant_value(value).astype(value.type.dtype)
