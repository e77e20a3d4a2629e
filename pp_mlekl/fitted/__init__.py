"""How far each fit is from the truth: KL(true||fitted), its reverse and the Jensen-Shannon divergence."""

from pp_mlekl.fitted.divergence import fitted_divergence

__all__ = ["fitted_divergence"]
