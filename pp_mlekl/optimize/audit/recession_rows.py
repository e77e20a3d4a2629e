"""Directions of linear predictors along which a concave log-likelihood does not fall, found by its gradients at distant points.

The recession function of a concave function f is the least of ``v @ d`` over the range of its gradients v (Rockafellar 1970,
theorem 8.5 and its dual, section 13). For a term of a likelihood these gradients span a cone with few rays: 1 for a logistic
response of 1, -1 for one of 0, both for a positive count, ``e_y - e_k`` for a category y among others k. A direction of the
parameters is a direction of recession if and only if its product with every ray of every term is not negative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from pp_mlekl.optimize.audit.directions import simplest
from pp_mlekl.typing import Array

Gradients = Callable[[Sequence[Array]], tuple[Array, Sequence[Array]]]

# Values of a predictor at which gradients are looked at; those at which the likelihood is not finite do not count.
_NEAR = np.array([0.0, 0.1, 0.3, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0])
_FAR = np.array([100.0, 300.0, 700.0, 1e3, 1e4, 1e6, 1e9, 1e12])
# Scales of predictors with several elements; at the second ones and beyond gradients are rays.
_SCALES, _SATURATED = (0.5, 2.0, 6.0, 15.0, 30.0, 100.0, 1000.0), 15.0
_RANDOM_POINTS = 12
# Categories that a unit may have. The points to look at have 28 times the square of that number of elements: a column of
# 10,000 observations that is not a sum over its elements would take 22 GB as a single unit.
_MOST_CATEGORIES = 100
# What a ray's elements may be off, of its largest: exp(-15) and rounding.
_ELEMENT = 1e-6
# What may be left of a gradient that points outward at the end of the numbers, of its size near 0.
_OUTWARD = 1e-4
# What a gradient may rise by along a line before the function is not concave, of its own size and of that near 0.
_RISE, _RISE_NEAR = 1e-6, 1e-9
# Rounding of a gradient that is a difference of terms as large as the predictor, relative to it.
_ROUNDING = 4e-15
# Points with different values in each unit at which the units must not be seen to influence each other.
_MIXED_POINTS = 3
_SAME = 1e-6
_NUDGE = 1e-3
# What derivatives may be off the multiples of others, of their size: rounding.
_MULTIPLE = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictor:
    """An array that depends linearly on the parameters, and through which alone the likelihood does.

    Parameters
    ----------
    value
        At the point where the others are held while one is looked at.
    jacobian
        Its derivatives by the parameters (size, d), which are constant.
    candidate
        Whether its directions are to be looked at; otherwise they are held.
    """

    value: Array
    jacobian: Array
    candidate: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Unit:
    """Rows that belong to elements of predictors which act on the likelihood together.

    Parameters
    ----------
    shape
        Shape of the array of such units.
    predictors
        The predictors that they are elements of.
    """

    shape: tuple[int, ...]
    predictors: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecessionRows:
    """Directions of recession are those with ``rows @ g >= 0``, ``fixed @ g == 0``.

    Parameters
    ----------
    rows
        (r, d).
    group, place
        Which of ``units`` each row belongs to, and its flat index there; (r,) of int.
    units
        The arrays of units.
    fixed
        Derivatives (k, d) of the predictors in which the likelihood is not a sum of concave functions of single units, as a
        dispersion; they are held.
    """

    rows: Array
    group: Array
    place: Array
    units: tuple[Unit, ...]
    fixed: Array


def recession_rows(predictors: Sequence[Predictor], gradients: Gradients) -> RecessionRows | None:
    """The rows of a likelihood in its linear predictors; None where it is no sum of concave functions of any of them.

    Parameters
    ----------
    predictors
        All arrays through which the likelihood depends on the parameters.
    gradients
        From values of all predictors, each (b, *shape), to the log-likelihood (b,) and its gradients by them.

    Notes
    -----
    Concavity, and that units do not influence each other, are checked at the points looked at: this does not see a
    likelihood that is not concave between them or under other values of what is held.

    Examples
    --------
    A Poisson likelihood with counts 0 and 2: the first allows to lower its predictor, the second no change.

    >>> y = np.array([0.0, 2.0])
    >>> def gradients(values):
    ...     eta = values[0]
    ...     return (y * eta - np.exp(eta)).sum(axis=-1), [y - np.exp(eta)]
    >>> recession_rows([Predictor(value=np.zeros(2), jacobian=np.eye(2))], gradients).rows.tolist()
    [[-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    """
    merged = _Merged.of(predictors, gradients)
    groups: list[_Group] = []
    for members in merged.together():
        for group in merged.groups(members):
            groups = _with(groups, group)
    if not groups:
        return None
    rows, owner, place = [], [], []
    for number, group in enumerate(groups):
        found = group.rays()
        if found is None:
            return None
        jacobian = group.jacobian()
        for at, rays in found:
            rows.append(np.einsum("km,umd->ukd", rays, jacobian[at]).reshape(-1, jacobian.shape[-1]))
            place.append(np.repeat(at, len(rays)))
            owner.append(np.full(len(at) * len(rays), number))
    used = {k for group in groups for k in group.members}
    fixed = [predictors[k].jacobian for k in range(len(predictors)) if merged.leader[k] not in used]
    size = predictors[0].jacobian.shape[1]
    order = np.lexsort((np.concatenate([*place, []]), np.concatenate([*owner, []])))
    return RecessionRows(
        rows=np.concatenate([*rows, np.zeros((0, size))])[order],
        group=np.concatenate([*owner, np.zeros(0, dtype=int)])[order].astype(int),
        place=np.concatenate([*place, np.zeros(0, dtype=int)])[order].astype(int),
        units=tuple(Unit(shape=g.shape, predictors=tuple(g.members)) for g in groups),
        fixed=np.unique(np.concatenate([*fixed, np.zeros((0, size))]), axis=0),
    )


def _with(groups: list["_Group"], new: "_Group") -> list["_Group"]:
    """Groups with one more; of two that influence each other the one with fewer units is left out, to be held."""
    for k, other in enumerate(groups):
        if other.depends_on(new) or new.depends_on(other):
            rest = groups[:k] + groups[k + 1 :]
            return _with(rest, new) if other.count < new.count else groups
    return [*groups, new]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Merged:
    """Predictors, of which those whose elements are multiples of another's follow it, as in ``y * eta - exp(eta)``.

    ``leader`` (q,) is the predictor that each follows, itself for most; ``factor`` the multiples.
    """

    predictors: Sequence[Predictor]
    gradients: Gradients
    leader: list[int]
    factor: list[Array]

    @classmethod
    def of(cls, predictors: Sequence[Predictor], gradients: Gradients) -> "_Merged":
        leader, factor = list(range(len(predictors))), [np.ones(np.shape(p.value)) for p in predictors]
        # What is broadcast leads, and what has fewer zeros: a count of 0 makes a multiple that tells nothing.
        zeros = [int(np.sum(~np.any(p.jacobian != 0, axis=1))) for p in predictors]
        order = sorted(range(len(predictors)), key=lambda k: (np.size(predictors[k].value), zeros[k]))
        for position, k in enumerate(order):
            for other in order[:position]:
                if leader[other] == other and _leads(predictors[other], predictors[k]):
                    multiple = _multiples(predictors[other], predictors[k])
                    if multiple is not None:
                        leader[k], factor[k] = other, multiple
                        break
        return cls(predictors=predictors, gradients=gradients, leader=leader, factor=factor)

    def together(self) -> list[list[int]]:
        """Leading predictors to be looked at, those of the same shape together whose elements influence each other."""
        everywhere = range(len(self.predictors))
        led = {k: [j for j in everywhere if self.leader[j] == k] for k in dict.fromkeys(self.leader)}
        alone = [k for k, followers in led.items() if all(self.predictors[j].candidate for j in followers)]
        if not alone:
            return []
        values = {k: np.asarray(self.predictors[k].value, dtype=float)[None] for k in alone}
        _, before = self.at(values)
        generator = np.random.default_rng(0)
        result: list[list[int]] = []
        for k in alone:
            moved = values[k] + _NUDGE * generator.normal(size=values[k].shape)
            _, after = self.at(values | {k: moved})
            acting = [
                members
                for members in result
                if any(self._shape(j) == self._shape(k) and not _alike(after[j], before[j]) for j in members)
            ]
            result = [m for m in result if m not in acting] + [[k, *(j for m in acting for j in m)]]
        return result

    def _shape(self, k: int) -> tuple[int, ...]:
        """The shape of a predictor but for axes of length 1, with which it is broadcast to others."""
        return _squeezed(self.predictors[k].value)

    def at(self, values: dict[int, Array]) -> tuple[Array, dict[int, Array]]:
        """The likelihood and its gradients with some leading predictors at values (b, *shape), the others at their own."""
        count = len(next(iter(values.values())))
        full = []
        for k, predictor in enumerate(self.predictors):
            value = np.broadcast_to(predictor.value, (count, *np.shape(predictor.value)))
            if self.leader[k] in values:
                first = self.predictors[self.leader[k]]
                change = values[self.leader[k]] - first.value
                value = value + self.factor[k] * _as_in(first, predictor, change)
            full.append(value)
        with np.errstate(all="ignore"):
            total, gradients = self.gradients(full)
            result = {k: np.zeros((count, *np.shape(self.predictors[k].value))) for k in values}
            for k, gradient in enumerate(gradients):
                if self.leader[k] in values:
                    led = result[self.leader[k]]
                    result[self.leader[k]] = led + _summed(self.factor[k] * gradient, led.shape)
        return total, result

    def groups(self, members: list[int]) -> list["_Group"]:
        """The units of some predictors of one shape: their elements, or else their rows along the last axis, or of each alone."""
        shape = self._shape(members[0])
        for kept, length in ((shape, 1), (shape[:-1], shape[-1] if shape else 1)):
            if length * len(members) <= _MOST_CATEGORIES:
                group = _Group.of(self, tuple(members), kept, (length,) * len(members))
                if group is not None:
                    return [group]
        return [group for k in members for group in self.groups([k])] if len(members) > 1 else []


@dataclass(frozen=True, kw_only=True, eq=False)
class _Group:
    """Units of a shape, each of elements of some predictors, with gradients (b, units, m) at points (b, m) of all units."""

    merged: _Merged
    members: tuple[int, ...]
    shape: tuple[int, ...]
    lengths: tuple[int, ...]
    points: Array
    found: Array

    @classmethod
    def of(
        cls, merged: _Merged, members: tuple[int, ...], shape: tuple[int, ...], lengths: tuple[int, ...]
    ) -> "_Group | None":
        """The group, or None where it is not one: the likelihood is no sum of bounded concave functions of its units."""
        points = _points(sum(lengths))
        empty = cls(merged=merged, members=members, shape=shape, lengths=lengths, points=points, found=points)
        total, found = empty.gradients(np.broadcast_to(points[:, None], (len(points), empty.count, points.shape[1])))
        defined = np.isfinite(total) & np.isfinite(found).all(axis=(1, 2))
        if defined.sum() < 4:
            return None
        group = cls(
            merged=merged,
            members=members,
            shape=shape,
            lengths=lengths,
            points=points[defined],
            found=found[defined],
        )
        return group if group._is_separable() and group._is_concave() and group._is_bounded() else None

    @property
    def count(self) -> int:
        """Number of units."""
        return int(np.prod(self.shape, dtype=int))

    def jacobian(self) -> Array:
        """Derivatives (units, m, d) of the elements of each unit."""
        parts = [self.merged.predictors[k].jacobian for k in self.members]
        return np.concatenate([p.reshape(self.count, n, -1) for p, n in zip(parts, self.lengths, strict=True)], axis=1)

    def gradients(self, local: Array, others: dict[int, Array] | None = None) -> tuple[Array, Array]:
        """The likelihood (b,) and its gradients (b, units, m) at values of that shape."""
        values, start = dict(others or {}), 0
        for k, n in zip(self.members, self.lengths, strict=True):
            shape = np.shape(self.merged.predictors[k].value)
            values[k] = local[..., start : start + n].reshape(len(local), *shape)
            start += n
        total, gradients = self.merged.at(values)
        parts = [
            gradients[k].reshape(len(local), self.count, n) for k, n in zip(self.members, self.lengths, strict=True)
        ]
        return total, np.concatenate(parts, axis=2)

    def depends_on(self, other: "_Group") -> bool:
        """Whether gradients here change with the other group's values."""
        near = self._near()
        mixed = other.mixed()[1][:1]
        start, values = 0, {}
        for k, n in zip(other.members, other.lengths, strict=True):
            shape = np.shape(other.merged.predictors[k].value)
            values[k] = np.repeat(mixed[..., start : start + n].reshape(1, *shape), len(near), axis=0)
            start += n
        local = np.broadcast_to(self.points[near][:, None], (len(near), self.count, self.points.shape[1]))
        _, changed = self.gradients(local, values)
        return not self._same(changed, self.found[near])

    def mixed(self) -> tuple[Array, Array]:
        """Which of the points near 0 each unit is at, (b, units), and their values (b, units, m)."""
        generator = np.random.default_rng(0)
        chosen = generator.choice(self._near(), size=(_MIXED_POINTS, self.count))
        return chosen, self.points[chosen]

    def rays(self) -> list[tuple[Array, Array]] | None:
        """Rays (k, m) of the cone of gradients, for each set of units (u,) that have the same; None where they are not found."""
        if self.points.shape[1] == 1:
            return self._signs()
        far = _is_saturated(self.points)
        order = np.argsort(-np.abs(self.points[far]).max(axis=1), kind="stable")
        # Where a gradient has all but vanished its direction is rounding.
        near = np.abs(self.found[np.abs(self.points).max(axis=1) <= 1.0]).max(axis=(0, 2), initial=0.0)
        found = np.where(np.abs(self.found).max(axis=2, keepdims=True) > _ELEMENT * near[:, None], self.found, 0.0)
        saturated = _directions(found[far][order])
        keys: dict[bytes, list[int]] = {}
        for unit in range(self.count):
            key = np.round(saturated[:, unit], 5) + 0.0
            keys.setdefault(key.tobytes(), []).append(unit)
        result = []
        for units in keys.values():
            rays = _distinct(saturated[:, units[0]])
            if not _spans(rays, found[:, units[0]]):
                return None
            result.append((np.array(units), rays))
        return result

    def _signs(self) -> list[tuple[Array, Array]]:
        values, slopes = self.points[:, 0], self.found[:, :, 0]
        # Slopes do not rise, so that the outermost tell all signs.
        least = _RISE_NEAR**2 * np.abs(slopes[np.abs(values) <= 1.0]).max(axis=0, initial=0.0)
        up, down = slopes[np.argmin(values)] > least, slopes[np.argmax(values)] < -least
        # Where no value on one side is defined the likelihood ends there (a mean that must be positive).
        up, down = up | (values.min() > -1.0), down | (values.max() < 1.0)
        kinds = ((up & ~down, [[1.0]]), (down & ~up, [[-1.0]]), (up & down, [[1.0], [-1.0]]))
        return [(np.flatnonzero(these), np.array(rays)) for these, rays in kinds if these.any()]

    def _near(self) -> Array:
        return np.flatnonzero(np.abs(self.points).max(axis=1) <= _NEAR[-1])

    def _same(self, first: Array, second: Array) -> bool:
        scale = np.abs(second).max(axis=(0, 2), keepdims=True)
        with np.errstate(invalid="ignore"):
            return bool(np.all(np.abs(first - second) <= _SAME * np.abs(second) + _RISE_NEAR * scale))

    def _is_separable(self) -> bool:
        if self.count == 1:
            return True
        if not len(self._near()):
            return False
        chosen, values = self.mixed()
        _, found = self.gradients(values)
        return self._same(found, self.found[chosen, np.arange(self.count)])

    def _is_concave(self) -> bool:
        points, found = self.points, self.found
        if points.shape[1] == 1:
            order = np.argsort(points[:, 0])
            pairs = np.stack([order[:-1], order[1:]], axis=1)
        else:
            pairs = np.random.default_rng(0).integers(len(points), size=(4 * len(points), 2))
        first, second = pairs.T
        step = points[second] - points[first]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step = step / np.where(length > 0, length, 1.0)
        before, after = (np.einsum("bum,bm->bu", found[k], step) for k in (first, second))
        near = np.abs(found[np.abs(points).max(axis=1) <= 1.0]).max(axis=(0, 2), initial=0.0)
        size = np.maximum(1.0, np.abs(points).max(axis=1))
        rounding = _ROUNDING * np.maximum(size[first], size[second])[:, None] + _RISE_NEAR
        return bool(np.all(after - before <= _RISE * (np.abs(before) + np.abs(after)) + rounding * near))

    def _is_bounded(self) -> bool:
        """Whether no gradient at a distant point points away from the origin: the recession function is nowhere positive."""
        if self.points.shape[1] == 1:
            ends = np.array([np.argmin(self.points[:, 0]), np.argmax(self.points[:, 0])])
        else:
            ends = np.flatnonzero(_is_saturated(self.points))
        size = np.maximum(1.0, np.abs(self.points[ends]).max(axis=1))[:, None]
        outward = np.einsum("bum,bm->bu", self.found[ends], self.points[ends] / size)
        near = np.abs(self.found[np.abs(self.points).max(axis=1) <= 1.0]).max(axis=(0, 2), initial=0.0)
        return bool(len(ends) and np.all(outward <= (_OUTWARD + _ROUNDING * size) * near))


def _squeezed(value: Array) -> tuple[int, ...]:
    return tuple(n for n in np.shape(value) if n > 1)


def _alike(first: Array, second: Array) -> bool:
    """Whether gradients (..., b) are the same up to rounding."""
    scale = np.abs(second).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(first - second) <= _SAME * _NUDGE * np.abs(second) + _RISE_NEAR * _NUDGE * scale))


