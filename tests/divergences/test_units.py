"""Scales at the ends of double precision: divergences do not depend on the unit, distances are in it."""

import numpy as np
import pytest

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import cross_entropy, entropy, kl_divergence
from pp_mlekl.divergences.units import InUnit, in_unit_of
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
FAST = ("HalfCauchy", "Gamma", "Rice", "Triangular", "Uniform")
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
    same = in_unit_of(p.select([0]), q.select([0]))
    assert same[0].beta.tolist() == [1.0]
    in_unit, _, unit = in_unit_of(p, q.expand((2,)))
    assert isinstance(in_unit, InUnit)
    assert unit[0] == 1.0
    assert unit[1] == 2.0 ** round(np.log2(unit[1]))


def test_a_poisson_of_a_rate_that_underflows_and_counts_that_do_not():
    assert kl_divergence(family("Poisson")(mu=1e-300), family("Poisson")(mu=2e-300)).value == pytest.approx(
        1e-300 * (1 - np.log(2)), rel=1e-12
    )


PAIRS = [
    ("Normal", "Normal"),
    ("Cauchy", "Cauchy"),
    ("Laplace", "Normal"),
    ("StudentT", "HalfNormal"),
    ("Wald", "Gumbel"),
]


@pytest.mark.parametrize("scale", [1e-300, 1e-157, 1e157, 1e300])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_closed_forms_neither_overflow_nor_underflow(first, second, scale):
    def kl(s):
        return kl_divergence(family(first)(**SCALED[first](s)), family(second)(**SCALED[second](1.5 * s))).value

    assert kl(scale) == pytest.approx(kl(1.0), rel=1e-10)


@pytest.mark.parametrize("scale", [1e100, 1e200, 1e300])
@pytest.mark.parametrize("name", ["StudentT", "Normal"])
def test_a_flat_density_far_wider_than_p(name, scale):
    """-log q is constant where P has its mass."""
    p, q = family("Gamma")(alpha=2.0, beta=1.0), family(name)(**SCALED[name](scale) | {"mu": 0.0})
    exact = -entropy(p).value - float(q.log_density(np.array(0.0)))
    assert kl_divergence(p, q).value == pytest.approx(exact, rel=1e-12)


def narrow_measures(location, scale):
    """Measures of distributions with a scale that doubles near their location may not resolve."""
    t = family("StudentT")(nu=5.0, mu=location, sigma=scale)
    p, q = family("Normal")(mu=location, sigma=scale), family("Normal")(mu=location, sigma=2 * scale)
    return {
        "kl": kl_divergence(p, t),
        "jsd": js_divergence(p, q),
        "entropy": entropy(family("SkewNormal")(mu=location, sigma=scale, alpha=2.0)),
        "wasserstein": wasserstein_distance(p, t),
    }


@pytest.mark.parametrize("scale", [1e-15, 1e-18, 1e-300])
def test_distributions_narrower_than_doubles_resolve_have_no_value(scale):
    for name, found in narrow_measures(1.0, scale).items():
        assert np.isnan(found.value), name
        assert any("subtract" in w for w in found.warnings), name
    p, q = (family("Normal")(mu=1.0, sigma=s) for s in (scale, 2 * scale))
    assert kl_divergence(p, q).value == pytest.approx(np.log(2) - 0.375, rel=1e-12)


def test_narrow_distributions_that_doubles_resolve():
    ordinary = {name: found.value for name, found in narrow_measures(0.0, 1e-13).items()}
    for name, found in narrow_measures(1.0, 1e-13).items():
        assert found.value == pytest.approx(ordinary[name], rel=1e-4), name


def test_narrow_distributions_in_different_places_or_inside_wide_ones():
    p, q = (family("SkewNormal")(mu=m, sigma=1e-18, alpha=2.0) for m in (1.0, 2.0))
    assert js_divergence(p, q).value == pytest.approx(np.log(2))
    assert wasserstein_distance(p, q).value == pytest.approx(1.0)
    wide = family("Normal")(mu=0.0, sigma=1.0)
    assert js_divergence(p, wide).value == pytest.approx(np.log(2))
    assert wasserstein_distance(p, family("Normal")(mu=1.0, sigma=1.0)).value == pytest.approx(np.sqrt(2 / np.pi))


def test_a_beta_whose_mass_rounds_to_1_is_resolved():
    p, q = family("Beta")(alpha=1e3, beta=0.01), family("Kumaraswamy")(a=1e3, b=0.01)
    assert np.isfinite(kl_divergence(p, q).value)


@pytest.mark.parametrize(
    ("lower", "upper", "exact"),
    [
        # By quadrature of 60 digits.
        (0.0, 1e-20, 90.618497069973827),
        (0.0, 1e-10, 44.566795210192913),
        (0.3, 0.30000001, 17.85309678451317),
        (0.2, 1.0, 0.78216452604610389),
    ],
)
def test_a_narrow_interval_keeps_its_distance_from_one(lower, upper, exact):
    """1 - X has no digits of an interval of 1e-20, and its ends may not be equal."""
    narrow = family("Uniform")(lower=lower, upper=upper)
    assert kl_divergence(narrow, family("Beta")(alpha=2.0, beta=3.0)).value == pytest.approx(exact, rel=1e-13)
