"""``fitted_divergence``: the public door."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from pp_mlekl.fitted.fits import PLUG_INS, PREDICTIVES, Fit, collect_fits, needs_posterior
from pp_mlekl.fitted.held_out import held_out_scores
from pp_mlekl.fitted.rows import RowDivergences, missing, mixture_divergences, row_divergences
from pp_mlekl.fitted.table import assemble
from pp_mlekl.fitted.theory import Theory, theory
from pp_mlekl.point_estimates import PointEstimate
from pp_mlekl.pymc_model.distributions import observed_distributions
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.sampling import sample
from pp_mlekl.truth import Truth, as_truth

Results = dict[str, dict[str, RowDivergences]]


def fitted_divergence(
    model: Any,
    truth: Any = None,
    tree: xr.DataTree | None = None,
    *,
    estimates: Mapping[str, PointEstimate] | None = None,
    estimators: Sequence[str] | None = None,
    random_seed: Any = None,
    potentials: Literal["prior", "likelihood"] | None = None,
) -> xr.Dataset:
    """How far the distributions fitted by each estimator are from the true one, in nats.

    Everything is for one new observation at each row of the model's data, given the row's covariates (and, with
    latent variables per group, for the same groups). ``kl`` is the sum over rows.

    Parameters
    ----------
    model
        A PyMC model.
    truth
        A mapping from parameter names to values, another PyMC model, a distribution, or held-out draws (see
        ``pp_mlekl.truth.as_truth``). Without one the posterior predictive takes its place: then ``kl`` is
        KL(posterior predictive||plug-in), what a point estimate throws away.
    tree
        The posterior; sampled from the model where it is needed and not given.
    estimates
        Point estimates that are known already, by name (``mle``, ``map``, ``map_unconstrained``).
    estimators
        Which fits: ``mle``, ``map``, ``map_unconstrained``, ``posterior_mean``, ``posterior_predictive``,
        ``laplace``; by default ``mle``, ``map`` and, with a truth, ``posterior_predictive``.
    random_seed
        For sampling, searches and, with vector-valued observations, Monte Carlo.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.

    Returns
    -------
    xarray.Dataset
        Over ``estimator``: ``kl``, ``kl_reverse`` (sums over rows), ``kl_mean``, ``jsd`` (means over rows; ``jsd`` is
        at most ln 2), each with its ``..._mcse``, ``kl_theory`` (what large-sample theory expects of the sum) and
        ``kl_bias`` (what the finite number of draws would have added; it is removed). ``kl_pointwise`` has the rows'
        own dims. An estimate that does not exist has NaN, and ``attrs["warnings"]`` says why.

    Raises
    ------
    ValueError
        Where the truth does not fit the model, or an estimator is not known.

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
    names = _checked_estimators(estimators, truth)
    generator = np.random.default_rng(random_seed)
    resolved = None if truth is None else as_truth(functions, truth)
    if tree is None and (needs_posterior(names) or resolved is None):
        tree = sample(model, random_seed=int(generator.integers(2**31)), potentials=potentials)
    fits = collect_fits(functions, names, estimates or {}, tree, potentials, generator)
    if resolved is None:
        (predictive,) = collect_fits(functions, ["posterior_predictive"], {}, tree, potentials, generator)
        results = _from_predictive(functions, fits, predictive, generator)
        expected = Theory()
    elif resolved.kind == "draws":
        return held_out_scores(functions, resolved, fits)
    else:
        results = _from_truth(functions, fits, resolved, generator)
        expected = theory(functions, resolved, generator)
    return assemble(functions, fits, results, expected, "posterior_predictive" if resolved is None else resolved.kind)


def _checked_estimators(estimators: Sequence[str] | None, truth: Any) -> list[str]:
    known = (*PLUG_INS, *PREDICTIVES)
    if estimators is None:
        return ["mle", "map"] if truth is None else ["mle", "map", "posterior_predictive"]
    if isinstance(estimators, str):
        estimators = [estimators]
    for name in estimators:
        if name not in known:
            raise ValueError(f"estimators must be among {', '.join(known)}, got {name!r}.")
        if truth is None and name in PREDICTIVES:
            raise ValueError(f"Without a truth only plug-ins can be compared with the predictive, not {name!r}.")
    return list(estimators)


def _from_truth(functions: ModelFunctions, fits: list[Fit], truth: Truth, generator: np.random.Generator) -> Results:
    results: Results = {}
    for fit in fits:
        results[fit.name] = {
            v.name: row_divergences(functions, v.name, v.shape, truth.distributions[v.name], fit, generator)
            for v in functions.measured
        }
    return results


def _from_predictive(
    functions: ModelFunctions, fits: list[Fit], predictive: Fit, generator: np.random.Generator
) -> Results:
    """KL(posterior predictive||plug-in): the reverse direction of plug-in against mixture."""
    results: Results = {}
    for fit in fits:
        results[fit.name] = {}
        for v in functions.measured:
            if fit.flat is None or predictive.draws is None:
                results[fit.name][v.name] = missing(v.shape, predictive.warnings)
                continue
            p = observed_distributions(functions, fit.flat)[v.name]
            swapped = mixture_divergences(functions, v.name, p, predictive.draws, generator).swapped()
            results[fit.name][v.name] = swapped
    return results
