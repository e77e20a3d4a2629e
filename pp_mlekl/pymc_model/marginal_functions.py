"""The Laplace approximation of a marginal likelihood, with exact gradient and Hessian."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import ArrayLike
from pytensor.gradient import grad, jacobian, pushforward
from pytensor.graph.replace import graph_replace
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.batching import BatchedFunction
from pp_mlekl.pymc_model.functions import flattened
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.objective import Data

Array = np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class LaplaceTerms:
    """What the Laplace approximation is made of at points (b, d) where the latents are at their conditional mode.

    Parameters
    ----------
    value
        The approximate marginal log-likelihood, (b,).
    gradient, hessian
        By the parameters that are left, (b, p) and (b, p, p).
    response
        Derivative of the latents' mode by the parameters, (b, m, p).
    """

    value: Array
    gradient: Array
    hessian: Array
    response: Array


class MarginalFunctions:
    """The integrand h(theta, u) of a marginal likelihood, and what its Laplace approximation needs.

    With A = -h_uu, the approximation is l(theta) = h(theta, u^) - log det(A / 2 pi) / 2 at the mode u^(theta) of h.
    Its gradient G = h_theta - (L_theta + L_u u')/2, with L = log det A and u' = A^-1 h_u,theta, is written as a
    function of (theta, u), and so is exact wherever u = u^; the Hessian is its derivative in the directions (1, u').
    So every derivative is exact, and no derivative of the inner maximisation is needed.

    Parameters
    ----------
    functions
        The model's functions with the latents' densities in the likelihood.
    latent
        The latents' places in the flat vector, (m,).
    """

    def __init__(self, functions: ModelFunctions, latent: Array):
        self.functions = functions
        self.latent = latent
        self.kept = np.setdiff1d(np.arange(functions.size), latent)
        objective = functions._objective
        self._inputs = [objective._z, objective._weights, *objective._data.values()]
        self._joint = objective._log_likelihood
        self._direction = pt.dvector("direction")
        self._kept_functions: dict[str, BatchedFunction] = {}

    def value(self, z: Array, weights: ArrayLike | None = None, data: Data = None) -> Array:
        """The approximation at points z (b, d) whose latents are at their mode, (b,)."""
        return self._call("value", z, (), weights, data)[0]

    def terms(self, z: Array, weights: ArrayLike | None = None, data: Data = None) -> LaplaceTerms:
        """The approximation and its derivatives at points z (b, d) whose latents are at their mode."""
        value, gradient, response = self._call("gradient", z, (), weights, data)
        directions = np.zeros((len(z), len(self.kept), z.shape[1]))
        directions[:, np.arange(len(self.kept)), self.kept] = 1.0
        directions[:, :, self.latent] = response.swapaxes(1, 2)
        points = np.repeat(z[:, None], len(self.kept), axis=1)
        (hessian,) = self._call("hessian", points, (directions,), weights, data)
        return LaplaceTerms(
            value=value, gradient=gradient, hessian=0.5 * (hessian + hessian.swapaxes(1, 2)), response=response
        )

    def _call(self, name: str, z: Array, extra: tuple[Array, ...], weights: ArrayLike | None, data: Data) -> list:
        objective = self.functions._objective
        if name not in self._kept_functions:
            elements = self.functions.n_observations * len(self.latent)
            graphs = {"value": self._value, "gradient": self._gradient, "hessian": self._hessian}[name]()
            inputs = [*([self._direction] if extra else []), *self._inputs]
            self._kept_functions[name] = BatchedFunction(inputs, graphs, elements, simplify=name == "hessian")
        function = self._kept_functions[name]
        return function(*extra, z, objective._weight_array(weights), *objective._data_arrays(data))

    @cached_property
    def _curved(self) -> tuple[TensorVariable, TensorVariable, TensorVariable]:
        """Gradient of h, Hessian of h, and A."""
        z = self._inputs[0]
        slope = flattened(grad(self._joint, z, disconnected_inputs="ignore"))
        hessian = flattened(jacobian(slope, z, vectorize=True, disconnected_inputs="ignore"))
        return slope, hessian, -hessian[self.latent][:, self.latent]

    def _value(self) -> list[TensorVariable]:
        factor = pt.linalg.cholesky(self._curved[2])
        half = pt.sum(pt.log(pt.diagonal(factor)))
        return [self._joint - half + 0.5 * len(self.latent) * np.log(2 * np.pi)]

    @cached_property
    def _slope(self) -> tuple[TensorVariable, TensorVariable]:
        """G and u'."""
        z = self._inputs[0]
        slope, hessian, negative = self._curved
        inverse = pt.linalg.inv(negative)
        response = inverse @ hessian[self.latent][:, self.kept]
        # d log det A = tr(A^-1 dA): differentiate tr(W A) for a fixed W, then put A^-1 in the place of W.
        fixed = pt.dmatrix("inverse")
        of_log = flattened(grad(pt.sum(fixed * negative), z, disconnected_inputs="ignore"))
        curved: Any
        (curved,) = graph_replace([of_log], {fixed: inverse}, strict=False)
        gradient = slope[self.kept] - 0.5 * (curved[self.kept] + curved[self.latent] @ response)
        return gradient, response

    def _gradient(self) -> list[TensorVariable]:
        return [*self._value(), *self._slope]

    def _hessian(self) -> list[Any]:
        gradient, _ = self._slope
        return [pushforward(gradient, self._inputs[0], self._direction, disconnected_outputs="ignore")]
