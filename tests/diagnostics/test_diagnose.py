"""Diagnostics of trees whose draws are exact, how often they raise a false alarm, and each limit from either side."""

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from tiers import slow_if

from pp_mlekl.comparison.verdict import read_verdict
from pp_mlekl.diagnostics.calibration import about_calibration, uniformity
from pp_mlekl.diagnostics.diagnose import (
    _convergence,
    _efficiency,
    _hamiltonian,
    _precision,
    diagnose,
    sampling_problems,
)
from pp_mlekl.utils.shared_state import silenced

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


def calibration(tree):
    """The level of the finding, without the other diagnostics."""
    with silenced():
        p = uniformity(tree, "y", az.loo(tree, var_name="y", pointwise=True))
    (found,) = about_calibration("y", p)
    return found.level


MODELS = {
    "normal": (normal_tree, lambda g: g.normal(3.0, 1.0, N), lambda g: g.standard_t(2.0, N)),
    "poisson": (poisson_tree, lambda g: g.poisson(4.0, N), lambda g: g.negative_binomial(2, 1 / 3, N)),
}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_right_models_are_called_miscalibrated_once_in_a_hundred(model):
    build, right, _ = MODELS[model]
    seeds = np.random.SeedSequence(5).spawn(25)
    alarms = [calibration(build(right(g), g)) == "problem" for g in map(np.random.default_rng, seeds)]
    # More than three of twenty-five would come once in ten thousand times.
    assert sum(alarms) <= 3


@pytest.mark.parametrize("model", slow_if(MODELS, ["poisson"]))
def test_calibration_is_judged_by_what_the_model_predicts(model):
    build, right, wrong = MODELS[model]
    first, *seeds = np.random.SeedSequence(5).spawn(5)
    generator = np.random.default_rng(first)
    assert calibration(build(right(generator), generator)) != "problem"
    found = [calibration(build(wrong(g), g)) for g in map(np.random.default_rng, seeds)]
    assert found == ["problem"] * 4
    assert level(build(wrong(np.random.default_rng(6)), np.random.default_rng(7)), "calibration") == "problem"


def test_calibration_says_how_likely_it_is_by_chance():
    generator = np.random.default_rng(1)
    (found,) = (
        f for f in diagnose(normal_tree(generator.exponential(9.0, N), generator)).findings if f.topic == "calibration"
    )
    assert "p < .001" in found.text


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
def test_results_that_were_not_judged_are_not_called_usable(chains, draws, why):
    tree = normal_tree(np.random.default_rng(1).normal(size=N), np.random.default_rng(2))
    tree["log_prior"] = xr.DataTree(-0.5 * tree["posterior"].to_dataset() ** 2)
    diagnostics = diagnose(tree.isel(chain=slice(chains), draw=slice(draws)))
    assert why in said(diagnostics.findings, "convergence")
    assert ("so few draws" in said(diagnostics.findings, "prior")) == (draws == 3)
    verdict = read_verdict({"mle": "converged"}, {}, diagnostics, False)
    assert verdict.level == "caution"
    assert not all(f.judged for f in verdict.findings)


def test_a_flat_prior_is_reported():
    tree = normal_tree(np.random.default_rng(1).normal(size=N), np.random.default_rng(2))
    tree["log_prior"] = xr.DataTree(0.0 * tree["posterior"].to_dataset() + np.log(2))
    assert "The prior is flat" in said(diagnose(tree).findings, "prior")


def test_chains_in_different_places_are_a_problem():
    generator = np.random.default_rng(3)
    tree = normal_tree(generator.normal(size=N), generator)
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset() + xr.DataArray(np.arange(4.0), dims="chain"))
    assert level(tree, "convergence") == "problem"
    assert level(normal_tree(generator.normal(size=N), generator), "convergence") == "ok"


def levels(findings, topic):
    return [f.level for f in findings if f.topic == topic]


@pytest.mark.parametrize(
    ("r_hat", "level"), [(1.0, "ok"), (1.0099, "ok"), (1.011, "caution"), (1.049, "caution"), (1.051, "problem")]
)
def test_convergence(r_hat, level):
    found = _convergence(pd.Series([1.0, r_hat], index=["a", "b"]), 4)
    assert (found.level, found.judged) == (level, True)
    assert ("(b)" in found.text) == (level != "ok")


def test_convergence_needs_chains_and_draws():
    assert not _convergence(pd.Series([1.0]), 1).judged
    assert not _convergence(pd.Series([np.nan]), 4).judged


