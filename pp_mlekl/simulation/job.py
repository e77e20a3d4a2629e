"""The work on one batch of a study, and the model, truth and settings that all batches share."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import stats

from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedFit, expected_fit, information_at
from pp_mlekl.estimation.replicates.replicate_fits import STATUSES, ReplicateFits, excess_divergence, fit_replicates
from pp_mlekl.estimation.replicates.simulator import Replicates, Simulator
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.simulation.batches import Batch
from pp_mlekl.simulation.coverage import Coverage
from pp_mlekl.simulation.posterior_draws import DIAGNOSTICS, laplace_draws, modes, nuts_draws
from pp_mlekl.simulation.resampling import bootstrap_covers
from pp_mlekl.simulation.result_arrays import Column, Layout
from pp_mlekl.simulation.settings import FROM_DRAWS, Settings
from pp_mlekl.typing import Array, ModelBuilder, Potentials

if TYPE_CHECKING:
    import pymc as pm

_OWN_INTERVALS = ("estimated", "naive", "unconstrained")
# Numerical failures on a data set, as opposed to programming errors.
_NUMERICAL = (np.linalg.LinAlgError, FloatingPointError, ZeroDivisionError)

Fits = Callable[[Replicates, np.random.Generator], dict[str, Array]]


@dataclass(kw_only=True, eq=False)
class StudyJob:
    """The model, the truth and the settings; the functions are prepared once in each process, on first use."""

    build: "pm.Model | ModelBuilder"
    requested: Settings
    root: np.random.SeedSequence
    potentials: Potentials = None
    _prepared: tuple[ModelFunctions, ExpectedFit, Simulator] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def prepared(self) -> tuple[ModelFunctions, ExpectedFit, Simulator]:
        """The model's functions, the pseudo-true parameter and the simulator of data sets."""
        with self._lock:
            if self._prepared is None:
                self._prepared = self._prepare()
            return self._prepared

    def _prepare(self) -> tuple[ModelFunctions, ExpectedFit, Simulator]:
        functions = model_functions(self.build() if callable(self.build) else self.build, self.potentials)
        generator = np.random.default_rng(0)
        truth = as_truth(functions, self.requested.truth)
        one_by_one = "parametric_bootstrap" in self.requested.intervals
        resampled = self.requested.covariates == "resampled"
        simulator = Simulator(functions, truth, generator, one_by_one=one_by_one, resample_rows=resampled)
        pseudo_true = expected_fit(functions, truth, generator)
        if pseudo_true.information is None:
            raise ValueError(
                f"A study needs a regular pseudo-true parameter; under this truth its status is {pseudo_true.verdict.status!r}. "
                f"{' '.join([*pseudo_true.verdict.warnings, *pseudo_true.problem.warnings])}"
            )
        if resampled and pseudo_true.kl_at_kinks is None:
            problem = pseudo_true.problem
            # The mean scores of the rows, which may differ from 0 in a misspecified model, then add to the variance.
            information = information_at(functions, problem.nodes, pseudo_true.flat, problem.kept, random_rows=True)
            pseudo_true = replace(pseudo_true, information=information)
        return functions, pseudo_true, simulator

    def fingerprint(self) -> dict[str, Any]:
        """Numbers that identify the model and truth: parameter names, the log-likelihood at two points, a data set."""
        functions, pseudo_true, simulator = self.prepared()
        at = functions.log_likelihood(np.stack([functions.initial_point(), pseudo_true.flat]))
        drawn = simulator.draw(functions.n_observations, 1, np.random.default_rng(0))
        sums = [float(np.sum(part)) for part in (*drawn.data.values(), drawn.weights)]
        return {"parameters": functions.natural_names, "numbers": [*at.tolist(), *sums]}

    def prior_fingerprint(self) -> dict[str, Any]:
        """The log density of the prior at the same two points, on the scale of each kind of MAP."""
        functions, pseudo_true, _ = self.prepared()
        at = np.stack([functions.initial_point(), pseudo_true.flat])
        return {"numbers": [*functions.log_prior(at).tolist(), *functions.log_jacobian(at).tolist()]}

    def __getstate__(self) -> dict[str, Any]:
        # Compiled code and locks stay in their process.
        return self.__dict__ | {"_prepared": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_lock": threading.RLock()})

    def layout(self) -> Layout:
        """The variables of every batch's result."""
        functions, _, _ = self.prepared()
        one = functions.dataset(functions.initial_point())
        columns = {str(n): Column(dims=tuple(map(str, v.dims)), shape=v.shape) for n, v in one.data_vars.items()}
        if "kl" in self.requested.compute:
            columns["excess"] = Column(attrs={"unit": "nats"})
        columns["exists"] = Column(dtype="bool")
        meanings = {"flag_values": list(range(len(STATUSES))), "flag_meanings": " ".join(STATUSES)}
        columns["status"] = Column(dtype="int8", attrs=meanings)
        of_parameters = Column(dims=("parameter",), shape=(functions.natural_size,))
        columns |= {f"covers_{kind}": of_parameters for kind in self._intervals()}
        if self.requested.from_draws:
            columns |= dict.fromkeys(DIAGNOSTICS, Column())
        coords = one.drop_vars(list(one.data_vars)).assign_coords(parameter=functions.natural_names)
        return Layout(
            estimators=tuple(self.requested.estimators),
            sizes=tuple(int(s) for s in self.requested.sizes),
            replicates=self.requested.replicates,
            columns=columns,
            coords=coords,
        )

    def _intervals(self) -> tuple[str, ...]:
        if "coverage" not in self.requested.compute:
            return ()
        credible = ("credible",) if self.requested.from_draws else ()
        return ("sandwich", *_OWN_INTERVALS, *credible, *self.requested.intervals)

    def run(self, batch: Batch) -> dict[str, Array]:
        """Draw the data sets of a batch and fit them: arrays (estimators, count, *shape of the column)."""
        _, _, simulator = self.prepared()
        generator = batch.generator(self.root)
        drawn = simulator.draw(batch.size, batch.count, generator)
        return fitted_or_failed(self._fits, drawn, generator, self.layout())

    def _fits(self, drawn: Replicates, generator: np.random.Generator) -> dict[str, Array]:
        pieces = []
        for estimator in self.requested.estimators:
            one = self._from_draws if estimator in FROM_DRAWS else self._by_search
            pieces.append(one(drawn, estimator, generator))
        return {name: np.stack([piece[name] for piece in pieces]) for name in pieces[0]}

    def _by_search(self, drawn: Replicates, estimator: str, generator: np.random.Generator) -> dict[str, Array]:
        """Maxima of the likelihood or of the posterior density, and their intervals."""
        functions, pseudo_true, _ = self.prepared()
        with_kl = "kl" in self.requested.compute
        fits = fit_replicates(functions, drawn, pseudo_true, estimator, excess=with_kl)
        piece = functions.natural(fits.flat) | {"exists": fits.exists, "status": fits.status}
        piece |= {"excess": fits.excess} if with_kl else {}
        piece |= {name: np.full(drawn.count, np.nan) for name in DIAGNOSTICS if self.requested.from_draws}
        covers = self._covers(drawn, fits, estimator, generator)
        return piece | {f"covers_{kind}": holds for kind, holds in covers.items()}

    def _from_draws(self, drawn: Replicates, estimator: str, generator: np.random.Generator) -> dict[str, Array]:
        """Posterior means (mean directions of angles), and whether central credible intervals hold the pseudo-true parameter."""
        functions, pseudo_true, _ = self.prepared()
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
        covers = {kind: np.full(mean.shape, np.nan) for kind in self._intervals()}
        if "credible" in covers:
            off = functions.natural_difference(natural, functions.natural_flat(pseudo_true.flat))
            below = np.einsum("cs,csm->cm", post.weights, off < 0)
            inside = np.abs(below - 0.5) <= self.requested.ci_prob / 2
            covers["credible"] = np.where(exists[:, None], inside, np.nan)
        return piece | nothing | post.diagnostics | {f"covers_{kind}": holds for kind, holds in covers.items()}

    def _covers(
        self, drawn: Replicates, fits: ReplicateFits, estimator: str, generator: np.random.Generator
    ) -> Mapping[str, Array]:
        """Whether each interval holds the pseudo-true parameter; NaN where there is no interval."""
        kinds = self._intervals()
        functions, pseudo_true, _ = self.prepared()
        values = functions.natural_flat(fits.flat)
        inside = {kind: np.full(values.shape, np.nan) for kind in kinds}
        if not kinds:
            return inside
        prob = self.requested.ci_prob
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


def natural_sandwich(functions: ModelFunctions, pseudo_true: ExpectedFit, size: int) -> Array:
    """Covariance of the natural parameters' estimates from ``size`` observations, (m, m)."""
    jacobian = functions.natural_jacobian(pseudo_true.flat)[:, pseudo_true.problem.kept]
    return jacobian @ pseudo_true.information.sandwich(size) @ jacobian.T  # type: ignore[union-attr]


def of_pseudo_true(functions: ModelFunctions, pseudo_true: ExpectedFit) -> xr.Dataset:
    """The pseudo-true parameter and its information, as a group of the result."""
    information = pseudo_true.information
    assert information is not None
    return (
        functions.dataset(pseudo_true.flat)
        .assign(
            kl_min=pseudo_true.kl_min / functions.n_observations,
            trace=information.trace,
            eigenvalues=("direction", information.eigenvalues),
        )
        .assign_attrs(circular=json.dumps([v.name for v in functions.free if v.circular]))
    )
