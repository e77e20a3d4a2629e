"""``without_truth``: assess fits without a known truth."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.fitted_models.divergence_from_data import divergence_from_data, log_density_of_data, unavailable_because
from pp_mlekl.fitted_models.fits import Fit, collect_fits, named_estimates
from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence
from pp_mlekl.fitted_models.loo_scores import LeftOut, plug_in_scores, predictive_scores
from pp_mlekl.fitted_models.parametric_refits import refits
from pp_mlekl.posterior.draws_check import warnings_about_draws
from pp_mlekl.pymc_model.draws.before_sampling import with_sample_kwargs
from pp_mlekl.pymc_model.draws.sampling import sample
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.validation import check_distribution
from pp_mlekl.typing import Array, Names, NutsSampler, Potentials, RandomSeed, SampleKwargs
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.counts import check_count, check_memory
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.seeds import generator_of
from pp_mlekl.utils.warning_attributes import warnings_attribute

if TYPE_CHECKING:
    import pymc as pm

_PLUG_INS = ("mle", "map", "map_unconstrained")
_KNOWN = (*_PLUG_INS, "posterior_predictive")

WHAT = {
    "kl_predictive": "KL(posterior predictive||fitted): the information lost by a plug-in fit",
    "log_score": "expected log density of new data, by leaving out one observation at a time",
    "log_score_lead": "log score of the best fit minus this one: the difference of KL(true||fitted), with bias of order 1/n",
    "kl_data": "KL(distribution of the data||fitted) by nearest neighbours; too low because the data were used for the fit",
    "kl_data_unseen": "the same with each observation scored by the fit to all others",
    "kl_refit": "KL(fit||refit) for data drawn from the fit: the cost of estimation if the model is correct",
}


@deprecated_arguments(renamed={"tree": "idata"})
@checked_arguments
def without_truth(
    model: "pm.Model",
    idata: xr.DataTree | None = None,
    *,
    estimates: Mapping[str, PointEstimate] | None = None,
    estimators: Names = ("mle", "map", "posterior_predictive"),
    replicates: int = 200,
    nuts_sampler: NutsSampler = "nutpie",
    sample_kwargs: SampleKwargs | None = None,
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
) -> xr.Dataset:
    """Estimate what can be known about KL(true||fitted) without a known truth.

    Parameters
    ----------
    model
        A PyMC model.
    idata
        Posterior draws; sampled from the model if None.
    estimates
        Point estimates to use, by estimator name; found if missing.
    estimators
        Among ``mle``, ``map``, ``map_unconstrained``, ``posterior_predictive``.
    replicates
        Number of data sets drawn from each fit for ``kl_refit``.
    nuts_sampler, sample_kwargs
        Sampler and further arguments of ``pm.sample`` (``draws``, ``tune``, ``target_accept``, ``cores``, ...), used if the
        model is sampled.
    random_seed
        The same seed gives the same result.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.

    Returns
    -------
    xarray.Dataset
        Over ``estimator``, in nats, sums over rows: ``kl_predictive`` = KL(posterior predictive||fitted); ``log_score``
        by leave-one-out, with ``log_score_lead`` (lead of the best fit: the difference of KL(true||fitted)) and
        ``left_out_failed``; for continuous i.i.d. data ``kl_data`` = KL(data||fitted) by nearest neighbours, from the fit
        to all data and, ``kl_data_unseen``, to all others; ``kl_refit``, the parametric bootstrap of KL (mean, 5% and
        95% as ``kl_refit_low`` and ``kl_refit_high``) with ``refit_failed``, the fraction of data sets without a refit. Each
        has its ``..._mcse`` or, over observations, ``..._se``; its ``attrs["what"]`` describes it. ``attrs["best"]``
        names the fit with the highest log score; ``attrs["best_is_clear"]`` is "yes" if it leads by two standard errors.

    Raises
    ------
    TypeError, ValueError
        If an estimator is unknown, there are fewer than two replicates, or the likelihood consists of potentials only.

    Examples
    --------
    >>> import pymc as pm
    >>> y = np.random.default_rng(1).normal(size=60)
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 10)
    ...     data = pm.Normal("y", mu, 1.0, observed=y)
    >>> result = without_truth(model, estimators=["mle"], replicates=2000, random_seed=1)
    >>> bool(abs(result["kl_refit"].item() - 0.5) < 4 * result["kl_refit_mcse"].item())  # d / 2
    True
    """
    names = list(estimators)
    check_names("estimators", names, _KNOWN)
    check_count("replicates", replicates, at_least=2)
    functions = model_functions(model, potentials)
    check_memory(int(replicates) * functions.n_observations, f"{replicates} replicates")
    check_distribution(model, "What stands in for a truth")
    generator = generator_of(random_seed)
    about_draws = () if idata is None else warnings_about_draws(functions, idata)
    if idata is None:
        own = {"random_seed": int(generator.integers(2**31)), "potentials": potentials, "nuts_sampler": nuts_sampler}
        idata = sample(model, **with_sample_kwargs(sample_kwargs, **own))
    known = named_estimates(estimates)
    for name in names:
        if name in _PLUG_INS and name not in known:
            known[name] = _found(functions, name, potentials, generator)
    fits = collect_fits(functions, names, known, idata, potentials, generator)
    places = np.concatenate([np.arange(v.pointwise.start, v.pointwise.stop) for v in functions.measured])
    left_out = [_left_out(functions, fit, places) for fit in fits]
    dataset = xr.Dataset(coords={"estimator": names})
    notes = [*about_draws, *(w for fit in fits for w in fit.warnings)]
    _add_predictive(dataset, model, idata, known, potentials, generator)
    _add_scores(dataset, left_out)
    notes += _add_data(dataset, functions, fits, left_out, places, generator)
    notes += _add_refits(dataset, functions, fits, replicates, generator)
    notes += [w for found in left_out if found is not None for w in found.warnings]
    for name, what in WHAT.items():
        dataset[name].attrs.update(what=what, unit="nats")
    return dataset.assign_attrs(unit="nats", scope="sums over rows", warnings=warnings_attribute(notes))


def _found(
    functions: ModelFunctions, name: str, potentials: Potentials, generator: np.random.Generator
) -> PointEstimate:
    if name == "mle":
        return find_mle(functions.model, random_seed=generator, potentials=potentials)
    space: Any = "natural" if name == "map" else "unconstrained"
    return find_map(functions.model, space=space, random_seed=generator, potentials=potentials)


def _left_out(functions: ModelFunctions, fit: Fit, places: Array) -> LeftOut | None:
    if fit.draws is not None:
        return predictive_scores(functions, fit.draws, places)
    if fit.flat is None or fit.status != "converged":
        return None
    return plug_in_scores(functions, fit.name, fit.flat, places)


def _add_predictive(
    dataset: xr.Dataset,
    model: "pm.Model",
    tree: xr.DataTree,
    known: Mapping[str, PointEstimate],
    potentials: Potentials,
    generator: Any,
) -> None:
    names = [str(n) for n in dataset["estimator"].values]
    plug_ins = [n for n in names if n in _PLUG_INS]
    values, errors = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    if plug_ins:
        found = fitted_divergence(
            model, None, idata=tree, estimates=known, estimators=plug_ins, random_seed=generator, potentials=potentials
        )
        values |= dict(zip(plug_ins, found["kl"].values, strict=True))
        errors |= dict(zip(plug_ins, found["kl_mcse"].values, strict=True))
    dataset["kl_predictive"] = ("estimator", [values[n] for n in names])
    dataset["kl_predictive_mcse"] = ("estimator", [errors[n] for n in names])


def _add_scores(dataset: xr.Dataset, left_out: list[LeftOut | None]) -> None:
    """Sums of log scores, and the lead of the best fit with the standard error of the paired differences."""
    size = max((len(f.scores) for f in left_out if f is not None), default=0)
    scores = np.stack([np.full(size, np.nan) if f is None else f.scores for f in left_out])
    total = scores.sum(axis=1)
    dataset["log_score"] = ("estimator", total)
    dataset["log_score_se"] = ("estimator", np.sqrt(size) * scores.std(axis=1, ddof=1))
    dataset["left_out_failed"] = ("estimator", [0 if f is None else f.failed for f in left_out])
    dataset["left_out_method"] = ("estimator", ["none" if f is None else f.method for f in left_out])
    best = int(np.nanargmax(total)) if np.any(np.isfinite(total)) else 0
    lead = scores[best] - scores
    dataset["log_score_lead"] = ("estimator", lead.sum(axis=1))
    dataset["log_score_lead_se"] = ("estimator", np.sqrt(size) * lead.std(axis=1, ddof=1))
    others = [i for i in range(len(total)) if i != best and np.isfinite(total[i])]
    behind = dataset["log_score_lead"].values[others] > 2 * dataset["log_score_lead_se"].values[others]
    dataset.attrs["best"] = str(dataset["estimator"].values[best]) if np.any(np.isfinite(total)) else ""
    dataset.attrs["best_is_clear"] = "yes" if others and bool(np.all(behind)) else "no"


def _add_data(
    dataset: xr.Dataset,
    functions: ModelFunctions,
    fits: list[Fit],
    left_out: list[LeftOut | None],
    places: Array,
    generator: np.random.Generator,
) -> list[str]:
    columns = {
        n: np.full(len(fits), np.nan) for n in ("kl_data", "kl_data_mcse", "kl_data_unseen", "kl_data_unseen_mcse")
    }
    note, terms = unavailable_because(functions, generator), None
    if not note:
        try:
            terms = log_density_of_data(functions)
        except ValueError as error:
            note = f"kl_data is unavailable: {error}"
    notes = [note] if note else []
    for i, (fit, found) in enumerate(zip(fits, left_out, strict=True)):
        seen = _log_scores(functions, fit, places)
        for name, log_q in (("kl_data", seen), ("kl_data_unseen", None if found is None else found.scores)):
            if terms is not None and log_q is not None:
                columns[name][i], columns[f"{name}_mcse"][i], more = divergence_from_data(terms, log_q)
                notes += more
    dataset.update({name: ("estimator", values) for name, values in columns.items()})
    return notes


def _log_scores(functions: ModelFunctions, fit: Fit, places: Array) -> Array | None:
    """Log density of the data under the fit to all data."""
    if fit.draws is not None:
        terms = functions.pointwise(fit.draws.reshape(-1, fit.draws.shape[-1]))[:, places]
        return logsumexp(terms, axis=0) - np.log(len(terms))
    return None if fit.flat is None else functions.pointwise(fit.flat)[places]


def _add_refits(
    dataset: xr.Dataset, functions: ModelFunctions, fits: list[Fit], replicates: int, generator: np.random.Generator
) -> list[str]:
    names = ("kl_refit", "kl_refit_mcse", "kl_refit_low", "kl_refit_high", "refit_failed")
    columns = {n: np.full(len(fits), np.nan) for n in names}
    notes: list[str] = []
    for i, fit in enumerate(fits):
        if fit.flat is None or fit.status != "converged" or len(functions.measured) < len(functions.observed):
            continue
        found = refits(functions, fit.name, fit.flat, replicates, generator)
        notes += found.warnings
        kl = found.kl[found.exists]
        columns["refit_failed"][i] = 1 - np.mean(found.exists)
        if len(kl) > 1:
            low, high = np.quantile(kl, [0.05, 0.95])
            values = (kl.mean(), kl.std(ddof=1) / np.sqrt(len(kl)), low, high)
            for name, value in zip(names[:4], values, strict=True):
                columns[name][i] = value
    dataset.update({name: ("estimator", values) for name, values in columns.items()})
    return notes
