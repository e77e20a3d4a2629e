"""Types that many signatures share."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array of numbers; docstrings give its shape."""

RandomSeed = int | np.random.Generator | np.random.SeedSequence | None
"""A seed as PyMC and NumPy take it; None draws a fresh one."""

Potentials = Literal["prior", "likelihood"] | None
"""What the model's ``pm.Potential`` terms count as; None where the model has none."""
