"""Pictures of several models side by side."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from pp_mlekl.report.elements import literal

# 95% of a normal lies so many standard errors about its mean.
_WIDTH = 1.96
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def models(comparison: Any) -> Figure:
    """Log evidence and leave-one-out of each model with 95% intervals, the best evidence on top."""
    table = comparison.summary()
    places = np.arange(len(table))[::-1]
    panels = (("log evidence", "log_evidence", "log_evidence_mcse"), ("elpd (LOO)", "elpd_loo", "elpd_loo_se"))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.0, 1.2 + 0.35 * len(table)), layout="constrained")
        for axis, (title, value, error) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
            axis.errorbar(table[value], places, xerr=_WIDTH * table[error], fmt="o", color="#3b5b92", capsize=3)
            axis.set(title=title, xlabel="nats")
            axis.set_yticks(places, [literal(str(name)) for name in table.index])
            axis.set_ylim(-0.5, len(table) - 0.5)
    return figure
