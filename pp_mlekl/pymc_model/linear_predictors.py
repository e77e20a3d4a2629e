"""Linear predictors of a model's likelihood, found from its graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import ArrayLike
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.distribution import SymbolicRandomVariable
from pymc.distributions.transforms import Ordered
from pytensor.gradient import grad, pushforward
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import toposort
from pytensor.scalar.basic import Add, Second
from pytensor.tensor.elemwise import CAReduce, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.shape import Shape, Shape_i
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.optimize.audit.recession_rows import Predictor, RecessionRows, recession_rows
from pp_mlekl.pymc_model.interpreter.batched_function import BatchedFunction
from pp_mlekl.pymc_model.interpreter.lazy_function import without_c
from pp_mlekl.pymc_model.log_density_graphs import ModelGraphs, build_graphs
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.weighted_objective import Data, WeightedObjective
from pp_mlekl.typing import Array

# Largest deviation from a linear function, relative to the predictor's size, that counts as rounding.
_LINEAR = 1e-9


def linear_predictors(functions: ModelFunctions) -> "LinearPredictors | None":
    """The linear predictors of a likelihood in which observations may be separated; None where it has none.

    The result is cached with the functions.
    """
    free = any(v.transform_name is None or _is_ordered(functions, v.name) for v in functions.free)
    if not free or not _has_bounded_outcomes(functions):
        return None
    with without_c():
        return functions.kept("linear predictors", lambda: LinearPredictors.of(functions))


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearPredictors:
    """The likelihood as a function of arrays that are linear in x.

    The vector x has the layout of the unconstrained vector z. It equals z, except that ordered variables have their natural
    values in x. Their ordering is then a linear inequality.

    Parameters
    ----------
    functions
        The model.
    graphs
        Its graphs in x.
    pointwise
        Its log-likelihood terms, as functions of the predictors.
    ordered
        Slices of x in increasing order along their last axis, and their shapes.
    """

    functions: ModelFunctions
    graphs: ModelGraphs
    ordered: tuple[tuple[slice, tuple[int, ...]], ...]
    pointwise: dict[str, TensorVariable]
    _variables: tuple[TensorVariable, ...]

    @classmethod
    def of(cls, functions: ModelFunctions) -> "LinearPredictors | None":
        """Search the graph of the pointwise log-likelihood for linear predictors; None where there are none."""
        names = [v.name for v in functions.free if _is_ordered(functions, v.name)]
        graphs = functions.graphs
        if names:
            graphs = build_graphs(functions.values.without_transforms(names), functions.potentials)
        terms, found = affine_variables(list(graphs.pointwise.values()), graphs.z)
        if not found:
            return None
        ordered = tuple((v.flat, v.shape) for v in functions.free if v.name in names)
        return cls(
            functions=functions,
            graphs=graphs,
            ordered=ordered,
            pointwise=dict(zip(graphs.pointwise, terms, strict=True)),
            _variables=tuple(found),
        )

    def objective(self) -> WeightedObjective:
        """The weighted log-likelihood as a function of x."""
        if not self.ordered:
            return self.functions.objective
        return self.functions.kept(
            "objective of linear predictors",
            lambda: WeightedObjective(self.graphs, self.functions.n_observations, self.functions.observed_data),
        )

    def to_x(self, z: Array) -> Array:
        """From the unconstrained vector z (..., d) to x."""
        x = np.array(z, dtype=float)
        natural = self.functions.natural(z)
        for v in self.functions.free:
            if any(v.flat == place for place, _ in self.ordered):
                x[..., v.flat] = natural[v.name].reshape((*z.shape[:-1], -1))
        return x

    def to_z(self, x: Array) -> Array:
        """From x (..., d) to the unconstrained vector z."""
        z = np.array(x, dtype=float)
        for place, shape in self.ordered:
            values = x[..., place].reshape(*x.shape[:-1], *shape)
            with np.errstate(invalid="ignore", divide="ignore"):
                logs = np.log(np.diff(values, axis=-1))
            z[..., place] = np.concatenate([values[..., :1], logs], axis=-1).reshape(*x.shape[:-1], -1)
        return z

    def slope(self, x: Array) -> Array:
        """The derivatives of z by x (d,), (d, d)."""
        result = np.eye(len(x))
        for place, shape in self.ordered:
            index = np.arange(place.start, place.stop).reshape(shape)
            gaps = np.diff(x[place].reshape(shape), axis=-1).ravel()
            before, after = index[..., :-1].ravel(), index[..., 1:].ravel()
            result[after, after], result[after, before] = 1.0 / gaps, -1.0 / gaps
        return result

    def natural_places(self) -> dict[int, int]:
        """For each coordinate of x that is a natural value, its place in the flat natural vector."""
        return {
            v.flat.start + k: v.natural.start + k
            for v in self.functions.free
            if not self.held[v.flat].any()
            for k in range(v.flat.stop - v.flat.start)
        }

    def order_rows(self) -> Array:
        """Rows (k, d) whose products with a direction of x must be non-negative, so that ordered variables stay ordered."""
        size = self.functions.size
        rows = [np.zeros((0, size))]
        for place, shape in self.ordered:
            index = np.arange(place.start, place.stop).reshape(shape)
            rows.append(np.eye(size)[index[..., 1:].ravel()] - np.eye(size)[index[..., :-1].ravel()])
        return np.concatenate(rows)

    @cached_property
    def held(self) -> Array:
        """Which coordinates no direction may change, shape (d,) of bool: those of variables with a bounded range."""
        result = np.zeros(self.functions.size, dtype=bool)
        for v in self.functions.free:
            result[v.flat] = v.transform_name is not None
        for place, _ in self.ordered:
            result[place] = False
        return result

    @without_c()
    def rows(self, x: Array, weights: ArrayLike | None, data: Data) -> RecessionRows | None:
        """The recession rows of the likelihood of the data, with all other coordinates at their values in x.

        None where the likelihood has none, or where a row involves a held coordinate.

        Parameters
        ----------
        x
            A point (d,) with a positive likelihood.
        weights, data
            As for the weighted objective.
        """
        arrays = self._data_arrays(data)
        values = self._values(x, *arrays)
        size = self.functions.size
        jacobians = [j.reshape(size, -1).T for j in self._slopes(np.eye(size), x, *arrays)]
        # A distant point reveals rounding, and steps, whose derivative is 0.
        far = x + np.random.default_rng(0).normal(size=size)
        for value, there, jacobian in zip(values, self._values(far, *arrays), jacobians, strict=True):
            change = jacobian @ (far - x)
            if not np.all(
                np.abs(there.ravel() - value.ravel() - change) <= _LINEAR * (1.0 + np.abs(jacobian) @ np.abs(far))
            ):
                return None
        w = np.ones(self.functions.n_observations) if weights is None else np.asarray(weights, dtype=float)

        def gradients(at: Sequence[Array]) -> tuple[Array, Sequence[Array]]:
            total, *slopes = self._gradients(tuple(v.shape for v in values))(*at, w, x, *arrays)
            return total, slopes

        predictors = [
            Predictor(value=value, jacobian=jacobian, candidate=not np.any(jacobian[:, self.held]))
            for value, jacobian in zip(values, jacobians, strict=True)
        ]
        found = recession_rows(predictors, gradients)
        if found is None or np.any(found.rows.any(axis=0) & found.fixed.any(axis=0)):
            return None
        return found

    def terms(self, shape: tuple[int, ...], members: Sequence[int]) -> Array | None:
        """The element, of an array of this shape, that each log-likelihood term depends on: (n,) of int, -1 for none.

        None where a term depends on several elements.
        """
        result = np.full(self.functions.n_observations, -1)
        for observed in self.functions.observed:
            graph = self.pointwise[observed.name]
            if not _depends([graph], [self._variables[k] for k in members]):
                continue
            target = observed.shape
            index = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
            if index.size == int(np.prod(target, dtype=int)):
                result[observed.pointwise] = index.ravel()
                continue
            try:
                result[observed.pointwise] = np.broadcast_to(index, target).ravel()
            except ValueError:
                return None
        return result

    def _data_arrays(self, data: Data) -> list[Array]:
        current = self.functions.observed_data() | dict(data or {})
        return [np.asarray(current[name]) for name in self.graphs.data]

    @cached_property
    def _values(self) -> BatchedFunction:
        return BatchedFunction([self.graphs.z, *self.graphs.data.values()], list(self._variables))

    @cached_property
    def _slopes(self) -> BatchedFunction:
        direction = pt.dvector("direction")
        # One at a time: PyTensor loses the slope of an output that contains another.
        slopes: list[Any] = [pushforward(v, self.graphs.z, direction) for v in self._variables]
        return BatchedFunction([direction, self.graphs.z, *self.graphs.data.values()], slopes)

    def _gradients(self, shapes: tuple[tuple[int, ...], ...]) -> BatchedFunction:
        """The weighted log-likelihood and its gradients with respect to the predictors, as functions of the predictors."""
        return self.functions.kept(("gradients by linear predictors", shapes), lambda: self._by_predictors(shapes))

    def _by_predictors(self, shapes: tuple[tuple[int, ...], ...]) -> BatchedFunction:
        fresh = [TensorType("float64", shape=shape)("predictor") for shape in shapes]
        weights = pt.dvector("weights")
        replaced = clone_replace(
            list(self.pointwise.values()),
            replace=dict(zip(self._variables, fresh, strict=True)),
            rebuild_strict=False,
        )
        terms = pt.concatenate([pt.flatten(term) for term in replaced])
        total = pt.sum(pt.switch(pt.eq(weights, 0.0), 0.0, weights * terms))
        slopes = grad(total, fresh, disconnected_inputs="ignore")
        inputs = [*fresh, weights, self.graphs.z, *self.graphs.data.values()]
        largest = max(int(np.prod(s, dtype=int)) for s in shapes)
        return BatchedFunction(inputs, [total, *slopes], largest)


def affine_variables(
    outputs: Sequence[TensorVariable], z: TensorVariable
) -> tuple[list[TensorVariable], list[TensorVariable]]:
    """The outputs, and the last affine variables of their graph.

    A variable is affine if it is an affine function of z, and a last one if a variable that is not affine is computed from it.
    An operation is linear in its inputs if its derivative along a direction does not contain them. Where an output is a
    single number, its sum over all terms does not count as affine, since the terms themselves are sought.

    Parameters
    ----------
    outputs
        The graphs. The returned graphs group the affine terms of each sum, so that their sum is one variable.
    z
        The vector of which they are functions.
    """
    whole = any(out.type.ndim == 0 for out in outputs)
    affine = _affine(outputs, z, whole)
    split = {}
    for node in toposort(outputs):
        inside = [i for i in node.inputs if affine.get(i)]
        if _adds(node) and len(inside) > 1 and affine.get(node.outputs[0]) is False:
            others = [i for i in node.inputs if not affine.get(i)]
            split[node.outputs[0]] = pt.add(pt.add(*inside), *others)
    if split:
        outputs = clone_replace(list(outputs), replace=split, rebuild_strict=False)
        affine = _affine(outputs, z, whole)
    found: dict[Variable, None] = {}
    for node in toposort(outputs):
        if affine.get(node.outputs[0]) is False:
            found.update((i, None) for i in node.inputs if affine.get(i))
    found.update((out, None) for out in outputs if affine.get(out))
    return list(outputs), list(found)


def _affine(outputs: Sequence[TensorVariable], z: TensorVariable, whole: bool) -> dict[Variable, bool]:
    """Whether each variable that depends on z is affine in it."""
    result: dict[Variable, bool] = {z: True}
    for node in toposort(outputs):
        inside = [i for i in dict.fromkeys(node.inputs) if i in result]
        if not inside or isinstance(node.op, Shape | Shape_i):
            continue
        linear = all(result[i] for i in inside) and not (whole and _sums_all(node)) and _is_linear(node, inside)
        result.update((out, linear) for out in node.outputs)
    return result


def _adds(node: Apply) -> bool:
    return isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, Add)


def _sums_all(node: Apply) -> bool:
    """Whether a node makes one number of many."""
    reduces = isinstance(node.op, CAReduce | Dot)
    return reduces and _has_one_element(node.outputs[0]) and not all(_has_one_element(i) for i in node.inputs)


def _has_one_element(variable: Variable) -> bool:
    return all(n == 1 for n in variable.type.shape)


def _is_linear(node: Apply, inputs: list[Variable]) -> bool:
    if not all(v.type.dtype.startswith("float") for v in [*inputs, *node.outputs] if hasattr(v.type, "dtype")):
        return False
    fresh = {i: i.type() for i in inputs}
    outputs = node.clone_with_new_inputs([fresh.get(i, i) for i in node.inputs]).outputs
    directions = [i.type() for i in inputs]
    try:
        slopes = pushforward(outputs, list(fresh.values()), directions, disconnected_outputs="raise")
    except Exception:  # Operations without a derivative raise exceptions of any type.
        return False
    return not _depends(slopes, list(fresh.values()))


def _depends(outputs: Sequence[Variable], inputs: Sequence[Variable]) -> bool:
    """Whether outputs depend on the values of inputs, not on their shapes alone."""
    sought, seen, left = set(inputs), set(), list(outputs)
    while left:
        variable = left.pop()
        if variable in sought:
            return True
        if variable in seen or variable.owner is None:
            continue
        seen.add(variable)
        op = variable.owner.op
        if isinstance(op, Shape | Shape_i):
            continue
        filled = isinstance(op, Elemwise) and isinstance(op.scalar_op, Second)
        left.extend(variable.owner.inputs[1:] if filled else variable.owner.inputs)
    return False


def _has_bounded_outcomes(functions: ModelFunctions) -> bool:
    """Whether an outcome may lie at a bound of its range, like a count of 0 or a censored value; True where this is unknown."""
    known = {rv.name: rv for rv in functions.model.observed_RVs}
    return any(
        v.name not in known
        or not known[v.name].type.dtype.startswith("float")
        or isinstance(known[v.name].owner.op, SymbolicRandomVariable | TruncatedNormalRV)
        for v in functions.observed
    )


def _is_ordered(functions: ModelFunctions, name: str) -> bool:
    transform = next(t for rv, t in functions.values.transforms.items() if rv.name == name)
    return isinstance(transform, Ordered) and transform.ascending and not transform.positive
