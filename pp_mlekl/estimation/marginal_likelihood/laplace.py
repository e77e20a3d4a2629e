"""The Laplace approximation of a marginal likelihood, with exact gradient and Hessian, block by block of the latents."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pp_mlekl.estimation.marginal_likelihood.blocks import Blocks, blocks_of_terms, find_blocks
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.pymc_model.integrand_derivatives import IntegrandDerivatives
from pp_mlekl.typing import Array

_REMEMBERED = 500
_PROBES = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class LaplaceTerms:
    """Terms of the Laplace approximation at points z (b, d) whose latents are at their conditional mode.

    Parameters
    ----------
    value
        The approximate marginal log-likelihood, (b,).
    gradient, hessian
        By the parameters that are kept, (b, p) and (b, p, p).
    directions
        Derivatives of z by each parameter, with the latents at their modes, (b, p, d).
    """

    value: Array
    gradient: Array
    hessian: Array
    directions: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Integrand:
    """The integrand h(z) of a marginal likelihood, with z = (theta, u), as a sum over independent blocks of latents.

    Parameters
    ----------
    derivatives
        Derivatives of h, contracted with vectors.
    latent
        The latents' places in z, (m,).
    size
        The length d of z.
    """

    derivatives: IntegrandDerivatives
    latent: Array
    size: int

    @cached_property
    def _partition(self) -> tuple[Blocks, Array]:
        """The blocks of the latents, and the block of each term of h (-1 for none)."""
        generator = np.random.default_rng(0)
        functions = self.derivatives.functions
        points = functions.starts(8 * _PROBES, generator)
        # Perturbed: an entry of the Hessian may vanish at a prior draw or an initial point by coincidence.
        points = points + 0.1 * generator.normal(size=points.shape)
        usable = np.isfinite(self.derivatives.terms(points).sum(axis=1))
        points = points[usable][:_PROBES]
        if not len(points):
            points = functions.initial_point()[None]

        def products(vectors: Array) -> Array:
            embedded = self.embedded(vectors)
            return np.sum([np.abs(self.derivatives.contracted(z, embedded)[:, self.latent]) for z in points], axis=0)

        def terms(moves: Array) -> Array:
            return self.derivatives.terms(points[0] + self.embedded(moves))

        blocks = find_blocks(products, len(self.latent), generator)
        term_blocks = blocks_of_terms(terms, blocks, generator)
        if term_blocks is None:
            whole = Blocks(members=np.arange(len(self.latent))[None], size=len(self.latent))
            return whole, np.zeros(len(self.derivatives.weights), dtype=int)
        return blocks, term_blocks

    @property
    def blocks(self) -> Blocks:
        """The blocks of latents that are independent of each other given the parameters."""
        return self._partition[0]

    @property
    def owner(self) -> Array:
        """The block that each term of h depends on, (n,); -1 for none."""
        return self._partition[1]

    def block_values(self, z: Array) -> Array:
        """The part of h that each block sees, (b, g)."""
        return self.summed(self.derivatives.terms(z))

    def summed(self, terms: Array) -> Array:
        """Terms (b, n) summed over those of each block, (b, g)."""
        result = np.zeros((len(self.blocks.members), len(terms)))
        np.add.at(result, self.owner[self.owner >= 0], terms[:, self.owner >= 0].T)
        return result.T

    def embedded(self, latents: Array) -> Array:
        """Vectors of the latents (..., m) as vectors of z (..., d)."""
        result = np.zeros((*latents.shape[:-1], self.size))
        result[..., self.latent] = latents
        return result

    @cached_property
    def seeds(self) -> Array:
        """The blocks' seeds as vectors of z, (s, d)."""
        return self.embedded(self.blocks.seeds)

    def curvature(self, z: Array) -> Array:
        """The blocks of A = -h_uu, (b, g, s, s)."""
        return self.blocks.matrices(-self.derivatives.contracted(z[:, None], self.seeds)[..., self.latent])


