"""A summary of a model's variables."""

import json
from hashlib import sha256
from typing import Any

import numpy as np
import pymc as pm
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors

from pp_mlekl.pymc_model.distribution_text import definition_text, distribution_text
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.noncentred import noncentred


def describe_variables(functions: ModelFunctions) -> list[dict[str, Any]]:
    """One entry for each free and each observed variable and each potential: name, kind, distribution, dims, size.

    Returns
    -------
    list of dict
        Keys ``name``, ``kind`` (``"free"``, ``"observed"`` or ``"potential"``), ``distribution``, ``dims``, ``size``, ``circular``
        (whether it is a free angle), ``parents``, the free variables that its distribution depends on, ``direct``, those
        of them on which it depends directly, and ``factors``, by which a standard normal is always multiplied (the scale of
        a latent variable in non-centred form). Of a potential the distribution says what it counts as.
    """
    model: pm.Model = functions.model
    rows = []
    free = {rv: rv.name for rv in model.free_RVs}
    factors = noncentred(model)
    angles = [v.name for v in functions.free if v.circular]
    for kind, rvs in (("free", model.free_RVs), ("observed", model.observed_RVs)):
        shapes = {v.name: (v.dims, v.shape) for v in (functions.free if kind == "free" else functions.observed)}
        for rv in rvs:
            dims, shape = shapes[rv.name]
            rows.append(
                {
                    "name": rv.name,
                    "kind": kind,
                    "distribution": distribution_text(rv, model),
                    "dims": [d for d in dims if not d.startswith(f"{rv.name}_dim_")],
                    "size": int(np.prod(shape, dtype=int)),
                    "circular": kind == "free" and rv.name in angles,
                    "parents": [free[a] for a in ancestors(rv.owner.inputs) if a in free],
                    "direct": [free[a] for a in ancestors(rv.owner.inputs, blockers=model.free_RVs) if a in free],
                    "factors": factors.get(rv.name, []),
                }
            )
    likelihood = {v.name: v.shape for v in functions.observed}
    for potential in model.potentials:
        counts = potential.name in likelihood
        rows.append(
            {
                "name": potential.name,
                "kind": "potential",
                "distribution": f"counts as {'likelihood' if counts else 'prior'}",
                "dims": [],
                "size": int(
                    np.prod(likelihood[potential.name] if counts else [n or 1 for n in potential.type.shape], dtype=int)
                ),
                "circular": False,
                "parents": [free[a] for a in ancestors([potential]) if a in free],
                "direct": [free[a] for a in ancestors([potential], blockers=model.free_RVs) if a in free],
                "factors": [],
            }
        )
    return rows


def describe_definitions(model: pm.Model) -> list[dict[str, str]]:
    """Name, kind (``"deterministic"``) and definition of each deterministic, in the order of the model."""
    return [
        {"name": str(d.name), "kind": "deterministic", "distribution": definition_text(d, model)}
        for d in model.deterministics
    ]


def model_digest(model: pm.Model) -> str:
    """A checksum of a model's data, constants, coordinates, names and operations, as hexadecimal text.

    It is the same in each process. Two models that differ only in what a custom density or operation computes have the
    same one.
    """
    digest = sha256(json.dumps(model.coords, default=str, sort_keys=True).encode())
    values = [model.rvs_to_values[rv] for rv in model.observed_RVs]
    for variable in ancestors([*model.basic_RVs, *model.potentials, *model.deterministics, *values]):
        operation = type(variable.owner.op).__name__ if variable.owner else ""
        digest.update(f"{variable.name}:{operation}:{variable.type}".encode())
        if isinstance(variable, Constant | SharedVariable):
            data = variable.data if isinstance(variable, Constant) else variable.get_value(borrow=True)
            # The states of random generators change, and so do not count.
            digest.update(data.tobytes() if isinstance(data, np.ndarray) else str(data).encode())
    return digest.hexdigest()
