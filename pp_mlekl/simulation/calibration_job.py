"""One batch of a calibration: parameters from the prior, data sets, and the ranks of the parameters in each posterior."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import stats
from scipy.special import logsumexp

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.estimation.replicates.simulator import Replicates, rows_drawn
from pp_mlekl.inputs.truth import truth_at
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.replicates import maximize_replicates
from pp_mlekl.optimize.sandwich import one_to_one
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions, unknown_families
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.simulation.batches import Batch
from pp_mlekl.simulation.own_data import OwnData, Simulate
from pp_mlekl.simulation.posterior_draws import (
    DIAGNOSTICS,
    ROUNDING,
    Modes,
    PosteriorDraws,
    laplace_draws,
    log_likelihoods,
    modes,
    nuts_draws,
)
from pp_mlekl.simulation.prepared_job import PreparedJob, built
from pp_mlekl.simulation.result_arrays import STATUS, Column, Layout
from pp_mlekl.typing import Array, ModelBuilder, Potentials

if TYPE_CHECKING:
    import pymc as pm

METHODS = ("posterior", "laplace", "laplace_corrected", "mle")
OWN = "own"
ERROR_BARS = ("log_evidence", "information_gain")
LOG_LIKELIHOOD = "log_likelihood"
_MOST_ROUNDS = 20

Sampler = Callable[[dict[str, Array], np.random.Generator], Mapping[str, Array]]
"""From data sets' arrays by observed variable to draws (draws, *shape) by free variable."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Functions:
    """The functions of the fitted model and of the model that generates parameters, and a user's data sets where there are some."""

    fitted: ModelFunctions
    source: ModelFunctions
    own_data: OwnData | None = None


