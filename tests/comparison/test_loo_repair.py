"""Leave-one-out of influential observations against quadrature."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import pp_mlekl as mk
from pp_mlekl.comparison.loo_repair import repaired_loo
from pp_mlekl.diagnostics.diagnose import diagnose
from pp_mlekl.pymc_model.draws.sampling import ensure_groups
from pp_mlekl.pymc_model.model_functions import model_functions

Y = np.concatenate([np.linspace(-1.5, 1.5, 25), [9.0]])
MU, SIGMA = np.meshgrid(np.linspace(-3, 4, 500), np.linspace(0.6, 5, 500), indexing="ij")


def build(y=Y):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 3)
        pm.Normal("y", mu, sigma, observed=y)
    return model


def posterior(y):
    """Probabilities of the grid's points."""
    log_density = stats.norm(0, 5).logpdf(MU) + stats.halfnorm(0, 3).logpdf(SIGMA)
    log_density = log_density + sum(stats.norm(MU, SIGMA).logpdf(one) for one in y)
    weights = np.exp(log_density - log_density.max())
    return weights / weights.sum()


@pytest.fixture(scope="module")
def tree():
    generator = np.random.default_rng(1)
    chosen = generator.choice(MU.size, size=(2, 1000), p=posterior(Y).ravel())
    draws = {"mu": (("chain", "draw"), MU.ravel()[chosen]), "sigma": (("chain", "draw"), SIGMA.ravel()[chosen])}
    model = build()
    idata = xr.DataTree.from_dict({"posterior": xr.Dataset(draws)})
    return ensure_groups(model, idata, random_seed=generator, functions=model_functions(model))


def test_repaired_scores_are_those_of_quadrature(tree):
    found = repaired_loo(model_functions(build()), tree)["y"]
    assert found.attrs["repaired"] >= 1
    assert float(found["pareto_k"].max()) < 0.7
    without = posterior(Y[:-1])
    exact = np.log(np.sum(without * stats.norm(MU, SIGMA).pdf(Y[-1])))
    before = diagnose(tree).loo.loc["y"]
    assert before["largest_k"] > 0.7
    assert float(found["elpd_i"][-1]) == pytest.approx(exact, abs=0.3)
    # The verdict's table has the repaired numbers.
    repaired = tree.copy()
    repaired["loo/y"] = xr.DataTree(found)
    after = diagnose(repaired).loo.loc["y"]
    assert after["elpd"] == pytest.approx(float(found["elpd_i"].sum()))
    assert (after["bad_k"], before["bad_k"] >= 1) == (0, True)
    assert after["elpd"] + after["p"] == pytest.approx(before["elpd"] + before["p"])


def test_nothing_is_repaired_without_need():
    model = build(Y[:-1])
    estimate = mk.find_mle(model)
    generator = np.random.default_rng(2)
    draws = {
        "mu": (("chain", "draw"), generator.normal(estimate.values["mu"], 0.2, size=(2, 500))),
        "sigma": (("chain", "draw"), np.exp(generator.normal(np.log(estimate.values["sigma"]), 0.1, size=(2, 500)))),
    }
    idata = xr.DataTree.from_dict({"posterior": xr.Dataset(draws)})
    functions = model_functions(model)
    assert repaired_loo(functions, ensure_groups(model, idata, random_seed=generator, functions=functions)) == {}


def test_nothing_is_repaired_without_log_likelihoods_or_where_it_takes_too_long(tree, monkeypatch):
    functions = model_functions(build())
    assert repaired_loo(functions, xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset()})) == {}
    rows_times_draws = Y.size * tree["posterior"].sizes["chain"] * tree["posterior"].sizes["draw"]
    for limit, repaired in ((rows_times_draws, ["y"]), (rows_times_draws - 1, [])):
        monkeypatch.setattr("pp_mlekl.comparison.loo_repair._MAX_ROWS_TIMES_DRAWS", limit)
        assert list(repaired_loo(functions, tree)) == repaired
