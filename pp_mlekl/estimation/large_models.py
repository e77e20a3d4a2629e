"""The labelled result where a covariance of all parameters would not fit: standard errors alone, of what is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse
from xarray.backends import BackendArray
from xarray.core.indexing import IndexingSupport, LazilyIndexedArray, explicit_indexing_adapter

from pp_mlekl.estimation.labelled_estimate import given
from pp_mlekl.estimation.point_estimate import PointEstimate
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.covariance import Settled, reported_values
from pp_mlekl.optimize.large_curvature import BLOCK, LargeCurvature
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

# With a Hessian that is not sparse each standard error takes a solution by conjugate gradients: up to this many are made
# unasked.
_UNASKED = 1000
# Natural values up to this number get a covariance with each other where they are asked for by name: 32 MB at most.
_TOGETHER = 2000
_MAXIMA = ("converged", "multimodal")


def large_estimate(
    problem: Problem, verdict: Verdict, settings: dict[str, Any], standard_errors: Sequence[str] | None
) -> PointEstimate:
    """The labelled result of a verdict on a large problem.

    The covariance is NaN but for the variables whose standard errors are asked for by name; the standard errors are
    exact, or NaN with a warning that says how they can be had.

    Parameters
    ----------
    problem, verdict, settings
        What was maximised, the outcome, and what it was made with.
    standard_errors
        Variables whose standard errors are wanted; all where None.
    """
    functions = problem.functions
    local = None if verdict.local is None else large_estimate(problem, verdict.local, settings, standard_errors)
    z = problem.full(verdict.z)
    if not np.all(np.isfinite(z)):
        z = problem.base
    values = np.full(functions.natural_size, np.nan)
    values[problem.natural_kept] = reported_values(verdict, problem.space)
    known, warnings = _errors(problem, verdict, z, standard_errors)
    names = functions.natural_names
    square = KnownBlock(len(names), known.places, known.covariance).lazily()
    flat_square = np.broadcast_to(np.nan, (functions.size, functions.size))
    return PointEstimate(
        kind=problem.kind,
        values=functions.to_dataset(functions.split(values)),
        standard_error=functions.to_dataset(functions.split(known.error)),
        covariance=xr.DataArray(
            square, dims=("parameter", "parameter_"), coords={"parameter": names, "parameter_": names}
        ),
        log_likelihood=float(functions.log_likelihood(z, weights=problem.weights, data=problem.data)),
        log_prior=float(functions.log_prior(z)),
        status=verdict.status,
        warnings=(*verdict.warnings, *warnings, *problem.warnings),
        audit=verdict.audit,
        findings=verdict.findings,
        local_maximum=local,
        flat=z,
        flat_covariance=flat_square,
        n_observations=functions.n_observations,
        n_parameters=len(problem.kept),
        settled=Settled(
            covariance=flat_square,
            flat=_embedded(np.concatenate([verdict.irregular, verdict.null]), problem),
            run_off=_embedded(verdict.run_off, problem),
            absent=problem.missing,
            solve=_Solver(curvature=verdict.large, kept=problem.kept) if _regular(verdict) else None,
        ),
        settings=settings | given(problem),
        model=functions.model,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Solver:
    """Rows (m, d) of the whole z times its covariance, of which the coordinates ``kept`` have one."""

    curvature: LargeCurvature | None
    kept: Array

    def __call__(self, rows: Array) -> Array:
        result = np.zeros_like(rows)
        if self.curvature is not None:
            for first in range(0, len(rows), BLOCK):
                block = slice(first, first + BLOCK)
                result[block, self.kept] = self.curvature.solve(rows[block][:, self.kept])
        return result


def _regular(verdict: Verdict) -> bool:
    """Whether the curvature at the maximum is the whole of its covariance."""
    smooth = verdict.large is not None and not verdict.singular and not len(verdict.irregular)
    return smooth and verdict.status in _MAXIMA


def _embedded(directions: Array, problem: Problem) -> Array:
    result = np.zeros((len(directions), problem.functions.size))
    result[:, problem.kept] = directions
    return result


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """Standard errors of the flat natural vector (m,), NaN where there are none, and a covariance (k, k) of some places."""

    error: Array
    places: Array
    covariance: Array


def _errors(
    problem: Problem, verdict: Verdict, z: Array, names: Sequence[str] | None
) -> tuple[_Known, tuple[str, ...]]:
    """What is known of the natural values' errors, and what is to be said of them."""
    functions = problem.functions
    nothing = _Known(
        error=np.full(functions.natural_size, np.nan), places=np.zeros(0, dtype=int), covariance=np.zeros((0, 0))
    )
    curvature = verdict.large
    if curvature is None or not _regular(verdict):
        irregular = "Some directions are irregular; in a model of this size no standard errors are then given."
        smooth = curvature is not None and not verdict.singular and verdict.status in _MAXIMA
        return nothing, (irregular,) if smooth else ()
    if names is None and curvature.matrix is None and len(problem.kept) > _UNASKED:
        return nothing, (
            f"The Hessian of {counted(len(problem.kept), 'parameter')} has hardly any zeros, so every standard error takes a "
            "solution of its own; name the variables whose standard errors you want: standard_errors=[...].",
        )
    wanted = np.concatenate(
        [np.arange(v.natural.start, v.natural.stop) for v in functions.free if names is None or v.name in names]
    )
    wanted = wanted[np.isin(wanted, problem.natural_kept)]
    together = names is not None and len(wanted) <= _TOGETHER
    return _solved(problem, curvature, z, wanted, together), ()


