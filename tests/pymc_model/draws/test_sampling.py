"""Groups of draws: what PyMC itself computes for them, seeds, what is kept and what is left out."""

import logging
import os
import subprocess
import sys

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from pytensor import config
from pytensor.compile.mode import Mode

from models import eight_schools, naive_bayes_iris
from pp_mlekl.pymc_model.draws.sampling import GROUPS, _was_interrupted, ensure_groups, sample
from pp_mlekl.pymc_model.model_functions import model_functions


@pytest.fixture(scope="module")
def model():
    return eight_schools.build_noncentered()


@pytest.fixture(scope="module")
def tree(model):
    return sample(model, draws=100, chains=2, random_seed=3, tune=100)


def from_prior(model, draws=50, chains=2):
    """A tree whose posterior group holds draws from the prior: any draws serve where no sampler is tested."""
    functions = model_functions(model)
    z = functions.prior_draws(draws * chains, np.random.default_rng(5)).reshape(chains, draws, -1)
    posterior = functions.dataset(z, ("chain", "draw"))
    return xr.DataTree.from_dict({"posterior": posterior.assign_coords(chain=range(chains), draw=range(draws))})


def test_every_group_is_there(tree):
    assert set(GROUPS) | {"posterior", "sample_stats"} <= set(tree.children)
    assert {tree[g].sizes["draw"] for g in ("posterior", "log_likelihood", "log_prior", "posterior_predictive")} == {
        100
    }
    assert tree["prior"].sizes["draw"] == 200
    assert {"theta", "offset", "mu", "tau"} == set(tree["prior"].data_vars)


def test_versions_seed_and_sampler_are_recorded(tree):
    assert tree.attrs["random_seed"] == "3"
    assert tree.attrs["sampler"] == "nutpie"
    assert tree.attrs["pymc_version"] == pm.__version__


def test_same_seed_same_numbers(model, tree):
    again = sample(model, draws=100, chains=2, random_seed=3, tune=100)
    for group in (*GROUPS, "posterior"):
        assert tree[group].equals(again[group])


def test_labels_are_the_models_own(tree):
    for group in ("posterior", "prior", "log_likelihood", "posterior_predictive", "observed_data"):
        assert list(tree[group]["school"].values) == eight_schools.SCHOOLS


def test_log_densities_agree_with_pymc(model, tree):
    with model:
        posterior = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset()})
        likelihood = pm.stats.compute_log_likelihood(posterior, extend_inferencedata=False, progressbar=False)
        prior = pm.stats.compute_log_prior(posterior, extend_inferencedata=False, progressbar=False)
    xr.testing.assert_allclose(tree["log_likelihood"]["effect"], likelihood["effect"])
    for name in ("mu", "tau", "offset"):
        xr.testing.assert_allclose(tree["log_prior"][name], prior[name])


def test_existing_groups_are_kept(model, tree):
    prior = xr.DataTree(tree["prior"].to_dataset() * 0 + 1)
    given = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset(), "prior": prior.to_dataset()})
    result = ensure_groups(model, given, random_seed=1)
    assert result["prior"].equals(prior)
    assert set(given.children) == {"posterior", "prior"}


def test_prior_predictive_alone_needs_no_prior_group(model, tree):
    given = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset()})
    result = ensure_groups(model, given, ["prior_predictive"], random_seed=1)
    assert set(result.children) == {"posterior", "prior_predictive"}


def test_prior_that_allows_data_too_large_for_a_number():
    with pm.Model() as model:
        rate = pm.Normal("log_rate", 0, 50)
        pm.Poisson("y", pm.math.exp(rate), observed=[3, 5])
    draws = xr.Dataset({"log_rate": (("chain", "draw"), np.log(np.full((1, 20), 4.0)))})
    tree = ensure_groups(model, xr.DataTree.from_dict({"posterior": draws}), random_seed=1)
    assert "prior_predictive" not in tree.children
    assert {"prior", "posterior_predictive"} <= set(tree.children)
    assert (
        tree.attrs["prior_predictive_left_out"] == "The prior allows data that cannot be drawn (lam value too large)."
    )


