"""Pictures of a comparison, by arviz-plots on matplotlib."""

import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

# More panels than this are small print.
_MOST_PANELS = 12
_MOST_IN_PAIRS = 4
_MARKS: dict[str, tuple[str, str, Any]] = {
    "mle": ("MLE", "#b3261e", "--"),
    "map": ("MAP", "#6750a4", ":"),
    "truth": ("truth", "#111111", "-"),
}
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


def ranks(comparison: Any) -> Figure:
    """Rank plots of each parameter: a chain that leaves the band is not where the others are."""
    import arviz_plots as azp

    return _drawn(azp.plot_rank, comparison.tree, _shown(comparison))[0]


def pairs(comparison: Any) -> Figure | None:
    """Joint draws of the scalar parameters that depend on each other most; None with fewer than two."""
    import arviz_plots as azp

    draws = comparison.tree["posterior"].to_dataset()
    names = [n for n in comparison.free_names if draws[n].ndim == 2][:_MOST_IN_PAIRS]
    if len(names) < 2:
        return None
    return _drawn(azp.plot_pair, comparison.tree, names)[0]


def energy(comparison: Any) -> Figure | None:
    """Marginal energy against its transitions; None where the sampler has no energy."""
    import arviz_plots as azp

    if "sample_stats" not in comparison.tree.children or "energy" not in comparison.tree["sample_stats"]:
        return None
    return _drawn(azp.plot_energy, comparison.tree, None)[0]


def predictive(comparison: Any) -> Figure | None:
    """Posterior predictive draws against the data; None without them."""
    import arviz_plots as azp

    if "posterior_predictive" not in comparison.tree.children:
        return None
    return _drawn(azp.plot_ppc_dist, comparison.tree, None, num_samples=50)[0]


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
    if rows > 1:
        figure.set_size_inches(11, 2.2 * rows)
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
        figure.legend(handles=handles, loc="lower right", ncols=len(handles), fontsize=9)


def _continuous(tree: Any, name: str) -> bool:
    return name in tree["observed_data"] and tree["observed_data"][name].dtype.kind == "f"
