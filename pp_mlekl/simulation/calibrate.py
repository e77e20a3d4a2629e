"""Simulation-based calibration of posteriors, approximations, intervals and error bars."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from pp_mlekl.pymc_model.interpreter.lazy_function import reproducible
from pp_mlekl.simulation.batches import FEW, MANY, batches_of, seed_sequence
from pp_mlekl.simulation.calibration_job import METHODS, OWN, CalibrationJob, Sampler
from pp_mlekl.simulation.calibration_result import Calibration
from pp_mlekl.simulation.own_data import Simulate, takes_data
from pp_mlekl.simulation.result_arrays import MemoryArrays
from pp_mlekl.simulation.run_batches import run_batches
from pp_mlekl.simulation.settings import check_covariates, library_versions, source_of
from pp_mlekl.simulation.streamed_store import seed_for, streamed_store
from pp_mlekl.typing import ModelBuilder, Names, Potentials, RandomSeed
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.counts import check_count, check_memory
from pp_mlekl.utils.progress import Progress
from pp_mlekl.utils.tree_storage import is_zarr

if TYPE_CHECKING:
    import distributed
    import pymc as pm


@checked_arguments
def calibrate(
    build: "pm.Model | ModelBuilder",
    *,
    methods: Names = ("posterior", "laplace", "mle"),
    simulations: int = 200,
    draw_posterior: Sampler | None = None,
    truth: "pm.Model | ModelBuilder | None" = None,
    idata: xr.DataTree | None = None,
    draws: int = 250,
    tune: int = 300,
    chains: int = 2,
    covariates: Literal["fixed", "resampled"] = "fixed",
    simulate: Simulate | None = None,
    level: float = 0.01,
    client: "distributed.Client | None" = None,
    store: str | Path | None = None,
    potentials: Potentials = None,
    random_seed: RandomSeed = None,
    progress: Progress = True,
) -> Calibration:
    """Test by simulation whether posteriors, intervals and error bars have the right location and width.

    Parameters are drawn from the prior, a data set of the model's own size is drawn for each, and the model is fitted to all
    of them. If the computation is right, the rank of a parameter among its posterior draws is uniform (Talts et al. 2018). So
    is the rank of the log-likelihood, which detects that data are ignored (Modrák et al. 2023).

    Parameters
    ----------
    build
        A PyMC model with proper priors, or a function that returns one.
    methods
        Any of ``posterior`` (by nutpie, with one compiled density for all data sets), ``laplace`` (the normal approximation on
        the unconstrained scale), ``laplace_corrected`` (the same with importance weights smoothed by PSIS; the error bars of
        log evidence and information gain are tested, too, from two independent halves of the draws), and ``mle`` (Wald
        intervals, whose coverage is averaged over the prior).
    simulations
        Number of data sets.
    draw_posterior
        A user's function from a data set (arrays by observed variable, with ``simulate`` also by the ``pm.Data`` that differ) and
        a ``numpy.random.Generator`` to independent draws (arrays ``(draws, *shape)`` by free variable); it is tested as the
        method ``own``.
    truth
        A model with the same variables that generates parameters and data instead of ``build``, to show the effect of a wrong
        prior or likelihood.
    idata
        Posterior draws given the model's own data, from which parameters are taken instead of the prior: posterior SBC
        (Säilynoja et al. 2025). The simulated data sets are then added to the observed one.
    draws, tune, chains
        For each data set. The draws of chains are thinned until nearly independent.
    covariates
        ``fixed``: every data set has the model's rows. ``resampled``: its rows are drawn from the model's with replacement.
    simulate
        A user's function ``simulate(n, truth, random_seed)`` that draws each data set, as for ``study``: a mapping (or table)
        from observed variables and ``pm.Data`` of the model to arrays. ``n`` is the model's number of observations, and
        ``truth`` has the drawn parameters by name.
    level
        Probability that a calibrated method is rejected.
    client, store, potentials, random_seed, progress
        As for ``study``; ``store`` must end in ``.zarr``.

    Returns
    -------
    Calibration

    Raises
    ------
    TypeError, ValueError
        Where a method is unknown, a prior is improper, or the store belongs to another calibration.
    OSError
        Where the disk is full or the Dask cluster is lost; finished batches stay in the store.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 1)
    ...     y = pm.Normal("y", mu, 1, observed=[0.5, 1.5, 0.1])
    >>> found = calibrate(model, methods=["laplace"], simulations=200, random_seed=1)
    >>> found.table["verdict"].tolist()
    ['calibrated', 'calibrated']
    """
    chosen = (*methods, OWN) if draw_posterior is not None else tuple(methods)
    _check(methods, simulations, draws, tune, chains, level, store)
    if not chosen:
        raise ValueError(f"`methods` must name at least one of {', '.join(METHODS)}, or pass draw_posterior.")
    check_covariates(covariates, simulate)
    if covariates != "fixed" and draw_posterior is not None:
        raise ValueError(
            "`draw_posterior` does not learn which rows were drawn; leave `covariates` out, or use `simulate`."
        )
    if simulate is not None and takes_data(build):
        raise ValueError(
            "With `simulate`, `build` must be a model whose covariates are pm.Data, since parameters are drawn from its prior "
            "before the data; got a function of the data set."
        )
    job = CalibrationJob(
        build=build,
        truth=truth,
        methods=chosen,
        simulations=simulations,
        draws=draws,
        tune=tune,
        chains=chains,
        root=seed_sequence(seed_for(store, random_seed)),
        draw_posterior=draw_posterior,
        simulate=simulate,
        covariates=covariates,
        idata=idata,
        potentials=potentials,
    )
    with reproducible():
        layout = job.layout()
        slow = "posterior" in chosen or draw_posterior is not None
        batches = batches_of(layout.sizes, simulations, FEW if slow else MANY)
        attributes: dict[str, Any] = {
            "simulations": int(simulations),
            "methods": list(chosen),
            "draws": int(draws),
            "tune": int(tune),
            "chains": int(chains),
        }
        versions = {"versions": library_versions()}
        if store is None:
            arrays = MemoryArrays(layout)
            run_batches(job, batches, arrays.write, client=client, progress=progress)
            return _result(arrays.dataset(), attributes | versions, level)
        kept = None if random_seed is None else str(job.root)
        identity = attributes | {"seed": kept, "model": job.fingerprint(), "potentials": potentials}
        identity |= {
            "idata": _checksum(idata),
            "sampler": None if draw_posterior is None else source_of(draw_posterior),
        }
        # Older stores do not mention these.
        identity |= {} if covariates == "fixed" else {"covariates": covariates}
        identity |= {} if simulate is None else {"simulate": source_of(simulate)}
        say = progress if callable(progress) else lambda _: None
        with streamed_store(store, identity, attributes | versions, layout, batches, job.root, say) as stored:
            todo = [b for b in batches if not stored.finished(b)]
            run_batches(job, todo, stored.write, client=client, progress=progress)
            return _result(stored.dataset(), stored.attributes, level)


def _checksum(idata: xr.DataTree | None) -> str | None:
    """A checksum of the posterior draws, from which the true parameters are taken."""
    if idata is None:
        return None
    digest = sha256()
    for name, variable in sorted(idata["posterior"].data_vars.items()):
        digest.update(f"{name}{variable.dims}{variable.shape}".encode())
        digest.update(np.ascontiguousarray(variable.values).tobytes())
    return digest.hexdigest()


def _check(
    methods: Sequence[str], simulations: int, draws: int, tune: int, chains: int, level: float, store: Any
) -> None:
    check_names("methods", methods, METHODS, fewest=0)
    if len(set(methods)) < len(methods):
        raise ValueError(f"`methods` must be named once each, got {list(methods)}.")
    check_count("simulations", simulations, at_least=2)
    check_memory(int(simulations), f"{simulations} simulations")
    check_count("draws", draws, at_least=20)
    check_count("tune", tune)
    check_count("chains", chains)
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, got {level}; 0.01 is usual.")
    if store is not None and not is_zarr(store):
        raise ValueError(f"`store` must be a path that ends in .zarr, got {store}.")


def _result(simulations: xr.Dataset, attributes: dict[str, Any], level: float) -> Calibration:
    named = simulations.isel(size=0).drop_vars("size").rename(estimator="method", replicate="simulation")
    tree = xr.DataTree.from_dict({"simulations": named})
    tree.attrs.update(attributes)
    return Calibration(tree=tree, level=level)
