"""Infinite divergences: by supports and by tails, for every ordered pair and element by element."""

import numpy as np
import pytest
from tiers import slow_if
from univariate_cases import CONTINUOUS, DISCRETE, make

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.integration.tails import diverges_in_tail, leaves_support
from pp_mlekl.divergences.kullback_leibler import kl_divergence

ALL = np.inf

# What -log density grows like towards an infinite upper end: a power of x, or "exp"; and how many moments exist.
UPPER = {
    "Normal": (2.0, ALL),
    "LogNormal": (0.0, ALL),
    "HalfNormal": (2.0, ALL),
    "SkewNormal": (2.0, ALL),
    "Gamma": (1.0, ALL),
    "Exponential": (1.0, ALL),
    "ChiSquared": (1.0, ALL),
    "InverseGamma": (0.0, 3.2),
    "Weibull": (1.6, ALL),
    "Gumbel": (1.0, ALL),
    "Laplace": (1.0, ALL),
    "AsymmetricLaplace": (1.0, ALL),
    "Cauchy": (0.0, 1.0),
    "StudentT": (0.0, 4.5),
    "Logistic": (1.0, ALL),
    "ExGaussian": (1.0, ALL),
    "Moyal": (1.0, ALL),
    "SkewStudentT": (0.0, 8.2),
    "Pareto": (0.0, 3.1),
    "HalfCauchy": (0.0, 1.0),
    "HalfStudentT": (0.0, 4.2),
    "Wald": (1.0, ALL),
    "PolyaGamma": (1.0, ALL),
    "Rice": (2.0, ALL),
    "NormalMixture": (2.0, ALL),
}
# The same towards minus infinity; E exp(-X / scale) exists below the rate of P's own exponential tail.
LOWER = {
    "Normal": (2.0, ALL),
    "SkewNormal": (2.0, ALL),
    "Gumbel": ("exp", ALL),
    "Laplace": (1.0, ALL),
    "AsymmetricLaplace": (1.0, ALL),
    "Cauchy": (0.0, 1.0),
    "StudentT": (0.0, 4.5),
    "Logistic": (1.0, ALL),
    "ExGaussian": (2.0, ALL),
    "Moyal": ("exp", ALL),
    "SkewStudentT": (0.0, 6.4),
    "NormalMixture": (2.0, ALL),
}
# Rates of exponential lower tails, and the scales of Gumbel's and Moyal's doubly exponential ones, of the generic members.
LOWER_RATE = {"Laplace": 1 / 0.9, "AsymmetricLaplace": 1.2 / 1.4, "Logistic": 1 / 0.8}
SCALE = {"Gumbel": 1.1, "Moyal": 0.9}
# Exponents of the density at 0 (density ~ x^(k - 1)); None where it vanishes faster than any power.
AT_ZERO = {
    "LogNormal": None,
    "HalfNormal": 1.0,
    "Gamma": 2.3,
    "Exponential": 1.0,
    "ChiSquared": 1.75,
    "InverseGamma": None,
    "Weibull": 1.6,
    "Beta": 2.2,
    "Kumaraswamy": 2.1,
    "LogitNormal": None,
    "Uniform": 1.0,
    "Triangular": 2.0,
    "Wald": None,
    "PolyaGamma": None,
    "HalfCauchy": 1.0,
    "HalfStudentT": 1.0,
    "Rice": 2.0,
}


def tail_diverges(table: dict, first: str, second: str) -> bool:
    (_, moments), (growth, _) = table[first], table[second]
    if growth == "exp":
        # Two doubly exponential tails meet at Gamma(1 + ratio of scales), always finite.
        if first in SCALE:
            return False
        if moments < ALL:
            return True
        return first in LOWER_RATE and LOWER_RATE[first] <= 1 / SCALE[second]
    return growth > 0 and growth >= moments


def expected(first: str, second: str) -> bool:
    """Whether KL(first||second) is infinite, argued from the shapes of the densities at the ends."""
    p, q = make(first), make(second)
    if np.any(leaves_support(p, q)):
        return True
    support = p.support()
    if np.isinf(support.upper) and tail_diverges(UPPER, first, second):
        return True
    if np.isinf(support.lower):
        return tail_diverges(LOWER, first, second)
    if support.lower == 0 == q.support().lower and second in ("InverseGamma", "Wald", "PolyaGamma"):
        # -log q is of the order 1 / x, which must be integrable at 0.
        exponent = AT_ZERO[first]
        return exponent is not None and exponent <= 1
    return False


PAIRS = [
    (p, q)
    for p in CONTINUOUS
    for q in CONTINUOUS
    if p != q and "TruncatedNormal" not in (p, q) and "VonMises" not in (p, q)
]


# Densities that are slow to evaluate.
@pytest.mark.parametrize("first", slow_if(CONTINUOUS, ("PolyaGamma", "NormalMixture", "ExGaussian")))
def test_infinities_follow_from_the_tails_of_the_densities(first):
    for p, q in PAIRS:
        if p != first:
            continue
        first_, second = make(p), make(q)
        infinite = leaves_support(first_, second)
        if not np.any(infinite):
            infinite = diverges_in_tail(first_.select(None), second.select(None))
        assert bool(np.all(infinite)) == expected(p, q), f"{p}||{q}"


@pytest.mark.parametrize("first", list(DISCRETE))
def test_counts_leave_bounded_supports(first):
    p = make(first)
    for second in DISCRETE:
        q = make(second)
        if leaves_support(p, q):
            assert kl_divergence(p, q).value == np.inf, f"{first}||{second}"


