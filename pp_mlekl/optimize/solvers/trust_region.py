"""Newton's method in a trust region, with the exact Hessian, for all starts or replicates at once."""

from dataclasses import dataclass

import numpy as np

from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.difference_hessian import with_difference_hessian
from pp_mlekl.optimize.solvers.fisher_scoring import score_upwards
from pp_mlekl.optimize.solvers.newton_krylov import climb
from pp_mlekl.optimize.solvers.quadratic_model import QuadraticModel, along, project, quadratic_model
from pp_mlekl.optimize.solvers.result import Ends
from pp_mlekl.typing import Array

# A promised gain below this, relative to the value, drowns in the rounding of the value: from there on the
# gradient alone is trusted, and Newton's steps are taken while they shorten.
_NOISE = 1e-9
_FINISHED = 1e-26
_NO_SLOPE = 1e-6
# The radii compared in one iteration, as multiples of the current one.
_RADII = np.array([4.0, 1.0, 0.25, 0.0625])
_SMALLEST_RADIUS = 1e-13
# The largest radius, in units of the largest coordinate or 1.
_LARGEST_RADIUS = 1e8
# Searches are one where each is within this many nats of its maximum, and the maxima that their Newton steps lead to
# are this many standard errors apart. Each must converge quadratically, the last step having left but this share of the
# decrement: on the way to infinity, where a decrement is small as well, a step leaves a third.
_NEAR_MAXIMUM = 0.2
_LEFT = 0.1
_SAME_MAXIMUM = 0.2
# Where the scaled curvature is weaker than this, a Newton step does not tell where the search will end.
_CURVED = 1e-5


@dataclass(kw_only=True, eq=False)
class _Search:
    """The state of all searches; rows are dropped from ``active`` as they end."""

    z: Array
    value: Array
    gradient: Array
    hessian: Array
    radius: Array
    decrement: Array
    state: Array
    active: Array
    count: Array


def maximize(
    objective: Objective,
    starts: Array,
    *,
    rows: Array | None = None,
    held: Array | None = None,
    reach: Array | None = None,
    max_iterations: int = 150,
    keep_trail: bool = False,
    counts: Array | None = None,
    close: float = 0.0,
) -> Ends:
    """Climb from each start to a local maximum.

    Parameters
    ----------
    objective
        What to maximise.
    starts
        Shape (b, d); the value there must be finite.
    rows
        The replicate each start belongs to, (b,); 0 if not given.
    held
        Unit vectors (b, d) along which the searches must not move (for profiles).
    reach
        How far from its start each coordinate may go, (d,), before the search is given up as diverging.
    max_iterations
        Evaluations of the Hessian at most.
    keep_trail
        Whether to keep the points gone through.
    counts
        How many searches each start stands for, (b,). Where given, searches that come to the same maximum are merged
        before they arrive; there are then fewer ends than starts.
    close
        What a Newton step must still promise, in nats, for a search to go on.

    Examples
    --------
    The saddle of ``- (x y - 1)^2 - (x^2 + y^2) / 100`` at the origin is left by its direction of negative curvature.

    >>> def evaluate(order, z, rows):
    ...     x, y = z.T
    ...     r = x * y - 1
    ...     value = -(r**2) - (x**2 + y**2) / 100
    ...     gradient = np.stack([-2 * r * y - x / 50, -2 * r * x - y / 50], axis=-1)
    ...     cross = -4 * x * y + 2
    ...     hessian = np.stack([-2 * y**2 - 0.02, cross, cross, -2 * x**2 - 0.02], axis=-1).reshape(-1, 2, 2)
    ...     return (value, gradient, hessian)[: order + 1]
    >>> ends = maximize(Objective(size=2, evaluate=evaluate), np.zeros((1, 2)))
    >>> np.abs(ends.z).round(4).tolist()
    [[0.995, 0.995]]
    """
    if objective.derivatives < 2 and objective.information is None:
        objective = with_difference_hessian(objective)
    if objective.large or objective.derivatives < 2:
        return _one_by_one(objective, starts, held, reach, max_iterations)
    rows = np.zeros(len(starts), dtype=int) if rows is None else rows
    search = _begin(objective, np.array(starts, dtype=float), rows, counts)
    trail = [(search.z.copy(), search.value.copy())] if keep_trail else []
    iterations = 0
    while len(search.active) and iterations < max_iterations:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            _advance(objective, search, rows, held, close, merging=counts is not None)
        if reach is not None:
            far = np.any(np.abs(search.z - starts) > reach, axis=1)[search.active]
            search.state[search.active[far]] = "ran"
            search.active = search.active[~far]
        iterations += 1
        if keep_trail:
            trail.append((search.z.copy(), search.value.copy()))
    # A search that is stuck where no slope is left has converged: rounding hid the last gains.
    slope = np.abs(search.gradient if held is None else search.gradient - along(search.gradient, held)).max(axis=1)
    resting = (
        (search.state == "stuck")
        & np.isfinite(search.value)
        & (slope < _NO_SLOPE * np.maximum(1.0, np.abs(search.value)))
    )
    search.state[resting] = "stationary"
    kept = np.flatnonzero(search.state != "merged")
    return Ends(
        z=search.z[kept],
        value=search.value[kept],
        gradient=search.gradient[kept],
        hessian=search.hessian[kept],
        decrement=search.decrement[kept],
        state=search.state[kept],
        iterations=iterations,
        count=search.count[kept],
        trail=[(z[kept], value[kept]) for z, value in trail],
    )


