"""Simulation studies: distributions of estimates and divergences over many data sets from one truth."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from pp_mlekl.pymc_model.interpreter.lazy_function import reproducible
from pp_mlekl.simulation.batches import FEW, LARGEST_BATCH, MANY, Batch, batches_of, seed_sequence
from pp_mlekl.simulation.job import StudyJob
from pp_mlekl.simulation.own_data import Simulate
from pp_mlekl.simulation.result_arrays import MemoryArrays, ResultArrays
from pp_mlekl.simulation.run_batches import run_batches
from pp_mlekl.simulation.settings import COMPUTE, Settings, library_versions
from pp_mlekl.simulation.storage import exclusive_store, read_study, write_study
from pp_mlekl.simulation.streamed_store import is_streamed_target, seed_for, streamed_store
from pp_mlekl.simulation.summary import study_summary
from pp_mlekl.typing import ModelBuilder, Names, Potentials, RandomSeed, TruthLike
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.progress import Progress

if TYPE_CHECKING:
    import distributed
    import pymc as pm


@deprecated_arguments(renamed={"prob": "ci_prob"})
@checked_arguments
def study(
    build: "pm.Model | ModelBuilder",
    truth: TruthLike,
    *,
    sizes: Sequence[int] = (10, 30, 100, 300, 1000),
    replicates: int = 200,
    estimators: Names = ("mle",),
    ci_prob: float = 0.95,
    intervals: Names = (),
    resamples: int = 200,
    client: "distributed.Client | None" = None,
    store: str | Path | None = None,
    potentials: Potentials = None,
    random_seed: RandomSeed = None,
    compute: Names | None = None,
    draws: int = 250,
    tune: int = 300,
    chains: int = 2,
    covariates: Literal["fixed", "resampled"] = "fixed",
    simulate: Simulate | None = None,
    progress: Progress = True,
) -> xr.DataTree:
    """Simulate data sets from a truth, fit them all, and compare the results with theory.

    All data sets of a size are fitted together, by one batched Newton search that starts at the pseudo-true
    parameter. Data sets larger than the model repeat its rows.

    Parameters
    ----------
    build
        A PyMC model, or a function that returns one. Its covariates are used, its own observations are not.
    truth
        A mapping from parameter names to values, another PyMC model or a distribution (see
        ``pp_mlekl.inputs.truth.as_truth``).
    sizes
        Increasing numbers of observations.
    replicates
        Number of data sets of each size.
    estimators
        Any of ``mle``, ``map``, ``map_unconstrained``, and posterior means (of angles, mean directions): ``laplace`` (draws of
        the normal approximation on the unconstrained scale with importance weights smoothed by PSIS, all data sets in one
        batch) and ``posterior`` (by nutpie, with one compiled density for all data sets).
    ci_prob
        Nominal coverage of the intervals.
    intervals
        Further intervals whose coverage is estimated: ``profile``, ``parametric_bootstrap``, ``case_bootstrap``. They need many
        fits of every data set.
    resamples
        Number of bootstrap resamples of each data set.
    client
        A ``dask.distributed.Client`` that runs the batches; needs ``pip install pp_mlekl[dask]``. Graphs are built once on each
        worker. A batch whose worker is lost is run again by another.
    store
        Path for the result: a Zarr store if it ends in ``.zarr``, to which every finished batch is added, else a NetCDF file,
        which is written at the end. A study with the same settings continues from its Zarr store, with a result that is equal
        bit for bit to that of an uninterrupted study; a finished study is read. Anything else at the path is refused, and so
        is a Zarr store to which another process writes (for a NetCDF file, ``study`` waits).
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    random_seed
        The same seed gives the same result to the last digit on the same kind of processor with the same versions of the
        libraries, with or without a client and for any number of threads; otherwise up to rounding. Therefore batches are never
        compiled and use one BLAS thread each.
    compute
        Quantities to compute for every fit: ``kl`` (the divergence from the truth) and ``coverage``. Either may take longer
        than the fits. By default both; with ``simulate``, the coverage.
    draws, tune, chains
        For each data set, if an estimator needs posterior draws.
    covariates
        ``fixed``: every data set repeats the model's rows, with a random choice of rows for the remainder. ``resampled``: the
        rows of each data set are drawn from the model's with replacement, as for random covariates; J and K are then those of
        random rows.
    simulate
        A user's function ``simulate(n, truth, random_seed)`` that draws each data set, with covariates and groups of its own.
        If ``build`` is a function of a data set, it is called with what ``simulate`` returns; otherwise ``simulate`` returns
        a mapping (or table) from observed variables and ``pm.Data`` of the model to arrays. Data sets of one size have equal
        numbers of rows and groups. ``truth`` is handed on as it is; the results are about the parameters of which it
        has a value of the model's shape, so that effects of new groups may be left out. The divergence from the truth and
        the asymptotic covariance are not known.
    progress
        Whether to show a bar on a terminal or in a notebook, or a function that is called with one line after each batch: data sets
        per second, and the time left.

    Returns
    -------
    xarray.DataTree
        Group ``replicates`` has the estimates of each data set; ``exists``; ``status``, the reason if there is no regular
        maximum; ``excess`` = KL(true||fit) - KL(true||pseudo-true) per observation, in nats; ``covers_...``; and with posterior
        draws ``pareto_k``, or ``rhat``, ``ess`` and ``divergences``. From a Zarr store it is read when it is used.

        Group ``summary`` has, over ``estimator`` and ``size``: ``kl``, the mean KL(true||fit) of the data sets whose fit exists,
        and ``kl_mcse``; ``kl_theory``; ``exists``; ``status_count``; ``bias`` and ``rmse`` relative to the pseudo-true
        parameter, with ``..._mcse``; and coverages of the pseudo-true parameter. ``coverage_sandwich`` is that of intervals by
        the asymptotic covariance J^-1 K J^-1 / n, ``coverage_estimated`` by each data set's own sandwich
        (``sandwich_interval``), ``coverage_naive`` by its inverse information, ``coverage_unconstrained`` by the same on the
        unconstrained scale (``wald_interval``), ``coverage_credible`` that of central credible intervals; those of
        ``intervals`` follow.

        Group ``pseudo_true`` has the pseudo-true parameter (with ``simulate``, the truth) and its information.

    Raises
    ------
    TypeError, ValueError
        Where the sizes are not increasing, an estimator is unknown, ``store`` cannot be written or holds something else, or
        there is no regular pseudo-true parameter.
    OSError
        Where the disk is full or the Dask cluster is lost; finished batches stay in a Zarr store.

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
    seed = seed_for(store, random_seed)
    if compute is None:
        compute = COMPUTE if simulate is None else ("coverage",)
    requested = Settings(
        truth=truth,
        sizes=sizes,
        replicates=replicates,
        estimators=tuple(estimators),
        ci_prob=ci_prob,
        intervals=tuple(intervals),
        resamples=resamples,
        random_seed=seed,
        compute=tuple(compute),
        simulate=simulate,
        draws=draws,
        tune=tune,
        chains=chains,
        covariates=covariates,
    )
    requested.check()
    job = StudyJob(build=build, requested=requested, root=seed_sequence(seed), potentials=potentials)
    say = progress if callable(progress) else lambda _: None
    with reproducible():
        identity = requested.identity() | {"potentials": potentials, "model": job.fingerprint()}
        identity["prior"] = job.prior_fingerprint()
        if random_seed is None:
            identity["random_seed"] = None
        layout = job.layout()
        slow = requested.from_draws or simulate is not None
        most = FEW if "posterior" in estimators else MANY if slow else LARGEST_BATCH
        batches = batches_of(layout.sizes, replicates, most)

        def run(arrays: ResultArrays) -> dict[str, xr.Dataset]:
            todo = [b for b in batches if not arrays.finished(b)]
            run_batches(job, todo, arrays.write, client=client, progress=progress)
            return _groups(job, arrays, batches)

        attributes = requested.attributes() | {
            "unit": "nats",
            "n_rows": job.first.functions.n_observations,
            "versions": library_versions(),
        }
        if store is not None and is_streamed_target(store):
            with streamed_store(store, identity, attributes, layout, batches, job.root, say) as kept:
                groups = run(kept)
                kept.finish({name: groups[name] for name in ("summary", "pseudo_true")})
                return _tree(groups, kept.attributes)
        attributes["settings"] = json.dumps(identity)
        if store is None:
            return _tree(run(MemoryArrays(layout)), attributes)
        with exclusive_store(store, say):
            found = read_study(store, identity)
            if found is None:
                found = _tree(run(MemoryArrays(layout)), attributes)
                write_study(found, store)
            return found


def _groups(job: StudyJob, arrays: ResultArrays, batches: list[Batch]) -> dict[str, xr.Dataset]:
    target = job.target()
    summary = study_summary(arrays, batches, job.layout(), target)
    return {"replicates": arrays.dataset(), "summary": summary, "pseudo_true": target.group()}


def _tree(groups: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]) -> xr.DataTree:
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(attributes)
    return tree