def _leads(leader: Predictor, follower: Predictor) -> bool:
    """Whether the follower's elements can be the leader's times numbers: they are as many, or the leader is one number."""
    return np.size(leader.value) == 1 or _squeezed(leader.value) == _squeezed(follower.value)


def _as_in(leader: Predictor, follower: Predictor, values: Array) -> Array:
    """Values (b, *shape) of the leader in the shape of the follower, or broadcast with it."""
    shape = np.shape(follower.value)
    return values.reshape(len(values), *(shape if np.size(leader.value) > 1 else (1,) * len(shape)))


def _summed(gradient: Array, shape: tuple[int, ...]) -> Array:
    """A gradient (b, *shape of a follower) by its leader, whose ``shape`` has the batch's axis too."""
    if np.prod(shape[1:], dtype=int) == 1:
        return gradient.reshape(len(gradient), -1).sum(axis=1).reshape(shape)
    return gradient.reshape(shape)


def _multiples(leader: Predictor, follower: Predictor) -> Array | None:
    """Numbers c in the follower's shape such that its derivatives are c times the leader's; None where there are none."""
    first, second = leader.jacobian, follower.jacobian
    squares = (first**2).sum(axis=1)
    multiple = (second * first).sum(axis=1) / np.where(squares > 0, squares, 1.0)
    off = np.abs(second - multiple[:, None] * first).max(axis=1, initial=0.0)
    if np.any(off > _MULTIPLE * np.abs(second).max(axis=1, initial=0.0)):
        return None
    return multiple.reshape(np.shape(follower.value))


