"""Intervals of quantities with a range, and the table of Wald intervals, against closed forms."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from pp_mlekl.estimation.bounded_interval import RANGES, bounded_interval
from pp_mlekl.estimation.wald_interval import check_ci_prob
from pp_mlekl.estimation.wald_table import wald_table

INF = np.inf


def ends(value, half, low, high):
    found = bounded_interval(*(np.array([float(x)]) for x in (value, half, low, high)))
    return [float(part[0]) for part in found]


def test_ranges():
    assert RANGES == {"identity": (-INF, INF), "log": (0.0, INF), "logit": (0.0, 1.0), "fisher_z": (-1.0, 1.0)}


def test_without_bounds_an_interval_is_symmetric():
    assert ends(3.0, 2.0, -INF, INF) == [1.0, 5.0]


@pytest.mark.parametrize(("value", "half", "low"), [(2.0, 1.5, 0.0), (5.0, 0.5, 4.0), (-1.0, 3.0, -2.0)])
def test_above_a_bound_it_is_symmetric_in_the_logarithm(value, half, low):
    above = value - low
    width = half / above
    assert ends(value, half, low, INF) == pytest.approx([low + np.exp(np.log(above) + s * width) for s in (-1, 1)])
    # Below a bound it is the same, seen from the other side.
    mirrored = ends(-value, half, -INF, -low)
    assert mirrored == pytest.approx([-e for e in reversed(ends(value, half, low, INF))])


@pytest.mark.parametrize(("value", "half"), [(0.9, 0.2), (0.5, 0.1), (0.1, 0.3)])
def test_between_0_and_1_it_is_symmetric_in_the_logit(value, half):
    width = half / (value * (1 - value))
    expected = [expit(logit(value) + s * width) for s in (-1, 1)]
    assert ends(value, half, 0, 1) == pytest.approx(expected)
    # Any other range is that one stretched.
    assert ends(-3 + 5 * value, 5 * half, -3, 2) == pytest.approx([-3 + 5 * e for e in expected])


def test_correlations_are_symmetric_in_fishers_z():
    r, half = 0.8, 0.1
    z, width = np.arctanh(r), half / (1 - r**2)
    assert ends(r, half, -1, 1) == pytest.approx([np.tanh(z - width), np.tanh(z + width)])


def test_what_is_unknown_stays_so_and_each_quantity_has_its_own_bounds():
    value, half = np.array([0.5, np.nan, 0.5]), np.array([0.1, 0.1, np.nan])
    lower, upper = bounded_interval(value, half, np.array([-INF, 0.0, 0.0]), np.array([INF, 1.0, INF]))
    np.testing.assert_allclose(lower, [0.4, np.nan, np.nan])
    np.testing.assert_allclose(upper, [0.6, np.nan, np.nan])


@pytest.mark.parametrize("prob", [0.0, 1.0, -0.1, 1.1, np.nan, "0.95"])
def test_a_probability_lies_between_0_and_1(prob):
    with pytest.raises(ValueError, match=r"^ci_prob must lie between 0 and 1, got .*; 0\.95 is usual\.$"):
        check_ci_prob(prob)
    check_ci_prob(0.5)


@pytest.mark.parametrize(("freedom", "law"), [(INF, stats.norm()), (4.0, stats.t(4))])
def test_each_column_of_the_table(freedom, law):
    estimate, error = np.array([2.0, -1.0]), np.array([1.0, 0.25])
    table = wald_table(["a", "b"], estimate, error, 0.9, degrees_of_freedom=freedom)
    assert list(table.columns) == ["estimate", "se", "z", "p", "5%", "95%"]
    assert table.index.name == "quantity"
    np.testing.assert_allclose(table["z"], [2.0, -4.0])
    np.testing.assert_allclose(table["p"], 2 * law.sf([2.0, 4.0]), rtol=1e-6)
    np.testing.assert_allclose(table["5%"], estimate - law.ppf(0.95) * error)
    np.testing.assert_allclose(table["95%"], estimate + law.ppf(0.95) * error)


def test_by_default_the_law_is_normal_and_constants_are_not_tested():
    table = wald_table(["a"], np.array([2.0]), np.array([0.0]), 0.95, index="parameter")
    assert table.index.name == "parameter"
    assert list(table.columns)[-2:] == ["2.5%", "97.5%"]
    assert np.isnan(table[["z", "p"]].to_numpy()).all()
    assert table[["estimate", "2.5%", "97.5%"]].to_numpy().tolist() == [[2.0, 2.0, 2.0]]
    assert wald_table(["a"], np.ones(1), np.ones(1), 0.95)["97.5%"].item() == pytest.approx(1 + stats.norm.ppf(0.975))
    with pytest.raises(ValueError, match="ci_prob"):
        wald_table(["a"], np.ones(1), np.ones(1), 1.0)
