"""The function as optimisers see it: what is not defined, fewer coordinates, no points."""

import numpy as np
import pytest

from pp_mlekl.optimize.objective import LARGE, Objective


def quadratic(size=3, **fields):
    """-(z - 1)' A (z - 1) / 2, whose A has the entries 1 to 9 made symmetric."""
    matrix = np.arange(1.0, 1 + size**2).reshape(size, size) + 20 * np.eye(size)
    matrix = (matrix + matrix.T) / 2

    def evaluate(order, z, rows):
        shifted = z - 1 - rows[:, None]
        image = shifted @ matrix
        value = -np.sum(shifted * image, axis=1) / 2
        return (value, -image, np.broadcast_to(-matrix, (len(z), size, size)))[: order + 1]

    return matrix, Objective(size=size, evaluate=evaluate, **fields)


def test_defaults():
    _, plain = quadratic()
    assert (plain.precision, plain.terms, plain.derivatives) == (1e-14, 0, 2)
    assert plain.product is plain.support is plain.information is None


def test_rows_say_which_replicate_it_is():
    _, plain = quadratic()
    z = np.full((2, 3), 2.0)
    np.testing.assert_array_equal(plain.value(z, np.array([1, 1])), [0.0, 0.0])
    np.testing.assert_array_equal(plain.gradient(z, np.array([1, 1]))[1], np.zeros((2, 3)))
    assert plain.value(z)[0] < 0


def broken(value=0.0, slope=0.0, curvature=0.0):
    def evaluate(order, z, rows):
        first = np.array([value, 5.0])
        gradient = np.array([[slope, 1.0], [1.0, 2.0]])
        hessian = np.ones((2, 2, 2))
        hessian[0, 1, 0] = curvature
        return (first, gradient, hessian)[: order + 1]

    return Objective(size=2, evaluate=evaluate)


@pytest.mark.parametrize(
    "wrong", [{"value": 1.1e60}, {"value": np.nan}, {"slope": np.inf}, {"slope": -1.1e60}, {"curvature": np.nan}]
)
def test_what_is_not_defined_is_minus_infinity_without_slopes(wrong):
    value, gradient, hessian = broken(**wrong).hessian(np.zeros((2, 2)))
    assert value.tolist() == [-np.inf, 5.0]
    assert not gradient[0].any()
    assert not hessian[0].any()
    assert gradient[1].tolist() == [1.0, 2.0]
    assert (broken(**wrong).value(np.zeros((2, 2)))[0] == -np.inf) == ("value" in wrong)
    assert broken(value=0.9e60, slope=0.9e60).gradient(np.zeros((2, 2)))[0].tolist() == [0.9e60, 5.0]


def test_no_points():
    never = Objective(size=2, evaluate=None)
    assert [part.shape for part in never.hessian(np.zeros((0, 2)))] == [(0,), (0, 2), (0, 2, 2)]
    assert [part.shape for part in never.gradient(np.zeros((0, 2)))] == [(0,), (0, 2)]
    assert never.value(np.zeros((0, 2))).shape == never.supported(np.zeros((0, 2))).shape == (0,)


def test_the_support():
    _, plain = quadratic()
    z = np.array([[1.0, 1.0, 1.0], [np.nan, 1.0, 1.0]])
    assert plain.supported(z).tolist() == [True, False]
    _, known = quadratic(support=lambda z: 1 / (z[:, 0] - 1) > 0)
    # What divides by zero there is not warned of.
    assert known.supported(np.array([[1.0, 0, 0], [2.0, 0, 0], [0.0, 0, 0]])).tolist() == [True, True, False]


@pytest.mark.parametrize(("size", "product", "wide", "large"), [
    (LARGE, True, False, False), (LARGE + 1, True, True, True), (LARGE + 1, False, True, False),
])  # fmt: skip
def test_large_problems_have_products(size, product, wide, large):
    made = Objective(size=size, evaluate=None, product=(lambda z, v: v) if product else None)
    assert (made.wide, made.large) == (wide, large)
    assert LARGE == 400


def test_some_coordinates_alone():
    _, whole = quadratic(
        product=lambda z, vectors: -(vectors + z[0]),
        support=lambda z: z[:, 1] > 0,
        information=lambda z: np.diag(z),
    )
    base, kept = np.array([0.5, 2.0, -1.0]), np.array([2, 0])
    part = whole.restricted(kept, base)
    z = np.array([[3.0, 4.0], [-1.0, 0.5]])
    full = np.array([[4.0, 2.0, 3.0], [0.5, 2.0, -1.0]])
    for found, expected in zip(part.hessian(z), whole.hessian(full), strict=True):
        cut = {1: expected, 2: expected[..., kept] if expected.ndim == 2 else None, 3: None}[expected.ndim]
        cut = expected[:, kept[:, None], kept] if expected.ndim == 3 else cut
        np.testing.assert_array_equal(found, cut)
    assert part.size == 2
    np.testing.assert_array_equal(part.product(z[0], np.eye(2)), -(np.eye(2) + 4.0))
    assert part.supported(z).all()
    np.testing.assert_array_equal(part.information(z[0]), np.diag([3.0, 4.0]))
    assert whole.restricted(np.arange(3), base) is whole
    _, plain = quadratic()
    bare = plain.restricted(kept, base)
    assert bare.product is bare.support is bare.information is None
