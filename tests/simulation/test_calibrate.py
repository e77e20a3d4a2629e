"""Calibration: right posteriors pass at the stated rate, planted faults are found, and stores and workers change nothing."""

import shutil

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from pp_mlekl.simulation import settings
from pp_mlekl.simulation.calibrate import calibrate
from pp_mlekl.simulation.calibration_job import CalibrationJob, error_bar_pits
from pp_mlekl.simulation.calibration_result import Calibration
from pp_mlekl.simulation.posterior_draws import PosteriorDraws
from pp_mlekl.simulation.study import study
from pp_mlekl.simulation.uniform_ranks import joint_p_value, uniformity, wilson

N = 10


def normal(prior_sd=1.0, sd=1.0, sign=1.0, n=N):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, prior_sd)
        pm.Normal("y", sign * mu, sd, observed=np.zeros(n))
    return model


def regression():
    x = np.random.default_rng(1).normal(size=(60, 2))
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 2, shape=2)
        spread = pm.HalfNormal("spread", 2)
        pm.Normal("y", x @ slope, spread, observed=np.zeros(60))
    return model


NORMAL = normal()


def exact(data, generator, *, used=N, wider=1.0, shift=0.0, weight=1.0, draws=200):
    """Draws of the posterior of ``normal()``, with faults."""
    y = np.ravel(data["y"])[:used]
    precision = 1 + weight * len(y)
    sd = 1 / np.sqrt(precision)
    return {"mu": weight * y.sum() / precision + sd * (shift + wider * generator.normal(size=draws))}


def stuck(data, generator):
    return {"mu": np.repeat(exact(data, generator)["mu"][:4], 50)}


def with_fault(**fault):
    return lambda data, generator: exact(data, generator, **fault)


FAULTS = {
    # Ten observations would say too much for the prior to show.
    "a prior that is too wide": {"build": normal(n=2), "truth": normal(prior_sd=0.3, n=2), "draw_posterior": exact},
    "a prior that is too narrow": {"build": normal(n=2), "truth": normal(prior_sd=2.5, n=2), "draw_posterior": exact},
    "observations of a larger spread": {"truth": normal(sd=1.3), "draw_posterior": exact},
    "a swapped sign": {"truth": normal(sign=-1.0), "draw_posterior": exact},
    "half a likelihood": {"draw_posterior": with_fault(weight=0.5)},
    "half of the data": {"draw_posterior": with_fault(used=N // 2)},
    "data counted twice": {"draw_posterior": with_fault(weight=2.0)},
    "no data at all": {"draw_posterior": with_fault(used=0)},
    "draws with 0.85 of the standard deviation": {"draw_posterior": with_fault(wider=0.85)},
    "draws that are shifted by 0.3": {"draw_posterior": with_fault(shift=0.3)},
    "chains that are stuck": {"draw_posterior": stuck},
}
QUICK = ("a swapped sign", "chains that are stuck")


def found_by(seed=1, simulations=500, build=NORMAL, **arguments):
    return calibrate(build, methods=[], simulations=simulations, random_seed=seed, **arguments)


@pytest.mark.parametrize("fault", [pytest.param(f, marks=[pytest.mark.slow] * (f not in QUICK)) for f in FAULTS])
def test_planted_faults_are_found(fault):
    found = found_by(simulations=1000, **FAULTS[fault])
    assert found.p_values["own"] < found.level
    assert "not calibrated" in repr(found)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"wider": 0.5}, "over-confident"),
        ({"wider": 2.0}, "under-confident"),
        ({"shift": 1.0}, "biased high"),
        ({"shift": -1.0}, "biased low"),
    ],
)
def test_the_kind_of_a_fault_is_named(fault, kind):
    found = found_by(simulations=300, draw_posterior=with_fault(**fault))
    assert found.table.loc[("own", "mu"), "verdict"] == kind
    assert any(kind in sentence for sentence in found.sentences())