def _solved(problem: Problem, curvature: LargeCurvature, z: Array, wanted: Array, together: bool) -> _Known:
    """The errors of the places ``wanted`` (k,), and if ``together`` their covariance."""
    functions = problem.functions
    error = np.full(functions.natural_size, np.nan)
    blocks = [wanted[first : first + BLOCK] for first in range(0, len(wanted), BLOCK)]
    rows = [_rows(problem, z, block) for block in blocks] if together else []
    covariance = np.zeros((len(wanted), len(wanted)) if together else (0, 0))
    for k, block in enumerate(blocks):
        own = rows[k] if together else _rows(problem, z, block)
        solved = curvature.solve(own.toarray())
        with np.errstate(invalid="ignore"):
            error[block] = np.sqrt(own.multiply(solved).sum(axis=1))
        if together:
            place = slice(k * BLOCK, k * BLOCK + len(block))
            covariance[:, place] = np.concatenate([other @ solved.T for other in rows])
    return _Known(error=error, places=wanted if together else wanted[:0], covariance=0.5 * (covariance + covariance.T))


def _rows(problem: Problem, z: Array, places: Array) -> Any:
    """Derivatives of some natural values by the kept coordinates, sparse (k, d): most depend on few of them."""
    probes = np.zeros((len(places), problem.functions.natural_size))
    probes[np.arange(len(places)), places] = 1.0
    return sparse.csr_array(problem.functions.natural_rows(z, probes)[:, problem.kept])


class KnownBlock(BackendArray):
    """The matrix, as xarray reads files: what is selected is made when it is asked for.

    Parameters
    ----------
    size
        Number of rows, m.
    places
        Those of the block, (k,) of int, increasing.
    block
        Shape (k, k).

    Examples
    --------
    >>> import xarray as xr
    >>> matrix = xr.DataArray(KnownBlock(10**6, np.array([2, 5]), np.eye(2)).lazily(), dims=("row", "column"))
    >>> matrix[4:7, 5].values.tolist()
    [nan, 1.0, nan]
    """

    def __init__(self, size: int, places: Array, block: Array):
        self.shape = (size, size)
        self.dtype = np.dtype(float)
        self._places = places
        self._block = block

    def lazily(self) -> Any:
        """What an ``xarray.DataArray`` is made of."""
        return LazilyIndexedArray(self)

    def __getitem__(self, key: Any) -> Any:
        """The part that an indexer of xarray's selects."""
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.OUTER, self._outer)

    def _outer(self, key: tuple[Any, ...]) -> Array:
        axes = [np.arange(self.shape[0])[part] for part in key]
        rows, columns = (np.atleast_1d(axis) for axis in axes)
        result = np.full((len(rows), len(columns)), np.nan)
        at, inside = zip(*(self._found(axis) for axis in (rows, columns)), strict=True)
        result[np.ix_(*inside)] = self._block[np.ix_(*at)]
        return result.reshape([len(axis) for axis in axes if np.ndim(axis)])

    def _found(self, axis: Array) -> tuple[Array, Array]:
        """Places in the block of those elements of an axis that are in it, and where they are on the axis."""
        at = np.minimum(np.searchsorted(self._places, axis), max(len(self._places) - 1, 0))
        inside = np.flatnonzero(self._places[at] == axis) if len(self._places) else np.zeros(0, dtype=int)
        return at[inside], inside
