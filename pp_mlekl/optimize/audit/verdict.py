"""Whether a point estimate exists, is unique and is regular: found out by computation, on any objective."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pp_mlekl.optimize.large_curvature import LargeCurvature
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.profile_paths import Climb
from pp_mlekl.typing import Array

STATUSES = ("converged", "boundary", "at_infinity", "unbounded", "not_identified", "multimodal", "failed")


@dataclass(frozen=True, kw_only=True, eq=False)
class Audit:
    """What the search saw.

    Parameters
    ----------
    gradient_norm
        Length of the gradient at the estimate.
    decrement
        What a whole Newton step would still gain, in nats.
    smallest_eigenvalue, largest_eigenvalue
        Of the negative Hessian in z.
    rank, size
        Rank of the Hessian (scaled to unit diagonal), and the number of parameters it could have.
    starts, agree
        Number of searches, and of those that ended at the estimate.
    iterations
        Of the longest search.
    modes
        All local maxima met, the best first.
    """

    gradient_norm: float
    decrement: float
    smallest_eigenvalue: float
    largest_eigenvalue: float
    rank: int
    size: int
    starts: int
    agree: int
    iterations: int
    modes: Sequence[Mode] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """The outcome of a search.

    Parameters
    ----------
    status
        One of ``STATUSES``.
    z, value
        The point (d,) and the objective there; where nothing is attained, the last point that was reached.
    gradient, hessian
        At that point.
    warnings
        What a reader must know; empty for a regular maximum.
    null
        Directions (k, d) that the objective does not see.
    run_off
        Directions (k, d) along which the maximum lies at the edge or at infinity.
    covariance
        Of z (d, d): the inverse of the negative Hessian over all directions that are regular; those that run off
        are held.
    irregular
        Directions (l, d) over which nothing could be inverted.
    shallow
        Regular directions (m, d) along which the objective hardly falls off, farther from the maximum.
    singular
        Whether the maximum is no smooth one (singular information, a kink, the edge of the data's support), so that
        nothing has a standard error.
    climb
        The evidence for ``unbounded``.
    audit
        The search's own account.
    large
        The curvature at z where there are too many parameters for whole matrices; ``hessian`` and ``covariance`` are
        then views of one NaN.
    """

    status: str
    z: Array
    value: float
    gradient: Array
    hessian: Array
    warnings: tuple[str, ...]
    null: Array
    run_off: Array
    covariance: Array
    irregular: Array
    shallow: Array = field(default_factory=lambda: np.zeros((0, 0)))
    singular: bool = False
    climb: Climb | None = None
    large: LargeCurvature | None = None
    audit: Audit = field(
        default_factory=lambda: Audit(
            gradient_norm=np.nan,
            decrement=np.nan,
            smallest_eigenvalue=np.nan,
            largest_eigenvalue=np.nan,
            rank=0,
            size=0,
            starts=0,
            agree=0,
            iterations=0,
        )
    )
