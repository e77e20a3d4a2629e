"""What a model is made of, in words."""

from typing import Any

import numpy as np
import pymc as pm

from pp_mlekl.pymc_model.model_functions import ModelFunctions


def describe_variables(functions: ModelFunctions) -> list[dict[str, Any]]:
    """One entry for each free and each observed variable: name, kind, distribution, dims, size.

    Returns
    -------
    list of dict
        Keys ``name``, ``kind`` (``"free"`` or ``"observed"``), ``distribution``, ``dims``, ``size``.
    """
    model: pm.Model = functions.model
    rows = []
    for kind, rvs in (("free", model.free_RVs), ("observed", model.observed_RVs)):
        shapes = {v.name: (v.dims, v.shape) for v in (functions.free if kind == "free" else functions.observed)}
        for rv in rvs:
            dims, shape = shapes[rv.name]
            rows.append(
                {
                    "name": rv.name,
                    "kind": kind,
                    "distribution": _in_words(rv),
                    "dims": [d for d in dims if not d.startswith(f"{rv.name}_dim_")],
                    "size": int(np.prod(shape, dtype=int)),
                }
            )
    return rows


def _in_words(rv: Any) -> str:
    text = rv.str_repr() if hasattr(rv, "str_repr") else str(rv)
    return text.split("~", 1)[-1].strip()
