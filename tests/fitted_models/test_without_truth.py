"""What replaces the truth: exact refits, exact leave-one-out predictives, neighbours, and the bootstrap of KL."""

import json

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within
from scipy import stats

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.divergences.samples.terms import Terms
from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.fitted_models import loo_scores as leave_one_out
from pp_mlekl.fitted_models.divergence_from_data import divergence_from_data
from pp_mlekl.fitted_models.loo_scores import LeftOut
from pp_mlekl.fitted_models.without_truth import _add_scores, without_truth
from pp_mlekl.pymc_model.model_functions import model_functions

EXACT = json.loads((golden.GOLDEN / "known_truth.json").read_text())["finite_sample"]["normal"]
Y = np.random.default_rng(1).normal(1.0, 1.0, size=60)


def mean_model(y, scale=1.0):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 100), scale, observed=y)
    return model


def posterior(y, draws=2000, seed=1):
    values = np.random.default_rng(seed).normal(y.mean(), 1 / np.sqrt(len(y)), size=(4, draws))
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), values)})})


@pytest.fixture(scope="module")
def result():
    return without_truth(mean_model(Y), posterior(Y), replicates=2000, random_seed=1)


def test_leave_one_out_against_the_closed_form(result):
    n = len(Y)
    others = (Y.sum() - Y) / (n - 1)
    exact = {
        "mle": stats.norm.logpdf(Y, others, 1.0).sum(),
        # Nearly flat prior.
        "posterior_predictive": stats.norm.logpdf(Y, others, np.sqrt(1 + 1 / (n - 1))).sum(),
    }
    assert result["log_score"].sel(estimator="mle").item() == pytest.approx(exact["mle"], rel=1e-9)
    assert abs(result["log_score"].sel(estimator="posterior_predictive").item() - exact["posterior_predictive"]) < 0.05
    scores = stats.norm.logpdf(Y, others, 1.0)
    assert result["log_score_se"].sel(estimator="mle").item() == pytest.approx(np.sqrt(n) * scores.std(ddof=1))
    best = str(result["estimator"].values[int(np.argmax(result["log_score"].values))])
    assert result.attrs["best"] == best
    assert result["log_score_lead"].sel(estimator=best).item() == 0.0
    assert result["log_score_lead"].min() == 0.0
    assert result["left_out_method"].values.tolist() == ["refits", "refits", "PSIS"]


def test_the_predictive_against_the_plug_in(result):
    exact = 60 * 0.5 * (1 / 60 - np.log(1 + 1 / 60))
    found = result.sel(estimator="mle")
    assert_within(
        found["kl_predictive"].item(), exact, mcse=found["kl_predictive_mcse"].item(), sigmas=4.5, mcse_below=3.5e-4
    )
    assert result["kl_predictive"].sel(estimator="posterior_predictive").item() == 0.0


def test_refits_of_a_normal_mean_are_half_a_chi_squared(result):
    """n KL = n (mean - mu)^2 / 2; the quantiles of 2000 values are known to 10% at the low end."""
    refit = result.sel(estimator="mle")
    assert refit["kl_refit_mcse"].item() == pytest.approx(np.sqrt(0.5 / 2000), rel=0.1)
    assert_within(refit["kl_refit"].item(), 0.5, mcse=refit["kl_refit_mcse"].item(), mcse_below=0.02)
    assert refit["kl_refit_low"].item() == pytest.approx(stats.chi2.ppf(0.05, 1) / 2, abs=0.001)
    assert refit["kl_refit_high"].item() == pytest.approx(stats.chi2.ppf(0.95, 1) / 2, rel=0.1)


def test_the_divergence_from_the_data_is_near_that_from_the_truth(result):
    found = result.sel(estimator="mle")
    exact = 60 * 0.5 * (Y.mean() - 1.0) ** 2
    assert_within(found["kl_data"].item(), exact, mcse=found["kl_data_mcse"].item(), mcse_below=12.0)
    # What was left out is predicted worse.
    gap = found["kl_data_unseen"].item() - found["kl_data"].item()
    assert gap == pytest.approx(stats.norm.logpdf(Y, Y.mean()).sum() - found["log_score"].item(), rel=1e-6)


def test_a_divergence_from_the_data_is_n_times_the_mean_of_its_terms():
    values, log_q = np.linspace(-2, -1, 40), np.linspace(-3, -1.5, 40)
    terms = Terms(values=values, method="spacings", extra_variance=0.01, bias=0.05, warnings=("beware",))
    kl, error, warnings = divergence_from_data(terms, log_q)
    assert kl == pytest.approx(40 * np.mean(values - log_q))
    assert error == pytest.approx(40 * np.sqrt(np.var(values - log_q, ddof=1) / 40 + 0.01 + 0.05**2))
    assert "beware" in warnings
    assert np.isnan(divergence_from_data(terms, np.where(log_q < -2, -np.inf, log_q))[:2]).all()


