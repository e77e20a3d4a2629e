"""PreliZ distributions as families: their names and parameters are PyMC's; others keep PreliZ' own functions."""

from dataclasses import fields, make_dataclass
from functools import cache
from typing import Any

import numpy as np

from pp_mlekl.divergences.distribution import Distribution, Support
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.families.registry import FAMILIES
from pp_mlekl.inputs.signatures import signature
from pp_mlekl.typing import Array

# PreliZ' attribute for a family's parameter, where the two names differ.
_RENAMED = {("Dirichlet", "a"): "alpha"}
_HURDLES = ("Gamma", "LogNormal", "Poisson", "NegativeBinomial")


def from_preliz(dist: Any) -> Distribution:
    """The family of a PreliZ distribution.

    Raises
    ------
    ValueError
        Where its parameters are not set.
    TypeError
        Where it is vector-valued and has no family here.
    """
    name = type(dist).__name__
    if not dist.is_frozen:
        raise ValueError(f"PreliZ' {name} has no parameters yet; set them, e.g. preliz.Normal(0, 1).")
    if name in ("Truncated", "Censored"):
        return family(name)(dist=from_preliz(dist.dist), lower=dist.lower, upper=dist.upper)
    if name == "Hurdle" and type(dist.dist).__name__ in _HURDLES:
        kind = family(f"Hurdle{type(dist.dist).__name__}")
        own = [n for n, _ in signature(kind.__name__) if n != "psi"]
        return kind(psi=dist.psi, **{n: getattr(dist.dist, n) for n in own})
    if name == "Mixture":
        parts = tuple(from_preliz(d) for d in dist.dist)
        return family("Mixture")(w=np.asarray(dist.weights, dtype=np.float64), parts=parts)
    if name in FAMILIES:
        known = FAMILIES[name]
        named = {n: _RENAMED.get((name, n), n) for n, _ in signature(name) if n != "logit_p"}
        # A parameter that PreliZ does not have (the shift of a Wald) keeps the family's default.
        parameters = {own: getattr(dist, theirs, None) for own, theirs in named.items()}
        return known(**{n: v for n, v in parameters.items() if v is not None})
    if not hasattr(dist, "isf"):
        raise TypeError(f"PreliZ' {name} has no family here; give draws of it (.rvs).")
    cls = _class_of(type(dist), tuple(dist.param_names))  # type: ignore[arg-type]
    return cls(**dict(zip(dist.param_names, dist.params, strict=True)))


class _OwnFunctions(Distribution):
    """A one-dimensional PreliZ distribution without a family, by its own functions."""

    kind: type

    @property
    def _dist(self) -> Any:
        return self.kind(**{f.name: float(getattr(self, f.name)) for f in fields(self)})  # type: ignore[arg-type]

    def _mapped(self, method: str, x: Array) -> Array:
        if self.batch_shape:
            shape = np.broadcast_shapes(np.shape(x), self.batch_shape)
            x = np.broadcast_to(x, shape)
            result = np.empty(shape)
            for index in np.ndindex(self.batch_shape):
                result[(..., *index)] = self.select(index)._mapped(method, x[(..., *index)])
            return result
        flat = np.atleast_1d(np.asarray(x, dtype=np.float64)).ravel()
        with np.errstate(all="ignore"):
            return np.asarray(getattr(self._dist, method)(flat), dtype=np.float64).reshape(np.shape(x))

    def log_density(self, x: Array) -> Array:
        """PreliZ' log density in nats."""
        return self._mapped("logpdf", x)

    def quantile(self, u: Array) -> Array:
        """PreliZ' quantile."""
        return self._mapped("ppf", u)

    def upper_quantile(self, u: Array) -> Array:
        """PreliZ' inverse survival function."""
        return self._mapped("isf", u)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return self._mapped("cdf", x)

    def survival(self, x: Array) -> Array:
        """P(X > x)."""
        return self._mapped("sf", x)

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Independent draws by inversion."""
        return self.quantile(generator.uniform(size=(*shape, *self.batch_shape)))

    def support(self) -> Support:
        """PreliZ' support."""
        ends = np.empty((2, *self.batch_shape))
        for index in np.ndindex(self.batch_shape):
            ends[(slice(None), *index)] = self.select(index)._dist.support
        return Support(lower=ends[0], upper=ends[1], discrete=self.discrete)


@cache
def _class_of(kind: type, names: tuple[str, ...]) -> type[Distribution]:
    return make_dataclass(
        f"Preliz{kind.__name__}",
        [(n, Array) for n in names],
        bases=(_OwnFunctions,),
        namespace={
            "kind": kind,
            "discrete": kind.__mro__[1].__name__ == "Discrete",
            "__doc__": f"PreliZ' {kind.__name__}.",
        },
        frozen=True,
        kw_only=True,
        eq=False,
    )
