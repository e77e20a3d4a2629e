"""Arguments of ``compare``: draws of the caller, selected variables, intervals, skipped parts, progress."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pp_mlekl as mk
from pp_mlekl.comparison.compare import _with_affordable_draws

GROUPS = ("posterior", "prior", "log_prior", "sample_stats", "log_likelihood")
SETTINGS = {"draws": 200, "chains": 2, "random_seed": 3}


def build():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        sigma = pm.HalfNormal("sigma", 2)
        pm.Deterministic("ratio", mu / sigma)
        pm.Normal("y", mu, sigma, observed=np.random.default_rng(1).normal(1, 1, size=30))
    return model


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture(scope="module")
def whole(model):
    return mk.compare(model, progress=False, **SETTINGS)


def test_draws_of_the_caller_are_used(model, whole):
    idata = whole.tree.filter(lambda node: node.name in (None, "posterior", "sample_stats"))
    before = list(idata.children)
    again = mk.compare(model, idata=idata, random_seed=3, progress=False)
    assert again.tree["posterior"].to_dataset().equals(whole.tree["posterior"].to_dataset())
    assert {"log_likelihood", "posterior_predictive", "information_gain", "fitted"} <= set(again.tree.children)
    assert list(idata.children) == before
    np.testing.assert_allclose(again.summary()["MLE"], whole.summary()["MLE"], rtol=1e-6)


def test_evidence_of_very_many_terms_takes_fewer_draws(model, whole, monkeypatch):
    monkeypatch.setattr(import_module("pp_mlekl.comparison.compare"), "_MAX_TERMS", 30 * 200)
    skipped = ("fitted", "laplace", "loo", "predictive", "derived")
    again = mk.compare(model, idata=whole.tree, random_seed=3, skip=skipped, progress=False)
    few, all_draws = (one.tree["information_gain/joint"] for one in (again, whole))
    for name in ("log_evidence", "kl_posterior_prior"):
        errors = float(few[f"{name}_mcse"]), float(all_draws[f"{name}_mcse"])
        assert float(few[name]) == pytest.approx(float(all_draws[name]), abs=4 * np.hypot(*errors))
    assert float(few["kl_posterior_prior_mcse"]) > float(all_draws["kl_posterior_prior_mcse"])
    assert again.tree["posterior"].sizes["draw"] == 200


@pytest.mark.parametrize(("observations", "kept"), [(5_000_000, 8), (5_000_001, 4), (12_500_000, 3), (100_000_000, 1)])
def test_forty_million_terms_are_affordable(observations, kept):
    draws = xr.DataTree.from_dict({name: xr.Dataset({"x": (("chain", "draw"), np.zeros((1, 8)))}) for name in GROUPS})
    found = _with_affordable_draws(SimpleNamespace(n_observations=observations), draws)
    assert found["posterior"].sizes["draw"] == kept
    assert set(found.children) == set(GROUPS if kept == 8 else GROUPS[:4])


def test_selected_variables_and_intervals(model, whole):
    result = mk.compare(model, idata=whole.tree, var_names=["mu"], ci_prob=0.5, progress=False)
    assert list(result.summary().index) == ["mu"]
    assert {"eti50_lb", "eti50_ub"} <= set(result.summary().columns)


def test_skipped_parts_are_not_computed(model, whole, tmp_path):
    idata = whole.tree.filter(lambda node: node.name in (None, "posterior", "sample_stats"))
    parts = ("fitted", "evidence", "laplace", "loo", "predictive", "derived")
    result = mk.compare(model, {"mu": 1.0, "sigma": 1.0}, idata=idata, skip=parts, progress=False, random_seed=3)
    assert not {"log_likelihood", "posterior_predictive", "derived_estimate"} & set(result.tree.children)
    assert result.tree["fitted"].sizes["estimator"] == 0
    assert "laplace_pareto_k" not in result.tree["information_gain/joint"]
    assert np.isnan(float(result.tree["information_gain/joint"]["log_evidence"]))
    assert np.isfinite(result.summary()["KL"]).all()
    assert result.to_html(tmp_path / "page.html").stat().st_size > 0


def test_derived_quantities_have_the_error_of_the_delta_method(model, whole):
    mle = whole.tree["point_estimate"].sel(estimator="mle")
    ratio = float(whole.tree["derived_estimate"]["ratio"])
    assert ratio == pytest.approx(float(mle["mu"] / mle["sigma"]))
    # Var(mu / sigma) = (1 + ratio^2 / 2) / n for independent estimates of a normal's parameters.
    assert float(whole.tree["derived_estimate_se"]["ratio"]) == pytest.approx(
        np.sqrt((1 + ratio**2 / 2) / 30), rel=1e-4
    )


def test_prior_densities_are_those_of_the_priors(whole):
    curves = whole.tree["prior_density"]
    assert all(not curves[group].coords and list(curves[group].dims) == ["grid"] for group in ("x", "density"))
    x, density = curves["x"]["mu"].values, curves["density"]["mu"].values
    np.testing.assert_allclose(density, np.exp(-0.5 * (x / 5) ** 2) / (5 * np.sqrt(2 * np.pi)), rtol=1e-6)
    x, density = curves["x"]["sigma"].values, curves["density"]["sigma"].values
    np.testing.assert_allclose(density, 2 * np.exp(-0.5 * (x / 2) ** 2) / (2 * np.sqrt(2 * np.pi)), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"skip": ["loos"]}, "'loos'"),
        ({"var_names": ["nu"]}, "'nu'"),
        ({"var_names": []}, "mu"),
        ({"ci_prob": 95}, "95"),
    ],
)
def test_wrong_arguments_are_refused(model, arguments, match):
    with pytest.raises(ValueError, match=match):
        mk.compare(model, **arguments)


def test_progress(model, capsys):
    steps = []
    mk.compare(model, skip=("fitted", "evidence", "laplace", "predictive"), progress=steps.append, **SETTINGS)
    assert len(steps) == 4
    assert capsys.readouterr() == ("", "")
