"""Distributions by PyMC's names and signatures, with arrays or DataArrays as parameters."""

from difflib import get_close_matches
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.divergences.distribution import Distribution, numbers
from pp_mlekl.divergences.families import family
from pp_mlekl.inputs.labelled import LabelledDistribution
from pp_mlekl.inputs.ordered import ORDERED
from pp_mlekl.inputs.signatures import ALTERNATIVES, REQUIRED, signature
from pp_mlekl.utils.arguments import checked_arguments
from pp_mlekl.utils.counts import counted


@checked_arguments
def distribution(name: str, *args: Any, **kwargs: Any) -> Distribution | LabelledDistribution:
    """A distribution, or an array of them, by PyMC's name and parameters.

    Parameters
    ----------
    name
        The name of PyMC's class, such as ``"Gamma"``.
    *args, **kwargs
        The parameters in PyMC's order or by its names (``alpha, beta`` or ``mu, sigma`` for a Gamma), of any shapes
        that broadcast. DataArrays broadcast by their dims, which the results then have too.

    Returns
    -------
    Distribution or LabelledDistribution
        The latter where a parameter is a DataArray.

    Raises
    ------
    TypeError, ValueError
        Where the name or a parameter is unknown, missing or outside its range.

    Examples
    --------
    >>> import xarray as xr
    >>> import pp_mlekl as mk
    >>> mu = xr.DataArray([0.0, 1.0], dims="site", coords={"site": ["a", "b"]})
    >>> sites = distribution("Normal", mu, 1.0)
    >>> mk.kl_divergence(sites, distribution("Normal", 0.0, 1.0)).value.sel(site="b").item()
    0.5
    """
    if name in ORDERED:
        try:
            name, values = ORDERED[name](*args, **kwargs)
        except TypeError as error:
            raise ValueError(f"{name}: {str(error).split('() ')[-1]}.") from error
    else:
        values = _bound(name, args, kwargs)
    if name == "Mixture" and not isinstance(values["comp_dists"], list | tuple):
        raise ValueError("Mixture: comp_dists must be a list of distributions.")
    if name == "Mixture":
        values = {"w": values["w"], "parts": tuple(values["comp_dists"])}
    labelled = [n for n, v in values.items() if isinstance(v, xr.DataArray | LabelledDistribution)]
    if not labelled:
        return _with_batch(family(name)(**values))
    _check_mixed(name, values)
    result = LabelledDistribution(name=name, parameters=values)
    # Built once here, so that a parameter outside its range is refused at once.
    result.on([str(d) for d in result.template().dims])
    return result


def _with_batch(made: Distribution) -> Distribution:
    """What was made, where its parameters fit one another and are not empty."""
    try:
        shape = made.batch_shape
    except ValueError as error:
        raise ValueError(f"{type(made).__name__}: the shapes of the parameters must broadcast ({error}).") from error
    if 0 in (*shape, *made.event_shape):
        raise ValueError(f"{type(made).__name__}: the parameters must have at least one value.")
    return made


def _check_mixed(name: str, values: dict[str, Any]) -> None:
    for parameter, value in values.items():
        if value is None or isinstance(value, xr.DataArray | LabelledDistribution | Distribution):
            continue
        if isinstance(value, tuple) or np.ndim(value) > family(name).parameter_ndim.get(parameter, 0):
            raise ValueError(
                f"{name}: {parameter} is an array without dims beside DataArrays; make it a DataArray as well."
            )


def _bound(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    order = signature(name)
    names = [n for n, _ in order]
    if len(args) > len(names):
        raise ValueError(
            f"{name} takes at most {counted(len(names), 'parameter')} ({', '.join(names)}), got {len(args)}."
        )
    given = dict(zip(names, args, strict=False))
    twice = set(given) & set(kwargs)
    if twice:
        raise ValueError(f"{name}: {min(twice)} is given twice; remove one.")
    given |= {n: v for n, v in kwargs.items() if v is not None}
    given = {n: v for n, v in given.items() if v is not None}
    given = _in_own_parameters(name, given)
    _check_names(name, names, given)
    if "p" in given and "logit_p" in given:
        raise ValueError(f"{name}: give either p or logit_p, not both.")
    return {n: given.get(n, default) for n, default in order}


def _in_own_parameters(name: str, given: dict[str, Any]) -> dict[str, Any]:
    own = {n for n, _ in signature(name)}
    for alternative, convert in ALTERNATIVES.get(name, {}).items():
        foreign = set(alternative) - own
        # "mu, sigma" of a Gamma are both foreign; "mu, n" of a negative binomial shares mu.
        if foreign and foreign <= set(given) and set(alternative) <= set(given):
            rest = {n: v for n, v in given.items() if n not in alternative}
            values = convert(*(_numeric(name, n, given[n]) for n in alternative))
            clash = set(rest) & set(values)
            if clash:
                raise ValueError(f"{name}: give either {', '.join(alternative)} or {min(clash)}, not both.")
            return rest | values
    return given


def _numeric(name: str, parameter: str, value: Any) -> Any:
    return value if isinstance(value, xr.DataArray) else numbers(name, parameter, value)


def _check_names(name: str, names: list[str], given: dict[str, Any]) -> None:
    for n in given:
        if n not in names:
            near = get_close_matches(n, names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(names)}."
            raise ValueError(f"{name} has no parameter {n!r}; check its name{hint}")
    missing = [n for n, default in signature(name) if default is REQUIRED and n not in given]
    if missing:
        raise ValueError(f"{name} needs {', '.join(missing)}; its parameters are {', '.join(names)}.")
