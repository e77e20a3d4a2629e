"""Leave-one-out of a sample of the observations against that of all."""

from inspect import signature

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from pp_mlekl.diagnostics.diagnose import diagnose
from pp_mlekl.diagnostics.sampled_loo import MAX_LEFT_OUT, leave_one_out


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


def test_five_thousand_observations_and_the_first_seed_are_the_defaults():
    defaults = {name: p.default for name, p in signature(leave_one_out).parameters.items()}
    assert (defaults["most"], defaults["random_seed"]) == (MAX_LEFT_OUT, 1)
    assert MAX_LEFT_OUT == 5_000
    tree = tree_of(60)
    chosen = np.sort(np.random.default_rng(1).choice(60, 20, replace=False))
    found = leave_one_out(tree, "y", most=20)
    np.testing.assert_array_equal(found.tree["observed_data/y"], tree["observed_data/y"].values[chosen])
    assert len(set(chosen)) == 20


@pytest.mark.parametrize(("most", "sampled"), [(60, False), (59, True)])
def test_a_sample_is_taken_of_more_observations_than_may_be_left_out(most, sampled):
    found = leave_one_out(tree_of(60), "y", most=most)
    assert (found.sampling_error > 0) == sampled


def test_settings_of_arviz_do_not_matter():
    tree = tree_of(60)
    with az.rc_context({"stats.ic_pointwise": False}):
        for most in (60, 20):
            found = leave_one_out(tree, "y", most=most)
            assert found.pointwise.pareto_k.shape == (most,)
            assert sorted(found.pointwise.log_weights.shape) == sorted((4, 250, most))


def test_the_sample_has_what_leave_one_out_reads_along_rows_with_its_coordinates():
    made = tree_of(60, (12, 5))
    tree = xr.DataTree.from_dict(
        {g: made[g].to_dataset().assign_coords(draw=np.arange(250) + 7) for g in made.children}
    )
    tree["posterior_predictive"] = xr.DataTree(tree["posterior_predictive"].to_dataset().assign(z=0.0))
    tree["other"] = xr.DataTree(xr.Dataset({"a": 1}))
    small = leave_one_out(tree, "y", most=20).tree
    chosen = np.sort(np.random.default_rng(1).choice(60, 20, replace=False))
    assert set(small.children) == {"posterior", "log_likelihood", "posterior_predictive", "observed_data"}
    for group in ("log_likelihood", "posterior_predictive"):
        assert set(small[group].data_vars) == {"y"}
        assert small[f"{group}/y"].dims == ("chain", "draw", "row")
        np.testing.assert_array_equal(small[f"{group}/y"], tree[f"{group}/y"].values.reshape(4, 250, 60)[..., chosen])
        np.testing.assert_array_equal(small[f"{group}/draw"], np.arange(250) + 7)
    np.testing.assert_array_equal(small["observed_data/y"], tree["observed_data/y"].values.ravel()[chosen])
    np.testing.assert_array_equal(small["posterior/mu"], tree["posterior/mu"])


def test_groups_that_are_missing_or_of_another_shape_are_left_out():
    tree = tree_of(60)
    tree["posterior_predictive"] = xr.DataTree(xr.Dataset({"z": (("chain", "draw"), np.zeros((4, 250)))}))
    vectors = np.zeros((60, 2))
    tree["observed_data"] = xr.DataTree(xr.Dataset({"y": (("y_dim_0", "side"), vectors)}))
    found = leave_one_out(tree, "y", most=20)
    assert set(found.tree.children) == {"posterior", "log_likelihood"}
    alone = xr.DataTree.from_dict({name: tree[name].to_dataset() for name in ("posterior", "log_likelihood")})
    assert leave_one_out(alone, "y", most=20).elpd == found.elpd
