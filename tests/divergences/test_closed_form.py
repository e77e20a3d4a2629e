"""Closed forms against dense quadrature, sums and textbook densities in 30 digits; nearly equal, far apart, infinite."""

import closed_form_cases
import mpmath_densities
import numpy as np
import pytest
from univariate_cases import dense_mean

from pp_mlekl.divergences.closed_form import closed_form_kl, kl_rule
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.families.registry import FAMILIES
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.divergences.rule_table import rules

# Never finite, whatever the parameters: P has mass or density at 0 where -log Q has a pole of first order.
ALWAYS_INFINITE = {("Exponential", q) for q in ("InverseGamma", "Wald")} | {
    ("HalfNormal", q) for q in ("InverseGamma", "Wald")
}
ATOMS = ("HurdleGamma", "HurdleLogNormal")
UNIVARIATE = [(p, q) for p, q in rules() if FAMILIES[p].event_ndim == 0 and (p, q) not in ALWAYS_INFINITE]


def summed(p: Distribution, q: Distribution) -> float:
    """KL of counts, as far as P's mass reaches, by p log(p / q) - p + q."""
    x = np.arange(0.0, 3000.0)
    with np.errstate(all="ignore"):
        log_p, log_q = p.log_density(x), q.log_density(x)
        terms = np.exp(log_p) * (log_p - log_q) - np.exp(log_p) + np.exp(log_q)
    return float(np.sum(np.where(log_p == -np.inf, np.exp(log_q), terms)))


def seen(log_ratio: np.ndarray) -> np.ndarray:
    """The log ratio; 0 at points like 1e-310, where -log q overflows and P has no mass to speak of."""
    return np.where(np.isinf(log_ratio), 0.0, log_ratio)


def with_atom(p: Distribution, q: Distribution) -> float:
    first = summed(family("Bernoulli")(p=p.psi), family("Bernoulli")(p=q.psi))
    return first + float(p.psi) * dense_mean(p.positive(), q.positive(), seen)


def reference(p: Distribution, q: Distribution) -> float:
    if type(p).__name__ in ATOMS:
        return with_atom(p, q)
    return summed(p, q) if p.discrete else dense_mean(p, q, seen)


@pytest.mark.parametrize(("first", "second"), UNIVARIATE)
def test_every_listed_pair_agrees_with_quadrature_or_a_sum(first, second):
    generator = np.random.default_rng([*first.encode(), *second.encode()])
    p, q = closed_form_cases.pair(first, second, generator)
    value = closed_form_kl(p, q)
    assert np.isfinite(value)
    np.testing.assert_allclose(value, reference(p, q), rtol=1e-10)


# The Polya-Gamma's alternating series would take minutes in 30 digits; its rule is held against quadrature above.
@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [p for p in UNIVARIATE if p[0] not in (*ATOMS, "PolyaGamma")])
def test_every_listed_pair_agrees_with_textbook_densities_in_30_digits(first, second):
    generator = np.random.default_rng([7, *first.encode(), *second.encode()])
    p, q = closed_form_cases.pair(first, second, generator)
    exact = float(mpmath_densities.kl_divergence(p, q))
    np.testing.assert_allclose(closed_form_kl(p, q), exact, rtol=1e-11)


def test_the_table_is_larger_than_those_of_other_libraries():
    # TensorFlow Probability registers 49 pairs and torch 54 finite ones, some of them the same.
    assert len(rules()) > 49 + 54


def test_a_second_rule_for_a_pair_is_an_error():
    with pytest.raises(ValueError, match="has a rule already"):
        kl_rule(family("Normal"), family("Normal"))(lambda p, q: 0.0)


@pytest.mark.parametrize("name", sorted({p for p, q in UNIVARIATE if p == q}))
def test_is_exactly_zero_between_equal_distributions(name):
    p, _ = closed_form_cases.pair(name, name, np.random.default_rng(3))
    q = type(p)(**{k: v for k, v in vars(p).items() if k not in ("w", "parts")})
    assert kl_divergence(p, q).value == 0.0


