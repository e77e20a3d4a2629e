"""What is vectorised in one run, loops over time above all: the same numbers as for each element of the batch alone."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import grad
from pytensor.graph.traversal import ancestors
from pytensor.scan.op import Scan
from pytensor.scan.utils import until
from pytensor.tensor.blockwise import Blockwise

from pp_mlekl.pymc_model.interpreter.lazy_function import interpreted, simplified
from pp_mlekl.pymc_model.interpreter.vectorize import vectorized
from pp_mlekl.pymc_model.model_functions import model_functions


def second_order(series, start, weights):
    """Two lags of the state, a sequence, and numbers that every step uses."""
    return pytensor.scan(
        lambda y, one, two, w: w[0] * one + w[1] * pt.sin(two) + y,
        sequences=series,
        outputs_info={"initial": start, "taps": [-1, -2]},
        non_sequences=weights,
        return_updates=False,
    )


def accumulated(series, start, weights):
    """A vector for a state, and an output that is no state."""
    states, squares = pytensor.scan(
        lambda y, state, w: [state * w[0] + y * w, pt.sum(state**2)],
        sequences=series,
        outputs_info=[start, None],
        non_sequences=weights,
        return_updates=False,
    )
    return pt.sum(states, axis=1) + squares


@pytest.mark.parametrize("loop", [second_order, accumulated])
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1, 2)])
def test_batch_is_the_loop_for_each_element(loop, which):
    rng = np.random.default_rng(1)
    inputs = [pt.tensor(name, shape=(size,)) for name, size in (("series", 7), ("start", 2), ("weights", 2))]
    arrays = [rng.normal(size=(3, v.type.shape[0])) for v in inputs]
    out = loop(*inputs)
    # Simplified as all graphs are before they are vectorised: the number of steps is a constant then.
    outputs = simplified([out, *grad(pt.sum(out**2), inputs)])
    single = interpreted(inputs, outputs)
    batched = [v.type.clone(shape=(None, *v.type.shape))() if k in which else v for k, v in enumerate(inputs)]
    replace = {v: new for v, new in zip(inputs, batched, strict=True) if new is not v}
    graphs = vectorized(outputs, replace)
    ours = interpreted(batched, graphs)(*(a if k in which else a[0] for k, a in enumerate(arrays)))
    for i in range(3):
        theirs = single(*(a[i] if k in which else a[0] for k, a in enumerate(arrays)))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one[i], other, rtol=1e-13, atol=1e-14)
    assert any(v.owner and isinstance(v.owner.op, Scan) for v in ancestors(graphs))


def test_loops_with_a_stopping_condition_are_run_one_by_one():
    """Doubled until the state before the step exceeds the limit: 8 for both limits."""
    limit = pt.dscalar("limit")
    steps = pytensor.scan(
        lambda x, most: (2.0 * x, until(x > most)),
        outputs_info=[pt.constant(1.0, dtype="float64")],
        non_sequences=[limit],
        n_steps=20,
        return_updates=False,
    )
    limits = pt.dvector("limits")
    (last,) = vectorized([limit * pt.max(steps)], {limit: limits})
    np.testing.assert_array_equal(interpreted([limits], [last])(np.array([3.0, 3.5]))[0], [24.0, 28.0])


@pytest.fixture(scope="module")
def garch():
    rng = np.random.default_rng(2)
    with pm.Model() as model:
        omega, alpha = pm.HalfNormal("omega", 1), pm.Uniform("alpha", 0, 1)
        beta = pm.Uniform("beta", 0, 1 - alpha)
        pm.GARCH11("y", omega=omega, alpha_1=alpha, beta_1=beta, initial_vol=1.0, observed=rng.normal(size=25))
    return model_functions(model)


@pytest.mark.slow
def test_garch_has_its_likelihood_and_exact_derivatives(garch):
    z = garch.starts(4, np.random.default_rng(3))
    value, gradient, hessian = garch.value_gradient_hessian(z)
    y = garch.observed_data()["y"]
    step = 1e-5
    for k in range(len(z)):
        sigma = [1.0]
        omega, alpha, beta = (float(garch.natural(z[k])[name]) for name in ("omega", "alpha", "beta"))
        for last in y[:-1]:
            sigma.append(np.sqrt(omega + alpha * last**2 + beta * sigma[-1] ** 2))
        expected = -0.5 * np.log(2 * np.pi) * len(y) - np.sum(np.log(sigma) + 0.5 * (y / sigma) ** 2)
        assert value[k] == pytest.approx(expected, rel=1e-12)
        moved = z[k] + step * np.vstack([np.eye(3), -np.eye(3)])
        values, slopes = garch.value_gradient(moved)
        np.testing.assert_allclose(gradient[k], (values[:3] - values[3:]) / (2 * step), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(hessian[k], (slopes[:3] - slopes[3:]) / (2 * step), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(garch.hessian_product(z[k], np.eye(3)), hessian[k], rtol=1e-12, atol=1e-13)


def test_gradients_by_slices_are_put_together_for_the_whole_batch():
    z, batch = pt.tensor("z", shape=(5,)), np.random.default_rng(1).normal(size=(4, 5))
    places = np.array([0, 1, 1, 0])
    slope = simplified([grad(pt.sum(pt.exp(z[1:3])[places] * z[0] + z[3] * z[4:]), z)])
    many = pt.tensor("many", shape=(None, 5))
    graphs = vectorized(slope, {z: many})
    (ours,) = interpreted([many], graphs)(batch)
    single = interpreted([z], slope)
    np.testing.assert_allclose(ours, [single(row)[0] for row in batch], rtol=1e-14)
    assert not any(isinstance(v.owner.op, Blockwise) for v in ancestors(graphs) if v.owner)
