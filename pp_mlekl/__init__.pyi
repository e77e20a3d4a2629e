from .comparison.compare import compare
from .comparison.compare_models import ModelComparison, compare_models
from .comparison.comparison_result import Comparison, load
from .divergences.estimate import Estimate
from .estimation.bootstrap import bootstrap
from .estimation.delta_method import DerivedEstimate, delta_method
from .estimation.find_mle_map import find_map, find_mle
from .estimation.information_matrix_test import information_matrix_test
from .estimation.nested_tests.likelihood_ratio_wald_score import likelihood_ratio_test, nested_tests
from .estimation.point_estimate import PointEstimate
from .estimation.profile_likelihood import profile
from .estimation.pseudo_true.find_pseudo_true import pseudo_true
from .estimation.sandwich import sandwich, sandwich_interval
from .estimation.wald_interval import wald_interval
from .fitted_models.fitted_divergence import fitted_divergence
from .fitted_models.without_truth import without_truth
from .inputs.constructor import distribution
from .inputs.divergence import cross_entropy, entropy, js_divergence, kl_divergence, wasserstein_distance
from .posterior.evidence import log_evidence
from .posterior.information_gain import information_gain
from .posterior.laplace import LaplaceApproximation, laplace
from .simulation.calibrate import calibrate
from .simulation.calibration_result import Calibration
from .simulation.study import study
from .theorem.proof import proof
from .theorem.proof_result import Proof

__all__ = [
    "Calibration",
    "Comparison",
    "DerivedEstimate",
    "Estimate",
    "LaplaceApproximation",
    "ModelComparison",
    "PointEstimate",
    "Proof",
    "bootstrap",
    "calibrate",
    "compare",
    "compare_models",
    "cross_entropy",
    "delta_method",
    "distribution",
    "entropy",
    "find_map",
    "find_mle",
    "fitted_divergence",
    "information_gain",
    "information_matrix_test",
    "js_divergence",
    "kl_divergence",
    "laplace",
    "likelihood_ratio_test",
    "load",
    "log_evidence",
    "nested_tests",
    "profile",
    "proof",
    "pseudo_true",
    "sandwich",
    "sandwich_interval",
    "study",
    "wald_interval",
    "wasserstein_distance",
    "without_truth",
]
__version__: str
