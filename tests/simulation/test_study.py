"""Studies of many data sets: exact finite-sample divergences, coverage, seeds, storage, Dask."""

import json
from functools import cache

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within
from scipy import stats

from pp_mlekl.pymc_model.examples import CASES
from pp_mlekl.simulation.study import study

EXACT = json.loads((golden.GOLDEN / "known_truth.json").read_text())["finite_sample"]


@cache
def normal_model():
    return CASES["normal"]()[0]


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=[pytest.mark.slow] * (c["n"] > 50)) for c in EXACT["normal"]],
    ids=lambda c: f"n={c['n']}",
)
def test_exact_divergence_of_the_normal_mle(case):
    tree = study(normal_model(), {"mu": 3.0, "sigma": 2.0}, sizes=[case["n"]], replicates=3000, random_seed=1)
    summary = tree["summary"].to_dataset().isel(size=0, estimator=0)
    assert summary["exists"].item() == 1.0
    assert_within(
        summary["kl"].item(),
        case["e_kl_truth_mle"],
        mcse=summary["kl_mcse"].item(),
        sigmas=4.5,
        mcse_below=0.037 * (1 + 5 / case["n"]) * case["e_kl_truth_mle"],
    )
    assert summary["kl_theory"].item() == pytest.approx(case["asymptotic"])


@pytest.mark.parametrize("case", [c for c in EXACT["exponential"] if c["n"] > 2], ids=lambda c: f"n={c['n']}")
def test_exact_divergence_of_the_exponential_mle(case):
    model, _ = CASES["exponential"]()
    tree = study(model, {"lam": 2.0}, sizes=[case["n"]], replicates=3000, random_seed=2)
    summary = tree["summary"].to_dataset().isel(size=0, estimator=0)
    assert_within(
        summary["kl"].item(),
        case["e_kl_truth_mle"],
        mcse=summary["kl_mcse"].item(),
        sigmas=4.5,
        mcse_below=0.036 * (1 + 6 / case["n"]) * case["e_kl_truth_mle"],
    )


# Half of the cases, and of one parameter the first, are for the fast tests.
@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=[pytest.mark.slow] * (c["p"] == 0.5)) for c in EXACT["bernoulli"]],
    ids=lambda c: f"p={c['p']} n={c['n']}",
)
def test_infinite_divergences_are_counted_apart(case):
    model, _ = CASES["bernoulli"]()
    tree = study(model, {"p": case["p"]}, sizes=[case["n"]], replicates=4000, random_seed=3)
    summary = tree["summary"].to_dataset().isel(size=0, estimator=0)
    share = case["prob_infinite"]
    assert abs(1 - summary["exists"].item() - share) < 4.5 * np.sqrt(share * (1 - share) / 4000) + 1e-12
    assert_within(
        summary["kl"].item(),
        case["e_kl_given_finite"],
        mcse=summary["kl_mcse"].item(),
        sigmas=4.5,
        mcse_below=0.05 * case["e_kl_given_finite"],
    )
    replicates = tree["replicates"].to_dataset()
    assert np.isinf(replicates["excess"].where(~replicates["exists"], drop=True)).all()


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=[pytest.mark.slow] * (k > 0)) for k, c in enumerate(EXACT["poisson"])],
    ids=lambda c: f"mu={c['mu']} n={c['n']}",
)
def test_exact_divergence_of_the_poisson_mle(case):
    model, _ = CASES["negative_binomial_by_poisson"]()
    tree = study(model, {"mu": case["mu"]}, sizes=[case["n"]], replicates=4000, random_seed=4)
    summary = tree["summary"].to_dataset().isel(size=0, estimator=0)
    assert_within(
        summary["kl"].item(),
        case["e_kl_given_finite"],
        mcse=summary["kl_mcse"].item(),
        sigmas=4.5,
        mcse_below=0.038 * case["e_kl_given_finite"],
    )


def test_regression_rows_are_repeated():
    x = np.linspace(-1, 1, 20)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=2)
        pm.Normal("y", b[0] + b[1] * x, 1.0, observed=np.zeros(20))
    tree = study(model, {"b": [1.0, 2.0]}, sizes=[20, 60], replicates=2000, random_seed=5)
    summary = tree["summary"].to_dataset().isel(estimator=0)
    # With known variance n times the loss is exactly half a chi-squared with two degrees of freedom.
    for size, kl, error in zip([20, 60], summary["kl"].values, summary["kl_mcse"].values, strict=True):
        assert abs(kl - 1 / size) < 4.5 * error
    assert np.all(np.abs(summary["coverage_naive"] - 0.95) < 4.5 * np.sqrt(0.05 * 0.95 / 2000))


