"""The result type of every number with an error bar."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pp_mlekl.typing import Array
from pp_mlekl.utils.display import Display, Displayed, number_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Estimate(Displayed):
    """A number, or an array of them, with its Monte Carlo standard error.

    Parameters
    ----------
    value
        The estimate; a float, an array or (from the labelled layer) a DataArray. May be ``inf``.
    mcse
        Monte Carlo standard error of the same shape (one number given for an array holds for all its elements); 0 for a
        closed form, NaN where no error is available.
    method
        How it was computed, e.g. ``"closed form"``, ``"quadrature"``, ``"bridge sampling (normal)"``.
    direction
        The quantity and its direction, e.g. ``"KL(P||Q)"``; empty where there is none.
    unit
        ``"nats"``, ``"bits"``, or the unit of the variable for a distance.
    warnings
        Reasons to doubt the number; empty where there are none.
    """

    value: Any
    mcse: Any = 0.0
    method: str
    direction: str = ""
    unit: str = "nats"
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if isinstance(self.value, np.ndarray) and self.value.ndim and np.ndim(self.mcse) == 0:
            object.__setattr__(self, "mcse", np.full(self.value.shape, self.mcse, dtype=np.float64))

    def __float__(self) -> float:
        return float(np.asarray(self.value))

    def summary(self) -> "pd.DataFrame":
        """One row for each element: value and standard error."""
        # A DataArray has dims.
        dims = [str(dim) for dim in getattr(self.value, "dims", ())]
        return number_table({"value": np.asarray(self.value), "mcse": np.asarray(self.mcse)}, dims)

    def _display(self) -> Display:
        name = self.direction or "estimate"
        how = f"{self.unit}, {self.method}" if self.method else self.unit
        if np.ndim(self.value):
            return Display(title=f"{name} ({how})", warnings=self.warnings, table=self.summary())
        error = f" ± {float(self.mcse):.2g}" if float(self.mcse) != 0 else ""
        return Display(title=f"{name} = {float(self):.6g}{error} ({how})", warnings=self.warnings)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype, copy=copy)