@pytest.mark.slow
def test_false_alarms_have_the_stated_rate():
    alarms = [
        found_by(seed=seed, simulations=100, level=0.1, draw_posterior=exact).p_values["own"] < 0.1
        for seed in range(200)
    ]
    # At most 0.1, by four standard errors.
    assert np.mean(alarms) < 0.1 + 4 * np.sqrt(0.1 * 0.9 / 200)


def test_the_test_of_uniformity_has_its_level():
    generator = np.random.default_rng(2)
    p_values = np.array([uniformity(generator.uniform(size=200)).p_value for _ in range(2000)])
    for level in (0.01, 0.05, 0.2):
        error = np.sqrt(level * (1 - level) / 2000)
        assert level - 0.2 * level - 4 * error < np.mean(p_values <= level) < level + 4 * error


def test_quantities_without_ranks_are_not_tested():
    assert np.isnan(uniformity(np.full(10, np.nan)).p_value)
    assert uniformity(np.array([0.4, np.nan])).kind(0.05) == "not tested"
    assert joint_p_value(np.array([0.2, np.nan, 0.01])) == pytest.approx(0.02)
    assert np.isnan(joint_p_value(np.array([np.nan])))


@pytest.mark.parametrize(("successes", "count"), [(0, 20), (7, 20), (20, 20), (950, 1000)])
def test_wilson_intervals_are_those_of_statsmodels(successes, count):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    expected = proportion.proportion_confint(successes, count, method="wilson")
    np.testing.assert_allclose(wilson(np.array(successes), np.array(count)), expected, atol=1e-12)


def test_exact_methods_are_calibrated_for_a_normal_model():
    found = calibrate(
        NORMAL, methods=["laplace", "laplace_corrected", "mle"], simulations=400, draw_posterior=exact, random_seed=4
    )
    assert min(p for m, p in found.p_values.items() if m != "mle") > found.level
    # The intervals of the likelihood alone are 1.05 times too wide for parameters from the prior.
    assert found.table.loc[("mle", "mu"), "ranks"] == 400
    assert found.statuses.loc["laplace", "converged"] == 400
    np.testing.assert_allclose(found.tree["simulations/pareto_k"].sel({"method": "laplace"}), np.nan)


def test_error_bars_of_importance_sampling_are_tested():
    found = calibrate(regression(), methods=["laplace_corrected"], simulations=400, random_seed=3)
    names = found.table.index.get_level_values("quantity")
    assert [f"error bar of {n}" in names for n in ("log_evidence", "information_gain")] == [True, True]
    assert found.p_values["laplace_corrected"] > found.level
    pits = found.tree["simulations/pit_error_bar"].values
    assert np.nanmin(pits) > 0
    assert np.nanmax(pits) < 1


def test_posterior_calibration_keeps_the_observed_data():
    y = np.random.default_rng(5).normal(2.0, 1.0, size=N)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1)
        pm.Normal("y", mu, 1, observed=y)
    draws = y.sum() / (N + 1) + np.random.default_rng(6).normal(size=(4, 1000)) / np.sqrt(N + 1)
    idata = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), draws)})})

    def both(data, generator):
        return exact(data, generator, used=2 * N)

    def new_alone(data, generator):
        return exact({"y": data["y"][1]}, generator)

    arguments = {"idata": idata, "simulations": 300, "random_seed": 7}
    right = calibrate(model, methods=["laplace"], draw_posterior=both, **arguments)
    assert min(right.p_values.values()) > right.level
    wrong = calibrate(model, methods=[], draw_posterior=new_alone, **arguments)
    assert wrong.p_values["own"] < wrong.level


def line(rows=20):
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1)
        pm.Normal("y", b * pm.Data("x", np.linspace(-1, 1, rows)), 1, observed=np.zeros(rows))
    return model


def line_data(n, truth, random_seed, sd=1.0):
    generator = np.random.default_rng(random_seed)
    x = generator.gamma(0.5, size=n)
    return {"x": x, "y": generator.normal(truth["b"] * x, sd)}


def line_posterior(data, generator):
    """Exact draws given one or two copies of the data."""
    precision = 1 + np.sum(data["x"] ** 2)
    return {"b": generator.normal(np.sum(data["x"] * data["y"]) / precision, precision**-0.5, size=300)}


