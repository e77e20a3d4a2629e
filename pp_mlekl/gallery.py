"""The gallery in a clone: ``pp_mlekl.gallery`` finds the modules of ``models/``, which the wheel installs in its place."""

from pathlib import Path

__path__ = [str(Path(__file__).parents[1] / "models")]
