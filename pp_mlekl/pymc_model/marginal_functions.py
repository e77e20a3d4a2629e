"""Derivatives of the integrand of a marginal likelihood, contracted with vectors: up to the fourth order, exact."""

from collections.abc import Mapping

import numpy as np
import pytensor.tensor as pt
from numpy.typing import ArrayLike
from pytensor.gradient import grad
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.batching import BatchedFunction
from pp_mlekl.pymc_model.derivatives import derived
from pp_mlekl.pymc_model.functions import flattened
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.objective import Data

Array = np.ndarray


class IntegrandDerivatives:
    """The integrand h(z) of a marginal likelihood and D^k h[a, b, ..., .]: derivatives in k - 1 directions and by z.

    No derivative holds a matrix, and none contains linear algebra: that is done with the numbers. So the graphs stay
    small, and their cost is that of the log-likelihood times the number of directions.

    Parameters
    ----------
    functions
        The model's functions with the latents' densities in the likelihood.
    weights
        Of all terms of h, the latents' among them, (n,).
    data
        As for ``find_mle``.
    """

    def __init__(self, functions: ModelFunctions, weights: Array, data: Mapping[str, ArrayLike] | None = None):
        self.functions = functions
        self.weights = weights
        self.data: Data = data
        self._graphs: _Graphs = functions.kept("integrand", lambda: _Graphs(functions))

    def terms(self, z: Array) -> Array:
        """The terms of h, (*batch, n), in nats; they add up to h."""
        with np.errstate(invalid="ignore"):
            values = self.functions.pointwise(z, data=self.data)
            return np.where(self.weights == 0.0, 0.0, self.weights * values)

    def value_gradient(self, z: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """h (*batch) and its gradient (*batch, d), for other weights of the terms if some are given."""
        return self.functions.value_gradient(z, weights=self.weights if weights is None else weights, data=self.data)

    def contracted(self, z: Array, *directions: Array) -> Array:
        """D^k h[a, b, ..., .] at z, for one to three directions: all (*batch, d), where batches broadcast."""
        objective = self.functions._objective
        function = self._graphs.function(len(directions))
        batch = np.broadcast_shapes(z.shape[:-1], *(a.shape[:-1] for a in directions))
        arguments = [np.broadcast_to(a, (*batch, a.shape[-1])) for a in (*directions, z)]
        return function(*arguments, self.weights, *objective._data_arrays(self.data))[0]


class _Graphs:
    """The graphs of the derivatives, each built on first use from the simplified one of the order below."""

    def __init__(self, functions: ModelFunctions):
        objective = functions._objective
        self._z = objective._z
        self._inputs = [objective._z, objective._weights, *objective._data.values()]
        self._elements = functions.n_observations
        self._directions = [pt.dvector(f"direction_{i}") for i in range(3)]
        self._scalars: list[TensorVariable] = [flattened(objective._log_likelihood)]
        self._functions: dict[int, BatchedFunction] = {}

    def function(self, count: int) -> BatchedFunction:
        """The derivative of order ``count + 1``, contracted ``count`` times."""
        if count not in self._functions:
            inputs = [*self._directions[:count], *self._inputs]
            self._functions[count] = BatchedFunction(inputs, [self._slope(count)], self._elements)
        return self._functions[count]

    def _scalar(self, count: int) -> TensorVariable:
        """D^k h contracted with k directions."""
        while len(self._scalars) <= count:
            order = len(self._scalars)
            product = pt.dot(self._slope(order - 1), self._directions[order - 1])
            self._scalars.append(flattened(product))
        return self._scalars[count]

    def _slope(self, count: int) -> TensorVariable:
        value = self._scalar(count)
        return derived(
            lambda: grad(value, self._z, disconnected_inputs="ignore"),
            "The integrand of the marginal likelihood",
            min(count + 1, 2),
            [value],
            self._z,
        )
