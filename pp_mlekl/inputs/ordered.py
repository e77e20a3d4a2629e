"""PyMC's ordered regressions by name: probabilities of categories between cutpoints."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

Parameters = tuple[str, dict[str, Any]]


def ordered_logistic(eta: Any, cutpoints: Any) -> Parameters:
    """Categories cut from a logistic variable with location ``eta``."""
    return "Categorical", {"logit_p": _log_between(special.log_expit, eta, cutpoints, 1.0)}


def ordered_probit(eta: Any, cutpoints: Any, sigma: Any = 1.0) -> Parameters:
    """Categories cut from a normal variable with mean ``eta``."""
    return "Categorical", {"logit_p": _log_between(special.log_ndtr, eta, cutpoints, sigma)}


def ordered_multinomial(eta: Any, cutpoints: Any, n: Any) -> Parameters:
    """Counts of ``n`` draws of an ordered logistic variable."""
    return "Multinomial", {"n": n, "logit_p": _log_between(special.log_expit, eta, cutpoints, 1.0)}


ORDERED: Mapping[str, Callable[..., Parameters]] = {
    "OrderedLogistic": ordered_logistic,
    "OrderedProbit": ordered_probit,
    "OrderedMultinomial": ordered_multinomial,
}


def _log_between(log_cdf: Callable[[Any], Any], eta: Any, cutpoints: Any, sigma: Any) -> Any:
    """Log probabilities of the categories: log differences of the distribution function, which is symmetric about 0."""
    cuts = np.asarray(cutpoints, dtype=np.float64)
    if cuts.ndim == 0 or not np.all(np.diff(cuts, axis=-1) > 0):
        raise ValueError("cutpoints must be a vector that increases.")
    scaled = (cuts - np.asarray(eta, dtype=np.float64)[..., None]) / np.asarray(sigma, dtype=np.float64)[..., None]
    end = np.full((*scaled.shape[:-1], 1), np.inf)
    left, right = np.concatenate([-end, scaled], axis=-1), np.concatenate([scaled, end], axis=-1)
    # Computed in the tail where both probabilities are small: log(exp(larger) - exp(smaller)).
    larger, smaller = log_cdf(np.where(left > 0, -left, right)), log_cdf(np.where(left > 0, -right, left))
    log_p = larger + np.log(-np.expm1(smaller - larger))
    if not isinstance(eta, xr.DataArray):
        return log_p
    return xr.DataArray(log_p, dims=(*eta.dims, "category"), coords=eta.coords)
