"""PyMC's variables as distributions that the divergence engine knows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.censored import CensoredRV
from pymc.distributions.mixture import MixtureRV, _HurdleRV
from pymc.distributions.truncated import TruncatedRV
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import toposort
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.pymc_model.functions import without_c
from pp_mlekl.pymc_model.graphs import in_double_precision
from pp_mlekl.pymc_model.model_functions import ModelFunctions

Parameters = dict[str, TensorVariable]


@dataclass(frozen=True, kw_only=True)
class Description:
    """A distribution whose parameters are still graphs; ``parts`` are the distributions it is made of."""

    family: str
    parameters: Parameters
    parts: dict[str, "Description | tuple[Description, ...]"] = field(default_factory=dict)

    def leaves(self) -> list[TensorVariable]:
        """All parameter graphs, in the order in which ``build`` takes their values."""
        result = list(self.parameters.values())
        for part in self.parts.values():
            for one in part if isinstance(part, tuple) else (part,):
                result += one.leaves()
        return result

    def build(self, values: Callable[[], np.ndarray], batch: tuple[int, ...], ndim: int) -> Distribution:
        """The distribution, from the leaves' values of shape (*batch, *own): own axes are aligned to ``ndim`` ones."""
        cls = family(self.family)
        arrays = {}
        for name in self.parameters:
            value = values()
            core = cls.parameter_ndim.get(name, 0)
            own = value.shape[len(batch) : value.ndim - core]
            padded = (*batch, *([1] * (ndim - len(own))), *own, *value.shape[value.ndim - core :])
            arrays[name] = value.reshape(padded)
        parts = {
            name: tuple(one.build(values, batch, ndim) for one in part)
            if isinstance(part, tuple)
            else part.build(values, batch, ndim)
            for name, part in self.parts.items()
        }
        return cls(**arrays, **parts)


def distribution_of(variable: TensorVariable) -> Distribution:
    """The distribution of a PyMC variable whose parameters are constants, in double precision.

    Parameters
    ----------
    variable
        What ``pm.X.dist(...)`` returns, or a variable of a model without random parents.

    Raises
    ------
    TypeError
        Where it is no random variable.
    ValueError
        Where a parameter is random, or the family is not known to the divergence engine.

    Examples
    --------
    >>> import pymc as pm
    >>> distribution_of(pm.Gamma.dist(alpha=2, beta=3)).beta
    array(3.)
    """
    (exact,) = in_double_precision([variable])
    description = describe(exact)
    values = iter(_constants(description.leaves()))
    shape = variable.type.shape[: variable.type.ndim - variable.owner.op.ndim_supp]
    result = description.build(lambda: np.asarray(next(values)), (), len(shape))
    # A size that is not known before the draw leaves the parameters' own shape.
    return result if None in shape else result.expand(shape)


def observed_distributions(functions: ModelFunctions, z: np.ndarray) -> dict[str, Distribution]:
    """The distribution of every observed variable at unconstrained values.

    Parameters
    ----------
    functions
        Of the model.
    z
        Shape (*batch, d).

    Returns
    -------
    dict
        By observed variable a distribution of batch shape (*batch, *shape), ``shape`` that of its pointwise terms.

    Raises
    ------
    ValueError
        Where the family of an observed variable is not known to the divergence engine.
    """
    batch = np.shape(z)[:-1]
    result = {}
    rvs = {rv.name: rv for rv in functions.model.observed_RVs}
    for variable in functions.observed:
        if variable.name not in rvs:
            continue
        description = functions.kept(("description", variable.name), lambda rv=rvs[variable.name]: describe(rv))
        values = iter(functions.evaluate(description.leaves(), z))
        built = description.build(lambda values=values: np.asarray(next(values)), batch, len(variable.shape))
        result[variable.name] = built.expand((*batch, *variable.shape))
    return result


