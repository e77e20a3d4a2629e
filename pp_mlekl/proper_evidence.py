"""The evidence of a prior that integrates to one."""

from typing import Any

import numpy as np


def log_evidence_of(joint: Any) -> tuple[float, float]:
    """Log evidence and its error in nats, less what the prior's density integrates to where that is not 1.

    Parameters
    ----------
    joint
        The group of that name that ``information_gain`` gives.
    """
    value, error = float(joint["log_evidence"]), float(joint["log_evidence_mcse"])
    if "log_prior_normalizer" not in joint:
        return value, error
    of_prior = float(joint["log_prior_normalizer"]), float(joint["log_prior_normalizer_mcse"])
    return value - of_prior[0], float(np.hypot(error, of_prior[1]))
