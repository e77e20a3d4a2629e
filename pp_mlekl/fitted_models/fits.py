"""The fits to be compared: plug-in distributions at a point, and predictive distributions over draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.pymc_model.draws.conditional import parents_of
from pp_mlekl.pymc_model.draws.match_posterior import matched_posterior, unconstrained_draws
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array, Potentials

PLUG_INS = ("mle", "map", "map_unconstrained", "posterior_mean")
PREDICTIVES = ("posterior_predictive", "laplace")

# Replaces a boundary value of 0 where the logarithm is taken.
_NEARLY_ZERO = 1e-320
# Largest absolute unconstrained value; exp(-800) underflows to 0.
_LARGEST = 800.0
LAPLACE_DRAWS = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """One fit: a point ``flat`` (d,), or ``draws`` (chain, draw, d) over which the predictive is averaged.

    Both are None if the estimate does not exist; ``status`` and ``warnings`` give the reason.
    """

    name: str
    flat: Array | None = None
    draws: Array | None = None
    status: str = "converged"
    warnings: tuple[str, ...] = field(default=())


def named_estimates(estimates: Any) -> dict[str, PointEstimate]:
    """Estimates by estimator name; raise TypeError for anything but a mapping."""
    if estimates is not None and not isinstance(estimates, Mapping):
        raise TypeError(
            "estimates must map names of estimators to estimates, such as {'mle': find_mle(model)}; got "
            f"{type(estimates).__name__}."
        )
    return dict(estimates or {})


def collect_fits(
    functions: ModelFunctions,
    estimators: Sequence[str],
    estimates: Mapping[str, PointEstimate],
    tree: xr.DataTree | None,
    potentials: Potentials,
    generator: np.random.Generator,
    new_groups: tuple[str, ...] = (),
) -> list[Fit]:
    """Collect the named fits; point estimates that are not in ``estimates`` are found.

    With new groups the maximum likelihood estimate is that of the marginal likelihood, which contains the hyperparameters.
    """
    result = []
    for name in estimators:
        if name in PREDICTIVES or name == "posterior_mean":
            result.append(_from_draws(functions, name, tree, potentials, generator))
            continue
        estimate = estimates.get(name)
        if estimate is None:
            seed = int(generator.integers(2**31))
            estimate = _find(functions, name, tree, potentials, seed, new_groups)
        check_belongs(functions, estimate)
        fit = _from_estimate(functions, name, estimate)
        marginal = estimate.laplace_error is not None
        result.append(fit if marginal else without_unknown_groups(functions, fit, new_groups))
    return result


def needs_posterior(estimators: Sequence[str]) -> bool:
    """Whether any of these fits needs posterior draws."""
    return any(name in ("posterior_predictive", "posterior_mean") for name in estimators)


def _find(
    functions: ModelFunctions,
    name: str,
    tree: xr.DataTree | None,
    potentials: Potentials,
    seed: int,
    new_groups: tuple[str, ...] = (),
) -> PointEstimate:
    if name == "mle" and new_groups:
        return find_mle(functions.model, random_seed=seed, potentials=potentials, marginalize=new_groups)
    if name == "mle":
        return find_mle(functions.model, random_seed=seed, potentials=potentials, idata=tree)
    space: Any = "unconstrained" if name == "map_unconstrained" else "natural"
    return find_map(functions.model, space=space, random_seed=seed, potentials=potentials, idata=tree)


def _from_estimate(functions: ModelFunctions, name: str, estimate: PointEstimate) -> Fit:
    if estimate.status == "converged":
        return Fit(name=name, flat=estimate.flat)
    if estimate.status == "boundary":
        flat = _at_boundary(functions, estimate)
        return Fit(
            name=name, flat=flat, status="boundary", warnings=(f"{name}: on the boundary of the parameter space.",)
        )
    warning = f"{name}: no estimate ({estimate.status.replace('_', ' ')}), so its divergence is unavailable."
    return Fit(name=name, status=estimate.status, warnings=(warning,))


def _at_boundary(functions: ModelFunctions, estimate: PointEstimate) -> Array:
    """An unconstrained vector whose natural values equal those of the boundary in double precision."""
    near = functions.natural(estimate.flat)
    values = {}
    for variable in functions.free:
        exact = estimate.values[variable.name].values
        exact = np.where(np.isnan(exact), near[variable.name], exact)
        values[variable.name] = np.where(exact == 0.0, _NEARLY_ZERO, exact)
    with np.errstate(all="ignore"):
        flat = functions.unconstrain(values)
    flat = np.where(np.isnan(flat), estimate.flat, np.clip(flat, -_LARGEST, _LARGEST))
    # Four times further in the same direction: exp(-736) is not yet 0.
    away = flat - estimate.flat
    return np.where(np.abs(away) > 1.0, flat + 4.0 * away, flat)


def _from_draws(
    functions: ModelFunctions,
    name: str,
    tree: xr.DataTree | None,
    potentials: Potentials,
    generator: np.random.Generator,
) -> Fit:
    if name == "laplace":
        return _laplace(functions, potentials, generator)
    if tree is None:
        raise ValueError("Posterior draws are missing; pass idata=..., or None to sample the model.")
    posterior = matched_posterior(functions, tree)
    if name == "posterior_mean":
        means = {v.name: posterior[v.name].mean(("chain", "draw")).values for v in functions.free}
        flat = functions.unconstrain(means)
        if not np.all(np.isfinite(flat)):
            return Fit(
                name=name,
                status="failed",
                warnings=("posterior_mean: lies outside the parameter space.",),
            )
        return Fit(name=name, flat=flat)
    draws = unconstrained_draws(functions, tree)
    finite = np.all(np.isfinite(draws))
    if not finite:
        return Fit(
            name=name,
            status="failed",
            warnings=(
                "posterior_predictive: some draws lie on the boundary of the parameter space, so its divergence is unavailable.",
            ),
        )
    return Fit(name=name, draws=draws)


def _laplace(functions: ModelFunctions, potentials: Potentials, generator: np.random.Generator) -> Fit:
    """The predictive of a normal approximation at the mode of the unconstrained density."""
    estimate = _find(functions, "map_unconstrained", None, potentials, int(generator.integers(2**31)))
    if estimate.status != "converged":
        return Fit(
            name="laplace",
            status=estimate.status,
            warnings=(
                f"laplace: there is no mode on the unconstrained scale ({estimate.status}), so its divergence is unavailable.",
            ),
        )
    draws = generator.multivariate_normal(
        estimate.flat, estimate.flat_covariance, size=(4, LAPLACE_DRAWS), method="cholesky"
    )
    return Fit(name="laplace", draws=draws)


def without_unknown_groups(functions: ModelFunctions, fit: Fit, new_groups: tuple[str, ...]) -> Fit:
    """The fit, or none if it does not determine the distribution of new groups.

    The joint likelihood of a centred model contains the group effects, but not their hyperparameters.
    """
    if not new_groups or fit.name != "mle" or fit.flat is None:
        return fit
    unknown = [n for n in parents_of(functions, new_groups) if not functions.in_likelihood[n]]
    if not unknown:
        return fit
    warning = (
        f"mle: the likelihood does not contain {', '.join(unknown)}, which new {', '.join(new_groups)} depend on; pass "
        f"find_mle(model, marginalize={list(new_groups)})."
    )
    return replace(fit, flat=None, status="not_identified", warnings=(*fit.warnings, warning))
