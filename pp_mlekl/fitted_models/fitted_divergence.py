"""``fitted_divergence``: divergence of fitted distributions from a truth."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import xarray as xr

from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.fitted_models.divergence_routes import rows_of
from pp_mlekl.fitted_models.draws_needed import short_of_draws, with_draws_needed
from pp_mlekl.fitted_models.fits import PLUG_INS, PREDICTIVES, Fit, collect_fits, named_estimates, needs_posterior
from pp_mlekl.fitted_models.held_out import held_out_scores
from pp_mlekl.fitted_models.setting import Setting
from pp_mlekl.fitted_models.table import Results, assemble
from pp_mlekl.fitted_models.theory import Theory, theory
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.posterior.draws_check import warnings_about_draws
from pp_mlekl.pymc_model.draws.before_sampling import with_sample_kwargs
from pp_mlekl.pymc_model.draws.conditional import check_redrawn
from pp_mlekl.pymc_model.draws.sampling import sample
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.validation import check_distribution, given_observed
from pp_mlekl.typing import Names, NutsSampler, Potentials, RandomSeed, SampleKwargs, TruthLike
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import pymc as pm


@deprecated_arguments(renamed={"tree": "idata"}, positional=("model", "truth", "idata"))
@checked_arguments
def fitted_divergence(
    model: "pm.Model",
    truth: TruthLike | None = None,
    *,
    idata: xr.DataTree | None = None,
    estimates: Mapping[str, PointEstimate] | None = None,
    estimators: Names | None = None,
    new_groups: Names = (),
    error: float | None = None,
    nuts_sampler: NutsSampler = "nutpie",
    sample_kwargs: SampleKwargs | None = None,
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
) -> xr.Dataset:
    """KL(true||fitted) of the distributions fitted by each estimator, in nats.

    All divergences are for one new observation at each row of the model's data, conditional on the row's covariates (and,
    with latent variables per group, for the same groups unless ``new_groups`` names them). ``kl`` is the sum over rows.

    Parameters
    ----------
    model
        A PyMC model.
    truth
        A mapping from parameter names to values, another PyMC model, a distribution, or held-out draws, which determine
        only differences of KL (see ``pp_mlekl.inputs.truth.as_truth``). If None, ``kl`` is KL(posterior
        predictive||plug-in), the information lost by a point estimate.
    idata
        Posterior draws; sampled from the model if needed and None.
    estimates
        Point estimates to use, by estimator name (``mle``, ``map``, ``map_unconstrained``); found if missing.
    estimators
        Which fits: ``mle``, ``map``, ``map_unconstrained``, ``posterior_mean``, ``posterior_predictive``,
        ``laplace``; by default ``mle``, ``map`` and, with a truth, ``posterior_predictive``.
    new_groups
        Free variables, such as school effects, that are drawn from their prior given the hyperparameters: for
        observations of groups that are not in the data. A plug-in is then an average over new groups; the maximum
        likelihood estimate is the marginal one, with the groups integrated out.
    error
        Requested standard error of the ``kl`` of a predictive, in nats. It determines how many posterior draws are used;
        ``draws_needed`` reports the number required.
    nuts_sampler, sample_kwargs
        Sampler and further arguments of ``pm.sample`` (``draws``, ``tune``, ``target_accept``, ``cores``, ...), used if the
        model is sampled.
    random_seed
        For sampling, searches, new groups and, with vector-valued observations, Monte Carlo.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.

    Returns
    -------
    xarray.Dataset
        Over ``estimator``: ``kl``, ``kl_reverse`` (sums over rows), ``kl_mean``, ``jsd``, ``wasserstein`` (means over
        rows; ``jsd`` is at most ln 2, ``wasserstein`` is in the unit of the variable, and NaN for vectors and for several
        observed variables), each with its ``..._mcse``; ``kl_excess`` over the closest fit; ``kl_theory`` (the
        large-sample expectation of the sum); ``kl_bias`` (bias due to the finite number of ``draws``, already subtracted)
        and ``kl_draw_error`` (the part of ``kl_mcse`` that decreases with more draws). ``kl_pointwise``,
        ``kl_reverse_pointwise``, ``jsd_pointwise`` and ``wasserstein_pointwise`` have the rows' own dims; several
        observed variables have one each, and ``kl_by_variable``. An estimate that does not exist has NaN, and
        ``attrs["warnings"]`` gives the reason; ``attrs["closest"]`` names the closest fit and ``attrs["closest_is_clear"]``
        is "yes" if it leads by more than two standard errors. Observed variables without a known family are compared by
        Monte Carlo with their log density.

    Raises
    ------
    TypeError, ValueError
        If the truth does not match the model, the likelihood consists of potentials only, an estimator is unknown, or
        observed variables depend on each other given the parameters, so that their joint density is not that of a single
        PyMC variable.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 10)
    ...     y = pm.Normal("y", mu, 1.0, observed=[0.4, 1.2, 0.9, 1.5])
    >>> result = fitted_divergence(model, {"mu": 0.5}, estimators=["mle"], random_seed=1)
    >>> result["kl"].values.round(6).tolist(), result["kl_mean"].values.round(6).tolist()
    ([0.5], [0.125])
    """
    functions = model_functions(model, potentials)
    check_distribution(model, "A divergence of fitted distributions")
    names = _checked_estimators(estimators, truth)
    if error is not None and not error > 0:
        raise ValueError(f"error must be a positive number (nats), got {error!r}.")
    groups = tuple(new_groups)
    check_redrawn(functions, groups)
    generator = generator_of(random_seed)
    resolved = None if truth is None else as_truth(functions, truth)
    uses_draws = needs_posterior(names) or resolved is None
    about_draws = () if idata is None or not uses_draws else warnings_about_draws(functions, idata)
    if idata is None and uses_draws:
        own = {"random_seed": int(generator.integers(2**31)), "potentials": potentials, "nuts_sampler": nuts_sampler}
        idata = sample(model, **with_sample_kwargs(sample_kwargs, **own))
    fits = collect_fits(functions, names, named_estimates(estimates), idata, potentials, generator, groups)
    fits[0] = replace(fits[0], warnings=(*fits[0].warnings, *about_draws))
    group_seed = int(generator.integers(2**31)) if groups else 0
    setting = Setting(
        functions=functions, truth=resolved, new_groups=groups, generator=generator, group_seed=group_seed
    )
    if resolved is not None and resolved.kind == "draws":
        return held_out_scores(setting, fits)
    if resolved is None:
        (predictive,) = collect_fits(functions, ["posterior_predictive"], {}, idata, potentials, generator)
        kind, expected = "posterior_predictive", Theory()
    else:
        predictive, kind = None, resolved.kind
        expected = Theory() if groups else theory(functions, resolved, generator)

    def compared(used: Setting, chosen: list[Fit]) -> Results:
        return {f.name: rows_of(used, f, predictive) for f in chosen}

    # Without a truth, dependent observed variables are compared conditionally on each other.
    for name, other in given_observed(model).items() if resolved is None else ():
        note = f"{name} depends on the observed variable {other}; its divergence is conditional on the data of {other}."
        fits[0] = replace(fits[0], warnings=(*fits[0].warnings, note))
    results = compared(setting, fits)
    dataset = assemble(functions, fits, results, expected, kind, groups)
    if error is None:
        return dataset
    more = short_of_draws(dataset, error)
    if more:
        again = [f for f in fits if f.name in more.estimators]
        results = {**results, **compared(replace(setting, max_draws=more.draws), again)}
        dataset = assemble(functions, fits, results, expected, kind, groups)
    return with_draws_needed(dataset, error)


def _checked_estimators(estimators: Sequence[str] | None, truth: Any) -> list[str]:
    known = (*PLUG_INS, *PREDICTIVES)
    if estimators is None:
        return ["mle", "map"] if truth is None else ["mle", "map", "posterior_predictive"]
    check_names("estimators", estimators, known)
    if truth is None and (predictive := [name for name in estimators if name in PREDICTIVES]):
        raise ValueError(f"{predictive[0]!r} needs a truth; without one use plug-ins: {', '.join(PLUG_INS)}.")
    return list(estimators)
