"""Objectives, spaces and verdicts in units of their coordinates, against those without."""

from dataclasses import replace

import numpy as np
import pytest
from plain_objectives import line

from pp_mlekl.optimize.audit.verdict import Audit, Finding, Verdict
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.profile_paths import Climb
from pp_mlekl.optimize.units import objective_in, space_in, units_of, verdict_out_of

UNITS = np.array([1.0, 2.0**-30])
OUTER = np.outer(UNITS, UNITS)


@pytest.mark.parametrize(("apart", "unit"), [(0.9e-3, 2.0**-10), (1.1e-3, 1.0), (0.0, 1.0), (3e-10, 2.0**-32)])
def test_starts_less_than_a_thousandth_apart_get_a_unit(apart, unit):
    starts = np.array([[5.0, 0.0], [6.0, apart], [4.0, -apart]])
    assert units_of(starts, Space.unbounded(["a", "b"])).tolist() == [1.0, unit]
    assert units_of(starts, line(2, logarithms=(1,))).tolist() == [1.0, 1.0]
    assert units_of(starts[:1], Space.unbounded(["a", "b"])).tolist() == [1.0, 1.0]


def test_the_median_distance_decides():
    starts = np.array([[0.0], [1e-6], [1e-6], [5.0]])
    assert units_of(starts, Space.unbounded(["a"]))[0] == 2.0**-20


def test_an_objective_in_units():
    def evaluate(order, z, rows):
        return (z[:, 0] + rows, z + 1, z[:, :, None] * z[:, None, :])[: order + 1]

    whole = Objective(
        size=2, evaluate=evaluate, product=lambda z, v: v + z, support=lambda z: z[:, 1] > 1e-9,
        information=lambda z: np.diag(z), terms=7,
    )  # fmt: skip
    found, y, rows = objective_in(whole, UNITS), np.array([[3.0, 4.0]]), np.array([2])
    z = y * UNITS
    value, gradient, hessian = found.evaluate(2, y, rows)
    np.testing.assert_array_equal(value, z[:, 0] + 2)
    np.testing.assert_array_equal(gradient, (z + 1) * UNITS)
    np.testing.assert_array_equal(hessian, z[:, :, None] * z[:, None, :] * OUTER)
    vectors = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(found.product(y[0], vectors), (vectors * UNITS + z[0]) * UNITS)
    assert found.support(y).tolist() == [True]
    np.testing.assert_array_equal(found.information(y[0]), np.diag(z[0]) * OUTER)
    assert (found.size, found.terms) == (2, 7)
    plain = objective_in(Objective(size=2, evaluate=evaluate), UNITS)
    assert plain.product is plain.support is plain.information is None


def test_a_space_in_units_names_them():
    space = space_in(replace(Space.unbounded(["a", "b"]), period=np.array([np.inf, 6.0])), UNITS)
    assert list(space.coordinates) == ["a", "(b / 9.31e-10)"]
    assert list(space.names) == ["a", "b"]
    np.testing.assert_array_equal(space.natural(np.array([[3.0, 4.0]])), np.array([[3.0, 4.0]]) * UNITS)
    np.testing.assert_array_equal(space.period, [np.inf, 6.0 / UNITS[1]])


HESSIAN = -np.array([[2.0, 0.5], [0.5, 1.0]])


def verdict(**fields):
    none = np.zeros((0, 2))
    mode = Mode(z=np.array([1.0, 2.0]), value=3.0, hessian=HESSIAN, agree=2)
    given = {
        "status": "converged", "z": np.array([1.0, 2.0]), "value": 3.0, "gradient": np.array([0.1, 0.2]), "hessian": HESSIAN,
        "warnings": ("w",), "null": none, "run_off": none, "covariance": np.array([[1.0, 0.1], [0.1, 2.0]]), "irregular": none,
        "audit": Audit(size=2, gradient_norm=9.0, smallest_eigenvalue=9.0, largest_eigenvalue=9.0, rank=1, modes=(mode,)),
    }  # fmt: skip
    return Verdict(**given | fields)


