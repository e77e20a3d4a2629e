"""Diagnostics of trees whose draws are exact: what they should see, and how often they cry wolf."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from tiers import slow_if

from pp_mlekl.comparison.verdict import read_verdict
from pp_mlekl.diagnostics.diagnose import diagnose

CHAINS, DRAWS, N = 4, 250, 100


def tree_of(name, parameter, predictive, log_likelihood, data):
    def over(values, *rows):
        return xr.DataArray(values, dims=("chain", "draw", *rows))

    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({name: over(parameter)}),
            "posterior_predictive": xr.Dataset({"y": over(predictive, "row")}),
            "log_likelihood": xr.Dataset({"y": over(log_likelihood, "row")}),
            "observed_data": xr.Dataset({"y": ("row", data)}),
        }
    )


def normal_tree(data, generator):
    """The posterior of a mean under a flat prior, and predictions with a standard deviation of 1."""
    mu = generator.normal(data.mean(), 1 / np.sqrt(N), (CHAINS, DRAWS))
    predictive = generator.normal(mu[..., None], 1.0, (CHAINS, DRAWS, N))
    return tree_of("mu", mu, predictive, stats.norm(mu[..., None]).logpdf(data), data)


def poisson_tree(data, generator):
    """The posterior of a rate under the prior 1 / rate."""
    rate = generator.gamma(data.sum(), 1 / N, (CHAINS, DRAWS))
    predictive = generator.poisson(rate[..., None], (CHAINS, DRAWS, N))
    return tree_of("rate", rate, predictive, stats.poisson(rate[..., None]).logpmf(data), data)


def said(findings, topic):
    (found,) = (f for f in findings if f.topic == topic)
    return found.text


def level(tree, topic):
    (found,) = (f for f in diagnose(tree).findings if f.topic == topic)
    return found.level


MODELS = {
    "normal": (normal_tree, lambda g: g.normal(3.0, 1.0, N), lambda g: g.standard_t(2.0, N)),
    "poisson": (poisson_tree, lambda g: g.poisson(4.0, N), lambda g: g.negative_binomial(2, 1 / 3, N)),
}


@pytest.mark.parametrize("model", slow_if(MODELS, ["poisson"]))
def test_calibration_is_judged_by_what_the_model_predicts(model):
    build, right, wrong = MODELS[model]
    seeds = np.random.SeedSequence(5).spawn(25)
    alarms = [level(build(right(g), g), "calibration") == "problem" for g in map(np.random.default_rng, seeds)]
    # One in a hundred is expected; more than three of twenty-five would come once in ten thousand times.
    assert sum(alarms) <= 3
    found = [level(build(wrong(g), g), "calibration") for g in map(np.random.default_rng, seeds[:5])]
    assert found == ["problem"] * 5


def test_calibration_says_how_likely_it_is_by_chance():
    generator = np.random.default_rng(1)
    (found,) = (
        f for f in diagnose(normal_tree(generator.exponential(9.0, N), generator)).findings if f.topic == "calibration"
    )
    assert "p < 1e-06" in found.text


def test_vectors_have_no_calibration():
    generator = np.random.default_rng(2)
    tree = normal_tree(generator.normal(size=N), generator)
    pairs = np.zeros((N, 2))
    tree["observed_data"] = xr.DataTree(xr.Dataset({"y": (("row", "feature"), pairs)}))
    findings = diagnose(tree).findings
    assert not [f for f in findings if f.topic == "calibration"]
    assert "are vectors, for which there is no calibration" in said(findings, "leave-one-out")


def test_one_joint_observation_has_no_calibration():
    generator = np.random.default_rng(2)
    tree = normal_tree(generator.normal(size=N), generator)
    tree["log_likelihood"] = xr.DataTree(tree["log_likelihood"].to_dataset().sum("row"))
    assert "one joint observation" in (text := said(diagnose(tree).findings, "leave-one-out"))
    assert "no calibration" in text


@pytest.mark.parametrize(("chains", "draws", "why"), [(1, 250, "run four"), (4, 3, "so few draws")])
def test_what_could_not_be_judged_is_not_called_usable(chains, draws, why):
    tree = normal_tree(np.random.default_rng(1).normal(size=N), np.random.default_rng(2))
    tree["log_prior"] = xr.DataTree(-0.5 * tree["posterior"].to_dataset() ** 2)
    diagnostics = diagnose(tree.isel(chain=slice(chains), draw=slice(draws)))
    assert why in said(diagnostics.findings, "convergence")
    assert ("so few draws" in said(diagnostics.findings, "prior")) == (draws == 3)
    verdict = read_verdict({"mle": "converged"}, {}, diagnostics, False)
    assert verdict.level == "caution"
    assert not all(f.judged for f in verdict.findings)


def test_a_flat_prior_is_said_to_be_flat():
    tree = normal_tree(np.random.default_rng(1).normal(size=N), np.random.default_rng(2))
    tree["log_prior"] = xr.DataTree(0.0 * tree["posterior"].to_dataset() + np.log(2))
    assert "The prior is flat" in said(diagnose(tree).findings, "prior")


def test_chains_apart_are_a_problem():
    generator = np.random.default_rng(3)
    tree = normal_tree(generator.normal(size=N), generator)
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset() + xr.DataArray(np.arange(4.0), dims="chain"))
    assert level(tree, "convergence") == "problem"
    assert level(normal_tree(generator.normal(size=N), generator), "convergence") == "ok"
