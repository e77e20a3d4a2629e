"""Compare Bayesian and likelihood fits of PyMC models through Kullback-Leibler divergence.

The public names are loaded on first use, so that importing the package costs nothing:
neither PyMC nor matplotlib is imported until a function that needs it is called.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pp_mlekl.compare import Comparison, compare, load
    from pp_mlekl.divergences.estimate import Estimate
    from pp_mlekl.divergence import cross_entropy, entropy, js_divergence, kl_divergence, wasserstein_distance
    from pp_mlekl.evidence import log_evidence
    from pp_mlekl.fitted import fitted_divergence
    from pp_mlekl.information_gain import information_gain
    from pp_mlekl.laplace import LaplaceApproximation, laplace
    from pp_mlekl.point_estimates import PointEstimate, find_map, find_mle
    from pp_mlekl.proof import Proof, proof
    from pp_mlekl.pseudo_true import pseudo_true
    from pp_mlekl.study import study

__version__ = version("pp_mlekl")

_HOME = {
    "Comparison": "compare",
    "Estimate": "divergences.estimate",
    "LaplaceApproximation": "laplace",
    "PointEstimate": "point_estimates",
    "Proof": "proof",
    "compare": "compare",
    "cross_entropy": "divergence",
    "entropy": "divergence",
    "find_map": "point_estimates",
    "find_mle": "point_estimates",
    "fitted_divergence": "fitted",
    "information_gain": "information_gain",
    "js_divergence": "divergence",
    "kl_divergence": "divergence",
    "laplace": "laplace",
    "load": "compare",
    "log_evidence": "evidence",
    "proof": "proof",
    "pseudo_true": "pseudo_true",
    "study": "study",
    "wasserstein_distance": "divergence",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pp_mlekl' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    value = getattr(import_module(f"pp_mlekl.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
