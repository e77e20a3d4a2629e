"""Rows of directions of recession, found from graphs: of one data set written in many ways."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from pp_mlekl.pymc_model.linear_predictors import linear_predictors
from pp_mlekl.pymc_model.model_functions import model_functions

N = 12
RNG = np.random.default_rng(4)
X = RNG.normal(size=(N, 2))
BINARY, COUNTS, CATEGORIES = RNG.integers(0, 2, N), RNG.poisson(0.7, N), np.arange(N) % 3
DESIGN = np.column_stack([np.ones(N), X])
ordered = pm.distributions.transforms.ordered


def predictor():
    return pm.Normal("a") + pm.math.dot(X, pm.Normal("b", shape=2))


def scores():
    a, b = pm.Normal("a", shape=2), pm.Normal("b", shape=(2, 2))
    return pt.concatenate([pt.zeros((N, 1)), a + pm.math.dot(X, b)], axis=1)


def cutpoints():
    return pm.Normal("cut", shape=2, transform=ordered, initval=[-1.0, 1.0])


def binary_rows(y=BINARY):
    return np.where(y == 1, 1.0, -1.0)[:, None] * DESIGN


def count_rows(y=COUNTS):
    return np.concatenate([-DESIGN, DESIGN[y > 0]])


def category_rows():
    rows = []
    for design, y in zip(DESIGN, CATEGORIES, strict=True):
        # The vector is a[0], a[1], then the coefficients of the first covariate for both categories, then of the second.
        score = np.zeros((3, 6))
        for k in (1, 2):
            score[k, [k - 1, 1 + k, 3 + k]] = design
        rows.extend(score[y] - score[k] for k in range(3) if k != y)
    return np.array(rows)


def cumulative_rows():
    cut = np.eye(2)
    rows = [np.append(cut[y], -x) for x, y in zip(X, CATEGORIES, strict=True) if y < 2]
    return np.array(rows + [np.append(-cut[y - 1], x) for x, y in zip(X, CATEGORIES, strict=True) if y > 0])


CASES = {}


def case(rows, fixed=0):
    def register(build):
        CASES[build.__name__] = (build, rows, fixed)
        return build

    return register


@case(binary_rows)
def logit():
    pm.Bernoulli("y", logit_p=predictor(), observed=BINARY)


@case(binary_rows)
def sigmoid():
    pm.Bernoulli("y", p=pm.math.sigmoid(predictor()), observed=BINARY)


@case(binary_rows)
def probit():
    pm.Bernoulli("y", p=pm.math.invprobit(predictor()), observed=BINARY)


@case(binary_rows)
def complementary_log_log():
    pm.Bernoulli("y", p=1 - pt.exp(-pt.exp(predictor())), observed=BINARY)


@case(binary_rows)
def logit_as_a_sum():
    eta = predictor()
    pm.Potential("y", pt.sum(BINARY * eta - pt.softplus(eta)))


@case(binary_rows)
def logit_as_products():
    eta = predictor()
    pm.Potential("y", pt.dot(BINARY.astype(float), eta) - pt.sum(pt.softplus(eta)))


@case(
    lambda: np.concatenate(
        [binary_rows(CATEGORIES > 0)[CATEGORIES != 1], DESIGN[CATEGORIES == 1], -DESIGN[CATEGORIES == 1]]
    )
)
def binomial():
    pm.Binomial("y", n=2, logit_p=predictor(), observed=CATEGORIES)


@case(count_rows)
def poisson():
    pm.Poisson("y", pm.math.exp(predictor()), observed=COUNTS)


@case(count_rows)
def poisson_with_exposure():
    pm.Poisson("y", np.linspace(0.1, 50, N) * pm.math.exp(predictor()), observed=COUNTS)


@case(count_rows)
def poisson_as_terms():
    eta = predictor()
    pm.Potential("y", 0.25 * COUNTS * eta - pt.exp(eta))


@case(count_rows)
def negative_binomial():
    pm.NegativeBinomial("y", mu=pm.math.exp(predictor()), alpha=2.0, observed=COUNTS)


@case(count_rows, fixed=1)
def negative_binomial_of_free_shape():
    pm.NegativeBinomial("y", mu=pm.math.exp(predictor()), alpha=pm.HalfNormal("alpha"), observed=COUNTS)


@case(category_rows)
def categorical():
    pm.Categorical("y", logit_p=scores(), observed=CATEGORIES)


@case(category_rows)
def softmax():
    pm.Categorical("y", p=pm.math.softmax(scores(), axis=1), observed=CATEGORIES)


@case(category_rows)
def multinomial_of_one():
    pm.Multinomial("y", n=1, p=pm.math.softmax(scores(), axis=1), observed=np.eye(3, dtype=int)[CATEGORIES])


@case(cumulative_rows)
def ordered_logit():
    pm.OrderedLogistic("y", cutpoints=cutpoints(), eta=pm.math.dot(X, pm.Normal("b", shape=2)), observed=CATEGORIES)


@case(cumulative_rows)
def ordered_probit():
    pm.OrderedProbit("y", cutpoints=cutpoints(), eta=pm.math.dot(X, pm.Normal("b", shape=2)), observed=CATEGORIES)


@case(count_rows, fixed=1)
def left_censored_normal():
    normal = pm.Normal.dist(predictor(), pm.HalfNormal("sigma"))
    pm.Censored("y", normal, lower=0.0, upper=None, observed=COUNTS.astype(float))


@case(lambda: np.concatenate([DESIGN, -DESIGN]), fixed=1)
def truncated_normal():
    normal = pm.Normal.dist(predictor(), pm.HalfNormal("sigma"))
    pm.Truncated("y", normal, lower=-1.0, upper=None, observed=COUNTS.astype(float))


@case(lambda: np.concatenate([-DESIGN[BINARY == 0], DESIGN[BINARY == 1], -DESIGN[BINARY == 1]]))
def censored_exponential_times():
    eta, times = predictor(), RNG.exponential(size=N)
    pm.Potential("y", BINARY * eta - times * pt.exp(eta))


@case(binary_rows, fixed=4)
def logit_with_a_product_of_parameters():
    eta = predictor()
    scaled = pm.HalfNormal("tau") * pm.Normal("u", shape=3)
    pm.Bernoulli("y", logit_p=eta + scaled[CATEGORIES], observed=BINARY)


def directions(rows):
    rows = rows[np.any(rows != 0, axis=1)]
    return np.unique(np.round(rows / np.abs(rows).max(axis=1, keepdims=True), 9) + 0.0, axis=0)


def found_rows(build, **given):
    with pm.Model() as model:
        build()
    functions = model_functions(model, "likelihood" if model.potentials else None)
    predictors = linear_predictors(functions)
    if predictors is None:
        return None
    return predictors.rows(predictors.to_x(functions.initial_point()), given.get("weights"), given.get("data"))


@pytest.mark.parametrize("name", CASES)
def test_rows_of_a_likelihood_however_it_is_written(name):
    build, rows, fixed = CASES[name]
    found = found_rows(build)
    free = ~found.fixed.any(axis=0)
    assert not found.rows[:, ~free].any()
    assert len(found.fixed) == fixed
    np.testing.assert_allclose(directions(found.rows[:, free]), directions(rows()), atol=1e-9)


def test_rows_follow_other_data_and_weights():
    flipped, weights = 1 - BINARY, np.arange(N) % 2
    found = found_rows(logit, weights=weights, data={"y": flipped})
    np.testing.assert_allclose(directions(found.rows), directions(binary_rows(flipped)[weights > 0]), atol=1e-12)


def zero_inflated():
    pm.ZeroInflatedPoisson("y", psi=0.5, mu=pt.exp(predictor()), observed=COUNTS)


def student():
    pm.StudentT("y", nu=4, mu=predictor(), sigma=1.0, observed=X[:, 0])


@pytest.mark.parametrize("build", [zero_inflated, student])
def test_likelihoods_without_concave_linear_predictors_are_left_to_the_search(build):
    assert found_rows(build) is None


def test_predictors_with_a_variable_that_is_not_linear_keep_the_rest():
    def build():
        eta = predictor()
        pm.Bernoulli("y", logit_p=eta + pm.math.exp(pm.Normal("c")) * X[:, 0] ** 2, observed=BINARY)

    found = found_rows(build)
    np.testing.assert_allclose(directions(found.rows[:, :3]), directions(binary_rows()), atol=1e-12)
    assert not found.rows[:, 3].any()
    assert found.fixed[:, 3].all()


def test_a_variable_in_increasing_order_keeps_its_order():
    with pm.Model() as model:
        ordered_logit()
    functions = model_functions(model)
    predictors = linear_predictors(functions)
    z = functions.initial_point() + 0.3
    np.testing.assert_allclose(predictors.to_z(predictors.to_x(z)), z, atol=1e-12)
    np.testing.assert_array_equal(predictors.order_rows(), [[-1, 1, 0, 0]])
    np.testing.assert_allclose(predictors.to_x(z)[:2], functions.natural(z)["cut"])
