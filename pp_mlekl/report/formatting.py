"""Numbers as text. One rule: two significant digits of the error decide how many digits of the value are shown."""

from collections.abc import Sequence
from typing import SupportsFloat

import numpy as np

UNAVAILABLE = "unavailable"
"""Shown in place of NaN."""

# Numerical accuracy of the optimizer, in posterior standard deviations.
_NUMERICAL_ZERO = 1e-6
# Numbers outside this range are written with a power of ten.
_SMALLEST, _LARGEST = 1e-4, 1e6
# An error that needs more decimal places is not shown.
_MOST_PLACES = 8
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: SupportsFloat, digits: int = 3) -> str:
    """A number without an error, to some significant digits.

    Examples
    --------
    >>> number(-0.12345), number(12345.6), number(1.5e-7), number(float("nan")), number(float("inf"))
    ('−0.123', '12346', '1.5·10⁻⁷', 'unavailable', '∞')
    """
    value = float(value)
    if np.isnan(value):
        return UNAVAILABLE
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value and not _SMALLEST <= abs(value) < _LARGEST:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}·10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace("-", "−")
    places = max(0, digits - 1 - int(np.floor(np.log10(abs(value))))) if value else 0
    return f"{value:.{places}f}".replace("-", "−")


def with_error(value: SupportsFloat, error: SupportsFloat) -> str:
    """A number and its standard error, if that is not negligible.

    Examples
    --------
    >>> with_error(1.12489, 0.0149), with_error(-154.321, 12.7), with_error(0.6931472, 1e-13), with_error(3e-9, 2.5e-10)
    ('1.125 ± 0.015', '−154 ± 13', '0.6931', '(3.00 ± 0.25)·10⁻⁹')
    >>> with_error(9.126e12, 3.1e10)
    '(9.126 ± 0.031)·10¹²'
    """
    value, error = float(value), float(error)
    if not np.isfinite(value) or not np.isfinite(error):
        return number(value)
    if error == 0:
        return number(value, 4)
    scale = max(abs(value), error)
    if scale < _SMALLEST or error >= _LARGEST:
        exponent = int(np.floor(np.log10(scale)))
        shift = 10.0**-exponent
        return f"({with_error(value * shift, error * shift)})·10{str(exponent).translate(_SUPERSCRIPTS)}"
    if _places(error) > _MOST_PLACES:
        return number(value, 4)
    return f"{rounded(value, error)} ± {rounded(error, error)}"


def rounded(value: float, error: float) -> str:
    """A number to the digits that two significant digits of an error leave.

    Examples
    --------
    >>> rounded(1.2345, 0.0996), rounded(1234.5, 432.0), rounded(1.2345, float("nan"))
    ('1.23', '1230', '1.23')
    """
    value, error = float(value), float(error)
    if not np.isfinite(value) or not np.isfinite(error) or error <= 0:
        return number(value)
    places = _places(error)
    if places > _MOST_PLACES:
        return number(value)
    text = f"{round(value, places):.{max(places, 0)}f}"
    return (text.lstrip("-") if not float(text) else text).replace("-", "−")


def _places(error: float) -> int:
    """Decimal places of two significant digits of an error as it is printed: 0.0996 becomes 0.10."""
    return 1 - int(f"{error:.1e}".partition("e")[2])


def interval(low: float, high: float, error: float) -> str:
    """Both ends of an interval to the digits that an error leaves."""
    return f"{rounded(low, error)} to {rounded(high, error)}"


def percent(bounds: Sequence[str]) -> str:
    """The percentage in the names of an interval's columns.

    Examples
    --------
    >>> percent(["eti89_lb", "eti89_ub"])
    '89'
    """
    return bounds[0].removeprefix("eti").removeprefix("hdi").removesuffix("_lb")


def estimate(value: float, error: float, status: str, scale: float = np.nan) -> str:
    """A point estimate with its standard error, or its status if there is no value.

    Values below the optimizer's accuracy, relative to the posterior standard deviation ``scale``, are shown as 0. Without
    a standard error ``scale`` decides the digits.
    """
    if np.isnan(value):
        return {"converged": "not in the likelihood"}.get(status, status.replace("_", " "))
    if np.isfinite(scale) and abs(value) < _NUMERICAL_ZERO * scale:
        value = 0.0
    return with_error(value, error) if np.isfinite(error) else rounded(value, scale)
