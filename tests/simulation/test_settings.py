"""Settings of a study: what is refused in which words, what is stored, and which intervals are counted."""

from inspect import signature

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.simulation.calibrate import calibrate
from pp_mlekl.simulation.settings import Settings, check_covariates, library_versions, source_of, version
from pp_mlekl.simulation.storage import check_same_settings
from pp_mlekl.simulation.study import study

GIVEN = {
    "truth": {"mu": 1.5}, "sizes": [10, 20], "replicates": 30, "estimators": ["mle"], "ci_prob": 0.9, "intervals": [],
    "resamples": 40, "random_seed": 3, "compute": ["kl", "coverage"],
}  # fmt: skip


def settings(**changed):
    return Settings(**GIVEN | changed)


def simulate(n, truth, random_seed):
    return n


def test_defaults_are_those_of_the_functions():
    found = {name: p.default for name, p in signature(study).parameters.items()}
    assert {name: found[name] for name in found if name not in ("build", "truth")} == {
        "sizes": (10, 30, 100, 300, 1000), "replicates": 200, "estimators": ("mle",), "ci_prob": 0.95, "intervals": (),
        "resamples": 200, "client": None, "store": None, "potentials": None, "random_seed": None, "compute": None,
        "draws": 250, "tune": 300, "chains": 2, "covariates": "fixed", "simulate": None, "progress": True,
    }  # fmt: skip
    plain = settings()
    assert (plain.draws, plain.tune, plain.chains, plain.covariates, plain.simulate) == (250, 300, 2, "fixed", None)
    found = {name: p.default for name, p in signature(calibrate).parameters.items()}
    assert (found["simulations"], found["draws"], found["tune"], found["chains"]) == (200, 250, 300, 2)
    assert (found["level"], found["covariates"], found["progress"]) == (0.01, "fixed", True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sizes": []}, "`sizes` must be increasing positive integers, got [];"),
        ({"sizes": [0, 5]}, "`sizes` must be increasing positive integers, got [0, 5]; sort them."),
        ({"sizes": [5.5]}, "`sizes` must be increasing"),
        ({"sizes": [5, 5]}, "`sizes` must be increasing"),
        ({"sizes": [9, 5]}, "`sizes` must be increasing"),
        ({"replicates": 1}, "replicates must be an integer of at least 2, got 1."),
        ({"sizes": [10**15]}, "Data sets of 1,000,000,000,000,000 observations need"),
        ({"replicates": 10**14}, "100,000,000,000,000 replicates need"),
        ({"estimators": ["mle", "mle"]}, "`estimators` must be named once each, got ['mle', 'mle']."),
        ({"estimators": ["median"]}, "must be among mle, map, map_unconstrained, laplace, posterior"),
        ({"intervals": ["wald"]}, "must be among profile, parametric_bootstrap, case_bootstrap"),
        ({"compute": ["speed"]}, "must be among kl, coverage"),
        ({"intervals": ["profile"], "compute": ["kl"]}, "`intervals` are about coverage;"),
        ({"resamples": 1}, "resamples must be an integer of at least 2, got 1."),
        ({"draws": 19}, "draws must be an integer of at least 20, got 19."),
        ({"tune": 0}, "tune must be a positive integer, got 0."),
        ({"chains": 0}, "chains must be a positive integer, got 0."),
        ({"ci_prob": 1.0}, "ci_prob must lie between 0 and 1"),
        ({"simulate": simulate}, "The divergence from the truth is not known with `simulate`;"),
        (
            {"simulate": simulate, "compute": ["coverage"], "intervals": ["parametric_bootstrap"]},
            "`simulate` goes with the intervals profile and case_bootstrap, not with parametric_bootstrap.",
        ),
        ({"covariates": "other"}, "must be among fixed, resampled"),
    ],
)
def test_refusals(changed, message):
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        settings(**changed).check()
    assert message in str(refused.value)


def test_what_is_just_allowed():
    settings(sizes=[1, 2.0], replicates=2, resamples=2, draws=20, tune=1, chains=1).check()
    settings(compute=[], simulate=simulate).check()
    settings(simulate=simulate, compute=["coverage"], intervals=["profile", "case_bootstrap"]).check()
    check_covariates("resampled", None)
    check_covariates("fixed", simulate)
    with pytest.raises(ValueError, match="`simulate` draws the covariates as well"):
        check_covariates("resampled", simulate)


OWN = ("estimated", "naive", "unconstrained")


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({}, ("sandwich", *OWN)),
        ({"compute": ["kl"]}, ()),
        ({"simulate": simulate, "compute": ["coverage"]}, OWN),
        ({"estimators": ["mle", "laplace"], "intervals": ["profile"]}, ("sandwich", *OWN, "credible", "profile")),
    ],
)
def test_intervals_that_are_counted(changed, kinds):
    assert settings(**changed).interval_kinds == kinds