def test_medians_are_fitted_despite_kinks():
    """A Laplace distribution's fits are median and mean deviation, and its divergences have closed forms."""
    with pm.Model() as model:
        pm.Laplace("y", pm.Normal("mu", 0, 5), pm.HalfNormal("b", 3), observed=np.zeros(25))
    tree = study(model, {"mu": 0.0, "b": 1.0}, sizes=[25], replicates=400, random_seed=1)
    y = np.random.default_rng(8).laplace(size=(20_000, 25))
    mu = np.median(y, axis=1)
    b = np.mean(np.abs(y - mu[:, None]), axis=1)
    exact = np.log(b) + (np.abs(mu) + np.exp(-np.abs(mu))) / b - 1
    error = np.hypot(tree["summary/kl_mcse"].item(), exact.std() / np.sqrt(len(exact)))
    assert tree["summary/exists"].item() == 1.0
    assert abs(tree["summary/kl"].item() - exact.mean()) < 4 * error
    # An interval that the estimate of a single data set would not have is not counted either.
    assert np.isnan(tree["summary/coverage_naive"]).all()
    assert tree["replicates/mu"].std().item() == pytest.approx(mu.std(), rel=0.15)


def test_studies_without_any_fit():
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 1, 1), observed=np.zeros(3))
    summary = study(model, {"p": 1e-4}, sizes=[2, 3], replicates=10, random_seed=1)["summary"]
    assert summary["exists"].values.tolist() == [[0.0], [0.0]]
    assert np.isnan(summary["kl"]).all()
    assert np.isnan(summary["coverage_estimated"]).all()


def test_map_shrinks_and_does_not_count_the_prior_twice():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 0.5)
        pm.Normal("y", mu, 1.0, observed=np.zeros(5))
    tree = study(model, {"mu": 0.0}, sizes=[20], replicates=400, estimators=["mle", "map"], random_seed=6)
    estimates = tree["replicates/mu"].isel(size=0)
    ratio = estimates.sel(estimator="map") / estimates.sel(estimator="mle")
    np.testing.assert_allclose(ratio, 20 / (20 + 1 / 0.25), rtol=1e-6)


def test_seeds_decide_the_data_sets_and_sizes_have_their_own():
    seeds = (7, 7, 8, np.random.SeedSequence(7), np.random.default_rng(7))
    first, same, other, sequence, generator = (
        study(normal_model(), {"mu": 1.0, "sigma": 1.0}, sizes=[10, 20], replicates=20, compute=(), random_seed=s)[
            "replicates/mu"
        ]
        for s in seeds
    )
    np.testing.assert_array_equal(first, same)
    np.testing.assert_array_equal(first, sequence)
    for one in (other, generator):
        assert not np.any(np.isclose(first, one))
    # The data sets of a size are none of another's.
    assert not np.any(np.isclose(first.isel(size=0), first.isel(size=1)))


def test_seeds_store_and_client_do_not_change_the_numbers(tmp_path):
    arguments = {"sizes": [10, 20], "replicates": 50, "random_seed": 7}
    path = tmp_path / "study.nc"
    truth = {"mu": 1.0, "sigma": 1.0}
    one = study(normal_model(), truth, store=path, **arguments)
    again = study(normal_model(), truth, store=path, **arguments)
    xr.testing.assert_identical(one["replicates"].to_dataset(), again["replicates"].to_dataset())
    xr.testing.assert_identical(one, again)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="holds another study"):
        study(normal_model(), {"mu": 2.0, "sigma": 1.0}, store=path, **arguments)
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_dask_client_gives_the_same_result():
    distributed = pytest.importorskip("distributed")
    arguments = {"sizes": [10], "replicates": 40, "random_seed": 7}
    truth = {"mu": 1.0, "sigma": 1.0}
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
        remote = study(normal_model, truth, client=client, **arguments)
    local = study(normal_model(), truth, **arguments)
    xr.testing.assert_equal(remote["summary"].to_dataset(), local["summary"].to_dataset())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [10, 5]}, "increasing positive integers"),
        ({"replicates": 1}, "at least 2"),
        ({"estimators": ["median"]}, "among mle"),
        ({"ci_prob": 1.5}, "between 0 and 1"),
        ({"store": "/dev/null/x.nc"}, "Nothing can be written to /dev/null"),
        ({"store": "."}, "is a folder; name a file"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    arguments = {"sizes": [10], "replicates": 10, "random_seed": 1} | change
    with pytest.raises(ValueError, match=message):
        study(normal_model(), {"mu": 1.0, "sigma": 1.0}, **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gamma_by_lognormal", "student_t_by_normal", "negative_binomial_by_poisson"])
def test_sandwich_intervals_cover_where_the_model_is_wrong(name):
    model, truth = CASES[name]()
    tree = study(model, truth, sizes=[1000], replicates=1000, random_seed=8)
    summary = tree["summary"].to_dataset().isel(size=0, estimator=0)
    for kind in ("sandwich", "estimated"):
        assert np.all((summary[f"coverage_{kind}"] >= 0.93) & (summary[f"coverage_{kind}"] <= 0.97))
    # The inverse information alone covers too rarely for the parameter that the misspecification touches.
    assert summary["coverage_naive"].min() < 0.9
    assert_within(
        summary["excess"].item(),
        tree["pseudo_true/trace"].item() / 2000,
        mcse=summary["kl_mcse"].item(),
        sigmas=4.5,
        mcse_below=0.06 * tree["pseudo_true/trace"].item() / 2000,
    )


def test_posterior_means_by_laplace_are_those_of_the_conjugate_model():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 0.5), 1.0, observed=np.zeros(5))
    arguments = {"sizes": [20], "replicates": 300, "random_seed": 6, "draws": 1000}
    tree = study(model, {"mu": 0.3}, estimators=["mle", "laplace"], **arguments)
    estimates = tree["replicates/mu"].isel(size=0)
    expected = estimates.sel(estimator="mle") * 20 / (20 + 1 / 0.25)
    off = (estimates.sel(estimator="laplace") - expected) * np.sqrt(24.0 * 1000)
    assert abs(off.mean().item()) < 4 / np.sqrt(300)
    assert off.std().item() == pytest.approx(1.0, abs=0.15)
    # The interval lies about the shrunken mean: its coverage of 0.3 is that of a normal variable, exactly.
    shrink, sd, half = 20 / 24, np.sqrt(20) / 24, stats.norm.ppf(0.975) / np.sqrt(24)
    share = np.diff(stats.norm.cdf((np.array([-half, half]) + 0.3 * (1 - shrink)) / sd)).item()
    covered = tree["summary/coverage_credible"].sel(estimator="laplace", parameter="mu", size=20).item()
    assert abs(covered - share) < 4 * np.sqrt(share * (1 - share) / 300)
    assert np.isnan(tree["summary/coverage_credible"].sel(estimator="mle")).all()
    assert np.isnan(tree["summary/coverage_naive"].sel(estimator="laplace")).all()