def _one_by_one(
    objective: Objective, starts: Array, held: Array | None, reach: Array | None, max_iterations: int
) -> Ends:
    """The same from each start in turn, by products or by gradients alone; the Hessians of the ends are not known."""
    method = score_upwards if objective.information else climb
    found = [
        method(objective, start, held=None if held is None else held[k], reach=reach, max_iterations=max_iterations)
        for k, start in enumerate(starts)
    ]
    longest = max(len(f.trail) for f in found)
    trails = [f.trail + f.trail[-1:] * (longest - len(f.trail)) for f in found]
    count, size = starts.shape
    return Ends(
        z=np.array([f.z for f in found]),
        value=np.array([f.value for f in found]),
        gradient=np.array([f.gradient for f in found]),
        hessian=np.broadcast_to(np.nan, (count, size, size)),
        decrement=np.array([f.decrement for f in found]),
        state=np.array([f.state for f in found], dtype="<U10"),
        iterations=longest - 1,
        count=np.ones(count, dtype=int),
        trail=[(np.array([z for z, _ in step]), np.array([v for _, v in step])) for step in zip(*trails, strict=True)],
    )


def _begin(objective: Objective, starts: Array, rows: Array, counts: Array | None) -> _Search:
    value, gradient, hessian = objective.hessian(starts, rows)
    return _Search(
        z=starts,
        value=value,
        gradient=gradient,
        hessian=hessian,
        radius=np.maximum(1.0, 0.5 * np.abs(starts).max(axis=1)),
        decrement=np.full(len(starts), np.inf),
        state=np.where(np.isfinite(value), "running", "stuck").astype("<U10"),
        active=np.flatnonzero(np.isfinite(value)),
        count=np.ones(len(starts), dtype=int) if counts is None else np.array(counts),
    )


def _advance(
    objective: Objective, search: _Search, rows: Array, held: Array | None, close: float, merging: bool
) -> None:
    """One step of every active search."""
    a = search.active
    gradient, hessian = search.gradient[a], search.hessian[a]
    if held is not None:
        gradient, hessian = project(gradient, hessian, held[a])
    model = quadratic_model(gradient, hessian)
    noise = _NOISE * np.maximum(1.0, np.abs(search.value[a]))
    # In the noise the last Newton step must have brought the decrement down, or the search is over.
    silent = model.short(search.radius[a]) & (model.decrement < noise)
    over = silent & ((model.decrement < _FINISHED) | (model.decrement > 0.25 * search.decrement[a]))
    last = search.decrement[a].copy()
    search.decrement[a] = np.where(over, np.minimum(model.decrement, search.decrement[a]), model.decrement)
    over |= (model.decrement < close) & model.short(search.radius[a])
    search.state[a[over]] = "stationary"
    # Beside curvatures larger by many orders of magnitude a step may be too short to promise anything.
    vain = ~over & (model.gains(model.steps(search.radius[a])) <= 1e-30)
    search.state[a[vain]] = "stuck"
    over |= vain
    if merging:
        over |= _merged(search, a, model, last)
    if not over.all():
        _try(objective, search, rows, a, model, silent, over)
    small = ~over & (search.radius[a] < _SMALLEST_RADIUS * np.maximum(1.0, np.abs(search.z[a]).max(axis=1)))
    search.state[a[small]] = "stuck"
    search.active = a[~over & ~small]


