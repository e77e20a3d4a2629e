"""Maximum likelihood with latent variables integrated out by Laplace's approximation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import gammaln, logsumexp

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.estimation.failed_search import with_reason
from pp_mlekl.estimation.labelled_estimate import labelled_estimate
from pp_mlekl.estimation.marginal_likelihood.laplace import ConditionalModes, Integrand, laplace_terms, laplace_value
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.search import search
from pp_mlekl.pymc_model.integrand_derivatives import IntegrandDerivatives
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.prior_sampler import improper_names
from pp_mlekl.typing import Array, RandomSeed

# Relative precision: the log determinant cancels against the latents' densities where their scale is small.
_PRECISION = 1e-10
# Shift of an estimate by Laplace's error, in standard errors, above which there is a warning.
_SHIFT = 0.5
# Error of importance sampling, in nats, above which it is unreliable.
_UNSETTLED = 0.1
# Where the log weights of normal draws differ by more than _NORMAL, blocks of at most _FEW latents are sampled again from
# Student's distribution with _DF degrees of freedom.
_NORMAL, _FEW, _DF = 0.1, 5, 5
_NO_MODE = (
    "Laplace's approximation needs latents that have one smooth mode given the parameters: a kink (a Laplace prior) or "
    "several modes (a mixture) leave none. Sample the posterior instead."
)
_SAMPLE = "It fails for groups of few or extreme counts; sample the posterior instead."


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
            terms = laplace_terms(self.integrand, z, self.kept)
            return (np.where(found, terms.value, -np.inf), terms.gradient, terms.hessian)[: order + 1]

        def support(theta: Array) -> Array:
            return np.isfinite(self.integrand.derivatives.terms(self.modes.nearby(self.full(theta))).sum(axis=1))

        return Objective(size=len(self.kept), evaluate=evaluate, precision=_PRECISION, support=support)


def find_marginal_mle(
    functions: ModelFunctions,
    latents: Sequence[str],
    *,
    starts: int,
    random_seed: RandomSeed,
    weights: ArrayLike | None,
    data: Mapping[str, ArrayLike] | None,
    idata: xr.DataTree | None = None,
    estimates: Mapping[str, PointEstimate] | None = None,
) -> PointEstimate:
    """The maximiser of the marginal likelihood; see ``find_mle``.

    Latents carry their conditional modes, and standard errors that include the parameters' uncertainty.
    ``laplace_error`` of the result is the log of the ratio of the marginal likelihood by importance sampling to its
    Laplace approximation, at the estimate.
    """
    generator = np.random.default_rng(random_seed)
    problem = MarginalProblem(functions=functions, kind="mle", weights=weights, data=data, latents=tuple(latents))
    known = list((estimates or {}).values())
    for other in known:
        check_belongs(functions, other)
    places = problem.starts(min(starts, 5), generator, idata, [e.flat for e in known])
    verdict = with_reason(problem, search(problem.objective, places, problem.space), places)
    if verdict.status == "failed":
        verdict = replace(verdict, warnings=(*verdict.warnings, _NO_MODE))
    settings = {"starts": len(places), "random_seed": repr(random_seed), "marginalize": tuple(latents)}
    z = problem.full(verdict.z) if np.all(np.isfinite(verdict.z)) else problem.base
    z, _ = problem.modes(z[None])
    settings["blocks"] = len(problem.integrand.blocks.members)
    error = _laplace_error(problem, z, generator)
    verdict = replace(verdict, warnings=(*verdict.warnings, *_doubts(problem, verdict, error)))
    inner = _latents(problem, verdict, z)
    return labelled_estimate(
        problem,
        verdict,
        settings,
        flat=inner.z,
        covariance=inner.conditional + inner.spread @ verdict.covariance @ inner.spread.T,
        log_likelihood=verdict.value,
        n_observations=problem.n_observations,
        laplace_error=error,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Latents:
    """What the latents are at the estimate.

    Parameters
    ----------
    z
        The whole point (d,), the latents at their modes.
    conditional
        Their covariance given the parameters, embedded in (d, d).
    spread
        How z moves with each parameter, (d, p).
    """

    z: Array
    conditional: Array
    spread: Array


def _latents(problem: MarginalProblem, verdict: Verdict, z: Array) -> _Latents:
    """The latents at z (1, d), where they are at their modes; on a boundary, their limits there.

    The search stops near a boundary: where the scale of the latents tends to 0, so do their own deviations and errors. What
    falls by more than half while a parameter goes on by one unit of z has the limit 0.
    """
    near = _latents_at(problem, z)
    for direction in verdict.run_off:
        farther = z.copy()
        farther[:, problem.kept] += direction / np.abs(direction).max()
        farther, found = problem.modes(farther)
        if not found.all():
            continue
        far = _latents_at(problem, farther)
        modes = near.z.copy()
        modes[problem.latent] = _limit(near.z, far.z)[problem.latent]
        near = _Latents(
            z=modes,
            conditional=_limit(near.conditional, far.conditional),
            spread=_limit(near.spread, far.spread),
        )
    return near


def _latents_at(problem: MarginalProblem, z: Array) -> _Latents:
    integrand, latent = problem.integrand, problem.latent
    conditional = np.zeros((integrand.size, integrand.size))
    conditional[np.ix_(latent, latent)] = integrand.blocks.dense(np.linalg.inv(integrand.curvature(z))[0])
    spread = laplace_terms(integrand, z, problem.kept).directions[0].T
    return _Latents(z=z[0], conditional=conditional, spread=spread)


def _limit(near: Array, far: Array) -> Array:
    return np.where(np.abs(far) < 0.5 * np.abs(near), 0.0, near)


def _doubts(problem: MarginalProblem, verdict: Verdict, error: Estimate) -> tuple[str, ...]:
    """A warning where Laplace's error is unknown, or varies so fast that the exact maximum lies elsewhere."""
    if verdict.status not in ("converged", "multimodal"):
        return ()
    if not error.mcse < _UNSETTLED:
        return (
            "Laplace's approximation is not good enough here: the latents' densities are so far from normal that importance "
            f"sampling cannot estimate its error (by {error.value:.2g} +- {error.mcse:.2g} nats). {_SAMPLE}",
        )
    shift = _shift(problem, verdict)
    far = np.flatnonzero(np.abs(shift) > _SHIFT).tolist()
    if not far:
        return ()
    names = ", ".join(f"{problem.space.coordinates[j]} by {shift[j]:+.1f}" for j in far)
    return (
        "Laplace's approximation is not good enough here: its error moves the maximum, in standard errors "
        f"{names}. {_SAMPLE}",
    )


