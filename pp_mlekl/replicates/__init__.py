"""Many data sets from one truth, and the fits of all of them at once."""

from pp_mlekl.replicates.data import Replicates, Simulator
from pp_mlekl.replicates.fit import ReplicateFits, fit_replicates

__all__ = ["ReplicateFits", "Replicates", "Simulator", "fit_replicates"]
