"""``find_mle`` and ``find_map``: one search, three choices of what is maximised."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr
from numpy.typing import ArrayLike

from pp_mlekl.estimation.failed_search import with_reason
from pp_mlekl.estimation.jeffreys import JeffreysProblem
from pp_mlekl.estimation.jeffreys_estimate import jeffreys_estimate
from pp_mlekl.estimation.labelled_estimate import labelled_estimate
from pp_mlekl.estimation.large_models import large_estimate
from pp_mlekl.estimation.marginal_likelihood.marginal_fit import find_marginal_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.separated_estimate import confirmed, decided
from pp_mlekl.estimation.separation import convened
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.optimize.search import search
from pp_mlekl.pymc_model.bambi import pymc_model_of
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.typing import Names, Potentials, RandomSeed
from pp_mlekl.utils.arguments import check_names, checked_arguments
from pp_mlekl.utils.counts import check_count, check_memory, counted
from pp_mlekl.utils.deprecation import deprecated_arguments
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import pymc as pm

Data = Mapping[str, ArrayLike] | None


@deprecated_arguments(renamed={"tree": "idata"}, mappings=("estimates",))
@checked_arguments
def find_mle(
    model: "pm.Model",
    *,
    starts: int = 10,
    random_seed: RandomSeed = None,
    weights: ArrayLike | None = None,
    data: Data = None,
    marginalize: Names | None = None,
    potentials: Potentials = None,
    idata: xr.DataTree | None = None,
    estimates: Mapping[str, PointEstimate] | None = None,
    standard_errors: Names | None = None,
) -> PointEstimate:
    """The maximum likelihood estimate of a PyMC model, which is the same on every scale, or why there is none.

    Parameters
    ----------
    model
        A PyMC model with continuous free variables; its priors only say where to start.
    starts
        Number of searches: the initial point, ``estimates``, posterior draws of ``idata``, prior draws.
    random_seed
        For the starts; the same seed gives the same result.
    weights
        Weight of each term of the log-likelihood, flat, (n_observations,): finite, not negative, not all 0.
    data
        Observed data in place of the model's, by observed variable, in the shape of the model's own and without NaN.
    marginalize
        Names of latent variables to integrate out by Laplace's approximation; at most five searches are then made.
    potentials
        Whether ``pm.Potential`` terms count as prior or as likelihood.
    idata
        A DataTree whose posterior draws serve as starts.
    estimates
        Other estimates of the same model to start from, by any names.
    standard_errors
        Names of the variables whose standard errors are wanted; all by default. It matters in models of more than 400
        parameters, where no whole Hessian is formed: the search goes by Hessian-vector products, unless the Hessian is
        sparse each standard error costs a solution by conjugate gradients, and the covariance is NaN but for the
        variables named here (as long as they have no more than 2,000 elements).

    Returns
    -------
    PointEstimate
        Hyperparameters that the likelihood does not contain are NaN, with a warning.

    Raises
    ------
    TypeError, ValueError
        Where the model is refused, an argument does not fit it, the likelihood contains none of the parameters, or an
        operation in it has no gradient.

    Notes
    -----
    Where an operation has a gradient but no second derivative, the Hessian is taken from differences of gradients; a warning
    names the operation.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     rate = pm.Gamma("rate", 2, 1)
    ...     y = pm.Poisson("y", rate, observed=[3, 1, 4, 1, 5])
    >>> estimate = find_mle(model, random_seed=1)
    >>> estimate.status, round(float(estimate.values["rate"]), 4), round(float(estimate.standard_error["rate"]), 4)
    ('converged', 2.8, 0.7483)
    """
    check_count("starts", starts)
    if marginalize is not None:
        functions = model_functions(model, potentials, _latents(pymc_model_of(model), marginalize))
        return find_marginal_mle(
            functions,
            marginalize,
            starts=starts,
            random_seed=random_seed,
            weights=weights,
            data=data,
            idata=idata,
            estimates=estimates or {},
        )
    problem = Problem(functions=model_functions(model, potentials), kind="mle", weights=weights, data=data)
    return _estimate(problem, starts, random_seed, idata, estimates or {}, standard_errors)


@deprecated_arguments(renamed={"tree": "idata"}, mappings=("estimates",))
@checked_arguments
def find_map(
    model: "pm.Model",
    *,
    space: Literal["natural", "unconstrained"] = "natural",
    penalty: Literal["jeffreys"] | None = None,
    information: Literal["expected", "observed"] = "expected",
    starts: int = 10,
    random_seed: RandomSeed = None,
    weights: ArrayLike | None = None,
    data: Data = None,
    potentials: Potentials = None,
    idata: xr.DataTree | None = None,
    estimates: Mapping[str, PointEstimate] | None = None,
    standard_errors: Names | None = None,
) -> PointEstimate:
    """The MAP estimate, by default on the natural scale (the mode of the density of the parameters themselves).

    Parameters
    ----------
    model
        A PyMC model with continuous free variables.
    space
        ``"natural"``: the mode of the posterior density of the parameters themselves; ``"unconstrained"``: of the
        density after PyMC's transforms, Jacobian included (what Laplace's approximation and HMC see). The two
        differ; the MLE does not depend on the scale.
    penalty
        ``"jeffreys"``: in place of the model's priors the root of the determinant of the information about the parameters (in
        ``space``), which takes the bias of order 1/n out of the estimates of canonical exponential families (Firth 1993), and
        keeps those of binomial models finite where observations are separated (Kosmidis and Firth 2021). Tests and intervals
        of the estimate by ``nested_tests`` and ``profile`` are those of the penalised likelihood.
    information
        Which one the penalty takes: Fisher's expected information, or the observed one, for any model with a Hessian.
    starts, random_seed, weights, data, potentials, idata, estimates, standard_errors
        As for ``find_mle``.

    Returns
    -------
    PointEstimate
        Standard errors come from the curvature of the log posterior density on the scale chosen; with a penalty from the
        information at the estimate, and ``log_prior`` is then the penalty.

    Raises
    ------
    TypeError, ValueError
        Where the model is refused, or an argument does not fit it.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     p = pm.Beta("p", 2, 2)
    ...     y = pm.Binomial("y", 20, p, observed=13)
    >>> natural, logit = find_map(model), find_map(model, space="unconstrained")
    >>> round(float(natural.values["p"]), 4), round(float(logit.values["p"]), 4)
    (0.6364, 0.625)

    With 20 successes in 20 trials the logit that maximises the penalised likelihood is finite.

    >>> with pm.Model() as model:
    ...     y = pm.Binomial("y", 20, logit_p=pm.Normal("a", 0, 10), observed=20)
    >>> find_mle(model).status, round(float(find_map(model, penalty="jeffreys").values["a"]), 4)
    ('at_infinity', 3.7136)
    """
    check_count("starts", starts)
    kind = "map" if space == "natural" else "map_unconstrained"
    if penalty is not None:
        penalized = JeffreysProblem(
            functions=model_functions(model, potentials), kind=kind, weights=weights, data=data, information=information
        )
        return jeffreys_estimate(penalized, {"starts": 1, "random_seed": _plain(random_seed)})
    problem = Problem(functions=model_functions(model, potentials), kind=kind, weights=weights, data=data)
    return _estimate(problem, starts, random_seed, idata, estimates or {}, standard_errors)


def _latents(model: "pm.Model", names: Sequence[str]) -> tuple[str, ...]:
    free = [rv.name for rv in model.free_RVs]
    check_names("marginalize", names, free)
    if len(set(names)) == len(free):
        raise ValueError("marginalize names every free variable; leave at least one to be estimated.")
    return tuple(name for name in free if name in names)


def _estimate(
    problem: Problem,
    starts: int,
    random_seed: RandomSeed,
    idata: xr.DataTree | None,
    estimates: Mapping[str, PointEstimate],
    standard_errors: Sequence[str] | None,
) -> PointEstimate:
    check_names("standard_errors", standard_errors or (), [v.name for v in problem.functions.free], fewest=0)
    check_memory(int(starts) * problem.functions.size, counted(starts, "start"))
    for other in estimates.values():
        check_belongs(problem.functions, other)
    settings = {"starts": 1, "random_seed": _plain(random_seed)}
    court = convened(problem)
    # A concave likelihood has one maximum, from wherever it is climbed.
    one_start = problem.base[None, problem.kept]
    if court is not None and court.alone and not (court.exists and court.identified):
        estimate = decided(court, one_start, settings)
        if estimate is not None:
            return estimate
    generator = generator_of(random_seed)
    places = problem.starts(starts, generator, idata, [e.flat for e in estimates.values()])
    settings["starts"] = len(places)
    if court is not None and not court.alone:
        estimate = decided(court, places, settings)
        if estimate is not None:
            return estimate
    verdict = with_reason(problem, search(problem.objective, places, problem.space), places)
    if problem.objective.wide:
        return large_estimate(problem, verdict, settings, standard_errors)
    estimate = labelled_estimate(problem, verdict, settings)
    return estimate if court is None else confirmed(court, estimate, one_start)


def _plain(random_seed: RandomSeed) -> Any:
    return random_seed if isinstance(random_seed, int | None) else repr(random_seed)
