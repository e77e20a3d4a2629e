"""Many seeded data sets of many sizes from one truth: distributions of estimates and divergences."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import stats

from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedFit, expected_fit
from pp_mlekl.estimation.replicates.replicate_fits import ReplicateFits, fit_replicates
from pp_mlekl.estimation.replicates.simulator import Simulator
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.pymc_model.interpreter.lazy_function import reproducible
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.simulation.coverage import Coverage
from pp_mlekl.simulation.resampling import bootstrap_covers
from pp_mlekl.simulation.settings import REFITTING, Settings
from pp_mlekl.simulation.storage import read_study, store_of_its_own, write_study
from pp_mlekl.typing import Array, ModelBuilder, Potentials, RandomSeed, TruthLike
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.seeds import integer_of

if TYPE_CHECKING:
    import distributed
    import pymc as pm

# Maximum number of observations in one batch of data sets: about 100 MB of memory.
_BATCH_TERMS = 1_000_000


@deprecated_arguments(renamed={"prob": "ci_prob"})
def study(
    build: "pm.Model | ModelBuilder",
    truth: TruthLike,
    *,
    sizes: Sequence[int] = (10, 30, 100, 300, 1000),
    replicates: int = 200,
    estimators: Sequence[str] = ("mle",),
    ci_prob: float = 0.95,
    intervals: Sequence[str] = (),
    resamples: int = 200,
    client: "distributed.Client | None" = None,
    store: str | Path | None = None,
    potentials: Potentials = None,
    random_seed: RandomSeed = None,
    progress: Callable[[str], None] | None = None,
) -> xr.DataTree:
    """Simulate data sets from a truth, fit them all, and compare the results with theory.

    All data sets of a size are fitted together, by one batched Newton search that starts at the pseudo-true
    parameter. Data sets larger than the model repeat its rows.

    Parameters
    ----------
    build
        A PyMC model, or a function that returns one; the model's own data do not matter, its covariates do.
    truth
        A mapping from parameter names to values, another PyMC model or a distribution (see
        ``pp_mlekl.inputs.truth.as_truth``).
    sizes
        Increasing numbers of observations.
    replicates
        Data sets of each size.
    estimators
        Among ``mle``, ``map`` and ``map_unconstrained``.
    ci_prob
        Nominal coverage of the intervals.
    intervals
        Further intervals whose coverage is estimated: ``profile``, ``parametric_bootstrap``, ``case_bootstrap``, which fit every
        data set many times.
    resamples
        Of each data set, for the bootstrap.
    client
        A ``dask.distributed.Client`` to run the batches on; needs ``pip install pp_mlekl[dask]``.
    store
        A file to save the result in (NetCDF, or Zarr where it ends in ``.zarr``). A finished study with the same settings is
        read from it; any other file is refused, not overwritten. Where another process writes to it, ``study`` waits.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    random_seed
        The same seed gives the same result to the last digit, with or without a client, whatever ran before and however many
        threads there are, on the same kind of processor with the same versions of the libraries; else to rounding.
        For this the batches are never compiled, and use one thread of BLAS each.
    progress
        Called with one line after each batch.

    Returns
    -------
    xarray.DataTree
        ``replicates`` (``excess`` = KL(true||fit) - KL(true||pseudo-true) per observation, ``exists``, the
        parameters), ``summary`` over ``estimator`` and ``size`` (``kl`` = mean KL(true||fit) of the data sets whose fit
        exists, ``kl_mcse``, ``exists``, ``kl_theory``, coverages of intervals for the pseudo-true parameter:
        ``coverage_sandwich`` by the asymptotic covariance J^-1 K J^-1 / n, ``coverage_estimated`` by each data set's
        own, as ``sandwich_interval`` gives it, ``coverage_naive`` by its inverse information, ``coverage_unconstrained`` by the
        same on the unconstrained scale, as ``wald_interval`` gives it, and those of ``intervals``), ``pseudo_true``.

    Raises
    ------
    ValueError
        Where the sizes are not increasing, an estimator is not known, ``store`` cannot be written or holds something else, or
        no pseudo-true parameter exists.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     lam = pm.Exponential("lam", 1.0)
    ...     y = pm.Exponential("y", lam, observed=[1.0, 2.0, 3.0])
    >>> tree = study(model, {"lam": 2.0}, sizes=[10], replicates=500, random_seed=1)
    >>> kl, error = tree["summary/kl"].item(), tree["summary/kl_mcse"].item()
    >>> bool(abs(kl - 0.060279) < 4 * error)  # exact; d / 2n would be 0.05
    True
    """
    seed = random_seed if isinstance(random_seed, np.random.SeedSequence) else integer_of(random_seed)
    requested = Settings(
        truth=truth,
        sizes=sizes,
        replicates=replicates,
        estimators=tuple(estimators),
        ci_prob=ci_prob,
        intervals=tuple(intervals),
        resamples=resamples,
        random_seed=seed,
    )
    requested.check()
    job = _Job(build=build, requested=requested, potentials=potentials)

    def run(identity: dict[str, Any]) -> xr.DataTree:
        tasks = _tasks(sizes, replicates, seed)
        results = _on_client(client, job, tasks) if client is not None else _locally(job, tasks, progress)
        return _tree(job, tasks, results, requested.attributes() | {"settings": json.dumps(identity)})

    with reproducible():
        identity = requested.identity() | {"potentials": potentials, "model": job.fingerprint()}
        if random_seed is None:
            identity["random_seed"] = None
        if store is None:
            return run(identity)
        with store_of_its_own(store, progress):
            kept = read_study(store, identity)
            if kept is None:
                kept = run(identity)
                write_study(kept, store)
            return kept


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One batch: ``count`` data sets of ``size`` observations."""

    size: int
    count: int
    seed: np.random.SeedSequence