# The formulas of the textbooks, which cancel in double precision and are evaluated in 30 digits.
FORMULAS = {
    "Poisson": lambda mp, p, q: p["mu"] * mp.log(p["mu"] / q["mu"]) - p["mu"] + q["mu"],
    "Binomial": lambda mp, p, q: (
        p["n"] * (p["p"] * mp.log(p["p"] / q["p"]) + (1 - p["p"]) * mp.log((1 - p["p"]) / (1 - q["p"])))
    ),
    "Geometric": lambda mp, p, q: mp.log(p["p"] / q["p"]) + (1 - p["p"]) / p["p"] * mp.log((1 - p["p"]) / (1 - q["p"])),
    "NegativeBinomial": lambda mp, p, q: (
        p["mu"] * mp.log(p["mu"] / q["mu"])
        - (p["mu"] + p["alpha"]) * mp.log((p["mu"] + p["alpha"]) / (q["mu"] + p["alpha"]))
    ),
    "Gamma": lambda mp, p, q: (
        (p["alpha"] - q["alpha"]) * mp.digamma(p["alpha"])
        - mp.loggamma(p["alpha"])
        + mp.loggamma(q["alpha"])
        + q["alpha"] * mp.log(p["beta"] / q["beta"])
        + p["alpha"] * (q["beta"] - p["beta"]) / p["beta"]
    ),
    "Beta": lambda mp, p, q: (
        mp.log(mp.beta(q["alpha"], q["beta"]) / mp.beta(p["alpha"], p["beta"]))
        + (p["alpha"] - q["alpha"]) * mp.digamma(p["alpha"])
        + (p["beta"] - q["beta"]) * mp.digamma(p["beta"])
        + (q["alpha"] - p["alpha"] + q["beta"] - p["beta"]) * mp.digamma(p["alpha"] + p["beta"])
    ),
    "Normal": lambda mp, p, q: (
        mp.log(q["sigma"] / p["sigma"]) + (p["sigma"] ** 2 + (p["mu"] - q["mu"]) ** 2) / (2 * q["sigma"] ** 2) - 0.5
    ),
    "LogNormal": lambda mp, p, q: (p["mu"] - q["mu"]) ** 2 / 2,
    "InverseGamma": lambda mp, p, q: FORMULAS["Gamma"](mp, p, q),
    "Cauchy": lambda mp, p, q: mp.log(
        ((p["beta"] + q["beta"]) ** 2 + (p["alpha"] - q["alpha"]) ** 2) / (4 * p["beta"] * q["beta"])
    ),
    "Weibull": lambda mp, p, q: (
        mp.log(p["alpha"] / p["beta"] ** p["alpha"])
        - mp.log(q["alpha"] / q["beta"] ** q["alpha"])
        + (p["alpha"] - q["alpha"]) * (mp.log(p["beta"]) - mp.euler / p["alpha"])
        + (p["beta"] / q["beta"]) ** q["alpha"] * mp.gamma(q["alpha"] / p["alpha"] + 1)
        - 1
    ),
    "Gumbel": lambda mp, p, q: (
        mp.log(q["beta"] / p["beta"])
        + mp.euler * (p["beta"] / q["beta"] - 1)
        + mp.exp((q["mu"] - p["mu"]) / q["beta"]) * mp.gamma(p["beta"] / q["beta"] + 1)
        - 1
        + (p["mu"] - q["mu"]) / q["beta"]
    ),
}

