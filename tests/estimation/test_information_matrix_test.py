"""White's test on fitted models: against its arrays, reparametrised, and that its bootstrap p value holds its level."""

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest

from pp_mlekl.estimation.asymptotics import information_matrix_test as test_of_arrays
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.information_matrix_test import contributions, information_matrix_test
from pp_mlekl.pymc_model.model_functions import model_functions

# So that pytest does not take it for a test.
test_of_arrays.__test__ = False

Y = np.random.default_rng(1).standard_t(5, size=200)


def normal_model(y, log_scale=False):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.math.exp(pm.Normal("log_sigma", 0, 1)) if log_scale else pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=y)
    return model


@pytest.fixture(scope="module")
def model():
    return normal_model(Y)


def test_hessians_of_terms_add_up_to_the_hessian(model):
    functions = model_functions(model)
    z = np.array([[0.3, 0.2]])
    scores, hessians = contributions(functions, z, np.arange(2))
    _, gradient, hessian = functions.value_gradient_hessian(z[0])
    np.testing.assert_allclose(scores[0].sum(axis=0), gradient, rtol=1e-12)
    np.testing.assert_allclose(hessians[0].sum(axis=0), hessian, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1.0, 1e6])
def test_hessians_of_terms_in_any_unit(unit):
    """Of -cosh((z - y) / unit), and of a coordinate whose scores are 0."""
    y = np.array([-1.0, 0.5, 2.0])

    def scores(z, data):
        u = z[..., :1] / unit - y
        return np.stack([-np.sinh(u) / unit, np.zeros_like(u)], axis=-1)

    found = contributions(SimpleNamespace(scores=scores), np.array([[0.3 * unit, 0.1]]), np.arange(2))
    assert found[0].shape == (1, 3, 2)
    np.testing.assert_allclose(found[0][0, :, 0], -np.sinh(0.3 - y) / unit, rtol=1e-12)
    np.testing.assert_allclose(found[1][0, :, 0, 0], -np.cosh(0.3 - y) / unit**2, rtol=1e-8)
    np.testing.assert_allclose(found[1][0, :, 1], 0.0, atol=1e-9 / unit)


def test_normal_model_against_the_moments_it_tests(model):
    """For a normal the elements are the third and fourth moments, as in Jarque and Bera's test."""
    test = information_matrix_test(model, replicates=0, random_seed=1)
    mu, sigma = Y.mean(), Y.std()
    u = (Y - mu) / sigma
    scores = np.stack([u / sigma, (u**2 - 1) / sigma], axis=1)
    hessians = np.empty((200, 2, 2))
    hessians[:, 0, 0] = -1 / sigma**2
    hessians[:, 0, 1] = hessians[:, 1, 0] = -2 * u / sigma**2
    hessians[:, 1, 1] = (1 - 3 * u**2) / sigma**2
    exact = test_of_arrays(scores, hessians)
    assert test.statistic == pytest.approx(exact.statistic, rel=1e-6)
    assert test.degrees_of_freedom == exact.degrees_of_freedom == 2
    assert test.J.sel(parameter="mu", parameter_="mu").item() == pytest.approx(1 / sigma**2)
    assert test.K.sel(parameter="sigma", parameter_="sigma").item() == pytest.approx(
        np.mean((u**2 - 1) ** 2) / sigma**2
    )


def test_it_does_not_depend_on_the_parametrisation(model):
    one = information_matrix_test(model, replicates=0, random_seed=1)
    two = information_matrix_test(normal_model(Y, log_scale=True), replicates=0, random_seed=1)
    assert two.statistic == pytest.approx(one.statistic, rel=1e-5)
    np.testing.assert_allclose(two.ratios, one.ratios, rtol=1e-6)


