"""The flat unconstrained vector of a model and the natural values of its variables, both ways, with their labels."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import ArrayLike
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.gradient import grad
from pytensor.graph.basic import Variable
from pytensor.tensor.type import TensorType

from pp_mlekl.pymc_model.data_arrays import check_same_prior
from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction
from pp_mlekl.pymc_model.layout import FreeVariable, coords_of, free_variables, labels, observed_data
from pp_mlekl.pymc_model.log_density_graphs import ValueGraph
from pp_mlekl.pymc_model.rewrites.double_precision import in_double_precision
from pp_mlekl.typing import Array

# The name of a coordinate in messages, by PyMC's name of its transform.
_SPOKEN = {"log": "log({})", "logodds": "logit({})", "circular": "{}", None: "{}"}
# exp(-800) is 0 in double precision, so that a variable equals its bound there.
_AT_THE_BOUND = 800.0


class ModelTransforms:
    """The transforms of a model's free variables.

    Every method takes ``z`` of shape (d,) or (*batch, d) and evaluates a batch in one vectorised call.
    """

    def __init__(self, model: pm.Model, varying: Mapping[str, Variable[Any, Any]] | None = None):
        self.model = model
        start = model.initial_point()
        value_shapes = {name: np.shape(value) for name, value in start.items()}
        self._start = np.concatenate([np.ravel(start[v.name]) for v in model.value_vars]).astype(np.float64)
        self.values = ValueGraph(model, value_shapes, observed_data(model), varying)
        self.size: int = len(self._start)
        self._natural_graphs = self.values.of_values(model.free_RVs)
        check_same_prior(self._natural_graphs, varying or {}, self.values.data)
        self._natural = BatchedFunction([self.values.z], self._natural_graphs, self.size)
        self.free: tuple[FreeVariable, ...] = free_variables(
            model, value_shapes, [v.shape for v in self._natural(self._start)]
        )
        self.natural_size: int = self.free[-1].natural.stop

    @cached_property
    def natural_names(self) -> list[str]:
        """Labels of the flat natural vector, such as ``theta[Choate]``."""
        return [label for v in self.free for label in labels(self.model, v.name, v.dims, v.shape)]

    @cached_property
    def unconstrained_names(self) -> list[str]:
        """Labels of the flat unconstrained vector, such as ``tau_log__``."""
        result = []
        for v in self.free:
            if v.value_shape == v.shape:
                result += labels(self.model, v.value_name, v.dims, v.shape)
            else:
                result += [f"{v.value_name}[{', '.join(map(str, i))}]" for i in np.ndindex(v.value_shape)]
        return result

    @cached_property
    def spoken_names(self) -> list[str]:
        """The coordinates' names in messages, as functions of the parameters where these are short: ``log(tau)``, ``logit(p / 2)``."""
        result: list[str] = []
        for v in self.free:
            names = self.natural_names[v.natural.start : v.natural.stop]
            if v.transform_name in _SPOKEN:
                result += [_SPOKEN[v.transform_name].format(name) for name in names]
            elif v.transform_name == "interval":
                result += [_of_interval(name, *ends) for name, ends in zip(names, self._bounds(v), strict=True)]
            elif v.transform_name == "ordered" and len(v.shape) == 1:
                result += [names[0], *(f"log({high} - {low})" for low, high in pairwise(names))]
            else:
                count = v.flat.stop - v.flat.start
                result += [f"unconstrained coordinate {i} of {v.name}" for i in range(count)]
        return result

    def _bounds(self, v: FreeVariable) -> Array:
        """Lower and upper bounds (n, 2) of a variable between bounds; NaN where these depend on other variables."""
        points = np.stack([self._start + shift for shift in (0.0, 0.0, 0.7, 0.7)])
        points[:, v.flat] = _AT_THE_BOUND * np.array([[-1.0], [1.0], [-1.0], [1.0]])
        with np.errstate(all="ignore"):
            ends = np.sort(self.natural_flat(points)[:, v.natural].reshape(2, 2, -1), axis=1)
        return np.where(ends[0] == ends[1], ends[0], np.nan).T

    def initial_point(self) -> Array:
        """PyMC's initial point, shape (d,)."""
        return self._start.copy()

    def natural(self, z: Array) -> dict[str, Array]:
        """The free variables on their natural scale, each of shape (*batch, *shape)."""
        return dict(zip([v.name for v in self.free], self._natural(self._checked(z)), strict=True))

    def natural_flat(self, z: Array) -> Array:
        """The free variables on their natural scale in one vector, shape (*batch, natural_size)."""
        z = self._checked(z)
        return np.concatenate([v.reshape(*z.shape[:-1], -1) for v in self._natural(z)], axis=-1)

    def natural_jacobian(self, z: Array) -> Array:
        """d natural_flat / d z, shape (*batch, natural_size, d)."""
        return self.natural_rows(z, np.eye(self.natural_size))

    def natural_rows(self, z: Array, probes: Array) -> Array:
        """``probes`` (k, natural_size) times the Jacobian of ``natural_flat``, shape (*batch, k, d), without forming it."""
        return self._natural_rows(probes, self._checked(z)[..., None, :])[0]

    def natural_bend(self, z: Array, vector: Array) -> Array:
        """Hessian with respect to ``z`` (d,) of the product of ``vector`` and ``natural_flat(z)``, shape (d, d)."""
        return self._natural_bend(np.eye(self.size), vector, self._checked(z))[0]

    @cached_property
    def _natural_bend(self) -> BatchedFunction:
        flat = pt.concatenate([v.ravel() for v in self._natural_graphs])
        vector, probe = pt.dvector("vector"), pt.dvector("probe")
        slope = grad(pt.dot(flat, vector), self.values.z, disconnected_inputs="ignore")
        product = grad(pt.dot(slope, probe), self.values.z, disconnected_inputs="ignore")
        return BatchedFunction([probe, vector, self.values.z], [product], self.size)

    @cached_property
    def _natural_rows(self) -> BatchedFunction:
        flat = pt.concatenate([v.ravel() for v in self._natural_graphs])
        probe = pt.dvector("probe")
        product = grad(pt.dot(flat, probe), self.values.z, disconnected_inputs="ignore")
        return BatchedFunction([probe, self.values.z], [product], self.size)

    @cached_property
    def circular(self) -> Array:
        """Which elements of the flat natural vector are angles, in (-pi, pi], shape (natural_size,) of bool."""
        return np.concatenate([np.full(v.natural.stop - v.natural.start, v.circular) for v in self.free])

    def natural_difference(self, one: Array, other: Array) -> Array:
        """``one`` - ``other`` of flat natural vectors, (..., natural_size); for angles, along the shorter arc."""
        return arc_difference(one, other, self.circular)

    def unconstrain(self, values: Mapping[str, ArrayLike]) -> Array:
        """The unconstrained vector of natural values, shape (*batch, d); the inverse of ``natural``.

        Raises
        ------
        ValueError
            Where a free variable is missing or has another shape.
        """
        arrays = []
        for v in self.free:
            if v.name not in values:
                raise ValueError(f"values lack {v.name!r}; give all of {', '.join(f.name for f in self.free)}.")
            array = np.asarray(values[v.name], dtype=np.float64)
            if array.shape[array.ndim - len(v.shape) :] != v.shape:
                raise ValueError(f"{v.name} must have shape {v.shape}, got {array.shape}.")
            arrays.append(array)
        batch = np.broadcast_shapes(*(a.shape[: a.ndim - len(v.shape)] for a, v in zip(arrays, self.free, strict=True)))
        arrays = [np.broadcast_to(a, batch + v.shape) for a, v in zip(arrays, self.free, strict=True)]
        return np.concatenate([v.reshape(*batch, -1) for v in self._forward(*arrays)], axis=-1)

    @cached_property
    def angles(self) -> Array:
        """Which coordinates of the unconstrained vector are angles, shape (d,) of bool."""
        return np.concatenate([np.full(v.flat.stop - v.flat.start, v.circular) for v in self.free])

    def mean_direction(self, z: Array) -> Array:
        """The mean direction of each angle over draws (*batch, d), shape (d,); 0 for other coordinates."""
        flat = z.reshape(-1, self.size)
        return np.where(self.angles, np.angle(np.mean(np.exp(1j * np.where(self.angles, flat, 0.0)), axis=0)), 0.0)

    def wound(self, z: Array, centre: Array) -> Array:
        """The same points with every angle shifted by whole turns to within half a turn of ``centre`` (d,)."""
        return z - 2 * np.pi * np.where(self.angles, np.round((z - centre) / (2 * np.pi)), 0.0)

    def in_turn(self, z: Array, centre: Array) -> Array:
        """Whether every angle of z (*batch, d) lies within half a turn of ``centre`` (d,), shape (*batch)."""
        return np.all(~self.angles | (np.abs(z - centre) <= np.pi), axis=-1)

    @cached_property
    def _forward(self) -> BatchedFunction:
        inputs = [TensorType("float64", shape=v.shape)(v.name) for v in self.free]
        natural = dict(zip(self.values.free, inputs, strict=True))
        graphs = []
        for rv, value in natural.items():
            transform = self.values.transforms[rv]
            parents = [] if transform is None else replace_rvs_by_values(rv.owner.inputs, rvs_to_values=natural)
            graphs.append(value if transform is None else transform.forward(value, *parents))
        return BatchedFunction(inputs, in_double_precision(graphs), self.natural_size)

    def dataset(self, z: Array, batch_dims: Sequence[str] = ()) -> xr.Dataset:
        """The natural values on the variables' own dims and coords, behind ``batch_dims``."""
        natural = self.natural(z)
        return self.to_dataset(natural, batch_dims)

    def to_dataset(self, arrays: Mapping[str, Array], batch_dims: Sequence[str] = ()) -> xr.Dataset:
        """Arrays by free variable as a Dataset on the variables' own dims and coords."""
        coords = {k: c for v in self.free for k, c in coords_of(self.model, v.dims, v.shape).items()}
        return xr.Dataset({v.name: ([*batch_dims, *v.dims], arrays[v.name]) for v in self.free}, coords=coords)

    def split(self, flat: Array) -> dict[str, Array]:
        """Cut a flat natural vector, shape (*batch, natural_size), into the free variables' shapes."""
        return {v.name: flat[..., v.natural].reshape((*flat.shape[:-1], *v.shape)) for v in self.free}

    def _checked(self, z: Array) -> Array:
        z = np.asarray(z, dtype=np.float64)
        if z.ndim == 0 or z.shape[-1] != self.size:
            raise ValueError(f"z must have shape (..., {self.size}), got {z.shape}.")
        return z


def arc_difference(one: Array, other: Array, circular: Array) -> Array:
    """``one`` - ``other``, (..., m); along the shorter arc for the elements that are angles."""
    difference = one - other
    return np.where(circular, np.angle(np.exp(1j * difference)), difference)


def _of_interval(name: str, low: float, high: float) -> str:
    """The name of the coordinate of a variable between two bounds, one of which may be infinite."""
    if np.isnan(low) or np.isnan(high):
        return f"{name} between its bounds"
    above = name if low == 0 else f"{name} - {low:g}" if low > 0 else f"{name} + {-low:g}"
    if np.isinf(high):
        return f"log({above})"
    if np.isinf(low):
        return f"log({high:g} - {name})"
    width = high - low
    return (
        f"logit({above})"
        if width == 1
        else f"logit({above} / {width:g})"
        if low == 0
        else f"logit(({above}) / {width:g})"
    )
