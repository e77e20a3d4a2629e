"""The rewrites of a model's graphs, in the order in which they are applied."""

from collections.abc import Callable, Sequence
from typing import Any

from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.tensor.variable import TensorVariable

from pp_mlekl.pymc_model.rewrites.bessel import with_derivatives
from pp_mlekl.pymc_model.rewrites.closed_forms import with_closed_forms, with_expm1, with_sigmoids_outside
from pp_mlekl.pymc_model.rewrites.diagonals import with_elementwise_diagonals
from pp_mlekl.pymc_model.rewrites.double_precision import in_double_precision
from pp_mlekl.pymc_model.rewrites.fewer_functions import ONE_FUNCTION
from pp_mlekl.pymc_model.rewrites.log_complements import with_log_complements
from pp_mlekl.pymc_model.rewrites.normal_tails import with_normal_tails

Rewrite = Callable[[Sequence[TensorVariable]], list[TensorVariable]]


def without_checks(graphs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """Give an impossible parameter (a scale that underflows to 0) a density of 0, where PyMC raises for the whole batch.

    PyTensor's own canonical and numerically stable forms, and fewer costly functions, come with it.
    """
    include = ("canonicalize", "stabilize", "local_check_parameter_to_ninf_switch")
    rewritten: Any = rewrite_graph(list(graphs), include=include, custom_rewrite=ONE_FUNCTION)
    return rewritten


# Correct values and derivatives, for all functions of z. PyTensor's canonical form, which comes later, would hide log survival
# functions from their rewrite, and that would hide closed forms.
ON_VALUES: tuple[Rewrite, ...] = (
    in_double_precision,
    with_derivatives,
    with_normal_tails,
    with_closed_forms,
    with_log_complements,
)
# Accuracy of log densities (the first two), speed in batches (the third), both (the last).
ON_DENSITIES: tuple[Rewrite, ...] = (
    with_sigmoids_outside,
    with_expm1,
    with_elementwise_diagonals,
    without_checks,
)


def apply_rewrites(graphs: Sequence[TensorVariable], rewrites: Sequence[Rewrite]) -> list[TensorVariable]:
    """Apply rewrites one after another.

    They return new graphs: PyTensor's own rewriters change graphs in place, and these share nodes with the user's model.
    """
    rewritten = list(graphs)
    for rewrite in rewrites:
        rewritten = rewrite(rewritten)
    return rewritten
