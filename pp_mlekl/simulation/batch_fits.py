"""The fits of one batch of data sets: estimates, their divergence from the truth, and whether their intervals hold it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedPoint
from pp_mlekl.estimation.replicates.replicate_fits import STATUSES, ReplicateFits, excess_divergence, fit_replicates
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.simulation.coverage import Coverage
from pp_mlekl.simulation.posterior_draws import DIAGNOSTICS, laplace_draws, modes, nuts_draws
from pp_mlekl.simulation.resampling import bootstrap_covers
from pp_mlekl.simulation.result_arrays import COVERS, Column, Layout
from pp_mlekl.simulation.settings import FROM_DRAWS, Settings
from pp_mlekl.typing import Array

# Numerical failures on a data set, as opposed to programming errors.
_NUMERICAL = (np.linalg.LinAlgError, FloatingPointError, ZeroDivisionError)

Fits = Callable[[Replicates, np.random.Generator], dict[str, Array]]


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchFits:
    """Fits all data sets of a batch by all estimators.

    Parameters
    ----------
    functions, pseudo_true
        The model's functions, and the parameter that the intervals should contain.
    requested
        The settings.
    columns
        The variables of the result, which may be about some of the parameters only.
    """

    functions: ModelFunctions
    pseudo_true: ExpectedPoint
    requested: Settings
    columns: Mapping[str, Column]

    def __call__(self, drawn: Replicates, generator: np.random.Generator) -> dict[str, Array]:
        """Arrays (estimators, count, *shape of the column)."""
        pieces = []
        for estimator in self.requested.estimators:
            one = self._from_draws if estimator in FROM_DRAWS else self._by_search
            pieces.append(one(drawn, estimator, generator))
        found = {name: np.stack([piece[name] for piece in pieces]) for name in self.columns}
        places = [np.arange(v.natural.start, v.natural.stop) for v in self.functions.free if v.name in self.columns]
        reported = np.concatenate(places)
        return {name: array[..., reported] if name.startswith(COVERS) else array for name, array in found.items()}

    def _by_search(self, drawn: Replicates, estimator: str, generator: np.random.Generator) -> dict[str, Array]:
        """Maxima of the likelihood or of the posterior density, and their intervals."""
        functions, pseudo_true = self.functions, self.pseudo_true
        with_kl = "kl" in self.requested.compute
        fits = fit_replicates(functions, drawn, pseudo_true, estimator, excess=with_kl)
        estimates = functions.natural_flat(fits.flat)
        if estimator == "mle":
            # The likelihood does not contain them.
            estimates[:, pseudo_true.problem.natural_missing] = np.nan
        piece = functions.split(estimates) | {"exists": fits.exists, "status": fits.status}
        piece |= {"excess": fits.excess} if with_kl else {}
        piece |= {name: np.full(drawn.count, np.nan) for name in DIAGNOSTICS if self.requested.from_draws}
        covers = self._covers(drawn, fits, estimator, generator)
        return piece | {f"{COVERS}{kind}": holds for kind, holds in covers.items()}

    def _from_draws(self, drawn: Replicates, estimator: str, generator: np.random.Generator) -> dict[str, Array]:
        """Posterior means (mean directions of angles), and whether central credible intervals hold the pseudo-true parameter."""
        functions, pseudo_true = self.functions, self.pseudo_true
        starts = np.repeat(pseudo_true.flat[None], drawn.count, axis=0)
        found = modes(functions, drawn, starts)
        if estimator == "laplace":
            _, post = laplace_draws(functions, drawn, found, self.requested.draws, generator)
        else:
            run = {"draws": self.requested.draws, "tune": self.requested.tune, "chains": self.requested.chains}
            post = nuts_draws(functions, drawn, found, starts, generator, **run)
        natural = functions.natural_flat(post.z)
        mean = np.einsum("cs,csm->cm", post.weights, natural)
        direction = np.angle(
            np.einsum("cs,csm->cm", post.weights, np.exp(1j * np.where(functions.circular, natural, 0.0)))
        )
        mean = np.where(functions.circular, direction, mean)
        flat = functions.unconstrain(functions.split(mean))
        exists = post.exists & np.isfinite(flat).all(axis=1)
        piece: dict[str, Array] = functions.split(mean) | {"exists": exists, "status": post.status}
        if "kl" in self.requested.compute:
            piece["excess"] = excess_divergence(functions, pseudo_true, flat, exists)
        nothing = {name: np.full(drawn.count, np.nan) for name in DIAGNOSTICS}
        covers = {kind: np.full(mean.shape, np.nan) for kind in self.requested.interval_kinds}
        if "credible" in covers:
            off = functions.natural_difference(natural, functions.natural_flat(pseudo_true.flat))
            below = np.einsum("cs,csm->cm", post.weights, off < 0)
            inside = np.abs(below - 0.5) <= self.requested.ci_prob / 2
            covers["credible"] = np.where(exists[:, None], inside, np.nan)
        return piece | nothing | post.diagnostics | {f"{COVERS}{kind}": holds for kind, holds in covers.items()}

    def _covers(
        self, drawn: Replicates, fits: ReplicateFits, estimator: str, generator: np.random.Generator
    ) -> Mapping[str, Array]:
        """Whether each interval holds the pseudo-true parameter; NaN where there is no interval."""
        kinds = self.requested.interval_kinds
        functions, pseudo_true = self.functions, self.pseudo_true
        values = functions.natural_flat(fits.flat)
        inside = {kind: np.full(values.shape, np.nan) for kind in kinds}
        if not kinds:
            return inside
        prob = self.requested.ci_prob
        if "sandwich" in kinds:
            half = np.sqrt(np.diagonal(natural_sandwich(functions, pseudo_true, drawn.size)))
            off = np.abs(functions.natural_difference(values, functions.natural_flat(pseudo_true.flat)))
            inside["sandwich"] = np.where(half > 0, off <= half * stats.norm.ppf(0.5 + prob / 2), np.nan)
        if estimator != "mle" or not fits.exists.any():
            return inside
        coverage = Coverage(functions=functions, replicates=drawn, fits=fits, pseudo_true=pseudo_true, prob=prob)
        if pseudo_true.kl_at_kinks is None:
            inside |= {"estimated": coverage.sandwich(), **coverage.wald()}
        for name in self.requested.intervals:
            if name == "profile":
                inside[name] = coverage.profile()
            else:
                kind: Any = name.removesuffix("_bootstrap")
                inside[name] = bootstrap_covers(coverage, kind, self.requested.resamples, generator)
        return inside


def fitted_or_failed(fits: Fits, drawn: Replicates, generator: np.random.Generator, layout: Layout) -> dict[str, Array]:
    """The fits of all data sets; data sets for which linear algebra fails are isolated by halving and get status ``failed``."""
    try:
        return fits(drawn, generator)
    except _NUMERICAL:
        if drawn.count == 1:
            return _failed(layout)
    middle = drawn.count // 2
    halves = [np.arange(middle), np.arange(middle, drawn.count)]
    parts = [fitted_or_failed(fits, drawn.part(rows), generator, layout) for rows in halves]
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


def _failed(layout: Layout) -> dict[str, Array]:
    estimators = len(layout.estimators)
    nothing = {n: np.full((estimators, 1, *c.shape), c.fill, dtype=c.dtype) for n, c in layout.columns.items()}
    nothing["status"][:] = STATUSES.index("failed")
    if "excess" in nothing:
        nothing["excess"][:] = np.inf
    return nothing


def natural_sandwich(functions: ModelFunctions, pseudo_true: ExpectedPoint, size: int) -> Array:
    """Covariance of the natural parameters' estimates from ``size`` observations, (m, m)."""
    jacobian = functions.natural_jacobian(pseudo_true.flat)[:, pseudo_true.problem.kept]
    return jacobian @ pseudo_true.information.sandwich(size) @ jacobian.T  # type: ignore[union-attr]
