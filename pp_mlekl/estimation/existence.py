"""What is known of the existence of a maximum likelihood estimate."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Existence:
    """Whether the likelihood has a maximum in the parameters of its linear predictors, whatever its other parameters are.

    Parameters
    ----------
    exists
        Whether the supremum is attained.
    identified
        Whether the likelihood changes along every direction.
    rows
        Separated observations (k,): the places, in the flat log-likelihood, of terms that reach their supremum in the limit
        and say nothing of the limiting fit.
    partial_rows
        Observations of which some outcomes, not all but one, become impossible in the limit.
    directions
        (direction, parameter): a direction of recession along which every separated predictor diverges and no other
        changes; none where the maximum exists.
    constant
        (direction, parameter): directions along which the likelihood does not change at all.
    diverging
        (parameter,): -1 or 1 for what tends to minus or plus infinity, 0 for what has a finite limit, NaN for what is not
        identified in the limit.
    limit
        The limiting fit on the observations that are not separated; None where the maximum exists.
    """

    exists: bool
    identified: bool
    rows: Array
    partial_rows: Array
    directions: xr.DataArray
    constant: xr.DataArray
    diverging: xr.DataArray
    limit: LimitingFit | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class LimitingFit:
    """The maximum of the likelihood in the limit along its direction of recession (Geyer 2009).

    Parameters
    ----------
    values, standard_error
        On the model's dims; infinite for what diverges, NaN for what is not identified in the limit.
    log_likelihood
        The supremum, in nats.
    n_observations
        Number of terms that are not separated.
    n_parameters
        Number of directions that they determine.
    """

    values: xr.Dataset
    standard_error: xr.Dataset
    log_likelihood: float
    n_observations: int
    n_parameters: int
