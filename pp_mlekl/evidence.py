"""The log evidence of a model: bridge sampling from ordinary draws, SMC, or a Laplace approximation."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from pp_mlekl.bridge.errors import WithError
from pp_mlekl.bridge.sampling import bridge_sampling
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.prior_draws import improper_names
from pp_mlekl.pymc_model.sampling import sample

# Chains so short have no covariance to speak of.
_FEWEST_DRAWS = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence(Estimate):
    """A log evidence from posterior draws, which knows what each of them adds to it.

    Parameters
    ----------
    draws
        The unconstrained draws, shape (chain, draw, d).
    number
        The log evidence with the influence of each draw.
    """

    draws: np.ndarray
    number: WithError


def evidence_over(log_evidence: Estimate, draws: np.ndarray | None = None) -> WithError:
    """A log evidence as a part of numbers over posterior ``draws``: its error is shared with them if it comes from them.

    Parameters
    ----------
    log_evidence
        Any log evidence, in nats.
    draws
        Unconstrained, shape (chain, draw, d); None where the number is not one over posterior draws.
    """
    if draws is not None and isinstance(log_evidence, Evidence) and np.array_equal(log_evidence.draws, draws):
        return log_evidence.number
    return WithError(value=float(log_evidence), rest=float(log_evidence.mcse) ** 2)


def log_evidence(
    model: Any,
    tree: xr.DataTree | None = None,
    method: Literal["bridge", "smc", "laplace"] = "bridge",
    *,
    space: Literal["natural", "unconstrained"] = "unconstrained",
    potentials: Literal["prior", "likelihood"] | None = None,
    random_seed: Any = None,
) -> Estimate:
    """Log of the integral of likelihood times prior, in nats.

    Parameters
    ----------
    model
        A PyMC model.
    tree
        Posterior draws of it (``chain``, ``draw``); sampled where None. Not used by ``"smc"`` and ``"laplace"``.
    method
        ``"bridge"`` (Meng and Wong 1996), ``"smc"`` (``pm.sample_smc``) or ``"laplace"``, whose error is its distance from
        importance sampling over the same normal.
    space
        For ``"laplace"``: the scale on which the posterior is taken to be normal.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    random_seed
        Anything ``numpy.random.default_rng`` takes.

    Returns
    -------
    Estimate
        NaN with the reason in ``warnings`` where it cannot be believed. With an improper prior the number is a log
        normaliser that depends on an arbitrary constant, and a warning says so.

    Raises
    ------
    ValueError
        Where the method is unknown or the draws are too few.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 1)
    ...     y = pm.Normal("y", mu, 1, observed=[0.5, 1.5])
    >>> round(float(log_evidence(model, method="laplace")), 4)
    -2.9705
    """
    functions = model_functions(model, potentials)
    generator = np.random.default_rng(random_seed)
    if method == "laplace":
        return _by_laplace(model, space, potentials, generator)
    if method == "smc":
        from pp_mlekl.pymc_model.sequential import smc_log_evidence

        value, error = smc_log_evidence(model, generator)
        return Estimate(value=value, mcse=error, method="sequential Monte Carlo", direction="log Z")
    if method != "bridge":
        raise ValueError(f'method must be "bridge", "smc" or "laplace", got {method!r}.')
    tree = sample(model, random_seed=generator, potentials=potentials) if tree is None else tree
    z = functions.unconstrain_draws(tree["posterior"].to_dataset())
    if z.shape[0] * z.shape[1] < _FEWEST_DRAWS:
        raise ValueError(f"{z.shape[0] * z.shape[1]} draws are too few for an evidence; take at least {_FEWEST_DRAWS}.")
    result = bridge_sampling(z, lambda points: functions.value(points, a=1.0, b=1.0), generator)
    return Evidence(
        value=result.log_normalizer,
        mcse=result.standard_error,
        method=result.method,
        direction="log Z",
        warnings=(*result.problems, *_about_the_prior(model)),
        draws=z,
        number=result.number,
    )


def _about_the_prior(model: Any) -> tuple[str, ...]:
    names = improper_names(model)
    if not names:
        return ()
    return (f"The prior of {', '.join(names)} is improper: log Z is defined up to an arbitrary constant only.",)


def _by_laplace(model: Any, space: Literal["natural", "unconstrained"], potentials: Any, generator: Any) -> Estimate:
    from pp_mlekl.laplace import laplace

    approximation = laplace(model, space, potentials=potentials, random_seed=generator)
    value = approximation.log_normalizer()
    checked = approximation.importance_sampled(random_seed=generator)
    return Estimate(
        value=value,
        mcse=float(np.hypot(value - float(checked), checked.mcse)),
        method=f"Laplace ({space})",
        direction="log Z",
        warnings=(*checked.warnings, *_about_the_prior(model)),
    )
