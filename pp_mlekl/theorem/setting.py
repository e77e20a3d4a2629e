"""What all steps share: the model, the truth, the pseudo-true parameter and parameters near it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.estimation.pseudo_true.expected_fit import ExpectedFit
from pp_mlekl.estimation.quadrature_data import NodeData, node_data
from pp_mlekl.estimation.replicates.simulator import Simulator
from pp_mlekl.inputs.truth import Truth
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array

# A correct proof fails any of its comparisons of random numbers with probability at most 0.001 (Bonferroni).
_FAMILY_LEVEL, _MAX_RANDOM_CHECKS = 1e-3, 64
STANDARD_ERRORS = float(stats.norm.isf(_FAMILY_LEVEL / _MAX_RANDOM_CHECKS / 2))
LEVEL = _FAMILY_LEVEL / _MAX_RANDOM_CHECKS

# Relative accuracy of the divergence functions for pairs without a closed form.
DIVERGENCE_ACCURACY = 1e-8

_GRID, _CLOUD = 41, 40
_COARSE_POINTS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """A model under a truth.

    Parameters
    ----------
    functions, truth
        The model and the true distribution of its data.
    pseudo_true
        The pseudo-true parameter.
    simulator
        Draws data sets.
    generator
        Source of all random numbers.
    """

    functions: ModelFunctions
    truth: Truth
    pseudo_true: ExpectedFit
    simulator: Simulator
    generator: np.random.Generator

    @property
    def rows(self) -> int:
        """The number of terms of the model's log-likelihood."""
        return self.functions.n_observations

    @cached_property
    def place(self) -> int:
        """The coordinate of z that varies along the curve: the first that the data identify."""
        return int(self.pseudo_true.problem.kept[0])

    @cached_property
    def label(self) -> str:
        """The natural parameter that the curve is drawn over."""
        return self.functions.natural_names[int(self.pseudo_true.problem.natural_kept[0])]

    @cached_property
    def curve(self) -> Array:
        """z along one coordinate through the pseudo-true parameter, (grid, d)."""
        z = np.repeat(self.pseudo_true.flat[None], _GRID, axis=0)
        width = 1.5 / np.sqrt(self.pseudo_true.information.hessian[0, 0])  # type: ignore[union-attr]
        z[:, self.place] += np.linspace(-width, width, _GRID)
        return z

    @cached_property
    def curve_values(self) -> Array:
        """The natural values of ``label`` along the curve."""
        return self.functions.natural_flat(self.curve)[:, int(self.pseudo_true.problem.natural_kept[0])]

    @cached_property
    def cloud(self) -> Array:
        """Random z near the pseudo-true parameter, (cloud, d), with the spread of estimates from 2 d observations."""
        kept = self.pseudo_true.problem.kept
        root = np.linalg.cholesky(self.pseudo_true.information.hessian)  # type: ignore[union-attr]
        z = np.repeat(self.pseudo_true.flat[None], _CLOUD, axis=0)
        normal = self.generator.standard_normal((_CLOUD, len(kept)))
        z[:, kept] += np.linalg.solve(root.T, normal.T).T / np.sqrt(2.0 * len(kept))
        return z

    @cached_property
    def coarse(self) -> NodeData:
        """A second, coarser quadrature rule; its difference from the finer rule bounds the error of the finer rule."""
        return node_data(self.functions, self.truth, np.random.default_rng(1), points=_COARSE_POINTS)

    def cross_entropy(self, z: Array, nodes: NodeData | None = None) -> Array:
        """``E[-log q_z]``, mean over rows, on the nodes of the truth."""
        nodes = self.pseudo_true.problem.nodes if nodes is None else nodes
        return -nodes.expected_log_likelihood(self.functions, z) / self.rows

    def kl(self, z: Array) -> tuple[Array, Array, bool]:
        """KL(true||model), mean over rows; its standard error; whether it is in closed form."""
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
        """Entropy of the truth, mean over rows."""
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
        """Rounding error of a sum of as many terms of this size in double precision."""
        terms = self.pseudo_true.problem.nodes.weights.size
        return float(np.finfo(float).eps * np.max(np.abs(size)) * (8 + terms))
