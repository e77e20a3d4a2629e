"""What may stand for the truth, and the one-line errors for what may not."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.pymc_model.model_functions import model_functions


@pytest.fixture(scope="module")
def functions():
    with pm.Model(coords={"group": ["a", "b", "c"], "row": range(6)}) as model:
        mu = pm.Normal("mu", 0, 1, dims="group")
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("y", mu[np.array([0, 0, 1, 1, 2, 2])], sigma, observed=np.arange(6.0), dims="row")
    return model_functions(model)


PARAMETERS = {"mu": [1.0, 2.0, 3.0], "sigma": 0.5}


def test_parameters_as_mapping_dataset_and_transposed_arrays(functions):
    plain = as_truth(functions, PARAMETERS)
    assert plain.kind == "parameters"
    np.testing.assert_allclose(plain.distributions["y"].mu, [1, 1, 2, 2, 3, 3])
    dataset = xr.Dataset({"mu": ("group", [1.0, 2.0, 3.0]), "sigma": 0.5})
    np.testing.assert_array_equal(as_truth(functions, dataset).flat, plain.flat)
    assert as_truth(functions, plain) is plain


@pytest.mark.parametrize(
    "given",
    [
        lambda: pm.Normal.dist(1.0, 2.0),
        lambda: stats.norm(1.0, 2.0),
        lambda: "Normal(1, 2)",
        lambda: {"y": stats.norm(1.0, 2.0)},
    ],
)
def test_one_distribution_for_all_rows(functions, given):
    truth = as_truth(functions, given())
    assert truth.kind == "distribution"
    assert truth.distributions["y"].batch_shape == (6,)
    np.testing.assert_allclose(truth.distributions["y"].log_density(np.zeros(6)), stats.norm(1, 2).logpdf(0))


def test_one_distribution_for_each_row(functions):
    truth = as_truth(functions, pm.Normal.dist(np.arange(6.0), 1.0))
    np.testing.assert_allclose(truth.distributions["y"].log_density(np.arange(6.0)), stats.norm.logpdf(0))


def test_another_model_and_one_with_its_parameters_fixed(functions):
    with pm.Model() as other:
        pm.StudentT("y", nu=4, mu=0, sigma=1, observed=np.zeros(6))
    assert as_truth(functions, other).kind == "model"
    fixed = pm.do(functions.model, {"mu": np.array([1.0, 2.0, 3.0]), "sigma": np.array(0.5)})
    found = as_truth(functions, fixed).distributions["y"]
    np.testing.assert_allclose(found.log_density(np.ones(6)), stats.norm([1, 1, 2, 2, 3, 3], 0.5).logpdf(1))


def test_samples_have_the_shape_of_the_data_and_follow_the_seed(functions):
    truth = as_truth(functions, PARAMETERS)
    one = truth.sample(5, np.random.default_rng(3))["y"]
    assert one.shape == (5, 6)
    np.testing.assert_array_equal(one, truth.sample(5, np.random.default_rng(3))["y"])


def test_held_out_data_of_the_models_rows(functions):
    draws = np.random.default_rng(1).normal(size=(7, 6))
    truth = as_truth(functions, draws)
    assert truth.kind == "draws"
    assert as_truth(functions, draws[0]).draws["y"].shape == (1, 6)
    assert as_truth(functions, {"y": xr.DataArray(draws)}).draws["y"].shape == (7, 6)
    assert np.isin(truth.sample(4, np.random.default_rng(2))["y"][:, 0], draws[:, 0]).all()


@pytest.mark.parametrize(
    ("truth", "error", "message"),
    [
        ({"mu": [1.0, 2.0, 3.0]}, ValueError, "lacks the parameter 'sigma'"),
        ({"mu": [1.0, 2.0, 3.0], "sigma": 1.0, "tau": 1.0}, ValueError, "names 'tau'"),
        ({"mu": [1.0, 2.0], "sigma": 1.0}, ValueError, r"must have shape \(3,\) \(dims group\), got \(2,\)"),
        ({"mu": [1.0, 2.0, 3.0], "sigma": -1.0}, ValueError, "outside the support"),
        (stats.multivariate_normal([0.0, 0.0]), ValueError, "event dimension"),
        (pm.Normal.dist(np.zeros(4), 1.0), ValueError, "broadcast"),
        (np.zeros((2, 5)), ValueError, r"must have shape \(draws, 6\)"),
        (3.5, TypeError, "truth must be a mapping"),
    ],
)
def test_messages_name_the_wrong_entry(functions, truth, error, message):
    with pytest.raises(error, match=message) as caught:
        as_truth(functions, truth)
    assert "\n" not in str(caught.value)


def test_a_true_model_must_have_the_variable_and_no_free_ones(functions):
    with pm.Model() as other:
        pm.Normal("x", 0, 1, observed=np.zeros(6))
    with pytest.raises(ValueError, match="no variable 'y'"):
        as_truth(functions, other)
    with pytest.raises(ValueError, match=r"pm\.do"):
        as_truth(functions, functions.model)


def test_several_observed_variables_want_a_mapping():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=[0.0])
        pm.Normal("z", mu, 1, observed=[0.0])
    functions = model_functions(model)
    with pytest.raises(ValueError, match="mapping from y, z"):
        as_truth(functions, stats.norm())
    with pytest.raises(ValueError, match="lacks the observed variable 'z'"):
        as_truth(functions, {"y": stats.norm()})
