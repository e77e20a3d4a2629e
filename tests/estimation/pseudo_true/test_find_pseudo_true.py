"""The minimiser of KL(true||model) against golden values: the parameter, the minimum, J, K and the sandwich."""

import re

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
from tiers import slow_if

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.pseudo_true.find_pseudo_true import pseudo_true

CASES = golden.cases("known_truth.json")
SMOOTH = [name for name in CASES if name != "normal-by-laplace"]


def truth_of(case):
    given = {k: np.array(v) for k, v in case["truth"]["params"].items()}
    return getattr(pm, case["truth"]["dist"]).dist(**given)


def model_of(case, n=20):
    """The golden case's model with priors that do not matter."""
    y = np.linspace(0.5, 3, n)
    with pm.Model() as model:
        names = case["parameters"]
        given = {
            k: pm.Normal(k, 0, 10) if k == "mu" and case["model"] != "Poisson" else pm.HalfNormal(k, 10) for k in names
        }
        discrete = case["model"] == "Poisson"
        getattr(pm, case["model"])("y", **given, observed=y.astype(int) if discrete else y)
    return model


@pytest.mark.parametrize("name", slow_if(SMOOTH, ("lognormal-by-gamma", "mixture-by-normal")))
def test_golden_pseudo_true(name):
    case = CASES[name]
    found = pseudo_true(model_of(case), truth_of(case), random_seed=1)
    assert found.status == "converged"
    names = case["parameters"]
    order = [found.J["parameter"].values.tolist().index(k) for k in names]
    for key, value in case["theta_star"].items():
        assert found.values[key].item() == pytest.approx(value, rel=1e-7, abs=1e-9)
    assert found.kl_min == pytest.approx(case["kl_min"], rel=1e-7, abs=1e-12)
    assert found.entropy == pytest.approx(case["entropy_truth"], rel=1e-8)
    assert found.cross_entropy == pytest.approx(case["cross_entropy"], rel=1e-8)
    np.testing.assert_allclose(found.J.values[np.ix_(order, order)], case["J"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.K.values[np.ix_(order, order)], case["K"], rtol=1e-6, atol=1e-8)
    assert found.trace / 2 == pytest.approx(case["half_trace_Jinv_K"], rel=1e-6)
    sandwich = np.sqrt(np.diagonal(found.covariance_of(1000)))[order]
    np.testing.assert_allclose(sandwich, [case["sandwich_se_n1000"][k] for k in names], rtol=1e-6)
    naive = [found.naive_standard_error[k].item() * np.sqrt(20 / 1000) for k in names]
    np.testing.assert_allclose(naive, [case["naive_se_n1000"][k] for k in names], rtol=1e-6)


def test_a_density_with_a_kink_gets_its_information_from_the_expected_score():
    case = CASES["normal-by-laplace"]
    found = pseudo_true(model_of(case), truth_of(case), random_seed=1)
    for key, value in case["theta_star"].items():
        assert found.values[key].item() == pytest.approx(value, rel=1e-4, abs=1e-4)
    assert found.kl_min == pytest.approx(case["kl_min"], rel=1e-6)
    np.testing.assert_allclose(found.J, case["J"], rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(found.K, case["K"], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(("shared", "rows"), [pytest.param(False, 3000, marks=pytest.mark.slow), (True, 25)])
def test_a_level_piece_between_nodes_is_not_taken_for_a_lack_of_identification(shared, rows):
    # Of many rows little is lost beyond the level piece, which is then most of what is seen.
    with pm.Model() as model:
        a = pm.Normal("a", 0, 5)
        pm.Laplace("y", a + pm.Normal("b", 0, 5) if shared else a, 1.0, observed=np.zeros(rows))
    found = pseudo_true(model, {"a": 0.0, "b": 0.0} if shared else {"a": 0.0}, random_seed=1)
    if shared:
        assert any("does not change along" in warning for warning in found.warnings)
    else:
        np.testing.assert_allclose(found.J, 1.0, rtol=2e-3)


def test_a_right_model_has_itself_for_pseudo_true_and_the_information_equality():
    rng = np.random.default_rng(1)
    x = rng.normal(size=40)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 2, shape=2)
        pm.Bernoulli("y", logit_p=b[0] + b[1] * x, observed=rng.integers(0, 2, 40))
    found = pseudo_true(model, {"b": [0.4, -1.0]}, random_seed=1)
    np.testing.assert_allclose(found.values["b"], [0.4, -1.0], atol=1e-7)
    assert found.kl_min == pytest.approx(0.0, abs=1e-14)
    assert found.trace == pytest.approx(2.0, rel=1e-9)
    np.testing.assert_allclose(found.J, found.K, rtol=1e-8)


def test_empirical_truth_gives_the_mle():
    y = np.random.default_rng(3).normal(1, 2, size=(1, 20))
    case = CASES["normal-by-normal-wellspecified"]
    found = pseudo_true(model_of(case), y, random_seed=1)
    assert found.values["mu"].item() == pytest.approx(y.mean(), rel=1e-9)
    assert found.values["sigma"].item() == pytest.approx(y.std(), rel=1e-9)
    assert np.isnan(found.kl_min)
    assert any("sample" in w for w in found.warnings)


@pytest.mark.slow
def test_pseudo_true_is_where_the_mle_of_a_large_sample_goes():
    case = CASES["gamma-by-lognormal"]
    found = pseudo_true(model_of(case), truth_of(case), random_seed=1)
    y = np.random.default_rng(4).gamma(2.0, 1.0, size=20_000)
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 10)
        pm.LogNormal("y", mu, sigma, observed=y)
    mle = find_mle(model, random_seed=1)
    for name in ("mu", "sigma"):
        error = np.sqrt(found.covariance_of(20_000).sel(parameter=name, parameter_=name).item())
        assert abs(mle.values[name].item() - found.values[name].item()) < 4.5 * error


def test_another_model_as_truth_conditional_on_the_rows():
    """A straight line fitted to a curved truth: least squares on the curve's values at the model's own rows."""
    x = np.linspace(-1, 1, 12)
    with pm.Model() as line:
        b = pm.Normal("b", 0, 5, shape=2)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal("y", b[0] + b[1] * x, sigma, observed=np.zeros(12))
    with pm.Model() as curve:
        pm.Normal("y", 1 + x + 2 * x**2, 0.5, observed=np.zeros(12))
    found = pseudo_true(line, curve, random_seed=1)
    design = np.stack([np.ones(12), x], axis=1)
    fitted, *_ = np.linalg.lstsq(design, 1 + x + 2 * x**2, rcond=None)
    np.testing.assert_allclose(found.values["b"], fitted, atol=1e-7)
    residual = 1 + x + 2 * x**2 - design @ fitted
    variance = 0.25 + np.mean(residual**2)
    assert found.values["sigma"].item() == pytest.approx(np.sqrt(variance), rel=1e-7)
    # Given the rows the estimate of b varies with the noise of the truth, 0.5, not with the lack of fit.
    exact = 0.25 * np.linalg.inv(design.T @ design)
    found = found.covariance.sel(parameter=["b[0]", "b[1]"], parameter_=["b[0]", "b[1]"])
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-12)


