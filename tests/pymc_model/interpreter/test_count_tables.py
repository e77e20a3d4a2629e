"""Log-gamma functions of counts from tables have the functions' own values, to the last bit."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import ancestors
from scipy import special

from pp_mlekl.pymc_model.interpreter.count_tables import OfCounts, of_counts
from pp_mlekl.pymc_model.interpreter.lazy_function import interpreted, with_ufuncs
from pp_mlekl.pymc_model.interpreter.ufuncs import trigamma
from pp_mlekl.pymc_model.model_functions import model_functions

COUNTS = np.random.default_rng(1).poisson(4, size=(60, 300))
SHIFT = np.random.default_rng(2).gamma(2, size=(60, 1))


class Spy:
    """A function that notes how many elements it is asked for."""

    def __init__(self, function):
        self.function, self.elements = function, 0

    def __call__(self, x):
        self.elements += np.size(x)
        return self.function(x)


@pytest.mark.parametrize("function", [special.gammaln, special.psi, trigamma])
@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8"])
@pytest.mark.parametrize("shift", [None, SHIFT, SHIFT[:1], SHIFT[None]])
def test_a_table_has_the_same_bits(function, dtype, shift):
    counts = COUNTS.astype(dtype) + np.asarray(1, dtype=dtype)
    expected = function(counts) if shift is None else function(counts + shift)
    spy = Spy(function)
    np.testing.assert_array_equal(of_counts(spy, counts, shift), expected, strict=True)
    assert spy.elements < counts.size / 2


@pytest.mark.parametrize(
    ("counts", "shift"),
    [
        (COUNTS[:2], SHIFT[:2]),
        (COUNTS, np.broadcast_to(SHIFT, COUNTS.shape)),
        (COUNTS * 1000, SHIFT),
        (COUNTS[:0], SHIFT[:0]),
        (np.array(3), np.array(0.5)),
        (np.array([2**62, -(2**62)] * 1000), np.array(0.5)),
    ],
)
def test_without_a_gain_there_is_no_table(counts, shift):
    spy = Spy(special.gammaln)
    np.testing.assert_array_equal(of_counts(spy, counts, shift), special.gammaln(counts + shift))
    assert spy.elements == counts.size


def test_negative_counts_have_their_places():
    counts = np.tile(np.arange(-3, 3), 500)
    np.testing.assert_array_equal(of_counts(special.psi, counts, np.array(0.25)), special.psi(counts + 0.25))


@pytest.mark.parametrize(
    ("make", "tables"),
    [
        (lambda y, a: pt.gammaln(y + a), 1),
        (lambda y, a: pt.gammaln(a + y), 1),
        (lambda y, a: pt.psi(y + 1), 1),
        (lambda y, a: pt.gammaln(y + a) + pt.psi(y + a) + pt.tri_gamma(y + a), 3),
        (lambda y, a: pt.gammaln(a + a), 0),
        (lambda y, a: pt.gammaln(y * a), 0),
        (lambda y, a: pt.exp(y + a), 0),
    ],
)
def test_functions_of_counts_are_found_in_a_graph(make, tables):
    y, a = pt.lmatrix("y"), pt.matrix("a", shape=(None, 1))
    graph = make(y, a)
    (new,) = with_ufuncs([graph])
    assert new.type == graph.type
    assert sum(v.owner is not None and isinstance(v.owner.op, OfCounts) for v in ancestors([new])) == tables
    expected = graph.eval({y: COUNTS, a: SHIFT}, mode="FAST_COMPILE", on_unused_input="ignore")
    np.testing.assert_allclose(interpreted([y, a], [graph])(COUNTS, SHIFT)[0], expected, rtol=1e-14)


def test_a_row_of_a_batch_has_the_bits_of_the_row_alone():
    with pm.Model() as model:
        alpha = pm.HalfNormal("alpha", 5)
        pm.NegativeBinomial("y", mu=3.0, alpha=alpha, observed=COUNTS[0])
    functions = model_functions(model)
    z = np.log(SHIFT)
    together = functions.value_gradient_hessian(z, data={"y": COUNTS})
    alone = [functions.value_gradient_hessian(z[i : i + 1], data={"y": COUNTS[i : i + 1]}) for i in range(len(z))]
    for whole, parts in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_array_equal(whole, np.concatenate(parts))
