"""Pictures of the chains against each other, and what they can show."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pp_mlekl.report.elements import shown_elements
from pp_mlekl.report.plots import drawn


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
