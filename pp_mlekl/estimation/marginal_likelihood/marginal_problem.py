"""The marginal likelihood of the parameters as a problem of optimisation."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pp_mlekl.estimation.marginal_likelihood.laplace import (
    ConditionalModes,
    Integrand,
    laplace_gradient,
    laplace_terms,
    laplace_value,
)
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.pymc_model.integrand_derivatives import IntegrandDerivatives
from pp_mlekl.typing import Array

# Relative precision: the log determinant cancels against the latents' densities where their scale is small.
_PRECISION = 1e-10


@dataclass(frozen=True, kw_only=True, eq=False)
class MarginalProblem(Problem):
    """The marginal likelihood of the parameters that are left when ``latents`` are integrated out."""

    latents: tuple[str, ...]

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """Variables that the marginal likelihood does not contain, the latents among them."""
        inside = self.functions.in_likelihood
        return tuple(v.name for v in self.functions.free if v.name in self.latents or not inside[v.name])

    @property
    def without_hessian(self) -> str:
        """Nothing: the Hessian is that of Laplace's approximation, which is refused where it needs a missing derivative."""
        return ""

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Names what even the marginal likelihood does not contain."""
        unknown = ", ".join(self.unknown)
        return (f"The marginal likelihood does not contain {unknown}.",) if unknown else ()

    @cached_property
    def latent(self) -> Array:
        """The latents' places in the flat vector."""
        slices = [v.flat for v in self.functions.free if v.name in self.latents]
        return np.concatenate([np.arange(s.start, s.stop) for s in slices]).astype(int)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Variables that are neither estimated nor integrated over."""
        return tuple(name for name in self.absent if name not in self.latents)

    @cached_property
    def term_weights(self) -> Array:
        """Weights of the likelihood's terms, with 1 for the densities of the latents."""
        terms = np.ones(self.functions.n_observations)
        if self.weights is not None:
            terms[: self.n_observations] = self.weights
        return terms

    @cached_property
    def n_observations(self) -> int:
        """Number of observed terms."""
        own = {*self.latents, *(f"{name} (Jacobian)" for name in self.latents)}
        return sum(v.pointwise.stop - v.pointwise.start for v in self.functions.observed if v.name not in own)

    @cached_property
    def integrand(self) -> Integrand:
        """What is integrated over the latents."""
        derivatives = IntegrandDerivatives(self.functions, self.term_weights, self.data)
        return Integrand(derivatives=derivatives, latent=self.latent, size=self.functions.size)

    @cached_property
    def modes(self) -> ConditionalModes:
        """The inner maximisation."""
        return ConditionalModes(integrand=self.integrand, kept=self.kept)

    @cached_property
    def objective(self) -> Objective:
        """The Laplace approximation of the marginal log-likelihood over the kept coordinates."""

        def evaluate(order: int, theta: Array, rows: Array) -> tuple[Array, ...]:
            z, found = self.modes(self.full(theta))
            if order == 0:
                return (np.where(found, laplace_value(self.integrand, z), -np.inf),)
            if order == 1:
                value, gradient = laplace_gradient(self.integrand, z, self.kept)
                return np.where(found, value, -np.inf), gradient
            terms = laplace_terms(self.integrand, z, self.kept)
            return np.where(found, terms.value, -np.inf), terms.gradient, terms.hessian

        def support(theta: Array) -> Array:
            return np.isfinite(self.integrand.derivatives.terms(self.modes.nearby(self.full(theta))).sum(axis=1))

        return Objective(size=len(self.kept), evaluate=evaluate, precision=_PRECISION, support=support)
