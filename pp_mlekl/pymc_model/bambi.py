"""Bambi models as PyMC models, and their draws.

Bambi samples a model with centred predictors. The intercept of that model differs from the one that Bambi reports, and Bambi
does not report the standardised group effects. The PyMC model built here names the centred intercept
``Intercept_centered`` and defines the reported intercept as a deterministic, so that names mean the same as in Bambi's draws.
"""

import sys
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pymc.model.fgraph import clone_model
from pytensor.graph.replace import clone_replace

from pp_mlekl.typing import Array

_CENTRED = "{}_centered"


@dataclass(frozen=True, kw_only=True)
class Centring:
    """An intercept of centred predictors: the reported ``name`` plus the predictors' ``means`` times their coefficients.

    Parameters
    ----------
    name
        Name of the reported intercept.
    coefficients
        Names of the coefficients, in the order of ``means``.
    means
        Means of the columns of the design matrix, shape (columns,).
    """

    name: str
    coefficients: tuple[str, ...]
    means: Array


@dataclass(frozen=True, kw_only=True)
class BambiTerms:
    """The free variables that Bambi does not report: centred intercepts, and the names (offset, effect, scale of the effect)."""

    centrings: tuple[Centring, ...]
    offsets: tuple[tuple[str, str, str], ...]


_TERMS: WeakKeyDictionary[pm.Model, BambiTerms] = WeakKeyDictionary()
_MODELS: WeakKeyDictionary[pm.Model, pm.Model] = WeakKeyDictionary()


def pymc_model_of(model: Any) -> Any:
    """The PyMC model of a Bambi model, the same object at each call; any other argument unchanged."""
    bambi = sys.modules.get("bambi")
    if bambi is None or not isinstance(model, bambi.Model):
        return model
    if not model.built:
        model.build()
    built = model.backend.model
    if built not in _MODELS:
        terms = BambiTerms(centrings=_centrings(model), offsets=_offsets(model))
        _MODELS[built] = _with_reported_intercepts(built, terms.centrings)
        _TERMS[_MODELS[built]] = terms
    return _MODELS[built]


def with_free_variables(model: pm.Model, posterior: xr.Dataset) -> xr.Dataset:
    """Add the free variables that Bambi does not report to its draws; draws of other models are unchanged.

    Raises
    ------
    ValueError
        Where the draws come from Bambi but the model is a plain PyMC model, whose intercept is the centred one.
    """
    terms = _TERMS.get(model)
    if terms is None:
        if posterior.attrs.get("modeling_interface") == "bambi":
            raise ValueError(
                "These draws come from Bambi, whose reported intercept is not that of its PyMC model; pass the bambi.Model itself."
            )
        return posterior
    found = {}
    for centring in terms.centrings:
        if {centring.name, *centring.coefficients} <= set(posterior) and _CENTRED.format(
            centring.name
        ) not in posterior:
            found[_CENTRED.format(centring.name)] = posterior[centring.name] + _of_means(posterior, centring)
    for offset, effect, scale in terms.offsets:
        if {effect, scale} <= set(posterior) and offset not in posterior:
            found[offset] = posterior[effect] / posterior[scale]
    return posterior.assign(found)


def _of_means(posterior: xr.Dataset, centring: Centring) -> xr.DataArray:
    """The linear predictor at the means of the predictors, over chain, draw and the response's dims."""
    columns, total = 0, xr.DataArray(0.0)
    response = set(posterior[centring.name].dims)
    for name in centring.coefficients:
        values = posterior[name]
        own = [dim for dim in values.dims if dim not in response]
        size = int(np.prod([values.sizes[dim] for dim in own], dtype=int))
        means = xr.DataArray(centring.means[columns : columns + size].reshape([values.sizes[d] for d in own]), dims=own)
        total, columns = total + (values * means).sum(own), columns + size
    return total


def _centrings(model: Any) -> tuple[Centring, ...]:
    result = []
    for built in model.backend.distributional_components.values():
        component, design = built.component, built.design_matrix_without_intercept
        if component.intercept_term and component.common_terms and design is not None:
            names = tuple(_name(term) for term in component.common_terms.values())
            result.append(Centring(name=_name(component.intercept_term), coefficients=names, means=design.mean(axis=0)))
    return tuple(result)


def _offsets(model: Any) -> tuple[tuple[str, str, str], ...]:
    free, result = {rv.name for rv in model.backend.model.free_RVs}, []
    for built in model.backend.distributional_components.values():
        for term in built.component.group_specific_terms.values():
            name = _name(term)
            if f"{name}_offset" in free:
                result.append((f"{name}_offset", name, f"{name}_{term.hyperprior_alias.get('sigma', 'sigma')}"))
    return tuple(result)


def _name(term: Any) -> str:
    return str(term.alias or term.name)


def _with_reported_intercepts(model: pm.Model, centrings: tuple[Centring, ...]) -> pm.Model:
    """A copy of a model in which the centred intercepts are renamed and the reported ones are deterministics."""
    result = clone_model(model)
    for centring in centrings:
        dims = result.named_vars_to_dims.pop(centring.name, None)
        intercept = result.named_vars.pop(centring.name)
        value = result.rvs_to_values[intercept]
        intercept.name = _CENTRED.format(centring.name)
        value.name = value.name.replace(centring.name, intercept.name, 1)
        result.add_named_variable(intercept, dims=dims)
        coefficients = [pt.atleast_1d(result[name]) for name in centring.coefficients]
        if intercept.ndim:
            # A coefficient of one column has no axis for it where the response has several categories.
            coefficients = [c[None] if c.ndim == 1 else c for c in coefficients]
        with result:
            at_means = pt.dot(centring.means, pt.concatenate(coefficients, axis=0))
            pm.Deterministic(centring.name, intercept - at_means, dims=dims)
    _drop_dims_that_do_not_fit(result)
    return result


def _drop_dims_that_do_not_fit(model: pm.Model) -> None:
    """Probabilities of Bambi's ordinal models have one column fewer than their dim has labels, which samplers refuse."""
    zeros = {}
    for rv in model.free_RVs:
        dims = model.named_vars_to_dims.get(rv.name, ())
        lengths = [len(model.coords[dim]) for dim in dims] if dims else [length or 1 for length in rv.type.shape]
        zeros[rv] = pt.zeros(lengths)
    for variable in model.deterministics:
        dims = model.named_vars_to_dims.get(variable.name, ())
        if not dims or None not in variable.type.shape:
            continue
        (shape,) = clone_replace([variable.shape], zeros)
        if tuple(shape.eval(mode="FAST_COMPILE")) != tuple(len(model.coords[dim]) for dim in dims):
            del model.named_vars_to_dims[variable.name]
