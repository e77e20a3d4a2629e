"""Order, defaults and alternative parameters of PyMC's distributions, without importing PyMC."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from pp_mlekl.divergences.families import family
from pp_mlekl.typing import Array

REQUIRED = object()

_LOCATION_SCALE = (("mu", 0.0), ("sigma", 1.0))
_BOUNDS = (("lower", -np.inf), ("upper", np.inf))

# Where PyMC's order or defaults are not those of the family's fields.
_SIGNATURES: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "Bernoulli": (("p", None), ("logit_p", None)),
    "Binomial": (("n", REQUIRED), ("p", None), ("logit_p", None)),
    "Categorical": (("p", None), ("logit_p", None)),
    "Geometric": (("p", REQUIRED),),
    "Poisson": (("mu", REQUIRED),),
    "Multinomial": (("n", REQUIRED), ("p", REQUIRED)),
    "ZeroInflatedPoisson": (("psi", REQUIRED), ("mu", REQUIRED)),
    "ZeroInflatedBinomial": (("psi", REQUIRED), ("n", REQUIRED), ("p", REQUIRED)),
    "ZeroInflatedNegativeBinomial": (("psi", REQUIRED), ("mu", REQUIRED), ("alpha", REQUIRED)),
    "HurdlePoisson": (("psi", REQUIRED), ("mu", REQUIRED)),
    "HurdleNegativeBinomial": (("psi", REQUIRED), ("mu", REQUIRED), ("alpha", REQUIRED)),
    "Normal": _LOCATION_SCALE,
    "LogNormal": _LOCATION_SCALE,
    "LogitNormal": _LOCATION_SCALE,
    "Moyal": _LOCATION_SCALE,
    "HalfNormal": (("sigma", 1.0),),
    "Exponential": (("lam", 1.0),),
    "InverseGamma": (("alpha", REQUIRED), ("beta", 1.0)),
    "Rice": (("nu", REQUIRED), ("sigma", 1.0)),
    "ExGaussian": (*_LOCATION_SCALE, ("nu", REQUIRED)),
    "Logistic": (("mu", 0.0), ("s", 1.0)),
    "VonMises": (("mu", 0.0), ("kappa", 1.0)),
    "Uniform": (("lower", 0.0), ("upper", 1.0)),
    "Triangular": (("lower", 0.0), ("upper", 1.0), ("c", 0.5)),
    "SkewNormal": (("alpha", 1.0), *_LOCATION_SCALE),
    "SkewStudentT": (("a", REQUIRED), ("b", REQUIRED), *_LOCATION_SCALE),
    "StudentT": (("nu", REQUIRED), *_LOCATION_SCALE),
    "HalfStudentT": (("nu", REQUIRED), ("sigma", 1.0)),
    "PolyaGamma": (("h", 1.0), ("z", 0.0)),
    "Wald": (("mu", REQUIRED), ("lam", 1.0), ("alpha", 0.0)),
    "TruncatedNormal": (*_LOCATION_SCALE, *_BOUNDS),
    "Truncated": (("dist", REQUIRED), *_BOUNDS),
    "Censored": (("dist", REQUIRED), *_BOUNDS),
    "Mixture": (("w", REQUIRED), ("comp_dists", REQUIRED)),
    "NormalMixture": (("w", REQUIRED), ("mu", REQUIRED), ("sigma", 1.0)),
    "HurdleGamma": (("psi", REQUIRED), ("alpha", REQUIRED), ("beta", REQUIRED)),
    "HurdleLogNormal": (("psi", REQUIRED), *_LOCATION_SCALE),
    "MvNormal": (("mu", 0.0), ("cov", REQUIRED)),
    "MvStudentT": (("nu", REQUIRED), ("mu", 0.0), ("scale", REQUIRED)),
}


def signature(name: str) -> tuple[tuple[str, Any], ...]:
    """Names and defaults (``REQUIRED`` where there is none) of a family's parameters in PyMC's order."""
    cls = family(name)
    if name in _SIGNATURES:
        return _SIGNATURES[name]
    return tuple((f.name, REQUIRED) for f in fields(cls))


def _gamma(mu: Any, sigma: Any) -> dict[str, Any]:
    return {"alpha": mu**2 / sigma**2, "beta": mu / sigma**2}


def _inverse_gamma(mu: Any, sigma: Any) -> dict[str, Any]:
    alpha = 2 + mu**2 / sigma**2
    return {"alpha": alpha, "beta": mu * (alpha - 1)}


def _beta_from_sigma(mu: Any, sigma: Any) -> dict[str, Any]:
    return _beta_from_size(mu, mu * (1 - mu) / sigma**2 - 1)


def _beta_from_size(mu: Any, nu: Any) -> dict[str, Any]:
    return {"alpha": mu * nu, "beta": (1 - mu) * nu}


def _counts(p: Any, n: Any) -> dict[str, Any]:
    return {"mu": n * (1 - p) / p, "alpha": n}


def _precision(name: str) -> dict[tuple[str, ...], Callable[..., dict[str, Any]]]:
    return {(name,): lambda precision: {"sigma": precision**-0.5}}


_COUNTS: Mapping[tuple[str, ...], Callable[..., dict[str, Any]]] = {
    ("p", "n"): _counts,
    ("p", "alpha"): _counts,
    ("mu", "n"): lambda mu, n: {"mu": mu, "alpha": n},
}

# By family: the alternative parameters and what they are in the family's own.
ALTERNATIVES: Mapping[str, Mapping[tuple[str, ...], Callable[..., dict[str, Any]]]] = {
    **dict.fromkeys(
        ("Normal", "LogNormal", "LogitNormal", "HalfNormal", "SkewNormal", "TruncatedNormal", "NormalMixture"),
        _precision("tau"),
    ),
    "HurdleLogNormal": _precision("tau"),
    **dict.fromkeys(("StudentT", "HalfStudentT", "SkewStudentT"), _precision("lam")),
    "Exponential": {("scale",): lambda scale: {"lam": 1 / scale}},
    "Gamma": {("mu", "sigma"): _gamma},
    "HurdleGamma": {("mu", "sigma"): _gamma},
    "InverseGamma": {("mu", "sigma"): _inverse_gamma},
    "Beta": {("mu", "sigma"): _beta_from_sigma, ("mu", "nu"): _beta_from_size},
    "NegativeBinomial": _COUNTS,
    "ZeroInflatedNegativeBinomial": _COUNTS,
    "HurdleNegativeBinomial": _COUNTS,
    "Rice": {("b", "sigma"): lambda b, sigma: {"nu": b * sigma, "sigma": sigma}},
    "Wald": {
        ("mu", "phi"): lambda mu, phi: {"mu": mu, "lam": mu * phi},
        ("lam", "phi"): lambda lam, phi: {"mu": lam / phi, "lam": lam},
    },
    "MvNormal": {("tau",): lambda tau: {"cov": np.linalg.inv(tau)}, ("chol",): lambda chol: {"cov": _outer(chol)}},
    "MvStudentT": {("tau",): lambda tau: {"scale": np.linalg.inv(tau)}, ("chol",): lambda c: {"scale": _outer(c)}},
}


def _outer(chol: Any) -> Array:
    chol = np.asarray(chol, dtype=np.float64)
    return chol @ np.swapaxes(chol, -1, -2)
