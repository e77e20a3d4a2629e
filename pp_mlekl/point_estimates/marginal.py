"""Maximum likelihood with latent variables integrated out by Laplace's approximation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.search import search
from pp_mlekl.optimize.trust_region import maximize
from pp_mlekl.optimize.verdict import Verdict
from pp_mlekl.point_estimates.problem import Problem
from pp_mlekl.point_estimates.result import PointEstimate, labelled_estimate
from pp_mlekl.pymc_model.marginal_functions import MarginalFunctions
from pp_mlekl.pymc_model.model_functions import ModelFunctions

Array = np.ndarray

_REMEMBERED = 500
# The log determinant cancels against the latents' densities where their scale is small.
_PRECISION = 1e-10


@dataclass(kw_only=True, eq=False)
class ConditionalModes:
    """The modes of the latents given the other parameters, found by Newton's method from the nearest one known.

    Parameters
    ----------
    functions
        The model's functions with the latents' densities in the likelihood.
    latent, kept
        The places of the latents and of the other parameters in the flat vector.
    weights, data
        Of the likelihood.
    """

    functions: ModelFunctions
    latent: Array
    kept: Array
    weights: Array
    data: Mapping[str, ArrayLike] | None
    _theta: list[Array] = field(default_factory=list)
    _modes: list[Array] = field(default_factory=list)

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Points z (b, d) with the latents at their mode given theta (b, p), and whether there is one, (b,)."""
        z = np.broadcast_to(self.functions.initial_point(), (len(theta), self.functions.size)).copy()
        z[:, self.kept] = theta
        z[:, self.latent] = self._nearest(theta, z[:, self.latent])
        base = z.copy()

        def evaluate(order: int, u: Array, rows: Array) -> tuple[Array, ...]:
            full = base[rows]
            full[:, self.latent] = u
            if order == 0:
                return (self.functions.value(full, weights=self.weights, data=self.data),)
            value, gradient, hessian = self.functions.value_gradient_hessian(full, weights=self.weights, data=self.data)
            return value, gradient[:, self.latent], hessian[:, self.latent[:, None], self.latent[None, :]]

        objective = Objective(size=len(self.latent), evaluate=evaluate)
        ends = maximize(objective, base[:, self.latent], rows=np.arange(len(theta)), max_iterations=60)
        z[:, self.latent] = ends.z
        found = (ends.state == "stationary") & np.isfinite(ends.value)
        self._theta.extend(theta[found])
        self._modes.extend(ends.z[found])
        del self._theta[:-_REMEMBERED], self._modes[:-_REMEMBERED]
        return z, found

    def _nearest(self, theta: Array, default: Array) -> Array:
        if not self._theta:
            return default
        known = np.array(self._theta)
        distance = np.sum((theta[:, None, :] - known[None]) ** 2, axis=2)
        return np.array(self._modes)[np.argmin(distance, axis=1)]


@dataclass(frozen=True, kw_only=True, eq=False)
class MarginalProblem(Problem):
    """The marginal likelihood of the parameters that are left when ``latents`` are integrated out."""

    latents: tuple[str, ...]

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """Variables that the marginal likelihood does not contain, the latents among them."""
        inside = self.functions.in_likelihood
        return tuple(v.name for v in self.functions.free if v.name in self.latents or not inside[v.name])

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Names what even the marginal likelihood does not contain."""
        missing = [name for name in self.absent if name not in self.latents]
        return (f"The marginal likelihood does not contain {', '.join(missing)}.",) if missing else ()

    @cached_property
    def latent(self) -> Array:
        """The latents' places in the flat vector."""
        slices = [v.flat for v in self.functions.free if v.name in self.latents]
        return np.concatenate([np.arange(s.start, s.stop) for s in slices]).astype(int)

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
    def marginal(self) -> MarginalFunctions:
        """The Laplace approximation and its derivatives."""
        return self.functions.kept("marginal", lambda: MarginalFunctions(self.functions, self.latent))

    @cached_property
    def modes(self) -> ConditionalModes:
        """The inner maximisation."""
        # The marginal functions count everything but the latents as parameters, whatever is maximised over.
        return ConditionalModes(
            functions=self.functions,
            latent=self.latent,
            kept=self.marginal.kept,
            weights=self.term_weights,
            data=self.data,
        )

    @cached_property
    def objective(self) -> Objective:
        """The Laplace approximation of the marginal log-likelihood over the kept coordinates."""
        places = np.searchsorted(self.marginal.kept, self.kept)

        def evaluate(order: int, theta: Array, rows: Array) -> tuple[Array, ...]:
            z, found = self.modes(self.full(theta)[:, self.marginal.kept])
            if order == 0:
                value = self.marginal.value(z, weights=self.term_weights, data=self.data)
                return (np.where(found, value, -np.inf),)
            terms = self.marginal.terms(z, weights=self.term_weights, data=self.data)
            value = np.where(found, terms.value, -np.inf)
            hessian = terms.hessian[:, places[:, None], places[None, :]]
            return (value, terms.gradient[:, places], hessian)[: order + 1]

        return Objective(size=len(self.kept), evaluate=evaluate, precision=_PRECISION)


