"""Parametric bootstrap of KL: refit data sets drawn from the fit."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.estimation.pseudo_true.expected_fit import expected_fit
from pp_mlekl.estimation.replicates.replicate_fits import fit_replicates
from pp_mlekl.estimation.replicates.simulator import Simulator
from pp_mlekl.inputs.truth import truth_at
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Refits:
    """KL(fit||refit), the sum over rows, of every data set drawn from the fit; infinite without a refit."""

    kl: Array
    warnings: tuple[str, ...] = ()

    @property
    def exists(self) -> Array:
        """Whether each data set has a refit."""
        return np.isfinite(self.kl)


def refits(
    functions: ModelFunctions, name: str, flat: Array, replicates: int, generator: np.random.Generator
) -> Refits:
    """Simulate data sets of the model's own rows from a fit, and fit them all in one batch.

    Parameters
    ----------
    functions
        The model's functions.
    name
        The estimator: ``"mle"``, ``"map"`` or ``"map_unconstrained"``.
    flat
        The fit, z (d,).
    replicates
        The number of data sets.
    generator
        Source of random numbers.
    """
    truth = truth_at(functions, flat)
    pseudo_true = expected_fit(functions, truth, generator)
    if pseudo_true.information is None:
        note = f"{name}: the model is not regular at the estimate, so kl_refit is unavailable."
        return Refits(kl=np.full(replicates, np.nan), warnings=(note,))
    drawn = Simulator(functions, truth, generator).draw(functions.n_observations, replicates, generator)
    found = fit_replicates(functions, drawn, pseudo_true, name)
    return Refits(kl=found.excess * functions.n_observations)