def describe(variable: TensorVariable) -> Description:
    """The family and the parameter graphs of a random variable.

    Raises
    ------
    TypeError
        Where ``variable`` is no random variable.
    ValueError
        Where its family is not known.
    """
    node = variable.owner
    if node is None or not hasattr(node.op, "ndim_supp"):
        raise TypeError(f"Expected a random variable such as pm.Normal.dist(0, 1), got {variable}.")
    op = node.op
    if isinstance(op, _HurdleRV):
        return _hurdle(node)
    if isinstance(op, MixtureRV):
        return _mixture(node)
    if isinstance(op, CensoredRV):
        base, lower, upper = node.inputs[:3]
        return _bounded("Censored", describe(base), lower, upper)
    if isinstance(op, TruncatedRV):
        *base, lower, upper = node.inputs
        return _bounded("Truncated", describe(op.base_rv_op.make_node(*base).default_output()), lower, upper)
    rule = _RULES.get(type(op).__name__)
    if rule is None:
        known = ", ".join(sorted(_RULES))
        raise ValueError(f"{type(op).__name__} is not known to the divergence engine; it knows {known}.")
    name, parameters = rule
    return Description(family=name, parameters=parameters(*op.dist_params(node)))


def _bounded(name: str, base: Description, lower: TensorVariable, upper: TensorVariable) -> Description:
    return Description(family=name, parameters={"lower": lower, "upper": upper}, parts={"dist": base})


def _mixture(node) -> Description:
    weights, *components = node.op.dist_params(node)
    described = [_part(c) for c in components]
    if len(described) > 1:
        return Description(family="Mixture", parameters={"w": weights}, parts={"parts": tuple(described)})
    (only,) = components
    size = weights.type.shape[-1]
    if size is None:
        raise ValueError("A mixture needs a number of components that is known before the draws; give w a fixed shape.")
    axis = only.type.ndim - 1 - only.owner.op.ndim_supp
    parts = tuple(_component(described[0], i, axis) for i in range(size))
    return Description(family="Mixture", parameters={"w": weights}, parts={"parts": parts})


def _component(description: Description, i: int, axis: int) -> Description:
    """The i-th of the components that a description holds on its last batch axis."""

    def chosen(name: str, value: TensorVariable) -> TensorVariable:
        core = family(description.family).parameter_ndim.get(name, 0)
        place = value.type.ndim - core - 1
        if place < 0 or value.type.broadcastable[place]:
            return value if place < 0 else value[(slice(None),) * place + (0,)]
        return value[(slice(None),) * place + (i,)]

    parameters = {name: chosen(name, value) for name, value in description.parameters.items()}
    parts = {
        name: _component(part, i, axis) for name, part in description.parts.items() if isinstance(part, Description)
    }
    return Description(family=description.family, parameters=parameters, parts=parts)


def _part(component: TensorVariable) -> Description:
    if type(component.owner.op).__name__ == "DiracDeltaRV":
        (at,) = component.owner.op.dist_params(component.owner)
        return Description(family="DiscreteUniform", parameters={"lower": at, "upper": at})
    return describe(component)


def _hurdle(node) -> Description:
    weights, _, positive = node.op.dist_params(node)
    inner = describe(positive)
    if inner.family in ("Gamma", "LogNormal"):
        return Description(family=f"Hurdle{inner.family}", parameters={"psi": weights[..., 1], **inner.parameters})
    if inner.family == "Truncated" and not isinstance(inner.parts["dist"], tuple):
        base = inner.parts["dist"]
        name = f"Hurdle{base.family}"
        if base.family in ("Poisson", "NegativeBinomial"):
            return Description(family=name, parameters={"psi": weights[..., 1], **base.parameters})
        if base.family in ("Gamma", "LogNormal"):
            return Description(family=name, parameters={"psi": weights[..., 1], **base.parameters})
    raise ValueError(f"A hurdle over {inner.family} is not known to the divergence engine.")


def _constants(variables: Sequence[TensorVariable]) -> list[np.ndarray]:
    """Values of graphs of constants, node by node: no function is built."""
    exact = in_double_precision(list(variables))
    known: dict = {}

    def value(v: TensorVariable) -> np.ndarray:
        if isinstance(v, Constant):
            return v.data
        if hasattr(v, "get_value"):
            return v.get_value()
        if v not in known:
            raise ValueError(f"The parameter {v} is not a constant; a distribution needs numbers as parameters.")
        return known[v]

    with without_c():
        for node in toposort(exact):
            if isinstance(node.op, RandomVariable) or hasattr(node.op, "ndim_supp"):
                raise ValueError("A parameter is random; a distribution needs numbers as parameters.")
            storage: list = [[None] for _ in node.outputs]
            node.op.perform(node, [np.asarray(value(i)) for i in node.inputs], storage)
            known.update({out: cell[0] for out, cell in zip(node.outputs, storage, strict=True)})
    return [np.asarray(value(v)) for v in exact]


