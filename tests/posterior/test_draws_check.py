"""Draws that are not the model's posterior are found out, with the variable named; those that are pass."""

from functools import cache

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pp_mlekl as mk
from pp_mlekl.posterior.bridge.stein_test import stein_test
from pp_mlekl.posterior.draws_check import check_draws
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.draws.sampling import ensure_groups, sample
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.utils.warning_attributes import read_warnings

Y = np.array([0.0, 5.0, -5.0])


def build(scale=3.0, y=Y):
    with pm.Model(coords={"g": ["a", "b", "c"]}) as model:
        theta = pm.Normal("theta", 0, scale, dims="g")
        pm.Normal("y", theta, 1, observed=y, dims="g")
    return model


@cache
def usual():
    """The model with its own prior and data."""
    return build()


@pytest.fixture(scope="module")
def sampled():
    return sample(usual(), draws=500, chains=2, random_seed=1)


def exact_draws(scale=3.0, y=Y, seed=1):
    share = scale**2 / (1 + scale**2)
    values = share * y + np.sqrt(share) * np.random.default_rng(seed).normal(size=(4, 1000, len(y)))
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"theta": (("chain", "draw", "g"), values)})})


def checked(model, idata):
    functions = model_functions(model)
    return check_draws(functions, idata, unconstrained_draws(functions, idata))


def test_right_draws_pass():
    model = usual()
    for seed in range(5):
        check = checked(model, exact_draws(seed=seed))
        assert check.problems == check.cautions == ()


# Draws of a prior with sd 2, values whose labels are permuted, draws of other data.
WRONG = {
    "prior sd 2 for 3": exact_draws(scale=2.0),
    "permuted": exact_draws(y=Y[[2, 0, 1]]),
    "other data": exact_draws(y=np.array([0.5, 5.0, -5.0])),
}


@pytest.mark.parametrize(
    ("idata", "scale", "y"),
    [(exact_draws(scale=2.0), 2.0, Y), (exact_draws(scale=1.0), 1.0, Y), (WRONG["permuted"], 3.0, Y[[2, 0, 1]])],
    ids=["prior sd 2 for 3", "prior sd 1 for 3", "permuted"],
)
def test_scores_are_the_distance_of_the_means_in_standard_errors(idata, scale, y):
    """The gradient is linear in theta: (draws' mean - exact mean) / sd of the draws * sqrt(4,000), 35, 179 and 600 here."""
    functions = model_functions(usual())
    z = unconstrained_draws(functions, idata)
    test = stein_test(z, functions.value_gradient(z, a=1.0, b=1.0)[1], functions.angles)
    share = scale**2 / (1 + scale**2)
    exact = np.abs(share * y - 0.9 * Y) / np.sqrt(share) * np.sqrt(4000)
    # The mean of 4,000 draws is off by one of these standard errors, their standard deviation by 1.1%.
    np.testing.assert_allclose(np.abs(test.scores[-1, 0]), exact, atol=4, rtol=0.045)
    assert test.largest == pytest.approx(exact.max(), rel=0.045, abs=4)


@pytest.mark.parametrize("name", WRONG)
def test_draws_of_another_posterior_give_no_number(name):
    model, idata = usual(), WRONG[name]
    evidence = mk.log_evidence(model, idata, random_seed=1)
    assert np.isnan(float(evidence))
    assert "theta[" in evidence.warnings[0]
    gain = mk.information_gain(
        model, idata, log_evidence=mk.log_evidence(model, exact_draws(), random_seed=1), random_seed=1
    )
    assert np.isnan(float(gain["joint"]["kl_posterior_prior"]))
    assert "theta[" in read_warnings(gain.attrs)[0]


@pytest.mark.parametrize(("idata", "wrong"), [(WRONG["permuted"], True), (exact_draws(), False)])
def test_functions_that_are_defined_for_any_draws_warn(idata, wrong):
    """The predictive of any draws has a divergence; a warning says that the draws are not the model's posterior."""
    model, truth = usual(), {"theta": Y}
    results = [
        mk.fitted_divergence(model, truth, idata=idata, estimators=["posterior_predictive"], random_seed=1),
        mk.without_truth(model, idata, estimators=["mle"], replicates=20, random_seed=1),
    ]
    evidence = mk.log_evidence(model, exact_draws(), random_seed=1)
    said = [*(read_warnings(r.attrs) for r in results), mk.laplace(model).kl_from_posterior(idata, evidence).warnings]
    for warnings in said:
        assert any("do not come from this model" in w and "theta[" in w for w in warnings) == wrong


def cmdstan_tree(values):
    """What a CmdStan tree holds after ArviZ: single precision, lp__ and generated quantities, 1-based labels left out."""
    lp = np.random.default_rng(1).normal(size=values.shape[:2])
    posterior = {
        "theta": (("chain", "draw", "theta_dim_0"), values.astype(np.float32)),
        "lp__": (("chain", "draw"), lp.astype(np.float32)),
        "y_rep": (("chain", "draw", "y_rep_dim_0"), np.zeros(values.shape, dtype=np.float32)),
    }
    stats = {"lp": (("chain", "draw"), lp), "diverging": (("chain", "draw"), np.zeros(lp.shape, dtype=bool))}
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(posterior, attrs={"inference_library": "cmdstanpy"}),
            "sample_stats": xr.Dataset(stats),
        }
    )


