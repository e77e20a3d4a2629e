"""Sandwich standard errors, how well they are known, and the scale on which their intervals are symmetric."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True)
class RobustError:
    """Sandwich standard errors from what each observation contributes, and how well they are known.

    Parameters
    ----------
    standard_error
        Shape (..., m).
    degrees_of_freedom
        Of Student's t for the intervals: a sum of squares of heavy-tailed contributions is known as badly as one of few
        normal ones (Satterthwaite 1946; for sandwiches Bell & McCaffrey 2002). Infinite where all are equal.
    """

    standard_error: Array
    degrees_of_freedom: Array

    def half_width(self, prob: float) -> Array:
        """Half of the interval that covers with probability ``prob``."""
        return self.standard_error * stats.t.ppf(0.5 + prob / 2, self.degrees_of_freedom)


def robust_error(influence: Array, weights: Array) -> RobustError:
    """The sandwich from influences.

    Parameters
    ----------
    influence
        What each observation adds to each parameter, inverse information times score, shape (..., n, m).
    weights
        How often each observation counts, shape (..., n).

    Examples
    --------
    >>> error = robust_error(np.array([[1.0], [-1.0], [1.0], [-1.0]]) / 4, np.ones(4))
    >>> error.standard_error, error.degrees_of_freedom
    (array([0.5]), array([inf]))
    """
    square, w = influence**2, np.asarray(weights)[..., None]
    total, count = np.sum(w * square, axis=-2), np.sum(w, axis=-2)
    spread = np.sum(w * (square - (total / count)[..., None, :]) ** 2, axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(spread > np.finfo(float).eps * total**2, 2 * total**2 / spread, np.inf)
    return RobustError(standard_error=np.sqrt(total), degrees_of_freedom=freedom)


def one_to_one(jacobian: Array) -> tuple[Array, Array]:
    """Natural parameters that are each a function of one unconstrained coordinate, which belongs to them alone.

    For those an interval symmetric in the coordinate is mapped to one that stays within the parameter's range.

    Parameters
    ----------
    jacobian
        Of the natural parameters with respect to the coordinates, shape (m, k).

    Returns
    -------
    The places of such parameters, and of their coordinates.

    Examples
    --------
    >>> one_to_one(np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 3.0]]))
    (array([0]), array([0]))
    """
    depends = jacobian != 0
    single = (depends.sum(axis=1) == 1) & (depends[:, :].sum(axis=0) == 1)[np.argmax(depends, axis=1)]
    places = np.flatnonzero(single)
    return places, np.argmax(depends[places], axis=1)
