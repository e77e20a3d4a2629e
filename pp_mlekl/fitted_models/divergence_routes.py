"""Choose how the divergences of one fit are computed: closed form, mixture over draws, or sampled log ratios."""

from dataclasses import replace

import numpy as np

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.predictive.integrals import by_sampling
from pp_mlekl.divergences.sampled_density import SampledDensity
from pp_mlekl.fitted_models.fits import Fit
from pp_mlekl.fitted_models.row_divergences import (
    RowDivergences,
    from_influences,
    missing,
    mixture_divergences,
    plug_in_divergences,
)
from pp_mlekl.fitted_models.setting import Setting
from pp_mlekl.pymc_model.layout import ObservedVariable

# Maximum number of log densities in memory for sampled expectations, and the range of sample sizes.
_MAX_LOG_DENSITIES = 20_000_000
_MIN_SAMPLE, _MAX_SAMPLE = 64, 4_096
# A value of a distribution that draws one value at a time takes about 10 ms, and four samples are needed.
_SLOW_SAMPLE = 256


def rows_of(setting: Setting, fit: Fit, predictive: Fit | None) -> dict[str, RowDivergences]:
    """The divergences of one fit by observed variable: from the truth, or from the posterior predictive."""
    if predictive is None:
        return {v.name: from_truth(setting, v, fit) for v in setting.functions.measured}
    return {v.name: from_predictive(setting, v, fit, predictive) for v in setting.functions.measured}


def from_truth(setting: Setting, variable: ObservedVariable, fit: Fit) -> RowDivergences:
    """Divergences of any fit from the truth of one observed variable."""
    if fit.flat is None and fit.draws is None:
        return missing(variable.shape)
    draws = setting.draws(fit, variable)
    z = fit.flat if draws is None else draws.reshape(-1, draws.shape[-1])
    assert z is not None
    p = setting.true_distribution(variable, len(z))
    try:
        q = setting.at(variable, z)
    except ValueError as error:
        if fit.status != "boundary":
            raise
        return missing(variable.shape, (f"{fit.name}: the fitted distribution is degenerate ({error})",))
    return between(setting, variable, p, q, 0 if draws is None else len(draws))


def from_predictive(setting: Setting, variable: ObservedVariable, fit: Fit, predictive: Fit) -> RowDivergences:
    """KL(posterior predictive||plug-in), computed as the reverse direction of plug-in against mixture."""
    if fit.flat is None or predictive.draws is None:
        return missing(variable.shape, predictive.warnings)
    draws = setting.draws(predictive, variable)
    assert draws is not None
    z = draws.reshape(-1, draws.shape[-1])
    flat = setting.with_new_groups(np.broadcast_to(fit.flat, z.shape)) if setting.new_groups else fit.flat
    found = between(setting, variable, setting.at(variable, flat), setting.at(variable, z), len(draws))
    return found.swapped()


def between(
    setting: Setting, variable: ObservedVariable, p: Distribution, q: Distribution, chains: int
) -> RowDivergences:
    """Divergences between the rows of ``p`` and of ``q``; ``q`` is a mixture over draws if ``chains`` is positive."""
    if isinstance(p, SampledDensity) or isinstance(q, SampledDensity):
        return _sampled(setting, variable, p, q, max(chains, 1))
    if chains:
        return mixture_divergences(p, q, variable.shape, chains, setting.generator)
    return plug_in_divergences(p, q, setting.generator)


def _sampled(
    setting: Setting, variable: ObservedVariable, p: Distribution, q: Distribution, chains: int
) -> RowDivergences:
    """Monte Carlo, for a side with a log density and draws only."""
    p, q = _flattened(p, variable.shape), _flattened(q, variable.shape)
    draws, rows = max(p.batch_shape[0], q.batch_shape[0]), q.batch_shape[1]
    slow = any(isinstance(d, SampledDensity) and d.one_by_one for d in (p, q))
    largest = _SLOW_SAMPLE if slow else _MAX_SAMPLE
    size = int(np.clip(_MAX_LOG_DENSITIES // (draws * max(rows, 1)), _MIN_SAMPLE, largest))
    if setting.truth is None and (reason := _cannot_be_drawn(p, setting.generator)):
        return missing(variable.shape, (reason,))
    reason = _cannot_be_drawn(q, setting.generator)
    parts = by_sampling(p, q, size, setting.generator, reverse=not reason)
    found = from_influences(parts, variable.shape, chains)
    more = (f"kl_reverse and jsd are unavailable: {reason}",) if reason else ()
    return replace(found, warnings=more + found.warnings, draws=found.draws if draws > 1 else 0)


def _cannot_be_drawn(distribution: Distribution, generator: np.random.Generator) -> str:
    """Why a distribution cannot be sampled; empty if it can."""
    try:
        distribution.select((slice(0, 1),)).sample((), generator)
    except ValueError as error:
        return str(error)
    return ""


def _flattened(distribution: Distribution, shape: tuple[int, ...]) -> Distribution:
    """Batch shape (draws, rows), with a single draw for a plug-in."""
    if isinstance(distribution, SampledDensity):
        return distribution
    rows = np.unravel_index(np.arange(int(np.prod(shape, dtype=int))), shape) if shape else (None,)
    first = slice(None) if len(distribution.batch_shape) > len(shape) else None
    return distribution.select((first, *rows))