@pytest.mark.parametrize(("gap", "clear"), [(0.325, "yes"), (0.318, "no")])
def test_the_lead_of_the_best_has_a_paired_error(gap, clear):
    """Differences of mean ``gap`` and standard deviation 1.013 over 40 rows: two standard errors of the mean are 0.320."""
    best = np.random.default_rng(1).normal(size=40)
    close = best - gap + np.tile([1.0, -1.0], 20)
    low = best - 50 + np.random.default_rng(2).normal(size=40)
    dataset = xr.Dataset(coords={"estimator": ["close", "best", "low", "none"]})
    found = [LeftOut(scores=s, failed=k, method="refits") for k, s in enumerate((close, best, low))]
    _add_scores(dataset, [*found, None])
    for name, arrays in (("", (close, best, low)), ("_lead", (best - close, best - best, best - low))):
        np.testing.assert_allclose(dataset[f"log_score{name}"], [*(a.sum() for a in arrays), np.nan])
        errors = [*(np.sqrt(40) * a.std(ddof=1) for a in arrays), np.nan]
        np.testing.assert_allclose(dataset["log_score_se" if not name else "log_score_lead_se"], errors)
    assert dataset["left_out_failed"].values.tolist() == [0, 1, 2, 0]
    assert (dataset.attrs["best"], dataset.attrs["best_is_clear"]) == ("best", clear)


def test_names_of_all_numbers(result):
    for name in ("kl_predictive", "log_score", "log_score_lead", "kl_data", "kl_data_unseen", "kl_refit"):
        assert result[name].attrs["what"]
        assert result[name].attrs["unit"] == "nats"


def test_first_order_leave_one_out_agrees_with_refits(monkeypatch):
    y = np.random.default_rng(2).standard_t(6, size=300)
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=y)
    flat = find_mle(model, random_seed=1).flat
    functions = model_functions(model)
    exact = leave_one_out.plug_in_scores(functions, "mle", flat, np.arange(300))
    monkeypatch.setattr(leave_one_out, "_MAX_HESSIAN_ELEMENTS", 0)
    rough = leave_one_out.plug_in_scores(functions, "mle", flat, np.arange(300))
    assert (exact.method, rough.method) == ("refits", "infinitesimal jackknife")
    cost = functions.pointwise(flat).sum() - exact.scores.sum()
    assert abs(rough.scores.sum() - exact.scores.sum()) < 0.2 * cost


@pytest.mark.parametrize("case", [c for c in EXACT if c["n"] == 10], ids=lambda c: f"n={c['n']}")
def test_bootstrap_of_kl_is_exact_where_it_does_not_depend_on_the_parameters(case):
    """For a normal E KL(true||MLE) is the same for all means and scales: the fit serves as well as the truth."""
    y = np.random.default_rng(3).normal(2.0, 3.0, size=case["n"])
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5), observed=y)
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({k: (("chain", "draw"), np.ones((4, 50))) for k in ("mu", "sigma")})}
    )
    found = without_truth(model, tree, estimators=["mle"], replicates=4000, random_seed=1).isel(estimator=0)
    assert_within(
        found["kl_refit"].item(),
        case["n"] * case["e_kl_truth_mle"],
        mcse=found["kl_refit_mcse"].item(),
        sigmas=4.5,
        mcse_below=0.082,
    )
    assert found["kl_refit_low"] < found["kl_refit"] < found["kl_refit_high"]
    assert found["refit_failed"].item() == 0.0
    assert "too few" in without_truth(model, tree, estimators=["mle"], replicates=2, random_seed=1).attrs["warnings"]


@pytest.mark.slow
def test_divergence_from_the_data_covers_that_from_the_truth():
    """Gamma data and a wrong normal model whose parameters are known: KL(true||model) is the same for all data."""
    truth = family("Gamma")(alpha=4.0, beta=1.0)
    with pm.Model() as model:
        data = pm.Data("data", np.ones(300))
        pm.Normal("y", pm.Normal("mu", 0, 100), 2.0, observed=data)
    z = []
    for seed in range(40):
        y = np.random.default_rng(seed).gamma(4.0, size=300)
        pm.set_data({"data": y}, model=model)
        result = without_truth(model, posterior(y, 50), estimators=["mle"], replicates=2, random_seed=1)
        exact = 300 * float(kl_divergence(truth, family("Normal")(mu=y.mean(), sigma=2.0)).value)
        z.append((result["kl_data_unseen"].item() - exact) / result["kl_data_unseen_mcse"].item())
    assert np.mean(np.abs(z) < 1.96) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 40)
    assert abs(np.mean(z)) < 4 / np.sqrt(40)


def test_counts_and_covariates_have_no_divergence_from_the_data():
    with pm.Model() as counts:
        pm.Poisson("y", pm.Exponential("mu", 0.2), observed=[3, 1, 4, 1, 5, 9, 2, 6])
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), np.full((4, 50), 4.0))})})
    result = without_truth(counts, tree, estimators=["mle"], replicates=20, random_seed=1)
    assert np.isnan(result["kl_data"]).all()
    assert "kl_data" in result.attrs["warnings"]


def test_an_estimate_that_does_not_exist_has_no_numbers():
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({k: (("chain", "draw"), np.ones((4, 50))) for k in ("intercept", "slope")})}
    )
    result = without_truth(golden.separated(), tree, estimators=["mle", "map"], replicates=20, random_seed=1)
    assert np.isnan(result["log_score"].sel(estimator="mle"))
    assert np.isnan(result["kl_refit"].sel(estimator="mle"))
    assert np.isfinite(result["log_score"].sel(estimator="map"))
    assert result.attrs["best"] == "map"


def test_wrong_use_is_named():
    with pytest.raises(ValueError, match="estimators must be among"):
        without_truth(mean_model(Y), posterior(Y), estimators=["median"])
    with pytest.raises(ValueError, match="at least 2"):
        without_truth(mean_model(Y), posterior(Y), replicates=1)
