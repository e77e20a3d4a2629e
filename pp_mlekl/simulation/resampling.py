"""Bootstrap intervals of many data sets, with all resamples of all data sets in one batch."""

from typing import Literal

import numpy as np

from pp_mlekl.estimation.replicates.replicate_fits import negative_definite
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.replicates import maximize_again
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.simulation.coverage import Coverage
from pp_mlekl.typing import Array

Kind = Literal["case", "parametric"]

# Terms of the log-likelihood of all resamples in one batch.
_BATCH_TERMS = 1_000_000


def bootstrap_covers(coverage: Coverage, kind: Kind, resamples: int, generator: np.random.Generator) -> Array:
    """Whether the percentile intervals of the bootstrap contain the target, as those of ``mk.bootstrap``.

    Parameters
    ----------
    coverage
        Data sets, fits and target.
    kind
        ``"case"``, or ``"parametric"`` (data sets must hold their rows one by one, see ``Simulator``).
    resamples
        Number for each data set; resamples without a regular maximum are left out.
    generator
        Source of the resamples.

    Returns
    -------
    numpy.ndarray
        (count, natural size) of 0 and 1; NaN where there is no interval.
    """
    result = coverage.nothing()
    terms = coverage.replicates.weights[0].size * resamples
    step = max(1, _BATCH_TERMS // terms)
    tail = 0.5 * (1 - coverage.prob)
    for start in range(0, len(coverage.places), step):
        rows = coverage.places[start : start + step]
        draw = _of_cases if kind == "case" else _of_model
        moves = _moves(coverage, rows, draw(coverage, rows, resamples, generator))
        centre = coverage.functions.natural_flat(coverage.fits.flat[rows])
        off = coverage.functions.natural_difference(coverage.target, centre)
        for row, move, distance in zip(rows, moves, off, strict=True):
            if len(move) > 1:
                low, high = np.quantile(move, [tail, 1 - tail], axis=0)
                result[row] = (low <= distance) & (distance <= high)
    absent = np.setdiff1d(np.arange(coverage.functions.natural_size), coverage.pseudo_true.problem.natural_kept)
    result[:, absent] = np.nan
    return result


def _of_cases(coverage: Coverage, rows: Array, resamples: int, generator: np.random.Generator) -> Replicates:
    data, weights = coverage.replicates.of(rows)
    count, size = len(rows) * resamples, coverage.replicates.size
    share = np.broadcast_to(weights, (len(rows), *weights.shape[1:])).reshape(len(rows), -1) / size
    drawn = generator.multinomial(size, share, size=(resamples, len(rows))).swapaxes(0, 1)
    many = {n: v if len(v) == 1 else np.repeat(v, resamples, axis=0) for n, v in data.items()}
    return Replicates(size=size, count=count, data=many, weights=drawn.reshape(count, *weights.shape[1:]).astype(float))


def _of_model(coverage: Coverage, rows: Array, resamples: int, generator: np.random.Generator) -> Replicates:
    _, weights = coverage.replicates.of(rows)
    copies, count = weights.shape[1], len(rows) * resamples
    data = {}
    for name, fitted in observed_distributions(coverage.functions, coverage.fits.flat[rows]).items():
        drawn = np.moveaxis(fitted.sample((resamples, copies), generator), 2, 0)
        data[name] = drawn.reshape(count, copies, *drawn.shape[3:])
    many = weights if len(weights) == 1 else np.repeat(weights, resamples, axis=0)
    return Replicates(size=coverage.replicates.size, count=count, data=data, weights=many)


def _moves(coverage: Coverage, rows: Array, resampled: Replicates) -> list[Array]:
    """Estimates of the resamples minus that of their data set, on the natural scale, (resamples, m) for each data set."""
    functions, problem = coverage.functions, coverage.pseudo_true.problem
    resamples = resampled.count // len(rows)
    objective = Objective(size=functions.size, evaluate=resampled.evaluator(functions)).restricted(
        problem.kept, problem.base
    )
    starts = np.repeat(coverage.fits.flat[rows], resamples, axis=0)
    inverse = np.repeat(np.linalg.inv(-coverage.fits.hessian[rows]), resamples, axis=0)
    ends = maximize_again(objective, starts[:, problem.kept], inverse)
    exists = ends.converged & negative_definite(coverage.pseudo_true, ends.hessian, resampled.size)
    natural = functions.natural_flat(problem.full(ends.z)).reshape(len(rows), resamples, -1)
    centre = functions.natural_flat(coverage.fits.flat[rows])[:, None]
    moves = functions.natural_difference(natural, centre)
    return [move[good] for move, good in zip(moves, exists.reshape(len(rows), -1), strict=True)]