def test_improper_prior_has_no_prior_groups():
    with pm.Model() as model:
        mu = pm.Flat("mu")
        pm.Normal("y", mu, 1, observed=[0.0, 1.0])
    given = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), np.zeros((1, 3)))})})
    given = given.assign(
        {"posterior": xr.DataTree(given["posterior"].to_dataset().assign_coords(chain=[0], draw=range(3)))}
    )
    assert {"prior", "prior_predictive"}.isdisjoint(ensure_groups(model, given).children)


@pytest.mark.parametrize("potentials", ["prior", "likelihood"])
def test_potentials_count_where_the_argument_says(potentials):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Potential("tilt", -(mu**2))
        pm.Normal("y", mu, 1, observed=[0.0, 1.0])
    posterior = xr.Dataset({"mu": (("chain", "draw"), [[0.5, -1.0]])}, coords={"chain": [0], "draw": [0, 1]})
    functions = model_functions(model, potentials)
    given = xr.DataTree.from_dict({"posterior": posterior})
    result = ensure_groups(model, given, random_seed=1, functions=functions)
    assert ("prior" in result.children) == (potentials == "likelihood")
    np.testing.assert_allclose(result[f"log_{potentials}"]["tilt"].values.ravel(), [-0.25, -1.0])
    assert set(result["posterior_predictive"].data_vars) == {"y"}


