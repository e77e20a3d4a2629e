"""The posterior of one model given many data sets, by NUTS with one compiled density for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import grad
from pytensor.tensor.type import TensorType

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
    def _density(self) -> Any:
        """The log density and its gradient as a function of z, weights (copies, n) and data (copies, *shape)."""
        graphs, objective = self._functions.graphs, self._functions.objective
        with without_c():
            replace = {
                v: TensorType(v.type.dtype, shape=(None, *v.type.shape))(f"{v.name}_copies")
                for v in (objective.weights, *graphs.data.values())
            }
            (copies,) = vectorized([objective.log_likelihood], replace)
            total = pt.sum(copies) + graphs.log_prior + graphs.log_jacobian
            slope = grad(total, graphs.z, disconnected_inputs="ignore")
        return compiled([graphs.z, *replace.values()], simplified([total, slope]))

    @cached_property
    def _model(self) -> Any:
        from nutpie.compiled_pyfunc import from_pyfunc

        function, names = self._density, list(self._functions.graphs.data)
        types = [v.type.dtype for v in self._functions.graphs.data.values()]

        def make_density() -> Any:
            def density(z: Array, weights: Array, start: Array, **data: Array) -> tuple[float, Array]:
                arrays = [np.asarray(data[f"data_{i}"], dtype=t) for i, t in enumerate(types)]
                value, slope = function(z, weights, *arrays)
                return float(value), slope

            return density

        def make_expansion(*_: Any) -> Any:
            return lambda z, **_: {"z": z}

        size = self._functions.size
        nothing = {"weights": None, "start": None} | {f"data_{i}": None for i in range(len(names))}
        return from_pyfunc(
            size, make_density, make_expansion, [np.dtype("float64")], [(size,)], ["z"], shared_data=nothing
        )

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

        arrays = {f"data_{i}": data[name] for i, name in enumerate(self._functions.graphs.data)}
        model = self._model.with_data(weights=np.ascontiguousarray(weights), start=start, **arrays)
        model = dataclasses.replace(model, _make_initial_points=lambda _: start)
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


def _column(batch: Any, name: str) -> Array:
    """A column of a batch of Arrow's, flat."""
    import pyarrow

    column = pyarrow.array(batch.column(name))
    return (column.flatten() if hasattr(column, "flatten") else column).to_numpy(zero_copy_only=False)
