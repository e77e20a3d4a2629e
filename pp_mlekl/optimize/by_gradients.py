"""Many searches, one verdict, where the objective has gradients but no Hessian: L-BFGS, and values along rays."""

from dataclasses import replace

import numpy as np

from pp_mlekl.optimize.audit import messages
from pp_mlekl.optimize.audit.boundary import look_to_the_edges
from pp_mlekl.optimize.audit.directions import simplest
from pp_mlekl.optimize.audit.identifiability import Soft, classify, curved_null, independent
from pp_mlekl.optimize.audit.limit import without_idle
from pp_mlekl.optimize.audit.nonsmooth import step_coordinates
from pp_mlekl.optimize.audit.recession import runs_off
from pp_mlekl.optimize.audit.unfinished import bare_verdict, beyond_jump, unfinished
from pp_mlekl.optimize.audit.verdict import Verdict
from pp_mlekl.optimize.curvature import Curvature, falls_off
from pp_mlekl.optimize.modes import VALLEY, Mode, lowest_between
from pp_mlekl.optimize.numerical_noise import before_rounding, crosses_rounding, high_by_rounding
from pp_mlekl.optimize.objective import Objective, rounding
from pp_mlekl.optimize.parameter_space import Space, axes
from pp_mlekl.optimize.solvers.result import EQUAL, Ends, joined
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.typing import Array

# Searches that begin near the best end, to see whether they come back to it; how far off, in nats; how often that is
# done where they climb higher.
_AGAIN, _OFF, _ROUNDS = 4, 2.0, 5
# Coordinates that are looked at by themselves, and other ends of the same height.
_ALONE, _OTHERS = 50, 3
# What is lost on the way back from where a search ran off, in nats.
_FALL = 0.1
# Two ends are one maximum where they lie this share of the way to where the objective has fallen by half a nat.
_SAME = 0.1
# What is lost between two points of a plateau, relative to the value there.
_NO_DROP = 1e-12
_ENDED = ("stationary", "stuck")
_GRID = 10.0 ** np.arange(-8, 7)


def search_by_gradients(objective: Objective, starts: Array, space: Space, max_iterations: int) -> Verdict:
    """Climb from every start and from around the best end; arguments as for ``search.search``.

    A maximum is believed where the gradient vanishes and other searches come to the same point; what is flat or runs off
    is seen by the values along coordinates, ways of approach, and the lines between ends of equal height. Nothing is said
    of standard errors.
    """
    ends = maximize(objective, starts, reach=space.reach, max_iterations=max_iterations, keep_trail=True)
    for _ in range(_ROUNDS):
        ends, row = _highest(objective, ends)
        if ends.state[row] != "stationary":
            break
        value = float(ends.value[row])
        around = _around(objective, ends.z[row], value, space)
        if len(around):
            more = maximize(objective, around, reach=space.reach, max_iterations=max_iterations, keep_trail=True)
            more, best = _highest(objective, more)
            ends = joined(ends, more)
        if not len(around) or more.value[best] <= value + EQUAL * max(1.0, abs(value)):
            return _examined(objective, ends, row, space)
    return _on_the_way(objective, ends, space, max_iterations)


def _on_the_way(objective: Objective, ends: Ends, space: Space, max_iterations: int, again: bool = True) -> Verdict:
    """The verdict where the highest search did not come to rest, or searches from around it did not come back."""
    ends, row = _highest(objective, ends)
    if not again and ends.state[row] == "stationary":
        return _examined(objective, ends, row, space)
    verdict = unfinished(objective, ends, row, [], space, len(ends.z))
    verdict = verdict or messages.failed(bare_verdict(objective, ends, row, [], len(ends.z)), space)
    if again and (verdict.status == "failed" or verdict.singular):
        beyond = beyond_jump(objective, verdict, space, max_iterations)
        if beyond is not None:
            return _on_the_way(objective, joined(ends, beyond), space, max_iterations, again=False)
    return verdict


def _highest(objective: Objective, ends: Ends) -> tuple[Ends, int]:
    """The row of the highest end, those that are high by rounding alone left out or taken back to before it."""
    for _ in range(len(ends.z)):
        row = int(np.argmax(ends.value))
        if ends.state[row] in _ENDED:
            ended = np.flatnonzero(np.isin(ends.state, _ENDED) & np.isfinite(ends.value))
            sure = ended[~high_by_rounding(ends.value[ended], rounding(objective, ends.z[ended]))]
            row = int(sure[np.argmax(ends.value[sure])])
        back = before_rounding(objective, ends, np.array([row]))
        if back is ends:
            break
        ends = back
    return ends, row


