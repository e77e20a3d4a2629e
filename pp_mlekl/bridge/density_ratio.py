"""Divergences between prior and posterior from the log-likelihood at draws of both and one log evidence.

With r = L / Z, the posterior density over the prior's, every one of them is a mean of a function of r.
"""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.bridge.chains import mean_and_error
from pp_mlekl.divergences.monte_carlo import tail_shape

# Vehtari et al. (2024): above 0.7 the mean of the tail is unreliable, at 1 it does not exist.
_UNRELIABLE, _INFINITE = 0.7, 1.0


@dataclass(frozen=True, kw_only=True)
class WithError:
    """A number, its standard error, and what to know before it is believed."""

    value: float
    standard_error: float
    warnings: tuple[str, ...] = ()


def density_ratio_divergences(
    posterior: np.ndarray,
    prior: np.ndarray,
    log_evidence: WithError,
    mean_log_likelihood: WithError,
) -> dict[str, WithError]:
    """Every divergence between prior and posterior, in nats where it has a unit.

    Parameters
    ----------
    posterior
        Log-likelihood at posterior draws, shape (chain, draw).
    prior
        Log-likelihood at independent prior draws, shape (n,); may hold ``-inf``.
    log_evidence
        log Z.
    mean_log_likelihood
        E_post[log L], which may be known better than the plain mean of ``posterior``.

    Returns
    -------
    dict
        ``kl_posterior_prior``, ``kl_prior_posterior``, ``jsd``, ``total_variation``, ``hellinger_squared``,
        ``model_dimensionality``.
    """
    z = log_evidence
    result = {
        "kl_posterior_prior": WithError(
            value=mean_log_likelihood.value - z.value,
            standard_error=float(np.hypot(mean_log_likelihood.standard_error, z.standard_error)),
        ),
        "kl_prior_posterior": _prior_posterior(prior, z),
    }
    with np.errstate(over="ignore"):
        result |= _bounded(posterior - z.value, prior - z.value, z.standard_error)
    centred = (posterior - posterior.mean()) ** 2
    spread, error = mean_and_error(centred)
    result["model_dimensionality"] = WithError(value=2 * spread, standard_error=2 * error)
    return result


def _prior_posterior(prior: np.ndarray, z: WithError) -> WithError:
    impossible = np.mean(np.isneginf(prior))
    if impossible > 0:
        reason = f"The likelihood is 0 at {impossible:.1%} of the prior draws, so the divergence is infinite."
        return WithError(value=np.inf, standard_error=0.0, warnings=(reason,))
    shape = tail_shape(-prior)
    if shape >= _INFINITE:
        reason = (
            f"-log L has so heavy a tail under the prior (k-hat {shape:.2f}) that its mean is taken to be infinite."
        )
        return WithError(value=np.inf, standard_error=0.0, warnings=(reason,))
    value, error = mean_and_error(-prior[None])
    warnings = ()
    if shape > _UNRELIABLE:
        warnings = (f"-log L has a heavy tail under the prior (k-hat {shape:.2f}): the error is too small.",)
    return WithError(value=z.value + value, standard_error=float(np.hypot(error, z.standard_error)), warnings=warnings)


def _bounded(posterior: np.ndarray, prior: np.ndarray, error: float) -> dict[str, WithError]:
    # JSD does not depend on log Z to first order: E_prior[r / (1 + r)] = E_post[1 / (1 + r)].
    first = mean_and_error(np.log(2) - np.logaddexp(0, -posterior))
    second = mean_and_error((np.log(2) - np.logaddexp(0, prior))[None])
    jsd = WithError(value=(first[0] + second[0]) / 2, standard_error=float(np.hypot(first[1], second[1]) / 2))
    over = mean_and_error(np.maximum(-np.expm1(-posterior), 0.0))
    under = mean_and_error(np.maximum(-np.expm1(prior), 0.0)[None])
    above = float(np.mean(prior > 0))
    total = min((over, above), (under, 1 - above), key=lambda t: np.hypot(t[0][1], t[1] * error))
    root = [mean_and_error(np.exp(-posterior / 2)), mean_and_error(np.exp(prior / 2)[None])]
    affinity = min(root, key=lambda m: m[1])
    return {
        "jsd": jsd,
        "total_variation": WithError(value=total[0][0], standard_error=float(np.hypot(total[0][1], total[1] * error))),
        "hellinger_squared": WithError(
            value=1 - affinity[0], standard_error=float(np.hypot(affinity[1], affinity[0] * error / 2))
        ),
    }
