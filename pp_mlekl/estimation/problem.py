"""A model and a choice of estimate as a problem of optimisation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from pp_mlekl.estimation.validation import check_data, check_weights
from pp_mlekl.optimize import objective as sizes
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.sparse_hessian import SparseEvaluation
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

_BEST_OF = 8
_DIFFERENCED = "The Hessian, and with it the standard errors, was taken from differences of gradients."
_COEFFICIENTS = {"mle": (0.0, 0.0), "map": (1.0, 0.0), "map_unconstrained": (1.0, 1.0)}
_WHAT = {"mle": "log-likelihood", "map": "log posterior density", "map_unconstrained": "log posterior density"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """The objective, the coordinates over which it is maximised, and the starts.

    Parameters
    ----------
    functions
        The model's functions.
    kind
        ``"mle"``, ``"map"`` or ``"map_unconstrained"``.
    weights, data
        As for ``find_mle``.

    Raises
    ------
    ValueError
        Where weights or data do not fit the model, or the likelihood contains no parameter that could be estimated.
    """

    functions: ModelFunctions
    kind: str
    weights: ArrayLike | None = None
    data: Mapping[str, ArrayLike] | None = None

    def __post_init__(self) -> None:
        if self.weights is not None:
            check_weights(self.weights, self.n_observations)
        if self.data is not None:
            check_data(self.functions, self.data)
        if not len(self.kept):
            names = ", ".join(name for name, inside in self.functions.in_likelihood.items() if not inside)
            raise ValueError(
                f"The likelihood contains none of the parameters ({names}), so there is nothing to estimate; look for a "
                "parameter that the observed variable should depend on."
            )

    @cached_property
    def n_observations(self) -> int:
        """Number of terms of the log-likelihood."""
        return self.functions.n_observations

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """Variables that what is maximised does not contain: hyperparameters, for the likelihood."""
        if self.kind != "mle":
            return ()
        return tuple(name for name, inside in self.functions.in_likelihood.items() if not inside)

    @cached_property
    def kept(self) -> Array:
        """The coordinates of z that are estimated."""
        return _places([v.flat for v in self.functions.free if v.name not in self.absent])

    @cached_property
    def natural_kept(self) -> Array:
        """The places in the flat natural vector that are estimated."""
        return _places([v.natural for v in self.functions.free if v.name not in self.absent])

    @property
    def unknown(self) -> tuple[str, ...]:
        """Variables without an estimate."""
        return self.absent

    @cached_property
    def missing(self) -> Array:
        """Their places in z."""
        return _places([v.flat for v in self.functions.free if v.name in self.unknown])

    @cached_property
    def natural_missing(self) -> Array:
        """Their places in the flat natural vector."""
        return _places([v.natural for v in self.functions.free if v.name in self.unknown])

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Warnings that follow from the choice of estimate."""
        gradients = (f"{self.without_hessian} {_DIFFERENCED}",) if self.without_hessian else ()
        if not self.absent:
            return gradients
        return (
            *gradients,
            f"The likelihood does not contain {', '.join(self.absent)} (given the other variables), so there is no "
            "maximum likelihood estimate of it; only the priors inform about it. For the marginal likelihood, integrate "
            "the latent variables out with find_mle(model, marginalize=[...]).",
        )

    @cached_property
    def without_hessian(self) -> str:
        """Why what is maximised has no Hessian, in a sentence; empty where it has one.

        Raises
        ------
        NoDerivative
            Where it has not even a gradient; a ValueError.
        """
        a, b = _COEFFICIENTS[self.kind]
        return self.functions.without_hessian(a=a, b=b, products=len(self.kept) > sizes.LARGE)

    @cached_property
    def base(self) -> Array:
        """The whole z at the initial point."""
        return self.functions.initial_point()

    @cached_property
    def objective(self) -> Objective:
        """The weighted objective of this estimate over the kept coordinates."""
        functions, (a, b) = self.functions, _COEFFICIENTS[self.kind]
        weights, data = self.weights, {**functions.observed_data(), **(self.data or {})}

        def products(z: Array, probes: Array) -> tuple[Array, ...]:
            return functions.value_gradient_products(z, probes, a=a, b=b, weights=weights, data=data)

        second = SparseEvaluation(functions.size, products)

        def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
            if order == 0:
                return (functions.value(z, a=a, b=b, weights=weights, data=data),)
            if order == 1:
                return functions.value_gradient(z, a=a, b=b, weights=weights, data=data)
            return second(z)

        def product(z: Array, vectors: Array) -> Array:
            return functions.hessian_product(z, vectors, a=a, b=b, weights=weights, data=data)

        whole = Objective(
            size=functions.size,
            evaluate=evaluate,
            terms=functions.n_observations,
            product=None if self.without_hessian else product,
            derivatives=1 if self.without_hessian else 2,
        )
        return whole.restricted(self.kept, self.base)

    @cached_property
    def space(self) -> Space:
        """Names and natural values of the kept coordinates."""
        functions = self.functions
        transformed, period = np.zeros(functions.size, dtype=bool), np.full(functions.size, np.inf)
        for v in functions.free:
            transformed[v.flat] = v.transform_name is not None
            if v.circular:
                period[v.flat] = 2 * np.pi
        return Space(
            natural=lambda z: functions.natural_flat(self.full(z))[..., self.natural_kept],
            names=[functions.natural_names[i] for i in self.natural_kept],
            coordinates=[functions.spoken_names[i] for i in self.kept],
            transformed=transformed[self.kept],
            what=_WHAT[self.kind],
            period=period[self.kept],
        )

    def full(self, z: Array) -> Array:
        """The whole vector from the kept coordinates (..., k), the others at the initial point."""
        result = np.broadcast_to(self.base, (*z.shape[:-1], len(self.base))).copy()
        result[..., self.kept] = z
        return result

    def jacobian(self, z: Array) -> Array:
        """Derivatives of the kept natural values with respect to the kept coordinates."""
        if not np.all(np.isfinite(z)):
            return np.full((len(self.natural_kept), len(self.kept)), np.nan)
        return self.functions.natural_jacobian(self.full(z))[np.ix_(self.natural_kept, self.kept)]

    def starts(
        self, n: int, generator: np.random.Generator, tree: xr.DataTree | None, estimates: Sequence[Array]
    ) -> Array:
        """Where to start: the initial point, other estimates, posterior draws, prior draws; (at most n, k)."""
        places = [self.base[None], *(e[None] for e in estimates if np.all(np.isfinite(e)))]
        if tree is not None:
            draws = unconstrained_draws(self.functions, tree)
            draws = draws.reshape(-1, draws.shape[-1])
            places.append(draws[generator.choice(len(draws), size=min(len(draws), max(1, n // 3)), replace=False)])
        missing = n - sum(len(p) for p in places)
        if missing > 0:
            places.append(self._prior_starts(missing, generator))
        return np.concatenate(places)[:, self.kept]

    def _prior_starts(self, n: int, generator: np.random.Generator) -> Array:
        """Prior draws, each the best of a few: a value is cheap, and starts far from the mode take many iterations."""
        draws = self.functions.starts(n * _BEST_OF, generator)
        if len(draws) < n:
            return draws
        draws = draws[: len(draws) // n * n]
        groups = np.arange(len(draws)).reshape(-1, n)
        best = np.argmax(self.objective.value(draws[:, self.kept]).reshape(-1, n), axis=0)
        return draws[groups[best, np.arange(n)]]


def _places(slices: Sequence[slice]) -> Array:
    return np.concatenate([np.arange(0), *(np.arange(s.start, s.stop) for s in slices)]).astype(int)
