"""What all steps share: the model, the truth, the pseudo-true parameter and places around it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedFit
from pp_mlekl.estimation.pseudo_true.quadrature_data import NodeData, node_data
from pp_mlekl.estimation.replicates.simulator import Simulator
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# All comparisons of random numbers in one proof fail together with probability 0.001 at most (Bonferroni).
_FAMILY_LEVEL, _MOST_RANDOM_CHECKS = 1e-3, 64
STANDARD_ERRORS = float(stats.norm.isf(_FAMILY_LEVEL / _MOST_RANDOM_CHECKS / 2))
LEVEL = _FAMILY_LEVEL / _MOST_RANDOM_CHECKS

# What the divergence engine states for pairs without a closed form.
ENGINE_ACCURACY = 1e-8

_GRID, _CLOUD = 41, 40
_COARSE_POINTS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """A model under a truth.

    Parameters
    ----------
    functions, truth
        The model and what is true.
    star
        The pseudo-true parameter.
    simulator
        Draws data sets.
    generator
        The one source of randomness.
    """

    functions: ModelFunctions
    truth: Truth
    star: ExpectedFit
    simulator: Simulator
    generator: np.random.Generator

    @property
    def rows(self) -> int:
        """The number of terms of the model's log-likelihood."""
        return self.functions.n_observations

    @cached_property
    def place(self) -> int:
        """The coordinate of z that is varied along the curve: the one the data know best."""
        return int(self.star.problem.kept[0])

    @cached_property
    def label(self) -> str:
        """The natural parameter that the curve is drawn over."""
        return self.functions.natural_names[int(self.star.problem.natural_kept[0])]

    @cached_property
    def curve(self) -> Array:
        """z along one coordinate through the pseudo-true parameter, (grid, d)."""
        z = np.repeat(self.star.flat[None], _GRID, axis=0)
        width = 1.5 / np.sqrt(self.star.information.hessian[0, 0])  # type: ignore[union-attr]
        z[:, self.place] += np.linspace(-width, width, _GRID)
        return z

    @cached_property
    def curve_values(self) -> Array:
        """The natural values of ``label`` along the curve."""
        return self.functions.natural_flat(self.curve)[:, int(self.star.problem.natural_kept[0])]

    @cached_property
    def cloud(self) -> Array:
        """Random z about the pseudo-true parameter, (cloud, d), spread as estimates from 2 d observations would be."""
        kept = self.star.problem.kept
        root = np.linalg.cholesky(self.star.information.hessian)  # type: ignore[union-attr]
        z = np.repeat(self.star.flat[None], _CLOUD, axis=0)
        normal = self.generator.standard_normal((_CLOUD, len(kept)))
        z[:, kept] += np.linalg.solve(root.T, normal.T).T / np.sqrt(2.0 * len(kept))
        return z

    @cached_property
    def coarse(self) -> NodeData:
        """A second, coarser rule for expectations: its distance from the finer one bounds the finer one's error."""
        return node_data(self.functions, self.truth, np.random.default_rng(1), points=_COARSE_POINTS)

    def cross_entropy(self, z: Array, nodes: NodeData | None = None) -> Array:
        """``E[-log q_z]``, mean over rows, from the truth's nodes."""
        nodes = self.star.problem.nodes if nodes is None else nodes
        return -nodes.expected_log_likelihood(self.functions, z) / self.rows

    def kl(self, z: Array) -> tuple[Array, Array, bool]:
        """KL(true||model), mean over rows, by the divergence engine; its standard error; whether in closed form."""
        fitted = observed_distributions(self.functions, z)
        total, variance, exact = np.zeros(len(z)), np.zeros(len(z)), True
        for name, p in self.truth.distributions.items():
            estimate = kl_divergence(p, fitted[name])
            value = np.asarray(estimate.value).reshape(len(z), -1)
            total += value.sum(axis=1)
            variance += (
                np.square(np.broadcast_to(estimate.mcse, np.shape(estimate.value))).reshape(len(z), -1).sum(axis=1)
            )
            exact &= estimate.method == "closed form"
        return total / self.rows, np.sqrt(variance) / self.rows, exact

    @cached_property
    def entropy(self) -> float:
        """Entropy of the truth, mean over rows, from its log density."""
        total = 0.0
        for p in self.truth.distributions.values():
            closed = p.entropy()
            if closed is None:
                from pp_mlekl.divergences.integration.quadrature_nodes import expectation_nodes

                nodes = expectation_nodes(p, np.random.default_rng(0))
                closed = -nodes.mean(p.log_density(nodes.points))
            total += float(np.sum(np.broadcast_to(closed, p.batch_shape)))
        return total / self.rows

    def rounding(self, size: Array | float) -> float:
        """What adding up as many terms of this size costs in double precision."""
        terms = self.star.problem.nodes.weights.size
        return float(np.finfo(float).eps * np.max(np.abs(size)) * (8 + terms))
