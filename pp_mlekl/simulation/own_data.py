"""Data sets from a user's function: their covariates and groups may differ from one to the next."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedPoint, expected_at
from pp_mlekl.estimation.quadrature_data import NodeData
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.pymc_model.data_arrays import DataArrays
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.simulation.prepared_job import built
from pp_mlekl.typing import Array, Potentials

if TYPE_CHECKING:
    import pymc as pm

Simulate = Callable[[int, Any, int], Any]
"""Draws a data set, given the number of observations, a truth and a seed."""

# Data sets by which the information at the truth is estimated.
_PILOT = 32
_SEEDS = 2**32


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnData:
    """Data sets of one size from a user's function, for one model.

    Parameters
    ----------
    build
        A function that is called with each data set and returns its model; or a model, whose observed variables and
        ``pm.Data`` the data sets replace.
    simulate, truth, size
        The function, and its first two arguments.
    potentials
        As for ``study``.
    """

    build: "pm.Model | Callable[..., pm.Model]"
    simulate: Simulate
    truth: Any
    size: int
    potentials: Potentials

    @cached_property
    def functions(self) -> ModelFunctions:
        """The functions of the model of the first data set; the arrays that differed among a few data sets are inputs."""
        return self._pilot[0]

    @cached_property
    def pseudo_true(self) -> ExpectedPoint:
        """The true values, and the information there as estimated from a few data sets."""
        functions, drawn = self._pilot
        shape = (_PILOT, functions.n_observations)
        nodes = NodeData(
            data={name: values[:, 0] for name, values in drawn.data.items()},
            weights=np.full(shape, 1 / _PILOT),
            row_of=np.broadcast_to(np.arange(functions.n_observations), shape),
            exact=False,
        )
        return expected_at(functions, nodes, self._flat(functions))

    @cached_property
    def known(self) -> tuple[str, ...]:
        """The free variables of which the truth has a value of the model's shape."""
        given = _mapping(self.truth)
        shapes = {v.name: v.shape for v in self.functions.free}
        return tuple(name for name in shapes if name in given and np.shape(given[name]) == shapes[name])

    def draw(self, count: int, generator: np.random.Generator) -> tuple[ModelFunctions, Replicates]:
        """Data sets, and functions that take all of their arrays that differ from the first data set's."""
        return self.draw_each([self.truth] * count, generator)

    def draw_each(self, truths: Sequence[Any], generator: np.random.Generator) -> tuple[ModelFunctions, Replicates]:
        """The same with a truth of its own for each data set."""
        count = len(truths)
        seeds = generator.integers(_SEEDS, size=count).tolist()
        found = [self._arrays(truth, seed) for truth, seed in zip(truths, seeds, strict=True)]
        first = self._first.arrays
        varying = tuple(n for n in self._first.leaves if any(not np.array_equal(one[n], first[n]) for one in found))
        functions = model_functions(self._first.model, self.potentials, varying=varying)
        data = {name: np.stack([one[name] for one in found])[:, None] for name in functions.observed_data()}
        weights = np.ones((1, 1, functions.n_observations))
        return functions, Replicates(size=functions.n_observations, count=count, data=data, weights=weights)

    @cached_property
    def _pilot(self) -> tuple[ModelFunctions, Replicates]:
        return self.draw(_PILOT, np.random.default_rng(0))

    @cached_property
    def _first(self) -> DataArrays:
        """The arrays of the first data set's model, or of the user's."""
        return self._built(self.truth, 0) if self._from_data else DataArrays(model=built(self.build))

    @property
    def _from_data(self) -> bool:
        return takes_data(self.build)

    def _built(self, truth: Any, seed: int) -> DataArrays:
        build: Any = self.build
        return DataArrays(model=built(lambda: build(self.simulate(self.size, truth, seed))))

    def _arrays(self, truth: Any, seed: int) -> dict[str, Array]:
        first = self._first
        if self._from_data:
            made = self._built(truth, seed)
            _check_shapes(made.arrays, first.arrays)
            if made.form != first.form:
                raise ValueError(
                    "The models of two data sets differ in more than their data; let `build` return the same model for all "
                    "data sets of a size."
                )
            return made.arrays
        given = self._named(self.simulate(self.size, truth, seed))
        _check_shapes(given, first.arrays)
        return first.arrays | given

    def _named(self, data: Any) -> dict[str, Array]:
        """What the user's function returned, by name: an array is the only observed variable's."""
        observed = [rv.name for rv in self._first.model.observed_RVs]
        given = _mapping(data)
        if not given and data is not None and len(observed) == 1:
            given = {observed[0]: data}
        known = [*observed, *self._first.model.named_vars.keys() & self._first.leaves.keys()]
        unknown = [name for name in given if name not in known]
        missing = [name for name in observed if name not in given]
        if unknown or missing:
            raise ValueError(
                f"`simulate` must return the observed variables and pm.Data of the model ({', '.join(known)}) by name, got "
                f"{', '.join(map(str, given)) or type(data).__name__}; or let `build` be a function of the data set."
            )
        return {str(name): np.asarray(value) for name, value in given.items()}

    def _flat(self, functions: ModelFunctions) -> Array:
        """The true values in z; the initial point for variables of which the truth has none."""
        if not self.known:
            raise ValueError(
                f"`truth` has a value for none of the model's parameters ({', '.join(v.name for v in functions.free)}), with which "
                f"estimates could be compared; add at least one, of the parameter's shape."
            )
        start = functions.initial_point()
        given = _mapping(self.truth)
        values = functions.natural(start) | {name: np.asarray(given[name], dtype=float) for name in self.known}
        whole = functions.unconstrain(values)
        for v in functions.free:
            if v.name in self.known:
                if not np.all(np.isfinite(whole[v.flat])):
                    raise ValueError(
                        f"truth[{v.name!r}] = {given[v.name]} is outside the support of its prior; use a value inside."
                    )
                start[v.flat] = whole[v.flat]
        return start


def takes_data(build: Any) -> bool:
    """Whether ``build`` is a function of a data set, rather than a model or a function without arguments."""
    return callable(build) and bool(signature(build).parameters)


def _mapping(data: Any) -> dict[Any, Any]:
    """A mapping, Dataset or table as a dictionary of its columns; empty for anything else."""
    if isinstance(data, xr.Dataset):
        return dict(data.data_vars)
    return dict(data.items()) if isinstance(data, Mapping) or hasattr(data, "columns") else {}


def _check_shapes(found: Mapping[str, Array], first: Mapping[str, Array]) -> None:
    for name, array in found.items():
        if name in first and array.shape != first[name].shape:
            raise ValueError(
                f"{name} of one data set has the shape {array.shape}, of another {first[name].shape}; all data sets of a size "
                f"must have equal numbers of observations and groups."
            )
