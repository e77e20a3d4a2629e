"""Likelihood-ratio, Wald and score tests of a model within a larger one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pp_mlekl.optimize.trust_region import maximize
from pp_mlekl.point_estimates.find import find_mle
from pp_mlekl.point_estimates.problem import Problem
from pp_mlekl.point_estimates.result import PointEstimate
from pp_mlekl.pymc_model.model_functions import model_functions


@dataclass(frozen=True, kw_only=True)
class NestedTest:
    """One test of a null hypothesis that fixes some parameters.

    Parameters
    ----------
    method
        ``"likelihood ratio"``, ``"Wald"`` or ``"score"``.
    statistic
        Asymptotically chi-squared under the null (Wilks' theorem: twice n times the divergence between the fits).
    degrees_of_freedom
        Number of parameters fixed.
    p_value
        Upper tail of that chi-squared.
    warnings
        Where the theorem does not hold.
    """

    method: str
    statistic: float
    degrees_of_freedom: int
    p_value: float
    warnings: tuple[str, ...] = ()


def nested_tests(
    model: Any, null: Mapping[str, ArrayLike], *, estimate: PointEstimate | None = None, random_seed: Any = None
) -> tuple[NestedTest, NestedTest, NestedTest]:
    """Test whether some free variables have given values, in three ways.

    Parameters
    ----------
    model
        A PyMC model.
    null
        Values of free variables under the null hypothesis; the others stay free.
    estimate
        The maximum likelihood estimate of the whole model, if it is known.
    random_seed
        For the searches.

    Returns
    -------
    tuple of the likelihood-ratio, the Wald and the score test

    Raises
    ------
    ValueError
        Where the null is not inside the parameter space, names no free variable, or the estimate is not regular.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     p = pm.Beta("p", 1, 1)
    ...     y = pm.Binomial("y", 20, p, observed=13)
    >>> [round(t.statistic, 4) for t in nested_tests(model, {"p": 0.5}, random_seed=1)]
    [1.828, 1.978, 1.8]
    """
    functions = model_functions(model)
    problem = Problem(functions=functions, kind="mle")
    free = [v.name for v in functions.free if v.name not in problem.absent]
    unknown = [name for name in null if name not in free]
    if unknown or not null:
        raise ValueError(f"null must give values of free variables of the likelihood, of {free}; got {list(null)}.")
    best = find_mle(model, random_seed=random_seed) if estimate is None else estimate
    if best.status != "converged":
        raise ValueError(
            f"Wilks' theorem needs a regular maximum inside the parameter space; the estimate's status is {best.status}."
        )
    fixed = functions.unconstrain({**functions.natural(best.flat), **null})
    if not np.all(np.isfinite(fixed)):
        raise ValueError(
            "The null lies at the edge of the parameter space, where Wilks' theorem fails (a mixture of chi-squares)."
        )
    held = np.concatenate([np.arange(v.flat.start, v.flat.stop) for v in functions.free if v.name in null])
    rest = np.setdiff1d(problem.kept, held)
    z = fixed.copy()
    if len(rest):
        z[rest] = _restricted(problem, fixed, best.flat, rest)
    count = len(held)
    ratio = 2.0 * (best.log_likelihood - float(functions.log_likelihood(z)))
    names = list(null)
    place = np.concatenate([np.arange(v.natural.start, v.natural.stop) for v in functions.free if v.name in names])
    difference = functions.natural_difference(functions.natural_flat(best.flat), functions.natural_flat(fixed))[place]
    covariance = best.covariance.values[np.ix_(place, place)]
    wald = float(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference)
    _, gradient, hessian = functions.value_gradient_hessian(z)
    information = -hessian[np.ix_(problem.kept, problem.kept)]
    score = float(gradient[problem.kept] @ np.linalg.solve(information, gradient[problem.kept]))
    return (
        _test("likelihood ratio", ratio, count),
        _test("Wald", wald, count),
        _test("score", score, count),
    )


def _restricted(problem: Problem, fixed: np.ndarray, best: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The maximum over the parameters that the null leaves free, from the fit and from the initial point."""
    places = np.searchsorted(problem.kept, rest)
    objective = problem.objective.restricted(places, fixed[problem.kept])
    starts = np.stack([best[rest], problem.base[rest]])
    ends = maximize(objective, starts[np.isfinite(objective.value(starts))])
    return ends.z[int(np.argmax(ends.value))]


def _test(method: str, statistic: float, count: int) -> NestedTest:
    return NestedTest(
        method=method,
        statistic=statistic,
        degrees_of_freedom=count,
        p_value=float(stats.chi2.sf(statistic, count)),
    )
