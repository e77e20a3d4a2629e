"""A PyMC model as functions of one flat unconstrained vector."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pymc as pm
from numpy.typing import ArrayLike
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.bambi import pymc_model_of
from pp_mlekl.pymc_model.data_arrays import DataArrays, check_same_prior, value_of
from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction
from pp_mlekl.pymc_model.interpreter.lazy_function import without_c
from pp_mlekl.pymc_model.labels import check_labels
from pp_mlekl.pymc_model.layout import ObservedVariable, observed_data, observed_variables
from pp_mlekl.pymc_model.log_density_graphs import build_graphs
from pp_mlekl.pymc_model.model_transforms import ModelTransforms
from pp_mlekl.pymc_model.prior_sampler import PriorSampler, improper_names
from pp_mlekl.pymc_model.validation import check_model
from pp_mlekl.pymc_model.weighted_objective import Data, WeightedObjective
from pp_mlekl.typing import Array, Potentials

# Maximum number of rounds of prior draws; draws outside the transforms' range are drawn again.
MAX_ROUNDS = 20

_CACHE: WeakKeyDictionary[pm.Model, dict[tuple[Any, ...], "ModelFunctions"]] = WeakKeyDictionary()


def model_functions(
    model: pm.Model, potentials: Potentials = None, latents: tuple[str, ...] = (), varying: tuple[str, ...] = ()
) -> "ModelFunctions":
    """The functions of a model, built once and cached with it.

    Parameters
    ----------
    model
        A PyMC or Bambi model with continuous free variables.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    latents
        Free variables whose density counts as part of the likelihood, to be integrated out.
    varying
        Names of arrays of the graph (see ``DataArrays``) that become data: the functions take them as observed variables.

    Raises
    ------
    ValueError
        Where the model is refused (see ``validation.check_model``), an observed variable has no observations, or the prior
        depends on an array that varies.

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
    model = pymc_model_of(model)
    check_model(model, potentials)
    shared = tuple(
        (name, id(v), v.get_value(borrow=True).shape)
        for name, v in model.named_vars.items()
        if isinstance(v, SharedVariable)
    )
    key = (potentials, latents, varying, tuple(model.named_vars), shared)
    kept = _CACHE.setdefault(model, {})
    with without_c():
        if key not in kept:
            kept[key] = ModelFunctions(model, potentials, latents, varying)
    return kept[key]


