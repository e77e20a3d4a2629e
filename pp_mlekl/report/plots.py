"""Pictures of a comparison, by arviz-plots on matplotlib."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pp_mlekl.report.elements import elements, in_one_row, kind_of, literal, most_dependent, shown_elements
from pp_mlekl.report.labels import NO_NUMBER
from pp_mlekl.report.style import styled
from pp_mlekl.typing import Array
from pp_mlekl.utils.shared_state import silenced

# The shape of fewer prior draws is not worth drawing.
_FEWEST_INSIDE = 20
_MARKS: dict[str, tuple[str, str, Any]] = {
    "mle": ("MLE", "#b3261e", "--"),
    "map": ("MAP", "#6750a4", ":"),
    "truth": ("truth", "#111111", "-"),
}
_MOST_BARS = 20
# ArviZ writes p to two places.
_SMALLEST_P = 0.005
# Half the width of a normal's central 95%, in standard deviations.
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

    posterior = shown_elements(comparison.tree["posterior"].to_dataset()[comparison.free_names])
    windows = {str(name): _window(draws.values) for name, draws in posterior.data_vars.items()}
    groups = {"posterior": posterior}
    plot: Callable[..., Any] = azp.plot_dist
    if "prior" in comparison.tree.children:
        prior = elements(comparison.tree["prior"].to_dataset()[comparison.free_names])
        groups["prior"] = xr.Dataset({name: _cut(prior[name], *window) for name, window in windows.items()})
        plot = azp.plot_prior_posterior
    figure, collection = drawn(plot, xr.DataTree.from_dict(groups), list(windows))
    for kind in _marks(comparison):
        values = elements(_point(comparison, kind)[comparison.free_names])
        for name, window in windows.items():
            _mark(collection.viz["plot"][name].item(), float(values[name]), window, kind)
    for name, (low, high) in windows.items():
        if high > low:
            collection.viz["plot"][name].item().set_xlim(low, high)
    _legend(figure, [_MARKS[k] for k in _marks(comparison)])
    return figure


def gained(comparison: Any) -> Figure | None:
    """KL(posterior||prior) of each parameter with a 95% interval; None where the prior is improper."""
    table = comparison.summary()
    if "KL" not in table or not np.isfinite(table["KL"]).any():
        return None
    table = table.nlargest(_MOST_BARS, "KL")[::-1]
    with styled(_STYLE):
        figure = Figure(figsize=(7.5, 0.9 + 0.26 * len(table)), layout="constrained")
        axis = figure.subplots()
        places = np.arange(len(table))
        axis.barh(places, table["KL"], xerr=_NORMAL_95 * table["KL_mcse"], color="#8fb3d9", ecolor="#1d2530", capsize=2)
        axis.set_yticks(places, [literal(name) for name in table.index])
        axis.set(xlabel="KL(posterior||prior), nats", ylim=(-0.6, len(table) - 0.4))
        axis.axvline(0, color="#1d2530", linewidth=0.8)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def pairs(comparison: Any) -> Figure | None:
    """Joint draws of the few elements that depend on each other most; None with fewer than two."""
    import arviz_plots as azp

    found = elements(comparison.tree["posterior"].to_dataset()[comparison.free_names])
    if len(found) < 2:
        return None
    shown = xr.Dataset({name: found[name] for name in most_dependent(found)})
    groups = {"posterior": shown}
    if "sample_stats" in comparison.tree.children:
        groups["sample_stats"] = comparison.tree["sample_stats"].to_dataset()
    points = {"scatter": {"alpha": 0.15, "size": 6}}
    return drawn(azp.plot_pair, xr.DataTree.from_dict(groups), [str(n) for n in shown.data_vars], visuals=points)[0]


def energy(comparison: Any) -> Figure | None:
    """Marginal energy against its transitions; None where the sampler has no energy."""
    import arviz_plots as azp

    if "sample_stats" not in comparison.tree.children or "energy" not in comparison.tree["sample_stats"]:
        return None
    return drawn(azp.plot_energy, comparison.tree, None)[0]


def predictive(comparison: Any) -> Figure | None:
    """Posterior predictive draws against the data, by what the data are: numbers, counts or yes and no; None without them."""
    import arviz_plots as azp

    tree = comparison.tree
    if "posterior_predictive" not in tree.children:
        return None
    names = [str(n) for n in tree["posterior_predictive"].data_vars if str(n) in tree["observed_data"]]
    for kind, plot in (("real", azp.plot_ppc_dist), ("count", azp.plot_ppc_rootogram), ("binary", azp.plot_ppc_pava)):
        chosen = [n for n in names if kind_of(tree["observed_data"][n].values) == kind]
        if chosen:
            return drawn(plot, in_one_row(tree, chosen), chosen, **({"num_samples": 50} if kind == "real" else {}))[0]
    return None


def loo_pit(comparison: Any) -> Figure | None:
    """Leave-one-out probability integral transform: flat within the band where the predictions are calibrated."""
    import arviz_plots as azp

    names = [n for n in comparison.diagnostics.loo.index if _a_number_each(comparison.tree, n)]
    if not names:
        return None
    return drawn(azp.plot_loo_pit, comparison.tree, names)[0]


def drawn(plot: Callable[..., Any], tree: Any, names: list[str] | None, **kwargs: Any) -> tuple[Figure, Any]:
    """A figure by arviz-plots in the page's style, and its collection of plots."""
    import matplotlib.pyplot as plt
    from arviz_base.labels import BaseLabeller

    class Literal(BaseLabeller):
        """Names of variables as they are, no formulas."""

        def var_name_to_str(self, var_name: str | None) -> str | None:
            return None if var_name is None else literal(var_name)

    if names is not None:
        kwargs["var_names"] = names
    # Cosmetic notes about bandwidths and layouts; what matters is in the verdict.
    with silenced(), styled(_STYLE):
        collection = plot(tree, backend="matplotlib", labeller=Literal(), **kwargs)
        figure = collection.viz["figure"].item()
        plt.close(figure)
    for axis in figure.get_axes():
        _chance_into_title(axis)
    _spaced(figure)
    return figure, collection


