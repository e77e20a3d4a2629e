"""Pictures of a comparison, by arviz-plots on matplotlib."""

import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy import stats

# More panels than this are small print.
_MOST_PANELS = 12
_MOST_IN_PAIRS = 4
# Counts that reach further are drawn as if they were continuous.
_LARGEST_COUNT = 200
_MARKS: dict[str, tuple[str, str, Any]] = {
    "mle": ("MLE", "#b3261e", "--"),
    "map": ("MAP", "#6750a4", ":"),
    "truth": ("truth", "#111111", "-"),
}
_MOST_BARS = 20
# 95% of a normal lies so many standard errors about its mean.
_NORMAL_95 = 1.96
# Width in inches of a single row of one or two panels; text keeps its size on the page.
_WIDTHS = {1: 6.5, 2: 9}
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def prior_posterior(comparison: Any) -> Figure:
    """Prior against posterior of each parameter, MLE, MAP and truth marked.

    A prior that reaches far beyond the posterior is cut to the range shown.
    """
    import arviz_plots as azp

    tree = comparison.tree
    shown = _shown(comparison)
    windows = {name: _window(comparison, name) for name in shown}
    groups = {"posterior": tree["posterior"].to_dataset()[shown]}
    if "prior" in tree.children:
        groups["prior"] = _cut(tree["prior"].to_dataset()[shown], windows)
        figure, plot = _drawn(azp.plot_prior_posterior, xr.DataTree.from_dict(groups), shown)
    else:
        figure, plot = _drawn(azp.plot_dist, xr.DataTree.from_dict(groups), shown)
    for name in shown:
        _mark(plot, comparison, name, windows[name])
    _legend(figure, [_MARKS[k] for k in _marks(comparison)])
    return figure


def gained(comparison: Any) -> Figure | None:
    """KL(posterior||prior) of each parameter with a 95% interval; None where the prior is improper."""
    table = comparison.summary()
    if "KL" not in table or not np.isfinite(table["KL"]).any():
        return None
    table = table.nlargest(_MOST_BARS, "KL")[::-1]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 0.9 + 0.26 * len(table)), layout="constrained")
        axis = figure.subplots()
        places = np.arange(len(table))
        axis.barh(places, table["KL"], xerr=_NORMAL_95 * table["KL_mcse"], color="#8fb3d9", ecolor="#1d2530", capsize=2)
        axis.set_yticks(places, list(table.index))
        axis.set(xlabel="KL(posterior||prior), nats", ylim=(-0.6, len(table) - 0.4))
        axis.axvline(0, color="#1d2530", linewidth=0.8)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def ranks(comparison: Any) -> Figure:
    """Rank plots of each parameter: a chain that leaves the band is not where the others are."""
    import arviz_plots as azp

    return _drawn(azp.plot_rank, comparison.tree, _shown(comparison))[0]


def pairs(comparison: Any) -> Figure | None:
    """Joint draws of the few elements that depend on each other most; None with fewer than two."""
    import arviz_plots as azp

    elements = _elements(comparison.tree["posterior"].to_dataset()[comparison.free_names])
    if len(elements) < 2:
        return None
    shown = xr.Dataset({name: elements[name] for name in _most_dependent(elements)})
    groups = {"posterior": shown}
    if "sample_stats" in comparison.tree.children:
        groups["sample_stats"] = comparison.tree["sample_stats"].to_dataset()
    points = {"scatter": {"alpha": 0.15, "size": 6}}
    return _drawn(azp.plot_pair, xr.DataTree.from_dict(groups), [str(n) for n in shown.data_vars], visuals=points)[0]


def energy(comparison: Any) -> Figure | None:
    """Marginal energy against its transitions; None where the sampler has no energy."""
    import arviz_plots as azp

    if "sample_stats" not in comparison.tree.children or "energy" not in comparison.tree["sample_stats"]:
        return None
    return _drawn(azp.plot_energy, comparison.tree, None)[0]


