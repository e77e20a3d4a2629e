"""Step 6: for any finite data set the MLE minimises KL(empirical||model) exactly."""

import numpy as np
import xarray as xr

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.theorem.proof_result import Check, Step
from pp_mlekl.theorem.setting import Setting
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

_CLAIM = (
    "With the empirical distribution in place of the truth the statement is exact: maximising the likelihood of the "
    "data minimises KL(empirical||model), for every n."
)

_CONTINUOUS = (
    "The data are continuous, so KL(empirical||model) is infinite at every parameter. The term that depends on the "
    "parameter, the cross-entropy -log L / n, is finite, and the MLE minimises it."
)


def empirical(setting: Setting) -> Step:
    """Compare KL(empirical||model) with the log-likelihood of the model's own data."""
    functions = setting.functions
    title = "For the observed data the identity is exact"
    estimate = find_mle(functions.model, random_seed=1, potentials=functions.potentials)
    if estimate.status != "converged":
        note = f"The likelihood of the observed data has no regular maximum ({estimate.status}), so there is nothing to compare."
        return Step(number=6, title=title, claim=_CLAIM, checks=(), note=note)
    z = np.concatenate([estimate.flat[None], setting.curve, setting.cloud])
    minus = -functions.log_likelihood(z) / setting.rows
    discrete = all(p.discrete and p.event_ndim == 0 for p in setting.truth.distributions.values())
    checks, curve = _identity(setting, z, minus) if discrete else ([], minus)
    checks.append(_lowest(setting, curve, "KL" if discrete else "cross-entropy"))
    n = len(setting.curve)
    index = int(setting.pseudo_true.problem.natural_kept[0])
    data = xr.Dataset(
        {"objective": ("theta", curve[1 : n + 1])},
        coords={"theta": setting.curve_values},
        attrs={
            "parameter": setting.label,
            "mle": float(functions.natural_flat(estimate.flat)[index]),
            "what": "KL(empirical||model)" if discrete else "cross-entropy of the data, -log L / n",
        },
    )
    note = "" if discrete else _CONTINUOUS
    return Step(number=6, title=title, claim=_CLAIM, checks=tuple(checks), data=data, note=note)


def _identity(setting: Setting, z: Array, minus: Array) -> tuple[list[Check], Array]:
    """Compare KL by its definition with the log-likelihood; also return the KL."""
    kl, entropy = _empirical_kl(setting, z)
    finite = np.isfinite(kl) & np.isfinite(minus)
    gaps = np.where(finite, np.abs(kl - (minus - entropy)), 0.0)
    error = _rounding(setting, z, minus)
    worst = int(np.argmax(np.where(finite, gaps / error, -np.inf)))
    check = Check(
        what=f"KL(empirical||model) against -log L / n - H(empirical), worst of {counted(int(finite.sum()), 'parameter value')}",
        left=float(kl[worst]),
        right=float(minus[worst] - entropy),
        error=float(error[worst]),
        source="rounding of a sum over the data, and of 1 - p computed from p",
    )
    return [check], kl


def _lowest(setting: Setting, curve: Array, what: str) -> Check:
    return Check(
        what=f"{what} at the MLE against the smallest at {counted(len(curve) - 1, 'other parameter value')}",
        left=float(curve[0]),
        right=float(np.nanmin(curve[1:])),
        error=float(np.finfo(float).eps * (8 + setting.rows) * (1 + abs(curve[0]))),
        source="rounding of a sum over the data",
        bound=True,
    )


def _rounding(setting: Setting, z: Array, size: Array) -> Array:
    """Rounding of the mean of log probabilities; a probability computed as 1 - p has relative error eps / (1 - p)."""
    with np.errstate(over="ignore"):
        inverse = np.exp(-setting.functions.pointwise(z)).mean(axis=-1)
    return np.finfo(float).eps * ((8 + setting.rows) * (1 + np.abs(size)) + inverse)


def _empirical_kl(setting: Setting, z: Array) -> tuple[Array, float]:
    """KL(empirical||model) per observation by its definition, and the entropy of the empirical distribution.

    Identically distributed rows share one empirical distribution. Otherwise each row has one observation, and its
    empirical distribution is a point mass.
    """
    functions = setting.functions
    fitted = observed_distributions(functions, z)
    total, entropy = np.zeros(len(z)), 0.0
    for variable in functions.observed:
        rows = fitted[variable.name]
        if not setting.simulator.same_rows:
            total -= rows.log_density(variable.value.astype(float)).reshape(len(z), -1).sum(axis=1)
            continue
        values, counts = np.unique(variable.value, return_counts=True)
        share = counts / counts.sum()
        one = rows.select((slice(None), *([0] * len(variable.shape))))
        log_q = one.log_density(values.astype(float)[:, None])
        total += counts.sum() * np.sum(share[:, None] * (np.log(share)[:, None] - log_q), axis=0)
        entropy -= counts.sum() * float(np.sum(share * np.log(share)))
    return total / setting.rows, entropy / setting.rows
