"""Maximum likelihood and maximum a posteriori estimates that say whether they exist."""

from pp_mlekl.point_estimates.find import find_map, find_mle
from pp_mlekl.point_estimates.result import PointEstimate

__all__ = ["PointEstimate", "find_map", "find_mle"]