def find_marginal_mle(
    functions: ModelFunctions,
    latents: Sequence[str],
    *,
    starts: int,
    random_seed: Any,
    weights: ArrayLike | None,
    data: Mapping[str, ArrayLike] | None,
) -> PointEstimate:
    """The maximiser of the marginal likelihood; see ``find_mle``.

    Latents carry their conditional modes, and standard errors that include the parameters' uncertainty.
    ``laplace_error`` of the result is the log of the ratio of the marginal likelihood by importance sampling to its
    Laplace approximation, at the estimate.
    """
    generator = np.random.default_rng(random_seed)
    problem = MarginalProblem(functions=functions, kind="mle", weights=weights, data=data, latents=tuple(latents))
    places = problem.starts(min(starts, 5), generator, None, [])
    verdict = search(problem.objective, places, problem.space)
    settings = {"starts": len(places), "random_seed": repr(random_seed), "marginalize": tuple(latents)}
    z = problem.full(verdict.z) if np.all(np.isfinite(verdict.z)) else problem.base
    z, _ = problem.modes(z[None, problem.marginal.kept])
    return labelled_estimate(
        problem,
        verdict,
        settings,
        flat=z[0],
        covariance=_joint_covariance(problem, verdict, z),
        log_likelihood=verdict.value,
        n_observations=problem.n_observations,
        laplace_error=_laplace_error(problem, z[0], generator),
    )


def _joint_covariance(problem: MarginalProblem, verdict: Verdict, z: Array) -> Array:
    """Covariance of the whole of z: the latents given the parameters, and what the parameters' own adds to it."""
    functions = problem.functions
    covariance = np.zeros((functions.size, functions.size))
    terms = problem.marginal.terms(z, weights=problem.term_weights, data=problem.data)
    _, _, hessian = functions.value_gradient_hessian(z[0], weights=problem.term_weights, data=problem.data)
    covariance[np.ix_(problem.latent, problem.latent)] = np.linalg.inv(-hessian[np.ix_(problem.latent, problem.latent)])
    spread = np.zeros((functions.size, len(problem.kept)))
    spread[problem.kept, np.arange(len(problem.kept))] = 1.0
    spread[problem.latent] = terms.response[0][:, np.searchsorted(problem.marginal.kept, problem.kept)]
    return covariance + spread @ verdict.covariance @ spread.T


def _laplace_error(problem: MarginalProblem, z: Array, generator: np.random.Generator, draws: int = 1000) -> Estimate:
    """log(importance sampling / Laplace) of the marginal likelihood at one point, in nats."""
    functions, latent = problem.functions, problem.latent
    value, _, hessian = functions.value_gradient_hessian(z, weights=problem.term_weights, data=problem.data)
    factor = np.linalg.cholesky(-hessian[np.ix_(latent, latent)])
    noise = generator.normal(size=(draws // 2, len(latent)))
    # Pairs of opposite draws cancel the odd terms of the expansion about the mode.
    noise = np.concatenate([noise, -noise])
    points = np.repeat(z[None], len(noise), axis=0)
    points[:, latent] += np.linalg.solve(factor.T, noise.T).T
    joint = functions.value(points, weights=problem.term_weights, data=problem.data)
    log_ratio = joint - value + 0.5 * np.sum(noise**2, axis=1)
    pairs = np.logaddexp(log_ratio[: draws // 2], log_ratio[draws // 2 :]) - np.log(2.0)
    estimate = float(logsumexp(pairs) - np.log(len(pairs)))
    error = float(np.std(np.exp(pairs - estimate), ddof=1) / np.sqrt(len(pairs)))
    return Estimate(value=estimate, mcse=error, method="importance sampling", direction="log(exact / Laplace)")
