"""Standard errors of means over chains."""

import numpy as np
import pytest

from pp_mlekl.utils.effective_size import mean_and_error


def test_the_error_of_few_draws_is_not_too_small():
    """Three draws count as independent: their error is s / sqrt(3), with s^2 the unbiased variance."""
    mean, error = mean_and_error(np.array([[1.0, 2.0, 6.0]]))
    assert mean == pytest.approx(3.0)
    assert error == pytest.approx(np.sqrt(7.0 / 3.0))