@pytest.mark.parametrize(
    ("p", "q", "infinite"),
    [
        (("StudentT", {"nu": [0.5, 2.0, 2.01], "mu": 0, "sigma": 1}), ("Normal", {"mu": 0, "sigma": 1}), [1, 1, 0]),
        (("Cauchy", {"alpha": 0, "beta": 1}), ("StudentT", {"nu": [1.0, 50.0], "mu": 0, "sigma": 1}), [0, 0]),
        (("Cauchy", {"alpha": 0, "beta": 1}), ("Laplace", {"mu": 0, "b": [1.0, 1e6]}), [1, 1]),
        (("Pareto", {"alpha": [0.8, 1.0, 1.2], "m": 1}), ("Exponential", {"lam": 1}), [1, 1, 0]),
        (("Pareto", {"alpha": [1.0, 3.0], "m": 1}), ("LogNormal", {"mu": 0, "sigma": 1}), [0, 0]),
        (("Pareto", {"alpha": [1.5, 2.0, 2.5], "m": 1}), ("Weibull", {"alpha": 2.0, "beta": 1}), [1, 1, 0]),
        (("InverseGamma", {"alpha": [0.9, 1.1], "beta": 1}), ("Gamma", {"alpha": 2, "beta": 1}), [1, 0]),
        (("Gamma", {"alpha": [0.5, 1.0, 1.5], "beta": 1}), ("InverseGamma", {"alpha": 2, "beta": 1}), [1, 1, 0]),
        (("Beta", {"alpha": [0.5, 1.5], "beta": 1}), ("Wald", {"mu": 1, "lam": 1}), [1, 0]),
        (("Laplace", {"mu": 0, "b": [0.9, 1.0, 1.1]}), ("Gumbel", {"mu": 0, "beta": 1.0}), [0, 1, 1]),
        (("Logistic", {"mu": 0, "s": [0.9, 1.1]}), ("Moyal", {"mu": 0, "sigma": 1.0}), [0, 1]),
        (("LogNormal", {"mu": 0, "sigma": [0.5, 3.0]}), ("Normal", {"mu": 0, "sigma": 1}), [0, 0]),
        (("Uniform", {"lower": [0.0, -1.0], "upper": 1}), ("Beta", {"alpha": 2, "beta": 2}), [0, 1]),
        # Their quantiles at 1e-10 underflow.
        (("Kumaraswamy", {"a": [0.05, 1.5], "b": 1}), ("Wald", {"mu": 1, "lam": 1}), [1, 0]),
        (("Gamma", {"alpha": [0.02, 1.5], "beta": 1}), ("PolyaGamma", {"h": 1, "z": 1}), [1, 0]),
        (("HalfStudentT", {"nu": [2.0, 2.1], "sigma": 1}), ("Rice", {"nu": 1, "sigma": 1}), [1, 0]),
    ],
)
def test_infinite_elements_of_a_batch(p, q, infinite):
    p, q = (family(name)(**parameters) for name, parameters in (p, q))
    assert np.isinf(kl_divergence(p, q).value).tolist() == [bool(i) for i in infinite]


# Power tails of index ``index``, and how fast -log q grows: at the index of P's tail the mean ceases to exist.
POWER_TAILS = {
    "StudentT": lambda index: family("StudentT")(nu=index, mu=0, sigma=1),
    "HalfStudentT": lambda index: family("HalfStudentT")(nu=index, sigma=1),
    "Pareto": lambda index: family("Pareto")(alpha=index, m=1),
    "InverseGamma": lambda index: family("InverseGamma")(alpha=index, beta=1),
    "SkewStudentT, upper": lambda index: family("SkewStudentT")(a=2 * index, b=index / 2, mu=0, sigma=1),
    "SkewStudentT, lower": lambda index: family("SkewStudentT")(a=index / 2, b=2 * index, mu=0, sigma=1),
    "Truncated": lambda index: family("Truncated")(
        dist=family("StudentT")(nu=index, mu=0, sigma=1), lower=0.5, upper=np.inf
    ),
    "Mixture": lambda index: family("Mixture")(
        w=[0.01, 0.99], parts=(family("StudentT")(nu=index, mu=0, sigma=1), family("Normal")(mu=0, sigma=1))
    ),
}
GROWTH = {
    "Logistic": (1.0, {"mu": 0, "s": 1}),
    "Laplace": (1.0, {"mu": 0, "b": 1}),
    "SkewNormal": (2.0, {"mu": 0, "sigma": 1, "alpha": 1}),
    "NormalMixture": (2.0, {"w": [0.5, 0.5], "mu": [0, 1], "sigma": [1, 1]}),
    "Rice": (2.0, {"nu": 1, "sigma": 1}),
    "Weibull": (0.7, {"alpha": 0.7, "beta": 1}),
}


@pytest.mark.parametrize("q", GROWTH)
@pytest.mark.parametrize("p", POWER_TAILS)
def test_power_tails_at_either_side_of_the_last_moment(p, q):
    growth, parameters = GROWTH[q]
    second = family(q)(**parameters)
    below, at, above = (POWER_TAILS[p](growth * share) for share in (0.999, 1.0, 1.001))
    covered = above.support().lower >= second.support().lower
    assert kl_divergence(below, second).value == np.inf
    assert kl_divergence(at, second).value == np.inf
    assert np.isfinite(kl_divergence(above, second).value) == covered


def test_linear_growth_far_out_is_not_taken_for_an_infinity():
    # The square of 1e160 in a Wald's density once was.
    heavy = POWER_TAILS["Truncated"](1.1)
    assert np.isfinite(kl_divergence(heavy, family("Wald")(mu=1, lam=1)).value)
