"""One figure for each step of a proof."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pp_mlekl.report.elements import literal
from pp_mlekl.report.figures import PALETTE, STYLE, whole
from pp_mlekl.report.style import styled

if TYPE_CHECKING:
    from pp_mlekl.theorem.proof_result import Step

# The first colours of the pages' palette.
BLUE, ORANGE, GREEN = list(PALETTE)[:3]

# Probabilities below this are not plotted, to limit the range of the axis.
_MIN_PROBABILITY = 1e-5

_STYLE: dict[Any, Any] = STYLE | {"font.size": 10, "figure.constrained_layout.use": True}


class StepFigure(Figure):
    """A figure that notebooks display without a plotting backend."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100, facecolor="white")
        return buffer.getvalue()


def figure(step: "Step") -> Figure:
    """The figure of a step; empty if the step has no data to plot."""
    draw, count = _FIGURES[step.number]
    with styled(_STYLE):
        fig = StepFigure(figsize=(4.4 * count, 3.1) if count > 1 else (6.2, 3.2))
        axes = fig.subplots(1, count, squeeze=False)[0]
        if len(step.data.data_vars):
            draw(step.data, *axes)
        else:
            for ax in axes:
                ax.set_axis_off()
    return fig


def panels(step: "Step", description: str) -> list[Markup]:
    """The panels of a figure as separate SVG elements, which wrap on narrow screens.

    They use the page's text colour and have a label for screen readers.
    """
    if not len(step.data.data_vars):
        return []
    draw, count = _FIGURES[step.number]
    result = []
    for place in range(count):
        with styled(_STYLE):
            shown, hidden = Figure(figsize=(4.7, 3.1) if count > 1 else (5.6, 3.2)), Figure()
            axes = [shown.subplots() if i == place else hidden.add_subplot(1, count, i + 1) for i in range(count)]
            draw(step.data, *axes)
        if axes[place].axison:
            title = axes[place].get_title()
            label = f"{description} {title}." if count > 1 and title else description
            result.append(whole(shown, f"s{step.number}p{place}", label))
    return result


def densities_svg(data: xr.Dataset, description: str) -> Markup:
    """Densities of the truth and of the model at the pseudo-true parameter as SVG; empty without data."""
    if not len(data.data_vars):
        return Markup("")
    with styled(_STYLE):
        fig = Figure(figsize=(5.6, 3.0))
        _densities(data, fig.subplots())
    return whole(fig, "d", description)


def _densities(data: xr.Dataset, ax: Axes) -> None:
    x = data["y"].values
    names = {"truth": "truth p", "fitted": "model at θ*, q"}
    if data.attrs["discrete"]:
        for shift, colour, name in ((-0.2, BLUE, "truth"), (0.2, ORANGE, "fitted")):
            ax.bar(x + shift, data[name], width=0.4, color=colour, label=names[name])
        if len(x) <= 12:
            ax.set_xticks(x)
    else:
        ax.fill_between(x, data["truth"], color=BLUE, alpha=0.25, linewidth=0, label=names["truth"])
        ax.plot(x, data["fitted"], color=ORANGE, label=names["fitted"])
    ax.set(xlabel=literal(data.attrs["variable"]), ylabel="probability" if data.attrs["discrete"] else "density")
    ax.set_ylim(0, 1.3 * float(max(data["truth"].max(), data["fitted"].max())))
    ax.legend()


def _curves(data: xr.Dataset, ax: Axes) -> None:
    theta, entropy = data["theta"].values, data.attrs["entropy"]
    ax.plot(theta, data["cross_entropy"], color=ORANGE, label="cross-entropy H(p, q)")
    ax.plot(theta, data["kl"], color=BLUE, label="KL(p ‖ q)")
    places = np.linspace(0, len(theta) - 1, 7).astype(int)[1:-1]
    for i in places:
        pair = data["kl"].values[i], data["cross_entropy"].values[i]
        ax.annotate("", (theta[i], pair[1]), (theta[i], pair[0]), arrowprops={"arrowstyle": "<->", "color": GREEN})
    ax.plot([], [], color=GREEN, label=f"H(p) = {entropy:.4g}")
    ax.set(xlabel=literal(data.attrs["parameter"]), ylabel="nats per observation")
    ax.legend()


def _minimiser(data: xr.Dataset, left: Axes, right: Axes) -> None:
    for ax, name, colour, what in (
        (left, "kl", BLUE, "KL(p ‖ q)"),
        (right, "expected_log_likelihood", ORANGE, "E[log q]"),
    ):
        ax.plot(data["theta"], data[name], color=colour)
        ax.axvline(data.attrs["pseudo_true"], color=GREEN, linestyle="--")
        ax.set(xlabel=literal(data.attrs["parameter"]), ylabel="nats", title=what)
    left.set_title("KL(p ‖ q): minimum at θ*")
    right.set_title("E[log q]: maximum at θ*")