@dataclass(kw_only=True, eq=False)
class _Job:
    """What all batches share; the prepared parts are made on first use, on each machine."""

    build: "pm.Model | ModelBuilder"
    requested: Settings
    potentials: Potentials = None
    _prepared: tuple[ModelFunctions, ExpectedFit, Simulator] | None = None

    def prepared(self) -> tuple[ModelFunctions, ExpectedFit, Simulator]:
        if self._prepared is None:
            functions = model_functions(self.build() if callable(self.build) else self.build, self.potentials)
            generator = np.random.default_rng(0)
            truth = as_truth(functions, self.requested.truth)
            simulator = Simulator(
                functions, truth, generator, one_by_one="parametric_bootstrap" in self.requested.intervals
            )
            pseudo_true = expected_fit(functions, truth, generator)
            if pseudo_true.information is None:
                raise ValueError(
                    f"A study needs a regular pseudo-true parameter; under this truth its status is {pseudo_true.verdict.status!r}. "
                    f"{' '.join([*pseudo_true.verdict.warnings, *pseudo_true.problem.warnings])}"
                )
            self._prepared = functions, pseudo_true, simulator
        return self._prepared

    def fingerprint(self) -> dict[str, Any]:
        """What distinguishes one model and truth from another: names, the log-likelihood at two points, a data set."""
        functions, pseudo_true, simulator = self.prepared()
        at = functions.log_likelihood(np.stack([functions.initial_point(), pseudo_true.flat]))
        drawn = simulator.draw(functions.n_observations, 1, np.random.default_rng(0))
        sums = [float(np.sum(part)) for part in (*drawn.data.values(), drawn.weights)]
        return {"parameters": functions.natural_names, "numbers": [*at.tolist(), *sums]}

    def __getstate__(self) -> dict[str, Any]:
        # The prepared functions hold compiled code and stay where they are.
        return self.__dict__ | {"_prepared": None}

    def run(self, task: _Task) -> xr.Dataset:
        """Fit one batch."""
        functions, pseudo_true, simulator = self.prepared()
        generator = np.random.default_rng(task.seed)
        drawn = simulator.draw(task.size, task.count, generator)
        quantile = stats.norm.ppf(0.5 + self.requested.ci_prob / 2)
        target = functions.natural_flat(pseudo_true.flat)
        theory = np.sqrt(np.diagonal(_natural_sandwich(functions, pseudo_true, task.size)))
        pieces = []
        for estimator in self.requested.estimators:
            fits: ReplicateFits = fit_replicates(functions, drawn, pseudo_true, estimator)
            dataset = functions.dataset(fits.flat, ("replicate",))
            dataset["excess"] = ("replicate", fits.excess)
            dataset["exists"] = ("replicate", fits.exists)
            values = functions.natural_flat(fits.flat)
            inside = {name: np.full(values.shape, np.nan) for name in ("estimated", "naive", "unconstrained")}
            inside |= {"sandwich": _covers(values, theory * quantile, target)}
            if estimator == "mle" and fits.exists.any():
                coverage = Coverage(
                    functions=functions,
                    replicates=drawn,
                    fits=fits,
                    pseudo_true=pseudo_true,
                    prob=self.requested.ci_prob,
                )
                if pseudo_true.kl_at_kinks is None:
                    inside |= {"estimated": coverage.sandwich(), **coverage.wald()}
                inside |= self._refitting_intervals(coverage, generator)
            for name, holds in inside.items():
                dataset[f"covers_{name}"] = (("replicate", "parameter"), holds)
            pieces.append(dataset)
        return xr.concat(pieces, "estimator").assign_coords(
            estimator=list(self.requested.estimators), parameter=functions.natural_names
        )

    def _refitting_intervals(self, coverage: Coverage, generator: np.random.Generator) -> dict[str, Array]:
        result = {}
        for name in self.requested.intervals:
            if name == "profile":
                result[name] = coverage.profile()
            else:
                kind: Any = name.removesuffix("_bootstrap")
                result[name] = bootstrap_covers(coverage, kind, self.requested.resamples, generator)
        return result


