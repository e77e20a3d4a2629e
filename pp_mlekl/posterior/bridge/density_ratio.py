"""Divergences between prior and posterior from the log-likelihood at draws of both and one log evidence.

Each divergence is a mean of a function of r = L / Z, the ratio of the posterior to the prior density.
"""

from collections.abc import Callable

import numpy as np

from pp_mlekl.divergences.monte_carlo import RELIABLE_SHAPE, tail_shape
from pp_mlekl.posterior.bridge.number_with_error import Mean, WithError, independent_mean, plain_mean
from pp_mlekl.typing import Array

# Pareto shape from which the mean of a tail does not exist.
_INFINITE = 1.0
# Step for the derivative with respect to log Z where it has no error of its own.
_STEP = 1e-3


def density_ratio_divergences(
    posterior: Array, prior: Array, log_evidence: WithError, mean: Mean = plain_mean
) -> dict[str, WithError]:
    """Divergences between prior and posterior, in nats where they have a unit.

    Parameters
    ----------
    posterior
        Log-likelihood at posterior draws, shape (chain, draw).
    prior
        Log-likelihood at independent prior draws, shape (n,); may hold ``-inf``.
    log_evidence
        log Z; its ``influence``, where it has one, is that of the same posterior draws.
    mean
        Mean over the posterior's draws, with control variates where there are some.

    Returns
    -------
    dict
        ``kl_posterior_prior``, ``kl_prior_posterior``, ``jsd``, ``total_variation``, ``hellinger_squared``,
        ``model_dimensionality``.
    """
    z = log_evidence
    result = {
        # The control variates are fitted to log L alone, since the influence on log Z already depends on the draws' moments.
        "kl_posterior_prior": mean(posterior).plus(z, -1.0),
        "kl_prior_posterior": _prior_posterior(prior, z),
    }
    with np.errstate(over="ignore", invalid="ignore"):
        result |= _bounded(posterior - z.value, prior - z.value, z)
    spread = mean((posterior - mean(posterior).value) ** 2)
    result["model_dimensionality"] = WithError(value=0.0).plus(spread, 2.0)
    return result


def _prior_posterior(prior: Array, z: WithError) -> WithError:
    impossible = np.mean(np.isneginf(prior))
    if impossible > 0:
        reason = f"The likelihood is 0 at {impossible:.1%} of the prior draws, so the divergence is infinite."
        return WithError(value=np.inf, warnings=(reason,))
    shape = tail_shape(-prior)
    if shape >= _INFINITE:
        reason = f"The divergence appears infinite: -log L has a heavy tail under the prior (Pareto k = {shape:.2f})."
        return WithError(value=np.inf, warnings=(reason,))
    warnings: tuple[str, ...] = ()
    if shape > RELIABLE_SHAPE:
        warnings = (f"-log L has a heavy tail under the prior (Pareto k = {shape:.2f}), so the error is too small.",)
    under = independent_mean(prior)
    return WithError(value=-under.value, rest=under.rest, warnings=warnings).plus(z)


def _bounded(posterior: Array, prior: Array, z: WithError) -> dict[str, WithError]:
    """Bounded divergences from log r at draws of both, and the log Z that it contains.

    Since E_prior[g(r)] = E_post[g(r) / r], each mean is taken where its terms are bounded: over posterior draws where r > 1,
    over prior draws where r <= 1. A mean over prior draws alone would depend on the few that reach the posterior.
    """
    log_2 = np.log(2)

    def jsd_terms(x: Array) -> Array:
        # Both parts are the same function of x = |log r|: log(1 + e^-x) + e^-x log(1 + e^x).
        x = np.minimum(x, 700.0)
        return np.log1p(np.exp(-x)) + np.exp(-x) * np.logaddexp(0, x)

    terms = {
        "jsd": (log_2, 0.5, jsd_terms),
        "hellinger_squared": (1.0, 1.0, lambda x: np.exp(-x / 2)),
        "total_variation": (1.0, 1.0, lambda x: np.exp(-x)),
    }
    return {name: _less_overlap(posterior, prior, z, *rest) for name, rest in terms.items()}


def _less_overlap(
    posterior: Array, prior: Array, z: WithError, most: float, factor: float, term: Callable[[Array], Array]
) -> WithError:
    """``most - factor * (E_post[term(log r); r > 1] + E_prior[term(-log r); r <= 1])``."""

    def sides(shift: float) -> tuple[Array, Array]:
        after, before = posterior - shift, prior - shift
        over = np.where(after > 0, term(np.maximum(after, 0.0)), 0.0)
        return over, np.where(before <= 0, term(np.maximum(-before, 0.0)), 0.0)

    if not np.all(np.isfinite(posterior)):
        # Without a log Z there is no ratio.
        return WithError(value=np.nan, rest=np.nan)
    over, under = sides(0.0)
    step = z.standard_error or _STEP
    low, high = (float(sum(np.mean(side) for side in sides(shift))) for shift in (-step, step))
    overlap = plain_mean(over).plus(independent_mean(under))
    moved = overlap.plus(WithError(value=0.0, influence=z.influence, rest=z.rest), (high - low) / (2 * step))
    return WithError(value=most).plus(moved, -factor)
