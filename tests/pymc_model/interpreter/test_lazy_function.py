"""Functions that change over from interpreting to compiling."""

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from numba.core.errors import TypingError
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.graph.traversal import toposort
from pytensor.scan.op import Scan
from threadpoolctl import threadpool_info

from pp_mlekl.pymc_model.interpreter import lazy_function as functions
from pp_mlekl.pymc_model.interpreter.blas_threads import has_small_matrices
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.rewrites.inline import inlined


def test_graphs_that_numba_refuses_stay_interpreted(monkeypatch):
    def refusing(inputs, outputs):
        def call(*arguments):
            raise TypingError("No implementation found\nmore")

        return call

    monkeypatch.setattr(functions, "COMPILATION_PRICE_SECONDS", 0.0)
    monkeypatch.setattr(functions, "compiled", refusing)
    x = pt.dvector("x")
    lazy = functions.LazyFunction([x], [pt.sum(x**2)])
    with pytest.warns(RuntimeWarning, match=r"slow: No implementation found$"):
        assert lazy(np.array([1.0, 2.0]))[0] == 5.0
    assert lazy(np.array([3.0]))[0] == 9.0


def seconds_of_calls(monkeypatch, interpreted, compiled):
    """What the clock shows before and after the first interpreted call, and the call of the compiled function that is timed."""
    readings = iter([0.0, interpreted, 0.0, compiled])
    monkeypatch.setattr(functions, "time", SimpleNamespace(thread_time=lambda: next(readings, 0.0)))


def numba_that(gives):
    """In the place of Numba's functions: ``gives`` is called with how often they have been and with their arguments."""

    def make(inputs, outputs):
        calls = []

        def call(*arguments):
            calls.append(arguments)
            return gives(len(calls), *arguments)

        return call

    return make


@pytest.mark.parametrize(
    ("gives", "reason"),
    [
        (lambda k, x: [np.sum(x**2) + 1e-3], "other values"),
        (lambda k, x: [np.array(np.nan)], "other values"),
        (lambda k, x: [np.array(1 / (2 - k) * np.sum(x**2))], "division by zero"),
    ],
)
def test_graphs_that_numba_evaluates_wrongly_stay_interpreted(monkeypatch, gives, reason):
    monkeypatch.setattr(functions, "COMPILATION_PRICE_SECONDS", 0.0)
    monkeypatch.setattr(functions, "compiled", numba_that(gives))
    x = pt.dvector("x")
    lazy = functions.LazyFunction([x], [pt.sum(x**2)])
    with pytest.warns(RuntimeWarning, match=f"slow: .*{reason}"):
        values = [float(lazy(np.array([k, 2.0]))[0]) for k in (1.0, 2.0, 3.0, 4.0)]
    assert values == [5.0, 8.0, 13.0, 20.0]


def test_a_compiled_function_is_used_where_it_is_faster(monkeypatch):
    monkeypatch.setattr(functions, "COMPILATION_PRICE_SECONDS", 0.5)
    x = pt.dvector("x")
    for compiled, used in ((0.9, [1, 2, 3, 4]), (1.1, [1, 2])):
        calls = []

        def gives(k, x, calls=calls):
            calls.append(k)
            return [np.sum(x**2) * (1 + 1e-13)]

        monkeypatch.setattr(functions, "compiled", numba_that(gives))
        seconds_of_calls(monkeypatch, interpreted=1.0, compiled=compiled)
        lazy = functions.LazyFunction([x], [pt.sum(x**2)])
        for k in range(3):
            assert lazy(np.array([float(k)]))[0] == pytest.approx(k**2)
        assert calls == used


@pytest.mark.parametrize(("seconds", "compilations"), [(0.0049, 0), (0.0051, 1)])
def test_a_loop_is_compiled_when_a_hundred_calls_would_cost_more(monkeypatch, seconds, compilations):
    monkeypatch.setattr(functions, "COMPILATION_PRICE_SECONDS", 0.5)
    seconds_of_calls(monkeypatch, interpreted=seconds, compiled=0.0)
    made = []
    monkeypatch.setattr(functions, "compiled", lambda *graphs: made.append(1) or (lambda x: [2.0 * x]))
    x = pt.dvector("x")
    doubled = pytensor.scan(lambda v: 2.0 * v, sequences=[x], return_updates=False)
    functions.LazyFunction([x], [doubled])(np.ones(3))
    assert len(made) == compilations


