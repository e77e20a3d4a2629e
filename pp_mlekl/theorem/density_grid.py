"""Densities of the truth and of the model at the pseudo-true parameter, on a grid for plotting."""

import numpy as np
import xarray as xr

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.theorem.setting import Setting

# Tail probability of the truth beyond which the grid ends.
_TAIL = 2e-3
_POINTS, _MAX_BARS = 240, 60


def densities(setting: Setting) -> xr.Dataset:
    """Densities over ``y`` of the first row of the first observed variable; empty for vectors and long-tailed counts."""
    name, whole = next(iter(setting.truth.distributions.items()))
    fitted = observed_distributions(setting.functions, setting.pseudo_true.flat)[name]
    if whole.event_ndim:
        return xr.Dataset()
    p, q = _first_row(whole), _first_row(fitted)
    try:
        low = float(np.ravel(p.quantile(np.full(p.batch_shape, _TAIL)))[0])
        high = float(np.ravel(p.upper_quantile(np.full(p.batch_shape, _TAIL)))[0])
    except NotImplementedError:
        return xr.Dataset()
    if p.discrete and high - low < _MAX_BARS:
        y = np.arange(low, high + 1)
    elif p.discrete or p.atoms() is not None:
        return xr.Dataset()
    else:
        # A density may be infinite at the boundary of its support.
        y = np.linspace(low, high, _POINTS + 2)[1:-1]
    with np.errstate(all="ignore"):
        values = {"truth": ("y", np.exp(p.log_density(y))), "fitted": ("y", np.exp(q.log_density(y)))}
    first = " of the first row" if not setting.simulator.same_rows and setting.rows > 1 else ""
    return xr.Dataset(values, coords={"y": y}, attrs={"variable": f"{name}{first}", "discrete": int(p.discrete)})


def _first_row(distribution: Distribution) -> Distribution:
    shape = distribution.batch_shape
    return distribution.select((0,) * len(shape)) if shape else distribution
