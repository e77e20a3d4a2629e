"""The large-sample expectation of the divergences."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.fitted_models.fits import PREDICTIVES
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.pymc_model.model_functions import ModelFunctions

# Number of data sets simulated to find the directions that the data inform.
_DATA_SETS = 8
_RANK_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Theory:
    """The expected sum over rows of KL(true||fitted), in nats.

    Parameters
    ----------
    minimum
        Sum over rows of KL(true||pseudo-true); 0 if the model is correct.
    trace
        ``trace(J^-1 K)``; the number of parameters informed by the data if the model is correct.
    rank
        The number of parameters informed by the data.
    """

    minimum: float = np.nan
    trace: float = np.nan
    rank: float = np.nan

    def of(self, estimator: str) -> float:
        """``minimum + trace / 2`` for a plug-in; a predictive's expansion has the rank in place of the trace.

        To first order, averaging over the posterior N(MLE, J^-1 / n) adds ``(trace - rank) / 2n`` to the log predictive
        density of an observation, which reduces the plug-in's ``trace / 2n`` to ``rank / 2n``.
        """
        return self.minimum + 0.5 * (self.rank if estimator in PREDICTIVES else self.trace)


def theory(functions: ModelFunctions, truth: Truth, generator: np.random.Generator) -> Theory:
    """The expansion at the pseudo-true parameter; NaN if a potential is part of the likelihood."""
    if len(functions.measured) < len(functions.observed):
        return Theory()
    if truth.kind == "parameters":
        rank = _informed_directions(functions, truth, generator)
        return Theory(minimum=0.0, trace=rank, rank=rank)
    from pp_mlekl.estimation.pseudo_true.expected_fit import expected_fit

    fit = expected_fit(functions, truth, generator)
    if fit.information is None:
        return Theory()
    return Theory(minimum=fit.kl_min, trace=fit.information.trace, rank=fit.information.rank)


def _informed_directions(functions: ModelFunctions, truth: Truth, generator: np.random.Generator) -> int:
    """The rank of the expected information, from scores of simulated data (J = K for a correct model)."""
    assert truth.flat is not None
    data = truth.sample(_DATA_SETS, generator)
    scores = [
        functions.scores(truth.flat, data={name: values[i] for name, values in data.items()}) for i in range(_DATA_SETS)
    ]
    stacked = np.concatenate(scores)
    stacked = stacked[np.all(np.isfinite(stacked), axis=1)]
    size = np.linalg.norm(stacked, axis=0)
    singular = np.linalg.svd(stacked / np.where(size > 0, size, 1.0), compute_uv=False)
    return int(np.sum(singular > np.sqrt(_RANK_TOLERANCE)))
