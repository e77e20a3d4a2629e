"""ArviZ's diagnostics of a sampled tree, read together."""

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

# Vehtari et al. (2021): R-hat below 1.01 and 100 effective draws a chain; Betancourt (2016): BFMI above 0.3.
_R_HAT, _ESS_A_CHAIN, _BFMI, _PARETO_K = 1.01, 100, 0.3, 0.7
_SENSITIVE = 0.05


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One observation about a result: ``level`` is ``"ok"``, ``"caution"`` or ``"problem"``."""

    level: str
    topic: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Diagnostics:
    """Tables and findings about one tree.

    Parameters
    ----------
    summary
        ArviZ's summary, a row for each element of each variable.
    loo
        ``elpd``, ``se``, ``p`` and the numbers of Pareto k-hat above 0.7, by observed variable; empty without a
        log-likelihood.
    sensitivity
        ArviZ's power-scaling sensitivity to prior and likelihood; empty where it cannot be had.
    findings
        What the numbers mean.
    """

    summary: pd.DataFrame
    loo: pd.DataFrame
    sensitivity: pd.DataFrame
    findings: tuple[Finding, ...]


def diagnose(tree: xr.DataTree, var_names: list[str] | None = None) -> Diagnostics:
    """Convergence, efficiency, leave-one-out and prior sensitivity of a sampled tree.

    Parameters
    ----------
    tree
        With ``posterior``, ``sample_stats``; ``log_likelihood`` and ``log_prior`` where they are to be used.
    var_names
        The variables that are judged; all of the posterior where None.
    """
    import arviz as az

    notes: list[Finding] = []
    with warnings.catch_warnings():
        # What ArviZ warns of is read from the numbers below and said once.
        warnings.simplefilter("ignore")
        summary = az.summary(tree, var_names=var_names, round_to="none")
        notes += _chains(tree, summary)
        loo = _loo(tree, notes)
        sensitivity = _sensitivity(tree, var_names, notes)
    return Diagnostics(summary=summary, loo=loo, sensitivity=sensitivity, findings=tuple(notes))


def _chains(tree: xr.DataTree, summary: pd.DataFrame) -> list[Finding]:
    found = []
    r_hat = summary["r_hat"].astype(float)
    worst = r_hat.max()
    if np.isfinite(worst) and worst > _R_HAT:
        names = _some(r_hat[r_hat > _R_HAT].index)
        found.append(_finding("problem", "convergence", f"R-hat is up to {worst:.3f} ({names}): the chains disagree."))
    else:
        found.append(_finding("ok", "convergence", f"The chains agree (largest R-hat {worst:.3f})."))
    size = np.minimum(summary["ess_bulk"].astype(float), summary["ess_tail"].astype(float))
    need = _ESS_A_CHAIN * tree["posterior"].sizes["chain"]
    level = "caution" if size.min() < need else "ok"
    text = f"The smallest effective sample size is {size.min():.0f} ({size.idxmin()}); {need} is the usual minimum."
    found.append(_finding(level, "efficiency", text))
    found += _hamiltonian(tree)
    return found


def _hamiltonian(tree: xr.DataTree) -> list[Finding]:
    import arviz as az

    found: list[Finding] = []
    if "sample_stats" not in tree.children:
        return found
    stats = tree["sample_stats"]
    if "diverging" in stats:
        count, total = int(stats["diverging"].sum()), int(stats["diverging"].size)
        if count:
            text = f"{count} of {total} transitions diverged: parts of the posterior may be missing; reparametrise."
            found.append(_finding("problem" if count > 0.001 * total else "caution", "divergences", text))
        else:
            found.append(_finding("ok", "divergences", "No transition diverged."))
    if "energy" in stats:
        fraction = float(np.min(az.bfmi(tree)["energy"].values))
        level = "caution" if fraction < _BFMI else "ok"
        text = (
            f"The energy fraction (BFMI) is {fraction:.2f} at the least; below {_BFMI} the tails are explored slowly."
        )
        found.append(_finding(level, "energy", text))
    return found


def _loo(tree: xr.DataTree, notes: list[Finding]) -> pd.DataFrame:
    import arviz as az

    columns = ["elpd", "se", "p", "bad_k", "n"]
    if "log_likelihood" not in tree.children:
        return pd.DataFrame(columns=columns)
    rows = {}
    for name, terms in tree["log_likelihood"].data_vars.items():
        n = int(terms.size / terms.sizes["chain"] / terms.sizes["draw"])
        if n < 2:
            notes.append(
                _finding("caution", "leave-one-out", f"{name} is one joint observation: nothing to leave out.")
            )
            continue
        result = az.loo(tree, var_name=name, pointwise=True)
        bad = int(np.sum(np.asarray(result.pareto_k) > _PARETO_K))
        rows[name] = [float(result.elpd), float(result.se), float(result.p), bad, n]
        if bad:
            text = f"{name}: {bad} of {n} Pareto k-hat exceed {_PARETO_K}, so LOO is unreliable there: rows the model does not expect."
            notes.append(_finding("caution", "leave-one-out", text))
        else:
            notes.append(_finding("ok", "leave-one-out", f"{name}: all {n} Pareto k-hat are below {_PARETO_K}."))
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _sensitivity(tree: xr.DataTree, var_names: list[str] | None, notes: list[Finding]) -> pd.DataFrame:
    import arviz as az

    if not {"log_likelihood", "log_prior"} <= set(tree.children):
        return pd.DataFrame(columns=["prior", "likelihood", "diagnosis"])
    # It logs where to read on; the findings say it.
    logger = logging.getLogger("arviz_stats.psense")
    before, logger.disabled = logger.disabled, True
    try:
        table = az.psense_summary(tree, var_names=var_names)
    finally:
        logger.disabled = before
    sensitive = table.index[table["prior"].astype(float) > _SENSITIVE]
    if len(sensitive):
        notes.append(_finding("caution", "prior", f"The posterior of {_some(sensitive)} reacts to the prior's scale."))
    else:
        notes.append(_finding("ok", "prior", "The posterior hardly reacts to scaling the prior."))
    return table


def _some(names: Any) -> str:
    names = list(names)
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(str(n) for n in names[:4]) + more


def _finding(level: str, topic: str, text: str) -> Finding:
    return Finding(level=level, topic=topic, text=text)
