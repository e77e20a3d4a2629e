"""A regular maximum of the likelihood to start from: what profiles, bootstraps and tests need."""

from typing import Any

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.jeffreys import JeffreysProblem
from pp_mlekl.estimation.point_estimate import PointEstimate, check_belongs
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.wald_interval import check_covariance
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.typing import Potentials, RandomSeed


def regular_maximum(
    model: Any,
    estimate: PointEstimate | None,
    random_seed: RandomSeed,
    potentials: Potentials,
    purpose: str,
    *,
    curved: bool = True,
    penalized: bool = False,
) -> tuple[Problem, PointEstimate]:
    """The likelihood with the data and weights of an estimate, and that estimate, found if none is given.

    Parameters
    ----------
    model, estimate, random_seed, potentials
        As for ``profile``.
    purpose
        What needs the maximum, to begin a sentence with.
    curved
        Whether its covariance is needed as well.
    penalized
        Whether the maximum of a penalised likelihood is one too.

    Raises
    ------
    ValueError
        Where it belongs to another model, is no maximum likelihood estimate, a marginal one, or not a regular maximum, or
        has no covariance (without a Hessian, or in a model too large for one).
    """
    functions = model_functions(model, potentials)
    best = find_mle(model, random_seed=random_seed, potentials=potentials) if estimate is None else estimate
    check_belongs(functions, best)
    if best.kind != "mle" and not (penalized and "penalty" in best.settings):
        raise ValueError(f"{purpose} needs a maximum likelihood estimate; pass one by find_mle.")
    if "marginalize" in best.settings:
        raise ValueError(
            f"{purpose} is not there for marginal likelihoods; use the standard errors of the estimate, or write the "
            "model without the latent variables where they can be integrated out by hand."
        )
    if best.status != "converged":
        raise ValueError(f"{purpose} needs a regular maximum; the estimate's status is {best.status}.")
    if curved or not best.settled.without_hessian:
        check_covariance(best)
    given = {name: best.settings.get(name) for name in ("weights", "data")}
    if "penalty" in best.settings:
        return JeffreysProblem(
            functions=functions, kind=best.kind, information=best.settings["information"], **given
        ), best
    return Problem(functions=functions, kind="mle", **given), best
