"""A PyMC model as functions of one flat unconstrained vector."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import ArrayLike
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import jacobian
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.batching import BatchedFunction
from pp_mlekl.pymc_model.functions import without_c
from pp_mlekl.pymc_model.graphs import ValueGraph, build_graphs, in_double_precision
from pp_mlekl.pymc_model.layout import (
    FreeVariable,
    ObservedVariable,
    free_variables,
    labelled,
    labels,
    observed_variables,
)
from pp_mlekl.pymc_model.objective import Data, WeightedObjective
from pp_mlekl.pymc_model.observed_data import observed_data
from pp_mlekl.pymc_model.prior_draws import PriorSampler, improper_names
from pp_mlekl.pymc_model.validation import Potentials, check_model

# Rounds of prior draws until enough of them lie within the transforms' range.
MAX_ROUNDS = 20

_CACHE: WeakKeyDictionary[pm.Model, dict[tuple, "ModelFunctions"]] = WeakKeyDictionary()


def model_functions(model: pm.Model, potentials: Potentials = None, latents: tuple[str, ...] = ()) -> "ModelFunctions":
    """The functions of a model, built once and kept with it.

    Parameters
    ----------
    model
        A PyMC model with continuous free variables.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    latents
        Free variables whose density counts as part of the likelihood, to be integrated out.

    Raises
    ------
    ValueError
        Where the model is refused (see ``validation.check_model``).

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 1)
    ...     y = pm.Normal("y", mu, 1, observed=[0.5, 1.5])
    >>> functions = model_functions(model)
    >>> float(functions.log_likelihood(functions.unconstrain({"mu": 1.0})).round(4))
    -2.0879
    """
    check_model(model, potentials)
    shared = tuple(
        (name, id(v), v.get_value(borrow=True).shape)
        for name, v in model.named_vars.items()
        if isinstance(v, SharedVariable)
    )
    key = (potentials, latents, tuple(model.named_vars), shared)
    kept = _CACHE.setdefault(model, {})
    if key not in kept:
        with without_c():
            kept[key] = ModelFunctions(model, potentials, latents)
    return kept[key]


class ModelFunctions:
    """The weighted objective of a model and the transforms of its variables; ``model_functions`` makes one.

    Every method takes ``z`` of shape (d,) or (*batch, d) and evaluates a batch in one vectorised call. Log
    densities are in nats. ``weights`` has shape (n_observations,) or (*batch, n_observations), ``data`` maps
    names of observed variables to arrays of the data's shape or (*batch, *shape).
    """

    def __init__(self, model: pm.Model, potentials: Potentials = None, latents: tuple[str, ...] = ()):
        self.model = model
        start = model.initial_point()
        value_shapes = {name: np.shape(value) for name, value in start.items()}
        self._start = np.concatenate([np.ravel(start[v.name]) for v in model.value_vars]).astype(np.float64)
        data = self.observed_data()
        self.values = ValueGraph(model, value_shapes, data)
        graphs = build_graphs(self.values, potentials, latents)
        self.size: int = len(self._start)
        self._natural = BatchedFunction([graphs.z], graphs.natural, self.size)
        self.free: tuple[FreeVariable, ...] = free_variables(
            model, value_shapes, [v.shape for v in self._natural(self._start)]
        )
        self.natural_size: int = self.free[-1].natural.stop
        terms = BatchedFunction([graphs.z, *graphs.data.values()], list(graphs.pointwise.values()))
        shapes = [t.shape for t in terms(self._start, *data.values())]
        self.observed: tuple[ObservedVariable, ...] = observed_variables(
            model, dict(zip(graphs.pointwise, shapes, strict=True)), data
        )
        self.n_observations: int = self.observed[-1].pointwise.stop
        self.in_likelihood: dict[str, bool] = graphs.in_likelihood
        self._graphs = graphs
        self._objective = WeightedObjective(graphs, self.n_observations, self.observed_data)
        self._evaluators: dict[tuple[int, ...], tuple[list, BatchedFunction]] = {}
        self._kept: dict[Any, Any] = {}
        self._samplers: dict[bool, PriorSampler] = {}

    @cached_property
    def measured(self) -> tuple[ObservedVariable, ...]:
        """The observed variables that have a distribution over data: all but potentials that count as likelihood."""
        names = {rv.name for rv in self.model.observed_RVs}
        return tuple(v for v in self.observed if v.name in names)

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

    def observed_data(self) -> dict[str, np.ndarray]:
        """The data as the model holds them now (``pm.set_data`` is seen), by observed variable."""
        return observed_data(self.model)

    def initial_point(self) -> np.ndarray:
        """PyMC's initial point, shape (d,)."""
        return self._start.copy()

    def prior_draws(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """``n`` draws from the prior, in the unconstrained space: shape (at most n, d), finite rows only.

        Raises
        ------
        ValueError
            Where a prior is improper (Flat, HalfFlat).
        """
        improper = improper_names(self.model)
        if improper:
            raise ValueError(f"{', '.join(improper)} has an improper prior, from which nothing can be drawn.")
        return self._draw(n, generator, improper=False)

    def starts(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """``n`` places to start a search: prior draws, spread about the initial point where a prior is improper."""
        improper = set(improper_names(self.model))
        z = self._draw(n, generator, improper=bool(improper))
        for v in self.free:
            if v.name in improper:
                z[:, v.flat] = self._start[v.flat] + generator.normal(size=z[:, v.flat].shape)
        return z

    def log_likelihood(self, z: np.ndarray, weights: ArrayLike | None = None, data: Data = None) -> np.ndarray:
        """Weighted log-likelihood, shape (*batch)."""
        return self.value(z, weights=weights, data=data)

    def pointwise(self, z: np.ndarray, data: Data = None) -> np.ndarray:
        """Log-likelihood of each observation, shape (*batch, n_observations)."""
        return self._objective.pointwise(self._checked(z), data)

    def log_prior(self, z: np.ndarray) -> np.ndarray:
        """Log prior density of the natural values, shape (*batch)."""
        return self._objective.log_prior_and_jacobian(self._checked(z))[0]

    def log_prior_terms(self, z: np.ndarray) -> dict[str, np.ndarray]:
        """Log prior density of each free variable given its parents, by name: shape (*batch, *own batch shape)."""

        def make() -> BatchedFunction:
            terms = self.values.of_z(self.values.log_density_terms()[: len(self.free)])
            return BatchedFunction([self._graphs.z], terms, self.size)

        terms = self.kept("log prior terms", make)(self._checked(z))
        return dict(zip([v.name for v in self.free], terms, strict=True))

    def log_jacobian(self, z: np.ndarray) -> np.ndarray:
        """log |d theta / d z|, shape (*batch)."""
        return self._objective.log_prior_and_jacobian(self._checked(z))[1]

    def value(
        self, z: np.ndarray, *, a: float = 0.0, b: float = 0.0, weights: ArrayLike | None = None, data: Data = None
    ) -> np.ndarray:
        """sum_i w_i log p(y_i | theta) + a log p(theta) + b log |d theta / d z|, shape (*batch)."""
        return self._objective.evaluate(0, self._checked(z), a, b, weights, data)[0]

    def value_gradient(
        self, z: np.ndarray, *, a: float = 0.0, b: float = 0.0, weights: ArrayLike | None = None, data: Data = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The objective and its gradient, shapes (*batch) and (*batch, d)."""
        value, gradient = self._objective.evaluate(1, self._checked(z), a, b, weights, data)
        return value, gradient

    def value_gradient_hessian(
        self, z: np.ndarray, *, a: float = 0.0, b: float = 0.0, weights: ArrayLike | None = None, data: Data = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The objective, its gradient and its Hessian, shapes (*batch), (*batch, d) and (*batch, d, d)."""
        value, gradient, hessian = self._objective.evaluate(2, self._checked(z), a, b, weights, data)
        return value, gradient, hessian

    def hessian_product(
        self,
        z: np.ndarray,
        vector: np.ndarray,
        *,
        a: float = 0.0,
        b: float = 0.0,
        weights: ArrayLike | None = None,
        data: Data = None,
    ) -> np.ndarray:
        """Hessian times ``vector`` at one ``z``, shape (d,) (or (*batch, d) for vectors of that shape)."""
        return self._objective.hessian_product(self._checked(z), vector, a, b, weights, data)

    def scores(self, z: np.ndarray, data: Data = None) -> np.ndarray:
        """Gradient of each pointwise log-likelihood, shape (*batch, n_observations, d)."""
        return self._objective.scores(self._checked(z), data)

    def natural(self, z: np.ndarray) -> dict[str, np.ndarray]:
        """The free variables on their natural scale, each of shape (*batch, *shape)."""
        return dict(zip([v.name for v in self.free], self._natural(self._checked(z)), strict=True))

    def natural_flat(self, z: np.ndarray) -> np.ndarray:
        """The same in one vector, shape (*batch, natural_size)."""
        z = self._checked(z)
        return np.concatenate([v.reshape(*z.shape[:-1], -1) for v in self._natural(z)], axis=-1)

    def natural_jacobian(self, z: np.ndarray) -> np.ndarray:
        """d natural_flat / d z at one ``z``, shape (natural_size, d)."""
        return self._natural_jacobian(self._checked(z))[0]

    @cached_property
    def _natural_jacobian(self) -> BatchedFunction:
        flat = pt.concatenate([v.ravel() for v in self._graphs.natural])
        derivative = jacobian(flat, self._graphs.z, vectorize=True, disconnected_inputs="ignore")
        return BatchedFunction([self._graphs.z], [derivative], self.size * self.natural_size)

    def unconstrain(self, values: Mapping[str, ArrayLike]) -> np.ndarray:
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

    def unconstrain_draws(self, draws: xr.Dataset) -> np.ndarray:
        """The unconstrained vectors of posterior draws, shape (chain, draw, d)."""
        return self.unconstrain({v.name: draws[v.name].transpose("chain", "draw", ...).values for v in self.free})

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

    def dataset(self, z: np.ndarray, batch_dims: Sequence[str] = ()) -> xr.Dataset:
        """The natural values on the variables' own dims and coords, behind ``batch_dims``."""
        natural = self.natural(z)
        return self.to_dataset(natural, batch_dims)

    def to_dataset(self, arrays: Mapping[str, np.ndarray], batch_dims: Sequence[str] = ()) -> xr.Dataset:
        """Arrays by free variable as a Dataset on the variables' own dims and coords."""
        return xr.Dataset({v.name: labelled(self.model, v.name, arrays[v.name], batch_dims, v.dims) for v in self.free})

    def split(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Cut a flat natural vector, shape (*batch, natural_size), into the free variables' shapes."""
        return {v.name: flat[..., v.natural].reshape((*flat.shape[:-1], *v.shape)) for v in self.free}

    def evaluate(self, variables: Sequence[TensorVariable], z: np.ndarray, data: Data = None) -> list[np.ndarray]:
        """Any of the model's variables at ``z``, with the free ones at their natural values and no randomness.

        Parameters
        ----------
        variables
            Variables of the model's graph: deterministics, parameters of an observed variable, ...
        z
            Shape (*batch, d).
        data
            Observed data to use in place of the model's.

        Returns
        -------
        list of arrays of shape (*batch, *variable shape)
        """
        key = tuple(map(id, variables))
        if key not in self._evaluators:
            graphs = self.values.of_values(variables)
            inputs = [self._graphs.z, *self._graphs.data.values()]
            # The variables are kept beside the function so that their ids stay theirs.
            elements = max(self.n_observations, self.size)
            self._evaluators[key] = (list(variables), BatchedFunction(inputs, graphs, elements))
        current = self.observed_data()
        arrays = [np.asarray((data or {}).get(name, value)) for name, value in current.items()]
        return self._evaluators[key][1](self._checked(z), *arrays)

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """What ``make`` returned when it was first called for ``key``: graphs that must stay the same objects."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def prior_attempts(self, n: int, generator: np.random.Generator, *, improper: bool = False) -> np.ndarray:
        """``n`` draws of the free variables one after the other, (n, d); not finite where out of the transforms' range."""
        if improper not in self._samplers:
            names = set(improper_names(self.model))
            natural = self.natural(self._start)
            fixed = {rv: natural[rv.name] for rv in self.model.free_RVs if rv.name in names}
            self._samplers[improper] = PriorSampler(self.model.free_RVs, [v.shape for v in self.free], fixed)
        draws = self._samplers[improper].draw(n, generator)
        return self.unconstrain(dict(zip([v.name for v in self.free], draws, strict=True)))

    def _draw(self, n: int, generator: np.random.Generator, improper: bool) -> np.ndarray:
        kept = np.empty((0, self.size))
        for _ in range(MAX_ROUNDS):
            z = self.prior_attempts(n, generator, improper=improper)
            # An ordering transform restricts the prior: what is out of order has no unconstrained value.
            kept = np.concatenate([kept, z[np.all(np.isfinite(z), axis=-1)]])
            if len(kept) >= n:
                break
        return kept[:n]

    def _checked(self, z: np.ndarray) -> np.ndarray:
        z = np.asarray(z, dtype=np.float64)
        if z.ndim == 0 or z.shape[-1] != self.size:
            raise ValueError(f"z must have shape (..., {self.size}), got {z.shape}.")
        return z
