"""Functions that change over from interpreting to compiling."""

import numpy as np
import pytensor.tensor as pt
import pytest
from numba.core.errors import TypingError

from pp_mlekl.pymc_model import functions


def test_what_numba_refuses_stays_interpreted(monkeypatch):
    def refusing(inputs, outputs):
        def call(*arguments):
            raise TypingError("No implementation found\nmore")

        return call

    monkeypatch.setattr(functions, "COMPILATION_PRICE_SECONDS", 0.0)
    monkeypatch.setattr(functions, "compiled", refusing)
    x = pt.dvector("x")
    lazy = functions.LazyFunction([x], [pt.sum(x**2)])
    with pytest.warns(RuntimeWarning, match=r"stays slow: No implementation found$"):
        assert lazy(np.array([1.0, 2.0]))[0] == 5.0
    assert lazy(np.array([3.0]))[0] == 9.0
