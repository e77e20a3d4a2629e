"""What may stand for the truth: parameter values, another model, a distribution, or draws that were held out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
import xarray as xr

from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.sampled_density import SampledDensity
from pp_mlekl.inputs.read import as_distribution, is_distribution
from pp_mlekl.pymc_model.custom_density import model_density
from pp_mlekl.pymc_model.distributions.from_pymc import observed_distributions, unknown_families
from pp_mlekl.pymc_model.distributions.true_model import is_model, model_distributions
from pp_mlekl.pymc_model.model_functions import ModelFunctions
from pp_mlekl.pymc_model.validation import check_distribution, check_independence
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted
from pp_mlekl.utils.shown import shown


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The true distribution of every observed variable, or draws from it.

    Parameters
    ----------
    kind
        ``"parameters"`` (the model itself at ``flat``), ``"model"``, ``"distribution"`` or ``"draws"``.
    distributions
        By observed variable, batch shape that of its rows; empty where the truth is only a sample.
    flat
        The model's unconstrained vector; only for parameters.
    draws
        Held-out data sets by observed variable, shape (draws, *data shape); empty unless the truth is a sample.
    sampled
        The observed variables of a family that is not known here (CustomDist, AR, ...), which are not among
        ``distributions``: their log density and draws.
    """

    kind: str
    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    flat: Array | None = None
    draws: Mapping[str, Array] = field(default_factory=dict)
    sampled: Mapping[str, SampledDensity] = field(default_factory=dict)

    def sample(self, size: int, generator: np.random.Generator) -> dict[str, Array]:
        """Data sets from the truth: for each observed variable an array (size, *data shape)."""
        if self.draws:
            taken = generator.integers(len(next(iter(self.draws.values()))), size=size)
            return {name: values[taken] for name, values in self.draws.items()}
        drawn = {name: p.sample((size,), generator) for name, p in self.distributions.items()}
        return drawn | {name: p.data_sets(size, generator) for name, p in self.sampled.items()}


def as_truth(functions: ModelFunctions, truth: Any) -> Truth:
    """Read whatever the caller gives as truth.

    Parameters
    ----------
    functions
        The functions of the model that is to be compared with the truth.
    truth
        A mapping (or Dataset) from parameter names to values; a PyMC model with the same observed variables and
        no free ones, such as ``pm.do(model, values)``; a distribution (PyMC, SciPy, PreliZ), the same for all
        rows, or a mapping from observed variables to such; or held-out data: an array, or a mapping from observed
        variables to arrays, of shape (draws, *data shape).

    Returns
    -------
    Truth

    Raises
    ------
    ValueError
        In one line that names the entry at fault, where a parameter is missing, unknown or of the wrong shape; where the
        likelihood consists of potentials alone.
    """
    if isinstance(truth, Truth):
        return truth
    check_distribution(functions.model, "A comparison with a truth")
    found = _read(functions, truth)
    if found.kind != "draws":
        check_independence(functions.model)
    return found


def _read(functions: ModelFunctions, truth: Any) -> Truth:
    if is_model(truth):
        known, sampled = model_distributions(truth, {v.name: v.value.shape for v in functions.measured})
        return Truth(kind="model", distributions=_on_rows(functions, known), sampled=_alike(functions, sampled))
    if isinstance(truth, xr.Dataset):
        truth = dict(truth.data_vars)
    if isinstance(truth, Mapping):
        return _from_mapping(functions, truth)
    if is_distribution(truth):
        return _same_for_all(functions, as_distribution(truth))
    if isinstance(truth, np.ndarray | xr.DataArray | list | tuple):
        name = _only_observed(functions, "held-out draws")
        return _from_draws(functions, {name: truth})
    raise TypeError(
        f"truth must be a mapping from parameter names to values, a PyMC model, a distribution or held-out draws, "
        f"got {type(truth).__name__}."
    )


def _alike(functions: ModelFunctions, sampled: Mapping[str, SampledDensity]) -> Mapping[str, SampledDensity]:
    for variable in functions.measured:
        other = sampled.get(variable.name)
        if other is not None and other.row_shape != variable.shape:
            raise ValueError(
                f"The truth of {variable.name!r} has joint densities of shape {other.row_shape}, the observed "
                f"variable has {variable.shape}; they must agree."
            )
    return sampled


def _only_observed(functions: ModelFunctions, what: str) -> str:
    names = [v.name for v in functions.measured]
    if len(names) != 1:
        raise ValueError(f"The model has several observed variables; give {what} as a mapping from {', '.join(names)}.")
    return names[0]


