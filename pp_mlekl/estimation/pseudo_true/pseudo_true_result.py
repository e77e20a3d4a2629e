"""The result of ``pseudo_true``: a point estimate without sampling error, and its asymptotic theory."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pp_mlekl.estimation.asymptotics import Information
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.display import Display


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PseudoTrue(PointEstimate):
    """The parameter that minimises KL(true||model), to which the MLE tends.

    A ``PointEstimate`` whose ``standard_error`` and ``covariance`` are the sandwich's: those of the MLE from as many
    observations as the model has, about ``values``, whether or not the model is right.

    Parameters
    ----------
    kl_min
        KL(true||model) at ``values``, mean over rows, in nats: no estimate of this model has a smaller one.
    kl_min_mcse
        Its Monte Carlo error; 0 where it was computed without sampling.
    entropy
        Entropy of the truth, mean over rows, in nats; NaN where the truth is only a sample.
    naive_standard_error
        From the inverse information; valid only where the model is right.
    J, K
        ``-E[Hessian]`` and ``E[score score']`` of one observation, natural scale, ``(parameter, parameter_)``.
    information
        The same on the unconstrained scale, with trace, rank, eigenvalues and the sandwich for any n.
    """

    kl_min: float
    kl_min_mcse: float
    entropy: float
    naive_standard_error: xr.Dataset
    J: xr.DataArray
    K: xr.DataArray
    information: Information | None

    @property
    def cross_entropy(self) -> float:
        """``E[-log q]`` at ``values``, mean over rows: entropy plus ``kl_min``."""
        return -self.log_likelihood / self.n_observations

    @property
    def trace(self) -> float:
        """``trace(J^-1 K)``: the number of parameters where the model is right."""
        return np.nan if self.information is None else self.information.trace

    def expected_excess(self, n: int) -> float:
        """``trace(J^-1 K) / 2n``: expected KL(true||MLE) of n observations above ``kl_min``, per observation."""
        return self.trace / (2 * n)

    def covariance_of(self, n: int) -> xr.DataArray:
        """Sandwich covariance of the MLE from ``n`` observations, natural scale, ``(parameter, parameter_)``."""
        return self.covariance * (self.n_observations / n)

    def sandwich(self) -> xr.Dataset:
        """Sandwich standard errors of the MLE from as many observations as the model has."""
        return self.standard_error

    def _display(self) -> Display:
        minimum = f"KL(true||model) at the minimum {self.kl_min:.6g} nats per observation"
        theory = f"trace(J^-1 K) {self.trace:.4g} for {counted(self.n_parameters, 'parameter')}"
        errors = f"{theory}; standard errors (sandwich) for n = {self.n_observations}"
        return self._shown("Pseudo-true parameter", [minimum, errors])