@pytest.mark.slow
def test_divergent_draws_come_back_from_a_file(tmp_path):
    # The centred form diverges at long steps: the sampler's messages are then text and nothing, mixed.
    result = sample(eight_schools.build(), draws=500, chains=2, random_seed=1, target_accept=0.5)
    assert int(result["sample_stats"]["diverging"].sum()) > 0
    result.to_netcdf(tmp_path / "draws.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "draws.nc", engine="h5netcdf") as stored:
        assert result.equals(stored.load())


def test_wrong_use_gets_one_line(model, tree):
    with pytest.raises(ValueError, match="draws must be a positive integer"):
        sample(model, draws=0)
    with pytest.raises(ValueError, match="Unknown groups nonsense"):
        ensure_groups(model, tree, ["nonsense"])
    with pytest.raises(ValueError, match="posterior"):
        ensure_groups(model, xr.DataTree())


def several():
    """Observed variables of many kinds: discrete, multivariate, censored, mixed, on data of several shapes."""
    with pm.Model(coords={"row": ["a", "b", "c"], "kind": ["x", "y", "z"]}) as model:
        level = pm.Normal("level", 1, 0.3)
        p = pm.Dirichlet("p", np.array([4.0, 3.0, 2.0]), dims="kind")
        scale = pm.LogNormal("scale", 0, 0.2, dims="row")
        pm.Poisson("counts", pm.math.exp(level), observed=np.ones((3, 2), dtype=int))
        pm.Categorical("kind_of_row", p, observed=[0, 1, 2], dims="row")
        pm.Multinomial("shares", n=10, p=p, observed=[[5, 3, 2], [4, 4, 2]])
        pm.MvNormal("pair", mu=[0, 1], cov=np.array([[2.0, 0.5], [0.5, 1.0]]) * scale[0], observed=np.zeros((4, 2)))
        pm.Gamma("positive", mu=scale, sigma=0.5, observed=[1.0, 2.0, 0.5], dims="row")
        pm.Censored("cut", pm.Normal.dist(level, scale), lower=0.5, upper=None, observed=[0.5, 1.0, 2.0], dims="row")
        pm.ZeroInflatedPoisson("many_zeros", psi=p[0], mu=3, observed=[0, 0, 4])
        pm.NormalMixture("two", w=[0.3, 0.7], mu=[-level, level], sigma=0.5, observed=[0.1, 1.0])
    return model


@pytest.fixture(scope="module")
def predictive():
    model = several()
    given = from_prior(model, draws=500)
    ours = ensure_groups(model, given, ["posterior_predictive"], random_seed=8)["posterior_predictive"]
    interpreted = {"mode": Mode(linker="py", optimizer="fast_compile")}
    with model, config.change_flags(cxx=""):
        tree = pm.sample_posterior_predictive(given, random_seed=9, progressbar=False, compile_kwargs=interpreted)
    theirs = tree["posterior_predictive"]
    return ours.to_dataset(), theirs.to_dataset()


@pytest.mark.parametrize("name", ["counts", "kind_of_row", "shares", "pair", "positive", "cut", "many_zeros", "two"])
@pytest.mark.parametrize("power", [1, 2])
def test_predictive_draws_agree_with_pymc(predictive, name, power):
    ours, theirs = (dataset[name].stack(s=("chain", "draw")).astype(float) ** power for dataset in predictive)
    assert ours.shape == theirs.shape
    error = np.sqrt(ours.var("s") / ours.sizes["s"] + theirs.var("s") / theirs.sizes["s"])
    assert np.all(np.abs((ours.mean("s") - theirs.mean("s")).values) < 4.5 * error.values)


def test_predictive_draws_keep_dims_and_types(predictive):
    ours, theirs = predictive
    for name in theirs.data_vars:
        assert ours[name].dims == theirs[name].dims
        assert ours[name].dtype.kind == theirs[name].dtype.kind


def test_rows_of_a_multivariate_observation_vary_together(predictive):
    pair = predictive[0]["pair"].values.reshape(-1, 4, 2)
    correlation = np.corrcoef(pair[:, 1, 0], pair[:, 1, 1])[0, 1]
    np.testing.assert_allclose(correlation, 0.5 / np.sqrt(2), atol=4.5 / np.sqrt(len(pair)))
    assert abs(np.corrcoef(pair[:, 0, 0], pair[:, 1, 0])[0, 1]) < 4.5 / np.sqrt(len(pair))


def test_unknown_families_are_drawn_by_pymc(caplog):
    caplog.set_level(logging.INFO)
    with pm.Model() as model:
        rho = pm.Uniform("rho", -0.9, 0.9)
        pm.AR("y", rho, sigma=1.0, init_dist=pm.Normal.dist(0, 1), observed=np.array([0.1, 0.4, 0.2, -0.3]))
    result = ensure_groups(model, from_prior(model, draws=20), random_seed=2)
    assert result["posterior_predictive"]["y"].shape == (2, 20, 4)
    assert not [record for record in caplog.records if record.name.startswith("pymc")]


def test_prior_draws_have_the_priors_moments():
    model = naive_bayes_iris.build()
    prior = ensure_groups(model, from_prior(model, draws=2000), ["prior"], random_seed=4)["prior"]
    np.testing.assert_allclose(prior["p"].mean(("chain", "draw")), 1 / 3, atol=0.02)
    np.testing.assert_allclose(prior["mu"].std(("chain", "draw")), 3, atol=0.25)
    np.testing.assert_allclose(prior["sigma"].mean(("chain", "draw")), np.sqrt(2 / np.pi), atol=0.05)


@pytest.mark.slow
def test_the_first_run_draws_what_later_ones_do(tmp_path):
    script = (
        "from models import linear_diabetes\n"
        "from pp_mlekl.pymc_model.draws.sampling import sample\n"
        "print(sample(linear_diabetes.build(), draws=300, chains=2, random_seed=1)['posterior']['slope'].values[:, -1])\n"
    )
    environment = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    command = [sys.executable, "-W", "ignore", "-c", script]
    first, second = (subprocess.run(command, env=environment, capture_output=True, text=True) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_refusals_of_samplers_are_one_line_with_a_remedy(monkeypatch):
    """A sampler that raises an error of several lines, as those written in other languages do."""
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 1), 1, observed=[0.5])

    def fails(*args, **kwargs):
        raise RuntimeError("All initialization points failed\nCaused by: a long trace")

    monkeypatch.setattr(pm, "sample", fails)
    with pytest.raises(ValueError, match="nuts_sampler='pymc'") as error:
        sample(model, random_seed=1)
    assert "\n" not in str(error.value)
    assert "trace" not in str(error.value)


def test_a_chain_that_an_interrupt_left_short_counts_as_an_interrupt():
    values = np.random.default_rng(1).normal(size=(2, 10))
    whole = xr.Dataset({"mu": (("chain", "draw"), values)})
    # Nutpie fills a shorter chain up with NaN.
    values = values.copy()
    values[1, 7:] = np.nan
    padded = xr.Dataset({"mu": (("chain", "draw"), values)})
    assert not _was_interrupted(whole, 10)
    assert _was_interrupted(whole, 11)
    assert _was_interrupted(padded, 10)
