"""The arrays that a model was built from: observed values, covariates, codes of groups.

A builder that is called with two data sets of one shape makes two graphs that differ in these arrays only. So the functions of one
model serve all data sets: the arrays that differ become inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors, toposort
from pytensor.tensor.type import TensorType

from pp_mlekl.pymc_model.layout import observed_data
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class DataArrays:
    """Observed values and leaves of a model's graph.

    Parameters
    ----------
    model
        The model.
    """

    model: pm.Model

    @cached_property
    def leaves(self) -> dict[str, Variable[Any, Any]]:
        """The constants and shared variables in the graphs of the model's variables, by name, in the order of the graph."""
        return self._walk[0]

    @property
    def form(self) -> tuple[Any, ...]:
        """What two models have in common that differ in their arrays only."""
        names = [v.name for v in self.model.basic_RVs]
        return (*names, *((name, array.shape) for name, array in self.arrays.items()), *self._walk[1])

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """Current values: of the observed variables by their names, then of the leaves."""
        return observed_data(self.model) | {name: value_of(leaf) for name, leaf in self.leaves.items()}

    @cached_property
    def _walk(self) -> tuple[dict[str, Variable[Any, Any]], list[Any]]:
        places: dict[Any, int] = {}
        leaves: dict[str, Variable[Any, Any]] = {}
        form: list[Any] = []
        for node in toposort([*self.model.basic_RVs, *self.model.potentials]):
            for variable in node.inputs:
                if variable.owner is None and variable not in places:
                    places[variable] = len(places)
                    if isinstance(variable, Constant | SharedVariable) and isinstance(variable.type, TensorType):
                        named = variable.name if isinstance(variable, SharedVariable) else None
                        leaves[named or f"array {len(leaves)} of the graph"] = variable
            form.append((str(node.op), *(places[i] for i in node.inputs)))
            places.update({out: len(places) + k for k, out in enumerate(node.outputs)})
        return leaves, form


def value_of(leaf: Any) -> Array:
    """The current value of a constant or a shared variable."""
    return np.asarray(leaf.get_value() if isinstance(leaf, SharedVariable) else leaf.data)


def as_input(name: str, leaf: Any) -> Any:
    """A variable to stand for a leaf; numbers are wide enough for those of other data sets."""
    kind = value_of(leaf).dtype.kind
    dtype = {"f": "float64", "i": "int64", "u": "uint64"}.get(kind, leaf.type.dtype)
    return TensorType(dtype, shape=value_of(leaf).shape)(name)


def check_same_prior(graphs: Sequence[Any], varying: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """Raise ValueError where graphs of the prior depend on an array that differs between data sets."""
    reached = set(ancestors(graphs)) if varying else set()
    for name, leaf in varying.items():
        if inputs[name] in reached:
            raise ValueError(
                f"The prior depends on the data ({name}, of shape {value_of(leaf).shape}), so that it differs between data sets; "
                f"let `simulate` keep this array, or the prior be without it."
            )
