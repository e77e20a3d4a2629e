"""Studies of data sets from a user's function: against least squares, with new covariates and groups, and what is refused."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

from pp_mlekl.estimation.find_mle_map import find_map
from pp_mlekl.simulation import own_data
from pp_mlekl.simulation.study import study

TRUTH = {"b": [1.0, 2.0], "sigma": 0.8}


def line_data(n, truth, random_seed):
    generator = np.random.default_rng(random_seed)
    x = generator.normal(size=n)
    mean = truth["b"][0] + truth["b"][1] * x
    return pd.DataFrame({"x": x, "y": generator.normal(mean, truth["sigma"])})


def line(data):
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=2)
        sigma = pm.HalfNormal("sigma", 3)
        pm.Normal("y", b[0] + b[1] * data["x"].to_numpy(), sigma, observed=data["y"])
    return model


def line_with_containers(rows=30):
    with pm.Model() as model:
        b = pm.Normal("b", 0, 5, shape=2)
        x = pm.Data("x", np.linspace(-1, 1, rows))
        sigma = pm.HalfNormal("sigma", 3)
        pm.Normal("y", b[0] + b[1] * x, sigma, observed=np.zeros(rows))
    return model


@pytest.fixture(autouse=True)
def few_data_sets_for_the_information(monkeypatch):
    """A builder takes most of the time of these tests."""
    monkeypatch.setattr(own_data, "_PILOT", 8)


class Recorded:
    """A ``simulate`` that keeps the data sets that it has drawn."""

    def __init__(self, function):
        self.function, self.drawn = function, []

    def __call__(self, n, truth, random_seed):
        self.drawn.append(self.function(n, truth, random_seed))
        return self.drawn[-1]


def least_squares(data):
    design = np.stack([np.ones(len(data)), data["x"]], axis=1)
    b, residual, *_ = np.linalg.lstsq(design, data["y"], rcond=None)
    return [*b, np.sqrt(residual[0] / len(data))]


@pytest.mark.parametrize("build", [line, line_with_containers()], ids=["function of the data", "pm.Data"])
def test_estimates_of_new_covariates_are_those_of_least_squares(build):
    simulate = Recorded(line_data)
    tree = study(build, TRUTH, simulate=simulate, sizes=[30], replicates=20, random_seed=1)
    exact = np.array([least_squares(data) for data in simulate.drawn[-20:]])
    replicates = tree["replicates"].to_dataset().isel(size=0, estimator=0)
    assert replicates["exists"].all()
    np.testing.assert_allclose(replicates["b"], exact[:, :2], rtol=1e-6)
    np.testing.assert_allclose(replicates["sigma"], exact[:, 2], rtol=1e-6)
    np.testing.assert_allclose(tree["summary/bias"].values.ravel(), exact.mean(axis=0) - [1, 2, 0.8], atol=1e-7)


def test_coverage_of_random_covariates():
    tree = study(line_with_containers(), TRUTH, simulate=line_data, sizes=[30], replicates=2000, random_seed=2)
    # The probability that |t(28) 28^.5 / 30^.5| is below the normal quantile.
    exact = 0.9320
    covered = tree["summary/coverage_naive"].sel(parameter=["b[0]", "b[1]"])
    assert np.all(np.abs(covered - exact) < 4.5 * np.sqrt(exact * (1 - exact) / 2000))
    assert "coverage_sandwich" not in tree["summary"]
    assert "kl" not in tree["summary"]


def test_rows_change_with_the_size():
    simulate = Recorded(line_data)
    tree = study(line, TRUTH, simulate=simulate, sizes=[10, 20], replicates=5, random_seed=3)
    last = simulate.drawn[-5:]
    assert len(last[0]) == 20
    np.testing.assert_allclose(tree["replicates/b"][1, 0], [least_squares(d)[:2] for d in last], rtol=1e-6)


def group_data(n, truth, random_seed):
    """Three observations in each of n new groups, in random order."""
    generator = np.random.default_rng(random_seed)
    effect = generator.normal(truth["mu"], truth["tau"], size=n)
    group = generator.permutation(np.repeat(np.arange(n), 3))
    return xr.Dataset({"group": ("row", group), "y": ("row", generator.normal(effect[group], 1.0))})


def groups(data):
    group = data["group"].values
    with pm.Model(coords={"group": np.unique(group)}) as model:
        mu = pm.Normal("mu", 0, 3)
        tau = pm.HalfNormal("tau", 3)
        offset = pm.Normal("offset", 0, 1, dims="group")
        pm.Normal("y", mu + tau * offset[group], 1.0, observed=data["y"].values)
    return model


def test_new_groups():
    """The effects of new groups have no fixed true values; the estimates of the others are those of each data set alone."""
    simulate = Recorded(group_data)
    truth = {"mu": 1.0, "tau": 1.5}
    settings = {"estimators": ["map_unconstrained", "laplace"], "sizes": [12], "replicates": 30, "draws": 400}
    tree = study(groups, truth, simulate=simulate, random_seed=4, **settings)
    assert list(tree["summary"]["parameter"].values) == ["mu", "tau"]
    assert "offset" not in tree["replicates"]
    replicates = tree["replicates"].to_dataset().isel(size=0, replicate=-1).sel(estimator="map_unconstrained")
    alone = find_map(groups(simulate.drawn[-1]), space="unconstrained", random_seed=1)
    for name in truth:
        assert replicates[name].item() == pytest.approx(alone.values[name].item(), rel=1e-5)
    # A group's mean has the variance tau^2 + 1/3.
    error = np.sqrt((1.5**2 + 1 / 3) / 12)
    laplace = tree["summary"].to_dataset().sel(size=12, estimator="laplace", parameter="mu")
    assert abs(laplace["bias"]) < 4.5 * error / np.sqrt(30)
    assert laplace["rmse"] == pytest.approx(error, rel=0.4)
    assert laplace["coverage_credible"] > 0.85


def test_the_mle_of_what_the_likelihood_does_not_contain_is_missing():
    with pm.Model() as centred:
        tau = pm.HalfNormal("tau", 3)
        theta = pm.Normal("theta", 0, tau, shape=4)
        pm.Normal("y", theta, 1.0, observed=np.zeros(4))
    tree = study(centred, {"tau": 1.5, "theta": [0.0, 1.0, 2.0, 3.0]}, sizes=[8], replicates=4, random_seed=4)
    assert np.isnan(tree["replicates/tau"]).all()
    assert np.isfinite(tree["replicates/theta"]).all()


def test_separated_data_have_no_fit():
    def simulate(n, truth, random_seed):
        generator = np.random.default_rng(random_seed)
        x = generator.normal(size=n)
        return {"x": x, "y": (x > 0) if random_seed % 2 else generator.integers(2, size=n)}

    with pm.Model() as model:
        x = pm.Data("x", np.zeros(40))
        b = pm.Normal("b", 0, 2)
        pm.Bernoulli("y", logit_p=b * x, observed=np.arange(40) % 2)
    recorded = Recorded(simulate)
    tree = study(model, {"b": 0.0}, simulate=recorded, sizes=[40], replicates=20, random_seed=1)
    separated = [bool(np.all((d["x"] > 0) == d["y"])) for d in recorded.drawn[-20:]]
    assert 3 < sum(separated) < 17
    np.testing.assert_array_equal(tree["replicates/exists"].values.ravel(), ~np.array(separated))


def test_a_study_of_own_data_goes_on(tmp_path):
    settings = {"simulate": line_data, "sizes": [12], "replicates": 300, "random_seed": 5}
    model = line_with_containers(12)
    whole = study(model, TRUTH, **settings)

    class Stop(Exception):
        pass

    def stop(line):
        raise Stop

    with pytest.raises(Stop):
        study(model, TRUTH, store=tmp_path / "s.zarr", progress=stop, **settings)
    again = study(model, TRUTH, store=tmp_path / "s.zarr", **settings)
    xr.testing.assert_identical(again["summary"].to_dataset(), whole["summary"].to_dataset())

    def other(n, truth, random_seed):
        return line_data(n, truth, random_seed)

    with pytest.raises(ValueError, match="simulate"):
        study(model, TRUTH, store=tmp_path / "s.zarr", **settings | {"simulate": other})


def returning(data):
    return lambda n, truth, random_seed: data


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"compute": ["kl"]}, "kl"),
        ({"intervals": ["parametric_bootstrap"]}, "parametric_bootstrap"),
        ({"covariates": "resampled"}, "covariates"),
        ({"simulate": returning({"y": np.zeros(30), "z": 1})}, "z"),
        ({"simulate": returning({"x": np.zeros(30)})}, "by name"),
        ({"simulate": returning(None)}, "None"),
        ({"simulate": returning({"y": np.zeros(29)})}, r"\(29,\)"),
        ({"truth": {"b": [1.0, 2.0, 3.0]}, "simulate": returning(np.zeros(30))}, "none of the model's parameters"),
        ({"truth": {"sigma": -1.0}, "simulate": returning(np.zeros(30))}, "support"),
    ],
)
def test_what_is_refused(arguments, message):
    settings = {"truth": TRUTH, "simulate": line_data, "sizes": [30], "replicates": 3, "random_seed": 1} | arguments
    with pytest.raises((TypeError, ValueError), match=message):
        study(line_with_containers(), **settings)


def test_a_simulator_is_a_function():
    with pytest.raises(TypeError, match="simulate must be a function"):
        study(line_with_containers(), TRUTH, simulate=3, sizes=[30], replicates=3)


def test_models_that_differ_in_more_than_their_data_are_refused():
    def by_data(data):
        with pm.Model() as model:
            b = pm.Normal("b", 0, 5, shape=2)
            slope = b[1] if data["x"][0] > 0 else pm.math.exp(b[1])
            pm.Normal("y", b[0] + slope * data["x"].to_numpy(), 1, observed=data["y"])
        return model

    def with_data_in_the_prior(data):
        with pm.Model() as model:
            b = pm.Normal("b", data["y"].mean(), 5)
            pm.Normal("y", b, 1, observed=data["y"])
        return model

    settings = {"simulate": line_data, "sizes": [10], "replicates": 3, "random_seed": 1}
    with pytest.raises(ValueError, match="more than their data"):
        study(by_data, TRUTH, **settings)
    with pytest.raises(ValueError, match="prior depends on the data"):
        study(with_data_in_the_prior, {"b": 1.0}, **settings | {"simulate": lambda n, t, s: line_data(n, TRUTH, s)})


def test_what_the_builder_returns_must_be_a_model():
    settings = {"simulate": line_data, "sizes": [10], "replicates": 3, "random_seed": 1}
    with pytest.raises(ValueError, match="PyMC model"):
        study(lambda data: 3, TRUTH, **settings)
