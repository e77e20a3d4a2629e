"""How results are shown in a terminal and in a notebook: a headline, warnings, a table and details."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import ArrayLike

Level = Literal["good", "caution", "bad"]

# Text and background, with a contrast of at least 7 to 1 on light and on dark pages.
_COLOURS: dict[Level, tuple[str, str]] = {
    "good": ("#0b3d20", "#c9ecd5"),
    "caution": ("#4a3200", "#fbe6b3"),
    "bad": ("#5c0f0f", "#f9d2d2"),
}
_BADGE = Markup(
    '<span style="color: {}; background: {}; border-radius: 4px; padding: 1px 8px; font-size: 90%">{}</span>'
)
# Shown in a table in place of a missing number.
_MISSING = "–"


@dataclass(frozen=True, kw_only=True)
class Display:
    """The content of a result's text and HTML form.

    Parameters
    ----------
    title
        The name of the result.
    badge, level
        A short status beside the title, and the level that decides its colour.
    lines
        Further numbers, one line each.
    warnings
        Caveats, shown before the numbers.
    table
        The main numbers.
    details
        Further tables by title, folded in a notebook and left out in a terminal.
    float_format
        The format of numbers in tables.
    """

    title: str
    badge: str = ""
    level: Level = "good"
    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()
    table: pd.DataFrame | None = None
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    float_format: str = "{:.5g}"

    def text(self) -> str:
        """The text that a terminal shows."""
        headline = f"{self.title}: {self.badge}" if self.badge else self.title
        lines = [headline, *self.lines, *(f"! {w}" for w in self.warnings)]
        table = without_empty_columns(self.table)
        if table is not None:
            lines.append(table.to_string(float_format=self.float_format.format, na_rep=_MISSING))
        return "\n".join(lines)

    def html(self) -> str:
        """The HTML that a notebook shows; all text is escaped."""
        badge = _BADGE.format(*_COLOURS[self.level], self.badge) if self.badge else Markup("")
        parts = [Markup("<p><b>{}</b> {}</p>").format(self.title, badge)]
        if self.lines:
            parts.append(Markup("<p>{}</p>").format(Markup("<br>").join(self.lines)))
        if self.warnings:
            items = Markup("").join(Markup("<li>{}</li>").format(w) for w in self.warnings)
            parts.append(Markup("<ul>{}</ul>").format(items))
        if self.table is not None:
            parts.append(self._table(self.table))
        for title, table in self.details.items():
            parts.append(Markup("<details><summary>{}</summary>{}</details>").format(title, self._table(table)))
        return Markup("<div>{}</div>").format(Markup("").join(parts))

    def _table(self, table: pd.DataFrame) -> Markup:
        shown = without_empty_columns(table)
        if shown is None:
            return Markup("")
        # Pandas escapes its cells and labels.
        return Markup(shown.to_html(float_format=self.float_format.format, na_rep=_MISSING))


class Displayed:
    """Base class of results, which shows what ``_display`` returns; dataclasses that inherit it pass ``repr=False``."""

    def _display(self) -> Display:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self._display().text()

    def _repr_html_(self) -> str:
        return self._display().html()


def without_empty_columns(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """The table without columns that are missing in every row; None if no column is left. An empty table stays.

    Examples
    --------
    >>> list(without_empty_columns(pd.DataFrame({"a": [1.0, np.nan], "b": [np.nan, np.nan]})))
    ['a']
    """
    if table is None or not len(table):
        return table
    filled = table.dropna(axis="columns", how="all")
    return filled if len(filled.columns) else None


def number_table(columns: Mapping[str, ArrayLike], dims: Sequence[str] = ()) -> pd.DataFrame:
    """A table of numbers, or of arrays of one shape, with a row for each element.

    Examples
    --------
    >>> number_table({"value": [1.0, 2.0], "mcse": [0.1, 0.2]}, ["row"]).loc[1].tolist()
    [2.0, 0.2]
    """
    arrays = dict(zip(columns, np.broadcast_arrays(*columns.values()), strict=True))
    shape = next(iter(arrays.values())).shape
    table = pd.DataFrame({name: np.ravel(array) for name, array in arrays.items()})
    if shape:
        names: list[Any] = list(dims) or [f"dim_{i}" for i in range(len(shape))]
        table.index = pd.MultiIndex.from_product([range(n) for n in shape], names=names)
        if len(shape) == 1:
            table.index = pd.RangeIndex(shape[0], name=names[0])
    return table
