"""Which single observations make a log-likelihood infinite or undefined."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

_LISTED = 3


def impossible_observations(
    functions: ModelFunctions,
    z: Array,
    weights: ArrayLike | None = None,
    data: Mapping[str, ArrayLike] | None = None,
) -> str:
    """List the observations whose log density is finite at none of the points, as text; empty where there are none.

    Observations with weight 0 are left out.

    Parameters
    ----------
    functions
        The model's functions.
    z
        Points, (b, d).
    weights, data
        As for ``find_mle``.
    """
    with np.errstate(all="ignore"):
        terms = functions.pointwise(z, data)[:, : functions.n_observations]
    wrong = ~np.isfinite(terms).any(axis=0)
    if weights is not None:
        wrong &= np.asarray(weights) != 0
    values = {**functions.observed_data(), **(data or {})}
    found = []
    for variable in functions.observed:
        for place in np.flatnonzero(wrong[variable.pointwise]):
            index = np.unravel_index(place, variable.shape)
            name = variable.name + (f"[{', '.join(str(i) for i in index)}]" if variable.shape else "")
            if variable.name in values:
                value = np.array2string(np.asarray(values[variable.name])[index], precision=6, threshold=6)
                name = f"{name} = {value}"
            found.append(f"{name} ({_what(terms[:, variable.pointwise.start + place])})")
    more = len(found) - _LISTED
    return ", ".join(found[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _what(log_density: Array) -> str:
    if np.isnan(log_density).any():
        return "log density NaN"
    return "density zero" if np.all(log_density < 0) else "density infinite"
