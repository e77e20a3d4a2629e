"""Steps of quadratic models against closed forms, from either side of each limit."""

import numpy as np
import pytest

from pp_mlekl.optimize.solvers import quadratic_model as module
from pp_mlekl.optimize.solvers.quadratic_model import _by_cholesky, along, project, quadratic_model


def definite(size, count=1, seed=1):
    """Negative definite Hessians and gradients."""
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(count, size, size))
    return generator.normal(size=(count, size)), -(root @ root.swapaxes(1, 2) + np.eye(size))


@pytest.mark.parametrize("size", [1, 2, 5, 6, 20, 30])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_newtons_step_and_what_it_gains(size, scale):
    gradient, hessian = definite(size, 3)
    units = np.where(np.arange(size) % 2, scale, 1.0)
    gradient, hessian = gradient * units, hessian * units[:, None] * units
    model = quadratic_model(gradient, hessian)
    step = np.linalg.solve(-hessian, gradient[..., None])[..., 0]
    np.testing.assert_allclose(model.newton, step, rtol=1e-7)
    np.testing.assert_allclose(model.decrement, 0.5 * np.sum(step * gradient, axis=1), rtol=1e-8)
    np.testing.assert_allclose(model.gains(step), model.decrement, rtol=1e-7)
    np.testing.assert_allclose(model.gains(2 * step), 0.0, atol=1e-6 * model.decrement.max())
    np.testing.assert_array_equal(model.steps(np.full(3, np.inf)), model.newton)


def one(*diagonal, gradient=None):
    """The model of a diagonal Hessian."""
    gradient = np.ones(len(diagonal)) if gradient is None else np.array(gradient)
    return quadratic_model(gradient[None], np.diag(diagonal)[None].astype(float))


def test_a_long_step_is_cut_along_each_direction_by_itself():
    model = one(-1.0, -0.1, gradient=[2.0, 3.0])
    np.testing.assert_allclose(model.newton, [[2.0, 30.0]])
    np.testing.assert_allclose(model.steps(np.array([5.0])), [[2.0, 5.0]])
    np.testing.assert_allclose(model.steps(np.array([1.0])), [[1.0, 1.0]])
    np.testing.assert_allclose(model.steps(np.array([30.0])), [[2.0, 30.0]])
    several = model.steps(np.array([[1.0], [5.0], [40.0]]))
    np.testing.assert_allclose(several[:, 0], [[1, 1], [2, 5], [2, 30]])
    assert model.short(np.array([[30.0], [29.9]])).tolist() == [[True], [False]]
    down = one(-1.0, -0.1, gradient=[-2.0, 3.0])
    np.testing.assert_allclose(down.steps(np.array([1.0])), [[-1.0, 1.0]])


def test_only_the_steps_that_are_too_long_are_cut():
    model = quadratic_model(np.array([[1.0], [5.0], [2.0]]), -np.ones((3, 1, 1)))
    np.testing.assert_allclose(model.steps(np.full(3, 3.0)), [[1.0], [3.0], [2.0]])
    np.testing.assert_allclose(model.steps(np.array([0.5, 9.0, 1.0])), [[0.5], [5.0], [1.0]])


def test_negative_curvature_is_followed_to_the_side():
    for slope, step in ((0.5, 2.0), (-0.5, -2.0), (0.0, 2.0)):
        model = one(-1.0, 3.0, gradient=[0.0, slope])
        assert np.isinf(model.decrement[0])
        np.testing.assert_allclose(model.steps(np.array([2.0])), [[0.0, step]], atol=1e-12)
        assert not model.short(np.array([100.0]))[0]


def test_without_curvature_a_slope_is_followed_to_the_side_and_nothing_stays():
    model = quadratic_model(np.array([[1.0, 0.0]]), np.diag([0.0, -1.0])[None])
    np.testing.assert_allclose(model.steps(np.array([2.0])), [[2.0, 0.0]], atol=1e-12)
    flat = quadratic_model(np.array([[0.0, 4.0]]), np.diag([0.0, -1.0])[None])
    np.testing.assert_allclose(flat.steps(np.array([2.0])), [[0.0, 2.0]], atol=1e-12)


