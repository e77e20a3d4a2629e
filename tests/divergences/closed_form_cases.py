"""Random members of families, such that the divergence of a listed pair is finite."""

import numpy as np
from univariate_cases import CONTINUOUS, DISCRETE

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family

_EXTRA = {
    "HurdleGamma": {"psi": 0.7, "alpha": 2.3, "beta": 1.4},
    "HurdleLogNormal": {"psi": 0.6, "mu": 0.3, "sigma": 0.6},
}
_PARAMETERS = CONTINUOUS | DISCRETE | _EXTRA
_LOCATIONS = {"mu": set(CONTINUOUS) - {"Wald"}, "alpha": {"Cauchy"}}
_PROBABILITIES = {"p", "psi", "q"}
_COUNTS = {"n", "N", "k", "lower", "upper", "c"}
# What must be equal in P and Q for a closed form: it keeps its generic value.
_SHARED = {
    "Kumaraswamy": "a",
    "Logistic": "s",
    "PolyaGamma": "h",
    "NegativeBinomial": "alpha",
    "ZeroInflatedNegativeBinomial": "alpha",
    "HurdleNegativeBinomial": "alpha",
}
_VALUE = {"alpha": 2.2}


def pair(first: str, second: str, generator: np.random.Generator) -> tuple[Distribution, Distribution]:
    """P and Q of two families."""
    p, q = (_member(name, generator) for name in (first, second))
    p |= _short_interval(first, generator)
    q |= _wide_support(first, second, p)
    p, q = _with_closed_form(first, second, p, q)
    return family(first)(**p), family(second)(**q)


def _short_interval(name: str, generator: np.random.Generator) -> dict:
    if name == "TruncatedNormal":
        return {"lower": 0.2, "upper": 1.9}
    if name not in ("Uniform", "Triangular"):
        return {}
    return {"lower": 0.1, "upper": generator.uniform(0.4, 0.9)} | ({"c": 0.25} if name == "Triangular" else {})


def _wide_support(first: str, second: str, p: dict) -> dict:
    """What lets Q's support hold P's."""
    if second == "Pareto":
        return {"m": p["m"] * 0.6 if first == "Pareto" else 0.05}
    if second not in ("Uniform", "TruncatedNormal"):
        return {}
    narrowest = family(first).narrowest
    upper = 4.0 if np.isfinite(narrowest[1]) else np.inf
    return {"lower": 0.0 if narrowest[0] >= 0 else -upper, "upper": upper}


def _with_closed_form(first: str, second: str, p: dict, q: dict) -> tuple[dict, dict]:
    """What a closed form needs: equal parameters, or expectations that exist."""
    if first == "DiscreteUniform" and second == "Geometric":
        p["lower"] = 1
    if first == "HalfCauchy":
        q |= {"Cauchy": {"alpha": 0.0}, "StudentT": {"mu": 0.0}}.get(second, {})
    if {first, second} == {"Bernoulli", "Categorical"}:
        p, q = (d | ({"p": [0.3, 0.7]} if np.ndim(d["p"]) else {}) for d in (p, q))
    if (first, second) == ("Binomial", "Bernoulli"):
        p["n"] = 1
    if first.endswith("Binomial") and second.endswith("Binomial") and "n" in p and "n" in q:
        p["n"] = q["n"]
    return _with_moments(first, second, p, q)


def _with_moments(first: str, second: str, p: dict, q: dict) -> tuple[dict, dict]:
    if second in ("Gumbel", "Moyal") and family(first).narrowest[0] == -np.inf:
        q = {name: 4 * v if name in ("beta", "sigma") else v for name, v in q.items()}
    if first in ("InverseGamma", "Pareto"):
        p["alpha"] = p["alpha"] + 2
    if second in ("InverseGamma", "Wald") and first != "Pareto":
        p = {name: 1.8 * v if name in ("alpha", "nu", "a") else v for name, v in p.items()}
    return p, q


def _member(name: str, generator: np.random.Generator) -> dict:
    return {k: _moved(name, k, np.asarray(v, dtype=float), generator) for k, v in _PARAMETERS[name].items()}


def _moved(name: str, parameter: str, value: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if parameter in _COUNTS and name != "HurdleGamma":
        return value
    if _SHARED.get(name) == parameter:
        return np.asarray(_VALUE.get(parameter, value))
    step = 0.3 * generator.normal(size=value.shape)
    if name in _LOCATIONS.get(parameter, ()):
        return value + step
    if parameter in _PROBABILITIES and value.ndim == 0:
        return 1 / (1 + (1 / value - 1) * np.exp(step))
    return value * np.exp(step)
