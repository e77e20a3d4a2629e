"""Compare Bayesian and likelihood fits of PyMC models through Kullback-Leibler divergence.

The public names are listed in ``__init__.pyi`` and loaded on first use. Importing the package loads neither PyMC nor
matplotlib.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("pp_mlekl")
