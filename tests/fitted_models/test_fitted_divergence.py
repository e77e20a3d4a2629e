"""True against fitted: golden conjugate models, both directions, several observed variables, what does not exist."""

from functools import cache
from itertools import pairwise

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within
from scipy import stats
from tiers import LIKE_ANOTHER, slow_if

from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.pymc_model.model_functions import model_functions

CONJUGATE = golden.cases("conjugate.json")
# Cases that take several seconds, for the slow tier.
_LONG = (
    "normal-inversegamma-4",
    "dirichlet-multinomial-3",
    "beta-binomial-groups",
    "gamma-exponential-8",
    "normal-known-6",
)
ESTIMATORS = ["mle", "map", "map_unconstrained", "posterior_predictive"]


def posterior_draws(case, draws=500, chains=4):
    """Exact independent draws of the posterior, as a tree."""
    generator = np.random.default_rng(11)
    shape = (chains, draws)
    values = {}
    for name, law in case["posterior"].items():
        given = {k: np.array(v) for k, v in law["params"].items()}
        if law["dist"] == "Beta":
            values[name] = generator.beta(given["alpha"], given["beta"], size=shape)
        elif law["dist"] == "Gamma":
            values[name] = generator.gamma(given["alpha"], 1 / given["beta"], size=shape)
        elif law["dist"] == "Normal":
            values[name] = generator.normal(given["mu"], given["sigma"], size=shape)
        elif law["dist"] == "InverseGamma":
            values[name] = given["beta"] / generator.gamma(given["alpha"], size=shape)
        elif law["dist"] == "Normal given sigma2":
            values[name] = generator.normal(given["m"], np.sqrt(values["sigma2"] / given["k"]))
        elif law["dist"] == "Dirichlet":
            values[name] = generator.dirichlet(given["a"], size=shape)
        elif law["dist"] == "MvNormal":
            values[name] = generator.multivariate_normal(given["mu"], given["cov"], size=shape)
    posterior = xr.Dataset(
        {k: (("chain", "draw", *[f"{k}_dim_{i}" for i in range(v.ndim - 2)]), v) for k, v in values.items()}
    )
    return xr.DataTree.from_dict({"posterior": posterior})


def new_observation(case):
    """The model of one new observation (or one for each new row), and the truth in its parameters."""
    truth, prior = case["predictive"]["truth"], case["prior"]
    given = {name: p["params"] for name, p in prior.items()}
    params = truth.get("params", truth)
    with pm.Model() as model:
        if case["id"].startswith("beta"):
            pm.Bernoulli("y", pm.Beta("p", **given["p"]), observed=[1])
        elif case["id"].startswith("dirichlet"):
            pm.Categorical("y", pm.Dirichlet("p", np.array(given["p"]["a"])), observed=[0])
        elif case["id"].startswith("linear"):
            b = pm.Normal("b", np.array(given["b"]["mu"]), np.array(given["b"]["sigma"]))
            rows = np.array(case["predictive"]["X_new"])
            pm.Normal("y", rows @ b, case["data"]["sigma"], observed=np.zeros(len(rows)))
            params = {"b": truth["b"]}
        else:
            return golden.conjugate(case), {k: params[k] for k in given} if "sigma2" not in given else {
                "mu": params["mu"],
                "sigma2": params["sigma"] ** 2,
            }
    return model, params


