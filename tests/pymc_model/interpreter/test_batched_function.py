"""One call for many arguments: the values do not depend on how the batch is cut, nor on how its axes are laid out."""

import numpy as np
import pytensor.tensor as pt
import pytest

from pp_mlekl.pymc_model.interpreter import batched_function
from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction


@pytest.mark.parametrize("worth", [0, np.inf])
@pytest.mark.parametrize(
    ("first", "second"),
    [((7, 1), (5,)), ((1, 5), (7, 1)), ((3, 4, 1, 1), (2, 6)), ((4, 1), (4, 3)), ((6,), (6,)), ((1, 1), (5,))],
)
@pytest.mark.parametrize("chunk", [4, 1000])
def test_two_batch_axes_give_what_one_gives(monkeypatch, worth, first, second, chunk):
    x, y = pt.dvector("x"), pt.dvector("y")
    monkeypatch.setattr(batched_function, "_WORTH_TWO_AXES", worth)
    monkeypatch.setattr(batched_function, "CHUNK_ELEMENTS", chunk)
    function = BatchedFunction([x, y], [pt.sum(pt.exp(x) * y + pt.sin(y)), pt.sum(x), x * y, pt.zeros(2)])
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(*first, 2)), generator.normal(size=(*second, 2))
    batch = np.broadcast_shapes(first, second)
    found = function(a, b)
    np.testing.assert_allclose(found[0], np.broadcast_to(np.sum(np.exp(a) * b + np.sin(b), axis=-1), batch))
    np.testing.assert_array_equal(found[1], np.broadcast_to(a.sum(axis=-1), batch))
    np.testing.assert_array_equal(found[2], np.broadcast_to(a * b, (*batch, 2)))
    np.testing.assert_array_equal(found[3], np.zeros((*batch, 2)))
