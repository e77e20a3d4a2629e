"""Draws and distributions of a fit and of the truth, for the same groups or for new ones."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.fitted_models.fits import Fit
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.pymc_model.custom_density import model_density
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions, unknown_families
from pp_mlekl.pymc_model.draws.conditional import redrawn
from pp_mlekl.pymc_model.layout import ObservedVariable
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# Maximum number of rows times draws: beyond it the Monte Carlo error is small against its cost.
_MAX_ROWS_TIMES_DRAWS = 400_000
_MIN_DRAWS = 200
# Number of chains, and draws per chain, of new groups for a plug-in.
_CHAINS, _GROUP_DRAWS = 4, 1_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """The model, the truth and the number of draws to use.

    Parameters
    ----------
    functions
        The model's functions.
    truth
        None if fits are compared with the posterior predictive.
    new_groups
        Free variables that are redrawn, given the others, for every new observation.
    max_draws
        Maximum number of draws of a predictive; by default set by the number of rows.
    generator
        Source of all random numbers.
    group_seed
        Seed of new groups: the truth and all fits use the same random numbers, so that equal hyperparameters give equal
        groups.
    """

    functions: ModelFunctions
    truth: Truth | None
    new_groups: tuple[str, ...] = ()
    max_draws: int | None = None
    generator: np.random.Generator
    group_seed: int = 0

    @cached_property
    def places(self) -> Array:
        """Indices of the pointwise terms of observed variables; potentials in the likelihood are excluded."""
        return np.concatenate([np.arange(v.pointwise.start, v.pointwise.stop) for v in self.functions.measured])

    def draws(self, fit: Fit, variable: ObservedVariable) -> Array | None:
        """The parameters over which a fit of one variable is averaged; see ``parameter_draws``."""
        return self.parameter_draws(fit, int(np.prod(variable.shape, dtype=int)))

    def parameter_draws(self, fit: Fit, rows: int) -> Array | None:
        """The parameters over which a fit is averaged, (chain, draw, d); None for a single point or without a fit."""
        if fit.draws is None and (fit.flat is None or not self.new_groups):
            return None
        if fit.draws is None:
            assert fit.flat is not None
            length = max(_GROUP_DRAWS, -(-(self.max_draws or 0) // _CHAINS))
            whole = np.broadcast_to(fit.flat, (_CHAINS, length, len(fit.flat)))
        else:
            whole = fit.draws
        return self.with_new_groups(thinned(whole, rows, self.max_draws))

    def with_new_groups(self, z: Array) -> Array:
        """The same parameters (*batch, d) with the variables of new groups redrawn."""
        if not self.new_groups:
            return z
        generator = np.random.default_rng(self.group_seed)
        return redrawn(self.functions, z.reshape(-1, z.shape[-1]), self.new_groups, generator).reshape(z.shape)

    def true_distribution(self, variable: ObservedVariable, draws: int) -> Distribution:
        """The truth of one variable: batch shape (*rows), or (draws, *rows) if it is averaged over new groups."""
        assert self.truth is not None
        if self.new_groups and self.truth.flat is not None:
            z = self.with_new_groups(np.broadcast_to(self.truth.flat, (draws, self.functions.size)))
            return self.at(variable, z)
        found = self.truth.sampled.get(variable.name)
        return self.truth.distributions[variable.name] if found is None else found

    def at(self, variable: ObservedVariable, z: Array) -> Distribution:
        """The model's distribution of one variable at parameters (draws, d) or (d,)."""
        if variable.name in unknown_families(self.functions):
            return model_density(self.functions, variable.name, np.atleast_2d(z))
        return observed_distributions(self.functions, z, known=True)[variable.name]


def thinned(draws: Array, rows: int, most: int | None = None) -> Array:
    """Evenly spaced draws of each chain, ``most`` in all or as many as ``_MAX_ROWS_TIMES_DRAWS`` allows."""
    chains, length, _ = draws.shape
    wanted = max(_MIN_DRAWS, _MAX_ROWS_TIMES_DRAWS // max(rows, 1)) if most is None else most
    per_chain = min(length, max(1, -(-wanted // chains)))
    return draws[:, np.unique(np.linspace(0, length - 1, per_chain).astype(int))]
