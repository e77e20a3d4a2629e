"""The model core against SciPy's densities, finite differences and its own inverse."""

from functools import cache

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

from pp_mlekl.pymc_model import log_density_graphs
from pp_mlekl.pymc_model.interpreter.lazy_function import CompilationCount
from pp_mlekl.pymc_model.marginal_prior_density import group_log_prior, marginal_log_prior
from pp_mlekl.pymc_model.model_functions import model_functions

SD = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(30, 2))
CLASSES = GENERATOR.integers(0, 3, 30)


@pytest.fixture(scope="module")
def schools():
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("obs", theta, SD, observed=EFFECT, dims="school")
    return model


@cache
def simplex_and_classes():
    with pm.Model(coords={"k": ["a", "b", "c"]}) as model:
        p = pm.Dirichlet("p", np.full(3, 2.0), dims="k")
        mu = pm.Normal("mu", 0, 10, dims="k")
        sigma = pm.HalfNormal("sigma", 3)
        pm.Categorical("c", p=p, observed=CLASSES)
        pm.Normal("x", mu[CLASSES], sigma, observed=X[:, 0])
    return model


@cache
def ordered_mixture():
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2))
        mu = pm.Normal("mu", 0, 3, shape=2, transform=pm.distributions.transforms.ordered, initval=[-1, 1])
        sigma = pm.HalfNormal("sigma", 1, shape=2)
        pm.NormalMixture("y", w=w, mu=mu, sigma=sigma, observed=X[:, 0])
    return model


@cache
def cholesky():
    with pm.Model() as model:
        chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=pm.Exponential.dist(1.0, shape=2))
        pm.MvNormal("y", pm.Normal("mu", 0, 1, shape=2), chol=chol, observed=X)
    return model


def interval_of_parent():
    with pm.Model() as model:
        low = pm.HalfNormal("low", 1)
        u = pm.Uniform("u", low, low + 5)
        pm.Poisson("y", u, observed=[1, 3, 2])
    return model


def data_containers():
    with pm.Model() as model:
        x = pm.Data("x", np.arange(6.0))
        y = pm.Data("counts", np.arange(6) % 3)
        b = pm.Normal("b", 0, 1)
        pm.Deterministic("double", 2 * b)
        pm.Poisson("y", pt.exp(b * x / 6), observed=y)
    return model


BUILDERS = [
    simplex_and_classes,
    pytest.param(ordered_mixture, marks=pytest.mark.slow),
    cholesky,
    interval_of_parent,
    data_containers,
]


@pytest.fixture(scope="module", params=BUILDERS, ids=lambda b: b.__name__)
def functions(request):
    return model_functions(request.param())


@pytest.fixture(scope="module")
def points(functions):
    return functions.prior_draws(5, np.random.default_rng(1))


def test_terms_are_scipys_densities(schools):
    f = model_functions(schools)
    values = {"mu": 1.5, "tau": 2.0, "theta": np.linspace(-1, 1, 8)}
    z = f.unconstrain(values)
    prior = stats.norm(0, 5).logpdf(1.5) + stats.halfcauchy(0, 5).logpdf(2.0)
    prior += stats.norm(1.5, 2.0).logpdf(values["theta"]).sum()
    np.testing.assert_allclose(f.pointwise(z), stats.norm(values["theta"], SD).logpdf(EFFECT), rtol=1e-14)
    np.testing.assert_allclose(f.log_prior(z), prior, rtol=1e-14)
    np.testing.assert_allclose(f.log_jacobian(z), np.log(2.0), rtol=1e-14)


def test_single_precision_literals_do_not_leak():
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2.0, 3.0)
        pm.Poisson("y", rate, observed=[1, 2])
    f = model_functions(model)
    z = np.array([0.3])
    exact = stats.gamma(2, scale=1 / 3).logpdf(np.exp(0.3))
    np.testing.assert_allclose(f.log_prior(z), exact, rtol=1e-13)


def test_layout_names_dims_and_dependence(schools):
    f = model_functions(schools)
    assert f.natural_names[:3] == ["mu", "tau", "theta[A]"]
    assert f.unconstrained_names[1] == "tau_log__"
    assert f.in_likelihood == {"mu": False, "tau": False, "theta": True}
    dataset = f.dataset(f.prior_draws(4, np.random.default_rng(0)), ["sample"])
    assert dataset["theta"].dims == ("sample", "school")
    assert list(dataset["school"].values) == list("ABCDEFGH")


@pytest.mark.slow
def test_batch_equals_rows(functions, points):
    batch = functions.value_gradient_hessian(points, a=1.0, b=1.0)
    for i, z in enumerate(points):
        for whole, row in zip(batch, functions.value_gradient_hessian(z, a=1.0, b=1.0), strict=True):
            np.testing.assert_allclose(whole[i], row, rtol=1e-9, atol=1e-9)