def _examined(objective: Objective, ends: Ends, row: int, space: Space, again: bool = True) -> Verdict:
    z, value = ends.z[row], float(ends.value[row])
    ends = replace(ends, z=_about(ends.z, z, space.period))
    agree, others = _others(objective, ends, row, space)
    bare = bare_verdict(objective, ends, row, [], len(ends.z))
    verdict = replace(bare, audit=replace(bare.audit, agree=agree))
    points = np.array([point[row] for point, _ in ends.trail])
    soft, suspicious = _by_the_way(objective, z, value, points, space)
    between = (ends.z[others] - z) / np.linalg.norm(ends.z[others] - z, axis=1, keepdims=True)
    flat = curved_null(objective, z, value, between) | _level(objective, z, value, ends.z[others])
    null = independent(np.concatenate([soft.null, between[flat]]))
    verdict = replace(verdict, run_off=simplest(soft.run_off), null=null, singular=soft.singular)
    verdict, higher = look_to_the_edges(objective, verdict, space, suspicious)
    if verdict.climb is not None and verdict.climb.within_reach:
        return messages.unbounded(verdict, space)
    if higher is not None and again:
        more = joined(ends, higher)
        return _examined(objective, more, int(np.argmax(more.value)), space, again=False)
    if len(soft.run_off):
        # Ends on the way to infinity are as high as each other wherever they are.
        run_off = space.distinct(z, verdict.run_off)
        verdict = replace(verdict, run_off=run_off, null=independent(soft.null, base=run_off))
        return messages.at_the_edge(without_idle(objective, verdict, space), space)
    if len(null):
        stepped = step_coordinates(objective, Mode(z=z, value=value, hessian=verdict.hessian, agree=agree))
        if len(stepped):
            return messages.steps(verdict, stepped, space)
        # Ends along a bent way to infinity are as high as each other when all that is still gained is rounding.
        limit = runs_off(objective, replace(verdict, null=null[:0]), points, space)
        return limit or messages.not_identified(verdict, space)
    rivals = _rivals(objective, ends, row, others)
    if rivals:
        return messages.multimodal(verdict, rivals, space)
    if agree < 2 and len(ends.z) > 1:
        text = (
            f"The search failed: of {len(ends.z)} searches by gradients alone no two ended at the same maximum of the "
            f"{space.what}; give more or other starts."
        )
        return replace(verdict, status="failed", warnings=(text,))
    return messages.converged(verdict, space)


