"""Named quantities of a model (deterministics, free variables) as one differentiable vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytensor.tensor as pt
import xarray as xr
from pytensor.gradient import NullTypeGradError, jacobian, pushforward
from pytensor.graph.utils import MethodNotDefined
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction
from pp_mlekl.pymc_model.interpreter.lazy_function import without_c
from pp_mlekl.pymc_model.layout import dims_of, labelled, labels
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.value_ranges import value_ranges
from pp_mlekl.pymc_model.weighted_objective import Data
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantities:
    """Named variables of a model as one vector-valued function of z.

    Parameters
    ----------
    functions
        The model's functions.
    names
        Deterministics or free variables.
    data
        Observed data in place of the model's.
    """

    functions: ModelFunctions
    names: tuple[str, ...]
    data: Data = None

    @property
    def variables(self) -> list[TensorVariable]:
        """The variables of the model's graph."""
        return [self.functions.model.named_vars[name] for name in self.names]

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of each."""
        start = self.functions.initial_point()
        return [v.shape for v in self.functions.evaluate(self.variables, start, data=self.data)]

    @property
    def size(self) -> int:
        """Number of elements of all, m."""
        return sum(int(np.prod(shape, dtype=int)) for shape in self.shapes)

    @property
    def labels(self) -> list[str]:
        """Labels of the elements, such as ``odds_ratio[PSI]``."""
        model = self.functions.model
        pairs = zip(self.names, self.shapes, strict=True)
        return [label for n, shape in pairs for label in labels(model, n, dims_of(model, n, len(shape)), shape)]

    @cached_property
    def ranges(self) -> list[tuple[float, float]]:
        """Bounds of each variable over all values of the parameters; infinite where its graph gives none."""
        values = self.functions.values
        data = self.functions.observed_data() | dict(self.data or {})
        known = {variable: np.asarray(data[name]) for name, variable in values.data.items()}
        return value_ranges(values.of_values(self.variables), known)

    def values(self, z: Array) -> Array:
        """All elements in one vector, (*batch, m)."""
        parts = self.functions.evaluate(self.variables, z, data=self.data)
        return np.concatenate([np.asarray(p, dtype=float).reshape(*z.shape[:-1], -1) for p in parts], axis=-1)

    def jacobian(self, z: Array) -> Array:
        """Derivatives at one z of shape (d,): shape (m, d), in min(m, d) passes.

        Raises
        ------
        ValueError
            Where PyTensor knows no derivative of an operation.
        """
        functions = self.functions
        data = functions.observed_data() | dict(self.data or {})
        key = ("jacobian of quantities", self.names)
        by_row, function = functions.kept(key, lambda: self._derivative(self.size <= functions.size))
        if by_row:
            return function(z, *data.values())[0]
        return function(np.eye(functions.size), z, *data.values())[0].T

    def dataset(self, flat: Array) -> xr.Dataset:
        """A vector (m,) as a Dataset on the quantities' dims and coords."""
        model, start, arrays = self.functions.model, 0, {}
        for name, shape in zip(self.names, self.shapes, strict=True):
            stop = start + int(np.prod(shape, dtype=int))
            arrays[name] = labelled(model, name, flat[start:stop].reshape(shape), (), dims_of(model, name, len(shape)))
            start = stop
        return xr.Dataset(arrays)

    def _derivative(self, by_row: bool) -> tuple[bool, BatchedFunction]:
        """Whether each pass gives a row of the Jacobian, and the function for one pass."""
        values, z = self.functions.values, self.functions.values.z
        graphs = values.of_values(self.variables)
        flat = pt.concatenate([graph.ravel().astype("float64") for graph in graphs])
        inputs = [z, *values.data.values()]
        elements = max(self.size, self.functions.n_observations)
        try:
            with without_c():
                if by_row:
                    rows = jacobian(flat, z, vectorize=True, disconnected_inputs="ignore")
                    return True, BatchedFunction(inputs, [rows], elements * self.functions.size)
                direction = pt.dvector("direction")
                column = pushforward(flat, z, direction, disconnected_outputs="ignore")
                return False, BatchedFunction([direction, *inputs], [column], elements)
        except (MethodNotDefined, NotImplementedError, NullTypeGradError) as error:
            if not by_row:
                # A column needs a derivative of a derivative; a row does not.
                return self._derivative(True)
            raise ValueError(
                f"PyTensor knows no derivative of one of {', '.join(self.names)}: {error}; name others in var_names."
            ) from error


def quantities(functions: ModelFunctions, var_names: Sequence[str] | None, data: Data = None) -> Quantities:
    """Named quantities of a model; all its real-valued deterministics where no names are given.

    Raises
    ------
    ValueError
        Where a name is neither a deterministic nor a free variable, is discrete, or nothing is left.
    """
    model = functions.model
    real = [v.name for v in model.deterministics if v.type.dtype.startswith("float")]
    if var_names is None:
        if not real:
            raise ValueError("The model has no pm.Deterministic of real numbers; add one, or name free variables.")
        return Quantities(functions=functions, names=tuple(real), data=data)
    names = (var_names,) if isinstance(var_names, str) else tuple(var_names)
    known = [*real, *(v.name for v in functions.free)]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        what = f"{unknown[0]!r} is none of them" if unknown else "nothing is named"
        raise ValueError(f"var_names must name deterministics of real numbers or free variables, of {known}; {what}.")
    return Quantities(functions=functions, names=names, data=data)