def predictive(comparison: Any) -> Figure | None:
    """Posterior predictive draws against the data, by what the data are: numbers, counts or yes and no; None without them."""
    import arviz_plots as azp

    tree = comparison.tree
    if "posterior_predictive" not in tree.children:
        return None
    names = [str(n) for n in tree["posterior_predictive"].data_vars if str(n) in tree["observed_data"]]
    for kind, plot in (("real", azp.plot_ppc_dist), ("count", azp.plot_ppc_rootogram), ("binary", azp.plot_ppc_pava)):
        chosen = [n for n in names if _kind(tree["observed_data"][n].values) == kind]
        if chosen:
            return _drawn(plot, tree, chosen, **({"num_samples": 50} if kind == "real" else {}))[0]
    return None


def loo_pit(comparison: Any) -> Figure | None:
    """Leave-one-out probability integral transform: flat within the band where the predictions are calibrated."""
    import arviz_plots as azp

    names = [n for n in comparison.diagnostics.loo.index if _continuous(comparison.tree, n)]
    if not names:
        return None
    return _drawn(azp.plot_loo_pit, comparison.tree, names)[0]


def _drawn(plot: Callable[..., Any], tree: Any, names: list[str] | None, **kwargs: Any) -> tuple[Figure, Any]:
    import matplotlib.pyplot as plt

    with warnings.catch_warnings(), mpl.rc_context(_STYLE):
        # Cosmetic notes about bandwidths and layouts; what matters is in the verdict.
        warnings.simplefilter("ignore")
        if names is not None:
            kwargs["var_names"] = names
        collection = plot(tree, backend="matplotlib", **kwargs)
    figure = collection.viz["figure"].item()
    _spaced(figure)
    plt.close(figure)
    return figure, collection


def _spaced(figure: Figure) -> None:
    """Rows tall enough that a title does not run into the axis above it."""
    axes = figure.get_axes()
    rows = len({round(a.get_position().y0, 3) for a in axes}) if axes else 1
    columns = len({round(a.get_position().x0, 3) for a in axes}) if axes else 1
    figure.set_size_inches(*((11, 2.2 * rows) if rows > 1 else (_WIDTHS.get(columns, 11), 3.2)))
    figure.set_layout_engine("constrained")


def _shown(comparison: Any) -> list[str]:
    """Free variables in order, until the panels are full; at least the first."""
    draws = comparison.tree["posterior"]
    names: list[str] = []
    panels = 0
    for name in comparison.free_names:
        size = int(draws[name].size / draws.sizes["chain"] / draws.sizes["draw"])
        if names and panels + size > _MOST_PANELS:
            continue
        names.append(name)
        panels += size
    return names


def _elements(draws: xr.Dataset) -> dict[str, xr.DataArray]:
    """Every element of every variable as an array of its own, named as in the tables."""
    found = {}
    for name, array in draws.data_vars.items():
        dims = [d for d in array.dims if d not in ("chain", "draw")]
        for index in np.ndindex(*(array.sizes[d] for d in dims)):
            one = array.isel(dict(zip(dims, index, strict=True)))
            labels = ", ".join(
                str(one[d].values) if d in one.coords else str(i) for d, i in zip(dims, index, strict=True)
            )
            found[f"{name}[{labels}]" if dims else str(name)] = one.reset_coords(drop=True)
    return found


