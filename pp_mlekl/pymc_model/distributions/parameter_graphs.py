"""From a PyMC random variable to its family and the graphs of its parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pymc.distributions.censored import CensoredRV
from pymc.distributions.distribution import DiracDeltaRV, SymbolicRandomVariable
from pymc.distributions.mixture import MixtureRV, _HurdleRV
from pymc.distributions.truncated import TruncatedRV
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.families.point_mass import PointMass
from pp_mlekl.pymc_model.distributions.log_probabilities import log_odds_of_second
from pp_mlekl.pymc_model.distributions.parametrizations import PARAMETRIZATIONS
from pp_mlekl.typing import Array

_ZERO_INFLATED = {name: f"ZeroInflated{name}" for name in ("Poisson", "Binomial", "NegativeBinomial")}
_HURDLE = {name: f"Hurdle{name}" for name in ("Poisson", "NegativeBinomial", "Gamma", "LogNormal")}

_IMPROPER = "it is improper: it has no draws and no divergence; give a proper distribution"
# The remedy for operations that have a better one than passing draws.
_REMEDIES = {
    "FlatRV": _IMPROPER,
    "HalfFlatRV": _IMPROPER,
    "ICARRV": _IMPROPER,
    "ZeroSumNormalRV": "leave one coordinate out: the others are an MvNormal with cov = sigma^2 (I - 1/n)",
    "_LKJCholeskyCovRV": (
        "correlations and scales are independent: add the divergences of their LKJCorr and of sd_dist, n of them"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """The graph of one parameter.

    Parameters
    ----------
    graph
        The value as a function of whatever the random variable depends on.
    event_ndim
        The number of its trailing axes that belong to one distribution.
    extra
        Number of batch axes that it has beyond those of the random variable: 1 where the components of a mixture lie on the
        last axis of one variable.
    """

    graph: TensorVariable
    event_ndim: int = 0
    extra: int = 0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make a distribution from the values of ``parameters``, in their order."""

    parameters: tuple[Parameter, ...]
    build: Callable[[Sequence[Array]], Distribution]
    name: str


def parameter_graphs(variable: TensorVariable) -> Recipe:
    """The family of a random variable and the graphs of its parameters.

    Parameters
    ----------
    variable
        A PyMC ``.dist()`` or a model's random variable.

    Raises
    ------
    TypeError
        Where it is no random variable, or its family is unknown; the message gives the remedy.
    """
    op = None if variable.owner is None else variable.owner.op
    if isinstance(op, CensoredRV):
        return _bounded("Censored", *variable.owner.inputs)
    if isinstance(op, TruncatedRV):
        *inputs, lower, upper = variable.owner.inputs
        return _bounded("Truncated", op.base_rv_op.make_node(*inputs).default_output(), lower, upper)
    if isinstance(op, MixtureRV | _HurdleRV):
        return _mixture(variable, hurdle=isinstance(op, _HurdleRV))
    if isinstance(op, DiracDeltaRV):
        return _point_mass(variable)
    name = type(op).__name__
    if name in PARAMETRIZATIONS:
        return _of_family(variable, name)
    if isinstance(op, SymbolicRandomVariable):
        return _inner(variable)
    raise _unknown(variable)


def _unknown(variable: TensorVariable) -> TypeError:
    op = None if variable.owner is None else variable.owner.op
    if isinstance(op, RandomVariable | SymbolicRandomVariable):
        name = getattr(op, "_print_name", [type(op).__name__])[0]
        remedy = _REMEDIES.get(type(op).__name__, "give draws of it, e.g. pm.draw(dist, 10_000)")
        return TypeError(f"No density is known here for PyMC's {name}; {remedy}.")
    return TypeError("A PyMC distribution must be made by .dist() or be a model's variable, got a graph of other kind.")


def _of_family(variable: TensorVariable, name: str) -> Recipe:
    node = variable.owner
    kind, convert = PARAMETRIZATIONS[name]
    graphs = convert(*node.op.dist_params(node))
    cls = family(kind)
    event = cls.parameter_ndim
    names = tuple(graphs)
    return Recipe(
        parameters=tuple(Parameter(graph=g, event_ndim=event.get(n, 0)) for n, g in graphs.items()),
        build=lambda values: cls(**dict(zip(names, values, strict=True))),
        name=kind,
    )


def _inner(variable: TensorVariable) -> Recipe:
    """A variable that wraps the graph of another, as ``pm.CustomDist(dist=...)`` does."""
    node = variable.owner
    output = node.op.inner_outputs[node.outputs.index(variable)]
    inner_op = None if output.owner is None else output.owner.op
    if not isinstance(inner_op, RandomVariable | SymbolicRandomVariable):
        raise _unknown(variable)
    inner = node.op.fgraph.unfreeze() if hasattr(node.op.fgraph, "unfreeze") else node.op.fgraph
    replaced = dict(zip(inner.inputs, node.inputs, strict=True))
    inlined = clone_replace(inner.outputs, replace=replaced, rebuild_strict=False)
    return parameter_graphs(inlined[node.outputs.index(variable)])


