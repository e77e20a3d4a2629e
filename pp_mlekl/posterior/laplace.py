"""The Laplace approximation: a normal at the mode, with the exact curvature."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import cloudpickle
import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.monte_carlo import RELIABLE_SHAPE, tail_shape
from pp_mlekl.divergences.special import LOG_2PI
from pp_mlekl.estimation.find_mle_map import find_map
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.optimize.solvers.difference_hessian import with_difference_hessian
from pp_mlekl.posterior.bridge.number_with_error import WithError, independent_mean, plain_mean
from pp_mlekl.posterior.bridge.proposals import NormalProposal
from pp_mlekl.posterior.draws_check import warnings_about_draws
from pp_mlekl.posterior.evidence_estimate import NoMode, evidence_over, log_prior_mass
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.typing import Array, Potentials, RandomSeed
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import check_count, check_memory, counted
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.display import Display, Displayed
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import pymc as pm


_KINDS = {"natural": "map", "unconstrained": "map_unconstrained"}
_DRAWS = 4000


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LaplaceApproximation(Displayed):
    """A normal approximation of a posterior, in the space of the unconstrained or of the natural parameters.

    Parameters
    ----------
    mean, covariance
        Mean and covariance of the coordinates ``names``: shapes (d,) and (d, d) for the unconstrained vector, or (m,) and
        (m, m) for the flat natural vector, whose covariance is singular for a simplex.
    names
        Labels of the coordinates.
    space
        ``"unconstrained"`` or ``"natural"``.
    tree
        ArviZ groups ``posterior`` (draws on the natural scale) and ``fit`` (mean and covariance).
    mode
        The mode, by ``find_map`` on the same scale.
    mode_covariance
        Inverse of the negative Hessian of the log density at the mode, with respect to the unconstrained vector, shape (d, d).
    warnings
        Reasons to doubt the approximation.
    """

    mean: Array
    covariance: Array
    names: tuple[str, ...]
    space: Literal["natural", "unconstrained"]
    tree: xr.DataTree
    functions: ModelFunctions
    mode: PointEstimate
    mode_covariance: Array
    warnings: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        # Only cloudpickle can store a PyMC model. The functions are rebuilt from it.
        kept = cloudpickle.dumps((self.functions.model, self.functions.potentials))
        return self.__dict__ | {"functions": kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        model, potentials = cloudpickle.loads(state["functions"])
        mode = replace(state["mode"], model=model)
        self.__dict__.update(state | {"functions": model_functions(model, potentials), "mode": mode})

    def summary(self) -> pd.DataFrame:
        """One row for each coordinate: mean and standard deviation of the normal."""
        columns = {"mean": self.mean, "sd": np.sqrt(np.diagonal(self.covariance))}
        return pd.DataFrame(columns, index=pd.Index(self.names, name="coordinate"))

    def _display(self) -> Display:
        return Display(
            title=f"Laplace approximation ({self.space} scale)",
            badge=self.mode.status,
            level="caution" if self.warnings else "good",
            warnings=self.warnings,
            table=self.summary(),
            details={"Mode": self.mode.summary()},
        )

    @checked_arguments
    def log_density(self, z: Array) -> Array:
        """Log density of the approximation as a density of the unconstrained parameters, at ``z`` (..., d), in nats."""
        size = len(self.mode.flat)
        if z.ndim == 0 or z.shape[-1] != size or z.dtype.kind not in "fiu":
            raise ValueError(f"z must be numbers of shape (..., {size}), got {z.dtype} of shape {z.shape}.")
        flat = z.reshape(-1, size)
        if self.space == "unconstrained":
            return self._normal().log_density(flat).reshape(z.shape[:-1])
        # In coordinates u with theta = theta(mode) + J u, log |du/dz| is the transform's log Jacobian minus that at the mode.
        natural = self.functions.natural_flat(flat) - self.mean
        u = natural @ np.linalg.pinv(self.functions.natural_jacobian(self.mode.flat)).T
        change = self.functions.log_jacobian(flat) - self.functions.log_jacobian(self.mode.flat)
        return (self._normal().log_density(self.mode.flat + u) + change).reshape(z.shape[:-1])

    @checked_arguments
    def sample(self, n: int, random_seed: RandomSeed = None) -> Array:
        """Unconstrained draws, shape (n, d); NaN where a draw of natural parameters lies outside their support."""
        check_count("n", n)
        check_memory(int(n) * len(self.mode.flat), f"{n} draws")
        z = self._normal().sample(n, generator_of(random_seed))
        if self.space == "unconstrained":
            return z
        natural = _natural_draws(self.functions, self.mode.flat, z)
        with np.errstate(all="ignore"):
            inside = self.functions.unconstrain(self.functions.split(natural))
        return np.where(np.all(np.isfinite(inside), axis=-1, keepdims=True), inside, np.nan)

    def log_normalizer(self) -> float:
        """Laplace's approximation of the log evidence, in nats."""
        _, log_determinant = np.linalg.slogdet(self.mode_covariance)
        height = float(self.functions.value(self.mode.flat, a=1.0, b=1.0))
        height -= log_prior_mass(self.functions).value
        return height + 0.5 * len(self.mode.flat) * LOG_2PI + 0.5 * float(log_determinant)

    @checked_arguments
    def importance_sampled(self, n: int = _DRAWS, random_seed: RandomSeed = None) -> Estimate:
        """Log evidence in nats by importance sampling from the approximation; a warning reports Pareto k above 0.7."""
        log_ratio = -self._log_ratio_at_own_draws(n, random_seed)
        highest = log_ratio.max()
        weights = np.exp(log_ratio - highest)
        error = float(weights.std(ddof=1) / weights.mean() / np.sqrt(n))
        shape = self._pareto_k(log_ratio)
        heavy = (
            (f"Importance sampling from it is unreliable (Pareto k = {shape:.2f}).",) if shape > RELIABLE_SHAPE else ()
        )
        mass = log_prior_mass(self.functions)
        value, error = float(logsumexp(log_ratio) - np.log(n)) - mass.value, float(np.hypot(error, mass.standard_error))
        return Estimate(value=value, mcse=error, method="importance sampling", direction="log Z", warnings=heavy)

    @checked_arguments
    def pareto_k(self, n: int = _DRAWS, random_seed: RandomSeed = None) -> float:
        """Pareto k of the importance ratios posterior / approximation; above 0.7 the approximation is poor."""
        return self._pareto_k(-self._log_ratio_at_own_draws(n, random_seed))

    @deprecated_arguments(renamed={"tree": "idata"})
    @checked_arguments
    def kl_from_posterior(self, idata: xr.DataTree, log_evidence: Estimate) -> Estimate:
        """KL(posterior||Laplace) in nats, from posterior draws and the log evidence."""
        z = unconstrained_draws(self.functions, idata)
        log_ratio = self.functions.value(z, a=1.0, b=1.0) - self.log_density(self.functions.wound(z, self.mode.flat))
        found = _shifted(
            log_ratio, -1.0, self._of_density(evidence_over(log_evidence, z)), log_evidence, "KL(posterior||Laplace)"
        )
        about_draws = (w for w in warnings_about_draws(self.functions, idata) if w not in found.warnings)
        return replace(found, warnings=(*found.warnings, *about_draws))

    @checked_arguments
    def kl_to_posterior(self, log_evidence: Estimate, n: int = _DRAWS, random_seed: RandomSeed = None) -> Estimate:
        """KL(Laplace||posterior) in nats, from draws of the approximation and the log evidence.

        ``inf`` where the normal has mass outside the parameters' support.
        """
        log_ratio = self._log_ratio_at_own_draws(n, random_seed)
        return _shifted(
            log_ratio, 1.0, self._of_density(evidence_over(log_evidence)), log_evidence, "KL(Laplace||posterior)"
        )

    def _of_density(self, log_z: WithError) -> WithError:
        """Log normaliser of the model's density, from a log evidence, which is relative to the normalised prior."""
        return log_z.plus(log_prior_mass(self.functions))

    def _log_ratio_at_own_draws(self, n: int, random_seed: RandomSeed) -> Array:
        """log(approximation / unnormalised posterior); inf where the posterior is 0."""
        z = self.sample(n, random_seed)
        inside = np.all(np.isfinite(z), axis=-1)
        result = np.full(n, np.inf)
        target = self.functions.value(z[inside], a=1.0, b=1.0)
        result[inside] = np.where(np.isfinite(target), self.log_density(z[inside]) - target, np.inf)
        return result

    def _pareto_k(self, log_ratio: Array) -> float:
        return tail_shape(np.exp(log_ratio - log_ratio.max()))

    def _normal(self) -> NormalProposal:
        return NormalProposal(mean=self.mode.flat, chol=np.linalg.cholesky(self.mode_covariance))


