"""Checks of what is given: weights, data, and estimates that must belong to the model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.utils.counts import counted

if TYPE_CHECKING:
    from pp_mlekl.estimation.point_estimate import PointEstimate

# A message lists at most this many names.
_LISTED = 6


def check_weights(weights: ArrayLike, count: int) -> None:
    """Raise ValueError unless there is one finite weight of at least 0 for each of ``count`` terms, and not all are 0.

    Examples
    --------
    >>> check_weights([2, 0, 1], 3)
    """
    w = np.asarray(weights, dtype=float)
    if w.shape != (count,):
        raise ValueError(
            f"weights must have one entry for each term of the log-likelihood, shape ({count},), got shape {w.shape}."
        )
    wrong = np.flatnonzero(~(np.isfinite(w) & (w >= 0)))
    if len(wrong):
        raise ValueError(
            f"weights must be finite and not negative, got {w[wrong[0]]:g} at {wrong[0]}; 0 leaves a term out."
        )
    if not w.any():
        raise ValueError("weights must not all be 0: nothing would be left of the log-likelihood.")


def check_data(functions: ModelFunctions, data: Mapping[str, ArrayLike]) -> None:
    """Raise ValueError where an array of ``data`` has another shape than the model's, or NaN.

    Names are left to the objective.
    """
    for name, own in functions.observed_data().items():
        if name not in data:
            continue
        values = np.asarray(data[name])
        if values.shape != own.shape:
            raise ValueError(
                f"data[{name!r}] must have the shape of the model's data, {own.shape}, got {values.shape}; build the model "
                "anew for data of another size."
            )
        missing = np.argwhere(np.isnan(np.asarray(values, dtype=float)))
        if len(missing):
            raise ValueError(
                f"data[{name!r}] must hold no missing values, got NaN at {missing[0].tolist()}; give any value there, and a "
                "weight of 0."
            )


def check_belongs(functions: ModelFunctions, estimate: "PointEstimate") -> None:
    """Raise ValueError where an estimate's parameters are not those of the model, in the same order and coordinates."""
    own, others = functions.natural_names, [str(name) for name in estimate.covariance["parameter"].values]
    if own != others or functions.size != len(estimate.flat):
        raise ValueError(
            f"The estimate belongs to another model: its parameters are {_counted(others, len(estimate.flat))}, this model's "
            f"{_counted(own, functions.size)}; pass what find_mle or find_map returned for this model."
        )


def _counted(names: list[str], coordinates: int) -> str:
    more = f", ... ({len(names)})" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more} with {counted(coordinates, 'coordinate')}"
