"""How many draws a requested standard error takes, and that they are used."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from accuracy import assert_within

from pp_mlekl.fitted_models.draws_needed import draws_needed, short_of_draws, with_draws_needed
from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence
from pp_mlekl.utils.warning_attributes import read_warnings

Y = np.random.default_rng(2).normal(1.0, 1.5, size=100)
TRUTH = {"mu": 1.0}


@pytest.fixture(scope="module")
def model():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), 1.5, observed=Y)
    return model


def tree(draws):
    values = np.random.default_rng(1).normal(1.1, 0.15, size=(4, draws))
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), values)})})


def test_the_number_of_draws_follows_from_the_requested_error(model):
    arguments = {"estimators": ["posterior_predictive"], "random_seed": 1}
    few = fitted_divergence(model, TRUTH, idata=tree(10_000), **arguments)
    wanted = 0.5 * few["kl_mcse"].item()
    more = fitted_divergence(model, TRUTH, idata=tree(10_000), error=wanted, **arguments)
    assert few["draws"].item() == 4000
    assert more["draws"].item() == pytest.approx(1.1 * 4 * 4000, rel=0.15)
    assert more["kl_mcse"].item() < wanted
    assert more["draws_needed"].item() <= more["draws"].item()
    assert_within(more["kl"].item(), few["kl"].item(), mcse=few["kl_mcse"].item(), mcse_below=0.015)


def test_a_posterior_with_too_few_draws_names_the_number_needed(model):
    short = fitted_divergence(
        model, TRUTH, idata=tree(250), estimators=["mle", "posterior_predictive"], error=0.01, random_seed=1
    )
    needed = short["draws_needed"].sel(estimator="posterior_predictive").item()
    assert short["draws_needed"].sel(estimator="mle").item() == 0
    assert f"1,000 draws; pass about {needed:,.0f}" in short.attrs["warnings"]
    enough = fitted_divergence(
        model, TRUTH, idata=tree(int(needed / 4 * 1.5)), estimators=["posterior_predictive"], error=0.01, random_seed=1
    )
    assert enough["kl_mcse"].item() < 0.01


def test_an_invalid_error_is_refused(model):
    with pytest.raises(ValueError, match="error must be a positive number"):
        fitted_divergence(model, TRUTH, error=0.0)


def of(kl, mcse, by_draws, draws):
    data = {"kl": kl, "kl_mcse": mcse, "kl_draw_error": by_draws, "draws": draws}
    return xr.Dataset(
        {name: ("estimator", np.array(v)) for name, v in data.items()}, coords={"estimator": ["a", "b", "c"]}
    )


def test_more_draws_do_not_reduce_the_other_errors():
    """0.05^2 = 0.04^2 + 0.03^2: for 0.035 the part by 400 draws must fall from 0.04 to 0.018."""
    dataset = of([1.0, 1.0, np.nan], [0.05, 0.05, 0.1], [0.04, 0.05, 0.1], [400, 400, 400])
    needed = draws_needed(dataset, 0.035).values
    np.testing.assert_array_equal(
        needed, [np.ceil(400 * 0.04**2 / (0.035**2 - 0.03**2)), np.ceil(400 * 0.05**2 / 0.035**2), np.nan]
    )
    assert draws_needed(dataset, 0.03).values[0] == np.inf
    assert draws_needed(dataset, 0.0301).values[0] < np.inf


def test_plug_ins_need_no_draws():
    np.testing.assert_array_equal(draws_needed(of([1.0] * 3, [0.05] * 3, [0.0] * 3, [0] * 3), 0.01), [0.0] * 3)


def test_estimators_that_are_short_of_draws():
    dataset = of([1.0, 1.0, 1.0], [0.05, 0.02, 0.05], [0.05, 0.02, 0.03], [400, 400, 400])
    more = short_of_draws(dataset, 0.03)
    assert more.estimators == ("a",)
    assert more.draws == np.ceil(1.1 * np.ceil(400 * (0.05 / 0.03) ** 2))
    assert not short_of_draws(dataset, 0.06)
    (warning, other) = read_warnings(with_draws_needed(dataset, 0.03).attrs)
    assert warning.startswith("a:")
    assert "1,112" in warning
    assert other.startswith("c:")
    assert not any(digit in other.partition(";")[2] for digit in "0123456789")