@pytest.mark.parametrize("name", slow_if(CONJUGATE, (*LIKE_ANOTHER, *_LONG)))
def test_golden_predictive_divergences(name):
    case = CONJUGATE[name]
    expected = case["predictive"]
    fitted = golden.conjugate(case)
    model, truth = new_observation(case)
    estimates = {
        "mle": find_mle(fitted, random_seed=1),
        "map": find_map(fitted, random_seed=1),
        "map_unconstrained": find_map(fitted, space="unconstrained", random_seed=1),
    }
    result = fitted_divergence(
        model, truth, idata=posterior_draws(case), estimates=estimates, estimators=ESTIMATORS, random_seed=1
    )
    for estimator in ("mle", "map", "map_unconstrained"):
        value = expected[f"kl_truth_{ {'map': 'map_natural'}.get(estimator, estimator) }"]
        found = float(result["kl_mean"].sel(estimator=estimator))
        if value is None:
            assert np.isnan(found)
            assert estimator in result.attrs["warnings"]
        else:
            assert found == pytest.approx(float(value), rel=1e-7, abs=1e-10)
    predictive = result.sel(estimator="posterior_predictive")
    error = float(predictive["kl_mean_mcse"])
    assert error < 0.1 * expected["kl_truth_posterior_predictive"] + 1e-3
    assert abs(float(predictive["kl_mean"]) - expected["kl_truth_posterior_predictive"]) < 4.5 * error + 1e-12


def normal_model(y, name="y"):
    with pm.Model(coords={"row": np.arange(len(y))}) as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        pm.Normal(name, mu, sigma, observed=y, dims="row")
    return model


def normal_tree(seed=3, draws=500):
    generator = np.random.default_rng(seed)
    posterior = xr.Dataset(
        {
            "mu": (("chain", "draw"), generator.normal(0.8, 0.3, size=(4, draws))),
            "sigma": (("chain", "draw"), np.exp(generator.normal(0.5, 0.2, size=(4, draws)))),
        }
    )
    return xr.DataTree.from_dict({"posterior": posterior})


Y = np.random.default_rng(2).normal(1.0, 1.5, size=20)


@cache
def model_of_y():
    return normal_model(Y)


def test_plug_in_both_directions_and_layout():
    model = model_of_y()
    result = fitted_divergence(model, {"mu": 1.0, "sigma": 1.5}, estimators=["mle"], random_seed=1)
    m, s = Y.mean(), Y.std()

    def kl(m1, s1, m2, s2):
        return np.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5

    assert result["kl"].item() == pytest.approx(20 * kl(1.0, 1.5, m, s), rel=1e-9)
    assert result["kl_reverse"].item() == pytest.approx(20 * kl(m, s, 1.0, 1.5), rel=1e-9)
    assert result["kl_mean"].item() == pytest.approx(result["kl"].item() / 20)
    assert result["kl_theory"].item() == pytest.approx(1.0)
    assert result["kl_mcse"].item() == 0.0
    assert 0 < result["jsd"].item() < np.log(2)
    x = np.linspace(-15, 15, 200_001)
    area = np.trapezoid(np.abs(stats.norm.cdf(x, 1.0, 1.5) - stats.norm.cdf(x, m, s)), x)
    assert result["wasserstein"].item() == pytest.approx(area, rel=1e-7)
    assert result["wasserstein_pointwise"].values == pytest.approx(np.full((1, 20), area), rel=1e-7)
    assert result["kl_pointwise"].dims == ("estimator", "row")
    assert result["kl_pointwise"].sum().item() == pytest.approx(result["kl"].item())
    assert result.attrs["direction"] == "KL(true||fitted)"


def test_the_truth_has_divergence_zero():
    model = model_of_y()
    mle = find_mle(model, random_seed=1)
    truth = {k: float(v) for k, v in mle.values.items()}
    result = fitted_divergence(model, truth, estimates={"mle": mle}, estimators=["mle"])
    assert abs(result["kl"].item()) < 1e-12
    assert abs(result["jsd"].item()) < 1e-12


@pytest.mark.slow
def test_reparametrised_model_has_the_same_divergence():
    with pm.Model() as other:
        mu = pm.Normal("mu", 0, 10)
        log_sigma = pm.Normal("log_sigma", 0, 1)
        pm.Normal("y", mu, pm.math.exp(log_sigma), observed=Y)
    one = fitted_divergence(model_of_y(), {"mu": 1.0, "sigma": 1.5}, estimators=["mle"], random_seed=1)
    two = fitted_divergence(other, {"mu": 1.0, "log_sigma": np.log(1.5)}, estimators=["mle"], random_seed=1)
    assert two["kl"].item() == pytest.approx(one["kl"].item(), rel=1e-8)


