"""Sensitivity of a posterior to power scaling of its prior and likelihood."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.diagnostics.findings import Finding, finding, some
from pp_mlekl.utils.shared_state import Shared

# Power-scaling sensitivity above which a posterior counts as sensitive (Kallioinen et al. 2024).
_SENSITIVE = 0.05
# Relative rounding error of log densities; smaller variation counts as none.
_ROUNDING = 1e-10


def prior_sensitivity(
    tree: xr.DataTree, var_names: list[str] | None, prior_var_names: list[str] | None, notes: list[Finding]
) -> pd.DataFrame:
    """ArviZ's power-scaling sensitivity to prior and likelihood; empty where it is unavailable, with the reason in ``notes``.

    Parameters
    ----------
    tree
        With ``posterior``; without ``log_likelihood`` and ``log_prior`` there is no sensitivity.
    var_names, prior_var_names
        The variables whose posterior is examined, and those whose priors are scaled; by default all.
    notes
        Findings are appended to this list.
    """
    import arviz as az

    if not {"log_likelihood", "log_prior"} <= set(tree.children) or prior_var_names == []:
        return no_sensitivity()
    if _is_flat(tree["log_prior"].to_dataset(), prior_var_names):
        text = "The prior is flat over the posterior's draws: scaling it changes nothing."
        notes.append(finding("ok", "prior", text))
        return no_sensitivity()
    try:
        with _WITHOUT_NOTES:
            table = az.psense_summary(tree, var_names=var_names, prior_var_names=prior_var_names)
    except ValueError as error:
        notes.append(finding("caution", "prior", f"The sensitivity to the prior is unavailable ({error})."))
        return no_sensitivity()
    prior, likelihood = table["prior"].astype(float), table["likelihood"].astype(float)
    against = table.index[(prior > _SENSITIVE) & (likelihood > _SENSITIVE)]
    strong = table.index[(prior > _SENSITIVE) & ~(likelihood > _SENSITIVE)]
    if len(against):
        text = (
            f"Possible prior-data conflict: the posterior of {some(against)} is sensitive to both prior and likelihood."
        )
        notes.append(finding("caution", "prior", text))
    if len(strong):
        text = f"The prior may dominate: the posterior of {some(strong)} is sensitive to the prior, but not to the likelihood."
        notes.append(finding("caution", "prior", text))
    if not len(against) and not len(strong):
        notes.append(finding("ok", "prior", "The posterior is not sensitive to the prior (power scaling)."))
    return table


@contextmanager
def _psense_disabled() -> Iterator[None]:
    logger = logging.getLogger("arviz_stats.psense")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


# ArviZ logs a pointer to its documentation; the findings report the result.
_WITHOUT_NOTES = Shared(_psense_disabled)


def no_sensitivity() -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame(columns=["prior", "likelihood", "diagnosis"])


def _is_flat(log_prior: xr.Dataset, names: list[str] | None) -> bool:
    """Whether the prior density is equal at all draws, up to rounding."""
    total: xr.DataArray | float = 0.0
    for name in names or log_prior.data_vars:
        term = log_prior[name]
        total = total + term.sum([d for d in term.dims if d not in ("chain", "draw")])
    return bool(np.ptp(np.asarray(total)) <= _ROUNDING * max(1.0, float(np.max(np.abs(total)))))
