"""Maximum likelihood and maximum a posteriori estimates that say whether they exist."""

from pp_mlekl.point_estimates.derived import DerivedEstimate, delta_method
from pp_mlekl.point_estimates.find import find_map, find_mle
from pp_mlekl.point_estimates.intervals import wald_interval
from pp_mlekl.point_estimates.result import PointEstimate
from pp_mlekl.point_estimates.robust import sandwich, sandwich_interval

__all__ = [
    "DerivedEstimate",
    "PointEstimate",
    "delta_method",
    "find_map",
    "find_mle",
    "sandwich",
    "sandwich_interval",
    "wald_interval",
]