def _points(length: int) -> Array:
    """Values (b, m) of a unit of a length at which to look."""
    if length == 1:
        ways = np.concatenate([_NEAR[1:], _FAR])
        return np.concatenate([-ways[::-1], [0.0], ways])[:, None]
    generator = np.random.default_rng(0)
    normal = generator.normal(size=(_RANDOM_POINTS, length))
    ramps = np.arange(length) - np.arange(length)[:, None] * 1.0
    axes = np.eye(length)
    shapes = np.concatenate([axes, -axes, ramps, -ramps, normal, np.sort(normal, axis=1)])
    return np.concatenate([np.zeros((1, length)), *(scale * shapes for scale in _SCALES)])


def _is_saturated(points: Array) -> Array:
    """Which points (b, m) have elements, 0 among them, that are equal or far apart: exponentials between them are 0 or 1."""
    gaps = np.abs(np.diff(np.sort(np.append(points, np.zeros((len(points), 1)), axis=1), axis=1), axis=1))
    return np.all((gaps == 0.0) | (gaps >= _SATURATED), axis=1) & points.any(axis=1)


def _directions(found: Array) -> Array:
    """Gradients (b, u, m) as directions whose largest element is 1 or -1, in small whole ratios where they have such; or 0."""
    size = np.abs(found).max(axis=2, keepdims=True)
    unit = found / np.where(size > 0, size, 1.0)
    unit = np.where(np.abs(unit) < _ELEMENT, 0.0, unit)
    return unit


def _distinct(directions: Array) -> Array:
    """The directions that differ among some (b, m), the best known first."""
    kept: list[Array] = []
    for direction in directions:
        if direction.any() and all(np.abs(direction - other).max() > 10 * _ELEMENT for other in kept):
            kept.append(direction)
    if not kept:
        return np.zeros((0, directions.shape[1]))
    rays = simplest(np.array(kept), _ELEMENT)
    return _without_inner(rays / np.abs(rays).max(axis=1, keepdims=True))


def _without_inner(rays: Array) -> Array:
    """Rays (k, m) without those that are sums of positive multiples of the others."""
    kept = list(range(len(rays)))
    for k in range(len(rays)):
        others = [j for j in kept if j != k]
        if others and nnls(rays[others].T, rays[k])[1] < 10 * _ELEMENT:
            kept = others
    return rays[kept]


def _spans(rays: Array, found: Array) -> bool:
    """Whether gradients (b, m) are sums of positive multiples of the rays, up to rounding."""
    size = np.abs(found).max(axis=1)
    targets = found[size > 0] / size[size > 0, None]
    if not len(rays):
        return not len(targets)
    return all(nnls(rays.T, target)[1] < 100 * _ELEMENT for target in targets)
