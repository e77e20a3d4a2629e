"""Rays of gradients of plain functions: those of known likelihoods, and functions that must be refused."""

import numpy as np
import pytest
from scipy.special import erfcx, expit, log_expit, logsumexp, softmax

from pp_mlekl.optimize.audit.recession_rows import Predictor, _multiples, recession_rows

COUNT = 5


def by_differences(function):
    """Values and gradients of a likelihood of one predictor (b, *shape) that has no gradient of its own here."""

    def gradients(values):
        (eta,) = values
        found = np.zeros_like(eta)
        for index in np.ndindex(eta.shape[1:]):
            step = np.zeros(eta.shape[1:])
            step[index] = 1e-6
            found[:, *index] = (function(eta + step) - function(eta - step)) / 2e-6
        return function(eta), [found]

    return gradients


def rows_of(gradients, shape=(COUNT,)):
    size = int(np.prod(shape))
    found = recession_rows([Predictor(value=np.zeros(shape), jacobian=np.eye(size))], gradients)
    return None if found is None else found.rows


def of_slopes(slope):
    """A separable likelihood of which only the slope is looked at."""
    return lambda values: (np.zeros(len(values[0])), [slope(values[0])])


Y = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
SIGNS = np.diag([-1.0, 1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    "slope",
    [
        lambda eta: Y - expit(eta),
        lambda eta: SIGNS.diagonal() * np.sqrt(2 / np.pi) / erfcx(-SIGNS.diagonal() * eta / np.sqrt(2)),
        lambda eta: 1e-9 * (Y - expit(eta)),
        lambda eta: 1e9 * (Y - expit(eta)),
    ],
    ids=["logit", "probit", "small weights", "large weights"],
)
def test_binary_responses(slope):
    np.testing.assert_array_equal(rows_of(of_slopes(slope)), SIGNS)


def test_counts_of_any_size():
    y = np.array([0.0, 1e-6, 1.0, 1e9, 0.0])
    rows = rows_of(of_slopes(lambda eta: y - np.exp(eta)))
    assert rows.tolist() == [
        [-1, 0, 0, 0, 0],
        *([0, sign, 0, 0, 0] for sign in (1, -1)),
        *([0, 0, sign, 0, 0] for sign in (1, -1)),
        *([0, 0, 0, sign, 0] for sign in (1, -1)),
        [0, 0, 0, 0, -1],
    ]


def test_a_weight_of_zero_allows_every_direction():
    weights = np.array([1.0, 0.0, 1.0, 1.0, 1.0])
    rows = rows_of(of_slopes(lambda eta: weights * (Y - expit(eta))))
    np.testing.assert_array_equal(rows, SIGNS[weights > 0])


def test_categories_exceed_one_another():
    y = np.array([0, 2])

    def gradients(values):
        (eta,) = values
        total = (eta[:, [0, 1], y] - logsumexp(eta, axis=-1)).sum(axis=1)
        return total, [np.eye(3)[y] - softmax(eta, axis=-1)]

    rows = rows_of(gradients, (2, 3))
    expected = {(1, -1, 0, 0, 0, 0), (1, 0, -1, 0, 0, 0), (0, 0, 0, -1, 0, 1), (0, 0, 0, 0, -1, 1)}
    assert {tuple(row) for row in rows.tolist()} == expected


def test_a_table_of_counts_ties_the_categories_that_occur():
    counts = np.array([[2.0, 3.0, 0.0]])

    def gradients(values):
        (eta,) = values
        total = (counts * (eta - logsumexp(eta, axis=-1, keepdims=True))).sum(axis=(1, 2))
        return total, [counts - 5 * softmax(eta, axis=-1)]

    rows = rows_of(gradients, (1, 3))
    up = rows @ np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).T
    np.testing.assert_allclose(up[:, 0], 0, atol=1e-15)
    # Both categories that occur may rise together, and neither alone.
    assert up[:, 1].min() > -1e-15
    assert up[:, 1].max() > 0.1
    assert up[:, 2].min() < -0.1
    assert up[:, 3].min() < -0.1


def test_multiples_of_a_predictor_count_with_it():
    # y * eta alone has no maximum, and neither has -log(1 + exp(eta)); their sum allows one direction a row.
    def gradients(values):
        first, eta = values
        total = (first + log_expit(-eta)).sum(axis=1)
        return total, [np.ones_like(first), -expit(eta)]

    plain = Predictor(value=np.zeros(COUNT), jacobian=np.eye(COUNT))
    times_y = Predictor(value=np.zeros(COUNT), jacobian=np.diag(Y))
    np.testing.assert_array_equal(recession_rows([times_y, plain], gradients).rows, SIGNS)


def test_what_is_no_candidate_is_held():
    def gradients(values):
        eta, scale = values
        total = (Y * eta + log_expit(-eta)).sum(axis=1) - scale**2
        return total, [Y - expit(eta), -2 * scale]

    eta = Predictor(value=np.zeros(COUNT), jacobian=np.eye(COUNT, COUNT + 1))
    scale = Predictor(value=np.float64(0.3), jacobian=np.eye(COUNT + 1)[-1:], candidate=False)
    found = recession_rows([eta, scale], gradients)
    np.testing.assert_array_equal(found.rows[:, :-1], SIGNS)
    np.testing.assert_array_equal(found.fixed, np.eye(COUNT + 1)[-1:])


