"""How far apart the MAPs on the two scales are, in words."""

import numpy as np
import pandas as pd

from pp_mlekl.compare.names import NO_NUMBER
from pp_mlekl.findings import Finding

# In posterior standard deviations: what differs by less is printed alike anyway.
SAME = 1e-4
# From here on the choice of the scale moves the estimate by more than the posterior's own spread.
_FAR = 1.0

_WHY = "A mode depends on the scale on which the density is taken; the MLE does not."


def scale_gaps(summary: pd.DataFrame) -> pd.Series:
    """MAP on the unconstrained less MAP on the natural scale, in posterior standard deviations; NaN where one is missing.

    Parameters
    ----------
    summary
        As ``Comparison.summary`` gives it: one row for each parameter.

    Examples
    --------
    >>> table = pd.DataFrame({"MAP": [1.0], "MAP_unconstrained": [1.5], "sd": [2.0]}, index=["sigma"])
    >>> scale_gaps(table).to_dict()
    {'sigma': 0.25}
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return (summary["MAP_unconstrained"] - summary["MAP"]) / summary["sd"]


def about_scales(summary: pd.DataFrame, statuses: dict[str, str]) -> Finding | None:
    """What to know of the two MAPs; None where neither exists.

    Parameters
    ----------
    summary
        As ``Comparison.summary`` gives it.
    statuses
        Of the point estimates.

    Examples
    --------
    >>> table = pd.DataFrame({"MAP": [1.0], "MAP_unconstrained": [1.5], "sd": [2.0]}, index=["sigma"])
    >>> about_scales(table, {"map": "converged", "map_unconstrained": "converged"}).text.partition(".")[2].partition(" (")[0]
    '25 posterior sd apart'
    """
    exists = {kind: statuses[kind] not in NO_NUMBER for kind in ("map", "map_unconstrained")}
    if not any(exists.values()):
        return None
    if not all(exists.values()):
        where = "natural" if exists["map"] else "unconstrained"
        return Finding(level="caution", topic="MAP and scale", text=f"A MAP exists on the {where} scale alone. {_WHY}")
    gaps = scale_gaps(summary).abs().dropna()
    largest = float(gaps.max()) if len(gaps) else 0.0
    if largest < SAME:
        text = "The MAP is the same on both scales, as it is where no parameter is bounded."
        return Finding(level="ok", topic="MAP and scale", text=text)
    name = gaps.idxmax()
    row = summary.loc[name]
    text = (
        f"The MAPs on the two scales lie up to {largest:.2g} posterior sd apart ({name}: {row['MAP']:.4g} natural, "
        f"{row['MAP_unconstrained']:.4g} unconstrained). {_WHY}"
    )
    return Finding(level="caution" if largest > _FAR else "ok", topic="MAP and scale", text=text)
