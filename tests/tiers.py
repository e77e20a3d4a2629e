"""What of a list of cases is checked by the fast tests, and what by the slow tier."""

import pytest

# Of conjugate models of one structure one is enough for the fast tests.
LIKE_ANOTHER = (
    "dirichlet-multinomial-zero-cell",
    "normal-inversegamma-10",
    "beta-bernoulli-all-ones",
    "gamma-poisson-strong-prior",
    "linear-regression-d20",
    "normal-known-strong-prior",
)


def slow_if(values, slow):
    """Values for ``pytest.mark.parametrize``, those among ``slow`` in the slow tier."""
    return [pytest.param(v, id=str(v), marks=[pytest.mark.slow] * (v in slow)) for v in values]
