"""Wald intervals, symmetric on the scale on which the likelihood is more nearly quadratic."""

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy import stats

from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.optimize.sandwich import one_to_one
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.typing import Array, Potentials
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.deprecation import deprecated_arguments

if TYPE_CHECKING:
    import pymc as pm

    from pp_mlekl.estimation.point_estimate import PointEstimate


def check_ci_prob(ci_prob: float) -> None:
    """Raise ValueError unless the probability of an interval is a number between 0 and 1."""
    if not isinstance(ci_prob, Real) or not 0 < ci_prob < 1:
        raise ValueError(f"ci_prob must lie between 0 and 1, got {ci_prob!r}; 0.95 is usual.")


def check_covariance(estimate: "PointEstimate") -> None:
    """Raise ValueError where there is no covariance, in a model too large for one."""
    unknown = np.isnan(np.diagonal(estimate.settled.covariance)).all()
    if unknown and any(np.isfinite(v).any() for v in estimate.standard_error.data_vars.values()):
        raise ValueError(
            "The covariance of a model of this size is not kept; use the estimate's summary() for standard errors and intervals "
            "on the natural scale."
        )


@deprecated_arguments(renamed={"prob": "ci_prob"})
@checked_arguments
def wald_interval(
    model: "pm.Model",
    estimate: "PointEstimate",
    *,
    ci_prob: float = 0.95,
    potentials: Potentials = None,
) -> xr.Dataset:
    """Wald intervals that stay within a parameter's range.

    Symmetric on the unconstrained scale (log, logit, ...) for a parameter that has a coordinate of its own there, and
    mapped back: the interval of a scale is positive, that of a probability between 0 and 1. Symmetric on the natural
    scale for the others (probabilities that sum to 1), as the intervals of ``estimate.summary()`` are for all.

    Parameters
    ----------
    model
        The model that was fitted.
    estimate
        Its estimate, by ``find_mle`` (also a marginal one) or ``find_map``.
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
        Where ``ci_prob`` is not between 0 and 1, the estimate another model's, or the model has no Hessian or is too large
        for a covariance.

    Examples
    --------
    >>> import pymc as pm
    >>> from pp_mlekl.estimation.find_mle_map import find_mle
    >>> with pm.Model() as model:
    ...     p = pm.Beta("p", 1, 1)
    ...     y = pm.Binomial("y", 20, p, observed=19)
    >>> estimate = find_mle(model, random_seed=1)
    >>> wald_interval(model, estimate)["p"].values.round(3).tolist(), round(estimate.summary()["97.5%"].item(), 3)
    ([0.718, 0.993], 1.046)
    """
    check_ci_prob(ci_prob)
    functions = model_functions(model, potentials)
    check_belongs(functions, estimate)
    check_covariance(estimate)
    quantile = stats.norm.ppf(0.5 + ci_prob / 2)
    with np.errstate(invalid="ignore"):
        half = quantile * np.sqrt(np.diagonal(estimate.covariance.values))
        half_z = quantile * np.sqrt(np.diagonal(estimate.flat_covariance))
    return intervals(functions, estimate, half, half_z)


def intervals(functions: ModelFunctions, estimate: "PointEstimate", half: Array, half_z: Array) -> xr.Dataset:
    """Lower and upper bounds from half widths on the natural (m,) and on the unconstrained scale (d,)."""
    z = estimate.flat
    centre = functions.natural_flat(z)
    lower, upper = centre - half, centre + half
    places, coordinates = one_to_one(functions.natural_jacobian(z))
    # The interval of an angle is not cut where the circle is: it may reach beyond pi.
    straight = ~functions.circular[places]
    places, coordinates = places[straight], coordinates[straight]
    half_z = np.nan_to_num(half_z)
    ends = np.sort([functions.natural_flat(z - half_z)[places], functions.natural_flat(z + half_z)[places]], axis=0)
    lower[places], upper[places] = np.where(half_z[coordinates] > 0, ends, np.nan)
    absent = np.isnan(np.diagonal(estimate.covariance.values))
    bounds = [functions.to_dataset(functions.split(np.where(absent, np.nan, bound))) for bound in (lower, upper)]
    return xr.concat(bounds, "bound").assign_coords(bound=["lower", "upper"])
