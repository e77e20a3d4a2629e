"""The result of ``find_mle`` and ``find_map``."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from pp_mlekl.optimize.verdict import Audit


@dataclass(frozen=True, kw_only=True, eq=False)
class PointEstimate:
    """A point estimate with its uncertainty and a verdict on whether it can be believed.

    Parameters
    ----------
    kind
        ``"mle"``, ``"map"`` (mode of the density of the parameters themselves) or ``"map_unconstrained"`` (mode of
        the density of the unconstrained parameters).
    values
        The free variables on their natural scale, on the model's own dims and coords. NaN where there is no
        estimate, infinite where the estimate runs off.
    standard_error
        From the observed information by the delta method; NaN where there is none.
    covariance
        (parameter, parameter_) of the flat natural vector.
    log_likelihood, log_prior
        At the estimate, in nats.
    status
        ``converged``, ``boundary``, ``at_infinity``, ``unbounded``, ``not_identified``, ``multimodal`` or ``failed``.
    warnings
        What to know before the estimate is believed; empty for a regular one.
    audit
        Gradient norm, eigenvalues of the Hessian, rank, starts and how many agree, other modes.
    flat
        The unconstrained vector z (d,) of the estimate: always finite, so that a plug-in distribution can be had.
        Where the estimate lies at an edge it is a point very near to it; hyperparameters that the likelihood does
        not contain keep the model's initial value.
    flat_covariance
        Covariance of z, (d, d); NaN where there is none.
    n_observations
        Number of terms of the log-likelihood.
    n_parameters
        Number of parameters estimated, on the unconstrained scale.
    settings
        What the estimate was made with: versions, seed, number of starts.
    """

    kind: str
    values: xr.Dataset
    standard_error: xr.Dataset
    covariance: xr.DataArray
    log_likelihood: float
    log_prior: float
    status: str
    warnings: tuple[str, ...]
    audit: Audit
    flat: np.ndarray
    flat_covariance: np.ndarray
    n_observations: int
    n_parameters: int
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log L; NaN unless a maximum of the likelihood was found."""
        return self._criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log n - 2 log L; NaN unless a maximum of the likelihood was found."""
        return self._criterion(float(np.log(self.n_observations)))

    def _criterion(self, penalty: float) -> float:
        if self.kind != "mle" or self.status not in ("converged", "multimodal", "boundary"):
            return np.nan
        return penalty * self.n_parameters - 2.0 * self.log_likelihood

    def summary(self, prob: float = 0.95) -> pd.DataFrame:
        """One row for each parameter: estimate, standard error, z, p value (of being 0) and Wald interval.

        Parameters
        ----------
        prob
            Coverage of the intervals.

        Raises
        ------
        ValueError
            Where ``prob`` is not between 0 and 1.
        """
        if not 0.0 < prob < 1.0:
            raise ValueError(f"prob must lie between 0 and 1, got {prob}; 0.95 is usual.")
        estimate = _flat(self.values)
        error = _flat(self.standard_error)
        with np.errstate(all="ignore"):
            z = estimate / error
        half = stats.norm.ppf(0.5 + prob / 2) * error
        tail = f"{100 * (1 - prob) / 2:.3g}%"
        return pd.DataFrame(
            {
                "estimate": estimate,
                "se": error,
                "z": z,
                "p": 2 * stats.norm.sf(np.abs(z)),
                tail: estimate - half,
                f"{100 * (1 + prob) / 2:.3g}%": estimate + half,
            },
            index=pd.Index(self.covariance["parameter"].values, name="parameter"),
        )

    def __repr__(self) -> str:
        return "\n".join([*self._header(), self.summary().to_string(float_format="{:.5g}".format)])

    def _repr_html_(self) -> str:
        lines = "<br>".join(self._header())
        return f"<p>{lines}</p>{self.summary().to_html(float_format='{:.5g}'.format)}"

    def _header(self) -> list[str]:
        title = {"mle": "Maximum likelihood", "map": "MAP (natural scale)", "map_unconstrained": "MAP (unconstrained)"}
        numbers = f"log-likelihood {self.log_likelihood:.6g}, {self.n_observations} observations"
        if np.isfinite(self.aic):
            numbers += f", AIC {self.aic:.6g}, BIC {self.bic:.6g}"
        return [f"{title[self.kind]}: {self.status}", numbers, *(f"! {w}" for w in self.warnings)]


def _flat(dataset: xr.Dataset) -> np.ndarray:
    return np.concatenate([np.ravel(v.values) for v in dataset.data_vars.values()])