def test_symbolic_operations_are_inlined_in_the_steps_of_loops():
    x = pt.dmatrix("x")
    summed = pytensor.scan(
        lambda row, total: pt.logsumexp(row) + total, sequences=[x], outputs_info=[pt.zeros(())], return_updates=False
    )
    (graph,) = inlined([summed[-1]])
    (loop,) = [node.op for node in toposort([graph]) if isinstance(node.op, Scan)]
    assert not any(isinstance(node.op, OpFromGraph) for node in loop.fgraph.apply_nodes)
    values = np.random.default_rng(1).normal(size=(4, 3))
    (found,) = functions.interpreted([x], [graph])(values)
    np.testing.assert_allclose(found, np.sum(np.log(np.sum(np.exp(values), axis=1))), rtol=1e-14)


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_small_matrices_are_solved_by_one_thread(monkeypatch):
    def matrix(n):
        return pt.tensor("m", shape=(n, n))

    assert has_small_matrices([pt.linalg.cholesky(matrix(25))])
    assert has_small_matrices([pt.linalg.cholesky(pt.tensor("m", shape=(None, None, None)))])
    assert not has_small_matrices([pt.linalg.cholesky(matrix(500))])
    assert not has_small_matrices([matrix(25) @ matrix(25)])
    seen = []
    monkeypatch.setattr(functions, "interpreted", lambda *graphs: lambda x: seen.append(blas_threads()) or [x])
    m = matrix(2)
    before = blas_threads()
    functions.LazyFunction([m], [pt.linalg.cholesky(m)])(np.eye(2))
    assert seen == [{1}]
    assert blas_threads() == before


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((4, 1), (1, 3)), ((), (3,))])
def test_lean_operations_are_those_of_pytensor(shapes):
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=shape) for shape in shapes]
    inputs = [pt.tensor("x", shape=shape) for shape in shapes]
    x, y = inputs
    graphs = [
        x + y + x * y,
        pt.switch(x > y, x, pt.exp(y)),
        pt.softplus(x) / y,
        pt.cast(x > 0, "int64"),
        pt.gammaln(x**2),
        pt.second(x, y),
        pt.clip(x, -0.5, 0.5),
        pt.sigmoid(x),
        pt.mul(x, y, pt.exp(x), 2.0),
        pt.add(x, y, pt.exp(y), y),
    ]
    lean = functions.interpreted(inputs, graphs)(*arrays)
    plain = pytensor.function(inputs, graphs, mode=Mode(linker="py", optimizer=None))(*arrays)
    for ours, theirs, graph in zip(lean, plain, graphs, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-15, atol=1e-15)
        assert ours.dtype == graph.type.dtype


def test_lean_operations_refuse_undeclared_broadcasting():
    x, y = pt.dvector("x"), pt.dvector("y")
    function = functions.interpreted([x, y], [x + y])
    function(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="Runtime broadcasting"):
        function(np.ones(3), np.ones(1))


def test_a_row_has_the_same_digits_alone_as_in_a_batch():
    rng = np.random.default_rng(2)
    x, group = rng.normal(size=(50, 3)), np.repeat(np.arange(10), 5)
    with pm.Model() as model:
        b, scale = pm.Normal("b", 0, 1, shape=3), pm.HalfNormal("scale", 1)
        effect = pm.Gamma("effect", 2, 1, shape=10)
        eta = pm.math.dot(x, b) + scale * pt.log(effect)[group]
        pm.Bernoulli("y", logit_p=eta, observed=rng.integers(0, 2, 50))
        pm.Gamma("t", alpha=scale + 1, beta=effect[group] * scale * pt.exp(eta), observed=rng.gamma(2, 1, 50))
    functions_of_model = model_functions(model)
    z = rng.normal(size=(33, functions_of_model.size))
    for evaluate in (functions_of_model.pointwise, functions_of_model.scores, functions_of_model.log_likelihood):
        together = evaluate(z)
        for count in (1, 2, 5):
            np.testing.assert_array_equal(evaluate(z[:count]), together[:count])