def _chance_into_title(axis: Any) -> None:
    """Move a p value, which hides curves, from the inside of a panel to its title."""
    for note in list(axis.texts):
        found = re.match(r"p=([\d.]+)", note.get_text())
        if found:
            p = float(found[1])
            axis.set_title(f"{axis.get_title()}, p {f'< {_SMALLEST_P}' if p < _SMALLEST_P else f'= {p:.2f}'}")
            note.remove()


def _spaced(figure: Figure) -> None:
    """Rows tall enough that a title does not run into the axis above it."""
    axes = figure.get_axes()
    rows = len({round(a.get_position().y0, 3) for a in axes}) if axes else 1
    columns = len({round(a.get_position().x0, 3) for a in axes}) if axes else 1
    figure.set_size_inches(*((11, 2.2 * rows) if rows > 1 else (_WIDTHS.get(columns, 11), 3.2)))
    figure.set_layout_engine("constrained")


def _window(draws: Array) -> tuple[float, float]:
    low, high = np.quantile(draws, (0.001, 0.999))
    width = high - low
    return float(low - 0.75 * width), float(high + 0.75 * width)


def _cut(prior: xr.DataArray, low: float, high: float) -> xr.DataArray:
    """Prior draws brought within the window: those outside are replaced by ones inside, so that the shape stays."""
    values = prior.values
    inside = values[(values >= low) & (values <= high)]
    return prior.copy(data=np.resize(inside, values.shape)) if len(inside) > _FEWEST_INSIDE else prior


def _marks(comparison: Any) -> list[str]:
    kept = [k for k in ("mle", "map") if comparison.statuses[k] not in NO_NUMBER]
    return [*kept, "truth"] if "truth" in comparison.tree.children else kept


def _point(comparison: Any, kind: str) -> xr.Dataset:
    tree = comparison.tree
    return tree["truth"].to_dataset() if kind == "truth" else tree["point_estimate"].to_dataset().sel(estimator=kind)


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


def chains(comparison: Any) -> Figure:
    """Rank plots of each parameter, or the draws in their order where there is one chain, whose ranks show nothing."""
    import arviz_plots as azp

    shown = _shown(comparison)
    names = [str(n) for n in shown.data_vars]
    if shown.sizes["chain"] < 2:
        return drawn(azp.plot_trace, xr.DataTree.from_dict({"posterior": shown}), names)[0]
    thinned = shown.isel(draw=slice(None, None, thinning(shown)))
    return drawn(azp.plot_rank, xr.DataTree.from_dict({"posterior": thinned}), names)[0]


def about_chains(comparison: Any) -> str:
    """What the picture shows, and what it leaves out."""
    shown = _shown(comparison)
    if shown.sizes["chain"] < 2:
        return "The draws of the only chain in their order; whether others would agree with it, one chain cannot show."
    step = thinning(shown)
    used = f"One draw in {step} is used: those in between repeat" if step > 1 else "All are used: none repeats"
    return (
        "Rank plots: a line for each chain, which stays near the middle where the chains explore the same distribution. "
        "Black marks where a chain is further off than chance explains, p is that of the test behind them, which takes draws "
        f"as independent. {used} what others say."
    )


def thinning(draws: xr.Dataset) -> int:
    """The step at which draws are about independent: their number over the smallest effective sample size within chains.

    The effective size of all chains together would be small where the chains disagree, and thin away what shows it.

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
        # A chain that stands still has none.
        size = min(size, np.mean(within)) if np.all(np.isfinite(within)) else size
    return int(np.clip(np.ceil(draws.sizes["draw"] / size), 1, draws.sizes["draw"] // 2 or 1))


def _shown(comparison: Any) -> xr.Dataset:
    return shown_elements(comparison.tree["posterior"].to_dataset()[comparison.free_names])


def models(comparison: Any) -> Figure:
    """Log evidence and leave-one-out of each model with 95% intervals, the best evidence on top."""
    table = comparison.summary()
    places = np.arange(len(table))[::-1]
    panels = (("log evidence", "log_evidence", "log_evidence_mcse"), ("elpd (LOO)", "elpd_loo", "elpd_loo_se"))
    with styled(_STYLE):
        figure = Figure(figsize=(7.0, 1.2 + 0.35 * len(table)), layout="constrained")
        for axis, (title, value, error) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
            axis.errorbar(table[value], places, xerr=_NORMAL_95 * table[error], fmt="o", color="#3b5b92", capsize=3)
            axis.set(title=title, xlabel="nats")
            axis.set_yticks(places, [literal(str(name)) for name in table.index])
            axis.set_ylim(-0.5, len(table) - 0.5)
    return figure
