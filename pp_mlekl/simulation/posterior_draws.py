"""Posterior draws given each of many data sets: by Laplace with importance weights in one batch, or by NUTS one by one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.replicates import maximize_replicates
from pp_mlekl.pymc_model.draws.many_data_sets import ManyDataSets
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

DIAGNOSTICS = ("pareto_k", "rhat", "ess", "divergences")
"""Diagnostics of each data set's draws: Pareto k of the importance weights; largest R-hat, smallest ESS and divergences of NUTS."""

# Elements of the draws of one evaluation.
_CHUNK = 4_000_000
# Largest differences of log ratios, in nats, that are rounding errors.
ROUNDING = 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class PosteriorDraws:
    """Weighted draws for each data set.

    Parameters
    ----------
    z
        Unconstrained, (count, draws, d).
    weights
        They sum to 1 for each data set, (count, draws); 0 for padding.
    log_likelihood
        Log-likelihood of the data set at its draws, (count, draws), in nats.
    exists, status
        Whether there are draws, and the mode's index in ``STATUSES``, (count,).
    diagnostics
        By name, (count,).
    log_ratio
        Log of the posterior density (unnormalised) over the proposal at the draws, (count, draws); None for draws from the
        posterior itself.
    """

    z: Array
    weights: Array
    log_likelihood: Array
    exists: Array
    status: Array
    diagnostics: dict[str, Array]
    log_ratio: Array | None = None

    @property
    def effective_size(self) -> Array:
        """Effective number of draws given the weights (Kish), (count,)."""
        return 1 / np.sum(self.weights**2, axis=1)

    def ranks(self, drawn: Array, target: Array, generator: np.random.Generator) -> Array:
        """Ranks in (0, 1) of targets (count, m) among scalar functions of the draws, (count, draws, m).

        They are uniform if the draws come from the posterior. Ties are broken at random, and ranks are randomised between the
        values that a finite number of draws allows.
        """
        below = np.einsum("cs,csm->cm", self.weights, drawn < target[:, None])
        equal = np.einsum("cs,csm->cm", self.weights, drawn == target[:, None])
        size = self.effective_size[:, None]
        chance = generator.uniform(size=(2, *target.shape))
        ranks = ((below + chance[0] * equal) * size + chance[1]) / (size + 1)
        return np.where(self.exists[:, None] & np.isfinite(target), ranks, np.nan)


def log_likelihoods(functions: ModelFunctions, drawn: Replicates, z: Array) -> Array:
    """Log-likelihood of each data set at its own draws (count, draws, d), shape (count, draws), in nats."""
    return _at_draws(functions, drawn, z, 0.0)


def _at_draws(functions: ModelFunctions, drawn: Replicates, z: Array, prior: float) -> Array:
    count, draws = z.shape[:2]
    step = max(1, _CHUNK // (draws * drawn.weights[0].size))
    result = np.empty((count, draws))
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count))
        data, weights = drawn.of(rows)
        terms = functions.value(
            z[rows, :, None], weights=weights[:, None], data={n: v[:, None] for n, v in data.items()}
        )
        result[rows] = terms.sum(axis=-1)
    if prior:
        result += functions.log_prior(z) + functions.log_jacobian(z)
    return result


@dataclass(frozen=True, kw_only=True, eq=False)
class Modes:
    """The mode of each posterior on the unconstrained scale, (count, d), and a Cholesky factor of the covariance there."""

    z: Array
    root: Array
    exists: Array
    status: Array


def modes(functions: ModelFunctions, drawn: Replicates, starts: Array) -> Modes:
    """Posterior modes of all data sets, searched from ``starts`` (count, d) in one batch."""
    objective = Objective(size=functions.size, evaluate=drawn.evaluator(functions, a=1.0, b=1.0))
    ends = maximize_replicates(objective, starts)
    exists = ends.converged & np.isfinite(ends.hessian).all(axis=(1, 2))
    unfinished = np.where(np.isfinite(ends.value), STATUSES.index("unconverged"), STATUSES.index("not_finite"))
    status = np.where(exists, STATUSES.index("converged"), unfinished)
    root = np.broadcast_to(np.eye(functions.size), ends.hessian.shape).copy()
    root[exists] = np.linalg.cholesky(np.linalg.inv(-ends.hessian[exists]))
    return Modes(z=ends.z, root=root, exists=exists, status=status.astype(np.int8))


