"""The truth and the nearest member of the model, as densities to be drawn."""

import numpy as np
import xarray as xr

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.theorem.setting import Setting

# What lies beyond these tail probabilities of the truth is not drawn.
_TAIL = 2e-3
_POINTS, _MOST_BARS = 240, 60


def densities(setting: Setting) -> xr.Dataset:
    """Densities over ``y`` of the first row of the first observed variable; empty where that cannot be drawn."""
    name, whole = next(iter(setting.truth.distributions.items()))
    fitted = observed_distributions(setting.functions, setting.star.flat)[name]
    if whole.event_ndim:
        return xr.Dataset()
    p, q = _first_row(whole), _first_row(fitted)
    try:
        low = float(np.ravel(p.quantile(np.full(p.batch_shape, _TAIL)))[0])
        high = float(np.ravel(p.upper_quantile(np.full(p.batch_shape, _TAIL)))[0])
    except NotImplementedError:
        return xr.Dataset()
    if p.discrete and high - low < _MOST_BARS:
        y = np.arange(low, high + 1)
    elif p.discrete or p.atoms() is not None:
        return xr.Dataset()
    else:
        # A density may be infinite at the end of its support.
        y = np.linspace(low, high, _POINTS + 2)[1:-1]
    with np.errstate(all="ignore"):
        drawn = {"truth": ("y", np.exp(p.log_density(y))), "fitted": ("y", np.exp(q.log_density(y)))}
    first = " of the first row" if not setting.simulator.same_rows and setting.rows > 1 else ""
    return xr.Dataset(drawn, coords={"y": y}, attrs={"variable": f"{name}{first}", "discrete": int(p.discrete)})


def _first_row(distribution: Distribution) -> Distribution:
    shape = distribution.batch_shape
    return distribution.select((0,) * len(shape)) if shape else distribution
