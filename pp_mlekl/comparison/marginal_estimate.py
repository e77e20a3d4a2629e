"""The marginal MLE of a comparison: the top-level parameters, with the latent variables integrated out."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.model_summary import describe_variables
from pp_mlekl.typing import Potentials

if TYPE_CHECKING:
    import pymc as pm

# With more latents the integral may take longer than all the rest of a comparison.
_MAX_LATENTS = 300


@dataclass(frozen=True, kw_only=True)
class MarginalEstimate:
    """Maximum of the likelihood with some variables integrated out by Laplace's approximation.

    Parameters
    ----------
    values, standard_error
        The parameters that are left, on their own dims; empty if there is no estimate.
    latents
        Names of the variables that are integrated out.
    status
        As of a point estimate.
    warnings
        What to know before the estimate is used.
    laplace_error, laplace_error_mcse
        Log of the marginal likelihood over its approximation, at the estimate, in nats, and its Monte Carlo error.
    """

    values: xr.Dataset
    standard_error: xr.Dataset
    latents: tuple[str, ...]
    status: str
    warnings: tuple[str, ...]
    laplace_error: float
    laplace_error_mcse: float

    def groups(self) -> dict[str, xr.Dataset]:
        """The groups of a tree that hold it."""
        attributes = {
            "status": self.status,
            "latents": json.dumps(self.latents),
            "warnings": json.dumps(self.warnings),
            "laplace_error": self.laplace_error,
            "laplace_error_mcse": self.laplace_error_mcse,
        }
        return {
            "marginal_estimate": self.values.assign_attrs(attributes),
            "marginal_estimate_se": self.standard_error,
        }


def marginal_estimate_in(tree: xr.DataTree) -> MarginalEstimate | None:
    """The estimate that a tree holds; None without one."""
    if "marginal_estimate" not in tree.children:
        return None
    values = tree["marginal_estimate"].to_dataset()
    return MarginalEstimate(
        values=values,
        standard_error=tree["marginal_estimate_se"].to_dataset(),
        latents=tuple(json.loads(values.attrs["latents"])),
        status=str(values.attrs["status"]),
        warnings=tuple(json.loads(values.attrs["warnings"])),
        laplace_error=float(values.attrs["laplace_error"]),
        laplace_error_mcse=float(values.attrs["laplace_error_mcse"]),
    )


def find_marginal_estimate(
    model: "pm.Model",
    functions: ModelFunctions,
    mle: PointEstimate,
    potentials: Potentials,
    generator: np.random.Generator,
) -> MarginalEstimate | None:
    """The marginal MLE where some parameters have no joint one; None without latent variables.

    Latent variables are the free variables whose priors depend on other free variables, and their non-centred forms. Where
    they depend on more parameters than there are latents, as in a horseshoe, the data cannot determine those: None.
    """
    free = [v for v in describe_variables(functions) if v["kind"] == "free"]
    latents = tuple(v["name"] for v in free if v["parents"] or v["factors"])
    exists = mle.status == "converged" and all(bool(v.notnull().all()) for v in mle.values.data_vars.values())
    sizes = {v["name"]: v["size"] for v in free}
    scales = {p for v in free for p in (*v["parents"], *v["factors"])}.difference(latents)
    count = sum(sizes[name] for name in latents)
    if exists or not latents or sum(sizes[name] for name in scales) > count:
        return None
    if count > _MAX_LATENTS:
        return _failed(latents, f"It was not computed for more than {_MAX_LATENTS} latents.")
    try:
        found = find_mle(model, marginalize=latents, random_seed=generator, potentials=potentials)
    except ValueError as error:
        # An improper prior, or an operation without derivatives.
        return _failed(latents, str(error))
    kept = [v["name"] for v in free if v["name"] not in latents]
    off = found.laplace_error
    return MarginalEstimate(
        values=found.values[kept],
        standard_error=found.standard_error[kept],
        latents=latents,
        status=found.status,
        warnings=found.warnings,
        laplace_error=np.nan if off is None else float(off.value),
        laplace_error_mcse=np.nan if off is None else float(off.mcse),
    )


def _failed(latents: tuple[str, ...], reason: str) -> MarginalEstimate:
    return MarginalEstimate(
        values=xr.Dataset(),
        standard_error=xr.Dataset(),
        latents=latents,
        status="failed",
        warnings=(reason,),
        laplace_error=np.nan,
        laplace_error_mcse=np.nan,
    )
