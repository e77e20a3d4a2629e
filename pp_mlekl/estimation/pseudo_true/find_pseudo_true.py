"""The pseudo-true parameter: the minimiser of KL(true||model)."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from pp_mlekl.estimation.labelled_estimate import settled
from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedFit, expected_fit
from pp_mlekl.estimation.pseudo_true.pseudo_true_result import PseudoTrue
from pp_mlekl.inputs.truth import Truth, as_truth
from pp_mlekl.optimize.covariance import reported
from pp_mlekl.pymc_model.model_functions import ModelFunctions, model_functions
from pp_mlekl.typing import Array, Potentials, RandomSeed, TruthLike
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import check_count, check_memory
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import pymc as pm


@checked_arguments
def pseudo_true(
    model: "pm.Model",
    truth: TruthLike,
    *,
    starts: int = 6,
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
) -> PseudoTrue:
    """The parameter that minimises KL(true||model): the limit of the MLE, even if the model is wrong.

    The expected log-likelihood is maximised by the same search as the log-likelihood of data, on quadrature nodes of
    the truth (a sum for discrete variables, a seeded sample for vector-valued ones). Everything is conditional on
    the model's covariates.

    Parameters
    ----------
    model
        A PyMC model.
    truth
        A mapping from parameter names to values, another PyMC model, a distribution (the same for all rows), or
        held-out draws (see ``pp_mlekl.inputs.truth.as_truth``).
    starts
        Number of searches.
    random_seed
        For the starts, and for truths that have to be sampled.
    potentials
        Whether ``pm.Potential`` terms count as ``"prior"`` or ``"likelihood"``.

    Returns
    -------
    PseudoTrue
        A ``PointEstimate`` with ``kl_min``, ``J``, ``K`` and the sandwich covariance (White 1982).

    Raises
    ------
    TypeError, ValueError
        Where the model is refused, a potential counts as likelihood, or the truth does not fit the model.

    Examples
    --------
    A Poisson model of overdispersed counts: the mean is right, its standard error is not.

    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Exponential("mu", 1.0)
    ...     y = pm.Poisson("y", mu, observed=[3, 0, 7, 5, 2])
    >>> found = pseudo_true(model, pm.NegativeBinomial.dist(mu=4.0, alpha=2.0), random_seed=1)
    >>> round(float(found.values["mu"]), 6), round(found.kl_min, 6), round(found.trace, 6)
    (4.0, 0.400605, 3.0)
    """
    check_count("starts", starts)
    functions = model_functions(model, potentials)
    check_memory(int(starts) * functions.size, f"{starts} starts")
    generator = generator_of(random_seed)
    if len(functions.measured) < len(functions.observed):
        raise ValueError(
            "A pm.Potential that counts as likelihood has no distribution over data, so it has no expectation; "
            'pass potentials="prior", or write it as an observed variable.'
        )
    resolved = as_truth(functions, truth)
    settings = {"starts": starts, "random_seed": repr(random_seed)}
    return pseudo_true_of(functions, resolved, generator, starts, settings)[1]


def pseudo_true_of(
    functions: ModelFunctions,
    truth: Truth,
    generator: np.random.Generator,
    starts: int = 6,
    settings: dict[str, Any] | None = None,
) -> tuple[ExpectedFit, PseudoTrue]:
    """The same for a truth that is resolved already: the arrays, and the labelled result."""
    fit = expected_fit(functions, truth, generator, starts)
    entropy = np.nan
    if truth.kind != "draws":
        entropy = (-fit.expected_log_likelihood - fit.kl_min) / functions.n_observations
    return fit, _result(functions, fit, entropy, settings or {"starts": starts})


def _result(functions: ModelFunctions, fit: ExpectedFit, entropy: float, settings: dict[str, Any]) -> PseudoTrue:
    problem, n = fit.problem, functions.n_observations
    values = np.full(functions.natural_size, np.nan)
    outcome = reported(fit.verdict, problem.space, problem.jacobian(fit.verdict.z))
    values[problem.natural_kept] = outcome.values
    nothing = np.full((len(problem.kept), len(problem.kept)), np.nan)
    information = fit.information
    flat_covariance = nothing if information is None else information.sandwich(n)
    flat_naive = nothing if information is None else information.naive(n)
    jacobian = problem.jacobian(fit.verdict.z)
    covariance = _natural(functions, problem.natural_kept, jacobian @ flat_covariance @ jacobian.T)
    naive = _natural(functions, problem.natural_kept, jacobian @ flat_naive @ jacobian.T)
    backwards = np.linalg.pinv(jacobian) if np.all(np.isfinite(jacobian)) else np.full(jacobian.T.shape, np.nan)
    j = nothing if information is None else information.hessian
    k = nothing if information is None else information.score
    warnings = [*fit.verdict.warnings, *problem.warnings]
    if not problem.nodes.exact:
        warnings.append(
            "The expectation under the truth is a mean over a sample, so the parameter has a sampling error."
        )
    flat = np.full((functions.size, functions.size), np.nan)
    flat[np.ix_(problem.kept, problem.kept)] = flat_covariance
    return PseudoTrue(
        kind="pseudo_true",
        values=functions.to_dataset(functions.split(values)),
        standard_error=_errors(functions, covariance),
        covariance=_labelled(functions, covariance),
        log_likelihood=float(fit.expected_log_likelihood),
        log_prior=float(functions.log_prior(fit.flat)),
        status=fit.verdict.status,
        warnings=tuple(warnings),
        audit=fit.verdict.audit,
        flat=fit.flat,
        flat_covariance=flat,
        n_observations=n,
        n_parameters=len(problem.kept),
        settled=settled(problem, fit.verdict, None if information is None else np.nan_to_num(flat)),
        settings=settings,
        model=functions.model,
        kl_min=fit.kl_min / n,
        kl_min_mcse=fit.kl_min_mcse / n,
        entropy=entropy,
        naive_standard_error=_errors(functions, naive),
        J=_labelled(functions, _natural(functions, problem.natural_kept, backwards.T @ j @ backwards)),
        K=_labelled(functions, _natural(functions, problem.natural_kept, backwards.T @ k @ backwards)),
        information=information,
    )


def _natural(functions: ModelFunctions, kept: Array, matrix: Array) -> Array:
    result = np.full((functions.natural_size, functions.natural_size), np.nan)
    result[np.ix_(kept, kept)] = matrix
    return result


def _errors(functions: ModelFunctions, covariance: Array) -> xr.Dataset:
    with np.errstate(invalid="ignore"):
        return functions.to_dataset(functions.split(np.sqrt(np.diagonal(covariance))))


def _labelled(functions: ModelFunctions, matrix: Array) -> xr.DataArray:
    names = functions.natural_names
    return xr.DataArray(matrix, dims=("parameter", "parameter_"), coords={"parameter": names, "parameter_": names})
