"""The one result type of every number that has an error bar."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """A number, or an array of them, with its Monte Carlo standard error.

    Parameters
    ----------
    value
        The estimate; a float, an array or (from the labelled layer) a DataArray. May be ``inf``.
    mcse
        Monte Carlo standard error of the same shape (one number given for an array holds for all its elements); 0 for a
        closed form, NaN where none can be had.
    method
        How it was reached, e.g. ``"closed form"``, ``"quadrature"``, ``"bridge sampling (normal)"``.
    direction
        What the number is, in the order that matters, e.g. ``"KL(P||Q)"``; empty where there is none.
    unit
        ``"nats"``, ``"bits"``, or the unit of the variable for a distance.
    warnings
        What to know before the number is believed; empty when there is nothing.
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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype, copy=copy)
