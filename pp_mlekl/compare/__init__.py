"""The comparison of one model's fits: run it, hold it, keep it."""

from pp_mlekl.compare.comparison import Comparison
from pp_mlekl.compare.run import compare
from pp_mlekl.compare.storage import load

__all__ = ["Comparison", "compare", "load"]