@dataclass(kw_only=True, eq=False)
class ConditionalModes:
    """The modes of the latents given the parameters, block by block, by Newton's method from the nearest known mode."""

    integrand: Integrand
    kept: Array
    _theta: list[Array] = field(default_factory=list)
    _modes: list[Array] = field(default_factory=list)

    def __call__(self, z: Array) -> tuple[Array, Array]:
        """Points z (b, d) with the latents moved to their mode, and whether there is one, (b,)."""
        integrand, blocks = self.integrand, self.integrand.blocks
        z = self.nearby(z)
        count = len(blocks.members)
        objective = Objective(size=blocks.width, evaluate=_BlockProblems(integrand=integrand, base=z.copy()).evaluate)
        starts = blocks.parts(z[:, integrand.latent]).reshape(-1, blocks.width)
        ends = maximize(objective, starts, rows=np.arange(len(starts)), max_iterations=60)
        z[:, integrand.latent] = blocks.whole(ends.z.reshape(len(z), count, -1))
        found = ((ends.state == "stationary") & np.isfinite(ends.value)).reshape(len(z), count).all(axis=1)
        self._theta.extend(z[found][:, self.kept])
        self._modes.extend(z[found][:, integrand.latent])
        del self._theta[:-_REMEMBERED], self._modes[:-_REMEMBERED]
        return z, found

    def nearby(self, z: Array) -> Array:
        """Points z (b, d) with the latents at the mode of the nearest parameters for which it is known."""
        z = z.copy()
        if self._theta:
            distance = np.sum((z[:, None, self.kept] - np.array(self._theta)[None]) ** 2, axis=2)
            z[:, self.integrand.latent] = np.array(self._modes)[np.argmin(distance, axis=1)]
        return z


@dataclass(frozen=True, kw_only=True, eq=False)
class _BlockProblems:
    """The maximisations over each block at each of the points ``base`` (b, d), as b g problems of s unknowns."""

    integrand: Integrand
    base: Array

    def evaluate(self, order: int, u: Array, rows: Array) -> tuple[Array, ...]:
        """Value, gradient and Hessian of problems ``rows``; blocks of one point share an evaluation of h."""
        blocks, latent = self.integrand.blocks, self.integrand.latent
        point, block = np.divmod(rows, len(blocks.members))
        layer = _occurrence(rows)
        pairs, place = np.unique(np.stack([point, layer]), axis=1, return_inverse=True)
        z = self.base[pairs[0]]
        inside = blocks.inside[block]
        row = np.broadcast_to(place.ravel()[:, None], inside.shape)[inside]
        z[row, latent[blocks.members[block][inside]]] = u[inside]
        own = (place.ravel(), block)
        result = [self.integrand.block_values(z)[own]]
        if order:
            _, gradient = self.integrand.derivatives.value_gradient(z)
            result.append(blocks.parts(gradient[:, latent])[own])
        if order == 2:
            result.append(-self.integrand.curvature(z)[own])
        return tuple(result)


