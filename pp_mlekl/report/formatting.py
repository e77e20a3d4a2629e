"""Numbers as a reader wants them: few digits, words for what does not exist."""

import numpy as np

# The optimiser's own precision, in posterior standard deviations.
_NOTHING = 1e-6


def number(value: float, digits: int = 4) -> str:
    """A few significant digits; ``∞`` and a dash where there is no number."""
    value = float(value)
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("-", "−")


def with_error(value: float, error: float) -> str:
    """A number with its standard error, to the error's precision."""
    value, error = float(value), float(error)
    if not np.isfinite(value) or not np.isfinite(error):
        return number(value)
    if error == 0:
        return number(value, 6)
    places = max(0, int(np.ceil(-np.log10(error))) + 1)
    if places > 8:
        return number(value, 6)
    return f"{value:.{places}f} ± {error:.{places}f}".replace("-", "−")


def with_precision(value: float, error: float) -> str:
    """A number to the digits that its Monte Carlo error leaves."""
    if not np.isfinite(value) or not np.isfinite(error) or error <= 0:
        return number(value)
    places = min(8, int(np.ceil(-np.log10(2 * error))))
    return number(value) if places <= 0 and abs(value) < 1e4 else f"{value:.{max(places, 0)}f}".replace("-", "−")


def estimate(value: float, error: float, status: str, scale: float = np.nan) -> str:
    """A point estimate with its standard error, or its status where it has no number.

    What is nothing beside ``scale``, the posterior's standard deviation, is the optimiser's rounding: it is shown as 0.
    """
    if np.isnan(value):
        return {"converged": "not in the likelihood"}.get(status, status.replace("_", " "))
    if np.isfinite(scale) and abs(value) < _NOTHING * scale:
        value = 0.0
    return with_error(value, error) if np.isfinite(error) else number(value)
