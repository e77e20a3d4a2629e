"""Standard errors and intervals that hold when the model is wrong: the sandwich."""

from typing import Any, Literal

import numpy as np
import xarray as xr

from pp_mlekl.optimize.robust import one_to_one, robust_error
from pp_mlekl.point_estimates.result import PointEstimate
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions


def sandwich(
    model: Any, estimate: PointEstimate, *, potentials: Literal["prior", "likelihood"] | None = None
) -> xr.Dataset:
    """Sandwich (Huber-White) standard errors of a maximum likelihood estimate, on the natural scale.

    The covariance is J^-1 K J^-1 with J the observed information and K the sum of the outer products of the scores
    of the log-likelihood's terms, which must be independent of each other.

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
    ValueError
        Where the estimate is not a maximum likelihood estimate.

    Examples
    --------
    For a Poisson mean the sandwich puts the sample's own variance in the place of the model's.

    >>> import pymc as pm
    >>> from pp_mlekl.point_estimates import find_mle
    >>> with pm.Model() as model:
    ...     mu = pm.Gamma("mu", 2, 1)
    ...     y = pm.Poisson("y", mu, observed=[0, 0, 1, 9, 5, 0])
    >>> estimate = find_mle(model, random_seed=1)
    >>> round(float(sandwich(model, estimate)["mu"]), 4), round(float(estimate.standard_error["mu"]), 4)
    (1.3894, 0.6455)
    """
    functions = model_functions(model, potentials)
    influence = _influence(functions, estimate) @ functions.natural_jacobian(estimate.flat).T
    error = robust_error(influence, np.ones(len(influence))).standard_error
    return _labelled(functions, estimate, error)


def sandwich_interval(
    model: Any,
    estimate: PointEstimate,
    *,
    prob: float = 0.95,
    potentials: Literal["prior", "likelihood"] | None = None,
) -> xr.Dataset:
    """Intervals from sandwich standard errors that also allow for how badly those are known.

    With heavy-tailed data a sandwich rests on a few observations. The interval is that of Student's t with as many degrees
    of freedom as its sum of squares is worth (Satterthwaite 1946), which needs no assumption beyond the sandwich's own. It is
    symmetric on the unconstrained scale for a parameter that has a coordinate of its own there (so that the interval of a
    scale stays positive), and on the natural scale for the others (probabilities that sum to 1).

    Parameters
    ----------
    model
        The model that was fitted.
    estimate
        Its maximum likelihood estimate.
    prob
        Coverage.
    potentials
        As for ``find_mle``.

    Returns
    -------
    xarray.Dataset
        On the model's own dims, over ``bound``: lower, upper; NaN where ``estimate.standard_error`` is.

    Raises
    ------
    ValueError
        Where the estimate is not a maximum likelihood estimate, or ``prob`` not between 0 and 1.

    Examples
    --------
    >>> import pymc as pm
    >>> from pp_mlekl.point_estimates import find_mle
    >>> with pm.Model() as model:
    ...     mu = pm.Gamma("mu", 2, 1)
    ...     y = pm.Poisson("y", mu, observed=[0, 0, 1, 9, 5, 0])
    >>> sandwich_interval(model, find_mle(model, random_seed=1))["mu"].values.round(2).tolist()
    [0.7, 8.9]
    """
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1, got {prob}; 0.95 is usual.")
    functions = model_functions(model, potentials)
    z, jacobian = estimate.flat, functions.natural_jacobian(estimate.flat)
    influence = _influence(functions, estimate)
    ones = np.ones(len(influence))
    centre = functions.natural_flat(z)
    half = robust_error(influence @ jacobian.T, ones).half_width(prob)
    lower, upper = centre - half, centre + half
    places, coordinates = one_to_one(jacobian)
    half_z = robust_error(influence, ones).half_width(prob)
    ends = np.sort([functions.natural_flat(z - half_z)[places], functions.natural_flat(z + half_z)[places]], axis=0)
    lower[places], upper[places] = np.where(half_z[coordinates] > 0, ends, np.nan)
    bounds = [_labelled(functions, estimate, bound) for bound in (lower, upper)]
    return xr.concat(bounds, "bound").assign_coords(bound=["lower", "upper"])


def _influence(functions: ModelFunctions, estimate: PointEstimate) -> np.ndarray:
    """What each observation adds to the unconstrained estimate, (n, d)."""
    if estimate.kind != "mle":
        raise ValueError("The sandwich is for maximum likelihood estimates; pass one by find_mle.")
    known = np.isfinite(np.diagonal(estimate.flat_covariance))
    bread = np.where(np.outer(known, known), estimate.flat_covariance, 0.0)
    return functions.scores(estimate.flat) @ bread


def _labelled(functions: ModelFunctions, estimate: PointEstimate, values: np.ndarray) -> xr.Dataset:
    absent = np.isnan(np.diagonal(estimate.covariance.values))
    return functions.to_dataset(functions.split(np.where(absent, np.nan, values)))
