"""Jobs whose functions are built once in each process."""

import threading
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import cloudpickle
import numpy as np

from pp_mlekl.pymc_model.bambi import pymc_model_of
from pp_mlekl.pymc_model.validation import is_model
from pp_mlekl.simulation.batches import Batch
from pp_mlekl.typing import Array

# Models whose graphs a worker keeps.
_MODELS = 4


class PreparedJob[Prepared](ABC):
    """A job whose functions are built on first use, by one thread; they are not sent to other processes.

    Parameters
    ----------
    root
        The root of the batches' seeds.
    """

    root: np.random.SeedSequence

    @abstractmethod
    def prepare(self) -> Prepared:
        """Build the functions."""

    @abstractmethod
    def run(self, batch: Batch) -> dict[str, Array]:
        """The results of a batch."""

    def prepared(self) -> Prepared:
        """The functions."""
        with self.__dict__.setdefault("_lock", threading.RLock()):
            if "_prepared" not in self.__dict__:
                self.__dict__["_prepared"] = self.prepare()
            found: Prepared = self.__dict__["_prepared"]
            return found

    def __getstate__(self) -> dict[str, Any]:
        # Compiled code and locks stay in their process.
        sent = {name: value for name, value in self.__dict__.items() if name not in ("_prepared", "_lock")}
        return {name: SentModel(pymc_model_of(value)) if is_model(value) else value for name, value in sent.items()}


class SentModel:
    """A PyMC model as it is sent to other processes: unpacked once for all jobs with it, so that its graphs are built once.

    The model that arrives is itself, not this class.
    """

    def __init__(self, model: Any):
        self._model = model

    def __reduce__(self) -> tuple[Any, ...]:
        contents = [
            (name, cloudpickle.dumps(variable.get_value()) if hasattr(variable, "get_value") else None)
            for name, variable in self._model.named_vars.items()
        ]
        before, packed = _PACKED.get(self._model, (None, b""))
        if before != contents:
            # PyTensor notes things in a graph, so that it would have other bytes the next time.
            packed = cloudpickle.dumps(self._model)
            _PACKED[self._model] = contents, packed
        return _unpacked, (packed,)


_PACKED: WeakKeyDictionary[Any, tuple[Any, bytes]] = WeakKeyDictionary()


@lru_cache(maxsize=_MODELS)
def _unpacked(packed: bytes) -> Any:
    return cloudpickle.loads(packed)


def built(model: Any, argument: str = "build") -> Any:
    """The PyMC model that a function returns, or the model itself; ``argument`` is what it was passed as.

    Raises
    ------
    ValueError
        Where it is something else.
    """
    found = model() if callable(model) else model
    if not is_model(found):
        raise ValueError(
            f"`{argument}` must be a PyMC model, or a function that returns one, got {type(found).__name__}."
        )
    return pymc_model_of(found)