NEAR = [
    (("Normal", {"mu": 3.0, "sigma": 2.0}), {"mu": 1e-6, "sigma": 1e-6}),
    (("Gamma", {"alpha": 2.5, "beta": 1.5}), {"alpha": 1e-6, "beta": -1e-6}),
    (("Gamma", {"alpha": 1e-3, "beta": 1.5}), {"alpha": 1e-9, "beta": 1e-6}),
    (("Gamma", {"alpha": 1e5, "beta": 1e5}), {"alpha": 1e-2, "beta": -1e-2}),
    (("InverseGamma", {"alpha": 2.5, "beta": 1.5}), {"alpha": 1e-6, "beta": 1e-6}),
    (("Weibull", {"alpha": 1.7, "beta": 2.0}), {"alpha": 1e-6, "beta": 1e-6}),
    (("Gumbel", {"mu": 1.7, "beta": 2.0}), {"mu": 1e-6, "beta": 1e-6}),
    (("Moyal", {"mu": 1.7, "sigma": 2.0}), {"mu": 1e-6, "sigma": 1e-6}),
    (("Beta", {"alpha": 0.7, "beta": 4.0}), {"alpha": 1e-6, "beta": 1e-6}),
    (("Laplace", {"mu": 0.7, "b": 4.0}), {"mu": 1e-6, "b": 1e-6}),
    (("AsymmetricLaplace", {"kappa": 0.7, "mu": 0.4, "b": 4.0}), {"kappa": 1e-6, "mu": -1e-6, "b": 1e-6}),
    (("Logistic", {"mu": 0.7, "s": 1.5}), {"mu": 1e-6}),
    (("VonMises", {"mu": 0.7, "kappa": 2.5}), {"mu": 1e-6, "kappa": 1e-6}),
    (("Wald", {"mu": 0.7, "lam": 2.5}), {"mu": 1e-6, "lam": 1e-6}),
    (("Cauchy", {"alpha": 0.7, "beta": 2.5}), {"alpha": 1e-6, "beta": 1e-6}),
    (("Pareto", {"alpha": 2.7, "m": 2.5}), {"alpha": 1e-6}),
    (("Poisson", {"mu": 3.7}), {"mu": 1e-6}),
    (("NegativeBinomial", {"mu": 3.7, "alpha": 2.0}), {"mu": 1e-6}),
    (("Geometric", {"p": 0.3}), {"p": 1e-6}),
    (("ZeroInflatedPoisson", {"psi": 0.7, "mu": 3.0}), {"psi": 1e-6, "mu": 1e-6}),
    (("HurdlePoisson", {"psi": 0.7, "mu": 0.01}), {"mu": 1e-7}),
    (("HurdleNegativeBinomial", {"psi": 0.7, "mu": 3.0, "alpha": 0.8}), {"psi": 1e-6, "mu": 1e-6}),
    (("ZeroInflatedBinomial", {"psi": 0.7, "n": 9, "p": 0.4}), {"psi": 1e-6, "p": 1e-6}),
    (("HalfNormal", {"sigma": 2.0}), {"sigma": 1e-6}),
    (("HalfCauchy", {"beta": 1.3}), {"beta": 1e-6}),
    (("LogNormal", {"mu": 0.3, "sigma": 1.0}), {"mu": 1e-6}),
    (("LogitNormal", {"mu": 0.3, "sigma": 0.9}), {"mu": 1e-6, "sigma": 1e-6}),
    (("Exponential", {"lam": 1.5}), {"lam": 1e-6}),
    (("ChiSquared", {"nu": 3.5}), {"nu": 1e-6}),
    (("Kumaraswamy", {"a": 2.1, "b": 2.6}), {"b": 1e-6}),
    (("Bernoulli", {"p": 0.3}), {"p": 1e-6}),
    (("Binomial", {"n": 9, "p": 0.4}), {"p": 1e-6}),
    (("ZeroInflatedNegativeBinomial", {"psi": 0.7, "mu": 3.0, "alpha": 1.9}), {"psi": 1e-6, "mu": 1e-6}),
    (("TruncatedNormal", {"mu": 0.4, "sigma": 1.2, "lower": -1.0, "upper": 2.5}), {"mu": 1e-6, "sigma": 1e-6}),
]


# Of these a member is given by bounds or by several probabilities, or has no density in 30 digits.
NOT_NEAR = {"Uniform", "DiscreteUniform", "Categorical", "PolyaGamma", *ATOMS}