def _occurrence(rows: Array) -> Array:
    """How often each entry has occurred before: a problem may be tried at several points at once."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    first = np.searchsorted(ordered, ordered)
    result = np.empty(len(rows), dtype=int)
    result[order] = np.arange(len(rows)) - first
    return result


def laplace_value(integrand: Integrand, z: Array) -> Array:
    """h - log det(A / 2 pi) / 2 at points z (b, d) whose latents are at their mode; NaN where A is not positive."""
    return _laplace_value(integrand, z, integrand.curvature(z))


def _laplace_value(integrand: Integrand, z: Array, curvature: Array) -> Array:
    sign, half = np.linalg.slogdet(curvature)
    total = integrand.derivatives.terms(z).sum(axis=-1) - 0.5 * half.sum(axis=-1)
    return np.where((sign > 0).all(axis=-1), total, np.nan) + 0.5 * len(integrand.latent) * np.log(2 * np.pi)


def positive(curvature: Array) -> Array:
    """Matrices (..., s, s) with the identity in the place of those without a positive definite inverse, where there is no value.

    Scaled to unit diagonal, the smallest eigenvalue must exceed rounding.
    """
    identity = np.eye(curvature.shape[-1])
    diagonal = np.diagonal(curvature, axis1=-2, axis2=-1)
    usable = np.isfinite(curvature).all(axis=(-2, -1)) & (diagonal > 0).all(axis=-1)
    root = np.sqrt(np.where(usable[..., None], diagonal, 1.0))
    scaled = np.where(usable[..., None, None], curvature / root[..., None] / root[..., None, :], -identity)
    smallest = np.linalg.eigvalsh(scaled)[..., 0]
    return np.where((smallest > len(identity) * np.finfo(float).eps)[..., None, None], curvature, identity)


def laplace_gradient(integrand: Integrand, z: Array, kept: Array) -> tuple[Array, Array]:
    """The approximation (b,) and its gradient (b, p) alone, by third derivatives; see ``laplace_terms``."""
    start = _begin(integrand, z, kept)
    trace = integrand.derivatives.contracted(z[:, None], start.columns, integrand.seeds).sum(axis=1)
    return _laplace_value(integrand, z, start.curvature), _gradient(start, trace, kept)


def laplace_terms(integrand: Integrand, z: Array, kept: Array) -> LaplaceTerms:
    """The approximation and its derivatives by the coordinates ``kept`` (p,), the latents following at their mode.

    With A = -h_uu the mode moves by u' = A^-1 h_u,theta, so z by D_i = (e_i, u'_i). Write T = tr(A^-1 D^3h[.]), a sum
    over the columns of A^-1. Then l_i = h_i + T[D_i] / 2, and its own derivative along D_j is

        D^2h[D_i, D_j] + (D^4h[A^-1, D_i, D_j] + D^3h[(A^-1)', D_i] + T_u u''_ij) / 2

    with (A^-1)' = A^-1 D^3h_uu[D_j] A^-1 and u''_ij = A^-1 D^3h_u[D_i, D_j]: all exact, by contractions with vectors.
    """
    blocks, latent, contracted = integrand.blocks, integrand.latent, integrand.derivatives.contracted
    seeds, start = integrand.seeds, _begin(integrand, z, kept)
    inverse, columns, directions = start.inverse, start.columns, start.directions

    each, along = z[:, None, None], directions[:, :, None]
    # One call for both contractions: with the columns of A^-1 for the trace, with every D_i for (A^-1)'.
    both = contracted(each, np.concatenate([columns[:, None], np.repeat(along, len(seeds), axis=2)], axis=1), seeds)
    trace = both[:, 0].sum(axis=1)
    change = inverse[:, None] @ blocks.matrices(both[:, 1:, :, latent]) @ inverse[:, None]
    weight = integrand.embedded(blocks.product(inverse, trace[:, latent]))
    first = np.broadcast_to(seeds, (len(z), len(kept), *seeds.shape))
    second = integrand.embedded(blocks.columns(change))
    bend = np.broadcast_to(weight[:, None, None], along.shape)
    moved = contracted(each, np.concatenate([first, along], axis=2), np.concatenate([second, bend], axis=2))
    fourth = contracted(each, seeds, columns[:, None], along).sum(axis=2)
    rows = contracted(z[:, None], directions) + 0.5 * (fourth + moved.sum(axis=2))
    hessian = np.einsum("bjd,bid->bji", rows, directions)
    return LaplaceTerms(
        value=_laplace_value(integrand, z, start.curvature),
        gradient=_gradient(start, trace, kept),
        hessian=0.5 * (hessian + hessian.swapaxes(1, 2)),
        directions=directions,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Start:
    """What gradient and Hessian of the approximation begin with: A, its inverse, that one's columns, D_i and the slope of h."""

    curvature: Array
    inverse: Array
    columns: Array
    directions: Array
    slope: Array


def _begin(integrand: Integrand, z: Array, kept: Array) -> _Start:
    blocks, latent = integrand.blocks, integrand.latent
    curvature = integrand.curvature(z)
    inverse = np.linalg.inv(positive(curvature))
    directions = np.broadcast_to(np.eye(integrand.size)[kept], (len(z), len(kept), integrand.size))
    cross = integrand.derivatives.contracted(z[:, None], directions)[..., latent]
    return _Start(
        curvature=curvature,
        inverse=inverse,
        columns=integrand.embedded(blocks.columns(inverse)),
        directions=directions + integrand.embedded(blocks.product(inverse[:, None], cross)),
        slope=integrand.derivatives.value_gradient(z)[1],
    )


def _gradient(start: _Start, trace: Array, kept: Array) -> Array:
    gradient: Array = start.slope[:, kept] + 0.5 * np.einsum("bd,bid->bi", trace, start.directions)
    return gradient