def test_a_cmdstan_tree_gives_the_same_numbers():
    """Stan's dims have no names; a model with named dims asks for them (``dims`` of ArviZ's converter)."""
    right = exact_draws()
    values = right["posterior"]["theta"].values
    with pytest.raises(ValueError, match="rename"):
        mk.log_evidence(usual(), cmdstan_tree(values))
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("theta", 0, 3.0, shape=3), 1, observed=Y)
    exact = mk.log_evidence(model, right, random_seed=1)
    found = mk.log_evidence(model, cmdstan_tree(values), random_seed=1)
    assert found.warnings == ()
    assert float(found) == pytest.approx(float(exact), abs=1e-4)
    assert np.isnan(float(mk.log_evidence(model, cmdstan_tree(values[..., [2, 0, 1]]), random_seed=1)))


def test_columns_by_flat_names_are_refused_in_one_line():
    values = exact_draws()["posterior"]["theta"].values
    flat = xr.Dataset({f"theta[{k + 1}]": (("chain", "draw"), values[..., k]) for k in range(3)})
    with pytest.raises(ValueError, match=r"lacks the model's theta; it holds theta\[1\]"):
        mk.log_evidence(usual(), xr.DataTree.from_dict({"posterior": flat}))


def test_only_the_changed_element_is_named():
    (problem,) = checked(usual(), WRONG["other data"]).problems
    assert "theta[a]" in problem


def test_a_foreign_log_likelihood_or_lp_is_detected(sampled):
    model, idata = usual(), sampled
    assert checked(model, idata).problems == ()
    # The same draws with the densities of another model.
    other = build(y=Y + 0.01)
    likelihood = ensure_groups(
        other, xr.DataTree.from_dict({"posterior": idata["posterior"].to_dataset()}), ["log_likelihood"]
    )
    foreign = idata.copy()
    foreign["log_likelihood"] = likelihood["log_likelihood"]
    assert "log_likelihood['y']" in checked(model, foreign).problems[0]
    assert np.isnan(float(mk.log_evidence(model, foreign)))
    assert "logp" in checked(build(scale=3.01), idata).problems[0]
    fewer = idata.copy()
    some = idata["log_likelihood"].to_dataset().isel(draw=slice(0, 100))
    fewer["log_likelihood"] = xr.DataTree(some.assign_coords(draw=np.arange(1000, 1100)))
    assert "log_likelihood['y']" in checked(model, fewer).problems[0]
    # Draws under the posterior's own labels are compared with those.
    fewer["log_likelihood"] = xr.DataTree(some)
    assert checked(model, fewer).problems == checked(model, idata).problems
    fewer["log_likelihood"] = xr.DataTree(some.assign_coords(draw=np.arange(400, 500)))
    assert "log_likelihood['y']" in checked(model, fewer).problems[0]


def test_single_precision_is_accepted(sampled):
    model, idata = usual(), sampled
    single = idata.map_over_datasets(lambda ds: ds.astype(np.float32) if "theta" in ds else ds)
    assert checked(model, single).problems == ()


def test_densities_that_jump_are_not_judged():
    """y uniform below theta: the posterior begins with a jump at the largest observation, where E[g] is not 0."""
    y = np.array([1.0, 2.0, 3.0])
    with pm.Model() as model:
        theta = pm.Pareto("theta", alpha=1.0, m=0.5)
        pm.Uniform("y", 0, theta, observed=y)
    draws = 3.0 * (1 - np.random.default_rng(1).random((4, 1000))) ** (-1 / 4)
    idata = xr.DataTree.from_dict({"posterior": xr.Dataset({"theta": (("chain", "draw"), draws)})})
    assert checked(model, idata).problems == checked(model, idata).cautions == ()


def test_a_constant_parameter_gives_no_number():
    idata = exact_draws()
    idata["posterior"]["theta"].values[..., 1] = 4.5
    evidence = mk.log_evidence(usual(), idata, random_seed=1)
    assert np.isnan(float(evidence))
    assert "theta[b]" in evidence.warnings[0]


def test_a_copied_chain_is_a_caution():
    idata = exact_draws()
    idata["posterior"]["theta"].values[2] = idata["posterior"]["theta"].values[0]
    evidence = mk.log_evidence(usual(), idata, random_seed=1)
    assert np.isfinite(float(evidence))
    assert any("Chains 0 and 2" in w for w in evidence.warnings)


def test_chains_and_draws_in_another_shape_are_checked_again():
    model = usual()
    values = exact_draws()["posterior"]["theta"].values
    reshaped = values.reshape(8, 500, 3).copy()
    reshaped[5] = values.reshape(8, 500, 3)[4]
    for shape in ((8, 500, 3), (4, 1000, 3)):
        dataset = xr.Dataset({"theta": (("chain", "draw", "g"), reshaped.reshape(shape))})
        check = checked(model, xr.DataTree.from_dict({"posterior": dataset}))
        assert any("Chains 4 and 5" in c for c in check.cautions) == (shape[0] == 8)