def _merged(search: _Search, a: Array, model: QuadraticModel, last: Array) -> Array:
    """Which of the active searches a, with their last decrements, end where another does, which is to count for them."""
    merged = np.zeros(len(a), dtype=bool)
    near = np.flatnonzero((model.decrement < _NEAR_MAXIMUM) & (model.decrement < _LEFT * last))
    near = near[np.argsort(model.decrement[near], kind="stable")]
    aims = search.z.copy()
    aims[a] += model.newton
    arrived = np.flatnonzero(search.state == "stationary")
    for leader in [*np.setdiff1d(arrived, a), *a[near]]:
        if not len(near):
            break
        if search.state[leader] == "merged":
            continue
        near = near[a[near] != leader]
        same = near[_same(aims[a[near]] - aims[leader], search.hessian[leader])]
        merged[same] = True
        search.state[a[same]] = "merged"
        search.count[leader] += search.count[a[same]].sum()
        near = near[~merged[near]]
    return merged


def _same(differences: Array, hessian: Array) -> Array:
    """Which differences (k, d) are a small part of a standard error, in every coordinate by itself and together."""
    units = np.sqrt(np.abs(np.diagonal(hessian)))
    scaled = -hessian / np.outer(units, units)
    if not np.all(np.isfinite(scaled)) or np.linalg.eigvalsh(scaled)[0] < _CURVED:
        return np.zeros(len(differences), dtype=bool)
    squares = -np.einsum("bi,ij,bj->b", differences, hessian, differences)
    return (np.abs(differences) * units < _SAME_MAXIMUM).all(axis=1) & (squares < _SAME_MAXIMUM**2)


def _try(
    objective: Objective, search: _Search, rows: Array, a: Array, model: QuadraticModel, silent: Array, over: Array
) -> None:
    """Compare steps of several radii by the value alone, which is cheap, and take the Hessian only at the best."""
    largest = _LARGEST_RADIUS * np.maximum(1.0, np.abs(search.z[a]).max(axis=1))
    radii = np.minimum(_RADII[:, None] * search.radius[a], largest)
    steps = model.steps(radii)
    # Where Newton's step is short enough for a radius it is so for the largest: that point is tried once.
    own = ~over & ~silent & ~model.short(radii)
    own[0] = ~over
    values = np.full(radii.shape, -np.inf)
    points = np.broadcast_to(search.z[a], steps.shape)[own] + steps[own]
    values[own] = objective.value(points, np.broadcast_to(rows[a], own.shape)[own])
    best = np.where(silent, 0, np.argmax(values, axis=0))
    columns = np.arange(len(a))
    step, value = steps[best, columns], values[best, columns]
    gain = value - search.value[a]
    noise = _NOISE * np.maximum(1.0, np.abs(search.value[a]))
    accept = ~over & np.where(silent, gain > -noise, gain > 1e-4 * model.gains(step))
    # A rejected Newton step in the noise means that the search has come as near as rounding lets it.
    search.decrement[a[silent & ~accept]] = 0.0
    length = np.abs(step).max(axis=1)
    chosen = np.where(model.short(radii[best, columns]), np.maximum(length, search.radius[a]), radii[best, columns])
    search.radius[a] = np.where(accept, np.where(silent, search.radius[a], chosen), radii[-1] / 4)
    moved = np.flatnonzero(accept)
    if not len(moved):
        return
    search.z[a[moved]] += step[moved]
    new_value, gradient, hessian = objective.hessian(search.z[a[moved]], rows[a[moved]])
    undefined = ~np.isfinite(new_value)
    search.z[a[moved[undefined]]] -= step[moved[undefined]]
    search.radius[a[moved[undefined]]] = radii[-1, moved[undefined]] / 4
    moved, fine = a[moved[~undefined]], ~undefined
    search.value[moved], search.gradient[moved], search.hessian[moved] = new_value[fine], gradient[fine], hessian[fine]