def test_data_of_ones_own_have_covariates_of_their_own():
    found = calibrate(
        line(),
        methods=["laplace", "laplace_corrected"],
        draw_posterior=line_posterior,
        simulate=line_data,
        simulations=300,
        random_seed=1,
    )
    # The posterior is normal.
    assert min(found.p_values.values()) > found.level
    other = calibrate(
        line(),
        methods=["laplace"],
        simulate=lambda n, truth, seed: line_data(n, truth, seed, sd=2.0),
        simulations=300,
        random_seed=1,
    )
    assert other.p_values["laplace"] < other.level


def test_data_of_ones_own_come_beside_the_observed_ones():
    data = line_data(20, {"b": 0.7}, 3)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1)
        pm.Normal("y", b * pm.Data("x", data["x"]), 1, observed=data["y"])
    draws = line_posterior(data, np.random.default_rng(4))["b"][None]
    idata = xr.DataTree.from_dict({"posterior": xr.Dataset({"b": (("chain", "draw"), draws)})})
    found = calibrate(
        model,
        methods=["laplace"],
        draw_posterior=line_posterior,
        idata=idata,
        simulate=line_data,
        simulations=300,
        random_seed=5,
    )
    assert min(found.p_values.values()) > found.level


def test_parameters_of_data_of_ones_own_may_come_from_another_model():
    seen = []

    def simulate(n, truth, random_seed):
        seen.append((n, truth["b"]))
        return line_data(n, truth, random_seed)

    with pm.Model() as wide:
        pm.Normal("b", 0, 100)
        pm.Normal("z", 0, 1, observed=[1.0, 2.0])
    calibrate(line(), methods=["laplace"], truth=wide, simulate=simulate, simulations=50, random_seed=1)
    assert {n for n, _ in seen} == {20}
    assert np.std([b for _, b in seen]) > 50


@pytest.mark.parametrize("build", [line(8), pytest.param(regression(), marks=pytest.mark.slow)])
def test_resampled_rows_are_calibrated(build):
    arguments = {"methods": ["laplace_corrected"], "simulations": 300, "random_seed": 6}
    found = calibrate(build, covariates="resampled", **arguments)
    assert found.p_values["laplace_corrected"] > found.level
    assert not found.tree["simulations"].equals(calibrate(build, **arguments).tree["simulations"])


def test_resampled_rows_come_as_often_as_they_were_drawn():
    arguments = {"methods": ["laplace"], "simulations": 500, "random_seed": 6}
    with pm.Model() as one_row_tells:
        b = pm.Normal("b", 0, 1)
        pm.Normal("y", b * np.array([1.0, 0.0]), 0.1, observed=np.zeros(2))
    # In a quarter of the data sets the first row is missing, and the posterior is the prior.
    job = CalibrationJob(
        build=one_row_tells,
        truth=None,
        methods=["laplace"],
        simulations=500,
        draws=20,
        tune=0,
        chains=1,
        root=np.random.SeedSequence(1),
        covariates="resampled",
    )
    _, drawn = job._data(np.zeros((500, 1)), np.random.default_rng(2))
    assert drawn.weights.sum(axis=(1, 2)).tolist() == [2.0] * 500
    assert np.mean(drawn.weights[..., 0].sum(axis=1) == 0) == pytest.approx(0.25, abs=0.06)
    found = calibrate(one_row_tells, covariates="resampled", **arguments)
    assert found.p_values["laplace"] > found.level


def test_a_store_of_a_study_is_none_of_a_calibration(tmp_path):
    path, arguments = tmp_path / "s.zarr", {"random_seed": 8, "store": tmp_path / "s.zarr"}
    study(NORMAL, {"mu": 0.5}, sizes=[5], replicates=5, **arguments)
    with pytest.raises(ValueError, match=r"s\.zarr holds a study, not a calibration, and is not overwritten"):
        calibrate(NORMAL, methods=["laplace"], simulations=10, **arguments)
    shutil.rmtree(path)
    calibrate(NORMAL, methods=["laplace"], simulations=10, **arguments)
    with pytest.raises(ValueError, match="holds a calibration, not a study"):
        study(NORMAL, {"mu": 0.5}, sizes=[5], replicates=5, **arguments)


