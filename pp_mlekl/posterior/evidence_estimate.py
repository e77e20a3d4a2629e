"""Log evidences with the influence of each posterior draw, relative to a normalised prior."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.posterior.bridge.number_with_error import WithError
from pp_mlekl.pymc_model.draws.normalized_prior import prior_mass
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array


def log_evidence_of(joint: Any) -> tuple[float, float]:
    """Log evidence and its error in nats, relative to the normalised prior.

    Parameters
    ----------
    joint
        The group ``joint`` of a result of ``information_gain``.
    """
    value, error = float(joint["log_evidence"]), float(joint["log_evidence_mcse"])
    if "log_prior_normalizer" not in joint:
        return value, error
    of_prior = float(joint["log_prior_normalizer"]), float(joint["log_prior_normalizer_mcse"])
    return value - of_prior[0], float(np.hypot(error, of_prior[1]))


def log_prior_mass(functions: ModelFunctions) -> WithError:
    """Log of the prior mass within the transforms' range, which is subtracted from the log normaliser of the density."""
    mass = prior_mass(functions)
    return WithError(value=mass.log_mass, rest=mass.standard_error**2)


class NoMode(ValueError):
    """There is no converged mode for a Laplace approximation."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evidence(Estimate):
    """A log evidence from posterior draws, with the influence of each draw.

    Parameters
    ----------
    draws
        The unconstrained draws, shape (chain, draw, d).
    number
        The log evidence with the influence of each draw.
    """

    draws: Array
    number: WithError


def evidence_over(log_evidence: Estimate, draws: Array | None = None) -> WithError:
    """A log evidence as a term of numbers over posterior ``draws``; its error is correlated with them if it is from these draws.

    Parameters
    ----------
    log_evidence
        Any log evidence, in nats.
    draws
        Unconstrained, shape (chain, draw, d); None for numbers that do not depend on posterior draws.
    """
    if draws is not None and isinstance(log_evidence, Evidence) and np.array_equal(log_evidence.draws, draws):
        return log_evidence.number
    return WithError(value=float(log_evidence), rest=float(log_evidence.mcse) ** 2)
