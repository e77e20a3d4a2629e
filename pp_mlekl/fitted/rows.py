"""Divergences of one fit from the truth, row by row, for one observed variable."""

from dataclasses import dataclass, field

import numpy as np
from arviz_stats.base import array_stats

from pp_mlekl.divergences.distribution import Array, Distribution
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.divergences.predictive import predictive_divergence
from pp_mlekl.fitted.fits import Fit
from pp_mlekl.pymc_model.distributions import observed_distributions
from pp_mlekl.pymc_model.model_functions import ModelFunctions

QUANTITIES = ("kl", "kl_reverse", "jsd")

# Rows times draws that are evaluated: more draws would cost more than their standard error is worth.
_ROWS_TIMES_DRAWS = 400_000
_FEWEST_DRAWS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class RowDivergences:
    """The divergences of one fit, each of shape (*rows), with the standard errors of rows and of their sum."""

    values: dict[str, Array]
    row_errors: dict[str, Array]
    total_errors: dict[str, float]
    kl_bias: float = 0.0
    draws: int = 0
    warnings: tuple[str, ...] = field(default=())

    def total(self, name: str) -> float:
        """The sum over rows."""
        return float(np.sum(self.values[name]))

    def swapped(self) -> "RowDivergences":
        """The same with the two directions of KL exchanged."""
        names = {"kl": "kl_reverse", "kl_reverse": "kl", "jsd": "jsd"}
        return RowDivergences(
            values={n: self.values[o] for n, o in names.items()},
            row_errors={n: self.row_errors[o] for n, o in names.items()},
            total_errors={n: self.total_errors[o] for n, o in names.items()},
            draws=self.draws,
            warnings=self.warnings,
        )


def missing(shape: tuple[int, ...], warnings: tuple[str, ...]) -> RowDivergences:
    """What stands for a fit that does not exist: NaN throughout."""
    nothing = np.full(shape, np.nan)
    return RowDivergences(
        values=dict.fromkeys(QUANTITIES, nothing),
        row_errors=dict.fromkeys(QUANTITIES, nothing),
        total_errors=dict.fromkeys(QUANTITIES, np.nan),
        warnings=warnings,
    )


def plug_in_divergences(p: Distribution, q: Distribution, generator: np.random.Generator) -> RowDivergences:
    """Divergences between each row's two distributions."""
    estimates = {
        "kl": kl_divergence(p, q, generator=generator),
        "kl_reverse": kl_divergence(q, p, generator=generator),
        "jsd": js_divergence(p, q, generator=generator),
    }
    values = {name: np.asarray(e.value, dtype=float) for name, e in estimates.items()}
    errors = {
        name: np.broadcast_to(np.asarray(e.mcse, dtype=float), values[name].shape) for name, e in estimates.items()
    }
    return RowDivergences(
        values=values,
        row_errors=errors,
        total_errors={name: float(np.sqrt(np.sum(np.square(e)))) for name, e in errors.items()},
        warnings=tuple(dict.fromkeys(w for e in estimates.values() for w in e.warnings)),
    )


def mixture_divergences(
    functions: ModelFunctions, name: str, p: Distribution, draws: Array, generator: np.random.Generator
) -> RowDivergences:
    """Divergences between each row's distribution and its predictive over ``draws`` (chain, draw, d)."""
    rows = p.batch_shape
    draws = thinned(draws, int(np.prod(rows, dtype=int)))
    chains, length, d = draws.shape
    q = observed_distributions(functions, draws.reshape(-1, d))[name]
    result = predictive_divergence(p, q, generator)
    values, row_errors, total_errors = {}, {}, {}
    for quantity in QUANTITIES:
        influence = getattr(result, f"{quantity}_influence")
        node = getattr(result, f"{quantity}_node_error")
        by_row = influence.reshape(chains, length, -1)
        total = by_row.sum(axis=-1)
        ratio = _inflation(total)
        spread = by_row.std(axis=(0, 1)).reshape(rows) / np.sqrt(chains * length)
        values[quantity] = getattr(result, quantity)
        row_errors[quantity] = np.hypot(spread * ratio, node)
        total_errors[quantity] = float(np.hypot(ratio * total.std() / np.sqrt(total.size), np.sqrt(np.sum(node**2))))
    return RowDivergences(
        values=values,
        row_errors=row_errors,
        total_errors=total_errors,
        kl_bias=float(np.sum(result.kl_bias)),
        draws=chains * length,
    )


def thinned(draws: Array, rows: int) -> Array:
    """As many evenly spaced draws of each chain as are worth their cost."""
    chains, length, _ = draws.shape
    wanted = max(_FEWEST_DRAWS, _ROWS_TIMES_DRAWS // max(rows, 1))
    per_chain = min(length, max(1, -(-wanted // chains)))
    return draws[:, np.unique(np.linspace(0, length - 1, per_chain).astype(int))]


def _inflation(chains: Array) -> float:
    """How much larger the error of a mean over autocorrelated chains is than over independent draws."""
    spread = chains.std()
    if not np.isfinite(spread) or spread == 0:
        return 1.0
    error = array_stats.mcse(chains, method="mean", chain_axis=0, draw_axis=1)
    return float(error * np.sqrt(chains.size) / spread)


def row_divergences(
    functions: ModelFunctions,
    name: str,
    shape: tuple[int, ...],
    p: Distribution,
    fit: Fit,
    generator: np.random.Generator,
) -> RowDivergences:
    """Divergences of any fit from the truth ``p`` of one observed variable."""
    if fit.draws is not None:
        return mixture_divergences(functions, name, p, fit.draws, generator)
    if fit.flat is None:
        return missing(shape, ())
    try:
        q = observed_distributions(functions, fit.flat)[name]
    except ValueError as error:
        if fit.status != "boundary":
            raise
        return missing(shape, (f"{fit.name}: the fitted distribution is degenerate ({error})",))
    return plug_in_divergences(p, q, generator)