@dataclass(kw_only=True, eq=False)
class CalibrationJob(PreparedJob[Functions]):
    """The fitted model, the model that generates the data, and the settings of the posteriors.

    Parameters
    ----------
    build, truth, potentials
        The fitted model, the model that generates parameters and data, and what potentials count as in both.
    methods, draws, tune, chains, draw_posterior, simulate, covariates
        As for ``calibrate``.
    simulations, root
        The number of data sets and the root of the batches' seeds.
    idata
        Posterior draws from which parameters are taken instead of the prior; the model's own data are then fitted together
        with the simulated ones (posterior SBC).
    """

    build: "pm.Model | ModelBuilder"
    truth: "pm.Model | ModelBuilder | None"
    methods: Sequence[str]
    simulations: int
    draws: int
    tune: int
    chains: int
    root: np.random.SeedSequence
    draw_posterior: Sampler | None = None
    simulate: Simulate | None = None
    covariates: str = "fixed"
    idata: xr.DataTree | None = None
    potentials: Potentials = None

    def prepare(self) -> Functions:
        """As ``PreparedJob``."""
        model = built(self.build)
        fitted = model_functions(model, self.potentials)
        source = fitted if self.truth is None else model_functions(built(self.truth, "truth"), self.potentials)
        _check_alike("free variable", fitted.free, source.free)
        if self.simulate is None:
            _check_alike("observed variable", fitted.measured, source.measured)
            return Functions(fitted=fitted, source=source)
        own = OwnData(
            build=model, simulate=self.simulate, truth=None, size=fitted.n_observations, potentials=self.potentials
        )
        return Functions(fitted=fitted, source=source, own_data=own)

    def fingerprint(self) -> dict[str, Any]:
        """Numbers that identify the pair of models: parameter names, densities at the initial point, a data set."""
        numbers: list[float] = []
        prepared = self.prepared()
        for functions in (prepared.fitted, prepared.source):
            start = functions.initial_point()
            numbers += [
                float(f(start)) for f in (functions.log_likelihood, functions.log_prior, functions.log_jacobian)
            ]
            _, drawn = self._data(start[None], np.random.default_rng(0))
            numbers += [float(np.sum(v)) for v in drawn.data.values()]
        return {"parameters": prepared.fitted.natural_names, "numbers": numbers}

    def layout(self) -> Layout:
        """The variables of every batch's result; ``estimator`` is the method."""
        functions = self.prepared().fitted
        quantities = [*functions.natural_names, LOG_LIKELIHOOD]
        columns = {
            "rank": Column(dims=("quantity",), shape=(len(quantities),)),
            "status": STATUS,
            "exists": Column(dtype="bool"),
            "pit_error_bar": Column(dims=("error_bar",), shape=(len(ERROR_BARS),)),
        }
        return Layout(
            estimators=tuple(self.methods),
            sizes=(functions.n_observations,),
            replicates=self.simulations,
            columns=columns | dict.fromkeys(DIAGNOSTICS, Column()),
            coords=xr.Dataset(coords={"quantity": quantities, "error_bar": list(ERROR_BARS)}),
        )

    def run(self, batch: Batch) -> dict[str, Array]:
        """Simulate the data sets of a batch and compute the ranks."""
        generator = batch.generator(self.root)
        z = self._parameters(batch.count, generator)
        truth = self.prepared().source.natural(z)
        functions, drawn = self._data(z, generator)
        flat = functions.unconstrain({v.name: truth[v.name] for v in functions.free})
        drawn = self._beside_observed(functions, drawn)
        found = modes(functions, drawn, _finite(flat, functions))
        target = np.concatenate(
            [functions.natural_flat(_finite(flat, functions)), log_likelihoods(functions, drawn, flat[:, None])], axis=1
        )
        target[~np.isfinite(flat).all(axis=1)] = np.nan
        pieces = [self._judged(method, functions, drawn, found, flat, target, generator) for method in self.methods]
        return {name: np.stack([piece[name] for piece in pieces]) for name in pieces[0]}

    def _parameters(self, count: int, generator: np.random.Generator) -> Array:
        source = self.prepared().source
        if self.idata is not None:
            draws = unconstrained_draws(source, self.idata).reshape(-1, source.size)
            return draws[generator.integers(len(draws), size=count)]
        found = np.empty((0, source.size))
        for _ in range(_MOST_ROUNDS):
            found = np.concatenate([found, source.prior_draws(count, generator)])
            if len(found) >= count:
                return found[:count]
        raise ValueError(
            "Almost no draws of the prior are in the range of its transforms, so there are no parameters to simulate from; "
            "check the priors of the model."
        )

    def _data(self, z: Array, generator: np.random.Generator) -> tuple[ModelFunctions, Replicates]:
        """A data set for each parameter, and the fitted model's functions, which take it."""
        prepared, count = self.prepared(), len(z)
        if prepared.own_data is not None:
            values = prepared.source.natural(z)
            return prepared.own_data.draw_each(
                [{name: array[i] for name, array in values.items()} for i in range(count)], generator
            )
        rows = prepared.fitted.n_observations
        weights = np.ones((1, 1, rows))
        if self.covariates == "resampled":
            weights = rows_drawn(rows, rows, count, generator)
        copies = weights.shape[1]
        if unknown_families(prepared.source):
            each = [truth_at(prepared.source, one).sample(copies, generator) for one in z]
            data = {name: np.stack([one[name] for one in each]) for name in each[0]}
        else:
            distributions = observed_distributions(prepared.source, z)
            data = {n: np.moveaxis(p.sample((copies,), generator), 0, 1) for n, p in distributions.items()}
        return prepared.fitted, Replicates(size=rows, count=count, data=data, weights=weights)

    def _beside_observed(self, functions: ModelFunctions, drawn: Replicates) -> Replicates:
        """The data sets, each with the observed data beside it in posterior SBC."""
        if self.idata is None:
            return drawn
        observed, count = functions.observed_data(), drawn.count
        kept = {n: np.broadcast_to(observed[n], (count, 1, *observed[n].shape)) for n in drawn.data}
        data = {n: np.concatenate([kept[n], v], axis=1) for n, v in drawn.data.items()}
        weights = np.concatenate([np.ones_like(drawn.weights[:, :1]), drawn.weights], axis=1)
        return Replicates(size=drawn.size + functions.n_observations, count=count, data=data, weights=weights)

    def _judged(
        self,
        method: str,
        functions: ModelFunctions,
        drawn: Replicates,
        found: Modes,
        flat: Array,
        target: Array,
        generator: np.random.Generator,
    ) -> dict[str, Array]:
        nothing = {name: np.full(drawn.count, np.nan) for name in DIAGNOSTICS}
        nothing["pit_error_bar"] = np.full((drawn.count, len(ERROR_BARS)), np.nan)
        if method == "mle":
            return nothing | self._by_wald_intervals(functions, drawn, flat, target)
        post = self._draws(method, functions, drawn, found, flat, generator)
        scalars = np.concatenate([functions.natural_flat(post.z), post.log_likelihood[..., None]], axis=-1)
        result = {"rank": post.ranks(scalars, target, generator), "exists": post.exists, "status": post.status}
        if post.log_ratio is not None:
            nothing["pit_error_bar"] = error_bar_pits(post)
        return nothing | post.diagnostics | result

    def _draws(
        self,
        method: str,
        functions: ModelFunctions,
        drawn: Replicates,
        found: Modes,
        flat: Array,
        generator: np.random.Generator,
    ) -> PosteriorDraws:
        if method == OWN:
            return self._own(functions, drawn, found, generator)
        if method == "posterior":
            starts = _finite(flat, functions)
            run = {"draws": self.draws, "tune": self.tune, "chains": self.chains}
            return nuts_draws(functions, drawn, found, starts, generator, **run)
        return laplace_draws(functions, drawn, found, self.draws, generator)[method == "laplace_corrected"]

    def _own(
        self, functions: ModelFunctions, drawn: Replicates, found: Modes, generator: np.random.Generator
    ) -> PosteriorDraws:
        assert self.draw_posterior is not None
        each = []
        for row in range(drawn.count):
            copies = drawn.of(np.array([row]))[0]
            data = {n: np.array(v[0, 0] if self.idata is None else v[0]) for n, v in copies.items()}
            values = self.draw_posterior(data, generator)
            if missing := [v.name for v in functions.free if v.name not in values]:
                raise ValueError(
                    f"`draw_posterior` must return draws of all free variables; {', '.join(missing)} is missing."
                )
            each.append(
                functions.unconstrain({v.name: np.asarray(values[v.name], dtype=float) for v in functions.free})
            )
            if each[-1].ndim != 2 or len(each[-1]) != len(each[0]):
                raise ValueError(
                    f"`draw_posterior` must return equally many draws for every data set, as arrays (draws, ...); got the "
                    f"shapes {each[0].shape[:-1]} and {each[-1].shape[:-1]}."
                )
        z = np.stack(each)
        return PosteriorDraws(
            z=z,
            weights=np.full(z.shape[:2], 1 / z.shape[1]),
            log_likelihood=log_likelihoods(functions, drawn, z),
            exists=np.isfinite(z).all(axis=(1, 2)),
            status=found.status,
            diagnostics={},
        )

    def _by_wald_intervals(
        self, functions: ModelFunctions, drawn: Replicates, flat: Array, target: Array
    ) -> dict[str, Array]:
        """The ranks of the parameters in the normal distributions whose quantiles are the Wald intervals."""
        kept = Problem(functions=functions, kind="mle").kept
        base = functions.initial_point()
        whole = Objective(size=functions.size, evaluate=drawn.evaluator(functions))
        ends = maximize_replicates(whole.restricted(kept, base), _finite(flat, functions)[:, kept])
        lowest = np.linalg.eigvalsh(np.where(np.isfinite(ends.hessian), -ends.hessian, 0.0))[:, 0]
        exists = ends.converged & (lowest > 0)
        unfinished = np.where(np.isfinite(ends.value), STATUSES.index("unconverged"), STATUSES.index("not_finite"))
        status = np.where(exists, STATUSES.index("converged"), unfinished).astype(np.int8)
        z = np.repeat(base[None], drawn.count, axis=0)
        z[:, kept] = ends.z
        rank = np.full(target.shape, np.nan)
        for row in np.flatnonzero(exists):
            covariance = np.linalg.inv(-ends.hessian[row])
            jacobian = functions.natural_jacobian(z[row])[:, kept]
            with np.errstate(divide="ignore", invalid="ignore"):
                error = np.sqrt(np.einsum("mi,ij,mj->m", jacobian, covariance, jacobian))
                scores = (target[row, :-1] - functions.natural_flat(z[row])) / error
            # On the unconstrained scale for parameters with a coordinate of their own, as in ``wald_interval``.
            places, own = one_to_one(jacobian)
            moved = (flat[row, kept] - z[row, kept])[own] / np.sqrt(np.diagonal(covariance))[own]
            scores[places] = np.sign(jacobian[places, own]) * moved
            rank[row, :-1] = stats.norm.cdf(np.where(error > 0, scores, np.nan))
        return {"rank": rank, "exists": exists, "status": status}


