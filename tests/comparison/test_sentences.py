"""Sentences of the verdict from numbers made by hand: what they name, in which order, and where a limit turns them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pp_mlekl.comparison.marginal_estimate import MarginalEstimate, marginal_estimate_in
from pp_mlekl.comparison.sentences import about_bayes_factor, about_closest, about_marginal, about_scales


def fitted(kl, excess, errors, clear="yes", truth="parameters", closest="map"):
    columns = {"kl": kl, "kl_mcse": [0.0, 0.021, 0.0], "kl_excess": excess, "kl_excess_mcse": errors}
    data = {name: ("estimator", values) for name, values in columns.items()}
    attributes = {"closest": closest, "closest_is_clear": clear, "truth": truth}
    return xr.Dataset(data, coords={"estimator": ["mle", "map", "posterior_predictive"]}, attrs=attributes)


FITS = ([0.9, 0.432, 0.7], [0.468, 0.0, 0.268], [0.03, 0.0, 0.02])


def test_the_closest_fit_and_the_second():
    text = about_closest(fitted(*FITS))
    closest, _, second = text.partition("Next:")
    assert "MAP (KL 0.432 ± 0.021" in closest
    assert "posterior predictive (0.268 ± 0.020" in second
    assert "MLE" not in text


def test_doubt_is_added_where_the_difference_is_not_clear():
    clear, doubtful = (about_closest(fitted(*FITS, clear=answer)) for answer in ("yes", "no"))
    assert doubtful.startswith(clear)
    assert len(doubtful) > len(clear)


def test_held_out_data_give_differences_alone():
    text = about_closest(fitted(*FITS, truth="draws"))
    assert "0.432" not in text
    assert "0.268 ± 0.020" in text
    assert text.split(":")[0] != about_closest(fitted(*FITS)).split(":")[0]


def test_fits_that_do_not_exist_are_not_the_second():
    text = about_closest(fitted([np.nan, 0.432, np.nan], [np.nan, 0.0, np.nan], [np.nan, 0.0, np.nan]))
    assert "MAP (KL 0.432 ± 0.021" in text
    assert "Next" not in text
    assert about_closest(fitted(*FITS, closest="")) == ""
    infinite = fitted([np.inf] * 3, [np.nan] * 3, [np.nan] * 3)
    assert not any(digit.isdigit() for digit in about_closest(infinite))
    assert about_closest(infinite)


def compared(log_factor=1.2, error=0.1, slope=-2.0, slope_error=0.3, doubtful=()):
    one = xr.Dataset(
        {
            "log_bayes_factor": log_factor,
            "log_bayes_factor_mcse": error,
            "log_bayes_factor_sensitivity": slope,
            "log_bayes_factor_sensitivity_mcse": slope_error,
        }
    )
    dataset = one.expand_dims(model=["a", "b"], against=["a", "b"])
    factor = np.exp(log_factor)
    return SimpleNamespace(dataset=dataset, doubtful=doubtful, bayes_factor=lambda *_: (factor, factor * error))


def test_a_bayes_factor_with_its_error_and_what_wider_priors_make_of_it():
    finding = about_bayes_factor(compared(), "a", "b")
    assert finding.level == "ok"
    for shown in (f"{np.exp(1.2):.4g}", f"{0.1 * np.exp(1.2):.2g}", f"{1.1**-2:.3g}", f"{0.9**-2:.3g}", "−2.00 ± 0.30"):
        assert shown in finding.text
    assert finding.text.index("a") < finding.text.index("b")


@pytest.mark.parametrize(("log_factor", "favours"), [(0.21, True), (0.19, False), (-0.21, True), (-0.19, False)])
def test_two_standard_errors_decide_whether_a_model_is_favoured(log_factor, favours):
    strong, text = (about_bayes_factor(compared(f), "a", "b").text for f in (1.2, log_factor))
    assert (text.split()[:3] == strong.split()[:3]) == favours


@pytest.mark.parametrize(
    ("slope", "shown"), [(0.61, True), (-0.61, True), (0.59, False), (-0.59, False), (np.nan, False)]
)
def test_two_standard_errors_decide_whether_the_change_by_the_priors_is_shown(slope, shown):
    text = about_bayes_factor(compared(slope=slope), "a", "b").text
    assert (f"{1.1**slope:.3g}" in text) == shown
    assert "nan" not in text


@pytest.mark.parametrize("doubtful", [("a",), ("b",), ("a", "b"), ("c",)])
def test_an_unreliable_evidence_favours_nobody(doubtful):
    finding, sound = about_bayes_factor(compared(doubtful=doubtful), "a", "b"), about_bayes_factor(compared(), "a", "b")
    assert finding.level == ("ok" if doubtful == ("c",) else "caution")
    assert (finding.text == sound.text) == (doubtful == ("c",))
    assert f"{np.exp(1.2):.4g}" in finding.text


def marginal(status, warnings=()):
    return MarginalEstimate(
        values=xr.Dataset({"mu": 1.0}),
        standard_error=xr.Dataset({"mu": 0.1}),
        latents=("u", "v"),
        status=status,
        warnings=warnings,
        laplace_error=0.123,
        laplace_error_mcse=0.045,
    )


@pytest.mark.parametrize(
    ("status", "warnings", "level", "number"),
    [
        ("converged", (), "ok", True),
        ("converged", ("Beware.",), "caution", True),
        ("boundary", (), "caution", True),
        ("unbounded", ("Beware.",), "caution", False),
        ("failed", (), "caution", False),
    ],
)
def test_a_marginal_estimate_has_the_error_of_laplace_where_it_has_a_value(status, warnings, level, number):
    finding = about_marginal(marginal(status, warnings))
    assert finding.level == level
    assert ("0.123 ± 0.045" in finding.text) == number
    assert ("Beware." in finding.text) == bool(warnings)
    assert "u, v" in finding.text
    assert "marginalize=['u', 'v']" in finding.text


@pytest.mark.parametrize(
    ("gap", "level", "named"), [(0.5e-4, "ok", False), (2e-4, "ok", True), (0.99, "ok", True), (1.01, "caution", True)]
)
def test_gaps_between_two_maps_by_posterior_deviations(gap, level, named):
    table = pd.DataFrame(
        {"MAP": [1.0, 2.0], "MAP_unconstrained": [1.0, 2.0 - 3 * gap], "sd": [1.0, 3.0]}, index=["a", "sigma"]
    )
    finding = about_scales(table, {"map": "converged", "map_unconstrained": "converged"})
    assert finding.level == level
    assert ("sigma" in finding.text) == named


@pytest.mark.parametrize(
    ("natural", "free", "scale"),
    [("converged", "unbounded", "natural"), ("unbounded", "converged", "unconstrained"), ("failed", "unbounded", None)],
)
def test_a_map_that_exists_on_one_scale_alone(natural, free, scale):
    table = pd.DataFrame({"MAP": [1.0], "MAP_unconstrained": [1.0], "sd": [1.0]})
    finding = about_scales(table, {"map": natural, "map_unconstrained": free})
    if scale is None:
        assert finding is None
    else:
        assert finding.level == "caution"
        assert f"the {scale} scale" in finding.text


def test_a_marginal_estimate_is_kept_with_its_tree():
    made = marginal("boundary", ("Beware.",))
    read = marginal_estimate_in(xr.DataTree.from_dict(made.groups()))
    assert (read.latents, read.status, read.warnings) == (made.latents, made.status, made.warnings)
    assert (read.laplace_error, read.laplace_error_mcse) == (0.123, 0.045)
    assert float(read.values["mu"]) == 1.0
    assert float(read.standard_error["mu"]) == 0.1
    assert marginal_estimate_in(xr.DataTree()) is None
