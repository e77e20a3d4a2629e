"""Estimates of models whose observations are separated: which, what diverges, and the limiting fit on the others."""

import csv

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from shared import shared_path
from tiers import slow_if

import pp_mlekl as mk
from pp_mlekl.optimize.audit.linear_existence import linear_existence
from pp_mlekl.pymc_model.model_functions import model_functions

ordered = pm.distributions.transforms.ordered


def fit(build, **options):
    with pm.Model() as model:
        build()
    potentials = "likelihood" if model.potentials else None
    estimate = mk.find_mle(model, random_seed=1, potentials=potentials, **options)
    # The plug-in point is one at which the likelihood is that of the estimate, in the limit too.
    there = model_functions(model, potentials).log_likelihood(estimate.flat, weights=options.get("weights"))
    assert float(there) == pytest.approx(estimate.log_likelihood, abs=1e-8)
    return estimate


def values(estimate):
    return np.concatenate([np.ravel(v) for v in estimate.values.data_vars.values()])


def errors(estimate):
    return np.concatenate([np.ravel(v) for v in estimate.standard_error.data_vars.values()])


def design(name):
    with shared_path(f"separation/{name}").open() as file:
        data = list(csv.DictReader(file))
    columns = {key: np.array([float(row[key]) for row in data]) for key in data[0]}
    x = [np.ones(len(data)), *(v for k, v in columns.items() if k.startswith("x"))]
    for key, value in columns.items():
        if key.startswith("id"):
            x.extend((value == level).astype(float) for level in np.unique(value)[1:])
    return np.stack(x, axis=1), columns["y"], columns.get("separated")


def poisson(x, y):
    # Responses that are not whole numbers make a pseudo-likelihood.
    eta = pm.math.dot(x, pm.Normal("b", 0, 5, shape=x.shape[1]))
    pm.Potential("y", y * eta - pt.exp(eta))


def logistic(x, y):
    pm.Bernoulli("y", logit_p=pm.math.dot(x, pm.Normal("b", 0, 3, shape=x.shape[1])), observed=y)


PUBLISHED = [f"{k:02d}.csv" for k in (1, 2, 3, 4, 5, 7, 8, 10, 11, 13, 15, 17)]


@pytest.mark.parametrize("name", slow_if(PUBLISHED, PUBLISHED[1::2]))
def test_published_data_sets_row_for_row(name):
    x, y, separated = design(name)
    estimate = fit(lambda: poisson(x, y))
    np.testing.assert_array_equal(estimate.existence.rows, np.flatnonzero(separated))
    assert estimate.status == ("at_infinity" if separated.any() else "converged")
    assert estimate.existence.exists == (not separated.any())


def test_first_example_of_the_guide():
    x, y, _ = design("example1.csv")
    estimate = fit(lambda: poisson(x, y))
    b = estimate.values["b"].values
    assert b[1] == -np.inf
    assert b[2] == np.inf
    assert b[0] == pytest.approx(0.59095, abs=5e-6)
    assert estimate.existence.rows.tolist() == [4]


def test_limiting_fit_is_that_of_the_other_rows():
    x = np.column_stack([np.ones(24), np.linspace(-1, 1, 24), np.arange(24) < 4])
    y = np.where(x[:, 2] > 0, 0, np.random.default_rng(1).poisson(3, 24))
    separated = fit(lambda: pm.Poisson("y", pt.exp(pm.math.dot(x, pm.Normal("b", shape=3))), observed=y))
    rest = fit(lambda: pm.Poisson("y", pt.exp(pm.math.dot(x[4:, :2], pm.Normal("b", shape=2))), observed=y[4:]))
    assert separated.existence.rows.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(values(separated)[:2], values(rest), rtol=1e-8)
    np.testing.assert_allclose(errors(separated)[:2], errors(rest), rtol=1e-8)
    assert values(separated)[2] == -np.inf
    assert np.isnan(errors(separated)[2])
    limit = separated.existence.limit
    assert limit.log_likelihood == pytest.approx(rest.log_likelihood, abs=1e-9)
    assert (limit.n_observations, limit.n_parameters) == (20, 2)
    assert separated.log_likelihood == limit.log_likelihood
    assert np.isnan(separated.aic)