def pair(correlation, gradient=(1.0, 1.0)):
    """Scaled eigenvalues of 1 - correlation and 1 + correlation."""
    return quadratic_model(np.array([gradient]), -np.array([[[1.0, correlation], [correlation, 1.0]]]))


@pytest.mark.parametrize(("lowest", "finite"), [(-0.9e-9, True), (-1.1e-9, False)])
def test_curvature_is_negative_beyond_doubt_below_a_billionth(lowest, finite):
    assert np.isfinite(pair(1.0 - lowest).decrement[0]) == finite


def test_the_smallest_curvatures_count_as_what_rounding_makes():
    # Along (1, -1) / sqrt 2 the gradient is sqrt 2 a, and the curvature 1e-13 at the least.
    model = pair(1.0, (1e-8, -1e-8))
    assert model.decrement[0] == pytest.approx(0.5 * 2e-16 / 1e-13, rel=1e-3)


@pytest.mark.parametrize("size", [5, 6])
def test_nearly_singular_matrices_are_decomposed(size):
    """A factor's pivot of less than a thousandth is not believed."""
    hessian = -np.eye(size)
    hessian[0, 1] = hessian[1, 0] = -(1 - 1e-7)
    gradient = np.zeros((1, size))
    gradient[0, 0] = 1.0
    model = quadratic_model(gradient, hessian[None])
    assert model.decrement[0] == pytest.approx(0.5 / (1 - (1 - 1e-7) ** 2), rel=1e-6)


@pytest.mark.parametrize("size", [6, 19, 20])
def test_one_without_a_factor_leaves_the_others_theirs(size):
    gradient, hessian = definite(size, 3)
    hessian[1, 0, 0] = 5.0
    model = quadratic_model(gradient, hessian)
    assert np.isinf(model.decrement).tolist() == [False, True, False]
    np.testing.assert_allclose(
        model.newton[[0, 2]], np.linalg.solve(-hessian[[0, 2]], gradient[[0, 2], :, None])[..., 0], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("size", "known"), [(5, [False] * 3), (6, [False] * 3), (19, [False] * 3), (20, [True, False, True])]
)
def test_where_one_has_no_factor_large_matrices_are_tried_one_by_one(size, known):
    gradient, hessian = definite(size, 3)
    hessian[1, 0, 0] = 5.0
    solution, half = _by_cholesky(-hessian, gradient)
    assert np.isfinite(half).tolist() == np.isfinite(solution).all(axis=1).tolist() == known
    # All of them have one.
    assert np.isfinite(_by_cholesky(-hessian[[0, 2]], gradient[[0, 2]])[1]).all() == (size > 5)


def test_each_matrix_is_decomposed_once(monkeypatch):
    called, decompose = [], np.linalg.eigh
    model = one(-1.0, 3.0)
    monkeypatch.setattr(module.np.linalg, "eigh", lambda a: (called.append(len(a)), decompose(a))[1])
    for radius in (1.0, 2.0):
        model.steps(np.array([radius]))
    assert called == [1]


def test_what_is_held_does_not_move():
    gradient, hessian = definite(3, 2)
    held = np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    slope, projected = project(gradient, hessian, held)
    np.testing.assert_allclose(np.sum(slope * held, axis=1), 0.0, atol=1e-14)
    np.testing.assert_allclose(along(gradient, held), np.sum(gradient * held, axis=1)[:, None] * held)
    np.testing.assert_allclose(slope + along(gradient, held), gradient)
    stiff = np.maximum(1.0, np.abs(np.diagonal(hessian, axis1=1, axis2=2)).max(axis=1))
    np.testing.assert_allclose(np.einsum("bij,bj->bi", projected, held), -stiff[:, None] * held, atol=1e-12)
    for k in range(2):
        across = np.linalg.qr(held[k][:, None], mode="complete")[0][:, 1:]
        np.testing.assert_allclose(across.T @ projected[k] @ across, across.T @ hessian[k] @ across, atol=1e-12)
        np.testing.assert_allclose(quadratic_model(slope, projected).newton[k] @ held[k], 0.0, atol=1e-12)
    weak = project(np.ones((1, 2)), -1e-3 * np.eye(2)[None], np.array([[1.0, 0.0]]))[1]
    np.testing.assert_allclose(weak[0], np.diag([-1.0, -1e-3]), atol=1e-15)
