"""The data of a model, as it holds them now."""

import numpy as np
import pymc as pm
from pymc.pytensorf import constant_fold
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.functions import interpreted


def observed_data(model: pm.Model) -> dict[str, np.ndarray]:
    """Data by observed variable; what ``pm.set_data`` last put into a container is seen."""
    result = {}
    for rv in model.observed_RVs:
        value = model.rvs_to_values[rv]
        result[rv.name] = np.asarray(value.get_value() if isinstance(value, SharedVariable) else _constant(value))
    return result


def _constant(value: TensorVariable) -> np.ndarray:
    if isinstance(value, Constant):
        return np.asarray(value.data)
    folded = constant_fold([value], raise_not_constant=False)[0]
    if isinstance(folded, np.ndarray | np.generic | float | int):
        return np.asarray(folded)
    return interpreted([], [folded])()[0]
