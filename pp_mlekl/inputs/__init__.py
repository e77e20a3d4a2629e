"""What may be given as a distribution: PyMC, SciPy, PreliZ, strings, families by name."""

from pp_mlekl.inputs.constructor import distribution
from pp_mlekl.inputs.labelled import LabelledDistribution
from pp_mlekl.inputs.read import as_distribution, is_distribution
from pp_mlekl.inputs.text import parse_distribution

__all__ = ["LabelledDistribution", "as_distribution", "distribution", "is_distribution", "parse_distribution"]
