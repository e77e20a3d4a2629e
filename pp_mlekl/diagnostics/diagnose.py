"""Findings from ArviZ's diagnostics of a sampled tree."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from pp_mlekl.diagnostics.calibration import about_calibration, are_vectors, uniformity
from pp_mlekl.diagnostics.findings import Finding, finding, not_judged, some
from pp_mlekl.diagnostics.predictive_checks import about_checks, no_checks, predictive_checks
from pp_mlekl.diagnostics.prior_sensitivity import no_sensitivity, prior_sensitivity
from pp_mlekl.diagnostics.sampled_loo import leave_one_out
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.p_values import holm
from pp_mlekl.utils.posterior_group import draws_within
from pp_mlekl.utils.shared_state import alone, silenced

# Vehtari et al. (2021): R-hat below 1.01 and 100 effective draws a chain; Betancourt (2016): BFMI above 0.3.
_R_HAT, _ESS_A_CHAIN, _BFMI = 1.01, 100, 0.3
# R-hat above which chains disagree however few the draws are, close to the older limit 1.1 of Gelman et al. (2013).
_R_HAT_APART = 1.05
_TOO_FEW = "needs more draws: there are so few draws that it is unavailable."


@dataclass(frozen=True, kw_only=True)
class Diagnostics:
    """Tables and findings about one tree.

    Parameters
    ----------
    summary
        ArviZ's summary, a row for each element of each variable.
    loo
        ``elpd``, ``se``, ``p``, the largest Pareto k, the limit for it at this number of draws, how many exceed it, the
        number of observations, and the p value of the test of LOO-PIT (adjusted for the number of observed variables, NaN if
        there is none), by observed variable; empty without a log-likelihood.
    checks
        Posterior predictive checks, as ``predictive_checks`` gives them.
    sensitivity
        ArviZ's power-scaling sensitivity to prior and likelihood; empty where it is unavailable.
    findings
        Interpretations of the numbers.
    """

    summary: pd.DataFrame
    loo: pd.DataFrame
    checks: pd.DataFrame = field(default_factory=no_checks)
    sensitivity: pd.DataFrame
    findings: tuple[Finding, ...]


def diagnose(
    tree: xr.DataTree,
    var_names: list[str] | None = None,
    prior_var_names: list[str] | None = None,
    ci_prob: float | None = None,
    categorical: Collection[str] = (),
) -> Diagnostics:
    """Convergence, efficiency, leave-one-out and prior sensitivity of a sampled tree.

    Parameters
    ----------
    tree
        With ``posterior`` and ``sample_stats``; ``log_likelihood`` and ``log_prior`` are used where they exist.
    var_names
        The variables that are diagnosed; by default all of the posterior.
    prior_var_names
        The variables whose priors are power-scaled; by default all. The distribution of a hierarchical model's group effects
        is part of the model, not a prior to vary.
    ci_prob
        Probability of the summary's intervals; ArviZ's default if None.
    categorical
        The observed variables whose values are categories.

    Returns
    -------
    Diagnostics

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> mu = xr.DataArray(np.random.default_rng(1).normal(size=(4, 500)), dims=("chain", "draw"))
    >>> found = diagnose(xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": mu})}))
    >>> [finding.level for finding in found.findings]
    ['ok', 'ok', 'ok']
    """
    import arviz as az

    notes: list[Finding] = []
    # ArviZ's warnings are silenced, since the findings report the same numbers.
    with alone(), silenced():
        summary = az.summary(tree, var_names=var_names, ci_prob=ci_prob, round_to="none")
        notes += _sampling(tree, summary)
        tree = _of_the_same_draws(tree)
        loo = _loo(tree, notes)
        checks = predictive_checks(tree, categorical)
        notes += about_checks(checks)
        if _sizes(summary).notna().any():
            sensitivity = prior_sensitivity(tree, var_names, prior_var_names, notes)
        else:
            sensitivity = no_sensitivity()
            notes.append(not_judged("prior", f"The sensitivity to the prior {_TOO_FEW}"))
    return Diagnostics(summary=summary, loo=loo, checks=checks, sensitivity=sensitivity, findings=tuple(notes))


def sampling_problems(idata: xr.DataTree, var_names: Sequence[str] | None = None) -> list[str]:
    """Why draws are unreliable: chains that disagree, divergent transitions; else empty.

    Parameters
    ----------
    idata
        With ``posterior``; divergent transitions are counted from ``sample_stats`` where it exists.
    var_names
        Variables whose R-hat is computed; by default all.
    """
    import arviz as az

    names = None if var_names is None else list(var_names)
    with alone(), silenced():
        table = az.summary(idata, var_names=names, kind="diagnostics", round_to="none")
        r_hat = table["r_hat"].astype(float)
        found = [_convergence(r_hat, idata["posterior"].sizes["chain"]), *_hamiltonian(idata)]
    return [f.text for f in found if f.level == "problem"]


def _sampling(tree: xr.DataTree, summary: pd.DataFrame) -> list[Finding]:
    return [
        _convergence(summary["r_hat"].astype(float), tree["posterior"].sizes["chain"]),
        _efficiency(tree, summary),
        _precision(summary),
        *_hamiltonian(tree),
    ]


def _convergence(r_hat: pd.Series, chains: int) -> Finding:
    worst = r_hat.max()
    if chains == 1:
        return not_judged("convergence", "R-hat needs several chains to compare; run four.")
    if not np.isfinite(worst):
        return not_judged("convergence", f"R-hat {_TOO_FEW}")
    if worst <= _R_HAT:
        return finding("ok", "convergence", f"The chains agree (largest R-hat {worst:.3f}).")
    level, text = (
        ("problem", "disagree") if worst > _R_HAT_APART else ("caution", "do not agree fully yet; take more draws")
    )
    return finding(
        level, "convergence", f"R-hat is up to {worst:.3f} ({some(r_hat[r_hat > _R_HAT].index)}): the chains {text}."
    )


def _sizes(summary: pd.DataFrame) -> pd.Series:
    """The smaller effective sample size of each element, of the bulk or the tails; NaN where there are too few draws."""
    return np.minimum(summary["ess_bulk"].astype(float), summary["ess_tail"].astype(float))


def _efficiency(tree: xr.DataTree, summary: pd.DataFrame) -> Finding:
    size = _sizes(summary)
    if not size.notna().any():
        return not_judged("efficiency", f"The effective sample size {_TOO_FEW}")
    need = _ESS_A_CHAIN * tree["posterior"].sizes["chain"]
    level = "caution" if size.min() < need else "ok"
    text = f"The smallest effective sample size is {size.min():.0f} ({size.idxmin()}); {need} is the usual minimum."
    return finding(level, "efficiency", text)


def _precision(summary: pd.DataFrame) -> Finding:
    share = summary["mcse_mean"].astype(float) / summary["sd"].astype(float)
    if not share.notna().any():
        return not_judged("precision", f"The Monte Carlo errors {_TOO_FEW}")
    text = f"The Monte Carlo error of a posterior mean is at most {share.max():.1%} of its standard deviation ({share.idxmax()})."
    return finding("ok" if share.max() < 0.1 else "caution", "precision", text)


def _hamiltonian(tree: xr.DataTree) -> list[Finding]:
    import arviz as az

    found: list[Finding] = []
    if "sample_stats" not in tree.children:
        return found
    stats = tree["sample_stats"]
    if "diverging" in stats:
        count, total = int(stats["diverging"].sum()), int(stats["diverging"].size)
        if count:
            text = f"{count:,} of {counted(total, 'transition')} diverged: parts of the posterior may be missing; reparametrise."
            found.append(finding("problem" if count > 0.001 * total else "caution", "divergences", text))
        else:
            found.append(finding("ok", "divergences", "No transition diverged."))
    if "energy" in stats:
        fraction = float(np.min(az.bfmi(tree)["energy"].values))
        level = "caution" if fraction < _BFMI else "ok"
        text = (
            f"The energy fraction (BFMI) is {fraction:.2f} at the least; below {_BFMI} the tails are explored slowly."
        )
        found.append(finding(level, "energy", text))
    return found


def _of_the_same_draws(tree: xr.DataTree) -> xr.DataTree:
    """The tree reduced to the draws whose log-likelihoods are stored."""
    if "log_likelihood" not in tree.children:
        return tree
    posterior = tree["posterior"].to_dataset()
    kept = draws_within(posterior, tree["log_likelihood"].to_dataset())
    if len(kept) == posterior.sizes["draw"]:
        return tree
    result = tree.copy()
    for name in {"posterior", "log_prior", "sample_stats"} & set(tree.children):
        result[name] = xr.DataTree(tree[name].to_dataset().isel(draw=kept))
    return result


def _loo(tree: xr.DataTree, notes: list[Finding]) -> pd.DataFrame:
    columns = ["elpd", "se", "p", "largest_k", "limit_k", "bad_k", "n", "p_uniform"]
    rows = {}
    observed = tree["log_likelihood"].data_vars if "log_likelihood" in tree.children else {}
    for name, terms in observed.items():
        n = int(terms.size / terms.sizes["chain"] / terms.sizes["draw"])
        if n < 2:
            text = f"{name} is one joint observation: nothing can be left out, so there is no calibration either."
            notes.append(finding("caution", "leave-one-out", text))
            continue
        row = _loo_of(tree, str(name), n, notes)
        if row is not None:
            rows[name] = row
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table["p_uniform"] = holm(table["p_uniform"].to_numpy(dtype=np.float64))
    notes += [f for name, p in table["p_uniform"].items() for f in about_calibration(str(name), float(p))]
    return table


def _loo_of(tree: xr.DataTree, name: str, n: int, notes: list[Finding]) -> list[float] | None:
    try:
        found = leave_one_out(tree, name)
    except ValueError as error:
        # Pareto smoothing refuses weights without a tail, as of a constant likelihood.
        notes.append(finding("caution", "leave-one-out", f"{name}: unavailable ({error})."))
        return None
    k, elpd, se, p = np.asarray(found.pointwise.pareto_k), found.elpd, found.se, found.p
    limit, repaired = float(found.pointwise.good_k), 0
    if "loo" in tree.children and name in tree["loo"].children:
        stored = tree[f"loo/{name}"].to_dataset()
        k, terms, repaired = stored["pareto_k"].values, stored["elpd_i"].values, int(stored.attrs["repaired"])
        elpd, se = float(terms.sum()), float(np.sqrt(n * terms.var()))
        p = found.p + found.elpd - elpd
    bad = int(np.sum(~(k <= limit)))
    after = f" after moment matching of {counted(repaired, 'influential observation')}" if repaired else ""
    if bad:
        text = f"{bad} of {k.size} Pareto k exceed {limit:.2g}{after}: influential observations, for which LOO is unreliable."
    else:
        text = f"all {k.size} Pareto k are below {limit:.2g}{after}."
    if k.size < n:
        text += (
            f" Only a random sample of {k.size:,} of {counted(n, 'observation')} was left out, which adds a sampling error of "
            f"{found.sampling_error:.2g} nats to the elpd."
        )
    if are_vectors(found.tree, name, found.pointwise):
        text += " Its observations are vectors, for which there is no calibration."
    notes.append(finding("caution" if bad else "ok", "leave-one-out", f"{name}: {text}"))
    return [
        elpd,
        se,
        p,
        float(np.max(k)),
        limit,
        bad,
        n,
        uniformity(found.tree, name, found.pointwise),
    ]