def test_a_store_does_not_go_on_with_other_data(tmp_path):
    arguments = {"methods": ["laplace"], "simulations": 10, "random_seed": 8, "store": tmp_path / "s.zarr"}
    calibrate(line(), simulate=line_data, **arguments)
    calibrate(line(), simulate=line_data, **arguments)
    for changes in (
        {},
        {"covariates": "resampled"},
        {"simulate": lambda n, truth, seed: line_data(n, truth, seed, sd=2.0)},
    ):
        with pytest.raises(ValueError, match="holds another calibration"):
            calibrate(line(), **arguments | changes)


@pytest.mark.parametrize("seed", [None, 3, np.random.SeedSequence(3), "generator"])
def test_a_store_goes_on_without_a_seed_and_with_its_own(tmp_path, seed):
    def make():
        return np.random.default_rng(3) if seed == "generator" else seed

    arguments = {"methods": ["laplace"], "simulations": 10, "store": tmp_path / "s.zarr"}
    first = calibrate(NORMAL, random_seed=make(), **arguments)
    again = calibrate(NORMAL, random_seed=make(), **arguments)
    xr.testing.assert_identical(first.tree, again.tree)


def test_a_method_without_any_fit_is_not_tested(tmp_path):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("a", 0, 1) + pm.Normal("b", 0, 1), 1, observed=np.zeros(5))
    found = calibrate(model, methods=["mle", "laplace"], simulations=60, random_seed=1)
    assert set(found.table.loc["mle", "verdict"]) == {"not tested"}
    assert set(found.table.loc["laplace", "verdict"]) == {"calibrated"}
    assert np.isnan(found.p_values["mle"])
    assert "mle not tested" in repr(found)
    assert "not tested" in found.to_html(tmp_path / "page.html").read_text()


def test_a_store_changes_nothing(tmp_path):
    path = tmp_path / "calibration.zarr"
    arguments = {"methods": ["laplace", "mle"], "simulations": 300, "random_seed": 8}
    in_memory = calibrate(NORMAL, **arguments)
    lines = []

    def stop(line):
        lines.append(line)
        if line.startswith("2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate(NORMAL, store=path, progress=stop, **arguments)
    stored = calibrate(NORMAL, store=path, **arguments)
    xr.testing.assert_identical(in_memory.tree["simulations"].to_dataset(), stored.tree["simulations"].to_dataset())
    with pytest.raises(ValueError, match="holds another calibration"):
        calibrate(NORMAL, store=path, **arguments | {"simulations": 301})


def test_a_store_does_not_go_on_with_other_draws_or_another_sampler(tmp_path):
    draws = np.random.default_rng(9).normal(size=(1, 40))
    one, other = (
        xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), draws + shift)})})
        for shift in (0.0, 1.0)
    )
    arguments = {"methods": ["laplace"], "simulations": 10, "random_seed": 8}
    calibrate(NORMAL, idata=one, store=tmp_path / "draws.zarr", **arguments)
    with pytest.raises(ValueError, match="holds another calibration"):
        calibrate(NORMAL, idata=other, store=tmp_path / "draws.zarr", **arguments)
    calibrate(NORMAL, draw_posterior=exact, store=tmp_path / "sampler.zarr", **arguments)
    with pytest.raises(ValueError, match="holds another calibration"):
        calibrate(NORMAL, draw_posterior=lambda *a: exact(*a, wider=2.0), store=tmp_path / "sampler.zarr", **arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ["hmc"]}, "among posterior"),
        ({"methods": []}, "at least one"),
        ({"methods": ["mle", "mle"]}, "once each"),
        ({"simulations": 1}, "at least 2"),
        ({"level": 0.0}, "between 0 and 1"),
        ({"methods": ["own"]}, "methods"),
        ({"build": lambda: 3}, "PyMC model"),
        ({"draw_posterior": lambda data, generator: {"nu": np.zeros(9)}}, "mu is missing"),
        ({"draw_posterior": lambda data, generator: {"mu": 0.0}}, "equally many draws"),
        (
            {"draw_posterior": lambda data, generator: {"mu": np.zeros(generator.integers(5, 500))}},
            "equally many draws",
        ),
        ({"truth": normal(n=N + 1)}, rf"y of shape \({N + 1},\)"),
        ({"tune": -1}, "tune"),
        ({"store": "x.nc"}, "ends in .zarr"),
        ({"truth": regression}, "free variable 'mu'"),
        ({"truth": "x"}, "`truth` must be a PyMC model"),
        ({"truth": lambda: 3}, "`truth` must be a PyMC model"),
        ({"covariates": "new"}, "covariates"),
        ({"covariates": "resampled", "simulate": line_data}, "leave `covariates` out"),
        ({"covariates": "resampled", "draw_posterior": exact}, "does not learn which rows"),
        ({"build": lambda data: line(), "simulate": line_data}, "pm.Data"),
        ({"build": line, "simulate": line_data}, "pm.Data"),
        ({"simulate": lambda n, truth, seed: np.zeros(n + 1)}, r"shape \(11,\)"),
        ({"simulate": lambda n, truth, seed: {"z": np.zeros(n)}}, "by name, got z"),
    ],
)
def test_wrong_arguments_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        calibrate(**{"build": NORMAL, "methods": ["mle"], "simulations": 10, "random_seed": 1} | changes)