def test_a_true_model_with_free_variables_is_refused_with_the_remedy():
    case = CASES["gamma-by-normal"]
    with pytest.raises(ValueError, match=r"pm\.do"):
        pseudo_true(model_of(case), model_of(case))


def test_a_separating_truth_has_no_pseudo_true_parameter():
    x = np.array([-1.0, -0.5, 0.5, 1.0])
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 2)
        pm.Bernoulli("y", logit_p=slope * x, observed=[0, 0, 1, 1])
    with pm.Model() as truth:
        pm.Bernoulli("y", p=np.array([0.0, 0.0, 1.0, 1.0]), observed=[0, 0, 1, 1])
    found = pseudo_true(model, truth, random_seed=1)
    assert found.status == "at_infinity"
    assert found.information is None
    assert np.isnan(found.standard_error["slope"])


@pytest.mark.parametrize(
    ("nu", "status", "warning"),
    [(1.0, "failed", "KL.true..model. is infinite"), (2.0, "failed", "is infinite"), (3.0, "converged", "no variance")],
)
def test_tails_that_are_too_heavy_have_no_sandwich(nu, status, warning):
    """A normal under Student t: its KL needs two moments, the sandwich of its scale four."""
    found = pseudo_true(model_of(CASES["gamma-by-normal"]), pm.StudentT.dist(nu=nu, mu=0, sigma=1), random_seed=1)
    assert found.status == status
    assert found.information is None
    assert np.isnan(found.standard_error["sigma"])
    assert np.isnan(found.trace)
    assert any(re.search(warning, w) for w in found.warnings)
    if status == "converged":
        assert found.values["sigma"].item() == pytest.approx(np.sqrt(3), rel=1e-6)
