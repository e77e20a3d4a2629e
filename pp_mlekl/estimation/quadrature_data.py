"""The expected log-likelihood as a weighted log-likelihood of a few data sets made of the truth's nodes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.integration.quadrature_nodes import POINTS_A_PANEL, SAMPLE_SIZE, Nodes, expectation_nodes
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# Elements of the scores kept in memory at once.
_CHUNK = 1_000_000
# Maximum number of pointwise terms of a sample: a vector-valued truth with many rows gets fewer draws per row.
_SAMPLED_TERMS = 400_000


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeData:
    """Data sets and weights with ``sum_rows E[log q(Y)] = sum_k weights_k . pointwise(data_k)``.

    Parameters
    ----------
    data
        For each observed variable an array (k, *data shape).
    weights
        Shape (k, n_observations).
    row_of
        Which distinct row of the model a term belongs to, shape (k, n_observations): equal rows share their nodes.
    exact
        False where the nodes are a sample, whose error shrinks only with its size.
    """

    data: dict[str, Array]
    weights: Array
    row_of: Array
    exact: bool

    def expected_log_likelihood(self, functions: ModelFunctions, z: Array) -> Array:
        """Sum over rows of ``E[log q_z(Y)]`` for z of shape (*batch, d)."""
        return functions.value(z[..., None, :], weights=self.weights, data=self.data).sum(axis=-1)

    def gradient(self, functions: ModelFunctions, z: Array) -> tuple[Array, Array]:
        """The same with its gradient."""
        value, gradient = functions.value_gradient(z[..., None, :], weights=self.weights, data=self.data)
        return value.sum(axis=-1), gradient.sum(axis=-2)

    def hessian(self, functions: ModelFunctions, z: Array) -> tuple[Array, Array, Array]:
        """The same with gradient and Hessian."""
        value, gradient, hessian = functions.value_gradient_hessian(
            z[..., None, :], weights=self.weights, data=self.data
        )
        return value.sum(axis=-1), gradient.sum(axis=-2), hessian.sum(axis=-3)

    def scores(self, functions: ModelFunctions, z: Array, chosen: Array) -> Iterator[tuple[int, Array]]:
        """The chosen data sets, and the gradient of each of their pointwise terms at z (d,), (n_observations, d)."""
        step = max(1, _CHUNK // (functions.n_observations * functions.size))
        for start in range(0, len(chosen), step):
            part = chosen[start : start + step]
            yield from zip(
                part.tolist(),
                functions.scores(z, data={name: values[part] for name, values in self.data.items()}),
                strict=True,
            )


def node_data(
    functions: ModelFunctions, truth: Truth, generator: np.random.Generator, *, points: int = POINTS_A_PANEL
) -> NodeData:
    """Lay a truth's nodes out as data sets of the model.

    Parameters
    ----------
    functions
        The model's functions.
    truth
        What is true; held-out draws serve as they are.
    generator
        For truths that have to be sampled.
    points
        Number of points in each panel of a quadrature, as for ``expectation_nodes``.
    """
    if truth.draws:
        size = len(next(iter(truth.draws.values())))
        shape = (size, functions.n_observations)
        rows = np.broadcast_to(np.arange(functions.n_observations), shape)
        return NodeData(data=dict(truth.draws), weights=np.full(shape, 1 / size), row_of=rows, exact=False)
    size = int(np.clip(_SAMPLED_TERMS // functions.n_observations, 16, SAMPLE_SIZE))
    blocks = []
    if exchangeable(functions, truth, generator):
        (variable,) = functions.observed
        index = (0,) * len(variable.shape)
        nodes = expectation_nodes(
            truth.distributions[variable.name].select(index), generator, size * 8, points_a_panel=points
        )
        blocks.append(_packed(functions, nodes))
    else:
        for variable in functions.observed:
            sampled = truth.sampled.get(variable.name)
            if sampled is None:
                nodes = expectation_nodes(truth.distributions[variable.name], generator, size, points_a_panel=points)
            else:
                weights = np.full((size, *variable.shape), 1 / size)
                nodes = Nodes(points=sampled.data_sets(size, generator), weights=weights, method="sample")
            blocks.append(_spread(functions, variable.name, nodes))
    return NodeData(
        data={name: np.concatenate([b.data[name] for b in blocks]) for name in blocks[0].data},
        weights=np.concatenate([b.weights for b in blocks]),
        row_of=np.concatenate([b.row_of for b in blocks]),
        exact=all(b.exact for b in blocks),
    )


def exchangeable(functions: ModelFunctions, truth: Truth, generator: np.random.Generator) -> bool:
    """Whether all rows have the same distribution, in the model as in the truth.

    Tested numerically: at random parameters, equal data have equal log densities in every row.
    """
    if len(functions.observed) != 1 or functions.n_observations == 1:
        return False
    (variable,) = functions.observed
    if not variable.shape or variable.name in truth.sampled:
        return False
    rows = truth.distributions.get(variable.name)
    start = functions.initial_point()
    z = start + generator.normal(0, 0.3, size=(3, functions.size))
    event = variable.value.shape[len(variable.shape) :]
    first = variable.value.reshape(-1, *event)[:3]
    data = np.broadcast_to(first.reshape(-1, *[1] * len(variable.shape), *event), (len(first), *variable.value.shape))
    terms = functions.pointwise(z[:, None], data={variable.name: data})
    if not np.array_equal(terms, np.broadcast_to(terms[..., :1], terms.shape), equal_nan=True):
        return False
    return rows is None or _same_rows(rows, first)


def _same_rows(distribution: Distribution, values: Array) -> bool:
    ndim = len(distribution.batch_shape)
    event = values.shape[1:]
    terms = distribution.log_density(values.reshape(-1, *[1] * ndim, *event)).reshape(len(values), -1)
    return bool(np.array_equal(terms, np.broadcast_to(terms[:, :1], terms.shape), equal_nan=True))


def _packed(functions: ModelFunctions, nodes: Nodes) -> NodeData:
    """Nodes of one distribution side by side in the rows of as few data sets as they need."""
    (variable,) = functions.observed
    n = functions.n_observations
    k = -(-len(nodes.points) // n)
    spare = k * n - len(nodes.points)
    points = np.concatenate([nodes.points, np.repeat(nodes.points[:1], spare, axis=0)])
    weights = np.concatenate([nodes.weights * n, np.zeros(spare)])
    event = points.shape[1:]
    return NodeData(
        data={variable.name: points.reshape(k, *variable.shape, *event)},
        weights=weights.reshape(k, n),
        row_of=np.zeros((k, n), dtype=int),
        exact=nodes.method != "sample",
    )


def _spread(functions: ModelFunctions, name: str, nodes: Nodes) -> NodeData:
    """One data set a node; the other observed variables keep their data and have weight 0."""
    k = len(nodes.points)
    weights = np.zeros((k, functions.n_observations))
    data = {}
    for variable in functions.observed:
        if variable.name == name:
            weights[:, variable.pointwise] = nodes.weights.reshape(k, -1)
            data[name] = nodes.points
        else:
            data[variable.name] = np.broadcast_to(variable.value, (k, *variable.value.shape))
    rows = np.broadcast_to(np.arange(functions.n_observations), weights.shape)
    return NodeData(data=data, weights=weights, row_of=rows, exact=nodes.method != "sample")
