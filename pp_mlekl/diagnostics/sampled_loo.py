"""Leave-one-out for very many observations, from a random sample of them."""

from dataclasses import dataclass, replace
from typing import Any

import arviz as az
import numpy as np
import xarray as xr

# Maximum number of observations that are left out. The sampling error of the elpd is then small relative to its standard error,
# because the sample estimates only the difference from the log predictive density.
MAX_LEFT_OUT = 5_000
_READ = ("posterior", "log_likelihood", "posterior_predictive", "observed_data")
_ROWS = ("chain", "draw", "row")


@dataclass(frozen=True, kw_only=True)
class LeaveOneOut:
    """Leave-one-out of one observed variable.

    Parameters
    ----------
    elpd, se, p
        Of all observations: expected log predictive density, its standard error, effective number of parameters, in nats.
    sampling_error
        The part of ``se`` that comes from leaving out a sample only; 0 if all were left out.
    tree
        The observations that were left out; of this variable only if they are a sample.
    pointwise
        ArviZ's result, with ``pareto_k`` and ``log_weights`` of these observations.
    """

    elpd: float
    se: float
    p: float
    sampling_error: float
    tree: xr.DataTree
    pointwise: Any


def leave_one_out(tree: xr.DataTree, name: str, most: int = MAX_LEFT_OUT, random_seed: int = 1) -> LeaveOneOut:
    """Pareto-smoothed importance sampling leave-one-out, of a random sample if there are more than ``most`` observations.

    The difference between leave-one-out and log predictive density of the sample is extrapolated to all observations
    (difference estimator of Magnusson, Andersen, Jonasson and Vehtari 2020), by ArviZ.

    Parameters
    ----------
    tree
        With ``posterior`` and ``log_likelihood``; ``observed_data`` and ``posterior_predictive`` if there are any.
    name
        The observed variable.
    most
        Maximum number of observations that are left out.
    random_seed
        Seed of the sample.

    Raises
    ------
    ValueError
        If the importance weights have no tail, as those of a constant likelihood.
    """
    number = int(np.prod(tree["log_likelihood"][name].shape[2:]))
    if number <= most:
        found = az.loo(tree, var_name=name, pointwise=True)
        values = float(found.elpd), float(found.se), float(found.p)
        return LeaveOneOut(elpd=values[0], se=values[1], p=values[2], sampling_error=0.0, tree=tree, pointwise=found)
    rows = np.sort(np.random.default_rng(random_seed).choice(number, most, replace=False))
    flat = _in_one_dim(tree, name)
    small = flat.map_over_datasets(lambda dataset: dataset.isel(row=rows) if "row" in dataset.dims else dataset)
    found = az.loo_subsample(flat, observations=rows, var_name=name, pointwise=True)
    # ArviZ gives the weights of the sample alone, but NaN for Pareto k elsewhere.
    pointwise = replace(found, pareto_k=found.pareto_k.isel(row=rows), log_weights=found.log_weights[name])
    return LeaveOneOut(
        elpd=float(found.elpd),
        se=float(found.se),
        p=float(found.p),
        sampling_error=float(found.subsampling_se),
        tree=small,
        pointwise=pointwise,
    )


def _in_one_dim(tree: xr.DataTree, name: str) -> xr.DataTree:
    """The groups of a variable that leave-one-out reads, with its observations along ``row``, without copies."""
    datasets = {group: tree[group].to_dataset() for group in _READ if group in tree.children}
    shape = datasets["log_likelihood"][name].shape[2:]
    groups = {"posterior": datasets["posterior"]}
    for group in ("log_likelihood", "posterior_predictive"):
        if group in datasets and name in datasets[group] and datasets[group][name].shape[2:] == shape:
            array = datasets[group][name]
            values = array.values.reshape(*array.shape[:2], -1)
            groups[group] = xr.Dataset({name: (_ROWS, values)}, coords={d: array[d] for d in _ROWS[:2]})
    if "observed_data" in datasets and datasets["observed_data"][name].shape == shape:
        groups["observed_data"] = xr.Dataset({name: ("row", datasets["observed_data"][name].values.ravel())})
    return xr.DataTree.from_dict(groups)
