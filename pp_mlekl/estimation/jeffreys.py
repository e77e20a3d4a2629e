"""The likelihood times the root of the determinant of the information: Jeffreys' prior as a penalty."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from pp_mlekl.estimation.information import information_nodes, observed_information
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.quadrature_data import NodeData
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.typing import Array

# Steps of the four-point differences, of the larger of 1 and the coordinate: an error of 1e-12 of the fifth derivative.
_STEP = 1e-3
_OFFSETS, _COEFFICIENTS = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([1.0, -8.0, 8.0, -1.0]) / 12.0


@dataclass(frozen=True, kw_only=True, eq=False)
class JeffreysProblem(Problem):
    """The penalised log-likelihood of a model.

    The determinant is that of the information about the parameters themselves where ``kind`` is ``"map"``, and about the
    unconstrained ones where it is ``"map_unconstrained"``.

    Parameters
    ----------
    information
        Which information the penalty takes.

    Raises
    ------
    ValueError
        Where the likelihood does not contain a parameter, or the expected information is not known.
    """

    information: Literal["expected", "observed"] = "expected"

    def __post_init__(self) -> None:
        super().__post_init__()
        absent = [name for name, inside in self.functions.in_likelihood.items() if not inside]
        if absent:
            raise ValueError(
                f"The likelihood does not contain {', '.join(absent)} (given the other variables), so the information about "
                "it is 0 and there is no penalty; take out what the likelihood does not depend on."
            )
        if self.information not in ("expected", "observed"):
            raise ValueError(f"information must be 'expected' or 'observed', got {self.information!r}.")
        if self.information == "expected" and self._nodes(self.base) is None:
            raise ValueError(
                "The expected information of this model is no closed sum or quadrature (vectors that are not independent, "
                "CustomDist, potentials); take information='observed'."
            )

    @cached_property
    def objective(self) -> Objective:
        """The penalised log-likelihood and its gradient, by all coordinates."""
        return Objective(
            size=self.functions.size,
            evaluate=lambda order, z, rows: self._evaluate(order, z),
            terms=self.n_observations,
            derivatives=1,
            information=self.fisher,
        )

    def fisher(self, z: Array) -> Array:
        """The information about z (d,) by which steps and standard errors are measured, (d, d)."""
        return self._information(z, z[None])[0]

    def _evaluate(self, order: int, points: Array) -> tuple[Array, ...]:
        found = [self._at(order, z) for z in points]
        return tuple(np.array(part) for part in zip(*found, strict=True))

    def _at(self, order: int, z: Array) -> tuple[Any, ...]:
        arguments: dict[str, Any] = {"weights": self.weights, "data": self.data}
        if order == 0:
            return (float(self.functions.value(z, **arguments)) + float(self._penalty(z, z[None])[0]),)
        value, gradient = self.functions.value_gradient(z, **arguments)
        step = _STEP * np.maximum(1.0, np.abs(z))
        moves = _OFFSETS[:, None, None] * np.diag(step)
        around = self._penalty(z, np.concatenate([z[None], (z + moves).reshape(-1, len(z))]))
        slopes = np.tensordot(_COEFFICIENTS, around[1:].reshape(len(_OFFSETS), -1), axes=1) / step
        return float(value) + float(around[0]), gradient + slopes

    def _penalty(self, centre: Array, points: Array) -> Array:
        """Half the logarithm of the determinant at points (b, d) near a centre (d,), (b,); NaN where it is not positive."""
        signs, logs = np.linalg.slogdet(self._information(centre, points))
        logs = np.where(signs > 0, 0.5 * logs, np.nan)
        return logs if self.kind == "map_unconstrained" else logs - self.functions.log_jacobian(points)

    def _information(self, centre: Array, points: Array) -> Array:
        if self.information == "observed":
            return np.array([observed_information(self, z) for z in points])
        try:
            nodes = self._nodes(centre)
        except ValueError:
            # At extreme points a parameter overflows (such as a mean), and the model has no distribution.
            nodes = None
        if nodes is None:
            return np.full((len(points), len(centre), len(centre)), np.nan)
        functions, data = self.functions, nodes.data
        with np.errstate(over="ignore", invalid="ignore"):
            here = functions.pointwise(centre, data=data)
            # The nodes stay, and their weights follow the density, as the support of counts and quadratures does nearby.
            ratio = np.exp(functions.pointwise(points[:, None], data=data) - here)
            weights = np.where(nodes.weights > 0, nodes.weights * ratio, 0.0)
            scores = np.where(weights[..., None] > 0, functions.scores(points[:, None], data=data), 0.0)
        return np.einsum("bkn,bkni,bknj->bij", weights, scores, scores, optimize=True)

    def _nodes(self, z: Array) -> NodeData | None:
        return information_nodes(self, z, np.random.default_rng(0))
