"""Tests whether given draws come from the model's posterior; messages suggest a reason."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import xarray as xr

from pp_mlekl.posterior.bridge.stein_test import (
    CAUTION_RATE,
    REFUSAL_RATE,
    DependenceTest,
    Scores,
    SteinTest,
    dependence_test,
    has_jump,
    stein_test,
)
from pp_mlekl.pymc_model.derivatives import NoDerivative
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.posterior_group import draws_within

# Number of draws at which stored densities are compared with the model's.
_COMPARED = 100
# Relative differences that are numerical noise, for doubles and for draws that were stored in single precision.
_NOISE, _NOISE_SINGLE = 1e-6, 1e-3
# Samplers whose log density is PyMC's in the unconstrained space; other samplers may use other transforms.
_OF_PYMC = ("pymc", "nutpie")


@dataclass(frozen=True, kw_only=True)
class DrawsCheck:
    """Results of the tests of draws.

    Parameters
    ----------
    problems
        Reasons why they are not from the model's posterior; numbers from them must not be used.
    cautions
        Deviations that may be due to chance.
    """

    problems: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def check_draws(functions: ModelFunctions, idata: xr.DataTree, z: Array) -> DrawsCheck:
    """Test draws against the gradients of the model's log density, and stored densities against the model's.

    Parameters
    ----------
    functions
        The model's functions.
    idata
        The draws; its ``log_likelihood`` and the ``lp`` of its ``sample_stats`` are compared where they exist.
    z
        The same draws, unconstrained, shape (chain, draw, d).

    Notes
    -----
    The gradients are not tested where the density has none, jumps, or is not finite at some draws. Draws from the model's
    posterior exceed each test's limit for a caution in one of 1,000 sets of independent draws, that for a problem in one of
    1,000,000.
    """
    key = ("draws checked", z.shape, blake2b(np.ascontiguousarray(z).tobytes()).digest())
    by_gradients = functions.kept(key, lambda: _by_gradients(functions, z))
    problems = [*_constant(functions, z), *_other_likelihood(functions, idata, z), *_other_density(functions, idata, z)]
    cautions = (*_same_chains(z), *by_gradients.cautions)
    return DrawsCheck(problems=(*problems, *by_gradients.problems), cautions=cautions)


def warnings_about_draws(functions: ModelFunctions, idata: xr.DataTree) -> tuple[str, ...]:
    """Warnings of functions whose result is defined for any draws, such as the KL of a predictive distribution."""
    z = unconstrained_draws(functions, idata)
    if not np.all(np.isfinite(z)):
        return ()
    check = check_draws(functions, idata, z)
    return (*check.problems, *check.cautions)


def _by_gradients(functions: ModelFunctions, z: Array) -> DrawsCheck:
    def value_gradient(points: Array) -> tuple[Array, Array]:
        return functions.value_gradient(points, a=1.0, b=1.0)

    try:
        _, gradients = value_gradient(z)
    except NoDerivative:
        return DrawsCheck()
    if not np.all(np.isfinite(gradients)):
        return DrawsCheck()
    tests = stein_test(z, gradients, functions.angles), dependence_test(z, gradients)
    failed = [test for test in tests if test.largest > test.caution]
    if not failed or has_jump(value_gradient, z, np.random.default_rng(0)):
        return DrawsCheck()
    test = failed[0]
    text = _sentence(functions, test) if isinstance(test, SteinTest) else _about_dependence(functions, test)
    refused = any(test.largest > test.refusal for test in failed)
    return DrawsCheck(problems=(text,) if refused else (), cautions=() if refused else (text,))


def _constant(functions: ModelFunctions, z: Array) -> list[str]:
    """A message where all draws of a coordinate are equal."""
    names = [functions.spoken_names[j] for j in np.flatnonzero(np.ptp(z, axis=(0, 1)) == 0)] if z.shape[1] > 1 else []
    if not names:
        return []
    return [
        f"All draws of {names[0]} are equal, as of a parameter that was fixed: they are not draws of this posterior."
    ]


def _same_chains(z: Array) -> list[str]:
    """A message where a chain holds the draws of another one."""
    same = [(i, j) for j in range(len(z)) for i in range(j) if np.array_equal(z[i], z[j])]
    if not same:
        return []
    return [f"Chains {same[0][0]} and {same[0][1]} (counted from 0) hold the same draws: errors are too small."]


def _about_dependence(functions: ModelFunctions, test: DependenceTest) -> str:
    place = int(np.nanargmax(np.abs(test.scores)))
    first, second = (functions.spoken_names[j] for j in test.pairs[place])
    return (
        f"{_opening(test)}: the dependence of {first} and {second} is {test.largest:.3g} standard errors off ({_rate(test)}). "
        "Draws of an approximation without correlations are not the posterior's."
    )


def _opening(test: Scores) -> str:
    refused = test.largest > test.refusal
    return "These draws do not come from this model" if refused else "These draws may not come from this model"


def _rate(test: Scores) -> str:
    """How often right draws exceed the limit that was exceeded."""
    refused = test.largest > test.refusal
    rate, limit = (REFUSAL_RATE, test.refusal) if refused else (CAUTION_RATE, test.caution)
    return f"draws from the posterior exceed {limit:.2g} once in {1 / rate:,.0f} cases"


def _sentence(functions: ModelFunctions, test: SteinTest) -> str:
    scores = np.nan_to_num(np.abs(test.scores))
    _, kind, place = map(int, np.unravel_index(np.argmax(scores), scores.shape))
    return (
        f"{_opening(test)}: the {('location', 'spread')[kind]} of {functions.spoken_names[place]} is {scores.max():.3g} standard errors "
        f"off ({_rate(test)}). {_guess(functions, test, place)}"
    )


def _guess(functions: ModelFunctions, test: SteinTest, place: int) -> str:
    beyond = np.nan_to_num(np.abs(test.scores)) > test.caution
    chains = np.flatnonzero(beyond[:-1].any(axis=(1, 2)))
    if len(chains) == 1 and len(beyond) > 2:
        return f"Only chain {chains[0]} (counted from 0) differs."
    if not beyond[:, 0].any():
        return "The spread differs: the prior, the data or the scale of the variable may differ, or the tails have too few draws."
    variable = next(v for v in functions.free if v.flat.start <= place < v.flat.stop)
    elements = beyond[:, 0, variable.flat].any(axis=0)
    if np.sum(elements) > 1:
        return (
            f"The elements of {variable.name} may be in another order, or the prior, the data or the scale may differ."
        )
    return "The prior, the data or the scale of the variable may differ, or the sampler missed a part of the posterior."


def _other_likelihood(functions: ModelFunctions, idata: xr.DataTree, z: Array) -> list[str]:
    """A message for each observed variable whose ``log_likelihood`` differs from the model's."""
    if "log_likelihood" not in idata.children:
        return []
    group, found = idata["log_likelihood"].to_dataset(), []
    given = {v.name: group[v.name] for v in functions.observed if v.name in group}
    z = z[:, draws_within(idata["posterior"].to_dataset(), group)] if given else z
    places = _places(z)
    terms = functions.pointwise(z[places]) if given else np.empty((0, 0))
    for v in functions.observed:
        if v.name not in given:
            continue
        values = given[v.name].transpose("chain", "draw", ...).values
        if values.shape[:2] != z.shape[:2] or values[places][0].size != terms[0, v.pointwise].size:
            found.append(
                f"log_likelihood[{v.name!r}] in idata has shape {values.shape}, for {z.shape[0]} x {counted(z.shape[1], 'draw')} of "
                f"{counted(terms[0, v.pointwise].size, 'observation')} in the model: it belongs to other draws or other data."
            )
            continue
        own, other = terms[:, v.pointwise].sum(axis=-1), values[places].reshape(len(terms), -1).sum(axis=-1)
        if _differ(own, other, _is_single(z, functions) or values.dtype == np.float32):
            found.append(
                f"log_likelihood[{v.name!r}] in idata is not the model's (largest difference {np.nanmax(np.abs(own - other)):.3g} "
                "nats): these draws come from another model, or from other data."
            )
    return found


