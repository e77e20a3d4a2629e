"""Derivatives of the integrand of a marginal likelihood, contracted with vectors: up to the fourth order, exact."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import ArrayLike
from pytensor.gradient import grad
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.derivatives import derived
from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction
from pp_mlekl.pymc_model.interpreter.lazy_function import flattened, without_c
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.rewrites.inline import inlined
from pp_mlekl.pymc_model.rewrites.small_matrices import without_small_linalg
from pp_mlekl.pymc_model.weighted_objective import Data
from pp_mlekl.typing import Array

_DIRECTIONS = 3
# Simplifying the graph of one order takes about _HARDER times as long as that of the order below. It makes the graph of the
# highest order a third shorter. That graph is simplified once its calls have taken _WORTH times as long as simplifying would.
_HARDER, _WORTH = 6.0, 2.0


class IntegrandDerivatives:
    """The integrand h(z) of a marginal likelihood and D^k h[a, b, ..., .], derivatives along k - 1 directions and by z.

    The graphs contain no matrices and no linear algebra, which is done in NumPy. They stay small, and their cost is that of
    the log-likelihood times the number of directions.

    Parameters
    ----------
    functions
        The model's functions with the latents' densities in the likelihood.
    weights
        Weights of all terms of h, including the latents' terms, shape (n,).
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
        """h (*batch) and its gradient (*batch, d); ``weights`` replace those of the object."""
        return self.functions.value_gradient(z, weights=self.weights if weights is None else weights, data=self.data)

    def contracted(self, z: Array, *directions: Array) -> Array:
        """D^k h[a, b, ..., .] at z, for one to three directions: all (*batch, d), where batches broadcast."""
        objective = self.functions.objective
        batch = np.broadcast_shapes(z.shape[:-1], *(a.shape[:-1] for a in directions))
        arguments = [np.broadcast_to(a, (*batch, a.shape[-1])) for a in (*directions, z)]
        return self._graphs.call(len(directions), [*arguments, self.weights, *objective._data_arrays(self.data)])


class _Graphs:
    """The graphs of the derivatives, each built on first use from the simplified one of the order below."""

    def __init__(self, functions: ModelFunctions):
        objective = functions.objective
        self._z = objective._z
        self._inputs = [objective._z, objective.weights, *objective._data.values()]
        self._elements = functions.n_observations
        self._directions = [pt.dvector(f"direction_{i}") for i in range(_DIRECTIONS)]
        self._log_likelihood: TensorVariable = objective.log_likelihood
        self._slopes: list[TensorVariable] = []
        self._functions: dict[int, BatchedFunction] = {}
        self._spent, self._price = 0.0, 0.0

    def call(self, count: int, arguments: Sequence[Array]) -> Array:
        """The derivative of order ``count + 1``, contracted ``count`` times."""
        if count not in self._functions:
            self._functions[count] = self._function(count, self._slope(count, simple=count < _DIRECTIONS))
        start = time.perf_counter()
        result = self._functions[count](*arguments)[0]
        if count == _DIRECTIONS and self._spent <= self._price:
            self._spent += time.perf_counter() - start
            if self._spent > self._price:
                self._functions[count] = self._function(count, flattened(self._slope(count, simple=False)))
        return result

    def _function(self, count: int, slope: TensorVariable) -> BatchedFunction:
        inputs = [*self._directions[:count], *self._inputs]
        return BatchedFunction(inputs, [slope], self._elements, simplify=False)

    def _slope(self, count: int, *, simple: bool) -> TensorVariable:
        """The gradient of the derivative that is contracted with ``count`` directions."""
        if count < len(self._slopes):
            return self._slopes[count]
        if count == 0:
            flat = flattened(self._log_likelihood)
            (scalar,) = without_small_linalg([flat])
            if scalar is not flat:
                scalar = flattened(scalar)
        else:
            # Not a dot product, for which PyTensor's rewrites search for special matrices and take long.
            scalar = pt.sum(self._slope(count - 1, simple=True) * self._directions[count - 1])
        with without_c():
            slope = derived(
                lambda: grad(scalar, self._z, disconnected_inputs="ignore"),
                "The integrand of the marginal likelihood",
                min(count + 1, 2),
                [scalar],
                self._z,
            )
        if not simple:
            return inlined([slope])[0]
        start = time.perf_counter()
        self._slopes.append(flattened(slope))
        self._price = _WORTH * _HARDER * (time.perf_counter() - start)
        return self._slopes[count]
