"""Two inputs of any kind, broadcast to one set of batch dims, and results with these dims."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.estimate import Estimate
from pp_mlekl.inputs.alignment import aligned
from pp_mlekl.inputs.draws import SampleArray, is_draws, read_draws
from pp_mlekl.inputs.labelled import LabelledDistribution, joined_template
from pp_mlekl.inputs.read import ACCEPTED, as_distribution, got, is_distribution
from pp_mlekl.typing import Array


def paired(
    p: Any,
    q: Any,
    exact: Callable[[Distribution, Distribution], Estimate],
    sampled: Callable[[Any, Any], Estimate],
    event_dims: Sequence[str] | None,
    var_names: Sequence[str] | None,
) -> Estimate:
    """Broadcast both sides to one set of batch axes and evaluate ``exact`` or ``sampled``.

    ``exact`` takes two distributions. ``sampled`` is called if at least one side is draws; it takes (draws (n, d), chains)
    for each such side. Draws of both sides are matched by the names of variables, dims and labels if they have names.
    """
    p, q = aligned(p, q, var_names)
    return _passed_on([_read(s, n, event_dims, var_names) for s, n in ((p, "p"), (q, "q"))], exact, sampled)


def alone(
    p: Any,
    exact: Callable[[Distribution], Estimate],
    sampled: Callable[[tuple[Array, int | None]], Estimate],
    event_dims: Sequence[str] | None,
    var_names: Sequence[str] | None,
) -> Estimate:
    """Evaluate ``exact`` or ``sampled`` for one side, as ``paired`` does for two."""
    side = _read(p, "p", event_dims, var_names)
    return _passed_on([side], exact, sampled)


def _passed_on(
    sides: list[Distribution | LabelledDistribution | SampleArray],
    exact: Callable[..., Estimate],
    sampled: Callable[..., Estimate],
) -> Estimate:
    templates = [t for t in map(_template, sides) if t is not None]
    template = joined_template(templates) if templates else xr.DataArray(0.0)
    if any(isinstance(side, SampleArray) for side in sides):
        results = [sampled(*(_element(side, template, i) for side in sides)) for i in np.ndindex(template.shape)]
        return results[0] if not template.ndim else _stacked(results, template)
    result = exact(*(_whole(side, template) for side in sides))
    return _labelled(result, template) if template.ndim else result


def _whole(side: Distribution | LabelledDistribution | SampleArray, template: xr.DataArray) -> Distribution:
    if isinstance(side, LabelledDistribution):
        return side.on([str(d) for d in template.dims])
    if isinstance(side, SampleArray):
        raise TypeError("Draws were given where a distribution is needed; pass a distribution.")
    if template.ndim and side.batch_shape:
        raise ValueError("An array of distributions without dims meets one with dims; make both by mk.distribution.")
    return side


def _read(
    side: Any, name: str, event_dims: Sequence[str] | None, var_names: Sequence[str] | None
) -> Distribution | LabelledDistribution | SampleArray:
    if isinstance(side, LabelledDistribution):
        return side
    if is_distribution(side):
        return as_distribution(side)
    if is_draws(side):
        return read_draws(side, event_dims, var_names)
    raise TypeError(f"{name} must be {ACCEPTED}, or draws (an array, a DataArray, a Dataset), got {got(side)}.")


def _template(side: Distribution | LabelledDistribution | SampleArray) -> xr.DataArray | None:
    if isinstance(side, LabelledDistribution):
        return side.template()
    return side.template if isinstance(side, SampleArray) else None


def _element(side: Any, template: xr.DataArray, index: tuple[int, ...]) -> Any:
    """One element of the batch: a distribution with batch shape (), or (draws (n, d), chains)."""
    dims = [str(d) for d in template.dims]
    if isinstance(side, SampleArray):
        own = () if side.template is None else tuple(index[dims.index(str(d))] for d in side.template.dims)
        return side.values[own], side.chains
    if isinstance(side, LabelledDistribution):
        return side.on(dims).expand(template.shape).select(index)
    if side.batch_shape:
        raise ValueError(
            "An array of distributions against draws needs dims: make it by mk.distribution of DataArrays."
        )
    return side


def _stacked(results: list[Estimate], template: xr.DataArray) -> Estimate:
    value, mcse = (np.reshape([getattr(r, n) for r in results], template.shape) for n in ("value", "mcse"))
    return Estimate(
        value=template.copy(data=value),
        mcse=template.copy(data=mcse),
        method="; ".join(dict.fromkeys(r.method for r in results)),
        direction=results[0].direction,
        unit=results[0].unit,
        warnings=tuple(dict.fromkeys(w for r in results for w in r.warnings)),
    )


def _labelled(result: Estimate, template: xr.DataArray) -> Estimate:
    shape = template.shape
    value, mcse = (np.broadcast_to(np.asarray(v, dtype=np.float64), shape) for v in (result.value, result.mcse))
    return replace(result, value=template.copy(data=value.copy()), mcse=template.copy(data=mcse.copy()))