def test_every_rule_of_a_family_with_itself_is_tried_where_both_nearly_agree():
    assert {p for p, q in UNIVARIATE if p == q} - NOT_NEAR <= {name for (name, _), _ in NEAR}, "add a case to NEAR"


def exact(name: str, p: Distribution, q: Distribution) -> float:
    """By a textbook formula in 30 digits where there is one, else by its densities."""
    mp = mpmath_densities.mp
    if name not in FORMULAS:
        return float(mpmath_densities.kl_divergence(p, q))
    return float(
        FORMULAS[name](mp, *({k: mp.mpf(float(v)) for k, v in vars(d).items() if v is not None} for d in (p, q)))
    )


@pytest.mark.parametrize(("start", "change"), NEAR)
def test_nearly_equal_parameters_keep_six_digits(start, change):
    name, parameters = start
    p = family(name)(**parameters)
    q = family(name)(**{k: v + change.get(k, 0.0) for k, v in parameters.items()})
    # Parameters of size 3 that differ by 1e-6 are themselves known to a relative 1e-10 of the difference only.
    np.testing.assert_allclose(kl_divergence(p, q).value, exact(name, p, q), rtol=1e-6)


SAME = [
    (("Exponential", {"lam": 1.5}), ("Gamma", {"alpha": 1 + 1e-6, "beta": 1.5})),
    (("Gamma", {"alpha": 1 + 1e-6, "beta": 0.5}), ("Weibull", {"alpha": 1.0, "beta": 2.0})),
    (("Weibull", {"alpha": 1 + 1e-6, "beta": 2.0}), ("Exponential", {"lam": 0.5})),
    (("ChiSquared", {"nu": 2.0}), ("Weibull", {"alpha": 1.0, "beta": 2.0 + 1e-6})),
    (("Beta", {"alpha": 1 + 1e-6, "beta": 1.0}), ("Uniform", {"lower": 0.0, "upper": 1.0})),
    (("Uniform", {"lower": 0.0, "upper": 1.0}), ("Beta", {"alpha": 1 - 1e-6, "beta": 1.0})),
    (("Kumaraswamy", {"a": 1 + 1e-6, "b": 1.0}), ("Uniform", {"lower": 0.0, "upper": 1.0})),
    (("Laplace", {"mu": 0.5, "b": 2.0}), ("AsymmetricLaplace", {"kappa": 1 + 1e-6, "mu": 0.5, "b": 0.5})),
    (("Bernoulli", {"p": 0.3}), ("Binomial", {"n": 1, "p": 0.3 + 1e-6})),
    (("Poisson", {"mu": 3.0}), ("ZeroInflatedPoisson", {"psi": 1 - 1e-6, "mu": 3.0})),
    (("StudentT", {"nu": 1e4, "mu": 0.3, "sigma": 1.0}), ("Normal", {"mu": 0.3, "sigma": 1.0})),
    (("HalfStudentT", {"nu": 1e5, "sigma": 1.0}), ("HalfNormal", {"sigma": 1.0})),
    (("Cauchy", {"alpha": 0.3, "beta": 1.0}), ("StudentT", {"nu": 1 + 1e-5, "mu": 0.3, "sigma": 1.0})),
    (("Gamma", {"alpha": 1e6, "beta": 1e3}), ("Normal", {"mu": 1e3, "sigma": 1.0})),
]


@pytest.mark.parametrize(("p", "q"), SAME)
def test_families_that_nearly_meet_keep_six_digits(p, q):
    p, q = (family(name)(**parameters) for name, parameters in (p, q))
    exact = float(mpmath_densities.kl_divergence(p, q))
    np.testing.assert_allclose(kl_divergence(p, q).value, exact, rtol=1e-6)


