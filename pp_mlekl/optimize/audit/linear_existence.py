"""Existence of a maximum likelihood estimate with linear predictors, decided by linear programmes.

A log-likelihood that is a sum of concave functions of linear predictors changes along a direction g as a sum of recession
functions (Rockafellar 1970, sections 8 and 9). Each term allows the directions that do not lower it without end: those with
``rows @ g >= 0`` for the rows that belong to it. A logistic term with response 1 and covariates x has the row x, one with
response 0 the row -x, a Poisson term with a positive count both.

The maximum exists, and is unique, if and only if no direction but 0 meets all inequalities; it exists but is not unique if
all that do meet them as equalities; it does not exist if one of them is strict somewhere (Albert and Anderson 1984 for
logistic and multinomial models, Haberman 1974 for Poisson ones, Geyer 2009 for exponential families, Correia, Guimaraes
and Zylkin 2019 for generalised linear models).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import OptimizeResult, linprog
from scipy.special import expit

from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True)
class LinearTolerances:
    """Which numbers of a linear programme are rounding errors.

    Parameters
    ----------
    rank
        Singular values below this share of the largest, times the larger dimension, are 0.
    certificate
        What an inequality may be violated by, relative to the sum of the absolute products; HiGHS itself allows 1e-7.
    margin
        What a strict inequality must exceed after rounding is removed, where the programme gave it 1.
    multiplier
        The least positive number that Newton's method may give a row, where the largest is about 1.
    vanishing
        What Newton's method must have brought a gradient below, from 1, for a row to be tried as a separated one.
    newton_steps
        Steps of Newton's method after which the linear programme is asked.
    """

    rank: float = 1e-13
    certificate: float = 1e-9
    margin: float = 0.5
    multiplier: float = 1e-6
    vanishing: float = 1e-3
    newton_steps: int = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearExistence:
    """Whether a maximum exists and is unique, and what of the parameters has a limit where it does not exist.

    Parameters
    ----------
    exists
        Whether the supremum is attained.
    separated
        Which rows (r,) of bool become infinite on the way to the supremum.
    direction
        A direction of recession (p,) along which all separated rows increase, by 1 at least, and no other row changes
        (Geyer's generic direction of recession); 0 where the maximum exists. Of all such directions it has the least sum of
        absolute scaled coordinates.
    null
        Directions (k, p) along which no row changes: the likelihood is constant.
    undetermined
        Directions (m, p) along which no row changes that is not separated: what the data left over do not determine.
    signs
        The sign of each parameter's limit (p,): 0 where it has a finite limit, -1 or 1 where it tends to minus or plus
        infinity on every way to the supremum, NaN where it is not determined.
    multipliers
        Certificate (r,) that no other row can be separated (Stiemke's lemma): ``multipliers @ rows`` is 0, with 0 for
        separated rows and positive numbers for all others that are neither 0 nor equalities.
    """

    exists: bool
    separated: Array
    direction: Array
    null: Array
    undetermined: Array
    signs: Array
    multipliers: Array

    @property
    def identified(self) -> bool:
        """Whether the likelihood is constant along no direction."""
        return not len(self.null)


class UndecidedError(ArithmeticError):
    """A certificate did not hold after rounding: the rows are too near to being separable for double precision."""


def linear_existence(
    rows: Array, equal: Array | None = None, tolerances: LinearTolerances | None = None
) -> LinearExistence:
    """Decide by linear programmes whether a maximum exists that allows the directions g with ``rows @ g >= 0``.

    Parameters
    ----------
    rows
        Coefficients of the parameters, (r, p).
    equal
        Which rows (r,) of bool must be 0 instead; none by default.
    tolerances
        What is rounding.

    Raises
    ------
    UndecidedError
        Where double precision does not decide.

    Notes
    -----
    The first programme maximises the sum of slacks t between 0 and 1 with ``rows @ g >= t``. Directions of recession can be
    added and scaled, so at its solution t is 1 in each row that can be separated at all, and 0 in the others. Columns and
    rows are scaled by powers of 2, which is exact.

    Examples
    --------
    Logistic regression where a covariate separates the responses but for one tie: the tied rows are not separated.

    >>> x, y = np.array([1.0, 2.0, 3.0, 3.0, 4.0]), np.array([0, 0, 0, 1, 1])
    >>> rows = np.where(y == 1, 1.0, -1.0)[:, None] * np.stack([np.ones(5), x], axis=1)
    >>> found = linear_existence(rows)
    >>> found.exists, found.separated.tolist(), found.signs.tolist()
    (False, [True, True, False, False, True], [-1.0, 1.0])
    """
    rows = np.asarray(rows, dtype=float)
    equal = np.zeros(len(rows), dtype=bool) if equal is None else np.asarray(equal, dtype=bool)
    columns = _powers_of_two(np.abs(rows).max(axis=0, initial=0.0))
    scaled = rows / columns
    heights = _powers_of_two(np.abs(scaled).max(axis=1, initial=0.0))
    scaled /= heights[:, None]
    cone = _Cone(rows=scaled, equal=equal, tolerances=tolerances or LinearTolerances())
    separated, multipliers = cone.separated()
    undetermined = cone.unmoved(~separated)
    direction = cone.direction(separated, undetermined)
    return LinearExistence(
        exists=not separated.any(),
        separated=separated,
        direction=direction / columns,
        null=cone.unmoved(np.ones(len(rows), dtype=bool)) / columns if separated.any() else undetermined / columns,
        undetermined=undetermined / columns,
        signs=cone.signs(separated, undetermined, direction),
        multipliers=multipliers / heights,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cone:
    """The directions g with ``rows @ g >= 0``, and equal to 0 in the rows ``equal``; rows and columns are scaled."""

    rows: Array
    equal: Array
    tolerances: LinearTolerances

    def separated(self) -> tuple[Array, Array]:
        """Which rows are positive for some direction of the cone, and the multipliers that prove it of no other."""
        nonzero = np.any(self.rows != 0, axis=1)
        free, fixed = nonzero & ~self.equal, nonzero & self.equal
        separated, multipliers = np.zeros(len(self.rows), dtype=bool), np.zeros(len(self.rows))
        if not free.any():
            return separated, multipliers
        # What Newton's method makes of the rows is proved or refused; the programme over all rows takes longer.
        for guess in (separated, self._vanishing(free, fixed)):
            positive = self._positive_multipliers(free & ~guess, fixed)
            if positive is not None and self._can_be_separated(guess):
                multipliers[free & ~guess], multipliers[fixed] = positive
                return guess, multipliers
        # Rows that are equal, as those of repeated observations, are one constraint.
        upper, place, repeats = np.unique(self.rows[free], axis=0, return_inverse=True, return_counts=True)
        level = self.rows[fixed]
        count, size = upper.shape
        slack = sparse.eye_array(count)
        found = _solve(
            np.concatenate([np.zeros(size), -np.ones(count)]),
            A_ub=sparse.hstack([sparse.csr_array(-upper), slack], format="csr"),
            b_ub=np.zeros(count),
            A_eq=sparse.hstack([sparse.csr_array(level), sparse.csr_array((len(level), count))], format="csr"),
            b_eq=np.zeros(len(level)),
            bounds=[(None, None)] * size + [(0, 1)] * count,
        )
        gained = found.x[size:] > self.tolerances.margin
        separated[free] = gained[place.ravel()]
        multipliers[free] = np.where(gained, 0.0, -found.ineqlin.marginals / repeats)[place.ravel()]
        multipliers[fixed] = found.eqlin.marginals
        return separated, multipliers

    def _positive_multipliers(self, free: Array, fixed: Array) -> tuple[Array, Array] | None:
        """Multipliers that prove that no row can be separated, of the rows ``free`` and ``fixed``; None where none are found.

        The gradient of a logistic likelihood whose rows these are is a sum of the rows times numbers between 0 and 1; where
        that likelihood has a maximum, as Newton's method finds in a few steps, the numbers are the multipliers.
        """
        both = np.concatenate([self.rows[free], self.rows[fixed], -self.rows[fixed]])
        count = int(free.sum())
        inverse = np.linalg.pinv(both.T @ both, hermitian=True)
        for multipliers in _logistic_shares(both, self.tolerances.newton_steps):
            # What rounding and the last step have left is projected out.
            for _ in range(2):
                multipliers = multipliers - both @ (inverse @ (both.T @ multipliers))
            least = multipliers[:count].min(initial=np.inf)
            left = np.abs(both.T @ multipliers).max(initial=0.0)
            if least > self.tolerances.multiplier and left <= self.tolerances.certificate * min(least, 1.0):
                first, second = np.split(multipliers[count:], 2)
                return multipliers[:count], first - second
        return None

    def _vanishing(self, free: Array, fixed: Array) -> Array:
        """The rows whose gradient vanishes as Newton's method goes on: those that may be separated."""
        both = np.concatenate([self.rows[free], self.rows[fixed], -self.rows[fixed]])
        *_, shares = _logistic_shares(both, self.tolerances.newton_steps)
        result = np.zeros(len(self.rows), dtype=bool)
        result[free] = shares[: int(free.sum())] < self.tolerances.vanishing
        return result

    def _can_be_separated(self, rows: Array) -> bool:
        try:
            self.direction(rows, self.unmoved(~rows))
        except UndecidedError:
            return False
        return True

    def unmoved(self, chosen: Array) -> Array:
        """An orthonormal basis (k, p) of the directions that none of the chosen rows changes along."""
        size = self.rows.shape[1]
        part = self.rows[chosen & np.any(self.rows != 0, axis=1)]
        if not len(part):
            return np.eye(size)
        most = max(part.shape)
        if len(part) > size:
            part = np.linalg.qr(part, mode="r")
        _, values, vectors = np.linalg.svd(part)
        least = values[0] * most * self.tolerances.rank
        return vectors[int(np.sum(values > least)) :]

    def direction(self, separated: Array, basis: Array) -> Array:
        """The direction with the least sum of absolute values along which all separated rows gain 1, and no other changes."""
        size = self.rows.shape[1]
        if not separated.any():
            return np.zeros(size)
        # g = plus - minus, both positive; what is unmoved is spanned by the basis, so that no other row is violated.
        others = np.linalg.qr(basis.T, mode="complete")[0][:, len(basis) :].T
        gains = self.rows[separated]
        found = _solve(
            np.ones(2 * size),
            A_ub=np.hstack([-gains, gains]),
            b_ub=-np.ones(len(gains)),
            A_eq=np.hstack([others, -others]) if len(others) else None,
            b_eq=np.zeros(len(others)) if len(others) else None,
            bounds=(0, None),
        )
        direction = found.x[:size] - found.x[size:]
        direction[np.abs(direction) < self.tolerances.certificate * np.abs(direction).max()] = 0.0
        rest = self.rows[~separated]
        scale = np.abs(rest) @ np.abs(direction)
        if np.any(gains @ direction < self.tolerances.margin) or np.any(
            np.abs(rest @ direction) > self.tolerances.certificate * scale
        ):
            raise UndecidedError("A direction of recession must hold after rounding.")
        return direction

    def signs(self, separated: Array, basis: Array, direction: Array) -> Array:
        """Where each parameter tends to on all ways to the supremum: -1, 0, 1, or NaN where they differ.

        Along such a way every separated row grows beyond all bounds and no other changes. Which parameters can go against
        the generic direction is asked of all that are left at a time, until none can.
        """
        moved = np.abs(basis).max(axis=0, initial=0.0) > self.tolerances.certificate
        result = np.where(moved, np.nan, 0.0)
        left = np.flatnonzero(moved & (direction != 0.0))
        gains = self.rows[separated] @ basis.T
        while len(left):
            against = -np.sign(direction[left])[:, None] * basis[:, left].T
            count, size = against.shape
            found = _solve(
                np.concatenate([np.zeros(size), -np.ones(count)]),
                A_ub=np.block([[-gains, np.zeros((len(gains), count))], [-against, np.eye(count)]]),
                b_ub=np.zeros(len(gains) + count),
                bounds=[(None, None)] * size + [(0, 1)] * count,
            )
            turned = found.x[size:] > self.tolerances.margin
            if not turned.any():
                result[left] = np.sign(direction[left])
                break
            left = left[~turned]
        return result


def _logistic_shares(rows: Array, steps: int) -> Iterator[Array]:
    """The gradient of a logistic likelihood with these rows (n, p) by its predictors, after each step of Newton's method."""
    place = np.zeros(rows.shape[1])
    yield expit(-rows @ place)
    for _ in range(steps):
        shares = expit(-rows @ place)
        half = rows * np.sqrt(shares * (1.0 - shares))[:, None]
        place = place + np.linalg.pinv(half.T @ half, hermitian=True) @ (rows.T @ shares)
        yield expit(-rows @ place)


def _solve(objective: Array, **constraints: Any) -> OptimizeResult:
    found = linprog(objective, method="highs", **constraints)
    if found.status != 0:
        raise UndecidedError(f"The linear programme must have a solution; the solver reports: {found.message}")
    return found


def _powers_of_two(sizes: Array) -> Array:
    return np.where(sizes > 0, np.exp2(np.round(np.log2(np.where(sizes > 0, sizes, 1.0)))), 1.0)
