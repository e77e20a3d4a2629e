"""Bootstrap of the maximum likelihood estimate."""

from typing import TYPE_CHECKING, Literal

from pp_mlekl.estimation.bootstrap_replicates import Bootstrap, bootstrap_of
from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.typing import Potentials, RandomSeed
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import check_count
from pp_mlekl.utils.seeds import generator_of

if TYPE_CHECKING:
    import distributed
    import pymc as pm


@checked_arguments
def bootstrap(
    model: "pm.Model",
    estimate: PointEstimate | None = None,
    *,
    kind: Literal["case", "parametric"] = "case",
    replicates: int = 500,
    random_seed: RandomSeed = None,
    potentials: Potentials = None,
    client: "distributed.Client | None" = None,
) -> Bootstrap:
    """Bootstrap the maximum likelihood estimate without compiling anything anew.

    Parameters
    ----------
    model
        A PyMC model.
    estimate
        The maximum likelihood estimate, if it is known.
    kind
        ``"case"`` resamples the terms of the log-likelihood, as multinomial weights (with several observed variables,
        each by itself), and needs more of them than parameters: a multivariate normal series is a single one.
        ``"parametric"`` draws new data from the model at the estimate.
    replicates
        Number of replicates.
    random_seed
        For the resampling; the same seed gives the same result.
    potentials
        As for ``find_mle``.
    client
        A ``dask.distributed.Client``: its workers share the replicates, which do not depend on how many there are.

    Returns
    -------
    Bootstrap
        The replicates, their standard errors and percentile intervals.

    Raises
    ------
    TypeError, ValueError
        Where an argument is wrong, the estimate is not a regular maximum, there are no more terms than parameters to
        resample, or no new data can be drawn (a ``CustomDist`` without ``random``).

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0, 10)
    ...     y = pm.Normal("y", mu, 1, observed=[0.0, 1.0, 2.0, 3.0])
    >>> result = bootstrap(model, kind="parametric", replicates=2000, random_seed=1)
    >>> abs(float(result.standard_error["mu"]) - 0.5) < 0.03
    True
    """
    check_count("replicates", replicates, at_least=2)
    functions, generator = model_functions(model, potentials), generator_of(random_seed)
    best = find_mle(model, random_seed=generator, potentials=potentials) if estimate is None else estimate
    return bootstrap_of(functions, best, kind=kind, replicates=replicates, generator=generator, client=client)