@pytest.mark.slow
def test_weights_and_data_of_the_estimate_are_those_of_the_test(model):
    """Frequencies are repeated rows; data in place of the model's are those of another model."""
    other, often = np.random.default_rng(5).gamma(2, size=200), np.repeat([3.0, 0.0, 1.0, 1.0], 50)
    exact = information_matrix_test(normal_model(np.repeat(other, often.astype(int))), replicates=0, random_seed=1)
    estimate = find_mle(model, data={"y": other}, weights=often, random_seed=1)
    test = information_matrix_test(model, estimate, replicates=19, random_seed=1)
    assert test.statistic == pytest.approx(exact.statistic, rel=1e-6)
    np.testing.assert_allclose(test.J, exact.J, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(test.ratios, exact.ratios, rtol=1e-6)
    assert np.isnan(test.p_value_bootstrap)
    # Of data that fit the bootstrap's p value lies in the middle, where other data sets would give another.
    fine = np.random.default_rng(6).normal(size=200)
    alone = normal_model(fine)
    plain = information_matrix_test(alone, find_mle(alone, random_seed=1), replicates=49, random_seed=1)
    given = information_matrix_test(
        model, find_mle(model, data={"y": fine}, random_seed=1), replicates=49, random_seed=1
    )
    assert given.statistic == pytest.approx(plain.statistic, rel=1e-6)
    assert 0.05 < plain.p_value_bootstrap < 1.0
    assert given.p_value_bootstrap == plain.p_value_bootstrap


def test_a_wrong_model_is_rejected_and_a_right_one_is_not():
    generator = np.random.default_rng(3)
    for y, low, high in (
        (generator.negative_binomial(2, 1 / 3, size=150), 0.0, 0.01),
        (generator.poisson(4.0, size=150), 0.05, 1.0),
    ):
        with pm.Model() as counts:
            pm.Poisson("y", pm.Exponential("mu", 0.2), observed=y)
        test = information_matrix_test(counts, replicates=199, random_seed=1)
        assert low <= test.p_value_bootstrap <= high
        assert low <= test.p_value <= high
        again = information_matrix_test(counts, replicates=199, random_seed=1)
        assert again.p_value_bootstrap == test.p_value_bootstrap


def test_regressions_and_several_observed_variables():
    generator = np.random.default_rng(4)
    x = generator.normal(size=120)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=2)
        rate = pm.Gamma("rate", 2, 1)
        pm.Normal("y", b[0] + b[1] * x, 1.0, observed=x + generator.normal(size=120) * (1 + x**2))
        pm.Poisson("count", rate, observed=generator.poisson(3, size=80))
    test = information_matrix_test(model, replicates=99, random_seed=1)
    assert test.degrees_of_freedom == 6
    assert test.p_value < 0.01 < test.p_value_bootstrap < 0.5
    # Only the regression is wrong: the rate, whose score is independent of it, is not.
    k, j = (m.sel(parameter="rate", parameter_="rate").item() for m in (test.K, test.J))
    assert 0.5 < k / j < 2.0 < test.ratios[-1]
    assert "p = " in repr(test)


def test_where_there_is_nothing_to_test_it_says_so():
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 1, 1), observed=[0, 1, 1, 0, 1])
    test = information_matrix_test(model, random_seed=1)
    assert test.degrees_of_freedom == 0
    assert np.isnan(test.p_value)
    assert np.isnan(test.p_value_bootstrap)
    assert any("nothing to test" in w for w in test.warnings)


def test_what_it_cannot_take_is_named(model):
    with pytest.raises(ValueError, match="regular maximum of the likelihood; got map"):
        information_matrix_test(model, find_map(model, random_seed=1))
    with pytest.raises(ValueError, match="replicates"):
        information_matrix_test(model, replicates=-1)
    with pytest.raises(ValueError, match="regular maximum"):
        information_matrix_test(normal_model(np.ones(10)), random_seed=1)
    small = information_matrix_test(normal_model(Y[:40]), find_mle(normal_model(Y[:40]), random_seed=1), replicates=0)
    assert any("2 degrees of freedom" in w for w in small.warnings)


@pytest.mark.slow
def test_the_bootstrap_p_value_is_uniform_in_a_right_model():
    with pm.Model() as model:
        data = pm.Data("data", np.zeros(30))
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=data)
    p, limit = [], []
    for seed in range(200):
        pm.set_data({"data": np.random.default_rng(seed).normal(size=30)}, model=model)
        test = information_matrix_test(model, replicates=99, random_seed=seed)
        p.append(test.p_value_bootstrap)
        limit.append(test.p_value)
    share = np.mean(np.array(p) <= 0.05)
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 200)
    assert abs(np.mean(p) - 0.5) < 4 * np.sqrt(1 / 12 / 200)
    # The limit's p value is far too small with so few data.
    assert np.mean(np.array(limit) <= 0.05) > 0.2
