"""The maximum of a likelihood with Jeffreys' prior as a penalty."""

from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.estimation.jeffreys import JeffreysProblem
from pp_mlekl.estimation.labelled_estimate import given
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.optimize.audit.verdict import Audit
from pp_mlekl.optimize.covariance import Settled
from pp_mlekl.optimize.curvature import curvature
from pp_mlekl.optimize.solvers.trust_region import maximize

_FAILED = (
    "The penalised likelihood has no maximum that was found: the information may be singular (parameters that the data do not "
    "identify); look at find_mle(model).existence."
)


def jeffreys_estimate(problem: JeffreysProblem, settings: dict[str, Any]) -> PointEstimate:
    """The maximum of the penalised likelihood, with standard errors from the information there."""
    functions, ends = problem.functions, maximize(problem.objective, problem.base[None])
    z, value = ends.z[0], float(ends.value[0])
    converged = bool(ends.state[0] == "stationary")
    information = problem.fisher(z)
    flat = np.linalg.pinv(information, hermitian=True) if converged else np.full_like(information, np.nan)
    jacobian = functions.natural_jacobian(z)
    covariance = jacobian @ flat @ jacobian.T
    names, size = functions.natural_names, len(z)
    values = functions.natural_flat(z) if converged else np.full(len(names), np.nan)
    log_likelihood = float(functions.log_likelihood(z, weights=problem.weights, data=problem.data))
    eigenvalues = np.linalg.eigvalsh(np.nan_to_num(information))
    return PointEstimate(
        kind=problem.kind,
        values=functions.to_dataset(functions.split(values)),
        standard_error=functions.to_dataset(functions.split(np.sqrt(np.diagonal(covariance)))),
        covariance=xr.DataArray(
            covariance, dims=("parameter", "parameter_"), coords={"parameter": names, "parameter_": names}
        ),
        log_likelihood=log_likelihood,
        log_prior=value - log_likelihood,
        status="converged" if converged else "failed",
        warnings=() if converged else (_FAILED,),
        audit=Audit(
            gradient_norm=float(np.linalg.norm(ends.gradient[0])),
            decrement=float(ends.decrement[0]),
            smallest_eigenvalue=float(eigenvalues[0]),
            largest_eigenvalue=float(eigenvalues[-1]),
            rank=curvature(-information).rank if converged else 0,
            size=size,
            starts=1,
            agree=int(converged),
            iterations=ends.iterations,
        ),
        flat=z,
        flat_covariance=flat,
        n_observations=functions.n_observations,
        n_parameters=size,
        settled=Settled(
            covariance=flat, flat=np.zeros((0, size)), run_off=np.zeros((0, size)), absent=np.zeros(0, dtype=int)
        ),
        settings=settings | {"penalty": "jeffreys", "information": problem.information} | given(problem),
        model=functions.model,
    )
