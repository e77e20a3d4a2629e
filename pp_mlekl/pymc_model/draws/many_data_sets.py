"""The posterior of one model given many data sets, by NUTS with one compiled density for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import grad
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.type import TensorType

from pp_mlekl.pymc_model.draws.nutpie_callbacks import sampled_by_nutpie
from pp_mlekl.pymc_model.interpreter.lazy_function import compiled, simplified, without_c
from pp_mlekl.pymc_model.interpreter.vectorize import vectorized
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Chains:
    """Draws from one posterior.

    Parameters
    ----------
    z
        Unconstrained draws, (chains, draws, d).
    divergences
        Number of divergent trajectories after tuning.
    """

    z: Array
    divergences: int


class ManyDataSets:
    """Sampler of the posterior given weighted copies of a model's data.

    The density, that of the unconstrained parameters, is compiled once, for the first data set.

    Parameters
    ----------
    functions
        The model's functions.
    """

    def __init__(self, functions: ModelFunctions):
        self._functions = functions

    @cached_property
    def _compiled(self) -> tuple[Any, list[SharedVariable]]:
        """The model for nutpie, and the shared variables whose values follow the weights and the data."""
        graphs, objective = self._functions.graphs, self._functions.objective
        with without_c():
            replace = {
                v: TensorType(v.type.dtype, shape=(None, *v.type.shape))(f"copies_{i}")
                for i, v in enumerate((objective.weights, *graphs.data.values()))
            }
            (copies,) = vectorized([objective.log_likelihood], replace)
            total = pt.sum(copies) + graphs.log_prior + graphs.log_jacobian
            shared = {v: v.type(f"shared_{i}") for i, v in enumerate(_shared(total))}
            total = clone_replace(total, shared)
            slope = grad(total, graphs.z, disconnected_inputs="ignore")
        data = [*replace.values(), *shared.values()]
        density = compiled([graphs.z, *data], simplified([total, slope]))
        return sampled_by_nutpie(density, self._functions.size, data), list(shared)

    def sample(
        self,
        weights: Array,
        data: Mapping[str, Array],
        start: Array,
        *,
        draws: int,
        tune: int,
        chains: int,
        seed: int,
    ) -> Chains:
        """Draw from the posterior given one data set.

        Parameters
        ----------
        weights, data
            Copies of the model's rows: (copies, n_observations), and (copies, *data shape) by observed variable.
        start
            Initial point of all chains, (d,).
        draws, tune, chains
            As for ``nutpie.sample``.
        seed
            The same seed gives the same draws.
        """
        import dataclasses

        import nutpie

        model, shared = self._compiled
        arrays = [weights, *(data[name] for name in self._functions.graphs.data), *(v.get_value() for v in shared)]
        model = model.with_data(**{v.name: array for v, array in zip(model.shared_var_keys, arrays, strict=True)})
        model = dataclasses.replace(model, initial_point_func=lambda _: start)
        found: Any = nutpie.sample(
            model,
            draws=draws,
            tune=tune,
            chains=chains,
            cores=1,
            seed=seed,
            progress_bar=False,
            # Labelling the draws takes as long as sampling short chains.
            return_raw_trace=True,
        )
        kept, statistics = found.get_arrow_trace()
        z, divergences = np.empty((chains, draws, self._functions.size)), 0
        for chain, (values, those) in enumerate(zip(kept, statistics, strict=True)):
            after = ~_column(those, "tuning")
            z[chain] = _column(values, "z").reshape(len(after), -1)[after]
            divergences += int(np.sum(_column(those, "diverging")[after]))
        return Chains(z=z, divergences=divergences)


def _shared(graph: Any) -> list[SharedVariable]:
    return [v for v in graph_inputs([graph]) if isinstance(v, SharedVariable)]


def _column(batch: Any, name: str) -> Array:
    """A column of a batch of Arrow's, flat."""
    import pyarrow

    column = pyarrow.array(batch.column(name))
    return (column.flatten() if hasattr(column, "flatten") else column).to_numpy(zero_copy_only=False)
