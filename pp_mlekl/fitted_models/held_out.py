"""Relative divergences from held-out data: differences of log scores are differences of KL(true||fitted)."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from pp_mlekl.fitted_models.fits import Fit
from pp_mlekl.fitted_models.row_divergences import inflation
from pp_mlekl.fitted_models.setting import Setting
from pp_mlekl.fitted_models.table import on_rows, with_closest
from pp_mlekl.typing import Array
from pp_mlekl.utils.warning_attributes import warnings_attribute

# Maximum number of pointwise log densities in memory.
_CHUNK = 4_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Log density of every held-out value under a fit, (data sets, rows), and the Monte Carlo error of its sum."""

    values: Array
    draw_error: float = 0.0


def held_out_scores(setting: Setting, fits: list[Fit]) -> xr.Dataset:
    """Relative divergences of fits from held-out data sets.

    ``kl`` is KL(true||fit) - KL(true||reference), the sum over rows of the reference's log score minus the fit's; the
    reference, named in the attributes, is the first fit that exists. The entropy of the truth, which a finite sample does
    not determine, cancels. ``log_score`` is the fit's own expected log density, summed over rows.

    Returns
    -------
    xarray.Dataset
        Over ``estimator``; ``kl_reverse``, ``jsd`` and ``wasserstein`` are unavailable and NaN.
    """
    functions, names = setting.functions, [fit.name for fit in fits]
    assert setting.truth is not None
    shape = (len(next(iter(setting.truth.draws.values()))), len(setting.places))
    scores = [_scores(setting, fit) or Scores(values=np.full(shape, np.nan)) for fit in fits]
    filled, draws = np.stack([s.values for s in scores]), np.array([s.draw_error for s in scores])
    known = [i for i, s in enumerate(scores) if not np.all(np.isnan(s.values))]
    first = known[0] if known else 0
    with np.errstate(invalid="ignore"):
        gaps = filled[None] - filled[:, None]
    error = np.stack([_error_of_total(gap) for gap in gaps])
    error = np.hypot(error, np.where(np.eye(len(fits), dtype=bool), 0.0, np.hypot(draws, draws[:, None])))
    difference = gaps.mean(axis=2).sum(axis=2)
    dataset = xr.Dataset(coords={"estimator": names})
    dataset["kl"] = ("estimator", difference[:, first])
    dataset["kl_mcse"] = ("estimator", error[:, first])
    dataset["kl_mean"] = dataset["kl"] / shape[1]
    dataset["log_score"] = ("estimator", filled.mean(axis=1).sum(axis=1))
    dataset["log_score_mcse"] = ("estimator", np.hypot(_error_of_total(filled), draws))
    for name in ("kl_reverse", "jsd", "wasserstein", "kl_theory"):
        dataset[name] = ("estimator", np.full(len(names), np.nan))
    by_row = np.zeros((len(names), functions.n_observations))
    by_row[:, setting.places] = gaps[:, first].mean(axis=1)
    for variable in functions.measured:
        suffix = "" if len(functions.measured) == 1 else f"_{variable.name}"
        rows = by_row[:, variable.pointwise].reshape(len(names), *variable.shape)
        dataset[f"kl_pointwise{suffix}"] = on_rows(functions, variable, names, rows)
    return with_closest(dataset, difference, error).assign_attrs(
        direction="KL(true||fitted) - KL(true||reference): relative",
        reference=names[first] if known else "",
        unit="nats",
        truth="draws",
        scope="sums over the rows, means over the held-out data sets",
        warnings=warnings_attribute(w for fit in fits for w in fit.warnings),
    )


def _error_of_total(values: Array) -> Array:
    """Standard error of the sum over rows: from the spread between data sets or, with one data set, between rows."""
    size, rows = values.shape[1:]
    with np.errstate(invalid="ignore"):
        if size > 1:
            return values.sum(axis=2).std(axis=1, ddof=1) / np.sqrt(size)
        if rows > 1:
            return values[:, 0].std(axis=1, ddof=1) * np.sqrt(rows)
    return np.full(len(values), np.nan)


def _scores(setting: Setting, fit: Fit) -> Scores | None:
    functions = setting.functions
    assert setting.truth is not None
    held_out = setting.truth.draws
    size = len(next(iter(held_out.values())))
    draws = setting.parameter_draws(fit, size * functions.n_observations)
    if draws is None:
        if fit.flat is None:
            return None
        return Scores(values=functions.pointwise(fit.flat, data=held_out)[:, setting.places])
    z = draws.reshape(-1, 1, draws.shape[-1])
    step = max(1, _CHUNK // (len(z) * functions.n_observations))
    pieces, weight = [], np.zeros(len(z))
    for start in range(0, size, step):
        data = {name: values[start : start + step] for name, values in held_out.items()}
        terms = functions.pointwise(z, data=data)[..., setting.places]
        whole, halves = _log_mean(terms), [_log_mean(half) for half in np.array_split(terms, 2)]
        # The log of a mean over n draws has a bias proportional to 1 / n; halves have twice that bias (jackknife).
        pieces.append(2 * whole - 0.5 * (halves[0] + halves[1]))
        with np.errstate(invalid="ignore"):
            weight += np.nan_to_num(np.exp(terms - whole)).sum(axis=(1, 2)) / size
    by_chain = weight.reshape(draws.shape[:2])
    error = inflation(by_chain) * by_chain.std() / np.sqrt(by_chain.size)
    return Scores(values=np.concatenate(pieces), draw_error=float(error))


def _log_mean(terms: Array) -> Array:
    return logsumexp(terms, axis=0) - np.log(len(terms))