@pytest.mark.slow
def test_standard_error_of_the_predictive_covers():
    """Many sets of draws of one posterior against the limit of very many draws."""
    model = normal_model(Y[:5])
    truth = {"mu": 1.0, "sigma": 1.5}
    exact = fitted_divergence(
        model, truth, idata=normal_tree(1, 40_000), estimators=["posterior_predictive"], random_seed=1
    )
    z = []
    for seed in range(60):
        result = fitted_divergence(
            model, truth, idata=normal_tree(100 + seed, 60), estimators=["posterior_predictive"], random_seed=1
        )
        z.append(
            [
                (result[k] - exact[k]).item() / np.hypot(result[f"{k}_mcse"], exact[f"{k}_mcse"]).item()
                for k in ("kl", "kl_reverse", "jsd", "wasserstein")
            ]
        )
    covered = (np.abs(z) < 1.96).mean(axis=0)
    assert np.all(covered > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 60))
    assert np.all(np.abs(np.mean(z, axis=0)) < 4 / np.sqrt(60) + 0.1)


def test_without_a_truth_the_predictive_takes_its_place():
    # The predictive of N(m, s^2) draws with known sigma is normal, in closed form.
    y = Y[:6]
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        pm.Normal("y", mu, 1.0, observed=y)
    generator = np.random.default_rng(5)
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"mu": (("chain", "draw"), generator.normal(y.mean(), 0.4, size=(4, 2000)))})}
    )
    result = fitted_divergence(model, idata=tree, random_seed=1)
    exact = 0.5 * (0.16 - np.log(1.16))
    assert result["estimator"].values.tolist() == ["mle", "map"]
    error = result["kl_mean_mcse"].sel(estimator="mle").item()
    assert abs(result["kl_mean"].sel(estimator="mle").item() - exact) < 4.5 * error
    assert "posterior predictive||" in result.attrs["direction"]
    x = np.linspace(-12, 12, 100_001) + y.mean()
    distance = np.trapezoid(np.abs(stats.norm.cdf(x, y.mean(), np.sqrt(1.16)) - stats.norm.cdf(x, y.mean(), 1.0)), x)
    found = result.sel(estimator="mle")
    assert_within(
        found["wasserstein"].item(), distance, mcse=found["wasserstein_mcse"].item(), sigmas=4.5, mcse_below=0.0015
    )


def test_without_a_truth_each_direction_is_what_it_is_named():
    """A predictive with five times the plug-in's variance: the two directions differ by a factor of three."""
    y = Y[:6]
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), 1.0, observed=y)
    draws = np.random.default_rng(5).normal(y.mean(), 2.0, size=(4, 1000))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), draws)})})
    result = fitted_divergence(model, idata=tree, estimators=["mle"], random_seed=1).isel(estimator=0)
    for name, exact, most in (("kl", 3 * (4 - np.log(5)), 0.31), ("kl_reverse", 3 * (np.log(5) + 1 / 5 - 1), 0.078)):
        assert_within(result[name].item(), exact, mcse=result[f"{name}_mcse"].item(), mcse_below=most)


def test_several_observed_variables_add_up():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        rate = pm.Gamma("rate", 2, 1)
        pm.Normal("y", mu, 1.0, observed=Y)
        pm.Poisson("count", rate, observed=[3, 1, 2])
    result = fitted_divergence(model, {"mu": 1.0, "rate": 2.5}, estimators=["mle"], random_seed=1)
    normal = 20 * (Y.mean() - 1.0) ** 2 / 2
    poisson = 3 * (2.5 * np.log(2.5 / 2.0) - 0.5)
    assert result["kl_by_variable"].values[0].tolist() == pytest.approx([normal, poisson])
    assert result["kl"].item() == pytest.approx(normal + poisson)
    assert result["kl_pointwise_count"].shape == (1, 3)
    # Their units differ, so the distances are not added up.
    assert np.isnan(result["wasserstein"]).all()
    assert result["wasserstein_by_variable"].values[0] == pytest.approx([abs(Y.mean() - 1.0), 0.5])


