"""Standard errors and intervals that hold when the model is wrong: the sandwich."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.estimation.wald_interval import check_ci_prob, check_covariance, intervals
from pp_mlekl.optimize.sandwich import robust_error
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.typing import Array, Potentials
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.deprecation import deprecated_arguments

if TYPE_CHECKING:
    import pymc as pm

    from pp_mlekl.estimation.point_estimate import PointEstimate

# A sandwich error below this fraction of the model's own is numerical noise.
_NO_VARIATION = 1e-6
_ITS_OWN = "Use the standard errors of the estimate itself (observed information)"
_INSTEAD = f"{_ITS_OWN}, or bootstrap(kind='parametric')."


@checked_arguments
def sandwich(model: "pm.Model", estimate: "PointEstimate", *, potentials: Potentials = None) -> xr.Dataset:
    """Sandwich (Huber-White) standard errors of a maximum likelihood estimate, on the natural scale.

    The covariance is J^-1 K J^-1 with J the observed information and K the sum of the outer products of the scores
    of the log-likelihood's terms, which must be independent of each other. At the estimate the scores add up to 0, so K
    has at most a rank of one less than there are terms: there must be more terms than parameters. A multivariate normal
    series or a Gaussian process is a single term.

    Parameters
    ----------
    model
        The model that was fitted.
    estimate
        Its maximum likelihood estimate.
    potentials
        As for ``find_mle``.

    Returns
    -------
    xarray.Dataset
        On the model's own dims; NaN where ``estimate.standard_error`` is.

    Raises
    ------
    TypeError, ValueError
        Where the estimate is not a maximum likelihood estimate, there are no more terms than parameters, or the scores
        of single terms do not vary in some parameter (a group of one observation; observations that are all alike).

    Examples
    --------
    For a Poisson mean the sandwich puts the sample's own variance in the place of the model's.

    >>> import pymc as pm
    >>> from pp_mlekl.estimation.find_mle_map import find_mle
    >>> with pm.Model() as model:
    ...     mu = pm.Gamma("mu", 2, 1)
    ...     y = pm.Poisson("y", mu, observed=[0, 0, 1, 9, 5, 0])
    >>> estimate = find_mle(model, random_seed=1)
    >>> round(float(sandwich(model, estimate)["mu"]), 4), round(float(estimate.standard_error["mu"]), 4)
    (1.3894, 0.6455)
    """
    functions = model_functions(model, potentials)
    influence = influences(functions, estimate)
    error = robust_error(influence.of_z @ functions.natural_jacobian(estimate.flat).T, influence.weights)
    return _labelled(functions, estimate, error.standard_error)


@deprecated_arguments(renamed={"prob": "ci_prob"})
@checked_arguments
def sandwich_interval(
    model: "pm.Model",
    estimate: "PointEstimate",
    *,
    ci_prob: float = 0.95,
    potentials: Potentials = None,
) -> xr.Dataset:
    """Intervals from sandwich standard errors that also allow for the uncertainty of the standard errors.

    With heavy-tailed data a few observations determine the sandwich. The interval is that of Student's t, whose degrees of
    freedom are those of its sum of squares (Satterthwaite 1946); this needs no assumption beyond the sandwich's own. It is
    symmetric on the unconstrained scale for a parameter that has a coordinate of its own there (so that the interval of a
    scale stays positive), and on the natural scale for the others (probabilities that sum to 1).

    Parameters
    ----------
    model
        The model that was fitted.
    estimate
        Its maximum likelihood estimate.
    ci_prob
        Coverage.
    potentials
        As for ``find_mle``.

    Returns
    -------
    xarray.Dataset
        On the model's own dims, over ``bound``: lower, upper; NaN where ``estimate.standard_error`` is.

    Raises
    ------
    TypeError, ValueError
        Where ``ci_prob`` is not between 0 and 1, or for the reasons of ``sandwich``.

    Examples
    --------
    >>> import pymc as pm
    >>> from pp_mlekl.estimation.find_mle_map import find_mle
    >>> with pm.Model() as model:
    ...     mu = pm.Gamma("mu", 2, 1)
    ...     y = pm.Poisson("y", mu, observed=[0, 0, 1, 9, 5, 0])
    >>> sandwich_interval(model, find_mle(model, random_seed=1))["mu"].values.round(2).tolist()
    [0.7, 8.9]
    """
    check_ci_prob(ci_prob)
    functions = model_functions(model, potentials)
    influence = influences(functions, estimate)
    jacobian = functions.natural_jacobian(estimate.flat)
    half = robust_error(influence.of_z @ jacobian.T, influence.weights).half_width(ci_prob)
    half_z = robust_error(influence.of_z, influence.weights).half_width(ci_prob)
    return intervals(functions, estimate, half, half_z)


@dataclass(frozen=True, kw_only=True, eq=False)
class Influences:
    """What each observation adds to the unconstrained estimate, (n, d), and how often it counts, (n,)."""

    of_z: Array
    weights: Array


def influences(functions: ModelFunctions, estimate: "PointEstimate") -> Influences:
    """The influences of the terms of the log-likelihood, on the data and with the weights of the estimate.

    Raises
    ------
    ValueError
        Where it belongs to another model, is no maximum likelihood estimate, or a marginal one.
    """
    check_belongs(functions, estimate)
    if estimate.kind != "mle":
        raise ValueError("The sandwich is for maximum likelihood estimates; pass one by find_mle.")
    if "marginalize" in estimate.settings:
        raise ValueError(
            "The sandwich needs independent terms of the log-likelihood, and a marginal likelihood is no sum over "
            "observations; use the standard errors of the estimate itself."
        )
    check_covariance(estimate)
    check_sums(functions, "A sandwich")
    weights = np.asarray(estimate.settings.get("weights", np.ones(functions.n_observations)), dtype=float)
    scores = functions.scores(estimate.flat, data=estimate.settings.get("data"))
    # An observation that does not count may have no finite score.
    scores = np.where(weights[:, None] > 0, scores, 0.0)
    check_terms(estimate, int(np.count_nonzero(weights)), "A sandwich")
    result = Influences(of_z=scores @ estimate.settled.covariance, weights=weights)
    _check_variation(functions, estimate, result)
    return result


def check_sums(functions: ModelFunctions, what: str) -> None:
    """Raise ValueError where a potential in the likelihood is a sum, whose observations cannot be separated."""
    measured = {v.name for v in functions.measured}
    sums = [v.name for v in functions.observed if v.name not in measured and v.pointwise.stop - v.pointwise.start == 1]
    if sums:
        raise ValueError(
            f"{what} needs each observation's term, and pm.Potential {', '.join(sums)} is a single number: leave out its sum, "
            f"so that it has one term for each observation. {_ITS_OWN}, or profile()."
        )


def check_terms(estimate: "PointEstimate", terms: int, what: str) -> None:
    """Raise ValueError where an estimate has no more terms of the log-likelihood than parameters."""
    count = estimate.n_parameters
    if terms <= count:
        raise ValueError(
            f"{what} needs more independent terms of the log-likelihood than parameters, and there {'is' if terms == 1 else 'are'} "
            f"{terms} for {count}: the error is estimated from the variation between terms. {_INSTEAD}"
        )


def _check_variation(functions: ModelFunctions, estimate: "PointEstimate", influence: Influences) -> None:
    jacobian = functions.natural_jacobian(estimate.flat)
    error = robust_error(influence.of_z @ jacobian.T, influence.weights).standard_error
    with np.errstate(invalid="ignore"):
        constant = error < _NO_VARIATION * np.sqrt(np.diagonal(estimate.covariance.values))
    if constant.any():
        names = ", ".join(np.array(functions.natural_names)[constant])
        raise ValueError(
            f"The sandwich error of {names} would be 0: at the estimate the score of each single term vanishes, because one "
            f"term alone holds the parameter or all observations are alike. {_INSTEAD}"
        )


def _labelled(functions: ModelFunctions, estimate: "PointEstimate", values: Array) -> xr.Dataset:
    absent = np.isnan(np.diagonal(estimate.covariance.values))
    return functions.to_dataset(functions.split(np.where(absent, np.nan, values)))
