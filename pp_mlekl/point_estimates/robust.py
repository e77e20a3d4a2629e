"""Standard errors that hold when the model is wrong: the sandwich."""

from typing import Any, Literal

import numpy as np
import xarray as xr

from pp_mlekl.point_estimates.result import PointEstimate
from pp_mlekl.pymc_model.model_functions import model_functions


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
    if estimate.kind != "mle":
        raise ValueError("The sandwich is for maximum likelihood estimates; pass one by find_mle.")
    functions = model_functions(model, potentials)
    scores = functions.scores(estimate.flat)
    known = np.isfinite(np.diagonal(estimate.flat_covariance))
    bread = np.where(np.outer(known, known), estimate.flat_covariance, 0.0)
    jacobian = functions.natural_jacobian(estimate.flat)
    half = scores @ bread @ jacobian.T
    error = np.sqrt(np.sum(half**2, axis=0))
    error[np.isnan(np.diagonal(estimate.covariance.values))] = np.nan
    return functions.to_dataset(functions.split(error))
