"""Information gain: divergences between prior and posterior, joint and for each parameter."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.posterior.bridge.control_variates import controlled_mean
from pp_mlekl.posterior.bridge.density_ratio import density_ratio_divergences
from pp_mlekl.posterior.bridge.number_with_error import WithError, independent_mean, plain_mean
from pp_mlekl.posterior.draws_check import check_draws
from pp_mlekl.posterior.evidence import log_evidence as estimate_log_evidence
from pp_mlekl.posterior.evidence import no_evidence, with_posterior
from pp_mlekl.posterior.evidence_estimate import evidence_over
from pp_mlekl.posterior.marginal_information_gain import FORWARD, Gain, drawn_gain, group_gain, variable_gain
from pp_mlekl.pymc_model.derivatives import NoDerivative
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.draws.normalized_prior import ProperPrior, prior_potentials, proper_prior
from pp_mlekl.pymc_model.layout import dims_of, labelled
from pp_mlekl.pymc_model.marginal_prior_density import log_top_level_prior
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.prior_sampler import improper_names
from pp_mlekl.typing import Array, Names, NutsSampler, Potentials, RandomSeed, SampleKwargs
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.seeds import generator_of
from pp_mlekl.utils.warning_attributes import warnings_attribute

if TYPE_CHECKING:
    import pymc as pm

_PRIOR_DRAWS = 4000


@deprecated_arguments(renamed={"tree": "idata"})
@checked_arguments
def information_gain(
    model: "pm.Model",
    idata: xr.DataTree | None = None,
    *,
    log_evidence: Estimate | None = None,
    var_names: Names | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    reverse: bool = False,
    nuts_sampler: NutsSampler = "nutpie",
    sample_kwargs: SampleKwargs | None = None,
    potentials: Potentials = None,
    random_seed: RandomSeed = None,
) -> xr.DataTree:
    """Divergences between prior and posterior, in nats, each with its standard error.

    Parameters
    ----------
    model
        A PyMC model with a proper prior.
    idata
        Posterior draws (``chain``, ``draw``); sampled if None or without a posterior.
    log_evidence
        log Z in nats; by default estimated by bridge sampling.
    var_names
        The free variables and deterministics for marginal divergences; by default all free variables. For a deterministic the
        prior is known by draws only.
    groups
        Names of groups of free variables for joint divergences, e.g. ``{"effects": ["a", "b"]}``. A group's posterior density
        is normal where a test does not reject this, else estimated by nearest neighbours; the attributes of the node
        ``group`` give the method.
    reverse
        Whether to estimate KL(prior||post) of each element, too. It uses draws of both sides, is slower, and is NaN where the
        posterior's draws do not cover the prior's.
    nuts_sampler, sample_kwargs
        Sampler and further arguments of ``pm.sample`` (``draws``, ``tune``, ``target_accept``, ``cores``, ...), used if the
        model is sampled.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    random_seed
        Anything ``numpy.random.default_rng`` takes.

    Returns
    -------
    xarray.DataTree
        Node ``joint`` has scalars, each with its ``..._mcse``: ``kl_posterior_prior``, ``kl_prior_posterior``, ``jsd``,
        ``total_variation``, ``hellinger_squared``, ``log_evidence``; ``log_prior_normalizer``, the log integral of the prior's
        density with its potentials, which is not subtracted from ``log_evidence`` (0 without potentials);
        ``model_dimensionality``, 2 Var(log L) (Handley and Lemos 2019); ``dependence_gap``, the joint KL minus the sum of the
        marginal ones, including redundant elements as on a simplex; and ``log_evidence_prior_sensitivity``, d log Z / d log s
        if the priors with constant parents are raised to the power s^-2 and normalised, so that the scale of a normal grows
        s-fold and a uniform does not change. Nodes ``marginal`` and ``marginal_mcse`` have KL(post||prior) of each element;
        with ``reverse``, ``marginal_reverse`` and ``marginal_reverse_mcse`` have KL(prior||post). Node ``group`` has a scalar
        for each group. Unavailable values are NaN, and the tree's ``warnings`` attribute gives the reasons.

    Raises
    ------
    TypeError, ValueError
        Where a prior is improper, hardly any prior draw is compatible with the potentials, or ``var_names`` or ``groups`` name
        unknown variables.

    Examples
    --------
    >>> import pymc as pm
    >>> from pp_mlekl import laplace
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 1)
    ...     y = pm.Normal("y", mu, 1, observed=[0.5, 1.5])
    >>> gain = information_gain(model, laplace(model, draws=4000, random_seed=1).tree, random_seed=2)
    >>> round(float(gain["joint"]["kl_posterior_prior"]), 3)  # 0.5 * (log(3) + 1 / 3 + (2 / 3)**2 - 1)
    0.438
    """
    functions = model_functions(model, potentials)
    improper = improper_names(functions.model)
    if improper:
        raise ValueError(
            f"The prior of {', '.join(improper)} is improper, so that there is no divergence from it. Give it a proper prior."
        )
    names = _checked_names(functions, var_names, groups or {})
    generator = generator_of(random_seed)
    idata = with_posterior(model, idata, potentials, generator, nuts_sampler, sample_kwargs)
    if log_evidence is None:
        log_evidence = estimate_log_evidence(model, idata, potentials=potentials, random_seed=generator)
    z = unconstrained_draws(functions, idata)
    check = check_draws(functions, idata, z)
    if check.problems:
        log_evidence = no_evidence(log_evidence.method, *check.problems)
    proper = proper_prior(functions, _PRIOR_DRAWS, generator)
    prior = proper.draws
    joint, notes = _joint(functions, z, proper, log_evidence)
    gains = _gains(functions, names, z, prior, generator, reverse=False)
    if var_names is None:
        joint["dependence_gap"] = _dependence_gap(joint["kl_posterior_prior"], list(gains.values()))
        notes += _redundant(functions)
    nodes = {"joint": _scalars(joint)}
    for suffix, more in (
        ("", gains),
        ("_reverse", _gains(functions, names if reverse else (), z, prior, generator, True)),
    ):
        if more:
            nodes[f"marginal{suffix}"] = _labelled(functions, {k: g.values for k, g in more.items()})
            nodes[f"marginal{suffix}_mcse"] = _labelled(functions, {k: g.errors for k, g in more.items()})
            notes += [w for g in more.values() for w in g.warnings]
    if groups:
        nodes["group"], about_groups = _group_dataset(functions, groups, z, prior, generator)
        notes += about_groups
    result = xr.DataTree.from_dict(nodes)
    reasons = [*log_evidence.warnings, *check.cautions, *notes]
    result.attrs |= {"units": "nats", "direction": f"marginal: {FORWARD}", "warnings": warnings_attribute(reasons)}
    return result


def _joint(
    functions: ModelFunctions, z: Array, prior: ProperPrior, evidence: Estimate
) -> tuple[dict[str, WithError], list[str]]:
    try:
        _, gradients = functions.value_gradient(z, a=1.0, b=1.0)
    except NoDerivative:
        # Means without control variates need no gradients.
        gradients = np.full(z.shape, np.nan)

    def derivatives(point: Array) -> tuple[Array, Array, Array]:
        _, slope, curvature = functions.value_gradient_hessian(point)
        return slope, curvature, functions.value_gradient_hessian(point, a=1.0, b=1.0)[2]

    def mean(values: Array) -> WithError:
        try:
            return controlled_mean(values, z, gradients, derivatives)
        except NoDerivative:
            return controlled_mean(values, z, gradients)

    log_z = evidence_over(evidence, z)
    of_prior = WithError(value=prior.log_normalizer, rest=prior.standard_error**2)
    at_prior = functions.log_likelihood(prior.draws)
    at_prior = np.where(np.isnan(at_prior), -np.inf, at_prior)
    # The divergences are from the normalised prior.
    joint = density_ratio_divergences(functions.log_likelihood(z), at_prior, log_z.plus(of_prior, -1.0), mean)
    joint |= {"log_evidence": log_z, "log_prior_normalizer": of_prior}
    joint["log_evidence_prior_sensitivity"] = _prior_sensitivity(functions, z, prior.draws)
    return joint, [f"{name}: {w}" for name, number in joint.items() for w in number.warnings]


def _prior_sensitivity(functions: ModelFunctions, z: Array, prior: Array) -> WithError:
    """d log Z / d log s, where the top-level priors are raised to the power s^-2 and normalised (a normal's scale is s)."""
    after, before = (log_top_level_prior(functions, points) for points in (z, prior))
    return WithError(value=0.0).plus(plain_mean(after).plus(independent_mean(before), -1.0), -2.0)


def _gains(
    functions: ModelFunctions,
    names: Sequence[str],
    z: Array,
    prior: Array,
    generator: np.random.Generator,
    reverse: bool,
) -> dict[str, Gain]:
    # With potentials, the marginal priors of single elements are not those of their families.
    free = {} if prior_potentials(functions) else {v.name: v for v in functions.free}
    result = {}
    for name in names:
        if name in free and not reverse:
            result[name] = variable_gain(functions, free[name], z, prior, generator)
            continue
        after, before = (_values(functions, name, points) for points in (z, prior))
        result[name] = drawn_gain(after, before, name, generator, reverse=reverse)
    return result


def _values(functions: ModelFunctions, name: str, z: Array) -> Array:
    if name in {v.name for v in functions.free}:
        return functions.natural(z)[name]
    return functions.evaluate([functions.model[name]], z)[0]


def _dependence_gap(joint: WithError, gains: Sequence[Gain]) -> WithError:
    total = sum(float(np.sum(g.values)) for g in gains)
    complete = [g.terms for g in gains if g.terms is not None]
    if len(complete) < len(gains):
        # The errors of elements known by draws only are added linearly, since their correlation is unknown.
        marginals = WithError(value=total, rest=sum(float(np.sum(g.errors)) for g in gains) ** 2)
    else:
        terms = np.sum(complete, axis=0)
        rest = sum(g.variance for g in gains) + sum(g.bias for g in gains) ** 2
        marginals = WithError(value=total, influence=terms - terms.mean(), rest=rest)
    return joint.plus(marginals, -1.0)


def _redundant(functions: ModelFunctions) -> list[str]:
    """A note where variables have more elements than free coordinates, as probabilities that sum to 1."""
    names = [v.name for v in functions.free if v.flat.stop - v.flat.start < v.natural.stop - v.natural.start]
    if not names:
        return []
    return [
        f"dependence_gap: the elements of {', '.join(names)} are redundant, and each counts in the sum of the marginals, which "
        "lowers the gap."
    ]


def _group_dataset(
    functions: ModelFunctions,
    groups: Mapping[str, Sequence[str]],
    z: Array,
    prior: Array,
    generator: np.random.Generator,
) -> tuple[xr.Dataset, list[str]]:
    estimates = {label: group_gain(functions, names, z, prior, generator) for label, names in groups.items()}
    scalars = {label: float(e) for label, e in estimates.items()}
    scalars |= {f"{label}_mcse": float(e.mcse) for label, e in estimates.items()}
    methods = {label: e.method for label, e in estimates.items()}
    return xr.Dataset(scalars, attrs=methods), [f"{label}: {w}" for label, e in estimates.items() for w in e.warnings]


def _scalars(joint: Mapping[str, WithError]) -> xr.Dataset:
    values = {name: number.value for name, number in joint.items()}
    return xr.Dataset(values | {f"{name}_mcse": number.standard_error for name, number in joint.items()})


def _labelled(functions: ModelFunctions, arrays: Mapping[str, Array]) -> xr.Dataset:
    free = {v.name: v.dims for v in functions.free}
    model = functions.model
    dims = {name: free.get(name) or dims_of(model, name, a.ndim) for name, a in arrays.items()}
    return xr.Dataset({name: labelled(model, name, a, (), dims[name]) for name, a in arrays.items()})


def _checked_names(
    functions: ModelFunctions, var_names: Sequence[str] | None, groups: Mapping[str, Sequence[str]]
) -> list[str]:
    free = [v.name for v in functions.free]
    known = [*free, *(d.name for d in functions.model.deterministics)]
    names = free if var_names is None else list(var_names)
    check_names("var_names", names, known, fewest=0)
    for label, members in groups.items():
        check_names(f"groups[{label!r}]", members, free)
    return names