def _by_the_way(objective: Objective, z: Array, value: float, points: Array, space: Space) -> tuple[Soft, Array]:
    """What is soft along the coordinates, or else along the ways in which a search came through points (t, d) to z."""
    approach = z - points[[0, len(points) // 2, 3 * len(points) // 4]]
    approach = approach[np.abs(approach).max(axis=1) > 1e-3]
    alone = _alone(points, space)
    soft, suspicious = _soft(objective, z, value, alone, approach, space)
    soft = _gone_far(objective, value, points, soft)
    if len(soft.run_off) or not len(approach):
        return soft, suspicious
    ways = approach / np.linalg.norm(approach, axis=1, keepdims=True)
    return _soft(objective, z, value, np.concatenate([alone, ways]), approach, space)


def _soft(
    objective: Objective, z: Array, value: float, units: Array, approach: Array, space: Space
) -> tuple[Soft, Array]:
    """Which unit directions (k, d) do not fall off as at a regular maximum, and what they are."""
    lengths = np.minimum(_lengths(objective, z, value, units, space.reach), _GRID[-1])
    directions = units * lengths[:, None]
    suspicious = ~falls_off(objective, z, value, directions, space.reach)
    own = np.where(np.count_nonzero(units, axis=1)[:, None] == 1, np.abs(directions), 0.0).sum(axis=0)
    found = Curvature(eigenvalues=np.ones(len(units)), directions=directions, scale=np.where(own > 0, own, 1.0))
    return classify(objective, z, value, found, suspicious, space, approach), suspicious


def _gone_far(objective: Objective, value: float, points: Array, soft: Soft) -> Soft:
    """Flat directions that rise from where the search began (t, d) to where it ended are ones that it ran off along.

    A long step may have taken it so far that even the way back is level.
    """
    way = points[-1] - points[0]
    along = soft.null @ way
    back = objective.value(points[-1] - along[:, None] * soft.null)
    gone = value - back > _FALL
    if not gone.any():
        return soft
    return replace(
        soft,
        run_off=np.concatenate([soft.run_off, np.sign(along[gone])[:, None] * soft.null[gone]]),
        null=soft.null[~gone],
    )


def _around(objective: Objective, z: Array, value: float, space: Space) -> Array:
    """Starts about a point, in random directions, each where the objective has fallen by a little or the reach ends."""
    ways = np.random.default_rng(0).normal(size=(_AGAIN, len(z))) * np.maximum(1.0, np.abs(z))
    ways *= np.minimum(1.0, 0.25 * space.reach / np.abs(ways))
    grid = np.geomspace(1e-8, 1.0, 33)
    points = z + grid[:, None, None] * ways
    falls = value - objective.value(points.reshape(-1, len(z))).reshape(len(grid), _AGAIN)
    # The last before the first that has fallen too far.
    last = np.where(np.any(falls > _OFF, axis=0), np.argmax(falls > _OFF, axis=0) - 1, len(grid) - 1)
    chosen = points[np.maximum(last, 0), np.arange(_AGAIN)]
    chosen = chosen[np.isfinite(objective.value(chosen))]
    # A search that begins beyond mere rounding has no way back on which that would be seen.
    return chosen[~crosses_rounding(objective, np.broadcast_to(z, chosen.shape), chosen)]


def _about(points: Array, z: Array, period: Array | float) -> Array:
    """Points (b, d) with every angle moved by whole periods to within half a one of that of z (d,)."""
    whole = np.where(np.isfinite(period), period, 1.0)
    return points - np.where(np.isfinite(period), whole * np.round((points - z) / whole), 0.0)


def _alone(points: Array, space: Space) -> Array:
    """Coordinates (k, d) to be looked at by themselves: of many, those that moved most on the way."""
    moved = np.abs(points[-1] - points[0])
    return axes(np.sort(np.argsort(-moved, kind="stable")[:_ALONE]), points.shape[1])


def _lengths(objective: Objective, z: Array, value: float, units: Array, reach: Array) -> Array:
    """How far along each unit direction (k, d), to the steeper side, the objective falls by half a nat; (k,).

    Infinite where it does not on either side.
    """
    if not len(units):
        return np.zeros(0)
    signed = np.concatenate([units, -units])
    with np.errstate(divide="ignore"):
        most = np.min(reach / np.abs(signed), axis=1)

    def falls(distances: Array) -> Array:
        points = z + distances[..., None] * signed
        return value - objective.value(points.reshape(-1, len(z))).reshape(distances.shape)

    grid = np.minimum(_GRID[:, None], most)
    lost = falls(grid)
    fallen = lost > 0.5
    lengths = grid[fallen.argmax(axis=0), np.arange(len(signed))]
    for _ in range(4):
        # As of a parabola; where the objective is none, the next round corrects it.
        now = falls(lengths[None])[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = np.clip(np.sqrt(0.5 / np.maximum(now, 1e-6)), 0.1, 1.0 / 0.9)
        lengths = lengths * np.where(np.isfinite(now), factor, 0.5)
    return np.where(fallen.any(axis=0), lengths, np.inf).reshape(2, -1).min(axis=0)


def _others(objective: Objective, ends: Ends, row: int, space: Space) -> tuple[int, Array]:
    """How many searches ended at the maximum of ``row``, and the rows of others as high that did not."""
    z, value = ends.z[row], float(ends.value[row])
    high = (ends.state == "stationary") & (value - ends.value < EQUAL * max(1.0, abs(value)))
    rows = np.flatnonzero(high & (np.arange(len(ends.z)) != row))
    apart = np.linalg.norm(ends.z[rows] - z, axis=1)
    same = np.abs(ends.z[rows] - z).max(axis=1, initial=0.0) <= 1e-7 * max(1.0, float(np.abs(z).max()))
    doubtful = np.flatnonzero(~same)
    units = (ends.z[rows[doubtful]] - z) / apart[doubtful, None]
    lengths = _lengths(objective, z, value, units, space.reach)
    # Where nothing falls along the line through both they are two of a flat family.
    same[doubtful] = np.isfinite(lengths) & (apart[doubtful] < _SAME * lengths)
    return 1 + int(same.sum()), rows[~same][:_OTHERS]


def _level(objective: Objective, z: Array, value: float, others: Array) -> Array:
    """Which of other ends (k, d) lie on one plateau with z, as between the two middle observations of a median."""
    return value - lowest_between(objective, z, others) < _NO_DROP * max(1.0, abs(value))


def _rivals(objective: Objective, ends: Ends, row: int, others: Array) -> list[Mode]:
    """Other ends as high, with a valley before them."""
    nothing = np.broadcast_to(np.nan, (ends.z.shape[1],) * 2)
    lowest = lowest_between(objective, ends.z[row], ends.z[others])
    apart = others[ends.value[others] - lowest > VALLEY]
    return [Mode(z=ends.z[k], value=float(ends.value[k]), hessian=nothing, agree=1) for k in apart.tolist()]
