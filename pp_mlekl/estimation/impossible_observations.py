"""Which single observations make a log-likelihood infinite or undefined wherever a search may start."""

from dataclasses import replace

import numpy as np

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.optimize.verdict import Verdict
from pp_mlekl.typing import Array

_LISTED = 3


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
    found = _impossible(problem, starts)
    if not found:
        return verdict
    more = len(found) - _LISTED
    listed = ", ".join(found[:_LISTED]) + (f" and {more} more" if more > 0 else "")
    text = (
        f"The search failed: the log-likelihood is not finite at any start, because everywhere that of single observations is "
        f"not: {listed}. Compare them with the range of their distribution, or give a start at which they are possible."
    )
    return replace(verdict, warnings=(text,))


def _impossible(problem: Problem, starts: Array) -> list[str]:
    """The observations that count but have no finite log density at any of the starts, in words."""
    functions, count = problem.functions, problem.n_observations
    with np.errstate(all="ignore"):
        terms = functions.pointwise(problem.full(starts), problem.data)[:, :count]
    wrong = ~np.isfinite(terms).any(axis=0)
    if problem.weights is not None:
        wrong &= np.asarray(problem.weights) != 0
    data = {**functions.observed_data(), **(problem.data or {})}
    found = []
    for variable in functions.observed:
        for place in np.flatnonzero(wrong[variable.pointwise]):
            index = np.unravel_index(place, variable.shape)
            name = variable.name + (f"[{', '.join(str(i) for i in index)}]" if variable.shape else "")
            if variable.name in data:
                value = np.array2string(np.asarray(data[variable.name])[index], precision=6, threshold=6)
                name = f"{name} = {value}"
            found.append(f"{name} ({_what(terms[:, variable.pointwise.start + place])})")
    return found


def _what(log_density: Array) -> str:
    if np.isnan(log_density).any():
        return "log density NaN"
    return "density zero" if np.all(log_density < 0) else "density infinite"
