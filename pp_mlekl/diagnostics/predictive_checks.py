"""Posterior predictive checks: statistics of the data compared with those of replicated data.

The p values are posterior predictive (Rubin 1984; Gelman, Meng and Stern 1996): the probability under the model of a
statistic at least as extreme as that of the data, twice the smaller tail. They use the data twice and are therefore
conservative. A small p value is evidence against the model; a large one is no evidence for it.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats
from scipy.optimize import isotonic_regression

from pp_mlekl.diagnostics.findings import Finding, finding
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.p_values import holm, p_value

# Maps values (..., n) to a statistic of each row (...).
Statistic = Callable[[Array], Array]

TOPIC = "predictive checks"
_FAILED = 0.01
_COLUMNS = ["observed", "check", "data", "low", "high", "p", "p_adjusted"]
# Maximum number of replicated values at a time, in total, and in total for calibration curves, which are fitted one by one.
_BLOCK, _NUMBERS, _CURVE_NUMBERS = 2_000_000, 100_000_000, 20_000_000
_FEWEST_REPLICATES = 200
# Ratio of the fit's variance over rows to its Monte Carlo variance above which the fit varies between rows.
_VARIES = 10.0


def predictive_checks(tree: xr.DataTree, categorical: Collection[str] = ()) -> pd.DataFrame:
    """All checks of the observed variables with one number for each term of the log-likelihood.

    Parameters
    ----------
    tree
        With ``observed_data`` and ``posterior_predictive``; without them there are no checks.
    categorical
        The observed variables whose values are categories.

    Returns
    -------
    pandas.DataFrame
        Columns ``observed`` (name of the variable), ``check``, ``data`` (the statistic), ``low`` and ``high`` (central 95%
        of the statistic in replicated data), ``p`` and ``p_adjusted`` (Holm, for all rows of the table).

    Examples
    --------
    >>> generator = np.random.default_rng(1)
    >>> observed = xr.Dataset({"y": ("row", np.linspace(-1, 1, 50) ** 2)})
    >>> drawn = xr.Dataset({"y": (("chain", "draw", "row"), generator.normal(0.35, 0.3, size=(4, 500, 50)))})
    >>> found = predictive_checks(xr.DataTree.from_dict({"observed_data": observed, "posterior_predictive": drawn}))
    >>> found.loc[found["p_adjusted"] < 0.01, "check"].tolist()
    ['minimum']
    """
    rows: list[list[Any]] = []
    if {"observed_data", "posterior_predictive"} <= set(tree.children):
        observed, drawn = (tree[group].to_dataset() for group in ("observed_data", "posterior_predictive"))
        for name in (str(n) for n in drawn.data_vars if n in observed):
            if _is_one_number_each(tree, name, observed[name]):
                rows += [[name, *row] for row in _checks(observed[name], drawn[name], name in categorical)]
    table = pd.DataFrame(rows, columns=_COLUMNS[:-1])
    return table.assign(p_adjusted=holm(table["p"].to_numpy(dtype=np.float64)))


def no_checks() -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame(columns=_COLUMNS)


def about_checks(table: pd.DataFrame) -> list[Finding]:
    """A finding for each observed variable: the checks that fail, or that none fails."""
    found = []
    for name, checks in table.groupby("observed", sort=False):
        failed = checks[checks["p_adjusted"] < _FAILED]
        if len(failed):
            missed = "; ".join(
                f"{row['check']} {row['data']:.3g} against {row['low']:.3g} to {row['high']:.3g} ({p_value(row['p_adjusted'])})"
                for _, row in failed.iterrows()
            )
            found.append(finding("caution", TOPIC, f"{name}: replicated data differ from the data in {missed}."))
        elif checks["p_adjusted"].notna().any():
            least = p_value(checks["p_adjusted"].min())
            compared = counted(checks["p_adjusted"].count(), "statistic")
            text = f"{name}: replicated data resemble the data ({compared} compared, smallest {least})."
            found.append(finding("ok", TOPIC, text))
    return found


def _is_one_number_each(tree: xr.DataTree, name: str, observed: xr.DataArray) -> bool:
    terms = tree["log_likelihood"].get(name) if "log_likelihood" in tree.children else None
    numbers = observed.dtype.kind in "fiub" and observed.size > 2 and bool(np.isfinite(observed).all())
    return numbers and (terms is None or terms.shape[2:] == observed.shape)


def _checks(observed: xr.DataArray, drawn: xr.DataArray, categorical: bool) -> list[list[Any]]:
    """Check, data, low, high and p of each statistic."""
    data = observed.values.ravel().astype(np.float64)
    draws = drawn.transpose("chain", "draw", *observed.dims).values.reshape(-1, data.size)
    draws = draws[:: -(-draws.size // _NUMBERS)]
    if categorical and len(np.unique(data)) > 2:
        return [_compared("frequencies of categories", data, draws, _chi_squared(data, draws), two_sided=False)]
    fit = draws.mean(axis=0, dtype=np.float64)
    varies = fit.var() > _VARIES * np.mean(draws.var(axis=0, dtype=np.float64)) / len(draws)
    binary = set(np.unique(data)) <= {0.0, 1.0} and observed.dtype.kind in "iub"
    statistics: dict[str, Statistic] = {} if binary else _distribution(data, fit, observed.dtype.kind in "iu")
    if varies and not binary:
        statistics["residual spread against the fit"] = _spread_against(fit)
    if _is_ordered(observed):
        statistics["autocorrelation of residuals"] = lambda values: _lag_one(values - fit)
    rows = [_compared(name, data, draws, statistic, two_sided=True) for name, statistic in statistics.items()]
    if binary and varies:
        kept = draws[:: max(1, len(draws) // max(_FEWEST_REPLICATES, _CURVE_NUMBERS // data.size))]
        rows.append(_compared("calibration curve", data, kept, _miscalibration(fit), two_sided=False))
    return rows


def _distribution(data: Array, fit: Array, counts: bool) -> dict[str, Statistic]:
    """Statistics of the shape of a distribution."""
    found: dict[str, Statistic] = {
        "skewness": _skewness,
        "minimum": lambda values: values.min(axis=-1),
        "maximum": lambda values: values.max(axis=-1),
        "mean squared residual": lambda values: np.mean((values - fit) ** 2, axis=-1),
    }
    if counts and (data == 0).any():
        found["fraction of zeros"] = lambda values: np.mean(values == 0, axis=-1)
    return found


def _chi_squared(data: Array, draws: Array) -> Statistic:
    """Pearson's distance of the frequencies of categories from their mean over replicated data."""
    categories = np.union1d(data, draws)
    # A category of the data alone counts as one that was drawn once.
    expected = np.array([max(np.sum(draws == one), 1) / len(draws) for one in categories])

    def statistic(values: Array) -> Array:
        observed = np.stack([np.sum(values == one, axis=-1) for one in categories], axis=-1)
        return np.sum((observed - expected) ** 2 / expected, axis=-1)

    return statistic


