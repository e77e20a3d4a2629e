"""Data sets of any number of observations for a model of a given number of rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pp_mlekl.estimation.quadrature_data import NodeData, exchangeable, node_data
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.optimize.sparse_hessian import SparseEvaluation
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicates:
    """Data sets of ``size`` observations each, as weighted copies of the model's rows.

    Parameters
    ----------
    size
        Observations in each data set.
    count
        The number of data sets.
    data
        For each observed variable (count or 1, copies, *data shape).
    weights
        How often each term counts, (count or 1, copies, n_observations).
    """

    size: int
    count: int
    data: Mapping[str, Array]
    weights: Array

    def of(self, rows: Array) -> tuple[dict[str, Array], Array]:
        """Data and weights of some of the data sets."""
        picked = {n: v[rows] if len(v) > 1 else v for n, v in self.data.items()}
        return picked, self.weights[rows] if len(self.weights) > 1 else self.weights

    def part(self, rows: Array) -> "Replicates":
        """Some of the data sets, as replicates of their own."""
        data, weights = self.of(rows)
        return Replicates(size=self.size, count=len(rows), data=data, weights=weights)

    def evaluate(
        self, functions: ModelFunctions, order: int, z: Array, rows: Array, **coefficients: float
    ) -> tuple[Array, ...]:
        """Weighted objective of data sets ``rows`` (b,), each at its own ``z`` (b, d); with order 1 its gradient too."""
        methods: Any = (lambda *a, **k: (functions.value(*a, **k),), functions.value_gradient)
        return self._summed(functions, methods[order], z, rows, coefficients)

    def evaluator(
        self, functions: ModelFunctions, **coefficients: float
    ) -> Callable[[int, Array, Array], tuple[Array, ...]]:
        """The same as a function of order (up to 2), z and rows, whose Hessians use as few products as their sparsity allows."""

        def products(z: Array, probes: Array, rows: Array) -> tuple[Array, ...]:
            def method(points: Array, **given: Any) -> tuple[Array, ...]:
                return functions.value_gradient_products(points, probes, **given)

            return self._summed(functions, method, z, rows, coefficients)

        second = SparseEvaluation(functions.size, products)

        def evaluate(order: int, z: Array, rows: Array) -> tuple[Array, ...]:
            return second(z, rows) if order == 2 else self.evaluate(functions, order, z, rows, **coefficients)

        return evaluate

    def _summed(
        self, functions: ModelFunctions, method: Any, z: Array, rows: Array, coefficients: Mapping[str, float]
    ) -> tuple[Array, ...]:
        """What a method of the functions gives, over all copies of the rows, and the prior's part once."""
        data, weights = self.of(rows)
        parts = tuple(np.sum(part, axis=1) for part in method(z[:, None], weights=weights, data=data))
        if not any(coefficients.values()):
            return parts
        prior = method(z, weights=np.zeros(functions.n_observations), **coefficients)
        return tuple(s + p for s, p in zip(parts, prior, strict=True))

    def mean_log_likelihood(self, functions: ModelFunctions, z: Array) -> Array:
        """Log-likelihood per observation of every data set at each of ``z`` (k, d): shape (k, count)."""
        values = functions.value(z[:, None, None], weights=self.weights, data=dict(self.data))
        return np.broadcast_to(values.sum(axis=-1), (len(z), self.count)) / self.size


def rows_drawn(rows: int, size: int, count: int, generator: np.random.Generator) -> Array:
    """Weights (count, copies, rows) of ``size`` rows drawn with replacement: as many copies of each as it was drawn."""
    times = generator.multinomial(size, np.full(rows, 1 / rows), size=count)
    return (np.arange(times.max())[:, None] < times[:, None]).astype(float)


class Simulator:
    """Draws replicates of any size from a truth, for the rows of a model.

    More observations than the model has rows are taken by going through the rows again; the remainder are rows
    chosen at random. Data of discrete variables are counted, so that a large data set costs no more than a small one.

    Parameters
    ----------
    functions
        The model's functions.
    truth
        What is true.
    generator
        For the nodes of a truth that has to be sampled.
    one_by_one
        Whether data of discrete variables are drawn row by row as well, as a parametric bootstrap needs them.
    resample_rows
        Whether the rows (covariates) of each data set are drawn from those of the model with replacement.
    """

    def __init__(
        self,
        functions: ModelFunctions,
        truth: Truth,
        generator: np.random.Generator,
        *,
        one_by_one: bool = False,
        resample_rows: bool = False,
    ):
        if truth.kind == "draws":
            raise ValueError("Held-out draws cannot be simulated from; give the truth as parameters or distributions.")
        self._functions = functions
        self._truth = truth
        self._resample_rows = resample_rows
        self.same_rows = exchangeable(functions, truth, generator)
        counted = all(p.discrete and p.event_ndim == 0 for p in truth.distributions.values())
        discrete = counted and not truth.sampled and not one_by_one
        self._nodes: NodeData | None = node_data(functions, truth, generator) if discrete else None

    def draw(self, size: int, count: int, generator: np.random.Generator) -> Replicates:
        """``count`` independent data sets of ``size`` observations."""
        if self._nodes is not None and self._nodes.weights.size <= max(size, self._functions.n_observations):
            return self._counted(self._nodes, size, count, generator)
        return self._drawn(size, count, generator)

    def _drawn(self, size: int, count: int, generator: np.random.Generator) -> Replicates:
        copies = -(-size // self._functions.n_observations)
        weights = None
        if self._resample_rows and not self.same_rows:
            weights = self._uses(size, count, generator)
            copies = weights.shape[1]
        drawn = self._truth.sample(count * copies, generator)
        data = {name: values.reshape(count, copies, *values.shape[1:]) for name, values in drawn.items()}
        weights = self._uses(size, count, generator) if weights is None else weights
        return Replicates(size=size, count=count, data=data, weights=weights)

    def _uses(self, size: int, count: int, generator: np.random.Generator) -> Array:
        """Which rows of which copy are used: whole copies and some rows of the last, or as many of each row as were drawn."""
        rows = self._functions.n_observations
        if self._resample_rows and not self.same_rows:
            return rows_drawn(rows, size, count, generator)
        copies, rest = -(-size // rows), size % rows
        if not rest:
            return np.ones((1, copies, rows))
        many = 1 if self.same_rows else count
        weights = np.ones((many, copies, rows))
        last = np.broadcast_to(np.arange(rows) < rest, (many, rows))
        weights[:, -1] = last if self.same_rows else generator.permuted(last, axis=1)
        return weights

    def _counted(self, nodes: NodeData, size: int, count: int, generator: np.random.Generator) -> Replicates:
        if self.same_rows:
            flat = nodes.weights.ravel()
            weights = generator.multinomial(size, flat / flat.sum(), size=count).reshape(count, *nodes.weights.shape)
        else:
            uses = self._uses(size, count, generator).sum(axis=1).astype(int)
            # Each row's nodes are its own block of terms; a row's copies fall on them at random.
            share = nodes.weights / nodes.weights.sum(axis=0)
            weights = np.moveaxis(generator.multinomial(np.broadcast_to(uses, (count, share.shape[1])), share.T), -1, 1)
        data = {name: values[None] for name, values in nodes.data.items()}
        return Replicates(size=size, count=count, data=data, weights=weights.astype(float))