def _natural_sandwich(functions: ModelFunctions, pseudo_true: ExpectedFit, size: int) -> Array:
    jacobian = functions.natural_jacobian(pseudo_true.flat)[:, pseudo_true.problem.kept]
    return jacobian @ pseudo_true.information.sandwich(size) @ jacobian.T  # type: ignore[union-attr]


def _covers(values: Array, half: Array, target: Array) -> Array:
    """Whether each interval holds the target; NaN where there is no interval."""
    half = np.broadcast_to(half, values.shape)
    return np.where(half > 0, np.abs(values - target) <= half, np.nan)


def _tasks(sizes: Sequence[int], replicates: int, seed: int | np.random.SeedSequence) -> list[_Task]:
    """Batches of bounded size; they do not depend on the client."""
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    shapes = []
    for size in sizes:
        most = max(1, _BATCH_TERMS // size)
        shapes += [(size, min(most, replicates - start)) for start in range(0, replicates, most)]
    return [_Task(size=s, count=c, seed=k) for (s, c), k in zip(shapes, root.spawn(len(shapes)), strict=True)]


def _locally(job: _Job, tasks: list[_Task], progress: Callable[[str], None] | None) -> list[xr.Dataset]:
    results = []
    for number, task in enumerate(tasks, 1):
        results.append(job.run(task))
        if progress is not None:
            progress(f"{number}/{len(tasks)}: {task.count} data sets of {task.size} observations")
    return results


def _on_client(client: "distributed.Client", job: _Job, tasks: list[_Task]) -> list[xr.Dataset]:
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ImportError("client=... needs Dask: pip install pp_mlekl[dask].") from error
    # Dask's client has no annotations.
    shared = client.scatter(job, broadcast=True)  # type: ignore[no-untyped-call]
    return client.gather(  # type: ignore[no-untyped-call]
        client.map(_run, [shared] * len(tasks), tasks, pure=False)
    )


def _run(job: _Job, task: _Task) -> xr.Dataset:
    with reproducible():
        return job.run(task)


def _tree(job: _Job, tasks: list[_Task], results: list[xr.Dataset], settings: dict[str, Any]) -> xr.DataTree:
    functions, pseudo_true, _ = job.prepared()
    by_size: dict[int, list[xr.Dataset]] = {}
    for task, result in zip(tasks, results, strict=True):
        by_size.setdefault(task.size, []).append(result)
    joined = [xr.concat(parts, "replicate") for parts in by_size.values()]
    replicates = xr.concat(joined, "size").assign_coords(size=list(by_size))
    minimum, information = pseudo_true.kl_min / functions.n_observations, pseudo_true.information
    assert information is not None
    of_pseudo_true = functions.dataset(pseudo_true.flat).assign(
        kl_min=minimum, trace=information.trace, eigenvalues=("direction", information.eigenvalues)
    )
    tree = xr.DataTree.from_dict(
        {"replicates": replicates, "summary": _summary(replicates, pseudo_true, minimum), "pseudo_true": of_pseudo_true}
    )
    tree.attrs.update(settings, unit="nats", n_rows=functions.n_observations)
    return tree


def _summary(replicates: xr.Dataset, pseudo_true: ExpectedFit, minimum: float) -> xr.Dataset:
    exists = replicates["exists"]
    known = replicates["excess"].where(exists)
    count = exists.sum("replicate")
    summary = xr.Dataset(
        {
            "kl": known.mean("replicate") + minimum,
            "kl_mcse": known.std("replicate", ddof=1) / np.sqrt(count),
            "excess": known.mean("replicate"),
            "exists": exists.mean("replicate"),
        }
    )
    sizes = replicates["size"]
    summary["kl_theory"] = minimum + pseudo_true.information.trace / (2 * sizes)  # type: ignore[union-attr]
    for name in ("sandwich", "estimated", "naive", "unconstrained", *REFITTING):
        if f"covers_{name}" in replicates:
            summary[f"coverage_{name}"] = replicates[f"covers_{name}"].where(exists).mean("replicate")
    return summary
