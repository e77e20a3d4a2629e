"""The parameter that a model's maximum likelihood estimate tends to, whether or not the model is right."""

from pp_mlekl.pseudo_true.find import pseudo_true
from pp_mlekl.pseudo_true.fit import ExpectedFit, expected_fit
from pp_mlekl.pseudo_true.result import PseudoTrue

__all__ = ["ExpectedFit", "PseudoTrue", "expected_fit", "pseudo_true"]
