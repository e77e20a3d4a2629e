"""Why a search failed: observations that make a log-likelihood infinite or undefined wherever it may start."""

from dataclasses import replace

import numpy as np

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.pymc_model.impossible_observations import impossible_observations
from pp_mlekl.typing import Array


def with_reason(problem: Problem, verdict: Verdict, starts: Array) -> Verdict:
    """A failed verdict with the observations that no start makes possible in its warning, where there are any.

    Parameters
    ----------
    problem
        What was maximised.
    verdict
        What the search says.
    starts
        Where it began, (b, k).
    """
    if verdict.status != "failed" or np.isfinite(problem.objective.value(starts)).any():
        return verdict
    found = impossible_observations(problem.functions, problem.full(starts), problem.weights, problem.data)
    if not found:
        return verdict
    text = (
        f"The search failed: the log-likelihood is not finite at any start, because everywhere that of single observations is "
        f"not: {found}. Compare them with the range of their distribution, or give a start at which they are possible."
    )
    return replace(verdict, warnings=(text,))
