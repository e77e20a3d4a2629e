"""The closest fit, how far the others are, and whether that is clear."""

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.fitted_models.held_out import _error_of_total
from pp_mlekl.fitted_models.table import with_closest


def of(kl, mcse):
    data = {"kl": ("estimator", np.array(kl)), "kl_mcse": ("estimator", np.array(mcse))}
    return xr.Dataset(data, coords={"estimator": ["a", "b", "c"][: len(kl)]})


def test_independent_errors_are_added_up():
    found = with_closest(of([0.5, 0.2, np.nan], [0.03, 0.04, np.nan]))
    assert found.attrs["closest"] == "b"
    np.testing.assert_allclose(found["kl_excess"], [0.3, 0.0, np.nan])
    np.testing.assert_allclose(found["kl_excess_mcse"][:2], [0.05, 0.0])


@pytest.mark.parametrize(("other", "clear"), [(0.301, "yes"), (0.299, "no")])
def test_a_difference_is_clear_at_two_standard_errors(other, clear):
    found = with_closest(of([other, 0.2, 0.9], [0.03, 0.04, 0.0]))
    assert found.attrs["closest_is_clear"] == clear


def test_every_other_fit_must_be_farther():
    assert with_closest(of([0.9, 0.2, 0.21], [0.01] * 3)).attrs["closest_is_clear"] == "no"
    assert with_closest(of([0.2], [0.0])).attrs["closest_is_clear"] == "no"
    assert with_closest(of([0.2, np.inf], [0.0, 0.0])).attrs["closest_is_clear"] == "yes"


def test_differences_on_the_same_data_have_errors_of_their_own():
    difference = np.array([[0.0, 0.3], [-0.3, 0.0]])
    error = np.array([[0.0, 0.01], [0.01, 0.0]])
    found = with_closest(of([0.3, 0.0], [5.0, 5.0]), difference, error)
    assert found.attrs == {"closest": "b", "closest_is_clear": "yes"}
    np.testing.assert_array_equal(found["kl_excess"], [0.3, 0.0])
    np.testing.assert_array_equal(found["kl_excess_mcse"], [0.01, 0.0])


def test_without_any_fit_there_is_no_closest():
    found = with_closest(of([np.nan, np.nan], [np.nan, np.nan]))
    assert found.attrs == {"closest": "", "closest_is_clear": "no"}
    assert np.isnan(found["kl_excess"]).all()


def test_errors_of_sums_over_rows():
    """From the spread of the data sets' sums; of one data set, from that of its rows; of one number, none."""
    scores = np.random.default_rng(1).normal(size=(2, 30, 5)) * np.array([1.0, 3.0])[:, None, None]
    expected = [np.std(s.sum(axis=1), ddof=1) / np.sqrt(30) for s in scores]
    np.testing.assert_allclose(_error_of_total(scores), expected)
    expected = [np.sqrt(5) * np.std(s[0], ddof=1) for s in scores]
    np.testing.assert_allclose(_error_of_total(scores[:, :1]), expected)
    assert np.isnan(_error_of_total(scores[:, :1, :1])).all()