def _point_mass(variable: TensorVariable) -> Recipe:
    (at,) = variable.owner.op.dist_params(variable.owner)
    discrete = variable.type.dtype.startswith(("int", "uint"))

    def build(values: Sequence[Array]) -> Distribution:
        (x,) = values
        return family("DiscreteUniform")(lower=x, upper=x) if discrete else PointMass(at=x)

    return Recipe(parameters=(Parameter(graph=at),), build=build, name="DiracDelta")


def _bounded(kind: str, base: TensorVariable, lower: TensorVariable, upper: TensorVariable) -> Recipe:
    inner = parameter_graphs(base)
    cls: Any = family(kind)

    def build(values: Sequence[Array]) -> Distribution:
        *rest, low, high = values
        return cls(dist=inner.build(rest), lower=low, upper=high)

    bounds = (Parameter(graph=lower), Parameter(graph=upper))
    return Recipe(parameters=(*inner.parameters, *bounds), build=build, name=f"{kind}{inner.name}")


def _mixture(variable: TensorVariable, hurdle: bool) -> Recipe:
    node = variable.owner
    weights, *components = node.op.dist_params(node)
    recipes = [parameter_graphs(c) for c in components]
    if len(recipes) == 1:
        return _of_one_variable(weights, recipes[0])
    if len(recipes) == 2 and recipes[0].name == "DiracDelta" and _is_zero(components[0]):
        known = _HURDLE if hurdle else _ZERO_INFLATED
        base = recipes[1].name.removeprefix("Truncated") if hurdle else recipes[1].name
        if base in known:
            return _excess_zeros(known[base], weights, _base_of(components[1], hurdle))
    if hurdle:
        raise _unknown(variable)
    return _of_several(weights, recipes)


def _is_zero(component: TensorVariable) -> bool:
    (at,) = component.owner.op.dist_params(component.owner)
    return bool(np.all([v.data == 0 for v in ancestors([at]) if v.owner is None and hasattr(v, "data")]))


def _base_of(component: TensorVariable, hurdle: bool) -> TensorVariable:
    op = component.owner.op
    if hurdle and isinstance(op, TruncatedRV):
        return op.base_rv_op.make_node(*component.owner.inputs[:-2]).default_output()
    return component


def _excess_zeros(kind: str, weights: TensorVariable, base: TensorVariable) -> Recipe:
    node = base.owner
    names = tuple(PARAMETRIZATIONS[type(node.op).__name__][1](*node.op.dist_params(node)))
    inner = _of_family(base, type(node.op).__name__)
    cls = family(kind)
    logit_psi = log_odds_of_second(weights)
    presence = Parameter(graph=weights, event_ndim=1) if logit_psi is None else Parameter(graph=logit_psi)

    def build(values: Sequence[Array]) -> Distribution:
        first, *rest = values
        # PyMC's weights are those of the mass at 0 and of the count distribution.
        psi = {"psi": first[..., 1]} if logit_psi is None else {"logit_psi": first}
        own = dict(zip(names, rest, strict=True))
        if "log_mu" in own:
            own["mu"] = np.exp(own.pop("log_mu"))
        return cls(**psi, **own)

    return Recipe(parameters=(presence, *inner.parameters), build=build, name=kind)


def _of_several(weights: TensorVariable, recipes: list[Recipe]) -> Recipe:
    def build(values: Sequence[Array]) -> Distribution:
        w, *rest = values
        parts = []
        for recipe in recipes:
            own, rest = rest[: len(recipe.parameters)], rest[len(recipe.parameters) :]
            parts.append(recipe.build(own))
        return family("Mixture")(w=w, parts=tuple(parts))

    parameters = [p for recipe in recipes for p in recipe.parameters]
    return Recipe(parameters=(Parameter(graph=weights, event_ndim=1), *parameters), build=build, name="Mixture")


def _of_one_variable(weights: TensorVariable, recipe: Recipe) -> Recipe:
    """A mixture whose components lie on the last batch axis of one random variable."""
    inner = tuple(replace(p, extra=p.extra + 1) for p in recipe.parameters)

    def build(values: Sequence[Array]) -> Distribution:
        w, *rest = values
        whole = recipe.build(rest)
        shape = np.broadcast_shapes(whole.batch_shape, (w.shape[-1],))
        whole = whole.expand(shape)
        if recipe.name == "Normal":
            return family("NormalMixture")(w=w, mu=whole.mu, sigma=whole.sigma)  # type: ignore[attr-defined]
        # The components are on the last batch axis; axes of events may follow it.
        before = (slice(None),) * (len(shape) - 1)
        parts = tuple(whole.select((*before, i)) for i in range(shape[-1]))
        return family("Mixture")(w=w, parts=parts)

    return Recipe(parameters=(Parameter(graph=weights, event_ndim=1), *inner), build=build, name="Mixture")
