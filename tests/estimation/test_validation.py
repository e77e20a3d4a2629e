"""Arguments that cannot be meant are refused where they are given, with what was given and what is expected."""

import numpy as np
import pymc as pm
import pytest

from pp_mlekl.estimation.bootstrap import bootstrap
from pp_mlekl.estimation.delta_method import delta_method
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.information_matrix_test import information_matrix_test
from pp_mlekl.estimation.nested_tests.likelihood_ratio_wald_score import nested_tests
from pp_mlekl.estimation.profile_likelihood import profile
from pp_mlekl.estimation.sandwich import sandwich, sandwich_interval
from pp_mlekl.estimation.wald_interval import wald_interval
from pp_mlekl.posterior.laplace import laplace

Y = np.array([0.3, 1.9, -0.4, 1.1, 2.2, 0.8])
ONES = np.ones(len(Y))


def normal(mean="mu", scale="sigma", y=Y):
    with pm.Model() as model:
        mu = pm.Normal(mean, 0, 10)
        pm.Deterministic("double", 2 * mu)
        pm.Normal("y", mu, pm.HalfNormal(scale, 5), observed=y)
    return model


@pytest.fixture(scope="module")
def model():
    return normal()


@pytest.fixture(scope="module")
def estimate(model):
    return find_mle(model, random_seed=1)


@pytest.mark.parametrize(
    "find", [find_mle, find_map, lambda model, **given: find_mle(model, marginalize=["mu"], **given)]
)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"shape \(6,\), got shape \(3,\)"),
        (np.ones((2, 6)), r"got shape \(2, 6\)"),
        (1.0, r"got shape \(\)"),
        (ONES - 2 * (np.arange(6) == 4), "not negative, got -1 at 4"),
        (np.where(np.arange(6) == 2, np.nan, 1.0), "finite.*got nan at 2"),
        (np.where(np.arange(6) == 5, np.inf, 1.0), "finite.*got inf at 5"),
        (0 * ONES, "must not all be 0"),
    ],
)
def test_weights(model, find, weights, message):
    with pytest.raises(ValueError, match=message):
        find(model, weights=weights)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"y": Y[:4]}, r"shape of the model's data, \(6,\), got \(4,\)"),
        ({"y": np.where(np.arange(6) == 3, np.nan, Y)}, r"NaN at \[3\]"),
        ({"x": Y}, r"\['y'\].*\['x'\]"),
        ({"y": ["a"] * 6}, r"data\['y'\] must be"),
    ],
)
def test_data(model, data, message):
    for find in (find_mle, find_map):
        with pytest.raises(ValueError, match=message):
            find(model, data=data, random_seed=1)


def test_a_missing_value_may_be_left_out_by_its_weight(model):
    weights = (np.arange(6) != 3).astype(float)
    left_out = find_mle(model, weights=weights, random_seed=1)
    replaced = find_mle(model, data={"y": np.where(weights == 0, 1e3, Y)}, weights=weights, random_seed=1)
    assert float(left_out.values["mu"]) == pytest.approx(Y[weights > 0].mean(), rel=1e-7)
    assert float(replaced.values["mu"]) == pytest.approx(float(left_out.values["mu"]), rel=1e-7)


def test_an_estimate_of_another_model(estimate):
    other = normal("level", "spread")
    for ask in (
        lambda: profile(other, estimate=estimate),
        lambda: bootstrap(other, estimate=estimate),
        lambda: nested_tests(other, null={"level": 0.0}, estimate=estimate),
        lambda: sandwich(other, estimate),
        lambda: sandwich_interval(other, estimate),
        lambda: wald_interval(other, estimate),
        lambda: delta_method(other, estimate, var_names=["level"]),
        lambda: delta_method(other, estimate, var_names=["level"], error="sandwich"),
        lambda: information_matrix_test(other, estimate),
        lambda: laplace(other, estimate=estimate),
        lambda: find_mle(other, estimates={"first": estimate}),
    ):
        with pytest.raises(ValueError, match=r"another model: its parameters are mu, sigma .*level, spread"):
            ask()


def test_an_estimate_of_the_same_names_in_other_coordinates():
    with pm.Model() as ordered:
        pm.Multinomial("y", 9, pm.Dirichlet("p", np.ones(3)), observed=[2, 3, 4])
    with pm.Model() as free:
        pm.Normal("y", pm.Normal("p", 0, 1, shape=3), 1.0, observed=[2.0, 3.0, 4.0])
    with pytest.raises(ValueError, match=r"with 2 coordinates.*with 3 coordinates"):
        wald_interval(free, find_mle(ordered, random_seed=1))


def test_an_estimate_of_the_same_model_built_anew_is_its_own(model, estimate):
    again = normal(y=Y)
    for name in ("mu", "sigma"):
        expected = wald_interval(model, estimate)[name]
        np.testing.assert_array_equal(wald_interval(again, estimate)[name], expected)


@pytest.mark.parametrize(
    ("null", "message"),
    [
        ({"mu": [0.0, 1.0]}, r"null\['mu'\] must have the variable's shape \(\).*got shape \(2,\)"),
        ({"sigma": -1.0}, "sigma = -1"),
        ({"sigma": -1e-3}, "in the range"),
        ({"sigma": 0.0}, "boundary of the parameter space"),
        ({"mu": np.nan}, "leaves every element of 'mu' free"),
        ({"mu": np.inf}, "must be finite, got inf"),
    ],
)
def test_a_null_that_is_none(model, estimate, null, message):
    with pytest.raises(ValueError, match=message):
        nested_tests(model, null=null, estimate=estimate)


