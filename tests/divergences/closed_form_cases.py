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
    "NegativeBinomial": "alpha",
    "ZeroInflatedNegativeBinomial": "alpha",
    "HurdleNegativeBinomial": "alpha",
}
_VALUE = {"alpha": 2.2}


def pair(first: str, second: str, generator: np.random.Generator) -> tuple[Distribution, Distribution]:
    """P and Q of two families."""
    p, q = (_member(name, generator) for name in (first, second))
    if first in ("Uniform", "Triangular"):
        p |= {"lower": 0.1, "upper": generator.uniform(0.4, 0.9)} | ({"c": 0.25} if "c" in p else {})
    if first == "TruncatedNormal":
        p |= {"lower": 0.2, "upper": 1.9}
    # Q's support must hold P's.
    if second in ("Uniform", "TruncatedNormal"):
        bounded = first in ("Beta", "Kumaraswamy", "Triangular", "TruncatedNormal", "Uniform", "VonMises")
        whole = np.inf if not bounded else 4.0
        half = 0.0 if bounded and first != "VonMises" or family(first).narrowest[0] >= 0 else -whole
        q |= {"lower": half, "upper": whole}
    if second == "Pareto":
        q["m"] = p["m"] * 0.6 if first == "Pareto" else 0.05
    if second == "Geometric" and first == "DiscreteUniform":
        p["lower"] = 1
    if first == "HalfCauchy":
        q |= {name: 0.0 for name in ("alpha", "mu") if second in ("Cauchy", "StudentT") and name in q}
    if "Bernoulli" in (first, second) and "Categorical" in (first, second):
        p, q = (v | ({"p": [0.3, 0.7]} if name == "Categorical" else {}) for v, name in ((p, first), (q, second)))
    if (first, second) == ("Binomial", "Bernoulli"):
        p["n"] = 1
    if "Binomial" in first and "Binomial" in second and "n" in p and "n" in q:
        p["n"] = q["n"]
    # E exp(-X / scale) must exist.
    if second in ("Gumbel", "Moyal") and first in ("Laplace", "AsymmetricLaplace", "Logistic", "Gumbel", "Moyal"):
        q = {name: 4 * v if name in ("beta", "sigma") else v for name, v in q.items()}
    if first == "InverseGamma":
        p["alpha"] = p["alpha"] + 2
    if second in ("InverseGamma", "Wald"):
        p = {name: 1.8 * v if name in ("alpha", "nu", "a") and first != "Pareto" else v for name, v in p.items()}
    return family(first)(**p), family(second)(**q)


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