@deprecated_arguments(renamed={"mode": "estimate"}, positional=("model", "space"), types={"space": str})
@checked_arguments
def laplace(
    model: "pm.Model",
    estimate: PointEstimate | None = None,
    *,
    space: Literal["natural", "unconstrained"] = "unconstrained",
    draws: int = 1000,
    potentials: Potentials = None,
    random_seed: RandomSeed = None,
) -> LaplaceApproximation:
    """Normal approximation of the posterior at its mode, by default on the unconstrained scale, which has no bounds.

    Parameters
    ----------
    model
        A PyMC model.
    estimate
        The result of ``find_map(model, space=space)``; found if None.
    space
        The scale of the normal and of its mode: the unconstrained parameters (the Jacobian is part of the density), or the
        natural ones, where the normal may extend beyond the support.
    draws
        Number of draws in the ``posterior`` group of the result.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    random_seed
        Anything ``numpy.random.default_rng`` takes.

    Returns
    -------
    LaplaceApproximation

    Raises
    ------
    TypeError, ValueError
        Where ``space`` is neither of these, or the mode belongs to another model, does not exist or is not converged; the
        message gives its status.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 1)
    ...     y = pm.Normal("y", mu, 1, observed=[0.5, 1.5])
    >>> laplace(model).covariance.round(4)
    array([[0.3333]])
    """
    functions = model_functions(model, potentials)
    check_count("draws", draws)
    check_memory(int(draws) * functions.size, counted(draws, "draw"))
    generator = generator_of(random_seed)
    if estimate is None:
        estimate = find_map(model, space=space, random_seed=generator, potentials=potentials)
    check_belongs(functions, estimate)
    if estimate.kind != _KINDS[space] or "penalty" in estimate.settings:
        raise ValueError(
            f"A Laplace approximation on the {space} scale needs the mode on that scale, and the estimate is of kind "
            f"{estimate.kind!r}; pass find_map(model, space={space!r}), or no estimate."
        )
    if estimate.status != "converged":
        reason = estimate.warnings[0] if estimate.warnings else ""
        raise NoMode(f"A Laplace approximation needs a converged mode, but its status is {estimate.status!r}. {reason}")
    place = estimate.flat
    objective = Problem(functions=functions, kind=_KINDS[space]).objective
    if objective.derivatives < 2:
        objective = with_difference_hessian(objective)
    hessian = objective.hessian(place[None])[2][0]
    covariance = np.linalg.inv(-(hessian + hessian.T) / 2)
    z = NormalProposal(mean=place, chol=np.linalg.cholesky(covariance)).sample(draws, generator)
    shared: dict[str, Any] = {"space": space, "functions": functions, "mode": estimate, "mode_covariance": covariance}
    if space == "unconstrained":
        posterior = functions.natural(z[None])
        names = tuple(functions.unconstrained_names)
        tree = _as_tree(functions, posterior, place, covariance, names)
        return LaplaceApproximation(mean=place, covariance=covariance, names=names, tree=tree, **shared)
    natural = _natural_draws(functions, place, z)
    jacobian = functions.natural_jacobian(place)
    mean, covariance = functions.natural_flat(place), jacobian @ covariance @ jacobian.T
    names = tuple(functions.natural_names)
    tree = _as_tree(functions, functions.split(natural[None]), mean, covariance, names)
    warnings = _outside(functions, natural)
    return LaplaceApproximation(mean=mean, covariance=covariance, names=names, tree=tree, warnings=warnings, **shared)