def test_vector_observations_by_monte_carlo_and_closed_form():
    generator = np.random.default_rng(4)
    y = generator.multivariate_normal([0, 1], np.eye(2), size=12)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=2)
        pm.MvNormal("y", mu, cov=np.eye(2), observed=y)
    draws = generator.normal(y.mean(axis=0), 0.3, size=(4, 250, 2))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw", "mu_dim_0"), draws)})})
    result = fitted_divergence(
        model, {"mu": [0.0, 1.0]}, idata=tree, estimators=["mle", "posterior_predictive"], random_seed=1
    )
    shift = y.mean(axis=0) - [0.0, 1.0]
    assert result["kl_mean"].sel(estimator="mle").item() == pytest.approx(shift @ shift / 2)
    exact = 0.5 * (2 * np.log(1.09) + (2 + shift @ shift) / 1.09 - 2)
    predictive = result.sel(estimator="posterior_predictive")
    assert_within(
        predictive["kl_mean"].item(), exact, mcse=predictive["kl_mean_mcse"].item(), sigmas=4.5, mcse_below=0.0095
    )


@pytest.mark.parametrize(
    "kind", slow_if(["censored", "mixture", "zero_inflated", "truncated"], ["censored", "mixture"])
)
def test_composite_observations(kind):
    generator, y = np.random.default_rng(8), Y[:8]
    with pm.Model() as model:
        if kind == "censored":
            mu = pm.Normal("mu", 0, 5)
            pm.Censored("y", pm.Normal.dist(mu, 1.0), lower=None, upper=1.0, observed=np.minimum(y, 1.0))
        elif kind == "mixture":
            mu = pm.Normal("mu", 0, 5)
            pm.NormalMixture("y", w=[0.3, 0.7], mu=pm.math.stack([mu, mu + 4]), sigma=1.0, observed=y)
        elif kind == "zero_inflated":
            mu = pm.Gamma("mu", 2, 1)
            pm.ZeroInflatedPoisson("y", psi=0.7, mu=mu, observed=generator.poisson(2, size=8))
        else:
            mu = pm.Normal("mu", 0, 5)
            pm.Truncated("y", pm.Normal.dist(mu, 1.0), lower=0.0, observed=np.abs(y))
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"mu": (("chain", "draw"), generator.gamma(50, 1 / 50, size=(4, 50)))})}
    )
    estimators = ["mle", "posterior_predictive"]
    result = fitted_divergence(model, {"mu": 1.2}, idata=tree, estimators=estimators, random_seed=1)
    assert np.all(result["kl"] > 0)
    assert np.all(result["kl_reverse"] > 0)
    assert np.all(result["wasserstein"] > 0)
    # The predictive lies between the best and the worst draw, and is no worse than their mean (convexity).
    functions = model_functions(model)
    few = np.quantile(tree["posterior/mu"].values, [0.05, 0.25, 0.5, 0.75, 0.95])
    singles = observed_distributions(functions, functions.unconstrain({"mu": few}))["y"]
    kl = kl_divergence(as_truth(functions, {"mu": 1.2}).distributions["y"], singles).value.sum(axis=1)
    assert result["kl"].sel(estimator="posterior_predictive").item() < kl.max()


def test_misspecified_truths_get_their_theory():
    model = model_of_y()
    result = fitted_divergence(
        model, pm.StudentT.dist(nu=5, mu=0, sigma=1), idata=normal_tree(), estimators=["mle", "posterior_predictive"]
    )
    case = golden.cases("known_truth.json")["studentt5-by-normal"]
    theory = 20 * case["kl_min"] + case["half_trace_Jinv_K"]
    assert result["kl_theory"].sel(estimator="mle").item() == pytest.approx(theory, rel=1e-7)
    predictive = 20 * case["kl_min"] + 1.0
    assert result["kl_theory"].sel(estimator="posterior_predictive").item() == pytest.approx(predictive, rel=1e-7)


