"""The log-likelihood, log-prior and log-Jacobian of a model as graphs of one flat vector."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.basic import transformed_conditional_logp
from pymc.logprob.utils import replace_rvs_by_values
from pymc.pytensorf import rewrite_pregrad
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.data_arrays import as_input
from pp_mlekl.pymc_model.interpreter.lazy_function import without_c
from pp_mlekl.pymc_model.rewrites.double_precision import in_double_precision
from pp_mlekl.pymc_model.rewrites.pipeline import ON_DENSITIES, ON_VALUES, apply_rewrites
from pp_mlekl.typing import Array, Potentials


@dataclass(frozen=True, kw_only=True)
class ModelGraphs:
    """Graphs of a model; every one is a function of ``z`` and of the entries of ``data``.

    Parameters
    ----------
    z
        The flat unconstrained vector, of static shape (d,).
    data
        For each observed variable, and each array of the graph that varies, an input that stands for its data.
    pointwise
        For each observed variable (and each potential that counts as likelihood) its log-likelihood terms.
    log_prior, log_jacobian
        Log density of the natural values, and log |d theta / d z|; scalars.
    in_likelihood
        Whether the log-likelihood depends on a free variable given the others.
    """

    z: TensorVariable
    data: dict[str, TensorVariable]
    pointwise: dict[str, TensorVariable]
    log_prior: TensorVariable
    log_jacobian: TensorVariable
    in_likelihood: dict[str, bool]


class ValueGraph:
    """Rewrites graphs of a model's random variables into graphs of the flat vector ``z`` and of data inputs."""

    def __init__(
        self,
        model: pm.Model,
        value_shapes: Mapping[str, tuple[int, ...]],
        data: Mapping[str, Array],
        varying: Mapping[str, Variable[Any, Any]] | None = None,
    ):
        self.model = model
        inputs = {name: as_input(name, leaf) for name, leaf in (varying or {}).items()}
        self._in_double: dict[Any, Any] = {leaf: inputs[name] for name, leaf in (varying or {}).items()}
        self.free = self._double(model.free_RVs)
        self.observed = self._double(model.observed_RVs)
        self.transforms = {new: model.rvs_to_transforms[rv] for new, rv in zip(self.free, model.free_RVs, strict=True)}
        self.data = {
            rv.name: TensorType(model.rvs_to_values[rv].type.dtype, shape=data[rv.name].shape)(f"{rv.name}_data")
            for rv in model.observed_RVs
        } | inputs
        self.rvs_to_values = {
            **{new: model.rvs_to_values[rv] for new, rv in zip(self.free, model.free_RVs, strict=True)},
            **{new: self.data[rv.name] for new, rv in zip(self.observed, model.observed_RVs, strict=True)},
        }
        sizes = [int(np.prod(value_shapes[v.name], dtype=int)) for v in model.value_vars]
        self.z = TensorType("float64", shape=(sum(sizes),))("z")
        ends = np.cumsum(sizes)
        self._pieces = {
            value: self.z[end - size : end].reshape(value_shapes[value.name]).astype(value.type.dtype)
            for value, size, end in zip(model.value_vars, sizes, ends, strict=True)
        }

    def without_transforms(self, names: Collection[str]) -> "ValueGraph":
        """The same graph with some random variables on their natural scale."""
        other = copy(self)
        # The densities of this graph are not those of the other one.
        for name, attribute in vars(ValueGraph).items():
            if isinstance(attribute, cached_property):
                vars(other).pop(name, None)
        other.transforms = {rv: None if rv.name in names else t for rv, t in self.transforms.items()}
        return other

    def of_z(self, graphs: Sequence[TensorVariable]) -> list[TensorVariable]:
        """Replace the model's value variables by pieces of ``z``, in double precision throughout."""
        replaced = clone_replace(list(graphs), replace=self._pieces, rebuild_strict=False)
        return apply_rewrites(replaced, ON_VALUES)

    def of_value_variables(self, variables: Sequence[TensorVariable]) -> list[TensorVariable]:
        """Replace the model's random variables by their natural values as functions of the value variables."""
        return replace_rvs_by_values(
            self._double(variables), rvs_to_values=self.rvs_to_values, rvs_to_transforms=self.transforms
        )

    def of_values(self, variables: Sequence[TensorVariable]) -> list[TensorVariable]:
        """Replace the model's random variables by their natural values as functions of ``z``."""
        return self.of_z(self.of_value_variables(variables))

    @cached_property
    def log_density_terms(self) -> list[TensorVariable]:
        """Elementwise log densities of the free and the observed variables, without Jacobian."""
        with without_c():
            return transformed_conditional_logp(
                [*self.free, *self.observed],
                rvs_to_values=self.rvs_to_values,
                rvs_to_transforms=self.transforms,
                jacobian=False,
            )

    @cached_property
    def jacobian_terms(self) -> dict[str, TensorVariable]:
        """The terms of log |d theta / d z| of every transformed free variable, by name."""
        return {
            rv.name: transform.log_jac_det(self.rvs_to_values[rv], *self.of_value_variables(rv.owner.inputs))
            for rv, transform in self.transforms.items()
            if transform is not None
        }

    def _double(self, variables: Sequence[TensorVariable]) -> list[TensorVariable]:
        return in_double_precision(variables, self._in_double)


def build_graphs(values: ValueGraph, potentials: Potentials, latents: Sequence[str] = ()) -> ModelGraphs:
    """Build the graphs of the weighted objective.

    The prior densities of ``latents`` (on their unconstrained scale) count as terms of the likelihood too, which is then
    the integrand of the marginal likelihood.
    """
    model = values.model
    terms = values.log_density_terms
    prior, likelihood = terms[: len(model.free_RVs)], terms[len(model.free_RVs) :]
    extra = values.of_value_variables(model.potentials)
    pointwise = dict(zip([rv.name for rv in model.observed_RVs], likelihood, strict=True))
    if potentials == "likelihood":
        pointwise |= {p.name: graph for p, graph in zip(model.potentials, extra, strict=True)}
    else:
        prior = [*prior, *extra]
    densities = dict(zip([rv.name for rv in model.free_RVs], terms, strict=False))
    pointwise |= {name: densities[name] for name in latents}
    pointwise |= {f"{name} (Jacobian)": graph for name, graph in values.jacobian_terms.items() if name in latents}
    reached = set(ancestors(list(pointwise.values())))
    log_prior = pt.add(pt.constant(0.0), *[pt.sum(t) for t in prior])
    log_jacobian = pt.add(pt.constant(0.0), *[pt.sum(t) for t in values.jacobian_terms.values()])
    graphs = rewrite_pregrad(values.of_z([log_prior, log_jacobian, *pointwise.values()]))
    graphs = apply_rewrites(graphs, ON_DENSITIES)
    return ModelGraphs(
        z=values.z,
        data=values.data,
        pointwise=dict(zip(pointwise, graphs[2:], strict=True)),
        log_prior=graphs[0],
        log_jacobian=graphs[1],
        in_likelihood={rv.name: model.rvs_to_values[rv] in reached for rv in model.free_RVs},
    )
