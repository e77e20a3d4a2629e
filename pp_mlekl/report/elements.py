"""The single elements of variables, and which of them a picture has room for."""

import numpy as np
import xarray as xr
from scipy import stats

# More panels than this are small print.
MOST_PANELS = 12
_MOST_IN_PAIRS = 4


def elements(draws: xr.Dataset) -> dict[str, xr.DataArray]:
    """Every element of every variable as an array of its own over chain and draw, named as in the tables."""
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


def literal(name: str) -> str:
    """A name as matplotlib prints it: no formula, even where it has two dollar signs."""
    return name.replace("$", r"\$")


def shown_elements(draws: xr.Dataset) -> xr.Dataset:
    """As many elements as a picture has room for, the first of each variable before the second of any, in their order."""
    by_variable = [list(elements(draws[[name]])) for name in draws.data_vars]
    rounds = max(len(names) for names in by_variable)
    turns = [names[turn] for turn in range(rounds) for names in by_variable if turn < len(names)]
    chosen = set(turns[:MOST_PANELS])
    return xr.Dataset({name: one for name, one in elements(draws).items() if name in chosen})


def most_dependent(found: dict[str, xr.DataArray]) -> list[str]:
    """The elements of the pairs with the strongest rank correlation, of the values or of their distance from the median.

    The distance shows a funnel, where one parameter sets the other's spread and not its place.
    """
    names = list(found)
    values = np.stack([found[n].values.ravel() for n in names])
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
