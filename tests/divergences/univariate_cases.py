"""Generic members of the one-dimensional families, and an integration that shares nothing with the package's."""

import itertools

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family

CONTINUOUS = {
    "Normal": {"mu": 0.4, "sigma": 1.3},
    "LogNormal": {"mu": 0.3, "sigma": 0.6},
    "LogitNormal": {"mu": 0.3, "sigma": 0.9},
    "HalfNormal": {"sigma": 1.7},
    "SkewNormal": {"mu": 0.2, "sigma": 1.4, "alpha": 2.0},
    "Gamma": {"alpha": 2.3, "beta": 1.4},
    "Exponential": {"lam": 0.8},
    "ChiSquared": {"nu": 3.5},
    "InverseGamma": {"alpha": 3.2, "beta": 2.1},
    "Weibull": {"alpha": 1.6, "beta": 1.9},
    "Gumbel": {"mu": 0.5, "beta": 1.1},
    "Beta": {"alpha": 2.2, "beta": 3.1},
    "Kumaraswamy": {"a": 2.1, "b": 2.6},
    "Uniform": {"lower": 0.0, "upper": 1.0},
    "Triangular": {"lower": 0.0, "c": 0.3, "upper": 1.0},
    "Interpolated": {"x_points": [-0.5, 0.2, 0.9, 1.4, 2.6], "pdf_points": [0.2, 1.0, 0.4, 0.7, 0.0]},
    "Laplace": {"mu": 0.3, "b": 0.9},
    "AsymmetricLaplace": {"kappa": 1.4, "mu": 0.2, "b": 1.2},
    "Cauchy": {"alpha": 0.1, "beta": 0.9},
    "StudentT": {"nu": 4.5, "mu": 0.2, "sigma": 1.1},
    "Logistic": {"mu": 0.3, "s": 0.8},
    "VonMises": {"mu": 0.6, "kappa": 1.7},
    "ExGaussian": {"mu": 0.2, "sigma": 0.8, "nu": 1.1},
    "Moyal": {"mu": 0.4, "sigma": 0.9},
    "SkewStudentT": {"a": 3.2, "b": 4.1, "mu": 0.2, "sigma": 1.1},
    "Pareto": {"alpha": 3.1, "m": 0.7},
    "HalfCauchy": {"beta": 1.3},
    "HalfStudentT": {"nu": 4.2, "sigma": 1.2},
    "Wald": {"mu": 1.3, "lam": 2.2},
    "PolyaGamma": {"h": 1.7, "z": 0.8},
    "Rice": {"nu": 1.1, "sigma": 0.9},
    "TruncatedNormal": {"mu": 0.4, "sigma": 1.2, "lower": -1.0, "upper": 2.5},
    "NormalMixture": {"w": [0.3, 0.7], "mu": [-1.0, 1.2], "sigma": [0.6, 1.0]},
}
DISCRETE = {
    "Poisson": {"mu": 3.4},
    "NegativeBinomial": {"mu": 3.1, "alpha": 2.2},
    "Geometric": {"p": 0.3},
    "DiscreteUniform": {"lower": 0, "upper": 9},
    "DiscreteWeibull": {"q": 0.8, "beta": 1.2},
    "BetaBinomial": {"alpha": 2.1, "beta": 3.2, "n": 12},
    "HyperGeometric": {"N": 30, "k": 12, "n": 9},
    "Binomial": {"n": 12, "p": 0.35},
    "Bernoulli": {"p": 0.3},
    "Categorical": {"p": [0.2, 0.3, 0.1, 0.4]},
    "ZeroInflatedPoisson": {"psi": 0.7, "mu": 3.0},
    "ZeroInflatedBinomial": {"psi": 0.8, "n": 10, "p": 0.4},
    "ZeroInflatedNegativeBinomial": {"psi": 0.75, "mu": 3.3, "alpha": 1.9},
    "HurdlePoisson": {"psi": 0.7, "mu": 2.8},
    "HurdleNegativeBinomial": {"psi": 0.7, "mu": 2.9, "alpha": 2.3},
}
# Points that cut the line into pieces on each of which a double-exponential rule is exact.
_CUTS = np.array([0.5, 2, 8, 40, 300, 1e4, 1e6, 1e9, 1e13, 1e18, 1e25, 1e40, 1e60, 1e100, 1e150, 1e220])


def make(name: str) -> Distribution:
    """The generic member of a family, or one of the compositions below."""
    if name == "Truncated":
        return family("Truncated")(dist=make("StudentT"), lower=-0.5, upper=np.inf)
    if name == "Mixture":
        return family("Mixture")(w=[0.4, 0.6], parts=(make("Gamma"), make("LogNormal")))
    return family(name)(**(CONTINUOUS | DISCRETE)[name])


def continuous() -> list[str]:
    """The names of all continuous cases without atoms."""
    return [*CONTINUOUS, "Truncated", "Mixture"]


def dense_mean(p: Distribution, q: Distribution, function, points: int = 6000) -> float:
    """E_P[function(log p - log q)] by tanh-sinh rules of many points on fixed pieces of P's support."""
    s = np.linspace(-6.2, 6.2, points)
    u = np.pi / 2 * np.sinh(s)
    with np.errstate(over="ignore"):
        left, right = 2 / (1 + np.exp(-2 * u)), 2 / (1 + np.exp(2 * u))
    weight = np.pi / 2 * np.cosh(s) * (s[1] - s[0]) * left * right
    total = 0.0
    edges = _edges(p, q)
    for a, b in itertools.pairwise(edges):
        half = (b - a) / 2
        x = np.where(left < 1, a + half * left, b - half * right)
        inside = (x > a) & (x < b)
        x, w = x[inside], half * weight[inside]
        with np.errstate(all="ignore"):
            log_p = p.log_density(x)
            value = np.exp(log_p) * function(log_p - q.log_density(x))
            # Next to 0 a density ratio overflows where there is no mass.
            total += np.sum(np.where(np.exp(log_p) * w > 1e-200, value, 0.0) * w)
    return float(total)


def _edges(p: Distribution, q: Distribution) -> np.ndarray:
    support = p.support()
    points = [*_CUTS, *-_CUTS]
    for distribution in (p, q):
        for _, part in distribution.components():
            ends = part.support()
            points += [float(v) for v in (*part.kinks(), ends.lower, ends.upper) if np.isfinite(v)]
    points.append(float(np.asarray(p.components()[-1][1].quantile(np.array(0.5)))))
    inside = [x for x in points if support.lower < x < support.upper]
    return np.unique([*inside, *(float(e) for e in (support.lower, support.upper) if np.isfinite(e))])
