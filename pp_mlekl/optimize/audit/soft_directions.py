"""Directions along which the objective does not fall off: flat ones, those of recession, and singular ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pp_mlekl.optimize.audit.directions import simplest
from pp_mlekl.optimize.curvature import Curvature, losses_along, rays
from pp_mlekl.optimize.numerical_noise import rounding
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.profile_paths import profile_paths
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.optimize.tolerances import Tolerances
from pp_mlekl.typing import Array

# Within this multiple of a point's size rays are looked at more closely where they overflow farther off.
_WITHIN = 100.0
# Maximum number of directions that are tried one by one; more are tried together, in this number of random combinations.
_SINGLY, _MIXED = 8, 4
# Number of bisections for the end of a plateau.
_HALVINGS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Soft:
    """The soft directions at a point.

    Parameters
    ----------
    run_off
        (k, d): along these the objective does not fall on one side, without end.
    null
        (l, d): along these it does not change.
    singular
        Whether there are others that fall off in another way than their curvature says.
    regular
        (d,) of bool: which of the curvature's directions are none of these.
    shallow
        (m, d): regular ones along which the objective is curved at the maximum but hardly falls farther off.
    """

    run_off: Array
    null: Array
    singular: bool
    regular: Array
    shallow: Array


def classify(
    objective: Objective, z: Array, value: float, found: Curvature, suspicious: Array, space: Space, trail: Array
) -> Soft:
    """Sort the suspicious directions of a stationary point.

    Parameters
    ----------
    objective, z, value, found
        The objective, the point, the value and the curvature there.
    suspicious
        Which of the curvature's directions do not fall off, (d,) of bool.
    space
        The parameters.
    trail
        Directions (t, d) in which the search came in, tried as rays to infinity.
    """
    none = np.zeros((0, len(z)))
    regular = ~suspicious
    if not suspicious.any():
        return Soft(run_off=none, null=none, singular=False, regular=regular, shallow=none)
    candidates = _candidates(found, suspicious, trail)
    ahead, ahead_all = losses_along(objective, z, value, candidates, space.reach)
    back, back_all = losses_along(objective, z, value, -candidates, space.reach)
    flat = (ahead_all < objective.tolerances.flat_loss) & (back_all < objective.tolerances.flat_loss)
    undefined = np.flatnonzero(np.isinf(ahead_all) | np.isinf(back_all))
    flat[undefined] = _level_where_defined(objective, z, value, candidates[undefined], space.reach)
    onward = _leads_on(ahead, back, back_all, objective.tolerances) & (back_all > objective.tolerances.ray_fall) & ~flat
    backward = (
        _leads_on(back, ahead, ahead_all, objective.tolerances) & (ahead_all > objective.tolerances.ray_fall) & ~flat
    )
    # What loses as much far off on either side, and nothing near by, is flat but for the rounding of the direction.
    alike = (ahead_all < 1.5 * back_all) & (back_all < 2.0 * ahead_all) & np.isfinite(ahead_all + back_all)
    level = (np.maximum(ahead, back) < objective.tolerances.ray_loss) & (ahead_all > objective.tolerances.ray_fall)
    onward, backward = onward & ~(alike & level), backward & ~(alike & level)
    # Where double precision fails far ahead the objective seems to fall there too: less is lost near by.
    onward, backward = onward & ~(backward & (back < ahead)), backward & ~(onward & (ahead <= back))
    # In the candidates' own order, whichever way they run: of several that span the same, the simplest come first.
    signed = np.where(onward, 1.0, -1.0)[:, None] * candidates
    run_off = independent(signed[onward | backward])
    null = independent(candidates[flat])
    if len(run_off):
        null = independent(null, base=run_off)
        return Soft(run_off=run_off, null=null, singular=False, regular=regular, shallow=none)
    places = np.flatnonzero(suspicious)
    places = places[_outside(found.directions[places], null)]
    rest = found.directions[places]
    flat = curved_null(objective, z, value, rest) | (
        found.eigenvalues[places] < objective.tolerances.rank_eigenvalue
    ) & _plateau(objective, z, value, rest)
    singular, shallow = np.zeros(len(rest), dtype=bool), np.zeros(len(rest), dtype=bool)
    singular[~flat] = _singular(objective, z, value, rest[~flat])
    shallow[singular] = curved_nearby(objective, z, value, rest[singular])
    singular &= ~shallow
    regular[places[~flat & ~singular]] = True
    null = independent(np.concatenate([null, rest[flat] / np.linalg.norm(rest[flat], axis=1, keepdims=True)]))
    return Soft(run_off=run_off, null=null, singular=bool(singular.any()), regular=regular, shallow=rest[shallow])


def _level_where_defined(objective: Objective, z: Array, value: float, directions: Array, reach: Array) -> Array:
    """Whether along each direction (k, d) nothing is lost on either side, up to where numbers overflow; (k,) of bool."""
    both = np.concatenate([directions, -directions])
    points = np.concatenate(
        [rays(z, both, np.minimum(reach, _WITHIN * np.maximum(1.0, np.abs(z)))), rays(z, both, reach)]
    )
    values = objective.value(points.reshape(-1, len(z))).reshape(len(points), 2, len(directions))
    lost = np.where(np.isfinite(values), value - values, -np.inf).max(axis=(0, 1))
    return (lost < objective.tolerances.flat_loss) & np.isfinite(values[: objective.tolerances.ray_defined]).all(
        axis=(0, 1)
    )


def _leads_on(near: Array, other: Array, other_all: Array, tolerances: Tolerances) -> Array:
    """Which rays lose nothing near by, or end on a plateau: undefined ahead, while the other way falls, but only far off."""
    return (near < tolerances.ray_loss) | (np.isinf(near) & (other < tolerances.ray_loss) & np.isfinite(other_all))


def _candidates(found: Curvature, suspicious: Array, trail: Array) -> Array:
    """Unit vectors to try as rays, the simplest first: axes, then the soft space's basis and the ways of approach."""
    soft = found.directions[suspicious] / found.scale
    basis = np.linalg.qr(soft.T)[0]
    alone = axes(np.flatnonzero(np.linalg.norm(basis, axis=1) > 0.3), len(found.scale))
    projected = (trail / found.scale) @ basis @ basis.T * found.scale
    full = np.concatenate([found.directions[suspicious], projected])
    largest = np.abs(full).max(axis=1, keepdims=True)
    # What rounding and the last bend of the way have put into a direction must not be followed to infinity.
    thinned = [np.where(np.abs(full) < share * largest, 0.0, full) for share in (0.5, 0.1, 0.01)]
    pieces = np.concatenate([alone, *thinned, full])
    lengths = np.linalg.norm(pieces, axis=1, keepdims=True)
    unit = (pieces / np.where(lengths > 0, lengths, 1.0))[lengths[:, 0] > 0]
    # Probabilities that keep their ratio do so on the way to infinity only if the direction has all its digits.
    return simplest(unit)