FAR = [
    ("Normal", {"mu": 0.0, "sigma": 1e-3}, {"mu": 1e4, "sigma": 7.0}),
    ("Gamma", {"alpha": 1e-3, "beta": 1.0}, {"alpha": 50.0, "beta": 3.0}),
    ("Gamma", {"alpha": 1e6, "beta": 1.0}, {"alpha": 1e-3, "beta": 1e-3}),
    ("Beta", {"alpha": 1e-3, "beta": 1e-3}, {"alpha": 30.0, "beta": 40.0}),
    ("Poisson", {"mu": 1e6}, {"mu": 10.0}),
    ("Binomial", {"n": 1e6, "p": 0.9}, {"n": 1e6, "p": 1e-3}),
    ("Geometric", {"p": 1e-6}, {"p": 0.5}),
    ("NegativeBinomial", {"mu": 1e6, "alpha": 3.0}, {"mu": 1.0, "alpha": 3.0}),
    ("Weibull", {"alpha": 0.5, "beta": 100.0}, {"alpha": 2.0, "beta": 1.0}),
    ("Gumbel", {"mu": 0.0, "beta": 1.0}, {"mu": 14.0, "beta": 1.0}),
    ("LogNormal", {"mu": 1e3, "sigma": 1.0}, {"mu": 0.0, "sigma": 1.0}),
]


@pytest.mark.parametrize(("name", "p", "q"), FAR)
def test_far_apart_nothing_overflows(name, p, q):
    p, q = family(name)(**p), family(name)(**q)
    np.testing.assert_allclose(closed_form_kl(p, q), exact(name, p, q), rtol=1e-9)


def test_bijections_do_not_change_closed_forms():
    generator = np.random.default_rng(8)
    a, b, c, d = generator.uniform(0.5, 3.0, size=(4, 5))

    def kl(first, p, second, q):
        return closed_form_kl(family(first)(**p), family(second)(**q))

    normals = kl("Normal", {"mu": a, "sigma": b}, "Normal", {"mu": c, "sigma": d})
    for image in ("LogNormal", "LogitNormal"):
        np.testing.assert_array_equal(kl(image, {"mu": a, "sigma": b}, image, {"mu": c, "sigma": d}), normals)
    gammas = kl("Gamma", {"alpha": a, "beta": b}, "Gamma", {"alpha": c, "beta": d})
    np.testing.assert_allclose(
        kl("InverseGamma", {"alpha": a, "beta": b}, "InverseGamma", {"alpha": c, "beta": d}), gammas
    )
    # -log of a Weibull variable is Gumbel, log of a Pareto variable over its minimum exponential.
    weibulls = kl("Weibull", {"alpha": a, "beta": b}, "Weibull", {"alpha": c, "beta": d})
    gumbels = kl("Gumbel", {"mu": -np.log(b), "beta": 1 / a}, "Gumbel", {"mu": -np.log(d), "beta": 1 / c})
    np.testing.assert_allclose(gumbels, weibulls, rtol=1e-12)
    exponentials = kl("Exponential", {"lam": a}, "Exponential", {"lam": c})
    np.testing.assert_allclose(
        kl("Pareto", {"alpha": a, "m": b}, "Pareto", {"alpha": c, "m": b}), exponentials, rtol=1e-12
    )


def test_an_affine_map_does_not_change_divergences_across_families():
    def kl(shift, scale):
        p = family("Laplace")(mu=shift + 0.3 * scale, b=1.2 * scale)
        q = family("Normal")(mu=shift - 0.4 * scale, sigma=0.9 * scale)
        r = family("Gumbel")(mu=shift, beta=2.0 * scale)
        return [closed_form_kl(p, q), closed_form_kl(q, p), closed_form_kl(q, r), closed_form_kl(r, q)]

    np.testing.assert_allclose(kl(1e6, 1.0), kl(0.0, 1.0), rtol=1e-9)
    np.testing.assert_allclose(kl(0.0, 1e-100), kl(0.0, 1.0), rtol=1e-9)


