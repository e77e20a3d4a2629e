"""Profile likelihood intervals of a model's parameters."""

from typing import TYPE_CHECKING

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.profile_curves import profile_of
from pp_mlekl.estimation.profile_result import Profile
from pp_mlekl.estimation.wald_interval import check_ci_prob
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.typing import Names, Potentials, RandomSeed
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.deprecation import deprecated_arguments

if TYPE_CHECKING:
    import distributed
    import pymc as pm


@deprecated_arguments(
    renamed={"prob": "ci_prob"}, positional=("model", "var_names"), types={"var_names": (str, list, tuple)}
)
@checked_arguments
def profile(
    model: "pm.Model",
    estimate: PointEstimate | None = None,
    *,
    var_names: Names | None = None,
    ci_prob: float = 0.95,
    points: int = 15,
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
    client: "distributed.Client | None" = None,
) -> Profile:
    """Profile likelihood curves and intervals of scalar elements of a model's parameters.

    For an estimate at infinity whose observations are separated (``estimate.existence``) it is the profile of the limiting fit,
    with one-sided intervals for the parameters that diverge: the values at which the likelihood is at least
    ``1 - ci_prob`` of its supremum.
    Under all other values the observed separation has a smaller probability than that (Geyer 2009, section 3.16).

    The profile runs over the unconstrained coordinate of each element, so only variables whose elements each have a
    coordinate of their own (no simplexes, orders or matrices) can be profiled.

    Parameters
    ----------
    model
        A PyMC model.
    estimate
        The maximum likelihood estimate, if it is known, or one by ``find_map(model, penalty="jeffreys")``: the profile is
        then that of the penalised likelihood.
    var_names
        Names of free variables; all that the likelihood contains, if not given.
    ci_prob
        Coverage of the intervals, by Wilks' theorem.
    points
        Points of each curve.
    random_seed
        For the search of the maximum.
    potentials
        As for ``find_mle``.
    client
        A ``dask.distributed.Client``: each element is a task of its workers.

    Returns
    -------
    Profile
        Curves and intervals, on the natural scale; log-likelihoods in nats.

    Raises
    ------
    TypeError, ValueError
        Where the estimate belongs to another model, the maximum is not a regular one, or a variable cannot be profiled.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     p = pm.Beta("p", 1, 1)
    ...     y = pm.Binomial("y", 20, p, observed=13)
    >>> profile(model, random_seed=1).interval.sel(parameter="p").round(3).values.tolist()
    [0.432, 0.832]
    """
    check_ci_prob(ci_prob)
    functions = model_functions(model, potentials)
    best = find_mle(model, random_seed=random_seed, potentials=potentials) if estimate is None else estimate
    return profile_of(functions, best, var_names=var_names, ci_prob=ci_prob, points=points, client=client)