def independent(directions: Array, base: Array | None = None) -> Array:
    """The directions that are not in the span of those before them (or of ``base``)."""
    kept: list[Array] = []
    span = [] if base is None else list(base)
    for direction in directions:
        if _outside(direction[None], np.array(span).reshape(-1, len(direction)))[0]:
            kept.append(direction)
            span.append(direction)
    return np.array(kept).reshape(-1, directions.shape[1])


def _outside(directions: Array, span: Array) -> Array:
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    if not len(span):
        return np.ones(len(directions), dtype=bool)
    basis = np.linalg.qr(span.T)[0]
    return np.linalg.norm(unit - unit @ basis @ basis.T, axis=1) > 1e-3


def curved_null(objective: Objective, z: Array, value: float, directions: Array) -> Array:
    """Whether each direction (k, d) is tangent to a surface of equal value: held off z along it, the rest makes up the loss.

    Many directions are first held off all together, in random combinations: where what is left makes up the loss, all are
    tangent. Where it does not, each half is tried in the same way.
    """
    if not len(directions):
        return np.zeros(0, dtype=bool)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    if len(unit) <= _SINGLY or objective.wide:
        signs, steps, lost = _visible(objective, z, value, unit)
        paths = profile_paths(objective, np.repeat(z[None], len(signs), axis=0), signs, steps)
        kept = value - paths.values[-1] < objective.tolerances.flat_loss * np.maximum(1.0, lost)
        # Such a surface may end not far off, but near by it is wholly level where the straight line is not.
        straight = value - objective.value(z + steps[0][:, None] * signs)
        kept |= (straight > objective.tolerances.flat_seen * objective.tolerances.flat_loss) & (
            value - paths.values[0] < 0.1 * objective.tolerances.flat_loss / objective.tolerances.flat_seen
        )
        return kept[: len(unit)] & kept[len(unit) :]
    if _all_tangent(objective, z, value, unit):
        return np.ones(len(unit), dtype=bool)
    return np.concatenate([curved_null(objective, z, value, half) for half in np.array_split(unit, 2)])


