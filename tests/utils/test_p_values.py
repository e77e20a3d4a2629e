"""Holm's adjustment against statsmodels, and p values as text on either side of each limit."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from pp_mlekl.utils.p_values import holm, p_value


def test_holm_as_in_statsmodels():
    """Once, since statsmodels collects garbage in each call."""
    p = np.random.default_rng(1).beta(0.3, 2, 30)
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "adjusted"), [([0.3], [0.3]), ([0.04, 0.01], [0.04, 0.02]), ([0.03, 0.02], [0.04, 0.04])]
)
def test_holm_by_hand(p, adjusted):
    np.testing.assert_allclose(holm(p), adjusted)


def test_unknown_values_do_not_count():
    p = np.array([0.01, np.nan, 0.03])
    np.testing.assert_allclose(holm(p), [0.02, np.nan, 0.03])
    assert holm([]).shape == (0,)


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (9.9e-4, "p < .001"),
        (0.001, "p = .001"),
        (0.0994, "p = .099"),
        (0.123, "p = .12"),
        (0.996, "p = 1"),
        (0.0, "p < .001"),
    ],
)
def test_as_text(p, shown):
    assert p_value(p) == shown
