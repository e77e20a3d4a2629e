"""Whether an estimate agrees with an exact value within its own error."""

from typing import Any

import numpy as np


def assert_within(
    estimate: Any, exact: Any, *, mcse_below: float | None, mcse: Any = None, sigmas: float = 4.0
) -> None:
    """Fail unless each error is finite and below ``mcse_below``, and each estimate within ``sigmas`` of its own errors.

    Parameters
    ----------
    estimate
        An ``Estimate``, or numbers whose errors are ``mcse``.
    exact
        What they should be.
    mcse_below
        What the method's error is at most: an estimate with an infinite error agrees with everything.
    mcse
        Standard errors; those of the ``Estimate`` where None.
    sigmas
        How many of its standard errors an estimate may be away.
    """
    value = np.asarray(getattr(estimate, "value", estimate) if mcse is None else estimate, dtype=float)
    error = np.asarray(estimate.mcse if mcse is None else mcse, dtype=float)
    assert np.all(np.isfinite(error)), f"standard error {error}"
    assert np.all((error >= 0) & (error < (np.inf if mcse_below is None else mcse_below))), (
        f"standard error {error}, expected below {mcse_below}"
    )
    assert np.all(np.abs(value - np.asarray(exact, dtype=float)) <= sigmas * error), f"{value} ± {error}, exact {exact}"