def _visible(objective: Objective, z: Array, value: float, unit: Array) -> tuple[Array, Array, Array]:
    """Both ways along unit directions (2k, d), distances (3, 2k) up to where a fall is seen, and the fall there (2k,)."""
    signs = np.concatenate([unit, -unit])
    grid = np.geomspace(1e-4, 1e3, 22)
    points = z + grid[:, None, None] * signs
    falls = value - objective.value(points.reshape(-1, len(z))).reshape(len(grid), len(signs))
    # The first distance at which the straight line has visibly left the maximum.
    visible = (falls > objective.tolerances.flat_fall).argmax(axis=0)
    lost = np.where(falls.max(axis=0) > objective.tolerances.flat_fall, falls[visible, np.arange(len(signs))], 0.0)
    return signs, np.array([0.25, 0.5, 1.0])[:, None] * grid[visible], lost


def _all_tangent(objective: Objective, z: Array, value: float, unit: Array) -> bool:
    """Whether off z along random combinations of directions (k, d), all of which are held, the rest makes up the loss."""
    basis, triangle = np.linalg.qr(unit.T, mode="complete")
    rank = int(np.sum(np.abs(np.diagonal(triangle)) > 1e-8))
    held, free = basis[:, :rank], basis[:, rank:]
    mixed = np.random.default_rng(0).normal(size=(_MIXED, rank)) @ held.T
    signs, steps, lost = _visible(objective, z, value, mixed / np.linalg.norm(mixed, axis=1, keepdims=True))
    current = np.zeros((len(signs), free.shape[1]))
    best = np.full(len(signs), -np.inf)
    for step in steps:
        across = _across(objective, z + step[:, None] * signs, free)
        rows = np.arange(len(signs))
        best = across.value(current, rows)
        if np.isfinite(best).all() and free.shape[1]:
            ends = maximize(across, current, rows=rows, max_iterations=25)
            current, best = ends.z, ends.value
    return bool(np.all(value - best < objective.tolerances.flat_loss * np.maximum(1.0, lost)))


def _across(objective: Objective, points: Array, free: Array) -> Objective:
    """The objective through each of some points (b, d), as a function of the coordinates along the columns of ``free``."""

    def evaluate(order: int, y: Array, rows: Array) -> tuple[Array, ...]:
        value, *derivatives = objective.evaluate(order, points[rows] + y @ free.T, np.zeros(len(y), dtype=int))
        turned = (derivatives[0] @ free,) if derivatives else ()
        return (value, *turned, *(free.T @ hessian @ free for hessian in derivatives[1:]))

    return replace(objective, size=free.shape[1], evaluate=evaluate, product=None, support=None)


def _plateau(objective: Objective, z: Array, value: float, directions: Array) -> Array:
    """Whether along each direction the objective is constant on most of the line on which no fall is visible.

    So it is between the two middle of a few observations with a median, wherever between them the point lies; those of many are
    so near to one another that the median has an estimate.
    """
    if not len(directions):
        return np.zeros(0, dtype=bool)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    signs = np.concatenate([unit, -unit])
    level = _until(objective, z, value - objective.precision * max(1.0, abs(value)), signs)
    visible = _until(objective, z, value - objective.tolerances.flat_fall, signs)
    level, visible = (lengths.reshape(2, -1).sum(axis=0) for lengths in (level, visible))
    return np.isinf(level) | (level > objective.tolerances.flat_share * visible)


def _until(objective: Objective, z: Array, least: float, ways: Array) -> Array:
    """How far from z along each unit direction (k, d) the objective stays above a value, (k,); infinite where it does all the way."""
    grid = max(1.0, float(np.abs(z).max())) * np.concatenate([[0.0], np.geomspace(1e-14, 1e14, 57)])
    below = ~(objective.value((z + grid[:, None, None] * ways).reshape(-1, len(z))).reshape(len(grid), -1) >= least)
    below[0] = False
    first = below.argmax(axis=0)
    low, high = grid[first - 1], grid[first]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        kept = objective.value(z + middle[:, None] * ways) >= least
        low, high = np.where(kept, middle, low), np.where(kept, high, middle)
    return np.where(below.any(axis=0), low, np.inf)


