"""Maximum likelihood and maximum a posteriori estimates that say whether they exist."""

from pp_mlekl.point_estimates.find import find_map, find_mle
from pp_mlekl.point_estimates.result import PointEstimate
from pp_mlekl.point_estimates.robust import sandwich, sandwich_interval

__all__ = ["PointEstimate", "find_map", "find_mle", "sandwich", "sandwich_interval"]
