"""Texts and names: PyMC's order, names, defaults and alternatives; refusals in one line."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from pp_mlekl.divergences.families.registry import FAMILIES
from pp_mlekl.inputs.constructor import distribution
from pp_mlekl.inputs.signatures import REQUIRED, signature
from pp_mlekl.inputs.text import parse_distribution
from pp_mlekl.pymc_model.distributions.from_pymc import distribution_of

# What is required where other parameters have defaults.
REQUIREMENTS = {
    "NormalMixture mu": "[1, 2]",
    "a": "2", "b": "3", "nu": "4", "lam": "2", "alpha": "2", "kappa": "2", "psi": "0.3", "w": "[0.3, 0.7]", "mu": "1.5",
    "sigma": "2", "cov": "[[2, 1], [1, 3]]", "scale": "[[2, 1], [1, 3]]",
}  # fmt: skip


def with_defaults_alone():
    """Texts of all families that have defaults, with what is required."""
    for name in FAMILIES:
        known = signature(name)
        given = [n for n, default in known if default is REQUIRED]
        if any(default is not REQUIRED and default is not None for _, default in known) and "dist" not in given:
            yield f"{name}({', '.join(f'{n}={REQUIREMENTS.get(f"{name} {n}", REQUIREMENTS.get(n))}' for n in given)})"


@pytest.mark.parametrize(
    "text",
    [
        *with_defaults_alone(),
        "Normal()",
        "Normal(1, 2)",
        "Normal(tau=3)",
        "Gamma(2, 1)",
        "Gamma(mu=2, sigma=1)",
        "LogNormal(0, 0.7)",
        "Exponential(scale=3)",
        "SkewNormal(2, 1, 3)",
        "Triangular(0, 2, 1.5)",
        "Beta(mu=0.3, sigma=0.1)",
        "Beta(mu=0.3, nu=5)",
        "InverseGamma(mu=2, sigma=1)",
        "NegativeBinomial(mu=2, alpha=3)",
        "NegativeBinomial(p=0.3, n=3)",
        "Bernoulli(logit_p=0.3)",
        "Wald(mu=1, phi=2)",
        "Rice(b=2, sigma=3)",
        "HalfStudentT(3)",
        "ZeroInflatedPoisson(0.3, 2)",
        "TruncatedNormal(0, 1, lower=-1)",
        "BetaBinomial(2, 3, 5)",
        "AsymmetricLaplace(2, 0.5, 3)",
        "OrderedLogistic(0.3, [-1.0, 0.0, 1.0])",
        "OrderedProbit(0.3, [-1.0, 0.0, 1.0], sigma=0.7)",
        "OrderedMultinomial(0.3, [-1.0, 0.0, 1.0], 5)",
    ],
)
def test_text_is_read_as_pymc_reads_it(text):
    name, arguments = text.removesuffix(")").split("(", 1)
    theirs = distribution_of(eval(f"pm.{name}.dist({arguments})", {"pm": pm}))
    ours = parse_distribution(text)
    for field, value in vars(ours).items():
        if value is None:
            assert getattr(theirs, field) is None
            continue
        np.testing.assert_allclose(getattr(ours, field), getattr(theirs, field), rtol=1e-14)


def test_arithmetic_lists_and_nesting():
    assert float(parse_distribution("Normal(-1/3, sqrt(2) * pi)").mu) == -1 / 3
    np.testing.assert_array_equal(parse_distribution("Dirichlet([1, 2, 3])").a, [1, 2, 3])
    assert float(parse_distribution("Truncated(Normal(0, 1), 0)").lower) == 0
    assert len(parse_distribution("Mixture([.3, .7], [Normal(0, 1), Cauchy(2, 1)])").parts) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Gama(2, 1)", "did you mean Gamma"),
        ("Gamma(2)", "needs beta"),
        ("Gamma(2, 1, 3)", "at most 2"),
        ("Gamma", "parentheses"),
        ("Normal(0, 1", "never closed"),
        ("__import__('os')", "only numbers"),
        ("Normal(0).__class__", "only numbers"),
        ("Normal(0, -1)", "must be positive"),
        ("Normal(0, sigm=1)", "did you mean 'sigma'"),
        ("Normal(0, 1, mu=1)", "given twice"),
        ("Gamma(alpha=1, mu=2, sigma=1)", "either mu, sigma or alpha"),
        ("Normal(0, nan)", "is no number"),
        ("Normal(0, 1/0)", "division by zero"),
        ("Normal(9**9**9, 1)", "Cannot read"),
        ("Normal(0, sqrt(-1))", "Cannot read"),
        ("1 + 1", "no distribution"),
        ("OrderedLogistic(0.3)", "cutpoints"),
        ("OrderedLogistic(0.3, [1, 0])", "increases"),
        ("Normal(mu=0, mu=1)", "given twice"),
        ("Normal(" + "-" * 2000 + "1, 1)", "in one another"),
        ("Normal(" + "1 + " * 2000 + "1, 1)", "in one another"),
        ("Normal(" + "(" * 4000 + "1" + ")" * 4000 + ", 1)", "Cannot read"),
        ("Normal(" * 1000 + "0" + ")" * 1000, "Cannot read"),
        ("Normal(" + "9" * 5000 + ", 1)", "Cannot read"),
        ("Normal(" + "9" * 4000 + ", 1)", "Cannot read"),
        ("Normal(" + "1, " * 5000 + "1)", "at most 10000 characters"),
        ("Normal([0] * 999999999999, 1)", "only numbers can be calculated with"),
        ("Normal([0] + [1], 1)", "only numbers can be calculated with"),
        ("Normal(0, 1) + 1", "only numbers can be calculated with"),
        ("Normal((-1) ** 0.5, 1)", "Cannot read"),
        ("Normal(sqrt(1, 2), 1)", "takes one number"),
        ("Truncated(" * 3 + "Normal(0, 1), -3, 3), -2, 2), -1, 1)", "in one another"),
        ("Truncated(Truncated(Normal(0, 1), -2, 2), -1, 1)", "truncated itself"),
        ("Truncated(0, 1)", "made of distributions"),
        ("Mixture([0.5, 0.5], [Normal(0, 1), 3])", "made of distributions"),
        ("Mixture([1], Normal(0, 1))", "list of distributions"),
        ("Normal(Normal(0, 1), 1)", "mu must be a number"),
        ("Normal([[1, 2], [3]], 1)", "mu must be a number"),
        ("Normal([0, 1], [1, 2, 3])", "must broadcast"),
        ("Normal([], 1)", "at least one value"),
        ("Dirichlet([])", "at least one value"),
    ],
)
def test_wrong_texts_are_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_distribution(text)
    assert "\n" not in str(caught.value)


def test_every_family_has_a_signature_with_its_own_parameters():
    assert all(signature(name) for name in FAMILIES)


def test_ordered_categories_keep_dims_and_the_digits_of_far_categories():
    eta = xr.DataArray([0.0, -40.0], dims="site", coords={"site": ["a", "b"]})
    log_p = distribution("OrderedLogistic", eta, [-1.0, 1.0]).parameters["logit_p"]
    assert log_p.dims == ("site", "category")
    # Differences of distribution functions next to 1 would leave nothing.
    assert np.exp(log_p.sel(site="b")[1].item()) == pytest.approx(np.exp(-39) - np.exp(-41), rel=1e-12)


def test_labelled_parameters_are_checked_at_once():
    site = xr.DataArray([1.0, -1.0], dims="site")
    with pytest.raises(ValueError, match="must be positive"):
        distribution("Normal", 0.0, site)
    with pytest.raises(ValueError, match="without dims"):
        distribution("Normal", np.zeros(2), abs(site))
    other = xr.DataArray([1.0, 2.0], dims="site", coords={"site": [2, 3]})
    with pytest.raises(ValueError, match="align"):
        distribution("Normal", site.assign_coords(site=[1, 2]), other)


# What NumPy converts to doubles without a word, or what fails within a family.
NO_NUMBERS = {
    "text": "3",
    "texts": ["1", "2"],
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "durations": np.timedelta64(3, "s"),
    "complex": 1 + 2j,
    "complex array": np.array([1 + 2j]),
    "masked": np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    "ragged": [[1.0, 2.0], [3.0]],
    "a dictionary": {"a": 1.0},
    "a set": {1.0},
    "a function": abs,
    "bytes": b"3",
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_parameters_that_are_no_real_numbers_are_refused_in_one_line(kind):
    for make in (
        lambda value: distribution("Normal", value, 1.0),
        lambda value: distribution("Normal", mu=0.0, sigma=value),
        lambda value: distribution("Gamma", mu=value, sigma=1.0),
        lambda value: distribution("Poisson", value),
        lambda value: distribution("MvNormal", mu=value, cov=np.eye(2)),
    ):
        with pytest.raises(ValueError, match=r"(mu|sigma) must be a number or an array of numbers") as refused:
            make(NO_NUMBERS[kind])
        assert "\n" not in str(refused.value)


def test_tuples_are_arrays():
    assert distribution("Normal", (0.0, 1.0), 2.0).batch_shape == (2,)
    vector = distribution("MvNormal", mu=(0, 1), cov=((2, 0), (0, 1)))
    np.testing.assert_array_equal(vector.cov, [[2.0, 0.0], [0.0, 1.0]])
