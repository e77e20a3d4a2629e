"""Maximum likelihood with latent variables integrated out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import gammaln, logsumexp

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.estimation.failed_search import with_reason
from pp_mlekl.estimation.labelled_estimate import labelled_estimate
from pp_mlekl.estimation.marginal_likelihood.laplace import laplace_terms
from pp_mlekl.estimation.marginal_likelihood.marginal_problem import MarginalProblem
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.search import search
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.prior_sampler import improper_names
from pp_mlekl.typing import Array, RandomSeed
from pp_mlekl.utils.seeds import generator_of

# Shift of an estimate by Laplace's error, in standard errors, above which there is a warning, and none of its values is meant.
_SHIFT, _TOO_FAR = 0.5, 2.0
# Laplace's error at a maximum that is not regular, in nats, above which the verdict is one on the approximation: the fall of the
# log-likelihood at the end of a 95% interval.
_LARGE = 1.92
# Error of importance sampling, in nats, above which it is unreliable.
_UNSETTLED = 0.1
# Where the log weights of normal draws differ by more than _NORMAL, blocks of at most _FEW latents are sampled again from
# Student's distribution with _DF degrees of freedom.
_NORMAL, _FEW, _DF = 0.1, 5, 5
_NO_MODE = (
    "Laplace's approximation needs latents that have one smooth mode given the parameters: a kink (a Laplace prior) or "
    "several modes (a mixture) leave none. Sample the posterior instead."
)
_DIRECTION = "log(exact / Laplace)"
_SAMPLE = "It fails for groups of few or extreme counts; sample the posterior instead."


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
    generator = generator_of(random_seed)
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
    verdict = _doubted(problem, verdict, error, generator)
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


def _doubted(problem: MarginalProblem, verdict: Verdict, error: Estimate, generator: np.random.Generator) -> Verdict:
    """The verdict with what Laplace's error at the estimate says of it.

    Where the error is so large that the exact likelihood need not have a maximum of this kind, the search has failed, whatever
    it found: a boundary or a divergence may be one of the approximation alone, and so may be the order of several maxima.
    """
    if verdict.status in ("failed", "unbounded"):
        return verdict
    poor, regular = "Laplace's approximation is not good enough here: ", verdict.status in ("converged", "multimodal")
    if not error.mcse < _UNSETTLED:
        text = (
            f"{poor}the latents' densities are so far from normal that importance sampling cannot estimate its error (by "
            f"{error.value:.2g} +- {error.mcse:.2g} nats). {_SAMPLE}"
        )
        return replace(verdict, status=verdict.status if regular else "failed", warnings=(*verdict.warnings, text))
    if not regular and abs(error.value) > _LARGE:
        text = f"{poor}it is off by {error.value:.2g} nats where the search ended ({verdict.status}). {_SAMPLE}"
        return replace(verdict, status="failed", warnings=(text,))
    higher = _higher_mode(problem, verdict, error, generator)
    if higher:
        text = f"{poor}with its error taken into account another maximum is higher by {higher:.2g} nats. {_SAMPLE}"
        return replace(verdict, status="failed", warnings=(text,))
    shift = _shift(problem, verdict) if regular else np.zeros(len(verdict.z))
    far = np.flatnonzero(np.abs(shift) > _SHIFT).tolist()
    if not far:
        return verdict
    names = ", ".join(f"{problem.space.coordinates[j]} by {shift[j]:+.1f}" for j in far)
    text = f"{poor}its error moves the maximum, in standard errors {names}. {_SAMPLE}"
    status = "failed" if np.abs(shift).max() > _TOO_FAR else verdict.status
    return replace(verdict, status=status, warnings=(*verdict.warnings, text))


def _higher_mode(problem: MarginalProblem, verdict: Verdict, error: Estimate, generator: np.random.Generator) -> float:
    """By how much another maximum that was met is higher, with Laplace's error at both, in nats; 0 where none is."""
    gains = [0.0]
    for mode in verdict.audit.modes:
        if not np.isfinite(mode.value) or mode.value > verdict.value - _UNSETTLED:
            continue
        z, found = problem.modes(problem.full(mode.z)[None])
        other = _laplace_error(problem, z, generator)
        gain = mode.value + other.value - verdict.value - error.value
        if found.all() and other.mcse < _UNSETTLED and gain > 3 * np.hypot(other.mcse, error.mcse):
            gains.append(float(gain))
    return max(gains)


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
        return Estimate(value=np.nan, mcse=np.nan, method="importance sampling", direction=_DIRECTION)

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
        direction=_DIRECTION,
    )
