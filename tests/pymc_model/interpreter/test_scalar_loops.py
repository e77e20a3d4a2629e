"""Loops of scalar operations over arrays against exact derivatives, a sum by hand and a limit of time."""

import time

import numpy as np
import pytensor
import pytensor.scalar as ps
import pytensor.tensor as pt
import pytest
from pytensor.scalar.loop import ScalarLoop
from pytensor.tensor.elemwise import Elemwise
from scipy import special

from pp_mlekl.pymc_model.interpreter.lazy_function import interpreted
from pp_mlekl.pymc_model.interpreter.scalar_loops import looped

GENERATOR = np.random.default_rng(1)
A, B = GENERATOR.gamma(3.0, 1.0, (2, 200)) + 0.2
X = GENERATOR.uniform(0.05, 0.95, 200)


def derivative(function, at, step=1e-3):
    """By central differences with four points, of error step^4."""
    return (8 * (function(at + step) - function(at - step)) - function(at + 2 * step) + function(at - 2 * step)) / (
        12 * step
    )


def gradient(graph, inputs, by):
    return interpreted(inputs, pytensor.grad(graph.sum(), by))


@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_the_incomplete_gamma_functions_have_their_derivative_by_the_shape(name):
    a, x = pt.dvectors("a", "x")
    (found,) = gradient(getattr(pt, name)(a, x), [a, x], [a])(A, 4 * X)
    assert found == pytest.approx(derivative(lambda k: getattr(special, name)(k, 4 * X), A), abs=1e-9)


def test_the_incomplete_beta_function_has_its_derivatives_by_both_shapes():
    a, b, x = pt.dvectors("a", "b", "x")
    by_a, by_b = gradient(pt.betainc(a, b, x), [a, b, x], [a, b])(A, B, X)
    assert by_a == pytest.approx(derivative(lambda k: special.betainc(k, B, X), A), abs=1e-9)
    assert by_b == pytest.approx(derivative(lambda k: special.betainc(A, k, X), B), abs=1e-9)


def test_arrays_broadcast_as_elsewhere():
    a, x = pt.dmatrix("a"), pt.drow("x")
    function = gradient(pt.gammainc(a, x), [a, x], [a])
    (found,) = function(A[:6].reshape(6, 1) * np.ones((1, 4)), 4 * X[None, :4])
    assert found == pytest.approx(derivative(lambda k: special.gammainc(k, 4 * X[:4]), A[:6, None]), abs=1e-9)


def geometric_sum(until=True):
    """Adds powers of a ratio until the next term is below a limit."""
    total, term, ratio, limit = (ps.float64(name) for name in ("total", "term", "ratio", "limit"))
    following = term * ratio
    condition = {"until": following < limit} if until else {}
    return ScalarLoop(
        init=[total, term], constant=[ratio, *([limit] if until else [])], update=[total + term, following], **condition
    )


def test_each_element_ends_by_itself():
    n_steps = np.array([100, 100, 2, 0])
    ratio = np.array([0.5, 0.1, 0.5, 0.5])
    total, term, met = looped(geometric_sum(), n_steps, [np.zeros(4), np.ones(4), ratio, np.full(4, 1e-3)])
    # 2^-10 and 10^-4 are the first terms below the limit (in double precision .1^3 is above it); then two terms, and none.
    assert total == pytest.approx([2 - 2.0**-9, 1.111, 1.5, 0.0], rel=1e-12)
    assert term == pytest.approx([2.0**-10, 1e-4, 0.25, 1.0], rel=1e-12)
    assert met.tolist() == [True, True, False, True]


def test_without_a_condition_every_step_is_taken():
    total, term = looped(geometric_sum(until=False), np.array([3, 1, 0]), [np.zeros(3), np.ones(3), np.full(3, 0.5)])
    assert total.tolist() == [1.75, 1.0, 0.0]
    assert term.tolist() == [0.125, 0.5, 1.0]


def test_an_interpreted_function_gives_what_pytensor_gives_element_by_element():
    n, ratio = pt.lvector("n"), pt.dvector("ratio")
    zero = pt.zeros_like(ratio)
    outputs = Elemwise(geometric_sum())(n, zero, zero + 1, ratio, zero + 1e-3)
    steps, ratios = np.array([50, 3, 1]), np.array([0.9, 0.5, 0.2])
    found = interpreted([n, ratio], outputs)(steps, ratios)
    loop = geometric_sum()
    for i in range(3):
        assert [f[i] for f in found] == list(loop.impl(steps[i], 0.0, 1.0, ratios[i], 1e-3))
    assert [f.dtype for f in found] == [o.type.dtype for o in outputs]


def test_an_array_takes_less_time_than_its_elements_one_after_another():
    a, x = pt.dvectors("a", "x")
    function = gradient(pt.gammainc(a, x), [a, x], [a])
    function(A, 4 * X)

    def seconds(call):
        start = time.thread_time()
        call()
        return time.thread_time() - start

    whole = min(seconds(lambda: function(A, 4 * X)) for _ in range(3))
    assert whole < 0.2 * min(
        seconds(lambda: [function(A[i : i + 1], 4 * X[i : i + 1]) for i in range(200)]) for _ in range(3)
    )