def test_derivatives_agree_with_differences(functions, points):
    z = points[2]
    _, gradient, hessian = functions.value_gradient_hessian(z, a=1.0, b=1.0)
    step = 1e-5 * np.eye(functions.size)
    up = functions.value_gradient(z + step, a=1.0, b=1.0)
    down = functions.value_gradient(z - step, a=1.0, b=1.0)
    np.testing.assert_allclose((up[0] - down[0]) / 2e-5, gradient, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose((up[1] - down[1]) / 2e-5, hessian, rtol=1e-5, atol=1e-5)
    vector = np.linspace(-1, 1, functions.size)
    np.testing.assert_allclose(
        functions.hessian_product(z, vector, a=1.0, b=1.0), hessian @ vector, rtol=1e-9, atol=1e-9
    )


def test_scores_add_up_to_the_gradient(functions, points):
    z = points[1]
    scores = functions.scores(z)
    assert scores.shape == (functions.n_observations, functions.size)
    np.testing.assert_allclose(scores.sum(axis=0), functions.value_gradient(z)[1], rtol=1e-9, atol=1e-9)


def test_natural_values_and_back(functions, points):
    np.testing.assert_allclose(functions.unconstrain(functions.natural(points)), points, rtol=1e-8, atol=1e-8)
    step = 1e-6 * np.eye(functions.size)
    slope = (functions.natural_flat(points[0] + step) - functions.natural_flat(points[0] - step)) / 2e-6
    np.testing.assert_allclose(functions.natural_jacobian(points[0]), slope.T, rtol=1e-6, atol=1e-7)


def test_weights_are_counts(functions, points):
    weights = np.arange(functions.n_observations) % 3
    expected = (weights * functions.pointwise(points)).sum(axis=-1)
    np.testing.assert_allclose(functions.log_likelihood(points, weights=weights), expected, rtol=1e-12)


def test_weight_zero_removes_an_impossible_row():
    with pm.Model() as model:
        top = pm.HalfNormal("top", 2)
        pm.Uniform("y", 0, top, observed=[0.5, 9.0])
    f = model_functions(model)
    value, gradient, _ = f.value_gradient_hessian(np.array([0.0]), weights=[1.0, 0.0])
    assert np.isfinite(value)
    np.testing.assert_allclose(gradient, [-1.0])
    assert f.log_likelihood(np.array([0.0])) == -np.inf


def test_other_data_by_argument(schools):
    f = model_functions(schools)
    z = f.initial_point()
    data = {"obs": np.stack([EFFECT, EFFECT + 1.0])}
    batch = f.log_likelihood(np.stack([z, z]), data=data)
    np.testing.assert_allclose(batch[0], f.log_likelihood(z))
    theta = f.natural(z)["theta"]
    np.testing.assert_allclose(batch[1], stats.norm(theta, SD).logpdf(EFFECT + 1).sum())


def test_evaluate_any_variable():
    model = data_containers()
    f = model_functions(model)
    z = f.prior_draws(3, np.random.default_rng(0))
    (double,) = f.evaluate([model["double"]], z)
    np.testing.assert_allclose(double, 2 * z[:, 0])


def test_new_data_in_a_container_are_seen():
    model = data_containers()
    before = model_functions(model)
    with model:
        pm.set_data({"counts": np.ones(6, dtype=int)})
    z = before.initial_point() + 0.3
    expected = stats.poisson(np.exp(0.3 * np.arange(6) / 6)).logpmf(1).sum()
    np.testing.assert_allclose(model_functions(model).log_likelihood(z), expected)


def test_prior_draws_follow_the_prior(schools):
    z = model_functions(schools).prior_draws(4000, np.random.default_rng(5))
    again = model_functions(schools).prior_draws(4000, np.random.default_rng(5))
    np.testing.assert_array_equal(z, again)
    assert stats.kstest(z[:, 0], stats.norm(0, 5).cdf).pvalue > 1e-3
    assert stats.kstest(np.exp(z[:, 1]), stats.halfcauchy(0, 5).cdf).pvalue > 1e-3
    standardized = (z[:, 2:] - z[:, :1]) / np.exp(z[:, 1:2])
    assert stats.kstest(standardized.ravel(), stats.norm.cdf).pvalue > 1e-3


def test_nothing_is_built_twice(schools):
    f = model_functions(schools)
    rng = np.random.default_rng(0)
    for z in (f.prior_draws(3, rng)[0], f.prior_draws(3, rng)):
        f.value_gradient_hessian(z, a=1.0, b=1.0)
    built = CompilationCount.interpreted
    for z in (f.prior_draws(7, rng)[0], f.prior_draws(9, rng)):
        f.value_gradient_hessian(z, a=1.0, b=1.0, weights=rng.integers(0, 3, 8))
    assert CompilationCount.interpreted == built
    assert model_functions(schools) is f


def test_densities_are_derived_once_whatever_the_number_of_variables(monkeypatch):
    own, derived = log_density_graphs.transformed_conditional_logp, []
    monkeypatch.setattr(
        log_density_graphs, "transformed_conditional_logp", lambda *a, **k: derived.append(1) or own(*a, **k)
    )
    with pm.Model() as model:
        rates = [pm.Exponential(f"rate_{i}", 1.0) for i in range(3)]
        pm.Poisson("y", sum(rates), observed=[3, 4])
    f = model_functions(model)
    z = f.prior_draws(8, np.random.default_rng(0))
    for variable in f.free:
        known = marginal_log_prior(f, variable, z.reshape(2, 4, 3), z)
        flat = z[:, variable.flat]
        np.testing.assert_allclose(known.log_density.reshape(8, 1), flat - np.exp(flat), rtol=1e-12)
    each = sum(f.log_prior_terms(z).values()) + f.log_jacobian(z)
    np.testing.assert_allclose(group_log_prior(f, ["rate_0", "rate_1", "rate_2"], z), each, rtol=1e-12)
    assert len(derived) == 1


def test_refusals_say_what_to_do():
    with pm.Model() as no_data:
        pm.Normal("a")
    with pm.Model() as discrete:
        k = pm.Poisson("k", 2)
        pm.Normal("y", k, 1, observed=[1.0])
    with pm.Model() as potential:
        a = pm.Normal("a")
        pm.Potential("extra", -(a**4))
        pm.Normal("y", a, 1, observed=[1.0])
    with pytest.raises(ValueError, match="no observed variable"):
        model_functions(no_data)
    with pytest.raises(ValueError, match="sum them out"):
        model_functions(discrete)
    with pytest.raises(ValueError, match='potentials="prior"'):
        model_functions(potential)
    with pytest.raises(TypeError, match="must be a pymc"):
        model_functions("model")


def test_missing_values_are_refused():
    with pm.Model() as model:
        a = pm.Normal("a")
        with pytest.warns(match="missing"):
            pm.Normal("y", a, 1, observed=np.ma.masked_invalid([1.0, np.nan]))
    with pytest.raises(ValueError, match="drop the rows"):
        model_functions(model)


def test_minibatches_are_refused():
    with pm.Model() as model:
        a = pm.Normal("a")
        pm.Normal("y", a, 1, observed=pm.Minibatch(np.arange(10.0), batch_size=5), total_size=10)
    with pytest.raises(ValueError, match="full data"):
        model_functions(model)


def test_potentials_count_where_the_caller_says():
    with pm.Model() as model:
        a = pm.Normal("a")
        pm.Potential("extra", -(a**4))
        pm.Normal("y", a, 1, observed=[1.0])
    z = np.array([2.0])
    as_prior, as_likelihood = (model_functions(model, potentials=p) for p in ("prior", "likelihood"))
    np.testing.assert_allclose(as_prior.log_prior(z) - as_likelihood.log_prior(z), -16.0)
    np.testing.assert_allclose(as_likelihood.log_likelihood(z) - as_prior.log_likelihood(z), -16.0)
    assert as_likelihood.n_observations == 2


def test_coordinates_have_names_that_say_what_they_are():
    with pm.Model() as model:
        pm.Normal("mu")
        pm.HalfNormal("tau")
        pm.Beta("p", 1, 1)
        pm.Uniform("rho", -1, 1)
        upper = pm.Uniform("upper", 0, 2)
        pm.Uniform("level", 3, 4)
        pm.Uniform("inner", 0, upper)
        pm.TruncatedNormal("above", 0, 1, lower=-0.5)
        pm.TruncatedNormal("below", 0, 1, upper=0.5)
        pm.Normal("cut", shape=3, transform=pm.distributions.transforms.ordered, initval=[-1.0, 0.0, 1.0])
        pm.Dirichlet("share", np.ones(3))
        pm.Normal("y", observed=1.0)
    assert model_functions(model).spoken_names == [
        "mu",
        "log(tau)",
        "logit(p)",
        "logit((rho + 1) / 2)",
        "logit(upper / 2)",
        "logit(level - 3)",
        "inner between its bounds",
        "log(above + 0.5)",
        "log(0.5 - below)",
        "cut[0]",
        "log(cut[1] - cut[0])",
        "log(cut[2] - cut[1])",
        "unconstrained coordinate 0 of share",
        "unconstrained coordinate 1 of share",
    ]