def test_estimators_from_draws():
    assert settings(estimators=["posterior", "mle", "laplace"]).from_draws == ["posterior", "laplace"]


PLAIN = {
    "truth": {"mu": 1.5}, "sizes": [10, 20], "replicates": 30, "estimators": ["mle"], "ci_prob": 0.9, "intervals": [],
    "resamples": None, "random_seed": 3,
}  # fmt: skip


def test_a_study_is_identified_by_what_its_numbers_depend_on():
    assert settings().identity() == PLAIN
    assert settings(draws=99, resamples=7).identity() == PLAIN
    assert settings(intervals=["profile"]).identity() == PLAIN | {"intervals": ["profile"], "resamples": 40}
    assert settings(compute=["coverage", "kl"]).identity() == PLAIN
    assert settings(compute=["kl"]).identity() == PLAIN | {"compute": ["kl"]}
    assert settings(covariates="resampled").identity() == PLAIN | {"covariates": "resampled"}
    drawn = settings(estimators=["laplace"]).identity()
    assert drawn == PLAIN | {"estimators": ["laplace"], "draws": 250, "tune": 300, "chains": 2}
    assert "return n" in settings(simulate=simulate).identity()["simulate"]


@pytest.mark.parametrize(
    ("truth", "kept"),
    [
        (xr.Dataset({"mu": 1.5, "b": ("k", [1, 2])}), {"mu": 1.5, "b": [1.0, 2.0]}),
        ({"mu": "x"}, "dict"),
        (np.ones(3), "ndarray"),
    ],
)
def test_truths_are_kept_by_their_values_or_their_kind(truth, kept):
    assert settings(truth=truth).identity()["truth"] == kept


def test_seeds_are_kept():
    assert settings(random_seed=None).identity()["random_seed"] is None
    assert settings(random_seed=np.int64(7)).identity()["random_seed"] == 7
    child = np.random.SeedSequence(5).spawn(3)[2]
    assert settings(random_seed=child).identity()["random_seed"] == [5, [2]]


def test_attributes_of_the_result():
    plain = settings().attributes()
    assert plain == {
        "truth": "{'mu': 1.5}", "sizes": [10, 20], "n_replicates": 30, "estimators": ["mle"], "ci_prob": 0.9,
        "random_seed": "3", "pp_mlekl_version": version("pp_mlekl"),
    }  # fmt: skip
    more = settings(intervals=["profile"], covariates="resampled").attributes()
    assert more == plain | {"intervals": ["profile"], "resamples": 40, "covariates": "resampled"}


def test_sources_of_functions():
    assert source_of(simulate).startswith("def simulate(n, truth, random_seed):")
    assert source_of(len) == "len"
    assert source_of(np.random.default_rng(1)) == "Generator"


def test_versions_that_the_last_digits_depend_on():
    assert list(library_versions()) == ["pp_mlekl", "pymc", "pytensor", "numpy", "scipy"]
    assert library_versions()["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("kept", "wanted", "message"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1, "b": None}, {"a": 1}, None),
        ({"a": 1}, {"a": 1, "prior": {"numbers": [1.0]}}, None),
        ({"a": 1, "prior": None}, {"a": 1, "prior": {"numbers": [1.0]}}, "prior None instead of {'numbers': [1.0]}"),
        ({"a": 1}, {"a": 2, "b": 3}, "x.nc holds another study (a 1 instead of 2, b None instead of 3), which"),
        ({"m": {"numbers": [1.0]}}, {"m": {"numbers": [1.0 + 0.9e-6]}}, None),
        ({"m": {"numbers": [1.0]}}, {"m": {"numbers": [1.0 + 1.1e-6]}}, "another study (another m), which is not"),
        ({"m": {"numbers": [0.0]}}, {"m": {"numbers": [1e-12]}}, "another m"),
        ({"m": {"numbers": [np.nan]}}, {"m": {"numbers": [np.nan]}}, None),
        ({"m": {"numbers": [1.0]}}, {"m": {"numbers": [1.0, 2.0]}}, "another m"),
        ({"m": {"numbers": [1.0], "p": "a"}}, {"m": {"numbers": [1.0], "p": "b"}}, "another m"),
        ({"methods": []}, {"a": 1}, "x.nc holds a calibration, not a study, and is not overwritten"),
        ({"methods": [1]}, {"methods": [2]}, "x.nc holds another calibration (methods [1] instead of [2])"),
    ],
)
def test_stored_settings_are_the_same_or_the_difference_is_named(kept, wanted, message):
    if message is None:
        check_same_settings("x.nc", kept, wanted)
    else:
        with pytest.raises(ValueError) as refused:  # noqa: PT011
            check_same_settings("x.nc", kept, wanted)
        assert message in str(refused.value)
