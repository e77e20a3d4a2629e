"""Numbers whose errors come in part from the same draws, combined by the influence of each draw."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pp_mlekl.typing import Array
from pp_mlekl.utils.effective_size import mean_and_error


@dataclass(frozen=True, kw_only=True, eq=False)
class WithError:
    """A number, the influence of each posterior draw, and the variance from other sources.

    Parameters
    ----------
    value
        The number.
    influence
        Shape (chain, draw), with mean 0; None where the number does not depend on posterior draws.
    rest
        Variance that is independent of the posterior draws.
    warnings
        Reasons to doubt the number.
    """

    value: float
    influence: Array | None = None
    rest: float = 0.0
    warnings: tuple[str, ...] = ()

    @cached_property
    def standard_error(self) -> float:
        """Standard error from both sources; to first order exact for numbers that share posterior draws."""
        of_draws = 0.0 if self.influence is None else mean_and_error(self.influence)[1]
        return float(np.sqrt(of_draws**2 + self.rest))

    def plus(self, other: "WithError", factor: float = 1.0) -> "WithError":
        """Sum of this number and ``factor`` times another one over the same draws; the warnings are those of this one."""
        parts = [(1.0, self.influence), (factor, other.influence)]
        influences = [f * i for f, i in parts if i is not None]
        return WithError(
            value=self.value + factor * other.value,
            influence=sum(influences[1:], influences[0]) if influences else None,
            rest=self.rest + factor**2 * other.rest,
            warnings=self.warnings,
        )


Mean = Callable[[Array], WithError]


def plain_mean(values: Array) -> WithError:
    """Mean of ``values`` (chain, draw) over the posterior's draws."""
    mean = float(np.mean(values))
    return WithError(value=mean, influence=values - mean)


def independent_mean(values: Array) -> WithError:
    """Mean of independent ``values`` (n,) that do not depend on posterior draws."""
    return WithError(value=float(np.mean(values)), rest=float(np.var(values, ddof=1) / len(values)))
