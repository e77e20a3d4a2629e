"""Plots of a comparison, by arviz-plots."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.stats import rankdata

from pp_mlekl.report.elements import (
    MAX_PANELS,
    categorical,
    elements,
    in_one_row,
    kind_of,
    literal,
    most_dependent,
    shown_elements,
)
from pp_mlekl.report.figures import INK, STYLE
from pp_mlekl.report.labels import NO_NUMBER
from pp_mlekl.report.pair_plot import kept_draws, pair_plot
from pp_mlekl.report.protocols import ComparisonLike
from pp_mlekl.report.style import styled
from pp_mlekl.typing import Array, Names
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.p_values import p_value
from pp_mlekl.utils.shared_state import silenced

Coords = Mapping[str, Any] | None
Backend = Literal["matplotlib", "bokeh", "plotly", "none"]

# Minimum number of prior draws inside the range of a panel.
_MIN_PRIOR_DRAWS = 20
# Colour and line style of each mark.
_MARKS: dict[str, tuple[str, str, Any]] = {
    "mle": ("MLE", "#c05621", "--"),
    "map": ("MAP", "#a8841a", ":"),
    "truth": ("truth", INK, "-"),
}
# Probability that a line of a rank plot leaves the band by chance.
_OUTSIDE = 0.01
# Half the height of a rank plot over what it shows.
_MARGIN = 1.1
# Panels in a row of rank plots.
_RANK_COLUMNS = 4
# Inches of a panel, alone and among others.
_ALONE, _AMONG = (4.6, 2.7), (2.45, 1.75)


@checked_arguments
def prior_posterior(
    comparison: ComparisonLike,
    var_names: Names | None = None,
    coords: Coords = None,
    backend: Backend = "matplotlib",
    **kwargs: Any,
) -> Any:
    """Prior against posterior of each parameter, with MLE, MAP and truth.

    The range of each panel is that of the posterior, with a margin.
    """
    import arviz_plots as azp

    posterior = shown_elements(_selected(comparison, "posterior", var_names, coords))
    windows = {str(name): _window(draws.values) for name, draws in posterior.data_vars.items()}
    groups = {"posterior": posterior}
    plot: Callable[..., Any] = azp.plot_dist
    if "prior" in comparison.tree.children:
        prior = elements(_selected(comparison, "prior", var_names, coords))
        groups["prior"] = xr.Dataset({name: _cut(prior[name], *window) for name, window in windows.items()})
        plot = azp.plot_prior_posterior
    figure, collection = drawn(plot, xr.DataTree.from_dict(groups), list(windows), backend, **kwargs)
    if backend != "matplotlib":
        return collection
    for kind in _marks(comparison):
        point = _point(comparison, kind)
        values = elements(point[[name for name in _names(comparison, var_names) if name in point]])
        for name in values.keys() & windows:
            _mark(collection.viz["plot"][name].item(), float(values[name]), windows[name], kind)
    for name, (low, high) in windows.items():
        if high > low:
            collection.viz["plot"][name].item().set_xlim(low, high)
    _legend(figure, [_MARKS[k] for k in _marks(comparison)])
    return figure


@checked_arguments
def pairs(
    comparison: ComparisonLike,
    var_names: Names | None = None,
    coords: Coords = None,
    backend: Backend = "matplotlib",
    **kwargs: Any,
) -> Any:
    """Joint draws of the parameters with the strongest dependence, divergent draws marked; None with fewer than two.

    Scale parameters of other variables are always among them.
    """
    import arviz_plots as azp

    found = elements(_selected(comparison, "posterior", var_names, coords))
    if len(found) < 2:
        return None
    chosen = list(found) if var_names is not None else most_dependent(found, first=_scales(comparison, found))
    diverging = _diverging(comparison.tree, found[chosen[0]])
    if backend == "matplotlib" and not kwargs:
        return pair_plot({n: found[n].transpose("chain", "draw").values.ravel() for n in chosen}, diverging)
    kept = kept_draws(diverging)
    visuals = {"scatter": {"alpha": 0.35, "size": 5, "color": "C0"}, "divergence": {"color": "C1", "size": 14}}
    # One dimension: arviz-plots selects divergent draws of single-dimensional samples only.
    draws = {n: ("draw", found[n].transpose("chain", "draw").values.ravel()[kept]) for n in chosen}
    groups = {"posterior": xr.Dataset(draws), "sample_stats": xr.Dataset({"diverging": ("draw", diverging[kept])})}
    settings = {"sample_dims": "draw", "visuals": visuals, **kwargs}
    figure, collection = drawn(azp.plot_pair, xr.DataTree.from_dict(groups), chosen, backend, **settings)
    return figure if backend == "matplotlib" else collection


def _scales(comparison: ComparisonLike, found: dict[str, xr.DataArray]) -> list[str]:
    """Positive parameters on which the priors of other variables depend, or that multiply standard normals."""
    parents = {p for v in comparison.variables if v["kind"] == "free" for p in (*v["parents"], *v.get("factors", ()))}
    return [name for name, draws in found.items() if name.partition("[")[0] in parents and float(draws.min()) > 0]


def _diverging(tree: xr.DataTree, like: xr.DataArray) -> Array:
    """Whether each draw, chain after chain, is a divergent transition."""
    if "sample_stats" in tree.children and "diverging" in tree["sample_stats"]:
        return tree["sample_stats"]["diverging"].transpose("chain", "draw").values.astype(bool).ravel()
    return np.zeros(like.sizes["chain"] * like.sizes["draw"], dtype=bool)


@checked_arguments
def energy(comparison: ComparisonLike, backend: Backend = "matplotlib", **kwargs: Any) -> Any:
    """Marginal energy against its transitions; None if the sampler has no energy."""
    import arviz_plots as azp

    if "sample_stats" not in comparison.tree.children or "energy" not in comparison.tree["sample_stats"]:
        return None
    figure, collection = drawn(azp.plot_energy, comparison.tree, None, backend, **kwargs)
    if backend != "matplotlib":
        return collection
    bfmi, marginal = figure.get_axes()
    bfmi.set(title="BFMI", xlabel="BFMI")
    bfmi.margins(x=0.1)
    bfmi.yaxis.set_major_locator(MaxNLocator(integer=True))
    marginal.set(title="Marginal and transitions", xlabel="energy minus its mean")
    bfmi.get_subplotspec().get_gridspec().set_width_ratios([1, 1])
    figure.draw_without_rendering()
    return figure


@checked_arguments
def predictive(
    comparison: ComparisonLike,
    var_names: Names | None = None,
    backend: Backend = "matplotlib",
    coords: Coords = None,
    **kwargs: Any,
) -> Any:
    """Posterior predictive draws against the data, of the first kind of data if there are several; None without draws.

    Raises
    ------
    TypeError, ValueError
        Where ``var_names`` are not observed, or of several kinds.
    """
    import arviz_plots as azp

    by_kind = predicted_by_kind(comparison)
    if var_names is not None:
        wanted = _observed(comparison, var_names)
        by_kind = {kind: found for kind, names in by_kind.items() if (found := [n for n in names if n in wanted])}
        if len(by_kind) > 1:
            kinds = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in by_kind.items())
            raise ValueError(f"var_names must be of one kind of data for one plot, got {kinds}.")
    if not by_kind:
        return None
    kind, names = next(iter(by_kind.items()))
    ways: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "real": (azp.plot_ppc_dist, {"num_samples": 50, "visuals": {"remove_axis": False}}),
        "count": (azp.plot_ppc_rootogram, {}),
        "binary": (azp.plot_ppc_pava, {}),
        "category": (azp.plot_ppc_pava, {"data_type": "categorical"}),
    }
    plot, settings = ways[kind]
    chosen = names[: MAX_PANELS if var_names is None else None]
    groups = {g: comparison.tree[g].to_dataset()[chosen] for g in ("observed_data", "posterior_predictive")}
    tree = xr.DataTree.from_dict(
        {g: _at(dataset, _checked_coords(comparison, coords)) for g, dataset in groups.items()}
    )
    figure, collection = drawn(plot, in_one_row(tree, chosen), chosen, backend, **(settings | kwargs))
    if backend != "matplotlib":
        return collection
    for axis in figure.get_axes():
        axis.set(**dict(zip(("xlabel", "ylabel"), _predictive_labels(kind, axis), strict=True)))
    return figure


def _predictive_labels(kind: str, axis: Any) -> tuple[str, str]:
    """What the axes of a predictive plot show; arviz-plots draws few numbers as steps and many as a density."""
    if kind != "real":
        return ("count", "frequency") if kind == "count" else ("predicted probability", "observed frequency")
    steps = any(line.get_drawstyle() != "default" for line in axis.get_lines())
    return "value", "cumulative share" if steps else "density"


def predicted_by_kind(comparison: ComparisonLike) -> dict[str, list[str]]:
    """The observed variables with predictive draws, by kind of data: a key of ``ABOUT_PREDICTIVE``, in that order."""
    if "posterior_predictive" not in comparison.tree.children:
        return {}
    observed = comparison.tree["observed_data"].to_dataset()
    categories = categorical(comparison.variables)
    found: dict[str, list[str]] = {kind: [] for kind in ABOUT_PREDICTIVE}
    for name in (str(n) for n in comparison.tree["posterior_predictive"].data_vars if str(n) in observed):
        kind = kind_of(observed[name].values)
        found["category" if name in categories and kind != "binary" else kind].append(name)
    return {kind: names for kind, names in found.items() if names}


# What a predictive plot shows, by the kind of data.
ABOUT_PREDICTIVE = {
    "real": "Distributions of 50 posterior predictive data sets, and that of the data (dark).",
    "count": (
        "Observed frequency of each count against the posterior predictive interval; the vertical axis is a square root."
    ),
    "binary": "Calibration (PAVA): observed frequency of the event against its predicted probability.",
    "category": "Calibration (PAVA) of each category against the others: observed frequency against predicted probability.",
}


@checked_arguments
def loo_pit(
    comparison: ComparisonLike,
    var_names: Names | None = None,
    coords: Coords = None,
    backend: Backend = "matplotlib",
    **kwargs: Any,
) -> Any:
    """Leave-one-out probability integral transform, near 0 if calibrated; points off by more than chance are highlighted."""
    import arviz_plots as azp

    if not {"log_likelihood", "posterior_predictive"} <= set(comparison.tree.children):
        return None
    found = [n for n in comparison.diagnostics.loo.index if _a_number_each(comparison.tree, n)]
    names = found[:MAX_PANELS] if var_names is None else [n for n in found if n in _observed(comparison, var_names)]
    if not names:
        return None
    kwargs |= {"coords": _checked_coords(comparison, coords)} if coords else {}
    figure, collection = drawn(azp.plot_loo_pit, comparison.tree, names, backend, **kwargs)
    if backend != "matplotlib":
        return collection
    tests = comparison.diagnostics.loo["p_uniform"]
    for name in names:
        axis = collection.viz["plot"][name].item()
        for note in list(axis.texts):
            note.remove()
        # The p value of the verdict, which is adjusted for the number of observed variables.
        axis.set_title(f"{literal(name)}, {p_value(tests[name])}")
    return figure


def drawn(
    plot: Callable[..., Any], tree: Any, names: list[str] | None, backend: Backend = "matplotlib", **kwargs: Any
) -> tuple[Any, Any]:
    """A figure by arviz-plots in the style of the pages, and its ``PlotCollection``.

    Parameters
    ----------
    plot
        A function of arviz-plots.
    tree, names
        Its data and variables; all variables if None.
    backend
        Of arviz-plots; only figures of ``"matplotlib"`` are styled.
    **kwargs
        Passed on to ``plot``.
    """
    import matplotlib.pyplot as plt
    from arviz_base.labels import BaseLabeller

    if backend != "none" and find_spec(backend) is None:
        raise ImportError(f"The backend {backend} needs: pip install {backend}.")

    class Literal(BaseLabeller):
        """Names of variables as they are, no formulas."""

        def var_name_to_str(self, var_name: str | None) -> str | None:
            return None if var_name is None else literal(var_name)

    kwargs = {"labeller": Literal(), **kwargs}
    if names is not None:
        kwargs["var_names"] = names
    # Warnings about bandwidths and layouts do not concern the model.
    with silenced(), styled(STYLE):
        collection = plot(tree, backend=backend, **kwargs)
        figure = collection.viz["figure"].item()
        if backend != "matplotlib":
            return figure, collection
        plt.close(figure)
    _spaced(figure)
    return figure, collection


def _spaced(figure: Figure) -> None:
    """Size by the number of panels, with a layout that keeps titles and labels apart."""
    axes = [a for a in figure.get_axes() if a.axison]
    rows = len({round(a.get_position().y0, 3) for a in axes}) if axes else 1
    columns = len({round(a.get_position().x0, 3) for a in axes}) if axes else 1
    width, height = _ALONE if len(axes) == 1 else _AMONG
    figure.set_size_inches(width * columns, height * rows)
    figure.set_layout_engine("constrained")


def _names(comparison: ComparisonLike, var_names: Sequence[str] | None) -> list[str]:
    """The free variables to plot; a ValueError for unknown names."""
    chosen = comparison.free_names if var_names is None else list(var_names)
    check_names("var_names", chosen, [*comparison.free_names, *comparison.derived_names])
    return chosen


def _observed(comparison: ComparisonLike, var_names: Sequence[str]) -> list[str]:
    """The observed variables to plot; a ValueError for unknown names."""
    check_names("var_names", var_names, list(map(str, comparison.tree["observed_data"].data_vars)))
    return list(var_names)


def _checked_coords(comparison: ComparisonLike, coords: Coords) -> Mapping[str, Any]:
    """Labels by dim; a ValueError for dims and labels that the comparison does not have."""
    groups = [g.to_dataset() for n, g in comparison.tree.children.items() if n in ("posterior", "observed_data")]
    labels = {str(dim): list(map(str, index)) for group in groups for dim, index in group.indexes.items()}
    check_names("coords", list(coords or ()), list(labels), fewest=0)
    for dim, wanted in (coords or {}).items():
        if not isinstance(wanted, slice):
            check_names(f"coords[{dim!r}]", list(map(str, np.atleast_1d(wanted))), labels[dim])
    return coords or {}


def _selected(comparison: ComparisonLike, group: str, var_names: Sequence[str] | None, coords: Coords) -> xr.Dataset:
    """Draws of some variables at some coordinates."""
    names, here = _names(comparison, var_names), _checked_coords(comparison, coords)
    return _at(comparison.tree[group].to_dataset()[names], here)


def _at(dataset: xr.Dataset, coords: Mapping[str, Any]) -> xr.Dataset:
    """A dataset at the coordinates of its own dims, all of which are kept."""
    own = {dim: v if isinstance(v, slice) else np.atleast_1d(v) for dim, v in coords.items() if dim in dataset.dims}
    return dataset.sel(own)


def _window(draws: Array) -> tuple[float, float]:
    low, high = np.quantile(draws, (0.001, 0.999))
    width = high - low
    return float(low - 0.75 * width), float(high + 0.75 * width)


def _cut(prior: xr.DataArray, low: float, high: float) -> xr.DataArray:
    """Prior draws within the window, resampled to the original number."""
    values = prior.values
    inside = values[(values >= low) & (values <= high)]
    return prior.copy(data=np.resize(inside, values.shape)) if len(inside) > _MIN_PRIOR_DRAWS else prior


def _marks(comparison: ComparisonLike) -> list[str]:
    kept = [k for k in ("mle", "map") if comparison.statuses[k] not in NO_NUMBER]
    return [*kept, "truth"] if "truth" in comparison.tree.children else kept


def _point(comparison: ComparisonLike, kind: str) -> xr.Dataset:
    """The truth or an estimate; the MLE with that of the derived quantities."""
    tree = comparison.tree
    if kind == "truth":
        return tree["truth"].to_dataset()
    point = tree["point_estimate"].to_dataset().sel(estimator=kind, drop=True)
    return point.merge(tree["derived_estimate"].to_dataset()) if kind == "mle" and comparison.derived_names else point


def _mark(axes: Any, x: float, window: tuple[float, float], kind: str) -> None:
    _, color, line = _MARKS[kind]
    if window[0] <= x <= window[1]:
        axes.axvline(x, color=color, linestyle=line, linewidth=1.5)


def _legend(figure: Figure, marks: list[tuple[str, str, Any]]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=color, linestyle=line, label=label) for label, color, line in marks]
    if handles:
        figure.legend(handles=handles, loc="outside right lower", fontsize=9)


def _a_number_each(tree: Any, name: str) -> bool:
    """Whether each observation is one continuous number, no count and no vector."""
    observed = tree["observed_data"].get(name)
    return (
        observed is not None and observed.dtype.kind == "f" and observed.dims == tree["log_likelihood"][name].dims[2:]
    )


@checked_arguments
def chains(
    comparison: ComparisonLike,
    var_names: Names | None = None,
    coords: Coords = None,
    backend: Backend = "matplotlib",
    **kwargs: Any,
) -> Any:
    """Rank plots of each parameter; trace plots for a single chain."""
    import arviz_plots as azp

    shown = shown_elements(_selected(comparison, "posterior", var_names, coords))
    single = shown.sizes["chain"] < 2
    draws = shown if single else shown.isel(draw=slice(None, None, thinning(shown)))
    if backend == "matplotlib" and not single and not kwargs:
        return _ranks(draws)
    tree = xr.DataTree.from_dict({"posterior": draws})
    plot = azp.plot_trace if single else azp.plot_rank
    figure, collection = drawn(plot, tree, [str(n) for n in shown.data_vars], backend, **kwargs)
    return figure if backend == "matplotlib" else collection


def _ranks(draws: xr.Dataset) -> Figure:
    """Each chain's distribution function of the ranks among all chains, minus the uniform one, with ``rank_band``.

    ``plot_rank`` of arviz-plots also computes a test of each chain, which a page does not show and which costs more than
    the rest of the page.
    """
    number, chains = draws.sizes["draw"], draws.sizes["chain"]
    half, levels = rank_band(number, chains), (np.arange(number) + 1) / number
    columns = min(_RANK_COLUMNS, len(draws.data_vars))
    with styled(STYLE):
        figure = Figure()
        axes = figure.subplots(-(-len(draws.data_vars) // columns), columns, squeeze=False).ravel()
        for axis, name in zip(axes, draws.data_vars, strict=False):
            values = draws[name].transpose("chain", "draw").values
            ranks = np.sort(rankdata(values).reshape(values.shape) / values.size, axis=1)
            axis.plot(ranks.T, levels[:, None] - ranks.T, drawstyle="steps-post")
            axis.axhspan(-half, half, color=INK, alpha=0.1, linewidth=0)
            farthest = max(half, np.abs(levels - ranks).max())
            axis.set(title=literal(str(name)), ylim=(-_MARGIN * farthest, _MARGIN * farthest))
            axis.set(xlabel="rank", ylabel="Δ ECDF")
        for axis in axes[len(draws.data_vars) :]:
            axis.set_axis_off()
        _spaced(figure)
    return figure


def rank_band(draws: int, chains: int) -> float:
    """Half the width of a band that contains the lines of all chains with a probability of at least 99%.

    By the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant (1990), for each chain at 1% over the
    number of chains. It is for independent draws; thinned draws are nearly so.
    """
    return float(np.sqrt(np.log(2 * chains / _OUTSIDE) / (2 * draws)))


def about_chains(comparison: ComparisonLike) -> str:
    """The caption of the plot of chains."""
    shown = shown_elements(comparison.tree["posterior"].to_dataset()[comparison.free_names])
    if shown.sizes["chain"] < 2:
        return "Trace of the single chain. Several chains are needed to check convergence."
    step = thinning(shown)
    used = (
        f"One draw in {step} is used, because the band assumes independent draws."
        if step > 1
        else "All draws are used."
    )
    return (
        "Rank plots: a line for each chain, which stays within the grey band if all chains explore the same distribution "
        f"(for all chains and ranks together, in 99% of cases). {used}"
    )


def thinning(draws: xr.Dataset) -> int:
    """The thinning interval for nearly independent draws: draws per chain over the smallest ESS within chains.

    The ESS of all chains together is small if the chains disagree, and thinning by it would hide the disagreement.

    Examples
    --------
    >>> independent = np.random.default_rng(1).normal(size=(4, 500))
    >>> thinning(xr.Dataset({"mu": (("chain", "draw"), np.repeat(independent, 5, axis=1))})) in (5, 6)
    True
    """
    import arviz as az

    size = np.inf
    for values in draws.data_vars.values():
        within = [float(az.ess(chain[None], method="bulk")) for chain in values.transpose("chain", "draw").values]
        # The ESS of a constant chain is NaN.
        size = min(size, np.mean(within)) if np.all(np.isfinite(within)) else size
    return int(np.clip(np.ceil(draws.sizes["draw"] / size), 1, draws.sizes["draw"] // 2 or 1))
