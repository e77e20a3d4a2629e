"""Likelihood-ratio, Wald and score tests of a model within a larger one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.information import NullInformation, null_information
from pp_mlekl.estimation.nested_tests.null_hypothesis import null_point
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.regular_maximum import regular_problem
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.typing import Array, Potentials, RandomSeed
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.display import Display, Displayed
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import pymc as pm

# Terms of the log-likelihood per parameter below which the chi-squared distribution is a rough guide.
_FEW = 10


@dataclass(frozen=True, kw_only=True, repr=False)
class NestedTest(Displayed):
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
        Reasons why the chi-squared distribution may not hold.
    information
        ``"expected"`` or ``"observed"``: which one a score test divides by; empty for the others.
    """

    method: str
    statistic: float
    degrees_of_freedom: int
    p_value: float
    warnings: tuple[str, ...] = ()
    information: Literal["expected", "observed", ""] = ""

    def summary(self) -> pd.DataFrame:
        """One row: statistic, degrees of freedom, p value."""
        return _table([self])

    def _display(self) -> Display:
        text = f"{self.method}: chi2({self.degrees_of_freedom}) = {self.statistic:.4g}, p = {self.p_value:.3g}"
        return Display(title=text, warnings=self.warnings)


@dataclass(frozen=True, kw_only=True, repr=False)
class NestedTests(Displayed):
    """Three tests of one null hypothesis; iteration and indices give them in the order of the fields."""

    likelihood_ratio: NestedTest
    wald: NestedTest
    score: NestedTest

    def __iter__(self) -> Iterator[NestedTest]:
        return iter((self.likelihood_ratio, self.wald, self.score))

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> NestedTest:
        return tuple(self)[place]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before the tests are used: the warnings of all three."""
        return tuple(dict.fromkeys(w for t in self for w in t.warnings))

    def summary(self) -> pd.DataFrame:
        """One row for each test: statistic, degrees of freedom, p value."""
        return _table(self)

    def _display(self) -> Display:
        table = self.summary().rename_axis(None)
        return Display(title="Tests of nested models", warnings=self.warnings, table=table, float_format="{:.4g}")


def _table(tests: Iterable[NestedTest]) -> pd.DataFrame:
    rows = [(t.method, t.statistic, t.degrees_of_freedom, t.p_value) for t in tests]
    return pd.DataFrame(rows, columns=["test", "statistic", "df", "p"]).set_index("test")


@deprecated_arguments(positional=("model", "null"), types={"null": Mapping})
@checked_arguments
def nested_tests(
    model: "pm.Model",
    estimate: PointEstimate | None = None,
    *,
    null: Mapping[str, ArrayLike],
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
) -> NestedTests:
    """Test whether some parameters have given values, in three ways.

    Wilks' theorem needs independent information that grows with the data, a null inside the parameter space, and
    parameters that are identified under it. It fails where a variance is tested for 0 (the statistic is then a mixture of
    chi-squares, and the p value for one variance about half of the chi-squared one), where parameters are not identified under the null
    (the number of a mixture's components), and for few observations. The Wald test is then the
    least reliable: it depends on the scale of the parameters, the other two do not.

    The score test is Rao's (1948, Mathematical Proceedings 44): the gradient at the null is measured by Fisher's
    information there, the expectation of minus the Hessian under the null, which all scales of the parameters share.
    Where that expectation is no closed sum or quadrature (vectors, ``CustomDist``, potentials in the likelihood) the
    observed information takes its place, minus the Hessian by the parameters as the model states them: it does not
    depend on priors and transforms either, but on whether a model is stated in a variance or in a standard deviation.

    Parameters
    ----------
    model
        A PyMC model.
    estimate
        The maximum likelihood estimate of the whole model, if it is known, or one by ``find_map(model, penalty="jeffreys")``:
        the likelihood ratio and the score are then those of the penalised likelihood (Heinze and Schemper 2002).
    null
        Values of free variables under the null hypothesis, NaN for elements that stay free; the other variables stay free.
    random_seed
        For the searches.
    potentials
        As for ``find_mle``.

    Returns
    -------
    NestedTests
        The likelihood-ratio, the Wald and the score test, with ``summary()``.

    Raises
    ------
    TypeError, ValueError
        Where the null is not inside the parameter space, has another shape than the parameter, or names no free variable;
        where the estimate belongs to another model or is not regular.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     p = pm.Beta("p", 1, 1)
    ...     y = pm.Binomial("y", np.array([8, 7, 5]), p, observed=[5, 4, 4])
    >>> nested_tests(model, null={"p": 0.5}, random_seed=1)
    Tests of nested models
    ! 3 terms of the log-likelihood for 1 parameter: the chi-squared law is a rough guide unless each stands for many observations.
                      statistic  df      p
    likelihood ratio      1.828   1 0.1764
    Wald                  1.978   1 0.1596
    score                   1.8   1 0.1797
    """
    functions = model_functions(model, potentials)
    _check_names(Problem(functions=functions, kind="mle"), null)
    best = find_mle(model, random_seed=random_seed, potentials=potentials) if estimate is None else estimate
    problem = regular_problem(functions, best, "A test by Wilks' theorem", penalized=True)
    if np.isnan(best.covariance.values).all():
        raise ValueError(
            f"Wald and score tests need standard errors, and the estimate has none: {' '.join(best.warnings)} Fit the smaller "
            "model too and take likelihood_ratio_test."
        )
    fixed, coordinates, natural = null_point(problem, best, null)
    rest = np.setdiff1d(problem.kept, coordinates)
    z = fixed.copy()
    if len(rest):
        z[rest] = _restricted(problem, fixed, best.flat, rest)
    top, below = problem.objective.value(np.stack([best.flat, z])[:, problem.kept])
    ratio = 2.0 * float(top - below)
    difference = functions.natural_difference(functions.natural_flat(best.flat), functions.natural_flat(fixed))[natural]
    covariance = best.covariance.values[np.ix_(natural, natural)]
    wald = float(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference)
    information = null_information(problem, z, generator_of(random_seed))
    general = (*best.warnings, *_general(best))
    count = len(coordinates)
    return NestedTests(
        likelihood_ratio=_test("likelihood ratio", ratio, count, general),
        wald=_test("Wald", wald, count, general),
        score=_score_test(problem, z, information, count, general),
    )


@checked_arguments
def likelihood_ratio_test(null: PointEstimate, estimate: PointEstimate, *, at_boundary: bool = False) -> NestedTest:
    """Likelihood-ratio test of one fitted model within another, marginal likelihoods included.

    Parameters
    ----------
    null, estimate
        Maximum likelihood estimates of the smaller and of the larger model, on the same data. That the one is nested in
        the other is not checked.
    at_boundary
        Whether the smaller model has one parameter on the boundary of its range, such as a variance of 0: the statistic is then
        an equal mixture of chi-squares with one degree of freedom less and with all (Self & Liang 1987, case 6).

    Returns
    -------
    NestedTest

    Raises
    ------
    TypeError, ValueError
        Where the estimates cannot be those of nested models on the same data, or there is no maximum.

    Examples
    --------
    >>> import pymc as pm
    >>> from pp_mlekl.estimation.find_mle_map import find_mle
    >>> y = np.array([0.5, 1.5, 0.9, 2.0, 1.1, 0.2, 1.4, 0.7, 1.3, 1.2, 0.4, 1.6])
    >>> with pm.Model() as large:
    ...     y_large = pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=y)
    >>> with pm.Model() as small:
    ...     y_small = pm.Normal("y", 1.0, pm.HalfNormal("sigma", 5), observed=y)
    >>> print(likelihood_ratio_test(find_mle(small, random_seed=1), find_mle(large, random_seed=1)))
    likelihood ratio: chi2(1) = 0.1979, p = 0.656
    ! 12 terms of the log-likelihood for 2 parameters: the chi-squared law is a rough guide unless each stands for many observations.
    """
    for one in (null, estimate):
        if one.kind != "mle" or one.status not in ("converged", "boundary"):
            raise ValueError(
                f"Both must be maximum likelihood estimates; one is {one.kind!r} with status {one.status}."
            )
    count = estimate.n_parameters - null.n_parameters
    if count < 1 or null.n_observations != estimate.n_observations:
        raise ValueError(
            f"The null must have fewer parameters on the same data: it has {null.n_parameters} on "
            f"{counted(null.n_observations, 'observation')}, the larger model {estimate.n_parameters} on {estimate.n_observations:,}."
        )
    statistic = 2.0 * (estimate.log_likelihood - null.log_likelihood)
    if statistic < -1e-6 * max(1.0, abs(null.log_likelihood)):
        raise ValueError("The null must be nested in the other model; its likelihood is larger.")
    statistic = max(statistic, 0.0)
    warnings = _general(estimate)
    if estimate.status == "boundary" and not at_boundary:
        warnings.append(
            "The larger model's estimate lies on a boundary: if the null puts a parameter there, pass at_boundary=True."
        )
    p_value = stats.chi2.sf(statistic, count)
    if at_boundary:
        p_value = 0.5 * (p_value + (stats.chi2.sf(statistic, count - 1) if count > 1 else float(statistic <= 0.0)))
    return NestedTest(
        method="likelihood ratio",
        statistic=statistic,
        degrees_of_freedom=count,
        p_value=float(p_value),
        warnings=tuple(warnings),
    )


def _check_names(problem: Problem, null: Mapping[str, ArrayLike]) -> None:
    free = [v.name for v in problem.functions.free if v.name not in problem.absent]
    unknown = [name for name in null if name not in free]
    if unknown or not null:
        raise ValueError(f"null must give values of free variables of the likelihood, of {free}; got {list(null)}.")


def _score_test(
    problem: Problem, z: Array, information: NullInformation, count: int, general: tuple[str, ...]
) -> NestedTest:
    """Rao's statistic: the gradient at the null point z (d,), measured by the information there."""
    gradient, matrix = problem.objective.gradient(z[None, problem.kept])[1][0], information.matrix
    # The coordinates' units must not decide what is singular.
    scale = np.sqrt(np.abs(np.diagonal(matrix)))
    scale = np.where(scale > 0, scale, 1.0)
    gradient, matrix = gradient / scale, matrix / np.outer(scale, scale)
    warnings = general
    if np.linalg.eigvalsh(matrix)[0] <= 0:
        warnings += ("The information at the null is not positive definite: the score test is not valid there.",)
    statistic = float(gradient @ np.linalg.pinv(matrix, hermitian=True) @ gradient)
    return replace(_test("score", statistic, count, warnings), information=information.kind)


def _general(best: PointEstimate) -> list[str]:
    n, k = best.n_observations, best.n_parameters
    few = (
        f"{counted(n, 'term')} of the log-likelihood for {counted(k, 'parameter')}: the chi-squared law is a rough guide "
        "unless each stands for many observations."
    )
    return [few] if n < _FEW * k else []


def _restricted(problem: Problem, fixed: Array, best: Array, rest: Array) -> Array:
    """The maximum over the parameters that the null leaves free, from the fit and from the initial point."""
    places = np.searchsorted(problem.kept, rest)
    objective = problem.objective.restricted(places, fixed[problem.kept])
    starts = np.stack([best[rest], problem.base[rest]])
    ends = maximize(objective, starts[np.isfinite(objective.value(starts))])
    return ends.z[int(np.argmax(ends.value))]


def _test(method: str, statistic: float, count: int, warnings: tuple[str, ...]) -> NestedTest:
    return NestedTest(
        method=method,
        statistic=statistic,
        degrees_of_freedom=count,
        p_value=float(stats.chi2.sf(statistic, count)),
        warnings=warnings,
    )
