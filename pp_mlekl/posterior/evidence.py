"""The log evidence of a model: bridge sampling from ordinary draws, SMC, or a Laplace approximation."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from pp_mlekl.diagnostics.diagnose import sampling_problems
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.posterior.bridge.bridge_sampling import bridge_sampling
from pp_mlekl.posterior.draws_check import check_draws
from pp_mlekl.posterior.evidence_estimate import Evidence, NoMode, log_prior_mass
from pp_mlekl.pymc_model.draws.before_sampling import with_sample_kwargs
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.draws.normalized_prior import prior_potentials
from pp_mlekl.pymc_model.draws.sampling import sample
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.pymc_model.prior_sampler import improper_names
from pp_mlekl.typing import Array, NutsSampler, Potentials, RandomSeed, SampleKwargs
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.posterior_group import posterior_of
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import pymc as pm

# Minimum number of draws for the covariance of a proposal.
_FEWEST_DRAWS = 100
_METHODS = {"bridge": "bridge sampling", "smc": "sequential Monte Carlo", "laplace": "Laplace"}


@deprecated_arguments(renamed={"tree": "idata"}, positional=("model", "idata", "method"))
@checked_arguments
def log_evidence(
    model: "pm.Model",
    idata: xr.DataTree | None = None,
    *,
    method: Literal["bridge", "smc", "laplace"] = "bridge",
    space: Literal["natural", "unconstrained"] = "unconstrained",
    nuts_sampler: NutsSampler = "nutpie",
    sample_kwargs: SampleKwargs | None = None,
    potentials: Potentials = None,
    random_seed: RandomSeed = None,
) -> Estimate:
    """Log evidence in nats, which is invariant under transforms; ``method="laplace"`` is normal on the unconstrained scale.

    It is the logarithm of the integral of the likelihood over the prior.

    Parameters
    ----------
    model
        A PyMC model.
    idata
        Posterior draws (``chain``, ``draw``); sampled if None or without a posterior. Not used by ``"smc"`` and ``"laplace"``.
    method
        ``"bridge"`` (Meng and Wong 1996), ``"smc"`` (``pm.sample_smc``) or ``"laplace"``, whose error is its distance from
        importance sampling with the same normal.
    space
        For ``"laplace"``: the scale on which the posterior is approximated by a normal, by default the one without bounds.
    nuts_sampler, sample_kwargs
        Sampler and further arguments of ``pm.sample`` (``draws``, ``tune``, ``target_accept``, ``cores``, ...), used if the
        model is sampled.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.
    random_seed
        Anything ``numpy.random.default_rng`` takes.

    Returns
    -------
    Estimate
        NaN with the reason in ``warnings`` where it is unreliable, where the draws are not from the model's posterior, or where
        a prior is improper, since it would depend on an arbitrary constant. The prior is normalised over the range of its
        transforms, such as an ordering. Potentials that count as prior are not normalised; a warning reports this.

    Raises
    ------
    TypeError, ValueError
        Where the method is unknown, there are fewer than 100 draws, or ``idata`` does not match the model.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 1)
    ...     y = pm.Normal("y", mu, 1, observed=[0.5, 1.5])
    >>> round(float(log_evidence(model, method="laplace")), 4)
    -2.9705
    """
    functions = model_functions(model, potentials)
    generator = generator_of(random_seed)
    improper = improper_names(functions.model)
    if improper:
        return no_evidence(
            _METHODS[method],
            f"The prior of {', '.join(improper)} is improper: log Z is defined only up to an arbitrary constant. Give it a "
            "proper prior.",
        )
    if method == "laplace":
        return _by_laplace(functions, space, potentials, generator)
    if method == "smc":
        return _by_smc(functions, generator)
    idata = with_posterior(model, idata, potentials, generator, nuts_sampler, sample_kwargs)
    z = unconstrained_draws(functions, idata)
    if z.shape[0] * z.shape[1] < _FEWEST_DRAWS:
        raise ValueError(f"Too few draws for an evidence ({z.shape[0] * z.shape[1]}); take at least {_FEWEST_DRAWS}.")
    check = check_draws(functions, idata, z)
    if check.problems:
        return no_evidence(_METHODS[method], *check.problems)
    centre = functions.mean_direction(z)

    def log_density(points: Array) -> Array:
        # The density of an angle repeats with every turn; one turn is the posterior.
        return np.where(functions.in_turn(points, centre), functions.value(points, a=1.0, b=1.0), -np.inf)

    result = bridge_sampling(z, log_density, generator)
    number = result.number.plus(log_prior_mass(functions), -1.0)
    return Evidence(
        value=number.value,
        mcse=number.standard_error,
        method=result.method,
        direction="log Z",
        warnings=(*result.problems, *check.cautions, *_about_sampling(functions, idata), *_about_the_prior(functions)),
        draws=z,
        number=number,
    )


def with_posterior(
    model: "pm.Model",
    idata: xr.DataTree | None,
    potentials: Potentials,
    generator: np.random.Generator,
    nuts_sampler: str,
    sample_kwargs: SampleKwargs | None,
) -> xr.DataTree:
    """A tree of posterior draws: the given one, or a sampled one if that has none.

    Raises
    ------
    TypeError
        Where ``idata`` is not a DataTree.
    """
    if idata is not None and (not isinstance(idata, xr.DataTree) or "posterior" in idata.children):
        posterior_of(idata)
        return idata
    own = {"random_seed": generator, "potentials": potentials, "nuts_sampler": nuts_sampler}
    return sample(model, **with_sample_kwargs(sample_kwargs, **own))


def _about_the_prior(functions: ModelFunctions) -> tuple[str, ...]:
    names = ", ".join(str(p.name) for p in prior_potentials(functions))
    if not names:
        return ()
    return (
        f"The prior's potential ({names}) is not normalised: information_gain gives what to subtract (log_prior_normalizer) "
        "before models are compared.",
    )


def _about_sampling(functions: ModelFunctions, idata: xr.DataTree) -> tuple[str, ...]:
    names = [v.name for v in functions.free if v.name in idata["posterior"]]
    problems = sampling_problems(idata, names)
    return tuple(f"{problem} The evidence may be wrong by more than its error." for problem in problems)


def no_evidence(method: str, *reasons: str) -> Estimate:
    """NaN in place of a log evidence, with the reasons as warnings."""
    return Estimate(value=np.nan, mcse=np.nan, method=method, direction="log Z", warnings=reasons)


def _by_smc(functions: ModelFunctions, generator: np.random.Generator) -> Estimate:
    from pp_mlekl.pymc_model.draws.smc import smc_log_evidence

    value, error = smc_log_evidence(functions, generator)
    if not (np.isfinite(value) and np.isfinite(error)):
        return no_evidence(
            _METHODS["smc"], "Sequential Monte Carlo failed: its runs gave no finite evidence, or identical ones."
        )
    return Estimate(
        value=value, mcse=error, method=_METHODS["smc"], direction="log Z", warnings=_about_the_prior(functions)
    )


def _by_laplace(
    functions: ModelFunctions, space: Literal["natural", "unconstrained"], potentials: Any, generator: Any
) -> Estimate:
    from pp_mlekl.posterior.laplace import laplace

    method = f"{_METHODS['laplace']} ({space})"
    try:
        approximation = laplace(functions.model, space=space, potentials=potentials, random_seed=generator)
    except NoMode as error:
        return no_evidence(method, str(error))
    value = approximation.log_normalizer()
    checked = approximation.importance_sampled(random_seed=generator)
    return Estimate(
        value=value,
        mcse=float(np.hypot(value - float(checked), checked.mcse)),
        method=method,
        direction="log Z",
        warnings=(*checked.warnings, *_about_the_prior(functions)),
    )
