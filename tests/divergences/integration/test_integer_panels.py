"""Sums over integers from eight of each panel, against whole sums."""

import numpy as np
import pytest

from pp_mlekl.divergences.integration.integer_panels import POINTS, IntegerPanels, integer_panels

LENGTHS = np.array([8, 9, 10, 13, 17, 24, 25, 40, 100, 1000], dtype=float)


def one_panel_each(lengths, first=3.0):
    return IntegerPanels(first=np.full((1, lengths.size), first), length=lengths[None])


@pytest.mark.parametrize("degree", range(8))
def test_polynomials_are_summed_exactly(degree):
    panels = one_panel_each(LENGTHS)
    exact = [np.sum((np.arange(3.0, 3.0 + n) / n - 0.4) ** degree) for n in LENGTHS]
    values = (panels.points / LENGTHS - 0.4) ** degree
    assert np.sum(panels.weights * values, axis=1)[0] == pytest.approx(exact, rel=1e-10, abs=1e-11)
    if degree < 6:
        assert np.sum(panels.lower_weights * values, axis=1)[0] == pytest.approx(exact, rel=1e-10, abs=1e-11)


@pytest.mark.parametrize("degree", range(8))
def test_cumulative_sums_are_exact_in_the_middle_of_pieces(degree):
    panels = one_panel_each(np.array([9.0, 24.0, 72.0]), first=0.0)
    values = (panels.points / 10.0) ** degree
    sums = np.einsum("pfjr,pjr->pfr", panels.cumulative, values)[0]
    start, length = (part[0] for part in panels.pieces)
    for row, n in enumerate((9, 24, 72)):
        exact = np.cumsum((np.arange(n) / 10.0) ** degree)
        middle = start[:, row] + (length[:, row] - 1) / 2
        known = length[:, row] > 0
        assert sums[known, row] == pytest.approx(
            exact[middle[known].astype(int)], rel=1e-9, abs=1e-12 * exact[-1] + 1e-12
        )
        assert np.sum(length[:, row]) == n


def test_points_are_different_integers_and_weights_positive():
    lengths = np.concatenate([np.arange(8.0, 2000.0), 10.0 ** np.arange(4, 13)])
    panels = one_panel_each(lengths, first=0.0)
    points = panels.points[0]
    assert np.all(np.diff(points, axis=0) >= 1)
    assert np.all(points == np.round(points))
    assert np.all((points >= 0) & (points <= lengths - 1))
    assert np.all(panels.weights > 0)
    assert np.allclose(panels.weights[0, :, 0], 1, rtol=1e-12)


def test_panels_cover_each_range_once():
    generator = np.random.default_rng(1)
    low = np.array([0.0, 5.0, 100.0, 0.0])
    high = low + np.array([200.0, 5000.0, 130.0, 1e9])
    edges = low + generator.uniform(0, 1, size=(20, 4)) * (high - low)
    panels = integer_panels(edges, low, high, np.zeros(4))
    assert np.sum(panels.length, axis=0).tolist() == (high - low + 1).tolist()
    used = panels.length > 0
    assert np.all(panels.length[used] >= POINTS)
    # The first eight integers, where a family may have extra mass, are there one by one.
    assert np.allclose(panels.weights[0][:, [0, 3]], 1, rtol=1e-12)
    assert panels.points[0, :, 0].tolist() == list(range(8))
    # A panel is no longer than its distance from the origin of the support, but for an edge too close to another.
    assert np.all((panels.length <= panels.first + 2 * POINTS)[used])
