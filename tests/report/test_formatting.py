"""Numbers as text, on either side of each limit."""

import numpy as np
import pytest

from pp_mlekl.report.formatting import estimate, interval, number, percent, rounded, with_error

NAN = np.nan


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 3, "0"),
        (0.12345, 3, "0.123"),
        (0.12345, 2, "0.12"),
        (1.25, 1, "1"),
        (-12.345, 3, "−12.3"),
        (123.45, 3, "123"),
        (1234.5, 2, "1234"),
        (1e-4, 3, "0.000100"),
        (9.99e-5, 3, "9.99·10⁻⁵"),
        (999_999.0, 3, "999999"),
        (1e6, 3, "1·10⁶"),
        (-2.5e7, 3, "−2.5·10⁷"),
        (2.468e7, 1, "2·10⁷"),
        (10.0**10, 1, "1·10¹⁰"),
        (np.inf, 3, "∞"),
        (-np.inf, 3, "−∞"),
        (NAN, 3, "unavailable"),
    ],
)
def test_a_number_without_an_error(value, digits, text):
    assert number(value, digits) == text


def test_three_digits_are_the_default():
    assert number(0.123456) == number(0.123456, 3) != number(0.123456, 4)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.23456, 0.0, "1.235"),
        (1.23456, NAN, "1.23"),
        (NAN, 0.1, "unavailable"),
        (np.inf, 0.1, "∞"),
        (1.23456, 0.0999, "1.23 ± 0.10"),
        (1.23456, 0.0949, "1.235 ± 0.095"),
        (-154.321, 12.7, "−154 ± 13"),
        # Below 1e-4, or with an error of 1e6 and more, a power of ten is taken out.
        (1.01e-4, 1e-5, "0.000101 ± 0.000010"),
        (0.99e-4, 1e-5, "(9.9 ± 1.0)·10⁻⁵"),
        (1e-5, 2e-4, "0.00001 ± 0.00020"),
        (1e-6, 2e-5, "(0.1 ± 2.0)·10⁻⁵"),
        (5e6, 0.99e6, "5000000 ± 990000"),
        (5e6, 1e6, "(5.0 ± 1.0)·10⁶"),
        # Eight decimal places are shown at most.
        (0.123456789, 1.5e-7, "0.12345679 ± 0.00000015"),
        (0.123456789, 1.5e-8, "0.1235"),
    ],
)
def test_a_number_with_its_error(value, error, text):
    assert with_error(value, error) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.2345, 0.0996, "1.23"),
        (1234.5, 432.0, "1230"),
        (-0.001, 1.0, "0.0"),
        (-0.06, 1.0, "−0.1"),
        (1.2345, 0.0, "1.23"),
        (1.2345, -1.0, "1.23"),
        (1.2345, np.inf, "1.23"),
        (0.123456789, 1.5e-7, "0.12345679"),
        (0.123456789, 1.5e-8, "0.123"),
        (NAN, 1.0, "unavailable"),
    ],
)
def test_the_error_decides_on_the_digits(value, error, text):
    assert rounded(value, error) == text


def test_intervals_and_their_percentage():
    assert interval(-1.2345, 2.3456, 0.1) == "−1.23 to 2.35"
    assert (percent(["eti89_lb", "eti89_ub"]), percent(["hdi94_lb", "hdi94_ub"])) == ("89", "94")


@pytest.mark.parametrize(
    ("value", "error", "status", "scale", "text"),
    [
        (NAN, NAN, "converged", 1.0, "not in the likelihood"),
        (NAN, NAN, "at_infinity", 1.0, "at infinity"),
        (1.23456, 0.1, "converged", 5.0, "1.23 ± 0.10"),
        (1.23456, NAN, "converged", 5.0, "1.2"),
        # Within a millionth of the scale of 0 it is 0.
        (0.9e-6, 1e-7, "converged", 1.0, "(0.0 ± 1.0)·10⁻⁷"),
        (1.1e-6, 1e-7, "converged", 1.0, "(1.10 ± 0.10)·10⁻⁶"),
        (-0.9e-6, NAN, "converged", 1.0, "0.0"),
        (0.9e-6, 1e-7, "converged", NAN, "(9.0 ± 1.0)·10⁻⁷"),
    ],
)
def test_a_point_estimate(value, error, status, scale, text):
    assert estimate(value, error, status, scale) == text


def test_without_a_scale_the_digits_are_those_of_a_number():
    assert estimate(1.23456, NAN, "converged") == "1.23"