def _most_dependent(elements: dict[str, xr.DataArray]) -> list[str]:
    """The elements of the pairs with the strongest rank correlation, of the values or of their distance from the median.

    The distance shows a funnel, where one parameter sets the other's spread and not its place.
    """
    names = list(elements)
    values = np.stack([elements[n].values.ravel() for n in names])
    spread = np.abs(values - np.median(values, axis=1, keepdims=True))
    ranks = stats.rankdata(np.concatenate([values, spread]), axis=1)
    with np.errstate(invalid="ignore"):
        strength = np.nan_to_num(np.abs(np.corrcoef(ranks)))
    n = len(names)
    strength = np.maximum.reduce([strength[:n, :n], strength[n:, :n], strength[:n, n:]])
    np.fill_diagonal(strength, 0.0)
    chosen: list[int] = []
    for place in np.argsort(-np.triu(strength), axis=None, kind="stable"):
        chosen += [i for i in map(int, np.unravel_index(place, strength.shape)) if i not in chosen]
        if len(chosen) >= min(_MOST_IN_PAIRS, n):
            break
    return [names[i] for i in sorted(chosen[:_MOST_IN_PAIRS])]


def _kind(values: np.ndarray) -> str:
    """What a plot of predictions should take data for: ``real``, ``count`` or ``binary``."""
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        return "real"
    if set(np.unique(values)) <= {0, 1}:
        return "binary"
    return "count" if values.min() >= 0 and values.dtype.kind in "iu" and np.ptp(values) <= _LARGEST_COUNT else "real"


def _window(comparison: Any, name: str) -> tuple[xr.DataArray, xr.DataArray]:
    draws = comparison.tree["posterior"][name]
    low, high = draws.quantile(0.001, ("chain", "draw")), draws.quantile(0.999, ("chain", "draw"))
    width = high - low
    return low - 0.75 * width, high + 0.75 * width


def _cut(prior: xr.Dataset, windows: dict[str, tuple[xr.DataArray, xr.DataArray]]) -> xr.Dataset:
    """Prior draws brought within the windows: those outside are replaced by ones inside, so that shapes stay."""
    result = {}
    for name, array in prior.data_vars.items():
        low, high = windows[str(name)]
        inside = ((array >= low) & (array <= high)).transpose("chain", "draw", ...).values
        values = array.transpose("chain", "draw", ...).values.copy()
        flat, keep = values.reshape(-1, *values.shape[2:]), inside.reshape(-1, *inside.shape[2:])
        for index in np.ndindex(flat.shape[1:]):
            column, kept = flat[(slice(None), *index)], keep[(slice(None), *index)]
            if kept.sum() > 20:
                flat[(slice(None), *index)] = np.resize(column[kept], len(column))
        result[name] = array.transpose("chain", "draw", ...).copy(data=flat.reshape(values.shape))
    return xr.Dataset(result)


def _marks(comparison: Any) -> list[str]:
    from pp_mlekl.compare.comparison import NO_NUMBER

    kept = [k for k in ("mle", "map") if comparison.statuses[k] not in NO_NUMBER]
    return [*kept, "truth"] if "truth" in comparison.tree.children else kept


def _mark(plot: Any, comparison: Any, name: str, window: tuple[xr.DataArray, xr.DataArray]) -> None:
    axes = plot.viz["plot"][name]
    for kind in _marks(comparison):
        tree = comparison.tree
        values = tree["truth"][name] if kind == "truth" else tree["point_estimate"][name].sel(estimator=kind)
        _, color, line = _MARKS[kind]
        for index in np.ndindex(axes.shape):
            place = dict(zip(axes.dims, index, strict=True))
            x = float(values.isel(place))
            low, high = (float(w.isel(place)) for w in window)
            if np.isfinite(x) and low <= x <= high:
                axes.isel(place).item().axvline(x, color=color, linestyle=line, linewidth=1.5)
    for index in np.ndindex(axes.shape):
        place = dict(zip(axes.dims, index, strict=True))
        low, high = (float(w.isel(place)) for w in window)
        if high > low:
            axes.isel(place).item().set_xlim(low, high)


def _legend(figure: Figure, marks: list[tuple[str, str, Any]]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=color, linestyle=line, label=label) for label, color, line in marks]
    if handles:
        figure.legend(handles=handles, loc="outside right lower", fontsize=9)


def _continuous(tree: Any, name: str) -> bool:
    return name in tree["observed_data"] and tree["observed_data"][name].dtype.kind == "f"
