"""Leave-one-out of a sample of the observations against that of all."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from pp_mlekl.diagnostics.diagnose import diagnose
from pp_mlekl.diagnostics.sampled_loo import leave_one_out


def tree_of(number, shape=None):
    """Draws of the mean of normal numbers with known scale."""
    generator = np.random.default_rng(7)
    data = generator.standard_t(5, size=number)
    mean = data.mean() + generator.normal(size=(4, 250)) / np.sqrt(number)
    shape = shape or (number,)
    dims = [f"y_dim_{i}" for i in range(len(shape))]
    terms = stats.norm.logpdf(data, mean[..., None]).reshape(4, 250, *shape)
    drawn = generator.normal(mean[..., None], size=(4, 250, number)).reshape(terms.shape)
    groups = {
        "posterior": {"mu": (("chain", "draw"), mean)},
        "log_likelihood": {"y": (("chain", "draw", *dims), terms)},
        "posterior_predictive": {"y": (("chain", "draw", *dims), drawn)},
        "observed_data": {"y": (dims, data.reshape(shape))},
    }
    return xr.DataTree.from_dict({name: xr.Dataset(group) for name, group in groups.items()})


def test_few_observations_are_all_left_out():
    tree = tree_of(60)
    found, expected = leave_one_out(tree, "y"), az.loo(tree, pointwise=True)
    assert (found.elpd, found.se, found.sampling_error) == (float(expected.elpd), float(expected.se), 0.0)
    assert found.tree is tree


@pytest.mark.parametrize("shape", [None, (40, 20)])
def test_a_sample_agrees_with_all_within_its_error(shape):
    tree = tree_of(800, shape)
    exact, sampled = leave_one_out(tree, "y"), leave_one_out(tree, "y", most=200)
    assert 0 < sampled.sampling_error < 0.1 * exact.se
    assert abs(sampled.elpd - exact.elpd) < 3 * sampled.sampling_error
    assert sampled.se == pytest.approx(exact.se, rel=0.2)
    assert sampled.p == pytest.approx(exact.p, abs=3 * sampled.sampling_error)
    assert sampled.pointwise.pareto_k.shape == (200,)
    assert sampled.tree["observed_data"]["y"].shape == (200,)


def test_the_sampling_error_is_that_over_samples():
    tree = tree_of(600)
    found = [leave_one_out(tree, "y", most=150, random_seed=seed) for seed in range(30)]
    spread = np.std([one.elpd for one in found], ddof=1)
    # 30 samples know a standard deviation to 13%.
    assert spread == pytest.approx(np.mean([one.sampling_error for one in found]), rel=0.45)


def test_the_verdict_says_that_a_sample_was_used(monkeypatch):
    monkeypatch.setattr(
        "pp_mlekl.diagnostics.diagnose.leave_one_out", lambda tree, name: leave_one_out(tree, name, 200)
    )
    found = diagnose(tree_of(800))
    row = found.loo.loc["y"]
    assert row["n"] == 800
    assert np.isfinite(row["p_uniform"])
    (text,) = [f.text for f in found.findings if f.topic == "leave-one-out"]
    assert "200 of 800" in text