def test_a_null_of_probabilities_must_be_probabilities():
    with pm.Model() as model:
        pm.Multinomial("y", 9, pm.Dirichlet("p", np.ones(3)), observed=[2, 3, 4])
    estimate = find_mle(model, random_seed=1)
    for null, message in (
        ([0.5, 0.5, 0.5], "in the range"),
        ([-0.2, 0.6, 0.6], "in the range"),
        ([0.0, 0.5, 0.5], "on the boundary"),
        ([[0.2, 0.3, 0.5]], r"shape \(3,\).*got shape \(1, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            nested_tests(model, null={"p": null}, estimate=estimate)
    # Twice the log-likelihood ratio of a multinomial distribution is 2 sum y log(p_hat / p).
    y, null = np.array([2, 3, 4]), np.array([0.2, 0.3, 0.5])
    found = nested_tests(model, null={"p": null}, estimate=estimate)[0]
    assert found.statistic == pytest.approx(2 * np.sum(y * np.log(y / 9 / null)), rel=1e-7)
    assert found.warnings == (
        "1 term of the log-likelihood for 2 parameters: the chi-squared law is a rough guide unless each stands for many "
        "observations.",
    )


def counts(y):
    with pm.Model() as model:
        pm.Poisson("y", pm.Gamma("rate", 2, 1), observed=y)
    return model


def test_impossible_observations_are_named():
    model = counts([1, 2, -1, 4, -3, -5, -6])
    for find in (find_mle, find_map):
        found = find(model, random_seed=1)
        assert found.status == "failed"
        (warning,) = found.warnings
        listed = "y[2] = -1 (density zero), y[4] = -3 (density zero), y[5] = -5 (density zero) and 1 more"
        assert listed in warning
    possible = find_mle(model, weights=[1, 1, 0, 1, 0, 0, 0], random_seed=1)
    assert (possible.status, possible.warnings) == ("converged", ())
    (warning,) = find_mle(model, weights=[1, 1, 0, 1, 0, 1, 0], random_seed=1).warnings
    assert "y[5] = -5 (density zero)" in warning
    assert "y[2]" not in warning
    given = find_mle(model, data={"y": np.array([1, 2, 1, 4, 3, 5, -7])}, random_seed=1)
    assert "not: y[6] = -7 (density zero)." in given.warnings[0]


def test_impossible_rows_and_undefined_terms_are_named():
    with pm.Model() as model:
        p = pm.Dirichlet("p", np.ones(3))
        pm.Multinomial("y", 5, p, observed=[[1, 2, 2], [5, 0, 1]])
        pm.Normal("z", pm.math.stack([p[0], pm.math.log(-p[0])]), 1.0, observed=[0.1, 0.25])
    (warning,) = find_mle(model, random_seed=1).warnings
    assert "y[1] = [5 0 1] (density zero), z[1] = 0.25 (log density NaN)" in warning


def test_where_no_observation_is_at_fault_another_start_is_asked_for():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("undefined", pm.math.log(mu) + pm.math.log(-mu))
        pm.Normal("y", mu, 1.0, observed=[0.0, 1.0])
    (warning,) = find_map(model, potentials="prior", random_seed=1).warnings
    assert warning.endswith("not finite at any start; give a start of your own.")
    (warning,) = find_mle(model, potentials="likelihood", random_seed=1).warnings
    assert "not: undefined (log density NaN)." in warning


def test_parameters_that_cancel_are_not_in_the_likelihood():
    with pm.Model() as model:
        pm.Normal("y", 0 * pm.Normal("mu", 0, 1), pm.HalfNormal("sigma", 5), observed=Y)
    found = find_mle(model, random_seed=1)
    assert "does not contain mu" in found.warnings[0]
    assert float(found.values["sigma"]) == pytest.approx(np.sqrt(np.mean(Y**2)), rel=1e-7)
    with pm.Model() as without:
        pm.Normal("y", 1.0 + 0 * pm.Normal("mu", 0, 1), 1.0, observed=Y)
    with pytest.raises(ValueError, match=r"contains none of the parameters \(mu\)"):
        find_mle(without, random_seed=1)
    assert float(find_map(without, random_seed=1).values["mu"]) == pytest.approx(0.0, abs=1e-9)


def test_a_single_term_has_no_bic():
    with pm.Model() as joint:
        pm.MvNormal("y", pm.Normal("mu", 0, 10) * ONES, cov=np.eye(6), observed=Y)
    with pm.Model() as terms:
        pm.Normal("y", pm.Normal("mu", 0, 10), 1.0, observed=Y)
    one, many = find_mle(joint, random_seed=1), find_mle(terms, random_seed=1)
    assert (one.n_observations, many.n_observations) == (1, 6)
    assert one.aic == pytest.approx(many.aic, rel=1e-9)
    assert np.isnan(one.bic)
    assert many.bic == pytest.approx(np.log(6) - 2 * many.log_likelihood, rel=1e-9)
    assert "no BIC for a single term" in repr(one)
    assert f"BIC {many.bic:.6g}" in repr(many)


def test_a_marginal_search_begins_at_other_estimates_too(model, estimate):
    alone = find_mle(model, marginalize=["mu"], starts=1, random_seed=1)
    more = find_mle(model, marginalize=["mu"], starts=1, estimates={"first": estimate}, random_seed=1)
    assert (alone.settings["starts"], more.settings["starts"]) == (1, 2)
    assert more.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-9)
    with pm.Model() as other:
        pm.Normal("y", pm.Normal("nu"), 1.0, observed=Y)
    with pytest.raises(ValueError, match="belongs to another model"):
        find_mle(model, marginalize=["mu"], estimates={"other": find_mle(other, random_seed=1)})