def _named(name: str, *names: str) -> tuple[str, Callable[..., Parameters]]:
    return name, lambda *values: dict(zip(names, values, strict=True))


_RULES: dict[str, tuple[str, Callable[..., Parameters]]] = {
    "NormalRV": _named("Normal", "mu", "sigma"),
    "HalfNormalRV": ("HalfNormal", lambda _, sigma: {"sigma": sigma}),
    "LogNormalRV": _named("LogNormal", "mu", "sigma"),
    "LogitNormal": _named("LogitNormal", "mu", "sigma"),
    "SkewNormalRV": _named("SkewNormal", "mu", "sigma", "alpha"),
    "TruncatedNormalRV": _named("TruncatedNormal", "mu", "sigma", "lower", "upper"),
    "GammaRV": ("Gamma", lambda alpha, scale: {"alpha": alpha, "beta": pt.reciprocal(scale)}),
    "ExponentialRV": ("Exponential", lambda scale: {"lam": pt.reciprocal(scale)}),
    "InvGammaRV": _named("InverseGamma", "alpha", "beta"),
    "WeibullBetaRV": _named("Weibull", "alpha", "beta"),
    "GumbelRV": _named("Gumbel", "mu", "beta"),
    "BetaRV": _named("Beta", "alpha", "beta"),
    "KumaraswamyRV": _named("Kumaraswamy", "a", "b"),
    "UniformRV": _named("Uniform", "lower", "upper"),
    "TriangularRV": _named("Triangular", "lower", "c", "upper"),
    "StudentTRV": _named("StudentT", "nu", "mu", "sigma"),
    "HalfStudentTRV": _named("HalfStudentT", "nu", "sigma"),
    "SkewStudentTRV": _named("SkewStudentT", "a", "b", "mu", "sigma"),
    "CauchyRV": _named("Cauchy", "alpha", "beta"),
    "HalfCauchyRV": _named("HalfCauchy", "beta"),
    "LaplaceRV": _named("Laplace", "mu", "b"),
    "AsymmetricLaplaceRV": _named("AsymmetricLaplace", "b", "kappa", "mu"),
    "LogisticRV": _named("Logistic", "mu", "s"),
    "VonMisesRV": _named("VonMises", "mu", "kappa"),
    "ExGaussianRV": _named("ExGaussian", "mu", "sigma", "nu"),
    "MoyalRV": _named("Moyal", "mu", "sigma"),
    "RiceRV": ("Rice", lambda b, sigma: {"nu": b * sigma, "sigma": sigma}),
    "ParetoRV": _named("Pareto", "alpha", "m"),
    "WaldRV": _named("Wald", "mu", "lam", "alpha"),
    "PoissonRV": _named("Poisson", "mu"),
    "NegBinomialRV": ("NegativeBinomial", lambda n, p: {"mu": n * (1 - p) / p, "alpha": n}),
    "GeometricRV": _named("Geometric", "p"),
    "BernoulliRV": _named("Bernoulli", "p"),
    "BinomialRV": _named("Binomial", "n", "p"),
    "BetaBinomialRV": _named("BetaBinomial", "n", "alpha", "beta"),
    "CategoricalRV": _named("Categorical", "p"),
    "DiscreteUniformRV": _named("DiscreteUniform", "lower", "upper"),
    "DiscreteWeibullRV": _named("DiscreteWeibull", "q", "beta"),
    "HyperGeometricRV": ("HyperGeometric", lambda good, bad, n: {"N": good + bad, "k": good, "n": n}),
    "MvNormalRV": _named("MvNormal", "mu", "cov"),
    "MvStudentTRV": _named("MvStudentT", "nu", "mu", "scale"),
    "WishartRV": ("Wishart", lambda nu, chol: {"nu": nu, "V": chol @ chol.mT}),
    "DirichletRV": _named("Dirichlet", "a"),
    "MultinomialRV": _named("Multinomial", "n", "p"),
    "DirichletMultinomialRV": _named("DirichletMultinomial", "n", "a"),
}
