"""Checks before a sampler starts: its settings are valid, and the posterior density is positive somewhere."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from pp_mlekl.pymc_model.impossible_observations import impossible_observations
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array, NutsSampler, SampleKwargs
from pp_mlekl.utils.counts import check_count, check_memory, counted
from pp_mlekl.utils.shown import shown

# The samplers of pm.sample, and the packages that each needs beyond the dependencies of this package.
SAMPLERS: dict[NutsSampler, tuple[str, ...]] = {
    "nutpie": (),
    "pymc": (),
    "numpyro": ("jax", "numpyro"),
    "blackjax": ("jax", "blackjax"),
}
# What ``sample`` itself passes to ``pm.sample``, or reads from its result.
_OWN = ("model", "potentials", "return_inferencedata")
_POINTS = 50
# Samplers move each coordinate of the initial point at random by up to this distance.
_JITTER = 1.0


def check_settings(functions: ModelFunctions, *, draws: int, chains: int, nuts_sampler: NutsSampler) -> None:
    """Raise where the settings are invalid or the draws do not fit into memory.

    Raises
    ------
    ValueError
        Where ``draws`` or ``chains`` is no positive integer, the draws are larger than the machine's memory, or the
        sampler is unknown.
    ImportError
        Where the sampler is not installed.
    """
    check_count("draws", draws)
    check_count("chains", chains)
    numbers = functions.natural_size + functions.n_observations
    check_memory(int(draws) * int(chains) * numbers, f"{counted(chains, 'chain')} of {counted(draws, 'draw')}")
    if nuts_sampler not in SAMPLERS:
        raise ValueError(f"nuts_sampler must be among {', '.join(SAMPLERS)}, got {shown(nuts_sampler)}.")
    missing = [package for package in SAMPLERS[nuts_sampler] if find_spec(package) is None]
    if missing:
        raise ImportError(f"The sampler {nuts_sampler} needs {' and '.join(missing)}: pip install {' '.join(missing)}.")


def with_sample_kwargs(sample_kwargs: SampleKwargs | None, **own: Any) -> dict[str, Any]:
    """Arguments of ``sample``: a function's own, and further ones that its user gives.

    Raises
    ------
    ValueError
        Where the user gives one of the function's own, or one that ``sample`` sets.

    Examples
    --------
    >>> with_sample_kwargs({"tune": 500}, draws=1000)
    {'draws': 1000, 'tune': 500}
    """
    given = dict(sample_kwargs or {})
    taken = [name for name in given if name in own or name in _OWN]
    if taken:
        raise ValueError(
            f"sample_kwargs must hold further arguments of pm.sample, not {taken[0]!r}; "
            + (f"pass {taken[0]}= itself." if taken[0] in own else "leave it out.")
        )
    return own | given


def initial_values(functions: ModelFunctions) -> dict[str, Array] | None:
    """Where a sampler should start; None where the density is positive at or near the model's initial point.

    Returns
    -------
    dict or None
        Natural values of the free variables in a prior draw at which the density is positive.

    Raises
    ------
    ValueError
        Where the density is positive at none of many points; the message names the observations that cause this.
    """
    center = functions.initial_point()
    if _possible(functions, center):
        return None
    generator = np.random.default_rng(0)
    about = center + generator.uniform(-_JITTER, _JITTER, size=(_POINTS, functions.size))
    if _possible(functions, about).any():
        return None
    draws = functions.starts(_POINTS, generator)
    possible = np.flatnonzero(_possible(functions, draws))
    if len(possible):
        return functions.natural(draws[possible[0]])
    found = impossible_observations(functions, np.concatenate([about, draws]))
    reason = f", because single observations have no finite log density: {found}. Compare them with the range of their distribution, or"
    raise ValueError(
        f"The posterior density is not finite at the initial point, nor at {2 * _POINTS} other points, so that no sampler can "
        f"start{reason if found else ';'} give the free variables an initval=... at which it is finite."
    )


def _possible(functions: ModelFunctions, z: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.isfinite(functions.value(z, a=1.0, b=1.0))