def laplace_draws(
    functions: ModelFunctions, drawn: Replicates, found: Modes, draws: int, generator: np.random.Generator
) -> tuple[PosteriorDraws, PosteriorDraws]:
    """Draws of the normal at each mode with equal weights, and the same with importance weights smoothed by PSIS."""
    noise = generator.normal(size=(drawn.count, draws, functions.size))
    z = found.z[:, None] + np.einsum("cij,csj->csi", found.root, noise)
    log_normal = (
        -0.5 * np.sum(noise**2, axis=-1) - np.log(np.diagonal(found.root, axis1=1, axis2=2)).sum(axis=1)[:, None]
    )
    log_normal -= 0.5 * functions.size * np.log(2 * np.pi)
    log_likelihood = _at_draws(functions, drawn, z, 0.0)
    log_ratio = log_likelihood + functions.log_prior(z) + functions.log_jacobian(z) - log_normal
    log_ratio = np.where(np.isfinite(log_ratio), log_ratio, -np.inf)
    smoothed, k = np.full(log_ratio.shape, -np.log(draws)), np.full(drawn.count, np.nan)
    psis: Any = array_stats.psislw
    # For a normal posterior, the ratios differ by rounding only, and there is no tail to smooth.
    alike = np.isfinite(log_ratio).all(axis=1) & (np.ptp(np.nan_to_num(log_ratio), axis=1) < ROUNDING)
    k[found.exists & alike] = -np.inf
    for place in np.flatnonzero(found.exists & np.isfinite(log_ratio).any(axis=1) & ~alike):
        # PSIS smooths the right tail of the ratios; ArviZ expects their negative, as for leave-one-out.
        smoothed[place], k[place] = psis(-log_ratio[place], r_eff=1.0, axis=-1)
    equal = np.full(log_ratio.shape, 1 / draws)
    shared = {"z": z, "log_likelihood": log_likelihood, "exists": found.exists, "status": found.status}
    normal = PosteriorDraws(weights=equal, diagnostics={}, **shared)
    weights = np.exp(smoothed)
    weights /= weights.sum(axis=1, keepdims=True)
    return normal, PosteriorDraws(weights=weights, diagnostics={"pareto_k": k}, log_ratio=log_ratio, **shared)


def nuts_draws(
    functions: ModelFunctions,
    drawn: Replicates,
    found: Modes,
    starts: Array,
    generator: np.random.Generator,
    *,
    draws: int,
    tune: int,
    chains: int,
) -> PosteriorDraws:
    """Draws by nutpie, thinned until nearly independent; chains start at the data set's mode, or at ``starts`` without one."""
    sampler: ManyDataSets = functions.kept("many data sets", lambda: ManyDataSets(functions))
    seeds = generator.integers(2**31, size=drawn.count)
    count, most = drawn.count, draws * chains
    z = np.zeros((count, most, functions.size))
    weights = np.zeros((count, most))
    names = ("rhat", "ess", "divergences")
    diagnostics = {name: np.full(count, np.nan) for name in names}
    for row in range(count):
        data, copies = drawn.of(np.array([row]))
        start = found.z[row] if found.exists[row] else starts[row]
        run = sampler.sample(
            copies[0],
            {n: v[0] for n, v in data.items()},
            start,
            draws=draws,
            tune=tune,
            chains=chains,
            seed=int(seeds[row]),
        )
        diagnostics["rhat"][row], diagnostics["ess"][row] = worst_of(run.z)
        diagnostics["divergences"][row] = run.divergences
        thinned = thinned_to(run.z, diagnostics["ess"][row])
        z[row, : len(thinned)], weights[row, : len(thinned)] = thinned, 1 / len(thinned)
        z[row, len(thinned) :] = thinned[0]
    return PosteriorDraws(
        z=z,
        weights=weights,
        log_likelihood=_at_draws(functions, drawn, z, 0.0),
        exists=np.ones(count, dtype=bool),
        status=found.status,
        diagnostics=diagnostics,
    )


def worst_of(z: Array) -> tuple[float, float]:
    """The largest R-hat and the smallest effective size of the coordinates of draws (chains, draws, d)."""
    statistics: Any = array_stats
    coordinates = [z[..., i] for i in range(z.shape[-1])]
    rhat = max(float(statistics.rhat(one, chain_axis=0, draw_axis=1)) for one in coordinates)
    return rhat, min(float(statistics.ess(one, chain_axis=0, draw_axis=1)) for one in coordinates)


def thinned_to(z: Array, size: float) -> Array:
    """Every k-th of the draws (chains, draws, d) of each chain, so that not many more than ``size`` are left, (m, d).

    The first draw of each chain alone where the size is not known.
    """
    step = max(1, int(np.ceil(z.shape[0] * z.shape[1] / np.nan_to_num(size, nan=1.0))))
    return z[:, ::step].reshape(-1, z.shape[-1])
