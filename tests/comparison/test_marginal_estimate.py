"""The marginal MLE of models with latent variables."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import pp_mlekl as mk
from pp_mlekl.comparison.marginal_estimate import find_marginal_estimate, marginal_estimate_in
from pp_mlekl.pymc_model.bambi import pymc_model_of
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.report.badges import badges
from pp_mlekl.report.estimates import glance

Y = np.array([[0.3, 1.9], [2.8, 4.1], [-1.2, 0.4], [1.5, 3.6], [5.0, 3.2]])


def hierarchical(centred=True):
    with pm.Model(coords={"group": list("abcde")}) as model:
        mu, tau = pm.Normal("mu", 0, 10), pm.HalfNormal("tau", 5)
        if centred:
            theta = pm.Normal("theta", mu, tau, dims="group")
        else:
            theta = pm.Deterministic("theta", mu + tau * pm.Normal("offset", dims="group"), dims="group")
        pm.Normal("y", theta[:, None], 1.0, observed=Y)
    return model


def of(model, mle, potentials=None):
    return find_marginal_estimate(model, model_functions(model), mle, potentials, np.random.default_rng(1))


@pytest.mark.parametrize("latent", ["theta", "offset"])
def test_closed_form(latent):
    """Group means are normal with variance tau^2 + 1/2, whatever the form of the model."""
    model = hierarchical(centred=latent == "theta")
    found = of(model, mk.find_mle(model, random_seed=1))
    means = Y.mean(axis=1)
    assert found.latents == (latent,)
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


def test_more_scales_than_latents_have_no_marginal_estimate():
    with pm.Model() as model:
        scale = pm.HalfCauchy("tau", 1) * pm.HalfCauchy("local", 1, shape=5)
        pm.Normal("y", (scale * pm.Normal("z", shape=5))[:, None], 1.0, observed=Y)
    assert of(model, mk.find_mle(hierarchical(), random_seed=1)) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_a_mixed_model_of_bambi_agrees_with_statsmodels():
    bambi, formulas = pytest.importorskip("bambi"), pytest.importorskip("statsmodels.formula.api")
    generator = np.random.default_rng(0)
    group, x = np.repeat(np.arange(12), 6), generator.normal(size=72)
    y = 1 + 0.5 * x + generator.normal(size=12)[group] + generator.normal(size=72)
    data = pd.DataFrame({"y": y, "x": x, "group": [f"g{i}" for i in group]})
    model = pymc_model_of(bambi.Model("y ~ x + (1|group)", data))
    found = of(model, mk.find_mle(model, random_seed=1))
    other = formulas.mixedlm("y ~ x", data, groups="group").fit(reml=False)
    assert found.status == "converged"
    assert float(found.values["x"]) == pytest.approx(other.params["x"], rel=1e-4)
    assert float(found.values["1|group_sigma"]) == pytest.approx(np.sqrt(other.cov_re.iloc[0, 0]), rel=1e-3)
    assert float(found.values["sigma"]) == pytest.approx(np.sqrt(other.scale), rel=1e-3)
    assert float(found.standard_error["x"]) == pytest.approx(other.bse["x"], rel=0.01)


def test_an_integral_that_does_not_exist_is_reported():
    with pm.Model() as model:
        scale = pm.HalfNormal("scale")
        theta = pm.Laplace("theta", 0, scale, shape=3)
        pm.Normal("y", theta, 1.0, observed=[0.4, 1.2, -3.0])
    found = of(model, mk.find_mle(model, random_seed=1))
    assert found.status != "converged"
    assert found.warnings


def test_in_a_comparison(tmp_path):
    generator, draw = np.random.default_rng(1), ("chain", "draw")
    draws = {"mu": (draw, generator.normal(2, 1, (2, 200))), "tau": (draw, generator.gamma(4, 0.5, (2, 200)))}
    draws["theta"] = ((*draw, "group"), generator.normal(Y.mean(axis=1), 0.7, (2, 200, 5)))
    result = mk.compare(
        hierarchical(),
        idata=xr.DataTree.from_dict({"posterior": xr.Dataset(draws, coords={"group": list("abcde")})}),
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
    assert rows["theta[a]"].texts["marginal_MLE"] == "integrated out"
    (finding,) = [f for f in result.verdict().findings if f.topic == "Marginal MLE"]
    assert "marginalize=['theta']" in finding.text
    read = mk.load(result.save(tmp_path / "kept.nc"))
    assert marginal_estimate_in(read.tree).latents == ("theta",)
    assert str(read.verdict()) == str(result.verdict())