def test_improper_priors_are_refused():
    with pm.Model() as model:
        pm.Normal("y", pm.Flat("mu"), 1, observed=np.zeros(3))
    with pytest.raises(ValueError, match="improper"):
        calibrate(model, methods=["laplace"], simulations=10)


@pytest.mark.slow
def test_the_posterior_by_nuts_is_calibrated_and_reproducible():
    arguments = {"methods": ["posterior", "laplace_corrected"], "simulations": 200, "random_seed": 9}
    found = calibrate(regression(), **arguments)
    assert isinstance(found, Calibration)
    assert found.p_values["posterior"] > found.level
    nuts = found.tree["simulations"].to_dataset().sel({"method": "posterior"})
    assert nuts["rhat"].median() < 1.01
    assert nuts["ess"].min() > 50
    assert nuts["divergences"].sum() == 0
    again = calibrate(regression(), **arguments | {"simulations": 200})
    xr.testing.assert_identical(found.tree, again.tree)


def test_other_versions_read_a_finished_store_but_do_not_continue_an_unfinished_one(tmp_path, monkeypatch):
    path = tmp_path / "calibration.zarr"
    arguments = {"methods": ["laplace"], "simulations": 300, "random_seed": 8, "store": path}

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate(NORMAL, progress=stop, **arguments)
    with monkeypatch.context() as other:
        other.setattr(settings, "version", lambda _: "99")
        with pytest.raises(ValueError, match="begun with other versions"):
            calibrate(NORMAL, **arguments)
    whole = calibrate(NORMAL, **arguments)
    monkeypatch.setattr(settings, "version", lambda _: "99")
    again = calibrate(NORMAL, **arguments)
    assert again.tree.attrs["versions"] == whole.tree.attrs["versions"]
    assert again.p_values == whole.p_values


def test_error_bars_of_draws_without_a_finite_density_are_not_tested():
    """A half of the draws may have no finite density, or both; the others are as without them."""
    generator = np.random.default_rng(3)
    ratio = generator.normal(size=(4, 40))
    ratio[1, :20] = ratio[2] = -np.inf
    shared = {"z": np.zeros((4, 40, 1)), "weights": np.full((4, 40), 1 / 40), "log_likelihood": ratio - 1.0}
    exists, status = np.ones(4, dtype=bool), np.zeros(4, dtype=np.int8)
    found = error_bar_pits(PosteriorDraws(**shared, exists=exists, status=status, diagnostics={}, log_ratio=ratio))
    assert np.isnan(found[1:3]).all()
    assert ((found[[0, 3]] > 0) & (found[[0, 3]] < 1)).all()