def _law(data: xr.Dataset, ax: Axes) -> None:
    n = data["n"]
    ax.fill_between(n, data["supremum_low"], data["supremum_high"], color=ORANGE, alpha=0.25, linewidth=0)
    ax.plot(n, data["supremum"], "o-", color=ORANGE, label="largest error over parameters (5-95 %)")
    ax.plot(n, data["rms"], "s", color=BLUE, label="typical error at one parameter")
    ax.plot(n, data["theory"], color=BLUE, label="theory: sd / √n")
    ax.set(xscale="log", yscale="log", xlabel="observations n", ylabel="error of the mean log-likelihood")
    # The mean of a few zeros and ones can be exact, an error of 0.
    ax.set_ylim(bottom=0.1 * float(data["theory"].min()))
    ax.legend()


def _chebyshev(data: xr.Dataset, left: Axes, right: Axes) -> None:
    if "k" in data:
        k = np.linspace(1, 6, 200)
        left.plot(k, 1 / k**2, color=ORANGE, label="bound 1 / k²")
        positive = data["probability"].where(data["probability"] > _MIN_PROBABILITY)
        left.plot(data["k"], positive, "o", color=BLUE, label="one observation, exact")
        left.set(yscale="log", xlabel="k standard deviations", ylabel="probability", title="One observation")
        left.legend()
    else:
        left.set_axis_off()
    n = data["n"]
    right.plot(n, np.minimum(data["bound"], 1.0), color=ORANGE, label="bound, mean log-likelihood")
    right.plot(n, data["frequency"].where(data["frequency"] > 0), "o", color=BLUE, label="simulated")
    if "exact" in data:
        exact = data["exact"].where(data["exact"] > _MIN_PROBABILITY)
        right.plot(n, exact, "s-", color=GREEN, label="exact, mean of the data")
    right.set(xscale="log", yscale="log", xlabel="observations n", ylabel="probability", title="The mean of n")
    right.set_ylim(_MIN_PROBABILITY, 2.0)
    right.legend(loc="lower left")


def _limit(data: xr.Dataset, left: Axes, right: Axes) -> None:
    n = data["n"]
    left.errorbar(n, data["excess"], yerr=2 * data["excess_error"], fmt="o", color=BLUE, label="simulated")
    left.plot(n, data["theory"], color=ORANGE, label="trace / 2n")
    left.set(
        xscale="log", yscale="log", xlabel="observations n", ylabel="nats per observation", title="Excess KL of the MLE"
    )
    left.legend()
    scaled = np.sort(data["scaled"].values)
    if len(scaled):
        right.step(scaled, np.arange(1, len(scaled) + 1) / len(scaled), color=BLUE, label=f"n = {data.attrs['last']}")
    right.plot(data["x"], data["limit_cdf"], color=ORANGE, label="half a weighted chi-squared")
    right.set(xlabel="n × excess KL", ylabel="cumulative probability", title="Distribution of n × excess KL")
    right.set_xlim(0, float(data["x"].max()))
    right.legend()


def _empirical(data: xr.Dataset, ax: Axes) -> None:
    ax.plot(data["theta"], data["objective"], color=BLUE)
    ax.axvline(data.attrs["mle"], color=GREEN, linestyle="--", label="maximum likelihood estimate")
    ax.set(xlabel=literal(data.attrs["parameter"]), ylabel="nats per observation", title=literal(data.attrs["what"]))


def _directions(data: xr.Dataset, left: Axes, right: Axes) -> None:
    left.fill_between(data["x"], data["truth"], color=BLUE, alpha=0.25, linewidth=0, label="truth")
    left.plot(data["x"], data["covering"], color=ORANGE, label="min KL(true ‖ normal): covers both")
    left.plot(data["x"], data["seeking"], color=GREEN, label="min KL(normal ‖ true): covers one")
    left.set(xlabel="y", ylabel="density", ylim=(0, 0.66))
    left.legend(loc="upper left")
    finite = np.isfinite(data["kl"].values)
    right.plot(data["shift"], data["wasserstein"], color=GREEN, label="Wasserstein")
    right.plot(data["shift"], data["jsd"], color=BLUE, label="Jensen-Shannon")
    right.plot(
        data["shift"].values[finite], data["kl"].values[finite], "o", color=ORANGE, label="KL (infinite after 0)"
    )
    right.axhline(np.log(2), color=BLUE, linestyle=":", linewidth=1)
    right.set(xlabel="shift of the second uniform", ylabel="nats, or distance", title="Two uniform densities")
    right.legend()


_FIGURES: dict[int, tuple[Callable[..., Any], int]] = {
    1: (_curves, 1),
    2: (_minimiser, 2),
    3: (_law, 1),
    4: (_chebyshev, 2),
    5: (_limit, 2),
    6: (_empirical, 1),
    7: (_directions, 2),
}