def test_elements_without_a_closed_form_are_left_to_quadrature():
    p = family("Logistic")(mu=0.0, s=1.0)
    q = family("Logistic")(mu=1.0, s=[1.0, 2.0])
    assert np.isnan(closed_form_kl(p, q)).tolist() == [False, True]
    value = kl_divergence(p, q).value
    np.testing.assert_allclose(value[1], dense_mean(p, q.select(1), lambda r: r), rtol=1e-10)


def test_certain_outcomes_contribute_zero_or_infinity():
    bernoulli, binomial = family("Bernoulli"), family("Binomial")
    value = closed_form_kl(bernoulli(p=[0.0, 1.0, 0.0, 0.3, 1.0]), bernoulli(p=[0.3, 1.0, 1.0, 0.0, 0.25]))
    np.testing.assert_allclose(value, [-np.log(0.7), 0.0, np.inf, np.inf, np.log(4)], rtol=1e-14)
    value = closed_form_kl(binomial(n=3, p=[0.0, 1.0, 0.5]), binomial(n=3, p=[0.5, 0.5, 1.0]))
    np.testing.assert_allclose(value, [3 * np.log(2), 3 * np.log(2), np.inf], rtol=1e-14)
    categorical = family("Categorical")
    value = closed_form_kl(categorical(p=[[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), categorical(p=[0.25, 0.75, 0.0]))
    np.testing.assert_allclose(value, [np.log(2) / 2 + np.log(2 / 3) / 2, np.inf], rtol=1e-14)


def test_a_mass_at_zero_that_the_hurdle_excludes_is_infinite():
    hurdle, poisson = family("HurdlePoisson"), family("Poisson")
    assert closed_form_kl(poisson(mu=2.0), hurdle(psi=1.0, mu=2.0)) == np.inf
    assert np.isfinite(closed_form_kl(hurdle(psi=1.0, mu=2.0), poisson(mu=2.0)))
    assert (
        closed_form_kl(family("HurdleGamma")(psi=0.0, alpha=1, beta=1), family("HurdleGamma")(psi=1, alpha=1, beta=1))
        == np.inf
    )


@pytest.mark.parametrize(
    ("name", "parameters", "culprit"),
    [
        ("Normal", {"mu": 0.0, "sigma": 0.0}, "sigma"),
        ("Gamma", {"alpha": 0.0, "beta": 1.0}, "alpha"),
        ("Gamma", {"alpha": 1.0, "beta": np.nan}, "beta"),
        ("StudentT", {"nu": 3.0, "mu": 0.0, "sigma": -1.0}, "sigma"),
        ("Exponential", {"lam": [1.0, 0.0]}, "lam"),
        ("Poisson", {"mu": -1.0}, "mu"),
        ("Bernoulli", {"p": 1.1}, "p"),
        ("Uniform", {"lower": 1.0, "upper": 1.0}, "upper"),
        ("Beta", {"alpha": np.inf, "beta": 1.0}, "alpha"),
    ],
)
def test_degenerate_parameters_are_refused_by_name(name, parameters, culprit):
    with pytest.raises(ValueError, match=f"{name}: {culprit}"):
        family(name)(**parameters)


def test_bounds_are_those_that_were_given():
    p = family("Uniform")(lower=0.1, upper=0.1 + 0.7)
    q = family("TruncatedNormal")(mu=0.78412423, sigma=1.36619141, lower=0.1, upper=0.1 + 0.7)
    r = family("Triangular")(lower=0.1, c=0.3, upper=0.1 + 0.7)
    for first in (p, q, r):
        for second in (p, q, r):
            assert np.isfinite(kl_divergence(first, second).value)


def test_pairs_by_expectations_are_univariate_and_of_one_kind():
    pairs = set(rules())
    assert {("Gamma", "LogNormal"), ("MvNormal", "MvNormal")} <= pairs
    assert ("Normal", "Gamma") not in pairs
    dimensions = {(FAMILIES[p].event_ndim, FAMILIES[q].event_ndim) for p, q in pairs}
    assert dimensions == {(0, 0), (1, 1), (2, 2)}