def _natural_draws(functions: ModelFunctions, mode: Array, z: Array) -> Array:
    """Natural parameters by the transform linearised at the mode, for draws ``z`` (n, d)."""
    return functions.natural_flat(mode) + (z - mode) @ functions.natural_jacobian(mode).T


def _outside(functions: ModelFunctions, natural: Array) -> tuple[str, ...]:
    with np.errstate(all="ignore"):
        z = functions.unconstrain(functions.split(natural))
    share = float(np.mean(~np.all(np.isfinite(z), axis=-1)))
    return (f"{share:.1%} of the normal's draws lie outside the parameters' support.",) if share > 0 else ()


def _as_tree(
    functions: ModelFunctions,
    posterior: dict[str, Array],
    mean: Array,
    covariance: Array,
    names: tuple[str, ...],
) -> xr.DataTree:
    dataset = functions.to_dataset(posterior, ("chain", "draw"))
    fit = xr.Dataset(
        {"mean_vector": ("rows", mean), "covariance_matrix": (("rows", "columns"), covariance)},
        coords={"rows": list(names), "columns": list(names)},
    )
    coords = {"chain": [0], "draw": np.arange(dataset.sizes["draw"])}
    return xr.DataTree.from_dict({"posterior": dataset.assign_coords(coords), "fit": fit})


def _shifted(log_ratio: Array, sign: float, log_z: WithError, log_evidence: Estimate, direction: str) -> Estimate:
    """The mean of a log ratio at posterior draws (chain, draw) or at independent draws (n,), and log Z."""
    if not np.all(np.isfinite(log_ratio)):
        share = float(np.mean(~np.isfinite(log_ratio)))
        reason = f"The second density is 0 at {share:.2%} of the draws from the first, so the divergence is infinite."
        return Estimate(value=np.inf, mcse=0.0, method="Monte Carlo", direction=direction, warnings=(reason,))
    mean = plain_mean(log_ratio) if log_ratio.ndim == 2 else independent_mean(log_ratio)
    result = mean.plus(log_z, sign)
    shape = tail_shape(log_ratio.ravel())
    heavy = (f"The log ratio has a heavy tail (Pareto k = {shape:.2f}).",) if shape > RELIABLE_SHAPE else ()
    return Estimate(
        value=result.value,
        mcse=result.standard_error,
        method="Monte Carlo",
        direction=direction,
        warnings=(*heavy, *log_evidence.warnings),
    )
