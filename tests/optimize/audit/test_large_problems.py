"""Points of problems for which no Hessian is formed: saddles, weak directions and bounded coordinates by themselves."""

import numpy as np
import pytest
from plain_objectives import kinds, line, point

from pp_mlekl.optimize.audit.multimodality import multimodality
from pp_mlekl.optimize.large_curvature import LargeCurvature
from pp_mlekl.optimize.objective import Objective

SIZE = 30


def bent(matrix, cubic=0.0, quartic=0.0):
    """1e8 times -z' A z / 2 + c y³ - q y⁴ with y the difference of the first two coordinates."""
    away = np.zeros(len(matrix))
    away[:2] = 1.0, -1.0

    def evaluate(order, z, rows):
        y = z @ away
        value = -np.sum(z * (z @ matrix), axis=1) / 2 + cubic * y**3 - quartic * y**4
        slope = -z @ matrix + (3 * cubic * y**2 - 4 * quartic * y**3)[:, None] * away
        bend = (6 * cubic * y - 12 * quartic * y**2)[:, None, None] * np.outer(away, away)
        return tuple(1e8 * part for part in (value, slope, bend - matrix)[: order + 1])

    def product(z, vectors):
        return vectors @ evaluate(2, z[None], np.zeros(1, dtype=int))[2][0]

    return Objective(size=len(matrix), evaluate=evaluate, product=product)


def pair(negative, size=SIZE):
    """Unit curvatures; one direction of the first two coordinates has this negative one, whose largest is about 2."""
    matrix = np.eye(size)
    matrix[0, 1] = matrix[1, 0] = 1.0 + negative
    return matrix


def large_point(objective, space=None):
    return point(
        objective,
        np.zeros(objective.size),
        space=space,
        large=LargeCurvature(objective=objective, z=np.zeros(objective.size)),
    )


@pytest.mark.parametrize(("negative", "found"), [(1e-7, False), (4e-7, True), (0.5, True)])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_saddle_is_left_along_its_negative_curvature(negative, side, found):
    """Along y the value is ``negative`` y² / 4 + c y³ - q y⁴, whose higher maximum lies on the side of c."""
    objective = bent(pair(negative), side * negative / 4, negative / 8)
    top = side * (0.75 + np.sqrt(0.75**2 + 1.0))
    height = 1e8 * negative * (top**2 / 4 + abs(top) ** 3 / 4 - top**4 / 8)
    told = multimodality(large_point(objective))
    assert kinds(told) == ["higher"] * found
    if found:
        (end,) = told[0].onward.z
        np.testing.assert_allclose(end[:2], [top / 2, -top / 2], rtol=1e-3)
        np.testing.assert_allclose(end[2:], 0.0, atol=1e-6)
        assert told[0].measured == pytest.approx(height, rel=1e-3)
        # Where rounding has to be told from a climb, the way there is known.
        assert len(told[0].onward.trail) > 0


@pytest.mark.parametrize("quartic", [0.5, 10.0])
def test_a_saddle_is_left_by_a_long_or_a_short_step(quartic):
    told = multimodality(large_point(bent(pair(0.5), quartic=quartic / 8)))
    assert kinds(told) == ["higher"]
    y = np.sqrt(0.5 / quartic)
    np.testing.assert_allclose(np.abs(told[0].onward.z[0, :2]), y / 2, rtol=1e-3)


def test_a_saddle_from_which_nothing_higher_is_near_is_none():
    assert multimodality(large_point(bent(pair(0.5), quartic=1e4))) == []


CURVATURES = np.geomspace(1.0, 100.0, SIZE)
# Coordinates along which no more than a fiftieth of a nat is lost.
LEVELS = np.array([4, 20])


def levelling(levels=LEVELS, curvatures=CURVATURES):
    """Parabolas; those of some coordinates level off."""
    level, height = np.isin(np.arange(len(curvatures)), levels), 0.02

    def evaluate(order, z, rows):
        bell = np.exp(-curvatures * z**2 / (2 * height))
        value = np.where(level, -height * (1 - bell), -curvatures * z**2 / 2)
        slope = -curvatures * z * np.where(level, bell, 1.0)
        bend = -curvatures * np.where(level, bell * (1 - curvatures * z**2 / height), 1.0)
        return (value.sum(axis=1), slope, bend[:, :, None] * np.eye(len(curvatures)))[: order + 1]

    def product(z, vectors):
        return vectors @ evaluate(2, z[None], np.zeros(1, dtype=int))[2][0]

    return Objective(size=len(curvatures), evaluate=evaluate, product=product)


@pytest.mark.parametrize("bounded", [[4, 7, 20], [7, 20], [7]])
def test_bounded_coordinates_that_level_off_are_directions_of_their_own(bounded):
    """They come first, the weakest of them before the others; the weakest directions that are left have no part in them."""
    found = large_point(levelling(), line(SIZE, bounded))
    alone = [place for place in (4, 20) if place in bounded]
    directions, suspicious = found.curvature.directions, found.suspicious
    lengths = CURVATURES**-0.5
    np.testing.assert_allclose(directions[: len(alone)], np.diag(lengths)[alone], rtol=1e-12)
    assert suspicious[: len(alone)].all()
    assert found.curvature.eigenvalues[: len(alone)].tolist() == [1.0] * len(alone)
    rest = directions[len(alone) :]
    np.testing.assert_allclose(rest[:, alone], 0.0, atol=1e-9)
    # Each of the others is as long as a standard error.
    np.testing.assert_allclose(np.sum(rest**2 * CURVATURES, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.curvature.scale, lengths, rtol=1e-12)


@pytest.mark.parametrize(("lowest", "flat"), [(1.5e-11, True), (2.5e-11, False)])
def test_curvature_of_rounding_is_none(lowest, flat):
    """The largest eigenvalue is 2."""
    matrix = np.eye(SIZE)
    matrix[0, 1] = matrix[1, 0] = 1.0 - lowest
    found = large_point(bent(matrix))
    assert (np.sum(found.suspicious) > 0) == flat


@pytest.mark.parametrize(("count", "seen"), [(50, True), (51, False)])
def test_fifty_bounded_coordinates_are_looked_at_by_themselves(count, seen):
    """The strongest of ``count`` levels off."""
    curvatures = np.geomspace(1.0, 2.0, count)
    found = large_point(levelling([count - 1], curvatures), line(count, range(count)))
    assert (found.curvature.directions[0, count - 1] == pytest.approx(2.0**-0.5)) == seen