@pytest.mark.parametrize(("rows", "columns"), [(85, 65), pytest.param(390, 100, marks=pytest.mark.slow), (20, 30)])
def test_complete_separation_of_any_size(rows, columns):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, columns))
    estimate = fit(lambda: logistic(x, (x @ rng.normal(size=columns) > 0).astype(int)))
    assert estimate.status == "at_infinity"
    assert estimate.existence.rows.tolist() == list(range(rows))
    assert not np.isfinite(values(estimate)).any()
    assert estimate.log_likelihood == pytest.approx(0, abs=1e-9)
    assert estimate.existence.identified == (rows >= columns)


@pytest.mark.slow
@pytest.mark.parametrize("random_seed", slow_if([1, 2, 3], [2, 3]))
def test_ordered_logit_whose_second_cutpoint_follows_the_slope(random_seed):
    with pm.Model() as model:
        cut = pm.Normal("cut", 0, 3, shape=2, transform=ordered, initval=[-1.0, 1.0])
        pm.OrderedLogistic(
            "y", eta=pm.Normal("b", 0, 3) * np.array([0.0, 0, 1, 1]), cutpoints=cut, observed=[0, 1, 1, 2]
        )
    estimate = mk.find_mle(model, random_seed=random_seed)
    assert estimate.status == "at_infinity"
    assert values(estimate)[1:].tolist() == [np.inf, np.inf]
    # In the limit two observations tell the first cutpoint and two the difference of the others: four halves.
    assert values(estimate)[0] == pytest.approx(0, abs=1e-9)
    assert estimate.log_likelihood == pytest.approx(-4 * np.log(2), abs=1e-9)
    assert estimate.existence.partial_rows.tolist() == [1, 2]
    assert np.all(np.diff(estimate.flat[:1]) >= 0)
    assert np.isfinite(estimate.flat).all()


def test_an_empty_last_category_has_no_cutpoint():
    def build():
        cut = pm.Normal("cut", 0, 3, shape=2, transform=ordered, initval=[-1.0, 1.0])
        eta = pm.Normal("b", 0, 3) * np.array([0.0, 1, 0, 1, 1, 0])
        pm.OrderedLogistic("y", eta=eta, cutpoints=cut, observed=[0, 1, 1, 0, 1, 0])

    estimate = fit(build)
    assert estimate.status == "at_infinity"
    assert np.isinf(values(estimate)).tolist() == [False, True, False]


def test_multinomial_logit_names_the_intercept_that_diverges():
    x = np.repeat([0.0, 1.0], 5)

    def build():
        a, b = pm.Normal("a", 0, 3, shape=2), pm.Normal("b", 0, 3, shape=2)
        scores = pt.concatenate([pt.zeros((10, 1)), a + x[:, None] * b], axis=1)
        pm.Categorical("y", logit_p=scores, observed=[2] * 5 + [0, 0, 0, 1, 1])

    estimate = fit(build)
    a, b = estimate.values["a"].values, estimate.values["b"].values
    assert (a[1], b[1]) == (np.inf, -np.inf)
    assert np.isnan([a[0], b[0]]).all()
    assert estimate.existence.rows.tolist() == [0, 1, 2, 3, 4]
    assert estimate.log_likelihood == pytest.approx(3 * np.log(0.6) + 2 * np.log(0.4), abs=1e-9)
    # What the limit determines has an estimate and a standard error: the score of the second category where x is 1.
    with pm.Model() as model:
        build()
        pm.Deterministic("score", model["a"][0] + model["b"][0])
    score = mk.delta_method(model, mk.find_mle(model, random_seed=1), var_names=["score"])
    assert float(score.values["score"]) == pytest.approx(np.log(2 / 3), abs=1e-8)
    assert float(score.standard_error["score"]) == pytest.approx(np.sqrt(1 / 3 + 1 / 2), abs=1e-8)


def test_aliased_columns_are_not_identified():
    t = np.arange(8.0)
    estimate = fit(lambda: logistic(np.stack([np.ones(8), t, 2 * t + 1], axis=1), np.arange(8) % 2))
    assert estimate.status == "not_identified"
    assert estimate.existence.exists
    np.testing.assert_allclose(np.cross(estimate.existence.constant.values[0], [1, 2, -1]), 0, atol=1e-12)
    plain = fit(lambda: logistic(np.stack([np.ones(8), t], axis=1), np.arange(8) % 2))
    assert estimate.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-10)


def test_weights_of_zero_take_rows_out():
    x = np.stack([np.ones(8), np.arange(8.0)], axis=1)
    y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    weights = np.array([1.0, 1, 1, 0, 1, 1, 1, 1])
    assert fit(lambda: logistic(x, y)).status == "converged"
    estimate = fit(lambda: logistic(x, y), weights=weights)
    assert estimate.status == "at_infinity"
    assert estimate.existence.rows.tolist() == [0, 1, 2, 4, 5, 6, 7]