def test_numbers_of_a_verdict_return_to_the_coordinates():
    found = verdict_out_of(verdict(irregular=np.array([[1.0, 1.0]])), UNITS, Space.unbounded(["a", "b"]))
    np.testing.assert_array_equal(found.z, np.array([1.0, 2.0]) * UNITS)
    gradient, hessian = np.array([0.1, 0.2]) / UNITS, HESSIAN / OUTER
    np.testing.assert_array_equal(found.gradient, gradient)
    np.testing.assert_array_equal(found.hessian, hessian)
    np.testing.assert_array_equal(found.covariance, np.array([[1.0, 0.1], [0.1, 2.0]]) * OUTER)
    np.testing.assert_array_equal(found.irregular, [UNITS])
    np.testing.assert_array_equal(found.units, UNITS)
    assert (found.value, found.status, found.warnings) == (3.0, "converged", ("w",))
    eigenvalues = np.linalg.eigvalsh(-hessian)
    audit = found.audit
    assert audit.gradient_norm == pytest.approx(np.linalg.norm(gradient))
    assert (audit.smallest_eigenvalue, audit.largest_eigenvalue) == (
        pytest.approx(eigenvalues[0]),
        pytest.approx(eigenvalues[1]),
    )
    assert (audit.rank, audit.size) == (1, 2)
    (mode,) = audit.modes
    np.testing.assert_array_equal(mode.z, np.array([1.0, 2.0]) * UNITS)
    np.testing.assert_array_equal(mode.hessian, hessian)
    assert (mode.value, mode.agree) == (3.0, 2)
    unknown = verdict_out_of(verdict(hessian=np.full((2, 2), np.nan)), UNITS, Space.unbounded(["a", "b"]))
    assert np.isnan([unknown.audit.smallest_eigenvalue, unknown.audit.largest_eigenvalue]).all()
    empty = Audit()
    assert verdict_out_of(verdict(audit=empty), UNITS, Space.unbounded(["a", "b"])).audit is empty


def unit(*numbers):
    return np.array(numbers) / np.linalg.norm(numbers)


def test_directions_are_unit_vectors_again():
    found = verdict_out_of(
        verdict(null=unit(1.0, 1.0)[None], run_off=unit(0.0, 2.0)[None]),
        np.array([1.0, 0.5]),
        Space.unbounded(["a", "b"]),
    )
    np.testing.assert_allclose(found.null, [unit(1.0, 0.5)])
    np.testing.assert_allclose(found.run_off, [[0.0, 1.0]])


def climb(edge=None):
    return Climb(
        direction=unit(3.0, 4.0), rate=2.0, crossing=5.0, distances=np.arange(3.0), values=np.arange(3.0),
        points=np.ones((3, 2)), edge=edge,
    )  # fmt: skip


@pytest.mark.parametrize("edge", [None, np.array([7.0, 8.0])])
def test_climbs_are_as_long_as_they_are(edge):
    units, space = np.array([1.0, 0.5]), Space.unbounded(["a", "b"])
    mode = Mode(z=np.array([1.0, 2.0]), value=3.0, hessian=HESSIAN, agree=2)
    one = Finding(
        test="unbounded", kind="divergence", directions=unit(1.0, 1.0)[None], measured=1.0, threshold=2.0, unit="nats",
        parameters=("(b / 0.5)", "a"), climb=climb(edge), modes=(mode,),
    )  # fmt: skip
    bare = replace(one, climb=None, directions=np.zeros((0, 2)), parameters=(), modes=())
    first, second = verdict_out_of(verdict(findings=(one, bare)), units, space).findings
    assert first.parameters == ("b", "a")
    np.testing.assert_allclose(first.directions, [unit(1.0, 0.5)])
    np.testing.assert_allclose(first.modes[0].z, [1.0, 1.0])
    assert (first.measured, first.threshold, first.unit) == (1.0, 2.0, "nats")
    # (3, 4) / 5 becomes (3, 2) / 5 long; at an edge distances are e-foldings, whatever the unit.
    length = np.sqrt(13) / 5 if edge is None else 1.0
    way = first.climb
    np.testing.assert_allclose(way.direction, unit(3.0, 2.0))
    assert (way.rate, way.crossing) == (pytest.approx(2.0 / length), pytest.approx(5.0 * length))
    np.testing.assert_allclose(way.distances, np.arange(3.0) * length)
    np.testing.assert_array_equal(way.points, np.ones((3, 2)) * units)
    np.testing.assert_array_equal(way.values, np.arange(3.0))
    if edge is None:
        assert way.edge is None
    else:
        np.testing.assert_array_equal(way.edge, [7.0, 4.0])
    assert second.climb is None
    assert second.directions.shape == (0, 2)