@pytest.mark.slow
def test_posterior_means_by_nuts_agree_with_those_by_laplace():
    x = np.linspace(-1, 1, 30)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 2, shape=2)
        pm.Normal("y", b[0] + b[1] * x, pm.HalfNormal("sigma", 2), observed=np.zeros(30))
    truth = {"b": [1.0, -1.0], "sigma": 1.0}
    arguments = {"sizes": [30], "replicates": 40, "random_seed": 2, "draws": 500}
    tree = study(model, truth, estimators=["laplace", "posterior"], **arguments)
    replicates = tree["replicates"].to_dataset().isel(size=0)
    for name in ("b", "sigma"):
        off = replicates[name].sel(estimator="posterior") - replicates[name].sel(estimator="laplace")
        assert abs(off).max().item() < 0.1
    nuts = replicates.sel(estimator="posterior")
    assert nuts["rhat"].median() < 1.02
    assert np.isnan(nuts["pareto_k"]).all()
    assert replicates["pareto_k"].sel(estimator="laplace").median() < 0.7
    again = study(model, truth, estimators=["laplace", "posterior"], **arguments)
    xr.testing.assert_identical(tree, again)


def test_resampled_covariates_add_the_variance_due_to_misspecification():
    """A line through a parabola: with random rows the slope varies more than with fixed rows, as the sandwich predicts."""
    x = np.linspace(0, 2, 40)

    def built(mean):
        with pm.Model() as model:
            b = pm.Normal("b", 0, 10, shape=2)
            pm.Normal("y", mean(b), 1.0, observed=np.zeros(40))
        return model

    line = built(lambda b: b[0] + b[1] * x)
    truth = pm.do(built(lambda b: 3 * x**2 + 0 * b[0]), {"b": [0.0, 0.0]})
    found = {
        covariates: study(line, truth, sizes=[200], replicates=2000, covariates=covariates, random_seed=4)
        for covariates in ("fixed", "resampled")
    }
    spread = {name: tree["replicates/b"].isel(b_dim_0=1).std().item() for name, tree in found.items()}
    assert spread["resampled"] > 1.2 * spread["fixed"]
    for tree in found.values():
        covered = tree["summary/coverage_sandwich"]
        assert np.all(np.abs(covered - 0.95) < 4.5 * np.sqrt(0.05 * 0.95 / 2000))
        np.testing.assert_allclose(tree["pseudo_true/b"], found["fixed"]["pseudo_true/b"])
    assert found["resampled"]["pseudo_true/trace"] > found["fixed"]["pseudo_true/trace"] + 0.1


def test_resampled_rows_are_counted_alike_for_discrete_data():
    x = np.linspace(-1, 1, 25)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=2)
        pm.Bernoulli("y", logit_p=b[0] + b[1] * x, observed=np.zeros(25))
    truth, shared = {"b": [0.3, 0.5]}, {"replicates": 400, "covariates": "resampled", "random_seed": 5}
    for size in (20, 200):
        tree = study(model, truth, sizes=[size], **shared)
        assert tree["summary/exists"].item() > 0.9
    assert np.all(np.abs(tree["summary/coverage_unconstrained"] - 0.95) < 4.5 * np.sqrt(0.05 * 0.95 / 400))
