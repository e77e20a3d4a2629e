"""Families: densities against textbooks and SciPy, quantiles, draws, moments and entropies."""

from itertools import pairwise

import mpmath_densities
import numpy as np
import pytest
from scipy import stats
from univariate_cases import CONTINUOUS, DISCRETE, dense_mean, make

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.families.moments import WithLogMoments, WithMoments, WithPowers
from pp_mlekl.divergences.families.registry import FAMILIES, register_family

NAMES = [*CONTINUOUS, *DISCRETE]
LEVELS = np.array([1e-12, 1e-6, 1e-2, 0.3, 0.5, 0.9])


# Made of other families or a family and an atom; they have tests of their own.
COMPOSED = {"Truncated", "Censored", "HurdleGamma", "HurdleLogNormal"}
# Whose density is checked against SciPy's only.
BY_SCIPY = {"ExGaussian", "Interpolated", "Rice", "SkewNormal", "SkewStudentT"}


def test_every_family_of_one_dimension_has_a_member_and_a_textbook_density():
    names = {name for name, cls in FAMILIES.items() if cls.event_ndim == 0} - COMPOSED
    assert names <= set(NAMES), "add a member to univariate_cases.py"
    in_30_digits = mpmath_densities.DENSITIES | mpmath_densities.MASSES
    assert names - BY_SCIPY <= set(in_30_digits), "add its density to mpmath_densities.py"


