"""Coverage: whether the intervals of each data set contain the pseudo-true parameter."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedPoint
from pp_mlekl.estimation.replicates.replicate_fits import ReplicateFits
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.replicates import maximize_again
from pp_mlekl.optimize.sandwich import one_to_one, robust_error
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# Elements of the scores kept in memory at once.
_CHUNK = 4_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """Data sets, their fits, and the values that their intervals should contain.

    Every method returns whether each data set's own interval contains the target, (count, natural size) of 0 and 1; NaN
    where there is no interval.

    Parameters
    ----------
    functions, replicates, fits, pseudo_true
        The model, the data sets, their maximum likelihood fits, and the pseudo-true parameter.
    prob
        Nominal coverage.
    """

    functions: ModelFunctions
    replicates: Replicates
    fits: ReplicateFits
    pseudo_true: ExpectedPoint
    prob: float

    @property
    def places(self) -> Array:
        """The data sets that have a fit."""
        return np.flatnonzero(self.fits.exists)

    @property
    def target(self) -> Array:
        """The natural values that the intervals should contain."""
        return self.functions.natural_flat(self.pseudo_true.flat)

    @property
    def own(self) -> tuple[Array, Array]:
        """Natural parameters with a coordinate of their own, and the places of these coordinates among the kept ones."""
        return one_to_one(self.functions.natural_jacobian(self.pseudo_true.flat)[:, self.pseudo_true.problem.kept])

    def nothing(self) -> Array:
        """NaN for every data set and parameter: no interval."""
        return np.full((self.replicates.count, self.functions.natural_size), np.nan)

    def wald(self) -> dict[str, Array]:
        """Intervals by the inverse information, symmetric on the natural (``naive``) or the unconstrained scale."""
        functions, kept, rows = self.functions, self.pseudo_true.problem.kept, self.places
        quantile = stats.norm.ppf(0.5 + self.prob / 2)
        inverse = np.linalg.inv(-self.fits.hessian[rows])
        jacobian = functions.natural_jacobian(self.fits.flat[rows])[..., kept]
        off = np.abs(functions.natural_difference(functions.natural_flat(self.fits.flat[rows]), self.target))
        naive = self.nothing()
        naive[rows] = _within(off, quantile * np.sqrt(np.einsum("rmi,rij,rmj->rm", jacobian, inverse, jacobian)))
        unconstrained = naive.copy()
        places, coordinates = self.own
        half = quantile * np.sqrt(np.diagonal(inverse, axis1=1, axis2=2))[:, coordinates]
        unconstrained[np.ix_(rows, places)] = _within(np.abs(self.off(rows))[:, coordinates], half)
        return {"naive": naive, "unconstrained": unconstrained}

    def sandwich(self) -> Array:
        """Sandwich intervals, as by ``mk.sandwich_interval``."""
        result, functions, kept = self.nothing(), self.functions, self.pseudo_true.problem.kept
        terms = self.replicates.weights[0].size * max(functions.size, functions.natural_size)
        step = max(1, _CHUNK // terms)
        places, coordinates = self.own
        for start in range(0, len(self.places), step):
            rows = self.places[start : start + step]
            influence, used = self._influence(rows)
            jacobian = functions.natural_jacobian(self.fits.flat[rows])[..., kept]
            off = np.abs(functions.natural_difference(functions.natural_flat(self.fits.flat[rows]), self.target))
            half = robust_error(influence @ jacobian.swapaxes(-1, -2), used).half_width(self.prob)
            result[rows] = _within(off, half)
            # Symmetric in the unconstrained coordinate for parameters with one of their own.
            half = robust_error(influence[..., coordinates], used).half_width(self.prob)
            result[np.ix_(rows, places)] = _within(np.abs(self.off(rows))[:, coordinates], half)
        return result

    def profile(self) -> Array:
        """Profile likelihood intervals: whether the likelihood ratio at the target is below the chi-squared quantile.

        They exist for parameters with a coordinate of their own, as for ``mk.profile``. All data sets are maximised in one
        batch.
        """
        result, rows, kept = self.nothing(), self.places, self.pseudo_true.problem.kept
        top = self.replicates.evaluate(self.functions, 0, self.fits.flat[rows], rows)[0]
        drop = 0.5 * stats.chi2.ppf(self.prob, 1)
        for place, coordinate in zip(*self.own, strict=True):
            base = self.pseudo_true.problem.base.copy()
            base[kept[coordinate]] = self.pseudo_true.flat[kept[coordinate]]
            result[rows, place] = top - self._maximum_with_one_fixed(rows, base, coordinate) <= drop
        return result

    def off(self, rows: Array) -> Array:
        """Fitted less pseudo-true coordinates, the kept ones, of some data sets; for angles, the shorter difference."""
        kept, period = self.pseudo_true.problem.kept, self.pseudo_true.problem.space.period
        difference = self.fits.flat[rows][:, kept] - self.pseudo_true.flat[kept]
        whole = np.where(np.isfinite(period), period, 1.0)
        return difference - np.where(np.isfinite(period), whole * np.round(difference / whole), 0.0)

    def _maximum_with_one_fixed(self, rows: Array, base: Array, coordinate: int) -> Array:
        """The largest log-likelihood of each data set with one coordinate fixed at that of ``base``."""
        kept = self.pseudo_true.problem.kept
        others = np.delete(np.arange(len(kept)), coordinate)
        if not len(others):
            return self.replicates.evaluate(self.functions, 0, np.repeat(base[None], len(rows), axis=0), rows)[0]

        whole = self.replicates.evaluator(self.functions)

        def evaluate(order: int, z: Array, batch: Array) -> tuple[Array, ...]:
            return whole(order, z, rows[batch])

        objective = Objective(size=self.functions.size, evaluate=evaluate).restricted(kept[others], base)
        precision = -self.fits.hessian[rows]
        covariance = np.linalg.inv(precision)
        # For a normal likelihood, the other coordinates follow the fixed one by linear regression.
        slope = covariance[:, others, coordinate] / covariance[:, coordinate, coordinate, None]
        starts = self.fits.flat[rows][:, kept[others]] - slope * self.off(rows)[:, coordinate, None]
        inverse = np.linalg.inv(precision[:, others[:, None], others])
        if self.pseudo_true.kl_at_kinks is not None:
            starts = self.fits.flat[rows][:, kept[others]]
        return maximize_again(objective, starts, inverse).value

    def _influence(self, rows: Array) -> tuple[Array, Array]:
        """Influence of each observation on the kept coordinates, (r, n, k), and its weight, (r, n)."""
        kept = self.pseudo_true.problem.kept
        data, weights = self.replicates.of(rows)
        scores = self.functions.scores(self.fits.flat[rows][:, None], data=data)[..., kept]
        scores = scores.reshape(len(rows), -1, len(kept))
        # A row of weight 0 may have no finite score.
        used = np.broadcast_to(weights.reshape(len(weights), -1), scores.shape[:2])
        return np.where(used[..., None] > 0, scores, 0.0) @ np.linalg.inv(-self.fits.hessian[rows]), used


def _within(distance: Array, half_width: Array) -> Array:
    return np.where(half_width > 0, distance <= half_width, np.nan)
