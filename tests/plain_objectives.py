"""Objectives of plain NumPy for the tests of the audit: values that are analytic in z, slopes by complex steps."""

import numpy as np

from pp_mlekl.optimize.audit.point import Point
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.solvers.difference_hessian import with_difference_hessian

_STEP = 1e-30


def analytic(value, size=1, **fields):
    """An objective from ``value(z)`` of z (b, d), whose operations take complex numbers."""

    def evaluate(order, z, rows):
        if order == 0:
            return (np.real(value(z.astype(complex))),)
        moves = 1j * _STEP * np.eye(size)
        slopes = [np.imag(value(z + move)) / _STEP for move in moves]
        return np.real(value(z.astype(complex))), np.stack(slopes, axis=-1)

    return with_difference_hessian(Objective(size=size, evaluate=evaluate, derivatives=1, **fields))


def without_slope(value, size=1, **fields):
    """An objective whose slopes are all 0, whatever its values."""

    def evaluate(order, z, rows):
        return (value(z), np.zeros(z.shape), np.zeros((*z.shape, size)))[: order + 1]

    return Objective(size=size, evaluate=evaluate, **fields)


def line(size=1, logarithms=()):
    """Parameters x0, x1, ... of which some are positive, with their logarithm as coordinate."""
    flags = np.isin(np.arange(size), logarithms)

    def natural(z):
        with np.errstate(over="ignore"):
            return np.where(flags, np.exp(z), z)

    names = [f"x{i}" for i in range(size)]
    coordinates = [f"log(x{i})" if flag else f"x{i}" for i, flag in enumerate(flags)]
    return Space(natural=natural, names=names, coordinates=coordinates, transformed=flags)


def point(objective, z, *, space=None, **fields):
    """A point of an objective, evaluated."""
    z = np.atleast_1d(np.asarray(z, dtype=float))
    return Point.at(objective, space or line(len(z)), z, **fields)


def kinds(findings):
    """The kinds of some findings."""
    return [finding.kind for finding in findings]