def _other_density(functions: ModelFunctions, idata: xr.DataTree, z: Array) -> list[str]:
    """A message where the log posterior density that a sampler recorded differs from the model's by more than a constant."""
    stats = idata["sample_stats"].to_dataset() if "sample_stats" in idata.children else xr.Dataset()
    name = next((n for n in ("lp", "logp") if n in stats), None)
    library = idata["posterior"].attrs.get("inference_library", stats.attrs.get("inference_library"))
    if name is None or library not in _OF_PYMC or stats[name].shape != z.shape[:2]:
        return []
    places = _places(z)
    recorded = stats[name].transpose("chain", "draw").values[places]
    own = functions.value(z[places], a=1.0, b=1.0)
    shift = np.median(own - recorded)
    if not _differ(own, recorded + shift, _is_single(z, functions) or recorded.dtype == np.float32):
        return []
    largest = np.nanmax(np.abs(own - recorded - shift))
    return [
        f"{name} in idata is not the model's log density (differences vary by {largest:.3g} nats): these draws come from another "
        "model, or from other data."
    ]


def _places(z: Array) -> tuple[Array, Array]:
    """Chain and draw of evenly spaced draws."""
    flat = np.linspace(0, z.shape[0] * z.shape[1] - 1, _COMPARED).astype(int)
    chain, draw = np.unravel_index(np.unique(flat), z.shape[:2])
    return chain, draw


def _differ(own: Array, other: Array, single: bool) -> bool:
    known = np.isfinite(other) & np.isfinite(own)
    tolerance = (_NOISE_SINGLE if single else _NOISE) * (1 + np.abs(own))
    return bool(np.any(np.abs(own - other)[known] > tolerance[known]))


def _is_single(z: Array, functions: ModelFunctions) -> bool:
    """Whether the draws of a variable have been rounded to single precision."""
    natural = functions.natural(z[:, : max(1, _COMPARED // len(z))])
    return any(np.allclose(v, v.astype(np.float32), rtol=1e-12, atol=0) for v in natural.values())
