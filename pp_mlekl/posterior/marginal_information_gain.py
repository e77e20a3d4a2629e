"""Marginal information gains: KL(post||prior) of each element of a variable, and of groups of variables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.samples.checks import MOST_REPEATED, Draws, checked_draws, share_repeated
from pp_mlekl.divergences.samples.divergence import kl_between_draws, terms_between_draws
from pp_mlekl.divergences.samples.one_sample import log_density_terms, thinned
from pp_mlekl.divergences.samples.subspaces import check_full_rank
from pp_mlekl.divergences.samples.terms import Terms, estimate
from pp_mlekl.posterior.bridge.normality import check_normality
from pp_mlekl.pymc_model.layout import FreeVariable
from pp_mlekl.pymc_model.marginal_prior_density import group_log_prior, marginal_log_prior
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.effective_size import effective_size

FORWARD, REVERSE = "KL(posterior||prior)", "KL(prior||posterior)"
# Maximum factor of thinning, which removes repeated draws such as those of resampled particles.
_MOST_THINNING = 32


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Divergences of the elements of one variable, with the per-draw terms that make up their sum.

    Parameters
    ----------
    values, errors
        Shape of the variable.
    terms
        Sum over elements of each draw's term, shape (chain, draw); None where it is unavailable.
    variance, bias
        Variance and bias of the sum that the scatter of ``terms`` does not contain.
    warnings
        Reasons to doubt the numbers.
    """

    values: Array
    errors: Array
    terms: Array | None = None
    variance: float = 0.0
    bias: float = 0.0
    warnings: tuple[str, ...] = ()