@pytest.mark.parametrize(("chains", "size", "level"), [(4, 401, "ok"), (4, 399, "caution"), (2, 201, "ok")])
@pytest.mark.parametrize("worse", ["ess_bulk", "ess_tail"])
def test_efficiency_needs_a_hundred_draws_a_chain_of_bulk_and_tails(chains, size, level, worse):
    table = pd.DataFrame({"ess_bulk": [4000.0, 4000.0], "ess_tail": [4000.0, 4000.0]}, index=["a", "b"])
    table.loc["b", worse] = size
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"a": (("chain", "draw"), np.zeros((chains, 5)))})})
    found = _efficiency(tree, table)
    assert (found.level, found.judged) == (level, True)
    assert "(b)" in found.text


@pytest.mark.parametrize(("error", "level"), [(0.099, "ok"), (0.11, "caution")])
def test_precision_is_relative_to_the_standard_deviation(error, level):
    table = pd.DataFrame({"mcse_mean": [0.0, 3 * error], "sd": [1.0, 3.0]}, index=["a", "b"])
    assert _precision(table).level == level
    assert "(b)" in _precision(table).text


@pytest.mark.parametrize(("count", "level"), [(0, "ok"), (1, "caution"), (4, "caution"), (5, "problem")])
def test_divergent_transitions_in_a_thousand(count, level):
    diverging = np.zeros(4000, dtype=bool)
    diverging[:count] = True
    stats = xr.Dataset({"diverging": (("chain", "draw"), diverging.reshape(4, 1000))})
    found = _hamiltonian(xr.DataTree.from_dict({"sample_stats": stats}))
    assert levels(found, "divergences") == [level]


@pytest.mark.parametrize(("correlation", "level"), [(0.0, "ok"), (0.8, "ok"), (0.95, "caution")])
def test_a_low_energy_fraction_is_reported(correlation, level):
    # BFMI of an autoregressive series is 2 (1 - correlation): 2, 0.4 and 0.1.
    noise = np.random.default_rng(1).normal(size=(4, 4000))
    energy = np.empty_like(noise)
    energy[:, 0] = noise[:, 0]
    for i in range(1, noise.shape[1]):
        energy[:, i] = correlation * energy[:, i - 1] + np.sqrt(1 - correlation**2) * noise[:, i]
    stats = xr.Dataset({"energy": (("chain", "draw"), energy)})
    found = _hamiltonian(xr.DataTree.from_dict({"sample_stats": stats}))
    assert levels(found, "energy") == [level]


def test_leave_one_out_is_arvizs_with_its_limit():
    import arviz as az

    data = np.random.default_rng(1).normal(3.0, 1.0, N)
    data[0] = 40.0
    tree = normal_tree(data, np.random.default_rng(2))
    found = diagnose(tree)
    with pytest.warns(UserWarning, match="Pareto"):
        expected = az.loo(tree, pointwise=True)
    row = found.loo.loc["y"]
    k = np.asarray(expected.pareto_k)
    assert (row["elpd"], row["se"], row["p"], row["n"]) == (expected.elpd, expected.se, expected.p, N)
    assert (row["largest_k"], row["bad_k"]) == (k.max(), np.sum(k > expected.good_k))
    assert row["bad_k"] >= 1
    assert level(tree, "leave-one-out") == "caution"
    assert level(normal_tree(data[1:].repeat(2)[:N], np.random.default_rng(2)), "leave-one-out") == "ok"


def test_two_observations_have_leave_one_out():
    tree = normal_tree(np.random.default_rng(1).normal(size=N), np.random.default_rng(2)).isel(row=slice(2))
    assert diagnose(tree).loo.loc["y", "n"] == 2


def test_var_names_choose_the_rows_and_what_is_judged():
    tree = normal_tree(np.random.default_rng(1).normal(size=N), np.random.default_rng(2))
    posterior = tree["posterior"].to_dataset()
    tree["posterior"] = xr.DataTree(
        posterior.assign(apart=posterior["mu"] + xr.DataArray(np.arange(4.0), dims="chain"))
    )
    chosen = diagnose(tree, var_names=["mu"])
    assert list(chosen.summary.index) == ["mu"]
    assert [f.level for f in chosen.findings if f.topic == "convergence"] == ["ok"]
    assert sampling_problems(tree, ["mu"]) == []
    assert len(sampling_problems(tree)) == 1
