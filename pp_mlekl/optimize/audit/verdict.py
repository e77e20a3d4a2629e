"""What an audit finds at a point, and the verdict that follows from the findings by one table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pp_mlekl.optimize.large_curvature import LargeCurvature
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.profile_paths import Climb
from pp_mlekl.optimize.solvers.result import Ends
from pp_mlekl.typing import Array

STATUSES = ("converged", "boundary", "at_infinity", "unbounded", "not_identified", "multimodal", "failed")

# What was found, by test and kind, and the status that follows; the first row that applies decides. What is in no row (a
# divergence elsewhere, weak curvature, singular information) comes with a maximum that has converged.
TABLE: Sequence[tuple[tuple[str, str], str]] = (
    (("nonsmooth", "steps"), "failed"),
    (("unbounded", "divergence"), "unbounded"),
    (("recession", "direction"), "at_infinity"),
    (("boundary", "limit"), "boundary"),
    (("nonsmooth", "support"), "boundary"),
    (("nonsmooth", "kink"), "converged"),
    (("noise", "undefined"), "failed"),
    (("noise", "unfinished"), "failed"),
    (("identifiability", "flat"), "not_identified"),
    (("multimodality", "rivals"), "multimodal"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """One thing that a test found.

    Parameters
    ----------
    test
        The test: ``noise``, ``unbounded``, ``boundary``, ``recession``, ``identifiability``, ``nonsmooth`` or
        ``multimodality``.
    kind
        What it found, a word of that test's.
    directions
        Unit vectors of z (k, d) that it is about; none where it is about the point.
    parameters
        Names of the coordinates that these directions move.
    measured, threshold, unit
        The number that was measured, the number that it was compared with, and their unit.
    climb
        The path along which the objective diverges.
    modes
        Other maxima.
    onward
        Searches that came to a higher point, from which the audit begins again.
    """

    test: str
    kind: str
    directions: Array
    measured: float
    threshold: float
    unit: str
    parameters: tuple[str, ...] = ()
    climb: Climb | None = None
    modes: tuple[Mode, ...] = ()
    onward: Ends | None = None


def decide(findings: Iterable[Finding]) -> str:
    """The status that follows from some findings.

    Examples
    --------
    >>> flat = Finding(test="identifiability", kind="flat", directions=np.eye(2)[:1], measured=0, threshold=1e-4, unit="nats")
    >>> decide([]), decide([flat])
    ('converged', 'not_identified')
    """
    found = {(finding.test, finding.kind) for finding in findings}
    return next((status for what, status in TABLE if what in found), "converged")


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
        Eigenvalues of the negative Hessian in z.
    rank, size
        Rank of the Hessian (scaled to unit diagonal), and the number of parameters it could have.
    starts, agree
        Number of searches, and of those that ended at the estimate.
    iterations
        Number of iterations of the longest search.
    modes
        All local maxima met, the best first.
    """

    gradient_norm: float = np.nan
    decrement: float = np.nan
    smallest_eigenvalue: float = np.nan
    largest_eigenvalue: float = np.nan
    rank: int = 0
    size: int = 0
    starts: int = 0
    agree: int = 0
    iterations: int = 0
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
        Covariance of z (d, d): the inverse of the negative Hessian over all directions that are regular; directions of
        recession are held.
    irregular
        Directions (l, d) over which nothing could be inverted.
    singular
        Whether the maximum is no smooth one (singular information, a kink, the edge of the data's support), so that
        nothing has a standard error.
    findings
        What the tests found; ``status`` and ``warnings`` follow from it.
    audit
        The search's own account.
    units
        Sizes of the coordinates, (d,) or one for all, in which the parts of a direction are compared.
    local
        Where the status is ``unbounded``, the highest regular maximum that was met.
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
    singular: bool = False
    findings: tuple[Finding, ...] = ()
    units: Array | float = 1.0
    local: "Verdict | None" = None
    large: LargeCurvature | None = None
    audit: Audit = field(default_factory=Audit)