@pytest.mark.parametrize(
    "slope",
    [
        lambda eta: -2 * (eta - Y) / (1 + (eta - Y) ** 2),
        lambda eta: 2 * eta,
        lambda eta: np.ones_like(eta),
        lambda eta: -np.exp(-((eta - 1) ** 2)),
    ],
    ids=["Cauchy", "convex", "linear", "falls once"],
)
def test_functions_that_are_not_concave_and_bounded_are_refused(slope):
    assert rows_of(of_slopes(slope)) is None


def test_rows_that_influence_each_other_are_refused():
    assert rows_of(by_differences(lambda eta: -((np.diff(eta, axis=1) ** 2).sum(axis=1) ** 2))) is None


@pytest.mark.parametrize("count", [150, 2000])
def test_a_long_column_is_never_looked_at_as_one_unit(count):
    sizes = []

    def gradients(values):
        (eta,) = values
        sizes.append(eta.size)
        return np.zeros(len(eta)), [np.sin(eta)]

    assert rows_of(gradients, shape=(count,)) is None
    assert max(sizes) < 100 * count


@pytest.mark.parametrize(("end", "length"), [(200.0, 10.0), (400.0, 30.0), (800.0, 70.0)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_slope_vanishes_where_numbers_end(end, length, sign):
    def gradients(values):
        eta = sign * values[0]
        defined = np.where(np.all(np.abs(eta) <= end, axis=1), 0.0, np.nan)
        return defined, [sign * np.exp(-eta / length)]

    np.testing.assert_array_equal(rows_of(gradients), sign * np.eye(COUNT))
    # Three or four lengths from 0 it does not yet.
    end = 3 * length
    assert rows_of(gradients) is None


def of_steps(*steps, end=np.inf, weight=1.0):
    """Slopes that are constant from each place to the next, the first from minus infinity on; none beyond the end of numbers."""
    places, slopes = np.array(steps).T

    def slope(eta):
        found = weight * slopes[np.searchsorted(places, eta, side="right") - 1]
        return np.where(np.abs(eta) <= end, found, np.nan)

    return of_slopes(slope)


BEFORE = (-np.inf, 1.0)
WEIGHTS = pytest.mark.parametrize("weight", [1e-6, 1.0, 1e6])


@WEIGHTS
@pytest.mark.parametrize(
    ("steps", "concave"),
    [
        # Of the slopes' own size.
        (((2.5, -1.0), (9.0, -1 + 1.9e-6)), True),
        (((2.5, -1.0), (9.0, -1 + 2.1e-6)), False),
        # Of that near 0, where slopes are none.
        (((2.5, 0.0), (9.0, 0.9e-9)), True),
        (((2.5, 0.0), (9.0, 1.1e-9)), False),
        # Of a difference of terms as large as the predictor.
        (((2.5, 0.0), (0.5e6, 3.9e-9)), True),
        (((2.5, 0.0), (0.5e6, 6e-9)), False),
    ],
)
def test_what_slopes_may_rise_by_rounding(steps, concave, weight):
    assert (rows_of(of_steps(BEFORE, *steps, weight=weight)) is not None) == concave


@WEIGHTS
@pytest.mark.parametrize(
    ("left", "end", "bounded"),
    [(0.9e-4, 1e4, True), (1.1e-4, 1e4, False), (3.9e-3, np.inf, True), (4.3e-3, np.inf, False)],
)
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_what_may_be_left_of_a_slope_at_the_end_of_numbers(left, end, bounded, side, weight):
    steps = (BEFORE, (2.5, left)) if side > 0 else ((-np.inf, -left), (-2.5, -1.0))
    found = rows_of(of_steps(*steps, end=end, weight=weight))
    assert (found is not None) == bounded
    if bounded:
        np.testing.assert_array_equal(found, side * np.eye(COUNT))


@WEIGHTS
@pytest.mark.parametrize(("left", "kept"), [(0.9e-18, 0), (1.1e-18, 1)])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_slopes_that_are_rounding_have_no_sign(left, kept, side, weight):
    steps = (BEFORE, (2.5, -left)) if side > 0 else ((-np.inf, left), (-2.5, -1.0))
    assert len(rows_of(of_steps(*steps, weight=weight))) == COUNT * (1 + kept)


@pytest.mark.parametrize(
    ("second", "multiple"),
    [
        ([[3.0, 0.0], [0.0, -6.0]], [3.0, -3.0]),
        ([[0.0, 0.0], [0.0, 2.0]], [0.0, 1.0]),
        ([[3.0, 0.5], [0.0, -6.0]], None),
        ([[3.0, -0.5], [0.0, -6.0]], None),
        ([[3.0, 0.0], [-0.5, -6.0]], None),
        ([[3.0, 2.9e-12], [0.0, 2.0]], [3.0, 1.0]),
        ([[3.0, -3.1e-12], [0.0, 2.0]], None),
    ],
)
def test_multiples_of_the_derivatives_of_another(second, multiple):
    first, other = (Predictor(value=np.zeros(2), jacobian=np.array(j)) for j in ([[1.0, 0.0], [0.0, 2.0]], second))
    found = _multiples(first, other)
    assert (None if found is None else found.tolist()) == multiple