def _skewness(values: Array) -> Array:
    # SciPy's function warns about constant values; their skewness is NaN here, too.
    centred = values - values.mean(axis=-1, keepdims=True)
    return np.mean(centred**3, axis=-1) / np.mean(centred**2, axis=-1) ** 1.5


def _spread_against(fit: Array) -> Statistic:
    """The correlation of absolute residuals with the rank of the fit."""
    rank = stats.zscore(stats.rankdata(fit))

    def statistic(values: Array) -> Array:
        spread = np.abs(values - fit)
        return (spread @ rank) / (len(rank) * spread.std(axis=-1))

    return statistic


def _lag_one(residuals: Array) -> Array:
    centred = residuals - residuals.mean(axis=-1, keepdims=True)
    return np.sum(centred[..., 1:] * centred[..., :-1], axis=-1) / np.sum(centred**2, axis=-1)


def _miscalibration(fit: Array) -> Statistic:
    """Improvement of the Brier score of the predicted probabilities by the calibration curve.

    The curve is the isotonic regression of events on probabilities by pooled adjacent violators, and the difference is
    the miscalibration of Dimitriadis, Gneiting and Jordan (2021).
    """
    order = np.argsort(fit, kind="stable")

    def statistic(values: Array) -> Array:
        curves = np.array([isotonic_regression(row[order]).x for row in np.atleast_2d(values)])
        scores = ((values - fit) ** 2).mean(axis=-1), ((values[..., order] - curves) ** 2).mean(axis=-1)
        return (scores[0] - scores[1]).reshape(values.shape[:-1])

    return statistic


def _is_ordered(observed: xr.DataArray) -> bool:
    """Whether the rows have an order in time or space: increasing labels, numbers or dates, other than row numbers."""
    index: Mapping[Any, pd.Index] = observed.indexes
    if observed.ndim != 1 or observed.dims[0] not in index:
        return False
    labels = index[observed.dims[0]]
    if labels.dtype.kind not in "iufM" or not labels.is_monotonic_increasing or not labels.is_unique:
        return False
    return not np.array_equal(labels, np.arange(len(labels)))


def _compared(name: str, data: Array, draws: Array, statistic: Statistic, *, two_sided: bool) -> list[Any]:
    step = max(1, _BLOCK // data.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        blocks = [statistic(draws[i : i + step].astype(np.float64)) for i in range(0, len(draws), step)]
        value = float(statistic(data))
    replicated = np.concatenate(blocks)
    replicated = replicated[np.isfinite(replicated)]
    if not len(replicated) or not np.isfinite(value):
        return [name, value, np.nan, np.nan, np.nan]
    above, below = ((np.sum(which) + 1) / (len(replicated) + 1) for which in (replicated >= value, replicated <= value))
    p = min(1.0, 2 * min(above, below)) if two_sided else above
    low, high = np.quantile(replicated, [0.025, 0.975])
    return [name, value, float(low), float(high), float(p)]
