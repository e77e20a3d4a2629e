"""Where the truth is only a sample: differences of log scores, which are differences of KL(true||fitted)."""

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from pp_mlekl.fitted.fits import Fit
from pp_mlekl.fitted.rows import thinned
from pp_mlekl.fitted.table import closest_fit, on_rows
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.truth import Truth

Array = np.ndarray

# Pointwise log densities held at a time.
_CHUNK = 4_000_000


def held_out_scores(functions: ModelFunctions, truth: Truth, fits: list[Fit]) -> xr.Dataset:
    """Relative divergences of fits from held-out data sets.

    ``kl`` is KL(true||fit) - KL(true||reference), the sum over rows of the reference's log score less the fit's; the
    reference, named in the attributes, is the first fit that exists. The entropy of the truth, which no finite sample
    gives, drops out. ``log_score`` is the fit's own expected log density, summed over rows.

    Returns
    -------
    xarray.Dataset
        Over ``estimator``; ``kl_reverse`` and ``jsd`` cannot be had and are NaN.
    """
    names = [fit.name for fit in fits]
    scores = [_scores(functions, truth, fit) for fit in fits]
    known = [i for i, s in enumerate(scores) if s is not None]
    size = len(next(iter(truth.draws.values())))
    nothing = np.full((size, functions.n_observations), np.nan)
    filled = np.stack([nothing if s is None else s for s in scores])
    reference = filled[known[0]] if known else nothing
    with np.errstate(invalid="ignore"):
        difference = reference - filled
    dataset = xr.Dataset(coords={"estimator": names})
    dataset["kl"] = ("estimator", difference.mean(axis=1).sum(axis=1))
    dataset["kl_mcse"] = ("estimator", _error_of_total(difference))
    dataset["kl_mean"] = dataset["kl"] / functions.n_observations
    dataset["log_score"] = ("estimator", filled.mean(axis=1).sum(axis=1))
    dataset["log_score_mcse"] = ("estimator", _error_of_total(filled))
    for name in ("kl_reverse", "jsd", "kl_theory"):
        dataset[name] = ("estimator", np.full(len(names), np.nan))
    for variable in functions.observed:
        suffix = "" if len(functions.observed) == 1 else f"_{variable.name}"
        rows = difference.mean(axis=1)[:, variable.pointwise].reshape(len(names), *variable.shape)
        dataset[f"kl_pointwise{suffix}"] = on_rows(functions, variable, names, rows)
    closest, clear = closest_fit(dataset)
    return dataset.assign_attrs(
        direction="KL(true||fitted) - KL(true||reference): relative",
        reference=names[known[0]] if known else "",
        unit="nats",
        truth="draws",
        scope="sums over the rows, means over the held-out data sets",
        closest=closest,
        closest_is_clear="yes" if clear else "no",
        warnings=" | ".join(w for fit in fits for w in fit.warnings),
    )


def _error_of_total(values: Array) -> Array:
    """Standard error of the sum over rows: between data sets, or, with only one, between its rows."""
    size, rows = values.shape[1:]
    with np.errstate(invalid="ignore"):
        if size > 1:
            return values.sum(axis=2).std(axis=1, ddof=1) / np.sqrt(size)
        if rows > 1:
            return values[:, 0].std(axis=1, ddof=1) * np.sqrt(rows)
    return np.full(len(values), np.nan)


def _scores(functions: ModelFunctions, truth: Truth, fit: Fit) -> Array | None:
    """Log density of every held-out value under a fit, shape (data sets, rows)."""
    if fit.flat is not None:
        return functions.pointwise(fit.flat, data=truth.draws)
    if fit.draws is None:
        return None
    size = len(next(iter(truth.draws.values())))
    draws = thinned(fit.draws, size * functions.n_observations)
    z = draws.reshape(-1, 1, draws.shape[-1])
    step = max(1, _CHUNK // (len(z) * functions.n_observations))
    pieces = []
    for start in range(0, size, step):
        data = {name: values[start : start + step] for name, values in truth.draws.items()}
        pieces.append(logsumexp(functions.pointwise(z, data=data), axis=0) - np.log(len(z)))
    return np.concatenate(pieces)