def error_bar_pits(post: PosteriorDraws) -> Array:
    """Normal probabilities of the difference of two independent estimates divided by its error, (count, 2).

    The estimates are the log evidence by importance sampling and KL(posterior||prior), each from one half of the draws. The
    probabilities are uniform if the errors are right; a bias that both halves share cancels.
    """
    assert post.log_ratio is not None
    half = post.log_ratio.shape[1] // 2
    values, errors = [], []
    # A half without a draw of finite density has no estimate: infinity minus infinity.
    with np.errstate(divide="ignore", invalid="ignore"):
        for part in (slice(0, half), slice(half, 2 * half)):
            ratio, log_likelihood = post.log_ratio[:, part], post.log_likelihood[:, part]
            log_evidence = logsumexp(ratio, axis=1) - np.log(half)
            # Weights divided by their mean.
            weight = np.exp(ratio - log_evidence[:, None])
            mean = np.mean(weight * np.where(weight > 0, log_likelihood, 0.0), axis=1)
            influence = weight * np.where(weight > 0, log_likelihood - mean[:, None], 0.0) - (weight - 1)
            values.append(np.stack([log_evidence, mean - log_evidence], axis=1))
            errors.append(np.stack([weight.std(axis=1, ddof=1), influence.std(axis=1, ddof=1)], axis=1) / np.sqrt(half))
        pits = stats.norm.cdf((values[0] - values[1]) / np.hypot(*errors))
    # Exact estimates differ by rounding errors only, which are not tested.
    return np.where(post.exists[:, None] & (np.hypot(*errors) > ROUNDING), pits, np.nan)


def _finite(flat: Array, functions: ModelFunctions) -> Array:
    """Starting points: the parameters, or the initial point where they are outside the support of the fitted model's prior."""
    return np.where(np.isfinite(flat).all(axis=1, keepdims=True), flat, functions.initial_point())


def _check_alike(what: str, wanted: Sequence[Any], found: Sequence[Any]) -> None:
    """Raise ValueError where the model that generates the data lacks a variable of the fitted one."""
    shapes = {v.name: v.shape for v in found}
    for v in wanted:
        if shapes.get(v.name) != v.shape:
            has = ", ".join(f"{name} of shape {shape}" for name, shape in sorted(shapes.items()))
            raise ValueError(
                f"The model that generates the data must have the {what} {v.name!r} of shape {v.shape}, but has {has}; use "
                f"equal names and shapes."
            )