def _from_mapping(functions: ModelFunctions, truth: Mapping[str, Any]) -> Truth:
    observed = [v.name for v in functions.measured]
    free = [v.name for v in functions.free]
    if truth and set(truth) <= set(observed):
        missing = [name for name in observed if name not in truth]
        if missing:
            raise ValueError(f"truth lacks the observed variable {missing[0]!r}; give all of {', '.join(observed)}.")
        if all(is_distribution(value) for value in truth.values()):
            found = {name: as_distribution(truth[name]) for name in observed}
            return Truth(kind="distribution", distributions=_on_rows(functions, found))
        return _from_draws(functions, truth)
    for name in truth:
        if name not in free:
            nearest = get_close_matches(str(name), [*free, *observed], 1, cutoff=0.0)
            raise ValueError(
                f"truth names {name!r}, which is no free variable of the model; did you mean {nearest[0]!r}?"
            )
    values = {}
    for variable in functions.free:
        if variable.name not in truth:
            raise ValueError(f"truth lacks the parameter {variable.name!r}; give all of {', '.join(free)}.")
        values[variable.name] = _value(truth[variable.name], variable)
    flat = functions.unconstrain(values)
    for variable in functions.free:
        if np.any(np.isnan(flat[variable.flat])):
            raise ValueError(
                f"truth[{variable.name!r}] = {truth[variable.name]} is outside the support of its prior; use a value inside."
            )
    return truth_at(functions, flat)


def truth_at(functions: ModelFunctions, flat: Array) -> Truth:
    """The model itself at unconstrained values ``flat`` (d,), as the truth."""
    return Truth(
        kind="parameters",
        distributions=observed_distributions(functions, flat, known=True),
        flat=flat,
        sampled={name: model_density(functions, name, flat[None]) for name in unknown_families(functions)},
    )


def _value(value: Any, variable: Any) -> Array:
    if isinstance(value, xr.DataArray) and set(value.dims) == set(variable.dims):
        value = value.transpose(*variable.dims)
    array = _numbers(value, f"truth[{variable.name!r}]")
    if array.shape != variable.shape:
        dims = f" (dims {', '.join(variable.dims)})" if variable.dims else ""
        raise ValueError(f"truth[{variable.name!r}] must have shape {variable.shape}{dims}, got {array.shape}.")
    return array


def _numbers(value: Any, what: str) -> Array:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} must be a number or an array of numbers, got {shown(value)}.") from None


def _from_draws(functions: ModelFunctions, truth: Mapping[str, Any]) -> Truth:
    draws = {}
    for variable in functions.measured:
        array = _numbers(truth[variable.name], f"Held-out draws of {variable.name!r}")
        shape = variable.value.shape
        if array.shape == shape:
            array = array[None]
        if array.shape[1:] != shape or not len(array):
            raise ValueError(
                f"Held-out draws of {variable.name!r} must have shape (draws, {', '.join(map(str, shape))}), the "
                f"rows of the model's data, got {array.shape}; for other rows build the model on their covariates."
            )
        draws[variable.name] = array
    if len({len(a) for a in draws.values()}) > 1:
        raise ValueError(
            f"Held-out draws of all variables must be equally many, got { ({n: len(a) for n, a in draws.items()}) }."
        )
    return Truth(kind="draws", draws=draws)


def _same_for_all(functions: ModelFunctions, distribution: Distribution) -> Truth:
    name = _only_observed(functions, "their distributions")
    return Truth(kind="distribution", distributions=_on_rows(functions, {name: distribution}))


def _on_rows(functions: ModelFunctions, found: Mapping[str, Distribution]) -> dict[str, Distribution]:
    """Each distribution broadcast to the rows of its observed variable."""
    result = {}
    for variable in functions.measured:
        if variable.name not in found:
            continue
        distribution = found[variable.name]
        counts = functions.model[variable.name].dtype.startswith(("int", "uint", "bool"))
        if distribution.discrete != counts:
            kinds = ("discrete", "continuous") if distribution.discrete else ("continuous", "discrete")
            raise ValueError(
                f"The truth of {variable.name!r} is {kinds[0]}, but must be {kinds[1]} like the model's variable."
            )
        if distribution.event_ndim != variable.event_ndim:
            raise ValueError(
                f"The truth of {variable.name!r} has {counted(distribution.event_ndim, 'event dimension')}, the observed "
                f"variable {variable.event_ndim}; they must agree."
            )
        try:
            result[variable.name] = distribution.expand(variable.shape)
        except ValueError as error:
            raise ValueError(
                f"The truth of {variable.name!r} must broadcast to its rows, {variable.shape}; its batch shape is "
                f"{distribution.batch_shape}."
            ) from error
    return result