def idle_coordinates(objective: Objective, z: Array, value: float, directions: Sequence[Array]) -> Array:
    """Axes (k, d) of coordinates, in none of the directions, that say nothing near z: a mean direction without concentration.

    Examples
    --------
    >>> flat = Objective(size=3, evaluate=lambda order, z, rows: (-z[:, 1] ** 2,))
    >>> idle_coordinates(flat, np.zeros(3), 0.0, [np.array([1.0, 0.0, 0.0])]).tolist()
    [[0.0, 0.0, 1.0]]
    """
    taken = np.any(np.abs(np.array(directions).reshape(-1, len(z))) > 1e-8, axis=0)
    alone = axes(np.flatnonzero(~taken), len(z))
    steps = (
        np.array([-1.0, -0.2, 0.2, 1.0])[:, None, None] * objective.tolerances.idle_range * np.maximum(1.0, np.abs(z))
    )
    around = objective.value((z + steps * alone).reshape(-1, len(z))).reshape(4, len(alone))
    noise = objective.precision * max(1.0, abs(value)) + objective.tolerances.noise_multiple * float(
        rounding(objective, z[None])[0]
    )
    return alone[np.all(np.abs(around - value) <= noise, axis=0)]


def _singular(objective: Objective, z: Array, value: float, directions: Array) -> Array:
    """Whether the profile along each direction falls off in another way than its curvature says."""
    if not len(directions):
        return np.zeros(0, dtype=bool)
    near, far = profile_falls(objective, z, value, directions)
    tolerances = objective.tolerances
    regular = (far > tolerances.singular_least) & (far < tolerances.singular_most) & (near < tolerances.singular_fall)
    return ~regular


def profile_falls(objective: Objective, z: Array, value: float, directions: Array) -> tuple[Array, Array]:
    """What profiles lose, to the better side, at a quarter and at two of the lengths of directions (k, d); two arrays (k,)."""
    length = np.linalg.norm(directions, axis=1)
    unit = directions / length[:, None]
    signs = np.concatenate([unit, -unit])
    steps = np.array([0.25, 0.5, 1.0, 2.0])[:, None] * np.tile(length, 2)
    paths = profile_paths(objective, np.repeat(z[None], len(signs), axis=0), signs, steps)
    near, _, _, far = (value - paths.values).reshape(4, 2, -1).min(axis=1)
    return near, far


def family_loss(objective: Objective, z: Array, value: float, directions: Array, reach: Array) -> float:
    """The most that is lost along flat directions (k, d), of which a few are looked at: straight, or all else following."""
    unit = directions[:_SINGLY] / np.linalg.norm(directions[:_SINGLY], axis=1, keepdims=True)
    straight = losses_along(objective, z, value, np.concatenate([unit, -unit]), reach)[1]
    if straight.max() < objective.tolerances.flat_loss or objective.large:
        return float(straight.max())
    signs, steps, lost = _visible(objective, z, value, unit)
    paths = profile_paths(objective, np.repeat(z[None], len(signs), axis=0), signs, steps)
    least = np.where(np.isfinite(paths.values[-1]), value - paths.values[-1], np.finfo(float).max)
    return float(np.minimum(straight, least / np.maximum(1.0, lost)).max())


def curved_nearby(objective: Objective, z: Array, value: float, directions: Array) -> Array:
    """Whether the objective is quadratic near by along each direction, with the curvature that its length stands for.

    So it is where a small variance makes a maximum on a slope that levels off towards zero; it is not where the
    information vanishes or jumps.
    """
    if not len(directions):
        return np.zeros(0, dtype=bool)
    steps = objective.tolerances.weak_distance * np.array([0.5, 1.0])[:, None, None]
    points = np.stack([z + steps * directions, z - steps * directions])
    values = objective.value(points.reshape(-1, len(z))).reshape(2, 2, len(directions))
    bend = (2 * value - values.sum(axis=0)) / steps[..., 0] ** 2
    return np.all(np.abs(bend - 1.0) < objective.tolerances.weak_bend, axis=0)
