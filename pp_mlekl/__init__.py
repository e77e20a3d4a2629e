"""Compare Bayesian and likelihood fits of PyMC models through Kullback-Leibler divergence.

The public names are loaded on first use, so that importing the package costs nothing:
neither PyMC nor matplotlib is imported until a function that needs it is called.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pp_mlekl.comparison.compare import compare
    from pp_mlekl.comparison.compare_models import ModelComparison, compare_models
    from pp_mlekl.comparison.comparison_result import Comparison
    from pp_mlekl.comparison.storage import load
    from pp_mlekl.divergences.estimate import Estimate
    from pp_mlekl.estimation.bootstrap import bootstrap
    from pp_mlekl.estimation.delta_method import DerivedEstimate, delta_method
    from pp_mlekl.estimation.find_mle_map import find_map, find_mle
    from pp_mlekl.estimation.information_matrix_test import information_matrix_test
    from pp_mlekl.estimation.nested_tests.likelihood_ratio_wald_score import likelihood_ratio_test, nested_tests
    from pp_mlekl.estimation.point_estimate import PointEstimate
    from pp_mlekl.estimation.profile_likelihood import profile
    from pp_mlekl.estimation.pseudo_true.find_pseudo_true import pseudo_true
    from pp_mlekl.estimation.sandwich import sandwich, sandwich_interval
    from pp_mlekl.estimation.wald_interval import wald_interval
    from pp_mlekl.fitted_models.fitted_divergence import fitted_divergence
    from pp_mlekl.fitted_models.without_truth import without_truth
    from pp_mlekl.inputs.constructor import distribution
    from pp_mlekl.inputs.divergence import cross_entropy, entropy, js_divergence, kl_divergence, wasserstein_distance
    from pp_mlekl.posterior.evidence import log_evidence
    from pp_mlekl.posterior.information_gain import information_gain
    from pp_mlekl.posterior.laplace import LaplaceApproximation, laplace
    from pp_mlekl.simulation.study import study
    from pp_mlekl.theorem.proof import proof
    from pp_mlekl.theorem.proof_result import Proof

__version__ = version("pp_mlekl")

_HOME = {
    "Comparison": "compare",
    "DerivedEstimate": "point_estimates",
    "Estimate": "divergences.estimate",
    "LaplaceApproximation": "laplace",
    "ModelComparison": "compare_models",
    "PointEstimate": "point_estimates",
    "Proof": "proof",
    "bootstrap": "bootstrap",
    "compare": "compare",
    "compare_models": "compare_models",
    "cross_entropy": "divergence",
    "delta_method": "point_estimates",
    "distribution": "inputs",
    "entropy": "divergence",
    "find_map": "point_estimates",
    "find_mle": "point_estimates",
    "fitted_divergence": "fitted",
    "information_gain": "information_gain",
    "information_matrix_test": "specification",
    "js_divergence": "divergence",
    "kl_divergence": "divergence",
    "laplace": "laplace",
    "likelihood_ratio_test": "nested_tests",
    "load": "compare",
    "log_evidence": "evidence",
    "nested_tests": "nested_tests",
    "profile": "profile",
    "proof": "proof",
    "pseudo_true": "pseudo_true",
    "sandwich": "point_estimates",
    "sandwich_interval": "point_estimates",
    "study": "study",
    "wald_interval": "point_estimates",
    "wasserstein_distance": "divergence",
    "without_truth": "unknown_truth",
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


class _Package(ModuleType):
    """The package, in which the name of a public function stays that function's."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing a submodule binds it to its name here; some public functions bear the name of their module.
        if not (isinstance(value, ModuleType) and name in _HOME):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