def _shift(problem: MarginalProblem, verdict: Verdict) -> Array:
    """By how many standard errors the exact maximum lies off Laplace's, (p,), to first order; 0 where it is unknown.

    With a log-likelihood that is off by e(theta), a maximum with covariance C moves by C grad e. The slope of e is that
    of importance sampling with the same noise on either side, over a standard error.
    """
    errors = np.sqrt(np.diagonal(verdict.covariance))
    if not np.all(errors > 0):
        return np.zeros(len(errors))
    moves = np.concatenate([np.diag(errors), -np.diag(errors)]) / 2
    points, found = problem.modes(problem.full(verdict.z + moves))
    if not found.all():
        return np.zeros(len(errors))
    off = [_laplace_error(problem, point[None], np.random.default_rng(0), 400).value for point in points]
    slope = (np.array(off[: len(errors)]) - off[len(errors) :]) / errors
    return verdict.covariance @ slope / errors


def _check_proper(problem: MarginalProblem) -> None:
    """Raise ValueError where the latents have an improper prior: the data may leave the integral without end."""
    improper = sorted(set(problem.latents) & set(improper_names(problem.functions.model)))
    if improper:
        raise ValueError(
            f"The integral over {', '.join(improper)} does not exist: its prior is improper, and the data do not "
            "determine each of its elements; give it a proper prior."
        )


def _laplace_error(problem: MarginalProblem, z: Array, generator: np.random.Generator, draws: int = 1000) -> Estimate:
    """log(importance sampling / Laplace) of the marginal likelihood at one point z (1, d), in nats.

    The blocks are independent, so the integral is a product and each factor is sampled by itself.
    """
    integrand, blocks = problem.integrand, problem.integrand.blocks
    try:
        factor = np.linalg.cholesky(integrand.curvature(z)[0])
    except np.linalg.LinAlgError:
        _check_proper(problem)
        return Estimate(value=np.nan, mcse=np.nan, method="importance sampling", direction="log(exact / Laplace)")

    def falls(noise: Array) -> Array:
        """log h at moves (in standard deviations) from the mode, minus log h at the mode: (draws, blocks)."""
        moves = np.linalg.solve(factor.swapaxes(1, 2), noise[..., None])[..., 0]
        joint = integrand.block_values(z + integrand.embedded(blocks.whole(moves)))
        return joint - integrand.block_values(z)

    noise = generator.normal(size=(draws // 2, *blocks.members.shape)) * blocks.inside
    # Pairs of opposite draws cancel the odd terms of the expansion about the mode.
    noise = np.concatenate([noise, -noise])
    log_ratio = falls(noise) + 0.5 * np.sum(noise**2, axis=-1)
    if np.ptp(log_ratio) > _NORMAL and blocks.width <= _FEW:
        # Tails may be heavier than a normal distribution's: they are looked for with those of Student's.
        width = blocks.inside.sum(axis=1)
        share = generator.chisquare(_DF, size=(draws // 2, len(width))) / _DF
        noise = noise / np.sqrt(np.concatenate([share, share]))[..., None]
        squares = np.sum(noise**2, axis=-1)
        constant = gammaln(0.5 * _DF) - gammaln(0.5 * (_DF + width)) + 0.5 * width * np.log(0.5 * _DF)
        log_ratio = falls(noise) + 0.5 * (_DF + width) * np.log1p(squares / _DF) + constant
    pairs = np.logaddexp(log_ratio[: draws // 2], log_ratio[draws // 2 :]) - np.log(2.0)
    factors = logsumexp(pairs, axis=0) - np.log(len(pairs))
    errors = np.std(np.exp(pairs - factors), axis=0, ddof=1) / np.sqrt(len(pairs))
    return Estimate(
        value=float(factors.sum()),
        mcse=float(np.linalg.norm(errors)),
        method="importance sampling",
        direction="log(exact / Laplace)",
    )
