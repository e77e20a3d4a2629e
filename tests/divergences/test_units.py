"""Scales at the ends of double precision: divergences do not depend on the unit, distances are in it."""

import numpy as np
import pytest

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import cross_entropy, entropy, kl_divergence
from pp_mlekl.divergences.units import InUnit, in_common_unit
from pp_mlekl.divergences.wasserstein import wasserstein_distance

# Parameters of each family at a scale.
SCALED = {
    "Normal": lambda s: {"mu": s, "sigma": s},
    "Laplace": lambda s: {"mu": 0.0, "b": s},
    "AsymmetricLaplace": lambda s: {"kappa": 1.5, "mu": 0.0, "b": 1 / s},
    "StudentT": lambda s: {"nu": 5.0, "mu": 0.0, "sigma": s},
    "Cauchy": lambda s: {"alpha": 0.0, "beta": s},
    "Logistic": lambda s: {"mu": 0.0, "s": s},
    "Gumbel": lambda s: {"mu": 0.0, "beta": s},
    "SkewNormal": lambda s: {"mu": 0.0, "sigma": s, "alpha": 2.0},
    "ExGaussian": lambda s: {"mu": 0.0, "sigma": s, "nu": s},
    "Moyal": lambda s: {"mu": 0.0, "sigma": s},
    "HalfNormal": lambda s: {"sigma": s},
    "HalfCauchy": lambda s: {"beta": s},
    "HalfStudentT": lambda s: {"nu": 5.0, "sigma": s},
    "Exponential": lambda s: {"lam": 1 / s},
    "Gamma": lambda s: {"alpha": 2.0, "beta": 1 / s},
    "InverseGamma": lambda s: {"alpha": 3.0, "beta": s},
    "Weibull": lambda s: {"alpha": 1.5, "beta": s},
    "LogNormal": lambda s: {"mu": np.log(s), "sigma": 0.7},
    "Wald": lambda s: {"mu": s, "lam": s},
    "Rice": lambda s: {"nu": s, "sigma": s},
    "Pareto": lambda s: {"alpha": 3.0, "m": s},
    "Uniform": lambda s: {"lower": 0.0, "upper": s},
    "Triangular": lambda s: {"lower": 0.0, "c": 0.3 * s, "upper": s},
}
FAST = ("HalfCauchy", "Gamma", "Rice", "Triangular")
NAMES = [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in SCALED]


def measures(name, scale):
    p, q = (family(name)(**SCALED[name](s)) for s in (scale, 1.5 * scale))
    distance = wasserstein_distance(p, q).value
    return {
        "kl": kl_divergence(p, q).value,
        "jsd": js_divergence(p, q).value,
        "entropy": entropy(p).value - np.log(scale),
        "cross_entropy": cross_entropy(p, q).value - np.log(scale),
        "wasserstein": distance / scale,
    }


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e50, 1e300])
@pytest.mark.parametrize("name", NAMES)
def test_the_unit_does_not_matter(name, scale):
    ordinary, extreme = measures(name, 1.0), measures(name, scale)
    for measure, value in ordinary.items():
        assert extreme[measure] == pytest.approx(value, rel=1e-6, abs=1e-9), measure


def test_ordinary_sizes_are_left_as_they_are():
    kind = family("Gamma")
    p, q = kind(alpha=[2.0, 2.0], beta=[1.0, 1e200]), kind(alpha=3.0, beta=[1.0, 1e200])
    same = in_common_unit(p.select([0]), q.select([0]))
    assert same[0].beta.tolist() == [1.0]
    in_unit, _, unit = in_common_unit(p, q.expand((2,)))
    assert isinstance(in_unit, InUnit)
    assert unit[0] == 1.0
    assert unit[1] == 2.0 ** round(np.log2(unit[1]))


def test_a_poisson_of_a_rate_that_underflows_and_counts_that_do_not():
    assert kl_divergence(family("Poisson")(mu=1e-300), family("Poisson")(mu=2e-300)).value == pytest.approx(
        1e-300 * (1 - np.log(2)), rel=1e-12
    )
