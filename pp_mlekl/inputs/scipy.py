"""Frozen SciPy distributions as families; those that are none of them keep SciPy's own functions."""

from collections.abc import Callable
from dataclasses import make_dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import stats
from scipy.stats import distributions as scipy_distributions

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.families.univariate import Univariate
from pp_mlekl.typing import Array

_FROZEN = (scipy_distributions.rv_frozen, type(stats.multivariate_normal()).__mro__[1])

Parameters = dict[str, Any]

# SciPy's shapes, location and scale in the family's parameters, where the family has all three.
_ANYWHERE: dict[str, tuple[str, Callable[..., Parameters]]] = {
    "norm": ("Normal", lambda loc, scale: {"mu": loc, "sigma": scale}),
    "laplace": ("Laplace", lambda loc, scale: {"mu": loc, "b": scale}),
    "laplace_asymmetric": (
        "AsymmetricLaplace",
        lambda kappa, loc, scale: {"kappa": kappa, "mu": loc, "b": 1 / scale},
    ),
    "cauchy": ("Cauchy", lambda loc, scale: {"alpha": loc, "beta": scale}),
    "gumbel_r": ("Gumbel", lambda loc, scale: {"mu": loc, "beta": scale}),
    "uniform": ("Uniform", lambda loc, scale: {"lower": loc, "upper": loc + scale}),
    "invgauss": ("Wald", lambda mu, loc, scale: {"mu": mu * scale, "lam": scale, "alpha": loc}),
    "logistic": ("Logistic", lambda loc, scale: {"mu": loc, "s": scale}),
    "truncnorm": (
        "TruncatedNormal",
        lambda a, b, loc, scale: {"mu": loc, "sigma": scale, "lower": loc + a * scale, "upper": loc + b * scale},
    ),
    "t": ("StudentT", lambda df, loc, scale: {"nu": df, "mu": loc, "sigma": scale}),
    "skewnorm": ("SkewNormal", lambda a, loc, scale: {"alpha": a, "mu": loc, "sigma": scale}),
    "exponnorm": ("ExGaussian", lambda k, loc, scale: {"mu": loc, "sigma": scale, "nu": k * scale}),
    "moyal": ("Moyal", lambda loc, scale: {"mu": loc, "sigma": scale}),
    "triang": ("Triangular", lambda c, loc, scale: {"lower": loc, "c": loc + c * scale, "upper": loc + scale}),
    "jf_skew_t": ("SkewStudentT", lambda a, b, loc, scale: {"a": a, "b": b, "mu": loc, "sigma": scale}),
    "randint": ("DiscreteUniform", lambda low, high, loc: {"lower": low + loc, "upper": high + loc - 1}),
}
# Those whose family starts at 0, of any scale.
_FROM_ZERO: dict[str, tuple[str, Callable[..., Parameters]]] = {
    "lognorm": ("LogNormal", lambda s, scale: {"mu": np.log(scale), "sigma": s}),
    "halfnorm": ("HalfNormal", lambda scale: {"sigma": scale}),
    "expon": ("Exponential", lambda scale: {"lam": 1 / scale}),
    "gamma": ("Gamma", lambda a, scale: {"alpha": a, "beta": 1 / scale}),
    "erlang": ("Gamma", lambda a, scale: {"alpha": a, "beta": 1 / scale}),
    "chi2": ("Gamma", lambda df, scale: {"alpha": df / 2, "beta": 0.5 / scale}),
    "invgamma": ("InverseGamma", lambda a, scale: {"alpha": a, "beta": scale}),
    "halfcauchy": ("HalfCauchy", lambda scale: {"beta": scale}),
    "weibull_min": ("Weibull", lambda c, scale: {"alpha": c, "beta": scale}),
    "pareto": ("Pareto", lambda b, scale: {"alpha": b, "m": scale}),
    "rice": ("Rice", lambda b, scale: {"nu": b * scale, "sigma": scale}),
}
# Those whose family has neither location nor scale.
_STANDARD: dict[str, tuple[str, Callable[..., Parameters]]] = {
    "beta": ("Beta", lambda a, b: {"alpha": a, "beta": b}),
    "bernoulli": ("Bernoulli", lambda p: {"p": p}),
    "binom": ("Binomial", lambda n, p: {"n": n, "p": p}),
    "poisson": ("Poisson", lambda mu: {"mu": mu}),
    "geom": ("Geometric", lambda p: {"p": p}),
    "nbinom": ("NegativeBinomial", lambda n, p: {"mu": n * (1 - p) / p, "alpha": n}),
    "betabinom": ("BetaBinomial", lambda n, a, b: {"alpha": a, "beta": b, "n": n}),
    "hypergeom": ("HyperGeometric", lambda m, n, k: {"N": m, "k": n, "n": k}),
}
_MULTIVARIATE: dict[str, tuple[str, Callable[[Any], Parameters]]] = {
    "multivariate_normal_frozen": ("MvNormal", lambda f: {"mu": f.mean, "cov": f.cov}),
    "multivariate_t_frozen": ("MvStudentT", lambda f: {"nu": f.df, "mu": f.loc, "scale": f.shape}),
    "dirichlet_frozen": ("Dirichlet", lambda f: {"a": f.alpha}),
    "multinomial_frozen": ("Multinomial", lambda f: {"n": f.n, "p": f.p}),
    "dirichlet_multinomial_frozen": ("DirichletMultinomial", lambda f: {"n": f.n, "a": f.alpha}),
    "wishart_frozen": ("Wishart", lambda f: {"nu": f.df, "V": f.scale}),
    "invwishart_frozen": ("InverseWishart", lambda f: {"nu": f.df, "V": f.scale}),
    "matrix_normal_frozen": ("MatrixNormal", lambda f: {"mu": f.mean, "rowcov": f.rowcov, "colcov": f.colcov}),
}


