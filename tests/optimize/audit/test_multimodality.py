"""Other maxima: how much lower they may be, and the valley before them."""

import numpy as np
import pytest
from plain_objectives import analytic, kinds, line, point

from pp_mlekl.optimize.audit.multimodality import multimodality
from pp_mlekl.optimize.modes import Mode, distinct_modes


def pair(gap, valley=5.0):
    """Maxima at 0 and 6, the second ``gap`` nats lower, with a valley of this depth in between."""

    def value(z):
        x = z[:, 0] / 6
        return -16 * valley * x**2 * (1 - x) ** 2 - gap * x**2 * (3 - 2 * x)

    return analytic(value)


def rivals(objective):
    modes = []
    for z in (0.0, 6.0):
        value, _, hessian = objective.hessian(np.array([[z]]))
        modes.append(Mode(z=np.array([z]), value=float(value[0]), hessian=hessian[0], agree=1))
    return multimodality(point(objective, 0.0, modes=modes))


@pytest.mark.parametrize(("gap", "told"), [(0.0, True), (1.0, True), (3.0, False)])
def test_a_second_maximum_within_the_likelihood_ratio_region(gap, told):
    found = rivals(pair(gap))
    assert kinds(found) == ["rivals"] * told
    if told:
        assert found[0].measured == pytest.approx(gap, abs=1e-9)
        assert found[0].threshold == 1.92


@pytest.mark.parametrize(("valley", "told"), [(5e-3, True), (5e-4, False)])
def test_two_maxima_have_a_valley_between_them(valley, told):
    assert kinds(rivals(pair(0.0, valley))) == ["rivals"] * told


@pytest.mark.parametrize(("gap", "valley", "told"), [(1.0, 2.0, True), (3.0, 5.0, False), (1.0, 0.0, False)])
def test_a_maximum_at_a_bound_is_met_by_no_search_but_by_a_profile(gap, valley, told):
    # The standard deviation is 1 at the first maximum; as it tends to 0 the value rises to ``gap`` nats less.
    def value(z):
        s = np.exp(z[:, 0])
        return -(gap + 4 * valley * s) * (1 - s) ** 2 - 5 * z[:, 1] ** 2

    objective = analytic(value, 2)
    top, _, hessian = objective.hessian(np.zeros((1, 2)))
    mode = Mode(z=np.zeros(2), value=float(top[0]), hessian=hessian[0], agree=1)
    found = multimodality(point(objective, [0.0, 0.0], space=line(2, [0]), modes=[mode]))
    assert kinds(found) == ["rivals"] * told
    if told:
        assert found[0].measured == pytest.approx(gap, abs=1e-6)


@pytest.mark.parametrize(("curved", "told"), [(3e-9, True), (3e-10, False), (-1.0, False)])
def test_a_second_maximum_is_curved(curved, told):
    objective = analytic(lambda z: -10 * (z[:, 0] / 6) ** 2 * (z[:, 0] / 6 - 1) ** 2 - z[:, 1] ** 2 / 2, 2)
    off = np.sqrt(1 - 2 * curved + curved**2) if curved > 0 else 2.0
    second = Mode(z=np.array([6.0, 0.0]), value=0.0, hessian=-np.array([[1.0, off], [off, 1.0]]), agree=1)
    first = Mode(z=np.zeros(2), value=0.0, hessian=-np.eye(2), agree=1)
    assert kinds(multimodality(point(objective, [0.0, 0.0], modes=[first, second]))) == ["rivals"] * told


@pytest.mark.parametrize(("gain", "told"), [(3e-6, True), (3e-7, False)])
def test_a_point_on_a_line_about_a_maximum_is_higher(gain, told):
    # A narrow bump 1.4 standard errors off.
    objective = analytic(
        lambda z: -(z[:, 0] ** 2) / 2 + (1.4**2 / 2 + gain) * np.exp(-(((z[:, 0] - 1.4) / 0.01) ** 2) / 2)
    )
    assert ("higher" in kinds(multimodality(point(objective, 0.0)))) == told


@pytest.mark.parametrize(("size", "told"), [(12, True), (13, False)])
def test_lines_are_for_moderate_sizes(size, told):
    objective = analytic(lambda z: -np.sum(z**2, axis=1) / 2 + 2 * np.exp(-(((z[:, 0] - 1.4) / 0.05) ** 2) / 2), size)
    assert ("higher" in kinds(multimodality(point(objective, np.zeros(size))))) == told


@pytest.mark.parametrize(("apart", "count"), [(3e-4, 1), (3e-3, 2)])
def test_ends_within_a_small_part_of_a_standard_error_are_one_maximum(apart, count):
    z = np.array([[0.0], [apart]])
    assert len(distinct_modes(z, np.zeros(2), np.full((2, 1, 1), -1.0))) == count


@pytest.mark.parametrize(("gap", "first"), [(3e-11, 0.1), (3e-10, 5.0)])
def test_of_maxima_that_noise_tells_apart_the_central_one_comes_first(gap, first):
    modes = distinct_modes(np.array([[5.0], [0.1]]), np.array([gap, 0.0]), np.full((2, 1, 1), -1.0))
    assert modes[0].z[0] == first


@pytest.mark.parametrize(("gain", "told"), [(3e-4, True), (3e-5, False)])
def test_a_higher_maximum_on_a_profile_towards_a_bound(gain, told):
    # The second maximum lies nine e-foldings of a scale towards 0.
    objective = analytic(lambda z: np.log(np.exp(-(z[:, 0] ** 2) / 2) + np.exp(gain - ((z[:, 0] + 9.0) ** 2) / 2)))
    assert ("higher" in kinds(multimodality(point(objective, 0.0, space=line(1, [0]))))) == told


@pytest.mark.parametrize("offset", [0.0, -100.0, 30.0])
def test_how_much_higher_another_point_is(offset):
    objective = analytic(lambda z: offset - z[:, 0] ** 2 / 2 + 2 * np.exp(-(((z[:, 0] - 1.4) / 0.05) ** 2) / 2))
    (found,) = multimodality(point(objective, 0.0))
    assert found.kind == "higher"
    assert found.measured == pytest.approx(2 - 1.4**2 / 2, abs=2e-3)
    assert found.onward.z == pytest.approx(1.4, abs=0.01)


@pytest.mark.parametrize("place", [0, 1])
def test_of_several_profiles_the_one_that_is_higher_counts(place):
    def value(z):
        return (
            np.log(np.exp(-(z[:, place] ** 2) / 2) + np.exp(1 - ((z[:, place] + 9.0) ** 2) / 2)) - z[:, 1 - place] ** 2
        )

    (found,) = multimodality(point(analytic(value, 2), [0.0, 0.0], space=line(2, [0, 1])))
    assert (found.kind, found.measured) == ("higher", pytest.approx(1.0))
    assert found.onward.z == pytest.approx(-9.0 * np.eye(2)[[place]], abs=1e-6)
    assert len(found.onward.trail) > 0
