"""The likelihood about a regular maximum, which profiles, bootstraps and tests need."""

from typing import TYPE_CHECKING, Any

from pp_mlekl.estimation.jeffreys import JeffreysProblem
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.validation import check_belongs
from pp_mlekl.estimation.wald_interval import check_covariance
from pp_mlekl.pymc_model.model_functions import ModelFunctions

if TYPE_CHECKING:
    from pp_mlekl.estimation.point_estimate import PointEstimate


def regular_problem(
    functions: ModelFunctions,
    best: "PointEstimate",
    purpose: str,
    *,
    needs_covariance: bool = True,
    penalized: bool = False,
) -> Problem:
    """The likelihood with the data and weights of an estimate that is a regular maximum of it.

    Parameters
    ----------
    functions
        The model's functions.
    best
        Its maximum likelihood estimate.
    purpose
        What needs the maximum, to begin a sentence with.
    needs_covariance
        Whether its covariance is needed as well.
    penalized
        Whether the maximum of a penalised likelihood is one too.

    Raises
    ------
    ValueError
        Where the estimate belongs to another model, is no maximum likelihood estimate, is a marginal one, is not a regular
        maximum, or has no covariance (without a Hessian, or in a model too large for one).
    """
    check_belongs(functions, best)
    if best.kind != "mle" and not (penalized and "penalty" in best.settings):
        raise ValueError(f"{purpose} needs a maximum likelihood estimate; pass one by find_mle.")
    if "marginalize" in best.settings:
        raise ValueError(
            f"{purpose} is not available for marginal likelihoods; use the standard errors of the estimate, or write the "
            "model without the latent variables where they can be integrated out by hand."
        )
    if best.status != "converged":
        raise ValueError(f"{purpose} needs a regular maximum; the estimate's status is {best.status}.")
    check_covariance(best)
    given: dict[str, Any] = {name: best.settings.get(name) for name in ("weights", "data")}
    if "penalty" in best.settings:
        return JeffreysProblem(functions=functions, kind=best.kind, information=best.settings["information"], **given)
    return Problem(functions=functions, kind="mle", **given)