def variable_gain(
    functions: ModelFunctions, variable: FreeVariable, z: Array, prior: Array, generator: np.random.Generator
) -> Gain:
    """KL(post||prior) of each element of a free variable, in nats.

    Parameters
    ----------
    z, prior
        Unconstrained draws, (chain, draw, d) of the posterior and (n, d) of the prior.
    """
    known = marginal_log_prior(functions, variable, z, prior)
    if known is None:
        gain = drawn_gain(
            functions.natural(z)[variable.name], functions.natural(prior)[variable.name], variable.name, generator
        )
        note = f"{variable.name}: the prior density of its elements is not known in closed form; draws are used."
        return Gain(values=gain.values, errors=gain.errors, warnings=(note, *gain.warnings))
    estimates, total, variance, bias, chains = [], np.zeros(z.shape[:2]), 0.0, 0.0, len(z)
    for j, more in enumerate(known.extra_variance):
        try:
            terms = _element_terms(known.draws[..., j], known.log_density[..., j], float(more))
            estimates.append(estimate(terms, sign=1.0, direction=FORWARD, chains=chains, ess=None))
        except ValueError as error:
            estimates.append(_nothing(str(error)))
            total = np.full_like(total, np.nan)
            continue
        spread = terms.values.reshape(chains, -1)
        total = total + np.repeat(spread, -(-z.shape[1] // spread.shape[1]), axis=1)[:, : z.shape[1]]
        variance, bias = variance + terms.extra_variance, bias + terms.bias
    complete = total if np.all(np.isfinite(total)) else None
    return _gathered(estimates, variable.shape, variable.name, terms=complete, variance=variance, bias=bias)


def drawn_gain(
    posterior: Array, prior: Array, name: str, generator: np.random.Generator, *, reverse: bool = False
) -> Gain:
    """KL(post||prior) in nats of each element from draws (chain, draw, *shape) of the posterior and (n, *shape) of the prior.

    With ``reverse`` it is KL(prior||post), and NaN where the posterior's draws do not cover the prior's.
    """
    shape, direction = posterior.shape[2:], REVERSE if reverse else FORWARD
    estimates = []
    for j in np.ndindex(shape):
        try:
            p = _unrepeated(posterior[(slice(None), slice(None), *j)])
            q = checked_draws(prior[(slice(None), *j)])
            terms, chains = terms_between_draws(*((q, p) if reverse else (p, q)), generator)
            if reverse and terms.lower_bound:
                estimates.append(_nothing("The posterior's draws do not cover the prior's."))
            else:
                estimates.append(estimate(terms, sign=1.0, direction=direction, chains=chains, ess=None))
        except ValueError as error:
            estimates.append(_nothing(str(error)))
    return _gathered(estimates, shape, name)


def group_gain(
    functions: ModelFunctions, names: Sequence[str], z: Array, prior: Array, generator: np.random.Generator
) -> Estimate:
    """Joint KL(post||prior) of some free variables, in nats.

    Where their prior density is known, the posterior density is normal if a test does not reject this, else estimated by
    nearest neighbours. Where it is unknown, the divergence is estimated from draws of both sides.
    """
    index = np.concatenate([np.arange(functions.size)[v.flat] for v in functions.free if v.name in names])
    try:
        p = thinned(checked_draws(z[..., index].reshape(-1, len(index)), len(z)))
        composite = np.tile(functions.initial_point(), (p.size, 1))
        composite[:, index] = p.values.reshape(p.size, -1)
        log_prior = group_log_prior(functions, names, composite)
        if log_prior is None:
            return kl_between_draws(p, checked_draws(prior[:, index]), generator)
        return estimate(_group_terms(p, log_prior), sign=1.0, direction=FORWARD, chains=len(z), ess=None)
    except ValueError as error:
        return _nothing(str(error))


def _group_terms(p: Draws, log_prior: Array) -> Terms:
    check_full_rank(p.values)
    values = p.values.reshape(p.size, -1)
    normality, d = check_normality(values), values.shape[1]
    if normality.accepted:
        by_chain = values.reshape(p.chains or 1, -1, d)
        worth = min(p.size, *(effective_size(by_chain[..., j]) for j in range(d)))
        # At the draws it was fitted to, a log density is too high by half a nat per parameter, divided by their number.
        return Terms(
            values=normality.log_density - log_prior - d * (d + 3) / 4 / worth,
            method=f"normal (p = {normality.p_value:.2g} against it), exact log prior",
            bias=normality.missed,
        )
    terms = log_density_terms(p)
    return Terms(
        values=terms.values - log_prior,
        smooth=None if terms.smooth is None else terms.smooth - log_prior,
        method=f"{terms.method}, exact log prior",
        extra_variance=terms.extra_variance,
        bias=terms.bias,
        warnings=terms.warnings,
    )


def _element_terms(draws: Array, log_prior: Array, extra_variance: float) -> Terms:
    step = _step(draws)
    kept = checked_draws(draws[:, ::step].ravel(), len(draws), "its draws")
    if kept.discrete:
        raise ValueError("its draws take few values, so it has no density.")
    terms = log_density_terms(kept)
    return Terms(
        values=terms.values - log_prior[:, ::step].ravel(),
        method=f"{terms.method}, exact log prior",
        extra_variance=terms.extra_variance + extra_variance,
        bias=terms.bias,
        warnings=terms.warnings,
    )


def _unrepeated(draws: Array) -> Draws:
    return checked_draws(draws[:, :: _step(draws)].ravel(), len(draws), "its draws")


def _step(draws: Array) -> int:
    """The thinning factor after which few draws repeat an earlier value."""
    step = 1
    while step < _MOST_THINNING and share_repeated(draws[:, ::step].reshape(-1, 1), len(draws)) > MOST_REPEATED:
        step *= 2
    return step


def _nothing(reason: str) -> Estimate:
    return Estimate(value=np.nan, mcse=np.nan, method="none", warnings=(reason,))


def _gathered(
    estimates: Sequence[Estimate],
    shape: tuple[int, ...],
    name: str,
    *,
    terms: Array | None = None,
    variance: float = 0.0,
    bias: float = 0.0,
) -> Gain:
    warnings = dict.fromkeys(f"{name}: {w}" for e in estimates for w in e.warnings)
    return Gain(
        values=np.array([float(e) for e in estimates]).reshape(shape),
        errors=np.array([float(e.mcse) for e in estimates]).reshape(shape),
        terms=terms,
        variance=variance,
        bias=bias,
        warnings=tuple(warnings),
    )
