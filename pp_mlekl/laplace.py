"""The Laplace approximation: a normal at the mode, with the exact curvature."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from pp_mlekl.bridge.chains import mean_and_error
from pp_mlekl.bridge.proposals import NormalProposal
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.divergences.monte_carlo import tail_shape
from pp_mlekl.point_estimates import find_map
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions

_UNRELIABLE = 0.7


@dataclass(frozen=True, kw_only=True, eq=False)
class LaplaceApproximation:
    """A normal approximation of a posterior, in the unconstrained space.

    Parameters
    ----------
    mean, covariance
        Shape (d,) and (d, d), in the model's unconstrained coordinates.
    names
        Labels of the coordinates.
    tree
        ArviZ groups ``posterior`` (draws brought back to the natural scale) and ``fit`` (mean and covariance).
    """

    mean: np.ndarray
    covariance: np.ndarray
    names: tuple[str, ...]
    tree: xr.DataTree
    functions: ModelFunctions

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Log density at unconstrained points (..., d), in nats."""
        return self._normal().log_density(z.reshape(-1, len(self.mean))).reshape(z.shape[:-1])

    def sample(self, n: int, random_seed: Any = None) -> np.ndarray:
        """Unconstrained draws, shape (n, d)."""
        return self._normal().sample(n, np.random.default_rng(random_seed))

    def kl_from_posterior(self, tree: xr.DataTree, log_evidence: Estimate) -> Estimate:
        """KL(posterior||Laplace) in nats, from posterior draws and the log evidence."""
        z = self.functions.unconstrain_draws(tree["posterior"].to_dataset())
        log_ratio = self.functions.value(z, a=1.0, b=1.0) - self.log_density(z)
        return _shifted(log_ratio, -1.0, log_evidence, "KL(posterior||Laplace)")

    def kl_to_posterior(self, log_evidence: Estimate, n: int = 4000, random_seed: Any = None) -> Estimate:
        """KL(Laplace||posterior) in nats, from draws of the approximation and the log evidence."""
        z = self.sample(n, random_seed)[None]
        log_ratio = self.log_density(z) - self.functions.value(z, a=1.0, b=1.0)
        return _shifted(log_ratio, 1.0, log_evidence, "KL(Laplace||posterior)")

    def _normal(self) -> NormalProposal:
        return NormalProposal(mean=self.mean, chol=np.linalg.cholesky(self.covariance))


def laplace(
    model: Any,
    space: Literal["natural", "unconstrained"] = "unconstrained",
    *,
    draws: int = 1000,
    random_seed: Any = None,
) -> LaplaceApproximation:
    """Normal approximation of the posterior at its mode.

    Parameters
    ----------
    model
        A PyMC model.
    space
        Whose mode: that of the density of the unconstrained parameters, or that of the natural ones. The normal
        lives in the unconstrained space either way, with the curvature of the density chosen.
    draws
        Draws in the ``posterior`` group of the result.
    random_seed
        Anything ``numpy.random.default_rng`` takes.

    Raises
    ------
    ValueError
        Where the mode does not exist or is not a proper maximum; the message gives its status.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 1)
    ...     y = pm.Normal("y", mu, 1, observed=[0.5, 1.5])
    >>> laplace(model).covariance.round(4)
    array([[0.3333]])
    """
    functions = model_functions(model)
    generator = np.random.default_rng(random_seed)
    estimate = find_map(model, space=space, random_seed=generator)
    if estimate.status != "converged":
        reason = estimate.warnings[0] if estimate.warnings else ""
        raise ValueError(f"The mode is no ground for a Laplace approximation: status {estimate.status!r}. {reason}")
    b = 1.0 if space == "unconstrained" else 0.0
    _, _, hessian = functions.value_gradient_hessian(estimate.flat, a=1.0, b=b)
    covariance = np.linalg.inv(-hessian)
    covariance = (covariance + covariance.T) / 2
    normal = NormalProposal(mean=estimate.flat, chol=np.linalg.cholesky(covariance))
    posterior = functions.dataset(normal.sample(draws, generator)[None], ("chain", "draw"))
    names = functions.unconstrained_names
    fit = xr.Dataset(
        {"mean_vector": ("rows", estimate.flat), "covariance_matrix": (("rows", "columns"), covariance)},
        coords={"rows": names, "columns": names},
    )
    tree = xr.DataTree.from_dict({"posterior": posterior.assign_coords(chain=[0], draw=np.arange(draws)), "fit": fit})
    return LaplaceApproximation(
        mean=estimate.flat, covariance=covariance, names=tuple(names), tree=tree, functions=functions
    )


def _shifted(log_ratio: np.ndarray, sign: float, log_evidence: Estimate, direction: str) -> Estimate:
    if not np.all(np.isfinite(log_ratio)):
        return Estimate(value=np.inf, mcse=0.0, method="Monte Carlo", direction=direction)
    value, error = mean_and_error(log_ratio)
    shape = tail_shape(log_ratio.ravel())
    heavy = (f"The log ratio has a heavy tail (k-hat {shape:.2f}).",) if shape > _UNRELIABLE else ()
    return Estimate(
        value=value + sign * float(log_evidence),
        mcse=float(np.hypot(error, float(log_evidence.mcse))),
        method="Monte Carlo",
        direction=direction,
        warnings=(*heavy, *log_evidence.warnings),
    )
