"""The marginal MLE of models with latent variables."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pp_mlekl as mk
from pp_mlekl.comparison.marginal_estimate import find_marginal_estimate, marginal_estimate_in
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.report.badges import badges
from pp_mlekl.report.estimates import glance

Y = np.array([[0.3, 1.9], [2.8, 4.1], [-1.2, 0.4], [1.5, 3.6], [5.0, 3.2]])


def hierarchical():
    with pm.Model(coords={"group": list("abcde")}) as model:
        mu, tau = pm.Normal("mu", 0, 10), pm.HalfNormal("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="group")
        pm.Normal("y", theta[:, None], 1.0, observed=Y)
    return model


def of(model, mle, potentials=None):
    return find_marginal_estimate(model, model_functions(model), mle, potentials, np.random.default_rng(1))


def test_closed_form():
    """Group means are normal with variance tau^2 + 1/2."""
    model = hierarchical()
    found = of(model, mk.find_mle(model, random_seed=1))
    means = Y.mean(axis=1)
    assert found.latents == ("theta",)
    assert found.status == "converged"
    assert float(found.values["mu"]) == pytest.approx(means.mean(), rel=1e-6)
    assert float(found.values["tau"]) == pytest.approx(np.sqrt(means.var() - 0.5), rel=1e-5)
    assert float(found.standard_error["mu"]) == pytest.approx(stats.sem(means, ddof=0), rel=1e-4)
    assert abs(found.laplace_error) < 1e-8
    assert set(found.values) == {"mu", "tau"}


def test_no_marginal_estimate_without_latents_or_with_a_regular_mle():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), 1.0, observed=[0.4, 1.2])
    assert of(model, mk.find_mle(model)) is None


def test_an_integral_that_does_not_exist_is_reported():
    with pm.Model() as model:
        scale = pm.HalfNormal("scale")
        theta = pm.Laplace("theta", 0, scale, shape=3)
        pm.Normal("y", theta, 1.0, observed=[0.4, 1.2, -3.0])
    found = of(model, mk.find_mle(model, random_seed=1))
    assert found.status != "converged"
    assert found.warnings


def test_in_a_comparison(tmp_path):
    result = mk.compare(
        hierarchical(),
        draws=200,
        chains=2,
        random_seed=1,
        skip=["fitted", "evidence", "laplace", "loo", "predictive"],
        progress=False,
    )
    table = result.summary()
    assert np.isnan(table.loc["mu", "MLE"])
    assert table.loc["mu", "marginal_MLE"] == pytest.approx(Y.mean(), rel=1e-6)
    assert table.loc["theta[a]":"theta[e]", "marginal_MLE"].isna().all()
    (badge,) = [b for b in badges(result) if b.topic == "Marginal MLE"]
    assert badge.level == "ok"
    rows = {row.name: row for row in glance(result).rows}
    assert 'class="marginal"' in rows["mu"].picture
    assert 'class="mle"' not in rows["mu"].picture
    assert rows["theta[a]"].texts["marginal_MLE"] == ""
    (finding,) = [f for f in result.verdict().findings if f.topic == "Marginal MLE"]
    assert "marginalize=['theta']" in finding.text
    read = mk.load(result.save(tmp_path / "kept.nc"))
    assert marginal_estimate_in(read.tree).latents == ("theta",)
    assert str(read.verdict()) == str(result.verdict())