@pytest.mark.parametrize("name", [n for n in NAMES if n in mpmath_densities.DENSITIES | mpmath_densities.MASSES])
def test_log_density_agrees_with_the_textbook(name):
    p = make(name)
    points = np.unique(np.concatenate([p.quantile(LEVELS), p.upper_quantile(LEVELS)]))
    exact = mpmath_densities.log_density(p)
    expected = [float(exact(mpmath_densities.mp.mpf(float(x)))) for x in points]
    np.testing.assert_allclose(p.log_density(points), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_log_density_is_minus_infinity_outside_the_support(name):
    p = make(name)
    support = p.support()
    outside = [float(support.lower) - 1, float(support.upper) + 1] + ([1.5] if p.discrete else [])
    outside = [x for x in outside if np.isfinite(x)]
    # An angle is the same angle after a turn.
    if name != "VonMises":
        assert np.all(p.log_density(np.array(outside)) == -np.inf)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_quantiles_invert_the_cdf_and_the_survival_function(name):
    p = make(name)
    u = np.maximum(LEVELS, p.deepest * 100) if hasattr(p, "deepest") else LEVELS
    # Next to an end other than 0, points are no closer than 1e-16.
    np.testing.assert_allclose(p.cdf(p.quantile(u)), u, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(p.survival(p.upper_quantile(u)), u, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("name", DISCRETE)
def test_quantiles_of_counts_are_the_smallest_that_reach_the_level(name):
    p = make(name)
    x = p.quantile(LEVELS)
    assert np.all(p.cdf(x) >= LEVELS * (1 - 1e-12))
    assert np.all(p.cdf(x - 1) < LEVELS)
    x = p.upper_quantile(LEVELS)
    assert np.all(p.survival(x) <= LEVELS * (1 + 1e-12))
    assert np.all(p.survival(x - 1) > LEVELS)


def test_a_truncated_beta_binomial_has_all_its_values():
    whole = family("BetaBinomial")(alpha=2.1, beta=3.2, n=12)
    p = family("Truncated")(dist=whole, lower=2.0, upper=5.0)
    values, counts = np.unique(p.sample((4000,), np.random.default_rng(1)), return_counts=True)
    mass = np.exp(whole.log_density(np.arange(2.0, 6.0)))
    assert values.tolist() == [2, 3, 4, 5]
    assert stats.chisquare(counts, 4000 * mass / mass.sum()).pvalue > 0.001


@pytest.mark.parametrize("name", NAMES)
def test_draws_follow_the_distribution(name):
    p = make(name)
    draws = p.sample((4000,), np.random.default_rng(11))
    assert draws.shape == (4000,)
    if p.discrete:
        values, counts = np.unique(draws, return_counts=True)
        expected = np.exp(p.log_density(values)) * draws.size
        common = expected > 5
        rest = draws.size - counts[common].sum(), draws.size - expected[common].sum()
        statistic = np.sum((counts[common] - expected[common]) ** 2 / expected[common])
        statistic += (rest[0] - rest[1]) ** 2 / max(rest[1], 5.0)
        assert stats.chi2.sf(statistic, common.sum()) > 1e-4
    else:
        assert stats.kstest(draws, p.cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", [n for n in CONTINUOUS if make(n).entropy() is not None])
def test_entropy_agrees_with_quadrature(name):
    p = make(name)
    base = family("Uniform")(lower=-0.5, upper=0.5)

    class Flat(type(base)):
        """The constant 1 as a density, for E log p."""

        def log_density(self, x):
            return np.zeros(np.shape(x))

    flat = Flat(lower=-0.5, upper=0.5)
    np.testing.assert_allclose(p.entropy(), -dense_mean(p, flat, lambda r: r), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("shape", [25.0, 1e3, 1e6])
def test_entropies_keep_their_digits_at_large_shapes(shape):
    mp = mpmath_densities.mp
    a = mp.mpf(shape)
    gamma = a + mp.loggamma(a) + (1 - a) * mp.digamma(a)
    np.testing.assert_allclose(family("Gamma")(alpha=shape, beta=1.0).entropy(), float(gamma), rtol=1e-13)
    half = (a + 1) / 2
    student = half * (mp.digamma(half) - mp.digamma(a / 2)) + mp.log(mp.sqrt(a) * mp.beta(a / 2, mp.mpf(1) / 2))
    np.testing.assert_allclose(family("StudentT")(nu=shape, mu=0.0, sigma=1.0).entropy(), float(student), rtol=1e-13)


STATISTICS = {
    WithMoments: {"x": (lambda x, c: x - c, (0.3,)), "square": (lambda x, c: (x - c) ** 2, (0.3,))},
    WithLogMoments: {"log": (lambda x, c: np.log(x) - c, (0.3,)), "log2": (lambda x, c: (np.log(x) - c) ** 2, (0.3,))},
    WithPowers: {"power": (lambda x, k, s: (x / s) ** k, (0.7, 1.3))},
}
OTHERS = {
    "abs": (lambda x, c: np.abs(x - c), (0.45,)),
    "exp": (lambda x, t, c: np.exp(t * (x - c)), (-0.4, 0.3)),
    "log1m": (lambda x: np.log1p(-x), ()),
    "logit2": (lambda x, c: (np.log(x) - np.log1p(-x) - c) ** 2, (0.3,)),
    "versine": (lambda x, c: 1 - np.cos(x - c), (0.3,)),
}
KNOWN = [
    (name, statistic)
    for name in CONTINUOUS
    for statistic in ["x", "square", "log", "log2", "power", *OTHERS]
    if hasattr(FAMILIES[name], f"expected_{statistic}") and name not in ("Uniform",)
]


@pytest.mark.parametrize(("name", "statistic"), KNOWN)
def test_expectations_agree_with_quadrature(name, statistic):
    function, arguments = (OTHERS | {k: v for d in STATISTICS.values() for k, v in d.items()})[statistic]
    p = make(name)
    half, weights = np.polynomial.legendre.leggauss(200)
    # In the coordinate u of the quantiles, cut where the statistic bends.
    total = 0.0
    cut = float(p.cdf(np.array(arguments[-1]))) if statistic == "abs" else 0.5
    for low, high, quantile in ((0.0, cut, p.quantile), (0.0, 1 - cut, p.upper_quantile)):
        # u = high e^-t resolves the tail.
        t = np.linspace(0, 1, 41) ** 2 * 300
        for a, b in pairwise(t):
            s = a + (b - a) * (half + 1) / 2
            u = low + high * np.exp(-s)
            with np.errstate(all="ignore"):
                value = function(quantile(u), *arguments) * u
            total += np.sum(np.where(u > 0, np.nan_to_num(value, posinf=0, neginf=0), 0.0) * weights) * (b - a) / 2
    # SciPy's quantiles of Moyal and Wald stop at 1e-13.
    rtol = 1e-6 if getattr(p, "deepest", 0.0) > 0 else 1e-8
    np.testing.assert_allclose(p.expectation(statistic, *arguments), total, rtol=rtol, atol=1e-9)


# Exponentials that grow and those about another centre, powers of both signs, centres beyond the mass and outside the support.
ELSEWHERE = {
    "abs": [(-1.7,), (0.0,), (1.15,), (6.0,)],
    "exp": [(0.2, -0.7), (-0.7, 0.9), (0.3, 0.1)],
    "power": [(-0.6, 0.4), (2.0, 3.0), (-5.0, 1.0)],
    "log": [(-1.1,)],
    "log2": [(-1.1,)],
    "logit2": [(-1.1,)],
    "versine": [(-2.4,)],
}


def by_pieces(p, function, bend):
    """The integral of f times the density, between quantiles and where f bends."""
    levels = np.maximum(10.0 ** np.append(-3.0 * np.arange(20, 0, -1), [-1.0, -0.5]), 100 * getattr(p, "deepest", 0.0))
    edges = [*p.quantile(levels), *p.upper_quantile(levels), *p.kinks()]
    low, high = min(edges), max(edges)
    edges = np.unique([*edges, np.clip(bend, low, high)])
    nodes, weights = np.polynomial.legendre.leggauss(120)
    x = edges[:-1, None] + np.diff(edges)[:, None] * (nodes + 1) / 2
    # Next to 1 the logarithm of 1 - x is infinite where there is no mass.
    value = np.nan_to_num(function(x) * np.exp(p.log_density(x)), posinf=0.0, neginf=0.0)
    return float(np.sum(value * weights * np.diff(edges)[:, None] / 2))


@pytest.mark.parametrize(("name", "statistic"), [known for known in KNOWN if known[1] in ELSEWHERE])
def test_expectations_at_other_arguments(name, statistic):
    function = (OTHERS | {k: v for d in STATISTICS.values() for k, v in d.items()})[statistic][0]
    p = make(name)
    for arguments in ELSEWHERE[statistic]:
        with np.errstate(all="ignore"):
            found = p.expectation(statistic, *arguments)
        if found is None or not np.isfinite(found):
            # None is known, or there is none: of a power with a pole at 0, or of an exponential that outgrows the tail.
            assert statistic in ("exp", "power")
            continue
        with np.errstate(all="ignore"):
            total = by_pieces(p, lambda x, given=arguments: function(x, *given), arguments[-1])
        np.testing.assert_allclose(
            found, total, rtol=1e-4 if hasattr(p, "deepest") else 1e-6, atol=1e-8, err_msg=f"{arguments}"
        )


COUNTS = np.arange(0.0, 3000.0)
OF_COUNTS = {"x": (lambda x, c: x - c, (1.7,)), "square": (lambda x, c: (x - c) ** 2, (1.7,))} | OTHERS


def probabilities(p):
    with np.errstate(all="ignore"):
        return np.exp(p.log_density(COUNTS))


@pytest.mark.parametrize("name", [n for n in DISCRETE if make(n).entropy() is not None])
def test_entropies_of_counts_are_sums(name):
    mass = probabilities(make(name))
    exact = -np.sum(mass[mass > 0] * np.log(mass[mass > 0]))
    np.testing.assert_allclose(make(name).entropy(), exact, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "statistic"),
    [
        (n, s)
        for n in DISCRETE
        for s in ("x", "square", "abs", "exp")
        if make(n).expectation(s, *OF_COUNTS[s][1]) is not None
    ],
)
def test_expectations_of_counts_are_sums(name, statistic):
    function, arguments = OF_COUNTS[statistic]
    exact = np.sum(probabilities(make(name)) * function(COUNTS, *arguments))
    np.testing.assert_allclose(make(name).expectation(statistic, *arguments), exact, rtol=1e-9)


@pytest.mark.parametrize("name", [n for n in DISCRETE if hasattr(make(n), "mean_variance")])
def test_moments_of_counts_are_sums(name):
    mass = probabilities(make(name))
    mean = np.sum(mass * COUNTS)
    np.testing.assert_allclose(make(name).mean_variance(), [mean, np.sum(mass * (COUNTS - mean) ** 2)], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "start", "stop"), [("log2", 2.0, 2.001), ("log2", 2.0, 2.1), ("log2", 0.0, 3.0), ("log", 2.0, 2.0001)]
)
def test_logarithms_of_short_and_long_uniforms(name, start, stop):
    mp = mpmath_densities.mp
    power = 2 if name == "log2" else 1
    with mp.workdps(40):
        exact = mp.quad(lambda x: (mp.log(x) - mp.log(2)) ** power, [start, stop]) / (mp.mpf(stop) - mp.mpf(start))
    p = family("Uniform")(lower=start, upper=stop)
    np.testing.assert_allclose(p.expectation(name, np.log(2.0)), float(exact), rtol=1e-10)


def test_an_unknown_family_names_the_nearest():
    with pytest.raises(ValueError, match="LogNormal"):
        family("Lognormal")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Binomial", {"n": 2.5, "p": 0.5}),
        ("Binomial", {"n": np.inf, "p": 0.5}),
        ("BetaBinomial", {"n": 2.5, "alpha": 1.0, "beta": 1.0}),
        ("HyperGeometric", {"N": 10.5, "k": 5, "n": 3}),
        ("DiscreteUniform", {"lower": 0.5, "upper": 2}),
        ("Multinomial", {"n": 2.5, "p": [0.5, 0.5]}),
        ("DirichletMultinomial", {"n": 2.5, "a": [1.0, 1.0]}),
    ],
)
def test_fractions_of_counts_are_refused(name, parameters):
    with pytest.raises(ValueError, match="whole number"):
        family(name)(**parameters)


def test_an_interval_without_length_is_not_censored():
    with pytest.raises(ValueError, match="lower must be less"):
        family("Censored")(dist=family("Normal")(mu=0.0, sigma=1.0), lower=1.0, upper=1.0)


def test_a_second_family_of_one_name_is_an_error():
    with pytest.raises(ValueError, match="registered already"):
        register_family(family("Normal"))


@pytest.mark.slow
@pytest.mark.parametrize(("h", "z"), [(0.05, 0.0), (1.0, 40.0), (10.0, 0.2)])
def test_polya_gamma_of_extreme_shapes(h, z):
    p = family("PolyaGamma")(h=h, z=z)
    exact = mpmath_densities.log_density(p)
    u = np.array([1e-300, 1e-30, 0.01, 0.5])
    points = np.concatenate([p.quantile(u), p.upper_quantile(u)])
    expected = [float(exact(mpmath_densities.mp.mpf(float(x)))) for x in points]
    np.testing.assert_allclose(p.log_density(points), expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(p.cdf(p.quantile(u)), u, rtol=1e-8)
    np.testing.assert_allclose(p.survival(p.upper_quantile(u)), u, rtol=1e-8)
    # Where nothing but the leading powers is left.
    far = p.log_density(np.array([1e-300, 1e80]))
    np.testing.assert_allclose(far, [-(h**2) / 8e-300, -(np.pi**2 + z**2) / 2 * 1e80], rtol=1e-12)


@pytest.mark.parametrize("name", sorted(CONTINUOUS))
def test_distribution_functions_are_defined_everywhere(name):
    """At the ends of double precision and at infinity too, cdf and survival function are probabilities that add up to 1."""
    d = make(name)
    x = np.concatenate([-np.logspace(300, -300, 41), [0.0], np.logspace(-300, 300, 41), [np.inf]])
    x = np.concatenate([[-np.inf], x]).reshape(-1, *(1,) * len(d.batch_shape))
    with np.errstate(all="ignore"):
        cdf, survival = d.cdf(x), d.survival(x)
    np.testing.assert_allclose(cdf + survival, 1.0, rtol=1e-9)
    assert np.all(np.diff(cdf, axis=0) >= -1e-12)
    np.testing.assert_array_equal(
        cdf[[0, -1]], np.broadcast_to(np.reshape([0.0, 1.0], (2, *(1,) * len(d.batch_shape))), cdf[[0, -1]].shape)
    )


def test_quantiles_of_a_bernoulli_are_those_of_one_trial():
    """The binomial's quantiles are found by bisection of its distribution function."""
    generator = np.random.default_rng(1)
    p = np.concatenate([generator.uniform(size=100), [0.0, 1.0, 1e-20, 1 - 1e-16, 0.5]])
    u = np.concatenate([generator.uniform(size=50), [0.0, 1.0, 1e-20, 0.5, 1 - 1e-16]])[:, None]
    one, trial = family("Bernoulli")(p=p), family("Binomial")(n=1, p=p)
    np.testing.assert_array_equal(one.quantile(u), trial.quantile(u))
    np.testing.assert_array_equal(one.upper_quantile(u), trial.upper_quantile(u))


def test_quantiles_of_beta_binomials_with_many_trials():
    """Rows of different numbers of trials, whose masses are summed in blocks."""
    n, a, b = np.array([5000.0, 4999.0, 3.0]), np.array([3.0, 0.2, 2.1]), np.array([2.0, 0.3, 1.0])
    p = family("BetaBinomial")(n=n, alpha=a, beta=b)
    u = np.array([0.0, 1e-30, 1e-9, 0.1, 0.5, 0.9, 1 - 1e-9])[:, None]
    mass = stats.betabinom(n, a, b).pmf(np.arange(5001.0)[:, None])
    low = np.cumsum(mass, axis=0)
    high = np.concatenate([np.cumsum(mass[:0:-1], axis=0)[::-1], np.zeros((1, 3))])
    np.testing.assert_array_equal(p.quantile(u), np.argmax(low[:, None] >= u, axis=0))
    np.testing.assert_array_equal(p.upper_quantile(u[1:]), np.argmax(high[:, None] <= u[1:], axis=0))
    x = np.array([-1.0, 0.0, 2.5, 63.0, 64.0, 1000.0, 6000.0])[:, None]
    np.testing.assert_allclose(
        p.cdf(x), np.where(x < 0, 0, low[np.clip(np.floor(x), 0, 5000).astype(int), np.arange(3)]), rtol=1e-9
    )