class ModelFunctions(ModelTransforms):
    """The weighted objective of a model and the transforms of its variables; ``model_functions`` makes one.

    Every method takes ``z`` of shape (d,) or (*batch, d) and evaluates a batch in one vectorised call. Log
    densities are in nats. ``weights`` has shape (n_observations,) or (*batch, n_observations), ``data`` maps
    names of observed variables to arrays of the data's shape or (*batch, *shape).
    """

    def __init__(
        self,
        model: pm.Model,
        potentials: Potentials = None,
        latents: tuple[str, ...] = (),
        varying: tuple[str, ...] = (),
    ):
        leaves = DataArrays(model=model).leaves if varying else {}
        self._varying = {name: leaves[name] for name in varying}
        super().__init__(model, self._varying)
        check_labels(model)
        data = self.observed_data()
        empty = [name for name, values in data.items() if not values.size]
        if empty:
            raise ValueError(f"There are no observations of {', '.join(empty)}; give data, or leave the variable out.")
        graphs = build_graphs(self.values, potentials, latents)
        check_same_prior([graphs.log_prior, graphs.log_jacobian], self._varying, graphs.data)
        terms = BatchedFunction([graphs.z, *graphs.data.values()], list(graphs.pointwise.values()))
        shapes = [t.shape for t in terms(self._start, *data.values())]
        self.observed: tuple[ObservedVariable, ...] = observed_variables(
            model, dict(zip(graphs.pointwise, shapes, strict=True)), data
        )
        self.n_observations: int = self.observed[-1].pointwise.stop
        self.in_likelihood: dict[str, bool] = graphs.in_likelihood
        self.graphs = graphs
        self.potentials: Potentials = potentials
        self.objective = WeightedObjective(graphs, self.n_observations, self.observed_data)
        self._evaluators: dict[tuple[int, ...], tuple[list[Any], BatchedFunction]] = {}
        self._kept: dict[Any, Any] = {}
        self._samplers: dict[bool, PriorSampler] = {}

    @cached_property
    def measured(self) -> tuple[ObservedVariable, ...]:
        """The observed variables with a distribution of data: all but potentials that count as likelihood."""
        names = {rv.name for rv in self.model.observed_RVs}
        return tuple(v for v in self.observed if v.name in names)

    def observed_data(self) -> dict[str, Array]:
        """The model's current data by observed variable, with the latest values of ``pm.set_data``."""
        return observed_data(self.model) | {name: value_of(leaf) for name, leaf in self._varying.items()}

    def prior_draws(self, n: int, generator: np.random.Generator) -> Array:
        """``n`` draws from the prior, in the unconstrained space: shape (at most n, d), finite rows only.

        Raises
        ------
        ValueError
            Where a prior is improper (Flat, HalfFlat).
        """
        improper = improper_names(self.model)
        if improper:
            raise ValueError(f"{', '.join(improper)} has an improper prior, which has no draws; give it a proper one.")
        return self._draw(n, generator, improper=False)

    def starts(self, n: int, generator: np.random.Generator) -> Array:
        """``n`` starting points of a search: prior draws, or points about the initial point where a prior is improper."""
        improper = set(improper_names(self.model))
        z = self._draw(n, generator, improper=bool(improper))
        for v in self.free:
            if v.name in improper:
                z[:, v.flat] = self._start[v.flat] + generator.normal(size=z[:, v.flat].shape)
        return z

    def log_likelihood(self, z: Array, weights: ArrayLike | None = None, data: Data = None) -> Array:
        """Weighted log-likelihood, shape (*batch)."""
        return self.value(z, weights=weights, data=data)

    def pointwise(self, z: Array, data: Data = None) -> Array:
        """Log-likelihood of each observation, shape (*batch, n_observations)."""
        return self.objective.pointwise(self._checked(z), data)

    def log_prior(self, z: Array) -> Array:
        """Log prior density of the natural values, shape (*batch)."""
        return self.objective.log_prior_and_jacobian(self._checked(z))[0]

    def log_prior_terms(self, z: Array) -> dict[str, Array]:
        """Log prior density of each free variable given its parents, by name: shape (*batch, *own batch shape)."""

        def make() -> BatchedFunction:
            terms = self.values.of_z(self.values.log_density_terms[: len(self.free)])
            return BatchedFunction([self.graphs.z], terms, self.size)

        terms = self.kept("log prior terms", make)(self._checked(z))
        return dict(zip([v.name for v in self.free], terms, strict=True))

    def log_jacobian(self, z: Array) -> Array:
        """log |d theta / d z|, shape (*batch)."""
        return self.objective.log_prior_and_jacobian(self._checked(z))[1]

    def value(
        self, z: Array, *, a: float = 0.0, b: float = 0.0, weights: ArrayLike | None = None, data: Data = None
    ) -> Array:
        """sum_i w_i log p(y_i | theta) + a log p(theta) + b log |d theta / d z|, shape (*batch)."""
        return self.objective.evaluate(0, self._checked(z), a, b, weights, data)[0]

    def value_gradient(
        self, z: Array, *, a: float = 0.0, b: float = 0.0, weights: ArrayLike | None = None, data: Data = None
    ) -> tuple[Array, Array]:
        """The objective and its gradient, shapes (*batch) and (*batch, d)."""
        value, gradient = self.objective.evaluate(1, self._checked(z), a, b, weights, data)
        return value, gradient

    def value_gradient_hessian(
        self, z: Array, *, a: float = 0.0, b: float = 0.0, weights: ArrayLike | None = None, data: Data = None
    ) -> tuple[Array, Array, Array]:
        """The objective, its gradient and its Hessian, shapes (*batch), (*batch, d) and (*batch, d, d)."""
        value, gradient, hessian = self.objective.evaluate(2, self._checked(z), a, b, weights, data)
        return value, gradient, hessian

    def value_gradient_products(
        self,
        z: Array,
        probes: Array,
        *,
        a: float = 0.0,
        b: float = 0.0,
        weights: ArrayLike | None = None,
        data: Data = None,
    ) -> tuple[Array, Array, Array]:
        """The objective, its gradient and its Hessian times each of ``probes`` (k, d), the last of shape (*batch, k, d)."""
        value, gradient, products = self.objective.evaluate(2, self._checked(z), a, b, weights, data, probes)
        return value, gradient, products

    def hessian_product(
        self,
        z: Array,
        vector: Array,
        *,
        a: float = 0.0,
        b: float = 0.0,
        weights: ArrayLike | None = None,
        data: Data = None,
    ) -> Array:
        """Hessian times ``vector`` at one ``z``, shape (d,) (or (*batch, d) for vectors of that shape)."""
        return self.objective.hessian_product(self._checked(z), vector, a, b, weights, data)

    def without_hessian(self, *, a: float = 0.0, b: float = 0.0, products: bool = False) -> str:
        """Why the objective with these coefficients has no Hessian, with the operation's name; empty where it has one.

        With ``products``, only its products with vectors are considered.

        Raises
        ------
        NoDerivative
            Where it has no gradient either; a ValueError.
        """
        return self.objective.without_hessian(a, b, products=products)

    def scores(self, z: Array, data: Data = None) -> Array:
        """Gradient of each pointwise log-likelihood, shape (*batch, n_observations, d)."""
        return self.objective.scores(self._checked(z), data)

    def evaluate(self, variables: Sequence[TensorVariable], z: Array, data: Data = None) -> list[Array]:
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
            inputs = [self.graphs.z, *self.graphs.data.values()]
            # The cache holds the variables too, so that their ids are not reused.
            elements = max(self.n_observations, self.size)
            self._evaluators[key] = (list(variables), BatchedFunction(inputs, graphs, elements))
        current = self.observed_data()
        arrays = [np.asarray((data or {}).get(name, value)) for name, value in current.items()]
        return self._evaluators[key][1](self._checked(z), *arrays)

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """The cached result of ``make`` for ``key``; graphs must stay the same objects."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def prior_attempts(self, n: int, generator: np.random.Generator, *, improper: bool = False) -> Array:
        """``n`` prior draws of the free variables, (n, d); rows outside the transforms' range are not finite."""
        if improper not in self._samplers:
            names = set(improper_names(self.model))
            natural = self.natural(self._start)
            fixed = {rv: natural[rv.name] for rv in self.model.free_RVs if rv.name in names}
            self._samplers[improper] = PriorSampler(self.model.free_RVs, [v.shape for v in self.free], fixed)
        draws = self._samplers[improper].draw(n, generator)
        return self.unconstrain(dict(zip([v.name for v in self.free], draws, strict=True)))

    def _draw(self, n: int, generator: np.random.Generator, improper: bool) -> Array:
        kept = np.empty((0, self.size))
        for _ in range(MAX_ROUNDS):
            z = self.prior_attempts(n, generator, improper=improper)
            # An ordering transform restricts the prior: draws out of order have no unconstrained value.
            kept = np.concatenate([kept, z[np.all(np.isfinite(z), axis=-1)]])
            if len(kept) >= n:
                break
        return kept[:n]