def is_scipy(candidate: Any) -> bool:
    """Whether something is a frozen SciPy distribution."""
    return isinstance(candidate, _FROZEN)


def is_unfrozen_scipy(candidate: Any) -> bool:
    """Whether something is a SciPy distribution that has not been called with parameters."""
    return isinstance(candidate, stats.rv_continuous | stats.rv_discrete | type(stats.multivariate_normal).__mro__[1])


def from_scipy(frozen: Any) -> Distribution:
    """The family of a frozen SciPy distribution, or a family made of SciPy's functions.

    Raises
    ------
    TypeError
        For a multivariate distribution without a family here.
    """
    if not isinstance(frozen, scipy_distributions.rv_frozen):
        return _multivariate(frozen)
    shapes, loc, scale = _arguments(frozen)
    name = frozen.dist.name
    scaled = () if _is_discrete(frozen) else (scale,)
    if name in _ANYWHERE:
        kind, convert = _ANYWHERE[name]
        return family(kind)(**convert(*shapes, loc, *scaled))
    if name in _FROM_ZERO and np.all(loc == 0):
        kind, convert = _FROM_ZERO[name]
        return family(kind)(**convert(*shapes, scale))
    if name in _STANDARD and np.all(loc == 0) and np.all(scale == 1):
        kind, convert = _STANDARD[name]
        return family(kind)(**convert(*shapes))
    if name == "vonmises" and np.all(scale == 1):
        # PyMC's has its mean within one turn about 0.
        return family("VonMises")(mu=np.angle(np.exp(1j * loc)), kappa=shapes[0])
    return _own_functions(frozen, shapes, loc, scale)


def _arguments(frozen: Any) -> tuple[list[Array], Array, Array]:
    shapes, loc, scale = frozen.dist._parse_args(*frozen.args, **frozen.kwds)
    as_double = [np.asarray(v, dtype=np.float64) for v in (*shapes, loc, scale)]
    return as_double[:-2], as_double[-2], as_double[-1]


def _is_discrete(frozen: Any) -> bool:
    return isinstance(frozen.dist, stats.rv_discrete)


def _multivariate(frozen: Any) -> Distribution:
    name = type(frozen).__name__
    if name not in _MULTIVARIATE:
        raise TypeError(f"SciPy's {name.removesuffix('_frozen')} has no family here; give draws of it (.rvs).")
    kind, parameters = _MULTIVARIATE[name]
    return family(kind)(**parameters(frozen))


def _own_functions(frozen: Any, shapes: list[Array], loc: Array, scale: Array) -> Distribution:
    dist = frozen.dist
    # SciPy copies a distribution when it is frozen; only its own classes are the same whatever the copy.
    known = type(dist).__module__ in ("scipy.stats._continuous_distns", "scipy.stats._discrete_distns")
    names = tuple(n.strip() for n in dist.shapes.split(",")) if dist.shapes else ()
    known = known and not isinstance(dist, stats.rv_histogram)
    cls = _class_of(type(dist), dist.name, names) if known else _make_class(dist, dist.name, names)  # type: ignore[arg-type]
    values = dict(zip((*names, "loc", "scale"), (*shapes, loc, scale), strict=True))
    return cls(**values)


@cache
def _class_of(kind: type, name: str, names: tuple[str, ...]) -> type[Distribution]:
    return _make_class(getattr(stats, name), name, names)


def _make_class(dist: Any, name: str, names: tuple[str, ...]) -> type[Distribution]:
    discrete = isinstance(dist, stats.rv_discrete)

    def frozen(self: Any) -> Any:
        values = [getattr(self, n) for n in names]
        return dist(*values, self.loc) if discrete else dist(*values, self.loc, self.scale)

    return make_dataclass(
        f"Scipy{name.title().replace('_', '')}",
        [(n, Array) for n in (*names, "loc", "scale")],
        bases=(Univariate,),
        namespace={"discrete": discrete, "frozen": frozen, "__doc__": f"SciPy's {name}."},
        frozen=True,
        kw_only=True,
        eq=False,
    )