def test_offsets_do_not_matter_for_existence():
    def build(offset):
        b = pm.Normal("b", shape=2)
        pm.Poisson("y", pt.exp(b[0] + b[1] * np.repeat([0, 1], 4) + offset), observed=[2, 1, 0, 4, 0, 0, 0, 0])

    for offset in (0.0, np.linspace(-5, 5, 8)):
        estimate = fit(lambda offset=offset: build(offset))
        assert estimate.existence.rows.tolist() == [4, 5, 6, 7]
        assert values(estimate)[1] == -np.inf


def test_free_shape_of_a_negative_binomial_is_fitted_in_the_limit():
    year = np.repeat([0, 1, 2], 5)
    y = np.array([3, 2, 4, 1, 7, 0, 0, 0, 0, 0, 15, 4, 6, 0, 5])

    def build(kept, groups):
        mu = pt.exp(pm.Normal("b", 0, 3, shape=groups)[np.unique(year[kept], return_inverse=True)[1]])
        pm.NegativeBinomial("y", mu=mu, alpha=pm.HalfNormal("alpha", 10), observed=y[kept])

    estimate, rest = fit(lambda: build(year >= 0, 3)), fit(lambda: build(year != 1, 2))
    assert estimate.status == "at_infinity"
    assert estimate.existence.rows.tolist() == [5, 6, 7, 8, 9]
    np.testing.assert_allclose(values(estimate)[[0, 2, 3]], values(rest), rtol=1e-5)
    np.testing.assert_allclose(errors(estimate)[[0, 2, 3]], errors(rest), rtol=1e-4)


def test_regular_fits_say_that_the_maximum_exists():
    x = np.stack([np.ones(10), np.arange(10.0)], axis=1)
    estimate = fit(lambda: logistic(x, [0, 0, 1, 0, 0, 1, 1, 0, 1, 1]))
    assert estimate.status == "converged"
    assert estimate.existence.exists
    assert estimate.existence.identified
    assert estimate.existence.limit is None
    assert not len(estimate.existence.rows)


def test_models_without_linear_predictors_have_no_such_decision():
    assert fit(lambda: pm.Normal("y", pm.Normal("m"), pm.HalfNormal("s"), observed=[0.1, 0.7, 1.9])).existence is None


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_of_columns_do_not_matter(unit):
    x = np.stack([np.ones(10), np.arange(10.0), np.append(np.zeros(9), 1.0)], axis=1)
    y = [0, 0, 1, 0, 0, 1, 1, 0, 1, 1]
    plain = fit(lambda: logistic(x, y))
    scaled = fit(lambda: logistic(x * np.array([1, unit, unit]), y))
    assert plain.existence.rows.tolist() == scaled.existence.rows.tolist() == [9]
    np.testing.assert_allclose(values(scaled)[:2] * [1, unit], values(plain)[:2], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["logistic", "poisson"])
def test_neither_false_alarms_nor_misses_near_the_threshold(kind):
    rng = np.random.default_rng(7)
    n, p, seen = 40, {"logistic": 20, "poisson": 26}[kind], []
    with pm.Model() as model:
        x, b = pm.Data("x", np.ones((n, p))), pm.Normal("b", 0, 3, shape=p)
        eta = pm.math.dot(x, b)
        if kind == "logistic":
            pm.Bernoulli("y", logit_p=eta, observed=np.arange(n) % 2)
        else:
            pm.Poisson("y", pt.exp(eta), observed=np.arange(n) % 2)
    for _ in range(100):
        design = rng.normal(size=(n, p))
        y = rng.integers(0, 2, n) if kind == "logistic" else rng.poisson(0.4, n)
        pm.set_data({"x": design}, model=model)
        estimate = mk.find_mle(model, data={"y": y}, random_seed=1)
        seen.append(estimate.status == "converged")
        # The programme itself, on rows that are written down here.
        signs = np.where(y > 0, 1.0, -1.0)[:, None] * design
        expected = linear_existence(signs, None if kind == "logistic" else y > 0)
        np.testing.assert_array_equal(estimate.existence.rows, np.flatnonzero(expected.separated))
        assert estimate.existence.exists == expected.exists
        assert estimate.status == ("converged" if estimate.existence.exists else "at_infinity")
        assert np.isfinite(values(estimate)).all() == seen[-1]
    assert 5 < sum(seen) < 95