def test_held_out_draws_give_relative_divergences():
    model = model_of_y()
    truth = {"mu": 1.0, "sigma": 1.5}
    held_out = np.random.default_rng(9).normal(1.0, 1.5, size=(1000, 20))
    estimators = ["mle", "map", "posterior_predictive"]
    tree = normal_tree(draws=50)
    relative = fitted_divergence(model, held_out, idata=tree, estimators=estimators, random_seed=1)
    exact = fitted_divergence(model, truth, idata=tree, estimators=estimators, random_seed=1)
    difference = exact["kl"] - exact["kl"].sel(estimator="mle")
    assert relative["kl"].sel(estimator="mle").item() == 0.0
    assert relative.attrs["reference"] == "mle"
    for name in ("map", "posterior_predictive"):
        one = relative.sel(estimator=name)
        assert abs(one["kl"].item() - difference.sel(estimator=name).item()) < 4.5 * one["kl_mcse"].item() + 0.01
    assert np.isnan(relative["jsd"]).all()
    # All fits are scored on the same data, so that differences have errors of their own, not those of either score.
    assert relative.attrs["closest"] == exact.attrs["closest"]
    excess = relative["kl_excess"].sel(estimator="map").item()
    assert_within(
        excess,
        exact["kl_excess"].sel(estimator="map").item(),
        mcse=relative["kl_excess_mcse"].sel(estimator="map").item(),
        sigmas=4.5,
        mcse_below=0.02 * relative["log_score_mcse"].sel(estimator="map").item(),
    )


def test_an_estimate_that_does_not_exist_has_no_number():
    result = fitted_divergence(
        golden.separated(), {"intercept": 0.0, "slope": 1.0}, estimators=["mle", "map"], random_seed=1
    )
    assert np.isnan(result["kl"].sel(estimator="mle"))
    assert np.isfinite(result["kl"].sel(estimator="map"))
    assert "mle" in result.attrs["warnings"]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"mu": 1.0}, "lacks the parameter 'sigma'"),
        ({"mu": 1.0, "sigmas": 2.0}, "did you mean 'sigma'"),
        ({"mu": [1.0, 2.0], "sigma": 2.0}, r"must have shape \(\)"),
        ({"mu": 1.0, "sigma": -2.0}, "outside the support"),
        ({"mu": "one", "sigma": 2.0}, "must be a number"),
        (np.zeros((3, 7)), "must have shape"),
        (stats.poisson(3.0), "is discrete, but must be continuous"),
    ],
)
def test_wrong_truths_are_named_in_one_line(truth, message):
    with pytest.raises(ValueError, match=message) as caught:
        fitted_divergence(model_of_y(), truth, estimators=["mle"])
    assert "\n" not in str(caught.value)


def test_observations_that_depend_on_each_other_are_refused_with_the_reason():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        group = pm.Bernoulli("group", 0.4, observed=[0, 1, 1])
        pm.Normal("y", mu + 2 * group, 1.0, observed=[0.0, 2.0, 1.0])
    with pytest.raises(ValueError, match="'y' depends on the observed variable 'group'"):
        fitted_divergence(model, {"mu": 1.0})
    draws = np.random.default_rng(1).normal(0.5, 0.5, size=(4, 50))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), draws)})})
    without = fitted_divergence(model, None, idata=tree, estimators=["mle"], random_seed=1)
    assert "data of group" in without.attrs["warnings"]


