"""Draws are matched to the model by names and labels by every function that takes them; what does not match is refused."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pp_mlekl as mk
from pp_mlekl.pymc_model.draws.match_posterior import matched_posterior, unconstrained_draws
from pp_mlekl.pymc_model.draws.sampling import ensure_groups
from pp_mlekl.pymc_model.model_functions import model_functions

# y ~ N(theta, 1) and theta ~ N(0, 3^2) make y ~ N(0, 10); the posterior is N(0.9 y, 0.9).
Y = np.array([0.0, 5.0, -5.0])
EXACT_EVIDENCE = float(-0.5 * np.sum(Y**2) / 10 - 1.5 * np.log(2 * np.pi * 10))
EXACT_KL = float(np.sum(0.5 * (0.1 + (0.9 * Y) ** 2 / 9 - 1 + np.log(10))))


def test_the_exact_numbers():
    assert round(EXACT_EVIDENCE, 4) == -8.7107
    assert round(EXACT_KL, 3) == 4.354


@pytest.fixture(scope="module")
def model():
    with pm.Model(coords={"g": ["a", "b", "c"]}) as model:
        theta = pm.Normal("theta", 0, 3, dims="g")
        pm.Normal("y", theta, 1, observed=Y, dims="g")
    return model


@pytest.fixture(scope="module")
def draws():
    values = 0.9 * Y + np.sqrt(0.9) * np.random.default_rng(1).normal(size=(4, 1000, 3))
    return xr.Dataset({"theta": (("chain", "draw", "g"), values)}, coords={"g": ["a", "b", "c"]})


def tree_of(dataset):
    return xr.DataTree.from_dict({"posterior": dataset})


SAME = {
    "permuted": lambda ds: ds.isel(g=[2, 0, 1]),
    "transposed": lambda ds: ds.transpose("g", "draw", "chain"),
    "unlabelled": lambda ds: ds.drop_vars("g"),
    "other variables": lambda ds: ds.assign(more=ds["theta"].isel(g=0).expand_dims("k")),
    "labels as objects": lambda ds: ds.assign_coords(g=np.array(["a", "b", "c"], dtype=object)),
}
# What each of them does to the draws, and what its message has to name.
REFUSED = {
    "foreign label": (lambda ds: ds.assign_coords(g=["a", "b", "z"]), "z"),
    "label twice": (lambda ds: ds.assign_coords(g=["a", "b", "b"]), "theta"),
    "missing label": (lambda ds: ds.isel(g=[0, 1]), "theta"),
    "foreign dim": (lambda ds: ds.rename(g="h"), "theta"),
    "extra dim": (lambda ds: ds.expand_dims("extra"), "extra"),
    "no chain": (lambda ds: ds.isel(chain=0), "chain"),
    "no draw": (lambda ds: ds.isel(draw=0), "draw"),
    "stacked": (lambda ds: ds.stack(sample=["chain", "draw"]), "chain"),
    "no variable": (lambda ds: ds.rename(theta="eta"), "theta"),
    "no draws": (lambda ds: ds.isel(draw=slice(0)), "one draw"),
}


@pytest.mark.parametrize("name", SAME)
def test_same_draws_in_another_form_are_the_same(model, draws, name):
    functions = model_functions(model)
    expected = draws["theta"].values
    found = matched_posterior(functions, tree_of(SAME[name](draws)))["theta"]
    assert found.dims == ("chain", "draw", "g")
    assert list(found["g"].values) == ["a", "b", "c"]
    np.testing.assert_array_equal(found, expected)


def doors(model, idata):
    """The numbers of every function that takes draws, by its name."""
    gain = mk.information_gain(model, idata, random_seed=1)
    fitted = mk.fitted_divergence(
        model,
        {"theta": [0.1, 4.0, -4.0]},
        idata=idata,
        estimators=["posterior_mean", "posterior_predictive"],
        random_seed=1,
    )
    with pm.Model() as other:
        pm.Normal("y", pm.Normal("mu", 0, 3), 5, observed=Y)
    both = mk.compare_models({"a": (model, idata), "b": (other, mk.laplace(other, random_seed=1).tree)}, random_seed=1)
    approximation = mk.laplace(model, random_seed=1)
    groups = ensure_groups(model, idata, ["log_likelihood", "log_prior", "posterior_predictive"], random_seed=1)
    return {
        "log_evidence": float(mk.log_evidence(model, idata, random_seed=1)),
        "joint": float(gain["joint"]["kl_posterior_prior"]),
        "marginal": gain["marginal"]["theta"].values,
        "fitted": fitted["kl"].values,
        "compare_models": both.dataset["log_evidence"].values[0],
        "elpd": both.dataset["elpd_loo"].values[0],
        "kl_from_posterior": float(
            approximation.kl_from_posterior(idata, mk.log_evidence(model, idata, random_seed=1))
        ),
        "log_likelihood": groups["log_likelihood"]["y"].sel(g=["a", "b", "c"]).values,
        "log_prior": groups["log_prior"]["theta"].sel(g=["a", "b", "c"]).values,
        "posterior_predictive": groups["posterior_predictive"]["y"].sel(g=["a", "b", "c"]).values,
        "mle": mk.find_mle(model, idata=idata, random_seed=1).values["theta"].values,
    }


def test_every_function_matches_by_label(model, draws):
    expected = doors(model, tree_of(draws))
    found = doors(model, tree_of(SAME["permuted"](draws)))
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert expected["log_evidence"] == pytest.approx(EXACT_EVIDENCE, abs=0.003)
    assert pytest.approx(-8.7107, abs=1e-4) == EXACT_EVIDENCE
    assert expected["joint"] == pytest.approx(EXACT_KL, abs=0.05)
    # KL of each normal posterior from its prior; the draws' means are within a few hundredths.
    np.testing.assert_allclose(expected["marginal"], 0.5 * (0.1 + (0.9 * Y) ** 2 / 9 - 1 + np.log(10)), atol=0.15)


@pytest.mark.parametrize("name", REFUSED)
def test_draws_that_do_not_match_are_refused_in_one_line(model, draws, name):
    change, named = REFUSED[name]
    idata = tree_of(change(draws))
    for of in (
        lambda: mk.log_evidence(model, idata),
        lambda: mk.information_gain(model, idata),
        lambda: mk.fitted_divergence(
            model, {"theta": Y}, idata=idata, estimators=["posterior_predictive"], random_seed=1
        ),
        lambda: mk.find_mle(model, idata=idata, random_seed=1),
        lambda: ensure_groups(model, idata, ["log_likelihood"]),
        lambda: mk.laplace(model, random_seed=1).kl_from_posterior(idata, mk.log_evidence(model, method="laplace")),
    ):
        with pytest.raises(ValueError, match=named) as error:
            of()
        assert "\n" not in str(error.value)


def test_draws_that_are_no_real_numbers_are_refused(model, draws):
    with pytest.raises(TypeError, match="complex"):
        mk.log_evidence(model, tree_of(draws.astype(complex)))


def test_single_precision_and_a_file_give_the_same_numbers(model, draws, tmp_path):
    exact = float(mk.log_evidence(model, tree_of(draws), random_seed=1))
    tree_of(draws.isel(g=[1, 2, 0])).to_netcdf(tmp_path / "draws.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "draws.nc", engine="h5netcdf") as reloaded:
        assert float(mk.log_evidence(model, reloaded.load(), random_seed=1)) == exact
    single = mk.log_evidence(model, tree_of(draws.astype(np.float32)), random_seed=1)
    assert float(single) == pytest.approx(exact, abs=1e-7)
    assert single.warnings == ()


def square():
    with pm.Model(coords={"a": [1, 2], "b": ["u", "v"]}) as model:
        pm.Normal("y", pm.Normal("m", 0, 1, dims=("a", "b")), 1, observed=[[0.0, 4.0], [0.0, 0.0]], dims=("a", "b"))
    values = np.array([[0.0, 2.0], [0.0, 0.0]]) + np.sqrt(0.5) * np.random.default_rng(2).normal(size=(4, 500, 2, 2))
    return model, xr.Dataset({"m": (("chain", "draw", "a", "b"), values)}, coords={"a": [1, 2], "b": ["u", "v"]})


def test_a_square_variable_may_be_stored_transposed():
    model, dataset = square()
    exact = -0.5 * 16 / 2 - 2 * np.log(2 * np.pi * 2)
    for form in (dataset, dataset.transpose("chain", "draw", "b", "a")):
        assert float(mk.log_evidence(model, tree_of(form), random_seed=1)) == pytest.approx(exact, abs=0.01)


def test_dims_without_a_name_are_matched_by_default_names_or_by_place():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("m", 0, 1, shape=(2, 3)).sum(), 1, observed=1.0)
    values = np.random.default_rng(0).normal(size=(2, 5, 2, 3))
    default = xr.Dataset({"m": (("chain", "draw", "m_dim_0", "m_dim_1"), values)})
    functions = model_functions(model)
    reordered = default.assign_coords(m_dim_0=[0, 1]).isel(m_dim_0=[1, 0])
    for form in (default, default.transpose(..., "m_dim_0"), reordered, default.rename(m_dim_0="i", m_dim_1="j")):
        np.testing.assert_array_equal(unconstrained_draws(functions, tree_of(form)).reshape(values.shape), values)
    with pytest.raises(ValueError, match="x, y"):
        matched_posterior(functions, tree_of(default.assign_coords(m_dim_0=["x", "y"])))


def test_labels_of_dates_survive_a_file(tmp_path):
    days = np.array(["2024-01-01", "2024-01-03"], dtype="datetime64[ns]")
    with pm.Model(coords={"day": days}) as model:
        pm.Normal("y", pm.Normal("m", 0, 1, dims="day"), 1, observed=[0.0, 1.0], dims="day")
    values = np.random.default_rng(0).normal(size=(2, 5, 2))
    dataset = xr.Dataset({"m": (("chain", "draw", "day"), values)}, coords={"day": days})
    tree_of(dataset.isel(day=[1, 0])).to_netcdf(tmp_path / "draws.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "draws.nc", engine="h5netcdf") as reloaded:
        found = matched_posterior(model_functions(model), reloaded.load())
    np.testing.assert_array_equal(found["m"], values)


class ForeignArray:
    """What xarray takes for an array, as those of JAX: its values are NumPy's only when they are asked for."""

    def __init__(self, values):
        self.values = values
        self.dtype, self.shape, self.ndim, self.size = values.dtype, values.shape, values.ndim, values.size

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError("not NumPy's")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        raise TypeError("not NumPy's")

    def __getitem__(self, key):
        return ForeignArray(self.values[key])


def test_arrays_of_another_library(model, draws):
    foreign = xr.DataArray(ForeignArray(draws["theta"].values), dims=draws["theta"].dims, coords=draws["theta"].coords)
    found = matched_posterior(model_functions(model), tree_of(xr.Dataset({"theta": foreign})))
    assert isinstance(found["theta"].data, np.ndarray)
    np.testing.assert_array_equal(found["theta"].values, draws["theta"].values)
