"""Small results for the attacks, each computed once."""

from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm

import pp_mlekl as mk


def normal_model(name: str = "mu") -> pm.Model:
    """Four observations of a normal distribution with known standard deviation."""
    with pm.Model() as model:
        mean = pm.Normal(name, 0.0, 10.0)
        pm.Normal("y", mean, 1.0, observed=np.array([0.4, 1.2, 0.9, 1.5]))
    return model


class Given:
    """What attacks share."""

    @cached_property
    def model(self) -> pm.Model:
        """``normal_model``."""
        return normal_model()

    @cached_property
    def comparison(self) -> Any:
        """Of ``normal_model``."""
        return mk.compare(self.model, draws=50, chains=2, random_seed=1, name="normal")

    @cached_property
    def models(self) -> Any:
        """The comparison of ``normal_model`` with itself."""
        return mk.compare_models({"one": self.comparison, "two": self.comparison}, random_seed=1)

    @cached_property
    def proof(self) -> Any:
        """Of ``normal_model``, with few data sets."""
        return mk.proof(self.model, {"mu": 1.0}, sizes=(10, 30), replicates=100, name="normal", random_seed=1)

    def study(self, **changed: Any) -> Any:
        """A small study; arguments may be changed."""
        arguments = {"sizes": [5], "replicates": 10, "random_seed": 1} | changed
        return mk.study(self.model, arguments.pop("truth", {"mu": 1.0}), **arguments)
