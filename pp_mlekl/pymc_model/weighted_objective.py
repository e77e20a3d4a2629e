"""The weighted objective sum_i w_i log p(y_i | theta) + a log p(theta) + b log |d theta / d z|."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import ArrayLike
from pytensor.gradient import grad, pushforward
from pytensor.graph.traversal import ancestors
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.derivatives import NoDerivative, derived
from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction
from pp_mlekl.pymc_model.interpreter.lazy_function import simplified, without_c
from pp_mlekl.pymc_model.interpreter.vectorize import vectorized
from pp_mlekl.pymc_model.log_density_graphs import ModelGraphs
from pp_mlekl.typing import Array

Data = Mapping[str, ArrayLike] | None

_PARTS = {"likelihood": "The likelihood", "prior": "The prior", "Jacobian": "The transform of a variable"}


class WeightedObjective:
    """Value, gradient and Hessian of the weighted objective, built on first use and kept.

    ``log_likelihood`` is the graph of the weighted sum, a function of the graphs' z and data and of ``weights``.

    Likelihood, prior and Jacobian are separate functions whose values NumPy adds, so that a part with coefficient 0 is
    neither evaluated nor multiplied (0 * -inf).

    Parameters
    ----------
    graphs
        The model's graphs.
    n_observations
        The number of pointwise terms.
    observed_data
        Returns the model's current data, by observed variable.
    """

    def __init__(self, graphs: ModelGraphs, n_observations: int, observed_data: Callable[[], dict[str, Array]]):
        self._z = graphs.z
        self._data = graphs.data
        self._n = n_observations
        self._observed_data = observed_data
        self._pointwise = pt.concatenate([term.ravel() for term in graphs.pointwise.values()])
        self._priors = {"prior": graphs.log_prior, "Jacobian": graphs.log_jacobian}
        self.weights = pt.dvector("weights")
        # A row with weight 0 is not part of the sum, even where its term is -inf.
        weighted = pt.switch(pt.eq(self.weights, 0.0), 0.0, self.weights * self._pointwise)
        self.log_likelihood = pt.sum(weighted)
        self._probes = TensorType("float64", shape=(None, self._size))("probes")
        self._functions: dict[Any, BatchedFunction] = {}

    def evaluate(
        self,
        order: int,
        z: Array,
        a: float,
        b: float,
        weights: ArrayLike | None,
        data: Data,
        probes: Array | None = None,
    ) -> list[Array]:
        """Value and, up to ``order``, gradient and Hessian: arrays of shape (*batch), (*batch, d), (*batch, d, d).

        With ``probes`` (k, d) their products with the Hessian, (*batch, k, d), take its place.
        """
        first = [] if order < 2 else [np.eye(self._size) if probes is None else probes]
        total = self._likelihood(order, first, z, weights, data)
        for coefficient, part in zip((a, b), self._priors, strict=True):
            if coefficient:
                terms = self._prior(order, first, z, part)
                total = [t + coefficient * p for t, p in zip(total, terms, strict=True)]
        return total

    def pointwise(self, z: Array, data: Data) -> Array:
        """Log-likelihood of every observation, shape (*batch, n)."""
        function = self._kept("pointwise", [self._z, *self._data.values()], lambda: [self._pointwise], self._n)
        return function(z, *self._data_arrays(data))[0]

    def log_prior_and_jacobian(self, z: Array) -> list[Array]:
        """Log prior density of theta, and log |d theta / d z|, each of shape (*batch)."""
        return [self._prior(0, [], z, part)[0] for part in self._priors]

    def scores(self, z: Array, data: Data) -> Array:
        """Gradient of every pointwise term, shape (*batch, n, d), in min(n, d) passes."""
        inner = z[..., None, :]
        # The passes run along a new axis behind the batch axes of the data.
        arrays = {
            name: np.expand_dims(array, array.ndim - variable.type.ndim)
            for (name, variable), array in zip(self._data.items(), self._data_arrays(data), strict=True)
        }
        if self._n <= self._size or self._pushforward is None:
            return self._likelihood(1, [], inner, np.eye(self._n), arrays)[1]
        return self._pushforward(np.eye(self._size), inner, *arrays.values())[0].swapaxes(-1, -2)

    @cached_property
    def _pushforward(self) -> BatchedFunction | None:
        """Map a direction in z to the change of all pointwise terms; None where a derivative is missing."""
        direction = pt.dvector("direction")

        def make() -> BatchedFunction:
            change = pushforward(self._pointwise, self._z, direction, disconnected_outputs="ignore")
            with without_c():
                return BatchedFunction([direction, self._z, *self._data.values()], [change], self._n)

        slope = self._slope("likelihood", self.log_likelihood)
        try:
            return derived(make, _PARTS["likelihood"], 2, [slope], self._z)
        except NoDerivative:
            return None

    def hessian_product(
        self, z: Array, vector: Array, a: float, b: float, weights: ArrayLike | None, data: Data
    ) -> Array:
        """Hessian times a vector at one ``z``, in memory that is linear in d."""
        result = self._product("likelihood")(vector, z, self._weight_array(weights), *self._data_arrays(data))[0]
        for coefficient, part in zip((a, b), self._priors, strict=True):
            if coefficient:
                result = result + coefficient * self._product(part)(vector, z)[0]
        return result

    def without_hessian(self, a: float, b: float, *, products: bool = False) -> str:
        """Why the weighted objective has no Hessian, with the operation's name; empty where it has one.

        Parameters
        ----------
        a, b
            Coefficients of the prior and of the Jacobian.
        products
            Whether only its products with vectors are needed; the function built here is cached.

        Raises
        ------
        NoDerivative
            Where it has no gradient either.
        """
        inside = {"likelihood": 1.0, "prior": a, "Jacobian": b}
        try:
            for part in (part for part, coefficient in inside.items() if coefficient):
                if products:
                    self._product(part)
                else:
                    self._derivatives(part, 2)
        except NoDerivative as error:
            if error.order == 1:
                raise
            return str(error)
        return ""

    @property
    def _size(self) -> int:
        return self._z.type.shape[0]

    def _likelihood(
        self, order: int, probes: list[Array], z: Array, weights: ArrayLike | None, data: Data
    ) -> list[Array]:
        function = self._derivatives("likelihood", order)
        w = self._weight_array(weights)
        result = function(*probes, z, w, *self._data_arrays(data))
        if order and z.ndim == w.ndim == 1 and not np.all(np.isfinite(result[1])) and np.any(w == 0.0):
            # An impossible row with weight 0 has no value in the sum but gives NaN in back-propagation.
            result[1] = w[w != 0.0] @ self.scores(z, data)[w != 0.0]
        return result

    def _prior(self, order: int, probes: list[Array], z: Array, part: str) -> list[Array]:
        return self._derivatives(part, order)(*probes, z)

    def _part(self, part: str) -> tuple[TensorVariable, list[TensorVariable]]:
        """The value of a part, and what it is a function of."""
        if part == "likelihood":
            return self.log_likelihood, [self._z, self.weights, *self._data.values()]
        return self._priors[part], [self._z]

    def _derivatives(self, part: str, order: int) -> BatchedFunction:
        value, inputs = self._part(part)
        first = [] if order < 2 else [self._probes]
        if part == "likelihood":
            elements = self._n * (self._size if order == 2 else 1)
        else:
            elements = self._size ** max(order, 1)
        return self._kept(
            (part, order), [*first, *inputs], lambda: self._with_derivatives(part, value, order), elements
        )

    def _with_derivatives(self, part: str, value: TensorVariable, order: int) -> list[TensorVariable]:
        if order < 2:
            return [value] if order == 0 else [value, self._slope(part, value)]
        # Graphs are simplified before they grow: the gradient before it is differentiated, its derivative before it is
        # vectorised. All is built in half of the time.
        value, slope = self._derivatives(part, 1).outputs
        probe = self._probes[0].type("probe")
        value, slope, product = simplified([value, slope, self._image(part, slope, probe)])
        linear = probe not in ancestors([product])
        rows = pt.zeros_like(self._probes) if linear else vectorized([product], {probe: self._probes})[0]
        return [value, slope, rows]

    def _slope(self, part: str, value: TensorVariable) -> TensorVariable:
        return derived(lambda: grad(value, self._z, disconnected_inputs="ignore"), _PARTS[part], 1, [value], self._z)

    def _image(self, part: str, slope: TensorVariable, vector: TensorVariable) -> TensorVariable:
        """The Hessian, the derivative of a gradient, times a vector."""

        def product() -> TensorVariable:
            # Not a dot product, for which PyTensor's rewrites search for special matrices and take long.
            return grad(pt.sum(slope * vector), self._z, disconnected_inputs="ignore")

        return derived(product, _PARTS[part], 2, [slope], self._z)

    def _product(self, part: str) -> BatchedFunction:
        """The Hessian of a part times one vector."""
        direction = pt.dvector("direction")
        _, inputs = self._part(part)

        def graphs() -> list[TensorVariable]:
            return [self._image(part, self._derivatives(part, 1).outputs[1], direction)]

        elements = self._n if part == "likelihood" else self._size
        return self._kept((part, "product"), [direction, *inputs], graphs, elements)

    def _kept(self, key: Any, inputs: list[Any], graphs: Callable[[], list[Any]], elements: int) -> BatchedFunction:
        if key not in self._functions:
            with without_c():
                self._functions[key] = BatchedFunction(inputs, graphs(), elements)
        return self._functions[key]

    def _weight_array(self, weights: ArrayLike | None) -> Array:
        w = np.ones(self._n) if weights is None else np.asarray(weights, dtype=np.float64)
        if w.ndim == 0 or w.shape[-1] != self._n:
            raise ValueError(f"weights must have one entry per observation, (..., {self._n}), got shape {w.shape}.")
        return w

    def _data_arrays(self, data: Data) -> list[Array]:
        given = data or {}
        unknown = set(given) - set(self._data)
        if unknown:
            raise ValueError(f"data must be given for observed variables, {sorted(self._data)}; got {sorted(unknown)}.")
        current = given if len(given) == len(self._data) else {**self._observed_data(), **given}
        return [np.asarray(current[name]) for name in self._data]
