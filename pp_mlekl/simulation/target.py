"""The parameter values that the estimates of a study are compared with."""

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pp_mlekl.estimation.asymptotics import Information
from pp_mlekl.pymc_model.model_transforms import arc_difference
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Pseudo-true values of some free variables.

    Parameters
    ----------
    variables
        Names of the variables.
    names, values, circular
        Label, value and whether it is an angle, of each of their elements, (m,).
    dataset
        The values on the variables' own dims.
    kl_min
        KL(true||model) at the values, mean over the model's rows; NaN where it is not known.
    information
        J and K for one observation; None where they are not known.
    """

    variables: tuple[str, ...]
    names: tuple[str, ...]
    values: Array
    circular: Array
    dataset: xr.Dataset
    kl_min: float
    information: Information | None

    def errors(self, estimates: Array) -> Array:
        """Estimates (..., m) minus the values; for angles, along the shorter arc."""
        return arc_difference(estimates, self.values, self.circular)

    def group(self) -> xr.Dataset:
        """The values, with the information where it is known, as a group of the result."""
        angles = [name for name in self.variables if self._is_angle(name)]
        found = self.dataset.assign_attrs(circular=json.dumps(angles))
        if self.information is None:
            return found
        return found.assign(
            kl_min=self.kl_min,
            trace=self.information.trace,
            eigenvalues=("direction", self.information.eigenvalues),
        )

    def _is_angle(self, name: str) -> bool:
        ends = np.cumsum([self.dataset[v].size for v in self.variables])
        place = self.variables.index(name)
        return bool(self.circular[ends[place] - 1])