def test_a_potential_that_counts_as_likelihood_moves_the_estimate_alone():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        pm.Normal("y", mu, 1.0, observed=[0.0, 2.0, 1.0])
        pm.Potential("penalty", -(mu**2))
    held_out = np.random.default_rng(1).normal(1.0, 1.0, size=(2000, 3))
    exact = fitted_divergence(model, {"mu": 1.0}, estimators=["mle", "map"], potentials="likelihood", random_seed=1)
    relative = fitted_divergence(model, held_out, estimators=["mle", "map"], potentials="likelihood", random_seed=1)
    assert exact["kl"].sel(estimator="mle").item() == pytest.approx(1.5 * (1.0 - 3 / 5) ** 2)
    difference = np.diff(exact["kl"].values).item()
    assert_within(
        np.diff(relative["kl"].values).item(),
        difference,
        mcse=relative["kl_mcse"].values[1],
        sigmas=4.5,
        mcse_below=2.8e-4,
    )


def test_unknown_estimator_is_named():
    with pytest.raises(ValueError, match="estimators must be among"):
        fitted_divergence(model_of_y(), {"mu": 1.0, "sigma": 1.0}, estimators=["median"])


def test_same_seed_same_numbers_and_chains_do_not_matter():
    model, truth, tree = normal_model(Y[:4]), {"mu": 1.0, "sigma": 1.5}, normal_tree()
    one = fitted_divergence(model, truth, idata=tree, random_seed=4)
    two = fitted_divergence(model, truth, idata=tree, random_seed=4)
    xr.testing.assert_identical(one, two)
    swapped = tree["posterior"].to_dataset().isel(chain=[2, 0, 3, 1])
    other = fitted_divergence(model, truth, idata=xr.DataTree.from_dict({"posterior": swapped}), random_seed=4)
    kl = [r["kl"].sel(estimator="posterior_predictive").item() for r in (one, other)]
    assert kl[0] == pytest.approx(kl[1], rel=1e-3)


def test_predictive_of_a_heavy_tailed_truth_against_quadrature():
    from scipy import integrate

    model, tree = normal_model(Y[:2]), normal_tree(draws=50)
    result = fitted_divergence(
        model, pm.StudentT.dist(nu=4, mu=0, sigma=1), idata=tree, estimators=["posterior_predictive"]
    )
    mu, sigma = (tree[f"posterior/{k}"].values.ravel()[:, None] for k in ("mu", "sigma"))
    truth = stats.t(4)

    def integrand(x):
        log_m = np.logaddexp.reduce(stats.norm.logpdf(x, mu, sigma), axis=0) - np.log(len(mu))
        return truth.pdf(x) * (truth.logpdf(x) - log_m)

    panels = [-400, -60, -12, -4, -1.5, 0, 1.5, 4, 12, 60, 400]
    exact = sum(integrate.fixed_quad(integrand, a, b, n=60)[0] for a, b in pairwise(panels))
    whole = result["kl_mean"].item() + result["kl_bias"].item() / 2
    assert whole == pytest.approx(exact, rel=1e-4)


def test_rows_with_distant_supports_are_not_merged():
    at = np.array([0.0, 100.0, 200.0])
    with pm.Model() as model:
        width = pm.Uniform("width", 0.5, 4)
        pm.Uniform("y", at, at + width * [1.0, 2.0, 3.0], observed=at + 0.1)
    draws = np.random.default_rng(1).uniform(2.2, 3.0, size=(4, 50))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"width": (("chain", "draw"), draws)})})
    result = fitted_divergence(model, {"width": 2.0}, idata=tree, estimators=["posterior_predictive"], random_seed=1)
    # Every draw's density is constant over the truth's support, whatever the row.
    exact = -np.log(np.mean(2.0 / draws))
    raw = result["kl_pointwise"].values[0] + result["kl_bias"].item() / 3
    assert raw == pytest.approx(np.full(3, exact), rel=1e-6)
    wide = [result["wasserstein_pointwise"].values[0, i] for i in range(3)]
    assert wide == pytest.approx(wide[0] * np.array([1.0, 2.0, 3.0]), rel=1e-3)
